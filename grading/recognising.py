"""Cells that lost their names on the way find them again.

Some editors drop what nbgrader notes in a cell. What is left to know it by is its id, the text of a cell that isn't the
student's to change, or the function that it defines.
"""

import ast
import re
import warnings
from collections.abc import Iterable
from functools import lru_cache

from nbformat import NotebookNode
from nbgrader.utils import is_solution

# The lines that a student's copy lacks: the rubric in a question, the hidden tests.
_ONLY_FOR_INSTRUCTORS = re.compile(r"\n### BEGIN (MARK SCHEME|HIDDEN TESTS)\n.*?\n### END \1(?=\n|\Z)", re.DOTALL)


def name_of(cell: dict) -> str | None:
    """The name by which nbgrader knows a cell of a file of which nothing is certain."""
    metadata = cell.get("metadata")
    found = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = found.get("grade_id") if isinstance(found, dict) else None
    return name if isinstance(name, str) else None


def named_cells(source: NotebookNode) -> dict[str, NotebookNode]:
    """The cells of a lab that have names, in its order."""
    return {name: cell for cell in source.cells if (name := name_of(cell))}


def recognised(submission: NotebookNode, source: NotebookNode) -> list[tuple[str | None, dict]]:
    """The cells of a submission, each with its name in the lab, if it has one: its own, or the one that it lost."""
    known = named_cells(source)
    cells = [cell for cell in submission.cells if isinstance(cell, dict)]
    names = [name if (name := name_of(cell)) in known else None for cell in cells]
    for name in known.keys() - set(names):
        place = _place_of(known[name], name, [None if names[i] else cell for i, cell in enumerate(cells)])
        if place is not None:
            names[place] = name
    return list(zip(names, cells, strict=True))


def _place_of(wanted: NotebookNode, name: str, cells: list[dict | None]) -> int | None:
    """Where a cell of the lab is among those without a name; None if it can't be told."""
    left = [(place, cell) for place, cell in enumerate(cells) if cell is not None and name_of(cell) is None]
    for place, cell in left:
        if cell.get("id") == wanted.get("id") and cell.get("cell_type") == wanted.cell_type and "id" in wanted:
            return place
    if not is_solution(wanted):
        texts = {wanted.source, released := _ONLY_FOR_INSTRUCTORS.sub("", wanted.source)}
        same = next((place for place, cell in left if cell.get("source") in texts), None)
        return same if same is not None else next((place for place, cell in left if _holds(cell, released)), None)
    main = main_definition(wanted.source, name) if wanted.cell_type == "code" else None
    return next((place for place, cell in left if main and main in definitions(cell.get("source"))), None)


def _holds(cell: dict, text: str) -> bool:
    """Whether each line of a text is in a cell, which has others besides."""
    source, lines = cell.get("source"), [line.strip() for line in text.split("\n") if line.strip()]
    return isinstance(source, str) and bool(lines) and set(lines) <= {line.strip() for line in source.split("\n")}


def main_definition(answer: str, name: str) -> str | None:
    """What makes a cell the answer: the function or class of its name, or the last that it defines."""
    defined = list(definitions(answer))
    return name if name in defined else defined[-1] if defined else None


def definitions(code: object) -> dict[str, str]:
    """The functions and classes that code defines, each with its text; none where it isn't Python."""
    found = (
        node for node in statements(code) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )
    return {node.name: text_of(node, code) for node in found if isinstance(code, str)}


def statements(code: object) -> list[ast.stmt]:
    """The statements of a cell, without lines for IPython (`%matplotlib`, `!pip`); none where it isn't Python."""
    return _parsed(code) if isinstance(code, str) else []


@lru_cache(maxsize=1000)  # the same cells are looked at again and again
def _parsed(code: str) -> list[ast.stmt]:
    try:
        with warnings.catch_warnings(action="ignore"):  # about what the student wrote
            return ast.parse("\n".join(_without_magic(code.split("\n")))).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def text_of(statement: ast.stmt, code: str) -> str:
    """A statement as it is written in the code, with its decorators."""
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
    return "\n".join(code.split("\n")[first - 1 : statement.end_lineno])


def _without_magic(lines: Iterable[str]) -> list[str]:
    return ["" if line.startswith(("%", "!")) else line for line in lines]
