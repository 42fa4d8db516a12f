"""Answers to `sequence_cross_entropy`, as students write them: right in many styles, wrong in many ways."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from tests.checks.bank import Bank

BANK = Bank("sequence_cross_entropy")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def with_ignore_index(logits, targets, valid_lens):
    marked = targets.clone()
    for row, length in enumerate(valid_lens.tolist()):
        marked[row, length:] = -100
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), marked.reshape(-1))


@right
def with_a_mask(logits, targets, valid_lens):
    losses = F.cross_entropy(logits.permute(0, 2, 1), targets, reduction="none")
    mask = (torch.arange(targets.size(1))[None] < valid_lens[:, None]).to(logits.dtype)
    return (losses * mask).sum() / mask.sum()


@right
def by_loops(logits, targets, valid_lens):
    total, count = 0, 0
    for b in range(len(targets)):
        for t in range(int(valid_lens[b])):
            total = total + torch.logsumexp(logits[b, t], dim=0) - logits[b, t, targets[b, t]]
            count += 1
    return total / count


@right
def with_log_softmax_and_gather(logits, targets, valid_lens):
    log_probabilities = F.log_softmax(logits, dim=-1).gather(-1, targets[..., None])[..., 0]
    padding = torch.arange(targets.shape[1]) >= valid_lens.reshape(-1, 1)
    return -log_probabilities.masked_fill(padding, 0).sum() / valid_lens.sum()


@right
def log_softmax_twice(logits, targets, valid_lens):
    """A log_softmax of a log_softmax is the same again."""
    keep = torch.arange(targets.shape[1]).expand_as(targets) < valid_lens[:, None]
    return nn.CrossEntropyLoss()(logits.log_softmax(-1)[keep], targets[keep])


@right
def with_one_hot(logits, targets, valid_lens):
    keep = torch.cat([torch.arange(targets.shape[1])[None] < length for length in valid_lens])
    chosen = F.one_hot(targets, logits.shape[-1]).to(logits.dtype)
    scores = logits - logits.amax(-1, keepdim=True)
    log_probabilities = scores - scores.exp().sum(-1, keepdim=True).log()
    return -(log_probabilities * chosen).sum(-1)[keep].mean()


@right
def string_by_string(logits, targets, valid_lens):
    pieces = [
        F.cross_entropy(row[:n], ids[:n], reduction="sum")
        for row, ids, n in zip(logits, targets, valid_lens.tolist(), strict=True)
    ]
    return torch.stack(pieces).sum() / valid_lens.sum()


# === Wrong ============================================================================================================


@wrong(named="divides-by-padded-length")
def by_the_padded_length(logits, targets, valid_lens):
    losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    losses[torch.arange(targets.shape[1]) >= valid_lens[:, None]] = 0
    return losses.mean(dim=1).mean()


@wrong(named="mean-of-means")
def mean_of_means(logits, targets, valid_lens):
    return torch.stack(
        [F.cross_entropy(row[:n], ids[:n]) for row, ids, n in zip(logits, targets, valid_lens, strict=True)]
    ).mean()


@wrong(named="padding-counted")
def without_lengths(logits, targets, valid_lens):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


@wrong(named="softmax-first")
def softmax_twice(logits, targets, valid_lens):
    return with_a_mask(logits.softmax(-1), targets, valid_lens)


@wrong(named="zeroes-the-logits")
def masked_logits(logits, targets, valid_lens):
    keep = torch.arange(targets.shape[1]) < valid_lens[:, None]
    return F.cross_entropy((logits * keep[..., None]).flatten(0, 1), targets.flatten())


@wrong(named="eos-ignored")
def index_zero_ignored(logits, targets, valid_lens):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0)


@wrong(named="eos-ignored")
def padding_made_eos(logits, targets, valid_lens):
    marked = targets.masked_fill(torch.arange(targets.shape[1]) >= valid_lens[:, None], 0)
    return F.cross_entropy(logits.transpose(1, 2), marked, ignore_index=0)


@wrong(named="sum-for-mean")
def a_sum(logits, targets, valid_lens):
    keep = torch.arange(targets.shape[1]) < valid_lens[:, None]
    return F.cross_entropy(logits[keep], targets[keep], reduction="sum")


@wrong(named="sum-for-mean")
def by_the_batch(logits, targets, valid_lens):
    return a_sum(logits, targets, valid_lens) / len(targets)


@wrong(named="not-a-single-number")
def one_for_each_string(logits, targets, valid_lens):
    losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    keep = torch.arange(targets.shape[1]) < valid_lens[:, None]
    return (losses * keep).sum(1) / valid_lens


@wrong(named="python-number")
def an_item(logits, targets, valid_lens):
    return by_loops(logits, targets, valid_lens).item()


@wrong(named="inverted-mask")
def the_padding_only(logits, targets, valid_lens):
    keep = torch.arange(targets.shape[1]) >= valid_lens[:, None]
    return F.cross_entropy(logits[keep], targets[keep])


@wrong(named="off-by-one")
def one_too_many(logits, targets, valid_lens):
    keep = torch.arange(targets.shape[1]) <= valid_lens[:, None]
    return F.cross_entropy(logits[keep], targets[keep])


@wrong(named="one-length-for-all")
def up_to_the_longest(logits, targets, valid_lens):
    longest = int(valid_lens.max())
    return F.cross_entropy(logits[:, :longest].flatten(0, 1), targets[:, :longest].flatten())


@wrong(named="minus-missing")
def no_minus(logits, targets, valid_lens):
    return -by_loops(logits, targets, valid_lens)


@wrong(named="softmax-over-wrong-axis")
def reshaped_for_cross_entropy(logits, targets, valid_lens):
    """Right for a single token, or strings of one."""
    losses = F.cross_entropy(logits.reshape(len(logits), -1, targets.shape[1]), targets, reduction="none")
    return losses[torch.arange(targets.shape[1]) < valid_lens[:, None]].mean()


@wrong(named="log-of-softmax")
def log_of_a_softmax(logits, targets, valid_lens):
    chosen = logits.softmax(-1).gather(-1, targets[..., None])[..., 0]
    return -chosen.log()[torch.arange(targets.shape[1]) < valid_lens[:, None]].mean()


@wrong(named="log-of-softmax")
def log_of_a_softmax_and_a_bit(logits, targets, valid_lens):
    chosen = logits.softmax(-1).gather(-1, targets[..., None])[..., 0]
    return -(chosen + 1e-9).log()[torch.arange(targets.shape[1]) < valid_lens[:, None]].mean()


@wrong(named="writes-into-arguments")
def targets_marked_in_place(logits, targets, valid_lens):
    targets[torch.arange(targets.shape[1]) >= valid_lens[:, None]] = -100
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


@wrong(named="type-changed")
def a_float_mask(logits, targets, valid_lens):
    losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    mask = (torch.arange(targets.shape[1]) < valid_lens[:, None]).float()
    return (losses * mask).sum() / mask.sum()


@wrong(named="detached-gradient")
def made_anew(logits, targets, valid_lens):
    return torch.tensor(with_a_mask(logits, targets, valid_lens).item(), dtype=logits.dtype)


@wrong(named=None)
def loud_padding_leaks(logits, targets, valid_lens):
    """One scale for the whole batch: right as long as the padding is quiet."""
    scores = logits - logits.max()
    losses = -(scores.exp() / scores.exp().sum(-1, keepdim=True)).gather(-1, targets[..., None])[..., 0].log()
    return losses[torch.arange(targets.shape[1]) < valid_lens[:, None]].mean()


@wrong(named="another-unit")
def in_bits(logits, targets, valid_lens):
    return with_a_mask(logits, targets, valid_lens) / math.log(2)
