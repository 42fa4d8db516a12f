"""`attend_in_blocks`: what a right answer does, and the mistakes that people make."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.forbidden import own_work, uses
from helpers.checks.judging import (
    GRADIENT,
    after_another_call,
    at_any_size,
    changed_arguments,
    clones,
    equals,
    gradients,
    has_shape,
    leaves_arguments_alone,
    output,
    right_gradient,
)
from helpers.checks.lab10_long_contexts.shared import in_half_precision, only_arguments, scaled, wrong_scales
from helpers.checks.noting import NotingStep
from helpers.checks.spoiling import cutting, overwriting, remembering, stopping_at_64


def _oracle(queries: Tensor, keys: Tensor, values: Tensor, block_size: int) -> Tensor:
    """All keys at once, query by query, in float64; differentiable."""
    rows = []
    for b in range(len(queries)):
        for query in queries[b].double():
            scores = keys[b].double() @ query / math.sqrt(len(query))
            exps = (scores - scores.detach().max()).exp()
            rows.append(exps / exps.sum() @ values[b].double())
    return torch.stack(rows).reshape(*queries.shape[:2], -1).to(queries.dtype)


def _blocks_of(batch: int, num_queries: int, num_keys: int, block_size: int) -> list[list[int]]:
    """What `step` should note: a row for each block."""
    sizes = [min(block_size, num_keys - first) for first in range(0, num_keys, block_size)]
    return [[batch, num_queries, size, size] for size in sizes]


def _case(draw: Draw, sizes: tuple[int, ...], block_size: int, dtype: torch.dtype = torch.float32) -> Case:
    """Sizes are (batch, query, key, d, v)."""
    batch, num_queries, num_keys, dim, width = sizes
    shapes = ((batch, num_queries, dim), (batch, num_keys, dim), (batch, num_keys, width))
    args = (*(draw.normal(*shape, scale=1.5).to(dtype) for shape in shapes), block_size)
    return Case(args, _oracle(*args))


def _cases(*several: tuple[tuple, int], dtype: torch.dtype = torch.float32) -> Callable[[Draw], Iterator[Case]]:
    return lambda draw: (_case(draw, sizes, block_size, dtype) for sizes, block_size in several)


_ONE_BLOCK = (((1, 1, 2, 2, 1), 2), ((1, 2, 3, 4, 2), 3), ((2, 3, 2, 2, 2), 5))
_EVEN = (((1, 1, 2, 2, 1), 1), ((1, 2, 4, 3, 2), 2), ((2, 2, 6, 2, 3), 2), ((3, 3, 6, 3, 3), 3))
_WITH_A_REST = (((1, 1, 3, 2, 2), 2), ((1, 2, 5, 4, 2), 3), ((2, 3, 7, 2, 3), 2), ((2, 4, 5, 3, 1), 4))
_ALL = (*_ONE_BLOCK[:2], *_EVEN, *_WITH_A_REST)


def _called(draw: Draw) -> Iterator[Case]:
    for sizes, block_size in _ALL:
        yield Case(_case(draw, sizes, block_size).args, _blocks_of(*sizes[:3], block_size))


def _with_a_step(observe: Callable) -> Callable[[Callable, tuple], Any]:
    """An observer of answers that take four arguments, for those that take a step as well."""
    return lambda answer, args: observe(lambda *given: answer(*given, NotingStep()), args)


def _notes(answer: Callable, args: tuple) -> list[list[int]]:
    """Observe what `step` was called with."""
    step = NotingStep()
    answer(*args, step)
    return step.notes.tolist()


def _were_the_blocks(got: list[list[int]], want: list[list[int]]) -> str | None:
    if got == want:
        return None
    if not got:
        return "`step` was never called"
    if len(got) != len(want):
        times = "once" if len(got) == 1 else f"{len(got)} times"
        return f"`step` was called {times}, and there are {len(want)} blocks"
    number, (mine, wanted) = next(each for each in enumerate(zip(got, want, strict=True)) if each[1][0] != each[1][1])
    return f"block {number} came with scores of shape {tuple(mine[:3])}, and should have had {tuple(wanted[:3])}"


def _gradients(draw: Draw) -> Iterator[Case]:
    for sizes, block_size in (_EVEN[1], _WITH_A_REST[1], _WITH_A_REST[2]):
        case = _case(draw, sizes, block_size)
        yield Case(case.args, gradients(3)(_oracle, clones(case.args)))


def _half(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float16, torch.bfloat16):
        yield from _cases(_EVEN[1], _WITH_A_REST[1], dtype=dtype)(draw)


def _forbidden(answer: Callable, args: tuple) -> tuple[str, ...]:
    answer(*args, NotingStep())
    return uses(answer)


def _in_blocks(
    starts: Callable = lambda count, size: range(0, count, size),
    end: Callable = lambda first, size: first + size,
    score: Callable = scaled,
    carry: Callable = lambda state: state,
    of_values: Callable = lambda values, first, last: values[:, first:last],
    change: Callable = lambda scores: scores,
    result: Callable = lambda state: state[2],
) -> Callable:
    """Attention in blocks out of parts, of which one has a mistake."""

    def attend(queries: Tensor, keys: Tensor, values: Tensor, block_size: int, step: Callable) -> Any:
        state = None
        for first in starts(keys.shape[1], block_size):
            last = end(first, block_size)
            scores = change(score(queries, keys[:, first:last]))
            state = step(carry(state), scores, of_values(values, first, last))
        return result(state)

    return attend


_right = _in_blocks()


def _at_once(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return scaled(queries, keys).softmax(-1) @ values


def _blocks_by_themselves(mix: Callable) -> Callable:
    """Every block with a softmax of its own; `mix` says what is made of their outputs."""

    def attend(queries: Tensor, keys: Tensor, values: Tensor, block_size: int, step: Callable) -> Tensor:
        firsts = range(0, keys.shape[1], block_size)
        blocks = [(keys[:, first : first + block_size], values[:, first : first + block_size]) for first in firsts]
        return mix([step(None, scaled(queries, some), of_them)[2] for some, of_them in blocks])

    return attend


def _sequence_by_sequence(queries: Tensor, keys: Tensor, values: Tensor, block_size: int, step: Callable) -> Tensor:
    each = range(len(queries))
    return torch.cat([_right(queries[b : b + 1], keys[b : b + 1], values[b : b + 1], block_size, step) for b in each])


def _query_by_query(queries: Tensor, keys: Tensor, values: Tensor, block_size: int, step: Callable) -> Tensor:
    each = range(queries.shape[1])
    return torch.cat([_right(queries[:, q : q + 1], keys, values, block_size, step) for q in each], dim=1)


def _blocks_of_queries(queries: Tensor, keys: Tensor, values: Tensor, block_size: int, step: Callable) -> Tensor:
    pieces = queries.split(block_size, dim=1)
    return torch.cat([step(None, scaled(piece, keys), values)[2] for piece in pieces], dim=1)


def _by_name(queries: Tensor, keys: Tensor, values: Tensor, block_size: int, step: Callable) -> Tensor:
    return _in_blocks()(
        queries, keys, values, block_size, lambda state, scores, some: step(state, scores=scores, values=some)
    )


def _in_another_order(queries: Tensor, keys: Tensor, values: Tensor, block_size: int, step: Callable) -> Tensor:
    return _right(queries, keys, values, block_size, lambda state, scores, some: step(scores, some, state))


def _as_many_blocks(queries: Tensor, keys: Tensor, values: Tensor, block_size: int, step: Callable) -> Tensor:
    """The number of blocks is taken for their size."""
    size = math.ceil(keys.shape[1] / block_size)
    return _right(queries, keys, values, size, step)


EXERCISE = Exercise(
    name="attend_in_blocks",
    arguments=("queries", "keys", "values", "block_size"),
    properties=(
        Property("gives each query a vector: (batch, query, v)", _cases(*_ALL), _with_a_step(output), has_shape),
        Property("a single block is scaled dot-product attention", _cases(*_ONE_BLOCK), _with_a_step(output), equals),
        Property(
            "calls `step` once a block, in order, with the scores of `block_size` keys, of all queries and sequences",
            _called,
            _notes,
            _were_the_blocks,
            suggests="step-not-called-as-asked",
        ),
        Property("several blocks give what attention to all keys gives", _cases(*_EVEN), _with_a_step(output), equals),
        Property("the last block may be shorter", _cases(*_WITH_A_REST), _with_a_step(output), equals),
        Property(
            "each call is answered for itself",
            _cases(*_EVEN, *_WITH_A_REST),
            _with_a_step(after_another_call(output)),
            equals,
            suggests="answers-from-memory",
        ),
        at_any_size(
            _cases(((1, 2, 131, 2, 2), 67), ((1, 71, 3, 3, 2), 2), ((67, 1, 2, 2, 1), 1), ((1, 2, 67, 67, 67), 5)),
            _with_a_step(output),
        ),
        Property(
            "leaves its arguments as they were",
            only_arguments(_cases(*_ALL), "queries", "keys", "values"),
            _with_a_step(changed_arguments),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property("its gradients are right", _gradients, _with_a_step(gradients(3)), right_gradient, shows=GRADIENT),
        Property(
            "keeps the type: float64 works",
            _cases(_EVEN[1], _WITH_A_REST[1], dtype=torch.float64),
            _with_a_step(output),
            equals,
            suggests="type-changed",
        ),
        Property(
            "works in half precision: float16 and bfloat16",
            _half,
            _with_a_step(output),
            in_half_precision,
            suggests="type-changed",
        ),
        own_work(_cases(*_ALL), _forbidden),
    ),
    misconceptions=(
        Misconception(
            "last-block-dropped",
            "the last keys are left out",
            "Five keys in blocks of two are *three* blocks, the last with a single key. Yours stops before it.",
            (
                _in_blocks(lambda count, size: range(0, count - size + 1, size)),
                _in_blocks(lambda count, size: range(0, count // size * size, size)),
                _in_blocks(lambda count, size: range(0, count - 1, size)),
                _in_blocks(lambda count, size: range(0, count - size, size)),
            ),
        ),
        Misconception(
            "first-block-only",
            "only one block is attended to",
            "The loop ends after its first round, or only its last round counts.",
            (
                _in_blocks(lambda count, size: range(0, 1)),
                _in_blocks(lambda count, size: list(range(0, count, size))[-1:]),
            ),
        ),
        Misconception(
            "blocks-normalised-by-themselves",
            "each block is normalised by itself",
            "Every block starts from None in yours, so each has a softmax of its own, whose weights sum to 1. Hand "
            "each step what the step before returned: that is what brings the blocks onto one scale.",
            (
                _in_blocks(carry=lambda state: None),
                _blocks_by_themselves(lambda outputs: sum(outputs) / len(outputs)),
                _blocks_by_themselves(sum),
                _in_blocks(change=lambda scores: scores.softmax(-1)),
            ),
        ),
        Misconception(
            "whole-matrix-in-one-step",
            "all scores are handed over in one step",
            "The result is right, and nothing is saved: the whole matrix of scores is there at once. A block has "
            "`block_size` keys.",
            (
                lambda queries, keys, values, block_size, step: step(None, scaled(queries, keys), values)[2],
                _blocks_of_queries,
            ),
        ),
        Misconception(
            "step-not-used",
            "`step` isn't used",
            "The sums are `step`'s business. Yours comes to its result without it, so it isn't the caller's step that "
            "does the work.",
            (
                lambda queries, keys, values, block_size, step: _at_once(queries, keys, values),
                lambda queries, keys, values, block_size, step: _right(queries, keys, values, block_size, NotingStep()),
            ),
        ),
        Misconception(
            "blocks-of-another-size",
            "the blocks have a key too many or too few",
            "A block has `block_size` keys, from `first` up to, but not including, `first + block_size`; and the next "
            "one begins there.",
            (
                _in_blocks(lambda count, size: range(0, count, size + 1), lambda first, size: first + size + 1),
                _in_blocks(end=lambda first, size: first + size + 1),
                _in_blocks(
                    lambda count, size: range(0, count, max(size - 1, 1)), lambda first, size: first + max(size - 1, 1)
                ),
                _in_blocks(end=lambda first, size: first + max(size - 1, 1)),
                _as_many_blocks,
            ),
        ),
        Misconception(
            "blocks-in-reverse",
            "the blocks come in another order",
            "The result is the same, but the text asks for the keys' order: the first keys first. (In a model that "
            "writes, later keys aren't there yet.)",
            (_in_blocks(lambda count, size: list(range(0, count, size))[::-1]),),
        ),
        Misconception(
            "one-sequence-at-a-time",
            "`step` is called for each sequence or each query by itself",
            "A step takes the scores (batch, query, k) of *all* sequences and queries at once. The loop goes over the "
            "blocks alone.",
            (_sequence_by_sequence, _query_by_query),
        ),
        Misconception(
            "values-of-other-keys",
            "the values don't belong to the block's keys",
            "With the keys `first … last` of a block go the values `first … last`, and no others.",
            (
                _in_blocks(of_values=lambda values, first, last: values[:, : min(last, values.shape[1]) - first]),
                _in_blocks(of_values=lambda values, first, last: values),
                _in_blocks(of_values=lambda values, first, last: values[:, first:last].flip(1)),
            ),
        ),
        Misconception(
            "step-called-by-name",
            "`step` is called by the names of its arguments",
            "What the caller hands over may call its arguments otherwise than your own function does. Call it by "
            "position: `step(state, scores, values)`.",
            (_by_name,),
        ),
        Misconception(
            "arguments-of-step-exchanged",
            "`step` gets its arguments in another order",
            "First the state, then the scores, then the values.",
            (
                _in_another_order,
                lambda queries, keys, values, block_size, step: _right(
                    queries, keys, values, block_size, lambda state, scores, some: step(state, some, scores)
                ),
            ),
        ),
        Misconception(
            "keys-for-scores",
            "`step` gets no scores",
            "A step takes scores, (batch, query, k): queries multiplied with the block's keys.",
            (
                lambda queries, keys, values, block_size, step: _in_blocks(score=lambda queries, keys: keys)(
                    queries, keys, values, block_size, step
                ),
                _in_blocks(score=lambda queries, keys: scaled(queries, keys).mT),
            ),
        ),
        Misconception(
            "state-for-the-output",
            "the state comes back, or the wrong part of it",
            "The state is (maximum, total, output). What is asked for is the output of the last step.",
            (
                _in_blocks(result=lambda state: state),
                _in_blocks(result=lambda state: state[1]),
                _in_blocks(result=lambda state: state[0]),
            ),
        ),
        Misconception(
            "divided-once-more",
            "the output is divided, or multiplied, by the total once more",
            "The output of a step is a mean already.",
            (
                _in_blocks(result=lambda state: state[2] / state[1]),
                _in_blocks(result=lambda state: state[2] * state[1]),
            ),
        ),
        *wrong_scales(_in_blocks),
        Misconception(
            "step-not-called-as-asked",
            "`step` isn't called as it should be",
            "It is called once for each block, in the keys' order, with the scores of all queries for the block's "
            "keys.",
            (_in_blocks(lambda count, size: [0, *range(0, count, size)]),),
        ),
        mistakes.WRITES_INTO_ARGUMENTS.row(*(overwriting(i)(_right) for i in range(3)), arguments="tensors"),
        mistakes.DETACHED_GRADIENT.row(
            *(cutting(*places)(_right) for places in ((0,), (1,), (2,), (0, 1, 2))), inputs="all three tensors"
        ),
        mistakes.TYPE_CHANGED.row(
            lambda queries, keys, values, block_size, step: _right(queries, keys, values, block_size, step).float(),
            lambda queries, keys, values, block_size, step: _right(
                queries.float(), keys.float(), values.float(), block_size, step
            ),
            lambda queries, keys, values, block_size, step: _right(queries, keys, values, block_size, step).double(),
            dtype="float64",
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(_right)),
        mistakes.SMALL_SIZES_ONLY.row(
            stopping_at_64(_right),
            lambda queries, keys, values, block_size, step: _right(
                queries, keys[:, :64], values[:, :64], block_size, step
            ),
        ),
        mistakes.FORBIDDEN_CALL.row(),
        mistakes.nothing_returned(),
    ),
)
