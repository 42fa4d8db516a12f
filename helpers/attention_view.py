"""Attention weights to point at: a view for notebooks and web pages that lights up the source words of a target word.

What is put into the page is a table, which every reader gets, and a script (`attention_view.js`, with
`attention_view.css`) that makes of the table a view to point at and to step through. Where scripts don't run, in a
notebook that JupyterLab doesn't trust yet, on GitHub, in a browser that forbids them, the table is what is left. Nothing
is loaded from anywhere.
"""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.plotting import KEY, QUERY

ELSEWHERE = "elsewhere"  # the column for weight that isn't on a source token shown
TOLERANCE = 1e-3  # half precision sums to 1 no better than this


@dataclass(frozen=True, repr=False)
class AttentionView:
    """What `attention_view` returns: Jupyter shows the view, a terminal the text."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def attention_view(
    weights: Float[Tensor, "target source"] | Float[Tensor, "head target source"],
    source_tokens: Sequence[str],
    target_tokens: Sequence[str],
    caption: str,
    names: Sequence[str] | None = None,
) -> AttentionView:
    """A view of attention weights: point at a target token, or step through them, and its source tokens light up.

    With a third axis the reader chooses among several heads, or several models that wrote the same; `names` says what
    each is called ("head 1", "head 2", … if it isn't given). The caption says in words what there is to see.

    Target tokens after the first `<eos>` aren't shown, nor are source tokens after the first `<eos>` or from the first
    `<pad>` on. Weight that lies on tokens not shown, or is missing from a row's sum of 1, is said to be so.

    Raises:
        ValueError: if the tokens or names don't fit the shape of `weights`, no token is left to show, or `weights` are
            no weights: below 0, or a row that sums to more than 1.
    """
    stack, names = _require_fit(weights, source_tokens, target_tokens, names)
    _require_weights(stack, names, target_tokens)
    sources, targets = _shown(source_tokens, "source"), _shown(target_tokens, "target")
    given = stack[:, : len(targets)].sum(dim=2, keepdim=True) > 0  # an empty row has given no weight to anything
    stack = stack[:, : len(targets), : len(sources)]
    rest = (1 - stack.sum(dim=2, keepdim=True)).clamp(min=0) * given
    stack = torch.cat([stack, rest], dim=2)
    rounded = [[[f"{weight:.2f}" for weight in row] for row in head] for head in stack.tolist()]
    return AttentionView(
        _html(rounded, sources, targets, caption, names), _text(rounded, sources, targets, caption, names)
    )


def _html(weights: list, sources: list[str], targets: list[str], caption: str, names: Sequence[str]) -> str:
    head_row = "".join(f'<th scope="col">{html.escape(token)}</th>' for token in sources)
    if any(row[-1] != "0.00" for head in weights for row in head):
        head_row += f'<th scope="col" class="elsewhere">{ELSEWHERE}</th>'
    else:
        weights = [[row[:-1] for row in head] for head in weights]
    tables = []
    for name, head in zip(names, weights, strict=True):
        rows = [
            f'<tr><th scope="row">{html.escape(target)}</th>{"".join(map(_cell, row))}</tr>'
            for target, row in zip(targets, head, strict=True)
        ]
        table = "\n".join(
            [
                f"<table><caption>{html.escape(name or 'Attention weights')}</caption>",
                f'<thead><tr><th scope="col">target ↓ source →</th>{head_row}</tr></thead>',
                "<tbody>",
                *rows,
                "</tbody></table>",
            ]
        )
        # Many tables below one another would hide what comes after them.
        folded = f"<details{'' if tables else ' open'}><summary>{html.escape(name)}</summary>\n{table}\n</details>"
        tables.append(folded if len(names) > 1 else table)
    script = _packed("attention_view.js").replace("STYLE", json.dumps(_packed("attention_view.css")))
    return "\n".join(
        [
            # The classes keep MathJax from taking a token with dollar signs for a formula.
            f'<div class="attention-view tex2jax_ignore mathjax_ignore" style="--query: {QUERY}; --key: {KEY}">',
            *tables,
            f"<p><em>{html.escape(caption)}</em></p>",
            "<p><small>Run this cell in JupyterLab, and you can point at the words and step through them.</small></p>",
            "</div>",
            f"<script>{script}</script>",
        ]
    )


def _cell(weight: str) -> str:
    # A blue so thin that on a light page black ink stands out from it, and on a dark page white ink.
    tint = round(0.75 * float(weight), 2)
    style = f' style="background-color: rgba(0, 114, 178, {tint})"' if tint > 0.02 else ""
    return f"<td{style}>{weight}</td>"


def _text(weights: list, sources: list[str], targets: list[str], caption: str, names: Sequence[str]) -> str:
    lines = [f"[attention view: {caption}]"]
    for name, head in zip(names, weights, strict=True):
        lines += [name] * (len(names) > 1)
        for target, row in zip(targets, head, strict=True):
            *row, rest = row
            largest = sorted(zip(row, sources, strict=True), key=lambda each: -float(each[0]))[:3]
            looks = ", ".join(f"{source} {weight}" for weight, source in largest if weight != "0.00") or "nothing"
            lines.append(f"{target} looks at {looks}" + f"; {ELSEWHERE} {rest}" * (rest != "0.00"))
    return "\n".join(lines)


def _packed(name: str) -> str:
    """A file beside this one without its indentation and without the lines that are comments: it is in every view."""
    lines = map(str.strip, Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/*")))


def _shown(tokens: Sequence[str], side: str) -> list[str]:
    tokens = list(tokens)
    if "<eos>" in tokens:
        tokens = tokens[: tokens.index("<eos>") + 1]
    if "<pad>" in tokens:
        tokens = tokens[: tokens.index("<pad>")]
    if not tokens:
        raise ValueError(f"there is no {side} token to show")
    return [token if token.strip() else "␣" for token in tokens]


def _require_fit(
    weights: Tensor, source_tokens: Sequence[str], target_tokens: Sequence[str], names: Sequence[str] | None
) -> tuple[Tensor, Sequence[str]]:
    """The weights with an axis for the heads, and a name for each head."""
    if not isinstance(weights, Tensor):
        raise ValueError(f"weights must be a tensor, not {type(weights).__name__}")
    for side, tokens in (("source", source_tokens), ("target", target_tokens)):
        if isinstance(tokens, str):
            raise ValueError(f"{side}_tokens must be a sequence of tokens, not one string: list({tokens!r})?")
        if not all(isinstance(token, str) for token in tokens):
            raise ValueError(f"{side}_tokens must be strings, not ids")
    fitting = (len(target_tokens), len(source_tokens))
    if weights.dim() not in (2, 3) or tuple(weights.shape[-2:]) != fitting or weights.shape[:-2] == (0,):
        raise ValueError(
            f"weights must have shape ({fitting[0]}, {fitting[1]}) or (heads, {fitting[0]}, {fitting[1]}), a row for "
            f"each target token and a column for each source token, not {tuple(weights.shape)}"
        )
    stack = weights.detach().double().cpu()
    stack = stack if weights.dim() == 3 else stack[None]
    if names is None:
        names = [f"head {head}" for head in range(1, len(stack) + 1)] if weights.dim() == 3 else [""]
    if len(names) != len(stack):
        raise ValueError(f"names must name each of the {len(stack)} heads, not {len(names)}")
    return stack, names


def _require_weights(stack: Tensor, names: Sequence[str], target_tokens: Sequence[str]) -> None:
    total = stack.sum(dim=2)
    wrong = ~((stack >= 0).all(dim=2) & (total <= 1 + TOLERANCE))  # this way round, not-a-number is wrong too
    if wrong.any():
        head, row = wrong.nonzero()[0].tolist()
        where = f"{names[head]}, " * bool(names[head]) + f"target token {row + 1} ({target_tokens[row]})"
        raise ValueError(
            f"each row of weights must have no number below 0 and sum to 1 at most, but that of {where} sums to "
            f"{total[head, row]:.2f} and its smallest is {stack[head, row].min():.2f}: are these scores?"
        )
