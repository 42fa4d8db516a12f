"""Models that checks hand to an answer that works on a model.

A student's code sees them while it is graded, so none of them is an answer itself. Each is a class that is built from
numbers and given its weights by name, so that another process can build the same.
"""

import torch
from torch import Tensor, nn


class FixedDropout(nn.Module):
    """Dropout that in training always drops the same numbers, every second one: what it does can be repeated."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (2 * (torch.arange(x.shape[-1]) % 2)) if self.training else x


class WatchedSeq2Seq(nn.Module):
    """A model with lab 4's interface. Its encoder turns all signs over, which lab 4 doesn't ask for.

    In training there is dropout in its embedding; `calls_with_gradients` counts calls that PyTorch kept a graph of. The
    count is a buffer, which is part of the model's state, and so is read like its weights.
    """

    def __init__(self, vocab_size: int, embed_dim: int, hidden_dim: int):
        super().__init__()
        self.embedding = _Embedding(vocab_size, embed_dim)
        self.encoder = _Encoder(embed_dim, hidden_dim, batch_first=True)
        self.decoder = nn.GRU(embed_dim, hidden_dim, batch_first=True)
        self.linear = nn.Linear(hidden_dim, vocab_size)

    def forward(self, encoder_x: Tensor, decoder_x: Tensor) -> Tensor:
        """Logits under teacher forcing: (batch, source), (batch, target) -> (batch, target, vocabulary)."""
        _, state = self.encoder(self.embedding(encoder_x))
        outputs, _ = self.decoder(self.embedding(decoder_x), state)
        return self.linear(outputs)


class _Encoder(nn.GRU):
    """A GRU whose outputs and last state have the other sign."""

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        outputs, state = super().forward(x, state)
        return -outputs, -state


class _Embedding(nn.Embedding):
    """An embedding with dropout after it, which counts its calls."""

    def __init__(self, vocab_size: int, embed_dim: int):
        super().__init__(vocab_size, embed_dim)
        self.dropout = FixedDropout()
        self.register_buffer("calls_with_gradients", torch.zeros((), dtype=torch.int64))

    def forward(self, ids: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.calls_with_gradients += 1
        return self.dropout(super().forward(ids))


class MatrixScore(nn.Module):
    """A score qᵀ M k with a learned M (3, 5)."""

    def __init__(self):
        super().__init__()
        self.M = nn.Parameter(torch.linspace(-1, 1, 15).reshape(3, 5).sin())

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """(B, Q, 3), (B, K, 5) -> (B, Q, K)."""
        return queries @ self.M.to(queries.dtype) @ keys.transpose(1, 2)


def product_less_distance(queries: Tensor, keys: Tensor) -> Tensor:
    """A score of any widths: the first entries' product, less the distance of the last ones."""
    product = queries[:, :, :1] * keys[:, :, 0].unsqueeze(1)
    return product - (queries[:, :, -1:] - keys[:, :, -1].unsqueeze(1)).abs()
