"""One mistake has one name, in whichever exercises it is made."""

import re
from collections import defaultdict

import pytest

from helpers.checks import mistakes
from helpers.checks.catalogue import all_exercises, lab_of
from helpers.checks.mistakes import Mistake
from helpers.checks.renamed import RENAMED

ROWS = [(name, row) for name, exercise in all_exercises().items() for row in exercise.misconceptions]
SHARED = {each.id: each for each in vars(mistakes).values() if isinstance(each, Mistake)}


def by(attribute: str) -> dict[str, list]:
    """All rows, by their id, title or explanation."""
    rows = defaultdict(list)
    for _, row in ROWS:
        rows[getattr(row, attribute)].append(row)
    return rows


def in_shared_words(row) -> bool:
    """Whether a row says what `mistakes` says, with some words of its own in the places for them."""
    shared = SHARED[row.id].explanation or ""
    return re.fullmatch(re.sub(r"\\\{\w+\\\}", ".+", re.escape(shared)), row.explanation) is not None


def test_an_exercise_has_no_id_twice():
    names = [(name, row.id) for name, row in ROWS]
    assert len(set(names)) == len(names)


def test_a_mistake_of_several_exercises_is_a_shared_one_and_the_others_are_not():
    assert {id for id, rows in by("id").items() if len(rows) > 1} == set(SHARED)


@pytest.mark.parametrize("id", SHARED)
def test_a_shared_mistake_has_one_title(id):
    assert {row.title for row in by("id")[id]} == {SHARED[id].title}


@pytest.mark.parametrize("attribute", ["title", "explanation"])
def test_mistakes_with_different_ids_are_told_in_different_words(attribute):
    assert [words for words, rows in by(attribute).items() if len({row.id for row in rows}) > 1] == []


def test_what_several_labs_say_word_for_word_is_written_once():
    labs = defaultdict(set)
    for name, row in ROWS:
        labs[row.explanation].add(lab_of(name))
    repeated = [rows[0] for words, rows in by("explanation").items() if len(labs[words]) > 1]
    assert [row.id for row in repeated if not in_shared_words(row)] == []


@pytest.mark.parametrize("exercise", RENAMED)
def test_an_earlier_name_leads_to_a_present_one_and_is_none_itself(exercise):
    present = {row.id for name, row in ROWS if name == exercise}
    assert set(RENAMED[exercise].values()) <= present
    assert present.isdisjoint(RENAMED[exercise])
