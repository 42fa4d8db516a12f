"""Answers to `perplexity`, as students write them: right in many styles, wrong in many ways."""

import math

import torch
import torch.nn.functional as F

from tests.checks.bank import Bank

BANK = Bank("perplexity")
right, wrong = BANK.right, BANK.wrong


def losses_of(logits, targets):
    return F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")


# === Right ============================================================================================================


@right
def picked_by_the_mask(logits, targets, valid):
    return math.exp(F.cross_entropy(logits[valid], targets[valid]).item())


@right
def with_an_ignored_index(logits, targets, valid):
    targets = targets.masked_fill(~valid, -100)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100).exp().item()


@right
def summed_and_divided(logits, targets, valid):
    log_p = logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    return float(torch.exp(-torch.where(valid, log_p, 0.0).sum() / valid.sum()))


@right
def in_base_2(logits, targets, valid):
    bits = losses_of(logits, targets)[valid].mean() / math.log(2)
    return 2 ** bits.item()


@right
def in_loops(logits, targets, valid):
    total, count = 0.0, 0
    for b in range(targets.shape[0]):
        for t in range(targets.shape[1]):
            if valid[b, t]:
                row = logits[b, t].double()
                total += (torch.logsumexp(row, 0) - row[targets[b, t]]).item()
                count += 1
    return math.e ** (total / count)


@right
def geometric_mean(logits, targets, valid):
    probabilities = logits.double().softmax(-1)[valid]
    chosen = probabilities[torch.arange(len(probabilities)), targets[valid]]
    return chosen.pow(-1 / len(chosen)).prod().item()


# === Wrong ============================================================================================================


@wrong(named="padding-counted")
def ignores_valid(logits, targets, valid):
    return losses_of(logits, targets).mean().exp().item()


@wrong(named="divides-by-padded-length")
def divides_by_all(logits, targets, valid):
    return math.exp(((losses_of(logits, targets) * valid).sum() / targets.numel()).item())


@wrong(named="mean-of-perplexities")
def mean_of_the_rows(logits, targets, valid):
    rows = [loss[keep].mean().exp() for loss, keep in zip(losses_of(logits, targets), valid, strict=True) if keep.any()]
    return (sum(rows) / len(rows)).item()


@wrong(named="mean-of-means")
def mean_of_row_means(logits, targets, valid):
    rows = [loss[keep].mean() for loss, keep in zip(losses_of(logits, targets), valid, strict=True) if keep.any()]
    return math.exp(sum(rows) / len(rows))


@wrong(named="mean-of-the-tokens-perplexities")
def mean_of_inverse_probabilities(logits, targets, valid):
    return (1 / logits.softmax(-1).gather(2, targets[..., None])[..., 0][valid]).mean().item()


@wrong(named="two-to-the-power")
def two_to_the_nats(logits, targets, valid):
    return 2 ** F.cross_entropy(logits[valid], targets[valid]).item()


@wrong(named="softmax-first")
def softmax_then_cross_entropy(logits, targets, valid):
    return F.cross_entropy(torch.softmax(logits, -1)[valid], targets[valid]).exp().item()


@wrong(named="log-of-zero")
def log_of_a_softmax(logits, targets, valid):
    return F.nll_loss(logits.softmax(-1).log()[valid], targets[valid]).exp().item()


@wrong(named="log-of-zero")
def a_little_added(logits, targets, valid):
    return F.nll_loss((logits.softmax(-1) + 1e-9).log()[valid], targets[valid]).exp().item()


@wrong(named="loss-for-perplexity")
def the_loss_itself(logits, targets, valid):
    return F.cross_entropy(logits[valid], targets[valid]).item()


@wrong(named="sum-for-mean")
def sum_in_the_exponent(logits, targets, valid):
    return F.cross_entropy(logits[valid], targets[valid], reduction="sum").exp().item()


@wrong(named="minus-missing")
def likelihood_for_its_inverse(logits, targets, valid):
    return math.exp(-F.cross_entropy(logits[valid], targets[valid]).item())


@wrong(named="inverted-mask")
def keeps_the_padding(logits, targets, valid):
    return F.cross_entropy(logits[~valid], targets[~valid]).exp().item()


@wrong(named="shifted-once-more")
def shifts_again(logits, targets, valid):
    logits, targets, valid = logits[:, :-1], targets[:, 1:], valid[:, 1:]
    return F.cross_entropy(logits[valid], targets[valid]).exp().item()


@wrong(named="not-a-float")
def a_tensor(logits, targets, valid):
    return torch.exp(F.cross_entropy(logits[valid], targets[valid]))


@wrong(named="ids-by-heart")
def zero_is_padding(logits, targets, valid):
    return F.cross_entropy(logits.flatten(0, 1), (targets * valid).flatten(), ignore_index=0).exp().item()


@wrong(named="one-number-a-row")
def one_a_row(logits, targets, valid):
    return ((losses_of(logits, targets) * valid).sum(1) / valid.sum(1)).exp()


@wrong(named="lengths-from-valid")
def as_if_it_were_a_length(logits, targets, valid):
    losses = [loss[: int(keep.sum())] for loss, keep in zip(losses_of(logits, targets), valid, strict=True)]
    return torch.cat(losses).mean().exp().item()


@wrong(named="nothing-returned")
def only_prints(logits, targets, valid):
    print(losses_of(logits, targets)[valid].mean().exp())


@wrong(named="likeliest-for-target")
def probability_of_the_likeliest(logits, targets, valid):
    return (-logits.log_softmax(-1).max(-1).values[valid]).mean().exp().item()


@wrong(named="likeliest-for-target")
def of_what_it_predicted(logits, targets, valid):
    predicted = logits.argmax(-1)
    return math.exp(F.cross_entropy(logits[valid], predicted[valid]).item())
