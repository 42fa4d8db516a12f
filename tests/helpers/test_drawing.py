"""Drawings say what they are given: numbers in their cells, shapes on their sides, arrows as thick as weights."""

import math

import pytest
import torch
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle

from helpers.drawing import (
    WIDEST,
    canvas,
    draw_arrow,
    draw_arrows_from_origin,
    draw_block,
    draw_matrix,
    draw_value_polygon,
    draw_vector,
    draw_words,
)
from helpers.plotting import KEY, QUERY, VALUE, subplots
from helpers.running_example import KEYS, TOKENS, VALUES


@pytest.fixture
def ax():
    return canvas(10, 6)[1]


def words_on(ax):
    return [text.get_text() for text in ax.texts]


def cells_on(ax):
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def arrows_on(ax):
    return [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


def test_a_matrix_has_a_cell_for_each_number_where_its_row_and_column_are(ax):
    area = draw_matrix(ax, (2, 1), torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), KEY)
    assert words_on(ax) == ["1", "2", "3", "4", "5", "6"]
    assert ax.texts[5].get_position() == (4.5, 2.5)
    assert area == (2, 1, 5, 3) and area.below == (3.5, 3) and area.after == (5, 2)


def test_a_larger_number_is_darker_and_a_negative_one_has_no_colour(ax):
    draw_matrix(ax, (0, 0), torch.tensor([[0.0, 1.0, 2.0, -2.0]]), QUERY)
    brightness = [sum(cell.get_facecolor()[:3]) for cell in cells_on(ax)]
    assert brightness[0] > brightness[1] > brightness[2]
    red, green, blue, _ = cells_on(ax)[3].get_facecolor()
    assert red == green == blue


def test_the_darkest_number_can_be_given_so_that_two_matrices_compare(ax):
    draw_matrix(ax, (0, 0), torch.tensor([[0.5]]), QUERY, whole=1.0)
    draw_matrix(ax, (2, 0), torch.tensor([[0.5]]), QUERY)
    first, second = (sum(cell.get_facecolor()[:3]) for cell in cells_on(ax))
    assert first > second


@pytest.mark.parametrize(
    ("numbers", "written"),
    [
        ([1.0, -2.0], ["1", "−2"]),
        ([0.08, 0.614], ["0.08", "0.61"]),
        ([0.25, -0.001], ["0.25", "0.00"]),
        ([12.25, 1.0], ["12.2", "1.0"]),
        ([2.0, -math.inf, math.nan], ["2", "−∞", "NaN"]),
    ],
)
def test_numbers_are_as_short_as_they_can_be(ax, numbers, written):
    draw_vector(ax, (0, 0), torch.tensor(numbers))
    assert words_on(ax) == written


def test_a_matrix_says_its_names_and_its_shape(ax):
    draw_matrix(ax, (2, 2), KEYS, KEY, "K", rows=TOKENS, sides=("4 words", "4 numbers"))
    assert {*TOKENS, "K", "4 words", "4 numbers"} <= set(words_on(ax))
    before, under = (next(t for t in ax.texts if t.get_text() == side) for side in ("4 words", "4 numbers"))
    assert before.get_position()[0] < 2 and under.get_position()[1] > 6


def test_names_that_do_not_fit_are_refused(ax):
    with pytest.raises(ValueError, match="3 names were given for 4 rows"):
        draw_matrix(ax, (0, 0), KEYS, KEY, rows=TOKENS[:3])


def test_a_vector_lies_or_stands(ax):
    assert draw_vector(ax, (0, 0), torch.ones(3)) == (0, 0, 3, 1)
    assert draw_vector(ax, (5, 0), torch.ones(3), upright=True, name="q") == (5, 0, 6, 3)


def test_a_batch_is_as_many_blocks_one_behind_the_other(ax):
    draw_block(ax, (1, 2), (2, 3), QUERY, ("T", "d"), "Q", depth=3)
    assert len(cells_on(ax)) == 3 and {"T", "d", "Q"} == set(words_on(ax))


def test_words_stand_side_by_side(ax):
    areas = draw_words(ax, (1, 0), TOKENS, width=1.5)
    assert words_on(ax) == list(TOKENS) and areas[1].left == areas[0].right == 2.5


def test_an_arrow_is_as_thick_as_its_weight_and_dotted_without_any(ax):
    for weight in (0.9, 0.45, 0.0):
        draw_arrow(ax, (0, 0), (3, 3), weight=weight)
    thick, half, none = arrows_on(ax)
    assert thick.get_linewidth() == pytest.approx(2 * half.get_linewidth())
    assert none.get_linestyle() != half.get_linestyle()


def test_a_canvas_too_wide_to_be_read_is_refused():
    assert canvas(WIDEST, 3, "title")[0].get_size_inches()[0] * 80 <= 610
    with pytest.raises(ValueError, match="at most 16 cells"):
        canvas(WIDEST + 1, 3)


def test_the_value_polygon_has_a_corner_for_each_different_value_and_holds_every_average():
    _, ax = subplots()
    outputs = torch.tensor([[6.1, 2.2], [0.9, 6.1]])
    draw_value_polygon(ax, VALUES, TOKENS, outputs, ["car", "red"])
    polygon = next(patch for patch in ax.patches if isinstance(patch, Polygon))
    assert len(polygon.get_xy()) - 1 == 3
    assert polygon.get_path().contains_points(outputs).all()
    assert "the, stops" in words_on(ax)


def test_the_value_polygon_wants_a_name_for_each_point():
    with pytest.raises(ValueError, match="4 values and 1 outputs"):
        draw_value_polygon(subplots()[1], VALUES, TOKENS[:2], torch.ones(1, 2), ["car"])


def test_arrows_from_the_origin_say_the_angle_to_the_first():
    _, ax = subplots()
    draw_arrows_from_origin(ax, [(1, 1), (0, 2), (-1, -1)], ["q", "k", "v"], [QUERY, KEY, VALUE])
    assert {"45°", "180°"} <= set(words_on(ax))
