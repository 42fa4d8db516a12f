"""Pictures beside the notebook that a written answer names are the answer's own where it is marked and given back."""

import base64

import nbformat
import pytest

from grading.__main__ import main
from grading.pictures_beside import take_in_pictures
from tests.grading.classroom import LAB, filled_in, hand_in, open_gradebook
from tests.grading.test_feedback import page

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture
def answer(tmp_path):
    """Has a folder's picture taken in by a written answer: the answer's cell."""
    (tmp_path / "plots").mkdir()
    for name in ("a.png", "plots/my plot.png"):
        (tmp_path / name).write_bytes(PNG)
    (tmp_path / "fake.png").write_text("text")
    (tmp_path.parent / "others.png").write_bytes(PNG)

    def take_in(text):
        notebook = nbformat.reads(filled_in({"written_masking": text}), as_version=4)
        take_in_pictures(notebook, tmp_path)
        source = notebook.cells
        once = [cell.source for cell in source]
        assert [cell.source for cell in take_in_pictures(notebook, tmp_path).cells] == once
        return next(cell for cell in source if cell.metadata.get("nbgrader", {}).get("grade_id") == "written_masking")

    return take_in


@pytest.mark.parametrize(
    "typed",
    [
        "![it](a.png)",
        "![it](./a.png)",
        '![it](<a.png> "title")',
        "![it](plots/my%20plot.png)",
        "![it](plots/my plot.png)",
    ],
)
def test_a_picture_beside_the_notebook_is_taken_in(answer, typed):
    cell = answer(f"See {typed}, it shows.")
    assert cell.source == "See ![it](attachment:beside-1.png), it shows."
    assert cell.attachments == {"beside-1.png": {"image/png": base64.b64encode(PNG).decode()}}


def test_so_is_one_in_a_tag(answer):
    cell = answer('<img src="a.png" width="300">\n\n<img src="a.png"/>')
    assert cell.source == "![a.png](attachment:beside-1.png)\n\n![a.png](attachment:beside-2.png)"


@pytest.mark.parametrize(
    "name", ["none.png", "fake.png", "../others.png", "/etc/passwd", "https://a.org/a.png", "plots"]
)
def test_what_is_no_picture_of_the_students_stays_a_name(answer, name):
    cell = answer(f"![it]({name})")
    assert cell.source == f"![it]({name})" and "attachments" not in cell


def test_the_page_shows_the_picture_and_names_what_is_none(course, unexecuted):
    text = filled_in({"written_masking": "See ![it](a.png) and [these](numbers.csv)."})
    folder = hand_in(course, "ada", text).parent
    (folder / "a.png").write_bytes(PNG)
    (folder / "numbers.csv").write_text("1,2")
    assert main(["autograde", LAB, "--no-sandbox"]) == 0
    assert main(["feedback", LAB]) == 0
    html = page(course, "ada").read_text(encoding="utf-8")
    assert f"data:image/png;base64,{base64.b64encode(PNG).decode()}" in html
    assert "these (<code>numbers.csv</code>)" in html


def test_another_picture_puts_the_mark_in_question(course, unexecuted):
    folder = hand_in(course, "ada", filled_in({"written_masking": "![it](a.png)"})).parent
    (folder / "a.png").write_bytes(PNG)
    assert main(["autograde", LAB, "--no-sandbox"]) == 0
    assert main(["mark", LAB, "ada", "written_masking", "3"]) == 0
    for content, waits in ((PNG, False), (PNG + b"more", True)):
        (folder / "a.png").write_bytes(content)
        assert main(["autograde", LAB, "--no-sandbox"]) == 0
        with open_gradebook(course) as gradebook:
            assert gradebook.find_grade("written_masking", LAB, LAB, "ada").needs_manual_grade == waits
