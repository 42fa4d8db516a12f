"""Lab 3's exercises: what a right answer does, and the mistakes that people make.

Dropout draws from PyTorch's random numbers, wherever the answer lives, so it isn't seeded here: it is told by what it leaves
behind. However a right answer draws, the chance that it is taken for a wrong one is below 1e-9.
"""

import itertools
import math
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
    equals,
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
    named_parameters,
    parameter_gradients,
    parameters,
    right_parameter_gradients,
    through,
)

# --- What several exercises share ----------------------------------------------------------------------------------


def _gradients(count: int) -> Callable[[Callable, tuple], Tensor | None]:
    """Observe the gradients with respect to the first `count` arguments, one behind the other; None if one is missing."""

    def observe(answer: Callable, args: tuple) -> Tensor | None:
        inputs = [each.requires_grad_() for each in args[:count]]
        result = answer(*args)
        if not isinstance(result, Tensor) or not result.requires_grad:
            return None
        with torch.enable_grad():  # the answer may have turned it off
            found = torch.autograd.grad(weighted_sum(result), inputs, allow_unused=True)
        return None if any(each is None for each in found) else torch.cat([each.flatten() for each in found])

    return observe


def _after_another_call(answer: Callable, args: tuple) -> Any:
    """Observe what comes back when the answer has been called with other queries before."""
    answer(-args[0], *args[1:])
    return output(answer, args)


def _changed(layer: Callable[..., nn.Module], change: Callable[[Callable], Callable]) -> Callable:
    """A module like another one, except that its forward pass is changed."""

    def build(*arguments):
        module = layer(*arguments)
        module.forward = change(module.forward)
        return module

    return build


def _remembering(right: Callable) -> Callable:
    answered = []

    def remembering(*args):
        if not answered:
            answered.append(right(*args))
        return answered[0]

    return remembering


def _overwriting(position: int) -> Callable[[Callable], Callable]:
    def change(right: Callable) -> Callable:
        def overwriting(*args):
            result = right(*args)
            if len(args) > position and args[position] is not None:
                with torch.no_grad():
                    args[position].add_(1)
            return result

        return overwriting

    return change


def _cutting(*positions: int) -> Callable[[Callable], Callable]:
    def change(right: Callable) -> Callable:
        return lambda *args: right(*(each.detach() if i in positions else each for i, each in enumerate(args)))

    return change


def _writes_into(what: str, *wrong: Callable) -> Misconception:
    return Misconception(
        "writes-into-arguments",
        "one of the caller's tensors is overwritten",
        f"The result is right, but the caller's {what} are no longer what they were. An operator such as `/=`, and a method "
        "whose name ends in `_`, write in place.",
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


def _answers_from_memory(*wrong: Callable) -> Misconception:
    return Misconception(
        "answers-from-memory",
        "a call is answered with an earlier call's result",
        "The first call is right. After that your layer keeps giving the same result, though the queries have changed.",
        wrong,
    )


def _nothing_returned(layer: Callable[..., nn.Module]) -> Misconception:
    forward_of_none = _changed(layer, lambda right: lambda *args: (right(*args), None)[1])
    return Misconception(NOTHING_RETURNED.id, NOTHING_RETURNED.title, NOTHING_RETURNED.explanation, (forward_of_none,))


# --- 1 and 2: scores with learned weights --------------------------------------------------------------------------


def _score_properties(
    learns: str,
    formula: str,
    build: Callable[[Draw, int, int], Built],
    oracle: Callable[[dict[str, Tensor], Tensor, Tensor], Tensor],
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
            yield Case((Built(built.arguments),), {name: tuple(each.shape) for name, each in built.weights.items()})

    def arguments(draw: Draw) -> Iterator[Case]:
        for training in (False, True):
            yield Case(case(draw, (2, 3, 2, 4, 3), training), ("queries", "keys"))

    def input_gradients(draw: Draw) -> Iterator[Case]:
        for sizes in _GRADIENT_SIZES:
            built, *inputs = case(draw, sizes, training=True)
            want = _gradients(2)(lambda *each, weights=built.weights: oracle(weights, *each), clones(tuple(inputs)))
            yield Case((built, *inputs), want)

    def weight_gradients(draw: Draw) -> Iterator[Case]:
        for sizes in _GRADIENT_SIZES:
            built, *inputs = case(draw, sizes, training=True)
            weights = {name: each.clone().requires_grad_() for name, each in built.weights.items()}
            found = torch.autograd.grad(weighted_sum(oracle(weights, *inputs)), list(weights.values()))
            yield Case((built, *inputs), dict(zip(weights, found, strict=True)))

    alike = scores((1, 1, 2, 3, 3), (1, 2, 3, 3, 3), (2, 2, 2, 2, 2), (3, 1, 1, 2, 2))
    differing = scores((1, 1, 2, 2, 3), (1, 2, 3, 4, 1), (2, 3, 3, 1, 5))
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
            through(_after_another_call),
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
            through(_gradients(2)),
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
        own_work(learned, forbidden_in_class),
    )


_GRADIENT_SIZES = ((1, 1, 2, 2, 3), (2, 3, 4, 3, 2))


def _other_parameters(*wrong: Callable) -> Misconception:
    return Misconception(
        "other-parameters",
        "the parameters aren't the ones asked for",
        "Trained weights are saved and loaded by name: whoever loads yours looks for the very names and shapes of the text. "
        "A layer kept as `self.W` has its numbers in `W.weight`, of shape (outputs, inputs) as `nn.Linear` has it.",
        wrong,
    )


_NO_MODULE = Misconception(
    "no-module",
    "what is built isn't an `nn.Module`",
    "A layer is a class derived from `nn.Module`, whose `__init__` begins with `super().__init__()`: that is how its weights are "
    "found, saved and trained.",
    (lambda *arguments: lambda *args: None, lambda *arguments: None),
)


def _mistaken_axes(score: Callable[[Callable], Callable]) -> tuple[Misconception, ...]:
    """Mistakes in the axes that any score can make; `score` builds one that has its right scores changed."""
    return (
        Misconception(
            "queries-and-keys-swapped",
            "a row is a key's, not a query's",
            "Your scores are (batch, key, query): each row belongs to a key. In the course a row holds one query's scores.",
            (score(lambda scores: scores.mT),),
        ),
        Misconception(
            "softmax-inside",
            "what comes back are weights, not scores",
            "A score is what goes *into* the softmax. Whoever uses the scores has to mask them first, so leave the softmax "
            "to the pooling.",
            (
                score(lambda scores: scores.softmax(-1)),
                score(lambda scores: scores.softmax(1)),
                score(lambda scores: scores.log_softmax(-1)),
            ),
        ),
        Misconception(
            "axis-lost",
            "an axis of size 1 gets lost",
            "`squeeze()` removes *every* axis of size 1: a batch of one, or a single query, loses its axis as well. "
            "Say which axis you mean.",
            (
                score(lambda scores: scores.squeeze()),
                score(lambda scores: scores.squeeze(0)),
                score(lambda scores: scores.squeeze(1)),
            ),
        ),
        Misconception(
            "one-sequence-for-all",
            "all sequences are given the first one's scores",
            "A batch of one works, but in a larger one each sequence has queries and keys of its own.",
            (score(lambda scores: scores[:1].expand_as(scores)),),
        ),
    )


# --- 1. BilinearScore ----------------------------------------------------------------------------------------------


def _bilinear_oracle(weights: dict[str, Tensor], queries: Tensor, keys: Tensor) -> Tensor:
    """Differentiable; one pair after the other, in float64."""
    W = weights["W.weight"].double()
    scores = [q.double() @ W @ k.double() for b in range(len(queries)) for q in queries[b] for k in keys[b]]
    return torch.stack(scores).reshape(*queries.shape[:2], keys.shape[1]).to(queries.dtype)


def _bilinear_built(draw: Draw, query_dim: int, key_dim: int) -> Built:
    weights = {"W.weight": draw.normal(query_dim, key_dim, scale=1.0)}
    return Built({"query_dim": query_dim, "key_dim": key_dim}, weights)


def _bilinear(
    score: Callable = lambda W, q, k: q @ W(k).mT,
    W: Callable = lambda query_dim, key_dim: nn.Linear(key_dim, query_dim, bias=False),
    name: str = "W",
) -> Callable:
    """A bilinear score out of parts, of which one has a mistake."""

    class Bilinear(nn.Module):
        def __init__(self, query_dim, key_dim):
            super().__init__()
            setattr(self, name, W(query_dim, key_dim))

        def forward(self, queries, keys):
            return score(getattr(self, name), queries, keys)

    return Bilinear


def _bilinear_then(change: Callable) -> Callable:
    return _bilinear(lambda W, q, k: change(q @ W(k).mT))


def _turned(query_dim: int, key_dim: int, bias: bool = False) -> nn.Linear:
    return nn.Linear(query_dim, key_dim, bias=bias)


def _as_a_tensor(query_dim: int, key_dim: int) -> Tensor:
    return torch.linspace(-1, 1, query_dim * key_dim).reshape(query_dim, key_dim)


BILINEAR_SCORE = Exercise(
    name="BilinearScore",
    arguments=("BilinearScore", "queries", "keys"),
    properties=_score_properties(
        "one matrix, `W.weight` of shape (query_dim, key_dim)", "qᵀ W k", _bilinear_built, _bilinear_oracle
    ),
    misconceptions=(
        Misconception(
            "bias",
            "W has a bias",
            "`nn.Linear` adds a bias unless it is told not to. With it the score is qᵀ(W k + b), and qᵀb prefers no key to "
            "another: the softmax drops it. Parameters that change no weight are only in the way.",
            (
                _bilinear(W=lambda query_dim, key_dim: nn.Linear(key_dim, query_dim)),
                _bilinear(lambda W, q, k: W(q) @ k.mT, lambda query_dim, key_dim: _turned(query_dim, key_dim, True)),
                _bilinear(lambda W, q, k: W(q, k), lambda query_dim, key_dim: nn.Bilinear(query_dim, key_dim, 1)),
            ),
        ),
        Misconception(
            "W-on-the-wrong-side",
            "W stands on the wrong side",
            "In qᵀ W k the matrix takes a *key* and gives something as wide as a *query*. Yours goes from "
            "a query's width to a key's. Where the two are the same that runs without a complaint.",
            (_bilinear(lambda W, q, k: W(q) @ k.mT, _turned), _bilinear(lambda W, q, k: W(q) @ k.mT)),
        ),
        Misconception(
            "W-on-both-sides",
            "W maps the queries and the keys",
            "W maps the keys to the queries' width, and then both can be compared. The queries stay as they are.",
            (_bilinear(lambda W, q, k: W(q) @ W(k).mT),),
        ),
        Misconception(
            "nothing-learned",
            "there is no learned weight",
            "The comparison is to be *learned*: W has to be a parameter, which `named_parameters()` lists, the forward pass uses "
            "and a gradient reaches. A plain tensor, a buffer or a frozen parameter stays as it is for ever.",
            (
                _bilinear(lambda W, q, k: q @ W @ k.mT, _as_a_tensor),
                _bilinear(lambda W, q, k: q @ k.mT, lambda query_dim, key_dim: None),
                _bilinear(lambda W, q, k: q @ k.mT),
                _bilinear(lambda W, q, k: q @ (k @ W.weight.detach().T).mT),
                _bilinear(W=lambda query_dim, key_dim: nn.Linear(key_dim, query_dim, bias=False).requires_grad_(False)),
            ),
        ),
        _other_parameters(
            _bilinear(lambda W, q, k: q @ W @ k.mT, lambda *widths: nn.Parameter(_as_a_tensor(*widths))),
            _bilinear(lambda W, q, k: W(q, k), lambda *widths: nn.Bilinear(*widths, 1, bias=False)),
            _bilinear(name="w"),
            _bilinear(name="linear"),
            _bilinear(name="W_a"),
        ),
        Misconception(
            "scaled",
            "the scores are divided by a root",
            "The √d belongs to the scaled dot product. This score has a W that can learn whatever scale it needs.",
            (
                _bilinear(lambda W, q, k: q @ W(k).mT / math.sqrt(q.shape[-1])),
                _bilinear(lambda W, q, k: q @ W(k).mT / math.sqrt(k.shape[-1])),
            ),
        ),
        Misconception(
            "bent",
            "something bends the scores",
            "A bilinear score is linear in q and linear in k. A tanh, or any other activation, belongs to the next exercise.",
            (_bilinear_then(torch.tanh), _bilinear(lambda W, q, k: q @ W(k).tanh().mT), _bilinear_then(torch.relu)),
        ),
        Misconception(
            "pairs-in-step",
            "each query meets only one key",
            "Each query of a sequence is compared with *every* key of it. Yours goes through both side by side.",
            (
                _bilinear(lambda W, q, k: (q * W(k)).sum(-1)),
                _bilinear(lambda W, q, k: (q * W(k)).sum(-1, keepdim=True)),
            ),
        ),
        Misconception(
            "not-transposed",
            "the keys aren't transposed",
            "A matrix product sums over the first one's last axis and the second one's last but one. Both have to be the width, so "
            "the mapped keys must be (batch, width, key).",
            (_bilinear(lambda W, q, k: q @ W(k)), _bilinear(lambda W, q, k: torch.bmm(q, W(k)))),
        ),
        Misconception(
            "reshape-for-transpose",
            "the keys are reshaped, not transposed",
            "The shape is right and the numbers are in the wrong places: a reshape reads the same memory in the same order. "
            "To swap two axes you need a transpose.",
            (
                _bilinear(lambda W, q, k: q @ W(k).reshape(k.shape[0], q.shape[2], k.shape[1])),
                _bilinear_then(lambda scores: scores.mT.reshape(scores.shape)),
            ),
        ),
        *_mistaken_axes(_bilinear_then),
        _writes_into("queries or keys", *(_changed(_bilinear(), _overwriting(i)) for i in (0, 1))),
        _detached("the queries or the keys", *(_changed(_bilinear(), _cutting(*i)) for i in ((0, 1), (0,), (1,)))),
        _answers_from_memory(_changed(_bilinear(), _remembering)),
        _NO_MODULE,
        forbidden_call(),
        _nothing_returned(_bilinear()),
    ),
)


# --- 2. AdditiveScore ----------------------------------------------------------------------------------------------


def _additive_oracle(weights: dict[str, Tensor], queries: Tensor, keys: Tensor) -> Tensor:
    """Differentiable; one pair after the other, in float64."""
    W_q, W_k, w_v = (weights[f"{name}.weight"].double() for name in ("W_q", "W_k", "w_v"))
    scores = [
        w_v[0] @ torch.tanh(W_q @ q.double() + W_k @ k.double())
        for b in range(len(queries))
        for q in queries[b]
        for k in keys[b]
    ]
    return torch.stack(scores).reshape(*queries.shape[:2], keys.shape[1]).to(queries.dtype)


def _additive_built(draw: Draw, query_dim: int, key_dim: int) -> Built:
    hidden_dim = 2 if query_dim == key_dim else query_dim + key_dim + 1
    weights = {
        "W_q.weight": draw.normal(hidden_dim, query_dim, scale=1.0),
        "W_k.weight": draw.normal(hidden_dim, key_dim, scale=1.0),
        "w_v.weight": draw.normal(1, hidden_dim, scale=1.0),
    }
    return Built({"query_dim": query_dim, "key_dim": key_dim, "hidden_dim": hidden_dim}, weights)


def _hidden(W_q: Callable, W_k: Callable, queries: Tensor, keys: Tensor) -> Tensor:
    """W_q q + W_k k for each pair: (batch, query, key, hidden)."""
    return W_q(queries).unsqueeze(2) + W_k(keys).unsqueeze(1)


def _additive(
    score: Callable = lambda W_q, W_k, w_v, q, k: w_v(torch.tanh(_hidden(W_q, W_k, q, k))).squeeze(-1),
    layers: Callable = lambda query_dim, key_dim, hidden_dim: _linears(
        (query_dim, hidden_dim), (key_dim, hidden_dim), (hidden_dim, 1)
    ),
    names: tuple[str, ...] = ("W_q", "W_k", "w_v"),
) -> Callable:
    """An additive score out of parts, of which one has a mistake."""

    class Additive(nn.Module):
        def __init__(self, query_dim, key_dim, hidden_dim):
            super().__init__()
            for name, layer in zip(names, layers(query_dim, key_dim, hidden_dim), strict=True):
                setattr(self, name, layer)

        def forward(self, queries, keys):
            return score(*(getattr(self, name) for name in names), queries, keys)

    return Additive


def _linears(*sizes: tuple[int, int], biases: tuple[bool, ...] = (False, False, False)) -> list[nn.Linear]:
    return [nn.Linear(*size, bias=bias) for size, bias in zip(sizes, biases, strict=False)]


def _additive_then(change: Callable) -> Callable:
    return _additive(lambda W_q, W_k, w_v, q, k: change(w_v(torch.tanh(_hidden(W_q, W_k, q, k))).squeeze(-1)))


def _activated(activation: Callable) -> Callable:
    return _additive(lambda W_q, W_k, w_v, q, k: w_v(activation(_hidden(W_q, W_k, q, k))).squeeze(-1))


def _with_biases(*biases: bool) -> Callable:
    return _additive(layers=lambda q, k, h: _linears((q, h), (k, h), (h, 1), biases=biases))


def _repeated_for_both(W_q: Callable, W_k: Callable, w_v: Callable, q: Tensor, k: Tensor) -> Tensor:
    """Repeats queries and keys alike, so that they run side by side: (0, 0), (1, 1), … in place of all pairs."""
    left, right = W_q(q).repeat(1, k.shape[1], 1), W_k(k).repeat(1, q.shape[1], 1)
    return w_v(torch.tanh(left + right)).reshape(len(q), q.shape[1], k.shape[1])


def _repeated_the_other_way(W_q: Callable, W_k: Callable, w_v: Callable, q: Tensor, k: Tensor) -> Tensor:
    """All pairs, but key by key, and then read as if they were query by query."""
    left, right = (W_q(q).repeat(1, k.shape[1], 1), W_k(k).repeat_interleave(q.shape[1], 1))
    return w_v(torch.tanh(left + right)).reshape(len(q), q.shape[1], k.shape[1])


def _each_repeated_on_the_spot(W_q: Callable, W_k: Callable, w_v: Callable, q: Tensor, k: Tensor) -> Tensor:
    left, right = (W_q(q).repeat_interleave(k.shape[1], 1), W_k(k).repeat_interleave(q.shape[1], 1))
    return w_v(torch.tanh(left + right)).reshape(len(q), q.shape[1], k.shape[1])


ADDITIVE_SCORE = Exercise(
    name="AdditiveScore",
    arguments=("AdditiveScore", "queries", "keys"),
    properties=_score_properties(
        "`W_q.weight` (hidden_dim, query_dim), `W_k.weight` (hidden_dim, key_dim) and `w_v.weight` (1, hidden_dim)",
        "w_vᵀ tanh(W_q q + W_k k)",
        _additive_built,
        _additive_oracle,
    ),
    misconceptions=(
        Misconception(
            "no-tanh",
            "there is no tanh",
            "Without it the score is a sum: a part of the query plus a part of the key. The query's part is the same for all keys, "
            "so the softmax drops it, and every query gets the same weights.",
            (_activated(lambda hidden: hidden),),
        ),
        Misconception(
            "tanh-before-the-sum",
            "the tanh is taken of each term before the sum",
            "Then the score falls apart into a part of the query and a part of the key. The query's part is the same for all keys, "
            "and the softmax drops it. The two have to meet *inside* the tanh.",
            (
                _additive(
                    lambda W_q, W_k, w_v, q, k: w_v(
                        _hidden(lambda each: W_q(each).tanh(), lambda each: W_k(each).tanh(), q, k)
                    ).squeeze(-1)
                ),
            ),
        ),
        Misconception(
            "tanh-of-the-score",
            "the tanh is taken of the score",
            "The tanh bends each hidden unit, before w_v sums them up. Yours comes after w_v: no score can be greater than 1.",
            (
                _additive(lambda W_q, W_k, w_v, q, k: w_v(_hidden(W_q, W_k, q, k)).squeeze(-1).tanh()),
                _additive_then(torch.tanh),
            ),
        ),
        Misconception(
            "other-activation",
            "it is another function than tanh",
            "Other functions bend, too, and would do. This score, as Bahdanau et al. defined it, has a tanh: loaded "
            "weights would mean something else with yours.",
            tuple(map(_activated, (torch.sigmoid, torch.relu, nn.functional.gelu, nn.functional.silu, torch.sin))),
        ),
        Misconception(
            "W_q-and-W_k-swapped",
            "W_q and W_k are swapped",
            "W_q maps queries, W_k maps keys. Where both widths agree the wrong one runs without a complaint.",
            (
                _additive(lambda W_q, W_k, w_v, q, k: w_v(torch.tanh(_hidden(W_k, W_q, q, k))).squeeze(-1)),
                _additive(layers=lambda q, k, h: _linears((k, h), (q, h), (h, 1))),
            ),
        ),
        Misconception(
            "one-matrix-for-both",
            "queries and keys go through the same matrix",
            "W_q is for the queries and W_k for the keys. With one matrix for both, q and k could change places, and queries and "
            "keys of different width could not be compared at all.",
            (
                _additive(lambda W_q, W_k, w_v, q, k: w_v(torch.tanh(_hidden(W_q, W_q, q, k))).squeeze(-1)),
                _additive(lambda W_q, W_k, w_v, q, k: w_v(torch.tanh(_hidden(W_k, W_k, q, k))).squeeze(-1)),
            ),
        ),
        Misconception(
            "bias",
            "there are biases",
            "`nn.Linear` adds a bias unless it is told not to. None of the three layers has one here.",
            tuple(_with_biases(*each) for each in itertools.product((True, False), repeat=3) if any(each)),
        ),
        Misconception(
            "mixes-pairs",
            "the pairs are mixed up",
            "Queries and keys are repeated, or paired up, in a way that gives a score to the wrong pair, or meets some pairs "
            "twice and others never. Number the queries 0, 1 and the keys 0, 1, 2, and write down which pair stands where.",
            (_additive(_repeated_for_both), _additive(_repeated_the_other_way), _additive(_each_repeated_on_the_spot)),
        ),
        Misconception(
            "pairs-in-step",
            "each query meets only one key",
            "Each query of a sequence is compared with *every* key of it: `W_q(queries)` and `W_k(keys)` can't be added as they "
            "are. Which axis does each of them lack?",
            (
                _additive(lambda W_q, W_k, w_v, q, k: w_v(torch.tanh(W_q(q) + W_k(k))).squeeze(-1)),
                _additive(lambda W_q, W_k, w_v, q, k: w_v(torch.tanh(W_q(q) + W_k(k)))),
            ),
        ),
        Misconception(
            "product-for-sum",
            "the two are multiplied, not added",
            "This score adds W_q q and W_k k, which has given it its name.",
            (
                _additive(
                    lambda W_q, W_k, w_v, q, k: w_v(torch.tanh(W_q(q).unsqueeze(2) * W_k(k).unsqueeze(1))).squeeze(-1)
                ),
            ),
        ),
        Misconception(
            "w_v-left-out",
            "w_v has no part in it",
            "The hidden units are summed up, or averaged, as if all were of the same worth. Each has its own weight, learned, in `w_v`.",
            (
                _additive(lambda W_q, W_k, w_v, q, k: torch.tanh(_hidden(W_q, W_k, q, k)).sum(-1)),
                _additive(lambda W_q, W_k, w_v, q, k: torch.tanh(_hidden(W_q, W_k, q, k)).mean(-1)),
            ),
        ),
        Misconception(
            "axis-left-over",
            "an axis of size 1 is left over",
            "`w_v` turns the hidden units into *one* number, on an axis of its own: (batch, query, key, 1). A score has three axes.",
            (_additive_then(lambda scores: scores.unsqueeze(-1)),),
        ),
        Misconception(
            "scaled",
            "the scores are divided by a root",
            "The √d belongs to the scaled dot product. Here w_v learns whatever scale is needed.",
            (
                _additive(
                    lambda W_q, W_k, w_v, q, k: (
                        w_v(torch.tanh(_hidden(W_q, W_k, q, k))).squeeze(-1) / math.sqrt(w_v.in_features)
                    )
                ),
                _additive(
                    lambda W_q, W_k, w_v, q, k: (
                        w_v(torch.tanh(_hidden(W_q, W_k, q, k))).squeeze(-1) / math.sqrt(q.shape[-1])
                    )
                ),
            ),
        ),
        Misconception(
            "nothing-learned",
            "something that should be learned isn't",
            "All three weights are parameters: `named_parameters()` lists them, the forward pass uses them and a gradient reaches "
            "them. A plain tensor, a detached one or a frozen parameter stays as it is for ever.",
            (
                _additive(
                    lambda W_q, W_k, w_v, q, k: torch.tanh(_hidden(W_q, W_k, q, k)) @ w_v.weight.detach().squeeze(0)
                ),
                _additive(layers=lambda *d: [layer.requires_grad_(False) for layer in _additive()(*d).children()]),
                _additive(
                    lambda W_q, W_k, w_v, q, k: torch.tanh(q @ W_q.T.unsqueeze(1) + (k @ W_k.T).unsqueeze(1)) @ w_v,
                    layers=lambda q, k, h: (torch.ones(h, q), torch.ones(h, k), torch.ones(h)),
                ),
            ),
        ),
        _other_parameters(
            _additive(
                lambda W, w_v, q, k: q.sum(-1).unsqueeze(2) + k.sum(-1).unsqueeze(1),
                lambda q, k, h: _linears((q + k, h), (h, 1)),
                ("W", "w_v"),
            ),
            _additive(names=("W_q", "W_k", "W_v")),
            _additive(names=("w_q", "w_k", "w_v")),
            _additive(names=("W_q", "W_k", "v")),
        ),
        *_mistaken_axes(_additive_then),
        _writes_into("queries or keys", *(_changed(_additive(), _overwriting(i)) for i in (0, 1))),
        _detached("the queries or the keys", *(_changed(_additive(), _cutting(*i)) for i in ((0, 1), (0,), (1,)))),
        _answers_from_memory(_changed(_additive(), _remembering)),
        _NO_MODULE,
        forbidden_call(),
        _nothing_returned(_additive()),
    ),
)


# --- 3. AttentionPooling -------------------------------------------------------------------------------------------


def product_of_sums(queries: Tensor, keys: Tensor) -> Tensor:
    """A score for queries and keys of any widths: the product of the sums of their entries, halved."""
    return queries.sum(-1).unsqueeze(2) * keys.sum(-1).unsqueeze(1) / 2


def minus_squared_distance(queries: Tensor, keys: Tensor) -> Tensor:
    """A score for queries and keys of any widths: the nearer the sums of their entries, the higher."""
    return -((queries.sum(-1).unsqueeze(2) - 2 * keys.sum(-1).unsqueeze(1)) ** 2) / 8


def bounded(queries: Tensor, keys: Tensor) -> Tensor:
    """A score whose gradient is made from its own result: who writes into that breaks it."""
    return torch.tanh(product_of_sums(queries, keys))


class LearnedScore(nn.Module):
    """A score with a parameter, given: the product of query and key with a matrix between them."""

    def __init__(self, matrix: Tensor):
        super().__init__()
        self.matrix = nn.Parameter(matrix.clone())

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        return queries @ self.matrix.to(queries.dtype) @ keys.mT


def _pooling_weights(score: Callable, queries: Tensor, keys: Tensor, valid_lens: Tensor | None) -> Tensor:
    """Differentiable; query by query, in float64; the result has the queries' type."""
    scores = score(queries, keys).double()
    batch, num_queries, num_keys = scores.shape
    rows = []
    for b in range(batch):
        for q in range(num_queries):
            length = (
                num_keys if valid_lens is None else int(valid_lens.reshape(batch, -1).expand(-1, num_queries)[b, q])
            )
            exps = (scores[b, q, :length] - scores[b, q, :length].max().detach()).exp()
            rows.append(torch.cat([exps / exps.sum(), exps.new_zeros(num_keys - length)]))
    return torch.stack(rows).reshape(scores.shape).to(queries.dtype)


def _pooled(score: Callable, queries: Tensor, keys: Tensor, values: Tensor, valid_lens: Tensor | None) -> Tensor:
    weights = _pooling_weights(score, queries, keys, valid_lens).double()
    pooled = [
        sum(weights[b, q, k] * values[b, k].double() for k in range(values.shape[1]))
        for b in range(weights.shape[0])
        for q in range(weights.shape[1])
    ]
    return torch.stack(pooled).reshape(*weights.shape[:2], values.shape[2]).to(values.dtype)


def _kept_weights(score: Callable, queries: Tensor, keys: Tensor, values: Tensor, valid_lens: Tensor | None) -> Tensor:
    return _pooling_weights(score, queries, keys, valid_lens)


def _pooling_case(
    draw: Draw, sizes: tuple[int, ...], valid_lens: Tensor | None, want: Callable, score: Callable = product_of_sums
) -> Case:
    """Sizes are (batch, query, key, query_dim, key_dim, v)."""
    batch, num_queries, num_keys, query_dim, key_dim, v = sizes
    args = (
        draw.normal(batch, num_queries, query_dim, scale=1.0),
        draw.normal(batch, num_keys, key_dim, scale=1.0),
        draw.normal(batch, num_keys, v),
        valid_lens,
    )
    return Case((Built({"score": score}), *args), want(score, *args))


def _every_key(want: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for score in (product_of_sums, minus_squared_distance):
            yield _pooling_case(draw, (1, 1, 2, 3, 3, 1), None, want, score)
            yield _pooling_case(draw, (1, 2, 3, 3, 3, 3), None, want, score)
            yield _pooling_case(draw, (2, 2, 2, 2, 2, 2), None, want, score)  # every axis of the same size
            yield _pooling_case(draw, (2, 3, 4, 5, 5, 2), None, want, score)

    return cases


def _any_score(draw: Draw) -> Iterator[Case]:
    """Scores that are modules, queries and keys of different widths, values wider or narrower than keys."""
    for sizes in ((1, 1, 2, 2, 3, 1), (2, 3, 2, 4, 2, 5), (2, 2, 3, 1, 3, 2)):
        for score in (product_of_sums, LearnedScore(draw.normal(*sizes[3:5], scale=1.0))):
            case = _pooling_case(draw, sizes, None, _pooled, score)
            yield Case(case.args, case.want.detach())


def _length_a_sequence(want: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _pooling_case(draw, (1, 1, 3, 2, 2, 1), torch.tensor([2]), want)
        yield _pooling_case(draw, (2, 1, 3, 2, 3, 2), torch.tensor([1, 3]), want)
        yield _pooling_case(draw, (2, 2, 2, 2, 2, 2), torch.tensor([2, 1]), want)
        yield _pooling_case(draw, (4, 3, 5, 2, 3, 2), draw.integers(1, 5, 4), want)
        yield _pooling_case(draw, (3, 3, 3, 2, 1, 4), torch.tensor([2, 1, 3]).int(), want)

    return cases


def _length_a_query(want: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _pooling_case(draw, (1, 2, 3, 2, 2, 1), torch.tensor([[1, 2]]), want)
        yield _pooling_case(draw, (2, 2, 2, 2, 2, 2), torch.tensor([[2, 1], [1, 2]]), want)
        yield _pooling_case(draw, (3, 2, 4, 2, 3, 2), draw.integers(1, 4, 3, 2), want)

    return cases


def _loud_padding(draw: Draw) -> Iterator[Case]:
    for loudness in (1e3, -1e3):
        for lengths in (torch.tensor([2, 1]), torch.tensor([[2, 1], [1, 1]])):
            queries, keys, values = (draw.normal(2, size, 4) for size in (2, 3, 3))
            keys[:, 2:], values[:, 2:] = loudness, loudness
            args = (queries, keys, values, lengths)
            yield Case((Built({"score": product_of_sums}), *args), _pooled(product_of_sums, *args))


def _pooling_arguments(draw: Draw) -> Iterator[Case]:
    for lengths in (None, torch.tensor([1, 3]), torch.tensor([[1, 2], [3, 1]])):
        case = _pooling_case(
            draw, (2, 2, 3, 3, 3, 2), lengths, lambda *args: ("queries", "keys", "values", "valid_lens")
        )
        yield case
        yield Case((Built({"score": product_of_sums, "dropout": 0.5}, training=True), *case.args[1:]), case.want)


def _pooling_gradients(draw: Draw) -> Iterator[Case]:
    def want(score, *args):
        return _gradients(3)(lambda *each: _pooled(score, *each), clones(args))

    for lengths in (None, torch.tensor([2, 3]), torch.tensor([[1, 2], [3, 2]])):
        for score in (product_of_sums, bounded):
            yield _pooling_case(draw, (2, 2, 3, 3, 2, 2), lengths, want, score)


def _pooling_types(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        args = (*(draw.normal(2, size, 3, scale=0.4).to(dtype) for size in (2, 3, 3)), None)
        yield Case((Built({"score": product_of_sums}), *args), _pooled(product_of_sums, *args))


def _scores_that_learn(draw: Draw) -> Iterator[Case]:
    """What is wanted is the gradient that reaches the score's one parameter."""
    for widths in ((2, 2), (2, 3)):
        score = LearnedScore(draw.normal(*widths, scale=1.0))
        case = _pooling_case(draw, (2, 2, 3, *widths, 2), None, _pooled, score)
        yield Case(case.args, torch.autograd.grad(weighted_sum(case.want), score.matrix)[0].flatten())


@torch.random.fork_rng(devices=())
def _gradient_of_all_that_is_learned(answer: Callable, args: tuple) -> Tensor | None:
    """Observe the gradients of all parameters of the pooling, one behind the other."""
    module = args[0].build(answer)
    own = list(named_parameters(module).values())
    if not own:
        raise CannotObserve("the score has a parameter, and the pooling's `parameters()` has none")
    result = module(*args[1:])
    if not isinstance(result, Tensor) or not result.requires_grad:
        return None
    found = torch.autograd.grad(weighted_sum(result), own, allow_unused=True)
    return torch.cat(
        [torch.zeros(own_.numel()) if each is None else each.flatten() for own_, each in zip(own, found, strict=True)]
    )


def _is_the_scores_alone(got: Tensor | None, want: Tensor) -> str | None:
    if got is not None and got.shape != want.shape:
        return f"the score has {want.numel()} numbers to learn, and the pooling {got.numel()}"
    return right_gradient(got, want)


@torch.random.fork_rng(devices=())
def _kept(answer: Callable, args: tuple) -> Tensor:
    """Observe `.weights` after a call."""
    module = args[0].build(answer)
    module(*args[1:])
    return _weights_of(module)


@torch.random.fork_rng(devices=())
def _kept_after_two_calls(answer: Callable, args: tuple) -> Tensor:
    """Observe `.weights` after another call, and then the one of the case."""
    module = args[0].build(answer)
    module(-args[1], *args[2:])
    module(*args[1:])
    return _weights_of(module)


def _weights_of(module: nn.Module) -> Tensor:
    weights = getattr(module, "weights", None)
    if not isinstance(weights, Tensor):
        what = "nothing" if weights is None else f"a {type(weights).__name__}"
        raise CannotObserve(f"after a call it keeps {what} in `.weights`")
    return weights.detach()


# --- Dropout, told by what it leaves behind: with the identity for values, twice side by side, the output is the weights that the
# --- values met, twice. What is dropped from the weights is missing from both copies.

_DROPOUTS = (0.5, 0.2)
_DROPPED = "single weights are dropped, and the others divided by 1 − dropout"
_NOTHING_DROPPED = "nothing is dropped"
_KEPT_BEFORE = "`.weights` holds the weights before dropout"


def _dropout_cases(want: str, training: bool, dropouts: tuple = _DROPOUTS) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for dropout in dropouts:
            batch, num_queries, num_keys = 4, 8, 16
            arguments = {"score": product_of_sums} | ({} if dropout is None else {"dropout": dropout})
            queries, keys = (draw.normal(batch, n, 2, scale=0.5) for n in (num_queries, num_keys))
            values = torch.eye(num_keys).repeat(1, 2).expand(batch, -1, -1).clone()
            yield Case((Built(arguments, training=training), queries, keys, values, None), want)

    return cases


@torch.random.fork_rng(devices=())
def _what_is_dropped(answer: Callable, args: tuple) -> str:
    """Observe in words what happens between the weights and the output; random numbers have no part in them."""
    module = args[0].build(answer)
    weights = product_of_sums(*args[1:3]).softmax(-1)
    outputs = []
    for _ in range(2):
        result = module(*args[1:])
        problem = has_shape(result, weights.repeat(1, 1, 2))
        if problem:
            raise CannotObserve(problem)
        outputs.append(result.detach())
    return _difference_between(weights, torch.stack(outputs), args[0].arguments.get("dropout", 0.0))


def _difference_between(weights: Tensor, outputs: Tensor, p: float) -> str:
    """`weights` (batch, query, key) are right; `outputs` (call, batch, query, 2 · key) come from two calls."""
    left, right = outputs.chunk(2, dim=-1)
    dropped = left == 0
    kept, ideal = left[~dropped], weights.expand_as(left)[~dropped]
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
    if not close(kept, ideal / (1 - p)):
        return "weights are dropped, and those that are kept aren't divided by 1 − dropout"
    for axis, alike in enumerate(
        ("both calls lose", "all sequences lose", "all queries lose", "all keys lose or keep")
    ):
        if (dropped == dropped.narrow(axis, 0, 1)).all():
            return f"{alike} the same weights"
    return _DROPPED


@torch.random.fork_rng(devices=())
def _what_is_kept(answer: Callable, args: tuple) -> str:
    """Observe in words which weights `.weights` holds after a call with dropout."""
    module = args[0].build(answer)
    weights = product_of_sums(*args[1:3]).softmax(-1)  # before the call, which may change what it is given
    module(*args[1:])
    kept = _weights_of(module)
    problem = has_shape(kept, weights)
    if problem:
        raise CannotObserve(f"of `.weights`: {problem}")
    if close(kept, weights):
        return _KEPT_BEFORE
    some = kept != 0
    after = not some.all() and any(
        close(kept[some], weights[some] / by) for by in (1, 1 - args[0].arguments["dropout"])
    )
    return f"`.weights` holds {'what dropout left of the weights' if after else 'something else than the weights'}"


def _is_as_wanted(got: str, want: str) -> str | None:
    return None if got == want else got


def _keep(scores: Tensor, valid_lens: Tensor | None) -> Tensor:
    """True where a key counts: (batch, query, key)."""
    lengths = torch.tensor(scores.shape[2]) if valid_lens is None else valid_lens.reshape(scores.shape[0], -1, 1)
    return (torch.arange(scores.shape[2]) < lengths).expand_as(scores)


def _softmax(scores: Tensor, valid_lens: Tensor | None) -> Tensor:
    return scores.masked_fill(~_keep(scores, valid_lens), -torch.inf).softmax(-1)


def _dropped(weights: Tensor, p: float, training: bool) -> Tensor:
    return nn.functional.dropout(weights, p, training)


def _pooling(
    weigh: Callable = _softmax,
    scores: Callable = lambda score, q, k, v: score(q, k),
    drop: Callable = _dropped,
    pool: Callable = lambda weights, q, k, v, p, training: weights @ v,
    keep: Callable = lambda weights, dropped: weights,
    result: Callable = lambda output, weights: output,
    hold: Callable = lambda score: score,
) -> Callable:
    """Pooling out of parts, of which one has a mistake. `hold` says how the score is kept."""

    class Pooling(nn.Module):
        def __init__(self, score, dropout=0.0):
            super().__init__()
            self.score, self.p = hold(score), dropout

        def forward(self, queries, keys, values, valid_lens=None):
            score = self.score[0] if isinstance(self.score, list) else self.score
            weights = weigh(scores(score, queries, keys, values), valid_lens)
            dropped = drop(weights, self.p, self.training)
            self.weights = keep(weights, dropped)
            return result(pool(dropped, queries, keys, values, self.p, self.training), weights)

    return Pooling


def _lengths_through(change: Callable) -> Callable:
    """Pooling that takes other lengths than the ones it is given."""
    return _pooling(lambda scores, lens: _softmax(scores, None if lens is None else change(lens, scores)))


def _masked_with(fill: float, keep: Callable = _keep, axis: int = -1) -> Callable:
    return _pooling(
        lambda scores, lens: (
            scores.softmax(axis) if lens is None else scores.masked_fill(~keep(scores, lens), fill).softmax(axis)
        )
    )


def _keeping(keep: Callable) -> Callable:
    """Pooling that keeps something else; `keep` makes it from the scores, the lengths and what was kept before."""

    class Keeping(_pooling()):
        def forward(self, queries, keys, values, valid_lens=None):
            before = getattr(self, "weights", None)
            pooled = super().forward(queries, keys, values, valid_lens)
            self.weights = keep(self.score(queries, keys), valid_lens, before)
            return pooled

    return Keeping


class _ScoresDropped(_pooling()):
    """Pooling with other weights for the output than those that are kept: with dropout before the softmax."""

    def forward(self, queries, keys, values, valid_lens=None):
        super().forward(queries, keys, values, valid_lens)
        scores = _dropped(self.score(queries, keys), self.p, self.training)
        return _softmax(scores, valid_lens) @ values


class _LearningToo(_pooling()):
    """Pooling with a weight of its own on top."""

    def __init__(self, score, dropout=0.0):
        super().__init__(score, dropout)
        self.W = nn.Parameter(torch.ones(3))


def _by_hand(p_kept: Callable, factor: Callable, shape: Callable = lambda weights: weights.shape) -> Callable:
    """Dropout made by hand: the share kept, the factor for what is kept, and the shape of the mask."""

    def drop(weights: Tensor, p: float, training: bool) -> Tensor:
        if not training or p == 0:
            return weights
        return weights * (torch.rand(shape(weights)) < p_kept(p)) * factor(p)

    return _pooling(drop=drop)


ATTENTION_POOLING = Exercise(
    name="AttentionPooling",
    arguments=("AttentionPooling", "queries", "keys", "values", "valid_lens"),
    properties=(
        Property(
            "gives one pooled value for each query: (batch, query, v)",
            _every_key(_pooled),
            through(output),
            has_shape,
        ),
        Property(
            "it is the mean of the values, weighted by the softmax of the scores over the keys",
            _every_key(_pooled),
            through(output),
            equals,
        ),
        Property(
            "takes any score: a function or a module, of queries and keys of any width",
            _any_score,
            through(output),
            equals,
        ),
        Property("`.weights` keeps the weights", _every_key(_kept_weights), _kept, equals, suggests="no-weights-kept"),
        Property(
            "keys beyond a sequence's length have no weight, and the others share all of it",
            _length_a_sequence(_pooled),
            through(output),
            equals,
        ),
        Property(
            "takes lengths of shape (batch, query) too",
            _length_a_query(_pooled),
            through(output),
            equals,
            suggests="ignores-2d-lengths",
        ),
        Property("whatever lies in the padding makes no difference", _loud_padding, through(output), equals),
        Property("`.weights` keeps the masked weights", _length_a_sequence(_kept_weights), _kept, equals),
        Property(
            "each call is answered for itself",
            _length_a_sequence(_pooled),
            through(_after_another_call),
            equals,
            suggests="answers-from-memory",
        ),
        Property(
            "`.weights` are those of the last call",
            _length_a_sequence(_kept_weights),
            _kept_after_two_calls,
            equals,
            suggests="first-weights-kept",
        ),
        Property(
            "in training, `dropout` drops single weights and divides the others by 1 − dropout",
            _dropout_cases(_DROPPED, training=True),
            _what_is_dropped,
            _is_as_wanted,
        ),
        Property(
            "in evaluation mode nothing is dropped",
            _dropout_cases(_NOTHING_DROPPED, training=False),
            _what_is_dropped,
            _is_as_wanted,
            suggests="dropout-in-evaluation",
        ),
        Property(
            "with `dropout=0.0`, and if nothing is said, nothing is dropped in training either",
            _dropout_cases(_NOTHING_DROPPED, training=True, dropouts=(0.0, None)),
            _what_is_dropped,
            _is_as_wanted,
            suggests="dropout-fixed",
        ),
        Property(
            "`.weights` keeps the weights as they are before dropout",
            _dropout_cases(_KEPT_BEFORE, training=True),
            _what_is_kept,
            _is_as_wanted,
            suggests="kept-after-dropout",
        ),
        Property(
            "leaves its arguments as they were",
            _pooling_arguments,
            through(changed_arguments),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "its gradient reaches queries, keys and values, and is right",
            _pooling_gradients,
            through(_gradients(3)),
            right_gradient,
            shows=GRADIENT,
        ),
        Property(
            "what the score learns is learned along: its parameters are the pooling's, which has no others",
            _scores_that_learn,
            _gradient_of_all_that_is_learned,
            _is_the_scores_alone,
            suggests="score-not-learned",
            shows="the gradient of all that the pooling learns was",
        ),
        Property("keeps the type: float16, bfloat16 and float64 work", _pooling_types, through(output), equals),
        own_work(_every_key(_pooled), forbidden_in_class),
    ),
    misconceptions=(
        Misconception(
            "kept-after-dropout",
            "the weights are kept after dropout",
            "`.weights` is there to be looked at: rows that sum to 1, the same for the same input. What dropout leaves has holes and "
            "other numbers every time. Keep the weights first, then drop.",
            (
                _pooling(keep=lambda weights, dropped: dropped),
                _pooling(drop=lambda weights, p, training: nn.functional.dropout(weights, p, training, inplace=True)),
            ),
        ),
        Misconception(
            "dropout-on-the-output",
            "dropout hits the output, or the values, but not the weights",
            "Dropout of attention means that a query has to do without some of its *keys*: weights are dropped, before the "
            "values meet them. Yours cuts holes into the vectors instead.",
            (
                _pooling(
                    drop=lambda weights, p, training: weights,
                    pool=lambda w, q, k, v, p, training: nn.functional.dropout(w @ v, p, training),
                ),
                _pooling(
                    drop=lambda weights, p, training: weights,
                    pool=lambda w, q, k, v, p, training: w @ nn.functional.dropout(v, p, training),
                ),
                _pooling(pool=lambda w, q, k, v, p, training: nn.functional.dropout(w @ v, p, training)),
            ),
        ),
        Misconception(
            "dropout-in-evaluation",
            "dropout goes on in evaluation mode",
            "`.eval()` is there to switch it off: a trained model is to use all it has, and to give the same answer twice. "
            "`F.dropout` needs to be told (`self.training`); `nn.Dropout` knows by itself, if it is part of the module.",
            (_pooling(drop=lambda weights, p, training: _dropped(weights, p, True)),),
        ),
        Misconception(
            "dropout-never",
            "nothing is ever dropped",
            "In training mode some of the weights should be dropped. Is `dropout` used, in `forward` as well as in "
            "`__init__`?",
            (
                _pooling(drop=lambda weights, p, training: weights),
                _pooling(drop=lambda weights, p, training: _dropped(weights, p, not training)),
            ),
        ),
        Misconception(
            "dropout-fixed",
            "something is dropped whatever `dropout` says",
            "How much is dropped is for the argument to say; its default is 0.0.",
            (
                _pooling(drop=lambda weights, p, training: _dropped(weights, 0.5, training)),
                _pooling(drop=lambda weights, p, training: _dropped(weights, p or 0.1, training)),
            ),
        ),
        Misconception(
            "dropout-before-the-softmax",
            "after dropout every row still sums to 1",
            "Drop weights, not scores: a score of 0 is an ordinary score, and with −∞ in its place the other weights grow to fill the "
            "gap. So they do if each row is divided by its sum. What is kept is divided by 1 − dropout, and by nothing else.",
            (
                _ScoresDropped,
                _pooling(
                    drop=lambda weights, p, training: nn.functional.normalize(
                        _dropped(weights, p, training), p=1, dim=-1
                    )
                ),
            ),
        ),
        Misconception(
            "share-kept-for-dropped",
            "`dropout` is taken for the share that is kept",
            "`dropout=0.2` means that a fifth of the weights is dropped. Yours keeps a fifth.",
            (_pooling(drop=lambda weights, p, training: _dropped(weights, 1 - p if p else 0.0, training)),),
        ),
        Misconception(
            "dropout-not-scaled",
            "what is kept isn't divided by 1 − dropout",
            "With some of the weights gone the output would be smaller in training than in evaluation. What is kept is "
            "divided by 1 − dropout, so that the mean stays.",
            (_by_hand(lambda p: 1 - p, lambda p: 1.0), _by_hand(lambda p: 1 - p, lambda p: 1 / p)),
        ),
        Misconception(
            "dropped-together",
            "weights are dropped together, not one by one",
            "Every weight has its own throw of the dice. In yours whole queries, keys or sequences go together.",
            (
                _by_hand(lambda p: 1 - p, lambda p: 1 / (1 - p), lambda weights: weights.shape[1:]),
                _by_hand(lambda p: 1 - p, lambda p: 1 / (1 - p), lambda w: (len(w), 1, w.shape[2])),
                _by_hand(lambda p: 1 - p, lambda p: 1 / (1 - p), lambda w: (len(w), w.shape[1], 1)),
                _by_hand(lambda p: 1 - p, lambda p: 1 / (1 - p), lambda w: (w.shape[2],)),
            ),
        ),
        Misconception(
            "no-weights-kept",
            "`.weights` isn't there",
            "After a call the layer's attribute `weights` holds the attention weights, (batch, query, key), for whoever wants to look "
            "at them.",
            (_pooling(keep=lambda weights, dropped: None), _pooling(keep=lambda weights, dropped: [weights])),
        ),
        Misconception(
            "scores-kept",
            "`.weights` keeps scores, not weights",
            "Weights are what the scores have become after the softmax.",
            (
                _keeping(lambda scores, lens, before: scores),
                _keeping(lambda scores, lens, before: scores.masked_fill(~_keep(scores, lens), -torch.inf)),
            ),
        ),
        Misconception(
            "unmasked-weights-kept",
            "`.weights` keeps the weights from before the mask",
            "The output is right, but a picture of these weights would show attention to padding that never happened.",
            (_keeping(lambda scores, lens, before: scores.softmax(-1)),),
        ),
        Misconception(
            "first-weights-kept",
            "`.weights` keeps the first call's weights",
            "Each call has weights of its own, and `.weights` holds the last call's.",
            (_keeping(lambda scores, lens, before: _softmax(scores, lens) if before is None else before),),
        ),
        Misconception(
            "ignores-lengths",
            "`valid_lens` has no effect",
            "The signature takes `valid_lens`, and it never gets as far as the softmax.",
            (_pooling(lambda scores, lens: scores.softmax(-1)),),
        ),
        Misconception(
            "ignores-1d-lengths",
            "lengths of shape (batch,) have no effect",
            "One length for a whole sequence counts for each of its queries.",
            (
                _lengths_through(
                    lambda lens, scores: torch.full_like(lens, scores.shape[2]) if lens.dim() == 1 else lens
                ),
            ),
        ),
        Misconception(
            "ignores-2d-lengths",
            "lengths of shape (batch, query) aren't used as such",
            "With lengths of shape (batch, query) each query has its own. Yours share one, have none, or stop the code.",
            (
                _lengths_through(
                    lambda lens, scores: torch.full_like(lens, scores.shape[2]) if lens.dim() == 2 else lens
                ),
                _lengths_through(lambda lens, scores: lens[:, 0] if lens.dim() == 2 else lens),
            ),
        ),
        Misconception(
            "lengths-on-the-wrong-axis",
            "the lengths are repeated along the wrong axis",
            "Each length belongs to a *sequence*, and all the queries of that sequence share it. Yours go to the queries in turn.",
            (
                _lengths_through(
                    lambda lens, scores: (
                        lens.repeat(scores.shape[1]).reshape(scores.shape[:2]) if lens.dim() == 1 else lens
                    )
                ),
            ),
        ),
        Misconception(
            "one-length-for-all",
            "every sequence is given the same length",
            "A batch of one works, but in a larger one each sequence has a length of its own.",
            (
                _lengths_through(lambda lens, scores: lens[:1].expand_as(lens)),
                _lengths_through(lambda lens, scores: lens.max().expand_as(lens)),
            ),
        ),
        Misconception(
            "inverted-mask",
            "the mask is the wrong way round",
            "You attend to the padding and leave the real keys out. True means *keep*.",
            tuple(_masked_with(fill, lambda *each: ~_keep(*each)) for fill in (-torch.inf, -1e9)),
        ),
        Misconception(
            "off-by-one",
            "each length is off by one",
            "A length of 2 means the keys 0 and 1. Count the keys that your mask keeps.",
            (_lengths_through(lambda lens, scores: lens + 1), _lengths_through(lambda lens, scores: lens - 1)),
        ),
        Misconception(
            "mask-after-softmax",
            "the padding is masked after the softmax",
            "By then the padding has taken its share, and the real keys share what is left: less than 1. Mask the scores first "
            "(dividing by the sum afterwards fails where the padding's scores are so high that nothing is left).",
            (
                _pooling(lambda scores, lens: scores.softmax(-1) * _keep(scores, lens)),
                _pooling(
                    lambda scores, lens: nn.functional.normalize(
                        scores.softmax(-1) * _keep(scores, lens), p=1.0, dim=-1, eps=1e-30
                    )
                ),
                _pooling(
                    lambda scores, lens: (
                        (scores.softmax(-1) * _keep(scores, lens))
                        / (scores.softmax(-1) * _keep(scores, lens)).sum(-1, keepdim=True)
                    )
                ),
            ),
        ),
        Misconception(
            "masks-in-place",
            "the score's own result is overwritten",
            "What `score` returns is still the score's: one that ends in a tanh needs it, unchanged, for its gradient. An assignment "
            "to a part of a tensor, and a method whose name ends in `_`, write in place. Make a new tensor.",
            (_pooling(lambda scores, lens: scores.masked_fill_(~_keep(scores, lens), -torch.inf).softmax(-1)),),
        ),
        Misconception(
            "masks-with-zero",
            "the padding's scores are set to 0",
            "exp(0) is 1: a score of 0 is an ordinary score. Which score has the exponential 0?",
            (_masked_with(0.0),),
        ),
        Misconception(
            "weights-over-wrong-axis",
            "the softmax runs over the wrong axis",
            "Each *query* spreads a weight of 1 over the keys, so every row (…, query, :) sums to 1. Which axis is that?",
            (
                _masked_with(-torch.inf, axis=1),
                _masked_with(-1e9, axis=1),
                _masked_with(-torch.inf, axis=0),
                _masked_with(-1e9, axis=0),
            ),
        ),
        Misconception(
            "no-softmax",
            "there is no softmax",
            "Scores may be negative and sum to anything. The softmax turns them into weights.",
            (
                _pooling(lambda scores, lens: scores * _keep(scores, lens)),
                _pooling(lambda scores, lens: scores.masked_fill(~_keep(scores, lens), -torch.inf)),
            ),
        ),
        Misconception(
            "softmax-twice",
            "there are two softmaxes",
            "The weights go through a second softmax, which makes them nearly equal. Scores need it once.",
            (
                _pooling(lambda scores, lens: _softmax(_softmax(scores, lens), lens)),
                _pooling(lambda scores, lens: _softmax(scores.softmax(-1), lens)),
            ),
        ),
        Misconception(
            "pools-keys-for-values",
            "the keys are pooled, not the values",
            "Keys say *where* to look, values say *what* is found there. The output is made of values.",
            (_pooling(pool=lambda weights, q, k, v, p, training: weights @ k),),
        ),
        Misconception(
            "another-score",
            "the score that was given isn't the one that is used",
            "`score` says how a query and a key are compared: it may be a distance, or a network. Yours compares them by a dot product.",
            (
                _pooling(scores=lambda score, q, k, v: q @ k.mT),
                _pooling(scores=lambda score, q, k, v: q @ k.mT / math.sqrt(q.shape[-1])),
            ),
        ),
        Misconception(
            "score-rescaled",
            "the scores are divided by √d",
            "Whether scores need a scale is for the score to know: a scaled one has been divided already. Use its scores as they are.",
            (
                _pooling(scores=lambda score, q, k, v: score(q, k) / math.sqrt(q.shape[-1])),
                _pooling(scores=lambda score, q, k, v: score(q, k) / math.sqrt(k.shape[-1])),
            ),
        ),
        Misconception(
            "arguments-of-score-swapped",
            "`score` is given the keys first",
            "It is called with (queries, keys), in that order.",
            (
                _pooling(scores=lambda score, q, k, v: score(k, q)),
                _pooling(scores=lambda score, q, k, v: score(k, q).mT),
            ),
        ),
        Misconception(
            "scores-of-the-values",
            "`score` is given the values",
            "The queries are compared with the *keys*. The values come in only once there are weights.",
            (_pooling(scores=lambda score, q, k, v: score(q, v)),),
        ),
        Misconception(
            "returns-a-pair",
            "something else comes back than the pooled values",
            "`forward` returns the pooled values, and nothing else. The weights are kept in `.weights`.",
            (
                _pooling(result=lambda output, weights: (output, weights)),
                _pooling(result=lambda output, weights: weights),
            ),
        ),
        Misconception(
            "score-not-learned",
            "what the score learns isn't learned along",
            "A score may be a module with weights of its own. Kept as an attribute of yours, it is a part of it: "
            "`parameters()` finds its weights, and an optimiser trains them. Inside a list, a lambda or a wrapper it is lost; and a "
            "pooling has nothing of its own to learn.",
            (_pooling(hold=lambda score: [score]), _pooling(hold=lambda score: lambda q, k: score(q, k)), _LearningToo),
        ),
        _writes_into("tensors", *(_changed(_pooling(), _overwriting(i)) for i in range(4))),
        _detached(
            "queries, keys or values",
            *(_changed(_pooling(), _cutting(*each)) for each in ((0, 1, 2), (0, 1), (0,), (1,), (2,))),
            _pooling(pool=lambda weights, q, k, v, p, training: weights.detach() @ v),
        ),
        Misconception(
            "type-changed",
            "the result has another type than the arguments",
            "The output has the type of the queries, keys and values: float16 in, float16 out.",
            (
                _pooling(result=lambda output, weights: output.float()),
                _pooling(result=lambda output, weights: output.double()),
            ),
        ),
        _answers_from_memory(_changed(_pooling(), _remembering)),
        _NO_MODULE,
        forbidden_call(),
        _nothing_returned(_pooling()),
    ),
)


# --- 4. kernel_regression ------------------------------------------------------------------------------------------


def _kernel_oracle(x_query: Tensor, x_train: Tensor, y_train: Tensor, bandwidth: float) -> Tensor:
    """Differentiable; one query after the other, in float64."""
    predictions = []
    for x in x_query.double():
        scores = torch.stack([-((x - each) ** 2) / (2 * bandwidth**2) for each in x_train.double()])
        exps = (scores - scores.max().detach()).exp()
        predictions.append(sum(w * y for w, y in zip(exps / exps.sum(), y_train.double(), strict=True)))
    return torch.stack(predictions).to(y_train.dtype)


def _kernel_case(draw: Draw, queries: int, points: int, bandwidth: float) -> Case:
    x_query, x_train = (draw.normal(size, scale=1.0).clamp(-1.5, 1.5) for size in (queries, points))
    args = (x_query, x_train, draw.normal(points), bandwidth)
    return Case(args, _kernel_oracle(*args))


def _with_bandwidths(*bandwidths: float) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for bandwidth in bandwidths:
            yield _kernel_case(draw, 1, 2, bandwidth)
            yield _kernel_case(draw, 2, 3, bandwidth)
            yield _kernel_case(draw, 3, 3, bandwidth)
            yield _kernel_case(draw, 5, 1, bandwidth)
            yield _kernel_case(draw, 4, 7, bandwidth)

    return cases


def _far_away(draw: Draw) -> Iterator[Case]:
    """Every point so many bandwidths away that its exponential is 0 in float32."""
    for offset, bandwidth in ((30.0, 0.5), (-40.0, 1.0)):
        x_query = torch.tensor([offset, offset + 5])
        # Two points are at least 2 apart, so that it isn't the rounding of large scores that decides.
        x_train = draw.integers(0, 1, 3) + torch.tensor([0.0, 3.0, 6.0])
        y_train = draw.normal(3)
        yield Case((x_query, x_train, y_train, bandwidth), _kernel_oracle(x_query, x_train, y_train, bandwidth))


def _kernel_arguments(draw: Draw) -> Iterator[Case]:
    yield Case(_kernel_case(draw, 2, 3, 0.7).args, ("x_query", "x_train", "y_train"))


def _kernel_gradients(draw: Draw) -> Iterator[Case]:
    for queries, points in ((2, 3), (3, 2), (2, 2)):
        args = _kernel_case(draw, queries, points, 1.5).args
        yield Case(args, _gradients(3)(_kernel_oracle, clones(args)))


def _kernel_types(draw: Draw) -> Iterator[Case]:
    for bandwidth in (1.5, 2):
        args = (*(each.double() for each in _kernel_case(draw, 3, 4, 1.0).args[:3]), bandwidth)
        yield Case(args, _kernel_oracle(*args))


def _kernel(
    score: Callable = lambda x, points, h: -((x - points) ** 2) / (2 * h**2),
    weigh: Callable = lambda scores: scores.softmax(-1),
    pool: Callable = lambda weights, x, y: weights @ y,
) -> Callable:
    """Kernel regression out of parts, of which one has a mistake; `x` is a column, so that scores are (query, train)."""

    def regress(x_query, x_train, y_train, bandwidth):
        return pool(weigh(score(x_query.unsqueeze(1), x_train, bandwidth)), x_train, y_train)

    return regress


KERNEL_REGRESSION = Exercise(
    name="kernel_regression",
    arguments=("x_query", "x_train", "y_train", "bandwidth"),
    properties=(
        Property("gives one prediction for each query: (query,)", _with_bandwidths(1.0), output, has_shape),
        Property(
            "with a bandwidth of 1, it is the mean of y, weighted by the softmax of −(x − xᵢ)²/2",
            _with_bandwidths(1.0),
            output,
            equals,
        ),
        Property("with other bandwidths, of −(x − xᵢ)²/(2·bandwidth²)", _with_bandwidths(2.5, 0.7, 3), output, equals),
        Property(
            "far from all points it gives the nearest one's y, and not NaN or 0",
            _far_away,
            output,
            equals,
            suggests="underflow",
        ),
        Property(
            "leaves its arguments as they were",
            _kernel_arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "its gradient reaches x_query, x_train and y_train, and is right",
            _kernel_gradients,
            _gradients(3),
            right_gradient,
            shows=GRADIENT,
        ),
        Property("keeps the type: float64 works", _kernel_types, output, equals, suggests="type-changed"),
        own_work(_with_bandwidths(1.0)),
    ),
    misconceptions=(
        Misconception(
            "minus-missing",
            "the minus is missing",
            "A score says how well a key fits. With yours the points *farthest* away fit best.",
            (_kernel(lambda x, points, h: (x - points) ** 2 / (2 * h**2)),),
        ),
        Misconception(
            "bandwidth-not-squared",
            "the bandwidth isn't squared",
            "The bandwidth has the unit of x. The score is a plain number, so where (x − xᵢ)² is divided, "
            "bandwidth has to be squared as well.",
            (_kernel(lambda x, points, h: -((x - points) ** 2) / (2 * h)),),
        ),
        Misconception(
            "softmax-over-queries",
            "the softmax runs over the queries",
            "For each *query* the weights of all points sum to 1. In yours each point spreads a weight of 1 over the queries.",
            (
                _kernel(weigh=lambda scores: scores.softmax(0)),
                lambda x_query, x_train, y_train, h: (
                    (-((x_query - x_train.unsqueeze(1)) ** 2) / (2 * h**2)).softmax(-1).T @ y_train
                ),
            ),
        ),
        Misconception(
            "softmax-over-everything",
            "one softmax runs over all pairs",
            "Each query has weights of its own, which sum to 1. In yours all queries share one 1.",
            (_kernel(weigh=lambda scores: scores.flatten().softmax(0).reshape(scores.shape)),),
        ),
        Misconception(
            "two-missing",
            "the 2 in the denominator is missing",
            "The exponent of the Gaussian is −(x − xᵢ)²/(2·bandwidth²). Without the 2 your bandwidth is narrower than it says.",
            (_kernel(lambda x, points, h: -((x - points) ** 2) / h**2),),
        ),
        Misconception(
            "two-squared",
            "the 2 is squared as well",
            "Only the bandwidth is squared, and then doubled.",
            (_kernel(lambda x, points, h: -((x - points) ** 2) / (2 * h) ** 2),),
        ),
        Misconception(
            "multiplied-by-the-bandwidth",
            "the bandwidth multiplies where it should divide",
            "A wide bandwidth makes far points count for more. Yours makes them count for less. (Python reads `a / 2 * h` as "
            "`(a / 2) * h`.)",
            (
                _kernel(lambda x, points, h: -((x - points) ** 2) / 2 * h**2),
                _kernel(lambda x, points, h: -((x - points) ** 2) * 2 * h**2),
            ),
        ),
        Misconception(
            "bandwidth-ignored",
            "the bandwidth has no effect",
            "Your predictions are the same with every bandwidth.",
            (_kernel(lambda x, points, h: -((x - points) ** 2) / 2),),
        ),
        Misconception(
            "distance-not-squared",
            "the distance isn't squared",
            "The score is minus the *squared* distance, over 2·bandwidth².",
            (
                _kernel(lambda x, points, h: -(x - points).abs() / (2 * h**2)),
                _kernel(lambda x, points, h: -(x - points) / (2 * h**2)),
                _kernel(lambda x, points, h: -(x - points).abs() / h),
            ),
        ),
        Misconception(
            "weights-do-not-sum-to-1",
            "the weights don't sum to 1",
            "A prediction is a *mean* of the y: the weights of each query have to sum to 1. The exponentials alone don't, nor do they "
            "with the Gaussian's own constant.",
            (
                _kernel(weigh=torch.exp),
                _kernel(weigh=lambda scores: scores.exp() / scores.shape[1]),
                lambda x, points, y, h: _kernel(weigh=lambda scores: scores.exp() / (h * math.sqrt(2 * math.pi)))(
                    x, points, y, h
                ),
            ),
        ),
        Misconception(
            "no-softmax",
            "there is no softmax",
            "Scores aren't weights: here they are all negative, and sum to anything.",
            (_kernel(weigh=lambda scores: scores),),
        ),
        Misconception(
            "mean-twice",
            "the weighted sum is divided once more",
            "The weights sum to 1 already: the sum of weight times y is the mean.",
            (
                _kernel(pool=lambda weights, x, y: weights @ y / len(y)),
                _kernel(pool=lambda weights, x, y: (weights * y).mean(-1)),
            ),
        ),
        Misconception(
            "underflow",
            "far from all points the prediction is lost",
            "The exponential of −1000 is 0 in a computer, and 0/0 is NaN; a small number added below makes 0 of it. The "
            "formula says otherwise: even the farthest points have weights that sum to 1. `softmax` takes care of "
            "it. How? Only differences of scores count.",
            (
                _kernel(weigh=lambda scores: scores.exp() / scores.exp().sum(-1, keepdim=True)),
                _kernel(weigh=lambda scores: scores.exp() / (scores.exp().sum(-1, keepdim=True) + 1e-8)),
                _kernel(weigh=lambda scores: scores.exp() / (scores.exp().sum(-1, keepdim=True) + 1e-12)),
                _kernel(weigh=lambda scores: scores.exp() / scores.exp().sum(-1, keepdim=True).clamp(min=1e-8)),
                _kernel(weigh=lambda scores: (scores.exp() / scores.exp().sum(-1, keepdim=True)).nan_to_num()),
            ),
        ),
        Misconception(
            "nearest-only",
            "only the nearest point counts",
            "That is the limit for a bandwidth near 0. Here every point has its weight.",
            (_kernel(weigh=lambda scores: nn.functional.one_hot(scores.argmax(-1), scores.shape[1]).to(scores.dtype)),),
        ),
        Misconception(
            "pools-x-for-y",
            "the points' x are averaged, not their y",
            "x_train are the keys: they say which points are near. The values are y_train.",
            (_kernel(pool=lambda weights, x, y: weights @ x),),
        ),
        Misconception(
            "weights-for-predictions",
            "the weights come back",
            "What is asked for are predictions: the weights' mean of y.",
            (_kernel(pool=lambda weights, x, y: weights), _kernel(pool=lambda weights, x, y: weights * y)),
        ),
        Misconception(
            "axis-left-over",
            "an axis of size 1 is left over, or lost",
            "For queries (query,) the predictions are (query,): one axis, also where there is a single query.",
            (
                _kernel(pool=lambda weights, x, y: weights @ y.unsqueeze(1)),
                _kernel(pool=lambda weights, x, y: (weights @ y).squeeze()),
            ),
        ),
        Misconception(
            "pairs-in-step",
            "each query meets only one point",
            "Every query is compared with *every* point: (query, train) distances. Subtracted as they are, the two run side by side.",
            (
                lambda x, points, y, h: (-((x - points) ** 2) / (2 * h**2)).softmax(-1) @ y,
                lambda x, points, y, h: (-((x - points) ** 2) / (2 * h**2)).softmax(-1) * y,
            ),
        ),
        _writes_into("tensors", *(_overwriting(i)(_kernel()) for i in range(3))),
        _detached(
            "x_query, x_train or y_train",
            *(_cutting(*each)(_kernel()) for each in ((0, 1, 2), (0, 1), (0,), (1,), (2,))),
        ),
        Misconception(
            "type-changed",
            "the result has another type than the arguments",
            "The predictions have the type of the arguments: float64 in, float64 out.",
            (lambda x, points, y, h: _kernel()(x.float(), points.float(), y.float(), h),),
        ),
        forbidden_call(),
        NOTHING_RETURNED,
    ),
)

EXERCISES = (BILINEAR_SCORE, ADDITIVE_SCORE, ATTENTION_POOLING, KERNEL_REGRESSION)
