"""A small class to try the grading on: students made of right answers and of misconceptions."""

import copy
import importlib
import pkgutil
from collections.abc import Iterator, Mapping

import nbformat
from nbformat import NotebookNode

import grading.sample_answers
from grading.course import Course, UserError
from grading.submissions import submission_path


def hand_in(course: Course, lab: str) -> Iterator[tuple[str, bool]]:
    """Fill in the student's copy as each sample student does, and hand it in: the student, and whether it was done.

    It isn't done where a submission is there already.

    Raises:
        UserError: if there is no sample class for the lab, or no student's copy of it.
    """
    answers = _answers_to(lab)
    released = course.labs / lab / f"{lab}.ipynb"
    if not released.is_file():
        raise UserError(f"There is no student's copy of {lab} at {course.shown(released)}: `make labs` writes it.")
    blank = nbformat.read(released, as_version=4)
    for student, cells in answers.items():
        path = submission_path(course.submitted, student, lab)
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
            nbformat.write(fill_in(blank, cells), path)
            yield student, True
        else:
            yield student, False


def fill_in(blank: NotebookNode, answers: Mapping[str, str]) -> NotebookNode:
    """A copy of the notebook with these sources, by `grade_id`, in place of the cells' own."""
    notebook = copy.deepcopy(blank)
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in answers:
            cell.source = answers[grade_id].strip()
    return notebook


def labs_with_a_sample() -> list[str]:
    """The labs for which there is a sample class."""
    return sorted(module.name for module in pkgutil.iter_modules(grading.sample_answers.__path__))


def _answers_to(lab: str) -> dict[str, dict[str, str]]:
    if lab not in labs_with_a_sample():
        raise UserError(f"There is no sample class for {lab}; there is one for: {', '.join(labs_with_a_sample())}.")
    return importlib.import_module(f"grading.sample_answers.{lab}").STUDENTS
