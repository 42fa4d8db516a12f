"""Makes a block of each "Predict first": its choices can be ticked, and what came out is folded until it is asked for.

In the notebook a prediction is a quote that begins with **Predict first.** The cell after it settles it and is tagged
`hide-output`. Its output, and what the notebook says and draws of it, wait for one click. No script is needed: the
choices are radio buttons, and what is said stays away until the output's `details` is open (`site.css`).
"""

from itertools import count, takewhile

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx

OPENING, ANSWER = "Predict first.", "What happened"
_LINES_OF_A_CELL = 10_000  # myst-nb counts lines from this number times the cell's on


def fold_answers(app: Sphinx, doctree: nodes.document) -> None:
    """Mark the predictions of a page, and fold what answers them."""
    numbers = count(1)
    for quote in list(doctree.findall(_is_prediction)):
        quote["classes"].append("predict")
        _offer_choices(quote, f"prediction-{next(numbers)}")
        settles = quote.next_node(nodes.container, descend=False, siblings=True)
        if settles is not None and "tag_hide-output" in settles["classes"]:
            _fold_rest(settles)


def _is_prediction(node: nodes.Node) -> bool:
    return isinstance(node, nodes.block_quote) and node.astext().startswith(OPENING)


def _offer_choices(quote: nodes.block_quote, name: str) -> None:
    for paragraph in [paragraph for item in quote.findall(nodes.list_item) for paragraph in item.children]:
        paragraph.insert(0, nodes.raw("", f'<label><input type="radio" name="{name}"> ', format="html"))
        paragraph += nodes.raw("", "</label>", format="html")


def _fold_rest(settles: nodes.container) -> None:
    """Put what answers the prediction besides the cell into a container of its own.

    These are the cells after it, the text after these, and the pictures and assertions after that; and all up to a text
    that begins with **What happened**. A text that leads to another prediction is none of it. If it begins so, its last
    paragraph leads on.
    """
    section = settles.parent
    rest = section.children[section.index(settles) + 1 :]
    following = list(takewhile(lambda node: not isinstance(node, nodes.section) and not _is_prediction(node), rest))
    leads_on = len(following) < len(rest) and _is_prediction(rest[len(following)])
    first = len(list(takewhile(_is_code, following)))
    told = next((place for place, node in enumerate(following) if node.astext().startswith(ANSWER)), first)
    answer, said = following[:told], _of_one_cell(following[told:])
    after = following[told + len(said) :]
    if leads_on and not after:
        said = (said[:-1] or said) if said and said[0].astext().startswith(ANSWER) else []
    answer += said + list(takewhile(lambda node: _is_code(node) and "tag_hide-input" in node["classes"], after))
    for node in answer:
        section.remove(node)
    if answer:
        section.insert(section.index(settles) + 1, nodes.container("", *answer, classes=["answer"]))


def _of_one_cell(following: list[nodes.Node]) -> list[nodes.Node]:
    """What comes of the first text, and not of a later one."""
    if not following or following[0].line is None:
        return []
    end = (following[0].line // _LINES_OF_A_CELL + 1) * _LINES_OF_A_CELL

    return list(takewhile(lambda node: (node.line or 0) < end, following))


def _is_code(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def say_what_is_folded(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """myst-nb has one wording a cell for its code and its output."""
    for folded in doctree.findall(HideCodeCellNode):
        if "below-input" in folded["classes"]:
            folded["prompt_show"], folded["prompt_hide"] = "I have predicted: show what happens", "Hide what happens"


def setup(app: Sphinx) -> dict:
    app.connect("doctree-read", fold_answers)
    app.connect("doctree-resolved", say_what_is_folded)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
