"""`merge_heads`: what a right answer does, and the mistakes that people make."""

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
    merge,
    moved_gradients,
    only_arguments,
)
from helpers.checks.spoiling import cutting, overwriting, remembering, stopping_at_64


def _to_merge(dtype: torch.dtype = torch.float32) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for sizes in SPLITS:
            x = draw.normal(*sizes).to(dtype)
            yield Case((x,), merge(x))

    return cases


def _large(draw: Draw) -> Iterator[Case]:
    for sizes in LARGE_SPLITS:
        x = draw.normal(*sizes)
        yield Case((x,), merge(x))


def _as_split_leaves_them(draw: Draw) -> Iterator[Case]:
    """Heads that lie in memory as a split by transposing leaves them, and in yet another way."""
    for batch, heads, length, width in SPLITS[3:]:
        for x in (
            draw.normal(batch, length, heads, width).transpose(1, 2),
            draw.normal(batch, heads, width, length).mT,
        ):
            yield Case((x,), merge(x))


EXERCISE = Exercise(
    name="merge_heads",
    arguments=("x",),
    properties=(
        Property("has one axis for all columns: (batch, length, d)", _to_merge(), output, has_shape),
        Property("puts the heads' columns side by side, at every position", _to_merge(), output, equals),
        Property("works however the heads lie in memory", _as_split_leaves_them, output, equals),
        Property(
            "each call is answered for itself",
            _to_merge(),
            after_another_call(output),
            equals,
            suggests="answers-from-memory",
        ),
        at_any_size(_large),
        Property(
            "leaves its argument as it was",
            only_arguments(_to_merge(), "x"),
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property("its gradient is right", moved_gradients(_to_merge, merge), gradient, right_gradient, shows=GRADIENT),
        Property("keeps the type: float64 works", _to_merge(torch.float64), output, equals, suggests="type-changed"),
    ),
    misconceptions=(
        mistakes.HEADS_MIXED.explained(
            "The shape is right and the numbers are in the wrong places: `view` and `reshape` read memory in its "
            "order, and there one *head* follows another. What stood in one position has to lie side by side first.",
            lambda x: x.reshape(x.shape[0], x.shape[2], -1),
            lambda x: x.mT.reshape(x.shape[0], x.shape[2], -1),
            lambda x: x.transpose(1, 3).reshape(x.shape[0], x.shape[2], -1),
        ),
        Misconception(
            "view-of-a-transpose",
            "`view` can't read what has been transposed",
            "A transpose moves no number, it only reads them in another order; `view` needs them to *lie* in order. "
            "`reshape` and `flatten` copy them if need be, and so does `.contiguous()` before a `view`. (After a "
            "split by transposing, a transpose restores the order, and `view` happens to work.)",
            (
                lambda x: x.transpose(1, 2).view(x.shape[0], x.shape[2], -1),
                lambda x: x.view(x.shape[0], x.shape[2], -1),
            ),
        ),
        Misconception(
            "columns-interleaved",
            "the heads' columns come in turns",
            "A head's columns lie side by side: first all those of head 0, then all those of head 1. Yours takes one "
            "of each in turn.",
            (lambda x: x.permute(0, 2, 3, 1).flatten(2),),
        ),
        Misconception(
            "heads-one-after-another",
            "the heads are put one after the other, not side by side",
            "The length stays as it was, and the *columns* grow in number: (batch, length, d).",
            (
                lambda x: x.flatten(1, 2),
                lambda x: x.transpose(1, 2).flatten(1, 2),
                lambda x: x.transpose(1, 2).reshape(x.shape[0], x.shape[1], -1),
            ),
        ),
        Misconception(
            "heads-blended",
            "the heads are added up, or averaged",
            "Each head has found something of its own, and keeps it: the columns are put side by side, and W_o may "
            "mix them later.",
            (lambda x: x.sum(1), lambda x: x.mean(1), lambda x: x[:, 0]),
        ),
        Misconception(
            "heads-not-joined",
            "the heads keep an axis of their own",
            "The axes have changed places, and there are still four. The last two become one.",
            (lambda x: x.transpose(1, 2),),
        ),
        mistakes.HEADS_REVERSED.explained(
            "The first columns are those of head 0, the last ones those of the last head.", lambda x: merge(x.flip(1))
        ),
        mistakes.ONE_SEQUENCE_FOR_ALL.row(
            lambda x: merge(x)[:1].expand(len(x), -1, -1), sequence="sequence", what="numbers"
        ),
        mistakes.WRITES_INTO_ARGUMENTS.row(overwriting(0)(merge), arguments="numbers"),
        mistakes.DETACHED_GRADIENT.row(cutting(0)(merge), inputs="x"),
        mistakes.TYPE_CHANGED.row(lambda x: merge(x).float(), dtype="float64"),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(merge)),
        mistakes.SMALL_SIZES_ONLY.row(stopping_at_64(merge)),
        mistakes.nothing_returned(),
    ),
)
