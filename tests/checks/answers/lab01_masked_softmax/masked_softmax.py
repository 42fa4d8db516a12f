"""Answers to `masked_softmax`, as students write them: right in many styles, wrong in many ways."""

import math

import torch

from tests.checks.bank import Bank

BANK = Bank("masked_softmax")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


def mask_of(scores, valid_lens):
    """True where a key counts, in the scores' own shape."""
    lengths = torch.full(scores.shape[:2], scores.shape[2]) if valid_lens is None else valid_lens.long()
    if lengths.dim() == 1:
        lengths = lengths.repeat_interleave(scores.shape[1]).view(scores.shape[:2])
    return torch.arange(scores.shape[2]) < lengths.unsqueeze(2)


def fill_lowest(scores, mask):
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min)


@right
def fill_with_infinity(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    empty = ~mask.any(dim=-1, keepdim=True)
    return scores.masked_fill(~mask, -math.inf).masked_fill(empty, 0).softmax(-1).masked_fill(~mask, 0)


@right
def fill_then_replace_nan(scores, valid_lens=None):
    """masked_fill's backward stops at the filled scores, so the NaN of an empty row doesn't come back."""
    return scores.masked_fill(~mask_of(scores, valid_lens), -math.inf).softmax(-1).nan_to_num(0.0)


@right
def lowest_number_then_zero(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1) * mask


@right
def where_and_where(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    low = torch.where(mask, scores, torch.finfo(scores.dtype).min)
    return torch.where(mask, torch.softmax(low, dim=2), torch.zeros_like(scores))


@right
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


@right
def row_by_row_stacked(scores, valid_lens=None):
    lengths = mask_of(scores, valid_lens).sum(-1).flatten().tolist()
    rows = []
    for row, n in zip(scores.flatten(0, 1), lengths, strict=True):
        rows.append(torch.cat([row[:n].softmax(0), row[n:] * 0]))
    return torch.stack(rows).view_as(scores)


@right
def exponentials_by_hand(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    low = torch.where(mask, scores, torch.finfo(scores.dtype).min)
    shifted = torch.where(mask, scores - low.amax(dim=-1, keepdim=True), 0.0)
    exps = torch.exp(shifted) * mask
    total = exps.sum(dim=-1, keepdim=True)
    return exps / torch.where(total == 0, torch.ones_like(total), total)


@right
def divided_nan_replaced(scores, valid_lens=None):
    """The inner `where` stops the NaN on its way back."""
    mask = mask_of(scores, valid_lens)
    exps = torch.where(mask, scores - fill_lowest(scores, mask).amax(-1, keepdim=True), 0.0).exp() * mask
    return (exps / exps.sum(-1, keepdim=True)).nan_to_num(0.0)


@right
def by_sorting_rows_by_length(scores, valid_lens=None):
    """All rows of one length at once."""
    rows, lengths = scores.flatten(0, 1), mask_of(scores, valid_lens).sum(-1).flatten()
    weights = rows * 0
    for n in lengths.unique().tolist():
        of_this_length = lengths == n
        filled = torch.nn.functional.pad(rows[of_this_length, :n].softmax(-1), (0, rows.shape[1] - n))
        weights = weights.index_put((of_this_length,), filled)
    return weights.view_as(scores)


@right
def through_logarithms(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    low = scores.masked_fill(~mask, torch.finfo(scores.dtype).min / 2)
    return torch.exp(low - low.logsumexp(-1, keepdim=True)) * mask


@right
def additive_mask(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    bias = torch.zeros_like(scores).masked_fill(~mask & mask.any(-1, keepdim=True), -math.inf)
    return (scores + bias).softmax(-1) * mask


@right
def in_float32_inside(scores, valid_lens=None):
    return fill_with_infinity(scores.float(), valid_lens).to(scores.dtype)


@right
def with_vmap(scores, valid_lens=None):
    def one_row(row, keep):
        low = torch.where(keep, row, -math.inf)
        return torch.where(keep, torch.where(keep.any(), low, 0.0).softmax(0), 0.0).to(row.dtype)

    return torch.vmap(torch.vmap(one_row))(scores, mask_of(scores, valid_lens))


@right
def with_a_warning_and_a_print(scores, valid_lens=None):
    import warnings

    warnings.warn("I am only a student", stacklevel=1)
    print("scores:", scores.shape)
    return fill_with_infinity(scores, valid_lens)


# === Wrong ============================================================================================================


@wrong(named="softmax-over-queries")
def over_the_queries(scores, valid_lens=None):
    return torch.nn.functional.softmax(scores.masked_fill(~mask_of(scores, valid_lens), -1e6), dim=1)


@wrong(named="softmax-over-queries")
def over_the_queries_then_masked(scores, valid_lens=None):
    return scores.softmax(-2) * mask_of(scores, valid_lens)


@wrong(named="softmax-over-batch")
def over_the_batch(scores, valid_lens=None):
    return scores.masked_fill(~mask_of(scores, valid_lens), -math.inf).softmax(0).nan_to_num(0)


@wrong(named="softmax-over-everything")
def over_queries_and_keys(scores, valid_lens=None):
    filled = scores.masked_fill(~mask_of(scores, valid_lens), -math.inf)
    return filled.flatten(1).softmax(-1).view_as(scores)


@wrong(named="no-softmax")
def masked_scores(scores, valid_lens=None):
    return scores * mask_of(scores, valid_lens)


@wrong(named="mask-after-softmax")
def zeros_after(scores, valid_lens=None):
    weights = torch.softmax(scores, -1)
    weights = weights.clone()
    weights[~mask_of(scores, valid_lens)] = 0
    return weights


@wrong(named="masks-with-zero")
def times_the_mask_before(scores, valid_lens=None):
    return torch.softmax(scores * mask_of(scores, valid_lens).to(scores.dtype), dim=-1)


@wrong(named="masks-with-zero")
def zeros_before_and_after(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    return torch.where(mask, torch.where(mask, scores, 0.0).softmax(-1), 0.0)


@wrong(named="finite-fill")
def minus_a_million(scores, valid_lens=None):
    return scores.masked_fill(~mask_of(scores, valid_lens), -1e6).softmax(-1)


@wrong(named="finite-fill")
def minus_a_billion_added(scores, valid_lens=None):
    return (scores + (~mask_of(scores, valid_lens)).float() * -1e9).softmax(-1).to(scores.dtype)


@wrong(named="finite-fill")
def the_lowest_number(scores, valid_lens=None):
    return scores.masked_fill(~mask_of(scores, valid_lens), torch.finfo(scores.dtype).min).softmax(-1)


@wrong(named="finite-fill")
def minus_thirty(scores, valid_lens=None):
    """Small, but not zero."""
    return scores.masked_fill(~mask_of(scores, valid_lens), -30.0).softmax(-1)


@wrong(named="nan-empty-row")
def nothing_but_infinity(scores, valid_lens=None):
    return torch.where(mask_of(scores, valid_lens), scores, -math.inf).softmax(-1)


@wrong(named="nan-gradient")
def infinity_added_nan_replaced(scores, valid_lens=None):
    bias = torch.zeros_like(scores).masked_fill(~mask_of(scores, valid_lens), -math.inf)
    weights = torch.softmax(scores + bias, dim=-1)
    return torch.where(weights.isnan(), 0.0, weights)


@wrong(named="masked-and-renormalised")
def divided_by_what_is_left(scores, valid_lens=None):
    weights = scores.softmax(-1) * mask_of(scores, valid_lens)
    return weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(scores.dtype).tiny)


@wrong(named="masked-and-renormalised")
def exponentials_beside_loud_padding(scores, valid_lens=None):
    exps = (scores - scores.amax(-1, keepdim=True)).exp() * mask_of(scores, valid_lens)
    total = exps.sum(-1, keepdim=True)
    return exps / torch.where(total == 0, torch.ones_like(total), total)


@wrong(named="fill-not-low-enough")
def half_safe_fill_then_zero(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    return scores.masked_fill(~mask, -6e4).softmax(-1) * mask


@wrong(named="mask-lacks-an-axis")
def mask_as_it_comes(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    mask = torch.arange(scores.shape[-1]) < valid_lens.unsqueeze(-1)
    return scores.masked_fill(~mask, -math.inf).softmax(-1)


@wrong(named="needs-lengths")
def never_none(scores, valid_lens=None):
    valid_lens = valid_lens.unsqueeze(-1)
    return fill_with_infinity(scores, valid_lens.squeeze(-1))


@wrong(named="writes-into-softmax-output")
def zeroed_after_the_softmax_in_place(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    empty = ~mask.any(-1, keepdim=True)
    weights = torch.softmax(scores.masked_fill(~mask, -math.inf).masked_fill(empty, 0), -1)
    weights[~mask] = 0
    return weights


@wrong(named="finite-fill")
def zeros_in_the_empty_row_forgotten(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    empty = ~mask.any(-1, keepdim=True)
    return scores.masked_fill(~mask, -math.inf).masked_fill(empty, 0).softmax(-1)


@wrong(named="one-empty-row-empties-all")
def gives_up_on_an_empty_row(scores, valid_lens=None):
    if valid_lens is not None and (valid_lens == 0).any():
        return torch.zeros_like(scores)
    return fill_with_infinity(scores, valid_lens)


@wrong(named="overflow")
def exponentials_in_float64(scores, valid_lens=None):
    exps = scores.double().exp() * mask_of(scores, valid_lens)
    total = exps.sum(-1, keepdim=True)
    return (exps / total.masked_fill(total == 0, 1)).to(scores.dtype)


@wrong(named="writes-into-arguments")
def overwritten(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    result = fill_with_infinity(scores, valid_lens)
    with torch.no_grad():
        scores[~mask] = -1e6
    return result


@wrong(named="writes-into-arguments")
def filled_in_place(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    scores.masked_fill_(~mask, -torch.inf)
    return scores.softmax(-1).nan_to_num(0.0)


@wrong(named="lengths-on-the-wrong-axis")
def repeated_end_to_end(scores, valid_lens=None):
    if valid_lens is not None and valid_lens.dim() == 1:
        valid_lens = valid_lens.repeat(scores.shape[1]).view(scores.shape[0], scores.shape[1])
    return fill_with_infinity(scores, valid_lens)


@wrong(named="inverted-mask")
def the_wrong_way_round(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    return scores.masked_fill(mask_of(scores, valid_lens), -math.inf).softmax(-1)


@wrong(named="inverted-mask")
def the_wrong_way_round_without_nan(scores, valid_lens=None):
    keep = ~mask_of(scores, valid_lens) if valid_lens is not None else mask_of(scores, None)
    return scores.masked_fill(~keep, -math.inf).softmax(-1).nan_to_num(0.0)


@wrong(named="ignores-2d-lengths")
def one_length_a_sequence(scores, valid_lens=None):
    if valid_lens is not None and valid_lens.dim() == 2:
        return scores.softmax(-1)
    return fill_with_infinity(scores, valid_lens)


@wrong(named="ignores-2d-lengths")
def the_first_querys_length(scores, valid_lens=None):
    if valid_lens is not None and valid_lens.dim() == 2:
        valid_lens = valid_lens[:, 0]
    return fill_with_infinity(scores, valid_lens)


@wrong(named="ignores-2d-lengths")
def fails_on_two_axes(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    mask = torch.arange(scores.shape[2])[None, None, :] < valid_lens[:, None, None]
    return scores.masked_fill(~mask, -math.inf).softmax(-1).nan_to_num(0)


@wrong(named="ignores-1d-lengths")
def one_length_a_query_only(scores, valid_lens=None):
    """As in a widely read notebook, where the mask slipped into the other branch."""
    if valid_lens is None or valid_lens.dim() == 1:
        return scores.softmax(-1)
    return fill_with_infinity(scores, valid_lens)


@wrong(named="attends-to-padding")
def a_plain_softmax(scores, valid_lens=None):
    return scores.softmax(dim=-1)


@wrong(named="off-by-one")
def one_key_too_many(scores, valid_lens=None):
    return fill_with_infinity(scores, None if valid_lens is None else valid_lens + 1)


@wrong(named="off-by-one")
def one_key_too_few(scores, valid_lens=None):
    return fill_with_infinity(scores, None if valid_lens is None else valid_lens - 1)


@wrong(named="masks-queries")
def rows_cut_off(scores, valid_lens=None):
    if valid_lens is None or valid_lens.dim() == 2:
        return fill_with_infinity(scores, valid_lens)
    rows = torch.arange(scores.shape[1]) < valid_lens[:, None]
    return scores.softmax(-1) * rows[:, :, None]


@wrong(named="detached-gradient")
def without_a_gradient(scores, valid_lens=None):
    return fill_with_infinity(scores.detach(), valid_lens)


@wrong(named="detached-gradient")
def rebuilt_from_numbers(scores, valid_lens=None):
    return torch.tensor(fill_with_infinity(scores, valid_lens).tolist(), dtype=scores.dtype)


@wrong(named="type-changed")
def always_float32(scores, valid_lens=None):
    return fill_with_infinity(scores.float(), valid_lens)


@wrong(named="overflow")
def exponentials_without_care(scores, valid_lens=None):
    exps = scores.exp() * mask_of(scores, valid_lens)
    total = exps.sum(-1, keepdim=True)
    return exps / total.masked_fill(total == 0, 1)


@wrong(named="writes-into-arguments")
def shifted_in_place(scores, valid_lens=None):
    """Subtracts the largest score for stability, from the caller's tensor."""
    with torch.no_grad():
        scores -= scores.amax(-1, keepdim=True)
    return fill_with_infinity(scores, valid_lens)


@wrong(named="writes-into-arguments")
def changes_the_lengths_that_it_is_given(scores, valid_lens=None):
    weights = fill_with_infinity(scores, valid_lens)
    if valid_lens is not None:
        valid_lens.clamp_(min=1)
    return weights


@wrong(named="one-length-for-all")
def right_for_one_sequence(scores, valid_lens=None):
    """The first sequence's lengths for the whole batch."""
    if valid_lens is not None:
        valid_lens = valid_lens[:1].expand_as(valid_lens)
    return fill_with_infinity(scores, valid_lens)


@wrong(named="one-maximum-for-all")
def one_maximum_for_the_whole_tensor(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens)
    exps = (scores.masked_fill(~mask, -math.inf) - scores[mask].max() if mask.any() else scores).exp() * mask
    total = exps.sum(-1, keepdim=True)
    return exps / total.masked_fill(total == 0, 1)


@wrong(named="needs-lengths")
def lengths_must_be_given(scores, valid_lens):
    return fill_with_infinity(scores, valid_lens)


@wrong(named="empty-row-keeps-one")
def no_length_below_one(scores, valid_lens=None):
    return fill_with_infinity(scores, None if valid_lens is None else valid_lens.clamp(min=1))


@wrong(named="axis-lost")
def a_single_key_loses_its_axis(scores, valid_lens=None):
    return fill_with_infinity(scores, valid_lens).squeeze(-1)


@wrong(named="writes-into-arguments")
def writes_only_without_lengths(scores, valid_lens=None):
    weights = fill_with_infinity(scores, valid_lens)
    if valid_lens is None:
        with torch.no_grad():
            scores.copy_(weights)
    return weights


@wrong(named="causal-as-well")
def as_many_queries_as_keys(scores, valid_lens=None):
    """Builds a causal mask on top, as if it were self-attention."""
    causal = torch.ones(scores.shape[1:]).tril().bool()
    return fill_with_infinity(scores.masked_fill(~causal, -1e9), valid_lens)


@wrong(named="causal-as-well")
def no_key_after_the_query(scores, valid_lens=None):
    """By numbers of rows and columns, for queries and keys of any number."""
    rows, columns = torch.arange(scores.shape[1])[:, None], torch.arange(scores.shape[2])
    return fill_with_infinity(scores + torch.where(columns > rows, -torch.inf, 0.0), valid_lens)


@wrong(named="scores-scaled")
def scaled_although_nobody_asked(scores, valid_lens=None):
    return fill_with_infinity(scores / math.sqrt(scores.shape[-1]), valid_lens)


@wrong(named="axis-lost")
def one_batch_lost(scores, valid_lens=None):
    return fill_with_infinity(scores, valid_lens).squeeze(0)


@wrong(named="axis-lost")
def every_axis_of_size_one_lost(scores, valid_lens=None):
    weights = fill_with_infinity(scores, valid_lens)
    return torch.squeeze(weights)


def _remembering():
    answers = {}

    def cached_by_shape(scores, valid_lens=None):
        key = tuple(scores.shape)
        if key not in answers:
            answers[key] = fill_with_infinity(scores, valid_lens).detach()
        return answers[key]

    return cached_by_shape


wrong(named=None)(_remembering())


@wrong(named="finite-fill")
def the_book_version(scores, valid_lens=None):
    """Both famous mistakes at once: filled in place, with −1e6."""
    if valid_lens is None:
        return scores.softmax(-1)
    with torch.no_grad():
        scores[~mask_of(scores, valid_lens)] = -1e6 if scores.dtype != torch.float16 else -1e4
    return scores.softmax(-1)


@wrong(named="nothing-returned")
def forgot_to_return(scores, valid_lens=None):
    fill_with_infinity(scores, valid_lens)


@wrong(named="mask-after-softmax")
def an_inverted_afterthought(scores, valid_lens=None):
    weights = scores.softmax(-1)
    return weights - weights * ~mask_of(scores, valid_lens)


@wrong(named=None)
def a_mask_for_each_shape(scores, valid_lens=None):
    """The mask of the first lengths serves all that come in the same shape."""
    key = (scores.shape, None if valid_lens is None else valid_lens.shape)
    if key not in _MASKS:
        _MASKS[key] = mask_of(scores, valid_lens)
    return fill_and_zero(scores, _MASKS[key])


def fill_and_zero(scores, mask):
    weights = scores.masked_fill(~mask, -math.inf).softmax(-1)
    return weights.masked_fill(~mask, 0.0)


_MASKS: dict[tuple, torch.Tensor] = {}


@wrong(named="small-sizes-only")
def at_most_sixty_four_keys(scores, valid_lens=None):
    mask = mask_of(scores, valid_lens) & (torch.arange(scores.shape[-1]) < 64)
    return fill_and_zero(scores, mask)
