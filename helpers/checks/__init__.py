"""The checks that a student runs beside an answer: `check(masked_softmax)`."""

from helpers.checks.runner import CheckFailed, check

__all__ = ["CheckFailed", "check"]
