"""Without a sandbox nothing is run: a sentence and a refusal, wherever one grades from, without `--no-sandbox`."""

import os
import sys
from pathlib import Path

import pytest
from nbgrader.apps.api import NbGraderAPI

from grading.course import Course
from grading.sample_answers.lab01_masked_softmax import STUDENTS
from grading.sandbox import require_bubblewrap
from tests.grading.classroom import LAB, filled_in, hand_in, open_gradebook, run

pytestmark = pytest.mark.slow

SENTENCES = {
    "missing": "Students' code is run with bubblewrap, which isn't installed here: ",
    "no user namespaces": "Students' code is run with bubblewrap, which is installed but can't make a sandbox here "
    "(bwrap: No permissions to create new namespace): ",
}


@pytest.fixture(params=SENTENCES)
def sentence(request, course, tmp_path_factory, monkeypatch):
    """What is said where bubblewrap is like that. One right submission waits to be graded."""
    hand_in(course, "ada", filled_in(STUDENTS["sample-ada"]))
    place = tmp_path_factory.mktemp("bin")
    if request.param != "missing":
        fake = place / "bwrap"
        fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
        fake.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(place), str(Path(sys.executable).parent)]))
    require_bubblewrap.cache_clear()
    yield SENTENCES[request.param]
    require_bubblewrap.cache_clear()


def nothing_is_recorded(course):
    with open_gradebook(course) as gradebook:
        scores = [each.score for each in gradebook.assignment_submissions(LAB)]
    return not any(scores) and not list(course.glob("classroom/autograded/**/*.ipynb"))


def test_python_m_grading_says_so_and_refuses(course, sentence):
    done = run(course, "grading", "autograde", LAB)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(sentence) and done.stderr.count("\n") == 1
    assert "`--no-sandbox` runs it unprotected, with your rights." in done.stderr
    assert nothing_is_recorded(course)


def test_nbgrader_autograde_says_so_and_refuses(course, sentence):
    done = run(course, "nbgrader", "autograde", LAB)
    assert done.returncode != 0
    assert sentence in done.stderr
    assert nothing_is_recorded(course)


def test_formgraders_button_says_so_and_refuses(course, sentence):
    here = Course.here()
    answer = NbGraderAPI(here.directory(), config=here.config).autograde(LAB, "ada")
    assert answer["success"] is False
    assert sentence in answer["log"]
    assert nothing_is_recorded(course)


def test_no_sandbox_grades_all_the_same(course, sentence):
    done = run(course, "grading", "autograde", LAB, "--no-sandbox")
    assert done.returncode == 0, done.stderr
    with open_gradebook(course) as gradebook:
        assert gradebook.find_submission(LAB, "ada").score == 16
