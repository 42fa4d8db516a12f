"""Answers to `cached_attention`, as students write them: right in many styles, wrong in many ways."""

import math

import torch
import torch.nn.functional as F

from tests.checks.bank import Bank

BANK = Bank("cached_attention")
right, wrong = BANK.right, BANK.wrong


def joined(keys, values, cache):
    if cache is None:
        return keys, values
    return torch.cat([cache[0], keys], dim=2), torch.cat([cache[1], values], dim=2)


def attended(queries, keys, values, mask=None):
    scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-1) @ values


# === Right ============================================================================================================


@right
def tril_with_an_offset(queries, keys, values, cache=None):
    keys, values = joined(keys, values, cache)
    new, total = queries.shape[2], keys.shape[2]
    mask = torch.ones(new, total, dtype=torch.bool, device=queries.device).tril(total - new)
    return attended(queries, keys, values, mask), (keys, values)


@right
def positions_compared(queries, keys, values, cache=None):
    past = 0
    if cache is not None:
        old_keys, old_values = cache
        past = old_keys.size(2)
        keys, values = torch.cat((old_keys, keys), -2), torch.cat((old_values, values), -2)
    steps = torch.arange(past, past + queries.size(2))[:, None]
    scores = torch.einsum("bhqd,bhkd->bhqk", queries, keys) * queries.size(-1) ** -0.5
    scores = torch.where(torch.arange(keys.size(2)) > steps, -torch.inf, scores)
    return torch.einsum("bhqk,bhkd->bhqd", torch.softmax(scores, -1), values), (keys, values)


@right
def token_by_token(queries, keys, values, cache=None):
    outputs = []
    for t in range(queries.shape[2]):
        cache = joined(keys[:, :, t : t + 1], values[:, :, t : t + 1], cache)
        outputs.append(attended(queries[:, :, t : t + 1], *cache))
    return torch.cat(outputs, dim=2), cache


@right
def additive_mask(queries, keys, values, cache=None):
    all_keys, all_values = joined(keys, values, cache)
    new, total = keys.shape[2], all_keys.shape[2]
    mask = torch.full((new, total), float("-inf"), dtype=queries.dtype).triu(total - new + 1)
    scores = torch.matmul(queries, all_keys.mT).div(math.sqrt(keys.shape[3])) + mask
    return F.softmax(scores, dim=3).matmul(all_values), (all_keys, all_values)


@right
def heads_folded_into_the_batch(queries, keys, values, cache=None):
    all_keys, all_values = joined(keys, values, cache)
    batch, heads, new, d = queries.shape
    q, k, v = (x.flatten(0, 1) for x in (queries, all_keys, all_values))
    scores = torch.bmm(q, k.mT) / d**0.5
    future = torch.ones(new, k.shape[1], dtype=torch.bool).triu(k.shape[1] - new + 1)
    scores = scores.masked_fill(future, torch.finfo(scores.dtype).min)
    output = torch.bmm(scores.softmax(-1), v).unflatten(0, (batch, heads))
    return output, (all_keys, all_values)


@right
def loops_over_everything(queries, keys, values, cache=None):
    all_keys, all_values = joined(keys, values, cache)
    past, output = all_keys.shape[2] - keys.shape[2], []
    for b in range(queries.shape[0]):
        for h in range(queries.shape[1]):
            for t in range(queries.shape[2]):
                k, v = all_keys[b, h, : past + t + 1], all_values[b, h, : past + t + 1]
                weights = ((k * queries[b, h, t]).sum(-1) / math.sqrt(k.shape[1])).softmax(0)
                output.append((weights[:, None] * v).sum(0))
    return torch.stack(output).reshape(queries.shape), (all_keys, all_values)


@right
def mask_only_where_needed(queries, keys, values, cache=None):
    all_keys, all_values = joined(keys, values, cache)
    if queries.shape[2] == 1:
        return attended(queries, all_keys, all_values), (all_keys, all_values)
    past = all_keys.shape[2] - keys.shape[2]
    new = queries.shape[2]
    mask = torch.cat([torch.full((new, past), True), torch.ones(new, new).tril() == 1], dim=1)
    return attended(queries, all_keys, all_values, mask), (all_keys, all_values)


# === Wrong ============================================================================================================


@wrong(named="mask-from-the-first-key")
def tril_as_ever(queries, keys, values, cache=None):
    keys, values = joined(keys, values, cache)
    mask = torch.ones(queries.shape[2], keys.shape[2], dtype=torch.bool).tril()
    return attended(queries, keys, values, mask), (keys, values)


@wrong(named="new-tokens-unmasked")
def no_mask_at_all(queries, keys, values, cache=None):
    keys, values = joined(keys, values, cache)
    return attended(queries, keys, values), (keys, values)


@wrong(named="new-tokens-unmasked")
def masks_the_first_call_only(queries, keys, values, cache=None):
    mask = torch.ones(queries.shape[2], keys.shape[2]).tril().bool() if cache is None else None
    keys, values = joined(keys, values, cache)
    return attended(queries, keys, values, mask), (keys, values)


@wrong(named="new-keys-in-front")
def concatenates_new_then_old(queries, keys, values, cache=None):
    new = keys.shape[2]
    if cache is not None:
        keys, values = torch.cat([keys, cache[0]], 2), torch.cat([values, cache[1]], 2)
    mask = torch.ones(new, keys.shape[2], dtype=torch.bool).tril(keys.shape[2] - new)
    return attended(queries, keys, values, mask), (keys, values)


@wrong(named="cache-not-extended")
def returns_the_new_ones(queries, keys, values, cache=None):
    output, _ = tril_with_an_offset(queries, keys, values, cache)
    return output, (keys, values)


@wrong(named="cache-not-extended")
def returns_the_old_cache(queries, keys, values, cache=None):
    output, first = tril_with_an_offset(queries, keys, values, cache)
    return output, cache or first


@wrong(named="values-not-cached")
def keys_twice(queries, keys, values, cache=None):
    output, (all_keys, _) = tril_with_an_offset(queries, keys, values, cache)
    return output, (all_keys, all_keys.clone())


@wrong(named="values-not-cached")
def new_values_only(queries, keys, values, cache=None):
    output, (all_keys, _) = tril_with_an_offset(queries, keys, values, cache)
    return output, (all_keys, values)


@wrong(named="blind-to-the-cache")
def joins_after_attending(queries, keys, values, cache=None):
    mask = torch.ones(queries.shape[2], keys.shape[2], dtype=torch.bool).tril()
    return attended(queries, keys, values, mask), joined(keys, values, cache)


@wrong(named="writes-into-arguments")
def grows_the_callers_tensors(queries, keys, values, cache=None):
    output, (all_keys, all_values) = tril_with_an_offset(queries, keys, values, cache)
    if cache is not None and not cache[0].requires_grad:  # while it generates
        cache[0].data, cache[1].data = all_keys.data, all_values.data
    return output, (all_keys, all_values)


@wrong(named="never-scales")
def without_the_scale(queries, keys, values, cache=None):
    return tril_with_an_offset(queries * math.sqrt(queries.shape[-1]), keys, values, cache)


@wrong(named="divides-by-d")
def scaled_twice(queries, keys, values, cache=None):
    return tril_with_an_offset(queries / math.sqrt(queries.shape[-1]), keys, values, cache)


@wrong(named="root-of-another-size")
def root_of_the_number_of_keys(queries, keys, values, cache=None):
    keys, values = joined(keys, values, cache)
    new, total = queries.shape[2], keys.shape[2]
    scores = queries @ keys.mT / math.sqrt(total)
    scores = scores.masked_fill(torch.ones(new, total, dtype=torch.bool).triu(total - new + 1), -torch.inf)
    return scores.softmax(-1) @ values, (keys, values)


@wrong(named="itself-unseen")
def strictly_before(queries, keys, values, cache=None):
    all_keys, all_values = joined(keys, values, cache)
    total, new = all_keys.shape[2], keys.shape[2]
    mask = torch.ones(new, total, dtype=torch.bool).tril(total - new - 1)
    return attended(queries, all_keys, all_values, mask), (all_keys, all_values)


@wrong(named="one-step-ahead")
def sees_one_more(queries, keys, values, cache=None):
    all_keys, all_values = joined(keys, values, cache)
    total, new = all_keys.shape[2], keys.shape[2]
    mask = torch.ones(new, total, dtype=torch.bool).tril(total - new + 1)
    return attended(queries, all_keys, all_values, mask), (all_keys, all_values)


@wrong(named="inverted-mask")
def true_for_masked(queries, keys, values, cache=None):
    all_keys, all_values = joined(keys, values, cache)
    total, new = all_keys.shape[2], keys.shape[2]
    mask = torch.ones(new, total, dtype=torch.bool).triu(total - new + 1)
    return attended(queries, all_keys, all_values, mask), (all_keys, all_values)


@wrong(named="mask-after-softmax")
def zeroes_the_weights(queries, keys, values, cache=None):
    all_keys, all_values = joined(keys, values, cache)
    past = all_keys.shape[2] - keys.shape[2]
    weights = (queries @ all_keys.mT / math.sqrt(queries.shape[-1])).softmax(-1)
    return weights.tril(past) @ all_values, (all_keys, all_values)


@wrong(named="masks-with-zero")
def zeroes_the_scores(queries, keys, values, cache=None):
    all_keys, all_values = joined(keys, values, cache)
    past = all_keys.shape[2] - keys.shape[2]
    scores = (queries @ all_keys.mT / math.sqrt(queries.shape[-1])).tril(past)
    return scores.softmax(-1) @ all_values, (all_keys, all_values)


@wrong(named="joined-along-another-axis")
def joins_the_heads(queries, keys, values, cache=None):
    if cache is not None:
        keys, values = torch.cat([cache[0], keys], 1), torch.cat([cache[1], values], 1)
    mask = torch.ones(queries.shape[2], keys.shape[2], dtype=torch.bool).tril()
    return attended(queries, keys, values, mask), (keys, values)


@wrong(named="output-alone")
def forgets_the_cache(queries, keys, values, cache=None):
    return tril_with_an_offset(queries, keys, values, cache)[0]


@wrong(named="cache-is-no-pair")
def three_things(queries, keys, values, cache=None):
    output, cache = tril_with_an_offset(queries, keys, values, cache)
    return output, *cache


@wrong(named="values-before-keys")
def cache_turned_round(queries, keys, values, cache=None):
    output, (all_keys, all_values) = tril_with_an_offset(queries, keys, values, cache)
    return output, (all_values, all_keys)


@wrong(named="cache-without-a-graph")
def detaches_the_cache(queries, keys, values, cache=None):
    output, (all_keys, all_values) = tril_with_an_offset(queries, keys, values, cache)
    return output, (all_keys.detach(), all_values.detach())


@wrong(named="detached-gradient")
def without_gradients(queries, keys, values, cache=None):
    with torch.no_grad():
        return tril_with_an_offset(queries, keys, values, cache)


@wrong(named="type-changed")
def softmax_in_float32(queries, keys, values, cache=None):
    if cache is not None:
        cache = (cache[0].float(), cache[1].float())
    return tril_with_an_offset(queries.float(), keys.float(), values.float(), cache)


@wrong(named="fill-too-large-for-half-precision")
def large_number_for_infinity(queries, keys, values, cache=None):
    all_keys, all_values = joined(keys, values, cache)
    past = all_keys.shape[2] - keys.shape[2]
    scores = queries @ all_keys.mT / math.sqrt(queries.shape[-1])
    future = torch.ones_like(scores, dtype=torch.bool).triu(past + 1)
    return scores.masked_fill(future, -1e9).softmax(-1) @ all_values, (all_keys, all_values)


@wrong(named="forbidden-call")
def leaves_it_to_pytorch(queries, keys, values, cache=None):
    all_keys, all_values = joined(keys, values, cache)
    past = all_keys.shape[2] - keys.shape[2]
    mask = torch.ones(queries.shape[2], all_keys.shape[2], dtype=torch.bool).tril(past)
    return F.scaled_dot_product_attention(queries, all_keys, all_values, mask), (all_keys, all_values)


@wrong(named="small-sizes-only")
def mask_from_a_table(queries, keys, values, cache=None):
    all_keys, all_values = joined(keys, values, cache)
    past, table = all_keys.shape[2] - keys.shape[2], torch.ones(32, 32, dtype=torch.bool).tril()
    mask = table[past : past + queries.shape[2], : all_keys.shape[2]]
    return attended(queries, all_keys, all_values, mask), (all_keys, all_values)


@wrong(named=None)
def a_single_new_token_only(queries, keys, values, cache=None):
    assert queries.shape[2] == 1, "one token at a time"
    return tril_with_an_offset(queries, keys, values, cache)
