"""What a Chinese word of the phrasebook means, in a word: for readers who don't read Chinese."""

from collections import Counter
from collections.abc import Iterable

from helpers.phrasebook import Pair
from helpers.phrasebook_words import NOUNS

_MEASURE = "measure"  # 辆, 本, 只, …: the word between a number and its noun
# Words that render no English word, or another one in each sentence.
_GRAMMAR = {
    "的": "of",
    "了": "done",
    "们": "several",
    "些": "some",
    "很": "very",
    "有": "there is",
    "在": "at",
    "正在": "just now",
    "借": "lend",
    "去": "go",
    "会": "will",
    "太": "too",
    "上": "on",
    "现在": "now",
    "我": "I",
    "你": "you",
    "他": "he",
    "她": "she",
}


def glosses(pairs: Iterable[Pair]) -> dict[str, str]:
    """An English word for each Chinese word of the pairs: by the gold alignments, the one it renders most often."""
    rendered: dict[str, Counter[str]] = {}
    for pair in pairs:
        for target, source in pair.alignment:
            rendered.setdefault(pair.target[target], Counter())[pair.source[source]] += 1
    found = {word: counts.most_common(1)[0][0] for word, counts in rendered.items()}
    return found | {noun.measure: _MEASURE for noun in NOUNS.values()} | _GRAMMAR


def glossed(tokens: Iterable[str], meanings: dict[str, str]) -> str:
    """A sentence with a gloss behind each word: `我(I) 的(of)`. An unknown word has `?`, punctuation none."""
    return " ".join(token if token in "。，" else f"{token}({meanings.get(token, '?')})" for token in tokens)
