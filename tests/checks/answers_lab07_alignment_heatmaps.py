"""Answers to lab 7, as students write them: right in many styles, wrong in many ways."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MultipleLocator

from tests.checks.bank import Bank

BANK = Bank()
right, wrong = BANK.right, BANK.wrong

# === plot_attention: right ============================================================================================


@right("plot_attention")
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


@right("plot_attention")
def by_matshow_with_labels_on_top(weights, source_tokens, target_tokens, ax=None):
    ax = plt.gca() if ax is None else ax
    ax.matshow(weights.detach(), vmin=0, vmax=1, cmap="viridis")
    ax.set_xticks(np.arange(len(source_tokens)))
    ax.set_xticklabels(source_tokens, rotation=90)
    ax.set_yticks(np.arange(len(target_tokens)))
    ax.set_yticklabels(target_tokens)
    ax.set(xlabel="Source sentence", ylabel="Target sentence", title="Attention")
    return ax


@right("plot_attention")
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


@right("plot_attention")
def by_pcolor_turned_over(weights, source_tokens, target_tokens, ax=None):
    """The rows the other way round, both numbers and labels: what is seen is the same."""
    ax = plt.gca() if ax is None else ax
    ax.pcolor(weights.detach().flip(0).numpy(), vmin=0, vmax=1)
    ax.set_xticks([i + 0.5 for i in range(len(source_tokens))], source_tokens)
    ax.set_yticks([i + 0.5 for i in range(len(target_tokens))], target_tokens[::-1])
    ax.set_xlabel("source")
    ax.set_ylabel("target")
    return ax


@right("plot_attention")
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


@right("plot_attention")
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


@right("plot_attention")
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


@right("plot_attention")
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


# === plot_attention: wrong ============================================================================================


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


@wrong("plot_attention", named="transposed")
def transposed(weights, source_tokens, target_tokens, ax=None):
    draw = plotted(lambda ax, w: ax.imshow(w.T, vmin=0, vmax=1))
    return draw(weights, source_tokens, target_tokens, ax)


@wrong("plot_attention", named="transposed")
def transposed_with_its_labels(weights, source_tokens, target_tokens, ax=None):
    ax = plt.gca() if ax is None else ax
    ax.imshow(weights.detach().numpy().T, vmin=0, vmax=1)
    ax.set_xticks(range(len(target_tokens)), target_tokens)
    ax.set_yticks(range(len(source_tokens)), source_tokens)
    ax.set_xlabel("target")
    ax.set_ylabel("source")
    return ax


@wrong("plot_attention", named="transposed")
def right_for_as_many_targets_as_sources(weights, source_tokens, target_tokens, ax=None):
    ax = plt.gca() if ax is None else ax
    mesh = ax.pcolormesh(weights.detach().T.numpy(), vmin=0, vmax=1)
    ax.figure.colorbar(mesh, ax=ax)
    ax.invert_yaxis()
    ax.set_xticks([i + 0.5 for i in range(len(source_tokens))], source_tokens)
    ax.set_yticks([i + 0.5 for i in range(len(target_tokens))], target_tokens)
    ax.set(xlabel="source", ylabel="target")
    return ax


@wrong("plot_attention", named="origin-at-the-bottom")
def origin_lower(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(w, vmin=0, vmax=1, origin="lower"))(*args, **kwargs)


@wrong("plot_attention", named="origin-at-the-bottom")
def mesh_from_below(weights, source_tokens, target_tokens, ax=None):
    ax = plt.gca() if ax is None else ax
    ax.pcolormesh(weights.detach().numpy(), vmin=0, vmax=1)
    ax.set_xticks([i + 0.5 for i in range(len(source_tokens))], source_tokens)
    ax.set_yticks([i + 0.5 for i in range(len(target_tokens))], target_tokens)
    ax.set(xlabel="source", ylabel="target")
    return ax


@wrong("plot_attention", named="origin-at-the-bottom")
def inverted_once_too_often(*args, **kwargs):
    return plotted(lambda ax, w: (ax.imshow(w, vmin=0, vmax=1), ax.invert_yaxis()))(*args, **kwargs)


@wrong("plot_attention", named="labels-misplaced")
def labels_without_ticks(*args, **kwargs):
    return plotted(
        columns=lambda ax, tokens: ax.set_xticklabels(tokens), rows=lambda ax, tokens: ax.set_yticklabels(tokens)
    )(*args, **kwargs)


@wrong("plot_attention", named="labels-misplaced")
def row_labels_without_ticks(*args, **kwargs):
    return plotted(rows=lambda ax, tokens: ax.set_yticklabels(tokens))(*args, **kwargs)


@wrong("plot_attention", named="labels-misplaced")
def tutorial_without_its_empty_label(*args, **kwargs):
    def label(ax, tokens):
        ax.xaxis.set_major_locator(MultipleLocator(1))
        ax.set_xticklabels(tokens)

    return plotted(columns=label)(*args, **kwargs)


@wrong("plot_attention", named="labels-misplaced")
def mesh_labelled_at_its_edges(weights, source_tokens, target_tokens, ax=None):
    ax = plt.gca() if ax is None else ax
    ax.pcolormesh(weights.detach().numpy(), vmin=0, vmax=1)
    ax.invert_yaxis()
    ax.set_xticks(range(len(source_tokens)), source_tokens)
    ax.set_yticks(range(len(target_tokens)), target_tokens)
    ax.set(xlabel="source", ylabel="target")
    return ax


@wrong("plot_attention", named="labels-misplaced")
def ticks_from_1(*args, **kwargs):
    return plotted(columns=lambda ax, tokens: ax.set_xticks(range(1, len(tokens) + 1), tokens))(*args, **kwargs)


@wrong("plot_attention", named="labels-skipped")
def right_for_short_sentences(*args, **kwargs):
    def label(ax, tokens):
        ax.xaxis.set_major_formatter(lambda x, _: tokens[int(x)] if x == int(x) and 0 <= x < len(tokens) else "")

    return plotted(columns=label)(*args, **kwargs)


@wrong("plot_attention", named="labels-skipped")
def every_second_if_there_are_many(*args, **kwargs):
    def label(ax, tokens):
        step = 2 if len(tokens) > 9 else 1
        ax.set_xticks(range(0, len(tokens), step), tokens[::step])

    return plotted(columns=label)(*args, **kwargs)


@wrong("plot_attention", named="labels-missing")
def no_labels(*args, **kwargs):
    return plotted(columns=lambda ax, tokens: None, rows=lambda ax, tokens: None)(*args, **kwargs)


@wrong("plot_attention", named="labels-missing")
def labels_on_the_columns_only(*args, **kwargs):
    return plotted(rows=lambda ax, tokens: ax.set_yticks([]))(*args, **kwargs)


@wrong("plot_attention", named="labels-missing")
def numbered_rows(*args, **kwargs):
    return plotted(rows=lambda ax, tokens: ax.set_yticks(range(len(tokens))))(*args, **kwargs)


@wrong("plot_attention", named="labels-missing")
def axis_switched_off(*args, **kwargs):
    return plotted(draw=lambda ax, w: (ax.imshow(w, vmin=0, vmax=1), ax.axis("off")))(*args, **kwargs)


@wrong("plot_attention", named="labels-in-reverse")
def rows_labelled_backwards(*args, **kwargs):
    return plotted(rows=lambda ax, tokens: ax.set_yticks(range(len(tokens)), tokens[::-1]))(*args, **kwargs)


@wrong("plot_attention", named="repeated-tokens-merged")
def right_if_no_token_comes_back(weights, source_tokens, target_tokens, ax=None):
    ax = plt.gca() if ax is None else ax
    ax.imshow(weights.detach(), vmin=0, vmax=1)
    columns = {token: column for column, token in reversed(list(enumerate(source_tokens)))}
    rows = {token: row for row, token in reversed(list(enumerate(target_tokens)))}
    ax.set_xticks(list(columns.values()), list(columns))
    ax.set_yticks(list(rows.values()), list(rows))
    ax.set(xlabel="source", ylabel="target")
    return ax


@wrong("plot_attention", named=None)
def tokens_as_coordinates(weights, source_tokens, target_tokens, ax=None):
    ax = plt.gca() if ax is None else ax
    ax.pcolormesh(source_tokens, target_tokens, weights.detach(), vmin=0, vmax=1)
    ax.invert_yaxis()
    ax.set(xlabel="source", ylabel="target")
    return ax


@wrong("plot_attention", named="scale-per-picture")
def scale_left_to_matplotlib(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(w, cmap="Blues"))(*args, **kwargs)


@wrong("plot_attention", named="scale-per-picture")
def upper_end_left_open(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(w, vmin=0))(*args, **kwargs)


@wrong("plot_attention", named="scale-per-picture")
def up_to_the_largest_weight(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(w, vmin=0, vmax=w.max().item()))(*args, **kwargs)


@wrong("plot_attention", named="scale-per-picture")
def scale_reset_by_a_second_call(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(w, vmin=0, vmax=1).autoscale())(*args, **kwargs)


@wrong("plot_attention", named="other-numbers")
def stretched_to_the_largest(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(w / w.max(), vmin=0, vmax=1))(*args, **kwargs)


@wrong("plot_attention", named="other-numbers")
def in_percent(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(100 * w, vmin=0, vmax=100))(*args, **kwargs)


@wrong("plot_attention", named="other-numbers")
def rounded_to_a_tenth(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(w.mul(10).round().div(10), vmin=0, vmax=1))(*args, **kwargs)


@wrong("plot_attention", named="titles-missing")
def untitled(*args, **kwargs):
    return plotted(titles=("", ""))(*args, **kwargs)


@wrong("plot_attention", named="titles-exchanged")
def titles_exchanged(*args, **kwargs):
    return plotted(titles=("target", "source"))(*args, **kwargs)


@wrong("plot_attention", named="global-figure")
def all_on_the_current_figure(weights, source_tokens, target_tokens, ax=None):
    plt.imshow(weights.detach(), vmin=0, vmax=1)
    plt.xticks(range(len(source_tokens)), source_tokens)
    plt.yticks(range(len(target_tokens)), target_tokens)
    plt.xlabel("source")
    plt.ylabel("target")
    return plt.gca()


@wrong("plot_attention", named="global-figure")
def drawn_elsewhere_and_the_given_axes_returned(weights, source_tokens, target_tokens, ax=None):
    drawn = all_on_the_current_figure(weights, source_tokens, target_tokens)
    return drawn if ax is None else ax


@wrong("plot_attention", named="global-figure")
def labels_on_the_current_figure(weights, source_tokens, target_tokens, ax=None):
    if ax is None:
        ax = plt.gca()
    ax.imshow(weights.detach(), vmin=0, vmax=1)
    plt.xticks(range(len(source_tokens)), source_tokens)
    plt.yticks(range(len(target_tokens)), target_tokens)
    plt.xlabel("source")
    plt.ylabel("target")
    return ax


@wrong("plot_attention", named="global-figure")
def always_a_new_figure(*args, **kwargs):
    return plotted(where=lambda ax: plt.subplots(figsize=(4, 4))[1])(*args, **kwargs)


@wrong("plot_attention", named="global-figure")
def an_empty_figure_besides(*args, **kwargs):
    plt.figure(figsize=(4, 4))
    return plotted()(*args, **kwargs)


@wrong("plot_attention", named="axes-not-returned")
def nothing_returned(*args, **kwargs):
    plotted()(*args, **kwargs)


@wrong("plot_attention", named="axes-not-returned")
def figure_returned(*args, **kwargs):
    return plotted(back=lambda ax: ax.figure)(*args, **kwargs)


@wrong("plot_attention", named="axes-not-returned")
def figure_and_axes_returned(*args, **kwargs):
    return plotted(back=lambda ax: (ax.figure, ax))(*args, **kwargs)


@wrong("plot_attention", named="ax-required")
def needs_an_axes(*args, **kwargs):
    return plotted(where=lambda ax: ax)(*args, **kwargs)


@wrong("plot_attention", named="writes-into-arguments")
def inserts_an_empty_token(weights, source_tokens, target_tokens, ax=None):
    ax = by_imshow(weights, list(source_tokens), list(target_tokens), ax)
    source_tokens.insert(0, "")
    return ax


@wrong("plot_attention", named="writes-into-arguments")
def clears_small_weights(weights, source_tokens, target_tokens, ax=None):
    ax = by_imshow(weights.clone(), source_tokens, target_tokens, ax)
    weights[weights < 0.5] = 0
    return ax


@wrong("plot_attention", named=None)
def colours_of_its_own(*args, **kwargs):
    return plotted(lambda ax, w: ax.imshow(plt.get_cmap("Blues")(w.numpy())))(*args, **kwargs)


# === hard_alignment: right ============================================================================================


@right("hard_alignment")
def by_argmax_and_nonzero(weights, threshold=None):
    if threshold is None:
        return set(enumerate(weights.argmax(dim=1).tolist()))
    return {(t, s) for t, s in (weights >= threshold).nonzero().tolist()}


@right("hard_alignment")
def by_loops(weights, threshold=None):
    links = set()
    for t in range(weights.shape[0]):
        best = 0
        for s in range(weights.shape[1]):
            if threshold is not None and weights[t, s] >= threshold:
                links.add((t, s))
            if weights[t, s] > weights[t, best]:
                best = s
        if threshold is None:
            links.add((t, best))
    return links


@right("hard_alignment")
def by_numpy(weights, threshold=None):
    array = weights.detach().numpy()
    if threshold is None:
        return set(zip(range(len(array)), array.argmax(axis=1), strict=True))
    return set(zip(*np.where(array >= threshold), strict=True))


@right("hard_alignment")
def by_lists(weights, threshold=None):
    rows = weights.tolist()
    if threshold is None:
        return frozenset((t, row.index(max(row))) for t, row in enumerate(rows))
    return frozenset((t, s) for t, row in enumerate(rows) for s, weight in enumerate(row) if weight >= threshold)


@right("hard_alignment")
def by_max_with_a_threshold_of_its_own(weights, threshold=None):
    if threshold is not None:
        t, s = torch.where(weights >= threshold)
        return set(zip(t.tolist(), s.tolist(), strict=True))
    values, places = weights.max(dim=-1)
    return {(t, places[t].item()) for t in range(len(values))}


# === hard_alignment: wrong ============================================================================================


@wrong("hard_alignment", named="argmax-over-targets")
def argmax_over_the_first_axis(weights, threshold=None):
    if threshold is not None:
        return by_lists(weights, threshold)
    return {(t, s) for s, t in enumerate(weights.argmax(0).tolist())}


@wrong("hard_alignment", named="argmax-over-targets")
def argmax_over_the_first_axis_and_reversed(weights, threshold=None):
    if threshold is not None:
        return by_lists(weights, threshold)
    return set(enumerate(weights.argmax(0).tolist()))


@wrong("hard_alignment", named="pairs-reversed")
def source_first(weights, threshold=None):
    return {(s, t) for t, s in by_lists(weights, threshold)}


@wrong("hard_alignment", named="pairs-reversed")
def source_first_above_a_threshold(weights, threshold=None):
    links = by_lists(weights, threshold)
    return links if threshold is None else {(s, t) for t, s in links}


@wrong("hard_alignment", named="threshold-ignored")
def argmax_always(weights, threshold=0.5):
    return by_lists(weights)


@wrong("hard_alignment", named="one-link-at-most")
def argmax_if_it_is_large(weights, threshold=None):
    values, places = weights.max(-1)
    return {(t, int(places[t])) for t in range(len(values)) if threshold is None or values[t] >= threshold}


@wrong("hard_alignment", named="largest-always-linked")
def at_least_the_largest(weights, threshold=None):
    return by_lists(weights) | by_lists(weights, 2.0 if threshold is None else threshold)


@wrong("hard_alignment", named="above-only")
def strictly_above(weights, threshold=None):
    if threshold is None:
        return by_lists(weights)
    return {tuple(pair) for pair in (weights > threshold).nonzero().tolist()}


@wrong("hard_alignment", named="zero-is-no-threshold")
def if_threshold(weights, threshold=None):
    if threshold:
        return by_lists(weights, threshold)
    return by_lists(weights)


@wrong("hard_alignment", named="ties-all-linked")
def every_largest(weights, threshold=None):
    if threshold is None:
        return {tuple(pair) for pair in (weights == weights.amax(-1, keepdim=True)).nonzero().tolist()}
    return by_lists(weights, threshold)


@wrong("hard_alignment", named="ties-to-the-last")
def last_of_the_sorted(weights, threshold=None):
    if threshold is None:
        return {(t, max(range(len(row)), key=lambda s: (row[s], s))) for t, row in enumerate(weights.tolist())}
    return by_lists(weights, threshold)


@wrong("hard_alignment", named="one-link-in-all")
def largest_of_the_matrix(weights, threshold=None):
    if threshold is not None:
        return by_lists(weights, threshold)
    return {tuple((weights == weights.max()).nonzero()[0].tolist())}


@wrong("hard_alignment", named="counts-from-1")
def counted_from_1(weights, threshold=None):
    return {(t + 1, s + 1) for t, s in by_lists(weights, threshold)}


@wrong("hard_alignment", named="not-a-set")
def a_list(weights, threshold=None):
    return list(by_lists(weights, threshold))


@wrong("hard_alignment", named="tensors-in-pairs")
def pairs_of_tensors(weights, threshold=None):
    if threshold is None:
        return {(torch.tensor(t), weights[t].argmax()) for t in range(len(weights))}
    return {(t, s) for t, s in (weights >= threshold).nonzero()}


@wrong("hard_alignment", named="tensors-in-pairs")
def argmax_left_a_tensor(weights, threshold=None):
    if threshold is None:
        return {(t, row.argmax()) for t, row in enumerate(weights)}
    return by_lists(weights, threshold)


@wrong("hard_alignment", named="not-a-set")
def sources_only(weights, threshold=None):
    return {s for _, s in by_lists(weights, threshold)}


@wrong("hard_alignment", named="threshold-relative")
def a_share_of_the_largest(weights, threshold=None):
    if threshold is None:
        return by_lists(weights)
    return by_lists(weights / weights.amax(-1, keepdim=True), threshold)


@wrong("hard_alignment", named="writes-into-weights")
def small_weights_cleared(weights, threshold=None):
    links = by_lists(weights, threshold)
    weights[weights < 0.5] = 0
    return links


@wrong("hard_alignment", named=None)
def right_for_square_weights_only(weights, threshold=None):
    if threshold is not None:
        return by_lists(weights, threshold)
    return {(t, int(weights[t].argmax())) for t in range(weights.shape[1])}


@wrong("hard_alignment", named=None)
def each_source_once(weights, threshold=None):
    links, taken = set(), set()
    for t, s in sorted(by_lists(weights, threshold)):
        if s not in taken:
            links.add((t, s))
            taken.add(s)
    return links


# === alignment_error_rate: right ======================================================================================


@right("alignment_error_rate")
def by_the_formula(predicted, sure, possible):
    if not sure.issubset(possible):
        raise ValueError("every link in sure must be in possible")
    if len(predicted) + len(sure) == 0:
        return 0.0
    return 1 - (len(predicted & sure) + len(predicted & possible)) / (len(predicted) + len(sure))


@right("alignment_error_rate")
def by_counting(predicted, sure, possible):
    for link in sure:
        if link not in possible:
            raise ValueError(f"sure: {link} is not in possible")
    hits = 0
    for link in predicted:
        hits += (link in sure) + (link in possible)
    total = len(predicted) + len(sure)
    return 1.0 - hits / total if total else 0.0


@right("alignment_error_rate")
def by_mistakes(predicted, sure, possible):
    """Wrong links and missing links over all of them."""
    if sure - possible:
        raise ValueError("possible must contain sure")
    wrong_links, missing = len(predicted - possible), len(sure - predicted)
    return (wrong_links + missing) / max(len(predicted) + len(sure), 1)


@right("alignment_error_rate")
def by_fallback(predicted, sure, possible):
    if any(link not in possible for link in sure):
        raise ValueError("`sure` has links that `possible` lacks")
    try:
        rate = (len(predicted.intersection(sure)) + len(predicted.intersection(possible))) / (
            len(predicted) + len(sure)
        )
    except ZeroDivisionError:
        return 0.0
    return float(np.float64(1.0) - rate)


# === alignment_error_rate: wrong ======================================================================================


def rate(formula, refuse=True):
    """An error rate by a formula, with everything else as it should be."""

    def error_rate(predicted, sure, possible):
        if refuse and not sure <= possible:
            raise ValueError("sure must be a subset of possible")
        if not predicted and not sure:
            return 0.0
        return formula(predicted, sure, possible)

    return error_rate


@wrong("alignment_error_rate", named="one-minus-f1")
def f1_against_sure(*sets):
    return rate(lambda a, s, p: 1 - 2 * len(a & s) / (len(a) + len(s)))(*sets)


@wrong("alignment_error_rate", named="possible-counted-as-sure")
def f1_against_possible(*sets):
    return rate(lambda a, s, p: 1 - 2 * len(a & p) / (len(a) + len(p)) if a or p else 0.0)(*sets)


@wrong("alignment_error_rate", named="possible-counted-as-sure")
def possible_in_the_denominator(*sets):
    return rate(lambda a, s, p: 1 - (len(a & s) + len(a & p)) / (len(a) + len(p)))(*sets)


@wrong("alignment_error_rate", named="sets-exchanged")
def sure_meets_possible(*sets):
    return rate(lambda a, s, p: 1 - (len(a & s) + len(s & p)) / (len(a) + len(s)))(*sets)


@wrong("alignment_error_rate", named="sets-exchanged")
def arguments_in_another_order(*sets):
    return rate(lambda a, s, p: 1 - (len(p & s) + len(p & a)) / (len(p) + len(s)) if p or s else 0.0)(*sets)


@wrong("alignment_error_rate", named="sets-exchanged")
def precision_by_sure_and_recall_by_possible(*sets):
    def formula(a, s, p):
        if not a or not p or not a & s:
            return 1.0
        precision, recall = len(a & s) / len(a), len(a & p) / len(p)
        return 1 - 2 * precision * recall / (precision + recall)

    return rate(formula)(*sets)


@wrong("alignment_error_rate", named="possible-without-sure")
def possible_only_the_unsure(*sets):
    return rate(lambda a, s, p: 1 - (len(a & s) + len(a & (p - s))) / (len(a) + len(s)))(*sets)


@wrong("alignment_error_rate", named="precision-only")
def wrong_links_only(*sets):
    return rate(lambda a, s, p: len(a - p) / len(a) if a else 1.0)(*sets)


@wrong("alignment_error_rate", named="precision-only")
def missing_links_only(*sets):
    return rate(lambda a, s, p: 1 - len(a & s) / len(s) if s else 1.0)(*sets)


@wrong("alignment_error_rate", named="mean-of-precision-and-recall")
def harmonic_mean(*sets):
    def formula(a, s, p):
        precision, recall = len(a & p) / max(len(a), 1), len(a & s) / max(len(s), 1)
        return 1 - 2 * precision * recall / (precision + recall) if precision + recall else 1.0

    return rate(formula)(*sets)


@wrong("alignment_error_rate", named="rate-of-success")
def one_minus_forgotten(*sets):
    return rate(lambda a, s, p: (len(a & s) + len(a & p)) / (len(a) + len(s)))(*sets)


@wrong("alignment_error_rate", named="percent")
def hundred_times(*sets):
    return rate(lambda a, s, p: 100 * by_the_formula(a, s, p))(*sets)


@wrong("alignment_error_rate", named="empty-sets-divide-by-zero")
def division_by_zero(predicted, sure, possible):
    if not sure <= possible:
        raise ValueError("sure")
    return 1 - (len(predicted & sure) + len(predicted & possible)) / (len(predicted) + len(sure))


@wrong("alignment_error_rate", named="empty-sets-divide-by-zero")
def perfect_if_one_is_empty(predicted, sure, possible):
    if not sure <= possible:
        raise ValueError("sure")
    return by_the_formula(predicted, sure, possible) if predicted and sure else 0.0


@wrong("alignment_error_rate", named="empty-sets-divide-by-zero")
def worst_if_both_are_empty(predicted, sure, possible):
    return by_the_formula(predicted, sure, possible) if predicted or sure or not sure <= possible else 1.0


@wrong("alignment_error_rate", named="nothing-refused")
def anything_goes(*sets):
    return rate(lambda a, s, p: 1 - (len(a & s) + len(a & p)) / (len(a) + len(s)), refuse=False)(*sets)


@wrong("alignment_error_rate", named="nothing-refused")
def asserted(predicted, sure, possible):
    assert sure <= possible, "sure must be a subset of possible"
    return by_the_formula(predicted, sure, possible)


@wrong("alignment_error_rate", named="wordless-refusal")
def refused_without_a_word(predicted, sure, possible):
    if not sure <= possible:
        raise ValueError
    return by_the_formula(predicted, sure, possible)


@wrong("alignment_error_rate", named="nothing-refused")
def refused_only_if_something_is_predicted(predicted, sure, possible):
    if not predicted:
        return 1.0 if sure else 0.0
    return by_the_formula(predicted, sure, possible)


@wrong("alignment_error_rate", named="wrong-sets-refused")
def predicted_has_to_be_possible(predicted, sure, possible):
    if not predicted <= possible:
        raise ValueError("predicted must be a subset of possible")
    return by_the_formula(predicted, sure, possible)


@wrong("alignment_error_rate", named="writes-into-sets")
def counts_by_taking_away(predicted, sure, possible):
    result = by_the_formula(predicted, sure, possible)
    predicted -= possible
    return result


@wrong("alignment_error_rate", named="writes-into-sets")
def possible_made_to_fit(predicted, sure, possible):
    result = by_the_formula(predicted, sure, possible)
    possible.difference_update(sure)
    return result


@wrong("alignment_error_rate", named="not-a-float")
def a_tensor(predicted, sure, possible):
    return torch.tensor(by_the_formula(predicted, sure, possible))


# === ablate_source: right =============================================================================================


@right("ablate_source")
def by_where(weights, position):
    rest = weights.clone()
    rest[:, position] = 0
    total = rest.sum(dim=-1, keepdim=True)
    uniform = torch.full_like(rest, 1 / (weights.shape[1] - 1))
    uniform[:, position] = 0
    return torch.where(total > 0, rest / total, uniform)


@right("ablate_source")
def by_loops_over_rows(weights, position):
    rows = []
    for row in weights.tolist():
        row[position] = 0.0
        total = sum(row)
        if total == 0:
            row = [0.0 if s == position else 1.0 / (len(row) - 1) for s in range(len(row))]
        else:
            row = [weight / total for weight in row]
        rows.append(row)
    return torch.tensor(rows, dtype=weights.dtype)


@right("ablate_source")
def by_a_mask(weights, position):
    keep = torch.ones(weights.shape[1], dtype=torch.bool)
    keep[position] = False
    rest = torch.where(keep, weights, 0)
    bare = ~(rest > 0).any(dim=1)
    rest[bare] = keep.to(weights.dtype)
    return rest / rest.sum(1, keepdim=True)


@right("ablate_source")
def by_cutting_and_joining(weights, position):
    left, right_part = weights[:, :position], weights[:, position + 1 :]
    others = torch.cat([left, right_part], dim=1)
    total = others.sum(1, keepdim=True)
    others = torch.where(total == 0, torch.ones_like(others), others)
    others = others / others.sum(1, keepdim=True)
    nothing = weights.new_zeros(len(weights), 1)
    return torch.cat([others[:, :position], nothing, others[:, position:]], dim=1)


@right("ablate_source")
def by_what_is_left_of_1(weights, position):
    left = 1 - weights[:, [position]]
    column = torch.nn.functional.one_hot(torch.tensor(position), weights.shape[1]).to(weights.dtype)
    uniform = (1 - column) / (weights.shape[1] - 1)
    return torch.where(left == 0, uniform, weights * (1 - column) / left)


@right("ablate_source")
def by_a_masked_softmax_of_logarithms(weights, position):
    logs = weights.log()
    logs[:, position] = -torch.inf
    bare = logs.isneginf().all(-1)
    logs[bare] = 0.0
    logs[:, position] = -torch.inf
    return logs.softmax(-1)


# === ablate_source: wrong =============================================================================================


@wrong("ablate_source", named="not-renormalised")
def column_cleared_only(weights, position):
    result = weights.clone()
    result[:, position] = 0
    return result


@wrong("ablate_source", named="nan-row")
def zero_by_zero(weights, position):
    result = weights.clone()
    result[:, position] = 0
    return result / result.sum(-1, keepdim=True)


@wrong("ablate_source", named="bare-row")
def nan_turned_to_0(weights, position):
    return zero_by_zero(weights, position).nan_to_num(0.0)


@wrong("ablate_source", named="bare-row")
def a_little_in_the_denominator(weights, position):
    result = column_cleared_only(weights, position)
    return result / (result.sum(-1, keepdim=True) + 1e-9)


@wrong("ablate_source", named="bare-row")
def removed_token_gets_its_share(weights, position):
    return zero_by_zero(weights, position).nan_to_num(1 / weights.shape[1])


@wrong("ablate_source", named="bare-row")
def removed_token_left_in_a_bare_row(weights, position):
    result = zero_by_zero(weights, position)
    return torch.where(result.isnan(), weights, result)


@wrong("ablate_source", named="all-rows-uniform")
def one_bare_row_for_all(weights, position):
    result = column_cleared_only(weights, position)
    if (result.sum(-1) == 0).any():
        result = torch.ones_like(weights)
        result[:, position] = 0
    return result / result.sum(-1, keepdim=True)


@wrong("ablate_source", named="nearly-all-taken-for-all")
def nearly_all(weights, position):
    rest = column_cleared_only(weights, position)
    uniform = by_where(torch.eye(weights.shape[1], dtype=weights.dtype)[[position]], position)
    return torch.where(weights[:, [position]] > 0.99, uniform, rest / rest.sum(-1, keepdim=True).clamp_min(1e-9))


@wrong("ablate_source", named="shared-equally")
def handed_out_in_equal_parts(weights, position):
    result = weights + weights[:, [position]] / (weights.shape[1] - 1)
    result[:, position] = 0
    return result


@wrong("ablate_source", named="softmax-again")
def softmax_of_the_rest(weights, position):
    result = weights.clone()
    result[:, position] = -torch.inf
    return result.softmax(-1)


@wrong("ablate_source", named="wrong-axis")
def row_cleared(weights, position):
    result = weights.clone()
    result[position % len(weights)] = 0
    return result / result.sum(-1, keepdim=True).clamp_min(1e-9)


@wrong("ablate_source", named="wrong-axis")
def normalised_over_the_targets(weights, position):
    rest = column_cleared_only(weights, position)
    bare = rest.sum(-1, keepdim=True) == 0
    uniform = by_where(torch.eye(weights.shape[1], dtype=weights.dtype)[[position]], position)
    return torch.where(bare, uniform, rest / rest.sum(0, keepdim=True).clamp_min(1e-9))


@wrong("ablate_source", named="wrong-axis")
def normalised_over_everything(weights, position):
    rest = column_cleared_only(weights, position)
    bare = rest.sum(-1, keepdim=True) == 0
    uniform = by_where(torch.eye(weights.shape[1], dtype=weights.dtype)[[position]], position)
    return torch.where(bare, uniform, rest / rest.sum() * len(rest))


@wrong("ablate_source", named="column-cut-out")
def one_column_less(weights, position):
    others = torch.cat([weights[:, :position], weights[:, position + 1 :]], dim=1)
    return others / others.sum(1, keepdim=True)


@wrong("ablate_source", named="another-column")
def counted_from_one(weights, position):
    return by_where(weights, position - 1)


@wrong("ablate_source", named="input-changed")
def in_place(weights, position):
    weights[:, position] = 0
    return by_a_mask(weights, position)


@wrong("ablate_source", named="input-changed")
def through_a_view(weights, position):
    rest = weights.view(weights.shape)
    rest[:, position] = 0
    return by_where(rest, position)


@wrong("ablate_source", named="type-changed")
def always_float32(weights, position):
    return by_where(weights.float(), position)


@wrong("ablate_source", named="type-changed")
def uniform_in_float32(weights, position):
    rest = column_cleared_only(weights, position)
    uniform = torch.ones(weights.shape) / (weights.shape[1] - 1)
    uniform[:, position] = 0
    total = rest.sum(-1, keepdim=True)
    return torch.where(total == 0, uniform, rest / total)


@wrong("ablate_source", named="nothing-returned")
def kept_to_itself(weights, position):
    by_where(weights, position)


@wrong("ablate_source", named=None)
def right_for_one_row_only(weights, position):
    rest = column_cleared_only(weights, position)
    total = rest[0].sum()
    return rest / total if total > 0 else by_where(weights, position)
