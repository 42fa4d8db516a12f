"""`softmax_jacobian`: what a right answer does, and the mistakes that people make."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.forbidden import own_work
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
from helpers.checks.lab02_scaled_dot_product.shared import right_jacobian
from helpers.checks.spoiling import remembering, stopping_at_64


def _jacobian_oracle(weights: Tensor) -> Tensor:
    """Differentiable; the result has the weights' type."""
    size = weights.shape[-1]
    matrices = []
    for row in weights.double().reshape(-1, size):
        entries = [row[i] * (float(i == j) - row[j]) for i in range(size) for j in range(size)]
        matrices.append(torch.stack(entries))
    return torch.stack(matrices).reshape(*weights.shape, size).to(weights.dtype)


def _jacobian_case(weights: Tensor) -> Case:
    return Case((weights,), _jacobian_oracle(weights))


def _one_vector(draw: Draw) -> Iterator[Case]:
    yield _jacobian_case(torch.tensor([0.2, 0.8]))
    yield _jacobian_case(torch.tensor([0.2, 0.3, 0.5]))
    yield _jacobian_case(draw.normal(5, scale=1.0).softmax(-1))


def _row_sums(draw: Draw) -> Iterator[Case]:
    for case in _one_vector(draw):
        yield Case(case.args, torch.zeros_like(case.args[0]))


def _leading_axes(draw: Draw) -> Iterator[Case]:
    yield _jacobian_case(draw.normal(1, 2, scale=1.0).softmax(-1))
    yield _jacobian_case(draw.normal(2, 3, scale=1.0).softmax(-1))
    yield _jacobian_case(draw.normal(3, 3, scale=1.0).softmax(-1))
    yield _jacobian_case(draw.normal(2, 2, 2, scale=1.0).softmax(-1))
    yield _jacobian_case(draw.normal(2, 3, 4, scale=1.0).softmax(-1))
    yield _jacobian_case(draw.normal(2, 1, 2, 3, scale=1.0).softmax(-1))


def _saturated(draw: Draw) -> Iterator[Case]:
    yield _jacobian_case(torch.tensor([1.0]))
    yield _jacobian_case(torch.tensor([0.0, 1.0]))
    yield _jacobian_case(torch.tensor([[0.0, 0.25, 0.75], [0.0, 1.0, 0.0]]))


def _many_entries(draw: Draw) -> Iterator[Case]:
    for shape in ((67,), (17, 3)):
        weights = draw.normal(*shape, scale=1.0).softmax(-1)
        yield Case((weights,), right_jacobian(weights.double()).float())  # entry by entry would take long


def _jacobians_in_turn(draw: Draw) -> Iterator[Case]:
    yield _jacobian_case(torch.tensor([0.2, 0.8]))
    yield _jacobian_case(draw.normal(2, 3, scale=1.0).softmax(-1))


def _jacobian_arguments(draw: Draw) -> Iterator[Case]:
    yield Case((draw.normal(3).softmax(-1),), ("weights",))
    yield Case((draw.normal(2, 2, 3).softmax(-1),), ("weights",))


def _jacobian_gradients(draw: Draw) -> Iterator[Case]:
    for shape in ((3,), (2, 2, 3)):
        weights = draw.normal(*shape, scale=1.0).softmax(-1)
        yield Case((weights,), _gradient_along_weights(_jacobian_oracle, (weights.clone(),)))


def _jacobian_types(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        yield _jacobian_case(draw.normal(2, 3, scale=1.0).softmax(-1).to(dtype))


def _sums_of_rows(answer: Callable, args: tuple) -> Any:
    result = output(answer, args)
    return result.sum(-1) if isinstance(result, Tensor) and result.dim() else result


def _gradient_along_weights(answer: Callable, args: tuple) -> Tensor | None:
    """Observe the gradient along weights that still sum to 1: off them, right formulas may differ."""
    found = gradient(answer, args)
    return None if found is None else found - found.mean(-1, keepdim=True)


def _whole_jacobian(function, argument):
    return torch.autograd.functional.jacobian(function, argument)


def _outer(weights):
    return weights.unsqueeze(-1) * weights.unsqueeze(-2)


def _eye(weights):
    return torch.eye(weights.shape[-1], dtype=weights.dtype)


def _overwrite_weights(weights):
    jacobian = right_jacobian(weights)
    weights.mul_(0.5)
    return jacobian


EXERCISE = Exercise(
    name="softmax_jacobian",
    arguments=("weights",),
    properties=(
        Property("K weights give a matrix (K, K)", _one_vector, output, has_shape),
        Property("its entry [i, j] says how weight i changes with score j", _one_vector, output, equals),
        Property("each row sums to 0: if all scores rise alike, no weight changes", _row_sums, _sums_of_rows, equals),
        Property(
            "leading axes stay: (batch, query, K) gives (batch, query, K, K)",
            _leading_axes,
            output,
            equals,
            suggests="one-vector-only",
        ),
        Property("works for weights of exactly 0 and 1, and for a single key", _saturated, output, equals),
        Property(
            "leaves its argument as it was",
            _jacobian_arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "its own gradient with respect to the weights is right",
            _jacobian_gradients,
            _gradient_along_weights,
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property("keeps the type: float16, bfloat16 and float64 work", _jacobian_types, output, equals),
        each_for_itself(_jacobians_in_turn),
        at_any_size(_many_entries),
        own_work(_one_vector),
    ),
    misconceptions=(
        mistakes.DIAGONAL_ONLY.explained(
            "Each score enters *every* weight, through the sum in the denominator: raising one score takes weight "
            "from all the others. What stands off the diagonal?",
            lambda weights: (weights * (1 - weights)).diag_embed(),
            lambda weights: weights.diag_embed(),
            lambda weights: (weights - weights**2).diag_embed().abs(),
            lambda weights: weights * (1 - weights),
        ),
        Misconception(
            "diagonal-missing",
            "the diagonal lacks its first term",
            "On the diagonal a score also stands in the numerator of its own weight, which adds a term there.",
            (lambda weights: -_outer(weights), lambda weights: -_outer(weights) * (1 - _eye(weights))),
        ),
        Misconception(
            "plus-for-minus",
            "a sign is wrong: raising a score seems to raise the other weights",
            "The weights sum to 1, so what one gains the others lose. Which sign must the entries off the diagonal "
            "have?",
            (
                lambda weights: weights.diag_embed() + _outer(weights),
                lambda weights: (weights * (1 - weights)).diag_embed() + _outer(weights) * (1 - _eye(weights)),
            ),
        ),
        Misconception(
            "all-signs-reversed",
            "every sign is reversed",
            "Raising a score raises its own weight, so the diagonal is positive. Yours is negative.",
            (lambda weights: -right_jacobian(weights),),
        ),
        Misconception(
            "rows-do-not-sum-to-0",
            "the rows don't sum to 0",
            "If all scores rise by the same amount, no weight changes, so each row of the Jacobian sums to 0. "
            "Look at the diagonal: is a term there twice, or is the wrong thing subtracted from?",
            (
                lambda weights: (weights * (1 - weights)).diag_embed() - _outer(weights),
                lambda weights: _eye(weights) - _outer(weights),
                lambda weights: weights.unsqueeze(-1) * (1 - weights.unsqueeze(-2)),
                lambda weights: weights.unsqueeze(-2) * (1 - weights.unsqueeze(-1)),
                lambda weights: weights.unsqueeze(-1) - _outer(weights),
                lambda weights: (1 - weights).diag_embed() - _outer(weights) * (1 - _eye(weights)),
            ),
        ),
        mistakes.SOFTMAX_TWICE.explained(
            "The argument already holds the softmax's *output*. You treat it as scores and take a softmax of it.",
            lambda weights: right_jacobian(weights.softmax(-1)),
            lambda weights: _whole_jacobian(lambda scores: scores.softmax(-1), weights),
        ),
        Misconception(
            "with-respect-to-weights",
            "it differentiates with respect to the weights, not the scores",
            "The derivative of the weights with respect to the weights is the identity, which says nothing. "
            "The Jacobian asked for says how the weights answer to the *scores* that they were made from.",
            (
                lambda weights: _eye(weights).expand(*weights.shape, -1).clone(),
                lambda weights: _whole_jacobian(lambda row: row / row.sum(-1, keepdim=True), weights),
            ),
        ),
        Misconception(
            "one-vector-only",
            "it works for one vector of weights only",
            "Weights come as (batch, query, K), and each of their rows has a matrix of its own. `torch.diag`, "
            "`torch.outer` and `.T` mean something else there, or refuse. Which operations work on the last axis only?",
            (
                lambda weights: torch.diag(weights) - torch.outer(weights, weights),
                lambda weights: torch.diag(weights) - weights[:, None] * weights[None, :],
                lambda weights: weights.diag_embed() - weights[:, None] * weights[None, :],
                lambda weights: _whole_jacobian(lambda scores: scores.softmax(-1), weights.log()),
                lambda weights: right_jacobian(weights.reshape(-1, weights.shape[-1])[0]),
            ),
        ),
        Misconception(
            "one-number-of-axes-only",
            "it works for one number of leading axes only",
            "There may be any number of axes in front of the last one: none, one, or (batch, query). Count axes from "
            "the *end*, as in `unsqueeze(-1)`, and it doesn't matter how many there are.",
            (
                lambda weights: weights.diag_embed() - weights.unsqueeze(2) * weights.unsqueeze(1),
                lambda weights: weights.diag_embed() - torch.bmm(weights.unsqueeze(2), weights.unsqueeze(1)),
                lambda weights: weights.diag_embed() - weights.unsqueeze(3) * weights.unsqueeze(2),
                lambda weights: weights.diag_embed() - torch.einsum("bi,bj->bij", weights, weights),
                lambda weights: weights.diag_embed() - torch.einsum("bqi,bqj->bqij", weights, weights),
            ),
        ),
        Misconception(
            "inner-product",
            "an inner product stands where an outer one should",
            "p·p is one number, the same for every entry. What you need is the matrix of all the products of two "
            "weights.",
            (
                lambda weights: weights.diag_embed() - (weights**2).sum(-1)[..., None, None],
                lambda weights: weights.diag_embed() - (weights**2).unsqueeze(-1),
                lambda weights: weights.diag_embed() - (weights**2).unsqueeze(-2),
            ),
        ),
        Misconception(
            "zero-weight-nan",
            "a weight of 0 gives NaN",
            "A masked key weighs exactly 0, and dividing by its weight, or multiplying by its logarithm, gives NaN.",
            (
                lambda weights: (
                    (weights.unsqueeze(-1) / weights.unsqueeze(-2))
                    * right_jacobian(weights).mT
                    * (weights.unsqueeze(-2) / weights.unsqueeze(-1))
                ),
            ),
        ),
        mistakes.WRITES_INTO_ARGUMENTS.explained(
            "The Jacobian is right, but the caller's weights are no longer what they were. "
            "Which of your operations writes in place?",
            _overwrite_weights,
        ),
        mistakes.DETACHED_GRADIENT.explained(
            "The numbers are right, but the result isn't connected to the weights, so it can't be differentiated "
            "further: `.detach()`, `.item()`, `torch.tensor(...)` and `torch.no_grad()` all cut the connection.",
            lambda weights: right_jacobian(weights.detach()),
        ),
        mistakes.TYPE_CHANGED.explained(
            "The Jacobian has the weights' own type: float16 in, float16 out. `torch.eye` makes float32 if it isn't "
            "told.",
            lambda weights: right_jacobian(weights.float()),
            lambda weights: right_jacobian(weights.double()),
            lambda weights: torch.eye(weights.shape[-1]) * weights.unsqueeze(-1) - _outer(weights),
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(right_jacobian)),
        mistakes.SMALL_SIZES_ONLY.row(stopping_at_64(right_jacobian)),
        mistakes.FORBIDDEN_CALL.row(),
        mistakes.nothing_returned(),
    ),
)
