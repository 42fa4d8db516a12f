"""Marks by hand: in question when their answer changed, and only then; and kept when the lab changes."""

import re

import nbformat
import pytest
from nbgrader.converters import Autograde
from sqlalchemy.exc import OperationalError

from grading.__main__ import main
from grading.exporters import CanvasExporter, SpreadsheetExporter
from grading.results import fingerprint
from tests.grading.classroom import LAB, filled_in, hand_in, open_gradebook, register_lab, scores
from tests.grading.test_exporters import by_student, exported
from tests.grading.test_feedback import page, words

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


REASON = "no more of the student's code is run: it has ended (in masked_softmax)"


@pytest.fixture
def ended(monkeypatch):
    """Runs end before the tests that are in this list; another one is failed, and the rest is passed."""
    not_run = []

    def execute(text, sandbox, course):
        notebook = nbformat.reads(text, as_version=4)
        for cell in notebook.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            if name in (*not_run, "test_masked_mean"):
                error = ("CandidateGone", REASON) if name in not_run else ("AssertionError", "wrong")
                cell.outputs = [nbformat.v4.new_output("error", ename=error[0], evalue=error[1], traceback=[])]
        return nbformat.writes(notebook)

    monkeypatch.setattr("grading.jobs.execute", execute)
    return not_run


def row(printed):
    return next(line for line in printed.splitlines() if line.startswith("ada ")).split(maxsplit=1)[1]


def comments(course):
    with open_gradebook(course) as gradebook:
        return {each.name: each.comment for each in gradebook.find_submission(LAB, "ada").notebooks[0].comments}


def test_what_could_not_be_run_is_told_apart_from_a_wrong_answer(course, ended, capsys):
    ended += ["test_masked_softmax_hidden", "test_breaking_input"]
    hand_in(course, "ada", filled_in(WRITTEN))
    assert main(["autograde", LAB, "--no-sandbox"]) == 0
    printed = capsys.readouterr()
    assert re.split(" {2,}", row(printed.out)) == ["3", "4 + not run", "not run", "0", "7", "to mark", "7 + ?"]
    said = f"ada was graded, but some of it was not run: masked_softmax, breaking_input ({REASON})."
    assert said in printed.err.splitlines()
    found = comments(course)
    assert found["masked_softmax"] == f"Not run: test_masked_softmax_hidden ({REASON})."
    assert found["breaking_input"] == f"Not run: test_breaking_input ({REASON})."
    assert found["masked_mean"] == "No response."


def test_the_page_says_so_too(course, ended):
    ended += ["test_masked_softmax_hidden", "test_breaking_input"]
    hand_in(course, "ada", filled_in(WRITTEN))
    main(["autograde", LAB, "--no-sandbox"])
    assert main(["feedback", LAB]) == 0
    said = words(page(course, "ada"))
    assert "".join(f"Not all of it could be run, and what wasn't has no points: {REASON}.".split()) in said
    assert "masked_softmax4of4,notrun:4" in said and "notrun:3" in said and "masked_mean0of2" in said
    hidden = 'a[name="test_breaking_input"] ~ .panel-heading .pull-right { display: none }'
    assert hidden in page(course, "ada").read_text(encoding="utf-8")


def test_a_method_that_could_not_be_run_is_told_apart_as_well(course, ended, capsys):
    path = course / "solutions" / LAB / f"{LAB}.ipynb"
    path.write_text(path.read_text().replace('"test_masked_softmax_hidden"', '"test_method"'))
    ended += ["test_masked_softmax", "test_method"]
    hand_in(course, "ada", filled_in(WRITTEN))
    assert main(["autograde", LAB, "--no-sandbox"]) == 0
    assert re.split(" {2,}", row(capsys.readouterr().out))[:4] == ["3", "not run", "not run", "3"]
    assert comments(course)["masked_softmax"] == f"Not run: test_masked_softmax, test_method ({REASON})."


def test_the_exports_say_what_was_not_run(course, ended, caplog):
    ended += ["test_breaking_input"]
    hand_in(course, "ada", filled_in(WRITTEN))
    main(["autograde", LAB, "--no-sandbox"])
    remark = by_student(exported(course, SpreadsheetExporter), "remark", "student_id")["ada"]
    assert remark == f"not run: breaking_input ({REASON})"
    exported(course, CanvasExporter)
    assert f"In {LAB} some of what ada handed in was not run: breaking_input ({REASON})." in caplog.text


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
