"""The pages that students get back: nbgrader's feedback, for one student after the other, none stopping the rest."""

import sys
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode
from nbgrader.api import MissingEntry
from nbgrader.converters import GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution
from tqdm import tqdm

from grading.course import Course, UserError, command
from grading.logs import logging_to

_STYLE = """
.rendered_html table { margin: .7em 0 }
.rendered_html th, .rendered_html td { padding: .2em .8em; border-bottom: 1px solid #ddd; text-align: left }
.rendered_html details { margin: .4em 0 }
.rendered_html summary { display: list-item; cursor: pointer }
.input_area pre, .output_area pre { white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere }
a.anchor-link { display: none }
"""


class GetMarks(GetGrades):
    """nbgrader's step that puts marks and comments on a page, and a sentence where a mark is yet to come."""

    def preprocess_cell(self, cell: NotebookNode, resources: dict, cell_index: int) -> tuple[NotebookNode, dict]:
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        if is_grade(cell) and is_solution(cell):
            grade = self.gradebook.find_grade(
                cell.metadata.nbgrader.grade_id, self.notebook_id, self.assignment_id, self.student_id
            )
            if grade.needs_manual_grade:
                before = cell.metadata.nbgrader.comment
                cell.metadata.nbgrader.comment = "\n\n".join(filter(None, [before, "*Not marked yet.*"]))
        return cell, resources


class Style(NbGraderPreprocessor):
    """Adds to a page's styles, which nbconvert has put together by then, what makes nbgrader's page easy to read."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        resources["inlining"]["css"].append(_STYLE)
        return nb, resources


def graded_students(course: Course, lab: str) -> dict[str, int]:
    """Who has marks in a lab, and how many of the student's written answers wait for theirs.

    Raises:
        UserError: if nobody has.
    """
    with course.gradebook() as gradebook:
        try:
            submissions = gradebook.assignment_submissions(lab)
        except MissingEntry:
            submissions = []
        waiting = {
            each.student_id: sum(grade.needs_manual_grade for notebook in each.notebooks for grade in notebook.grades)
            for each in submissions
        }
    if not waiting:
        raise UserError(f"Nothing has been graded of {lab}, so far: {command('grading', 'autograde', lab)}")
    return dict(sorted(waiting.items()))


def write_pages(course: Course, lab: str, students: list[str]) -> Iterator[tuple[str, str | None]]:
    """Write each student's page anew: the student, and why there is none, if there is none."""
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
