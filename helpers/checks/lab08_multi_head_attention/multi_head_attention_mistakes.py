"""The mistakes that people make in `MultiHeadAttention`, each with the wrong implementations that show it."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.lab08_multi_head_attention.shared import (
    QKVO,
    drop_weights,
    fitted,
    masked_weights,
    merge,
    mha,
    projected,
    split,
)
from helpers.checks.masking import FILLS
from helpers.checks.spoiling import (
    changed,
    cutting,
    frozen,
    overwriting,
    remembering,
    returning_nothing,
    stopping_at_64,
)


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
    return mha(weigh=lambda scores, mask: (scores if mask is None else scores.masked_fill(~mask, fill)).softmax(axis))


def _dropped_by_hand(p_kept: Callable, factor: Callable, shape: Callable = lambda weights: weights.shape) -> Callable:
    """Dropout made by hand: the share kept, the factor for what is kept, and the shape of what is drawn."""

    def drop(weights: Tensor, p: float, training: bool) -> Tensor:
        if not training or p == 0:
            return weights
        return weights * (torch.rand(shape(weights)) < p_kept(p)) * factor(p)

    return mha(drop=drop)


class _ScoresDropped(mha()):
    """Dropout before the softmax; the weights that come back are those without."""

    def forward(self, query, key, value, mask=None):
        weights = super().forward(query, key, value, mask)[1]
        scores = drop_weights(weights.log(), self.p, self.training)
        return self.W_o(merge(scores.softmax(-1) @ split(self.W_v(value), self.heads))), weights


class _UnmaskedWeights(mha()):
    """The right output, and weights that know of no mask."""

    def forward(self, query, key, value, mask=None):
        return super().forward(query, key, value, mask)[0], super().forward(query, key, value)[1]


MISTAKES = (
    Misconception(
        "scaled-by-embed-dim",
        "the scores are divided by √embed_dim",
        "The root is there because a product sums over many columns, and a head's product sums over embed_dim / "
        "num_heads of them. With one head that is the same.",
        (mha(root=lambda dim, heads: math.sqrt(dim)),),
    ),
    Misconception(
        "scaled-by-the-heads",
        "the scores are divided by the root of the number of heads",
        "The root is there because a product sums over many columns: take the root of the number of columns *of a "
        "head*.",
        (mha(root=lambda dim, heads: math.sqrt(heads)),),
    ),
    mistakes.DIVIDES_BY_D.explained(
        "The standard deviation of a sum of n products grows with √n.", mha(root=lambda dim, heads: dim // heads)
    ),
    mistakes.NEVER_SCALES.explained(
        "Each head is a *scaled* dot-product attention. Divide its scores by the root of its width.",
        mha(root=lambda dim, heads: 1.0),
        mha(root=lambda dim, heads: 1 / math.sqrt(dim // heads)),
    ),
    mistakes.HEADS_MIXED.explained(
        "The shapes are right, and the numbers are in the wrong places: somewhere a `view` or `reshape` cuts "
        "positions where it should cut columns, or joins heads without moving them back. Look at exercise 1.",
        mha(cut=_mixed_cut),
        mha(join=_mixed_join),
        mha(cut=_mixed_cut, join=_mixed_join),
        mha(join=lambda x: x.transpose(0, 1).reshape(len(x), x.shape[2], -1)),  # heads that lay before the batch
    ),
    mistakes.COLUMNS_DEALT_OUT.explained(
        "A head's columns lie side by side: head h has the columns from h · d/heads on. Weights from elsewhere would "
        "mean something else with yours.",
        mha(cut=_dealt_cut),
        mha(cut=_dealt_cut, join=lambda x: x.permute(0, 2, 3, 1).flatten(2)),
        mha(join=lambda x: x.permute(0, 2, 3, 1).flatten(2)),
    ),
    Misconception(
        "no-output-projection",
        "W_o isn't used",
        "Side by side, the heads' outputs know nothing of one another. W_o mixes them, and makes of them what the "
        "output is.",
        (mha(finish=lambda layer, joined: joined),),
    ),
    Misconception(
        "W_o-head-by-head",
        "W_o meets the heads one by one",
        "W_o takes all heads side by side, so that each number of the output may come from every head. Its bias is "
        "added once.",
        (
            mha(finish=lambda layer, joined: _blocks_of(layer.W_o, joined, layer.heads)),
            mha(finish=_bias_in_every_head),
        ),
    ),
    mistakes.INVERTED_MASK.explained(
        "True means *may attend*. You leave out what should be seen, and see what should be left out. "
        "(`nn.MultiheadAttention` takes it the other way.)",
        mha(fit=lambda mask, scores: ~fitted(mask, scores)),
    ),
    mistakes.MASK_IGNORED.explained(
        "The signature takes `mask`, and it never gets as far as the softmax.",
        mha(weigh=lambda scores, mask: scores.softmax(-1)),
    ),
    Misconception(
        "mask-added",
        "the mask is added to the scores",
        "It is boolean: added, True counts as 1, which is hardly a difference. (Masks that are added have 0 and −∞.)",
        (mha(weigh=lambda scores, mask: (scores if mask is None else scores + mask).softmax(-1)),),
    ),
    mistakes.MASKS_WITH_ZERO.row(_softmax_over(-1, 0.0)),
    mistakes.FILL_NOT_LOW_ENOUGH.row(*(_softmax_over(-1, fill) for fill in FILLS)),
    mistakes.MASK_AFTER_SOFTMAX.explained(
        "By then masked keys have taken their share. Mask the scores first (dividing by the sum afterwards fails "
        "where the masked scores are so high that nothing is left).",
        mha(weigh=_weighing_all_keys),
        mha(weigh=_renormalised),
    ),
    mistakes.UNMASKED_WEIGHTS.explained(
        "The output is right, but a picture of these weights would show attention that never happened. Return those "
        "that met the values.",
        _UnmaskedWeights,
    ),
    Misconception(
        "sequences-taken-for-heads",
        "a mask (batch, query, key) is spread over the heads as if they were the batch",
        "Shapes are matched from the right, so that (batch, query, key) meets (heads, query, key): where there are as "
        "many sequences as heads that runs without a complaint, and is wrong. Where is an axis missing?",
        (
            mha(fit=lambda mask, scores: mask),
            mha(fit=lambda mask, scores: mask.unsqueeze(0) if mask.dim() == 3 else mask),
        ),
    ),
    Misconception(
        "one-mask-for-all",
        "every sequence gets the same mask",
        "A mask (batch, query, key) has one for each sequence.",
        (
            mha(fit=lambda mask, scores: mask[:1].unsqueeze(1) if mask.dim() == 3 else mask),
            mha(fit=lambda mask, scores: mask.any(0) if mask.dim() == 3 else mask),
            mha(fit=lambda mask, scores: mask.all(0) if mask.dim() == 3 else mask),
        ),
    ),
    Misconception(
        "three-axes-only",
        "masks of some shape aren't taken",
        "A mask may be (query, key), (batch, query, key), or have four axes, some of them of size 1. An axis for the "
        "heads is to be added where it is missing, and only there.",
        (
            mha(fit=lambda mask, scores: mask.unsqueeze(1)),
            mha(fit=lambda mask, scores: mask.reshape(len(scores), 1, *scores.shape[2:])),
        ),
    ),
    Misconception(
        "weights-averaged",
        "the weights of the heads are averaged",
        "Each head's weights come back by themselves: (batch, heads, query, key). (`nn.MultiheadAttention` averages "
        "unless told not to.)",
        (
            mha(result=lambda output, weights, dropped: (output, weights.mean(1))),
            mha(result=lambda output, weights, dropped: (output, weights.sum(1))),
            mha(result=lambda output, weights, dropped: (output, weights.mean(1, keepdim=True))),
        ),
    ),
    mistakes.HEADS_IN_THE_BATCH.explained(
        "To attend in (batch · heads, …) is fine. What comes back has an axis for the heads, the second.",
        mha(result=lambda output, weights, dropped: (output, weights.flatten(0, 1))),
    ),
    mistakes.SOFTMAX_OVER_WRONG_AXIS.row(
        *tuple(_softmax_over(axis, fill) for axis in (0, 1, 2) for fill in (-torch.inf, -1e9))
    ),
    mistakes.NO_SOFTMAX.row(mha(weigh=lambda scores, mask: scores if mask is None else scores.masked_fill(~mask, 0.0))),
    mistakes.SOFTMAX_TWICE.row(mha(weigh=lambda scores, mask: masked_weights(scores, mask).softmax(-1))),
    Misconception(
        "key-and-value-swapped",
        "key and value have changed places",
        "Queries are compared with *keys*, and the output is made of *values*: W_k takes `key`, W_v takes `value`. In "
        "self-attention both are the same tensor, and the mistake stays hidden.",
        (
            mha(lambda layer, q, k, v: projected(layer, q, v, k)),
            mha(lambda layer, q, k, v: (layer.W_q(q), layer.W_v(v), layer.W_k(k))),
            mha(lambda layer, q, k, v: (layer.W_q(q), layer.W_v(k), layer.W_k(v))),
        ),
    ),
    Misconception(
        "self-attention-only",
        "not all of `query`, `key` and `value` are used",
        "In self-attention all three are the same tensor. In general they are not: the queries come from `query`, the "
        "keys from `key`, the values from `value`.",
        (
            mha(lambda layer, q, k, v: projected(layer, q, q, q)),
            mha(lambda layer, q, k, v: projected(layer, q, k, k)),
            mha(lambda layer, q, k, v: projected(layer, q, v, v)),
            mha(lambda layer, q, k, v: projected(layer, k, k, v)),
        ),
    ),
    Misconception(
        "projection-left-out",
        "one of W_q, W_k and W_v isn't used",
        "Queries, keys and values each go through a layer of their own before they are cut into heads.",
        (
            mha(lambda layer, q, k, v: (q, layer.W_k(k), layer.W_v(v))),
            mha(lambda layer, q, k, v: (layer.W_q(q), k, layer.W_v(v))),
            mha(lambda layer, q, k, v: (layer.W_q(q), layer.W_k(k), v)),
            mha(lambda layer, q, k, v: (q, k, v)),
        ),
    ),
    Misconception(
        "projections-swapped",
        "the layers are swapped, or one serves twice",
        "W_q is for queries, W_k for keys, W_v for values.",
        (
            mha(lambda layer, q, k, v: (layer.W_k(q), layer.W_q(k), layer.W_v(v))),
            mha(lambda layer, q, k, v: (layer.W_q(q), layer.W_q(k), layer.W_v(v))),
            mha(lambda layer, q, k, v: (layer.W_q(q), layer.W_k(k), layer.W_k(v))),
            mha(lambda layer, q, k, v: (layer.W_q(q), layer.W_q(k), layer.W_q(v))),
        ),
    ),
    mistakes.ONE_SEQUENCE_FOR_ALL.row(
        mha(
            result=lambda output, weights, dropped: (
                output[:1].expand_as(output),
                weights[:1].expand_as(weights),
            )
        ),
        sequence="sequence",
        what="queries, keys and values",
    ),
    mistakes.NOT_A_PAIR.row(mha(result=lambda output, weights, dropped: output), pair="output, weights"),
    mistakes.ORDER_OF_THE_PAIR.row(
        mha(result=lambda output, weights, dropped: (weights, output)), pair="output, weights"
    ),
    mistakes.WEIGHTS_AFTER_DROPOUT.explained(
        "The weights are there to be looked at: rows that sum to 1, the same for the same input. What dropout leaves "
        "has holes and other numbers every time. Return what the softmax gave.",
        mha(result=lambda output, weights, dropped: (output, dropped)),
        mha(drop=lambda weights, p, training: nn.functional.dropout(weights, p, training, inplace=True)),
    ),
    mistakes.DROPOUT_ON_THE_OUTPUT.row(
        mha(drop=lambda w, p, training: w, pool=lambda w, v, p, training: drop_weights(w @ v, p, training)),
        mha(drop=lambda w, p, training: w, pool=lambda w, v, p, training: w @ drop_weights(v, p, training)),
        mha(pool=lambda w, v, p, training: drop_weights(w @ v, p, training)),
    ),
    mistakes.DROPOUT_BEFORE_THE_SOFTMAX.explained(
        "A score of 0 is an ordinary score. Dropout comes after the softmax, and every row is then left as it is.",
        _ScoresDropped,
        mha(drop=lambda w, p, training: nn.functional.normalize(drop_weights(w, p, training), p=1, dim=-1)),
    ),
    mistakes.DROPOUT_IN_EVALUATION.explained(
        "`.eval()` is there to switch it off. `F.dropout` needs to be told (`self.training`); a `nn.Dropout` knows by "
        "itself, if it is made in `__init__` and kept as an attribute.",
        mha(drop=lambda weights, p, training: drop_weights(weights, p, True)),
    ),
    mistakes.DROPOUT_NEVER.row(
        mha(drop=lambda weights, p, training: weights),
        mha(drop=lambda weights, p, training: drop_weights(weights, p, not training)),
    ),
    mistakes.DROPOUT_FIXED.row(
        mha(drop=lambda weights, p, training: drop_weights(weights, 0.5, training)),
        mha(drop=lambda weights, p, training: drop_weights(weights, p or 0.1, training)),
    ),
    mistakes.SHARE_KEPT_FOR_DROPPED.row(
        mha(drop=lambda weights, p, training: drop_weights(weights, 1 - p if p else 0.0, training))
    ),
    mistakes.DROPOUT_NOT_SCALED.row(
        _dropped_by_hand(lambda p: 1 - p, lambda p: 1.0), _dropped_by_hand(lambda p: 1 - p, lambda p: 1 / p)
    ),
    mistakes.DROPPED_TOGETHER.row(
        *tuple(
            _dropped_by_hand(
                lambda p: 1 - p,
                lambda p: 1 / (1 - p),
                lambda w, axis=axis: [1 if i == axis else size for i, size in enumerate(w.shape)],
            )
            for axis in range(4)
        ),
        what="sequences, heads, queries or keys",
    ),
    mistakes.OTHER_PARAMETERS.row(
        mha(make=lambda *sizes: nn.Linear(*sizes, bias=False)),
        mha(lambda layer, q, k, v: (layer.q(q), layer.k(k), layer.v(v)), names=("q", "k", "v", "W_o")),
        mha(finish=lambda layer, joined: joined, names=QKVO[:3]),
        mha(finish=lambda layer, joined: layer.out(joined), names=(*QKVO[:3], "out")),
        mha(names=(*QKVO, "W")),
    ),
    mistakes.NOTHING_LEARNED.row(
        frozen(mha()),
        mha(
            lambda layer, *inputs: tuple(
                x.detach() + 0 * y for x, y in zip(projected(layer, *inputs), inputs, strict=True)
            )
        ),
    ),
    mistakes.WRITES_INTO_ARGUMENTS.row(*(changed(mha(), overwriting(i)) for i in range(4)), arguments="tensors"),
    mistakes.DETACHED_GRADIENT.row(
        *(changed(mha(), cutting(*positions)) for positions in ((0, 1, 2), (0, 1), (0,), (1,), (2,))),
        mha(result=lambda output, weights, dropped: (output, weights.detach())),
        mha(drop=lambda weights, p, training: drop_weights(weights.detach(), p, training)),
        inputs="query, key or value",
    ),
    mistakes.TYPE_CHANGED.row(
        mha(result=lambda output, weights, dropped: (output.float(), weights.float())),
        mha(result=lambda output, weights, dropped: (output, weights.float())),
        mha(result=lambda output, weights, dropped: (output.double(), weights.double())),
        dtype="float64",
    ),
    mistakes.ANSWERS_FROM_MEMORY.row(changed(mha(), remembering)),
    mistakes.SMALL_SIZES_ONLY.row(changed(mha(), stopping_at_64)),
    mistakes.no_module(),
    mistakes.FORBIDDEN_CALL.row(),
    mistakes.nothing_returned(changed(mha(), returning_nothing)),
)
