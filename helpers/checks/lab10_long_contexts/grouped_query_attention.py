"""`grouped_query_attention`: what a right answer does, and the mistakes that people make."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

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
    gradients,
    has_shape,
    leaves_arguments_alone,
    output,
    right_gradient,
)
from helpers.checks.lab10_long_contexts.shared import (
    in_half_precision,
    is_as_wanted,
    only_arguments,
    refusal,
    refused,
    scaled,
    wrong_scales,
)
from helpers.checks.spoiling import cutting, overwriting, remembering, stopping_at_64


def _oracle(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """One head of one sequence after the other, in float64; differentiable."""
    heads_a_group = queries.shape[1] // keys.shape[1]
    sequences = []
    for b in range(len(queries)):
        heads = []
        for h in range(queries.shape[1]):
            q, k, v = queries[b, h].double(), keys[b, h // heads_a_group].double(), values[b, h // heads_a_group]
            scores = q @ k.T / math.sqrt(q.shape[1])
            exps = (scores - scores.detach().amax(1, keepdim=True)).exp()
            heads.append(exps / exps.sum(1, keepdim=True) @ v.double())
        sequences.append(torch.stack(heads))
    return torch.stack(sequences).to(queries.dtype)


def _case(draw: Draw, sizes: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Case:
    """Sizes are (batch, heads, groups, query, key, d)."""
    batch, heads, groups, num_queries, num_keys, dim = sizes
    shapes = ((batch, heads, num_queries, dim), (batch, groups, num_keys, dim), (batch, groups, num_keys, dim))
    args = tuple(draw.normal(*shape, scale=1.5).to(dtype) for shape in shapes)
    return Case(args, _oracle(*args))


def _cases(*several: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Callable[[Draw], Iterator[Case]]:
    return lambda draw: (_case(draw, sizes, dtype) for sizes in several)


_ONE_EACH = ((1, 1, 1, 1, 2, 2), (1, 1, 1, 2, 3, 4), (2, 3, 3, 2, 2, 2), (2, 2, 2, 3, 4, 1))
_ONE_GROUP = ((1, 2, 1, 1, 2, 2), (1, 3, 1, 2, 3, 2), (2, 4, 1, 3, 2, 3))
_GROUPED = ((1, 4, 2, 1, 2, 2), (1, 6, 2, 2, 3, 3), (1, 6, 3, 3, 2, 2), (2, 4, 2, 4, 4, 4), (3, 8, 2, 2, 5, 3))


def _uneven(draw: Draw) -> Iterator[Case]:
    for heads, groups in ((3, 2), (4, 3), (2, 4), (5, 2)):
        args = (draw.normal(2, heads, 2, 2), draw.normal(2, groups, 3, 2), draw.normal(2, groups, 3, 2))
        yield Case(args, refused("queries", "keys"))


def _gradients(draw: Draw) -> Iterator[Case]:
    for sizes in _GROUPED[:3]:
        case = _case(draw, sizes)
        yield Case(case.args, gradients(3)(_oracle, clones(case.args)))


def _half(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float16, torch.bfloat16):
        yield from _cases(_ONE_GROUP[1], _GROUPED[1], dtype=dtype)(draw)


def _repeated(keys: Tensor, heads: int) -> Tensor:
    return keys.repeat_interleave(heads // keys.shape[1], dim=1)


def _grouped(
    share: Callable = _repeated,
    share_values: Callable | None = None,
    score: Callable = scaled,
    weigh: Callable = lambda scores: scores.softmax(-1),
    result: Callable = lambda output, weights: output,
    check: bool = True,
) -> Callable:
    """Grouped attention out of parts, of which one has a mistake. What it shares out is handed over with the heads."""

    def attention(queries: Tensor, keys: Tensor, values: Tensor):
        heads = queries.shape[1]
        if check and heads % keys.shape[1]:
            raise ValueError("the heads of queries can't be shared out evenly")
        weights = weigh(score(queries, share(keys, heads)))
        return result(weights @ (share_values or share)(values, heads), weights)

    return attention


_right = _grouped()


def _in_turn(keys: Tensor, heads: int) -> Tensor:
    return keys.repeat(1, heads // keys.shape[1], 1, 1)


def _all_groups(keys: Tensor, heads: int) -> Tensor:
    """Every head has the keys of all groups, one after the other."""
    return keys.flatten(1, 2).unsqueeze(1).expand(-1, heads, -1, -1)


EXERCISE = Exercise(
    name="grouped_query_attention",
    arguments=("queries", "keys", "values"),
    properties=(
        Property(
            "gives each query of each head a vector: (batch, heads, query, d)", _cases(*_GROUPED), output, has_shape
        ),
        Property("with a group for every head it is scaled dot-product attention", _cases(*_ONE_EACH), output, equals),
        Property("with one group all heads share its keys and values", _cases(*_ONE_GROUP), output, equals),
        Property(
            "heads that lie side by side share a group: head h has group h // (heads / groups)",
            _cases(*_GROUPED),
            output,
            equals,
        ),
        Property(
            "refuses heads that the groups can't share evenly, with a ValueError",
            _uneven,
            refusal("queries", "keys"),
            is_as_wanted,
            suggests="uneven-groups",
        ),
        each_for_itself(_cases(*_GROUPED)),
        at_any_size(_cases((1, 2, 1, 2, 67, 2), (1, 4, 2, 71, 3, 2), (1, 134, 67, 1, 2, 2), (67, 2, 1, 1, 2, 67))),
        Property(
            "leaves its arguments as they were",
            only_arguments(_cases(*_GROUPED), "queries", "keys", "values"),
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property("its gradients are right", _gradients, gradients(3), right_gradient, shows=GRADIENT),
        Property(
            "keeps the type: float64 works",
            _cases(_ONE_GROUP[1], _GROUPED[1], dtype=torch.float64),
            output,
            equals,
            suggests="type-changed",
        ),
        Property("works in half precision: float16 and bfloat16", _half, output, in_half_precision, "type-changed"),
        own_work(_cases(*_GROUPED)),
    ),
    misconceptions=(
        Misconception(
            "groups-in-turn",
            "the groups are dealt out to the heads in turn",
            "With four heads and two groups, heads 0 and 1 share group 0, and heads 2 and 3 group 1. In yours it is "
            "heads 0 and 2. (`repeat` puts the whole row of groups behind itself; the other way to repeat puts each "
            "group behind *itself*.)",
            (
                _grouped(_in_turn),
                _grouped(lambda keys, heads: keys[:, torch.arange(heads) % keys.shape[1]]),
            ),
        ),
        Misconception(
            "keys-shared-otherwise-than-values",
            "a head has the keys of one group and the values of another",
            "What a head finds is a matter of keys and values *together*: value 3 belongs to key 3 of the same group. "
            "Share out both alike.",
            (_grouped(_repeated, _in_turn), _grouped(_in_turn, _repeated)),
        ),
        Misconception(
            "repeated-along-another-axis",
            "another axis is repeated than that of the groups",
            "The axes of keys and values are (batch, groups, key, d). It is axis 1 that has too few entries for the "
            "heads.",
            (
                _grouped(
                    lambda keys, heads: keys.repeat_interleave(heads // keys.shape[1], dim=2).reshape(
                        len(keys), heads, -1, keys.shape[3]
                    )
                ),
                _grouped(lambda keys, heads: keys.repeat_interleave(heads // keys.shape[1], dim=0)),
                _grouped(lambda keys, heads: keys.repeat_interleave(heads // keys.shape[1], dim=3)),
            ),
        ),
        Misconception(
            "keys-not-shared-out",
            "there are fewer keys than heads, and nobody shares them out",
            "PyTorch lines up the heads of the queries with the groups of the keys, and there are not as many of them. "
            "(With a single group it happens to work.) Every head needs the keys and values of its group.",
            (_grouped(lambda keys, heads: keys),),
        ),
        Misconception(
            "groups-averaged",
            "the groups are averaged",
            "A mean of keys is a key that nobody wrote. Each head has the keys of *one* group, as they are.",
            (
                _grouped(lambda keys, heads: keys.mean(1, keepdim=True)),
                _grouped(lambda keys, heads: keys.sum(1, keepdim=True)),
            ),
        ),
        Misconception(
            "first-group-for-all",
            "all heads have the same group",
            "That is multi-query attention, with a single group. Here every `heads / groups` heads have the next one.",
            (
                _grouped(lambda keys, heads: keys[:, :1]),
                _grouped(lambda keys, heads: keys[:, -1:]),
                _grouped(lambda keys, heads: keys[:, torch.arange(heads).clamp(max=keys.shape[1] - 1)]),
            ),
        ),
        Misconception(
            "groups-in-reverse",
            "the groups come in reverse order",
            "The first heads have group 0, the last ones the last group.",
            (_grouped(lambda keys, heads: _repeated(keys, heads).flip(1)),),
        ),
        Misconception(
            "all-groups-for-each-head",
            "every head attends to the keys of all groups",
            "A head looks at the keys of its own group only. In yours it has `groups` times as many to choose from.",
            (_grouped(_all_groups),),
        ),
        Misconception(
            "heads-blended-in-groups",
            "the heads of a group are averaged",
            "Heads that share keys still have a query each, and so an output each: what comes back has as many heads "
            "as went in.",
            (
                lambda queries, keys, values: _right(queries.unflatten(1, (keys.shape[1], -1)).mean(2), keys, values),
                lambda queries, keys, values: _right(
                    queries.unflatten(1, (keys.shape[1], -1)).mean(2), keys, values
                ).repeat_interleave(queries.shape[1] // keys.shape[1], dim=1),
                lambda queries, keys, values: _right(queries, keys, values).unflatten(1, (keys.shape[1], -1)).mean(2),
            ),
        ),
        Misconception(
            "groups-keep-an-axis",
            "the groups have an axis of their own in what comes back",
            "Inside it may be practical to have (batch, groups, heads / groups, query, d). What comes back has the "
            "heads on one axis.",
            (lambda queries, keys, values: _right(queries, keys, values).unflatten(1, (keys.shape[1], -1)),),
        ),
        *wrong_scales(_grouped),
        mistakes.SOFTMAX_OVER_WRONG_AXIS.row(
            _grouped(weigh=lambda scores: scores.softmax(-2)),
            _grouped(weigh=lambda scores: scores.softmax(1)),
            _grouped(weigh=lambda scores: scores.softmax(0)),
        ),
        mistakes.NO_SOFTMAX.row(_grouped(weigh=lambda scores: scores)),
        Misconception(
            "masked-though-unasked",
            "there is a mask that nobody asked for",
            "Here every query may attend to every key of its group, those that come later included.",
            (_grouped(weigh=lambda scores: (scores + torch.full_like(scores, -torch.inf).triu(1)).softmax(-1)),),
        ),
        mistakes.POOLS_KEYS_FOR_VALUES.row(lambda queries, keys, values: _right(queries, keys, keys)),
        mistakes.RETURNS_A_PAIR.explained(
            "What is asked for is the output alone, (batch, heads, query, d).",
            _grouped(result=lambda output, weights: (output, weights)),
        ),
        mistakes.SCORES_FOR_WEIGHTS.explained(
            "What comes back is the *output*: the weighted mean of the values, not the weights.",
            _grouped(result=lambda output, weights: weights),
        ),
        Misconception(
            "uneven-groups",
            "heads that the groups can't share evenly aren't refused as they should be",
            "Three heads can't share two groups evenly, and two heads can't share four. A caller who asks for that has "
            "made a mistake, and is best told so at once: with a `ValueError` whose message names `queries` or `keys`. "
            "(An `assert` raises another error, and so does PyTorch further down.)",
            (
                _grouped(check=False),
                _grouped(
                    lambda keys, heads: keys[:, torch.arange(heads) // max(heads // keys.shape[1], 1) % keys.shape[1]],
                    check=False,
                ),
                lambda queries, keys, values: (
                    _right(queries, keys, values)
                    if queries.shape[1] % keys.shape[1] == 0 or queries.shape[1] > keys.shape[1]
                    else queries
                ),
            ),
        ),
        mistakes.WRITES_INTO_ARGUMENTS.row(*(overwriting(i)(_right) for i in range(3)), arguments="tensors"),
        mistakes.DETACHED_GRADIENT.row(
            *(cutting(*places)(_right) for places in ((0,), (1,), (2,), (0, 1, 2))), inputs="all three arguments"
        ),
        mistakes.TYPE_CHANGED.row(
            lambda queries, keys, values: _right(queries, keys, values).float(),
            lambda queries, keys, values: _right(queries.float(), keys.float(), values.float()),
            lambda queries, keys, values: _right(queries, keys, values).double(),
            dtype="float64",
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(_right)),
        mistakes.SMALL_SIZES_ONLY.row(
            stopping_at_64(_right), lambda queries, keys, values: _right(queries, keys[:, :, :64], values[:, :, :64])
        ),
        mistakes.FORBIDDEN_CALL.row(),
        mistakes.nothing_returned(),
    ),
)
