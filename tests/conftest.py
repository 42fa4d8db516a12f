"""Every test runs with the shapes in `helpers`' signatures checked, but for those that ask for `as_a_user`."""

import os
import pkgutil
import shutil
from pathlib import Path

import jaxtyping
import pytest
from playwright.sync_api import sync_playwright

HELPERS = Path(__file__).parents[1] / "helpers"

# The checks are left out: they have no shapes in their signatures, and are timed.
jaxtyping.install_import_hook(
    [f"helpers.{module.name}" for module in pkgutil.iter_modules([str(HELPERS)]) if module.name != "checks"],
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
    """Headless Chromium. Without it a test is skipped, but fails in continuous integration."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        missing = "Chromium isn't installed: apt install chromium"
        pytest.fail(missing) if "CI" in os.environ else pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()
