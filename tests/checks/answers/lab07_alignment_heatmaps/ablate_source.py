"""Answers to `ablate_source`, as students write them: right in many styles, wrong in many ways."""

import torch

from tests.checks.bank import Bank

BANK = Bank("ablate_source")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def by_where(weights, position):
    rest = weights.clone()
    rest[:, position] = 0
    total = rest.sum(dim=-1, keepdim=True)
    uniform = torch.full_like(rest, 1 / (weights.shape[1] - 1))
    uniform[:, position] = 0
    return torch.where(total > 0, rest / total, uniform)


@right
def by_loops_over_rows(weights, position):
    rows = []
    for row in weights.tolist():
        row[position] = 0.0
        total = sum(row)
        if total == 0:
            row = [0.0 if s == position else 1.0 / (len(row) - 1) for s in range(len(row))]
        else:
            row = [weight / total for weight in row]
        rows.append(row)
    return torch.tensor(rows, dtype=weights.dtype)


@right
def by_a_mask(weights, position):
    keep = torch.ones(weights.shape[1], dtype=torch.bool)
    keep[position] = False
    rest = torch.where(keep, weights, 0)
    bare = ~(rest > 0).any(dim=1)
    rest[bare] = keep.to(weights.dtype)
    return rest / rest.sum(1, keepdim=True)


@right
def by_cutting_and_joining(weights, position):
    left, right_part = weights[:, :position], weights[:, position + 1 :]
    others = torch.cat([left, right_part], dim=1)
    total = others.sum(1, keepdim=True)
    others = torch.where(total == 0, torch.ones_like(others), others)
    others = others / others.sum(1, keepdim=True)
    nothing = weights.new_zeros(len(weights), 1)
    return torch.cat([others[:, :position], nothing, others[:, position:]], dim=1)


@right
def by_what_is_left_of_1(weights, position):
    left = 1 - weights[:, [position]]
    column = torch.nn.functional.one_hot(torch.tensor(position), weights.shape[1]).to(weights.dtype)
    uniform = (1 - column) / (weights.shape[1] - 1)
    return torch.where(left == 0, uniform, weights * (1 - column) / left)


@right
def by_a_masked_softmax_of_logarithms(weights, position):
    logs = weights.log()
    logs[:, position] = -torch.inf
    bare = logs.isneginf().all(-1)
    logs[bare] = 0.0
    logs[:, position] = -torch.inf
    return logs.softmax(-1)


# === Wrong ============================================================================================================


@wrong(named="not-renormalised")
def column_cleared_only(weights, position):
    result = weights.clone()
    result[:, position] = 0
    return result


@wrong(named="nan-row")
def zero_by_zero(weights, position):
    result = weights.clone()
    result[:, position] = 0
    return result / result.sum(-1, keepdim=True)


@wrong(named="bare-row")
def nan_turned_to_0(weights, position):
    return zero_by_zero(weights, position).nan_to_num(0.0)


@wrong(named="bare-row")
def a_little_in_the_denominator(weights, position):
    result = column_cleared_only(weights, position)
    return result / (result.sum(-1, keepdim=True) + 1e-9)


@wrong(named="bare-row")
def removed_token_gets_its_share(weights, position):
    return zero_by_zero(weights, position).nan_to_num(1 / weights.shape[1])


@wrong(named="bare-row")
def removed_token_left_in_a_bare_row(weights, position):
    result = zero_by_zero(weights, position)
    return torch.where(result.isnan(), weights, result)


@wrong(named="all-rows-uniform")
def one_bare_row_for_all(weights, position):
    result = column_cleared_only(weights, position)
    if (result.sum(-1) == 0).any():
        result = torch.ones_like(weights)
        result[:, position] = 0
    return result / result.sum(-1, keepdim=True)


@wrong(named="nearly-all-taken-for-all")
def nearly_all(weights, position):
    rest = column_cleared_only(weights, position)
    uniform = by_where(torch.eye(weights.shape[1], dtype=weights.dtype)[[position]], position)
    return torch.where(weights[:, [position]] > 0.99, uniform, rest / rest.sum(-1, keepdim=True).clamp_min(1e-9))


@wrong(named="shared-equally")
def handed_out_in_equal_parts(weights, position):
    result = weights + weights[:, [position]] / (weights.shape[1] - 1)
    result[:, position] = 0
    return result


@wrong(named="softmax-twice")
def softmax_of_the_rest(weights, position):
    result = weights.clone()
    result[:, position] = -torch.inf
    return result.softmax(-1)


@wrong(named="wrong-axis")
def row_cleared(weights, position):
    result = weights.clone()
    result[position % len(weights)] = 0
    return result / result.sum(-1, keepdim=True).clamp_min(1e-9)


@wrong(named="wrong-axis")
def normalised_over_the_targets(weights, position):
    rest = column_cleared_only(weights, position)
    bare = rest.sum(-1, keepdim=True) == 0
    uniform = by_where(torch.eye(weights.shape[1], dtype=weights.dtype)[[position]], position)
    return torch.where(bare, uniform, rest / rest.sum(0, keepdim=True).clamp_min(1e-9))


@wrong(named="wrong-axis")
def normalised_over_everything(weights, position):
    rest = column_cleared_only(weights, position)
    bare = rest.sum(-1, keepdim=True) == 0
    uniform = by_where(torch.eye(weights.shape[1], dtype=weights.dtype)[[position]], position)
    return torch.where(bare, uniform, rest / rest.sum() * len(rest))


@wrong(named="column-cut-out")
def one_column_less(weights, position):
    others = torch.cat([weights[:, :position], weights[:, position + 1 :]], dim=1)
    return others / others.sum(1, keepdim=True)


@wrong(named="another-column")
def counted_from_one(weights, position):
    return by_where(weights, position - 1)


@wrong(named="writes-into-arguments")
def in_place(weights, position):
    weights[:, position] = 0
    return by_a_mask(weights, position)


@wrong(named="writes-into-arguments")
def through_a_view(weights, position):
    rest = weights.view(weights.shape)
    rest[:, position] = 0
    return by_where(rest, position)


@wrong(named="type-changed")
def always_float32(weights, position):
    return by_where(weights.float(), position)


@wrong(named="type-changed")
def uniform_in_float32(weights, position):
    rest = column_cleared_only(weights, position)
    uniform = torch.ones(weights.shape) / (weights.shape[1] - 1)
    uniform[:, position] = 0
    total = rest.sum(-1, keepdim=True)
    return torch.where(total == 0, uniform, rest / total)


@wrong(named="nothing-returned")
def kept_to_itself(weights, position):
    by_where(weights, position)


@wrong(named=None)
def right_for_one_row_only(weights, position):
    rest = column_cleared_only(weights, position)
    total = rest[0].sum()
    return rest / total if total > 0 else by_where(weights, position)


@wrong(named="small-sizes-only")
def a_list_of_sixty_four(weights, position):
    ablated = weights.clone()
    ablated[:, position] = 0
    rest = ablated[:, :64].sum(-1, keepdim=True)
    even = torch.ones_like(weights)
    even[:, position] = 0
    return torch.where(rest == 0, even / (weights.shape[1] - 1), ablated / rest)
