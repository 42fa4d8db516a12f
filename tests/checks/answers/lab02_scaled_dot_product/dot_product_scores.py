"""Answers to `dot_product_scores`, as students write them: right in many styles, wrong in many ways."""

import math

import torch
import torch.nn.functional as F

from tests.checks.bank import Bank

BANK = Bank("dot_product_scores")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def by_bmm(queries, keys, scaled=True):
    scores = torch.bmm(queries, keys.transpose(1, 2))
    if scaled:
        scores = scores / math.sqrt(queries.size(-1))
    return scores


@right
def by_einsum(queries, keys, scaled=True):
    return torch.einsum("bqd,bkd->bqk", queries, keys) * (queries.shape[2] ** -0.5 if scaled else 1.0)


@right
def by_broadcasting(queries, keys, scaled=True):
    products = queries[:, :, None, :] * keys[:, None, :, :]
    return products.sum(-1) / (queries.shape[-1] ** 0.5 if scaled else 1)


@right
def by_loops(queries, keys, scaled=True):
    rows = []
    for b in range(queries.shape[0]):
        for query in queries[b]:
            rows.append(torch.stack([torch.dot(query, key) for key in keys[b]]))
    scores = torch.stack(rows).view(queries.shape[0], queries.shape[1], keys.shape[1])
    return scores / math.sqrt(queries.shape[2]) if scaled else scores


@right
def scaled_on_one_side(queries, keys, scaled=True):
    """Names PyTorch's F.scaled_dot_product_attention here, and doesn't use it."""
    # F.scaled_dot_product_attention would do all of this, and nn.MultiheadAttention even more.
    d = torch.tensor(keys.shape[-1], dtype=queries.dtype)
    return (queries / d.sqrt() if scaled else queries).matmul(keys.permute(0, 2, 1))


@right
def fourth_root_on_each_side(queries, keys, scaled=True):
    root = keys.shape[-1] ** 0.25 if scaled else 1.0
    return (queries / root) @ (keys / root).mT


@right
def with_vmap(queries, keys, scaled=True):
    return torch.vmap(lambda q, k: q @ k.T)(queries, keys) / (math.sqrt(queries.shape[-1]) if scaled else 1.0)


# === Wrong ============================================================================================================


@wrong(named="divides-by-d")
def divided_by_d(queries, keys, scaled=True):
    scores = torch.bmm(queries, keys.transpose(1, 2))
    return scores / queries.shape[-1] if scaled else scores


@wrong(named="divides-by-d")
def both_divided_by_the_root(queries, keys, scaled=True):
    if scaled:
        queries, keys = queries / math.sqrt(queries.shape[-1]), keys / math.sqrt(keys.shape[-1])
    return torch.einsum("bqd,bkd->bqk", queries, keys)


@wrong(named="multiplies-by-root-d")
def multiplied_by_the_root(queries, keys, scaled=True):
    return by_bmm(queries, keys, False) * (queries.shape[-1] ** 0.5 if scaled else 1)


@wrong(named="root-of-key-count")
def root_of_the_key_count(queries, keys, scaled=True):
    return by_bmm(queries, keys, False) / (math.sqrt(keys.shape[1]) if scaled else 1)


@wrong(named="always-scales")
def scaled_either_way(queries, keys, scaled=True):
    return by_bmm(queries, keys)


@wrong(named="never-scales")
def scale_forgotten(queries, keys, scaled=True):
    return torch.bmm(queries, keys.permute(0, 2, 1))


@wrong(named="unscaled-by-default")
def plain_by_default(queries, keys, scaled=False):
    return by_bmm(queries, keys, scaled)


@wrong(named="transposes-wrong-axes")
def queries_transposed(queries, keys, scaled=True):
    return queries.transpose(1, 2) @ keys / (math.sqrt(queries.shape[-1]) if scaled else 1)


@wrong(named="transposes-wrong-axes")
def batch_transposed(queries, keys, scaled=True):
    return torch.matmul(queries, keys.transpose(0, 1)) / (math.sqrt(queries.shape[-1]) if scaled else 1)


@wrong(named="queries-and-keys-swapped")
def right_for_symmetric_scores_only(queries, keys, scaled=True):
    return by_einsum(keys, queries, scaled)


@wrong(named="reshape-for-transpose")
def keys_viewed(queries, keys, scaled=True):
    batch, num_keys, d = keys.shape
    return queries @ keys.reshape(batch, d, num_keys) / (math.sqrt(d) if scaled else 1)


@wrong(named="elementwise-product")
def right_for_as_many_queries_as_keys(queries, keys, scaled=True):
    return (queries * keys).sum(-1) / (math.sqrt(queries.shape[-1]) if scaled else 1)


@wrong(named="softmax-inside")
def weights_already(queries, keys, scaled=True):
    return F.softmax(by_bmm(queries, keys, scaled), dim=-1)


@wrong(named="one-sequence-for-all")
def right_for_one_sequence(queries, keys, scaled=True):
    return queries @ keys[0].T / (math.sqrt(queries.shape[-1]) if scaled else 1)


@wrong(named="axis-lost")
def squeezed(queries, keys, scaled=True):
    return by_bmm(queries, keys, scaled).squeeze()


@wrong(named="writes-into-arguments")
def queries_scaled_in_place(queries, keys, scaled=True):
    if scaled:
        with torch.no_grad():
            queries /= math.sqrt(queries.shape[-1])
    return by_bmm(queries, keys, False)


@wrong(named="detached-gradient")
def through_numpy(queries, keys, scaled=True):
    return by_bmm(queries.detach(), keys.detach(), scaled)


@wrong(named="detached-gradient")
def keys_without_a_gradient(queries, keys, scaled=True):
    return by_bmm(queries, keys.data, scaled)


@wrong(named="type-changed")
def single_precision(queries, keys, scaled=True):
    return by_bmm(queries.float(), keys.float(), scaled)


@wrong(named="float32-only")
def right_for_float32_only(queries, keys, scaled=True):
    scale = torch.tensor(math.sqrt(queries.shape[-1]) if scaled else 1.0)
    return torch.bmm(queries, keys.mT.float()) / scale


@wrong(named="float32-only")
def keys_copied_into_a_new_tensor(queries, keys, scaled=True):
    turned = torch.zeros(keys.shape[0], keys.shape[2], keys.shape[1])
    for i in range(keys.shape[1]):
        turned[:, :, i] = keys[:, i]
    scores = torch.matmul(queries, turned)
    return scores / math.sqrt(queries.shape[2]) if scaled else scores


@wrong(named="root-rounded")
def root_rounded_to_a_whole_number(queries, keys, scaled=True):
    return by_bmm(queries, keys, False) / (math.isqrt(queries.shape[-1]) if scaled else 1)


@wrong(named="root-rounded")
def root_to_the_nearest_number(queries, keys, scaled=True):
    scores = torch.einsum("bqd,bkd->bqk", queries, keys)
    return scores / round(queries.shape[-1] ** 0.5) if scaled else scores


def _remembering():
    known = {}

    def cached_by_shape(queries, keys, scaled=True):
        key = (queries.shape, keys.shape, scaled)
        if key not in known:
            known[key] = by_bmm(queries, keys, scaled).detach()
        return known[key]

    return cached_by_shape


wrong(named=None)(_remembering())


@wrong(named="small-sizes-only")
def a_loop_over_sixty_four_entries(queries, keys, scaled=True):
    d = queries.shape[-1]
    scores = sum(queries[:, :, i].unsqueeze(2) * keys[:, :, i].unsqueeze(1) for i in range(min(d, 64)))
    return scores / d**0.5 if scaled else scores


@wrong(named=None)
def the_keys_of_the_first_call(queries, keys, scaled=True):
    kept = _TRANSPOSED.setdefault((keys.shape, keys.dtype), keys.detach().clone().transpose(1, 2))
    if not keys.requires_grad and not queries.requires_grad:
        keys = kept.transpose(1, 2)
    scores = queries @ keys.transpose(1, 2)
    return scores / queries.shape[-1] ** 0.5 if scaled else scores


_TRANSPOSED: dict = {}
