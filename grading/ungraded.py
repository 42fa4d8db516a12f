"""A submission that can't be read has its place in the gradebook all the same: 0 points, the reason, and a page."""

import copy

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook, new_output
from nbgrader.api import Gradebook
from nbgrader.preprocessors import ClearSolutions
from nbgrader.utils import is_grade, is_solution

from grading.rebuilding import rebuilt
from grading.recognising import name_of

_PAGE = """# This was not graded

{fault}.

So it has no points. Run `python -m helpers.hand_in {lab}` in the course's folder, and hand in the file that it writes,
under the name that it has."""


def blank_with_reason(fault: str, lab: str, source: NotebookNode) -> NotebookNode:
    """The lab as it is handed out, and above it what is wrong and what to do.

    The answers' cells have the text that they have there: an empty one would wait for a mark.
    """
    notebook = rebuilt(new_notebook(cells=[new_markdown_cell(_PAGE.format(fault=fault, lab=lab))]), source)
    released, _ = ClearSolutions().preprocess(copy.deepcopy(source), {})
    blanks = {name_of(cell): cell.source for cell in released.cells if is_solution(cell)}
    for cell in notebook.cells:
        cell.source = blanks.get(name_of(cell), cell.source)
    return notebook


def as_if_run(notebook: NotebookNode, fault: str) -> NotebookNode:
    """The same with the outputs that give no points: nothing was run, and the tests say why."""
    for cell in notebook.cells:
        if is_grade(cell) and not is_solution(cell):
            cell.outputs = [new_output("error", ename="NotGraded", evalue=fault, traceback=[f"Not graded: {fault}."])]
    return notebook


def comment(gradebook: Gradebook, lab: str, student: str, fault: str) -> None:
    """Say why in the gradebook's comments, which an export has; the caller commits."""
    for notebook in gradebook.find_submission(lab, student).notebooks:
        for each in notebook.comments:
            each.auto_comment = f"Not graded: {fault}."
