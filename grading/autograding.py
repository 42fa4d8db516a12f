"""Grading a lab's submissions: run side by side, recorded by nbgrader one after the other, none stopping the rest."""

import logging
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.converters.base import NbGraderException
from tqdm import tqdm

from grading.course import Course, UserError
from grading.jobs import run_all
from grading.rebuilding import rebuilt
from grading.results import Results, key
from grading.sandbox import NoSandbox, require_bubblewrap
from grading.submissions import fault_of_submission, submission_path


@dataclass(frozen=True)
class Outcome:
    """What became of a student's submission. `fault` is None where it was graded."""

    student: str
    fault: str | None


@dataclass(frozen=True)
class Ways:
    """How submissions are run: whether in the sandbox, on which Dask cluster, and by how many workers of one's own."""

    sandbox: bool = True
    scheduler: str | None = None
    workers: int | None = None


def autograde(course: Course, lab: str, students: list[str], ways: Ways = Ways()) -> list[Outcome]:
    """Grade these students' submissions of a lab, and record the marks in the gradebook.

    What was run before isn't run again, and what was recorded before isn't recorded again.

    Raises:
        UserError: if nbgrader can make nothing of the lab itself, or the submissions can't be run as wished.
    """
    if ways.sandbox:
        try:
            require_bubblewrap()
        except NoSandbox as error:
            raise UserError(str(error)) from error
    with _logging_to(course.classroom / "autograde.log") as reason:
        graded_cells = register(course, lab, reason)
        faults = {each: fault_of_submission(course.submitted, each, lab, graded_cells) for each in students}
        keys, waiting = _prepare(course, lab, [each for each in students if faults[each] is None])
        results, recorded = Results(course.results), _Recorded(course, lab)
        todo = {name: waiting[name] for name in waiting if results.find(name) is None}
        ready = [name for name in waiting if name not in todo]
        with tqdm(total=len(students), desc=f"Grading {lab}", unit="submission", file=sys.stdout) as bar:
            bar.update(len(students) - len(keys))
            for name, error in _each(ready, todo, results, ways):
                for student in [each for each in keys if keys[each] == name]:
                    if error is not None:
                        faults[student] = f"it couldn't be run: {error}"
                    elif not recorded.has(student, name):
                        faults[student] = _record(course, lab, student, reason)
                        if faults[student] is None:
                            recorded.note(student, name)
                    bar.update()
    return [Outcome(student, faults[student]) for student in students]


def _prepare(course: Course, lab: str, students: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The key of each student's submission, and by key what is to be run: equal submissions are run once."""
    source = nbformat.read(course.solutions / lab / f"{lab}.ipynb", as_version=4)
    keys, notebooks = {}, {}
    for student in students:
        submission = nbformat.read(submission_path(course.submitted, student, lab), as_version=4)
        notebook = rebuilt(submission, source)
        keys[student] = key(notebook)
        notebooks[keys[student]] = nbformat.writes(notebook)
    return keys, notebooks


def _each(
    ready: list[str], todo: dict[str, str], results: Results, ways: Ways
) -> Iterator[tuple[str, Exception | None]]:
    """Keys whose result is there: first those of earlier runs, then each as soon as it has been run and kept."""
    for name in ready:
        yield name, None
    for name, outcome in run_all(todo, ways.sandbox, ways.scheduler, ways.workers):
        if isinstance(outcome, Exception):
            yield name, outcome
        else:
            results.keep(name, outcome)
            yield name, None


class _Recorded:
    """Which result of which student is in the gradebook already: a file for each student, written after the marks."""

    def __init__(self, course: Course, lab: str):
        self._course, self._lab = course, lab
        with course.gradebook() as gradebook:
            self._known = {each.student.id for each in gradebook.assignment_submissions(lab)}

    def has(self, student: str, name: str) -> bool:
        path = self._path(student)
        return student in self._known and path.is_file() and path.read_text() == self._text(student, name)

    def note(self, student: str, name: str) -> None:
        self._path(student).parent.mkdir(parents=True, exist_ok=True)
        self._path(student).write_text(self._text(student, name))

    def _text(self, student: str, name: str) -> str:
        stamp = submission_path(self._course.submitted, student, self._lab).with_name("timestamp.txt")
        return name + (stamp.read_text(errors="replace") if stamp.is_file() else "")

    def _path(self, student: str) -> Path:
        return self._course.results / "recorded" / self._lab / student


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


def _record(course: Course, lab: str, student: str, reason: "_Reason") -> str | None:
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
