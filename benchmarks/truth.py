"""How often the checks tell the truth: the answers of the developers' banks, held against the checks of each exercise.

python -m benchmarks.truth [--mutants] [WORD …]

A line an exercise: how many of the right answers are accepted, how many of the wrong ones rejected, and how many of
these called by the name that the bank gives them. With --mutants also how many small changes of the solution cost
points, of those that are mistakes; that takes some minutes. With words, only exercises whose names or labs have one.
"""

import argparse
import contextlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from helpers.checks.catalogue import exercise_names, find_exercise, lab_of
from helpers.checks.engine import examine
from tests.checks.bank import all_banks
from tools.equivalent_mutants import EQUIVALENT
from tools.mutants import Lab, mutants_of

SEEDS = range(2)


@dataclass
class Truth:
    """What came out for one exercise, or for all of them."""

    right: int = 0
    accepted: int = 0
    wrong: int = 0
    rejected: int = 0
    named: int = 0
    mutants: int = 0  # those that are mistakes
    killed: int = 0

    def __add__(self, other: "Truth") -> "Truth":
        return Truth(*map(sum, zip(astuple(self), astuple(other), strict=True)))


def truth_of(exercise: str) -> Truth:
    """The bank of one exercise, each answer with every seed."""
    known, found = find_exercise(exercise), Truth()
    for answer in all_banks()[exercise]:
        fails, names = [], []
        for seed in SEEDS:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                findings, named = examine(answer.function, known, seed)
            fails.append(any(finding.problem is not None for finding in findings))
            names.append(named[0].id if named else None)
        if answer.is_right:
            found += Truth(right=1, accepted=int(not any(fails)))
        else:
            is_named = answer.named is not None and set(names) == {answer.named}
            found += Truth(wrong=1, rejected=int(all(fails)), named=int(is_named))
    return found


def mutants_in(exercise: str) -> Truth:
    """The small changes of the solution's cell that are mistakes, and how many of them cost points."""
    name, found = lab_of(exercise), Truth()
    lab = Lab(name)
    for mutant in mutants_of(lab, exercise) if exercise in lab.solutions else ():
        if mutant.change not in EQUIVALENT.get((name, exercise), {}):
            found += Truth(mutants=1, killed=int(lab.notices(mutant)))
    return found


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth", description="How often the checks are right.")
    parser.add_argument("--mutants", action="store_true", help="count small changes of the solutions, too")
    parser.add_argument("words", nargs="*", help="only exercises whose names or labs have one of these")
    asked = parser.parse_args(words)
    warnings.simplefilter("ignore")  # an answer may warn
    total = Truth()
    print(f"{'exercise':30} {'right accepted':>15} {'wrong rejected':>15} {'named':>12} {'mutants killed':>15}")
    for exercise in exercise_names():
        if not asked.words or any(word in f"{lab_of(exercise)} {exercise}" for word in asked.words):
            found = truth_of(exercise) + (mutants_in(exercise) if asked.mutants else Truth())
            total += found
            print(line(exercise, found), flush=True)
    print(line("all", total))


def line(name: str, found: Truth) -> str:
    """A row of the table."""
    share = f" ({found.named / found.rejected:.0%})" if found.rejected else ""
    killed = f"{found.killed} of {found.mutants}" if found.mutants else "–"
    accepted, rejected = f"{found.accepted} of {found.right}", f"{found.rejected} of {found.wrong}"
    return f"{name:30} {accepted:>15} {rejected:>15} {f'{found.named}{share}':>12} {killed:>15}"


if __name__ == "__main__":
    main()
