"""How a check judges what chance has a part in: numbers that may differ a little, and whose generator is drawn from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

DRAWS_FROM_GENERATOR = "draws all its random numbers from `generator`: one seed gives one result"


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


def call(answer: Callable, args: tuple) -> Any:
    """Call with a fresh generator and a copy of lists, and give the global random numbers back as they were."""
    with torch.random.fork_rng(devices=[]):
        result = answer(*fresh(args))
    return result.detach() if isinstance(result, Tensor) else result


def fresh(args: Iterable) -> list:
    """Arguments for one call: a generator of its own for each seed, and copies of lists."""
    made = (arg.generator() if isinstance(arg, Seeded) else arg for arg in args)
    return [list(arg) if isinstance(arg, list) else arg for arg in made]


def repeatable(answer: Callable, args: tuple) -> Repeatable:
    """Observe whether the numbers come from the generator, and from nowhere else."""
    *others, seeded = args
    with torch.random.fork_rng(devices=[]):
        generator = seeded.generator()
        before, global_before = generator.get_state(), torch.get_rng_state()
        first = answer(*fresh(others), generator)
        moved = not torch.equal(generator.get_state(), before)
        second = answer(*fresh(others), generator)
        again = answer(*fresh(args))
        other = answer(*fresh((*others, Seeded(seeded.seed + 1))))
        return Repeatable(
            _alike(first, again),
            not _alike(first, other),
            moved and not _alike(first, second),
            torch.equal(torch.get_rng_state(), global_before),
        )


def _alike(a: Any, b: Any) -> bool:
    return torch.equal(torch.as_tensor(a), torch.as_tensor(b))


def judge_repeatable(got: Repeatable, want: Any) -> str | None:
    if not got.same_again:
        return "two generators with one seed gave two results"
    if not got.others_differ:
        return "two generators with different seeds gave the same result"
    if not got.moves_on:
        return "a second call with the same generator gave the same again: nothing was drawn from it"
    if not got.leaves_global:
        return "PyTorch's global generator was used, or set, as well"
    return None
