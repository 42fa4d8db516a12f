"""The phrasebook: a small grammar that says the same thing in English, in French and in Simplified Chinese.

It is there to be looked at through attention, so every sentence comes with its gold alignment: which word of the
translation renders which English word. The words are in `helpers/phrasebook_words.py`, what is done with them in
`helpers/phrasebook_grammar.py`; here sentences are drawn at random, and aligned.

How the alignment comes about: every word is said together with the *part* of the meaning that it stands for, such as
"not" or "OBJECT.noun". A target word is aligned with the English words that stand for the same part. A word that
renders no English word is said with no part, and so declared unaligned.

Some choices where English leaves one open: *I*, *we* and *they* are men (je suis allé, ils, 他们), and *your* is said
to one friend (ton, 你的). *The* is 那, "that", where Chinese says it at all.
"""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from helpers.phrasebook_grammar import Meaning, NounPhrase, speak
from helpers.phrasebook_words import (
    ADJECTIVES,
    DESTINATIONS,
    HABITS,
    KINDS,
    LOCATIONS,
    NOUNS,
    NUMBERS,
    OWNED_PLACES,
    PEOPLE,
    POSSESSIVES,
    PRONOUNS,
    SCENES,
    TENSES,
    TIMES,
    VERBS,
    Adjective,
    Noun,
    Pronoun,
)

Language = Literal["fra", "cmn"]


@dataclass(frozen=True)
class Pair:
    """An English sentence, its translation, and which word renders which.

    Links are (target index, source index), both from 0, as in lab 7. `alignment` has the sure links. `possible` has
    these and the ones that one could also defend, such as between a measure word and the English number. What
    `unaligned` lists renders no English word; every other target word has a sure link. `combinations` are the
    adjectives with their nouns and the verb with its object (or where one goes to), by their English dictionary form.
    """

    language: Language
    source: tuple[str, ...]
    target: tuple[str, ...]
    alignment: frozenset[tuple[int, int]]
    possible: frozenset[tuple[int, int]]
    unaligned: frozenset[int]
    combinations: frozenset[tuple[str, str]]

    @property
    def source_text(self) -> str:
        return to_text(self.source, "eng")

    @property
    def target_text(self) -> str:
        return to_text(self.target, self.language)


def to_text(tokens: Iterable[str], language: Literal["eng", "fra", "cmn"]) -> str:
    """A sentence as one writes it: `to_text(["j'", "ai", "une", "clé", "."], "fra")` is "J'ai une clé." """
    text = ("" if language == "cmn" else " ").join(tokens)
    text = re.sub(r" (?=[.,])|(?<=') ", "", text)
    return text[:1].upper() + text[1:]


def _pair(meaning: Meaning, language: Language) -> Pair:
    source, target = speak(meaning, "eng"), speak(meaning, language)
    positions: dict[str, list[int]] = {}
    for position, word in enumerate(source):
        positions.setdefault(word.parts[0], []).append(position)  # an English word stands for one part
    # A sure link must lead somewhere (else this raises), a possible one may.
    sure = {(t, s) for t, word in enumerate(target) for part in word.parts for s in positions[part]}
    maybe = {(t, s) for t, word in enumerate(target) for part in word.maybe for s in positions.get(part, ())}
    return Pair(
        language=language,
        source=tuple(word.text for word in source),
        target=tuple(word.text for word in target),
        alignment=frozenset(sure),
        possible=frozenset(sure | maybe),
        unaligned=frozenset(t for t, word in enumerate(target) if not word.parts),
        combinations=meaning.combinations(),
    )


# ---------------------------------------------------------------------------------------------------------------------
# Sentences drawn at random
# ---------------------------------------------------------------------------------------------------------------------


@cache
def _nouns(kinds: str) -> list[Noun]:
    """The nouns of some kinds; a single noun may be named too."""
    return [noun for noun in NOUNS.values() if {noun.kind, noun.english} & set(kinds.split())]


def _places(cell: str) -> list[tuple[str, Noun]]:
    """ "on table, in box": the preposition and the noun of each."""
    pairs = [place.strip().rsplit(" ", 1) for place in cell.split(",") if place]
    return [(preposition, NOUNS[noun]) for preposition, noun in pairs]


_DOINGS: dict[str, list[tuple[Noun, list]]] = {}  # verb: what it may be done to, and the places where it may be
for _doing, _kinds, _where in SCENES:
    _DOINGS.setdefault(_doing.replace("_", " "), []).extend((noun, _places(_where)) for noun in _nouns(_kinds))
_SITES = [(place, _nouns(kinds)) for where, kinds in LOCATIONS for place in _places(where)]


def _draw_adjectives(draw: random.Random, noun: Noun, determiner: str, negated: bool) -> tuple[Adjective, ...]:
    """None, one or two, where the noun allows two."""
    plain, colours, others, _ = KINDS[noun.kind]
    if negated and determiner in ("a", "no"):
        plain = []  # "pas de nouveau sac" might be read as "de nouveau", again
    if determiner not in POSSESSIVES:
        singles = plain + colours + others
    else:  # 我的有趣的书 has one 的 too many, and 我的绿色包 one too few
        singles = plain + (colours if len(noun.chinese) > 1 else [])
    doubles = [(first, colour) for first in plain for colour in colours]
    choices: list[list[tuple[str, ...]]] = [[()], [(name,) for name in singles], [*doubles]]
    return tuple(ADJECTIVES[name] for name in draw.choice(draw.choice([choice for choice in choices if choice])))


def _the(noun: Noun) -> NounPhrase:
    return NounPhrase("the", (), noun, False)


def _draw_phrase(draw: random.Random, noun: Noun, determiners: Sequence[str], negated: bool = False) -> NounPhrase:
    """`determiners`: "number", "possessive", "this" (or these), or the determiner itself; all as likely."""
    kind = draw.choice(determiners)
    is_plural = kind in ("the", "this", "possessive") and noun.kind not in ("drink", "family") and draw.random() < 0.4
    determiner = {"number": draw.choice(NUMBERS), "possessive": draw.choice(POSSESSIVES)}.get(kind, kind)
    determiner = "these" if kind == "this" and is_plural else determiner
    return NounPhrase(
        determiner, _draw_adjectives(draw, noun, determiner, negated), noun, is_plural or kind == "number"
    )


def _draw_person(draw: random.Random, other_than: NounPhrase | Pronoun | None = None) -> NounPhrase:
    nouns = [noun for noun in _nouns(PEOPLE) if not isinstance(other_than, NounPhrase) or noun != other_than.noun]
    noun = draw.choice(nouns)
    return _draw_phrase(draw, noun, ["possessive"] if noun.kind in ("family", "friend") else ["the", "the", "this"])


def _draw_subject(draw: random.Random) -> NounPhrase | Pronoun:
    return draw.choice(PRONOUNS) if draw.random() < 0.45 else _draw_person(draw)


def _draw_time(draw: random.Random, tense: str) -> list[str] | None:
    """A habit needs its time, and so does a Chinese future: without one, 会 might be read as "can"."""
    times = [time for time in TIMES if time[1] == tense]
    return draw.choice(times) if times and (tense in ("habit", "future") or draw.random() < 0.6) else None


def _draw_action(draw: random.Random) -> Meaning:
    """Someone does something with a thing: *My mother did not buy the red car yesterday.*"""
    key = draw.choice([verb for verb in TENSES if verb not in ("go", "give", "lend")])
    tense = draw.choice(TENSES[key])
    negated = tense != "habit" and key != "lose" and draw.random() < 0.35
    noun, places = draw.choice([doing for doing in _DOINGS[key] if tense != "habit" or doing[0].kind in HABITS.split()])
    if key == "like":
        determiners = ["the", "this", "possessive"]
    elif key in ("have", "write") or tense == "habit":
        determiners = ["a"] if negated else ["a", "number"]
    else:
        determiners = ["a", "the", "this", "possessive"] + ([] if negated or tense == "progressive" else ["number"])
    place = draw.choice(places) if places and draw.random() < 0.5 else None
    return Meaning(
        pattern=f"not {tense}" if negated else tense,
        subject=_draw_subject(draw),
        verb=VERBS[key],
        object=_draw_phrase(draw, noun, determiners, negated),
        place=(place[0], _the(place[1])) if place else None,
        time=_draw_time(draw, tense),
    )


def _draw_gift(draw: random.Random) -> Meaning:
    """Someone gives, lends or sells a thing to someone: *He lent a new book to the French doctor.*"""
    key = draw.choice(["give", "lend", "sell"])
    tense = draw.choice(TENSES["give"])
    noun, _ = draw.choice(_DOINGS[key])
    subject = _draw_subject(draw)
    return Meaning(
        pattern=tense,
        subject=subject,
        verb=VERBS[key],
        object=_draw_phrase(draw, noun, ["a", "number"]),
        recipient=("to", _draw_person(draw, other_than=subject)),
        time=_draw_time(draw, tense),
    )


def _draw_journey(draw: random.Random) -> Meaning:
    """Someone goes somewhere: *She goes to the market with her uncle every morning.*"""
    tense = draw.choice(TENSES["go"])
    negated = tense != "habit" and draw.random() < 0.35
    subject = _draw_subject(draw)
    return Meaning(
        pattern=f"not {tense}" if negated else tense,
        subject=subject,
        verb=VERBS["go"],
        goal=("to", _the(NOUNS[draw.choice(DESTINATIONS.split())])),
        companion=("with", _draw_person(draw, other_than=subject)) if draw.random() < 0.5 else None,
        time=_draw_time(draw, tense),
    )


def _draw_existence(draw: random.Random) -> Meaning:
    """Something is somewhere: *There is no cat under the table.*"""
    (preposition, place), nouns = draw.choice(_SITES)
    negated = draw.random() < 0.25
    thing = _draw_phrase(draw, draw.choice(nouns), ["no"] if negated else ["a", "number", "number"], negated)
    is_owned = place.english in OWNED_PLACES and draw.random() < 0.4
    where = NounPhrase(draw.choice(POSSESSIVES), (), place, False) if is_owned else _the(place)
    return Meaning("no existence" if negated else "existence", object=thing, place=(preposition, where))


def _draw_description(draw: random.Random) -> Meaning:
    """Someone or something is so: *The red cars are too expensive.*"""
    pattern = draw.choice(["description", "very", "too", "not description"])
    if draw.random() < 0.3:
        subject = _draw_subject(draw)
    else:
        things = [noun for noun in NOUNS.values() if KINDS[noun.kind][3] and noun.kind not in PEOPLE]
        subject = _draw_phrase(draw, draw.choice(things), ["the", "this", "possessive"])
    if isinstance(subject, Pronoun):
        choices = KINDS["person"][3]
    else:  # nothing is called old and new, or old twice
        plain, _, _, predicates = KINDS[subject.noun.kind]
        said = {adjective.english for adjective in subject.adjectives}
        said |= set(plain) if said & set(plain) else set()
        choices = [name for name in predicates if name not in said]
    return Meaning(pattern, subject=subject, adjective=ADJECTIVES[draw.choice(choices)])


_KINDS_OF_SENTENCE = (_draw_action, _draw_gift, _draw_journey, _draw_existence, _draw_description)
_SHARES = (0.5, 0.1, 0.1, 0.15, 0.15)
_MAX_LENGTH = 15  # English words and the full stop
_MAX_SIZE = 100_000


def phrasebook(language: Language, seed: int = 0, size: int = 20_000) -> list[Pair]:
    """`size` pairs, whose English sentences all differ. The same seed gives the same pairs in the same order, and the
    same English sentences in both languages.

    Raises:
        ValueError: if `language` is neither "fra" nor "cmn", or `size` is not in 1..100,000.
    """
    if language not in ("fra", "cmn"):
        raise ValueError(f'language must be "fra" (French) or "cmn" (Chinese), not {language!r}')
    if not 1 <= size <= _MAX_SIZE:
        raise ValueError(f"size must lie in 1..{_MAX_SIZE:,}, not {size}")
    draw = random.Random(seed)
    pairs: dict[tuple[str, ...], Pair] = {}
    while len(pairs) < size:
        (draw_meaning,) = draw.choices(_KINDS_OF_SENTENCE, _SHARES)
        pair = _pair(draw_meaning(draw), language)
        if len(pair.source) <= _MAX_LENGTH:
            pairs.setdefault(pair.source, pair)
    return list(pairs.values())
