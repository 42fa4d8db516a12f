"""What a submission may use: one that takes more loses the points still open, keeps the others, leaves nothing."""

import contextlib
import dataclasses
import tempfile
from pathlib import Path

import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from grading.executing import ExecuteApart
from grading.sandbox import Limits
from grading.withholding import copy_for

pytestmark = [pytest.mark.slow, pytest.mark.needs("bubblewrap")]

TOKEN = "31415.9265"  # seconds of a sleep, by which a process is found again
SMALL = Limits(memory=700 * 2**20, cpu_seconds=20, seconds=60, seconds_a_cell=4, processes=40)
BOMB = """
for number in range({most}):  # a bound, should nothing hold it
    try:
        {start}
    except (OSError, RuntimeError):
        pass
time.sleep(60)
"""
PRINT = "for _ in range(200):\n    "

# What is run, and the words that say why it was ended.
ENDED = {
    "memory in many processes": (
        "for _ in range(6):\n    if not os.fork():\n        x = b'x' * 300_000_000\n"
        "        time.sleep(60)\ntime.sleep(60)",
        "used more than 700 MB of memory",
    ),
    "shared memory": (
        "import mmap\nshared = mmap.mmap(-1, 2**30)\n"
        "for i in range(0, 2**30, 4096):\n    shared[i] = 1\ntime.sleep(60)",
        "used more than 700 MB of memory",
    ),
    "fork bomb": (BOMB.format(most=3000, start="os.fork() or time.sleep(60)"), "more than 40 processes and threads"),
    "doubling fork bomb": (BOMB.format(most=11, start="os.fork()"), "more than 40 processes and threads"),
    "thread bomb": (
        "import threading\n" + BOMB.format(most=3000, start="threading.Thread(target=time.sleep, args=(60,)).start()"),
        "more than 40 processes and threads",
    ),
    "processor time of children": (
        "for _ in range(8):\n    if not os.fork():\n        while True: pass\nos.wait()",
        "used more than 6 seconds of processor time",
    ),
    "loop that swallows the interrupt": (
        "def stay(depth):\n    while True:\n        try: stay(depth - 1) if depth else sum(range(1000))\n"
        "        except BaseException: pass\nstay(20)",
        "it couldn't be interrupted",
    ),
    "signals ignored": (
        "import signal\nfor each in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:\n"
        "    signal.signal(each, signal.SIG_IGN)\nwhile True: pass",
        "it couldn't be interrupted",
    ),
    "loop in C": ("sum(iter(int, 1))", "it couldn't be interrupted"),
    "one huge operation": (
        "import torch\nx = torch.ones(3000, 3000)\nwhile True:\n    try: x = torch.linalg.matrix_power(x, 2**30)\n"
        "    except BaseException: pass",
        "it couldn't be interrupted",
    ),
    "many small files": (
        "for i in range(10**6):\n    open(f'/tmp/{i}', 'w').close()\ntime.sleep(60)",
        "made more than 20000 files",
    ),
    "its own end": ("os._exit(0)", "it has ended"),
    "its own kill": ("import signal\nos.kill(os.getpid(), signal.SIGKILL)", "it has ended"),
}

# What shows too much, and costs nothing but what it shows.
SHOWS = {
    "one line": "print('x' * 200_000_000)",
    "many lines": PRINT + "print('some line\\n' * 100_000)",
    "stderr": PRINT + "print('x' * 1_000_000, file=sys.stderr)",
    "the descriptor": PRINT + "os.write(1, b'x' * 1_000_000)",
    "HTML": PRINT + "display({'text/html': 'x' * 1_000_000}, raw=True)",
    "a thread": "import threading\ndef flood():\n    for _ in range(200): print('x' * 1_000_000)\n"
    "thread = threading.Thread(target=flood)\nthread.start()\nthread.join()",
}

# What fails at once or is interrupted, so that the cells after it still have their turn: what the cell's output says.
FAILS = {
    "memory in one piece": ("x = bytearray(2**31)", "MemoryError"),
    "memory of torch": ("import torch\nx = torch.zeros(2**31)", "can't allocate memory"),
    "memory bit by bit": ("x = []\nwhile True: x.append(b'x' * 10_000_000)", "MemoryError"),
    "plain loop": ("while True: pass", "took more than 4 seconds, and was interrupted"),
    "sleep": ("time.sleep(10**6)", "took more than 4 seconds, and was interrupted"),
    "lock": ("import threading\nthreading.Event().wait()", "took more than 4 seconds, and was interrupted"),
    "large file": ("open('large', 'wb').write(b'x' * 200_000_000)", "File too large"),
    "full /tmp": (
        "for i in range(30): open(f'/tmp/{i}', 'wb').write(b'x' * 20_000_000)",
        "No space left on device",
    ),
    "full working directory": (
        "for i in range(30): open(str(i), 'wb').write(b'x' * 20_000_000)",
        "No space left on device",
    ),
    "full /dev/shm": (
        "for i in range(30): open(f'/dev/shm/{i}', 'wb').write(b'x' * 20_000_000)",
        "No space left on device",
    ),
    "memory in files without a name": (
        "held = [os.memfd_create('x') for _ in range(200)]\nfor each in held: os.write(each, b'x' * 10_000_000)",
        "Operation not permitted",
    ),
    "System V shared memory": (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.shmget(0, 10**9, 0o1600) < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))",
        "Operation not permitted",
    ),
}

# What goes well for the student, and must end all the same when the job does.
LEAVES = {
    "daemon": "if not os.fork():\n    os.setsid()\n"
    f"    if not os.fork(): os.execlp('sleep', 'sleep', '{TOKEN}')\n    os._exit(0)",
    "child that ignores signals": "if not os.fork():\n    os.setsid()\n    os.execlp('sh', 'sh', '-c', "
    f"\"trap '' HUP INT TERM; while true; do sleep {TOKEN}; done\")",
    "thread": "import threading\nthreading.Thread(target=time.sleep, args=(10**6,)).start()",
    "at exit": "import atexit\natexit.register(time.sleep, 10**6)",
}


def exercise(name, source):
    """An answer and its test, which is worth a point."""
    role = {"schema_version": 3, "grade_id": name, "grade": False, "solution": True, "locked": False}
    test = role | {"grade_id": f"test_{name}", "grade": True, "solution": False, "locked": True, "points": 1}
    return [
        new_code_cell(source, metadata={"nbgrader": role}),
        new_code_cell(f"assert {name}() == '{name}'", metadata={"nbgrader": test}),
    ]


def submission(source):
    """A right answer, another one after which this is run, and a third right answer."""
    cells = exercise("first", "import os, sys, time\ndef first(): return 'first'")
    cells += exercise("second", f"{source}\ndef second(): return 'second'")
    return new_notebook(cells=cells + exercise("third", "def third(): return 'third'"))


@pytest.fixture
def place(monkeypatch):
    """An empty folder, in which jobs make theirs: sockets need a short path. What outlives a job is there before."""
    copy_for(submission(""))
    with tempfile.TemporaryDirectory(prefix="j-") as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


@pytest.fixture
def grade(place):
    """Runs a submission: what each test cell says, None if it passes, and what the second answer's cell says."""

    def run(source, **limits):
        notebook, _ = ExecuteApart(limits=dataclasses.replace(SMALL, **limits)).preprocess(submission(source), {})
        tests = [_error(cell) for cell in notebook.cells[1::2]]
        return tests, "".join(str(output) for output in notebook.cells[2].outputs)

    yield run
    assert list(place.iterdir()) == []
    assert [each for each in psutil.process_iter() if _is_left(each, str(place))] == []


def _error(cell):
    errors = [output.evalue or output.ename for output in cell.outputs if output.output_type == "error"]
    return errors[-1] if errors else None


def _is_left(process, place):
    with contextlib.suppress(psutil.Error):
        return any(place in word or word == TOKEN for word in process.cmdline()) and process.status() != "zombie"
    return False


@pytest.mark.parametrize("name", ENDED)
def test_what_takes_too_much_is_ended_with_a_reason_and_keeps_the_points_it_had(grade, name):
    source, reason = ENDED[name]
    limits = {"cpu_seconds": 6, "seconds_a_cell": 60} if "processor time" in reason else {}
    (first, second, third), _ = grade(source, **limits)
    assert first is None
    assert "no more of the student's code is run" in third and reason in third
    assert second is not None


@pytest.mark.parametrize("name", SHOWS)
def test_a_cell_that_shows_too_much_keeps_its_points_and_shows_nothing(grade, name):
    tests, output = grade(SHOWS[name], memory=2 * 2**30, seconds_a_cell=40)
    assert tests == [None, None, None]
    assert "This cell showed more than 20 MB, and nothing of it is kept." in output and "xxx" not in output


def test_an_error_that_is_too_long_to_show_ends_its_cell_alone(grade):
    (first, second, third), output = grade("raise ValueError('x' * 200_000_000)", memory=2 * 2**30, seconds_a_cell=40)
    assert (first, third) == (None, None) and second is not None
    assert "This cell showed more than 20 MB" in output and "its message is too long" in output


def test_an_error_after_too_much_output_is_told(grade):
    _, output = grade(f"{SHOWS['one line']}\nraise ValueError('here')", memory=2 * 2**30, seconds_a_cell=40)
    assert "This cell showed more than 20 MB" in output and "ValueError" in output and "here" in output


def test_it_is_the_same_cell_that_is_cut_however_the_output_arrives(place):
    cells = [new_code_cell(f"import time\nfor _ in range({n}): print('x' * 10_000)") for n in (60, 60, 20, 20)]
    cells[2].source = cells[2].source.replace("print", "time.sleep(0.02); print")  # in many pieces
    limits = dataclasses.replace(SMALL, output=1_000_500)
    notebook, _ = ExecuteApart(limits=limits).preprocess(new_notebook(cells=cells), {})
    shown = ["nothing of it is kept" in cell.outputs[0].text for cell in notebook.cells]
    assert shown == [False, True, False, False]  # 600 kB, too much, 200 kB, and the last 200 kB that there is room for


@pytest.mark.parametrize("name", FAILS)
def test_what_fails_or_is_interrupted_costs_its_own_exercise_alone(grade, name):
    source, reason = FAILS[name]
    (first, second, third), output = grade(source)
    assert (first, third) == (None, None)
    assert second is not None
    assert reason in output


@pytest.mark.parametrize("name", LEAVES)
def test_what_a_submission_leaves_running_ends_with_its_job(grade, name):
    tests, output = grade(LEAVES[name])
    assert tests == [None, None, None], output


@pytest.mark.parametrize("defined", [f"{words}\n" for words in ("os._exit(0)", "pass; return os._exit(0)")])
def test_the_cell_that_ended_the_run_is_named(grade, defined):
    """Once a cell ends it, once a function when its test calls it."""
    in_test = "return" in defined
    source = f"def ends(answer):\n    def second(): {defined}    return second\n@ends" if in_test else defined
    (first, second, third), _ = grade(source)
    reason = "no more of the student's code is run: it has ended"
    assert first is None and third == f"{reason} (in {'test_second' if in_test else 'second'})"
    assert second == ("the process that runs the student's code has ended" if in_test else f"{reason} (in second)")


def test_the_whole_has_a_limit_of_time_too(grade):
    (first, _, third), _ = grade("time.sleep(100)", seconds=15, seconds_a_cell=50)
    assert first is None
    assert "it took more than 15 seconds" in third


HANGS = "def hangs(answer):\n    def loop():\n        while True: {}\n    return loop\n@hangs"  # what is defined next


def test_a_function_that_never_returns_is_interrupted_when_its_test_has_waited_long_enough(grade):
    (first, second, third), _ = grade(HANGS.format("pass"))
    assert (first, third) == (None, None)
    assert second == "the student's code took too long"


def test_a_function_that_cannot_be_interrupted_costs_what_is_still_open(grade):
    (first, second, third), _ = grade(HANGS.format("sum(iter(int, 1))"))
    assert (first, second) == (None, "the student's code took too long")
    assert third == "no more of the student's code is run: it couldn't be interrupted (in test_second)"
