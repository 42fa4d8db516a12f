"""The course's pictures: one style, one colour each for query, key and value, and heatmaps with their words on.

Nothing here touches pyplot's global state, and nothing needs a screen: figures are plain
`matplotlib.figure.Figure`s, which `show` puts into the notebook together with a caption that says in words
what there is to see.

Chinese words need a font that has them, and few computers have one that matplotlib finds. With this module
every figure has the course's own (`helpers/fonts`) for the characters that the usual font lacks.
"""

import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from matplotlib.rcsetup import cycler
from torch import Tensor

from helpers.training import History

# Okabe and Ito's palette (2008), which colour-blind readers can tell apart. The first three are kept for
# query, key and value in every picture, formula and table.
QUERY = "#0072B2"  # blue
KEY = "#D55E00"  # vermilion
VALUE = "#009E73"  # green
OTHERS = ("#CC79A7", "#E69F00", "#56B4E9", "#000000")  # purple, orange, sky blue, black

CHINESE_FONT = Path(__file__).with_name("fonts") / "NotoSansCJKsc-subset.otf"

HEATMAP = "Blues"  # one hue from white to dark: reads the same in grey and for every kind of sight
GRID = "#DDDDDD"

_MARGIN = 0.1  # inches: on a dark page a picture is a white card, whose words mustn't touch its edge
_SHOWN, _DRAWN = 80, 160  # dots an inch: how large a picture is shown, and how finely it is drawn, twice as finely
_WIDEST = 11.3  # inches for a grid: a page shows 750 pixels, and what is much wider has words that nobody can read
# Any: Matplotlib's own type of a key lists every setting that there is.
_STYLE: dict[Any, Any] = {
    "figure.dpi": _SHOWN,
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    # With the colours, so that lines that are drawn later have it as well.
    "axes.prop_cycle": cycler(color=(QUERY, KEY, VALUE, *OTHERS)) * cycler(linewidth=[2]),
}

# Further fonts in the list are asked only for characters that those before lack: Latin letters stay as they are.
fontManager.addfont(CHINESE_FONT)
mpl.rcParams["font.family"] = [*mpl.rcParams["font.family"], FontProperties(fname=CHINESE_FONT).get_name()]


def subplots(rows: int = 1, columns: int = 1, size: tuple[float, float] = (6.0, 4.0), **kwargs):
    """A figure in the course's style with its axes, as `pyplot.subplots` gives them; `size` in inches.

    Further keyword arguments (`sharey`, `width_ratios`, …) go to `Figure.subplots`.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=_MARGIN, h_pad=_MARGIN))
        return figure, figure.subplots(rows, columns, **kwargs)


def plot_attention(
    weights: Float[Tensor, "target source"],
    source_tokens: Sequence[str],
    target_tokens: Sequence[str],
    ax: Axes | None = None,
    title: str | None = None,
    numbers: bool = False,
) -> Axes:
    """Draw attention weights as a heatmap: a row for each target token, from the top, a column for each source token.

    White is 0 and dark blue is 1 in every picture, so that pictures can be compared. With `numbers` each cell
    shows its weight. Without `ax` a new figure is made (`ax.figure`).

    Raises:
        ValueError: if the number of tokens doesn't fit the shape of `weights`.
    """
    _require_fit(weights, source_tokens, target_tokens)
    if ax is None:
        _, ax = subplots(size=_heatmap_size(source_tokens, target_tokens))
    _draw_heatmap(ax, weights, source_tokens, target_tokens, title, numbers)
    _add_scale(ax)
    return ax


def plot_attention_grid(
    weights: Sequence[Float[Tensor, "_ _"]],  # each (target, source), of sizes of its own
    source_tokens: Sequence[Sequence[str]],
    target_tokens: Sequence[Sequence[str]],
    titles: Sequence[str],
    columns: int = 3,
    numbers: bool = False,
) -> Figure:
    """Draw several heatmaps in a grid, all on the one colour scale from 0 to 1.

    There are at most so many `columns`, and fewer where the words would be too small to be read.

    Raises:
        ValueError: if the four sequences differ in length, or one picture's tokens don't fit its weights.
    """
    lengths = {len(weights), len(source_tokens), len(target_tokens), len(titles)}
    if len(lengths) > 1 or 0 in lengths:
        raise ValueError(
            "weights, source_tokens, target_tokens and titles need one entry for each picture, but have "
            f"{len(weights)}, {len(source_tokens)}, {len(target_tokens)} and {len(titles)}"
        )
    for each in zip(weights, source_tokens, target_tokens, strict=True):
        _require_fit(*each)
    sizes = [_heatmap_size(source, target) for source, target in zip(source_tokens, target_tokens, strict=True)]
    width, height = (max(side) for side in zip(*sizes, strict=True))
    rows = -(-len(weights) // min(columns, max(1, int(_WIDEST / width))))
    columns = -(-len(weights) // rows)
    figure, axes = subplots(rows, columns, size=(columns * width, rows * height), squeeze=False)
    for index, ax in enumerate(axes.flat):
        if index < len(weights):
            _draw_heatmap(ax, weights[index], source_tokens[index], target_tokens[index], titles[index], numbers)
        else:
            ax.remove()
    _add_scale(axes[0, 0], over=[ax for ax in axes.flat if ax.figure is not None])
    return figure


def outline_links(ax: Axes, sure: Collection[tuple[int, int]], possible: Collection[tuple[int, int]] = ()) -> Axes:
    """Draw a frame round cells of a heatmap: solid for the links (target, source) in `sure`, dotted for the others in
    `possible`. Both are counted from 0, as in a gold alignment.

    Raises:
        ValueError: if a link lies outside the heatmap, or there is none on `ax`.
    """
    rows, columns = ax.images[0].get_size() if ax.images else (0, 0)
    for target, source in {*sure, *possible}:
        if not (0 <= target < rows and 0 <= source < columns):
            raise ValueError(f"link ({target}, {source}) lies outside the heatmap of {rows} rows and {columns} columns")
        style = "solid" if (target, source) in sure else (0, (1, 1))
        # A little inside the cell, so that neighbours' frames don't cover each other.
        corner = (source - 0.43, target - 0.43)
        ax.add_patch(Rectangle(corner, 0.86, 0.86, fill=False, edgecolor=OTHERS[1], linewidth=1.8, linestyle=style))
    return ax


def draw_boxes(
    ax: Axes, boxes: Mapping[str, tuple[float, float, str, str]], arrows: Sequence[tuple[str, str, str]]
) -> Axes:
    """Draw a diagram: each box is (x, y, text, colour) under a name of its own, each arrow (from, to, colour).

    Raises:
        ValueError: if an arrow names a box that isn't there.
    """
    unknown = {name for source, target, _ in arrows for name in (source, target)} - set(boxes)
    if unknown:
        raise ValueError(f"arrows must go from box to box, but there is no box named {sorted(unknown)[0]!r}")
    drawn = {}
    for name, (x, y, text, colour) in boxes.items():
        frame = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": colour, "linewidth": 2}
        drawn[name] = ax.text(x, y, text, color=colour, ha="center", va="center", bbox=frame, zorder=2)
    for source, target, colour in arrows:
        ends = {"patchA": drawn[source].get_bbox_patch(), "patchB": drawn[target].get_bbox_patch()}
        style = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.5, "shrinkA": 2, "shrinkB": 2, **ends}
        ax.annotate("", xy=boxes[target][:2], xytext=boxes[source][:2], arrowprops=style, zorder=1)
    xs, ys = zip(*((x, y) for x, y, _, _ in boxes.values()), strict=True)
    ax.set(xlim=(min(xs) - 0.7, max(xs) + 0.7), ylim=(min(ys) - 0.35, max(ys) + 0.35))
    ax.axis("off")
    return ax


def show(figure: Figure, caption: str) -> None:
    """Put a figure into the notebook, and under it a caption that says in words what there is to see.

    The caption is also the picture's text alternative.
    """
    from IPython.display import Markdown, display

    picture, metadata = _picture(figure, caption)
    display(picture, metadata=metadata, raw=True)
    display(Markdown(_emphasised(caption)))


def _emphasised(caption: str) -> str:
    """The caption as Markdown, in which `<eos>` would be a tag of HTML and vanish."""
    return f"*{caption.replace('<', '&lt;')}*"


class LiveCurve:
    """A picture of the loss that grows while a model trains: `fit(..., watch=LiveCurve(caption))`.

    It is put into the notebook at once, with its caption under it, and each time that `fit` looks the same picture is
    drawn anew; the last one stays. If `fit` evaluates, the scores are drawn beside the losses.
    """

    def __init__(self, caption: str):
        from IPython.display import Markdown, display

        self.caption = caption
        picture, metadata = self._draw(History())
        self._shown = display(picture, metadata=metadata, raw=True, display_id=True)
        display(Markdown(_emphasised(caption)))

    def __call__(self, history: History) -> None:
        """Draw what `fit` has seen so far."""
        picture, metadata = self._draw(history)
        self._shown.update(picture, metadata=metadata, raw=True)

    def _draw(self, history: History) -> tuple[dict, dict]:
        curves = [("Loss in training", "loss (mean since the point before)", history.losses, OTHERS[0], "o")]
        if history.scores:
            curves.append(("Score on data not trained on", "score", history.scores, OTHERS[3], "s"))
        figure, axes = subplots(1, len(curves), size=(7.6, 3.2), squeeze=False)
        for ax, (title, label, values, colour, marker) in zip(axes.flat, curves, strict=True):
            ax.plot(history.steps, values, color=colour, marker=marker)
            ax.set_title(title, loc="left")
            ax.set(xlabel="training steps", ylabel=label, xlim=(0, None), ylim=(0, None))
        return _picture(figure, self.caption)


def _picture(figure: Figure, caption: str) -> tuple[dict, dict]:
    """What Jupyter needs to show a figure: the picture with its text form, and its size and text alternative."""
    _bring_to_the_style(figure)
    buffer = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, format="png", dpi=_DRAWN)
    width, height = (round(inches * _SHOWN) for inches in figure.get_size_inches())
    picture = {"image/png": buffer.getvalue(), "text/plain": f"[picture: {caption}]"}
    return picture, {"image/png": {"width": width, "height": height, "alt": caption}}


def _bring_to_the_style(figure: Figure) -> None:
    """Titles on the left and legends without a frame, as `subplots` can't have it for what comes after it."""
    for ax in figure.axes:
        if (title := ax.get_title()) and not ax.get_title(loc="left"):
            ax.set_title("")
            ax.set_title(title, loc="left")
        if (legend := ax.get_legend()) is not None:
            legend.get_frame().set_linewidth(0)


def _draw_heatmap(ax, weights, source_tokens, target_tokens, title, numbers) -> None:
    values = weights.detach().float().cpu().numpy()
    ax.imshow(values, cmap=HEATMAP, vmin=0.0, vmax=1.0, aspect="equal")
    slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, source_tokens)) > 4 else {}
    # A token with dollar signs is a token, not a formula.
    ax.set_xticks(range(len(source_tokens)), labels=source_tokens, parse_math=False, **slanted)
    ax.set_yticks(range(len(target_tokens)), labels=target_tokens, parse_math=False)
    # Thin lines between the cells lead the eye from a row to its column.
    ax.set_xticks([column - 0.5 for column in range(len(source_tokens) + 1)], minor=True)
    ax.set_yticks([row - 0.5 for row in range(len(target_tokens) + 1)], minor=True)
    ax.grid(which="minor", color=GRID, linewidth=0.5)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("source (keys)", color=KEY)
    ax.set_ylabel("target (queries)", color=QUERY)
    ax.set_title(title or "", loc="left")
    if numbers:
        for (row, column), value in _cells(values):
            ink = "white" if value > 0.715 else "black"  # whichever stands out more from the blue
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=9)


def _cells(values):
    return (((row, column), values[row, column]) for row in range(values.shape[0]) for column in range(values.shape[1]))


def _add_scale(ax: Axes, over: list[Axes] | None = None) -> None:
    ax.figure.colorbar(ax.images[0], ax=over or ax, label="attention weight", shrink=0.8)


def _heatmap_size(source_tokens: Sequence[str], target_tokens: Sequence[str]) -> tuple[float, float]:
    return 1.8 + 0.38 * max(len(source_tokens), 4), 1.4 + 0.38 * max(len(target_tokens), 4)


def _require_fit(weights: Tensor, source_tokens: Sequence[str], target_tokens: Sequence[str]) -> None:
    if not isinstance(weights, Tensor):
        raise ValueError(f"weights must be a tensor, not {type(weights).__name__}")
    if weights.dim() != 2 or tuple(weights.shape) != (len(target_tokens), len(source_tokens)):
        raise ValueError(
            f"weights must have shape ({len(target_tokens)}, {len(source_tokens)}), a row for each target token and a "
            f"column for each source token, not {tuple(weights.shape)}"
        )
