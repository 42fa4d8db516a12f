"""The small model of attention alone: its texts, its scores and what is left when a head is taken away."""

import pytest
import torch

from helpers.induction import AttentionOnly, induction_scores, previous_token_scores, repeated_batch


def test_a_text_repeats_itself_after_its_period_and_no_sooner_than_the_shortest():
    texts, periods = repeated_batch(50, 26, 3, 7, torch.Generator().manual_seed(0))
    assert texts.shape == (50, 14) and set(periods.tolist()) == {3, 4, 5, 6, 7}
    for text, period in zip(texts.tolist(), periods.tolist(), strict=True):
        assert text[period:] == text[:-period]


def test_periods_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="shortest"):
        repeated_batch(2, 26, 5, 4)


def test_heads_that_look_at_the_right_places_score_1_and_others_0():
    periods, length = torch.tensor([3, 4]), 8
    weights = torch.zeros(2, 2, 1, length, length)  # (layer, batch, heads, query, key)
    for place in range(1, length):
        weights[0, :, 0, place, place - 1] = 1.0
        for row, period in enumerate(periods.tolist()):
            if place >= period:
                weights[1, row, 0, place, place - period + 1] = 1.0
    assert previous_token_scores(weights).tolist() == [[1.0], [0.0]]
    assert induction_scores(weights, periods).tolist() == [[0.0], [1.0]]


def test_a_model_without_all_its_heads_answers_from_the_last_token_alone():
    torch.manual_seed(0)
    model = AttentionOnly(7, embed_dim=8, num_heads=2)
    texts = torch.tensor([[1, 2, 3], [4, 5, 3]])
    everything, weights = model(texts)
    assert weights.shape == (2, 2, 2, 3, 3) and not torch.allclose(everything[0, 2], everything[1, 2])
    nothing, _ = model(texts, without=[(layer, head) for layer in range(2) for head in range(2)])
    torch.testing.assert_close(nothing[0, 2], nothing[1, 2])
    some, _ = model(texts, without=[(1, 0)])
    assert not torch.allclose(some, everything) and not torch.allclose(some, nothing)
