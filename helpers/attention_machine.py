"""The attention machine: one query's way from q, k and v to the output, with numbers that a reader can change.

The script (`attention_machine.js` and the files beside it) works everything out in the page: tokens, queries, keys and
values, the products q·k, the scale, the mask, the temperature, the softmax and the output. No kernel is asked. What is
said of each step is said by the same words (`attention_machine_words.py`) in the page and in a terminal.
"""

import html
import json
import math
from collections.abc import Collection, Sequence

from jaxtyping import Float
from torch import Tensor

from helpers.attention_machine_tables import PANELS, Table, tables_of
from helpers.attention_machine_text import Machine, steps_of, tell
from helpers.attention_machine_words import WORDS
from helpers.component import Component, script
from helpers.plotting import KEY, QUERY, VALUE
from helpers.running_example import AXES, KEYS, QUERIES, TOKENS, VALUE_AXES, VALUES

PARTS = ("scale", "mask", "temperature")
SCALES = ("none", "root", "width")
# Which file a panel is in; a page gets only what it shows.
_FILES = {"width": "width", "kinds": "kinds", "strategies": "panels", "heads": "panels", "gradient": "panels"}
_CAPTION = "Attention for one word: change a number, hide a word, and see what becomes of the output."


def attention_machine(
    tokens: Sequence[str] = TOKENS,
    queries: Float[Tensor, "token d"] = QUERIES,
    keys: Float[Tensor, "token d"] = KEYS,
    values: Float[Tensor, "token v"] = VALUES,
    *,
    query: int | None = None,
    show: Collection[str] = PARTS,
    scale: str = "root",
    hidden: Collection[int] = (),
    axes: Sequence[str] | None = None,
    value_axes: Sequence[str] | None = None,
    caption: str = _CAPTION,
) -> Component:
    """A machine to touch: the query of one token against the keys of all, step by step, down to the output.

    The default is the running example, where "car" asks; elsewhere the first token does. `query` is the place of the
    token that asks at the start, `hidden` are the places of those that are masked; the reader can change both. `show`
    names the steps between q·k and the softmax that are there: of "scale" (divide by √d), "mask" and "temperature".
    Without "scale" nothing is divided; `scale` is "root" (√d), "width" (d) or "none" at the start.

    `show` also names what is set beside the steps:

    - "strategies": four kinds of mask side by side;
    - "width": a histogram of q·k for random vectors of d numbers, the weights, and the softmax's gradient;
    - "gradient": the softmax's Jacobian at the weights of the moment;
    - "kinds": dot product, scaled dot product and additive score to choose from, and q and k as arrows;
    - "heads": two heads, each with half of the numbers, beside one.

    `axes` and `value_axes` name the numbers of queries and keys, and of values: `helpers.running_example` has its own.

    Raises:
        ValueError: if the shapes don't fit one another or the tokens, a number isn't finite, or a name isn't known.
    """
    shown = _require_known("show", show, (*PARTS, *PANELS))
    if query is None:
        query = TOKENS.index("car") if tokens is TOKENS else 0
    if axes is None:
        axes = AXES if keys is KEYS else ()
    if value_axes is None:
        value_axes = VALUE_AXES if values is VALUES else ()
    machine = Machine(
        tokens=[token if token.strip() else "␣" for token in _require_tokens(tokens)],
        queries=_require_matrix("queries", queries, len(tokens)),
        keys=_require_matrix("keys", keys, len(tokens)),
        values=_require_matrix("values", values, len(tokens)),
        parts=[part for part in PARTS if part in shown],
        panels=[panel for panel in PANELS if panel in shown],
        scale=_require_known("scale", [scale], SCALES)[0] if "scale" in show else "none",
        query=_require_place("query", query, len(tokens)),
        hidden=_require_places(hidden, len(tokens)),
        axes=_require_names("axes", axes, keys),
        value_axes=_require_names("value_axes", value_axes, values),
    )
    if len(machine.queries[0]) != len(machine.keys[0]):
        raise ValueError(
            f"queries and keys must have the same width, not {len(machine.queries[0])} and {len(machine.keys[0])}"
        )
    _require_together(machine, shown)
    return Component(_html(machine, caption), _text(machine, caption))


def _html(machine: Machine, caption: str) -> str:
    parts = ["math", "says", *sorted({_FILES[panel] for panel in machine.panels}), "plot"]
    given = {
        "tokens": machine.tokens,
        "queries": machine.queries,
        "keys": machine.keys,
        "values": machine.values,
        "parts": machine.parts,
        "panels": machine.panels,
        "scale": machine.scale,
        "query": machine.query,
        "hidden": [token in machine.hidden for token in range(len(machine.tokens))],
        "axes": machine.axes,
        "valueAxes": machine.value_axes,
    }
    return "\n".join(
        [
            # The classes keep MathJax from taking a token with dollar signs for a formula.
            f'<div class="attention-machine tex2jax_ignore mathjax_ignore" '
            f'style="--query: {QUERY}; --key: {KEY}; --value: {VALUE}" data-given="{html.escape(json.dumps(given))}">',
            *(_table(table) for table in tables_of(machine, WORDS)),
            f"<p><em>{html.escape(caption)}</em></p>",
            f"<p><small>{html.escape(WORDS['run_cell'])}</small></p>",
            "</div>",
            script("attention_machine", WORDS, before=[f"attention_machine_{part}" for part in parts]),
        ]
    )


def _table(table: Table) -> str:
    return "\n".join(
        [
            f"<table><caption>{html.escape(table.caption)}</caption>",
            "<thead><tr>" + _cells("th", table.head, "col") + "</tr></thead>",
            "<tbody>",
            *("<tr>" + _cells("th", [name], "row") + _cells("td", cells) + "</tr>" for name, *cells in table.rows),
            "</tbody></table>",
        ]
    )


def _cells(tag: str, texts: Sequence[str], scope: str = "") -> str:
    opening = f'<{tag} scope="{scope}">' if scope else f"<{tag}>"
    return "".join(f"{opening}{html.escape(text)}</{tag}>" for text in texts)


def _text(machine: Machine, caption: str) -> str:
    steps = [f"{number}. {tell(machine, step, WORDS)}" for number, step in enumerate(steps_of(machine), start=1)]
    _, *panels = tables_of(machine, WORDS)
    lines = [line for panel in panels for line in _as_lines(panel)]
    return "\n".join([f"[{WORDS['text'].format(caption=caption)}]", *steps, *lines])


def _as_lines(table: Table) -> list[str]:
    """A table for a terminal: columns as wide as their widest cell."""
    rows = [table.head, *table.rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return [table.caption, *(f"  {line}" for line in lines)]


def _require_tokens(tokens: Sequence[str]) -> Sequence[str]:
    if isinstance(tokens, str):
        raise ValueError(f"tokens must be a sequence of tokens, not one string: list({tokens!r})?")
    if not len(tokens) or not all(isinstance(token, str) for token in tokens):
        raise ValueError("tokens must be strings, at least one")
    return tokens


def _require_matrix(name: str, matrix: Tensor, rows: int) -> list[list[float]]:
    if not isinstance(matrix, Tensor):
        raise ValueError(f"{name} must be a tensor, not {type(matrix).__name__}")
    if matrix.dim() != 2 or matrix.shape[0] != rows or not matrix.shape[1]:
        raise ValueError(f"{name} must have a row for each of the {rows} tokens, not shape {tuple(matrix.shape)}")
    numbers = matrix.detach().double().cpu().tolist()
    if not all(math.isfinite(number) for row in numbers for number in row):
        raise ValueError(f"{name} must be finite numbers; to hide a token, name its place in `hidden`")
    return numbers


def _require_known(name: str, given: Collection[str], known: Sequence[str]) -> list[str]:
    unknown = [each for each in given if each not in known]
    if unknown or isinstance(given, str):
        raise ValueError(
            f"{name} must be of {', '.join(map(repr, known))}, not {given if isinstance(given, str) else unknown[0]!r}"
        )
    return [each for each in known if each in given]


def _require_together(machine: Machine, shown: Collection[str]) -> None:
    for panel in {"width", "kinds"} & set(shown):
        if "scale" not in shown:
            raise ValueError(f'"{panel}" is about the scale: show "scale" as well')
    if "kinds" in shown and machine.scale == "width":
        raise ValueError('"kinds" has the scales "none" and "root" to choose from, not "width"')
    if "heads" in shown and (len(machine.keys[0]) % 2 or len(machine.values[0]) % 2):
        raise ValueError(
            '"heads" cuts queries, keys and values in two, so they need an even width, '
            f"not {len(machine.keys[0])} and {len(machine.values[0])}"
        )


def _require_place(name: str, place: int, tokens: int) -> int:
    if not 0 <= place < tokens:
        raise ValueError(f"{name} must be the place of a token, 0 to {tokens - 1}, not {place}")
    return place


def _require_places(places: Collection[int], tokens: int) -> list[int]:
    return [_require_place("hidden", place, tokens) for place in places]


def _require_names(name: str, names: Sequence[str], matrix: Tensor) -> list[str]:
    if names and len(names) != matrix.shape[1]:
        raise ValueError(f"{name} must name each of the {matrix.shape[1]} numbers, not {len(names)}")
    return list(names)
