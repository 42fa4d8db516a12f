"""Answers to `breaking_input`, as students write them: right in many styles, wrong in many ways."""

import math

import torch

from helpers.widely_copied import fill_a_copy, infinity_in_place
from tests.checks.answers.lab01_masked_softmax.masked_softmax import fill_with_infinity
from tests.checks.bank import Bank

BANK = Bank("breaking_input")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def an_empty_row(buggy_masked_softmax):
    return torch.zeros(1, 1, 2), torch.tensor([0])


@right
def an_empty_query_in_a_batch(buggy_masked_softmax):
    return torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(1)), torch.tensor([[4, 1], [2, 0], [3, 4]])


@right
def scores_below_every_fill(buggy_masked_softmax):
    return torch.full((1, 1, 3), -1e12), torch.tensor([1])


@right
def half_precision(buggy_masked_softmax):
    """float16 can't hold the fills: versions 1 and 2 raise, or end at −∞."""
    return torch.zeros(2, 1, 3, dtype=torch.float16), torch.tensor([1, 0])


@right
def one_for_each(buggy_masked_softmax):
    if buggy_masked_softmax is infinity_in_place:
        return torch.ones(1, 1, 2), torch.tensor([1])
    return torch.ones(2, 2, 2), torch.tensor([2, 0])


@right
def by_search(buggy_masked_softmax):
    generator = torch.Generator().manual_seed(0)
    while True:
        scores = torch.randn(2, 1, 3, generator=generator)
        lengths = torch.randint(0, 4, (2,), generator=generator)
        tried = scores.clone()
        found = buggy_masked_softmax(tried, lengths)
        if not torch.equal(tried, scores) or not torch.allclose(found, fill_with_infinity(scores, lengths)):
            return scores, lengths


# === Wrong ============================================================================================================


@wrong(named="ordinary-padding")
def ordinary_padding(buggy_masked_softmax):
    return torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([2])


@wrong(named="no-padding")
def nothing_to_mask(buggy_masked_softmax):
    return torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(1)), torch.tensor([3, 3])


@wrong(named="impossible-lengths")
def longer_than_the_row(buggy_masked_softmax):
    return torch.zeros(1, 1, 3), torch.tensor([5])


@wrong(named="impossible-lengths")
def a_negative_length(buggy_masked_softmax):
    return torch.zeros(1, 1, 3), torch.tensor([-1])


@wrong(named="not-finite")
def not_a_number(buggy_masked_softmax):
    return torch.full((1, 1, 3), math.nan), torch.tensor([0])


@wrong(named="not-finite")
def everything_infinite(buggy_masked_softmax):
    return torch.full((1, 2, 3), -math.inf), torch.tensor([1])


@wrong(named="not-a-pair")
def scores_only(buggy_masked_softmax):
    return torch.zeros(1, 1, 3)


@wrong(named="not-a-pair")
def lists(buggy_masked_softmax):
    return [[[0.0, 0.0]]], [0]


@wrong(named="not-scores-and-lengths")
def float_lengths(buggy_masked_softmax):
    return torch.zeros(1, 1, 3), torch.tensor([0.0])


@wrong(named="not-scores-and-lengths")
def two_axes_only(buggy_masked_softmax):
    return torch.zeros(1, 3), torch.tensor([0])


@wrong(named="not-a-pair")
def without_lengths(buggy_masked_softmax):
    return torch.zeros(1, 1, 3), None


@wrong(named="ordinary-padding")
def only_the_copy_survives(buggy_masked_softmax):
    """Catches versions 1 and 3."""
    return torch.linspace(-3, 3, 6).view(1, 2, 3), torch.tensor([[1, 2]])


@wrong(named=None)
def spoils_its_own_input(buggy_masked_softmax):
    if buggy_masked_softmax is fill_a_copy:
        raise ValueError("I found none")
    return torch.zeros(1, 1, 2), torch.tensor([0])


@right
def a_long_batch_with_an_empty_sequence(buggy_masked_softmax):
    """As large as batches are in practice."""
    lengths = torch.full((48,), 37)
    lengths[7] = 0
    return torch.randn(48, 25, 40, generator=torch.Generator().manual_seed(5)), lengths


@wrong(named="ordinary-padding")
def writes_the_version_anew(buggy_masked_softmax):
    """Any input would do for a version that it has broken itself."""
    buggy_masked_softmax.__code__ = _wrong_everywhere.__code__
    return torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([2])


def _wrong_everywhere(scores, valid_lens):
    return scores * 0
