"""The tool that makes small mistakes in solutions; `benchmarks/mutants.py` tries them all."""

import pytest

from tools.equivalent_mutants import EQUIVALENT
from tools.mutants import Lab, Mutant, mutants_of

LAB = Lab("lab01_masked_softmax")


def test_a_solution_itself_is_not_noticed():
    for cell, source in LAB.solutions.items():
        assert not LAB.notices(Mutant(LAB.name, cell, "none", source))


def test_every_mutant_of_length_mask_but_the_equivalent_ones_is_noticed():
    passed = {mutant.change for mutant in mutants_of(LAB, "length_mask") if not LAB.notices(mutant)}
    assert passed == set(EQUIVALENT[LAB.name, "length_mask"])


def test_a_mutant_that_never_comes_back_is_noticed(monkeypatch):
    monkeypatch.setattr("tools.mutants._SECONDS", 1)
    assert LAB.notices(Mutant(LAB.name, "length_mask", "endless", "while True: pass"))


def test_only_the_solution_is_changed_and_each_mutant_once():
    found = [mutant.source for mutant in mutants_of(LAB, "masked_mean")]
    assert len(found) == len(set(found)) > 10
    assert all(source.startswith("def masked_mean(values: Tensor, valid_lens: Tensor) -> Tensor:") for source in found)


@pytest.mark.parametrize(("lab", "cell"), EQUIVALENT)
def test_what_is_called_equivalent_is_still_a_mutant(lab, cell):
    assert set(EQUIVALENT[lab, cell]) <= {mutant.change for mutant in mutants_of(Lab(lab), cell)}
