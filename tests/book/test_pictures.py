"""Which mistakes are drawn, and how: from the checks' own tables."""

import pytest

from book import pictures
from helpers.checks.catalogue import find_exercise


def draw(exercise, misconception):
    exercise = find_exercise(exercise)
    return pictures.draw(exercise, next(each for each in exercise.misconceptions if each.id == misconception))


@pytest.mark.parametrize(
    ("exercise", "misconception", "said"),
    [
        ("masked_softmax", "finite-fill", "0.25, 0.25, 0.25, 0.25; right is 0.00, 0.00, 0.00, 0.00."),
        ("causal_mask", "diagonal-masked", "0.00, 0.00, 0.00, 0.00; right is 1.00, 0.00, 0.00, 0.00."),
        ("ablate_source", "not-renormalised", "0.70, 0.10, 0.00, 0.05; right is 0.82, 0.12, 0.00, 0.06."),
        ("hard_alignment", "pairs-reversed", "right is ne – not, s'arrête – stop, pas – not."),
        ("plot_attention", "transposed", "Right: as it should be."),
    ],
)
def test_a_mistake_that_shows_is_drawn_and_told_in_numbers(exercise, misconception, said):
    picture = draw(exercise, misconception)
    assert picture.alternative.endswith(said)
    assert picture.caption in picture.alternative and picture.png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("exercise", "misconception"),
    [("masked_softmax", "nan-gradient"), ("causal_mask", "nothing-returned"), ("split_heads", "heads-reversed")],
)
def test_a_mistake_that_cannot_be_seen_or_has_no_input_here_is_not_drawn(exercise, misconception):
    assert draw(exercise, misconception) is None


def test_a_mistake_about_the_batch_is_drawn_on_a_batch():
    assert "A batch of two sentences" in draw("masked_softmax", "softmax-over-batch").caption
