"""Many submissions at once, on Dask: each is a job that needs nothing but the notebook that it is given."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import nbformat

from grading.course import UserError


def run(notebook: str, sandbox: bool) -> str:
    """Execute a submission that was put back into shape: the same notebook with its outputs."""
    from grading.executing import ExecuteApart  # PyTorch is loaded where jobs run, not where they are handed out

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


def run_all(
    notebooks: dict[str, str], sandbox: bool, scheduler: str | None, workers: int | None
) -> Iterator[tuple[str, str | Exception]]:
    """Run these notebooks, given by their keys: each key with its executed notebook, or what went wrong, when it is done.

    Raises:
        UserError: if no scheduler answers at that address.
    """
    if len(notebooks) == 1 and scheduler is None:
        for key, notebook in notebooks.items():
            yield key, _outcome(notebook, sandbox)
    elif notebooks:
        from distributed import as_completed

        with _client(scheduler, min(workers or os.cpu_count() or 1, len(notebooks))) as client:
            futures = {client.submit(run, each, sandbox, key=key, retries=3): key for key, each in notebooks.items()}
            for future in as_completed(futures):
                error = future.exception()
                yield futures[future], error if error is not None else future.result()
                future.release()


def _outcome(notebook: str, sandbox: bool) -> str | Exception:
    try:
        return run(notebook, sandbox)
    except Exception as error:
        return error


@contextmanager
def _client(scheduler: str | None, workers: int) -> Iterator:
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.ERROR)  # a worker that is slow to end is no news
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=10)
        except (OSError, ValueError) as error:
            raise UserError(f"No Dask scheduler answers at {scheduler} ({error}).") from error
        with client:
            yield client
        return
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=0) as cluster,
        Client(cluster) as client,
    ):
        yield client
