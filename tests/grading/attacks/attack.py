"""What an attack is, and the small lab that most of them are made for: doubling a number, and squaring one."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

DOUBLING = "doubling"
MARKER = "the attack ran"
DOUBLE = ("test_double", "test_double_hidden")
WRONG = "def double(x):\n    return 0\n"
RIGHT = {"double": "def double(x):\n    return x + x", "square": "def square(x):\n    return x * x"}


@dataclass(frozen=True)
class Attack:
    """A submission that wants more than it deserves.

    It is the student's copy with these `cells` written, by `grade_id`; then `surgery` is done to the notebook, and
    `place` writes what else is handed in (it is given the student's folder of the lab, and the notebook's text).

    `on` are the tests whose points it is after, `deserves` what they are worth to it. `harms` looks for what else it
    has done, in the course's folder. `stock` says why stock nbgrader doesn't give way to it; it does where that is
    None. `trace` is what shows that it ran: a text in the executed notebook, or in the sentence by which it is
    `refused`.
    """

    id: str
    what: str
    cells: Mapping[str, str] = field(default_factory=dict)
    surgery: Callable[[NotebookNode], None] | None = None
    place: Callable[[Path, str], None] | None = None
    on: tuple[str, ...] = DOUBLE
    deserves: float = 0
    harms: Callable[[Path], bool] | None = None
    stock: str | None = None
    tried_on_stock: bool = True
    trace: str = MARKER
    refused: bool = False


def then(payload: str) -> dict[str, str]:
    """A wrong answer, and after it a payload that says when it has run."""
    return {"double": f"{WRONG}\n{payload}\nprint({MARKER!r})"}


def source() -> NotebookNode:
    """The instructor's copy of the small lab."""
    return new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        cells=[
            new_markdown_cell("# Doubling and squaring", id="title"),
            _cell("imports", "import numpy", locked=True),
            _cell("double", _solution(RIGHT["double"]), solution=True),
            _cell("test_double", "assert double(2) == 4, 'twice 2 is not that'", locked=True, points=2),
            _cell("test_double_hidden", _HIDDEN, locked=True, points=2),
            _cell("square", _solution(RIGHT["square"]), solution=True),
            _cell("test_square", "sum(square(n) == n * n for n in (2, 3, 5, 7))", locked=True, points=4),
        ],
    )


_HIDDEN = """### BEGIN HIDDEN TESTS
wanted = {21: 42, -3: -6, 0.25: 0.5, 1000: 2000}
for number, twice in wanted.items():
    assert numpy.isclose(double(number), twice), "not twice the number"
### END HIDDEN TESTS"""


def _solution(text: str) -> str:
    head, body = text.split("\n")
    return f"{head}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"


def _cell(
    name: str, text: str, solution: bool = False, locked: bool = False, points: int | None = None
) -> NotebookNode:
    role = {"grade_id": name, "solution": solution, "locked": locked, "grade": points is not None, "schema_version": 3}
    cell = new_code_cell(text, metadata={"nbgrader": role | ({} if points is None else {"points": points})})
    cell["id"] = name.replace("_", "-")
    return cell


def named(notebook: NotebookNode, name: str) -> NotebookNode:
    """The cell with that `grade_id`."""
    return next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name)


def place_of(notebook: NotebookNode, name: str) -> int:
    """Where the cell with that `grade_id` stands."""
    return notebook.cells.index(named(notebook, name))


def twin(cell: NotebookNode, text: str) -> NotebookNode:
    """Another cell with the same metadata, and this text."""
    other = copy.deepcopy(cell)
    other["id"], other.source = f"{cell['id']}-twin-{len(text)}", text
    return other
