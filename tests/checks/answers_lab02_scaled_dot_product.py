"""Answers to lab 2, as students write them: right in many styles, wrong in many ways."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tests.checks.bank import Bank

BANK = Bank()
right, wrong = BANK.right, BANK.wrong

# === dot_product_scores: right ========================================================================================


@right("dot_product_scores")
def by_bmm(queries, keys, scaled=True):
    scores = torch.bmm(queries, keys.transpose(1, 2))
    if scaled:
        scores = scores / math.sqrt(queries.size(-1))
    return scores


@right("dot_product_scores")
def by_einsum(queries, keys, scaled=True):
    return torch.einsum("bqd,bkd->bqk", queries, keys) * (queries.shape[2] ** -0.5 if scaled else 1.0)


@right("dot_product_scores")
def by_broadcasting(queries, keys, scaled=True):
    products = queries[:, :, None, :] * keys[:, None, :, :]
    return products.sum(-1) / (queries.shape[-1] ** 0.5 if scaled else 1)


@right("dot_product_scores")
def by_loops(queries, keys, scaled=True):
    rows = []
    for b in range(queries.shape[0]):
        for query in queries[b]:
            rows.append(torch.stack([torch.dot(query, key) for key in keys[b]]))
    scores = torch.stack(rows).view(queries.shape[0], queries.shape[1], keys.shape[1])
    return scores / math.sqrt(queries.shape[2]) if scaled else scores


@right("dot_product_scores")
def scaled_on_one_side(queries, keys, scaled=True):
    """Names PyTorch's F.scaled_dot_product_attention here, and doesn't use it."""
    # F.scaled_dot_product_attention would do all of this, and nn.MultiheadAttention even more.
    d = torch.tensor(keys.shape[-1], dtype=queries.dtype)
    return (queries / d.sqrt() if scaled else queries).matmul(keys.permute(0, 2, 1))


@right("dot_product_scores")
def fourth_root_on_each_side(queries, keys, scaled=True):
    root = keys.shape[-1] ** 0.25 if scaled else 1.0
    return (queries / root) @ (keys / root).mT


@right("dot_product_scores")
def with_vmap(queries, keys, scaled=True):
    return torch.vmap(lambda q, k: q @ k.T)(queries, keys) / (math.sqrt(queries.shape[-1]) if scaled else 1.0)


# === dot_product_scores: wrong ========================================================================================


@wrong("dot_product_scores", named="divides-by-d")
def divided_by_d(queries, keys, scaled=True):
    scores = torch.bmm(queries, keys.transpose(1, 2))
    return scores / queries.shape[-1] if scaled else scores


@wrong("dot_product_scores", named="divides-by-d")
def both_divided_by_the_root(queries, keys, scaled=True):
    if scaled:
        queries, keys = queries / math.sqrt(queries.shape[-1]), keys / math.sqrt(keys.shape[-1])
    return torch.einsum("bqd,bkd->bqk", queries, keys)


@wrong("dot_product_scores", named="multiplies-by-root-d")
def multiplied_by_the_root(queries, keys, scaled=True):
    return by_bmm(queries, keys, False) * (queries.shape[-1] ** 0.5 if scaled else 1)


@wrong("dot_product_scores", named="root-of-key-count")
def root_of_the_key_count(queries, keys, scaled=True):
    return by_bmm(queries, keys, False) / (math.sqrt(keys.shape[1]) if scaled else 1)


@wrong("dot_product_scores", named="always-scales")
def scaled_either_way(queries, keys, scaled=True):
    return by_bmm(queries, keys)


@wrong("dot_product_scores", named="never-scales")
def scale_forgotten(queries, keys, scaled=True):
    return torch.bmm(queries, keys.permute(0, 2, 1))


@wrong("dot_product_scores", named="unscaled-by-default")
def plain_by_default(queries, keys, scaled=False):
    return by_bmm(queries, keys, scaled)


@wrong("dot_product_scores", named="transposes-wrong-axes")
def queries_transposed(queries, keys, scaled=True):
    return queries.transpose(1, 2) @ keys / (math.sqrt(queries.shape[-1]) if scaled else 1)


@wrong("dot_product_scores", named="transposes-wrong-axes")
def batch_transposed(queries, keys, scaled=True):
    return torch.matmul(queries, keys.transpose(0, 1)) / (math.sqrt(queries.shape[-1]) if scaled else 1)


@wrong("dot_product_scores", named="queries-and-keys-swapped")
def right_for_symmetric_scores_only(queries, keys, scaled=True):
    return by_einsum(keys, queries, scaled)


@wrong("dot_product_scores", named="reshape-for-transpose")
def keys_viewed(queries, keys, scaled=True):
    batch, num_keys, d = keys.shape
    return queries @ keys.reshape(batch, d, num_keys) / (math.sqrt(d) if scaled else 1)


@wrong("dot_product_scores", named="elementwise-product")
def right_for_as_many_queries_as_keys(queries, keys, scaled=True):
    return (queries * keys).sum(-1) / (math.sqrt(queries.shape[-1]) if scaled else 1)


@wrong("dot_product_scores", named="softmax-inside")
def weights_already(queries, keys, scaled=True):
    return F.softmax(by_bmm(queries, keys, scaled), dim=-1)


@wrong("dot_product_scores", named="one-sequence-for-all")
def right_for_one_sequence(queries, keys, scaled=True):
    return queries @ keys[0].T / (math.sqrt(queries.shape[-1]) if scaled else 1)


@wrong("dot_product_scores", named="batch-axis-lost")
def squeezed(queries, keys, scaled=True):
    return by_bmm(queries, keys, scaled).squeeze()


@wrong("dot_product_scores", named="writes-into-arguments")
def queries_scaled_in_place(queries, keys, scaled=True):
    if scaled:
        with torch.no_grad():
            queries /= math.sqrt(queries.shape[-1])
    return by_bmm(queries, keys, False)


@wrong("dot_product_scores", named="detached-gradient")
def through_numpy(queries, keys, scaled=True):
    return by_bmm(queries.detach(), keys.detach(), scaled)


@wrong("dot_product_scores", named="detached-gradient")
def keys_without_a_gradient(queries, keys, scaled=True):
    return by_bmm(queries, keys.data, scaled)


@wrong("dot_product_scores", named="type-changed")
def single_precision(queries, keys, scaled=True):
    return by_bmm(queries.float(), keys.float(), scaled)


@wrong("dot_product_scores", named=None)
def right_for_float32_only(queries, keys, scaled=True):
    scale = torch.tensor(math.sqrt(queries.shape[-1]) if scaled else 1.0)
    return torch.bmm(queries, keys.mT.float()) / scale


@wrong("dot_product_scores", named=None)
def root_rounded_to_a_whole_number(queries, keys, scaled=True):
    return by_bmm(queries, keys, False) / (math.isqrt(queries.shape[-1]) if scaled else 1)


def _remembering():
    known = {}

    def cached_by_shape(queries, keys, scaled=True):
        key = (queries.shape, keys.shape, scaled)
        if key not in known:
            known[key] = by_bmm(queries, keys, scaled).detach()
        return known[key]

    return cached_by_shape


wrong("dot_product_scores", named=None)(_remembering())


# === softmax_jacobian: right ==========================================================================================


@right("softmax_jacobian")
def diagonal_minus_outer(weights):
    return torch.diag_embed(weights) - weights[..., :, None] * weights[..., None, :]


@right("softmax_jacobian")
def identity_minus_row(weights):
    eye = torch.eye(weights.shape[-1], dtype=weights.dtype, device=weights.device)
    return weights.unsqueeze(-1) * (eye - weights.unsqueeze(-2))


@right("softmax_jacobian")
def entry_by_entry(weights):
    n = weights.shape[-1]
    rows = [
        torch.stack(
            [weights[..., i] * ((1 if i == j else 0) - weights[..., j]) for j in range(n)],
            dim=-1,
        )
        for i in range(n)
    ]
    return torch.stack(rows, dim=-2)


@right("softmax_jacobian")
def einsum_and_flatten(weights):
    flat = weights.reshape(-1, weights.shape[-1])
    matrices = torch.stack([torch.diag(row) for row in flat]) - torch.einsum("ni,nj->nij", flat, flat)
    return matrices.reshape(*weights.shape, weights.shape[-1])


@right("softmax_jacobian")
def by_matmul(weights):
    column = weights.unsqueeze(-1)
    return torch.diag_embed(weights) - column @ column.transpose(-1, -2)


@right("softmax_jacobian")
def by_the_two_cases(weights):
    same = torch.eye(weights.shape[-1], dtype=torch.bool)
    on, off = weights * (1 - weights), -weights.unsqueeze(-1) * weights.unsqueeze(-2)
    return torch.where(same, on.unsqueeze(-1), off)


@right("softmax_jacobian")
def differentiated_by_autograd(weights):
    """The softmax's derivative at log p, whose softmax is p."""
    flat = weights.clamp(min=torch.finfo(weights.dtype).tiny).log().reshape(-1, weights.shape[-1])
    rows = [
        torch.autograd.functional.jacobian(lambda s: s.softmax(-1), row, create_graph=weights.requires_grad)
        for row in flat
    ]
    return torch.stack(rows).reshape(*weights.shape, -1)


# === softmax_jacobian: wrong ==========================================================================================


@wrong("softmax_jacobian", named="diagonal-only")
def the_diagonal(weights):
    return torch.diag_embed(weights * (1 - weights))


@wrong("softmax_jacobian", named="diagonal-only")
def a_vector(weights):
    return weights * (1 - weights)


@wrong("softmax_jacobian", named="diagonal-missing")
def off_the_diagonal_only(weights):
    return -weights[..., None] * weights[..., None, :]


@wrong("softmax_jacobian", named="plus-for-minus")
def plus(weights):
    return torch.diag_embed(weights) + weights[..., None] * weights[..., None, :]


@wrong("softmax_jacobian", named="all-signs-reversed")
def the_other_sign(weights):
    return weights[..., None] * weights[..., None, :] - torch.diag_embed(weights)


@wrong("softmax_jacobian", named="rows-do-not-sum-to-0")
def squared_twice(weights):
    return torch.diag_embed(weights - weights**2) - weights[..., None] * weights[..., None, :]


@wrong("softmax_jacobian", named="rows-do-not-sum-to-0")
def without_the_delta(weights):
    return weights[..., :, None] * (1 - weights[..., None, :])


@wrong("softmax_jacobian", named="weights-taken-for-scores")
def softmax_twice(weights):
    return diagonal_minus_outer(F.softmax(weights, dim=-1))


@wrong("softmax_jacobian", named="with-respect-to-weights")
def the_identity(weights):
    return torch.eye(weights.shape[-1]).to(weights.dtype).repeat(*weights.shape[:-1], 1, 1)


@wrong("softmax_jacobian", named="one-vector-only")
def for_a_vector(weights):
    return torch.diag(weights) - torch.outer(weights, weights)


@wrong("softmax_jacobian", named="one-number-of-axes-only")
def for_a_batch(weights):
    return torch.diag_embed(weights) - torch.bmm(weights.unsqueeze(2), weights.unsqueeze(1))


@wrong("softmax_jacobian", named="inner-product")
def an_inner_product(weights):
    return torch.diag_embed(weights) - (weights * weights).sum(-1, keepdim=True).unsqueeze(-1)


@wrong("softmax_jacobian", named="writes-into-weights")
def weights_negated_in_place(weights):
    result = diagonal_minus_outer(weights)
    with torch.no_grad():
        weights.neg_()
    return result


@wrong("softmax_jacobian", named="detached-gradient")
def rebuilt_from_numbers(weights):
    return torch.tensor(diagonal_minus_outer(weights).tolist(), dtype=weights.dtype)


@wrong("softmax_jacobian", named="type-changed")
def an_eye_of_float32(weights):
    return weights.unsqueeze(-1) * (torch.eye(weights.shape[-1]) - weights.unsqueeze(-2))


@wrong("softmax_jacobian", named=None)
def right_for_two_keys_only(weights):
    """For N = 2 every entry is ± p₁p₂."""
    product = weights.prod(-1)[..., None, None]
    eye = torch.eye(weights.shape[-1]).to(weights.dtype)
    return product * (2 * eye - 1)


@wrong("softmax_jacobian", named="zero-weight-nan")
def one_divided_by_nothing(weights):
    """Divides each weight by itself on the way: NaN where it is 0."""
    return diagonal_minus_outer(weights * weights / weights)


@wrong("softmax_jacobian", named="one-vector-only")
def all_pairs_of_the_batch(weights):
    return torch.diag_embed(weights) - torch.tensordot(weights, weights, dims=0).squeeze()


# === score_variance: right ============================================================================================


@right("score_variance")
def all_at_once(d, trials, generator):
    q, k = torch.randn(2, trials, d, generator=generator)
    return (q * k).sum(-1).var().item()


@right("score_variance")
def pair_by_pair(d, trials, generator):
    scores = []
    for _ in range(trials):
        q = torch.randn(d, generator=generator)
        k = torch.randn(d, generator=generator)
        scores.append(float(q @ k))
    mean = sum(scores) / trials
    return sum((score - mean) ** 2 for score in scores) / (trials - 1)


@right("score_variance")
def in_double_precision_by_numpy(d, trials, generator):
    q = torch.empty(d, trials, dtype=torch.float64).normal_(generator=generator).numpy()
    k = torch.empty(d, trials, dtype=torch.float64).normal_(generator=generator).numpy()
    return np.einsum("dt,dt->t", q, k).var(ddof=1)


@right("score_variance")
def mean_of_squares(d, trials, generator):
    """Divides by the number of trials: the mean is known to be 0."""
    pairs = torch.normal(0.0, 1.0, (trials, 2, d), generator=generator)
    return pairs.prod(dim=1).sum(dim=1).square().mean().item()


@right("score_variance")
def by_bmm_of_rows(d, trials, generator):
    q = torch.randn(trials, 1, d, generator=generator)
    k = torch.randn(trials, d, 1, generator=generator)
    return float(torch.std(torch.bmm(q, k).flatten()) ** 2)


# === score_variance: wrong ============================================================================================


@wrong("score_variance", named="variance-of-entries")
def of_all_products(d, trials, generator):
    q, k = torch.randn(2, trials, d, generator=generator)
    return (q * k).var().item()


@wrong("score_variance", named="variance-of-entries")
def of_the_queries(d, trials, generator):
    return torch.randn(trials, d, generator=generator).var().item()


@wrong("score_variance", named="variance-of-entries")
def of_scaled_scores(d, trials, generator):
    q, k = torch.randn(2, trials, d, generator=generator)
    return ((q * k).sum(-1) / math.sqrt(d)).var().item()


@wrong("score_variance", named="ignores-generator")
def from_nowhere(d, trials, generator):
    q, k = torch.randn(2, trials, d)
    return (q * k).sum(-1).var().item()


@wrong("score_variance", named="ignores-generator")
def keys_from_nowhere(d, trials, generator):
    q, k = torch.randn(trials, d, generator=generator), torch.randn(trials, d)
    return (q * k).sum(-1).var().item()


@wrong("score_variance", named="ignores-generator")
def with_a_fixed_seed(d, trials, generator):
    torch.manual_seed(42)
    q, k = torch.randn(2, trials, d)
    return (q * k).sum(-1).var().item()


@wrong("score_variance", named="standard-deviation")
def the_deviation(d, trials, generator):
    q, k = torch.randn(2, trials, d, generator=generator)
    return (q * k).sum(-1).std().item()


@wrong("score_variance", named="mean-not-variance")
def the_mean(d, trials, generator):
    q, k = torch.randn(2, trials, d, generator=generator)
    return (q * k).sum(-1).mean().item()


@wrong("score_variance", named="product-with-itself")
def q_times_q(d, trials, generator):
    q = torch.randn(trials, d, generator=generator)
    return (q * q).sum(-1).var().item()


@wrong("score_variance", named="uniform-numbers")
def evenly_drawn(d, trials, generator):
    q, k = torch.rand(2, trials, d, generator=generator)
    return (q * k).sum(-1).var().item()


@wrong("score_variance", named="shared-draw")
def one_query_many_keys(d, trials, generator):
    q = torch.randn(d, generator=generator)
    return (torch.randn(trials, d, generator=generator) @ q).var().item()


@wrong("score_variance", named="ignores-trials")
def a_thousand_trials(d, trials, generator):
    return all_at_once(d, 1000, generator)


@wrong("score_variance", named="not-a-float")
def a_tensor(d, trials, generator):
    q, k = torch.randn(2, trials, d, generator=generator)
    return (q * k).sum(-1).var()


@wrong("score_variance", named="ignores-generator")
def known_without_drawing(d, trials, generator):
    return float(d)


@wrong("score_variance", named="ignores-generator")
def same_draw_as_last_time(d, trials, generator):
    """Puts the generator back, so that a second call draws the same."""
    state = generator.get_state()
    variance = all_at_once(d, trials, generator)
    generator.set_state(state)
    return variance


@wrong("score_variance", named=None)
def forgets_the_last_entry(d, trials, generator):
    q, k = torch.randn(2, trials, d, generator=generator)
    return (q * k)[:, : d // 2].sum(-1).var().item()


# === gradient_norms: right ============================================================================================


@right("gradient_norms")
def a_batch_of_trials(dims, scaled, num_keys, trials, generator):
    norms = torch.zeros(len(dims))
    for i, d in enumerate(dims):
        q = torch.randn(trials, 1, d, generator=generator)
        k = torch.randn(trials, num_keys, d, generator=generator)
        p = by_bmm(q, k, scaled).softmax(-1).squeeze(1)
        norms[i] = diagonal_minus_outer(p).norm(dim=(1, 2)).mean()
    return norms


@right("gradient_norms")
def trial_by_trial(dims, scaled, num_keys, trials, generator):
    results = []
    for d in dims:
        total = 0.0
        for _ in range(trials):
            keys = torch.randn(num_keys, d, generator=generator)
            scores = keys @ torch.randn(d, generator=generator)
            p = torch.softmax(scores / math.sqrt(d) if scaled else scores, dim=0)
            total += torch.linalg.norm(torch.diag(p) - torch.outer(p, p)).item()
        results.append(total / trials)
    return torch.tensor(results)


@right("gradient_norms")
def without_the_matrix(dims, scaled, num_keys, trials, generator):
    """‖diag(p) − ppᵀ‖² = Σp² − 2Σp³ + (Σp²)²."""

    def mean_norm(d):
        draws = torch.randn(trials, num_keys + 1, d, generator=generator, dtype=torch.float64)
        p = torch.einsum("td,tkd->tk", draws[:, 0], draws[:, 1:]).div(d**0.5 if scaled else 1).softmax(1)
        squares = (p**2).sum(1)
        return (squares - 2 * (p**3).sum(1) + squares**2).clamp(min=0).sqrt().mean()

    return torch.stack([mean_norm(d) for d in dims])


@right("gradient_norms")
def shared_among_the_widths(dims, scaled, num_keys, trials, generator):
    """Draws for the widest, and cuts for the others."""
    widest = max(dims)
    q = torch.randn(trials, widest, 1, generator=generator)
    k = torch.randn(trials, num_keys, widest, generator=generator)
    norms = []
    for d in dims:
        p = (k[:, :, :d] @ q[:, :d]).squeeze(2).mul(d**-0.5 if scaled else 1).softmax(-1)
        norms.append(identity_minus_row(p).square().sum((1, 2)).sqrt().mean().item())
    return torch.tensor(norms)


@right("gradient_norms")
def row_by_row_of_the_jacobian(dims, scaled, num_keys, trials, generator):
    """Each row of the Jacobian by autograd, for all trials at once."""
    norms = []
    for d in dims:
        scores = (
            torch.randn(trials, num_keys, d, generator=generator) * torch.randn(trials, 1, d, generator=generator)
        ).sum(-1)
        scores = (scores / math.sqrt(d) if scaled else scores).requires_grad_()
        p = scores.softmax(-1)
        rows = [torch.autograd.grad(p[:, i].sum(), scores, retain_graph=True)[0] for i in range(num_keys)]
        norms.append(torch.stack(rows).square().sum((0, 2)).sqrt().mean())
    return torch.stack(norms)


# === gradient_norms: wrong ============================================================================================


def norms_with(norm=None, weights=None, scale=None, shared=""):
    """Gradient norms in a student's style, with one step done another way."""
    norm = norm or (lambda jacobians: jacobians.norm(dim=(1, 2)).mean())
    weights = weights or (lambda scores: scores.softmax(-1))
    scale = scale or (lambda d, scaled: math.sqrt(d) if scaled else 1.0)

    def norms(dims, scaled, num_keys, trials, generator):
        found = []
        for d in dims:
            q = torch.randn(1 if "q" in shared else trials, d, generator=generator)
            k = torch.randn(1 if "k" in shared else trials, num_keys, d, generator=generator)
            p = weights((q[:, None] * k).sum(-1) / scale(d, scaled))
            found.append(norm(diagonal_minus_outer(p)))
        return torch.tensor(found)

    return norms


@wrong("gradient_norms", named="scaled-ignored")
def never_scaled(*args):
    return norms_with(scale=lambda d, scaled: 1.0)(*args)


@wrong("gradient_norms", named="scaled-ignored")
def always_scaled(*args):
    return norms_with(scale=lambda d, scaled: math.sqrt(d))(*args)


@wrong("gradient_norms", named="divides-by-d")
def scaled_by_d(*args):
    return norms_with(scale=lambda d, scaled: d if scaled else 1.0)(*args)


@wrong("gradient_norms", named="norm-of-mean")
def norm_of_the_mean(*args):
    return norms_with(norm=lambda jacobians: jacobians.mean(0).norm())(*args)


@wrong("gradient_norms", named="softmax-over-trials")
def over_the_trials(*args):
    return norms_with(weights=lambda scores: scores.softmax(0))(*args)


@wrong("gradient_norms", named="squared-norm")
def no_root(*args):
    return norms_with(norm=lambda jacobians: jacobians.square().sum((1, 2)).mean())(*args)


@wrong("gradient_norms", named="sum-over-trials")
def summed_up(*args):
    return norms_with(norm=lambda jacobians: jacobians.norm(dim=(1, 2)).sum())(*args)


@wrong("gradient_norms", named="other-norm")
def spectral(*args):
    return norms_with(norm=lambda jacobians: torch.linalg.matrix_norm(jacobians, ord=2).mean())(*args)


@wrong("gradient_norms", named="shared-draw")
def the_same_keys(*args):
    return norms_with(shared="k")(*args)


@wrong("gradient_norms", named="shared-draw")
def the_same_query(*args):
    return norms_with(shared="q")(*args)


@wrong("gradient_norms", named="order-of-dims")
def sorted_first(dims, *others):
    return a_batch_of_trials(sorted(dims), *others)


@wrong("gradient_norms", named="not-a-tensor")
def a_list(*args):
    return a_batch_of_trials(*args).tolist()


@wrong("gradient_norms", named="ignores-generator")
def keys_without_the_generator(dims, scaled, num_keys, trials, generator):
    norms = []
    for d in dims:
        q, k = torch.randn(trials, 1, d, generator=generator), torch.randn(trials, num_keys, d)
        norms.append(diagonal_minus_outer(by_bmm(q, k, scaled).softmax(-1).squeeze(1)).norm(dim=(1, 2)).mean())
    return torch.stack(norms)


@wrong("gradient_norms", named="writes-into-dims")
def dims_used_up(dims, *others):
    norms = []
    while dims:
        norms.append(a_batch_of_trials([dims.pop(0)], *others))
    return torch.cat(norms)


@wrong("gradient_norms", named=None)
def one_key_too_many(dims, scaled, num_keys, trials, generator):
    return a_batch_of_trials(dims, scaled, num_keys + 1, trials, generator)


@wrong("gradient_norms", named=None)
def one_number_for_all(*args):
    return a_batch_of_trials(*args).mean()


@wrong("gradient_norms", named=None)
def the_largest_norm(*args):
    return norms_with(norm=lambda jacobians: jacobians.norm(dim=(1, 2)).max())(*args)


@wrong("gradient_norms", named=None)
def nearest_power_of_the_scale(*args):
    """The cube root where the square root should be: the same for d = 1."""
    return norms_with(scale=lambda d, scaled: d ** (1 / 4) if scaled else 1.0)(*args)


# === scaled_dot_product_attention: right ==============================================================================


def mask_of(valid_lens, batch, num_queries, num_keys):
    """True where a key counts: (batch, query, key)."""
    if valid_lens is None:
        return torch.ones(batch, num_queries, num_keys, dtype=torch.bool)
    lengths = valid_lens[:, None].expand(-1, num_queries) if valid_lens.dim() == 1 else valid_lens
    return torch.arange(num_keys) < lengths[..., None]


def masked(scores, valid_lens, fill=-math.inf):
    return scores.masked_fill(~mask_of(valid_lens, *scores.shape), fill)


@right("scaled_dot_product_attention")
def step_by_step(queries, keys, values, valid_lens=None):
    weights = masked(by_bmm(queries, keys), valid_lens).softmax(-1)
    return torch.bmm(weights, values), weights


@right("scaled_dot_product_attention")
def with_einsum(queries, keys, values, valid_lens=None):
    scores = torch.einsum("bqd,bkd->bqk", queries / queries.shape[-1] ** 0.5, keys)
    keep = mask_of(valid_lens, *scores.shape)
    weights = torch.where(keep, scores, torch.finfo(scores.dtype).min).softmax(2)
    return torch.einsum("bqk,bkv->bqv", weights, values), weights


@right("scaled_dot_product_attention")
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


@right("scaled_dot_product_attention")
def exponentials_by_hand(queries, keys, values, valid_lens=None):
    scores = masked(by_broadcasting(queries, keys), valid_lens)
    exps = torch.exp(scores - scores.amax(-1, keepdim=True))
    weights = exps / exps.sum(-1, keepdim=True)
    return (weights.unsqueeze(-1) * values.unsqueeze(1)).sum(2), weights


@right("scaled_dot_product_attention")
def a_list_with_an_added_mask(queries, keys, values, valid_lens=None):
    scores = by_bmm(queries, keys)
    if valid_lens is not None:
        scores = scores + (~mask_of(valid_lens, *scores.shape)).to(scores.dtype) * -1e9
    weights = nn.Softmax(dim=-1)(scores)
    return [weights @ values, weights]


# === scaled_dot_product_attention: wrong ==============================================================================


@wrong("scaled_dot_product_attention", named="never-scales")
def without_the_scale(queries, keys, values, valid_lens=None):
    weights = masked(queries @ keys.mT, valid_lens).softmax(-1)
    return weights @ values, weights


@wrong("scaled_dot_product_attention", named="root-of-value-width")
def scaled_by_the_value_width(queries, keys, values, valid_lens=None):
    """Right wherever values are as wide as keys."""
    weights = masked(queries @ keys.mT / math.sqrt(values.shape[-1]), valid_lens).softmax(-1)
    return weights @ values, weights


@wrong("scaled_dot_product_attention", named="mask-after-softmax")
def softmax_before_the_mask(queries, keys, values, valid_lens=None):
    weights = masked(by_bmm(queries, keys).softmax(-1), valid_lens, 0.0)
    return weights @ values, weights


@wrong("scaled_dot_product_attention", named="mask-after-softmax")
def renormalised(queries, keys, values, valid_lens=None):
    weights = masked(by_bmm(queries, keys).softmax(-1), valid_lens, 0.0)
    weights = weights / weights.sum(-1, keepdim=True)
    return weights @ values, weights


@wrong("scaled_dot_product_attention", named="weights-over-wrong-axis")
def over_the_queries(queries, keys, values, valid_lens=None):
    weights = masked(by_bmm(queries, keys), valid_lens, -1e9 if queries.dtype != torch.float16 else -1e4).softmax(1)
    return weights @ values, weights


@wrong("scaled_dot_product_attention", named="order-of-the-pair")
def weights_first(*args):
    output, weights = step_by_step(*args)
    return weights, output


@wrong("scaled_dot_product_attention", named="not-a-pair")
def output_only(*args):
    return step_by_step(*args)[0]


@wrong("scaled_dot_product_attention", named="pools-keys-for-values")
def keys_for_values(queries, keys, values, valid_lens=None):
    return step_by_step(queries, keys, keys, valid_lens)


@wrong("scaled_dot_product_attention", named="forbidden-call")
def left_to_pytorch(queries, keys, values, valid_lens=None):
    _, weights = step_by_step(queries, keys, values, valid_lens)
    mask = mask_of(valid_lens, *weights.shape)
    return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask), weights


@wrong("scaled_dot_product_attention", named="ignores-lengths")
def lengths_ignored(queries, keys, values, valid_lens=None):
    return step_by_step(queries, keys, values)


@wrong("scaled_dot_product_attention", named="ignores-2d-lengths")
def one_length_a_sequence(queries, keys, values, valid_lens=None):
    lengths = valid_lens[:, 0] if valid_lens is not None and valid_lens.dim() == 2 else valid_lens
    return step_by_step(queries, keys, values, lengths)


@wrong("scaled_dot_product_attention", named="inverted-mask")
def the_padding_only(queries, keys, values, valid_lens=None):
    if valid_lens is None:
        return step_by_step(queries, keys, values)
    scores = by_bmm(queries, keys)
    weights = scores.masked_fill(mask_of(valid_lens, *scores.shape), -math.inf).softmax(-1)
    return weights @ values, weights


@wrong("scaled_dot_product_attention", named="unmasked-weights-returned")
def other_weights_than_used(queries, keys, values, valid_lens=None):
    return step_by_step(queries, keys, values, valid_lens)[0], by_bmm(queries, keys).softmax(-1)


@wrong("scaled_dot_product_attention", named="detached-weights")
def weights_for_a_picture(*args):
    output, weights = step_by_step(*args)
    return output, weights.detach()


@wrong("scaled_dot_product_attention", named="writes-into-arguments")
def keys_scaled_in_place(queries, keys, values, valid_lens=None):
    with torch.no_grad():
        keys /= math.sqrt(keys.shape[-1])
    weights = masked(queries @ keys.mT, valid_lens).softmax(-1)
    return weights @ values, weights


@wrong("scaled_dot_product_attention", named="type-changed")
def softmax_left_in_float32(queries, keys, values, valid_lens=None):
    return step_by_step(queries.float(), keys.float(), values.float(), valid_lens)


@wrong("scaled_dot_product_attention", named="detached-gradient")
def without_a_gradient(queries, keys, values, valid_lens=None):
    with torch.no_grad():
        return step_by_step(queries, keys, values, valid_lens)


@wrong("scaled_dot_product_attention", named=None)
def causal_as_well(queries, keys, values, valid_lens=None):
    """Right for a single key only."""
    scores = masked(by_bmm(queries, keys), valid_lens)
    weights = scores.masked_fill(~torch.ones(scores.shape[1:]).tril().bool(), -math.inf).softmax(-1)
    return weights @ values, weights


@wrong("scaled_dot_product_attention", named=None)
def finite_fill_too_near(queries, keys, values, valid_lens=None):
    weights = masked(by_bmm(queries, keys), valid_lens, -1.0).softmax(-1)
    return weights @ values, weights


@wrong("scaled_dot_product_attention", named="one-length-for-all")
def the_first_length_for_all(queries, keys, values, valid_lens=None):
    lengths = None if valid_lens is None else valid_lens[:1].expand_as(valid_lens)
    return step_by_step(queries, keys, values, lengths)


@wrong("scaled_dot_product_attention", named=None)
def values_not_a_mean(queries, keys, values, valid_lens=None):
    output, weights = step_by_step(queries, keys, values, valid_lens)
    return output / keys.shape[1], weights


@wrong("scaled_dot_product_attention", named="detached-gradient")
def values_lose_their_gradient(queries, keys, values, valid_lens=None):
    return step_by_step(queries, keys, values.detach(), valid_lens)


@wrong("scaled_dot_product_attention", named=None)
def fills_with_ten_thousand(queries, keys, values, valid_lens=None):
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])
    if valid_lens is not None:
        keep = torch.arange(keys.shape[1]) < valid_lens.reshape(len(valid_lens), -1, 1)
        scores = scores.masked_fill(~keep, -1e4)
    weights = scores.softmax(-1)
    return weights @ values, weights
