"""The course for a class, in one zip: python -m tools.handout [LAB], or `make handout`.

In it is what a student needs, and nothing that only the instructor should have: what isn't listed here stays here.
"""

import argparse
import re
import subprocess
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from helpers.lab_files import UserError, find_lab, run_command, shown
from helpers.own_copies import require_unanswered

ROOMS = ("notebooks", "labs", "helpers", "assets", "tools/jupyterlab")
FILES = (
    "LICENSE",
    "constraints.txt",
    "environment.yml",
    "jupyter_lab_config.py",
    "pyproject.toml",
    "tools/install.py",
    "tools/lab.py",
)
TARGETS = ("help", "lab", "clean", "environment")  # of the Makefile
FOR_STUDENTS = "tools/for_students"  # files that take the place of the course's own
ONLY_FOR_INSTRUCTORS = ("BEGIN SOLUTION", "BEGIN HIDDEN TESTS", "BEGIN MARK SCHEME")
FOLDER = "attention-by-hand"  # the folder that the zip unpacks to


def write_handout(course: Path, lab: str | None = None) -> Path:
    """Write the zip, with all labs or with one alone, and return its path. The same course gives the same zip.

    Raises:
        UserError: if a lab holds answers, or what only instructors may see; or the zip can't be written.
    """
    require_unanswered(course)
    contents = {name: (course / name).read_bytes() for name in _names(course, lab)}
    contents |= {path.name: path.read_bytes() for path in sorted((course / FOR_STUDENTS).iterdir()) if path.is_file()}
    contents["Makefile"] = students_makefile((course / "Makefile").read_text(encoding="utf-8")).encode()
    for name, content in contents.items():
        if found := [mark for mark in ONLY_FOR_INSTRUCTORS if mark.encode() in content]:
            raise UserError(f"{name} has what only instructors may see ({', '.join(found)}): no hand-out was written.")
    path = course / "build" / f"{lab or FOLDER}.zip"
    try:
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as handout:
            for name, content in sorted(contents.items()):
                entry = zipfile.ZipInfo(f"{FOLDER}/{name}")  # without a time of its own
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                handout.writestr(entry, content)
    except OSError as error:
        raise UserError(f"{shown(path)} can't be written: {error.strerror}.") from error
    return path


def students_makefile(text: str) -> str:
    """The Makefile without the targets whose rooms a student doesn't have."""
    blocks = text.strip().split("\n\n")
    kept = []
    for block in blocks:
        target = re.match(r"([a-z-]+):", block)
        if block.startswith(".PHONY"):
            block = f".PHONY: {' '.join(TARGETS)}"
        if target is None or target[1] in TARGETS:
            kept.append(block)
    return "\n\n".join(kept) + "\n"


def _names(course: Path, lab: str | None) -> Iterator[str]:
    """The files of the course that a student gets as they are."""
    yield from FILES
    for room in ROOMS:
        if lab is not None and room == "labs":
            room = f"labs/{lab}"
        yield from _files_in(course, room)


def _files_in(course: Path, room: str) -> list[str]:
    """The files of a room: those in git, or without git all but caches."""
    command = ["git", "ls-files", "-z", "--", room]
    try:
        listed = subprocess.run(command, cwd=course, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.SubprocessError):
        listed = [path.relative_to(course).as_posix() for path in (course / room).rglob("*")]
    unwanted = ("__pycache__", ".ipynb_checkpoints")
    return sorted(name for name in listed if (course / name).is_file() and not set(unwanted) & set(name.split("/")))


def main(words: Sequence[str], course: Path) -> None:
    """What the command line asks."""
    parser = argparse.ArgumentParser(prog="python -m tools.handout", description="Write a zip for a class.")
    parser.add_argument("lab", nargs="?", help="this lab alone, for example lab01_masked_softmax or 1")
    arguments = parser.parse_args(words)
    path = write_handout(course, find_lab(course, arguments.lab) if arguments.lab else None)
    print(f"{shown(path)}, {path.stat().st_size / 1e6:.1f} MB: no solution, hidden test or rubric is in it.")
    print("helpers/, which the notebooks need, has working versions of most pieces: see docs/grading.md.")


if __name__ == "__main__":
    run_command(main)
