"""Attention weights to point at: a view for notebooks and web pages that lights up the source words of a target word.

What is put into the page is a table, which every reader gets, and a script (`attention_view.js`, with
`attention_view.css` and what all components share) that makes of the table a view to point at and to step through.
Where scripts don't run, in a notebook that JupyterLab doesn't trust yet, on GitHub, in a browser that forbids them, the
table is what is left. Nothing is loaded from anywhere.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.attention_view_words import WORDS
from helpers.component import Component, script
from helpers.plotting import KEY, QUERY

TOLERANCE = 1e-3  # half precision sums to 1 no better than this


@dataclass(frozen=True)
class _Written:
    """What the model wrote with all source tokens, or with the one at place `hidden` hidden, and where it looked."""

    hidden: int | None
    targets: list[str]
    weights: list[list[list[str]]]  # (head, target, source and elsewhere), as they are shown


def attention_view(
    weights: Float[Tensor, "target source"] | Float[Tensor, "head target source"],
    source_tokens: Sequence[str],
    target_tokens: Sequence[str],
    caption: str,
    names: Sequence[str] | None = None,
    without: Mapping[int, tuple[Tensor, Sequence[str]]] | None = None,
) -> Component:
    """A view of attention weights: point at a target token, or step through them, and its source tokens light up.

    With a third axis the reader chooses among several heads, or several models that wrote the same; `names` says what
    each is called ("head 1", "head 2", … if it isn't given). The caption says in words what there is to see.

    `without` lets the reader hide a source token from the model. It has, for a place in `source_tokens` (from 0), what
    the model did without that token: weights as above, with as many heads and source tokens, and the target tokens
    that it wrote. The view only shows them: the notebook has to run the model.

    Target tokens after the first `<eos>` aren't shown, nor are source tokens after the first `<eos>` or from the first
    `<pad>` on. Weight that lies on tokens not shown, or is missing from a row's sum of 1, is said to be so.

    Raises:
        ValueError: if the tokens or names don't fit the shape of `weights`, no token is left to show, `weights` are
            no weights: below 0, or a row that sums to more than 1; or if that is so of a part of `without`, or its
            place is not that of a source token that is shown.
    """
    stack, names = _require_fit(weights, source_tokens, target_tokens, names)
    sources = _shown(source_tokens, "source")
    versions = [_written(None, stack, names, target_tokens, sources)]
    for place, (weights_without, targets_without) in sorted((without or {}).items()):
        if not 0 <= place < len(sources):
            raise ValueError(
                f"without must name places of source tokens that are shown, 0 to {len(sources) - 1}, not {place}"
            )
        try:
            stack, _ = _require_fit(weights_without, source_tokens, targets_without, names)
            versions.append(_written(place, stack, names, targets_without, sources))
        except ValueError as error:
            raise ValueError(f"without[{place}]: {error}") from None
    return Component(_html(versions, sources, caption, names), _text(versions, sources, caption, names))


def _written(
    hidden: int | None, stack: Tensor, names: Sequence[str], target_tokens: Sequence[str], sources: list[str]
) -> _Written:
    _require_weights(stack, names, target_tokens)
    targets = _shown(target_tokens, "target")
    given = stack[:, : len(targets)].sum(dim=2, keepdim=True) > 0  # an empty row has given no weight to anything
    stack = stack[:, : len(targets), : len(sources)]
    rest = (1 - stack.sum(dim=2, keepdim=True)).clamp(min=0) * given
    stack = torch.cat([stack, rest], dim=2)
    return _Written(hidden, targets, [[[f"{weight:.2f}" for weight in row] for row in head] for head in stack.tolist()])


def _html(versions: list[_Written], sources: list[str], caption: str, names: Sequence[str]) -> str:
    elsewhere = any(row[-1] != "0.00" for version in versions for head in version.weights for row in head)
    folded: list[str] = []
    for version in versions:
        tables = [
            table_of(
                head if elsewhere else [row[:-1] for row in head], sources, version.targets, name or WORDS["weights"]
            )
            for name, head in zip(names, version.weights, strict=True)
        ]
        if version.hidden is not None:
            title, place = html.escape(_without(version, sources)), version.hidden
            inside = "\n".join(tables)
            folded.append(f'<details data-without="{place}"><summary>{title}</summary>\n{inside}\n</details>')
        elif len(names) > 1:
            # Many tables below one another would hide what comes after them.
            folded += [
                f"<details{'' if head else ' open'}><summary>{html.escape(name)}</summary>\n{table}\n</details>"
                for head, (name, table) in enumerate(zip(names, tables, strict=True))
            ]
        else:
            folded += tables
    return "\n".join(
        [
            # The classes keep MathJax from taking a token with dollar signs for a formula.
            f'<div class="attention-view tex2jax_ignore mathjax_ignore" style="--query: {QUERY}; --key: {KEY}">',
            *folded,
            f"<p><em>{html.escape(caption)}</em></p>",
            f"<p><small>{WORDS['run']}</small></p>",
            "</div>",
            script("attention_view", WORDS, before="component_pictures"),
        ]
    )


def table_of(weights: list[list[str]], sources: list[str], targets: list[str], caption: str) -> str:
    """A table of weights in HTML, a row for each target token. A column more than tokens is for what is elsewhere."""
    head_row = "".join(f'<th scope="col">{html.escape(token)}</th>' for token in sources)
    if len(weights[0]) > len(sources):
        head_row += f'<th scope="col" class="elsewhere">{WORDS["elsewhere"]}</th>'
    rows = [
        f'<tr><th scope="row">{html.escape(target)}</th>{"".join(map(_cell, row))}</tr>'
        for target, row in zip(targets, weights, strict=True)
    ]
    return "\n".join(
        [
            f"<table><caption>{html.escape(caption)}</caption>",
            f'<thead><tr><th scope="col">{WORDS["corner"]}</th>{head_row}</tr></thead>',
            "<tbody>",
            *rows,
            "</tbody></table>",
        ]
    )


def _without(version: _Written, sources: list[str]) -> str:
    """What the model wrote, in words."""
    assert version.hidden is not None
    token = sources[version.hidden]
    if sources.count(token) > 1:  # "E" alone doesn't say which E
        token = WORDS["place"].format(token=token, place=version.hidden + 1)
    letters = all(len(target) == 1 for target in version.targets)
    return WORDS["without_table"].format(token=token, written=("" if letters else " ").join(version.targets))


def _cell(weight: str) -> str:
    # A blue so thin that on a light page black ink stands out from it, and on a dark page white ink.
    tint = round(0.75 * float(weight), 2)
    style = f' style="background-color: rgba(0, 114, 178, {tint})"' if tint > 0.02 else ""
    return f"<td{style}>{weight}</td>"


def _text(versions: list[_Written], sources: list[str], caption: str, names: Sequence[str]) -> str:
    lines = [f"[attention view: {caption}]"]
    written, *others = versions
    for name, head in zip(names, written.weights, strict=True):
        lines += [name] * (len(names) > 1)
        for target, row in zip(written.targets, head, strict=True):
            *row, rest = row
            largest = sorted(zip(row, sources, strict=True), key=lambda each: -float(each[0]))[:3]
            looks = ", ".join(f"{source} {weight}" for weight, source in largest if weight != "0.00")
            line = target + WORDS["looks"].format(what=looks or WORDS["nothing"])
            lines.append(line + WORDS["rest"].format(weight=rest) * (rest != "0.00"))
    return "\n".join(lines + [_without(each, sources) for each in others])


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
    weights: Tensor,
    source_tokens: Sequence[str],
    target_tokens: Sequence[str],
    names: Sequence[str] | None,
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
        names = [WORDS["head"].format(number=head) for head in range(1, len(stack) + 1)] if weights.dim() == 3 else [""]
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
