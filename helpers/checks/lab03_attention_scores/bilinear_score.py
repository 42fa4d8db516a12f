"""`BilinearScore`: what a right answer does, and the mistakes that people make."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from helpers.checks import mistakes
from helpers.checks.engine import Draw, Exercise, Misconception
from helpers.checks.lab03_attention_scores.shared import mistaken_axes, score_properties
from helpers.checks.modules import Built
from helpers.checks.spoiling import changed, cutting, overwriting, remembering, returning_nothing


def _bilinear_oracle(weights: Mapping[str, Tensor], queries: Tensor, keys: Tensor) -> Tensor:
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


_OF_ONE_SEQUENCE = (
    lambda W, q, k: q @ W(k[:1]).mT,
    lambda W, q, k: q @ W(k).mean(0).T,
    lambda W, q, k: q[:1] @ W(k).mT,
)


def _turned(query_dim: int, key_dim: int, bias: bool = False) -> nn.Linear:
    return nn.Linear(query_dim, key_dim, bias=bias)


def _as_a_tensor(query_dim: int, key_dim: int) -> Tensor:
    return torch.linspace(-1, 1, query_dim * key_dim).reshape(query_dim, key_dim)


EXERCISE = Exercise(
    name="BilinearScore",
    arguments=("BilinearScore", "queries", "keys"),
    properties=score_properties(
        "one matrix, `W.weight` of shape (query_dim, key_dim)", "qᵀ W k", _bilinear_built, _bilinear_oracle
    ),
    misconceptions=(
        mistakes.BIAS.explained(
            "`nn.Linear` adds a bias unless it is told not to. With it the score is qᵀ(W k + b), and qᵀb prefers no "
            "key to another: the softmax drops it. Parameters that change no weight are only in the way.",
            _bilinear(W=lambda query_dim, key_dim: nn.Linear(key_dim, query_dim)),
            _bilinear(lambda W, q, k: W(q) @ k.mT, lambda query_dim, key_dim: _turned(query_dim, key_dim, True)),
            _bilinear(lambda W, q, k: W(q, k), lambda query_dim, key_dim: nn.Bilinear(query_dim, key_dim, 1)),
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
        mistakes.NOTHING_LEARNED.explained(
            "The comparison is to be *learned*: W has to be a parameter, which `named_parameters()` lists, the "
            "forward pass uses and a gradient reaches. A plain tensor, a buffer or a frozen parameter stays as it is "
            "for ever.",
            _bilinear(lambda W, q, k: q @ W @ k.mT, _as_a_tensor),
            _bilinear(lambda W, q, k: q @ k.mT, lambda query_dim, key_dim: None),
            _bilinear(lambda W, q, k: q @ k.mT),
            _bilinear(lambda W, q, k: q @ (k @ W.weight.detach().T).mT),
            _bilinear(W=lambda query_dim, key_dim: nn.Linear(key_dim, query_dim, bias=False).requires_grad_(False)),
        ),
        mistakes.OTHER_PARAMETERS.row(
            _bilinear(lambda W, q, k: q @ W @ k.mT, lambda *widths: nn.Parameter(_as_a_tensor(*widths))),
            _bilinear(lambda W, q, k: W(q, k), lambda *widths: nn.Bilinear(*widths, 1, bias=False)),
            _bilinear(name="w"),
            _bilinear(name="linear"),
            _bilinear(name="W_a"),
        ),
        mistakes.SCORES_SCALED.explained(
            "The √d belongs to the scaled dot product. This score has a W that can learn whatever scale it needs.",
            _bilinear(lambda W, q, k: q @ W(k).mT / math.sqrt(q.shape[-1])),
            _bilinear(lambda W, q, k: q @ W(k).mT / math.sqrt(k.shape[-1])),
        ),
        mistakes.ACTIVATION_ADDED.explained(
            "A bilinear score is linear in q and linear in k. A tanh, or any other activation, belongs to the next "
            "exercise.",
            _bilinear_then(torch.tanh),
            _bilinear(lambda W, q, k: q @ W(k).tanh().mT),
            _bilinear_then(torch.relu),
        ),
        mistakes.PAIRS_IN_STEP.explained(
            "Each query of a sequence is compared with *every* key of it. Yours goes through both side by side.",
            _bilinear(lambda W, q, k: (q * W(k)).sum(-1)),
            _bilinear(lambda W, q, k: (q * W(k)).sum(-1, keepdim=True)),
        ),
        Misconception(
            "not-transposed",
            "the keys aren't transposed",
            "A matrix product sums over the first one's last axis and the second one's last but one. Both have to be "
            "the width, so the mapped keys must be (batch, width, key).",
            (_bilinear(lambda W, q, k: q @ W(k)), _bilinear(lambda W, q, k: torch.bmm(q, W(k)))),
        ),
        mistakes.RESHAPE_FOR_TRANSPOSE.explained(
            "The shape is right and the numbers are in the wrong places: a reshape reads the same memory in the same "
            "order. To swap two axes you need a transpose.",
            _bilinear(lambda W, q, k: q @ W(k).reshape(k.shape[0], q.shape[2], k.shape[1])),
            _bilinear_then(lambda scores: scores.mT.reshape(scores.shape)),
        ),
        *mistaken_axes(_bilinear_then, *(_bilinear(one) for one in _OF_ONE_SEQUENCE)),
        mistakes.WRITES_INTO_ARGUMENTS.row(
            *(changed(_bilinear(), overwriting(i)) for i in (0, 1)), arguments="queries or keys"
        ),
        mistakes.DETACHED_GRADIENT.row(
            *(changed(_bilinear(), cutting(*i)) for i in ((0, 1), (0,), (1,))), inputs="the queries or the keys"
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(changed(_bilinear(), remembering)),
        mistakes.no_module(),
        mistakes.FORBIDDEN_CALL.row(),
        mistakes.nothing_returned(changed(_bilinear(), returning_nothing)),
    ),
)
