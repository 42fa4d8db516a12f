"""Each exercise's bank, held against its checks: every right answer passes, every wrong one is rejected, most by name.

Where an exercise has hidden tests, they must agree.
"""

import pytest

from helpers.checks import CheckFailed, check
from helpers.checks.catalogue import exercise_names, find_exercise, lab_of
from helpers.checks.engine import examine
from tests.checks.bank import all_banks
from tools.hidden_tests import has_hidden_tests, run_hidden_tests

# An answer may warn. Raised as an error, as in all other tests, the warning would be what the check sees of the answer.
pytestmark = pytest.mark.filterwarnings("ignore")

_ESCAPING = ("forbidden-call",)
BANKS = all_banks()


def answers(is_right: bool, exercises=BANKS):
    """The answers to these exercises as parameters."""
    return [
        pytest.param(answer, id=answer.id)
        for exercise in exercises
        for answer in BANKS[exercise]
        if answer.is_right == is_right
    ]


def answers_to_hidden_tests(is_right: bool):
    """The answers that a hidden test must judge as the checks do.

    Hidden tests see what an answer does, and PyTorch's own attention does the right thing: forbidden calls escape them.
    """
    exercises = [exercise for exercise in BANKS if has_hidden_tests(lab_of(exercise), exercise)]
    return [each for each in answers(is_right, exercises) if each.values[0].named not in _ESCAPING]


def grade_hidden(answer) -> None:
    name = find_exercise(answer.exercise).owner or answer.exercise
    run_hidden_tests(lab_of(answer.exercise), f"test_{answer.exercise}_hidden", **{name: answer.function})


@pytest.mark.parametrize("answer", answers(is_right=True))
def test_a_right_answer_passes_in_whatever_style(answer):
    for seed in range(2):
        check(answer.function, answer.exercise, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("answer", answers(is_right=False))
def test_a_wrong_answer_is_rejected_by_the_name_of_its_mistake(answer):
    # With seed 0, tests/grading/test_border.py asks the same of it, where it compares the two sides.
    with pytest.raises(CheckFailed) as failed:
        check(answer.function, answer.exercise, seed=1)
    assert failed.value.failures
    if answer.named is not None:
        assert failed.value.misconception == answer.named


@pytest.mark.slow
@pytest.mark.parametrize("exercise", exercise_names())
def test_every_row_of_the_table_is_rejected_by_its_own_name(exercise):
    known = find_exercise(exercise)
    for misconception in known.misconceptions:
        for wrong in misconception.wrong:
            _, named = examine(wrong, known, seed=0)
            assert named[:1] == (misconception,), f"{misconception.id} is taken for {[each.id for each in named]}"


@pytest.mark.slow
@pytest.mark.parametrize("answer", answers_to_hidden_tests(is_right=True))
def test_a_right_answer_passes_the_hidden_tests(answer):
    grade_hidden(answer)


@pytest.mark.slow
@pytest.mark.parametrize("answer", answers_to_hidden_tests(is_right=False))
def test_a_wrong_answer_fails_the_hidden_tests(answer):
    with pytest.raises(Exception):  # noqa: B017  (whatever it is, the student gets no points)
        grade_hidden(answer)


@pytest.mark.parametrize("lab", sorted({lab_of(exercise) for exercise in BANKS}))
def test_at_least_85_percent_of_a_labs_wrong_answers_are_named(lab):
    # That each gets the name that its bank claims is the test above.
    wrong = [each for name, bank in BANKS.items() for each in bank if lab_of(name) == lab and not each.is_right]
    claimed = [answer.named is not None for answer in wrong]
    assert sum(claimed) >= 0.85 * len(claimed)


@pytest.mark.parametrize("exercise", exercise_names())
def test_an_exercise_has_four_right_answers_and_eight_wrong_ones(exercise):
    fates = [answer.is_right for answer in BANKS[exercise]]
    assert fates.count(True) >= 4
    assert fates.count(False) >= 8


@pytest.mark.parametrize("exercise", exercise_names())
def test_a_blank_answer_is_told_to_be_blank(exercise):
    def blank(*args):
        raise NotImplementedError()

    with pytest.raises(CheckFailed, match="still blank"):
        check(blank, exercise)
