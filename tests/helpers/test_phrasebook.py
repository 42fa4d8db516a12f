"""The phrasebook: right French, right Chinese, and an alignment that says which word renders which.

The grammar is held against small tables of its own that were written by hand here, not against the grammar's.
"""

import os
import pickle
import re
import subprocess
import sys
from collections import Counter
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.phrasebook import Pair, phrasebook, to_text
from helpers.phrasebook_words import ADJECTIVES, NOUNS, VERBS

LANGUAGES = ("fra", "cmn")


@cache
def pairs(language: str, seed: int = 0) -> list[Pair]:
    """The whole phrasebook, from a process of its own: the shape checks that tests run with would make it slow."""
    code = """if True:
        import pickle, sys
        from helpers.phrasebook import phrasebook
        pickle.dump(phrasebook(sys.argv[1], int(sys.argv[2])), sys.stdout.buffer)
    """
    done = subprocess.run([sys.executable, "-c", code, language, str(seed)], stdout=subprocess.PIPE, check=True)
    return pickle.loads(done.stdout)


def rendered(pair: Pair, word: str) -> list[str]:
    """The target words that are aligned with an English word."""
    return [pair.target[t] for t, s in sorted(pair.alignment) if pair.source[s] == word]


def find(language: str, source: str) -> Pair:
    """The first pair whose English sentence matches a pattern."""
    return next(pair for pair in pairs(language) if re.fullmatch(source, " ".join(pair.source)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_at_least_20000_different_sentences_in_each_language(language):
    assert len({pair.source for pair in pairs(language)}) == len(pairs(language)) >= 20_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_english_sentence_has_one_translation_whatever_the_seed(language):
    translations = {pair.source: pair.target for pair in pairs(language)}
    shared = [pair for pair in pairs(language, seed=1) if pair.source in translations]
    assert len(shared) > 100
    assert all(translations[pair.source] == pair.target for pair in shared)


def test_a_seed_gives_the_same_english_sentences_in_both_languages_and_another_seed_gives_others():
    french, chinese = phrasebook("fra", seed=3, size=200), phrasebook("cmn", seed=3, size=200)
    assert [pair.source for pair in french] == [pair.source for pair in chinese]
    assert french == phrasebook("fra", seed=3, size=200)
    assert french != phrasebook("fra", seed=4, size=200)


def test_a_smaller_phrasebook_is_the_beginning_of_a_larger_one():
    assert phrasebook("fra", size=50) == pairs("fra")[:50]


def test_a_seed_gives_the_same_pairs_in_every_process():
    listed = "[(pair.source, pair.target) for pair in phrasebook('cmn', 5, 100)]"
    code = f"from helpers.phrasebook import phrasebook; print(ascii({listed}))"
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True
        )
        for hash_seed in ("1", "2")
    ]
    assert outputs[0].returncode == 0
    assert outputs[0].stdout == outputs[1].stdout


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_have_4_to_15_english_tokens(language):
    lengths = Counter(len(pair.source) for pair in pairs(language))
    assert set(lengths) == set(range(4, 16))
    assert sum(lengths[length] for length in range(11, 16)) > 5_000  # enough long ones to see a bottleneck


def test_every_word_of_the_tables_is_used():
    words = {word for pair in pairs("fra") for word in pair.source}
    assert {noun.english for noun in NOUNS.values()} <= words
    assert set(ADJECTIVES) <= words
    for verb in VERBS.values():
        assert words & {form.split()[0] for form in (verb.english, verb.third, verb.past, verb.progressive)}


# --- The alignment ---------------------------------------------------------------------------------------------------


@given(language=st.sampled_from(LANGUAGES), seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_every_target_word_is_either_aligned_or_declared_unaligned(language, seed):
    for pair in phrasebook(language, seed, size=40):
        aligned = {t for t, _ in pair.alignment}
        assert aligned | pair.unaligned == set(range(len(pair.target)))
        assert not aligned & pair.unaligned


@given(language=st.sampled_from(LANGUAGES), seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_links_lie_within_the_sentences_and_sure_links_are_possible(language, seed):
    for pair in phrasebook(language, seed, size=40):
        assert pair.alignment <= pair.possible
        assert all(0 <= t < len(pair.target) and 0 <= s < len(pair.source) for t, s in pair.possible)


@pytest.mark.parametrize(("language", "words"), [("fra", {"le", "la"}), ("cmn", {"很", "的"})])
def test_few_words_are_unaligned_and_all_of_them_are_grammar(language, words):
    found = [pair.target[t] for pair in pairs(language) for t in pair.unaligned]
    assert set(found) == words
    assert len(found) < 0.06 * sum(len(pair.target) for pair in pairs(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_english_content_word_is_rendered(language):
    content = {*NOUNS, *(noun.plural for noun in NOUNS.values()), *ADJECTIVES, "not", "no", "yesterday", "two"}
    for pair in pairs(language):
        linked = {s for _, s in pair.alignment}
        assert all(s in linked for s, word in enumerate(pair.source) if word in content)


def test_the_full_stop_comes_last_and_renders_the_full_stop():
    for language, stop in (("fra", "."), ("cmn", "。")):
        for pair in pairs(language):
            assert pair.target[-1] == stop
            assert {s for t, s in pair.alignment if t == len(pair.target) - 1} == {len(pair.source) - 1}


def test_not_is_rendered_by_two_french_words_and_one_chinese_word():
    for french, chinese in zip(pairs("fra"), pairs("cmn"), strict=True):
        if "not" in french.source:
            assert rendered(french, "not") in (["ne", "pas"], ["n'", "pas"])
            assert len(rendered(chinese, "not")) == 1


def test_a_whole_french_sentence_is_aligned_as_by_hand():
    pair = find("fra", r"there is no \w+ next to the tree \.")
    assert pair.target[:5] == ("il", "n'", "y", "a", "pas")
    assert [rendered(pair, word) for word in ("there", "is", "no", "next")] == [
        ["il", "y"],
        ["a"],
        ["n'", "pas", pair.target[5]],
        ["à", "côté"],
    ]
    assert pair.target[5] in ("de", "d'")
    assert pair.target[-4:] == ("de", "l'", "arbre", ".")


def test_a_contraction_renders_both_of_its_english_words():
    pair = find("fra", r".* to the market \.")
    position = pair.target.index("au")
    assert [pair.source[s] for t, s in sorted(pair.alignment) if t == position] == ["to", "the"]


def test_a_whole_chinese_sentence_is_aligned_as_by_hand():
    pair = find("cmn", r"\w+ (gave|lent|sold) \w+ (new|old) (red|black|white|grey|blue|green) \w+s to .*")
    verb, number, adjective, colour, noun = pair.source[1:6]
    assert rendered(pair, "to") == ["给"]
    assert rendered(pair, verb)[1] == "了"
    (coloured,) = rendered(pair, colour)
    measure, thing = rendered(pair, noun)
    assert pair.target[pair.target.index(coloured) + 1] == "的"
    assert pair.target.index(coloured) + 1 in pair.unaligned
    assert measure == {row.plural: row.measure for row in NOUNS.values()}[noun]
    phrase = (*rendered(pair, number), measure, coloured, "的", *rendered(pair, adjective), thing)
    assert pair.target[pair.target.index(coloured) - 2 :][: len(phrase)] == phrase


# --- French ----------------------------------------------------------------------------------------------------------

VOWELS = tuple("aeiouyhéèêàâîôœ")
FORBIDDEN = {
    **{word: VOWELS for word in ("le", "la", "de", "ne", "je", "ce", "ma", "ta", "sa", "beau", "nouveau")},
    "à": ("le ", "les "),
    "de": ("le ", "les ", *VOWELS),
    "cet": tuple("bcdfgjklmnpqrstvz"),
    **{word: tuple("bcdfgjklmnpqrstvz") for word in ("l'", "d'", "n'", "j'", "bel", "nouvel", "vieil")},
}


def test_french_words_that_meet_are_elided_and_contracted():
    for pair in pairs("fra"):
        for word, following in zip(pair.target, pair.target[1:], strict=False):
            assert not f"{following} ".startswith(FORBIDDEN.get(word, ("\0",))), pair.target_text
            is_plural = following.endswith(("s", "x"))
            assert not (word == "vieux" and following.startswith(VOWELS) and not is_plural), pair.target_text


def test_french_has_every_elision_and_contraction_at_least_once():
    words = {word for pair in pairs("fra") for word in pair.target}
    assert {"l'", "d'", "n'", "j'", "cet", "au", "aux", "du", "bel", "nouvel", "vieil"} <= words


GENDER = dict.fromkeys(("book", "coat", "hat", "bicycle", "bed", "cat", "tree", "sofa"), "m")
GENDER |= dict.fromkeys(("letter", "dress", "car", "table", "cow", "apple", "flower", "house", "key"), "f")
FORMS = {  # masculine, feminine, masculine plural, feminine plural
    "white": ("blanc", "blanche", "blancs", "blanches"),
    "green": ("vert", "verte", "verts", "vertes"),
    "red": ("rouge", "rouge", "rouges", "rouges"),
    "grey": ("gris", "grise", "gris", "grises"),
    "new": ("nouveau", "nouvelle", "nouveaux", "nouvelles"),
    "old": ("vieux", "vieille", "vieux", "vieilles"),
    "small": ("petit", "petite", "petits", "petites"),
    "beautiful": ("beau", "belle", "beaux", "belles"),
    "expensive": ("cher", "chère", "chers", "chères"),
}
BEFORE_VOWEL = {"nouvel": "nouveau", "vieil": "vieux", "bel": "beau"}
DETERMINERS = {  # masculine, feminine, plural; elision aside
    "a": ("un", "une", None),
    "this": ("ce", "cette", None),
    "these": (None, None, "ces"),
    "the": ("le", "la", "les"),
}


def noun_phrases(pair: Pair):
    """(determiner, adjectives, noun, is plural) with their positions in the source, for the nouns in GENDER."""
    singular = {noun: noun for noun in GENDER}
    plural = {NOUNS[noun].plural: noun for noun in GENDER}
    for position, word in enumerate(pair.source):
        if word in singular or word in plural:
            start = position
            while start > 0 and pair.source[start - 1] in ADJECTIVES:
                start -= 1
            yield start - 1, range(start, position), position, word in plural


def test_french_adjectives_agree_with_their_noun_and_cross_it_or_not():
    seen = Counter()
    for pair in pairs("fra"):
        target_of = {s: t for t, s in pair.alignment}
        for _, adjectives, noun, is_plural in noun_phrases(pair):
            english = next(name for name in GENDER if pair.source[noun] in (name, NOUNS[name].plural))
            for position in adjectives:
                adjective = pair.source[position]
                if adjective not in FORMS:
                    continue
                found = pair.target[target_of[position]]
                expected = FORMS[adjective][2 * is_plural + (GENDER[english] == "f")]
                assert BEFORE_VOWEL.get(found, found) == expected, pair.target_text
                crosses = target_of[position] > target_of[noun]
                assert crosses == (adjective in ("white", "green", "red", "grey")), pair.target_text
                seen[adjective, is_plural, GENDER[english]] += 1
    assert len(seen) >= 30  # most adjectives in both genders and numbers


def test_french_predicates_agree_with_their_subject():
    seen = Counter()
    pattern = re.compile(r"(?:the|this|these|my|your|his|her) (\w+) (?:is|are) (?:very |too |not )?(\w+) \.")
    for pair in pairs("fra"):
        match = pattern.fullmatch(" ".join(pair.source))
        if not match or match[2] not in FORMS:
            continue
        for name, gender in GENDER.items():
            if match[1] in (name, NOUNS[name].plural):
                is_plural = match[1] != name
                assert pair.target[-2] == FORMS[match[2]][2 * is_plural + (gender == "f")], pair.target_text
                seen[gender, is_plural] += 1
    assert len(seen) == 4


def test_french_determiners_agree_with_their_noun():
    seen = Counter()
    for pair in pairs("fra"):
        targets = {s: [t for t, s_ in pair.alignment if s_ == s] for s in range(len(pair.source))}
        for determiner, _, noun, is_plural in noun_phrases(pair):
            english = {"an": "a"}.get(pair.source[determiner], pair.source[determiner])
            name = next(name for name in GENDER if pair.source[noun] in (name, NOUNS[name].plural))
            if english not in DETERMINERS:
                continue
            (found,) = (pair.target[t] for t in targets[determiner])
            expected = DETERMINERS[english][2 if is_plural else GENDER[name] == "f"]
            allowed = {expected, "de", "d'"} if "not" in pair.source and english == "a" else {expected}
            allowed |= {"l'"} if english == "the" and not is_plural else set()
            allowed |= {"cet"} if expected == "ce" else set()
            allowed |= {"au", "du"} if expected == "le" else set()
            assert found in allowed, pair.target_text
            seen[english] += 1
    assert set(seen) == set(DETERMINERS)


def test_his_and_her_agree_with_what_is_owned():
    assert rendered(find("fra", r"there .* his house \."), "his") == ["sa"]
    assert rendered(find("fra", r"there .* her bed \."), "her") == ["son"]


def test_french_verbs_agree_with_their_pronoun():
    endings = {"nous": ("ons", "sommes"), "ils": ("nt",), "il": ("t", "e", "a", "d"), "elle": ("t", "e", "a", "d")}
    endings |= {"je": ("e", "s", "x", "ai"), "j'": ("e", "ai", "s")}
    seen = set()
    for pair in pairs("fra"):
        pronoun, *rest = pair.target
        if pronoun in endings and pair.source[0] != "there":
            verb = next(word for word in rest if word not in ("ne", "n'"))
            assert verb.endswith(endings[pronoun]), pair.target_text
            seen.add(pronoun)
    assert seen == set(endings)


def test_going_is_with_etre_and_its_participle_agrees_with_the_subject():
    expected = {"she": ("est", "allée"), "he": ("est", "allé"), "they": ("sont", "allés"), "I": ("suis", "allé")}
    for subject, words in expected.items():
        pair = find("fra", rf"{subject} went to .*")
        assert tuple(rendered(pair, "went")) == words
    assert rendered(find("fra", r"she ate .*"), "ate") == ["a", "mangé"]


def test_an_indefinite_article_becomes_de_after_not():
    for pair in pairs("fra"):
        articles = {word for word in rendered(pair, "a") + rendered(pair, "an")}
        assert articles <= ({"de", "d'"} if "not" in pair.source else {"un", "une"}), pair.target_text


# --- Chinese ---------------------------------------------------------------------------------------------------------

MEASURES = {
    "book": "本",
    "letter": "封",
    "car": "辆",
    "horse": "匹",
    "cat": "只",
    "table": "张",
    "key": "把",
    "hat": "顶",
}


def test_a_measure_word_is_chosen_by_the_noun_that_is_yet_to_come():
    seen = Counter()
    for pair in pairs("cmn"):
        for position, word in enumerate(pair.source):
            for noun, measure in MEASURES.items():
                if word not in (noun, NOUNS[noun].plural):
                    continue
                targets = sorted(t for t, s in pair.alignment if s == position)
                if len(targets) == 2:
                    assert pair.target[targets[0]] == measure
                    assert pair.target[targets[0] - 1] in "一两三四五这那", pair.target_text
                    seen[noun] += 1
    assert set(seen) == set(MEASURES)


def test_a_chinese_number_always_has_its_measure_word_and_two_is_liang():
    measures = {noun.measure for noun in NOUNS.values()}
    for pair in pairs("cmn"):
        assert "二" not in pair.target
        for word, following in zip(pair.target, pair.target[1:], strict=False):
            assert word not in "一两三四五" or following in measures, pair.target_text


def test_chinese_says_the_time_first():
    for pair in pairs("cmn"):
        for time in ("yesterday", "tomorrow", "week", "month", "moment"):
            if time in pair.source:
                assert min(t for t, s in pair.alignment if s == pair.source.index(time)) <= 1, pair.target_text


def test_chinese_says_the_place_before_what_is_there():
    for pair in pairs("cmn"):
        if pair.source[0] == "there":
            target_of = {s: t for t, s in pair.alignment}
            assert target_of[len(pair.source) - 2] < target_of[1], pair.target_text  # the place, then 有
            assert pair.target[0] != "在"


def test_chinese_negates_the_past_with_mei_and_without_le():
    for pair in pairs("cmn"):
        if "did" in pair.source:
            assert "没" in pair.target and "了" not in pair.target, pair.target_text
        if {"will", "not"} <= set(pair.source):
            assert "不" in pair.target and "了" not in pair.target, pair.target_text
        assert ("不", "有") not in zip(pair.target, pair.target[1:], strict=False)


def test_chinese_says_le_after_what_was_done():
    for pair in pairs("cmn"):
        if pair.source[-2] == "yesterday" and "not" not in pair.source:
            assert pair.target.count("了") == 1, pair.target_text


def test_chinese_says_de_no_more_than_once_in_a_noun_phrase_that_is_owned():
    for pair in pairs("cmn"):
        text = " ".join(pair.target)
        assert not re.search(r"[我你他她] 的 (\S+ )?\S+ 的 ", text), pair.target_text


def test_a_chinese_adjective_alone_is_given_hen():
    pair = find("cmn", r"the coffee is hot \.")
    assert pair.target == ("那", "杯", "咖啡", "很", "热", "。")
    assert pair.unaligned == {3}


# --- Text, combinations, errors --------------------------------------------------------------------------------------


def test_texts_are_written_as_one_writes_them():
    assert to_text(["j'", "ai", "une", "clé", "."], "fra") == "J'ai une clé."
    assert to_text(["我", "没", "有", "书", "。"], "cmn") == "我没有书。"
    for pair in pairs("fra"):
        assert re.fullmatch(r"\S.*\w\.", pair.source_text) and pair.source_text[0].isupper()
        assert re.fullmatch(r"[^\s].*\w\.", pair.target_text) and "' " not in pair.target_text
    assert all(" " not in pair.target_text for pair in pairs("cmn"))


def test_combinations_are_the_adjectives_and_verbs_with_their_nouns():
    pair = find("fra", r"(I|he|she|we|they) (washed|borrowed) \w+ (new|old) (red|black|white|grey|blue|green) cars? .*")
    verb = {"washed": "wash", "borrowed": "borrow"}[pair.source[1]]
    assert pair.combinations == {(verb, "car"), (pair.source[3], "car"), (pair.source[4], "car")}
    assert find("fra", r"\w+ (house|houses) (is|are) (too|very) expensive \.").combinations == {("expensive", "house")}
    assert find("fra", r"she is tired \.").combinations == frozenset()


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("arguments", "named"), [(("deu",), "language"), (("fra", 0, 0), "size"), (("fra", 0, 10**6), "size")]
)
def test_a_wrong_argument_is_named(arguments, named):
    with pytest.raises(ValueError, match=f"^{named} must"):
        phrasebook(*arguments)


def test_importing_the_phrasebook_loads_no_torch():
    code = "import sys, helpers.phrasebook; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
