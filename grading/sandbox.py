"""Where a student's code runs: a Jupyter kernel inside bubblewrap, reached over sockets in a folder of its own.

Inside there is no network and no other process; the system, the environment and the course's `helpers` are read-only;
solutions, hidden tests, other submissions, the gradebook, the home directory and the environment variables aren't there.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.provisioning import LocalProvisioner

ROOT = Path(__file__).parents[1]
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/fonts", "/etc/alternatives")
_COURSE = ("helpers", "grading/__init__.py", "grading/border")


@dataclass(frozen=True)
class Limits:
    """What a submission may use: bytes, seconds, processes."""

    memory: int = 3 * 2**30
    cpu_seconds: int = 300
    seconds: int = 600
    processes: int = 32
    file_size: int = 100 * 2**20
    scratch: int = 200 * 2**20  # of /tmp and of the folder it works in, each


class NoSandbox(Exception):
    """bubblewrap isn't there, or can't work here. The message says what to do."""


def require_bubblewrap() -> str:
    """The path of a bubblewrap that works.

    Raises:
        NoSandbox: if there is none.
    """
    path = shutil.which("bwrap")
    if path is None:
        raise NoSandbox(
            "Students' code is run with bubblewrap, which isn't installed here: on Debian or Ubuntu `apt install bubblewrap`"
            "; on macOS and Windows grade in a Linux container. `--no-sandbox` runs it unprotected, with your rights."
        )
    return path


def command(bubblewrap: str, words: list[str], folder: Path, limits: Limits) -> list[str]:
    """The command line that runs `words` in the sandbox; of what lies elsewhere only `folder` can be written."""
    prefixes = dict.fromkeys(str(Path(each).resolve()) for each in (sys.base_prefix, sys.prefix))
    readable = [*_SYSTEM, *prefixes, *(str(ROOT / each) for each in _COURSE)]
    line = [bubblewrap, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    line += ["--proc", "/proc", "--dev", "/dev", "--size", str(limits.scratch), "--tmpfs", "/tmp"]
    line += ["--size", str(limits.scratch), "--tmpfs", "/dev/shm"]
    for path in readable:
        line += ["--ro-bind-try", path, path]
    line += ["--bind", str(folder), str(folder), "--remount-ro", "/", "--chdir", str(folder / "work")]
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.prefix) / "bin"), "/usr/bin", "/bin"]),
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "NBGRADER_EXECUTION": "autograde",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT),
    }
    for name, value in environment.items():
        line += ["--setenv", name, value]
    line += ["--", "prlimit", f"--data={limits.memory}", f"--cpu={limits.cpu_seconds}", f"--fsize={limits.file_size}"]
    return [*line, f"--nproc={limits.processes}", "--core=0", "--nofile=256", "--", *words]


class UnprotectedProvisioner(LocalProvisioner):
    """Starts a kernel as Jupyter does, but for what it writes past Jupyter: that isn't shown in the terminal."""

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        kwargs = await super().pre_launch(**kwargs)
        kwargs["stdout"] = kwargs["stderr"] = subprocess.DEVNULL
        kwargs["cwd"] = str(Path(self.parent.connection_file).parent / "work")
        kwargs["env"] = kwargs.get("env", dict(os.environ)) | {"PYTHONPATH": str(ROOT)}
        return kwargs


class SandboxProvisioner(UnprotectedProvisioner):
    """Starts a kernel in the sandbox, and sees to it that nothing of it outlives its job.

    The connection file and the sockets lie in one folder, which is the folder that the sandbox may write to.
    """

    limits = Limits()

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        kwargs = await super().pre_launch(**kwargs)
        folder = Path(self.parent.connection_file).parent
        kwargs["cmd"] = command(require_bubblewrap(), kwargs["cmd"], folder, self.limits)
        kwargs["cwd"] = str(folder)
        return kwargs


@contextlib.contextmanager
def watched(process: psutil.Process, limits: Limits) -> Iterator[list[str]]:
    """Kill a process with all its children when they are too many, too large or too slow; the list then says which.

    Limits on a process don't hold its children together, and root isn't held to a number of processes at all.
    """
    reasons: list[str] = []
    over = threading.Event()

    def watch() -> None:
        end = time.monotonic() + limits.seconds
        while not over.wait(0.1):
            reason = _excess(process, limits) or ("it took too long" if time.monotonic() > end else None)
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
    """End a process; bubblewrap's end is that of everything in the sandbox."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in [*process.children(recursive=True), process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


def _excess(process: psutil.Process, limits: Limits) -> str | None:
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return None
    if len(family) > limits.processes:
        return f"it started more than {limits.processes} processes"
    memory = 0
    for each in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            memory += each.memory_info().rss
    return f"it used more than {limits.memory / 2**30:.0f} GB of memory" if memory > limits.memory else None
