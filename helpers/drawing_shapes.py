"""Drawings of what has steps or shapes: an encoder and a decoder unrolled over time, a batched product, a sum of pairs.

They are made of the cells, blocks and arrows of `helpers.drawing`; what makes a figure of its own is ready for
`helpers.plotting.show`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from torch import Tensor

from helpers.drawing import BLACK, Area, Point, canvas, draw_arrow, draw_block, draw_vector, draw_words, write
from helpers.plotting import KEY, OTHERS, QUERY

CONTEXT, PATH, READER = OTHERS[:3]
FED_BACK = "#777777"

_STEP, _BOX = 1.7, 1.3  # cells: from one step to the next, and the width of a step's box
_WRITTEN, _STATE, _READ = 0.9, 2.9, 4.9  # cells from the top: the three rows of an unrolled network


class Block(NamedTuple):
    """A matrix without its numbers: what it is, its colour, its shape in words, and its size on the canvas in cells."""

    title: str
    colour: str
    rows: str
    columns: str
    height: float
    width: float


def draw_unrolled(
    read: Sequence[str],
    given: Sequence[str],
    written: Sequence[str],
    states: Sequence[str] = (),
    context: Float[Tensor, " hidden"] | str = "context",
    fed_back: bool = False,
    path: tuple[int, int] | None = None,
    shortcut: bool = False,
    title: str | None = None,
) -> Figure:
    """Draw an encoder and a decoder, a box for each step in time, and the context as the only way between them.

    Args:
        read: what the encoder reads, a word a step.
        given: what the decoder reads; empty if it reads nothing.
        written: what the decoder writes.
        states: what stands in the boxes, first the encoder's, then the decoder's; without it, "GRU" in each.
        context: its numbers, which are drawn as cells, or a word for it.
        fed_back: whether an arrow leads from each word that is written to what is read next.
        path: (written, read), counted from 0: the way from that word written back to that word read is marked.
        shortcut: the marked way leads from step to step at once, past the context, as attention does.

    Raises:
        ValueError: if `given` or `states` don't fit the number of steps.
    """
    steps = len(read) + len(written)
    if len(given) not in (0, len(written)) or len(states) not in (0, steps):
        raise ValueError(
            f"{len(read)} words read and {len(written)} written need as many states and {len(written)} words given to "
            f"the decoder, or none, not {len(states)} and {len(given)}"
        )
    figure, ax = canvas(_STEP * (steps + 1), 6.9, title)
    boxes = states or ["GRU"] * steps
    encoder = _draw_row(ax, 0, _STATE, boxes[: len(read)], READER)
    decoder = _draw_row(ax, len(read) + 1, _STATE, boxes[len(read) :], BLACK)
    middle = _draw_context(ax, _STEP * (len(read) + 0.5), context)
    below = _draw_row(ax, 0, _READ, read, BLACK)
    inputs = _draw_row(ax, len(read) + 1, _READ, given, BLACK)
    above = _draw_row(ax, len(read) + 1, _WRITTEN, written, BLACK)
    write(ax, (_centre(below), _READ + 1.5), "the encoder reads", READER)
    write(ax, (_centre(above), _WRITTEN - 0.5), "the decoder writes")
    if given:
        write(ax, (_centre(above), _READ + 1.5), "the decoder reads")

    chain = [*encoder, middle, *decoder]
    arrows = {("state", i): (chain[i].after, chain[i + 1].before) for i in range(len(chain) - 1)}
    arrows |= {("read", i): (word.above, encoder[i].below) for i, word in enumerate(below)}
    arrows |= {("given", i): (word.above, decoder[i].below) for i, word in enumerate(inputs)}
    arrows |= {("written", i): (decoder[i].above, word.below) for i, word in enumerate(above)}
    marked = set() if path is None else _way(len(read), *path, shortcut)
    for name, (start, end) in arrows.items():
        draw_arrow(ax, start, end, PATH if name in marked else BLACK, 0.35 if name in marked else None)
    if path is not None and shortcut:
        draw_arrow(ax, encoder[path[1]].above, decoder[path[0]].above, PATH, 0.35, bend=-0.15)
    if fed_back:
        for word, following in zip(above, inputs[1:], strict=False):
            between = word.right + (_STEP - _BOX) / 2
            corners = (word.after, (between, word.after[1]), (between, following.before[1]))
            ax.plot(*zip(*corners, strict=True), ":", color=FED_BACK, linewidth=1.5)
            draw_arrow(ax, corners[-1], following.before, FED_BACK)
    return figure


def draw_product(ax: Axes, corner: Point, left: Block, right: Block, result: Block, batch: int) -> None:
    """Draw `left` × `right` = `result` from `corner` to the right, each a batch of matrices one behind the other."""
    x, y = corner
    tallest = max(block.height for block in (left, right, result))
    for block, sign in ((left, "×"), (right, "="), (result, "")):
        place, size = (x, y + (tallest - block.height) / 2), (block.width, block.height)
        area = draw_block(ax, place, size, block.colour, (block.rows, block.columns), block.title, batch)
        write(ax, (area.right + 0.8, y + tallest / 2), sign, size=16)
        x = area.right + 1.9


def draw_sum_of_pairs(ax: Axes, corner: Point, queries: Sequence[str], keys: Sequence[str], hidden: str) -> Area:
    """Draw how a column of queries and a row of keys are repeated and added: a cell for every pair, with both colours.

    Each cell stands for a vector of `hidden` numbers.
    """
    x, y = corner
    for row, word in enumerate(queries):
        _draw_pair(ax, (x, y + row), QUERY, QUERY)
        write(ax, (x - 0.2, y + row + 0.5), word, QUERY, side="right")
    for column, word in enumerate(keys):
        _draw_pair(ax, (x + 2 + column, y - 2), KEY, KEY)
        write(ax, (x + 2.5 + column, y - 2.3), word, KEY)
    for row in range(len(queries)):
        for column in range(len(keys)):
            _draw_pair(ax, (x + 2 + column, y + row), QUERY, KEY)
    grid = Area(x + 2, y, x + 2 + len(keys), y + len(queries))
    draw_arrow(ax, (x + 1, grid.before[1]), grid.before, QUERY)
    draw_arrow(ax, (grid.above[0], y - 1), grid.above, KEY)
    write(ax, (grid.right + 0.4, grid.after[1]), f"one cell a pair,\n{hidden} numbers in each", side="left")
    return grid


def _draw_row(ax: Axes, first: int, top: float, words: Sequence[str], colour: str) -> list[Area]:
    left = [_STEP * (first + i) + (_STEP - _BOX) / 2 for i in range(len(words))]
    return [draw_words(ax, (x, top), [word], colour, _BOX)[0] for x, word in zip(left, words, strict=True)]


def _draw_context(ax: Axes, centre: float, context: Tensor | str) -> Area:
    if isinstance(context, str):
        if context != "context":
            write(ax, (centre, _STATE - 0.4), "context", CONTEXT)
        width = _BOX + 0.2  # "context" is a long word
        return draw_words(ax, (centre - width / 2, _STATE), [context], CONTEXT, width)[0]
    top = _STATE + 0.5 - len(context) / 2
    return draw_vector(ax, (centre - 0.5, top), context, CONTEXT, "context", upright=True)


def _way(read: int, written: int, source: int, shortcut: bool) -> set[tuple[str, int]]:
    """The arrows between a word that is written and one that was read."""
    ends = {("written", written), ("read", source)}
    return ends if shortcut else ends | {("state", i) for i in range(source, read + 1 + written)}


def _draw_pair(ax: Axes, corner: Point, upper: str, lower: str) -> None:
    """A cell of two colours, one above its diagonal and one below, or of one colour."""
    left, top, right, bottom = corner[0] + 0.05, corner[1] + 0.05, corner[0] + 0.95, corner[1] + 0.95
    ends = (left, bottom), (right, top)
    if upper == lower:
        ax.add_patch(Polygon([ends[0], (left, top), ends[1], (right, bottom)], facecolor=upper, alpha=0.55))
        return
    for colour, far in ((upper, (left, top)), (lower, (right, bottom))):
        ax.add_patch(Polygon([*ends, far], facecolor=colour, alpha=0.55, linewidth=0))


def _centre(areas: Sequence[Area]) -> float:
    return (areas[0].left + areas[-1].right) / 2
