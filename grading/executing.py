"""Takes the place of nbgrader's `Execute`: the student's cells run in the sandbox, the tests outside of it.

The border, and with it PyTorch, is imported only where a submission is run: the writer, which records results that are
there, needn't wait for it.
"""

import contextlib
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.session import Session
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade, is_locked, is_solution
from traitlets import Bool, Instance, Integer, Unicode

from grading.harmless import harmless, tidy
from grading.provisioning import KERNEL
from grading.results import Results, key
from grading.sandbox import Limits, kill, require_bubblewrap, size_in_words, watched
from grading.system_calls import unfiltered

_SECONDS_TO_ANSWER = 30
_SHOWING = ("stream", "display_data", "update_display_data", "execute_result", "error", "clear_output")  # and comm_...
_ENDED = "the process that runs the student's code has ended"  # what a test says then
_REPLY = "execute_reply"
_LONGEST_REPLY = 2**20  # bytes of a message that shows nothing: it is as small as that by nature, or but for an error
_TOO_LONG = {"status": "error", "ename": "Error", "evalue": "its message is too long", "traceback": ["too long"]}
# A message about nothing, which nbclient passes over.
_NO_MESSAGE: dict[str, Any] = {"header": {}, "parent_header": {}, "metadata": {}, "content": {}, "msg_type": ""}


class CountingSession(Session):
    """Reads no more of what a cell shows than there is `room` for, in bytes."""

    room = Integer()
    shown = Integer()  # by the cell that runs; once that is more than there is room for, the rest isn't read
    answered = Bool()  # whether the cell has come to its end
    _cell = ""

    def msg(self, msg_type: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Called by the kernel's client for each message that it sends: with a request to execute a cell begins."""
        message = super().msg(msg_type, *args, **kwargs)
        if msg_type == "execute_request":
            self._cell, self.shown, self.answered = message["msg_id"], 0, False
        return message

    def deserialize(self, msg_list: list, content: bool = True, copy: bool = True) -> dict[str, Any]:
        """Called by the kernel's client for each message that it has received."""
        head, size = sum(map(len, msg_list[:4])), sum(map(len, msg_list[4:]))
        if head > _LONGEST_REPLY:
            return _NO_MESSAGE
        kind = self.unpack(msg_list[1])["msg_type"]
        if kind in _SHOWING or kind.startswith("comm"):
            if self.unpack(msg_list[2]).get("msg_id") != self._cell:
                return _NO_MESSAGE  # of a cell that is over
            # In how many pieces a text comes depends on the time: what isn't text in them doesn't count.
            self.shown += size - (len(self.pack({"name": "stdout", "text": ""})) if kind == "stream" else 0)
            return _NO_MESSAGE if self.shown > self.room else super().deserialize(msg_list, content, copy)
        self.answered = self.answered or (kind == _REPLY and self.unpack(msg_list[2]).get("msg_id") == self._cell)
        if size <= _LONGEST_REPLY:
            return super().deserialize(msg_list, content, copy)
        return super().deserialize(msg_list, False, copy) | {"content": _TOO_LONG} if kind == _REPLY else _NO_MESSAGE


class SandboxKernelManager(AsyncKernelManager):
    """A kernel manager whose kernels run in the sandbox, and are spoken to over sockets in `folder`.

    They import `helpers` from the folder of that name.
    """

    def __init__(self, folder: Path, sandbox: bool, limits: Limits, helpers: Path, **kwargs: Any):
        super().__init__(
            transport="ipc",
            ip=str(folder / "k"),
            connection_file=str(folder / "kernel.json"),
            session=CountingSession(room=limits.output),
            **kwargs,
        )
        self.limits, self.helpers = limits, helpers
        self._provisioner = "attention-by-hand-sandbox" if sandbox else "attention-by-hand-unprotected"

    @property
    def kernel_spec(self) -> KernelSpec:
        """Read by the kernel manager when it starts the kernel: which program, and started by which provisioner."""
        provisioner = {"kernel_provisioner": {"provisioner_name": self._provisioner}}
        return KernelSpec(
            argv=[*KERNEL, "-f", "{connection_file}"],
            display_name="sandbox",
            language="python",
            interrupt_mode="message",  # a signal doesn't reach into the sandbox
            metadata=provisioner,
        )


class ExecuteApart(Execute):
    """Runs a submission's cells in a sandboxed kernel, and its test cells in an examiner that asks that kernel."""

    sandbox = Bool(True, help="Whether students' code runs in a sandbox; without one it runs with your rights.").tag(
        config=True
    )

    results = Unicode(help="The folder in which results are kept; none are where this is empty.").tag(config=True)

    limits = Instance(Limits, args=(), help="What a submission may use.")

    def preprocess(self, nb: NotebookNode, resources: dict, km: Any = None) -> tuple[NotebookNode, dict]:
        """Called by nbgrader's autograde for each notebook, and by jobs.py. Nothing runs where `results` has it."""
        if not self.results:
            return self._execute(nb, resources)
        results, name = Results(Path(self.results)), key(nb)
        found = results.find(name)
        if found is None:
            found, resources = self._execute(nb, resources)
            results.keep(name, nbformat.writes(found))
        # Only the outputs are taken over: nbgrader has meanwhile noted in the cells what they are worth, and their
        # checksums, by which it knows a written answer that was left blank.
        for cell, executed in zip(nb.cells, found.cells, strict=True):
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = executed.outputs, executed.execution_count
        return nb, resources

    def _execute(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        from grading.border.testing import TestCells
        from grading.withholding import copy_for

        if self.sandbox:
            require_bubblewrap()
            # Where nbgrader runs this step; `python -m grading` says so itself, and once.
            if self.parent is not None and (warning := unfiltered()) is not None:
                self.log.warning(warning)
        self.timeout = self.limits.seconds_a_cell
        reason = f"it took more than {self.timeout} seconds, and was interrupted"
        self.shutdown_kernel = "immediate"  # by then `watched` has ended it
        self.error_on_timeout = {"ename": "CellTimeoutError", "evalue": reason, "traceback": [reason]}
        tidy(nb)
        self._tests = TestCells(_trusted_sources(nb))
        self._written = [cell.source for cell in nb.cells if cell.cell_type == "code" and not is_locked(cell)]
        self._gone: str | None = None
        self._place = "before the first answer"
        self._stuck = ""  # the test in which the student's code went on though it was interrupted
        with tempfile.TemporaryDirectory(prefix="abh-") as name:
            self._folder = Path(name)
            (self._folder / "work").mkdir()
            resources.setdefault("metadata", {})["path"] = name
            kernels = SandboxKernelManager(self._folder, self.sandbox, self.limits, copy_for(nb), parent=self)
            nb, resources = Execute.preprocess(self, nb, resources, km=kernels)
        tidy(nb)  # of what the student's kernel said about itself, and of its widgets
        return nb, resources

    @contextlib.contextmanager
    def setup_kernel(self, **kwargs: Any) -> Iterator[None]:
        """Called by nbclient around all cells: the kernel is up in here, and watched."""
        # What a slider draws belongs to the cell like anything else. nbclient's own way is to tell the kernel of it, on
        # the channel on which it waits for the kernel's answer, and then it may wait for ever.
        self.widget_registry: dict[str, Any] = {}
        with super().setup_kernel(**kwargs):
            self._processes = self.km.provisioner.processes
            try:
                with watched(self._processes, self.limits) as self._excesses:
                    yield
            finally:
                run_sync(self.km.provisioner.wait)()  # nbclient does it only for a kernel that it ends itself

    def preprocess_cell(self, cell: NotebookNode, resources: dict, index: int) -> tuple[NotebookNode, dict]:
        """Called by nbclient for each cell in turn."""
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        self._place = f"in {name}" if name else self._place.replace("in ", "after ", 1)
        if cell.cell_type != "code":
            return cell, resources
        if is_grade(cell) and not is_solution(cell):
            cell.outputs = self._tests.not_run(self._gone) if self._gone else self._test(cell)
            cell.execution_count = index + 1
        elif not self._gone:
            try:
                super().preprocess_cell(cell, resources, index)
                self._stuck = ""
            except DeadKernelError:
                cell.outputs += self._give_up("it has ended")
            except CellTimeoutError:
                # After a cell that shows very much, the message that all was shown may be among those that get lost.
                if not self.kc.session.answered:
                    cell.outputs += self._give_up("it couldn't be interrupted")
            except Exception as error:  # a kernel that isn't ipykernel any more: messages of no known form
                cell.outputs += self._give_up(f"it sent what makes no sense ({type(error).__name__})")
            cell.outputs = harmless(self._within_the_room(cell.outputs))
        return cell, resources

    def _within_the_room(self, outputs: list[NotebookNode]) -> list[NotebookNode]:
        """What a cell showed; of one that showed too much its errors, and a sentence, whatever came in time."""
        session = self.kc.session
        if session.shown <= session.room:
            session.room -= session.shown
            return outputs
        sentence = f"This cell showed more than {size_in_words(self.limits.output)}, and nothing of it is kept.\n"
        errors = [output for output in outputs if output.output_type == "error"]
        return [new_output("stream", name="stderr", text=sentence), *errors]

    def _give_up(self, reason: str) -> list[NotebookNode]:
        """End the student's process for good: the outputs that say so. Where a limit was the reason, they name that."""
        kill(*self._processes)
        reason, place = (self._excesses or [reason])[0], self._stuck or self._place
        self._gone = f"no more of the student's code is run: {reason} ({place})"
        return self._tests.not_run(self._gone)

    def _test(self, cell: NotebookNode) -> list[NotebookNode]:
        from grading.border.examiner import Examiner
        from grading.border.wire import Channel

        place = self._folder / "border"
        place.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(place))
            place.chmod(0o777)  # the sandbox may be another user's; nobody else can look into the folder
            listener.listen(1)
            listener.settimeout(1)
            call = f"__import__('grading.border.candidate').border.candidate.connect({str(place)!r}, globals())"
            self.kc.execute(call, silent=True, store_history=False, allow_stdin=False)
            connection = self._answer(listener)
            if connection is None:
                return self._give_up("it doesn't answer")
            with connection:
                deadline = time.monotonic() + self.limits.seconds_a_cell
                examiner = Examiner(Channel(connection), deadline, self._written)
                outputs = self._tests.run(cell.source, examiner)
                examiner.done()
        if self._has_ended(outputs):
            self._give_up("it has ended")  # but this test was run
        elif time.monotonic() > deadline:
            run_sync(self.km.interrupt_kernel)()
            self._stuck = self._place
        return outputs

    def _answer(self, listener: socket.socket) -> socket.socket | None:
        """The student's process, once it calls; on a busy machine the import of PyTorch takes a while."""
        for _ in range(_SECONDS_TO_ANSWER):
            with contextlib.suppress(TimeoutError):
                return listener.accept()[0]
            if not self._alive():
                break
        return None

    def _has_ended(self, outputs: list[NotebookNode]) -> bool:
        """Whether the student's process is gone; where a test says so, the system may need a moment to notice."""
        errors = [output.evalue for output in outputs if output.output_type == "error"]
        for _ in range(20 if _ENDED in errors else 0):
            if not self._alive():
                break
            time.sleep(0.1)
        return not self._alive()

    def _alive(self) -> bool:
        return run_sync(self.km.is_alive)()


def _trusted_sources(nb: NotebookNode) -> list[str]:
    return [cell.source for cell in nb.cells if cell.cell_type == "code" and is_locked(cell) and not is_grade(cell)]
