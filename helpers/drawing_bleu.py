"""The picture of how BLEU counts: which runs of a hypothesis are in its reference."""

from collections import Counter
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.drawing import BLACK, canvas, draw_words, write
from helpers.plotting import OTHERS

FOUND, MISSED, SPENT = OTHERS[2], "#BBBBBB", OTHERS[1]

_WIDTH, _LINE = 1.4, 0.5  # cells: a token's width, and from one line of bars to the next


def draw_bleu(hypothesis: Sequence[str], reference: Sequence[str], longest: int = 4) -> Figure:
    """Draw every run of 1 to `longest` tokens of a hypothesis as a bar under its tokens, and how many count.

    A run counts only as often as the reference has it: what comes once too often has a colour of its own.

    Raises:
        ValueError: if a sentence has no token, or too many to be drawn.
    """
    tokens = max(len(hypothesis), len(reference))
    if not min(len(hypothesis), len(reference)) or tokens > 8:
        raise ValueError(f"a sentence must have 1 to 8 tokens, not {len(hypothesis)} and {len(reference)}")
    lines = sum(min(n, max(len(hypothesis) - n + 1, 0)) + 1 for n in range(1, longest + 1))
    figure, ax = canvas(16, 4.0 + _LINE * lines, "Which runs of the hypothesis are in the reference?")
    for y, name, words in ((0.3, "reference", reference), (1.8, "hypothesis", hypothesis)):
        draw_words(ax, (2.6, y), words, BLACK, _WIDTH)
        write(ax, (2.4, y + 0.5), name, side="right")
    y = 3.2
    for n in range(1, longest + 1):
        y = _draw_runs(ax, y, hypothesis, reference, n)
    meanings = (0.3, FOUND, "counts"), (2.9, SPENT, "once too often"), (7.2, MISSED, "not in the reference")
    for x, colour, meaning in meanings:
        ax.add_patch(Rectangle((x, y + 0.1), 0.5, 0.3, facecolor=colour))
        write(ax, (x + 0.7, y + 0.25), meaning, side="left", size=10)
    return figure


def _draw_runs(ax: Axes, y: float, hypothesis: Sequence[str], reference: Sequence[str], n: int) -> float:
    """Draw the runs of n tokens from y downwards, in n lines so that none hides another; return where they end."""
    runs = _runs(hypothesis, n)
    left = Counter(_runs(reference, n))
    known = set(left)
    count = 0
    for i, run in enumerate(runs):
        counts = left[run] > 0
        left[run] -= 1
        count += counts
        colour = FOUND if counts else SPENT if run in known else MISSED
        corner = 2.6 + _WIDTH * i + 0.1, y + _LINE * (i % n)
        ax.add_patch(Rectangle(corner, _WIDTH * n - 0.2, _LINE - 0.15, facecolor=colour))
    height = _LINE * min(n, len(runs))
    write(ax, (2.4, y + height / 2), f"runs of {n}", side="right")
    write(ax, (14.2, y + height / 2), f"{count} of {len(runs)}", side="left")
    return y + height + _LINE


def _runs(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
