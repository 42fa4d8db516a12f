"""Answers to `MultiHeadAttention`, as students write them: right in many styles, wrong in many ways."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from tests.checks.bank import Bank

BANK = Bank("MultiHeadAttention")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


class FourLayers(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        self.h = num_heads
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(embed_dim, embed_dim) for _ in range(4))
        self.dropout = nn.Dropout(dropout)

    def cut(self, x):
        return x.view(*x.shape[:2], self.h, -1).transpose(1, 2)

    def join(self, x):
        return x.transpose(1, 2).flatten(2)

    def keep(self, mask):
        return mask[:, None] if mask.dim() == 3 else mask

    def scores(self, query, key):
        q, k = self.cut(self.W_q(query)), self.cut(self.W_k(key))
        return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])

    def weigh(self, query, key, mask):
        scores = self.scores(query, key)
        return torch.softmax(scores if mask is None else scores.masked_fill(~self.keep(mask), -math.inf), dim=-1)

    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        return self.W_o(self.join(self.dropout(weights) @ self.cut(self.W_v(value)))), weights


@right
class AsInTheBook(FourLayers):
    """F.scaled_dot_product_attention isn't used."""


@right
class HeadByHead(FourLayers):
    def forward(self, query, key, value, mask=None):
        outputs, every = [], []
        pieces = (layer(x).chunk(self.h, -1) for layer, x in ((self.W_q, query), (self.W_k, key), (self.W_v, value)))
        for h, (q, k, v) in enumerate(zip(*pieces, strict=True)):
            scores = torch.bmm(q, k.transpose(1, 2)) * q.size(-1) ** -0.5
            if mask is not None:
                mine = mask if mask.dim() < 4 else mask[:, h if mask.shape[1] > 1 else 0]
                scores = torch.where(mine, scores, -torch.inf)
            weights = scores.softmax(-1)
            every.append(weights)
            outputs.append(torch.bmm(self.dropout(weights), v))
        return self.W_o(torch.cat(outputs, -1)), torch.stack(every, 1)


@right
class ByEinsum(FourLayers):
    def forward(self, query, key, value, mask=None):
        width = query.shape[-1] // self.h
        q, k, v = (
            torch.einsum("bld,hwd->bhlw", x, layer.weight.view(self.h, width, -1)) + layer.bias.view(self.h, 1, width)
            for layer, x in ((self.W_q, query), (self.W_k, key), (self.W_v, value))
        )
        scores = torch.einsum("bhqw,bhkw->bhqk", q / width**0.5, k)
        if mask is not None:
            scores = scores + torch.zeros_like(scores).masked_fill(~self.keep(mask), -torch.inf)
        weights = F.softmax(scores, -1)
        used = F.dropout(weights, self.dropout.p, self.training)
        W_o = self.W_o.weight.view(-1, self.h, width)
        return torch.einsum("bhqk,bhkw,dhw->bqd", used, v, W_o) + self.W_o.bias, weights


@right
class HeadsInTheBatch(FourLayers):
    def forward(self, query, key, value, mask=None):
        (batch, queries, dim), keys = query.shape, key.shape[1]
        q, k, v = (
            self.cut(layer(x)).reshape(batch * self.h, -1, dim // self.h)
            for layer, x in ((self.W_q, query), (self.W_k, key), (self.W_v, value))
        )
        scores = torch.bmm(q, k.mT) / math.sqrt(dim // self.h)
        if mask is not None:
            full = self.keep(mask).expand(batch, self.h, queries, keys).reshape(batch * self.h, queries, keys)
            scores = scores.masked_fill(full.logical_not(), float("-inf"))
        weights = scores.softmax(2)
        output = torch.bmm(self.dropout(weights), v).view(batch, self.h, queries, -1)
        return self.W_o(output.permute(0, 2, 1, 3).reshape(batch, queries, dim)), weights.view(
            batch, self.h, queries, keys
        )


@right
class DropoutByHand(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        self.heads, self.width, self.p = num_heads, embed_dim // num_heads, dropout
        for name in ("W_o", "W_v", "W_k", "W_q"):
            layer = nn.Module()
            layer.weight = nn.Parameter(torch.randn(embed_dim, embed_dim) / embed_dim**0.5)
            layer.bias = nn.Parameter(torch.zeros(embed_dim))
            setattr(self, name, layer)

    def project(self, name, x):
        layer = getattr(self, name)
        return F.linear(x, layer.weight, layer.bias)

    def forward(self, query, key, value, mask=None):
        q, k, v = (
            self.project(name, x).unflatten(2, (self.heads, self.width)).movedim(2, 1)
            for name, x in (("W_q", query), ("W_k", key), ("W_v", value))
        )
        scores = q @ k.mT / self.width**0.5
        if mask is not None:
            while mask.dim() < 4:
                mask = mask.unsqueeze(0) if mask.dim() == 2 else mask.unsqueeze(1)
            scores = scores.masked_fill(mask == 0, -1e9)
        exps = torch.exp(scores - scores.amax(-1, keepdim=True))
        weights = exps / exps.sum(-1, keepdim=True)
        used = weights
        if self.training and self.p > 0:
            used = weights * (torch.rand_like(weights) >= self.p) / (1 - self.p)
        return self.project("W_o", (used @ v).movedim(1, 2).flatten(-2)), weights


# === Wrong ============================================================================================================


@wrong(named="scaled-by-embed-dim")
class RootOfEverything(FourLayers):
    def scores(self, query, key):
        return self.cut(self.W_q(query)) @ self.cut(self.W_k(key)).mT / math.sqrt(query.shape[-1])


@wrong(named="scaled-by-the-heads")
class RootOfTheHeads(FourLayers):
    def scores(self, query, key):
        return self.cut(self.W_q(query)) @ self.cut(self.W_k(key)).mT / math.sqrt(self.h)


@wrong(named="never-scales")
class Unscaled(FourLayers):
    def scores(self, query, key):
        return self.cut(self.W_q(query)) @ self.cut(self.W_k(key)).mT


@wrong(named="heads-mixed")
class ViewedIntoHeads(FourLayers):
    def cut(self, x):
        return x.view(x.shape[0], self.h, x.shape[1], -1)


@wrong(named="heads-mixed")
class ViewedBack(FourLayers):
    def join(self, x):
        return x.reshape(x.shape[0], x.shape[2], -1)


@wrong(named="columns-dealt-out")
class DealtOut(FourLayers):
    def cut(self, x):
        return x.unflatten(2, (-1, self.h)).permute(0, 3, 1, 2)

    def join(self, x):
        return x.permute(0, 2, 3, 1).flatten(2)


@wrong(named="no-output-projection")
class WithoutWo(FourLayers):
    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        return self.join(self.dropout(weights) @ self.cut(self.W_v(value))), weights


@wrong(named="W_o-head-by-head")
class ItsBiasOncePerHead(FourLayers):
    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        heads = (self.dropout(weights) @ self.cut(self.W_v(value))).unbind(1)
        columns = self.W_o.weight.chunk(self.h, dim=1)
        return sum(F.linear(x, W, self.W_o.bias) for x, W in zip(heads, columns, strict=True)), weights


@wrong(named="inverted-mask")
class MasksWhatIsTrue(FourLayers):
    def keep(self, mask):
        return ~super().keep(mask)


@wrong(named="mask-ignored")
class NoMask(FourLayers):
    def weigh(self, query, key, mask):
        return self.scores(query, key).softmax(-1)


@wrong(named="mask-added")
class MaskAsNumbers(FourLayers):
    def weigh(self, query, key, mask):
        scores = self.scores(query, key)
        return (scores if mask is None else scores + self.keep(mask).float()).softmax(-1)


@wrong(named="mask-after-softmax")
class MaskedTooLate(FourLayers):
    def weigh(self, query, key, mask):
        weights = self.scores(query, key).softmax(-1)
        return weights if mask is None else weights.masked_fill(~self.keep(mask), 0)


@wrong(named="mask-after-softmax")
class MaskedTooLateAndDivided(FourLayers):
    def weigh(self, query, key, mask):
        weights = self.scores(query, key).softmax(-1)
        if mask is not None:
            weights = weights * self.keep(mask)
        return weights / weights.sum(-1, keepdim=True)


@wrong(named="masks-with-zero")
class ZeroScores(FourLayers):
    def weigh(self, query, key, mask):
        scores = self.scores(query, key)
        return (scores if mask is None else scores * self.keep(mask)).softmax(-1)


@wrong(named="sequences-taken-for-heads")
class RightForOneSequenceOnly(FourLayers):
    def keep(self, mask):
        return mask


@wrong(named="one-mask-for-all")
class TheFirstMask(FourLayers):
    def keep(self, mask):
        return mask[0] if mask.dim() == 3 else mask


@wrong(named="weights-averaged")
class Averaged(FourLayers):
    def forward(self, query, key, value, mask=None):
        output, weights = super().forward(query, key, value, mask)
        return output, weights.mean(dim=1)


@wrong(named="softmax-over-wrong-axis")
class SoftmaxOverHeads(FourLayers):
    def weigh(self, query, key, mask):
        scores = self.scores(query, key)
        return (scores if mask is None else scores.masked_fill(~self.keep(mask), -1e9)).softmax(1)


@wrong(named="softmax-over-wrong-axis")
class SoftmaxOverQueries(FourLayers):
    def weigh(self, query, key, mask):
        scores = self.scores(query, key)
        return (scores if mask is None else scores.masked_fill(~self.keep(mask), -math.inf)).softmax(-2)


@wrong(named="key-and-value-swapped")
class ValuesFirst(FourLayers):
    def forward(self, query, value, key, mask=None):
        return super().forward(query, key, value, mask)


@wrong(named="self-attention-only")
class EverythingFromTheQuery(FourLayers):
    def forward(self, query, key, value, mask=None):
        return super().forward(query, query, query, mask)


@wrong(named="self-attention-only")
class ValuesFromTheKey(FourLayers):
    def forward(self, query, key, value, mask=None):
        return super().forward(query, key, key, mask)


@wrong(named=None)
class RightForAsManyKeysAsQueries(FourLayers):
    """The keys are cut, or repeated, to the number of queries."""

    def forward(self, query, key, value, mask=None):
        output, weights = super().forward(query, key, value, mask)
        return output, weights.expand(*weights.shape[:3], -1)[..., : query.shape[1]]


@wrong(named="projection-left-out")
class RawValues(FourLayers):
    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        return self.W_o(self.join(self.dropout(weights) @ self.cut(value))), weights


@wrong(named="weights-after-dropout")
class DroppedWeightsReturned(FourLayers):
    def weigh(self, query, key, mask):
        return F.dropout(super().weigh(query, key, mask), self.dropout.p, self.training)

    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        return self.W_o(self.join(weights @ self.cut(self.W_v(value)))), weights


@wrong(named="dropout-on-the-output")
class OutputDropped(FourLayers):
    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        return self.dropout(self.W_o(self.join(weights @ self.cut(self.W_v(value))))), weights


@wrong(named="dropout-never")
class DropoutForgotten(FourLayers):
    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        return self.W_o(self.join(weights @ self.cut(self.W_v(value)))), weights


@wrong(named="dropout-in-evaluation")
class DropoutMadeInForward(FourLayers):
    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        used = nn.Dropout(self.dropout.p)(weights)
        return self.W_o(self.join(used @ self.cut(self.W_v(value)))), weights


@wrong(named="dropped-together")
class OneDrawForAllHeads(FourLayers):
    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        used = weights * self.dropout(torch.ones_like(weights[:, :1]))
        return self.W_o(self.join(used @ self.cut(self.W_v(value)))), weights


@wrong(named="other-parameters")
class WithoutBiases(FourLayers):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__(embed_dim, num_heads, dropout)
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(embed_dim, embed_dim, bias=False) for _ in range(4))


@wrong(named="other-parameters")
class OneLayerForThree(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        self.W_qkv, self.W_o = nn.Linear(embed_dim, 3 * embed_dim), nn.Linear(embed_dim, embed_dim)

    def forward(self, query, key, value, mask=None):
        return self.W_o(query), query


@wrong(named="other-parameters")
class HeadsInAList(FourLayers):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__(embed_dim, num_heads, dropout)
        self.W_q = nn.ModuleList(nn.Linear(embed_dim, embed_dim // num_heads) for _ in range(num_heads))


@wrong(named="detached-gradient")
class WeightsForLookingOnly(FourLayers):
    def forward(self, query, key, value, mask=None):
        output, weights = super().forward(query, key, value, mask)
        return output, weights.detach()


@wrong(named="detached-gradient")
class KeysWithoutAGradient(FourLayers):
    def forward(self, query, key, value, mask=None):
        return super().forward(query, key.detach(), value, mask)


@wrong(named="writes-into-arguments")
class TurnsTheCallersMask(FourLayers):
    def forward(self, query, key, value, mask=None):
        result = super().forward(query, key, value, mask)
        if mask is not None:
            mask.logical_not_()
        return result


@wrong(named="answers-from-memory")
class KeysCachedForever(FourLayers):
    """As in fast decoding, except that nobody empties the cache."""

    def forward(self, query, key, value, mask=None):
        if not hasattr(self, "known"):
            self.known = super().forward(query, key, value, mask)
        return self.known


@wrong(named="not-a-pair")
class OutputAlone(FourLayers):
    def forward(self, query, key, value, mask=None):
        return super().forward(query, key, value, mask)[0]


@wrong(named="forbidden-call")
class ByPyTorchsFunction(FourLayers):
    def forward(self, query, key, value, mask=None):
        q, k, v = self.cut(self.W_q(query)), self.cut(self.W_k(key)), self.cut(self.W_v(value))
        keep = None if mask is None else self.keep(mask)
        weights = self.weigh(query, key, mask)
        p = self.dropout.p if self.training else 0.0
        return self.W_o(self.join(F.scaled_dot_product_attention(q, k, v, keep, p))), weights


@wrong(named="fill-not-low-enough")
class AFiniteFillThatIsTooSmall(FourLayers):
    def weigh(self, query, key, mask):
        scores = self.scores(query, key)
        return (scores if mask is None else scores.masked_fill(~self.keep(mask), -4.0)).softmax(-1)


@wrong(named="fill-not-low-enough")
class MinusTwoForWhatIsHidden(FourLayers):
    def weigh(self, query, key, mask):
        scores = self.scores(query, key)
        if mask is not None:
            scores = torch.where(self.keep(mask), scores, torch.full_like(scores, -2.0))
        return torch.softmax(scores, dim=-1)


@wrong(named=None)
class NotAllHeadsAreMasked(FourLayers):
    """Right for one head."""

    def keep(self, mask):
        mask = super().keep(mask)
        if mask.dim() == 2:
            mask = mask[None, None]
        return torch.cat([mask[:, :1], torch.ones_like(mask[:, :1]).expand(-1, self.h - 1, -1, -1)], dim=1)


@right
class LazyLayers(FourLayers):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__(embed_dim, num_heads, dropout)
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.LazyLinear(embed_dim) for _ in range(4))

    def forward(self, query, key, value, mask=None):
        q, k, v = self.cut(self.W_q(query)), self.cut(self.W_k(key)), self.cut(self.W_v(value))
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~(mask.unsqueeze(-3) if mask.dim() < 4 else mask), -math.inf)
        weights = scores.softmax(-1)
        return self.W_o(self.join(self.dropout(weights) @ v)), weights


@wrong(named="heads-mixed")
class HeadsFoldedInAndViewedOut(FourLayers):
    """The heads go in front of the batch, and a view is to bring them back beside one another."""

    def fold(self, x):
        return torch.cat(x.split(x.shape[-1] // self.h, dim=-1), dim=0)

    def forward(self, query, key, value, mask=None):
        batch, steps = query.shape[:2]
        q, k, v = self.fold(self.W_q(query)), self.fold(self.W_k(key)), self.fold(self.W_v(value))
        scores = (q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])).unflatten(0, (self.h, batch)).transpose(0, 1)
        if mask is not None:
            scores = scores.masked_fill(~(mask.unsqueeze(-3) if mask.dim() < 4 else mask), -math.inf)
        weights = scores.softmax(-1)
        heads = self.dropout(weights).transpose(0, 1).flatten(0, 1) @ v
        return self.W_o(heads.reshape(batch, steps, -1)), weights
