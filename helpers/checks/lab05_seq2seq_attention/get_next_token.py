"""`get_next_token`: what a right answer does, and the mistakes that people make."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

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
    part,
    right_gradient,
    shapes,
    tensors,
)
from helpers.checks.lab05_seq2seq_attention.shared import (
    LARGE,
    SIZES,
    SQUARE,
    WRONG_CONTEXT,
    Layers,
    Slow,
    Written,
    answers_from_memory,
    built_with_weights,
    joined_input,
    model_overwriting,
    model_remembering,
    model_with,
    model_with_arguments,
    model_with_result,
    on_second_call,
    sources,
    wanted,
)
from helpers.checks.modules import Built, through
from helpers.checks.spoiling import stopping_at_64


def _next_args(
    *batch_and_source: tuple[int, int], steps: int = 1, gap: float = 0.05, square: bool = False
) -> Callable[[Draw], Iterator[tuple]]:
    """Arguments on which the likeliest token is clearly so, at each of so many steps: rounding doesn't turn it over."""

    def is_clear(built: Built, encoder_out: Tensor, token: Tensor, hidden_state: Tensor) -> bool:
        model = built.build(Slow)
        for _ in range(steps):
            outputs, hidden_state = model.decoding(encoder_out, token, hidden_state)
            best = model.logits(outputs[:, -1]).topk(2).values  # (batch, 2)
            if (best[:, 0] - best[:, 1]).min() < gap:
                return False
            token = model.logits(outputs).argmax(-1)
        return True

    def args(draw: Draw) -> Iterator[tuple]:
        for batch, source in batch_and_source:
            while True:
                built = built_with_weights(
                    draw, Layers, SQUARE if square else SIZES, "embedding", "attention_W", "decoder", "linear"
                )
                encoder_out, hidden_state = sources(draw, batch, source)
                found = built, encoder_out, draw.integers(0, 6, batch, 1), hidden_state
                if is_clear(*found):
                    yield found
                    break

    return args


def _at_the_end(draw: Draw) -> Iterator[tuple]:
    for built, *others in _next_args((2, 3))(draw):
        built.weights["linear.bias"][0] += 30
        yield built, *others


def _large_args(draw: Draw) -> Iterator[tuple]:
    yield from _next_args((1, 67))(draw)
    built = built_with_weights(draw, Layers, LARGE, "embedding", "attention_W", "decoder", "linear")
    encoder_out, hidden_state = sources(draw, 67, 3, LARGE["hidden_dim"])
    yield built, encoder_out, draw.integers(0, 70, 67, 1), hidden_state


_NEXT = _next_args((1, 2), (2, 3), (4, 4), (3, 5))
_NEXT_NAMES = ("encoder_out", "token", "hidden_state")


def _next(observe: Callable, args: Callable = _NEXT) -> Callable[[Draw], list[Case]]:
    return wanted(observe, args, Slow)


def _of_next(index: int) -> Callable[[Callable, tuple], Tensor]:
    return through(part(index), "get_next_token")


def _next_gradient(position: int) -> Callable[[Callable, tuple], Tensor | None]:
    return through(gradient_of(position, 1), "get_next_token")


def _is_repeatable(answer: Callable, args: tuple) -> bool:
    """Observe whether ten calls give the same tokens."""
    model = args[0].build(answer)
    tokens = [tensors(model.get_next_token(*args[1:]))[0] for _ in range(10)]
    return all(torch.equal(tokens[0], other) for other in tokens)


def _written(answer: Callable, args: tuple) -> Tensor:
    """Observe three tokens, each fed back together with the state that came with it."""
    built, encoder_out, token, hidden_state = args
    model, written = built.build(answer), []
    for _ in range(3):
        token, hidden_state = tensors(model.get_next_token(encoder_out, token, hidden_state))
        token = token.unsqueeze(1)  # (batch, 1)
        written.append(token)
    return torch.cat(written, dim=1)


def _leaves_the_model(answer: Callable, args: tuple) -> str | None:
    """Observe what of the model is no longer as it was after the call: its mode, or a parameter."""
    model = Built(args[0].arguments, args[0].weights, training=True).build(answer)
    as_it_was = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    model.get_next_token(*args[1:])
    if not model.training:
        return "its mode: it was in training mode"
    changed = [
        name for name, parameter in model.named_parameters() if not torch.equal(parameter.detach(), as_it_was[name])
    ]
    return f"its parameter {changed[0]}" if changed else None


def _samples(self, outputs):
    return torch.multinomial(self.linear(outputs[:, -1]).softmax(-1), 1).squeeze(1)


def _changes_mode(self, *args):
    self.eval()
    return Written.get_next_token(self, *args)


def _new_state_next(self, encoder_out, token, state):
    new = self.decoder(joined_input(self, encoder_out, token, state), state)[1]
    outputs, state = self.decoder(joined_input(self, encoder_out, token, new), state)
    return self.choose(outputs), state


def _attends_after(self, encoder_out, token, state):
    """The decoder reads no context; the new state then fetches one, and the token is made of it."""
    nothing = torch.zeros_like(encoder_out[:, :1])
    _, new = self.decoder(self.join(self.embedding(token), nothing), state)
    return self.choose(self.get_context_vector(encoder_out, new)[0]), new


def _reads_on(self, encoder_out, token, state):
    chosen, new = Written.get_next_token(self, encoder_out, token, state)
    return chosen, self.step(encoder_out, chosen.unsqueeze(1), new)[1]


def _reads_twice(self, encoder_out, token, state):
    chosen, new = Written.get_next_token(self, encoder_out, token, state)
    return chosen, self.step(encoder_out, token, new)[1]


def _restarts_next(self, encoder_out, token, state):
    outputs, new = self.decoder(joined_input(self, encoder_out, token, state))
    return self.choose(outputs), new


EXERCISE = Exercise(
    name="get_next_token",
    owner="Seq2SeqAttention",
    arguments=("model", *_NEXT_NAMES),
    properties=(
        Property(
            "gives a pair: the next tokens (batch,), then the new state (1, batch, hidden)",
            _next(through(shapes(), "get_next_token")),
            through(shapes(), "get_next_token"),
            have_shapes,
        ),
        Property(
            "gives the same tokens every time",
            # an untrained model is unsure, so that chance would show
            lambda draw: [
                Case((Built(SIZES), encoder_out, torch.zeros(12, 1, dtype=torch.long), state), True)
                for encoder_out, state in [sources(draw, 12, 3)]
            ],
            _is_repeatable,
            lambda got, want: None if got == want else "ten calls with the same arguments gave different tokens",
            suggests="sampling",
        ),
        Property("each string gets the likeliest token of its vocabulary", _next(_of_next(0)), _of_next(0), equals),
        Property("`<eos>` is chosen where it is likeliest", _next(_of_next(0), _at_the_end), _of_next(0), equals),
        Property("the state is that after the step, with the context at hand", _next(_of_next(1)), _of_next(1), equals),
        Property(
            "so it is where embeddings are as wide as states",
            _next(_of_next(1), _next_args((2, 3), square=True)),
            _of_next(1),
            equals,
        ),
        Property(
            "writes the right string when tokens and states are fed back",
            _next(_written, _next_args((1, 3), (3, 4), steps=3)),
            _written,
            equals,
        ),
        Property(
            "leaves its arguments as they were",
            lambda draw: [Case(args, _NEXT_NAMES) for args in _next_args((2, 3))(draw)],
            through(changed_arguments, "get_next_token"),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "leaves the model as it was: its mode and its parameters",
            _next(_leaves_the_model, _next_args((2, 3))),
            _leaves_the_model,
            lambda got, want: f"it changed the model: {got}" if got else None,
            suggests="mode-changed",
        ),
        Property(
            "the new state's gradient with respect to the encoder's outputs is right",
            _next(_next_gradient(0), _next_args((1, 2), (2, 3))),
            _next_gradient(0),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "its gradient with respect to the state before is right",
            _next(_next_gradient(2), _next_args((1, 2), (2, 3))),
            _next_gradient(2),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "a second call knows nothing of the first",
            _next(on_second_call(part(1), "get_next_token"), _next_args((2, 3))),
            on_second_call(part(1), "get_next_token"),
            equals,
            suggests="answers-from-memory",
        ),
        at_any_size(_next(_of_next(1), _large_args), _of_next(1)),
    ),
    misconceptions=(
        mistakes.OLD_STATE_RETURNED.explained(
            "The next call goes on from the state that you return. With the old one the decoder never gets beyond its "
            "first step: it asks the same question again and again.",
            model_with(get_next_token=lambda self, *args: (Written.get_next_token(self, *args)[0], args[2])),
        ),
        mistakes.AXIS_LEFT_OVER.explained(
            "`token` goes in as (batch, 1), one step of a sequence. What comes out is one number for each string, "
            "(batch,).",
            model_with_result("get_next_token", lambda token, state: (token.unsqueeze(1), state)),
            model_with_result("get_next_token", lambda token, state: (token.unsqueeze(0), state)),
        ),
        mistakes.AXIS_LOST.explained(
            "`squeeze()` without an argument removes *every* axis of size 1, also that of a batch of one.",
            model_with_result("get_next_token", lambda token, state: (token.squeeze(), state)),
            model_with(choose=lambda self, outputs: self.linear(outputs).squeeze().argmax(-1)),
        ),
        mistakes.CONTEXT_LEFT_OUT.explained(
            "In training the decoder read [embedding, context] at every step. At prediction it has to read the same, "
            "or it gets an input that it was never trained on.",
            model_with(join=lambda self, embedded, context: torch.cat([embedded, torch.zeros_like(context)], dim=-1)),
            model_with(
                join=lambda self, embedded, context: torch.cat(
                    [embedded, torch.zeros_like(context[..., : self.decoder.input_size - embedded.shape[-1]])],
                    dim=-1,
                )
            ),
            model_with(join=lambda self, embedded, context: embedded),
            model_with(get_next_token=_attends_after),
        ),
        mistakes.ARGMAX_OVER_WRONG_AXIS.explained(
            "The logits are (batch, vocabulary), and each string wants the best of *its* vocabulary. Yours looks, for "
            "each token of the vocabulary, for the best string, or along the axis of size 1.",
            model_with(choose=lambda self, outputs: self.linear(outputs[:, -1]).argmax(0)),
            model_with(choose=lambda self, outputs: self.linear(outputs).argmax(1)),
            model_with(choose=lambda self, outputs: self.linear(outputs).argmax(0)),
            model_with(choose=lambda self, outputs: self.linear(outputs[:, -1]).argmax()),
        ),
        mistakes.SAMPLING.explained(
            "The exercise asks for the likeliest token (greedy decoding). Drawing by the probabilities gives another "
            "string each time.",
            model_with(choose=_samples),
        ),
        mistakes.NO_LINEAR_LAYER.explained(
            "The decoder's output has `hidden_dim` numbers, and none of them belongs to a letter. The linear layer "
            "makes a logit for every token of the vocabulary out of them.",
            model_with(choose=lambda self, outputs: outputs[:, -1].argmax(-1)),
        ),
        mistakes.LOGITS_FOR_TOKENS.explained(
            "Return the *number* of the likeliest token, not how likely each one is.",
            model_with(choose=lambda self, outputs: self.linear(outputs[:, -1])),
            model_with(choose=lambda self, outputs: self.linear(outputs)),
            model_with(choose=lambda self, outputs: self.linear(outputs[:, -1]).softmax(-1)),
            model_with(choose=lambda self, outputs: self.linear(outputs[:, -1]).amax(-1)),
        ),
        mistakes.NEVER_ENDS.explained(
            "Token 0 is `<eos>`, a token like all others: a model that writes ends of strings has to be able to "
            "choose it. (And without it the numbers of all the others are one too small.)",
            model_with(choose=lambda self, outputs: self.linear(outputs[:, -1])[:, 1:].argmax(-1) + 1),
            model_with(choose=lambda self, outputs: self.linear(outputs[:, -1])[:, 1:].argmax(-1)),
        ),
        mistakes.ONE_SEQUENCE_FOR_ALL.row(
            model_with_result("get_next_token", lambda token, state: (token[:1].expand_as(token), state)),
            sequence="string",
            what="a token",
        ),
        mistakes.NOT_WHOLE_NUMBERS.explained(
            "The embedding looks tokens up by their number, a whole one. Yours have become floating-point numbers.",
            model_with_result("get_next_token", lambda token, state: (token.float(), state)),
            model_with_result("get_next_token", lambda token, state: (token.double(), state)),
        ),
        Misconception(
            "bias-left-out",
            "the bias of the linear layer is left out",
            "`linear` is a matrix *and* a bias: the bias says how frequent a letter is, whatever the state. Call the "
            "layer, and both are used.",
            (model_with(choose=lambda self, outputs: (outputs[:, -1] @ self.linear.weight.T).argmax(-1)),),
        ),
        Misconception(
            "one-step-too-many",
            "the decoder takes two steps in one call",
            "The state that comes back is the one after `token` was read. The next token is read by the next call; "
            "yours has read it already, or has read `token` twice.",
            (
                model_with(get_next_token=_reads_on),
                model_with(get_next_token=_reads_twice),
            ),
        ),
        mistakes.LEAST_LIKELY.explained(
            "A large logit means likely. Yours takes the smallest.",
            model_with(choose=lambda self, outputs: self.linear(outputs[:, -1]).argmin(-1)),
        ),
        mistakes.CONCATENATED_IN_THE_OTHER_ORDER.explained(
            "The decoder reads [embedding, context], here as in `decoding`: its weights belong to this order.",
            model_with(join=lambda self, embedded, context: torch.cat([context, embedded], dim=-1)),
        ),
        mistakes.STATE_LEFT_OUT.explained(
            "Without a state a GRU starts from zeros. What the decoder has written so far is in `hidden_state`.",
            model_with(get_next_token=_restarts_next),
        ),
        mistakes.ATTENDS_WITH_THE_NEW_STATE.explained(
            "The query is the state that was passed in, as in `decoding`. The new state comes out of the step that "
            "reads the context.",
            model_with(get_next_token=_new_state_next),
        ),
        WRONG_CONTEXT,
        Misconception(
            "token-ignored",
            "the token that was passed in has no effect",
            "The decoder reads the letter that it wrote last: that is `token`. Yours reads the start token, or the "
            "first string's token, each time.",
            (
                model_with_arguments("get_next_token", lambda out, token, state: (out, torch.zeros_like(token), state)),
                model_with_arguments(
                    "get_next_token", lambda out, token, state: (out, token[:1].expand_as(token), state)
                ),
            ),
        ),
        mistakes.ORDER_OF_THE_PAIR.row(
            model_with_result("get_next_token", lambda token, state: (state, token)),
            pair="next_token, new_hidden_state",
        ),
        mistakes.NOT_A_PAIR.row(
            model_with_result("get_next_token", lambda token, state: token), pair="next_token, new_hidden_state"
        ),
        mistakes.MODE_CHANGED.explained(
            "A call of `eval()` or `train()` inside stays in force for your caller. Choosing the mode isn't this "
            "method's job.",
            model_with(get_next_token=_changes_mode),
        ),
        mistakes.WRITES_INTO_ARGUMENTS.row(
            *(model_overwriting("get_next_token", position) for position in range(3)), arguments="tensors"
        ),
        answers_from_memory(model_remembering(Written, "get_next_token")),
        mistakes.SMALL_SIZES_ONLY.row(model_with_result("get_next_token", stopping_at_64(lambda *pair: pair))),
        mistakes.DETACHED_GRADIENT.explained(
            "The numbers are right, but the new state isn't connected to what it came from. Turning gradients off "
            "is the caller's decision: a caller who wants to train through it couldn't.",
            model_with_result("get_next_token", lambda token, state: (token, state.detach())),
            model_with_arguments("get_next_token", lambda out, token, state: (out.detach(), token, state)),
            model_with_arguments("get_next_token", lambda out, token, state: (out, token, state.detach())),
        ),
        mistakes.nothing_returned(model_with_result("get_next_token", lambda token, state: None)),
    ),
)
