"""`cached_attention`: what a right answer does."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from helpers.checks.engine import CannotObserve, Case, Draw, Exercise, Property
from helpers.checks.forbidden import forbidden_uses, own_work
from helpers.checks.judging import (
    GRADIENT,
    at_any_size,
    changed_arguments,
    clones,
    detached,
    equals,
    gradients,
    has_shape,
    have_shapes,
    leaves_arguments_alone,
    right_gradient,
    tensors,
    turned_round,
)
from helpers.checks.lab09_language_model.cached_attention_mistakes import MISTAKES

# A case holds queries, keys and values of the new tokens and, where there is a cache, its keys and its values.
_OF_NEW = ("queries", "keys", "values")
_WITH_CACHE = (*_OF_NEW, "keys in the cache", "values in the cache")


def _oracle(queries: Tensor, keys: Tensor, values: Tensor, old_keys: Tensor, old_values: Tensor) -> Tensor:
    """Token by token, head by head, in float64; differentiable."""
    batch, heads, new, d = queries.shape
    old = old_keys.shape[2]
    all_keys, all_values = torch.cat([old_keys, keys], 2).double(), torch.cat([old_values, values], 2).double()
    outputs = []
    for b in range(batch):
        for h in range(heads):
            for t in range(new):
                seen = old + t + 1
                scores = all_keys[b, h, :seen] @ queries[b, h, t].double() / math.sqrt(d)
                exps = (scores - scores.detach().max()).exp()
                outputs.append(exps @ all_values[b, h, :seen] / exps.sum())
    return torch.stack(outputs).reshape(batch, heads, new, d).to(queries.dtype)


def _case(draw: Draw, sizes: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Case:
    """Sizes are (batch, heads, tokens in the cache, new tokens, width of a head); the wanted output and cache."""
    batch, heads, old, new, d = sizes
    three = [draw.normal(batch, heads, new, d, scale=1.2).to(dtype) for _ in range(3)]
    cached = [draw.normal(batch, heads, old, d, scale=1.2).to(dtype) for _ in range(2)]
    want = (_oracle(*three, *cached), *(torch.cat(pair, 2) for pair in zip(cached, three[1:], strict=True)))
    return Case((*three, *(cached if old else ())), want)


def _cases(several: tuple, *parts: int) -> Callable[[Draw], Iterator[Case]]:
    """Cases that want all of output, keys and values, or only some parts of them."""

    def cases(draw: Draw) -> Iterator[Case]:
        for sizes in several:
            case = _case(draw, sizes)
            yield Case(case.args, tuple(case.want[part] for part in parts) if parts else case.want)

    return cases


_ONE_TOKEN = ((1, 1, 0, 1, 2), (2, 2, 0, 1, 3))
_NO_CACHE = ((1, 1, 0, 2, 2), (1, 2, 0, 3, 2), (2, 2, 0, 4, 3), (2, 3, 0, 3, 5))
_ONE_MORE = ((1, 1, 1, 1, 2), (1, 2, 2, 1, 2), (2, 2, 3, 1, 4), (3, 2, 5, 1, 3))
_SEVERAL_MORE = ((1, 1, 1, 2, 2), (1, 1, 3, 2, 2), (2, 2, 2, 2, 2), (2, 3, 2, 4, 3), (2, 2, 5, 3, 4))
_LARGE = ((1, 1, 67, 3, 2), (1, 2, 2, 67, 3), (1, 17, 3, 2, 3), (67, 1, 2, 2, 2), (1, 1, 2, 2, 67))


def _shape_cases(draw: Draw) -> Iterator[Case]:
    for sizes in (_NO_CACHE[1], _ONE_MORE[2], _SEVERAL_MORE[3]):
        case = _case(draw, sizes)
        yield Case(case.args, tuple(tuple(tensor.shape) for tensor in case.want))


def _loud_later_tokens(draw: Draw) -> Iterator[Case]:
    """The last new token outweighs all that came before, for every token that sees it."""
    for sizes in ((1, 1, 0, 2, 2), (2, 2, 2, 3, 2)):
        queries, keys, values, *cached = _case(draw, sizes).args
        queries[..., 0] = queries[..., 0].abs() + 1
        keys[:, :, -1], values[:, :, -1] = 0.0, 1e4
        keys[:, :, -1, 0] = 1e3
        given = cached or [keys[:, :, :0], values[:, :, :0]]
        joined = (torch.cat(pair, 2) for pair in zip(given, (keys, values), strict=True))
        yield Case((queries, keys, values, *cached), (_oracle(queries, keys, values, *given), *joined))


def _pieces(draw: Draw) -> Iterator[Case]:
    """A whole sequence, and the sizes of the pieces that it is fed in."""
    for sizes, cuts in (
        ((1, 1, 0, 3, 2), (1, 1, 1)),
        ((2, 2, 0, 5, 3), (2, 3)),
        ((1, 2, 0, 7, 2), (3, 1, 2, 1)),
        ((2, 1, 0, 6, 4), (1, 5)),
    ):
        case = _case(draw, sizes)
        yield Case((*case.args, cuts), case.want)


def _changing(draw: Draw) -> Iterator[Case]:
    yield Case(_case(draw, (2, 2, 0, 3, 2)).args, _OF_NEW)
    for sizes in ((2, 2, 3, 1, 2), (1, 2, 2, 3, 2)):
        yield Case(_case(draw, sizes).args, _WITH_CACHE)


def _of_types(*dtypes: torch.dtype) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for dtype in dtypes:
            yield _case(draw, (1, 2, 0, 3, 2), dtype)
            yield _case(draw, (1, 2, 2, 2, 4), dtype)

    return cases


def _gradient_cases(draw: Draw) -> Iterator[Case]:
    for sizes in ((1, 1, 0, 2, 2), (1, 2, 2, 1, 2), (2, 2, 2, 3, 2)):
        case = _case(draw, sizes)
        given = clones(case.args)
        empty = () if len(given) == 5 else (given[1][:, :, :0], given[2][:, :, :0])
        oracle = lambda *args, empty=empty: _oracle(*args, *empty)  # noqa: E731
        yield Case(case.args, gradients(len(given))(oracle, given))


def _gradients_in_pieces(draw: Draw) -> Iterator[Case]:
    for sizes in ((1, 1, 0, 3, 2), (2, 2, 0, 4, 2)):
        args = _case(draw, sizes).args
        empty = (args[1][:, :, :0], args[2][:, :, :0])
        later = lambda *args, empty=empty: _oracle(*args, *empty)[:, :, 2:]  # noqa: E731
        yield Case(args, gradients(3)(later, clones(args)))


def _told(result: Any) -> tuple[Tensor, Tensor, Tensor]:
    """What an answer returned, if it is an output and a cache, which is a pair.

    Raises:
        CannotObserve: otherwise; the message says what came instead.
    """
    if result is None:
        raise CannotObserve("it gave None")
    if not isinstance(result, tuple | list) or len(result) != 2:
        of = f" of {len(result)}" if isinstance(result, tuple | list) else ""
        raise CannotObserve(f"it gave a {type(result).__name__}{of}, not a pair (output, cache)")
    output, cache = result
    if not isinstance(output, Tensor):
        raise CannotObserve(f"its output is a {type(output).__name__}, not a tensor")
    try:
        return output, *tensors(cache)
    except CannotObserve as problem:
        raise CannotObserve(f"of the cache: {problem}") from None


def _called(answer: Callable, args: tuple) -> tuple[Tensor, Tensor, Tensor]:
    """Call with the case's tensors: those of the cache as a pair."""
    three, cached = args[:3], args[3:]
    return _told(answer(*three, tuple(cached)) if cached else answer(*three))


def _observe(*parts: int) -> Callable[[Callable, tuple], tuple[Tensor, ...]]:
    return lambda answer, args: detached(tuple(_called(answer, args)[part] for part in parts))


_all = _observe(0, 1, 2)


def _after_another(answer: Callable, args: tuple) -> tuple[Tensor, ...]:
    """Observe a call after one with other tensors of the same shapes."""
    _called(answer, turned_round(args))
    return _all(answer, args)


def _all_shapes(answer: Callable, args: tuple) -> tuple:
    return tuple(tuple(tensor.shape) for tensor in _called(answer, args))


def _output(answer: Callable) -> Callable[..., Tensor]:
    """The answer as a function of the case's tensors that gives the output alone."""
    return lambda *args: _called(answer, args)[0]


def _gradients(answer: Callable, args: tuple) -> Tensor | None:
    return gradients(len(args))(_output(answer), args)


def _in_pieces(answer: Callable, three: tuple, cuts: tuple[int, ...]) -> tuple[list[Tensor], tuple]:
    """The outputs for the pieces of a sequence, fed one after the other, and the cache at the end."""
    outputs: list[Tensor] = []
    cache: tuple[Tensor, ...] | None = None
    start = 0
    for size in cuts:
        piece = (tensor[:, :, start : start + size] for tensor in three)
        output, *longer = _told(answer(*piece, cache))
        cache = tuple(longer)
        outputs.append(output)
        start += size
    return outputs, cache or ()


def _fed_in_pieces(answer: Callable, args: tuple) -> tuple[Tensor, ...]:
    *three, cuts = args
    outputs, cache = _in_pieces(answer, tuple(three), cuts)
    for output, size in zip(outputs, cuts, strict=True):
        problem = has_shape(output, three[0][:, :, :size])
        if problem:
            raise CannotObserve(problem)
    return detached((torch.cat(outputs, 2), *cache))


def _gradients_through_the_cache(answer: Callable, args: tuple) -> Tensor | None:
    """Observe what the first two tokens' numbers mean to the later ones: it gets there by the cache alone."""

    def later(*three: Tensor) -> Tensor:
        return _in_pieces(answer, three, (2, args[0].shape[2] - 2))[0][1]

    return gradients(3)(later, args)


def _continued_twice(answer: Callable, args: tuple) -> tuple[Tensor, ...]:
    """Observe a call with a cache that the answer itself has given, and has continued otherwise before."""
    queries, keys, values, old_keys, old_values = args
    cache = tuple(_told(answer(old_keys, old_keys, old_values))[1:])
    answer(-queries, 2 - keys, values + 1, cache)
    return detached(_told(answer(queries, keys, values, cache)))


def _equal(*names: str) -> Callable[[tuple, tuple], str | None]:
    def judge(got: tuple, want: tuple) -> str | None:
        for mine, other, name in zip(got, want, names, strict=True):
            problem = equals(mine, other)
            if problem:
                return f"{name}: {problem}"
        return None

    return judge


_equal_output = _equal("of the output")
_equal_cache = _equal("of the keys in the cache", "of the values in the cache")
_equal_all = _equal("of the output", "of the keys in the cache", "of the values in the cache")


EXERCISE = Exercise(
    name="cached_attention",
    arguments=("queries", "keys", "values", "cache"),
    properties=(
        Property(
            "gives an output for each new token, and a cache: a pair of keys and values",
            _shape_cases,
            _all_shapes,
            have_shapes,
            arguments=_WITH_CACHE,
        ),
        Property(
            "a first token sees only itself: the output is its value", _cases(_ONE_TOKEN, 0), _observe(0), _equal_output
        ),
        Property(
            "without a cache: token t attends to the tokens 0 … t, scaled by √d",
            _cases(_NO_CACHE, 0),
            _observe(0),
            _equal_output,
        ),
        Property(
            "and the cache that comes back holds their keys and values",
            _cases(_NO_CACHE, 1, 2),
            _observe(1, 2),
            _equal_cache,
        ),
        Property(
            "with a cache, one new token: it attends to all that are cached, and to itself",
            _cases(_ONE_MORE, 0),
            _observe(0),
            _equal_output,
            arguments=_WITH_CACHE,
        ),
        Property(
            "with a cache, several new tokens: each sees the cached ones, and the new ones up to itself",
            _cases(_SEVERAL_MORE, 0),
            _observe(0),
            _equal_output,
            arguments=_WITH_CACHE,
        ),
        Property(
            "the cache grows: all keys and values, the old ones first",
            _cases(_ONE_MORE + _SEVERAL_MORE, 1, 2),
            _observe(1, 2),
            _equal_cache,
            arguments=_WITH_CACHE,
        ),
        Property(
            "fed in pieces of any sizes, the outputs are those of the whole",
            _pieces,
            _fed_in_pieces,
            _equal_all,
            arguments=(*_OF_NEW, "tokens at a time"),
        ),
        Property(
            "what a later token holds makes no difference", _loud_later_tokens, _all, _equal_all, arguments=_WITH_CACHE
        ),
        Property(
            "leaves its arguments as they were, the cache included",
            _changing,
            lambda answer, args: changed_arguments(lambda *args: _called(answer, args), args),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
            arguments=_WITH_CACHE,
        ),
        Property(
            "one cache can be continued more than once",
            _cases(((1, 2, 2, 2, 2), (2, 2, 3, 1, 3))),
            _continued_twice,
            _equal_all,
            arguments=_WITH_CACHE,
        ),
        Property(
            "each call is answered for itself",
            _cases(_SEVERAL_MORE[2:]),
            _after_another,
            _equal_all,
            suggests="answers-from-memory",
            arguments=_WITH_CACHE,
        ),
        Property(
            "the output's gradient reaches everything that it is made of, and is right",
            _gradient_cases,
            _gradients,
            right_gradient,
            shows=GRADIENT,
            arguments=_WITH_CACHE,
        ),
        Property(
            "a gradient gets through the cache that is handed on",
            _gradients_in_pieces,
            _gradients_through_the_cache,
            right_gradient,
            suggests="cache-without-a-graph",
            shows=GRADIENT,
        ),
        Property(
            "keeps the type: float64, float16 and bfloat16 work",
            _of_types(torch.float64, torch.float16, torch.bfloat16),
            _all,
            _equal_all,
            suggests="type-changed",
            arguments=_WITH_CACHE,
        ),
        at_any_size(_cases(_LARGE), _all, _equal_all),
        own_work(_cases(_NO_CACHE), lambda answer, args: forbidden_uses(answer, args)),
    ),
    misconceptions=MISTAKES,
)
