"""The submissions of a lab, and what is wrong with those that nbgrader could make nothing of."""

import os
import stat
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path

from grading.times import read_time


def find_submissions(submitted: Path, lab: str) -> list[str]:
    """The students who handed something in for this lab, in whatever state it is."""
    folders = (folder for folder in submitted.glob("*") if folder.is_dir() and not folder.name.startswith("."))
    return sorted(folder.name for folder in folders if (folder / lab).exists() or (folder / f"{lab}.ipynb").exists())


def submission_path(submitted: Path, student: str, lab: str) -> Path:
    """Where nbgrader looks for a submission."""
    return submitted / student / lab / f"{lab}.ipynb"


def fault_of_name(student: str) -> str | None:
    """Why a student of that name can't be graded, in words; None if that can be done."""
    if set(student) & set("*?[]"):
        return "nbgrader can't handle the characters * ? [ ] in a name: rename the folder"
    if student != student.strip():
        return "nbgrader takes away the spaces at the ends of a name: rename the folder"
    if not student.isprintable():
        return "its name has characters that can't be shown: rename the folder"
    if set(student) & set('<>"&'):
        return 'Formgrader would take the characters < > " & in a name for HTML: rename the folder'
    return None


def fault_of_place(path: Path) -> str | None:
    """Where a submission lies instead of at its path, in words; None if it is there."""
    if path.is_file():
        return None
    if (path.parent.parent / path.name).is_file():
        return f"{path.name} lies beside the folder {path.parent.name}, and belongs into it"
    others = sorted(other.name for other in path.parent.glob("*"))
    return (
        f"there is no {path.name} in its folder {path.parent.name}, only {', '.join(map(shown, others)) or 'nothing'}"
    )


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


def time_of(folder: Path) -> datetime | None:
    """When a submission was handed in, in UTC, as its timestamp.txt says; None where there is no such file.

    Raises:
        ValueError: if what it says is no time.
    """
    stamp = folder / "timestamp.txt"
    if not stamp.is_file():  # a pipe isn't waited for
        return None
    try:
        with stamp.open(encoding="utf-8") as file:
            return read_time(file.read(100))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"timestamp.txt says no time that can be read ({error}): delete it, or write one like "
            "2026-09-30 23:59:59 UTC into it"
        ) from error


def shown(name: str) -> str:
    """A file's or a folder's name for a terminal, which it may hold commands for."""
    return name if name.isprintable() else ascii(name)
