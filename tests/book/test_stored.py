"""What `make book` refuses: notebooks that were not run, broken files, labs that someone has filled in."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from book import build
from book.stored import NotebookUnfit, require_blank, require_run

PRINTED = new_output("stream", name="stdout", text="1\n")
ERROR = new_output("error", ename="ValueError", evalue="no", traceback=[])


def write(folder, *cells):
    path = folder / "09_new.ipynb"
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


def test_a_notebook_that_was_run_is_shown(tmp_path):
    ran = new_code_cell("print(1)", execution_count=1, outputs=[PRINTED])
    silent = new_code_cell("x = 1", execution_count=2)
    require_run(write(tmp_path, new_markdown_cell("# A title"), ran, silent, new_code_cell("")), "09")


def test_a_cell_that_was_not_run_is_named_with_its_notebook(tmp_path):
    path = write(tmp_path, new_code_cell("x = 1", execution_count=1), new_code_cell("print(x)\nprint(2)"))
    with pytest.raises(
        NotebookUnfit, match=r"^notebooks/09\.ipynb: cell 2 \('print\(x\)'\) has not been executed; .+\.$"
    ):
        require_run(path, "notebooks/09.ipynb")


def test_a_cell_that_ended_in_an_error_is_named_with_its_notebook(tmp_path):
    path = write(tmp_path, new_code_cell("f()", execution_count=1, outputs=[ERROR]))
    with pytest.raises(NotebookUnfit, match=r"^09: cell 1 \('f\(\)'\) ended in an error"):
        require_run(path, "09")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}']
)
def test_a_file_that_is_no_notebook_is_named_in_one_line(tmp_path, text):
    path = tmp_path / "09.ipynb"
    path.write_text(text)
    for require in (require_run, require_blank):
        with pytest.raises(NotebookUnfit, match=r"^09\.ipynb is not a valid notebook: [^\n]+\.$"):
            require(path, "09.ipynb")


def test_a_file_that_was_cut_off_or_is_binary_is_named_too(tmp_path):
    path = tmp_path / "09.ipynb"
    for content in (b'{"cells": [', b"\x89PNG\xff"):
        path.write_bytes(content)
        with pytest.raises(NotebookUnfit, match=r"^09\.ipynb is not a valid notebook: its text is no JSON\.$"):
            require_run(path, "09.ipynb")


def test_a_lab_that_was_filled_in_is_not_shown(tmp_path):
    require_blank(write(tmp_path, new_code_cell("raise NotImplementedError")), "lab01")
    with pytest.raises(NotebookUnfit, match=r"^lab01: cell 1 .+ has been run"):
        require_blank(write(tmp_path, new_code_cell("def f(): ...", execution_count=1)), "lab01")


def test_the_build_stops_with_one_sentence_before_anything_is_written(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    write(tmp_path / "notebooks", new_code_cell("print(1)"))
    monkeypatch.setattr(build, "ROOT", tmp_path)
    with pytest.raises(SystemExit) as stopped:
        build.main(tmp_path / "built")
    assert stopped.value.code == (
        "make book: notebooks/09_new.ipynb: cell 1 ('print(1)') has not been executed; `make notebooks` runs it."
    )
    assert not (tmp_path / "built").exists()
