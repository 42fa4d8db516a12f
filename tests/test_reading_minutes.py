"""The rule for a notebook's minutes counts what a first reader reads and does."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.reading_minutes import WORDS, counts, minutes, stated


def notebook(*cells):
    return new_notebook(cells=list(cells))


def test_answers_are_questions_and_not_words():
    text = "one two three\n\n<details><summary>Answer</summary>\n\nmany many words\n\n</details>"
    found = counts(notebook(new_markdown_cell(text)))
    assert found["words"] == 3 and found["questions"] == 1


def test_a_formula_is_a_word_and_an_address_none():
    assert counts(notebook(new_markdown_cell("see [this](a_long/path.ipynb) $a + b + c$")))["words"] == 3


def test_code_that_is_folded_is_not_read_but_its_picture_is_seen():
    picture = new_output("display_data", data={"image/png": "", "text/plain": "[picture]"})
    folded = new_code_cell("a = 1\nb = 2", outputs=[picture], metadata={"jupyter": {"source_hidden": True}})
    found = counts(notebook(folded, new_code_cell("a = 1\n\nb = 2")))
    assert found["names"] == 4 and found["pictures"] == 1


@pytest.mark.parametrize("heading", ["## Further", "## Further: more of it"])
def test_what_comes_from_further_on_is_not_counted(heading):
    found = counts(notebook(new_markdown_cell("one"), new_markdown_cell(f"{heading}\n\ntwo"), new_code_cell("a = 1")))
    assert found["words"] == 1 and found["names"] == 0


def test_minutes_are_rounded_to_five_and_never_none():
    assert minutes(notebook(new_markdown_cell("word " * WORDS * 22))) == 20
    assert minutes(notebook(new_markdown_cell("word " * WORDS * 23))) == 25
    assert minutes(notebook(new_markdown_cell("word"))) == 5


@pytest.mark.parametrize(
    ("said", "found"), [("**Time:** 25 minutes, of which…", 25), ("**Time:** an hour", None), ("", None)]
)
def test_what_a_notebook_states_is_found(said, found):
    assert stated(notebook(new_markdown_cell(said))) == found
