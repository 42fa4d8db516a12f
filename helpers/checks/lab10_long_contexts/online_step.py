"""`online_step`: what a right answer does."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from helpers.checks.engine import Case, Draw, Exercise, Property
from helpers.checks.forbidden import own_work, uses
from helpers.checks.judging import (
    GRADIENT,
    at_any_size,
    changed_arguments,
    detached,
    equals,
    have_shapes,
    leaves_arguments_alone,
    right_gradient,
    tensors,
    turned_round,
    weighted_sum,
)
from helpers.checks.lab10_long_contexts.online_step_mistakes import MISTAKES
from helpers.checks.lab10_long_contexts.shared import in_half_precision, only_arguments

# A case's arguments are all scores (B, Q, K), all values (B, K, v) and the sizes of the blocks that they come in.
_ARGUMENTS = ("scores", "values", "blocks")
_MAXIMUM, _TOTAL, _OUTPUT = range(3)


def _after_all(scores: Tensor, values: Tensor) -> tuple[Tensor, ...]:
    """The oracle: all blocks at once, query by query, in float64; the output is differentiable."""
    maxima, totals, outputs = [], [], []
    for row_scores, row_values in zip(scores.double(), values.double(), strict=True):
        for row in row_scores:
            seen = row > -torch.inf
            maximum = row.detach().max()
            exps = (row[seen] - maximum).exp()
            maxima.append(maximum)
            totals.append(exps.sum())
            outputs.append(exps @ row_values[seen] / exps.sum() if seen.any() else 0.0 * row_values.sum(0))
    return tuple(
        torch.stack(found).reshape(*scores.shape[:2], -1).to(scores.dtype) for found in (maxima, totals, outputs)
    )


def _blocks(scores: Tensor, values: Tensor, sizes: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
    ends = [sum(sizes[:count]) for count in range(len(sizes) + 1)]
    for first, last in pairwise(ends):
        yield scores[:, :, first:last].clone(), values[:, first:last].clone()


def _fed(answer: Callable, args: tuple) -> tuple[Tensor, ...]:
    """The state after all blocks: each step is handed what the step before returned."""
    state = None
    for block in _blocks(*args):
        state = tensors(answer(state, *block), 3)
    assert state is not None
    return state


def _part(index: int) -> Callable[[Callable, tuple], Tensor]:
    return lambda answer, args: _fed(answer, args)[index].detach()


def _whole_state(answer: Callable, args: tuple) -> tuple[Tensor, ...]:
    return detached(_fed(answer, args))


def _is_the_state(got: tuple[Tensor, ...], want: tuple[Tensor, ...]) -> str | None:
    return _each(got, want, equals)


def _is_the_state_in_half(got: tuple[Tensor, ...], want: tuple[Tensor, ...]) -> str | None:
    return _each(got, want, in_half_precision)


def _each(got: tuple[Tensor, ...], want: tuple[Tensor, ...], judge: Callable) -> str | None:
    for name, mine, wanted in zip(("maximum", "total", "output"), got, want, strict=True):
        problem = judge(mine, wanted)
        if problem is not None:
            return f"{name}: {problem}"
    return None


def _shapes(answer: Callable, args: tuple) -> tuple:
    return tuple(tuple(tensor.shape) for tensor in _fed(answer, args))


def _case(draw: Draw, sizes: tuple[int, int, int], blocks: Sequence[int], change: Callable | None = None) -> Case:
    """Sizes are (batch, query, v). What is wanted is the whole state; `change` makes other scores."""
    batch, num_queries, width = sizes
    scores = draw.normal(batch, num_queries, sum(blocks))
    values = draw.normal(batch, sum(blocks), width)
    if change is not None:
        scores = change(scores)
    return Case((scores, values, tuple(blocks)), _after_all(scores, values))


def _cases(*several: tuple[tuple, tuple], change: Callable | None = None) -> Callable[[Draw], Iterator[Case]]:
    return lambda draw: (_case(draw, sizes, blocks, change) for sizes, blocks in several)


def _wanting(want: Callable, cases: Callable[[Draw], Iterator[Case]]) -> Callable[[Draw], Iterator[Case]]:
    return lambda draw: (Case(case.args, want(case.want)) for case in cases(draw))


def _only(index: int, cases: Callable[[Draw], Iterator[Case]]) -> Callable[[Draw], Iterator[Case]]:
    return _wanting(lambda state: state[index], cases)


_FIRST = _cases(((1, 1, 1), (2,)), ((1, 2, 2), (3,)), ((2, 3, 2), (4,)), ((2, 2, 2), (2,)), ((3, 1, 2), (1,)))
_SEVERAL = _cases(
    ((1, 1, 1), (2, 2)),
    ((1, 1, 2), (1, 1, 1)),
    ((1, 2, 2), (2, 3)),
    ((2, 2, 2), (2, 2)),
    ((2, 3, 2), (3, 1, 2)),
    ((3, 2, 4), (2, 2, 2, 1)),
)


def _rising(scores: Tensor) -> Tensor:
    """Each key scores more than all before it."""
    return scores.sort(dim=-1).values


def _falling(scores: Tensor) -> Tensor:
    return scores.sort(dim=-1, descending=True).values


def _both_ways(draw: Draw) -> Iterator[Case]:
    """The largest score comes with the last block, or with the first one."""
    for change in (_rising, _falling):
        yield from _cases(((1, 1, 1), (1, 1)), ((1, 2, 2), (2, 2)), ((2, 2, 3), (2, 3, 1)), change=change)(draw)


def _large_scores(draw: Draw) -> Iterator[Case]:
    for size in (1000.0, -1000.0):
        yield from _cases(((1, 1, 1), (2,)), ((1, 2, 2), (2, 2)), ((2, 2, 2), (1, 3)), change=lambda s, b=size: s + b)(
            draw
        )
    # A far larger score comes later.
    yield _case(draw, (1, 2, 2), (2, 2), lambda scores: scores + torch.tensor([0.0, 0.0, 500.0, 500.0]))


def _masking(*keys: int) -> Callable[[Tensor], Tensor]:
    return lambda scores: scores.index_fill(-1, torch.tensor(keys), -torch.inf)


def _some_masked(draw: Draw) -> Iterator[Case]:
    """In every block each query has a key left."""
    yield _case(draw, (1, 1, 1), (2,), _masking(1))
    yield _case(draw, (1, 2, 2), (2, 2), _masking(0, 3))
    yield _case(draw, (2, 2, 2), (3, 2), _masking(0, 1, 4))


def _blocks_masked(draw: Draw) -> Iterator[Case]:
    """A whole block is masked: a later one, the first one, one for some of the queries."""
    yield _case(draw, (1, 1, 1), (1, 1), _masking(1))
    yield _case(draw, (1, 1, 2), (2, 2), _masking(2, 3))
    yield _case(draw, (1, 2, 2), (2, 2), _masking(0, 1))
    yield _case(draw, (2, 1, 2), (1, 2, 2), _masking(0, 1, 2))

    def causal(scores: Tensor) -> Tensor:
        return scores + torch.full_like(scores, -torch.inf).triu(1)

    yield _case(draw, (2, 5, 2), (2, 2, 1), causal)


def _nothing_seen(draw: Draw) -> Iterator[Case]:
    yield _case(draw, (1, 1, 1), (1,), _masking(0))
    yield _case(draw, (1, 2, 2), (2, 1), _masking(0, 1, 2))

    def first_query(scores: Tensor) -> Tensor:
        return torch.cat([torch.full_like(scores[:, :1], -torch.inf), scores[:, 1:]], dim=1)

    yield _case(draw, (2, 2, 3), (2, 2), first_query)


def _with_a_state(cases: Callable[[Draw], Iterator[Case]]) -> Callable[[Draw], Iterator[Case]]:
    """A single step from a state that is given."""

    def of_a_step(draw: Draw) -> Iterator[Case]:
        for case in cases(draw):
            scores, values, blocks = case.args
            seen = sum(blocks[:-1])
            state = _after_all(scores[:, :, :seen], values[:, :seen])
            yield Case((*state, scores[:, :, seen:], values[:, seen:]), case.want)

    return of_a_step


_STEP = ("maximum so far", "total so far", "output so far", "scores", "values")


def _one_step(answer: Callable) -> Callable:
    return lambda maximum, total, output, scores, values: answer((maximum, total, output), scores, values)


def _state_after_a_step(answer: Callable, args: tuple) -> tuple[Tensor, ...]:
    return detached(tensors(_one_step(answer)(*args), 3))


def _arguments_changed(answer: Callable, args: tuple) -> tuple[int, ...]:
    return changed_arguments(_one_step(answer), args)


def _first_arguments_changed(answer: Callable, args: tuple) -> tuple[int, ...]:
    scores, values, _ = args
    return changed_arguments(lambda scores, values: answer(None, scores, values), (scores, values))


def _gradients(answer: Callable, args: tuple) -> Tensor | None:
    """Observe the gradients of the last output, with respect to all scores and values, joined end to end."""
    scores, values, blocks = args
    pieces = list(_blocks(scores, values, blocks))
    inputs = [piece.requires_grad_() for pair in pieces for piece in pair]
    state = None
    for pair in pieces:
        state = tensors(answer(state, *pair), 3)
    assert state is not None
    if not state[_OUTPUT].requires_grad:
        return None
    with torch.enable_grad():
        found = torch.autograd.grad(weighted_sum(state[_OUTPUT]), inputs, allow_unused=True)
    if any(gradient is None for gradient in found):
        return None
    return torch.cat([gradient.flatten() for gradient in found])


def _wanted_gradients(cases: Callable[[Draw], Iterator[Case]]) -> Callable[[Draw], Iterator[Case]]:
    def of_all(state: Any, scores: Tensor, values: Tensor) -> tuple:
        """A step that keeps all scores and values, to work everything out at the end."""
        if state is not None:
            scores, values = torch.cat([_of_all[0], scores], 2), torch.cat([_of_all[1], values], 1)
        _of_all[:] = [scores, values]
        return _after_all(scores, values)

    _of_all: list[Tensor] = []
    return lambda draw: (Case(case.args, _gradients(of_all, case.args)) for case in cases(draw))


def _in_dtype(dtype: torch.dtype, cases: Callable[[Draw], Iterator[Case]]) -> Callable[[Draw], Iterator[Case]]:
    def of_dtype(draw: Draw) -> Iterator[Case]:
        for case in cases(draw):
            scores, values, blocks = case.args[0].to(dtype), case.args[1].to(dtype), case.args[2]
            yield Case((scores, values, blocks), _after_all(scores, values))

    return of_dtype


_HALF_SIZES = _cases(((1, 1, 1), (2,)), ((1, 2, 2), (2, 2)), ((2, 2, 2), (3, 1)))


def _half(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float16, torch.bfloat16):
        yield from _in_dtype(dtype, _HALF_SIZES)(draw)


def _after_other_blocks(answer: Callable, args: tuple) -> tuple[Tensor, ...]:
    """Observe the state after all blocks, once other blocks of the same shapes have been fed in."""
    _fed(answer, turned_round(args))
    return _whole_state(answer, args)


def _forbidden(answer: Callable, args: tuple) -> tuple[str, ...]:
    _fed(answer, args)
    return uses(answer)


EXERCISE = Exercise(
    name="online_step",
    arguments=_ARGUMENTS,
    properties=(
        Property(
            "gives three tensors, of the shapes (batch, query, 1), (batch, query, 1) and (batch, query, v)",
            _wanting(lambda state: tuple(tuple(part.shape) for part in state), _SEVERAL),
            _shapes,
            have_shapes,
        ),
        Property("a first block: `maximum` is its largest score", _only(0, _FIRST), _part(_MAXIMUM), equals),
        Property("a first block: `total` is the sum of exp(score − maximum)", _only(1, _FIRST), _part(_TOTAL), equals),
        Property(
            "a first block: `output` is the mean of its values, weighted by the softmax",
            _only(2, _FIRST),
            _part(_OUTPUT),
            equals,
        ),
        Property("after more blocks, `maximum` is the largest score so far", _only(0, _SEVERAL), _part(0), equals),
        Property("`total` is the sum over all blocks so far", _only(1, _SEVERAL), _part(_TOTAL), equals),
        Property("`output` is the weighted mean of all values so far", _only(2, _SEVERAL), _part(_OUTPUT), equals),
        Property(
            "it makes no difference whether the largest score comes first or last",
            _both_ways,
            _whole_state,
            _is_the_state,
        ),
        Property(
            "goes on from a state that is given",
            _with_a_state(_SEVERAL),
            _state_after_a_step,
            _is_the_state,
            arguments=_STEP,
        ),
        Property(
            "scores may be as large as 1,000, and as small as −1,000",
            _large_scores,
            _whole_state,
            _is_the_state,
            suggests="overflows",
        ),
        Property("scores of −∞ add nothing", _some_masked, _whole_state, _is_the_state),
        Property(
            "a block may be masked throughout", _blocks_masked, _whole_state, _is_the_state, suggests="nan-after-a-mask"
        ),
        Property(
            "a query that has seen nothing but −∞ has maximum −∞, total 0 and output 0",
            _nothing_seen,
            _whole_state,
            _is_the_state,
            suggests="nan-after-a-mask",
        ),
        Property(
            "each call is answered for itself",
            _SEVERAL,
            _after_other_blocks,
            _is_the_state,
            suggests="answers-from-memory",
        ),
        at_any_size(
            _cases(((1, 2, 2), (67, 71)), ((1, 71, 2), (2, 1)), ((67, 1, 1), (1, 2)), ((1, 1, 67), (2,) * 11)),
            _whole_state,
            _is_the_state,
        ),
        Property(
            "leaves a first block as it was",
            only_arguments(_FIRST, "scores", "values"),
            _first_arguments_changed,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "leaves the state, the scores and the values as they were",
            only_arguments(_with_a_state(_SEVERAL), *_STEP),
            _arguments_changed,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
            arguments=_STEP,
        ),
        Property(
            "the gradients of its output are right, through several steps",
            _wanted_gradients(_SEVERAL),
            _gradients,
            right_gradient,
            shows=GRADIENT,
        ),
        Property(
            "keeps the type: float64 works",
            _in_dtype(torch.float64, _HALF_SIZES),
            _whole_state,
            _is_the_state,
            suggests="type-changed",
        ),
        Property(
            "works in half precision: float16 and bfloat16", _half, _whole_state, _is_the_state_in_half, "type-changed"
        ),
        own_work(_SEVERAL, _forbidden),
    ),
    misconceptions=MISTAKES,
)
