"""Everything under submitted/ is accounted for: what no grading takes notice of is named, with what to do."""

import re
from collections.abc import Iterator
from pathlib import Path

from grading.course import Course, command
from grading.downloads import is_junk
from grading.submissions import shown


def unnoticed(course: Course, lab: str, labs: list[str]) -> list[str]:
    """What lies in submitted/ and isn't graded, a sentence each; what says that it is of another lab isn't named."""
    return [
        f"{shown(course.shown(path))} {reason}"
        for path, reason in _unnoticed(course, lab, labs)
        if _other_lab(path.name, lab, labs) is None
    ]


def _unnoticed(course: Course, lab: str, labs: list[str]) -> Iterator[tuple[Path, str]]:
    for student in _in(course.submitted):
        if not student.is_dir():
            collect = command("grading", "collect", course.shown(student))
            yield student, f"is a file, and students have folders: {collect}"
            continue
        inside = _in(student)
        if not inside:
            yield student, "is empty: the student handed in nothing, or it got lost on its way"
        for entry in inside:
            home = f"it belongs at {course.shown(student / lab / f'{lab}.ipynb')}"
            if entry.name in labs and entry.is_dir():
                if entry.name == lab:
                    yield from _beside(entry, lab)
            elif entry.name in {f"{each}.ipynb" for each in labs}:
                continue  # which the grading names by itself
            elif entry.is_dir():
                kind = "has nothing in it" if not _in(entry) else "isn't named as a lab is"
                yield entry, f"{kind}, and isn't graded; if it is this lab, {home}"
            else:
                yield entry, f"lies where nothing is graded; if it is this lab, {home}"


def _beside(folder: Path, lab: str) -> Iterator[tuple[Path, str]]:
    """Notebooks next to the one that is graded. (Where that isn't there, the grading says so.)"""
    if not (folder / f"{lab}.ipynb").is_file() or folder.is_symlink():
        return
    for path in sorted(folder.rglob("*.ipynb")):
        if path != folder / f"{lab}.ipynb" and not any(is_junk(part) for part in path.relative_to(folder).parts):
            yield path, f"lies beside {lab}.ipynb, which is the one that is graded: look which is the right one"


def _in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not is_junk(path.name))


def _other_lab(name: str, lab: str, labs: list[str]) -> str | None:
    """The other lab that a name says that it is of."""
    found = re.search(r"lab[ _-]*0*(\d+)", name, re.IGNORECASE)
    if found is None:
        return None
    for each in labs:
        number = re.match(r"lab0*(\d+)", each)
        if number is not None and number[1] == found[1]:
            return each if each != lab else None
    return None
