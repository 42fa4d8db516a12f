"""`python -m grading collect`: an LMS's download goes where submissions belong, and every file of it is named."""

import zipfile

import nbformat
import pytest

from grading.__main__ import main
from tests.grading.classroom import LAB, filled_in, open_gradebook

ROSTER = """id,name,email,section,canvas
ada,"Lovelace, Ada",ada@example.org,Monday,101
bela,Béla Lugosi,b.lugosi@example.org,Monday,102
chen,"Chen, 陳",chen@example.org,Tuesday,103
"""
ANSWER = filled_in({"length_mask": "x = 1"})
LATER = filled_in({"length_mask": "x = 2"})


@pytest.fixture
def roster(course):
    path = course / "roster.csv"
    path.write_text(ROSTER, encoding="utf-8")
    return str(path)


def packed(course, **files):
    path = course / "download.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return str(path)


def submitted(course):
    """What lies in submitted/, by path."""
    place = course / "classroom" / "submitted"
    return {str(path.relative_to(place)): path.read_text() for path in place.rglob("*") if path.is_file()}


def at(student):
    return f"{student}/{LAB}/{LAB}.ipynb"


def test_canvas_names_late_marks_and_attempts_are_understood(course, roster, capsys):
    download = packed(
        course,
        **{
            f"lovelaceada_101_9001_{LAB}.ipynb": ANSWER,
            f"lovelaceada_LATE_101_9007_{LAB}-1.ipynb": LATER,
            "lugosibéla_102_9002_Untitled3.ipynb": ANSWER,
            "lugosibéla_102_9003_drawing.png": "picture",
        },
    )
    assert main(["collect", download, "--roster", roster]) == 1
    assert submitted(course) == {
        at("ada"): LATER,
        at("bela"): ANSWER,
        f"bela/{LAB}/drawing.png": "picture",
    }
    printed = capsys.readouterr()
    assert f"lovelaceada_LATE_101_9007_{LAB}-1.ipynb, late → classroom/submitted/{at('ada')}: new" in printed.out
    assert printed.err == (
        f"lovelaceada_101_9001_{LAB}.ipynb is left out: lovelaceada_LATE_101_9007_{LAB}-1.ipynb is a later attempt.\n"
    )
    assert "Of the roster, these aren't in it: chen." in printed.out


@pytest.mark.parametrize(
    "form", ["{who}_{number}_assignsubmission_file/{name}", "{who}_{number}_assignsubmission_file_{name}"]
)
def test_moodle_folders_and_names_are_understood(course, roster, form):
    download = packed(
        course,
        **{
            form.format(who="Ada Lovelace", number=71, name="my lab (final).ipynb"): ANSWER,
            form.format(who="Group A-Béla Lugosi", number=72, name=f"{LAB}.ipynb"): LATER,
        },
    )
    assert main(["collect", download, "--roster", roster]) == 0
    assert submitted(course) == {at("ada"): ANSWER, at("bela"): LATER}


def test_a_dry_run_says_the_same_and_writes_nothing(course, roster, capsys):
    download = packed(course, **{f"lovelaceada_101_9001_{LAB}.ipynb": ANSWER})
    assert main(["collect", download, "--roster", roster, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert f"→ classroom/submitted/{at('ada')}: new" in printed and "Nothing was written" in printed
    assert not (course / "classroom" / "submitted").exists()
    with open_gradebook(course) as gradebook:
        assert gradebook.students == []


def test_what_is_replaced_is_kept_and_what_is_the_same_stays(course, roster, capsys):
    for text in (ANSWER, ANSWER, LATER):
        assert main(["collect", packed(course, **{f"ada/{LAB}.ipynb": text}), "--roster", roster]) == 0
    printed = capsys.readouterr().out
    assert "there already" in printed
    assert f"replaces another, which is classroom/earlier/ada/{LAB}-1 now" in printed
    assert submitted(course) == {at("ada"): LATER}
    assert (course / "classroom" / "earlier" / "ada" / f"{LAB}-1" / f"{LAB}.ipynb").read_text() == ANSWER


def test_the_roster_gives_the_gradebook_its_names(course, roster):
    assert main(["collect", packed(course, **{f"ada/{LAB}.ipynb": ANSWER}), "--roster", roster]) == 0
    with open_gradebook(course) as gradebook:
        known = {each.id: (each.first_name, each.last_name, each.email) for each in gradebook.students}
    assert known["ada"] == ("Ada", "Lovelace", "ada@example.org")
    assert known["bela"] == ("Béla", "Lugosi", "b.lugosi@example.org")


def test_files_that_cannot_be_placed_are_named_each(course, roster, capsys):
    download = packed(
        course,
        **{
            "stranger_7_9001_lab.ipynb": ANSWER,
            "Ada Lovelace_71_assignsubmission_onlinetext/onlinetext.html": "<p>Here it is",
            "bela/essay.pdf": "%PDF",
            "chen/other.ipynb": nbformat.writes(nbformat.v4.new_notebook()),
            "__MACOSX/bela/._essay.pdf": "",
            "ada/timestamp.txt": "2020-01-01",
        },
    )
    assert main(["collect", download, "--roster", roster]) == 1
    lines = sorted(capsys.readouterr().err.splitlines())
    assert [line.split(" is left out: ")[1] for line in lines] == [
        "it is Moodle's onlinetext, and no file.",
        "a student's word is no proof of the time.",
        "it is no notebook, and which lab it belongs to isn't known.",
        "no lab can be recognised in it, nor in its name.",
        "nobody in the class is called stranger.",
    ]
    assert submitted(course) == {}


def test_without_a_roster_students_go_by_what_the_lms_calls_them(course):
    download = packed(
        course,
        **{
            f"lovelaceada_101_9001_{LAB}.ipynb": ANSWER,
            "Kim Lee_71_assignsubmission_file/lab.ipynb": ANSWER,
            "Kim Lee_72_assignsubmission_file/lab.ipynb": LATER,
        },
    )
    assert main(["collect", download]) == 0
    assert submitted(course) == {at("101"): ANSWER, at("Kim Lee 71"): ANSWER, at("Kim Lee 72"): LATER}


def test_a_zip_in_the_download_is_opened_and_a_damaged_file_goes_where_the_others_do(course, roster):
    inner = course / "inner.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("../../elsewhere/my lab.ipynb", ANSWER)
    download = packed(
        course, **{"lovelaceada_101_9001_work.zip": inner.read_bytes(), "lugosibela_102_9002_a.ipynb": ANSWER[:300]}
    )
    assert main(["collect", download, "--roster", roster]) == 0
    assert submitted(course) == {at("ada"): ANSWER, at("bela"): ANSWER[:300]}


def test_the_file_that_hand_in_writes_is_collected_from_a_folder(course, roster):
    place = course / "from-students"
    place.mkdir()
    (place / f"ada_{LAB}.ipynb").write_text(ANSWER)
    (place / f"{LAB} (1) - Lugosi, Béla.ipynb").write_text(LATER)
    assert main(["collect", str(place), "--roster", roster]) == 0
    assert submitted(course) == {at("ada"): ANSWER, at("bela"): LATER}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name\nAda\n", "has no students: it must have a column id"),
        ("id\nada\nada\n", "has the id 'ada' twice."),
        (b"id\n\xff\n", "isn't UTF-8: save it as such."),
    ],
)
def test_a_roster_that_is_none_gets_a_sentence(course, capsys, text, sentence):
    path = course / "roster.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["collect", packed(course), "--roster", str(path)]) == 2
    assert sentence in capsys.readouterr().err


def test_a_download_that_is_not_there_gets_a_sentence(course, capsys):
    assert main(["collect", "nowhere.zip"]) == 2
    assert capsys.readouterr() == ("", "There is no file or folder nowhere.zip.\n")


def test_feedback_is_packed_as_each_lms_wants_it_back_and_its_late_mark_is_told(course, roster, unexecuted, capsys):
    download = packed(
        course,
        **{
            f"lovelaceada_LATE_101_9001_{LAB}.ipynb": ANSWER,
            "Béla Lugosi_72_assignsubmission_file/my lab.ipynb": ANSWER,
            f"chen/{LAB}.ipynb": ANSWER,
        },
    )
    assert main(["collect", download, "--roster", roster]) == 0
    for student in ("ada", "bela", "chen"):
        assert main(["autograde", LAB, "--no-sandbox", "--student", student]) == 0
    assert "ada was late: its LMS says so" in capsys.readouterr().out
    assert main(["feedback", LAB]) == 0
    assert (
        f"All of them, for an upload to where they handed in: classroom/feedback/{LAB}.zip" in capsys.readouterr().out
    )
    with zipfile.ZipFile(course / "classroom" / "feedback" / f"{LAB}.zip") as archive:
        assert sorted(archive.namelist()) == [
            f"Béla Lugosi_72_assignsubmission_file/{LAB}.html",
            f"chen/{LAB}.html",
            f"lovelaceada_LATE_101_9001_{LAB}.html",
        ]
        assert b"length_mask" in archive.read(f"chen/{LAB}.html")
