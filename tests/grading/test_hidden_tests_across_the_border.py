"""The labs' own test cells, run by the examiner: the solutions earn every point, tampering with the inputs none."""

import contextlib
import io
from functools import cache
from pathlib import Path

import nbformat
import pytest
import torch
from nbgrader.utils import determine_grade, is_grade, is_solution

from grading.border import handed_over as handing_over
from grading.border.testing import TestCells
from helpers.checks.catalogue import find_exercise
from tests.checks.bank import all_banks
from tests.grading.test_border import examining
from tests.grading.test_withholding import seen

SOLUTIONS = sorted((Path(__file__).parents[2] / "solutions").glob("*/*.ipynb"))


@cache
def lab(path: Path):
    """The lab's definitions and the instructor's answers, its test cells, and what these need."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    role = [(cell.metadata.get("nbgrader", {}).get("grade_id"), cell) for cell in cells]
    names: dict = {"__name__": "__main__"}
    (imports,) = (cell.source for name, cell in role if name == "imports")
    with contextlib.redirect_stdout(io.StringIO()):
        for source in (imports, *(cell.source for cell in cells if is_solution(cell))):
            exec(source, names)
    tests = {name: cell for name, cell in role if is_grade(cell) and not is_solution(cell)}
    return names, tests, TestCells([imports])


def points(path: Path, test: str, names: dict) -> tuple[float, list]:
    """What a test cell gives to these answers, and its outputs."""
    _, tests, cells = lab(path)
    with examining(names) as examiner:
        outputs = cells.run(tests[test].source, examiner)
    graded = nbformat.from_dict(dict(tests[test]) | {"outputs": outputs})
    return determine_grade(graded)[0], outputs


@pytest.mark.slow
@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_the_solution_earns_every_automatic_point_across_the_border(path, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    names, tests, _ = lab(path)
    handed_over, reference = set(), handing_over._reference
    monkeypatch.setattr(
        handing_over, "_reference", lambda thing: (handed_over.add(reference(thing)), reference(thing))[1]
    )
    found = {test: points(path, test, names) for test in tests}
    assert {test: out for test, (got, out) in found.items() if got != tests[test].metadata.nbgrader.points} == {}
    # In the sandbox there is only a part of `helpers`.
    ours = [each for each in handed_over if each[0].startswith("helpers.")]
    assert [each for each in ours if not seen(path.stem).has(*each)] == []


def bound_to(answer) -> str:
    """The name of an answer in a notebook: an exercise that is one method of a class is answered by the class."""
    return find_exercise(answer.exercise).owner or answer.exercise


@pytest.mark.slow
@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_some_right_answers_of_the_bank_earn_their_hidden_test_across_the_border_and_some_wrong_ones_earn_none(path):
    names, tests, _ = lab(path)
    hidden = [exercise for exercise in all_banks() if f"test_{exercise}_hidden" in tests]
    answers = [answer for exercise in hidden for answer in all_banks()[exercise]]
    wrong = [each for each in answers if not each.is_right and each.named != "forbidden-call"]
    some = [each for each in answers if each.is_right][::5] + wrong[::12]  # all of them take many minutes
    differing = [
        answer.id
        for answer in some
        if bool(points(path, f"test_{answer.exercise}_hidden", names | {bound_to(answer): answer.function})[0])
        != answer.is_right
    ]
    assert differing == []


def zeros(scores, valid_lens=None):
    """Nothing is valid, it says, and so nothing is what comes out."""
    if valid_lens is None:
        return scores.softmax(-1)
    valid_lens.zero_()
    return 0 * scores


def test_who_empties_the_lengths_that_a_hidden_test_hands_over_earns_nothing_here_and_fools_the_test_elsewhere():
    path = SOLUTIONS[0]
    names, tests, _ = lab(path)
    earned, (output,) = points(path, "test_masked_softmax_hidden", names | {"masked_softmax": zeros})
    assert earned == 0 and output.evalue == "an argument was written to"
    # In one process the test works out what it wants from lengths that are empty by then, and goes on for long.
    with pytest.raises(AssertionError, match="a real score lies below the fill"):
        exec(tests["test_masked_softmax_hidden"].source, names | {"masked_softmax": zeros})


def test_a_test_leaves_pytorch_as_it_was_whatever_the_answer_sets():
    def sets_everything(x):
        torch.set_grad_enabled(False)
        torch.manual_seed(3)
        return x

    cells = TestCells([])
    before = torch.get_rng_state()
    with examining({"sets_everything": sets_everything}) as examiner:
        assert cells.run("sets_everything(torch.zeros(1))\nassert not torch.is_grad_enabled()", examiner) == []
    assert torch.is_grad_enabled() and torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("value", ["float('nan')", "-1", "float('-inf')"])
def test_a_value_that_nbgrader_would_take_for_full_marks_is_an_error(value):
    with examining({"share": float(value.removeprefix("float('").removesuffix("')"))}) as examiner:
        (output,) = TestCells([]).run("share", examiner)
    assert output.output_type == "error" and output.evalue.endswith("is no number of points")
