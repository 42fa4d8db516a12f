"""Answers of a lab that are alike, shown side by side: for a person to judge, and never a verdict."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution

from grading.course import Course, UserError
from grading.reading import Unreadable, read
from grading.recognising import recognised, text_of
from grading.similarity import Pair, alike
from grading.submissions import fault_of_files, fault_of_place, find_submissions, submission_path
from grading.withholding import answers_in_helpers

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Similar:
    """An exercise's answers that are alike, and the sources of all: by student, or by name in `helpers`."""

    exercise: str
    pairs: list[Pair]
    sources: dict[str, str]


def similar(course: Course, lab: str) -> tuple[list[Similar], dict[str, str]]:
    """By exercise, what is alike in the files that were handed in; and why a student's file was left out.

    Raises:
        UserError: if there are fewer than two files to compare.
    """
    source = nbformat.read(course.solutions / lab / f"{lab}.ipynb", as_version=4)
    given = _answers(nbformat.read(course.labs / lab / f"{lab}.ipynb", as_version=4), source)
    handed_in, left_out = {}, {}
    for student in find_submissions(course.submitted, lab):
        path = submission_path(course.submitted, student, lab)
        fault = fault_of_files(path.parent) or fault_of_place(path)
        try:
            if fault is None:
                handed_in[student] = _answers(read(path), source)
        except Unreadable as error:
            fault = str(error)
        if fault is not None:
            left_out[student] = fault
    if len(handed_in) < 2:
        raise UserError(f"There is nothing to compare: of {lab} {_how_many(len(handed_in))} can be read.")
    ours = answers_in_helpers(lab)
    found = []
    for exercise, blank in given.items():
        answers = {name: cells[exercise] for name, cells in handed_in.items() if cells.get(exercise, blank) != blank}
        course_own = {name: text for name in ours.get(exercise, ()) if (text := _definition(name))}
        found.append(Similar(exercise, alike(answers, blank, course_own), answers | course_own))
    return found, left_out


def as_text(found: list[Similar]) -> str:
    """The pairs, exercise by exercise, the most alike first."""
    lines = []
    for each in found:
        lines += [f"{each.exercise}: {len(each.pairs) or 'no'} {'pair' if len(each.pairs) == 1 else 'pairs'}"]
        lines += [f"  {pair.first} and {pair.second}: {pair.share:.0%} the same" for pair in each.pairs]
    return "\n".join(lines)


def write(course: Course, lab: str, found: list[Similar]) -> Path:
    """Write a page with the pairs side by side, into classroom/reports/LAB/."""
    path = course.classroom / "reports" / lab / "similar.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = [_section(each) for each in found if each.pairs]
    path.write_text(_PAGE.format(lab=escape(lab), pairs="".join(shown) or "<p>None.</p>"), encoding="utf-8")
    return path


def _answers(notebook: NotebookNode, source: NotebookNode) -> dict[str, str]:
    """The code of a notebook's answers, by exercise."""
    asked = {
        cell.metadata.nbgrader.grade_id
        for cell in source.cells
        if cell.cell_type == "code" and is_solution(cell) and not is_grade(cell)
    }
    found = {name: cell["source"] for name, cell in recognised(notebook, source) if name is not None and name in asked}
    return {name: text for name, text in found.items() if isinstance(text, str)}


def _definition(name: str) -> str | None:
    """The source of something in `helpers`."""
    module, _, attribute = name.rpartition(".")
    text = _ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
    nodes = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.ClassDef))
    return next((text_of(node, text) for node in nodes if node.name == attribute), None)


def _how_many(number: int) -> str:
    return "one file" if number == 1 else "no file"


def _section(each: Similar) -> str:
    rows = "".join(_side_by_side(pair, each.sources) for pair in each.pairs)
    return f"<h2>{escape(each.exercise)}</h2>{rows}"


def _side_by_side(pair: Pair, sources: Mapping[str, str]) -> str:
    cells = "".join(
        f"<td><h3>{escape(name)}</h3><pre>{escape(sources[name])}</pre></td>" for name in (pair.first, pair.second)
    )
    return f"<p>{pair.share:.0%} the same</p><table><tr>{cells}</tr></table>"


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{lab}: answers that are alike</title>
<style>
body {{ margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; color: #222; background: #fff }}
table {{ width: 100%; table-layout: fixed; border-collapse: collapse; margin-bottom: 2rem }}
td {{ vertical-align: top; border: 1px solid #ccc; padding: 0 .8rem }}
h3 {{ font-size: 1rem; margin: .5rem 0 }}
pre {{ overflow-x: auto; font-size: .85rem }}
</style>
</head>
<body>
<h1>{lab}: answers that are alike</h1>
<p>Names, layout and comments don't count, nor what the students were given. That two answers are alike doesn't say
who wrote them, or why: read both.</p>
{pairs}
</body>
</html>
"""
