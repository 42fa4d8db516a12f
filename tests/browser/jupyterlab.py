"""JupyterLab, started and driven: notebooks in the words of a person who sits in front of them."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import nbformat
from playwright.sync_api import Locator, expect

from helpers.lab_files import labs_of, released_path, write
from helpers.own_copies import blank_lab
from tests.browser.screen import Screen

ROOT = Path(__file__).parents[2]
# The installation, which `make lab` begins with, has tests of its own.
MAKE_LAB = ("make", "--old-file=environment", "lab", f"ENVIRONMENT={sys.prefix}")


def copy_course(folder: Path) -> Path:
    """A copy of what `make lab` needs."""
    unwanted = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for room in ("notebooks", "labs", "solutions", "helpers", "grading", "tools"):
        shutil.copytree(ROOT / room, folder / room, ignore=unwanted)
    for lab in labs_of(ROOT):
        write(released_path(folder, lab), blank_lab(ROOT, lab))  # a student may have written into labs/
    for file in ("Makefile", "README.md", "jupyter_lab_config.py", "nbgrader_config.py"):
        shutil.copy(ROOT / file, folder)
    return folder


@dataclass
class Server:
    """A JupyterLab that runs."""

    course: Path  # the folder that it shows
    address: str  # with the token
    printed: str  # what it said until it gave the address


@contextlib.contextmanager
def running(course: Path, settings: Path) -> Iterator[Server]:
    """Start JupyterLab, as `make lab` does, in the course's folder on any free port."""
    # The folders that Jupyter keeps for each person: whoever runs this test may have settings of their own. In these
    # JupyterLab takes the theme that the browser asks for, so that a test can see both.
    themes = settings / "CONFIG" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    themes.mkdir(parents=True)
    (themes / "themes.jupyterlab-settings").write_text('{"adaptive-theme": true}')
    variables = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    variables |= {f"JUPYTER_{kind}_DIR": str(settings / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    variables |= {"JUPYTER_PORT": "0", "PYTHONPATH": str(course)}
    variables["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # as `make` does
    # In a session of its own: `make`, JupyterLab and its kernels end together.
    server = subprocess.Popen(
        MAKE_LAB, cwd=course, env=variables, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    with server:
        try:
            printed = ""
            while not (address := re.search(r"http://(127\.0\.0\.1|localhost):\S+", printed)):
                printed += (line := server.stderr.readline())
                assert line, f"JupyterLab stopped:\n{printed}"
            while not _listens(address[0]):  # it prints its address a moment before it listens
                assert server.poll() is None, "JupyterLab stopped"
                time.sleep(0.1)
            yield Server(course, address[0], printed)
        finally:
            os.killpg(server.pid, signal.SIGTERM)


def _listens(address: str) -> bool:
    url = urlsplit(address)
    try:
        socket.create_connection((url.hostname, url.port)).close()
    except ConnectionRefusedError:
        return False
    return True


class JupyterLab:
    """A browser's page with JupyterLab in it, and the notebook that is open there."""

    NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook"

    def __init__(self, screen: Screen, server: Server):
        self.screen = screen
        self.page = screen.page
        self.course = server.course
        url = urlsplit(server.address)
        self._server = f"http://{url.netloc}"
        self._token = parse_qs(url.query)["token"][0]
        self._cells: list[str] = []

    def open(self, path: str) -> None:
        """Open a notebook as the only document, and wait for its kernel."""
        # A workspace is what JupyterLab remembers of its windows: one for each path, so that no other is open.
        workspace = re.sub(r"\W", "-", path)
        self.page.goto(f"{self._server}/lab/workspaces/{workspace}/tree/{path}?reset&token={self._token}")
        self._wait_for(path)

    def open_too(self, path: str) -> None:
        """Open a notebook in the window that is there, and wait for its kernel: quicker than another JupyterLab."""
        self.menu("File", "Open from Path…")
        self.page.get_by_role("dialog").get_by_role("textbox").fill(path)
        self.page.keyboard.press("Enter")
        self._wait_for(path)

    def close(self) -> str:
        """Close the notebook that is in front; what JupyterLab asks then, or nothing. The answer is not to save."""
        tab = self.page.locator("#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current")
        mark = f"[data-id='{tab.get_attribute('data-id')}']"
        tab.locator(".lm-TabBar-tabCloseIcon").click()
        dialog = self.page.get_by_role("dialog")
        gone = self.page.locator(f"#jp-main-dock-panel:not(:has({mark}))")
        expect(dialog.or_(gone)).to_be_visible()
        asked = ""
        if dialog.count():
            asked = dialog.inner_text()
            dialog.get_by_role("button", name="Discard").click()
        expect(gone).to_be_visible()
        return asked

    def _wait_for(self, path: str) -> None:
        self._cells = [cell.id for cell in nbformat.read(self.course / path, as_version=4).cells]
        expect(self.all_cells).to_have_count(len(self._cells))
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text("Idle")

    @property
    def all_cells(self) -> Locator:
        return self.page.locator(f"{self.NOTEBOOK} .jp-Cell")

    def cell(self, name: str) -> Locator:
        """A cell of the notebook, by its id."""
        return self.all_cells.nth(self._cells.index(name))

    def outputs(self, name: str) -> Locator:
        """What stands under a cell."""
        return self.cell(name).locator(".jp-OutputArea-output")

    def run(self, name: str) -> Locator:
        """Run one cell, and return its outputs when it has ended."""
        prompt = self.cell(name).locator(".jp-InputPrompt")
        # A cell may get the number that it had: what tells that it ran is that its prompt was written.
        prompt.evaluate("""prompt => {
            delete prompt.dataset.written
            new MutationObserver(() => { prompt.dataset.written = "" }).observe(prompt, { childList: true })
        }""")
        self._editor(name).click()
        self.page.keyboard.press("Control+Enter")
        expect(prompt).to_have_attribute("data-written", "")
        expect(prompt).to_have_text(re.compile(r"\[\d+\]:"))
        return self.outputs(name)

    def run_all(self) -> None:
        """Run every cell, by the menu."""
        self.menu("Run", "Run All Cells")
        prompts = self.page.locator(".jp-CodeCell .jp-InputPrompt")
        expect(prompts.filter(has_text=re.compile(r"\[\d+\]:"))).to_have_count(prompts.count())

    def write(self, name: str, code: str) -> None:
        """Replace what stands in a cell, and run it."""
        self._editor(name).click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(code.strip())
        self.run(name)

    def menu(self, title: str, entry: str) -> None:
        self.page.get_by_role("menuitem", name=title, exact=True).click()
        self.page.get_by_role("menuitem", name=entry, exact=True).click()

    def show(self, name: str) -> None:
        """Scroll to a cell: its top comes to the top of the window."""
        self.cell(name).evaluate("cell => cell.scrollIntoView({block: 'start'})")

    def stop_kernels(self) -> None:
        headers = {"Authorization": f"token {self._token}"}
        for session in self.page.request.get(f"{self._server}/api/sessions", headers=headers).json():
            self.page.request.delete(f"{self._server}/api/sessions/{session['id']}", headers=headers)

    def _editor(self, name: str) -> Locator:
        return self.cell(name).locator(".cm-content")
