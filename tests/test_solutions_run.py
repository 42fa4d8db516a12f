"""The instructor's copies run from top to bottom and earn every automatic point; with their blanks empty, none.

All labs but 6 and 7 do so with few packages: the rest is hidden from them. A call that a newer version will drop is an
error here.
"""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert.preprocessors import CellExecutionError
from nbformat.v4 import new_code_cell
from nbgrader.preprocessors import ClearSolutions
from nbgrader.utils import determine_grade, is_grade

ROOT = Path(__file__).parents[1]
SOLUTIONS = sorted((ROOT / "solutions").glob("*/*.ipynb"))

# What labs 6 and 7, the notebooks and the teacher need besides PyTorch, NumPy, Matplotlib, jaxtyping, tqdm and IPython.
# (zmq, jupyter_client and traitlets are the kernel's.)
HIDE_THE_REST = """
import sys

for name in (
    "beartype bleach distributed filelock ipywidgets jinja2 jupyterlab latex2mathml nbclient nbconvert nbformat "
    "nbgrader pooch psycopg sacrebleu safetensors sqlalchemy tokenizers"
).split():
    sys.modules[name] = None
"""

RAISE_WHAT_IS_DEPRECATED = """
import warnings

for kind in (DeprecationWarning, FutureWarning):
    warnings.simplefilter("error", kind)
"""


def grades(notebook) -> dict[str, tuple[float, float]]:
    """Points and possible points of every cell that is graded without a person."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and is_grade(cell)]
    return {cell.metadata.nbgrader.grade_id: determine_grade(cell) for cell in cells}


def run(notebook, path: Path) -> None:
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()


def texts(notebook, stream: str) -> list[str]:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.text for output in outputs if output.get("name") == stream]


def errors(notebook) -> list[str]:
    """What cells raised that may raise: in a student's copy they are blank."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [f"{output.ename}: {output.evalue}" for output in outputs if output.output_type == "error"]


@pytest.mark.slow
@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_the_solution_runs_and_earns_every_automatic_point(path):
    notebook = nbformat.read(path, as_version=4)
    if path.stem[:5] not in ("lab06", "lab07"):
        notebook.cells.insert(0, new_code_cell(HIDE_THE_REST))
    notebook.cells.insert(0, new_code_cell(RAISE_WHAT_IS_DEPRECATED))
    run(notebook, path)
    assert errors(notebook) == texts(notebook, "stderr") == []
    found = grades(notebook)
    assert found
    assert {name for name, (points, out_of) in found.items() if points != out_of} == set()


@pytest.mark.slow
@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_a_blank_lab_earns_nothing_and_fails_nowhere_but_in_its_tests(path, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    notebook, _ = ClearSolutions().preprocess(nbformat.read(path, as_version=4), {})
    for cell in notebook.cells:
        # A hidden test has no tag that lets it raise; only in the instructor's copy is it there at all.
        if cell.cell_type == "code" and is_grade(cell):
            cell.metadata.tags = ["raises-exception"]
    try:
        run(notebook, path)
    except CellExecutionError as error:
        pytest.fail(f"a cell that is no test fails while the lab is blank:\n{error}")
    assert texts(notebook, "stderr") == []
    found = grades(notebook)
    assert found
    assert {name for name, (points, _) in found.items() if points} == set()
