"""A notebook's links to labs lead to the student's own copies in JupyterLab, and stay as they are in the file."""

import copy

import pytest

from helpers.lab_files import OWN, own_path
from helpers.lab_links import lead_to_labs, lead_to_own_copies
from tests.own_copies.course import LAB

LINKS = f"Do [the lab](../labs/{LAB}/{LAB}.ipynb#second), then [another](../labs/lab02/lab02.ipynb) or [01](01.ipynb)."
CODE = {"cell_type": "code", "source": f'"](../labs/{LAB}/{LAB}.ipynb"'}


@pytest.mark.parametrize("source", [LINKS, LINKS.splitlines(keepends=True)], ids=["text", "lines"])
def test_links_lead_to_the_own_copies_that_are_there_and_back_again(source, course):
    notebook = {"cells": [{"cell_type": "markdown", "source": source}, copy.deepcopy(CODE)]}
    own_path(course, LAB).parent.mkdir(parents=True)
    own_path(course, LAB).touch()
    lead_to_own_copies(notebook, course)
    assert notebook["cells"][0]["source"] == LINKS.replace(f"labs/{LAB}/", f"{OWN}/{LAB}/")
    assert notebook["cells"][1] == CODE
    lead_to_labs(notebook)
    assert notebook["cells"][0]["source"] == LINKS
