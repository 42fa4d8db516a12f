"""Answers to `gradient_norms`, as students write them: right in many styles, wrong in many ways."""

import math

import torch

from tests.checks.answers.lab02_scaled_dot_product.dot_product_scores import by_bmm
from tests.checks.answers.lab02_scaled_dot_product.softmax_jacobian import diagonal_minus_outer, identity_minus_row
from tests.checks.bank import Bank

BANK = Bank("gradient_norms")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def a_batch_of_trials(dims, scaled, num_keys, trials, generator):
    norms = torch.zeros(len(dims))
    for i, d in enumerate(dims):
        q = torch.randn(trials, 1, d, generator=generator)
        k = torch.randn(trials, num_keys, d, generator=generator)
        p = by_bmm(q, k, scaled).softmax(-1).squeeze(1)
        norms[i] = diagonal_minus_outer(p).norm(dim=(1, 2)).mean()
    return norms


@right
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


@right
def without_the_matrix(dims, scaled, num_keys, trials, generator):
    """‖diag(p) − ppᵀ‖² = Σp² − 2Σp³ + (Σp²)²."""

    def mean_norm(d):
        draws = torch.randn(trials, num_keys + 1, d, generator=generator, dtype=torch.float64)
        p = torch.einsum("td,tkd->tk", draws[:, 0], draws[:, 1:]).div(d**0.5 if scaled else 1).softmax(1)
        squares = (p**2).sum(1)
        return (squares - 2 * (p**3).sum(1) + squares**2).clamp(min=0).sqrt().mean()

    return torch.stack([mean_norm(d) for d in dims])


@right
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


@right
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


# === Wrong ============================================================================================================


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


@wrong(named="scaled-ignored")
def never_scaled(*args):
    return norms_with(scale=lambda d, scaled: 1.0)(*args)


@wrong(named="scaled-ignored")
def always_scaled(*args):
    return norms_with(scale=lambda d, scaled: math.sqrt(d))(*args)


@wrong(named="divides-by-d")
def scaled_by_d(*args):
    return norms_with(scale=lambda d, scaled: d if scaled else 1.0)(*args)


@wrong(named="norm-of-mean")
def norm_of_the_mean(*args):
    return norms_with(norm=lambda jacobians: jacobians.mean(0).norm())(*args)


@wrong(named="softmax-over-trials")
def over_the_trials(*args):
    return norms_with(weights=lambda scores: scores.softmax(0))(*args)


@wrong(named="squared-norm")
def no_root(*args):
    return norms_with(norm=lambda jacobians: jacobians.square().sum((1, 2)).mean())(*args)


@wrong(named="sum-for-mean")
def summed_up(*args):
    return norms_with(norm=lambda jacobians: jacobians.norm(dim=(1, 2)).sum())(*args)


@wrong(named="other-norm")
def spectral(*args):
    return norms_with(norm=lambda jacobians: torch.linalg.matrix_norm(jacobians, ord=2).mean())(*args)


@wrong(named="shared-draw")
def the_same_keys(*args):
    return norms_with(shared="k")(*args)


@wrong(named="shared-draw")
def the_same_query(*args):
    return norms_with(shared="q")(*args)


@wrong(named="order-of-dims")
def sorted_first(dims, *others):
    return a_batch_of_trials(sorted(dims), *others)


@wrong(named="not-a-tensor")
def a_list(*args):
    return a_batch_of_trials(*args).tolist()


@wrong(named="ignores-generator")
def keys_without_the_generator(dims, scaled, num_keys, trials, generator):
    norms = []
    for d in dims:
        q, k = torch.randn(trials, 1, d, generator=generator), torch.randn(trials, num_keys, d)
        norms.append(diagonal_minus_outer(by_bmm(q, k, scaled).softmax(-1).squeeze(1)).norm(dim=(1, 2)).mean())
    return torch.stack(norms)


@wrong(named="writes-into-arguments")
def dims_used_up(dims, *others):
    norms = []
    while dims:
        norms.append(a_batch_of_trials([dims.pop(0)], *others))
    return torch.cat(norms)


@wrong(named="another-number-of-keys")
def one_key_too_many(dims, scaled, num_keys, trials, generator):
    return a_batch_of_trials(dims, scaled, num_keys + 1, trials, generator)


@wrong(named="another-number-of-keys")
def two_keys_at_least(dims, scaled, num_keys, trials, generator):
    """As if a softmax of one score were no softmax."""
    return trial_by_trial(dims, scaled, max(2, num_keys), trials, generator)


@wrong(named="one-number-for-all-widths")
def one_number_for_all(*args):
    return a_batch_of_trials(*args).mean()


@wrong(named="one-number-for-all-widths")
def all_trials_in_one_list(dims, scaled, num_keys, trials, generator):
    norms = []
    for d in dims:
        for _ in range(trials):
            norms.append(trial_by_trial([d], scaled, num_keys, 1, generator)[0])
    return torch.stack(norms).mean()


@wrong(named="largest-for-mean")
def the_largest_norm(*args):
    return norms_with(norm=lambda jacobians: jacobians.norm(dim=(1, 2)).max())(*args)


@wrong(named="largest-for-mean")
def the_largest_so_far(dims, scaled, num_keys, trials, generator):
    largest = torch.zeros(len(dims))
    for i, d in enumerate(dims):
        for _ in range(trials):
            largest[i] = max(largest[i], trial_by_trial([d], scaled, num_keys, 1, generator)[0])
    return largest


@wrong(named="fourth-root")
def nearest_power_of_the_scale(*args):
    """The cube root where the square root should be: the same for d = 1."""
    return norms_with(scale=lambda d, scaled: d ** (1 / 4) if scaled else 1.0)(*args)


@wrong(named="fourth-root")
def only_the_query_is_scaled(dims, scaled, num_keys, trials, generator):
    """By the root of the root, as if the keys were to follow."""
    norms = []
    for d in dims:
        q = torch.randn(trials, 1, d, generator=generator)
        k = torch.randn(trials, num_keys, d, generator=generator)
        if scaled:
            q = q / math.sqrt(math.sqrt(d))
        p = torch.softmax(q @ k.transpose(1, 2), dim=-1)[:, 0]
        norms.append(diagonal_minus_outer(p).norm(dim=(1, 2)).mean())
    return torch.stack(norms)
