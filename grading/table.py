"""The marks of a class as a table: a row a student, a column an exercise."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from nbgrader.api import SubmittedAssignment

from grading.course import Course
from grading.handing_back import collected
from grading.keeping_marks import not_run_in
from grading.submissions import shown
from grading.times import lateness


@dataclass(frozen=True)
class Mark:
    """The points of one exercise.

    `waits` if a person has yet to look at it, `given` if one has given points before. `not_run` says why some of it
    couldn't be tested, and is empty if all was.
    """

    points: float
    out_of: float
    waits: bool
    by_hand: bool
    given: bool = False
    not_run: str = ""


def marks_of(course: Course, lab: str, students: list[str]) -> dict[str, dict[str, Mark]]:
    """For each student the marks by exercise, in the lab's order."""
    with course.gradebook() as gradebook:
        return {student: marks_in(gradebook.find_submission(lab, student)) for student in students}


def late_in(course: Course, lab: str) -> dict[str, str]:
    """The students who were late, and for each how much, or that an LMS says so."""
    found = {student: "its LMS says so" for student, came in collected(course, lab).items() if came.late}
    with course.gradebook() as gradebook:
        for submission in gradebook.assignment_submissions(lab):
            if how_much := lateness(submission):
                found[submission.student_id] = how_much
    return dict(sorted(found.items()))


def marks_in(submission: SubmittedAssignment) -> dict[str, Mark]:
    """The marks by exercise, in the lab's order: a seen and a hidden test of one exercise count together."""
    by_hand = {cell.name for notebook in submission.assignment.notebooks for cell in notebook.solution_cells}
    marks: dict[str, Mark] = {}
    not_run = not_run_in(comment.auto_comment for notebook in submission.notebooks for comment in notebook.comments)
    grades = {grade.name: grade for notebook in submission.notebooks for grade in notebook.grades}
    for cell in (cell for notebook in submission.assignment.notebooks for cell in notebook.grade_cells):
        grade = grades[cell.name]
        exercise = exercise_of(cell.name)
        before = marks.get(exercise, Mark(0, 0, False, False))
        marks[exercise] = Mark(
            before.points + grade.score,
            before.out_of + grade.max_score,
            before.waits or grade.needs_manual_grade,
            cell.name in by_hand,
            before.given or grade.manual_score is not None,
            before.not_run or ("" if grade.manual_score is not None else not_run.get(cell.name, "")),
        )
    return marks


def not_run_in_words(marks: Mapping[str, Mark]) -> str:
    """Which exercises couldn't be run, and why; empty if all were."""
    reasons = {name: mark.not_run for name, mark in marks.items() if mark.not_run}
    return f"not run: {', '.join(reasons)} ({next(iter(reasons.values()))})" if reasons else ""


def exercise_of(cell: str) -> str:
    """The exercise to which the graded cell of that name belongs."""
    return cell.removeprefix("test_").removesuffix("_hidden")


def table_of_marks(marks: Mapping[str, dict[str, Mark] | None], sections: Mapping[str, str]) -> str:
    """The class as text: for each student the section, if known, and the marks by exercise, or None without any."""
    exercises = next(mark for mark in marks.values() if mark is not None)
    automatic = [name for name, mark in exercises.items() if not mark.by_hand]
    by_hand = [name for name, mark in exercises.items() if mark.by_hand]
    columns = [["student", "", *map(shown, marks)]]
    if any(student in sections for student in marks):
        columns += [["section", "", *(shown(sections.get(student, "")) for student in marks)]]
    columns += [_column(name, [name], marks) for name in automatic]
    columns += [_column("automatic_total", automatic, marks)]
    columns += [_column(name, [name], marks) for name in by_hand]
    columns += [_column("total", list(exercises), marks)]
    return _set(columns)


def _column(heading: str, exercises: list[str], marks: Mapping[str, dict[str, Mark] | None]) -> list[str]:
    out_of = next(sum(mark[name].out_of for name in exercises) for mark in marks.values() if mark is not None)
    cells = [_cell([mark[name] for name in exercises]) if mark is not None else "–" for mark in marks.values()]
    return [heading, f"of {out_of:g}", *cells]


def _cell(marks: list[Mark]) -> str:
    points = f"{sum(mark.points for mark in marks):g}"
    if not any(mark.waits for mark in marks):
        if len(marks) == 1 and marks[0].not_run:
            return "not run" if points == "0" else f"{points} + not run"
        return points
    if len(marks) > 1:
        return f"{points} + ?"
    return f"{points} ?" if marks[0].given or points != "0" else "to mark"


def _set(columns: list[list[str]]) -> str:
    """Headings of several words stand on several lines, so that the table fits a terminal."""
    headings = [column[0].split("_") for column in columns]
    height = max(map(len, headings))
    columns = [
        [""] * (height - len(heading)) + heading + column[1:] for heading, column in zip(headings, columns, strict=True)
    ]
    first, *rest = [max(map(_width, column)) for column in columns]
    lines = []
    for student, *cells in zip(*columns, strict=True):
        line = student + " " * (first - _width(student))
        line += "".join(cell.rjust(width + 2) for cell, width in zip(cells, rest, strict=True))
        lines.append(line.rstrip())
    lines.insert(height + 1, "─" * (first + sum(width + 2 for width in rest)))
    return "\n".join(lines)


def _width(text: str) -> int:
    """How many columns a terminal takes for a text: two for each Chinese, Japanese or Korean character."""
    marks = sum(unicodedata.combining(character) > 0 for character in text)
    return len(text) + sum(unicodedata.east_asian_width(character) in "WF" for character in text) - marks
