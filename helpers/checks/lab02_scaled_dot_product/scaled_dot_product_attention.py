"""`scaled_dot_product_attention`: what a right answer does."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from helpers.checks.engine import Case, Draw, Exercise, Property
from helpers.checks.forbidden import own_work
from helpers.checks.judging import (
    GRADIENT,
    at_any_size,
    changed_arguments,
    clones,
    each_for_itself,
    equals,
    gradients,
    have_shapes,
    leaves_arguments_alone,
    part,
    right_gradient,
    shapes,
)
from helpers.checks.lab02_scaled_dot_product.scaled_dot_product_attention_mistakes import MISTAKES
from helpers.checks.lab02_scaled_dot_product.shared import scores_oracle


def _weights_oracle(queries: Tensor, keys: Tensor, valid_lens: Tensor | None) -> Tensor:
    scores = scores_oracle(queries, keys, scaled=True)
    batch, num_queries, num_keys = scores.shape
    rows = []
    for b in range(batch):
        for q in range(num_queries):
            length = _length_of(valid_lens, b, q, num_keys)
            valid = scores[b, q, :length].double()
            exps = (valid - valid.detach().max()).exp()
            rows.append(torch.cat([exps / exps.sum(), torch.zeros(num_keys - length, dtype=torch.float64)]))
    return torch.stack(rows).reshape(scores.shape).to(queries.dtype)


def _output_oracle(queries: Tensor, keys: Tensor, values: Tensor, valid_lens: Tensor | None) -> Tensor:
    weights = _weights_oracle(queries.double(), keys.double(), valid_lens)
    batch, num_queries, num_keys = weights.shape
    rows = []
    for b in range(batch):
        for q in range(num_queries):
            rows.append(sum(weights[b, q, k] * values[b, k].double() for k in range(num_keys)))
    return torch.stack(rows).reshape(batch, num_queries, -1).to(values.dtype)


def _length_of(valid_lens: Tensor | None, b: int, q: int, num_keys: int) -> int:
    if valid_lens is None:
        return num_keys
    return int(valid_lens[b] if valid_lens.dim() == 1 else valid_lens[b, q])


def _attention_case(draw: Draw, sizes: tuple, valid_lens: Tensor | None, want: Callable, scale: float = 2.0) -> Case:
    batch, num_queries, num_keys, d, v = sizes
    args = (
        draw.normal(batch, num_queries, d, scale=scale),
        draw.normal(batch, num_keys, d, scale=scale),
        draw.normal(batch, num_keys, v, scale=scale),
        valid_lens,
    )
    return Case(args, want(*args))


def _wanted_weights(queries, keys, values, valid_lens):
    return _weights_oracle(queries, keys, valid_lens)


def _wanted_shapes(queries, keys, values, valid_lens):
    leading = queries.shape[:2]
    return (*leading, values.shape[2]), (*leading, keys.shape[1])


def _without_lengths(want: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _attention_case(draw, (1, 1, 2, 4, 3), None, want)
        yield _attention_case(draw, (1, 2, 3, 4, 1), None, want)
        yield _attention_case(draw, (2, 2, 2, 2, 2), None, want)  # every axis of the same size
        yield _attention_case(draw, (2, 4, 3, 1, 5), None, want)
        yield _attention_case(draw, (3, 2, 4, 6, 2), None, want)

    return cases


def _length_a_sequence(want: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _attention_case(draw, (1, 1, 3, 4, 2), torch.tensor([2]), want)
        yield _attention_case(draw, (2, 1, 3, 4, 2), torch.tensor([1, 3]), want)
        yield _attention_case(draw, (2, 2, 2, 2, 2), torch.tensor([2, 1]), want)
        yield _attention_case(draw, (4, 3, 5, 3, 2), draw.integers(1, 5, 4), want)
        yield _attention_case(draw, (3, 3, 3, 2, 4), torch.tensor([2, 1, 3]).int(), want)

    return cases


def _length_a_query(want: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _attention_case(draw, (1, 2, 3, 4, 2), torch.tensor([[1, 2]]), want)
        yield _attention_case(draw, (2, 2, 2, 2, 2), torch.tensor([[2, 1], [1, 2]]), want)
        yield _attention_case(draw, (3, 2, 4, 3, 2), draw.integers(1, 4, 3, 2), want)

    return cases


def _loud_padding(draw: Draw) -> Iterator[Case]:
    for loudness in (1e3, -1e3):
        for lengths in (torch.tensor([2, 1]), torch.tensor([[2, 1], [1, 1]])):
            queries, keys, values = (draw.normal(2, size, 4) for size in (2, 3, 3))
            keys[:, 2:], values[:, 2:] = loudness, loudness
            args = (queries, keys, values, lengths)
            yield Case(args, _output_oracle(*args))
    # Scores of the valid keys far below any ordinary number: what stands for −∞ has to be lower still. Every product,
    # sum and root here is exact in float32, in whatever order it is taken.
    queries, keys, values = (
        torch.ones(1, 2, 16),
        draw.integers(-20_003, -20_000, 1, 3, 16).float(),
        draw.normal(1, 3, 4),
    )
    keys[:, :, 1:] = -20_000.0
    args = (queries, keys, values, torch.tensor([2]))
    yield Case(args, _output_oracle(*args))


def _large_sizes(draw: Draw) -> Iterator[Case]:
    yield _attention_case(draw, (1, 3, 67, 3, 2), None, _output_oracle)
    yield _attention_case(draw, (2, 2, 71, 2, 3), torch.tensor([71, 66]), _output_oracle)
    yield _attention_case(draw, (1, 67, 3, 2, 5), None, _output_oracle)
    yield _attention_case(draw, (1, 2, 3, 67, 71), None, _output_oracle, scale=0.5)


def _attention_arguments(draw: Draw) -> Iterator[Case]:
    for lengths in (None, torch.tensor([1, 3]), torch.tensor([[1, 2], [3, 1]])):
        args = (*(draw.normal(2, size, 4) for size in (2, 3, 3)), lengths)
        yield Case(args, ("queries", "keys", "values", "valid_lens"))


def _attention_gradients(part: int) -> Callable[[Draw], Iterator[Case]]:
    def both(*args: Any) -> tuple[Tensor, Tensor]:
        return _output_oracle(*args), _wanted_weights(*args)

    def cases(draw: Draw) -> Iterator[Case]:
        for lengths in (None, torch.tensor([2, 3]), torch.tensor([[1, 2], [3, 2]])):
            queries, keys, values = draw.normal(2, 2, 4), draw.normal(2, 3, 4), draw.normal(2, 3, 2)
            args = (queries, keys, values, lengths)
            yield Case(args, gradients(3 - part, part=part)(both, clones(args)))

    return cases


def _attention_types(want: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for dtype in (torch.float16, torch.bfloat16, torch.float64):
            args = (*(draw.normal(2, size, 4, scale=0.5).to(dtype) for size in (2, 3, 3)), None)
            yield Case(args, want(*args))

    return cases


EXERCISE = Exercise(
    name="scaled_dot_product_attention",
    arguments=("queries", "keys", "values", "valid_lens"),
    properties=(
        Property(
            "gives a pair: the output (batch, query, v), then the weights (batch, query, key)",
            _without_lengths(_wanted_shapes),
            shapes(),
            have_shapes,
            suggests="not-a-pair",
        ),
        Property(
            "the weights are the softmax of q·k/√d over the keys",
            _without_lengths(_wanted_weights),
            part(1),
            equals,
        ),
        Property(
            "the output is the mean of the values, weighted by them",
            _without_lengths(_output_oracle),
            part(0),
            equals,
        ),
        Property(
            "keys beyond a sequence's length have no weight, and the others share all of it",
            _length_a_sequence(_wanted_weights),
            part(1),
            equals,
        ),
        Property(
            "takes lengths of shape (batch, query) too",
            _length_a_query(_wanted_weights),
            part(1),
            equals,
            suggests="ignores-2d-lengths",
        ),
        Property("the output is made with the masked weights", _length_a_sequence(_output_oracle), part(0), equals),
        Property("whatever lies in the padding makes no difference", _loud_padding, part(0), equals),
        Property(
            "leaves its arguments as they were",
            _attention_arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "the output's gradient reaches queries, keys and values, and is right",
            _attention_gradients(0),
            gradients(3, part=0),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "the weights' gradient reaches queries and keys, and is right",
            _attention_gradients(1),
            gradients(2, part=1),
            right_gradient,
            suggests="detached-weights",
            shows=GRADIENT,
        ),
        Property(
            "the output keeps the type: float16, bfloat16, float64",
            _attention_types(_output_oracle),
            part(0),
            equals,
        ),
        Property("so do the weights", _attention_types(_wanted_weights), part(1), equals),
        each_for_itself(_length_a_query(_output_oracle), part(0)),
        at_any_size(_large_sizes, part(0)),
        own_work(_without_lengths(_wanted_shapes)),
    ),
    misconceptions=MISTAKES,
)
