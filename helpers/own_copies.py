"""A student's own copies of the labs, in my_labs/: made once, never touched again, and brought up to date beside.

python -m helpers.own_copies             make the copies that are missing, as `make lab` does
python -m helpers.own_copies take LAB    go on in the newer version of a lab; the old file is kept
python -m helpers.own_copies move LAB    bring answers from labs/ into the own copy; the old file is kept
python -m helpers.own_copies unanswered  fail if there are answers in labs/, which `make labs` would write over
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from helpers.carrying_over import carried_over, is_of_version, stamped, with_answers, without_outputs
from helpers.lab_files import (
    OWN,
    Notebook,
    UserError,
    answers_in,
    find_lab,
    keep_copy,
    labs_of,
    numbered,
    own_path,
    read,
    released_path,
    rename,
    run_command,
    shown,
    text_of,
    was_run,
    write,
)

_NEWER = re.compile(r"\.new(\d*)\.ipynb$")


def prepare(course: Path) -> None:
    """What `make lab` begins with: make the copies that are missing, and say what there is to say."""
    print(f"Your own copies of the labs are in {OWN}/: write there, and no update touches what you wrote.", flush=True)
    for lab in labs_of(course):
        try:
            for sentence in make_copy(course, lab):
                print(sentence, flush=True)
        except UserError as error:
            print(error, file=sys.stderr, flush=True)


def make_copy(course: Path, lab: str) -> list[str]:
    """Make a student's copy of a lab, unless there is one; if that is of an older version, a newer one beside it.

    Returns what the student should know, in sentences.

    Raises:
        UserError: if the lab or the copy is damaged, or the copy can't be written.
    """
    given, path = read(released_path(course, lab)), own_path(course, lab)
    misplaced = answers_in(given)
    blank = given if not misplaced else committed(course, lab)
    if not path.exists():
        if blank is None:
            write(path, given)
        else:
            write(path, carried_over(blank, given) if misplaced else stamped(without_outputs(blank)))
        return said_of_labs(course, lab)
    copies, said = [path, *newer_copies(course, lab)], []
    if blank is not None and not any(is_of_version(read(copy), blank) for copy in copies):
        own = read(max(copies, key=lambda copy: copy.stat().st_mtime_ns))
        newer = path.with_name(f"{lab}.new.ipynb") if copies[-1] == path else _next(copies[-1])
        write(newer, carried_over(without_outputs(blank), own))
        said.append(
            f"{shown(newer)} is a newer version of this lab with your answers in it, beside your old file: "
            f"`python -m helpers.own_copies take {lab}` puts it in the old one's place, and keeps that under a number."
        )
    return said + said_of_labs(course, lab)


def newer_copies(course: Path, lab: str) -> list[Path]:
    """The newer versions of a lab that lie beside a student's copy, the newest last."""
    copies = own_path(course, lab).parent.glob(f"{lab}.new*.ipynb")
    return sorted((copy for copy in copies if _NEWER.search(copy.name)), key=_number)


def _number(newer: Path) -> int:
    """1 for `lab01.new.ipynb`, 2 for `lab01.new2.ipynb`, …"""
    found = _NEWER.search(newer.name)
    return int(found[1] or 1) if found else 0


def _next(newer: Path) -> Path:
    return newer.with_name(_NEWER.sub(f".new{_number(newer) + 1}.ipynb", newer.name))


def committed(course: Path, lab: str) -> Notebook | None:
    """The lab as git has it, where there is git; for it has answers in it where it lies."""
    command = ["git", "show", f"HEAD:./{released_path(course, lab).relative_to(course).as_posix()}"]
    try:
        done = subprocess.run(command, cwd=course, capture_output=True, check=True)
        notebook = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return None if answers_in(notebook) else notebook


def blank_lab(course: Path, lab: str) -> Notebook:
    """The lab as it was released.

    Raises:
        UserError: if there are answers in it, and git doesn't have it without.
    """
    given = read(released_path(course, lab))
    blank = committed(course, lab) if answers_in(given) else given
    if blank is None:
        raise UserError(f"{shown(released_path(course, lab))} isn't blank any more: get the course's own file again.")
    return blank


def said_of_labs(course: Path, lab: str) -> list[str]:
    """What a student should know who has worked in labs/, in sentences."""
    given = read(released_path(course, lab))
    if answers_in(given):
        return [answers_in_labs(course, lab)]
    if was_run(given):
        place = shown(released_path(course, lab))
        return [
            f"{place} was run and saved there, and the next version of the course would collide with it. No answer of "
            f"yours is in it: `git checkout {place}` makes it the course's own again."
        ]
    return []


def answers_in_labs(course: Path, lab: str) -> str:
    """What a student should know who has written into labs/, in a sentence."""
    place, own = shown(released_path(course, lab)), own_path(course, lab)
    if _missing_in(read(own), read(released_path(course, lab))):
        return (
            f"{place} has answers in it that your own copy lacks, and the next version of the course would collide "
            f"with them: `python -m helpers.own_copies move {lab}` copies them over."
        )
    return (
        f"{place} has answers in it, which your own copy {shown(own)} has too: go on there. "
        f"`git checkout {place}` makes the course's file blank again, so that updates go through."
    )


def _missing_in(own: Notebook, given: Notebook) -> dict[str, dict]:
    """The answers of `given` that stand nowhere in `own`, by name."""
    there = [text_of(cell) for cell in own["cells"]]
    return {name: cell for name, cell in answers_in(given).items() if not any(text_of(cell) in text for text in there)}


def move(course: Path, lab: str) -> None:
    """Bring the answers in labs/ into the student's copy. Where both have one, its own stays, and the other comes last.

    Raises:
        UserError: if one of the two is damaged, or the copy can't be written.
    """
    given, path = read(released_path(course, lab)), own_path(course, lab)
    if not path.exists():
        make_copy(course, lab)
        print(f"The answers are in {shown(path)}; {shown(released_path(course, lab))} was left as it is.")
        return
    own = read(path)
    missing = _missing_in(own, given)
    if not missing:
        print(f"{shown(path)} has everything already; nothing was changed.")
        return
    taken = answers_in(own)
    cells = []
    for cell in own["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        fits = name in missing and name not in taken and missing[name]["cell_type"] == cell["cell_type"]
        cells.append(cell | {"source": missing.pop(name)["source"]} if fits else cell)
    whole = with_answers(own | {"cells": cells}, list(missing.values()), "## Answers from labs/ to the same exercises")
    kept = keep_copy(path)
    write(path, whole)
    print(f"The answers are in {shown(path)} now, and the file as it was is {shown(kept)}; labs/ was left as it is.")


def take(course: Path, lab: str) -> None:
    """Put the newest version of a lab in the place of the student's copy, which is kept under a number like any others.

    Raises:
        UserError: if there is no newer version, it is damaged, or the files can't be written.
    """
    path, newer = own_path(course, lab), newer_copies(course, lab)
    if not newer:
        raise UserError(f"There is no newer version of {lab} beside {shown(path)}.")
    read(newer[-1])
    kept = keep_copy(path) if path.exists() else None
    rename(newer[-1], path)
    for older in newer[:-1]:
        rename(older, numbered(path))
    print(f"{shown(path)} is the newer version now" + (f", and the old file is {shown(kept)}." if kept else "."))


def require_unanswered(course: Path) -> None:
    """Make sure that no student's answers are in labs/.

    Raises:
        UserError: if there are.
    """
    answered = [lab for lab in labs_of(course) if answers_in(read(released_path(course, lab)))]
    if answered:
        raise UserError(
            f"There are answers in labs/ ({', '.join(answered)}), and nothing there was written over: "
            "`python -m helpers.own_copies move LAB` copies them to your own copy, and then `git checkout labs`."
        )


def main(words: Sequence[str], course: Path) -> None:
    """What the command line asks."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.own_copies", description=(__doc__ or "").partition("\n")[0]
    )
    commands = parser.add_subparsers(dest="command")
    for name, what in (("take", "go on in the newer version"), ("move", "bring answers from labs/ into the own copy")):
        commands.add_parser(name, help=what).add_argument("lab")
    commands.add_parser("unanswered", help="fail if there are answers in labs/")
    arguments = parser.parse_args(words)
    if arguments.command is None:
        prepare(course)
    elif arguments.command == "unanswered":
        require_unanswered(course)
    else:
        lab = find_lab(course, arguments.lab)
        take(course, lab) if arguments.command == "take" else move(course, lab)


if __name__ == "__main__":
    run_command(main)
