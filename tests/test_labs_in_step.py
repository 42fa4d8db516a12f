"""labs/ is what nbgrader makes of solutions/, to the byte, gives nothing away, and imports what an answer may use."""

import math
import subprocess
from pathlib import Path

import nbformat
import pytest
import torch
from nbgrader.converters import GenerateAssignment

from grading.course import Course
from helpers.lab_files import answers_in, read, released_path, was_run
from tools.badges import FIRST_CELL

ROOT = Path(__file__).parents[1]
LABS = sorted(path.name for path in (ROOT / "solutions").iterdir() if path.is_dir())
ONLY_FOR_INSTRUCTORS = ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "MARK SCHEME")


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file with its content, but for what JupyterLab leaves about."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".ipynb_checkpoints" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def students_copy(lab: str) -> dict[str, bytes]:
    """The files of a lab: as git has them, where a student has written answers into them, or run them."""
    files, path = files_below(ROOT / "labs" / lab), released_path(ROOT, lab)
    notebook = read(path)
    if answers_in(notebook) or was_run(notebook):
        name = path.relative_to(ROOT).as_posix()
        show = subprocess.run(["git", "show", f"HEAD:{name}"], cwd=ROOT, capture_output=True)
        advice = f"someone worked in {name}: `python -m helpers.own_copies move {lab}` brings answers to the own copy"
        assert show.returncode == 0, advice
        files[path.name] = show.stdout
    return files


def test_there_is_a_lab_for_each_solution_and_no_other():
    assert sorted(path.name for path in (ROOT / "labs").iterdir() if path.is_dir()) == LABS


@pytest.mark.parametrize("lab", LABS)
def test_the_student_copy_is_in_step_with_the_solution(lab, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    course = Course.here()
    course.config.SaveCells.enabled = False  # with `no_database` what `nbgrader generate_assignment --no-db` does
    directory = course.directory(assignment_id=lab, release_directory=str(tmp_path))
    GenerateAssignment(coursedir=directory, config=course.config, no_database=True).start()
    assert files_below(tmp_path / lab) == students_copy(lab), "write it anew with `make labs`"


@pytest.mark.parametrize("lab", LABS)
def test_the_student_copy_holds_no_solution_no_hidden_test_no_rubric_and_no_output(lab):
    for text in (file.decode() for name, file in students_copy(lab).items() if name.endswith(".ipynb")):
        assert not [mark for mark in ONLY_FOR_INSTRUCTORS if mark in text]
        cells = nbformat.reads(text, as_version=4).cells
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.mark.parametrize("lab", LABS)
def test_the_student_copy_says_where_to_write(lab):
    assert f"In your own copy, `my_labs/{lab}/`" in students_copy(lab)[f"{lab}.ipynb"].decode()


@pytest.fixture
def threads():
    """A lab sets PyTorch's threads for its own process; here they are put back."""
    number = torch.get_num_threads()
    yield
    torch.set_num_threads(number)


@pytest.mark.parametrize("lab", LABS)
def test_the_first_cell_imports_what_every_answer_may_use(lab, threads):
    cells = nbformat.read(ROOT / "labs" / lab / f"{lab}.ipynb", as_version=4).cells
    names = {}
    exec(next(cell.source for cell in cells if cell.cell_type == "code" and cell.id != FIRST_CELL), names)
    promised = {"torch": torch, "math": math, "nn": torch.nn, "Tensor": torch.Tensor}
    assert {name: names.get(name) for name in promised} == promised
