"""A course in a folder of its own, for the tests that grade: the repo's solutions and labs, and an empty classroom."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.api import Gradebook

from grading.autograding import register
from grading.course import Course
from grading.logs import logging_to
from grading.recording import content, note_content
from grading.sample_class import fill_in
from helpers.checks.report import RECORD
from helpers.lab_files import released_path, write
from helpers.own_copies import blank_lab

ROOT = Path(__file__).parents[2]
LAB = "lab01_masked_softmax"


def make_course(folder: Path) -> Path:
    """Copy what grading needs of the repo into the folder."""
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    for room in ("solutions", "labs"):
        shutil.copytree(ROOT / room / LAB, folder / room / LAB)
    write(released_path(folder, LAB), blank_lab(ROOT, LAB))  # a student may have written into labs/
    return folder


def register_lab() -> None:
    """Have the gradebook of the course in the working directory take in the lab, as every grading does first."""
    course = Course.here()
    with logging_to(course.classroom / "autograde.log") as reason:
        register(course, LAB, reason)


def filled_in(answers: Mapping[str, str]) -> str:
    """The student's copy of the lab with these cells written, as a file's text."""
    blank = nbformat.reads(json.dumps(blank_lab(ROOT, LAB)), as_version=4)
    return nbformat.writes(fill_in(blank, answers))


def hand_in(course: Path, student: str, text: str, file: str = f"{LAB}.ipynb") -> Path:
    """Put a student's file where submissions go."""
    path = course / "classroom" / "submitted" / student / LAB / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def run(course: Path, module: str, *words: str, **variables: str) -> subprocess.CompletedProcess:
    """Run `python -m module` in the course's folder, with the path that `make` gives it."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command, environment = [sys.executable, "-m", module, *words], os.environ | {"PATH": path} | variables
    return subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True)


def open_gradebook(course: Path) -> Gradebook:
    return Gradebook(f"sqlite:///{course / 'classroom' / 'gradebook.db'}", "attention-by-hand")


def scores(course: Path, student: str) -> dict[str, float]:
    """What the gradebook has for each graded cell."""
    with open_gradebook(course) as gradebook:
        (notebook,) = gradebook.find_submission(LAB, student).notebooks
        return {grade.name: grade.score for grade in notebook.grades}


def graded(
    course: Path,
    student: str,
    points: Mapping[str, float | None],
    outputs: Mapping[str, list[NotebookNode]] | None = None,
) -> Path:
    """Put down a submission as graded, without running it: the executed notebook, with these cells' outputs.

    Cells that aren't named have 0 points; None is a written answer that is yet to be marked.
    """
    handed_in = hand_in(course, student, filled_in({}))
    with open_gradebook(course) as gradebook:
        gradebook.update_or_create_student(student)
        submission = gradebook.update_or_create_submission(LAB, student)
        for grade in (grade for notebook in submission.notebooks for grade in notebook.grades):
            grade.auto_score = points.get(grade.name, 0)
            grade.needs_manual_grade = grade.auto_score is None
        note_content(gradebook, LAB, student, content(handed_in.parent, LAB))
        gradebook.db.commit()
    notebook = nbformat.read(course / "solutions" / LAB / f"{LAB}.ipynb", as_version=4)
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if outputs is not None and name in outputs:
            cell.outputs = outputs[name]
    path = course / "classroom" / "autograded" / student / LAB / f"{LAB}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    return path


def record(
    exercise: str, misconception: str | None = None, blank: bool = False, held: int = 0, fails: tuple = ()
) -> NotebookNode:
    """The output that a check of 12 properties leaves behind."""
    found = {"exercise": exercise, "blank": blank, "held": held, "properties": 12, "misconception": misconception}
    found["fails"] = [list(each) for each in fails]
    return new_output("display_data", data={"text/plain": "report", "text/html": "report", RECORD: found})
