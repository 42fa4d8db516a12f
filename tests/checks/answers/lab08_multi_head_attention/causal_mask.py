"""Answers to `causal_mask`, as students write them: right in many styles, wrong in many ways."""

import math

import torch

from tests.checks.bank import Bank

BANK = Bank("causal_mask")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def lower_triangle(length):
    return torch.ones(length, length, dtype=torch.bool).tril()


@right
def not_the_upper_one(length):
    return ~torch.triu(torch.ones(length, length, dtype=torch.bool), diagonal=1)


@right
def numbers_compared(length):
    at = torch.arange(length)
    return at[None, :] <= at[:, None]


@right
def row_by_row(length):
    return torch.tensor([[True] * (q + 1) + [False] * (length - q - 1) for q in range(length)])


@right
def by_cumulative_sum(length):
    return torch.eye(length).cumsum(0).T.flip(0, 1).bool().T.flip(0, 1)


# === Wrong ============================================================================================================


@wrong(named="inverted-mask")
def as_nn_multihead_attention_has_it(length):
    return torch.triu(torch.ones(length, length), diagonal=1).bool()


@wrong(named="diagonal-masked")
def strictly_before(length):
    at = torch.arange(length)
    return at < at[:, None]


@wrong(named="upper-triangle")
def keys_in_rows(length):
    at = torch.arange(length)
    return at[:, None] <= at


@wrong(named="not-boolean")
def ones_and_zeros(length):
    return torch.tril(torch.ones(length, length))


@wrong(named="not-boolean")
def to_be_added(length):
    return torch.full((length, length), -math.inf).triu(1)


@wrong(named="one-step-ahead")
def sees_what_it_should_write(length):
    return torch.ones(length, length).tril(diagonal=1).bool()


@wrong(named="nothing-masked")
def all_of_it(length):
    return torch.full((length, length), True)


@wrong(named="axis-left-over")
def with_a_batch(length):
    return torch.ones(1, length, length, dtype=torch.bool).tril()


@wrong(named="itself-only")
def itself_only(length):
    return torch.eye(length, dtype=torch.bool)


@wrong(named="small-sizes-only")
def one_and_the_same(length, _known={}):  # noqa: B006
    if not _known:
        _known[0] = lower_triangle(9)
    return _known[0][:length, :length]


@wrong(named="nothing-returned")
def draws_it(length):
    torch.ones(length, length).tril()


@right
def cut_from_a_mask_that_is_kept(length):
    """One mask for all, as long as the longest so far."""
    if length > _LONGEST[0].shape[0]:
        _LONGEST[0] = torch.ones(length, length, dtype=torch.bool).tril()
    return _LONGEST[0][:length, :length]


_LONGEST = [torch.ones(1, 1, dtype=torch.bool)]


@right
def kept_by_its_length(length):
    if length not in _BY_LENGTH:
        _BY_LENGTH[length] = torch.arange(length) <= torch.arange(length).unsqueeze(1)
    return _BY_LENGTH[length]


_BY_LENGTH: dict[int, torch.Tensor] = {}


@wrong(named="small-sizes-only")
def cut_from_a_mask_of_fifty(length):
    mask = torch.zeros(length, length, dtype=torch.bool)
    mask[:50, :50] = torch.ones(50, 50, dtype=torch.bool).tril()[:length, :length]
    return mask
