"""A model of attention alone, small enough to take apart, and what its heads are found by.

Two layers are enough for a head that looks for what came after the last occurrence of a token: an *induction head*.
Token ids are `(B, L)`, vectors `(B, L, d)`, and a layer's weights `(B, heads, query, key)`.
"""

from collections.abc import Collection

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from helpers.attention import causal_mask, merge_heads, split_heads
from helpers.transformer import sinusoidal_positions


def repeated_batch(
    batch: int, vocab_size: int, shortest: int, longest: int, generator: torch.Generator | None = None
) -> tuple[Int[Tensor, "{batch} length"], Int[Tensor, "{batch}"]]:
    """Rows of random tokens that come twice, and each row's period: how many tokens pass until it begins again.

    A period lies between `shortest` and `longest`, and every row is 2 · `longest` tokens long: a row with a shorter
    period goes on repeating itself.

    Raises:
        ValueError: if not 1 ≤ `shortest` ≤ `longest`.
    """
    if not 1 <= shortest <= longest:
        raise ValueError(f"shortest and longest must be 1 ≤ shortest ≤ longest, not {shortest} and {longest}")
    periods = torch.randint(shortest, longest + 1, (batch,), generator=generator)
    tokens = torch.randint(vocab_size, (batch, longest), generator=generator)
    places = torch.arange(2 * longest) % periods.unsqueeze(1)  # (batch, 2 · longest)
    return tokens.gather(1, places), periods


class AttentionOnly(nn.Module):
    """Layers of causal multi-head attention on a residual stream, and nothing else: no feed-forward network, no norm.

    Positions are sinusoidal, and added to queries and keys alone, so that what a head carries on says nothing of where
    it was found; at twice their usual size, with which a head learns sooner to tell a place from the one beside it.

    Source: Elhage et al. (2021) for models of attention alone; Press et al. (2021) for positions in queries and keys.
    Raises:
        ValueError: if `embed_dim` can't be shared out evenly among the heads.
    """

    def __init__(self, vocab_size: int, embed_dim: int, num_heads: int, num_layers: int = 2):
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError(f"num_heads must divide embed_dim, but {num_heads} doesn't divide {embed_dim}")
        self.num_heads = num_heads
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.layers = nn.ModuleList(
            nn.ModuleDict({name: nn.Linear(embed_dim, embed_dim, bias=False) for name in ("q", "k", "v", "o")})
            for _ in range(num_layers)
        )
        self.linear = nn.Linear(embed_dim, vocab_size)

    def forward(
        self, ids: Int[Tensor, "batch length"], without: Collection[tuple[int, int]] = ()
    ) -> tuple[Float[Tensor, "batch length vocab"], Float[Tensor, "layer batch heads length length"]]:
        """The logits of the next token at every place, and all weights.

        What the heads in `without` find, pairs (layer, head) counted from 0, is replaced by nothing: zeros.
        """
        x = self.embedding(ids)  # (batch, length, embed)
        positions = 2 * sinusoidal_positions(ids.shape[1], x.shape[2]).to(x)
        future = ~causal_mask(ids.shape[1]).to(x.device)
        all_weights = []
        for number, layer in enumerate(self.layers):
            queries, keys = (split_heads(layer[name](x + positions), self.num_heads) for name in ("q", "k"))
            scores = queries @ keys.mT / queries.shape[-1] ** 0.5  # (batch, heads, length, length)
            weights = scores.masked_fill(future, -torch.inf).softmax(dim=-1)
            found = weights @ split_heads(layer["v"](x), self.num_heads)  # (batch, heads, length, width)
            for head in (head for of, head in without if of == number):
                found = found.index_fill(1, torch.tensor(head, device=x.device), 0.0)
            x = x + layer["o"](merge_heads(found))
            all_weights.append(weights)
        return self.linear(x), torch.stack(all_weights)


def previous_token_scores(
    weights: Float[Tensor, "layer batch heads length length"],
) -> Float[Tensor, "layer heads"]:
    """How much of its weight each head puts on the token before the one that looks, from the second one on."""
    return weights.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=(1, 3))


def induction_scores(
    weights: Float[Tensor, "layer batch heads length length"], periods: Int[Tensor, "batch"]
) -> Float[Tensor, "layer heads"]:
    """How much of its weight each head puts on the token that followed the last time, where there was a last time.

    In a row of period p the token at place t ≥ p stood at t − p before, and what followed it stands at t − p + 1.

    Source: Olsson et al. (2022), "prefix matching".
    """
    of_rows = [
        row.diagonal(offset=-(period - 1), dim1=-2, dim2=-1)[..., 1:].mean(-1)
        for row, period in zip(weights.transpose(0, 1), periods.tolist(), strict=True)
    ]
    return torch.stack(of_rows).mean(dim=0)
