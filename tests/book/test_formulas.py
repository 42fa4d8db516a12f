"""Formulas as MathML: what the converter leaves out."""

import pytest

from book.formulas import to_mathml


@pytest.mark.parametrize(("tex", "has_space"), [(r"\ln 4", True), (r"\alpha \ln \alpha", True), (r"\ln(4)", False)])
def test_a_function_stands_apart_from_its_argument_unless_that_is_in_brackets(tex, has_space):
    assert ("<mspace" in to_mathml(tex, "inline")) == has_space


def test_a_norm_is_as_high_as_it_is_written():
    assert to_mathml(r"\lVert \sum_i x_i \rVert", "inline").count('stretchy="false"') == 2


def test_a_query_keeps_its_colour():
    assert 'mathcolor="#0072B2"' in to_mathml(r"{\color{#0072B2}q} \cdot k", "block")
