"""Attention for long texts: fewer keys and values to keep, a window, and a softmax that reads the keys block by block.

Shapes are batch first: queries `(B, Q, d)`, keys `(B, K, d)`, values `(B, K, v)`, with an axis for the heads after the
batch where a function says so. A boolean mask is True where a query may attend to a key.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

State = tuple[Tensor, Tensor, Tensor]  # of an online softmax: maximum, total and output


def grouped_query_attention(
    queries: Float[Tensor, "batch heads query dim"],
    keys: Float[Tensor, "batch groups key dim"],
    values: Float[Tensor, "batch groups key dim"],
) -> Float[Tensor, "batch heads query dim"]:
    """Scaled dot-product attention in which several heads share the keys and values of one group, side by side.

    With as many groups as heads this is multi-head attention, with one group multi-query attention.

    Raises:
        ValueError: if the heads can't be shared out evenly among the groups.
    Sources: Ainslie et al. (2023); for one group Shazeer (2019).
    """
    heads, groups = queries.shape[1], keys.shape[1]
    if heads % groups:
        raise ValueError(f"queries have {heads} heads, which {groups} groups of keys can't share evenly")
    keys, values = (each.repeat_interleave(heads // groups, dim=1) for each in (keys, values))
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])  # (batch, heads, query, key)
    return scores.softmax(dim=-1) @ values


def online_step(
    state: State | None,
    scores: Float[Tensor, "batch query block"],
    values: Float[Tensor, "batch block value"],
) -> State:
    """One step of the online softmax: take one more block of keys into account.

    `state` is None before the first block, and then what the step before returned. The result is `maximum`
    (B, Q, 1), the largest score so far; `total` (B, Q, 1), the sum of exp(score − maximum) so far; and `output`
    (B, Q, v), the softmax-weighted mean of all values so far. A query all of whose scores so far were −∞ has maximum
    −∞, total 0 and output 0, and a finite gradient.

    Source: Milakov and Gimelshein (2018) for maximum and total; Dao et al. (2022) for the output.
    """
    best = scores.detach().amax(dim=-1, keepdim=True)
    maximum = best if state is None else torch.maximum(state[0].detach(), best)
    anchor = maximum.masked_fill(maximum == -torch.inf, 0.0)  # −∞ − (−∞) would be NaN
    weights = (scores - anchor).exp()
    total, gathered = weights.sum(dim=-1, keepdim=True), weights @ values
    if state is not None:
        _, old_total, old_output = state
        kept = old_total * (state[0].detach() - anchor).exp()
        total, gathered = total + kept, gathered + kept * old_output
    return maximum, total, gathered / total.masked_fill(total == 0, 1.0)


def attend_in_blocks(
    queries: Float[Tensor, "batch query dim"],
    keys: Float[Tensor, "batch key dim"],
    values: Float[Tensor, "batch key value"],
    block_size: int,
    step: Callable[[State | None, Tensor, Tensor], State] = online_step,
) -> Float[Tensor, "batch query value"]:
    """Scaled dot-product attention that never holds more than `block_size` scores of a query.

    `step` is called once for each block of keys, in their order; only the last block may be shorter.

    Raises:
        ValueError: if `block_size` is less than 1.
    Source: Rabe and Staats (2021), and Dao et al. (2022) without what they do for a GPU's fast memory.
    """
    if block_size < 1:
        raise ValueError(f"block_size must be at least 1, not {block_size}")
    state = None
    for first in range(0, keys.shape[1], block_size):
        block = slice(first, first + block_size)
        scores = queries @ keys[:, block].mT / math.sqrt(queries.shape[-1])  # (batch, query, block)
        state = step(state, scores, values[:, block])
    assert state is not None, "there is at least one key"
    return state[2]


def sliding_window_mask(length: int, window: int) -> Bool[Tensor, "{length} {length}"]:
    """True where a query may attend to a key: the last `window` positions, its own included, and none after it.

    Raises:
        ValueError: if `window` is less than 1.
    Source: Beltagy et al. (2020).
    """
    if window < 1:
        raise ValueError(f"window must be at least 1, not {window}")
    distances = torch.arange(length)[:, None] - torch.arange(length)
    return (distances >= 0) & (distances < window)


def cache_bytes(layers: int, groups: int, head_dim: int, length: int, bytes_per_number: int = 2) -> int:
    """The bytes that the keys and values of one sequence take: two numbers a layer, group, column and position."""
    return 2 * layers * groups * head_dim * length * bytes_per_number
