"""Answers to `masked_mean`, as students write them: right in many styles, wrong in many ways."""

import torch

from tests.checks.answers.lab01_masked_softmax.masked_softmax import fill_with_infinity
from tests.checks.bank import Bank

BANK = Bank("masked_mean")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def sum_over_count(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).sum(1) / valid_lens.clamp(min=1)[:, None].to(values.dtype)


@right
def sequence_by_sequence(values, valid_lens):
    means = [v[:n].mean(0) if n > 0 else v.sum(0) * 0 for v, n in zip(values, valid_lens.tolist(), strict=True)]
    return torch.stack(means)


@right
def as_attention(values, valid_lens):
    """A mean is attention with equal scores."""
    weights = fill_with_infinity(values.new_zeros(values.shape[0], 1, values.shape[1]), valid_lens)
    return torch.bmm(weights, values).squeeze(1)


@right
def with_einsum(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).to(values.dtype)
    total = torch.einsum("blv,bl->bv", values, mask)
    return torch.where(
        valid_lens[:, None] > 0, total / mask.sum(1, keepdim=True).clamp(min=1.0), torch.zeros_like(total)
    )


@right
def by_running_sums(values, valid_lens):
    padded = torch.cat([torch.zeros_like(values[:, :1]), values.cumsum(1)], dim=1)
    last = padded[torch.arange(len(values)), valid_lens]
    return last / valid_lens.clamp(min=1).unsqueeze(1).to(values.dtype)


# === Wrong ============================================================================================================


@wrong(named="divides-by-padded-length")
def by_the_padded_length(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).mean(dim=1)


@wrong(named="nan-empty-sequence")
def nothing_by_nothing(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).sum(1) / mask.sum(1)


@wrong(named="nan-empty-sequence")
def mean_of_an_empty_slice(values, valid_lens):
    return torch.stack([v[:n].mean(0) for v, n in zip(values, valid_lens, strict=True)])


@wrong(named="nan-gradient")
def nan_replaced(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    return ((values * mask).sum(1) / valid_lens[:, None].to(values.dtype)).nan_to_num(0.0)


@wrong(named="padding-counted")
def everything_counts(values, valid_lens):
    return values.mean(dim=1)


@wrong(named="divides-by-longest")
def by_the_longest(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).sum(1) / max(int(valid_lens.max()), 1)


@wrong(named="mean-over-wrong-axis")
def over_the_features(values, valid_lens):
    return values.mean(-1)


@wrong(named="sum-for-mean")
def only_the_sum(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).sum(1)


@wrong(named="off-by-one")
def one_step_more(values, valid_lens):
    mask = (torch.arange(values.shape[1]) <= valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).sum(1) / valid_lens.clamp(min=1)[:, None].to(values.dtype)


@wrong(named="inverted-mask")
def the_padding_only(values, valid_lens):
    mask = (torch.arange(values.shape[1]) >= valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).sum(1) / valid_lens.clamp(min=1)[:, None].to(values.dtype)


@wrong(named="writes-into-arguments")
def zeroed_in_place(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    result = sum_over_count(values, valid_lens)
    with torch.no_grad():
        values *= mask
    return result


@wrong(named="detached-gradient")
def plain_numbers(values, valid_lens):
    return torch.tensor(sum_over_count(values, valid_lens).tolist(), dtype=values.dtype)


@wrong(named="type-changed")
def in_single_precision(values, valid_lens):
    return sum_over_count(values.float(), valid_lens)


@wrong(named="axis-left-over")
def one_axis_kept(values, valid_lens):
    return sum_over_count(values, valid_lens).unsqueeze(1)


@wrong(named="counts-nonzero-steps")
def zeros_are_padding(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    kept = values * mask
    return kept.sum(1) / (kept != 0).any(-1).sum(1, keepdim=True).clamp(min=1).to(values.dtype)


@wrong(named="axis-missing")
def mask_without_the_features(values, valid_lens):
    mask = torch.arange(values.shape[1]) < valid_lens[:, None]
    return (values * mask).sum(1) / valid_lens.clamp(min=1)[:, None].to(values.dtype)


@wrong(named=None)
def almost_the_count(values, valid_lens):
    """A guard against 0 that changes every mean."""
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).sum(1) / (valid_lens[:, None] + 0.1).to(values.dtype)


@wrong(named="one-length-for-all")
def the_first_length_for_all(values, valid_lens):
    return sum_over_count(values, valid_lens[:1].expand_as(valid_lens))


@wrong(named="small-sizes-only")
def over_fifty_steps(values, valid_lens):
    total = torch.zeros_like(values[:, 0])
    for step in range(min(50, values.shape[1])):
        total = total + values[:, step] * (step < valid_lens).unsqueeze(-1)
    return total / valid_lens.clamp(min=1).unsqueeze(-1).to(values.dtype)


@wrong(named=None)
def with_the_first_mask(values, valid_lens):
    key = values.shape[:2]
    if key not in _MASKS:
        _MASKS[key] = (torch.arange(values.shape[1]) < valid_lens.unsqueeze(1)).unsqueeze(2)
    mask = _MASKS[key]
    return (values * mask).sum(1) / mask.sum(1).clamp(min=1).to(values.dtype)


_MASKS: dict[tuple, torch.Tensor] = {}
