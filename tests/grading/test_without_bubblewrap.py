"""Without a sandbox nothing is run: a sentence and a refusal, wherever one grades from; `--no-sandbox` is asked for by name."""

import os
import sys
from pathlib import Path

import pytest
from nbgrader.apps.api import NbGraderAPI

from grading.autograding import autograde
from grading.course import Course
from grading.sample_answers.lab01_masked_softmax import STUDENTS
from grading.sandbox import require_bubblewrap
from tests.grading.classroom import LAB, SANDBOX, filled_in, hand_in, make_course, open_gradebook, run

pytestmark = [pytest.mark.slow, SANDBOX]

SENTENCES = {
    "missing": "Students' code is run with bubblewrap, which isn't installed here: ",
    "no user namespaces": "Students' code is run with bubblewrap, which is installed but can't make a sandbox here "
    "(bwrap: No permissions to create new namespace): ",
}


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """A course whose gradebook knows the lab, with one right submission."""
    course = make_course(tmp_path_factory.mktemp("course"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(course)
        autograde(Course.here(), LAB, [])
    hand_in(course, "ada", filled_in(STUDENTS["sample-ada"]))
    return course


@pytest.fixture(params=SENTENCES)
def sentence(request, registered, tmp_path, monkeypatch):
    """What is said where bubblewrap is like that."""
    if request.param != "missing":
        fake = tmp_path / "bwrap"
        fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
        fake.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent)]))
    monkeypatch.chdir(registered)
    require_bubblewrap.cache_clear()
    yield SENTENCES[request.param]
    require_bubblewrap.cache_clear()


def nothing_is_recorded(course):
    with open_gradebook(course) as gradebook:
        scores = [each.score for each in gradebook.assignment_submissions(LAB)]
    return not any(scores) and not list(course.glob("classroom/autograded/**/*.ipynb"))


def test_python_m_grading_says_so_and_refuses(registered, sentence):
    done = run(registered, "grading", "autograde", LAB)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(sentence) and done.stderr.count("\n") == 1
    assert "`--no-sandbox` runs it unprotected, with your rights." in done.stderr
    assert nothing_is_recorded(registered)


def test_nbgrader_autograde_says_so_and_refuses(registered, sentence):
    done = run(registered, "nbgrader", "autograde", LAB)
    assert done.returncode != 0
    assert sentence in done.stderr
    assert nothing_is_recorded(registered)


def test_formgraders_button_says_so_and_refuses(registered, sentence):
    course = Course.here()
    answer = NbGraderAPI(course.directory(), config=course.config).autograde(LAB, "ada")
    assert answer["success"] is False
    assert sentence in answer["log"]
    assert nothing_is_recorded(registered)


def test_no_sandbox_grades_all_the_same(registered, sentence, tmp_path):
    done = run(registered, "grading", "autograde", LAB, "--no-sandbox")
    assert done.returncode == 0, done.stderr
    with open_gradebook(registered) as gradebook:
        assert gradebook.find_submission(LAB, "ada").score == 16
