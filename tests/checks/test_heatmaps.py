"""Yours beside wanted: what is laid side by side, where it is cut out, and how its numbers are written."""

import re

import torch

from helpers.checks.heatmaps import beside


def cells(html: str) -> list[str]:
    return re.findall(r"<td[^>]*>([^<]*)</td>", html)


def test_cells_that_differ_are_marked_in_text_and_in_colour():
    picture = beside(torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([[0.5, 0.5], [0.25, 0.75]]))
    lines = picture.text.splitlines()
    assert lines[0].split() == ["yours", "wanted"]
    assert "*" not in lines[1] and lines[2].count("*") == 2
    assert cells(picture.html) == ["0.5", "0.5", "1", "0", "0.5", "0.5", "0.25", "0.75"]
    assert picture.html.count("font-weight: bold") == 4


def test_a_large_tensor_is_cut_down_to_where_the_first_difference_lies():
    want = torch.zeros(3, 67, 131)
    got = want.clone()
    got[2, 64, 100] = 7.0
    picture = beside(got, want)
    assert picture.note == "at [2, …], rows 61 to 66 of 67, columns 96 to 103 of 131"
    assert len(picture.yours) == 6 and len(picture.yours[0]) == 8
    assert sum(map(sum, picture.differ)) == 1


def test_numbers_are_written_as_a_person_writes_them():
    picture = beside(torch.tensor([-0.0, 1.749999761581421, 3e8]), torch.tensor([1.0, 1.5, -1e-9]))
    assert cells(picture.html) == ["0", "1.75", "3e+08", "1", "1.5", "-1e-09"]


def test_what_two_decimals_dont_tell_apart_gets_more():
    assert cells(beside(torch.tensor([0.5001]), torch.tensor([0.5004])).html) == ["0.5001", "0.5004"]


def test_masks_whole_numbers_and_single_numbers_have_pictures():
    assert cells(beside(torch.tensor([True, False]), torch.tensor([True, True])).html)[:2] == ["True", "False"]
    assert beside(torch.tensor([3, 4]), torch.tensor([3, 5])).text.splitlines()[1] == "[3  4*]   [3 5]"
    assert cells(beside(torch.tensor(1.5), torch.tensor(2.0)).html) == ["1.5", "2"]


def test_of_a_pair_the_part_that_differs_is_shown():
    same = torch.ones(2)
    assert cells(beside((same, torch.zeros(1)), (same, torch.ones(1))).html) == ["0", "1"]


def test_where_nothing_can_be_laid_side_by_side_there_is_no_picture():
    for got, want in (
        (torch.ones(2), torch.ones(3)),
        (torch.ones(2), torch.ones(2)),
        (None, torch.ones(2)),
        ("a", "b"),
        (torch.ones(2, 2).to_sparse(), torch.zeros(2, 2)),
        (torch.ones(2).to("meta"), torch.zeros(2)),
        (torch.ones(0), torch.ones(0)),
    ):
        assert beside(got, want) is None


def test_nan_and_infinity_are_shown_and_colour_nothing():
    html = beside(torch.tensor([torch.nan, torch.inf]), torch.tensor([0.5, 0.5])).html
    assert cells(html)[:2] == ["nan", "inf"]
