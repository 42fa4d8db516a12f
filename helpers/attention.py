"""Attention, piece by piece: masks, the masked softmax, ways to score a query against a key, pooling, several heads.

Shapes are batch first: queries `(B, Q, d)`, keys `(B, K, d)`, values `(B, K, v)`, scores and weights `(B, Q, K)`.
A boolean mask is True where a key may be attended to.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


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
    return _softmax_where(mask, scores)


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
    scores = DotProductScore()(queries, keys)  # (batch, query, key)
    return _pool(scores, values, valid_lens)


class DotProductScore(nn.Module):
    """score(q, k) = q·k / √d, or q·k without `scaled`. Queries and keys need the same width; nothing is learned.

    Shapes: `(B, Q, d), (B, K, d) -> (B, Q, K)`.
    Source: Luong et al. (2015), section 3.1, "dot"; for the scale Vaswani et al. (2017), section 3.2.1.
    """

    def __init__(self, scaled: bool = True):
        super().__init__()
        self.scaled = scaled

    def forward(
        self, queries: Float[Tensor, "batch query d"], keys: Float[Tensor, "batch key d"]
    ) -> Float[Tensor, "batch query key"]:
        """The score of each query with each key.

        Raises:
            ValueError: if the shapes don't fit each other.
        """
        _require_float("queries", queries, "(batch, query, d)")
        _require_float("keys", keys, "(batch, key, d)")
        batch, _, d = queries.shape
        if keys.shape[0] != batch or keys.shape[2] != d:
            raise ValueError(
                f"keys must have shape ({batch}, key, {d}) to fit queries of shape {tuple(queries.shape)}, "
                f"not {tuple(keys.shape)}"
            )
        # Dividing the queries is the same as dividing the scores, and less work where there are more keys than d.
        return torch.bmm(queries / math.sqrt(d) if self.scaled else queries, keys.transpose(1, 2))


class BilinearScore(nn.Module):
    """score(q, k) = qᵀ W k with a learned W, so that queries and keys may differ in width.

    Shapes: `(B, Q, query_dim), (B, K, key_dim) -> (B, Q, K)`. The one parameter is `W.weight`, `(query_dim, key_dim)`.
    Source: Luong et al. (2015), section 3.1, "general".
    """

    def __init__(self, query_dim: int, key_dim: int):
        super().__init__()
        self.W = nn.Linear(key_dim, query_dim, bias=False)

    def forward(
        self, queries: Float[Tensor, "batch query query_dim"], keys: Float[Tensor, "batch key key_dim"]
    ) -> Float[Tensor, "batch query key"]:
        """The score of each query with each key.

        Raises:
            ValueError: if queries or keys don't have the width that the score was built for, or differ in batch.
        """
        _require_widths(queries, self.W.out_features, keys, self.W.in_features)
        return torch.bmm(queries, self.W(keys).transpose(1, 2))


class AdditiveScore(nn.Module):
    """score(q, k) = w_vᵀ tanh(W_q q + W_k k): a perceptron with one hidden layer, without biases.

    Shapes: `(B, Q, query_dim), (B, K, key_dim) -> (B, Q, K)`. It needs memory for B·Q·K·`hidden_dim` numbers.
    Source: Bahdanau et al. (2015), appendix A.1.2, the alignment model.
    """

    def __init__(self, query_dim: int, key_dim: int, hidden_dim: int):
        super().__init__()
        self.W_q = nn.Linear(query_dim, hidden_dim, bias=False)
        self.W_k = nn.Linear(key_dim, hidden_dim, bias=False)
        self.w_v = nn.Linear(hidden_dim, 1, bias=False)

    def forward(
        self, queries: Float[Tensor, "batch query query_dim"], keys: Float[Tensor, "batch key key_dim"]
    ) -> Float[Tensor, "batch query key"]:
        """The score of each query with each key.

        Raises:
            ValueError: if queries or keys don't have the width that the score was built for, or differ in batch.
        """
        _require_widths(queries, self.W_q.in_features, keys, self.W_k.in_features)
        # Each query meets each key by broadcasting: (batch, query, 1, hidden) + (batch, 1, key, hidden).
        # The sum is large and no one else has it, so tanh may write into it.
        hidden = (self.W_q(queries).unsqueeze(2) + self.W_k(keys).unsqueeze(1)).tanh_()
        return self.w_v(hidden).squeeze(-1)  # (batch, query, key, hidden) -> (batch, query, key)


class AttentionPooling(nn.Module):
    """The mean of the values, weighted by the masked softmax of `score(queries, keys)`.

    `score` is any callable of queries and keys; a module's parameters are learned along. `dropout` is the share of
    weights set to zero in training, the others growing to make up for it. `weights` keeps the weights of the last
    call, as they were before dropout.
    """

    def __init__(self, score: Callable[[Tensor, Tensor], Tensor], dropout: float = 0.0):
        super().__init__()
        self.score = score
        self.dropout = nn.Dropout(dropout)
        self.weights: Tensor | None = None

    def forward(
        self,
        queries: Float[Tensor, "batch query _"],
        keys: Float[Tensor, "batch key _"],
        values: Float[Tensor, "batch key v"],
        valid_lens: Int[Tensor, "batch"] | Int[Tensor, "batch query"] | None = None,
    ) -> Float[Tensor, "batch query v"]:
        """The pooled values, one for each query.

        Raises:
            ValueError: if the values don't fit the keys; for `valid_lens` see `masked_softmax`.
        """
        output, self.weights = _pool(self.score(queries, keys), values, valid_lens, self.dropout)
        return output


def split_heads(
    x: Float[Tensor, "batch length dim"], num_heads: int
) -> Float[Tensor, "batch {num_heads} length head_dim"]:
    """Cut each vector into `num_heads` pieces of equal width, one a head: `(B, L, d) -> (B, heads, L, d / heads)`.

    Head h gets the columns from h · d/heads to (h + 1) · d/heads − 1. `merge_heads` undoes it.

    Raises:
        ValueError: if `x` isn't `(batch, length, dim)`, or its width can't be shared out evenly.
    """
    _require_float("x", x, "(batch, length, dim)")
    batch, length, dim = x.shape
    _require_divisible("the width of x", dim, num_heads)
    # Only the columns are cut. The heads then change places with the positions: a view straight to the final
    # shape would give head 0 the first positions instead of the first columns.
    return x.reshape(batch, length, num_heads, dim // num_heads).transpose(1, 2)


def merge_heads(x: Float[Tensor, "batch heads length head_dim"]) -> Float[Tensor, "batch length dim"]:
    """Put the heads' pieces side by side again: `(B, heads, L, d / heads) -> (B, L, d)`.

    Raises:
        ValueError: if `x` isn't `(batch, heads, length, head_dim)`.
    """
    _require_float("x", x, "(batch, heads, length, head_dim)", axes=4)
    return x.transpose(1, 2).flatten(2)


def causal_mask(length: int) -> Bool[Tensor, "{length} {length}"]:
    """Which key each query may attend to if nobody may look ahead: its own position and those before it (True).

    Raises:
        ValueError: if `length` is less than 1.
    Source: Vaswani et al. (2017), section 3.2.3.
    """
    if length < 1:
        raise ValueError(f"length must be at least 1, not {length}")
    return torch.ones(length, length, dtype=torch.bool).tril()


class MultiHeadAttention(nn.Module):
    """Several scaled dot-product attentions side by side, each on its own learned part of the vectors.

    Queries, keys and values go through a linear layer each and are cut into `num_heads` pieces (`split_heads`). Every
    head attends with its own pieces; the heads' outputs are put side by side again and go through a fourth layer.

    `W_q`, `W_k`, `W_v` and `W_o` are `nn.Linear(embed_dim, embed_dim)`. `dropout` is the share of weights set to zero
    in training, the others growing to make up for it.

    Source: Vaswani et al. (2017), section 3.2.2.
    Raises:
        ValueError: if `embed_dim` can't be shared out evenly among the heads.
    """

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0):
        super().__init__()
        _require_divisible("embed_dim", embed_dim, num_heads)
        self.num_heads = num_heads
        self.W_q = nn.Linear(embed_dim, embed_dim)
        self.W_k = nn.Linear(embed_dim, embed_dim)
        self.W_v = nn.Linear(embed_dim, embed_dim)
        self.W_o = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        query: Float[Tensor, "batch query embed"],
        key: Float[Tensor, "batch key embed"],
        value: Float[Tensor, "batch key embed"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> tuple[Float[Tensor, "batch query embed"], Float[Tensor, "batch heads query key"]]:
        """The output, and each head's weights as they were before dropout.

        `mask` is True where a query may attend to a key: `(Q, K)`, `(B, Q, K)`, or anything that can be broadcast to
        `(B, heads, Q, K)`; with three axes, the first is the batch. A query that may attend to no key has weights of
        zero in every head.

        Raises:
            ValueError: if the shapes don't fit one another or the layer, or the mask isn't boolean.
        """
        self._require_inputs(query, key, value)
        queries = split_heads(self.W_q(query), self.num_heads)  # (batch, heads, query, head_dim)
        keys = split_heads(self.W_k(key), self.num_heads)  # (batch, heads, key, head_dim)
        values = split_heads(self.W_v(value), self.num_heads)  # (batch, heads, key, head_dim)
        # A head's product is a sum over the columns of one head, hence the root of that number.
        scores = queries / math.sqrt(queries.shape[-1]) @ keys.mT  # (batch, heads, query, key)
        weights = scores.softmax(dim=-1) if mask is None else _softmax_where(_fit_mask(mask, scores), scores)
        output = self.W_o(merge_heads(self.dropout(weights) @ values))  # (batch, query, embed)
        return output, weights

    def _require_inputs(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        width = self.W_q.in_features
        for name, tensor in (("query", query), ("key", key), ("value", value)):
            _require_float(name, tensor, f"(batch, {name}, {width})")
            if tensor.shape[2] != width:
                raise ValueError(
                    f"{name} must have width {width}, for which this layer was built, not {tensor.shape[2]}"
                )
        if not query.shape[0] == key.shape[0] == value.shape[0] or key.shape[1] != value.shape[1]:
            raise ValueError(
                "query, key and value must have one batch size, and key and value one length, not shapes "
                f"{tuple(query.shape)}, {tuple(key.shape)} and {tuple(value.shape)}"
            )


def kernel_regression(
    x_query: Float[Tensor, "query"],
    x_train: Float[Tensor, "train"],
    y_train: Float[Tensor, "train"],
    bandwidth: float,
) -> Float[Tensor, "query"]:
    """Predict y at each x of `x_query`: the mean of `y_train`, weighted by a Gaussian kernel of the distance in x.

    Weights are softmax(−(x − xᵢ)² / (2·bandwidth²)) over the training points; `bandwidth` has the unit of x.

    Raises:
        ValueError: if the shapes don't fit, or `bandwidth` isn't positive.
    Source: Nadaraya (1964); Watson (1964).
    """
    _require_float("x_query", x_query, "(query,)", axes=1)
    _require_float("x_train", x_train, "(train,)", axes=1)
    _require_float("y_train", y_train, "(train,)", axes=1)
    if x_train.shape != y_train.shape or not len(x_train):
        raise ValueError(
            "x_train and y_train must hold one x and one y for each training point, at least one, "
            f"not {len(x_train)} and {len(y_train)}"
        )
    if not bandwidth > 0:
        raise ValueError(f"bandwidth must be greater than 0, not {bandwidth}")
    distances = x_query[:, None] - x_train  # (query, train)
    return (-(distances**2) / (2 * bandwidth**2)).softmax(dim=-1) @ y_train


def _softmax_where(
    mask: Bool[Tensor, "*#shape key"], scores: Float[Tensor, "*shape key"]
) -> Float[Tensor, "*shape key"]:
    """Softmax over the keys for which `mask`, which is broadcast to the scores, is True."""
    # A row of nothing but −∞ turns to NaN, forward and backward. An empty row is therefore given zeros before
    # the softmax, and loses all its weights after it.
    empty = ~mask.any(dim=-1, keepdim=True)  # (…, 1)
    fill = torch.zeros_like(empty, dtype=scores.dtype).masked_fill(~empty, -torch.inf)
    weights = torch.where(mask, scores, fill).softmax(dim=-1)
    # In the other rows the weights of the masked keys are 0 by now. Their gradient may yet be infinite, where
    # values in the padding are huge, and mustn't reach the softmax: 0 times infinity is NaN.
    return torch.where(mask, weights, 0.0)


def _pool(
    scores: Float[Tensor, "batch query key"],
    values: Float[Tensor, "batch key v"],
    valid_lens: Int[Tensor, "batch"] | Int[Tensor, "batch query"] | None,
    dropout: Callable[[Tensor], Tensor] = lambda weights: weights,
) -> tuple[Float[Tensor, "batch query v"], Float[Tensor, "batch query key"]]:
    _require_float("scores", scores, "(batch, query, key)")
    _require_float("values", values, "(batch, key, v)")
    if values.shape[:2] != (scores.shape[0], scores.shape[2]):
        raise ValueError(
            f"values must have shape ({scores.shape[0]}, {scores.shape[2]}, v), one value for each key, "
            f"not {tuple(values.shape)}"
        )
    weights = masked_softmax(scores, valid_lens)
    return torch.bmm(dropout(weights), values), weights


def _fit_mask(mask: Tensor, scores: Tensor) -> Tensor:
    """The mask with axes that broadcast to the scores (batch, heads, query, key)."""
    batch, heads, num_queries, num_keys = scores.shape
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        kind = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise ValueError(f"mask must be a boolean tensor, True where a query may attend to a key, not {kind}")
    fitted = mask.unsqueeze(1) if mask.dim() == 3 else mask  # (batch, 1, query, key): the same for every head
    axes = zip(fitted.shape[::-1], scores.shape[::-1], strict=False)
    if fitted.dim() > 4 or any(size not in (1, full) for size, full in axes):
        raise ValueError(
            f"mask must have shape ({num_queries}, {num_keys}), ({batch}, {num_queries}, {num_keys}), or one that can "
            f"be broadcast to ({batch}, {heads}, {num_queries}, {num_keys}), not {tuple(mask.shape)}"
        )
    return fitted


def _require_divisible(name: str, width: int, num_heads: int) -> None:
    if num_heads < 1 or width % num_heads:
        raise ValueError(f"{name} must be a multiple of num_heads, but {width} can't be shared out among {num_heads}")


def _require_widths(queries: Tensor, query_dim: int, keys: Tensor, key_dim: int) -> None:
    _require_float("queries", queries, "(batch, query, query_dim)")
    _require_float("keys", keys, "(batch, key, key_dim)")
    if queries.shape[2] != query_dim:
        raise ValueError(f"queries must have width {query_dim}, for which this score was built, not {queries.shape[2]}")
    if keys.shape[2] != key_dim:
        raise ValueError(f"keys must have width {key_dim}, for which this score was built, not {keys.shape[2]}")
    if queries.shape[0] != keys.shape[0]:
        raise ValueError(f"queries and keys must have one batch size, not {queries.shape[0]} and {keys.shape[0]}")


def _require_float(name: str, tensor: Tensor, shape: str, axes: int = 3) -> None:
    if not isinstance(tensor, Tensor) or not tensor.dtype.is_floating_point:
        kind = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise ValueError(f"{name} must be a tensor of floating-point numbers, not {kind}")
    if tensor.dim() != axes:
        raise ValueError(f"{name} must have shape {shape}, not {tuple(tensor.shape)}")
