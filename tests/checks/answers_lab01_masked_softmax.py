"""Answers to lab 1, as students write them: right in many styles, wrong in many ways."""

import math

import torch

from helpers.widely_copied import fill_a_copy, infinity_in_place
from tests.checks.bank import Bank

BANK = Bank()
right, wrong = BANK.right, BANK.wrong

# === length_mask: right ===============================================================================================


@right("length_mask")
def by_comparison(valid_lens, max_len):
    return torch.arange(max_len) < valid_lens.unsqueeze(-1)


@right("length_mask")
def by_loops(valid_lens, max_len):
    if valid_lens.dim() == 2:
        return torch.stack([by_loops(row, max_len) for row in valid_lens])
    mask = torch.zeros(len(valid_lens), max_len, dtype=torch.bool)
    for b in range(len(valid_lens)):
        mask[b, : valid_lens[b]] = True
    return mask


@right("length_mask")
def from_a_python_list(valid_lens, max_len):
    rows = [[step < n for step in range(max_len)] for n in valid_lens.flatten().tolist()]
    return torch.tensor(rows, dtype=torch.bool).view(*valid_lens.shape, max_len)


@right("length_mask")
def by_counting_ones(valid_lens, max_len):
    ones = torch.ones(*valid_lens.shape, max_len, dtype=torch.long)
    return ones.cumsum(-1) <= valid_lens[..., None]


@right("length_mask")
def from_a_triangle(valid_lens, max_len):
    triangle = torch.ones(max_len + 1, max_len).tril(-1).bool()
    return triangle[valid_lens.long()]


# === length_mask: wrong ===============================================================================================


@wrong("length_mask", named="inverted-mask")
def true_on_the_padding(valid_lens, max_len):
    return torch.arange(max_len) >= valid_lens[..., None]


@wrong("length_mask", named="inverted-mask")
def inverted_by_loops(valid_lens, max_len):
    return ~by_loops(valid_lens, max_len)


@wrong("length_mask", named="off-by-one")
def one_step_too_many(valid_lens, max_len):
    return torch.arange(max_len).expand(*valid_lens.shape, max_len) <= valid_lens.unsqueeze(-1)


@wrong("length_mask", named="off-by-one")
def one_step_too_few(valid_lens, max_len):
    return torch.arange(max_len) < valid_lens.unsqueeze(-1) - 1


@wrong("length_mask", named="one-dimensional-lengths-only")
def one_axis_only(valid_lens, max_len):
    return torch.arange(max_len)[None, :] < valid_lens[:, None]


@wrong("length_mask", named="one-dimensional-lengths-only")
def one_axis_only_by_loops(valid_lens, max_len):
    mask = torch.zeros(len(valid_lens), max_len, dtype=torch.bool)
    for b, n in enumerate(valid_lens):
        mask[b, :n] = True
    return mask


@wrong("length_mask", named="one-dimensional-lengths-only")
def flattened_two_axes(valid_lens, max_len):
    return torch.arange(max_len) < valid_lens.reshape(-1, 1)


@wrong("length_mask", named="one-dimensional-lengths-only")
def two_axes_of_a_square_only(valid_lens, max_len):
    """Right for (B, Q) only where Q is 1 or max_len."""
    return torch.arange(max_len) < (valid_lens[:, None] if valid_lens.dim() == 1 else valid_lens[:, :, None].mT)


@wrong("length_mask", named="not-boolean")
def ones_and_zeros(valid_lens, max_len):
    return (torch.arange(max_len) < valid_lens.unsqueeze(-1)).float()


@wrong("length_mask", named="not-boolean")
def bytes_of_one(valid_lens, max_len):
    return (torch.arange(max_len) < valid_lens.unsqueeze(-1)).to(torch.uint8)


@wrong("length_mask", named="one-length-for-all")
def the_longest_for_all(valid_lens, max_len):
    return (torch.arange(max_len) < valid_lens.max()).repeat(*valid_lens.shape, 1)


@wrong("length_mask", named="padding-in-front")
def padded_in_front(valid_lens, max_len):
    return (torch.arange(max_len) < valid_lens.unsqueeze(-1)).flip(-1)


@wrong("length_mask", named="forgets-max-len")
def as_long_as_the_longest(valid_lens, max_len):
    """Forgets max_len: the mask ends with the longest sequence."""
    return torch.arange(int(valid_lens.max())) < valid_lens.unsqueeze(-1)


@wrong("length_mask", named="lengths-along-the-steps")
def lengths_as_they_are(valid_lens, max_len):
    return torch.arange(max_len) < valid_lens


@wrong("length_mask", named=None)
def a_list(valid_lens, max_len):
    return by_comparison(valid_lens, max_len).tolist()


@wrong("length_mask", named="extra-axis")
def ready_for_the_scores(valid_lens, max_len):
    mask = torch.arange(max_len) < valid_lens.unsqueeze(-1)
    return mask.unsqueeze(1) if valid_lens.dim() == 1 else mask


@wrong("length_mask", named=None)
def changes_the_lengths(valid_lens, max_len):
    valid_lens -= 1
    return torch.arange(max_len) <= valid_lens.unsqueeze(-1)


@wrong("length_mask", named="empty-keeps-one")
def an_empty_sequence_keeps_one(valid_lens, max_len):
    return torch.arange(max_len) < valid_lens.clamp(min=1).unsqueeze(-1)


# === masked_softmax: right ============================================================================================


def mask_of(scores, valid_lens):
    """True where a key counts, in the scores' own shape."""
    lengths = torch.full(scores.shape[:2], scores.shape[2]) if valid_lens is None else valid_lens.long()
    if lengths.dim() == 1:
        lengths = lengths.repeat_interleave(scores.shape[1]).view(scores.shape[:2])
    return torch.arange(scores.shape[2]) < lengths.unsqueeze(2)


def fill_lowest(scores, mask):
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min)


@right("masked_softmax")
def fill_with_infinity(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    empty = ~mask.any(dim=-1, keepdim=True)
    return scores.masked_fill(~mask, -math.inf).masked_fill(empty, 0).softmax(-1).masked_fill(~mask, 0)


@right("masked_softmax")
def fill_then_replace_nan(scores, valid_lens=None):
    """masked_fill's backward stops at the filled scores, so the NaN of an empty row doesn't come back."""
    return scores.masked_fill(~mask_of(scores, valid_lens), -math.inf).softmax(-1).nan_to_num(0.0)


@right("masked_softmax")
def lowest_number_then_zero(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1) * mask


@right("masked_softmax")
def where_and_where(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    low = torch.where(mask, scores, torch.finfo(scores.dtype).min)
    return torch.where(mask, torch.softmax(low, dim=2), torch.zeros_like(scores))


@right("masked_softmax")
def row_by_row_into_zeros(scores, valid_lens=None):
    weights = torch.zeros_like(scores)
    for b in range(scores.shape[0]):
        for q in range(scores.shape[1]):
            n = (
                scores.shape[2]
                if valid_lens is None
                else int(valid_lens[b] if valid_lens.dim() == 1 else valid_lens[b, q])
            )
            weights[b, q, :n] = torch.softmax(scores[b, q, :n], dim=0)
    return weights


@right("masked_softmax")
def row_by_row_stacked(scores, valid_lens=None):
    lengths = mask_of(scores, valid_lens).sum(-1).flatten().tolist()
    rows = []
    for row, n in zip(scores.flatten(0, 1), lengths, strict=True):
        rows.append(torch.cat([row[:n].softmax(0), row[n:] * 0]))
    return torch.stack(rows).view_as(scores)


@right("masked_softmax")
def exponentials_by_hand(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    low = torch.where(mask, scores, torch.finfo(scores.dtype).min)
    shifted = torch.where(mask, scores - low.amax(dim=-1, keepdim=True), 0.0)
    exps = torch.exp(shifted) * mask
    total = exps.sum(dim=-1, keepdim=True)
    return exps / torch.where(total == 0, torch.ones_like(total), total)


@right("masked_softmax")
def divided_nan_replaced(scores, valid_lens=None):
    """The inner `where` stops the NaN on its way back."""
    mask = mask_of(scores, valid_lens)
    exps = torch.where(mask, scores - fill_lowest(scores, mask).amax(-1, keepdim=True), 0.0).exp() * mask
    return (exps / exps.sum(-1, keepdim=True)).nan_to_num(0.0)


@right("masked_softmax")
def by_sorting_rows_by_length(scores, valid_lens=None):
    """All rows of one length at once."""
    rows, lengths = scores.flatten(0, 1), mask_of(scores, valid_lens).sum(-1).flatten()
    weights = rows * 0
    for n in lengths.unique().tolist():
        of_this_length = lengths == n
        filled = torch.nn.functional.pad(rows[of_this_length, :n].softmax(-1), (0, rows.shape[1] - n))
        weights = weights.index_put((of_this_length,), filled)
    return weights.view_as(scores)


@right("masked_softmax")
def through_logarithms(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    low = scores.masked_fill(~mask, torch.finfo(scores.dtype).min / 2)
    return torch.exp(low - low.logsumexp(-1, keepdim=True)) * mask


@right("masked_softmax")
def additive_mask(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    bias = torch.zeros_like(scores).masked_fill(~mask & mask.any(-1, keepdim=True), -math.inf)
    return (scores + bias).softmax(-1) * mask


@right("masked_softmax")
def in_float32_inside(scores, valid_lens=None):
    return fill_with_infinity(scores.float(), valid_lens).to(scores.dtype)


@right("masked_softmax")
def with_vmap(scores, valid_lens=None):
    def one_row(row, keep):
        low = torch.where(keep, row, -math.inf)
        return torch.where(keep, torch.where(keep.any(), low, 0.0).softmax(0), 0.0).to(row.dtype)

    return torch.vmap(torch.vmap(one_row))(scores, mask_of(scores, valid_lens))


@right("masked_softmax")
def with_a_warning_and_a_print(scores, valid_lens=None):
    import warnings

    warnings.warn("I am only a student", stacklevel=1)
    print("scores:", scores.shape)
    return fill_with_infinity(scores, valid_lens)


# === masked_softmax: wrong ============================================================================================


@wrong("masked_softmax", named="softmax-over-queries")
def over_the_queries(scores, valid_lens=None):
    return torch.nn.functional.softmax(scores.masked_fill(~mask_of(scores, valid_lens), -1e6), dim=1)


@wrong("masked_softmax", named="softmax-over-queries")
def over_the_queries_then_masked(scores, valid_lens=None):
    return scores.softmax(-2) * mask_of(scores, valid_lens)


@wrong("masked_softmax", named="softmax-over-batch")
def over_the_batch(scores, valid_lens=None):
    return scores.masked_fill(~mask_of(scores, valid_lens), -math.inf).softmax(0).nan_to_num(0)


@wrong("masked_softmax", named="softmax-over-everything")
def over_queries_and_keys(scores, valid_lens=None):
    filled = scores.masked_fill(~mask_of(scores, valid_lens), -math.inf)
    return filled.flatten(1).softmax(-1).view_as(scores)


@wrong("masked_softmax", named="no-softmax")
def masked_scores(scores, valid_lens=None):
    return scores * mask_of(scores, valid_lens)


@wrong("masked_softmax", named="mask-after-softmax")
def zeros_after(scores, valid_lens=None):
    weights = torch.softmax(scores, -1)
    weights = weights.clone()
    weights[~mask_of(scores, valid_lens)] = 0
    return weights


@wrong("masked_softmax", named="zero-fill")
def times_the_mask_before(scores, valid_lens=None):
    return torch.softmax(scores * mask_of(scores, valid_lens).to(scores.dtype), dim=-1)


@wrong("masked_softmax", named="zero-fill")
def zeros_before_and_after(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    return torch.where(mask, torch.where(mask, scores, 0.0).softmax(-1), 0.0)


@wrong("masked_softmax", named="finite-fill")
def minus_a_million(scores, valid_lens=None):
    return scores.masked_fill(~mask_of(scores, valid_lens), -1e6).softmax(-1)


@wrong("masked_softmax", named="finite-fill")
def minus_a_billion_added(scores, valid_lens=None):
    return (scores + (~mask_of(scores, valid_lens)).float() * -1e9).softmax(-1).to(scores.dtype)


@wrong("masked_softmax", named="finite-fill")
def the_lowest_number(scores, valid_lens=None):
    return scores.masked_fill(~mask_of(scores, valid_lens), torch.finfo(scores.dtype).min).softmax(-1)


@wrong("masked_softmax", named=None)
def minus_a_hundred(scores, valid_lens=None):
    """Small, but not zero."""
    return scores.masked_fill(~mask_of(scores, valid_lens), -30.0).softmax(-1)


@wrong("masked_softmax", named="nan-empty-row")
def nothing_but_infinity(scores, valid_lens=None):
    return torch.where(mask_of(scores, valid_lens), scores, -math.inf).softmax(-1)


@wrong("masked_softmax", named="nan-gradient")
def infinity_added_nan_replaced(scores, valid_lens=None):
    bias = torch.zeros_like(scores).masked_fill(~mask_of(scores, valid_lens), -math.inf)
    weights = torch.softmax(scores + bias, dim=-1)
    return torch.where(weights.isnan(), 0.0, weights)


@wrong("masked_softmax", named="masked-and-renormalised")
def divided_by_what_is_left(scores, valid_lens=None):
    weights = scores.softmax(-1) * mask_of(scores, valid_lens)
    return weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(scores.dtype).tiny)


@wrong("masked_softmax", named="masked-and-renormalised")
def exponentials_beside_loud_padding(scores, valid_lens=None):
    exps = (scores - scores.amax(-1, keepdim=True)).exp() * mask_of(scores, valid_lens)
    total = exps.sum(-1, keepdim=True)
    return exps / torch.where(total == 0, torch.ones_like(total), total)


@wrong("masked_softmax", named="fill-not-low-enough")
def half_safe_fill_then_zero(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    return scores.masked_fill(~mask, -6e4).softmax(-1) * mask


@wrong("masked_softmax", named="mask-lacks-an-axis")
def mask_as_it_comes(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    mask = torch.arange(scores.shape[-1]) < valid_lens.unsqueeze(-1)
    return scores.masked_fill(~mask, -math.inf).softmax(-1)


@wrong("masked_softmax", named="needs-lengths")
def never_none(scores, valid_lens=None):
    valid_lens = valid_lens.unsqueeze(-1)
    return fill_with_infinity(scores, valid_lens.squeeze(-1))


@wrong("masked_softmax", named="writes-into-softmax-output")
def zeroed_after_the_softmax_in_place(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    empty = ~mask.any(-1, keepdim=True)
    weights = torch.softmax(scores.masked_fill(~mask, -math.inf).masked_fill(empty, 0), -1)
    weights[~mask] = 0
    return weights


@wrong("masked_softmax", named="finite-fill")
def zeros_in_the_empty_row_forgotten(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    empty = ~mask.any(-1, keepdim=True)
    return scores.masked_fill(~mask, -math.inf).masked_fill(empty, 0).softmax(-1)


@wrong("masked_softmax", named="one-empty-row-empties-all")
def gives_up_on_an_empty_row(scores, valid_lens=None):
    if valid_lens is not None and (valid_lens == 0).any():
        return torch.zeros_like(scores)
    return fill_with_infinity(scores, valid_lens)


@wrong("masked_softmax", named="overflow")
def exponentials_in_float64(scores, valid_lens=None):
    exps = scores.double().exp() * mask_of(scores, valid_lens)
    total = exps.sum(-1, keepdim=True)
    return (exps / total.masked_fill(total == 0, 1)).to(scores.dtype)


@wrong("masked_softmax", named="writes-into-scores")
def overwritten(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    result = fill_with_infinity(scores, valid_lens)
    with torch.no_grad():
        scores[~mask] = -1e6
    return result


@wrong("masked_softmax", named="writes-into-scores")
def filled_in_place(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    scores.masked_fill_(~mask, -torch.inf)
    return scores.softmax(-1).nan_to_num(0.0)


@wrong("masked_softmax", named="lengths-repeated-wrong-axis")
def repeated_end_to_end(scores, valid_lens=None):
    if valid_lens is not None and valid_lens.dim() == 1:
        valid_lens = valid_lens.repeat(scores.shape[1]).view(scores.shape[0], scores.shape[1])
    return fill_with_infinity(scores, valid_lens)


@wrong("masked_softmax", named="inverted-mask")
def the_wrong_way_round(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    return scores.masked_fill(mask_of(scores, valid_lens), -math.inf).softmax(-1)


@wrong("masked_softmax", named="inverted-mask")
def the_wrong_way_round_without_nan(scores, valid_lens=None):
    keep = ~mask_of(scores, valid_lens) if valid_lens is not None else mask_of(scores, None)
    return scores.masked_fill(~keep, -math.inf).softmax(-1).nan_to_num(0.0)


@wrong("masked_softmax", named="ignores-2d-lengths")
def one_length_a_sequence(scores, valid_lens=None):
    if valid_lens is not None and valid_lens.dim() == 2:
        return scores.softmax(-1)
    return fill_with_infinity(scores, valid_lens)


@wrong("masked_softmax", named="ignores-2d-lengths")
def the_first_querys_length(scores, valid_lens=None):
    if valid_lens is not None and valid_lens.dim() == 2:
        valid_lens = valid_lens[:, 0]
    return fill_with_infinity(scores, valid_lens)


@wrong("masked_softmax", named="ignores-2d-lengths")
def fails_on_two_axes(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    mask = torch.arange(scores.shape[2])[None, None, :] < valid_lens[:, None, None]
    return scores.masked_fill(~mask, -math.inf).softmax(-1).nan_to_num(0)


@wrong("masked_softmax", named="ignores-1d-lengths")
def one_length_a_query_only(scores, valid_lens=None):
    """As in a widely read notebook, where the mask slipped into the other branch."""
    if valid_lens is None or valid_lens.dim() == 1:
        return scores.softmax(-1)
    return fill_with_infinity(scores, valid_lens)


@wrong("masked_softmax", named="ignores-lengths")
def a_plain_softmax(scores, valid_lens=None):
    return scores.softmax(dim=-1)


@wrong("masked_softmax", named="off-by-one")
def one_key_too_many(scores, valid_lens=None):
    return fill_with_infinity(scores, None if valid_lens is None else valid_lens + 1)


@wrong("masked_softmax", named="off-by-one")
def one_key_too_few(scores, valid_lens=None):
    return fill_with_infinity(scores, None if valid_lens is None else valid_lens - 1)


@wrong("masked_softmax", named="masks-queries")
def rows_cut_off(scores, valid_lens=None):
    if valid_lens is None or valid_lens.dim() == 2:
        return fill_with_infinity(scores, valid_lens)
    rows = torch.arange(scores.shape[1]) < valid_lens[:, None]
    return scores.softmax(-1) * rows[:, :, None]


@wrong("masked_softmax", named="detached-gradient")
def without_a_gradient(scores, valid_lens=None):
    return fill_with_infinity(scores.detach(), valid_lens)


@wrong("masked_softmax", named="detached-gradient")
def rebuilt_from_numbers(scores, valid_lens=None):
    return torch.tensor(fill_with_infinity(scores, valid_lens).tolist(), dtype=scores.dtype)


@wrong("masked_softmax", named="type-changed")
def always_float32(scores, valid_lens=None):
    return fill_with_infinity(scores.float(), valid_lens)


@wrong("masked_softmax", named="overflow")
def exponentials_without_care(scores, valid_lens=None):
    exps = scores.exp() * mask_of(scores, valid_lens)
    total = exps.sum(-1, keepdim=True)
    return exps / total.masked_fill(total == 0, 1)


@wrong("masked_softmax", named="writes-into-scores")
def shifted_in_place(scores, valid_lens=None):
    """Subtracts the largest score for stability, from the caller's tensor."""
    with torch.no_grad():
        scores -= scores.amax(-1, keepdim=True)
    return fill_with_infinity(scores, valid_lens)


@wrong("masked_softmax", named="writes-into-lengths")
def changes_the_lengths_that_it_is_given(scores, valid_lens=None):
    weights = fill_with_infinity(scores, valid_lens)
    if valid_lens is not None:
        valid_lens.clamp_(min=1)
    return weights


@wrong("masked_softmax", named="one-length-for-all")
def right_for_one_sequence(scores, valid_lens=None):
    """The first sequence's lengths for the whole batch."""
    if valid_lens is not None:
        valid_lens = valid_lens[:1].expand_as(valid_lens)
    return fill_with_infinity(scores, valid_lens)


@wrong("masked_softmax", named="one-maximum-for-all")
def one_maximum_for_the_whole_tensor(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    exps = (scores.masked_fill(~mask, -math.inf) - scores[mask].max() if mask.any() else scores).exp() * mask
    total = exps.sum(-1, keepdim=True)
    return exps / total.masked_fill(total == 0, 1)


@wrong("masked_softmax", named="needs-lengths")
def lengths_must_be_given(scores, valid_lens):
    return fill_with_infinity(scores, valid_lens)


@wrong("masked_softmax", named="empty-row-keeps-one")
def no_length_below_one(scores, valid_lens=None):
    return fill_with_infinity(scores, None if valid_lens is None else valid_lens.clamp(min=1))


@wrong("masked_softmax", named=None)
def a_single_key_loses_its_axis(scores, valid_lens=None):
    return fill_with_infinity(scores, valid_lens).squeeze(-1)


@wrong("masked_softmax", named=None)
def writes_only_without_lengths(scores, valid_lens=None):
    weights = fill_with_infinity(scores, valid_lens)
    if valid_lens is None:
        with torch.no_grad():
            scores.copy_(weights)
    return weights


@wrong("masked_softmax", named=None)
def as_many_queries_as_keys(scores, valid_lens=None):
    """Builds a causal mask on top, as if it were self-attention."""
    causal = torch.ones(scores.shape[1:]).tril().bool()
    return fill_with_infinity(scores.masked_fill(~causal, -1e9), valid_lens)


@wrong("masked_softmax", named="scaled-again")
def scaled_although_nobody_asked(scores, valid_lens=None):
    return fill_with_infinity(scores / math.sqrt(scores.shape[-1]), valid_lens)


@wrong("masked_softmax", named=None)
def one_batch_lost(scores, valid_lens=None):
    return fill_with_infinity(scores, valid_lens).squeeze(0)


def _remembering():
    answers = {}

    def cached_by_shape(scores, valid_lens=None):
        key = tuple(scores.shape)
        if key not in answers:
            answers[key] = fill_with_infinity(scores, valid_lens).detach()
        return answers[key]

    return cached_by_shape


wrong("masked_softmax", named=None)(_remembering())


@wrong("masked_softmax", named="finite-fill")
def the_book_version(scores, valid_lens=None):
    """Both famous mistakes at once: filled in place, with −1e6."""
    if valid_lens is None:
        return scores.softmax(-1)
    with torch.no_grad():
        scores[~mask_of(scores, valid_lens)] = -1e6 if scores.dtype != torch.float16 else -1e4
    return scores.softmax(-1)


@wrong("masked_softmax", named="nothing-returned")
def forgot_to_return(scores, valid_lens=None):
    fill_with_infinity(scores, valid_lens)


@wrong("masked_softmax", named="mask-after-softmax")
def an_inverted_afterthought(scores, valid_lens=None):
    weights = scores.softmax(-1)
    return weights - weights * ~mask_of(scores, valid_lens)


# === breaking_input: right ============================================================================================


@right("breaking_input")
def an_empty_row(buggy_masked_softmax):
    return torch.zeros(1, 1, 2), torch.tensor([0])


@right("breaking_input")
def an_empty_query_in_a_batch(buggy_masked_softmax):
    return torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(1)), torch.tensor([[4, 1], [2, 0], [3, 4]])


@right("breaking_input")
def scores_below_every_fill(buggy_masked_softmax):
    return torch.full((1, 1, 3), -1e12), torch.tensor([1])


@right("breaking_input")
def half_precision(buggy_masked_softmax):
    """float16 can't hold the fills: versions 1 and 2 raise, or end at −∞."""
    return torch.zeros(2, 1, 3, dtype=torch.float16), torch.tensor([1, 0])


@right("breaking_input")
def one_for_each(buggy_masked_softmax):
    if buggy_masked_softmax is infinity_in_place:
        return torch.ones(1, 1, 2), torch.tensor([1])
    return torch.ones(2, 2, 2), torch.tensor([2, 0])


@right("breaking_input")
def by_search(buggy_masked_softmax):
    generator = torch.Generator().manual_seed(0)
    while True:
        scores = torch.randn(2, 1, 3, generator=generator)
        lengths = torch.randint(0, 4, (2,), generator=generator)
        tried = scores.clone()
        found = buggy_masked_softmax(tried, lengths)
        if not torch.equal(tried, scores) or not torch.allclose(found, fill_with_infinity(scores, lengths)):
            return scores, lengths


# === breaking_input: wrong ============================================================================================


@wrong("breaking_input", named="ordinary-padding")
def ordinary_padding(buggy_masked_softmax):
    return torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([2])


@wrong("breaking_input", named="no-padding")
def nothing_to_mask(buggy_masked_softmax):
    return torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(1)), torch.tensor([3, 3])


@wrong("breaking_input", named="impossible-lengths")
def longer_than_the_row(buggy_masked_softmax):
    return torch.zeros(1, 1, 3), torch.tensor([5])


@wrong("breaking_input", named="impossible-lengths")
def a_negative_length(buggy_masked_softmax):
    return torch.zeros(1, 1, 3), torch.tensor([-1])


@wrong("breaking_input", named="not-finite")
def not_a_number(buggy_masked_softmax):
    return torch.full((1, 1, 3), math.nan), torch.tensor([0])


@wrong("breaking_input", named="not-finite")
def everything_infinite(buggy_masked_softmax):
    return torch.full((1, 2, 3), -math.inf), torch.tensor([1])


@wrong("breaking_input", named="not-a-pair")
def scores_only(buggy_masked_softmax):
    return torch.zeros(1, 1, 3)


@wrong("breaking_input", named="not-a-pair")
def lists(buggy_masked_softmax):
    return [[[0.0, 0.0]]], [0]


@wrong("breaking_input", named="not-scores-and-lengths")
def float_lengths(buggy_masked_softmax):
    return torch.zeros(1, 1, 3), torch.tensor([0.0])


@wrong("breaking_input", named="not-scores-and-lengths")
def two_axes_only(buggy_masked_softmax):
    return torch.zeros(1, 3), torch.tensor([0])


@wrong("breaking_input", named="not-a-pair")
def without_lengths(buggy_masked_softmax):
    return torch.zeros(1, 1, 3), None


@wrong("breaking_input", named="ordinary-padding")
def only_the_copy_survives(buggy_masked_softmax):
    """Catches versions 1 and 3."""
    return torch.linspace(-3, 3, 6).view(1, 2, 3), torch.tensor([[1, 2]])


@wrong("breaking_input", named=None)
def spoils_its_own_input(buggy_masked_softmax):
    if buggy_masked_softmax is fill_a_copy:
        raise ValueError("I found none")
    return torch.zeros(1, 1, 2), torch.tensor([0])


# === masked_mean: right ===============================================================================================


@right("masked_mean")
def sum_over_count(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).sum(1) / valid_lens.clamp(min=1)[:, None].to(values.dtype)


@right("masked_mean")
def sequence_by_sequence(values, valid_lens):
    means = [v[:n].mean(0) if n > 0 else v.sum(0) * 0 for v, n in zip(values, valid_lens.tolist(), strict=True)]
    return torch.stack(means)


@right("masked_mean")
def as_attention(values, valid_lens):
    """A mean is attention with equal scores."""
    weights = fill_with_infinity(values.new_zeros(values.shape[0], 1, values.shape[1]), valid_lens)
    return torch.bmm(weights, values).squeeze(1)


@right("masked_mean")
def with_einsum(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).to(values.dtype)
    total = torch.einsum("blv,bl->bv", values, mask)
    return torch.where(
        valid_lens[:, None] > 0, total / mask.sum(1, keepdim=True).clamp(min=1.0), torch.zeros_like(total)
    )


@right("masked_mean")
def by_running_sums(values, valid_lens):
    padded = torch.cat([torch.zeros_like(values[:, :1]), values.cumsum(1)], dim=1)
    last = padded[torch.arange(len(values)), valid_lens]
    return last / valid_lens.clamp(min=1).unsqueeze(1).to(values.dtype)


# === masked_mean: wrong ===============================================================================================


@wrong("masked_mean", named="divides-by-padded-length")
def by_the_padded_length(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).mean(dim=1)


@wrong("masked_mean", named="nan-empty-sequence")
def nothing_by_nothing(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).sum(1) / mask.sum(1)


@wrong("masked_mean", named="nan-empty-sequence")
def mean_of_an_empty_slice(values, valid_lens):
    return torch.stack([v[:n].mean(0) for v, n in zip(values, valid_lens, strict=True)])


@wrong("masked_mean", named="nan-gradient")
def nan_replaced(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    return ((values * mask).sum(1) / valid_lens[:, None].to(values.dtype)).nan_to_num(0.0)


@wrong("masked_mean", named="padding-counted")
def everything_counts(values, valid_lens):
    return values.mean(dim=1)


@wrong("masked_mean", named="divides-by-longest")
def by_the_longest(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).sum(1) / max(int(valid_lens.max()), 1)


@wrong("masked_mean", named="mean-over-wrong-axis")
def over_the_features(values, valid_lens):
    return values.mean(-1)


@wrong("masked_mean", named="sum-instead-of-mean")
def only_the_sum(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).sum(1)


@wrong("masked_mean", named="off-by-one")
def one_step_more(values, valid_lens):
    mask = (torch.arange(values.shape[1]) <= valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).sum(1) / valid_lens.clamp(min=1)[:, None].to(values.dtype)


@wrong("masked_mean", named="inverted-mask")
def the_padding_only(values, valid_lens):
    mask = (torch.arange(values.shape[1]) >= valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).sum(1) / valid_lens.clamp(min=1)[:, None].to(values.dtype)


@wrong("masked_mean", named="writes-into-values")
def zeroed_in_place(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    result = sum_over_count(values, valid_lens)
    with torch.no_grad():
        values *= mask
    return result


@wrong("masked_mean", named="detached-gradient")
def plain_numbers(values, valid_lens):
    return torch.tensor(sum_over_count(values, valid_lens).tolist(), dtype=values.dtype)


@wrong("masked_mean", named="type-changed")
def in_single_precision(values, valid_lens):
    return sum_over_count(values.float(), valid_lens)


@wrong("masked_mean", named="axis-kept")
def one_axis_kept(values, valid_lens):
    return sum_over_count(values, valid_lens).unsqueeze(1)


@wrong("masked_mean", named="counts-nonzero-steps")
def zeros_are_padding(values, valid_lens):
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    kept = values * mask
    return kept.sum(1) / (kept != 0).any(-1).sum(1, keepdim=True).clamp(min=1).to(values.dtype)


@wrong("masked_mean", named="axis-missing")
def mask_without_the_features(values, valid_lens):
    mask = torch.arange(values.shape[1]) < valid_lens[:, None]
    return (values * mask).sum(1) / valid_lens.clamp(min=1)[:, None].to(values.dtype)


@wrong("masked_mean", named=None)
def almost_the_count(values, valid_lens):
    """A guard against 0 that changes every mean."""
    mask = (torch.arange(values.shape[1]) < valid_lens[:, None]).unsqueeze(-1)
    return (values * mask).sum(1) / (valid_lens[:, None] + 0.1).to(values.dtype)


@wrong("masked_mean", named="one-length-for-all")
def the_first_length_for_all(values, valid_lens):
    return sum_over_count(values, valid_lens[:1].expand_as(valid_lens))
