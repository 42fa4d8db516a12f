"""Attention as word alignment: the weights on given translations, how far they are from the gold alignment, what the
model would write with other weights, and a model whose attention aligns.

Two things let a translator write the right word while it looks elsewhere. `WordEncoder` and `WordDecoder` work against
both:

- What a recurrent encoder hands over for a word knows the words around it too, so that looking beside a word serves
  about as well. In a `WordEncoder` the *value* of a word has the word itself added.
- Often the words just written tell which comes next, and it doesn't matter where the decoder looks. A `WordDecoder` is
  trained with *word dropout*: it can't rely on having read the words before.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from helpers.attention import masked_softmax
from helpers.corpora import encode_batch, token_id
from helpers.metrics import alignment_error_rate, hard_alignment
from helpers.phrasebook import Pair
from helpers.seq2seq import Encoder, LuongDecoder, State, shift_right
from helpers.translation import Translator


class WordEncoder(Encoder):
    """A bidirectional GRU whose outputs are the keys; the value of a word is its key plus its own embedding, through a
    linear layer.

    The output is for a `WordDecoder`: `(batch, source, 2 · hidden)`, the keys' features first, then the values'.
    """

    def __init__(self, vocab_size: int, embed_dim: int, hidden_dim: int):
        super().__init__(vocab_size, embed_dim, hidden_dim, bidirectional=True)
        self.own_word = nn.Linear(embed_dim, hidden_dim, bias=False)

    def forward(
        self, encoder_x: Int[Tensor, "batch source"], valid_lens: Int[Tensor, "batch"] | None = None
    ) -> tuple[Float[Tensor, "batch source key_and_value"], State]:
        """Key and value of every source token, side by side, and the state after the last real one.

        Raises:
            ValueError: as `Encoder` does.
        """
        keys, state = super().forward(encoder_x, valid_lens)
        values = keys + self.own_word(self.embedding(encoder_x))  # (batch, source, hidden)
        return torch.cat([keys, values], dim=-1), state


class WordDecoder(LuongDecoder):
    """A `LuongDecoder` whose keys and values differ, trained with dropout of words and of weights.

    In training `word_dropout` is the share of the words it reads that are hidden from it (their embeddings are zero),
    and `attention_dropout` the share of weights that are set to zero. The weights it returns are those before dropout.

    Source: for word dropout Bowman et al. (2016), section 3.1.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_dim: int,
        hidden_dim: int,
        word_dropout: float = 0.4,
        attention_dropout: float = 0.2,
    ):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.word_dropout = nn.Dropout1d(word_dropout)  # of (batch, target, embed) it drops whole tokens
        self.attention_dropout = nn.Dropout(attention_dropout)

    def forward(
        self,
        encoder_out: Float[Tensor, "batch source key_and_value"],
        decoder_x: Int[Tensor, "batch target"],
        hidden_state: State,
        valid_lens: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch target hidden"], State, Float[Tensor, "batch target source"]]:
        """The attentional states h̃, the network's last state, and the attention weights."""
        keys, values = encoder_out.chunk(2, dim=-1)  # each (batch, source, hidden)
        queries, hidden_state = self.rnn(self.word_dropout(self.embedding(decoder_x)), hidden_state)
        scores = torch.bmm(queries, self.W_a(keys).transpose(1, 2))  # (batch, target, source)
        weights = masked_softmax(scores, valid_lens)
        context = torch.bmm(self.attention_dropout(weights), values)  # (batch, target, hidden)
        return torch.tanh(self.W_c(torch.cat([context, queries], dim=-1))), hidden_state, weights


class Forced(NamedTuple):
    """What goes on in a model while it is made to write given translations, with the steps of `<eos>` and padding."""

    encoder_out: Float[Tensor, "batch source features"]
    hidden_state: State  # the decoder's first
    decoder_x: Int[Tensor, "batch target"]  # the translations, shifted
    outputs: Float[Tensor, "batch target hidden"]
    weights: Float[Tensor, "batch target source"]


@torch.no_grad()
def force(translator: Translator, pairs: Sequence[Pair]) -> Forced:
    """Make the model write each `pair.target`: the decoder reads the right words (teacher forcing), in evaluation mode.

    Raises:
        ValueError: if `pairs` is empty, or the decoder doesn't attend.
    """
    model, where = translator.model, next(translator.model.parameters()).device
    x, x_lens = encode_batch(translator.source_tokenizer, [pair.source_text for pair in pairs])
    y, _ = encode_batch(translator.target_tokenizer, [" ".join(pair.target) for pair in pairs])
    decoder_x = shift_right(y, token_id(translator.target_tokenizer, "<bos>")).to(where)
    was_training = model.training
    model.eval()
    try:
        encoder_out, hidden_state = model.encoder(x.to(where), x_lens.to(where))
        outputs, _, weights = model.decoder(encoder_out, decoder_x, hidden_state, x_lens.to(where))
    finally:
        model.train(was_training)
    if weights is None:
        raise ValueError(f"translator must have a decoder that attends, not a {type(model.decoder).__name__}")
    return Forced(encoder_out, hidden_state, decoder_x, outputs, weights)


def align(translator: Translator, pairs: Sequence[Pair]) -> list[Float[Tensor, "_ _"]]:
    """The attention weights of each pair, (target, source), while the model is made to write `pair.target`.

    Every row belongs to a word of the target. The row of `<eos>` and its column are left out: a row sums to 1 less what
    it gave to `<eos>`.

    Raises:
        ValueError: if `pairs` is empty, or the decoder doesn't attend.
    """
    weights = force(translator, pairs).weights.cpu()
    return [each[: len(pair.target), : len(pair.source)] for each, pair in zip(weights, pairs, strict=True)]


def error_rate(weights: Sequence[Float[Tensor, "_ _"]], pairs: Sequence[Pair]) -> float:
    """The alignment error rate, 0 to 1, of the weights of each pair, (target, source), over all pairs together.

    Each target word is linked with the source word of its largest weight, even where the gold alignment leaves it
    unaligned: a model isn't told which those are.

    Raises:
        ValueError: if the two differ in number.
    """
    if len(weights) != len(pairs):
        raise ValueError(f"weights must have one matrix for each of the {len(pairs)} pairs, not {len(weights)}")
    links = (
        map(hard_alignment, weights),
        (pair.alignment for pair in pairs),
        (pair.possible for pair in pairs),
    )
    return alignment_error_rate(*({(i, *link) for i, each in enumerate(sets) for link in each} for sets in links))


def rewrite(
    translator: Translator, forced: Forced, weights: Float[Tensor, "batch target source"]
) -> Float[Tensor, "batch target vocab"]:
    """The logits of every step with other weights in place of the model's own, and all else as it was.

    With `forced.weights` they are the model's. Queries, keys, values and what the decoder reads stay the same, so each
    step is changed by itself. Gradients flow back into `weights`, so that weights with a given effect can be searched
    for.

    Raises:
        ValueError: if the decoder is neither a `LuongDecoder` nor a `WordDecoder`: in others a step depends on the
            weights of the steps before.
    """
    model = translator.model
    if not isinstance(model.decoder, LuongDecoder):
        raise ValueError(f"translator must have a LuongDecoder or a WordDecoder, not a {type(model.decoder).__name__}")
    decoder = model.decoder
    queries, _ = decoder.rnn(decoder.embedding(forced.decoder_x), forced.hidden_state)  # (batch, target, hidden)
    values = forced.encoder_out[..., -queries.shape[-1] :]  # all of it, or the half after the keys
    context = torch.bmm(weights, values)  # (batch, target, hidden)
    return model.linear(torch.tanh(decoder.W_c(torch.cat([context, queries], dim=-1))))


def without(
    weights: Float[Tensor, "batch target source"], positions: Int[Tensor, "batch target"]
) -> Float[Tensor, "batch target source"]:
    """Each row of weights without one of its source positions, the others grown in proportion so as to sum to 1.

    A row that had all its weight there has none left: it becomes zeros.

    Raises:
        ValueError: if `positions` isn't one position in 0..source − 1 for each row.
    """
    if positions.shape != weights.shape[:2] or not 0 <= positions.min() <= positions.max() < weights.shape[2]:
        raise ValueError(
            f"positions must hold one position in 0..{weights.shape[2] - 1} for each row, of shape "
            f"{tuple(weights.shape[:2])}, not of shape {tuple(positions.shape)}"
        )
    rest = weights.scatter(2, positions.unsqueeze(2), 0.0)
    total = rest.sum(dim=2, keepdim=True)
    return rest / total.where(total > 0, 1.0)


@torch.no_grad()
def hide_each_word(translator: Translator, pair: Pair) -> dict[int, tuple[Float[Tensor, "target source"], list[str]]]:
    """For each source word: the weights without it, (target, source), and what the model then writes at every step.

    It is made for `attention_view(..., without=...)`. Each step reads the words of `pair.target` before it, whatever
    the model writes; and only the attention can't see the word: the encoder has read it.

    Raises:
        ValueError: as `force` and `rewrite` do.
    """
    forced = force(translator, [pair])
    hidden = {}
    for place in range(len(pair.source)):
        weights = without(forced.weights, torch.full_like(forced.decoder_x, place))
        ids = rewrite(translator, forced, weights)[0].argmax(dim=1).tolist()
        words = [translator.target_tokenizer.id_to_token(each) or "" for each in ids[: len(pair.target)]]
        hidden[place] = weights[0, : len(pair.target), : len(pair.source)].cpu(), words
    return hidden
