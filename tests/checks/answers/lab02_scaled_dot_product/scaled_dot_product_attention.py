"""Answers to `scaled_dot_product_attention`, as students write them: right in many styles, wrong in many ways."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from tests.checks.answers.lab02_scaled_dot_product.dot_product_scores import by_bmm, by_broadcasting
from tests.checks.bank import Bank

BANK = Bank("scaled_dot_product_attention")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


def mask_of(valid_lens, batch, num_queries, num_keys):
    """True where a key counts: (batch, query, key)."""
    if valid_lens is None:
        return torch.ones(batch, num_queries, num_keys, dtype=torch.bool)
    lengths = valid_lens[:, None].expand(-1, num_queries) if valid_lens.dim() == 1 else valid_lens
    return torch.arange(num_keys) < lengths[..., None]


def masked(scores, valid_lens, fill=-math.inf):
    return scores.masked_fill(~mask_of(valid_lens, *scores.shape), fill)


@right
def step_by_step(queries, keys, values, valid_lens=None):
    weights = masked(by_bmm(queries, keys), valid_lens).softmax(-1)
    return torch.bmm(weights, values), weights


@right
def with_einsum(queries, keys, values, valid_lens=None):
    scores = torch.einsum("bqd,bkd->bqk", queries / queries.shape[-1] ** 0.5, keys)
    keep = mask_of(valid_lens, *scores.shape)
    weights = torch.where(keep, scores, torch.finfo(scores.dtype).min).softmax(2)
    return torch.einsum("bqk,bkv->bqv", weights, values), weights


@right
def query_by_query(queries, keys, values, valid_lens=None):
    batch, num_queries, num_keys = len(queries), queries.shape[1], keys.shape[1]
    outputs, all_weights = [], []
    for b in range(batch):
        for q in range(num_queries):
            n = num_keys if valid_lens is None else int(valid_lens[b] if valid_lens.dim() == 1 else valid_lens[b, q])
            p = torch.softmax(keys[b, :n] @ queries[b, q] / math.sqrt(queries.shape[-1]), dim=0)
            outputs.append(p @ values[b, :n])
            all_weights.append(F.pad(p, (0, num_keys - n)))
    return torch.stack(outputs).view(batch, num_queries, -1), torch.stack(all_weights).view(batch, num_queries, -1)


@right
def exponentials_by_hand(queries, keys, values, valid_lens=None):
    scores = masked(by_broadcasting(queries, keys), valid_lens)
    exps = torch.exp(scores - scores.amax(-1, keepdim=True))
    weights = exps / exps.sum(-1, keepdim=True)
    return (weights.unsqueeze(-1) * values.unsqueeze(1)).sum(2), weights


@right
def a_list_with_an_added_mask(queries, keys, values, valid_lens=None):
    scores = by_bmm(queries, keys)
    if valid_lens is not None:
        scores = scores + (~mask_of(valid_lens, *scores.shape)).to(scores.dtype) * -1e9
    weights = nn.Softmax(dim=-1)(scores)
    return [weights @ values, weights]


# === Wrong ============================================================================================================


@wrong(named="never-scales")
def without_the_scale(queries, keys, values, valid_lens=None):
    weights = masked(queries @ keys.mT, valid_lens).softmax(-1)
    return weights @ values, weights


@wrong(named="root-of-value-width")
def scaled_by_the_value_width(queries, keys, values, valid_lens=None):
    """Right wherever values are as wide as keys."""
    weights = masked(queries @ keys.mT / math.sqrt(values.shape[-1]), valid_lens).softmax(-1)
    return weights @ values, weights


@wrong(named="mask-after-softmax")
def softmax_before_the_mask(queries, keys, values, valid_lens=None):
    weights = masked(by_bmm(queries, keys).softmax(-1), valid_lens, 0.0)
    return weights @ values, weights


@wrong(named="mask-after-softmax")
def renormalised(queries, keys, values, valid_lens=None):
    weights = masked(by_bmm(queries, keys).softmax(-1), valid_lens, 0.0)
    weights = weights / weights.sum(-1, keepdim=True)
    return weights @ values, weights


@wrong(named="softmax-over-wrong-axis")
def over_the_queries(queries, keys, values, valid_lens=None):
    weights = masked(by_bmm(queries, keys), valid_lens, -1e9 if queries.dtype != torch.float16 else -1e4).softmax(1)
    return weights @ values, weights


@wrong(named="order-of-the-pair")
def weights_first(*args):
    output, weights = step_by_step(*args)
    return weights, output


@wrong(named="not-a-pair")
def output_only(*args):
    return step_by_step(*args)[0]


@wrong(named="pools-keys-for-values")
def keys_for_values(queries, keys, values, valid_lens=None):
    return step_by_step(queries, keys, keys, valid_lens)


@wrong(named="forbidden-call")
def left_to_pytorch(queries, keys, values, valid_lens=None):
    _, weights = step_by_step(queries, keys, values, valid_lens)
    mask = mask_of(valid_lens, *weights.shape)
    return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask), weights


@wrong(named="attends-to-padding")
def lengths_ignored(queries, keys, values, valid_lens=None):
    return step_by_step(queries, keys, values)


@wrong(named="ignores-2d-lengths")
def one_length_a_sequence(queries, keys, values, valid_lens=None):
    lengths = valid_lens[:, 0] if valid_lens is not None and valid_lens.dim() == 2 else valid_lens
    return step_by_step(queries, keys, values, lengths)


@wrong(named="inverted-mask")
def the_padding_only(queries, keys, values, valid_lens=None):
    if valid_lens is None:
        return step_by_step(queries, keys, values)
    scores = by_bmm(queries, keys)
    weights = scores.masked_fill(mask_of(valid_lens, *scores.shape), -math.inf).softmax(-1)
    return weights @ values, weights


@wrong(named="unmasked-weights")
def other_weights_than_used(queries, keys, values, valid_lens=None):
    return step_by_step(queries, keys, values, valid_lens)[0], by_bmm(queries, keys).softmax(-1)


@wrong(named="detached-weights")
def weights_for_a_picture(*args):
    output, weights = step_by_step(*args)
    return output, weights.detach()


@wrong(named="writes-into-arguments")
def keys_scaled_in_place(queries, keys, values, valid_lens=None):
    with torch.no_grad():
        keys /= math.sqrt(keys.shape[-1])
    weights = masked(queries @ keys.mT, valid_lens).softmax(-1)
    return weights @ values, weights


@wrong(named="type-changed")
def softmax_left_in_float32(queries, keys, values, valid_lens=None):
    return step_by_step(queries.float(), keys.float(), values.float(), valid_lens)


@wrong(named="detached-gradient")
def without_a_gradient(queries, keys, values, valid_lens=None):
    with torch.no_grad():
        return step_by_step(queries, keys, values, valid_lens)


@wrong(named="causal-as-well")
def causal_as_well(queries, keys, values, valid_lens=None):
    """Right for a single key only."""
    scores = masked(by_bmm(queries, keys), valid_lens)
    weights = scores.masked_fill(~torch.ones(scores.shape[1:]).tril().bool(), -math.inf).softmax(-1)
    return weights @ values, weights


@wrong(named="causal-as-well")
def a_triangle_in_place_of_later_keys(queries, keys, values, valid_lens=None):
    scores = masked(torch.einsum("bqd,bkd->bqk", queries, keys) / queries.shape[-1] ** 0.5, valid_lens)
    triangle = torch.full(scores.shape[1:], -torch.inf, dtype=scores.dtype).triu(diagonal=1)
    weights = torch.softmax(scores + triangle, dim=2)
    return torch.bmm(weights, values), weights


@wrong(named="fill-not-low-enough")
def finite_fill_too_near(queries, keys, values, valid_lens=None):
    weights = masked(by_bmm(queries, keys), valid_lens, -1.0).softmax(-1)
    return weights @ values, weights


@wrong(named="one-length-for-all")
def the_first_length_for_all(queries, keys, values, valid_lens=None):
    lengths = None if valid_lens is None else valid_lens[:1].expand_as(valid_lens)
    return step_by_step(queries, keys, values, lengths)


@wrong(named="mean-twice")
def values_not_a_mean(queries, keys, values, valid_lens=None):
    output, weights = step_by_step(queries, keys, values, valid_lens)
    return output / keys.shape[1], weights


@wrong(named="mean-twice")
def mean_over_the_keys(queries, keys, values, valid_lens=None):
    _, weights = step_by_step(queries, keys, values, valid_lens)
    return (weights.unsqueeze(3) * values.unsqueeze(1)).mean(2), weights


@wrong(named="detached-gradient")
def values_lose_their_gradient(queries, keys, values, valid_lens=None):
    return step_by_step(queries, keys, values.detach(), valid_lens)


@wrong(named="fill-not-low-enough")
def fills_with_ten_thousand(queries, keys, values, valid_lens=None):
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])
    if valid_lens is not None:
        keep = torch.arange(keys.shape[1]) < valid_lens.reshape(len(valid_lens), -1, 1)
        scores = scores.masked_fill(~keep, -1e4)
    weights = scores.softmax(-1)
    return weights @ values, weights


@wrong(named="fill-not-low-enough")
def minus_ten_for_the_padding(queries, keys, values, valid_lens=None):
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])
    if valid_lens is not None:
        padding = torch.arange(keys.shape[1]) >= valid_lens.reshape(len(valid_lens), -1, 1)
        scores = torch.where(padding, torch.full_like(scores, -10.0), scores)
    weights = torch.softmax(scores, dim=-1)
    return torch.bmm(weights, values), weights


@wrong(named="small-sizes-only")
def no_more_than_a_block_of_keys(queries, keys, values, valid_lens=None):
    """Keys beyond the block are forgotten."""
    count = keys.shape[1]
    length = torch.full(queries.shape[:1], count) if valid_lens is None else valid_lens
    length = length.unsqueeze(-1) if length.dim() == 1 else length
    keep = torch.arange(count) < length.clamp(max=64).unsqueeze(-1)
    scores = queries @ keys.transpose(1, 2) / queries.shape[-1] ** 0.5
    weights = scores.masked_fill(~keep, -torch.inf).softmax(-1)
    return weights @ values, weights
