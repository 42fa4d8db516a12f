"""The rotation: a turn, by the position, that leaves only distances in a product."""

import math

import pytest
import torch

from helpers.positions import rotate


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_each_pair_of_columns_is_turned_by_position_times_its_own_rate():
    x, positions = draw(2, 3, 4, 6), torch.tensor([0, 7, 3, 7])
    turned = rotate(x, positions, base=100.0)
    for place, position in enumerate(positions.tolist()):
        for pair in range(3):
            angle = position * 100 ** (-2 * pair / 6)
            a, b = x[:, :, place, 2 * pair], x[:, :, place, 2 * pair + 1]
            wanted = (
                a * math.cos(angle) - b * math.sin(angle),
                a * math.sin(angle) + b * math.cos(angle),
            )
            for column, want in enumerate(wanted):
                torch.testing.assert_close(turned[:, :, place, 2 * pair + column], want)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_product_of_turned_vectors_depends_on_the_distance_of_their_positions_only(dtype):
    query, key = draw(2, 1, 1, 1, 8).to(dtype)

    def product(at_query, at_key):
        turned = rotate(query, torch.tensor([at_query])), rotate(key, torch.tensor([at_key]))
        return (turned[0] * turned[1]).sum()

    torch.testing.assert_close(product(9, 4), product(100_009, 100_004), atol=1e-4, rtol=1e-4)
    assert not torch.isclose(product(9, 4), product(4, 9), atol=1e-2)


def test_far_positions_are_as_right_in_half_precision_as_near_ones():
    x, positions = draw(1, 1, 3, 8), torch.tensor([5, 1000, 2047])
    for dtype in (torch.float16, torch.bfloat16):
        turned = rotate(x.to(dtype), positions)
        assert turned.dtype == dtype
        torch.testing.assert_close(turned.float(), rotate(x.to(dtype).float(), positions), atol=0.05, rtol=0.02)


@pytest.mark.parametrize(
    ("dim", "positions", "named"), [(3, torch.arange(2), "^x "), (4, torch.arange(3), "^positions")]
)
def test_odd_widths_and_positions_that_do_not_fit_are_refused(dim, positions, named, as_a_user):
    with pytest.raises(ValueError, match=named):
        rotate(torch.ones(1, 1, 2, dim), positions)
