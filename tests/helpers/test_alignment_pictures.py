"""What Chinese words say, and lines between the words that render each other."""

from helpers.alignment_pictures import draw_links, glossed, glosses
from helpers.phrasebook import phrasebook

CHINESE = phrasebook("cmn", size=200)


def test_every_chinese_word_has_a_gloss_and_measure_words_are_called_so():
    for pair in CHINESE:
        assert all(glosses(pair)), pair.target
    says = {word: gloss for pair in CHINESE for word, gloss in zip(pair.target, glosses(pair), strict=True)}
    assert says["狗"] in ("dog", "dogs") and says["辆"] == "(measure)" and says["的"] == "(particle)"


def test_a_french_word_stays_as_it_is():
    pair = phrasebook("fra", size=1)[0]
    assert glossed(pair) == list(pair.target)


def test_each_link_is_a_line_and_a_possible_one_is_dotted():
    pair = next(pair for pair in CHINESE if pair.possible > pair.alignment)
    lines = draw_links(pair).axes[0].lines
    dotted = [line for line in lines if line.get_linestyle() == ":"]
    assert len(lines) == len(pair.possible) and len(dotted) == len(pair.possible - pair.alignment)
