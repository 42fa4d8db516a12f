"""`Seq2SeqModel`: what a right answer does."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from helpers.checks.engine import Case, Draw, Exercise, Property
from helpers.checks.judging import (
    at_any_size,
    changed_arguments,
    clones,
    equals,
    leaves_arguments_alone,
    output,
    weighted_sum,
)
from helpers.checks.lab04_seq2seq.seq2seq_model_mistakes import MISTAKES
from helpers.checks.lab04_seq2seq.shared import ARGUMENTS, decoded, drawn_weights, encoded, in_float64, shapes
from helpers.checks.modules import (
    Built,
    has_parameters,
    parameter_gradients,
    parameters,
    right_parameter_gradients,
    through,
)


def _logits_oracle(weights: Mapping[str, Tensor], encoder_x: Tensor, decoder_x: Tensor) -> Tensor:
    """Differentiable with respect to the weights, which are float64."""
    state, steps = encoded(weights, encoder_x), []
    for step in range(decoder_x.shape[1]):
        logits, state = decoded(weights, decoder_x[:, step], state)
        steps.append(logits)
    return torch.stack(steps, dim=1)


def _model_case(draw: Draw, lengths: tuple[int, int, int], sizes=(5, 2, 3), training: bool = False) -> Case:
    """A case with `lengths` (batch, source, target) and `sizes` (vocabulary, embedding, hidden)."""
    batch, source, target = lengths
    built = Built(dict(zip(ARGUMENTS, sizes, strict=True)), drawn_weights(draw, *sizes, scale=1.0), training)
    encoder_x, decoder_x = (draw.integers(0, sizes[0] - 1, batch, length) for length in (source, target))
    logits = _logits_oracle(in_float64(built.weights), encoder_x, decoder_x)
    return Case((built, encoder_x, decoder_x), logits.float())


def _model_parameters(draw: Draw) -> Iterator[Case]:
    for sizes in ((5, 2, 3), (6, 4, 4)):
        yield Case((Built(dict(zip(ARGUMENTS, sizes, strict=True))),), shapes(*sizes))


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


def _large_models(draw: Draw) -> Iterator[Case]:
    yield _model_case(draw, (1, 67, 3))
    yield _model_case(draw, (1, 2, 71))
    yield _model_case(draw, (67, 2, 3), (71, 5, 3))
    yield _model_case(draw, (2, 3, 2), (5, 67, 7))


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


EXERCISE = Exercise(
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
            suggests="answers-from-memory",
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
            suggests="writes-into-arguments",
        ),
        Property(
            "every parameter learns: the gradients are right",
            _model_gradients,
            parameter_gradients(),
            right_parameter_gradients,
            suggests="detached-gradient",
        ),
        at_any_size(_large_models, through(output)),
    ),
    misconceptions=MISTAKES,
)
