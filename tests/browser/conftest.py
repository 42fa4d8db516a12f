"""The course in a real browser: JupyterLab as `make lab` starts it, on a copy of the course, in headless Chromium."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.jupyterlab import JUPYTERLAB, JupyterLab, copy_course, running
from tests.browser.screen import Screen

SCREENSHOTS = Path(__file__).with_name("screenshots")
PATIENCE = 60_000  # milliseconds for what is to happen: a kernel or a server may take long on a busy computer
FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course, which the tests may write to."""
    return copy_course(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def server(course, tmp_path_factory):
    """The address of a JupyterLab on that copy."""
    with running(JUPYTERLAB, course, tmp_path_factory.mktemp("jupyter")) as address:
        yield address


@pytest.fixture
def screen(chromium, request):
    """A page of the size of a small laptop. If the test fails, what it showed last is kept."""
    SCREENSHOTS.mkdir(exist_ok=True)
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    screen = Screen(context.new_page(), SCREENSHOTS / request.node.name.removeprefix("test_"))
    yield screen
    screen.keep_console()
    if request.node.stash.get(FAILED, False):
        screen.keep("failed")
    context.close()
    assert screen.errors == []


@pytest.fixture
def lab(screen, server, course):
    """JupyterLab in that page."""
    lab = JupyterLab(screen, server, course)
    yield lab
    lab.stop_kernels()
