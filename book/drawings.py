"""Mistakes whose results are drawn and no matrices: which token a link leads to, and what a plotting function draws."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.checks import figures
from helpers.checks.lab07_alignment_heatmaps.plot_attention_mistakes import Sketch
from helpers.plotting import HEATMAP, KEY, QUERY, outline_links, plot_attention, subplots


@dataclass(frozen=True)
class Picture:
    """A picture as a page needs it. `width` is in CSS pixels."""

    png: bytes
    width: int
    caption: str
    alternative: str


@dataclass(frozen=True)
class Input:
    """A small input of an exercise, in words, and what its rows and columns are, for each matrix that comes back."""

    words: str
    args: tuple
    rows: Sequence[Sequence[str]]
    columns: Sequence[Sequence[str]]
    best_for: tuple[str, ...] = ()  # the mistakes that are to be drawn on this input, though others come before it


def _picture(figure: Figure, given: Input, difference: str = "") -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    caption = f"{given.words} Left: the mistake. Right: as it should be."
    width = round(80 * figure.get_size_inches()[0])
    return Picture(buffer.getvalue(), width, caption, f"{caption} {difference}".rstrip())


# --- Links: which source token belongs to a target token -----------------------------------------------------------


def find_links(answer: Callable, given: Input) -> set[tuple[int, int]]:
    weights, threshold = given.args
    found = answer(weights.clone()) if threshold is None else answer(weights.clone(), threshold)
    links = {(int(target), int(source)) for target, source in found}
    if any(target >= len(weights) or source >= weights.shape[1] for target, source in links):
        raise ValueError("a link lies outside")
    return links


def draw_links(seen: set, right: set, given: Input) -> Picture:
    figure, axes = subplots(1, 2, size=(8.4, 3.4))
    for ax, title, links in zip(axes, ("mistake", "right"), (seen, right), strict=True):
        plot_attention(given.args[0], given.columns[0], given.rows[0], ax=ax, title=title, numbers=True)
        outline_links(ax, links)
    rows, columns = given.rows[0], given.columns[0]

    def named(links: set) -> str:
        return ", ".join(f"{rows[target]} – {columns[source]}" for target, source in sorted(links)) or "no links"

    return _picture(figure, given, f"The mistake links {named(seen)}; right is {named(right)}.")


ENGLISH, FRENCH = ("the", "red", "car", "stops"), ("la", "voiture", "rouge", "s'arrête")
CROSSING = torch.tensor([[70, 10, 15, 5], [5, 15, 75, 5], [5, 80, 10, 5], [5, 5, 30, 60]]) / 100
_TIED = torch.tensor([[40, 10, 40, 10], [5, 15, 75, 5], [5, 80, 10, 5], [25, 25, 25, 25]]) / 100
_NOT = torch.tensor([[20, 75, 5], [5, 10, 85], [10, 60, 30]]) / 100
LINK_INPUTS = [
    Input(
        "Frames mark the links, one for each target token.",
        (_NOT, None),
        [("ne", "s'arrête", "pas")],
        [("does", "not", "stop")],
    ),
    Input("Frames mark the links, one for each target token.", (CROSSING, None), [FRENCH], [ENGLISH]),
    Input("Frames mark the links; two rows have a tie.", (_TIED, None), [FRENCH], [ENGLISH]),
    Input("Frames mark the links, with a threshold of 0.3.", (CROSSING, 0.3), [FRENCH], [ENGLISH]),
    Input("Frames mark the links, with a threshold of 0.4.", (_TIED, 0.4), [FRENCH], [ENGLISH]),
    Input("Frames mark the links, with a threshold of 0.", (CROSSING, 0.0), [FRENCH], [ENGLISH]),
]


# --- Drawings: what a plotting function draws ----------------------------------------------------------------------


def drawn(answer: Sketch, given: Input) -> figures.Picture:
    picture = answer.drawing(given.args[0], list(given.columns[0]), list(given.rows[0]), True).picture
    assert picture is not None  # it was given an Axes
    return picture


def drawn_otherwise(seen: figures.Picture, right: figures.Picture) -> bool:
    def told(picture: figures.Picture) -> tuple:
        return [(each.values.tolist(), each.scale) for each in picture.heatmaps], picture.x, picture.y

    return told(seen) != told(right)


def draw_drawings(seen: figures.Picture, right: figures.Picture, given: Input) -> Picture:
    rows, columns = len(given.rows[0]), len(given.columns[0])
    figure, axes = subplots(1, 2, size=(2 * (2.6 + 0.22 * columns), 1.6 + 0.24 * rows))
    for ax, title, picture in zip(axes, ("mistake", "right"), (seen, right), strict=True):
        _redraw(ax, picture)
        ax.set_title(title, loc="left")
    return _picture(figure, given)


def _redraw(ax: Axes, picture: figures.Picture) -> None:
    for heatmap in picture.heatmaps:
        low, high = heatmap.scale
        image = ax.imshow(heatmap.values.numpy(), cmap=HEATMAP, vmin=low, vmax=high)
        ax.figure.colorbar(image, ax=ax, shrink=0.8)
    ax.set(xlim=picture.x.limits, ylim=picture.y.limits)
    ax.set_xticks(
        [place for place, _ in picture.x.labels], [token for _, token in picture.x.labels], rotation=45, ha="right"
    )
    ax.set_yticks([place for place, _ in picture.y.labels], [token for _, token in picture.y.labels])
    ax.set_xlabel(picture.x.title, color=KEY)
    ax.set_ylabel(picture.y.title, color=QUERY)


def _diagonal(words: Sequence[str], words_too: Sequence[str]) -> Input:
    weights = (3 * torch.eye(len(words_too), len(words))).softmax(-1)
    return Input(f"A sentence of {len(words)} tokens.", (weights,), [words_too], [words])


DRAWING_INPUTS = [
    Input("The red car and its French.", (CROSSING[:3],), [FRENCH[:3]], [ENGLISH]),
    _diagonal(("the", "car", "and", "the", "bus"), ("la", "voiture", "et", "le", "bus")),
    _diagonal(tuple("ABCDEFGHIJKL"), tuple("ABCDEFGHIJKL")),
]
