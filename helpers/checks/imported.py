"""Whether an answer is the course's own code: imported from `helpers`, or called there.

Such an answer is right, but it isn't there while a lab is graded. So a report says whose it is.
"""

import importlib
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from helpers.checks.catalogue import exercise_names, lab_of
from helpers.checks.forbidden import named_in


def imported(answer: Callable, exercise: str) -> str | None:
    """The name in `helpers` of what the answer is, or calls; None where it answers the exercise by itself."""
    if exercise not in exercise_names():
        return None
    listed = importlib.import_module(f"helpers.checks.{lab_of(exercise)}").IN_HELPERS[exercise]
    names = {f"helpers.{name}" for name in listed}
    return next((name for thing in _things(answer) if (name := _full_name(thing)) in names), None)


def _full_name(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"


def _things(answer: Callable) -> Iterator[Any]:
    """The answer, the classes that it inherits from, and what its own code names."""
    yield answer
    if isinstance(answer, FunctionType):
        yield from named_in(answer)
    for base in answer.__mro__ if isinstance(answer, type) else ():
        yield base
        if base.__module__ == answer.__module__:
            for method in vars(base).values():
                yield from named_in(method) if isinstance(method, FunctionType) else ()
