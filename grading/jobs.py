"""Many submissions at once, on Dask: each is a job that needs nothing but the notebook that it is given."""

import contextlib
import logging
import os
import queue
import sys
import threading
from typing import Any

import nbformat
from tqdm import tqdm

from grading.course import UserError
from grading.results import fingerprint
from grading.sandbox import NoSandbox, require_bubblewrap
from grading.system_calls import unfiltered

_SECONDS_TO_CONNECT = 10
# The examiner takes over the standard output and PyTorch's state of its process: a Dask worker with several threads
# runs one submission at a time all the same.
_ONE_AT_A_TIME = threading.Lock()


def execute(notebook: str, sandbox: bool, course: str) -> str:
    """Execute a submission that was put back into shape: the same notebook with its outputs.

    Raises:
        UserError: if it can't be run here, or if this isn't the `course` (its fingerprint) that it is meant for.
    """
    if fit(sandbox) != course:
        raise UserError("a worker has another version of the course or of PyTorch")
    from grading.executing import ExecuteApart  # PyTorch is loaded where jobs run, not where they are handed out

    with _ONE_AT_A_TIME:
        before = os.environ.get("NBGRADER_EXECUTION")
        os.environ["NBGRADER_EXECUTION"] = "autograde"
        try:
            executed, _ = ExecuteApart(sandbox=sandbox).preprocess(nbformat.reads(notebook, as_version=4), {})
        finally:
            if before is None:
                del os.environ["NBGRADER_EXECUTION"]
            else:
                os.environ["NBGRADER_EXECUTION"] = before
    return nbformat.writes(executed)


def fit(sandbox: bool) -> str:
    """The fingerprint of the course here, where submissions can be run.

    Raises:
        UserError: if they can't, for want of a sandbox.
    """
    if sandbox:
        try:
            require_bubblewrap()
        except NoSandbox as error:
            raise UserError(str(error)) from error
    return fingerprint()


class Workers:
    """What runs the jobs: this process if there is one job only, else Dask, which is started with the first job."""

    def __init__(self, sandbox: bool, scheduler: str | None, number: int | None, jobs: int):
        """`jobs` is how many there will be at most; `number` how many run at once, if no scheduler decides that."""
        self._sandbox, self._scheduler = sandbox, scheduler
        self._number = min(number or os.cpu_count() or 1, jobs)
        self._here = scheduler is None and jobs == 1
        self._client: Any = None
        self._cluster: Any = None  # of this computer's own
        self._running: dict[str, Any] = {}
        self._done: queue.SimpleQueue = queue.SimpleQueue()
        self._open = contextlib.ExitStack()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        self._running.clear()
        self._open.close()

    def submit(self, key: str, notebook: str) -> None:
        """Have a notebook executed; `key` is the key of its result.

        Raises:
            UserError: if no worker can be had.
        """
        if self._here:
            self._running[key] = notebook
            self._done.put(key)
            return
        if self._client is None:
            self._client = self._connect()
        # A job that dies with its worker is run again elsewhere, and so is one that fails: the worker may be to blame.
        future = self._client.submit(execute, notebook, self._sandbox, fingerprint(), key=key, retries=3)
        self._running[key] = future
        future.add_done_callback(lambda future: self._done.put(future.key))

    def finished(self, wait: bool) -> list[tuple[str, str | Exception]]:
        """Keys of jobs that are done, each with the executed notebook or what went wrong; `wait` until there is one.

        Raises:
            UserError: if there is nobody any more who could run them.
        """
        keys = [self._next()] if wait else []
        with contextlib.suppress(queue.Empty):
            while True:
                keys.append(self._done.get_nowait())
        return [(key, self._outcome(self._running.pop(key))) for key in keys]

    def _next(self) -> str:
        said = False
        while True:
            with contextlib.suppress(queue.Empty):
                return self._done.get(timeout=5)
            if self._cluster is not None:
                # On a computer that is busy Dask may take a worker for lost, which then ends: another takes its place.
                self._cluster.scale(self._number)
            elif not said and not self._client.scheduler_info(n_workers=-1)["workers"]:
                tqdm.write("No worker is left: waiting for one. (Ctrl-C stops; what is done stays done.)")
                said = True

    def _outcome(self, job: Any) -> str | Exception:
        if self._here:
            try:
                return execute(job, self._sandbox, fingerprint())
            except Exception as error:
                return error
        if job.status == "cancelled":
            raise UserError(
                f"The Dask scheduler{self._at} is gone: grade again when it is back, what is done stays done."
            )
        failure = job.exception()
        if isinstance(failure, UserError):
            raise UserError(f"The workers{self._at} can't grade: {str(failure).rstrip('.')}.")
        if failure is not None and type(failure).__name__ == "KilledWorker":
            return RuntimeError("each worker that ran it died")
        return failure if failure is not None else job.result()

    @property
    def _at(self) -> str:
        return f" at {self._scheduler}" if self._scheduler else ""

    def _connect(self) -> Any:
        from distributed import Client, LocalCluster

        for name in ("distributed", "distributed.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is said in a sentence, below and above
        if self._scheduler is None:
            # Port 0 is any free one. Without it Dask wants its usual one, and a second grading on this computer warns.
            cluster = LocalCluster(
                n_workers=self._number,
                threads_per_worker=1,
                memory_limit=0,
                silence_logs=logging.CRITICAL,  # a worker may ask for its scheduler when that has just ended
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            )
            self._cluster = self._open.enter_context(cluster)
            return self._open.enter_context(Client(cluster))
        try:
            client = self._open.enter_context(Client(self._scheduler, timeout=_SECONDS_TO_CONNECT))
        except (OSError, ValueError) as error:
            raise UserError(f"No Dask scheduler answers at {self._scheduler} ({error}).") from error
        try:
            client.wait_for_workers(1, timeout=_SECONDS_TO_CONNECT)
        except TimeoutError as error:
            raise UserError(
                f"The Dask scheduler at {self._scheduler} has no workers: "
                f"start some with `dask worker {self._scheduler}`."
            ) from error
        self._examine(client.run(fit, self._sandbox, on_error="return"))
        if self._sandbox:
            for warning in set(client.run(unfiltered).values()) - {None}:
                tqdm.write(warning, file=sys.stderr)
        return client

    def _examine(self, answers: dict[str, Any]) -> None:
        """Refuse workers that would give other marks than this computer, or none."""
        for worker, answer in answers.items():
            if isinstance(answer, UserError):
                raise UserError(f"The worker at {worker} can't grade: {answer}")
            if isinstance(answer, Exception):
                raise UserError(
                    f"The worker at {worker} doesn't have the course ({answer}): install it there with "
                    "`pip install -e .[grading]`."
                )
            if answer != fingerprint():
                raise UserError(
                    f"The worker at {worker} has another version of the course or of PyTorch, and might give other "
                    "marks: install this one there."
                )
