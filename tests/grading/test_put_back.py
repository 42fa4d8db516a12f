"""What a student wrote where the lab's own text is put back, or beside the right cell, isn't lost."""

import json

import nbformat
import pytest

from grading.reading import read_bytes
from grading.rebuilding import cells_written_into, rebuilt
from helpers.own_copies import blank_lab
from tests.grading.classroom import LAB, ROOT

ANSWER = "def length_mask(valid_lens, max_len):\n    return F.relu(valid_lens)"
SOURCE = nbformat.read(ROOT / "solutions" / LAB / f"{LAB}.ipynb", as_version=4)


@pytest.fixture
def own():
    """A blank student's copy, as a file has it."""
    return json.loads(json.dumps(blank_lab(ROOT, LAB)))


def cell(notebook, name):
    return next(each for each in notebook["cells"] if each["metadata"].get("nbgrader", {}).get("grade_id") == name)


def add(notebook, after, text, kind="markdown"):
    place = notebook["cells"].index(cell(notebook, after)) + 1
    more = {"outputs": [], "execution_count": None} if kind == "code" else {}
    notebook["cells"].insert(place, {"cell_type": kind, "metadata": {}, "id": f"mine-{place}", "source": text} | more)


def submitted(own):
    return read_bytes("own", json.dumps(own).encode())


def whole(own):
    """The copy put back into shape, which stays as it is if that is done again."""
    once = rebuilt(submitted(own), SOURCE)
    again = rebuilt(once, SOURCE)
    assert [each.source for each in again.cells] == [each.source for each in once.cells]
    return once


def sources(notebook):
    return [each.source for each in notebook.cells]


def test_a_blank_copy_has_nothing_added(own):
    assert len(whole(own).cells) == len(SOURCE.cells)
    assert cells_written_into(submitted(own), SOURCE) == []


def test_imports_written_into_the_courses_cell_are_run_after_it(own):
    imports = cell(own, "imports")
    imports["source"] = "import torch.nn.functional as F\n" + "".join(imports["source"])
    found = whole(own)
    place = found.cells.index(cell(found, "imports"))
    assert cell(found, "imports").source == cell(SOURCE, "imports").source
    assert (found.cells[place + 1].cell_type, found.cells[place + 1].source) == (
        "code",
        "import torch.nn.functional as F",
    )
    assert cells_written_into(submitted(own), SOURCE) == []


@pytest.mark.parametrize("place", ["test_length_mask", "imports", "picture"])
def test_an_answer_in_a_cell_of_the_courses_counts_if_its_own_is_blank(own, place):
    cell(own, place)["source"] = ANSWER + "\n" + "".join(cell(own, place)["source"])
    assert cell(whole(own), "length_mask").source == ANSWER
    assert cell(whole(own), place).source == cell(SOURCE, place).source


def test_an_answer_in_an_added_cell_counts_if_its_own_is_blank(own):
    add(own, "imports", ANSWER, kind="code")
    assert cell(whole(own), "length_mask").source == ANSWER


def test_an_answer_in_its_cell_goes_before_one_elsewhere(own):
    cell(own, "length_mask")["source"] = "def length_mask(valid_lens, max_len):\n    return 1"
    add(own, "imports", ANSWER, kind="code")
    assert cell(whole(own), "length_mask").source.endswith("return 1")


def test_what_cannot_be_told_is_shown_below_the_cell_and_said(own):
    cell(own, "test_masked_mean")["source"] = ["print(masked_mean)\n", "check(masked_mean)"]
    found = whole(own)
    below = found.cells[found.cells.index(cell(found, "test_masked_mean")) + 1]
    assert below.cell_type == "markdown" and "print(masked_mean)" in below.source
    assert cells_written_into(submitted(own), SOURCE) == ["test_masked_mean"]


def test_a_written_answer_in_the_questions_cell_is_marked(own):
    question = cell(own, "written_masking_question")
    question["source"] = "".join(question["source"]) + "\n\nBecause of the sum."
    assert "Because of the sum." in cell(whole(own), "written_masking").source


@pytest.mark.parametrize("after", ["written_masking_question", "written_masking"])
def test_a_written_answer_beside_its_cell_is_marked(own, after):
    add(own, after, "Because of the sum.")
    found = whole(own)
    assert cell(found, "written_masking").source == "Because of the sum."
    assert sources(found).count("Because of the sum.") == 1


def test_a_written_answer_in_its_cell_leaves_what_stands_beside_it(own):
    cell(own, "written_masking")["source"] = "Because."
    add(own, "written_masking", "Thank you!")
    assert cell(whole(own), "written_masking").source == "Because."
    assert "Thank you!" in sources(whole(own))


def test_the_labs_own_texts_are_no_answer_even_if_they_were_changed(own):
    own["cells"][-1]["source"] = "## Before you hand in: done"
    assert cell(whole(own), "written_masking").source == "YOUR ANSWER HERE"


def test_a_text_with_fences_stays_in_its_frame(own):
    cell(own, "test_masked_mean")["source"] = 's = """\n```\n# heading\n```\n"""\ncheck(masked_mean)'
    shown = next(source for source in sources(whole(own)) if source.startswith("*This was written"))
    assert shown.count("````\n") == 1 and shown.endswith("\n````")


# What editors lose of a cell: what nbgrader notes in it, and its id as well.
LOST = [("metadata",), ("metadata", "id")]


def without(own, lost):
    for each in own["cells"]:
        for key in lost:
            del each[key]
    return own


@pytest.mark.parametrize("lost", LOST, ids=len)
def test_a_blank_copy_that_lost_its_notes_has_nothing_added(own, lost):
    assert len(whole(without(own, lost)).cells) == len(SOURCE.cells)
    assert cells_written_into(submitted(own), SOURCE) == []


@pytest.mark.parametrize("lost", LOST, ids=len)
def test_what_was_written_into_the_courses_cells_is_kept_if_their_notes_are_lost(own, lost):
    written = {
        "imports": "import torch.nn.functional as F",
        "test_masked_mean": "print(masked_mean)\n# it must be the fill",
        "written_masking_question": "Because of the sum.",
    }
    for name, text in written.items():
        cell(own, name)["source"] = "".join(cell(own, name)["source"]) + f"\n{text}"
    found = whole(without(own, lost))
    assert ("code", written["imports"]) in [(each.cell_type, each.source) for each in found.cells]
    below = found.cells[found.cells.index(cell(found, "test_masked_mean")) + 1].source
    assert "print(masked_mean)" in below and "# it must be the fill" in below
    assert "Because of the sum." in cell(found, "written_masking").source
    assert cells_written_into(submitted(own), SOURCE) == ["test_masked_mean", "written_masking_question"]


def test_a_comment_in_a_cell_of_the_courses_is_shown_below_it(own):
    cell(own, "test_masked_mean")["source"] = "# I divide by the length\n" + "".join(
        cell(own, "test_masked_mean")["source"]
    )
    found = whole(own)
    assert "# I divide by the length" in found.cells[found.cells.index(cell(found, "test_masked_mean")) + 1].source
