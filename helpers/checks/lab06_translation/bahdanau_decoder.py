"""`BahdanauDecoder`: what a right answer does."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from helpers.checks.engine import Case, Draw, Exercise, Property
from helpers.checks.judging import (
    GRADIENT,
    at_any_size,
    changed_arguments,
    clones,
    equals,
    gradient_of,
    have_shapes,
    leaves_arguments_alone,
    part,
    right_gradient,
    shapes,
    tensors,
    weighted_sum,
)
from helpers.checks.lab06_translation.bahdanau_decoder_mistakes import MISTAKES
from helpers.checks.modules import (
    Built,
    has_parameters,
    parameter_gradients,
    parameters,
    right_parameter_gradients,
    through,
)

_NAMES = ("embed_dim", "hidden_dim", "encoder_dim")
_SIZES, _EQUAL = (2, 4, 3), (3, 3, 3)  # where all are equal, more mistakes run, and show in the numbers


def _decoder_shapes(embed_dim: int, hidden_dim: int, encoder_dim: int) -> dict[str, tuple[int, ...]]:
    return {
        "score.W_q.weight": (hidden_dim, hidden_dim),
        "score.W_k.weight": (hidden_dim, encoder_dim),
        "score.w_v.weight": (1, hidden_dim),
        "rnn.weight_ih_l0": (3 * hidden_dim, encoder_dim + embed_dim),
        "rnn.weight_hh_l0": (3 * hidden_dim, hidden_dim),
        "rnn.bias_ih_l0": (3 * hidden_dim,),
        "rnn.bias_hh_l0": (3 * hidden_dim,),
    }


def _step_oracle(p: Mapping[str, Tensor], token: Tensor, state: Tensor, encoder_out: Tensor, valid_lens: Tensor):
    """One step, one sentence and one source token after the other; in float64, and differentiable."""
    outputs, rows = [], []
    for b, length in enumerate(valid_lens.tolist()):
        x, h, sources = token[b, 0].double(), state[0, b].double(), encoder_out[b].double()
        scores = [
            p["score.w_v.weight"][0] @ (p["score.W_q.weight"] @ h + p["score.W_k.weight"] @ source).tanh()
            for source in sources[:length]
        ]
        exps = torch.stack(scores).exp()
        weights = exps / exps.sum()
        context = sum(weight * source for weight, source in zip(weights, sources[:length], strict=True))
        of_x = p["rnn.weight_ih_l0"] @ torch.cat([context, x]) + p["rnn.bias_ih_l0"]
        of_h = p["rnn.weight_hh_l0"] @ h + p["rnn.bias_hh_l0"]
        (reset_x, update_x, new_x), (reset_h, update_h, new_h) = of_x.chunk(3), of_h.chunk(3)
        reset, update = (reset_x + reset_h).sigmoid(), (update_x + update_h).sigmoid()
        outputs.append((1 - update) * (new_x + reset * new_h).tanh() + update * h)
        rows.append(torch.cat([weights, torch.zeros(len(sources) - length, dtype=torch.float64)]))
    output = torch.stack(outputs).unsqueeze(1)
    return output, output.transpose(0, 1), torch.stack(rows)


def _in_float64(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight.double() for name, weight in weights.items()}


def _step_case(draw: Draw, valid_lens: list[int], source: int, sizes=_SIZES, training: bool = False, part_of=None):
    """A case; `part_of` says which of output, state and weights is wanted: all if None."""
    weights = {name: draw.normal(*shape, scale=1.0) for name, shape in _decoder_shapes(*sizes).items()}
    built = Built(dict(zip(_NAMES, sizes, strict=True)), weights, training)
    embed_dim, hidden_dim, encoder_dim = sizes
    batch = len(valid_lens)
    inputs = (
        draw.normal(batch, 1, embed_dim, scale=1.0),
        draw.normal(1, batch, hidden_dim, scale=1.0),
        draw.normal(batch, source, encoder_dim),
        torch.tensor(valid_lens),
    )
    wanted = tuple(tensor.float() for tensor in _step_oracle(_in_float64(weights), *inputs))
    return Case((built, *inputs), wanted if part_of is None else wanted[part_of])


def _decoder_parameters(draw: Draw) -> Iterator[Case]:
    for sizes in (_SIZES, (5, 2, 4)):
        yield Case((Built(dict(zip(_NAMES, sizes, strict=True))),), _decoder_shapes(*sizes))


def _step_shapes(draw: Draw) -> Iterator[Case]:
    for valid_lens, source in (([4], 4), ([2, 5], 5)):
        case = _step_case(draw, valid_lens, source)
        yield Case(case.args, tuple(tuple(tensor.shape) for tensor in case.want))


def _one_source(index: int) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _step_case(draw, [2], 2, part_of=index)
        yield _step_case(draw, [5], 5, part_of=index)
        yield _step_case(draw, [3], 3, _EQUAL, part_of=index)

    return cases


def _several_sources(index: int) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _step_case(draw, [3, 3], 3, part_of=index)
        yield _step_case(draw, [4, 4, 4], 4, _EQUAL, part_of=index)
        yield _step_case(draw, [4, 4, 4], 4, (4, 4, 4), part_of=index)

    return cases


def _padded_sources(index: int) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _step_case(draw, [2], 4, part_of=index)
        yield _step_case(draw, [2, 5], 5, part_of=index)
        yield _step_case(draw, [3, 1, 2], 4, _EQUAL, part_of=index)
        case = _step_case(draw, [1, 3, 2], 3, part_of=index)
        case.args[3][0, 1:] += 1e4  # what lies in the padding may be anything
        yield case

    return cases


def _steps_in_training(draw: Draw) -> Iterator[Case]:
    yield _step_case(draw, [3, 2], 3, training=True, part_of=0)


def _another_step(draw: Draw) -> Iterator[Case]:
    yield _step_case(draw, [3, 2], 3, part_of=0)


def _large_steps(draw: Draw) -> Iterator[Case]:
    yield _step_case(draw, [67, 13, 66], 67, part_of=0)
    yield _step_case(draw, [2] * 67, 2, part_of=0)
    yield _step_case(draw, [2, 3], 3, (13, 67, 5), part_of=0)


def _step_arguments(draw: Draw) -> Iterator[Case]:
    yield Case(_step_case(draw, [3, 2], 4).args, ("token_embedding", "state", "encoder_out", "valid_lens"))


def _stepped_before(answer: Callable, args: tuple) -> Tensor:
    """Observe the output of a third call; those before it were steps over another source, of the same sizes."""
    token, state, encoder_out, valid_lens = args
    answer(token + 1, state - 1, 2 * encoder_out + 1, torch.ones_like(valid_lens))
    answer(token - 2, state.flip(-1), encoder_out - 1, torch.full_like(valid_lens, encoder_out.shape[1]))
    return part(0, 3)(answer, args)


def _output_and_state(result: Any) -> Tensor:
    """What is trained through, in one: a graph may be cut before either."""
    output, state, _ = tensors(result, 3)
    return output + state.transpose(0, 1)


def _step_parameter_gradients(draw: Draw) -> Iterator[Case]:
    built, *inputs = _step_case(draw, [3, 2], 4).args
    weights = {name: weight.double().requires_grad_() for name, weight in built.weights.items()}
    total = weighted_sum(_output_and_state(_step_oracle(weights, *inputs)))
    wanted = torch.autograd.grad(total, list(weights.values()))
    yield Case((built, *inputs), dict(zip(weights, wanted, strict=True)))


def _step_input_gradients(position: int) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        built, *inputs = _step_case(draw, [3, 2], 4).args

        def oracle(*args: Tensor) -> tuple[Tensor, ...]:
            return tuple(tensor.float() for tensor in _step_oracle(_in_float64(built.weights), *args))

        yield Case((built, *inputs), gradient_of(position, 0, 3)(oracle, clones(tuple(inputs))))

    return cases


EXERCISE = Exercise(
    name="BahdanauDecoder",
    arguments=("decoder", "token_embedding", "state", "encoder_out", "valid_lens"),
    properties=(
        Property(
            "has the parameters of `score` and `rnn`, and no others",
            _decoder_parameters,
            parameters,
            has_parameters,
            suggests="other-layers",
        ),
        Property(
            "`step` gives the output (B, 1, H), the state (1, B, H) and the weights (B, S)",
            _step_shapes,
            through(shapes(3), "step"),
            have_shapes,
        ),
        Property("one sentence: the weights", _one_source(2), through(part(2, 3), "step"), equals),
        Property("one sentence: the output", _one_source(0), through(part(0, 3), "step"), equals),
        Property("one sentence: the new state", _one_source(1), through(part(1, 3), "step"), equals),
        Property("several sentences: the weights", _several_sources(2), through(part(2, 3), "step"), equals),
        Property("several sentences: the output", _several_sources(0), through(part(0, 3), "step"), equals),
        Property("several sentences: the new state", _several_sources(1), through(part(1, 3), "step"), equals),
        Property("padding has the weight 0", _padded_sources(2), through(part(2, 3), "step"), equals),
        Property("padding has no part in the output", _padded_sources(0), through(part(0, 3), "step"), equals),
        Property(
            "knows nothing of the calls before but what the state says",
            _another_step,
            through(_stepped_before, "step"),
            equals,
            suggests="answers-from-memory",
        ),
        Property(
            "is the same in training: there is no dropout",
            _steps_in_training,
            through(part(0, 3), "step"),
            equals,
            suggests="dropout",
        ),
        Property(
            "gradients reach every parameter",
            _step_parameter_gradients,
            parameter_gradients(_output_and_state, "step"),
            right_parameter_gradients,
            suggests="detached-gradient",
        ),
        Property(
            "gradients reach the encoder's outputs",
            _step_input_gradients(2),
            through(gradient_of(2, 0, 3), "step"),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "gradients reach the state, and so the steps before",
            _step_input_gradients(1),
            through(gradient_of(1, 0, 3), "step"),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "leaves its arguments as they were",
            _step_arguments,
            through(changed_arguments, "step"),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        at_any_size(_large_steps, through(part(0, 3), "step")),
    ),
    misconceptions=MISTAKES,
)
