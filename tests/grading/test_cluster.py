"""A real Dask cluster: a scheduler and workers as processes of their own, with no file in common with the classroom."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from grading.__main__ import main
from grading.course import UserError
from grading.jobs import Workers
from tests.grading.classroom import LAB, ROOT, filled_in, hand_in, make_course, run
from tests.grading.test_many_at_once import CLASS, record, results, wait_for

pytest.importorskip("distributed", reason="Dask isn't installed: pip install -e .[grading]")


@contextlib.contextmanager
def started(*words, folder, **environment):
    """A process of Dask's, in a folder of its own; what it says is in a file there."""
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words], cwd=folder, env=os.environ | environment, stdout=said, stderr=said
        )
    try:
        yield process
    finally:
        for each in [*psutil.Process(process.pid).children(recursive=True), process] if process.poll() is None else []:
            each.kill()
        process.wait()


@pytest.fixture
def scheduler(tmp_path):
    """The address of a scheduler without workers, and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "scheduler"
    folder.mkdir()
    words = ("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    with started(*words, folder=folder) as process:
        wait_for(lambda: "Scheduler at" in (folder / "said").read_text())
        yield f"tcp://127.0.0.1:{port}", process


@contextlib.contextmanager
def worker(address, folder, change=None):
    """A worker in a folder with a copy of the course's code, where it is changed if so wished."""
    folder.mkdir()
    for room in ("helpers", "grading"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    if change is not None:
        with (folder / change).open("a") as file:
            file.write("\n# another version\n")
    words = ("worker", address, "--nthreads", "2", "--no-nanny", "--no-dashboard", "--local-directory", str(folder))
    with started(*words, folder=folder, PYTHONPATH=str(folder), HOME=str(folder)) as process:
        wait_for(lambda: "Registered to" in (folder / "said").read_text())
        yield process


@pytest.mark.slow
def test_two_workers_of_which_one_is_killed_give_the_marks_that_one_computer_gives(
    scheduler, course, tmp_path, undisturbed_marks
):
    address, _ = scheduler
    for student, cells in CLASS.items():
        hand_in(course, student, filled_in(cells))
    with worker(address, tmp_path / "first") as first, worker(address, tmp_path / "second"):
        command = [sys.executable, "-m", "grading", "autograde", LAB, "--no-sandbox", "--scheduler", address]
        with (tmp_path / "printed").open("w") as printed:
            grading = subprocess.Popen(command, cwd=course, stdout=printed, stderr=subprocess.STDOUT)
        wait_for(lambda: results(course))
        first.send_signal(signal.SIGKILL)
        assert grading.wait(timeout=600) == 0, (tmp_path / "printed").read_text()
    assert record(course) == undisturbed_marks


@pytest.fixture(scope="module")
def undisturbed_marks(tmp_path_factory):
    course = make_course(tmp_path_factory.mktemp("undisturbed"))
    for student, cells in CLASS.items():
        hand_in(course, student, filled_in(cells))
    assert run(course, "grading", "autograde", LAB, "--no-sandbox").returncode == 0
    return record(course)


def says(capsys, *words):
    assert main(["autograde", LAB, *words]) == 2
    error = capsys.readouterr().err
    assert error.endswith("\n") and "\n" not in error[:-1]
    return error


@pytest.mark.slow
def test_a_worker_with_another_version_of_the_course_is_refused(scheduler, course, tmp_path, capsys):
    hand_in(course, "ada", filled_in({}))
    with worker(scheduler[0], tmp_path / "first"), worker(scheduler[0], tmp_path / "other", "helpers/attention.py"):
        said = says(capsys, "--scheduler", scheduler[0], "--no-sandbox")
    assert said.startswith("The worker at tcp://127.0.0.1:")
    assert said.endswith(
        "has another version of the course or of PyTorch, and might give other marks: install this one there.\n"
    )
    assert results(course) == {}


@pytest.mark.slow
def test_a_scheduler_that_is_gone_half_way_is_called_that(scheduler, course, tmp_path):
    address, process = scheduler
    for student, cells in CLASS.items():
        hand_in(course, student, filled_in(cells))
    with worker(address, tmp_path / "only"):
        command = [sys.executable, "-m", "grading", "autograde", LAB, "--no-sandbox", "--scheduler", address]
        grading = subprocess.Popen(command, cwd=course, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: results(course))
        process.kill()
        assert grading.wait(timeout=300) == 2
    gone = f"The Dask scheduler at {address} is gone: grade again when it is back, what is done stays done.\n"
    assert grading.stderr.read() == gone


@pytest.mark.slow
def test_a_scheduler_without_workers_is_told_how_to_start_one(scheduler, course, capsys, monkeypatch):
    monkeypatch.setattr("grading.jobs._SECONDS_TO_CONNECT", 2)
    hand_in(course, "ada", filled_in({}))
    assert says(capsys, "--scheduler", scheduler[0], "--no-sandbox") == (
        f"The Dask scheduler at {scheduler[0]} has no workers: start some with `dask worker {scheduler[0]}`.\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere"])
def test_a_scheduler_that_does_not_answer_is_named(course, capsys, monkeypatch, address):
    monkeypatch.setattr("grading.jobs._SECONDS_TO_CONNECT", 1)
    hand_in(course, "ada", filled_in({}))
    assert f"No Dask scheduler answers at {address}" in says(capsys, "--scheduler", address, "--no-sandbox")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (ModuleNotFoundError("No module named 'grading'"), "doesn't have the course (No module named 'grading')"),
        ("0" * 64, "has another version of the course"),
    ],
)
def test_workers_that_do_not_fit_are_refused_before_anything_is_run(answer, sentence):
    with pytest.raises(UserError, match=re.escape(f"The worker at tcp://w {sentence}")):
        Workers(True, None, 1, 1)._examine({"tcp://w": answer})
