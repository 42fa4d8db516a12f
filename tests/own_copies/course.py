"""A course of one small lab in a folder of its own, and the cells that such labs are made of."""

import copy
from pathlib import Path
from typing import Any

from nbformat import from_dict
from nbgrader.utils import compute_checksum

from helpers.lab_files import Notebook, answer_cell, name_of, own_path, read, released_path, write

LAB = "lab01_small"
BLANK = "def {}():\n    # YOUR CODE HERE\n    raise NotImplementedError()"


def text(identity: str, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": identity, "metadata": {}, "source": [source]}


def named(name: str, source: str, cell_type: str = "code", points: int | None = None, **role: Any) -> dict[str, Any]:
    """A cell as nbgrader releases it."""
    known = {"grade": points is not None, "solution": False, "locked": True, "grade_id": name, "schema_version": 3}
    known |= role | ({"points": points} if points is not None else {})
    cell = {"cell_type": cell_type, "id": name.replace("_", "-"), "metadata": {"nbgrader": known}, "source": source}
    known["checksum"] = compute_checksum(from_dict(cell))
    cell["source"] = source.splitlines(keepends=True)
    return cell | ({"outputs": [], "execution_count": None} if cell_type == "code" else {})


def answer(name: str, source: str | None = None) -> dict[str, Any]:
    return named(name, source or BLANK.format(name), solution=True, locked=False)


def written(name: str) -> dict[str, Any]:
    return named(name, "YOUR ANSWER HERE", "markdown", points=4, solution=True, locked=False)


HINTS = "<details><summary>Hint 1: where to look</summary>\n\nAt the first letter.\n\n</details>"
CELLS = [
    text("title", "# A small lab"),
    text("about-first", f"Write the first function.\n\n{HINTS}"),
    answer("first"),
    named("test_first", "assert first() == 1", points=3),
    text("about-second", "Now the second."),
    answer("second"),
    named("test_second", "assert second() == 2", points=2),
    named("test_second_hidden", "# Hidden tests: they are added when the lab is graded.", points=2),
    written("written_why"),
]


def lab_of(cells: list[dict[str, Any]]) -> Notebook:
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    return {"cells": copy.deepcopy(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def release(course: Path, cells: list[dict[str, Any]] = CELLS) -> None:
    """Put a version of the lab into the course."""
    write(released_path(course, LAB), lab_of(cells))


def answer_it(path: Path, **sources: str) -> None:
    """Write into cells of a file, by their names, as a student does."""
    notebook = read(path)
    for name, source in sources.items():
        cell = answer_cell(notebook, name)
        assert cell is not None
        cell["source"] = source.splitlines(keepends=True)
    write(path, notebook)


def source_in(path: Path, name: str) -> str:
    (found,) = [cell for cell in read(path)["cells"] if name_of(cell) == name]
    return "".join(found["source"])


def own(course: Path) -> Path:
    return own_path(course, LAB)
