"""The hidden tests see what the checks see as well: what is right at small sizes only, and what answers from memory."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from helpers.checks.catalogue import exercise_names, find_exercise, lab_of
from helpers.checks.spoiling import changed, stopping_at_64
from tests.checks.bank import all_banks
from tools.hidden_tests import has_hidden_tests, run_hidden_tests

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # an answer may warn

WITH_HIDDEN_TESTS = [exercise for exercise in exercise_names() if has_hidden_tests(lab_of(exercise), exercise)]


def remembering_shapes(right: Callable) -> Callable:
    """A function like another one, except that arguments of the same shapes and types get the first such result."""
    answered: dict[tuple, Any] = {}

    def shape_of(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.shape, value.dtype
        return tuple(map(shape_of, value)) if isinstance(value, tuple | list) else value

    def remembering(*args):
        key = shape_of(args)
        if key not in answered:
            answered[key] = right(*args)
        return answered[key]

    return remembering


def spoiled(exercise: str, change: Callable[[Callable], Callable]) -> Callable:
    """The bank's first right answer with what the exercise asks for spoiled: a function, `forward` or a method."""
    right = next(answer.function for answer in all_banks()[exercise] if answer.is_right)
    if find_exercise(exercise).owner is not None:
        return type(right.__name__, (right,), {exercise: change(getattr(right, exercise))})
    return changed(right, change) if isinstance(right, type) else change(right)


@pytest.mark.parametrize("exercise", WITH_HIDDEN_TESTS)
@pytest.mark.parametrize("change", [stopping_at_64, remembering_shapes], ids=lambda change: change.__name__)
def test_hidden_tests_fail_an_answer_that_is_right_in_few_cases_only(exercise, change):
    name = find_exercise(exercise).owner or exercise
    with pytest.raises(Exception):  # noqa: B017  (whatever it is, the student gets no points)
        run_hidden_tests(lab_of(exercise), f"test_{exercise}_hidden", **{name: spoiled(exercise, change)})
