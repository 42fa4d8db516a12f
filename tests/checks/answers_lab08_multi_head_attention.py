"""Answers to lab 8, as students write them: right in many styles, wrong in many ways."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from helpers.attention import MultiHeadAttention
from tests.checks.bank import Bank

BANK = Bank()
right, wrong = BANK.right, BANK.wrong


def shared_evenly(x, num_heads):
    if x.shape[-1] % num_heads != 0:
        raise ValueError(f"num_heads={num_heads} does not divide {x.shape[-1]}")
    return x.shape[-1] // num_heads


# === split_heads: right ===============================================================================================


@right("split_heads")
def viewed_and_transposed(x, num_heads):
    width = shared_evenly(x, num_heads)
    return x.view(x.size(0), x.size(1), num_heads, width).transpose(1, 2)


@right("split_heads")
def chunks_stacked(x, num_heads):
    shared_evenly(x, num_heads)
    return torch.stack(x.chunk(num_heads, dim=-1), dim=1)


@right("split_heads")
def unflattened(x, num_heads):
    dim = x.shape[2]
    if dim // num_heads * num_heads != dim:
        raise ValueError("the width of x is not a multiple of num_heads")
    return x.unflatten(2, (num_heads, -1)).permute(0, 2, 1, 3).contiguous()


@right("split_heads")
def columns_copied(x, num_heads):
    width = shared_evenly(x, num_heads)
    heads = x.new_empty(x.shape[0], num_heads, x.shape[1], width)
    for h in range(num_heads):
        heads[:, h] = x[..., h * width : (h + 1) * width]
    return heads


@right("split_heads")
def transposed_first(x, num_heads):
    width = shared_evenly(x, num_heads)
    return x.mT.reshape(len(x), num_heads, width, x.shape[1]).mT


# === split_heads: wrong ===============================================================================================


@wrong("split_heads", named="view-without-transpose")
def viewed_only(x, num_heads):
    width = shared_evenly(x, num_heads)
    return x.contiguous().view(x.shape[0], num_heads, x.shape[1], width)


@wrong("split_heads", named="heads-not-moved")
def axes_left_as_cut(x, num_heads):
    shared_evenly(x, num_heads)
    return x.unflatten(-1, (num_heads, -1))


@wrong("split_heads", named="wrong-axes-swapped")
def one_axis_too_far(x, num_heads):
    shared_evenly(x, num_heads)
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 3)


@wrong("split_heads", named="columns-dealt-out")
def every_second_column(x, num_heads):
    shared_evenly(x, num_heads)
    return torch.stack([x[..., h::num_heads] for h in range(num_heads)], dim=1)


@wrong("split_heads", named="heads-taken-for-width")
def width_and_number_confused(x, num_heads):
    shared_evenly(x, num_heads)
    return torch.stack(x.split(num_heads, dim=-1), dim=1)


@wrong("split_heads", named="heads-in-the-batch")
def folded_into_the_batch(x, num_heads):
    return viewed_and_transposed(x, num_heads).reshape(-1, x.shape[1], x.shape[2] // num_heads)


@wrong("split_heads", named="no-tensor")
def in_a_tuple(x, num_heads):
    shared_evenly(x, num_heads)
    return x.chunk(num_heads, dim=2)


@wrong("split_heads", named="uneven-heads")
def whatever_pytorch_says(x, num_heads):
    return x.view(*x.shape[:2], num_heads, x.shape[2] // num_heads).transpose(1, 2)


@wrong("split_heads", named="uneven-heads")
def drops_the_last_columns(x, num_heads):
    width = x.shape[-1] // num_heads
    return x[..., : width * num_heads].reshape(*x.shape[:2], num_heads, width).transpose(1, 2)


@wrong("split_heads", named="uneven-heads")
def asserts(x, num_heads):
    assert x.shape[-1] % num_heads == 0, "num_heads must divide d"
    return viewed_and_transposed(x, num_heads)


@wrong("split_heads", named="uneven-heads")
def says_only_no(x, num_heads):
    if x.shape[-1] % num_heads:
        raise ValueError("this doesn't work")
    return viewed_and_transposed(x, num_heads)


@wrong("split_heads", named="detached-gradient")
def through_a_list(x, num_heads):
    return torch.tensor(viewed_and_transposed(x, num_heads).tolist(), dtype=x.dtype)


@wrong("split_heads", named="type-changed")
def into_an_empty_float32(x, num_heads):
    heads = torch.empty(x.shape[0], num_heads, x.shape[1], shared_evenly(x, num_heads))
    for h, columns in enumerate(x.chunk(num_heads, dim=-1)):
        heads[:, h] = columns
    return heads


@wrong("split_heads", named="one-sequence-for-all")
def right_for_one_sequence(x, num_heads):
    return viewed_and_transposed(x, num_heads)[:1].repeat(len(x), 1, 1, 1)


@wrong("split_heads", named="nothing-returned")
def keeps_the_heads(x, num_heads):
    viewed_and_transposed(x, num_heads)


@wrong("split_heads", named=None)
def heads_turned_with_the_batch(x, num_heads):
    """Right where there is one sequence."""
    heads = chunks_stacked(x, num_heads)
    return heads.roll(1, dims=0)


# === merge_heads: right ===============================================================================================


@right("merge_heads")
def transposed_and_flattened(x):
    return x.transpose(1, 2).flatten(2)


@right("merge_heads")
def contiguous_view(x):
    batch, heads, length, width = x.shape
    return x.transpose(1, 2).contiguous().view(batch, length, heads * width)


@right("merge_heads")
def concatenated(x):
    return torch.cat(x.unbind(1), dim=-1)


@right("merge_heads")
def permuted(x):
    return x.permute(0, 2, 1, 3).reshape(x.size(0), x.size(2), -1)


@right("merge_heads")
def by_einsum_and_places(x):
    heads, width = x.shape[1], x.shape[3]
    places = torch.eye(heads * width, dtype=x.dtype).view(heads, width, -1)
    return torch.einsum("bhlw,hwd->bld", x, places)


# === merge_heads: wrong ===============================================================================================


@wrong("merge_heads", named="reshape-without-transpose")
def reshaped_only(x):
    batch, heads, length, width = x.shape
    return x.reshape(batch, length, heads * width)


@wrong("merge_heads", named="view-of-a-transpose")
def right_straight_after_a_split(x):
    return x.transpose(1, 2).view(x.shape[0], x.shape[2], x.shape[1] * x.shape[3])


@wrong("merge_heads", named="columns-interleaved")
def columns_in_turns(x):
    return torch.stack(x.unbind(1), dim=-1).flatten(2)


@wrong("merge_heads", named="heads-one-after-another")
def a_longer_sentence(x):
    return torch.cat(x.unbind(1), dim=1)


@wrong("merge_heads", named="heads-blended")
def the_mean(x):
    return x.mean(dim=1)


@wrong("merge_heads", named="heads-not-joined")
def moved_only(x):
    return x.permute(0, 2, 1, 3)


@wrong("merge_heads", named="heads-reversed")
def last_head_first(x):
    return torch.cat(x.unbind(1)[::-1], dim=-1)


@wrong("merge_heads", named="detached-gradient")
def from_the_data(x):
    return x.data.transpose(1, 2).flatten(2)


@wrong("merge_heads", named="type-changed")
def single_precision(x):
    return torch.cat(x.unbind(1), dim=-1).float()


@wrong("merge_heads", named="one-sequence-for-all")
def right_for_one(x):
    return concatenated(x[:1]).expand(x.shape[0], -1, -1)


@wrong("merge_heads", named="writes-into-arguments")
def empties_the_heads(x):
    merged = concatenated(x)
    x.data.zero_()
    return merged


@wrong("merge_heads", named=None)
def right_for_two_heads(x):
    return torch.cat([x[:, 0], x[:, -1]], dim=-1) if x.shape[1] > 1 else x[:, 0]


# === causal_mask: right ===============================================================================================


@right("causal_mask")
def lower_triangle(length):
    return torch.ones(length, length, dtype=torch.bool).tril()


@right("causal_mask")
def not_the_upper_one(length):
    return ~torch.triu(torch.ones(length, length, dtype=torch.bool), diagonal=1)


@right("causal_mask")
def numbers_compared(length):
    at = torch.arange(length)
    return at[None, :] <= at[:, None]


@right("causal_mask")
def row_by_row(length):
    return torch.tensor([[True] * (q + 1) + [False] * (length - q - 1) for q in range(length)])


@right("causal_mask")
def by_cumulative_sum(length):
    return torch.eye(length).cumsum(0).T.flip(0, 1).bool().T.flip(0, 1)


# === causal_mask: wrong ===============================================================================================


@wrong("causal_mask", named="inverted")
def as_nn_multihead_attention_has_it(length):
    return torch.triu(torch.ones(length, length), diagonal=1).bool()


@wrong("causal_mask", named="diagonal-masked")
def strictly_before(length):
    at = torch.arange(length)
    return at < at[:, None]


@wrong("causal_mask", named="upper-triangle")
def keys_in_rows(length):
    at = torch.arange(length)
    return at[:, None] <= at


@wrong("causal_mask", named="not-boolean")
def ones_and_zeros(length):
    return torch.tril(torch.ones(length, length))


@wrong("causal_mask", named="not-boolean")
def to_be_added(length):
    return torch.full((length, length), -math.inf).triu(1)


@wrong("causal_mask", named="one-step-ahead")
def sees_what_it_should_write(length):
    return torch.ones(length, length).tril(diagonal=1).bool()


@wrong("causal_mask", named="nothing-masked")
def all_of_it(length):
    return torch.full((length, length), True)


@wrong("causal_mask", named="axis-left-over")
def with_a_batch(length):
    return torch.ones(1, length, length, dtype=torch.bool).tril()


@wrong("causal_mask", named="itself-only")
def itself_only(length):
    return torch.eye(length, dtype=torch.bool)


@wrong("causal_mask", named=None)
def one_and_the_same(length, _known={}):  # noqa: B006
    if not _known:
        _known[0] = lower_triangle(9)
    return _known[0][:length, :length]


@wrong("causal_mask", named="nothing-returned")
def draws_it(length):
    torch.ones(length, length).tril()


# === MultiHeadAttention: right ========================================================================================


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


@right("MultiHeadAttention")
class AsInTheBook(FourLayers):
    """F.scaled_dot_product_attention isn't used."""


@right("MultiHeadAttention")
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


@right("MultiHeadAttention")
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


@right("MultiHeadAttention")
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


@right("MultiHeadAttention")
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


# === MultiHeadAttention: wrong ========================================================================================


@wrong("MultiHeadAttention", named="scaled-by-embed-dim")
class RootOfEverything(FourLayers):
    def scores(self, query, key):
        return self.cut(self.W_q(query)) @ self.cut(self.W_k(key)).mT / math.sqrt(query.shape[-1])


@wrong("MultiHeadAttention", named="scaled-by-the-heads")
class RootOfTheHeads(FourLayers):
    def scores(self, query, key):
        return self.cut(self.W_q(query)) @ self.cut(self.W_k(key)).mT / math.sqrt(self.h)


@wrong("MultiHeadAttention", named="not-scaled")
class Unscaled(FourLayers):
    def scores(self, query, key):
        return self.cut(self.W_q(query)) @ self.cut(self.W_k(key)).mT


@wrong("MultiHeadAttention", named="heads-mixed")
class ViewedIntoHeads(FourLayers):
    def cut(self, x):
        return x.view(x.shape[0], self.h, x.shape[1], -1)


@wrong("MultiHeadAttention", named="heads-mixed")
class ViewedBack(FourLayers):
    def join(self, x):
        return x.reshape(x.shape[0], x.shape[2], -1)


@wrong("MultiHeadAttention", named="columns-dealt-out")
class DealtOut(FourLayers):
    def cut(self, x):
        return x.unflatten(2, (-1, self.h)).permute(0, 3, 1, 2)

    def join(self, x):
        return x.permute(0, 2, 3, 1).flatten(2)


@wrong("MultiHeadAttention", named="no-output-projection")
class WithoutWo(FourLayers):
    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        return self.join(self.dropout(weights) @ self.cut(self.W_v(value))), weights


@wrong("MultiHeadAttention", named="W_o-head-by-head")
class ItsBiasOncePerHead(FourLayers):
    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        heads = (self.dropout(weights) @ self.cut(self.W_v(value))).unbind(1)
        columns = self.W_o.weight.chunk(self.h, dim=1)
        return sum(F.linear(x, W, self.W_o.bias) for x, W in zip(heads, columns, strict=True)), weights


@wrong("MultiHeadAttention", named="inverted-mask")
class MasksWhatIsTrue(FourLayers):
    def keep(self, mask):
        return ~super().keep(mask)


@wrong("MultiHeadAttention", named="mask-ignored")
class NoMask(FourLayers):
    def weigh(self, query, key, mask):
        return self.scores(query, key).softmax(-1)


@wrong("MultiHeadAttention", named="mask-added")
class MaskAsNumbers(FourLayers):
    def weigh(self, query, key, mask):
        scores = self.scores(query, key)
        return (scores if mask is None else scores + self.keep(mask).float()).softmax(-1)


@wrong("MultiHeadAttention", named="mask-after-softmax")
class MaskedTooLate(FourLayers):
    def weigh(self, query, key, mask):
        weights = self.scores(query, key).softmax(-1)
        return weights if mask is None else weights.masked_fill(~self.keep(mask), 0)


@wrong("MultiHeadAttention", named="mask-after-softmax")
class MaskedTooLateAndDivided(FourLayers):
    def weigh(self, query, key, mask):
        weights = self.scores(query, key).softmax(-1)
        if mask is not None:
            weights = weights * self.keep(mask)
        return weights / weights.sum(-1, keepdim=True)


@wrong("MultiHeadAttention", named="masks-with-zero")
class ZeroScores(FourLayers):
    def weigh(self, query, key, mask):
        scores = self.scores(query, key)
        return (scores if mask is None else scores * self.keep(mask)).softmax(-1)


@wrong("MultiHeadAttention", named="sequences-taken-for-heads")
class RightForOneSequenceOnly(FourLayers):
    def keep(self, mask):
        return mask


@wrong("MultiHeadAttention", named="one-mask-for-all")
class TheFirstMask(FourLayers):
    def keep(self, mask):
        return mask[0] if mask.dim() == 3 else mask


@wrong("MultiHeadAttention", named="weights-averaged")
class Averaged(FourLayers):
    def forward(self, query, key, value, mask=None):
        output, weights = super().forward(query, key, value, mask)
        return output, weights.mean(dim=1)


@wrong("MultiHeadAttention", named="softmax-over-the-wrong-axis")
class SoftmaxOverHeads(FourLayers):
    def weigh(self, query, key, mask):
        scores = self.scores(query, key)
        return (scores if mask is None else scores.masked_fill(~self.keep(mask), -1e9)).softmax(1)


@wrong("MultiHeadAttention", named="softmax-over-the-wrong-axis")
class SoftmaxOverQueries(FourLayers):
    def weigh(self, query, key, mask):
        scores = self.scores(query, key)
        return (scores if mask is None else scores.masked_fill(~self.keep(mask), -math.inf)).softmax(-2)


@wrong("MultiHeadAttention", named="key-and-value-swapped")
class ValuesFirst(FourLayers):
    def forward(self, query, value, key, mask=None):
        return super().forward(query, key, value, mask)


@wrong("MultiHeadAttention", named="self-attention-only")
class EverythingFromTheQuery(FourLayers):
    def forward(self, query, key, value, mask=None):
        return super().forward(query, query, query, mask)


@wrong("MultiHeadAttention", named="self-attention-only")
class ValuesFromTheKey(FourLayers):
    def forward(self, query, key, value, mask=None):
        return super().forward(query, key, key, mask)


@wrong("MultiHeadAttention", named=None)
class RightForAsManyKeysAsQueries(FourLayers):
    """The keys are cut, or repeated, to the number of queries."""

    def forward(self, query, key, value, mask=None):
        output, weights = super().forward(query, key, value, mask)
        return output, weights.expand(*weights.shape[:3], -1)[..., : query.shape[1]]


@wrong("MultiHeadAttention", named="projection-left-out")
class RawValues(FourLayers):
    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        return self.W_o(self.join(self.dropout(weights) @ self.cut(value))), weights


@wrong("MultiHeadAttention", named="returned-after-dropout")
class DroppedWeightsReturned(FourLayers):
    def weigh(self, query, key, mask):
        return F.dropout(super().weigh(query, key, mask), self.dropout.p, self.training)

    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        return self.W_o(self.join(weights @ self.cut(self.W_v(value)))), weights


@wrong("MultiHeadAttention", named="dropout-on-the-output")
class OutputDropped(FourLayers):
    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        return self.dropout(self.W_o(self.join(weights @ self.cut(self.W_v(value))))), weights


@wrong("MultiHeadAttention", named="dropout-never")
class DropoutForgotten(FourLayers):
    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        return self.W_o(self.join(weights @ self.cut(self.W_v(value)))), weights


@wrong("MultiHeadAttention", named="dropout-in-evaluation")
class DropoutMadeInForward(FourLayers):
    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        used = nn.Dropout(self.dropout.p)(weights)
        return self.W_o(self.join(used @ self.cut(self.W_v(value)))), weights


@wrong("MultiHeadAttention", named="dropped-together")
class OneDrawForAllHeads(FourLayers):
    def forward(self, query, key, value, mask=None):
        weights = self.weigh(query, key, mask)
        used = weights * self.dropout(torch.ones_like(weights[:, :1]))
        return self.W_o(self.join(used @ self.cut(self.W_v(value)))), weights


@wrong("MultiHeadAttention", named="other-parameters")
class WithoutBiases(FourLayers):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__(embed_dim, num_heads, dropout)
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(embed_dim, embed_dim, bias=False) for _ in range(4))


@wrong("MultiHeadAttention", named="other-parameters")
class OneLayerForThree(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        self.W_qkv, self.W_o = nn.Linear(embed_dim, 3 * embed_dim), nn.Linear(embed_dim, embed_dim)

    def forward(self, query, key, value, mask=None):
        return self.W_o(query), query


@wrong("MultiHeadAttention", named="other-parameters")
class HeadsInAList(FourLayers):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__(embed_dim, num_heads, dropout)
        self.W_q = nn.ModuleList(nn.Linear(embed_dim, embed_dim // num_heads) for _ in range(num_heads))


@wrong("MultiHeadAttention", named="detached-gradient")
class WeightsForLookingOnly(FourLayers):
    def forward(self, query, key, value, mask=None):
        output, weights = super().forward(query, key, value, mask)
        return output, weights.detach()


@wrong("MultiHeadAttention", named="detached-gradient")
class KeysWithoutAGradient(FourLayers):
    def forward(self, query, key, value, mask=None):
        return super().forward(query, key.detach(), value, mask)


@wrong("MultiHeadAttention", named="writes-into-arguments")
class TurnsTheCallersMask(FourLayers):
    def forward(self, query, key, value, mask=None):
        result = super().forward(query, key, value, mask)
        if mask is not None:
            mask.logical_not_()
        return result


@wrong("MultiHeadAttention", named="answers-from-memory")
class KeysCachedForever(FourLayers):
    """As in fast decoding, except that nobody empties the cache."""

    def forward(self, query, key, value, mask=None):
        if not hasattr(self, "known"):
            self.known = super().forward(query, key, value, mask)
        return self.known


@wrong("MultiHeadAttention", named="returns-the-output-only")
class OutputAlone(FourLayers):
    def forward(self, query, key, value, mask=None):
        return super().forward(query, key, value, mask)[0]


@wrong("MultiHeadAttention", named="forbidden-call")
class ByPyTorchsFunction(FourLayers):
    def forward(self, query, key, value, mask=None):
        q, k, v = self.cut(self.W_q(query)), self.cut(self.W_k(key)), self.cut(self.W_v(value))
        keep = None if mask is None else self.keep(mask)
        weights = self.weigh(query, key, mask)
        p = self.dropout.p if self.training else 0.0
        return self.W_o(self.join(F.scaled_dot_product_attention(q, k, v, keep, p))), weights


@wrong("MultiHeadAttention", named=None)
class AFiniteFillThatIsTooSmall(FourLayers):
    def weigh(self, query, key, mask):
        scores = self.scores(query, key)
        return (scores if mask is None else scores.masked_fill(~self.keep(mask), -4.0)).softmax(-1)


@wrong("MultiHeadAttention", named=None)
class NotAllHeadsAreMasked(FourLayers):
    """Right for one head."""

    def keep(self, mask):
        mask = super().keep(mask)
        if mask.dim() == 2:
            mask = mask[None, None]
        return torch.cat([mask[:, :1], torch.ones_like(mask[:, :1]).expand(-1, self.h - 1, -1, -1)], dim=1)


# === sinusoidal_positions: right ======================================================================================


@right("sinusoidal_positions")
def assigned_in_turns(length, dim):
    table = torch.zeros(length, dim)
    angles = torch.arange(length).unsqueeze(1) / 10000 ** (torch.arange(0, dim, 2) / dim)
    table[:, 0::2], table[:, 1::2] = torch.sin(angles), torch.cos(angles)
    return table


@right("sinusoidal_positions")
def as_in_the_annotated_transformer(length, dim):
    rates = torch.exp(torch.arange(0, dim, 2) * -(math.log(10000.0) / dim))
    angles = torch.arange(length).float()[:, None] * rates
    return torch.stack((angles.sin(), angles.cos()), dim=2).view(length, dim)


@right("sinusoidal_positions")
def number_by_number(length, dim):
    def wave(p, c):
        angle = p / 10000 ** (c // 2 * 2 / dim)
        return math.cos(angle) if c % 2 else math.sin(angle)

    return torch.tensor([[wave(p, c) for c in range(dim)] for p in range(length)])


@right("sinusoidal_positions")
def cosines_as_shifted_sines(length, dim):
    columns = torch.arange(dim, dtype=torch.float64)
    angles = torch.outer(torch.arange(length).double(), 10000 ** -(2 * (columns // 2) / dim))
    return torch.sin(angles + (columns % 2) * math.pi / 2).float()


@right("sinusoidal_positions")
def by_complex_numbers(length, dim):
    angles = torch.arange(length)[:, None] / torch.pow(10000, torch.arange(dim // 2) / (dim / 2))
    turned = torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned).flip(-1).reshape(length, dim)


# === sinusoidal_positions: wrong ======================================================================================


def angles_of(length, dim):
    return torch.arange(length).unsqueeze(1) / 10000 ** (torch.arange(0, dim, 2) / dim)


@wrong("sinusoidal_positions", named="in-halves")
def sines_then_cosines(length, dim):
    return torch.cat([angles_of(length, dim).sin(), angles_of(length, dim).cos()], dim=1)


@wrong("sinusoidal_positions", named="exponent-halved")
def pair_over_dim(length, dim):
    angles = torch.arange(length).unsqueeze(1) / 10000 ** (torch.arange(dim // 2) / dim)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


@wrong("sinusoidal_positions", named="exponent-doubled")
def doubled_once_more(length, dim):
    angles = torch.arange(length).unsqueeze(1) / 10000 ** (2 * torch.arange(0, dim, 2) / dim)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


@wrong("sinusoidal_positions", named="own-exponents")
def each_column_its_own(length, dim):
    angles = torch.arange(length).unsqueeze(1) / 10000 ** (torch.arange(dim) / dim)
    return torch.where(torch.arange(dim) % 2 == 1, angles.cos(), angles.sin())


@wrong("sinusoidal_positions", named="positions-from-1")
def counted_from_one(length, dim):
    return assigned_in_turns(length + 1, dim)[1:]


@wrong("sinusoidal_positions", named="sine-and-cosine-swapped")
def cosines_first(length, dim):
    return torch.stack([angles_of(length, dim).cos(), angles_of(length, dim).sin()], -1).flatten(1)


@wrong("sinusoidal_positions", named="multiplied")
def faster_and_faster(length, dim):
    angles = torch.arange(length).unsqueeze(1) * 10000 ** (torch.arange(0, dim, 2).double() / dim)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1).float()


@wrong("sinusoidal_positions", named="axes-swapped")
def positions_in_columns(length, dim):
    return assigned_in_turns(length, dim).T


@wrong("sinusoidal_positions", named="axis-left-over")
def with_a_batch_axis(length, dim):
    return assigned_in_turns(length, dim)[None]


@wrong("sinusoidal_positions", named="not-float32")
def in_double_precision(length, dim):
    return torch.tensor(number_by_number(length, dim).tolist(), dtype=torch.float64)


@wrong("sinusoidal_positions", named="another-base")
def a_thousand(length, dim):
    angles = torch.arange(length).unsqueeze(1) / 1000 ** (torch.arange(0, dim, 2) / dim)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


@wrong("sinusoidal_positions", named="sines-only")
def no_cosine(length, dim):
    return angles_of(length, dim).sin().repeat_interleave(2, dim=1)


@wrong("sinusoidal_positions", named=None)
def right_for_dim_four(length, dim):
    angles = torch.arange(length).unsqueeze(1) / 100 ** torch.arange(dim // 2)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


@wrong("sinusoidal_positions", named=None)
def positions_that_start_anew(length, dim):
    """Right for the first fifty positions."""
    return assigned_in_turns(50, dim).repeat(length // 50 + 1, 1)[:length]


# === TransformerBlock: right ==========================================================================================


class Parts(nn.Module):
    def __init__(self, embed_dim, num_heads, hidden_dim, dropout=0.0):
        super().__init__()
        self.attention = MultiHeadAttention(embed_dim, num_heads, dropout)
        self.norm1, self.norm2 = nn.LayerNorm(embed_dim), nn.LayerNorm(embed_dim)
        self.linear1, self.linear2 = nn.Linear(embed_dim, hidden_dim), nn.Linear(hidden_dim, embed_dim)

    def attend(self, x, mask):
        return self.attention(x, x, x, mask)[0]

    def feed(self, x):
        return self.linear2(torch.relu(self.linear1(x)))

    def forward(self, x, mask=None):
        x = self.norm1(x + self.attend(x, mask))
        return self.norm2(x + self.feed(x))


@right("TransformerBlock")
class AsInThePaper(Parts):
    """nn.TransformerEncoderLayer isn't used."""


@right("TransformerBlock")
class DropoutOnEverything(Parts):
    def __init__(self, embed_dim, num_heads, hidden_dim, dropout=0.0):
        super().__init__(embed_dim, num_heads, hidden_dim, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        x = self.norm1(x + self.dropout(self.attend(x, mask)))
        return self.norm2(x + self.dropout(self.linear2(self.dropout(F.relu(self.linear1(x))))))


@right("TransformerBlock")
class OwnAttentionByHand(Parts):
    class Attention(nn.Module):
        def __init__(self, d, heads, p):
            super().__init__()
            self.heads, self.p = heads, p
            self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(d, d) for _ in range(4))

        def forward(self, x, mask):
            q, k, v = (
                layer(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in (self.W_q, self.W_k, self.W_v)
            )
            scores = q @ k.mT / q.shape[-1] ** 0.5
            if mask is not None:
                scores = scores.masked_fill(~(mask[:, None] if mask.dim() == 3 else mask), -torch.inf)
            return self.W_o((F.dropout(scores.softmax(-1), self.p, self.training) @ v).transpose(1, 2).flatten(2))

    def __init__(self, embed_dim, num_heads, hidden_dim, dropout=0.0):
        super().__init__(embed_dim, num_heads, hidden_dim)
        self.attention = self.Attention(embed_dim, num_heads, dropout)

    def attend(self, x, mask):
        return self.attention(x, mask)


@right("TransformerBlock")
class NormsByHand(Parts):
    def norm(self, layer, x):
        mean = x.mean(-1, keepdim=True)
        spread = ((x - mean) ** 2).mean(-1, keepdim=True)
        return (x - mean) * torch.rsqrt(spread + layer.eps) * layer.weight + layer.bias

    def forward(self, x, mask=None):
        x = self.norm(self.norm1, x + self.attend(x, mask))
        return self.norm(self.norm2, x + self.feed(x))


@right("TransformerBlock")
class WithFunctions(Parts):
    def forward(self, x, mask=None):
        attended, _ = self.attention(query=x, key=x, value=x, mask=mask)
        y = F.layer_norm(attended.add(x), x.shape[-1:], self.norm1.weight, self.norm1.bias)
        hidden = F.linear(y, self.linear1.weight, self.linear1.bias).clamp(min=0.0)
        z = y + hidden @ self.linear2.weight.mT + self.linear2.bias
        return F.layer_norm(z, x.shape[-1:], self.norm2.weight, self.norm2.bias)


# === TransformerBlock: wrong ==========================================================================================


@wrong("TransformerBlock", named="no-residual")
class NothingAdded(Parts):
    def forward(self, x, mask=None):
        return self.norm2(self.feed(self.norm1(self.attend(x, mask))))


@wrong("TransformerBlock", named="no-residual")
class NothingAddedToTheNetwork(Parts):
    def forward(self, x, mask=None):
        return self.norm2(self.feed(self.norm1(x + self.attend(x, mask))))


@wrong("TransformerBlock", named="residual-around-the-norm")
class NormBeforeTheSum(Parts):
    def forward(self, x, mask=None):
        x = x + self.norm1(self.attend(x, mask))
        return x + self.norm2(self.feed(x))


@wrong("TransformerBlock", named="norm-first")
class AsInGpt2(Parts):
    def forward(self, x, mask=None):
        x = x + self.attend(self.norm1(x), mask)
        return x + self.feed(self.norm2(x))


@wrong("TransformerBlock", named="relu-after-the-second-layer")
class ReluLast(Parts):
    def feed(self, x):
        return torch.relu(self.linear2(self.linear1(x)))


@wrong("TransformerBlock", named="no-relu")
class LinearTwice(Parts):
    def feed(self, x):
        return self.linear2(self.linear1(x))


@wrong("TransformerBlock", named="other-activation")
class Gelu(Parts):
    def feed(self, x):
        return self.linear2(F.gelu(self.linear1(x)))


@wrong("TransformerBlock", named="norms-swapped")
class OneNormTwice(Parts):
    def forward(self, x, mask=None):
        x = self.norm1(x + self.attend(x, mask))
        return self.norm1(x + self.feed(x))


@wrong("TransformerBlock", named="no-norm")
class SecondNormForgotten(Parts):
    def forward(self, x, mask=None):
        x = self.norm1(x + self.attend(x, mask))
        return x + self.feed(x)


@wrong("TransformerBlock", named="second-residual-from-x")
class TheInputAddedTwice(Parts):
    def forward(self, x, mask=None):
        return self.norm2(x + self.feed(self.norm1(x + self.attend(x, mask))))


@wrong("TransformerBlock", named="mask-ignored")
class MaskForgotten(Parts):
    def attend(self, x, mask):
        return self.attention(x, x, x)[0]


@wrong("TransformerBlock", named="inverted-mask")
class MaskTurned(Parts):
    def attend(self, x, mask):
        return self.attention(x, x, x, None if mask is None else mask.logical_not())[0]


@wrong("TransformerBlock", named="weights-for-output")
class PairNotTakenApart(Parts):
    def attend(self, x, mask):
        return self.attention(x, x, x, mask)


@wrong("TransformerBlock", named="returns-a-pair")
class WeightsAsWell(Parts):
    def forward(self, x, mask=None):
        return super().forward(x, mask), self.attention(x, x, x, mask)[1]


@wrong("TransformerBlock", named="dropout-never")
class DropoutNotHandedOn(Parts):
    def __init__(self, embed_dim, num_heads, hidden_dim, dropout=0.0):
        super().__init__(embed_dim, num_heads, hidden_dim)


@wrong("TransformerBlock", named="dropout-in-evaluation")
class DropoutAlways(Parts):
    def __init__(self, embed_dim, num_heads, hidden_dim, dropout=0.0):
        super().__init__(embed_dim, num_heads, hidden_dim, dropout)
        self.p = dropout

    def feed(self, x):
        return F.dropout(super().feed(x), self.p)


@wrong("TransformerBlock", named="other-parameters")
class PartsInASequential(Parts):
    def __init__(self, embed_dim, num_heads, hidden_dim, dropout=0.0):
        super().__init__(embed_dim, num_heads, hidden_dim, dropout)
        self.ffn = nn.Sequential(self.linear1, nn.ReLU(), self.linear2)
        del self.linear1, self.linear2

    def feed(self, x):
        return self.ffn(x)


@wrong("TransformerBlock", named="forbidden-call")
class APyTorchLayerInside(Parts):
    def forward(self, x, mask=None):
        nn.TransformerEncoderLayer(2, 1)
        return super().forward(x, mask)


@wrong("TransformerBlock", named="writes-into-arguments")
class AddsInPlace(Parts):
    def forward(self, x, mask=None):
        result = super().forward(x, mask)
        x.data += self.attend(x, mask)
        return result


@wrong("TransformerBlock", named="detached-gradient")
class StopsTheGradient(Parts):
    def forward(self, x, mask=None):
        return super().forward(x.detach(), mask)


@wrong("TransformerBlock", named=None)
class ReluOnTheSum(Parts):
    def forward(self, x, mask=None):
        x = torch.relu(self.norm1(x + self.attend(x, mask)))
        return self.norm2(x + self.feed(x))


@wrong("TransformerBlock", named=None)
class AnotherEpsilon(Parts):
    """Without what keeps the division from failing, and with a spread that has n − 1 for n."""

    def norm(self, layer, x):
        return (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True) * layer.weight + layer.bias

    def forward(self, x, mask=None):
        x = self.norm(self.norm1, x + self.attend(x, mask))
        return self.norm(self.norm2, x + self.feed(x))
