"""A student's way through the course: what they see in JupyterLab, and that nothing looks broken on the way."""

import json
import re
import shutil
import urllib.request
from http.cookiejar import CookieJar
from urllib.parse import urlsplit

import nbformat
import pytest
from playwright.sync_api import expect

from grading.sample_answers import lab01_masked_softmax as answers
from tests.grading.classroom import filled_in

pytestmark = pytest.mark.slow

LAB = "my_labs/lab01_masked_softmax/lab01_masked_softmax.ipynb"
NOTEBOOK_2 = "notebooks/02_scaled_dot_product.ipynb"
SOLVED = answers.STUDENTS["sample-ada"]
TESTS = ("length_mask", "masked_softmax", "breaking_input", "masked_mean")


def test_the_server_offers_the_first_notebook_without_news_and_with_nbgraders_buttons(server):
    url = urlsplit(server.address)
    assert url.path == "/lab/tree/notebooks/00_start_here.ipynb"
    assert (server.course / "notebooks" / "00_start_here.ipynb").is_file()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = browser.open(server.address, timeout=60).read().decode()
    settings = json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    unwanted = {"@jupyterlab/apputils-extension:announcements", "@jupyter-notebook/lab-extension"}
    assert unwanted <= set(settings["disabledExtensions"])
    kept = {"@jupyter/nbgrader:formgrader", "@jupyter/nbgrader:validate-assignment", "@jupyter/nbgrader:menu"}
    assert kept.isdisjoint(settings["disabledExtensions"])
    assert "@jupyter/nbgrader" in [extension["name"] for extension in settings["federated_extensions"]]
    assert browser.open(f"http://{url.netloc}/formgrader", timeout=60).status == 200
    assert server.printed.count("\n") < 10  # a short log, in which the address is easy to find


def test_make_lab_opens_on_the_first_notebook(lab, server):
    lab.page.goto(server.address)
    expect(lab.page.get_by_role("heading", name="00 · Start here")).to_be_visible()
    expect(lab.page.locator("#jp-main-statusbar")).to_contain_text("Idle")
    lab.screen.keep("start")
    assert lab.page.locator(".jp-Dialog, .Toastify__toast").count() == 0  # nothing pops up


def test_a_blank_lab_runs_to_its_end_and_says_what_to_do(lab):
    lab.open(LAB)
    lab.screen.keep("opened")
    lab.run_all()
    for name in TESTS:
        output = lab.outputs(f"test-{name.replace('_', '-')}")
        expect(output.first).to_contain_text("Put your answer in that line's place")
        expect(output.last).to_have_text(f"CheckFailed: {name} is still blank.")
    expect(lab.outputs("picture")).to_contain_text("The picture waits for masked_softmax")
    expect(lab.page.locator(".jp-Notebook")).not_to_contain_text("Traceback")
    lab.show("masked-softmax")
    lab.screen.keep("run")
    assert lab.screen.hard_to_read(".jp-OutputArea") == []


def test_a_misconception_is_named_and_a_right_answer_passes_and_draws_its_heatmap(lab):
    lab.open(LAB)
    lab.run("imports")
    lab.write("masked-softmax", answers.MASKED_SOFTMAX_MASKED_AFTERWARDS)
    report = lab.run("test-masked-softmax")
    expect(report.first).to_contain_text("masked_softmax: the mask comes after the softmax")
    expect(report.last).to_contain_text("CheckFailed: masked_softmax: the mask comes after the softmax")
    lab.show("masked-softmax")
    lab.screen.keep("misconception")
    lab.show("test-masked-softmax-hidden")
    assert lab.screen.hard_to_read(".jp-OutputArea") == []

    lab.write("masked-softmax", answers.MASKED_SOFTMAX_BY_WHERE)
    report = lab.run("test-masked-softmax")
    expect(report).to_have_count(1)
    expect(report).to_contain_text("masked_softmax: every property holds")
    lab.show("test-masked-softmax")
    lab.screen.keep("right")
    picture = lab.run("picture").locator("img")
    expect(picture).to_be_visible()
    expect(lab.outputs("picture").last).to_contain_text("Your weights.")  # its caption
    lab.show("picture")
    lab.screen.keep("heatmap")
    assert lab.screen.hard_to_read(".jp-OutputArea") == []


def test_hints_fold_and_unfold(lab):
    lab.open(LAB)
    hint = lab.cell("about-length-mask").locator("details").first
    text = hint.locator("p")
    expect(text).to_be_hidden()
    hint.locator("summary").click()
    expect(text).to_be_visible()
    lab.show("about-length-mask")
    lab.screen.keep("unfolded")
    hint.locator("summary").click()
    expect(text).to_be_hidden()


def test_validate_lists_what_fails_and_says_so_when_nothing_does(lab):
    lab.open(LAB)
    lab.page.get_by_role("button", name="Validate").click()
    dialog = lab.page.get_by_role("dialog")
    expect(dialog).to_contain_text("CheckFailed: masked_softmax is still blank.")
    lab.screen.keep("blank")

    solved = LAB.replace(".ipynb", "_solved.ipynb")
    (lab.course / solved).write_text(filled_in(SOLVED), encoding="utf-8")
    lab.open(solved)
    lab.page.get_by_role("button", name="Validate").click()
    expect(dialog).to_contain_text("Success! Your notebook passes all the tests.")
    lab.screen.keep("solved")


def test_a_report_looks_the_same_in_a_notebook_that_jupyterlab_does_not_trust(lab):
    file = lab.course / LAB.replace(".ipynb", "_saved.ipynb")
    shutil.copy(lab.course / LAB, file)
    lab.open(str(file.relative_to(lab.course)))
    lab.run("imports")
    lab.write("masked-softmax", answers.MASKED_SOFTMAX_MASKED_AFTERWARDS)
    report = lab.run("test-masked-softmax").first
    looks = report.evaluate(LOOKS)
    assert len(looks) > 20
    lab.page.keyboard.press("Control+S")
    expect(lab.page.locator(".jp-mod-dirty")).to_have_count(0)

    # As somebody else's file: JupyterLab trusts what it has signed, and this it hasn't.
    from_elsewhere = file.with_name("from_elsewhere.ipynb")
    from_elsewhere.write_text(file.read_text(encoding="utf-8").replace("# Lab 1", "# My lab 1"), encoding="utf-8")
    lab.open(str(from_elsewhere.relative_to(lab.course)))
    expect(lab.page.get_by_title("Notebook not trusted")).to_be_visible()
    assert lab.outputs("test-masked-softmax").first.evaluate(LOOKS) == looks
    lab.show("test-masked-softmax")
    lab.screen.keep("not trusted")


def test_the_slider_of_notebook_2_moves_the_picture(lab):
    notebook = nbformat.read(lab.course / NOTEBOOK_2, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    slider = next(i for i, cell in enumerate(cells) if cell.id == "slider")
    cells[0].source = "\n".join(cell.source for cell in cells[:slider])  # all that it needs, in one cell
    cells[slider].metadata.pop("jupyter")  # unfolded, it can be clicked on
    quick = NOTEBOOK_2.replace(".ipynb", "_quick.ipynb")
    nbformat.write(notebook, lab.course / quick)
    lab.open(quick)
    lab.run(cells[0].id)
    lab.run("slider")

    handle = lab.cell("slider").get_by_role("slider")
    picture = lab.cell("slider").locator("img")
    seen = [picture.get_attribute("src")]
    for width in ("128", "256"):
        handle.press("ArrowRight")
        expect(lab.cell("slider").locator(".widget-readout")).to_have_text(width)
        expect(picture).not_to_have_attribute("src", seen[-1])
        seen.append(picture.get_attribute("src"))
        lab.show("slider")
        lab.screen.keep(f"d = {width}")
    assert len(set(seen)) == 3


# Of everything in an output its text and how it is set.
LOOKS = """output => [...output.querySelectorAll('*')].map(element => {
    const style = getComputedStyle(element)
    const properties = ['backgroundColor', 'borderLeft', 'borderRadius', 'color', 'display', 'fontSize', 'fontWeight',
                        'height', 'listStyle', 'margin', 'padding', 'textIndent', 'whiteSpace', 'width']
    return [element.tagName, element.textContent, ...properties.map(property => style[property])]
})"""
