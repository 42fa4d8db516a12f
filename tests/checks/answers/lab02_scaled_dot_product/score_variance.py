"""Answers to `score_variance`, as students write them: right in many styles, wrong in many ways."""

import math

import numpy as np
import torch

from tests.checks.bank import Bank

BANK = Bank("score_variance")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def all_at_once(d, trials, generator):
    q, k = torch.randn(2, trials, d, generator=generator)
    return (q * k).sum(-1).var().item()


@right
def pair_by_pair(d, trials, generator):
    scores = []
    for _ in range(trials):
        q = torch.randn(d, generator=generator)
        k = torch.randn(d, generator=generator)
        scores.append(float(q @ k))
    mean = sum(scores) / trials
    return sum((score - mean) ** 2 for score in scores) / (trials - 1)


@right
def in_double_precision_by_numpy(d, trials, generator):
    q = torch.empty(d, trials, dtype=torch.float64).normal_(generator=generator).numpy()
    k = torch.empty(d, trials, dtype=torch.float64).normal_(generator=generator).numpy()
    return np.einsum("dt,dt->t", q, k).var(ddof=1)


@right
def mean_of_squares(d, trials, generator):
    """Divides by the number of trials: the mean is known to be 0."""
    pairs = torch.normal(0.0, 1.0, (trials, 2, d), generator=generator)
    return pairs.prod(dim=1).sum(dim=1).square().mean().item()


@right
def by_bmm_of_rows(d, trials, generator):
    q = torch.randn(trials, 1, d, generator=generator)
    k = torch.randn(trials, d, 1, generator=generator)
    return float(torch.std(torch.bmm(q, k).flatten()) ** 2)


# === Wrong ============================================================================================================


@wrong(named="variance-of-entries")
def of_all_products(d, trials, generator):
    q, k = torch.randn(2, trials, d, generator=generator)
    return (q * k).var().item()


@wrong(named="variance-of-entries")
def of_the_queries(d, trials, generator):
    return torch.randn(trials, d, generator=generator).var().item()


@wrong(named="variance-of-entries")
def of_scaled_scores(d, trials, generator):
    q, k = torch.randn(2, trials, d, generator=generator)
    return ((q * k).sum(-1) / math.sqrt(d)).var().item()


@wrong(named="ignores-generator")
def from_nowhere(d, trials, generator):
    q, k = torch.randn(2, trials, d)
    return (q * k).sum(-1).var().item()


@wrong(named="ignores-generator")
def keys_from_nowhere(d, trials, generator):
    q, k = torch.randn(trials, d, generator=generator), torch.randn(trials, d)
    return (q * k).sum(-1).var().item()


@wrong(named="ignores-generator")
def with_a_fixed_seed(d, trials, generator):
    torch.manual_seed(42)
    q, k = torch.randn(2, trials, d)
    return (q * k).sum(-1).var().item()


@wrong(named="standard-deviation")
def the_deviation(d, trials, generator):
    q, k = torch.randn(2, trials, d, generator=generator)
    return (q * k).sum(-1).std().item()


@wrong(named="mean-not-variance")
def the_mean(d, trials, generator):
    q, k = torch.randn(2, trials, d, generator=generator)
    return (q * k).sum(-1).mean().item()


@wrong(named="product-with-itself")
def q_times_q(d, trials, generator):
    q = torch.randn(trials, d, generator=generator)
    return (q * q).sum(-1).var().item()


@wrong(named="uniform-numbers")
def evenly_drawn(d, trials, generator):
    q, k = torch.rand(2, trials, d, generator=generator)
    return (q * k).sum(-1).var().item()


@wrong(named="shared-draw")
def one_query_many_keys(d, trials, generator):
    q = torch.randn(d, generator=generator)
    return (torch.randn(trials, d, generator=generator) @ q).var().item()


@wrong(named="ignores-trials")
def a_thousand_trials(d, trials, generator):
    return all_at_once(d, 1000, generator)


@wrong(named="not-a-float")
def a_tensor(d, trials, generator):
    q, k = torch.randn(2, trials, d, generator=generator)
    return (q * k).sum(-1).var()


@wrong(named="ignores-generator")
def known_without_drawing(d, trials, generator):
    return float(d)


@wrong(named="ignores-generator")
def same_draw_as_last_time(d, trials, generator):
    """Puts the generator back, so that a second call draws the same."""
    state = generator.get_state()
    variance = all_at_once(d, trials, generator)
    generator.set_state(state)
    return variance


@wrong(named=None)
def forgets_the_last_entry(d, trials, generator):
    q, k = torch.randn(2, trials, d, generator=generator)
    return (q * k)[:, : d // 2].sum(-1).var().item()


@wrong(named="length-for-score")
def lengths_of_queries_and_keys(d, trials, generator):
    q = torch.randn(trials, d, generator=generator)
    k = torch.randn(trials, d, generator=generator)
    return ((q**2).sum(1) * (k**2).sum(1) / d).mean().item()


@wrong(named="length-for-score")
def how_long_a_key_is(d, trials, generator):
    lengths = [torch.randn(d, generator=generator).norm().item() for _ in range(trials)]
    return sum(length**2 for length in lengths) / trials
