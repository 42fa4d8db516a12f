"""How tests, and the notebooks under test, are shared out among processes, and these among the processor's cores."""

import os
import re
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Each core has a process of its own that runs tests, and the kernels that these start run one after the other. With a
# thread for each core in each of them, threads wait for one another at full speed: training then takes ten times the
# processor's time. PyTorch reads this when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

BY_EXERCISE = ("test_banks.py", "test_border.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long first and the banks last, so that no process is left alone at the end with a long file."""
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.path.suffix == ".ipynb"}
    items.sort(key=lambda item: 2 if item.path.name in BY_EXERCISE else 0 if item.path in slow else 1)


class ByFixture(LoadScopeScheduling):
    """Tests that share something costly stay together, in the order in which they were collected.

    A file's share a class of submissions or a notebook's kernel, those in a browser one JupyterLab, and those of an
    exercise in a bank share what the exercise's known mistakes do.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        if file.startswith("tests/browser/"):
            return "tests/browser"
        if file.endswith(BY_EXERCISE) and (exercise := re.search(r"\[(\w+)", test)):
            return exercise[1]
        return file


def pytest_xdist_auto_num_workers() -> int:
    """Called by pytest-xdist: one process more than cores, since a browser's and a grading's tests mostly wait."""
    return (os.cpu_count() or 1) + 1


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFixture:
    """Called by pytest-xdist."""
    config.option.loadscopereorder = False  # by the number of tests, which says little about their time
    return ByFixture(config, log)
