"""Every notebook and lab as a reader opens it: it fits the window, and the console has no complaint."""

import pytest
from playwright.sync_api import expect

from tests.browser.jupyterlab import ROOT

pytestmark = pytest.mark.slow

DOCUMENTS = [
    str(path.relative_to(ROOT)) for folder in ("notebooks", "labs/*") for path in sorted(ROOT.glob(f"{folder}/*.ipynb"))
]
WIDE = "all => all.filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.innerText.slice(0, 200))"


def test_no_text_formula_table_or_output_is_wider_than_the_window(lab):
    wide = {}
    for document in DOCUMENTS:
        lab.open(document)
        # JupyterLab renders what is scrolled to; here everything.
        lab.page.add_style_tag(content=".jp-Notebook * { content-visibility: visible !important }")
        text = lab.page.locator(".jp-Notebook .jp-RenderedMarkdown")
        expect(text.filter(has_text="$$")).to_have_count(0)  # formulas are set
        wide[document] = lab.page.locator(".jp-Notebook :is(.jp-RenderedMarkdown, .jp-OutputArea-output)").evaluate_all(
            WIDE
        )
        lab.stop_kernels()
    assert {document: found for document, found in wide.items() if found} == {}
