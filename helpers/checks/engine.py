"""How a check works: an answer is held against an oracle, property by property, and against known mistakes.

An exercise is a list of `Property`s and a table of `Misconception`s. A property holds a few cases, small ones first;
each case says what to call the answer with and what should come back. Where the answer falls short, the
wrong implementations of the misconceptions are run on the same cases: the one that goes wrong alike names the mistake.

An answer is only ever *called*, with tensors in and tensors out, so that it may live in another process.
"""

import contextlib
import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Case:
    """What to call an answer with, and what should be observed."""

    args: tuple
    want: Any


class CannotObserve(Exception):
    """An answer has not what a property looks at. The message says so; the report shows it as the problem."""


@dataclass(frozen=True)
class Observed:
    """What an answer did with a case: a value, or an error."""

    value: Any = None
    error: Exception | None = None


@dataclass(frozen=True)
class Property:
    """One line of a report: something that a right answer does.

    `cases` draws them, smallest first. `observe` says what is looked at (the output, the arguments after the call,
    a gradient). `judge` compares an observed value with the wanted one: None if it will do, else what is wrong.
    `suggests` is the id of the misconception to name when this is the first property that fails and no
    wrong implementation behaves like the answer. `shows` introduces an observed tensor in the report, and `remark`
    says something about an observed value that will do.
    """

    text: str
    cases: Callable[["Draw"], Iterable[Case]]
    observe: Callable[[Callable, tuple], Any]
    judge: Callable[[Any, Any], str | None]
    suggests: str | None = None
    shows: str = "your answer gave"
    remark: Callable[[Any], str] | None = None


@dataclass(frozen=True)
class Misconception:
    """A wrong answer that students give: its id, what it does in a few words, why that is wrong, and itself.

    `wrong` holds one or more implementations; an answer that behaves like any of them has the misconception.
    """

    id: str
    title: str
    explanation: str
    wrong: tuple[Callable, ...]


@dataclass(frozen=True)
class Exercise:
    """What `check` knows of an exercise. Where it is one method of a class, `owner` is the name of the class."""

    name: str
    arguments: tuple[str, ...]
    properties: tuple[Property, ...]
    misconceptions: tuple[Misconception, ...]
    owner: str | None = None


@dataclass(frozen=True)
class Finding:
    """A property held against an answer. `problem` is None where it holds; else `case` is the smallest that fails.

    `observed` is what the answer did with that case, or with the last one where the property holds.
    """

    property: Property
    problem: str | None = None
    case: Case | None = None
    observed: Observed | None = None


class Draw:
    """Random inputs from one seed. Scores are rounded, so that a failing example can be read."""

    def __init__(self, seed: int):
        self._generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int, scale: float = 2.0) -> Tensor:
        """Normal numbers with one decimal, of standard deviation `scale`."""
        return (scale * torch.randn(shape, generator=self._generator)).mul(10).round().div(10)

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Whole numbers from `low` to `high`, both included."""
        return torch.randint(low, high + 1, shape, generator=self._generator)


def find_exercise(name: str) -> Exercise:
    """The exercise of that name.

    Raises:
        ValueError: if no lab has it.
    """
    exercises = all_exercises()
    if name not in exercises:
        raise ValueError(
            f"there is no exercise called {name!r}; check an answer under its exercise's name, one of: "
            + ", ".join(exercises)
        )
    return exercises[name]


def all_exercises() -> dict[str, Exercise]:
    """Every exercise of every lab, by name, in the course's order."""
    package = importlib.import_module("helpers.checks")
    labs = sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.name.startswith("lab"))
    modules = (importlib.import_module(f"helpers.checks.{lab}") for lab in labs)
    return {exercise.name: exercise for module in modules for exercise in module.EXERCISES}


def examine(answer: Callable, exercise: Exercise, seed: int) -> tuple[list[Finding], Misconception | None]:
    """Hold an answer against every property, and find the misconception that it behaves like, if any."""
    with _one_thread(), _plain_settings():
        return _examine(answer, exercise, Draw(seed))


def _examine(answer: Callable, exercise: Exercise, draw: Draw) -> tuple[list[Finding], Misconception | None]:
    cases = [list(each.cases(draw)) for each in exercise.properties]
    observed = [_observe_each(answer, *each) for each in zip(exercise.properties, cases, strict=True)]
    findings = [_finding(*each) for each in zip(exercise.properties, cases, observed, strict=True)]
    if all(finding.problem is None for finding in findings) or is_blank(findings):
        return findings, None
    return findings, _diagnose(exercise, cases, observed, findings)


@contextlib.contextmanager
def _one_thread():
    # On inputs as small as these, waking PyTorch's threads takes longer than the sum itself: on a busy machine,
    # a hundred times longer.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def _plain_settings():
    # The oracles and the inputs are made for PyTorch as it starts, whatever the notebook or the answer has set.
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    try:
        torch.set_default_dtype(torch.float32)
        if device.type != "cpu":  # setting it slows every operation down, even to what it is
            torch.set_default_device("cpu")
        with torch.inference_mode(False), torch.enable_grad(), torch.autograd.set_detect_anomaly(False):
            yield
    finally:
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(None if device.type == "cpu" else device)


def is_blank(findings: list[Finding]) -> bool:
    """Whether all that is wrong with the answer is the line that a student's copy comes with."""
    errors = [each.observed.error for each in findings if each.problem is not None]
    # PyTorch's own NotImplementedErrors come with a message
    return bool(errors) and all(type(error) is NotImplementedError and not error.args for error in errors)


def _observe_each(answer: Callable, each: Property, cases: list[Case]) -> list[Observed]:
    return [_observe(answer, each.observe, case) for case in cases]


def _observe(answer: Callable, observe: Callable, case: Case) -> Observed:
    args = tuple(arg.clone() if isinstance(arg, Tensor) else arg for arg in case.args)
    try:
        with torch.enable_grad():  # an answer that turns gradients off does so for itself only
            return Observed(value=observe(answer, args))
    except (Exception, SystemExit) as error:  # whatever a student's code raises is an observation; Ctrl-C isn't
        return Observed(error=error)


def _problem(each: Property, case: Case, observed: Observed) -> str | None:
    if isinstance(observed.error, CannotObserve):
        return str(observed.error)
    if observed.error is not None:
        lines = _message(observed.error).strip().splitlines() or [""]
        return f"raised {type(observed.error).__name__}" + (f": {lines[0]}" if lines[0] else "")
    try:
        return each.judge(observed.value, case.want)
    except Exception as error:  # a sparse tensor, one on another device, an object of the student's
        return f"what it gave can't be compared with an ordinary tensor ({type(error).__name__})"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def _finding(each: Property, cases: list[Case], observed: list[Observed]) -> Finding:
    for case, seen in zip(cases, observed, strict=True):
        problem = _problem(each, case, seen)
        if problem is not None:
            return Finding(each, problem, case, seen)
    return Finding(each, observed=observed[-1])


def _diagnose(
    exercise: Exercise, cases: list[list[Case]], observed: list[list[Observed]], findings: list[Finding]
) -> Misconception | None:
    """The misconception that goes wrong as the answer does, first of all in the first property that fails.

    Among several, the one that explains most of the failing properties, less those in which it fails and the
    answer doesn't; among equals, the first in the table.
    """
    first = next(index for index, finding in enumerate(findings) if finding.problem is not None)
    best, best_score = None, 0
    for misconception in exercise.misconceptions:
        for wrong in misconception.wrong:
            theirs = _observe_each(wrong, exercise.properties[first], cases[first])
            if not _explains(exercise.properties[first], cases[first], observed[first], theirs):
                continue  # most are out of the running here, which keeps a check under a second
            if _raises(observed[first]) and not _raises_alike(wrong, exercise, cases, observed):
                continue  # an error of the same type is little evidence: a misspelt name raises one too
            score = _score(wrong, exercise, cases, observed, findings)
            if score > best_score:
                best, best_score = misconception, score
    if best is None:
        best = next((each for each in exercise.misconceptions if each.id == findings[first].property.suggests), None)
    return best


def _raises(observed: list[Observed]) -> bool:
    return any(each.error is not None for each in observed)


def _raises_alike(wrong: Callable, exercise: Exercise, cases: list[list[Case]], observed: list[list[Observed]]) -> bool:
    """Whether the other implementation raises wherever the answer does."""
    return all(
        our.error is None or _observe(wrong, each.observe, case).error is not None
        for each, of_property, ours in zip(exercise.properties, cases, observed, strict=True)
        for case, our in zip(of_property, ours, strict=True)
    )


def _score(
    wrong: Callable,
    exercise: Exercise,
    cases: list[list[Case]],
    observed: list[list[Observed]],
    findings: list[Finding],
) -> int:
    """The failing properties that `wrong` explains, less those in which it fails and the answer doesn't."""
    score = 0
    for finding, of_property, ours in zip(findings, cases, observed, strict=True):
        theirs = _observe_each(wrong, finding.property, of_property)
        if finding.problem is not None:
            score += _explains(finding.property, of_property, ours, theirs)
        else:
            score -= _finding(finding.property, of_property, theirs).problem is not None
    return score


def _explains(each: Property, cases: list[Case], ours: list[Observed], theirs: list[Observed]) -> bool:
    """Whether the other implementation does the same as the answer in every case in which the answer fails."""
    return all(
        _same(our, their)
        for case, our, their in zip(cases, ours, theirs, strict=True)
        if _problem(each, case, our) is not None
    )


def _same(ours: Observed, theirs: Observed) -> bool:
    if ours.error is not None or theirs.error is not None:
        if isinstance(ours.error, CannotObserve) and isinstance(theirs.error, CannotObserve):
            return str(ours.error) == str(theirs.error)
        return type(ours.error) is type(theirs.error)
    return _same_value(ours.value, theirs.value)


def _same_value(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return isinstance(a, Tensor) and isinstance(b, Tensor) and _same_tensor(a, b)
    if isinstance(a, Tensor):
        return _same_tensor(a, b)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(_same_value, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same_value(a[key], b[key]) for key in a)
    return a == b


def _same_tensor(a: Tensor, b: Tensor) -> bool:
    try:
        return a.dtype == b.dtype and a.shape == b.shape and close(a, b)
    except Exception:  # no ordinary tensor
        return False


def close(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors of one shape hold the same numbers, up to the rounding of the coarser of their types."""
    if not (a.dtype.is_floating_point or b.dtype.is_floating_point):
        return torch.equal(a, b)
    tolerance = max(tolerance_of(a.dtype), tolerance_of(b.dtype))
    return torch.allclose(a.detach().double(), b.detach().double(), rtol=tolerance, atol=tolerance, equal_nan=True)


def tolerance_of(dtype: torch.dtype) -> float:
    """How far two right answers may lie apart, whatever the order of their sums."""
    return {torch.float16: 5e-3, torch.bfloat16: 4e-2}.get(dtype, 1e-4)
