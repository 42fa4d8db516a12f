"""Where reports send a student: sections and hints that there are, for mistakes and exercises that there are."""

import re
from functools import cache
from pathlib import Path

import nbformat
import pytest

from helpers.checks.catalogue import exercise_names, find_exercise, lab_of
from helpers.checks.hints import HINTS, hint_for
from helpers.checks.where_to_look import OF_EXERCISES, OF_MISTAKES, OF_MISTAKES_IN, section_for

ROOT = Path(__file__).parents[2]


@cache
def texts(notebook: Path) -> list[str]:
    cells = nbformat.read(notebook, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "markdown"]


def ids_of(exercise: str) -> set[str]:
    return {misconception.id for misconception in find_exercise(exercise).misconceptions}


def sections_in(exercise: str) -> set:
    return {section_for(exercise, [each]) for each in ids_of(exercise)} | {section_for(exercise, [])}


@pytest.mark.parametrize("exercise", exercise_names())
def test_an_exercise_and_its_mistakes_lead_to_sections_that_there_are(exercise):
    for section in sections_in(exercise):
        assert section is not None
        text = "\n".join(texts(ROOT / "notebooks" / f"{section.notebook}.ipynb"))
        assert re.search(rf"^#+ {re.escape(section.heading)}$", text, re.MULTILINE), section


@pytest.mark.parametrize("exercise", exercise_names())
def test_an_exercise_leads_to_what_comes_no_later_than_its_lab(exercise):
    later = {section for section in sections_in(exercise) if int(section.notebook[:2]) > int(lab_of(exercise)[3:5])}
    assert later <= {section_for("sequence_cross_entropy", ["padding-counted"])}  # three ways to average a loss


def test_every_mistake_and_exercise_of_the_tables_is_one_that_the_checks_know():
    assert set(OF_MISTAKES) <= set().union(*map(ids_of, exercise_names()))
    assert set(OF_EXERCISES) == set(exercise_names())
    for table in (OF_MISTAKES_IN, HINTS):
        for exercise, rows in table.items():
            ids = [each for of_row in rows.values() for each in of_row]
            assert set(ids) <= ids_of(exercise) and len(ids) == len(set(ids)), exercise


@pytest.mark.parametrize("exercise", HINTS)
def test_every_hint_is_in_the_text_of_its_exercise(exercise):
    lab = lab_of(exercise)
    text = "\n".join(texts(ROOT / "labs" / lab / f"{lab}.ipynb"))
    parts = [part for part in re.split(r"(?m)^(?=## )", text) if f"`{exercise}`" in part.partition("\n")[0]]
    for title in HINTS[exercise]:
        assert f"<details><summary>{title}</summary>" in "".join(parts), title


def test_a_mistake_comes_before_its_exercise():
    assert section_for("length_mask", ["inverted-mask"]).heading.startswith("E ·")
    assert section_for("length_mask", ["something new"]).heading.startswith("2 ·")
    assert section_for("something else", []) is None


def test_an_exercise_may_send_a_mistake_elsewhere_than_the_others_do():
    assert section_for("LuongDecoder", ["no-tanh"]).notebook == "05_seq2seq_attention"
    assert section_for("AdditiveScore", ["no-tanh"]).notebook == "03_attention_scores"


def test_the_first_mistake_that_has_a_hint_tells_which():
    assert hint_for("masked_softmax", ["type-changed", "nan-empty-row"]) == "Hint 3: the empty row"
    assert hint_for("masked_softmax", ["type-changed"]) is None
