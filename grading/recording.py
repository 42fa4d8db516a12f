"""The writer: nbgrader records one submission after the other, each in one transaction, and notes which result it was.

nbgrader opens the gradebook a dozen times for a submission and commits each grade by itself. Here it is given one
connection for all of them, and what it writes for a submission is committed as a whole: whoever kills the grading
leaves no half of a submission behind.
"""

import datetime
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy
from nbformat import NotebookNode
from nbgrader.api import Assignment, Gradebook, SubmittedAssignment
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade
from sqlalchemy.orm import scoped_session, sessionmaker

from grading.results import key

_NOTES = sqlalchemy.Table(
    "attention_by_hand_recorded",  # beside nbgrader's own tables, so that a copy of a gradebook knows what is in it
    sqlalchemy.MetaData(),
    sqlalchemy.Column("submission", sqlalchemy.String(32), primary_key=True),
    sqlalchemy.Column("state", sqlalchemy.String(64), nullable=False),
)


def state(notebook: NotebookNode) -> str:
    """A hash of all that a submission's marks depend on: its result, and what each cell is worth."""
    cells = [cell.metadata.nbgrader for cell in notebook.cells if is_grade(cell)]
    points = [[cell["grade_id"], float(cell["points"])] for cell in cells]
    return hashlib.sha256(json.dumps([key(notebook), points]).encode()).hexdigest()


class Note(NbGraderPreprocessor):
    """Comes last in nbgrader's autograding, and notes in the gradebook what was recorded."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook:
            submission = gradebook.find_submission(names["assignment"], names["student"]).id
            _NOTES.create(gradebook.db.connection(), checkfirst=True)
            gradebook.db.execute(_NOTES.delete().where(_NOTES.c.submission == submission))
            gradebook.db.execute(_NOTES.insert().values(submission=submission, state=state(nb)))
            gradebook.db.commit()
        return nb, resources


@dataclass(frozen=True)
class Recorded:
    """What the gradebook has of a submission."""

    state: str
    timestamp: datetime.datetime | None


def prepare(gradebook: Gradebook) -> None:
    """Make room for the notes in a gradebook.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: if it can't be written.
    """
    with gradebook.engine.begin() as connection:
        _NOTES.create(connection, checkfirst=True)
        connection.execute(_NOTES.delete().where(_NOTES.c.submission == ""))  # there is none: it is the right to write


def recorded(connection: sqlalchemy.Connection, lab: str) -> dict[str, Recorded]:
    """By student, what a gradebook has of a lab."""
    with connection.begin():
        rows = connection.execute(
            sqlalchemy.select(SubmittedAssignment.student_id, _NOTES.c.state, SubmittedAssignment.timestamp)
            .join(_NOTES, _NOTES.c.submission == SubmittedAssignment.id)
            .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
            .where(Assignment.name == lab)
        )
        return {student: Recorded(*others) for student, *others in rows}


@contextmanager
def in_one_transaction(connection: sqlalchemy.Connection) -> Iterator[None]:
    """Whatever nbgrader does in here with its gradebook goes through this connection, and is committed at the end."""
    opening, closing = Gradebook.__init__, Gradebook.close

    def opened(gradebook: Gradebook, db_url: str, course_id: str = "default_course", authenticator: object = None):
        # as nbgrader's own, but for the connection, and for the tables, which are there
        gradebook.engine, gradebook.course_id, gradebook.authenticator = connection.engine, course_id, authenticator
        session = sessionmaker(autoflush=True, bind=connection, join_transaction_mode="rollback_only")
        gradebook.db = scoped_session(session)
        gradebook.check_course(course_id=course_id)

    Gradebook.__init__, Gradebook.close = opened, lambda gradebook: gradebook.db.remove()
    try:
        with connection.begin():
            yield
    finally:
        Gradebook.__init__, Gradebook.close = opening, closing
