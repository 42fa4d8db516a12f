"""Answers to `plot_attention`, as students write them: right in many styles, wrong in many ways."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MultipleLocator

from tests.checks.bank import Bank

BANK = Bank("plot_attention")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def by_imshow(weights, source_tokens, target_tokens, ax=None):
    if ax is None:
        _, ax = plt.subplots()
    image = ax.imshow(weights.detach().cpu().numpy(), cmap="Blues", vmin=0.0, vmax=1.0)
    ax.set_xticks(range(len(source_tokens)), labels=source_tokens, rotation=45, ha="right")
    ax.set_yticks(range(len(target_tokens)), labels=target_tokens)
    ax.set_xlabel("source")
    ax.set_ylabel("target")
    ax.figure.colorbar(image, ax=ax)
    return ax


@right
def by_matshow_with_labels_on_top(weights, source_tokens, target_tokens, ax=None):
    ax = plt.gca() if ax is None else ax
    ax.matshow(weights.detach(), vmin=0, vmax=1, cmap="viridis")
    ax.set_xticks(np.arange(len(source_tokens)))
    ax.set_xticklabels(source_tokens, rotation=90)
    ax.set_yticks(np.arange(len(target_tokens)))
    ax.set_yticklabels(target_tokens)
    ax.set(xlabel="Source sentence", ylabel="Target sentence", title="Attention")
    return ax


@right
def by_pcolormesh(weights, source_tokens, target_tokens, ax=None):
    if ax is None:
        ax = Figure(figsize=(4, 3)).add_subplot()
    mesh = ax.pcolormesh(weights.detach().numpy(), vmin=0, vmax=1, edgecolors="white", linewidth=0.5)
    ax.invert_yaxis()
    ax.set_xticks(torch.arange(weights.shape[1]) + 0.5, labels=source_tokens)
    ax.set_yticks(torch.arange(weights.shape[0]) + 0.5, labels=target_tokens)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("keys")
    ax.set_ylabel("queries")
    plt.colorbar(mesh, ax=ax)
    return ax


@right
def by_pcolor_turned_over(weights, source_tokens, target_tokens, ax=None):
    """The rows the other way round, both numbers and labels: what is seen is the same."""
    ax = plt.gca() if ax is None else ax
    ax.pcolor(weights.detach().flip(0).numpy(), vmin=0, vmax=1)
    ax.set_xticks([i + 0.5 for i in range(len(source_tokens))], source_tokens)
    ax.set_yticks([i + 0.5 for i in range(len(target_tokens))], target_tokens[::-1])
    ax.set_xlabel("source")
    ax.set_ylabel("target")
    return ax


@right
def by_pyplot_on_the_given_axes(weights, source_tokens, target_tokens, ax=None):
    if ax is None:
        plt.figure()
        ax = plt.gca()
    plt.sca(ax)
    plt.imshow(weights.detach(), norm=mpl.colors.Normalize(0, 1), aspect="auto", interpolation="nearest")
    plt.xticks(range(len(source_tokens)), source_tokens)
    plt.yticks(range(len(target_tokens)), target_tokens)
    plt.xlabel("source tokens")
    plt.ylabel("target tokens")
    plt.colorbar()
    plt.tight_layout()
    return plt.gcf().axes[0] if ax is None else ax


@right
def as_in_an_old_tutorial(weights, source_tokens, target_tokens, ax=None):
    """The first tick lies outside the picture, and takes the empty label."""
    ax = ax if ax is not None else plt.figure().add_subplot(111)
    ax.matshow(weights.detach().numpy(), cmap="bone", clim=(0, 1))
    ax.xaxis.set_major_locator(MultipleLocator(1))
    ax.yaxis.set_major_locator(MultipleLocator(1))
    ax.set_xticklabels(["", *source_tokens], rotation=90)
    ax.set_yticklabels(["", *target_tokens])
    ax.set_xlabel("input")
    ax.set_ylabel("output")
    plt.show()
    return ax


@right
def with_numbers_in_a_changed_style(weights, source_tokens, target_tokens, ax=None):
    plt.rcParams["font.size"] = 7
    plt.rcParams["image.origin"] = "lower"
    ax = plt.subplots()[1] if ax is None else ax
    values = weights.detach().tolist()
    image = ax.imshow(values, origin="upper", extent=(0, len(source_tokens), len(target_tokens), 0))
    image.set_clim(0, 1)
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            ax.text(column + 0.5, row + 0.5, f"{value:.2f}", ha="center", va="center")
    for axis, tokens in ((ax.xaxis, source_tokens), (ax.yaxis, target_tokens)):
        axis.set_major_locator(FixedLocator([i + 0.5 for i in range(len(tokens))]))
        axis.set_major_formatter(FixedFormatter(tokens))
    ax.set_xlabel("attended to (source)")
    ax.set_ylabel("written (target)")
    return ax


@right
def with_grid_lines_and_labels_on_both_sides(weights, source_tokens, target_tokens, ax=None):
    ax = Figure().subplots() if ax is None else ax
    x, y = np.arange(weights.shape[1] + 1) - 0.5, np.arange(weights.shape[0] + 1) - 0.5
    ax.pcolormesh(x, y, weights.detach().double().numpy(), vmin=0.0, vmax=1.0, cmap="Greys")
    ax.set_ylim(weights.shape[0] - 0.5, -0.5)
    ax.set_xticks(range(len(source_tokens)), source_tokens)
    ax.set_yticks(range(len(target_tokens)), target_tokens)
    ax.set_xticks(x, minor=True)
    ax.set_yticks(y, minor=True)
    ax.grid(which="minor")
    ax.tick_params(labeltop=True, labelright=True)
    ax.set_xlabel("source")
    ax.set_ylabel("target")
    return ax


# === Wrong ============================================================================================================


def plotted(draw=None, columns=None, rows=None, titles=("source", "target"), where=None, back=None):
    """A plotting function out of parts; the parts that aren't given are right."""

    def plot(weights, source_tokens, target_tokens, ax=None):
        axes = (plt.subplots()[1] if ax is None else ax) if where is None else where(ax)
        if draw is None:
            axes.imshow(weights.detach(), vmin=0, vmax=1)
        else:
            draw(axes, weights.detach())
        if columns is None:
            axes.set_xticks(range(len(source_tokens)), source_tokens)
        else:
            columns(axes, source_tokens)
        if rows is None:
            axes.set_yticks(range(len(target_tokens)), target_tokens)
        else:
            rows(axes, target_tokens)
        axes.set(xlabel=titles[0], ylabel=titles[1])
        return axes if back is None else back(axes)

    return plot


@wrong(named="transposed")
def transposed(weights, source_tokens, target_tokens, ax=None):
    draw = plotted(lambda ax, w: ax.imshow(w.T, vmin=0, vmax=1))
    return draw(weights, source_tokens, target_tokens, ax)


@wrong(named="transposed")
def transposed_with_its_labels(weights, source_tokens, target_tokens, ax=None):
    ax = plt.gca() if ax is None else ax
    ax.imshow(weights.detach().numpy().T, vmin=0, vmax=1)
    ax.set_xticks(range(len(target_tokens)), target_tokens)
    ax.set_yticks(range(len(source_tokens)), source_tokens)
    ax.set_xlabel("target")
    ax.set_ylabel("source")
    return ax


@wrong(named="transposed")
def right_for_as_many_targets_as_sources(weights, source_tokens, target_tokens, ax=None):
    ax = plt.gca() if ax is None else ax
    mesh = ax.pcolormesh(weights.detach().T.numpy(), vmin=0, vmax=1)
    ax.figure.colorbar(mesh, ax=ax)
    ax.invert_yaxis()
    ax.set_xticks([i + 0.5 for i in range(len(source_tokens))], source_tokens)
    ax.set_yticks([i + 0.5 for i in range(len(target_tokens))], target_tokens)
    ax.set(xlabel="source", ylabel="target")
    return ax


@wrong(named="origin-at-the-bottom")
def origin_lower(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(w, vmin=0, vmax=1, origin="lower"))(*args, **kwargs)


@wrong(named="origin-at-the-bottom")
def mesh_from_below(weights, source_tokens, target_tokens, ax=None):
    ax = plt.gca() if ax is None else ax
    ax.pcolormesh(weights.detach().numpy(), vmin=0, vmax=1)
    ax.set_xticks([i + 0.5 for i in range(len(source_tokens))], source_tokens)
    ax.set_yticks([i + 0.5 for i in range(len(target_tokens))], target_tokens)
    ax.set(xlabel="source", ylabel="target")
    return ax


@wrong(named="origin-at-the-bottom")
def inverted_once_too_often(*args, **kwargs):
    return plotted(lambda ax, w: (ax.imshow(w, vmin=0, vmax=1), ax.invert_yaxis()))(*args, **kwargs)


@wrong(named="labels-misplaced")
def labels_without_ticks(*args, **kwargs):
    return plotted(
        columns=lambda ax, tokens: ax.set_xticklabels(tokens), rows=lambda ax, tokens: ax.set_yticklabels(tokens)
    )(*args, **kwargs)


@wrong(named="labels-misplaced")
def row_labels_without_ticks(*args, **kwargs):
    return plotted(rows=lambda ax, tokens: ax.set_yticklabels(tokens))(*args, **kwargs)


@wrong(named="labels-misplaced")
def tutorial_without_its_empty_label(*args, **kwargs):
    def label(ax, tokens):
        ax.xaxis.set_major_locator(MultipleLocator(1))
        ax.set_xticklabels(tokens)

    return plotted(columns=label)(*args, **kwargs)


@wrong(named="labels-misplaced")
def mesh_labelled_at_its_edges(weights, source_tokens, target_tokens, ax=None):
    ax = plt.gca() if ax is None else ax
    ax.pcolormesh(weights.detach().numpy(), vmin=0, vmax=1)
    ax.invert_yaxis()
    ax.set_xticks(range(len(source_tokens)), source_tokens)
    ax.set_yticks(range(len(target_tokens)), target_tokens)
    ax.set(xlabel="source", ylabel="target")
    return ax


@wrong(named="labels-misplaced")
def ticks_from_1(*args, **kwargs):
    return plotted(columns=lambda ax, tokens: ax.set_xticks(range(1, len(tokens) + 1), tokens))(*args, **kwargs)


@wrong(named="labels-skipped")
def right_for_short_sentences(*args, **kwargs):
    def label(ax, tokens):
        ax.xaxis.set_major_formatter(lambda x, _: tokens[int(x)] if x == int(x) and 0 <= x < len(tokens) else "")

    return plotted(columns=label)(*args, **kwargs)


@wrong(named="labels-skipped")
def every_second_if_there_are_many(*args, **kwargs):
    def label(ax, tokens):
        step = 2 if len(tokens) > 9 else 1
        ax.set_xticks(range(0, len(tokens), step), tokens[::step])

    return plotted(columns=label)(*args, **kwargs)


@wrong(named="labels-missing")
def no_labels(*args, **kwargs):
    return plotted(columns=lambda ax, tokens: None, rows=lambda ax, tokens: None)(*args, **kwargs)


@wrong(named="labels-missing")
def labels_on_the_columns_only(*args, **kwargs):
    return plotted(rows=lambda ax, tokens: ax.set_yticks([]))(*args, **kwargs)


@wrong(named="labels-missing")
def numbered_rows(*args, **kwargs):
    return plotted(rows=lambda ax, tokens: ax.set_yticks(range(len(tokens))))(*args, **kwargs)


@wrong(named="labels-missing")
def axis_switched_off(*args, **kwargs):
    return plotted(draw=lambda ax, w: (ax.imshow(w, vmin=0, vmax=1), ax.axis("off")))(*args, **kwargs)


@wrong(named="labels-in-reverse")
def rows_labelled_backwards(*args, **kwargs):
    return plotted(rows=lambda ax, tokens: ax.set_yticks(range(len(tokens)), tokens[::-1]))(*args, **kwargs)


@wrong(named="repeated-tokens-merged")
def right_if_no_token_comes_back(weights, source_tokens, target_tokens, ax=None):
    ax = plt.gca() if ax is None else ax
    ax.imshow(weights.detach(), vmin=0, vmax=1)
    columns = {token: column for column, token in reversed(list(enumerate(source_tokens)))}
    rows = {token: row for row, token in reversed(list(enumerate(target_tokens)))}
    ax.set_xticks(list(columns.values()), list(columns))
    ax.set_yticks(list(rows.values()), list(rows))
    ax.set(xlabel="source", ylabel="target")
    return ax


@wrong(named=None)
def tokens_as_coordinates(weights, source_tokens, target_tokens, ax=None):
    ax = plt.gca() if ax is None else ax
    ax.pcolormesh(source_tokens, target_tokens, weights.detach(), vmin=0, vmax=1)
    ax.invert_yaxis()
    ax.set(xlabel="source", ylabel="target")
    return ax


@wrong(named="scale-per-picture")
def scale_left_to_matplotlib(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(w, cmap="Blues"))(*args, **kwargs)


@wrong(named="scale-per-picture")
def upper_end_left_open(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(w, vmin=0))(*args, **kwargs)


@wrong(named="scale-per-picture")
def up_to_the_largest_weight(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(w, vmin=0, vmax=w.max().item()))(*args, **kwargs)


@wrong(named="scale-per-picture")
def scale_reset_by_a_second_call(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(w, vmin=0, vmax=1).autoscale())(*args, **kwargs)


@wrong(named="other-numbers")
def stretched_to_the_largest(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(w / w.max(), vmin=0, vmax=1))(*args, **kwargs)


@wrong(named="other-numbers")
def in_percent(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(100 * w, vmin=0, vmax=100))(*args, **kwargs)


@wrong(named="other-numbers")
def rounded_to_a_tenth(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(w.mul(10).round().div(10), vmin=0, vmax=1))(*args, **kwargs)


@wrong(named="titles-missing")
def untitled(*args, **kwargs):
    return plotted(titles=("", ""))(*args, **kwargs)


@wrong(named="titles-exchanged")
def titles_exchanged(*args, **kwargs):
    return plotted(titles=("target", "source"))(*args, **kwargs)


@wrong(named="global-figure")
def all_on_the_current_figure(weights, source_tokens, target_tokens, ax=None):
    plt.imshow(weights.detach(), vmin=0, vmax=1)
    plt.xticks(range(len(source_tokens)), source_tokens)
    plt.yticks(range(len(target_tokens)), target_tokens)
    plt.xlabel("source")
    plt.ylabel("target")
    return plt.gca()


@wrong(named="global-figure")
def drawn_elsewhere_and_the_given_axes_returned(weights, source_tokens, target_tokens, ax=None):
    drawn = all_on_the_current_figure(weights, source_tokens, target_tokens)
    return drawn if ax is None else ax


@wrong(named="global-figure")
def labels_on_the_current_figure(weights, source_tokens, target_tokens, ax=None):
    if ax is None:
        ax = plt.gca()
    ax.imshow(weights.detach(), vmin=0, vmax=1)
    plt.xticks(range(len(source_tokens)), source_tokens)
    plt.yticks(range(len(target_tokens)), target_tokens)
    plt.xlabel("source")
    plt.ylabel("target")
    return ax


@wrong(named="global-figure")
def always_a_new_figure(*args, **kwargs):
    return plotted(where=lambda ax: plt.subplots(figsize=(4, 4))[1])(*args, **kwargs)


@wrong(named="global-figure")
def an_empty_figure_besides(*args, **kwargs):
    plt.figure(figsize=(4, 4))
    return plotted()(*args, **kwargs)


@wrong(named="axes-not-returned")
def nothing_returned(*args, **kwargs):
    plotted()(*args, **kwargs)


@wrong(named="axes-not-returned")
def figure_returned(*args, **kwargs):
    return plotted(back=lambda ax: ax.figure)(*args, **kwargs)


@wrong(named="axes-not-returned")
def figure_and_axes_returned(*args, **kwargs):
    return plotted(back=lambda ax: (ax.figure, ax))(*args, **kwargs)


@wrong(named="ax-required")
def needs_an_axes(*args, **kwargs):
    return plotted(where=lambda ax: ax)(*args, **kwargs)


@wrong(named="writes-into-arguments")
def inserts_an_empty_token(weights, source_tokens, target_tokens, ax=None):
    ax = by_imshow(weights, list(source_tokens), list(target_tokens), ax)
    source_tokens.insert(0, "")
    return ax


@wrong(named="writes-into-arguments")
def clears_small_weights(weights, source_tokens, target_tokens, ax=None):
    ax = by_imshow(weights.clone(), source_tokens, target_tokens, ax)
    weights[weights < 0.5] = 0
    return ax


@wrong(named=None)
def colours_of_its_own(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(plt.get_cmap("Blues")(w.numpy())))(*args, **kwargs)


@wrong(named="labels-exchanged")
def tokens_on_each_others_side(weights, source_tokens, target_tokens, ax=None):
    ax = ax or plt.gca()
    ax.imshow(weights.detach().numpy(), vmin=0, vmax=1)
    rows, columns = weights.shape
    ax.set_xticks(range(columns), (list(target_tokens) + [""] * columns)[:columns])
    ax.set_yticks(range(rows), (list(source_tokens) + [""] * rows)[:rows])
    ax.set(xlabel="source", ylabel="target")
    return ax
