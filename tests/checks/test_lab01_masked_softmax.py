"""What only lab 1's checks do; what all do is in test_banks.py."""

from helpers.checks import check
from tests.checks.answers_lab01_masked_softmax import BANK


def test_a_version_that_survives_costs_its_own_point_only():
    ordinary = next(answer for answer in BANK if answer.function.__name__ == "ordinary_padding")
    assert check(ordinary.function, "breaking_input", points=3) == 2
