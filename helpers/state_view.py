"""An encoder's state to step through: how it changes with each letter, and what a decoder still gets out of it.

What is put into the page is a table with all steps, and a script (`state_view.js`, with `state_view.css` and what all
components share) that shows one step after the other. Where scripts don't run, the table is left.
"""

import html
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from helpers.component import Component, script
from helpers.plotting import OTHERS
from helpers.state_view_words import WORDS

_COLOUR, _NEGATIVE = OTHERS[0], "#777777"  # as in `helpers.drawing`


def state_view(
    states: Float[Tensor, "step hidden"],
    read: Sequence[str],
    written: Sequence[str],
    wanted: Sequence[str],
    caption: str,
) -> Component:
    """A view of the states of an encoder, numbers between -1 and 1, and of what is written back from each of them.

    `read` has the letter that was read at each step, `written` the letters that a decoder wrote from the state after
    that step, and `wanted` those that would have been right, as many.

    Raises:
        ValueError: if there isn't one of each for every state, or a text isn't as long as the one that was wanted.
    """
    if not len(states) == len(read) == len(written) == len(wanted):
        raise ValueError(
            f"{len(states)} states need as many letters read, texts written and texts wanted, not {len(read)}, "
            f"{len(written)} and {len(wanted)}"
        )
    for wrote, right in zip(written, wanted, strict=True):
        if len(wrote) != len(right):
            raise ValueError(f"what is written must be as long as what is wanted, but {wrote!r} isn't as {right!r}")
    says = [
        _sentence("".join(read[: step + 1]), wrote, right)
        for step, (wrote, right) in enumerate(zip(written, wanted, strict=True))
    ]
    rows = [
        f'<tr data-says="{html.escape(sentence)}"><th scope="row">{html.escape(letter)}</th><td>{_strip(state)}</td>'
        f"<td>{_marked(wrote, right)}</td></tr>"
        for sentence, letter, state, wrote, right in zip(says, read, states.tolist(), written, wanted, strict=True)
    ]
    head = "".join(f'<th scope="col">{WORDS[name]}</th>' for name in ("read", "state", "written"))
    return Component(
        "\n".join(
            [
                f'<div class="state-view tex2jax_ignore mathjax_ignore" style="--query: {_COLOUR}">',
                f"<table><caption>{WORDS['table']}</caption>",
                f"<thead><tr>{head}</tr></thead>",
                "<tbody>",
                *rows,
                "</tbody></table>",
                f"<p><em>{html.escape(caption)}</em></p>",
                f"<p><small>{WORDS['run']}</small></p>",
                "</div>",
                script("state_view", WORDS),
            ]
        ),
        "\n".join([f"[state view: {caption}]", *says]),
    )


def _sentence(read: str, written: str, wanted: str) -> str:
    wrong = sum(wrote != right for wrote, right in zip(written, wanted, strict=True))
    values = {"read": read, "written": written, "wanted": wanted, "wrong": wrong, "length": len(wanted)}
    return WORDS["wrong" if wrong else "right"].format(**values)


def _strip(state: list[float]) -> str:
    """The numbers of a state as a row of cells, as strong as they are far from 0."""
    name = WORDS["strip"].format(count=len(state), low=f"{min(state):.2f}", high=f"{max(state):.2f}")
    cells = "".join(
        f'<rect x="{place}" width="1" height="1" fill="{_COLOUR if number > 0 else _NEGATIVE}" '
        f'fill-opacity="{min(abs(number), 1):.2f}"/>'
        for place, number in enumerate(state)
    )
    size = f'viewBox="0 0 {len(state)} 1" width="{9 * len(state)}" height="20" preserveAspectRatio="none"'
    return f'<svg {size} role="img" aria-label="{name}">{cells}</svg>'


def _marked(written: str, wanted: str) -> str:
    """What was written, its wrong letters underlined."""
    return "".join(
        html.escape(wrote) if wrote == right else f"<u>{html.escape(wrote)}</u>"
        for wrote, right in zip(written, wanted, strict=True)
    )
