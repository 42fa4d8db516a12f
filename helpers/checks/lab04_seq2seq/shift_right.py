"""`shift_right`: what a right answer does, and the mistakes that people make."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import (
    at_any_size,
    changed_arguments,
    each_for_itself,
    equals,
    has_shape,
    leaves_arguments_alone,
    output,
)
from helpers.checks.lab04_seq2seq.shared import right_shift
from helpers.checks.spoiling import remembering, stopping_at_64


def _shift_oracle(targets: Tensor, start: int) -> Tensor:
    return torch.tensor([[start, *row[:-1]] for row in targets.tolist()])


def _shift_case(targets: Tensor, start: int) -> Case:
    return Case((targets, start), _shift_oracle(targets, start))


def _one_target(draw: Draw) -> Iterator[Case]:
    yield _shift_case(torch.tensor([[16, 15, 20, 19]]), 0)
    yield _shift_case(draw.integers(1, 26, 1, 5), 0)


def _several_targets(draw: Draw) -> Iterator[Case]:
    for batch, length in ((2, 2), (3, 3), (2, 4), (4, 3), (5, 1)):
        yield _shift_case(draw.integers(1, 26, batch, length), 0)


def _other_starts(draw: Draw) -> Iterator[Case]:
    for start in (27, 3):
        yield _shift_case(draw.integers(0, 26, 2, 3), start)


def _long_targets(draw: Draw) -> Iterator[Case]:
    yield _shift_case(draw.integers(1, 26, 3, 67), 0)
    yield _shift_case(draw.integers(1, 30_000, 71, 131), 30_001)
    yield _shift_case(draw.integers(1, 26, 1, 1031), 2)


def _targets_in_turn(draw: Draw) -> Iterator[Case]:
    yield _shift_case(draw.integers(1, 26, 2, 5), 0)
    yield _shift_case(draw.integers(1, 26, 3, 4), 0)


def _targets_alone(draw: Draw) -> Iterator[Case]:
    yield Case((draw.integers(1, 26, 2, 4), 0), ("targets",))


def _starts(targets, start):
    """A column of start tokens."""
    return torch.full_like(targets[:, :1], start)


def _filled(shifted: Callable) -> Callable:
    """An answer that makes a shifted copy and then writes the start token into its first column."""

    def answer(targets, start):
        result = shifted(targets).clone()
        result[:, 0] = start
        return result

    return answer


def _shift_in_place(targets, start):
    targets[:, 1:] = targets[:, :-1].clone()
    targets[:, 0] = start
    return targets


EXERCISE = Exercise(
    name="shift_right",
    arguments=("targets", "start"),
    properties=(
        Property("gives as many steps as the target has", _one_target, output, has_shape),
        Property(
            "at each step stands the token before the one to be written, and at the first the start token",
            _one_target,
            output,
            equals,
        ),
        Property("does so for each row of a batch, down to targets of one token", _several_targets, output, equals),
        Property("starts with whatever `start` says", _other_starts, output, equals, suggests="ignores-start"),
        Property(
            "leaves the targets as they were",
            _targets_alone,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        each_for_itself(_targets_in_turn),
        at_any_size(_long_targets),
    ),
    misconceptions=(
        Misconception(
            "drops-first-token",
            "the first token is dropped, not the last",
            "The decoder has to write the first token after reading the start token, and then needs the first token "
            "to go on. The one that nobody reads is the *last*: after it nothing remains to be written.",
            (_filled(lambda targets: targets), lambda targets, start: targets[:, 1:]),
        ),
        Misconception(
            "unshifted",
            "the targets go in unshifted",
            "At each step the decoder would read the very token that it has to write. It learns to copy its input, "
            "the loss falls to almost nothing, and alone it can write nothing.",
            (lambda targets, start: targets, lambda targets, start: targets.clone()),
        ),
        Misconception(
            "shifted-left",
            "the shift goes the other way",
            "Each step reads the token *after* the one that it has to write: the future. It should read the one "
            "before, so every token moves one step to the right.",
            (
                lambda targets, start: torch.cat([targets[:, 1:], _starts(targets, start)], dim=1),
                lambda targets, start: torch.cat([targets[:, 1:], targets[:, -1:]], dim=1),
                lambda targets, start: targets.roll(-1, dims=1),
                _filled(lambda targets: targets.roll(-1, dims=1)),
            ),
        ),
        Misconception(
            "start-at-the-end",
            "the start token stands at the end",
            "The start token is what the decoder reads *first*, when it has written nothing yet.",
            (
                lambda targets, start: torch.cat([targets[:, :-1], _starts(targets, start)], dim=1),
                lambda targets, start: torch.cat([targets, _starts(targets, start)], dim=1),
            ),
        ),
        Misconception(
            "nothing-dropped",
            "the result is one step too long",
            "You put the start token in front and keep every token. But the decoder has as many steps to read as it "
            "has to write, and nobody reads the last token.",
            (lambda targets, start: torch.cat([_starts(targets, start), targets], dim=1),),
        ),
        Misconception(
            "start-missing",
            "the start token is missing",
            "The last token is dropped, and nothing stands in front. `targets[:, :-1]` alone is right where the target "
            "comes with a start token of its own. Here it doesn't.",
            (lambda targets, start: targets[:, :-1],),
        ),
        Misconception(
            "wraps-round",
            "the last token comes round to the front",
            "`roll` brings what falls off at the end back in at the start: the decoder would begin by reading the "
            "last token of the answer.",
            (lambda targets, start: targets.roll(1, dims=1),),
        ),
        Misconception(
            "overwritten-on-the-way",
            "each step copies what was copied just before",
            "You go through the steps from the front, and each takes over what stands before it. But there stands by "
            "then what was copied a moment ago, so one token fills the row. Read from the targets, not from the "
            "result that you are writing.",
            (
                _filled(lambda targets: targets[:, :1].expand_as(targets)),
                lambda targets, start: torch.full_like(targets, start),
            ),
        ),
        Misconception(
            "shifts-the-rows",
            "the rows are shifted, not the steps",
            "Axis 0 is the batch: its rows have nothing to do with one another. The steps are axis 1.",
            (
                lambda targets, start: torch.cat([torch.full_like(targets[:1], start), targets[:-1]]),
                lambda targets, start: targets.roll(1, dims=0),
                _filled(lambda targets: targets.roll(1, dims=0)),
            ),
        ),
        Misconception(
            "rows-run-together",
            "a row's last token turns up in the next row",
            "The batch is shifted as if it were one long row. `roll` does that if it isn't told an axis, and so does a "
            "shift of the flattened tensor.",
            (
                lambda targets, start: torch.cat(
                    [torch.tensor([start]), targets.flatten()[:-1].to(torch.int64)]
                ).reshape(targets.shape),
                lambda targets, start: targets.roll(1),
            ),
        ),
        Misconception(
            "one-row-only",
            "only the first row gets the start token",
            "Every string of the batch begins with the start token.",
            (
                lambda targets, start: torch.cat(
                    [
                        torch.tensor([[start]] + [[0]] * (len(targets) - 1), dtype=targets.dtype),
                        targets[:, :-1],
                    ],
                    dim=1,
                ),
                lambda targets, start: torch.cat([torch.tensor([[start]]), targets[:1, :-1]], dim=1),
                lambda targets, start: torch.cat([torch.tensor([[start]]), targets[:, :-1]], dim=1),
            ),
        ),
        mistakes.IGNORES_START.explained(
            "Your result begins with the same token whatever `start` says. In this lab the start token happens to be "
            "0; a function that takes `start` has to use it.",
            lambda targets, start: right_shift(targets, 0),
            lambda targets, start: right_shift(targets, 1),
        ),
        mistakes.NOT_WHOLE_NUMBERS.explained(
            "`torch.zeros`, `torch.ones` and `torch.full` with a float make floating-point numbers, and joined with "
            "integers they make everything so. An embedding looks up whole numbers: give the new column the targets' "
            "`dtype`.",
            lambda targets, start: right_shift(targets.float(), start),
            lambda targets, start: torch.cat([torch.zeros(len(targets), 1) + start, targets[:, :-1].float()], dim=1),
        ),
        mistakes.WRITES_INTO_ARGUMENTS.explained(
            "The result is right, but the loss that comes afterwards compares with the targets, and they are no "
            "longer what they were. An assignment to a slice writes in place: make a new tensor first.",
            _shift_in_place,
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(right_shift)),
        mistakes.SMALL_SIZES_ONLY.row(stopping_at_64(right_shift)),
        mistakes.nothing_returned(),
    ),
)
