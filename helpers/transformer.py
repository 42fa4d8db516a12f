"""The Transformer: blocks of multi-head attention and a position-wise feed-forward network, and the model made of them.

Shapes are batch first: vectors `(B, L, d)`, token ids `(B, L)`, and weights `(B, heads, Q, K)`. A boolean mask is
True where a query may attend to a key.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from helpers.attention import MultiHeadAttention, causal_mask, length_mask
from helpers.seq2seq import _require_ids, _require_lengths


def sinusoidal_positions(length: int, dim: int) -> Float[Tensor, "{length} {dim}"]:
    """A vector for each position from 0 to `length` − 1, to be added to what stands there.

    Column 2i is sin(position / 10000^(2i/dim)), column 2i + 1 the cosine of the same angle (in radians): waves from a
    length of 2π positions, in the first two columns, to nearly 10000 · 2π in the last.

    Raises:
        ValueError: if `length` or `dim` is less than 1.
    Source: Vaswani et al. (2017), section 3.5.
    """
    if length < 1 or dim < 1:
        raise ValueError(f"length and dim must be at least 1, not {length} and {dim}")
    # In float64, because a float32 angle in the thousands is off by more than a float32 sine should be.
    positions = torch.arange(length, dtype=torch.float64)[:, None]  # (length, 1)
    columns = torch.arange(dim)
    angles = positions / 10000 ** (columns // 2 * 2 / dim)  # (length, dim)
    return torch.where(columns % 2 == 0, angles.sin(), angles.cos()).to(torch.get_default_dtype())


class TransformerBlock(nn.Module):
    """Self-attention, then a feed-forward network at each position; around each a residual, and layer norm after it.

    x → norm1(x + attention(x)) → norm2(that + linear2(ReLU(linear1(that)))): the norm comes after the sum
    ("post-norm"). `dropout` acts in training, on the attention's weights and on what is added to each residual. The
    encoder's block.

    Source: Vaswani et al. (2017), sections 3.1 and 3.3, and 5.4 for the dropout.
    Raises:
        ValueError: if `embed_dim` can't be shared out evenly among the heads.
    """

    def __init__(self, embed_dim: int, num_heads: int, hidden_dim: int, dropout: float = 0.0):
        super().__init__()
        self.attention = MultiHeadAttention(embed_dim, num_heads, dropout)
        self.norm1 = nn.LayerNorm(embed_dim)
        self.linear1 = nn.Linear(embed_dim, hidden_dim)
        self.linear2 = nn.Linear(hidden_dim, embed_dim)
        self.norm2 = nn.LayerNorm(embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch length embed"], mask: Bool[Tensor, "..."] | None = None
    ) -> Float[Tensor, "batch length embed"]:
        """The block's output; for `mask`, and for the errors, see `MultiHeadAttention`."""
        attended, _ = self.attention(x, x, x, mask)
        x = self.norm1(x + self.dropout(attended))
        return self.norm2(x + self.dropout(self.linear2(self.linear1(x).relu())))


class TransformerDecoderBlock(nn.Module):
    """Causal self-attention over what is written, cross-attention to what was read, then the feed-forward network.

    Each of the three has a residual around it and layer norm after it, as in `TransformerBlock`.

    Source: Vaswani et al. (2017), sections 3.1 and 3.2.3.
    Raises:
        ValueError: if `embed_dim` can't be shared out evenly among the heads.
    """

    def __init__(self, embed_dim: int, num_heads: int, hidden_dim: int, dropout: float = 0.0):
        super().__init__()
        self.self_attention = MultiHeadAttention(embed_dim, num_heads, dropout)
        self.norm1 = nn.LayerNorm(embed_dim)
        self.cross_attention = MultiHeadAttention(embed_dim, num_heads, dropout)
        self.norm2 = nn.LayerNorm(embed_dim)
        self.linear1 = nn.Linear(embed_dim, hidden_dim)
        self.linear2 = nn.Linear(hidden_dim, embed_dim)
        self.norm3 = nn.LayerNorm(embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch target embed"],
        encoder_out: Float[Tensor, "batch source embed"],
        source_mask: Bool[Tensor, "..."] | None = None,
    ) -> tuple[Float[Tensor, "batch target embed"], Float[Tensor, "batch heads target source"]]:
        """The block's output, and the weights of its cross-attention.

        `source_mask` says which source step each target step may attend to; for it, and for the errors, see
        `MultiHeadAttention`.
        """
        attended, _ = self.self_attention(x, x, x, causal_mask(x.shape[1]).to(x.device))
        x = self.norm1(x + self.dropout(attended))
        # Here the residual carries what is written so far, and what is fetched from the source is added to it.
        context, weights = self.cross_attention(x, encoder_out, encoder_out, source_mask)
        x = self.norm2(x + self.dropout(context))
        return self.norm3(x + self.dropout(self.linear2(self.linear1(x).relu()))), weights


class Transformer(nn.Module):
    """An encoder and a decoder of `num_layers` blocks each, then one linear layer to the vocabulary.

    It is called and trained as a `helpers.seq2seq.Seq2Seq` is. Positions are added to the embeddings as they are: the
    embeddings start with a standard deviation of 1, to which the paper scales its own.

    Source: Vaswani et al. (2017), figure 1, without the shared embeddings of section 3.4.
    Raises:
        ValueError: if `embed_dim` can't be shared out evenly among the heads, or `num_layers` is less than 1.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_dim: int,
        num_heads: int,
        hidden_dim: int,
        num_layers: int = 2,
        dropout: float = 0.0,
    ):
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, not {num_layers}")
        sizes = (embed_dim, num_heads, hidden_dim, dropout)
        self.source_embedding = nn.Embedding(vocab_size, embed_dim)
        self.encoder = nn.ModuleList(TransformerBlock(*sizes) for _ in range(num_layers))
        self.target_embedding = nn.Embedding(vocab_size, embed_dim)
        self.decoder = nn.ModuleList(TransformerDecoderBlock(*sizes) for _ in range(num_layers))
        self.linear = nn.Linear(embed_dim, vocab_size)
        self.dropout = nn.Dropout(dropout)

    def encode(
        self, encoder_x: Int[Tensor, "batch source"], valid_lens: Int[Tensor, "batch"] | None = None
    ) -> Float[Tensor, "batch source embed"]:
        """The encoder's output for every source token; what it holds for the padding means nothing.

        Raises:
            ValueError: if `encoder_x` is not `(batch, source)` token ids of the vocabulary, or `valid_lens` isn't one
                length in 1..source for each row.
        """
        _require_ids("encoder_x", encoder_x, self.source_embedding.num_embeddings)
        mask = _source_mask(encoder_x, valid_lens)
        x = self._add_positions(self.source_embedding(encoder_x))  # (batch, source, embed)
        for block in self.encoder:
            x = block(x, mask)
        return x

    def decode(
        self,
        encoder_out: Float[Tensor, "batch source embed"],
        decoder_x: Int[Tensor, "batch target"],
        valid_lens: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch target vocab"], Float[Tensor, "batch layer heads target source"]]:
        """The logits of the token after each token of `decoder_x`, and the weights of each layer's cross-attention.

        Raises:
            ValueError: if `decoder_x` is not `(batch, target)` token ids of the vocabulary, or `valid_lens` isn't one
                length in 1..source for each row; if the batches differ, see `MultiHeadAttention`.
        """
        _require_ids("decoder_x", decoder_x, self.target_embedding.num_embeddings)
        mask = _source_mask(encoder_out, valid_lens)
        x = self._add_positions(self.target_embedding(decoder_x))  # (batch, target, embed)
        weights = []
        for block in self.decoder:
            x, cross_weights = block(x, encoder_out, mask)
            weights.append(cross_weights)
        return self.linear(x), torch.stack(weights, dim=1)

    def forward(
        self,
        encoder_x: Int[Tensor, "batch source"],
        decoder_x: Int[Tensor, "batch target"],
        valid_lens: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch target vocab"]:
        """A logit for every token of the vocabulary at every target step, under teacher forcing.

        `decoder_x` is the target, shifted (`helpers.seq2seq.shift_right`); `valid_lens` are the lengths of the sources.

        Raises:
            ValueError: as `encode` and `decode` do.
        """
        logits, _ = self.decode(self.encode(encoder_x, valid_lens), decoder_x, valid_lens)
        return logits

    @torch.no_grad()
    def greedy_decode(
        self,
        encoder_x: Int[Tensor, "batch source"],
        length: int,
        start: int = 0,
        valid_lens: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Int[Tensor, "batch {length}"], Float[Tensor, "batch layer heads {length} source"]]:
        """Write `length` tokens for each source, each the likeliest after those before.

        Returns the ids and the cross-attention weights. As `helpers.seq2seq.greedy_decode`: in evaluation mode, and the
        model is left in the mode it was in; without stopping at `<eos>`; the source goes to the model's device, and the
        results come back to the source's. Each step reads all that is written from the beginning. (Programs made for
        speed keep the keys and values of the steps before.)

        Raises:
            ValueError: if `length` is less than 1; otherwise as `encode` does.
        """
        if length < 1:
            raise ValueError(f"length must be at least 1, not {length}")
        was_training, device = self.training, self.linear.weight.device
        self.eval()
        try:
            valid_lens = None if valid_lens is None else valid_lens.to(device)
            encoder_out = self.encode(encoder_x.to(device), valid_lens)
            tokens = torch.full_like(encoder_x[:, :1], start, device=device)  # (batch, 1)
            for _ in range(length):
                logits, weights = self.decode(encoder_out, tokens, valid_lens)
                likeliest = logits[:, -1:].argmax(dim=-1)
                tokens = torch.cat([tokens, likeliest], dim=1)
        finally:
            self.train(was_training)
        return tokens[:, 1:].to(encoder_x.device), weights.to(encoder_x.device)

    def _add_positions(self, embedded: Tensor) -> Tensor:
        _, length, dim = embedded.shape
        return self.dropout(embedded + sinusoidal_positions(length, dim).to(embedded))


def _source_mask(source: Tensor, valid_lens: Tensor | None) -> Tensor | None:
    """Which source steps are real, for every head and every query: (batch, 1, 1, source)."""
    if valid_lens is None:
        return None
    _require_lengths(valid_lens, source)
    return length_mask(valid_lens, source.shape[1])[:, None, None]
