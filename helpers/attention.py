"""Attention, piece by piece: the mask, the masked softmax and scaled dot-product attention.

Shapes are batch first: queries `(B, Q, d)`, keys `(B, K, d)`, values `(B, K, v)`, scores and weights `(B, Q, K)`.
A boolean mask is True where a key may be attended to.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def length_mask(
    valid_lens: Int[Tensor, "batch"] | Int[Tensor, "batch query"], max_len: int
) -> Bool[Tensor, "batch key"] | Bool[Tensor, "batch query key"]:
    """Which of `max_len` steps are real (True) and which are padding (False).

    Shapes: `(B,) -> (B, max_len)` and `(B, Q) -> (B, Q, max_len)`.

    Raises:
        ValueError: if `valid_lens` is not an integer tensor of one or two axes with entries in 0..`max_len`.
    """
    if not isinstance(valid_lens, Tensor) or valid_lens.dtype.is_floating_point or valid_lens.dtype == torch.bool:
        kind = valid_lens.dtype if isinstance(valid_lens, Tensor) else type(valid_lens).__name__
        raise ValueError(f"valid_lens must be a tensor of integers (torch.tensor([2, 3])), not {kind}")
    if valid_lens.dim() not in (1, 2):
        raise ValueError(f"valid_lens must have shape (batch,) or (batch, query), not {tuple(valid_lens.shape)}")
    if valid_lens.numel() and not 0 <= valid_lens.min() <= valid_lens.max() <= max_len:
        raise ValueError(
            f"valid_lens must lie in 0..{max_len}, the number of keys, but its entries go from "
            f"{int(valid_lens.min())} to {int(valid_lens.max())}"
        )
    return torch.arange(max_len, device=valid_lens.device) < valid_lens.unsqueeze(-1)


def masked_softmax(
    scores: Float[Tensor, "batch query key"],
    valid_lens: Int[Tensor, "batch"] | Int[Tensor, "batch query"] | None = None,
) -> Float[Tensor, "batch query key"]:
    """Softmax over the keys, with exactly zero weight beyond each row's valid length.

    A row with no valid key gets all zeros, and a zero gradient. Without `valid_lens` every key counts.

    Raises:
        ValueError: if `valid_lens` doesn't fit `scores`, or has an entry outside 0..key.
    Source: Vaswani et al. (2017), section 3.2.3; for the empty row see notebook 01.
    """
    _require_float("scores", scores, "(batch, query, key)")
    if valid_lens is None:
        return scores.softmax(dim=-1)
    batch, num_queries, num_keys = scores.shape
    mask = length_mask(valid_lens, num_keys)
    if valid_lens.shape not in ((batch,), (batch, num_queries)):
        raise ValueError(
            f"valid_lens must have shape ({batch},) or ({batch}, {num_queries}) "
            f"to fit scores of shape {tuple(scores.shape)}, not {tuple(valid_lens.shape)}"
        )
    mask = mask.reshape(batch, -1, num_keys)  # (batch, 1 or query, key)
    # A row of nothing but −∞ turns to NaN, forward and backward. An empty row is therefore given zeros before
    # the softmax, and loses all its weights after it.
    empty = ~mask.any(dim=-1, keepdim=True)  # (batch, 1 or query, 1)
    weights = scores.masked_fill(~mask, -torch.inf).masked_fill(empty, 0.0).softmax(dim=-1)
    return weights.masked_fill(~mask, 0.0)


def scaled_dot_product_attention(
    queries: Float[Tensor, "batch query d"],
    keys: Float[Tensor, "batch key d"],
    values: Float[Tensor, "batch key v"],
    valid_lens: Int[Tensor, "batch"] | Int[Tensor, "batch query"] | None = None,
) -> tuple[Float[Tensor, "batch query v"], Float[Tensor, "batch query key"]]:
    """Attend to `values` with softmax(q·k / √d): the output, and the weights that made it.

    Raises:
        ValueError: if the shapes don't fit one another; for `valid_lens` see `masked_softmax`.
    Source: Vaswani et al. (2017), equation 1.
    """
    _require_float("queries", queries, "(batch, query, d)")
    _require_float("keys", keys, "(batch, key, d)")
    _require_float("values", values, "(batch, key, v)")
    batch, _, d = queries.shape
    if keys.shape[0] != batch or keys.shape[2] != d:
        raise ValueError(
            f"keys must have shape ({batch}, key, {d}) to fit queries of shape {tuple(queries.shape)}, "
            f"not {tuple(keys.shape)}"
        )
    if values.shape[:2] != keys.shape[:2]:
        raise ValueError(
            f"values must have shape ({batch}, {keys.shape[1]}, v), one value for each key, not {tuple(values.shape)}"
        )
    scores = torch.bmm(queries, keys.transpose(1, 2)) / math.sqrt(d)  # (batch, query, key)
    weights = masked_softmax(scores, valid_lens)
    return torch.bmm(weights, values), weights


def _require_float(name: str, tensor: Tensor, shape: str) -> None:
    if not isinstance(tensor, Tensor) or not tensor.dtype.is_floating_point:
        kind = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise ValueError(f"{name} must be a tensor of floating-point numbers, not {kind}")
    if tensor.dim() != 3:
        raise ValueError(f"{name} must have shape {shape}, not {tuple(tensor.shape)}")
