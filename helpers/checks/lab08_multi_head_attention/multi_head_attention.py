"""`MultiHeadAttention`: what a right answer does."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from helpers.checks.dropout import DROPPED, NOTHING_DROPPED, what_is_dropped
from helpers.checks.engine import CannotObserve, Case, Draw, Exercise, Property
from helpers.checks.forbidden import own_work
from helpers.checks.judging import (
    GRADIENT,
    after_another_call,
    at_any_size,
    changed_arguments,
    clones,
    detached,
    equals,
    gradients,
    has_shape,
    have_shapes,
    leaves_arguments_alone,
    part,
    right_gradient,
    shapes,
    tensors,
)
from helpers.checks.lab08_multi_head_attention.multi_head_attention_mistakes import MISTAKES
from helpers.checks.lab08_multi_head_attention.shared import (
    attend,
    attention_layers,
    drawn_mask,
    is_as_wanted,
    mask_of_pairs,
    mask_of_sequences,
    of_what_is_learned,
    split,
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


def _mha_case(draw: Draw, sizes: tuple[int, ...], mask: Callable | None = None, training: bool = False, **more) -> Case:
    """Sizes are (batch, heads, width of a head, query, key); what is wanted is the oracle's output with its weights."""
    batch, heads, width, num_queries, num_keys = sizes
    dim = heads * width
    layers = attention_layers(draw, dim)
    inputs = tuple(draw.normal(batch, length, dim, scale=1.0) for length in (num_queries, num_keys, num_keys))
    masks = () if mask is None else (mask(draw, *sizes),)
    built = Built({"embed_dim": dim, "num_heads": heads, **more}, layers, training)
    return Case((built, *inputs, *masks), attend(layers, heads, *inputs, *masks))


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


_LARGE = ((1, 2, 3, 2, 67), (1, 3, 1, 67, 2), (1, 17, 5, 2, 3), (67, 1, 2, 1, 2))
_MASKED = ((1, 2, 3, 1, 2), (1, 2, 1, 3, 3), (2, 2, 2, 2, 3), (2, 2, 3, 2, 2), (3, 2, 2, 3, 4), (2, 3, 1, 4, 5))
_MASKED_LATER = ((2, 2, 2, 2, 3), (3, 2, 1, 3, 2), (2, 3, 2, 4, 5))


def _broadcast_masks(draw: Draw) -> Iterator[Case]:
    """With four axes, some of size 1."""
    for sizes, several in zip(_MASKED_LATER, (((1, 2), ()), ((0, 1), (0,)), ((1,), (2,))), strict=True):
        for ones in several:

            def mask(draw, *sizes, ones=ones):
                shape = (sizes[0], sizes[1], sizes[3], sizes[4])
                return drawn_mask(draw, *(1 if axis in ones else size for axis, size in enumerate(shape)))

            yield _mha_case(draw, sizes, mask)


def _loud_masked_keys(draw: Draw) -> Iterator[Case]:
    """The last key is masked, and what it holds is huge."""
    for loudness in (1e3, -1e3):
        for shape in ((2, 3), (2, 2, 3)):
            mask = torch.ones(shape, dtype=torch.bool)
            mask[..., 2] = False
            built, query, key, value, _ = _mha_case(draw, (2, 2, 2, 2, 3), lambda *_, mask=mask: mask).args
            key[:, 2], value[:, 2] = loudness, loudness
            yield Case((built, query, key, value, mask), attend(built.weights, 2, query, key, value, mask))


def _mha_learned(draw: Draw) -> Iterator[Case]:
    for dim, heads in ((2, 1), (6, 3)):
        shapes = {name: tuple(weight.shape) for name, weight in attention_layers(draw, dim).items()}
        yield Case((Built({"embed_dim": dim, "num_heads": heads}),), shapes)


def _mha_arguments(draw: Draw) -> Iterator[Case]:
    for training in (False, True):
        for mask in (None, mask_of_pairs, mask_of_sequences):
            case = _mha_case(draw, (2, 2, 2, 2, 3), mask, training, dropout=0.5)
            yield Case(case.args, ("query", "key", "value", "mask"))


def _mha_gradients(of: int, count: int) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for sizes, mask in (((1, 2, 3, 2, 3), None), ((2, 2, 2, 2, 2), None), ((2, 3, 2, 3, 2), mask_of_pairs)):
            built, *inputs = _mha_case(draw, sizes, mask, training=True).args
            oracle = lambda *inputs, layers=built.weights, heads=sizes[1]: attend(layers, heads, *inputs)  # noqa: E731
            yield Case((built, *inputs), gradients(count, part=of)(oracle, clones(tuple(inputs))))

    return cases


def _output(layers: dict[str, Tensor], num_heads: int, inputs: list) -> Tensor:
    return attend(layers, num_heads, *inputs)[0]


def _mha_weight_gradients(draw: Draw) -> Iterator[Case]:
    for sizes in ((1, 2, 3, 2, 3), (2, 3, 2, 3, 2)):
        built, *inputs = _mha_case(draw, sizes, training=True).args
        oracle = partial(_output, num_heads=sizes[1], inputs=inputs)
        yield Case((built, *inputs), of_what_is_learned(built, oracle))


def _mha_in_float64(draw: Draw) -> Iterator[Case]:
    for sizes in ((1, 2, 3, 2, 3), (2, 2, 2, 2, 2)):
        built, *inputs = _mha_case(draw, sizes).args
        layers, inputs = (
            {name: weight.double() for name, weight in built.weights.items()},
            [tensor.double() for tensor in inputs],
        )
        yield Case((Built(built.arguments, layers), *inputs), attend(layers, sizes[1], *inputs))


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


# W_v and W_o are the identity, and in every head the values are the unit vectors, twice side by side.


def _dropout_cases(want: str | None, training: bool, *dropouts: float | None) -> Callable[[Draw], Iterator[Case]]:
    """Where `want` is None, the weights of each head are wanted."""

    def cases(draw: Draw) -> Iterator[Case]:
        batch, heads, num_queries, num_keys = 4, 2, 8, 8
        dim = heads * 2 * num_keys
        for dropout in dropouts:
            layers = {name: weight / 4 for name, weight in attention_layers(draw, dim).items()}
            for name in ("W_v", "W_o"):
                layers |= {f"{name}.weight": torch.eye(dim), f"{name}.bias": torch.zeros(dim)}
            query, key = (draw.normal(batch, length, dim, scale=0.7) for length in (num_queries, num_keys))
            value = torch.eye(num_keys).repeat(1, 2 * heads).expand(batch, -1, -1).clone()
            arguments = {"embed_dim": dim, "num_heads": heads} | ({} if dropout is None else {"dropout": dropout})
            weights = attend(layers, heads, query, key, value)[1]
            yield Case((Built(arguments, layers, training), query, key, value), want or weights)

    return cases


@torch.random.fork_rng(devices=())
def _what_is_dropped(answer: Callable, args: tuple) -> str:
    """Observe in words what happens between the weights and the output; random numbers have no part in them."""
    built, *inputs = args
    module, heads, p = built.build(answer), built.arguments["num_heads"], built.arguments.get("dropout", 0.0)
    queries, keys = (
        split(nn.functional.linear(x, built.weights[f"{name}.weight"], built.weights[f"{name}.bias"]), heads)
        for name, x in zip(("W_q", "W_k"), inputs, strict=False)
    )
    weights = (queries @ keys.mT / math.sqrt(queries.shape[-1])).softmax(-1)
    outputs = []
    for _ in range(2):
        result = tensors(module(*clones(tuple(inputs))))[0].detach()
        problem = has_shape(result, inputs[0])
        if problem:
            raise CannotObserve(problem)
        outputs.append(split(result, heads))
    return what_is_dropped(weights, torch.stack(outputs), p)


EXERCISE = Exercise(
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
            _mha_cases(_HEADS, lambda pair: tuple(tuple(tensor.shape) for tensor in pair)),
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
            _mha_cases(_MASKED, mask=mask_of_pairs),
            through(_pair),
            _equal_pair,
        ),
        Property(
            "a mask (batch, query, key) holds for every head of its sequence",
            _mha_cases(_MASKED, mask=mask_of_sequences),
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
            _mha_cases(_MASKED_LATER, mask=mask_of_pairs),
            through(after_another_call(_pair)),
            _equal_pair,
            suggests="answers-from-memory",
        ),
        Property(
            "in training, `dropout` drops single weights and divides the others by 1 − dropout",
            _dropout_cases(DROPPED, True, 0.5, 0.2),
            _what_is_dropped,
            is_as_wanted,
        ),
        Property(
            "the weights that come back are those before dropout",
            _dropout_cases(None, True, 0.5, 0.2),
            through(part(1)),
            equals,
            suggests="weights-after-dropout",
        ),
        Property(
            "in evaluation mode nothing is dropped",
            _dropout_cases(NOTHING_DROPPED, False, 0.5, 0.2),
            _what_is_dropped,
            is_as_wanted,
            suggests="dropout-in-evaluation",
        ),
        Property(
            "with `dropout=0.0`, and if nothing is said, nothing is dropped in training either",
            _dropout_cases(NOTHING_DROPPED, True, 0.0, None),
            _what_is_dropped,
            is_as_wanted,
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
            through(gradients(3, part=0)),
            right_gradient,
            shows=GRADIENT,
        ),
        Property(
            "so does the weights' gradient to query and key",
            _mha_gradients(1, 2),
            through(gradients(2, part=1)),
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
        at_any_size(_mha_cases(_LARGE), through(_pair), _equal_pair),
        own_work(_mha_cases(_ONE_HEAD), forbidden_in_class),
    ),
    misconceptions=MISTAKES,
)
