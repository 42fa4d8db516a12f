"""What a student's plotting function has drawn, as plain data.

An Axes can't leave the process that it lives in. So `draw` does all that has to be done beside the function: it lays
out figures, calls it, and looks. What it gives back is a `Drawing`, made of nothing but text, numbers and tensors, and
that is all that a check judges.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import PolyQuadMesh, QuadMesh
from matplotlib.image import AxesImage
from torch import Tensor


@dataclass(frozen=True)
class Heatmap:
    """A matrix that is shown as colours."""

    values: Tensor  # (row, column), float64; NaN where a cell is left out
    x: Tensor  # (column,): the middle of each column, in the numbers of the x axis
    y: Tensor  # (row,): the middle of each row, in the numbers of the y axis
    scale: tuple[float, float]  # the values at both ends of the colour scale


@dataclass(frozen=True)
class Side:
    """The x axis or the y axis, as far as it is drawn."""

    limits: tuple[float, float]  # left and right, or bottom and top
    labels: tuple[tuple[float, str], ...]  # where each tick label stands, and what it says
    title: str


@dataclass(frozen=True)
class Picture:
    """What is to be seen on an Axes."""

    heatmaps: tuple[Heatmap, ...]
    x: Side
    y: Side


@dataclass(frozen=True)
class Drawing:
    """What a plotting function did."""

    gave: str  # `GIVEN` or `ANOTHER`; "an Axes" if it was given none; or the kind of thing that isn't an Axes
    picture: Picture | None  # on the Axes that it was given; if it was given none, on the Axes that it gave back
    elsewhere: tuple[str, ...]  # where else it drew, if it was given an Axes
    changed: tuple[int, ...]  # the positions of the arguments that are no longer what they were


GIVEN = "the Axes it was given"
ANOTHER = "another Axes than the one it was given"
CURRENT = "the current Axes, `plt.gca()`"


def draw(
    answer: Callable, weights: Tensor, source_tokens: Sequence[str], target_tokens: Sequence[str], on_axes: bool
) -> Drawing:
    """Call a plotting function on an Axes of its own (`on_axes`), or without one, and look at what it did.

    The Axes isn't pyplot's current one, so that drawing on that one shows. No figure is left open, none is shown, and
    what the function sets in `rcParams` is set back.
    """
    elsewhere = getattr(type(answer), "__drawing__", None)
    if elsewhere is not None:  # a stand-in for an answer that is elsewhere, and draws there
        return _from_data(elsewhere(answer, weights, list(source_tokens), list(target_tokens), on_axes))
    import matplotlib.pyplot as plt  # here, so that a check of another lab needn't wait for it

    args = (weights, list(source_tokens), list(target_tokens))
    before = (weights.detach().clone(), list(source_tokens), list(target_tokens))
    with _aside(plt):
        if not on_axes:
            plt.figure()  # what `plt.gca()` finds is ours, not a figure that the student has open
            result = answer(*args)
            return Drawing(_kind(result), _picture(result), (), _changed(before, args))
        _, (given, current) = plt.subplots(1, 2)  # the one made last is what pyplot takes for the current one
        open_figures, traces = set(plt.get_fignums()), _traces(current)
        result = answer(*args, given)
        others: tuple[str, ...] = () if _traces(current) == traces else (CURRENT,)
        if set(plt.get_fignums()) - open_figures:
            others += ("a new figure",)
        gave = GIVEN if result is given else ANOTHER if isinstance(result, Axes) else _kind(result)
        return Drawing(gave, _picture(given), others, _changed(before, args))


def _from_data(data: dict) -> Drawing:
    """A drawing from what `dataclasses.asdict` makes of one."""
    picture = data["picture"]
    if picture is not None:
        heatmaps = tuple(Heatmap(**heatmap) for heatmap in picture["heatmaps"])
        picture = Picture(heatmaps, Side(**picture["x"]), Side(**picture["y"]))
    return Drawing(data["gave"], picture, data["elsewhere"], data["changed"])


@contextlib.contextmanager
def _aside(plt: Any) -> Iterator[None]:
    """Whatever is drawn within goes nowhere, and afterwards pyplot is as it was."""
    # This loads the backend, if nothing has been drawn so far: doing so makes settings, and they are to stay.
    plt.draw_if_interactive()
    were_open = set(plt.get_fignums())
    current = plt.gcf().number if were_open else None
    try:
        # `plt.show()` would put the figures into the notebook, and an interactive backend would show them by itself.
        with plt.ioff(), patch.object(plt, "show", _show_nothing), mpl.rc_context(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as that the font lacks a character
            yield
    finally:
        for number in set(plt.get_fignums()) - were_open:
            plt.close(number)
        if current in plt.get_fignums():
            plt.figure(current)


def _show_nothing(*args: Any, **kwargs: Any) -> None:
    pass


def _kind(result: Any) -> str:
    if isinstance(result, Axes):
        return "an Axes"
    return "None" if result is None else f"a {type(result).__name__}"


def _changed(before: tuple, after: tuple) -> tuple[int, ...]:
    same = (torch.equal(before[0], after[0].detach()), before[1] == after[1], before[2] == after[2])
    return tuple(index for index, is_same in enumerate(same) if not is_same)


def _traces(axes: Axes) -> tuple:
    """What tells whether someone has drawn on an Axes, or has set something there."""
    ticks = [
        ticks for axis in (axes.xaxis, axes.yaxis) for ticks in (axis.get_major_locator(), axis.get_major_formatter())
    ]
    words = (axes.get_xlabel(), axes.get_ylabel(), axes.get_title())
    return ticks, words, axes.get_xlim(), axes.get_ylim(), len(axes.get_children())


def _picture(axes: Any) -> Picture | None:
    if not isinstance(axes, Axes):
        return None
    grids = (_grid(artist) for artist in axes.get_children() if artist.get_visible())
    return Picture(tuple(grid for grid in grids if grid is not None), _side(axes.xaxis), _side(axes.yaxis))


def _grid(artist: Any) -> Heatmap | None:
    """The matrix that an artist shows (`imshow` and `matshow`; `pcolormesh`, `pcolor`), if it shows one."""
    if isinstance(artist, AxesImage):
        values = _numbers(artist.get_array())
        left, right, bottom, top = artist.get_extent()
        first, last = (bottom, top) if artist.origin == "lower" else (top, bottom)
        if values is not None:
            x, y = _middles(left, right, values.shape[1]), _middles(first, last, values.shape[0])
    elif isinstance(artist, QuadMesh | PolyQuadMesh):
        values = _numbers(artist.get_array())
        corners = torch.as_tensor(artist.get_coordinates(), dtype=torch.float64)  # (row + 1, column + 1, 2)
        x, y = (corners[0, :-1, 0] + corners[0, 1:, 0]) / 2, (corners[:-1, 0, 1] + corners[1:, 0, 1]) / 2
    else:
        return None
    if values is None:
        return None
    low, high = artist.get_clim()
    return Heatmap(values, x, y, (float(low), float(high)))


def _numbers(array: Any) -> Tensor | None:
    """A masked array's numbers; None if they aren't a matrix (a picture that is already red, green and blue)."""
    if array is None or array.ndim != 2 or array.size == 0:
        return None
    return torch.tensor(array.astype(float).filled(float("nan")))


def _middles(start: float, end: float, count: int) -> Tensor:
    return start + (torch.arange(count, dtype=torch.float64) + 0.5) * (end - start) / count


def _side(axis: Axis) -> Side:
    low, high = (float(limit) for limit in axis.get_view_interval())
    slack = 1e-6 * abs(high - low)
    labels = set()
    for get_ticks, get_labels in (
        (axis.get_major_ticks, axis.get_majorticklabels),
        (axis.get_minor_ticks, axis.get_minorticklabels),
    ):
        get_labels()  # brings the ticks up to date, as drawing would
        for tick in get_ticks():
            if min(low, high) - slack <= tick.get_loc() <= max(low, high) + slack:
                drawn = [label for label in (tick.label1, tick.label2) if label.get_visible() and label.get_text()]
                labels |= {(float(tick.get_loc()), label.get_text()) for label in drawn}
    if not (axis.get_visible() and axis.axes.axison):
        return Side((low, high), (), "")
    title = axis.get_label_text() if axis.label.get_visible() else ""
    return Side((low, high), tuple(sorted(labels)), title)
