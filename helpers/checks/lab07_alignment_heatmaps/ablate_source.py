"""`ablate_source`: what a right answer does, and the mistakes that people make."""

from collections.abc import Callable, Iterator
from typing import Any

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
from helpers.checks.lab07_alignment_heatmaps.shared import in_eighths
from helpers.checks.spoiling import remembering, stopping_at_64


def _ablation_oracle(weights: Tensor, position: int) -> Tensor:
    rows = []
    for row in weights.double().tolist():
        rest = sum(weight for source, weight in enumerate(row) if source != position)
        others = len(row) - 1
        rows.append(
            [0.0 if source == position else weight / rest if rest else 1 / others for source, weight in enumerate(row)]
        )
    return torch.tensor(rows).to(weights.dtype)


def _ablation_case(weights: Tensor, position: int) -> Case:
    return Case((weights, position), _ablation_oracle(weights, position))


def _spread(draw: Draw) -> Iterator[Case]:
    yield _ablation_case(in_eighths([2, 6]), 1)
    yield _ablation_case(in_eighths([2, 2, 4]), 2)
    yield _ablation_case(in_eighths([4, 1, 3], [1, 5, 2], [2, 2, 4]), 0)
    yield _ablation_case(in_eighths([4, 1, 3], [0, 5, 3]), 0)  # a row with nothing there stays as it is
    for targets, sources, position in ((4, 2, 0), (2, 5, 3), (3, 4, 1), (1, 3, 2)):
        yield _ablation_case(draw.normal(targets, sources, scale=1.0).softmax(-1), position)


def _removed(draw: Draw) -> Iterator[Case]:
    for case in _spread(draw):
        weights, _ = case.args
        yield Case(case.args, torch.zeros(len(weights)))


def _all_its_weight(draw: Draw) -> Iterator[Case]:
    yield _ablation_case(in_eighths([8, 0]), 0)
    yield _ablation_case(in_eighths([0, 8, 0, 0]), 1)
    yield _ablation_case(in_eighths([0, 0, 8], [4, 1, 3], [0, 8, 0]), 2)
    yield _ablation_case(in_eighths([8, 0, 0, 0], [5, 1, 2, 0]), 0)


def _nearly_all_its_weight(draw: Draw) -> Iterator[Case]:
    yield _ablation_case(torch.tensor([[0.9, 0.075, 0.025]], dtype=torch.float64), 0)
    yield _ablation_case(torch.tensor([[0.00075, 0.999, 0.00025, 0.0], [0.3, 0.1, 0.2, 0.4]], dtype=torch.float64), 1)


def _large_matrices(draw: Draw) -> Iterator[Case]:
    yield _ablation_case(draw.normal(3, 67, scale=1.0).softmax(-1), 66)
    yield _ablation_case(draw.normal(71, 131, scale=1.0).softmax(-1), 97)


def _ablation_arguments(draw: Draw) -> Iterator[Case]:
    yield Case((in_eighths([2, 2, 4], [8, 0, 0]), 2), ("weights", "position"))
    yield Case((in_eighths([0, 8, 0]), 1), ("weights", "position"))


def _ablation_types(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        yield _ablation_case(in_eighths([2, 2, 4], [0, 0, 8], [3, 4, 1]).to(dtype), 2)


def _removed_column(answer: Callable, args: tuple) -> Any:
    """Observe the column of the position that was to be removed."""
    result = output(answer, args)
    return result[:, args[1]] if isinstance(result, Tensor) and result.shape == args[0].shape else result


def _ablater(
    remove: Callable[[Tensor, int], Tensor] = lambda w, position: w.index_fill(1, torch.tensor(position), 0.0),
    renormalise: Callable[[Tensor], Tensor] = lambda rest: rest / rest.sum(-1, keepdim=True),
    is_bare: Callable[[Tensor], Tensor] = lambda rest: rest.sum(-1, keepdim=True) == 0,
    uniform: Callable[[Tensor, int], Tensor] = lambda w, position: _uniform(w, position),
) -> Callable:
    """An ablation, right but for what is said here."""

    def ablate(weights, position):
        rest = remove(weights.detach().clone(), position)
        return torch.where(is_bare(rest), uniform(weights, position), renormalise(rest))

    return ablate


def _uniform(weights: Tensor, position: int) -> Tensor:
    others = torch.ones_like(weights).index_fill(1, torch.tensor(position), 0.0)
    return others / (weights.shape[1] - 1)


def _never(rest: Tensor) -> Tensor:
    return torch.zeros(len(rest), 1, dtype=torch.bool)


_right_ablation = _ablater()


def _ablate_in_place(weights, position):
    ablated = _right_ablation(weights, position)
    weights[:, position] = 0
    return ablated


def _shared_equally(weights, position):
    removed = weights[:, position].unsqueeze(-1)
    return (weights + removed / (weights.shape[1] - 1)).index_fill(1, torch.tensor(position), 0.0)


def _to_the_largest(weights, position):
    rest = weights.index_fill(1, torch.tensor(position), 0.0)
    return rest.scatter_add(1, rest.argmax(-1, keepdim=True), weights[:, position].unsqueeze(-1))


def _row_removed(weights, position):
    rest = weights.clone()
    rest[min(position, len(weights) - 1)] = 0
    return rest / rest.sum(-1, keepdim=True).clamp_min(1e-9)


EXERCISE = Exercise(
    name="ablate_source",
    arguments=("weights", "position"),
    properties=(
        Property("gives weights of the same shape", _spread, output, has_shape),
        Property("no row has any weight left at the position", _removed, _removed_column, equals),
        Property("the other weights keep their proportions, and each row sums to 1", _spread, output, equals),
        Property(
            "a row that had all its weight there becomes uniform over the others",
            _all_its_weight,
            output,
            equals,
            suggests="bare-row",
        ),
        Property(
            "a row that had nearly all its weight there keeps its proportions", _nearly_all_its_weight, output, equals
        ),
        Property(
            "leaves the weights that came in as they were",
            _ablation_arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property("keeps the type: float64, float16 and bfloat16 work", _ablation_types, output, equals),
        each_for_itself(_spread),
        at_any_size(_large_matrices),
    ),
    misconceptions=(
        Misconception(
            "not-renormalised",
            "the rows no longer sum to 1",
            "Without its column a row sums to less than 1, and the context vector comes out too short. Then a change "
            "of the output may be due to that, not to the missing token. What is left has to share the whole weight "
            "of 1.",
            (
                _ablater(renormalise=lambda rest: rest),
                _ablater(renormalise=lambda rest: rest, is_bare=_never),
            ),
        ),
        Misconception(
            "nan-row",
            "a row that had all its weight there is NaN",
            "Nothing is left of that row, and 0 / 0 is NaN. From there it spreads to everything that the model "
            "computes.",
            (_ablater(is_bare=_never),),
        ),
        Misconception(
            "bare-row",
            "a row that had all its weight there isn't uniform over the others",
            "Such a row says nothing about the other tokens, so each of them gets the same weight, and the removed "
            "one none. Yours is left empty, or the removed token gets its share.",
            (
                _ablater(renormalise=lambda rest: rest / (rest.sum(-1, keepdim=True) + 1e-12), is_bare=_never),
                _ablater(uniform=lambda w, position: torch.full_like(w, 1 / w.shape[1])),
                _ablater(uniform=lambda w, position: torch.full_like(w, 1 / (w.shape[1] - 1))),
                _ablater(uniform=lambda w, position: _uniform(w, position) * (w.shape[1] - 1) / w.shape[1]),
                _ablater(uniform=lambda w, position: w),
                _ablater(uniform=lambda w, position: _uniform(w, position).cumsum(-1).eq(0).float().flip(-1)),
            ),
        ),
        Misconception(
            "all-rows-uniform",
            "one row without any weight left makes every row uniform",
            "Each row is a target token's own: only the rows that have lost everything become uniform.",
            (_ablater(is_bare=lambda rest: (rest.sum(-1, keepdim=True) == 0).any().expand(len(rest), 1)),),
        ),
        Misconception(
            "nearly-all-taken-for-all",
            "a row that had nearly all its weight there becomes uniform, too",
            "However little is left, it says how the others compare. Only a row with *nothing* left becomes uniform.",
            (
                _ablater(is_bare=lambda rest: rest.sum(-1, keepdim=True) < 0.05),
                _ablater(is_bare=lambda rest: rest.sum(-1, keepdim=True) < 0.15),
                _ablater(renormalise=lambda rest: rest / (rest.sum(-1, keepdim=True) + 1e-3)),
                _ablater(renormalise=lambda rest: rest / rest.sum(-1, keepdim=True).clamp_min(0.05)),
            ),
        ),
        Misconception(
            "shared-equally",
            "the removed weight is handed out in equal parts, or to one token",
            "To renormalise is to *divide* each row by its sum: what was twice as large stays twice as large. "
            "Adding something to the others changes their proportions.",
            (_shared_equally, _to_the_largest),
        ),
        mistakes.SOFTMAX_TWICE.explained(
            "A softmax turns *scores* into weights. These are weights already, and a second softmax makes them more "
            "alike: dividing by the sum is all that is needed.",
            lambda weights, position: weights.index_fill(1, torch.tensor(position), -torch.inf).softmax(-1),
            lambda weights, position: weights.index_fill(1, torch.tensor(position), 0.0).softmax(-1),
            _ablater(renormalise=lambda rest: rest.masked_fill(rest == 0, -torch.inf).softmax(-1)),
        ),
        Misconception(
            "wrong-axis",
            "the wrong axis is set to 0, or summed over",
            "Weights are `(target, source)`. The source token is a *column*, and what has to sum to 1 again is each "
            "row.",
            (
                _row_removed,
                _ablater(remove=lambda w, position: w.index_fill(0, torch.tensor(position), 0.0)),
                _ablater(renormalise=lambda rest: rest / rest.sum(0, keepdim=True).clamp_min(1e-9)),
                _ablater(renormalise=lambda rest: rest / rest.sum()),
                _ablater(renormalise=lambda rest: rest / rest.sum() * len(rest)),
                _ablater(renormalise=lambda rest: rest / rest[0].sum()),
            ),
        ),
        Misconception(
            "column-cut-out",
            "the column is gone",
            "The shape stays `(target, source)`: the model still has that source token, and meets it with weight 0.",
            (
                lambda weights, position: (
                    torch.cat([weights[:, :position], weights[:, position + 1 :]], 1)
                    / (1 - weights[:, position : position + 1])
                ),
            ),
        ),
        Misconception(
            "another-column",
            "another column is removed",
            "Positions are counted from 0, and `position` is the one that has to go.",
            (
                lambda weights, position: _right_ablation(weights, (position - 1) % weights.shape[1]),
                lambda weights, position: _right_ablation(weights, (position + 1) % weights.shape[1]),
                lambda weights, position: _right_ablation(weights, int(weights.sum(0).argmax())),
            ),
        ),
        mistakes.WRITES_INTO_ARGUMENTS.explained(
            "The result is right, but the caller's weights have lost their column, too, so there is nothing left to "
            "compare with. `weights[:, position] = 0` writes into the tensor that came in: work on a copy.",
            _ablate_in_place,
        ),
        mistakes.TYPE_CHANGED.row(
            lambda weights, position: _right_ablation(weights.float(), position),
            lambda weights, position: _right_ablation(weights.double(), position),
            _ablater(uniform=lambda w, position: _uniform(w.float(), position)),
            dtype="float16",
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(_right_ablation)),
        mistakes.SMALL_SIZES_ONLY.row(stopping_at_64(_right_ablation)),
        mistakes.nothing_returned(),
    ),
)
