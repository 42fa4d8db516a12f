"""What lab 2's exercises share: whether results vary as chance would have it, and the mistakes with a generator."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.chance import Seeded, fresh
from helpers.checks.engine import Misconception
from helpers.checks.forbidden import forbidden_uses

SIGMAS = 8


def scores_oracle(queries: Tensor, keys: Tensor, scaled: bool) -> Tensor:
    """Differentiable; the result has the queries' type."""
    (batch, num_queries, d), num_keys = queries.shape, keys.shape[1]
    scores = []
    for b in range(batch):
        for q in range(num_queries):
            for k in range(num_keys):
                score = sum(queries[b, q, i].double() * keys[b, k, i].double() for i in range(d))
                scores.append(score / math.sqrt(d) if scaled else score)
    return torch.stack(scores).reshape(batch, num_queries, num_keys).to(queries.dtype)


def right_scores(queries, keys, scaled=True):
    return queries @ keys.mT / (math.sqrt(queries.shape[-1]) if scaled else 1)


def right_jacobian(weights):
    return weights.diag_embed() - weights.unsqueeze(-1) * weights.unsqueeze(-2)


def forbidden_uses_when_seeded(answer: Callable, args: tuple) -> tuple[str, ...]:
    with torch.random.fork_rng(devices=[]):
        return forbidden_uses(answer, tuple(fresh(args)))


def _over_seeds(answer: Callable, args: tuple, calls: int) -> list[float] | str:
    """The first number of each of several calls, each with a seed of its own; or why there is none."""
    *others, seeded = args
    numbers = []
    with torch.random.fork_rng(devices=[]):
        for i in range(calls):
            result = answer(*fresh((*others, Seeded(seeded.seed + i))))
            first = result.reshape(-1)[0] if isinstance(result, Tensor) and result.numel() else result
            if not isinstance(first, int | float | Tensor):
                return "it gave None" if result is None else f"it gave a {type(result).__name__}"
            numbers.append(float(first))
    return numbers


def is_steady(most: float) -> Callable[[Callable, tuple], bool | str]:
    """Observe whether the results of ten seeds stay within a factor of one another."""

    def observe(answer: Callable, args: tuple) -> bool | str:
        numbers = _over_seeds(answer, args, calls=10)
        if isinstance(numbers, str):
            return numbers
        return "it gave a negative number" if min(numbers) < 0 else max(numbers) <= most * min(numbers)

    return observe


def is_rough(expected: Callable[[tuple], float]) -> Callable[[Callable, tuple], bool | str]:
    """Observe whether any of 80 results lies below a quarter of its expectation, as chance would have it.

    If none does, say how little they vary: as if there were many trials, or as something else than a score would.
    """

    def observe(answer: Callable, args: tuple) -> bool | str:
        numbers = _over_seeds(answer, args, calls=80)
        if isinstance(numbers, str):
            return numbers
        if min(numbers) < expected(args) / 4:
            return True
        spread = torch.tensor(numbers).std().item() / abs(sum(numbers) / len(numbers) or 1.0)
        return NOT_ROUGH if spread < 0.06 else TOO_ALIKE

    return observe


def true_or(problem: str) -> Callable[[bool | str, Any], str | None]:
    """Judge something observed to be true."""
    return lambda got, want: got if isinstance(got, str) else None if got else problem


NOT_STEADY = "over several seeds the result varies far more than that many trials would"
NOT_ROUGH = "with very few trials the result is as steady as with many"
TOO_ALIKE = "with very few trials the results should lie far apart, from near 0 to several times the mean; yours don't"


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


def ignoring_generator(right: Callable) -> Misconception:
    ways = (_with_global_numbers, _with_own_seed, _seeding_anew, _seeding_globally, _starting_over)
    return mistakes.IGNORES_GENERATOR.row(*(way(right) for way in ways))
