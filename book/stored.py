"""Which notebooks can be shown: those that were run from top to bottom, and labs that no one has filled in."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode


class NotebookUnfit(Exception):
    """A notebook can't be shown as it is. The message says which, where, why, and what to do."""


def read(path: Path, name: str) -> NotebookNode:
    """Read a notebook; `name` is what it is called in errors.

    Raises:
        NotebookUnfit: if the file isn't a notebook.
    """
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        raise NotebookUnfit(f"{name} is not a valid notebook: {error.message.splitlines()[0]}.") from error
    except ValueError as error:  # what nbformat, json and the codec raise where the text itself is broken
        raise NotebookUnfit(f"{name} is not a valid notebook: its text is no JSON.") from error
    except (AttributeError, KeyError, TypeError) as error:  # what nbformat stumbles over before it validates
        raise NotebookUnfit(f"{name} is not a valid notebook: its JSON is not that of one.") from error
    return notebook


def require_run(path: Path, name: str) -> None:
    """Make sure that a notebook was run and keeps what came of it.

    Raises:
        NotebookUnfit: if the file isn't a notebook, if a code cell was not run, or if one ended in an error.
    """
    for place, cell in _code_cells(read(path, name)):
        if cell.execution_count is None:
            raise NotebookUnfit(f"{name}: {place} has not been executed; `make notebooks` runs it.")
        if any(output.output_type == "error" for output in cell.outputs):
            raise NotebookUnfit(f"{name}: {place} ended in an error; mend it, and `make notebooks` runs it again.")


def require_blank(path: Path, name: str) -> None:
    """Make sure that a lab is the students' copy, and not someone's work.

    Raises:
        NotebookUnfit: if the file isn't a notebook, or if a code cell was run.
    """
    for place, cell in _code_cells(read(path, name)):
        if cell.execution_count is not None or cell.outputs:
            raise NotebookUnfit(
                f"{name}: {place} has been run, and the site shows the labs blank; keep your copy of it elsewhere "
                "and put the blank one back (`git restore`)."
            )


def _code_cells(notebook: NotebookNode):
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code" and cell.source.strip():
            yield f"cell {number} ({cell.source.strip().splitlines()[0]!r})", cell
