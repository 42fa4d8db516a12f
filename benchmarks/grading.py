"""How fast a class is graded: next to stock nbgrader, what the one writer needs, and what that makes of 10,000.

Run it with `python -m benchmarks.grading [--students N] [--lab LAB]`. The class is half right answers, half ones with
a small mistake, all different. It is graded twice on the same two cores: one half by stock nbgrader's `autograde`,
which runs students' code and tests in one kernel without a sandbox; the whole by `python -m grading autograde` with its
sandbox; the other half by stock nbgrader. Seconds depend on the machine, the ratio hardly does where the two cores are
free. Core seconds, the processor time of all processes, hardly depend on what else runs.
"""

import argparse
import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil

from grading.sample_class import fill_in
from tools.mutants import Lab, mutants_of

ROOT = Path(__file__).parents[1]
LABS = ("lab01_masked_softmax", "lab05_seq2seq_attention")
MANY = 10_000
STOCK = "\ndel c.Autograde, c.ExecuteApart  # nbgrader's own steps\n"


def answers_of_a_class(lab: str, students: int) -> Iterator[dict[str, str]]:
    """For each student the answers by cell: every second has one small mistake, of all kinds in turn."""
    right = Lab(lab)
    mistakes = itertools.cycle(mutant for cell in right.solutions for mutant in list(mutants_of(right, cell))[::5])
    for number in range(students):
        answers = dict(right.solutions)
        if number % 2:
            mistake = next(mistakes)
            answers[mistake.cell] = mistake.source
        last = list(answers)[-1]
        yield answers | {last: f"{answers[last]}\n# student {number}\n"}


def make_course(folder: Path, lab: str, config: str) -> None:
    for room in ("solutions", "labs"):
        shutil.copytree(ROOT / room / lab, folder / room / lab)
    (folder / "nbgrader_config.py").write_text(config, encoding="utf-8")


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds on the clock, and of all its processes' processor time."""

    seconds: float
    core_seconds: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds + other.seconds, self.core_seconds + other.core_seconds)


def cost(course: Path, *words: str) -> Cost:
    """Run a command in the course's folder."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    start, used = time.perf_counter(), {}
    with (course / "printed").open("w") as printed:
        process = psutil.Popen(
            [sys.executable, "-m", *words], cwd=course, env=environment, stdout=printed, stderr=subprocess.STDOUT
        )
        # Sampled, because the sandbox's processes end without telling their parents what they used.
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                for each in [process, *process.children(recursive=True)]:
                    with contextlib.suppress(psutil.Error):
                        times = each.cpu_times()
                        used[each.pid, each.create_time()] = times.user + times.system
            time.sleep(0.2)
    if process.returncode != 0:
        raise SystemExit((course / "printed").read_text())
    return Cost(time.perf_counter() - start, sum(used.values()))


def measure(lab: str, students: int) -> None:
    """Print the lab's figures."""
    config = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
    blank = nbformat.read(ROOT / "labs" / lab / f"{lab}.ipynb", as_version=4)
    notebooks = [nbformat.writes(fill_in(blank, answers)) for answers in answers_of_a_class(lab, students)]
    with tempfile.TemporaryDirectory() as name:
        whole, few, stock = Path(name) / "whole", Path(name) / "few", Path(name) / "stock"
        make_course(whole, lab, config)
        make_course(few, lab, config)
        make_course(stock, lab, config + STOCK)
        cost(stock, "nbgrader", "generate_assignment", "--force", lab)

        def grade(course: Path, numbers: range) -> Cost:
            for number in numbers:
                path = course / "classroom" / "submitted" / f"student-{number:03}" / lab / f"{lab}.ipynb"
                path.parent.mkdir(parents=True)
                path.write_text(notebooks[number], encoding="utf-8")
            if course == stock:
                return cost(course, "nbgrader", "autograde", lab)
            return cost(course, "grading", "autograde", lab, "--workers", "2")

        half = students // 2
        of_stock = grade(stock, range(half))
        of_ours = grade(whole, range(students))
        of_stock += grade(stock, range(half, students))
        print(
            f"{lab}: {students} submissions in {of_ours.seconds:.0f} s with the sandbox on, {of_stock.seconds:.0f} s "
            f"by stock nbgrader: {of_stock.seconds / of_ours.seconds:.2f} times the throughput"
        )
        each, each_of_stock = of_ours.core_seconds / students, of_stock.core_seconds / students
        print(
            f"{lab}: core seconds a submission: {each:.2f} with the sandbox on, {each_of_stock:.2f} by stock nbgrader"
        )
        of_few = grade(few, range(2))
        each_more = (of_ours.core_seconds - of_few.core_seconds) / (students - 2)
        start = of_few.core_seconds - 2 * each_more
        writer = core_seconds_to_record(whole, lab, students)
        job = each_more - writer
        print(f"{lab}: of these the start takes {start:.1f} in all; then the writer {writer:.3f}, a worker {job:.2f}")
        print(f"{lab}: {MANY} submissions on N workers, each with a core of its own")
        for workers in (2, 8, 32, 128):
            print(f"    N = {workers:3}: {hours(workers, job, writer)}")
        print(f"    from N = {job / writer:.0f} on the writer is the limit: {hours(MANY, job, writer)}")
        print(f"    (load of the machine: {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores)", flush=True)


def core_seconds_to_record(course: Path, lab: str, students: int) -> float:
    """A submission's share of the writer: everything is recorded anew from the results that are kept.

    What the command takes to start is left out: that is its time for a single submission.
    """
    times = []
    for kept in (students, 1):
        (course / "classroom" / "gradebook.db").unlink()
        shutil.rmtree(course / "classroom" / "autograded")
        for folder in sorted((course / "classroom" / "submitted").iterdir())[kept:]:
            shutil.rmtree(folder)
        times.append(cost(course, "grading", "autograde", lab).core_seconds)
    return (times[0] - times[1]) / (students - 1)


def hours(workers: int, job: float, writer: float) -> str:
    minutes = MANY * max(job / workers, writer) / 60
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the grading.")
    parser.add_argument("--students", type=int, default=40, help="how many submissions (default: 40)")
    parser.add_argument("--lab", action="append", help="which lab; again for another (default: labs 1 and 5)")
    arguments = parser.parse_args()
    if arguments.students < 4:
        parser.error("--students: 4 is the least, two for the start and two that come after it")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    for lab in arguments.lab or LABS:
        measure(lab, arguments.students)


if __name__ == "__main__":
    main()
