"""The mistakes that people make in `rotate`, each with the wrong implementations that show it."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.spoiling import cutting, overwriting, remembering, stopping_at_64


def _rates(pairs: Tensor, dim: int, base: float) -> Tensor:
    return base ** (-2 * pairs / dim)


def _neighbours(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[..., 0::2], x[..., 1::2]


def _side_by_side(a: Tensor, b: Tensor) -> Tensor:
    return torch.stack([a, b], dim=-1).flatten(-2)


def _halves(x: Tensor) -> tuple[Tensor, ...]:
    return x.chunk(2, dim=-1)


def _one_after_another(a: Tensor, b: Tensor) -> Tensor:
    return torch.cat([a, b], dim=-1)


def _turned(a: Tensor, b: Tensor, cosines: Tensor, sines: Tensor) -> tuple[Tensor, Tensor]:
    return a * cosines - b * sines, a * sines + b * cosines


def _rotating(
    rates: Callable = _rates,
    pair: Callable = _neighbours,
    turn: Callable = _turned,
    join: Callable = _side_by_side,
    at: Callable = lambda positions, x: positions,
    along: Callable = lambda angles: angles,
    change: Callable = lambda angle: angle,
    precision: Callable = lambda x: torch.float64,
    check: bool = True,
) -> Callable:
    """A rotation out of parts, of which one has a mistake."""

    def rotate(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
        dim = x.shape[-1]
        if check and dim % 2:
            raise ValueError("x must have an even width")
        kind = precision(x)
        each = rates(torch.arange(dim // 2, dtype=torch.float64), dim, base).to(kind)
        angles = change(along(at(positions, x).to(kind).unsqueeze(1) * each))
        return join(*turn(*pair(x), angles.cos().to(x.dtype), angles.sin().to(x.dtype)))

    return rotate


_right = _rotating()


def _first_overwritten(a: Tensor, b: Tensor, cosines: Tensor, sines: Tensor) -> tuple[Tensor, Tensor]:
    a = a * cosines - b * sines
    return a, a * sines + b * cosines


def _each_column_its_own(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    if x.shape[-1] % 2:
        raise ValueError("x must have an even width")
    angles = positions.unsqueeze(1) * base ** (-torch.arange(x.shape[-1]).double() / x.shape[-1])
    a, b = _neighbours(x)
    partners = _side_by_side(-b, a)
    return x * angles.cos().to(x.dtype) + partners * angles.sin().to(x.dtype)


def _added(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    if x.shape[-1] % 2:
        raise ValueError("x must have an even width")
    angles = positions.unsqueeze(1) * _rates(torch.arange(x.shape[-1] // 2).double(), x.shape[-1], base)
    return x + _side_by_side(angles.sin(), angles.cos()).to(x.dtype)


def _unpaired(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    """Halves as partners, with the angles of neighbours."""
    if x.shape[-1] % 2:
        raise ValueError("x must have an even width")
    angles = positions.unsqueeze(1) * _rates(torch.arange(x.shape[-1] // 2).double(), x.shape[-1], base)
    cosines, sines = (_side_by_side(wave, wave).to(x.dtype) for wave in (angles.cos(), angles.sin()))
    first, second = _halves(x)
    return x * cosines + _one_after_another(-second, first) * sines


def _along_the_heads(angles: Tensor) -> Tensor:
    return angles.unsqueeze(1)  # (length, 1, dim/2), which is broadcast along the length and laid over the heads


MISTAKES = (
    Misconception(
        "halves-for-neighbours",
        "the two halves are paired, not neighbours",
        "Columns 0 and 1 are a pair, columns 2 and 3 the next. Yours turns column 0 with the first column of the "
        "second half. (Many libraries pair them so, and it does as well, but weights trained with one don't work with "
        "the other.)",
        (_rotating(pair=_halves, join=_one_after_another), _unpaired),
    ),
    Misconception(
        "pairs-taken-apart",
        "the turned pairs aren't put back where they were",
        "The pairs are turned as they should be. Then a pair has to come back into its own two columns, side by side: "
        "yours ends up with all first partners in front and all second ones behind, or the pairs are cut one way and "
        "joined the other.",
        (_rotating(join=_one_after_another), _rotating(pair=_halves)),
    ),
    Misconception(
        "turned-the-other-way",
        "the turn goes the other way",
        "At a small angle (1, 0) should become (cos, sin), which goes *up*: yours goes down. Which of the two sines "
        "has the minus?",
        (
            _rotating(turn=lambda a, b, cosines, sines: (a * cosines + b * sines, b * cosines - a * sines)),
            _rotating(at=lambda positions, x: -positions),
        ),
    ),
    Misconception(
        "sine-and-cosine-exchanged",
        "sine and cosine have changed places",
        "At position 0 the angle is 0, and nothing may change: the cosine of 0 is 1, the sine is 0. Which of the two "
        "belongs to a column's own number?",
        (
            _rotating(turn=lambda a, b, cosines, sines: _turned(a, b, sines, cosines)),
            _rotating(turn=lambda a, b, cosines, sines: (a * sines + b * cosines, a * cosines - b * sines)),
        ),
    ),
    Misconception(
        "one-sine-missing",
        "one of the two sines is missing",
        "In a turn *each* of the two columns gets some of the other. Yours lets one of them lose without getting "
        "anything, so the vectors change their lengths.",
        (
            _rotating(turn=lambda a, b, cosines, sines: (a * cosines, a * sines + b * cosines)),
            _rotating(turn=lambda a, b, cosines, sines: (a * cosines - b * sines, b * cosines)),
            _rotating(turn=lambda a, b, cosines, sines: (a * cosines, b * cosines)),
            _rotating(turn=lambda a, b, cosines, sines: (a * cosines, b * sines)),
        ),
    ),
    Misconception(
        "no-minus",
        "there is no minus",
        "Both sines have the same sign in yours. That is no turn: the vectors change their lengths. The first column "
        "*loses* some of the second.",
        (
            _rotating(turn=lambda a, b, cosines, sines: (a * cosines + b * sines, a * sines + b * cosines)),
            _rotating(turn=lambda a, b, cosines, sines: (a * cosines - b * sines, b * cosines - a * sines)),
        ),
    ),
    Misconception(
        "turned-in-place",
        "the second column is made from the first when that has been turned already",
        "Both new columns come from the *old* a and b. In yours a is new by the time b is made. Keep the old one.",
        (_rotating(turn=_first_overwritten),),
    ),
    Misconception(
        "another-rate",
        "the angles shrink by another rule",
        "Pair i (i = 0 is the first) turns by position · base^(−2i/d). The first pair turns by the position itself, "
        "and d is the number of *columns*, not of pairs.",
        (
            _rotating(lambda pairs, dim, base: base ** (-pairs / dim)),
            _rotating(lambda pairs, dim, base: base ** (-4 * pairs / dim)),
            _rotating(lambda pairs, dim, base: base ** (-2 * pairs / max(dim - 2, 1))),
            _rotating(lambda pairs, dim, base: base ** (-2 * (pairs + 1) / dim)),
            _rotating(lambda pairs, dim, base: base ** (-2.0 * pairs)),
            _rotating(lambda pairs, dim, base: torch.exp(-2 * pairs / dim)),
        ),
    ),
    Misconception(
        "one-rate-for-all",
        "every pair turns by the same angle",
        "Only the first pair turns by the position itself. Each later one turns more slowly, so that some can tell "
        "neighbours apart and others a hundred places.",
        (_rotating(lambda pairs, dim, base: torch.ones_like(pairs)),),
    ),
    Misconception(
        "faster-and-faster",
        "the angles grow from pair to pair",
        "The exponent has a minus: later pairs turn more *slowly*.",
        (_rotating(lambda pairs, dim, base: base ** (2 * pairs / dim)),),
    ),
    Misconception(
        "columns-with-their-own-angles",
        "the two columns of a pair turn by different angles",
        "Both columns of a pair share one angle, which belongs to the number of the *pair*. Yours has one for each "
        "column, so nothing is really turned.",
        (_each_column_its_own,),
    ),
    Misconception(
        "base-ignored",
        "`base` has no effect",
        "10,000 is where the argument starts out. A caller may hand over another base, and long-text models do.",
        (lambda x, positions, base=10000.0: _right(x, positions),),
    ),
    Misconception(
        "positions-ignored",
        "`positions` has no effect",
        "Yours counts the places of x: 0, 1, 2, … That is right for a whole text. With a cache a single new token "
        "comes, and it stands at place 57, not at place 0.",
        (
            _rotating(at=lambda positions, x: torch.arange(x.shape[2])),
            _rotating(at=lambda positions, x: positions - positions[0]),
            _rotating(at=lambda positions, x: torch.arange(len(positions)) + positions[0]),
        ),
    ),
    mistakes.POSITIONS_FROM_1.explained(
        "A vector at position 0 is not turned at all.", _rotating(at=lambda positions, x: positions + 1)
    ),
    Misconception(
        "turned-along-the-heads",
        "the angle goes by the head, not by the place",
        "The axes of x are (batch, heads, length, d), and the angles belong to the length. All heads at one place turn "
        "alike.",
        (
            _rotating(along=_along_the_heads),
            lambda x, positions, base=10000.0: _right(x.transpose(1, 2), positions, base).transpose(1, 2),
        ),
    ),
    Misconception(
        "turned-along-the-batch",
        "the angle goes by the sequence, not by the place",
        "The axes of x are (batch, heads, length, d), and the angles belong to the length: place 3 of one sequence "
        "turns as much as place 3 of another.",
        (
            _rotating(along=lambda angles: angles[:, None, None]),
            lambda x, positions, base=10000.0: _right(x.transpose(0, 2), positions, base).transpose(0, 2),
        ),
    ),
    Misconception(
        "not-in-radians",
        "the angle isn't in radians of the position",
        "The angle is position · base^(−2i/d) as it is: no 2π, no degrees, and not a share of the length.",
        (
            _rotating(change=lambda angle: 2 * math.pi * angle),
            _rotating(change=lambda angle: angle * math.pi / 180),
            _rotating(change=lambda angle: angle / 2),
            _rotating(change=lambda angle: angle / len(angle)),
        ),
    ),
    Misconception(
        "positions-added",
        "the waves are added, and nothing is turned",
        "Sinusoidal positions are *added* to a vector. Here the vector is turned: its length stays what it was, and "
        "at position 0 nothing happens at all.",
        (_added,),
    ),
    Misconception(
        "angles-in-half-precision",
        "the angles are reckoned in half precision",
        "float16 has eleven binary digits, bfloat16 eight: an angle in the hundreds is off by a good part of a turn. "
        "Reckon the angles in float32 at least, and give their sines and cosines the type of x *afterwards*.",
        (_rotating(precision=lambda x: x.dtype),),
    ),
    Misconception(
        "odd-width-accepted",
        "an odd number of columns isn't refused as it should be",
        "With an odd number a column has no partner. A caller who asks for that has made a mistake, and is best told "
        "so at once, with a `ValueError` whose message names `x`. (An `assert` raises another error, and one that "
        "PyTorch raises further down speaks of something else.)",
        (
            _rotating(check=False),
            lambda x, positions, base=10000.0: (
                _right(x, positions, base) if x.shape[-1] % 2 == 0 else x + torch.zeros(())
            ),
        ),
    ),
    mistakes.AXIS_LEFT_OVER.explained(
        "What comes back has the four axes of x.",
        lambda x, positions, base=10000.0: _right(x, positions, base).unflatten(-1, (-1, 2)),
        lambda x, positions, base=10000.0: _right(x, positions, base).unsqueeze(0),
    ),
    mistakes.WRITES_INTO_ARGUMENTS.row(overwriting(0)(_right), overwriting(1)(_right), arguments="numbers"),
    mistakes.DETACHED_GRADIENT.row(cutting(0)(_right), inputs="x"),
    mistakes.TYPE_CHANGED.row(
        lambda x, positions, base=10000.0: _right(x.float(), positions, base),
        lambda x, positions, base=10000.0: _right(x.double(), positions, base),
        lambda x, positions, base=10000.0: _right(
            x.float() if x.dtype in (torch.float16, torch.bfloat16) else x, positions, base
        ),
        dtype="float64",
    ),
    mistakes.ANSWERS_FROM_MEMORY.row(remembering(_right)),
    mistakes.SMALL_SIZES_ONLY.row(
        stopping_at_64(_right), lambda x, positions, base=10000.0: _right(x, positions.clamp(max=63), base)
    ),
    mistakes.nothing_returned(),
)
