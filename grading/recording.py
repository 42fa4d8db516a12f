"""The writer: nbgrader records one submission after the other, each in one transaction, and notes which result it was.

nbgrader opens the gradebook a dozen times for a submission and commits each grade by itself. Here it is given one
connection for all of them, and what it writes for a submission is committed as a whole: a grading that is killed leaves
no half of a submission behind.
"""

import datetime
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy
from nbformat import NotebookNode
from nbgrader.api import Assignment, Gradebook, SubmittedAssignment
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade
from sqlalchemy.orm import scoped_session, sessionmaker

from grading.results import key

_TABLES = sqlalchemy.MetaData()  # beside nbgrader's own tables, so that a copy of a gradebook knows what is in it
_NOTES = sqlalchemy.Table(
    "attention_by_hand_recorded",
    _TABLES,
    sqlalchemy.Column("submission", sqlalchemy.String(32), primary_key=True),
    sqlalchemy.Column("state", sqlalchemy.String(64), nullable=False),
)
_FILES = sqlalchemy.Table(
    "attention_by_hand_handed_in",
    _TABLES,
    sqlalchemy.Column("submission", sqlalchemy.String(32), primary_key=True),
    sqlalchemy.Column("content", sqlalchemy.String(64), nullable=False),
)


def state(notebook: NotebookNode) -> str:
    """A hash of all that a submission's marks depend on: its result, and what each cell is worth."""
    cells = [cell.metadata.nbgrader for cell in notebook.cells if is_grade(cell)]
    points = [[cell["grade_id"], float(cell["points"])] for cell in cells]
    pictures = [cell.attachments for cell in notebook.cells if cell.get("attachments")]  # of written answers
    return hashlib.sha256(json.dumps([key(notebook), points, pictures], sort_keys=True).encode()).hexdigest()


class Note(NbGraderPreprocessor):
    """Comes last in nbgrader's autograding, and notes in the gradebook what was recorded."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Called by nbgrader's autograde for each notebook, as the last step."""
        names, course = resources["nbgrader"], self.parent.parent.coursedir
        lab, student = names["assignment"], names["student"]
        folder = Path(course.format_path(course.submitted_directory, student, lab))
        with Gradebook(names["db_url"]) as gradebook:
            _TABLES.create_all(gradebook.db.connection())
            _write(gradebook, gradebook.find_submission(lab, student).id, _NOTES, state=state(nb))
            note_content(gradebook, lab, student, content(folder, lab))
            gradebook.db.commit()
        return nb, resources


def content(folder: Path, lab: str) -> str:
    """A hash of the files in a submission's folder that its marks are of; empty where the notebook isn't there."""
    digests = []
    for path in (folder / f"{lab}.ipynb", folder / "timestamp.txt"):
        try:
            if not path.is_file():  # a pipe isn't waited for
                digests.append("")
                continue
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError:  # which the grading says by itself
            digests.append("unreadable")
    return hashlib.sha256("".join(digests).encode()).hexdigest() if digests[0] else ""


def note_content(gradebook: Gradebook, lab: str, student: str, content: str) -> None:
    """Note which files the marks of a submission are of; the caller commits."""
    _write(gradebook, gradebook.find_submission(lab, student).id, _FILES, content=content)


def _write(gradebook: Gradebook, submission: str, table: sqlalchemy.Table, **values: str) -> None:
    gradebook.db.execute(table.delete().where(table.c.submission == submission))
    gradebook.db.execute(table.insert().values(submission=submission, **values))


@dataclass(frozen=True)
class Recorded:
    """What the gradebook has of a submission. `content` is empty where it isn't known which file it was."""

    state: str
    timestamp: datetime.datetime | None
    content: str


def prepare(gradebook: Gradebook) -> None:
    """Make room for the notes in a gradebook.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: if it can't be written.
    """
    with gradebook.engine.begin() as connection:
        _TABLES.create_all(connection)
        connection.execute(_NOTES.delete().where(_NOTES.c.submission == ""))  # there is none: it is the right to write


def forget(gradebook: Gradebook, lab: str) -> None:
    """Have each submission of a lab recorded again, though nothing is run for it; the caller commits."""
    of_lab = [submission.id for submission in gradebook.assignment_submissions(lab)]
    gradebook.db.execute(_NOTES.delete().where(_NOTES.c.submission.in_(of_lab)))


def recorded(connection: sqlalchemy.Connection, lab: str) -> dict[str, Recorded]:
    """By student, what a gradebook has of a lab."""
    columns = (SubmittedAssignment.student_id, _NOTES.c.state, SubmittedAssignment.timestamp, _FILES.c.content)
    with connection.begin():
        rows = connection.execute(
            sqlalchemy.select(*columns)
            .join(_NOTES, _NOTES.c.submission == SubmittedAssignment.id)
            .outerjoin(_FILES, _FILES.c.submission == SubmittedAssignment.id)
            .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
            .where(Assignment.name == lab)
        )
        return {student: Recorded(state, time, content or "") for student, state, time, content in rows}


def contents(gradebook: Gradebook, lab: str) -> dict[str, str]:
    """By student who has marks in a lab, of which files they are: empty where that isn't known."""
    connection = gradebook.db.connection()
    _TABLES.create_all(connection)
    rows = connection.execute(
        sqlalchemy.select(SubmittedAssignment.student_id, _FILES.c.content)
        .outerjoin(_FILES, _FILES.c.submission == SubmittedAssignment.id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .where(Assignment.name == lab)
    )
    return {student: content or "" for student, content in rows}


# What `in_one_transaction` was given: in that thread alone, as each thread has a context of its own.
_connection: ContextVar[sqlalchemy.Connection | None] = ContextVar("connection", default=None)


@contextmanager
def in_one_transaction(connection: sqlalchemy.Connection) -> Iterator[None]:
    """What this thread does in here with the connection's gradebook goes through it, and is committed at the end."""
    token = _connection.set(connection)
    try:
        with connection.begin():
            yield
    finally:
        _connection.reset(token)


_open_anew = Gradebook.__init__


def _open(gradebook: Gradebook, db_url: str, course_id: str = "default_course", authenticator: object = None) -> None:
    """Called for each `Gradebook(...)`: it gets this thread's connection if that is to its database, else its own."""
    connection = _connection.get()
    if connection is None or connection.engine.url != sqlalchemy.make_url(db_url):
        _open_anew(gradebook, db_url, course_id, authenticator)
        return
    # as nbgrader's own, but for the connection, and for the tables, which are there
    gradebook.engine, gradebook.course_id, gradebook.authenticator = connection.engine, course_id, authenticator
    session = sessionmaker(autoflush=True, bind=connection, join_transaction_mode="rollback_only")
    gradebook.db = scoped_session(session)
    gradebook.close = gradebook.db.remove  # the connection stays open
    gradebook.check_course(course_id=course_id)


# nbgrader's converters and steps each make a Gradebook by name, in seven modules: the constructor is what they share.
Gradebook.__init__ = _open
