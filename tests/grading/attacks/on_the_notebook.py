"""Attacks by a notebook that isn't what the student was given."""

import json
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from tests.grading.attacks.attack import DOUBLING, Attack, named, place_of, then, twin

_RESTORES = "nbgrader puts the cell back as it was"
_GIVES_UP = "nbgrader gives up on the submission"
_RAN = then("")
LAST = "zzz-last"  # a student who comes after all others


def _edit(change):
    """A wrong answer that runs, and a change to the test cells."""
    return {"cells": _RAN, "surgery": change}


def _set(name: str, **role):
    return lambda notebook: named(notebook, name).metadata.nbgrader.update(role)


def _delete(notebook: NotebookNode) -> None:
    for name in ("test_double", "test_double_hidden"):
        del notebook.cells[place_of(notebook, name)]


def _rewrite(notebook: NotebookNode) -> None:
    for name in ("test_double", "test_double_hidden"):
        named(notebook, name).source = "pass"


def _retype(notebook: NotebookNode) -> None:
    for name in ("test_double", "test_double_hidden"):
        cell = named(notebook, name)
        cell.cell_type = "markdown"
        del cell["outputs"], cell["execution_count"]


def _move(notebook: NotebookNode) -> None:
    test = notebook.cells.pop(place_of(notebook, "test_double"))
    notebook.cells.insert(0, test)
    notebook.cells.insert(
        0, new_code_cell("double = type('Yes', (), {'__eq__': lambda *a: True, '__call__': lambda s, x: s})()")
    )


def _duplicate(notebook: NotebookNode) -> None:
    for name in ("test_double", "test_double_hidden"):
        test = named(notebook, name)
        notebook.cells.insert(0, twin(test, "pass"))
        notebook.cells.append(twin(test, "2"))


def _take_the_hidden_name(notebook: NotebookNode) -> None:
    del notebook.cells[place_of(notebook, "test_double_hidden")]
    named(notebook, "double").metadata.nbgrader.grade_id = "test_double_hidden"


def _as_json(change):
    """Hand in the notebook's JSON after a change that nbformat wouldn't make."""

    def place(folder: Path, text: str) -> None:
        notebook = json.loads(text)
        written = change(notebook)
        (folder / "doubling.ipynb").write_text(json.dumps(notebook) if written is None else written)

    return place


def _cells_that_are_none(notebook: dict) -> None:
    notebook["cells"][1:1] = [5, "cell", None, ["cell"], {}]


def _old(notebook: dict) -> str:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["input"], cell["language"] = cell.pop("source"), "python"
            cell["prompt_number"] = cell.pop("execution_count")
        cell.pop("id", None)
    return json.dumps(
        {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": notebook["cells"]}]}
    )


def _odd_types(notebook: dict) -> None:
    test = next(
        cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == "test_double"
    )
    test["metadata"]["nbgrader"] |= {"points": "lots", "grade": "yes", "locked": [], "grade_id": ["test_double"]}
    notebook["metadata"] = {"kernelspec": 7, "nbgrader": []}


def _role_is_a_list(notebook: dict) -> None:
    notebook["cells"][3]["metadata"]["nbgrader"] = ["grade"]


def _texts_are_none(notebook: dict) -> None:
    notebook["cells"][0]["source"] = 5
    notebook["cells"].append(
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "id": "bare"}
    )


def _half_a_character(notebook: dict) -> None:
    notebook["cells"].append({"cell_type": "markdown", "metadata": {}, "source": "\ud800", "id": "half"})


def _another_type(notebook: dict) -> None:
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade"):
            cell["cell_type"] = "heading"


def _huge(notebook: dict) -> None:
    text = "x = '" + 10_000_000 * "a" + "'"
    notebook["cells"].insert(
        2, {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "id": "huge", "source": text}
    )


NOTEBOOK = [
    Attack("tests-deleted", "the tests aren't there", **_edit(_delete), stock="a lost test counts as failed"),
    Attack("tests-rewritten", "the tests are empty", **_edit(_rewrite), stock=_RESTORES),
    Attack("tests-retyped", "the tests are prose", **_edit(_retype), stock=_RESTORES),
    Attack("test-moved", "the test stands behind another function of that name", **_edit(_move), on=("test_double",)),
    Attack(
        "points-changed",
        "the test says that it is worth 100 points",
        **_edit(_set("test_double", points=100)),
        stock=_RESTORES,
    ),
    Attack(
        "no-grade",
        "the tests say that they aren't graded",
        **_edit(_set("test_double", grade=False, locked=False)),
        stock="what isn't graded has no points",
    ),
    Attack(
        "test-is-an-answer",
        "the test says that it is a written answer, for a person to mark",
        **_edit(_set("test_double", solution=True)),
        stock=_GIVES_UP,
    ),
    Attack(
        "hidden-name",
        "the answer goes by the name of the hidden test",
        **_edit(_take_the_hidden_name),
        stock=_RESTORES,
        trace="twice 2 is not that",
    ),
    Attack(
        "old-format",
        "the notebook is in the format of 2013",
        _RAN,
        place=_as_json(_old),
        stock="it is brought up to date",
    ),
    Attack("odd-metadata", "points are a word, names are lists", _RAN, place=_as_json(_odd_types), stock=_GIVES_UP),
    Attack("role-is-a-list", "what a cell is, is a list", _RAN, place=_as_json(_role_is_a_list), stock=_GIVES_UP),
    Attack(
        "cells-that-are-none",
        "some cells are numbers, texts and lists",
        _RAN,
        place=_as_json(_cells_that_are_none),
        stock=_GIVES_UP,
    ),
    Attack(
        "texts-that-are-none",
        "a cell's text is a number, or isn't there",
        _RAN,
        place=_as_json(_texts_are_none),
        stock=_GIVES_UP,
    ),
    Attack(
        "half-a-character",
        "a text holds half a character, which can't be written to a file",
        _RAN,
        place=_as_json(_half_a_character),
        stock=_GIVES_UP,
    ),
    Attack(
        "another-type", "the tests are of a type that there isn't", _RAN, place=_as_json(_another_type), stock=_RESTORES
    ),
    Attack("huge-cell", "a cell of ten million characters", _RAN, place=_as_json(_huge), stock="it is just slow"),
    Attack(
        "deep-json",
        "the file is nested 100,000 times",
        place=_as_json(lambda notebook: 100_000 * "[" + 100_000 * "]"),
        stock=_GIVES_UP,
        trace="isn't JSON",
        refused=True,
    ),
    Attack(
        "from-the-future",
        "the cells say that a newer nbgrader made them",
        **_edit(lambda notebook: [_set(name, schema_version=99)(notebook) for name in ("double", "test_double")]),
        stock="not tried: it stops the grading of the class, as the next one does",
        tried_on_stock=False,
    ),
    Attack(
        "zz-ids-duplicated",
        "the tests are there three times, and two are empty, which stops nbgrader before the next student",
        **_edit(_duplicate),
        harms=lambda course: not (course / "classroom" / "autograded" / LAST / DOUBLING / "doubling.ipynb").exists(),
    ),
]
