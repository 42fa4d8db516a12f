"""The phrasebook: a small grammar that says the same thing in English, in French and in Simplified Chinese.

It is there to be looked at through attention, so every sentence comes with its gold alignment: which word of the
translation renders which English word. The words are in `helpers/phrasebook_words.py`; here is what is done with
them: the kinds of sentence, then noun phrases, whole sentences, and sentences drawn at random.

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
from typing import Literal, NamedTuple

from helpers.phrasebook_words import (
    ADJECTIVES,
    DESTINATIONS,
    DETERMINERS,
    FUTURE_ENDINGS,
    HABITS,
    HELPERS,
    KINDS,
    LOCATIONS,
    NOUNS,
    NUMBERS,
    OWNED_PLACES,
    PEOPLE,
    POSSESSIVES,
    PREPOSITIONS,
    PRONOUNS,
    SCENES,
    TENSES,
    TIMES,
    VERBS,
    Adjective,
    Noun,
    Pronoun,
    Verb,
    table,
)

Language = Literal["fra", "cmn"]

# ---------------------------------------------------------------------------------------------------------------------
# The kinds of sentence: English | French | Chinese
# ---------------------------------------------------------------------------------------------------------------------

# Capitals are filled in, or left out where there is nothing to fill in. "pas:not" says pas, which renders *not*; "很:"
# says 很, which renders nothing; "给:RECIPIENT.0?" is only said where its English is. Other English words are as written.
_STATEMENTS = table("""
existence       | there be OBJECT PLACE     | il:there y:there a:be OBJECT PLACE              | PLACE 有:be OBJECT
no existence    | there be OBJECT PLACE     | il:there ne:no y:there a:be pas:no OBJECT PLACE | PLACE 没:no 有:be OBJECT
description     | SUBJECT be ADJECTIVE      | SUBJECT être:be ADJECTIVE                       | SUBJECT 很: ADJECTIVE
very            | SUBJECT be very ADJECTIVE | SUBJECT être:be très:very ADJECTIVE             | SUBJECT 非常:very ADJECTIVE
too             | SUBJECT be too ADJECTIVE  | SUBJECT être:be trop:too ADJECTIVE              | SUBJECT 太:too ADJECTIVE 了:too
not description | SUBJECT be not ADJECTIVE  | SUBJECT ne:not être:be pas:not ADJECTIVE        | SUBJECT 不:not ADJECTIVE
""")

# The verb of a sentence about an action. For the rest of it see `_ORDER`; ~ is for COMPANION PLACE.
_VERB_GROUPS = table("""
present         | VERB.s                           | VERB.present                                | ~ VERB.chinese
not present     | do not VERB.base                 | ne:not VERB.present pas:not                 | 不:not ~ VERB.chinese
habit           | VERB.s                           | VERB.present                                | ~ VERB.chinese
progressive     | be VERB.ing                      | VERB.present                                | 正在:be ~ VERB.chinese
not progressive | be not VERB.ing                  | ne:not VERB.present pas:not                 | 没:not 在:be ~ VERB.chinese
past            | VERB.past                        | avoir:VERB VERB.participle                  | ~ VERB.chinese 给:RECIPIENT.0? 了:VERB
not past        | did not VERB.base                | ne:not avoir:did pas:not VERB.participle    | 没:not ~ VERB.chinese
future          | will VERB.base                   | VERB.future                                 | 会:will ~ VERB.chinese 给:RECIPIENT.0?
not future      | will not VERB.base               | ne:not VERB.future pas:not                  | 不:not 会:will ~ VERB.chinese
wish            | wants:want to VERB.base          | vouloir:want VERB.infinitive                | 想:want ~ VERB.chinese 给:RECIPIENT.0?
not wish        | do:want.do not want to VERB.base | ne:not vouloir:want pas:not VERB.infinitive | 不:not 想:want ~ VERB.chinese
""")
_ORDER = (  # what English and French say last, Chinese says first
    "SUBJECT {} OBJECT RECIPIENT GOAL PLACE COMPANION TIME",
    "SUBJECT {} OBJECT RECIPIENT GOAL PLACE COMPANION TIME",
    "TIME SUBJECT {} RECIPIENT OBJECT GOAL",
)

_LANGUAGES = ("eng", "fra", "cmn")
_PATTERNS = {name: dict(zip(_LANGUAGES, columns, strict=True)) for name, *columns in _STATEMENTS}
for _name, *_groups in _VERB_GROUPS:
    _columns = [order.format(group) for order, group in zip(_ORDER, _groups, strict=True)]
    _PATTERNS[_name] = dict(zip(_LANGUAGES, _columns, strict=True))
    _PATTERNS[_name]["cmn"] = _PATTERNS[_name]["cmn"].replace("~", "COMPANION PLACE")

# A part: further parts whose English words one could link with it too. English says its do and did for the sake of not.
_MAYBE = {
    "VERB": ("do", "did", "will", "be", "to", "particle"),
    "did": ("VERB",),
    "not": ("do", "did", "want.do"),
    "want": ("want.do", "to"),
    "there": ("be",),  # il y a, as a whole, renders "there is"
    "be": ("there",),
}


class Word(NamedTuple):
    text: str
    parts: tuple[str, ...]  # the parts of the meaning that it stands for
    maybe: tuple[str, ...]  # further parts that one could say it stands for


def _say(text: str, *parts: str, maybe: tuple[str, ...] = ()) -> Word:
    return Word(text, parts, maybe + tuple(more for part in parts for more in _MAYBE.get(part, ())))


# ---------------------------------------------------------------------------------------------------------------------
# Noun phrases
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NounPhrase:
    determiner: str
    adjectives: tuple[Adjective, ...]
    noun: Noun
    is_plural: bool

    @property
    def person(self) -> int:
        return 3 if self.is_plural else 1

    @property
    def gender(self) -> str:
        return self.noun.gender

    def determiner_part(self, slot: str) -> str:
        return "no" if self.determiner == "no" else f"{slot}.determiner"


def _english_phrase(phrase: NounPhrase, slot: str) -> list[Word]:
    words = [_say(adjective.english, f"{slot}.{adjective.english}") for adjective in phrase.adjectives]
    words.append(_say(phrase.noun.plural if phrase.is_plural else phrase.noun.english, f"{slot}.noun"))
    is_an = phrase.determiner == "a" and words[0].text[0] in "aeiou"
    return [_say("an" if is_an else phrase.determiner, phrase.determiner_part(slot)), *words]


def _agree(adjective: Adjective, gender: str, is_plural: bool) -> str:
    if is_plural:
        return adjective.masculine_plural if gender == "m" else adjective.feminine_plural
    return adjective.masculine if gender == "m" else adjective.feminine


def _french_phrase(phrase: NounPhrase, slot: str, negated: bool) -> list[Word]:
    """After *not*, *a* is neither un nor une but de: il n'a pas de voiture."""
    masculine, feminine, plural, _ = DETERMINERS[phrase.determiner]
    singular = masculine if phrase.gender == "m" else feminine
    determiner = "de" if negated and phrase.determiner in ("a", "no") else plural if phrase.is_plural else singular
    noun = phrase.noun.french_plural if phrase.is_plural else phrase.noun.french
    before, after = [], []
    for adjective in phrase.adjectives:
        form, is_before = _agree(adjective, phrase.gender, phrase.is_plural), adjective.position == "before"
        if is_before and phrase.gender == "m" and not phrase.is_plural and _VOWEL.match(noun):
            form = adjective.before_vowel
        (before if is_before else after).append(_say(form, f"{slot}.{adjective.english}"))
    return [_say(determiner, phrase.determiner_part(slot)), *before, _say(noun, f"{slot}.noun"), *after]


def _chinese_phrase(phrase: NounPhrase, slot: str, negated: bool) -> list[Word]:
    """After *not*, *a* is left unsaid: 他 没 有 汽车. So is *the* of a place (in 花园) and of a subject that is called by
    an occupation and no more (医生 很 忙).
    """
    noun, determiner, part = phrase.noun, phrase.determiner, phrase.determiner_part(slot)
    is_known = slot in _PLACES or (slot == "SUBJECT" and noun.kind == "person")
    is_known = is_known and determiner == "the" and not phrase.adjectives
    words = []
    if not is_known and not (negated and determiner in ("a", "no")):
        words.append(_say(DETERMINERS[determiner][-1], part))
        if determiner in POSSESSIVES:  # 我 的 书, but 我 妈妈
            words += [] if noun.kind == "family" else [_say("的", part)]
        elif phrase.is_plural and determiner not in NUMBERS:
            words.append(_say("些", part, maybe=(f"{slot}.noun",)))
        else:
            words.append(_say(noun.measure, f"{slot}.noun", maybe=(part,)))
    # What takes a 的 stands further from the noun; and one 的 in a noun phrase is enough: 我 的 红色 汽车.
    for adjective in sorted(phrase.adjectives, key=lambda adjective: not adjective.particle):
        words.append(_say(adjective.chinese, f"{slot}.{adjective.english}"))
        if adjective.particle and determiner not in POSSESSIVES:
            words.append(_say(adjective.particle, maybe=(f"{slot}.{adjective.english}",)))  # grammar: renders nothing
    words.append(_say(noun.chinese, f"{slot}.noun"))
    if phrase.is_plural and (is_known or noun.kind == "friend"):
        words.append(_say("们", f"{slot}.noun"))
    return words


# ---------------------------------------------------------------------------------------------------------------------
# Whole sentences
# ---------------------------------------------------------------------------------------------------------------------

_PLACES = ("GOAL", "PLACE")
_AROUND = ("RECIPIENT", "COMPANION", *_PLACES)  # noun phrases with a preposition


@dataclass
class Meaning:
    """What a sentence is to say: its pattern, and what is to be filled in."""

    pattern: str
    subject: NounPhrase | Pronoun | None = None
    verb: Verb | None = None
    adjective: Adjective | None = None
    object: NounPhrase | None = None
    recipient: tuple[str, NounPhrase] | None = None  # ("to", the girl)
    goal: tuple[str, NounPhrase] | None = None  # ("to", the station)
    place: tuple[str, NounPhrase] | None = None  # ("on", the table)
    companion: tuple[str, NounPhrase] | None = None  # ("with", my mother)
    time: list[str] | None = None  # a line of TIMES

    @property
    def agrees_with(self) -> NounPhrase | Pronoun:
        return self.subject or self.object  # there *are* two cats

    def phrases(self) -> list[NounPhrase]:
        around = [slot[1] for slot in (self.recipient, self.goal, self.place, self.companion) if slot]
        return [phrase for phrase in (self.subject, self.object, *around) if isinstance(phrase, NounPhrase)]

    def combinations(self) -> frozenset[tuple[str, str]]:
        """The adjectives with their nouns, and the verb with its object or goal."""
        found = {
            (adjective.english, phrase.noun.english) for phrase in self.phrases() for adjective in phrase.adjectives
        }
        if self.verb:
            found.add((self.verb.english, (self.object or self.goal[1]).noun.english))
        if self.adjective and isinstance(self.subject, NounPhrase):
            found.add((self.adjective.english, self.subject.noun.english))
        return frozenset(found)


_MEETING = {("à", "le"): "au", ("à", "les"): "aux", ("de", "le"): "du", ("de", "les"): "des"}
_MEETING |= {("正在", "在"): "正在", ("在", "在"): "在"}  # 他 正在 花园 里 看 书: one 在 serves for both
_VOWEL = re.compile("[aeiouyhéèêàâîôœ]")  # an h is silent in all our words
_BEFORE_VOWEL = {"le": "l'", "la": "l'", "de": "d'", "ne": "n'", "je": "j'", "ce": "cet"}
_BEFORE_VOWEL |= {"ma": "mon", "ta": "ton", "sa": "son"}


def _meet(words: list[Word]) -> list[Word]:
    """What happens where two words meet: la école is l'école, à le marché is au marché."""
    met: list[Word] = []
    for word in reversed(words):
        following = met[0] if met else _say("")
        if word.text in _BEFORE_VOWEL and _VOWEL.match(following.text):
            word = word._replace(text=_BEFORE_VOWEL[word.text])
        elif (word.text, following.text) in _MEETING:
            both = _MEETING[word.text, following.text]
            word = Word(both, word.parts + following.parts, word.maybe + following.maybe)
            met.pop(0)
        met.insert(0, word)
    return met


def _verb(form: str, meaning: Meaning) -> list[Word]:
    verb, who = meaning.verb, meaning.agrees_with
    agreement = ("e" if who.gender == "f" else "") + ("s" if who.is_plural else "") if verb.english == "go" else ""
    forms = {
        "base": verb.english,
        "s": verb.third if who.person == 1 else verb.english,
        "ing": verb.progressive,
        "past": verb.past,
        "infinitive": verb.infinitive,
        "present": verb.present[who.person],
        "participle": verb.participle + agreement,
        "future": verb.future + FUTURE_ENDINGS[who.person],
        "chinese": verb.chinese,
    }
    first, *particle = forms[form].split()  # look for
    return [_say(first, "VERB"), *(_say(word, "particle") for word in particle)]


def _phrase(phrase: NounPhrase | Pronoun, slot: str, language: str, negated: bool) -> list[Word]:
    if isinstance(phrase, Pronoun):
        return [_say(phrase[_LANGUAGES.index(language)], f"{slot}.noun")]
    if language == "eng":
        return _english_phrase(phrase, slot)
    return (_french_phrase if language == "fra" else _chinese_phrase)(phrase, slot, negated)


def _expression(
    english: str, translations: Sequence[str], slot: str, language: str, inside: Sequence[Word] = ()
) -> list[Word]:
    """A time, or a preposition with its noun phrase `inside`: any word could be linked with any English word of it."""
    parts = [f"{slot}.{position}" for position in range(len(english.split()))]
    if language == "eng":
        return [*map(_say, english.split(), parts), *inside]
    words: list[Word] = []
    for item in translations[_LANGUAGES.index(language) - 1].split():
        text, _, position = item.partition(":")
        rendered = [parts[int(position)]] if position else []
        words += inside if item == "~" else [_say(text, *rendered, maybe=tuple(parts))]
    return words


def _fill(item: str, meaning: Meaning, language: str) -> list[Word]:
    """The words for one item of a pattern, before they meet their neighbours."""
    negated, who = meaning.pattern.startswith("no"), meaning.agrees_with
    if ":" in item or item.islower():  # a word; which English word it renders is left out where it is that word
        text, colon, part = item.partition(":")
        if part.endswith("?") and meaning.recipient is None:
            return []
        if meaning.verb:  # elle a mangé, but elle est allée; 不 喜欢, but 没 有
            text = {("avoir", "go"): "être", ("不", "have"): "没"}.get((text, meaning.verb.english), text)
        parts = [part.rstrip("?")] if part else [] if colon else [text]
        return [_say(HELPERS[text][who.person] if text in HELPERS else text, *parts)]
    slot, _, form = item.partition(".")
    filling = getattr(meaning, slot.lower())
    if filling is None:
        return []
    if slot == "VERB":
        return _verb(form, meaning)
    if slot == "ADJECTIVE":
        french = _agree(filling, who.gender, who.is_plural)
        return [_say({"eng": filling.english, "fra": french, "cmn": filling.chinese}[language], slot)]
    if slot == "TIME":
        english, _, *translations = filling
        return _expression(english, translations, slot, language)
    if slot in _AROUND:
        preposition, phrase = filling
        inside = _phrase(phrase, slot, language, negated)
        return _expression(preposition, PREPOSITIONS[preposition], slot, language, inside)
    return _phrase(filling, slot, language, negated)


def _speak(meaning: Meaning, language: str) -> list[Word]:
    words = [word for item in _PATTERNS[meaning.pattern][language].split() for word in _fill(item, meaning, language)]
    if words[0].text == "在":
        words = words[1:]  # not said at the beginning: 桌子 上 有 一 本 书
    words.append(_say("。" if language == "cmn" else ".", "end"))
    return words if language == "eng" else _meet(words)


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
    source, target = _speak(meaning, "eng"), _speak(meaning, language)
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
    choices = [[()], [(name,) for name in singles], doubles]
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
    preposition, place = draw.choice(places) if places and draw.random() < 0.5 else (None, None)
    return Meaning(
        pattern=f"not {tense}" if negated else tense,
        subject=_draw_subject(draw),
        verb=VERBS[key],
        object=_draw_phrase(draw, noun, determiners, negated),
        place=(preposition, _the(place)) if place else None,
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
