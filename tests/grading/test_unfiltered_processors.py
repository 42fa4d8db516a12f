"""Where no system calls are filtered, grading says so."""

import platform

import pytest
from nbformat.v4 import new_notebook
from nbgrader.preprocessors import Execute
from traitlets.config import LoggingConfigurable

from grading.autograding import Ways, autograde
from grading.course import Course
from grading.executing import ExecuteApart
from grading.system_calls import unfiltered
from tests.grading.classroom import LAB, make_course


@pytest.fixture
def on_another_processor(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")


@pytest.fixture
def without_bubblewrap(monkeypatch):
    """As if it were there, where nothing is run."""
    for module in ("jobs", "executing"):
        monkeypatch.setattr(f"grading.{module}.require_bubblewrap", lambda: None)
    monkeypatch.setattr("nbgrader.api.get_alembic_version", lambda: "0")  # it asks another program, for a second
    monkeypatch.setattr(Execute, "preprocess", lambda self, nb, resources, km: (nb, resources))


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_nothing_is_said_where_they_are_filtered(machine, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert unfiltered() is None


@pytest.mark.usefixtures("on_another_processor")
def test_another_processor_is_named_with_the_calls_that_are_not_refused():
    sentence = unfiltered()
    assert "processor is riscv64" in sentence and "\n" not in sentence
    assert all(call in sentence for call in ("memfd_create", "keyctl", "unshare", "io_uring_setup", "clone3"))


@pytest.mark.usefixtures("on_another_processor", "without_bubblewrap")
def test_grading_there_starts_with_one_line_that_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(make_course(tmp_path))
    autograde(Course.here(), LAB, [])
    said = [line for line in capsys.readouterr().err.splitlines() if "riscv64" in line]
    assert said == [unfiltered()]
    autograde(Course.here(), LAB, [], Ways(sandbox=False))  # which promises nothing
    assert "riscv64" not in capsys.readouterr().err


@pytest.mark.usefixtures("on_another_processor", "without_bubblewrap")
def test_nbgraders_own_command_logs_it(caplog):
    parent = LoggingConfigurable()
    parent.log.propagate = True
    ExecuteApart(parent=parent).preprocess(new_notebook(), {})
    assert unfiltered() in caplog.messages
