"""The attention view as readers use it: by mouse, keyboard, finger and screen reader, on a page without a network."""

import re
from xml.etree import ElementTree

import nbformat
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from matplotlib.image import imread
from nbformat.v4 import new_code_cell, new_notebook, new_output
from playwright.sync_api import expect

from helpers.attention_view import attention_view

pytestmark = pytest.mark.slow

SENTENCE = attention_view(
    torch.tensor([[0.8, 0.1, 0.1, 0.0], [0.1, 0.2, 0.7, 0.0], [0.0, 0.9, 0.1, 0.0], [0.0, 0.0, 0.2, 0.4]]),
    ["the", "red", "car", "<stops>"],
    ["la", "voiture", "rouge", "s'arrête"],
    "Colour and noun cross.",
)
LETTERS = attention_view(
    torch.stack([torch.eye(10), torch.eye(10).flip(0), (2 * torch.eye(10).flip(0)).softmax(dim=1)]),
    list("BOOKKEEPER"),
    list("REPEEKKOOB"),
    "Three heads.",
)
LONG = attention_view(
    (3 * torch.eye(13, 14)).softmax(dim=1),
    ["the", "old", "woman", "in", "the", "market", "does", "not", "buy", "the", "yellow", "books", ".", "<eos>"],
    ["那", "个", "老", "女人", "在", "市场", "不", "买", "黄色", "的", "书", "。", "<eos>"],
    "A sentence too long for one line.",
)
HIDDEN = attention_view(
    torch.tensor([[0.9, 0.1, 0.0], [0.0, 0.2, 0.8], [0.0, 0.9, 0.1]]),
    ["the", "red", "car"],
    ["la", "voiture", "rouge"],
    "Without the colour.",
    without={1: (torch.tensor([[0.7, 0.0, 0.3], [0.1, 0.0, 0.9]]), ["la", "voiture"])},
)
# A page with styles of its own, that must not reach into the views, and nor theirs out.
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>Views</title>
<style>button, label, li, table, td {{ display: none; color: red }}</style>
<main><h1>Views</h1><p id="source" class="hint lines">Text</p>{}</main></html>"""


@pytest.fixture
def page(open_offline):
    """A page with four views, and the network cut."""
    return open_offline(PAGE.format("\n".join(view.html for view in (SENTENCE, LETTERS, LONG, HIDDEN))))


class View:
    """One of the views on the page."""

    def __init__(self, page, index=0):
        self.page = page
        self.host = page.locator(".attention-view").nth(index)
        self.says = self.host.get_by_role("status")
        self.words = self.host.get_by_role("group", name="target (queries)").get_by_role("radio")
        self.heads = self.host.get_by_role("group", name="whose weights").get_by_role("radio")
        self.source_words = self.host.get_by_role("list", name="source (keys)").get_by_role("radio")
        self.sources = self.host.get_by_role("list", name="source (keys)").get_by_role("listitem")
        self.table = self.host.get_by_role("table")

    def button(self, name):
        return self.host.get_by_role("button", name=name)

    def chip(self, word):
        """What a person points at."""
        return self.host.locator("label").filter(has=self.page.get_by_text(word, exact=True)).first

    def lit(self):
        """The source words that are lit up, with the number under each, brightest first."""
        found = self.sources.evaluate_all(
            "all => all.map(each => [getComputedStyle(each.firstChild).getPropertyValue('--tint'), each.innerText])"
        )
        tinted = [(float(tint.removesuffix("%")), text.split()) for tint, text in found]
        return [words for tint, words in sorted(tinted, key=lambda each: -each[0]) if tint]


def test_pointing_at_a_target_word_lights_up_its_source_words_by_weight(page, screen):
    view = View(page)
    assert view.lit() == [["the", "0.80"], ["red", "0.10"], ["car", "0.10"]]
    view.chip("voiture").hover()
    assert view.lit() == [["car", "0.70"], ["red", "0.20"], ["the", "0.10"]]
    expect(view.says).to_have_text("Step 2 of 4: voiture looks at car 0.70, red 0.20, the 0.10")
    colours = view.host.locator("li span").evaluate_all(
        "all => all.map(each => { each.style.transition = 'none'; return getComputedStyle(each).backgroundColor })"
    )
    assert len(set(colours)) == 4  # that of <stops>, without weight, is that of "elsewhere"
    screen.keep("pointing")
    page.mouse.move(0, 0)  # and away again: back to the step that was chosen
    expect(view.says).to_have_text(re.compile("^Step 1 of 4: la looks at"))


def test_lines_lead_from_the_word_to_its_source_words_and_are_as_wide_as_their_weight(page):
    view = View(page)
    view.chip("rouge").click()
    widths = view.host.locator("path.now").evaluate_all("all => all.map(each => +each.getAttribute('stroke-width'))")
    assert len(widths) == 2 and widths[0] > 4 * widths[1]  # red 0.90, car 0.10
    word, source = view.chip("rouge").bounding_box(), view.sources.nth(1).bounding_box()
    (left, top), (right, bottom) = view.host.locator("path.now").first.evaluate(
        "line => [0, line.getTotalLength()].map(at => line.getPointAtLength(at).matrixTransform(line.getScreenCTM()))"
        ".map(point => [point.x, point.y])"
    )
    assert (left, top) == pytest.approx((word["x"] + word["width"] / 2, word["y"] + word["height"]), abs=1)
    assert (right, bottom) == pytest.approx((source["x"] + source["width"] / 2, source["y"]), abs=1)
    assert view.host.locator("path.before").count() == 6  # la and voiture, which were written before, still faintly


def test_the_arrow_keys_step_through_the_decoding_and_each_step_is_announced(page, screen):
    view = View(page)
    page.keyboard.press("Tab")
    expect(view.words.nth(0)).to_be_focused()
    assert view.host.locator("label").first.locator("span").evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    for key, said in (
        ("ArrowRight", "Step 2 of 4: voiture looks at car 0.70, red 0.20, the 0.10"),
        ("ArrowDown", "Step 3 of 4: rouge looks at red 0.90, car 0.10"),
        ("ArrowRight", "Step 4 of 4: s'arrête looks at <stops> 0.40, car 0.20; elsewhere 0.40"),
        ("ArrowLeft", "Step 3 of 4: rouge looks at red 0.90, car 0.10"),
    ):
        page.keyboard.press(key)
        expect(view.says).to_have_text(said)
    assert view.host.locator("label.later").count() == 1
    screen.keep("keyboard")
    # A mouse that happens to rest on a word doesn't stop the keys.
    view.chip("la").hover()
    page.keyboard.press("ArrowRight")
    expect(view.says).to_have_text(re.compile("^Step 4 of 4"))


def test_the_buttons_step_and_stay_where_they_are_at_either_end(page):
    view = View(page)
    expect(view.button("Back")).to_have_attribute("aria-disabled", "true")
    view.button("Next").focus()
    for _ in range(6):
        page.keyboard.press("Enter")
    expect(view.says).to_have_text(re.compile("^Step 4 of 4"))
    expect(view.button("Next")).to_be_focused()
    expect(view.button("Next")).to_have_attribute("aria-disabled", "true")
    view.button("Back").click()
    expect(view.says).to_have_text(re.compile("^Step 3 of 4: rouge"))


def test_which_of_several_equal_letters_is_meant_is_said(page):
    view = View(page, 1)
    view.heads.nth(1).check(force=True)
    view.words.nth(1).check(force=True)
    expect(view.says).to_have_text("Step 2 of 10: E looks at E (place 9) 1.00")


def test_a_head_can_be_chosen_and_the_step_stays(page, screen):
    view = View(page, 1)
    view.button("Next").click()
    expect(view.heads).to_have_count(3)
    view.host.locator("label").filter(has_text="head 2").click()
    expect(view.says).to_have_text(re.compile(r"E \(place 9\) 1.00"))
    view.host.get_by_text("All weights as a table").click()
    expect(view.table).to_have_count(1)
    expect(view.table.locator("caption")).to_have_text("head 2")
    screen.keep("heads")
    assert View(page).heads.count() == 0


def test_the_table_has_every_weight_for_a_screen_reader(page, screen):
    view = View(page)
    expect(view.table).not_to_be_visible()
    view.host.get_by_text("All weights as a table").focus()
    page.keyboard.press("Enter")
    expect(view.table).to_be_visible()
    expect(view.table.get_by_role("columnheader")).to_have_text(
        ["target ↓ source →", "the", "red", "car", "<stops>", "elsewhere"]
    )
    expect(view.table.get_by_role("row", name="voiture").get_by_role("cell")).to_have_text(
        ["0.10", "0.20", "0.70", "0.00", "0.00"]
    )
    screen.keep("table")


def test_views_on_one_page_do_not_touch_each_other_or_the_page(page):
    first, second = View(page), View(page, 1)
    second.button("Next").click()
    expect(second.says).to_have_text(re.compile("^Step 2"))
    expect(first.says).to_have_text(re.compile("^Step 1"))
    expect(first.button("Next")).to_be_visible()  # the page hides its own buttons
    assert page.locator("#source").first.evaluate("e => getComputedStyle(e).position") == "static"
    assert page.evaluate("Object.keys(window).filter(name => /attention|enhance|make/i.test(name))") == []
    page.evaluate(LETTERS.html.partition("<script>")[2].removesuffix("</script>"))  # a script that is run again
    expect(page.get_by_role("status")).to_have_count(4)


@pytest.mark.parametrize("width", [1280, 390], ids=["laptop", "phone"])
def test_it_fits_the_width_and_is_accessible_in_the_light_and_in_the_dark(page, screen, width):
    page.set_viewport_size({"width": width, "height": 2600})
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        for index in range(4):
            View(page, index).host.locator("details").evaluate("details => (details.open = true)")
            View(page, index).button("Freeze").press("Enter")
            View(page, index).source_words.nth(1).check(force=True)
        View(page, 3).button("Hide").press("Enter")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] != "minor"] == []
    for index in range(4):
        View(page, index).host.locator("details").evaluate("details => (details.open = false)")
    screen.keep(f"{width} wide")


def test_words_stand_below_one_another_where_there_is_no_room_side_by_side(page):
    def side_by_side(index):
        boxes = [View(page, index).sources.nth(i).bounding_box() for i in (0, 1)]
        return boxes[0]["y"] == boxes[1]["y"]

    assert [side_by_side(index) for index in range(3)] == [True, True, False]
    page.set_viewport_size({"width": 390, "height": 800})
    expect(View(page, 1).host.locator(".columns")).to_have_count(1)
    assert not any(side_by_side(index) for index in (1, 2))
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(View(page, 1).host.locator(".columns")).to_have_count(0)


def test_a_tap_chooses_a_word(chromium, page):
    context = chromium.new_context(has_touch=True, viewport={"width": 390, "height": 800}, offline=True)
    phone = context.new_page()
    phone.goto(page.url)
    view = View(phone)
    view.chip("rouge").tap()
    expect(view.says).to_have_text("Step 3 of 4: rouge looks at red 0.90, car 0.10")
    view.chip("la").tap()
    expect(view.says).to_have_text(re.compile("^Step 1 of 4: la"))
    view.chip("car").tap()
    expect(view.says).to_have_text(re.compile("^car is looked at by voiture 0.70"))
    view.chip("car").tap()
    expect(view.says).to_have_text(re.compile("^Step 1 of 4: la"))
    assert all(chip.bounding_box()["height"] >= 40 for chip in view.host.locator(".stage label").all())
    expect(view.host.get_by_text("Tap a target word")).to_be_visible()
    expect(View(page).host.get_by_text("Point at a target word")).to_be_visible()
    context.close()


def test_pointing_at_a_source_word_lights_up_the_target_words_that_look_at_it(page, screen):
    view = View(page)
    view.chip("red").hover()
    expect(view.says).to_have_text("red is looked at by rouge 0.90, voiture 0.20, la 0.10")
    assert view.host.locator(".targets label").all_inner_texts() == [
        "la\n0.10",
        "voiture\n0.20",
        "rouge\n0.90",
        "s'arrête",
    ]
    assert view.host.locator("path.now").count() == 3 and view.lit() == []
    screen.keep("source")
    page.mouse.move(0, 0)
    expect(view.says).to_have_text(re.compile("^Step 1 of 4: la looks at"))


def test_a_source_word_is_chosen_by_click_or_key_until_escape_a_second_click_or_a_step(page):
    view = View(page)
    asked, stepping = re.compile("^car is looked at by voiture 0.70"), re.compile("^Step")
    for undo in (
        lambda: page.keyboard.press("Escape"),
        lambda: view.chip("car").click(),
        lambda: view.button("Next").click(),
    ):
        view.chip("car").click()
        page.mouse.move(0, 0)
        expect(view.says).to_have_text(asked)
        undo()
        page.mouse.move(0, 0)
        expect(view.says).to_have_text(stepping)
    view.words.nth(1).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    expect(view.says).to_have_text(re.compile("^red is looked at by"))


def test_a_frozen_row_stays_beside_the_others(page, screen):
    view = View(page, 1)
    view.button("Freeze").click()
    view.button("Next").click()
    expect(view.says).to_have_text(
        re.compile(r"^Step 2 of 10: E looks at O \(place 2\) 1.00Frozen: R looks at B 1.00$")
    )
    assert view.host.locator("path.kept").count() == 1 and view.host.locator("path.before").count() == 0
    assert view.sources.first.inner_text().split() == ["B", "1.00"]
    view.host.locator("label").filter(has_text="head 2").click()
    expect(view.says).to_have_text(re.compile(r"Frozen: R \(head 1\) looks at B 1.00$"))
    screen.keep("frozen")
    view.button("Freeze").click()
    expect(view.says).to_have_text(re.compile(r"^Step 2 of 10: E looks at E \(place 9\) 1.00$"))


def test_weights_below_the_threshold_are_left_out_of_the_picture_but_not_of_the_table(page):
    view = View(page)
    slider = view.host.get_by_role("slider", name="Leave out weights below")
    slider.fill("0.15")
    expect(view.says).to_have_text("Step 1 of 4: la looks at the 0.80")
    assert view.lit() == [["the", "0.80"]] and view.host.locator("path.now").count() == 1
    slider.focus()
    for _ in range(40):
        page.keyboard.press("ArrowRight")  # to its end, 0.50
    view.button("Next").click()
    view.chip("s'arrête").click()
    expect(view.says).to_have_text("Step 4 of 4: s'arrête looks at nothing with 0.50 or more")
    view.host.get_by_text("All weights as a table").click()
    expect(view.table.get_by_role("row", name="s'arrête").get_by_role("cell").nth(3)).to_have_text("0.40")


def test_a_source_word_can_be_hidden_where_the_notebook_says_what_the_model_then_writes(page, screen):
    view = View(page, 3)
    hide = view.button("Hide")
    expect(hide).to_have_attribute("aria-disabled", "true")
    view.chip("car").click()
    expect(hide).to_have_attribute("aria-disabled", "true")  # nobody ran the model without that one
    view.chip("red").click()
    expect(hide).to_have_text("Hide red")
    view.button("Freeze").click()
    hide.press("Enter")
    expect(view.words).to_have_count(2)
    expect(view.says).to_contain_text("Without red the model writes la voiture, and before la voiture rouge.")
    expect(view.says).to_contain_text("Frozen: la (nothing hidden) looks at the 0.90, red 0.10")
    assert view.lit() == [["the", "0.70", "0.90"], ["car", "0.30"]]
    screen.keep("hidden")
    expect(hide).to_be_focused()
    expect(hide).to_have_attribute("aria-pressed", "true")
    hide.press("Enter")
    expect(view.words).to_have_count(3)
    expect(View(page).button("Hide")).to_have_count(0)


def test_what_is_seen_is_saved_as_svg_and_as_png(page, tmp_path):
    view = View(page)
    view.chip("rouge").click()
    with page.expect_download() as svg:
        view.button("Save SVG").click()
    svg.value.save_as(tmp_path / "view.svg")
    picture = ElementTree.parse(tmp_path / "view.svg").getroot()
    texts = ["".join(text.itertext()) for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"rouge", "<stops>", "0.90"} < set(texts) and "Colour and noun cross." in texts
    assert "Step 3 of 4: rouge looks at red 0.90, car 0.10" in texts
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}path"))) == view.host.locator("path").count() > 2
    with page.expect_download() as png:
        view.button("Save PNG").click()
    png.value.save_as(tmp_path / "view.png")
    pixels = imread(tmp_path / "view.png")
    assert pixels.shape[:2] == (2 * float(picture.get("height")), 2 * float(picture.get("width")))
    assert len({tuple(pixel) for pixel in (pixels[::3, ::3].reshape(-1, 4) * 255).astype(int)}) > 20  # not blank


def test_its_colours_follow_the_theme_of_the_page_and_not_of_the_system(page):
    host, figure = View(page).host, View(page).host.locator("figure")
    dark = "e => { const [r, g, b] = getComputedStyle(e).backgroundColor.match(/[0-9.]+/g); return +r + +g + +b < 300 }"
    for system, ground, expected in (("light", "#111", "dark"), ("dark", "#fff", "light"), ("light", "#222", "dark")):
        page.emulate_media(color_scheme=system)
        page.evaluate("ground => (document.body.style.background = ground)", ground)
        expect(host).to_have_css("color-scheme", expected)
        assert figure.evaluate(dark) == (expected == "dark")
        # The variables by which an editor or a site names its colours come first.
        for name, colour in (("--jp-layout-color0", "rgb(1, 2, 3)"), ("--vscode-editor-background", "rgb(4, 5, 6)")):
            page.evaluate("([name, colour]) => document.body.style.setProperty(name, colour)", [name, colour])
            expect(figure).to_have_css("background-color", colour)
            page.evaluate("name => document.body.style.removeProperty(name)", name)


def test_nothing_moves_for_who_asked_for_less_motion(page):
    word = "document.querySelector('.attention-view').shadowRoot.querySelector('li span')"
    moves = f"getComputedStyle({word}).transitionDuration"
    assert page.evaluate(moves) != "0s"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moves) == "0s"


def test_on_paper_there_is_the_table_and_nothing_to_press(page, tmp_path):
    view = View(page)
    page.pdf(path=tmp_path / "views.pdf")
    expect(view.table).to_be_visible()
    page.emulate_media(media="print")
    expect(view.table).to_be_visible()
    expect(view.button("Next")).not_to_be_visible()


def test_where_scripts_are_forbidden_the_tables_and_the_captions_are_left(chromium, tmp_path):
    file = tmp_path / "views.html"
    file.write_text(f"<!doctype html><meta charset='utf-8'>{SENTENCE.html}{LETTERS.html}", encoding="utf-8")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    expect(page.get_by_role("table")).to_have_count(2)  # the other two heads are folded
    expect(page.get_by_text("Colour and noun cross.")).to_be_visible()
    page.locator("summary").last.click()
    expect(page.get_by_role("table")).to_have_count(3)
    context.close()


def test_jupyterlab_shows_the_table_of_a_notebook_that_it_does_not_trust_and_the_view_once_the_cell_was_run(lab):
    notebook = new_notebook(
        cells=[
            new_code_cell(
                "import torch\nfrom helpers.attention_view import attention_view\n"
                "attention_view(torch.eye(3).flip(0), list('CAR'), list('RAC'), 'Backwards.')",
                id="view",
                outputs=[new_output("execute_result", {"text/html": SENTENCE.html}, execution_count=1)],
                execution_count=1,
            )
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, lab.course / "view.ipynb")
    lab.open("view.ipynb")
    expect(lab.page.get_by_role("table")).to_be_visible()
    expect(lab.page.get_by_role("status", name="Step")).to_have_count(0)
    lab.screen.keep("not trusted")
    lab.run("view")
    view = View(lab.page)
    view.chip("R").click()
    for key, said in (
        ("ArrowRight", "Step 2 of 3: A looks at A 1.00"),
        ("ArrowDown", "Step 3 of 3: C looks at C 1.00"),
    ):
        lab.page.keyboard.press(key)  # which would move on to the next cell if JupyterLab got it
        expect(view.says).to_have_text(said)
    lab.page.keyboard.press("d")
    lab.page.keyboard.press("d")  # would delete the cell
    expect(view.says).to_be_visible()
    lab.screen.keep("run")
    lab.page.keyboard.press("Control+s")
    expect(lab.page.locator(".jp-mod-dirty")).to_have_count(0)
    assert "Backwards." in (lab.course / "view.ipynb").read_text(encoding="utf-8").partition('"outputs"')[2]
    assert lab.screen.hard_to_read(".attention-view") == []
