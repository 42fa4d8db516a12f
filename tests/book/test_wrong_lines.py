"""The lines that went wrong, beside the pictures of the catalogue."""

import ast

from book.wrong_lines import WRONG_LINES
from helpers.checks.catalogue import exercise_names, find_exercise


def test_every_line_belongs_to_a_mistake_that_its_check_knows():
    for exercise, lines in WRONG_LINES.items():
        assert set(lines) <= {misconception.id for misconception in find_exercise(exercise).misconceptions}, exercise


def test_every_line_is_python():
    for line in (line for lines in WRONG_LINES.values() for line in lines.values()):
        body = "\n  pass" if line.split("  # ")[0].endswith(":") else ""
        ast.parse(f"def answer():\n {line}{body}")


def test_every_exercise_has_lines_but_the_one_that_asks_for_an_input():
    assert set(exercise_names()) - set(WRONG_LINES) == {"breaking_input"}
