"""The mistakes that people make in `AttentionPooling`, each with the wrong implementations that show it."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.masking import (
    FILLS,
    LOWER_FILLS,
    mask_mistakes,
    padded,
    shape_of_lengths_mistakes,
    softmax,
)
from helpers.checks.spoiling import changed, cutting, overwriting, remembering, returning_nothing, stopping_at_64


def _dropped(weights: Tensor, p: float, training: bool) -> Tensor:
    return nn.functional.dropout(weights, p, training)


def _pooling(
    weigh: Callable = softmax,
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


def _masked_over(axis: int, fill: float) -> Callable:
    """Pooling whose softmax runs over another axis."""
    return _pooling(
        lambda scores, lens: (
            scores.softmax(axis) if lens is None else scores.masked_fill(padded(scores, lens), fill).softmax(axis)
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
        return softmax(scores, valid_lens) @ values


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


MISTAKES = (
    mistakes.WEIGHTS_AFTER_DROPOUT.explained(
        "`.weights` is there to be looked at: rows that sum to 1, the same for the same input. What dropout leaves "
        "has holes and other numbers every time. Keep the weights first, then drop.",
        _pooling(keep=lambda weights, dropped: dropped),
        _pooling(drop=lambda weights, p, training: nn.functional.dropout(weights, p, training, inplace=True)),
    ),
    mistakes.DROPOUT_ON_THE_OUTPUT.row(
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
    mistakes.DROPOUT_IN_EVALUATION.explained(
        "`.eval()` is there to switch it off: a trained model is to use all it has, and to give the same answer twice. "
        "`F.dropout` needs to be told (`self.training`); `nn.Dropout` knows by itself, if it is part of the module.",
        _pooling(drop=lambda weights, p, training: _dropped(weights, p, True)),
    ),
    mistakes.DROPOUT_NEVER.row(
        _pooling(drop=lambda weights, p, training: weights),
        _pooling(drop=lambda weights, p, training: _dropped(weights, p, not training)),
    ),
    mistakes.DROPOUT_FIXED.row(
        _pooling(drop=lambda weights, p, training: _dropped(weights, 0.5, training)),
        _pooling(drop=lambda weights, p, training: _dropped(weights, p or 0.1, training)),
    ),
    mistakes.DROPOUT_BEFORE_THE_SOFTMAX.explained(
        "Drop weights, not scores: a score of 0 is an ordinary score, and with −∞ in its place the other weights grow "
        "to fill the gap. So they do if each row is divided by its sum. What is kept is divided by 1 − dropout, and "
        "by nothing else.",
        _ScoresDropped,
        _pooling(
            drop=lambda weights, p, training: nn.functional.normalize(_dropped(weights, p, training), p=1, dim=-1)
        ),
    ),
    mistakes.SHARE_KEPT_FOR_DROPPED.row(
        _pooling(drop=lambda weights, p, training: _dropped(weights, 1 - p if p else 0.0, training))
    ),
    mistakes.DROPOUT_NOT_SCALED.row(
        _by_hand(lambda p: 1 - p, lambda p: 1.0), _by_hand(lambda p: 1 - p, lambda p: 1 / p)
    ),
    mistakes.DROPPED_TOGETHER.row(
        _by_hand(lambda p: 1 - p, lambda p: 1 / (1 - p), lambda weights: weights.shape[1:]),
        _by_hand(lambda p: 1 - p, lambda p: 1 / (1 - p), lambda w: (len(w), 1, w.shape[2])),
        _by_hand(lambda p: 1 - p, lambda p: 1 / (1 - p), lambda w: (len(w), w.shape[1], 1)),
        _by_hand(lambda p: 1 - p, lambda p: 1 / (1 - p), lambda w: (w.shape[2],)),
        what="queries, keys or sequences",
    ),
    Misconception(
        "no-weights-kept",
        "`.weights` isn't there",
        "After a call the layer's attribute `weights` holds the attention weights, (batch, query, key), so that one "
        "can look at them.",
        (_pooling(keep=lambda weights, dropped: None), _pooling(keep=lambda weights, dropped: [weights])),
    ),
    mistakes.SCORES_FOR_WEIGHTS.explained(
        "Weights are what the scores have become after the softmax.",
        _keeping(lambda scores, lens, before: scores),
        _keeping(lambda scores, lens, before: scores.masked_fill(padded(scores, lens), -torch.inf)),
    ),
    mistakes.UNMASKED_WEIGHTS.explained(
        "The output is right, but a picture of these weights would show attention to padding that never happened.",
        _keeping(lambda scores, lens, before: scores.softmax(-1)),
    ),
    Misconception(
        "first-weights-kept",
        "`.weights` keeps the first call's weights",
        "Each call has weights of its own, and `.weights` holds the last call's.",
        (_keeping(lambda scores, lens, before: softmax(scores, lens) if before is None else before),),
    ),
    *mask_mistakes(_pooling, fills=FILLS + LOWER_FILLS),
    *shape_of_lengths_mistakes(_pooling),
    Misconception(
        "masks-in-place",
        "the score's own result is overwritten",
        "What `score` returns is still the score's: one that ends in a tanh needs it, unchanged, for its gradient. An "
        "assignment to a part of a tensor, and a method whose name ends in `_`, write in place. Make a new tensor.",
        (_pooling(lambda scores, lens: scores.masked_fill_(padded(scores, lens), -torch.inf).softmax(-1)),),
    ),
    mistakes.SOFTMAX_OVER_WRONG_AXIS.row(
        _masked_over(1, -torch.inf),
        _masked_over(1, -1e9),
        _masked_over(0, -torch.inf),
        _masked_over(0, -1e9),
    ),
    mistakes.NO_SOFTMAX.row(
        _pooling(lambda scores, lens: scores * ~padded(scores, lens)),
        _pooling(lambda scores, lens: scores.masked_fill(padded(scores, lens), -torch.inf)),
    ),
    mistakes.SOFTMAX_TWICE.row(
        _pooling(lambda scores, lens: softmax(softmax(scores, lens), lens)),
        _pooling(lambda scores, lens: softmax(scores.softmax(-1), lens)),
    ),
    mistakes.POOLS_KEYS_FOR_VALUES.row(_pooling(pool=lambda weights, q, k, v, p, training: weights @ k)),
    Misconception(
        "another-score",
        "the score that was given isn't the one that is used",
        "`score` says how a query and a key are compared: it may be a distance, or a network. Yours compares them by "
        "a dot product.",
        (
            _pooling(scores=lambda score, q, k, v: q @ k.mT),
            _pooling(scores=lambda score, q, k, v: q @ k.mT / math.sqrt(q.shape[-1])),
        ),
    ),
    mistakes.SCORES_SCALED.explained(
        "The score itself knows whether it needs a scale: a scaled one has been divided already. Use its scores as "
        "they are.",
        _pooling(scores=lambda score, q, k, v: score(q, k) / math.sqrt(q.shape[-1])),
        _pooling(scores=lambda score, q, k, v: score(q, k) / math.sqrt(k.shape[-1])),
    ),
    mistakes.ARGUMENTS_OF_SCORE_SWAPPED.explained(
        "It is called with (queries, keys), in that order.",
        _pooling(scores=lambda score, q, k, v: score(k, q)),
        _pooling(scores=lambda score, q, k, v: score(k, q).mT),
    ),
    Misconception(
        "scores-of-the-values",
        "`score` is given the values",
        "The queries are compared with the *keys*. The values come in only once there are weights.",
        (_pooling(scores=lambda score, q, k, v: score(q, v)),),
    ),
    mistakes.RETURNS_A_PAIR.explained(
        "`forward` returns the pooled values, and nothing else. The weights are kept in `.weights`.",
        _pooling(result=lambda output, weights: (output, weights)),
        _pooling(result=lambda output, weights: weights),
    ),
    Misconception(
        "score-not-learned",
        "what the score learns isn't learned along",
        "A score may be a module with weights of its own. Kept as an attribute of yours, it is a part of it: "
        "`parameters()` finds its weights, and an optimiser trains them. Inside a list, a lambda or a wrapper it is "
        "lost; and a pooling has nothing of its own to learn.",
        (_pooling(hold=lambda score: [score]), _pooling(hold=lambda score: lambda q, k: score(q, k)), _LearningToo),
    ),
    mistakes.WRITES_INTO_ARGUMENTS.row(*(changed(_pooling(), overwriting(i)) for i in range(4)), arguments="tensors"),
    mistakes.DETACHED_GRADIENT.row(
        *(changed(_pooling(), cutting(*positions)) for positions in ((0, 1, 2), (0, 1), (0,), (1,), (2,))),
        _pooling(pool=lambda weights, q, k, v, p, training: weights.detach() @ v),
        inputs="queries, keys or values",
    ),
    mistakes.TYPE_CHANGED.row(
        _pooling(result=lambda output, weights: output.float()),
        _pooling(result=lambda output, weights: output.double()),
        dtype="float16",
    ),
    mistakes.FLOAT32_ONLY.row(
        _pooling(lambda scores, lens: softmax(scores.float(), lens)),
        _pooling(pool=lambda weights, q, k, v, p, training: weights @ v.float()),
    ),
    mistakes.ANSWERS_FROM_MEMORY.row(changed(_pooling(), remembering)),
    mistakes.SMALL_SIZES_ONLY.row(changed(_pooling(), stopping_at_64)),
    mistakes.no_module(),
    mistakes.FORBIDDEN_CALL.row(),
    mistakes.nothing_returned(changed(_pooling(), returning_nothing)),
)
