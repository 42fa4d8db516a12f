"""Yours beside wanted, as a page of the site shows it: tables in colours, or the words of the check's report.

They are HTML, and no pictures: they can be read on a phone and on a dark page, and a page with a hundred stays light.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from torch import Tensor

from helpers.checks.chance import Estimates
from helpers.checks.engine import Exercise, Misconception, first_failure
from helpers.checks.heatmaps import told
from helpers.checks.report import Report, rich

_SEED = 0  # of the example that a page shows
_MOST_CELLS = 16


@dataclass(frozen=True)
class Table:
    """A mistake's cells and the right ones, with a name for each row and column where there are such names.

    The two may differ in size: a mistake may write a token too many.
    """

    mistake: Sequence[Sequence[Any]]
    right: Sequence[Sequence[Any]]
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()


@dataclass(frozen=True)
class Pair:
    """What there is to see of a mistake: tables, with a word on what they are, or else what the check says of it."""

    tables: Sequence[Table]
    caption: str
    given: str = ""
    problem: str = ""

    @property
    def html(self) -> str:
        """The tables, or where there are none what the check says."""
        if not self.tables:
            return f'<p class="problem">✗ {rich(self.problem)}</p>'
        return "".join(f'<div class="pair">{_side_by_side(table)}</div>' for table in self.tables)


def of_report(exercise: Exercise, misconception: Misconception) -> Pair | None:
    """What a report shows of a mistake: the smallest example of the first property that fails."""
    if not misconception.wrong:
        return None
    finding = first_failure(misconception.wrong[0], exercise, _SEED)
    if finding is None or finding.case is None:
        return None
    report = Report(exercise, _SEED, [finding], (misconception,), "")
    picture, laid_out = report.picture, None
    if picture is not None:
        laid_out = Table(picture.yours, picture.wanted)
    elif finding.observed.error is None:
        laid_out = _table(finding.observed.value, finding.case.want)
    caption = f"Fails at “{finding.property.text}”."
    return Pair([laid_out] if laid_out else [], caption, ", ".join(report.given), finding.problem or "")


def _table(got: Any, want: Any) -> Table | None:
    """What a report tells in words: two numbers, two rows of tokens, or two small matrices of different size."""
    if isinstance(got, tuple) and isinstance(want, tuple) and len(got) == len(want):
        pairs = zip(got, want, strict=True)
        tables = (_table(mine, other) for mine, other in pairs if isinstance(mine, Tensor | list))  # and no shapes
        return next((table for table in tables if table is not None), None)
    mine, other = _cells(got), _cells(want)
    return Table(mine, other) if mine and other and mine != other else None


def _cells(value: Any) -> list[list[Any]]:
    """A value as rows of cells; none if it is nothing that a small table shows."""
    if isinstance(value, Estimates):
        return [list(value.numbers)]
    if isinstance(value, Tensor):
        small = 0 < value.dim() <= 2 and 0 < value.numel() <= _MOST_CELLS
        return (value if value.dim() == 2 else value.unsqueeze(0)).tolist() if small else []
    if isinstance(value, list) and 0 < len(value) <= _MOST_CELLS and all(isinstance(each, str | int) for each in value):
        return [value]
    return [[value]] if isinstance(value, int | float) and not isinstance(value, bool) else []


def _side_by_side(table: Table) -> str:
    digits = 4 if _differing(table, 4) and not _differing(table, 2) else 2
    largest = max((abs(value) for cells in (table.mistake, table.right) for value in _numbers(cells)), default=0.0)
    marks = set(_differing(table, digits))
    sides = []
    for name, cells in (("mistake", table.mistake), ("right", table.right)):
        rows = []
        for place, row in enumerate(cells):
            title = f'<th scope="row">{escape(table.rows[place])}</th>' if place < len(table.rows) else ""
            told_row = (_cell(value, (place, column) in marks, largest, digits) for column, value in enumerate(row))
            rows.append(f"<tr>{title}{''.join(told_row)}</tr>")
        body = f"<tbody>{''.join(rows)}</tbody>"
        sides.append(f"<table><caption>{name}</caption>{_head(table, len(cells[0]))}{body}</table>")
    return "".join(sides)


def _head(table: Table, width: int) -> str:
    if len(table.columns) != width:
        return ""
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    return f"<thead><tr>{'<td></td>' if table.rows else ''}{names}</tr></thead>"


def _differing(table: Table, digits: int) -> list[tuple[int, int]]:
    """The cells of either side that the other lacks, or has otherwise when told in so many digits."""
    mine, other = (
        {(place, column): told(value, digits) for place, row in enumerate(cells) for column, value in enumerate(row)}
        for cells in (table.mistake, table.right)
    )
    return [place for place in mine | other if mine.get(place) != other.get(place)]


def _cell(value: Any, differs: bool, largest: float, digits: int) -> str:
    """A number on its colour, which lets the page through."""
    finite = isinstance(value, bool | float) and abs(value) < float("inf")  # whole numbers are ids: no colour
    share = round(6 + 50 * abs(value) / largest) if finite and largest else 0
    classes = ["negative"] * (finite and value < 0) + ["differs"] * differs
    of_class = f' class="{" ".join(classes)}"' if classes else ""
    return f'<td{of_class} style="--s:{share}%">{escape(told(value, digits))}</td>'


def _numbers(cells: Sequence[Sequence[Any]]) -> Iterator[float]:
    for row in cells:
        yield from (value for value in row if isinstance(value, bool | int | float) and abs(value) < float("inf"))
