"""What a check prints: plain text in a terminal, HTML in JupyterLab. The HTML is the same text, much of it folded.

With it goes a record for programs, under a MIME type of its own: nothing shows it, and a program that looks
through graded notebooks finds there what was wrong without reading prose.
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

from helpers.checks import wording
from helpers.checks.catalogue import exercise_names, lab_of
from helpers.checks.engine import Case, Exercise, Finding, Misconception, is_blank
from helpers.checks.heatmaps import Beside, beside
from helpers.checks.hints import hint_for
from helpers.checks.judging import number, numbers, short
from helpers.checks.where_to_look import Section, section_for
from helpers.progress import Advice, Way, address_of
from helpers.site import address_of_mistake

# Where lines of code lie that a student didn't write: the checks, Python and PyTorch.
NOT_THE_ANSWERS = tuple(str(Path(file).parent) for file in (__file__, traceback.__file__, torch.__file__))
RECORD = "application/vnd.attention-by-hand.check+json"  # the MIME type of `Report.record`
_MOST_NUMBERS = 60  # a larger tensor is told by its shape alone
_IN_A_LINE = 12  # numbers of a tensor that fit into a line
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
    misconceptions: tuple[Misconception, ...]
    written: str  # what the answer itself printed while it was checked
    advice: Advice | None = None
    way: Way | None = None  # how far the student is, where that is known
    imported: str | None = None  # what of the course's own code the answer is or calls
    remark: str | None = None  # what there is to say besides of an answer that passes

    def show(self) -> None:
        """Display the report in a notebook, or print it elsewhere."""
        publish.get()({"text/plain": self.text, "text/html": self.html, RECORD: self.record})

    @property
    def record(self) -> dict[str, Any]:
        """What came out, for programs: the exercise, how many properties hold, the misconception's id or None.

        `fails` has the properties that fail, each with what is wrong on the smallest example.
        """
        ids = [misconception.id for misconception in self.misconceptions]
        return {
            "exercise": self.exercise.name,
            "blank": is_blank(self.findings),
            "held": len(self.findings) - len(self.failures),
            "properties": len(self.findings),
            "misconception": ids[0] if ids else None,
            "also": ids[1:],
            "fails": [[each.property.text, _shorten(each.problem or "")] for each in self.failures],
        }

    @cached_property
    def failures(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.problem is not None]

    @cached_property
    def summary(self) -> str:
        """One sentence or two, for the exception."""
        name, failing = self.exercise.name, wording.failing(len(self.failures), len(self.findings))
        if is_blank(self.findings):
            return wording.still_blank(self._blank_name, name)
        # The mistake comes first: nbgrader's `validate` cuts long lines.
        titles = [f"{misconception.title} ({failing})" for misconception in self.misconceptions[:1]]
        return wording.headline(name, *(titles or [failing]))

    @cached_property
    def text(self) -> str:
        """The report as plain text."""
        if is_blank(self.findings):
            return wording.blank(self._blank_name, self.exercise.name)
        parts = [[self._headline], *([line] for line in (*self._whose, *self._explanations))]
        if self.failures:
            first = self.failures[0]
            parts.append([f"{_mark(first)} {first.property.text}{self._problem_of_first}", *self._line_of_error])
            parts += [list(map(plain, self.given)), self.picture.text.splitlines() if self.picture else []]
        parts += [self._standing, self._remarks]
        parts.append(
            [self._title_of_list, *(f"  {_mark(each)} {each.property.text}{told}" for each, told in self._list)]
        )
        parts += [[title, *_indented(body)] for title, body in self._details]
        if self.advice is not None:
            parts.append([self.advice.title, *_indented(self.advice.text)])
        return "\n\n".join("\n".join(part) for part in parts if part)

    @cached_property
    def html(self) -> str:
        """The report as HTML, with everything that comes from the answer escaped."""
        if is_blank(self.findings):
            return _card(_BLUE, rich(wording.blank(self._blank_name, self.exercise.name)))
        parts = [f"<div><strong>{rich(self._headline)}</strong></div>"]
        parts += [_block(rich(line)) for line in (*self._whose, *self._explanations)]
        if self.failures:
            first = self.failures[0]
            told = _badge(first) + rich(first.property.text) + rich(self._problem_of_first)
            parts.append(f'<div style="{_ROW}">{told}</div>')
            parts += [_block(rich(line)) for line in (*self._line_of_error, *self.given)]
            parts += [_block(self.picture.html)] if self.picture else []
        parts += [_block(self._linked(line)) for line in self._standing]
        parts += [_block(rich(line)) for line in self._remarks]
        rows = "".join(
            f'<li style="{_ROW}">{_badge(each)}{rich(each.property.text)}{rich(told)}</li>' for each, told in self._list
        )
        parts.append(_folded(self._title_of_list, f'<ul style="{_LIST}">{rows}</ul>'))
        parts += [_folded(title, f'<pre style="{_EXACTLY}">{escape(body)}</pre>') for title, body in self._details]
        if self.advice is not None:
            parts.append(_folded(self.advice.title, rich(self.advice.text)))
        return _card(_VERMILION if self.failures else _GREEN, "".join(parts))

    @property
    def _blank_name(self) -> str:
        """The blank function: the exercise's own, or one that the answer calls."""
        error = self.failures[0].observed.error
        frames = traceback.extract_tb(error.__traceback__ if error is not None else None)
        constructor = ("__init__",) if self.exercise.owner else ()
        return frames[-1].name if frames[-1].name in (*exercise_names(), *constructor) else self.exercise.name

    @property
    def _headline(self) -> str:
        name, total = self.exercise.name, len(self.findings)
        if self.misconceptions:
            return wording.headline(name, self.misconceptions[0].title)
        if self._same_error:
            return wording.headline(name, wording.raises((self.failures[0].problem or "").removeprefix("raised ")))
        return wording.headline(name, wording.holding(total - len(self.failures), total))

    @property
    def _whose(self) -> list[str]:
        """What there is to say of an answer that isn't the student's."""
        return [] if self.imported is None else [wording.imported(self.imported)]

    @property
    def _explanations(self) -> list[str]:
        """What there is to say of the mistakes; of the second and the third with their titles, too."""
        first, others = self.misconceptions[:1], self.misconceptions[1:]
        lines = [misconception.explanation for misconception in first]
        return lines + [f"{wording.and_another(each.title)}. {each.explanation}" for each in others]

    @property
    def _same_error(self) -> bool:
        """Whether one and the same error is all that is wrong."""
        errors = {finding.problem if finding.observed.error is not None else None for finding in self.failures}
        return len(errors) == 1 and None not in errors

    @property
    def _problem_of_first(self) -> str:
        told_in_headline = self._same_error and not self.misconceptions
        return "" if told_in_headline else _because(self.failures[0])

    @property
    def _line_of_error(self) -> list[str]:
        where = _where(self.failures[0].observed.error)
        return [wording.raised_in(*where)] if where is not None else []

    @cached_property
    def picture(self) -> Beside | None:
        """Yours beside wanted, for the smallest example that fails."""
        first = self.failures[0]
        return beside(first.observed.value, first.case.want) if first.case is not None else None

    @property
    def _arguments(self) -> tuple[str, ...]:
        return self.failures[0].property.arguments or self.exercise.arguments

    @property
    def given(self) -> list[str]:
        """The arguments of the smallest example that fails, those that can be said in a line."""
        case = self.failures[0].case
        if case is None:
            return []
        pairs = zip(self._arguments, case.args, strict=False)  # a default may be left out
        told = [(name, _in_a_line(value)) for name, value in pairs]
        line = ", ".join(f"`{name} = {value}`" for name, value in told if value is not None)
        return [f"{wording.GIVEN} {line}"] if line else []

    @property
    def _title_of_list(self) -> str:
        same = sum(finding.is_explained for finding in self.failures[1:])
        return wording.every_property(len(self.findings) - len(self.failures), len(self.findings), same)

    @property
    def _list(self) -> list[tuple[Finding, str]]:
        """Each finding with what there is to say about it: nothing where it follows from what is told already."""
        told, reasons = {finding.problem for finding in self.failures[:1]}, []
        for finding in self.findings:
            known = finding.problem is not None and (finding.is_explained or finding.problem in told)
            reasons.append((finding, "" if known else _because(finding)))
            told.add(finding.problem)
        return reasons

    @property
    def _standing(self) -> list[str]:
        """On a pass, how far the student is; else where to look."""
        way = self.way
        if self.failures:
            if self._lab is None:
                return []
            return [wording.look_at(self._lab, self._task, self._theory, self._in_gallery)]
        if way is None:
            return []
        following = wording.ALL_DONE if way.next is None else wording.next_is(way.next[0])
        line = f"{wording.points(way.here, way.of_here, way.in_lab, way.of_lab)}; {following}."
        return [f"{line} {wording.OPEN_POINTS}" if way.has_hidden else line]

    @property
    def _remarks(self) -> list[str]:
        return [] if self.remark is None else [self.remark]

    @property
    def _lab(self) -> int | None:
        """The number of the exercise's lab; None for an exercise of nobody's."""
        name = self.exercise.name
        return int(lab_of(name)[3:5]) if name in exercise_names() else None

    @cached_property
    def _section(self) -> Section | None:
        """The section of a notebook that helps, where one is known."""
        return section_for(self.exercise.name, [misconception.id for misconception in self.misconceptions])

    @property
    def _task(self) -> str:
        """The hint that helps, where one is known, or else the exercise's text."""
        ids = [misconception.id for misconception in self.misconceptions]
        return wording.text_of(self.exercise.name, hint_for(self.exercise.name, ids))

    @property
    def _theory(self) -> str:
        """The section of a notebook that helps, or else the lab's notebook."""
        section = self._section
        if section is None:
            return wording.notebook(self._lab or 0)
        return wording.section(int(section.notebook[:2]), section.heading)

    @property
    def _in_gallery(self) -> str | None:
        """Where the course's site shows the mistake, if it is one of the exercise's own and there is a site."""
        first, name = self.misconceptions[:1], self.exercise.name
        if not first or first[0] not in self.exercise.misconceptions or name not in exercise_names():
            return None
        return address_of_mistake(lab_of(name), name, first[0].id)

    def _linked(self, line: str) -> str:
        """A line of `_standing` with links to the site, and into the notebook where it is known which."""
        html, way = rich(line), self.way
        if page := self._in_gallery:
            html = html.replace(escape(page), f'<a href="{escape(page)}">{wording.GALLERY}</a>')
        if way is None or self._lab is None:
            return html
        chapter, section = way.chapter, self._section
        if chapter and section is not None:
            chapter = f"{chapter.rpartition('/')[0]}/{section.notebook}.ipynb{address_of(section.heading)}"
        links = [(self._task, way.heading), (self._theory, chapter)]
        for words, address in links + ([way.next] if way.next is not None else []):
            linked = f'<a href="{escape(address)}">{rich(words)}</a>'
            html = html.replace(rich(words), linked, 1) if address else html
        return html

    @property
    def _details(self) -> list[tuple[str, str]]:
        """The folded details: the whole example, the seed and the ids; and what was printed."""
        ids = [misconception.id for misconception in self.misconceptions]
        lines = [wording.seed(self.seed)] + ([wording.mistake_id(ids)] if ids else [])
        if self.failures and self.failures[0].case is not None:
            lines.append(self._example(self.failures[0], self.failures[0].case))
        sections = [(wording.DETAILS if self.failures else wording.REPEATED, "\n".join(lines))]
        if self.written:
            sections.append((wording.PRINTED, _shorten(self.written.rstrip())))
        return sections

    def _example(self, failure: Finding, case: Case) -> str:
        given = zip(self._arguments, case.args, strict=False)  # a default may be left out
        parts = [f"{name} = {_value(value)}" for name, value in given]
        if isinstance(failure.observed.value, Tensor):
            parts.append(f"{failure.property.shows}: {_value(failure.observed.value)}")
        if isinstance(case.want, Tensor):
            parts.append(f"{wording.WANTED}: {_value(case.want)}")
        return "\n".join(parts)


# The HTML's colours stand on a light page and on a dark one. Text keeps the page's colour, on tints that let the page
# through; only the marks bring both colours, white on a darker green and vermilion than Okabe and Ito's, which white
# would be hard to read on. The styles are all inline, and are such as pages that clean HTML leave alone.
_GREEN, _VERMILION, _BLUE = "#007A5A", "#B84A00", "#2A7ABF"
_GREY = "rgba(128, 128, 128, 0.12)"
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


def _block(content: str) -> str:
    return f'<div style="margin: 4px 0">{content}</div>'


def _folded(title: str, content: str) -> str:
    style = f"background-color: {_GREY}; border-radius: 4px; margin: 4px 0 0; padding: 4px 12px"
    return f'<details><summary>{rich(title)}</summary><div style="{style}">{content}</div></details>'


def _badge(finding: Finding) -> str:
    colour = _GREEN if finding.problem is None else _VERMILION
    return f'<span style="background-color: {colour}; {_MARK}">{_mark(finding)}</span>'


def _mark(finding: Finding) -> str:
    return "✓" if finding.problem is None else "✗"


def _because(finding: Finding) -> str:
    if finding.problem is not None:
        return f" — {finding.problem}"
    return f" — {finding.property.remark(finding.observed.value)}" if finding.property.remark else ""


def _where(error: BaseException | None) -> tuple[int, str] | None:
    """The line of the answer that an error came from, as far as that is known here: its number and its text."""
    walked = list(traceback.walk_tb(error.__traceback__)) if error is not None else []
    frames = zip(walked, traceback.StackSummary.extract(iter(walked)), strict=True)
    # Frames that ask to be hidden belong to a stand-in for an answer that runs elsewhere.
    own = [told for (frame, _), told in frames if "__tracebackhide__" not in frame.f_locals]
    last = next((told for told in reversed(own) if not told.filename.startswith(NOT_THE_ANSWERS)), None)
    return (last.lineno or 0, last.line or "") if last is not None else None


def _indented(text: str) -> list[str]:
    return ["  " + line for line in text.splitlines()]


def rich(text: str) -> str:
    """Escaped text, with `code` and *emphasis* set as such."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*([^*\s][^*]*)\*", r"<em>\1</em>", text)


def plain(text: str) -> str:
    """Text without the marks of code."""
    return text.replace("`", "")


def _in_a_line(value: Any) -> str | None:
    """An argument in a few words or numbers; None where that would be too many."""
    if isinstance(value, Tensor):
        try:
            return numbers(value.detach()) if value.numel() <= _IN_A_LINE else f"a tensor {tuple(value.shape)}"
        except Exception:
            return None
    told = _value(value)
    return told if len(told) <= 60 and "\n" not in told and "`" not in told else None


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
        return ("\n" if part.dim() == 2 else "\n\n").join(block(matrix) for matrix in part)

    return block(tensor)


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
