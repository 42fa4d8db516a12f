"""The course in a real browser: JupyterLab as `make lab` starts it, on a copy of the course, in headless Chromium."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.jupyterlab import JupyterLab, copy_course, running
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


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A JupyterLab for the whole run, on a copy of the course. What is in git stays in it as it is."""
    course = copy_course(tmp_path_factory.mktemp("course"))
    with running(course, tmp_path_factory.mktemp("jupyter")) as server:
        yield server


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
def open_offline(screen, tmp_path):
    """Open this HTML as a page with the network cut. At the end it must have asked for nothing but itself."""
    file, asked_for = tmp_path / "page.html", []

    def open_offline(text):
        file.write_text(text, encoding="utf-8")
        screen.page.on("request", lambda request: asked_for.append(request.url))
        screen.page.context.set_offline(True)
        screen.page.goto(file.as_uri())
        return screen.page

    yield open_offline
    assert asked_for == [file.as_uri()]


@pytest.fixture
def lab(screen, server):
    """JupyterLab in that page."""
    lab = JupyterLab(screen, server)
    yield lab
    lab.stop_kernels()
