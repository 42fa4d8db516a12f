"""`greedy_decode`: what a right answer does."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from helpers.checks.engine import Case, Draw, Exercise, Property
from helpers.checks.judging import at_any_size, clones, equals, has_dtype, has_shape, output
from helpers.checks.lab04_seq2seq.greedy_decode_mistakes import MISTAKES
from helpers.checks.lab04_seq2seq.shared import ARGUMENTS, decoded, drawn_weights, encoded, in_float64
from helpers.checks.models import WatchedSeq2Seq
from helpers.checks.modules import Built


def _greedy_oracle(weights: Mapping[str, Tensor], encoder_x: Tensor, length: int, start: int) -> tuple[Tensor, Tensor]:
    """The tokens, and by how much each was ahead of the next likely one: both (batch, length)."""
    # The check's model turns the encoder's state over (see `WatchedSeq2Seq`).
    state, tokens, steps, margins = -encoded(weights, encoder_x), torch.full((len(encoder_x),), start), [], []
    for _ in range(length):
        logits, state = decoded(weights, tokens, state)
        best, tokens = logits.topk(2, dim=1).values, logits.argmax(dim=1)
        steps.append(tokens)
        margins.append(best[:, 0] - best[:, 1])
    return torch.stack(steps, dim=1), torch.stack(margins, dim=1)


_SIZES = (6, 4, 8)  # the vocabulary, the embedding and the hidden size of the check's model


def _weights_of_a_writer(draw: Draw, eos: float, model_sizes: tuple[int, int, int]) -> dict[str, Tensor]:
    """Weights so large that what is written changes from step to step; `eos` says how much the model likes `<eos>`."""
    weights = drawn_weights(draw, *model_sizes, scale=1.5)
    weights["linear.bias"][0] += eos
    return weights


def _greedy_case(
    draw: Draw,
    sizes: tuple[int, int, int],
    start: tuple[int, ...] = (),
    training: bool = False,
    eos: float = -50.0,
    accept: Callable[[list[int]], bool] = lambda tokens: True,
    model_sizes: tuple[int, int, int] = _SIZES,
) -> Case:
    """A case with `sizes` (batch, source, length), whose likeliest tokens are well ahead and not always the same.

    `start` is left out of the call where it is empty.
    """
    batch, source, length = sizes
    while True:
        weights = _weights_of_a_writer(draw, eos, model_sizes)
        encoder_x = draw.integers(1, model_sizes[0] - 1, 8 * batch, source)
        tokens, margins = _greedy_oracle(in_float64(weights), encoder_x, length, *(start or (0,)))
        good = [
            row
            for row, written in enumerate(tokens.tolist())
            if margins[row].min() > 0.02 and len(set(written)) >= min(3, length) and accept(written)
        ][:batch]
        if len(good) == batch:
            built = Built(dict(zip(ARGUMENTS, model_sizes, strict=True)), weights, training)
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


def _large_tasks(draw: Draw) -> Iterator[Case]:
    yield _greedy_case(draw, (8, 67, 3))  # several: cut short, one alone may say the same
    yield _greedy_case(draw, (1, 3, 67))
    yield _greedy_case(draw, (3, 2, 3), model_sizes=(71, 4, 8))


@torch.random.fork_rng(devices=[])
def _after_other_calls(answer: Callable, args: tuple) -> Any:
    """Observe what is written after a call with another model, and one with other strings."""
    built, encoder_x, *others = args
    another = Built(built.arguments, {name: -weight for name, weight in built.weights.items()})
    # Built before the calls: what is drawn between them isn't drawn in the process in which a graded answer lives.
    other_model, model = another.build(WatchedSeq2Seq), built.build(WatchedSeq2Seq)
    answer(other_model, encoder_x.clone(), *others)
    answer(model, encoder_x.flip(0, 1), *others)
    return output(answer, (model, encoder_x, *others))


def _handed_over_in_training(draw: Draw) -> Iterator[Case]:
    yield _greedy_case(draw, (4, 3, 6), training=True)


def _writes_eos(tokens: list[int]) -> bool:
    return 0 in tokens


def _in_either_mode(draw: Draw) -> Iterator[Case]:
    for training in (True, False):
        yield Case(_greedy_case(draw, (2, 3, 4), training=training).args, training)


def _whatever_is_written(draw: Draw) -> Iterator[Case]:
    """A decoding that comes by `<eos>`, and one that doesn't, in either mode."""
    yield from _in_either_mode(draw)
    for training in (True, False):
        yield Case(_greedy_case(draw, (1, 3, 4), training=training, eos=1.0, accept=_writes_eos).args, training)


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
    before, encoder_x = (
        {name: parameter.detach().clone() for name, parameter in model.named_parameters()},
        args[0].clone(),
    )
    call(*args)
    changed = [] if torch.equal(encoder_x, args[0]) else ["encoder_x"]
    for name, parameter in model.named_parameters():
        if not torch.equal(parameter.detach(), before[name]):
            changed.append(f"the model's {name}")
        elif not parameter.requires_grad:
            changed.append(f"whether the model's {name} learns")
    return tuple(changed)


def _nothing_changed(got: tuple[str, ...], want: Any) -> str | None:
    return f"it changed {got[0]}" if got else None


EXERCISE = Exercise(
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
            _whatever_is_written,
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
        Property(
            "each call is answered for itself",
            _several_sources,
            _after_other_calls,
            equals,
            suggests="answers-from-memory",
        ),
        at_any_size(_large_tasks, _with_model(output)),
    ),
    misconceptions=MISTAKES,
)
