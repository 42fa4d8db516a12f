"""Every test runs with the shapes in `helpers`' signatures checked, but for those that ask for `as_a_user`.

What needs a program that isn't there is skipped, and the run ends with what that was.
"""

import os
import pkgutil
from collections import Counter
from pathlib import Path

import jaxtyping
import pytest
from playwright.sync_api import sync_playwright

from tests.programs import PROGRAMS, programs_of, summary, why_not

HELPERS = Path(__file__).parents[1] / "helpers"

# The checks are left out: they have no shapes in their signatures, and are timed. So is what lab 1 hands to an answer,
# which may do to it whatever can be done to a plain function.
NOT_WATCHED = ("checks", "widely_copied")
jaxtyping.install_import_hook(
    [f"helpers.{module}" for _, module, _ in pkgutil.iter_modules([str(HELPERS)]) if module not in NOT_WATCHED],
    "beartype.beartype",
)


@pytest.fixture
def as_a_user():
    """Turn the shape checks off, as they are for a user: bad input must meet the function's own words."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


# It lives as long as a module: while Playwright runs it occupies the thread's event loop, which the tests elsewhere
# that run notebooks need.
@pytest.fixture(scope="module")
def chromium():
    """Headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAMS["chromium"].find(), args=["--no-sandbox"])
        yield browser
        browser.close()


def pytest_itemcollected(item):
    """Mark the tests that need a program because one of their fixtures does."""
    for name in PROGRAMS.keys() & set(item.fixturenames):
        item.add_marker(pytest.mark.needs(name))


def pytest_runtest_setup(item):
    missing = {name: reason for name in programs_of(item) if (reason := why_not(name)) is not None}
    if missing:
        item.user_properties += [("left out for", name) for name in missing]  # which the report takes along
        reason = "; ".join(missing.values())
        pytest.fail(reason, pytrace=False) if "CI" in os.environ else pytest.skip(reason)


def pytest_terminal_summary(terminalreporter):
    """Say what was left out, and how to have it all."""
    properties = [each for report in terminalreporter.stats.get("skipped", ()) for each in report.user_properties]
    left_out = Counter(name for key, name in properties if key == "left out for")
    if left_out:
        terminalreporter.section("left out, as a program is missing")
        for line in summary(dict(sorted(left_out.items()))):
            terminalreporter.line(line)
