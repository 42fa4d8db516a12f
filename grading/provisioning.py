"""Starts the kernels that run students' code, where Jupyter asks for one: in the sandbox, or unprotected."""

import atexit
import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from grading.sandbox import (
    WORK,
    a_user,
    command,
    environment,
    family,
    kill,
    limits_of_a_process,
    python_path,
    require_bubblewrap,
)
from grading.system_calls import filter_program
from grading.template import Request, Template

KERNEL = ["python", "-m", "grading.border.kernel"]  # the program, where it isn't forked
# A sandbox's first program. It says by a line that the sandbox is complete, and ends when its input does, and with it
# the sandbox.
_WAIT = ["cat"]


class UnprotectedProvisioner(LocalProvisioner):
    """Starts a kernel on sockets that are made here, in the connection file's folder, and are open when it starts.

    What it writes past Jupyter isn't shown in the terminal.
    """

    parent: Any  # the SandboxKernelManager that has a kernel started

    @property
    def processes(self) -> list[psutil.Process]:
        """The processes from which all come that run on account of the student's code."""
        return [psutil.Process(self.pid)]

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Called by the kernel manager: what the kernel is to be started with."""
        kwargs = await super().pre_launch(**kwargs)
        self._folder = Path(self.parent.connection_file).parent
        self._listeners = {port: self._listener(f"{self.parent.ip}-{port}") for port in self.parent.ports}
        self._open = list(self._listeners.values())
        self._arguments = kwargs["cmd"][len(KERNEL) :]
        kwargs["cmd"] = [*kwargs["cmd"], ",".join(f"{port}={number}" for port, number in self._listeners.items())]
        kwargs["stdout"] = kwargs["stderr"] = subprocess.DEVNULL
        kwargs["cwd"] = str(self._folder / "work")
        path = os.pathsep.join(python_path(self.parent.helpers))
        kwargs["env"] = kwargs.get("env", dict(os.environ)) | {"PYTHONPATH": path}
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
            return listener.detach()


class SandboxProvisioner(UnprotectedProvisioner):
    """Starts a kernel in the sandbox. The folder of its sockets can be seen in there, and not be written to.

    The kernel is forked from the template; where that can't be done, the sandbox starts with it.
    """

    @property
    def processes(self) -> list[psutil.Process]:
        """See UnprotectedProvisioner: the sandbox, and the kernel if it was forked."""
        return [psutil.Process(each) for each in (self.pid, self._kernel) if each is not None]

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Called by the kernel manager: what the kernel is to be started with, inside of the sandbox."""
        kwargs = await super().pre_launch(**kwargs)
        self._kernel: int | None = None
        self._user = a_user()
        if require_bubblewrap().own_user:
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, self._user, -1)
        return kwargs | {"cwd": str(self._folder)}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Called by the kernel manager after `pre_launch`: starts the sandbox, with the kernel in it."""
        try:
            if _Forking.is_possible():
                try:
                    return await self._launch_forked(kwargs)
                except OSError as error:  # of a system that lets nobody into a sandbox which is there
                    _Forking.failed = True
                    self.log.info(f"Kernels are started one by one: {error}")
            return await self._launch_sandbox(cmd, kwargs, self._open)
        finally:
            for descriptor in self._open:
                os.close(descriptor)

    async def _launch_forked(self, kwargs: dict[str, Any]) -> KernelConnectionInfo:
        template = _Forking.template()  # imports while the sandbox is made
        with _pipe() as (waiting, lifeline), _pipe() as (said, saying):
            lifeline.write(b"\n")
            launched = await self._launch_sandbox(_WAIT, kwargs | {"stdin": waiting, "stdout": saying}, [])
            sandbox = psutil.Process(self.pid)
            try:
                saying.close()
                if said.read(1) != b"\n":
                    raise OSError("the sandbox can't be made")
                self._kernel = template.fork(self._request(sandbox), list(self._listeners.values()), lifeline.fileno())
            except OSError:
                kill(sandbox)
                sandbox.wait()
                raise
        return launched

    def _request(self, sandbox: psutil.Process) -> Request:
        program = filter_program()
        return Request(
            sandbox=family(sandbox)[-1].pid,
            user=self._user if require_bubblewrap().own_user else None,
            system_calls=None if program is None else program.hex(),
            environment=environment(self.parent.helpers),
            path=python_path(self.parent.helpers),
            limits=limits_of_a_process(self.parent.limits),
            folder=WORK,
            arguments=self._arguments,
            ports=list(self._listeners),
        )

    async def _launch_sandbox(self, words: list[str], kwargs: dict[str, Any], files: list[int]) -> KernelConnectionInfo:
        """Start the sandbox with these words as its program, which has these files open."""
        with _pipe() as (reading, writing):
            system_calls = None
            if (program := filter_program()) is not None:
                writing.write(program)
                system_calls = reading.fileno()
                files = [*files, system_calls]
            writing.close()
            limits, helpers = self.parent.limits, self.parent.helpers
            line = command(require_bubblewrap(), words, limits, self._user, self._folder, system_calls, helpers)
            return await LocalProvisioner.launch_kernel(self, line, **kwargs | {"pass_fds": files})


class _Forking:
    """The template of this process, which is started when it is needed, and whether there can be one."""

    failed = False
    _template: Template | None = None

    @classmethod
    def is_possible(cls) -> bool:
        # A forked process still has the file of Python's program, by the path outside of the sandbox: it mustn't be
        # one that the student's code could write to, as one's own user's.
        is_out_of_reach = require_bubblewrap().own_user or os.stat("/proc/self/exe").st_uid != os.geteuid()
        return is_out_of_reach and not cls.failed

    @classmethod
    def template(cls) -> Template:
        if cls._template is None or not cls._template.is_alive():
            cls._template = Template(environment())
            atexit.register(cls._template.close)
        return cls._template


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The end to read from, and the one to write to, which are closed after it."""
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as read, open(writing, "wb", buffering=0) as write:
        yield read, write
