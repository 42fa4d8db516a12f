"""What a check prints: plain text in a terminal, HTML in JupyterLab. The HTML is the same text, set more readably.

With it goes a record for programs, under a MIME type of its own: nothing shows it, and whoever looks through graded
notebooks finds there what was wrong without reading prose.
"""

import re
import sys
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from helpers.checks.engine import Exercise, Finding, Misconception, all_exercises, is_blank
from helpers.checks.judging import number, short

# Where lines of code lie that a student didn't write: the checks, Python and PyTorch.
NOT_THE_ANSWERS = tuple(str(Path(file).parent) for file in (__file__, traceback.__file__, torch.__file__))
RECORD = "application/vnd.attention-by-hand.check+json"  # the MIME type of `Report.record`
_MOST_NUMBERS = 60  # a larger tensor is told by its shape alone
_LONGEST = 400  # characters of a value, or of what an answer printed, that a report shows


def _display_or_print(bundle: dict[str, Any]) -> None:
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        ipython.display.display(bundle, raw=True)
    else:
        print(bundle["text/plain"])


# Where reports go, by MIME type: text, HTML and the record. Who runs tests elsewhere than in a notebook may take them.
publish: ContextVar[Callable[[dict[str, Any]], None]] = ContextVar("publish", default=_display_or_print)


@dataclass(frozen=True)
class Report:
    """The findings on one answer, ready to be shown."""

    exercise: Exercise
    seed: int
    findings: list[Finding]
    misconception: Misconception | None
    written: str  # what the answer itself printed while it was checked

    def show(self) -> None:
        """Display the report in a notebook, or print it elsewhere."""
        publish.get()({"text/plain": self.text, "text/html": self.html, RECORD: self.record})

    @property
    def record(self) -> dict[str, Any]:
        """What came out, for programs: the exercise, how many properties hold, the misconception's id or None."""
        return {
            "exercise": self.exercise.name,
            "blank": is_blank(self.findings),
            "held": len(self.findings) - len(self.failures),
            "properties": len(self.findings),
            "misconception": self.misconception and self.misconception.id,
        }

    @cached_property
    def failures(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.problem is not None]

    @cached_property
    def summary(self) -> str:
        """One sentence or two, for the exception."""
        name, failed, total = self.exercise.name, len(self.failures), len(self.findings)
        if is_blank(self.findings):
            return f"{name} is still blank." if self._blank_name == name else f"{name} waits for {self._blank_name}."
        failing = f"{failed} of {total} properties {'fails' if failed == 1 else 'fail'}"
        # The mistake comes first: nbgrader's `validate` cuts long lines.
        return f"{name}: {self.misconception.title} ({failing})" if self.misconception else f"{name}: {failing}"

    @cached_property
    def text(self) -> str:
        """The report as plain text."""
        if is_blank(self.findings):
            return self._blank
        properties = [f"  {_mark(each)} {each.property.text}{because}" for each, because in self._reasons]
        lines = [self._heading]
        for title, body in self._mistake:
            lines += ["", title, *_indented(body), ""]
        lines += properties
        for title, body in self._evidence:
            lines += ["", title, *_indented(body)]
        return "\n".join(lines)

    @cached_property
    def html(self) -> str:
        """The report as HTML, with everything that comes from the answer escaped."""
        if is_blank(self.findings):
            return _card(_BLUE, rich(self._blank))
        heading = f"<strong>{escape(self._heading)}</strong>"
        rows = "".join(
            f'<li style="{_ROW}">{_badge(each)}{rich(each.property.text)}{escape(because)}</li>'
            for each, because in self._reasons
        )
        mistake = "".join(_panel(_AMBER, title, f"<div>{rich(body)}</div>") for title, body in self._mistake)
        evidence = "".join(
            _panel(_GREY, title, f'<pre style="{_EXACTLY}">{escape(body)}</pre>') for title, body in self._evidence
        )
        properties = f'<ul style="{_LIST}">{rows}</ul>'
        return _card(_VERMILION if self.failures else _GREEN, heading + mistake + properties + evidence)

    @property
    def _blank(self) -> str:
        name = self._blank_name
        waits = "" if name == self.exercise.name else f"{self.exercise.name} calls {name}. "
        return (
            f"{waits}{name} still ends in `raise NotImplementedError()`. Put your answer in that line's place, "
            "run the cell, and then this one again."
        )

    @property
    def _blank_name(self) -> str:
        """The blank function: the exercise's own, or one that the answer calls."""
        frames = traceback.extract_tb(self.failures[0].observed.error.__traceback__)
        constructor = ("__init__",) if self.exercise.owner else ()
        return frames[-1].name if frames[-1].name in (*all_exercises(), *constructor) else self.exercise.name

    @property
    def _heading(self) -> str:
        held = len(self.findings) - len(self.failures)
        outcome = "every property holds" if not self.failures else f"{held} of {len(self.findings)} properties hold"
        return f"{self.exercise.name}: {outcome} (seed {self.seed})"

    @property
    def _reasons(self) -> list[tuple[Finding, str]]:
        """Each finding with what there is to say about it; the same error is told once."""
        told, reasons = set(), []
        for finding in self.findings:
            reasons.append((finding, " — the same" if finding.problem in told else _because(finding)))
            told |= {finding.problem} - {None}
        return reasons

    @property
    def _mistake(self) -> list[tuple[str, str]]:
        """The misconception, if there is one: its title and its explanation."""
        if self.misconception is None:
            return []
        title = f"It looks like this mistake: {self.misconception.title} [{self.misconception.id}]"
        return [(title, self.misconception.explanation)]

    @property
    def _evidence(self) -> list[tuple[str, str]]:
        """What the answer did, under titles: the smallest example that fails, and what was printed."""
        sections = []
        if self.failures:
            sections.append(("The smallest example that fails", self._example(self.failures[0])))
        if self.written:
            sections.append(("While it was checked, your answer printed", _shorten(self.written.rstrip())))
        return sections

    def _example(self, failure: Finding) -> str:
        given = zip(self.exercise.arguments, failure.case.args, strict=False)  # a default may be left out
        parts = [f"{name} = {_value(value)}" for name, value in given]
        if isinstance(failure.observed.value, Tensor):
            parts.append(f"{failure.property.shows}: {_value(failure.observed.value)}")
        parts.append(f"the problem: {failure.problem}{_where(failure.observed.error)}")
        if isinstance(failure.case.want, Tensor):
            parts.append(f"wanted: {_value(failure.case.want)}")
        return "\n".join(parts)


# The HTML's colours stand on a light page and on a dark one. Text keeps the page's colour, on tints that let the page
# through; only the marks bring both colours, white on a darker green and vermilion than Okabe and Ito's, which white
# would be hard to read on. The styles are all inline, and are such as pages that clean HTML leave alone.
_GREEN, _VERMILION, _BLUE = "#007A5A", "#B84A00", "#2A7ABF"
_AMBER, _GREY = "rgba(230, 159, 0, 0.16)", "rgba(128, 128, 128, 0.12)"
_LIST = "list-style: none; margin: 0; padding: 0"
_ROW = "margin: 5px 0; padding-left: 26px; text-indent: -26px"  # a long line goes on beside its mark, not under it
_MARK = (
    "color: #FFFFFF; border-radius: 9px; display: inline-block; width: 18px; height: 18px; margin-right: 8px; "
    "text-indent: 0; text-align: center; line-height: 18px; font-size: 12px; font-weight: bold; vertical-align: 1px"
)
_EXACTLY = (
    "margin: 0; padding: 0; border: 0; color: inherit; background-color: transparent; white-space: pre-wrap; "
    "font-size: 13px; line-height: 1.4"
)


def _card(colour: str, content: str) -> str:
    return f'<div style="border-left: 4px solid {colour}; margin: 4px 0 8px; padding: 4px 0 4px 14px">{content}</div>'


def _panel(tint: str, title: str, content: str) -> str:
    style = f"background-color: {tint}; border-radius: 4px; margin: 8px 0; padding: 8px 12px"
    return f'<div style="{style}"><div style="margin: 0 0 4px"><strong>{escape(title)}</strong></div>{content}</div>'


def _badge(finding: Finding) -> str:
    colour = _GREEN if finding.problem is None else _VERMILION
    return f'<span style="background-color: {colour}; {_MARK}">{_mark(finding)}</span>'


def _mark(finding: Finding) -> str:
    return "✓" if finding.problem is None else "✗"


def _because(finding: Finding) -> str:
    if finding.problem is not None:
        return f" — {finding.problem}"
    return f" — {finding.property.remark(finding.observed.value)}" if finding.property.remark else ""


def _where(error: Exception | None) -> str:
    """The line of the answer that an error came from, as far as that is known here."""
    walked = list(traceback.walk_tb(error.__traceback__)) if error is not None else []
    frames = zip(walked, traceback.StackSummary.extract(iter(walked)), strict=True)
    # Frames that ask to be hidden belong to a stand-in for an answer that runs elsewhere.
    own = (told for (frame, _), told in frames if "__tracebackhide__" not in frame.f_locals)
    first = next((told for told in own if not told.filename.startswith(NOT_THE_ANSWERS)), None)
    return f" (in line {first.lineno}: {first.line})" if first is not None else ""


def _indented(text: str) -> list[str]:
    return ["  " + line for line in text.splitlines()]


def rich(text: str) -> str:
    """Escaped text, with `code` and *emphasis* set as such."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*([^*\s][^*]*)\*", r"<em>\1</em>", text)


def _value(value: Any) -> str:
    """An argument or a result as a report shows it: a tensor with its shape, type and numbers."""
    if isinstance(value, Tensor):
        try:
            head = f"tensor of shape {tuple(value.shape)}, {short(value.dtype)}"
            return f"{head}\n{_rows(value.detach())}" if 0 < value.numel() <= _MOST_NUMBERS else head
        except Exception:  # sparse, nested, meta ... : no numbers to show
            return f"a tensor of type {type(value).__name__}, {short(value.layout)}, on {value.device}"
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    try:
        return _shorten(str(value))
    except Exception:
        return type(value).__name__


def _rows(tensor: Tensor) -> str:
    """A tensor's numbers in columns: a line a row, and a blank line between matrices."""
    width = max(len(number(value)) for value in tensor.flatten().tolist())

    def block(part: Tensor) -> str:
        if part.dim() <= 1:
            return "  [" + ", ".join(number(value).rjust(width) for value in part.reshape(-1).tolist()) + "]"
        return ("\n" if part.dim() == 2 else "\n\n").join(block(each) for each in part)

    return block(tensor)


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
