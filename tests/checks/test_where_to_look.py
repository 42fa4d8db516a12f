"""Where reports send a student: sections that there are, for mistakes and exercises that there are."""

import re
from pathlib import Path

import nbformat

from helpers.checks.catalogue import exercise_names, find_exercise
from helpers.checks.where_to_look import OF_EXERCISES, OF_MISTAKES, section_for

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_every_section_is_in_its_notebook():
    for section in {*OF_MISTAKES.values(), *OF_EXERCISES.values()}:
        cells = nbformat.read(NOTEBOOKS / f"{section.notebook}.ipynb", as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        assert re.search(rf"^#+ {re.escape(section.heading)}$", text, re.MULTILINE), section


def test_every_mistake_and_exercise_of_the_table_is_one_that_the_checks_know():
    known = {misconception.id for name in exercise_names() for misconception in find_exercise(name).misconceptions}
    assert set(OF_MISTAKES) <= known and set(OF_EXERCISES) <= set(exercise_names())


def test_a_mistake_comes_before_its_exercise():
    assert section_for("length_mask", ["inverted-mask"]).heading.startswith("E ·")
    assert section_for("length_mask", ["something new"]).heading.startswith("2 ·")
    assert section_for("plot_attention", []) is None
