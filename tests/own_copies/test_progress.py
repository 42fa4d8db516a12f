"""What was checked is noted where a student works and nowhere else, and the table says how far they are."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import IPython
import pytest

from helpers.checks import CheckFailed, check
from helpers.checks.report import publish
from helpers.lab_files import released_path
from helpers.own_copies import prepare
from helpers.progress import as_markdown, as_text, lab_at_work, main, note, note_check, record, way_on
from tests.own_copies.course import CELLS, LAB, named, own, release, text

ROOT = Path(__file__).parents[2]
PARTS = [named("test_parts", "check(split)\ncheck(merge, points=2)", points=2)]


@pytest.fixture
def in_a_notebook(course, monkeypatch):
    """The process stands where a kernel would stand that JupyterLab started for the student's copy."""
    (course / "helpers").mkdir()
    prepare(course)
    monkeypatch.chdir(own(course).parent)
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel="one"))
    return course


def test_the_third_failed_try_in_a_row_shows_the_way_out(in_a_notebook):
    assert [note_check("first", 0.5), note_check("first", 0), note_check("first", 1)] == [None, None, None]
    assert [note_check("first", 0.5), note_check("first", 0)] == [None, None]
    assert "`!python -m helpers.reveal lab01 first`" in note_check("first", 0.75).text
    assert record(in_a_notebook, LAB, "first") == {"share": 0.75, "tries": 6, "failed_in_a_row": 3}


def test_a_report_folds_the_way_out(in_a_notebook):
    shown = []
    token = publish.set(shown.append)
    try:
        for _ in range(3):
            with pytest.raises(CheckFailed):
                check(lambda valid_lens, max_len: valid_lens, "length_mask", seed=0)
    finally:
        publish.reset(token)
    assert ["Stuck?" in report["text/plain"] for report in shown] == [False, False, True]
    command = "<code>!python -m helpers.reveal lab01 length_mask</code>"
    assert "<details><summary>Stuck?</summary>" in shown[2]["text/html"] and command in shown[2]["text/html"]


def test_who_writes_in_labs_is_told_so_at_once(in_a_notebook, monkeypatch):
    monkeypatch.chdir(released_path(in_a_notebook, LAB).parent)
    told = note_check("first", 1)
    assert "labs/, which is the course's" in told.title and "`!python -m helpers.own_copies move lab01`" in told.text
    own(in_a_notebook).unlink()
    assert "`!python -m helpers.own_copies`" in note_check("first", 1).text
    assert record(in_a_notebook, LAB, "first")["tries"] == 2


@pytest.mark.parametrize("elsewhere", ["no kernel", "nbgrader", "another folder", "no lab"])
def test_nothing_is_noted_elsewhere(in_a_notebook, monkeypatch, elsewhere):
    if elsewhere == "no kernel":
        monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    if elsewhere == "nbgrader":
        monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    if elsewhere == "another folder":
        monkeypatch.chdir(in_a_notebook)
    if elsewhere == "no lab":
        (in_a_notebook / "my_labs" / "other").mkdir()
        monkeypatch.chdir(in_a_notebook / "my_labs" / "other")
    assert lab_at_work() is None and note_check("first", 0) is None
    assert not (in_a_notebook / "my_labs" / "progress.json").exists()


def test_a_progress_that_cannot_be_written_or_read_stops_no_check(in_a_notebook):
    place = in_a_notebook / "my_labs" / "progress.json"
    place.mkdir()
    assert note_check("first", 1) is None
    assert "0 of  5  first, second" in as_text(in_a_notebook)


@pytest.mark.parametrize("damage", ["", "[1]", '{"lab01_small": 1}', '{"lab01_small": {"first": {"tries": "x"}}}'])
def test_a_damaged_progress_is_kept_under_a_number(in_a_notebook, damage):
    place = in_a_notebook / "my_labs" / "progress.json"
    place.write_text(damage)
    note_check("first", 1)
    assert json.loads(place.read_text())[LAB]["first"]["share"] == 1
    assert place.with_name("progress.1.json").read_text() == damage


def test_the_table_says_points_what_is_open_and_what_was_looked_up(course, capsys):
    release(course, [*CELLS, *PARTS])
    note(course, LAB, "first", share=1)
    note(course, LAB, "second", share=0.9, revealed="2026-11-30")
    note(course, LAB, "split", share=1)
    note(course, LAB, "merge", share=0.5)
    main([], course)
    said = capsys.readouterr().out
    assert "lab01_small  4.5 of  7  second, parts; looked up: second" in said
    assert "6 more are given when it is graded" in said


def test_a_test_of_two_functions_gives_its_points_only_when_both_were_right(course):
    release(course, [named("test_parts", "check(split)\ncheck(merge)", points=2)])
    note(course, LAB, "split", share=1)
    assert "0 of  2  parts" in as_text(course)
    note(course, LAB, "merge", share=1)
    assert "2 of  2  nothing" in as_text(course)


def test_a_notebooks_table_leads_to_the_own_copy_where_there_is_one(course):
    here = course / "notebooks"
    assert f"(../labs/{LAB}/{LAB}.ipynb)" in as_markdown(course, here)
    prepare(course)
    assert f"(../my_labs/{LAB}/{LAB}.ipynb)" in as_markdown(course, here)


def test_bad_input_is_a_sentence_on_stderr_and_exit_status_2(course):
    (course / "helpers").mkdir()
    (course / "my_labs").write_text("a file in the folder's place")
    for words in (["helpers.fresh", "1"], ["helpers.reveal", "1", "first"], ["helpers.hand_in", "9"]):
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = [
            sys.executable,
            "-c",
            f"import runpy, sys; sys.argv[1:] = {words[1:]}; runpy.run_module({words[0]!r}, run_name='__main__')",
        ]
        done = subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr


def headed(number: int, exercise: str) -> dict:
    return text(
        f"about-{exercise}", f"## Exercise {number} · `{exercise}`: a *small* one ({number} points)\n\nWrite it."
    )


EXERCISES = [headed(1, "first"), *CELLS[2:4], headed(2, "second"), *CELLS[5:]]


def test_after_a_check_the_way_says_the_points_and_what_is_next(in_a_notebook):
    release(in_a_notebook, EXERCISES)
    (in_a_notebook / "notebooks").mkdir()
    (in_a_notebook / "notebooks" / "01_small.ipynb").touch()
    note_check("first", 1)
    way = way_on("first")
    assert (way.here, way.of_here, way.in_lab, way.of_lab, way.has_hidden) == ("3", "3", "3", "5", False)
    assert way.heading == "#Exercise-1-·-first:-a-small-one-(1-points)"
    assert way.next == ("Exercise 2", "#Exercise-2-·-second:-a-small-one-(2-points)")
    assert way.chapter == "../../notebooks/01_small.ipynb"
    note_check("second", 0.5)
    assert way_on("second").has_hidden and way_on("second").next is None  # nothing else is open


def test_what_is_next_may_have_been_left_out_before(in_a_notebook):
    release(in_a_notebook, EXERCISES)
    note_check("second", 1)
    assert way_on("second").next[0] == "Exercise 1"


def test_the_way_is_told_only_where_checks_are_noted(in_a_notebook, monkeypatch):
    assert way_on("nothing of this lab") is None
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert way_on("first") is None
