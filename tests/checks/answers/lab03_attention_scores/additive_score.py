"""Answers to `AdditiveScore`, as students write them: right in many styles, wrong in many ways."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.checks.bank import Bank

BANK = Bank("AdditiveScore")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


class ThreeLayers(nn.Module):
    def __init__(self, query_dim, key_dim, hidden_dim):
        super().__init__()
        self.W_q = nn.Linear(query_dim, hidden_dim, bias=False)
        self.W_k = nn.Linear(key_dim, hidden_dim, bias=False)
        self.w_v = nn.Linear(hidden_dim, 1, bias=False)


@right
class ByBroadcasting(ThreeLayers):
    def forward(self, queries, keys):
        hidden = torch.tanh(self.W_q(queries).unsqueeze(2) + self.W_k(keys).unsqueeze(1))
        return self.w_v(hidden).squeeze(-1)


@right
class KeyByKey(ThreeLayers):
    def forward(self, queries, keys):
        q, k = self.W_q(queries), self.W_k(keys)
        columns = [self.w_v(torch.tanh(q + k[:, i : i + 1])) for i in range(keys.shape[1])]
        return torch.cat(columns, dim=2)


@right
class RepeatedQueries(ThreeLayers):
    def forward(self, queries, keys):
        batch, num_queries, num_keys = queries.size(0), queries.size(1), keys.size(1)
        q = self.W_q(queries).repeat_interleave(num_keys, dim=1)
        k = self.W_k(keys).repeat(1, num_queries, 1)
        return self.w_v((q + k).tanh()).view(batch, num_queries, num_keys)


@right
class OneMatrixForThePair(ThreeLayers):
    """[W_q W_k] times the query and the key put end to end: the "concat" form."""

    def forward(self, queries, keys):
        q = queries.unsqueeze(2).expand(-1, -1, keys.shape[1], -1)
        k = keys.unsqueeze(1).expand(-1, queries.shape[1], -1, -1)
        both = torch.cat([self.W_q.weight, self.W_k.weight], dim=1)
        return torch.tanh(torch.cat([q, k], dim=-1) @ both.T) @ self.w_v.weight[0]


@right
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


# === Wrong ============================================================================================================


@wrong(named="no-tanh")
class WithoutTanh(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(self.W_q(queries)) + self.w_v(self.W_k(keys)).transpose(1, 2)


@wrong(named="tanh-before-the-sum")
class TanhOfEach(ThreeLayers):
    def forward(self, queries, keys):
        q, k = torch.tanh(self.W_q(queries)), torch.tanh(self.W_k(keys))
        return self.w_v(q[:, :, None] + k[:, None]).squeeze(-1)


@wrong(named="tanh-of-the-score")
class TanhLast(ThreeLayers):
    def forward(self, queries, keys):
        return torch.tanh(self.w_v(self.W_q(queries)[:, :, None] + self.W_k(keys)[:, None]).squeeze(-1))


@wrong(named="W_q-and-W_k-swapped")
class SwappedMatrices(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(torch.tanh(self.W_k(queries)[:, :, None] + self.W_q(keys)[:, None])).squeeze(-1)


@wrong(named="W_q-and-W_k-swapped")
class SwappedSizes(ByBroadcasting):
    def __init__(self, query_dim, key_dim, hidden_dim):
        super().__init__(key_dim, query_dim, hidden_dim)


@wrong(named="bias")
class BiasEverywhere(ByBroadcasting):
    def __init__(self, query_dim, key_dim, hidden_dim):
        nn.Module.__init__(self)
        self.W_q, self.W_k = (nn.Linear(query_dim, hidden_dim), nn.Linear(key_dim, hidden_dim))
        self.w_v = nn.Linear(hidden_dim, 1)


@wrong(named="bias")
class BiasOfTheKeys(ByBroadcasting):
    def __init__(self, query_dim, key_dim, hidden_dim):
        super().__init__(query_dim, key_dim, hidden_dim)
        self.W_k = nn.Linear(key_dim, hidden_dim)


@wrong(named="mixes-pairs")
class BothRepeatedAlike(ThreeLayers):
    """Right for a single query or a single key."""

    def forward(self, queries, keys):
        num_queries, num_keys = queries.shape[1], keys.shape[1]
        pairs = self.W_q(queries).repeat(1, num_keys, 1) + self.W_k(keys).repeat(1, num_queries, 1)
        return self.w_v(torch.tanh(pairs)).view(-1, num_queries, num_keys)


@wrong(named="mixes-pairs")
class KeyMajorPairs(ThreeLayers):
    """All the pairs are there; right wherever the table is symmetric."""

    def forward(self, queries, keys):
        table = torch.tanh(self.W_k(keys).unsqueeze(2) + self.W_q(queries).unsqueeze(1))  # (batch, key, query, hidden)
        return self.w_v(table).reshape(len(queries), queries.shape[1], keys.shape[1])


@wrong(named="pairs-in-step")
class RightForOneQuery(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(torch.tanh(self.W_q(queries) + self.W_k(keys))).squeeze(-1)


@wrong(named="softmax-inside")
class SoftmaxedAlready(ByBroadcasting):
    def forward(self, queries, keys):
        return torch.softmax(super().forward(queries, keys), dim=-1)


@wrong(named="other-activation")
class Sigmoids(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(torch.sigmoid(self.W_q(queries)[:, :, None] + self.W_k(keys)[:, None])).squeeze(-1)


@wrong(named="axis-left-over")
class FourAxes(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(torch.tanh(self.W_q(queries)[:, :, None] + self.W_k(keys)[:, None]))


@wrong(named="axis-lost")
class RightForALargerBatch(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(torch.tanh(self.W_q(queries)[:, :, None] + self.W_k(keys)[:, None])).squeeze()


@wrong(named="queries-and-keys-swapped")
class KeysInRows(ByBroadcasting):
    def forward(self, queries, keys):
        return super().forward(queries, keys).transpose(1, 2)


@wrong(named="one-matrix-for-both")
class OnlyWq(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(torch.tanh(self.W_q(queries)[:, :, None] + self.W_q(keys)[:, None])).squeeze(-1)


@wrong(named="w_v-left-out")
class SumOfTheUnits(ThreeLayers):
    def forward(self, queries, keys):
        return torch.tanh(self.W_q(queries)[:, :, None] + self.W_k(keys)[:, None]).sum(-1)


@wrong(named="other-parameters")
class OneLayerForThePair(nn.Module):
    def __init__(self, query_dim, key_dim, hidden_dim):
        super().__init__()
        self.W = nn.Linear(query_dim + key_dim, hidden_dim, bias=False)
        self.w_v = nn.Linear(hidden_dim, 1, bias=False)

    def forward(self, queries, keys):
        q = queries[:, :, None].expand(-1, -1, keys.shape[1], -1)
        k = keys[:, None].expand(-1, queries.shape[1], -1, -1)
        return self.w_v(torch.tanh(self.W(torch.cat([q, k], -1)))).squeeze(-1)


@wrong(named="detached-gradient")
class NoGradient(ByBroadcasting):
    @torch.no_grad()
    def forward(self, queries, keys):
        return super().forward(queries, keys)


@wrong(named="nothing-learned")
class KeysMatrixFrozen(ByBroadcasting):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.W_k.requires_grad_(False)


@wrong(named="writes-into-arguments")
class AddsInPlace(ThreeLayers):
    """Right, until its argument is needed again."""

    def forward(self, queries, keys):
        scores = ByBroadcasting.forward(self, queries, keys)
        with torch.no_grad():
            queries.zero_()
        return scores


@wrong(named="scores-scaled")
class ScaledByTheHiddenUnits(ByBroadcasting):
    def forward(self, queries, keys):
        return super().forward(queries, keys) / self.w_v.in_features**0.5


@wrong(named="answers-from-memory")
class RemembersItsKeys(ThreeLayers):
    """Maps the keys once and for all: right for as long as nothing but the queries changes … and not even then here."""

    def forward(self, queries, keys):
        if not hasattr(self, "mapped"):
            self.mapped = self.W_q(queries), self.W_k(keys)
        q, k = self.mapped
        return self.w_v(torch.tanh(q[:, :, None] + k[:, None])).squeeze(-1)


@wrong(named="difference-for-sum")
class MinusForPlus(ThreeLayers):
    def forward(self, queries, keys):
        return self.w_v(torch.tanh(self.W_q(queries)[:, :, None] - self.W_k(keys)[:, None])).squeeze(-1)


@wrong(named="difference-for-sum")
class HowFarApart(ThreeLayers):
    def forward(self, queries, keys):
        differences = self.W_k(keys).unsqueeze(1) - self.W_q(queries).unsqueeze(2)
        return self.w_v(differences.tanh())[..., 0]


@wrong(named=None)
class DropsUnitsInTraining(ByBroadcasting):
    """Right in evaluation mode."""

    def forward(self, queries, keys):
        q, k = F.dropout(self.W_q(queries), 0.5, self.training), self.W_k(keys)
        return self.w_v(torch.tanh(q[:, :, None] + k[:, None])).squeeze(-1)
