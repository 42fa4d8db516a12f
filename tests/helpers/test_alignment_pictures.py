"""Lines between the words that render each other."""

from helpers.alignment_pictures import draw_links
from helpers.phrasebook import phrasebook

CHINESE = phrasebook("cmn", size=200)


def test_each_link_is_a_line_and_a_possible_one_is_dotted():
    pair = next(pair for pair in CHINESE if pair.possible > pair.alignment)
    lines = draw_links(pair).axes[0].lines
    dotted = [line for line in lines if line.get_linestyle() == ":"]
    assert len(lines) == len(pair.possible) and len(dotted) == len(pair.possible - pair.alignment)


def test_every_word_fits_into_its_box():
    longest = sorted(CHINESE, key=lambda pair: max(map(len, pair.source)))[-3:]
    for pair in longest:
        figure = draw_links(pair)
        figure.draw_without_rendering()
        ax = figure.axes[0]
        for box, word in zip(ax.patches, ax.texts, strict=False):  # the glosses come last and have no box
            assert box.get_window_extent().width > word.get_window_extent().width, word.get_text()
