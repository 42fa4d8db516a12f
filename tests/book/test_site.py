"""The site in a browser, with the network cut: that it works by itself, and can be read by everyone."""

import json
import re
from pathlib import Path

import pytest

from tests.book.conftest import PHONE, ROOT, SCREENSHOTS

pytestmark = pytest.mark.slow

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LABS = sorted((ROOT / "labs").glob("lab*/lab*.ipynb"))
TRANSLATED = "notebooks/06_translation.html"


def found(findings):
    """The pages on which something was found."""
    return {page: each for page, each in findings.items() if each}


def test_every_notebook_lab_list_of_mistakes_and_module_has_a_page(site):
    pages = {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")}
    expected = {path.relative_to(ROOT).with_suffix("").as_posix() for path in (*NOTEBOOKS, *LABS)}
    expected |= {f"mistakes/{path.stem}" for path in LABS}
    expected |= {"index", "glossary", "helpers/helpers.attention", "helpers/helpers.checks"}
    assert expected <= pages


def test_no_request_fails_and_none_leaves_the_site(visit):
    assert (found(visit.failed), found(visit.outside)) == ({}, {})


def test_no_page_writes_an_error_or_a_warning_to_the_console(visit):
    assert found(visit.errors) == {}


def test_every_link_within_the_site_leads_to_a_page_and_a_place_on_it(visit, site):
    broken = {
        (page, target, anchor)
        for page, links in visit.links.items()
        for target, anchor in links
        if not (site / target).is_file() or (anchor and anchor not in visit.anchors[target])
    }
    assert broken == set()
    assert sum(map(len, visit.links.values())) > 1000


def test_links_to_notebooks_and_labs_lead_to_their_pages_and_none_to_a_solution(visit):
    targets = {target for links in visit.links.values() for target, _ in links}
    assert not [target for target in targets if target.endswith((".ipynb", ".md")) or "solutions" in target]
    assert ("labs/lab01_masked_softmax/lab01_masked_softmax.html", "") in visit.links[
        "notebooks/01_masked_softmax.html"
    ]


def test_no_page_has_a_serious_accessibility_finding_in_either_theme(visit):
    assert found(visit.inaccessible) == {}


def test_every_picture_has_a_text_alternative(visit):
    assert found(visit.without_alternative) == {}


def test_no_page_scrolls_sideways_on_a_phone(visit):
    assert found(visit.too_wide) == {}


def test_one_way_leads_through_the_course_a_lab_after_its_notebook(open_page):
    lab = "labs/lab01_masked_softmax/lab01_masked_softmax"
    way = ["notebooks/00_start_here", "notebooks/01_masked_softmax", lab, "notebooks/02_scaled_dot_product"]
    page = open_page(f"{way[0]}.html")
    for place in way[1:]:
        page.locator(".prev-next-area a.right-next").click()
        page.wait_for_url(f"**/{place}.html")


def test_the_front_page_says_in_one_screen_what_this_is_and_how_to_begin(open_page):
    page = open_page("index.html")
    for name in ("Start reading", "Run it yourself"):
        box = page.get_by_role("link", name=name, exact=True).bounding_box()
        assert box["y"] + box["height"] < 800
    assert page.locator(".attention-machine").first.bounding_box()["y"] < 800
    assert page.locator(".course-card").count() == len(NOTEBOOKS)
    page.get_by_role("link", name="Start reading", exact=True).click()
    page.wait_for_url("**/notebooks/00_start_here.html")


def test_formulas_are_set_with_the_sites_own_font(open_page):
    page = open_page("notebooks/02_scaled_dot_product.html")
    assert page.locator("math").count() > 20
    assert page.locator("msqrt").first.bounding_box()["height"] > 10
    page.wait_for_function("[...document.fonts].some(font => font.family == 'Formulas' && font.status == 'loaded')")


def test_a_page_with_a_view_to_point_at_is_light(open_page, site):
    """Under 1.5 MB, with all that is loaded before the reader scrolls: the only page weight that is promised."""
    for path in NOTEBOOKS:
        if "attention-view" in path.read_text(encoding="utf-8"):
            page = open_page(f"notebooks/{path.stem}.html")
            sizes = "performance.getEntriesByType('resource').map(r => r.encodedBodySize).reduce((a, b) => a + b)"
            weight = page.evaluate(sizes) + (site / "notebooks" / f"{path.stem}.html").stat().st_size
            assert weight < 1.5e6, path.stem


def test_answers_are_folded_and_unfold(open_page):
    page = open_page("notebooks/01_masked_softmax.html")
    answer = page.locator("article details").first
    inside = answer.locator(":scope > :not(summary)").first
    assert not inside.is_visible()
    answer.locator("summary").click()
    assert inside.is_visible()


def test_a_prediction_has_choices_and_what_happens_is_folded_until_it_is_asked_for(open_page):
    page = open_page("notebooks/01_masked_softmax.html", java_script_enabled=False)
    prediction = page.locator("blockquote.predict").first
    prediction.get_by_text("it shrinks").click()
    assert prediction.get_by_role("radio").nth(1).is_checked()
    printed = page.get_by_text("output tensor([6.10").first
    said = page.get_by_text("It shrinks. A vector of zeros scores 0")
    assert not printed.is_visible() and not said.is_visible()
    page.get_by_text("I have predicted").first.click()
    assert printed.is_visible() and said.is_visible()


def test_what_happened_is_folded_too_where_it_leads_to_another_prediction(open_page):
    page = open_page("notebooks/07_alignment_heatmaps.html")
    said = page.get_by_text("Only the noun tells which measure word")
    assert not said.is_visible() and page.get_by_text("But look at the other rows.").is_visible()


def test_a_picture_is_enlarged_by_a_click_or_a_key_and_escape_puts_it_away(open_page):
    page = open_page("notebooks/01_masked_softmax.html")
    button = page.locator("button.enlarge").first
    small = button.locator("img").bounding_box()
    for enlarge in (button.click, lambda: button.press("Enter")):
        enlarge()
        large = page.locator("dialog.enlarged img")
        large.wait_for()
        assert large.bounding_box()["width"] > small["width"]
        assert large.get_attribute("alt") == button.locator("img").get_attribute("alt")
        page.keyboard.press("Escape")
        large.wait_for(state="hidden")
        assert button.evaluate("node => node == document.activeElement")


def test_a_picture_that_is_still_on_its_way_is_enlarged_when_it_has_arrived(open_page):
    page = open_page("notebooks/01_masked_softmax.html")
    picture = page.locator("button.enlarge img").first
    held = []
    page.route("**/*again", lambda route: held.append(route))
    picture.evaluate("node => { node.src += '?again' }")
    picture.click()
    page.wait_for_timeout(100)
    assert not page.locator("dialog.enlarged").is_visible()
    held[0].continue_()
    large = page.locator("dialog.enlarged img")
    large.wait_for()
    assert large.bounding_box()["width"] > picture.bounding_box()["width"]


def test_a_picture_keeps_its_size_on_a_phone_and_is_dark_on_a_dark_page(open_page):
    page = open_page("notebooks/02_scaled_dot_product.html")
    page.set_viewport_size(PHONE)
    picture = page.locator(".cell_output img").first
    assert picture.bounding_box()["width"] >= 0.9 * int(picture.get_attribute("width"))
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme == 'dark'")
    assert "invert(1)" in picture.evaluate("node => getComputedStyle(node).filter")


def test_the_gallery_shows_one_labs_mistakes_when_asked_and_each_leads_to_what_is_said_of_it(open_page):
    page = open_page("mistakes/index.html")

    def shown():  # (a locator's count looks at the hidden cards as well, one by one, and takes seconds)
        where = (
            "cards => cards.filter((card) => card.checkVisibility()).map((card) => card.lastElementChild.textContent)"
        )
        return page.locator(".gallery .mistake").evaluate_all(where)

    of_each = []
    for lab in range(1, 11):
        page.get_by_label(f"Lab {lab}", exact=True).check()
        assert len(shown()) > 10 and all(where.startswith(f"Lab {lab},") for where in shown())
        of_each += shown()
    page.get_by_label("All labs").check()
    assert shown() == of_each
    page.get_by_label("Lab 7").check()
    card = page.locator(".gallery .lab07").first
    assert card.locator("img").is_visible() and card.locator(".wrong-line code").is_visible()
    page.get_by_label("Lab 1", exact=True).check()
    assert page.locator(".gallery .lab01 .pair table").first.is_visible()
    page.locator(".gallery .lab01 a", has_text="The softmax runs over the queries").click()
    page.wait_for_url("**/mistakes/lab01_masked_softmax.html#masked-softmax-softmax-over-queries")


def test_lab_1s_page_has_the_functions_that_it_asks_to_read(open_page):
    page = open_page("labs/lab01_masked_softmax/lab01_masked_softmax.html")
    for name in ("fill_in_place", "fill_a_copy", "infinity_in_place"):
        assert page.locator(".cell_output pre", has_text=f"def {name}(").count() == 1


def test_a_root_has_no_blank_behind_it(open_page):
    page = open_page("notebooks/02_scaled_dot_product.html")
    root = page.locator("math[display=inline] > mrow > msqrt:last-child, math[display=inline] > msqrt").first
    behind = "node => node.getBoundingClientRect().right - node.lastElementChild.getBoundingClientRect().right"
    assert root.evaluate(behind) < 2


def test_no_two_pages_have_the_same_title(site):
    pages = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    titles = [re.search(r"<title>(.*?)</title>", path.read_text(encoding="utf-8"), re.DOTALL)[1] for path in pages]
    assert len(set(titles)) == len(titles)


def test_a_term_is_linked_where_a_page_first_uses_it_and_says_what_it_means(open_page):
    page = open_page(TRANSLATED)
    links = page.locator("a.term")
    words = [text.lower() for text in links.all_inner_texts()]
    assert {"bleu", "teacher forcing"} & set(words)
    assert len(words) == len({re.sub("s$", "", word) for word in words})
    first = links.first
    assert first.get_attribute("title").endswith(".")
    first.click()
    assert "/glossary.html#term-" in page.url


def test_searching_finds_pages_without_the_net(open_page):
    page = open_page("search.html?q=padding")
    page.wait_for_selector("#search-results li a")
    assert any("masked_softmax" in link.get_attribute("href") for link in page.locator("#search-results li a").all())


def test_what_the_notebooks_hold_as_html_runs_its_script(open_page):
    for path in NOTEBOOKS:
        if "attention-view" not in path.read_text(encoding="utf-8"):
            continue
        page = open_page(f"notebooks/{path.stem}.html")
        for prediction in page.locator("details.below-input > summary").all():
            prediction.click()  # the view may belong to what is folded until it is asked for
        view = page.locator(".attention-view").first
        step = view.get_by_role("status")  # in the shadow that the script has made
        before = step.inner_text()
        view.get_by_role("button", name="Next").click()
        assert step.inner_text() != before
        page.set_viewport_size(PHONE)
        view.scroll_into_view_if_needed()
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.wait_for_function(f"document.documentElement.dataset.theme == '{theme}'")
            view.screenshot(path=SCREENSHOTS / f"view.{path.stem}.{theme}.png")


def test_a_printed_notebook_keeps_its_code_and_leaves_the_navigation_out(open_page):
    page = open_page("notebooks/01_masked_softmax.html")
    page.pdf(path=SCREENSHOTS / "01_masked_softmax.pdf", format="A4", print_background=True)
    page.set_viewport_size({"width": 680, "height": 1000})  # an A4 page's text
    page.emulate_media(media="print")
    for navigation in (".bd-header", ".bd-sidebar-primary", ".bd-sidebar-secondary", ".prev-next-area"):
        assert not page.locator(navigation).first.is_visible()
    cut_off = page.evaluate(
        "[...document.querySelectorAll('article pre')].filter(p => p.scrollWidth > p.clientWidth + 1).length"
    )
    assert cut_off == 0


def test_a_page_tells_of_the_mistake_in_the_tables_own_words_and_shows_no_code(open_page):
    page = open_page("mistakes/lab01_masked_softmax.html")
    mistake = page.locator("#masked-softmax-softmax-over-queries")
    assert "The softmax runs over the queries" in mistake.inner_text()
    assert "which axis is that?" in mistake.inner_text()
    assert mistake.locator("table caption").all_inner_texts() == ["mistake", "right"]
    assert page.locator("pre").count() == 0


def test_no_docstring_leaves_markup_behind(site):
    for page in (site / "helpers").glob("*.html"):
        assert ":raises" not in page.read_text(encoding="utf-8"), page.name


def test_a_name_breaks_at_a_joint_and_not_inside_a_word(open_page):
    page = open_page("truth.html")
    page.set_viewport_size(PHONE)
    names = ("generate", "scaled_dot_product_attention")
    heights = [page.get_by_text(name, exact=True).bounding_box()["height"] for name in names]
    assert heights[0] < 25 < heights[1]


def test_stored_outputs_are_shown_as_they_are(site):
    page = (site / "notebooks" / "01_masked_softmax.html").read_text(encoding="utf-8")
    cells = json.loads(Path(NOTEBOOKS[1]).read_text(encoding="utf-8"))["cells"]
    printed = [line for cell in cells for output in cell.get("outputs", []) for line in output.get("text", [])]
    text = (
        re.sub(r"<[^>]+>", "", page)
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
    )
    missing = [line for line in printed if line.strip() and line.rstrip("\n") not in text]
    assert printed and missing == []
