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


def test_formulas_are_set_with_the_sites_own_font(open_page):
    page = open_page("notebooks/02_scaled_dot_product.html")
    assert page.locator("math").count() > 20
    assert page.locator("msqrt").first.bounding_box()["height"] > 10
    page.wait_for_function("[...document.fonts].some(font => font.family == 'Formulas' && font.status == 'loaded')")


def test_a_page_with_a_view_to_point_at_is_light(open_page, site):
    """Under 1.5 MB, with all that is loaded before the reader scrolls; that is the only page weight that is promised."""
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
    assert "the mistake gives" in mistake.locator("img").get_attribute("alt")
    assert page.locator("pre").count() == 0


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
