"""The submissions of a lab, and what is wrong with those that nbgrader could make nothing of."""

import json
from collections.abc import Collection
from pathlib import Path

import nbformat


def find_submissions(submitted: Path, lab: str) -> list[str]:
    """The students who handed something in for this lab, in whatever state it is."""
    folders = (folder for folder in submitted.glob("*") if folder.is_dir() and not folder.name.startswith("."))
    return sorted(folder.name for folder in folders if (folder / lab).exists() or (folder / f"{lab}.ipynb").exists())


def submission_path(submitted: Path, student: str, lab: str) -> Path:
    """Where nbgrader looks for a submission."""
    return submitted / student / lab / f"{lab}.ipynb"


def fault_of_submission(submitted: Path, student: str, lab: str, graded_cells: Collection[str]) -> str | None:
    """Why a submission can't be graded, in words; None if it can.

    `graded_cells` are the ids of the cells that carry the lab's points.
    """
    path = submission_path(submitted, student, lab)
    if set(student) & set("*?[]"):
        return "nbgrader can't handle the characters * ? [ ] in a name: rename the folder"
    if not path.is_file():
        return _fault_of_place(path)
    try:
        text = path.read_text(encoding="utf-8")
        json.loads(text)
    except OSError as error:
        return f"{path.name} can't be read: {error.strerror}"
    except ValueError:
        return f"{path.name} isn't JSON: the file is damaged, or never was a notebook"
    try:
        cells = nbformat.reads(text, as_version=4).cells
        found = {str(cell.metadata.get("nbgrader", {}).get("grade_id")) for cell in cells}
    except Exception:  # nbformat raises whatever the file provokes
        return f"{path.name} isn't a notebook, though it is JSON"
    if not found & set(graded_cells):
        return f"{path.name} has none of the lab's test cells: it wasn't made from the student's copy"
    return None


def _fault_of_place(path: Path) -> str:
    if (path.parent.parent / path.name).is_file():
        return f"{path.name} lies beside the folder {path.parent.name}, and belongs into it"
    others = sorted(other.name for other in path.parent.glob("*"))
    return f"there is no {path.name} in its folder {path.parent.name}, only {', '.join(others) or 'nothing'}"
