"""The state view as readers use it, on a page without a network."""

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from helpers.state_view import state_view

pytestmark = pytest.mark.slow

VIEW = state_view(
    torch.linspace(-1, 1, 96).reshape(3, 32), "CAR", ["C", "AC", "RXC"], ["C", "AC", "RAC"], "Three letters."
)
PAGE = f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>States</title><main><h1>States</h1>{VIEW.html}</main></html>"""


@pytest.fixture
def page(open_offline):
    return open_offline(PAGE)


def visible(page):
    letters = page.locator(".state-view tbody th")
    return letters.evaluate_all("all => all.filter(e => getComputedStyle(e).visibility == 'visible').length")


def test_the_buttons_step_through_the_reading_and_each_step_is_announced(page, screen):
    says = page.get_by_role("status")
    expect(says).to_contain_text("It has read CAR. From this state alone, RXC is written: 1 of 3 letters wrong.")
    assert visible(page) == 3
    screen.keep("last")
    page.get_by_role("button", name="Back").focus()
    for seen in (2, 1, 1):
        page.keyboard.press("Enter")
        assert visible(page) == seen
    expect(page.get_by_role("button", name="Back")).to_be_focused()
    expect(says).to_contain_text("It has read C.")
    screen.keep("first")


def test_it_reads_the_word_by_itself_and_can_be_stopped(page):
    page.get_by_role("button", name="Read it again").click()
    assert visible(page) == 1
    expect(page.get_by_role("status")).to_contain_text("It has read CA.")
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(1200)
    assert visible(page) == 2


def test_nothing_moves_for_a_reader_who_asked_for_less_motion(page):
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name="Read it again").click()
    page.wait_for_timeout(1200)
    assert visible(page) == 1


def test_it_has_no_fault_that_axe_finds_and_no_scrolling_sideways_on_a_phone(page, screen):
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    screen.keep("phone")
    assert Axe().run(page).response["violations"] == []
