"""Many submissions: whatever is killed and whenever, a second grading ends where an undisturbed one does."""

import contextlib
import logging
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import nbformat
import psutil
import pytest
from filelock import FileLock

from grading.__main__ import main
from grading.autograding import Ways, autograde
from grading.course import Course
from grading.jobs import Workers
from grading.sample_answers import lab01_masked_softmax as answers
from tests.grading.classroom import LAB, filled_in, hand_in, make_course, open_gradebook, run, scores

RIGHT = answers.STUDENTS["sample-ada"]
MISTAKEN = RIGHT | {"masked_softmax": answers.MASKED_SOFTMAX_MASKED_AFTERWARDS}
CLASS = {  # "ada" and "bela" hand in the same
    "ada": RIGHT,
    "bela": RIGHT,
    "carl": RIGHT | {"length_mask": answers.LENGTH_MASK_BY_CUMSUM},
    "dora": MISTAKEN,
    "emil": {"length_mask": RIGHT["length_mask"]},
    "fritz": RIGHT | {"masked_mean": answers.MASKED_MEAN_OVER_THE_PADDED_LENGTH},
}


def hand_in_all(course, log):
    """Each submission, when it is run, leaves a line in `log` (without a sandbox it can)."""
    for student, cells in CLASS.items():
        name = "ada" if student == "bela" else student
        note = f"print(1, file=open({str(log / name)!r}, 'a'))\n"
        hand_in(course, student, filled_in(cells | {"length_mask": note + cells["length_mask"]}))


def start(course, *words):
    command = [sys.executable, "-m", "grading", "autograde", LAB, "--no-sandbox", *words]
    with (course / "printed").open("w") as out:
        return subprocess.Popen(command, cwd=course, stdout=out, stderr=subprocess.STDOUT)


def finish(process, course):
    assert process.wait(timeout=600) == 0, (course / "printed").read_text()


def wait_for(happens, seconds=900):
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "it didn't happen"
        time.sleep(0.05)


def results(course):
    """The results that are kept, and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in (course / "classroom" / "results").glob("*.ipynb")}


def record(course):
    """All that the gradebook says of the class, by student."""
    with open_gradebook(course) as gradebook:
        found = {}
        for submission in gradebook.assignment_submissions(LAB):
            (notebook,) = submission.notebooks
            grades = [
                (each.name, each.auto_score, each.manual_score, each.extra_credit, each.needs_manual_grade)
                for each in notebook.grades
            ]
            comments = [(each.name, each.auto_comment, each.manual_comment) for each in notebook.comments]
            found[submission.student.id] = (sorted(grades), sorted(comments), submission.score)
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The class, graded in one go; and how often each submission was run."""
    course, log = make_course(tmp_path_factory.mktemp("undisturbed")), tmp_path_factory.mktemp("log")
    hand_in_all(course, log)
    finish(start(course, "--workers", "2"), course)
    return course, {path.name: path.read_text().count("1") for path in log.iterdir()}


@pytest.mark.slow
def test_equal_submissions_are_run_once_and_each_is_recorded(undisturbed):
    course, runs = undisturbed
    assert runs == dict.fromkeys(set(CLASS) - {"bela"}, 1)
    assert set(record(course)) == set(CLASS)
    assert record(course)["ada"] == record(course)["bela"]


@pytest.mark.slow
def test_the_grading_killed_half_way_goes_on_where_it_was(undisturbed, course, tmp_path, capsys):
    log = tmp_path
    hand_in_all(course, log)
    process = start(course, "--workers", "2")
    wait_for(lambda: len(results(course)) >= 2)
    assert main(["autograde", LAB, "--no-sandbox"]) == 2
    assert capsys.readouterr().err == "Another grading of this class is under way: wait until it ends, or stop it.\n"
    offspring = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept, begun = results(course), {path.name for path in log.iterdir()}
    assert 2 <= len(kept) < 5
    psutil.wait_procs(offspring, timeout=60)
    assert [each for each in offspring if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []
    kept = results(course)  # what was kept up to the very end

    finish(start(course, "--workers", "2"), course)
    assert {name: when for name, when in results(course).items() if name in kept} == kept
    runs = {path.name: path.read_text().count("1") for path in log.iterdir()}
    assert set(runs) == set(CLASS) - {"bela"}
    assert sum(runs.values()) - len(runs) == len(begun) - len(kept)  # those under way were run again, and no other
    assert record(course) == record(undisturbed[0])


@pytest.mark.slow
def test_a_worker_killed_half_way_costs_nobody_anything(undisturbed, course, tmp_path):
    hand_in_all(course, tmp_path)
    process = start(course, "--workers", "2")

    def kill_a_worker_at_work():
        for each in psutil.Process(process.pid).children(recursive=True) if results(course) else ():
            with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                if "-f" in each.cmdline() and each.ppid() != process.pid:
                    each.parent().kill()
                    return True
        return False

    wait_for(kill_a_worker_at_work)
    finish(process, course)
    assert record(course) == record(undisturbed[0])


# Where `kill -9` strikes: a function of the grading, and at which of its calls.
MOMENTS = {
    "a result is there, and isn't kept": ("os.replace", 1),
    "it is kept, and nothing is recorded": ("grading.autograding.Autograde.start", 1),
    "some of its grades are recorded": ("nbgrader.preprocessors.SaveAutoGrades._add_score", 3),
    "all is recorded but the note of it": ("grading.recording.Note.preprocess", 1),
    "the first is recorded, and the second isn't": ("grading.autograding.Autograde.start", 2),
}
KILLED = """
import os, pkgutil, sys
from unittest.mock import patch
place, call = sys.argv[1], int(sys.argv[2])
original, calls = pkgutil.resolve_name(place), 0
def deadly(*args, **kwargs):
    global calls
    calls += 1
    if calls == call:
        os.kill(os.getpid(), 9)
    return original(*args, **kwargs)
from grading.__main__ import main
with patch(place, deadly):
    main(["autograde", "lab01_masked_softmax", "--no-sandbox"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_at_the_worst_moment_leaves_the_same_gradebook(undisturbed, tmp_path, moment):
    shutil.copytree(
        undisturbed[0], tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("gradebook.db", "autograded")
    )
    if moment == "a result is there, and isn't kept":  # of these two, then, the results are to be worked out
        shutil.rmtree(tmp_path / "classroom" / "results")
        for student in set(CLASS) - {"dora"}:
            shutil.rmtree(tmp_path / "classroom" / "submitted" / student)
    expected = {
        student: each
        for student, each in record(undisturbed[0]).items()
        if (tmp_path / "classroom" / "submitted" / student).exists()
    }
    place, call = MOMENTS[moment]
    died = subprocess.run([sys.executable, "-c", KILLED, place, str(call)], cwd=tmp_path, capture_output=True)
    assert died.returncode == -9
    before = results(tmp_path)
    finish(start(tmp_path), tmp_path)
    assert record(tmp_path) == expected
    assert {name: when for name, when in results(tmp_path).items() if name in before} == before


@pytest.fixture
def graded(undisturbed, tmp_path, monkeypatch):
    """The graded class in a folder of its own; whatever would run a submission fails."""
    shutil.copytree(undisturbed[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("grading.jobs.execute", lambda *_: pytest.fail("a submission is run"))
    monkeypatch.setattr("grading.jobs.Workers._connect", lambda _: pytest.fail("submissions are run"))
    return tmp_path


def grade_again(*students):
    outcomes = autograde(Course.here(), LAB, list(students or CLASS), Ways(sandbox=False))
    assert [each.fault for each in outcomes] == [None] * len(outcomes)


@pytest.mark.slow
def test_what_is_recorded_is_not_recorded_again(graded, monkeypatch):
    monkeypatch.setattr("grading.autograding.Autograde", lambda **_: pytest.fail("a submission is recorded"))
    grade_again()


@pytest.mark.slow
def test_a_gradebook_that_was_lost_is_filled_again_from_the_results(graded, undisturbed):
    (graded / "classroom" / "gradebook.db").unlink()
    grade_again()
    assert record(graded) == record(undisturbed[0])


@pytest.mark.slow
def test_points_that_change_are_recorded_without_running_anything(graded):
    path = graded / "solutions" / LAB / f"{LAB}.ipynb"
    path.write_text(
        re.sub(
            r'"grade_id": "test_masked_mean",([^}]*)"points": 2',
            r'"grade_id": "test_masked_mean",\1"points": 6',
            path.read_text(),
        )
    )
    grade_again()
    assert scores(graded, "ada")["test_masked_mean"] == 6
    assert scores(graded, "fritz")["test_masked_mean"] == 0


@pytest.mark.slow
def test_an_answer_that_formgrader_graded_in_between_and_was_taken_back_is_recorded_again(graded, undisturbed):
    first, second = (graded / "classroom" / "submitted" / each / LAB / f"{LAB}.ipynb" for each in ("ada", "dora"))
    kept = first.read_text()
    first.write_text(second.read_text())
    done = run(graded, "nbgrader", "autograde", LAB, "--student", "ada", "--force")
    assert done.returncode == 0 and scores(graded, "ada") == scores(graded, "dora")
    first.write_text(kept)
    grade_again()
    assert record(graded) == record(undisturbed[0])


@pytest.mark.slow
def test_a_later_date_of_submission_is_recorded(graded):
    stamp = graded / "classroom" / "submitted" / "ada" / LAB / "timestamp.txt"
    for date in ("2026-05-01 12:00:00 UTC", "2026-05-02 12:00:00 UTC"):
        stamp.write_text(date)
        grade_again("ada")
        with open_gradebook(graded) as gradebook:
            assert f"{gradebook.find_submission(LAB, 'ada').timestamp} UTC" == date


@pytest.mark.slow
def test_the_gradebook_is_the_one_that_nbgrader_writes_by_itself(graded, undisturbed):
    (graded / "classroom" / "gradebook.db").unlink()
    shutil.rmtree(graded / "classroom" / "autograded")
    for words in (["generate_assignment", "--force", LAB], ["autograde", LAB]):
        assert run(graded, "nbgrader", *words).returncode == 0
    assert record(graded) == record(undisturbed[0])
    first, second = (
        course / "classroom" / "autograded" / "dora" / LAB / f"{LAB}.ipynb" for course in (graded, undisturbed[0])
    )
    assert nbformat.read(first, 4) == nbformat.read(second, 4)


def test_a_second_grading_waits_for_nothing_and_says_so(course, capsys):
    hand_in(course, "ada", filled_in({}))
    with FileLock(course / "classroom" / "autograde.lock"):
        assert main(["autograde", LAB, "--no-sandbox"]) == 2
    assert capsys.readouterr().err == "Another grading of this class is under way: wait until it ends, or stop it.\n"


@pytest.mark.slow
def test_workers_that_dask_takes_for_lost_are_replaced_and_what_they_say_of_it_is_not_shown(capfd):
    def complain():
        logging.getLogger("distributed.worker").error("the scheduler doesn't answer")

    async def lose_all(dask_scheduler):
        for worker in list(dask_scheduler.workers):
            await dask_scheduler.remove_worker(worker, stimulus_id="lost")

    with contextlib.ExitStack() as taken, Workers(sandbox=False, scheduler=None, number=1, jobs=2) as workers:
        with contextlib.suppress(OSError):  # then another grading has it, which is what is wanted
            taken.enter_context(socket.create_server(("127.0.0.1", 8787)))  # Dask's usual port: nothing is said of it
        workers.submit("one", nbformat.writes(nbformat.v4.new_notebook()))
        workers._client.run(complain)
        workers._client.run_on_scheduler(lose_all)
        give_up = threading.Timer(300, workers._running["one"].cancel)
        give_up.start()
        ((key, executed),) = workers.finished(wait=True)
        give_up.cancel()
    assert key == "one" and nbformat.reads(executed, as_version=4).cells == []
    assert "answer" not in capfd.readouterr().err
