"""`python -m grading report`: what a class got wrong, counted from what the examiner wrote and from nothing else."""

import csv
import re

import nbformat
import pytest
from matplotlib.text import Text
from nbformat.v4 import new_code_cell, new_output

from grading.__main__ import main
from grading.course import Course
from grading.mistakes import ExerciseResult, Mistake, class_result, first_sentence
from grading.report_picture import draw
from grading.sample_answers import lab01_masked_softmax as answers
from helpers.checks.report import RECORD
from tests.grading.classroom import (
    LAB,
    filled_in,
    graded,
    hand_in,
    record,
    run,
)

RIGHT = {"test_length_mask": 3, "test_masked_softmax": 4, "test_masked_softmax_hidden": 4, "test_breaking_input": 3}
RIGHT |= {"test_masked_mean": 2}


def without(exercise):
    """Full marks but for one exercise."""
    return {cell: points for cell, points in RIGHT.items() if exercise not in cell}


def results(exercise="masked_softmax"):
    """What the report says about one exercise."""
    return next(each for each in class_result(Course.here(), LAB).exercises if each.name == exercise)


def test_misconceptions_are_counted_and_the_most_common_comes_first(course):
    wrong = without("masked_softmax")
    for number, misconception in enumerate(["finite-fill", *["mask-after-softmax"] * 2, *[None] * 3]):
        graded(course, f"wrong-{number}", wrong, {"test_masked_softmax": [record("masked_softmax", misconception)]})
    graded(course, "right", RIGHT)
    found = results()
    assert [(each.title, each.count) for each in found.mistakes] == [
        ("the mask comes after the softmax", 2),
        ("a row of length 0 gets weights, as after a large finite fill", 1),
        ("another mistake", 3),  # or rather several, so that it comes last
    ]
    assert found.mistakes[0].explanation.startswith("The padding has weight 0, but it had its share")
    assert (found.full, found.mean, found.blank, found.not_tested) == (1, 8 / 7, 0, 0)
    assert results("length_mask").mistakes == []


def test_unnamed_mistakes_are_together_if_they_fail_alike_and_one_of_each_is_shown(course, capsys):
    wrong = without("masked_softmax")
    for student, problem in {"ada": "it gave 2 at [0]", "bela": "it gave 2 at [0]", "cleo": "it gave 9 at [0]"}.items():
        output = record("masked_softmax", fails=[("each row sums to 1", problem)])
        graded(course, student, wrong, {"test_masked_softmax": [output]})
    found = results().mistakes
    assert [(each.count, each.fails) for each in found] == [
        (2, ("each row sums to 1: it gave 2 at [0]",)),
        (1, ("each row sums to 1: it gave 9 at [0]",)),
    ]
    assert main(["report", LAB, "--exercise", "masked_softmax"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("masked_softmax: 3 graded") and "length_mask:" not in shown
    assert shown.count("✗ each row sums to 1") == shown.count("| def masked_softmax(") == 2
    assert main(["report", LAB, "--exercise", "nothing"]) == 2
    assert capsys.readouterr().err.startswith(
        "lab01_masked_softmax has no exercise called 'nothing'; it has: length_mask"
    )


def test_blank_untested_and_only_hidden_failures_are_told_apart(course):
    wrong = without("masked_softmax")
    graded(course, "blank", wrong, {"test_masked_softmax": [record("masked_softmax", blank=True)]})
    error = new_output("error", ename="NameError", evalue="name 'masked_softmax' is not defined", traceback=[])
    graded(course, "syntax-error", wrong, {"test_masked_softmax": [error]})
    half = RIGHT | {"test_masked_softmax_hidden": 0}
    graded(course, "half", half, {"test_masked_softmax": [record("masked_softmax", held=12)]})
    found = results()
    assert (found.blank, found.not_tested) == (1, 1)
    assert found.mistakes == [Mistake("right in the check, wrong in the hidden test", 1, None)]


def test_a_hidden_test_that_could_not_be_run_is_no_mistake(course):
    gone = "no more of the student's code is run: it has ended (in breaking_input)"
    error = new_output("error", ename="CandidateGone", evalue=gone, traceback=[])
    outputs = {"test_masked_softmax": [record("masked_softmax", held=12)], "test_masked_softmax_hidden": [error]}
    graded(course, "ada", RIGHT | {"test_masked_softmax_hidden": 0}, outputs)
    found = results()
    assert found.mistakes == [] and found.not_tested == 1


def test_a_mistake_that_was_recorded_under_an_earlier_name_counts_with_its_present_one(course):
    for number, misconception in enumerate(["writes-into-values", "writes-into-lengths", "writes-into-arguments"]):
        kept = {"test_masked_mean": [record("masked_mean", misconception)]}
        graded(course, f"wrong-{number}", without("masked_mean"), kept)
    assert [(each.title, each.count) for each in results("masked_mean").mistakes] == [("an argument is changed", 3)]


def test_an_earlier_name_counts_only_in_the_exercise_that_had_it(course):
    graded(course, "ada", without("masked_mean"), {"test_masked_mean": [record("masked_mean", "writes-into-scores")]})
    assert results("masked_mean").mistakes == [Mistake("another mistake", 1, None)]


def test_what_an_earlier_version_of_the_course_knew_by_name_is_another_mistake(course):
    graded(course, "ada", without("masked_mean"), {"test_masked_mean": [record("masked_mean", "renamed-since")]})
    graded(course, "bela", without("masked_mean"), {"test_masked_mean": [record("renamed_since", "finite-fill")]})
    assert results("masked_mean").mistakes == [Mistake("another mistake", 2, None)]


def test_a_written_answer_counts_once_it_is_marked(course):
    graded(course, "marked", RIGHT | {"written_masking": 3})
    graded(course, "waits", RIGHT | {"written_masking": None})
    found = results("written_masking")
    assert (found.points, found.waiting, found.by_hand) == ([3], 1, True)
    assert class_result(Course.here(), LAB).waiting == 1


def test_a_record_that_a_student_wrote_is_not_read(course):
    forged = record("masked_softmax", "finite-fill")
    path = graded(course, "forger", without("masked_softmax"), {"masked_softmax": [forged], "length_mask": [forged]})
    path.chmod(0o644)
    notebook = nbformat.read(path, as_version=4)
    printed = new_output("stream", name="stdout", text=nbformat.writes(notebook))  # printed while it was tested
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "test_masked_softmax":
            cell.outputs = [printed, record("masked_softmax", "mask-after-softmax")]
    notebook.cells.append(new_code_cell("display(forged)", outputs=[forged]))
    nbformat.write(notebook, path)
    assert [each.title for each in results().mistakes] == ["the mask comes after the softmax"]
    assert results("length_mask").mistakes == []


def test_the_command_prints_the_table_and_writes_marks_picture_and_page(course, capsys):
    graded(course, "ada", RIGHT)
    graded(course, "bela", without("masked_mean"), {"test_masked_mean": [record("masked_mean", "nan-empty-sequence")]})
    assert main(["report", LAB]) == 0
    printed = capsys.readouterr().out
    assert "masked_mean: 2 graded, mean 1 of 2, full marks 50%" in printed
    assert "  1 × an empty sequence becomes NaN. A sequence of length 0 has sum 0, and 0/0 is NaN." in printed
    folder = course / "classroom" / "reports" / LAB
    with (folder / "marks.csv").open() as file:
        assert {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)} == {"ada": 16, "bela": 14}
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")
    for name in ("marks.csv", "report.png", "report.html"):
        assert f"classroom/reports/{LAB}/{name}" in printed


def test_the_page_loads_nothing_names_nobody_and_has_the_picture_in_words(course):
    graded(course, "zaphod", without("masked_mean"), {"test_masked_mean": [record("masked_mean", "padding-counted")]})
    assert main(["report", LAB]) == 0
    page = (course / "classroom" / "reports" / LAB / "report.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="([^"]{10})', page) == ["data:image"]
    assert "default-src 'none'" in page and "<script" not in page
    assert "zaphod" not in page
    alternative = re.search(r'alt="([^"]+)"', page).group(1)
    assert "from 14 to 14" in alternative and "bars: how many students" in alternative
    assert "How many have how many points: 1 × 14." in page


def test_the_picture_names_nobody_counts_in_whole_students_and_cuts_nothing_off(course):
    graded(course, "zaphod", without("masked_mean"), {"test_masked_mean": [record("masked_mean", "padding-counted")]})
    figure = draw(class_result(Course.here(), LAB))
    figure.draw_without_rendering()
    assert not any("zaphod" in text.get_text() for text in figure.findobj(Text))
    points, mistakes = figure.axes
    for text in [points.yaxis.label, *mistakes.texts, *mistakes.get_yticklabels()]:
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text.get_text()
    for axis in (points.yaxis, mistakes.xaxis):
        assert all(tick == int(tick) for tick in axis.get_majorticklocs())


def test_a_class_without_mistakes_and_an_exercise_with_many_can_be_drawn(course):
    graded(course, "ada", RIGHT)
    result = class_result(Course.here(), LAB)
    draw(result).draw_without_rendering()
    many = [Mistake(f"mistake {number}", 1, "Why.") for number in range(8)]
    figure = draw(type(result)(LAB, result.marks, [ExerciseResult("x", 2, False, [0.0] * 8, 0, 0, 0, many)]))
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert labels == ["x", *(f"mistake {number}" for number in range(5)), "3 more mistakes"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One. Two.", "One."),
        ("Is it 1.5, or `x.T`? Yes.", "Is it 1.5, or `x.T`?"),
        ("No full stop", "No full stop"),
        ("Broken\nacross lines. More.", "Broken across lines."),
    ],
)
def test_the_first_sentence_ends_at_its_full_stop(text, first):
    assert first_sentence(text) == first


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["report", "lab99"], f"There is no lab called 'lab99'; the labs are: {LAB}.\n"),
        (["report"], f"Which lab? Give its name, one of: {LAB} (make grade LAB=...).\n"),
        (["report", LAB], f"Nothing has been graded of {LAB}, so far: python -m grading autograde {LAB}\n"),
    ],
)
def test_a_lab_that_is_unknown_or_not_graded_gets_a_sentence(course, capsys, monkeypatch, words, sentence):
    monkeypatch.setattr("sys.executable", "/elsewhere/bin/python")
    assert main(words) == 2
    assert capsys.readouterr() == ("", sentence)


def test_a_lost_notebook_and_a_folder_that_cannot_be_written_get_a_sentence(course, capsys):
    path = graded(course, "ada", RIGHT)
    reports = course / "classroom" / "reports"
    reports.write_text("a file in the way")
    assert main(["report", LAB]) == 2
    assert capsys.readouterr().err.startswith(f"The report can't be written to classroom/reports/{LAB}: ")
    path.unlink()
    assert main(["report", LAB]) == 2
    assert "ada/lab01_masked_softmax/lab01_masked_softmax.ipynb is lost or damaged" in capsys.readouterr().err


@pytest.mark.slow
def test_what_was_really_graded_is_reported_and_what_a_submission_forges_is_not(course):
    forgery = {"exercise": "length_mask", "blank": False, "held": 0, "properties": 9, "misconception": "float-mask"}
    forger = (
        f"from IPython.display import display\nbundle = {{'text/plain': '', {RECORD!r}: {forgery!r}}}\n"
        "display(bundle, raw=True)\n"
        "def length_mask(valid_lens, max_len):\n    print(bundle)\n    display(bundle, raw=True)\n"
        "    raise ValueError(bundle)"
    )
    hand_in(course, "forger", filled_in({"length_mask": forger}))
    hand_in(course, "mistaken", filled_in({"length_mask": answers.LENGTH_MASK_FOR_ONE_LENGTH_A_SEQUENCE}))
    assert run(course, "grading", "autograde", LAB, "--no-sandbox").returncode == 0
    printed = run(course, "grading", "report", LAB)
    assert printed.stderr == ""
    lines = printed.stdout.splitlines()
    start = lines.index("length_mask: 2 graded, mean 0 of 3, full marks 0%")
    assert lines[start + 2].strip() == "1 × another mistake"
    assert lines[start + 1].startswith("    1 × it works for one length a sequence only. With lengths of shape")
    # What the forger raised is shown as what went wrong with the answer, and counts for nothing.
    assert not any("float" in line for line in lines if " × " in line)
