"""What a reader of a stored notebook, without a kernel, must be able to rely on."""

import json
import re
from html import unescape
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
import torch

from helpers.attention_machine import attention_machine
from helpers.attention_view import attention_view
from helpers.reversal_model import reversal_model
from helpers.state_view import state_view
from tools.reading_minutes import minutes, stated

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NARROW = [
    path for path in NOTEBOOKS if path.name[:2] in ("00", "01", "02", "05", "06")
]  # those that keep to 88 columns
PREDICTING = [path for path in NOTEBOOKS if path.name < "05"]  # those whose predictions are blocks
LABS = sorted((ROOT / "labs").glob("*/*.ipynb"))
SOLUTIONS = sorted((ROOT / "solutions").glob("*/*.ipynb"))


def name(path: Path) -> str:
    return path.stem


@pytest.fixture(params=NOTEBOOKS, ids=name)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


WRITTEN_BY_TESTS = {"tests/browser/screenshots/", "tests/book/screenshots/"}
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("path", [*NOTEBOOKS, *SOLUTIONS, *DOCUMENTS], ids=name)
def test_each_file_and_folder_that_a_text_names_is_there(path):
    rooms = "benchmarks|docs|grading|helpers|notebooks|tests|tools"
    named = set(re.findall(rf"`((?:{rooms})/[\w./-]*)`", path.read_text(encoding="utf-8")))
    assert [each for each in named - WRITTEN_BY_TESTS if not (ROOT / each).exists()] == []


def test_every_code_cell_was_run_in_order_from_top_to_bottom(notebook):
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_no_cell_ended_in_an_error_or_wrote_to_stderr(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


def test_nothing_that_is_stored_tells_where_the_course_lay(notebook):
    stored = [nbformat.v4.writes(nbformat.v4.new_notebook(cells=[cell])) for cell in notebook.cells]
    elsewhere = re.compile(r"(\.\./){3}|/(home|root|tmp|work|Users)/")
    assert [cell.id for cell, text in zip(notebook.cells, stored, strict=True) if elsewhere.search(text)] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_a_notebook_has_less_than_a_megabyte(path):
    assert path.stat().st_size < 1e6, "python -m tools.execute_notebooks stores pictures with palettes"


def test_sentences_that_are_not_the_courses_are_not_stored(notebook):
    cells = [cell for cell in notebook.cells if "no-stored-output" in cell.metadata.get("tags", [])]
    assert not any(cell.outputs for cell in cells), "python -m tools.execute_notebooks leaves them out"
    assert all(cell in cells for cell in notebook.cells if re.search(r"\breal_(test|written)\b", cell.source))


def test_every_picture_has_a_text_alternative_and_no_widget_is_stored(notebook):
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        data = output.get("data", {})
        assert "application/vnd.jupyter.widget-view+json" not in data
        if "image/png" in data:
            assert output.metadata["image/png"]["alt"]


def test_a_stored_component_has_the_script_of_today(notebook):
    view = attention_view(torch.eye(1), ["source"], ["target"], "caption")
    states = state_view(torch.eye(1), "A", ["A"], ["A"], "caption")
    for name, today in (("attention-view", view), ("reversal-model", reversal_model("A")), ("state-view", states)):
        script = today.html.partition("<script>")[2]
        for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
            html = output.get("data", {}).get("text/html", "")
            if f'<div class="{name} ' in html:
                assert html.endswith(script), "make notebooks"
                assert output.data["text/plain"].startswith(f"[{name.replace('-', ' ')}: ")


def test_the_reader_is_asked_to_predict_and_can_check_the_answers(notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert text.count("**Predict first.**") >= 2
    assert text.count("<details>") == text.count("</details>") >= 3
    for heading in ("Recap", "Check yourself", "Sources"):
        assert re.search(rf"^## {heading}", text, re.MULTILINE)


def test_a_notebook_says_how_long_it_takes_by_the_rule(notebook):
    assert stated(notebook) == minutes(notebook), "python tools/reading_minutes.py says what was counted"


def test_the_map_says_the_same_minutes_as_each_notebook():
    start = nbformat.read(NOTEBOOKS[0], as_version=4)
    rows = [row for cell in start.cells for row in re.findall(r"^\| \d\d \|.*$", cell.source, re.MULTILINE)]
    assert [row.split(" | ")[3] for row in rows] == [str(minutes(nbformat.read(path, 4))) for path in NOTEBOOKS]


def test_what_is_folded_in_jupyterlab_is_folded_on_the_site_and_the_other_way_round(notebook):
    for cell in notebook.cells:
        folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert folded == ("hide-input" in cell.metadata.get("tags", [])), cell.id
        assert not folded or cell.cell_type == "code", cell.id


@pytest.mark.parametrize("path", PREDICTING, ids=name)
def test_every_prediction_is_a_block_of_its_own(path):
    cells = nbformat.read(path, as_version=4).cells
    for cell in cells:
        if cell.cell_type == "markdown" and "**Predict first.** " in cell.source:
            assert "predict" in cell.metadata.get("tags", []), cell.id


def test_a_prediction_is_a_quote_and_the_cell_after_it_settles_it_folded(notebook):
    for cell, after in pairwise(notebook.cells):
        if "predict" in cell.metadata.get("tags", []):
            lines = cell.source.splitlines()
            assert lines[0].startswith("> **Predict first.** ") and all(line.startswith(">") for line in lines), cell.id
            assert after.outputs and "hide-output" in after.metadata.get("tags", []), cell.id


def test_an_output_that_is_folded_in_jupyterlab_is_folded_on_the_site_and_the_other_way_round(notebook):
    for cell in notebook.cells:
        folded = cell.metadata.get("jupyter", {}).get("outputs_hidden", False)
        assert cell.metadata.get("collapsed", False) == folded, cell.id  # JupyterLab writes both when it saves
        assert folded == ("hide-output" in cell.metadata.get("tags", [])), cell.id


@pytest.mark.parametrize("path", NARROW, ids=name)
def test_no_line_of_code_is_too_long_for_a_page(path):
    code = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [line for source in code for line in source.splitlines() if len(line) > 88] == []


def test_a_stored_attention_machine_has_the_script_of_today(notebook):
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if found := re.search(r'"attention-machine .* data-given="(.*)">', output.get("data", {}).get("text/html", "")):
            given = json.loads(unescape(found[1]))
            today = attention_machine(show=[*given["parts"], *given["panels"]])
            script = today.html.partition("<script>")[2]
            assert output.data["text/html"].endswith(script), "make notebooks"
            assert output.data["text/plain"].startswith("[attention machine: ")


@pytest.mark.parametrize("path", [*NOTEBOOKS, *LABS, *SOLUTIONS], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_stored_notebook_says_nothing_of_the_python_that_ran_it(path):
    assert nbformat.read(path, as_version=4).metadata == {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


@pytest.mark.parametrize("path", [*NOTEBOOKS, *LABS], ids=name)
def test_every_link_to_another_file_of_the_course_leads_somewhere(path):
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("http", "#"))]
    assert all((path.parent / link.partition("#")[0]).exists() for link in links)
