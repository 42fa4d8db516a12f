"""What the course shows in VS Code, which can hardly be installed here: its page for outputs is imitated.

As in its source (`renderHTML` and `domEval` in extensions/notebook-renderers of microsoft/vscode) an output's HTML is
put into the page first, and then its scripts are run by elements made anew, which are gone at once. There are no styles
of JupyterLab's, only VS Code's variables. The colours are those of its modern dark theme and of its modern light one.
"""

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from helpers.attention_machine import attention_machine
from helpers.attention_view import attention_view
from helpers.checks import CheckFailed, check
from helpers.checks.report import publish
from helpers.reversal_model import reversal_model
from tests.checks.bank import all_banks

pytestmark = pytest.mark.slow

THEMES = {"dark": ("#1f1f1f", "#cccccc"), "light": ("#ffffff", "#3b3b3b")}  # the editor's ground, and its text
ALLOWED = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
PAGE = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Outputs</title>
<meta http-equiv="Content-Security-Policy" content="{ALLOWED}">
<style>body {{ background: var(--vscode-editor-background); color: var(--vscode-editor-foreground) }}</style>
<main><h1>Outputs</h1></main></html>"""
SHOW = """outputs => {
  for (const html of outputs) {
    const output = document.createElement("div");
    output.innerHTML = html;
    document.querySelector("main").append(output);
    for (const inert of [...output.querySelectorAll("script")]) {
      const script = document.createElement("script");
      script.text = inert.innerText;
      output.append(script);
      script.remove();
    }
  }
}"""


@pytest.fixture
def show(open_offline):
    """Show outputs in this theme, on a computer that is set to the other one."""

    def show(theme, outputs):
        page = open_offline(PAGE)
        page.emulate_media(color_scheme="light" if theme == "dark" else "dark", reduced_motion="reduce")
        for name, colour in zip(("background", "foreground"), THEMES[theme], strict=True):
            style = "([name, colour]) => document.documentElement.style.setProperty(name, colour)"
            page.evaluate(style, [f"--vscode-editor-{name}", colour])
        page.evaluate(SHOW, outputs)
        return page

    return show


def reports() -> list[str]:
    """What the checks print of masked softmax: a right answer, a wrong one with its picture, and the blank."""

    def masked_softmax(scores, mask):
        raise NotImplementedError()

    bank = all_banks()["masked_softmax"]
    right = next(answer.function for answer in bank if answer.is_right)
    wrong = next(answer.function for answer in bank if answer.named == "softmax-over-queries")
    shown = []
    token = publish.set(shown.append)
    try:
        check(right, "masked_softmax", seed=0)
        for answer in (wrong, masked_softmax):
            with pytest.raises(CheckFailed):
                check(answer, "masked_softmax", seed=0)
    finally:
        publish.reset(token)
    return [bundle["text/html"] for bundle in shown]


def hard_to_read(page) -> list[str]:
    found = Axe().run(page, options={"runOnly": ["color-contrast"], "resultTypes": ["violations"]})
    return [node["html"] for rule in found.response["violations"] for node in rule["nodes"]]


@pytest.mark.parametrize("theme", THEMES)
def test_reports_can_be_read_without_jupyterlabs_styles(show, theme, screen):
    page = show(theme, reports())
    page.evaluate("document.querySelectorAll('details').forEach(each => (each.open = true))")
    assert page.locator("main > div").count() == 3 and page.locator("table").count()
    assert hard_to_read(page) == []
    screen.keep("reports")


@pytest.mark.parametrize("theme", THEMES)
def test_the_components_come_alive_in_the_editors_colours(show, theme, screen):
    words = ["the", "red", "car"]
    view = attention_view(torch.eye(3), words, ["la", "rouge", "voiture"], "One word each.")
    page = show(theme, [each.html for each in (view, attention_machine(), reversal_model("ABC"))])
    ground = f"rgb({', '.join(str(int(THEMES[theme][0][i : i + 2], 16)) for i in (1, 3, 5))})"
    for name in ("attention-view", "attention-machine", "reversal-model"):
        host = page.locator(f".{name}")
        expect(host.locator("figure")).to_have_css("background-color", ground)
        expect(host).to_have_css("color-scheme", theme)
    status = page.locator(".attention-view").get_by_role("status")
    page.locator(".attention-view").get_by_role("button", name="Next").click()
    expect(status).to_contain_text("Step 2 of 3: rouge looks at red 1.00")
    assert hard_to_read(page) == []
    screen.keep("components")
