"""Every notebook and lab as a reader opens it: it fits the window, JupyterLab leaves it alone, the console is quiet."""

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.jupyterlab import ROOT

pytestmark = pytest.mark.slow

DOCUMENTS = [
    str(path.relative_to(ROOT)) for folder in ("notebooks", "labs/*") for path in sorted(ROOT.glob(f"{folder}/*.ipynb"))
]
SOLUTION = DOCUMENTS[-1].replace("labs/", "solutions/")
WIDE = "all => all.filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.innerText.slice(0, 200))"


@pytest.fixture
def stored_elsewhere(lab):
    """A notebook of the course as another Python stores it."""
    notebook = nbformat.read(lab.course / DOCUMENTS[0], as_version=4)
    notebook.metadata.language_info = {"name": "python", "version": "3.9.1", "file_extension": ".py"}
    path = "notebooks/stored_elsewhere.ipynb"
    nbformat.write(notebook, lab.course / path)
    return path


def test_every_document_fits_the_window_and_is_closed_as_it_was(lab, stored_elsewhere):
    wide, asked, written = {}, {}, {}
    lab.open(DOCUMENTS[0])
    lab.close()
    # JupyterLab renders what is scrolled to; here everything.
    lab.page.add_style_tag(content=".jp-Notebook * { content-visibility: visible !important }")
    for document in [*DOCUMENTS, SOLUTION, stored_elsewhere]:
        file = lab.course / document
        before = file.read_bytes(), file.stat().st_mtime_ns
        lab.open_too(document)
        text = lab.page.locator(f"{lab.NOTEBOOK} .jp-RenderedMarkdown")
        expect(text.filter(has_text="$$")).to_have_count(0)  # formulas are set
        rendered = lab.page.locator(f"{lab.NOTEBOOK} :is(.jp-RenderedMarkdown, .jp-OutputArea-output)")
        wide[document] = rendered.evaluate_all(WIDE)
        asked[document] = lab.close()
        written[document] = (file.read_bytes(), file.stat().st_mtime_ns) != before
        lab.stop_kernels()
    assert {document: question for document, question in asked.items() if question} == {}
    assert [document for document in written if written[document]] == []
    assert {document: texts for document, texts in wide.items() if texts} == {}


def test_a_saved_notebook_says_nothing_of_the_python_that_ran_it(lab, stored_elsewhere):
    lab.open(stored_elsewhere)
    with lab.page.expect_response(lambda response: response.request.method == "PUT"):
        lab.page.keyboard.press("Control+S")
    saved, stored = (lab.course / stored_elsewhere).read_bytes(), (ROOT / DOCUMENTS[0]).read_bytes()
    same = saved == stored  # pytest would take an hour over the difference of two megabytes
    assert same
