"""`masked_mean`: what a right answer does, and the mistakes that people make."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import (
    GRADIENT,
    at_any_size,
    changed_arguments,
    each_for_itself,
    equals,
    gradient,
    has_shape,
    leaves_arguments_alone,
    output,
    right_gradient,
)
from helpers.checks.lab01_masked_softmax.shared import keeps_type, oracle_gradient
from helpers.checks.spoiling import remembering


def _mean_oracle(values: Tensor, valid_lens: Tensor) -> Tensor:
    rows = []
    for sequence, length in zip(values, valid_lens.tolist(), strict=True):
        total = torch.zeros(values.shape[2], dtype=torch.float64)
        for step in range(length):
            total = total + sequence[step].double()
        rows.append(total / length if length else total)
    return torch.stack(rows).to(values.dtype)


def _mean_case(values: Tensor, *lengths: int) -> Case:
    valid_lens = torch.tensor(lengths)
    return Case((values, valid_lens), _mean_oracle(values, valid_lens))


def _full_sequences(draw: Draw) -> Iterator[Case]:
    yield _mean_case(draw.normal(1, 2, 3), 2)
    yield _mean_case(draw.normal(3, 4, 2), 4, 4, 4)


def _padded_sequences(draw: Draw) -> Iterator[Case]:
    yield _mean_case(draw.normal(1, 3, 2), 2)
    yield _mean_case(draw.normal(2, 2, 2), 1, 2)  # every axis of the same size
    yield _mean_case(draw.normal(3, 3, 3), 2, 1, 3)
    yield _mean_case(draw.normal(4, 5, 3, scale=5.0), 1, 4, 5, 2)
    yield _mean_case(torch.tensor([[[3.0, 1.0], [0.0, 0.0], [1e4, -1e4]]]), 2)  # a real step may be zeros


def _empty_sequence(draw: Draw) -> Iterator[Case]:
    yield _mean_case(draw.normal(1, 2, 2), 0)
    yield _mean_case(draw.normal(3, 3, 2), 0, 2, 0)


def _long_sequences(draw: Draw) -> Iterator[Case]:
    yield _mean_case(draw.normal(3, 67, 2), 67, 13, 66)
    yield _mean_case(draw.normal(67, 5, 71), *draw.integers(0, 5, 67).tolist())
    yield _mean_case(draw.normal(2, 131, 3), 131, 97)


def _means_in_turn(draw: Draw) -> Iterator[Case]:
    yield _mean_case(draw.normal(2, 3, 2), 1, 3)
    yield _mean_case(draw.normal(3, 2, 3), 2, 0, 1)


def _mean_arguments(draw: Draw) -> Iterator[Case]:
    yield Case((draw.normal(2, 3, 2), torch.tensor([1, 2])), ("values", "valid_lens"))
    yield Case((draw.normal(2, 3, 2), torch.tensor([0, 3])), ("values", "valid_lens"))


def _mean_gradients(draw: Draw) -> Iterator[Case]:
    for lengths in ([3, 2], [0, 2]):
        values, valid_lens = draw.normal(2, 3, 2), torch.tensor(lengths)
        yield Case((values, valid_lens), oracle_gradient(_mean_oracle, values, valid_lens))


def _mean_types(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        yield _mean_case(draw.normal(2, 3, 2, scale=1.0).to(dtype), 2, 0)


def _steps(values: Tensor, valid_lens: Tensor) -> Tensor:
    return (torch.arange(values.shape[1]) < valid_lens.unsqueeze(1)).unsqueeze(2)


def _mean_with(mask: Callable = _steps, divisor: Callable = lambda values, lengths: lengths.clamp(min=1)) -> Callable:
    """A masked mean out of a mask and a divisor, of which one has a mistake."""

    def mean(values, valid_lens):
        total = (values * mask(values, valid_lens)).sum(1)
        return total / divisor(values, valid_lens).unsqueeze(1).to(values.dtype)

    return mean


def _lengths_like(number: Callable) -> Callable:
    return lambda values, lengths: torch.full_like(lengths, number(values, lengths)).clamp(min=1)


EXERCISE = Exercise(
    name="masked_mean",
    arguments=("values", "valid_lens"),
    properties=(
        Property("gives one vector for each sequence: (batch, v)", _full_sequences, output, has_shape),
        Property("without padding it is the mean over the steps", _full_sequences, output, equals),
        Property("padding doesn't count", _padded_sequences, output, equals),
        Property("an empty sequence gives zeros", _empty_sequence, output, equals),
        Property(
            "leaves its arguments as they were",
            _mean_arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property("its gradient is right and finite", _mean_gradients, gradient, right_gradient, shows=GRADIENT),
        Property("keeps the type: float16, bfloat16 and float64 work", _mean_types, output, keeps_type),
        each_for_itself(_means_in_turn),
        at_any_size(_long_sequences),
    ),
    misconceptions=(
        mistakes.DIVIDES_BY_PADDED_LENGTH.explained(
            "You sum the right steps and divide by all of them, padding included: the shorter the sequence, "
            "the closer to zero its mean. (A well-known loss function has this mistake; lab 4 meets it again.)",
            _mean_with(divisor=_lengths_like(lambda values, lengths: values.shape[1])),
        ),
        Misconception(
            "divides-by-longest",
            "every sum is divided by the same number",
            "Each sequence is divided by its own length, not by one number for the whole batch.",
            (
                _mean_with(divisor=_lengths_like(lambda values, lengths: int(lengths.max()))),
                _mean_with(divisor=lambda values, lengths: lengths.sum().clamp(min=1).expand_as(lengths)),
            ),
        ),
        Misconception(
            "nan-empty-sequence",
            "an empty sequence becomes NaN",
            "A sequence of length 0 has sum 0, and 0/0 is NaN. It should give zeros.",
            (
                _mean_with(divisor=lambda values, lengths: lengths),
                lambda values, valid_lens: torch.stack(
                    [steps[:length].mean(0) for steps, length in zip(values, valid_lens.tolist(), strict=True)]
                ),
            ),
        ),
        mistakes.NAN_GRADIENT.explained(
            "You replaced the NaN after dividing by 0. The backward pass still divides by 0. "
            "Divide by something that is never 0.",
            lambda values, valid_lens: _mean_with(divisor=lambda v, lengths: lengths)(values, valid_lens).nan_to_num(
                0.0
            ),
            lambda values, valid_lens: torch.where(
                (valid_lens > 0).unsqueeze(1),
                _mean_with(divisor=lambda v, lengths: lengths)(values, valid_lens),
                0.0,
            ),
        ),
        mistakes.PADDING_COUNTED.explained(
            "The steps beyond the length are padding: whatever lies there is no part of the sequence. "
            "Yours enter the mean.",
            lambda values, valid_lens: values.mean(1),
            _mean_with(mask=lambda values, lengths: torch.ones(1, 1, 1, dtype=torch.bool)),
        ),
        Misconception(
            "mean-over-wrong-axis",
            "the mean runs over the wrong axis",
            "A mean over the *steps* leaves one vector of width v for each sequence. Which of the axes "
            "(batch, step, v) must disappear?",
            (
                lambda values, valid_lens: values.mean(2),
                lambda values, valid_lens: values.mean(0),
                lambda values, valid_lens: values.mean((1, 2)),
                lambda values, valid_lens: (
                    (values * _steps(values, valid_lens)).sum(2) / valid_lens.clamp(min=1).unsqueeze(1).to(values.dtype)
                ),
            ),
        ),
        mistakes.SUM_FOR_MEAN.explained(
            "A mean is a sum divided by the number of steps that went into it.",
            _mean_with(divisor=lambda values, lengths: torch.ones_like(lengths)),
        ),
        mistakes.OFF_BY_ONE.row(
            _mean_with(mask=lambda values, lengths: _steps(values, lengths + 1)),
            _mean_with(mask=lambda values, lengths: _steps(values, lengths - 1)),
            what="steps",
        ),
        mistakes.INVERTED_MASK.explained(
            "You average the padding and leave the sequence out. True means *keep*.",
            _mean_with(mask=lambda values, lengths: ~_steps(values, lengths)),
            _mean_with(
                mask=lambda values, lengths: ~_steps(values, lengths),
                divisor=lambda values, lengths: (values.shape[1] - lengths).clamp(min=1),
            ),
        ),
        mistakes.WRITES_INTO_ARGUMENTS.explained(
            "The mean is right, but the caller's values or lengths are no longer what they were, and the next to use "
            "them gets wrong numbers. Which of your operations ends in an underscore, or assigns in place (`+=`)?",
            lambda values, valid_lens: (_mean_with()(values, valid_lens), valid_lens.add_(1))[0],
            lambda values, valid_lens: (
                _mean_with()(values, valid_lens),
                values.masked_fill_(~_steps(values, valid_lens), 0.0),
            )[0],
        ),
        mistakes.DETACHED_GRADIENT.row(
            lambda values, valid_lens: _mean_with()(values.detach(), valid_lens),
            inputs="the values",
        ),
        mistakes.TYPE_CHANGED.row(
            lambda values, valid_lens: _mean_with()(values.float(), valid_lens),
            lambda values, valid_lens: _mean_with()(values.double(), valid_lens),
            dtype="float16",
        ),
        mistakes.ONE_LENGTH_FOR_ALL.row(
            lambda values, valid_lens: _mean_with()(values, valid_lens[:1].expand_as(valid_lens)),
            lambda values, valid_lens: _mean_with()(values, valid_lens.max().expand_as(valid_lens)),
            sequence="sequence",
        ),
        Misconception(
            "counts-nonzero-steps",
            "a step of zeros isn't counted",
            "A real step may hold zeros, and padding may hold anything: which steps are real, only `valid_lens` says.",
            (
                lambda values, valid_lens: (
                    (values * _steps(values, valid_lens)).sum(1)
                    / (values * _steps(values, valid_lens) != 0)
                    .any(-1, keepdim=True)
                    .sum(1)
                    .clamp(min=1)
                    .to(values.dtype)
                ),
            ),
        ),
        Misconception(
            "axis-missing",
            "an axis is missing in a product or in a division",
            "`values` has three axes, a mask (batch, step) two and the lengths one. PyTorch lines axes up from the "
            "right, so they meet the wrong ones, or don't fit. Write the shapes one above the other: where is a 1 "
            "missing?",
            (
                lambda values, valid_lens: (
                    (values * _steps(values, valid_lens).squeeze(2)).sum(1)
                    / valid_lens.clamp(min=1).unsqueeze(1).to(values.dtype)
                ),
                lambda values, valid_lens: (
                    (values * _steps(values, valid_lens)).sum(1) / valid_lens.clamp(min=1).to(values.dtype)
                ),
            ),
        ),
        mistakes.AXIS_LEFT_OVER.explained(
            "The mean is right, but its shape is (batch, 1, v): the axis that you averaged over should be gone.",
            lambda values, valid_lens: _mean_with()(values, valid_lens).unsqueeze(1),
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(_mean_with())),
        mistakes.SMALL_SIZES_ONLY.row(
            lambda values, valid_lens: _mean_with()(values[:, :64], valid_lens.clamp(max=64)),
            _mean_with(mask=lambda values, lengths: _steps(values, lengths.clamp(max=64))),
        ),
        mistakes.nothing_returned(),
    ),
)
