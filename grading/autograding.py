"""Grading a lab's submissions with nbgrader: one after the other, none of them stopping the rest."""

import logging
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.converters.base import NbGraderException
from tqdm import tqdm

from grading.course import Course, UserError
from grading.submissions import fault_of_submission


@dataclass(frozen=True)
class Outcome:
    """What became of a student's submission. `fault` is None where it was graded."""

    student: str
    fault: str | None


def autograde(course: Course, lab: str, students: list[str]) -> list[Outcome]:
    """Grade these students' submissions of a lab, and record the marks in the gradebook.

    Raises:
        UserError: if nbgrader can make nothing of the lab itself.
    """
    log = course.classroom / "autograde.log"
    with _logging_to(log) as reason:
        graded_cells = register(course, lab, reason)
        outcomes = []
        for student in tqdm(students, desc=f"Grading {lab}", unit="submission", file=sys.stdout):
            fault = fault_of_submission(course.submitted, student, lab, graded_cells)
            if fault is None:
                fault = _autograde_one(course, lab, student, reason)
            outcomes.append(Outcome(student, fault))
    return outcomes


def register(course: Course, lab: str, reason: "_Reason") -> list[str]:
    """Tell the gradebook what the lab's cells are and what they are worth; the names of those that carry points.

    The student's copy that nbgrader makes on this occasion is thrown away: grading leaves labs/ as it is.
    """
    with course.gradebook():
        pass  # one that can't be opened is an error of its own, which nbgrader would bury in the log
    with tempfile.TemporaryDirectory() as release:
        directory = course.directory(assignment_id=lab, release_directory=release)
        try:
            GenerateAssignment(coursedir=directory, config=course.config).start()
        except NbGraderException as error:
            raise UserError(f"nbgrader couldn't take in the solution of {lab}: {reason.text or error}") from error
    with course.gradebook() as gradebook:
        return [cell.name for cell in gradebook.find_notebook(lab, lab).grade_cells]


def _autograde_one(course: Course, lab: str, student: str, reason: "_Reason") -> str | None:
    reason.text = ""
    directory = course.directory(assignment_id=lab, student_id=student)
    try:
        Autograde(coursedir=directory, config=course.config, force=True).start()
    except NbGraderException as error:
        return f"nbgrader gave up on it: {reason.text or error}"
    return None


class _Reason(logging.Handler):
    """Keeps what the first traceback in the log ends with: nbgrader's own exceptions don't give the reason."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message.startswith("Traceback") and not self.text:
            self.text = message.rstrip().splitlines()[-1]


@contextmanager
def _logging_to(path: Path) -> Iterator[_Reason]:
    """Send what nbgrader, the kernels' clients and Python's warnings say to a file, and nothing to the screen."""
    reason = _Reason()
    to_file = logging.FileHandler(path, mode="w", encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    loggers = [logging.getLogger("traitlets"), logging.getLogger("py.warnings")]
    logging.captureWarnings(True)
    for logger in loggers:
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(to_file)
        logger.addHandler(reason)
    try:
        yield reason
    finally:
        logging.captureWarnings(False)
        for logger in loggers:
            logger.removeHandler(to_file)
            logger.removeHandler(reason)
        to_file.close()
