"""`kernel_regression`: what a right answer does, and the mistakes that people make."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.forbidden import own_work
from helpers.checks.judging import (
    GRADIENT,
    at_any_size,
    changed_arguments,
    clones,
    each_for_itself,
    equals,
    gradients,
    has_shape,
    leaves_arguments_alone,
    output,
    right_gradient,
)
from helpers.checks.spoiling import cutting, overwriting, remembering, stopping_at_64


def _kernel_oracle(x_query: Tensor, x_train: Tensor, y_train: Tensor, bandwidth: float) -> Tensor:
    """Differentiable; one query after the other, in float64."""
    predictions = []
    for x in x_query.double():
        scores = torch.stack([-((x - x_of_point) ** 2) / (2 * bandwidth**2) for x_of_point in x_train.double()])
        exps = (scores - scores.max().detach()).exp()
        predictions.append(sum(w * y for w, y in zip(exps / exps.sum(), y_train.double(), strict=True)))
    return torch.stack(predictions).to(y_train.dtype)


def _kernel_case(draw: Draw, queries: int, points: int, bandwidth: float) -> Case:
    x_query, x_train = (draw.normal(size, scale=1.0).clamp(-1.5, 1.5) for size in (queries, points))
    args = (x_query, x_train, draw.normal(points), bandwidth)
    return Case(args, _kernel_oracle(*args))


def _with_bandwidths(*bandwidths: float) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for bandwidth in bandwidths:
            yield _kernel_case(draw, 1, 2, bandwidth)
            yield _kernel_case(draw, 2, 3, bandwidth)
            yield _kernel_case(draw, 3, 3, bandwidth)
            yield _kernel_case(draw, 5, 1, bandwidth)
            yield _kernel_case(draw, 4, 7, bandwidth)

    return cases


def _far_away(draw: Draw) -> Iterator[Case]:
    """Every point so many bandwidths away that its exponential is 0 in float32."""
    for offset, bandwidth in ((30.0, 0.5), (-40.0, 1.0)):
        x_query = torch.tensor([offset, offset + 5])
        # Two points are at least 2 apart, so that it isn't the rounding of large scores that decides.
        x_train = draw.integers(0, 1, 3) + torch.tensor([0.0, 3.0, 6.0])
        y_train = draw.normal(3)
        yield Case((x_query, x_train, y_train, bandwidth), _kernel_oracle(x_query, x_train, y_train, bandwidth))


def _many_points(draw: Draw) -> Iterator[Case]:
    yield _kernel_case(draw, 3, 67, 0.9)
    yield _kernel_case(draw, 131, 5, 1.1)


def _kernel_arguments(draw: Draw) -> Iterator[Case]:
    yield Case(_kernel_case(draw, 2, 3, 0.7).args, ("x_query", "x_train", "y_train"))


def _kernel_gradients(draw: Draw) -> Iterator[Case]:
    for queries, points in ((2, 3), (3, 2), (2, 2)):
        args = _kernel_case(draw, queries, points, 1.5).args
        yield Case(args, gradients(3)(_kernel_oracle, clones(args)))


def _kernel_types(draw: Draw) -> Iterator[Case]:
    for bandwidth in (1.5, 2):
        args = (*(points.double() for points in _kernel_case(draw, 3, 4, 1.0).args[:3]), bandwidth)
        yield Case(args, _kernel_oracle(*args))


def _kernel(
    score: Callable = lambda x, points, h: -((x - points) ** 2) / (2 * h**2),
    weigh: Callable = lambda scores: scores.softmax(-1),
    pool: Callable = lambda weights, x, y: weights @ y,
) -> Callable:
    """Kernel regression out of parts, one of which has a mistake; `x` is a column, so scores are (query, train)."""

    def regress(x_query, x_train, y_train, bandwidth):
        return pool(weigh(score(x_query.unsqueeze(1), x_train, bandwidth)), x_train, y_train)

    return regress


EXERCISE = Exercise(
    name="kernel_regression",
    arguments=("x_query", "x_train", "y_train", "bandwidth"),
    properties=(
        Property("gives one prediction for each query: (query,)", _with_bandwidths(1.0), output, has_shape),
        Property(
            "with a bandwidth of 1, it is the mean of y, weighted by the softmax of −(x − xᵢ)²/2",
            _with_bandwidths(1.0),
            output,
            equals,
        ),
        Property("with other bandwidths, of −(x − xᵢ)²/(2·bandwidth²)", _with_bandwidths(2.5, 0.7, 3), output, equals),
        Property(
            "far from all points it gives the nearest one's y, and not NaN or 0",
            _far_away,
            output,
            equals,
            suggests="underflow",
        ),
        Property(
            "leaves its arguments as they were",
            _kernel_arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "its gradient reaches x_query, x_train and y_train, and is right",
            _kernel_gradients,
            gradients(3),
            right_gradient,
            shows=GRADIENT,
        ),
        Property("keeps the type: float64 works", _kernel_types, output, equals, suggests="type-changed"),
        each_for_itself(_with_bandwidths(1.0)),
        at_any_size(_many_points),
        own_work(_with_bandwidths(1.0)),
    ),
    misconceptions=(
        mistakes.MINUS_MISSING.explained(
            "A score says how well a key fits. With yours the points *farthest* away fit best.",
            _kernel(lambda x, points, h: (x - points) ** 2 / (2 * h**2)),
        ),
        Misconception(
            "bandwidth-not-squared",
            "the bandwidth isn't squared",
            "The bandwidth has the unit of x. The score is a plain number, so where (x − xᵢ)² is divided, "
            "bandwidth has to be squared as well.",
            (_kernel(lambda x, points, h: -((x - points) ** 2) / (2 * h)),),
        ),
        mistakes.SOFTMAX_OVER_QUERIES.explained(
            "For each *query* the weights of all points sum to 1. In yours each point spreads a weight of 1 over the "
            "queries.",
            _kernel(weigh=lambda scores: scores.softmax(0)),
            lambda x_query, x_train, y_train, h: (
                (-((x_query - x_train.unsqueeze(1)) ** 2) / (2 * h**2)).softmax(-1).T @ y_train
            ),
        ),
        mistakes.SOFTMAX_OVER_EVERYTHING.explained(
            "Each query has weights of its own, which sum to 1. In yours all queries share one 1.",
            _kernel(weigh=lambda scores: scores.flatten().softmax(0).reshape(scores.shape)),
        ),
        Misconception(
            "two-missing",
            "the 2 in the denominator is missing",
            "The exponent of the Gaussian is −(x − xᵢ)²/(2·bandwidth²). Without the 2 your bandwidth is narrower than "
            "it says.",
            (_kernel(lambda x, points, h: -((x - points) ** 2) / h**2),),
        ),
        Misconception(
            "two-squared",
            "the 2 is squared as well",
            "Only the bandwidth is squared, and then doubled.",
            (_kernel(lambda x, points, h: -((x - points) ** 2) / (2 * h) ** 2),),
        ),
        Misconception(
            "multiplied-by-the-bandwidth",
            "the bandwidth multiplies where it should divide",
            "A wide bandwidth makes far points count for more. Yours makes them count for less. (Python reads `a / 2 "
            "* h` as `(a / 2) * h`.)",
            (
                _kernel(lambda x, points, h: -((x - points) ** 2) / 2 * h**2),
                _kernel(lambda x, points, h: -((x - points) ** 2) * 2 * h**2),
            ),
        ),
        Misconception(
            "bandwidth-ignored",
            "the bandwidth has no effect",
            "Your predictions are the same with every bandwidth.",
            (_kernel(lambda x, points, h: -((x - points) ** 2) / 2),),
        ),
        Misconception(
            "distance-not-squared",
            "the distance isn't squared",
            "The score is minus the *squared* distance, over 2·bandwidth².",
            (
                _kernel(lambda x, points, h: -(x - points).abs() / (2 * h**2)),
                _kernel(lambda x, points, h: -(x - points) / (2 * h**2)),
                _kernel(lambda x, points, h: -(x - points).abs() / h),
            ),
        ),
        Misconception(
            "weights-do-not-sum-to-1",
            "the weights don't sum to 1",
            "A prediction is a *mean* of the y: the weights of each query have to sum to 1. The exponentials alone "
            "don't, nor do they with the Gaussian's own constant.",
            (
                _kernel(weigh=torch.exp),
                _kernel(weigh=lambda scores: scores.exp() / scores.shape[1]),
                lambda x, points, y, h: _kernel(weigh=lambda scores: scores.exp() / (h * math.sqrt(2 * math.pi)))(
                    x, points, y, h
                ),
            ),
        ),
        mistakes.NO_SOFTMAX.explained(
            "Scores aren't weights: here they are all negative, and sum to anything.",
            _kernel(weigh=lambda scores: scores),
        ),
        mistakes.MEAN_TWICE.explained(
            "The weights sum to 1 already: the sum of weight times y is the mean.",
            _kernel(pool=lambda weights, x, y: weights @ y / len(y)),
            _kernel(pool=lambda weights, x, y: (weights * y).mean(-1)),
        ),
        Misconception(
            "underflow",
            "far from all points the prediction is lost",
            "The exponential of −1000 is 0 in a computer, and 0/0 is NaN; a small number added below makes 0 of it. "
            "The formula says otherwise: even the farthest points have weights that sum to 1. `softmax` takes care of "
            "it. How? Only differences of scores count.",
            (
                _kernel(weigh=lambda scores: scores.exp() / scores.exp().sum(-1, keepdim=True)),
                _kernel(weigh=lambda scores: scores.exp() / (scores.exp().sum(-1, keepdim=True) + 1e-8)),
                _kernel(weigh=lambda scores: scores.exp() / (scores.exp().sum(-1, keepdim=True) + 1e-12)),
                _kernel(weigh=lambda scores: scores.exp() / scores.exp().sum(-1, keepdim=True).clamp(min=1e-8)),
                _kernel(weigh=lambda scores: (scores.exp() / scores.exp().sum(-1, keepdim=True)).nan_to_num()),
            ),
        ),
        Misconception(
            "nearest-only",
            "only the nearest point counts",
            "That is the limit for a bandwidth near 0. Here every point has its weight.",
            (_kernel(weigh=lambda scores: nn.functional.one_hot(scores.argmax(-1), scores.shape[1]).to(scores.dtype)),),
        ),
        mistakes.POOLS_KEYS_FOR_VALUES.explained(
            "x_train are the keys: they say which points are near. The values are y_train.",
            _kernel(pool=lambda weights, x, y: weights @ x),
        ),
        Misconception(
            "weights-for-predictions",
            "the weights come back",
            "What is asked for are predictions: the weights' mean of y.",
            (_kernel(pool=lambda weights, x, y: weights), _kernel(pool=lambda weights, x, y: weights * y)),
        ),
        mistakes.AXIS_LEFT_OVER.explained(
            "For queries (query,) the predictions are (query,): one axis, and no more.",
            _kernel(pool=lambda weights, x, y: weights @ y.unsqueeze(1)),
        ),
        mistakes.AXIS_LOST.explained(
            "For a single query the predictions are (1,): one axis, as for several. `squeeze()` removes it.",
            _kernel(pool=lambda weights, x, y: (weights @ y).squeeze()),
        ),
        mistakes.PAIRS_IN_STEP.explained(
            "Every query is compared with *every* point: (query, train) distances. Subtracted as they are, the two "
            "run side by side.",
            lambda x, points, y, h: (-((x - points) ** 2) / (2 * h**2)).softmax(-1) @ y,
            lambda x, points, y, h: (-((x - points) ** 2) / (2 * h**2)).softmax(-1) * y,
        ),
        mistakes.WRITES_INTO_ARGUMENTS.row(*(overwriting(i)(_kernel()) for i in range(3)), arguments="tensors"),
        mistakes.DETACHED_GRADIENT.row(
            *(cutting(*positions)(_kernel()) for positions in ((0, 1, 2), (0, 1), (0,), (1,), (2,))),
            inputs="x_query, x_train or y_train",
        ),
        mistakes.TYPE_CHANGED.row(
            lambda x, points, y, h: _kernel()(x.float(), points.float(), y.float(), h), dtype="float64"
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(_kernel())),
        mistakes.SMALL_SIZES_ONLY.row(
            stopping_at_64(_kernel()),
            lambda x_query, x_train, y_train, h: _kernel()(x_query, x_train[:64], y_train[:64], h),
        ),
        mistakes.FORBIDDEN_CALL.row(),
        mistakes.nothing_returned(),
    ),
)
