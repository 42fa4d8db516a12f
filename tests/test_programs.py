"""What a run says of the tests that it left out."""

from functools import cache

import pytest

from tests import programs


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A path on which no program is."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    for found in (programs.why_not, programs.require_bubblewrap):
        monkeypatch.setattr(programs, found.__name__, cache(found.__wrapped__))  # they keep what they found before
    return tmp_path


def test_one_command_brings_all_that_is_missing(path):
    assert list(programs.summary({"bubblewrap": 30, "postgresql": 1})) == [
        "bubblewrap: 30 tests of what students' code can do in the sandbox",
        "postgresql: 1 test of a gradebook on a database server",
        "On Debian or Ubuntu this brings what they need: apt install bubblewrap postgresql",
    ]


def test_a_bubblewrap_that_can_make_no_sandbox_is_not_to_be_installed(path):
    bubblewrap = path / "bwrap"
    bubblewrap.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    bubblewrap.chmod(0o755)
    tests, reason = programs.summary({"bubblewrap": 30})
    assert tests.startswith("bubblewrap: 30 tests ")
    assert "is installed but can't make a sandbox here (bwrap: No permissions to create new namespace)" in reason
