"""The course's pictures: one style, one colour each for query, key and value, and heatmaps with their words on.

Nothing here touches pyplot's global state, and nothing needs a screen: figures are plain
`matplotlib.figure.Figure`s, which `show` puts into the notebook together with a caption that says in words
what there is to see.
"""

import io
from collections.abc import Mapping, Sequence

import matplotlib as mpl
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

# Okabe and Ito's palette (2008), which colour-blind readers can tell apart. The first three are kept for
# query, key and value in every picture, formula and table.
QUERY = "#0072B2"  # blue
KEY = "#D55E00"  # vermilion
VALUE = "#009E73"  # green
OTHERS = ("#CC79A7", "#E69F00", "#56B4E9", "#000000")  # purple, orange, sky blue, black

HEATMAP = "Blues"  # one hue from white to dark: reads the same in grey and for every kind of sight
GRID = "#DDDDDD"

_STYLE = {
    "figure.dpi": 80,
    "savefig.dpi": 120,
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": mpl.cycler(color=(QUERY, KEY, VALUE, *OTHERS)),
    "lines.linewidth": 2,
    "legend.frameon": False,
}


def subplots(rows: int = 1, columns: int = 1, size: tuple[float, float] = (6.0, 4.0), **kwargs):
    """A figure in the course's style with its axes, as `pyplot.subplots` gives them; `size` in inches.

    Further keyword arguments (`sharey`, `width_ratios`, …) go to `Figure.subplots`.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
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
    columns = min(columns, len(weights))
    rows = -(-len(weights) // columns)
    sizes = [_heatmap_size(source, target) for source, target in zip(source_tokens, target_tokens, strict=True)]
    width, height = (max(side) for side in zip(*sizes, strict=True))
    figure, axes = subplots(rows, columns, size=(columns * width, rows * height), squeeze=False)
    for index, ax in enumerate(axes.flat):
        if index < len(weights):
            _draw_heatmap(ax, weights[index], source_tokens[index], target_tokens[index], titles[index], numbers)
        else:
            ax.remove()
    _add_scale(axes[0, 0], over=[ax for ax in axes.flat if ax.figure is not None])
    return figure


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
    x, y = zip(*((x, y) for x, y, _, _ in boxes.values()), strict=True)
    ax.set(xlim=(min(x) - 0.7, max(x) + 0.7), ylim=(min(y) - 0.35, max(y) + 0.35))
    ax.axis("off")
    return ax


def show(figure: Figure, caption: str) -> None:
    """Put a figure into the notebook, and under it a caption that says in words what there is to see.

    The caption is also the picture's text alternative.
    """
    from IPython.display import Markdown, display

    buffer = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, format="png")
    width, height = (round(inches * _STYLE["figure.dpi"]) for inches in figure.get_size_inches())
    display(
        {"image/png": buffer.getvalue(), "text/plain": f"[picture: {caption}]"},
        metadata={"image/png": {"width": width, "height": height, "alt": caption}},
        raw=True,
    )
    display(Markdown(f"*{caption}*"))


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
