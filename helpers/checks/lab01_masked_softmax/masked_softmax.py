"""`masked_softmax`: what a right answer does."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from helpers.checks.engine import Case, Draw, Exercise, Property
from helpers.checks.judging import (
    GRADIENT,
    at_any_size,
    changed_arguments,
    each_for_itself,
    equals,
    gradient,
    has_shape,
    leaves_arguments_alone,
    number,
    numbers,
    output,
    right_gradient,
)
from helpers.checks.lab01_masked_softmax.masked_softmax_mistakes import MISTAKES
from helpers.checks.lab01_masked_softmax.shared import keeps_type, mask_oracle, oracle_gradient, softmax_oracle


def _softmax_case(scores: Tensor, valid_lens: Tensor | None) -> Case:
    return Case((scores, valid_lens), softmax_oracle(scores, valid_lens))


def _without_lengths(draw: Draw) -> Iterator[Case]:
    yield _softmax_case(draw.normal(1, 2, 3), None)
    yield _softmax_case(draw.normal(2, 2, 2), None)
    yield _softmax_case(draw.normal(3, 4, 5), None)
    yield _softmax_case(draw.normal(2, 3, 1), None)  # a single key
    scores = draw.normal(2, 2, 3)
    yield Case((scores,), softmax_oracle(scores, None))  # None is the default


def _a_length_a_sequence(draw: Draw) -> Iterator[Case]:
    yield _softmax_case(draw.normal(1, 1, 3), torch.tensor([2]))
    yield _softmax_case(draw.normal(2, 1, 3), torch.tensor([1, 3]))
    yield _softmax_case(draw.normal(2, 2, 3), torch.tensor([1, 2]))
    yield _softmax_case(draw.normal(2, 2, 2), torch.tensor([2, 1]))  # every axis of the same size
    yield _softmax_case(draw.normal(4, 3, 5), draw.integers(1, 5, 4))
    yield _softmax_case(draw.normal(3, 3, 3), torch.tensor([3, 1, 2]))


def _a_length_a_query(draw: Draw) -> Iterator[Case]:
    yield _softmax_case(draw.normal(1, 2, 3), torch.tensor([[1, 2]]))
    yield _softmax_case(draw.normal(2, 2, 2), torch.tensor([[2, 1], [1, 2]]))
    yield _softmax_case(draw.normal(3, 3, 3), torch.tensor([[1, 2, 3], [3, 2, 1], [2, 2, 1]]))
    yield _softmax_case(draw.normal(3, 1, 4), torch.tensor([[1], [3], [2]]))
    yield _softmax_case(draw.normal(4, 3, 5), draw.integers(1, 5, 4, 3))


def _loud_padding(draw: Draw) -> Iterator[Case]:
    for loudness in (1e4, -1e4):
        for scores, valid_lens in (
            (draw.normal(1, 1, 3), torch.tensor([2])),
            (draw.normal(2, 2, 3), torch.tensor([[1, 2], [2, 3]])),
        ):
            padding = ~mask_oracle(valid_lens, 3).reshape(len(scores), -1, 3)
            yield _softmax_case(scores.masked_fill(padding, loudness), valid_lens)


def _an_empty_row(draw: Draw) -> Iterator[Case]:
    yield _softmax_case(draw.normal(1, 1, 2), torch.tensor([0]))
    yield _softmax_case(draw.normal(2, 2, 3), torch.tensor([0, 2]))
    yield _softmax_case(draw.normal(2, 3, 4), torch.tensor([[3, 0, 4], [0, 1, 2]]))
    yield _softmax_case(draw.normal(2, 2, 1), torch.tensor([[0, 1], [1, 0]]))  # a single key


def _many_keys(draw: Draw) -> Iterator[Case]:
    yield _softmax_case(draw.normal(1, 2, 67), None)
    yield _softmax_case(draw.normal(3, 5, 131), torch.tensor([131, 66, 13]))
    yield _softmax_case(draw.normal(11, 3, 73), draw.integers(65, 73, 11, 3))


def _in_turn(draw: Draw) -> Iterator[Case]:
    yield _softmax_case(draw.normal(1, 2, 3), None)
    yield _softmax_case(draw.normal(2, 2, 3), torch.tensor([1, 3]))
    yield _softmax_case(draw.normal(2, 2, 4), torch.tensor([[1, 2], [3, 4]]))


def _softmax_arguments(draw: Draw) -> Iterator[Case]:
    for lengths in (torch.tensor([1, 2]), torch.tensor([[1, 2], [3, 1]]), torch.tensor([0, 2]), None):
        yield Case((draw.normal(2, 2, 3), lengths), ("scores", "valid_lens"))


def _gradient_cases(lengths: list[Tensor | None], draw: Draw) -> Iterator[Case]:
    for valid_lens in lengths:
        scores = draw.normal(2, 2, 3)
        yield Case((scores, valid_lens), oracle_gradient(softmax_oracle, scores, valid_lens))


def _gradient_of_full_rows(draw: Draw) -> Iterator[Case]:
    return _gradient_cases([None, torch.tensor([2, 3]), torch.tensor([[1, 2], [3, 2]])], draw)


def _gradient_of_an_empty_row(draw: Draw) -> Iterator[Case]:
    return _gradient_cases([torch.tensor([0, 2]), torch.tensor([[0, 3], [2, 0]])], draw)


def _other_types(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        yield _softmax_case(draw.normal(1, 2, 3, scale=1.0).to(dtype), torch.tensor([2]))
        yield _softmax_case(draw.normal(2, 2, 3, scale=1.0).to(dtype), torch.tensor([[1, 2], [3, 1]]))
        yield _softmax_case(draw.normal(2, 2, 3, scale=1.0).to(dtype), None)


def _empty_rows_of_other_types(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        yield _softmax_case(draw.normal(1, 2, 3, scale=1.0).to(dtype), torch.tensor([[0, 2]]))


def _large_scores(draw: Draw) -> Iterator[Case]:
    # 800 is beyond what exp can do in float32 and float64. −2e5 is below a fill that still fits into float16; one that
    # lies further below any score that a model meets is as good as −∞, and passes.
    for offset in (800.0, -800.0):
        yield _softmax_case(draw.normal(1, 2, 3) + offset, None)
        yield _softmax_case(draw.normal(2, 2, 3) + offset, torch.tensor([1, 2]))
    yield _softmax_case(torch.tensor([[[-2e5, 0.0]]]), torch.tensor([1]))
    # Rows far from one another, and scores far apart in one row: each row needs its own maximum, and the maximum.
    yield _softmax_case(draw.normal(1, 2, 3) + torch.tensor([[[800.0], [-800.0]]]), None)
    yield _softmax_case(draw.normal(2, 1, 3) + torch.tensor([[[-800.0]], [[800.0]]]), torch.tensor([2, 3]))
    yield _softmax_case(torch.tensor([[[-800.0, 0.0, 800.0]]]), None)


def _beyond_the_length(got: Any, want: Tensor) -> str | None:
    """Judge that the weights are zero exactly where they should be (the wanted ones are zero nowhere else)."""
    problem = has_shape(got, want)
    if problem:
        return problem
    leaked = (got != 0) & (want == 0)
    if not leaked.any():
        return None
    index = tuple(leaked.nonzero()[0].tolist())
    return f"the weight at {list(index)} is {number(got[index].item())}, on a key that is padding"


def _nothing_beyond_and_equal(got: Any, want: Tensor) -> str | None:
    return _beyond_the_length(got, want) or equals(got, want)


def _empty_rows_are_zero(got: Any, want: Tensor) -> str | None:
    """Judge the empty rows before the others, which have properties of their own."""
    problem = has_shape(got, want)
    if problem:
        return problem
    wrong = (want == 0).all(-1) & (got != 0).any(-1)
    if not wrong.any():
        return equals(got, want)
    b, q = wrong.nonzero()[0].tolist()
    return f"the row at [{b}, {q}] has no valid key, and should be all 0; it gave {numbers(got[b, q])}"


EXERCISE = Exercise(
    name="masked_softmax",
    arguments=("scores", "valid_lens"),
    properties=(
        Property("gives one weight for each score", _without_lengths, output, has_shape),
        Property(
            "without lengths it is the softmax over the keys: each query's weights sum to 1",
            _without_lengths,
            output,
            equals,
        ),
        Property(
            "keys beyond a sequence's length weigh exactly 0",
            _a_length_a_sequence,
            output,
            _beyond_the_length,
        ),
        Property(
            "the keys within the length share all the weight, as the softmax of their scores",
            _a_length_a_sequence,
            output,
            equals,
        ),
        Property(
            "takes lengths of shape (batch, query) too: each query has its own",
            _a_length_a_query,
            output,
            _nothing_beyond_and_equal,
            suggests="ignores-2d-lengths",
        ),
        Property("whatever lies in the padding makes no difference", _loud_padding, output, equals),
        Property("a row of length 0 is all zeros", _an_empty_row, output, _empty_rows_are_zero),
        Property(
            "leaves its arguments as they were",
            _softmax_arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "its gradient with respect to the scores is right",
            _gradient_of_full_rows,
            gradient,
            right_gradient,
            shows=GRADIENT,
        ),
        Property(
            "the gradient is finite, and 0, for a row of length 0",
            _gradient_of_an_empty_row,
            gradient,
            right_gradient,
            suggests="nan-gradient",
            shows=GRADIENT,
        ),
        Property("keeps the type: float16, bfloat16 and float64 work", _other_types, output, keeps_type),
        Property(
            "an empty row is all zeros in the other types too", _empty_rows_of_other_types, output, _empty_rows_are_zero
        ),
        Property("scores far from 0 work too", _large_scores, output, equals),
        each_for_itself(_in_turn),
        at_any_size(_many_keys),
    ),
    misconceptions=MISTAKES,
)
