"""A submission put back into the shape of the lab: the instructor's cells as they were, the student's answers in them."""

from collections import defaultdict
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_solution


class Rebuild(NbGraderPreprocessor):
    """Before anything runs: lost cells come back, moved ones go home, and no cell is a test because it says so."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        course, lab = self.parent.parent.coursedir, resources["nbgrader"]["assignment"]
        folder = course.format_path(course.source_directory, ".", lab)
        source = nbformat.read(Path(folder) / f"{resources['nbgrader']['notebook']}.ipynb", as_version=4)
        nb.cells = rebuilt(nb, source).cells
        return nb, resources


def rebuilt(submission: NotebookNode, source: NotebookNode) -> NotebookNode:
    """The instructor's `source` with the submission's answers, and the student's other cells where they stood.

    An answer is the first cell that has the answer's name. A cell that was added follows the cell of the lab that it
    followed in the submission. An answer that was deleted is empty.
    """
    names = {name for cell in source.cells if (name := _name(cell))}
    answers: dict[str, NotebookNode] = {}
    others: dict[str | None, list[NotebookNode]] = defaultdict(list)
    before: str | None = None
    for cell in submission.cells:
        name = _name(cell)
        if name in names and name not in answers:
            answers[name] = cell
            before = name
        else:
            others[before].append(_plain(cell))
    cells = others.pop(None, [])
    for cell in source.cells:
        name = _name(cell)
        if name is None:
            continue  # an explanation or an experiment, which is the student's to keep, change or delete
        cell = NotebookNode(cell)
        if is_solution(cell):
            cell.source = answers[name].source if name in answers else ""
        cells += [cell, *others[name]]
    whole = NotebookNode(submission)
    whole.cells = _with_distinct_ids(cells)
    return whole


def _name(cell: NotebookNode) -> str | None:
    found = cell.metadata.get("nbgrader")
    name = found.get("grade_id") if isinstance(found, dict) else None
    return name if isinstance(name, str) else None


def _plain(cell: NotebookNode) -> NotebookNode:
    """A cell that is no answer, whatever its metadata says."""
    cell.metadata.pop("nbgrader", None)
    return cell


def _with_distinct_ids(cells: list[NotebookNode]) -> list[NotebookNode]:
    seen = set()
    for number, cell in enumerate(cells):
        if cell.get("id") in seen or not isinstance(cell.get("id"), str):
            cell["id"] = f"added-{number}"
        seen.add(cell["id"])
    return cells
