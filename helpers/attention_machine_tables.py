"""The attention machine's tables: the computation itself, and what is compared with it, for readers without scripts.

The page makes the same tables, live; `attention_machine_panels.js` says how.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from helpers.attention_machine_text import Machine, called, softmax, steps_of, two_digits, vector_text, written

Words = dict[str, str]


@dataclass(frozen=True)
class Table:
    """A table: the names of its columns, and its rows, each of which begins with a name."""

    caption: str
    head: list[str]
    rows: list[list[str]]


def tables_of(machine: Machine, words: Words) -> list[Table]:
    """The computation, and each panel that is shown."""
    return [_computation(machine, words), *(PANELS[name](machine, words) for name in machine.panels)]


def _computation(machine: Machine, words: Words) -> Table:
    columns = {
        "key": map(vector_text, machine.keys),
        "score": map(written, machine.raw),
        "scale": map(written, machine.scores),
        "mask": map(written, machine.masked),
        "temperature": map(written, machine.masked),
        "weight": map(two_digits, machine.weights),
        "value": map(vector_text, machine.values),
        "share": map(vector_text, machine.shares),
    }
    names = ["key", *steps_of(machine)[1:-1], "value", "share"]
    return Table(
        words["table_caption"].format(
            word=called(machine.tokens, machine.query, words),
            query=vector_text(machine.queries[machine.query]),
            output=vector_text(machine.output),
        ),
        [words["word"], *(words[f"scale_{machine.scale}" if name == "scale" else name] for name in names)],
        [list(row) for row in zip(_names(machine, words), *(columns[name] for name in names), strict=True)],
    )


def _strategies(machine: Machine, words: Words) -> Table:
    """Four ways to treat hidden keys, as in notebook 01."""
    seen = [i not in machine.hidden for i in range(len(machine.tokens))]
    no_mask = softmax(machine.scores)
    weights = {
        "none": no_mask,
        "zero": softmax([score * kept for score, kept in zip(machine.scores, seen, strict=True)]),
        "after": [weight * kept for weight, kept in zip(no_mask, seen, strict=True)],
        "before": machine.weights,
    }
    return Table(
        words["strategies_caption"],
        [words["strategy"], *_names(machine, words), words["row_sum"], words["output"]],
        [
            [words[f"strategy_{way}"], *map(two_digits, row), two_digits(sum(row)), _average(row, machine.values)]
            for way, row in weights.items()
        ],
    )


def _heads(machine: Machine, words: Words) -> Table:
    """One head, and two that have half of the numbers each, as in notebook 08."""
    two = [
        replace(machine, queries=_cut(machine.queries, h), keys=_cut(machine.keys, h), values=_cut(machine.values, h))
        for h in (0, 1)
    ]
    joined = vector_text([number for head in two for number in head.output])
    rows = [(words["one_head"], machine), *((words["head"].format(number=h + 1), two[h]) for h in (0, 1))]
    return Table(
        words["heads_caption"].format(one=vector_text(machine.output), two=joined),
        [words["heads"], *_names(machine, words), words["output"]],
        [[name, *map(two_digits, head.weights), vector_text(head.output)] for name, head in rows],
    )


def _gradient(machine: Machine, words: Words) -> Table:
    """The softmax's Jacobian, as in notebook 02: ∂αᵢ/∂sⱼ = αᵢ(1 − αᵢ) where i is j, and −αᵢαⱼ elsewhere."""
    weights = machine.weights
    matrix = [[a * ((i == j) - b) for j, b in enumerate(weights)] for i, a in enumerate(weights)]
    names = _names(machine, words)
    return Table(
        words["gradient_caption"].format(norm=f"{math.hypot(*(each for row in matrix for each in row)):.3f}"),
        [words["gradient"], *names],
        [[name, *map(written, row)] for name, row in zip(names, matrix, strict=True)],
    )


def _kinds(machine: Machine, words: Words) -> Table:
    """Three kinds of score, and the angle between query and key, as in notebook 03."""
    query = machine.queries[machine.query]
    rows: list[list[str]] = []
    for name, key, dot in zip(_names(machine, words), machine.keys, machine.raw, strict=True):
        scores = [dot, dot / math.sqrt(len(query)), sum(math.tanh(q + k) for q, k in zip(query, key, strict=True))]
        lengths = math.hypot(*query) * math.hypot(*key)
        angle = f"{math.degrees(math.acos(min(max(dot / lengths, -1), 1))):.0f}°" if lengths else words["no_angle"]
        rows.append([name, *map(written, scores), angle])
    kinds = [words[f"kind_{kind}"] for kind in ("dot", "scaled", "additive")]
    caption = words["kinds_caption"].format(word=called(machine.tokens, machine.query, words))
    return Table(caption, [words["word"], *kinds, words["angle"]], rows)


def _width(_machine: Machine, words: Words) -> Table:
    """How far q·k, q·k/√d and q·k/d spread in theory, as in notebook 02; the page draws random vectors and measures."""
    return Table(
        words["width_caption"],
        [words["width"], words["scale_none"], words["scale_root"], words["scale_width"]],
        [[str(d), *map(written, (math.sqrt(d), 1.0, 1 / math.sqrt(d)))] for d in (4, 16, 64, 256, 1024)],
    )


PANELS: dict[str, Callable[[Machine, Words], Table]] = {
    "strategies": _strategies,
    "width": _width,
    "gradient": _gradient,
    "kinds": _kinds,
    "heads": _heads,
}


def _names(machine: Machine, words: Words) -> list[str]:
    return [called(machine.tokens, i, words) for i in range(len(machine.tokens))]


def _average(weights: Sequence[float], values: Sequence[Sequence[float]]) -> str:
    return vector_text([sum(map(float.__mul__, weights, column)) for column in zip(*values, strict=True)])


def _cut(vectors: list[list[float]], half: int) -> list[list[float]]:
    return [vector[half * len(vector) // 2 : (half + 1) * len(vector) // 2] for vector in vectors]
