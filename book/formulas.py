"""Sets formulas as MathML at build time, which browsers show and read out by themselves, and serves a font for it."""

import html
import re
from pathlib import Path

from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.writers.html5 import HTML5Translator

from helpers.formulas import to_mathml

FONT = Path(__file__).with_name("fonts") / "STIXTwoMath-subset.woff"
# Letters, which browsers set in italics (h has an old place of its own), Greek ones, and the root sign, which is no
# letter in MathML.
_ALWAYS = [*range(0x20, 0x7F), *range(0x391, 0x3CA), *range(0x1D434, 0x1D468), 0x210E, *range(0x1D6E2, 0x1D71C), 0x221A]

_LONG = 30  # characters in a line: a longer formula may be wider than a phone, and scrolls within itself
_JOINER, _CLOSING = "\u2060", (",", ".", ";", ":", ")", "?", "!")


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    mathml = to_mathml(node.astext(), "inline")
    if len(re.sub(r"<[^>]+>", "", html.unescape(mathml))) > _LONG:
        mathml = mathml.replace("<math ", '<math class="long" ', 1)
    following = node.parent.children[node.parent.index(node) + 1 :]
    closes = following and following[0].astext().startswith(_CLOSING)
    translator.body.append(mathml + (_JOINER if closes else ""))  # or a line may begin with the comma
    raise nodes.SkipNode


def visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math" tabindex="0">{to_mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode


def write_font(app: Sphinx, exception: Exception | None) -> None:
    """Put what the formulas need of the font into the site: all of it would be as large as a page."""
    if exception is not None:
        return
    pages = (path.read_text(encoding="utf-8") for path in Path(app.outdir).rglob("*.html"))
    formulas = "".join("".join(re.findall(r"<math.*?</math>", page, re.DOTALL)) for page in pages)
    text = html.unescape(re.sub(r"<[^>]+>", "", formulas))
    font = TTFont(FONT)
    if missing := {ord(character) for character in text if not character.isspace()} - set(font.getBestCmap()):
        raise ExtensionError(f"{FONT} lacks {', '.join(map(chr, sorted(missing)))}: see the README beside it")
    options = subset.Options(flavor="woff", layout_features=["*"], name_IDs=["*"])  # its licence among them
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=_ALWAYS, text=text)
    subsetter.subset(font)
    if not re.search(r"<msqrt>(?:(?!</msqrt>).)*<m(?:frac|over|table)", formulas):
        _keep_roots_small(font)
    font.save(Path(app.outdir) / "_static" / "formulas.woff")


def _keep_roots_small(font: TTFont) -> None:
    """Leave out the taller root signs: browsers keep room for the widest, which is a blank behind the root."""
    variants = font["MATH"].table.MathVariants
    place = variants.VertGlyphCoverage.glyphs.index(font.getBestCmap()[0x221A])
    del variants.VertGlyphCoverage.glyphs[place], variants.VertGlyphConstruction[place]
    variants.VertGlyphCount = len(variants.VertGlyphConstruction)


def setup(app: Sphinx) -> dict:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("build-finished", write_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
