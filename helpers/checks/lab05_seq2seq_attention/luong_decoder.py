"""`LuongDecoder`: what a right answer does."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from helpers.checks.engine import Case, Draw, Exercise, Property
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
from helpers.checks.lab05_seq2seq_attention.luong_decoder_mistakes import MISTAKES
from helpers.checks.lab05_seq2seq_attention.shared import (
    LENGTHS,
    SIZES,
    SQUARE,
    LuongLayers,
    attend,
    built_with_weights,
    layers_named,
    lengths_of,
    loud_padding,
    on_second_call,
    picked,
    run_gru,
    sources,
    wanted,
)
from helpers.checks.modules import (
    Built,
    has_parameters,
    parameter_gradients,
    parameters,
    right_parameter_gradients,
    through,
)


class _SlowLuong(LuongLayers):
    """The oracle of `LuongDecoder`."""

    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        attentional, all_weights = [], []
        for b, length in enumerate(lengths_of(valid_lens, encoder_out)):
            embedded = list(self.embedding.weight[decoder_x[b]].double())
            for query in run_gru(self.rnn, embedded, hidden_state[0, b].double()):
                context, weights = attend(self.W_a.weight, query, encoder_out[b], length)
                attentional.append((self.W_c.weight.double() @ torch.cat([context, query])).tanh())
                all_weights.append(weights)
        shape = (*decoder_x.shape, -1)
        return torch.stack(attentional).reshape(shape).float(), torch.stack(all_weights).reshape(shape).float()


def _luong_args(
    *all_sizes: tuple[int, int, int], padded: bool = False, square: bool = False
) -> Callable[[Draw], Iterator[tuple]]:
    """Sizes are (batch, source, target)."""

    def args(draw: Draw) -> Iterator[tuple]:
        for batch, source, target in all_sizes:
            built = built_with_weights(draw, LuongLayers, SQUARE if square else SIZES, training=target > 3)
            encoder_out, hidden_state = sources(draw, batch, source)
            lens = (torch.tensor(LENGTHS[batch, source]),) if padded else ()
            yield built, encoder_out, draw.integers(0, 6, batch, target), hidden_state, *lens

    return args


_LUONG = _luong_args((1, 2, 2), (2, 3, 3), (3, 2, 5), (4, 4, 4))
_LUONG_PADDED = _luong_args((1, 3, 2), (2, 3, 3), (3, 5, 2), (4, 4, 4), padded=True)
_LUONG_NAMES = ("encoder_out", "decoder_x", "hidden_state", "valid_lens")


def _luong(observe: Callable, args: Callable = _LUONG) -> Callable[[Draw], list[Case]]:
    return wanted(observe, args, _SlowLuong)


def _of_luong(index: int) -> Callable[[Callable, tuple], Tensor]:
    return through(part(index))


def _luong_gradient(position: int, index: int) -> Callable[[Callable, tuple], Tensor | None]:
    return through(gradient_of(position, index))


EXERCISE = Exercise(
    name="LuongDecoder",
    arguments=("model", *_LUONG_NAMES),
    properties=(
        Property(
            "has the layers `embedding`, `rnn`, `W_a` and `W_c`, the last two without bias",
            lambda draw: [Case((Built(SIZES),), parameters(LuongLayers, (Built(SIZES),)))],
            layers_named("embedding", "rnn", "W_a", "W_c"),
            has_parameters,
        ),
        Property(
            "gives a pair: h̃ (batch, target, hidden), then the weights (batch, target, source)",
            _luong(through(shapes())),
            through(shapes()),
            have_shapes,
        ),
        Property(
            "each state of the GRU is a query: its weights are the softmax over the source of hᵀ (W_a s)",
            _luong(_of_luong(1)),
            _of_luong(1),
            equals,
        ),
        Property("h̃ = tanh(W_c [c; h]), h being the GRU's own state", _luong(_of_luong(0)), _of_luong(0), equals),
        Property(
            "so it is where embeddings are as wide as states",
            _luong(_of_luong(0), _luong_args((2, 3, 3), square=True)),
            _of_luong(0),
            equals,
        ),
        Property(
            "padding has no weight, and the real steps share all of it",
            _luong(_of_luong(1), _LUONG_PADDED),
            _of_luong(1),
            equals,
        ),
        Property("h̃ is made with the masked weights", _luong(_of_luong(0), _LUONG_PADDED), _of_luong(0), equals),
        Property(
            "whatever lies in the padding makes no difference",
            _luong(_of_luong(0), loud_padding(_luong_args((1, 3, 2), (3, 5, 2), padded=True))),
            _of_luong(0),
            equals,
        ),
        Property(
            "leaves its arguments as they were",
            lambda draw: [Case(args, _LUONG_NAMES) for args in _luong_args((2, 3, 3), padded=True)(draw)],
            through(changed_arguments),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "the gradient of h̃ with respect to the encoder's outputs is right",
            _luong(_luong_gradient(0, 0), _luong_args((1, 2, 2), (2, 3, 2))),
            _luong_gradient(0, 0),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "the gradient of the weights with respect to the first state is right",
            _luong(_luong_gradient(2, 1), _luong_args((1, 2, 2), (2, 3, 2))),
            _luong_gradient(2, 1),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "the gradient of h̃ reaches every parameter",
            _luong(parameter_gradients(picked(0)), _luong_args((2, 3, 2))),
            parameter_gradients(picked(0)),
            right_parameter_gradients,
            suggests="detached-gradient",
        ),
        Property(
            "a second call knows nothing of the first",
            _luong(on_second_call(part(0)), _luong_args((2, 3, 3))),
            on_second_call(part(0)),
            equals,
            suggests="answers-from-memory",
        ),
        at_any_size(_luong(_of_luong(1), _luong_args((1, 67, 2), (1, 2, 67), (17, 3, 2))), _of_luong(1)),
    ),
    misconceptions=MISTAKES,
)
