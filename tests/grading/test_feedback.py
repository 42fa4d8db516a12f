"""`python -m grading feedback`: a page for each student, with every verdict and without what students mustn't see."""

import re
from html import unescape

import nbformat
import pytest
from nbformat.v4 import new_output

from grading.__main__ import main
from tests.grading.classroom import LAB, filled_in, graded, hand_in

MESSAGE = "wrong weights for valid_lens = tensor([6, 0, 4, 1])"
VERDICT = new_output("error", ename="AssertionError", evalue=MESSAGE, traceback=[f"AssertionError: {MESSAGE}"])


def page(course, student):
    return course / "classroom" / "feedback" / student / LAB / f"{LAB}.html"


def words(path):
    """What a page says: its text without the tags, all white space alike."""
    text = re.sub(r"<(style|script)\b.*?</\1>", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return "".join(unescape(re.sub(r"<[^>]+>", "", text)).split())


def secrets(course):
    """The lines of the solution that no student may see: hidden tests and rubrics."""
    solution = nbformat.read(course / "solutions" / LAB / f"{LAB}.ipynb", as_version=4)
    region = r"### BEGIN (?:HIDDEN TESTS|MARK SCHEME)\n(.*?)### END"
    regions = [found for cell in solution.cells for found in re.findall(region, cell.source, re.DOTALL)]
    lines = [re.sub(r"[\s*]", "", line) for each in regions for line in each.splitlines()]
    return [line for line in lines if len(line) > 25]


def test_a_page_has_the_hidden_verdict_and_message_but_neither_its_code_nor_the_rubric(course):
    graded(course, "ada", {"test_length_mask": 3}, {"test_masked_softmax_hidden": [VERDICT]})
    assert main(["feedback", LAB]) == 0
    said = words(page(course, "ada"))
    assert "".join(MESSAGE.split()) in said
    assert "Score:3.0/20.0" in said
    assert ".rendered_html summary { display: list-item" in page(course, "ada").read_text(encoding="utf-8")
    assert "test_masked_softmax_hiddenScore:0.0/4.0" in said
    assert said.index("Exercise1·length_mask3of3Exercise2·masked_softmax0of8") < said.index("Inthislabyouwrite")
    hidden = secrets(course)
    assert len(hidden) > 20 and any("hidden_reference" in line for line in hidden)
    assert [line for line in hidden if line in said.replace("*", "")] == []


def test_a_written_answer_without_a_mark_is_said_to_wait_and_one_with_a_mark_shows_the_comment(course, capsys):
    graded(course, "ada", {"written_masking": None})
    graded(course, "bela", {"written_masking": None})
    assert main(["mark", LAB, "bela", "written_masking", "3", "--comment", "Two keys in ten: yes."]) == 0
    capsys.readouterr()
    assert main(["feedback", LAB]) == 0
    printed = capsys.readouterr().out
    assert f"Pages written: 2, classroom/feedback/STUDENT/{LAB}/{LAB}.html\n" in printed
    assert "Written answers still to mark: 1, and said to be." in printed
    assert "Notmarkedyet." in words(page(course, "ada")) and "notmarkedyet:4" in words(page(course, "ada"))
    assert 'a[name="written_masking"] ~ .panel-heading .pull-right { display: none }' in page(course, "ada").read_text()
    said = words(page(course, "bela"))
    assert "notmarkedyet" not in said.lower() and "Twokeysinten:yes." in said and "Score:3.0/4.0" in said


def test_one_student_can_be_asked_for_alone(course, capsys):
    graded(course, "ada", {})
    graded(course, "bela", {})
    assert main(["feedback", LAB, "--student", "bela"]) == 0
    assert f"Pages written: 1, classroom/feedback/bela/{LAB}/{LAB}.html\n" in capsys.readouterr().out
    assert page(course, "bela").is_file() and not page(course, "ada").exists()


def test_who_has_no_page_is_told_why_and_stops_nobody(course, capsys):
    graded(course, "ada", {}).unlink()
    graded(course, "bela", {})
    hand_in(course, "chen", filled_in({}))
    assert main(["feedback", LAB]) == 1
    printed = capsys.readouterr()
    assert "Pages written: 1" in printed.out and page(course, "bela").is_file()
    first, second = printed.err.splitlines()
    assert first.startswith("ada has no page: nbgrader gave up on it: No notebooks were matched")
    assert second == "chen has no page: the submission was not graded."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lab99"], f"There is no lab called 'lab99'; the labs are: {LAB}.\n"),
        ([], f"Which lab? Give its name, one of: {LAB} (make grade LAB=...).\n"),
        ([LAB], f"Nothing has been graded of {LAB}, so far: python -m grading autograde {LAB}\n"),
    ],
)
def test_a_lab_that_is_unknown_or_not_graded_gets_a_sentence(course, capsys, monkeypatch, arguments, sentence):
    monkeypatch.setattr("sys.executable", "/elsewhere/bin/python")
    assert main(["feedback", *arguments]) == 2
    assert capsys.readouterr() == ("", sentence)


def test_an_unknown_student_is_answered_with_those_who_have_marks(course, capsys):
    graded(course, "ada", {})
    assert main(["feedback", LAB, "--student", "bela"]) == 2
    sentence = f"'bela' has no graded submission of {LAB}; the students who have are: ada.\n"
    assert capsys.readouterr() == ("", sentence)
