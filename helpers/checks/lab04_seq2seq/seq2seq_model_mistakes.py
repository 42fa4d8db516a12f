"""The mistakes that people make in `Seq2SeqModel`, each with the wrong implementations that show it."""

from collections.abc import Callable

import torch
from torch import nn

from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.spoiling import changed, stopping_at_64


def _gru(embed_dim: int, hidden_dim: int) -> nn.Module:
    return nn.GRU(embed_dim, hidden_dim, batch_first=True)


def _time_major(embed_dim: int, hidden_dim: int) -> nn.Module:
    return nn.GRU(embed_dim, hidden_dim)


def _right_forward(model, encoder_x, decoder_x):
    _, state = model.encoder(model.embedding(encoder_x))
    outputs, _ = model.decoder(model.embedding(decoder_x), state)
    return model.linear(outputs)


def _model(forward: Callable = _right_forward, encoder=_gru, decoder=_gru, linear=nn.Linear, **more) -> type[nn.Module]:
    """A class of models: its forward pass as a function of the model, and what its layers are built by."""

    class Model(nn.Module):
        def __init__(self, vocab_size, embed_dim, hidden_dim):
            super().__init__()
            self.embedding = nn.Embedding(vocab_size, embed_dim)
            self.encoder = encoder(embed_dim, hidden_dim)
            self.decoder = decoder(embed_dim, hidden_dim)
            self.linear = linear(hidden_dim, vocab_size)
            for name, layer in more.items():
                setattr(self, name, layer(vocab_size, embed_dim, hidden_dim))

        def forward(self, encoder_x, decoder_x):
            return forward(self, encoder_x, decoder_x)

    return Model


def _viewed(logits):
    """The same memory, the last two axes with each other's sizes."""
    return logits.reshape(len(logits), logits.shape[2], logits.shape[1])


def _from_state(state: Callable) -> type[nn.Module]:
    """A model whose decoder starts from something else than the encoder's last state."""

    def forward(model, encoder_x, decoder_x):
        outputs, _ = model.decoder(model.embedding(decoder_x), state(model, *model.encoder(model.embedding(encoder_x))))
        return model.linear(outputs)

    return _model(forward)


def _reading(tokens: Callable) -> type[nn.Module]:
    """A model whose decoder reads other tokens than it should."""
    return _model(lambda model, encoder_x, decoder_x: _right_forward(model, encoder_x, tokens(encoder_x, decoder_x)))


def _encoding(tokens: Callable) -> type[nn.Module]:
    """A model whose encoder reads other tokens than it should."""
    return _model(lambda model, encoder_x, decoder_x: _right_forward(model, tokens(encoder_x, decoder_x), decoder_x))


def _from_outputs(logits: Callable) -> type[nn.Module]:
    """A model that makes something else of the decoder's outputs than the linear layer's logits."""

    def forward(model, encoder_x, decoder_x):
        _, state = model.encoder(model.embedding(encoder_x))
        outputs, last = model.decoder(model.embedding(decoder_x), state)
        return logits(model, outputs, last)

    return _model(forward)


def _reshaped_for_time(model, encoder_x, decoder_x):
    """Time-major networks on embeddings that were reshaped, not transposed."""
    embedded = [model.embedding(x).reshape(x.shape[1], x.shape[0], -1) for x in (encoder_x, decoder_x)]
    _, state = model.encoder(embedded[0])
    outputs, _ = model.decoder(embedded[1], state)
    return model.linear(outputs).transpose(0, 1)


def _one_network(model, encoder_x, decoder_x):
    _, state = model.encoder(model.embedding(encoder_x))
    return model.linear(model.encoder(model.embedding(decoder_x), state)[0])


def _swapped_networks(model, encoder_x, decoder_x):
    _, state = model.decoder(model.embedding(encoder_x))
    return model.linear(model.encoder(model.embedding(decoder_x), state)[0])


def _stateless(model, encoder_x, decoder_x):
    """The encoder's state at every step: the decoder's own is never carried on."""
    _, state = model.encoder(model.embedding(encoder_x))
    steps = [model.decoder(token, state)[0] for token in model.embedding(decoder_x).split(1, dim=1)]
    return model.linear(torch.cat(steps, dim=1))


def _read_twice(model, encoder_x, decoder_x):
    """The decoder starts from the state that it has after reading everything."""
    _, state = model.encoder(model.embedding(encoder_x))
    _, state = model.decoder(model.embedding(decoder_x), state)
    return model.linear(model.decoder(model.embedding(decoder_x), state)[0])


def _feeding_back(model, encoder_x, decoder_x):
    """Greedy decoding in the place of teacher forcing."""
    _, state = model.encoder(model.embedding(encoder_x))
    token, steps = decoder_x[:, :1], []
    for _ in range(decoder_x.shape[1]):
        outputs, state = model.decoder(model.embedding(token), state)
        steps.append(model.linear(outputs))
        token = steps[-1].argmax(-1)
    return torch.cat(steps, dim=1)


def _keeping_state(model, encoder_x, decoder_x):
    """The encoder goes on from the state of the call before."""
    state = getattr(model, "state", None)
    if state is not None and state.shape[1] != len(encoder_x):
        state = None
    _, model.state = model.encoder(model.embedding(encoder_x), state)
    return model.linear(model.decoder(model.embedding(decoder_x), model.state)[0])


def _cutting_the_graph(model, encoder_x, decoder_x):
    with torch.no_grad():
        _, state = model.encoder(model.embedding(encoder_x))
    return model.linear(model.decoder(model.embedding(decoder_x), state)[0])


def _with_dropout(model, encoder_x, decoder_x):
    def embed(tokens):
        embedded = model.embedding(tokens)
        return embedded * (2 * (torch.arange(embedded.shape[-1]) % 2)) if model.training else embedded

    _, state = model.encoder(embed(encoder_x))
    return model.linear(model.decoder(embed(decoder_x), state)[0])


def _padding_forced_to_zero(model, encoder_x, decoder_x):
    """<eos> taken for padding: its embedding is zero."""

    def embed(tokens):
        return model.embedding(tokens) * (tokens != 0).unsqueeze(-1)

    _, state = model.encoder(embed(encoder_x))
    return model.linear(model.decoder(embed(decoder_x), state)[0])


def _padding_that_never_learns(model, encoder_x, decoder_x):
    def embed(tokens):
        return nn.functional.embedding(tokens, model.embedding.weight, padding_idx=0)

    _, state = model.encoder(embed(encoder_x))
    return model.linear(model.decoder(embed(decoder_x), state)[0])


def _writing_tokens(position: int) -> type[nn.Module]:
    def forward(model, *tokens):
        logits = _right_forward(model, *tokens)
        tokens[position].zero_()
        return logits

    return _model(forward)


MISTAKES = (
    mistakes.DECODER_NOT_STARTED.explained(
        "The decoder starts from zeros, so nothing of the source reaches it: it would write the same for every string. "
        "`nn.GRU` returns two things and takes two. Which of them has to go from the encoder to the decoder?",
        _from_state(lambda model, outputs, state: None),
        _from_state(lambda model, outputs, state: torch.zeros_like(state)),
    ),
    Misconception(
        "decoder-reads-the-source",
        "the decoder reads the encoder's tokens",
        "Your logits follow `encoder_x` at every step, and `decoder_x` goes unused. The decoder reads the target so "
        "far; of the source it knows only the state that it starts from.",
        (_reading(lambda encoder_x, decoder_x: encoder_x),),
    ),
    Misconception(
        "encoder-reads-the-target",
        "the encoder reads the decoder's tokens",
        "Then the state that the decoder starts from holds the target, the answer itself, and nothing of the source.",
        (_encoding(lambda encoder_x, decoder_x: decoder_x),),
    ),
    Misconception(
        "swapped-arguments",
        "source and target have changed places",
        "The encoder reads `encoder_x`, the first argument, and the decoder `decoder_x`, the second.",
        (_model(lambda model, encoder_x, decoder_x: _right_forward(model, decoder_x, encoder_x)),),
    ),
    Misconception(
        "outputs-for-the-state",
        "the encoder's outputs are passed for its state",
        "`nn.GRU` returns its outputs at every step, (batch, length, hidden), and its *last state*, (1, batch, "
        "hidden). The decoder starts from a state. With one string of one letter the two look alike; print both "
        "shapes for more.",
        (
            _from_state(lambda model, outputs, state: outputs),
            _from_state(lambda model, outputs, state: outputs.transpose(0, 1)),
            _from_state(lambda model, outputs, state: outputs[:, -1]),
            _from_state(lambda model, outputs, state: outputs[:, -1:]),
            _from_state(lambda model, outputs, state: outputs[-1:]),
            _from_state(lambda model, outputs, state: outputs[-1]),
        ),
    ),
    Misconception(
        "not-the-last-state",
        "the decoder starts from something else than the encoder's last state",
        "The state after the first token, or a mean over all, isn't what the encoder knows when it has read "
        "everything: that is its *last* state.",
        (
            _from_state(lambda model, outputs, state: outputs[:, 0].unsqueeze(0)),
            _from_state(lambda model, outputs, state: outputs.mean(1).unsqueeze(0)),
            _from_state(lambda model, outputs, state: outputs.sum(1).unsqueeze(0)),
            _from_state(lambda model, outputs, state: outputs.max(1).values.unsqueeze(0)),
            _from_state(lambda model, outputs, state: state.tanh()),
            _encoding(lambda encoder_x, decoder_x: encoder_x.flip(1)),
        ),
    ),
    Misconception(
        "time-major",
        "a GRU takes the batch for time",
        "`nn.GRU` reads (length, batch, embed) unless it is told otherwise. Ours are batch first, so it runs along the "
        "*strings* of the batch, and mixes them. Which argument tells it?",
        (
            _model(encoder=_time_major),
            _model(decoder=_time_major),
            _model(encoder=_time_major, decoder=_time_major),
        ),
    ),
    mistakes.SOFTMAX_INSIDE.explained(
        "The loss has a softmax inside and wants the numbers that go *into* it. A second softmax flattens what the "
        "model says, and its gradient with it.",
        _from_outputs(lambda model, outputs, last: model.linear(outputs).softmax(-1)),
        _from_outputs(lambda model, outputs, last: model.linear(outputs).log_softmax(-1)),
        _from_outputs(lambda model, outputs, last: model.linear(outputs).softmax(1)),
        _from_outputs(lambda model, outputs, last: model.linear(outputs).sigmoid()),
    ),
    mistakes.ACTIVATION_ADDED.explained(
        "Between the decoder's outputs and the logits stands the linear layer and nothing else; nothing stands between "
        "embedding and GRU, either.",
        _from_outputs(lambda model, outputs, last: model.linear(outputs).relu()),
        _from_outputs(lambda model, outputs, last: model.linear(outputs.relu())),
        _from_outputs(lambda model, outputs, last: model.linear(outputs).tanh()),
        _from_outputs(lambda model, outputs, last: model.linear(outputs.tanh())),
    ),
    Misconception(
        "peeks-at-the-future",
        "the decoder sees tokens that are still to be written",
        "Change a later token of `decoder_x`, and earlier logits change. In training the model would read the answer, "
        "and alone it would have nothing to read. A GRU that reads `decoder_x` once, from the left, can't see ahead.",
        (
            _reading(lambda encoder_x, decoder_x: decoder_x.flip(1)),
            _from_outputs(lambda model, outputs, last: model.linear(outputs.flip(1))),
            _model(lambda model, encoder_x, decoder_x: _right_forward(model, encoder_x, decoder_x.flip(1)).flip(1)),
            _model(_read_twice),
            _reading(lambda encoder_x, decoder_x: decoder_x.roll(-1, dims=1)),
            _from_outputs(lambda model, outputs, last: model.linear(outputs.mean(1, keepdim=True).expand_as(outputs))),
        ),
    ),
    Misconception(
        "shifts-again",
        "the decoder's tokens are shifted once more",
        "`decoder_x` comes shifted already: `shift_right` made it. Shifted twice, the decoder has to write each token "
        "without knowing the one before.",
        (
            _reading(
                lambda encoder_x, decoder_x: torch.cat([torch.zeros_like(decoder_x[:, :1]), decoder_x[:, :-1]], dim=1)
            ),
            _reading(lambda encoder_x, decoder_x: decoder_x[:, :-1]),
        ),
    ),
    Misconception(
        "batch-and-time-mixed",
        "a reshape mixes batch and time",
        "`view` and `reshape` give the same numbers, in the same order, another shape: (batch, length) read as "
        "(length, batch) puts letters of one string into another. To swap two axes you need a transpose.",
        (
            _from_outputs(
                lambda model, outputs, last: (
                    model.linear(outputs)
                    .transpose(0, 1)
                    .reshape(outputs.shape[0], outputs.shape[1], model.linear.out_features)
                )
            ),
            _from_outputs(
                lambda model, outputs, last: (
                    model.linear(outputs)
                    .reshape(outputs.shape[1], outputs.shape[0], model.linear.out_features)
                    .transpose(0, 1)
                )
            ),
            _model(_reshaped_for_time, encoder=_time_major, decoder=_time_major),
        ),
    ),
    Misconception(
        "axes-in-another-order",
        "the logits' axes are in another order",
        "The result is (batch, decoder length, vocabulary), and each of these axes stays where it is.",
        (
            _from_outputs(lambda model, outputs, last: model.linear(outputs).transpose(0, 1)),
            _from_outputs(lambda model, outputs, last: model.linear(outputs).transpose(1, 2)),
            _from_outputs(lambda model, outputs, last: model.linear(outputs).flatten(0, 1)),
            _from_outputs(lambda model, outputs, last: model.linear(outputs).squeeze()),
            _from_outputs(lambda model, outputs, last: model.linear(outputs).squeeze(0)),
        ),
    ),
    Misconception(
        "last-step-only",
        "only the last step's logits come back",
        "Under teacher forcing every step has a token to write, and so logits of its own: use the decoder's *outputs*, "
        "not its last state.",
        (
            _from_outputs(lambda model, outputs, last: model.linear(outputs[:, -1])),
            _from_outputs(lambda model, outputs, last: model.linear(outputs[:, -1:])),
            _from_outputs(lambda model, outputs, last: model.linear(last)),
            _from_outputs(lambda model, outputs, last: model.linear(last[0])),
            _from_outputs(lambda model, outputs, last: model.linear(last.transpose(0, 1))),
        ),
    ),
    mistakes.NO_LINEAR_LAYER.explained(
        "The decoder gives `hidden_dim` numbers a step. `linear` makes one logit for each token of the vocabulary of "
        "them.",
        _from_outputs(lambda model, outputs, last: outputs),
    ),
    mistakes.RETURNS_A_PAIR.explained(
        "`forward` returns one tensor. The state is the model's own affair here.",
        _from_outputs(lambda model, outputs, last: (model.linear(outputs), last)),
        _from_outputs(lambda model, outputs, last: (model.linear(outputs), outputs)),
    ),
    Misconception(
        "tokens-not-logits",
        "token ids come back, not logits",
        "An argmax can't be learned from: it has no gradient. Return the logits, and leave the choice to the decoding.",
        (_from_outputs(lambda model, outputs, last: model.linear(outputs).argmax(-1)),),
    ),
    Misconception(
        "one-network-for-both",
        "encoder and decoder are the wrong way round, or one does both jobs",
        "`encoder` reads the source, `decoder` reads the target so far. Each has weights of its own.",
        (_model(_one_network), _model(_swapped_networks)),
    ),
    mistakes.STATE_NOT_CARRIED.explained(
        "Each step should go on from the state of the step before; yours all start from the encoder's. Given all "
        "tokens at once, `nn.GRU` carries the state by itself.",
        _model(_stateless),
    ),
    mistakes.NO_TEACHER_FORCING.explained(
        "In `forward` the decoder reads what it is given, `decoder_x`: that is teacher forcing. Feeding predictions "
        "back is exercise 4.",
        _model(_feeding_back),
    ),
    mistakes.ONE_SEQUENCE_FOR_ALL.explained(
        "A batch of one works, but in a larger one every string has a state of its own: the second axis of (1, batch, "
        "hidden).",
        _from_state(lambda model, outputs, state: state[:, :1].expand_as(state).contiguous()),
        _from_state(lambda model, outputs, state: state[:, -1:].expand_as(state).contiguous()),
        _from_state(lambda model, outputs, state: state.mean(1, keepdim=True).expand_as(state).contiguous()),
        _from_state(lambda model, outputs, state: state.flip(1).contiguous()),
    ),
    mistakes.OTHER_LAYERS.explained(
        "One `embedding` for both, two single-layer, one-direction GRUs `encoder` and `decoder` from `embed_dim` to "
        "`hidden_dim`, and `linear` from there to the vocabulary, with its bias. Anything else has other parameters.",
        _model(encoder=lambda e, h: nn.GRU(e, h, batch_first=True, bidirectional=True)),
        _model(encoder=lambda e, h: nn.GRU(e, h, num_layers=2, batch_first=True)),
        _model(encoder=lambda e, h: nn.LSTM(e, h, batch_first=True)),
        _model(encoder=lambda e, h: nn.RNN(e, h, batch_first=True)),
        _model(encoder=lambda e, h: nn.GRU(h, e, batch_first=True)),
        _model(linear=lambda h, v: nn.Linear(h, v, bias=False)),
        _model(decoder_embedding=lambda v, e, h: nn.Embedding(v, e)),
    ),
    Misconception(
        "eos-without-embedding",
        "`<eos>` is taken for padding",
        "Token 0 is `<eos>`, a token like any other: it starts the decoder and ends the string. It has an embedding "
        "that is learned.",
        (_model(_padding_forced_to_zero), _model(_padding_that_never_learns)),
    ),
    mistakes.ANSWERS_FROM_MEMORY.explained(
        "Every call starts from a state of zeros: the strings of one batch have nothing to do with those of the last.",
        _model(_keeping_state),
    ),
    Misconception(
        "logits-viewed-wrong",
        "vocabulary and steps are mixed up by a view",
        "A `view` or a `reshape` reads the same memory in the same order under other sizes: it can't swap two axes. "
        "Which axis comes out of the linear layer last?",
        (
            _from_outputs(lambda model, outputs, last: _viewed(model.linear(outputs)).mT),
            _from_outputs(lambda model, outputs, last: _viewed(model.linear(outputs).mT)),
        ),
    ),
    mistakes.SMALL_SIZES_ONLY.row(changed(_model(), stopping_at_64)),
    mistakes.DROPOUT.explained(
        "Dropout may be a good idea, but nobody asked for it here, and tests can't repeat it.", _model(_with_dropout)
    ),
    mistakes.WRITES_INTO_ARGUMENTS.explained(
        "The logits are right, but the tensors that the caller passed are no longer what they were.",
        _writing_tokens(0),
        _writing_tokens(1),
    ),
    mistakes.DETACHED_GRADIENT.explained(
        "The numbers are right, but part of the model can't learn: `.detach()`, `.data` and `torch.no_grad()` cut the "
        "connection.",
        _model(_cutting_the_graph),
        _from_outputs(lambda model, outputs, last: model.linear(outputs).detach()),
        _from_outputs(lambda model, outputs, last: model.linear(outputs.detach())),
        _from_outputs(lambda model, outputs, last: model.linear(outputs).detach().requires_grad_()),
    ),
    mistakes.nothing_returned(_from_outputs(lambda model, outputs, last: None)),
)
