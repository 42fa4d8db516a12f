"""Run notebooks from top to bottom and keep their outputs: python -m tools.execute_notebooks NOTEBOOK..."""

import base64
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.output_widget import OutputWidget

from tools.palettes import with_palette

WIDGET = "application/vnd.jupyter.widget-view+json"
NOT_KEPT = "no-stored-output"  # the tag of cells that print sentences which aren't the course's


class QuietOutputWidget(OutputWidget):
    """Takes what a slider draws, and doesn't tell the kernel.

    nbclient's own answers on the channel on which it waits for the kernel, and may then wait for ever: a message that
    arrives while it sends is not noticed.
    """

    def send(self, *args: Any, **kwargs: Any) -> None:
        pass


def is_blank(output: nbformat.NotebookNode) -> bool:
    """Whether it is what a progress bar leaves behind when it goes: a line of blanks."""
    return output.output_type == "stream" and not output.text.strip()


def lighten(cell: nbformat.NotebookNode) -> None:
    """Store a cell's pictures with palettes: a notebook of megabytes is slow to open and to review."""
    for output in cell.outputs:
        if "image/png" in output.get("data", {}):
            png = base64.b64decode(output.data["image/png"])
            output.data["image/png"] = base64.b64encode(with_palette(png)).decode()


for path in map(Path, sys.argv[1:]):
    print(path, flush=True)
    notebook = nbformat.read(path, as_version=4)
    # No times and no Python version in the file: they would differ from run to run and from machine to machine.
    # A progress bar's refreshes are kept as they end up on the screen, not one after the other.
    where = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, record_timing=False, coalesce_streams=True, resources=where)
    client.widget_registry = {"@jupyter-widgets/output": {"OutputModel": QuietOutputWidget}}
    client.execute()
    notebook.metadata.pop("widgets", None)
    # Without a kernel a stored widget is an error message; the notebook has the attention view for that reader.
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if WIDGET not in each.get("data", {}) and not is_blank(each)]
            lighten(cell)
        if NOT_KEPT in cell.metadata.get("tags", []):
            cell.outputs = []
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, path)
