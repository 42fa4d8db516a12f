"""What Chinese words of the phrasebook say, in a word or two of English, for readers who don't read Chinese.

A word of the phrasebook has a gold alignment, which knows what it renders in its own sentence: `glosses` and `glossed`.
A word that a model has written has none: `word_meanings` says what it mostly renders, and `with_meanings` writes that
behind it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from helpers.phrasebook import Pair
from helpers.phrasebook_words import NOUNS

# Words that have no English word of their own. A measure word (辆, 本, 只, …) stands between a number and its noun.
_GRAMMAR = {"的": "particle", "了": "done", "们": "plural", "些": "some", "很": "very"}
_GRAMMAR |= {noun.measure: "measure" for noun in NOUNS.values()}
# What words say that render another English word in each sentence.
_MOSTLY = {"有": "there is", "在": "at", "正在": "just now", "借": "lend", "去": "go", "会": "will", "太": "too"}
_MOSTLY |= {"上": "on", "现在": "now", "我": "I", "你": "you", "他": "he", "她": "she"}


def glosses(pair: Pair) -> list[str]:
    """For each word of a Chinese translation what it renders in this sentence; nothing for one of another language.

    A word that has no English of its own is in brackets: "(measure)".
    """
    if pair.language != "cmn":
        return [""] * len(pair.target)
    rendered = {target: pair.source[source] for target, source in sorted(pair.alignment, reverse=True)}
    rendered |= {target: f"({_GRAMMAR[word]})" for target, word in enumerate(pair.target) if word in _GRAMMAR}
    return [rendered.get(target, "." if word == "。" else "") for target, word in enumerate(pair.target)]


def glossed(pair: Pair) -> list[str]:
    """The words of a translation, each Chinese one with its gloss: "狗 dogs"."""
    return [
        f"{word} {gloss}".strip() if gloss != word else word
        for word, gloss in zip(pair.target, glosses(pair), strict=True)
    ]


def word_meanings(pairs: Iterable[Pair]) -> dict[str, str]:
    """An English word for each Chinese word of the pairs: by their gold alignments, the one that it renders most."""
    rendered: dict[str, Counter[str]] = {}
    for pair in pairs:
        for target, source in pair.alignment:
            rendered.setdefault(pair.target[target], Counter())[pair.source[source]] += 1
    return {word: counts.most_common(1)[0][0] for word, counts in rendered.items()} | _GRAMMAR | _MOSTLY


def with_meanings(tokens: Iterable[str], meanings: Mapping[str, str]) -> str:
    """A sentence with each word's meaning behind it: `我(I) 的(particle)`; `?` if it is unknown, none for a stop."""
    return " ".join(token if token in "。，" else f"{token}({meanings.get(token, '?')})" for token in tokens)
