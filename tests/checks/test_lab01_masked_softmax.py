"""What only lab 1's checks do; what all do is in test_banks.py."""

from helpers.checks import check
from tests.checks.answers.lab01_masked_softmax.breaking_input import ordinary_padding


def test_a_version_that_survives_costs_its_own_point_only():
    assert check(ordinary_padding, "breaking_input", points=3) == 2
