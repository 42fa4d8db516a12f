"""What came of a submission's tests, kept by content: the same notebook is never run twice.

A result is a file whose name is a hash of what was run: the submission's cells, the tests, and the course's own code.
So a grading that was killed goes on where it stopped, and a changed answer, test or check leads to a new result.
"""

import hashlib
import json
import os
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbformat import NotebookNode

_ROOT = Path(__file__).parents[1]
# What the outcome of a test depends on. A test holds that all that is imported where a submission is run is among it.
CODE = (
    "helpers",
    "grading/__init__.py",
    "grading/border",
    "grading/executing.py",
    "grading/joining.py",
    "grading/provisioning.py",
    "grading/pruning.py",
    "grading/results.py",
    "grading/sandbox.py",
    "grading/system_calls.py",
    "grading/template.py",
    "grading/harmless.py",
    "grading/withholding.py",
)


def key(notebook: NotebookNode) -> str:
    """The hash of a submission as it is about to be run."""
    cells = [[cell.cell_type, cell.source, _role(cell)] for cell in notebook.cells]
    text = json.dumps([cells, fingerprint()], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _role(cell: NotebookNode) -> list:
    # Not the points and the checksums, which nbgrader fills in on the way: they change nothing in what is run.
    role = cell.metadata.get("nbgrader", {})
    return [role.get(name) for name in ("grade_id", "grade", "locked", "solution")]


class Results:
    """The results in a folder."""

    def __init__(self, folder: Path):
        self._folder = folder

    def find(self, key: str) -> NotebookNode | None:
        """The executed notebook, if there is one; a file that is no result counts as none."""
        try:
            return nbformat.reads(self._path(key).read_text(encoding="utf-8"), as_version=4)
        except (OSError, ValueError, nbformat.ValidationError):
            return None

    def keep(self, key: str, executed: str) -> None:
        """Write an executed notebook: as a whole or, if the machine stops meanwhile, not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(executed)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, self._path(key))

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.ipynb"


@cache
def fingerprint() -> str:
    """A hash of the code that judges: the checks, the border, and PyTorch's version."""
    digest = hashlib.sha256(version("torch").encode())
    for place in CODE:
        path = _ROOT / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(str(file.relative_to(_ROOT)).encode() + file.read_bytes())
    return digest.hexdigest()
