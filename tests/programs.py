"""Programs of the system's that tests need. Without its program a test is skipped, or fails in CI.

A test says so with `@pytest.mark.needs("bubblewrap")`, or by asking for a fixture that has the program's name.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from grading.sandbox import NoSandbox, require_bubblewrap


@dataclass(frozen=True)
class Program:
    """A program: how to find it, Debian's package, and what is tested with it."""

    find: Callable[[], str | Path | None]
    package: str
    tested: str


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def _postgresql() -> Path | None:
    """The folder of the server's programs: Debian keeps them off the path, where only `psql` is."""
    client = shutil.which("psql")
    if client is None:
        return None
    places = [Path(client).parent, *Path("/usr/lib/postgresql").glob("*/bin")]
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


PROGRAMS = {
    "bubblewrap": Program(lambda: shutil.which("bwrap"), "bubblewrap", "what students' code can do in the sandbox"),
    "chromium": Program(_chromium, "chromium", "what JupyterLab, Formgrader and the site look like"),
    "postgresql": Program(_postgresql, "postgresql", "a gradebook on a database server"),
}


def programs_of(item: pytest.Item) -> list[str]:
    """The programs that a test needs."""
    return sorted({name for mark in item.iter_markers("needs") for name in mark.args})


@cache
def why_not(name: str) -> str | None:
    """Why tests that need this program can't be run here; None where they can."""
    if PROGRAMS[name].find() is None:
        return f"{name} isn't installed: apt install {PROGRAMS[name].package}"
    if name == "bubblewrap":
        try:
            require_bubblewrap()
        except NoSandbox as error:
            return str(error)
    return None


def summary(left_out: dict[str, int]) -> Iterator[str]:
    """What to tell of the tests that were left out, by the program that they need."""
    for name, number in left_out.items():
        yield f"{name}: {number} {'test' if number == 1 else 'tests'} of {PROGRAMS[name].tested}"
    for name in left_out:
        if PROGRAMS[name].find() is not None:
            yield str(why_not(name))
    packages = [PROGRAMS[name].package for name in left_out if PROGRAMS[name].find() is None]
    if packages:
        sudo = "" if os.geteuid() == 0 else "sudo "
        yield f"On Debian or Ubuntu this brings what they need: {sudo}apt install {' '.join(packages)}"
