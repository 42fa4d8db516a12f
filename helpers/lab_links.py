"""Links of the notebooks to the labs: in files they lead to labs/, in JupyterLab to a student's own copies."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.lab_files import OWN, own_path

_LINK = re.compile(rf"\]\(\.\./(labs|{OWN})/(\w+)/\2\.ipynb")


def lead_to_own_copies(notebook: dict[str, Any], course: Path) -> None:
    """Let a notebook's links to labs lead to the student's own copies, where there are any."""
    _lead(notebook, lambda lab: OWN if own_path(course, lab).exists() else "labs")


def lead_to_labs(notebook: dict[str, Any]) -> None:
    """Let a notebook's links lead to labs/ again, which is where they lead in the course's files."""
    _lead(notebook, lambda lab: "labs")


def _lead(notebook: dict[str, Any], folder_of: Callable[[str], str]) -> None:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            source = cell["source"]  # a text in JupyterLab's messages, lines in a file
            text = source if isinstance(source, str) else "".join(source)
            cell["source"] = _LINK.sub(lambda link: f"](../{folder_of(link[2])}/{link[2]}/{link[2]}.ipynb", text)
