"""A recording that fails, or is killed, leaves marks and executed notebook of one and the same hand-in."""

import nbformat
import pytest
from sqlalchemy.exc import OperationalError

from grading.__main__ import main
from tests.grading.classroom import LAB, filled_in, hand_in, open_gradebook, scores

FIRST, SECOND = "def length_mask(a, b):\n    return 1", "def length_mask(a, b):\n    return 2"


@pytest.fixture
def grade(course, unexecuted):
    """Hands in an answer and grades it: the exit status."""

    def run(answer):
        hand_in(course, "ada", filled_in({"length_mask": answer}))
        return main(["autograde", LAB, "--no-sandbox"])

    return run


@pytest.fixture
def failing(monkeypatch):
    """In here nothing can be recorded: the gradebook is locked when it comes to the end."""

    def locked(*words):
        raise OperationalError("COMMIT", {}, Exception("database is locked"))

    monkeypatch.setattr("grading.autograding._PAUSES", (0,))

    def fail(call, *words):
        with monkeypatch.context() as patch:
            patch.setattr("grading.autograding.note_content", locked)
            return call(*words)

    return fail


def executed(course):
    return course / "classroom" / "autograded" / "ada" / LAB / f"{LAB}.ipynb"


def answer_in(path):
    cells = nbformat.read(path, as_version=4).cells
    return next(cell.source for cell in cells if cell.metadata.get("nbgrader", {}).get("grade_id") == "length_mask")


def test_the_notebook_of_marks_that_stay_is_kept(course, grade, failing, capsys):
    assert grade(FIRST) == 0
    assert failing(grade, SECOND) == 1
    assert "another program has the gradebook for itself" in capsys.readouterr().err
    assert answer_in(executed(course)) == FIRST
    assert grade(SECOND) == 0
    assert answer_in(executed(course)) == SECOND


def test_of_a_first_hand_in_nothing_is_left_and_the_next_run_records_it(course, grade, failing):
    assert failing(grade, FIRST) == 1
    assert not executed(course).exists()
    with open_gradebook(course) as gradebook:
        assert gradebook.assignment_submissions(LAB) == []
    assert grade(FIRST) == 0
    assert answer_in(executed(course)) == FIRST and scores(course, "ada")["test_length_mask"] == 3


def test_a_notebook_that_a_killed_grading_left_behind_is_recorded_by_the_next(course, grade):
    assert grade(SECOND) == 0
    left_behind = executed(course).read_text()
    assert grade(FIRST) == 0
    executed(course).chmod(0o644)
    executed(course).write_text(left_behind)
    assert grade(FIRST) == 0
    assert answer_in(executed(course)) == FIRST


def test_what_is_recorded_is_not_recorded_again(course, grade):
    assert grade(FIRST) == 0
    before = executed(course).stat().st_ino
    assert grade(FIRST) == 0
    assert executed(course).stat().st_ino == before
