"""What only lab 2's checks do; what all do is in test_banks.py."""

import functools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.checks.catalogue import find_exercise
from helpers.checks.engine import examine
from helpers.checks.forbidden import forbidden_uses, uses_in_source
from tests.checks.bank import all_banks


@pytest.mark.parametrize("exercise", ["score_variance", "gradient_norms"])
def test_the_global_random_numbers_are_the_same_after_a_check(exercise):
    before = torch.get_rng_state()
    for answer in all_banks()[exercise]:
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


_ATTENTION = "torch.nn.functional.scaled_dot_product_attention"


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["def attend(q):\n    return nn.functional.scaled_dot_product_attention(q, q, q)"], (_ATTENTION,)),
        (
            [
                "import torch.nn.functional as F",
                "%time 1\ndef attend(q):\n    return F.scaled_dot_product_attention(q, q, q)",
            ],
            (_ATTENTION,),
        ),
        (
            ["from torch.nn.functional import scaled_dot_product_attention as a", "attend = lambda q: a(q, q, q)"],
            (_ATTENTION,),
        ),
        (
            ["def attend(q):\n    return beside(q)", "beside = lambda q: nn.MultiheadAttention(4, 1)(q, q, q)"],
            ("torch.nn.MultiheadAttention",),
        ),
        (
            ["def attend(q):\n    return q", "nn.functional.scaled_dot_product_attention"],
            (),
        ),  # an experiment of the student's
        (
            [
                "def attend(q):\n    return scaled_dot_product_attention(q)",
                "def scaled_dot_product_attention(q):\n    return q",
            ],
            (),
        ),
        (["def attend(q:", "from torch.nowhere import attention", "\0", "(" * 1000], ()),
    ],
)
def test_the_text_of_the_cells_tells_it_too(cells, found):
    assert uses_in_source(cells, "attend") == found
