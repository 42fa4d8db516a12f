"""Lab 8's exercises: what a right answer does, and the mistakes that people make.

Dropout isn't seeded, as it may be drawn in another process: it is told by what it leaves behind. However a right answer draws,
the chance that it is taken for a wrong one is below 1e-9.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from helpers.checks.engine import CannotObserve, Case, Draw, Exercise, Misconception, Property, close
from helpers.checks.forbidden import forbidden_call, own_work
from helpers.checks.judging import (
    GRADIENT,
    NOTHING_RETURNED,
    changed_arguments,
    clones,
    detached,
    equals,
    gradient,
    has_shape,
    have_shapes,
    leaves_arguments_alone,
    output,
    part,
    right_gradient,
    shapes,
    tensors,
    weighted_sum,
)
from helpers.checks.modules import (
    Built,
    forbidden_in_class,
    has_parameters,
    parameter_gradients,
    parameters,
    right_parameter_gradients,
    through,
)

# --- What several exercises share ----------------------------------------------------------------------------------


def _after_another_call(observe: Callable) -> Callable:
    """Make an observer look at an answer that has been called with another first argument before."""

    def observe_the_second(answer: Callable, args: tuple) -> Any:
        answer(-args[0], *args[1:])
        return observe(answer, args)

    return observe_the_second


def _once(right: Callable) -> Callable:
    """A function like another one, except that it answers every call with its first result."""
    answered = []

    def remembering(*args):
        if not answered:
            answered.append(right(*args))
        return answered[0]

    return remembering


def _copying(remembering: Callable) -> Callable:
    # A caller that writes into what it got must not change what is remembered: the next report would be another.
    return lambda *args: remembering(*args).clone()


def _overwriting(position: int) -> Callable[[Callable], Callable]:
    def change(right: Callable) -> Callable:
        def overwriting(*args):
            result = right(*args)
            if len(args) > position and args[position] is not None:
                with torch.no_grad():
                    args[position].copy_(args[position].logical_not() if args[position].dtype == torch.bool else 1)
            return result

        return overwriting

    return change


def _cutting(*positions: int) -> Callable[[Callable], Callable]:
    def change(right: Callable) -> Callable:
        return lambda *args: right(*(each.detach() if i in positions else each for i, each in enumerate(args)))

    return change


def _changed(layer: Callable[..., nn.Module], change: Callable[[Callable], Callable]) -> Callable:
    """A module like another one, except that its forward pass is changed."""

    def build(*arguments):
        module = layer(*arguments)
        module.forward = change(module.forward)
        return module

    return build


def _writes_into(what: str, *wrong: Callable) -> Misconception:
    return Misconception(
        "writes-into-arguments",
        "one of the caller's tensors is overwritten",
        f"The result is right, but {what} of the caller is no longer what it was. An operator such as `+=`, and a method whose "
        "name ends in `_`, write in place.",
        wrong,
    )


def _detached(what: str, *wrong: Callable) -> Misconception:
    return Misconception(
        "detached-gradient",
        "no gradient gets through",
        f"The numbers are right, but the result isn't connected to {what}, so nothing upstream could learn: `.detach()`, "
        "`.data`, `torch.tensor(...)` and `torch.no_grad()` all cut the connection.",
        wrong,
    )


def _type_changed(*wrong: Callable) -> Misconception:
    return Misconception(
        "type-changed",
        "the result has another type than the argument",
        "What comes back has the type of what went in: float64 in, float64 out.",
        wrong,
    )


def _answers_from_memory(*wrong: Callable) -> Misconception:
    return Misconception(
        "answers-from-memory",
        "a call is answered with an earlier call's result",
        "The first call is right. After that the same result keeps coming, though the arguments have changed.",
        wrong,
    )


def _other_parameters(*wrong: Callable) -> Misconception:
    return Misconception(
        "other-parameters",
        "the parameters aren't the ones asked for",
        "Trained weights are saved and loaded by name: whoever loads yours looks for the very names and shapes of the text. "
        "A layer kept as `self.W_q` has its matrix in `W_q.weight` and its bias in `W_q.bias`.",
        wrong,
    )


def _nothing_learned(*wrong: Callable) -> Misconception:
    return Misconception(
        "nothing-learned",
        "something that should be learned isn't",
        "Every parameter is used by the forward pass, and a gradient reaches it. A frozen or a detached one stays as it is for ever.",
        wrong,
    )


def _nothing_returned(layer: Callable[..., nn.Module]) -> Misconception:
    forward_of_none = _changed(layer, lambda right: lambda *args: (right(*args), None)[1])
    return Misconception(NOTHING_RETURNED.id, NOTHING_RETURNED.title, NOTHING_RETURNED.explanation, (forward_of_none,))


_NO_MODULE = Misconception(
    "no-module",
    "what is built isn't an `nn.Module`",
    "A layer is a class derived from `nn.Module`, whose `__init__` begins with `super().__init__()`: that is how its weights are "
    "found, saved and trained.",
    (lambda *arguments: lambda *args: None, lambda *arguments: None),
)


def _is_as_wanted(got: str, want: str) -> str | None:
    return None if got == want else got


def _frozen(layer: Callable[..., nn.Module]) -> Callable:
    return lambda *arguments: layer(*arguments).requires_grad_(False)


# --- 1. split_heads and merge_heads --------------------------------------------------------------------------------


def _split(x: Tensor, num_heads: int) -> Tensor:
    """The oracle: head after head, its columns of every position."""
    width = x.shape[2] // num_heads
    return torch.stack([x[:, :, h * width : (h + 1) * width] for h in range(num_heads)], dim=1)


def _merge(x: Tensor) -> Tensor:
    """The oracle: the heads' columns side by side."""
    return torch.cat([x[:, h] for h in range(x.shape[1])], dim=2)


# (batch, heads, length, width of a head): one sequence, one head, heads of width 1, and sizes that agree.
_SPLITS = (
    (1, 2, 1, 1),
    (1, 2, 2, 2),
    (1, 1, 3, 2),
    (2, 2, 2, 2),
    (1, 3, 2, 2),
    (2, 4, 3, 1),
    (3, 2, 5, 3),
    (2, 3, 3, 4),
)


def _to_split(dtype: torch.dtype = torch.float32) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for batch, heads, length, width in _SPLITS:
            x = draw.normal(batch, length, heads * width).to(dtype)
            yield Case((x, heads), _split(x, heads))

    return cases


def _to_merge(dtype: torch.dtype = torch.float32) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for sizes in _SPLITS:
            x = draw.normal(*sizes).to(dtype)
            yield Case((x,), _merge(x))

    return cases


def _as_split_leaves_them(draw: Draw) -> Iterator[Case]:
    """Heads that lie in memory as a split by transposing leaves them, and in yet another way."""
    for batch, heads, length, width in _SPLITS[3:]:
        for x in (
            draw.normal(batch, length, heads, width).transpose(1, 2),
            draw.normal(batch, heads, width, length).mT,
        ):
            yield Case((x,), _merge(x))


def _indivisible(draw: Draw) -> Iterator[Case]:
    for dim, heads in ((3, 2), (4, 3), (2, 4), (6, 4)):
        yield Case((draw.normal(2, 4, dim), heads), _REFUSED)


_REFUSED = "a ValueError that names `num_heads`"


def _refusal(answer: Callable, args: tuple) -> str:
    """Observe in words how an answer refuses its arguments."""
    try:
        result = answer(*args)
    except ValueError as error:
        named = re.search(r"\b(num_heads|x)\b", str(error))
        return _REFUSED if named else "it raised a ValueError whose message doesn't name `num_heads`"
    except NotImplementedError:
        raise  # the answer is blank
    except Exception as error:
        return f"it raised {type(error).__name__}, not ValueError"
    return "it gave None" if result is None else "no error was raised"


def _moved_gradients(to_move: Callable, oracle: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for case in list(to_move()(draw))[3:6]:
            yield Case(case.args, gradient(oracle, clones(case.args)))

    return cases


def _only_arguments(cases: Callable[[Draw], Iterator[Case]], *names: str) -> Callable[[Draw], Iterator[Case]]:
    return lambda draw: (Case(case.args, names) for case in list(cases(draw))[2:5])


def _splitting(right: Callable, check: bool = True) -> Callable:
    """A split with a mistake, which still refuses widths that can't be shared out."""

    def split(x, num_heads):
        if check and x.shape[2] % num_heads:
            raise ValueError("num_heads must divide the width of x")
        return right(x, num_heads, x.shape[2] // num_heads)

    return split


_right_split = _splitting(lambda x, h, w: x.reshape(*x.shape[:2], h, w).transpose(1, 2))

SPLIT_HEADS = Exercise(
    name="split_heads",
    arguments=("x", "num_heads"),
    properties=(
        Property("has an axis for the heads: (batch, heads, length, d / heads)", _to_split(), output, has_shape),
        Property("head h gets the columns from h · d/heads on, of every position", _to_split(), output, equals),
        Property(
            "refuses a width that the heads can't share evenly, with a ValueError",
            _indivisible,
            _refusal,
            _is_as_wanted,
            suggests="uneven-heads",
        ),
        Property(
            "each call is answered for itself",
            _to_split(),
            _after_another_call(output),
            equals,
            suggests="answers-from-memory",
        ),
        Property(
            "leaves its arguments as they were",
            _only_arguments(_to_split(), "x"),
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "its gradient is right", _moved_gradients(_to_split, _split), gradient, right_gradient, shows=GRADIENT
        ),
        Property("keeps the type: float64 works", _to_split(torch.float64), output, equals, suggests="type-changed"),
    ),
    misconceptions=(
        Misconception(
            "view-without-transpose",
            "positions and heads are mixed up",
            "The shape is right and the numbers are in the wrong places: `view` and `reshape` read the same memory in the same order, so "
            "the first head gets the first *positions*, cut into pieces. Cut the last axis alone; then let heads and positions change "
            "places.",
            (
                _splitting(lambda x, h, w: x.reshape(len(x), h, x.shape[1], w)),
                _splitting(lambda x, h, w: x.mT.reshape(len(x), h, x.shape[1], w)),
                _splitting(lambda x, h, w: x.reshape(len(x), x.shape[1], w, h).reshape(len(x), h, -1, w)),
            ),
        ),
        Misconception(
            "heads-not-moved",
            "the heads' axis comes after the positions'",
            "The columns are cut, and the axes stand as (batch, length, heads, d / heads). Each head is to have a sequence of its own, so its "
            "axis comes before the length.",
            (_splitting(lambda x, h, w: x.reshape(*x.shape[:2], h, w)),),
        ),
        Misconception(
            "wrong-axes-swapped",
            "the wrong axes have changed places",
            "After the cut there are four axes: 0 is the batch, 1 the length, 2 the heads, 3 the columns of a head. Which two change "
            "places?",
            (
                _splitting(lambda x, h, w: x.reshape(*x.shape[:2], h, w).transpose(1, 3)),
                _splitting(lambda x, h, w: x.reshape(*x.shape[:2], h, w).transpose(2, 3)),
                _splitting(lambda x, h, w: x.reshape(*x.shape[:2], h, w).permute(0, 2, 3, 1)),
                _splitting(lambda x, h, w: x.reshape(*x.shape[:2], h, w).permute(2, 0, 1, 3)),
            ),
        ),
        Misconception(
            "columns-dealt-out",
            "the columns are dealt out to the heads in turn",
            "A head's columns lie side by side: with 4 columns and 2 heads the first head gets the columns 0 and 1. Yours gets 0 and 2.",
            (_splitting(lambda x, h, w: x.reshape(*x.shape[:2], w, h).permute(0, 3, 1, 2)),),
        ),
        Misconception(
            "heads-taken-for-width",
            "`num_heads` is taken for the width of a head",
            "With 6 columns and 2 heads, each head is 3 wide. Yours makes heads that are 2 wide.",
            (_splitting(lambda x, h, w: x.reshape(*x.shape[:2], w, h).transpose(1, 2)),),
        ),
        Misconception(
            "heads-in-the-batch",
            "the heads are put into the batch's axis",
            "Much code does that: (batch · heads, length, d / heads). Here the heads have an axis of their own, the second.",
            (
                _splitting(lambda x, h, w: _split(x, h).flatten(0, 1)),
                _splitting(lambda x, h, w: _split(x, h).transpose(0, 1).flatten(0, 1)),
            ),
        ),
        Misconception(
            "no-tensor",
            "the heads come back one by one",
            "`chunk` and `split` give a tuple of tensors. What is asked for is *one*, with an axis for the heads.",
            (_splitting(lambda x, h, w: x.chunk(h, dim=-1)), _splitting(lambda x, h, w: list(x.chunk(h, dim=-1)))),
        ),
        Misconception(
            "heads-reversed",
            "the heads come in reverse order",
            "Head 0 gets the first columns, the last head the last ones.",
            (_splitting(lambda x, h, w: _split(x, h).flip(1)),),
        ),
        Misconception(
            "one-sequence-for-all",
            "every sequence is given the first one's numbers",
            "A batch of one works, but in a larger one each sequence has numbers of its own.",
            (_splitting(lambda x, h, w: _split(x, h)[:1].expand(len(x), -1, -1, -1)),),
        ),
        Misconception(
            "uneven-heads",
            "a width that the heads can't share evenly isn't refused as it should be",
            "Five columns, say, can't be shared evenly by two heads. Whoever asks for that has made a mistake, and is best told at once: "
            "with a `ValueError` whose message names `num_heads`. (An `assert` raises another error, and one that PyTorch raises "
            "further down speaks of something else.)",
            (
                _splitting(lambda x, h, w: _split(x, h), check=False),
                _splitting(lambda x, h, w: x.reshape(*x.shape[:2], h, w).transpose(1, 2), check=False),
                _splitting(lambda x, h, w: torch.stack(x.chunk(h, dim=-1), dim=1), check=False),
            ),
        ),
        _writes_into("x", _overwriting(0)(_right_split)),
        _detached("x", _cutting(0)(_right_split)),
        _type_changed(_splitting(lambda x, h, w: _split(x, h).float())),
        _answers_from_memory(_once(_right_split)),
        NOTHING_RETURNED,
    ),
)

MERGE_HEADS = Exercise(
    name="merge_heads",
    arguments=("x",),
    properties=(
        Property("has one axis for all columns: (batch, length, d)", _to_merge(), output, has_shape),
        Property("puts the heads' columns side by side, at every position", _to_merge(), output, equals),
        Property("works however the heads lie in memory", _as_split_leaves_them, output, equals),
        Property(
            "each call is answered for itself",
            _to_merge(),
            _after_another_call(output),
            equals,
            suggests="answers-from-memory",
        ),
        Property(
            "leaves its argument as it was",
            _only_arguments(_to_merge(), "x"),
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "its gradient is right", _moved_gradients(_to_merge, _merge), gradient, right_gradient, shows=GRADIENT
        ),
        Property("keeps the type: float64 works", _to_merge(torch.float64), output, equals, suggests="type-changed"),
    ),
    misconceptions=(
        Misconception(
            "reshape-without-transpose",
            "positions and heads are mixed up",
            "The shape is right and the numbers are in the wrong places: `view` and `reshape` read memory in its order, and there one *head* "
            "follows another. What stood in one position has to lie side by side first.",
            (
                lambda x: x.reshape(x.shape[0], x.shape[2], -1),
                lambda x: x.mT.reshape(x.shape[0], x.shape[2], -1),
                lambda x: x.transpose(1, 3).reshape(x.shape[0], x.shape[2], -1),
            ),
        ),
        Misconception(
            "view-of-a-transpose",
            "`view` can't read what has been transposed",
            "A transpose moves no number, it only reads them in another order; `view` needs them to *lie* in order. `reshape` and `flatten` "
            "copy them if need be, and so does `.contiguous()` before a `view`. (After a split by transposing, a transpose "
            "restores the order, and `view` happens to work.)",
            (
                lambda x: x.transpose(1, 2).view(x.shape[0], x.shape[2], -1),
                lambda x: x.view(x.shape[0], x.shape[2], -1),
            ),
        ),
        Misconception(
            "columns-interleaved",
            "the heads' columns come in turns",
            "A head's columns lie side by side: first all those of head 0, then all those of head 1. Yours takes one of each in turn.",
            (lambda x: x.permute(0, 2, 3, 1).flatten(2),),
        ),
        Misconception(
            "heads-one-after-another",
            "the heads are put one after the other, not side by side",
            "The length stays as it was, and the *columns* grow in number: (batch, length, d).",
            (
                lambda x: x.flatten(1, 2),
                lambda x: x.transpose(1, 2).flatten(1, 2),
                lambda x: x.transpose(1, 2).reshape(x.shape[0], x.shape[1], -1),
            ),
        ),
        Misconception(
            "heads-blended",
            "the heads are added up, or averaged",
            "Each head has found something of its own, and keeps it: the columns are put side by side, and W_o may mix them later.",
            (lambda x: x.sum(1), lambda x: x.mean(1), lambda x: x[:, 0]),
        ),
        Misconception(
            "heads-not-joined",
            "the heads keep an axis of their own",
            "The axes have changed places, and there are still four. The last two become one.",
            (lambda x: x.transpose(1, 2),),
        ),
        Misconception(
            "heads-reversed",
            "the heads come in reverse order",
            "The first columns are those of head 0, the last ones those of the last head.",
            (lambda x: _merge(x.flip(1)),),
        ),
        Misconception(
            "one-sequence-for-all",
            "every sequence is given the first one's numbers",
            "A batch of one works, but in a larger one each sequence has numbers of its own.",
            (lambda x: _merge(x)[:1].expand(len(x), -1, -1),),
        ),
        _writes_into("x", _overwriting(0)(_merge)),
        _detached("x", _cutting(0)(_merge)),
        _type_changed(lambda x: _merge(x).float()),
        _answers_from_memory(_once(_merge)),
        NOTHING_RETURNED,
    ),
)


# --- 2. causal_mask ------------------------------------------------------------------------------------------------


def _masks_of(*lengths: int) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for length in lengths:
            yield Case((length,), torch.tensor([[key <= query for key in range(length)] for query in range(length)]))

    return cases


def _after_a_longer_one(answer: Callable, args: tuple) -> Any:
    """Observe a mask after another one has been asked for and, by its caller, overwritten."""
    other = answer(args[0] + 1)
    if isinstance(other, Tensor) and not other.is_inference():
        other.data.zero_()
    return output(answer, args)


def _ones(length: int) -> Tensor:
    return torch.ones(length, length, dtype=torch.bool)


def _additive_mask(length: int) -> Tensor:
    return torch.zeros(length, length).masked_fill(~_ones(length).tril(), -torch.inf)


CAUSAL_MASK = Exercise(
    name="causal_mask",
    arguments=("length",),
    properties=(
        Property(
            "has a row for each query and a column for each key: (length, length)",
            _masks_of(2, 1, 4),
            output,
            has_shape,
        ),
        Property(
            "query q may attend to the keys 0 … q (True), and to none after it (False)",
            _masks_of(1, 2, 3, 5, 8),
            output,
            equals,
        ),
        Property(
            "each call is answered for itself",
            _masks_of(3, 2, 4),
            _after_a_longer_one,
            equals,
            suggests="answers-from-memory",
        ),
    ),
    misconceptions=(
        Misconception(
            "inverted",
            "the mask is the wrong way round",
            "True means *may attend*. Yours is True where a key lies in the future, which is what `nn.MultiheadAttention` wants; the course and "
            "`F.scaled_dot_product_attention` have it the other way.",
            (lambda length: _ones(length).triu(1),),
        ),
        Misconception(
            "diagonal-masked",
            "no query may attend to its own position",
            "A query sees the keys before it *and its own*. With the diagonal masked as well, the first query has no key at all.",
            (lambda length: _ones(length).tril(-1),),
        ),
        Misconception(
            "upper-triangle",
            "it is the upper triangle",
            "Rows are queries, columns are keys. Query 0 is the first row and may see one key only; yours sees all of them, and the last query "
            "sees only itself.",
            (lambda length: _ones(length).triu(),),
        ),
        Misconception(
            "itself-only",
            "each query may attend to itself only",
            "A query sees its own position *and* those before it. With the diagonal alone no word hears of any other.",
            (lambda length: torch.eye(length, dtype=torch.bool),),
        ),
        Misconception(
            "one-step-ahead",
            "each query sees one key too many",
            "Query q sees the keys 0 … q. Yours sees q + 1 too, which is the very one that is to be predicted.",
            (lambda length: _ones(length).tril(1),),
        ),
        Misconception(
            "nothing-masked",
            "nothing is masked",
            "Every query may attend to every key, those after it included.",
            (_ones,),
        ),
        Misconception(
            "not-boolean",
            "the mask isn't boolean",
            "In the course a mask says True or False. Ones and zeros, or 0 and −∞ to be added to scores, are another kind of mask: `~` "
            "and `masked_fill` do something else with them, or fail.",
            (
                lambda length: _ones(length).tril().float(),
                lambda length: _ones(length).tril().long(),
                lambda length: _ones(length).tril().int(),
                lambda length: _ones(length).triu(1).float(),
                _additive_mask,
            ),
        ),
        Misconception(
            "axis-left-over",
            "there is an axis too many",
            "What is asked for is (length, length). Whoever has a batch and heads lets it broadcast.",
            (lambda length: _ones(length).tril()[None], lambda length: _ones(length).tril()[None, None]),
        ),
        Misconception(
            "one-row",
            "there is a single row",
            "Each query has a row of its own: (length, length).",
            (lambda length: _ones(length)[0],),
        ),
        _answers_from_memory(_copying(_once(lambda length: _ones(length).tril()))),
        NOTHING_RETURNED,
    ),
)


# --- 3. MultiHeadAttention -----------------------------------------------------------------------------------------


def _attend(
    layers: dict[str, Tensor], num_heads: int, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The oracle: one head of one sequence after the other, in float64; differentiable."""
    batch, num_queries, dim = query.shape
    num_keys, width = key.shape[1], dim // num_heads
    allowed = torch.ones(batch, num_heads, num_queries, num_keys, dtype=torch.bool)
    if mask is not None:
        allowed = allowed & (mask.unsqueeze(1) if mask.dim() == 3 else mask)
    layers = {name: each.double() for name, each in layers.items()}
    sequences, all_weights = [], []
    for b in range(batch):
        heads = []
        for h in range(num_heads):
            columns = slice(h * width, (h + 1) * width)
            q, k, v = (
                x[b].double() @ layers[f"{name}.weight"][columns].T + layers[f"{name}.bias"][columns]
                for name, x in (("W_q", query), ("W_k", key), ("W_v", value))
            )
            scores = (q @ k.T / math.sqrt(width)).masked_fill(~allowed[b, h], -torch.inf)
            exps = (scores - scores.detach().amax(1, keepdim=True)).exp()
            weights = exps / exps.sum(1, keepdim=True)
            heads.append(weights @ v)
            all_weights.append(weights)
        sequences.append(torch.cat(heads, dim=1) @ layers["W_o.weight"].T + layers["W_o.bias"])
    weights = torch.stack(all_weights).reshape(batch, num_heads, num_queries, num_keys)
    return torch.stack(sequences).to(query.dtype), weights.to(query.dtype)


def _layers(draw: Draw, dim: int, prefix: str = "") -> dict[str, Tensor]:
    names = [f"{prefix}{name}" for name in ("W_q", "W_k", "W_v", "W_o")]
    weights = {f"{name}.weight": draw.normal(dim, dim, scale=0.7) for name in names}
    return weights | {f"{name}.bias": draw.normal(dim, scale=1.0) for name in names}


def _mask(draw: Draw, *shape: int) -> Tensor:
    """A mask in which every query may attend to some key and, if there are two, not to some other."""
    mask, at = draw.integers(0, 1, *shape).bool(), draw.integers(0, shape[-1] - 1, *shape[:-1], 1)
    return mask.scatter(-1, (at + 1) % shape[-1], False).scatter(-1, at, True)


def _mha_case(draw: Draw, sizes: tuple[int, ...], mask: Callable | None = None, training: bool = False, **more) -> Case:
    """Sizes are (batch, heads, width of a head, query, key); what is wanted is the oracle's output with its weights."""
    batch, heads, width, num_queries, num_keys = sizes
    dim = heads * width
    layers = _layers(draw, dim)
    inputs = tuple(draw.normal(batch, length, dim, scale=1.0) for length in (num_queries, num_keys, num_keys))
    masks = () if mask is None else (mask(draw, *sizes),)
    built = Built({"embed_dim": dim, "num_heads": heads, **more}, layers, training)
    return Case((built, *inputs, *masks), _attend(layers, heads, *inputs, *masks))


def _mha_cases(several: tuple, want: Callable = lambda pair: pair, mask: Callable | None = None) -> Callable:
    """`want` says what of the output and the weights is wanted."""

    def cases(draw: Draw) -> Iterator[Case]:
        for sizes in several:
            case = _mha_case(draw, sizes, mask)
            yield Case(case.args, want(case.want))

    return cases


_ONE_HEAD = ((1, 1, 2, 1, 2), (1, 1, 3, 2, 2), (2, 1, 3, 2, 4), (3, 1, 2, 3, 3))
# The width of a head and the number of heads differ, but for one case in which everything is 2.
_HEADS = (
    (1, 2, 3, 1, 2),
    (1, 2, 1, 2, 2),
    (2, 2, 2, 2, 2),
    (2, 3, 2, 3, 3),
    (2, 2, 3, 4, 5),
    (3, 4, 1, 2, 4),
    (4, 2, 3, 3, 1),
)
_MASKED = ((1, 2, 3, 1, 2), (1, 2, 1, 3, 3), (2, 2, 2, 2, 3), (2, 2, 3, 2, 2), (3, 2, 2, 3, 4), (2, 3, 1, 4, 5))
_MASKED_LATER = ((2, 2, 2, 2, 3), (3, 2, 1, 3, 2), (2, 3, 2, 4, 5))


def _mask_of_pairs(draw: Draw, batch: int, heads: int, width: int, num_queries: int, num_keys: int) -> Tensor:
    return _mask(draw, num_queries, num_keys)


def _mask_of_sequences(draw: Draw, batch: int, heads: int, width: int, num_queries: int, num_keys: int) -> Tensor:
    return _mask(draw, batch, num_queries, num_keys)


def _broadcast_masks(draw: Draw) -> Iterator[Case]:
    """With four axes, some of size 1."""
    for sizes, several in zip(_MASKED_LATER, (((1, 2), ()), ((0, 1), (0,)), ((1,), (2,))), strict=True):
        for ones in several:

            def mask(draw, *sizes, ones=ones):
                shape = (sizes[0], sizes[1], sizes[3], sizes[4])
                return _mask(draw, *(1 if axis in ones else size for axis, size in enumerate(shape)))

            yield _mha_case(draw, sizes, mask)


def _loud_masked_keys(draw: Draw) -> Iterator[Case]:
    """The last key is masked, and what it holds is huge."""
    for loudness in (1e3, -1e3):
        for shape in ((2, 3), (2, 2, 3)):
            mask = torch.ones(shape, dtype=torch.bool)
            mask[..., 2] = False
            built, query, key, value, _ = _mha_case(draw, (2, 2, 2, 2, 3), lambda *_, mask=mask: mask).args
            key[:, 2], value[:, 2] = loudness, loudness
            yield Case((built, query, key, value, mask), _attend(built.weights, 2, query, key, value, mask))


def _mha_learned(draw: Draw) -> Iterator[Case]:
    for dim, heads in ((2, 1), (6, 3)):
        shapes = {name: tuple(each.shape) for name, each in _layers(draw, dim).items()}
        yield Case((Built({"embed_dim": dim, "num_heads": heads}),), shapes)


def _mha_arguments(draw: Draw) -> Iterator[Case]:
    for training in (False, True):
        for mask in (None, _mask_of_pairs, _mask_of_sequences):
            case = _mha_case(draw, (2, 2, 2, 2, 3), mask, training, dropout=0.5)
            yield Case(case.args, ("query", "key", "value", "mask"))


def _gradients(of: int, count: int) -> Callable[[Callable, tuple], Tensor | None]:
    """Observe the gradients of one of the two results with respect to the first `count` arguments, one behind the other."""

    def observe(answer: Callable, args: tuple) -> Tensor | None:
        inputs = [each.requires_grad_() for each in args[:count]]
        result = tensors(answer(*args))[of]
        if not result.requires_grad:
            return None
        with torch.enable_grad():  # the answer may have turned it off
            found = torch.autograd.grad(weighted_sum(result), inputs, allow_unused=True)
        return None if any(each is None for each in found) else torch.cat([each.flatten() for each in found])

    return observe


def _mha_gradients(of: int, count: int) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for sizes, mask in (((1, 2, 3, 2, 3), None), ((2, 2, 2, 2, 2), None), ((2, 3, 2, 3, 2), _mask_of_pairs)):
            built, *inputs = _mha_case(draw, sizes, mask, training=True).args
            oracle = lambda *each, layers=built.weights, heads=sizes[1]: _attend(layers, heads, *each)  # noqa: E731
            yield Case((built, *inputs), _gradients(of, count)(oracle, clones(tuple(inputs))))

    return cases


def _mha_weight_gradients(draw: Draw) -> Iterator[Case]:
    for sizes in ((1, 2, 3, 2, 3), (2, 3, 2, 3, 2)):
        built, *inputs = _mha_case(draw, sizes, training=True).args
        yield Case(
            (built, *inputs),
            _of_what_is_learned(
                built, lambda layers, heads=sizes[1], inputs=inputs: _attend(layers, heads, *inputs)[0]
            ),
        )


def _of_what_is_learned(built: Built, oracle: Callable[[dict[str, Tensor]], Tensor]) -> dict[str, Tensor]:
    """The gradients that are wanted for the parameters.

    The bias of the keys isn't among them: it changes all of a query's scores alike, and no weight. An answer may drop it.
    """
    layers = {name: each.clone().requires_grad_() for name, each in built.weights.items()}
    found = torch.autograd.grad(weighted_sum(oracle(layers)), list(layers.values()))
    return {name: each for name, each in zip(layers, found, strict=True) if not name.endswith("W_k.bias")}


def _mha_in_float64(draw: Draw) -> Iterator[Case]:
    for sizes in ((1, 2, 3, 2, 3), (2, 2, 2, 2, 2)):
        built, *inputs = _mha_case(draw, sizes).args
        layers, inputs = (
            {name: each.double() for name, each in built.weights.items()},
            [each.double() for each in inputs],
        )
        yield Case((Built(built.arguments, layers), *inputs), _attend(layers, sizes[1], *inputs))


def _in_float64(observe: Callable) -> Callable:
    """Make an observer look at a module that is built while PyTorch's usual type is float64."""

    def observe_in_float64(answer: Callable, args: tuple) -> Any:
        torch.set_default_dtype(torch.float64)
        try:
            return observe(answer, args)
        finally:
            torch.set_default_dtype(torch.float32)

    return observe_in_float64


def _pair(answer: Callable, args: tuple) -> tuple[Tensor, ...]:
    """Observe the output and the weights."""
    return detached(tensors(answer(*args)))


def _equal_pair(got: tuple, want: tuple) -> str | None:
    """Judge an output and its weights; the weights first, as a wrong output may come from them."""
    for index, name in ((1, "the weights"), (0, "the output")):
        problem = equals(got[index], want[index])
        if problem:
            return f"of {name}: {problem}"
    return None


# Dropout, told by what it leaves behind. W_v and W_o are the identity, and in every head the values are the unit vectors, twice side
# by side: so each head's output is the weights that the values met, twice. What is dropped from the weights is missing from both.

_DROPPED = "single weights are dropped, and the others divided by 1 − dropout"
_NOTHING_DROPPED = "nothing is dropped"


def _dropout_cases(want: str | None, training: bool, *dropouts: float | None) -> Callable[[Draw], Iterator[Case]]:
    """Where `want` is None, the weights of each head are wanted."""

    def cases(draw: Draw) -> Iterator[Case]:
        batch, heads, num_queries, num_keys = 4, 2, 8, 8
        dim = heads * 2 * num_keys
        for dropout in dropouts:
            layers = {name: each / 4 for name, each in _layers(draw, dim).items()}
            for name in ("W_v", "W_o"):
                layers |= {f"{name}.weight": torch.eye(dim), f"{name}.bias": torch.zeros(dim)}
            query, key = (draw.normal(batch, length, dim, scale=0.7) for length in (num_queries, num_keys))
            value = torch.eye(num_keys).repeat(1, 2 * heads).expand(batch, -1, -1).clone()
            arguments = {"embed_dim": dim, "num_heads": heads} | ({} if dropout is None else {"dropout": dropout})
            weights = _attend(layers, heads, query, key, value)[1]
            yield Case((Built(arguments, layers, training), query, key, value), want or weights)

    return cases


@torch.random.fork_rng(devices=())
def _what_is_dropped(answer: Callable, args: tuple) -> str:
    """Observe in words what happens between the weights and the output; random numbers have no part in them."""
    built, *inputs = args
    module, heads, p = built.build(answer), built.arguments["num_heads"], built.arguments.get("dropout", 0.0)
    queries, keys = (
        _split(nn.functional.linear(x, built.weights[f"{name}.weight"], built.weights[f"{name}.bias"]), heads)
        for name, x in zip(("W_q", "W_k"), inputs, strict=False)
    )
    weights = (queries @ keys.mT / math.sqrt(queries.shape[-1])).softmax(-1)
    outputs = []
    for _ in range(2):
        result = tensors(module(*clones(tuple(inputs))))[0].detach()
        problem = has_shape(result, inputs[0])
        if problem:
            raise CannotObserve(problem)
        outputs.append(_split(result, heads))
    left, right = torch.stack(outputs).chunk(2, dim=-1)  # each (call, batch, head, query, key)
    dropped = left == 0
    if close(left, weights.expand_as(left)) and close(right, weights.expand_as(right)):
        return _NOTHING_DROPPED
    if not close(left, right):
        return "two equal values come out different, so something else is dropped than weights"
    if not dropped.any():
        return "no weight is dropped, and yet the output isn't the weighted mean"
    # About a thousand weights: with the right share the chance of being so far off is far below 1e-9.
    share = dropped.double().mean().item()
    if abs(share - p) > 0.15:
        return (
            f"the share of weights that is dropped is {'1 − dropout' if abs(share - 1 + p) < 0.15 else 'not dropout'}"
        )
    if close(left.sum(-1), torch.ones(left.shape[:-1])):
        return "some weights are missing, and the others have grown so that every row still sums to 1"
    growth = (left / weights)[~dropped]
    if not close(growth, growth.mean().expand_as(growth)):
        return "what is left isn't in proportion to the weights"
    if not close(growth, torch.full_like(growth, 1 / (1 - p))):
        return "weights are dropped, and those that are kept aren't divided by 1 − dropout"
    together = ("both calls lose", "all sequences lose", "all heads lose", "all queries lose", "all keys lose or keep")
    for axis, alike in enumerate(together):
        if (dropped == dropped.narrow(axis, 0, 1)).all():
            return f"{alike} the same weights"
    return _DROPPED


def _fitted(mask: Tensor, scores: Tensor) -> Tensor:
    return mask.unsqueeze(1) if mask.dim() == 3 else mask


def _weigh(scores: Tensor, mask: Tensor | None) -> Tensor:
    return (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(-1)


def _drop(weights: Tensor, p: float, training: bool) -> Tensor:
    return nn.functional.dropout(weights, p, training)


def _projected(layer: nn.Module, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
    return layer.W_q(query), layer.W_k(key), layer.W_v(value)


_QKVO = ("W_q", "W_k", "W_v", "W_o")


def _mha(
    project: Callable = _projected,
    cut: Callable = _split,
    root: Callable = lambda dim, heads: math.sqrt(dim // heads),
    fit: Callable = _fitted,
    weigh: Callable = _weigh,
    drop: Callable = _drop,
    pool: Callable = lambda weights, values, p, training: weights @ values,
    join: Callable = _merge,
    finish: Callable = lambda layer, joined: layer.W_o(joined),
    result: Callable = lambda output, weights, dropped: (output, weights),
    make: Callable = nn.Linear,
    names: tuple[str, ...] = _QKVO,
) -> Callable:
    """Multi-head attention out of parts, of which one has a mistake."""

    class Attention(nn.Module):
        def __init__(self, embed_dim, num_heads, dropout=0.0):
            super().__init__()
            self.heads, self.p = num_heads, dropout
            for name in names:
                setattr(self, name, make(embed_dim, embed_dim))

        def forward(self, query, key, value, mask=None):
            queries, keys, values = (cut(each, self.heads) for each in project(self, query, key, value))
            scores = queries @ keys.mT / root(query.shape[-1], self.heads)
            weights = weigh(scores, None if mask is None else fit(mask, scores))
            dropped = drop(weights, self.p, self.training)
            output = finish(self, join(pool(dropped, values, self.p, self.training)))
            return result(output, weights, dropped)

    return Attention


def _mixed_cut(x: Tensor, heads: int) -> Tensor:
    return x.reshape(len(x), heads, x.shape[1], -1)


def _mixed_join(x: Tensor) -> Tensor:
    return x.reshape(len(x), x.shape[2], -1)


def _dealt_cut(x: Tensor, heads: int) -> Tensor:
    return x.reshape(*x.shape[:2], -1, heads).permute(0, 3, 1, 2)


def _blocks_of(W_o: nn.Linear, joined: Tensor, heads: int) -> Tensor:
    """Each head through its own block of W_o, on the diagonal."""
    pieces = zip(joined.chunk(heads, -1), W_o.weight.chunk(heads, 0), strict=True)
    return torch.cat([piece @ rows.chunk(heads, 1)[h].T for h, (piece, rows) in enumerate(pieces)], -1) + W_o.bias


def _bias_in_every_head(layer: nn.Module, joined: Tensor) -> Tensor:
    return layer.W_o(joined) + (layer.heads - 1) * layer.W_o.bias


def _weighing_all_keys(scores: Tensor, mask: Tensor | None) -> Tensor:
    weights = scores.softmax(-1)
    return weights if mask is None else weights * mask


def _renormalised(scores: Tensor, mask: Tensor | None) -> Tensor:
    weights = _weighing_all_keys(scores, mask)
    return weights if mask is None else weights / weights.sum(-1, keepdim=True)


def _softmax_over(axis: int, fill: float = -torch.inf) -> Callable:
    return _mha(weigh=lambda scores, mask: (scores if mask is None else scores.masked_fill(~mask, fill)).softmax(axis))


def _dropped_by_hand(p_kept: Callable, factor: Callable, shape: Callable = lambda weights: weights.shape) -> Callable:
    """Dropout made by hand: the share kept, the factor for what is kept, and the shape of what is drawn."""

    def drop(weights: Tensor, p: float, training: bool) -> Tensor:
        if not training or p == 0:
            return weights
        return weights * (torch.rand(shape(weights)) < p_kept(p)) * factor(p)

    return _mha(drop=drop)


class _ScoresDropped(_mha()):
    """Dropout before the softmax; the weights that come back are those without."""

    def forward(self, query, key, value, mask=None):
        weights = super().forward(query, key, value, mask)[1]
        scores = _drop(weights.log(), self.p, self.training)
        return self.W_o(_merge(scores.softmax(-1) @ _split(self.W_v(value), self.heads))), weights


class _UnmaskedWeights(_mha()):
    """The right output, and weights that know of no mask."""

    def forward(self, query, key, value, mask=None):
        return super().forward(query, key, value, mask)[0], super().forward(query, key, value)[1]


MULTI_HEAD_ATTENTION = Exercise(
    name="MultiHeadAttention",
    arguments=("MultiHeadAttention", "query", "key", "value", "mask"),
    properties=(
        Property(
            "learns `W_q`, `W_k`, `W_v` and `W_o`, each a (embed_dim, embed_dim) matrix with a bias, and nothing else",
            _mha_learned,
            parameters,
            has_parameters,
            suggests="other-parameters",
        ),
        Property(
            "gives the output (batch, query, embed_dim) and the weights (batch, heads, query, key)",
            _mha_cases(_HEADS, lambda pair: tuple(tuple(each.shape) for each in pair)),
            through(shapes()),
            have_shapes,
        ),
        Property(
            "with one head: the weights are the softmax of q·k / √embed_dim",
            _mha_cases(_ONE_HEAD, lambda pair: pair[1]),
            through(part(1)),
            equals,
        ),
        Property(
            "and the output is the weighted mean of the values, through W_o",
            _mha_cases(_ONE_HEAD, lambda pair: pair[0]),
            through(part(0)),
            equals,
        ),
        Property(
            "with several heads: each has its own columns, and divides by the root of their number",
            _mha_cases(_HEADS, lambda pair: pair[1]),
            through(part(1)),
            equals,
        ),
        Property(
            "and the output is all heads side by side, through W_o",
            _mha_cases(_HEADS, lambda pair: pair[0]),
            through(part(0)),
            equals,
        ),
        Property(
            "a mask (query, key) holds for every sequence and every head",
            _mha_cases(_MASKED, mask=_mask_of_pairs),
            through(_pair),
            _equal_pair,
        ),
        Property(
            "a mask (batch, query, key) holds for every head of its sequence",
            _mha_cases(_MASKED, mask=_mask_of_sequences),
            through(_pair),
            _equal_pair,
        ),
        Property(
            "a mask with four axes is broadcast to (batch, heads, query, key)",
            _broadcast_masks,
            through(_pair),
            _equal_pair,
        ),
        Property("what a masked key holds makes no difference", _loud_masked_keys, through(_pair), _equal_pair),
        Property(
            "each call is answered for itself",
            _mha_cases(_MASKED_LATER, mask=_mask_of_pairs),
            through(_after_another_call(_pair)),
            _equal_pair,
            suggests="answers-from-memory",
        ),
        Property(
            "in training, `dropout` drops single weights and divides the others by 1 − dropout",
            _dropout_cases(_DROPPED, True, 0.5, 0.2),
            _what_is_dropped,
            _is_as_wanted,
        ),
        Property(
            "the weights that come back are those before dropout",
            _dropout_cases(None, True, 0.5, 0.2),
            through(part(1)),
            equals,
            suggests="returned-after-dropout",
        ),
        Property(
            "in evaluation mode nothing is dropped",
            _dropout_cases(_NOTHING_DROPPED, False, 0.5, 0.2),
            _what_is_dropped,
            _is_as_wanted,
            suggests="dropout-in-evaluation",
        ),
        Property(
            "with `dropout=0.0`, and if nothing is said, nothing is dropped in training either",
            _dropout_cases(_NOTHING_DROPPED, True, 0.0, None),
            _what_is_dropped,
            _is_as_wanted,
            suggests="dropout-fixed",
        ),
        Property(
            "leaves its arguments as they were",
            _mha_arguments,
            through(changed_arguments),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "the output's gradient reaches query, key and value, and is right",
            _mha_gradients(0, 3),
            through(_gradients(0, 3)),
            right_gradient,
            shows=GRADIENT,
        ),
        Property(
            "so does the weights' gradient to query and key",
            _mha_gradients(1, 2),
            through(_gradients(1, 2)),
            right_gradient,
            shows=GRADIENT,
        ),
        Property(
            "and the gradient reaches all that is learned",
            _mha_weight_gradients,
            parameter_gradients(lambda result: tensors(result)[0]),
            right_parameter_gradients,
            suggests="nothing-learned",
        ),
        Property(
            "keeps the type: float64 works",
            _mha_in_float64,
            _in_float64(through(_pair)),
            _equal_pair,
            suggests="type-changed",
        ),
        own_work(_mha_cases(_ONE_HEAD), forbidden_in_class),
    ),
    misconceptions=(
        Misconception(
            "scaled-by-embed-dim",
            "the scores are divided by √embed_dim",
            "The root is there because a product sums over many columns, and a head's product sums over embed_dim / num_heads of them. "
            "With one head that is the same.",
            (_mha(root=lambda dim, heads: math.sqrt(dim)),),
        ),
        Misconception(
            "scaled-by-the-heads",
            "the scores are divided by the root of the number of heads",
            "The root is there because a product sums over many columns: take the root of the number of columns *of a head*.",
            (_mha(root=lambda dim, heads: math.sqrt(heads)),),
        ),
        Misconception(
            "root-missing",
            "the scores are divided by the width of a head, not by its root",
            "The standard deviation of a sum of n products grows with √n.",
            (_mha(root=lambda dim, heads: dim // heads),),
        ),
        Misconception(
            "not-scaled",
            "the scores aren't divided by a root",
            "Each head is a *scaled* dot-product attention. Divide its scores by the root of its width.",
            (_mha(root=lambda dim, heads: 1.0), _mha(root=lambda dim, heads: 1 / math.sqrt(dim // heads))),
        ),
        Misconception(
            "heads-mixed",
            "positions and heads are mixed up",
            "The shapes are right, and the numbers are in the wrong places: somewhere a `view` or `reshape` cuts positions where it should cut "
            "columns, or joins heads without moving them back. Look at exercise 1.",
            (_mha(cut=_mixed_cut), _mha(join=_mixed_join), _mha(cut=_mixed_cut, join=_mixed_join)),
        ),
        Misconception(
            "columns-dealt-out",
            "the columns are dealt out to the heads in turn",
            "A head's columns lie side by side: head h has the columns from h · d/heads on. Weights from elsewhere would mean something else "
            "with yours.",
            (
                _mha(cut=_dealt_cut),
                _mha(cut=_dealt_cut, join=lambda x: x.permute(0, 2, 3, 1).flatten(2)),
                _mha(join=lambda x: x.permute(0, 2, 3, 1).flatten(2)),
            ),
        ),
        Misconception(
            "no-output-projection",
            "W_o isn't used",
            "Side by side, the heads' outputs know nothing of one another. W_o mixes them, and makes of them what the output is.",
            (_mha(finish=lambda layer, joined: joined),),
        ),
        Misconception(
            "W_o-head-by-head",
            "W_o meets the heads one by one",
            "W_o takes all heads side by side, so that each number of the output may come from every head. Its bias is added once.",
            (
                _mha(finish=lambda layer, joined: _blocks_of(layer.W_o, joined, layer.heads)),
                _mha(finish=_bias_in_every_head),
            ),
        ),
        Misconception(
            "inverted-mask",
            "the mask is the wrong way round",
            "True means *may attend*. You leave out what should be seen, and see what should be left out. (`nn.MultiheadAttention` takes it the "
            "other way.)",
            (_mha(fit=lambda mask, scores: ~_fitted(mask, scores)),),
        ),
        Misconception(
            "mask-ignored",
            "the mask has no effect",
            "The signature takes `mask`, and it never gets as far as the softmax.",
            (_mha(weigh=lambda scores, mask: scores.softmax(-1)),),
        ),
        Misconception(
            "mask-added",
            "the mask is added to the scores",
            "It is boolean: added, True counts as 1, which is hardly a difference. (Masks that are added have 0 and −∞.)",
            (_mha(weigh=lambda scores, mask: (scores if mask is None else scores + mask).softmax(-1)),),
        ),
        Misconception(
            "masks-with-zero",
            "the scores of masked keys are set to 0",
            "exp(0) is 1: a score of 0 is an ordinary score. Which score has the exponential 0?",
            (_softmax_over(-1, 0.0),),
        ),
        Misconception(
            "mask-after-softmax",
            "the keys are masked after the softmax",
            "By then masked keys have taken their share. Mask the scores first (dividing by the sum afterwards fails where the masked "
            "scores are so high that nothing is left).",
            (_mha(weigh=_weighing_all_keys), _mha(weigh=_renormalised)),
        ),
        Misconception(
            "unmasked-weights-returned",
            "the weights come back without the mask",
            "The output is right, but a picture of these weights would show attention that never happened. Return those that met the values.",
            (_UnmaskedWeights,),
        ),
        Misconception(
            "sequences-taken-for-heads",
            "a mask (batch, query, key) is spread over the heads as if they were the batch",
            "Shapes are matched from the right, so that (batch, query, key) meets (heads, query, key): where there are as many sequences as heads that "
            "runs without a complaint, and is wrong. Where is an axis missing?",
            (
                _mha(fit=lambda mask, scores: mask),
                _mha(fit=lambda mask, scores: mask.unsqueeze(0) if mask.dim() == 3 else mask),
            ),
        ),
        Misconception(
            "one-mask-for-all",
            "every sequence gets the same mask",
            "A mask (batch, query, key) has one for each sequence.",
            (
                _mha(fit=lambda mask, scores: mask[:1].unsqueeze(1) if mask.dim() == 3 else mask),
                _mha(fit=lambda mask, scores: mask.any(0) if mask.dim() == 3 else mask),
                _mha(fit=lambda mask, scores: mask.all(0) if mask.dim() == 3 else mask),
            ),
        ),
        Misconception(
            "three-axes-only",
            "masks of some shape aren't taken",
            "A mask may be (query, key), (batch, query, key), or have four axes, some of them of size 1. An axis for the heads is to be added "
            "where it is missing, and only there.",
            (
                _mha(fit=lambda mask, scores: mask.unsqueeze(1)),
                _mha(fit=lambda mask, scores: mask.reshape(len(scores), 1, *scores.shape[2:])),
            ),
        ),
        Misconception(
            "weights-averaged",
            "the weights of the heads are averaged",
            "Each head's weights come back by themselves: (batch, heads, query, key). (`nn.MultiheadAttention` averages unless told not to.)",
            (
                _mha(result=lambda output, weights, dropped: (output, weights.mean(1))),
                _mha(result=lambda output, weights, dropped: (output, weights.sum(1))),
                _mha(result=lambda output, weights, dropped: (output, weights.mean(1, keepdim=True))),
            ),
        ),
        Misconception(
            "heads-in-the-batch",
            "the weights come back with the heads in the batch's axis",
            "To attend in (batch · heads, …) is fine. What comes back has an axis for the heads, the second.",
            (_mha(result=lambda output, weights, dropped: (output, weights.flatten(0, 1))),),
        ),
        Misconception(
            "softmax-over-the-wrong-axis",
            "the softmax runs over the wrong axis",
            "In each head each *query* spreads a weight of 1 over the keys, so every row (…, query, :) sums to 1.",
            tuple(_softmax_over(axis, fill) for axis in (0, 1, 2) for fill in (-torch.inf, -1e9)),
        ),
        Misconception(
            "no-softmax",
            "there is no softmax",
            "Scores may be negative and sum to anything. The softmax turns them into weights.",
            (_mha(weigh=lambda scores, mask: scores if mask is None else scores.masked_fill(~mask, 0.0)),),
        ),
        Misconception(
            "softmax-twice",
            "there are two softmaxes",
            "The weights go through a second softmax, which makes them nearly equal. Scores need it once.",
            (_mha(weigh=lambda scores, mask: _weigh(scores, mask).softmax(-1)),),
        ),
        Misconception(
            "key-and-value-swapped",
            "key and value have changed places",
            "Queries are compared with *keys*, and the output is made of *values*: W_k takes `key`, W_v takes `value`. In self-attention both "
            "are the same tensor, and the mistake stays hidden.",
            (
                _mha(lambda layer, q, k, v: _projected(layer, q, v, k)),
                _mha(lambda layer, q, k, v: (layer.W_q(q), layer.W_v(v), layer.W_k(k))),
                _mha(lambda layer, q, k, v: (layer.W_q(q), layer.W_v(k), layer.W_k(v))),
            ),
        ),
        Misconception(
            "self-attention-only",
            "not all of `query`, `key` and `value` are used",
            "In self-attention all three are the same tensor. In general they are not: the queries come from `query`, the keys from `key`, the "
            "values from `value`.",
            (
                _mha(lambda layer, q, k, v: _projected(layer, q, q, q)),
                _mha(lambda layer, q, k, v: _projected(layer, q, k, k)),
                _mha(lambda layer, q, k, v: _projected(layer, q, v, v)),
                _mha(lambda layer, q, k, v: _projected(layer, k, k, v)),
            ),
        ),
        Misconception(
            "projection-left-out",
            "one of W_q, W_k and W_v isn't used",
            "Queries, keys and values each go through a layer of their own before they are cut into heads.",
            (
                _mha(lambda layer, q, k, v: (q, layer.W_k(k), layer.W_v(v))),
                _mha(lambda layer, q, k, v: (layer.W_q(q), k, layer.W_v(v))),
                _mha(lambda layer, q, k, v: (layer.W_q(q), layer.W_k(k), v)),
                _mha(lambda layer, q, k, v: (q, k, v)),
            ),
        ),
        Misconception(
            "projections-swapped",
            "the layers are swapped, or one serves twice",
            "W_q is for queries, W_k for keys, W_v for values.",
            (
                _mha(lambda layer, q, k, v: (layer.W_k(q), layer.W_q(k), layer.W_v(v))),
                _mha(lambda layer, q, k, v: (layer.W_q(q), layer.W_q(k), layer.W_v(v))),
                _mha(lambda layer, q, k, v: (layer.W_q(q), layer.W_k(k), layer.W_k(v))),
                _mha(lambda layer, q, k, v: (layer.W_q(q), layer.W_q(k), layer.W_q(v))),
            ),
        ),
        Misconception(
            "one-sequence-for-all",
            "all sequences are answered with the first one's",
            "A batch of one works, but in a larger one each sequence has queries, keys and values of its own.",
            (
                _mha(
                    result=lambda output, weights, dropped: (
                        output[:1].expand_as(output),
                        weights[:1].expand_as(weights),
                    )
                ),
            ),
        ),
        Misconception(
            "returns-the-output-only",
            "the output and the weights don't come back as a pair",
            "`forward` returns two tensors: the output, and the weights.",
            (_mha(result=lambda output, weights, dropped: output),),
        ),
        Misconception(
            "returned-the-wrong-way-round",
            "the weights come first",
            "The output comes first, then the weights.",
            (_mha(result=lambda output, weights, dropped: (weights, output)),),
        ),
        Misconception(
            "returned-after-dropout",
            "the weights come back after dropout",
            "The weights are there to be looked at: rows that sum to 1, the same for the same input. What dropout leaves has holes and "
            "other numbers every time. Return what the softmax gave.",
            (
                _mha(result=lambda output, weights, dropped: (output, dropped)),
                _mha(drop=lambda weights, p, training: nn.functional.dropout(weights, p, training, inplace=True)),
            ),
        ),
        Misconception(
            "dropout-on-the-output",
            "dropout hits something else than the weights",
            "Dropout of attention means that a query has to do without some of its *keys*: weights are dropped, before the values meet "
            "them. Yours cuts holes into the vectors.",
            (
                _mha(drop=lambda w, p, training: w, pool=lambda w, v, p, training: _drop(w @ v, p, training)),
                _mha(drop=lambda w, p, training: w, pool=lambda w, v, p, training: w @ _drop(v, p, training)),
                _mha(pool=lambda w, v, p, training: _drop(w @ v, p, training)),
            ),
        ),
        Misconception(
            "dropout-before-the-softmax",
            "dropout hits the scores, not the weights",
            "A score of 0 is an ordinary score. Dropout comes after the softmax, and every row is then left as it is.",
            (
                _ScoresDropped,
                _mha(drop=lambda w, p, training: nn.functional.normalize(_drop(w, p, training), p=1, dim=-1)),
            ),
        ),
        Misconception(
            "dropout-in-evaluation",
            "dropout goes on in evaluation mode",
            "`.eval()` is there to switch it off. `F.dropout` needs to be told (`self.training`); a `nn.Dropout` knows by itself, if it is "
            "made in `__init__` and kept as an attribute.",
            (_mha(drop=lambda weights, p, training: _drop(weights, p, True)),),
        ),
        Misconception(
            "dropout-never",
            "nothing is ever dropped",
            "In training mode some of the weights should be dropped. Is `dropout` used, in `forward` as well as in `__init__`?",
            (
                _mha(drop=lambda weights, p, training: weights),
                _mha(drop=lambda weights, p, training: _drop(weights, p, not training)),
            ),
        ),
        Misconception(
            "dropout-fixed",
            "something is dropped whatever `dropout` says",
            "How much is dropped is for the argument to say; its default is 0.0.",
            (
                _mha(drop=lambda weights, p, training: _drop(weights, 0.5, training)),
                _mha(drop=lambda weights, p, training: _drop(weights, p or 0.1, training)),
            ),
        ),
        Misconception(
            "share-kept-for-dropped",
            "`dropout` is taken for the share that is kept",
            "`dropout=0.2` means that a fifth of the weights is dropped. Yours keeps a fifth.",
            (_mha(drop=lambda weights, p, training: _drop(weights, 1 - p if p else 0.0, training)),),
        ),
        Misconception(
            "dropout-not-scaled",
            "what is kept isn't divided by 1 − dropout",
            "With some of the weights gone the output would be smaller in training than in evaluation. What is kept is divided by "
            "1 − dropout, so that the mean stays.",
            (_dropped_by_hand(lambda p: 1 - p, lambda p: 1.0), _dropped_by_hand(lambda p: 1 - p, lambda p: 1 / p)),
        ),
        Misconception(
            "dropped-together",
            "weights are dropped together, not one by one",
            "Every weight has its own throw of the dice. In yours whole sequences, heads, queries or keys go together.",
            tuple(
                _dropped_by_hand(
                    lambda p: 1 - p,
                    lambda p: 1 / (1 - p),
                    lambda w, axis=axis: [1 if i == axis else size for i, size in enumerate(w.shape)],
                )
                for axis in range(4)
            ),
        ),
        _other_parameters(
            _mha(make=lambda *sizes: nn.Linear(*sizes, bias=False)),
            _mha(lambda layer, q, k, v: (layer.q(q), layer.k(k), layer.v(v)), names=("q", "k", "v", "W_o")),
            _mha(finish=lambda layer, joined: joined, names=_QKVO[:3]),
            _mha(finish=lambda layer, joined: layer.out(joined), names=(*_QKVO[:3], "out")),
            _mha(names=(*_QKVO, "W")),
        ),
        _nothing_learned(
            _frozen(_mha()),
            _mha(
                lambda layer, *each: tuple(
                    x.detach() + 0 * y for x, y in zip(_projected(layer, *each), each, strict=True)
                )
            ),
        ),
        _writes_into("a tensor", *(_changed(_mha(), _overwriting(i)) for i in range(4))),
        _detached(
            "query, key or value",
            *(_changed(_mha(), _cutting(*each)) for each in ((0, 1, 2), (0, 1), (0,), (1,), (2,))),
            _mha(result=lambda output, weights, dropped: (output, weights.detach())),
            _mha(drop=lambda weights, p, training: _drop(weights.detach(), p, training)),
        ),
        _type_changed(
            _mha(result=lambda output, weights, dropped: (output.float(), weights.float())),
            _mha(result=lambda output, weights, dropped: (output, weights.float())),
            _mha(result=lambda output, weights, dropped: (output.double(), weights.double())),
        ),
        _answers_from_memory(_changed(_mha(), _once)),
        _NO_MODULE,
        forbidden_call(),
        _nothing_returned(_mha()),
    ),
)


# --- 4. sinusoidal_positions ---------------------------------------------------------------------------------------


def _position_oracle(length: int, dim: int) -> Tensor:
    """Number by number."""
    waves = (math.sin, math.cos)
    rows = [[waves[c % 2](p / 10000 ** ((c - c % 2) / dim)) for c in range(dim)] for p in range(length)]
    return torch.tensor(rows, dtype=torch.float32)


def _positions_of(*sizes: tuple[int, int]) -> Callable[[Draw], Iterator[Case]]:
    return lambda draw: (Case(each, _position_oracle(*each)) for each in sizes)


def _position_after_another(answer: Callable, args: tuple) -> Any:
    """Observe the positions after others have been asked for."""
    answer(args[0] + 2, args[1] + 2)
    return output(answer, args)


def _waves(
    angles: Callable = lambda p, i, dim: p / 10000 ** (2 * i / dim),
    lay: Callable = lambda sines, cosines: torch.stack([sines, cosines], dim=-1).flatten(1),
    start: int = 0,
    count: Callable = lambda length: length,
) -> Callable:
    """Positions out of parts, of which one has a mistake: column pair `i`, and how sines and cosines are laid out."""

    def positions(length, dim):
        p = start + torch.arange(count(length), dtype=torch.float64).unsqueeze(1)
        each = angles(p, torch.arange(dim // 2, dtype=torch.float64), dim)
        return lay(each.sin(), each.cos()).float()

    return positions


def _own_exponents(length: int, dim: int) -> Tensor:
    """Every column has its own exponent, so that sine and cosine differ in wavelength."""
    columns = torch.arange(dim)
    angles = torch.arange(length).unsqueeze(1) / 10000 ** (columns / dim)
    return torch.where(columns % 2 == 0, angles.sin(), angles.cos())


_LAYING = lambda sines, cosines: torch.stack([sines, cosines], dim=-1).flatten(1)  # noqa: E731

SINUSOIDAL_POSITIONS = Exercise(
    name="sinusoidal_positions",
    arguments=("length", "dim"),
    properties=(
        Property(
            "gives a row for each position, in float32: (length, dim)",
            _positions_of((2, 4), (1, 2), (3, 6)),
            output,
            has_shape,
        ),
        Property("position 0 is 0, 1, 0, 1, …", _positions_of((1, 2), (1, 4), (1, 6)), output, equals),
        Property(
            "the first two columns are the sine and the cosine of the position",
            _positions_of((2, 2), (5, 2)),
            output,
            equals,
        ),
        Property(
            "the columns 2i and 2i + 1 are the sine and the cosine of position / 10000^(2i/dim)",
            _positions_of((2, 4), (4, 4), (3, 6), (7, 10), (6, 6)),
            output,
            equals,
        ),
        Property("the hundredth position is right as well", _positions_of((101, 2), (101, 8)), output, equals),
        Property(
            "each call is answered for itself",
            _positions_of((3, 4), (5, 6)),
            _position_after_another,
            equals,
            suggests="answers-from-memory",
        ),
    ),
    misconceptions=(
        Misconception(
            "in-halves",
            "all sines come first, then all cosines",
            "They take turns: column 0 a sine, column 1 the cosine of the same angle, column 2 the next sine. (Many libraries have them in "
            "halves. Either would do for a model, but not with weights learned with the other.)",
            (_waves(lay=lambda sines, cosines: torch.cat([sines, cosines], dim=-1)),),
        ),
        Misconception(
            "exponent-halved",
            "the exponent is i/dim, not 2i/dim",
            "i counts the *pairs* of columns, 0 … dim/2 − 1, so 2i/dim goes from 0 to nearly 1. Yours goes to one half.",
            (_waves(lambda p, i, dim: p / 10000 ** (i / dim)),),
        ),
        Misconception(
            "exponent-doubled",
            "the exponent is twice too large",
            "2i is the number of the column of the sine: 0, 2, 4, … If your i is that already, it must not be doubled again.",
            (
                _waves(lambda p, i, dim: p / 10000 ** (4 * i / dim)),
                lambda length, dim: torch.where(
                    torch.arange(dim) % 2 == 0,
                    (torch.arange(length).unsqueeze(1) / 10000 ** (2 * torch.arange(dim) / dim)).sin(),
                    (torch.arange(length).unsqueeze(1) / 10000 ** (2 * torch.arange(dim) / dim)).cos(),
                ),
            ),
        ),
        Misconception(
            "own-exponents",
            "sine and cosine have different angles",
            "A sine and the cosine beside it are of the *same* angle: both columns, 2i and 2i + 1, have the exponent 2i/dim.",
            (_own_exponents,),
        ),
        Misconception(
            "exponent-off",
            "the exponent is divided by another number",
            "The exponent of pair i is 2i/dim: 0 for the first pair, and less than 1 for the last.",
            (
                _waves(lambda p, i, dim: p / 10000 ** (2 * i / max(dim - 2, 1))),
                _waves(lambda p, i, dim: p / 10000 ** (i / max(dim // 2 - 1, 1))),
                _waves(lambda p, i, dim: p / 10000 ** (2 * (i + 1) / dim)),
                _waves(lambda p, i, dim: p / 10000 ** (2 * i)),
            ),
        ),
        Misconception(
            "positions-from-1",
            "positions are counted from 1",
            "The first position is 0: all its sines are 0 and all its cosines are 1.",
            (_waves(start=1),),
        ),
        Misconception(
            "sine-and-cosine-swapped",
            "the cosine comes before the sine",
            "Even columns, from 0 on, are sines; odd ones are cosines.",
            (_waves(lay=lambda sines, cosines: _LAYING(cosines, sines)),),
        ),
        Misconception(
            "sines-only",
            "one of the two is missing",
            "Sines and cosines take turns.",
            (
                _waves(lay=lambda sines, cosines: _LAYING(sines, sines)),
                _waves(lay=lambda sines, cosines: _LAYING(cosines, cosines)),
            ),
        ),
        Misconception(
            "multiplied",
            "the position is multiplied where it should be divided",
            "The waves get *longer* from pair to pair: position divided by 10000^(2i/dim).",
            (_waves(lambda p, i, dim: p * 10000 ** (2 * i / dim)),),
        ),
        Misconception(
            "another-base",
            "the base isn't 10000",
            "The number whose powers stretch the waves is 10000.",
            (
                _waves(lambda p, i, dim: p / 1000 ** (2 * i / dim)),
                _waves(lambda p, i, dim: p / torch.exp(2 * i / dim)),
                _waves(lambda p, i, dim: p.expand(-1, len(i))),
            ),
        ),
        Misconception(
            "another-angle",
            "the angle isn't in radians of the position itself",
            "The angle is position / 10000^(2i/dim), as it is: no 2π, no degrees, and not a share of the length.",
            (
                _waves(lambda p, i, dim: 2 * math.pi * p / 10000 ** (2 * i / dim)),
                _waves(lambda p, i, dim: p / 10000 ** (2 * i / dim) * math.pi / 180),
                _waves(lambda p, i, dim: p / len(p) / 10000 ** (2 * i / dim)),
            ),
        ),
        Misconception(
            "axes-swapped",
            "the axes are swapped",
            "A row is a position, a column is a wave: (length, dim).",
            (lambda length, dim: _position_oracle(length, dim).T,),
        ),
        Misconception(
            "axis-left-over",
            "there is an axis too many",
            "What is asked for is (length, dim). Whoever has a batch lets it broadcast.",
            (
                lambda length, dim: _position_oracle(length, dim).unsqueeze(0),
                lambda length, dim: _position_oracle(length, dim).unsqueeze(1),
                lambda length, dim: torch.stack([*_position_oracle(length, dim).reshape(length, -1, 2).unbind(-1)], -1),
            ),
        ),
        Misconception(
            "not-float32",
            "the type isn't float32",
            "Vectors to which the positions are added are float32, as PyTorch has it unless told otherwise; float64 would turn the sum into "
            "float64.",
            (
                lambda length, dim: _position_oracle(length, dim).double(),
                lambda length, dim: _position_oracle(length, dim).half(),
            ),
        ),
        _answers_from_memory(_once(_position_oracle)),
        NOTHING_RETURNED,
    ),
)


# --- 5. TransformerBlock -------------------------------------------------------------------------------------------


def _norm(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt() * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _block_oracle(weights: dict[str, Tensor], num_heads: int, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Differentiable, in float64."""
    weights, y = {name: each.double() for name, each in weights.items()}, x.double()
    layers = {name.removeprefix("attention."): each for name, each in weights.items()}
    y = _norm(y + _attend(layers, num_heads, y, y, y, mask)[0], weights, "norm1")
    hidden = (y @ weights["linear1.weight"].T + weights["linear1.bias"]).clamp(min=0)
    return _norm(y + hidden @ weights["linear2.weight"].T + weights["linear2.bias"], weights, "norm2").to(x.dtype)


def _block_weights(draw: Draw, dim: int, hidden: int) -> dict[str, Tensor]:
    weights = _layers(draw, dim, "attention.")
    for norm in ("norm1", "norm2"):
        weights |= {f"{norm}.weight": 1 + draw.normal(dim, scale=0.4), f"{norm}.bias": draw.normal(dim, scale=1.0)}
    for name, shape in (("linear1", (hidden, dim)), ("linear2", (dim, hidden))):
        weights |= {f"{name}.weight": draw.normal(*shape, scale=0.7), f"{name}.bias": draw.normal(shape[0], scale=1.0)}
    return weights


def _block_case(
    draw: Draw, sizes: tuple[int, ...], mask: Callable | None = None, training: bool = False, **more
) -> Case:
    """Sizes are (batch, heads, width of a head, length, hidden)."""
    batch, heads, width, length, hidden = sizes
    weights = _block_weights(draw, heads * width, hidden)
    x = draw.normal(batch, length, heads * width, scale=1.0)
    masks = () if mask is None else (mask(draw, batch, heads, width, length, length),)
    built = Built({"embed_dim": heads * width, "num_heads": heads, "hidden_dim": hidden, **more}, weights, training)
    return Case((built, x, *masks), _block_oracle(weights, heads, x, *masks))


_BLOCKS = ((1, 1, 3, 1, 2), (1, 2, 2, 2, 3), (2, 2, 2, 4, 4), (3, 3, 2, 2, 5), (2, 2, 3, 3, 1))


def _block_cases(mask: Callable | None = None, training: bool = False, **more) -> Callable[[Draw], Iterator[Case]]:
    return lambda draw: (_block_case(draw, sizes, mask, training, **more) for sizes in _BLOCKS)


def _block_masks(draw: Draw) -> Iterator[Case]:
    for sizes in _BLOCKS[1:]:
        for mask in (_mask_of_pairs, _mask_of_sequences):
            yield _block_case(draw, sizes, mask)


def _block_learned(draw: Draw) -> Iterator[Case]:
    for dim, heads, hidden in ((4, 2, 3), (3, 1, 5)):
        shapes = {name: tuple(each.shape) for name, each in _block_weights(draw, dim, hidden).items()}
        yield Case((Built({"embed_dim": dim, "num_heads": heads, "hidden_dim": hidden}),), shapes)


def _block_arguments(draw: Draw) -> Iterator[Case]:
    for training in (False, True):
        for mask in (None, _mask_of_pairs):
            yield Case(_block_case(draw, _BLOCKS[2], mask, training, dropout=0.5).args, ("x", "mask"))


def _block_gradients(draw: Draw) -> Iterator[Case]:
    for sizes in _BLOCKS[1:3]:
        built, x = _block_case(draw, sizes, training=True).args
        oracle = lambda x, weights=built.weights, heads=sizes[1]: _block_oracle(weights, heads, x)  # noqa: E731
        yield Case((built, x), gradient(oracle, (x.clone(),)))


def _block_weight_gradients(draw: Draw) -> Iterator[Case]:
    for sizes in _BLOCKS[1:3]:
        built, x = _block_case(draw, sizes, training=True).args
        yield Case(
            (built, x),
            _of_what_is_learned(built, lambda weights, heads=sizes[1], x=x: _block_oracle(weights, heads, x)),
        )


_CALLS_DIFFER = "two calls differ"


def _block_with_dropout(draw: Draw) -> Iterator[Case]:
    yield Case(_block_case(draw, (4, 2, 2, 8, 16), training=True, dropout=0.5).args, _CALLS_DIFFER)


@torch.random.fork_rng(devices=())
def _whether_calls_differ(answer: Callable, args: tuple) -> str:
    """Observe whether two calls with the same argument give the same."""
    module = args[0].build(answer)
    first, second = (detached(module(*args[1:])) for _ in range(2))
    if not isinstance(first, Tensor) or first.shape != args[1].shape:
        raise CannotObserve("it gave something else than a tensor of the shape of x")
    return "two calls with the same x give the same" if close(first, second) else _CALLS_DIFFER


def _attended(block: nn.Module, x: Tensor, mask: Tensor | None) -> Tensor:
    return block.attention(x, x, x, mask)[0]


def _block(
    attend: Callable = _attended,
    first: Callable = lambda block, x, attended: block.norm1(x + attended),
    feed: Callable = lambda block, x: block.linear2(block.linear1(x).relu()),
    second: Callable = lambda block, x, fed: block.norm2(x + fed),
    result: Callable = lambda output: output,
    attention: Callable = lambda dim, heads, dropout: _mha()(dim, heads, dropout),
    norm: Callable = nn.LayerNorm,
    drop: Callable = _drop,
) -> Callable:
    """A block out of parts, of which one has a mistake."""

    class Block(nn.Module):
        def __init__(self, embed_dim, num_heads, hidden_dim, dropout=0.0):
            super().__init__()
            self.attention, self.p = attention(embed_dim, num_heads, dropout), dropout
            self.norm1, self.norm2 = norm(embed_dim), norm(embed_dim)
            self.linear1, self.linear2 = nn.Linear(embed_dim, hidden_dim), nn.Linear(hidden_dim, embed_dim)

        def forward(self, x, mask=None):
            y = first(self, x, drop(attend(self, x, mask), self.p, self.training))
            return result(second(self, y, drop(feed(self, y), self.p, self.training)))

    return Block


class _PreNorm(_block()):
    """The norm before attention and before the feed-forward network, as in later models."""

    def forward(self, x, mask=None):
        x = x + _attended(self, self.norm1(x), mask)
        return x + self.linear2(self.linear1(self.norm2(x)).relu())


class _SecondResidualOfTheInput(_block()):
    def forward(self, x, mask=None):
        y = self.norm1(x + _attended(self, x, mask))
        return self.norm2(x + self.linear2(self.linear1(y).relu()))


class _FeedsTheInput(_block()):
    def forward(self, x, mask=None):
        y = self.norm1(x + _attended(self, x, mask))
        return self.norm2(y + self.linear2(self.linear1(x).relu()))


class _FeedForwardFirst(_block()):
    def forward(self, x, mask=None):
        y = self.norm2(x + self.linear2(self.linear1(x).relu()))
        return self.norm1(y + _attended(self, y, mask))


class _FeedForwardFirstInOrder(_block()):
    def forward(self, x, mask=None):
        y = self.norm1(x + self.linear2(self.linear1(x).relu()))
        return self.norm2(y + _attended(self, y, mask))


def _inverted(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else ~mask


def _norm_over(axes: int | tuple[int, ...], norm: nn.LayerNorm, x: Tensor) -> Tensor:
    centred = x - x.mean(axes, keepdim=True)
    return centred / (centred.square().mean(axes, keepdim=True) + norm.eps).sqrt() * norm.weight + norm.bias


TRANSFORMER_BLOCK = Exercise(
    name="TransformerBlock",
    arguments=("TransformerBlock", "x", "mask"),
    properties=(
        Property(
            "has `attention`, `norm1`, `linear1`, `linear2` and `norm2`, with their parameters, and no others",
            _block_learned,
            parameters,
            has_parameters,
            suggests="other-parameters",
        ),
        Property(
            "gives a vector for each of x's: (batch, length, embed_dim)",
            _block_cases(),
            through(output),
            has_shape,
            suggests="returns-a-pair",
        ),
        Property(
            "it is the sum of x and the attention to itself, normed; then that plus the feed-forward network's, normed",
            _block_cases(),
            through(output),
            equals,
        ),
        Property("a mask says which positions may be attended to", _block_masks, through(output), equals),
        Property(
            "each call is answered for itself",
            _block_cases(_mask_of_pairs),
            through(_after_another_call(output)),
            equals,
            suggests="answers-from-memory",
        ),
        Property(
            "without `dropout`, training mode makes no difference",
            _block_cases(training=True),
            through(output),
            equals,
            suggests="dropout-fixed",
        ),
        Property(
            "with `dropout`, evaluation mode gives the same as without",
            _block_cases(dropout=0.5),
            through(output),
            equals,
            suggests="dropout-in-evaluation",
        ),
        Property(
            "with `dropout`, two calls in training mode differ",
            _block_with_dropout,
            _whether_calls_differ,
            _is_as_wanted,
            suggests="dropout-never",
        ),
        Property(
            "leaves its arguments as they were",
            _block_arguments,
            through(changed_arguments),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "its gradient reaches x, and is right", _block_gradients, through(gradient), right_gradient, shows=GRADIENT
        ),
        Property(
            "and it reaches all that is learned",
            _block_weight_gradients,
            parameter_gradients(),
            right_parameter_gradients,
            suggests="nothing-learned",
        ),
        own_work(_block_cases(), forbidden_in_class),
    ),
    misconceptions=(
        Misconception(
            "no-residual",
            "what went in isn't added to what came out",
            "Attention, and the feed-forward network after it, each *add* to what is there: x + attention(x). Without the sum a deep stack "
            "loses what distinguishes the words.",
            (
                _block(first=lambda block, x, attended: block.norm1(attended)),
                _block(second=lambda block, x, fed: block.norm2(fed)),
                _block(
                    first=lambda block, x, attended: block.norm1(attended),
                    second=lambda block, x, fed: block.norm2(fed),
                ),
            ),
        ),
        Misconception(
            "residual-around-the-norm",
            "the norm comes before the sum",
            "In the paper's block the norm is taken of the *sum*: norm(x + attention(x)). Yours adds x to something normed, so x itself never is.",
            (
                _block(
                    first=lambda block, x, attended: x + block.norm1(attended),
                    second=lambda block, x, fed: x + block.norm2(fed),
                ),
                _block(first=lambda block, x, attended: x + block.norm1(attended)),
                _block(second=lambda block, x, fed: x + block.norm2(fed)),
            ),
        ),
        Misconception(
            "norm-first",
            "the norms come first (pre-norm)",
            "Many later models take the norm of what goes *into* attention and feed-forward network, and it works well. What is asked for is the "
            "paper's form, with the norm after each sum.",
            (_PreNorm,),
        ),
        Misconception(
            "relu-after-the-second-layer",
            "the ReLU comes after the second layer",
            "It stands *between* the two linear layers. After the second one, the network could only ever add, never take away; and without one "
            "in between, two linear layers are no more than one.",
            (
                _block(feed=lambda block, x: block.linear2(block.linear1(x)).relu()),
                _block(feed=lambda block, x: block.linear2(block.linear1(x).relu()).relu()),
                _block(feed=lambda block, x: block.linear2(block.linear1(x.relu()))),
            ),
        ),
        Misconception(
            "no-relu",
            "there is no ReLU",
            "Two linear layers in a row are no more than one. The ReLU between them lets the network bend.",
            (_block(feed=lambda block, x: block.linear2(block.linear1(x))),),
        ),
        Misconception(
            "other-activation",
            "it is another function than ReLU",
            "Later models have others, and do well. This block has the paper's.",
            tuple(
                _block(feed=lambda block, x, bend=bend: block.linear2(bend(block.linear1(x))))
                for bend in (
                    nn.functional.gelu,
                    torch.tanh,
                    torch.sigmoid,
                    nn.functional.silu,
                    nn.functional.leaky_relu,
                )
            ),
        ),
        Misconception(
            "no-norm",
            "a norm is left out",
            "There are two norms: `norm1` after the first sum, and `norm2` after the second.",
            (
                _block(first=lambda block, x, attended: x + attended),
                _block(second=lambda block, x, fed: x + fed),
                _block(first=lambda block, x, attended: x + attended, second=lambda block, x, fed: x + fed),
            ),
        ),
        Misconception(
            "norms-swapped",
            "the norms are swapped, or one serves twice",
            "`norm1` comes after the first sum and `norm2` after the second. Each learns a scale of its own.",
            (
                _block(
                    first=lambda block, x, attended: block.norm2(x + attended),
                    second=lambda block, x, fed: block.norm1(x + fed),
                ),
                _block(second=lambda block, x, fed: block.norm1(x + fed)),
                _block(first=lambda block, x, attended: block.norm2(x + attended)),
            ),
        ),
        Misconception(
            "second-residual-from-x",
            "the block's input is used again after the first sum",
            "The second half works with what the first half has made: that goes into the feed-forward network, and that is what its output is added "
            "to.",
            (_SecondResidualOfTheInput, _FeedsTheInput),
        ),
        Misconception(
            "feed-forward-first",
            "the feed-forward network comes before the attention",
            "First the words look at one another, then each is worked on by itself.",
            (_FeedForwardFirst, _FeedForwardFirstInOrder),
        ),
        Misconception(
            "no-feed-forward",
            "the feed-forward network has no part in it",
            "After the attention each vector goes through `linear1`, a ReLU and `linear2`.",
            (
                _block(feed=lambda block, x: torch.zeros_like(x)),
                _block(feed=lambda block, x: torch.zeros_like(x), second=lambda block, x, fed: x),
            ),
        ),
        Misconception(
            "no-attention",
            "the attention has no part in it",
            "`attention` is built, and what it gives isn't added to x.",
            (_block(attend=lambda block, x, mask: torch.zeros_like(x)), _block(attend=lambda block, x, mask: x)),
        ),
        Misconception(
            "weights-for-output",
            "the attention's two results aren't taken apart",
            "`attention` returns a pair: the output, which goes on, and the weights, which only a picture needs.",
            (
                _block(attend=lambda block, x, mask: block.attention(x, x, x, mask), drop=lambda x, p, training: x),
                _block(
                    attend=lambda block, x, mask: block.attention(x, x, x, mask)[1].mean(1),
                    drop=lambda x, p, training: x,
                ),
            ),
        ),
        Misconception(
            "returns-a-pair",
            "something else comes back than the vectors",
            "`forward` returns one tensor, (batch, length, embed_dim): what the next block takes as its x.",
            (_block(result=lambda output: (output, None)), _block(result=lambda output: (output, output))),
        ),
        Misconception(
            "mask-ignored",
            "the mask has no effect",
            "The signature takes `mask`, and the attention never gets it.",
            (_block(attend=lambda block, x, mask: _attended(block, x, None)),),
        ),
        Misconception(
            "inverted-mask",
            "the mask is turned round on its way",
            "True means *may attend*, for the block as for its attention: hand it on as it is.",
            (_block(attend=lambda block, x, mask: _attended(block, x, _inverted(mask))),),
        ),
        Misconception(
            "norm-over-the-wrong-axis",
            "the norm runs over other numbers than one vector's",
            "Layer norm takes the mean and the spread of *each vector* by itself: over embed_dim, not over positions or the batch.",
            (
                _block(first=lambda block, x, attended: _norm_over(1, block.norm1, x + attended)),
                _block(
                    first=lambda block, x, attended: _norm_over(1, block.norm1, x + attended),
                    second=lambda block, x, fed: _norm_over(1, block.norm2, x + fed),
                ),
                _block(
                    first=lambda block, x, attended: _norm_over((1, 2), block.norm1, x + attended),
                    second=lambda block, x, fed: _norm_over((1, 2), block.norm2, x + fed),
                ),
            ),
        ),
        Misconception(
            "dropout-in-evaluation",
            "dropout goes on in evaluation mode",
            "`.eval()` is there to switch it off. A `nn.Dropout` knows by itself, if it is made in `__init__` and kept as an attribute.",
            (_block(drop=lambda x, p, training: _drop(x, p, True)),),
        ),
        Misconception(
            "dropout-never",
            "nothing is ever dropped",
            "In training mode two calls should differ. Does `attention` get `dropout`, at least?",
            (_block(attention=lambda dim, heads, dropout: _mha()(dim, heads), drop=lambda x, p, training: x),),
        ),
        Misconception(
            "dropout-fixed",
            "something is dropped whatever `dropout` says",
            "How much is dropped is for the argument to say; its default is 0.0.",
            (_block(drop=lambda x, p, training: _drop(x, p or 0.1, training)),),
        ),
        _other_parameters(
            _block(norm=lambda dim: nn.LayerNorm(dim, elementwise_affine=False)),
            _block(norm=lambda dim: nn.LayerNorm(dim, bias=False)),
        ),
        _nothing_learned(_frozen(_block()), _block(attend=lambda *args: _attended(*args).detach())),
        _writes_into("a tensor", *(_changed(_block(), _overwriting(i)) for i in (0, 1))),
        _detached("x", _changed(_block(), _cutting(0))),
        _answers_from_memory(_changed(_block(), _once)),
        _NO_MODULE,
        forbidden_call(),
        _nothing_returned(_block()),
    ),
)

EXERCISES = (SPLIT_HEADS, MERGE_HEADS, CAUSAL_MASK, MULTI_HEAD_ATTENTION, SINUSOIDAL_POSITIONS, TRANSFORMER_BLOCK)
