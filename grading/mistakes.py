"""What a class got wrong in a lab, exercise by exercise: which misconceptions its answers have, and how many.

The checks say it in a record for programs beside their report (`helpers.checks.report.RECORD`). It is read from the
outputs of the test cells in the executed notebooks, which the examiner writes: what a student's code prints or
displays ends up elsewhere, and what it prints while it is tested is text.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import MissingEntry, SubmittedAssignment
from nbgrader.utils import is_grade, is_solution

from grading.course import Course, UserError, command
from grading.table import Mark, exercise_of, marks_in
from helpers.checks.engine import all_exercises
from helpers.checks.report import RECORD

BLANK = "left blank"
NOT_TESTED = "could not be tested"  # the cell stopped with an error, the kernel had ended, or another answer is blank
UNNAMED = "another mistake"
ONLY_HIDDEN = "right in the check, wrong in the hidden test"


@dataclass(frozen=True)
class Mistake:
    """Something that answers to one exercise have in common: in a few words, how many, and why it is wrong.

    `explanation` is the first sentence of a misconception's; None where the checks have no name for the mistake.
    """

    title: str
    count: int
    explanation: str | None


@dataclass(frozen=True)
class ExerciseResult:
    """How a class did in one exercise. `points` are those of the students whose mark is final."""

    name: str
    out_of: float
    by_hand: bool
    points: list[float]
    waiting: int
    blank: int
    not_tested: int
    mistakes: list[Mistake]

    @property
    def mean(self) -> float | None:
        return sum(self.points) / len(self.points) if self.points else None

    @property
    def full(self) -> int:
        """How many have every point."""
        return sum(points >= self.out_of for points in self.points)


@dataclass(frozen=True)
class ClassResult:
    """How a class did in a lab: the marks of each student by exercise, and each exercise's results."""

    lab: str
    marks: dict[str, dict[str, Mark]]
    exercises: list[ExerciseResult]

    @property
    def totals(self) -> list[float]:
        """Each student's points so far."""
        return [sum(mark.points for mark in marks.values()) for marks in self.marks.values()]

    @property
    def out_of(self) -> float:
        return sum(each.out_of for each in self.exercises)

    @property
    def waiting(self) -> int:
        """How many answers a person has yet to mark."""
        return sum(each.waiting for each in self.exercises)


def class_result(course: Course, lab: str) -> ClassResult:
    """What the gradebook and the executed notebooks say about a lab.

    Raises:
        UserError: if nothing of it has been graded, or an executed notebook is lost.
    """
    marks, blank = {}, Counter()
    with course.gradebook() as gradebook:
        try:
            submissions = sorted(gradebook.assignment_submissions(lab), key=lambda each: each.student_id)
        except MissingEntry:
            submissions = []
        for submission in submissions:
            marks[submission.student_id] = marks_in(submission)
            blank.update(_blank_written_answers(submission))
    if not marks:
        raise UserError(f"Nothing has been graded of {lab}, so far: {command('grading', 'autograde', lab)}")
    found = {student: _labels(course, lab, student, marks[student]) for student in marks}
    return ClassResult(lab, marks, [_result(name, marks, found, blank) for name in next(iter(marks.values()))])


def _result(name: str, marks: dict, found: dict[str, dict[str, list[tuple]]], blank: Counter) -> ExerciseResult:
    of_class = [each[name] for each in marks.values()]
    labels = Counter(label for each in found.values() for label in each.get(name, ()))
    mistakes = [
        Mistake(title, count, explanation)
        for (title, explanation), count in sorted(labels.items(), key=_named_first)
        if title not in (BLANK, NOT_TESTED)
    ]
    return ExerciseResult(
        name,
        of_class[0].out_of,
        of_class[0].by_hand,
        [mark.points for mark in of_class if not mark.waits],
        sum(mark.waits for mark in of_class),
        labels[BLANK, None] + blank[name],
        labels[NOT_TESTED, None],
        mistakes,
    )


def _named_first(label: tuple[tuple[str, str | None], int]) -> tuple:
    (title, explanation), count = label
    return explanation is None, -count, title  # what has no name is many mistakes, of which none need be common


def _blank_written_answers(submission: SubmittedAssignment) -> list[str]:
    """The written answers that nbgrader found to be as they were handed out."""
    written = {cell.name for notebook in submission.assignment.notebooks for cell in notebook.solution_cells}
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades if grade.name in written]
    return [grade.name for grade in grades if grade.auto_score == 0 and grade.manual_score is None]


def _labels(course: Course, lab: str, student: str, marks: dict[str, Mark]) -> dict[str, list[tuple[str, str | None]]]:
    """What is to be said about each exercise in which a student lost points: (title, explanation) pairs."""
    lost = {name for name, mark in marks.items() if not mark.by_hand and mark.points < mark.out_of}
    seen: dict[str, list[NotebookNode]] = {name: [] for name in lost}
    for cell in _executed(course, lab, student).cells:
        if cell.cell_type == "code" and is_grade(cell) and not is_solution(cell):
            name = exercise_of(cell.metadata.nbgrader.grade_id)
            if name in lost:
                seen[name] += cell.outputs
    return {name: _labels_in(outputs) for name, outputs in seen.items()}


def _labels_in(outputs: list[NotebookNode]) -> list[tuple[str, str | None]]:
    records = [output.data[RECORD] for output in outputs if RECORD in output.get("data", {})]
    failed = [record for record in records if record["held"] < record["properties"]]
    if not records:
        return [(NOT_TESTED, None)]
    if not failed:
        return [(ONLY_HIDDEN, None)]
    return list(dict.fromkeys(_label(record) for record in failed))


def _label(record: dict) -> tuple[str, str | None]:
    if record["blank"]:
        return BLANK, None
    exercise = all_exercises().get(record["exercise"])  # the course may be another one than when it was graded
    known = {each.id: each for each in exercise.misconceptions} if exercise is not None else {}
    misconception = known.get(record["misconception"])
    if misconception is None:
        return UNNAMED, None
    return misconception.title, first_sentence(misconception.explanation)


def first_sentence(text: str) -> str:
    """The text up to its first full stop, question mark or exclamation mark that ends a word."""
    return re.match(r".*?[.?!](?=\s|$)|.*", " ".join(text.split())).group()


def _executed(course: Course, lab: str, student: str) -> NotebookNode:
    folder = course.directory().format_path(course.directory().autograded_directory, student, lab)
    path = course.root / Path(folder) / f"{lab}.ipynb"
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError) as error:
        again = command("grading", "autograde", lab, "--student", student)
        raise UserError(f"{course.shown(path)} is lost or damaged; grade that submission again: {again}") from error
