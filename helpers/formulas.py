"""Formulas as MathML, which browsers show and read out by themselves: for the site, and for the pages of nbgrader."""

import re
from html import escape, unescape
from types import MappingProxyType
from xml.etree.ElementTree import Element

from latex2mathml.converter import Converter

_LONGEST = 2_000  # characters of a formula
_TAGS = frozenset(
    [
        "math",
        "menclose",
        "mfrac",
        "mi",
        "mn",
        "mo",
        "mover",
        "mpadded",
        "mphantom",
        "mroot",
        "mrow",
        "mspace",
        "msqrt",
        "mstyle",
        "msub",
        "msubsup",
        "msup",
        "mtable",
        "mtd",
        "mtext",
        "mtr",
        "munder",
        "munderover",
    ]
)
_ATTRIBUTES = frozenset(
    [
        "accent",
        "columnalign",
        "columnlines",
        "columnspacing",
        "display",
        "displaystyle",
        "fence",
        "form",
        "largeop",
        "linethickness",
        "mathbackground",
        "mathcolor",
        "mathvariant",
        "maxsize",
        "minsize",
        "movablelimits",
        "notation",
        "rowlines",
        "rowspacing",
        "scriptlevel",
        "separator",
        "stretchy",
    ]
)
_OF_SPACES = frozenset(["width", "height", "depth"])  # elsewhere they would let a formula lie over what is beside it
_VALUE = re.compile(r"#[0-9A-Fa-f]{3,8}|[A-Za-z]+([ -][a-z]+)*|\d?(\.\d+)?(em|ex|pt|px)?( \d(\.\d+)?em)*")
_NAMES = "<mi>(?:ln|log|sin|cos|tanh)</mi>"
_THIN = '<mspace width="0.17em"></mspace>'
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def to_mathml(tex: str, display: str) -> str:
    """A formula as MathML, with what latex2mathml leaves out.

    That is a thin space around ln and its like, and norms as high as written. Even in a formula of a stranger's
    there is nothing but its signs, their colours and their places in the line: no links, styles or scripts. `display`
    is "inline" or "block".

    Raises:
        ValueError: if it isn't a formula that latex2mathml knows; if it is longer than 2,000 characters, nested too
            deeply, or defines commands, of which a few could stand for gigabytes.
    """
    if len(tex) > _LONGEST:
        raise ValueError(f"This formula has over {_LONGEST:,} characters: {tex[:50]}…")
    tex = tex.replace("{aligned}", "{align*}")  # the one that it knows
    converter = Converter(display=display)
    # It can't be written to: a formula that defines a command raises, and is refused as any that can't be shown.
    converter.macros = MappingProxyType({})  # type: ignore[assignment]
    try:
        mathml = _plain(converter.convert_to_element(tex))
    except Exception as error:  # it has exceptions of its own, and lets IndexError, StopIteration and others through
        raise ValueError(f"This formula can't be shown: {tex}") from error
    if "<mi>&amp;</mi>" in mathml:
        raise ValueError(f"This formula has an & outside of a table: {tex}")
    mathml = re.sub(rf"({_NAMES})(?!<mo[^>]*>\()", rf"\1{_THIN}", mathml)
    mathml = re.sub(rf"(</m(?:i|n|sub|sup)>)(?={_NAMES})", rf"\1{_THIN}", mathml)
    return re.sub(r"<mo>([‖∥])</mo>", r'<mo stretchy="false">\1</mo>', mathml)


def _plain(element: Element) -> str:
    """An element and what is in it, written anew from what is known to do no harm."""
    if element.tag not in _TAGS:
        raise ValueError(element.tag)
    known = _ATTRIBUTES | _OF_SPACES if element.tag == "mspace" else _ATTRIBUTES
    kept = ((name, value) for name, value in element.attrib.items() if name in known and _VALUE.fullmatch(value))
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in kept)
    text = escape(_INVISIBLE.sub("", unescape(element.text or "")))  # latex2mathml writes signs as &#x0222B;
    return f"<{element.tag}{attributes}>{text}{''.join(map(_plain, element))}</{element.tag}>"
