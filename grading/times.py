"""When a lab is due, when a submission came, and how late that is.

Due dates stand in classroom/due.csv, with the columns `lab`, `due` and, for a student who has more time, `student`;
nbgrader's gradebook has them from there. More time for every lab stands in the roster.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from nbgrader.api import Gradebook, SubmittedAssignment
from nbgrader.utils import parse_utc

from grading.course import UserError

_NUMBERS = re.compile(r"\s*\d{1,2}\s*[./-]\s*\d{1,2}\s*[./-]\s*\d{2,4}\b")

_DAYS = re.compile(r"\s*(\d{1,3}(?:\.\d+)?)\s*(?:d|days?)?\s*", re.IGNORECASE)
_OFFSET = re.compile(r" ([+-]\d\d:?\d\d)$")  # which nbgrader takes for seconds, where it stands by itself


def read_time(text: str) -> datetime | None:
    """A date and a time, in UTC unless it says otherwise, as nbgrader reads it; None for an empty text.

    Raises:
        ValueError: if it is none, or begins as 05/11/2026 does, which is May for some and November for others.
    """
    if _NUMBERS.match(text):
        raise ValueError("which of the numbers is the month isn't certain")
    try:
        return parse_utc(_OFFSET.sub(r"\1", text.strip()) or None)
    except Exception as error:  # dateutil raises whatever the text provokes
        raise ValueError("it is no time") from error


def read_extension(text: str) -> timedelta | datetime | None:
    """More time as a roster has it: a number of days, or a date until which nothing is late; None for an empty text.

    A date without a time means the whole day.

    Raises:
        ValueError: if it is neither.
    """
    if (days := _DAYS.fullmatch(text)) is not None:
        return timedelta(days=float(days[1]))
    if text.strip() and re.search(r"\d{4}", text) is None:
        raise ValueError("it has no year")
    until = read_time(text)
    return until + timedelta(days=1, minutes=-1) if until is not None and ":" not in text else until


@dataclass(frozen=True)
class Due:
    """When a lab is due, None if that isn't known, and when it is for students who have more time.

    `extensions` are those that hold for every lab: for who isn't in `of_student`.
    """

    date: datetime | None = None
    of_student: dict[str, datetime] = field(default_factory=dict)
    extensions: Mapping[str, timedelta | datetime] = field(default_factory=dict)

    def extension(self, student: str) -> timedelta | None:
        """How much more time a student has, as nbgrader counts it."""
        if self.date is None:
            return None
        more = self.of_student.get(student, self.extensions.get(student))
        if isinstance(more, datetime):
            more -= self.date
        # a date in the roster is no earlier end for a lab that is due after it
        return more if student in self.of_student or (more is not None and more > timedelta()) else None


def due_dates(path: Path, lab: str, extensions: Mapping[str, timedelta | datetime]) -> Due:
    """What a file of due dates says of a lab, and students' extensions for all labs; nothing if there is no file.

    Raises:
        UserError: if it can't be read, or has a date that is none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["lab"].strip() == lab]
        found = {(row.get("student") or "").strip(): read_time(row["due"]) for row in rows}
    except FileNotFoundError:
        return Due()
    except (KeyError, AttributeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} must be UTF-8, and have the columns lab and due.") from error
    except ValueError as error:
        raise UserError(f"A due date in {path} can't be read ({error}): write it like 2026-11-05 23:59 CET.") from error
    known = {student: due for student, due in found.items() if due is not None}
    return Due(known.pop("", None), known, extensions)


def move_due_dates(gradebook: Gradebook, lab: str, due: Due) -> bool:
    """Tell the gradebook when a lab is due, for each student who has handed it in: whether that has changed anything.

    A date that only the gradebook knows stays. The caller commits.
    """
    assignment = gradebook.find_assignment(lab)
    moved = due.date is not None and assignment.duedate != due.date
    if due.date is not None:
        assignment.duedate = due.date
        for submission in assignment.submissions:
            extension = due.extension(submission.student_id)
            moved = moved or submission.extension != extension
            submission.extension = extension
    return moved


def lateness(submission: SubmittedAssignment) -> str:
    """How long after the due date a submission came, in words; empty if it didn't, or nobody knows."""
    late = timedelta(seconds=submission.total_seconds_late)
    hours, minutes = late.seconds // 3600, late.seconds % 3600 // 60
    parts = [(late.days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or ("1 min" if late else "")
