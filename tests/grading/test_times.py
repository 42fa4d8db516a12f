"""Due dates, and how late a submission is: in the table, in the report, and on the student's page."""

from datetime import datetime, timedelta

import pytest

from grading.__main__ import main
from grading.course import UserError
from grading.exporters import CanvasExporter, SpreadsheetExporter
from grading.roster import read_roster
from grading.times import Due, due_dates, read_extension, read_time
from tests.grading.classroom import LAB, filled_in, hand_in, open_gradebook
from tests.grading.test_exporters import by_student, exported


@pytest.mark.parametrize(
    "text", ["05/11/2026", "5.11.2026 12:00", "05-11-2026", "11/05/26", "soon", "2026-13-01", 60 * "9"]
)
def test_a_time_that_is_none_or_could_be_another_is_refused(text):
    with pytest.raises(ValueError):
        read_time(text)


@pytest.mark.parametrize(
    "text", ["2026-11-05 12:00", "2026-11-05 13:00 +0100", "5 Nov 2026 12:00", "2026-11-05T12:00Z"]
)
def test_times_that_cannot_be_another_are_read(text):
    assert read_time(text) == datetime(2026, 11, 5, 12)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [(f"lab,due\n{LAB},05/11/2026\n", "which of the numbers is the month"), ("a,b\n1,2\n", "columns lab and due")],
)
def test_due_dates_that_cannot_be_read_get_a_sentence(course, capsys, text, sentence):
    hand_in(course, "ada", filled_in({}))
    (course / "classroom" / "due.csv").write_text(text)
    assert main(["autograde", LAB, "--no-sandbox"]) == 2
    assert sentence in capsys.readouterr().err


def test_without_a_file_no_lab_has_a_due_date(tmp_path):
    assert due_dates(tmp_path / "due.csv", LAB, {}) == Due()


def test_who_is_late_is_told_and_a_date_that_moves_is_followed(course, unexecuted, capsys):
    stamp = hand_in(course, "ada", filled_in({})).with_name("timestamp.txt")
    stamp.write_text("2026-11-05 16:10 UTC")
    due = course / "classroom" / "due.csv"
    due.write_text(f"lab,due\n{LAB},2026-11-05 12:00\n")
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text() + 'c.LateSubmissionPlugin.penalty_method = "zero"\n')
    assert main(["autograde", LAB, "--no-sandbox"]) == 0
    assert "ada was late: 4 h 10 min" in capsys.readouterr().out
    assert penalty(course) > 0
    assert main(["report", LAB]) == 0
    assert "ada was late: 4 h 10 min" in capsys.readouterr().out
    assert main(["feedback", LAB]) == 0
    page = course / "classroom" / "feedback" / "ada" / LAB / f"{LAB}.html"
    assert "You handed this in 4 h 10 min after it was due" in page.read_text(encoding="utf-8")

    for more in ("2026-11-06 12:00\n", f"2026-11-05 12:00\n{LAB},2026-11-06 12:00,ada\n"):
        due.write_text(f"lab,due,student\n{LAB},{more}")
        capsys.readouterr()
        assert main(["autograde", LAB, "--no-sandbox"]) == 0
        assert "late" not in capsys.readouterr().out
        assert penalty(course) == 0


def penalty(course):
    with open_gradebook(course) as gradebook:
        return gradebook.find_submission(LAB, "ada").late_submission_penalty or 0


def test_a_time_that_cannot_be_read_is_told_and_the_rest_is_graded(course, unexecuted, capsys):
    stamp = hand_in(course, "ada", filled_in({})).with_name("timestamp.txt")
    for text in ("2026-11-05 16:10 UTC", "05/11/2026"):
        stamp.write_text(text)
        assert main(["autograde", LAB, "--no-sandbox"]) == 0
    assert "ada was graded, but nobody knows whether it is late: timestamp.txt says no" in capsys.readouterr().err
    with open_gradebook(course) as gradebook:
        assert gradebook.find_submission(LAB, "ada").timestamp is None


@pytest.mark.parametrize(
    ("text", "extension"),
    [
        ("3", timedelta(days=3)),
        ("1.5 days", timedelta(hours=36)),
        ("2026-11-12 12:00 UTC", datetime(2026, 11, 12, 12)),
        ("2026-11-12", datetime(2026, 11, 12, 23, 59)),
        ("", None),
    ],
)
def test_an_extension_is_a_number_of_days_or_a_date(text, extension):
    assert read_extension(text) == extension


@pytest.mark.parametrize("text", ["a week", "05/11/2026", "-3"])
def test_an_extension_that_is_neither_is_refused(text, tmp_path):
    roster = tmp_path / "roster.csv"
    roster.write_text(f"id,extension\nada,{text}\n")
    with pytest.raises(UserError, match=r"The extension of ada in .* can't be read"):
        read_roster(roster)


def test_a_date_for_one_lab_goes_before_an_extension_for_all_and_none_makes_a_lab_due_earlier():
    due = datetime(2026, 11, 5, 12)
    extensions = {"ada": timedelta(days=3), "bela": datetime(2026, 11, 6, 12), "chen": datetime(2026, 10, 1)}
    found = Due(due, {"ada": datetime(2026, 11, 7, 12)}, extensions)
    assert [found.extension(student) for student in ("ada", "bela", "chen", "dana")] == [
        timedelta(days=2),
        timedelta(days=1),
        None,
        None,
    ]
    assert Due(None, {}, extensions).extension("ada") is None


def test_the_rosters_extension_counts_and_its_section_is_shown(course, unexecuted, capsys):
    """As long as a roster doesn't say otherwise: one without the column changes nothing."""
    for student in ("ada", "bela"):
        hand_in(course, student, filled_in({})).with_name("timestamp.txt").write_text("2026-11-06 16:00 UTC")
    (course / "classroom" / "due.csv").write_text(f"lab,due\n{LAB},2026-11-05 12:00\n")
    (course / "empty").mkdir()
    roster = course / "roster.csv"
    for text, late in (
        ("id,section,extension\nada,Monday,2\nbela,Friday,\n", ["bela"]),
        ("id\nada\nbela\n", ["bela"]),
        ("id,section,extension\nada,Monday,\nbela,Friday,2026-11-06\n", ["ada"]),
    ):
        roster.write_text(text)
        main(["collect", "empty", "--roster", "roster.csv"])
        capsys.readouterr()
        assert main(["autograde", LAB, "--no-sandbox"]) == 0
        printed = capsys.readouterr().out
        assert [line.split()[0] for line in printed.splitlines() if " was late: " in line] == late
        assert [line.split()[1] for line in printed.splitlines() if line.startswith(("ada  ", "bela  "))] == [
            "Monday",
            "Friday",
        ]
    assert main(["report", LAB]) == 0
    assert "Friday" in capsys.readouterr().out
    assert by_student(exported(course, SpreadsheetExporter), "section", "student_id")["ada"] == "Monday"
    assert by_student(exported(course, CanvasExporter), "Section", "SIS Login ID")["bela"] == "Friday"
