"""Everything under submitted/ is accounted for: graded, or named with what to do."""

import pytest

from grading.__main__ import main
from grading.accounting import unnoticed
from grading.course import Course
from tests.grading.classroom import LAB, filled_in, hand_in

OTHER = "lab02_scaled_dot_product"
UNNOTICED = {
    f"ada/{LAB} (1).ipynb": "lies where nothing is graded; if it is this lab, it belongs at",
    "ada/lab01/x.ipynb": "isn't named as a lab is, and isn't graded; if it is this lab, it belongs at",
    "ada/Lab01_masked_softmax/x.ipynb": "isn't named as a lab is",
    "loose.ipynb": "is a file, and students have folders: ",
    "submissions.zip": "is a file, and students have folders: ",
    f"ada/{LAB}/copy/{LAB}.ipynb": f"lies beside {LAB}.ipynb, which is the one that is graded",
}
NOTICED = [f"ada/{OTHER}/x.ipynb", f"ada/{OTHER}.ipynb", "ada/lab02.ipynb", ".DS_Store", f"ada/{LAB}/data.csv"]


@pytest.fixture
def submitted(course):
    hand_in(course, "ada", filled_in({}))
    return course / "classroom" / "submitted"


def put(submitted, path):
    place = submitted / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("{}")


@pytest.mark.parametrize(("path", "reason"), UNNOTICED.items(), ids=list(UNNOTICED))
def test_what_no_grading_takes_notice_of_is_named(submitted, path, reason):
    put(submitted, path)
    (sentence,) = unnoticed(Course.here(), LAB, [LAB, OTHER])
    first = path if path.startswith(f"ada/{LAB}/") else "/".join(path.split("/")[:2])
    assert sentence.startswith(f"classroom/submitted/{first} {reason}")


@pytest.mark.parametrize("path", NOTICED)
def test_other_labs_data_and_what_systems_leave_behind_are_not(submitted, path):
    put(submitted, path)
    assert unnoticed(Course.here(), LAB, [LAB, OTHER]) == []


def test_empty_folders_are_named(submitted):
    (submitted / "bela").mkdir()
    (submitted / "ada" / "new folder").mkdir()
    first, second = unnoticed(Course.here(), LAB, [LAB])
    assert first.startswith("classroom/submitted/ada/new folder has nothing in it")
    assert second.startswith("classroom/submitted/bela is empty")


def test_a_class_of_nothing_but_misplaced_files_is_told_so(course, capsys):
    put(course / "classroom" / "submitted", f"ada/{LAB} (1).ipynb")
    assert main(["autograde", LAB, "--no-sandbox"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"classroom/submitted/ada/{LAB} (1).ipynb lies where nothing is graded")
    assert second.startswith("There is nothing to grade")


def test_a_grading_names_them_and_who_handed_in_nothing(course, capsys):
    path = hand_in(course, "ada", filled_in({}))
    path.write_text("{")  # which needs no kernel
    put(course / "classroom" / "submitted", "bela/lab01/x.ipynb")
    (course / "roster.csv").write_text("id\nada\nchen\n")
    (course / "empty").mkdir()
    assert main(["collect", "empty", "--roster", "roster.csv"]) == 0
    assert main(["autograde", LAB, "--no-sandbox"]) == 1
    printed = capsys.readouterr()
    assert "classroom/submitted/bela/lab01 isn't named as a lab is" in printed.err
    assert "Handed in nothing: chen." in printed.out
