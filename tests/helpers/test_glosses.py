"""What Chinese words say: in their own sentence, and where only a model has written them."""

from helpers.glosses import glossed, glosses, with_meanings, word_meanings
from helpers.phrasebook import phrasebook

CHINESE = phrasebook("cmn", size=500)


def test_every_chinese_word_has_a_gloss_and_words_of_grammar_are_in_brackets():
    assert all(all(glosses(pair)) for pair in CHINESE)
    says = {word: gloss for pair in CHINESE for word, gloss in zip(pair.target, glosses(pair), strict=True)}
    assert says["狗"] in ("dog", "dogs") and says["辆"] == "(measure)" and says["的"] == "(particle)"


def test_a_gloss_stands_behind_its_word_and_a_french_word_stays_as_it_is():
    pair = next(pair for pair in CHINESE if "狗" in pair.target)
    assert {"狗 dog", "狗 dogs"} & {*glossed(pair)}
    pair = phrasebook("fra", size=1)[0]
    assert glossed(pair) == list(pair.target)


def test_what_a_model_writes_has_meanings_without_an_alignment():
    meanings = word_meanings(CHINESE)
    assert {word for pair in CHINESE for word in pair.target} <= {*meanings, "。", "，"}
    assert with_meanings(["我", "的", "猫", "。"], meanings) == "我(I) 的(particle) 猫(cat) 。"
    assert with_meanings(["零"], meanings) == "零(?)"


def test_a_word_of_grammar_says_the_same_in_both_ways():
    meanings = word_meanings(CHINESE)
    for pair in CHINESE:
        for word, gloss in zip(pair.target, glosses(pair), strict=True):
            if gloss.startswith("("):
                assert gloss == f"({meanings[word]})"
