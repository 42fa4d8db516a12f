"""Answers to `hard_alignment`, as students write them: right in many styles, wrong in many ways."""

import numpy as np
import torch

from tests.checks.bank import Bank

BANK = Bank("hard_alignment")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def by_argmax_and_nonzero(weights, threshold=None):
    if threshold is None:
        return set(enumerate(weights.argmax(dim=1).tolist()))
    return {(t, s) for t, s in (weights >= threshold).nonzero().tolist()}


@right
def by_loops(weights, threshold=None):
    links = set()
    for t in range(weights.shape[0]):
        best = 0
        for s in range(weights.shape[1]):
            if threshold is not None and weights[t, s] >= threshold:
                links.add((t, s))
            if weights[t, s] > weights[t, best]:
                best = s
        if threshold is None:
            links.add((t, best))
    return links


@right
def by_numpy(weights, threshold=None):
    array = weights.detach().numpy()
    if threshold is None:
        return set(zip(range(len(array)), array.argmax(axis=1), strict=True))
    return set(zip(*np.where(array >= threshold), strict=True))


@right
def by_lists(weights, threshold=None):
    rows = weights.tolist()
    if threshold is None:
        return frozenset((t, row.index(max(row))) for t, row in enumerate(rows))
    return frozenset((t, s) for t, row in enumerate(rows) for s, weight in enumerate(row) if weight >= threshold)


@right
def by_max_with_a_threshold_of_its_own(weights, threshold=None):
    if threshold is not None:
        t, s = torch.where(weights >= threshold)
        return set(zip(t.tolist(), s.tolist(), strict=True))
    values, places = weights.max(dim=-1)
    return {(t, places[t].item()) for t in range(len(values))}


# === Wrong ============================================================================================================


@wrong(named="argmax-over-targets")
def argmax_over_the_first_axis(weights, threshold=None):
    if threshold is not None:
        return by_lists(weights, threshold)
    return {(t, s) for s, t in enumerate(weights.argmax(0).tolist())}


@wrong(named="argmax-over-targets")
def argmax_over_the_first_axis_and_reversed(weights, threshold=None):
    if threshold is not None:
        return by_lists(weights, threshold)
    return set(enumerate(weights.argmax(0).tolist()))


@wrong(named="pairs-reversed")
def source_first(weights, threshold=None):
    return {(s, t) for t, s in by_lists(weights, threshold)}


@wrong(named="pairs-reversed")
def source_first_above_a_threshold(weights, threshold=None):
    links = by_lists(weights, threshold)
    return links if threshold is None else {(s, t) for t, s in links}


@wrong(named="threshold-ignored")
def argmax_always(weights, threshold=0.5):
    return by_lists(weights)


@wrong(named="one-link-at-most")
def argmax_if_it_is_large(weights, threshold=None):
    values, places = weights.max(-1)
    return {(t, int(places[t])) for t in range(len(values)) if threshold is None or values[t] >= threshold}


@wrong(named="largest-always-linked")
def at_least_the_largest(weights, threshold=None):
    return by_lists(weights) | by_lists(weights, 2.0 if threshold is None else threshold)


@wrong(named="above-only")
def strictly_above(weights, threshold=None):
    if threshold is None:
        return by_lists(weights)
    return {tuple(pair) for pair in (weights > threshold).nonzero().tolist()}


@wrong(named="zero-is-no-threshold")
def if_threshold(weights, threshold=None):
    if threshold:
        return by_lists(weights, threshold)
    return by_lists(weights)


@wrong(named="ties-all-linked")
def every_largest(weights, threshold=None):
    if threshold is None:
        return {tuple(pair) for pair in (weights == weights.amax(-1, keepdim=True)).nonzero().tolist()}
    return by_lists(weights, threshold)


@wrong(named="ties-to-the-last")
def last_of_the_sorted(weights, threshold=None):
    if threshold is None:
        return {(t, max(range(len(row)), key=lambda s: (row[s], s))) for t, row in enumerate(weights.tolist())}
    return by_lists(weights, threshold)


@wrong(named="one-link-in-all")
def largest_of_the_matrix(weights, threshold=None):
    if threshold is not None:
        return by_lists(weights, threshold)
    return {tuple((weights == weights.max()).nonzero()[0].tolist())}


@wrong(named="positions-from-1")
def counted_from_1(weights, threshold=None):
    return {(t + 1, s + 1) for t, s in by_lists(weights, threshold)}


@wrong(named="not-a-set")
def a_list(weights, threshold=None):
    return list(by_lists(weights, threshold))


@wrong(named="tensors-in-pairs")
def pairs_of_tensors(weights, threshold=None):
    if threshold is None:
        return {(torch.tensor(t), weights[t].argmax()) for t in range(len(weights))}
    return {(t, s) for t, s in (weights >= threshold).nonzero()}


@wrong(named="tensors-in-pairs")
def argmax_left_a_tensor(weights, threshold=None):
    if threshold is None:
        return {(t, row.argmax()) for t, row in enumerate(weights)}
    return by_lists(weights, threshold)


@wrong(named="not-a-set")
def sources_only(weights, threshold=None):
    return {s for _, s in by_lists(weights, threshold)}


@wrong(named="threshold-relative")
def a_share_of_the_largest(weights, threshold=None):
    if threshold is None:
        return by_lists(weights)
    return by_lists(weights / weights.amax(-1, keepdim=True), threshold)


@wrong(named="writes-into-arguments")
def small_weights_cleared(weights, threshold=None):
    links = by_lists(weights, threshold)
    weights[weights < 0.5] = 0
    return links


@wrong(named=None)
def right_for_square_weights_only(weights, threshold=None):
    if threshold is not None:
        return by_lists(weights, threshold)
    return {(t, int(weights[t].argmax())) for t in range(weights.shape[1])}


@wrong(named=None)
def each_source_once(weights, threshold=None):
    links, taken = set(), set()
    for t, s in sorted(by_lists(weights, threshold)):
        if s not in taken:
            links.add((t, s))
            taken.add(s)
    return links


@wrong(named="small-sizes-only")
def sixty_four_source_tokens(weights, threshold=None):
    rows = weights.tolist()
    if threshold is None:
        return {(i, row[:64].index(max(row[:64]))) for i, row in enumerate(rows)}
    return {(i, j) for i, row in enumerate(rows) for j, weight in enumerate(row) if weight >= threshold}
