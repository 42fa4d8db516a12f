"""Pictures of word alignments: two sentences with lines between the words that render each other, and glosses."""

from matplotlib.figure import Figure

from helpers.drawing import BLACK, WIDEST, canvas, draw_words, write
from helpers.glosses import glosses
from helpers.phrasebook import Pair
from helpers.plotting import GRID, OTHERS

_GLOSS = "#555555"


def draw_links(pair: Pair) -> Figure:
    """Draw a sentence over its translation, with a line for each link: solid if it is sure, dotted if it is possible.

    Words that render nothing are grey. There is room for sentences of about ten words.
    """
    words = max(len(pair.source), len(pair.target))
    width = min(1.9, (WIDEST - 0.2) / words)
    figure, ax = canvas(width * words + 0.2, 4.6)
    source = draw_words(ax, (0.1, 0.2), pair.source, BLACK, width)
    colours = [GRID if place in pair.unaligned else BLACK for place in range(len(pair.target))]
    target = draw_words(ax, (0.1, 3.0), pair.target, colours, width)
    for link in sorted(pair.possible):
        (x, y), (to_x, to_y) = source[link[1]].below, target[link[0]].above
        sure = link in pair.alignment
        ax.plot([x, to_x], [y, to_y], "-" if sure else ":", color=OTHERS[1] if sure else _GLOSS, linewidth=2.2)
    for area, gloss in zip(target, glosses(pair), strict=True):
        write(ax, (area.below[0], area.bottom + 0.35), gloss, _GLOSS, size=9)
    return figure
