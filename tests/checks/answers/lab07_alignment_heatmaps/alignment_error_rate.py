"""Answers to `alignment_error_rate`, as students write them: right in many styles, wrong in many ways."""

import numpy as np
import torch

from tests.checks.bank import Bank

BANK = Bank("alignment_error_rate")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def by_the_formula(predicted, sure, possible):
    if not sure.issubset(possible):
        raise ValueError("every link in sure must be in possible")
    if len(predicted) + len(sure) == 0:
        return 0.0
    return 1 - (len(predicted & sure) + len(predicted & possible)) / (len(predicted) + len(sure))


@right
def by_counting(predicted, sure, possible):
    for link in sure:
        if link not in possible:
            raise ValueError(f"sure: {link} is not in possible")
    hits = 0
    for link in predicted:
        hits += (link in sure) + (link in possible)
    total = len(predicted) + len(sure)
    return 1.0 - hits / total if total else 0.0


@right
def by_mistakes(predicted, sure, possible):
    """Wrong links and missing links over all of them."""
    if sure - possible:
        raise ValueError("possible must contain sure")
    wrong_links, missing = len(predicted - possible), len(sure - predicted)
    return (wrong_links + missing) / max(len(predicted) + len(sure), 1)


@right
def by_fallback(predicted, sure, possible):
    if any(link not in possible for link in sure):
        raise ValueError("`sure` has links that `possible` lacks")
    try:
        rate = (len(predicted.intersection(sure)) + len(predicted.intersection(possible))) / (
            len(predicted) + len(sure)
        )
    except ZeroDivisionError:
        return 0.0
    return float(np.float64(1.0) - rate)


# === Wrong ============================================================================================================


def rate(formula, refuse=True):
    """An error rate by a formula, with everything else as it should be."""

    def error_rate(predicted, sure, possible):
        if refuse and not sure <= possible:
            raise ValueError("sure must be a subset of possible")
        if not predicted and not sure:
            return 0.0
        return formula(predicted, sure, possible)

    return error_rate


@wrong(named="one-minus-f1")
def f1_against_sure(*sets):
    return rate(lambda a, s, p: 1 - 2 * len(a & s) / (len(a) + len(s)))(*sets)


@wrong(named="possible-counted-as-sure")
def f1_against_possible(*sets):
    return rate(lambda a, s, p: 1 - 2 * len(a & p) / (len(a) + len(p)) if a or p else 0.0)(*sets)


@wrong(named="possible-counted-as-sure")
def possible_in_the_denominator(*sets):
    return rate(lambda a, s, p: 1 - (len(a & s) + len(a & p)) / (len(a) + len(p)))(*sets)


@wrong(named="sets-exchanged")
def sure_meets_possible(*sets):
    return rate(lambda a, s, p: 1 - (len(a & s) + len(s & p)) / (len(a) + len(s)))(*sets)


@wrong(named="sets-exchanged")
def arguments_in_another_order(*sets):
    return rate(lambda a, s, p: 1 - (len(p & s) + len(p & a)) / (len(p) + len(s)) if p or s else 0.0)(*sets)


@wrong(named="sets-exchanged")
def precision_by_sure_and_recall_by_possible(*sets):
    def formula(a, s, p):
        if not a or not p or not a & s:
            return 1.0
        precision, recall = len(a & s) / len(a), len(a & p) / len(p)
        return 1 - 2 * precision * recall / (precision + recall)

    return rate(formula)(*sets)


@wrong(named="possible-without-sure")
def possible_only_the_unsure(*sets):
    return rate(lambda a, s, p: 1 - (len(a & s) + len(a & (p - s))) / (len(a) + len(s)))(*sets)


@wrong(named="precision-only")
def wrong_links_only(*sets):
    return rate(lambda a, s, p: len(a - p) / len(a) if a else 1.0)(*sets)


@wrong(named="precision-only")
def missing_links_only(*sets):
    return rate(lambda a, s, p: 1 - len(a & s) / len(s) if s else 1.0)(*sets)


@wrong(named="mean-of-precision-and-recall")
def harmonic_mean(*sets):
    def formula(a, s, p):
        precision, recall = len(a & p) / max(len(a), 1), len(a & s) / max(len(s), 1)
        return 1 - 2 * precision * recall / (precision + recall) if precision + recall else 1.0

    return rate(formula)(*sets)


@wrong(named="rate-of-success")
def one_minus_forgotten(*sets):
    return rate(lambda a, s, p: (len(a & s) + len(a & p)) / (len(a) + len(s)))(*sets)


@wrong(named="percent")
def hundred_times(*sets):
    return rate(lambda a, s, p: 100 * by_the_formula(a, s, p))(*sets)


@wrong(named="empty-sets-divide-by-zero")
def division_by_zero(predicted, sure, possible):
    if not sure <= possible:
        raise ValueError("sure")
    return 1 - (len(predicted & sure) + len(predicted & possible)) / (len(predicted) + len(sure))


@wrong(named="empty-sets-divide-by-zero")
def perfect_if_one_is_empty(predicted, sure, possible):
    if not sure <= possible:
        raise ValueError("sure")
    return by_the_formula(predicted, sure, possible) if predicted and sure else 0.0


@wrong(named="empty-sets-divide-by-zero")
def worst_if_both_are_empty(predicted, sure, possible):
    return by_the_formula(predicted, sure, possible) if predicted or sure or not sure <= possible else 1.0


@wrong(named="nothing-refused")
def anything_goes(*sets):
    return rate(lambda a, s, p: 1 - (len(a & s) + len(a & p)) / (len(a) + len(s)), refuse=False)(*sets)


@wrong(named="refused-by-another-error")
def asserted(predicted, sure, possible):
    assert sure <= possible, "sure must be a subset of possible"
    return by_the_formula(predicted, sure, possible)


@wrong(named="wordless-refusal")
def refused_without_a_word(predicted, sure, possible):
    if not sure <= possible:
        raise ValueError
    return by_the_formula(predicted, sure, possible)


@wrong(named="nothing-refused")
def refused_only_if_something_is_predicted(predicted, sure, possible):
    if not predicted:
        return 1.0 if sure else 0.0
    return by_the_formula(predicted, sure, possible)


@wrong(named="wrong-sets-refused")
def predicted_has_to_be_possible(predicted, sure, possible):
    if not predicted <= possible:
        raise ValueError("predicted must be a subset of possible")
    return by_the_formula(predicted, sure, possible)


@wrong(named="writes-into-arguments")
def counts_by_taking_away(predicted, sure, possible):
    result = by_the_formula(predicted, sure, possible)
    predicted -= possible
    return result


@wrong(named="writes-into-arguments")
def possible_made_to_fit(predicted, sure, possible):
    result = by_the_formula(predicted, sure, possible)
    possible.difference_update(sure)
    return result


@wrong(named="not-a-float")
def a_tensor(predicted, sure, possible):
    return torch.tensor(by_the_formula(predicted, sure, possible))


@wrong(named="empty-sets-divide-by-zero")
def asserts_and_divides(predicted, sure, possible):
    """Two mistakes: another error than the one asked for, and a division by nothing."""
    assert all(link in possible for link in sure), "sure must be possible"
    right_ones = sum(link in sure for link in predicted) + sum(link in possible for link in predicted)
    return 1 - right_ones / (len(predicted) + len(sure))


@wrong(named="refused-by-another-error")
def asserts_only(predicted, sure, possible):
    assert sure <= possible, "every sure link must be possible"
    links = len(predicted) + len(sure)
    return 1.0 - (len(predicted & sure) + len(predicted & possible)) / links if links else 0.0
