"""What an answer gave beside what was wanted: two small matrices, as HTML tables in colours and as text.

A large or a deep tensor is cut down to the matrix, and in it to the rows and columns, where the first difference lies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import torch
from torch import Tensor

from helpers.checks import wording
from helpers.checks.engine import tolerance_of
from helpers.checks.judging import number

_MOST_ROWS, _MOST_COLUMNS = 6, 8


@dataclass(frozen=True)
class Beside:
    """Two matrices of one shape, cell by cell, and which of the cells differ."""

    yours: tuple[tuple[float | bool | int | str, ...], ...]
    wanted: tuple[tuple[float | bool | int | str, ...], ...]
    differ: tuple[tuple[bool, ...], ...]
    note: str  # where this was cut out; empty if it is all there is

    @property
    def text(self) -> str:
        """Both side by side; a star stands behind each of your cells that differs."""
        digits = _digits(self.yours, self.wanted, self.differ)
        yours, wanted = (_columns(cells, digits) for cells in (self.yours, self.wanted))
        left = [
            "[" + " ".join(cell + ("*" if far else " ") for cell, far in zip(row, marks, strict=True)) + "]"
            for row, marks in zip(yours, self.differ, strict=True)
        ]
        right = ["[" + " ".join(row) + "]" for row in wanted]
        width = max(len(wording.YOURS), *map(len, left))
        lines = [f"{wording.YOURS:{width}}   {wording.WANTED}"]
        lines += [f"{mine:{width}}   {other}" for mine, other in zip(left, right, strict=True)]
        return "\n".join(lines + ([self.note] if self.note else []))

    @property
    def html(self) -> str:
        digits = _digits(self.yours, self.wanted, self.differ)
        largest = max((abs(value) for value in self._numbers()), default=0.0)
        tables = "".join(
            f'<div style="display: inline-block; margin: 0 24px 4px 0; vertical-align: top">'
            f'<div style="font-size: 12px">{escape(title)}</div>{_table(cells, self.differ, largest, digits)}</div>'
            for title, cells in ((wording.YOURS, self.yours), (wording.WANTED, self.wanted))
        )
        note = f'<div style="font-size: 12px">{escape(self.note)}</div>' if self.note else ""
        return f"<div>{tables}{note}</div>"

    def _numbers(self) -> Iterator[float]:
        for row in (*self.yours, *self.wanted):
            for value in row:
                if isinstance(value, bool | int | float) and abs(value) < float("inf"):
                    yield float(value)


def beside(got: Any, want: Any) -> Beside | None:
    """The picture of a result and the wanted one; None where they can't be laid side by side, or don't differ."""
    if isinstance(got, tuple | list) and isinstance(want, tuple | list):
        if len(got) != len(want) and all(isinstance(each, str) for each in (*got, *want)):
            return None
        pictures = (beside(mine, other) for mine, other in zip(got, want, strict=False))
        return next((picture for picture in pictures if picture is not None), None)
    if isinstance(got, dict) and isinstance(want, dict):
        return beside([got.get(name) for name in want], list(want.values()))
    if not isinstance(got, Tensor) or not isinstance(want, Tensor):
        return None
    try:
        if got.shape != want.shape or not got.numel() or got.is_complex() or got.is_meta:
            return None
        return _of_tensors(got.detach().cpu(), want.detach().cpu())
    except Exception:  # sparse, nested, … : there is nothing to lay side by side
        return None


def _of_tensors(got: Tensor, want: Tensor) -> Beside | None:
    tolerance = max(tolerance_of(got.dtype), tolerance_of(want.dtype))
    far = ~torch.isclose(got.double(), want.double(), rtol=tolerance, atol=tolerance, equal_nan=True)
    if not far.any():
        return None
    index, notes = far.nonzero()[0].tolist(), []
    if got.dim() > 2:
        leading = tuple(index[:-2])
        got, want, far, index = got[leading], want[leading], far[leading], index[-2:]
        notes.append(wording.of_place(leading))
    while got.dim() < 2:
        got, want, far, index = got.unsqueeze(0), want.unsqueeze(0), far.unsqueeze(0), [0, *index]
    for axis, most, what in ((0, _MOST_ROWS, "rows"), (1, _MOST_COLUMNS, "columns")):
        size = got.shape[axis]
        if size > most:
            first = max(0, min(index[axis] - most // 2, size - most))
            got, want, far = (each.narrow(axis, first, most) for each in (got, want, far))
            notes.append(wording.cut_out(what, first, first + most - 1, size))
    yours, wanted, differ = (tuple(map(tuple, each.tolist())) for each in (got, want, far))
    return Beside(yours, wanted, differ, ", ".join(notes))


def _digits(yours: tuple[tuple, ...], wanted: tuple[tuple, ...], differ: tuple[tuple[bool, ...], ...]) -> int:
    """How many decimals it takes to tell apart what differs: two, or four."""
    pairs = (
        (mine, other)
        for row, others, marks in zip(yours, wanted, differ, strict=True)
        for mine, other, far in zip(row, others, marks, strict=True)
        if far
    )
    return 4 if any(told(mine, 2) == told(other, 2) for mine, other in pairs) else 2


def _columns(cells: tuple[tuple, ...], digits: int) -> list[list[str]]:
    written = [[told(value, digits) for value in row] for row in cells]
    widths = [max(map(len, column)) for column in zip(*written, strict=True)]
    return [[value.rjust(width) for value, width in zip(row, widths, strict=True)] for row in written]


def told(value: Any, digits: int) -> str:
    """A cell in few decimals, or in few digits where it is huge or tiny."""
    if not isinstance(value, float) or not 0.5 * 10**-digits <= abs(value) < 1000:
        return number(value, digits)
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def _table(cells: tuple[tuple, ...], differ: tuple[tuple[bool, ...], ...], largest: float, digits: int) -> str:
    rows = "".join(
        '<tr style="background-color: transparent; border: none">'
        + "".join(_cell(value, far, largest, digits) for value, far in zip(row, marks, strict=True))
        + "</tr>"
        for row, marks in zip(cells, differ, strict=True)
    )
    return (
        f'<table style="border-collapse: separate; border-spacing: 1px; border: none; margin: 0; width: auto">'
        f"<tbody>{rows}</tbody></table>"
    )


def _cell(value: Any, differs: bool, largest: float, digits: int) -> str:
    """A number on its colour, which lets the page through: it can be read on white and on dark."""
    finite = isinstance(value, bool | int | float) and abs(value) < float("inf")
    share = abs(value) / largest if finite and largest else 0.0
    colour = "42, 122, 191" if not finite or value >= 0 else "230, 159, 0"
    style = (
        f"background-color: rgba({colour}, {0.06 + 0.5 * share:.2f}); text-align: right; padding: 1px 6px; "
        "font-size: 12px; line-height: 1.3; min-width: 26px; border: 2px "
        + ("solid #D55E00; font-weight: bold" if differs else "solid transparent")
    )
    return f'<td style="{style}">{escape(told(value, digits))}</td>'
