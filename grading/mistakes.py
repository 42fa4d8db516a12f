"""What a class got wrong in a lab, exercise by exercise: which misconceptions its answers have, and how many.

The checks say it in a record for programs beside their report (`helpers.checks.report.RECORD`). It is read from the
outputs of the test cells in the executed notebooks, which the examiner writes: what a student's code prints or
displays ends up elsewhere, and what it prints while it is tested is text.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode
from nbgrader.api import MissingEntry, SubmittedAssignment
from nbgrader.utils import is_grade, is_solution

from grading.course import Course, UserError, command
from grading.keeping_marks import why_not_run
from grading.roster import sections
from grading.standing import outdated
from grading.table import Mark, exercise_of, marks_in
from helpers.checks.catalogue import exercise_names, find_exercise, lab_of
from helpers.checks.renamed import current_id
from helpers.checks.report import RECORD
from helpers.site import address_of_mistake

BLANK = "left blank"
NOT_TESTED = "could not be tested"  # the cell stopped with an error, the kernel had ended, or another answer is blank
UNNAMED = "another mistake"
ONLY_HIDDEN = "right in the check, wrong in the hidden test"


@dataclass(frozen=True)
class Mistake:
    """Something that answers to one exercise have in common: in a few words, how many, and why it is wrong.

    `explanation` is the first sentence of a misconception's; None where the checks have no name for the mistake. Such
    answers are together if they do the same: `fails` says which properties fail, and what is wrong on the smallest
    example of each. `example` is one of them.
    """

    title: str
    count: int
    explanation: str | None
    fails: tuple[str, ...] = ()
    example: str | None = None
    page: str | None = None  # where the course's site shows it


class Label(NamedTuple):
    """What is said of one answer: what it has in common with all others of the same label. (See `Mistake`.)"""

    title: str
    explanation: str | None = None
    fails: tuple[str, ...] = ()
    page: str | None = None


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
    """How a class did in a lab: the marks of each student by exercise, and each exercise's results.

    `left_out` are the students whose marks aren't those of what they handed in, each with the reason. `sections` has
    those of the students who are in one.
    """

    lab: str
    marks: dict[str, dict[str, Mark]]
    exercises: list[ExerciseResult]
    left_out: dict[str, str] = field(default_factory=dict)
    sections: dict[str, str] = field(default_factory=dict)

    @property
    def totals(self) -> list[float]:
        """Each student's points so far."""
        return [sum(mark.points for mark in marks.values()) for marks in self.marks.values()]

    @property
    def out_of(self) -> float:
        return sum(exercise.out_of for exercise in self.exercises)

    @property
    def waiting(self) -> int:
        """How many answers a person has yet to mark."""
        return sum(exercise.waiting for exercise in self.exercises)


def class_result(course: Course, lab: str) -> ClassResult:
    """What the gradebook and the executed notebooks say about a lab.

    Raises:
        UserError: if nothing of it has been graded, or an executed notebook is lost.
    """
    marks: dict[str, dict[str, Mark]] = {}
    blank: Counter[str] = Counter()
    with course.gradebook() as gradebook:
        try:
            submissions = sorted(gradebook.assignment_submissions(lab), key=lambda submission: submission.student_id)
        except MissingEntry:
            submissions = []
        left_out, of_section = outdated(course, gradebook, lab), sections(gradebook)
        for submission in submissions:
            if submission.student_id in left_out:
                continue
            marks[submission.student_id] = marks_in(submission)
            blank.update(_blank_written_answers(submission))
    if not marks:
        known = "Of what lies in submitted/ now, nothing" if left_out else "Nothing"
        raise UserError(f"{known} has been graded of {lab}, so far: {command('grading', 'autograde', lab)}")
    found, examples = {}, dict[tuple[str, Label], str]()
    for student in marks:
        executed = _executed(course, lab, student)
        found[student] = _labels(executed, marks[student])
        for name, labels in found[student].items():
            for label in labels:
                examples.setdefault((name, label), _answer(executed, name))
    exercises = [_result(name, marks, found, blank, examples) for name in next(iter(marks.values()))]
    return ClassResult(lab, marks, exercises, left_out, of_section)


def _result(
    name: str,
    marks: dict,
    found: dict[str, dict[str, list[Label]]],
    blank: Counter,
    examples: dict[tuple[str, Label], str],
) -> ExerciseResult:
    of_class = [marks_of_student[name] for marks_of_student in marks.values()]
    labels = Counter(label for labels_of_student in found.values() for label in labels_of_student.get(name, ()))
    mistakes = [
        Mistake(
            label.title,
            count,
            label.explanation,
            label.fails,
            examples[name, label] if label.fails else None,
            label.page,
        )
        for label, count in sorted(labels.items(), key=_named_first)
        if label.title not in (BLANK, NOT_TESTED)
    ]
    return ExerciseResult(
        name,
        of_class[0].out_of,
        of_class[0].by_hand,
        [mark.points for mark in of_class if not mark.waits],
        sum(mark.waits for mark in of_class),
        labels[Label(BLANK)] + blank[name],
        labels[Label(NOT_TESTED)],
        mistakes,
    )


def _named_first(counted: tuple[Label, int]) -> tuple:
    label, count = counted
    return label.explanation is None, -count, label


def _blank_written_answers(submission: SubmittedAssignment) -> list[str]:
    """The written answers that nbgrader found to be as they were handed out."""
    written = {cell.name for notebook in submission.assignment.notebooks for cell in notebook.solution_cells}
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades if grade.name in written]
    return [grade.name for grade in grades if grade.auto_score == 0 and grade.manual_score is None]


def _labels(executed: NotebookNode, marks: dict[str, Mark]) -> dict[str, list[Label]]:
    """What is to be said about each exercise in which a student lost points."""
    lost = {name for name, mark in marks.items() if not mark.by_hand and mark.points < mark.out_of}
    seen: dict[str, list[NotebookNode]] = {name: [] for name in lost}
    for cell in executed.cells:
        if cell.cell_type == "code" and is_grade(cell) and not is_solution(cell):
            name = exercise_of(cell.metadata.nbgrader.grade_id)
            if name in lost:
                seen[name] += cell.outputs
    return {name: _labels_in(outputs) for name, outputs in seen.items()}


def _answer(executed: NotebookNode, exercise: str) -> str:
    """The cell that answers an exercise, or the class whose method it is."""
    owner = find_exercise(exercise).owner if exercise in exercise_names() else None
    named = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell.source for cell in executed.cells}
    return named.get(exercise) or named.get(owner) or ""


def _labels_in(outputs: list[NotebookNode]) -> list[Label]:
    records = [output.data[RECORD] for output in outputs if RECORD in output.get("data", {})]
    failed = [record for record in records if record["held"] < record["properties"]]
    if not records or (not failed and why_not_run(NotebookNode(outputs=outputs)) is not None):
        return [Label(NOT_TESTED)]
    if not failed:
        return [Label(ONLY_HIDDEN)]
    return list(dict.fromkeys(_label(record) for record in failed))


def _label(record: dict) -> Label:
    if record["blank"]:
        return Label(BLANK)
    name = record["exercise"]  # the course may be another one than when it was graded
    known = {each.id: each for each in find_exercise(name).misconceptions} if name in exercise_names() else {}
    misconception = known.get(current_id(name, record["misconception"]) or "")
    if misconception is None:
        return Label(UNNAMED, None, tuple(f"{text}: {problem}" for text, problem in record.get("fails", ())))
    page = address_of_mistake(lab_of(name), name, misconception.id)
    return Label(misconception.title, first_sentence(misconception.explanation), page=page)


def first_sentence(text: str) -> str:
    """The text up to its first full stop, question mark or exclamation mark that ends a word."""
    text = " ".join(text.split())
    end = re.search(r"[.?!](?=\s|$)", text)
    return text[: end.end()] if end is not None else text


def _executed(course: Course, lab: str, student: str) -> NotebookNode:
    folder = course.directory().format_path(course.directory().autograded_directory, student, lab)
    path = course.root / Path(folder) / f"{lab}.ipynb"
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError) as error:
        again = command("grading", "autograde", lab, "--student", student)
        raise UserError(f"{course.shown(path)} is lost or damaged; grade that submission again: {again}") from error
