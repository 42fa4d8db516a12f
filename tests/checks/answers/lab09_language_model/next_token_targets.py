"""Answers to `next_token_targets`, as students write them: right in many styles, wrong in many ways."""

import torch
import torch.nn.functional as F

from tests.checks.bank import Bank

BANK = Bank("next_token_targets")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def sliced(ids, pad):
    return ids[:, :-1], ids[:, 1:], ids[:, 1:] != pad


@right
def narrowed_and_copied(ids, pad):
    steps = ids.shape[1] - 1
    inputs, targets = ids.narrow(1, 0, steps).clone(), ids.narrow(1, 1, steps).clone()
    return inputs, targets, targets.ne(pad)


@right
def in_loops(ids, pad):
    batch, length = ids.shape
    inputs = torch.zeros(batch, length - 1, dtype=ids.dtype)
    targets, valid = torch.zeros_like(inputs), torch.zeros(batch, length - 1, dtype=torch.bool)
    for b in range(batch):
        for t in range(length - 1):
            inputs[b, t], targets[b, t] = ids[b, t], ids[b, t + 1]
            valid[b, t] = int(ids[b, t + 1]) != pad
    return inputs, targets, valid


@right
def by_unfolding(ids, pad):
    pairs = ids.unfold(1, 2, 1)
    return pairs[..., 0], pairs[..., 1], ~(pairs[..., 1] == pad)


@right
def by_lengths(ids, pad):
    real = (ids != pad).sum(dim=1)
    return ids[:, :-1], ids[:, 1:], torch.arange(1, ids.shape[1]) < real[:, None]


@right
def as_a_list(ids, pad):
    inputs, targets = (torch.stack(columns, dim=1) for columns in (ids.unbind(1)[:-1], ids.unbind(1)[1:]))
    return [inputs, targets, torch.where(targets == pad, False, True)]


# === Wrong ============================================================================================================


@wrong(named="targets-unshifted")
def asks_for_what_it_reads(ids, pad):
    inputs = ids[:, :-1]
    return inputs, inputs.clone(), ids[:, 1:] != pad


@wrong(named="targets-unshifted")
def cuts_the_front_of_both(ids, pad):
    kept = ids[:, 1:]
    return kept, kept, kept != pad


@wrong(named="shifted-the-other-way")
def asks_for_the_past(ids, pad):
    return ids[:, 1:], ids[:, :-1], ids[:, :-1] != pad


@wrong(named="valid-from-the-inputs")
def looks_at_the_wrong_end(ids, pad):
    inputs, targets = ids[:, :-1], ids[:, 1:]
    return inputs, targets, inputs.ne(pad)


@wrong(named="valid-from-the-inputs")
def looks_at_both_ends_with_or(ids, pad):
    return ids[:, :-1], ids[:, 1:], (ids[:, :-1] != pad) | (ids[:, 1:] != pad)


@wrong(named="eos-not-predicted")
def leaves_the_last_word_out(ids, pad):
    lengths = (ids != pad).sum(1) - 2
    return ids[:, :-1], ids[:, 1:], torch.arange(ids.shape[1] - 1) < lengths.unsqueeze(1)


@wrong(named="padding-counted")
def counts_everything(ids, pad):
    return ids[:, :-1], ids[:, 1:], torch.full((ids.shape[0], ids.shape[1] - 1), True)


@wrong(named="inverted-mask")
def marks_the_padding(ids, pad):
    return ids[:, :-1], ids[:, 1:], ids[:, 1:].eq(pad)


@wrong(named="not-boolean")
def weighs_with_ones(ids, pad):
    return ids[:, :-1], ids[:, 1:], torch.where(ids[:, 1:] == pad, 0.0, 1.0)


@wrong(named="not-boolean")
def weighs_with_whole_ones(ids, pad):
    return ids[:, :-1], ids[:, 1:], 1 * (ids[:, 1:] != pad)


@wrong(named="as-long-as-ids")
def pads_the_targets(ids, pad):
    targets = F.pad(ids[:, 1:], (0, 1), value=pad)
    return ids, targets, targets != pad


@wrong(named="rows-cut-for-columns")
def cuts_the_batch(ids, pad):
    return ids[:-1], ids[1:], ids[1:] != pad


@wrong(named="order-of-the-three")
def mask_in_the_middle(ids, pad):
    targets = ids[:, 1:]
    return ids[:, :-1], targets != pad, targets


@wrong(named="valid-left-out")
def two_things_only(ids, pad):
    return ids[:, :-1], ids[:, 1:]


@wrong(named="padding-replaced")
def with_the_index_to_ignore(ids, pad):
    targets = ids[:, 1:].clone()
    valid = targets != pad
    targets[~valid] = -100
    return ids[:, :-1], targets, valid


@wrong(named="ids-by-heart")
def zero_is_padding(ids, pad):
    return ids[:, :-1], ids[:, 1:], ids[:, 1:].bool()


@wrong(named="writes-into-arguments")
def marks_in_place(ids, pad):
    inputs, targets, valid = ids[:, :-1].clone(), ids[:, 1:].clone(), ids[:, 1:] != pad
    ids[ids == pad] = -100
    return inputs, targets, valid


@wrong(named="nothing-returned")
def only_prints(ids, pad):
    print(ids[:, :-1].shape)


@wrong(named="not-a-tensor")
def lists_for_tensors(ids, pad):
    return ids[:, :-1].tolist(), ids[:, 1:].tolist(), (ids[:, 1:] != pad).tolist()


@wrong(named="not-a-tensor")
def row_by_row_in_lists(ids, pad):
    rows = ids.tolist()
    inputs, targets = [row[:-1] for row in rows], [row[1:] for row in rows]
    return inputs, targets, [[token != pad for token in row] for row in targets]
