"""Pictures that a written answer takes from files beside the notebook: they become the answer's own.

So they are seen wherever the notebook goes. What isn't a picture, or isn't there, is named on the page
(see `harmless.markdown_to_plain_html`).
"""

import base64
import re
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from nbformat import NotebookNode
from nbgrader.utils import is_solution

from grading.harmless import PICTURES

_MOST_BYTES = 5 * 2**20
_NAMED = re.compile(
    r'!\[(?P<text>[^\]\n]{0,300})\]\(\s*<?(?P<typed>[^()<>"\n]{1,300}?)>?(?:\s+"[^"\n]{0,300}")?\s*\)'
    r"|<img\b[^<>]{0,300}?\bsrc\s*=\s*[\"'](?P<tag>[^\"'<>]{1,300})[\"'][^<>]{0,300}>",
    re.IGNORECASE,
)


def take_in_pictures(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """The notebook itself, its written answers with the pictures that they name and that lie in the folder.

    In the folder are neither links nor pipes: see `submissions.fault_of_files`.
    """
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and is_solution(cell):
            pictures = dict(cell.get("attachments", {}))
            cell.source = _NAMED.sub(partial(_taken_in, folder, pictures), cell.source)
            if pictures:
                cell.attachments = NotebookNode(pictures)
    return notebook


def _taken_in(folder: Path, pictures: dict[str, dict[str, str]], found: re.Match[str]) -> str:
    """What stands for a picture once it is among the answer's own; what stood there where there is none."""
    typed = found["typed"] or found["tag"]
    data = _content(folder, unquote(typed)) or b""
    for kind, begins in PICTURES.items():
        if data.startswith(begins):
            name = f"beside-{len(pictures) + 1}.{kind.removeprefix('image/')}"
            pictures[name] = {kind: base64.b64encode(data).decode()}
            return f"![{found['text'] or PurePosixPath(typed).name}](attachment:{name})"
    return found[0]


def _content(folder: Path, name: str) -> bytes | None:
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or PurePosixPath(name).is_absolute() or "\0" in name:
        return None
    path = folder.joinpath(*parts)
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= _MOST_BYTES else None
    except OSError:
        return None
