"""Drawings of a Transformer's data: who asks whom, a vector cut into heads, and blocks with residuals around them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.drawing import BLACK, WIDEST, Area, Number, Point, canvas, draw_arrow, draw_block, draw_words, write
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
        _cut(ax, area, heads, colour)
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
    _cut(ax, joined, heads, BLACK)
    draw_arrow(ax, (9.6, 3.9), (11.6, 3.9))
    draw_arrow(ax, (4.3, 8.2), (11.6, 4.3), VALUE, bend=0.15)
    output = draw_block(ax, (12.2, 6.3), (wide, tall), "#999999", (str(length), str(width)))
    draw_arrow(ax, (13.8, joined.bottom + 0.7), (13.8, output.top))
    write(ax, (14.0, (joined.bottom + 0.7 + output.top) / 2), "× W_O", side="left", size=_SMALL)
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
        if number == 1:
            write(ax, (area.above[0], top - 1.4), "residual", RESIDUAL, side="left", size=_SMALL)
        if each.asks_encoder:
            for beside, colour in ((-0.25, KEY), (0.25, VALUE)):
                draw_arrow(ax, (box.below[0] + beside, 4.5), (box.below[0] + beside, box.bottom), colour)
            write(ax, (box.below[0], 4.8), "keys and values from the encoder", size=_SMALL)
        area = following
    return figure


def draw_transformer(source: Sequence[str], given: Sequence[str], written: Sequence[str]) -> Figure:
    """Draw a Transformer of two blocks on each side: what it reads, what is written so far, and the words that follow.

    The encoder is the upper row, the decoder the lower one. Keys and values of every decoder block come from the
    encoder's last block.

    Source: Vaswani et al. (2017), figure 1.
    """
    figure, ax = canvas(WIDEST, 7.6)
    lefts = (0.1, 2.6, 5.0, 8.5)  # words, embeddings, and two blocks
    encoder, decoder = 0.9, 4.6  # cells from the top
    for top, words, parts, name in (
        (encoder, source, "self-attention\nfeed-forward", "encoder block"),
        (decoder, given, "causal self-attention\ncross-attention\nfeed-forward", "decoder block"),
    ):
        middle = top + 0.8
        write(ax, (lefts[0], middle), "\n".join(_in_lines(words)), side="left")
        boxes = [_sublayer_box(ax, (lefts[1], top, lefts[1] + 1.8, top + 1.6), "embedding\n+ position")]
        for number, left in enumerate(lefts[2:], start=1):
            boxes.append(_sublayer_box(ax, (left, top, left + 2.9, top + 1.6), parts))
            write(ax, (left + 1.45, top - 0.3 if top == encoder else top + 1.95), f"{name} {number}", size=_SMALL)
        draw_arrow(ax, (lefts[1] - 0.6, middle), boxes[0].before)
        for one, following in pairwise(boxes):
            draw_arrow(ax, one.after, following.before)
        if top == encoder:
            last = boxes[-1]
            continue
        linear = _sublayer_box(ax, (12.0, top, 13.4, top + 1.6), "linear,\nsoftmax")
        draw_arrow(ax, boxes[-1].after, linear.before)
        draw_arrow(ax, linear.after, (14.0, middle))
        write(ax, (14.1, middle), "\n".join(_in_lines(written)), side="left")
        rail = (last.bottom + top) / 2
        for beside, colour in ((-0.25, KEY), (0.25, VALUE)):
            level = rail + beside / 2
            ends = [box.above[0] + beside for box in boxes[1:]]
            ax.plot([ends[0], last.below[0] + beside], [level, level], color=colour, linewidth=1.3)
            ax.plot([last.below[0] + beside] * 2, [last.bottom, level], color=colour, linewidth=1.3)
            for x in ends:
                draw_arrow(ax, (x, level), (x, top), colour)
        write(ax, (last.below[0] + 0.5, rail), "keys and values,\nfor every decoder block", side="left", size=_SMALL)
    return figure


def _in_lines(words: Sequence[str]) -> list[str]:
    """Words in lines of two."""
    return [" ".join(words[i : i + 2]) for i in range(0, len(words), 2)]


def _sublayer_box(ax: Axes, sides: tuple[Number, Number, Number, Number], text: str) -> Area:
    box = Area(*sides)
    size = box.right - box.left, box.bottom - box.top
    ax.add_patch(Rectangle((box.left, box.top), *size, facecolor="white", edgecolor="#777777"))
    write(ax, box.middle, text, size=9)
    return box


def _draw_bow(ax: Axes, start: Point, end: Point) -> None:
    """A residual: up from a matrix, over the layer and down onto its sum."""
    over = start[1] - 0.35
    ax.plot([start[0], start[0], end[0]], [start[1], over, over], color=RESIDUAL, linewidth=2)
    draw_arrow(ax, (end[0], over), end, RESIDUAL)


def _cut(ax: Axes, area: Area, heads: int, colour: str) -> None:
    """Show how a block's columns are shared out among heads."""
    width = (area.right - area.left) / heads
    size = width, area.bottom - area.top
    for head in range(heads):
        left = area.left + head * width
        ax.add_patch(Rectangle((left, area.top), *size, facecolor="white"))  # so a head has one colour in all blocks
        ax.add_patch(Rectangle((left, area.top), *size, facecolor=HEADS[head % 4], alpha=0.35))
        write(ax, (left + width / 2, area.middle[1]), str(head + 1), size=_SMALL)
        if head:
            ax.plot([left, left], [area.top, area.bottom], color="white", linewidth=2)
    frame = Rectangle(
        (area.left, area.top), area.right - area.left, size[1], fill=False, edgecolor=colour, linewidth=1.8
    )
    ax.add_patch(frame)
