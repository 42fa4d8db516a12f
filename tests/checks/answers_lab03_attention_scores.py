"""Answers to lab 3, as students write them: right in many styles, wrong in many ways."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from tests.checks.bank import Bank

BANK = Bank()
right, wrong = BANK.right, BANK.wrong

# === BilinearScore: right =============================================================================================


@right("BilinearScore")
class ByLinearAndBmm(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.W = nn.Linear(key_dim, query_dim, bias=False)

    def forward(self, queries, keys):
        return torch.bmm(queries, self.W(keys).transpose(1, 2))


@right("BilinearScore")
class ByEinsum(ByLinearAndBmm):
    """The sum over both widths, written down. F.scaled_dot_product_attention isn't used."""

    def forward(self, queries, keys):
        return torch.einsum("bqi,ij,bkj->bqk", queries, self.W.weight, keys)


@right("BilinearScore")
class QueriesFirst(ByLinearAndBmm):
    def forward(self, queries, keys):
        return (queries @ self.W.weight).matmul(keys.mT)


@right("BilinearScore")
class PairByPair(ByLinearAndBmm):
    def forward(self, queries, keys):
        rows = []
        for b in range(len(queries)):
            for query in queries[b]:
                rows.append(torch.stack([query.dot(self.W(key)) for key in keys[b]]))
        return torch.stack(rows).view(queries.shape[0], queries.shape[1], -1)


@right("BilinearScore")
class AMatrixInADictionary(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.W = nn.ParameterDict({"weight": nn.Parameter(torch.randn(query_dim, key_dim) / math.sqrt(key_dim))})

    def forward(self, queries, keys):
        mapped = F.linear(keys, self.W["weight"])
        return (queries.unsqueeze(2) * mapped.unsqueeze(1)).sum(dim=-1)


@right("BilinearScore")
class ByBilinearOfPyTorch(ByLinearAndBmm):
    def forward(self, queries, keys):
        q = queries.unsqueeze(2).expand(-1, -1, keys.shape[1], -1).contiguous()
        k = keys.unsqueeze(1).expand(-1, queries.shape[1], -1, -1).contiguous()
        return F.bilinear(q, k, self.W.weight.unsqueeze(0)).squeeze(-1)


# === BilinearScore: wrong =============================================================================================


@wrong("BilinearScore", named="bias")
class ABias(ByLinearAndBmm):
    def __init__(self, query_dim, key_dim):
        super().__init__(query_dim, key_dim)
        self.W = nn.Linear(key_dim, query_dim)


@wrong("BilinearScore", named="W-on-the-wrong-side")
class MapsTheQueries(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.W = nn.Linear(query_dim, key_dim, bias=False)

    def forward(self, queries, keys):
        return torch.bmm(self.W(queries), keys.transpose(1, 2))


@wrong("BilinearScore", named="W-on-the-wrong-side")
class RightForEqualWidthsButForTheSide(ByLinearAndBmm):
    def forward(self, queries, keys):
        return torch.einsum("bqi,ji,bkj->bqk", queries, self.W.weight, keys)


@wrong("BilinearScore", named="nothing-learned")
class APlainTensor(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.W = torch.randn(query_dim, key_dim)

    def forward(self, queries, keys):
        return queries @ self.W @ keys.mT


@wrong("BilinearScore", named="nothing-learned")
class FreshWeightsEveryTime(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.sizes = key_dim, query_dim

    def forward(self, queries, keys):
        return queries @ nn.Linear(*self.sizes, bias=False)(keys).mT


@wrong("BilinearScore", named="nothing-learned")
class AWeightThatNobodyLearns(ByLinearAndBmm):
    def forward(self, queries, keys):
        with torch.no_grad():
            matrix = self.W.weight.clone()
        return queries @ (keys @ matrix.T).mT


@wrong("BilinearScore", named="other-parameters")
class AParameterWithoutALayer(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.W = nn.Parameter(torch.randn(query_dim, key_dim))

    def forward(self, queries, keys):
        return queries @ self.W @ keys.mT


@wrong("BilinearScore", named="other-parameters")
class ATemperatureOfItsOwn(ByLinearAndBmm):
    def __init__(self, query_dim, key_dim):
        super().__init__(query_dim, key_dim)
        self.temperature = nn.Parameter(torch.ones(()))

    def forward(self, queries, keys):
        return super().forward(queries, keys) / self.temperature


@wrong("BilinearScore", named="other-parameters")
class AnotherName(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.projection = nn.Linear(key_dim, query_dim, bias=False)

    def forward(self, queries, keys):
        return torch.bmm(queries, self.projection(keys).transpose(1, 2))


@wrong("BilinearScore", named="W-on-both-sides")
class BothMapped(ByLinearAndBmm):
    def forward(self, queries, keys):
        return self.W(queries) @ self.W(keys).mT


@wrong("BilinearScore", named="scaled")
class ScaledAsWell(ByLinearAndBmm):
    def forward(self, queries, keys):
        return super().forward(queries, keys) / math.sqrt(queries.shape[-1])


@wrong("BilinearScore", named="softmax-inside")
class WeightsAlready(ByLinearAndBmm):
    def forward(self, queries, keys):
        return F.softmax(super().forward(queries, keys), dim=-1)


@wrong("BilinearScore", named="queries-and-keys-swapped")
class RowsOfKeys(ByLinearAndBmm):
    def forward(self, queries, keys):
        return torch.bmm(self.W(keys), queries.transpose(1, 2))


@wrong("BilinearScore", named="reshape-for-transpose")
class ViewedForTransposed(ByLinearAndBmm):
    def forward(self, queries, keys):
        mapped = self.W(keys)
        return torch.bmm(queries, mapped.view(mapped.shape[0], mapped.shape[2], mapped.shape[1]))


@wrong("BilinearScore", named="pairs-in-step")
class RightForASingleQueryAndKey(ByLinearAndBmm):
    def forward(self, queries, keys):
        return (queries * self.W(keys)).sum(-1, keepdim=True)


@wrong("BilinearScore", named="axis-lost")
class Squeezed(ByLinearAndBmm):
    def forward(self, queries, keys):
        return super().forward(queries, keys).squeeze()


@wrong("BilinearScore", named="bent")
class TanhOfTheKeys(ByLinearAndBmm):
    def forward(self, queries, keys):
        return queries @ torch.tanh(self.W(keys)).mT


@wrong("BilinearScore", named="one-sequence-for-all")
class RightForOneSequence(ByLinearAndBmm):
    def forward(self, queries, keys):
        return (queries[0] @ self.W(keys[0]).T).expand(len(queries), -1, -1)


@wrong("BilinearScore", named="writes-into-arguments")
class KeysMappedInPlace(ByLinearAndBmm):
    def forward(self, queries, keys):
        scores = super().forward(queries, keys)
        keys.data += 1
        return scores


@wrong("BilinearScore", named="detached-gradient")
class KeysFromAnotherGraph(ByLinearAndBmm):
    def forward(self, queries, keys):
        return super().forward(queries, keys.detach())


@wrong("BilinearScore", named="answers-from-memory")
class RemembersByShape(ByLinearAndBmm):
    def forward(self, queries, keys):
        self.known = getattr(self, "known", {})
        shape = queries.shape, keys.shape
        if shape not in self.known:
            self.known[shape] = super().forward(queries, keys)
        return self.known[shape]


@wrong("BilinearScore", named="nothing-returned")
class KeepsItToItself(ByLinearAndBmm):
    def forward(self, queries, keys):
        self.scores = super().forward(queries, keys)


@wrong("BilinearScore", named=None)
class TheDiagonalOnly(ByLinearAndBmm):
    def forward(self, queries, keys):
        diagonal = self.W.weight.diagonal()
        n = len(diagonal)
        return (queries[..., :n] * diagonal) @ keys[..., :n].mT


@wrong("BilinearScore", named=None)
class TheKeysOfAllSequences(ByLinearAndBmm):
    """Right for one sequence."""

    def forward(self, queries, keys):
        return queries @ self.W(keys).mean(0).T


@wrong("BilinearScore", named="no-module")
def no_class_at_all(query_dim, key_dim):
    W = nn.Linear(key_dim, query_dim, bias=False)
    return lambda queries, keys: queries @ W(keys).mT


# === AdditiveScore: right =============================================================================================


class ThreeLayers(nn.Module):
    def __init__(self, query_dim, key_dim, hidden_dim):
        super().__init__()
        self.W_q = nn.Linear(query_dim, hidden_dim, bias=False)
        self.W_k = nn.Linear(key_dim, hidden_dim, bias=False)
        self.w_v = nn.Linear(hidden_dim, 1, bias=False)


@right("AdditiveScore")
class ByBroadcasting(ThreeLayers):
    def forward(self, queries, keys):
        hidden = torch.tanh(self.W_q(queries).unsqueeze(2) + self.W_k(keys).unsqueeze(1))
        return self.w_v(hidden).squeeze(-1)


@right("AdditiveScore")
class KeyByKey(ThreeLayers):
    def forward(self, queries, keys):
        q, k = self.W_q(queries), self.W_k(keys)
        columns = [self.w_v(torch.tanh(q + k[:, i : i + 1])) for i in range(keys.shape[1])]
        return torch.cat(columns, dim=2)


@right("AdditiveScore")
class RepeatedQueries(ThreeLayers):
    def forward(self, queries, keys):
        batch, num_queries, num_keys = queries.size(0), queries.size(1), keys.size(1)
        q = self.W_q(queries).repeat_interleave(num_keys, dim=1)
        k = self.W_k(keys).repeat(1, num_queries, 1)
        return self.w_v((q + k).tanh()).view(batch, num_queries, num_keys)


@right("AdditiveScore")
class OneMatrixForThePair(ThreeLayers):
    """[W_q W_k] times the query and the key put end to end: the "concat" form."""

    def forward(self, queries, keys):
        q = queries.unsqueeze(2).expand(-1, -1, keys.shape[1], -1)
        k = keys.unsqueeze(1).expand(-1, queries.shape[1], -1, -1)
        both = torch.cat([self.W_q.weight, self.W_k.weight], dim=1)
        return torch.tanh(torch.cat([q, k], dim=-1) @ both.T) @ self.w_v.weight[0]


@right("AdditiveScore")
class ByEinsumAndExponentials(nn.Module):
    def __init__(self, query_dim, key_dim, hidden_dim):
        super().__init__()
        self.w_v = nn.ParameterDict({"weight": torch.randn(1, hidden_dim)})
        self.W_k = nn.ParameterDict({"weight": torch.randn(hidden_dim, key_dim)})
        self.W_q = nn.ParameterDict({"weight": torch.randn(hidden_dim, query_dim)})

    def forward(self, queries, keys):
        q = torch.einsum("bqd,hd->bqh", queries, self.W_q["weight"])
        k = torch.einsum("bkd,hd->bkh", keys, self.W_k["weight"])
        hidden = 2 * torch.sigmoid(2 * (q[:, :, None] + k[:, None])) - 1  # that is a tanh
        return torch.einsum("h,bqkh->bqk", self.w_v["weight"][0], hidden)


# === AdditiveScore: wrong =============================================================================================


@wrong("AdditiveScore", named="no-tanh")
class WithoutTanh(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(self.W_q(queries)) + self.w_v(self.W_k(keys)).transpose(1, 2)


@wrong("AdditiveScore", named="tanh-before-the-sum")
class TanhOfEach(ThreeLayers):
    def forward(self, queries, keys):
        q, k = torch.tanh(self.W_q(queries)), torch.tanh(self.W_k(keys))
        return self.w_v(q[:, :, None] + k[:, None]).squeeze(-1)


@wrong("AdditiveScore", named="tanh-of-the-score")
class TanhLast(ThreeLayers):
    def forward(self, queries, keys):
        return torch.tanh(self.w_v(self.W_q(queries)[:, :, None] + self.W_k(keys)[:, None]).squeeze(-1))


@wrong("AdditiveScore", named="W_q-and-W_k-swapped")
class SwappedMatrices(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(torch.tanh(self.W_k(queries)[:, :, None] + self.W_q(keys)[:, None])).squeeze(-1)


@wrong("AdditiveScore", named="W_q-and-W_k-swapped")
class SwappedSizes(ByBroadcasting):
    def __init__(self, query_dim, key_dim, hidden_dim):
        super().__init__(key_dim, query_dim, hidden_dim)


@wrong("AdditiveScore", named="bias")
class BiasEverywhere(ByBroadcasting):
    def __init__(self, query_dim, key_dim, hidden_dim):
        nn.Module.__init__(self)
        self.W_q, self.W_k = (nn.Linear(query_dim, hidden_dim), nn.Linear(key_dim, hidden_dim))
        self.w_v = nn.Linear(hidden_dim, 1)


@wrong("AdditiveScore", named="bias")
class BiasOfTheKeys(ByBroadcasting):
    def __init__(self, query_dim, key_dim, hidden_dim):
        super().__init__(query_dim, key_dim, hidden_dim)
        self.W_k = nn.Linear(key_dim, hidden_dim)


@wrong("AdditiveScore", named="mixes-pairs")
class BothRepeatedAlike(ThreeLayers):
    """Right for a single query or a single key."""

    def forward(self, queries, keys):
        num_queries, num_keys = queries.shape[1], keys.shape[1]
        pairs = self.W_q(queries).repeat(1, num_keys, 1) + self.W_k(keys).repeat(1, num_queries, 1)
        return self.w_v(torch.tanh(pairs)).view(-1, num_queries, num_keys)


@wrong("AdditiveScore", named="mixes-pairs")
class KeyMajorPairs(ThreeLayers):
    """All the pairs are there; right wherever the table is symmetric."""

    def forward(self, queries, keys):
        table = torch.tanh(self.W_k(keys).unsqueeze(2) + self.W_q(queries).unsqueeze(1))  # (batch, key, query, hidden)
        return self.w_v(table).reshape(len(queries), queries.shape[1], keys.shape[1])


@wrong("AdditiveScore", named="pairs-in-step")
class RightForOneQuery(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(torch.tanh(self.W_q(queries) + self.W_k(keys))).squeeze(-1)


@wrong("AdditiveScore", named="softmax-inside")
class SoftmaxedAlready(ByBroadcasting):
    def forward(self, queries, keys):
        return torch.softmax(super().forward(queries, keys), dim=-1)


@wrong("AdditiveScore", named="other-activation")
class Sigmoids(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(torch.sigmoid(self.W_q(queries)[:, :, None] + self.W_k(keys)[:, None])).squeeze(-1)


@wrong("AdditiveScore", named="axis-left-over")
class FourAxes(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(torch.tanh(self.W_q(queries)[:, :, None] + self.W_k(keys)[:, None]))


@wrong("AdditiveScore", named="axis-lost")
class RightForALargerBatch(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(torch.tanh(self.W_q(queries)[:, :, None] + self.W_k(keys)[:, None])).squeeze()


@wrong("AdditiveScore", named="queries-and-keys-swapped")
class KeysInRows(ByBroadcasting):
    def forward(self, queries, keys):
        return super().forward(queries, keys).transpose(1, 2)


@wrong("AdditiveScore", named="one-matrix-for-both")
class OnlyWq(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(torch.tanh(self.W_q(queries)[:, :, None] + self.W_q(keys)[:, None])).squeeze(-1)


@wrong("AdditiveScore", named="w_v-left-out")
class SumOfTheUnits(ThreeLayers):
    def forward(self, queries, keys):
        return torch.tanh(self.W_q(queries)[:, :, None] + self.W_k(keys)[:, None]).sum(-1)


@wrong("AdditiveScore", named="other-parameters")
class OneLayerForThePair(nn.Module):
    def __init__(self, query_dim, key_dim, hidden_dim):
        super().__init__()
        self.W = nn.Linear(query_dim + key_dim, hidden_dim, bias=False)
        self.w_v = nn.Linear(hidden_dim, 1, bias=False)

    def forward(self, queries, keys):
        q = queries[:, :, None].expand(-1, -1, keys.shape[1], -1)
        k = keys[:, None].expand(-1, queries.shape[1], -1, -1)
        return self.w_v(torch.tanh(self.W(torch.cat([q, k], -1)))).squeeze(-1)


@wrong("AdditiveScore", named="detached-gradient")
class NoGradient(ByBroadcasting):
    @torch.no_grad()
    def forward(self, queries, keys):
        return super().forward(queries, keys)


@wrong("AdditiveScore", named="nothing-learned")
class KeysMatrixFrozen(ByBroadcasting):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.W_k.requires_grad_(False)


@wrong("AdditiveScore", named="writes-into-arguments")
class AddsInPlace(ThreeLayers):
    """Right, until its argument is needed again."""

    def forward(self, queries, keys):
        scores = ByBroadcasting.forward(self, queries, keys)
        with torch.no_grad():
            queries.zero_()
        return scores


@wrong("AdditiveScore", named="scaled")
class ScaledByTheHiddenUnits(ByBroadcasting):
    def forward(self, queries, keys):
        return super().forward(queries, keys) / self.w_v.in_features**0.5


@wrong("AdditiveScore", named="answers-from-memory")
class RemembersItsKeys(ThreeLayers):
    """Maps the keys once and for all: right for as long as nothing but the queries changes … and not even then here."""

    def forward(self, queries, keys):
        if not hasattr(self, "mapped"):
            self.mapped = self.W_q(queries), self.W_k(keys)
        q, k = self.mapped
        return self.w_v(torch.tanh(q[:, :, None] + k[:, None])).squeeze(-1)


@wrong("AdditiveScore", named=None)
class MinusForPlus(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(torch.tanh(self.W_q(queries)[:, :, None] - self.W_k(keys)[:, None])).squeeze(-1)


@wrong("AdditiveScore", named=None)
class DropsUnitsInTraining(ByBroadcasting):
    """Right in evaluation mode."""

    def forward(self, queries, keys):
        q, k = F.dropout(self.W_q(queries), 0.5, self.training), self.W_k(keys)
        return self.w_v(torch.tanh(q[:, :, None] + k[:, None])).squeeze(-1)


# === AttentionPooling: right ==========================================================================================


def mask_of(valid_lens, batch, num_queries, num_keys):
    """True where a key counts: (batch, query, key)."""
    if valid_lens is None:
        return torch.ones(batch, num_queries, num_keys, dtype=torch.bool)
    lengths = valid_lens[:, None].expand(-1, num_queries) if valid_lens.dim() == 1 else valid_lens
    return torch.arange(num_keys) < lengths[..., None]


def softmaxed(scores, valid_lens, fill=-math.inf):
    return scores.masked_fill(~mask_of(valid_lens, *scores.shape), fill).softmax(-1)


@right("AttentionPooling")
class AsInTheBook(nn.Module):
    def __init__(self, score, dropout=0.0):
        super().__init__()
        self.score = score
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys), valid_lens)
        return torch.bmm(self.dropout(self.weights), values)


@right("AttentionPooling")
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


@right("AttentionPooling")
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


@right("AttentionPooling")
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


@right("AttentionPooling")
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


# === AttentionPooling: wrong ==========================================================================================


@wrong("AttentionPooling", named="kept-after-dropout")
class DroppedWeightsKept(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = self.dropout(softmaxed(self.score(queries, keys), valid_lens))
        return torch.bmm(self.weights, values)


@wrong("AttentionPooling", named="kept-after-dropout")
class DropoutInPlace(AsInTheBook):
    def __init__(self, score, dropout=0.0):
        super().__init__(score)
        self.dropout = nn.Dropout(dropout, inplace=True)


@wrong("AttentionPooling", named="dropout-on-the-output")
class OutputDropped(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys), valid_lens)
        return self.dropout(self.weights @ values)


@wrong("AttentionPooling", named="dropout-on-the-output")
class ValuesDropped(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys), valid_lens)
        return self.weights @ self.dropout(values)


@wrong("AttentionPooling", named="dropout-in-evaluation")
class DropoutAlways(ByTheFunction):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.compare(queries, keys), valid_lens)
        return F.dropout(self.weights, self.p) @ values


@wrong("AttentionPooling", named="dropout-in-evaluation")
class DropoutMadeInForward(ByTheFunction):
    """A new nn.Dropout in every call is in training mode whatever the module's own."""

    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.compare(queries, keys), valid_lens)
        return nn.Dropout(self.p)(self.weights) @ values


@wrong("AttentionPooling", named="dropout-never")
class DropoutForgotten(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys), valid_lens)
        return self.weights @ values


@wrong("AttentionPooling", named="dropout-before-the-softmax")
class ScoresDropped(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        dropped = softmaxed(self.dropout(self.score(queries, keys)), valid_lens)
        self.weights = softmaxed(self.score(queries, keys), valid_lens)
        return dropped @ values


@wrong("AttentionPooling", named="share-kept-for-dropped")
class KeepsTheShare(AsInTheBook):
    def __init__(self, score, dropout=0.0):
        super().__init__(score, 1 - dropout if dropout else 0.0)


@wrong("AttentionPooling", named="dropout-not-scaled")
class Unscaled(ByTheFunction):
    def forward(self, queries, keys, values, valid_lens=None):
        weights = self.weights = softmaxed(self.compare(queries, keys), valid_lens)
        if self.training:
            weights = weights * (torch.rand_like(weights) >= self.p)
        return weights @ values


@wrong("AttentionPooling", named=None)  # "dropped-together", unless chance has it drop something else as well
class WholeQueriesDropped(ByTheFunction):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.compare(queries, keys), valid_lens)
        return F.dropout1d(self.weights, self.p, self.training) @ values


@wrong("AttentionPooling", named="dropped-together")
class OneMaskForAllSequences(ByTheFunction):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.compare(queries, keys), valid_lens)
        return self.weights * F.dropout(torch.ones(self.weights.shape[1:]), self.p, self.training).to(values) @ values


@wrong("AttentionPooling", named="ignores-lengths")
class LengthsIgnored(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        return super().forward(queries, keys, values)


@wrong("AttentionPooling", named="ignores-2d-lengths")
class LengthsOfTheFirstQuery(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        if valid_lens is not None and valid_lens.dim() == 2:
            valid_lens = valid_lens[:, 0]
        return super().forward(queries, keys, values, valid_lens)


@wrong("AttentionPooling", named="ignores-2d-lengths")
class OneAxisOfLengthsOnly(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        scores = self.score(queries, keys)
        if valid_lens is not None:
            scores = scores.masked_fill(torch.arange(scores.shape[2]) >= valid_lens.view(-1, 1, 1), -math.inf)
        self.weights = scores.softmax(-1)
        return self.dropout(self.weights) @ values


@wrong("AttentionPooling", named="pools-keys-for-values")
class KeysPooled(AsInTheBook):
    """Right wherever the values are the keys."""

    def forward(self, queries, keys, values, valid_lens=None):
        return super().forward(queries, keys, keys, valid_lens)


@wrong("AttentionPooling", named="weights-over-wrong-axis")
class OverTheQueries(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        scores = self.score(queries, keys)
        self.weights = scores.masked_fill(~mask_of(valid_lens, *scores.shape), -math.inf).softmax(1)
        return self.dropout(self.weights) @ values


@wrong("AttentionPooling", named="mask-after-softmax")
class MaskedLast(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        weights = self.score(queries, keys).softmax(-1)
        self.weights = weights * mask_of(valid_lens, *weights.shape)
        return self.dropout(self.weights) @ values


@wrong("AttentionPooling", named="another-score")
class AlwaysADotProduct(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(queries @ keys.mT / math.sqrt(queries.shape[-1]), valid_lens)
        return self.dropout(self.weights) @ values


@wrong("AttentionPooling", named="score-rescaled")
class ScaledOnceMore(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys) / queries.shape[-1] ** 0.5, valid_lens)
        return self.dropout(self.weights) @ values


@wrong("AttentionPooling", named="arguments-of-score-swapped")
class KeysFirst(AsInTheBook):
    """Right for symmetric scores and as many queries as keys that are the same."""

    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(keys, queries), valid_lens)
        return self.dropout(self.weights) @ values


@wrong("AttentionPooling", named="returns-a-pair")
class WeightsAsWell(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        return super().forward(queries, keys, values, valid_lens), self.weights


@wrong("AttentionPooling", named="no-weights-kept")
class KeptUnderAnotherName(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.attention_weights = softmaxed(self.score(queries, keys), valid_lens)
        return self.dropout(self.attention_weights) @ values


@wrong("AttentionPooling", named="unmasked-weights-kept")
class KeptTooEarly(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        scores = self.score(queries, keys)
        self.weights = scores.softmax(-1)
        return self.dropout(softmaxed(scores, valid_lens)) @ values


@wrong("AttentionPooling", named="first-weights-kept")
class KeptOnce(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        weights = softmaxed(self.score(queries, keys), valid_lens)
        if not hasattr(self, "weights"):
            self.weights = weights
        return self.dropout(weights) @ values


@wrong("AttentionPooling", named="score-not-learned")
class ScoreInAList(AsInTheBook):
    def __init__(self, score, dropout=0.0):
        super().__init__(None, dropout)
        self.scores = [score]
        self.score = lambda queries, keys: self.scores[0](queries, keys)


@wrong("AttentionPooling", named="detached-gradient")
class DetachedForThePicture(AsInTheBook):
    """The weights are detached before they are used, not after."""

    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys), valid_lens).detach()
        return self.dropout(self.weights) @ values


@wrong("AttentionPooling", named="writes-into-arguments")
class PaddingErased(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        pooled = super().forward(queries, keys, values, valid_lens)
        with torch.no_grad():
            values += 1
        return pooled


@wrong("AttentionPooling", named="forbidden-call")
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


@wrong("AttentionPooling", named="type-changed")
class BackToFloat32(AsInTheBook):
    def forward(self, *args):
        return super().forward(*args).float()


@wrong("AttentionPooling", named=None)
class RightForFloat32Only(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys).float(), valid_lens)
        return torch.bmm(self.dropout(self.weights), values)


@wrong("AttentionPooling", named=None)
class FillTooNear(AsInTheBook):
    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys), valid_lens, -5.0)
        return self.dropout(self.weights) @ values


@wrong("AttentionPooling", named=None)
class TheSameMaskEveryTime(AsInTheBook):
    """Draws its mask once, and keeps it."""

    def forward(self, queries, keys, values, valid_lens=None):
        self.weights = softmaxed(self.score(queries, keys), valid_lens)
        if not hasattr(self, "mask") or self.mask.shape != self.weights.shape:
            self.mask = self.dropout(torch.ones_like(self.weights))
        return (self.weights * (self.mask if self.training else 1)).to(values.dtype) @ values


@wrong("AttentionPooling", named=None)
class WrapsTheCopyOfAScore(AsInTheBook):
    """The score starts anew, with weights of its own, so that what was learned before is lost."""

    def __init__(self, score, dropout=0.0):
        score = copy.deepcopy(score)
        if isinstance(score, nn.Module):
            for parameter in score.parameters():
                nn.init.ones_(parameter)
        super().__init__(score, dropout)


# === kernel_regression: right =========================================================================================


@right("kernel_regression")
def by_broadcasting(x_query, x_train, y_train, bandwidth):
    scores = -((x_query[:, None] - x_train[None, :]) ** 2) / (2 * bandwidth**2)
    return torch.softmax(scores, dim=1) @ y_train


@right("kernel_regression")
def one_query_at_a_time(x_query, x_train, y_train, bandwidth):
    predictions = [(-0.5 * ((x - x_train) / bandwidth).square()).softmax(0).dot(y_train) for x in x_query]
    return torch.stack(predictions)


@right("kernel_regression")
def as_attention(x_query, x_train, y_train, bandwidth):
    queries, keys, values = (x_query.view(1, -1, 1), x_train.view(1, -1, 1), y_train.view(1, -1, 1))
    weights = (-(queries - keys.transpose(1, 2)).pow(2) / 2 / bandwidth / bandwidth).softmax(-1)
    return torch.bmm(weights, values).flatten()


@right("kernel_regression")
def exponentials_shifted_by_hand(x_query, x_train, y_train, bandwidth):
    scores = -((x_query.unsqueeze(1) - x_train) ** 2) / (2 * bandwidth**2)
    exps = torch.exp(scores - scores.max(dim=1, keepdim=True).values)
    return (exps * y_train).sum(1) / exps.sum(1)


@right("kernel_regression")
def without_the_querys_square(x_query, x_train, y_train, bandwidth):
    """The square of the query is the same for all points, and the softmax drops it."""
    scores = (torch.outer(x_query, x_train) - x_train**2 / 2) / bandwidth**2
    return torch.einsum("qn,n->q", scores.softmax(-1), y_train)


@right("kernel_regression")
def with_cdist(x_query, x_train, y_train, bandwidth):
    distances = torch.cdist(x_query[:, None], x_train[:, None])
    return F.softmax(-distances.square() / (2 * bandwidth**2), dim=-1).mv(y_train)


@right("kernel_regression")
def with_logsumexp(x_query, x_train, y_train, bandwidth):
    scores = -((x_train[None] - x_query[:, None]) ** 2) * (0.5 / bandwidth**2)
    return ((scores - scores.logsumexp(1, keepdim=True)).exp() * y_train).sum(1)


# === kernel_regression: wrong =========================================================================================


@wrong("kernel_regression", named="minus-missing")
def the_farthest_point_counts_most(x_query, x_train, y_train, bandwidth):
    return (((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2)).softmax(-1) @ y_train


@wrong("kernel_regression", named="minus-missing")
def minus_inside_the_square(x_query, x_train, y_train, bandwidth):
    return ((-(x_query[:, None] - x_train)).pow(2) / (2 * bandwidth**2)).softmax(-1) @ y_train


@wrong("kernel_regression", named="bandwidth-not-squared")
def right_for_a_bandwidth_of_one(x_query, x_train, y_train, bandwidth):
    return (-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth)).softmax(-1) @ y_train


@wrong("kernel_regression", named="softmax-over-queries")
def queries_share(x_query, x_train, y_train, bandwidth):
    return (-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2)).softmax(0) @ y_train


@wrong("kernel_regression", named="two-missing")
def without_the_two(x_query, x_train, y_train, bandwidth):
    return (-(((x_query[:, None] - x_train) / bandwidth) ** 2)).softmax(-1) @ y_train


@wrong("kernel_regression", named="two-squared")
def brackets_too_wide(x_query, x_train, y_train, bandwidth):
    return (-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth) ** 2).softmax(-1) @ y_train


@wrong("kernel_regression", named="multiplied-by-the-bandwidth")
def brackets_missing(x_query, x_train, y_train, bandwidth):
    return (-((x_query[:, None] - x_train) ** 2) / 2 * bandwidth**2).softmax(-1) @ y_train


@wrong("kernel_regression", named="distance-not-squared")
def absolute_distance(x_query, x_train, y_train, bandwidth):
    return (-(x_query[:, None] - x_train).abs() / (2 * bandwidth**2)).softmax(-1) @ y_train


@wrong("kernel_regression", named="underflow")
def the_textbooks_fraction(x_query, x_train, y_train, bandwidth):
    kernel = torch.exp(-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2))
    return (kernel @ y_train) / kernel.sum(1)


@wrong("kernel_regression", named="underflow")
def with_an_epsilon(x_query, x_train, y_train, bandwidth):
    kernel = torch.exp(-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2))
    return (kernel @ y_train) / (kernel.sum(1) + 1e-9)


@wrong("kernel_regression", named="weights-do-not-sum-to-1")
def not_divided(x_query, x_train, y_train, bandwidth):
    return torch.exp(-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2)) @ y_train


@wrong("kernel_regression", named="bandwidth-ignored")
def one_bandwidth(x_query, x_train, y_train, bandwidth):
    return by_broadcasting(x_query, x_train, y_train, 1.0)


@wrong("kernel_regression", named="nearest-only")
def the_nearest(x_query, x_train, y_train, bandwidth):
    return y_train[(x_query[:, None] - x_train).abs().argmin(1)]


@wrong("kernel_regression", named="pools-x-for-y")
def the_mean_of_x(x_query, x_train, y_train, bandwidth):
    return by_broadcasting(x_query, x_train, x_train, bandwidth)


@wrong("kernel_regression", named="axis-left-over")
def a_column(x_query, x_train, y_train, bandwidth):
    return by_broadcasting(x_query, x_train, y_train, bandwidth).unsqueeze(1)


@wrong("kernel_regression", named="pairs-in-step")
def right_for_as_many_queries_as_points_never(x_query, x_train, y_train, bandwidth):
    return (-((x_query - x_train) ** 2) / (2 * bandwidth**2)).softmax(0) @ y_train


@wrong("kernel_regression", named="weights-for-predictions")
def the_weights(x_query, x_train, y_train, bandwidth):
    return (-((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2)).softmax(-1)


@wrong("kernel_regression", named="detached-gradient")
def one_number_at_a_time(x_query, x_train, y_train, bandwidth):
    return torch.tensor([one_query_at_a_time(x[None], x_train, y_train, bandwidth).item() for x in x_query]).to(y_train)


@wrong("kernel_regression", named="detached-gradient")
def points_without_a_gradient(x_query, x_train, y_train, bandwidth):
    return by_broadcasting(x_query, x_train.detach(), y_train, bandwidth)


@wrong("kernel_regression", named="type-changed")
def in_single_precision(x_query, x_train, y_train, bandwidth):
    return by_broadcasting(x_query.float(), x_train.float(), y_train.float(), bandwidth)


@wrong("kernel_regression", named="writes-into-arguments")
def divides_the_caller(x_query, x_train, y_train, bandwidth):
    prediction = by_broadcasting(x_query, x_train, y_train, bandwidth)
    x_query.data.div_(bandwidth + 1)
    return prediction


@wrong("kernel_regression", named="forbidden-call")
def by_pytorchs_attention(x_query, x_train, y_train, bandwidth):
    queries = torch.stack([x_query, torch.ones_like(x_query)], 1)[None] / bandwidth**2
    keys = torch.stack([x_train, -(x_train**2) / 2], 1)[None]
    return F.scaled_dot_product_attention(queries, keys, y_train[None, :, None], scale=1.0)[0, :, 0]


@wrong("kernel_regression", named=None)
def sorted_points(x_query, x_train, y_train, bandwidth):
    """Right where the points come in the order of x."""
    return by_broadcasting(x_query, x_train.sort().values, y_train, bandwidth)


@wrong("kernel_regression", named=None)
def bandwidth_cut_to_a_whole_number(x_query, x_train, y_train, bandwidth):
    return by_broadcasting(x_query, x_train, y_train, max(1, int(bandwidth)))


@wrong("kernel_regression", named=None)
def itself_left_out(x_query, x_train, y_train, bandwidth):
    """Leaves out a point at the very place, as in cross-validation."""
    scores = -((x_query[:, None] - x_train) ** 2) / (2 * bandwidth**2)
    nearest = scores == scores.amax(1, keepdim=True)
    return scores.masked_fill(nearest & (scores.shape[1] > 1), -math.inf).softmax(-1) @ y_train
