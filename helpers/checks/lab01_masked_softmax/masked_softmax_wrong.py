"""Wrong implementations of `masked_softmax`: parts that spoil a right one, and whole ones."""

from collections.abc import Callable

import torch
from torch import Tensor


def keep_mask(scores: Tensor, valid_lens: Tensor | None) -> Tensor:
    """The mask that the wrong implementations below share: right, so that each has only its own mistake."""
    lengths = torch.tensor(scores.shape[-1]) if valid_lens is None else valid_lens
    lengths = lengths.reshape(lengths.shape + (1,) * (3 - lengths.dim()))
    return torch.arange(scores.shape[-1]) < lengths


def right(scores: Tensor, keep: Tensor, dim: int = -1) -> Tensor:
    """A right masked softmax, along whatever axis, for the mistakes that lie elsewhere."""
    filled = scores.masked_fill(~keep, -torch.inf)
    filled = filled.masked_fill((~keep).expand_as(scores).all(dim, keepdim=True), 0.0)
    return filled.softmax(dim).masked_fill(~keep, 0.0)


def right_weights(scores, valid_lens=None):
    return right(scores, keep_mask(scores, valid_lens).expand_as(scores))


def fill_with(value: float | None) -> Callable:
    def finite_fill(scores, valid_lens=None):
        fill = torch.finfo(scores.dtype).min if value is None else value
        return scores.masked_fill(~keep_mask(scores, valid_lens), fill).softmax(-1)

    return finite_fill


def overwrite_with(value: float) -> Callable:
    def overwrite(scores, valid_lens=None):
        keep = keep_mask(scores, valid_lens).expand_as(scores)
        weights = right(scores, keep)
        scores[~keep] = value
        return weights

    return overwrite


def overwrite_lengths(scores, valid_lens=None):
    weights = right(scores, keep_mask(scores, valid_lens))
    if valid_lens is not None:
        valid_lens += 1
    return weights


def naive_infinity(scores, valid_lens=None):
    return scores.masked_fill(~keep_mask(scores, valid_lens), -torch.inf).softmax(-1)


def add_infinity(scores, valid_lens=None):
    keep = keep_mask(scores, valid_lens)
    return (scores + torch.zeros(keep.shape, dtype=scores.dtype).masked_fill(~keep, -torch.inf)).softmax(-1)


def divide_by_nothing(scores, valid_lens=None):
    keep = keep_mask(scores, valid_lens).expand_as(scores)
    largest = scores.masked_fill(~keep, torch.finfo(scores.dtype).min).amax(-1, keepdim=True)
    exps = torch.where(keep, scores - largest, 0.0).exp() * keep
    return exps / exps.sum(-1, keepdim=True)


def renormalise(repair: Callable) -> Callable:
    def renormalise(scores, valid_lens=None):
        weights = scores.softmax(-1) * keep_mask(scores, valid_lens)
        return weights / repair(weights.sum(-1, keepdim=True))

    return renormalise


def exps_over_all_keys(scores, valid_lens=None):
    exps = (scores - scores.amax(-1, keepdim=True)).exp() * keep_mask(scores, valid_lens)
    total = exps.sum(-1, keepdim=True)
    return exps / total.masked_fill(total == 0, 1.0)


def low_fill_then_zero(value: float) -> Callable:
    def low_fill(scores, valid_lens=None):
        keep = keep_mask(scores, valid_lens)
        return scores.masked_fill(~keep, value).softmax(-1) * keep

    return low_fill


def spoil_softmax_output(scores, valid_lens=None):
    keep = keep_mask(scores, valid_lens)
    empty = ~keep.any(-1, keepdim=True)
    weights = scores.masked_fill(~keep, -torch.inf).masked_fill(empty, 0.0).softmax(-1)
    return weights.masked_fill_(~keep.expand_as(weights), 0.0)


def raw_scores_in_empty_rows(scores, valid_lens=None):
    keep = keep_mask(scores, valid_lens)
    empty = ~keep.any(-1, keepdim=True)
    return scores.masked_fill(~(keep | empty), -torch.inf).softmax(-1)


def zeros_if_any_row_is_empty(scores, valid_lens=None):
    weights = right(scores, keep_mask(scores, valid_lens))
    return weights * 0 if valid_lens is not None and (valid_lens == 0).any() else weights


def repaired(answer: Callable) -> Callable:
    return lambda scores, valid_lens=None: answer(scores, valid_lens).nan_to_num(0.0)


def mask_broadcast_as(*axis: int, strict: bool = False) -> Callable:
    """The mask of one length a sequence, (batch, key), put against the scores as it is, or with an axis misplaced."""

    def broadcast(scores, valid_lens=None):
        if valid_lens is None or valid_lens.dim() == 2:
            return right(scores, keep_mask(scores, valid_lens))
        keep = torch.arange(scores.shape[-1]) < valid_lens.unsqueeze(1)
        for place in axis:
            keep = keep.unsqueeze(place)
        if strict:
            keep = keep.expand_as(scores)
        return scores.masked_fill(~keep, -torch.inf).softmax(-1)

    return broadcast


def cannot_do_without_lengths(error: type[Exception]) -> Callable:
    def demanding(scores, valid_lens=None):
        if valid_lens is None:
            raise error("NoneType")
        return right(scores, keep_mask(scores, valid_lens))

    return demanding


def repeat_on_the_wrong_axis(scores, valid_lens=None):
    if valid_lens is not None and valid_lens.dim() == 1:
        valid_lens = valid_lens.repeat(scores.shape[1]).reshape(scores.shape[:2])
    return right(scores, keep_mask(scores, valid_lens))


def ignore_lengths_of(*dims: int) -> Callable:
    def ignore(scores, valid_lens=None):
        ignored = valid_lens is not None and valid_lens.dim() in dims
        return right(scores, keep_mask(scores, None if ignored else valid_lens))

    return ignore


def crash_on_one_axis(scores, valid_lens=None):
    if valid_lens is not None and valid_lens.dim() == 1:
        raise IndexError("too many indices")
    return right(scores, keep_mask(scores, valid_lens))


def crash_on_two_axes(scores, valid_lens=None):
    if valid_lens is not None and valid_lens.dim() == 2:
        raise RuntimeError("shapes do not fit")
    return right(scores, keep_mask(scores, valid_lens))


def mask_queries(scores, valid_lens=None):
    if valid_lens is None or valid_lens.dim() == 2:
        return right(scores, keep_mask(scores, valid_lens))
    keep = (torch.arange(scores.shape[1]) < valid_lens.unsqueeze(1)).unsqueeze(2)
    return right(scores, keep.expand_as(scores))


def divide_valid_exps(fill: float, repair: Callable) -> Callable:
    def divide_exps(scores, valid_lens=None):
        keep = keep_mask(scores, valid_lens)
        exps = scores.masked_fill(~keep, fill).exp() * keep
        return exps / repair(exps.sum(-1, keepdim=True))

    return divide_exps


def subtract_one_maximum(*dims: int, repair: Callable) -> Callable:
    def divide_exps(scores, valid_lens=None):
        keep = keep_mask(scores, valid_lens).expand_as(scores)
        low = scores.masked_fill(~keep, torch.finfo(scores.dtype).min)
        exps = (scores.masked_fill(~keep, -torch.inf) - low.amax(dims, keepdim=True)).exp()
        weights = exps / repair(exps.sum(-1, keepdim=True))
        return torch.where(keep.any(-1, keepdim=True), weights, 0.0)

    return divide_exps


def divide_exps_in(dtype: torch.dtype | None, repair: Callable) -> Callable:
    def divide_exps(scores, valid_lens=None):
        exps = scores.to(dtype or scores.dtype).exp() * keep_mask(scores, valid_lens)
        return (exps / repair(exps.sum(-1, keepdim=True))).to(scores.dtype)

    return divide_exps


def shift_lengths(by: int) -> Callable:
    def shifted(scores, valid_lens=None):
        lengths = None if valid_lens is None else valid_lens + by
        return right(scores, keep_mask(scores, lengths))

    return shifted
