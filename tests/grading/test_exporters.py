"""The files for Canvas and Moodle, read as their importers read them."""

import csv
import io
from datetime import datetime, timedelta

import pytest
from traitlets.config import Config

from grading.exporters import CanvasExporter, MoodleExporter, SpreadsheetExporter
from grading.recording import content, note_content
from tests.grading.classroom import LAB, graded, open_gradebook, run

FULL = {"test_length_mask": 3, "test_masked_softmax": 4, "test_masked_softmax_hidden": 4, "test_breaking_input": 3}
FULL |= {"test_masked_mean": 2, "written_masking": 4}
CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,{lab} (4711),Quiz (4712),Current Score
,,,,,Manual Posting,,
    Points Possible,,,,,{points},10,(read only)
"Lovelace, Ada",101,s-ada,ada,Monday,,7.50,75
"Lugosi, Béla",102,s-bela,bela@example.org,"Monday and Tuesday",12,,
"Chen, 陳",103,s-chen,chen,Monday,5,3,30
"""


def exported(course, exporter, **settings):
    """The rows of the file that the exporter writes."""
    path = course / "exported.csv"
    with open_gradebook(course) as gradebook:
        exporter(to=str(path), config=Config(), **settings).export(gradebook)
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))


def by_student(rows, column, identified_by):
    """A column's cells, by what identifies the student."""
    header = rows[0]
    return {row[header.index(identified_by)]: row[header.index(column)] for row in rows[1:]}


def roster(course, points="20", text=CANVAS, encoding="utf-8"):
    """A file as Canvas exports it."""
    path = course / "from-canvas.csv"
    path.write_bytes(text.format(lab=LAB, points=points).encode(encoding))
    return str(path)


def told(course, **data):
    """Tell nbgrader's gradebook of a student what `nbgrader db student import` would."""
    with open_gradebook(course) as gradebook:
        gradebook.update_or_create_student(data.pop("id"), **data)


def test_a_new_canvas_file_has_canvas_columns_the_points_and_a_row_a_student(course):
    told(course, id="ada", first_name="Ada", last_name="Lovelace", lms_user_id="101")
    told(course, id="chen", first_name="陳", last_name='Chen, "jr."', lms_user_id="s-chen")
    graded(course, "ada", FULL)
    graded(course, "bela", FULL | {"test_breaking_input": 0.5})
    graded(course, "chen", {})
    assert exported(course, CanvasExporter) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", LAB],
        ["    Points Possible", "", "", "", "", "20"],
        ["Lovelace, Ada", "101", "", "ada", "", "20"],
        ["bela", "", "", "bela", "", "17.5"],
        ['Chen, "jr.", 陳', "", "s-chen", "chen", "", "0"],
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_from_canvas_is_filled_in_and_otherwise_stays_as_it_was(course, encoding):
    told(course, id="student-7", lms_user_id="103")
    graded(course, "ada", FULL)
    graded(course, "student-7", FULL | {"written_masking": 0.25})
    file = roster(course, encoding=encoding)
    before = list(csv.reader(io.StringIO(CANVAS.format(lab=LAB, points="20"))))
    after = exported(course, CanvasExporter, roster=file)
    assert after[0][0].removeprefix("\ufeff") == "Student" and after[0][1:] == before[0][1:]
    assert after[1:3] == before[1:3]
    assert after[3] == [*before[3][:5], "20", *before[3][6:]]
    assert after[4] == before[4]  # handed nothing in: what Canvas has of him stays
    assert after[5] == [*before[5][:5], "16.25", *before[5][6:]]


def test_a_student_is_found_by_any_of_canvas_ids_whatever_the_case_and_strangers_are_named(course, caplog):
    for student in ("S-ADA", "bela@example.org", "nobody"):
        graded(course, student, FULL)
    rows = exported(course, CanvasExporter, roster=roster(course))
    assert [row[5] for row in rows[3:]] == ["20", "20", "5"]
    assert "doesn't know, so that their marks are left out: nobody." in caplog.text


def test_semicolons_and_decimal_commas_of_a_european_canvas_are_kept(course):
    graded(course, "ada", FULL)
    text = CANVAS.replace(", ", "~").replace(",", ";").replace("~", ", ")
    exported(course, CanvasExporter, roster=roster(course, points='"20,00"', text=text))
    lines = (course / "exported.csv").read_text(encoding="utf-8").splitlines()
    assert lines[3] == "Lovelace, Ada;101;s-ada;ada;Monday;20;7.50;75"


@pytest.mark.parametrize(
    ("text", "points", "sentence"),
    [
        (CANVAS, "100", f"{LAB} is worth 20 points, and 100 in FILE: change it in Canvas, and export the file again."),
        (CANVAS.replace("{lab}", "Lab 1"), "20", f"FILE has no assignment called {LAB}: in Canvas, give it the lab's"),
        (CANVAS.replace("103,s-chen", "ada,s-chen"), "20", "In FILE more than one student has the id 'ada'."),
        ("name,mark\nada,3\n", "", "FILE isn't a gradebook file of Canvas: it has no columns ID and Section."),
        ("", "", "FILE isn't a gradebook file of Canvas"),
    ],
)
def test_a_file_from_canvas_that_does_not_fit_gets_a_sentence_and_nothing_is_written(course, text, points, sentence):
    graded(course, "ada", FULL)
    file = roster(course, points, text)
    with pytest.raises(SystemExit) as refused:
        exported(course, CanvasExporter, roster=file)
    assert str(refused.value).startswith(sentence.replace("FILE", file))
    assert not (course / "exported.csv").exists()


def test_two_folders_of_one_person_in_canvas_are_not_both_exported(course):
    told(course, id="ada-again", lms_user_id="101")
    graded(course, "ada", FULL)
    graded(course, "ada-again", {})
    with pytest.raises(SystemExit, match="'ada-again' and another student are the same person"):
        exported(course, CanvasExporter, roster=roster(course))


def test_a_moodle_file_has_marks_and_comments_and_identifies_only_by_what_everyone_has(course):
    told(course, id="ada", first_name="Ada", last_name="Lovelace", email="ada@example.org", lms_user_id="9001")
    told(course, id="bela", email="bela@example.org")
    for student in ("ada", "bela"):
        graded(course, student, FULL)
    with open_gradebook(course) as gradebook:
        gradebook.find_comment("written_masking", LAB, LAB, "bela").manual_comment = "Well said:\nyes, 1 + 1."
        gradebook.db.commit()
    assert exported(course, MoodleExporter) == [
        ["First name", "Last name", "Username", "Email address", LAB, f"{LAB} (Feedback)"],
        ["Ada", "Lovelace", "ada", "ada@example.org", "20", ""],
        ["", "", "bela", "bela@example.org", "20", "written_masking: Well said: yes, 1 + 1."],
    ]


def second_lab(course):
    """Another lab in the gradebook."""
    with open_gradebook(course) as gradebook:
        gradebook.add_assignment("lab99")
        gradebook.add_notebook("lab99", "lab99")
        gradebook.add_grade_cell("test_all", "lab99", "lab99", max_score=5, cell_type="code")


def has_in_second_lab(course, student, points):
    with open_gradebook(course) as gradebook:
        gradebook.update_or_create_student(student)
        submission = gradebook.add_submission("lab99", student)
        folder = course / "classroom" / "submitted" / student / "lab99"
        folder.mkdir(parents=True)
        (folder / "lab99.ipynb").write_text("{}")
        note_content(gradebook, "lab99", student, content(folder, "lab99"))
        submission.notebooks[0].grades[0].auto_score = points
        submission.notebooks[0].grades[0].needs_manual_grade = False
        gradebook.db.commit()


@pytest.mark.parametrize(
    ("exporter", "identified_by", "nothing"), [(CanvasExporter, "SIS Login ID", ""), (MoodleExporter, "Username", "-")]
)
def test_what_was_not_handed_in_or_not_graded_has_no_mark_rather_than_0(course, exporter, identified_by, nothing):
    graded(course, "ada", FULL)
    second_lab(course)
    told(course, id="absent")
    assert LAB in exported(course, exporter)[0] and "lab99" not in exported(course, exporter)[0]
    has_in_second_lab(course, "bela", 0)
    has_in_second_lab(course, "broken-off", None)
    rows = exported(course, exporter)
    marks = by_student(rows, LAB, identified_by)
    assert marks | {"": None} == {"": None, "ada": "20", "bela": nothing}  # "": Canvas's row of points
    assert by_student(rows, "lab99", identified_by) | {"": None} == {"": None, "ada": nothing, "bela": "0"}


@pytest.mark.parametrize(
    ("exporter", "identified_by"), [(CanvasExporter, "SIS Login ID"), (MoodleExporter, "Username")]
)
def test_a_late_penalty_is_taken_off_and_nobody_falls_below_0(course, exporter, identified_by):
    graded(course, "ada", FULL)
    graded(course, "bela", {"test_length_mask": 3})
    with open_gradebook(course) as gradebook:
        for student in ("ada", "bela"):
            submission = gradebook.find_submission(LAB, student)
            submission.timestamp = datetime(2026, 1, 1) + timedelta(days=5)
            submission.notebooks[0].late_submission_penalty = 4
        gradebook.db.commit()
    marks = by_student(exported(course, exporter), LAB, identified_by)
    assert (marks["ada"], marks["bela"]) == ("16", "0")


@pytest.mark.parametrize("exporter", [CanvasExporter, MoodleExporter])
def test_written_answers_that_wait_are_told_with_whose_they_are(course, exporter, caplog):
    graded(course, "ada", FULL)
    graded(course, "bela", FULL | {"written_masking": None})
    exported(course, exporter)
    assert f"In {LAB} the written answer written_masking waits for a person" in caplog.text
    assert "so that these marks aren't final: bela.\n" in caplog.text


@pytest.mark.parametrize("exporter", [CanvasExporter, MoodleExporter])
@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\t"])
def test_a_name_never_starts_a_formula(course, exporter, start):
    told(course, id="ada", last_name=f"{start}HYPERLINK(1)", first_name=f"{start}cmd|' /C calc'!A0")
    graded(course, "ada", FULL)
    graded(course, f"{start.strip() or '='}1+2", FULL)
    cells = [cell for row in exported(course, exporter) for cell in row]
    assert sum("HYPERLINK" in cell for cell in cells) == 1 and any("1+2" in cell for cell in cells)
    assert [cell for cell in cells if cell != "-" and cell.lstrip().startswith(("=", "+", "-", "@"))] == []


def test_formulas_in_a_file_from_canvas_are_made_plain_text_and_numbers_stay_numbers(course):
    graded(course, "ada", FULL)
    text = CANVAS.replace("Monday,5,3", "=1+1,-5,-")
    rows = exported(course, CanvasExporter, roster=roster(course, text=text))
    assert rows[5][4:7] == ["'=1+1", "-5", "-"]


def test_only_what_was_asked_for_is_exported(course):
    second_lab(course)
    for student in ("ada", "bela"):
        graded(course, student, FULL)
        has_in_second_lab(course, student, 5)
    rows = exported(course, MoodleExporter, assignment=["lab99"], student=["bela"])
    assert rows == [["First name", "Last name", "Username", "lab99", "lab99 (Feedback)"], ["", "", "bela", "5", ""]]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"assignment": ["lab42"]}, "The gradebook knows no lab called 'lab42'."),
        ({"student": ["zaphod"]}, "The gradebook knows no student called 'zaphod'."),
        ({}, "Nothing that was asked for has been graded, so far: there is nothing to export."),
    ],
)
def test_nothing_to_export_gets_a_sentence(course, settings, sentence):
    with pytest.raises(SystemExit) as refused:
        exported(course, CanvasExporter, **settings)
    assert str(refused.value) == sentence


@pytest.mark.slow
def test_nbgrader_exports_with_them_and_a_path_that_cannot_be_written_gets_a_sentence(course):
    graded(course, "ada", FULL)
    settings = [f"--exporter=grading.exporters.{CanvasExporter.__name__}", f"--CanvasExporter.roster={roster(course)}"]
    done = run(course, "nbgrader", "export", *settings, "--to", "canvas.csv", "--assignment", LAB)
    assert done.returncode == 0, done.stderr
    assert "Lovelace, Ada" in (course / "canvas.csv").read_text(encoding="utf-8")
    done = run(course, "nbgrader", "export", *settings, "--to", "no/such/folder.csv")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "no/such/folder.csv can't be written: No such file or directory."


def test_the_spreadsheet_has_a_row_a_student_and_no_mark_where_there_is_none(course):
    told(course, id="ada", first_name='Jane "J.", jr.', last_name="Doe, Lovelace")
    told(course, id="never")
    graded(course, "ada", FULL | {"written_masking": None})
    graded(course, "zero", {})
    rows = exported(course, SpreadsheetExporter)
    assert {len(row) for row in rows} == {len(rows[0])}
    assert by_student(rows, "last_name", "student_id")["ada"] == "Doe, Lovelace"
    assert by_student(rows, "score", "student_id") == {"ada": "16", "never": "", "zero": "0"}
    assert by_student(rows, "to_mark", "student_id") == {"ada": "1", "never": "", "zero": "0"}
    assert by_student(rows, "remark", "student_id")["never"] == "nothing was graded"


def test_the_spreadsheet_says_how_late_each_is(course):
    graded(course, "ada", FULL)
    with open_gradebook(course) as gradebook:
        gradebook.find_assignment(LAB).duedate = datetime(2026, 11, 5, 12)
        gradebook.find_submission(LAB, "ada").timestamp = datetime(2026, 11, 5, 16)
        gradebook.db.commit()
    assert by_student(exported(course, SpreadsheetExporter), "hours_late", "student_id") == {"ada": "4"}


@pytest.mark.slow
def test_the_spreadsheet_is_what_nbgrader_exports_by_itself(course):
    graded(course, "ada", FULL)
    done = run(course, "nbgrader", "export", "--to", "grades.csv")
    assert done.returncode == 0, done.stderr
    assert (course / "grades.csv").read_text().startswith("assignment,duedate,timestamp,student_id,")
