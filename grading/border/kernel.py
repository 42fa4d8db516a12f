"""Starts the kernel that runs a student's code: ipykernel, on sockets that the grading process has made.

The sandbox can't make any itself where the grading process would see them: it can write to nothing outside.
"""

import os
import sys
from typing import Any

import zmq
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets import Type


class Shell(ZMQInteractiveShell):
    """IPython's own, but that `exit()` ends a cell. It would end the process, a moment later, and the marks with it."""

    def ask_exit(self) -> None:
        """Called by `exit()` and `quit()`."""
        raise SystemExit

    def _update_exit_now(self, change: dict) -> None:
        """Called when the kernel is asked to end or to start anew, which the grading does by other means."""


class Kernel(IPythonKernel):
    """ipykernel's own, with that shell."""

    shell_class = Type(Shell)


class KernelApp(IPKernelApp):
    """ipykernel's own, but for where its sockets come from; and without a heartbeat, which nobody listens to."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.listeners: dict[int, int] = {}  # by port, the number of the open file

    def _try_bind_socket(self, s: zmq.Socket, port: int) -> int:
        """Called by `initialize` for each of the kernel's sockets: it listens on the file that is open for its port."""
        s.setsockopt(zmq.USE_FD, self.listeners[port])
        return super()._try_bind_socket(s, port)

    def init_heartbeat(self) -> None:
        """Called by `initialize`; ipykernel's own starts a thread for it."""


def run(arguments: list[str], listeners: dict[int, int]) -> None:
    """Serve until the kernel is ended.

    `arguments` are ipykernel's, `listeners` the numbers of open files by the ports that they stand for.
    """
    os.environ["TORCHDYNAMO_DISABLE"] = "1"  # the sandbox has no compiler: what `torch.compile` decorates runs as it is
    app = KernelApp.instance(kernel_class=Kernel)
    app.listeners = listeners
    app.initialize(arguments)
    app.start()


if __name__ == "__main__":
    *arguments, pairs = sys.argv[1:]
    run(arguments, {int(port): int(number) for port, number in (pair.split("=") for pair in pairs.split(","))})
