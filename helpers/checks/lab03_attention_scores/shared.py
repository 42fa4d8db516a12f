"""What lab 3's exercises share: properties of scores with learned weights, and mistakes that any of them may have."""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Misconception, Property
from helpers.checks.forbidden import own_work
from helpers.checks.judging import (
    GRADIENT,
    after_another_call,
    at_any_size,
    changed_arguments,
    clones,
    equals,
    gradients,
    has_shape,
    leaves_arguments_alone,
    output,
    right_gradient,
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
from helpers.checks.spoiling import stopping_at_64


def score_properties(
    learns: str,
    formula: str,
    build: Callable[[Draw, int, int], Built],
    oracle: Callable[[Mapping[str, Tensor], Tensor, Tensor], Tensor],
) -> tuple[Property, ...]:
    """What a score with learned weights does; `build` draws the weights for given widths of queries and keys."""

    def case(draw: Draw, sizes: tuple[int, ...], training: bool = False) -> tuple[Built, Tensor, Tensor]:
        batch, num_queries, num_keys, query_dim, key_dim = sizes
        built = build(draw, query_dim, key_dim)
        return (
            Built(built.arguments, built.weights, training),
            draw.normal(batch, num_queries, query_dim, scale=1.0),
            draw.normal(batch, num_keys, key_dim, scale=1.0),
        )

    def scores(*several: tuple[int, ...]) -> Callable[[Draw], Iterator[Case]]:
        def cases(draw: Draw) -> Iterator[Case]:
            for sizes in several:
                built, queries, keys = case(draw, sizes)
                yield Case((built, queries, keys), oracle(built.weights, queries, keys))

        return cases

    def learned(draw: Draw) -> Iterator[Case]:
        for widths in ((3, 3), (2, 3), (4, 1)):
            built = build(draw, *widths)
            yield Case((Built(built.arguments),), {name: tuple(weight.shape) for name, weight in built.weights.items()})

    def arguments(draw: Draw) -> Iterator[Case]:
        for training in (False, True):
            yield Case(case(draw, (2, 3, 2, 4, 3), training), ("queries", "keys"))

    def input_gradients(draw: Draw) -> Iterator[Case]:
        for sizes in _GRADIENT_SIZES:
            built, *inputs = case(draw, sizes, training=True)
            want = gradients(2)(
                lambda *changed, weights=built.weights: oracle(weights, *changed), clones(tuple(inputs))
            )
            yield Case((built, *inputs), want)

    def weight_gradients(draw: Draw) -> Iterator[Case]:
        for sizes in _GRADIENT_SIZES:
            built, *inputs = case(draw, sizes, training=True)
            weights = {name: weight.clone().requires_grad_() for name, weight in built.weights.items()}
            found = torch.autograd.grad(weighted_sum(oracle(weights, *inputs)), list(weights.values()))
            yield Case((built, *inputs), dict(zip(weights, found, strict=True)))

    alike = scores((1, 1, 2, 3, 3), (1, 2, 3, 3, 3), (2, 2, 2, 2, 2), (3, 1, 1, 2, 2))
    differing = scores((1, 1, 2, 2, 3), (1, 2, 3, 4, 1), (2, 3, 3, 1, 5))
    large = scores((1, 3, 67, 2, 3), (1, 67, 2, 3, 2), (71, 1, 3, 2, 2), (1, 2, 2, 67, 71))
    batches = scores((2, 1, 3, 3, 2), (3, 3, 3, 2, 4), (4, 2, 3, 5, 1))
    return (
        Property(
            f"learns {learns}, and nothing else", learned, parameters, has_parameters, suggests="other-parameters"
        ),
        Property("gives one score for each query and key: (batch, query, key)", alike, through(output), has_shape),
        Property(f"with queries and keys of one width: the score is {formula}", alike, through(output), equals),
        Property("queries and keys may differ in width", differing, through(output), equals),
        Property("in a batch, each sequence's queries meet its own keys", batches, through(output), equals),
        Property(
            "each call is answered for itself",
            batches,
            through(after_another_call(output)),
            equals,
            suggests="answers-from-memory",
        ),
        Property(
            "leaves its arguments as they were",
            arguments,
            through(changed_arguments),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "its gradient reaches the queries and the keys, and is right",
            input_gradients,
            through(gradients(2)),
            right_gradient,
            shows=GRADIENT,
        ),
        Property(
            "and it reaches what is learned",
            weight_gradients,
            parameter_gradients(),
            right_parameter_gradients,
            suggests="nothing-learned",
        ),
        at_any_size(large, through(output)),
        own_work(learned, forbidden_in_class),
    )


_GRADIENT_SIZES = ((1, 1, 2, 2, 3), (2, 3, 4, 3, 2))


def mistaken_axes(score: Callable[[Callable], Callable], *of_one_sequence: Callable) -> tuple[Misconception, ...]:
    """Mistakes in the axes that any score can make; `score` builds one that has its right scores changed.

    `of_one_sequence` are further scores that take one sequence for all.
    """
    return (
        mistakes.QUERIES_AND_KEYS_SWAPPED.row(score(lambda scores: scores.mT)),
        mistakes.SOFTMAX_INSIDE.row(
            score(lambda scores: scores.softmax(-1)),
            score(lambda scores: scores.softmax(1)),
            score(lambda scores: scores.log_softmax(-1)),
        ),
        mistakes.AXIS_LOST.row(
            score(lambda scores: scores.squeeze()),
            score(lambda scores: scores.squeeze(0)),
            score(lambda scores: scores.squeeze(1)),
        ),
        mistakes.ONE_SEQUENCE_FOR_ALL.row(
            score(lambda scores: scores[:1].expand_as(scores)),
            *of_one_sequence,
            sequence="sequence",
            what="queries and keys",
        ),
        mistakes.SMALL_SIZES_ONLY.row(score(stopping_at_64(lambda scores: scores))),
    )
