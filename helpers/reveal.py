"""Stuck? First an exercise's hints; asked again, one right answer. Your progress, which only you see, notes it.

python -m helpers.reveal LAB EXERCISE    for example: python -m helpers.reveal 1 masked_softmax

An answer comes from solutions/, which a class's hand-out doesn't have.
"""

import argparse
import ast
import datetime
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from helpers.lab_files import (
    Notebook,
    answer_cell,
    exercises_tested_in,
    find_exercise,
    find_lab,
    is_answer,
    is_test,
    name_of,
    read,
    released_path,
    run_command,
    text_of,
)
from helpers.progress import note, record

_HINT = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
_MARK = re.compile(r"^\s*### (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)


def reveal(course: Path, lab: str, exercise: str) -> str:
    """The exercise's hints, or, once these were seen, a right answer.

    Raises:
        UserError: if there is no such exercise, a file is damaged, or it can't be noted that it was revealed.
    """
    released = read(released_path(course, lab))
    exercise = find_exercise(released, exercise)
    hints, solutions = hints_to(released, exercise), course / "solutions" / lab / f"{lab}.ipynb"
    if hints and not record(course, lab, exercise).get("hints"):
        note(course, lab, exercise, hints=True)
        return f"{_as_text(hints)}\n\nStill stuck? The same command again shows a right answer."
    if not solutions.exists():
        sentence = "No answers came with this copy of the course: your instructor has them."
        return f"{_as_text(hints)}\n\n{sentence}" if hints else f"There are no hints for {exercise}. {sentence}"
    answer = right_answer(read(solutions), exercise)
    note(course, lab, exercise, revealed=datetime.date.today().isoformat())
    return (
        f"One right answer to {exercise}; others are as good.\n\n{answer}\n\n"
        "Read it until nothing in it surprises you, put it away, and write your own."
    )


def hints_to(lab: Notebook, exercise: str) -> list[tuple[str, str]]:
    """The folded hints in the text that leads to an exercise, each with its title."""
    tested = any(exercise in exercises_tested_in(cell) for cell in lab["cells"])
    hints: list[tuple[str, str]] = []
    for cell in lab["cells"]:
        if exercise in exercises_tested_in(cell) or (name_of(cell) == exercise and not tested):
            return hints
        if is_test(cell):
            hints = []  # they led to that test
        elif cell["cell_type"] == "markdown" and not is_answer(cell):
            hints += [(title.strip(), text.strip()) for title, text in _HINT.findall(text_of(cell))]
    return hints


def right_answer(solution: Notebook, exercise: str) -> str:
    """The solution's answer: a whole cell, or the one method of a class that is the exercise."""
    cell = answer_cell(solution, exercise)
    text = _MARK.sub("", text_of(cell)) if cell is not None else ""
    if cell is None or name_of(cell) == exercise or cell["cell_type"] != "code":
        return text
    for part in ast.walk(ast.parse(text)):
        if isinstance(part, ast.FunctionDef) and part.name == exercise:
            return textwrap.dedent("\n".join(text.splitlines()[part.lineno - 1 : part.end_lineno]))
    return text


def _as_text(hints: list[tuple[str, str]]) -> str:
    return "\n\n".join(f"{title}\n\n{textwrap.indent(text, '  ')}" for title, text in hints)


def main(words: Sequence[str], course: Path) -> None:
    """What the command line asks."""
    description = "Show the hints to an exercise; asked again, a right answer."
    parser = argparse.ArgumentParser(prog="python -m helpers.reveal", description=description)
    parser.add_argument("lab", help="for example lab01_masked_softmax, lab01 or 1")
    parser.add_argument("exercise", help="for example masked_softmax")
    arguments = parser.parse_args(words)
    print(reveal(course, find_lab(course, arguments.lab), arguments.exercise))


if __name__ == "__main__":
    run_command(main)
