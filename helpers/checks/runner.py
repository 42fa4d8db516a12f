"""What a student calls: `check(masked_softmax)`."""

import contextlib
import io
import os
import random
import sys
from collections.abc import Callable, Mapping
from typing import Any

from helpers.checks.catalogue import exercise_names, find_exercise
from helpers.checks.devices import remark_on_devices
from helpers.checks.engine import Finding, examine, is_blank
from helpers.checks.imported import imported
from helpers.checks.report import Report
from helpers.progress import note_check, way_on


class CheckFailed(AssertionError):
    """An answer lacks a property of the exercise.

    Attributes:
        exercise: the exercise's name.
        failures: the `Finding`s that fail, in the report's order.
        misconception: the id of the mistake that the answer behaves like, or None.
    """

    def __init__(self, message: str, exercise: str, failures: tuple[Finding, ...], misconception: str | None):
        super().__init__(message)
        self.exercise = exercise
        self.failures = failures
        self.misconception = misconception

    def _render_traceback_(self) -> list[str]:
        # IPython shows this in place of the traceback: the engine's frames would tell a student nothing.
        return [f"CheckFailed: {self}"]


def check(
    answer: Callable, exercise: str | None = None, *, seed: int | None = None, points: int | None = None
) -> float | None:
    """Check a student's answer, and report on it property by property.

    The exercise is known by the answer's name; `exercise` names it where the answer goes by another one. Inputs are
    random: the report prints the `seed` that repeats them. With `points`, nothing is raised as long as some property
    holds, and the share of the points that was earned is returned: nbgrader reads partial credit from a cell's value.

    Raises:
        CheckFailed: if a property fails (with `points`: if all fail).
        ValueError: if there is no such exercise.
    """
    if exercise is None:
        exercise = _name_of(answer, sys._getframe(1).f_globals)
    known = find_exercise(exercise)
    if seed is None:
        # Under nbgrader the inputs stay the same, so that a submission graded twice gets the same marks.
        seed = 0 if "NBGRADER_EXECUTION" in os.environ else random.SystemRandom().randrange(10_000)
    written = io.StringIO()
    with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
        # What an answer prints would bury the report, and nbgrader gives no marks to a cell that wrote to stderr.
        findings, misconceptions = examine(answer, known, seed)
    failures = tuple(finding for finding in findings if finding.problem is not None)
    share = 1 - len(failures) / len(findings)
    advice = None if is_blank(findings) else note_check(exercise, share)
    way = None if is_blank(findings) else way_on(exercise)
    own = imported(answer, known.name)
    remark = None if failures else remark_on_devices(answer, known, seed)
    report = Report(known, seed, findings, misconceptions, written.getvalue(), advice, way, own, remark)
    report.show()
    if failures and (points is None or len(failures) == len(findings)):
        raise CheckFailed(report.summary, exercise, failures, misconceptions[0].id if misconceptions else None)
    if points is None:
        return None
    earned = points * (len(findings) - len(failures)) / len(findings)
    return int(earned) if earned.is_integer() else earned


def _name_of(answer: Callable, namespace: Mapping[str, Any]) -> str:
    # A lambda, a partial or a function of another name is a fine answer: the name that it is bound to where `check` was
    # called tells the exercise, and only where there is none its own.
    bound = [known for known in exercise_names() if namespace.get(known) is answer]
    if len(bound) > 1:
        raise ValueError(f"{' and '.join(bound)} are the same function: each exercise needs an answer of its own")
    return bound[0] if bound else getattr(answer, "__name__", "")
