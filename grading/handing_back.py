"""Feedback goes back the way the submissions came: one zip, its files named as the LMS wants them for its upload.

Moodle's *Upload multiple feedback files in a zip* knows a student by the folder that its own download had, and Canvas's
*Upload submissions* by what it put in front of a file's name. So collecting notes for each submission what that was.
"""

import csv
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grading.course import Course
from grading.downloads import Sent

_COLUMNS = ["lab", "student", "returns_to", "late"]


@dataclass(frozen=True)
class Collected:
    """What is known of how a submission came: what is put in front of its feedback's name, and if it was late."""

    returns_to: str
    late: bool


def note(course: Course, lab: str, student: str, file: Sent) -> None:
    """Note how a submission came, in classroom/collected.csv."""
    path = _path(course)
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as notes:
        writer = csv.writer(notes)
        if new:
            writer.writerow(_COLUMNS)
        writer.writerow([lab, student, file.returns_to, "late" if file.late else ""])


def collected(course: Course, lab: str) -> dict[str, Collected]:
    """By student, how the last submission of a lab came; nothing of those that were put there by hand."""
    if not _path(course).is_file():
        return {}
    with _path(course).open(encoding="utf-8", newline="") as notes:
        rows = [row for row in csv.DictReader(notes) if row.get("lab") == lab]
    return {row["student"]: Collected(row["returns_to"], row["late"] == "late") for row in rows}


def pack(course: Course, lab: str, pages: Mapping[str, Path]) -> Path:
    """Write the students' pages into one zip: where it lies.

    Raises:
        OSError: if it can't be written.
    """
    came, target = collected(course, lab), course.classroom / "feedback" / f"{lab}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for student, page in pages.items():
            before = (came[student].returns_to if student in came else "") or f"{student}/"
            archive.write(page, f"{before}{page.name}")
    return target


def _path(course: Course) -> Path:
    return course.classroom / "collected.csv"
