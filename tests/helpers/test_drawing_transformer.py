"""Drawings of a Transformer's data say the shapes and the names that they are given."""

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch

from helpers.drawing_transformer import (
    HEADS,
    Sublayer,
    draw_heads,
    draw_sublayers,
    draw_transformer,
    draw_who_asks_whom,
)
from helpers.plotting import KEY, VALUE


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_both_kinds_of_attention_show_the_words_that_answer_and_those_that_ask():
    written = words(draw_who_asks_whom(("the", "red", "car"), ("la", "voiture"), 1))
    assert written.count("red") == 3 and written.count("voiture") == 1  # twice it answers, once it asks


def test_every_head_has_its_columns_and_its_weights():
    written = words(draw_heads(5, 7, 16, 4))
    assert [written.count(str(head)) for head in (1, 2, 4)] == [5, 5, 5]  # q, k, v, weights and what they fetch
    assert "weights: 4 × (5 × 7)," in written


def test_only_a_sublayer_that_asks_the_encoder_gets_its_keys_and_values():
    plain = words(draw_sublayers(5, 16, "x", [Sublayer("attention", "y"), Sublayer("feed-forward", "output")]))
    asking = words(draw_sublayers(5, 16, "x", [Sublayer("cross", "y", asks_encoder=True)]))
    assert plain.count("⊕") == 2 and "keys and values from the encoder" not in plain
    assert asking.count("⊕") == 1 and "keys and values from the encoder" in asking


def test_a_head_has_one_colour_in_queries_keys_values_and_what_it_fetches():
    fills = [to_hex(patch.get_facecolor()) for patch in draw_heads(5, 7, 16, 4).axes[0].patches]
    assert [fills.count(colour.lower()) for colour in HEADS] == [4, 4, 4, 4]
    assert fills.count("#ffffff") == 16 + 4  # under each, so that no block's own colour shines through; and the weights


@pytest.mark.parametrize("colour", [KEY, VALUE])
def test_every_decoder_block_of_a_transformer_gets_keys_and_values_of_the_encoder(colour):
    figure = draw_transformer(("the", "car"), ("start", "la"), ("la", "voiture"))
    arrows = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch)]
    assert sum(to_hex(arrow.get_edgecolor()) == colour.lower() for arrow in arrows) == 2
    assert {"the car", "start la", "la voiture", "decoder block 2"} <= set(words(figure))
