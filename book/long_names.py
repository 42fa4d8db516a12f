"""Lets a long name from the code break where it has a joint, after `_`, `.` or `(`: on a phone a column is narrow."""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx


def add_joints(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Put a place to break after each joint of the names on a page."""
    if "body" in context:
        context["body"] = re.sub(r'(?<=<span class="pre">)[^<]+', _with_joints, context["body"])


def _with_joints(name: re.Match) -> str:
    return re.sub(r"(?<=\w[_.(])(?=\w)", "<wbr>", name[0])


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", add_joints)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
