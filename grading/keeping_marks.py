"""Takes the place of nbgrader's `SaveAutoGrades`: a mark by hand is in question if its answer changed, and only then.

nbgrader itself asks for each mark by hand again whenever a submission is recorded. Here the gradebook notes of which
answer a mark is. And a test that couldn't be run, as the student's process had ended before, isn't a wrong answer: a
comment says so.
"""

import hashlib
import re
from collections.abc import Iterable

import sqlalchemy
from nbformat import NotebookNode
from nbgrader.preprocessors import SaveAutoGrades
from nbgrader.utils import is_solution

_ANSWERS = sqlalchemy.Table(
    "attention_by_hand_answers",
    sqlalchemy.MetaData(),
    sqlalchemy.Column("grade", sqlalchemy.String(32), primary_key=True),
    sqlalchemy.Column("answer", sqlalchemy.String(64), nullable=False),
)

_NOT_RUN = re.compile(r"Not run: ([^()]+) \((.*)\)\.", re.DOTALL)  # a comment: which tests, and why
_GONE = "no more of the student's code is run"


class SaveMarks(SaveAutoGrades):
    """Records the points of each cell."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Called by nbgrader's autograde for each notebook."""
        self._answer, self._name = "", None
        self._not_run: dict[str, list[str]] = {}  # by the cell that answers
        return super().preprocess(nb, resources)

    def preprocess_cell(self, cell: NotebookNode, resources: dict, cell_index: int) -> tuple[NotebookNode, dict]:
        """Called by nbgrader for each cell in turn: tests belong to the answer before them, of a class several."""
        if is_solution(cell):
            pictures = sorted(cell.get("attachments", {}).items())
            self._name = cell.metadata.nbgrader.grade_id
            self._answer = hashlib.sha256(f"{cell.source}{pictures}".encode()).hexdigest()
        return super().preprocess_cell(cell, resources, cell_index)

    def _add_score(self, cell: NotebookNode, resources: dict) -> None:
        """Called by nbgrader for each cell with points."""
        place = (self.notebook_id, self.assignment_id, self.student_id)
        grade = self.gradebook.find_grade(cell.metadata.nbgrader.grade_id, *place)
        waited, points = grade.needs_manual_grade, grade.auto_score
        super()._add_score(cell, resources)
        if self._name is not None and (reason := why_not_run(cell)) is not None:
            tests = self._not_run.setdefault(self._name, [])
            tests.append(cell.metadata.nbgrader.grade_id)
            self.gradebook.find_comment(self._name, *place).auto_comment = f"Not run: {', '.join(tests)} ({reason})."
        database = self.gradebook.db
        _ANSWERS.create(database.connection(), checkfirst=True)
        known = database.execute(sqlalchemy.select(_ANSWERS.c.answer).where(_ANSWERS.c.grade == grade.id)).scalar()
        if grade.manual_score is not None and not waited and known == self._answer and points == grade.auto_score:
            grade.needs_manual_grade = False
        database.execute(_ANSWERS.delete().where(_ANSWERS.c.grade == grade.id))
        database.execute(_ANSWERS.insert().values(grade=grade.id, answer=self._answer))
        database.commit()


def why_not_run(test: NotebookNode) -> str | None:
    """Why an executed test cell couldn't be run, as its output says it; None if it could."""
    errors = [output.evalue for output in test.get("outputs", []) if output.output_type == "error"]
    return next((error for error in errors if error.startswith(_GONE)), None)


def not_run_in(comments: Iterable[str | None]) -> dict[str, str]:
    """By test, why it couldn't be run, as the gradebook's comments on a submission say it."""
    found = [match for comment in comments if (match := _NOT_RUN.fullmatch(comment or "")) is not None]
    return {test: match[2] for match in found for test in match[1].split(", ")}
