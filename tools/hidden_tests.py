"""Runs a lab's hidden tests, as they stand in the instructor's copy, on an answer of the caller's choosing."""

import math
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import torch

SOLUTIONS = Path(__file__).parents[1] / "solutions"


@cache
def cell_source(lab: str, grade_id: str) -> str:
    """The source of the cell with that grade_id in the instructor's copy."""
    notebook = nbformat.read(SOLUTIONS / lab / f"{lab}.ipynb", as_version=4)
    return next(cell.source for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


@cache
def has_hidden_tests(lab: str, exercise: str) -> bool:
    """Whether the exercise has a cell of hidden tests."""
    try:
        return "BEGIN HIDDEN TESTS" in cell_source(lab, f"test_{exercise}_hidden")
    except StopIteration:
        return False


def run_hidden_tests(lab: str, grade_id: str, **answers: Any) -> None:
    """Run a test cell with what the lab imports, and with `answers` under their names."""
    source = cell_source(lab, grade_id)
    assert "BEGIN HIDDEN TESTS" in source
    names = {"torch": torch, "math": math, "nn": torch.nn, "Tensor": torch.Tensor}
    exec(compile(source, f"{lab}:{grade_id}", "exec"), names | answers)
