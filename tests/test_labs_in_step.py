"""labs/ is what nbgrader makes of solutions/, to the byte, and gives nothing away."""

from pathlib import Path

import nbformat
import pytest
from nbgrader.converters import GenerateAssignment

from grading.course import Course

ROOT = Path(__file__).parents[1]
LABS = sorted(path.name for path in (ROOT / "solutions").iterdir() if path.is_dir())
ONLY_FOR_INSTRUCTORS = ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "MARK SCHEME")


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file with its content, but for what JupyterLab leaves about."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".ipynb_checkpoints" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_there_is_a_lab_for_each_solution_and_no_other():
    assert sorted(path.name for path in (ROOT / "labs").iterdir() if path.is_dir()) == LABS


@pytest.mark.parametrize("lab", LABS)
def test_the_student_copy_is_in_step_with_the_solution(lab, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    course = Course.here()
    course.config.SaveCells.enabled = False  # with `no_database` what `nbgrader generate_assignment --no-db` does
    directory = course.directory(assignment_id=lab, release_directory=str(tmp_path))
    GenerateAssignment(coursedir=directory, config=course.config, no_database=True).start()
    assert files_below(tmp_path / lab) == files_below(ROOT / "labs" / lab), "write it anew with `make labs`"


@pytest.mark.parametrize("lab", LABS)
def test_the_student_copy_holds_no_solution_no_hidden_test_no_rubric_and_no_output(lab):
    for path in (ROOT / "labs" / lab).glob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        assert not [mark for mark in ONLY_FOR_INSTRUCTORS if mark in text]
        cells = nbformat.reads(text, as_version=4).cells
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
