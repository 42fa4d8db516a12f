"""The attention machine as readers use it: by mouse, keyboard, finger and screen reader, on a page with no network."""

import math
import re

import nbformat
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from nbformat.v4 import new_code_cell, new_notebook, new_output
from playwright.sync_api import expect

from helpers.attention import scaled_dot_product_attention
from helpers.attention_machine import attention_machine
from helpers.component import packed
from helpers.running_example import KEYS, QUERIES, TOKENS, VALUES

pytestmark = pytest.mark.slow

GENERATOR = torch.Generator().manual_seed(0)
EXAMPLE = attention_machine()
# Six words, two of them equal, values that can't be drawn, and scores too large to write e to their power.
RANDOM = [torch.randn(6, width, generator=GENERATOR) * 4 for width in (3, 3, 5)]
LARGE = attention_machine(list("KEEPER"), *RANDOM, query=5, hidden=[1], show=["scale", "mask"], caption="Six letters.")
BARE = attention_machine(show=(), caption="Without scale, mask and temperature.")
SITE = ("--pst-color-background", "--pst-color-text-base")
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Machines</title><style>button, label, input, table, svg {{ display: none; color: red }}</style>
<main><h1>Machines</h1><p class="hint later">Text</p>{}</main></html>"""


@pytest.fixture
def page(open_offline):
    """A page with three machines, and the network cut."""
    return open_offline(PAGE.format("\n".join(each.html for each in (EXAMPLE, LARGE, BARE))))


class Machine:
    """One of the machines on the page."""

    def __init__(self, page, index=0):
        self.page = page
        self.host = page.locator(".attention-machine").nth(index)
        self.says = self.host.locator(".says[role=status]")
        self.words = self.host.get_by_role("group", name="Who asks? (query)").get_by_role("radio")
        self.plot = self.host.locator("svg.plot")
        self.temperature = self.host.get_by_role("slider")

    def button(self, name):
        return self.host.get_by_role("button", name=name)

    def number(self, name):
        return self.host.get_by_role("spinbutton", name=name, exact=True)

    def score(self, word):
        return self.button(f"q·k with {word}:")

    def hide(self, word):
        return self.button(f"hide {word}")

    def scale(self, name):
        return self.host.get_by_role("group", name="divide by").get_by_role("radio", name=name, exact=True)

    def rows(self, name="table of numbers"):
        """A table as text, read as a screen reader would."""
        self.host.locator("details").last.evaluate("details => (details.open = true)")
        table = self.host.get_by_role("group", name=name).get_by_role("table")
        expect(table).to_be_visible()
        return table.locator("tr").evaluate_all("all => all.map(row => [...row.cells].map(cell => cell.innerText))")

    def column(self, name):
        head, *rows = self.rows()
        return [row[head.index(name)] for row in rows]

    def output(self):
        return [float(text.replace("−", "-")) for text in self.host.locator(".output span").all_inner_texts()]


def steps_said(machine):
    """The sentences of all steps, by the buttons."""
    said = [machine.says.inner_text()]
    while machine.button("Back").get_attribute("aria-disabled") == "false":
        machine.button("Back").click()
        said.insert(0, machine.says.inner_text())
    return [re.sub(r"Step (\d+) of \d+: ", r"\1. ", sentence) for sentence in said]


def compute(page, code, given):
    """What the machine's own computation, alone, gives for `given`."""
    return page.evaluate(f"(given) => {{ {packed('attention_machine_math.js')}\n return {code} }}", given)


@pytest.mark.parametrize("size", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("tokens", [1, 5])
def test_it_computes_what_pytorch_computes(page, size, tokens):
    generator = torch.Generator().manual_seed(tokens)
    for _ in range(20):
        queries, keys, values = (
            size * torch.randn(tokens, width, generator=generator, dtype=torch.float64) for width in (4, 4, 3)
        )
        temperature = 10 ** (4 * torch.rand((), generator=generator).item() - 2)
        hidden = (torch.rand(tokens, generator=generator) < 0.3).tolist()
        given = {"q": queries[0].tolist(), "keys": keys.tolist(), "values": values.tolist()}
        given["rest"] = {"hidden": hidden, "divisor": 2, "temperature": temperature}
        found = compute(page, "attend(given.q, given.keys, given.values, given.rest)", given)
        scores = (keys @ queries[0] / 2).masked_fill(torch.tensor(hidden), -math.inf) / temperature
        weights = torch.zeros(tokens).double() if all(hidden) else scores.softmax(0)
        torch.testing.assert_close(torch.tensor(found["weights"], dtype=torch.float64), weights)
        torch.testing.assert_close(torch.tensor(found["output"], dtype=torch.float64), weights @ values)


@pytest.mark.parametrize(
    ("scores", "hidden"),
    [
        ([0.0, 1000.0, -1000.0], [0, 0, 0]),
        ([1e6, 1e6, 0.0], [0, 0, 0]),
        ([-800.0, -801.0, 5000.0], [0, 0, 1]),
        ([1e-9, 0.0, -1e-9], [0, 0, 0]),
    ],
)
def test_its_softmax_is_pytorchs_for_scores_of_any_size(page, scores, hidden):
    found = compute(page, "softmax(given[0], given[1])", [scores, hidden])
    expected = torch.tensor(scores, dtype=torch.float64).masked_fill(torch.tensor(hidden).bool(), -math.inf).softmax(0)
    torch.testing.assert_close(torch.tensor(found, dtype=torch.float64), expected)


def test_with_every_key_hidden_no_weight_is_given(page):
    assert compute(page, "softmax([1, 2], [true, true])", None) == [0, 0]
    machine = Machine(page)
    for word in TOKENS:
        machine.hide(word).click()
    assert machine.output() == [0, 0]
    machine.button("Back").click()
    expect(machine.says).to_contain_text("Every word is hidden: there is no weight to give")
    assert machine.column("mask") == ["−∞"] * 4 and machine.column("softmax α") == ["0.00"] * 4


@pytest.mark.parametrize(("index", "given"), [*enumerate([EXAMPLE, LARGE, BARE])], ids=["example", "large", "bare"])
def test_each_step_says_its_numbers_as_the_terminal_does(page, index, given):
    _, *lines = repr(given).splitlines()
    assert steps_said(Machine(page, index)) == lines


def test_the_table_says_what_the_table_without_a_script_said(page, chromium, tmp_path):
    file = tmp_path / "plain.html"
    file.write_text(f"<!doctype html><meta charset='utf-8'>{EXAMPLE.html}{LARGE.html}", encoding="utf-8")
    context = chromium.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(file.as_uri())
    expect(plain.get_by_role("table")).to_have_count(2)
    expect(plain.get_by_text("Six letters.")).to_be_visible()
    for index in range(2):
        written = plain.get_by_role("table").nth(index).inner_text().split()
        Machine(page, index).rows()
        assert Machine(page, index).host.get_by_role("table").inner_text().split() == written
    context.close()


def test_the_output_is_pytorchs_for_each_query(page):
    machine = Machine(page)
    outputs, weights = scaled_dot_product_attention(QUERIES[None], KEYS[None], VALUES[None])
    for index in range(4):
        machine.words.nth(index).check(force=True)
        assert machine.output() == pytest.approx(outputs[0, index].tolist(), abs=0.006)
        assert machine.column("softmax α") == [f"{weight:.2f}" for weight in weights[0, index]]


def test_a_number_can_be_typed_and_everything_follows(page, screen):
    machine = Machine(page)
    number = machine.number("query of car, thing")
    number.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("-3.5")
    expect(number).to_have_value("-3.5")
    query = torch.tensor([0, 2, -3.5, 0])
    weights = (KEYS @ query / 2).softmax(0)
    assert machine.output() == pytest.approx((weights @ VALUES).tolist(), abs=0.006)
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")  # an empty number is none: the last one holds
    assert machine.output() == pytest.approx((weights @ VALUES).tolist(), abs=0.006)
    page.keyboard.press("Tab")
    expect(number).to_have_value("-3.5")
    machine.number("key of the, article").fill("1e400")
    machine.number("value of red, redness").fill("100000")
    assert all(math.isfinite(each) for each in machine.output())
    screen.keep("typed")


def test_the_arrow_keys_change_a_number_by_a_half(page):
    machine = Machine(page)
    number = machine.number("value of stops, car-ness")
    number.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    expect(number).to_have_value("1")
    assert machine.output()[1] == pytest.approx(2.25 + 0.08, abs=0.01)


def test_a_number_can_be_dragged_sideways(page):
    machine = Machine(page)
    number = machine.number("key of red, colour")
    box = number.bounding_box()
    x, y = box["x"] + 10, box["y"] + 10
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 20, y)
    page.mouse.move(x + 32, y)
    page.mouse.up()
    page.mouse.move(x + 200, y)  # let go: nothing follows any more
    expect(number).to_have_value("4")
    assert machine.column("q·k") == ["0", "8", "2", "0"]


def test_pointing_at_a_score_shows_its_products(page, screen):
    machine = Machine(page)
    machine.number("query of car, article").fill("-1")
    machine.score("the").hover()
    expect(machine.says).to_contain_text("For the: (−1)·2 + 2·0 + 1·0 + 0·0 = −2.")
    assert machine.host.locator(".lit input").count() == 8
    screen.keep("products")
    page.mouse.move(0, 0)
    expect(machine.says).to_contain_text("That is the output")
    machine.score("stops").focus()
    expect(machine.says).to_contain_text("For stops: (−1)·0 + 2·0 + 1·0 + 0·2 = 0.")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(machine.says).to_contain_text("For stops: 1.00 / 11.48 = 0.09")


def test_a_hidden_word_gets_no_weight_and_leaves_the_polygon(page, screen):
    machine = Machine(page)
    machine.hide("red").click()
    expect(machine.hide("red")).to_have_attribute("aria-pressed", "true")
    weights = torch.tensor([0, -math.inf, 1, 0]).softmax(0)
    assert machine.column("softmax α") == [f"{weight:.2f}" for weight in weights]
    assert machine.output() == pytest.approx((weights @ VALUES).tolist(), abs=0.006)
    assert machine.host.locator("polygon").get_attribute("points").count(",") == 2  # a line is left
    screen.keep("hidden")
    machine.hide("red").click()
    assert machine.column("softmax α") == ["0.08", "0.61", "0.22", "0.08"]


def test_the_temperature_goes_from_the_largest_score_alone_to_all_alike(page):
    machine = Machine(page)
    machine.temperature.focus()
    page.keyboard.press("Home")
    assert machine.column("softmax α") == ["0.00", "1.00", "0.00", "0.00"]
    expect(machine.temperature).to_have_attribute("aria-valuetext", "0.01")
    page.keyboard.press("End")
    assert machine.column("softmax α") == [f"{w:.2f}" for w in (torch.tensor([0, 2, 1, 0]) / 100.0).softmax(0)]
    machine.button("Back").click()
    machine.button("Back").click()
    expect(machine.says).to_contain_text("T = 100")


def test_the_scale_can_be_chosen(page):
    machine = Machine(page)
    for name, divisor in (("1", 1), ("d", 4), ("√d", 2)):
        machine.scale(name).check(force=True)
        weights = (torch.tensor([0.0, 4, 2, 0]) / divisor).softmax(0)
        assert machine.column("softmax α") == [f"{weight:.2f}" for weight in weights]
    assert Machine(page, 2).host.get_by_role("group", name="divide by").count() == 0


def test_the_steps_play_one_by_one_and_can_be_stopped(page):
    machine = Machine(page)
    page.clock.install()
    machine.button("Play").focus()
    page.keyboard.press("Enter")
    expect(machine.says).to_contain_text("Step 1 of 7: car asks")
    expect(machine.score("red")).not_to_be_visible()
    expect(machine.plot.locator("circle.point")).not_to_be_visible()
    expect(machine.plot.locator("circle.value").first).to_be_visible()
    page.clock.fast_forward(20_000)
    expect(machine.says).to_contain_text("Step 2 of 7")
    expect(machine.score("red")).to_be_visible()
    expect(machine.button("weight of red")).not_to_be_visible()
    machine.button("Pause").click()
    page.clock.fast_forward(60_000)
    expect(machine.says).to_contain_text("Step 2 of 7")
    machine.button("Play").click()  # goes on from there
    for _ in range(6):
        page.clock.fast_forward(20_000)
    expect(machine.says).to_contain_text("Step 7 of 7")
    expect(machine.button("Play")).to_be_visible()
    expect(machine.plot.locator("circle.point")).to_be_visible()


def test_the_output_is_a_point_in_the_polygon_of_the_values_and_a_value_can_be_dragged(page, screen):
    machine = Machine(page)
    inside = """svg => { const [polygon, point] = ["polygon", "circle.point"].map(name => svg.querySelector(name));
        return polygon.isPointInFill(new DOMPoint(+point.getAttribute("cx"), +point.getAttribute("cy"))) }"""
    assert machine.plot.evaluate(inside)
    handle = machine.plot.locator(".handle").nth(1)  # red, at the right
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 40, y - 60)
    page.mouse.up()
    value = [float(machine.number(f"value of red, {axis}").input_value()) for axis in ("redness", "car-ness")]
    assert 5 < value[0] < 9.5 and 2 < value[1] < 6
    assert machine.plot.evaluate(inside)
    assert machine.output()[0] == pytest.approx(0.61 * value[0], abs=0.06)
    assert Machine(page, 1).plot.count() == 0  # five numbers can't be drawn
    screen.keep("dragged")


def test_machines_on_one_page_do_not_touch_each_other_or_the_page(page):
    first, last = Machine(page), Machine(page, 2)
    last.number("key of red, colour").fill("9")
    assert first.output() == [6.1, 2.25]
    expect(first.button("Play")).to_be_visible()  # the page hides its own buttons
    assert page.locator("p.later").evaluate("e => getComputedStyle(e).visibility") == "visible"
    assert page.evaluate("Object.keys(window).filter(name => /machine|enhance|make|say/i.test(name))") == []
    page.evaluate(BARE.html.partition("<script>")[2].removesuffix("</script>"))  # a script that is run again
    expect(page.get_by_role("status")).to_have_count(3)


@pytest.mark.parametrize("width", [1280, 390], ids=["laptop", "phone"])
def test_it_fits_the_width_and_is_accessible_in_the_light_and_in_the_dark(page, screen, width):
    page.set_viewport_size({"width": width, "height": 3000})
    Machine(page).hide("stops").click()
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        for index in range(3):
            Machine(page, index).host.locator("details").evaluate("details => (details.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] != "minor"] == []
    lanes = Machine(page).host.locator(".stage.lanes")
    expect(lanes).to_have_count(1 if width == 1280 else 0)  # from left to right where there is room
    assert Machine(page).host.locator(".stage").evaluate("stage => stage.scrollWidth <= stage.clientWidth")
    screen.keep(f"{width} wide")


@pytest.mark.parametrize(
    ("system", "surface", "ink"), [("dark", "#ffffff", "#111111"), ("light", "#111111", "#ffffff")]
)
@pytest.mark.parametrize("prefixes", [("--jp-layout-color0", "--jp-content-font-color0"), SITE], ids=["editor", "site"])
def test_its_colours_are_the_editors_or_the_sites_and_not_the_systems(page, system, surface, ink, prefixes):
    page.emulate_media(color_scheme=system, reduced_motion="reduce")
    page.add_style_tag(content=f":root {{ {prefixes[0]}: {surface}; {prefixes[1]}: {ink} }}")
    looks = "element => [getComputedStyle(element).backgroundColor, getComputedStyle(element).color]"
    as_rgb = [f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})" for colour in (surface, ink)]
    assert Machine(page).host.locator("figure").evaluate(looks) == as_rgb
    assert Machine(page).button("Play").evaluate(looks) == as_rgb
    contrast = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}
    assert Axe().run(page, context=".attention-machine", options=contrast).response["violations"] == []


def test_a_finger_taps_a_score_hides_a_word_and_drags_a_number(chromium, page):
    context = chromium.new_context(has_touch=True, viewport={"width": 390, "height": 1800}, offline=True)
    phone = context.new_page()
    phone.goto(page.url)
    machine = Machine(phone)
    machine.score("red").tap()
    expect(machine.says).to_contain_text("For red: 0·0 + 2·2 + 1·0 + 0·0 = 4.")
    machine.hide("red").tap()
    assert machine.column("softmax α")[1] == "0.00"
    number = machine.number("key of car, thing")
    box = number.bounding_box()
    at = [{"x": box["x"] + 10 + moved, "y": box["y"] + 10} for moved in (0, 12, 24, 32)]
    session = context.new_cdp_session(phone)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at[:1]})
    for point in at[1:]:
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(number).to_have_value("4")
    context.close()


def test_nothing_moves_for_who_asked_for_less_motion(page):
    machine = Machine(page)
    bar = "button => getComputedStyle(button, '::before').transitionDuration"
    for motion, moves in (("no-preference", True), ("reduce", False)):
        page.emulate_media(reduced_motion=motion)
        machine.button("Back").click()
        machine.button("Next").click()  # to the output: what the values give runs to it
        assert (machine.plot.evaluate("svg => svg.getAnimations({ subtree: true }).length") > 0) == moves
        assert (machine.button("weight of red").evaluate(bar) != "0s") == moves
        expect(machine.host.locator(".drop")).to_have_count(0)


def test_on_paper_there_is_the_table_and_nothing_to_press(page, tmp_path):
    machine = Machine(page)
    page.pdf(path=tmp_path / "machines.pdf")
    page.emulate_media(media="print")
    expect(machine.host.get_by_role("table")).to_be_visible()
    expect(machine.button("Play")).not_to_be_visible()


def test_jupyterlab_shows_the_table_of_a_notebook_that_it_does_not_trust_and_the_machine_once_the_cell_was_run(lab):
    notebook = new_notebook(
        cells=[
            new_code_cell(
                "from helpers.attention_machine import attention_machine\nattention_machine()",
                id="machine",
                outputs=[new_output("execute_result", {"text/html": EXAMPLE.html}, execution_count=1)],
                execution_count=1,
            )
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, lab.course / "machine.ipynb")
    lab.open("machine.ipynb")
    expect(lab.page.get_by_role("table")).to_be_visible()
    lab.screen.keep("not trusted")
    lab.run("machine")
    machine = Machine(lab.page)
    machine.number("key of car, thing").click()
    for key in ("Control+a", "4", "ArrowDown", "d", "d"):  # JupyterLab would move on, and delete the cell
        lab.page.keyboard.press(key)
    expect(machine.number("key of car, thing")).to_have_value("3.5")
    machine.score("car").hover()
    expect(machine.says).to_contain_text("= 3.5.")
    lab.screen.keep("run")
    assert lab.screen.hard_to_read(".attention-machine") == []
