"""Links the glossary's terms where a page first uses them, with the first sentence of the definition as a tooltip."""

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

GLOSSARY = "glossary"
# Whatever is a link, code, a formula or a title already says something of its own.
_NOT_IN = (
    nodes.reference,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.title,
    nodes.target,
    nodes.caption,
    addnodes.desc_signature,
)


def link_first_uses(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Link each term once on a page of prose."""
    if not docname.startswith(("notebooks/", "labs/", "mistakes/")):
        return
    terms = _terms(app)
    # The longest first: "causal mask" is no "mask".
    words = "|".join(map(_forms, sorted(terms, key=len, reverse=True)))
    pattern = re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE)
    seen: set[str] = set()
    for text in list(doctree.findall(nodes.Text)):
        if any(isinstance(each, _NOT_IN) for each in _ancestors(text)):
            continue
        parts, end = [], 0
        for match in pattern.finditer(text):
            term = next(term for term in terms if re.fullmatch(_forms(term), match[0], re.IGNORECASE))
            if term in seen:
                continue
            seen.add(term)
            anchor, tooltip = terms[term]
            uri = f"{app.builder.get_relative_uri(docname, GLOSSARY)}#{anchor}"
            parts += [
                nodes.Text(text[end : match.start()]),
                nodes.reference("", match[0], internal=True, refuri=uri, reftitle=tooltip, classes=["term"]),
            ]
            end = match.end()
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[end:])])


def _terms(app: Sphinx) -> dict[str, tuple[str, str]]:
    """Each term with its anchor in the glossary and the first sentence of what is said there."""
    terms = {}
    for item in app.env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        definition = next(item.findall(nodes.definition)).astext().replace("\n", " ")
        for term in item.findall(nodes.term):
            terms[term.astext()] = term["ids"][0], re.split(r"(?<=\.) ", definition)[0]
    return terms


def _forms(term: str) -> str:
    """A pattern for a term in the singular and the plural."""
    return re.escape(term[:-1]) + "(?:y|ies)" if term.endswith("ry") else re.escape(term) + "(?:e?s)?"


def _ancestors(node: nodes.Node) -> Iterator[nodes.Node]:
    while node.parent is not None:
        node = node.parent
        yield node


def setup(app: Sphinx) -> dict:
    app.connect("doctree-resolved", link_first_uses)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
