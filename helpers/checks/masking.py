"""Mistakes with `valid_lens` that any attention can make: rows of scores in which a length says how many keys are real.

Scores are (batch, query, key), or have their keys along another axis. `weighing` makes an answer out of a function from
scores and lengths to weights.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from helpers.checks import mistakes
from helpers.checks.engine import Misconception

# Numbers that people take for very small ones, though real scores may lie below them.
FILLS = (-1.0, -2.0, -3.0, -4.0, -5.0)
LOWER_FILLS = (-10.0, -20.0, -50.0, -100.0, -1000.0, -1e4)


def padded(scores: Tensor, valid_lens: Tensor | None, axis: int = 2) -> Tensor:
    """True where a key is padding, in the shape of the scores. Lengths are (batch,) or (batch, query), or None."""
    count = scores.shape[axis]
    keys = torch.arange(count).reshape(1, -1, 1) if axis == 1 else torch.arange(count)
    lengths = torch.tensor(count) if valid_lens is None else valid_lens.reshape(len(scores), -1, 1)
    return (keys >= lengths).expand_as(scores)


def softmax(scores: Tensor, valid_lens: Tensor | None, axis: int = 2) -> Tensor:
    """The right weights."""
    return scores.masked_fill(padded(scores, valid_lens, axis), -torch.inf).softmax(axis)


def _with_lengths(weighing: Callable, change: Callable[[Tensor, Tensor], Tensor], axis: int = 2) -> Callable:
    """An answer that takes other lengths than those it is given."""
    return weighing(lambda scores, lens: softmax(scores, None if lens is None else change(lens, scores), axis))


def mask_mistakes(
    weighing: Callable[[Callable], Callable], keys: str = "keys", axis: int = 2, fills: tuple[float, ...] = FILLS
) -> tuple[Misconception, ...]:
    """The rows for what goes wrong with a mask. `keys` is what they are called; the check tells `fills` from −∞."""

    def inverted(fill: float) -> Callable:
        return weighing(
            lambda scores, lens: (
                scores.softmax(axis)
                if lens is None
                else scores.masked_fill(~padded(scores, lens, axis), fill).softmax(axis)
            )
        )

    def zeroed(scores: Tensor, lens: Tensor | None) -> Tensor:
        return scores.softmax(axis).masked_fill(padded(scores, lens, axis), 0.0)

    return (
        mistakes.ATTENDS_TO_PADDING.row(weighing(lambda scores, lens: scores.softmax(axis))),
        mistakes.MASK_AFTER_SOFTMAX.row(
            weighing(zeroed),
            weighing(lambda scores, lens: zeroed(scores, lens) / zeroed(scores, lens).sum(axis, keepdim=True)),
            weighing(lambda scores, lens: nn.functional.normalize(zeroed(scores, lens), p=1.0, dim=axis, eps=1e-30)),
            keys=keys,
        ),
        mistakes.MASKS_WITH_ZERO.row(
            weighing(lambda scores, lens: scores.masked_fill(padded(scores, lens, axis), 0.0).softmax(axis))
        ),
        mistakes.FILL_NOT_LOW_ENOUGH.row(
            *(
                weighing(
                    lambda scores, lens, fill=fill: scores.masked_fill(padded(scores, lens, axis), fill).softmax(axis)
                )
                for fill in fills
            )
        ),
        mistakes.INVERTED_MASK.row(inverted(-torch.inf), inverted(-1e9), keys=keys),
        mistakes.OFF_BY_ONE.row(
            _with_lengths(weighing, lambda lens, scores: lens + 1, axis),
            _with_lengths(weighing, lambda lens, scores: lens - 1, axis),
            what=keys,
        ),
        mistakes.ONE_LENGTH_FOR_ALL.row(
            _with_lengths(weighing, lambda lens, scores: lens[:1].expand_as(lens), axis),
            _with_lengths(weighing, lambda lens, scores: lens.max().expand_as(lens), axis),
            sequence="sequence",
        ),
    )


def causal_as_well(weighing: Callable[[Callable], Callable], key: str = "key") -> Misconception:
    """The row for a causal mask that nobody asked for. Scores have their keys along the last axis."""

    def weigh(scores: Tensor, lens: Tensor | None) -> Tensor:
        later = torch.ones(scores.shape[1:], dtype=torch.bool).triu(1)
        return softmax(scores.masked_fill(later, -torch.inf), lens)

    return mistakes.CAUSAL_AS_WELL.row(weighing(weigh), key=key)


def shape_of_lengths_mistakes(weighing: Callable[[Callable], Callable]) -> tuple[Misconception, ...]:
    """The rows for what goes wrong where lengths may be (batch,) or (batch, query)."""

    def all_keys(lens: Tensor, scores: Tensor) -> Tensor:
        return torch.full_like(lens, scores.shape[2])

    def repeated_on_the_wrong_axis(lens: Tensor, scores: Tensor) -> Tensor:
        return lens.repeat(scores.shape[1]).reshape(scores.shape[:2]) if lens.dim() == 1 else lens

    return (
        mistakes.IGNORES_1D_LENGTHS.row(
            _with_lengths(weighing, lambda lens, scores: all_keys(lens, scores) if lens.dim() == 1 else lens)
        ),
        mistakes.IGNORES_2D_LENGTHS.row(
            _with_lengths(weighing, lambda lens, scores: all_keys(lens, scores) if lens.dim() == 2 else lens),
            _with_lengths(weighing, lambda lens, scores: lens[:, 0] if lens.dim() == 2 else lens),
        ),
        mistakes.LENGTHS_ON_THE_WRONG_AXIS.row(_with_lengths(weighing, repeated_on_the_wrong_axis)),
    )
