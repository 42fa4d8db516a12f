"""Answers to `softmax_jacobian`, as students write them: right in many styles, wrong in many ways."""

import torch
import torch.nn.functional as F

from tests.checks.bank import Bank

BANK = Bank("softmax_jacobian")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def diagonal_minus_outer(weights):
    return torch.diag_embed(weights) - weights[..., :, None] * weights[..., None, :]


@right
def identity_minus_row(weights):
    eye = torch.eye(weights.shape[-1], dtype=weights.dtype, device=weights.device)
    return weights.unsqueeze(-1) * (eye - weights.unsqueeze(-2))


@right
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


@right
def einsum_and_flatten(weights):
    flat = weights.reshape(-1, weights.shape[-1])
    matrices = torch.stack([torch.diag(row) for row in flat]) - torch.einsum("ni,nj->nij", flat, flat)
    return matrices.reshape(*weights.shape, weights.shape[-1])


@right
def by_matmul(weights):
    column = weights.unsqueeze(-1)
    return torch.diag_embed(weights) - column @ column.transpose(-1, -2)


@right
def by_the_two_cases(weights):
    same = torch.eye(weights.shape[-1], dtype=torch.bool)
    on, off = weights * (1 - weights), -weights.unsqueeze(-1) * weights.unsqueeze(-2)
    return torch.where(same, on.unsqueeze(-1), off)


@right
def differentiated_by_autograd(weights):
    """The softmax's derivative at log p, whose softmax is p."""
    flat = weights.clamp(min=torch.finfo(weights.dtype).tiny).log().reshape(-1, weights.shape[-1])
    rows = [
        torch.autograd.functional.jacobian(lambda s: s.softmax(-1), row, create_graph=weights.requires_grad)
        for row in flat
    ]
    return torch.stack(rows).reshape(*weights.shape, -1)


# === Wrong ============================================================================================================


@wrong(named="diagonal-only")
def the_diagonal(weights):
    return torch.diag_embed(weights * (1 - weights))


@wrong(named="diagonal-only")
def a_vector(weights):
    return weights * (1 - weights)


@wrong(named="diagonal-missing")
def off_the_diagonal_only(weights):
    return -weights[..., None] * weights[..., None, :]


@wrong(named="plus-for-minus")
def plus(weights):
    return torch.diag_embed(weights) + weights[..., None] * weights[..., None, :]


@wrong(named="all-signs-reversed")
def the_other_sign(weights):
    return weights[..., None] * weights[..., None, :] - torch.diag_embed(weights)


@wrong(named="rows-do-not-sum-to-0")
def squared_twice(weights):
    return torch.diag_embed(weights - weights**2) - weights[..., None] * weights[..., None, :]


@wrong(named="rows-do-not-sum-to-0")
def without_the_delta(weights):
    return weights[..., :, None] * (1 - weights[..., None, :])


@wrong(named="softmax-twice")
def softmax_twice(weights):
    return diagonal_minus_outer(F.softmax(weights, dim=-1))


@wrong(named="with-respect-to-weights")
def the_identity(weights):
    return torch.eye(weights.shape[-1]).to(weights.dtype).repeat(*weights.shape[:-1], 1, 1)


@wrong(named="one-vector-only")
def for_a_vector(weights):
    return torch.diag(weights) - torch.outer(weights, weights)


@wrong(named="one-number-of-axes-only")
def for_a_batch(weights):
    return torch.diag_embed(weights) - torch.bmm(weights.unsqueeze(2), weights.unsqueeze(1))


@wrong(named="inner-product")
def an_inner_product(weights):
    return torch.diag_embed(weights) - (weights * weights).sum(-1, keepdim=True).unsqueeze(-1)


@wrong(named="writes-into-arguments")
def weights_negated_in_place(weights):
    result = diagonal_minus_outer(weights)
    with torch.no_grad():
        weights.neg_()
    return result


@wrong(named="detached-gradient")
def rebuilt_from_numbers(weights):
    return torch.tensor(diagonal_minus_outer(weights).tolist(), dtype=weights.dtype)


@wrong(named="type-changed")
def an_eye_of_float32(weights):
    return weights.unsqueeze(-1) * (torch.eye(weights.shape[-1]) - weights.unsqueeze(-2))


@wrong(named=None)
def right_for_two_keys_only(weights):
    """For N = 2 every entry is ± p₁p₂."""
    product = weights.prod(-1)[..., None, None]
    eye = torch.eye(weights.shape[-1]).to(weights.dtype)
    return product * (2 * eye - 1)


@wrong(named="zero-weight-nan")
def one_divided_by_nothing(weights):
    """Divides each weight by itself on the way: NaN where it is 0."""
    return diagonal_minus_outer(weights * weights / weights)


@wrong(named="one-vector-only")
def all_pairs_of_the_batch(weights):
    return torch.diag_embed(weights) - torch.tensordot(weights, weights, dims=0).squeeze()


@wrong(named="small-sizes-only")
def loops_of_fifty(weights):
    n = weights.shape[-1]
    jacobian = torch.zeros(*weights.shape, n, dtype=weights.dtype)
    for i in range(min(n, 50)):
        for j in range(min(n, 50)):
            jacobian[..., i, j] = weights[..., i] * (float(i == j) - weights[..., j])
    return jacobian


@wrong(named=None)
def kept_for_each_shape(weights):
    key = (weights.shape, weights.dtype, weights.requires_grad)
    if key not in _JACOBIANS:
        _JACOBIANS[key] = torch.diag_embed(weights) - weights[..., :, None] * weights[..., None, :]
    return _JACOBIANS[key]


_JACOBIANS: dict = {}
