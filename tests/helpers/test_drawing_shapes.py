"""Drawings of networks and products say which steps there are, which way is marked, and what has which shape."""

import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch

from helpers.drawing import canvas
from helpers.drawing_shapes import PATH, Block, draw_product, draw_sum_of_pairs, draw_unrolled
from helpers.plotting import KEY, QUERY

INPUTS, OUTPUTS = ("start", *"RAC"), (*"RAC", "<eos>")


def arrows(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch)]


def marked(figure):
    return [arrow for arrow in arrows(figure) if to_hex(arrow.get_edgecolor()) == PATH.lower()]


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_every_step_has_a_box_and_the_context_stands_between_the_last_read_and_the_first_written():
    figure = draw_unrolled("CAR", INPUTS, OUTPUTS)
    assert words(figure).count("GRU") == 7 and words(figure).count("context") == 1
    assert len(arrows(figure)) == 7 + 3 + 4 + 4  # states, read, given, written


def test_a_context_of_numbers_is_drawn_with_its_numbers():
    assert {"0.25", "−0.50", "context"} <= set(words(draw_unrolled("A", (), "A", context=torch.tensor([0.25, -0.5]))))


def test_the_marked_way_leads_through_every_step_between_a_written_and_a_read_word():
    way = marked(draw_unrolled("CAR", INPUTS, OUTPUTS, path=(2, 0)))
    assert len(way) == 1 + 3 + 3 + 1  # read; on to the context; on to the third step; written


def test_attentions_way_is_one_hop_for_any_two_words():
    for path in ((2, 0), (0, 2), (3, 1)):
        assert len(marked(draw_unrolled("CAR", INPUTS, OUTPUTS, path=path, shortcut=True))) == 3


def test_what_is_written_is_read_next_but_for_the_last():
    fed, plain = (draw_unrolled("CAR", INPUTS, OUTPUTS, fed_back=fed_back) for fed_back in (True, False))
    assert len(arrows(fed)) - len(arrows(plain)) == 3


@pytest.mark.parametrize(("given", "states"), [(("start",), ()), ((), ("0",))])
def test_inputs_or_states_that_are_too_few_are_refused(given, states):
    with pytest.raises(ValueError, match="3 words read and 4 written"):
        draw_unrolled("CAR", given, OUTPUTS, states)


def test_a_batched_product_shows_each_matrix_once_for_each_of_the_batch_with_its_shape():
    figure, ax = canvas(15, 5)
    blocks = (
        Block("queries", QUERY, "Q", "d", 2, 3),
        Block("keys", KEY, "d", "K", 3, 4),
        Block("scores", "#000000", "Q", "K", 2, 4),
    )
    draw_product(ax, (1, 1), *blocks, batch=2)
    assert len(ax.patches) == 6
    assert words(figure).count("Q") == words(figure).count("K") == words(figure).count("d") == 2
    assert {"×", "=", "queries", "keys", "scores"} <= set(words(figure))


def test_every_pair_of_a_query_and_a_key_has_a_cell_of_both_colours():
    _, ax = canvas(14, 8)
    grid = draw_sum_of_pairs(ax, (2, 3), ["a", "b"], ["x", "y", "z"], "h")
    assert (grid.right - grid.left, grid.bottom - grid.top) == (3, 2)
    faces = [to_hex(patch.get_facecolor()) for patch in ax.patches if not isinstance(patch, FancyArrowPatch)]
    assert faces.count(QUERY.lower()) == 2 + 6 and faces.count(KEY.lower()) == 3 + 6
