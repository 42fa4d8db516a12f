"""The pages that students get back: nbgrader's feedback, for one student after the other, none stopping the rest."""

import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution
from tqdm import tqdm

from grading.course import Course, UserError, command
from grading.keeping_marks import why_not_run
from grading.logs import logging_to
from grading.times import lateness

_STYLE = """
.rendered_html table { margin: .7em 0 }
.rendered_html th, .rendered_html td { padding: .2em .8em; border-bottom: 1px solid #ddd; text-align: left }
.rendered_html details { margin: .4em 0 }
.rendered_html summary { display: list-item; cursor: pointer }
.input_area pre, .output_area pre { white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere }
a.anchor-link { display: none }
#toc { display: none }
"""
_IN_QUESTION = "The answer changed after this mark was given, so that the mark may change, too."


class GetMarks(GetGrades):
    """nbgrader's step that puts marks and comments on a page, and a sentence where a mark is yet to come."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Called by nbgrader's feedback for each notebook."""
        nb, resources = super().preprocess(nb, resources)
        waiting = [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).pop("waits", False)]
        not_run = {cell.metadata.nbgrader.grade_id: reason for cell in nb.cells if (reason := _not_run(cell))}
        nb.cells.insert(0, new_markdown_cell(_marks(nb, waiting, not_run)))
        if not_run:
            sentence = f"**Not all of it could be run, and what wasn't has no points: {next(iter(not_run.values()))}.**"
            nb.cells.insert(0, new_markdown_cell(sentence))
        # nbgrader's heading says 0.0 of a mark that is yet to come, and of what wasn't run.
        names = [cell.metadata.nbgrader.grade_id for cell in waiting] + list(not_run)
        to_come = [f'a[name="{name}"] ~ .panel-heading .pull-right' for name in names]
        resources["to_come"] = f"{', '.join(to_come)} {{ display: none }}" if to_come else ""
        known = resources["nbgrader"]
        with Gradebook(known["db_url"]) as gradebook:
            submission = gradebook.find_submission(known["assignment"], known["student"])
            if how_much := lateness(submission):
                penalty = submission.late_submission_penalty
                less = f", for which {penalty:g} points are taken off" if penalty else ""
                nb.cells.insert(0, new_markdown_cell(f"**You handed this in {how_much} after it was due{less}.**"))
        return nb, resources

    def preprocess_cell(self, cell: NotebookNode, resources: dict, cell_index: int) -> tuple[NotebookNode, dict]:
        """Called by nbgrader's feedback for each cell."""
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        if is_grade(cell) and is_solution(cell):
            grade = self.gradebook.find_grade(
                cell.metadata.nbgrader.grade_id, self.notebook_id, self.assignment_id, self.student_id
            )
            if grade.needs_manual_grade:
                cell.metadata.nbgrader.waits = grade.manual_score is None
                said = "Not marked yet." if grade.manual_score is None else _IN_QUESTION
                before = cell.metadata.nbgrader.comment
                cell.metadata.nbgrader.comment = "\n\n".join(filter(None, [before, f"*{said}*"]))
        return cell, resources


class Style(NbGraderPreprocessor):
    """Adds to a page's styles, which nbconvert has put together by then, what makes nbgrader's page easy to read."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Called by nbgrader's feedback for each notebook, as the last step."""
        resources["inlining"]["css"].append(_STYLE + resources.get("to_come", ""))
        return nb, resources


def _not_run(cell: NotebookNode) -> str | None:
    """Why a test without points couldn't be run; None for any other cell."""
    is_test = cell.cell_type == "code" and is_grade(cell) and not is_solution(cell)
    return why_not_run(cell) if is_test and not cell.metadata.nbgrader.score else None


def _marks(notebook: NotebookNode, waiting: list[NotebookNode], not_run: Collection[str]) -> str:
    """A table of the marks, an exercise a row, in place of nbgrader's list of test cells: it leads to each of them."""
    rows: dict[str, list[NotebookNode]] = {}
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and not is_solution(cell):
            found = re.findall(r"^##? (.+?)(?: \([^()]*points?[^()]*\))?$", cell.source, re.MULTILINE)
            heading = found[-1] if found else heading
        if is_grade(cell):
            rows.setdefault(heading, []).append(cell)
    lines = ["| exercise | points |", "|---|---|"]
    for heading, cells in rows.items():
        ended = [cell for cell in cells if cell.metadata.nbgrader.grade_id in not_run]
        counted = [cell for cell in cells if cell not in waiting and cell not in ended]
        score, of = (sum(cell.metadata.nbgrader[each] for cell in counted) for each in ("score", "points"))
        told = [f"{score:g} of {of:g}"] if counted else []
        open_points = sum(cell.metadata.nbgrader.points for cell in cells if cell in waiting)
        told += [f"not marked yet: {open_points:g}"] if open_points else []
        told += [f"not run: {sum(cell.metadata.nbgrader.points for cell in ended):g}"] if ended else []
        lines.append(f"| [{heading}](#{cells[0].metadata.nbgrader.grade_id}) | {', '.join(told)} |")
    return "\n".join(lines)


def graded_students(course: Course, lab: str) -> dict[str, int]:
    """The students who have marks in a lab, and for each how many written answers wait for theirs.

    Raises:
        UserError: if nobody has.
    """
    with course.gradebook() as gradebook:
        try:
            submissions = gradebook.assignment_submissions(lab)
        except MissingEntry:
            submissions = []
        waiting = {
            submission.student_id: sum(
                grade.needs_manual_grade for notebook in submission.notebooks for grade in notebook.grades
            )
            for submission in submissions
        }
    if not waiting:
        raise UserError(f"Nothing has been graded of {lab}, so far: {command('grading', 'autograde', lab)}")
    return dict(sorted(waiting.items()))


def write_pages(course: Course, lab: str, students: list[str]) -> Iterator[tuple[str, str | None]]:
    """Write each student's page: the student, and why there is no page, if there is none."""
    with logging_to(course.classroom / "feedback.log") as reason:
        for student in tqdm(students, desc=f"Feedback on {lab}", unit="page", file=sys.stdout):
            reason.text = ""
            directory = course.directory(assignment_id=lab, student_id=student)
            try:
                GenerateFeedback(coursedir=directory, config=course.config, force=True).start()
            except NbGraderException as error:
                yield student, f"nbgrader gave up on it: {reason.text or error}"
            else:
                yield student, None


def page_path(course: Course, lab: str, student: str) -> Path:
    """Where a student's page lies."""
    directory = course.directory()
    return course.root / directory.format_path(directory.feedback_directory, student, lab) / f"{lab}.html"
