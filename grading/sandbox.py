"""Where a student's code runs: a Jupyter kernel inside bubblewrap, reached over sockets in a folder of its own.

Inside there is no network and no other process; the system, the environment and what there is of the course are
read-only. Neither solutions nor hidden tests are there, nor what answers the lab, nor other submissions, the gradebook,
the home directory, and the environment variables.
"""

import contextlib
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
WORK = "/tmp/work"  # the student's working directory, as the sandbox sees it
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/fonts", "/etc/alternatives")
# What of the course is there, besides a copy of `helpers` (see withholding.py): a test holds that all that the
# candidate's side of the border imports is among it.
COURSE = ("grading/__init__.py", "grading/border")
# Where another `helpers` would be if the course were installed by copying it.
_INSTALLED = [Path(sysconfig.get_path(kind)) / "helpers" for kind in ("purelib", "platlib")]
_ROOM = ("/tmp", "/dev/shm")  # where the sandbox can write


@dataclass(frozen=True)
class Limits:
    """What a submission may use. (An honest run of any lab takes under 15 seconds and a quarter of the memory.)"""

    memory: int = 2 * 2**30  # bytes, of all its processes
    cpu_seconds: int = 180  # of all its processes
    seconds: int = 600
    seconds_a_cell: int = 60  # then the cell is interrupted, and the next one has its turn
    processes: int = 64  # and threads
    output: int = 20 * 2**20  # bytes that it prints and shows: of a cell that goes beyond, nothing is kept
    room: int = 200 * 2**20  # bytes in /tmp and in /dev/shm, each
    files: int = 20_000  # in each
    file_size: int = 100 * 2**20


class NoSandbox(Exception):
    """bubblewrap isn't there, or can't work here. The message says what to do."""


@dataclass(frozen=True)
class Bubblewrap:
    """A bubblewrap that works here, and whether it can give students' code a user of its own: only root can."""

    path: str
    own_user: bool


@cache
def require_bubblewrap() -> Bubblewrap:
    """The bubblewrap of this machine, tried out.

    Raises:
        NoSandbox: if there is none, or it can't work here.
    """
    path = shutil.which("bwrap")
    if path is None:
        raise NoSandbox(
            "Students' code is run with bubblewrap, which isn't installed here: on Debian or Ubuntu "
            "`apt install bubblewrap`; on macOS and Windows grade in a Linux container. `--no-sandbox` runs it "
            "unprotected, with your rights."
        )
    for own_user in (True, False) if os.geteuid() == 0 else (False,):
        found = Bubblewrap(path, own_user)
        words = [sys.executable, "-c", "import grading.border, ipykernel._version"]
        trial = subprocess.run(command(found, words, Limits(), a_user()), capture_output=True, text=True)
        if trial.returncode == 0:
            return found
    raise NoSandbox(
        "Students' code is run with bubblewrap, which is installed but can't make a sandbox here "
        f"({(trial.stderr.strip().splitlines() or ['it says nothing'])[-1]}): this machine or container forbids user "
        "namespaces, and docs/grading.md says how to allow them. `--no-sandbox` runs it unprotected, with your rights."
    )


def a_user() -> int:
    """A number that no user of the machine has: not even two sandboxes share one, nor a limit on processes."""
    return random.SystemRandom().randrange(2**30, 2**31 - 1)


def command(
    bubblewrap: Bubblewrap,
    words: list[str],
    limits: Limits,
    user: int,
    folder: Path | None = None,
    system_calls: int | None = None,
    helpers: Path | None = None,
) -> list[str]:
    """The command line that runs `words` in the sandbox, in which `folder` can be read.

    `helpers` is the folder of the package that is imported by that name in there.

    `system_calls` is the number of an open file with the filter for them (see system_calls.py).

    Linux limits the processes of a user, but not of root. So root's sandbox is entered as `user`; anyone else's is a
    user namespace, in which processes are counted apart.
    """
    prefixes = dict.fromkeys(str(Path(prefix).resolve()) for prefix in (sys.base_prefix, sys.prefix))
    readable = [*_SYSTEM, *prefixes, *(str(ROOT / path) for path in COURSE)]
    readable += [str(each) for each in (folder, helpers) if each is not None]
    line = [bubblewrap.path, "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    if bubblewrap.own_user:
        line += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
        line += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        line += ["--unshare-all", "--unshare-user"]
    line += ["--proc", "/proc", "--dev", "/dev"]
    for place in _ROOM:
        line += ["--perms", "1777", "--size", str(limits.room), "--tmpfs", place]
    line += ["--perms", "1777", "--dir", WORK]
    for path in readable:
        for parent in reversed(Path(path).parents):
            line += ["--perms", "0755", "--dir", str(parent)]  # else it would be for root alone
        line += ["--ro-bind-try", path, path]
    for installed in filter(Path.is_dir, dict.fromkeys(_INSTALLED)):
        line += ["--tmpfs", str(installed), "--remount-ro", str(installed)]
    if system_calls is not None:
        line += ["--seccomp", str(system_calls)]
    # In /proc/sys and /dev the machine's own root, which root is in here without a user of its own, could write.
    line += ["--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORK]
    for name, value in environment(helpers).items():
        line += ["--setenv", name, value]
    line.append("--")
    if bubblewrap.own_user:
        line += ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all", "--"]
    line.append("prlimit")
    line += [f"--{name.removeprefix('RLIMIT_').lower()}={limit}" for name, limit in limits_of_a_process(limits).items()]
    return [*line, "--", *words]


def environment(helpers: Path | None = None) -> dict[str, str]:
    """The environment variables of a student's code."""
    return {
        "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), "/usr/bin", "/bin"]),
        "HOME": "/tmp",
        "USER": "student",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "NBGRADER_EXECUTION": "autograde",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join(python_path(helpers)),
    }


def python_path(helpers: Path | None) -> list[str]:
    """Where a candidate looks for modules: first for those in the folder `helpers`, then for the course's."""
    return [str(each) for each in (helpers, ROOT) if each is not None]


def limits_of_a_process(limits: Limits) -> dict[str, int]:
    """What Linux itself holds each process to, by its names in `resource`."""
    # Twice as many as the watch below allows: that ends the whole, and this holds until the watch looks again.
    processes = 2 * limits.processes
    return {
        "RLIMIT_DATA": limits.memory,
        "RLIMIT_FSIZE": limits.file_size,
        "RLIMIT_NPROC": processes,
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": 256,
    }


@contextlib.contextmanager
def watched(processes: list[psutil.Process], limits: Limits) -> Iterator[list[str]]:
    """End processes with all that they started when they use too much of anything; the list then says of what.

    Limits on a process don't hold its children together, some memory isn't counted in any of them, and what the process
    sends piles up here.
    """
    reasons: list[str] = []
    over = threading.Event()
    end = time.monotonic() + limits.seconds
    here = psutil.Process()
    most_here = here.memory_info().rss + limits.memory

    def excess() -> str | None:
        if time.monotonic() > end:
            return f"it took more than {limits.seconds} seconds"
        if here.memory_info().rss > most_here:
            return f"it sent more than {size_in_words(limits.memory)}"
        return _excess_of(family(*processes), limits)

    def watch() -> None:
        while not over.wait(0.1):
            reason = excess()
            if reason:
                reasons.append(reason)
                kill(*processes)
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield reasons
    finally:
        over.set()
        thread.join()
        kill(*processes)


def kill(*processes: psutil.Process) -> None:
    """End processes and all that they started, and wait until they are gone; of a sandbox, all that is in it ends."""
    everyone = family(*processes)
    for member in reversed(everyone):
        with contextlib.suppress(psutil.Error):
            member.kill()
    # A process is gone once another has taken note of its end: for an orphan that is the machine's first one, and may
    # take a second.
    end = time.monotonic() + 10
    while any(map(_runs, everyone)) and time.monotonic() < end:
        time.sleep(0.01)


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def family(*processes: psutil.Process) -> list[psutil.Process]:
    """The processes, their children, and theirs, as far as they still are."""
    found, new = [], list(processes)
    while new:
        found += new
        new = [child for parent in new for child in _children(parent)]
    return found


def _children(process: psutil.Process) -> list[psutil.Process]:
    lists = list(Path(f"/proc/{process.pid}/task").glob("*/children"))
    if not lists:  # psutil looks through all processes of the machine; Linux mostly keeps a list
        with contextlib.suppress(psutil.Error):
            return process.children()
    children = []
    for path in lists:
        with contextlib.suppress(OSError, psutil.Error):
            children += [psutil.Process(int(number)) for number in path.read_text().split()]
    return children


def _excess_of(processes: list[psutil.Process], limits: Limits) -> str | None:
    memory = threads = seconds = 0
    for process in processes:
        with contextlib.suppress(psutil.Error), process.oneshot():
            memory += process.memory_info().rss
            threads += process.num_threads()
            seconds += sum(process.cpu_times()[:4])  # with those of children that have ended
    if threads > limits.processes:
        return f"it started more than {limits.processes} processes and threads"
    if memory > limits.memory and sum(map(_own_memory, processes)) > limits.memory:
        return f"it used more than {size_in_words(limits.memory)} of memory"
    if seconds > limits.cpu_seconds:
        return f"it used more than {limits.cpu_seconds} seconds of processor time"
    root = f"/proc/{processes[-1].pid}/root"
    with contextlib.suppress(OSError):  # it has ended, or this isn't Linux
        spaces = [os.statvfs(root + room) for room in _ROOM] if not os.path.samefile(root, "/") else []
        if any(space.f_files - space.f_ffree > limits.files for space in spaces):
            return f"it made more than {limits.files} files"
    return None


def _own_memory(process: psutil.Process) -> int:
    """Its share of the memory: what several processes have in common counts once. (That takes longer to find out.)"""
    with contextlib.suppress(psutil.Error):
        try:
            return process.memory_full_info().pss
        except psutil.AccessDenied:
            return process.memory_info().rss
    return 0


def size_in_words(size: int) -> str:
    """A number of bytes as a person says it."""
    return f"{size / 2**30:g} GB" if size >= 2**30 else f"{size / 2**20:g} MB"
