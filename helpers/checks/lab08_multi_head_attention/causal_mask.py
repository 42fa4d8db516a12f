"""`causal_mask`: what a right answer does, and the mistakes that people make."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import at_any_size, equals, has_shape, output
from helpers.checks.spoiling import remembering, stopping_at_64


def _masks_of(*lengths: int) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for length in lengths:
            yield Case((length,), torch.tensor([[key <= query for key in range(length)] for query in range(length)]))

    return cases


def _after_a_longer_one(answer: Callable, args: tuple) -> Any:
    """Observe a mask after another one has been asked for. That one is left alone: an answer may keep it."""
    answer(args[0] + 1)
    return output(answer, args)


def _ones(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool)


def _additive_mask(length: int) -> Tensor:
    return torch.zeros(length, length).masked_fill(~_ones(length).tril(), -torch.inf)


EXERCISE = Exercise(
    name="causal_mask",
    arguments=("length",),
    properties=(
        Property(
            "has a row for each query and a column for each key: (length, length)",
            _masks_of(2, 1, 4),
            output,
            has_shape,
        ),
        Property(
            "query q may attend to the keys 0 … q (True), and to none after it (False)",
            _masks_of(1, 2, 3, 5, 8),
            output,
            equals,
        ),
        Property(
            "each call is answered for itself",
            _masks_of(3, 2, 4),
            _after_a_longer_one,
            equals,
            suggests="answers-from-memory",
        ),
        at_any_size(_masks_of(67, 131)),
    ),
    misconceptions=(
        mistakes.INVERTED_MASK.explained(
            "True means *may attend*. Yours is True where a key lies in the future, which is what "
            "`nn.MultiheadAttention` wants; the course and `F.scaled_dot_product_attention` have it the other way.",
            lambda length: _ones(length).triu(1),
        ),
        Misconception(
            "diagonal-masked",
            "no query may attend to its own position",
            "A query sees the keys before it *and its own*. With the diagonal masked as well, the first query has no "
            "key at all.",
            (lambda length: _ones(length).tril(-1),),
        ),
        Misconception(
            "upper-triangle",
            "it is the upper triangle",
            "Rows are queries, columns are keys. Query 0 is the first row and may see one key only; yours sees all of "
            "them, and the last query sees only itself.",
            (lambda length: _ones(length).triu(),),
        ),
        Misconception(
            "itself-only",
            "each query may attend to itself only",
            "A query sees its own position *and* those before it. With the diagonal alone no word hears of any other.",
            (lambda length: torch.eye(length, dtype=torch.bool),),
        ),
        mistakes.ONE_STEP_AHEAD.explained(
            "Query q sees the keys 0 … q. Yours sees q + 1 too, which is the very one that is to be predicted.",
            *(lambda length: _ones(length).tril(1),),
        ),
        Misconception(
            "nothing-masked",
            "nothing is masked",
            "Every query may attend to every key, those after it included.",
            (_ones,),
        ),
        mistakes.NOT_BOOLEAN.explained(
            "In the course a mask says True or False. Ones and zeros, or 0 and −∞ to be added to scores, are another "
            "kind of mask: `~` and `masked_fill` do something else with them, or fail.",
            lambda length: _ones(length).tril().float(),
            lambda length: _ones(length).tril().long(),
            lambda length: _ones(length).tril().int(),
            lambda length: _ones(length).triu(1).float(),
            _additive_mask,
        ),
        mistakes.AXIS_LEFT_OVER.explained(
            "What is asked for is (length, length). With a batch and heads it is broadcast.",
            lambda length: _ones(length).tril()[None],
            lambda length: _ones(length).tril()[None, None],
        ),
        Misconception(
            "one-row",
            "there is a single row",
            "Each query has a row of its own: (length, length).",
            (lambda length: _ones(length)[0],),
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(lambda length: _ones(length).tril())),
        mistakes.SMALL_SIZES_ONLY.row(
            stopping_at_64(lambda length: _ones(length).tril()), lambda length: _ones(length).tril().triu(-64)
        ),
        mistakes.nothing_returned(),
    ),
)
