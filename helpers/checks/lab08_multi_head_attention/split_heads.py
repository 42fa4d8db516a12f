"""`split_heads`: what a right answer does, and the mistakes that people make."""

import re
from collections.abc import Callable, Iterator

import torch

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import (
    GRADIENT,
    after_another_call,
    at_any_size,
    changed_arguments,
    equals,
    gradient,
    has_shape,
    leaves_arguments_alone,
    output,
    right_gradient,
)
from helpers.checks.lab08_multi_head_attention.shared import (
    LARGE_SPLITS,
    SPLITS,
    is_as_wanted,
    moved_gradients,
    only_arguments,
    split,
)
from helpers.checks.spoiling import cutting, overwriting, remembering, stopping_at_64


def _to_split(dtype: torch.dtype = torch.float32) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for batch, heads, length, width in SPLITS:
            x = draw.normal(batch, length, heads * width).to(dtype)
            yield Case((x, heads), split(x, heads))

    return cases


def _large(draw: Draw) -> Iterator[Case]:
    for batch, heads, length, width in LARGE_SPLITS:
        x = draw.normal(batch, length, heads * width)
        yield Case((x, heads), split(x, heads))


def _indivisible(draw: Draw) -> Iterator[Case]:
    for dim, heads in ((3, 2), (4, 3), (2, 4), (6, 4)):
        yield Case((draw.normal(2, 4, dim), heads), _REFUSED)


_REFUSED = "a ValueError that names `num_heads`"


def _refusal(answer: Callable, args: tuple) -> str:
    """Observe in words how an answer refuses its arguments."""
    try:
        result = answer(*args)
    except ValueError as error:
        named = re.search(r"\b(num_heads|x)\b", str(error))
        return _REFUSED if named else "it raised a ValueError whose message doesn't name `num_heads`"
    except NotImplementedError:
        raise  # the answer is blank
    except Exception as error:
        return f"it raised {type(error).__name__}, not ValueError"
    return "it gave None" if result is None else "no error was raised"


def _splitting(right: Callable, check: bool = True) -> Callable:
    """A split with a mistake, which still refuses widths that can't be shared out."""

    def split(x, num_heads):
        if check and x.shape[2] % num_heads:
            raise ValueError("num_heads must divide the width of x")
        return right(x, num_heads, x.shape[2] // num_heads)

    return split


_right_split = _splitting(lambda x, h, w: x.reshape(*x.shape[:2], h, w).transpose(1, 2))


EXERCISE = Exercise(
    name="split_heads",
    arguments=("x", "num_heads"),
    properties=(
        Property("has an axis for the heads: (batch, heads, length, d / heads)", _to_split(), output, has_shape),
        Property("head h gets the columns from h · d/heads on, of every position", _to_split(), output, equals),
        Property(
            "refuses a width that the heads can't share evenly, with a ValueError",
            _indivisible,
            _refusal,
            is_as_wanted,
            suggests="uneven-heads",
        ),
        Property(
            "each call is answered for itself",
            _to_split(),
            after_another_call(output),
            equals,
            suggests="answers-from-memory",
        ),
        at_any_size(_large),
        Property(
            "leaves its arguments as they were",
            only_arguments(_to_split(), "x"),
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property("its gradient is right", moved_gradients(_to_split, split), gradient, right_gradient, shows=GRADIENT),
        Property("keeps the type: float64 works", _to_split(torch.float64), output, equals, suggests="type-changed"),
    ),
    misconceptions=(
        mistakes.HEADS_MIXED.explained(
            "The shape is right and the numbers are in the wrong places: `view` and `reshape` read the same memory in "
            "the same order, so the first head gets the first *positions*, cut into pieces. Cut the last axis alone; "
            "then let heads and positions change places.",
            _splitting(lambda x, h, w: x.reshape(len(x), h, x.shape[1], w)),
            _splitting(lambda x, h, w: x.mT.reshape(len(x), h, x.shape[1], w)),
            _splitting(lambda x, h, w: x.reshape(len(x), x.shape[1], w, h).reshape(len(x), h, -1, w)),
        ),
        Misconception(
            "heads-not-moved",
            "the heads' axis comes after the positions'",
            "The columns are cut, and the axes stand as (batch, length, heads, d / heads). Each head is to have a "
            "sequence of its own, so its axis comes before the length.",
            (_splitting(lambda x, h, w: x.reshape(*x.shape[:2], h, w)),),
        ),
        Misconception(
            "wrong-axes-swapped",
            "the wrong axes have changed places",
            "After the cut there are four axes: 0 is the batch, 1 the length, 2 the heads, 3 the columns of a head. "
            "Which two change places?",
            (
                _splitting(lambda x, h, w: x.reshape(*x.shape[:2], h, w).transpose(1, 3)),
                _splitting(lambda x, h, w: x.reshape(*x.shape[:2], h, w).transpose(2, 3)),
                _splitting(lambda x, h, w: x.reshape(*x.shape[:2], h, w).permute(0, 2, 3, 1)),
                _splitting(lambda x, h, w: x.reshape(*x.shape[:2], h, w).permute(2, 0, 1, 3)),
            ),
        ),
        mistakes.COLUMNS_DEALT_OUT.explained(
            "A head's columns lie side by side: with 4 columns and 2 heads the first head gets the columns 0 and 1. "
            "Yours gets 0 and 2.",
            _splitting(lambda x, h, w: x.reshape(*x.shape[:2], w, h).permute(0, 3, 1, 2)),
        ),
        Misconception(
            "heads-taken-for-width",
            "`num_heads` is taken for the width of a head",
            "With 6 columns and 2 heads, each head is 3 wide. Yours makes heads that are 2 wide.",
            (_splitting(lambda x, h, w: x.reshape(*x.shape[:2], w, h).transpose(1, 2)),),
        ),
        mistakes.HEADS_IN_THE_BATCH.explained(
            "Much code does that: (batch · heads, length, d / heads). Here the heads have an axis of their own, the "
            "second.",
            _splitting(lambda x, h, w: split(x, h).flatten(0, 1)),
            _splitting(lambda x, h, w: split(x, h).transpose(0, 1).flatten(0, 1)),
        ),
        mistakes.NOT_A_TENSOR.explained(
            "`chunk` and `split` give a tuple of tensors. What is asked for is *one*, with an axis for the heads.",
            _splitting(lambda x, h, w: x.chunk(h, dim=-1)),
            _splitting(lambda x, h, w: list(x.chunk(h, dim=-1))),
        ),
        mistakes.HEADS_REVERSED.explained(
            "Head 0 gets the first columns, the last head the last ones.",
            _splitting(lambda x, h, w: split(x, h).flip(1)),
        ),
        mistakes.ONE_SEQUENCE_FOR_ALL.row(
            _splitting(lambda x, h, w: split(x, h)[:1].expand(len(x), -1, -1, -1)), sequence="sequence", what="numbers"
        ),
        Misconception(
            "uneven-heads",
            "a width that the heads can't share evenly isn't refused as it should be",
            "Five columns, say, can't be shared evenly by two heads. A caller who asks for that has made a mistake, "
            "and is best told at once: with a `ValueError` whose message names `num_heads`. (An `assert` raises "
            "another error, and one that PyTorch raises further down speaks of something else.)",
            (
                _splitting(lambda x, h, w: split(x, h), check=False),
                _splitting(lambda x, h, w: x.reshape(*x.shape[:2], h, w).transpose(1, 2), check=False),
                _splitting(lambda x, h, w: torch.stack(x.chunk(h, dim=-1), dim=1), check=False),
            ),
        ),
        mistakes.WRITES_INTO_ARGUMENTS.row(overwriting(0)(_right_split), arguments="numbers"),
        mistakes.DETACHED_GRADIENT.row(cutting(0)(_right_split), inputs="x"),
        mistakes.TYPE_CHANGED.row(_splitting(lambda x, h, w: split(x, h).float()), dtype="float64"),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(_right_split)),
        mistakes.SMALL_SIZES_ONLY.row(stopping_at_64(_right_split)),
        mistakes.nothing_returned(),
    ),
)
