"""The submissions of a lab, and what is wrong with those that nbgrader could make nothing of."""

import json
import os
import stat
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path

import nbformat
from nbgrader.utils import parse_utc

_MOST_BYTES = 50 * 2**20  # of a notebook's file


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
    if student != student.strip():
        return "nbgrader takes away the spaces at the ends of a name: rename the folder"
    if not student.isprintable():
        return "its name has characters that can't be shown: rename the folder"
    if set(student) & set('<>"&'):
        return 'Formgrader would take the characters < > " & in a name for HTML: rename the folder'
    fault = fault_of_files(path.parent) or _fault_of_time(path.with_name("timestamp.txt"))
    if fault is not None:
        return fault
    if not path.is_file():
        return _fault_of_place(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            return f"{path.name} is larger than {_MOST_BYTES // 2**20} MB"
        text = path.read_text(encoding="utf-8")
        json.loads(text)
    except OSError as error:
        return f"{path.name} can't be read: {error.strerror}"
    except (ValueError, RecursionError):
        return f"{path.name} isn't JSON: the file is damaged, or never was a notebook"
    try:
        cells = nbformat.reads(text, as_version=4).cells
        named = [cell.metadata.get("nbgrader") for cell in cells]
        found = {str(each.get("grade_id")) for each in named if isinstance(each, dict)}
    except Exception:  # nbformat raises whatever the file provokes
        return f"{path.name} isn't a notebook, though it is JSON"
    if not found & set(graded_cells):
        return f"{path.name} has none of the lab's test cells: it wasn't made from the student's copy"
    return None


def fault_of_files(folder: Path) -> str | None:
    """What in a submission's folder isn't the student's own, in words: a link may point to anything that you can read.

    nbgrader would grade what it points to, and copy it into the feedback.
    """
    try:
        for path in chain((folder.parent, folder), _all_in(folder)):
            kind = path.lstat().st_mode
            if stat.S_ISLNK(kind):
                return (
                    f"{shown(path.name)} is a link, and what it points to isn't the student's: ask for the file itself"
                )
            if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
                return f"{shown(path.name)} is neither a file nor a folder"
    except FileNotFoundError:
        return None  # that there is nothing is said elsewhere
    except (OSError, RecursionError):
        return f"{shown(folder.name)} has folders that can't be read"
    return None


def _all_in(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        yield from (Path(place, name) for name in (*folders, *files))


def _fault_of_time(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8") as file:
            parse_utc(file.read(100).strip() or None)  # nbgrader takes an empty one for none
    except FileNotFoundError:
        return None
    except Exception:  # dateutil raises whatever the text provokes
        return (
            f"{path.name} says no time that can be read: delete it, or write one like 2026-09-30 23:59:59 UTC into it"
        )
    return None


def shown(name: str) -> str:
    """A file's or a folder's name for a terminal, which it may hold commands for."""
    return name if name.isprintable() else ascii(name)


def _fault_of_place(path: Path) -> str:
    if (path.parent.parent / path.name).is_file():
        return f"{path.name} lies beside the folder {path.parent.name}, and belongs into it"
    others = sorted(other.name for other in path.parent.glob("*"))
    return (
        f"there is no {path.name} in its folder {path.parent.name}, only {', '.join(map(shown, others)) or 'nothing'}"
    )
