"""Pictures of word alignments: two sentences with lines between the words that render each other, and glosses."""

from matplotlib.figure import Figure

from helpers.drawing import BLACK, WIDEST, canvas, draw_words, write
from helpers.phrasebook import Pair
from helpers.phrasebook_words import NOUNS
from helpers.plotting import GRID, OTHERS

MEASURE_WORDS = frozenset(noun.measure for noun in NOUNS.values())
# What has no word of its own in English, or another one than the alignment says.
_GRAMMAR = {"的": "(particle)", "了": "(done)", "们": "(plural)", "很": "(is)", "些": "(some)", "。": "."}
_GLOSS = "#555555"


def glosses(pair: Pair) -> list[str]:
    """For each word of a Chinese translation what it says, in English; for one of another language nothing.

    A measure word has no English of its own; its gloss is "(measure)".
    """
    if pair.language != "cmn":
        return [""] * len(pair.target)
    rendered = {target: pair.source[source] for target, source in sorted(pair.alignment, reverse=True)}
    return [
        _GRAMMAR.get(word) or ("(measure)" if word in MEASURE_WORDS else rendered.get(target, ""))
        for target, word in enumerate(pair.target)
    ]


def glossed(pair: Pair) -> list[str]:
    """The words of a translation, each Chinese one with its gloss: "狗 dogs"."""
    return [
        f"{word} {gloss}".strip() if gloss != word else word
        for word, gloss in zip(pair.target, glosses(pair), strict=True)
    ]


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
