"""A bank of answers to try the checks on: right ones in many styles, wrong ones with the mistake they make.

Each exercise has its bank in `answers/labNN_…/`. An answer is a plain function, or a class, under `@right` or
`@wrong(named=...)`. `named` is the id of the misconception that the report must name; None where no misconception of
the table fits, and being rejected is enough.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """A student's answer to an exercise, and what must become of it."""

    exercise: str
    function: Callable
    is_right: bool
    named: str | None = None

    @property
    def id(self) -> str:
        return f"{self.exercise}-{self.function.__name__}"


class Bank(list[Answer]):
    """The answers to one exercise."""

    def __init__(self, exercise: str):
        super().__init__()
        self.exercise = exercise

    def right(self, function: Callable) -> Callable:
        self.append(Answer(self.exercise, function, is_right=True))
        return function

    def wrong(self, named: str | None) -> Callable:
        def add(function: Callable) -> Callable:
            self.append(Answer(self.exercise, function, is_right=False, named=named))
            return function

        return add


@cache
def all_banks() -> dict[str, Bank]:
    """The banks that lie in `answers/`, by exercise."""
    files = sorted((Path(__file__).parent / "answers").glob("lab*/*.py"))
    modules = [import_module(f"tests.checks.answers.{file.parent.name}.{file.stem}") for file in files]
    return {module.BANK.exercise: module.BANK for module in modules if hasattr(module, "BANK")}
