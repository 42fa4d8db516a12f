"""The mistakes that people make in `cached_attention`, each with the wrong implementations that show it."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.spoiling import cutting, remembering, stopping_at_64


def _joined(old: Tensor, new: Tensor) -> Tensor:
    return torch.cat([old, new], dim=2)


def _all(old: int, new: int) -> Tensor:
    return torch.ones(new, old + new, dtype=torch.bool)


def _allowed(old: int, new: int) -> Tensor:
    """Which of the old and new keys each new query may attend to: (new, old + new)."""
    return _all(old, new).tril(old)


def _softmax(scores: Tensor, allowed: Tensor) -> Tensor:
    return scores.masked_fill(~allowed, -torch.inf).softmax(-1)


def _attention(
    join: Callable = _joined,
    allow: Callable = _allowed,
    root: Callable = lambda queries, keys: math.sqrt(queries.shape[-1]),
    weigh: Callable = _softmax,
    result: Callable = lambda output, cache, new: (output, cache),
) -> Callable:
    """Attention with a cache out of parts, of which one has a mistake."""

    def attend(queries, keys, values, cache=None):
        all_keys, all_values = (keys, values) if cache is None else map(join, cache, (keys, values))
        scores = queries @ all_keys.mT / root(queries, all_keys)
        output = weigh(scores, allow(all_keys.shape[2] - keys.shape[2], keys.shape[2])) @ all_values
        return result(output, (all_keys, all_values), (keys, values))

    return attend


_right = _attention()


def _only_if(cached: bool, spoiled: Callable) -> Callable:
    """The right answer but for calls with a cache, or for those without one."""
    return lambda q, k, v, cache=None: (spoiled if (cache is not None) == cached else _right)(q, k, v, cache)


def _blind(queries, keys, values, cache=None):
    output, new = _right(queries, keys, values)
    return output, new if cache is None else tuple(map(_joined, cache, new))


def _forgetful(queries, keys, values, cache=None):
    return _right(queries, keys, values)


def _masked_afterwards(scores: Tensor, allowed: Tensor) -> Tensor:
    return scores.softmax(-1) * allowed


def _renormalised(scores: Tensor, allowed: Tensor) -> Tensor:
    weights = scores.softmax(-1) * allowed
    return weights / weights.sum(-1, keepdim=True)


def _written_into(position: int) -> Callable:
    """The right answer, which writes into one of its arguments: 3 and 4 are the keys and values of the cache."""

    def attend(queries, keys, values, cache=None):
        result = tuple(_right(queries, keys, values, cache))
        given = (queries, keys, values, *(cache or ()))
        if position < len(given):
            with torch.no_grad():
                given[position].add_(1)
        return result

    return attend


def _grown_in_place(queries, keys, values, cache=None):
    output, new = _right(queries, keys, values, cache)
    for old, grown in zip(cache or (), new, strict=False):
        old.data = grown.detach()
    return output, new


def _without_graph(output: Tensor, cache: tuple, new: tuple) -> Any:
    return output, tuple(tensor.detach() for tensor in cache)


def _of_pieces(change: Callable) -> Callable:
    """Make `remembering` and its kind work on a result that is a tensor and a pair."""

    def attend(queries, keys, values, cache=None):
        given = () if cache is None else cache
        output, all_keys, all_values = flat(queries, keys, values, *given)
        return output, (all_keys, all_values)

    def right(queries, keys, values, *cache):
        output, new = _right(queries, keys, values, cache or None)
        return output, *new

    flat = change(right)
    return attend


def _to_float32(queries, keys, values, cache=None):
    output, new = _right(queries.float(), keys.float(), values.float(), cache and tuple(x.float() for x in cache))
    return output, new


def _finite(fill: float) -> Callable:
    return lambda scores, allowed: scores.masked_fill(~allowed, fill).softmax(-1)


MISTAKES = (
    Misconception(
        "mask-from-the-first-key",
        "the mask is lined up with the first key, not with the last",
        "The new tokens stand *after* those in the cache: new token 0 may see all of these and itself. In yours it "
        "sees the first key only, as if nothing had come before. How many keys may new token t see, if P are cached?",
        (
            _attention(allow=lambda old, new: _all(old, new).tril()),
            _only_if(True, _attention(allow=lambda old, new: _all(old, new).tril(1))),
        ),
    ),
    Misconception(
        "new-tokens-unmasked",
        "the new tokens see one another's future",
        "One new token needs no mask: everything is in its past. Several do: they come at once, and each may see the "
        "new ones up to itself only. (The prompt comes that way.)",
        (
            _attention(allow=_all),
            _only_if(True, _attention(allow=_all)),
            _only_if(False, _attention(allow=_all)),
        ),
    ),
    Misconception(
        "cache-masked",
        "of the cached tokens, some are kept from the new ones",
        "Everything in the cache is in the past of every new token: nothing of it is masked.",
        (
            _only_if(
                True,
                _attention(
                    allow=lambda old, new: torch.cat(
                        [torch.ones(new, old, dtype=torch.bool).tril(), torch.ones(new, new, dtype=torch.bool).tril()],
                        1,
                    )
                ),
            ),
            _only_if(True, _attention(allow=lambda old, new: _allowed(old, new).triu())),
        ),
    ),
    Misconception(
        "new-keys-in-front",
        "the new keys and values are put in front of the old ones",
        "The cache is in the order of the text: what came first stays first. The mask counts on it, and so does the "
        "next call.",
        (_attention(join=lambda old, new: torch.cat([new, old], dim=2)),),
    ),
    Misconception(
        "cache-not-extended",
        "the cache that comes back doesn't hold all keys and values",
        "The next call gets this cache, and nothing else that it could know the past by: it holds the old tokens "
        "*and* the new ones.",
        (
            _only_if(True, _attention(result=lambda output, cache, new: (output, new))),
            lambda q, k, v, cache=None: (_right(q, k, v, cache)[0], cache if cache is not None else (k, v)),
            lambda q, k, v, cache=None: (_right(q, k, v, cache)[0], cache),
        ),
    ),
    Misconception(
        "values-not-cached",
        "the values aren't kept, only the keys",
        "A key says where to look, its value what is found there. Both are needed again for every later token.",
        (
            _attention(result=lambda output, cache, new: (output, (cache[0], new[1]))),
            _attention(result=lambda output, cache, new: (output, (cache[0], cache[0]))),
        ),
    ),
    Misconception(
        "keys-not-cached",
        "the keys aren't kept, only the values",
        "Without its key nobody finds the value. Both are needed again for every later token.",
        (
            _attention(result=lambda output, cache, new: (output, (new[0], cache[1]))),
            _attention(result=lambda output, cache, new: (output, (cache[1], cache[1]))),
        ),
    ),
    Misconception(
        "blind-to-the-cache",
        "the new tokens don't see the cache",
        "The new tokens attend to one another only. The keys and values in the cache are what they know of everything "
        "before.",
        (_blind, _forgetful),
    ),
    Misconception(
        "itself-unseen",
        "a new token doesn't see itself",
        "Token t attends to all before it *and to itself*. Its own key and value join the cache before it looks.",
        (
            _only_if(True, _attention(allow=lambda old, new: _all(old, new).tril(old - 1))),
            _attention(allow=lambda old, new: _all(old, new).tril(old - 1)),
        ),
    ),
    mistakes.ONE_STEP_AHEAD.explained(
        "Token t sees itself and what came before. Yours sees t + 1 too, which is the very one to be predicted.",
        *(_attention(allow=lambda old, new: _all(old, new).tril(old + 1)),),
    ),
    mistakes.INVERTED_MASK.explained(
        "In the course True means *may attend*. You mask the past and leave the future.",
        _attention(allow=lambda old, new: ~_allowed(old, new)),
    ),
    mistakes.NEVER_SCALES.explained(
        "It is *scaled* dot-product attention: without the division by √d wide heads have scores so large that the "
        "softmax picks a single key.",
        _attention(root=lambda queries, keys: 1.0),
    ),
    mistakes.DIVIDES_BY_D.explained(
        "The score of two random vectors grows like √d, not like d.",
        _attention(root=lambda queries, keys: queries.shape[-1]),
    ),
    mistakes.MULTIPLIES_BY_ROOT_D.row(_attention(root=lambda queries, keys: queries.shape[-1] ** -0.5)),
    mistakes.ROOT_OF_ANOTHER_SIZE.explained(
        "d is the width of one head's vectors, their last axis: not the number of tokens, and not that of all heads "
        "together.",
        _attention(root=lambda queries, keys: math.sqrt(keys.shape[2])),
        _attention(root=lambda queries, keys: math.sqrt(queries.shape[2])),
        _attention(root=lambda queries, keys: math.sqrt(queries.shape[1])),
        _attention(root=lambda queries, keys: math.sqrt(queries.shape[1] * queries.shape[3])),
    ),
    mistakes.NO_SOFTMAX.row(_attention(weigh=lambda scores, allowed: scores * allowed)),
    mistakes.SOFTMAX_OVER_WRONG_AXIS.row(
        _attention(weigh=lambda scores, allowed: scores.masked_fill(~allowed, -torch.inf).softmax(-2))
    ),
    mistakes.MASK_AFTER_SOFTMAX.row(_attention(weigh=_masked_afterwards), _attention(weigh=_renormalised), keys="keys"),
    mistakes.MASKS_WITH_ZERO.row(
        _attention(weigh=lambda scores, allowed: (scores * allowed).softmax(-1)),
        _attention(weigh=lambda scores, allowed: scores.masked_fill(~allowed, 1e-9).softmax(-1)),
    ),
    Misconception(
        "fill-too-large-for-half-precision",
        "the number that fills masked scores doesn't fit into half precision",
        "−10⁹ is more than float16 can hold. −∞ fits into every type, and so does `torch.finfo(scores.dtype).min`.",
        (_attention(weigh=_finite(-1e9)), _attention(weigh=_finite(-1e6))),
    ),
    Misconception(
        "order-of-output-and-cache",
        "output and cache come in the other order",
        "Both are there, in the other order: (output, cache).",
        (_attention(result=lambda output, cache, new: (cache, output)),),
    ),
    Misconception(
        "values-before-keys",
        "the cache holds the values first",
        "A cache is the pair (keys, values), coming in and going out.",
        (_attention(result=lambda output, cache, new: (output, cache[::-1])),),
    ),
    Misconception(
        "output-alone",
        "no cache comes back",
        "The next call needs it: return (output, cache).",
        (
            _attention(result=lambda output, cache, new: output),
            _attention(result=lambda output, cache, new: (output, None)),
        ),
    ),
    Misconception(
        "cache-is-no-pair",
        "the cache isn't a pair",
        "A cache is a plain tuple, (keys, values), and nothing around it.",
        (
            _attention(result=lambda output, cache, new: (output, *cache)),
            _attention(result=lambda output, cache, new: (output, torch.stack(cache))),
            _attention(result=lambda output, cache, new: (output, {"keys": cache[0], "values": cache[1]})),
        ),
    ),
    Misconception(
        "joined-along-another-axis",
        "old and new are joined along the wrong axis",
        "Which axis counts the tokens in (batch, heads, tokens, d)? That one grows, and all others stay.",
        (
            _attention(join=lambda old, new: torch.cat([old, new], dim=0)),
            _attention(join=lambda old, new: torch.cat([old, new], dim=1)),
            _attention(join=lambda old, new: torch.cat([old, new], dim=-1)),
        ),
    ),
    Misconception(
        "only-the-last-token",
        "an output comes back for the last new token only",
        "Each of the new tokens has an output: (batch, heads, T, d).",
        (
            _attention(result=lambda output, cache, new: (output[:, :, -1:], cache)),
            _attention(result=lambda output, cache, new: (output[:, :, -1], cache)),
        ),
    ),
    mistakes.WRITES_INTO_ARGUMENTS.explained(
        "The result is right, but something that the caller handed over is no longer what it was. A cache may be "
        "continued more than once (two endings of one beginning): the longer one is a new pair of tensors.",
        _grown_in_place,
        *map(_written_into, (3, 4, 0, 1, 2)),
    ),
    Misconception(
        "cache-without-a-graph",
        "the cache is cut off from the tensors that it is made of",
        "The numbers are right, but what a later token finds in the cache is no longer connected to where it came "
        "from: `.detach()`, `.data` and `torch.no_grad()` cut the connection. Who generates turns gradients off "
        "outside.",
        (_attention(result=_without_graph),),
    ),
    mistakes.DETACHED_GRADIENT.row(
        _of_pieces(cutting(0)),
        _of_pieces(cutting(1)),
        _of_pieces(cutting(2)),
        _of_pieces(cutting(3, 4)),
        _of_pieces(cutting(0, 1, 2, 3, 4)),
        inputs="all of the tensors that came in",
    ),
    mistakes.TYPE_CHANGED.row(_to_float32, dtype="float16"),
    mistakes.ANSWERS_FROM_MEMORY.row(_of_pieces(remembering)),
    mistakes.SMALL_SIZES_ONLY.row(_of_pieces(stopping_at_64)),
    mistakes.FORBIDDEN_CALL.row(),
    mistakes.nothing_returned(),
)
