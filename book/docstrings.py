"""Reads docstrings as they are written: `code` between single backticks, and a bar that is a bar."""

import re
from typing import Any

from sphinx.application import Sphinx


def to_restructured_text(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Set `code` as a literal, whatever follows it, and take |A| for no substitution."""
    for index, line in enumerate(lines):
        parts = re.split(r"(`+[^`]+`+)", line)
        # "\\ " is nothing: it lets a literal begin and end within a word, as in "0..`max_len`" and "`Finding`s".
        literals = [rf"\ ``{part.strip('`')}``\ " if "`" in part else part.replace("|", r"\|") for part in parts]
        indent = line[: len(line) - len(line.lstrip())]
        lines[index] = indent + "".join(literals).strip().removeprefix("\\ ").removesuffix("\\")
    for index in range(len(lines) - 1, 0, -1):
        if lines[index].startswith(":raises") and lines[index - 1] and not lines[index - 1].startswith(":raises"):
            lines.insert(index, "")  # "Raises:" right after "Source: …" would be a part of that paragraph


def setup(app: Sphinx) -> dict:
    app.connect("autodoc-process-docstring", to_restructured_text, priority=900)  # after napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
