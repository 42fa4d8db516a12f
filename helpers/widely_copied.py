"""Masked softmaxes as they are widely copied, each with a mistake: the prey of lab 1's bug hunt.

They are kept as they are met in the wild: a boolean mask from `valid_lens`, a fill, a softmax.
"""

import torch
from torch import Tensor


def fill_in_place(scores: Tensor, valid_lens: Tensor) -> Tensor:
    """Version 1: overwrite the padding with −1e6, then take the softmax."""
    padding = _padding(scores, valid_lens)
    scores[padding.expand_as(scores)] = -1e6
    return scores.softmax(dim=-1)


def fill_a_copy(scores: Tensor, valid_lens: Tensor) -> Tensor:
    """Version 2: fill the padding of a copy with −1e9, then take the softmax."""
    padding = _padding(scores, valid_lens)
    return scores.masked_fill(padding, -1e9).softmax(dim=-1)


def infinity_in_place(scores: Tensor, valid_lens: Tensor) -> Tensor:
    """Version 3: overwrite the padding with −∞, take the softmax, and turn a row of NaN into zeros."""
    padding = _padding(scores, valid_lens)
    scores[padding.expand_as(scores)] = -torch.inf
    return scores.softmax(dim=-1).nan_to_num(0.0)


def _padding(scores: Tensor, valid_lens: Tensor) -> Tensor:
    """True where a key is padding: (batch, 1, key) for lengths (batch,), (batch, query, key) for (batch, query)."""
    if valid_lens.dim() == 1:
        valid_lens = valid_lens.unsqueeze(1)  # one length for all the queries of a sequence
    return torch.arange(scores.shape[-1]) >= valid_lens.unsqueeze(-1)
