"""A real class from an LMS's download to its marks, with a kill on the way: everyone is accounted for."""

import csv
import signal
import subprocess
import sys
import time

import pytest

from tests.grading.classroom import LAB, open_gradebook, run
from tests.grading.real_class import BROKEN, FAULTS, HONEST, STYLES, is_late, student, write

WITH_MARKS = range(HONEST)
UNREADABLE = [number for number in range(HONEST, HONEST + BROKEN) if FAULTS[number % len(FAULTS)][0] != "essay.pdf"]
NO_NOTEBOOK = [number for number in range(HONEST, HONEST + BROKEN) if FAULTS[number % len(FAULTS)][0] == "essay.pdf"]


def recorded(course):
    with open_gradebook(course) as gradebook:
        try:
            return {submission.student_id: submission.score for submission in gradebook.assignment_submissions(LAB)}
        except ValueError:
            return {}


@pytest.mark.slow
def test_a_class_is_accounted_for_though_the_grading_is_killed(course):
    write(course / "submissions.zip", course / "roster.csv")
    collected = run(course, "grading", "collect", "submissions.zip", "--roster", "roster.csv")
    assert f"Submissions: {HONEST + len(UNREADABLE)} ({HONEST + len(UNREADABLE)} new)" in collected.stdout
    assert [line.split("_")[-1] for line in collected.stderr.splitlines()] == [
        "essay.pdf is left out: it is no notebook, and which lab it belongs to isn't known."
    ] * len(NO_NOTEBOOK)

    command = [sys.executable, "-m", "grading", "autograde", LAB, "--no-sandbox"]
    first = subprocess.Popen(command, cwd=course, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(recorded(course)) < 20:
        assert first.poll() is None
        time.sleep(1)
    first.send_signal(signal.SIGKILL)
    first.wait()

    graded = run(course, "grading", "autograde", LAB, "--no-sandbox")
    assert graded.returncode == 1
    marks = recorded(course)
    assert marks.keys() == {student(number) for number in [*WITH_MARKS, *UNREADABLE]}
    for number in UNREADABLE:
        assert marks[student(number)] == 0
        (sentence,) = [line for line in graded.stderr.splitlines() if line.startswith(f"{student(number)} was not")]
        assert FAULTS[number % len(FAULTS)][2] in sentence
    absent = [*NO_NOTEBOOK, *range(HONEST + BROKEN, HONEST + BROKEN + 3)]
    assert f"Handed in nothing: {', '.join(map(student, absent))}." in graded.stdout
    by_answers = {(number % 3, number % len(STYLES)): marks[student(number)] for number in WITH_MARKS}
    for answers in range(3):  # whatever the style, the same answers have the same marks
        assert len({points for (each, _), points in by_answers.items() if each == answers}) == 1
    assert max(marks.values()) == 16
    assert sum(" was late: its LMS says so" in line for line in graded.stdout.splitlines()) == sum(
        is_late(number) for number in range(HONEST + BROKEN)
    )

    done = run(course, "nbgrader", "export", "--to", "grades.csv")
    assert done.returncode == 0, done.stderr
    with (course / "grades.csv").open(encoding="utf-8", newline="") as file:
        scores = {row["student_id"]: row["score"] for row in csv.DictReader(file)}
    assert len(scores) == HONEST + BROKEN + 3
    assert {scores[student(number)] for number in absent} == {""}
