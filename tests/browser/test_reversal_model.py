"""The model in the page: it computes what PyTorch computes, and readers can type, force and step, without a network."""

import re
from pathlib import Path

import nbformat
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect

import helpers.reversal_model
from helpers.reversal_model import load_reversal_model, reversal_model
from helpers.seq2seq import greedy_decode
from helpers.tasks import TOKENS, encode, reverse_batch

pytestmark = pytest.mark.slow

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>Model</title><style>button, select, td {{ display: none }}</style>
<main><h1>Model</h1>{}</main></html>"""


@pytest.fixture
def page(screen, open_offline):
    """A page with the model, for someone who asked for less motion, and the network cut."""
    screen.page.emulate_media(reduced_motion="reduce")
    return open_offline(PAGE.format(reversal_model("BACKGROUND").html))


class Model:
    """The model on the page."""

    def __init__(self, page):
        self.page = page
        self.host = page.locator(".reversal-model")
        self.says = self.host.get_by_role("status")
        self.field = self.host.get_by_role("textbox", name="Type a word")
        self.letters = self.host.get_by_role("combobox")  # of the rows that are seen

    def button(self, name):
        return self.host.get_by_role("button", name=name)

    def written(self):
        return "".join(TOKENS[int(each.input_value())] for each in self.letters.all())

    def weights(self):
        rows = self.host.locator("tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.cells].slice(1, -1).map(cell => +cell.textContent))"
        )
        return torch.tensor(rows)


def by_pytorch(word):
    ids, weights = greedy_decode(load_reversal_model(), encode(word)[None], len(word))
    return "".join(TOKENS[each] for each in ids[0]), weights[0]


def test_the_network_in_the_page_writes_what_pytorch_writes_on_500_strings_and_looks_where_it_looks(page):
    script = Path(helpers.reversal_model.__file__).with_name("reversal_network.js").read_text(encoding="utf-8")
    weights = re.search(r'const WEIGHTS = ("[^"]*")', reversal_model().html)[1]
    model, generator = load_reversal_model(), torch.Generator().manual_seed(7)
    for length, count in ((10, 350), (1, 10), (5, 40), (15, 50), (26, 50)):
        strings, _ = reverse_batch(count, length, generator)
        ids, attended = greedy_decode(model, strings, length)
        found = page.evaluate(
            f"strings => {{ {script}\nconst {{ write }} = network(readWeights({weights}));"
            "return strings.map(ids => write(ids).map(({ token, weights }) => ({ token, weights }))) }",
            strings.tolist(),
        )
        assert [[step["token"] for step in steps] for steps in found] == ids.tolist()
        looked = torch.tensor([[step["weights"] for step in steps] for steps in found])
        assert (looked - attended).abs().max() < 1e-3


def test_a_word_that_is_typed_is_written_backwards_with_its_heatmap(page, screen):
    model = Model(page)
    assert model.written() == "DNUORGKCAB"
    screen.keep("start")
    model.field.fill("bookkeeper")
    expect(model.says).to_contain_text("BOOKKEEPER → REPEEKKOOB: right in every letter.")
    written, weights = by_pytorch("BOOKKEEPER")
    assert model.written() == written
    assert (model.weights() - weights).abs().max() < 0.006  # they are shown with two digits
    columns = model.host.get_by_role("columnheader")
    assert columns.all_inner_texts() == ["wrote ↓ read →", *"BOOKKEEPER", "sure"]
    assert model.host.locator(".mistake").count() == 0


def test_a_forced_letter_is_said_and_the_model_goes_on_from_it(page, screen):
    model = Model(page)
    expect(model.button("Undo")).to_have_attribute("aria-disabled", "true")
    model.letters.nth(2).select_option("Q")
    expect(model.says).to_contain_text("You forced 1 of the letters.")
    assert model.written().startswith("DNQ") and model.host.locator(".mistake").count() >= 1
    screen.keep("forced")
    for _ in range(7):
        model.button("‹ Back").click()
    expect(model.says).to_have_text(re.compile("^Letter 3 of 10: you wrote Q, where the model wanted U"))
    model.button("Undo").click()
    assert model.written() == "DNUORGKCAB"
    expect(model.says).not_to_contain_text("forced")


def test_beyond_ten_letters_it_fails_and_says_what_would_be_right(page, screen):
    model = Model(page)
    word = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    model.field.fill(word)
    assert model.written() == by_pytorch(word)[0] != word[::-1]
    expect(model.says).to_contain_text(f"letters are wrong. Right would be {word[::-1]}.")
    expect(model.says).to_contain_text("It was only ever trained on ten letters; this word has 26.")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    screen.keep("too long")


def test_letters_outside_the_alphabet_and_too_many_get_a_sentence(page):
    model = Model(page)
    model.field.fill("Été 1")
    expect(model.says).to_contain_text("The model knows A to Z and nothing else: É ␣ 1 was left out.")
    expect(model.says).to_contain_text("T → ")
    model.field.fill("A" * 30)
    expect(model.says).to_contain_text("Only the first 26 letters are read.")
    model.field.fill("<b>?")
    expect(model.says).to_contain_text("< > ? was left out.")
    model.field.fill("")
    expect(model.says).to_have_text("Type a word, and the model writes it backwards.")
    expect(model.host.get_by_role("table")).not_to_be_visible()


def test_the_heatmap_grows_letter_by_letter_and_can_be_stepped_through(page):
    model = Model(page)
    page.emulate_media(reduced_motion="no-preference")
    page.clock.install(time=0)
    page.clock.pause_at(1)  # seconds
    model.button("Write it").click()
    assert model.letters.count() == 0
    page.clock.run_for(1000)  # milliseconds
    assert model.written() == "DN"
    expect(model.says).to_have_text(re.compile(r"^Letter 2 of 10: N, \d+ % sure. It looks most at N"))
    model.button("Pause").click()
    page.clock.run_for(5000)
    assert model.written() == "DN"
    model.button("Next").click()
    assert model.written() == "DNU"
    model.button("Write it").click()
    page.clock.run_for(5000)
    assert model.written() == "DNUORGKCAB"
    expect(model.button("Next")).to_have_attribute("aria-disabled", "true")


def test_all_of_it_works_by_keyboard(page):
    model = Model(page)
    page.keyboard.press("Tab")
    expect(model.field).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("stressed")
    expect(model.says).to_contain_text("STRESSED → ")
    model.letters.first.focus()
    page.keyboard.press("x")
    expect(model.says).to_contain_text("You forced 1 of the letters.")
    expect(model.letters.first).to_be_focused()
    model.button("‹ Back").focus()
    page.keyboard.press("Enter")
    assert len(model.written()) == 7


@pytest.mark.parametrize("width", [1280, 390], ids=["laptop", "phone"])
def test_it_fits_the_width_and_is_accessible_in_the_light_and_in_the_dark(page, screen, width):
    page.set_viewport_size({"width": width, "height": 800})
    model = Model(page)
    model.letters.nth(3).select_option("Z")
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] != "minor"] == []
    scrolls = "e => e.scrollWidth > e.clientWidth"
    assert not model.host.get_by_role("group", name="Where the model looks").evaluate(scrolls)  # ten letters fit
    screen.keep(f"{width} wide")


def test_a_finger_can_do_it_all(chromium, page):
    context = chromium.new_context(
        has_touch=True, viewport={"width": 390, "height": 800}, offline=True, reduced_motion="reduce"
    )
    phone = context.new_page()
    phone.goto(page.url)
    model = Model(phone)
    model.button("BOOKKEEPER").tap()
    assert model.written() == "REPEEKKOOB"
    model.button("‹ Back").tap()
    assert model.written() == "REPEEKKOO"
    assert model.letters.first.bounding_box()["height"] >= 36
    context.close()


def test_where_scripts_are_forbidden_one_word_and_its_weights_are_left(chromium, page):
    context = chromium.new_context(java_script_enabled=False)
    without = context.new_page()
    without.goto(page.url)
    expect(without.get_by_role("table")).to_have_count(1)
    expect(without.get_by_text("BACKGROUND → DNUORGKCAB")).to_be_visible()
    context.close()


def test_in_jupyterlab_what_is_typed_goes_into_the_field_and_not_to_the_notebook(lab):
    cell = new_code_cell("from helpers.reversal_model import reversal_model\nreversal_model()", id="model")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=[cell], metadata={"kernelspec": kernel}), lab.course / "model.ipynb")
    lab.open("model.ipynb")
    lab.run("model")
    model = Model(lab.page)
    model.field.click()
    lab.page.keyboard.press("Control+A")  # selects all cells elsewhere
    lab.page.keyboard.type("ddabx")  # two d delete a cell, an a makes one
    expect(model.says).to_contain_text("DDABX → ")
    expect(lab.all_cells).to_have_count(1)
    lab.screen.keep("run")
    assert lab.screen.hard_to_read(".reversal-model") == []
