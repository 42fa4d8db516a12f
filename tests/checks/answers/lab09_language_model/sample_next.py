"""Answers to `sample_next`, as students write them: right in many styles, wrong in many ways."""

import torch
import torch.nn.functional as F

from tests.checks.bank import Bank

BANK = Bank("sample_next")
right, wrong = BANK.right, BANK.wrong


def refuse(temperature):
    if temperature < 0:
        raise ValueError(f"temperature must be at least 0, not {temperature}")


# === Right ============================================================================================================


@right
def scattered_and_drawn(logits, temperature=1.0, top_k=None, generator=None):
    refuse(temperature)
    if temperature == 0:
        return logits.argmax(dim=-1)
    if top_k is not None:
        values, places = logits.topk(top_k, dim=-1)
        logits = torch.full_like(logits, float("-inf")).scatter(-1, places, values)
    return torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator).squeeze(-1)


@right
def drawn_among_the_kept(logits, temperature=1.0, top_k=None, generator=None):
    """The place among the likeliest is drawn, and looked up in their ids."""
    refuse(temperature)
    kept = logits.topk(logits.shape[1] if top_k is None else top_k)
    if not temperature:
        return kept.indices[:, 0]
    place = torch.multinomial(F.softmax(kept.values / temperature, dim=1), num_samples=1, generator=generator)
    return kept.indices.gather(1, place)[:, 0]


@right
def row_by_row(logits, temperature=1.0, top_k=None, generator=None):
    if temperature < 0:
        raise ValueError("a negative temperature makes no sense")
    ids = []
    for row in logits:
        if temperature == 0:
            ids.append(row.argmax())
            continue
        order = row.sort(descending=True)
        weights = (order.values[:top_k] / temperature).softmax(0)
        ids.append(order.indices[torch.multinomial(weights, 1, generator=generator)[0]])
    return torch.stack(ids)


@right
def by_gumbel(logits, temperature=1.0, top_k=None, generator=None):
    """The largest of the logits, each with a Gumbel-distributed number added, is a draw from their softmax."""
    refuse(temperature)
    if temperature > 0:
        noise = torch.rand(logits.shape, generator=generator).clamp(min=1e-20)
        noisy = logits / temperature - (-noise.log()).clamp(min=1e-20).log()
    else:
        noisy = logits
    if top_k is not None:
        outside = torch.ones_like(logits, dtype=torch.bool).scatter(1, logits.topk(top_k).indices, False)
        noisy = noisy.masked_fill(outside, -torch.inf)
    return noisy.argmax(1)


@right
def by_the_cumulative_sum(logits, temperature=1.0, top_k=None, generator=None):
    refuse(temperature)
    ranks = logits.argsort(dim=-1, descending=True)
    ordered = logits.gather(1, ranks)
    if temperature == 0:
        return ranks[:, 0]
    if top_k is not None:
        ordered = ordered[:, :top_k]
    total = (ordered / temperature).double().softmax(-1).cumsum(-1)
    at = torch.rand(len(logits), 1, generator=generator, dtype=torch.float64)
    place = (total < at).sum(-1, keepdim=True).clamp(max=ordered.shape[1] - 1)
    return ranks.gather(1, place).squeeze(1)


@right
def nearly_zero_for_zero(logits, temperature=1.0, top_k=None, generator=None):
    refuse(temperature)
    logits = (logits - logits.max(dim=-1, keepdim=True).values) / max(temperature, 1e-6)
    if top_k is not None:
        ranks = logits.argsort(-1, descending=True).argsort(-1)
        logits = torch.where(ranks < top_k, logits, -torch.inf)
    exps = torch.exp(logits)
    return torch.multinomial(exps / exps.sum(-1, keepdim=True), 1, generator=generator).flatten()


# === Wrong ============================================================================================================


@wrong(named="multiplies-by-the-temperature")
def times_the_temperature(logits, temperature=1.0, top_k=None, generator=None):
    refuse(temperature)
    if temperature == 0:
        return logits.argmax(-1)
    return scattered_and_drawn(logits * temperature, 1.0, top_k, generator)


@wrong(named="temperature-after-the-softmax")
def probabilities_divided(logits, temperature=1.0, top_k=None, generator=None):
    refuse(temperature)
    if temperature == 0:
        return logits.argmax(-1)
    probabilities = logits.softmax(-1)
    if top_k is not None:
        kept = probabilities.topk(top_k)
        probabilities = torch.zeros_like(probabilities).scatter(1, kept.indices, kept.values)
    return torch.multinomial(probabilities / temperature, 1, generator=generator).squeeze(1)


@wrong(named="fails-at-temperature-0")
def divides_by_zero(logits, temperature=1.0, top_k=None, generator=None):
    refuse(temperature)
    if top_k is not None:
        kept = logits.topk(top_k)
        logits = torch.full_like(logits, -torch.inf).scatter(1, kept.indices, kept.values)
    return torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)[:, 0]


@wrong(named="others-set-to-zero")
def zeros_for_the_others(logits, temperature=1.0, top_k=None, generator=None):
    if top_k is not None:
        keep = torch.zeros_like(logits).scatter(1, logits.topk(top_k).indices, 1.0)
        logits = logits * keep
    return scattered_and_drawn(logits, temperature, None, generator)


@wrong(named="one-kept-too-many")
def threshold_one_further(logits, temperature=1.0, top_k=None, generator=None):
    if top_k is not None and top_k < logits.shape[1]:
        border = logits.sort(descending=True).values[:, top_k : top_k + 1]
        logits = logits.masked_fill(logits < border, -torch.inf)
    return scattered_and_drawn(logits, temperature, None, generator)


@wrong(named="one-kept-too-few")
def threshold_excluded(logits, temperature=1.0, top_k=None, generator=None):
    if top_k is not None and top_k < logits.shape[1]:
        border = logits.topk(top_k).values[:, -1:]
        logits = logits.masked_fill(logits <= border, -torch.inf)
    return scattered_and_drawn(logits, temperature, None, generator)


@wrong(named="ties-all-kept")
def threshold_included(logits, temperature=1.0, top_k=None, generator=None):
    if top_k is not None:
        border = logits.topk(top_k).values.min(dim=-1, keepdim=True).values
        logits = torch.where(logits < border, -torch.inf, logits)
    return scattered_and_drawn(logits, temperature, None, generator)


@wrong(named="top-k-ignored")
def all_of_them(logits, temperature=1.0, top_k=None, generator=None):
    return scattered_and_drawn(logits, temperature, None, generator)


@wrong(named="place-among-the-kept")
def rank_for_id(logits, temperature=1.0, top_k=None, generator=None):
    refuse(temperature)
    if temperature == 0:
        return logits.argmax(1)
    if top_k is not None:
        logits, _ = logits.topk(top_k)
    return torch.multinomial((logits / temperature).softmax(1), 1, generator=generator).squeeze(1)


@wrong(named="always-the-likeliest")
def argmax_of_the_probabilities(logits, temperature=1.0, top_k=None, generator=None):
    refuse(temperature)
    return (logits / (temperature or 1)).softmax(-1).argmax(-1)


@wrong(named="ignores-generator")
def generator_forgotten(logits, temperature=1.0, top_k=None, generator=None):
    return scattered_and_drawn(logits, temperature, top_k)


@wrong(named="ignores-generator")
def seeds_everything(logits, temperature=1.0, top_k=None, generator=None):
    torch.manual_seed(0)
    return scattered_and_drawn(logits, temperature, top_k)


@wrong(named="one-draw-for-the-batch")
def first_row_for_all(logits, temperature=1.0, top_k=None, generator=None):
    return scattered_and_drawn(logits[:1], temperature, top_k, generator).repeat(len(logits))


@wrong(named="one-draw-for-the-batch")
def one_random_number(logits, temperature=1.0, top_k=None, generator=None):
    refuse(temperature)
    kept = logits.topk(logits.shape[1] if top_k is None else top_k)
    if temperature == 0:
        return kept.indices[:, 0]
    at = torch.rand((), generator=generator)
    place = ((kept.values / temperature).softmax(1).cumsum(1) < at).sum(1).clamp(max=kept.values.shape[1] - 1)
    return kept.indices[torch.arange(len(logits)), place]


@wrong(named="negative-temperature")
def accepts_anything(logits, temperature=1.0, top_k=None, generator=None):
    return scattered_and_drawn(logits, abs(temperature), top_k, generator)


@wrong(named="negative-temperature")
def an_assertion(logits, temperature=1.0, top_k=None, generator=None):
    assert temperature >= 0
    return scattered_and_drawn(logits, temperature, top_k, generator)


@wrong(named="axis-left-over")
def a_column(logits, temperature=1.0, top_k=None, generator=None):
    return scattered_and_drawn(logits, temperature, top_k, generator)[:, None]


@wrong(named="axis-lost")
def squeezes_everything(logits, temperature=1.0, top_k=None, generator=None):
    return scattered_and_drawn(logits, temperature, top_k, generator).squeeze()


@wrong(named="not-a-tensor")
def a_list(logits, temperature=1.0, top_k=None, generator=None):
    return scattered_and_drawn(logits, temperature, top_k, generator).tolist()


@wrong(named="overflow")
def plain_exponentials(logits, temperature=1.0, top_k=None, generator=None):
    refuse(temperature)
    if temperature == 0:
        return logits.argmax(-1)
    exps = (logits / temperature).exp()
    if top_k is not None:
        exps = exps * torch.zeros_like(exps).scatter(1, logits.topk(top_k).indices, 1.0)
    return torch.multinomial(exps / exps.sum(-1, keepdim=True), 1, generator=generator).squeeze(1)


@wrong(named="writes-into-arguments")
def masks_in_place(logits, temperature=1.0, top_k=None, generator=None):
    ids = scattered_and_drawn(logits, temperature, top_k, generator)
    if top_k is not None:
        logits[logits < logits.topk(top_k).values[:, -1:]] = -torch.inf
    return ids


@wrong(named="drawn-evenly")
def any_of_the_kept(logits, temperature=1.0, top_k=None, generator=None):
    refuse(temperature)
    if temperature == 0:
        return logits.argmax(-1)
    kept = logits.topk(top_k or logits.shape[1]).indices
    place = torch.randint(kept.shape[1], (len(kept), 1), generator=generator)
    return kept.gather(1, place).squeeze(1)


@wrong(named="default-temperature")
def careful_by_default(logits, temperature=0.5, top_k=None, generator=None):
    return scattered_and_drawn(logits, temperature, top_k, generator)


@wrong(named="no-softmax")
def draws_from_logits(logits, temperature=1.0, top_k=None, generator=None):
    refuse(temperature)
    if temperature == 0:
        return logits.argmax(-1)
    return torch.multinomial(logits / temperature, 1, generator=generator).squeeze(1)


@wrong(named=None)
def temperature_squared(logits, temperature=1.0, top_k=None, generator=None):
    refuse(temperature)
    return scattered_and_drawn(logits, temperature**2, top_k, generator)
