"""Which exercises there are, and where: a lab's package lists their names, and each has a module of its own.

The names alone are enough for most questions, so an exercise's module is imported only when its checks are asked for.
"""

import importlib
import pkgutil
import re
from functools import cache

from helpers.checks.engine import Exercise


def exercise_names() -> tuple[str, ...]:
    """The names of all exercises, in the course's order. Imports no exercise."""
    return tuple(_labs())


def find_exercise(name: str) -> Exercise:
    """The exercise of that name. Imports its module, and no other exercise's.

    Raises:
        ValueError: if no lab has it.
    """
    return importlib.import_module(f"helpers.checks.{lab_of(name)}.{module_of(name)}").EXERCISE


def all_exercises() -> dict[str, Exercise]:
    """Every exercise of every lab, by name, in the course's order."""
    return {name: find_exercise(name) for name in exercise_names()}


def exercises_of(lab: str) -> tuple[Exercise, ...]:
    """A lab's exercises, in order."""
    return tuple(find_exercise(name) for name in exercise_names() if lab_of(name) == lab)


def lab_of(name: str) -> str:
    """The lab that has the exercise.

    Raises:
        ValueError: if no lab has it.
    """
    if name not in _labs():
        raise ValueError(
            f"there is no exercise called {name!r}; check an answer under its exercise's name, one of: "
            + ", ".join(_labs())
        )
    return _labs()[name]


def module_of(name: str) -> str:
    """The name of an exercise's module: `seq2seq_model` for `Seq2SeqModel`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


@cache
def _labs() -> dict[str, str]:
    """The lab of each exercise, in the course's order."""
    package = importlib.import_module("helpers.checks")
    labs = sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.name.startswith("lab"))
    return {name: lab for lab in labs for name in importlib.import_module(f"helpers.checks.{lab}").EXERCISES}
