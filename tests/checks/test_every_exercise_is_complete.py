"""An exercise lives in several places. Whatever has it in one of them must have it in all."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import nbformat
import pytest
from nbgrader.utils import is_grade, is_solution

from helpers.checks.catalogue import exercise_names, lab_of, module_of
from tests.checks.bank import all_banks

ROOT = Path(__file__).parents[2]


def code_cells(folder: str) -> Iterator[nbformat.NotebookNode]:
    for path in sorted((ROOT / folder).glob("*/*.ipynb")):
        yield from (cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")


def is_answer(cell: nbformat.NotebookNode) -> bool:
    return is_solution(cell) and not is_grade(cell)


def defined(folder: str) -> set[str]:
    """The functions, classes and methods in the cells that a student fills in."""
    trees = (ast.walk(ast.parse(cell.source)) for cell in code_cells(folder) if is_answer(cell))
    return {node.name for tree in trees for node in tree if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def checked() -> set[str]:
    """What test cells call `check` for: by the answer's name, or by the second argument."""
    trees = (ast.walk(ast.parse(cell.source)) for cell in code_cells("solutions") if is_grade(cell))
    calls = [
        node for tree in trees for node in tree if isinstance(node, ast.Call) and ast.unparse(node.func) == "check"
    ]
    return {ast.unparse(call.args[-1]).strip("'") for call in calls}


def modules() -> list:
    """The modules of `helpers/checks/` that have an exercise, each under the name that the catalogue looks for."""
    files = sorted((ROOT / "helpers" / "checks").glob("lab*/*.py"))
    found = [import_module(f"helpers.checks.{file.parent.name}.{file.stem}") for file in files]
    return [
        module
        for module in found
        if hasattr(module, "EXERCISE") and module.__name__.endswith(f".{module_of(module.EXERCISE.name)}")
    ]


LABS = {lab_of(name) for name in exercise_names()}
CHECKS = [module.EXERCISE for module in modules()]
CLASSES_OF_SEVERAL = {exercise.owner for exercise in CHECKS if exercise.owner}
CELLS = {cell.metadata.nbgrader.grade_id for cell in code_cells("solutions") if is_answer(cell)}
PLACES = {
    "a solution in solutions/": defined("solutions"),
    "a test cell in solutions/ that checks it": checked(),
    "the blank in labs/ (make labs)": defined("labs"),
    "a module helpers/checks/labNN_…/<exercise>.py with an EXERCISE": {exercise.name for exercise in CHECKS},
    "its name in EXERCISES of helpers/checks/labNN_…/__init__.py": set(exercise_names()),
    "its line in IN_HELPERS of helpers/checks/labNN_…/__init__.py": {
        name for lab in LABS for name in import_module(f"helpers.checks.{lab}").IN_HELPERS
    },
    "right answers in tests/checks/answers/": {
        name for name, bank in all_banks().items() if any(answer.is_right for answer in bank)
    },
    "wrong answers in tests/checks/answers/": {
        name for name, bank in all_banks().items() if not all(answer.is_right for answer in bank)
    },
}
FOUND = (
    CELLS - CLASSES_OF_SEVERAL | checked() | {exercise.name for exercise in CHECKS} | {*exercise_names(), *all_banks()}
)


@pytest.mark.parametrize("exercise", sorted(FOUND))
def test_an_exercise_that_is_in_one_place_is_in_all(exercise):
    missing = [place for place, exercises in PLACES.items() if exercise not in exercises]
    assert not missing, f"{exercise} lacks " + "; ".join(missing)
