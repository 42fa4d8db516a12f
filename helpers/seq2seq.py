"""Sequence to sequence: an encoder reads the source, a decoder writes the target one token at a time.

Shapes are batch first: token ids `(B, L)`, encoder outputs `(B, S, H)`, attention weights `(B, T, S)` for T target and
S source steps. Sources of unequal length are padded at the end, and `valid_lens` `(B,)` says how much of each is real;
without it, all of it is.

Encoders and decoders are GRUs, or with `rnn=nn.LSTM` LSTMs, of one or more layers. A GRU's state is `(layers, B, H)`;
an LSTM's is a pair of these, the hidden state and the cell state. What attends is the hidden state of the last layer.
`dropout` is the share of numbers set to zero in training, in the embeddings and between the layers.

A decoder is a module that maps (encoder_out, decoder_x, hidden_state, valid_lens) to (outputs, hidden_state, weights),
the weights being None for one that doesn't attend. That is all that `Seq2Seq` and `greedy_decode` ask of it.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from helpers.attention import AdditiveScore, AttentionPooling, length_mask, masked_softmax

_Layers = Float[Tensor, "layers batch hidden"]
State = _Layers | tuple[_Layers, _Layers]


class Encoder(nn.Module):
    """A recurrent network over the embedded source.

    With `bidirectional`, one network reads forwards and another backwards, each of half the hidden size, and what they
    know is put side by side: the output for a token then knows what comes before it and what comes after.

    With `valid_lens` the source is packed: the network never reads the padding, whose outputs are zeros.

    Source: for reading both ways, Bahdanau, Cho and Bengio (2015), section 3.2.
    Raises:
        ValueError: if `hidden_dim` is odd, and so can't be shared by two directions.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_dim: int,
        hidden_dim: int,
        bidirectional: bool = False,
        num_layers: int = 1,
        dropout: float = 0.0,
        rnn: type[nn.GRU] | type[nn.LSTM] = nn.GRU,
    ):
        super().__init__()
        if bidirectional and hidden_dim % 2:
            raise ValueError(f"hidden_dim must be even for two directions, not {hidden_dim}")
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.dropout = nn.Dropout(dropout)
        width = hidden_dim // 2 if bidirectional else hidden_dim
        self.rnn = _recurrent(rnn, embed_dim, width, num_layers, dropout, bidirectional)

    def forward(
        self, encoder_x: Int[Tensor, "batch source"], valid_lens: Int[Tensor, "batch"] | None = None
    ) -> tuple[Float[Tensor, "batch source hidden"], State]:
        """The output for every source token, and the state after the last real one.

        Raises:
            ValueError: if `encoder_x` is not `(batch, source)` token ids of the vocabulary, or `valid_lens` isn't one
                length in 1..source for each row.
        """
        _require_ids("encoder_x", encoder_x, self.embedding.num_embeddings)
        embedded = self.dropout(self.embedding(encoder_x))  # (batch, source, embed)
        if valid_lens is None:
            encoder_out, state = self.rnn(embedded)
        else:
            _require_lengths(valid_lens, encoder_x)
            # PyTorch wants the lengths on the CPU, wherever the batch is.
            packed = pack_padded_sequence(embedded, valid_lens.cpu(), batch_first=True, enforce_sorted=False)
            packed_out, state = self.rnn(packed)
            encoder_out, _ = pad_packed_sequence(packed_out, batch_first=True, total_length=encoder_x.shape[1])
        if isinstance(state, tuple):
            return encoder_out, (self._side_by_side(state[0]), self._side_by_side(state[1]))
        return encoder_out, self._side_by_side(state)

    def _side_by_side(
        self, state: Float[Tensor, "layers_and_directions batch width"]
    ) -> Float[Tensor, "layers batch hidden"]:
        _, batch, width = state.shape
        of_directions = state.reshape(self.rnn.num_layers, -1, batch, width)  # (layers, directions, batch, width)
        return of_directions.transpose(1, 2).reshape(self.rnn.num_layers, batch, -1)


class _Decoder(nn.Module):
    """What the decoders share: how they are built, and how they embed what they read.

    Seeded weights depend on the order in which layers are made, so a decoder makes its own in `_make_layers`, the
    recurrent network among them: `recurrent(input_dim)` is one as the arguments ask for.
    """

    rnn: nn.GRU | nn.LSTM

    def __init__(
        self,
        vocab_size: int,
        embed_dim: int,
        hidden_dim: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        rnn: type[nn.GRU] | type[nn.LSTM] = nn.GRU,
    ):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.dropout = nn.Dropout(dropout)
        self._make_layers(
            embed_dim, hidden_dim, lambda input_dim: _recurrent(rnn, input_dim, hidden_dim, num_layers, dropout)
        )

    def _make_layers(self, embed_dim: int, hidden_dim: int, recurrent: Callable[[int], nn.GRU | nn.LSTM]) -> None:
        raise NotImplementedError

    def _embed(
        self,
        encoder_out: Float[Tensor, "batch source hidden"],
        decoder_x: Int[Tensor, "batch target"],
        hidden_state: State,
    ) -> Float[Tensor, "batch target embed"]:
        """The embedded input, once it is clear that all that the decoder was given fits together."""
        _require_ids("decoder_x", decoder_x, self.embedding.num_embeddings)
        if len(decoder_x) != len(encoder_out):
            raise ValueError(
                f"decoder_x must have as many rows as encoder_out has, {len(encoder_out)}, not {len(decoder_x)}"
            )
        _require_state(hidden_state, self.rnn, len(decoder_x))
        return self.dropout(self.embedding(decoder_x))


class PlainDecoder(_Decoder):
    """A decoder without attention: it starts from the encoder's last state and sees nothing else of the source.

    It takes the encoder's outputs, as every decoder does, and doesn't look at them: its weights are None.

    Source: Sutskever, Vinyals and Le (2014), section 2, there with LSTMs.
    """

    def _make_layers(self, embed_dim: int, hidden_dim: int, recurrent: Callable[[int], nn.GRU | nn.LSTM]) -> None:
        self.rnn = recurrent(embed_dim)

    def forward(
        self,
        encoder_out: Float[Tensor, "batch source hidden"],
        decoder_x: Int[Tensor, "batch target"],
        hidden_state: State,
        valid_lens: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch target hidden"], State, None]:
        """The outputs, the last state, and no weights.

        Raises:
            ValueError: if `decoder_x` is not `(batch, target)` token ids of the vocabulary, differs from `encoder_out`
                in its batch, or `hidden_state` is not the state of such a network.
        """
        embedded = self._embed(encoder_out, decoder_x, hidden_state)  # (batch, target, embed)
        outputs, hidden_state = self.rnn(embedded, hidden_state)  # (batch, target, hidden)
        return outputs, hidden_state, None


class LuongDecoder(_Decoder):
    """A decoder that attends after its recurrent network: h̃ = tanh(W_c [c; h]), with the bilinear score hᵀ (W_a s).

    The network runs over the whole input first; then every one of its outputs h is a query, and the encoder's outputs s
    are keys and values; with `valid_lens` the padding gets no weight. h̃ is not fed back into the network. The decoder
    built in lab 5, which returns the state besides, so that decoding can go on from it.

    Source: Luong, Pham and Manning (2015), section 3.1 (global attention, "general" score), equation 5.
    """

    def _make_layers(self, embed_dim: int, hidden_dim: int, recurrent: Callable[[int], nn.GRU | nn.LSTM]) -> None:
        self.rnn = recurrent(embed_dim)
        self.W_a = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.W_c = nn.Linear(2 * hidden_dim, hidden_dim, bias=False)

    def forward(
        self,
        encoder_out: Float[Tensor, "batch source hidden"],
        decoder_x: Int[Tensor, "batch target"],
        hidden_state: State,
        valid_lens: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch target hidden"], State, Float[Tensor, "batch target source"]]:
        """The attentional states h̃, the network's last state, and the attention weights.

        Raises:
            ValueError: if `decoder_x` is not `(batch, target)` token ids of the vocabulary, differs from `encoder_out`
                in its batch, or `hidden_state` is not the state of such a network; for `valid_lens` see
                `masked_softmax`.
        """
        embedded = self._embed(encoder_out, decoder_x, hidden_state)  # (batch, target, embed)
        queries, hidden_state = self.rnn(embedded, hidden_state)  # (batch, target, hidden)
        scores = torch.bmm(queries, self.W_a(encoder_out).transpose(1, 2))  # (batch, target, source)
        weights = masked_softmax(scores, valid_lens)
        context = torch.bmm(weights, encoder_out)  # (batch, target, hidden)
        return torch.tanh(self.W_c(torch.cat([context, queries], dim=-1))), hidden_state, weights


class BahdanauDecoder(_Decoder):
    """A decoder that attends before its recurrent network, step by step, with the additive score.

    At each step the *previous* state is the query and the encoder's outputs are keys and values; the network reads the
    context and the token's embedding, [c; x]. Its state takes the context along from step to step. The decoder of the
    PyTorch tutorial, as it has been since 2023, is this one with the two in the other order and biases in the score.

    Source: Bahdanau, Cho and Bengio (2015), section 3.1. Theirs starts from a layer over the encoder's first backward
    state, and reads its output off by a maxout layer; this one starts from the encoder's state, as the others do.
    """

    def _make_layers(self, embed_dim: int, hidden_dim: int, recurrent: Callable[[int], nn.GRU | nn.LSTM]) -> None:
        self.attention = AttentionPooling(AdditiveScore(hidden_dim, hidden_dim, hidden_dim))
        self.rnn = recurrent(hidden_dim + embed_dim)

    def forward(
        self,
        encoder_out: Float[Tensor, "batch source hidden"],
        decoder_x: Int[Tensor, "batch target"],
        hidden_state: State,
        valid_lens: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch target hidden"], State, Float[Tensor, "batch target source"]]:
        """The outputs, the last state, and the attention weights.

        Raises:
            ValueError: if `decoder_x` is not `(batch, target)` token ids of the vocabulary, differs from `encoder_out`
                in its batch, or `hidden_state` is not the state of such a network; for `valid_lens` see
                `masked_softmax`.
        """
        embedded = self._embed(encoder_out, decoder_x, hidden_state)  # (batch, target, embed)
        outputs, weights = [], []
        for token in embedded.split(1, dim=1):  # (batch, 1, embed)
            context = self.attention(_query(hidden_state), encoder_out, encoder_out, valid_lens)  # (batch, 1, hidden)
            output, hidden_state = self.rnn(torch.cat([context, token], dim=-1), hidden_state)
            outputs.append(output)
            weights.append(self.attention.weights)
        # They are handed back. Kept here besides, they would hold on to the last step's graph, and no one could copy
        # the model.
        self.attention.weights = None
        return torch.cat(outputs, dim=1), hidden_state, torch.cat(weights, dim=1)


class PositionDecoder(_Decoder):
    """A decoder that weighs source *positions* without looking at what stands there.

    The scores come from the token and the previous state alone, one for each of `max_len` positions, by a linear
    layer: there are no keys. The weights then pool the encoder's outputs as usual; the network reads a ReLU of a linear
    layer over [x; c]. A source longer than `max_len` can't be read at all.

    Source: the PyTorch tutorial "Translation with a sequence to sequence network and attention" as it was before 2023.
    Luong, Pham and Manning (2015), equation 8 ("location"), have scores without keys too, from the state alone.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_dim: int,
        hidden_dim: int,
        max_len: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        rnn: type[nn.GRU] | type[nn.LSTM] = nn.GRU,
    ):
        self.max_len = max_len  # needed for the layers, which the next line makes
        super().__init__(vocab_size, embed_dim, hidden_dim, num_layers, dropout, rnn)

    def _make_layers(self, embed_dim: int, hidden_dim: int, recurrent: Callable[[int], nn.GRU | nn.LSTM]) -> None:
        self.position_scores = nn.Linear(embed_dim + hidden_dim, self.max_len)
        self.combine = nn.Linear(embed_dim + hidden_dim, hidden_dim)
        self.rnn = recurrent(hidden_dim)

    def forward(
        self,
        encoder_out: Float[Tensor, "batch source hidden"],
        decoder_x: Int[Tensor, "batch target"],
        hidden_state: State,
        valid_lens: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch target hidden"], State, Float[Tensor, "batch target source"]]:
        """The outputs, the last state, and the attention weights.

        Raises:
            ValueError: if the source is longer than `max_len`, `decoder_x` is not `(batch, target)` token ids of the
                vocabulary, differs from `encoder_out` in its batch, or `hidden_state` is not the state of such a
                network; for `valid_lens` see `masked_softmax`.
        """
        embedded = self._embed(encoder_out, decoder_x, hidden_state)  # (batch, target, embed)
        source = encoder_out.shape[1]
        if source > self.max_len:
            raise ValueError(
                f"encoder_out must have at most {self.max_len} source positions, for which this decoder was built, "
                f"not {source}"
            )
        outputs, weights = [], []
        for token in embedded.split(1, dim=1):  # (batch, 1, embed)
            scores = self.position_scores(torch.cat([token, _query(hidden_state)], dim=-1))[..., :source]
            weights.append(masked_softmax(scores, valid_lens))  # (batch, 1, source)
            context = torch.bmm(weights[-1], encoder_out)  # (batch, 1, hidden)
            combined = self.combine(torch.cat([token, context], dim=-1)).relu()
            output, hidden_state = self.rnn(combined, hidden_state)
            outputs.append(output)
        return torch.cat(outputs, dim=1), hidden_state, torch.cat(weights, dim=1)


class Seq2Seq(nn.Module):
    """An encoder and a decoder that starts from the encoder's last state, then one linear layer to the vocabulary."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, vocab_size: int, hidden_dim: int):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.linear = nn.Linear(hidden_dim, vocab_size)

    def forward(
        self,
        encoder_x: Int[Tensor, "batch source"],
        decoder_x: Int[Tensor, "batch target"],
        valid_lens: Int[Tensor, "batch"] | None = None,
    ) -> Float[Tensor, "batch target vocab"]:
        """A logit for every token of the vocabulary at every target step, under teacher forcing.

        `decoder_x` is what the decoder reads: the target, shifted (see `shift_right`). `valid_lens` are the lengths
        of the sources; what the model says beyond the end of a target is for the loss to leave out.

        Raises:
            ValueError: if either is not token ids of the vocabulary, their batches differ, or `valid_lens` isn't one
                length in 1..source for each row.
        """
        encoder_out, hidden_state = self.encoder(encoder_x, valid_lens)
        outputs, _, _ = self.decoder(encoder_out, decoder_x, hidden_state, valid_lens)
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


def sequence_cross_entropy(
    logits: Float[Tensor, "batch target vocab"],
    targets: Int[Tensor, "batch target"],
    valid_lens: Int[Tensor, "batch"] | None = None,
) -> Float[Tensor, ""]:
    """The mean cross-entropy, in nats, over the real tokens of the whole batch; every one of them counts the same.

    What the logits and the targets hold beyond a target's length has no influence. Without `valid_lens` every token
    is real.

    Raises:
        ValueError: if the shapes don't fit one another, or `valid_lens` isn't one length in 1..target for each row.
    """
    if logits.dim() != 3 or logits.shape[:2] != targets.shape:
        raise ValueError(
            "logits must have shape (batch, target, vocabulary) and targets (batch, target), not "
            f"{tuple(logits.shape)} and {tuple(targets.shape)}"
        )
    if valid_lens is None:
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    _require_lengths(valid_lens, targets)
    real = length_mask(valid_lens, targets.shape[1])  # (batch, target)
    return F.cross_entropy(logits[real], targets[real])


@torch.no_grad()
def greedy_decode(
    model: Seq2Seq,
    encoder_x: Int[Tensor, "batch source"],
    length: int,
    start: int = 0,
    valid_lens: Int[Tensor, "batch"] | None = None,
) -> tuple[Int[Tensor, "batch target"], Float[Tensor, "batch target source"] | None]:
    """Write `length` tokens for each source, each the likeliest after those before: the ids and the attention weights.

    Decodes in evaluation mode and leaves the model in the mode it was in. It does not stop at `<eos>`. The
    source goes to the model's device, and the results come back to the source's. `valid_lens` are the lengths of the
    sources. The weights are None if the decoder doesn't attend.

    Raises:
        ValueError: if `length` is less than 1, `encoder_x` is not `(batch, source)` token ids of the vocabulary, or
            `valid_lens` isn't one length in 1..source for each row.
    """
    if length < 1:
        raise ValueError(f"length must be at least 1, not {length}")
    was_training = model.training
    model.eval()
    try:
        device = next(model.parameters()).device
        valid_lens = None if valid_lens is None else valid_lens.to(device)
        encoder_out, hidden_state = model.encoder(encoder_x.to(device), valid_lens)
        token = torch.full_like(encoder_x[:, :1], start, device=device)  # (batch, 1)
        tokens, rows = [], []
        for _ in range(length):
            output, hidden_state, weights = model.decoder(encoder_out, token, hidden_state, valid_lens)
            token = model.linear(output).argmax(dim=-1)
            tokens.append(token)
            rows.append(weights)
    finally:
        model.train(was_training)
    attended = None if rows[0] is None else torch.cat(rows, dim=1).to(encoder_x.device)
    return torch.cat(tokens, dim=1).to(encoder_x.device), attended


def _recurrent(
    rnn: type[nn.GRU] | type[nn.LSTM],
    input_dim: int,
    hidden_dim: int,
    num_layers: int,
    dropout: float,
    bidirectional: bool = False,
) -> nn.GRU | nn.LSTM:
    # PyTorch warns of a dropout that has no two layers to stand between.
    between = dropout if num_layers > 1 else 0.0
    return rnn(input_dim, hidden_dim, num_layers, batch_first=True, dropout=between, bidirectional=bidirectional)


def _query(state: State) -> Float[Tensor, "batch 1 hidden"]:
    """The last layer's hidden state, as the one query of a step."""
    hidden = state[0] if isinstance(state, tuple) else state
    return hidden[-1].unsqueeze(1)


def _require_state(hidden_state: State, rnn: nn.GRU | nn.LSTM, batch: int) -> None:
    expected = [(rnn.num_layers, batch, rnn.hidden_size)] * (2 if isinstance(rnn, nn.LSTM) else 1)
    found = [tuple(part.shape) for part in (hidden_state if isinstance(hidden_state, tuple) else (hidden_state,))]
    if found != expected:
        raise ValueError(
            f"hidden_state must be the state of this decoder's {type(rnn).__name__}, of shape "
            f"{' and '.join(map(str, expected))}, not {' and '.join(map(str, found))}: "
            "were encoder and decoder built alike?"
        )


def _require_lengths(valid_lens: Tensor, ids: Tensor) -> None:
    if valid_lens.dtype.is_floating_point or valid_lens.shape != (len(ids),):
        raise ValueError(
            f"valid_lens must hold integers of shape ({len(ids)},), one length a row, not {valid_lens.dtype} of shape "
            f"{tuple(valid_lens.shape)}"
        )
    if valid_lens.numel() and not 1 <= valid_lens.min() <= valid_lens.max() <= ids.shape[1]:
        raise ValueError(
            f"valid_lens must lie in 1..{ids.shape[1]}, the padded length, but its entries go from "
            f"{int(valid_lens.min())} to {int(valid_lens.max())}"
        )


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
