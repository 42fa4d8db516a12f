"""How tests, and the notebooks under test, are shared out among processes."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


class ByFile(LoadScopeScheduling):
    """Tests of a file stay together: they may share a class of submissions, a browser or a notebook's kernel.

    The banks are tests that share nothing, most of them short. They come last, and fill what the others leave.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        return nodeid if file.endswith(("/test_banks.py", "/test_border.py")) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Called by pytest-xdist."""
    return ByFile(config, log)
