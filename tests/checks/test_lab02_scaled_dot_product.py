"""Lab 2's checks, tried on the bank: every right answer passes, every wrong one is rejected, most by name."""

import functools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.checks import CheckFailed, check
from helpers.checks.engine import examine, find_exercise
from helpers.checks.forbidden import forbidden_uses
from tests.checks.answers_lab02_scaled_dot_product import BANK
from tests.checks.hidden import run_hidden_tests

RIGHT = [answer for answer in BANK if answer.is_right]
WRONG = [answer for answer in BANK if not answer.is_right]
SEEDS = range(3)
LAB = "lab02_scaled_dot_product"
EXERCISES = (
    "dot_product_scores",
    "softmax_jacobian",
    "score_variance",
    "gradient_norms",
    "scaled_dot_product_attention",
)


@pytest.mark.parametrize("answer", RIGHT, ids=lambda answer: answer.id)
def test_a_right_answer_passes_in_whatever_style(answer):
    for seed in SEEDS:
        check(answer.function, answer.exercise, seed=seed)


@pytest.mark.parametrize("answer", WRONG, ids=lambda answer: answer.id)
def test_a_wrong_answer_is_rejected_by_the_name_of_its_mistake(answer):
    for seed in SEEDS:
        with pytest.raises(CheckFailed) as failed:
            check(answer.function, answer.exercise, seed=seed)
        assert failed.value.failures
        if answer.named is not None:
            assert failed.value.misconception == answer.named


@pytest.mark.parametrize("exercise", EXERCISES)
def test_every_row_of_the_table_is_rejected_by_its_own_name(exercise):
    known = find_exercise(exercise)
    for misconception in known.misconceptions:
        for wrong in misconception.wrong:
            for seed in SEEDS[:2]:
                _, named = examine(wrong, known, seed)
                assert named is misconception, f"{misconception.id} is taken for {named and named.id}"


@pytest.mark.parametrize(
    "answer", [a for a in RIGHT if a.exercise == "scaled_dot_product_attention"], ids=lambda answer: answer.id
)
def test_a_right_answer_passes_the_hidden_tests(answer):
    run_hidden_tests(LAB, "test_scaled_dot_product_attention_hidden", scaled_dot_product_attention=answer.function)


@pytest.mark.parametrize(
    "answer",
    # The hidden tests see what an answer does, and PyTorch's own attention does the right thing.
    [a for a in WRONG if a.exercise == "scaled_dot_product_attention" and a.named != "forbidden-call"],
    ids=lambda answer: answer.id,
)
def test_a_wrong_answer_fails_the_hidden_tests(answer):
    with pytest.raises(Exception):  # noqa: B017  (whatever it is, the student gets no points)
        run_hidden_tests(LAB, "test_scaled_dot_product_attention_hidden", scaled_dot_product_attention=answer.function)


def test_at_least_85_percent_of_the_wrong_answers_are_named():
    named = [examine(answer.function, find_exercise(answer.exercise), seed=0)[1] is not None for answer in WRONG]
    print(f"lab 2: {len(RIGHT)} right answers, {len(WRONG)} wrong ones, {sum(named)} of them named")
    assert sum(named) >= 0.85 * len(named)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_blank_answer_is_told_to_be_blank(exercise):
    def blank(*args):
        raise NotImplementedError()

    with pytest.raises(CheckFailed, match="still blank"):
        check(blank, exercise)


@pytest.mark.parametrize("exercise", ["score_variance", "gradient_norms"])
def test_the_global_random_numbers_are_the_same_after_a_check(exercise):
    before = torch.get_rng_state()
    for answer in BANK:
        if answer.exercise == exercise:
            examine(answer.function, find_exercise(exercise), seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def by_alias(q, k, v):
    from torch.nn.functional import scaled_dot_product_attention as attend

    return attend(q, k, v)


def through_a_helper(q, k, v):
    return by_alias(q, k, v)


def by_the_module(q, k, v):
    import torch.nn.functional as functional

    return functional.scaled_dot_product_attention(q, k, v)


def with_a_layer(q, k, v):
    return nn.MultiheadAttention(q.shape[-1], 1, batch_first=True)(q, k, v)[0]


def with_an_encoder(q, k, v):
    return nn.TransformerEncoderLayer(q.shape[-1], 1, batch_first=True)(q)


class Delegating:
    def __call__(self, q, k, v):
        return self.attend(q, k, v)

    @staticmethod
    def attend(q, k, v):
        return q


def in_a_comment_only(q, k, v):
    """F.scaled_dot_product_attention(q, k, v) in a docstring, and below in a string."""
    scaled_dot_product_attention = "F.scaled_dot_product_attention(q, k, v)"  # nn.MultiheadAttention
    return q, scaled_dot_product_attention


@pytest.mark.parametrize(
    "answer",
    [
        by_alias,
        through_a_helper,
        by_the_module,
        with_a_layer,
        with_an_encoder,
        F.scaled_dot_product_attention,
        functools.partial(F.scaled_dot_product_attention, is_causal=True),
    ],
)
def test_pytorchs_attention_is_found_under_whatever_name(answer):
    q = torch.zeros(1, 2, 4)
    assert len(forbidden_uses(answer, (q, q, q))) == 1


@pytest.mark.parametrize("answer", [in_a_comment_only, Delegating(), max, functools.partial(in_a_comment_only)])
def test_a_name_that_is_not_used_and_an_answer_without_source_are_no_forbidden_call(answer):
    assert forbidden_uses(answer, (torch.tensor(1.0),) * 3) == ()
