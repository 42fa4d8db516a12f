"""Grading a lab's submissions: run side by side, recorded by nbgrader one after the other, none stopping the rest."""

import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import nbformat
import sqlalchemy
from filelock import FileLock, Timeout
from nbformat import NotebookNode
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.utils import parse_utc
from tqdm import tqdm

from grading.course import Course, UserError
from grading.jobs import Workers, fit
from grading.logs import Reason, logging_to
from grading.rebuilding import rebuilt
from grading.recording import Recorded, in_one_transaction, prepare, recorded, state
from grading.results import Results, key
from grading.submissions import fault_of_submission, submission_path

_AHEAD = 200  # submissions read ahead of the writer: enough for many workers, and few enough to be held in memory


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
        UserError: if nbgrader can make nothing of the lab itself, the submissions can't be run as wished, the classroom
            can't be written to, or another grading is under way.
    """
    if ways.scheduler is None:
        fit(ways.sandbox)
    faults: dict[str, str | None] = {}
    with _alone(course), logging_to(course.classroom / "autograde.log") as reason:
        graded_cells = register(course, lab, reason)
        with (
            Workers(ways.sandbox, ways.scheduler, ways.workers, len(students)) as workers,
            tqdm(total=len(students), desc=f"Grading {lab}", unit="submission", file=sys.stdout) as bar,
        ):
            for student, fault in _Grading(course, lab, graded_cells, reason).run(students, workers):
                faults[student] = fault
                bar.update()
    return [Outcome(student, faults[student]) for student in students]


class _Grading:
    """The grading of one lab."""

    def __init__(self, course: Course, lab: str, graded_cells: list[str], reason: Reason):
        self._course, self._lab, self._graded_cells, self._reason = course, lab, graded_cells, reason
        self._source = nbformat.read(course.solutions / lab / f"{lab}.ipynb", as_version=4)
        self._results = Results(course.results)

    def run(self, students: list[str], workers: Workers) -> Iterator[tuple[str, str | None]]:
        """Each student as soon as the marks are recorded, with the fault where there are none.

        Results are kept before any is recorded, however many come at once: what was computed isn't lost.
        """
        with self._course.gradebook() as gradebook, gradebook.engine.connect() as connection:
            yield from self._run(iter(students), workers, connection, recorded(connection, self._lab))

    def _run(
        self,
        students: Iterator[str],
        workers: Workers,
        connection: sqlalchemy.Connection,
        before: dict[str, Recorded],
    ) -> Iterator[tuple[str, str | None]]:
        waiting: dict[str, list[str]] = {}  # by the key of a result, who waits for it: equal submissions are run once
        ready: deque[str] = deque()
        more = True
        while True:
            room = more and len(waiting) + len(ready) < _AHEAD
            for name, outcome in workers.finished(wait=bool(waiting) and not room and not ready):
                students_of_it = waiting.pop(name)
                if isinstance(outcome, Exception):
                    yield from ((student, f"it couldn't be run: {outcome}") for student in students_of_it)
                else:
                    self._results.keep(name, outcome)
                    ready += students_of_it
            if room:
                student = next(students, None)
                more = student is not None
                if student is None:
                    continue
                fault, notebook = self._read(student)
                if notebook is None or self._is_recorded(student, notebook, before.get(student)):
                    yield student, fault
                elif (name := key(notebook)) in waiting:
                    waiting[name].append(student)
                elif self._results.find(name) is not None:
                    ready.append(student)
                else:
                    workers.submit(name, nbformat.writes(notebook))
                    waiting[name] = [student]
            elif ready:
                student = ready.popleft()
                yield student, self._record(student, connection)
            elif not waiting:
                return

    def _read(self, student: str) -> tuple[str | None, NotebookNode | None]:
        """A submission put back into shape, or the fault in it."""
        fault = fault_of_submission(self._course.submitted, student, self._lab, self._graded_cells)
        if fault is not None:
            return fault, None
        path = submission_path(self._course.submitted, student, self._lab)
        try:
            return None, rebuilt(nbformat.read(path, as_version=4), self._source)
        except Exception as error:  # whatever the file provokes
            return f"{path.name} can't be put back into shape: {type(error).__name__}", None

    def _is_recorded(self, student: str, notebook: NotebookNode, before: Recorded | None) -> bool:
        executed = self._course.autograded / student / self._lab / f"{self._lab}.ipynb"
        if before is None or before.state != state(notebook) or not executed.is_file():
            return False
        stamp = submission_path(self._course.submitted, student, self._lab).with_name("timestamp.txt")
        text = stamp.read_text(errors="replace").strip() if stamp.is_file() else ""
        try:
            return not text or parse_utc(text) == before.timestamp
        except ValueError:
            return False

    def _record(self, student: str, connection: sqlalchemy.Connection) -> str | None:
        self._reason.text = ""
        directory = self._course.directory(assignment_id=self._lab, student_id=student)
        try:
            with in_one_transaction(connection):
                Autograde(coursedir=directory, config=self._course.config, force=True).start()
        except NbGraderException as error:
            return f"nbgrader gave up on it: {self._reason.text or error}"
        return None


def register(course: Course, lab: str, reason: Reason) -> list[str]:
    """Tell the gradebook what the lab's cells are and what they are worth; the names of those that carry points.

    The student's copy that nbgrader makes on this occasion is thrown away: grading leaves labs/ as it is.
    """
    with course.gradebook() as gradebook:
        prepare(gradebook)  # one that can't be written is an error of its own, which nbgrader would bury in the log
    with tempfile.TemporaryDirectory() as release:
        directory = course.directory(assignment_id=lab, release_directory=release)
        try:
            GenerateAssignment(coursedir=directory, config=course.config).start()
        except NbGraderException as error:
            raise UserError(f"nbgrader couldn't take in the solution of {lab}: {reason.text or error}") from error
    with course.gradebook() as gradebook:
        return [cell.name for cell in gradebook.find_notebook(lab, lab).grade_cells]


@contextmanager
def _alone(course: Course) -> Iterator[None]:
    """One grading at a time writes into the classroom; the lock is gone with its process, however that ends."""
    lock = FileLock(course.classroom / "autograde.lock", timeout=0)
    try:
        with lock:
            yield
    except Timeout as error:
        raise UserError("Another grading of this class is under way: wait until it ends, or stop it.") from error
