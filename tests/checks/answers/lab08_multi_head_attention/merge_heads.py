"""Answers to `merge_heads`, as students write them: right in many styles, wrong in many ways."""

import torch

from tests.checks.bank import Bank

BANK = Bank("merge_heads")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def transposed_and_flattened(x):
    return x.transpose(1, 2).flatten(2)


@right
def contiguous_view(x):
    batch, heads, length, width = x.shape
    return x.transpose(1, 2).contiguous().view(batch, length, heads * width)


@right
def concatenated(x):
    return torch.cat(x.unbind(1), dim=-1)


@right
def permuted(x):
    return x.permute(0, 2, 1, 3).reshape(x.size(0), x.size(2), -1)


@right
def by_einsum_and_places(x):
    heads, width = x.shape[1], x.shape[3]
    places = torch.eye(heads * width, dtype=x.dtype).view(heads, width, -1)
    return torch.einsum("bhlw,hwd->bld", x, places)


# === Wrong ============================================================================================================


@wrong(named="heads-mixed")
def reshaped_only(x):
    batch, heads, length, width = x.shape
    return x.reshape(batch, length, heads * width)


@wrong(named="view-of-a-transpose")
def right_straight_after_a_split(x):
    return x.transpose(1, 2).view(x.shape[0], x.shape[2], x.shape[1] * x.shape[3])


@wrong(named="columns-interleaved")
def columns_in_turns(x):
    return torch.stack(x.unbind(1), dim=-1).flatten(2)


@wrong(named="heads-one-after-another")
def a_longer_sentence(x):
    return torch.cat(x.unbind(1), dim=1)


@wrong(named="heads-blended")
def the_mean(x):
    return x.mean(dim=1)


@wrong(named="heads-not-joined")
def moved_only(x):
    return x.permute(0, 2, 1, 3)


@wrong(named="heads-reversed")
def last_head_first(x):
    return torch.cat(x.unbind(1)[::-1], dim=-1)


@wrong(named="detached-gradient")
def from_the_data(x):
    return x.data.transpose(1, 2).flatten(2)


@wrong(named="type-changed")
def single_precision(x):
    return torch.cat(x.unbind(1), dim=-1).float()


@wrong(named="one-sequence-for-all")
def right_for_one(x):
    return concatenated(x[:1]).expand(x.shape[0], -1, -1)


@wrong(named="writes-into-arguments")
def empties_the_heads(x):
    merged = concatenated(x)
    x.data.zero_()
    return merged


@wrong(named=None)
def right_for_two_heads(x):
    return torch.cat([x[:, 0], x[:, -1]], dim=-1) if x.shape[1] > 1 else x[:, 0]
