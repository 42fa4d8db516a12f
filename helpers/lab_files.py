"""The labs' notebooks as files: found by a short name, read, compared with the course's own, written without loss.

A notebook is plain JSON here, for `make lab` must not wait for nbformat, which takes a second to import.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OWN = "my_labs"  # the folder of a student's own copies

_CHECK = re.compile(r'\bcheck\((\w+)(?:, "(\w+)")?')

Notebook = dict[str, Any]
Cell = dict[str, Any]


class UserError(Exception):
    """Something that the user can put right. The message is one sentence, and goes to stderr without a traceback."""


def run_command(command: Callable[[Sequence[str], Path], None]) -> None:
    """Run a command with the words of the command line; a `UserError` is a sentence on stderr, and exit status 2."""
    try:
        command(sys.argv[1:], course_here())
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit("\nStopped.")


def course_here() -> Path:
    """The course in or around the working directory, as for a notebook's kernel, or else the one of this file."""
    here = Path.cwd()
    around = (
        folder for folder in (here, *here.parents) if (folder / "labs").is_dir() and (folder / "helpers").is_dir()
    )
    return next(around, ROOT)


def labs_of(course: Path) -> list[str]:
    """The names of all labs, in order."""
    return sorted(path.stem for path in (course / "labs").glob("*/*.ipynb") if path.stem == path.parent.name)


def find_lab(course: Path, word: str) -> str:
    """The lab that is meant by `lab01_masked_softmax`, `lab01` or `1`.

    Raises:
        UserError: if there is none.
    """
    labs = labs_of(course)
    number = re.fullmatch(r"(?:lab)?0*(\d+)", word)
    for lab in labs:
        if lab == word or (number and re.match(rf"lab0*{number[1]}_", lab)):
            return lab
    raise UserError(f"There is no lab called {word!r}; the labs are: {', '.join(labs) or 'none'}.")


def released_path(course: Path, lab: str) -> Path:
    return course / "labs" / lab / f"{lab}.ipynb"


def own_path(course: Path, lab: str) -> Path:
    return course / OWN / lab / f"{lab}.ipynb"


def shown(path: Path) -> str:
    """A path as the user would type it."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def read(path: Path) -> Notebook:
    """A notebook with its cells in good order.

    Raises:
        UserError: if it isn't there, can't be read, or is no notebook.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        sound = all(_is_sound(cell) for cell in notebook["cells"]) and isinstance(notebook["metadata"], dict)
    except FileNotFoundError as error:
        raise UserError(f"There is no {shown(path)}.") from error
    except OSError as error:
        raise UserError(f"{shown(path)} can't be read: {error.strerror}.") from error
    except (ValueError, TypeError, KeyError, RecursionError):
        sound = False
    if not sound:
        raise UserError(f"{shown(path)} is damaged, or never was a notebook; nothing was changed.")
    return notebook


def _is_sound(cell: Any) -> bool:
    source = cell["source"]
    lines = source if isinstance(source, list) else [source]
    return (
        cell["cell_type"] in ("code", "markdown", "raw")
        and isinstance(cell["metadata"], dict)
        and isinstance(known := cell["metadata"].get("nbgrader", {}), dict)
        and isinstance(known.get("points", 0), int | float | None)
        and all(isinstance(line, str) for line in lines)
    )


def write(path: Path, notebook: Notebook) -> None:
    """Write a notebook as nbformat would: as a whole or, if something comes between, not at all.

    Raises:
        UserError: if it can't be written.
    """
    write_text(path, json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True, separators=(",", ": ")) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole or not at all.

    Raises:
        UserError: if it can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
        try:
            # Half of a surrogate pair can't be encoded; in JSON its escape means the same.
            with open(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
                file.write(text)
            os.chmod(name, 0o644)
            os.replace(name, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
    except OSError as error:
        raise UserError(f"{shown(path)} can't be written: {error.strerror}; nothing was changed.") from error


def numbered(path: Path) -> Path:
    """A file's name with the next free number: `lab01.1.ipynb`, `lab01.2.ipynb`, …"""
    number = 1
    while (other := path.with_suffix(f".{number}{path.suffix}")).exists():
        number += 1
    return other


def keep_copy(path: Path) -> Path:
    """Copy a file beside itself under the next free number.

    Raises:
        UserError: if it can't be copied.
    """
    copy = numbered(path)
    try:
        shutil.copy2(path, copy)
    except OSError as error:
        raise UserError(f"{shown(copy)} can't be written: {error.strerror}; nothing was changed.") from error
    return copy


def rename(path: Path, to: Path) -> None:
    """Give a file another name.

    Raises:
        UserError: if that can't be done.
    """
    try:
        os.replace(path, to)
    except OSError as error:
        raise UserError(f"{shown(path)} can't be renamed: {error.strerror}; nothing was changed.") from error


def text_of(cell: Cell) -> str:
    return "".join(cell["source"])


def role(cell: Cell) -> dict[str, Any]:
    """What nbgrader notes in a cell: its name, its points, whether it is a test or an answer."""
    return cell["metadata"].get("nbgrader", {})


def name_of(cell: Cell) -> str | None:
    """The name by which nbgrader knows a cell, which stays the same over all versions of a lab."""
    name = role(cell).get("grade_id")
    return name if isinstance(name, str) else None


def is_answer(cell: Cell) -> bool:
    """Whether a student writes into this cell and is graded by it."""
    return name_of(cell) is not None and bool(role(cell).get("solution"))


def is_test(cell: Cell) -> bool:
    return name_of(cell) is not None and bool(role(cell).get("grade")) and not is_answer(cell)


def is_blank(cell: Cell) -> bool:
    """Whether an answer's cell is as it was released: nbgrader has noted the checksum that it had then."""
    return not text_of(cell).strip() or _checksum(cell) == role(cell).get("checksum")


def _checksum(cell: Cell) -> str:
    """nbgrader's, as `nbgrader.utils.compute_checksum` works it out."""
    known = role(cell)
    parts = [text_of(cell), cell["cell_type"], *(str(bool(known.get(key))) for key in ("grade", "solution", "locked"))]
    parts.append(str(name_of(cell)))
    if known.get("grade"):
        parts.append(str(float(known.get("points") or 0)))
    return hashlib.md5("".join(parts).encode("utf-8", "replace")).hexdigest()


def answers_in(notebook: Notebook) -> dict[str, Cell]:
    """The cells in which a student has written an answer, by name."""
    answers = ((name_of(cell), cell) for cell in notebook["cells"] if is_answer(cell) and not is_blank(cell))
    return {name: cell for name, cell in answers if name is not None}


def was_run(notebook: Notebook) -> bool:
    """Whether it was run and saved: its cells have outputs or numbers, which a lab as it was released has not."""
    return any(cell.get("outputs") or cell.get("execution_count") for cell in notebook["cells"])


def exercises_tested_in(cell: Cell) -> list[str]:
    """The exercises that a test cell, of those that a student sees, is about: those that it checks, or its own name."""
    name = name_of(cell) or ""
    if not is_test(cell) or name.endswith("_hidden"):
        return []
    checked = [called or answer for answer, called in _CHECK.findall(text_of(cell))]
    return list(dict.fromkeys(checked)) or [name.removeprefix("test_")]


def answer_cell(lab: Notebook, exercise: str) -> Cell | None:
    """The cell that an exercise is answered in: the one of its name, or the one before its test."""
    last = None
    for cell in lab["cells"]:
        if is_answer(cell):
            last = cell
        if name_of(cell) == exercise or exercise in exercises_tested_in(cell):
            return last
    return None


def exercises_in(lab: Notebook) -> list[str]:
    """The exercises of a lab: the names of its answers' cells, and those that tests have for parts of one."""
    answers = [str(name_of(cell)) for cell in lab["cells"] if is_answer(cell)]
    return list(dict.fromkeys([*answers, *(name for cell in lab["cells"] for name in exercises_tested_in(cell))]))


def find_exercise(lab: Notebook, name: str) -> str:
    """The exercise's name as the lab writes it.

    Raises:
        UserError: if the lab has no such exercise.
    """
    known = exercises_in(lab)
    for exercise in known:
        if name.lower() == exercise.lower():
            return exercise
    raise UserError(f"There is no exercise called {name!r} in this lab; its exercises are: {', '.join(known)}.")
