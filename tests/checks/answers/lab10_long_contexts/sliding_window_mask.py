"""Answers to `sliding_window_mask`, as students write them: right in many styles, wrong in many ways."""

import torch

from tests.checks.bank import Bank

BANK = Bank("sliding_window_mask")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def distances_compared(length, window):
    at = torch.arange(length)
    distance = at[:, None] - at[None, :]
    return (distance >= 0) & (distance < window)


@right
def cut_twice(length, window):
    return torch.ones(length, length, dtype=torch.bool).tril().triu(1 - window)


@right
def two_triangles(length, window):
    everything = torch.full((length, length), True)
    return torch.tril(everything) & ~torch.tril(everything, diagonal=-window)


@right
def place_by_place(length, window):
    mask = torch.zeros(length, length).bool()
    for query in range(length):
        for key in range(max(0, query - window + 1), query + 1):
            mask[query, key] = True
    return mask


@right
def diagonals_added(length, window):
    mask = torch.zeros(length, length)
    for back in range(min(window, length)):
        mask += torch.diag(torch.ones(length - back), -back)
    return mask > 0


@right
def from_lists(length, window):
    return torch.tensor([[q - window < k <= q for k in range(length)] for q in range(length)], dtype=torch.bool)


# === Wrong ============================================================================================================


@wrong(named="window-too-long")
def up_to_and_including(length, window):
    at = torch.arange(length)
    distance = at[:, None] - at
    return (distance >= 0) & (distance <= window)


@wrong(named="window-too-long")
def triu_off_by_one(length, window):
    return torch.ones(length, length, dtype=torch.bool).tril().triu(-window)


@wrong(named="window-too-short")
def itself_besides(length, window):
    at = torch.arange(length)
    distance = at[:, None] - at
    return (distance > 0) & (distance < window)


@wrong(named="own-position-missing")
def only_what_came_before(length, window):
    return torch.ones(length, length).tril(-1).triu(-window).bool()


@wrong(named="looks-ahead")
def both_ways(length, window):
    at = torch.arange(length)
    return (at[:, None] - at).abs() < window


@wrong(named="looks-ahead")
def no_causal_half(length, window):
    at = torch.arange(length)
    return at[:, None] - at < window


@wrong(named="window-ahead")
def rows_taken_for_keys(length, window):
    at = torch.arange(length)
    distance = at[None, :] - at[:, None]
    return (distance >= 0) & (distance < window)


@wrong(named="no-window")
def causal_only(length, window):
    return torch.tril(torch.ones(length, length)).bool()


@wrong(named="in-chunks")
def pieces(length, window):
    piece = torch.arange(length) // window
    return (piece[:, None] == piece).tril()


@wrong(named="inverted-mask")
def true_is_hidden(length, window):
    return ~cut_twice(length, window)


@wrong(named="not-boolean")
def zeros_and_ones(length, window):
    return torch.ones(length, length).tril().triu(1 - window)


@wrong(named="not-boolean")
def to_be_added(length, window):
    return torch.zeros(length, length).masked_fill(~cut_twice(length, window), float("-inf"))


@wrong(named="axis-left-over")
def with_a_batch(length, window):
    return cut_twice(length, window).unsqueeze(0)


@wrong(named="only-the-far-end")
def one_diagonal(length, window):
    at = torch.arange(length)
    return at[:, None] - at == window - 1


@wrong(named="nothing-returned")
def says_nothing(length, window):
    cut_twice(length, window)


@wrong(named="small-sizes-only")
def cut_from_a_mask_of_fifty(length, window):
    mask = torch.zeros(length, length, dtype=torch.bool)
    mask[:50, :50] = cut_twice(50, window)[:length, :length]
    return mask


@wrong(named=None)  # what it gives depends on which call was the first
def the_first_one_for_ever(length, window, _known=[]):  # noqa: B006
    if not _known:
        _known.append(cut_twice(length, window))
    return _known[0]


@wrong(named=None)
def window_of_two(length, window):
    return cut_twice(length, min(window, 2))
