"""Formulas as MathML: what the converter leaves out, and what mustn't get in."""

import re

import pytest

from helpers.formulas import to_mathml


@pytest.mark.parametrize(("tex", "has_space"), [(r"\ln 4", True), (r"\alpha \ln \alpha", True), (r"\ln(4)", False)])
def test_a_function_stands_apart_from_its_argument_unless_that_is_in_brackets(tex, has_space):
    assert ("<mspace" in to_mathml(tex, "inline")) == has_space


def test_a_function_stands_apart_from_its_factor():
    assert to_mathml(r"a \cos x", "inline").index("<mspace") < to_mathml(r"a \cos x", "inline").index("cos")


def test_a_norm_is_as_high_as_it_is_written():
    assert to_mathml(r"\lVert \sum_i x_i \rVert", "inline").count('stretchy="false"') == 2


def test_a_query_keeps_its_colour():
    assert 'mathcolor="#0072B2"' in to_mathml(r"{\color{#0072B2}q} \cdot k", "block")


def test_aligned_equations_are_rows_of_a_table():
    assert to_mathml(r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "block").count("<mtr>") == 2


@pytest.mark.parametrize(
    "tex",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\style{position: fixed; background: url(http://192.0.2.1/)}{x}",
        r'\class{x" onclick="alert(1)}{x}',
        r"\text{<img src=x onerror=alert(1)>}",
        r"\unicode{x3c}script\unicode{x3e}",
        "<script>alert(1)</script>",
        r"\color{red\" onclick=alert(1)}x",
        r"\text{\&#x202e;}",
        r"\rlap{over what follows} \smash{x} \kern{-99em} \rule{99em}{99em} \raise{9em}{x} \Huge{\Huge{x}}",
    ],
)
def test_a_formula_holds_nothing_but_signs_in_their_places(tex):
    mathml = to_mathml(tex, "inline")
    tags, names, values = zip(*re.findall(r"<(\w+)(?: ([a-z]+)=\"([#\w.]*)\")*>", mathml), strict=True)
    assert mathml.count("<") == 2 * len(tags)  # each begins, ends and is of this form
    assert set(tags) <= {"math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mstyle", "mpadded"}
    assert set(names) <= {"", "display", "stretchy", "mathcolor", "mathbackground"}
    assert not {value for value in values if "99" in value or "-" in value}
    assert "\u202e" not in mathml


@pytest.mark.parametrize(
    "tex",
    [
        "x" * 2001,
        "{" * 900 + "}" * 900,
        r"\sqrt" * 400 + "x",
        r"\frac",
        "x_",
        r"\def\a{xx}\def\b{\a\a}\def\c{\b\b}\c",
        r"\newcommand{\a}{x}\a",
        "a & b",
        "&lt;script&gt;",
        "",
    ],
)
def test_what_cannot_be_shown_is_refused(tex):
    with pytest.raises(ValueError, match="This formula"):
        to_mathml(tex, "block")
