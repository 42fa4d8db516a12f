"""The mistakes that people make in `online_step`, each with the wrong implementations that show it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.spoiling import remembering, stopping_at_64


def _anchored(maximum: Tensor) -> Tensor:
    return maximum.masked_fill(maximum == -torch.inf, 0.0)


def _divided(gathered: Tensor, total: Tensor) -> Tensor:
    return gathered / total.masked_fill(total == 0, 1.0)


def _as_gathered(gathered: Tensor, total: Tensor) -> Tensor:
    return gathered


def _step(
    best: Callable = lambda scores: scores.amax(-1, keepdim=True),
    running: Callable = torch.maximum,
    exponent: Callable = lambda scores, anchor: (scores - anchor).exp(),
    factor: Callable = lambda old, new: (old - new).exp(),
    total_so_far: Callable = lambda total, factor: total * factor,
    output_so_far: Callable = lambda output, total, factor: output * total * factor,
    anchor: Callable = _anchored,
    divide: Callable = _divided,
    result: Callable = lambda maximum, total, output: (maximum, total, output),
) -> Callable:
    """A step out of parts, of which one has a mistake."""

    def step(state: Any, scores: Tensor, values: Tensor) -> Any:
        maximum = best(scores)
        if state is not None:
            maximum = running(state[0], maximum)
        at = anchor(maximum)
        weights = exponent(scores, at)
        total, gathered = weights.sum(-1, keepdim=True), weights @ values
        if state is not None:
            rescale = factor(state[0], at)
            gathered = gathered + output_so_far(state[2], state[1], rescale)
            total = total + total_so_far(state[1], rescale)
        return result(maximum, total, divide(gathered, total))

    return step


_right = _step()


def _averaged(mix: Callable) -> Callable:
    """Blocks by themselves, whose outputs are mixed; maximum and total are right."""

    def step(state: Any, scores: Tensor, values: Tensor) -> Any:
        alone = _right(None, scores, values)
        return alone if state is None else (*_right(state, scores, values)[:2], mix(state, alone))

    return step


def _after_a_first(later: Callable) -> Callable:
    """Right for the first block; `later` says what is made of the state, the scores and the values of the others."""
    return lambda state, scores, values: (_right if state is None else later)(state, scores, values)


def _summed_without_maximum(state: Any, scores: Tensor, values: Tensor) -> Any:
    """Totals of exp(score) themselves, brought into the form that is asked for at the end."""
    maximum, _, _ = _right(state, scores, values)
    at = _anchored(maximum)
    exps = scores.exp()
    total, gathered = exps.sum(-1, keepdim=True), exps @ values
    if state is not None:
        before = state[1] * _anchored(state[0]).exp()
        total, gathered = total + before, gathered + before * state[2]
    return maximum, total / at.exp(), _divided(gathered, total)


def _plain_total(state: Any, scores: Tensor, values: Tensor) -> Any:
    """The total is the sum of exp(score), with nothing taken away."""
    maximum, _, output = _right(state, scores, values)
    total = scores.exp().sum(-1, keepdim=True)
    return maximum, total if state is None else state[1] + total, output


def _log_of_the_sum(state: Any, scores: Tensor, values: Tensor) -> Any:
    maximum, total, output = _right(state and (state[0], state[1].exp(), state[2]), scores, values)
    return maximum, total.log(), output


def _overwriting_the_state(state: Any, scores: Tensor, values: Tensor) -> Any:
    found = _right(state, scores, values)
    if state is not None:
        with torch.no_grad():
            state[2].copy_(found[2])
    return found


def _overwriting(place: int) -> Callable:
    def step(state: Any, *block: Tensor) -> Any:
        found = _right(state, *block)
        with torch.no_grad():
            block[place].add_(1)
        return found

    return step


def _with_floor(floor: float) -> Callable:
    """The first maximum is a number that stands for −∞, or scores below it are raised to it."""
    return _step(best=lambda scores: scores.amax(-1, keepdim=True).clamp(min=floor), anchor=lambda maximum: maximum)


def _in_another_type(change: Callable) -> Callable:
    return lambda state, scores, values: tuple(change(part) for part in _right(state, scores, values))


def _cut(state: Any, scores: Tensor, values: Tensor) -> Any:
    return _right(state, scores.detach(), values)


def _cut_values(state: Any, scores: Tensor, values: Tensor) -> Any:
    return _right(state, scores, values.detach())


def _cut_state(state: Any, scores: Tensor, values: Tensor) -> Any:
    return _right(state and tuple(part.detach() for part in state), scores, values)


_half_detached = _step(anchor=lambda maximum: _anchored(maximum.detach()))
_half_detached_later = _step(factor=lambda old, new: (old.detach() - new).exp())


MISTAKES = (
    Misconception(
        "total-not-rescaled",
        "the old total isn't rescaled",
        "The total so far was summed up under the *old* maximum: every term is exp(score − old maximum). When the "
        "maximum grows, all of those terms shrink, and by the same factor. Which one?",
        (
            _step(total_so_far=lambda total, factor: total),
            _step(
                total_so_far=lambda total, factor: total,
                output_so_far=lambda output, total, factor: output * total,
            ),
        ),
    ),
    Misconception(
        "output-not-rescaled",
        "the old output isn't rescaled",
        "What the old blocks have gathered was weighted under the *old* maximum, like their total. It shrinks by the "
        "same factor before the new block's part is added.",
        (_step(output_so_far=lambda output, total, factor: output * total),),
    ),
    Misconception(
        "old-output-counted-once",
        "the old output comes in without its total",
        "`output` is a *mean*: the sum that it came from has been divided by the old total already. To add to that sum "
        "you need it back.",
        (
            _step(output_so_far=lambda output, total, factor: output * factor),
            _step(output_so_far=lambda output, total, factor: output),
        ),
    ),
    Misconception(
        "factor-upside-down",
        "the factor is upside down",
        "When the maximum grows, old terms get *smaller*: exp(score − maximum) with a larger maximum. Your factor "
        "makes them larger. What is taken away from what?",
        (
            _step(factor=lambda old, new: (new - old).exp().nan_to_num(posinf=0.0)),
            _step(factor=lambda old, new: (new - old).exp()),
        ),
    ),
    Misconception(
        "block-maximum",
        "`maximum` is the block's, not the largest so far",
        "A block may have smaller scores than those before it. What counts is the larger of the old maximum and the "
        "block's.",
        (
            _step(running=lambda old, new: new),
            _after_a_first(
                lambda state, scores, values: (scores.amax(-1, keepdim=True), *_right(state, scores, values)[1:])
            ),
        ),
    ),
    Misconception(
        "first-maximum-kept",
        "`maximum` stays what the first block had",
        "A later block may have a larger score. Then the maximum grows, and everything that was summed up before is "
        "rescaled.",
        (
            _step(running=lambda old, new: old),
            _after_a_first(lambda state, scores, values: (state[0], *_right(state, scores, values)[1:])),
        ),
    ),
    Misconception(
        "blocks-averaged",
        "all blocks count alike",
        "A block with high scores should count for more than one with low scores, and one with many keys for more "
        "than one with few. How much each has to say is what its total tells.",
        (
            _averaged(lambda state, alone: (state[2] + alone[2]) / 2),
            _averaged(lambda state, alone: state[2] + alone[2]),
            _averaged(lambda state, alone: (state[1] * state[2] + alone[1] * alone[2]) / (state[1] + alone[1])),
        ),
    ),
    Misconception(
        "state-ignored",
        "the state has no effect",
        "Your step answers for the new block alone. What was seen before is in `state`.",
        (lambda state, scores, values: _right(None, scores, values),),
    ),
    Misconception(
        "block-ignored",
        "only the first block counts",
        "From the second block on, your step hands back the state that it was given.",
        (lambda state, scores, values: _right(None, scores, values) if state is None else tuple(state),),
    ),
    Misconception(
        "overflows",
        "the exponential overflows where scores are large",
        "exp(1000) is more than a float can hold, and exp(−1000) less. Take the maximum away *before* the exponential, "
        "never after it.",
        (
            _summed_without_maximum,
            lambda state, scores, values: (
                *_right(state, scores, values)[:2],
                _summed_without_maximum(state, scores, values)[2],
            ),
        ),
    ),
    Misconception(
        "total-of-plain-exponentials",
        "`total` is a sum of exp(score), with no maximum taken away",
        "Each term of the total is exp(score − maximum), so the largest one is 1.",
        (_plain_total, _step(anchor=torch.zeros_like, factor=lambda old, new: torch.ones_like(old))),
    ),
    Misconception(
        "log-for-total",
        "`total` is a logarithm",
        "Some keep the logarithm of the sum, and it does as well. What is asked for is the sum.",
        (
            _log_of_the_sum,
            lambda state, scores, values: (
                _right(state, scores, values)[0],
                _right(state and (state[0], (state[1] - state[0]).exp(), state[2]), scores, values)[1].log()
                + _right(state, scores, values)[0],
                _right(state and (state[0], (state[1] - state[0]).exp(), state[2]), scores, values)[2],
            ),
        ),
    ),
    Misconception(
        "never-divided",
        "`output` is never divided by the total",
        "What you return is the weighted *sum*. The weights are terms of the total, and don't sum to 1 until they are "
        "divided by it. (FlashAttention divides once, at the very end. Here the output is a mean after every step.)",
        (
            _step(divide=_as_gathered, output_so_far=lambda output, total, factor: output * factor),
            _step(divide=_as_gathered),
        ),
    ),
    Misconception(
        "divided-in-the-first-block-alone",
        "after the first block nothing is divided any more",
        "With a single block your `output` is a mean. From the second block on it is a sum. Every step ends like the "
        "first one: what was gathered is divided by the total so far.",
        (
            _after_a_first(_step(divide=_as_gathered)),
            _after_a_first(_step(divide=_as_gathered, output_so_far=lambda output, total, factor: output * factor)),
        ),
    ),
    Misconception(
        "divided-by-its-own-total",
        "the sum is divided by the block's total, not by the whole one",
        "The new sum holds the values of all blocks, so it is divided by the total of all blocks.",
        (
            lambda state, scores, values: (
                *_right(state, scores, values)[:2],
                _divided(
                    _right(state, scores, values)[1] * _right(state, scores, values)[2],
                    (scores - _anchored(_right(state, scores, values)[0])).exp().sum(-1, keepdim=True),
                ),
            ),
            _step(total_so_far=lambda total, factor: 0.0),
        ),
    ),
    Misconception(
        "nan-after-a-mask",
        "a block that is masked throughout leaves NaN behind",
        "Where all scores are −∞, so is the maximum, and −∞ − (−∞) is NaN; and 0 / 0 is one more. Such a block has "
        "nothing to add: what number could you take away in the place of −∞?",
        (
            _step(anchor=lambda maximum: maximum),
            _step(anchor=lambda maximum: maximum, divide=lambda gathered, total: gathered / total),
            _step(divide=lambda gathered, total: gathered / total),
        ),
    ),
    Misconception(
        "masked-keys-count",
        "with every key masked, they count after all",
        "Nothing but −∞ was seen: the maximum is −∞, the total 0 and the output 0. A large negative number in the "
        "place of −∞ makes masked keys ordinary ones as soon as there are no others.",
        (
            lambda state, scores, values: _right(state, scores.clamp(min=-1e9), values),
            lambda state, scores, values: _right(state, scores.clamp(min=-1e4), values),
            lambda state, scores, values: _right(state, scores.clamp(min=torch.finfo(scores.dtype).min), values),
        ),
    ),
    Misconception(
        "maximum-of-nothing",
        "a query that has seen nothing but −∞ has another maximum",
        "A number that stands for −∞ may be handy inside a step. What comes back is −∞: the largest of no scores.",
        (
            _with_floor(-1e9),
            _with_floor(-1e30),
            _with_floor(-1e4),
            lambda state, scores, values: (
                _anchored(_right(state, scores, values)[0]),
                *_right(state, scores, values)[1:],
            ),
            _step(result=lambda maximum, total, output: (maximum.nan_to_num(neginf=-1e38), total, output)),
        ),
    ),
    Misconception(
        "maximum-at-least-zero",
        "`maximum` starts from 0",
        "Scores may all be negative. The largest of none is −∞, not 0.",
        (_with_floor(0.0), _with_floor(-1.0)),
    ),
    Misconception(
        "not-per-query",
        "the queries don't each have a maximum of their own",
        "Every row, (batch, query, :), is a softmax by itself. Yours takes the maximum over other keys than those of "
        "one query.",
        (
            _step(best=lambda scores: scores.amax().expand(*scores.shape[:2], 1)),
            _step(best=lambda scores: scores.amax((1, 2), keepdim=True).expand(-1, scores.shape[1], 1)),
        ),
    ),
    Misconception(
        "smallest-for-largest",
        "the smallest score is taken away, not the largest",
        "With the largest taken away no exponential is more than 1. With the smallest they grow without bound.",
        (_step(best=lambda scores: scores.amin(-1, keepdim=True), running=torch.minimum),),
    ),
    Misconception(
        "axes-of-the-state-lost",
        "maximum and total lack their last axis",
        "Both are (batch, query, 1): one number for each query, with an axis that meets the scores. `keepdim=True` "
        "keeps it.",
        (
            lambda state, scores, values: (lambda found: (found[0].squeeze(-1), found[1].squeeze(-1), found[2]))(
                _right(state and (state[0].unsqueeze(-1), state[1].unsqueeze(-1), state[2]), scores, values)
            ),
        ),
    ),
    Misconception(
        "state-in-part",
        "only the output comes back",
        "The next step needs all three: maximum, total and output.",
        (
            lambda state, scores, values: _right(None, scores, values)[2],
            lambda state, scores, values: _right(None, scores, values)[1:],
            lambda state, scores, values: _right(None, scores, values)[:2],
        ),
    ),
    mistakes.ORDER_OF_THE_THREE.explained(
        "All three are there, in another order than (maximum, total, output).",
        lambda state, scores, values: (lambda m, t, o: (o, m, t))(
            *_right(state and (state[1], state[2], state[0]), scores, values)
        ),
        lambda state, scores, values: (lambda m, t, o: (t, m, o))(
            *_right(state and (state[1], state[0], state[2]), scores, values)
        ),
    ),
    mistakes.WRITES_INTO_ARGUMENTS.row(
        _overwriting_the_state, _overwriting(0), _overwriting(1), arguments="state or block"
    ),
    Misconception(
        "maximum-half-detached",
        "the maximum is cut off from the gradient in one place, and not in another",
        "The softmax doesn't depend on what is taken away from the scores, so no gradient has to go through the "
        "maximum. But then it may do so nowhere, the old maximum of the state included: a half of it is a wrong "
        "gradient.",
        (_half_detached, _half_detached_later),
    ),
    mistakes.DETACHED_GRADIENT.row(_cut, _cut_values, _cut_state, inputs="all scores and values so far"),
    mistakes.TYPE_CHANGED.row(
        _in_another_type(lambda part: part.float()),
        _in_another_type(lambda part: part.double()),
        _in_another_type(lambda part: part if part.dtype == torch.float64 else part.float()),
        dtype="float64",
    ),
    mistakes.ANSWERS_FROM_MEMORY.row(remembering(_right)),
    mistakes.SMALL_SIZES_ONLY.row(
        stopping_at_64(_right), lambda state, scores, values: _right(state, scores[:, :, :64], values[:, :64])
    ),
    mistakes.FORBIDDEN_CALL.row(),
    mistakes.nothing_returned(),
)
