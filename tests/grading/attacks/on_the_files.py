"""Attacks by what is handed in beside the notebook, or in its place; and by names and times."""

import os
from pathlib import Path

from tests.grading.attacks.attack import MARKER, Attack, then

_GIVES_UP = "nbgrader gives up on the submission"
_RAN = then("")


def _beside(**files: str):
    def place(folder: Path, text: str) -> None:
        (folder / "doubling.ipynb").write_text(text)
        for name, content in files.items():
            path = folder / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    return place


def _link(name: str, target: str):
    def place(folder: Path, text: str) -> None:
        if name != "doubling.ipynb":
            (folder / "doubling.ipynb").write_text(text)
        (folder / name).symlink_to(target)

    return place


def _link_the_folder(folder: Path, text: str) -> None:
    folder.rmdir()
    folder.symlink_to("../honest/doubling")


def _stamp(text: str):
    def place(folder: Path, notebook: str) -> None:
        (folder / "doubling.ipynb").write_text(notebook)
        (folder / "timestamp.txt").write_text(text)

    return place


def _pipe(folder: Path, text: str) -> None:
    (folder / "doubling.ipynb").write_text(text)
    os.mkfifo(folder / "timestamp.txt")


_YES = f"print({MARKER!r})\nisclose = lambda *a: True\n"

FILES = [
    Attack(
        "shadow-module",
        "a module of the submission's takes the place of one that the test uses",
        _RAN,
        place=_beside(numpy=_YES),
        on=("test_double_hidden",),
    ),
    Attack(
        "site-customized",
        "modules that Python runs by itself when it starts are handed in",
        _RAN,
        place=_beside(sitecustomize=_YES, usercustomize=_YES),
        stock="Python looks for them before the folder is on its path",
    ),
    Attack(
        "link-to-the-solution",
        "the notebook is a link to the instructor's",
        place=_link("doubling.ipynb", "../../../../solutions/doubling/doubling.ipynb"),
        trace="doubling.ipynb is a link",
        refused=True,
    ),
    Attack(
        "link-to-passwords",
        "the notebook is a link to a file of the system's",
        place=_link("doubling.ipynb", "/etc/passwd"),
        trace="doubling.ipynb is a link",
        refused=True,
        stock=_GIVES_UP,
    ),
    Attack(
        "link-to-a-neighbour",
        "the folder is a link to a fellow student's",
        place=_link_the_folder,
        trace="doubling is a link",
        refused=True,
    ),
    Attack(
        "link-to-a-secret",
        "a file is a link to one of the instructor's, to be copied into the feedback",
        _RAN,
        place=_link("notes.txt", "../../../../secret.txt"),
        trace="notes.txt is a link",
        refused=True,
        harms=lambda course: any(
            path.read_text() == "secret" for path in course.glob("classroom/*graded/*/*/notes.txt")
        ),
    ),
    Attack(
        "pipe",
        "the time of the submission is read from a pipe, for ever",
        _RAN,
        place=_pipe,
        trace="timestamp.txt is neither a file nor a folder",
        refused=True,
        stock="not tried: it hangs",
        tried_on_stock=False,
    ),
    Attack(
        "time-that-is-none",
        "the time of the submission is no time",
        _RAN,
        place=_stamp("yesterday, honestly"),
        stock=_GIVES_UP,
    ),
    Attack(
        "time-far-away",
        "the time of the submission has too many digits",
        _RAN,
        place=_stamp("9" * 60),
        stock=_GIVES_UP,
    ),
]

# Names that are odd and do no harm: their right answers earn what is theirs, or the instructor is told what to do.
ODD_NAMES = {
    "Åsa Ōe 名前": None,
    "-rf": None,
    "dots.and..dots": None,
    "Robert'); DROP TABLE grade;--": None,
    "{student_id}": None,
    "100%s": None,
    " spaced": "nbgrader takes away the spaces at the ends of a name: rename the folder",
    "new\nline": "its name has characters that can't be shown: rename the folder",
    "\x1bcred": "its name has characters that can't be shown: rename the folder",
    "star*": "nbgrader can't handle the characters * ? [ ] in a name: rename the folder",
}
