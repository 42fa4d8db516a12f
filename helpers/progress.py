"""How far you are: which exercises were checked in your labs, and how it went. It stays on this computer.

python -m helpers.progress    a table

`check` notes it in my_labs/progress.json, as long as it runs in a notebook in one of the labs' folders.
"""

import argparse
import contextlib
import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from helpers.lab_files import (
    OWN,
    Notebook,
    UserError,
    course_here,
    exercises_tested_in,
    keep_copy,
    labs_of,
    name_of,
    own_path,
    read,
    released_path,
    role,
    run_command,
    text_of,
    write_text,
)

TRIES = 3  # failed in a row before a report mentions that an answer can be looked up

Records = dict[str, dict[str, dict[str, Any]]]  # by lab, by exercise


class Advice(NamedTuple):
    """Something to tell a student beside what a check found."""

    title: str
    text: str


class Way(NamedTuple):
    """Where a student stands in a lab after a check, in points of the tests that can be seen, and what is next.

    The addresses are those of headings in the lab's notebook, and of the notebook that the lab belongs to.
    """

    here: str  # the exercise's points
    of_here: str
    in_lab: str
    of_lab: str
    has_hidden: bool  # whether hidden tests give this exercise more
    heading: str  # the address of the exercise's heading
    chapter: str  # the address of the notebook with the theory
    next: tuple[str, str] | None  # what the next open exercise is called, and its heading's address


@dataclass
class Standing:
    """How far a student is in one lab, by the tests that can be seen."""

    lab: str
    points: float = 0
    earned: float = 0
    unseen: float = 0  # points for hidden tests and for written answers
    open: list[str] = field(default_factory=list)
    revealed: list[str] = field(default_factory=list)


def note_check(exercise: str, share: int | float) -> Advice | None:
    """Note what share of an exercise's properties held; what to tell the student besides, if there is anything.

    Only in a notebook in a lab's folder; never while nbgrader runs it. Where nothing can be written, nothing is noted.
    """
    lab = lab_at_work()
    if lab is None:
        return None
    course, number, failed = course_here(), lab.partition("_")[0], 0
    with contextlib.suppress(UserError):
        known = record(course, lab, exercise)
        failed = 0 if share == 1 else known.get("failed_in_a_row", 0) + 1
        note(course, lab, exercise, share=share, tries=known.get("tries", 0) + 1, failed_in_a_row=failed)
    if Path.cwd().parent != course / OWN:
        words = f"own_copies move {number}" if own_path(course, lab).exists() else "own_copies"
        return Advice(
            "You are writing in labs/, which is the course's",
            "The next update would collide with your answers. Save, and run this in a new cell: "
            f"`!python -m helpers.{words}`. It brings them into your own copy, my_labs/{lab}/{lab}.ipynb: go on there.",
        )
    if failed >= TRIES:
        return Advice(
            "Stuck?",
            f"Run this in a new cell: `!python -m helpers.reveal {number} {exercise}`. It shows the hints first, and a "
            "right answer when you run it again.",
        )
    return None


def way_on(exercise: str) -> Way | None:
    """Where the student stands after a check that has been noted; None where none is noted."""
    lab = lab_at_work()
    if lab is None:
        return None
    course = course_here()
    with contextlib.suppress(UserError):
        return _way(course, lab, exercise)
    return None


def _way(course: Path, lab: str, exercise: str) -> Way | None:
    records = _read(course)[0].get(lab, {})
    released = read(released_path(course, lab))
    heading, here, after, before, hidden = "", [], None, None, False
    place = ""
    for cell in released["cells"]:
        found = _HEADING.search(text_of(cell)) if cell["cell_type"] == "markdown" else None
        heading = found.group(1) if found else heading
        tested, points = exercises_tested_in(cell), role(cell).get("points") or 0
        hidden |= bool(points) and not tested and name_of(cell) == f"test_{exercise}_hidden"
        if not tested or not points:
            continue
        share = _share(cell, tested, records)
        if exercise in tested:
            here.append((share * points, points))
            place = heading
        elif share < 1 and here:
            after = after or heading
        elif share < 1:
            before = before or heading
    if not here:
        return None
    standing, then = _standing(lab, released, records), after or before
    chapters = sorted(path.name for path in (course / "notebooks").glob(f"{lab[3:5]}_*.ipynb"))
    return Way(
        here=_number(sum(earned for earned, _ in here)),
        of_here=_number(sum(points for _, points in here)),
        in_lab=_number(standing.earned),
        of_lab=_number(standing.points),
        has_hidden=hidden,
        heading=address_of(place),
        chapter=f"../../notebooks/{chapters[0]}" if chapters else "",
        next=(then.partition(" ·")[0], address_of(then)) if then else None,
    )


_HEADING = re.compile(r"^#+ (Exercise .*)$", re.MULTILINE)


def address_of(heading: str) -> str:
    """Where JupyterLab puts a heading: its words without marks, joined by hyphens."""
    return "#" + re.sub(r"[`*]", "", heading).strip().replace(" ", "-")


def lab_at_work() -> str | None:
    """The lab in whose folder this process runs a notebook for a person; None everywhere else."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is None or "NBGRADER_EXECUTION" in os.environ:
        return None
    folder, course = Path.cwd(), course_here()
    return folder.name if folder.parent in (course / OWN, course / "labs") and folder.name in labs_of(course) else None


def record(course: Path, lab: str, exercise: str) -> dict[str, Any]:
    """What is noted of an exercise."""
    return _read(course)[0].get(lab, {}).get(exercise, {})


def note(course: Path, lab: str, exercise: str, **what: Any) -> None:
    """Note something of an exercise. A file that is damaged is kept under a number.

    Raises:
        UserError: if it can't be written.
    """
    records, damaged = _read(course)
    if damaged:
        keep_copy(_path(course))
    records.setdefault(lab, {}).setdefault(exercise, {}).update(what)
    write_text(_path(course), json.dumps(records, indent=1, sort_keys=True) + "\n")


def forget_checks(course: Path, lab: str, exercises: Iterable[str]) -> None:
    """Count the exercises as open again; that they were looked up stays."""
    for exercise in exercises:
        if record(course, lab, exercise):
            note(course, lab, exercise, share=0, failed_in_a_row=0)


def standings(course: Path) -> list[Standing]:
    """How far the student is in each lab."""
    records = _read(course)[0]
    return [_standing(lab, read(released_path(course, lab)), records.get(lab, {})) for lab in labs_of(course)]


def show() -> None:
    """Show the table: in a notebook with links to the labs, to the student's own copies where there are any."""
    course = course_here()
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        ipython.display.display(ipython.display.Markdown(as_markdown(course, Path.cwd())))
    else:
        print(as_text(course))


def as_text(course: Path) -> str:
    """The table for a terminal."""
    found = standings(course)
    width = max((len(each.lab) for each in found), default=0)
    lines = [f"{'lab':{width}}  {'points':>9}  still open"]
    for each in found:
        lines.append(f"{each.lab:{width}}  {_number(each.earned):>3} of {_number(each.points):>2}  {_remarks(each)}")
    unseen = _number(sum(each.unseen for each in found))
    return "\n".join(
        [*lines, "", f"The points are those of the tests that you see; {unseen} more are given when it is graded."]
    )


def as_markdown(course: Path, here: Path) -> str:
    """The table for a notebook in the folder `here`."""
    lines = ["| lab | points | still open |", "|---|---|---|"]
    for each in standings(course):
        own = own_path(course, each.lab)
        link = Path(os.path.relpath(own if own.exists() else released_path(course, each.lab), here)).as_posix()
        points = f"{_number(each.earned)} of {_number(each.points)}"
        lines.append(f"| [{each.lab}]({link}) | {points} | {_remarks(each)} |")
    return "\n".join(lines)


def _remarks(standing: Standing) -> str:
    remarks = [", ".join(standing.open) or "nothing"]
    return "; looked up: ".join(remarks + ([", ".join(standing.revealed)] if standing.revealed else []))


def _standing(lab: str, notebook: Notebook, records: dict[str, dict[str, Any]]) -> Standing:
    standing = Standing(lab)
    standing.revealed = [exercise for exercise, known in records.items() if known.get("revealed")]
    for cell in notebook["cells"]:
        points, tested = role(cell).get("points") or 0, exercises_tested_in(cell)
        if not tested:
            standing.unseen += points
            continue
        share = _share(cell, tested, records)
        standing.points += points
        standing.earned += share * points
        if share < 1:
            standing.open.append((name_of(cell) or "").removeprefix("test_"))
    return standing


def _share(cell: dict[str, Any], tested: Sequence[str], records: dict[str, dict[str, Any]]) -> float:
    """What share of its points a test gives: all or none, but for one that says how many the parts are worth."""
    shares = [records.get(exercise, {}).get("share", 0) for exercise in tested]
    return sum(shares) / len(shares) if "points=" in text_of(cell) else float(min(shares) == 1)


def _path(course: Path) -> Path:
    return course / OWN / "progress.json"


def _read(course: Path) -> tuple[Records, bool]:
    """What is noted, and whether the file is there but makes no sense."""
    try:
        records = json.loads(_path(course).read_text(encoding="utf-8"))
    except OSError:
        return {}, False
    except (ValueError, RecursionError):
        return {}, True
    sound = isinstance(records, dict) and all(
        isinstance(of_lab, dict) and all(_is_sound(known) for known in of_lab.values()) for of_lab in records.values()
    )
    return (records, False) if sound else ({}, True)


def _is_sound(known: Any) -> bool:
    numbers = ("share", "tries", "failed_in_a_row")
    return isinstance(known, dict) and all(isinstance(known.get(name, 0), int | float) for name in numbers)


def _number(points: int | float) -> str:
    return f"{points:.3g}"


def main(words: Sequence[str], course: Path) -> None:
    """What the command line asks."""
    argparse.ArgumentParser(prog="python -m helpers.progress", description="How far you are.").parse_args(words)
    print(as_text(course))


if __name__ == "__main__":
    run_command(main)
