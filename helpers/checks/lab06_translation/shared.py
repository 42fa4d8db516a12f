"""What lab 6's exercises share: sentences, and tokenizers that know their words."""

from dataclasses import dataclass
from functools import cache

from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from helpers.checks.engine import Draw
from helpers.corpora import SPECIAL_TOKENS, train_tokenizer

SENTENCES = ("the cat sees a small red dog .", "a black bird eats .", "she sleeps .", "he runs to the old house .")


@dataclass(frozen=True)
class Words:
    """A tokenizer as a case holds it: every look at an answer trains a new one, as an answer may change it."""

    sentences: tuple[str, ...]
    first: tuple[str, ...] = SPECIAL_TOKENS  # the tokens that come first, in the order of their ids

    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(_trained(self.sentences, self.first))

    def __str__(self) -> str:
        ids = sorted(self.tokenizer().get_vocab().items(), key=lambda entry: entry[1])
        return "a tokenizer with the ids " + ", ".join(f"{token} {number}" for token, number in ids)


@cache
def _trained(sentences: tuple[str, ...], first: tuple[str, ...]) -> str:
    tokenizer = train_tokenizer(sentences, "word")
    if first != SPECIAL_TOKENS:
        vocabulary = tokenizer.get_vocab()
        words = sorted(vocabulary, key=vocabulary.__getitem__)
        ids = {word: number for number, word in enumerate(dict.fromkeys((*first, *words)))}
        other = Tokenizer(WordLevel(ids, unk_token="<unk>"))
        other.pre_tokenizer, other.normalizer = tokenizer.pre_tokenizer, tokenizer.normalizer
        other.add_special_tokens(list(SPECIAL_TOKENS))
        tokenizer = other
    return tokenizer.to_str()


def said(draw: Draw, *lengths: int) -> list[str]:
    """Sentences of so many tokens, of words that the tokenizers know."""
    known = " ".join(SENTENCES).replace(" .", "").split()
    return [" ".join(known[index] for index in draw.integers(0, len(known) - 1, length).tolist()) for length in lengths]
