"""Each lab's bank, held against its checks: every right answer passes, every wrong one is rejected, most by name.

A bank is a module `answers_labNN_….py` beside this one. Where an exercise has hidden tests, they must agree.
"""

from importlib import import_module
from pathlib import Path

import pytest

from helpers.checks import CheckFailed, check
from helpers.checks.engine import all_exercises, examine, find_exercise
from tests.checks.hidden import has_hidden_tests, run_hidden_tests

pytestmark = pytest.mark.filterwarnings("ignore:I am only a student")

SEEDS = range(2)
LABS = sorted(path.stem.removeprefix("answers_") for path in Path(__file__).parent.glob("answers_lab*.py"))
BANKS = {lab: import_module(f"tests.checks.answers_{lab}").BANK for lab in LABS}
MODULES = {lab: import_module(f"helpers.checks.{lab}") for lab in LABS}


def answers(is_right: bool, hidden: bool = False):
    """The answers of all banks as parameters: (lab, answer)."""
    return [
        pytest.param(lab, answer, id=f"{lab[:5]}-{answer.id}")
        for lab, bank in BANKS.items()
        for answer in bank
        if answer.is_right == is_right and (not hidden or has_hidden_tests(lab, answer.exercise))
    ]


def grade_hidden(lab: str, answer) -> None:
    name = find_exercise(answer.exercise).owner or answer.exercise
    run_hidden_tests(lab, f"test_{answer.exercise}_hidden", **{name: answer.function})


def test_every_lab_with_checks_has_a_bank():
    assert sorted({name for lab in LABS for name in (each.name for each in MODULES[lab].EXERCISES)}) == sorted(
        all_exercises()
    )


@pytest.mark.parametrize(("lab", "answer"), answers(is_right=True))
def test_a_right_answer_passes_in_whatever_style(lab, answer):
    for seed in SEEDS:
        check(answer.function, answer.exercise, seed=seed)


@pytest.mark.parametrize(("lab", "answer"), answers(is_right=False))
def test_a_wrong_answer_is_rejected_by_the_name_of_its_mistake(lab, answer):
    for seed in SEEDS:
        with pytest.raises(CheckFailed) as failed:
            check(answer.function, answer.exercise, seed=seed)
        assert failed.value.failures
        if answer.named is not None:
            assert failed.value.misconception == answer.named


@pytest.mark.parametrize("exercise", all_exercises())
def test_every_row_of_the_table_is_rejected_by_its_own_name(exercise):
    known = find_exercise(exercise)
    for misconception in known.misconceptions:
        for wrong in misconception.wrong:
            for seed in SEEDS[:1]:
                _, named = examine(wrong, known, seed)
                assert named is misconception, f"{misconception.id} is taken for {named and named.id}"


@pytest.mark.parametrize(("lab", "answer"), answers(is_right=True, hidden=True))
def test_a_right_answer_passes_the_hidden_tests(lab, answer):
    grade_hidden(lab, answer)


@pytest.mark.parametrize(("lab", "answer"), answers(is_right=False, hidden=True))
def test_a_wrong_answer_fails_the_hidden_tests(lab, answer):
    if answer.named == "forbidden-call":
        return  # hidden tests see what an answer does, and PyTorch's own attention does the right thing
    with pytest.raises(Exception):  # noqa: B017  (whatever it is, the student gets no points)
        grade_hidden(lab, answer)


@pytest.mark.parametrize("lab", LABS)
def test_at_least_85_percent_of_a_labs_wrong_answers_are_named(lab):
    # That each gets the name that its bank claims is the test above.
    claimed = [answer.named is not None for answer in BANKS[lab] if not answer.is_right]
    assert sum(claimed) >= 0.85 * len(claimed)


@pytest.mark.parametrize("exercise", all_exercises())
def test_an_exercise_has_four_right_answers_and_eight_wrong_ones(exercise):
    fates = [answer.is_right for bank in BANKS.values() for answer in bank if answer.exercise == exercise]
    assert fates.count(True) >= 4
    assert fates.count(False) >= 8


@pytest.mark.parametrize("exercise", all_exercises())
def test_a_blank_answer_is_told_to_be_blank(exercise):
    def blank(*args):
        raise NotImplementedError()

    with pytest.raises(CheckFailed, match="still blank"):
        check(blank, exercise)
