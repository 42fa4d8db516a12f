"""The phrasebook's grammar: how a meaning is said in English, in French and in Simplified Chinese.

First the kinds of sentence, then noun phrases, then whole sentences. The words are in `helpers/phrasebook_words.py`;
`helpers/phrasebook.py` draws meanings at random, and has them said.

Every word is said together with the *part* of the meaning that it stands for, such as "not" or "OBJECT.noun": words of
two languages that stand for the same part render one another.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from helpers.phrasebook_words import (
    DETERMINERS,
    FUTURE_ENDINGS,
    HELPERS,
    NUMBERS,
    POSSESSIVES,
    PREPOSITIONS,
    Adjective,
    Noun,
    Pronoun,
    Verb,
    table,
)

# ---------------------------------------------------------------------------------------------------------------------
# The kinds of sentence: English | French | Chinese
# ---------------------------------------------------------------------------------------------------------------------

# Capitals are filled in, or left out where there is nothing to fill in. "pas:not" says pas, which renders *not*; "很:"
# says 很, which renders nothing; "给:RECIPIENT.0?" is only said where its English is. Other English words are as
# written.
_STATEMENTS = table("""
existence       | there be OBJECT PLACE     | il:there y:there a:be OBJECT PLACE              | PLACE 有:be OBJECT
no existence    | there be OBJECT PLACE     | il:there ne:no y:there a:be pas:no OBJECT PLACE | PLACE 没:no 有:be OBJECT
description     | SUBJECT be ADJECTIVE      | SUBJECT être:be ADJECTIVE                       | SUBJECT 很: ADJECTIVE
very            | SUBJECT be very ADJECTIVE | SUBJECT être:be très:very ADJECTIVE             | SUBJECT 非常:very ADJECTIVE
too             | SUBJECT be too ADJECTIVE  | SUBJECT être:be trop:too ADJECTIVE              | SUBJECT 太:too ADJECTIVE 了:too
not description | SUBJECT be not ADJECTIVE  | SUBJECT ne:not être:be pas:not ADJECTIVE        | SUBJECT 不:not ADJECTIVE
""")  # noqa: E501

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
""")  # noqa: E501
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
    before: list[Word] = []
    after: list[Word] = []
    for adjective in phrase.adjectives:
        form, is_before = _agree(adjective, phrase.gender, phrase.is_plural), adjective.position == "before"
        if is_before and phrase.gender == "m" and not phrase.is_plural and _VOWEL.match(noun):
            form = adjective.before_vowel
        (before if is_before else after).append(_say(form, f"{slot}.{adjective.english}"))
    return [_say(determiner, phrase.determiner_part(slot)), *before, _say(noun, f"{slot}.noun"), *after]


def _chinese_phrase(phrase: NounPhrase, slot: str, negated: bool) -> list[Word]:
    """After *not*, *a* is left unsaid: 他 没 有 汽车. So is *the* of a place (in 花园) and of a subject that is called
    by an occupation and no more (医生 很 忙).
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
        agrees_with = self.subject or self.object  # there *are* two cats
        assert agrees_with is not None
        return agrees_with

    def phrases(self) -> list[NounPhrase]:
        around = [slot[1] for slot in (self.recipient, self.goal, self.place, self.companion) if slot]
        return [phrase for phrase in (self.subject, self.object, *around) if isinstance(phrase, NounPhrase)]

    def combinations(self) -> frozenset[tuple[str, str]]:
        """The adjectives with their nouns, and the verb with its object or goal."""
        found = {
            (adjective.english, phrase.noun.english) for phrase in self.phrases() for adjective in phrase.adjectives
        }
        if self.verb:
            thing = self.object or (self.goal and self.goal[1])
            assert thing is not None
            found.add((self.verb.english, thing.noun.english))
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


def _verb(form: str, verb: Verb, who: NounPhrase | Pronoun) -> list[Word]:
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
        word = {"eng": phrase.english, "fra": phrase.french, "cmn": phrase.chinese}[language]
        return [_say(word, f"{slot}.noun")]
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
        return _verb(form, filling, who)
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


def speak(meaning: Meaning, language: str) -> list[Word]:
    words = [word for item in _PATTERNS[meaning.pattern][language].split() for word in _fill(item, meaning, language)]
    if words[0].text == "在":
        words = words[1:]  # not said at the beginning: 桌子 上 有 一 本 书
    words.append(_say("。" if language == "cmn" else ".", "end"))
    return words if language == "eng" else _meet(words)
