"""Answers to `shift_right`, as students write them: right in many styles, wrong in many ways."""

import torch
import torch.nn.functional as F

from tests.checks.bank import Bank

BANK = Bank("shift_right")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def by_cat(targets, start):
    column = torch.full((targets.shape[0], 1), start, dtype=targets.dtype)
    return torch.cat((column, targets[:, :-1]), dim=-1)


@right
def by_roll(targets, start):
    shifted = targets.roll(1, dims=1)
    shifted[:, 0] = start
    return shifted


@right
def by_padding(targets, start):
    return F.pad(targets[:, :-1], (1, 0), value=start)


@right
def by_assignment(targets, start):
    decoder_x = torch.empty_like(targets)
    decoder_x[:, 0] = start
    decoder_x[:, 1:] = targets[:, :-1]
    return decoder_x


@right
def by_lists(targets, start):
    return torch.tensor([[start, *row[:-1]] for row in targets.tolist()])


@right
def by_a_longer_sequence(targets, start):
    return torch.column_stack([torch.zeros_like(targets[:, 0]) + start, targets])[:, :-1]


# === Wrong ============================================================================================================


@wrong(named="drops-first-token")
def first_token_dropped(targets, start):
    return torch.cat([torch.full_like(targets[:, :1], start), targets[:, 1:]], dim=1)


@wrong(named="unshifted")
def as_they_are(targets, start):
    return targets


@wrong(named="shifted-left")
def the_other_way(targets, start):
    return torch.cat([targets[:, 1:], torch.full_like(targets[:, :1], start)], dim=1)


@wrong(named="start-at-the-end")
def start_last(targets, start):
    return torch.cat([targets[:, :-1], torch.full_like(targets[:, :1], start)], dim=1)


@wrong(named="nothing-dropped")
def all_kept(targets, start):
    return F.pad(targets, (1, 0), value=start)


@wrong(named="start-missing")
def without_a_start(targets, start):
    return targets[:, :-1]


@wrong(named="wraps-round")
def rolled(targets, start):
    return torch.roll(targets, 1, 1)


@wrong(named="rows-run-together")
def rolled_without_an_axis(targets, start):
    return torch.roll(targets, 1)


@wrong(named="rows-run-together")
def right_for_one_row(targets, start):
    flat = torch.cat([torch.tensor([start]), targets.reshape(-1)[:-1]])
    return flat.view_as(targets)


@wrong(named="shifts-the-rows")
def along_the_batch(targets, start):
    return torch.cat([torch.full_like(targets[:1], start), targets[:-1]], dim=0)


@wrong(named="ignores-start")
def always_zero(targets, start):
    return F.pad(targets[:, :-1], (1, 0))


@wrong(named="not-whole-numbers")
def floats(targets, start):
    return torch.cat([torch.ones(targets.shape[0], 1) * start, targets[:, :-1]], dim=1)


@wrong(named="writes-into-arguments")
def in_place(targets, start):
    targets[:, 1:] = targets[:, :-1].clone()
    targets[:, 0] = start
    return targets


@wrong(named="one-row-only")
def a_start_for_one_row(targets, start):
    column = torch.zeros_like(targets[:, :1])
    column[0] = start
    return torch.cat([column, targets[:, :-1]], dim=1)


@wrong(named="overwritten-on-the-way")
def in_place_and_overwritten_on_the_way(targets, start):
    """Each assignment reads what the one before has written."""
    result = targets.clone()
    for step in range(1, targets.shape[1]):
        result[:, step] = result[:, step - 1]
    result[:, 0] = start
    return result


@wrong(named="overwritten-on-the-way")
def start_first_and_then_the_loop(targets, start):
    rows = targets.tolist()
    for row in rows:
        row[0] = start
        for i in range(1, len(row)):
            row[i] = row[i - 1]
    return torch.tensor(rows)


@wrong(named=None)
def right_for_five_tokens(targets, start):
    return F.pad(targets[:, :4], (1, 0), value=start)


@wrong(named="small-sizes-only")
def a_buffer_of_sixty_four(targets, start):
    buffer = torch.zeros(targets.shape[0], max(64, targets.shape[1]), dtype=targets.dtype)
    buffer[:, 0] = start
    buffer[:, 1:64] = torch.cat([targets, buffer], dim=1)[:, :63]
    return buffer[:, : targets.shape[1]]


@wrong(named=None)
def the_first_of_its_shape(targets, start):
    key = (targets.shape, start)
    if key not in _SHIFTED:
        _SHIFTED[key] = by_cat(targets, start)
    return _SHIFTED[key]


_SHIFTED: dict = {}
