"""`dot_product_scores`: what a right answer does, and the mistakes that people make."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.forbidden import own_work
from helpers.checks.judging import (
    GRADIENT,
    at_any_size,
    changed_arguments,
    clones,
    each_for_itself,
    equals,
    gradient_of,
    has_shape,
    leaves_arguments_alone,
    output,
    right_gradient,
)
from helpers.checks.lab02_scaled_dot_product.shared import right_scores, scores_oracle
from helpers.checks.spoiling import remembering, stopping_at_64


def _scores_case(draw: Draw, sizes: tuple[int, int, int, int], scaled: bool) -> Case:
    batch, num_queries, num_keys, d = sizes
    queries, keys = draw.normal(batch, num_queries, d), draw.normal(batch, num_keys, d)
    return Case((queries, keys, scaled), scores_oracle(queries, keys, scaled))


def _scores_cases(scaled: bool) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _scores_case(draw, (1, 1, 2, 4), scaled)
        yield _scores_case(draw, (1, 2, 3, 4), scaled)
        yield _scores_case(draw, (2, 2, 2, 2), scaled)  # every axis of the same size
        yield _scores_case(draw, (3, 4, 2, 1), scaled)
        yield _scores_case(draw, (2, 3, 3, 5), scaled)
        yield _scores_case(draw, (2, 1, 5, 16), scaled)

    return cases


def _large_sizes(draw: Draw) -> Iterator[Case]:
    yield _scores_case(draw, (1, 3, 67, 2), True)
    yield _scores_case(draw, (1, 67, 3, 3), True)
    yield _scores_case(draw, (1, 2, 2, 131), True)


def _scores_in_turn(draw: Draw) -> Iterator[Case]:
    yield _scores_case(draw, (1, 2, 3, 4), True)
    yield _scores_case(draw, (2, 2, 2, 3), False)


def _scores_arguments(draw: Draw) -> Iterator[Case]:
    for scaled in (True, False):
        yield Case((draw.normal(2, 2, 4), draw.normal(2, 3, 4), scaled), ("queries", "keys", "scaled"))


def _scores_gradients(position: int) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for scaled in (False, True):
            args = (draw.normal(2, 2, 3), draw.normal(2, 4, 3), scaled)
            yield Case(args, gradient_of(position)(scores_oracle, clones(args)))

    return cases


def _scores_types(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        for scaled in (True, False):
            queries, keys = (draw.normal(2, 3, 4, scale=0.5).to(dtype) for _ in range(2))
            yield Case((queries, keys, scaled), scores_oracle(queries, keys, scaled))


def _by_default(answer: Callable, args: tuple) -> Any:
    """Observe what comes back if nothing is said about the scale."""
    return output(answer, args[:2])


def _scores_times(factor: Callable, otherwise: Callable = lambda q, k: 1.0) -> Callable:
    """q·k times a factor of queries and keys: one where the scores are scaled, and one where they aren't."""
    return lambda queries, keys, scaled=True: queries @ keys.mT * (factor if scaled else otherwise)(queries, keys)


def _scores_from(product: Callable) -> Callable:
    """Scores out of a product that has a mistake; scaled as they should be."""
    return lambda queries, keys, scaled=True: product(queries, keys) / (math.sqrt(queries.shape[-1]) if scaled else 1)


def _rooted(q: Tensor, k: Tensor) -> float:
    return 1 / math.sqrt(q.shape[-1])


def _overwrite(position: int) -> Callable:
    def overwrite(queries, keys, scaled=True):
        scores = right_scores(queries, keys, scaled)
        (queries, keys)[position].mul_(0.5)
        return scores

    return overwrite


def _scale_in_place(queries, keys, scaled=True):
    if scaled:
        queries /= math.sqrt(queries.shape[-1])
    return queries @ keys.mT


EXERCISE = Exercise(
    name="dot_product_scores",
    arguments=("queries", "keys", "scaled"),
    properties=(
        Property(
            "gives one score for each query and key: (batch, query, key)", _scores_cases(False), output, has_shape
        ),
        Property("with `scaled=False` a score is the plain dot product", _scores_cases(False), output, equals),
        Property("with `scaled=True` it is divided by √d", _scores_cases(True), output, equals),
        Property("scales if nothing is said", _scores_cases(True), _by_default, equals, suggests="unscaled-by-default"),
        Property("leaves its arguments as they were", _scores_arguments, changed_arguments, leaves_arguments_alone),
        Property(
            "its gradient with respect to the queries is right",
            _scores_gradients(0),
            gradient_of(0),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "its gradient with respect to the keys is right",
            _scores_gradients(1),
            gradient_of(1),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property("keeps the type: float16, bfloat16 and float64 work", _scores_types, output, equals),
        each_for_itself(_scores_in_turn),
        at_any_size(_large_sizes),
        own_work(_scores_cases(False)),
    ),
    misconceptions=(
        mistakes.DIVIDES_BY_D.explained(
            "The *variance* of a dot product grows like d, so its typical size grows like √d. You divide by d: either "
            "outright, or by dividing the queries *and* the keys by √d. Now large d makes the scores too small, "
            "and the weights close to uniform.",
            _scores_times(lambda q, k: 1 / q.shape[-1]),
            lambda queries, keys, scaled=True: (
                (queries * _rooted(queries, keys)) @ (keys * _rooted(queries, keys)).mT if scaled else queries @ keys.mT
            ),
        ),
        mistakes.MULTIPLIES_BY_ROOT_D.explained(
            "The dot products are too large already, and the more so the larger d is. Which way does the scale have "
            "to go?",
            _scores_times(lambda q, k: math.sqrt(q.shape[-1])),
        ),
        Misconception(
            "root-rounded",
            "the root is rounded to a whole number",
            "√d is seldom a whole number: √8 is 2.83, neither 2 nor 3. Use the root as it is. Which function of yours, "
            "or which `//`, cuts off what comes after the point?",
            (
                _scores_times(lambda q, k: 1 / math.isqrt(q.shape[-1])),
                _scores_times(lambda q, k: 1 / round(math.sqrt(q.shape[-1]))),
                _scores_times(lambda q, k: 1 / math.ceil(math.sqrt(q.shape[-1]))),
            ),
        ),
        Misconception(
            "root-of-key-count",
            "the root is taken of the number of keys or queries",
            "A dot product is a sum over the *width* d of one query and one key. How many keys or queries there are "
            "has no part in it. Which axis of the queries is d?",
            (
                _scores_times(lambda q, k: 1 / math.sqrt(k.shape[1])),
                _scores_times(lambda q, k: 1 / math.sqrt(q.shape[1])),
            ),
        ),
        Misconception(
            "always-scales",
            "the scores are scaled although `scaled` is False",
            "`scaled=False` asks for the plain dot product, to compare with. Your scores are scaled either way.",
            (_scores_times(_rooted, _rooted),),
        ),
        mistakes.NEVER_SCALES.explained(
            "With `scaled=True` each dot product is divided by √d. Yours are the plain dot products.",
            _scores_times(lambda q, k: 1.0),
        ),
        mistakes.SCALED_REVERSED.explained(
            "You scale where `scaled` is False, and leave the scores plain where it is True.",
            _scores_times(lambda q, k: 1.0, _rooted),
        ),
        Misconception(
            "unscaled-by-default",
            "the scores are plain if nothing is said",
            "The signature says `scaled=True`: a call that doesn't mention the scale wants scaled scores.",
            (lambda queries, keys, scaled=False: right_scores(queries, keys, scaled),),
        ),
        Misconception(
            "transposes-wrong-axes",
            "the wrong axes are transposed",
            "The sum of a dot product runs over d, so d must be the last axis on the left and the middle one on the "
            "right; the batch stays where it is. Write the shapes of both factors one beside the other.",
            (
                _scores_from(lambda q, k: q.mT @ k),
                _scores_from(lambda q, k: q @ k),
                _scores_from(lambda q, k: q @ k.transpose(0, 1)),
                _scores_from(lambda q, k: q @ k.permute(2, 1, 0)),
            ),
        ),
        mistakes.QUERIES_AND_KEYS_SWAPPED.row(_scores_from(lambda q, k: k @ q.mT)),
        mistakes.RESHAPE_FOR_TRANSPOSE.explained(
            "A reshape to (batch, d, key) has the right shape and the wrong numbers: it reads the same memory in the "
            "same order, so parts of different keys end up in one column. To swap two axes you need a transpose.",
            _scores_from(lambda q, k: q @ k.reshape(k.shape[0], k.shape[2], k.shape[1])),
        ),
        Misconception(
            "elementwise-product",
            "entries are multiplied, but not summed over d",
            "A score is one number for a query and a key: the *sum* over d of the products of their entries.",
            (
                _scores_from(lambda q, k: q * k),
                _scores_from(lambda q, k: q.unsqueeze(2) * k.unsqueeze(1)),
                _scores_from(lambda q, k: (q * k).sum(-1)),
            ),
        ),
        mistakes.SOFTMAX_INSIDE.row(lambda queries, keys, scaled=True: right_scores(queries, keys, scaled).softmax(-1)),
        mistakes.ONE_SEQUENCE_FOR_ALL.row(
            _scores_from(lambda q, k: q @ k[:1].mT),
            _scores_from(lambda q, k: q[:1] @ k.mT),
            _scores_from(lambda q, k: q[:1] @ k[:1].mT),
            sequence="sequence",
            what="queries and keys",
        ),
        mistakes.AXIS_LOST.row(
            _scores_from(lambda q, k: (q @ k.mT).squeeze()),
            _scores_from(lambda q, k: (q @ k.mT).squeeze(0)),
        ),
        Misconception(
            "cosine",
            "queries and keys are normalised to length 1",
            "That is the cosine of the angle between them. The dot product keeps their lengths.",
            (
                _scores_from(
                    lambda q, k: nn.functional.normalize(q, dim=-1) @ nn.functional.normalize(k, dim=-1).mT,
                ),
            ),
        ),
        mistakes.WRITES_INTO_ARGUMENTS.row(_scale_in_place, _overwrite(0), _overwrite(1), arguments="queries or keys"),
        mistakes.DETACHED_GRADIENT.row(
            lambda queries, keys, scaled=True: right_scores(queries, keys, scaled).detach(),
            lambda queries, keys, scaled=True: right_scores(queries.detach(), keys, scaled),
            lambda queries, keys, scaled=True: right_scores(queries, keys.detach(), scaled),
            inputs="the queries or the keys",
        ),
        mistakes.TYPE_CHANGED.row(
            lambda queries, keys, scaled=True: right_scores(queries.float(), keys.float(), scaled),
            lambda queries, keys, scaled=True: right_scores(queries.double(), keys.double(), scaled),
            dtype="float16",
        ),
        mistakes.FLOAT32_ONLY.row(
            _scores_from(lambda q, k: q @ k.float().mT), _scores_from(lambda q, k: q.float() @ k.mT)
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(right_scores)),
        mistakes.SMALL_SIZES_ONLY.row(stopping_at_64(right_scores)),
        mistakes.FORBIDDEN_CALL.row(),
        mistakes.nothing_returned(),
    ),
)
