"""Answers to `length_mask`, as students write them: right in many styles, wrong in many ways."""

import torch

from tests.checks.bank import Bank

BANK = Bank("length_mask")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def by_comparison(valid_lens, max_len):
    return torch.arange(max_len) < valid_lens.unsqueeze(-1)


@right
def by_loops(valid_lens, max_len):
    if valid_lens.dim() == 2:
        return torch.stack([by_loops(row, max_len) for row in valid_lens])
    mask = torch.zeros(len(valid_lens), max_len, dtype=torch.bool)
    for b in range(len(valid_lens)):
        mask[b, : valid_lens[b]] = True
    return mask


@right
def from_a_python_list(valid_lens, max_len):
    rows = [[step < n for step in range(max_len)] for n in valid_lens.flatten().tolist()]
    return torch.tensor(rows, dtype=torch.bool).view(*valid_lens.shape, max_len)


@right
def by_counting_ones(valid_lens, max_len):
    ones = torch.ones(*valid_lens.shape, max_len, dtype=torch.long)
    return ones.cumsum(-1) <= valid_lens[..., None]


@right
def from_a_triangle(valid_lens, max_len):
    triangle = torch.ones(max_len + 1, max_len).tril(-1).bool()
    return triangle[valid_lens.long()]


# === Wrong ============================================================================================================


@wrong(named="inverted-mask")
def true_on_the_padding(valid_lens, max_len):
    return torch.arange(max_len) >= valid_lens[..., None]


@wrong(named="inverted-mask")
def inverted_by_loops(valid_lens, max_len):
    return ~by_loops(valid_lens, max_len)


@wrong(named="off-by-one")
def one_step_too_many(valid_lens, max_len):
    return torch.arange(max_len).expand(*valid_lens.shape, max_len) <= valid_lens.unsqueeze(-1)


@wrong(named="off-by-one")
def one_step_too_few(valid_lens, max_len):
    return torch.arange(max_len) < valid_lens.unsqueeze(-1) - 1


@wrong(named="one-dimensional-lengths-only")
def one_axis_only(valid_lens, max_len):
    return torch.arange(max_len)[None, :] < valid_lens[:, None]


@wrong(named="one-dimensional-lengths-only")
def one_axis_only_by_loops(valid_lens, max_len):
    mask = torch.zeros(len(valid_lens), max_len, dtype=torch.bool)
    for b, n in enumerate(valid_lens):
        mask[b, :n] = True
    return mask


@wrong(named="one-dimensional-lengths-only")
def flattened_two_axes(valid_lens, max_len):
    return torch.arange(max_len) < valid_lens.reshape(-1, 1)


@wrong(named="one-dimensional-lengths-only")
def two_axes_of_a_square_only(valid_lens, max_len):
    """Right for (B, Q) only where Q is 1 or max_len."""
    return torch.arange(max_len) < (valid_lens[:, None] if valid_lens.dim() == 1 else valid_lens[:, :, None].mT)


@wrong(named="not-boolean")
def ones_and_zeros(valid_lens, max_len):
    return (torch.arange(max_len) < valid_lens.unsqueeze(-1)).float()


@wrong(named="not-boolean")
def bytes_of_one(valid_lens, max_len):
    return (torch.arange(max_len) < valid_lens.unsqueeze(-1)).to(torch.uint8)


@wrong(named="one-length-for-all")
def the_longest_for_all(valid_lens, max_len):
    return (torch.arange(max_len) < valid_lens.max()).repeat(*valid_lens.shape, 1)


@wrong(named="padding-in-front")
def padded_in_front(valid_lens, max_len):
    return (torch.arange(max_len) < valid_lens.unsqueeze(-1)).flip(-1)


@wrong(named="forgets-max-len")
def as_long_as_the_longest(valid_lens, max_len):
    """Forgets max_len: the mask ends with the longest sequence."""
    return torch.arange(int(valid_lens.max())) < valid_lens.unsqueeze(-1)


@wrong(named="lengths-along-the-steps")
def lengths_as_they_are(valid_lens, max_len):
    return torch.arange(max_len) < valid_lens


@wrong(named="not-a-tensor")
def a_list(valid_lens, max_len):
    return by_comparison(valid_lens, max_len).tolist()


@wrong(named="not-a-tensor")
def a_list_for_each_length(valid_lens, max_len):
    def rows(lengths):
        return [rows(each) for each in lengths] if isinstance(lengths, list) else [i < lengths for i in range(max_len)]

    return rows(valid_lens.tolist())


@wrong(named="axis-left-over")
def ready_for_the_scores(valid_lens, max_len):
    mask = torch.arange(max_len) < valid_lens.unsqueeze(-1)
    return mask.unsqueeze(1) if valid_lens.dim() == 1 else mask


@wrong(named="writes-into-arguments")
def changes_the_lengths(valid_lens, max_len):
    valid_lens -= 1
    return torch.arange(max_len) <= valid_lens.unsqueeze(-1)


@wrong(named="empty-row-keeps-one")
def an_empty_sequence_keeps_one(valid_lens, max_len):
    return torch.arange(max_len) < valid_lens.clamp(min=1).unsqueeze(-1)


@right
def compared_with_a_cached_range(valid_lens, max_len):
    """What is kept hangs on nothing but `max_len`."""
    if max_len not in _RANGES:
        _RANGES[max_len] = torch.arange(max_len)
    return _RANGES[max_len] < valid_lens[..., None]


_RANGES: dict[int, torch.Tensor] = {}


@wrong(named="small-sizes-only")
def from_a_table_of_thirty_two(valid_lens, max_len):
    table = torch.ones(33, 32, dtype=torch.bool).tril(-1)  # row n has n times True
    mask = torch.zeros(*valid_lens.shape, max_len, dtype=torch.bool)
    mask[..., :32] = table[valid_lens.clamp(max=32)][..., :max_len]
    return mask


@wrong(named=None)
def kept_by_shape(valid_lens, max_len):
    key = (valid_lens.shape, max_len)
    if key not in _KEPT:
        _KEPT[key] = by_comparison(valid_lens, max_len)
    return _KEPT[key]


_KEPT: dict[tuple, torch.Tensor] = {}
