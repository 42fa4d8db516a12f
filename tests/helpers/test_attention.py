"""The course's own attention: right against plain definitions, exact at the edges, clear about bad input."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.attention import (
    AdditiveScore,
    AttentionPooling,
    BilinearScore,
    DotProductScore,
    MultiHeadAttention,
    causal_mask,
    kernel_regression,
    length_mask,
    masked_softmax,
    merge_heads,
    scaled_dot_product_attention,
    split_heads,
)
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


def test_huge_values_in_the_padding_leave_output_and_gradient_finite():
    scores = torch.zeros(1, 1, 3, requires_grad=True)
    output = masked_softmax(scores, torch.tensor([2])) @ torch.tensor([[[1.0], [2.0], [3e38]]])
    (10 * output).sum().backward()  # ten times 3e38 overflows
    assert output.item() == 1.5
    assert torch.allclose(scores.grad, torch.tensor([[[-2.5, 2.5, 0.0]]]))


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


def draw(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def pair_by_pair(score_of_a_pair, queries, keys):
    """The scores by plain loops: each query alone with each key."""
    rows = [[[score_of_a_pair(q, k) for k in keys[b]] for q in queries[b]] for b in range(len(queries))]
    return torch.tensor(rows)


SCORES_TO_TRY = {  # queries of width 3 and keys of width 5, but for the dot product
    "dot": (lambda: DotProductScore(scaled=False), 5, lambda s: lambda q, k: sum(q * k)),
    "scaled dot": (lambda: DotProductScore(), 5, lambda s: lambda q, k: sum(q * k) / math.sqrt(5)),
    "bilinear": (lambda: BilinearScore(3, 5), 3, lambda s: lambda q, k: q @ s.W.weight @ k),
    "additive": (
        lambda: AdditiveScore(3, 5, 4),
        3,
        lambda s: lambda q, k: s.w_v.weight[0] @ torch.tanh(s.W_q.weight @ q + s.W_k.weight @ k),
    ),
}


@pytest.mark.parametrize(("build", "query_dim", "definition"), SCORES_TO_TRY.values(), ids=SCORES_TO_TRY)
def test_each_score_is_its_definition_for_every_pair_of_a_query_and_a_key(build, query_dim, definition):
    torch.manual_seed(0)
    score, queries, keys = build(), draw(2, 4, query_dim), draw(2, 6, 5, seed=1)
    with torch.no_grad():
        assert torch.allclose(score(queries, keys), pair_by_pair(definition(score), queries, keys), atol=1e-6)


@pytest.mark.parametrize(("build", "query_dim", "definition"), SCORES_TO_TRY.values(), ids=SCORES_TO_TRY)
def test_changing_one_key_changes_that_keys_scores_only(build, query_dim, definition):
    torch.manual_seed(0)
    score, queries, keys = build(), draw(2, 4, query_dim), draw(2, 6, 5, seed=1)
    other = keys.clone()
    other[1, 2] += 1
    with torch.no_grad():
        changed = score(queries, keys) != score(queries, other)
    assert changed[1, :, 2].all()
    assert changed.sum() == 4


@pytest.mark.parametrize(("build", "query_dim", "definition"), SCORES_TO_TRY.values(), ids=SCORES_TO_TRY)
def test_the_gradient_of_each_pooling_is_right_for_its_inputs_and_its_parameters(build, query_dim, definition):
    torch.manual_seed(0)
    pooling = AttentionPooling(build().double())
    inputs = [
        draw(*shape, seed=i, dtype=torch.float64).requires_grad_()
        for i, shape in enumerate([(2, 2, query_dim), (2, 3, 5), (2, 3, 2)])
    ]
    parameters = dict(pooling.named_parameters())

    def pool(queries, keys, values, *weights):
        named = dict(zip(parameters, weights, strict=True))
        arguments = (queries, keys, values, torch.tensor([2, 3]))
        return torch.func.functional_call(pooling, named, arguments)

    assert torch.autograd.gradcheck(pool, (*inputs, *parameters.values()))


def test_the_learned_parameters_have_the_names_and_shapes_that_the_labs_fix_and_no_biases():
    assert {name: tuple(p.shape) for name, p in BilinearScore(3, 5).named_parameters()} == {"W.weight": (3, 5)}
    assert {name: tuple(p.shape) for name, p in AdditiveScore(3, 5, 4).named_parameters()} == {
        "W_q.weight": (4, 3),
        "W_k.weight": (4, 5),
        "w_v.weight": (1, 4),
    }
    assert not list(DotProductScore().parameters())


def test_the_arguments_are_left_as_they_were():
    score, queries, keys = AdditiveScore(3, 5, 4), draw(2, 4, 3), draw(2, 6, 5, seed=1)
    before = queries.clone(), keys.clone()
    score(queries, keys)
    assert torch.equal(queries, before[0])
    assert torch.equal(keys, before[1])


@pytest.mark.parametrize("score", [DotProductScore(), BilinearScore(2, 2), AdditiveScore(2, 2, 8)])
def test_with_equal_keys_any_score_averages_the_valid_values(score):
    values = torch.arange(40.0).reshape(1, 10, 4).expand(2, -1, -1)
    output = AttentionPooling(score)(torch.ones(2, 1, 2), torch.ones(2, 10, 2), values, torch.tensor([2, 6]))
    assert torch.allclose(output, torch.tensor([[[2.0, 3, 4, 5]], [[10.0, 11, 12, 13]]]))


def test_pooling_with_the_scaled_dot_product_is_scaled_dot_product_attention():
    inputs = (draw(2, 3, 4), draw(2, 5, 4, seed=1), draw(2, 5, 6, seed=2), torch.tensor([5, 2]))
    pooling = AttentionPooling(DotProductScore())
    output, weights = scaled_dot_product_attention(*inputs)
    assert torch.equal(pooling(*inputs), output)
    assert torch.equal(pooling.weights, weights)


def test_any_callable_will_do_as_a_score_and_each_query_may_have_its_own_length():
    pooling = AttentionPooling(lambda queries, keys: torch.zeros(1, 2, 3))
    output = pooling(
        torch.zeros(1, 2, 1), torch.zeros(1, 3, 1), torch.tensor([[[3.0], [9], [6]]]), torch.tensor([[1, 3]])
    )
    assert output.tolist() == [[[3.0], [6.0]]]


def test_dropout_scales_up_what_it_leaves_and_the_weights_kept_are_those_before_it():
    torch.manual_seed(0)
    pooling = AttentionPooling(DotProductScore(), dropout=0.5)
    queries, keys = draw(1, 50, 8), draw(1, 20, 8, seed=1)
    used = pooling(queries, keys, torch.eye(20)[None])  # with these values the output is the weights in use
    assert torch.allclose(pooling.weights.sum(-1), torch.ones(1, 50))
    dropped = used == 0
    assert 0.4 < dropped.float().mean() < 0.6
    assert torch.allclose(used[~dropped], 2 * pooling.weights[~dropped])


def test_in_evaluation_nothing_is_dropped():
    pooling = AttentionPooling(DotProductScore(), dropout=0.5).eval()
    used = pooling(draw(1, 50, 8), draw(1, 20, 8, seed=1), torch.eye(20)[None])
    assert torch.equal(used, pooling.weights)


def test_kernel_regression_is_the_weighted_mean_of_nadaraya_and_watson():
    x_query, x_train, y_train = draw(4), draw(7, seed=1), draw(7, seed=2)
    expected = []
    for x in x_query.tolist():
        kernel = [math.exp(-((x - each) ** 2) / (2 * 0.7**2)) for each in x_train.tolist()]
        expected.append(sum(k * y for k, y in zip(kernel, y_train.tolist(), strict=True)) / sum(kernel))
    assert torch.allclose(kernel_regression(x_query, x_train, y_train, 0.7), torch.tensor(expected), atol=1e-5)


def test_far_from_every_training_point_kernel_regression_takes_the_nearest_and_not_nan():
    # The kernel itself is 0 there in floating point, and the textbook's formula 0 / 0.
    y = kernel_regression(torch.tensor([1000.0]), torch.tensor([0.0, 1.0]), torch.tensor([5.0, 7.0]), 0.1)
    assert y.tolist() == [7.0]


def test_the_gradient_of_kernel_regression_is_right():
    inputs = [draw(n, seed=n, dtype=torch.float64).requires_grad_() for n in (3, 5)]
    y_train = draw(5, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda *each: kernel_regression(*each, 0.7), (*inputs, y_train))


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
        (
            lambda: BilinearScore(3, 4)(SCORES, SCORES),
            "queries must have width 3, for which this score was built, not 4",
        ),
        (lambda: BilinearScore(4, 3)(SCORES, SCORES), "keys must have width 3, for which this score was built, not 4"),
        (lambda: AdditiveScore(4, 5, 8)(SCORES, SCORES), "keys must have width 5"),
        (
            lambda: AdditiveScore(4, 4, 8)(SCORES, SCORES[:1]),
            "queries and keys must have one batch size, not 2 and 1",
        ),
        (lambda: AdditiveScore(4, 4, 8)(SCORES.int(), SCORES), "queries must be a tensor of floating-point numbers"),
        (
            lambda: AttentionPooling(DotProductScore())(SCORES, SCORES, SCORES[:, :2]),
            r"values must have shape \(2, 3, v\), one value for each key, not \(2, 2, 4\)",
        ),
        (
            lambda: AttentionPooling(lambda queries, keys: keys[0])(SCORES, SCORES, SCORES),
            r"scores must have shape \(batch, query, key\), not \(3, 4\)",
        ),
        (
            lambda: kernel_regression(SCORES, SCORES[0, 0], SCORES[0, 0], 1.0),
            r"x_query must have shape \(query,\), not \(2, 3, 4\)",
        ),
        (
            lambda: kernel_regression(torch.zeros(1), torch.zeros(2), torch.zeros(3), 1.0),
            "x_train and y_train must hold one x and one y for each training point, at least one, not 2 and 3",
        ),
        (
            lambda: kernel_regression(torch.zeros(1), torch.zeros(2), torch.zeros(2), 0.0),
            "bandwidth must be greater than 0, not 0",
        ),
    ],
)
def test_bad_input_is_told_in_the_users_words(as_a_user, call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_the_tests_check_the_shapes_in_the_signatures():
    with pytest.raises(Exception, match="Type-check error"):
        masked_softmax(SCORES[0])


HEADS_INPUTS = (draw(3, 4, 12), draw(3, 5, 12, seed=1), draw(3, 5, 12, seed=2))  # four queries, five keys


def multi_head(num_heads=3, **kwargs):
    torch.manual_seed(0)
    return MultiHeadAttention(12, num_heads, **kwargs)


def test_each_head_gets_its_own_neighbouring_columns_of_every_position():
    x = draw(2, 5, 12)
    split = split_heads(x, 3)
    assert split.shape == (2, 3, 5, 4)
    for head in range(3):
        assert torch.equal(split[:, head], x[:, :, 4 * head : 4 * head + 4])


@given(SIZES, SIZES, SIZES, SIZES)
@settings(max_examples=30, deadline=None)
def test_merging_undoes_splitting(batch, length, heads, head_dim):
    x = draw(batch, length, heads * head_dim)
    assert torch.equal(merge_heads(split_heads(x, heads)), x)


def test_a_causal_mask_allows_each_position_itself_and_those_before_it():
    assert causal_mask(3).tolist() == [[True, False, False], [True, True, False], [True, True, True]]


MASKS = {
    "none": None,
    "per query": draw(4, 5) > -0.5,
    "per sequence": (draw(3, 4, 5) > -0.5) | torch.eye(4, 5, dtype=torch.bool),
    "one row for all queries": length_mask(torch.tensor([5, 1, 3]), 5)[:, None],
    "per head": (draw(3, 3, 4, 5) > 0) | torch.eye(4, 5, dtype=torch.bool),
    "per head, for all sequences": (draw(1, 3, 4, 5) > 0) | torch.eye(4, 5, dtype=torch.bool),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_multi_head_attention_is_its_definition_head_by_head_and_query_by_query(mask):
    layer = multi_head().double()
    query, key, value = (x.double() for x in HEADS_INPUTS)
    q, k, v = layer.W_q(query), layer.W_k(key), layer.W_v(value)
    allowed = torch.ones(3, 3, 4, 5, dtype=torch.bool)
    if mask is not None:
        allowed = (mask[:, None] if mask.dim() == 3 else mask).expand(3, 3, 4, 5)
    output, weights = layer(query, key, value, mask)
    for b in range(3):
        for i in range(4):
            heads = []
            for h in range(3):
                part, keep = slice(4 * h, 4 * h + 4), allowed[b, h, i]
                scores = torch.stack([sum(q[b, i, part] * each[part]) / 2 for each in k[b]])  # √4 = 2
                expected = torch.where(keep, scores.exp(), 0.0) / scores.exp()[keep].sum()
                assert torch.allclose(weights[b, h, i], expected)
                heads.append(expected @ v[b, :, part])
            assert torch.allclose(output[b, i], layer.W_o(torch.cat(heads)))


@pytest.mark.parametrize(
    "mask", [None, causal_mask(5), length_mask(torch.tensor([5, 1, 3]), 5)[:, None].expand(3, 5, 5)]
)
def test_multi_head_attention_is_pytorchs_layer_with_the_mask_inverted(mask):
    ours, theirs = multi_head(), torch.nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.W_q.weight, ours.W_k.weight, ours.W_v.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.W_q.bias, ours.W_k.bias, ours.W_v.bias]))
    theirs.out_proj.load_state_dict(ours.W_o.state_dict())
    x = draw(3, 5, 12)
    inverted = None if mask is None else ~mask if mask.dim() == 2 else (~mask).repeat_interleave(3, dim=0)
    for mine, expected in zip(
        ours(x, x, x, mask), theirs(x, x, x, attn_mask=inverted, average_attn_weights=False), strict=True
    ):
        assert torch.allclose(mine, expected, atol=1e-6)


def test_a_query_that_may_attend_to_nothing_has_weights_of_zero_and_finite_gradients():
    layer = multi_head()
    inputs = [x.clone().requires_grad_() for x in HEADS_INPUTS]
    mask = torch.ones(4, 5, dtype=torch.bool)
    mask[2] = False
    output, weights = layer(*inputs, mask)
    output.sum().backward()
    assert (weights[:, :, 2] == 0).all()
    assert torch.allclose(output[:, 2], layer.W_o.bias.expand(3, 12))
    assert all(tensor.grad.isfinite().all() for tensor in (*inputs, *layer.parameters()))
    assert (inputs[0].grad[:, 2] == 0).all() and (inputs[0].grad[:, 0] != 0).any()


def test_what_a_masked_key_holds_makes_no_difference():
    layer, (query, key, value) = multi_head(), HEADS_INPUTS
    other_key, other_value = key.clone(), value.clone()
    other_key[:, 3:], other_value[:, 3:] = 50, -70
    mask = length_mask(torch.tensor([3, 3, 3]), 5)[:, None]
    assert torch.equal(layer(query, key, value, mask)[0], layer(query, other_key, other_value, mask)[0])


def test_the_weights_of_multi_head_attention_are_those_before_dropout():
    layer = multi_head(dropout=0.5)
    torch.manual_seed(1)
    dropped_output, weights = layer(*HEADS_INPUTS)
    assert torch.allclose(weights.sum(-1), torch.ones(3, 3, 4))
    output, same_weights = layer.eval()(*HEADS_INPUTS)
    assert torch.equal(weights, same_weights)
    assert not torch.allclose(dropped_output, output)
    assert torch.equal(layer(*HEADS_INPUTS)[0], output)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_multi_head_attention_keeps_the_type(dtype):
    x = draw(2, 3, 12).to(dtype)
    output, weights = multi_head().to(dtype)(x, x, x, causal_mask(3))
    assert output.dtype == weights.dtype == dtype
    assert output.isfinite().all()


def test_the_gradient_of_multi_head_attention_is_right_for_its_inputs_and_its_parameters():
    torch.manual_seed(0)
    layer = MultiHeadAttention(4, 2).double()
    inputs = [draw(2, 3, 4, seed=i, dtype=torch.float64).requires_grad_() for i in range(3)]
    parameters = dict(layer.named_parameters())

    def attend(query, key, value, *weights):
        named = dict(zip(parameters, weights, strict=True))
        return torch.func.functional_call(layer, named, (query, key, value, causal_mask(3)))

    assert torch.autograd.gradcheck(attend, (*inputs, *parameters.values()))


def test_the_parameters_of_multi_head_attention_are_those_of_lab_8_whatever_the_number_of_heads():
    for heads in (1, 3, 12):
        shapes = {name: tuple(p.shape) for name, p in multi_head(heads).named_parameters()}
        assert shapes == {
            f"W_{x}.{p}": (12, 12) if p == "weight" else (12,) for x in "qkvo" for p in ("weight", "bias")
        }


X, ALL = torch.zeros(2, 3, 12), torch.ones(2, 3, 3, dtype=torch.bool)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: split_heads(X, 5),
            "the width of x must be a multiple of num_heads, but 12 can't be shared out among 5",
        ),
        (lambda: split_heads(X, 0), "the width of x must be a multiple of num_heads, but 12 can't .* among 0"),
        (lambda: split_heads(X[0], 3), r"x must have shape \(batch, length, dim\), not \(3, 12\)"),
        (lambda: merge_heads(X), r"x must have shape \(batch, heads, length, head_dim\), not \(2, 3, 12\)"),
        (lambda: causal_mask(0), "length must be at least 1, not 0"),
        (lambda: MultiHeadAttention(10, 4), "embed_dim must be a multiple of num_heads, but 10 can't .* among 4"),
        (lambda: multi_head()(X[:, :, :8], X, X), "query must have width 12, for which this layer was built, not 8"),
        (lambda: multi_head()(X, X.int(), X), "key must be a tensor of floating-point numbers"),
        (lambda: multi_head()(X, X, X[0]), r"value must have shape \(batch, value, 12\), not \(3, 12\)"),
        (lambda: multi_head()(X, X, X[:, :2]), "key and value one length"),
        (lambda: multi_head()(X, X[:1], X[:1]), "must have one batch size"),
        (lambda: multi_head()(X, X, X, ALL.float()), "mask must be a boolean tensor, True where .* not torch.float32"),
        (lambda: multi_head()(X, X, X, [[True]]), "mask must be a boolean tensor, True where .* not list"),
        (lambda: multi_head()(X, X, X, ALL[0, :2]), r"mask must have shape \(3, 3\), \(2, 3, 3\), .* not \(2, 3\)"),
        (lambda: multi_head()(X, X, X, ALL[:, :, :2]), r"broadcast to \(2, 3, 3, 3\), not \(2, 3, 2\)"),
        (lambda: multi_head(2)(X, X, X, ALL[:, None].expand(2, 3, 3, 3)), r"mask must have .* not \(2, 3, 3, 3\)"),
        (lambda: multi_head()(X, X, X, ALL[None, None]), r"mask must have shape .* not \(1, 1, 2, 3, 3\)"),
    ],
)
def test_bad_input_to_several_heads_is_told_in_the_users_words(as_a_user, call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
