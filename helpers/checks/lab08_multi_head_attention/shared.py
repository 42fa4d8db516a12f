"""What lab 8's exercises share: a right attention in small parts, and the mistakes that any of them may have."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from helpers.checks.engine import Case, Draw
from helpers.checks.judging import clones, gradient, weighted_sum
from helpers.checks.modules import Built


def is_as_wanted(got: str, want: str) -> str | None:
    return None if got == want else got


def split(x: Tensor, num_heads: int) -> Tensor:
    """The oracle: head after head, its columns of every position."""
    width = x.shape[2] // num_heads
    return torch.stack([x[:, :, h * width : (h + 1) * width] for h in range(num_heads)], dim=1)


def merge(x: Tensor) -> Tensor:
    """The oracle: the heads' columns side by side."""
    return torch.cat([x[:, h] for h in range(x.shape[1])], dim=2)


# (batch, heads, length, width of a head): one sequence, one head, heads of width 1, and sizes that agree.
SPLITS = (
    (1, 2, 1, 1),
    (1, 2, 2, 2),
    (1, 1, 3, 2),
    (2, 2, 2, 2),
    (1, 3, 2, 2),
    (2, 4, 3, 1),
    (3, 2, 5, 3),
    (2, 3, 3, 4),
)

# Sizes that no code would have been written for.
LARGE_SPLITS = ((1, 3, 67, 2), (1, 67, 3, 1), (71, 2, 3, 2), (2, 2, 3, 67))


def moved_gradients(to_move: Callable, oracle: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for case in list(to_move()(draw))[3:6]:
            yield Case(case.args, gradient(oracle, clones(case.args)))

    return cases


def only_arguments(cases: Callable[[Draw], Iterator[Case]], *names: str) -> Callable[[Draw], Iterator[Case]]:
    return lambda draw: (Case(case.args, names) for case in list(cases(draw))[2:5])


def attend(
    layers: dict[str, Tensor], num_heads: int, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The oracle: one head of one sequence after the other, in float64; differentiable."""
    batch, num_queries, dim = query.shape
    num_keys, width = key.shape[1], dim // num_heads
    allowed = torch.ones(batch, num_heads, num_queries, num_keys, dtype=torch.bool)
    if mask is not None:
        allowed = allowed & (mask.unsqueeze(1) if mask.dim() == 3 else mask)
    layers = {name: weight.double() for name, weight in layers.items()}
    sequences, all_weights = [], []
    for b in range(batch):
        heads = []
        for h in range(num_heads):
            columns = slice(h * width, (h + 1) * width)
            q, k, v = (
                x[b].double() @ layers[f"{name}.weight"][columns].T + layers[f"{name}.bias"][columns]
                for name, x in (("W_q", query), ("W_k", key), ("W_v", value))
            )
            scores = (q @ k.T / math.sqrt(width)).masked_fill(~allowed[b, h], -torch.inf)
            exps = (scores - scores.detach().amax(1, keepdim=True)).exp()
            weights = exps / exps.sum(1, keepdim=True)
            heads.append(weights @ v)
            all_weights.append(weights)
        sequences.append(torch.cat(heads, dim=1) @ layers["W_o.weight"].T + layers["W_o.bias"])
    weights = torch.stack(all_weights).reshape(batch, num_heads, num_queries, num_keys)
    return torch.stack(sequences).to(query.dtype), weights.to(query.dtype)


def attention_layers(draw: Draw, dim: int, prefix: str = "") -> dict[str, Tensor]:
    names = [f"{prefix}{name}" for name in ("W_q", "W_k", "W_v", "W_o")]
    weights = {f"{name}.weight": draw.normal(dim, dim, scale=0.7) for name in names}
    return weights | {f"{name}.bias": draw.normal(dim, scale=1.0) for name in names}


def drawn_mask(draw: Draw, *shape: int) -> Tensor:
    """A mask in which every query may attend to some key and, if there are two, not to some other."""
    mask, at = draw.integers(0, 1, *shape).bool(), draw.integers(0, shape[-1] - 1, *shape[:-1], 1)
    return mask.scatter(-1, (at + 1) % shape[-1], False).scatter(-1, at, True)


def mask_of_pairs(draw: Draw, batch: int, heads: int, width: int, num_queries: int, num_keys: int) -> Tensor:
    return drawn_mask(draw, num_queries, num_keys)


def mask_of_sequences(draw: Draw, batch: int, heads: int, width: int, num_queries: int, num_keys: int) -> Tensor:
    return drawn_mask(draw, batch, num_queries, num_keys)


def of_what_is_learned(built: Built, oracle: Callable[[dict[str, Tensor]], Tensor]) -> dict[str, Tensor]:
    """The gradients that are wanted for the parameters.

    The bias of the keys isn't among them: it changes a query's scores all alike, and no weight. An answer may drop it.
    """
    layers = {name: weight.clone().requires_grad_() for name, weight in built.weights.items()}
    found = torch.autograd.grad(weighted_sum(oracle(layers)), list(layers.values()))
    return {name: gradient for name, gradient in zip(layers, found, strict=True) if not name.endswith("W_k.bias")}


def fitted(mask: Tensor, scores: Tensor) -> Tensor:
    return mask.unsqueeze(1) if mask.dim() == 3 else mask


def masked_weights(scores: Tensor, mask: Tensor | None) -> Tensor:
    return (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(-1)


def drop_weights(weights: Tensor, p: float, training: bool) -> Tensor:
    return nn.functional.dropout(weights, p, training)


def projected(layer: nn.Module, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
    return layer.W_q(query), layer.W_k(key), layer.W_v(value)


QKVO = ("W_q", "W_k", "W_v", "W_o")


def mha(
    project: Callable = projected,
    cut: Callable = split,
    root: Callable = lambda dim, heads: math.sqrt(dim // heads),
    fit: Callable = fitted,
    weigh: Callable = masked_weights,
    drop: Callable = drop_weights,
    pool: Callable = lambda weights, values, p, training: weights @ values,
    join: Callable = merge,
    finish: Callable = lambda layer, joined: layer.W_o(joined),
    result: Callable = lambda output, weights, dropped: (output, weights),
    make: Callable = nn.Linear,
    names: tuple[str, ...] = QKVO,
) -> Callable:
    """Multi-head attention out of parts, of which one has a mistake."""

    class Attention(nn.Module):
        def __init__(self, embed_dim, num_heads, dropout=0.0):
            super().__init__()
            self.heads, self.p = num_heads, dropout
            for name in names:
                setattr(self, name, make(embed_dim, embed_dim))

        def forward(self, query, key, value, mask=None):
            queries, keys, values = (cut(projection, self.heads) for projection in project(self, query, key, value))
            scores = queries @ keys.mT / root(query.shape[-1], self.heads)
            weights = weigh(scores, None if mask is None else fit(mask, scores))
            dropped = drop(weights, self.p, self.training)
            output = finish(self, join(pool(dropped, values, self.p, self.training)))
            return result(output, weights, dropped)

    return Attention
