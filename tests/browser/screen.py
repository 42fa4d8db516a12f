"""A page in a browser: what its console said, pictures of it in both themes, and whether its text can be read."""

import re
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

# Errors in the console that aren't the course's, each with the reason that it is let pass.
OTHERS_ERRORS = (
    # Raised in JupyterLab's own script, now and then; the tests change its theme often. The cause isn't known.
    r"Failed to execute 'removeChild' on 'Node'.*/static/lab/jlab_core\.",
    # JupyterLab's debugger asks each new kernel how it is; a notebook may be closed before the answer is there.
    r"Could not restore the debugger state: Canceled future for debug_request",
)


class Screen:
    """A page. Its pictures and its console's lines are kept in files whose names begin with `files`."""

    def __init__(self, page: Page, files: Path):
        self.page = page
        self.errors: list[str] = []  # of the course's own, in the console
        self._files = files
        self._taken = 0
        self._console: list[str] = []
        page.on("console", lambda message: self._note(message.type, f"{message.text} ({message.location['url']})"))
        page.on("pageerror", lambda error: self._note("error", f"{error} ({(error.stack or '')[:600]})"))
        for old in files.parent.glob(f"{files.name}.*"):
            old.unlink()

    def keep(self, what: str) -> None:
        """Keep a picture of the window in the light and in the dark theme."""
        self._taken += 1
        for theme in ("dark", "light"):
            self._change_theme(theme)
            name = f"{self._files.name}.{self._taken}-{what.replace(' ', '-')}.{theme}.png"
            self.page.screenshot(path=self._files.with_name(name), animations="disabled")

    def keep_console(self) -> None:
        self._files.with_name(f"{self._files.name}.console.txt").write_text("\n".join(self._console), encoding="utf-8")

    def hard_to_read(self, selector: str) -> list[str]:
        """The texts there with a contrast below 4.5 (3 if they are large) in one of the themes."""
        found = []
        for theme in ("dark", "light"):
            self._change_theme(theme)
            run = Axe().run(self.page, context=selector, options={"runOnly": ["color-contrast"]})
            nodes = [node for rule in run.response["violations"] for node in rule["nodes"]]
            found += [f"{theme}: {node['html']}: {node['failureSummary']}" for node in nodes]
        return found

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self._console.append(f"{kind}: {text}")
        if kind == "error" and not any(re.search(known, text, re.DOTALL) for known in OTHERS_ERRORS):
            self.errors.append(text)

    def _change_theme(self, theme: str) -> None:
        self.page.emulate_media(color_scheme=theme)
        body = self.page.locator("body[data-jp-theme-name]")
        if body.count():  # JupyterLab follows a moment later
            expect(body).to_have_attribute("data-jp-theme-light", str(theme == "light").lower())
