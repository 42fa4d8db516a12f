"""A process that has imported what every submission's kernel needs, and from which these kernels are forked.

Most of the time that a submission took went into the import of PyTorch, again for each. The template imports it once,
and then waits. For each submission bubblewrap makes a sandbox of its own, as before; a child of the template enters it,
gives up all rights (joining.py), and only then becomes the kernel that runs the student's code. The template itself
runs no such code, and it knows nothing that a student's code might look for in its memory: what a kernel is to do is
told to the child.
"""

import contextlib
import dataclasses
import gc
import importlib
import itertools
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from grading import joining

_ROOT = Path(__file__).parents[1]
_READY = b"ready"
# What kernels import before the student's first line, or mostly in the lab's. None of it is the course's own: which
# part of `helpers` there is differs from lab to lab.
_IMPORTED = (
    *("torch", "numpy", "jaxtyping", "matplotlib.pyplot", "matplotlib_inline.backend_inline", "tqdm.auto"),
    "safetensors.torch",
    *("IPython.core.completerlib", "ipykernel.ipkernel", "ipykernel.kernelapp", "ipykernel.zmqshell"),
    "grading.border.kernel",
)


@dataclasses.dataclass(frozen=True)
class Request:
    """What a kernel is to be; the numbers of its open files come along."""

    sandbox: int  # a process in the sandbox
    user: int | None  # whose number it takes
    system_calls: str | None  # the filter, as hexadecimal digits
    environment: dict[str, str]
    path: list[str]  # where it looks for modules first
    limits: dict[str, int]  # by names of `resource`
    folder: str  # where it works
    arguments: list[str]  # ipykernel's
    ports: list[int]  # on which it listens, one for each open file


class Template:
    """The template, as the process that grades has it."""

    def __init__(self, environment: dict[str, str]):
        """Start it. It imports while the first sandbox is made."""
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "grading.template", str(theirs.fileno())],
                env=environment | {"PYTHONPATH": str(_ROOT), "PYTHONNOUSERSITE": "1"},
                cwd="/",
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End it. (It ends by itself when this process has ended.)"""
        self._connection.close()
        self._process.wait()

    def fork(self, request: Request, listeners: list[int], lifeline: int) -> int:
        """A kernel in the sandbox: the number of its process. What is open as `lifeline` is closed when it ends.

        Raises:
            OSError: if none can be had.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            with theirs:
                socket.send_fds(self._connection, [b"fork"], [theirs.fileno()])
            message = json.dumps(dataclasses.asdict(request)).encode()
            socket.send_fds(ours, [message], [lifeline, *listeners])
            answer = ours.recv(2**10).decode()
        if not answer.isdecimal():
            raise OSError(f"no kernel could be forked: {answer or 'the process for it has ended'}")
        return int(answer)


def _serve(control: socket.socket) -> None:
    """The template's life: a child for each connection that it is handed, until nobody can hand it any."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Linux then forgets children that have ended
    while True:
        _, files, _, _ = socket.recv_fds(control, 16, 1)
        if not files:
            return
        if os.fork() == 0:
            with contextlib.suppress(BaseException):
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                control.close()
                _join(socket.socket(fileno=files[0]))
            os._exit(1)
        os.close(files[0])


def _join(connection: socket.socket) -> None:
    """The child: it enters the sandbox, and its own child there is the kernel, to whose end it waits."""
    message, files, _, _ = socket.recv_fds(connection, 2**16, 16)
    request, (lifeline, *listeners) = Request(**json.loads(message)), files
    reading, writing = os.pipe()
    try:
        joining.enter(request.sandbox)
        kernel = os.fork()
        if kernel == 0:
            with contextlib.suppress(BaseException):
                connection.detach()
                _become_kernel(request, listeners, writing)
            os._exit(0)
        os.close(writing)
        if os.read(reading, len(_READY)) != _READY:
            raise OSError("it couldn't give up its rights")
    except OSError as error:
        connection.send(str(error).encode())
        return
    connection.send(str(kernel).encode())
    connection.close()
    _close_all_but([lifeline])
    os.waitpid(kernel, 0)


def _become_kernel(request: Request, listeners: list[int], ready: int) -> None:
    """The child's child, in the sandbox with all its processes: it gives up its rights, and runs a student's code."""
    _close_all_but([0, 1, 2, ready, *listeners])
    os.setsid()
    for name, limit in request.limits.items():
        resource.setrlimit(getattr(resource, name), (limit, limit))
    system_calls = None if request.system_calls is None else bytes.fromhex(request.system_calls)
    joining.give_up_all_rights(request.user, system_calls)
    os.write(ready, _READY)
    os.close(ready)
    os.chdir(request.folder)
    del sys.argv[1:]
    os.environ.clear()
    os.environ.update(request.environment)
    sys.path[:] = [request.folder, *request.path, *(each for each in sys.path[1:] if each not in request.path)]
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
    importlib.import_module("numpy").random.seed()  # else all submissions would draw the same
    kernel = importlib.import_module("grading.border.kernel")
    kernel.run(request.arguments, dict(zip(request.ports, listeners, strict=True)))


def _close_all_but(files: list[int]) -> None:
    gaps = itertools.pairwise([-1, *sorted(files), os.sysconf("SC_OPEN_MAX")])
    for before, after in gaps:
        if after > before + 1:  # Python takes the empty range before 0 for all files
            os.closerange(before + 1, after)


def _import_all() -> None:
    """Import from nowhere but the environment: anybody may have put something into the home that students' code has."""
    with tempfile.TemporaryDirectory() as home:  # in which Matplotlib writes down what fonts there are
        os.environ["HOME"] = home
        for name in _IMPORTED:
            importlib.import_module(name)
    gc.freeze()  # what all children share stays shared


if __name__ == "__main__":
    _import_all()
    _serve(socket.socket(fileno=int(sys.argv[1])))
