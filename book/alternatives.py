"""Gives the notebooks' pictures the text alternatives that `helpers.plotting.show` stores beside them."""

from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.application import Sphinx


def add_alternatives(app: Sphinx, doctree: nodes.document) -> None:
    """myst-nb keeps a stored picture's width and height, and not its alternative."""
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    notebook = nbformat.read(path, as_version=4)
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    alternatives = [output.metadata["image/png"]["alt"] for output in outputs if "image/png" in output.get("data", {})]
    shown = [image for cell in doctree.findall(_is_output) for image in cell.findall(nodes.image)]
    for image, alternative in zip(shown, alternatives, strict=True):
        image["alt"] = alternative
        image["loading"] = "lazy"  # a page has up to a megabyte of pictures, most of them far below


def _is_output(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code_output"


def setup(app: Sphinx) -> dict:
    app.connect("doctree-read", add_alternatives)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
