"""`gradient_norms`: what a right answer does, and the mistakes that people make."""

import functools
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
from helpers.checks.judging import at_any_size, leaves_arguments_alone, number
from helpers.checks.lab02_scaled_dot_product.shared import (
    NOT_ROUGH,
    NOT_STEADY,
    SIGMAS,
    forbidden_uses_when_seeded,
    ignoring_generator,
    is_rough,
    is_steady,
    right_jacobian,
    true_or,
)


@functools.cache
def _norm_oracle(d: int, scaled: bool, num_keys: int) -> tuple[float, float]:
    """The mean of the Jacobian's norm, and its standard deviation, over `_ORACLE_TRIALS` draws."""
    generator = torch.Generator().manual_seed(1706)
    queries = torch.randn(_ORACLE_TRIALS, d, generator=generator, dtype=torch.float64)
    keys = torch.randn(_ORACLE_TRIALS, num_keys, d, generator=generator, dtype=torch.float64)
    scores = (queries.unsqueeze(1) * keys).sum(-1) / (math.sqrt(d) if scaled else 1)
    weights = scores.softmax(-1)
    sums = {power: (weights**power).sum(-1) for power in (2, 3)}
    # |diag(p) − p pᵀ|² = Σ pᵢ² − 2 Σ pᵢ³ + (Σ pᵢ²)²
    norms = (sums[2] - 2 * sums[3] + sums[2] ** 2).clamp(min=0).sqrt()
    return norms.mean().item(), norms.std().item()


_ORACLE_TRIALS = 4000


def _norms_case(draw: Draw, dims: list[int], scaled: bool, num_keys: int, trials: int = 400) -> Case:
    args = (dims, scaled, num_keys, trials, Seeded(int(draw.integers(0, 9999, 1))))
    return Case(args, _norms_wanted(*args[:4]))


def _norms_wanted(dims: list[int], scaled: bool, num_keys: int, trials: int) -> Estimates:
    means, deviations = zip(*(_norm_oracle(d, scaled, num_keys) for d in dims), strict=True)
    error = SIGMAS * math.sqrt(1 / trials + 1 / _ORACLE_TRIALS)
    return Estimates(means, tuple(error * deviation + 1e-5 for deviation in deviations), 0.1)


def _scaled_norms(draw: Draw) -> Iterator[Case]:
    yield _norms_case(draw, [4], True, 2)
    yield _norms_case(draw, [64, 2], True, 6)  # in the order of dims, whatever that is


def _unscaled_norms(draw: Draw) -> Iterator[Case]:
    yield _norms_case(draw, [16], False, 2)
    yield _norms_case(draw, [4, 64, 1], False, 6)


def _many_norms(draw: Draw) -> Iterator[Case]:
    yield _norms_case(draw, [2], True, 67, trials=20)
    yield _norms_case(draw, [131, *range(2, 18)], True, 3, trials=2)


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
    result = call(answer, args)
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
    numbers = tuple(call(answer, args).tolist())
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
    jacobian: Callable = lambda weights, divisor: right_jacobian(weights),
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


EXERCISE = Exercise(
    name="gradient_norms",
    arguments=("dims", "scaled", "num_keys", "trials", "generator"),
    properties=(
        Property("gives one number for each d: a tensor (len(dims),)", _norms_calls, _fits_dims, _one_number_a_d),
        Property(DRAWS_FROM_GENERATOR, _norms_calls, repeatable, judge_repeatable, suggests="ignores-generator"),
        Property(
            "each trial has a query and keys of its own",
            _narrow_norms,
            is_steady(1.3),
            true_or(NOT_STEADY),
            suggests="shared-draw",
        ),
        Property("with the scale, the mean norm is right, but for chance", _scaled_norms, _norm_estimates, _are_near),
        Property("without it, too", _unscaled_norms, _norm_estimates, _are_near),
        Property(
            "with a single key the weight is always 1, and the norm 0",
            _one_key,
            _norm_estimates,
            _are_near,
            suggests="another-number-of-keys",  # only with several keys is there anything to learn
        ),
        Property(
            "draws as often as `trials` says",
            _one_trial,
            is_rough(lambda args: _norm_oracle(64, False, 2)[0]),
            true_or(NOT_ROUGH),
            suggests="ignores-trials",
        ),
        Property(
            "leaves `dims` as it was",
            lambda draw: [Case(case.args, ("dims",)) for case in _norms_calls(draw)],
            _changed_dims,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        at_any_size(_many_norms, _norm_estimates, _are_near),
        own_work(_norms_calls, forbidden_uses_when_seeded),
    ),
    misconceptions=(
        Misconception(
            "scaled-ignored",
            "`scaled` makes no difference",
            "The point is to compare: with `scaled` the scores are divided by √d before the softmax, without it they "
            "aren't. Yours are treated alike.",
            (
                _norms_of(scale=lambda d, scaled: 1.0),
                _norms_of(scale=lambda d, scaled: math.sqrt(d)),
            ),
        ),
        mistakes.SCALED_REVERSED.row(_norms_of(scale=lambda d, scaled: 1.0 if scaled else math.sqrt(d))),
        mistakes.DIVIDES_BY_D.explained(
            "Divided by d, the scores shrink to 0 as d grows, and the weights become uniform.",
            _norms_of(scale=lambda d, scaled: float(d) if scaled else 1.0),
        ),
        mistakes.MULTIPLIES_BY_ROOT_D.row(_norms_of(scale=lambda d, scaled: 1 / math.sqrt(d) if scaled else 1.0)),
        Misconception(
            "norm-of-mean",
            "it is the norm of the mean Jacobian, not the mean of the norms",
            "Entries of different trials have different signs and places, and averaging the matrices first lets them "
            "cancel. Each trial gets its norm first; the mean comes last.",
            (_norms_of(norm=lambda jacobians: jacobians.mean(0).square().sum().sqrt()),),
        ),
        Misconception(
            "root-mean-square",
            "the squares are averaged before the root",
            "The root of a mean of squares is larger than the mean of the roots. Each trial gets its own norm, root "
            "included.",
            (_norms_of(norm=lambda jacobians: jacobians.square().sum((-2, -1)).mean().sqrt()),),
        ),
        Misconception(
            "one-norm-for-all",
            "one norm is taken of all trials together",
            "A norm without axes sums over everything, the trials included. Each trial has a matrix and a norm of its "
            "own; the mean of these comes last.",
            (
                _norms_of(norm=lambda jacobians: jacobians.square().sum().sqrt()),
                _norms_of(norm=lambda jacobians: jacobians.square().sum().sqrt() / len(jacobians)),
            ),
        ),
        Misconception(
            "largest-for-mean",
            "the largest norm of the trials is taken, not their mean",
            "One lucky draw says little. What is asked for is what a norm is *on average*.",
            (_norms_of(norm=lambda jacobians: _frobenius(jacobians).max()),),
        ),
        Misconception(
            "one-number-for-all-widths",
            "one number comes back for all of `dims`",
            "The trials of one d are averaged, and nothing else. How the norm changes from one d to the next is what "
            "one wants to see: each d has a number of its own.",
            (lambda *args: _right_norms(*args).mean(), lambda *args: _right_norms(*args).mean().item()),
        ),
        Misconception(
            "another-number-of-keys",
            "there aren't `num_keys` keys in a trial",
            "Each trial has one query and `num_keys` keys. With a single key the only weight is 1, whatever the score: "
            "nothing can change it. Yours does change. How many keys do you draw?",
            (
                lambda dims, scaled, num_keys, trials, generator: _right_norms(
                    dims, scaled, num_keys + 1, trials, generator
                ),
            ),
        ),
        Misconception(
            "squared-norm",
            "it is the square of the norm: the root is missing",
            "The Frobenius norm is the *root* of the sum of the squared entries.",
            (_norms_of(norm=lambda jacobians: jacobians.square().sum((-2, -1)).mean()),),
        ),
        mistakes.SUM_FOR_MEAN.explained(
            "With twice the trials your result grows. A mean doesn't.",
            _norms_of(norm=lambda jacobians: _frobenius(jacobians).sum()),
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
            "The Frobenius norm takes *all* entries: the root of the sum of their squares. The largest singular "
            "value, the sum of absolute values and the trace are other measures.",
            (
                _norms_of(norm=lambda jacobians: torch.linalg.matrix_norm(jacobians, 2).mean()),
                _norms_of(norm=lambda jacobians: jacobians.abs().sum((-2, -1)).mean()),
                _norms_of(norm=lambda jacobians: jacobians.diagonal(dim1=-2, dim2=-1).sum(-1).mean()),
                _norms_of(norm=lambda jacobians: jacobians.square().mean((-2, -1)).sqrt().mean()),
                _norms_of(norm=lambda jacobians: jacobians.abs().mean((-2, -1)).mean()),
            ),
        ),
        mistakes.DIAGONAL_ONLY.explained(
            "Every score acts on every weight: the entries off the diagonal belong to the norm.",
            _norms_of(jacobian=lambda weights, divisor: (weights * (1 - weights)).diag_embed()),
        ),
        Misconception(
            "fourth-root",
            "the scores are divided by the fourth root of d",
            "Where queries *and* keys are scaled before they meet, each is divided by ⁴√d, and together that makes √d. "
            "Yours makes only half of that way.",
            (_norms_of(scale=lambda d, scaled: d**0.25 if scaled else 1.0),),
        ),
        Misconception(
            "norm-of-weights",
            "it is the norm of the weights, not of their Jacobian",
            "Where the softmax saturates its weights are large and its *derivatives* are small. Asked for are the "
            "latter.",
            (
                _norms_of(
                    norm=lambda weights: weights.square().sum(-1).sqrt().mean(), jacobian=lambda weights, _: weights
                ),
            ),
        ),
        Misconception(
            "jacobian-of-scores",
            "the Jacobian is taken at the scores, not at the weights",
            "The formula diag(α) − α αᵀ wants the weights α: the scores have to go through the softmax first.",
            (_norms_of(weights=lambda scores, d: scores),),
        ),
        Misconception(
            "scale-in-the-jacobian",
            "the Jacobian is divided by √d as well",
            "You differentiate with respect to the plain q·k, which adds a factor 1/√d. Asked for is the softmax's "
            "own Jacobian: with respect to what goes into the softmax.",
            (_norms_of(jacobian=lambda weights, divisor: right_jacobian(weights) / divisor),),
        ),
        mistakes.SHARED_DRAW.explained(
            "One query, or one set of keys, for all the trials makes the result hang on that one draw. "
            "Each trial draws its own.",
            _norms_of(keys_of=lambda keys: keys[:1]),
            _norms_of(queries_of=lambda queries: queries[:1]),
        ),
        mistakes.IGNORES_TRIALS.explained(
            "`trials` says how many draws to average. With one of them the result can only be rough.",
            lambda dims, scaled, num_keys, trials, generator: _right_norms(dims, scaled, num_keys, 400, generator),
        ),
        ignoring_generator(_right_norms),
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
        mistakes.WRITES_INTO_ARGUMENTS.explained(
            "The norms are right, but the caller's list isn't what it was. `sort`, `pop` and `append` change a list "
            "in place.",
            lambda dims, *others: (_right_norms(dims, *others), dims.append(1))[0],
            lambda dims, *others: (_right_norms(dims, *others), dims.clear())[0],
        ),
        mistakes.NOT_A_TENSOR.explained(
            "Collect the norms in a list if you like, but make a tensor of it in the end.",
            lambda *args: _right_norms(*args).tolist(),
        ),
        mistakes.SMALL_SIZES_ONLY.row(
            lambda dims, scaled, num_keys, trials, generator: _right_norms(
                dims, scaled, min(num_keys, 8), trials, generator
            ),
            lambda dims, *others: _right_norms(dims[:8], *others),
        ),
        mistakes.FORBIDDEN_CALL.row(),
        mistakes.nothing_returned(),
    ),
)
