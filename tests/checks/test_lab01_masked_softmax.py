"""Lab 1's checks, tried on the bank: every right answer passes, every wrong one is rejected, most by name."""

import pytest

from helpers.checks import CheckFailed, check
from helpers.checks.engine import examine, find_exercise
from tests.checks.answers_lab01_masked_softmax import BANK
from tests.checks.hidden import run_hidden_tests

pytestmark = pytest.mark.filterwarnings("ignore:I am only a student")

RIGHT = [answer for answer in BANK if answer.is_right]
WRONG = [answer for answer in BANK if not answer.is_right]
SEEDS = range(3)
LAB = "lab01_masked_softmax"


@pytest.mark.parametrize("answer", RIGHT, ids=lambda answer: answer.id)
def test_a_right_answer_passes_in_whatever_style(answer):
    for seed in SEEDS:
        check(answer.function, answer.exercise, seed=seed)


@pytest.mark.parametrize("answer", WRONG, ids=lambda answer: answer.id)
def test_a_wrong_answer_is_rejected_by_the_name_of_its_mistake(answer):
    for seed in SEEDS:
        with pytest.raises(CheckFailed) as failed:
            check(answer.function, answer.exercise, seed=seed)
        assert failed.value.failures
        if answer.named is not None:
            assert failed.value.misconception == answer.named


@pytest.mark.parametrize("exercise", ["length_mask", "masked_softmax", "breaking_input", "masked_mean"])
def test_every_row_of_the_table_is_rejected_by_its_own_name(exercise):
    known = find_exercise(exercise)
    for misconception in known.misconceptions:
        for wrong in misconception.wrong:
            for seed in SEEDS:
                _, named = examine(wrong, known, seed)
                assert named is misconception, f"{misconception.id} is taken for {named and named.id}"


@pytest.mark.parametrize("answer", [a for a in RIGHT if a.exercise == "masked_softmax"], ids=lambda answer: answer.id)
def test_a_right_answer_passes_the_hidden_tests(answer):
    run_hidden_tests(LAB, "test_masked_softmax_hidden", masked_softmax=answer.function)


@pytest.mark.parametrize("answer", [a for a in WRONG if a.exercise == "masked_softmax"], ids=lambda answer: answer.id)
def test_a_wrong_answer_fails_the_hidden_tests(answer):
    with pytest.raises(Exception):  # noqa: B017  (whatever it is, the student gets no points)
        run_hidden_tests(LAB, "test_masked_softmax_hidden", masked_softmax=answer.function)


def test_at_least_85_percent_of_the_wrong_answers_are_named():
    named = [examine(answer.function, find_exercise(answer.exercise), seed=0)[1] is not None for answer in WRONG]
    print(f"lab 1: {len(RIGHT)} right answers, {len(WRONG)} wrong ones, {sum(named)} of them named")
    assert sum(named) >= 0.85 * len(named)


def test_a_version_that_survives_costs_its_own_point_only():
    ordinary = next(answer for answer in WRONG if answer.function.__name__ == "ordinary_padding")
    assert check(ordinary.function, "breaking_input", points=3) == 2
