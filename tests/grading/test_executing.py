"""How a student's cells are run: what they show is there afterwards."""

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from grading.executing import ExecuteApart

SLIDER = """
import ipywidgets
ipywidgets.interact(lambda step: print("step", step), step=ipywidgets.IntSlider(value=3, max=5));
"""


@pytest.mark.slow
def test_what_a_slider_draws_is_among_the_outputs_of_its_cell():
    notebook, _ = ExecuteApart(sandbox=False).preprocess(new_notebook(cells=[new_code_cell(SLIDER)]), {})
    assert "step 3" in "".join(output.get("text", "") for output in notebook.cells[0].outputs)


ENDS = {
    "exit": "exit()",
    "quit": "quit()",
    "sys.exit": "import sys\nsys.exit()",
    "start anew": "get_ipython().kernel.do_shutdown(True)",
    "start anew, as in Colab": "import IPython\nIPython.Application.instance().kernel.do_shutdown(True)",
}


@pytest.mark.slow
@pytest.mark.parametrize("words", ENDS.values(), ids=list(ENDS))
def test_the_words_that_end_a_kernel_end_a_cell_at_most(words):
    cells = [f"before = 1\n{words}", "import time\ntime.sleep(0.5)", "print('still', before)"]
    notebook = new_notebook(cells=[new_code_cell(text) for text in cells])
    notebook, _ = ExecuteApart(sandbox=False).preprocess(notebook, {})
    assert "still 1" in "".join(output.get("text", "") for output in notebook.cells[-1].outputs)


@pytest.mark.slow
def test_an_answer_that_torch_is_to_compile_runs_as_it_is():
    cell = new_code_cell(
        "import torch\n@torch.compile\ndef twice(x):\n    return 2 * x\nprint(twice(torch.ones(2)).sum())"
    )
    notebook, _ = ExecuteApart(sandbox=False).preprocess(new_notebook(cells=[cell]), {})
    assert "tensor(4.)" in "".join(output.get("text", "") for output in notebook.cells[0].outputs)
