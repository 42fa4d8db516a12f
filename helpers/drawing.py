"""The vocabulary of the course's drawings: vectors and matrices as coloured cells, arrows, and outputs as points.

A drawing is made on a `canvas` whose unit is one cell, with y downwards, as one reads. What is drawn there gives back
the `Area` that it takes, from which arrows start. Queries, keys and values have their colours of `helpers.plotting`; a
cell is the darker, the larger its number, and grey if the number is negative. A canvas of 16 cells, the widest, is 600
pixels wide, and numbers of five characters are legible on it.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Arc, FancyArrowPatch, Polygon, Rectangle
from torch import Tensor

from helpers.plotting import GRID, OTHERS, VALUE, subplots

WIDEST = 16  # cells on a canvas; more, and their numbers are illegible
BLACK = OTHERS[3]

_CELL = 0.46  # inches
_NEGATIVE = "#777777"
_NUMBER_SIZE = 10
_THICKEST = 9.0  # points: an arrow of weight 1

Number = int | float
Point = tuple[Number, Number]


class Area(NamedTuple):
    """The rectangle that something takes on a canvas; y goes downwards."""

    left: Number
    top: Number
    right: Number
    bottom: Number

    @property
    def above(self) -> Point:
        """The middle of its upper edge."""
        return (self.left + self.right) / 2, self.top

    @property
    def below(self) -> Point:
        """The middle of its lower edge."""
        return (self.left + self.right) / 2, self.bottom

    @property
    def before(self) -> Point:
        """The middle of its left edge."""
        return self.left, (self.top + self.bottom) / 2

    @property
    def after(self) -> Point:
        """The middle of its right edge."""
        return self.right, (self.top + self.bottom) / 2

    @property
    def middle(self) -> Point:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


def canvas(width: Number, height: Number, title: str | None = None) -> tuple[Figure, Axes]:
    """An empty drawing of so many cells, with (0, 0) at the top left.

    Raises:
        ValueError: if it is so wide that its numbers would be illegible.
    """
    if width > WIDEST:
        raise ValueError(f"a canvas has at most {WIDEST} cells in its width, not {width}")
    figure, ax = subplots(size=(_CELL * width + 0.2, _CELL * height + (0.55 if title else 0.2)))
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    ax.set_title(title or "", loc="left")
    ax.axis("off")
    return figure, ax


def draw_vector(
    ax: Axes,
    corner: Point,
    numbers: Float[Tensor, " d"],
    colour: str = BLACK,
    name: str | None = None,
    upright: bool = False,
) -> Area:
    """Draw a vector as a row of cells with their numbers, or as a column if `upright`; `corner` is its top left.

    Its name stands before it, or above it if it is upright.
    """
    area = draw_matrix(ax, corner, numbers[:, None] if upright else numbers[None], colour)
    if name and upright:
        write(ax, (area.above[0], area.top - 0.45), name, colour)
    elif name:
        write(ax, (area.left - 0.2, area.before[1]), name, colour, side="right")
    return area


def draw_matrix(
    ax: Axes,
    corner: Point,
    numbers: Float[Tensor, "rows columns"],
    colour: str = BLACK,
    title: str | None = None,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    sides: tuple[str, str] | None = None,
    whole: Number | None = None,
) -> Area:
    """Draw a matrix as coloured cells with their numbers; `corner` is the top left of its cells.

    `rows` and `columns` are names for its rows (before them) and its columns (above them); `sides` says what its shape
    is, on the left side and on the lower one. A number as large as `whole` is the darkest; without it, the largest is.

    Raises:
        ValueError: if the number of names doesn't fit the shape of `numbers`.
    """
    height, width = numbers.shape
    for names, size, what in ((rows, height, "rows"), (columns, width, "columns")):
        if len(names) not in (0, size):
            raise ValueError(f"{len(names)} names were given for {size} {what}")
    area = Area(corner[0], corner[1], corner[0] + width, corner[1] + height)
    finite = numbers[numbers.isfinite()].abs()
    whole = whole or (finite.max().item() if len(finite) else 0.0) or 1.0
    for row, values in enumerate(numbers.tolist()):
        for column, value in enumerate(values):
            _draw_cell(ax, (area.left + column, area.top + row), _as_text(value, numbers), colour, value / whole)
    for row, word in enumerate(rows):
        write(ax, (area.left - 0.2, area.top + row + 0.5), word, side="right")
    for column, word in enumerate(columns):
        write(ax, (area.left + column + 0.5, area.top - 0.3), word, size=_NUMBER_SIZE)
    _write_round(ax, area, colour, title, sides, above=1.0 if columns else 0.45)
    return area


def draw_block(
    ax: Axes, corner: Point, size: Point, colour: str, sides: tuple[str, str], title: str | None = None, depth: int = 1
) -> Area:
    """Draw a matrix without its numbers: a block of `size` (width, height) cells with its shape on its sides.

    With `depth` it is a batch of so many matrices, one behind the other.
    """
    for behind in reversed(range(depth)):
        x, y = corner[0] + 0.25 * behind, corner[1] - 0.25 * behind
        ax.add_patch(Rectangle((x, y), *size, facecolor=_mixed(colour, 0.25), edgecolor=colour, linewidth=1.2))
    area = Area(corner[0], corner[1], corner[0] + size[0], corner[1] + size[1])
    _write_round(ax, area, colour, title, sides, above=0.45 + 0.25 * (depth - 1))
    return area


def draw_words(
    ax: Axes, corner: Point, words: Sequence[str], colours: Sequence[str] | str = BLACK, width: Number = 1.0
) -> list[Area]:
    """Draw words in a row of cells, each `width` wide and in its own colour, or all in one; an Area for each word.

    A cell for a word that isn't one (padding) is drawn in `helpers.plotting.GRID`. Where the longest word is too long
    for its cell, all are written smaller.
    """
    room = 72 * _CELL * (width - 0.2)  # points; a letter is about 0.55 of its size wide
    size = min(11, room / (0.55 * max(map(len, words), default=1)))
    areas = []
    for i, word in enumerate(words):
        left, colour = corner[0] + i * width, colours if isinstance(colours, str) else colours[i]
        box = ((left + 0.05, corner[1] + 0.05), width - 0.1, 0.9)
        ax.add_patch(Rectangle(*box, facecolor=_mixed(colour, 0.1), edgecolor=colour, linewidth=1.0))
        areas.append(Area(left, corner[1], left + width, corner[1] + 1))
        write(ax, areas[-1].middle, word, _NEGATIVE if colour == GRID else BLACK, size=size)
    return areas


def draw_arrow(
    ax: Axes,
    start: Point,
    end: Point,
    colour: str = BLACK,
    weight: Number | None = None,
    name: str | None = None,
    bend: Number = 0.0,
) -> None:
    """Draw an arrow from point to point. With a `weight` (0 to 1) it is as thick as that; at 0 a dotted line is left.

    `bend` makes it a bow, and `name` is written beside its middle.
    """
    width = 1.3 if weight is None else max(_THICKEST * weight, 0.8)
    arrow = FancyArrowPatch(
        start,
        end,
        arrowstyle=f"-|>,head_length={4 + width / 2},head_width={2 + width / 2}",
        connectionstyle=f"arc3,rad={bend}",
        linestyle=":" if weight is not None and weight < 0.005 else "-",
        color=colour,
        linewidth=width,
        shrinkA=2,
        shrinkB=2,
        zorder=1,
    )
    ax.add_patch(arrow)
    if name:
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        ax.text(*middle, name, color=colour, ha="center", va="center", fontsize=_NUMBER_SIZE, bbox=_CLEAR, zorder=3)


def write(
    ax: Axes, at: Point, words: str, colour: str = BLACK, side: str = "center", size: Number = 11, upright: bool = False
) -> None:
    """Write words with their middle at a point; with `side` "left" or "right" they begin or end there."""
    ax.text(*at, words, color=colour, ha=side, va="center", fontsize=size, rotation=90 if upright else 0, zorder=4)


def draw_value_polygon(
    ax: Axes,
    values: Float[Tensor, "source 2"],
    tokens: Sequence[str],
    outputs: Float[Tensor, "target 2"],
    names: Sequence[str],
) -> Axes:
    """Draw values as points, the polygon that they span, and outputs as points in it: an average never leaves it.

    `ax` is an ordinary one (`subplots`), with y upwards. Tokens with the same value share a point and its label.

    Raises:
        ValueError: if there isn't one token for each value and one name for each output.
    """
    if len(tokens) != len(values) or len(names) != len(outputs):
        raise ValueError(
            f"{len(values)} values and {len(outputs)} outputs need as many tokens and names, "
            f"not {len(tokens)} and {len(names)}"
        )
    places: dict[Point, list[str]] = {}
    for (x, y), token in zip(values.tolist(), tokens, strict=True):
        places.setdefault((x, y), []).append(token)
    corners = _round_the_middle(list(places))
    ax.add_patch(Polygon(corners, facecolor=_mixed(VALUE, 0.12), edgecolor=VALUE, linewidth=1.2))
    for place, words in places.items():
        ax.plot(*place, "o", color=VALUE, markersize=9)
        ax.annotate(", ".join(words), place, (7, 7), textcoords="offset points", color=VALUE)
    for place, name in zip(outputs.tolist(), names, strict=True):
        ax.plot(*place, "*", color=OTHERS[0], markersize=15, markeredgecolor="white")
        ax.annotate(name, place, (9, -4), textcoords="offset points", color=BLACK)
    ax.margins(0.2)
    ax.set_aspect("equal")
    return ax


def draw_arrows_from_origin(ax: Axes, ends: Sequence[Point], names: Sequence[str], colours: Sequence[str]) -> Axes:
    """Draw vectors of two numbers as arrows from (0, 0), and the angle between the first and each of the others.

    `ax` is an ordinary one (`subplots`), with y upwards. A product q·k is the two lengths times the angle's cosine.
    """
    turns = [math.degrees(math.atan2(y, x)) for x, y in ends]
    lengths = [math.hypot(*end) for end in ends]
    longest, shortest = max(lengths), min(lengths)
    for end, length, name, colour in zip(ends, lengths, names, colours, strict=True):
        ax.annotate("", end, (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2.5})
        # A name beyond a tip that points sideways begins or ends there, so that it doesn't cover the tip.
        sideways = end[0] / length
        side = "center" if abs(sideways) < 0.5 else "left" if sideways > 0 else "right"
        stretch = (12 if side == "center" else 5) / length
        place = stretch * end[0], stretch * end[1]
        ax.annotate(name, end, place, textcoords="offset points", color=colour, ha=side, va="center")
    for i, turn in enumerate(turns[1:]):
        apart = (turn - turns[0]) % 360
        first = turns[0] if apart <= 180 else turn
        apart, radius = min(apart, 360 - apart), shortest * (0.35 + 0.26 * i)
        ax.add_patch(Arc((0, 0), 2 * radius, 2 * radius, theta1=first, theta2=first + apart, color=_NEGATIVE))
        middle = math.radians(first + apart / 2)
        away = radius + 0.16 * shortest
        place = away * math.cos(middle), away * math.sin(middle)
        ax.text(*place, f"{apart:.0f}°", color=_NEGATIVE, ha="center", va="center", fontsize=_NUMBER_SIZE)
    xs, ys = zip((0.0, 0.0), *ends, strict=True)
    room = 0.25 * longest
    ax.set(xlim=(min(xs) - room, max(xs) + room), ylim=(min(ys) - room, max(ys) + room), aspect="equal")
    ax.axhline(0, color=GRID, linewidth=1, zorder=0)
    ax.axvline(0, color=GRID, linewidth=1, zorder=0)
    return ax


_CLEAR = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}


def _draw_cell(ax: Axes, corner: Point, text: str, colour: str, share: Number) -> None:
    """One cell: the larger its share of the largest number, the darker."""
    shade = 0.0 if not math.isfinite(share) else min(abs(share), 1.0)
    fill = _mixed(_NEGATIVE if share < 0 else colour, 0.06 + 0.74 * shade)
    ax.add_patch(Rectangle(corner, 1, 1, facecolor=fill, edgecolor="white", linewidth=1.5))
    # The ink that stands out more from the cell, by the luminance of its colour.
    red, green, blue = (part**2.2 for part in fill)
    ink = "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.18 else "black"
    middle = (corner[0] + 0.5, corner[1] + 0.5)
    ax.text(*middle, text, color=ink, ha="center", va="center", fontsize=_NUMBER_SIZE)


def _as_text(value: Number, numbers: Tensor) -> str:
    """A number as it is written in a cell: whole if they all are, and otherwise with two or one decimals."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    finite = numbers[numbers.isfinite()]
    decimals = 0 if finite.equal(finite.round()) else 2 if finite.abs().max() < 9.995 else 1
    rounded = round(value, decimals) or 0.0  # no minus before a zero
    return f"{rounded:.{decimals}f}".replace("-", "−")


def _write_round(
    ax: Axes, area: Area, colour: str, title: str | None, sides: tuple[str, str] | None, above: Number
) -> None:
    if title:
        write(ax, (area.above[0], area.top - above), title, colour)
    if sides:
        write(ax, (area.left - 0.3, area.before[1]), sides[0], _NEGATIVE, size=_NUMBER_SIZE, upright=True)
        write(ax, (area.below[0], area.bottom + 0.35), sides[1], _NEGATIVE, size=_NUMBER_SIZE)


def _mixed(colour: str, share: Number) -> tuple[float, float, float]:
    """A colour thinned with white."""
    red, green, blue = to_rgb(colour)
    return 1 - share * (1 - red), 1 - share * (1 - green), 1 - share * (1 - blue)


def _round_the_middle(points: list[Point]) -> list[Point]:
    """Points in the order of their direction from their middle: the corners of a polygon, if it is convex."""
    x, y = torch.tensor(points).mean(dim=0).tolist()
    return sorted(points, key=lambda point: math.atan2(point[1] - y, point[0] - x))
