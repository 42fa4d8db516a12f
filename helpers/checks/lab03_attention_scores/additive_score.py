"""`AdditiveScore`: what a right answer does, and the mistakes that people make."""

import itertools
import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from helpers.checks import mistakes
from helpers.checks.engine import Draw, Exercise, Misconception
from helpers.checks.lab03_attention_scores.shared import mistaken_axes, score_properties
from helpers.checks.modules import Built
from helpers.checks.spoiling import changed, cutting, overwriting, remembering, returning_nothing


def _additive_oracle(weights: Mapping[str, Tensor], queries: Tensor, keys: Tensor) -> Tensor:
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


EXERCISE = Exercise(
    name="AdditiveScore",
    arguments=("AdditiveScore", "queries", "keys"),
    properties=score_properties(
        "`W_q.weight` (hidden_dim, query_dim), `W_k.weight` (hidden_dim, key_dim) and `w_v.weight` (1, hidden_dim)",
        "w_vᵀ tanh(W_q q + W_k k)",
        _additive_built,
        _additive_oracle,
    ),
    misconceptions=(
        mistakes.NO_TANH.explained(
            "Without it the score is a sum: a part of the query plus a part of the key. The query's part is the same "
            "for all keys, so the softmax drops it, and every query gets the same weights.",
            _activated(lambda hidden: hidden),
        ),
        Misconception(
            "difference-for-sum",
            "the two are subtracted, not added",
            "The score is made of W_q q *plus* W_k k. A model that is trained from scratch could learn the sign. With "
            "weights that were learned for a sum, yours means something else.",
            (
                _additive(
                    lambda W_q, W_k, w_v, q, k: w_v(torch.tanh(_hidden(W_q, lambda keys: -W_k(keys), q, k))).squeeze(-1)
                ),
                _additive(
                    lambda W_q, W_k, w_v, q, k: w_v(
                        torch.tanh(_hidden(lambda queries: -W_q(queries), W_k, q, k))
                    ).squeeze(-1)
                ),
            ),
        ),
        Misconception(
            "tanh-before-the-sum",
            "the tanh is taken of each term before the sum",
            "Then the score falls apart into a part of the query and a part of the key. The query's part is the same "
            "for all keys, and the softmax drops it. The two have to meet *inside* the tanh.",
            (
                _additive(
                    lambda W_q, W_k, w_v, q, k: w_v(
                        _hidden(lambda inputs: W_q(inputs).tanh(), lambda inputs: W_k(inputs).tanh(), q, k)
                    ).squeeze(-1)
                ),
            ),
        ),
        Misconception(
            "tanh-of-the-score",
            "the tanh is taken of the score",
            "The tanh bends each hidden unit, before w_v sums them up. Yours comes after w_v: no score can be greater "
            "than 1.",
            (
                _additive(lambda W_q, W_k, w_v, q, k: w_v(_hidden(W_q, W_k, q, k)).squeeze(-1).tanh()),
                _additive_then(torch.tanh),
            ),
        ),
        mistakes.OTHER_ACTIVATION.explained(
            "Other functions bend, too, and would do. This score, as Bahdanau et al. defined it, has a tanh: loaded "
            "weights would mean something else with yours.",
            *tuple(map(_activated, (torch.sigmoid, torch.relu, nn.functional.gelu, nn.functional.silu, torch.sin))),
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
            "W_q is for the queries and W_k for the keys. With one matrix for both, q and k could change places, and "
            "queries and keys of different width could not be compared at all.",
            (
                _additive(lambda W_q, W_k, w_v, q, k: w_v(torch.tanh(_hidden(W_q, W_q, q, k))).squeeze(-1)),
                _additive(lambda W_q, W_k, w_v, q, k: w_v(torch.tanh(_hidden(W_k, W_k, q, k))).squeeze(-1)),
            ),
        ),
        mistakes.BIAS.explained(
            "`nn.Linear` adds a bias unless it is told not to. None of the three layers has one here.",
            *tuple(_with_biases(*layers) for layers in itertools.product((True, False), repeat=3) if any(layers)),
        ),
        Misconception(
            "mixes-pairs",
            "the pairs are mixed up",
            "Queries and keys are repeated, or paired up, in a way that gives a score to the wrong pair, or meets "
            "some pairs twice and others never. Number the queries 0, 1 and the keys 0, 1, 2, and write down which "
            "pair stands where.",
            (_additive(_repeated_for_both), _additive(_repeated_the_other_way), _additive(_each_repeated_on_the_spot)),
        ),
        mistakes.PAIRS_IN_STEP.explained(
            "Each query of a sequence is compared with *every* key of it: `W_q(queries)` and `W_k(keys)` can't be "
            "added as they are. Which axis does each of them lack?",
            _additive(lambda W_q, W_k, w_v, q, k: w_v(torch.tanh(W_q(q) + W_k(k))).squeeze(-1)),
            _additive(lambda W_q, W_k, w_v, q, k: w_v(torch.tanh(W_q(q) + W_k(k)))),
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
            "The hidden units are summed up, or averaged, as if all were of the same worth. Each has its own weight, "
            "learned, in `w_v`.",
            (
                _additive(lambda W_q, W_k, w_v, q, k: torch.tanh(_hidden(W_q, W_k, q, k)).sum(-1)),
                _additive(lambda W_q, W_k, w_v, q, k: torch.tanh(_hidden(W_q, W_k, q, k)).mean(-1)),
            ),
        ),
        mistakes.AXIS_LEFT_OVER.explained(
            "`w_v` turns the hidden units into *one* number, on an axis of its own: (batch, query, key, 1). A score "
            "has three axes.",
            _additive_then(lambda scores: scores.unsqueeze(-1)),
        ),
        mistakes.SCORES_SCALED.explained(
            "The √d belongs to the scaled dot product. Here w_v learns whatever scale is needed.",
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
        mistakes.NOTHING_LEARNED.explained(
            "All three weights are parameters: `named_parameters()` lists them, the forward pass uses them and a "
            "gradient reaches them. A plain tensor, a detached one or a frozen parameter stays as it is for ever.",
            _additive(lambda W_q, W_k, w_v, q, k: torch.tanh(_hidden(W_q, W_k, q, k)) @ w_v.weight.detach().squeeze(0)),
            _additive(layers=lambda *d: [layer.requires_grad_(False) for layer in _additive()(*d).children()]),
            _additive(
                lambda W_q, W_k, w_v, q, k: torch.tanh(q @ W_q.T.unsqueeze(1) + (k @ W_k.T).unsqueeze(1)) @ w_v,
                layers=lambda q, k, h: (torch.ones(h, q), torch.ones(h, k), torch.ones(h)),
            ),
        ),
        mistakes.OTHER_PARAMETERS.row(
            _additive(
                lambda W, w_v, q, k: q.sum(-1).unsqueeze(2) + k.sum(-1).unsqueeze(1),
                lambda q, k, h: _linears((q + k, h), (h, 1)),
                ("W", "w_v"),
            ),
            _additive(names=("W_q", "W_k", "W_v")),
            _additive(names=("w_q", "w_k", "w_v")),
            _additive(names=("W_q", "W_k", "v")),
        ),
        *mistaken_axes(_additive_then),
        mistakes.WRITES_INTO_ARGUMENTS.row(
            *(changed(_additive(), overwriting(i)) for i in (0, 1)), arguments="queries or keys"
        ),
        mistakes.DETACHED_GRADIENT.row(
            *(changed(_additive(), cutting(*i)) for i in ((0, 1), (0,), (1,))), inputs="the queries or the keys"
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(changed(_additive(), remembering)),
        mistakes.no_module(),
        mistakes.FORBIDDEN_CALL.row(),
        mistakes.nothing_returned(changed(_additive(), returning_nothing)),
    ),
)
