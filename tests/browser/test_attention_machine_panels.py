"""What an attention machine has beside its steps: kinds of mask, heads, kinds of score, width, scale and gradient."""

import itertools
import math
import re

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from helpers.attention import AttentionPooling, DotProductScore, split_heads
from helpers.attention_machine import attention_machine
from helpers.attention_machine_tables import PANELS
from helpers.attention_machine_words import WORDS
from helpers.running_example import AXES, KEYS, QUERIES, VALUE_AXES, VALUES
from tests.browser.test_attention_machine import PAGE, Machine, compute
from tests.helpers.test_attention_view import Reader

pytestmark = pytest.mark.slow

PADDED = [
    torch.cat([real[1:3], torch.tensor(pad).expand(2, -1)])
    for real, pad in ((QUERIES, [0.0, 0, 0, 0]), (KEYS, [0.0, 2, 2, 0]), (VALUES, [5.0, 5]))
]
MASKS = attention_machine(
    ["red", "car", "<pad>", "<pad>"],
    *PADDED,
    query=1,
    hidden=[2, 3],
    show=["scale", "mask", "temperature", "strategies"],
    axes=AXES,
    value_axes=VALUE_AXES,
    caption="Four kinds of mask.",
)
SCALE = attention_machine(show=["scale", "width", "gradient"], caption="Width and scale.")
KINDS = attention_machine(show=["scale", "kinds"], caption="Three kinds of score.")
HEADS = attention_machine(show=["scale", "mask", "heads"], caption="Two heads.")
ALL = (MASKS, SCALE, KINDS, HEADS)


@pytest.fixture
def page(open_offline):
    """A page with a machine for each of four notebooks, and the network cut."""
    return open_offline(PAGE.format("\n".join(machine.html for machine in ALL)))


@pytest.fixture
def masks(page):
    return Machine(page, 0)


@pytest.fixture
def scale(page):
    return Machine(page, 1)


@pytest.fixture
def kinds(page):
    return Machine(page, 2)


@pytest.fixture
def heads(page):
    return Machine(page, 3)


def outputs(machine, caption):
    return {row[0]: row[-1] for row in machine.rows(re.compile(f"^{caption}"))[1:]}


def numbers(text):
    return [float(number.replace("−", "-")) for number in text.strip("()").split(", ")]


@pytest.mark.parametrize(
    ("index", "given", "name"),
    [(0, MASKS, "The weights with"), (1, SCALE, "The softmax's"), (2, KINDS, "kind of score"), (3, HEADS, "One head")],
    ids=["strategies", "gradient", "kinds", "heads"],
)
def test_a_panel_says_what_the_table_without_a_script_said(page, index, given, name):
    *_, table = Reader(given.html).tables
    # The chooser among kinds has the name of their table.
    found = Machine(page, index).host.locator(".panel .scrolls").filter(has=page.get_by_role("table")).last
    assert re.match(name, found.get_attribute("aria-label"))
    rows = "all => all.map(row => [...row.cells].map(cell => cell.innerText))"
    assert found.locator("tr").evaluate_all(rows) == table


def test_the_four_masks_follow_what_is_hidden(masks, screen):
    caption = "The weights with four"
    assert outputs(masks, caption)["mask after"] == "(1.47, 0.54)"
    screen.keep("masks")
    masks.hide("<pad> (place 3)").click()
    masks.hide("<pad> (place 4)").click()
    assert set(outputs(masks, caption).values()) == {"(5.46, 4.54)"}  # nothing is hidden: all masks are one
    for word in ("red", "car", "<pad> (place 3)", "<pad> (place 4)"):
        masks.hide(word).click()
    assert outputs(masks, caption)["mask before"] == outputs(masks, caption)["mask after"] == "(0, 0)"


def test_the_four_masks_are_pytorchs(page):
    generator = torch.Generator().manual_seed(3)
    for _ in range(10):
        scores = 5 * torch.randn(6, generator=generator, dtype=torch.float64)
        hidden = torch.rand(6, generator=generator) < 0.5
        code = "Object.fromEntries(Object.entries(STRATEGIES).map(([name, weigh]) => [name, weigh(...given)]))"
        found = compute(page, code, [scores.tolist(), hidden.tolist()])
        before = scores.masked_fill(hidden, -math.inf).softmax(0).nan_to_num()
        expected = {
            "none": scores.softmax(0),
            "zero": (scores * ~hidden).softmax(0),
            "after": scores.softmax(0) * ~hidden,
            "before": before,
        }
        for name, weights in expected.items():
            torch.testing.assert_close(torch.tensor(found[name], dtype=torch.float64), weights)


def test_a_mask_after_the_softmax_leaves_the_polygon(masks):
    labels = masks.plot.locator("text").all_text_contents()
    assert "mask after" in labels and any("mask before" in label for label in labels)
    on_the_line = """svg => [...svg.querySelectorAll("circle.other")].map(circle => svg.querySelector("polygon")
        .isPointInStroke(new DOMPoint(+circle.getAttribute("cx"), +circle.getAttribute("cy"))))"""
    # Two words are left, so the polygon is a line; the padding's value happens to lie on it too.
    assert masks.plot.evaluate(on_the_line) == [True, True, False, True]


@pytest.mark.parametrize("hidden", [None, "hide red"])
@pytest.mark.parametrize("asking", ["the", "red", "car"])
def test_no_two_names_in_the_plane_lie_on_each_other(page, asking, hidden):
    strategies = attention_machine(show=["scale", "mask", "strategies"], caption="As in notebook 01.")
    page.set_content(PAGE.format(strategies.html))
    machine = Machine(page, 0)
    machine.host.get_by_role("radio", name=asking, exact=True).check()
    if hidden:
        machine.host.get_by_role("button", name=hidden, exact=True).click()
    boxes = """svg => [...svg.querySelectorAll("text")].map(text => {
        const { x, y, width, height } = text.getBBox()
        return [text.textContent, x, y + 0.2 * height, x + width, y + 0.8 * height]  // without the room above and below
    })"""
    for (one, *a), (other, *b) in itertools.combinations(machine.plot.evaluate(boxes), 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], f"{one} and {other}"


def test_the_gradient_is_pytorchs(page, scale):
    generator = torch.Generator().manual_seed(5)
    for size in (0.1, 1, 30):
        scores = size * torch.randn(5, generator=generator, dtype=torch.float64)
        expected = torch.autograd.functional.jacobian(lambda scores: scores.softmax(0), scores)
        found = torch.tensor(compute(page, "jacobian(softmax(given, [])) ", scores.tolist()), dtype=torch.float64)
        torch.testing.assert_close(found, expected)
    scale.number("key of red, colour").fill("40")  # saturated: nothing gets through
    expect(scale.host.get_by_text("Norm of the whole: 0.000")).to_be_visible()


def test_products_of_random_vectors_spread_as_the_derivation_says(page):
    code = "[...randomProducts(256, 8, 10)].map(([d, rows]) => [d, rows.flat()])"
    for d, products in compute(page, code, None):
        products = torch.tensor(products)
        assert 0.7 < products.var() / d < 1.4 and products.mean().abs() < d**0.5 / 2
    drawn = torch.tensor(compute(page, "((next) => Array.from({ length: 20000 }, next))(normals(1))", None))
    assert drawn.mean().abs() < 0.03 and (drawn.var() - 1).abs() < 0.05
    assert ((drawn < 1).float().mean() - 0.8413).abs() < 0.01 and ((drawn < -2).float().mean() - 0.0228).abs() < 0.005


def test_the_width_and_the_scale_move_the_histogram_the_weights_and_the_gradient(scale, page, screen):
    says = scale.host.locator(".panel [role=status]")
    bars = scale.host.locator(".small").first.locator(".bar")

    def occupied():
        return bars.evaluate_all("all => all.filter(bar => +bar.getAttribute('height') > 1).length")

    expect(says).to_contain_text("d = 64")
    assert occupied() < 10
    scale.scale("1").check(force=True)
    assert occupied() > 20
    width = scale.host.get_by_role("slider", name=re.compile("numbers in a query"))
    width.focus()
    page.keyboard.press("End")
    expect(says).to_contain_text("d = 1024")
    expect(says).to_contain_text(re.compile(r"the softmax's gradient has a norm of 0\.0\d"))
    screen.keep("saturated")
    scale.scale("√d").check(force=True)
    expect(says).to_contain_text(re.compile(r"the softmax's gradient has a norm of 0\.3\d"))
    scale.host.get_by_text("All widths as a table").click()
    rows = scale.rows("All widths as a table")
    assert [row[0] for row in rows[1:]] == [str(2**power) for power in range(1, 11)]
    assert all(0.8 < float(row[1]) < 1.2 for row in rows[2:])
    scale.scale("d").check(force=True)
    assert float(scale.rows("All widths as a table")[-1][1]) < 0.05


def test_the_kind_of_score_can_be_chosen_and_changes_every_step(kinds, screen):
    choice = kinds.host.get_by_role("group", name="kind of score").get_by_role("radio")
    expect(choice.nth(1)).to_be_checked()
    expect(kinds.host.locator(".arrows + p")).to_contain_text("at an angle of 27°. 2.24 · 2 · cos 27° = 4")
    screen.keep("arrows")
    choice.nth(0).check(force=True)
    assert kinds.column("softmax α") == [f"{w:.2f}" for w in (KEYS @ QUERIES[2]).softmax(0)]
    choice.nth(2).check(force=True)
    weights = (QUERIES[2] + KEYS).tanh().sum(1).softmax(0)
    assert kinds.column("softmax α") == [f"{weight:.2f}" for weight in weights]
    assert kinds.column("tanh") == ["2.69", "1.76", "1.96", "2.69"]
    kinds.button("score with red").hover()
    expect(kinds.says).to_contain_text("tanh(0 + 0) + tanh(2 + 2) + tanh(1 + 0) + tanh(0 + 0) = 1.76")
    expect(kinds.host.locator(".arrows + p")).to_contain_text("tanh makes (0, 1, 0.76, 0) of that")
    screen.keep("additive")


def test_arrows_stand_at_the_angle_between_query_and_key(kinds):
    for c, number in enumerate((3, 0, -4, 1)):
        kinds.number(f"key of stops, {AXES[c]}").fill(str(number))
    query, key = QUERIES[2], torch.tensor([3.0, 0, -4, 1])
    expected = math.degrees(math.acos(query @ key / (query.norm() * key.norm())))
    found = kinds.host.locator("path.arrow.key").evaluate_all("all => all.map(path => path.getAttribute('d'))")
    (x0, y0, x1, y1) = map(float, re.match(r"M(\S+) (\S+)L(\S+) (\S+)M", found[-1]).groups())
    assert math.degrees(math.atan2(y0 - y1, x1 - x0)) == pytest.approx(expected)
    for axis in AXES:
        kinds.number(f"query of car, {axis}").fill("0")
    expect(kinds.host.locator(".arrows + p")).to_contain_text("a vector without a direction")


def test_two_heads_fetch_more_of_both_and_are_pytorchs(heads, screen):
    caption = "One head brings"
    attend = AttentionPooling(DotProductScore())
    for index in range(4):
        heads.words.nth(index).check(force=True)
        found = outputs(heads, caption)
        for head in (0, 1):
            q, k, v = (split_heads(x[None], 2)[:, head] for x in (QUERIES, KEYS, VALUES))
            assert numbers(found[f"head {head + 1}"]) == pytest.approx(attend(q, k, v)[0, index].tolist(), abs=0.006)
    heads.words.nth(2).check(force=True)
    assert "two heads" in heads.plot.locator("text").all_text_contents()
    screen.keep("heads")
    heads.hide("red").click()
    assert numbers(outputs(heads, caption)["head 1"]) == [0]


@pytest.mark.parametrize("width", [1280, 390], ids=["laptop", "phone"])
def test_all_panels_fit_the_width_and_are_accessible_in_the_light_and_in_the_dark(page, screen, width):
    page.set_viewport_size({"width": width, "height": 4500})
    page.locator("details").evaluate_all("all => all.forEach(details => (details.open = true))")
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] != "minor"] == []
    page.locator("details").evaluate_all("all => all.forEach(details => (details.open = false))")
    screen.keep(f"{width} wide")


def test_every_panel_has_a_picture_of_the_words_that_it_says():
    """Words that nothing says any more, or that are missing, are found here."""
    scripts = "".join(machine.html for machine in ALL)
    said = set(re.findall(r'say\("(\w+)"', scripts))
    assert said <= set(WORDS) and set(PANELS) == {"strategies", "width", "gradient", "kinds", "heads"}
