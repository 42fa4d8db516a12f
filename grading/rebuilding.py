"""A submission put back into the shape of the lab: the instructor's cells as they were, the student's answers in them."""

import copy
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_solution

from grading.submissions import fault_of_files

_MAKE = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}
_PICTURES = ("image/png", "image/jpeg", "image/gif")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")


class NotTheStudents(Exception):
    """Some of what was handed in isn't the student's own. The message says what."""


class Rebuild(NbGraderPreprocessor):
    """Before anything runs: lost cells come back, moved ones go home, and no cell is a test because it says so."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Raises: NotTheStudents, if the submission holds a link or another thing that is no file."""
        course, names = self.parent.parent.coursedir, resources["nbgrader"]
        handed_in = Path(course.format_path(course.submitted_directory, names["student"], names["assignment"]))
        fault = fault_of_files(handed_in)
        if fault is not None:
            raise NotTheStudents(fault)
        folder = course.format_path(course.source_directory, ".", names["assignment"])
        source = nbformat.read(Path(folder) / f"{names['notebook']}.ipynb", as_version=4)
        return rebuilt(nb, source), resources


def rebuilt(submission: NotebookNode, source: NotebookNode) -> NotebookNode:
    """The instructor's `source` with the submission's answers, and the student's other cells where they stood.

    An answer is the first cell that has the answer's name. A cell that was added follows the cell of the lab that it
    followed in the submission. An answer that was deleted is empty. Of the submission's file there are only texts in it,
    and the pictures of written answers: it is a notebook in good order whatever the file was like.
    """
    names = {name for cell in source.cells if (name := _name(cell))}
    answers: dict[str, NotebookNode] = {}
    others: dict[str | None, list[NotebookNode]] = defaultdict(list)
    before: str | None = None
    for cell in submission.cells:
        if not isinstance(cell, dict):
            continue
        name = _name(cell)
        if name in names and name not in answers:
            answers[name] = cell
            before = name
        elif isinstance(cell.get("cell_type"), str) and cell["cell_type"] in _MAKE:
            others[before].append(_filled(_MAKE[cell["cell_type"]](), cell))
    cells = others.pop(None, [])
    for cell in source.cells:
        name = _name(cell)
        if name is None:
            continue  # an explanation or an experiment, which is the student's to keep, change or delete
        cell = copy.deepcopy(cell)
        if is_solution(cell):
            _filled(cell, answers.get(name, {}))
        cells += [cell, *others[name]]
    whole = NotebookNode(source)
    whole.cells = _with_distinct_ids(cells)
    return whole


def _name(cell: dict) -> str | None:
    metadata = cell.get("metadata")
    found = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = found.get("grade_id") if isinstance(found, dict) else None
    return name if isinstance(name, str) else None


def _filled(cell: NotebookNode, written: dict) -> NotebookNode:
    """The cell with the text of one that the student wrote and, if it is prose, with its pictures."""
    text = written.get("source")
    cell.source = text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""
    pictures = _pictures(written.get("attachments"))
    if pictures and cell.cell_type == "markdown":
        cell.attachments = pictures
    return cell


def _pictures(attachments: Any) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, forms in attachments.items() if isinstance(attachments, dict) else ():
        for kind, data in forms.items() if isinstance(forms, dict) else ():
            if kind in _PICTURES and isinstance(data, str) and _BASE64.fullmatch(data):
                found[name] = {kind: data}
    return found


def _with_distinct_ids(cells: list[NotebookNode]) -> list[NotebookNode]:
    for number, cell in enumerate(cells):
        if _name(cell) is None:
            cell["id"] = f"added-{number}"
    return cells
