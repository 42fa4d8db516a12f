"""What the things to touch share: how a script, its styles and its words get into a notebook's output.

A component is JavaScript and CSS beside its Python, and a table of all the words that it says. Put into a page, it
loads nothing from anywhere.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True, repr=False)
class Component:
    """What a notebook's cell ends in: Jupyter shows the HTML, a terminal the text."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def script(name: str, words: Mapping[str, str], before: str | Sequence[str] = (), **constants: str | int) -> str:
    """The `<script>` element of a component: `component.js`, the file or files `before` its own, and that.

    They find the constants there, and STYLE and WORDS. It can run many times on one page, and leaves no name there.
    """
    style = packed("component.css") + "\n" + packed(f"{name}.css")
    given = {"STYLE": style, "WORDS": dict(words), **constants}
    files = ["component", *([before] if isinstance(before, str) else before), name]
    lines = [f"const {name} = {_literal(value)};" for name, value in given.items()]
    lines += [packed(f"{file}.js") for file in files]
    return "<script>(() => {\n" + "\n".join(lines) + "\n})();</script>"


def _literal(value: str | int | dict[str, str]) -> str:
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/").replace("<!--", "<\\!--")


def packed(name: str) -> str:
    """A file beside this one without its indentation and without the lines that are comments: it is in every output."""
    lines = map(str.strip, (_HERE / name).read_text(encoding="utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/*")))
