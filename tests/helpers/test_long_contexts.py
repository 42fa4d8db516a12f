"""Attention for long texts: equal to PyTorch's where it should be, whatever the groups, blocks and masks."""

import pytest
import torch
from torch.nn import functional as F

from helpers.long_contexts import (
    attend_in_blocks,
    cache_bytes,
    grouped_query_attention,
    online_step,
    sliding_window_mask,
)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_grouped_queries_are_pytorchs(groups):
    queries, keys, values = draw(2, 6, 5, 4), draw(2, groups, 7, 4, seed=1), draw(2, groups, 7, 4, seed=2)
    theirs = F.scaled_dot_product_attention(queries, keys, values, enable_gqa=True)
    torch.testing.assert_close(grouped_query_attention(queries, keys, values), theirs)


@pytest.mark.parametrize(("heads", "groups"), [(3, 2), (2, 4)])
def test_heads_that_groups_cannot_share_evenly_are_refused(heads, groups):
    keys = torch.ones(1, groups, 3, 2)
    with pytest.raises(ValueError, match="queries"):
        grouped_query_attention(torch.ones(1, heads, 3, 2), keys, keys)


@pytest.mark.parametrize("block_size", [1, 3, 7, 10])
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_blocks_give_what_all_keys_at_once_give_and_so_do_their_gradients(block_size, scale):
    inputs = [scale**0.5 * draw(2, 5, 4), scale**0.5 * draw(2, 7, 4, seed=1), draw(2, 7, 3, seed=2)]
    here, there = ([each.clone().requires_grad_() for each in inputs] for _ in range(2))
    ours, theirs = attend_in_blocks(*here, block_size), F.scaled_dot_product_attention(*there)
    torch.testing.assert_close(ours, theirs)
    way = draw(2, 5, 3, seed=3)
    for mine, wanted in zip(
        torch.autograd.grad((ours * way).sum(), here), torch.autograd.grad((theirs * way).sum(), there), strict=True
    ):
        torch.testing.assert_close(mine, wanted, atol=1e-4, rtol=1e-4)


def test_a_query_that_has_seen_no_key_is_empty_and_its_gradient_finite_and_it_goes_on_as_usual():
    masked = torch.full((1, 2, 3), -torch.inf, requires_grad=True)
    values = draw(1, 3, 2).requires_grad_()
    maximum, total, output = state = online_step(None, masked, values)
    assert (maximum == -torch.inf).all() and (total == 0).all() and (output == 0).all()
    assert all(each.isfinite().all() for each in torch.autograd.grad(output.sum(), (masked, values), retain_graph=True))
    torch.testing.assert_close(online_step(state, draw(1, 2, 3), values), online_step(None, draw(1, 2, 3), values))


def test_a_window_has_that_many_keys_and_ends_at_the_query():
    mask = sliding_window_mask(6, 3)
    assert mask.sum(1).tolist() == [1, 2, 3, 3, 3, 3]
    assert mask.diagonal().all() and not mask.triu(1).any()
    assert torch.equal(sliding_window_mask(4, 9), torch.ones(4, 4, dtype=torch.bool).tril())


@pytest.mark.parametrize("call", [lambda: sliding_window_mask(3, 0), lambda: attend_in_blocks(*draw(3, 1, 2, 2), 0)])
def test_windows_and_blocks_of_nothing_are_refused(call):
    with pytest.raises(ValueError, match="must be at least 1"):
        call()


def test_a_cache_has_the_bytes_of_its_keys_and_values():
    keys = torch.zeros(3, 2, 5, 7, dtype=torch.float16)  # (layers, groups, length, head_dim)
    assert cache_bytes(layers=3, groups=2, head_dim=7, length=5) == 2 * keys.nbytes
    assert cache_bytes(3, 2, 7, 5, bytes_per_number=4) == 2 * keys.float().nbytes
