"""The picture of a class: how its marks are spread, and what it got wrong. No names, so that it can go on a slide."""

import textwrap
from collections.abc import Iterator

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from grading.mistakes import ClassResult, ExerciseResult, Mistake
from helpers.plotting import OTHERS, subplots

_MOST = 5  # mistakes of one exercise that are drawn; the page has them all
_NAMED, _UNNAMED, _MARKS = OTHERS[0], "#BBBBBB", OTHERS[2]
_WIDTH_OF_LABELS = 46  # characters
_BOLD = {"weight": "bold", "family": "sans-serif"}  # the course's Chinese font has no bold face


def draw(result: ClassResult) -> Figure:
    """The distribution of the points on the left, each exercise's mistakes on the right."""
    rows = list(_rows(result))
    height = max(5.0, 0.9 + 0.24 * sum(_lines(row) for row in rows))
    figure, (left, right) = subplots(1, 2, size=(13.0, height), width_ratios=[1, 1.25])
    _draw_points(left, result)
    _draw_mistakes(right, rows, len(result.marks))
    figure.suptitle(f"{result.lab}: {_counted(len(result.marks), 'submission')}", x=0.01, ha="left", **_BOLD)
    return figure


def _draw_points(ax: Axes, result: ClassResult) -> None:
    step = max(1, round(result.out_of / 25))
    edges = [edge - 0.5 for edge in range(0, int(result.out_of) + step + 1, step)]
    # Half a point counts as what it is rounded down to, so that full marks are full marks.
    ax.hist([int(total) for total in result.totals], bins=edges, color=_MARKS, edgecolor="black", linewidth=0.8)
    ax.set_xlim(edges[0] - 0.1, edges[-1] + 0.1)
    waiting = f"\n({_counted(result.waiting, 'written answer')} to mark)" if result.waiting else ""
    ax.set_title(f"How many points they have{waiting}", loc="left")
    ax.set(xlabel=f"points, of {result.out_of:g}", ylabel="students")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=14, steps=[1, 2, 4, 5, 10], integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_mistakes(ax: Axes, rows: list[ExerciseResult | Mistake], students: int) -> None:
    most = max((row.count for row in rows if isinstance(row, Mistake)), default=students)
    places, labels, y = [], [], 0.0
    for row in rows:
        places.append(y + _lines(row) / 2)
        labels.append(row.name if isinstance(row, ExerciseResult) else _wrapped(row))
        if isinstance(row, ExerciseResult):
            ax.text(0, places[-1], f" {_outcome(row)}", va="center")
        else:
            ax.barh(places[-1], row.count, height=0.75, color=_NAMED if row.explanation else _UNNAMED)
            ax.text(row.count, places[-1], f" {row.count}", va="center")
        y += _lines(row)
    ax.set_yticks(places, labels=labels, parse_math=False, fontsize=10)
    for row, label in zip(rows, ax.get_yticklabels(), strict=True):
        label.set(**(_BOLD if isinstance(row, ExerciseResult) else {}))
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel="students", xlim=(0, 1.1 * most), ylim=(y + 0.2, 0))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_title("What they got wrong", loc="left")


def _rows(result: ClassResult) -> Iterator[ExerciseResult | Mistake]:
    """The lines of the picture from the top: an exercise, then its mistakes, most common first."""
    for exercise in result.exercises:
        if exercise.by_hand:
            continue
        yield exercise
        yield from exercise.mistakes[:_MOST]
        if rest := exercise.mistakes[_MOST:]:
            yield Mistake(_counted(len(rest), "more mistake"), sum(each.count for each in rest), None)


def _outcome(exercise: ExerciseResult) -> str:
    parts = [f"{exercise.full} of {len(exercise.points)} have full marks"]
    parts += [f"{exercise.blank} blank"] if exercise.blank else []
    parts += [f"{exercise.not_tested} not tested"] if exercise.not_tested else []
    return ", ".join(parts)


def _wrapped(mistake: Mistake) -> str:
    return textwrap.fill(mistake.title.replace("`", ""), _WIDTH_OF_LABELS)


def _lines(row: ExerciseResult | Mistake) -> float:
    """The height of a row, in lines of text."""
    return 1.6 if isinstance(row, ExerciseResult) else _wrapped(row).count("\n") + 1.2


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
