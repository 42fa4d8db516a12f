"""Sets formulas as MathML at build time, which browsers show and read out by themselves, and serves a font for it."""

import html
import importlib.util
import re
from pathlib import Path

from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from helpers.formulas import to_mathml

FONT = Path(importlib.util.find_spec("ziamath").origin).parent / "fonts" / "STIXTwoMath-Regular.ttf"
# Letters, which browsers set in italics (h has an old place of its own), Greek ones, and the root sign, which is no letter in MathML.
_ALWAYS = [*range(0x20, 0x7F), *range(0x391, 0x3CA), *range(0x1D434, 0x1D468), 0x210E, *range(0x1D6E2, 0x1D71C), 0x221A]

_LONG = 30  # characters in a line: a longer formula may be wider than a phone, and scrolls within itself


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    mathml = to_mathml(node.astext(), "inline")
    if len(re.sub(r"<[^>]+>", "", html.unescape(mathml))) > _LONG:
        mathml = mathml.replace("<math ", '<math class="long" ', 1)
    translator.body.append(mathml)
    raise nodes.SkipNode


def visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math" tabindex="0">{to_mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode


def write_font(app: Sphinx, exception: Exception | None) -> None:
    """Put what the formulas need of the font into the site: all of it would be twice as large as a page."""
    if exception is not None:
        return
    pages = (path.read_text(encoding="utf-8") for path in Path(app.outdir).rglob("*.html"))
    formulas = "".join("".join(re.findall(r"<math.*?</math>", page, re.DOTALL)) for page in pages)
    options = subset.Options(flavor="woff", layout_features=["*"])
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=_ALWAYS, text=html.unescape(re.sub(r"<[^>]+>", "", formulas)))
    font = TTFont(FONT)
    subsetter.subset(font)
    font.flavor = "woff"
    font.save(Path(app.outdir) / "_static" / "formulas.woff")


def setup(app: Sphinx) -> dict:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("build-finished", write_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
