"""Exact match: all positions right, or not."""

import pytest
import torch

from helpers.metrics import exact_match

TARGET = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 1, 1]])


def test_a_sequence_counts_only_if_it_is_right_in_every_position():
    predicted = TARGET.clone()
    predicted[0, 2] = 0  # two of three are right: no part of a point
    assert exact_match(predicted, TARGET) == 0.75


def test_the_share_lies_between_none_and_all():
    assert exact_match(TARGET, TARGET) == 1.0
    assert exact_match(TARGET + 1, TARGET) == 0.0


def test_the_order_of_a_sequence_matters():
    assert exact_match(TARGET.flip(1), TARGET) == 0.25


def test_the_share_is_exact():
    predicted = torch.zeros(1000, 1, dtype=torch.long)
    target = predicted.clone()
    target[:2] = 1
    assert exact_match(predicted, target) == 0.998  # float32 would say 0.99800002


@pytest.mark.parametrize("predicted", [TARGET[:, :2], TARGET[:2], TARGET[0], TARGET[:1]], ids=lambda t: str(t.shape))
def test_shapes_that_differ_are_refused_even_where_they_would_broadcast(predicted, as_a_user):
    with pytest.raises(ValueError, match=r"predicted and target must have the same shape, not .* and \(4, 3\)"):
        exact_match(predicted, TARGET)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,), (2, 3, 4)], ids=str)
def test_what_is_no_batch_of_sequences_is_refused(shape, as_a_user):
    empty = torch.zeros(shape, dtype=torch.long)
    with pytest.raises(ValueError, match=r"must have shape \(batch, length\)"):
        exact_match(empty, empty)


def test_with_lengths_only_the_real_positions_count():
    predicted = TARGET.clone()
    predicted[0, 2] = predicted[1, 1] = 0
    assert exact_match(predicted, TARGET, torch.tensor([2, 2, 3, 3])) == 0.75  # the first is wrong in its padding only
    assert exact_match(predicted, TARGET, torch.tensor([3, 3, 3, 3])) == exact_match(predicted, TARGET) == 0.5


@pytest.mark.parametrize("lengths", [torch.tensor([1, 2, 3]), torch.tensor([1, 2, 3, 4])], ids=["too few", "too long"])
def test_lengths_that_do_not_fit_the_sequences_are_refused(lengths, as_a_user):
    with pytest.raises(ValueError, match="valid_lens must"):
        exact_match(TARGET, TARGET, lengths)
