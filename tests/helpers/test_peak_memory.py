"""The peak of a computation: what is there at once, not what was ever made."""

import torch

from helpers.peak_memory import peak_bytes


def test_what_is_gone_makes_room_for_what_comes():
    assert peak_bytes(lambda: torch.zeros(1000)) == 4000
    assert peak_bytes(lambda: torch.zeros(1000).exp().exp().exp()) == 8000


def test_all_that_is_kept_is_counted_the_result_included():
    def keeping():
        pieces = [torch.zeros(100) for _ in range(5)]
        return torch.cat(pieces)

    assert peak_bytes(keeping) == 5 * 400 + 2000


def test_views_and_what_is_written_in_place_take_no_room_nor_does_what_was_there_before():
    x = torch.zeros(1000)
    assert peak_bytes(lambda: x.view(10, 100).mT) == 0
    assert peak_bytes(lambda: x.add_(1)) == 0


def test_a_computation_after_another_is_counted_from_the_start():
    assert [peak_bytes(lambda size=size: torch.zeros(size)) for size in (1000, 10, 1000)] == [4000, 40, 4000]


def test_what_a_graph_keeps_for_its_gradient_is_counted():
    x = torch.zeros(1000, requires_grad=True)
    with_graph = peak_bytes(lambda: x.exp().exp().exp())
    with torch.no_grad():
        without = peak_bytes(lambda: x.exp().exp().exp())
    assert with_graph > without
