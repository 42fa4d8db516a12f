"""Grading a lab's submissions: run side by side, recorded by nbgrader one after the other, none stopping the rest."""

import contextlib
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import sqlalchemy
from filelock import FileLock, Timeout
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.converters.base import NbGraderException
from sqlalchemy.exc import OperationalError
from tqdm import tqdm

from grading.changed_labs import follow
from grading.course import Course, UserError
from grading.jobs import Workers, fit
from grading.logs import Reason, logging_to
from grading.pictures_beside import take_in_pictures
from grading.reading import Unreadable, read
from grading.rebuilding import cells_written_into, rebuilt
from grading.recognising import recognised
from grading.recording import Recorded, content, forget, in_one_transaction, note_content, prepare, recorded, state
from grading.results import Results, key
from grading.roster import extensions
from grading.submissions import fault_of_files, fault_of_name, fault_of_place, submission_path, time_of
from grading.system_calls import unfiltered
from grading.times import Due, due_dates, move_due_dates
from grading.ungraded import as_if_run, blank_with_reason, comment

_PAUSES = (1, 4, 15)  # seconds to wait for a gradebook that is locked; SQLite itself waits for 5 before it says so
_AHEAD = 200  # submissions read ahead of the writer: enough for many workers, and few enough to be held in memory


@dataclass(frozen=True)
class Outcome:
    """What became of a student's submission.

    `fault` is None where it was graded. Where the file is to blame it has 0 points, which are `recorded`; where it is
    the place or the name, there are no marks. A `remark` is something that was graded, and is to be known.
    """

    student: str
    fault: str | None
    recorded: bool
    remark: str | None = None


@dataclass(frozen=True)
class _Read:
    """A submission as it was read: put back into shape, or what is recorded in its place."""

    notebook: NotebookNode | None
    fault: str | None = None
    remark: str | None = None


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
        if ways.sandbox and (warning := unfiltered()) is not None:
            print(warning, file=sys.stderr, flush=True)
    outcomes: dict[str, Outcome] = {}
    with _alone(course), logging_to(course.classroom / "autograde.log") as reason:
        register(course, lab, reason)
        with (
            Workers(ways.sandbox, ways.scheduler, ways.workers, len(students)) as workers,
            tqdm(total=len(students), desc=f"Grading {lab}", unit="submission", file=sys.stdout) as bar,
        ):
            for outcome in _Grading(course, lab, reason).grade(students, workers):
                outcomes[outcome.student] = outcome
                bar.update()
    return [outcomes[student] for student in students]


class _Grading:
    """The grading of one lab."""

    def __init__(self, course: Course, lab: str, reason: Reason):
        self._course, self._lab, self._reason = course, lab, reason
        self._source = nbformat.read(course.solutions / lab / f"{lab}.ipynb", as_version=4)
        self._results = Results(course.results)
        with course.gradebook() as gradebook:
            self._due = _due(course, gradebook, lab)
        self._contents: dict[str, str] = {}  # by student, which files were read: another may come while they are run

    def grade(self, students: list[str], workers: Workers) -> Iterator[Outcome]:
        """Each student's outcome as soon as the marks are recorded.

        Results are kept before any is recorded, however many come at once: what was computed isn't lost.
        """
        with self._course.gradebook() as gradebook, gradebook.engine.connect() as connection:
            yield from self._graded(iter(students), workers, connection, recorded(connection, self._lab))

    def _graded(
        self,
        students: Iterator[str],
        workers: Workers,
        connection: sqlalchemy.Connection,
        before: dict[str, Recorded],
    ) -> Iterator[Outcome]:
        waiting: dict[str, list[tuple[str, _Read]]] = {}  # by the key of a result, who waits: equal ones are run once
        ready: deque[tuple[str, _Read]] = deque()
        more = True
        while True:
            room = more and len(waiting) + len(ready) < _AHEAD
            for name, outcome in workers.finished(wait=bool(waiting) and not room and not ready):
                students_of_it = waiting.pop(name)
                if isinstance(outcome, Exception):
                    for each, _ in students_of_it:
                        yield Outcome(each, f"it couldn't be run: {outcome}", recorded=False)
                else:
                    self._results.keep(name, outcome)
                    ready += students_of_it
            if room:
                student = next(students, None)
                more = student is not None
                if student is None:
                    continue
                found = self._read(student)
                if found.notebook is None:
                    yield Outcome(student, found.fault, recorded=False)
                elif self._is_recorded(student, found.notebook, before.get(student)):
                    self._confirm(student, connection, before[student])
                    yield Outcome(student, found.fault, True, found.remark)
                elif (name := key(found.notebook)) in waiting:
                    waiting[name].append((student, found))
                elif self._results.find(name) is not None:
                    ready.append((student, found))
                elif found.fault is not None:
                    self._results.keep(name, nbformat.writes(as_if_run(found.notebook, found.fault)))
                    ready.append((student, found))
                else:
                    workers.submit(name, nbformat.writes(found.notebook))
                    waiting[name] = [(student, found)]
            elif ready:
                yield self._record(*ready.popleft(), connection)
            elif not waiting:
                return

    def _read(self, student: str) -> _Read:
        """A submission put back into shape, or the fault in it."""
        path = self._path(student)
        self._contents[student] = content(path.parent, self._lab)
        if (fault := fault_of_name(student)) is not None:
            return _Read(None, fault)
        try:
            if (fault := fault_of_files(path.parent)) is not None:
                raise Unreadable(fault)
            if (fault := fault_of_place(path)) is not None:
                return _Read(None, fault)
            submission = read(path)
            if not any(name for name, _ in recognised(submission, self._source)):
                raise Unreadable(f"{path.name} has none of the lab's cells: it wasn't made from the student's copy")
            notebook = take_in_pictures(rebuilt(submission, self._source), path.parent)
        except Unreadable as error:
            fault = str(error)
            return _Read(blank_with_reason(fault, self._lab, self._source), fault)
        except Exception as error:  # whatever the file provokes
            fault = f"{path.name} can't be put back into shape: {type(error).__name__}"
            return _Read(blank_with_reason(fault, self._lab, self._source), fault)
        remarks = []
        if names := cells_written_into(submission, self._source):
            remarks.append(f"what was written into the course's own cells stands below them: {', '.join(names)}")
        try:
            time_of(path.parent)
        except ValueError as error:
            remarks.append(f"nobody knows whether it is late: {error}")
        return _Read(notebook, remark="; ".join(remarks) or None)

    def _path(self, student: str) -> Path:
        return submission_path(self._course.submitted, student, self._lab)

    def _time(self, student: str) -> datetime | None:
        with contextlib.suppress(ValueError):
            return time_of(self._path(student).parent)
        return None

    def _executed(self, student: str) -> Path:
        return self._course.autograded / student / self._lab / f"{self._lab}.ipynb"

    def _is_recorded(self, student: str, notebook: NotebookNode, before: Recorded | None) -> bool:
        if before is None or before.state != state(notebook) or self._time(student) != before.timestamp:
            return False
        # The executed notebook may be of another grading, which was killed before it was recorded.
        try:
            return state(nbformat.v4.reads(self._executed(student).read_text(encoding="utf-8"))) == before.state
        except (OSError, ValueError, KeyError, AttributeError):
            return False

    def _confirm(self, student: str, connection: sqlalchemy.Connection, before: Recorded) -> None:
        """Note that the marks are those of the file as it is now, where it changed and its cells didn't."""
        if self._contents[student] != before.content:
            with in_one_transaction(connection), self._course.gradebook() as gradebook:
                note_content(gradebook, self._lab, student, self._contents[student])
                gradebook.db.commit()

    def _record(self, student: str, found: _Read, connection: sqlalchemy.Connection) -> Outcome:
        """Record a submission; where another program has the gradebook for itself, wait for it a while."""
        for pause in _PAUSES:
            outcome = self._try_to_record(student, found, connection)
            if outcome is not None:
                return outcome
            time.sleep(pause)
        reason = "another program has the gradebook for itself: close it, and grade again. What was run isn't lost"
        return Outcome(student, reason, recorded=False)

    def _try_to_record(self, student: str, found: _Read, connection: sqlalchemy.Connection) -> Outcome | None:
        """Record a submission: None if the gradebook is locked."""
        self._reason.text = ""
        handed_in = self._path(student).parent
        try:
            with (
                _undone_if_it_fails(self._executed(student).parent),
                tempfile.TemporaryDirectory() as place,
                in_one_transaction(connection),
            ):
                self._lay_out(Path(place) / student / self._lab, handed_in, found)
                directory = self._course.directory(
                    assignment_id=self._lab, student_id=student, submitted_directory=place
                )
                with self._course.gradebook() as gradebook:
                    gradebook.update_or_create_student(student)
                    known: dict[str, Any] = {"timestamp": self._time(student)}
                    if self._due.date is not None:  # else it may have been told in another way
                        known["extension"] = self._due.extension(student)
                    gradebook.update_or_create_submission(self._lab, student, **known)
                Autograde(coursedir=directory, config=self._course.config, force=True).start()
                with self._course.gradebook() as gradebook:
                    note_content(gradebook, self._lab, student, self._contents[student])
                    if found.fault is not None:
                        comment(gradebook, self._lab, student, found.fault)
                    gradebook.db.commit()
        except (NbGraderException, OperationalError) as error:
            reason = self._reason.text or str(getattr(error, "orig", error))
            return None if "is locked" in reason else Outcome(student, f"nbgrader gave up on it: {reason}", False)
        except shutil.Error:
            return Outcome(student, "there are files in its folder that can't be read", recorded=False)
        return Outcome(student, found.fault, True, found.remark)

    def _lay_out(self, folder: Path, handed_in: Path, found: _Read) -> None:
        """Write what nbgrader is to grade: the notebook in good order and, if it is a submission, its other files."""
        folder.mkdir(parents=True)
        if found.fault is None:
            shutil.copytree(
                handed_in, folder, ignore=shutil.ignore_patterns("*.ipynb", "timestamp.txt"), dirs_exist_ok=True
            )
            if (when := self._time(handed_in.parent.name)) is not None:
                (folder / "timestamp.txt").write_text(f"{when} UTC", encoding="utf-8")
        (folder / f"{self._lab}.ipynb").write_text(nbformat.writes(found.notebook), encoding="utf-8")


def register(course: Course, lab: str, reason: Reason) -> None:
    """Tell the gradebook what the lab's cells are and what they are worth.

    The student's copy that nbgrader makes on this occasion is thrown away: grading leaves labs/ as it is.
    """
    with course.gradebook() as gradebook:
        prepare(gradebook)  # one that can't be written is an error of its own, which nbgrader would bury in the log
        follow(gradebook, lab, nbformat.read(course.solutions / lab / f"{lab}.ipynb", as_version=4))
    with tempfile.TemporaryDirectory() as release:
        directory = course.directory(assignment_id=lab, release_directory=release)
        try:
            GenerateAssignment(coursedir=directory, config=course.config).start()
        except NbGraderException as error:
            raise UserError(f"nbgrader couldn't take in the solution of {lab}: {reason.text or error}") from error
    with course.gradebook() as gradebook:
        if move_due_dates(gradebook, lab, _due(course, gradebook, lab)):
            forget(gradebook, lab)
        gradebook.db.commit()


def _due(course: Course, gradebook: Gradebook, lab: str) -> Due:
    return due_dates(course.classroom / "due.csv", lab, extensions(gradebook))


@contextmanager
def _undone_if_it_fails(folder: Path) -> Iterator[None]:
    """What is done to a folder in here is undone if it fails: marks that stay are of the notebook that is there."""
    with tempfile.TemporaryDirectory() as place:
        before = Path(place) / "before"
        if folder.is_dir():
            shutil.copytree(folder, before)
        try:
            yield
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            if before.is_dir():
                shutil.copytree(before, folder)
            raise


@contextmanager
def _alone(course: Course) -> Iterator[None]:
    """One grading at a time writes into the classroom; the lock is gone with its process, however that ends."""
    lock = FileLock(course.classroom / "autograde.lock", timeout=0)
    try:
        with lock:
            yield
    except Timeout as error:
        raise UserError("Another grading of this class is under way: wait until it ends, or stop it.") from error
