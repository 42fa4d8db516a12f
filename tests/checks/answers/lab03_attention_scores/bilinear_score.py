"""Answers to `BilinearScore`, as students write them: right in many styles, wrong in many ways."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from tests.checks.bank import Bank

BANK = Bank("BilinearScore")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
class ByLinearAndBmm(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.W = nn.Linear(key_dim, query_dim, bias=False)

    def forward(self, queries, keys):
        return torch.bmm(queries, self.W(keys).transpose(1, 2))


@right
class ByEinsum(ByLinearAndBmm):
    """The sum over both widths, written down. F.scaled_dot_product_attention isn't used."""

    def forward(self, queries, keys):
        return torch.einsum("bqi,ij,bkj->bqk", queries, self.W.weight, keys)


@right
class QueriesFirst(ByLinearAndBmm):
    def forward(self, queries, keys):
        return (queries @ self.W.weight).matmul(keys.mT)


@right
class PairByPair(ByLinearAndBmm):
    def forward(self, queries, keys):
        rows = []
        for b in range(len(queries)):
            for query in queries[b]:
                rows.append(torch.stack([query.dot(self.W(key)) for key in keys[b]]))
        return torch.stack(rows).view(queries.shape[0], queries.shape[1], -1)


@right
class AMatrixInADictionary(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.W = nn.ParameterDict({"weight": nn.Parameter(torch.randn(query_dim, key_dim) / math.sqrt(key_dim))})

    def forward(self, queries, keys):
        mapped = F.linear(keys, self.W["weight"])
        return (queries.unsqueeze(2) * mapped.unsqueeze(1)).sum(dim=-1)


@right
class ByBilinearOfPyTorch(ByLinearAndBmm):
    def forward(self, queries, keys):
        q = queries.unsqueeze(2).expand(-1, -1, keys.shape[1], -1).contiguous()
        k = keys.unsqueeze(1).expand(-1, queries.shape[1], -1, -1).contiguous()
        return F.bilinear(q, k, self.W.weight.unsqueeze(0)).squeeze(-1)


# === Wrong ============================================================================================================


@wrong(named="bias")
class ABias(ByLinearAndBmm):
    def __init__(self, query_dim, key_dim):
        super().__init__(query_dim, key_dim)
        self.W = nn.Linear(key_dim, query_dim)


@wrong(named="W-on-the-wrong-side")
class MapsTheQueries(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.W = nn.Linear(query_dim, key_dim, bias=False)

    def forward(self, queries, keys):
        return torch.bmm(self.W(queries), keys.transpose(1, 2))


@wrong(named="W-on-the-wrong-side")
class RightForEqualWidthsButForTheSide(ByLinearAndBmm):
    def forward(self, queries, keys):
        return torch.einsum("bqi,ji,bkj->bqk", queries, self.W.weight, keys)


@wrong(named="nothing-learned")
class APlainTensor(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.W = torch.randn(query_dim, key_dim)

    def forward(self, queries, keys):
        return queries @ self.W @ keys.mT


@wrong(named="nothing-learned")
class FreshWeightsEveryTime(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.sizes = key_dim, query_dim

    def forward(self, queries, keys):
        return queries @ nn.Linear(*self.sizes, bias=False)(keys).mT


@wrong(named="nothing-learned")
class AWeightThatNobodyLearns(ByLinearAndBmm):
    def forward(self, queries, keys):
        with torch.no_grad():
            matrix = self.W.weight.clone()
        return queries @ (keys @ matrix.T).mT


@wrong(named="other-parameters")
class AParameterWithoutALayer(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.W = nn.Parameter(torch.randn(query_dim, key_dim))

    def forward(self, queries, keys):
        return queries @ self.W @ keys.mT


@wrong(named="other-parameters")
class ATemperatureOfItsOwn(ByLinearAndBmm):
    def __init__(self, query_dim, key_dim):
        super().__init__(query_dim, key_dim)
        self.temperature = nn.Parameter(torch.ones(()))

    def forward(self, queries, keys):
        return super().forward(queries, keys) / self.temperature


@wrong(named="other-parameters")
class AnotherName(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.projection = nn.Linear(key_dim, query_dim, bias=False)

    def forward(self, queries, keys):
        return torch.bmm(queries, self.projection(keys).transpose(1, 2))


@wrong(named="W-on-both-sides")
class BothMapped(ByLinearAndBmm):
    def forward(self, queries, keys):
        return self.W(queries) @ self.W(keys).mT


@wrong(named="scores-scaled")
class ScaledAsWell(ByLinearAndBmm):
    def forward(self, queries, keys):
        return super().forward(queries, keys) / math.sqrt(queries.shape[-1])


@wrong(named="softmax-inside")
class WeightsAlready(ByLinearAndBmm):
    def forward(self, queries, keys):
        return F.softmax(super().forward(queries, keys), dim=-1)


@wrong(named="queries-and-keys-swapped")
class RowsOfKeys(ByLinearAndBmm):
    def forward(self, queries, keys):
        return torch.bmm(self.W(keys), queries.transpose(1, 2))


@wrong(named="reshape-for-transpose")
class ViewedForTransposed(ByLinearAndBmm):
    def forward(self, queries, keys):
        mapped = self.W(keys)
        return torch.bmm(queries, mapped.view(mapped.shape[0], mapped.shape[2], mapped.shape[1]))


@wrong(named="pairs-in-step")
class RightForASingleQueryAndKey(ByLinearAndBmm):
    def forward(self, queries, keys):
        return (queries * self.W(keys)).sum(-1, keepdim=True)


@wrong(named="axis-lost")
class Squeezed(ByLinearAndBmm):
    def forward(self, queries, keys):
        return super().forward(queries, keys).squeeze()


@wrong(named="activation-added")
class TanhOfTheKeys(ByLinearAndBmm):
    def forward(self, queries, keys):
        return queries @ torch.tanh(self.W(keys)).mT


@wrong(named="one-sequence-for-all")
class RightForOneSequence(ByLinearAndBmm):
    def forward(self, queries, keys):
        return (queries[0] @ self.W(keys[0]).T).expand(len(queries), -1, -1)


@wrong(named="writes-into-arguments")
class KeysMappedInPlace(ByLinearAndBmm):
    def forward(self, queries, keys):
        scores = super().forward(queries, keys)
        keys.data += 1
        return scores


@wrong(named="detached-gradient")
class KeysFromAnotherGraph(ByLinearAndBmm):
    def forward(self, queries, keys):
        return super().forward(queries, keys.detach())


@wrong(named="answers-from-memory")
class RemembersByShape(ByLinearAndBmm):
    def forward(self, queries, keys):
        self.known = getattr(self, "known", {})
        shape = queries.shape, keys.shape
        if shape not in self.known:
            self.known[shape] = super().forward(queries, keys)
        return self.known[shape]


@wrong(named="nothing-returned")
class KeepsItToItself(ByLinearAndBmm):
    def forward(self, queries, keys):
        self.scores = super().forward(queries, keys)


@wrong(named=None)
class TheDiagonalOnly(ByLinearAndBmm):
    def forward(self, queries, keys):
        diagonal = self.W.weight.diagonal()
        n = len(diagonal)
        return (queries[..., :n] * diagonal) @ keys[..., :n].mT


@wrong(named="one-sequence-for-all")
class TheKeysOfAllSequences(ByLinearAndBmm):
    """Right for one sequence."""

    def forward(self, queries, keys):
        return queries @ self.W(keys).mean(0).T


@wrong(named="one-sequence-for-all")
class TheFirstKeysForAll(ByLinearAndBmm):
    def forward(self, queries, keys):
        return torch.einsum("bqd,kd->bqk", queries, self.W(keys[0]))


@wrong(named="no-module")
def no_class_at_all(query_dim, key_dim):
    W = nn.Linear(key_dim, query_dim, bias=False)
    return lambda queries, keys: queries @ W(keys).mT


@right
class WithALazyLayer(nn.Module):
    """The width of the keys comes with the first of them."""

    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.W = nn.LazyLinear(query_dim, bias=False)

    def forward(self, queries, keys):
        return queries @ self.W(keys).transpose(1, 2)


@wrong(named="other-parameters")
class LazyWithABias(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.M = nn.LazyLinear(query_dim, bias=False)

    def forward(self, queries, keys):
        return queries @ self.M(keys).transpose(1, 2)


@wrong(named="small-sizes-only")
class UpToSixtyFourQueries(ByLinearAndBmm):
    def forward(self, queries, keys):
        scores = queries.new_zeros(queries.shape[0], queries.shape[1], keys.shape[1])
        scores[:, :64] = super().forward(queries[:, :64], keys)
        return scores
