"""What the front page takes from the course: a card for each notebook, and a report on a wrong answer."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from book.front_page import chapters, failing_report
from helpers.lab_files import ROOT, labs_of

FIRST = "# 01 · A notebook\n\n**Time:** 25 minutes.\n\n**The question: why $\\sqrt d$?**"
PICTURE = new_output("display_data", {"image/png": "AAAA"}, metadata={"image/png": {"alt": "a line"}})


def write(folder, first=FIRST, tags=("thumbnail",)):
    cells = [new_markdown_cell(first), new_code_cell("show()", metadata={"tags": list(tags)}, outputs=[PICTURE])]
    (folder / "notebooks").mkdir()
    nbformat.write(new_notebook(cells=cells), folder / "notebooks" / "01_a_notebook.ipynb")


def test_every_notebook_has_a_card_and_every_lab_is_on_one():
    course = chapters(ROOT)
    assert [chapter.page for chapter in course] == [
        f"notebooks/{path.stem}" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    ]
    assert [chapter.lab for chapter in course if chapter.lab] == [f"labs/{lab}/{lab}" for lab in labs_of(ROOT)]
    assert all(chapter.question.endswith("?") and chapter.alternative for chapter in course)


def test_a_card_says_the_question_the_minutes_and_the_picture_of_the_notebook(tmp_path):
    write(tmp_path)
    (chapter,) = chapters(tmp_path)
    assert (chapter.title, chapter.question, chapter.minutes) == ("01 · A notebook", "Why √d?", 25)
    assert (chapter.picture, chapter.alternative, chapter.lab) == (b"\x00\x00\x00", "a line", None)


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"first": FIRST.replace("Time", "Length")}, "Time"),
        ({"first": FIRST.replace("The question", "Something")}, "The question"),
        ({"tags": ()}, "thumbnail"),
    ],
    ids=["no minutes", "no question", "no picture"],
)
def test_a_notebook_that_lacks_something_for_its_card_is_named(tmp_path, change, missing):
    write(tmp_path, **change)
    with pytest.raises(ValueError, match=rf"01_a_notebook\.ipynb.*{missing}"):
        chapters(tmp_path)


def test_the_report_is_the_checks_own_and_names_the_mistake():
    assert "softmax runs over the queries" in failing_report()
