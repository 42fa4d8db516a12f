"""Lab 4's exercises: what a right answer does, and the mistakes that people make."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import (
    GRADIENT,
    NOTHING_RETURNED,
    changed_arguments,
    clones,
    equals,
    gradient,
    has_dtype,
    has_shape,
    leaves_arguments_alone,
    output,
    right_gradient,
    weighted_sum,
)
from helpers.checks.models import WatchedSeq2Seq
from helpers.checks.modules import (
    Built,
    has_parameters,
    parameter_gradients,
    parameters,
    right_parameter_gradients,
    through,
)

# --- The oracles: loops in float64, slow and plain -----------------------------------------------------------------


def _shift_oracle(targets: Tensor, start: int) -> Tensor:
    return torch.tensor([[start, *row[:-1]] for row in targets.tolist()])


def _gru_step(weights: Mapping[str, Tensor], layer: str, x: Tensor, state: Tensor) -> Tensor:
    """One step of a GRU, as PyTorch's documentation of `nn.GRU` writes it: (batch, embed), (batch, hidden)."""
    of_x = x @ weights[f"{layer}.weight_ih_l0"].T + weights[f"{layer}.bias_ih_l0"]
    of_state = state @ weights[f"{layer}.weight_hh_l0"].T + weights[f"{layer}.bias_hh_l0"]
    (reset_x, update_x, new_x), (reset_h, update_h, new_h) = of_x.chunk(3, dim=1), of_state.chunk(3, dim=1)
    reset, update = (reset_x + reset_h).sigmoid(), (update_x + update_h).sigmoid()
    return (1 - update) * (new_x + reset * new_h).tanh() + update * state


def _encoded(weights: Mapping[str, Tensor], encoder_x: Tensor) -> Tensor:
    """The encoder's last state: (batch, hidden)."""
    state = torch.zeros(len(encoder_x), weights["linear.weight"].shape[1], dtype=torch.float64)
    for step in range(encoder_x.shape[1]):
        state = _gru_step(weights, "encoder", weights["embedding.weight"][encoder_x[:, step]], state)
    return state


def _decoded(weights: Mapping[str, Tensor], tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """The logits after one more token of each string, and the decoder's new state."""
    state = _gru_step(weights, "decoder", weights["embedding.weight"][tokens], state)
    return state @ weights["linear.weight"].T + weights["linear.bias"], state


def _logits_oracle(weights: Mapping[str, Tensor], encoder_x: Tensor, decoder_x: Tensor) -> Tensor:
    """Differentiable with respect to the weights, which are float64."""
    state, steps = _encoded(weights, encoder_x), []
    for step in range(decoder_x.shape[1]):
        logits, state = _decoded(weights, decoder_x[:, step], state)
        steps.append(logits)
    return torch.stack(steps, dim=1)


def _greedy_oracle(weights: Mapping[str, Tensor], encoder_x: Tensor, length: int, start: int) -> tuple[Tensor, Tensor]:
    """The tokens, and by how much each was ahead of the next likely one: both (batch, length)."""
    state, tokens, steps, margins = _encoded(weights, encoder_x), torch.full((len(encoder_x),), start), [], []
    for _ in range(length):
        logits, state = _decoded(weights, tokens, state)
        best, tokens = logits.topk(2, dim=1).values, logits.argmax(dim=1)
        steps.append(tokens)
        margins.append(best[:, 0] - best[:, 1])
    return torch.stack(steps, dim=1), torch.stack(margins, dim=1)


def _loss_oracle(logits: Tensor, targets: Tensor, valid_lens: Tensor) -> Tensor:
    """Differentiable; the result has the logits' type."""
    losses = []
    for row, ids, length in zip(logits.double(), targets.tolist(), valid_lens.tolist(), strict=True):
        for step in range(length):
            losses.append(row[step].exp().sum().log() - row[step, ids[step]])
    return (sum(losses) / len(losses)).to(logits.dtype)


# --- 1. shift_right ------------------------------------------------------------------------------------------------


def _shift_case(targets: Tensor, start: int) -> Case:
    return Case((targets, start), _shift_oracle(targets, start))


def _one_target(draw: Draw) -> Iterator[Case]:
    yield _shift_case(torch.tensor([[16, 15, 20, 19]]), 0)
    yield _shift_case(draw.integers(1, 26, 1, 5), 0)


def _several_targets(draw: Draw) -> Iterator[Case]:
    for batch, length in ((2, 2), (3, 3), (2, 4), (4, 3), (5, 1)):
        yield _shift_case(draw.integers(1, 26, batch, length), 0)


def _other_starts(draw: Draw) -> Iterator[Case]:
    for start in (27, 3):
        yield _shift_case(draw.integers(0, 26, 2, 3), start)


def _targets_alone(draw: Draw) -> Iterator[Case]:
    yield Case((draw.integers(1, 26, 2, 4), 0), ("targets",))


def _right_shift(targets, start):
    return torch.cat([torch.full_like(targets[:, :1], start), targets[:, :-1]], dim=1)


def _starts(targets, start):
    """A column of start tokens."""
    return torch.full_like(targets[:, :1], start)


def _filled(shifted: Callable) -> Callable:
    """An answer that makes a shifted copy and then writes the start token into its first column."""

    def answer(targets, start):
        result = shifted(targets).clone()
        result[:, 0] = start
        return result

    return answer


def _shift_in_place(targets, start):
    targets[:, 1:] = targets[:, :-1].clone()
    targets[:, 0] = start
    return targets


SHIFT_RIGHT = Exercise(
    name="shift_right",
    arguments=("targets", "start"),
    properties=(
        Property("gives as many steps as the target has", _one_target, output, has_shape),
        Property(
            "at each step stands the token before the one to be written, and at the first the start token",
            _one_target,
            output,
            equals,
        ),
        Property("does so for each row of a batch, down to targets of one token", _several_targets, output, equals),
        Property("starts with whatever `start` says", _other_starts, output, equals, suggests="ignores-start"),
        Property(
            "leaves the targets as they were",
            _targets_alone,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-targets",
        ),
    ),
    misconceptions=(
        Misconception(
            "drops-first-token",
            "the first token is dropped, not the last",
            "The decoder has to write the first token after reading the start token, and then needs the first token "
            "to go on. The one that nobody reads is the *last*: after it nothing remains to be written.",
            (_filled(lambda targets: targets), lambda targets, start: targets[:, 1:]),
        ),
        Misconception(
            "unshifted",
            "the targets go in unshifted",
            "At each step the decoder would read the very token that it has to write. It learns to copy its input, the loss "
            "falls to almost nothing, and alone it can write nothing.",
            (lambda targets, start: targets, lambda targets, start: targets.clone()),
        ),
        Misconception(
            "shifted-left",
            "the shift goes the other way",
            "Each step reads the token *after* the one that it has to write: the future. It should read the one before, so "
            "every token moves one step to the right.",
            (
                lambda targets, start: torch.cat([targets[:, 1:], _starts(targets, start)], dim=1),
                lambda targets, start: torch.cat([targets[:, 1:], targets[:, -1:]], dim=1),
                lambda targets, start: targets.roll(-1, dims=1),
                _filled(lambda targets: targets.roll(-1, dims=1)),
            ),
        ),
        Misconception(
            "start-at-the-end",
            "the start token stands at the end",
            "The start token is what the decoder reads *first*, when it has written nothing yet.",
            (
                lambda targets, start: torch.cat([targets[:, :-1], _starts(targets, start)], dim=1),
                lambda targets, start: torch.cat([targets, _starts(targets, start)], dim=1),
            ),
        ),
        Misconception(
            "nothing-dropped",
            "the result is one step too long",
            "You put the start token in front and keep every token. But the decoder has as many steps to read as it has to "
            "write, and nobody reads the last token.",
            (lambda targets, start: torch.cat([_starts(targets, start), targets], dim=1),),
        ),
        Misconception(
            "start-missing",
            "the start token is missing",
            "The last token is dropped, and nothing stands in front. `targets[:, :-1]` alone is right where the target "
            "comes with a start token of its own. Here it doesn't.",
            (lambda targets, start: targets[:, :-1],),
        ),
        Misconception(
            "wraps-round",
            "the last token comes round to the front",
            "`roll` brings what falls off at the end back in at the start: the decoder would begin by reading the last token "
            "of the answer.",
            (lambda targets, start: targets.roll(1, dims=1),),
        ),
        Misconception(
            "shifts-the-rows",
            "the rows are shifted, not the steps",
            "Axis 0 is the batch: its rows have nothing to do with one another. The steps are axis 1.",
            (
                lambda targets, start: torch.cat([torch.full_like(targets[:1], start), targets[:-1]]),
                lambda targets, start: targets.roll(1, dims=0),
                _filled(lambda targets: targets.roll(1, dims=0)),
            ),
        ),
        Misconception(
            "rows-run-together",
            "a row's last token turns up in the next row",
            "The batch is shifted as if it were one long row. `roll` does that if it isn't told an axis, and so does a "
            "shift of the flattened tensor.",
            (
                lambda targets, start: torch.cat(
                    [torch.tensor([start]), targets.flatten()[:-1].to(torch.int64)]
                ).reshape(targets.shape),
                lambda targets, start: targets.roll(1),
            ),
        ),
        Misconception(
            "one-row-only",
            "only the first row gets the start token",
            "Every string of the batch begins with the start token.",
            (
                lambda targets, start: torch.cat(
                    [
                        torch.tensor([[start]] + [[0]] * (len(targets) - 1), dtype=targets.dtype),
                        targets[:, :-1],
                    ],
                    dim=1,
                ),
                lambda targets, start: torch.cat([torch.tensor([[start]]), targets[:1, :-1]], dim=1),
                lambda targets, start: torch.cat([torch.tensor([[start]]), targets[:, :-1]], dim=1),
            ),
        ),
        Misconception(
            "ignores-start",
            "`start` has no effect",
            "Your result begins with the same token whatever `start` says. In this lab the start token happens to be 0; "
            "a function that takes `start` has to use it.",
            (
                lambda targets, start: _right_shift(targets, 0),
                lambda targets, start: _right_shift(targets, 1),
            ),
        ),
        Misconception(
            "not-whole-numbers",
            "the token ids have become floating-point numbers",
            "`torch.zeros`, `torch.ones` and `torch.full` with a float make floating-point numbers, and joined with "
            "integers they make everything so. An embedding looks up whole numbers: give the new column the targets' `dtype`.",
            (
                lambda targets, start: _right_shift(targets.float(), start),
                lambda targets, start: torch.cat(
                    [torch.zeros(len(targets), 1) + start, targets[:, :-1].float()], dim=1
                ),
            ),
        ),
        Misconception(
            "writes-into-targets",
            "the caller's targets are overwritten",
            "The result is right, but the loss that comes afterwards compares with the targets, and they are no longer what "
            "they were. An assignment to a slice writes in place: make a new tensor first.",
            (_shift_in_place,),
        ),
        NOTHING_RETURNED,
    ),
)


# --- 2. Seq2SeqModel -----------------------------------------------------------------------------------------------


_ARGUMENTS = ("vocab_size", "embed_dim", "hidden_dim")


def _shapes(vocab_size: int, embed_dim: int, hidden_dim: int) -> dict[str, tuple[int, ...]]:
    """The model's parameters, by name."""
    of_gru = {
        "weight_ih_l0": (3 * hidden_dim, embed_dim),
        "weight_hh_l0": (3 * hidden_dim, hidden_dim),
        "bias_ih_l0": (3 * hidden_dim,),
        "bias_hh_l0": (3 * hidden_dim,),
    }
    return {
        "embedding.weight": (vocab_size, embed_dim),
        **{f"encoder.{name}": shape for name, shape in of_gru.items()},
        **{f"decoder.{name}": shape for name, shape in of_gru.items()},
        "linear.weight": (vocab_size, hidden_dim),
        "linear.bias": (vocab_size,),
    }


def _weights(draw: Draw, *sizes: int, scale: float) -> dict[str, Tensor]:
    return {name: draw.normal(*shape, scale=scale) for name, shape in _shapes(*sizes).items()}


def _in_float64(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight.double() for name, weight in weights.items()}


def _model_case(draw: Draw, lengths: tuple[int, int, int], sizes=(5, 2, 3), training: bool = False) -> Case:
    """A case with `lengths` (batch, source, target) and `sizes` (vocabulary, embedding, hidden)."""
    batch, source, target = lengths
    built = Built(dict(zip(_ARGUMENTS, sizes, strict=True)), _weights(draw, *sizes, scale=1.0), training)
    encoder_x, decoder_x = (draw.integers(0, sizes[0] - 1, batch, length) for length in (source, target))
    logits = _logits_oracle(_in_float64(built.weights), encoder_x, decoder_x)
    return Case((built, encoder_x, decoder_x), logits.float())


def _model_parameters(draw: Draw) -> Iterator[Case]:
    for sizes in ((5, 2, 3), (6, 4, 4)):
        yield Case((Built(dict(zip(_ARGUMENTS, sizes, strict=True))),), _shapes(*sizes))


def _single_tokens(draw: Draw) -> Iterator[Case]:
    yield _model_case(draw, (1, 1, 1))


def _one_string(draw: Draw) -> Iterator[Case]:
    yield _model_case(draw, (1, 2, 1))
    yield _model_case(draw, (1, 1, 3))
    yield _model_case(draw, (1, 3, 3), (6, 4, 4))
    yield _model_case(draw, (1, 2, 4))


def _several_strings(draw: Draw) -> Iterator[Case]:
    for lengths in ((2, 2, 2), (2, 2, 3), (2, 3, 2), (3, 2, 4)):
        yield _model_case(draw, lengths)
    yield _model_case(draw, (3, 3, 3), (6, 4, 4))


def _another_batch(draw: Draw) -> Iterator[Case]:
    yield _model_case(draw, (2, 3, 2))


def _in_training(draw: Draw) -> Iterator[Case]:
    yield _model_case(draw, (2, 3, 4), training=True)


def _model_arguments(draw: Draw) -> Iterator[Case]:
    case = _model_case(draw, (2, 3, 4))
    yield Case(case.args, ("encoder_x", "decoder_x"))


def _later_tokens(draw: Draw) -> Iterator[Case]:
    for lengths in ((1, 2, 2), (3, 2, 4)):
        yield Case(_model_case(draw, lengths).args, True)


def _blind_to_the_future(answer: Callable, args: tuple) -> tuple[bool, ...] | str:
    """Observe whether logits stay where only later decoder tokens change, for each number of tokens kept."""
    encoder_x, decoder_x = args
    before, stay = answer(*clones(args)).detach(), []
    for kept in range(1, decoder_x.shape[1]):
        changed = decoder_x.clone()
        changed[:, kept:] = (changed[:, kept:] + 1) % 5
        after = answer(encoder_x.clone(), changed).detach()
        stay.append(torch.allclose(after[:, :kept], before[:, :kept], atol=1e-5))
    return tuple(stay)


def _sees_no_future(got: tuple[bool, ...], want: Any) -> str | None:
    if all(got):
        return None
    return f"logits up to step {1 + got.index(False)} change with decoder tokens that come later"


def _called_before(answer: Callable, args: tuple) -> Any:
    """Observe the result of a second call; the first has other tokens."""
    encoder_x, decoder_x = args
    answer((encoder_x + 1) % 5, (decoder_x + 2) % 5)
    return output(answer, args)


def _model_gradients(draw: Draw) -> Iterator[Case]:
    built, encoder_x, decoder_x = _model_case(draw, (2, 3, 2)).args
    encoder_x[0, 0] = decoder_x[0, 0] = 0  # `<eos>` learns as well
    weights = {name: weight.double().requires_grad_() for name, weight in built.weights.items()}
    total = weighted_sum(_logits_oracle(weights, encoder_x, decoder_x))
    wanted = torch.autograd.grad(total, list(weights.values()))
    yield Case((built, encoder_x, decoder_x), dict(zip(weights, wanted, strict=True)))


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


SEQ2SEQ_MODEL = Exercise(
    name="Seq2SeqModel",
    arguments=("model", "encoder_x", "decoder_x"),
    properties=(
        Property(
            "has the parameters of `embedding`, `encoder`, `decoder` and `linear`, and no others",
            _model_parameters,
            parameters,
            has_parameters,
            suggests="other-layers",
        ),
        Property(
            "one token read, one token written: a logit for each token of the vocabulary",
            _single_tokens,
            through(output),
            equals,
        ),
        Property("one string: the logits at every step of the decoder", _one_string, through(output), equals),
        Property("several strings: each has logits of its own", _several_strings, through(output), equals),
        Property(
            "a second call knows nothing of the first",
            _another_batch,
            through(_called_before),
            equals,
            suggests="keeps-state-between-calls",
        ),
        Property(
            "no logit depends on decoder tokens that come later",
            _later_tokens,
            through(_blind_to_the_future),
            _sees_no_future,
            suggests="peeks-at-the-future",
        ),
        Property(
            "does the same in training mode: nothing is dropped",
            _in_training,
            through(output),
            equals,
            suggests="dropout",
        ),
        Property(
            "leaves the token ids as they were",
            _model_arguments,
            through(changed_arguments),
            leaves_arguments_alone,
            suggests="writes-into-tokens",
        ),
        Property(
            "every parameter learns: the gradients are right",
            _model_gradients,
            parameter_gradients(),
            right_parameter_gradients,
            suggests="detached-gradient",
        ),
    ),
    misconceptions=(
        Misconception(
            "decoder-not-started",
            "the decoder doesn't start from the encoder's state",
            "The decoder starts from zeros, so nothing of the source reaches it: it would write the same for every string. "
            "`nn.GRU` returns two things and takes two. Which of them has to go from the encoder to the decoder?",
            (
                _from_state(lambda model, outputs, state: None),
                _from_state(lambda model, outputs, state: torch.zeros_like(state)),
            ),
        ),
        Misconception(
            "decoder-reads-the-source",
            "the decoder reads the encoder's tokens",
            "Your logits follow `encoder_x` at every step, and `decoder_x` goes unused. The decoder reads the target so far; "
            "of the source it knows only the state that it starts from.",
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
            "`nn.GRU` returns its outputs at every step, (batch, length, hidden), and its *last state*, (1, batch, hidden). The "
            "decoder starts from a state. With one string of one letter the two look alike; print both shapes for more.",
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
            "The state after the first token, or a mean over all, isn't what the encoder knows when it has read everything: "
            "that is its *last* state.",
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
        Misconception(
            "softmax-inside",
            "what comes back are probabilities, not logits",
            "The loss has a softmax inside and wants the numbers that go *into* it. A second softmax flattens what the model "
            "says, and its gradient with it.",
            (
                _from_outputs(lambda model, outputs, last: model.linear(outputs).softmax(-1)),
                _from_outputs(lambda model, outputs, last: model.linear(outputs).log_softmax(-1)),
                _from_outputs(lambda model, outputs, last: model.linear(outputs).softmax(1)),
                _from_outputs(lambda model, outputs, last: model.linear(outputs).sigmoid()),
            ),
        ),
        Misconception(
            "activation-added",
            "there is an activation that nobody asked for",
            "Between the decoder's outputs and the logits stands the linear layer and nothing else; nothing stands between "
            "embedding and GRU, either.",
            (
                _from_outputs(lambda model, outputs, last: model.linear(outputs).relu()),
                _from_outputs(lambda model, outputs, last: model.linear(outputs.relu())),
                _from_outputs(lambda model, outputs, last: model.linear(outputs).tanh()),
                _from_outputs(lambda model, outputs, last: model.linear(outputs.tanh())),
            ),
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
                _from_outputs(
                    lambda model, outputs, last: model.linear(outputs.mean(1, keepdim=True).expand_as(outputs))
                ),
            ),
        ),
        Misconception(
            "shifts-again",
            "the decoder's tokens are shifted once more",
            "`decoder_x` comes shifted already: `shift_right` made it. Shifted twice, the decoder has to write each token "
            "without knowing the one before.",
            (
                _reading(
                    lambda encoder_x, decoder_x: torch.cat(
                        [torch.zeros_like(decoder_x[:, :1]), decoder_x[:, :-1]], dim=1
                    )
                ),
                _reading(lambda encoder_x, decoder_x: decoder_x[:, :-1]),
            ),
        ),
        Misconception(
            "batch-and-time-mixed",
            "a reshape mixes batch and time",
            "`view` and `reshape` give the same numbers, in the same order, another shape: (batch, length) read as (length, "
            "batch) puts letters of one string into another. To swap two axes you need a transpose.",
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
        Misconception(
            "no-linear-layer",
            "the decoder's outputs come back, not logits",
            "The decoder gives `hidden_dim` numbers a step. `linear` makes one logit for each token of the vocabulary of them.",
            (_from_outputs(lambda model, outputs, last: outputs),),
        ),
        Misconception(
            "more-than-logits",
            "more comes back than the logits",
            "`forward` returns one tensor. The state is the model's own affair here.",
            (
                _from_outputs(lambda model, outputs, last: (model.linear(outputs), last)),
                _from_outputs(lambda model, outputs, last: (model.linear(outputs), outputs)),
            ),
        ),
        Misconception(
            "tokens-not-logits",
            "token ids come back, not logits",
            "An argmax can't be learned from: it has no gradient. Return the logits, and let whoever decodes choose.",
            (_from_outputs(lambda model, outputs, last: model.linear(outputs).argmax(-1)),),
        ),
        Misconception(
            "one-network-for-both",
            "encoder and decoder are the wrong way round, or one does both jobs",
            "`encoder` reads the source, `decoder` reads the target so far. Each has weights of its own.",
            (_model(_one_network), _model(_swapped_networks)),
        ),
        Misconception(
            "decoder-state-not-carried",
            "the decoder starts anew at every step",
            "Each step should go on from the state of the step before; yours all start from the encoder's. Given all tokens at "
            "once, `nn.GRU` carries the state by itself.",
            (_model(_stateless),),
        ),
        Misconception(
            "no-teacher-forcing",
            "the decoder reads its own predictions",
            "In `forward` the decoder reads what it is given, `decoder_x`: that is teacher forcing. Feeding predictions back "
            "is exercise 4.",
            (_model(_feeding_back),),
        ),
        Misconception(
            "one-string-for-all",
            "all strings start from the first one's state",
            "A batch of one works, but in a larger one every string has a state of its own: the second axis of (1, batch, "
            "hidden).",
            (
                _from_state(lambda model, outputs, state: state[:, :1].expand_as(state).contiguous()),
                _from_state(lambda model, outputs, state: state[:, -1:].expand_as(state).contiguous()),
                _from_state(lambda model, outputs, state: state.mean(1, keepdim=True).expand_as(state).contiguous()),
                _from_state(lambda model, outputs, state: state.flip(1).contiguous()),
            ),
        ),
        Misconception(
            "other-layers",
            "the layers aren't the ones asked for",
            "One `embedding` for both, two single-layer, one-direction GRUs `encoder` and `decoder` from `embed_dim` to "
            "`hidden_dim`, and `linear` from there to the vocabulary, with its bias. Anything else has other parameters.",
            (
                _model(encoder=lambda e, h: nn.GRU(e, h, batch_first=True, bidirectional=True)),
                _model(encoder=lambda e, h: nn.GRU(e, h, num_layers=2, batch_first=True)),
                _model(encoder=lambda e, h: nn.LSTM(e, h, batch_first=True)),
                _model(encoder=lambda e, h: nn.RNN(e, h, batch_first=True)),
                _model(encoder=lambda e, h: nn.GRU(h, e, batch_first=True)),
                _model(linear=lambda h, v: nn.Linear(h, v, bias=False)),
                _model(decoder_embedding=lambda v, e, h: nn.Embedding(v, e)),
            ),
        ),
        Misconception(
            "eos-without-embedding",
            "`<eos>` is taken for padding",
            "Token 0 is `<eos>`, a token like any other: it starts the decoder and ends the string. It has an embedding that "
            "is learned.",
            (_model(_padding_forced_to_zero), _model(_padding_that_never_learns)),
        ),
        Misconception(
            "keeps-state-between-calls",
            "the encoder goes on from the batch before",
            "Every call starts from a state of zeros: the strings of one batch have nothing to do with those of the last.",
            (_model(_keeping_state),),
        ),
        Misconception(
            "dropout",
            "numbers are dropped in training",
            "Dropout may be a good idea, but nobody asked for it here, and tests can't repeat it.",
            (_model(_with_dropout),),
        ),
        Misconception(
            "writes-into-tokens",
            "the caller's token ids are overwritten",
            "The logits are right, but the tensors that the caller passed are no longer what they were.",
            (_writing_tokens(0), _writing_tokens(1)),
        ),
        Misconception(
            "detached-gradient",
            "no gradient gets through to some of the parameters",
            "The numbers are right, but part of the model can't learn: `.detach()`, `.data` and `torch.no_grad()` cut the "
            "connection.",
            (
                _model(_cutting_the_graph),
                _from_outputs(lambda model, outputs, last: model.linear(outputs).detach()),
                _from_outputs(lambda model, outputs, last: model.linear(outputs.detach())),
                _from_outputs(lambda model, outputs, last: model.linear(outputs).detach().requires_grad_()),
            ),
        ),
        Misconception(
            "nothing-returned",
            NOTHING_RETURNED.title,
            "Your `forward` computes something and keeps it to itself: what comes back is None. Does its last line `return` it?",
            (_from_outputs(lambda model, outputs, last: None),),
        ),
    ),
)


# --- 3. sequence_cross_entropy -------------------------------------------------------------------------------------


def _loss_case(logits: Tensor, targets: Tensor, valid_lens: Tensor) -> Case:
    return Case((logits, targets, valid_lens), _loss_oracle(logits, targets, valid_lens))


def _drawn_loss(draw: Draw, sizes: tuple[int, int, int], lengths: list[int] | None = None, scale: float = 2.0) -> Case:
    """A case with `sizes` (batch, length, vocabulary)."""
    batch, length, vocab_size = sizes
    valid_lens = torch.tensor(lengths or [length] * batch)
    return _loss_case(draw.normal(*sizes, scale=scale), draw.integers(0, vocab_size - 1, batch, length), valid_lens)


def _one_token(draw: Draw) -> Iterator[Case]:
    yield _loss_case(torch.tensor([[[2.0, 0.0, 1.0]]]), torch.tensor([[1]]), torch.tensor([1]))
    yield _drawn_loss(draw, (1, 1, 4))


def _whole_strings(draw: Draw) -> Iterator[Case]:
    yield _drawn_loss(draw, (1, 3, 4))
    yield _drawn_loss(draw, (2, 3, 3))
    yield _drawn_loss(draw, (3, 3, 3))
    yield _drawn_loss(draw, (3, 2, 5))
    # `<eos>` is a token to be written, like any other.
    yield _loss_case(draw.normal(2, 3, 4), torch.tensor([[1, 0, 2], [0, 0, 3]]), torch.tensor([3, 3]))


def _padded_strings(draw: Draw) -> Iterator[Case]:
    yield _drawn_loss(draw, (1, 3, 3), [2])
    yield _drawn_loss(draw, (3, 4, 3), [2, 2, 2])
    yield _drawn_loss(draw, (4, 5, 6), [3, 3, 3, 3])


def _unequal_strings(draw: Draw) -> Iterator[Case]:
    yield _drawn_loss(draw, (2, 3, 3), [1, 3])
    yield _drawn_loss(draw, (3, 3, 3), [2, 1, 3])
    yield _drawn_loss(draw, (2, 9, 4), [8, 1])
    yield _drawn_loss(draw, (4, 6, 5), [2, 5, 1, 3])


def _loud_strings(draw: Draw) -> Iterator[Case]:
    for lengths in ([1, 3], [2, 4]):
        for loudness in (1e4, -1e4):
            case = _drawn_loss(draw, (2, 4, 3), lengths)
            logits, targets, _ = case.args
            for row, length in enumerate(lengths):
                logits[row, length:, 0] = loudness
                targets[row, length:] = 2 - row
            yield Case(case.args, case.want)


def _sure_models(draw: Draw) -> Iterator[Case]:
    for size in (150.0, 60.0):
        logits = torch.tensor([[[size, -size, 0.0], [-size, size, 0.0]]])
        want = torch.tensor(size + size / 2)  # 2 · size for one token, size for the other
        yield Case((logits, torch.tensor([[1, 2]]), torch.tensor([2])), want)


def _loss_arguments(draw: Draw) -> Iterator[Case]:
    yield Case(_drawn_loss(draw, (2, 3, 4), [2, 1]).args, ("logits", "targets", "valid_lens"))


def _loss_gradients(draw: Draw) -> Iterator[Case]:
    for sizes, lengths in (((2, 2, 3), [2, 1]), ((3, 4, 5), [1, 4, 2])):
        args = _drawn_loss(draw, sizes, lengths).args
        yield Case(args, gradient(_loss_oracle, clones(args)))


def _loss_types(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        logits, targets, valid_lens = _drawn_loss(draw, (2, 3, 4), [3, 1], scale=1.0).args
        yield _loss_case(logits.to(dtype), targets, valid_lens)


def _shape(answer: Callable, args: tuple) -> tuple[int, ...] | str:
    """Observe the shape of what the answer returns, or what it is if it is no tensor."""
    result = answer(*args)
    return tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__


def _is_single(got: tuple[int, ...] | str, want: Any) -> str | None:
    if isinstance(got, tuple):
        return f"its shape is {got}, and should be (), that of a single number" if got else None
    return "it gave None" if got == "NoneType" else f"it gave a {got}, not a tensor"


def _keep(targets: Tensor, valid_lens: Tensor) -> Tensor:
    return torch.arange(targets.shape[1]) < valid_lens.unsqueeze(1)


def _token_losses(logits: Tensor, targets: Tensor) -> Tensor:
    return -logits.log_softmax(-1).gather(2, targets.unsqueeze(2)).squeeze(2)


def _right_loss(logits, targets, valid_lens):
    return _token_losses(logits, targets)[_keep(targets, valid_lens)].mean()


def _loss_by(losses: Callable) -> Callable:
    """The right mean of other losses of the tokens."""
    return lambda logits, targets, valid_lens: losses(logits, targets)[_keep(targets, valid_lens)].mean()


def _reduced(reduce: Callable) -> Callable:
    """The right losses of the tokens, another result made of them; `keep` is True at real tokens."""
    return lambda logits, targets, valid_lens: reduce(_token_losses(logits, targets), _keep(targets, valid_lens))


def _with_lengths(lengths: Callable) -> Callable:
    """The right loss of other lengths."""
    return lambda logits, targets, valid_lens: _right_loss(logits, targets, lengths(valid_lens, targets.shape[1]))


def _probability(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.softmax(-1).gather(2, targets.unsqueeze(2)).squeeze(2)


def _zeroed_logits(logits, targets, valid_lens):
    return _token_losses(logits * _keep(targets, valid_lens).unsqueeze(2), targets).mean()


def _mean_without(ignored: int) -> Callable:
    """PyTorch's mean with an index that isn't counted, whatever the lengths are."""
    return lambda logits, targets, valid_lens: nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=ignored
    )


def _padding_as_eos(logits, targets, valid_lens):
    marked = targets.masked_fill(~_keep(targets, valid_lens), 0)
    return nn.functional.cross_entropy(logits.flatten(0, 1), marked.flatten(), ignore_index=0)


def _overwriting(position: int) -> Callable:
    def overwrite(logits, targets, valid_lens):
        loss, padding = _right_loss(logits, targets, valid_lens), ~_keep(targets, valid_lens)
        with torch.no_grad():
            if position < 2:
                (logits, targets)[position][padding] = -100
            else:
                valid_lens -= 1
        return loss

    return overwrite


SEQUENCE_CROSS_ENTROPY = Exercise(
    name="sequence_cross_entropy",
    arguments=("logits", "targets", "valid_lens"),
    properties=(
        Property("gives a single number, as a tensor", _unequal_strings, _shape, _is_single),
        Property("one token costs −log of the probability that it was given", _one_token, output, equals),
        Property("several tokens, all real: their mean", _whole_strings, output, equals),
        Property("tokens beyond a string's length don't count", _padded_strings, output, equals),
        Property(
            "strings of unequal length: every real token of the batch counts the same",
            _unequal_strings,
            output,
            equals,
            suggests="mean-of-means",
        ),
        Property("whatever lies in the padding makes no difference", _loud_strings, output, equals),
        Property(
            "a sure mistake costs much, but not infinitely much",
            _sure_models,
            output,
            equals,
            suggests="log-of-softmax",
        ),
        Property(
            "leaves its arguments as they were",
            _loss_arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "its gradient is right, and zero in the padding",
            _loss_gradients,
            gradient,
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "keeps the type: float16, bfloat16 and float64 work", _loss_types, output, equals, suggests="type-changed"
        ),
    ),
    misconceptions=(
        Misconception(
            "divides-by-padded-length",
            "the sum is divided by the padded length",
            "The padding is left out of the sum, but it is still counted: the more padding a batch has, the smaller its loss, "
            "and the shorter its step. How many tokens did you add up?",
            (
                _reduced(lambda losses, keep: (losses * keep).mean()),
                _reduced(lambda losses, keep: (losses * keep).mean(1).mean()),
            ),
        ),
        Misconception(
            "mean-of-means",
            "each string's mean is taken first, then the mean of these",
            "Then a token of a short string weighs more than one of a long string. Every real token of the batch should count "
            "the same: one sum, one division.",
            (_reduced(lambda losses, keep: ((losses * keep).sum(1) / keep.sum(1)).mean()),),
        ),
        Misconception(
            "padding-counted",
            "the padding is counted",
            "`valid_lens` has no effect. The model would be trained to write the padding, which is easy, "
            "and its loss would look better than it is.",
            (_reduced(lambda losses, keep: losses.mean()),),
        ),
        Misconception(
            "softmax-first",
            "a softmax is applied before a loss that has one inside",
            "`cross_entropy` and `log_softmax` take *logits*. Given probabilities, which all lie between 0 and 1, "
            "they can't tell a good model from a bad one.",
            (
                lambda logits, targets, valid_lens: _right_loss(logits.softmax(-1), targets, valid_lens),
                lambda logits, targets, valid_lens: _right_loss(logits.sigmoid(), targets, valid_lens),
            ),
        ),
        Misconception(
            "zeroes-the-logits",
            "the padding's logits are set to 0",
            "Logits of 0 are no absence of a loss: they give every token the same probability, and cost log(vocabulary). "
            "Leave out the padding's *losses*.",
            (
                _zeroed_logits,
                lambda logits, targets, valid_lens: (
                    _token_losses(logits * _keep(targets, valid_lens).unsqueeze(2), targets).sum() / valid_lens.sum()
                ),
            ),
        ),
        Misconception(
            "sum-for-mean",
            "the losses are added up, or divided by the wrong number",
            "A mean is the sum divided by how many were added: here the real *tokens*, not the strings. Otherwise "
            "a longer string, or a larger batch, would mean a larger step.",
            (
                _reduced(lambda losses, keep: losses[keep].sum()),
                _reduced(lambda losses, keep: losses[keep].sum() / losses.shape[1]),
                _reduced(lambda losses, keep: losses[keep].sum() / len(losses)),
                _reduced(lambda losses, keep: (losses * keep).sum(1).max()),
            ),
        ),
        Misconception(
            "not-a-single-number",
            "what comes back isn't a single number",
            "Training goes down *one* number: the mean over the whole batch, a tensor without axes.",
            (
                _reduced(lambda losses, keep: losses),
                _reduced(lambda losses, keep: losses * keep),
                _reduced(lambda losses, keep: losses[keep]),
                _reduced(lambda losses, keep: (losses * keep).sum(1) / keep.sum(1)),
                _reduced(lambda losses, keep: losses[keep].mean().reshape(1)),
                _reduced(lambda losses, keep: (losses * keep).mean(1)),
                _reduced(lambda losses, keep: (losses * keep).sum(1)),
            ),
        ),
        Misconception(
            "python-number",
            "a Python number comes back",
            "`.item()` makes a number of a tensor, and a number has no gradient: nothing could be trained with it.",
            (_reduced(lambda losses, keep: losses[keep].mean().item()),),
        ),
        Misconception(
            "eos-ignored",
            "`<eos>` is left out wherever it stands",
            "Token 0 ends a string, and the model has to learn when to write it. What is padding is said by `valid_lens` "
            "alone: there may be other tokens in it.",
            (
                _mean_without(0),
                _padding_as_eos,
                lambda logits, targets, valid_lens: _token_losses(logits, targets)[
                    _keep(targets, valid_lens) & (targets != 0)
                ].mean(),
                lambda logits, targets, valid_lens: (
                    (_token_losses(logits, targets) * (_keep(targets, valid_lens) & (targets != 0))).sum()
                    / valid_lens.sum()
                ),
            ),
        ),
        Misconception(
            "inverted-mask",
            "the padding is counted, and the real tokens are left out",
            "The mask is the wrong way round: True means *keep*.",
            (
                _reduced(lambda losses, keep: losses[~keep].mean()),
                _reduced(lambda losses, keep: (losses * ~keep).sum() / (~keep).sum()),
                _reduced(lambda losses, keep: (losses * ~keep).sum() / keep.sum()),
            ),
        ),
        Misconception(
            "off-by-one",
            "each length is off by one",
            "A length of 2 means the steps 0 and 1. Count the tokens that you keep.",
            (
                _with_lengths(lambda lens, length: lens + 1),
                _with_lengths(lambda lens, length: lens - 1),
            ),
        ),
        Misconception(
            "one-length-for-all",
            "every string is given the same length",
            "A batch of one works, but in a larger one each string has a length of its own.",
            (
                _with_lengths(lambda lens, length: lens[:1].expand_as(lens)),
                _with_lengths(lambda lens, length: lens.max().expand_as(lens)),
                _with_lengths(lambda lens, length: lens.min().expand_as(lens)),
            ),
        ),
        Misconception(
            "minus-missing",
            "the sign is wrong",
            "The log of a probability is negative, and the loss is its *negative*: it gets smaller as the model gets better.",
            (_reduced(lambda losses, keep: -losses[keep].mean()),),
        ),
        Misconception(
            "no-logarithm",
            "the logarithm is missing",
            "The loss of a token is −log of its probability. A probability alone, or 1 minus it, hardly tells a bad "
            "prediction from a very bad one. And a logit alone isn't a probability.",
            (
                _loss_by(_probability),
                _loss_by(lambda logits, targets: -_probability(logits, targets)),
                _loss_by(lambda logits, targets: 1 - _probability(logits, targets)),
                _loss_by(lambda logits, targets: -logits.gather(2, targets.unsqueeze(2)).squeeze(2)),
            ),
        ),
        Misconception(
            "another-unit",
            "the loss is in another unit",
            "The logarithm is the natural one, so the loss is in nats: not the base-2 logarithm (bits), and not the exponential "
            "of the loss (the perplexity).",
            (
                _loss_by(lambda logits, targets: _token_losses(logits, targets) / math.log(2)),
                lambda logits, targets, valid_lens: _right_loss(logits, targets, valid_lens).exp(),
            ),
        ),
        Misconception(
            "wrong-axis",
            "the softmax doesn't run over the vocabulary",
            "The vocabulary is the last axis of (batch, length, vocabulary): the probabilities of *its* entries sum to 1. "
            "`cross_entropy` expects it as axis 1, and a reshape doesn't bring it there.",
            (
                _loss_by(lambda logits, targets: -logits.log_softmax(1).gather(2, targets.unsqueeze(2)).squeeze(2)),
                _loss_by(lambda logits, targets: -logits.log_softmax(0).gather(2, targets.unsqueeze(2)).squeeze(2)),
                _loss_by(
                    lambda logits, targets: nn.functional.cross_entropy(
                        logits.reshape(logits.shape[0], logits.shape[2], logits.shape[1]), targets, reduction="none"
                    )
                ),
                _loss_by(lambda logits, targets: nn.functional.cross_entropy(logits, targets, reduction="none")),
                lambda logits, targets, valid_lens: nn.functional.cross_entropy(logits, targets),
            ),
        ),
        Misconception(
            "log-of-softmax",
            "a small probability becomes 0 before the logarithm",
            "In floating point a softmax gives exactly 0 to what is far behind, and the log of 0 is −∞ (or whatever a small "
            "number added to it makes of it); the exponential of a large logit overflows. "
            "`log_softmax`, `logsumexp` and `cross_entropy` take both steps in one, and keep the number.",
            (
                _loss_by(lambda logits, targets: -_probability(logits, targets).log()),
                _loss_by(lambda logits, targets: -(_probability(logits, targets) + 1e-9).log()),
                _loss_by(lambda logits, targets: -(_probability(logits, targets) + 1e-8).log()),
                _loss_by(lambda logits, targets: -(_probability(logits, targets) + 1e-12).log()),
                _loss_by(
                    lambda logits, targets: (
                        logits.exp().sum(-1).log() - logits.gather(2, targets.unsqueeze(2)).squeeze(2)
                    )
                ),
                _loss_by(
                    lambda logits, targets: (
                        -(logits.exp() / logits.exp().sum(-1, keepdim=True))
                        .gather(2, targets.unsqueeze(2))
                        .squeeze(2)
                        .log()
                    )
                ),
            ),
        ),
        Misconception(
            "writes-into-arguments",
            "one of the caller's tensors is overwritten",
            "The loss is right, but the caller's tensors are no longer what they were. Marking the padding by an assignment "
            "writes in place: `masked_fill` and `where` make a new tensor.",
            (_overwriting(0), _overwriting(1), _overwriting(2)),
        ),
        Misconception(
            "detached-gradient",
            "no gradient gets through",
            "The number is right, but it isn't connected to the logits, so nothing can be learned from it: `.detach()`, "
            "`.data`, `torch.tensor(...)` and `torch.no_grad()` all cut the connection.",
            (
                lambda logits, targets, valid_lens: _right_loss(logits.detach(), targets, valid_lens),
                lambda logits, targets, valid_lens: _right_loss(logits.detach(), targets, valid_lens).requires_grad_(),
            ),
        ),
        Misconception(
            "type-changed",
            "the loss has another type than the logits",
            "The loss has the logits' type: float16 in, float16 out. A float32 mask times float16 losses gives float32.",
            (
                lambda logits, targets, valid_lens: _right_loss(logits.float(), targets, valid_lens),
                lambda logits, targets, valid_lens: _right_loss(logits.double(), targets, valid_lens),
                _reduced(lambda losses, keep: (losses * keep.float()).sum() / keep.float().sum()),
            ),
        ),
        NOTHING_RETURNED,
    ),
)


# --- 4. greedy_decode ----------------------------------------------------------------------------------------------


_SIZES = (6, 4, 8)  # the vocabulary, the embedding and the hidden size of the check's model


def _weights_of_a_writer(draw: Draw, eos: float) -> dict[str, Tensor]:
    """Weights so large that what is written changes from step to step; `eos` says how much the model likes `<eos>`."""
    weights = _weights(draw, *_SIZES, scale=1.5)
    weights["linear.bias"][0] += eos
    return weights


def _greedy_case(
    draw: Draw,
    sizes: tuple[int, int, int],
    start: tuple[int, ...] = (),
    training: bool = False,
    eos: float = -50.0,
    accept: Callable[[list[int]], bool] = lambda tokens: True,
) -> Case:
    """A case with `sizes` (batch, source, length), whose likeliest tokens are well ahead and not always the same.

    `start` is left out of the call where it is empty.
    """
    batch, source, length = sizes
    while True:
        weights = _weights_of_a_writer(draw, eos)
        encoder_x = draw.integers(1, _SIZES[0] - 1, 8 * batch, source)
        tokens, margins = _greedy_oracle(_in_float64(weights), encoder_x, length, *(start or (0,)))
        good = [
            row
            for row, written in enumerate(tokens.tolist())
            if margins[row].min() > 0.02 and len(set(written)) >= min(3, length) and accept(written)
        ][:batch]
        if len(good) == batch:
            built = Built(dict(zip(_ARGUMENTS, _SIZES, strict=True)), weights, training)
            return Case((built, encoder_x[good], length, *start), tokens[good])


def _first_tokens(draw: Draw) -> Iterator[Case]:
    yield _greedy_case(draw, (3, 2, 1))


def _one_source(draw: Draw) -> Iterator[Case]:
    yield _greedy_case(draw, (1, 4, 4))
    yield _greedy_case(draw, (1, 3, 6))


def _several_sources(draw: Draw) -> Iterator[Case]:
    yield _greedy_case(draw, (2, 4, 4))
    yield _greedy_case(draw, (4, 2, 5))
    yield _greedy_case(draw, (2, 4, 4))  # other strings in the same shape


def _of_unequal_length(draw: Draw) -> Iterator[Case]:
    yield _greedy_case(draw, (1, 3, 1))
    yield _greedy_case(draw, (3, 5, 2))


def _asked_again(draw: Draw) -> Iterator[Case]:
    yield Case(_greedy_case(draw, (4, 3, 5)).args, True)


def _given_starts(draw: Draw) -> Iterator[Case]:
    for start in (3, 1):
        yield _greedy_case(draw, (2, 3, 4), (start,))


def _writing_eos(draw: Draw) -> Iterator[Case]:
    """Every row writes `<eos>` before its end, and other tokens after it."""

    def goes_on(tokens: list[int]) -> bool:
        return 0 in tokens and any(tokens[tokens.index(0) :])

    yield _greedy_case(draw, (1, 3, 5), eos=1.0, accept=goes_on)
    yield _greedy_case(draw, (2, 2, 6), eos=1.0, accept=goes_on)


def _handed_over_in_training(draw: Draw) -> Iterator[Case]:
    yield _greedy_case(draw, (4, 3, 6), training=True)


def _in_either_mode(draw: Draw) -> Iterator[Case]:
    for training in (True, False):
        yield Case(_greedy_case(draw, (2, 3, 4), training=training).args, training)


def _watching(observe: Callable[[nn.Module, Callable, tuple], Any]) -> Callable[[Callable, tuple], Any]:
    """An observer of an answer that is handed the case's model: it gets the model, the call, and the other arguments.

    The answer may draw random numbers; nobody else's change.
    """

    def observe_with_model(answer: Callable, args: tuple) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = args[0].build(WatchedSeq2Seq)
            return observe(model, lambda *rest: answer(model, *rest), args[1:])

    return observe_with_model


def _with_model(observe: Callable[[Callable, tuple], Any]) -> Callable[[Callable, tuple], Any]:
    """An observer of functions, made to look at an answer that is handed the case's model."""
    return _watching(lambda model, call, args: observe(call, args))


def _form(got: Tensor, want: Tensor) -> str | None:
    return has_shape(got, want) or has_dtype(got, want)


def _same_again(answer: Callable, args: tuple) -> bool | str:
    """Observe whether two calls give the same tokens."""
    first, second = answer(*clones(args)), answer(*clones(args))
    if not isinstance(first, Tensor):
        return "it gave None" if first is None else f"it gave a {type(first).__name__}, not a tensor"
    return torch.equal(first, second)


def _is_same(got: bool | str, want: Any) -> str | None:
    return got if isinstance(got, str) else None if got else "a second call wrote other tokens"


@_watching
def _modes_after(model: nn.Module, call: Callable, args: tuple) -> tuple[bool, ...]:
    """Observe whether the model and its parts are in training mode after the call."""
    call(*args)
    return tuple(part.training for part in model.modules())


def _same_mode(got: tuple[bool, ...], want: bool) -> str | None:
    """Judge that all parts are in the mode that the model was handed over in: training if `want`."""
    if all(part == want for part in got):
        return None
    names = {True: "training", False: "evaluation"}
    left = names[not want] if len(set(got)) == 1 else "a mixture of both"
    return f"a model handed over in {names[want]} mode came back in {left}" + (" mode" if len(set(got)) == 1 else "")


@_watching
def _calls_with_gradients(model: nn.Module, call: Callable, args: tuple) -> int:
    """Observe how many calls of the model's embedding PyTorch kept a graph of."""
    call(*args)
    return int(model.state_dict()["embedding.calls_with_gradients"])


def _none_with_gradients(got: int, want: Any) -> str | None:
    return "the model was called with gradients turned on" if got else None


def _gradients_stay_on(answer: Callable, args: tuple) -> bool:
    """Observe whether gradients are still on after the call."""
    output(answer, args)
    return torch.is_grad_enabled()


def _still_on(got: bool, want: Any) -> str | None:
    return None if got else "after the call gradients are turned off for everyone"


@_watching
def _changed(model: nn.Module, call: Callable, args: tuple) -> tuple[str, ...]:
    """Observe what isn't as it was before the call: the source, the model's weights, and whether they learn."""
    before, encoder_x = {name: each.detach().clone() for name, each in model.named_parameters()}, args[0].clone()
    call(*args)
    changed = [] if torch.equal(encoder_x, args[0]) else ["encoder_x"]
    for name, each in model.named_parameters():
        if not torch.equal(each.detach(), before[name]):
            changed.append(f"the model's {name}")
        elif not each.requires_grad:
            changed.append(f"whether the model's {name} learns")
    return tuple(changed)


def _nothing_changed(got: tuple[str, ...], want: Any) -> str | None:
    return f"it changed {got[0]}" if got else None


def _likeliest(logits: Tensor) -> Tensor:
    return logits.argmax(-1)


def _drawn(logits: Tensor) -> Tensor:
    return torch.multinomial(logits.softmax(-1).flatten(0, 1), 1)


def _decode(
    model: nn.Module,
    encoder_x: Tensor,
    length: int,
    start: int,
    choose: Callable = _likeliest,
    token: Callable = lambda chosen, first: chosen,
    state: Callable = lambda new, first: new,
    stop: Callable = lambda chosen: False,
    result: Callable = lambda tokens, first: torch.cat(tokens, dim=1),
    evaluate: Callable = nn.Module.eval,
    restore: Callable = nn.Module.train,
) -> Any:
    """Greedy decoding, right but for what is changed: `first` is the start tokens, or the encoder's state."""
    was_training = model.training
    evaluate(model)
    _, first_state = model.encoder(model.embedding(encoder_x))
    first_token = torch.full_like(encoder_x[:, :1], start)
    read, carried, tokens = first_token, first_state, []
    for _ in range(length):
        outputs, new_state = model.decoder(model.embedding(read), carried)
        chosen = choose(model.linear(outputs))
        tokens.append(chosen)
        if stop(chosen):
            break
        read, carried = token(chosen, first_token), state(new_state, first_state)
    restore(model, was_training)
    return result(tokens, first_token)


def _greedy(context: Callable = torch.no_grad, **changes: Callable) -> Callable:
    def greedy(model, encoder_x, length, start=0):
        with context():
            return _decode(model, encoder_x, length, start, **changes)

    return greedy


def _from_forward(tokens: Callable) -> Callable:
    """An answer by a single call of `forward`, its decoder reading tokens that were there beforehand."""

    def teacher_forcing(model, encoder_x, length, start=0):
        was_training = model.training
        model.eval()
        with torch.no_grad():
            result = _likeliest(model(encoder_x, tokens(encoder_x, length, start)))
        model.train(was_training)
        return result

    return teacher_forcing


def _fitted(tokens: Tensor, length: int) -> Tensor:
    """Cut off, or filled up with zeros, to the length."""
    return nn.functional.pad(tokens, (0, max(0, length - tokens.shape[1])))[:, :length]


def _prefixes(choose: Callable = lambda logits: logits[:, -1:].argmax(-1), keep: Callable = lambda prefix: prefix):
    """An answer by calls of `forward` with ever more tokens."""

    def prefixes(model, encoder_x, length, start=0):
        was_training = model.training
        model.eval()
        prefix = torch.full_like(encoder_x[:, :1], start)
        with torch.no_grad():
            for _ in range(length):
                prefix = torch.cat([prefix, choose(model(encoder_x, keep(prefix)))], dim=1)
        model.train(was_training)
        return prefix[:, 1:]

    return prefixes


def _zeros_after_eos(tokens: list[Tensor], first: Tensor) -> Tensor:
    tokens = torch.cat(tokens, dim=1)
    return tokens * ((tokens == 0).cumsum(1) == 0)


def _without_gradients_for_all(model, encoder_x, length, start=0):
    torch.set_grad_enabled(False)
    return _decode(model, encoder_x, length, start)


def _encoding_with_gradients(model, encoder_x, length, start=0):
    model.embedding(encoder_x)
    return _greedy()(model, encoder_x, length, start)


def _freezing(model, encoder_x, length, start=0):
    return _greedy()(model.requires_grad_(False), encoder_x, length, start)


def _writing_into_the_source(model, encoder_x, length, start=0):
    tokens = _greedy()(model, encoder_x, length, start)
    encoder_x[:, 0] = start
    return tokens


def _ignoring_length(model, encoder_x, length, start=0):
    return _greedy()(model, encoder_x, encoder_x.shape[1], start)


def _from_nothing(model, encoder_x, length, start=0):
    """The decoder starts from zeros."""
    return _greedy()(model, encoder_x[:, :0], length, start)


def _logits_returned(model, encoder_x, length, start=0):
    tokens = _greedy()(model, encoder_x, length, start)
    with torch.no_grad():
        return model(encoder_x, _right_shift(tokens, start))


def _largest_logits(model, encoder_x, length, start=0):
    return _logits_returned(model, encoder_x, length, start).amax(-1)


def _turned_round(model, encoder_x, length, start=0):
    return _greedy()(model, encoder_x.flip(1), length, start)


GREEDY_DECODE = Exercise(
    name="greedy_decode",
    arguments=("model", "encoder_x", "length", "start"),
    properties=(
        Property(
            "gives `length` token ids for each string: (batch, length)", _of_unequal_length, _with_model(output), _form
        ),
        Property(
            "writes the same tokens when asked again",
            _asked_again,
            _with_model(_same_again),
            _is_same,
            suggests="sampling",
        ),
        Property("the first token is the likeliest one after `start`", _first_tokens, _with_model(output), equals),
        Property(
            "each further token is the likeliest one after those before", _one_source, _with_model(output), equals
        ),
        Property("each string of a batch is decoded by itself", _several_sources, _with_model(output), equals),
        Property(
            "starts with whatever `start` says", _given_starts, _with_model(output), equals, suggests="ignores-start"
        ),
        Property(
            "goes on after `<eos>`, which is a token like any other",
            _writing_eos,
            _with_model(output),
            equals,
        ),
        Property(
            "decodes in evaluation mode, whatever mode the model was in",
            _handed_over_in_training,
            _with_model(output),
            equals,
            suggests="decodes-in-training-mode",
        ),
        Property(
            "leaves the model in the mode that it found it in",
            _in_either_mode,
            _modes_after,
            _same_mode,
            suggests="mode-changed",
        ),
        Property(
            "calls the model without gradients",
            _in_either_mode,
            _calls_with_gradients,
            _none_with_gradients,
            suggests="keeps-a-graph",
        ),
        Property(
            "turns gradients off for itself only",
            _in_either_mode,
            _with_model(_gradients_stay_on),
            _still_on,
            suggests="gradients-off-for-all",
        ),
        Property("leaves the model's weights and the source as they were", _in_either_mode, _changed, _nothing_changed),
    ),
    misconceptions=(
        Misconception(
            "restarts-the-state",
            "the decoder starts anew at every step",
            "Each step goes on from the state that the step before has left. Yours start from the encoder's state each time, "
            "so the model knows the last token that it wrote, but not how far it is.",
            (
                _greedy(state=lambda new, first: first),
                _prefixes(keep=lambda prefix: prefix[:, -1:]),
                _greedy(state=lambda new, first: torch.zeros_like(first)),
                _greedy(state=lambda new, first: None),
            ),
        ),
        Misconception(
            "feeds-the-start-token",
            "the decoder reads the start token at every step",
            "What the decoder has written must be read at the next step. Yours never learns which token was chosen.",
            (
                _greedy(token=lambda chosen, first: first),
                _from_forward(
                    lambda encoder_x, length, start: torch.full_like(encoder_x[:, :1], start).expand(-1, length)
                ),
            ),
        ),
        Misconception(
            "teacher-forcing",
            "the decoder reads tokens that are given, not its own",
            "Whoever decodes has no target: the decoder must read what it has written itself. (For random strings "
            "one could work the target out. For a sentence nobody can.)",
            (
                _from_forward(lambda encoder_x, length, start: _fitted(_right_shift(encoder_x.flip(1), start), length)),
                _from_forward(lambda encoder_x, length, start: _right_shift(encoder_x.flip(1), start)),
                _from_forward(lambda encoder_x, length, start: _fitted(_right_shift(encoder_x, start), length)),
                _from_forward(lambda encoder_x, length, start: _right_shift(encoder_x, start)),
                _from_forward(lambda encoder_x, length, start: _fitted(encoder_x, length)),
                _from_forward(lambda encoder_x, length, start: encoder_x),
                _from_forward(lambda encoder_x, length, start: _fitted(encoder_x.flip(1), length)),
                _from_forward(lambda encoder_x, length, start: encoder_x.flip(1)),
            ),
        ),
        Misconception(
            "sampling",
            "tokens are drawn at random",
            "Greedy decoding takes the *likeliest* token at every step. Drawn by their probabilities, tokens differ from "
            "call to call.",
            (_greedy(choose=_drawn),),
        ),
        Misconception(
            "mode-changed",
            "the model is left in another mode",
            "The caller may be in the middle of training: a model left in evaluation mode trains without its dropout from then on, "
            "and one left in training mode is evaluated with it. Note the mode (`model.training`) first, and set it back.",
            (
                _greedy(restore=lambda model, was_training: None),
                _greedy(restore=lambda model, was_training: model.train()),
            ),
        ),
        Misconception(
            "decodes-in-training-mode",
            "the model isn't in evaluation mode while it decodes",
            "The model may have dropout, which is for training: with it the model isn't as good as it can be. "
            "`model.eval()` turns it off.",
            (
                _greedy(evaluate=lambda model: None),
                _greedy(evaluate=nn.Module.train),
            ),
        ),
        Misconception(
            "keeps-a-graph",
            "gradients are on while the model decodes",
            "The tokens are right, but PyTorch notes every operation, to differentiate what can't be differentiated: an argmax has "
            "no gradient. That costs memory and time.",
            (_greedy(context=torch.enable_grad), _encoding_with_gradients),
        ),
        Misconception(
            "gradients-off-for-all",
            "gradients stay off after the call",
            "`torch.set_grad_enabled(False)` turns them off for everything that follows: the next training step would fail. "
            "`with torch.no_grad():` ends by itself, also where an error is raised.",
            (_without_gradients_for_all,),
        ),
        Misconception(
            "stops-at-eos",
            "decoding stops at `<eos>`",
            "Here all strings get `length` tokens, whatever they are; what follows an `<eos>` is for the caller to cut off. "
            "In a batch one string may be at its end, and another not.",
            (
                _greedy(stop=lambda chosen: bool((chosen == 0).all())),
                _greedy(stop=lambda chosen: bool((chosen == 0).any())),
                _greedy(result=_zeros_after_eos),
            ),
        ),
        Misconception(
            "ignores-start",
            "`start` has no effect",
            "The decoder reads the same first token whatever `start` says. In this lab that token happens to be 0.",
            (
                lambda model, encoder_x, length, start=0: _greedy()(model, encoder_x, length, 0),
                lambda model, encoder_x, length, start=0: _greedy()(model, encoder_x, length, 1),
            ),
        ),
        Misconception(
            "ignores-length",
            "`length` has no effect",
            "You write as many tokens as the source has. A target may be longer or shorter than its source.",
            (_ignoring_length,),
        ),
        Misconception(
            "start-in-the-result",
            "the start token is part of the result",
            "Nobody wrote the start token: the result begins with the first token that the model chose.",
            (
                _greedy(result=lambda tokens, first: torch.cat([first, *tokens], dim=1)),
                _greedy(result=lambda tokens, first: torch.cat([first, *tokens[:-1]], dim=1)),
            ),
        ),
        Misconception(
            "first-step-again",
            "the first step's prediction is taken each time",
            "`forward` gives logits for every step of what the decoder has read. The next token is what the *last* of them says.",
            (
                _prefixes(choose=lambda logits: logits[:, :1].argmax(-1)),
                _greedy(result=lambda tokens, first: tokens[0].expand(-1, len(tokens))),
            ),
        ),
        Misconception(
            "wrong-axis",
            "the argmax runs over the wrong axis",
            "The likeliest token is the place of the largest logit along the *vocabulary*, the last axis: one for each string.",
            (
                _greedy(choose=lambda logits: logits.argmax(0)[:, :1].expand(len(logits), 1)),
                _greedy(choose=lambda logits: logits[:, 0].argmax(0)[: len(logits)].unsqueeze(1)),
                _greedy(choose=lambda logits: logits.argmax(1)),
                _greedy(choose=lambda logits: logits.argmax().reshape(1, 1).expand(len(logits), 1)),
            ),
        ),
        Misconception(
            "least-likely",
            "the least likely token is chosen",
            "A larger logit means a likelier token.",
            (_greedy(choose=lambda logits: logits.argmin(-1)),),
        ),
        Misconception(
            "one-string-for-all",
            "all strings get the first one's tokens",
            "A batch of one works, but in a larger one each string has tokens of its own. (`.item()` takes one number "
            "and forgets the others.)",
            (
                _greedy(choose=lambda logits: logits[:1].argmax(-1).expand(len(logits), 1)),
                _greedy(result=lambda tokens, first: torch.cat(tokens, dim=1)[:1].expand(len(first), -1)),
                _greedy(result=lambda tokens, first: torch.cat(tokens, dim=1)[:1]),
                _greedy(token=lambda chosen, first: chosen[:1].expand(len(chosen), 1)),
            ),
        ),
        Misconception(
            "source-not-read",
            "the source isn't read as it stands",
            "The model reads `encoder_x` as it is given, and the decoder starts from the state after its last token.",
            (_turned_round, _from_nothing),
        ),
        Misconception(
            "in-another-order",
            "the tokens come back in another order",
            "They come back as they were written, the first one first. What they mean is the caller's affair.",
            (_greedy(result=lambda tokens, first: torch.cat(tokens[::-1], dim=1)),),
        ),
        Misconception(
            "in-another-shape",
            "the tokens come in another shape",
            "The result is one tensor of token ids, (batch, length).",
            (
                _greedy(result=lambda tokens, first: torch.stack(tokens, dim=1)),
                _greedy(result=lambda tokens, first: torch.cat(tokens)),
                _greedy(result=lambda tokens, first: torch.cat(tokens, dim=1).T),
                _greedy(result=lambda tokens, first: torch.stack(tokens)),
                _greedy(result=lambda tokens, first: torch.stack(tokens).squeeze()),
                _greedy(result=lambda tokens, first: torch.cat(tokens, dim=1).squeeze(0)),
                _greedy(result=lambda tokens, first: torch.cat(tokens, dim=1).squeeze()),
                _greedy(result=lambda tokens, first: tokens),
                _greedy(result=lambda tokens, first: tuple(tokens)),
                _greedy(result=lambda tokens, first: torch.cat(tokens, dim=1).tolist()),
            ),
        ),
        Misconception(
            "not-token-ids",
            "what comes back aren't token ids",
            "A token id is a whole number: the *place* of the largest logit, not the logit, nor its probability.",
            (
                _greedy(result=lambda tokens, first: torch.cat(tokens, dim=1).float()),
                _logits_returned,
                _largest_logits,
            ),
        ),
        Misconception(
            "changes-the-model",
            "the model isn't what it was",
            "Decoding only reads: the weights stay, and go on learning afterwards. `torch.no_grad()` needs no frozen weights.",
            (_freezing,),
        ),
        Misconception(
            "writes-into-the-source",
            "the caller's source is overwritten",
            "The tokens are right, but `encoder_x` isn't what it was. An assignment to a slice writes in place.",
            (_writing_into_the_source,),
        ),
        NOTHING_RETURNED,
    ),
)

EXERCISES = (SHIFT_RIGHT, SEQ2SEQ_MODEL, SEQUENCE_CROSS_ENTROPY, GREEDY_DECODE)
