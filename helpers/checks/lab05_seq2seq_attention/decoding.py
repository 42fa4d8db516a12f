"""`decoding`: what a right answer does, and the mistakes that people make."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import (
    GRADIENT,
    at_any_size,
    changed_arguments,
    equals,
    gradient_of,
    have_shapes,
    leaves_arguments_alone,
    output,
    part,
    right_gradient,
    shapes,
)
from helpers.checks.lab05_seq2seq_attention.shared import (
    SIZES,
    SQUARE,
    WRONG_CONTEXT,
    Layers,
    Slow,
    Written,
    answers_from_memory,
    built_with_weights,
    joined_input,
    layers_named,
    model_overwriting,
    model_remembering,
    model_with,
    model_with_arguments,
    model_with_layer,
    model_with_result,
    on_second_call,
    sources,
    wanted,
)
from helpers.checks.modules import Built, has_parameters, parameter_gradients, right_parameter_gradients, through
from helpers.checks.spoiling import stopping_at_64


def _decoding_args(*all_sizes: tuple[int, int, int], square: bool = False) -> Callable[[Draw], Iterator[tuple]]:
    """Sizes are (batch, source, target)."""

    def args(draw: Draw) -> Iterator[tuple]:
        for batch, source, target in all_sizes:
            sizes = SQUARE if square else SIZES
            built = built_with_weights(draw, Layers, sizes, "embedding", "attention_W", "decoder", training=target > 3)
            encoder_out, hidden_state = sources(draw, batch, source)
            yield built, encoder_out, draw.integers(0, 6, batch, target), hidden_state

    return args


def _forward_args(draw: Draw) -> Iterator[tuple]:
    for batch, source, target in ((1, 2, 2), (3, 4, 2)):
        tokens = draw.integers(0, 6, batch, source), draw.integers(0, 6, batch, target)
        yield built_with_weights(draw, Layers, SIZES), *tokens


_ONE_STEP = _decoding_args((1, 2, 1), (3, 2, 1))
_STEPS = _decoding_args((1, 2, 2), (2, 3, 3), (4, 4, 4))
_UNEQUAL = _decoding_args((2, 4, 3), (2, 2, 5), (3, 1, 2))
_FORWARD_NAMES = ("model", "encoder_x", "decoder_x")
_DECODING_NAMES = ("encoder_out", "decoder_x", "hidden_state")


def _decoding(observe: Callable, args: Callable = _STEPS) -> Callable[[Draw], list[Case]]:
    return wanted(observe, args, Slow)


def _of_decoding(index: int) -> Callable[[Callable, tuple], Tensor]:
    return through(part(index), "decoding")


def _decoding_gradient(position: int, index: int) -> Callable[[Callable, tuple], Tensor | None]:
    return through(gradient_of(position, index), "decoding")


def _loop(step: Callable) -> Callable[..., nn.Module]:
    """`decoding` with a loop of its own.

    `step(model, encoder_out, token, embedded, state, first)` gives the decoder's input, and the state that it starts
    from; `first` is the state before the first step.
    """

    def decoding(self, encoder_out, decoder_x, hidden_state):
        first, outputs = hidden_state, []
        for token in decoder_x.split(1, dim=1):
            joined, start = step(self, encoder_out, token, hidden_state, first)
            output, hidden_state = self.decoder(joined, start)
            outputs.append(output)
        return torch.cat(outputs, dim=1), hidden_state

    return model_with(decoding=decoding)


def _context_of_new_state(self, encoder_out, token, state, first):
    new = self.decoder(joined_input(self, encoder_out, token, state), state)[1]
    return joined_input(self, encoder_out, token, new), state


def _late_context(self, encoder_out, decoder_x, hidden_state):
    """The context is made after a step, for the next; before the first there is none."""
    context, outputs = torch.zeros_like(encoder_out[:, :1]), []
    for token in decoder_x.split(1, dim=1):
        output, hidden_state = self.decoder(self.join(self.embedding(token), context), hidden_state)
        context = self.get_context_vector(encoder_out, hidden_state)[0]
        outputs.append(output)
    return torch.cat(outputs, dim=1), hidden_state


def _lagging_context(self, encoder_out, decoder_x, hidden_state):
    """The context is that of the state before the previous one."""
    query, outputs = hidden_state, []
    for token in decoder_x.split(1, dim=1):
        joined = joined_input(self, encoder_out, token, query)
        query = hidden_state
        output, hidden_state = self.decoder(joined, hidden_state)
        outputs.append(output)
    return torch.cat(outputs, dim=1), hidden_state


def _own_predictions(self, encoder_out, decoder_x, hidden_state):
    token, outputs = decoder_x[:, :1], []
    for _ in range(decoder_x.shape[1]):
        output, hidden_state = self.step(encoder_out, token, hidden_state)
        token = self.linear(output).argmax(-1)
        outputs.append(output)
    return torch.cat(outputs, dim=1), hidden_state


def _steps_of_the_source(encoder_out, decoder_x, hidden_state):
    return encoder_out, decoder_x[:, : encoder_out.shape[1]], hidden_state


def _indexed_by_the_source(self, encoder_out, decoder_x, hidden_state):
    outputs = []
    for i in range(encoder_out.shape[1]):
        output, hidden_state = self.step(encoder_out, decoder_x[:, i].unsqueeze(1), hidden_state)
        outputs.append(output)
    return torch.cat(outputs, dim=1), hidden_state


def _added(width: Callable[[int, int], int]) -> Callable[..., nn.Module]:
    other = model_with_layer(
        decoder=lambda vocab, embed, hidden: nn.GRU(width(embed, hidden), hidden, batch_first=True)
    )
    return other(join=lambda self, embedded, context: embedded + context)


def _forward(change: Callable) -> Callable[..., nn.Module]:
    """`forward` with `change(model, encoder_x, decoder_x, encoder_out, state)` in place of what follows the encoder."""

    def forward(self, encoder_x, decoder_x):
        return change(self, encoder_x, decoder_x, *self.encoder(self.embedding(encoder_x)))

    return model_with(forward=forward)


EXERCISE = Exercise(
    name="decoding",
    owner="Seq2SeqAttention",
    arguments=("model", *_DECODING_NAMES),
    properties=(
        Property(
            "`embedding` and `decoder` have the right sizes: the decoder reads embed_dim + hidden_dim numbers",
            lambda draw: [
                Case((Built(SIZES),), layers_named("embedding", "decoder")(Layers, (Built(SIZES),))),
            ],
            layers_named("embedding", "decoder"),
            has_parameters,
        ),
        Property(
            "gives a pair: the outputs (batch, target, hidden), then the state (1, batch, hidden)",
            _decoding(through(shapes(), "decoding")),
            through(shapes(), "decoding"),
            have_shapes,
        ),
        Property(
            "the decoder reads [embedding, context], the context being that of the state before",
            _decoding(_of_decoding(0), _ONE_STEP),
            _of_decoding(0),
            equals,
        ),
        Property(
            "each step has a context of its own, and goes on from the state before",
            _decoding(_of_decoding(0)),
            _of_decoding(0),
            equals,
        ),
        Property(
            "so it does where embeddings are as wide as states",
            _decoding(_of_decoding(0), _decoding_args((2, 3, 3), square=True)),
            _of_decoding(0),
            equals,
        ),
        Property("the state that comes back is the last one", _decoding(_of_decoding(1)), _of_decoding(1), equals),
        Property(
            "takes as many steps as `decoder_x` has tokens, however long the source is",
            _decoding(_of_decoding(0), _UNEQUAL),
            _of_decoding(0),
            equals,
            suggests="steps-of-the-source",
        ),
        Property(
            "leaves its arguments as they were",
            lambda draw: [Case(args, _DECODING_NAMES) for args in _decoding_args((2, 3, 3))(draw)],
            through(changed_arguments, "decoding"),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "the outputs' gradient with respect to the encoder's outputs is right",
            _decoding(_decoding_gradient(0, 0), _decoding_args((1, 2, 2), (2, 3, 3))),
            _decoding_gradient(0, 0),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "the last state's gradient with respect to the first state is right",
            _decoding(_decoding_gradient(2, 1), _decoding_args((1, 2, 2), (2, 3, 3))),
            _decoding_gradient(2, 1),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "a second call knows nothing of the first",
            _decoding(on_second_call(part(0), "decoding"), _decoding_args((2, 3, 3))),
            on_second_call(part(0), "decoding"),
            equals,
            suggests="answers-from-memory",
        ),
        at_any_size(_decoding(_of_decoding(0), _decoding_args((1, 67, 2), (1, 2, 67), (17, 3, 2))), _of_decoding(0)),
        Property(
            "`forward` starts the decoder from the encoder's last state, and gives logits (batch, target, vocabulary)",
            _decoding(through(output), _forward_args),
            through(output),
            equals,
            arguments=_FORWARD_NAMES,
        ),
        Property(
            "its gradient reaches every parameter",
            _decoding(parameter_gradients(), _forward_args),
            parameter_gradients(),
            right_parameter_gradients,
            suggests="detached-gradient",
            arguments=_FORWARD_NAMES,
        ),
    ),
    misconceptions=(
        Misconception(
            "context-once",
            "the context is computed once, for all steps",
            "Then the decoder looks at the source before its first letter and never again: a fixed context, as "
            "without attention. Every step has a new question, so every step needs its own context, from the state as "
            "it is *then*.",
            (_loop(lambda self, out, token, state, first: (joined_input(self, out, token, first), state)),),
        ),
        mistakes.CONCATENATED_IN_THE_OTHER_ORDER.explained(
            "The lab asks for [embedding, context]. A model trained from scratch wouldn't mind, but weights belong to "
            "an order: with those of the test, your decoder takes parts of the one for parts of the other.",
            model_with(join=lambda self, embedded, context: torch.cat([context, embedded], dim=-1)),
        ),
        mistakes.STATE_NOT_CARRIED.explained(
            "Each step has to start from the state that the step before ended in. Yours starts over, so the decoder "
            "doesn't know what it has written so far.",
            _loop(lambda self, out, token, state, first: (joined_input(self, out, token, first), first)),
            _loop(lambda self, out, token, state, first: (joined_input(self, out, token, state), first)),
            _loop(
                lambda self, out, token, state, first: (
                    joined_input(self, out, token, state),
                    torch.zeros_like(state),
                )
            ),
            _loop(
                lambda self, out, token, state, first: (
                    joined_input(self, out, token, first),
                    torch.zeros_like(first),
                )
            ),
            model_with(
                decoding=lambda self, out, decoder_x, state: (
                    torch.cat([self.step(out, token, state)[0] for token in decoder_x.split(1, dim=1)], dim=1),
                    state,
                )
            ),
        ),
        Misconception(
            "context-added",
            "the context is added to the embedding, not put beside it",
            "A sum needs both to be equally wide, and mixes them beyond telling apart. The decoder reads embed_dim + "
            "hidden_dim numbers: first the embedding's, then the context's.",
            (_added(lambda embed, hidden: embed), _added(lambda embed, hidden: hidden)),
        ),
        Misconception(
            "context-of-the-wrong-state",
            "the context doesn't come from the previous state",
            "The query of a step is the state *before* it, also at the first step, where that is the state that was "
            "passed in. (Attending with the new state is exercise 4's model, Luong's.)",
            (
                _loop(_context_of_new_state),
                model_with(decoding=_late_context),
                model_with(decoding=_lagging_context),
            ),
        ),
        mistakes.CONTEXT_LEFT_OUT.explained(
            "Where the context should be there are zeros, or nothing: the decoder doesn't look at the source.",
            model_with(join=lambda self, embedded, context: torch.cat([embedded, torch.zeros_like(context)], dim=-1)),
        ),
        Misconception(
            "fixed-context",
            "the context is the same whatever the state",
            "You take the encoder's last output for the context. That is lab 4's model: one vector for the whole "
            "source. The context of a step is what `get_context_vector` finds for the state of that step.",
            (
                _loop(lambda self, out, token, state, first: (self.join(self.embedding(token), out[:, -1:]), state)),
                _loop(lambda self, out, token, state, first: (self.join(self.embedding(token), out[:, :1]), state)),
            ),
        ),
        mistakes.ONE_SEQUENCE_FOR_ALL.row(
            *(
                _loop(
                    lambda self, out, token, state, first, pick=pick: (
                        self.join(self.embedding(token), pick(self, out, state).expand(len(token), -1, -1)),
                        state,
                    )
                )
                for pick in (
                    lambda self, out, state: self.get_context_vector(out, state)[0][:1],
                    lambda self, out, state: self.get_context_vector(out, state)[0].mean(0, keepdim=True),
                )
            ),
            sequence="string",
            what="a context",
        ),
        WRONG_CONTEXT,
        mistakes.NO_TEACHER_FORCING.explained(
            "`decoder_x` holds what the decoder reads at every step (teacher forcing). Reading its own predictions is "
            "for afterwards, when nobody knows the target.",
            model_with(decoding=_own_predictions),
        ),
        Misconception(
            "same-token-every-step",
            "every step reads the same token",
            "Step i reads token i of `decoder_x`. Yours reads the first one, or the last one, each time.",
            (
                model_with_arguments(
                    "decoding", lambda out, tokens, state: (out, tokens[:, :1].expand_as(tokens), state)
                ),
                model_with_arguments(
                    "decoding", lambda out, tokens, state: (out, tokens[:, -1:].expand_as(tokens), state)
                ),
            ),
        ),
        Misconception(
            "steps-of-the-source",
            "the number of steps is taken from the source",
            "The decoder takes one step for each token of `decoder_x`. In this lab source and target happen to be "
            "equally long; a sentence and its translation aren't.",
            (model_with_arguments("decoding", _steps_of_the_source), model_with(decoding=_indexed_by_the_source)),
        ),
        mistakes.OLD_STATE_RETURNED.explained(
            "The caller of `decoding` goes on from the state that it returns: the one after the last step, (1, "
            "batch, hidden).",
            model_with(
                decoding=lambda self, out, tokens, state: (Written.decoding(self, out, tokens, state)[0], state),
            ),
            model_with(
                decoding=lambda self, out, tokens, state: (
                    Written.decoding(self, out, tokens, state)[0],
                    Written.decoding(self, out, tokens[:, :1], state)[1],
                )
            ),
            model_with_result("decoding", lambda outputs, state: (outputs, outputs[:, -1:])),
            model_with_result("decoding", lambda outputs, state: (outputs, outputs[:, -1])),
        ),
        Misconception(
            "steps-along-the-wrong-axis",
            "the steps are put together along the wrong axis",
            "Each step's output is (batch, 1, hidden). Side by side along the axis of size 1, the *steps*, they "
            "become (batch, target, hidden). A `stack` makes an axis more.",
            (
                model_with_result(
                    "decoding", lambda outputs, state: (torch.cat(outputs.split(1, dim=1), dim=0), state)
                ),
                model_with_result(
                    "decoding", lambda outputs, state: (torch.cat(outputs.split(1, dim=1), dim=2), state)
                ),
                model_with_result("decoding", lambda outputs, state: (outputs.unsqueeze(2), state)),
                model_with_result("decoding", lambda outputs, state: (outputs.transpose(0, 1), state)),
                model_with_result("decoding", lambda outputs, state: (outputs.transpose(0, 1).unsqueeze(2), state)),
                model_with_result(
                    "decoding", lambda outputs, state: (outputs.transpose(0, 1).reshape(outputs.shape), state)
                ),
                model_with_result("decoding", lambda outputs, state: (outputs[:, -1:], state)),
            ),
        ),
        Misconception(
            "logits-for-outputs",
            "logits come back, not the decoder's outputs",
            "`decoding` returns what the GRU gave, `hidden_dim` numbers a step. The linear layer comes afterwards, in "
            "`forward`.",
            (
                model_with(
                    decoding=lambda self, *args: (
                        self.linear(Written.decoding(self, *args)[0]),
                        Written.decoding(self, *args)[1],
                    )
                ),
            ),
        ),
        mistakes.ORDER_OF_THE_PAIR.row(
            model_with_result("decoding", lambda outputs, state: (state, outputs)), pair="outputs, hidden_state"
        ),
        mistakes.NOT_A_PAIR.row(
            model_with_result("decoding", lambda outputs, state: outputs), pair="outputs, hidden_state"
        ),
        mistakes.WRITES_INTO_ARGUMENTS.row(
            *(model_overwriting("decoding", position) for position in range(3)), arguments="tensors"
        ),
        answers_from_memory(model_remembering(Written, "decoding")),
        mistakes.SMALL_SIZES_ONLY.row(model_with_result("decoding", stopping_at_64(lambda *pair: pair))),
        mistakes.DETACHED_GRADIENT.explained(
            "The numbers are right, but somewhere the connection to earlier steps, to the state, or to the encoder's "
            "outputs is cut (`.detach()`, `.data`, `torch.no_grad()`): what lies before the cut learns nothing.",
            model_with_result("decoding", lambda outputs, state: (outputs.detach(), state.detach())),
            model_with_result("decoding", lambda outputs, state: (outputs, state.detach())),
            _loop(lambda self, out, token, state, first: (joined_input(self, out, token, state), state.detach())),
            model_with(
                step=lambda self, out, token, state: Written.step(self, out, token, state.detach()),
            ),
            model_with(
                join=lambda self, embedded, context: torch.cat([embedded, context.detach()], dim=-1),
            ),
            model_with_arguments("decoding", lambda out, tokens, state: (out.detach(), tokens, state)),
            model_with_arguments("decoding", lambda out, tokens, state: (out, tokens, state.detach())),
        ),
        Misconception(
            "forward-starts-elsewhere",
            "`forward` doesn't start the decoder from the encoder's last state",
            "`decoding` is right. In `forward` the state that it starts from has to be the encoder's last one, (1, "
            "batch, hidden): it is also the first query.",
            (
                _forward(lambda m, x, y, out, state: m.linear(m.decoding(out, y, torch.zeros_like(state))[0])),
                _forward(lambda m, x, y, out, state: m.linear(m.decoding(out, y, out[:, :1].transpose(0, 1))[0])),
            ),
        ),
        mistakes.SOFTMAX_INSIDE.explained(
            "`forward` returns the logits as the linear layer gives them. The loss has the softmax inside: a second "
            "one flattens the gradient.",
            model_with(forward=lambda self, *args: Written.forward(self, *args).softmax(-1)),
            model_with(forward=lambda self, *args: Written.forward(self, *args).log_softmax(-1)),
        ),
        mistakes.nothing_returned(model_with_result("decoding", lambda outputs, state: None)),
    ),
)
