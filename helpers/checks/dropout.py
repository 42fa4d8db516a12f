"""Dropout, told by what it leaves behind: an answer may draw it in another process, so it isn't seeded.

With the identity for values, twice side by side, an attention's output is the weights that the values met, twice. What
is dropped from the weights is missing from both copies.
"""

import torch
from torch import Tensor

from helpers.checks.engine import close

DROPPED = "single weights are dropped, and the others divided by 1 − dropout"
NOTHING_DROPPED = "nothing is dropped"


def what_is_dropped(weights: Tensor, outputs: Tensor, p: float) -> str:
    """Say what happens between the weights and the output; random numbers have no part in the words.

    `weights` (batch, …, query, key) are right; `outputs` (call, batch, …, query, 2 · key) come from several calls.
    """
    left, right = outputs.chunk(2, dim=-1)
    dropped = left == 0
    if close(left, weights.expand_as(left)) and close(right, weights.expand_as(right)):
        return NOTHING_DROPPED
    if not close(left, right):
        return "two equal values come out different, so something else is dropped than weights"
    if not dropped.any():
        return "no weight is dropped, and yet the output isn't the weighted mean"
    # About a thousand weights: with the right share the chance of being so far off is far below 1e-9.
    share = dropped.double().mean().item()
    if abs(share - p) > 0.15:
        return (
            f"the share of weights that is dropped is {'1 − dropout' if abs(share - 1 + p) < 0.15 else 'not dropout'}"
        )
    if close(left.sum(-1), torch.ones(left.shape[:-1])):
        return "some weights are missing, and the others have grown so that every row still sums to 1"
    growth = (left / weights)[~dropped]
    if not close(growth, growth.mean().expand_as(growth)):
        return "what is left isn't in proportion to the weights"
    if not close(growth, torch.full_like(growth, 1 / (1 - p))):
        return "weights are dropped, and those that are kept aren't divided by 1 − dropout"
    heads = ("all heads lose",) if weights.dim() == 4 else ()
    together = ("both calls lose", "all sequences lose", *heads, "all queries lose", "all keys lose or keep")
    for axis, alike in enumerate(together):
        if (dropped == dropped.narrow(axis, 0, 1)).all():
            return f"{alike} the same weights"
    return DROPPED
