"""How soon a page with a component is painted: served from localhost, in headless Chromium, with an empty cache.

Run it with `python -m benchmarks.first_paint`. Each page is loaded several times; shown are the median time until the
first word or picture is painted and until the component can be used, and what the page weighs. If `make book` has built
the site, its pages with a component are measured as well. The aim is a second to the first paint.
"""

import re
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import torch
from playwright.sync_api import sync_playwright

from helpers.attention_machine import PARTS, attention_machine
from helpers.attention_machine_tables import PANELS
from helpers.attention_view import attention_view
from helpers.reversal_model import reversal_model
from helpers.state_view import state_view
from tests.programs import PROGRAMS

REPEATS = 5
AIM = 1000  # milliseconds
SITE = Path(__file__).parents[1] / "book" / "_build" / "html"
PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>{0}</title><h1>{0}</h1>{1}</html>'
HOST = re.compile(r'<div class="(attention-machine|attention-view|reversal-model|state-view) ')


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass


def pages_alone(folder: Path) -> list[Path]:
    components = {
        "attention machine": attention_machine(),
        "attention machine with all": attention_machine(show=(*PARTS, *PANELS)),
        "attention view": attention_view(torch.eye(10).flip(0), list("BACKGROUND"), list("DNUORGKCAB"), "Backwards."),
        "reversal model": reversal_model(),
        "state view": state_view(torch.eye(1), "A", ["A"], ["A"], "One letter."),
    }
    for name, component in components.items():
        (folder / f"{name}.html").write_text(PAGE.format(name, component.html), encoding="utf-8")
    return sorted(folder.glob("*.html"))


def measure(folder: Path, pages: list[Path]) -> float:
    """Print a line a page; the slowest first paint."""
    server = ThreadingHTTPServer(("localhost", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    slowest = 0.0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAMS["chromium"].find(), args=["--no-sandbox"])
        for path in pages:
            painted, usable = [], []
            for _ in range(REPEATS):
                page = browser.new_page()
                page.goto(f"http://localhost:{server.server_port}/{path.relative_to(folder).as_posix()}")
                paints = "performance.getEntriesByName('first-contentful-paint').map(each => each.startTime)"
                page.wait_for_function(f"{paints}.length")
                painted += page.evaluate(paints)
                usable.append(page.evaluate("performance.timing.domInteractive - performance.timing.navigationStart"))
                page.close()
            slowest = max(slowest, median(painted))
            weight = path.stat().st_size / 1000
            print(f"{path.stem:28} {median(painted):6.0f} ms {median(usable):10.0f} ms {weight:10.0f} kB")
        browser.close()
    server.shutdown()
    return slowest


def main() -> None:
    print(f"{'page':28} {'painted':>9} {'usable':>13} {'its HTML':>13}")
    with tempfile.TemporaryDirectory() as folder:
        slowest = measure(Path(folder), pages_alone(Path(folder)))
    built = [path for path in sorted(SITE.glob("notebooks/*.html")) if HOST.search(path.read_text(encoding="utf-8"))]
    if built:
        slowest = max(slowest, measure(SITE, built))
    print(f"The aim is {AIM} ms; the slowest page takes {slowest:.0f} ms.")


if __name__ == "__main__":
    main()
