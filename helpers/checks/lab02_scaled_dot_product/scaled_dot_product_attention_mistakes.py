"""The mistakes that people make in `scaled_dot_product_attention`, each with the wrong implementations that show it."""

import math
from collections.abc import Callable

import torch
from torch import nn

from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.lab02_scaled_dot_product.shared import right_scores
from helpers.checks.masking import (
    FILLS,
    LOWER_FILLS,
    causal_as_well,
    mask_mistakes,
    padded,
    shape_of_lengths_mistakes,
    softmax,
)
from helpers.checks.spoiling import remembering, stopping_at_64


def _attend(
    weigh: Callable = softmax,
    divisor: Callable = lambda q, k, v: math.sqrt(q.shape[-1]),
    pool: Callable = lambda weights, keys, values: weights @ values,
    result: Callable = lambda output, weights: (output, weights),
) -> Callable:
    """Attention out of parts, of which one has a mistake."""

    def attend(queries, keys, values, valid_lens=None):
        weights = weigh(queries @ keys.mT / divisor(queries, keys, values), valid_lens)
        return result(pool(weights, keys, values), weights)

    return attend


def _overwrite_argument(position: int) -> Callable:
    def overwrite(*args):
        pair = _attend()(*args)
        args[position].mul_(0.5)
        return pair

    return overwrite


def _overwrite_lengths(queries, keys, values, valid_lens=None):
    pair = _attend()(queries, keys, values, valid_lens)
    if valid_lens is not None:
        valid_lens += 1
    return pair


def _builtin(queries, keys, values, valid_lens=None):
    _, weights = _attend()(queries, keys, values, valid_lens)
    mask = ~padded(weights, valid_lens)
    return nn.functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask), weights


def _cut(*positions: int) -> Callable:
    return lambda *args: _attend()(*(arg.detach() if i in positions else arg for i, arg in enumerate(args)))


MISTAKES = (
    mistakes.NEVER_SCALES.explained(
        "The dot products go into the softmax as they are. What has to happen to them first, if d may be large?",
        _attend(divisor=lambda q, k, v: 1.0),
    ),
    Misconception(
        "root-of-value-width",
        "the root is taken of the wrong width",
        "What makes a score large is the number of products that it sums: the width of queries and keys. The width of "
        "the values, the number of keys and the number of queries have no part in it.",
        (
            _attend(divisor=lambda q, k, v: math.sqrt(v.shape[-1])),
            _attend(divisor=lambda q, k, v: math.sqrt(k.shape[1])),
            _attend(divisor=lambda q, k, v: math.sqrt(q.shape[1])),
        ),
    ),
    mistakes.DIVIDES_BY_D.explained(
        "Then the weights become uniform as d grows. Exercise 3 says how fast the scores' size really grows.",
        _attend(divisor=lambda q, k, v: float(q.shape[-1])),
    ),
    mistakes.MULTIPLIES_BY_ROOT_D.row(_attend(divisor=lambda q, k, v: 1 / math.sqrt(q.shape[-1]))),
    Misconception(
        "scale-after-softmax",
        "the weights are scaled, not the scores",
        "The scale belongs before the softmax. After it, it only makes the weights sum to something else than 1.",
        (
            lambda queries, keys, values, valid_lens=None: _attend(
                lambda scores, lens: softmax(scores, lens) / math.sqrt(queries.shape[-1]),
                divisor=lambda q, k, v: 1.0,
            )(queries, keys, values, valid_lens),
        ),
    ),
    *mask_mistakes(_attend, fills=FILLS + LOWER_FILLS),
    *shape_of_lengths_mistakes(_attend),
    causal_as_well(_attend),
    mistakes.SOFTMAX_OVER_WRONG_AXIS.row(
        _attend(lambda scores, lens: scores.masked_fill(padded(scores, lens), -torch.inf).softmax(1)),
        _attend(lambda scores, lens: scores.masked_fill(padded(scores, lens), -1e9).softmax(1)),
        _attend(lambda scores, lens: scores.masked_fill(padded(scores, lens), -torch.inf).softmax(0)),
        _attend(lambda scores, lens: scores.masked_fill(padded(scores, lens), -1e9).softmax(0)),
        _attend(lambda scores, lens: scores.softmax(1) * ~padded(scores, lens)),
    ),
    mistakes.ORDER_OF_THE_PAIR.row(_attend(result=lambda output, weights: (weights, output)), pair="output, weights"),
    mistakes.NOT_A_PAIR.row(
        _attend(result=lambda output, weights: output),
        _attend(result=lambda output, weights: weights),
        _attend(result=lambda output, weights: (output, weights, weights)),
        pair="output, weights",
    ),
    mistakes.SCORES_FOR_WEIGHTS.row(
        lambda queries, keys, values, valid_lens=None: (
            _attend()(queries, keys, values, valid_lens)[0],
            right_scores(queries, keys),
        ),
        lambda queries, keys, values, valid_lens=None: (
            _attend()(queries, keys, values, valid_lens)[0],
            right_scores(queries, keys).masked_fill(padded(right_scores(queries, keys), valid_lens), -torch.inf),
        ),
        what="values",
    ),
    mistakes.NO_SOFTMAX.row(
        _attend(lambda scores, lens: scores * ~padded(scores, lens)),
        _attend(lambda scores, lens: scores.masked_fill(padded(scores, lens), -torch.inf)),
    ),
    mistakes.POOLS_KEYS_FOR_VALUES.row(_attend(pool=lambda weights, keys, values: weights @ keys)),
    mistakes.MEAN_TWICE.explained(
        "The weights sum to 1 already: the weighted *sum* of the values is their mean. Yours is divided by the number "
        "of keys once more.",
        _attend(pool=lambda weights, keys, values: weights @ values / keys.shape[1]),
    ),
    mistakes.UNMASKED_WEIGHTS.explained(
        "The output is right, but the weights beside it are from before the mask. A heatmap of them would "
        "show attention to padding that never happened.",
        lambda queries, keys, values, valid_lens=None: (
            _attend()(queries, keys, values, valid_lens)[0],
            right_scores(queries, keys).softmax(-1),
        ),
    ),
    mistakes.WRITES_INTO_ARGUMENTS.row(
        _overwrite_argument(0),
        _overwrite_argument(1),
        _overwrite_argument(2),
        _overwrite_lengths,
        arguments="tensors",
    ),
    Misconception(
        "detached-weights",
        "the weights that come back have lost their gradient",
        "The weights are detached before they are returned. Lose a term of a loss on them, and nothing learns: the "
        "caller can detach them, but not attach them again.",
        (_attend(result=lambda output, weights: (output, weights.detach())),),
    ),
    mistakes.DETACHED_GRADIENT.row(
        _cut(0, 1, 2), _cut(0), _cut(1), _cut(2), _cut(0, 1), inputs="the queries, keys or values"
    ),
    mistakes.TYPE_CHANGED.row(
        lambda q, k, v, lens=None: _attend()(q.float(), k.float(), v.float(), lens),
        lambda q, k, v, lens=None: _attend()(q.double(), k.double(), v.double(), lens),
        lambda q, k, v, lens=None: _attend(result=lambda out, w: (out, w.float()))(q, k, v, lens),
        dtype="float16",
    ),
    mistakes.ANSWERS_FROM_MEMORY.row(remembering(_attend())),
    mistakes.SMALL_SIZES_ONLY.row(stopping_at_64(_attend())),
    mistakes.FORBIDDEN_CALL.row(_builtin),
    mistakes.nothing_returned(),
)
