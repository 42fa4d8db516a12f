"""Sequence to sequence: an encoder reads the source, a decoder writes the target one token at a time.

Shapes are batch first: token ids `(B, L)`, encoder outputs `(B, S, H)`, a GRU's state `(1, B, H)`, attention
weights `(B, T, S)` for T target and S source steps. All sequences of a batch have the same length: nothing is padded.

A decoder is a module that maps (encoder_out, decoder_x, hidden_state) to (outputs, hidden_state, weights). That is
all that `Seq2Seq` and `greedy_decode` ask of it.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from helpers.attention import masked_softmax


class Encoder(nn.Module):
    """A GRU over the embedded source.

    With `bidirectional`, one GRU reads forwards and another backwards, each of half the hidden size, and what they
    know is put side by side: the output for a token then knows what comes before it and what comes after.

    Source: for reading both ways, Bahdanau, Cho and Bengio (2015), section 3.2.
    Raises:
        ValueError: if `hidden_dim` is odd, and so can't be shared by two directions.
    """

    def __init__(self, vocab_size: int, embed_dim: int, hidden_dim: int, bidirectional: bool = False):
        super().__init__()
        if bidirectional and hidden_dim % 2:
            raise ValueError(f"hidden_dim must be even for two directions, not {hidden_dim}")
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.rnn = nn.GRU(
            embed_dim, hidden_dim // 2 if bidirectional else hidden_dim, batch_first=True, bidirectional=bidirectional
        )

    def forward(
        self, encoder_x: Int[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch source hidden"], Float[Tensor, "1 batch hidden"]]:
        """The output for every source token, and the state after the whole source.

        Raises:
            ValueError: if `encoder_x` is not `(batch, source)` token ids of the vocabulary.
        """
        _require_ids("encoder_x", encoder_x, self.embedding.num_embeddings)
        encoder_out, state = self.rnn(self.embedding(encoder_x))  # state: (directions, batch, hidden / directions)
        return encoder_out, state.transpose(0, 1).reshape(1, len(encoder_x), -1)


class LuongDecoder(nn.Module):
    """A decoder that attends after its GRU: h̃ = tanh(W_c [c; h]), with the bilinear score hᵀ (W_a s).

    The GRU runs over the whole input first; then every one of its states h is a query, and the encoder's outputs s
    are keys and values. h̃ is not fed back into the GRU. The decoder built in lab 5, which returns the state besides,
    so that decoding can go on from it.

    Source: Luong, Pham and Manning (2015), section 3.1 (global attention, "general" score), equation 5.
    """

    def __init__(self, vocab_size: int, embed_dim: int, hidden_dim: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.rnn = nn.GRU(embed_dim, hidden_dim, batch_first=True)
        self.W_a = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.W_c = nn.Linear(2 * hidden_dim, hidden_dim, bias=False)

    def forward(
        self,
        encoder_out: Float[Tensor, "batch source hidden"],
        decoder_x: Int[Tensor, "batch target"],
        hidden_state: Float[Tensor, "1 batch hidden"],
    ) -> tuple[
        Float[Tensor, "batch target hidden"], Float[Tensor, "1 batch hidden"], Float[Tensor, "batch target source"]
    ]:
        """The attentional states h̃, the GRU's last state, and the attention weights.

        Raises:
            ValueError: if `decoder_x` is not `(batch, target)` token ids of the vocabulary, or differs from
                `encoder_out` in its batch.
        """
        _require_ids("decoder_x", decoder_x, self.embedding.num_embeddings)
        if len(decoder_x) != len(encoder_out):
            raise ValueError(
                f"decoder_x must have as many rows as encoder_out has, {len(encoder_out)}, not {len(decoder_x)}"
            )
        queries, hidden_state = self.rnn(self.embedding(decoder_x), hidden_state)  # (batch, target, hidden)
        scores = torch.bmm(queries, self.W_a(encoder_out).transpose(1, 2))  # (batch, target, source)
        weights = masked_softmax(scores)
        context = torch.bmm(weights, encoder_out)  # (batch, target, hidden)
        attentional = torch.tanh(self.W_c(torch.cat([context, queries], dim=-1)))  # (batch, target, hidden)
        return attentional, hidden_state, weights


class Seq2Seq(nn.Module):
    """An encoder and a decoder that starts from the encoder's last state, then one linear layer to the vocabulary."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, vocab_size: int, hidden_dim: int):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.linear = nn.Linear(hidden_dim, vocab_size)

    def forward(
        self, encoder_x: Int[Tensor, "batch source"], decoder_x: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target vocab"]:
        """A logit for every token of the vocabulary at every target step, under teacher forcing.

        `decoder_x` is what the decoder reads: the target, shifted (see `shift_right`).

        Raises:
            ValueError: if either is not token ids of the vocabulary, or their batches differ.
        """
        encoder_out, hidden_state = self.encoder(encoder_x)
        outputs, _, _ = self.decoder(encoder_out, decoder_x, hidden_state)
        return self.linear(outputs)


def shift_right(targets: Int[Tensor, "batch target"], start: int = 0) -> Int[Tensor, "batch target"]:
    """The decoder's input under teacher forcing: the start token, then the targets without their last token.

    At every step the decoder then reads the token *before* the one that it has to write.

    Raises:
        ValueError: if `targets` is not `(batch, target)`.
    """
    if targets.dim() != 2:
        raise ValueError(f"targets must have shape (batch, target), not {tuple(targets.shape)}")
    first = torch.full_like(targets[:, :1], start)
    return torch.cat([first, targets[:, :-1]], dim=1)


@torch.no_grad()
def greedy_decode(
    model: Seq2Seq, encoder_x: Int[Tensor, "batch source"], length: int, start: int = 0
) -> tuple[Int[Tensor, "batch target"], Float[Tensor, "batch target source"]]:
    """Write `length` tokens for each source, each the likeliest after those before: the ids and the attention weights.

    Decodes in evaluation mode and leaves the model in the mode it was in. It does not stop at `<eos>`. The
    source goes to the model's device, and the results come back to the source's.

    Raises:
        ValueError: if `length` is less than 1, or `encoder_x` is not `(batch, source)` token ids of the vocabulary.
    """
    if length < 1:
        raise ValueError(f"length must be at least 1, not {length}")
    was_training = model.training
    model.eval()
    try:
        device = next(model.parameters()).device
        encoder_out, hidden_state = model.encoder(encoder_x.to(device))
        token = torch.full_like(encoder_x[:, :1], start, device=device)  # (batch, 1)
        tokens, rows = [], []
        for _ in range(length):
            output, hidden_state, weights = model.decoder(encoder_out, token, hidden_state)
            token = model.linear(output).argmax(dim=-1)
            tokens.append(token)
            rows.append(weights)
    finally:
        model.train(was_training)
    return torch.cat(tokens, dim=1).to(encoder_x.device), torch.cat(rows, dim=1).to(encoder_x.device)


def _require_ids(name: str, ids: Tensor, vocab_size: int) -> None:
    if not isinstance(ids, Tensor) or ids.dtype.is_floating_point or ids.dim() != 2:
        kind = f"{ids.dtype} of shape {tuple(ids.shape)}" if isinstance(ids, Tensor) else type(ids).__name__
        raise ValueError(f"{name} must be token ids, integers of shape (batch, length), not {kind}")
    if ids.shape[1] == 0:
        raise ValueError(f"{name} must have at least one token a row, but has shape {tuple(ids.shape)}")
    if ids.numel() and not 0 <= ids.min() <= ids.max() < vocab_size:
        raise ValueError(
            f"{name} must lie in 0..{vocab_size - 1}, the vocabulary, but its entries go from "
            f"{int(ids.min())} to {int(ids.max())}"
        )
