"""Drawings of a Transformer's data: who asks whom, a vector cut into heads, and blocks with residuals around them."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.drawing import BLACK, WIDEST, Area, Point, canvas, draw_arrow, draw_block, draw_words, write
from helpers.plotting import KEY, OTHERS, QUERY, VALUE

RESIDUAL = OTHERS[0]
HEADS = ("#CC79A7", "#E69F00", "#56B4E9", "#999999")  # four colours, none of them that of queries, keys or values

_SMALL = 10
_BLOCK = 1.1  # cells: the width of a matrix on its way through the sublayers


class Sublayer(NamedTuple):
    """One layer with its residual: its name, what comes out of it, and whether its keys come from the encoder."""

    name: str
    result: str
    asks_encoder: bool = False


def draw_who_asks_whom(source: Sequence[str], target: Sequence[str], asking: int) -> Figure:
    """Draw self-attention and cross-attention beside each other: one word asks those of its own sentence, or the
    other's.

    `asking` is the word's place, counted from 0, in `source` on the left and in `target` on the right.
    """
    figure, ax = canvas(WIDEST, 5.6)
    width = 7.4 / max(len(source), len(target))
    for left, words, title in (
        (0.2, source, "self-attention: its own sentence"),
        (8.4, target, "cross-attention: another sentence"),
    ):
        write(ax, (left + 3.7, 0.3), title)
        keys = draw_words(ax, (left, 1.0), source, KEY, width)
        queries = draw_words(
            ax, (left, 3.7), words, [QUERY if i == asking else "#BBBBBB" for i in range(len(words))], width
        )
        for key in keys:
            draw_arrow(ax, queries[asking].above, key.below, KEY)
        write(ax, (left + 3.7, 5.2), "one word asks; all words above answer", size=_SMALL)
    return figure


def draw_heads(length: int, source_length: int, width: int, heads: int) -> Figure:
    """Draw the shapes in one multi-head layer: the columns of queries, keys and values are cut into heads, each has
    weights of its own, and what they fetch is put side by side.
    """
    figure, ax = canvas(WIDEST, 9.9)
    tall, wide, deep = 0.3 * length, 0.2 * width, 0.3 * source_length
    tops = (0.8, 3.8, 7.2)
    for top, name, colour, height, rows in (
        (tops[0], "queries", QUERY, tall, length),
        (tops[1], "keys", KEY, deep, source_length),
        (tops[2], "values", VALUE, deep, source_length),
    ):
        area = draw_block(ax, (0.9, top), (wide, height), colour, (str(rows), str(width)), name)
        _cut(ax, area, heads)
    for head in range(heads):
        left, top = 6.0 + 0.45 * head, 2.6 + 0.45 * head
        size = deep, tall
        ax.add_patch(
            Rectangle((left, top), *size, facecolor="white", edgecolor=HEADS[head % 4], linewidth=1.8, zorder=2)
        )
        write(ax, (left + 0.25, top + 0.25), str(head + 1), HEADS[head % 4], size=_SMALL)
    write(ax, (7.8, 1.3), f"weights: {heads} × ({length} × {source_length}),")
    write(ax, (7.8, 1.9), "each row sums to 1")
    draw_arrow(ax, (4.3, 1.6), (5.8, 2.9), QUERY)
    draw_arrow(ax, (4.3, 4.9), (5.8, 4.0), KEY)
    joined = draw_block(
        ax, (12.2, 3.1), (wide, tall), BLACK, (str(length), str(width)), "weights × values, side by side"
    )
    _cut(ax, joined, heads)
    draw_arrow(ax, (9.6, 3.9), (11.6, 3.9))
    draw_arrow(ax, (4.3, 8.2), (11.6, 4.3), VALUE, bend=0.15)
    output = draw_block(ax, (12.2, 6.3), (wide, tall), "#999999", (str(length), str(width)))
    draw_arrow(ax, (13.8, joined.bottom + 0.7), (13.8, output.top), BLACK, name="× W_O")
    write(ax, (13.8, output.bottom + 0.75), "output")
    return figure


def draw_sublayers(rows: int, width: int, start: str, sublayers: Sequence[Sublayer]) -> Figure:
    """Draw a block of a Transformer as the way of one matrix: each sublayer's result is added to what went in, and
    normed.

    Every matrix has `rows` rows and `width` columns. Bows are the residuals.
    """
    asks_encoder = any(each.asks_encoder for each in sublayers)
    figure, ax = canvas(WIDEST, 5.2 if asks_encoder else 4.1)
    step = (WIDEST - 0.9 - _BLOCK) / len(sublayers)
    top, middle = 1.9, 1.9 + 0.75
    area = draw_block(ax, (0.8, top), (_BLOCK, 1.5), BLACK, (str(rows), str(width)), start)
    for number, each in enumerate(sublayers, start=1):
        following = draw_block(ax, (0.8 + number * step, top), (_BLOCK, 1.5), BLACK, ("", str(width)), each.result)
        box = Area(area.right + 0.4, middle - 0.6, following.left - 1.3, middle + 0.6)
        ax.add_patch(Rectangle((box.left, box.top), box.right - box.left, 1.2, facecolor="white", edgecolor="#777777"))
        write(ax, box.middle, each.name, size=_SMALL)
        plus = (box.right + 0.4, middle)
        draw_arrow(ax, area.after, box.before)
        draw_arrow(ax, box.after, plus)
        write(ax, (plus[0] + 0.1, middle), "⊕", RESIDUAL, size=15)
        draw_arrow(ax, (plus[0] + 0.3, middle), following.before)
        write(ax, (plus[0] + 0.35, middle + 0.55), "norm", size=_SMALL)
        _draw_bow(ax, (area.above[0], top - 0.75), (plus[0] + 0.1, middle - 0.25))
        if each.asks_encoder:
            for beside, colour in ((-0.25, KEY), (0.25, VALUE)):
                draw_arrow(ax, (box.below[0] + beside, 4.5), (box.below[0] + beside, box.bottom), colour)
            write(ax, (box.below[0], 4.8), "keys and values from the encoder", size=_SMALL)
        area = following
    return figure


def _draw_bow(ax: Axes, start: Point, end: Point) -> None:
    """A residual: up from a matrix, over the layer and down onto its sum."""
    over = start[1] - 0.35
    ax.plot([start[0], start[0], end[0]], [start[1], over, over], color=RESIDUAL, linewidth=2)
    draw_arrow(ax, (end[0], over), end, RESIDUAL)


def _cut(ax: Axes, area: Area, heads: int) -> None:
    """Show how a block's columns are shared out among heads."""
    width = (area.right - area.left) / heads
    for head in range(heads):
        left = area.left + head * width
        ax.add_patch(Rectangle((left, area.top), width, area.bottom - area.top, facecolor=HEADS[head % 4], alpha=0.35))
        write(ax, (left + width / 2, area.middle[1]), str(head + 1), size=_SMALL)
        if head:
            ax.plot([left, left], [area.top, area.bottom], color="white", linewidth=2)
