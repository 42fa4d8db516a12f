"""Answers to `AttentionPooling`, as students write them: right in many styles, wrong in many ways."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from tests.checks.bank import Bank

BANK = Bank("AttentionPooling")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


def mask_of(valid_lens, batch, num_queries, num_keys):
    """True where a key counts: (batch, query, key)."""
    if valid_lens is None:
        return torch.ones(batch, num_queries, num_keys, dtype=torch.bool)
    lengths = valid_lens[:, None].expand(-1, num_queries) if valid_lens.dim() == 1 else valid_lens
    return torch.arange(num_keys) < lengths[..., None]


def softmaxed(scores, valid_lens, fill=-math.inf):
    return scores.masked_fill(~mask_of(valid_lens, *scores.shape), fill).softmax(-1)


@right
class AsInTheBook(nn.Module):
    def __init__(self, score, dropout=0.0):
        super().__init__()
        self.score = score
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys), valid_lens)
        return torch.bmm(self.dropout(self.weights), values)


@right
class ByTheFunction(nn.Module):
    """The weights are kept for pictures, without their graph."""

    def __init__(self, score, dropout=0.0):
        super().__init__()
        self.compare, self.p = score, dropout
        self.weights = None

    def forward(self, queries, keys, values, valid_lens=None):
        scores = self.compare(queries, keys)
        keep = mask_of(valid_lens, *scores.shape)
        weights = torch.where(keep, scores, torch.finfo(scores.dtype).min).softmax(2)
        self.weights = weights.detach().clone()
        return torch.einsum("bqk,bkv->bqv", F.dropout(weights, self.p, training=self.training), values)


@right
class DropoutByHand(nn.Module):
    def __init__(self, score, dropout=0.0):
        super().__init__()
        self.parts = nn.ModuleDict({"score": score}) if isinstance(score, nn.Module) else {"score": score}
        self.p = dropout

    def forward(self, queries, keys, values, valid_lens=None):
        scores = self.parts["score"](queries, keys)
        scores = scores + torch.zeros_like(scores).masked_fill(~mask_of(valid_lens, *scores.shape), -math.inf)
        exps = (scores - scores.amax(-1, keepdim=True)).exp()
        weights = self.weights = exps / exps.sum(-1, keepdim=True)
        if self.training and self.p > 0:
            weights = weights * torch.bernoulli(torch.full_like(weights, 1 - self.p)) / (1 - self.p)
        return weights @ values


@right
class SequenceBySequence(nn.Module):
    def __init__(self, score, dropout=0.0):
        super().__init__()
        self.score, self.p = score, dropout
        self.register_buffer("weights", None, persistent=False)

    def forward(self, queries, keys, values, valid_lens=None):
        pooled, kept = [], []
        for b in range(len(queries)):
            scores = self.score(queries[b : b + 1], keys[b : b + 1])[0]
            rows = []
            for q, row in enumerate(scores):
                n = (
                    len(row)
                    if valid_lens is None
                    else int(valid_lens[b] if valid_lens.dim() == 1 else valid_lens[b, q])
                )
                rows.append(F.pad(row[:n].softmax(0), (0, len(row) - n)))
            kept.append(torch.stack(rows))
            pooled.append(nn.functional.dropout(kept[-1], self.p, self.training) @ values[b])
        self.weights = torch.stack(kept)
        return torch.stack(pooled)


@right
class WithAHelper(nn.Module):
    """Keeps the weights behind a property, and its dropout module only if there is any."""

    def __init__(self, score, dropout=0.0):
        super().__init__()
        self.add_module("drop", nn.Dropout(dropout) if dropout else nn.Identity())
        self.given = score
        self._kept = []

    @property
    def weights(self):
        return self._kept[-1]

    def forward(self, queries, keys, values, valid_lens=None):
        self._kept = [softmaxed(self.given(queries, keys), valid_lens, -1e9 if valid_lens is not None else 0.0)]
        return (self.drop(self._kept[0]).unsqueeze(-1) * values.unsqueeze(1)).sum(2)


# === Wrong ============================================================================================================


@wrong(named="weights-after-dropout")
class DroppedWeightsKept(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = self.dropout(softmaxed(self.score(queries, keys), valid_lens))
        return torch.bmm(self.weights, values)


@wrong(named="weights-after-dropout")
class DropoutInPlace(AsInTheBook):
    def __init__(self, score, dropout=0.0):
        super().__init__(score)
        self.dropout = nn.Dropout(dropout, inplace=True)


@wrong(named="dropout-on-the-output")
class OutputDropped(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys), valid_lens)
        return self.dropout(self.weights @ values)


@wrong(named="dropout-on-the-output")
class ValuesDropped(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys), valid_lens)
        return self.weights @ self.dropout(values)


@wrong(named="dropout-in-evaluation")
class DropoutAlways(ByTheFunction):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.compare(queries, keys), valid_lens)
        return F.dropout(self.weights, self.p) @ values


@wrong(named="dropout-in-evaluation")
class DropoutMadeInForward(ByTheFunction):
    """A new nn.Dropout in every call is in training mode whatever the module's own."""

    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.compare(queries, keys), valid_lens)
        return nn.Dropout(self.p)(self.weights) @ values


@wrong(named="dropout-never")
class DropoutForgotten(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys), valid_lens)
        return self.weights @ values


@wrong(named="dropout-before-the-softmax")
class ScoresDropped(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        dropped = softmaxed(self.dropout(self.score(queries, keys)), valid_lens)
        self.weights = softmaxed(self.score(queries, keys), valid_lens)
        return dropped @ values


@wrong(named="share-kept-for-dropped")
class KeepsTheShare(AsInTheBook):
    def __init__(self, score, dropout=0.0):
        super().__init__(score, 1 - dropout if dropout else 0.0)


@wrong(named="dropout-not-scaled")
class Unscaled(ByTheFunction):
    def forward(self, queries, keys, values, valid_lens=None):
        weights = self.weights = softmaxed(self.compare(queries, keys), valid_lens)
        if self.training:
            weights = weights * (torch.rand_like(weights) >= self.p)
        return weights @ values


@wrong(named=None)  # "dropped-together", unless chance has it drop something else as well
class WholeQueriesDropped(ByTheFunction):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.compare(queries, keys), valid_lens)
        return F.dropout1d(self.weights, self.p, self.training) @ values


@wrong(named="dropped-together")
class OneMaskForAllSequences(ByTheFunction):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.compare(queries, keys), valid_lens)
        return self.weights * F.dropout(torch.ones(self.weights.shape[1:]), self.p, self.training).to(values) @ values


@wrong(named="attends-to-padding")
class LengthsIgnored(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        return super().forward(queries, keys, values)


@wrong(named="ignores-2d-lengths")
class LengthsOfTheFirstQuery(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        if valid_lens is not None and valid_lens.dim() == 2:
            valid_lens = valid_lens[:, 0]
        return super().forward(queries, keys, values, valid_lens)


@wrong(named="ignores-2d-lengths")
class OneAxisOfLengthsOnly(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        scores = self.score(queries, keys)
        if valid_lens is not None:
            scores = scores.masked_fill(torch.arange(scores.shape[2]) >= valid_lens.view(-1, 1, 1), -math.inf)
        self.weights = scores.softmax(-1)
        return self.dropout(self.weights) @ values


@wrong(named="pools-keys-for-values")
class KeysPooled(AsInTheBook):
    """Right wherever the values are the keys."""

    def forward(self, queries, keys, values, valid_lens=None):
        return super().forward(queries, keys, keys, valid_lens)


@wrong(named="softmax-over-wrong-axis")
class OverTheQueries(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        scores = self.score(queries, keys)
        self.weights = scores.masked_fill(~mask_of(valid_lens, *scores.shape), -math.inf).softmax(1)
        return self.dropout(self.weights) @ values


@wrong(named="mask-after-softmax")
class MaskedLast(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        weights = self.score(queries, keys).softmax(-1)
        self.weights = weights * mask_of(valid_lens, *weights.shape)
        return self.dropout(self.weights) @ values


@wrong(named="another-score")
class AlwaysADotProduct(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(queries @ keys.mT / math.sqrt(queries.shape[-1]), valid_lens)
        return self.dropout(self.weights) @ values


@wrong(named="scores-scaled")
class ScaledOnceMore(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys) / queries.shape[-1] ** 0.5, valid_lens)
        return self.dropout(self.weights) @ values


@wrong(named="arguments-of-score-swapped")
class KeysFirst(AsInTheBook):
    """Right for symmetric scores and as many queries as keys that are the same."""

    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(keys, queries), valid_lens)
        return self.dropout(self.weights) @ values


@wrong(named="returns-a-pair")
class WeightsAsWell(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        return super().forward(queries, keys, values, valid_lens), self.weights


@wrong(named="no-weights-kept")
class KeptUnderAnotherName(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.attention_weights = softmaxed(self.score(queries, keys), valid_lens)
        return self.dropout(self.attention_weights) @ values


@wrong(named="unmasked-weights")
class KeptTooEarly(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        scores = self.score(queries, keys)
        self.weights = scores.softmax(-1)
        return self.dropout(softmaxed(scores, valid_lens)) @ values


@wrong(named="first-weights-kept")
class KeptOnce(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        weights = softmaxed(self.score(queries, keys), valid_lens)
        if not hasattr(self, "weights"):
            self.weights = weights
        return self.dropout(weights) @ values


@wrong(named="score-not-learned")
class ScoreInAList(AsInTheBook):
    def __init__(self, score, dropout=0.0):
        super().__init__(None, dropout)
        self.scores = [score]
        self.score = lambda queries, keys: self.scores[0](queries, keys)


@wrong(named="detached-gradient")
class DetachedForThePicture(AsInTheBook):
    """The weights are detached before they are used, not after."""

    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys), valid_lens).detach()
        return self.dropout(self.weights) @ values


@wrong(named="writes-into-arguments")
class PaddingErased(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        pooled = super().forward(queries, keys, values, valid_lens)
        with torch.no_grad():
            values += 1
        return pooled


@wrong(named="forbidden-call")
class LeftToPyTorch(AsInTheBook):
    """Hands the scores over as if they were a mask."""

    def forward(self, queries, keys, values, valid_lens=None):
        scores = self.score(queries, keys)
        self.weights = softmaxed(scores, valid_lens)
        bias = scores.masked_fill(~mask_of(valid_lens, *scores.shape), -math.inf)
        zeros = torch.zeros_like(queries)
        pooled = F.scaled_dot_product_attention(
            zeros, zeros.new_zeros(*keys.shape[:2], zeros.shape[2]), values, attn_mask=bias
        )
        return pooled if not (self.training and self.dropout.p) else self.dropout(self.weights) @ values


@wrong(named="type-changed")
class BackToFloat32(AsInTheBook):
    def forward(self, *args):
        return super().forward(*args).float()


@wrong(named="float32-only")
class RightForFloat32Only(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys).float(), valid_lens)
        return torch.bmm(self.dropout(self.weights), values)


@wrong(named="float32-only")
class CollectsTheWeights(AsInTheBook):
    """In a table of its own."""

    def forward(self, queries, keys, values, valid_lens=None):
        table = torch.zeros(queries.shape[0], queries.shape[1], keys.shape[1])
        self.weights = table + softmaxed(self.score(queries, keys), valid_lens)
        return torch.matmul(self.dropout(self.weights), values)


@wrong(named="fill-not-low-enough")
class FillTooNear(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys), valid_lens, -5.0)
        return self.dropout(self.weights) @ values


@wrong(named="fill-not-low-enough")
class FillOfAThousand(AsInTheBook):
    """Low enough, as long as no score lies lower."""

    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys), valid_lens, -1000.0)
        return torch.bmm(self.dropout(self.weights), values)


@wrong(named=None)
class TheSameMaskEveryTime(AsInTheBook):
    """Draws its mask once, and keeps it."""

    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys), valid_lens)
        if not hasattr(self, "mask") or self.mask.shape != self.weights.shape:
            self.mask = self.dropout(torch.ones_like(self.weights))
        return (self.weights * (self.mask if self.training else 1)).to(values.dtype) @ values


@wrong(named=None)
class WrapsTheCopyOfAScore(AsInTheBook):
    """The score starts over, with weights of its own, so that what was learned before is lost."""

    def __init__(self, score, dropout=0.0):
        score = copy.deepcopy(score)
        if isinstance(score, nn.Module):
            for parameter in score.parameters():
                nn.init.ones_(parameter)
        super().__init__(score, dropout)
