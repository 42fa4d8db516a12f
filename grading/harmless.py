"""What a student's code shows and a student writes, made harmless: no script, and nothing loaded from elsewhere.

Outputs are reduced to text, pictures and plain HTML before they are kept. What students write in Markdown stays as it
is in the notebook, and is made plain when nbgrader makes a page of it: in the feedback and in Formgrader.
"""

import base64
import binascii
import re
import secrets
from functools import cache
from html import escape
from typing import Any
from urllib.parse import unquote

import bleach
from bleach.css_sanitizer import CSSSanitizer
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

from helpers.formulas import to_mathml

_MOST_TAGS = 5_000  # more of them can be nested so that a parser takes minutes
_TAG = re.compile(r"<[a-z/!]", re.IGNORECASE)
_MOST_BEGUN = 500  # an end is looked for in all that follows: with thousands of formulas and none, for many seconds
_BEGUN = re.compile(r"\\begin\{|\\\\[(\[]")
_LONGEST = 100_000  # characters of an output, and of what a Markdown cell may take
PICTURES = {"image/png": b"\x89PNG\r\n", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}  # what each begins with
_KEPT = ("nbgrader", "tags", "deletable", "editable")  # of a cell's metadata

_SEQUENCES = re.compile(  # for terminals: colours, titles (up to their end), and the rest
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff]"
)

_TAGS = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "code",
        "dd",
        "del",
        "details",
        "div",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "small",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
    ]
)
_STYLES = CSSSanitizer(allowed_css_properties=["background-color", "color", "font-style", "font-weight", "text-align"])
_STYLE = re.compile(r"<style[^<>]*>[^<>]*</style>", re.IGNORECASE)  # what pandas puts before a table
_LINK = re.compile(r"(https?://|mailto:)", re.IGNORECASE)
_ELSEWHERE = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+:|//|#|\Z", re.IGNORECASE)  # begins what names no file of one's own
_IMG = re.compile(r"<img\b[^<>]*?\bsrc\s*=\s*[\"']?([^\"'<>]+)[^<>]*>", re.IGNORECASE)
_DATA = re.compile(r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=\s]*\Z")
_OF_CODE = re.compile(r"(highlight|hl-[a-z0-9]+|[a-z]{1,2}[0-9]?)( hl-[a-z0-9]+)?\Z")  # classes of coloured code


def plain_text(text: Any) -> str:
    """A text without what steers a terminal, and without what makes it read otherwise than it is written."""
    if not isinstance(text, str):
        return ""
    lines = _SEQUENCES.sub("", text[: 10 * _LONGEST]).replace("\r\n", "\n").split("\n")
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in lines]  # what a progress bar showed last
    text = _INVISIBLE.sub("", "\n".join(lines))
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "\n… (cut off)"


def plain_html(html: Any) -> str:
    """HTML with its text, tables, links and embedded pictures alone; other tags are shown as they were written."""
    html = plain_text(html)
    return _cleaned(html, html)


@pass_context
def markdown_to_plain_html(context: Context, source: str) -> str:
    """A Jinja filter in the place of nbconvert's `markdown2html`.

    Formulas become MathML; one that can't be converted stays as it is typed.
    """
    attachments = context.get("cell", {}).get("attachments", {})
    renderer = _Renderer(escape=False, attachments=attachments, exclude_anchor_links=True)
    source = plain_text(source)
    if len(_BEGUN.findall(source)) > _MOST_BEGUN:
        return f"<pre>{escape(source)}</pre>"
    try:
        html = MarkdownWithMath(renderer=renderer).render(source)
    except (RuntimeError, InvalidNotebook):  # nested too deeply; a picture that isn't there, or is none
        return f"<pre>{escape(source)}</pre>"
    return renderer.with_formulas(_cleaned(html, source))


class _Renderer(IPythonRenderer):
    """Keeps the formulas' places, until what is around them is cleaned: the cleaner knows no MathML."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self._formulas: list[tuple[str, str, str]] = []  # as typed, without its dollars, "inline" or "block"
        self._place = secrets.token_hex(8)  # can't be guessed

    def inline_math(self, body: str) -> str:
        """Called by mistune for `$…$`."""
        return self._hold(f"${body}$", body, "inline")

    def block_math(self, body: str) -> str:
        """Called by mistune for `$$…$$`."""
        return self._hold(f"$${body}$$", body, "block")

    def latex_environment(self, name: str, body: str) -> str:
        """Called by mistune for `\\begin{…}…\\end{…}`."""
        typed = f"\\begin{{{name}}}{body}\\end{{{name}}}"
        return self._hold(typed, typed, "block")

    def with_formulas(self, html: str) -> str:
        """Put MathML in the places; in an attribute, as a picture's text may be, what was typed."""
        html = re.sub(f"<span>{self._place}-([0-9]+)</span>", lambda found: self._mathml(int(found[1])), html)
        return re.sub(f"{self._place}-([0-9]+)", lambda found: escape(self._formulas[int(found[1])][0]), html)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """Called by mistune for `![…](…)`: a file is named, as a page can't show what lies beside the notebook."""
        return f"{text} {_file(url)}" if _is_file(url) else super().image(text, url, title)

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """Called by mistune for `[…](…)`."""
        return f"{text} {_file(url)}" if _is_file(url) else super().link(text, url, title)

    def block_html(self, html: str) -> str:
        """Called by mistune for tags that stand by themselves."""
        return super().block_html(_with_files_named(html))

    def inline_html(self, html: str) -> str:
        """Called by mistune for tags in a text."""
        return super().inline_html(_with_files_named(html))

    def _hold(self, typed: str, tex: str, display: str) -> str:
        self._formulas.append((typed, tex, display))
        return f"<span>{self._place}-{len(self._formulas) - 1}</span>"

    def _mathml(self, index: int) -> str:
        typed, tex, display = self._formulas[index]
        try:
            return to_mathml(tex, display)
        except ValueError:
            return escape(typed)


def _is_file(url: str) -> bool:
    return _ELSEWHERE.match(url) is None


def _file(url: str) -> str:
    return f"(<code>{escape(unquote(url))}</code>)"


def _with_files_named(html: str) -> str:
    return _IMG.sub(lambda found: _file(found[1]) if _is_file(found[1]) else found[0], html)


def _cleaned(html: str, written: str) -> str:
    """What may stay of `html`; what the student has `written`, as it stands, if it would take minutes to find out."""
    if len(_TAG.findall(html)) > _MOST_TAGS:
        return f"<pre>{escape(written)}</pre>"
    return _cleaner().clean(html)


def tidy(notebook: NotebookNode) -> None:
    """Take out of a notebook what no lab has and a page could trip over; it is done before anything runs."""
    kernel = {name: notebook.metadata[name] for name in ("kernelspec",) if name in notebook.metadata}
    notebook.metadata = NotebookNode(kernel, language_info={"name": "python"})
    for cell in notebook.cells:
        cell.metadata = NotebookNode({name: cell.metadata[name] for name in _KEPT if name in cell.metadata})
        if "attachments" in cell:
            attachments = cell.attachments if isinstance(cell.attachments, dict) else {}
            cell.attachments = NotebookNode({name: _pictures(forms) for name, forms in attachments.items()})


def harmless(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """A cell's outputs as text, pictures and plain HTML."""
    return [output for output in map(_output, outputs) if output is not None]


def _output(output: NotebookNode) -> NotebookNode | None:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return NotebookNode(output_type=kind, name=name, text=plain_text(output.get("text")))
    if kind == "error":
        lines = output.get("traceback")
        lines = plain_text("\n".join(map(plain_text, lines[:500] if isinstance(lines, list) else []))).split("\n")
        names = {name: plain_text(output.get(name)) for name in ("ename", "evalue")}
        return NotebookNode(output_type=kind, **names, traceback=lines)
    if kind in ("display_data", "execute_result"):
        data = output.get("data")
        result = NotebookNode(output_type=kind, metadata={}, data=_data(data if isinstance(data, dict) else {}))
        if kind == "execute_result":
            count = output.get("execution_count")
            result.execution_count = count if type(count) is int else None
        return result
    return None


def _data(data: dict) -> NotebookNode:
    kept = {kind: plain_text(data[kind]) for kind in ("text/plain", "text/markdown", "text/latex") if kind in data}
    if "text/html" in data:
        kept["text/html"] = plain_html(_STYLE.sub("", plain_text(data["text/html"])))
    kept |= _pictures(data)
    return NotebookNode(kept or {"text/plain": f"({', '.join(map(plain_text, data)) or 'nothing'}: not shown)"})


def _pictures(data: Any) -> NotebookNode:
    items = data.items() if isinstance(data, dict) else []
    return NotebookNode({kind: text for kind, text in items if kind in PICTURES and _is_picture(kind, text)})


def _is_picture(kind: str, text: Any) -> bool:
    try:
        return base64.b64decode("".join(text.split()), validate=True).startswith(PICTURES[kind])
    except (AttributeError, binascii.Error, ValueError):
        return False


@cache
def _cleaner() -> bleach.Cleaner:
    protocols = ["http", "https", "mailto", "data"]
    return bleach.Cleaner(tags=_TAGS, attributes=_may_stay, protocols=protocols, css_sanitizer=_STYLES)


def _may_stay(tag: str, name: str, value: str) -> bool:
    if name in ("title", "alt", "style", "colspan", "rowspan", "align", "start"):
        return True
    if (tag, name) == ("a", "href"):
        return bool(_LINK.match(value))
    if (tag, name) == ("img", "src"):
        return bool(_DATA.match(value))
    return name == "class" and tag in ("div", "span", "pre") and bool(_OF_CODE.match(value))
