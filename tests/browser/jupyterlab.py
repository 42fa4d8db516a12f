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
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import nbformat
from playwright.sync_api import Locator, expect

from tests.browser.screen import Screen

ROOT = Path(__file__).parents[2]
JUPYTERLAB = (sys.executable, "-m", "jupyterlab", "--config=jupyter_lab_config.py")  # what `make lab` runs


def copy_course(folder: Path) -> Path:
    """A copy of what `make lab` needs."""
    unwanted = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for room in ("notebooks", "labs", "solutions", "helpers", "grading", "tools"):
        shutil.copytree(ROOT / room, folder / room, ignore=unwanted)
    for file in ("Makefile", "README.md", "jupyter_lab_config.py", "nbgrader_config.py"):
        shutil.copy(ROOT / file, folder)
    return folder


@contextlib.contextmanager
def running(command: Sequence[str], course: Path, settings: Path) -> Iterator[str]:
    """Start JupyterLab in the course's folder on any free port, and give its address, with the token."""
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
        command, cwd=course, env=variables, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    with server:
        try:
            printed = []
            while not (address := re.search(r"http://(127\.0\.0\.1|localhost):\S+", "".join(printed))):
                printed.append(line := server.stderr.readline())
                assert line, f"JupyterLab stopped:\n{''.join(printed)}"
            while not _listens(address[0]):  # it prints its address a moment before it listens
                assert server.poll() is None, "JupyterLab stopped"
                time.sleep(0.1)
            yield address[0]
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

    def __init__(self, screen: Screen, address: str, course: Path):
        self.screen = screen
        self.page = screen.page
        self.course = course
        url = urlsplit(address)
        self._server = f"http://{url.netloc}"
        self._token = parse_qs(url.query)["token"][0]
        self._cells: list[str] = []

    def open(self, path: str) -> None:
        """Open a notebook as the only document, and wait for its kernel."""
        # A workspace is what JupyterLab remembers of its windows: one for each path, so that no other is open.
        workspace = re.sub(r"\W", "-", path)
        self.page.goto(f"{self._server}/lab/workspaces/{workspace}/tree/{path}?reset&token={self._token}")
        self._cells = [cell.id for cell in nbformat.read(self.course / path, as_version=4).cells]
        expect(self.all_cells).to_have_count(len(self._cells))
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text("Idle")

    @property
    def all_cells(self) -> Locator:
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell")

    def cell(self, name: str) -> Locator:
        """A cell of the notebook, by its id."""
        return self.all_cells.nth(self._cells.index(name))

    def outputs(self, name: str) -> Locator:
        """What stands under a cell."""
        return self.cell(name).locator(".jp-OutputArea-output")

    def run(self, name: str) -> Locator:
        """Run one cell, and return its outputs when it has ended."""
        prompt = self.cell(name).locator(".jp-InputPrompt")
        before = prompt.inner_text()
        self._editor(name).click()
        self.page.keyboard.press("Control+Enter")
        expect(prompt).not_to_have_text(before)
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
