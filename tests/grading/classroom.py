"""A course in a folder of its own, for the tests that grade: the repo's solutions and labs, and an empty classroom."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from grading.sample_class import fill_in

ROOT = Path(__file__).parents[2]
LAB = "lab01_masked_softmax"
SANDBOX = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap isn't installed: apt install bubblewrap")


def make_course(folder: Path) -> Path:
    """Copy what grading needs of the repo into the folder."""
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    for room in ("solutions", "labs"):
        shutil.copytree(ROOT / room / LAB, folder / room / LAB)
    return folder


def filled_in(answers: Mapping[str, str]) -> str:
    """The student's copy of the lab with these cells written, as a file's text."""
    blank = nbformat.read(ROOT / "labs" / LAB / f"{LAB}.ipynb", as_version=4)
    return nbformat.writes(fill_in(blank, answers))


def hand_in(course: Path, student: str, text: str, file: str = f"{LAB}.ipynb") -> Path:
    """Put a student's file where submissions go."""
    path = course / "classroom" / "submitted" / student / LAB / file
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def run(course: Path, module: str, *words: str) -> subprocess.CompletedProcess:
    """Run `python -m module` in the course's folder, with the path that `make` gives it."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=course, env=os.environ | {"PATH": path}, capture_output=True, text=True)


def open_gradebook(course: Path) -> Gradebook:
    return Gradebook(f"sqlite:///{course / 'classroom' / 'gradebook.db'}", "attention-by-hand")


def scores(course: Path, student: str) -> dict[str, float]:
    """What the gradebook has for each graded cell."""
    with open_gradebook(course) as gradebook:
        (notebook,) = gradebook.find_submission(LAB, student).notebooks
        return {grade.name: grade.score for grade in notebook.grades}
