"""Marks that aren't those of what lies in submitted/ now pass for nothing, whichever command uses them."""

import pytest
import sqlalchemy

from grading.__main__ import main
from grading.exporters import MoodleExporter
from tests.grading.classroom import LAB, filled_in, graded, hand_in, open_gradebook, scores
from tests.grading.test_exporters import exported

CHANGES = {
    "changed": (lambda path: path.write_text("{"), "the marks aren't those of"),
    "deleted": (lambda path: path.unlink(), "the marks are of a file that isn't there any more"),
    "renamed": (lambda path: path.rename(path.with_name("Untitled.ipynb")), "the marks are of a file that isn't there"),
}


@pytest.fixture(params=CHANGES)
def changed(course, request):
    """Two graded students, of whom one has handed in something else since: what is said of that."""
    for student in ("ada", "bela"):
        graded(course, student, {"test_length_mask": 3})
    assert main(["feedback", LAB]) == 0
    change, reason = CHANGES[request.param]
    change(course / "classroom" / "submitted" / "ada" / LAB / f"{LAB}.ipynb")
    return reason


def test_the_feedback_has_no_page_for_them(course, changed, capsys):
    capsys.readouterr()
    assert main(["feedback", LAB]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"ada has no page: {changed}")
    assert "Pages written: 1" in printed.out
    pages = course / "classroom" / "feedback"
    assert not (pages / "ada" / LAB / f"{LAB}.html").exists() and (pages / "bela" / LAB / f"{LAB}.html").is_file()


def test_the_report_leaves_them_out(course, changed, capsys):
    capsys.readouterr()
    assert main(["report", LAB]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"ada is left out: {changed}")
    assert [line.split()[0] for line in printed.out.splitlines() if line.startswith(("ada", "bela"))] == ["bela"]


def test_the_export_leaves_them_out(course, changed, caplog):
    rows = exported(course, MoodleExporter)
    assert [row[2] for row in rows[1:]] == ["bela"]
    assert f"In {LAB} ada is left out: {changed}" in caplog.text


def test_a_mark_by_hand_is_recorded_and_the_rest_said(course, changed, capsys):
    capsys.readouterr()
    assert main(["mark", LAB, "ada", "written_masking", "2"]) == 1
    assert capsys.readouterr().err.startswith(f"But {changed}")
    assert scores(course, "ada")["written_masking"] == 2


def test_marks_of_which_the_file_is_not_known_are_outdated(course, capsys):
    graded(course, "ada", {})
    with open_gradebook(course) as gradebook:
        gradebook.db.execute(sqlalchemy.text("DELETE FROM attention_by_hand_handed_in"))
        gradebook.db.commit()
    assert main(["report", LAB]) == 2
    assert capsys.readouterr().err.startswith("Of what lies in submitted/ now, nothing has been graded")


def test_a_broken_file_after_a_good_one_has_no_points_and_a_page_that_says_why(course, capsys):
    path = hand_in(course, "ada", filled_in({}))
    graded(course, "bela", {"test_length_mask": 3})
    graded(course, "ada", {"test_length_mask": 3})
    path.write_text(filled_in({})[:500])
    (path.parent / "timestamp.txt").write_text("soon")
    assert main(["autograde", LAB, "--no-sandbox", "--student", "ada"]) == 1
    reason = f"{LAB}.ipynb isn't JSON: it stops in the middle"
    said = f"ada was not graded: {reason}. It has 0 points, and a page that says so.\n"
    assert capsys.readouterr().err.endswith(said)
    assert set(scores(course, "ada").values()) == {0}
    with open_gradebook(course) as gradebook:
        assert gradebook.find_comment("written_masking", LAB, LAB, "ada").comment == f"Not graded: {reason}."
    assert main(["feedback", LAB]) == 0
    page = (course / "classroom" / "feedback" / "ada" / LAB / f"{LAB}.html").read_text(encoding="utf-8")
    assert "This was not graded" in page and "stops in the middle" in page and "helpers.hand_in" in page
    assert main(["report", LAB]) == 0
