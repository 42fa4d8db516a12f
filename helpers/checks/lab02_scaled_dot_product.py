"""Lab 2's exercises: what a right answer does, and the mistakes that people make.

Two exercises draw random numbers. In whatever order a right answer draws them, its result lies within `_SIGMAS` standard
errors of what theory, or an oracle with many trials, says: for a normal error the chance of missing is below 1e-14, and
with the tails of these errors still far below 1e-6.
"""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.forbidden import forbidden_call, forbidden_uses, own_work
from helpers.checks.judging import (
    GRADIENT,
    NOTHING_RETURNED,
    changed_arguments,
    clones,
    equals,
    gradient,
    gradient_of,
    has_shape,
    have_shapes,
    leaves_arguments_alone,
    number,
    output,
    part,
    right_gradient,
    shapes,
    tensors,
    weighted_sum,
)

_SIGMAS = 8


# --- The oracles: loops in float64, slow and plain -----------------------------------------------------------------


def _scores_oracle(queries: Tensor, keys: Tensor, scaled: bool) -> Tensor:
    """Differentiable; the result has the queries' type."""
    (batch, num_queries, d), num_keys = queries.shape, keys.shape[1]
    scores = []
    for b in range(batch):
        for q in range(num_queries):
            for k in range(num_keys):
                score = sum(queries[b, q, i].double() * keys[b, k, i].double() for i in range(d))
                scores.append(score / math.sqrt(d) if scaled else score)
    return torch.stack(scores).reshape(batch, num_queries, num_keys).to(queries.dtype)


def _jacobian_oracle(weights: Tensor) -> Tensor:
    """Differentiable; the result has the weights' type."""
    size = weights.shape[-1]
    matrices = []
    for row in weights.double().reshape(-1, size):
        entries = [row[i] * (float(i == j) - row[j]) for i in range(size) for j in range(size)]
        matrices.append(torch.stack(entries))
    return torch.stack(matrices).reshape(*weights.shape, size).to(weights.dtype)


def _weights_oracle(queries: Tensor, keys: Tensor, valid_lens: Tensor | None) -> Tensor:
    scores = _scores_oracle(queries, keys, scaled=True)
    batch, num_queries, num_keys = scores.shape
    rows = []
    for b in range(batch):
        for q in range(num_queries):
            length = _length_of(valid_lens, b, q, num_keys)
            valid = scores[b, q, :length].double()
            exps = (valid - valid.detach().max()).exp()
            rows.append(torch.cat([exps / exps.sum(), torch.zeros(num_keys - length, dtype=torch.float64)]))
    return torch.stack(rows).reshape(scores.shape).to(queries.dtype)


def _output_oracle(queries: Tensor, keys: Tensor, values: Tensor, valid_lens: Tensor | None) -> Tensor:
    weights = _weights_oracle(queries.double(), keys.double(), valid_lens)
    batch, num_queries, num_keys = weights.shape
    rows = []
    for b in range(batch):
        for q in range(num_queries):
            rows.append(sum(weights[b, q, k] * values[b, k].double() for k in range(num_keys)))
    return torch.stack(rows).reshape(batch, num_queries, -1).to(values.dtype)


def _length_of(valid_lens: Tensor | None, b: int, q: int, num_keys: int) -> int:
    if valid_lens is None:
        return num_keys
    return int(valid_lens[b] if valid_lens.dim() == 1 else valid_lens[b, q])


@functools.cache
def _norm_oracle(d: int, scaled: bool, num_keys: int) -> tuple[float, float]:
    """The mean of the Jacobian's norm, and its standard deviation, over `_ORACLE_TRIALS` draws."""
    generator = torch.Generator().manual_seed(1706)
    queries = torch.randn(_ORACLE_TRIALS, d, generator=generator, dtype=torch.float64)
    keys = torch.randn(_ORACLE_TRIALS, num_keys, d, generator=generator, dtype=torch.float64)
    scores = (queries.unsqueeze(1) * keys).sum(-1) / (math.sqrt(d) if scaled else 1)
    weights = scores.softmax(-1)
    squares = torch.zeros(_ORACLE_TRIALS, dtype=torch.float64)
    for i in range(num_keys):
        for j in range(num_keys):
            squares += (weights[:, i] * (float(i == j) - weights[:, j])) ** 2
    norms = squares.sqrt()
    return norms.mean().item(), norms.std().item()


_ORACLE_TRIALS = 4000


# --- 1. dot_product_scores -----------------------------------------------------------------------------------------


def _scores_case(draw: Draw, sizes: tuple[int, int, int, int], scaled: bool) -> Case:
    batch, num_queries, num_keys, d = sizes
    queries, keys = draw.normal(batch, num_queries, d), draw.normal(batch, num_keys, d)
    return Case((queries, keys, scaled), _scores_oracle(queries, keys, scaled))


def _scores_cases(scaled: bool) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _scores_case(draw, (1, 1, 2, 4), scaled)
        yield _scores_case(draw, (1, 2, 3, 4), scaled)
        yield _scores_case(draw, (2, 2, 2, 2), scaled)  # every axis of the same size
        yield _scores_case(draw, (3, 4, 2, 1), scaled)
        yield _scores_case(draw, (2, 3, 3, 5), scaled)
        yield _scores_case(draw, (2, 1, 5, 16), scaled)

    return cases


def _scores_arguments(draw: Draw) -> Iterator[Case]:
    for scaled in (True, False):
        yield Case((draw.normal(2, 2, 4), draw.normal(2, 3, 4), scaled), ("queries", "keys", "scaled"))


def _scores_gradients(position: int) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for scaled in (False, True):
            args = (draw.normal(2, 2, 3), draw.normal(2, 4, 3), scaled)
            yield Case(args, gradient_of(position)(_scores_oracle, clones(args)))

    return cases


def _scores_types(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        for scaled in (True, False):
            queries, keys = (draw.normal(2, 3, 4, scale=0.5).to(dtype) for _ in range(2))
            yield Case((queries, keys, scaled), _scores_oracle(queries, keys, scaled))


def _by_default(answer: Callable, args: tuple) -> Any:
    """Observe what comes back if nothing is said about the scale."""
    return output(answer, args[:2])


def _right_scores(queries, keys, scaled=True):
    return queries @ keys.mT / (math.sqrt(queries.shape[-1]) if scaled else 1)


def _scores_times(factor: Callable, otherwise: Callable = lambda q, k: 1.0) -> Callable:
    """q·k times a factor of queries and keys: one where the scores are scaled, and one where they aren't."""
    return lambda queries, keys, scaled=True: queries @ keys.mT * (factor if scaled else otherwise)(queries, keys)


def _scores_from(product: Callable) -> Callable:
    """Scores out of a product that has a mistake; scaled as they should be."""
    return lambda queries, keys, scaled=True: product(queries, keys) / (math.sqrt(queries.shape[-1]) if scaled else 1)


def _rooted(q: Tensor, k: Tensor) -> float:
    return 1 / math.sqrt(q.shape[-1])


def _overwrite(position: int) -> Callable:
    def overwrite(queries, keys, scaled=True):
        scores = _right_scores(queries, keys, scaled)
        (queries, keys)[position].mul_(0.5)
        return scores

    return overwrite


def _scale_in_place(queries, keys, scaled=True):
    if scaled:
        queries /= math.sqrt(queries.shape[-1])
    return queries @ keys.mT


DOT_PRODUCT_SCORES = Exercise(
    name="dot_product_scores",
    arguments=("queries", "keys", "scaled"),
    properties=(
        Property(
            "gives one score for each query and key: (batch, query, key)", _scores_cases(False), output, has_shape
        ),
        Property("with `scaled=False` a score is the plain dot product", _scores_cases(False), output, equals),
        Property("with `scaled=True` it is divided by √d", _scores_cases(True), output, equals),
        Property("scales if nothing is said", _scores_cases(True), _by_default, equals, suggests="unscaled-by-default"),
        Property("leaves its arguments as they were", _scores_arguments, changed_arguments, leaves_arguments_alone),
        Property(
            "its gradient with respect to the queries is right",
            _scores_gradients(0),
            gradient_of(0),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "its gradient with respect to the keys is right",
            _scores_gradients(1),
            gradient_of(1),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property("keeps the type: float16, bfloat16 and float64 work", _scores_types, output, equals),
        own_work(_scores_cases(False)),
    ),
    misconceptions=(
        Misconception(
            "divides-by-d",
            "the scores are divided by d, not by √d",
            "The *variance* of a dot product grows like d, so its typical size grows like √d. You divide by d: either "
            "outright, or by dividing the queries *and* the keys by √d. Now large d makes the scores too small, "
            "and the weights close to uniform.",
            (
                _scores_times(lambda q, k: 1 / q.shape[-1]),
                lambda queries, keys, scaled=True: (
                    (queries * _rooted(queries, keys)) @ (keys * _rooted(queries, keys)).mT
                    if scaled
                    else queries @ keys.mT
                ),
            ),
        ),
        Misconception(
            "multiplies-by-root-d",
            "the scores are multiplied by √d",
            "The dot products are too large already, and the more so the larger d is. Which way does the scale have to go?",
            (_scores_times(lambda q, k: math.sqrt(q.shape[-1])),),
        ),
        Misconception(
            "root-of-key-count",
            "the root is taken of the number of keys or queries",
            "A dot product is a sum over the *width* d of one query and one key. How many keys or queries there are has "
            "no part in it. Which axis of the queries is d?",
            (
                _scores_times(lambda q, k: 1 / math.sqrt(k.shape[1])),
                _scores_times(lambda q, k: 1 / math.sqrt(q.shape[1])),
            ),
        ),
        Misconception(
            "always-scales",
            "the scores are scaled although `scaled` is False",
            "`scaled=False` asks for the plain dot product, to compare with. Your scores are scaled either way.",
            (_scores_times(_rooted, _rooted),),
        ),
        Misconception(
            "never-scales",
            "the scores are not scaled",
            "With `scaled=True` each dot product is divided by √d. Yours are the plain dot products.",
            (_scores_times(lambda q, k: 1.0),),
        ),
        Misconception(
            "scaled-reversed",
            "`scaled` does the opposite of what it says",
            "You scale where `scaled` is False, and leave the scores plain where it is True.",
            (_scores_times(lambda q, k: 1.0, _rooted),),
        ),
        Misconception(
            "unscaled-by-default",
            "the scores are plain if nothing is said",
            "The signature says `scaled=True`: a call that doesn't mention the scale wants scaled scores.",
            (lambda queries, keys, scaled=False: _right_scores(queries, keys, scaled),),
        ),
        Misconception(
            "transposes-wrong-axes",
            "the wrong axes are transposed",
            "The sum of a dot product runs over d, so d must be the last axis on the left and the middle one on the "
            "right; the batch stays where it is. Write the shapes of both factors one beside the other.",
            (
                _scores_from(lambda q, k: q.mT @ k),
                _scores_from(lambda q, k: q @ k),
                _scores_from(lambda q, k: q @ k.transpose(0, 1)),
                _scores_from(lambda q, k: q @ k.permute(2, 1, 0)),
            ),
        ),
        Misconception(
            "queries-and-keys-swapped",
            "a row is a key's, not a query's",
            "Your scores are (batch, key, query): each row belongs to a key. In the course a row holds one query's scores.",
            (_scores_from(lambda q, k: k @ q.mT),),
        ),
        Misconception(
            "reshape-for-transpose",
            "the keys are reshaped, not transposed",
            "A reshape to (batch, d, key) has the right shape and the wrong numbers: it reads the same memory in the same "
            "order, so parts of different keys end up in one column. To swap two axes you need a transpose.",
            (_scores_from(lambda q, k: q @ k.reshape(k.shape[0], k.shape[2], k.shape[1])),),
        ),
        Misconception(
            "elementwise-product",
            "entries are multiplied, but not summed over d",
            "A score is one number for a query and a key: the *sum* over d of the products of their entries.",
            (
                _scores_from(lambda q, k: q * k),
                _scores_from(lambda q, k: q.unsqueeze(2) * k.unsqueeze(1)),
                _scores_from(lambda q, k: (q * k).sum(-1)),
            ),
        ),
        Misconception(
            "softmax-inside",
            "what comes back are weights, not scores",
            "A score is what goes *into* the softmax: leave the softmax to the function that uses the scores.",
            (lambda queries, keys, scaled=True: _right_scores(queries, keys, scaled).softmax(-1),),
        ),
        Misconception(
            "one-sequence-for-all",
            "all queries meet the first sequence's keys",
            "A batch of one works, but in a larger one each sequence has queries and keys of its own.",
            (
                _scores_from(lambda q, k: q @ k[:1].mT),
                _scores_from(lambda q, k: q[:1] @ k.mT),
                _scores_from(lambda q, k: q[:1] @ k[:1].mT),
            ),
        ),
        Misconception(
            "batch-axis-lost",
            "an axis of size 1 gets lost",
            "`squeeze()` removes *every* axis of size 1, so a batch of one, or a single query, loses its axis.",
            (_scores_from(lambda q, k: (q @ k.mT).squeeze()), _scores_from(lambda q, k: (q @ k.mT).squeeze(0))),
        ),
        Misconception(
            "cosine",
            "queries and keys are normalised to length 1",
            "That is the cosine of the angle between them. The dot product keeps their lengths.",
            (
                _scores_from(
                    lambda q, k: nn.functional.normalize(q, dim=-1) @ nn.functional.normalize(k, dim=-1).mT,
                ),
            ),
        ),
        Misconception(
            "writes-into-arguments",
            "the caller's queries or keys are overwritten",
            "The scores are right, but the caller's tensors are no longer what they were. "
            "An operator such as `/=` writes in place.",
            (_scale_in_place, _overwrite(0), _overwrite(1)),
        ),
        Misconception(
            "detached-gradient",
            "no gradient gets through",
            "The numbers are right, but the result isn't connected to the queries, or to the keys, so nothing upstream "
            "could learn: `.detach()`, `.item()`, `.data`, `torch.tensor(...)` and `torch.no_grad()` cut the connection.",
            (
                lambda queries, keys, scaled=True: _right_scores(queries, keys, scaled).detach(),
                lambda queries, keys, scaled=True: _right_scores(queries.detach(), keys, scaled),
                lambda queries, keys, scaled=True: _right_scores(queries, keys.detach(), scaled),
            ),
        ),
        Misconception(
            "type-changed",
            "the scores have another type than the queries",
            "Scores have the type of the queries and keys: float16 in, float16 out.",
            (
                lambda queries, keys, scaled=True: _right_scores(queries.float(), keys.float(), scaled),
                lambda queries, keys, scaled=True: _right_scores(queries.double(), keys.double(), scaled),
            ),
        ),
        forbidden_call(),
        NOTHING_RETURNED,
    ),
)


# --- 2. softmax_jacobian -------------------------------------------------------------------------------------------


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


def _right_jacobian(weights):
    return weights.diag_embed() - weights.unsqueeze(-1) * weights.unsqueeze(-2)


def _whole_jacobian(function, argument):
    return torch.autograd.functional.jacobian(function, argument)


def _outer(weights):
    return weights.unsqueeze(-1) * weights.unsqueeze(-2)


def _eye(weights):
    return torch.eye(weights.shape[-1], dtype=weights.dtype)


def _overwrite_weights(weights):
    jacobian = _right_jacobian(weights)
    weights.mul_(0.5)
    return jacobian


SOFTMAX_JACOBIAN = Exercise(
    name="softmax_jacobian",
    arguments=("weights",),
    properties=(
        Property("N weights give a matrix (N, N)", _one_vector, output, has_shape),
        Property("its entry [i, j] says how weight i changes with score j", _one_vector, output, equals),
        Property("each row sums to 0: if all scores rise alike, no weight changes", _row_sums, _sums_of_rows, equals),
        Property(
            "leading axes stay: (batch, query, N) gives (batch, query, N, N)",
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
            suggests="writes-into-weights",
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
        own_work(_one_vector),
    ),
    misconceptions=(
        Misconception(
            "diagonal-only",
            "only the diagonal is there",
            "Each score enters *every* weight, through the sum in the denominator: raising one score takes weight from all "
            "the others. What stands off the diagonal?",
            (
                lambda weights: (weights * (1 - weights)).diag_embed(),
                lambda weights: weights.diag_embed(),
                lambda weights: (weights - weights**2).diag_embed().abs(),
                lambda weights: weights * (1 - weights),
            ),
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
            "The weights sum to 1, so what one gains the others lose. Which sign must the entries off the diagonal have?",
            (
                lambda weights: weights.diag_embed() + _outer(weights),
                lambda weights: (weights * (1 - weights)).diag_embed() + _outer(weights) * (1 - _eye(weights)),
            ),
        ),
        Misconception(
            "all-signs-reversed",
            "every sign is reversed",
            "Raising a score raises its own weight, so the diagonal is positive. Yours is negative.",
            (lambda weights: -_right_jacobian(weights),),
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
        Misconception(
            "weights-taken-for-scores",
            "the weights go through a softmax a second time",
            "The argument already holds the softmax's *output*. You treat it as scores and take a softmax of it.",
            (
                lambda weights: _right_jacobian(weights.softmax(-1)),
                lambda weights: _whole_jacobian(lambda scores: scores.softmax(-1), weights),
            ),
        ),
        Misconception(
            "with-respect-to-weights",
            "it differentiates with respect to the weights, not the scores",
            "The derivative of the weights with respect to the weights is the identity, which says nothing. "
            "The Jacobian asked for says how the weights answer to the *scores* that they were made from.",
            (
                lambda weights: _eye(weights).expand(*weights.shape, -1).clone(),
                lambda weights: _whole_jacobian(lambda each: each / each.sum(-1, keepdim=True), weights),
            ),
        ),
        Misconception(
            "one-vector-only",
            "it works for one vector of weights only",
            "Weights come as (batch, query, N), and each of their rows has a matrix of its own. `torch.diag`, `torch.outer` "
            "and `.T` mean something else there, or refuse. Which operations work on the last axis only?",
            (
                lambda weights: torch.diag(weights) - torch.outer(weights, weights),
                lambda weights: torch.diag(weights) - weights[:, None] * weights[None, :],
                lambda weights: weights.diag_embed() - weights[:, None] * weights[None, :],
                lambda weights: _whole_jacobian(lambda scores: scores.softmax(-1), weights.log()),
                lambda weights: _right_jacobian(weights.reshape(-1, weights.shape[-1])[0]),
            ),
        ),
        Misconception(
            "one-number-of-axes-only",
            "it works for one number of leading axes only",
            "There may be any number of axes in front of the last one: none, one, or (batch, query). Count axes from the "
            "*end*, as in `unsqueeze(-1)`, and it doesn't matter how many there are.",
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
            "p·p is one number, the same for every entry. What you need is the matrix of all the products of two weights.",
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
                    * _right_jacobian(weights).mT
                    * (weights.unsqueeze(-2) / weights.unsqueeze(-1))
                ),
            ),
        ),
        Misconception(
            "writes-into-weights",
            "the caller's weights are overwritten",
            "The Jacobian is right, but the caller's weights are no longer what they were. "
            "Which of your operations writes in place?",
            (_overwrite_weights,),
        ),
        Misconception(
            "detached-gradient",
            "no gradient gets through",
            "The numbers are right, but the result isn't connected to the weights, so it can't be differentiated further: "
            "`.detach()`, `.item()`, `torch.tensor(...)` and `torch.no_grad()` all cut the connection.",
            (lambda weights: _right_jacobian(weights.detach()),),
        ),
        Misconception(
            "type-changed",
            "the Jacobian has another type than the weights",
            "The Jacobian has the weights' own type: float16 in, float16 out. `torch.eye` makes float32 if it isn't told.",
            (
                lambda weights: _right_jacobian(weights.float()),
                lambda weights: _right_jacobian(weights.double()),
                lambda weights: torch.eye(weights.shape[-1]) * weights.unsqueeze(-1) - _outer(weights),
            ),
        ),
        forbidden_call(),
        NOTHING_RETURNED,
    ),
)


# --- What 3 and 4 share: results that chance has a part in ---------------------------------------------------------


@dataclass(frozen=True)
class Seeded:
    """Stands for a generator in a case: each call of an answer gets a fresh one with this seed."""

    seed: int

    def __str__(self) -> str:
        return f"torch.Generator().manual_seed({self.seed})"

    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)


@dataclass(frozen=True, eq=False)
class Estimates:
    """Numbers that chance has a part in. Two are alike if they lie within `absolute` + `relative` of each other."""

    numbers: tuple[float, ...]
    absolute: tuple[float, ...]
    relative: float

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Estimates) or len(other.numbers) != len(self.numbers):
            return False
        near = (
            abs(a - b) <= tolerance + self.relative * max(abs(a), abs(b))
            for a, b, tolerance in zip(self.numbers, other.numbers, self.absolute, strict=True)
        )
        return all(near)


@dataclass(frozen=True)
class Repeatable:
    """How an answer went about its generator."""

    same_again: bool
    others_differ: bool
    moves_on: bool
    leaves_global: bool


def _call(answer: Callable, args: tuple) -> Any:
    """Call with a fresh generator and a copy of lists, and give the global random numbers back as they were."""
    with torch.random.fork_rng(devices=[]):
        result = answer(*_fresh(args))
    return result.detach() if isinstance(result, Tensor) else result


def _fresh(args: tuple) -> list:
    made = (each.generator() if isinstance(each, Seeded) else each for each in args)
    return [list(each) if isinstance(each, list) else each for each in made]


def _forbidden_uses(answer: Callable, args: tuple) -> tuple[str, ...]:
    with torch.random.fork_rng(devices=[]):
        return forbidden_uses(answer, tuple(_fresh(args)))


def _repeatable(answer: Callable, args: tuple) -> Repeatable:
    """Observe whether the numbers come from the generator, and from nowhere else."""
    *others, seeded = args
    with torch.random.fork_rng(devices=[]):
        generator = seeded.generator()
        before, global_before = generator.get_state(), torch.get_rng_state()
        first = answer(*_fresh(others), generator)
        moved = not torch.equal(generator.get_state(), before)
        second = answer(*_fresh(others), generator)
        again = answer(*_fresh(args))
        other = answer(*_fresh((*others, Seeded(seeded.seed + 1))))
        return Repeatable(
            _alike(first, again),
            not _alike(first, other),
            moved and not _alike(first, second),
            torch.equal(torch.get_rng_state(), global_before),
        )


def _alike(a: Any, b: Any) -> bool:
    return torch.equal(torch.as_tensor(a), torch.as_tensor(b))


def _judge_repeatable(got: Repeatable, want: Any) -> str | None:
    if not got.same_again:
        return "two generators with one seed gave two results"
    if not got.others_differ:
        return "two generators with different seeds gave the same result"
    if not got.moves_on:
        return "a second call with the same generator gave the same again: nothing was drawn from it"
    if not got.leaves_global:
        return "PyTorch's global generator was used, or set, as well"
    return None


def _over_seeds(answer: Callable, args: tuple, calls: int) -> list[float] | str:
    """The first number of each of several calls, each with a seed of its own; or why there is none."""
    *others, seeded = args
    numbers = []
    with torch.random.fork_rng(devices=[]):
        for i in range(calls):
            result = answer(*_fresh((*others, Seeded(seeded.seed + i))))
            first = result.reshape(-1)[0] if isinstance(result, Tensor) and result.numel() else result
            if not isinstance(first, int | float | Tensor):
                return "it gave None" if result is None else f"it gave a {type(result).__name__}"
            numbers.append(float(first))
    return numbers


def _is_steady(most: float) -> Callable[[Callable, tuple], bool | str]:
    """Observe whether the results of ten seeds stay within a factor of one another."""

    def observe(answer: Callable, args: tuple) -> bool | str:
        numbers = _over_seeds(answer, args, calls=10)
        if isinstance(numbers, str):
            return numbers
        return "it gave a negative number" if min(numbers) < 0 else max(numbers) <= most * min(numbers)

    return observe


def _is_rough(expected: Callable[[tuple], float]) -> Callable[[Callable, tuple], bool | str]:
    """Observe whether any of 80 results lies below a quarter of its expectation, as chance would have it."""

    def observe(answer: Callable, args: tuple) -> bool | str:
        numbers = _over_seeds(answer, args, calls=80)
        return numbers if isinstance(numbers, str) else min(numbers) < expected(args) / 4

    return observe


def _true_or(problem: str) -> Callable[[bool | str, Any], str | None]:
    """Judge something observed to be true."""
    return lambda got, want: got if isinstance(got, str) else None if got else problem


_NOT_STEADY = "over several seeds the result varies far more than that many trials would"
_NOT_ROUGH = "with very few trials the result is as steady as with many"

_DRAWS_FROM_GENERATOR = "draws all its random numbers from `generator`: one seed gives one result"

IGNORES_GENERATOR = (
    "ignores-generator",
    "the random numbers don't come from the generator",
    "Random numbers that come from the caller's `generator` can be drawn again: the same seed gives the same result, and "
    "nobody else's numbers change. PyTorch's random functions take it as an argument. Don't seed anything, and don't make "
    "a generator of your own.",
)


def _with_global_numbers(right: Callable) -> Callable:
    def global_numbers(*args):
        return right(*args[:-1], torch.default_generator)

    return global_numbers


def _with_own_seed(right: Callable) -> Callable:
    def own_seed(*args):
        return right(*args[:-1], torch.Generator().manual_seed(0))

    return own_seed


def _seeding_anew(right: Callable) -> Callable:
    def seeding_anew(*args):
        return right(*args[:-1], args[-1].manual_seed(0))

    return seeding_anew


def _seeding_globally(right: Callable) -> Callable:
    def seeding_globally(*args):
        torch.manual_seed(args[-1].initial_seed())
        return right(*args[:-1], torch.default_generator)

    return seeding_globally


def _starting_over(right: Callable) -> Callable:
    def starting_over(*args):
        return right(*args[:-1], args[-1].manual_seed(args[-1].initial_seed()))

    return starting_over


def _ignoring_generator(right: Callable) -> Misconception:
    ways = (_with_global_numbers, _with_own_seed, _seeding_anew, _seeding_globally, _starting_over)
    return Misconception(*IGNORES_GENERATOR, tuple(way(right) for way in ways))


# --- 3. score_variance ---------------------------------------------------------------------------------------------


def _variance_case(draw: Draw, d: int, trials: int = 2000) -> Case:
    # A score is a sum of d products, each of variance 1 and fourth moment 9: the kurtosis of the sum is 3 + 6/d.
    relative = _SIGMAS * math.sqrt((2 + 6 / d) / trials)
    want = Estimates((float(d),), (6 * math.sqrt(d / trials),), relative)
    return Case((d, trials, Seeded(int(draw.integers(0, 9999, 1)))), want)


def _variances(draw: Draw) -> Iterator[Case]:
    for d in (4, 16, 64):
        yield _variance_case(draw, d)


def _narrow_variances(draw: Draw) -> Iterator[Case]:
    # With d = 1 and one query for all, the variance is that query's square: anything between 0 and 4.
    yield Case((1, 1000, Seeded(int(draw.integers(0, 9999, 1)))), True)


def _two_trials(draw: Draw) -> Iterator[Case]:
    yield Case((4, 2, Seeded(int(draw.integers(0, 9999, 1)))), True)


def _variance_calls(draw: Draw) -> Iterator[Case]:
    yield Case((3, 10, Seeded(int(draw.integers(0, 9999, 1)))), None)


def _variance_estimate(answer: Callable, args: tuple) -> Estimates | str:
    result = _call(answer, args)
    problem = _no_number(result)
    want = _variance_case(Draw(0), *args[:2]).want
    return problem or Estimates((float(result),), want.absolute, want.relative)


def _no_number(result: Any) -> str | None:
    if isinstance(result, Tensor) and result.numel() != 1:
        return f"it gave a tensor of shape {tuple(result.shape)}, not a number"
    if not isinstance(result, int | float | Tensor):
        return "it gave None" if result is None else f"it gave a {type(result).__name__}, not a number"
    return None


def _is_d(got: Estimates | str, want: Estimates) -> str | None:
    if isinstance(got, str):
        return got
    estimate, d = got.numbers[0], want.numbers[0]
    if abs(estimate - d) <= want.relative * d:
        return None
    return (
        f"it gave {number(estimate)}, and the variance should be near {d:.0f} "
        f"(chance moves it by less than {want.relative * d:.2g})"
    )


def _kind(answer: Callable, args: tuple) -> str:
    result = _call(answer, args)
    return "float" if isinstance(result, float) else type(result).__name__


def _is_float(got: str, want: Any) -> str | None:
    return None if got == "float" else f"it gave a {got}, and should give a plain Python float"


def _variance_of(scores: Callable, spread: Callable = torch.var) -> Callable:
    """The spread of scores that are made of `trials` queries and keys."""

    def variance(d, trials, generator):
        queries, keys = (torch.randn(trials, d, generator=generator) for _ in range(2))
        return float(spread(scores(queries, keys)))

    return variance


def _products(queries: Tensor, keys: Tensor) -> Tensor:
    return (queries * keys).sum(-1)


def _uniform_scores(d, trials, generator):
    queries, keys = (torch.rand(trials, d, generator=generator) for _ in range(2))
    return float(_products(queries, keys).var())


_right_variance = _variance_of(_products)

SCORE_VARIANCE = Exercise(
    name="score_variance",
    arguments=("d", "trials", "generator"),
    properties=(
        Property("gives a plain float", _variance_calls, _kind, _is_float, suggests="not-a-float"),
        Property(_DRAWS_FROM_GENERATOR, _variance_calls, _repeatable, _judge_repeatable, suggests="ignores-generator"),
        Property(
            "each trial has a query and a key of its own",
            _narrow_variances,
            _is_steady(5.0),
            _true_or(_NOT_STEADY),
            suggests="shared-draw",
        ),
        Property("the variance of q·k is d, but for chance", _variances, _variance_estimate, _is_d),
        Property(
            "draws as many pairs as `trials` says",
            _two_trials,
            _is_rough(lambda args: args[0]),
            _true_or(_NOT_ROUGH),
            suggests="ignores-trials",
        ),
        own_work(_variance_calls, _forbidden_uses),
    ),
    misconceptions=(
        Misconception(
            "variance-of-entries",
            "the result is near 1, whatever d is",
            "1 is the variance of *one* entry, of one product of two entries, and of a score already divided by √d. Asked for "
            "is the plain q·k, a *sum* of d such products. Sum over d first, then take the variance over the trials.",
            (
                _variance_of(lambda q, k: q),
                _variance_of(lambda q, k: q * k),
                _variance_of(lambda q, k: _products(q, k) / math.sqrt(q.shape[-1])),
            ),
        ),
        Misconception(
            "standard-deviation",
            "the result grows like √d: a standard deviation, not a variance",
            "The typical size of a score, its standard deviation or the mean of |q·k|, grows like √d. The variance is the mean "
            "of the *squared* distance from the mean, and grows like d.",
            (_variance_of(_products, torch.std), _variance_of(_products, lambda scores: scores.abs().mean())),
        ),
        Misconception(
            "mean-not-variance",
            "the mean of the scores is returned",
            "The scores are as often positive as negative, and their mean is near 0. How far do they lie from it?",
            (_variance_of(_products, torch.mean),),
        ),
        Misconception(
            "product-with-itself",
            "a query is multiplied with itself",
            "q·q is a sum of squares: never negative, near d, and of variance 2d. The key is drawn independently.",
            (_variance_of(lambda q, k: _products(q, q)),),
        ),
        Misconception(
            "mean-over-d",
            "the products are averaged over d, not summed",
            "A dot product is a sum. Its mean over d has a variance that *falls* with d.",
            (_variance_of(lambda q, k: (q * k).mean(-1)),),
        ),
        Misconception(
            "sum-not-mean",
            "the squares are summed over the trials, not averaged",
            "A variance is a *mean* square: with twice the trials yours is twice as large.",
            (_variance_of(_products, lambda scores: ((scores - scores.mean()) ** 2).sum()),),
        ),
        Misconception(
            "sums-over-trials",
            "the sum runs over the trials, and the variance over d",
            "The other way round: each trial's products are summed over d, which gives one score a trial. "
            "How these scores vary is the question.",
            (_variance_of(lambda q, k: (q * k).sum(0), lambda scores: scores.var(correction=0)),),
        ),
        Misconception(
            "variance-squared",
            "the variance is squared",
            "The variance is a mean square already.",
            (_variance_of(_products, lambda scores: scores.var() ** 2),),
        ),
        Misconception(
            "uniform-numbers",
            "the entries are uniform, not normal",
            "`torch.rand` draws evenly between 0 and 1, with mean 1/2. Standard-normal numbers have mean 0 and variance 1.",
            (_uniform_scores,),
        ),
        Misconception(
            "shared-draw",
            "all trials share one query or one key",
            "With one query for all trials you measure |q|², which chance decided once. Each trial needs a pair of its own.",
            (
                _variance_of(lambda q, k: _products(q[:1], k)),
                _variance_of(lambda q, k: _products(q, k[:1])),
            ),
        ),
        Misconception(
            "ignores-trials",
            "the number of trials is fixed",
            "`trials` says how many pairs to draw. With two of them the result can only be rough.",
            (lambda d, trials, generator: _right_variance(d, 2000, generator),),
        ),
        _ignoring_generator(_right_variance),
        Misconception(
            "not-a-float",
            "a tensor comes back, not a float",
            "A tensor of one number isn't a number yet: `.item()` or `float(...)` turns it into one.",
            (lambda d, trials, generator: torch.tensor(_right_variance(d, trials, generator)),),
        ),
        forbidden_call(),
        NOTHING_RETURNED,
    ),
)


# --- 4. gradient_norms ---------------------------------------------------------------------------------------------


def _norms_case(draw: Draw, dims: list[int], scaled: bool, num_keys: int, trials: int = 400) -> Case:
    args = (dims, scaled, num_keys, trials, Seeded(int(draw.integers(0, 9999, 1))))
    return Case(args, _norms_wanted(*args[:4]))


def _norms_wanted(dims: list[int], scaled: bool, num_keys: int, trials: int) -> Estimates:
    means, deviations = zip(*(_norm_oracle(d, scaled, num_keys) for d in dims), strict=True)
    error = _SIGMAS * math.sqrt(1 / trials + 1 / _ORACLE_TRIALS)
    return Estimates(means, tuple(error * deviation + 1e-5 for deviation in deviations), 0.1)


def _scaled_norms(draw: Draw) -> Iterator[Case]:
    yield _norms_case(draw, [4], True, 2)
    yield _norms_case(draw, [64, 2], True, 6)  # in the order of dims, whatever that is


def _unscaled_norms(draw: Draw) -> Iterator[Case]:
    yield _norms_case(draw, [16], False, 2)
    yield _norms_case(draw, [4, 64, 1], False, 6)


def _one_key(draw: Draw) -> Iterator[Case]:
    yield _norms_case(draw, [4], True, 1, trials=10)


def _narrow_norms(draw: Draw) -> Iterator[Case]:
    # With d = 1 and two keys for all, the norm hangs on how far apart they happen to lie.
    yield Case(([1], True, 2, 250, Seeded(int(draw.integers(0, 9999, 1)))), True)


def _one_trial(draw: Draw) -> Iterator[Case]:
    yield Case(([64], False, 2, 1, Seeded(int(draw.integers(0, 9999, 1)))), True)


def _norms_calls(draw: Draw) -> Iterator[Case]:
    yield Case(([3], True, 2, 5, Seeded(int(draw.integers(0, 9999, 1)))), None)
    yield Case(([8, 2, 3, 5], False, 3, 5, Seeded(int(draw.integers(0, 9999, 1)))), None)


def _shape_of_norms(answer: Callable, args: tuple) -> Any:
    result = _call(answer, args)
    if not isinstance(result, Tensor):
        return "it gave None" if result is None else f"it gave a {type(result).__name__}, not a tensor"
    if not result.dtype.is_floating_point:
        return "it gave a tensor of integers"
    return tuple(result.shape)


def _one_number_a_d(got: Any, want: Any) -> str | None:
    return got if isinstance(got, str) else None


def _fits_dims(answer: Callable, args: tuple) -> Any:
    shape = _shape_of_norms(answer, args)
    expected = (len(args[0]),)
    return shape if isinstance(shape, str) or shape == expected else f"its shape is {shape}, and should be {expected}"


def _norm_estimates(answer: Callable, args: tuple) -> Estimates | str:
    problem = _fits_dims(answer, args)
    if isinstance(problem, str):
        return problem
    numbers = tuple(_call(answer, args).tolist())
    want = _norms_wanted(*args[:4])
    return Estimates(numbers, want.absolute, want.relative)


def _are_near(got: Estimates | str, want: Estimates) -> str | None:
    if isinstance(got, str):
        return got
    for i, (norm, wanted, tolerance) in enumerate(zip(got.numbers, want.numbers, want.absolute, strict=True)):
        if not abs(norm - wanted) <= tolerance:
            return (
                f"it gave {number(norm)} at [{i}], and should have given {number(wanted)}, give or take {tolerance:.2g}"
            )
    return None


def _changed_dims(answer: Callable, args: tuple) -> tuple[int, ...]:
    dims, *others, seeded = args
    given = list(dims)
    with torch.random.fork_rng(devices=[]):
        answer(given, *others, seeded.generator())
    return () if given == dims else (0,)


def _norms_of(
    weights: Callable = lambda scores, d: scores.softmax(-1),
    norm: Callable = lambda jacobians: jacobians.square().sum((-2, -1)).sqrt().mean(),
    scale: Callable = lambda d, scaled: math.sqrt(d) if scaled else 1.0,
    queries_of: Callable = lambda queries: queries,
    keys_of: Callable = lambda keys: keys,
    jacobian: Callable = lambda weights, divisor: _right_jacobian(weights),
) -> Callable:
    """Gradient norms out of parts, of which one has a mistake."""

    def norms(dims, scaled, num_keys, trials, generator):
        found = []
        for d in dims:
            queries = queries_of(torch.randn(trials, 1, d, generator=generator))
            keys = keys_of(torch.randn(trials, num_keys, d, generator=generator))
            scores = (queries * keys).sum(-1) / scale(d, scaled)  # (trials, num_keys)
            found.append(norm(jacobian(weights(scores, d), scale(d, scaled))))
        return torch.stack(found)

    return norms


def _frobenius(jacobians: Tensor) -> Tensor:
    return jacobians.square().sum((-2, -1)).sqrt()


_right_norms = _norms_of()

GRADIENT_NORMS = Exercise(
    name="gradient_norms",
    arguments=("dims", "scaled", "num_keys", "trials", "generator"),
    properties=(
        Property("gives one number for each d: a tensor (len(dims),)", _norms_calls, _fits_dims, _one_number_a_d),
        Property(_DRAWS_FROM_GENERATOR, _norms_calls, _repeatable, _judge_repeatable, suggests="ignores-generator"),
        Property(
            "each trial has a query and keys of its own",
            _narrow_norms,
            _is_steady(1.3),
            _true_or(_NOT_STEADY),
            suggests="shared-draw",
        ),
        Property("with the scale, the mean norm is right, but for chance", _scaled_norms, _norm_estimates, _are_near),
        Property("without it, too", _unscaled_norms, _norm_estimates, _are_near),
        Property("with a single key the weight is always 1, and the norm 0", _one_key, _norm_estimates, _are_near),
        Property(
            "draws as often as `trials` says",
            _one_trial,
            _is_rough(lambda args: _norm_oracle(64, False, 2)[0]),
            _true_or(_NOT_ROUGH),
            suggests="ignores-trials",
        ),
        Property(
            "leaves `dims` as it was",
            lambda draw: [Case(case.args, ("dims",)) for case in _norms_calls(draw)],
            _changed_dims,
            leaves_arguments_alone,
            suggests="writes-into-dims",
        ),
        own_work(_norms_calls, _forbidden_uses),
    ),
    misconceptions=(
        Misconception(
            "scaled-ignored",
            "`scaled` makes no difference",
            "The point is to compare: with `scaled` the scores are divided by √d before the softmax, without it they aren't. "
            "Yours are treated alike.",
            (
                _norms_of(scale=lambda d, scaled: 1.0),
                _norms_of(scale=lambda d, scaled: math.sqrt(d)),
            ),
        ),
        Misconception(
            "scaled-reversed",
            "`scaled` does the opposite of what it says",
            "You divide by √d where `scaled` is False, and leave the scores plain where it is True.",
            (_norms_of(scale=lambda d, scaled: 1.0 if scaled else math.sqrt(d)),),
        ),
        Misconception(
            "divides-by-d",
            "the scores are divided by d, not by √d",
            "Divided by d, the scores shrink to 0 as d grows, and the weights become uniform.",
            (_norms_of(scale=lambda d, scaled: float(d) if scaled else 1.0),),
        ),
        Misconception(
            "multiplies-by-root-d",
            "the scores are multiplied by √d",
            "The scale makes large scores smaller. Which way does yours go?",
            (_norms_of(scale=lambda d, scaled: 1 / math.sqrt(d) if scaled else 1.0),),
        ),
        Misconception(
            "norm-of-mean",
            "it is the norm of the mean Jacobian, not the mean of the norms",
            "Entries of different trials have different signs and places, and averaging the matrices first lets them cancel. "
            "Each trial gets its norm first; the mean comes last.",
            (_norms_of(norm=lambda jacobians: jacobians.mean(0).square().sum().sqrt()),),
        ),
        Misconception(
            "root-mean-square",
            "the squares are averaged before the root",
            "The root of a mean of squares is larger than the mean of the roots. Each trial gets its own norm, root included.",
            (_norms_of(norm=lambda jacobians: jacobians.square().sum((-2, -1)).mean().sqrt()),),
        ),
        Misconception(
            "one-norm-for-all",
            "one norm is taken of all trials together",
            "A norm without axes sums over everything, the trials included. Each trial has a matrix and a norm of its own; the mean of "
            "these comes last.",
            (
                _norms_of(norm=lambda jacobians: jacobians.square().sum().sqrt()),
                _norms_of(norm=lambda jacobians: jacobians.square().sum().sqrt() / len(jacobians)),
            ),
        ),
        Misconception(
            "squared-norm",
            "it is the square of the norm: the root is missing",
            "The Frobenius norm is the *root* of the sum of the squared entries.",
            (_norms_of(norm=lambda jacobians: jacobians.square().sum((-2, -1)).mean()),),
        ),
        Misconception(
            "sum-over-trials",
            "the trials are summed up, not averaged",
            "With twice the trials your result grows. A mean doesn't.",
            (_norms_of(norm=lambda jacobians: _frobenius(jacobians).sum()),),
        ),
        Misconception(
            "softmax-over-trials",
            "the softmax runs over the trials",
            "Each trial is a query of its own, with weights that sum to 1 over *its* keys.",
            (_norms_of(weights=lambda scores, d: scores.softmax(0)),),
        ),
        Misconception(
            "other-norm",
            "it is another norm than Frobenius's",
            "The Frobenius norm takes *all* entries: the root of the sum of their squares. The largest singular value, the "
            "sum of absolute values and the trace are other measures.",
            (
                _norms_of(norm=lambda jacobians: torch.linalg.matrix_norm(jacobians, 2).mean()),
                _norms_of(norm=lambda jacobians: jacobians.abs().sum((-2, -1)).mean()),
                _norms_of(norm=lambda jacobians: jacobians.diagonal(dim1=-2, dim2=-1).sum(-1).mean()),
                _norms_of(norm=lambda jacobians: jacobians.square().mean((-2, -1)).sqrt().mean()),
                _norms_of(norm=lambda jacobians: jacobians.abs().mean((-2, -1)).mean()),
            ),
        ),
        Misconception(
            "diagonal-only",
            "only the diagonal of the Jacobian enters",
            "Every score acts on every weight: the entries off the diagonal belong to the norm.",
            (_norms_of(jacobian=lambda weights, divisor: (weights * (1 - weights)).diag_embed()),),
        ),
        Misconception(
            "norm-of-weights",
            "it is the norm of the weights, not of their Jacobian",
            "Where the softmax saturates its weights are large and its *derivatives* are small. Asked for are the latter.",
            (
                _norms_of(
                    norm=lambda weights: weights.square().sum(-1).sqrt().mean(), jacobian=lambda weights, _: weights
                ),
            ),
        ),
        Misconception(
            "jacobian-of-scores",
            "the Jacobian is taken at the scores, not at the weights",
            "The formula diag(p) − p pᵀ wants the weights p: the scores have to go through the softmax first.",
            (_norms_of(weights=lambda scores, d: scores),),
        ),
        Misconception(
            "scale-in-the-jacobian",
            "the Jacobian is divided by √d as well",
            "You differentiate with respect to the plain q·k, which adds a factor 1/√d. Asked for is the softmax's own Jacobian: "
            "with respect to what goes into the softmax.",
            (_norms_of(jacobian=lambda weights, divisor: _right_jacobian(weights) / divisor),),
        ),
        Misconception(
            "shared-draw",
            "trials share their query or their keys",
            "One query, or one set of keys, for all the trials makes the result hang on that one draw. "
            "Each trial draws its own.",
            (
                _norms_of(keys_of=lambda keys: keys[:1]),
                _norms_of(queries_of=lambda queries: queries[:1]),
            ),
        ),
        Misconception(
            "ignores-trials",
            "the number of trials is fixed",
            "`trials` says how many draws to average. With one of them the result can only be rough.",
            (lambda dims, scaled, num_keys, trials, generator: _right_norms(dims, scaled, num_keys, 400, generator),),
        ),
        _ignoring_generator(_right_norms),
        Misconception(
            "order-of-dims",
            "the norms come in another order than `dims`",
            "The first number belongs to the first d, as given: `dims` need not be sorted.",
            (
                lambda dims, scaled, num_keys, trials, generator: _right_norms(
                    sorted(dims), scaled, num_keys, trials, generator
                ),
            ),
        ),
        Misconception(
            "writes-into-dims",
            "the caller's list of dims is changed",
            "The norms are right, but the caller's list isn't what it was. `sort`, `pop` and `append` change a list in place.",
            (
                lambda dims, *others: (_right_norms(dims, *others), dims.append(1))[0],
                lambda dims, *others: (_right_norms(dims, *others), dims.clear())[0],
            ),
        ),
        Misconception(
            "not-a-tensor",
            "a list comes back, not a tensor",
            "Collect the norms in a list if you like, but make a tensor of it in the end.",
            (lambda *args: _right_norms(*args).tolist(),),
        ),
        forbidden_call(),
        NOTHING_RETURNED,
    ),
)


# --- 5. scaled_dot_product_attention -------------------------------------------------------------------------------


def _attention_case(draw: Draw, sizes: tuple, valid_lens: Tensor | None, want: Callable, scale: float = 2.0) -> Case:
    batch, num_queries, num_keys, d, v = sizes
    args = (
        draw.normal(batch, num_queries, d, scale=scale),
        draw.normal(batch, num_keys, d, scale=scale),
        draw.normal(batch, num_keys, v, scale=scale),
        valid_lens,
    )
    return Case(args, want(*args))


def _wanted_weights(queries, keys, values, valid_lens):
    return _weights_oracle(queries, keys, valid_lens)


def _wanted_shapes(queries, keys, values, valid_lens):
    leading = queries.shape[:2]
    return (*leading, values.shape[2]), (*leading, keys.shape[1])


def _without_lengths(want: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _attention_case(draw, (1, 1, 2, 4, 3), None, want)
        yield _attention_case(draw, (1, 2, 3, 4, 1), None, want)
        yield _attention_case(draw, (2, 2, 2, 2, 2), None, want)  # every axis of the same size
        yield _attention_case(draw, (2, 4, 3, 1, 5), None, want)
        yield _attention_case(draw, (3, 2, 4, 6, 2), None, want)

    return cases


def _length_a_sequence(want: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _attention_case(draw, (1, 1, 3, 4, 2), torch.tensor([2]), want)
        yield _attention_case(draw, (2, 1, 3, 4, 2), torch.tensor([1, 3]), want)
        yield _attention_case(draw, (2, 2, 2, 2, 2), torch.tensor([2, 1]), want)
        yield _attention_case(draw, (4, 3, 5, 3, 2), draw.integers(1, 5, 4), want)
        yield _attention_case(draw, (3, 3, 3, 2, 4), torch.tensor([2, 1, 3]).int(), want)

    return cases


def _length_a_query(want: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _attention_case(draw, (1, 2, 3, 4, 2), torch.tensor([[1, 2]]), want)
        yield _attention_case(draw, (2, 2, 2, 2, 2), torch.tensor([[2, 1], [1, 2]]), want)
        yield _attention_case(draw, (3, 2, 4, 3, 2), draw.integers(1, 4, 3, 2), want)

    return cases


def _loud_padding(draw: Draw) -> Iterator[Case]:
    for loudness in (1e3, -1e3):
        for lengths in (torch.tensor([2, 1]), torch.tensor([[2, 1], [1, 1]])):
            queries, keys, values = (draw.normal(2, size, 4) for size in (2, 3, 3))
            keys[:, 2:], values[:, 2:] = loudness, loudness
            args = (queries, keys, values, lengths)
            yield Case(args, _output_oracle(*args))
    # Scores of the valid keys far below any ordinary number: what stands for −∞ has to be lower still. Every product, sum
    # and root here is exact in float32, in whatever order it is taken.
    queries, keys, values = (
        torch.ones(1, 2, 16),
        draw.integers(-20_003, -20_000, 1, 3, 16).float(),
        draw.normal(1, 3, 4),
    )
    keys[:, :, 1:] = -20_000.0
    args = (queries, keys, values, torch.tensor([2]))
    yield Case(args, _output_oracle(*args))


def _attention_arguments(draw: Draw) -> Iterator[Case]:
    for lengths in (None, torch.tensor([1, 3]), torch.tensor([[1, 2], [3, 1]])):
        args = (*(draw.normal(2, size, 4) for size in (2, 3, 3)), lengths)
        yield Case(args, ("queries", "keys", "values", "valid_lens"))


def _attention_gradients(part: int) -> Callable[[Draw], Iterator[Case]]:
    def both(*args: Any) -> tuple[Tensor, Tensor]:
        return _output_oracle(*args), _wanted_weights(*args)

    def cases(draw: Draw) -> Iterator[Case]:
        for lengths in (None, torch.tensor([2, 3]), torch.tensor([[1, 2], [3, 2]])):
            queries, keys, values = draw.normal(2, 2, 4), draw.normal(2, 3, 4), draw.normal(2, 3, 2)
            args = (queries, keys, values, lengths)
            yield Case(args, _gradient_through(part)(both, clones(args)))

    return cases


def _attention_types(want: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for dtype in (torch.float16, torch.bfloat16, torch.float64):
            args = (*(draw.normal(2, size, 4, scale=0.5).to(dtype) for size in (2, 3, 3)), None)
            yield Case(args, want(*args))

    return cases


def _gradient_through(part: int) -> Callable[[Callable, tuple], Tensor | None]:
    """Observe the gradients of one of the pair, with respect to queries, keys and values, one behind the other."""

    def observe(answer: Callable, args: tuple) -> Tensor | None:
        inputs = [each.requires_grad_() for each in args[:3]]
        pair = tensors(answer(*args))
        if not pair[part].requires_grad:
            return None
        found = torch.autograd.grad(weighted_sum(pair[part]), inputs[: 3 - part], allow_unused=True)
        return None if any(each is None for each in found) else torch.cat([each.flatten() for each in found])

    return observe


def _keep(scores: Tensor, valid_lens: Tensor | None) -> Tensor:
    if valid_lens is None:
        return torch.ones_like(scores, dtype=torch.bool)
    lengths = valid_lens.reshape(scores.shape[0], -1, 1)
    return (torch.arange(scores.shape[2]) < lengths).expand_as(scores)


def _softmax(scores: Tensor, valid_lens: Tensor | None) -> Tensor:
    return scores.masked_fill(~_keep(scores, valid_lens), -torch.inf).softmax(-1)


def _attend(
    weigh: Callable = _softmax,
    divisor: Callable = lambda q, k, v: math.sqrt(q.shape[-1]),
    pool: Callable = lambda weights, keys, values: weights @ values,
    result: Callable = lambda output, weights: (output, weights),
) -> Callable:
    """Attention out of parts, of which one has a mistake."""

    def attend(queries, keys, values, valid_lens=None):
        weights = weigh(queries @ keys.mT / divisor(queries, keys, values), valid_lens)
        return result(pool(weights, keys, values), weights)

    return attend


def _lengths_through(change: Callable) -> Callable:
    return _attend(
        lambda scores, valid_lens: _softmax(scores, None if valid_lens is None else change(valid_lens, scores))
    )


def _overwrite_argument(position: int) -> Callable:
    def overwrite(*args):
        pair = _attend()(*args)
        args[position].mul_(0.5)
        return pair

    return overwrite


def _overwrite_lengths(queries, keys, values, valid_lens=None):
    pair = _attend()(queries, keys, values, valid_lens)
    if valid_lens is not None:
        valid_lens += 1
    return pair


def _builtin(queries, keys, values, valid_lens=None):
    _, weights = _attend()(queries, keys, values, valid_lens)
    mask = _keep(weights, valid_lens)
    return nn.functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask), weights


def _cut(*positions: int) -> Callable:
    return lambda *args: _attend()(*(each.detach() if i in positions else each for i, each in enumerate(args)))


SCALED_DOT_PRODUCT_ATTENTION = Exercise(
    name="scaled_dot_product_attention",
    arguments=("queries", "keys", "values", "valid_lens"),
    properties=(
        Property(
            "gives a pair: the output (batch, query, v), then the weights (batch, query, key)",
            _without_lengths(_wanted_shapes),
            shapes(),
            have_shapes,
            suggests="not-a-pair",
        ),
        Property(
            "the weights are the softmax of q·k/√d over the keys",
            _without_lengths(_wanted_weights),
            part(1),
            equals,
        ),
        Property(
            "the output is the mean of the values, weighted by them",
            _without_lengths(_output_oracle),
            part(0),
            equals,
        ),
        Property(
            "keys beyond a sequence's length have no weight, and the others share all of it",
            _length_a_sequence(_wanted_weights),
            part(1),
            equals,
        ),
        Property(
            "takes lengths of shape (batch, query) too",
            _length_a_query(_wanted_weights),
            part(1),
            equals,
            suggests="ignores-2d-lengths",
        ),
        Property("the output is made with the masked weights", _length_a_sequence(_output_oracle), part(0), equals),
        Property("whatever lies in the padding makes no difference", _loud_padding, part(0), equals),
        Property(
            "leaves its arguments as they were",
            _attention_arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "the output's gradient reaches queries, keys and values, and is right",
            _attention_gradients(0),
            _gradient_through(0),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "the weights' gradient reaches queries and keys, and is right",
            _attention_gradients(1),
            _gradient_through(1),
            right_gradient,
            suggests="detached-weights",
            shows=GRADIENT,
        ),
        Property(
            "the output keeps the type: float16, bfloat16, float64",
            _attention_types(_output_oracle),
            part(0),
            equals,
        ),
        Property("so do the weights", _attention_types(_wanted_weights), part(1), equals),
        own_work(_without_lengths(_wanted_shapes)),
    ),
    misconceptions=(
        Misconception(
            "never-scales",
            "the scores are not scaled",
            "The dot products go into the softmax as they are. What has to happen to them first, if d may be large?",
            (_attend(divisor=lambda q, k, v: 1.0),),
        ),
        Misconception(
            "root-of-value-width",
            "the root is taken of the wrong width",
            "What makes a score large is the number of products that it sums: the width of queries and keys. The width of the "
            "values, the number of keys and the number of queries have no part in it.",
            (
                _attend(divisor=lambda q, k, v: math.sqrt(v.shape[-1])),
                _attend(divisor=lambda q, k, v: math.sqrt(k.shape[1])),
                _attend(divisor=lambda q, k, v: math.sqrt(q.shape[1])),
            ),
        ),
        Misconception(
            "divides-by-d",
            "the scores are divided by d, not by √d",
            "Then the weights become uniform as d grows. Exercise 3 says how fast the scores' size really grows.",
            (_attend(divisor=lambda q, k, v: float(q.shape[-1])),),
        ),
        Misconception(
            "multiplies-by-root-d",
            "the scores are multiplied by √d",
            "The scale makes large scores smaller. Which way does yours go?",
            (_attend(divisor=lambda q, k, v: 1 / math.sqrt(q.shape[-1])),),
        ),
        Misconception(
            "scale-after-softmax",
            "the weights are scaled, not the scores",
            "The scale belongs before the softmax. After it, it only makes the weights sum to something else than 1.",
            (
                lambda queries, keys, values, valid_lens=None: _attend(
                    lambda scores, lens: _softmax(scores, lens) / math.sqrt(queries.shape[-1]),
                    divisor=lambda q, k, v: 1.0,
                )(queries, keys, values, valid_lens),
            ),
        ),
        Misconception(
            "mask-after-softmax",
            "the padding is masked after the softmax",
            "By then the padding has taken its share, and the real keys share what is left: less than 1. Mask the scores first "
            "(dividing by the sum afterwards fails where the padding's scores are so high that nothing is left).",
            (
                _attend(lambda scores, lens: scores.softmax(-1) * _keep(scores, lens)),
                _attend(
                    lambda scores, lens: nn.functional.normalize(
                        scores.softmax(-1) * _keep(scores, lens), p=1.0, dim=-1, eps=1e-30
                    )
                ),
                _attend(
                    lambda scores, lens: (
                        (scores.softmax(-1) * _keep(scores, lens))
                        / (scores.softmax(-1) * _keep(scores, lens)).sum(-1, keepdim=True)
                    )
                ),
            ),
        ),
        Misconception(
            "masks-with-zero",
            "the padding's scores are set to 0",
            "exp(0) is 1: a score of 0 is an ordinary score. Which score has the exponential 0?",
            (_attend(lambda scores, lens: (scores * _keep(scores, lens)).softmax(-1)),),
        ),
        Misconception(
            "weights-over-wrong-axis",
            "the softmax runs over the wrong axis",
            "Each *query* spreads a weight of 1 over the keys, so every row (…, query, :) sums to 1. Which axis is that?",
            (
                _attend(lambda scores, lens: scores.masked_fill(~_keep(scores, lens), -torch.inf).softmax(1)),
                _attend(lambda scores, lens: scores.masked_fill(~_keep(scores, lens), -1e9).softmax(1)),
                _attend(lambda scores, lens: scores.masked_fill(~_keep(scores, lens), -torch.inf).softmax(0)),
                _attend(lambda scores, lens: scores.masked_fill(~_keep(scores, lens), -1e9).softmax(0)),
                _attend(lambda scores, lens: scores.softmax(1) * _keep(scores, lens)),
            ),
        ),
        Misconception(
            "order-of-the-pair",
            "the weights come first",
            "Both are there, in the other order: the course returns `output, weights`.",
            (_attend(result=lambda output, weights: (weights, output)),),
        ),
        Misconception(
            "not-a-pair",
            "what comes back isn't a pair",
            "Return two tensors: `output, weights`.",
            (
                _attend(result=lambda output, weights: output),
                _attend(result=lambda output, weights: weights),
                _attend(result=lambda output, weights: (output, weights, weights)),
            ),
        ),
        Misconception(
            "scores-for-weights",
            "scores come back in the place of the weights",
            "The second of the pair is what the values were weighed with: the scores *after* the softmax.",
            (
                lambda queries, keys, values, valid_lens=None: (
                    _attend()(queries, keys, values, valid_lens)[0],
                    _right_scores(queries, keys),
                ),
                lambda queries, keys, values, valid_lens=None: (
                    _attend()(queries, keys, values, valid_lens)[0],
                    _right_scores(queries, keys).masked_fill(
                        ~_keep(_right_scores(queries, keys), valid_lens), -torch.inf
                    ),
                ),
            ),
        ),
        Misconception(
            "no-softmax",
            "there is no softmax",
            "Scores may be negative and sum to anything. The softmax turns them into weights.",
            (
                _attend(lambda scores, lens: scores * _keep(scores, lens)),
                _attend(lambda scores, lens: scores.masked_fill(~_keep(scores, lens), -torch.inf)),
            ),
        ),
        Misconception(
            "pools-keys-for-values",
            "the keys are averaged, not the values",
            "Keys say *where* to look, values say *what* is found there. The output is made of values.",
            (_attend(pool=lambda weights, keys, values: weights @ keys),),
        ),
        Misconception(
            "unmasked-weights-returned",
            "the weights that come back aren't those that made the output",
            "The output is right, but the weights beside it are from before the mask. A heatmap of them would "
            "show attention to padding that never happened.",
            (
                lambda queries, keys, values, valid_lens=None: (
                    _attend()(queries, keys, values, valid_lens)[0],
                    _right_scores(queries, keys).softmax(-1),
                ),
            ),
        ),
        Misconception(
            "ignores-lengths",
            "`valid_lens` has no effect",
            "Your weights are the same with lengths and without.",
            (_lengths_through(lambda lens, scores: torch.full_like(lens, scores.shape[2])),),
        ),
        Misconception(
            "ignores-1d-lengths",
            "lengths of shape (batch,) have no effect",
            "One length for a whole sequence counts for each of its queries.",
            (
                _lengths_through(
                    lambda lens, scores: torch.full_like(lens, scores.shape[2]) if lens.dim() == 1 else lens
                ),
            ),
        ),
        Misconception(
            "ignores-2d-lengths",
            "lengths of shape (batch, query) aren't used as such",
            "With lengths of shape (batch, query) each query has its own. Yours share one, have none, or stop the code.",
            (
                _lengths_through(
                    lambda lens, scores: torch.full_like(lens, scores.shape[2]) if lens.dim() == 2 else lens
                ),
                _lengths_through(lambda lens, scores: lens[:, 0] if lens.dim() == 2 else lens),
            ),
        ),
        Misconception(
            "lengths-on-the-wrong-axis",
            "the lengths are repeated along the wrong axis",
            "Each length belongs to a *sequence*, and all the queries of that sequence share it. Yours go to the queries in turn.",
            (
                _lengths_through(
                    lambda lens, scores: (
                        lens.repeat(scores.shape[1]).reshape(scores.shape[:2]) if lens.dim() == 1 else lens
                    )
                ),
            ),
        ),
        Misconception(
            "one-length-for-all",
            "every sequence is given the same length",
            "A batch of one works, but in a larger one each sequence has a length of its own.",
            (
                _lengths_through(lambda lens, scores: lens[:1].expand_as(lens)),
                _lengths_through(lambda lens, scores: lens.max().expand_as(lens)),
            ),
        ),
        Misconception(
            "inverted-mask",
            "the mask is the wrong way round",
            "You attend to the padding and leave the real keys out. True means *keep*.",
            (
                _attend(
                    lambda scores, lens: (
                        scores.softmax(-1)
                        if lens is None
                        else scores.masked_fill(_keep(scores, lens), -torch.inf).softmax(-1)
                    )
                ),
                _attend(
                    lambda scores, lens: (
                        scores.softmax(-1)
                        if lens is None
                        else scores.masked_fill(_keep(scores, lens), -1e9).softmax(-1)
                    )
                ),
            ),
        ),
        Misconception(
            "off-by-one",
            "each length is off by one",
            "A length of 2 means the keys 0 and 1. Count the keys that your mask keeps.",
            (
                _lengths_through(lambda lens, scores: lens + 1),
                _lengths_through(lambda lens, scores: lens - 1),
            ),
        ),
        Misconception(
            "writes-into-arguments",
            "one of the caller's tensors is overwritten",
            "The result is right, but the caller's tensors are no longer what they were. "
            "An operator such as `/=` writes in place.",
            (_overwrite_argument(0), _overwrite_argument(1), _overwrite_argument(2), _overwrite_lengths),
        ),
        Misconception(
            "detached-weights",
            "the weights that come back have lost their gradient",
            "The weights are detached before they are returned. Lose a term of a loss on them, and nothing learns: the caller "
            "can detach them, but not attach them again.",
            (_attend(result=lambda output, weights: (output, weights.detach())),),
        ),
        Misconception(
            "detached-gradient",
            "no gradient gets through",
            "The numbers are right, but the output isn't connected to the queries, keys or values, so nothing upstream could "
            "learn: `.detach()`, `.data`, `torch.tensor(...)` and `torch.no_grad()` all cut the connection.",
            (_cut(0, 1, 2), _cut(0), _cut(1), _cut(2), _cut(0, 1)),
        ),
        Misconception(
            "type-changed",
            "the result has another type than the arguments",
            "Output and weights have the type of the queries, keys and values: float16 in, float16 out.",
            (
                lambda q, k, v, lens=None: _attend()(q.float(), k.float(), v.float(), lens),
                lambda q, k, v, lens=None: _attend()(q.double(), k.double(), v.double(), lens),
                lambda q, k, v, lens=None: _attend(result=lambda out, w: (out, w.float()))(q, k, v, lens),
            ),
        ),
        forbidden_call(_builtin),
        NOTHING_RETURNED,
    ),
)

EXERCISES = (
    DOT_PRODUCT_SCORES,
    SOFTMAX_JACOBIAN,
    SCORE_VARIANCE,
    GRADIENT_NORMS,
    SCALED_DOT_PRODUCT_ATTENTION,
)
