"""The course's own attention: right against plain definitions, exact at the edges, clear about bad input."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.attention import length_mask, masked_softmax, scaled_dot_product_attention
from helpers.running_example import KEYS, QUERIES, TOKENS, VALUES

SIZES = st.integers(1, 5)


@st.composite
def scores_and_lengths(draw):
    batch, queries, keys = draw(SIZES), draw(SIZES), draw(SIZES)
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    shape = (batch,) if draw(st.booleans()) else (batch, queries)
    scores = 3 * torch.randn(batch, queries, keys, generator=generator)
    return scores, torch.randint(0, keys + 1, shape, generator=generator)


def test_length_mask_is_true_on_the_real_steps():
    assert length_mask(torch.tensor([2, 0]), 3).tolist() == [[True, True, False], [False, False, False]]
    assert length_mask(torch.tensor([[1], [3]]), 3).tolist() == [[[True, False, False]], [[True, True, True]]]


@given(scores_and_lengths())
@settings(max_examples=60, deadline=None)
def test_each_row_is_the_softmax_of_its_valid_scores_and_exactly_zero_after_them(case):
    scores, valid_lens = case
    weights = masked_softmax(scores, valid_lens)
    lengths = valid_lens.reshape(len(scores), -1).expand(scores.shape[:2])
    for b, q in torch.cartesian_prod(torch.arange(scores.shape[0]), torch.arange(scores.shape[1])):
        n = lengths[b, q]
        assert torch.allclose(weights[b, q, :n], scores[b, q, :n].softmax(0), atol=1e-6)
        assert (weights[b, q, n:] == 0).all()


@given(scores_and_lengths(), st.floats(-1e4, 1e4))
@settings(max_examples=40, deadline=None)
def test_what_lies_in_the_padding_makes_no_difference(case, garbage):
    scores, valid_lens = case
    mask = length_mask(valid_lens, scores.shape[-1]).reshape(len(scores), -1, scores.shape[-1]).expand_as(scores)
    assert torch.equal(
        masked_softmax(scores, valid_lens), masked_softmax(scores.masked_fill(~mask, garbage), valid_lens)
    )


def test_without_lengths_it_is_the_plain_softmax():
    scores = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(masked_softmax(scores), scores.softmax(dim=-1))


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_an_empty_row_is_all_zeros_and_its_gradient_is_finite():
    scores = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    with torch.autograd.detect_anomaly(check_nan=True):
        weights = masked_softmax(scores, torch.tensor([[0, 2], [3, 0]]))
        (weights * torch.arange(12.0).reshape(2, 2, 3)).sum().backward()
    assert (weights[0, 0] == 0).all()
    assert (weights[1, 1] == 0).all()
    assert scores.grad.isfinite().all()
    assert (scores.grad[0, 0] == 0).all()
    assert (scores.grad[1, 0] != 0).any()


def test_the_gradient_is_that_of_the_definition():
    scores = torch.randn(2, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: masked_softmax(s, torch.tensor([[1, 2], [3, 2]])), scores)


def test_the_scores_are_left_as_they_were():
    scores = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(0))
    before = scores.clone()
    masked_softmax(scores, torch.tensor([1, 2]))
    assert torch.equal(scores, before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_type_is_kept(dtype):
    weights = masked_softmax(torch.zeros(1, 2, 3, dtype=dtype), torch.tensor([[0, 2]]))
    assert weights.dtype == dtype
    assert weights[0].tolist() == [[0, 0, 0], [0.5, 0.5, 0]]


def test_attention_agrees_with_pytorchs_own():
    generator = torch.Generator().manual_seed(0)
    queries, keys = torch.randn(3, 4, 8, generator=generator), torch.randn(3, 5, 8, generator=generator)
    values, valid_lens = torch.randn(3, 5, 6, generator=generator), torch.tensor([5, 1, 3])
    output, weights = scaled_dot_product_attention(queries, keys, values, valid_lens)
    mask = length_mask(valid_lens, 5)[:, None, :]
    expected = torch.nn.functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    assert torch.allclose(output, expected, atol=1e-6)
    assert torch.allclose(weights.sum(-1), torch.ones(3, 4))


def test_the_running_example_gives_whole_scores_and_car_looks_at_red():
    assert torch.equal((QUERIES @ KEYS.T / 2)[TOKENS.index("car")], torch.tensor([0.0, 2.0, 1.0, 0.0]))
    _, weights = scaled_dot_product_attention(QUERIES[None], KEYS[None], VALUES[None])
    assert TOKENS[weights[0, TOKENS.index("car")].argmax()] == "red"


SCORES = torch.zeros(2, 3, 4)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: length_mask([2, 3], 4), r"valid_lens must be a tensor of integers .* not list"),
        (lambda: length_mask(torch.tensor([2.0]), 4), r"valid_lens must be a tensor of integers .* not torch.float32"),
        (lambda: length_mask(torch.tensor([True]), 4), r"valid_lens must be a tensor of integers"),
        (
            lambda: length_mask(torch.tensor(2), 4),
            r"valid_lens must have shape \(batch,\) or \(batch, query\), not \(\)",
        ),
        (lambda: length_mask(torch.tensor([2, 5]), 4), r"valid_lens must lie in 0\.\.4.* from 2 to 5"),
        (lambda: length_mask(torch.tensor([-1, 2]), 4), r"valid_lens must lie in 0\.\.4.* from -1 to 2"),
        (lambda: masked_softmax(SCORES[0]), r"scores must have shape \(batch, query, key\), not \(3, 4\)"),
        (lambda: masked_softmax(SCORES.int()), r"scores must be a tensor of floating-point numbers, not torch.int32"),
        (lambda: masked_softmax([[1.0]]), r"scores must be a tensor of floating-point numbers, not list"),
        (
            lambda: masked_softmax(SCORES, torch.tensor([1, 2, 3])),
            r"valid_lens must have shape \(2,\) or \(2, 3\) to fit scores of shape \(2, 3, 4\), not \(3,\)",
        ),
        (lambda: masked_softmax(SCORES, torch.tensor([[1, 2], [3, 4]])), r"valid_lens must have shape .* not \(2, 2\)"),
        (lambda: masked_softmax(SCORES, torch.tensor([1, 9])), r"valid_lens must lie in 0\.\.4, the number of keys"),
        (
            lambda: scaled_dot_product_attention(SCORES, SCORES[:, :, :3], SCORES),
            r"keys must have shape \(2, key, 4\) to fit queries of shape \(2, 3, 4\), not \(2, 3, 3\)",
        ),
        (
            lambda: scaled_dot_product_attention(SCORES, SCORES, SCORES[:, :2]),
            r"values must have shape \(2, 3, v\), one value for each key, not \(2, 2, 4\)",
        ),
        (
            lambda: scaled_dot_product_attention(SCORES[0], SCORES, SCORES),
            r"queries must have shape \(batch, query, d\)",
        ),
    ],
)
def test_bad_input_is_told_in_the_users_words(as_a_user, call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_the_tests_check_the_shapes_in_the_signatures():
    with pytest.raises(Exception, match="Type-check error"):
        masked_softmax(SCORES[0])
