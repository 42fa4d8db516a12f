"""Marks by hand: in question when their answer changed, and only then; and kept when the lab changes."""

import nbformat
import pytest
from nbgrader.converters import Autograde
from sqlalchemy.exc import OperationalError

from grading.__main__ import main
from grading.results import fingerprint
from tests.grading.classroom import LAB, filled_in, hand_in, open_gradebook, register_lab, scores

WRITTEN = {"written_masking": "Because of the sum."}


@pytest.fixture
def marked(course, unexecuted):
    """A class of one, whose written answer has a mark: what grades it again."""
    path = hand_in(course, "ada", filled_in(WRITTEN))

    def grade(cells, comment=""):
        text = filled_in(cells)
        if comment:
            notebook = nbformat.reads(text, as_version=4)
            notebook.cells.append(nbformat.v4.new_code_cell(comment))
            text = nbformat.writes(notebook)
        path.write_text(text, encoding="utf-8")
        main(["autograde", LAB, "--no-sandbox"])

    grade(WRITTEN)
    assert main(["mark", LAB, "ada", "written_masking", "3"]) == 0
    return grade


def waits(course):
    with open_gradebook(course) as gradebook:
        return gradebook.find_grade("written_masking", LAB, LAB, "ada").needs_manual_grade


def test_an_unrelated_cell_leaves_the_mark_alone(course, marked):
    marked(WRITTEN, comment="x = 1")
    assert scores(course, "ada")["written_masking"] == 3 and not waits(course)


def test_a_changed_course_leaves_the_mark_alone(course, marked, monkeypatch):
    known = fingerprint()
    monkeypatch.setattr("grading.results.fingerprint", lambda: known + "changed")
    marked(WRITTEN)
    assert scores(course, "ada")["written_masking"] == 3 and not waits(course)


def test_a_changed_answer_puts_it_in_question_until_somebody_has_looked(course, marked):
    for comment in ("", "x = 1"):
        marked({"written_masking": "Because of the row."}, comment)
        assert scores(course, "ada")["written_masking"] == 3 and waits(course)
    assert main(["mark", LAB, "ada", "written_masking", "3"]) == 0
    marked({"written_masking": "Because of the row."}, "x = 2")
    assert not waits(course)


def test_a_lab_whose_cells_change_keeps_the_marks_by_hand(course, marked):
    path = course / "solutions" / LAB / f"{LAB}.ipynb"
    solution = nbformat.read(path, as_version=4)
    roles = {cell.metadata.nbgrader.grade_id: cell for cell in solution.cells if "nbgrader" in cell.metadata}
    solution.cells.remove(roles["test_masked_mean"])
    roles["test_length_mask"].metadata.nbgrader.points = 5
    added = nbformat.from_dict(roles["test_length_mask"] | {"id": "another"})
    added.metadata.nbgrader.grade_id, added.metadata.nbgrader.points = "test_another", 7
    solution.cells.insert(-1, added)
    nbformat.write(solution, path)
    marked(WRITTEN)
    found = scores(course, "ada")
    assert found["written_masking"] == 3 and not waits(course)
    assert "test_masked_mean" not in found and found["test_another"] == 7 and found["test_length_mask"] == 5
    register_lab()
    with open_gradebook(course) as gradebook:
        assert gradebook.find_assignment(LAB).max_score == 20 - 2 + 2 + 7


def test_what_could_not_be_run_is_told_apart_from_a_wrong_answer(course, monkeypatch, capsys):
    reason = "no more of the student's code is run: it has ended"

    def ended(text, sandbox, course):
        notebook = nbformat.reads(text, as_version=4)
        for cell in notebook.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            if name in ("test_breaking_input", "test_masked_mean"):
                gone = name == "test_breaking_input"
                error = ("CandidateGone", reason) if gone else ("AssertionError", "wrong")
                cell.outputs = [nbformat.v4.new_output("error", ename=error[0], evalue=error[1], traceback=[])]
        return nbformat.writes(notebook)

    monkeypatch.setattr("grading.jobs.execute", ended)
    hand_in(course, "ada", filled_in(WRITTEN))
    assert main(["autograde", LAB, "--no-sandbox"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("ada "))
    assert row.split() == ["ada", "3", "8", "not", "run", "0", "11", "to", "mark", "11", "+", "?"]
    with open_gradebook(course) as gradebook:
        comments = {each.name: each.comment for each in gradebook.find_submission(LAB, "ada").notebooks[0].comments}
    assert comments["breaking_input"] == f"Not run: {reason}."
    assert comments["masked_mean"] == "No response."


@pytest.mark.parametrize("times", [1, 99])
def test_a_gradebook_that_is_locked_is_waited_for_and_then_said_to_be(course, unexecuted, monkeypatch, capsys, times):
    monkeypatch.setattr("grading.autograding._PAUSES", (0, 0))
    tries, start = [], Autograde.start

    def locked(self):
        tries.append(self)
        if len(tries) <= times:
            raise OperationalError("UPDATE grade", {}, Exception("database is locked"))
        start(self)

    monkeypatch.setattr("grading.autograding.Autograde.start", locked)
    hand_in(course, "ada", filled_in(WRITTEN))
    assert main(["autograde", LAB, "--no-sandbox"]) == (0 if times == 1 else 1)
    said = capsys.readouterr().err
    assert ("ada was not graded: another program has the gradebook for itself" in said) == (times == 99)
    if times == 1:
        assert scores(course, "ada")["test_length_mask"] == 3
