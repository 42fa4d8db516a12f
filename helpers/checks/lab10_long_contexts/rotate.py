"""`rotate`: what a right answer does."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from helpers.checks.engine import Case, Draw, Exercise, Property
from helpers.checks.judging import (
    GRADIENT,
    at_any_size,
    changed_arguments,
    clones,
    each_for_itself,
    equals,
    gradient,
    has_shape,
    leaves_arguments_alone,
    output,
    right_gradient,
)
from helpers.checks.lab10_long_contexts.rotate_mistakes import MISTAKES
from helpers.checks.lab10_long_contexts.shared import (
    in_half_precision,
    is_as_wanted,
    only_arguments,
    refusal,
    refused,
    within,
)


def _oracle(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    """Pair by pair and place by place, in float64; differentiable."""
    columns = list(x.double().unbind(-1))  # each (batch, heads, length)
    for pair in range(len(columns) // 2):
        angles = [int(position) * base ** (-2 * pair / x.shape[-1]) for position in positions]
        cosines, sines = (
            torch.tensor([wave(angle) for angle in angles], dtype=torch.float64) for wave in (math.cos, math.sin)
        )
        a, b = columns[2 * pair : 2 * pair + 2]
        columns[2 * pair : 2 * pair + 2] = [a * cosines - b * sines, a * sines + b * cosines]
    return torch.stack(columns, dim=-1).to(x.dtype)


def _case(
    draw: Draw, sizes: tuple[int, ...], positions: list[int], dtype: torch.dtype = torch.float32, **base: float
) -> Case:
    """Sizes are (batch, heads, d)."""
    batch, heads, dim = sizes
    args = (
        draw.normal(batch, heads, len(positions), dim, scale=1.0).to(dtype),
        torch.tensor(positions),
        *base.values(),
    )
    return Case(args, _oracle(*args))


def _at_position_0(draw: Draw) -> Iterator[Case]:
    for sizes in ((1, 1, 2), (1, 2, 4), (2, 1, 6)):
        yield _case(draw, sizes, [0])


def _one_pair(draw: Draw) -> Iterator[Case]:
    yield _case(draw, (1, 1, 2), [1])
    yield _case(draw, (1, 1, 2), [0, 1, 2])
    yield _case(draw, (2, 1, 2), [0, 1, 2, 3])


def _several_pairs(draw: Draw) -> Iterator[Case]:
    yield _case(draw, (1, 1, 4), [1])
    yield _case(draw, (1, 1, 4), [0, 1, 2])
    yield _case(draw, (1, 1, 6), [0, 1, 2, 3])
    yield _case(draw, (2, 1, 8), [0, 1])


def _batches_and_heads(draw: Draw) -> Iterator[Case]:
    yield _case(draw, (1, 2, 4), [0, 1])
    yield _case(draw, (4, 4, 4), [0, 1, 2, 3])  # every axis of the same size
    yield _case(draw, (2, 3, 6), [0, 1, 2, 3])


def _any_positions(draw: Draw) -> Iterator[Case]:
    yield _case(draw, (1, 1, 4), [5])
    yield _case(draw, (1, 2, 4), [7, 8, 9])
    yield _case(draw, (2, 1, 6), [3, 0, 3, 11])


def _other_bases(draw: Draw) -> Iterator[Case]:
    yield _case(draw, (1, 1, 4), [0, 1, 3], base=100.0)
    yield _case(draw, (1, 2, 6), [2, 5], base=500000.0)


def _large_positions(draw: Draw) -> Iterator[Case]:
    yield _case(draw, (1, 1, 8), [100, 317])
    yield _case(draw, (1, 1, 16), [2048, 2047, 1031])


def _large(draw: Draw) -> Iterator[Case]:
    yield _case(draw, (1, 1, 4), list(range(67)))
    yield _case(draw, (1, 1, 134), [0, 1, 2])
    yield _case(draw, (2, 67, 2), [0, 1])
    yield _case(draw, (71, 1, 4), [1, 2])


def _odd_widths(draw: Draw) -> Iterator[Case]:
    for dim in (3, 1, 5):
        yield Case((draw.normal(1, 2, 2, dim), torch.arange(2)), refused("x"))


def _gradients(draw: Draw) -> Iterator[Case]:
    for case in (*_several_pairs(draw), *_batches_and_heads(draw)):
        yield Case(case.args, gradient(_oracle, clones(case.args)))


def _of_dtype(*dtypes: torch.dtype) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for dtype in dtypes:
            yield _case(draw, (1, 2, 4), [0, 1, 2], dtype)
            yield _case(draw, (2, 1, 6), [1001, 700, 319], dtype)

    return cases


EXERCISE = Exercise(
    name="rotate",
    arguments=("x", "positions", "base"),
    properties=(
        Property("has the shape of x", _several_pairs, output, has_shape),
        Property("position 0 leaves a vector as it is", _at_position_0, output, equals),
        Property("with two columns, each vector is turned by its position, in radians", _one_pair, output, equals),
        Property(
            "the columns 2i and 2i + 1 are a pair, turned by position · base^(−2i/d)", _several_pairs, output, equals
        ),
        Property("positions may start anywhere, and come in any order", _any_positions, output, equals),
        Property("every sequence and every head is turned alike", _batches_and_heads, output, equals),
        Property("`base` may be another", _other_bases, output, equals),
        Property(
            "is right far along, too, up to position 2,048", _large_positions, output, within(0.02), "small-sizes-only"
        ),
        Property(
            "refuses an odd number of columns, with a ValueError",
            _odd_widths,
            refusal("x"),
            is_as_wanted,
            suggests="odd-width-accepted",
        ),
        each_for_itself(_any_positions),
        at_any_size(_large),
        Property(
            "leaves its arguments as they were",
            only_arguments(_any_positions, "x", "positions"),
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property("its gradient is right", _gradients, gradient, right_gradient, shows=GRADIENT),
        Property("keeps the type: float64 works", _of_dtype(torch.float64), output, within(0.02), "type-changed"),
        Property(
            "works in half precision: float16 and bfloat16",
            _of_dtype(torch.float16, torch.bfloat16),
            output,
            in_half_precision,
            suggests="type-changed",
        ),
    ),
    misconceptions=MISTAKES,
)
