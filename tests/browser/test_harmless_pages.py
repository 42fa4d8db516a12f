"""Pages of what hostile students print and write, opened in a browser: on stock nbgrader's they run, on ours not."""

import re

import pytest

from tests.grading.test_harmless import stock_and_ours

pytestmark = pytest.mark.slow


def test_the_payloads_run_in_a_browser_on_stock_nbgraders_pages_and_not_on_these(monkeypatch, chromium, tmp_path):
    stock, ours = stock_and_ours(monkeypatch)
    live = {"script", "handler", "svg-handler", "details", "iframe"}
    assert live <= ran(chromium, tmp_path, stock[0])[0]
    for page in ours:
        names, loaded = ran(chromium, tmp_path, page)
        assert names == set()
        assert [each for each in loaded if each.startswith("http")] == []


def ran(chromium, folder, html):
    """Which payloads ran in a page, and what it asked the net for."""
    names, loaded = set(), []
    path = folder / "page.html"
    path.write_text(html, encoding="utf-8")
    page = chromium.new_page()
    page.on("console", lambda message: names.update(re.findall(r"RAN ([\w/-]+)", message.text)))
    page.on("request", lambda request: loaded.append(request.url))
    page.route(re.compile("^http"), lambda route: route.abort())
    page.goto(path.as_uri(), wait_until="load")
    for link in page.locator("a").all():
        if "javascript" in (link.get_attribute("href") or "").lower():
            link.click(force=True, timeout=2000)
    page.wait_for_timeout(500)
    page.close()
    return names, loaded
