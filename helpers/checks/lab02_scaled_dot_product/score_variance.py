"""`score_variance`: what a right answer does, and the mistakes that people make."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.chance import (
    DRAWS_FROM_GENERATOR,
    Estimates,
    Seeded,
    call,
    judge_repeatable,
    repeatable,
)
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.forbidden import own_work
from helpers.checks.judging import number
from helpers.checks.lab02_scaled_dot_product.shared import (
    NOT_ROUGH,
    NOT_STEADY,
    SIGMAS,
    TOO_ALIKE,
    forbidden_uses_when_seeded,
    ignoring_generator,
    is_rough,
    is_steady,
    true_or,
)


def _variance_case(draw: Draw, d: int, trials: int = 2000) -> Case:
    # A score is a sum of d products, each of variance 1 and fourth moment 9: the kurtosis of the sum is 3 + 6/d.
    relative = SIGMAS * math.sqrt((2 + 6 / d) / trials)
    want = Estimates((float(d),), (6 * math.sqrt(d / trials),), relative)
    return Case((d, trials, Seeded(int(draw.integers(0, 9999, 1)))), want)


def _variances(draw: Draw) -> Iterator[Case]:
    for d in (4, 16, 64, 131):
        yield _variance_case(draw, d)


def _narrow_variances(draw: Draw) -> Iterator[Case]:
    # With d = 1 and one query for all, the variance is that query's square: anything between 0 and 4.
    yield Case((1, 1000, Seeded(int(draw.integers(0, 9999, 1)))), True)


def _two_trials(draw: Draw) -> Iterator[Case]:
    # With d = 64 the length of a vector hardly varies, and a score does.
    yield Case((64, 2, Seeded(int(draw.integers(0, 9999, 1)))), True)


def _variance_calls(draw: Draw) -> Iterator[Case]:
    yield Case((3, 10, Seeded(int(draw.integers(0, 9999, 1)))), None)


def _variance_estimate(answer: Callable, args: tuple) -> Estimates | str:
    result = call(answer, args)
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
    result = call(answer, args)
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


EXERCISE = Exercise(
    name="score_variance",
    arguments=("d", "trials", "generator"),
    properties=(
        Property("gives a plain float", _variance_calls, _kind, _is_float, suggests="not-a-float"),
        Property(DRAWS_FROM_GENERATOR, _variance_calls, repeatable, judge_repeatable, suggests="ignores-generator"),
        Property(
            "each trial has a query and a key of its own",
            _narrow_variances,
            is_steady(5.0),
            true_or(NOT_STEADY),
            suggests="shared-draw",
        ),
        Property("the variance of q·k is d, but for chance", _variances, _variance_estimate, _is_d),
        Property(
            "draws as many pairs as `trials` says: with two of them, chance decides",
            _two_trials,
            is_rough(lambda args: args[0]),
            true_or(TOO_ALIKE),
            suggests=lambda got, case: "ignores-trials" if got == NOT_ROUGH else None,
        ),
        own_work(_variance_calls, forbidden_uses_when_seeded),
    ),
    misconceptions=(
        Misconception(
            "variance-of-entries",
            "the result is near 1, whatever d is",
            "1 is the variance of *one* entry, of one product of two entries, and of a score already divided by √d. "
            "Asked for is the plain q·k, a *sum* of d such products. Sum over d first, then take the variance over "
            "the trials.",
            (
                _variance_of(lambda q, k: q),
                _variance_of(lambda q, k: q * k),
                _variance_of(lambda q, k: _products(q, k) / math.sqrt(q.shape[-1])),
            ),
        ),
        Misconception(
            "standard-deviation",
            "the result grows like √d: a standard deviation, not a variance",
            "The typical size of a score, its standard deviation or the mean of |q·k|, grows like √d. The variance is "
            "the mean of the *squared* distance from the mean, and grows like d.",
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
            "length-for-score",
            "the result comes from the lengths of vectors, not from scores",
            "The mean of |q|² is d as well, but it is no variance of q·k: no query has met a key. The lengths of "
            "vectors hardly vary from draw to draw. Scores do, and how much is the question.",
            (
                _variance_of(lambda q, k: q.square().sum(-1), torch.mean),
                _variance_of(lambda q, k: k.square().sum(-1), torch.mean),
                _variance_of(lambda q, k: q.square().sum(-1) * k.square().sum(-1) / q.shape[-1], torch.mean),
                lambda d, trials, generator: float(torch.randn(trials, d, generator=generator).square().sum(-1).mean()),
            ),
        ),
        Misconception(
            "mean-over-d",
            "the products are averaged over d, not summed",
            "A dot product is a sum. Its mean over d has a variance that *falls* with d.",
            (_variance_of(lambda q, k: (q * k).mean(-1)),),
        ),
        mistakes.SUM_FOR_MEAN.explained(
            "A variance is a *mean* square: with twice the trials yours is twice as large.",
            _variance_of(_products, lambda scores: ((scores - scores.mean()) ** 2).sum()),
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
            "`torch.rand` draws evenly between 0 and 1, with mean 1/2. Standard-normal numbers have mean 0 and "
            "variance 1.",
            (_uniform_scores,),
        ),
        mistakes.SHARED_DRAW.explained(
            "With one query for all trials you measure |q|², which chance decided once. Each trial needs a pair of "
            "its own.",
            _variance_of(lambda q, k: _products(q[:1], k)),
            _variance_of(lambda q, k: _products(q, k[:1])),
        ),
        mistakes.IGNORES_TRIALS.explained(
            "`trials` says how many pairs to draw. With two of them the result can only be rough.",
            lambda d, trials, generator: _right_variance(d, 2000, generator),
        ),
        ignoring_generator(_right_variance),
        mistakes.NOT_A_FLOAT.row(
            lambda d, trials, generator: torch.tensor(_right_variance(d, trials, generator)),
        ),
        mistakes.FORBIDDEN_CALL.row(),
        mistakes.nothing_returned(),
    ),
)
