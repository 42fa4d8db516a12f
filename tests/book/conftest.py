"""The site, built once, and every page of it looked at in a browser that reaches nothing else."""

import functools
import http.server
import subprocess
import sys
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe

ROOT = Path(__file__).parents[2]
SCREENSHOTS = Path(__file__).with_name("screenshots")
PHONE = {"width": 390, "height": 844}
LAB = "labs/lab04_seq2seq/lab04_seq2seq.html"
# Axe takes seconds for a page, and many minutes for all. What it finds is in what makes a page: one of each kind will
# do, and of the notebooks those that have every component.
KINDS = {
    "index.html",
    "course.html",
    "search.html",
    "truth.html",
    "glossary.html",
    "mistakes/index.html",
    "mistakes/lab07_alignment_heatmaps.html",
    "notebooks/00_start_here.html",
    "notebooks/07_alignment_heatmaps.html",
    LAB,
    "helpers/helpers.attention.html",
}
DESKTOP = {"width": 1280, "height": 800}


# What reaches beyond the window's right edge and doesn't scroll within itself, whether or not the page then scrolls.
TOO_WIDE = """() => {
    const scrolls = (node) => node && node.tagName != "ARTICLE"
        && (["auto", "scroll"].includes(getComputedStyle(node).overflowX) || scrolls(node.parentElement));
    const wide = [...document.querySelectorAll("article *")]
        .filter((node) => node.getBoundingClientRect().right > innerWidth + 1)
        .filter((node) => !scrolls(node.parentElement) && getComputedStyle(node).position != "absolute")
        .map((node) => node.outerHTML.slice(0, 120));
    if (document.scrollingElement.scrollWidth > innerWidth) wide.push("the page scrolls sideways");
    return wide.slice(0, 5);
}"""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built from nothing."""
    folder = tmp_path_factory.mktemp("book")
    command = [sys.executable, "-m", "book.build", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return folder / "html"


@pytest.fixture(scope="module")
def address(site):
    """Where the site is served."""
    handler = functools.partial(QuietHandler, directory=site)
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


@dataclass
class Visit:
    """What was found on the pages: page → findings."""

    page: str = ""  # where it is now
    failed: dict[str, list] = field(default_factory=lambda: defaultdict(list))
    outside: dict[str, list] = field(default_factory=lambda: defaultdict(list))
    errors: dict[str, list] = field(default_factory=lambda: defaultdict(list))
    inaccessible: dict[str, list] = field(default_factory=lambda: defaultdict(list))
    too_wide: dict[str, list] = field(default_factory=lambda: defaultdict(list))
    links: dict[str, list] = field(default_factory=dict)
    anchors: dict[str, set] = field(default_factory=dict)
    without_alternative: dict[str, list] = field(default_factory=dict)


@pytest.fixture(scope="module")
def open_page(chromium, address):
    """Open a page of the site in a new context; requests to other hosts are cut off."""
    contexts = []

    def open_page(name, **options):
        context = chromium.new_context(viewport=DESKTOP, color_scheme="light", **options)
        contexts.append(context)
        page = _cut_off(context, address)
        page.goto(address + name, wait_until="load")
        page.wait_for_load_state("networkidle")
        return page

    yield open_page
    for context in contexts:
        context.close()


def _cut_off(context, address):
    """A page that reaches no other host."""
    context.route(lambda url: urlsplit(url).netloc != urlsplit(address).netloc, lambda route: route.abort())
    return context.new_page()


def _listen(page, visit, address):
    def note_request(request):
        if request.url.startswith("http") and not request.url.startswith(address):
            visit.outside[visit.page].append(request.url)

    def note_response(response):
        if response.status >= 400:
            visit.failed[visit.page].append(f"{response.status} {response.url}")

    def note_message(message):
        if message.type in ("error", "warning"):
            visit.errors[visit.page].append(message.text)

    page.on("request", note_request)
    page.on("response", note_response)
    page.on("requestfailed", lambda request: visit.failed[visit.page].append(f"{request.failure} {request.url}"))
    page.on("pageerror", lambda error: visit.errors[visit.page].append(str(error)))
    page.on("console", note_message)


@pytest.fixture(scope="module")
def visit(site, address, chromium):
    """Every page, in the light and the dark theme and on a phone. Each leaves a picture of what is seen first."""
    SCREENSHOTS.mkdir(exist_ok=True)
    found = Visit()
    context = chromium.new_context()
    page = _cut_off(context, address)
    _listen(page, found, address)
    for path in sorted(set(site.rglob("*.html")) - set(site.glob("_static/**/*"))):
        name = found.page = path.relative_to(site).as_posix()
        page.set_viewport_size(DESKTOP)
        page.emulate_media(color_scheme="light")
        page.goto(address + name, wait_until="load")
        picture = SCREENSHOTS / name.replace("/", ".").removesuffix(".html")
        found.links[name] = [
            (urldefrag(link)[0].removeprefix(address), urldefrag(link)[1])
            for link in page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
            if link.startswith(address)
        ]
        found.anchors[name] = set(page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)"))
        found.without_alternative[name] = page.evaluate(
            "[...document.querySelectorAll('article img')].filter(i => !(i.alt.length > 20)).map(i => i.src)"
        )
        # Of the gallery's hundreds of cards those of one lab are shown. Axe looks at hidden ones, too, for a minute.
        page.evaluate("document.querySelectorAll('.gallery > :not(.lab01)').forEach((card) => card.remove())")
        page.add_style_tag(content="* { transition: none !important }")  # a colour half-way is no finding
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.wait_for_function(f"document.documentElement.dataset.theme == '{theme}'")
            page.screenshot(path=f"{picture}.{theme}.png", animations="disabled")
            if name in KINDS:
                found.inaccessible[name] += _inaccessible(page, name, theme)
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(PHONE)
        page.screenshot(path=f"{picture}.phone.png", animations="disabled")
        found.too_wide[name] = page.evaluate(TOO_WIDE)
    context.close()
    return found


def _inaccessible(page, name, theme):
    """What axe finds. Contrast takes it half a minute where there is much code: all has one style: a lab will do."""
    runs = [({} if name == LAB else {"exclude": [["pre"]]}, {"runOnly": ["color-contrast"]})]  # (where, what)
    if theme == "light":  # nothing but the contrast depends on the theme
        runs.append(({}, {"rules": {"color-contrast": {"enabled": False}}}))
    for context, options in runs:
        for violation in Axe().run(page, context or None, {"preload": False, **options}).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                for node in violation["nodes"]:
                    yield f"{theme}: {violation['id']}: {' '.join(node['html'].split())[:200]}"
