"""How a student's cells are run: what they show is there afterwards."""

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from grading.executing import ExecuteApart
from tests.grading.classroom import SANDBOX

SLIDER = """
import ipywidgets
ipywidgets.interact(lambda step: print("step", step), step=ipywidgets.IntSlider(value=3, max=5));
"""


@pytest.mark.slow
@SANDBOX
def test_what_a_slider_draws_is_among_the_outputs_of_its_cell():
    notebook, _ = ExecuteApart().preprocess(new_notebook(cells=[new_code_cell(SLIDER)]), {})
    assert "step 3" in "".join(output.get("text", "") for output in notebook.cells[0].outputs)
