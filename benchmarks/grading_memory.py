"""How much memory a graded submission takes: the most that the processes of its sandbox have at any moment, lab by lab.

What is graded is each lab's solution, and so every cell and test runs. The limit is a claim of the course: 700 MB.

    python -m benchmarks.grading_memory [LAB ...]
"""

import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil

from grading.executing import ExecuteApart
from grading.sandbox import family

SOLUTIONS = Path(__file__).parents[1] / "solutions"
MOST = 700  # MB


class Measured(ExecuteApart):
    """Notes the most memory that it sees: the processes' shares of what they have in common (PSS), and all that each of
    them has (RSS).
    """

    pss = rss = 0

    @contextlib.contextmanager
    def setup_kernel(self, **kwargs: Any) -> Iterator[None]:
        with super().setup_kernel(**kwargs):
            over = threading.Event()
            thread = threading.Thread(target=self._measure, args=(over,))
            thread.start()
            try:
                yield
            finally:
                over.set()
                thread.join()

    def _measure(self, over: threading.Event) -> None:
        while not over.wait(0.02):
            with contextlib.suppress(psutil.Error):
                found = [each.memory_full_info() for each in family(self._process)]
                self.pss = max(self.pss, sum(each.pss for each in found))
                self.rss = max(self.rss, sum(each.rss for each in found))


def main(labs: list[str]) -> int:
    """Measure these labs, by default all: the exit status is 1 if one takes more than it may."""
    labs = labs or sorted(path.name for path in SOLUTIONS.iterdir() if path.is_dir())
    print("Most memory of a candidate, in MB")
    print(f"{'lab':32} {'PSS':>5} {'RSS':>5}")
    most = 0
    for lab in labs:
        notebook = nbformat.read(SOLUTIONS / lab / f"{lab}.ipynb", as_version=4)
        measured = Measured()
        measured.preprocess(notebook, {})
        failed = sum(output.output_type == "error" for cell in notebook.cells for output in cell.get("outputs", []))
        print(
            f"{lab:32} {measured.pss / 2**20:5.0f} {measured.rss / 2**20:5.0f}{'  with errors' * bool(failed)}",
            flush=True,
        )
        most = max(most, measured.rss)
    print(f"At most {most / 2**20:.0f} MB of {MOST} MB.")
    return int(most > MOST * 2**20)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
