"""The instructor's copies run from top to bottom, and earn every point that can be earned without a person."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbgrader.utils import determine_grade, is_grade

ROOT = Path(__file__).parents[1]
SOLUTIONS = sorted((ROOT / "solutions").glob("*/*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_the_solution_runs_and_earns_every_automatic_point(path):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}}).execute()  # raises what a cell raises
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not [output for cell in code for output in cell.outputs if output.get("name") == "stderr"]
    grades = {cell.metadata.nbgrader.grade_id: determine_grade(cell) for cell in code if is_grade(cell)}
    assert grades
    assert {name for name, (points, out_of) in grades.items() if points != out_of} == set()
