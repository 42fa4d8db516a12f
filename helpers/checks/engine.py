"""How a check works: an answer is held against an oracle, property by property, and against known mistakes.

An exercise is a list of `Property`s and a table of `Misconception`s. A property holds a few cases, small ones first;
each case says what to call the answer with and what should come back. Where the answer falls short, the
wrong implementations of the misconceptions are run on the same cases: the one that goes wrong alike names the mistake.

An answer is only ever *called*, with tensors in and tensors out, so that it may live in another process.
"""

import contextlib
import copy
import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Case:
    """What to call an answer with, and what should be observed."""

    args: tuple
    want: Any


class CannotObserve(Exception):
    """An answer lacks what a property looks at. The message says so; the report shows it as the problem."""


@dataclass(frozen=True)
class Observed:
    """What an answer did with a case: a value, or an error."""

    value: Any = None
    error: Exception | SystemExit | None = None


@dataclass(frozen=True)
class Property:
    """One line of a report: something that a right answer does.

    `cases` draws them, smallest first. `observe` says what is looked at (the output, the arguments after the call,
    a gradient). `judge` compares an observed value with the wanted one: None if it will do, else what is wrong.
    `suggests` is the id of the misconception to name when this is the first property that fails and no
    wrong implementation behaves like the answer; or a function that tells the id, or None, from what was observed and
    the case. `shows` introduces an observed tensor in the report, `arguments`
    names what the cases hold where that isn't what the exercise's do, and `remark`
    says something about an observed value that will do.
    """

    text: str
    cases: Callable[["Draw"], Iterable[Case]]
    observe: Callable[[Callable, tuple], Any]
    judge: Callable[[Any, Any], str | None]
    suggests: str | Callable[[Any, Case], str | None] | None = None
    shows: str = "your answer gave"
    remark: Callable[[Any], str] | None = None
    arguments: tuple[str, ...] | None = None


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
    observed: Observed = Observed()
    is_explained: bool = False  # by a misconception that was named


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


def examine(answer: Callable, exercise: Exercise, seed: int) -> tuple[list[Finding], tuple[Misconception, ...]]:
    """Hold an answer against every property, and find the misconceptions that it behaves like, the plainest first."""
    with _one_thread(), _plain_settings(), torch.random.fork_rng(devices=()):
        trial = _trial(exercise, seed)
        seen = [_look(answer, looked_at, cases) for looked_at, cases in trial.fresh_cases()]
        findings = [of_property.finding() for of_property in seen]
        if all(finding.problem is None for finding in findings) or is_blank(findings):
            return findings, ()
        named, explained = _diagnose(seen, trial)
        return [replace(each, is_explained=place in explained) for place, each in enumerate(findings)], named


def first_failure(answer: Callable, exercise: Exercise, seed: int) -> Finding | None:
    """The first property that an answer falls short of, which `examine` finds as well; None if there is none."""
    with _one_thread(), _plain_settings(), torch.random.fork_rng(devices=()):
        seen = (_look(answer, looked_at, cases) for looked_at, cases in _trial(exercise, seed).fresh_cases())
        return next((of_property.finding() for of_property in seen if of_property.fails), None)


def observe_first_cases(answer: Callable, exercise: Exercise, seed: int) -> None:
    """Let an answer run on the first case of each property but that of large sizes, for a caller who watches it."""
    with _one_thread(), _plain_settings(), torch.random.fork_rng(devices=()):
        for looked_at, cases in _trial(exercise, seed).fresh_cases():
            if looked_at.suggests != "small-sizes-only":  # such a case is slow, and shows nothing more
                _observe(answer, looked_at.observe, cases[0])


@dataclass(frozen=True)
class _Drawn:
    """A case, and the seed of PyTorch's random numbers while an answer is observed on it.

    What an answer draws from them (first weights, dropout) is then the same whatever was observed before, and on
    whichever side of the border it runs.
    """

    case: Case
    seed: int


@dataclass(frozen=True)
class _Seen:
    """What an answer did with each case of a property, and what is wrong with that: None where nothing is."""

    of: Property
    cases: list[Case]
    observed: list[Observed]
    problems: list[str | None]

    @property
    def fails(self) -> bool:
        return any(problem is not None for problem in self.problems)

    @property
    def raises(self) -> bool:
        return any(observed.error is not None for observed in self.observed)

    def finding(self) -> Finding:
        for case, observed, problem in zip(self.cases, self.observed, self.problems, strict=True):
            if problem is not None:
                return Finding(self.of, problem, case, observed)
        return Finding(self.of, observed=self.observed[-1])


def _look(answer: Callable, at: Property, cases: list[_Drawn]) -> _Seen:
    observed = [_observe(answer, at.observe, drawn) for drawn in cases]
    problems = [_problem(at, drawn.case, seen) for drawn, seen in zip(cases, observed, strict=True)]
    return _Seen(at, [drawn.case for drawn in cases], observed, problems)


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
    errors = [finding.observed.error for finding in findings if finding.problem is not None]
    # PyTorch's own NotImplementedErrors come with a message
    return bool(errors) and all(type(error) is NotImplementedError and not error.args for error in errors)


def _observe(answer: Callable, observe: Callable, drawn: _Drawn) -> Observed:
    args = tuple(arg.clone() if isinstance(arg, Tensor) else arg for arg in drawn.case.args)
    torch.default_generator.manual_seed(drawn.seed)  # torch.manual_seed asks for every kind of device first: 2 ms
    try:
        with torch.enable_grad():  # an answer that turns gradients off does so for itself only
            return Observed(value=observe(answer, args))
    except (Exception, SystemExit) as error:  # whatever a student's code raises is an observation; Ctrl-C isn't
        return Observed(error=error)


def _problem(of: Property, case: Case, observed: Observed) -> str | None:
    if isinstance(observed.error, CannotObserve):
        return str(observed.error)
    if observed.error is not None:
        lines = _message(observed.error).strip().splitlines() or [""]
        return f"raised {type(observed.error).__name__}" + (f": {lines[0]}" if lines[0] else "")
    try:
        return of.judge(observed.value, case.want)
    except Exception as error:  # a sparse tensor, one on another device, an object of the student's
        return f"what it gave can't be compared with an ordinary tensor ({type(error).__name__})"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


class _Trial:
    """The cases of an exercise that a seed draws, and what the wrong implementations of its table do with them.

    Both are the same for every answer. An oracle is slow, so it works a case out once; and each wrong implementation is
    observed on a property when that is first asked for, and then never again.
    """

    def __init__(self, exercise: Exercise, seed: int):
        draw, seeds = Draw(seed), itertools.count(seed)
        self.misconceptions = exercise.misconceptions
        self._cases = [(of, [_Drawn(case, next(seeds)) for case in of.cases(draw)]) for of in exercise.properties]
        self._cases_of_mistakes = self.fresh_cases()
        self._seen: dict[tuple[Callable, int], _Seen] = {}

    def fresh_cases(self) -> list[tuple[Property, list[_Drawn]]]:
        """The cases of each property, with arguments of their own: an answer may change what it is handed."""
        copies: dict = {}  # what several cases share is one thing in the copies, too
        return [
            (
                looked_at,
                [_Drawn(Case(copy.deepcopy(drawn.case.args, copies), drawn.case.want), drawn.seed) for drawn in cases],
            )
            for looked_at, cases in self._cases
        ]

    def seen(self, wrong: Callable, place: int) -> _Seen:
        """What a wrong implementation does with the property at that place of the exercise."""
        if (wrong, place) not in self._seen:
            seen = self._seen[wrong, place] = _look(wrong, *self._cases_of_mistakes[place])
            for observed in seen.observed:
                if observed.error is not None:
                    observed.error.__traceback__ = None  # it would keep all that was on the stack
        return self._seen[wrong, place]


@lru_cache(maxsize=16)  # more than a lab has exercises: grading meets each of them again and again, with one seed
def _trial(exercise: Exercise, seed: int) -> _Trial:
    return _Trial(exercise, seed)


_MOST_MISTAKES = 3  # an answer that makes more at once is told what fails, and no names


def _diagnose(seen: list[_Seen], trial: _Trial) -> tuple[tuple[Misconception, ...], set[int]]:
    """The few misconceptions that together go wrong as the answer does, and the places of what they explain.

    The first is the one for the first property that fails; the next, for the first that it doesn't explain; and so on.
    """
    failing = [place for place, ours in enumerate(seen) if ours.fails]
    open_places, named = list(failing), list[Misconception]()
    while open_places and len(named) < _MOST_MISTAKES:
        found = _best(open_places, failing, seen, trial)
        if found is None:
            break
        misconception, explained = found
        named.append(misconception)
        open_places = [place for place in open_places if place not in explained]
    # An error of the same type is little evidence: a misspelt name raises one too. It is, where all errors are told.
    if named and seen[failing[0]].raises and any(seen[place].raises for place in open_places):
        named = []
    if not named:
        suggested = _suggested(seen[failing[0]].finding())
        found_by_property = tuple(known for known in trial.misconceptions if known.id == suggested)
        return found_by_property, set(failing[:1] if found_by_property else [])
    return tuple(dict.fromkeys(named)), set(failing) - set(open_places)


def _best(
    open_places: list[int], failing: list[int], seen: list[_Seen], trial: _Trial
) -> tuple[Misconception, set[int]] | None:
    """The misconception that explains the first of the open places, and most of the others; the first among equals.

    Against it speaks each place where it would show and the answer does right; and, half as much, each where the
    answer does something else wrong that nothing has explained so far.
    """
    best, best_score = None, 0
    for misconception in trial.misconceptions:
        for wrong in misconception.wrong:
            if not _explains(trial.seen(wrong, open_places[0]), seen[open_places[0]]):
                continue  # most are out of the running here, which keeps a check under a second
            theirs = [trial.seen(wrong, place) for place in range(len(seen))]
            explained = {place for place in failing if _explains(theirs[place], seen[place])}
            elsewhere = sum(theirs[place].fails for place in range(len(seen)) if place not in failing)
            unlike = sum(theirs[place].fails for place in open_places if place not in explained)
            score = 2 * len(explained.intersection(open_places)) - 2 * elsewhere - unlike
            if score > best_score:
                best, best_score = (misconception, explained), score
    return best


def _suggested(finding: Finding) -> str | None:
    """What the property itself makes of it; an error that any line might raise says nothing about this one."""
    suggests, error = finding.property.suggests, finding.observed.error
    if isinstance(error, NameError | ImportError):
        return None
    if not callable(suggests):
        return suggests
    return None if error is not None or finding.case is None else suggests(finding.observed.value, finding.case)


def _explains(theirs: _Seen, ours: _Seen) -> bool:
    """Whether the other implementation does the same as the answer in every case in which the answer fails."""
    return all(
        problem is None or _same(our, their)
        for our, their, problem in zip(ours.observed, theirs.observed, ours.problems, strict=True)
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
    if isinstance(a, float):
        return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)  # the last digits differ with the order of a sum
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
