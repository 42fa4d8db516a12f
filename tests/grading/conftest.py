"""A course in a folder of its own, for the tests of what happens in it."""

import shutil

import pytest

from tests.grading.classroom import make_course, register_lab


@pytest.fixture(scope="session")
def registered(tmp_path_factory):
    """A course whose gradebook knows the lab and no student. (Making a gradebook takes nbgrader seconds.)"""
    course = make_course(tmp_path_factory.mktemp("registered"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(course)
        register_lab()
    return course


@pytest.fixture
def course(registered, tmp_path_factory, monkeypatch):
    """A copy of it: an empty classroom, which is the working directory, and in which `main` runs."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(registered, folder, dirs_exist_ok=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def unexecuted(monkeypatch):
    """Gradings run nothing: each test of a submission that can be read is passed."""
    monkeypatch.setattr("grading.jobs.execute", lambda notebook, sandbox, course: notebook)
