"""Answers to `grouped_query_attention`, as students write them: right in many styles, wrong in many ways."""

import math

import torch
from torch import nn

from tests.checks.bank import Bank

BANK = Bank("grouped_query_attention")
right, wrong = BANK.right, BANK.wrong


def shared_evenly(queries, keys):
    if queries.shape[1] % keys.shape[1]:
        raise ValueError("the number of heads of queries must be a multiple of the number of groups of keys")


# === Right ============================================================================================================


@right
def repeated(queries, keys, values):
    shared_evenly(queries, keys)
    times = queries.shape[1] // keys.shape[1]
    keys, values = keys.repeat_interleave(times, dim=1), values.repeat_interleave(times, dim=1)
    weights = torch.softmax(queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3]), dim=-1)
    return weights @ values


@right
def queries_get_an_axis(queries, keys, values):
    """Nothing is repeated: the groups' axis is broadcast."""
    shared_evenly(queries, keys)
    grouped = queries.unflatten(1, (keys.shape[1], -1))  # (B, groups, heads / groups, Q, d)
    scores = grouped @ keys.unsqueeze(2).mT / queries.shape[-1] ** 0.5
    return (scores.softmax(-1) @ values.unsqueeze(2)).flatten(1, 2)


@right
def head_by_head(queries, keys, values):
    shared_evenly(queries, keys)
    per_group, outputs = queries.shape[1] // keys.shape[1], []
    for h in range(queries.shape[1]):
        k, v = keys[:, h // per_group], values[:, h // per_group]
        scores = torch.bmm(queries[:, h], k.transpose(1, 2)) / math.sqrt(queries.shape[-1])
        outputs.append(torch.bmm(scores.softmax(2), v))
    return torch.stack(outputs, 1)


@right
def by_einsum(queries, keys, values):
    shared_evenly(queries, keys)
    b, heads, q, d = queries.shape
    groups = keys.shape[1]
    split = queries.reshape(b, groups, heads // groups, q, d)
    weights = (torch.einsum("bgnqd,bgkd->bgnqk", split, keys) * d**-0.5).softmax(-1)
    return torch.einsum("bgnqk,bgkd->bgnqd", weights, values).reshape(b, heads, q, d)


@right
def by_index(queries, keys, values):
    shared_evenly(queries, keys)
    of_head = torch.arange(queries.shape[1]) // (queries.shape[1] // keys.shape[1])
    keys, values = keys[:, of_head], values[:, of_head]
    scores = (queries / math.sqrt(queries.shape[-1])) @ keys.mT
    exps = torch.exp(scores - scores.amax(-1, keepdim=True))
    return exps @ values / exps.sum(-1, keepdim=True)


@right
def expanded(queries, keys, values):
    """As Llama's `repeat_kv`."""
    if queries.shape[1] < keys.shape[1] or queries.shape[1] % keys.shape[1] != 0:
        raise ValueError(f"keys: {keys.shape[1]} groups don't fit {queries.shape[1]} heads")

    def repeat_kv(x, n):
        batch, groups, length, width = x.shape
        return x[:, :, None].expand(batch, groups, n, length, width).reshape(batch, groups * n, length, width)

    n = queries.shape[1] // keys.shape[1]
    scores = queries.matmul(repeat_kv(keys, n).transpose(-2, -1)) / math.sqrt(queries.size(-1))
    return nn.functional.softmax(scores, dim=-1).matmul(repeat_kv(values, n))


# === Wrong ============================================================================================================


@wrong(named="groups-in-turn")
def repeat_for_repeat_interleave(queries, keys, values):
    shared_evenly(queries, keys)
    times = queries.shape[1] // keys.shape[1]
    keys, values = keys.repeat(1, times, 1, 1), values.repeat(1, times, 1, 1)
    return (queries @ keys.mT / math.sqrt(queries.shape[-1])).softmax(-1) @ values


@wrong(named="groups-in-turn")
def modulo(queries, keys, values):
    shared_evenly(queries, keys)
    outputs = []
    for h in range(queries.shape[1]):
        g = h % keys.shape[1]
        scores = queries[:, h] @ keys[:, g].mT / math.sqrt(queries.shape[-1])
        outputs.append(scores.softmax(-1) @ values[:, g])
    return torch.stack(outputs, dim=1)


@wrong(named="groups-in-turn")
def unflattened_the_other_way(queries, keys, values):
    shared_evenly(queries, keys)
    grouped = queries.unflatten(1, (-1, keys.shape[1])).transpose(1, 2)
    scores = grouped @ keys.unsqueeze(2).mT / math.sqrt(queries.shape[-1])
    return (scores.softmax(-1) @ values.unsqueeze(2)).transpose(1, 2).flatten(1, 2)


@wrong(named="keys-shared-otherwise-than-values")
def values_by_repeat(queries, keys, values):
    shared_evenly(queries, keys)
    times = queries.shape[1] // keys.shape[1]
    weights = (queries @ keys.repeat_interleave(times, 1).mT / math.sqrt(queries.shape[-1])).softmax(-1)
    return weights @ values.repeat(1, times, 1, 1)


@wrong(named="keys-not-shared-out")
def left_to_broadcasting(queries, keys, values):
    shared_evenly(queries, keys)
    return (queries @ keys.mT / math.sqrt(queries.shape[-1])).softmax(-1) @ values


@wrong(named="groups-averaged")
def one_mean_key(queries, keys, values):
    shared_evenly(queries, keys)
    keys, values = keys.mean(dim=1, keepdim=True), values.mean(dim=1, keepdim=True)
    return (queries @ keys.mT / math.sqrt(queries.shape[-1])).softmax(-1) @ values


@wrong(named="first-group-for-all")
def multi_query_always(queries, keys, values):
    shared_evenly(queries, keys)
    return (queries @ keys[:, 0:1].mT / math.sqrt(queries.shape[-1])).softmax(-1) @ values[:, 0:1]


@wrong(named="never-scales")
def root_forgotten(queries, keys, values):
    shared_evenly(queries, keys)
    times = queries.shape[1] // keys.shape[1]
    keys, values = keys.repeat_interleave(times, dim=1), values.repeat_interleave(times, dim=1)
    return (queries @ keys.mT).softmax(-1) @ values


@wrong(named="root-of-another-size")
def root_of_the_model_width(queries, keys, values):
    shared_evenly(queries, keys)
    times = queries.shape[1] // keys.shape[1]
    keys, values = keys.repeat_interleave(times, dim=1), values.repeat_interleave(times, dim=1)
    return (queries @ keys.mT / math.sqrt(queries.shape[1] * queries.shape[3])).softmax(-1) @ values


@wrong(named="uneven-groups")
def nobody_asks(queries, keys, values):
    times = queries.shape[1] // keys.shape[1]
    keys, values = keys.repeat_interleave(times, dim=1), values.repeat_interleave(times, dim=1)
    return (queries @ keys.mT / math.sqrt(queries.shape[-1])).softmax(-1) @ values


@wrong(named="uneven-groups")
def asserted(queries, keys, values):
    assert queries.shape[1] % keys.shape[1] == 0
    return repeated(queries, keys, values)


@wrong(named="uneven-groups")
def rounded_up(queries, keys, values):
    times = math.ceil(queries.shape[1] / keys.shape[1])
    heads = queries.shape[1]
    keys, values = (each.repeat_interleave(times, dim=1)[:, :heads] for each in (keys, values))
    return (queries @ keys.mT / math.sqrt(queries.shape[-1])).softmax(-1) @ values


@wrong(named="softmax-over-wrong-axis")
def softmax_over_queries(queries, keys, values):
    shared_evenly(queries, keys)
    times = queries.shape[1] // keys.shape[1]
    keys, values = keys.repeat_interleave(times, dim=1), values.repeat_interleave(times, dim=1)
    return (queries @ keys.mT / math.sqrt(queries.shape[-1])).softmax(2) @ values


@wrong(named="all-groups-for-each-head")
def one_long_row_of_keys(queries, keys, values):
    shared_evenly(queries, keys)
    keys, values = keys.flatten(1, 2)[:, None], values.flatten(1, 2)[:, None]
    return (queries @ keys.mT / math.sqrt(queries.shape[-1])).softmax(-1) @ values


@wrong(named="returns-a-pair")
def weights_too(queries, keys, values):
    shared_evenly(queries, keys)
    times = queries.shape[1] // keys.shape[1]
    keys, values = keys.repeat_interleave(times, dim=1), values.repeat_interleave(times, dim=1)
    weights = (queries @ keys.mT / math.sqrt(queries.shape[-1])).softmax(-1)
    return weights @ values, weights


@wrong(named="masked-though-unasked")
def causal_out_of_habit(queries, keys, values):
    shared_evenly(queries, keys)
    times = queries.shape[1] // keys.shape[1]
    keys, values = keys.repeat_interleave(times, dim=1), values.repeat_interleave(times, dim=1)
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])
    ahead = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return scores.masked_fill(ahead, -torch.inf).softmax(-1) @ values


@wrong(named="groups-keep-an-axis")
def not_flattened(queries, keys, values):
    shared_evenly(queries, keys)
    grouped = queries.unflatten(1, (keys.shape[1], -1))
    scores = grouped @ keys.unsqueeze(2).mT / math.sqrt(queries.shape[-1])
    return scores.softmax(-1) @ values.unsqueeze(2)


@wrong(named="forbidden-call")
def left_to_pytorch(queries, keys, values):
    shared_evenly(queries, keys)
    return nn.functional.scaled_dot_product_attention(queries, keys, values, enable_gqa=True)


@wrong(named="nothing-returned")
def no_return(queries, keys, values):
    repeated(queries, keys, values)


@wrong(named=None)
def always_two_heads_a_group(queries, keys, values):
    shared_evenly(queries, keys)
    times = min(queries.shape[1] // keys.shape[1], 2)
    of_head = (torch.arange(queries.shape[1]) // times).clamp(max=keys.shape[1] - 1)
    return (queries @ keys[:, of_head].mT / math.sqrt(queries.shape[-1])).softmax(-1) @ values[:, of_head]
