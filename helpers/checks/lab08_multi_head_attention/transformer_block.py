"""`TransformerBlock`: what a right answer does."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from helpers.checks.engine import CannotObserve, Case, Draw, Exercise, Property, close
from helpers.checks.forbidden import own_work
from helpers.checks.judging import (
    GRADIENT,
    after_another_call,
    at_any_size,
    changed_arguments,
    detached,
    equals,
    gradient,
    has_shape,
    leaves_arguments_alone,
    output,
    right_gradient,
)
from helpers.checks.lab08_multi_head_attention.shared import (
    attend,
    attention_layers,
    is_as_wanted,
    mask_of_pairs,
    mask_of_sequences,
    of_what_is_learned,
)
from helpers.checks.lab08_multi_head_attention.transformer_block_mistakes import MISTAKES
from helpers.checks.modules import (
    Built,
    forbidden_in_class,
    has_parameters,
    parameter_gradients,
    parameters,
    right_parameter_gradients,
    through,
)


def _norm(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt() * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _block_oracle(weights: dict[str, Tensor], num_heads: int, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Differentiable, in float64."""
    weights, y = {name: weight.double() for name, weight in weights.items()}, x.double()
    layers = {name.removeprefix("attention."): weight for name, weight in weights.items()}
    y = _norm(y + attend(layers, num_heads, y, y, y, mask)[0], weights, "norm1")
    hidden = (y @ weights["linear1.weight"].T + weights["linear1.bias"]).clamp(min=0)
    return _norm(y + hidden @ weights["linear2.weight"].T + weights["linear2.bias"], weights, "norm2").to(x.dtype)


def _block_weights(draw: Draw, dim: int, hidden: int) -> dict[str, Tensor]:
    weights = attention_layers(draw, dim, "attention.")
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


def _large_blocks(draw: Draw) -> Iterator[Case]:
    for sizes in ((1, 2, 1, 67, 3), (67, 1, 2, 2, 3), (1, 17, 4, 2, 71)):
        yield _block_case(draw, sizes)


def _block_masks(draw: Draw) -> Iterator[Case]:
    for sizes in _BLOCKS[1:]:
        for mask in (mask_of_pairs, mask_of_sequences):
            yield _block_case(draw, sizes, mask)


def _block_learned(draw: Draw) -> Iterator[Case]:
    for dim, heads, hidden in ((4, 2, 3), (3, 1, 5)):
        shapes = {name: tuple(weight.shape) for name, weight in _block_weights(draw, dim, hidden).items()}
        yield Case((Built({"embed_dim": dim, "num_heads": heads, "hidden_dim": hidden}),), shapes)


def _block_arguments(draw: Draw) -> Iterator[Case]:
    for training in (False, True):
        for mask in (None, mask_of_pairs):
            yield Case(_block_case(draw, _BLOCKS[2], mask, training, dropout=0.5).args, ("x", "mask"))


def _block_gradients(draw: Draw) -> Iterator[Case]:
    for sizes in _BLOCKS[1:3]:
        built, x = _block_case(draw, sizes, training=True).args
        oracle = lambda x, weights=built.weights, heads=sizes[1]: _block_oracle(weights, heads, x)  # noqa: E731
        yield Case((built, x), gradient(oracle, (x.clone(),)))


def _block_weight_gradients(draw: Draw) -> Iterator[Case]:
    for sizes in _BLOCKS[1:3]:
        built, x = _block_case(draw, sizes, training=True).args
        oracle = partial(_block_oracle, num_heads=sizes[1], x=x)
        yield Case((built, x), of_what_is_learned(built, oracle))


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


EXERCISE = Exercise(
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
            _block_cases(mask_of_pairs),
            through(after_another_call(output)),
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
            is_as_wanted,
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
        at_any_size(_large_blocks, through(output)),
        own_work(_block_cases(), forbidden_in_class),
    ),
    misconceptions=MISTAKES,
)
