"""The drawings of decoders say who asks and where the context enters; that of BLEU says which runs count."""

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch, Rectangle

from helpers.drawing_bleu import FOUND, MISSED, SPENT, draw_bleu
from helpers.drawing_decoders import PAPER, draw_decoder
from helpers.plotting import KEY, QUERY, VALUE

SOURCE, GIVEN, WRITTEN = ("the", "red", "car"), ("start", "la"), ("la", "voiture")


def arrows(figure, colour):
    """The arrows of a colour, each as ((x, y), (x, y)), from where to where."""
    ax = figure.axes[0]
    drawn = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    drawn += [text.arrow_patch for text in ax.texts if getattr(text, "arrow_patch", None) is not None]
    return [arrow for arrow in drawn if to_hex(arrow.get_edgecolor()) == colour.lower()]


@pytest.mark.parametrize("kind", ["Bahdanau", "Luong"])
def test_with_keys_every_step_has_a_query_and_keys_and_two_arrows_of_values(kind):
    figure = draw_decoder(kind, SOURCE, GIVEN, WRITTEN)
    assert [len(arrows(figure, colour)) for colour in (QUERY, KEY, VALUE)] == [2, 2, 4]


def test_position_only_has_no_keys_and_two_arrows_of_the_query_a_step():
    figure = draw_decoder("position only", SOURCE, GIVEN, WRITTEN)
    assert [len(arrows(figure, colour)) for colour in (QUERY, KEY, VALUE, PAPER)] == [4, 0, 4, 0]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("Bahdanau", {"query", "keys", "values", "context"}),
        ("Luong", {"query", "keys", "values", "context"}),
        ("position only", {"query", "values", "context"}),
    ],
)
def test_the_arrows_of_the_first_step_say_what_they_carry(kind, names):
    texts = draw_decoder(kind, SOURCE, GIVEN, WRITTEN).axes[0].texts
    written = [text.get_text() for text in texts]
    assert {name for name in ("query", "keys", "values", "context") if written.count(name) == 1} == names


def test_what_only_the_papers_have_is_dotted():
    to_the_output = arrows(draw_decoder("Bahdanau", SOURCE, GIVEN, WRITTEN), PAPER)
    fed_to_the_next_step = arrows(draw_decoder("Luong", SOURCE, GIVEN, WRITTEN), PAPER)
    assert [len(to_the_output), len(fed_to_the_next_step)] == [2, 1]
    assert {arrow.get_linestyle() for arrow in to_the_output + fed_to_the_next_step} == {":"}


def test_a_decoder_is_drawn_for_one_to_three_steps():
    with pytest.raises(ValueError, match="one to three"):
        draw_decoder("Luong", SOURCE, GIVEN, WRITTEN[:1])


def test_a_run_counts_only_as_often_as_the_reference_has_it():
    figure = draw_bleu(["le", "chat", "le", "le"], ["le", "chat", "sur", "le"], longest=2)
    bars = [to_hex(bar.get_facecolor()) for bar in figure.axes[0].patches if isinstance(bar, Rectangle)]
    runs_of_one, runs_of_two = bars[8:12], bars[12:15]  # after the boxes of eight tokens
    assert runs_of_one == [FOUND.lower()] * 3 + [SPENT.lower()]
    assert runs_of_two == [FOUND.lower()] + [MISSED.lower()] * 2
    assert {"3 of 4", "1 of 3"} <= {text.get_text() for text in figure.axes[0].texts}


def test_a_sentence_of_bleu_must_fit_on_the_picture():
    with pytest.raises(ValueError, match="1 to 8 tokens, not 9 and 1"):
        draw_bleu(["a"] * 9, ["a"])
