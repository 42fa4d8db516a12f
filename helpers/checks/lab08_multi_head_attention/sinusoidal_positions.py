"""`sinusoidal_positions`: what a right answer does, and the mistakes that people make."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import at_any_size, equals, has_shape, output
from helpers.checks.spoiling import remembering


def _position_oracle(length: int, dim: int) -> Tensor:
    """Number by number."""
    waves = (math.sin, math.cos)
    rows = [[waves[c % 2](p / 10000 ** ((c - c % 2) / dim)) for c in range(dim)] for p in range(length)]
    return torch.tensor(rows, dtype=torch.float32)


def _positions_of(*sizes: tuple[int, int]) -> Callable[[Draw], Iterator[Case]]:
    return lambda draw: (Case(size, _position_oracle(*size)) for size in sizes)


def _position_after_another(answer: Callable, args: tuple) -> Any:
    """Observe the positions after others have been asked for."""
    answer(args[0] + 2, args[1] + 2)
    return output(answer, args)


def _waves(
    angles: Callable = lambda p, i, dim: p / 10000 ** (2 * i / dim),
    lay: Callable = lambda sines, cosines: torch.stack([sines, cosines], dim=-1).flatten(1),
    start: int = 0,
    count: Callable = lambda length: length,
) -> Callable:
    """Positions out of parts, of which one has a mistake: column pair `i`, and how sines and cosines are laid out."""

    def positions(length, dim):
        p = start + torch.arange(count(length), dtype=torch.float64).unsqueeze(1)
        at_position = angles(p, torch.arange(dim // 2, dtype=torch.float64), dim)
        return lay(at_position.sin(), at_position.cos()).float()

    return positions


def _own_exponents(length: int, dim: int) -> Tensor:
    """Every column has its own exponent, so that sine and cosine differ in wavelength."""
    columns = torch.arange(dim)
    angles = torch.arange(length).unsqueeze(1) / 10000 ** (columns / dim)
    return torch.where(columns % 2 == 0, angles.sin(), angles.cos())


def _starts_anew(got: Any, case: Case) -> str | None:
    """Whether the rows are those of the first positions once more, from some position on."""
    if has_shape(got, case.want):
        return None
    again = any(torch.equal(got[period:], got[: len(got) - period]) for period in range(1, len(got)))
    return "positions-start-anew" if again else None


_LAYING = lambda sines, cosines: torch.stack([sines, cosines], dim=-1).flatten(1)  # noqa: E731


EXERCISE = Exercise(
    name="sinusoidal_positions",
    arguments=("length", "dim"),
    properties=(
        Property(
            "gives a row for each position, in float32: (length, dim)",
            _positions_of((2, 4), (1, 2), (3, 6)),
            output,
            has_shape,
        ),
        Property("position 0 is 0, 1, 0, 1, …", _positions_of((1, 2), (1, 4), (1, 6)), output, equals),
        Property(
            "the first two columns are the sine and the cosine of the position",
            _positions_of((2, 2), (5, 2)),
            output,
            equals,
        ),
        Property(
            "the columns 2i and 2i + 1 are the sine and the cosine of position / 10000^(2i/dim)",
            _positions_of((2, 4), (4, 4), (3, 6), (7, 10), (6, 6)),
            output,
            equals,
        ),
        Property(
            "the hundredth position is right as well",
            _positions_of((101, 2), (101, 8)),
            output,
            equals,
            suggests=_starts_anew,
        ),
        Property(
            "each call is answered for itself",
            _positions_of((3, 4), (5, 6)),
            _position_after_another,
            equals,
            suggests="answers-from-memory",
        ),
        at_any_size(_positions_of((1031, 6), (67, 134))),
    ),
    misconceptions=(
        Misconception(
            "in-halves",
            "all sines come first, then all cosines",
            "They take turns: column 0 a sine, column 1 the cosine of the same angle, column 2 the next sine. (Many "
            "libraries have them in halves. Either would do for a model, but not with weights learned with the other.)",
            (_waves(lay=lambda sines, cosines: torch.cat([sines, cosines], dim=-1)),),
        ),
        Misconception(
            "exponent-halved",
            "the exponent is i/dim, not 2i/dim",
            "i counts the *pairs* of columns, 0 … dim/2 − 1, so 2i/dim goes from 0 to nearly 1. Yours goes to one "
            "half.",
            (_waves(lambda p, i, dim: p / 10000 ** (i / dim)),),
        ),
        Misconception(
            "exponent-doubled",
            "the exponent is twice too large",
            "2i is the number of the column of the sine: 0, 2, 4, … If your i is that already, it must not be doubled "
            "again.",
            (
                _waves(lambda p, i, dim: p / 10000 ** (4 * i / dim)),
                lambda length, dim: torch.where(
                    torch.arange(dim) % 2 == 0,
                    (torch.arange(length).unsqueeze(1) / 10000 ** (2 * torch.arange(dim) / dim)).sin(),
                    (torch.arange(length).unsqueeze(1) / 10000 ** (2 * torch.arange(dim) / dim)).cos(),
                ),
            ),
        ),
        Misconception(
            "own-exponents",
            "sine and cosine have different angles",
            "A sine and the cosine beside it are of the *same* angle: both columns, 2i and 2i + 1, have the exponent "
            "2i/dim.",
            (_own_exponents,),
        ),
        Misconception(
            "exponent-off",
            "the exponent is divided by another number",
            "The exponent of pair i is 2i/dim: 0 for the first pair, and less than 1 for the last.",
            (
                _waves(lambda p, i, dim: p / 10000 ** (2 * i / max(dim - 2, 1))),
                _waves(lambda p, i, dim: p / 10000 ** (i / max(dim // 2 - 1, 1))),
                _waves(lambda p, i, dim: p / 10000 ** (2 * (i + 1) / dim)),
                _waves(lambda p, i, dim: p / 10000 ** (2 * i)),
            ),
        ),
        mistakes.POSITIONS_FROM_1.explained(
            "The first position is 0: all its sines are 0 and all its cosines are 1.", _waves(start=1)
        ),
        Misconception(
            "sine-and-cosine-swapped",
            "the cosine comes before the sine",
            "Even columns, from 0 on, are sines; odd ones are cosines.",
            (_waves(lay=lambda sines, cosines: _LAYING(cosines, sines)),),
        ),
        Misconception(
            "sines-only",
            "one of the two is missing",
            "Sines and cosines take turns.",
            (
                _waves(lay=lambda sines, cosines: _LAYING(sines, sines)),
                _waves(lay=lambda sines, cosines: _LAYING(cosines, cosines)),
            ),
        ),
        Misconception(
            "multiplied",
            "the position is multiplied where it should be divided",
            "The waves get *longer* from pair to pair: position divided by 10000^(2i/dim).",
            (_waves(lambda p, i, dim: p * 10000 ** (2 * i / dim)),),
        ),
        Misconception(
            "another-base",
            "the base isn't 10000",
            "The number whose powers stretch the waves is 10000.",
            (
                _waves(lambda p, i, dim: p / 1000 ** (2 * i / dim)),
                _waves(lambda p, i, dim: p / torch.exp(2 * i / dim)),
                _waves(lambda p, i, dim: p.expand(-1, len(i))),
            ),
        ),
        Misconception(
            "another-angle",
            "the angle isn't in radians of the position itself",
            "The angle is position / 10000^(2i/dim), as it is: no 2π, no degrees, and not a share of the length.",
            (
                _waves(lambda p, i, dim: 2 * math.pi * p / 10000 ** (2 * i / dim)),
                _waves(lambda p, i, dim: p / 10000 ** (2 * i / dim) * math.pi / 180),
                _waves(lambda p, i, dim: p / len(p) / 10000 ** (2 * i / dim)),
            ),
        ),
        Misconception(
            "power-the-other-way-round",
            "base and exponent have changed places",
            "10000 is raised to a power, and 2i/dim is the power. Yours raises 2i/dim to the power of 10000, or takes "
            "such a root of it.",
            (
                _waves(lambda p, i, dim: p * (2 * i / dim) ** (1 / 10000)),
                _waves(lambda p, i, dim: p / (2 * i / dim) ** 10000),
                _waves(lambda p, i, dim: p * (2 * i / dim) ** 10000),
                _waves(lambda p, i, dim: p / (2 * i / dim) ** (1 / 10000)),
            ),
        ),
        Misconception(
            "positions-start-anew",
            "after some positions the numbers start again from the first",
            "Two places that lie far apart then look the same to the model. Each position has numbers of its own, "
            "however long the text is. Is there a fixed number in your code, a table, or a remainder?",
            (_waves(lambda p, i, dim: p.remainder(50) / 10000 ** (2 * i / dim)),),
        ),
        Misconception(
            "axes-swapped",
            "the axes are swapped",
            "A row is a position, a column is a wave: (length, dim).",
            (lambda length, dim: _position_oracle(length, dim).T,),
        ),
        mistakes.AXIS_LEFT_OVER.explained(
            "What is asked for is (length, dim). With a batch it is broadcast.",
            lambda length, dim: _position_oracle(length, dim).unsqueeze(0),
            lambda length, dim: _position_oracle(length, dim).unsqueeze(1),
            lambda length, dim: torch.stack([*_position_oracle(length, dim).reshape(length, -1, 2).unbind(-1)], -1),
        ),
        Misconception(
            "not-float32",
            "the type isn't float32",
            "Vectors to which the positions are added are float32, as PyTorch has it unless told otherwise; float64 "
            "would turn the sum into float64.",
            (
                lambda length, dim: _position_oracle(length, dim).double(),
                lambda length, dim: _position_oracle(length, dim).half(),
            ),
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(_position_oracle)),
        mistakes.SMALL_SIZES_ONLY.row(
            lambda length, dim: _position_oracle(length, dim) * (torch.arange(length) < 512).unsqueeze(1),
            lambda length, dim: _position_oracle(length, dim) * (torch.arange(dim) < 64),
        ),
        mistakes.nothing_returned(),
    ),
)
