"""What a reader of a stored notebook, without a kernel, must be able to rely on."""

import re
from pathlib import Path

import nbformat
import pytest
import torch

from helpers.attention_view import attention_view

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LABS = sorted((ROOT / "labs").glob("*/*.ipynb"))


def name(path: Path) -> str:
    return path.stem


@pytest.fixture(params=NOTEBOOKS, ids=name)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_every_code_cell_was_run_in_order_from_top_to_bottom(notebook):
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_no_cell_ended_in_an_error_or_wrote_to_stderr(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


def test_every_picture_has_a_text_alternative_and_no_widget_is_stored(notebook):
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        data = output.get("data", {})
        assert "application/vnd.jupyter.widget-view+json" not in data
        if "image/png" in data:
            assert output.metadata["image/png"]["alt"]


def test_a_stored_attention_view_has_the_script_of_today(notebook):
    today = attention_view(torch.eye(1), ["source"], ["target"], "caption").html.partition("<script>")[2]
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        html = output.get("data", {}).get("text/html", "")
        assert "attention-view" not in html or html.endswith(today), "make notebooks"
        assert "attention-view" not in html or output.data["text/plain"].startswith("[attention view: ")


def test_the_reader_is_asked_to_predict_and_can_check_the_answers(notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert text.count("**Predict first.**") >= 2
    assert text.count("<details>") == text.count("</details>") >= 3
    for heading in ("Recap", "Check yourself", "Sources"):
        assert re.search(rf"^## {heading}", text, re.MULTILINE)


@pytest.mark.parametrize("path", [*NOTEBOOKS, *LABS], ids=name)
def test_every_link_to_another_file_of_the_course_leads_somewhere(path):
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("http", "#"))]
    assert all((path.parent / link.partition("#")[0]).exists() for link in links)
