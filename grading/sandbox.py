"""Where a student's code runs: a Jupyter kernel inside bubblewrap, reached over sockets in a folder of its own.

Inside there is no network and no other process; the system, the environment and what there is of the course are
read-only. Neither solutions nor hidden tests are there, nor what answers the lab, nor other submissions, the gradebook,
the home directory, and the environment variables.
"""

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from grading.system_calls import filter_program

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
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), "/usr/bin", "/bin"]),
        "HOME": "/tmp",
        "USER": "student",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "NBGRADER_EXECUTION": "autograde",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": python_path(helpers),
    }
    for name, value in environment.items():
        line += ["--setenv", name, value]
    line.append("--")
    if bubblewrap.own_user:
        line += ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all", "--"]
    # Twice as many as the watch below allows: that ends the whole, and this holds until the watch looks again.
    line += ["prlimit", f"--data={limits.memory}", f"--fsize={limits.file_size}", f"--nproc={2 * limits.processes}"]
    return [*line, "--core=0", "--nofile=256", "--", *words]


def python_path(helpers: Path | None) -> str:
    """Where a candidate looks for modules: first for those in the folder `helpers`, then for the course's."""
    return os.pathsep.join(str(each) for each in (helpers, ROOT) if each is not None)


class UnprotectedProvisioner(LocalProvisioner):
    """Starts a kernel on sockets that are made here, in the connection file's folder, and are open when it starts.

    What it writes past Jupyter isn't shown in the terminal.
    """

    parent: Any  # the SandboxKernelManager that has a kernel started

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Called by the kernel manager: what the kernel is to be started with."""
        kwargs = await super().pre_launch(**kwargs)
        self._open: list[int] = []
        self._folder = Path(self.parent.connection_file).parent
        listeners = {port: self._listener(f"{self.parent.ip}-{port}") for port in self.parent.ports}
        kwargs["cmd"] = [*kwargs["cmd"], ",".join(f"{port}={number}" for port, number in listeners.items())]
        kwargs["stdout"] = kwargs["stderr"] = subprocess.DEVNULL
        kwargs["cwd"] = str(self._folder / "work")
        kwargs["env"] = kwargs.get("env", dict(os.environ)) | {"PYTHONPATH": python_path(self.parent.helpers)}
        kwargs["pass_fds"] = self._open
        return kwargs

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Called by the kernel manager after `pre_launch`: the kernel has the sockets now, and here they are closed."""
        try:
            return await super().launch_kernel(cmd, **kwargs)
        finally:
            for descriptor in self._open:
                os.close(descriptor)

    def _listener(self, path: str) -> int:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen()
            self._open.append(listener.detach())
        return self._open[-1]


class SandboxProvisioner(UnprotectedProvisioner):
    """Starts a kernel in the sandbox. The folder of its sockets can be seen in there, and not be written to."""

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Called by the kernel manager: what the sandbox, and the kernel in it, are to be started with."""
        kwargs = await super().pre_launch(**kwargs)
        bubblewrap, user = require_bubblewrap(), a_user()
        program = filter_program()
        system_calls = None if program is None else self._readable(program)
        if bubblewrap.own_user:
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, user, -1)
        kwargs["cmd"] = command(
            bubblewrap, kwargs["cmd"], self.parent.limits, user, self._folder, system_calls, self.parent.helpers
        )
        kwargs["cwd"] = str(self._folder)
        return kwargs

    def _readable(self, content: bytes) -> int:
        reading, writing = os.pipe()
        os.write(writing, content)
        os.close(writing)
        self._open.append(reading)
        return reading


@contextlib.contextmanager
def watched(process: psutil.Process, limits: Limits) -> Iterator[list[str]]:
    """End a process with all that it started when it uses too much of anything; the list then says of what.

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
        return _excess_of(family(process), limits)

    def watch() -> None:
        while not over.wait(0.1):
            reason = excess()
            if reason:
                reasons.append(reason)
                kill(process)
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield reasons
    finally:
        over.set()
        thread.join()
        kill(process)


def kill(process: psutil.Process) -> None:
    """End a process and all that it started, and wait until they are gone; with bubblewrap, all in the sandbox ends."""
    everyone = family(process)
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


def family(process: psutil.Process) -> list[psutil.Process]:
    """The process, its children, and theirs, as far as they still are."""
    found, new = [], [process]
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
