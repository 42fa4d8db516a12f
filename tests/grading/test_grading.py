"""`python -m grading`: a class graded from the command line, whatever was handed in."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest

from grading.__main__ import main
from grading.course import command
from grading.sample_answers.lab01_masked_softmax import STUDENTS
from tests.grading.classroom import (
    LAB,
    filled_in,
    hand_in,
    make_course,
    open_gradebook,
    register_lab,
    run,
    scores,
)

# What can become of a file on its way, and the sentence that says so.
BROKEN = {
    "damaged": ('{"cells": [', f"{LAB}.ipynb isn't JSON: it stops in the middle"),
    "empty": ("", f"{LAB}.ipynb is empty"),
    "no-notebook": ("[1, 2]", f"{LAB}.ipynb isn't a notebook, though it is JSON"),
    "typed-anew": (
        nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("length_mask(1)")])),
        f"{LAB}.ipynb has none of the lab's cells: it wasn't made from the student's copy",
    ),
}
RIGHT = STUDENTS["sample-ada"]


@pytest.fixture(scope="module")
def graded_class(tmp_path_factory):
    """A class of one right submission among broken ones, graded from the command line."""
    course = make_course(tmp_path_factory.mktemp("course"))
    for student, (text, _) in BROKEN.items():
        hand_in(course, student, text)
    hand_in(course, "misnamed", filled_in({}), file="Untitled.ipynb")
    hand_in(course, "question?", filled_in({}))
    hand_in(course, "sane", filled_in(RIGHT))
    hand_in(course, "blank", filled_in({}))
    lost = filled_in(RIGHT).replace('"test_masked_mean"', '"another"').replace('"test_length_mask"', '"yet_another"')
    hand_in(course, "lost-two-tests", lost)
    hand_in(course, "quits", filled_in(RIGHT | {"masked_softmax": "import os\nos._exit(1)"}))
    before = {path: path.read_bytes() for path in course.rglob("*") if path.is_file()}
    return course, before, run(course, "grading", "autograde", LAB, "--no-sandbox")


def row(printed, student):
    """The student's row of the table that was printed."""
    return next(line.split()[1:] for line in printed.splitlines() if line.startswith(student + " "))


@pytest.mark.slow
def test_from_the_student_copy_to_full_marks(graded_class):
    course, _, graded = graded_class
    assert row(graded.stdout, "sane") == ["3", "8", "3", "2", "16", "to", "mark", "16", "+", "?"]
    marked = run(course, "grading", "mark", LAB, "sane", "written_masking", "4", "--comment", "Two keys in ten: yes.")
    assert marked.stdout == "sane: 4 for written_masking, 20 of 20 in all.\n"
    assert marked.stderr == "" and marked.returncode == 0
    with open_gradebook(course) as gradebook:
        assert gradebook.find_submission(LAB, "sane").score == 20
        assert not gradebook.find_submission(LAB, "sane").needs_manual_grade
        assert gradebook.find_comment("written_masking", LAB, LAB, "sane").comment == "Two keys in ten: yes."


@pytest.mark.slow
def test_a_second_grading_of_the_same_answers_changes_nothing(graded_class, monkeypatch, capfd):
    monkeypatch.chdir(graded_class[0])
    assert main(["mark", LAB, "sane", "written_masking", "2.5"]) == 0
    assert main(["autograde", LAB, "--no-sandbox", "--student", "sane"]) == 0
    assert row(capfd.readouterr().out, "sane") == ["3", "8", "3", "2", "16", "2.5", "18.5"]


@pytest.mark.slow
def test_a_changed_answer_is_graded_anew_keeps_the_marks_by_hand_and_asks_to_look_again(
    graded_class, monkeypatch, capfd
):
    course = graded_class[0]
    monkeypatch.chdir(course)
    path = hand_in(course, "improves", filled_in({"length_mask": RIGHT["length_mask"]}))
    assert main(["autograde", LAB, "--no-sandbox", "--student", "improves"]) == 0
    assert main(["mark", LAB, "improves", "written_masking", "2.5"]) == 0
    path.write_text(filled_in(RIGHT))
    assert main(["autograde", LAB, "--no-sandbox", "--student", "improves"]) == 0
    second = capfd.readouterr().out.rpartition("Grading")[2]
    assert row(second, "improves") == ["3", "8", "3", "2", "16", "2.5", "?", "18.5", "+", "?"]


@pytest.mark.slow
def test_broken_submissions_get_a_sentence_each_and_stop_nobody(graded_class):
    _, _, graded = graded_class
    faults = {student: fault for student, (_, fault) in BROKEN.items()} | {
        "misnamed": f"there is no {LAB}.ipynb in its folder {LAB}, only Untitled.ipynb",
        "question?": "nbgrader can't handle the characters * ? [ ] in a name: rename the folder",
    }
    sentences = [line for line in graded.stderr.splitlines() if " was not graded: " in line]
    points = {student: " It has 0 points, and a page that says so." for student in BROKEN}
    assert sentences == [
        f"{student} was not graded: {fault}.{points.get(student, '')}" for student, fault in sorted(faults.items())
    ]
    assert all(row(graded.stdout, student)[-1] == "0" for student in BROKEN)
    assert "Traceback" not in graded.stderr
    assert graded.returncode == 1
    assert row(graded.stdout, "sane")[-3] == "16"


@pytest.mark.slow
def test_a_submission_gets_marks_for_what_works(graded_class):
    _, _, graded = graded_class
    assert row(graded.stdout, "lost-two-tests") == row(graded.stdout, "sane")
    assert row(graded.stdout, "quits")[:8] == ["3", *["not", "run"] * 3, "3"]


@pytest.mark.slow
def test_a_blank_submission_gets_nothing_and_waits_for_nobody(graded_class):
    assert row(graded_class[2].stdout, "blank") == ["0"] * 7


@pytest.mark.slow
def test_grading_changes_neither_the_labs_nor_what_was_handed_in(graded_class):
    _, before, _ = graded_class
    assert {path: path.read_bytes() for path in before} == before


def test_points_that_change_in_the_solution_change_in_the_gradebook(course):
    path = course / "solutions" / LAB / f"{LAB}.ipynb"
    solution = nbformat.read(path, as_version=4)
    for cell in solution.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "test_masked_mean":
            cell.metadata.nbgrader.points = 5
    nbformat.write(solution, path)
    register_lab()
    with open_gradebook(course) as gradebook:
        assert gradebook.find_assignment(LAB).max_score == 23


def says(capsys, *words):
    """What a command that the user got wrong prints to stderr."""
    try:
        status = main(words)
    except SystemExit as exit:  # argparse's way
        status = exit.code
    printed = capsys.readouterr()
    assert status == 2 and printed.out == ""
    assert printed.err.endswith("\n") and "\n" not in printed.err[:-1]
    return printed.err


@pytest.mark.parametrize(
    "words",
    [["autograde", "lab99"], ["sample-class", "--lab", "lab99"], ["mark", "lab99", "ada", "written_masking", "1"]],
)
def test_an_unknown_lab_is_answered_with_the_labs_there_are(course, capsys, words):
    assert says(capsys, *words) == f"There is no lab called 'lab99'; the labs are: {LAB}.\n"


def test_a_missing_lab_is_asked_for(course, capsys):
    assert says(capsys, "autograde") == f"Which lab? Give its name, one of: {LAB} (make grade LAB=...).\n"


@pytest.mark.parametrize("number", ["0", "-2", "two"])
def test_a_number_of_workers_that_is_none_is_refused(course, capsys, number):
    sentence = f"argument --workers: {number!r} is no number of workers: 1 is the least (--help says more).\n"
    assert says(capsys, "autograde", LAB, f"--workers={number}").endswith(sentence)


def test_a_lab_whose_release_is_missing_is_not_graded(course, capsys):
    hand_in(course, "ada", filled_in({}))
    shutil.rmtree(course / "labs" / LAB)
    sentence = f"The students' copy of {LAB} is missing in labs/{LAB}: `make labs` writes it.\n"
    assert says(capsys, "autograde", LAB) == sentence


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may write everywhere")
@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("gradebook.db", "The gradebook can't be read or written: attempt to write a readonly database.\n"),
        (".", "classroom/autograde.lock can't be read or written: Permission denied.\n"),
    ],
)
def test_what_cannot_be_written_is_named(course, place, sentence):
    hand_in(course, "ada", filled_in({}))
    locked = course / "classroom" / place
    locked.chmod(locked.stat().st_mode & ~0o222)
    (course / "classroom" / "autograde.lock").unlink(missing_ok=True) if place == "." else None
    words = [sys.executable, "-m", "grading", "autograde", LAB, "--no-sandbox"]
    if os.geteuid() == 0:  # without root's right to write what may not be written
        words = ["setpriv", "--bounding-set=-dac_override", *words]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.endswith(sentence) and "\n" not in done.stderr[:-1]


def test_an_empty_classroom_is_told_where_submissions_go_and_offered_a_sample(course, capsys):
    sentence = says(capsys, "autograde", LAB)
    assert f"a submission belongs to classroom/submitted/STUDENT/{LAB}/{LAB}.ipynb;" in sentence
    assert sentence.endswith(f"-m grading sample-class --lab {LAB}\n")


def test_a_student_who_handed_nothing_in_is_named_with_the_place_for_it(course, capsys):
    hand_in(course, "ada", filled_in({}))
    assert says(capsys, "autograde", LAB, "--student", "bela") == (
        f"'bela' has handed in nothing: the submission belongs to classroom/submitted/bela/{LAB}/{LAB}.ipynb.\n"
    )


def test_a_folder_without_a_course_is_called_that(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert says(capsys, "autograde", LAB).startswith(f"There is no nbgrader_config.py in {tmp_path}")


def test_a_folder_in_which_nbgrader_finds_nothing_is_refused(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "course [2026]"
    folder.mkdir()
    (folder / "nbgrader_config.py").touch()
    monkeypatch.chdir(folder)
    sentence = f"nbgrader can't work in {folder}: rename the folder that has * ? [ or ] in its name.\n"
    assert says(capsys, "autograde", LAB) == sentence


def test_a_solution_that_nbgrader_cannot_take_in_is_reported_with_the_reason(course, capsys):
    hand_in(course, "ada", filled_in({}))
    path = course / "solutions" / LAB / f"{LAB}.ipynb"
    path.write_text(path.read_text().replace('"test_length_mask"', '"test_masked_mean"'))
    assert "Duplicate grade id: test_masked_mean" in says(capsys, "autograde", LAB, "--no-sandbox")


def test_a_damaged_gradebook_is_called_that(course, capsys):
    hand_in(course, "ada", filled_in({}))
    (course / "classroom" / "gradebook.db").write_text("no database " * 100)
    sentence = "The gradebook can't be read or written: file is not a database.\n"
    assert says(capsys, "autograde", LAB, "--no-sandbox") == sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "python -m grading: the following arguments are required: COMMAND (--help says more)."),
        (
            ["mark", LAB, "ada", "written_masking", "four"],
            "python -m grading mark: argument POINTS: invalid float value: 'four' (--help says more).",
        ),
        (
            ["mark", LAB, "ada", "written_masking", "4"],
            f"'ada' has no graded submission of {LAB}; nobody has, so far.",
        ),
    ],
)
def test_commands_that_cannot_be_run_say_why(course, capsys, words, sentence):
    assert says(capsys, *words) == sentence + "\n"


def test_mark_takes_no_points_that_the_answer_is_not_worth_and_no_cell_that_is_not_written(course, capsys):
    with open_gradebook(course) as gradebook:
        gradebook.add_student("ada")
        gradebook.add_submission(LAB, "ada")
    for points in ("4.5", "-1", "nan"):
        sentence = f"written_masking is worth 0 to 4 points, so {points} won't do.\n"
        assert says(capsys, "mark", LAB, "ada", "written_masking", "--", points) == sentence
    sentence = f"{LAB} has no written answer called 'test_length_mask'; it has: written_masking.\n"
    assert says(capsys, "mark", LAB, "ada", "test_length_mask", "3") == sentence
    sentence = f"'bela' has no graded submission of {LAB}; the students who have are: ada.\n"
    assert says(capsys, "mark", LAB, "bela", "written_masking", "3") == sentence
    assert scores(course, "ada")["written_masking"] == 0


def test_the_commands_that_are_offered_work_without_an_activated_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.executable", str(tmp_path / ".venv" / "bin" / "python"))
    assert command("grading", "mark", LAB, "Ada L.") == f".venv/bin/python -m grading mark {LAB} 'Ada L.'"
    monkeypatch.setattr("sys.executable", "/elsewhere/bin/python")
    assert command("nbgrader", "export") == "python -m nbgrader export"
