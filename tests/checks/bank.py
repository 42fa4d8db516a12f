"""A bank of answers to try the checks on: right ones in many styles, wrong ones with the mistake they make.

An answer is a plain function under `@right(exercise)` or `@wrong(exercise, named=...)`. `named` is the id of the
misconception that the report must name; None where no misconception of the table fits, and being rejected is enough.
"""

from collections.abc import Callable
from dataclasses import dataclass


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
    """The answers of one lab."""

    def right(self, exercise: str) -> Callable:
        return self._add(exercise, is_right=True)

    def wrong(self, exercise: str, named: str | None) -> Callable:
        return self._add(exercise, is_right=False, named=named)

    def _add(self, exercise: str, **fate) -> Callable:
        def add(function: Callable) -> Callable:
            self.append(Answer(exercise, function, **fate))
            return function

        return add
