"""Drawings of the decoders that attend, unrolled over time: who asks, and where the context enters."""

from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.drawing import BLACK, Area, Point, canvas, draw_arrow, draw_words, write
from helpers.plotting import KEY, OTHERS, QUERY, VALUE

Kind = Literal["Bahdanau", "Luong", "position only"]

PAPER = OTHERS[0]  # what the paper has besides, and the course's decoder leaves out

_SMALL = 10
_STEP, _BOX = 4.8, 1.9  # cells: from one step to the next, and the width of a box
_WRITTEN, _JOIN, _STATE, _LOOK, _SOURCE = 0.9, 3.0, 5.0, 7.5, 10.1  # cells from the top: the rows


def draw_decoder(kind: Kind, source: Sequence[str], given: Sequence[str], written: Sequence[str]) -> Figure:
    """Draw the steps of a decoder from left to right, above the encoder's outputs, which all of them look at.

    In each step's box "look" the weights are made and the values are averaged. Queries, keys and values have their
    colours, and the context that comes out has that of the values. A dotted arrow is one that only the paper has.

    Args:
        kind: "Bahdanau" (the state before asks), "Luong" (the state after) or "position only" (no keys).
        source: the words that the encoder has read.
        given: what the decoder reads, a word a step.
        written: what it writes.

    Raises:
        ValueError: if `given` and `written` aren't of the same number, one to three.
    """
    steps = len(written)
    if len(given) != steps or not 1 <= steps <= 3:
        raise ValueError(f"given and written must be as many words, one to three, not {len(given)} and {steps}")
    figure, ax = canvas(_STEP * steps + 1.5, _SOURCE + 2.0, _TITLES[kind])
    after = kind == "Luong"
    starts = [_STEP * i + (0.7 if after else 3.1) for i in range(steps)]  # left edges of the recurrent network's boxes
    looks = [x + (2.4 if after else -2.4) for x in starts]
    outputs = draw_words(ax, (0.75, _SOURCE), source, BLACK, _STEP * steps / len(source))
    parts = "values" if kind == "position only" else "keys and values"
    write(ax, (0.75, _SOURCE + 1.5), f"the encoder's outputs: {parts}", side="left")
    rail = _SOURCE - 0.6  # all outputs lead to it, and every step starts from it
    ends = outputs[0].middle[0], outputs[-1].middle[0], looks[0] + 0.5, looks[-1] + _BOX - 0.5
    ax.plot([min(ends), max(ends)], [rail, rail], color=BLACK, linewidth=1.3)
    for output in outputs:
        ax.plot([output.middle[0]] * 2, [output.top, rail], color=BLACK, linewidth=1.3)
    states = [_box(ax, (x, _STATE), "GRU") for x in starts]
    contexts = [_box(ax, (x, _LOOK), "look", VALUE) for x in looks]
    reads = [_box(ax, (x, _LOOK), word) for x, word in zip(starts, given, strict=True)]
    writes = [_box(ax, (x, _WRITTEN), word) for x, word in zip(looks if after else starts, written, strict=True)]
    write(ax, (writes[0].left - 0.2, writes[0].middle[1]), "written", side="right")
    if kind != "position only":
        write(ax, (_STEP * steps + 1.3, _SOURCE + 1.5), "dotted: only in the paper", PAPER, side="right")

    chain: list[Point] = [(0.0, states[0].middle[1]), *(state.after for state in states)]
    for state, start in zip(states, chain, strict=False):
        draw_arrow(ax, start, state.before)
    draw_arrow(ax, states[-1].after, (_STEP * steps + 1.5, states[-1].middle[1]))
    for state, read in zip(states, reads, strict=True):
        draw_arrow(ax, read.above, state.below)
    for look in contexts:
        draw_arrow(ax, (look.right - 0.5, rail), (look.right - 0.5, look.bottom), VALUE)
        if kind != "position only":
            draw_arrow(ax, (look.left + 0.5, rail), (look.left + 0.5, look.bottom), KEY)
    between = (rail + contexts[0].bottom) / 2
    write(ax, (contexts[0].right - 0.35, between), "values", VALUE, side="left", size=_SMALL)
    if kind != "position only":
        write(ax, (contexts[0].left + 0.35, between), "keys", KEY, side="right", size=_SMALL)
    if after:
        _draw_after(ax, states, contexts, writes)
    else:
        _draw_before(ax, kind, states, contexts, reads, writes, chain)
    return figure


_TITLES: dict[Kind, str] = {
    "Bahdanau": "Bahdanau: the state before asks, and the network reads the context",
    "Luong": "Luong: the state after asks, and the context joins on the way out",
    "position only": "Position only: nobody looks at a key",
}


def _draw_before(
    ax: Axes,
    kind: Kind,
    states: Sequence[Area],
    contexts: Sequence[Area],
    reads: Sequence[Area],
    writes: Sequence[Area],
    chain: Sequence[Point],
) -> None:
    write(ax, (contexts[0].middle[0] - 0.45, contexts[0].top - 1.0), "query", QUERY, side="right", size=_SMALL)
    for state, look, read, word in zip(states, contexts, reads, writes, strict=True):
        x = look.middle[0] - 0.3
        draw_arrow(ax, (x, state.middle[1]), (x, look.top), QUERY)
        if kind == "position only":
            draw_arrow(ax, read.before, look.after, QUERY)
        name = "context" if look is contexts[0] else None
        draw_arrow(ax, (look.right - 0.3, look.top), (state.left + 0.2, state.bottom), VALUE, name=name)
        draw_arrow(ax, state.above, word.below)
        if kind == "Bahdanau":
            bend = look.right - 0.5, _STATE - 1.0
            ax.plot([bend[0]] * 2, [look.top, bend[1]], ":", color=PAPER, linewidth=1.8, zorder=1)
            _draw_dotted(ax, bend, (word.left + 0.3, word.bottom))


def _draw_after(ax: Axes, states: Sequence[Area], contexts: Sequence[Area], writes: Sequence[Area]) -> None:
    joins = [_box(ax, (look.left, _JOIN), "tanh", BLACK) for look in contexts]
    write(ax, (contexts[0].middle[0] + 0.15, contexts[0].top - 0.6), "context", VALUE, side="left", size=_SMALL)
    for state, look, join, word in zip(states, contexts, joins, writes, strict=True):
        name = "query" if look is contexts[0] else None
        draw_arrow(ax, (state.right - 0.3, state.bottom), (look.left + 0.3, look.top), QUERY, name=name)
        draw_arrow(ax, state.above, (join.left, join.middle[1] + 0.3), BLACK)
        draw_arrow(ax, look.above, join.below, VALUE)
        draw_arrow(ax, join.above, word.below)
    for join, following in zip(joins, states[1:], strict=False):
        _draw_dotted(ax, join.after, following.above)


def _draw_dotted(ax: Axes, start: Point, end: Point) -> None:
    style = {"arrowstyle": "-|>", "linestyle": ":", "color": PAPER, "linewidth": 1.8}
    ax.annotate("", end, start, arrowprops=style, zorder=1)


def _box(ax: Axes, corner: Point, word: str, colour: str = BLACK) -> Area:
    return draw_words(ax, corner, [word], colour, _BOX)[0]
