"""`get_context_vector`: what a right answer does, and the mistakes that people make."""

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
    part,
    right_gradient,
    shapes,
)
from helpers.checks.lab05_seq2seq_attention.shared import (
    LARGE,
    LENGTHS,
    SIZES,
    Layers,
    Slow,
    Written,
    answers_from_memory,
    built_with_weights,
    layers_named,
    loud_padding,
    model_overwriting,
    model_remembering,
    model_with,
    model_with_arguments,
    model_with_layer,
    model_with_result,
    on_second_call,
    picked,
    sources,
    wanted,
)
from helpers.checks.masking import mask_mistakes, padded, softmax
from helpers.checks.modules import Built, has_parameters, parameter_gradients, right_parameter_gradients, through
from helpers.checks.spoiling import stopping_at_64


def _context_args(*batch_and_source: tuple[int, int], padded: bool = False) -> Callable[[Draw], Iterator[tuple]]:
    def args(draw: Draw) -> Iterator[tuple]:
        for batch, source in batch_and_source:
            built = built_with_weights(draw, Layers, SIZES, "attention_W", training=source > 4)
            lens = (torch.tensor(LENGTHS[batch, source]),) if padded else ()
            yield (built, *sources(draw, batch, source), *lens)

    return args


def _large_args(draw: Draw) -> Iterator[tuple]:
    yield from _context_args((1, 67), (17, 2))(draw)
    yield from _context_args((2, 67), padded=True)(draw)
    yield built_with_weights(draw, Layers, LARGE, "attention_W"), *sources(draw, 1, 2, LARGE["hidden_dim"])


_PLAIN = _context_args((1, 2), (2, 3), (4, 4), (3, 5))  # (4, 4): as many sources as steps as hidden units
_PADDED = _context_args((1, 3), (2, 3), (4, 4), (3, 5), padded=True)


def _large_scores(draw: Draw) -> Iterator[tuple]:
    for built, encoder_out, *others in _context_args((1, 3), (2, 3))(draw):
        yield built, 100 * encoder_out, *others


def _by_hand(exps: Tensor) -> Tensor:
    return exps / exps.sum(1, keepdim=True)


def _at(index: int) -> Callable[[Callable, tuple], Tensor]:
    return through(part(index), "get_context_vector")


def _context_gradient(position: int, index: int) -> Callable[[Callable, tuple], Tensor | None]:
    return through(gradient_of(position, index), "get_context_vector")


_CONTEXT_NAMES = ("encoder_out", "hidden_state", "valid_lens")


def _context_arguments(draw: Draw) -> Iterator[Case]:
    for args in (*_context_args((2, 3))(draw), *_context_args((3, 5), padded=True)(draw)):
        yield Case(args, _CONTEXT_NAMES)


def _context(observe: Callable, args: Callable = _PLAIN) -> Callable[[Draw], list[Case]]:
    return wanted(observe, args, Slow)


EXERCISE = Exercise(
    name="get_context_vector",
    owner="Seq2SeqAttention",
    arguments=("model", *_CONTEXT_NAMES),
    properties=(
        Property(
            "the score's one parameter is `attention_W.weight`, (hidden, hidden)",
            lambda draw: [Case((Built(SIZES),), {"attention_W.weight": (4, 4)})],
            layers_named("attention_W"),
            has_parameters,
        ),
        Property(
            "gives a pair: the context (batch, 1, hidden), then the weights (batch, source, 1)",
            _context(through(shapes(), "get_context_vector")),
            through(shapes(), "get_context_vector"),
            have_shapes,
        ),
        Property("the weights are the softmax of the scores over the source steps", _context(_at(1)), _at(1), equals),
        Property("the context is the sum of the encoder's outputs, weighted", _context(_at(0)), _at(0), equals),
        Property("large scores don't overflow", _context(_at(1), _large_scores), _at(1), equals, suggests="overflow"),
        Property(
            "padding has no weight, and the real steps share all of it", _context(_at(1), _PADDED), _at(1), equals
        ),
        Property("the context is made with the masked weights", _context(_at(0), _PADDED), _at(0), equals),
        Property(
            "whatever lies in the padding makes no difference",
            _context(_at(0), loud_padding(_context_args((1, 3), (3, 5), padded=True))),
            _at(0),
            equals,
        ),
        Property(
            "leaves its arguments as they were",
            _context_arguments,
            through(changed_arguments, "get_context_vector"),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "the context's gradient with respect to the encoder's outputs is right",
            _context(_context_gradient(0, 0), _context_args((1, 3), (3, 5), padded=True)),
            _context_gradient(0, 0),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "the context's gradient with respect to the state is right",
            _context(_context_gradient(1, 0), _context_args((1, 2), (3, 5))),
            _context_gradient(1, 0),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "the weights can be differentiated too",
            _context(_context_gradient(0, 1), _context_args((1, 2), (3, 5))),
            _context_gradient(0, 1),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "the context's gradient reaches `attention_W`",
            _context(parameter_gradients(picked(0), "get_context_vector"), _context_args((1, 2), (3, 5))),
            parameter_gradients(picked(0), "get_context_vector"),
            right_parameter_gradients,
            suggests="detached-gradient",
        ),
        Property(
            "a second call knows nothing of the first",
            _context(on_second_call(part(0), "get_context_vector"), _context_args((2, 3))),
            on_second_call(part(0), "get_context_vector"),
            equals,
            suggests="answers-from-memory",
        ),
        at_any_size(_context(_at(0), _large_args), _at(0)),
    ),
    misconceptions=(
        mistakes.SOFTMAX_OVER_BATCH.explained(
            "With a batch of one all your weights are 1; in a larger one the strings share the weight among them, "
            "though they have nothing to do with one another. Each string spreads a weight of 1 over its *source "
            "steps*: which axis of (batch, source, 1) is that?",
            model_with(weigh=lambda self, scores, lens: scores.softmax(0)),
            model_with(weigh=lambda self, scores, lens: softmax(scores, lens, 1) * 0 + softmax(scores, None, 0)),
            model_with(weigh=lambda self, s, lens: s.masked_fill(padded(s, lens, 1), -torch.inf).softmax(0)),
            model_with(weigh=lambda self, s, lens: s.masked_fill(padded(s, lens, 1), -1e9).softmax(0)),
        ),
        Misconception(
            "softmax-over-singleton",
            "the softmax runs over the axis of size 1, so every weight is 1",
            "The scores are (batch, source, 1). Along the last axis there is one number only, and the softmax of one "
            "number is 1, whatever it is. Over which axis do the weights have to sum to 1?",
            (
                model_with(weigh=lambda self, scores, lens: scores.softmax(2)),
                model_with(weigh=lambda self, s, lens: s.masked_fill(padded(s, lens, 1), -torch.inf).softmax(2)),
                model_with(weigh=lambda self, s, lens: s.masked_fill(padded(s, lens, 1), -1e9).softmax(2)),
                model_with(weigh=lambda self, s, lens: s.softmax(2).masked_fill(padded(s, lens, 1), 0.0)),
            ),
        ),
        mistakes.NO_SOFTMAX.row(
            model_with(weigh=lambda self, scores, lens: scores),
            model_with(weigh=lambda self, s, lens: s.masked_fill(padded(s, lens, 1), 0.0)),
            model_with(weigh=lambda self, s, lens: s.masked_fill(padded(s, lens, 1), -torch.inf)),
        ),
        mistakes.OVERFLOW.explained(
            "In float32 exp(89) is infinite, and infinity divided by infinity isn't a number. PyTorch's softmax takes "
            "care of that: it subtracts the largest score first, which changes nothing else.",
            model_with(weigh=lambda self, s, lens: _by_hand(s.exp() * ~padded(s, lens, 1))),
            model_with(weigh=lambda self, s, lens: _by_hand(s.masked_fill(padded(s, lens, 1), -torch.inf).exp())),
        ),
        Misconception(
            "context-over-wrong-axis",
            "the context is summed over the wrong axis",
            "The context is one vector for each string: the encoder's outputs, weighted, summed over the *source "
            "steps*. Which axis of (batch, source, hidden) disappears in that sum, and becomes 1?",
            (
                model_with(pool=lambda self, weights, encoder_out: (weights * encoder_out).sum(2, keepdim=True)),
                model_with(pool=lambda self, weights, encoder_out: (weights * encoder_out).sum(2).unsqueeze(1)),
                model_with(pool=lambda self, weights, encoder_out: (weights * encoder_out).sum(0, keepdim=True)),
                model_with(pool=lambda self, weights, encoder_out: (weights * encoder_out).sum(0).unsqueeze(1)),
                model_with(pool=lambda self, weights, encoder_out: weights * encoder_out),
            ),
        ),
        mistakes.MEAN_TWICE.explained(
            "The weights sum to 1 already: a weighted *sum* is the average. A mean divides by the number of steps "
            "once more.",
            model_with(pool=lambda self, weights, encoder_out: (weights * encoder_out).mean(1, keepdim=True)),
        ),
        mistakes.W_ON_THE_QUERY.explained(
            "The score is `attention_W(encoder_out)` times the state. Applying the matrix to the state instead uses "
            "its transpose, which is the same only for a symmetric matrix.",
            model_with(score=lambda self, encoder_out, state: encoder_out @ self.attention_W(state).permute(1, 2, 0)),
        ),
        mistakes.W_UNUSED.explained(
            "That is the plain dot product of outputs and state. The bilinear score has a learned matrix between them.",
            model_with(score=lambda self, encoder_out, state: encoder_out @ state.permute(1, 2, 0)),
        ),
        mistakes.BIAS.explained(
            "The bilinear score is a product of three, and nothing is added. In `nn.Linear` the bias has to be turned "
            "off.",
            model_with_layer(attention_W=lambda vocab, embed, hidden: nn.Linear(hidden, hidden))(),
        ),
        mistakes.SCORES_SCALED.explained(
            "This model's score is the bilinear one as it is. (The scale is for plain dot products of independent "
            "vectors; here the learned matrix can take its part.)",
            model_with(score=lambda self, *args: Written.score(self, *args) / args[0].shape[2] ** 0.5),
            model_with(score=lambda self, *args: Written.score(self, *args) / args[0].shape[2]),
        ),
        mistakes.POOLS_KEYS_FOR_VALUES.explained(
            "The matrix is there to *compare*. What the decoder gets is made of the encoder's outputs themselves.",
            model_with(pool=lambda self, weights, encoder_out: weights.mT @ self.attention_W(encoder_out)),
        ),
        mistakes.ONE_SEQUENCE_FOR_ALL.row(
            model_with(
                score=lambda self, encoder_out, state: Written.score(self, encoder_out, state[:, :1].expand_as(state))
            ),
            sequence="string",
            what="a state",
        ),
        *mask_mistakes(
            lambda weigh: model_with(weigh=lambda self, scores, lens: weigh(scores, lens)), keys="steps", axis=1
        ),
        Misconception(
            "unmasked-context",
            "the context isn't made with the weights that come back",
            "One of the two knows of the padding, the other doesn't: a heatmap of these weights would show something "
            "else than what the decoder got.",
            (
                model_with(
                    get_context_vector=lambda self, encoder_out, state, lens=None: (
                        Written.get_context_vector(self, encoder_out, state)[0],
                        Written.get_context_vector(self, encoder_out, state, lens)[1],
                    )
                ),
                model_with(
                    get_context_vector=lambda self, encoder_out, state, lens=None: (
                        Written.get_context_vector(self, encoder_out, state, lens)[0],
                        Written.get_context_vector(self, encoder_out, state)[1],
                    )
                ),
            ),
        ),
        mistakes.ORDER_OF_THE_PAIR.row(
            model_with_result("get_context_vector", lambda context, weights: (weights, context)),
            pair="context, weights",
        ),
        mistakes.NOT_A_PAIR.row(
            model_with_result("get_context_vector", lambda context, weights: context),
            model_with_result("get_context_vector", lambda context, weights: weights),
            pair="context, weights",
        ),
        mistakes.AXIS_LOST.explained(
            "The context is (batch, 1, hidden): one step, as the GRU will read it. The weights are (batch, source, "
            "1): a number for each step. `squeeze` and a sum without `keepdim` drop the 1.",
            model_with_result("get_context_vector", lambda context, weights: (context.squeeze(1), weights)),
            model_with_result("get_context_vector", lambda context, weights: (context, weights.squeeze(2))),
            model_with_result("get_context_vector", lambda context, weights: (context.squeeze(1), weights.squeeze(2))),
            model_with_result("get_context_vector", lambda context, weights: (context, weights.mT)),
            model_with_result("get_context_vector", lambda context, weights: (context.mT, weights)),
            model_with_result("get_context_vector", lambda context, weights: (context.transpose(0, 1), weights)),
        ),
        mistakes.SCORES_FOR_WEIGHTS.row(
            model_with(
                get_context_vector=lambda self, encoder_out, state, lens=None: (
                    Written.get_context_vector(self, encoder_out, state, lens)[0],
                    self.score(encoder_out, state),
                )
            ),
            what="outputs",
        ),
        mistakes.WRITES_INTO_ARGUMENTS.row(
            *(model_overwriting("get_context_vector", position) for position in range(3)), arguments="tensors"
        ),
        answers_from_memory(model_remembering(Written, "get_context_vector")),
        mistakes.SMALL_SIZES_ONLY.row(model_with_result("get_context_vector", stopping_at_64(lambda *pair: pair))),
        mistakes.DETACHED_GRADIENT.explained(
            "The numbers are right, but context or weights aren't connected to the encoder's outputs, to the state, "
            "or to `attention_W`: what isn't connected learns nothing. `.detach()`, `.data` and `torch.no_grad()` cut "
            "the connection.",
            model_with_result("get_context_vector", lambda context, weights: (context.detach(), weights.detach())),
            model_with_result("get_context_vector", lambda context, weights: (context, weights.detach())),
            model_with(weigh=lambda self, scores, lens: softmax(scores, lens, 1).detach()),
            model_with_arguments("get_context_vector", lambda out, state, *lens: (out.detach(), state, *lens)),
            model_with_arguments("get_context_vector", lambda out, state, *lens: (out, state.detach(), *lens)),
        ),
        mistakes.nothing_returned(model_with_result("get_context_vector", lambda context, weights: None)),
    ),
)
