"""The report on a lab: for the instructor's terminal, for a spreadsheet, for the next lecture."""

import base64
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path

from grading.course import Course, UserError
from grading.exporters import SpreadsheetExporter
from grading.mistakes import ClassResult, ExerciseResult, Mistake
from grading.report_picture import draw
from grading.table import table_of_marks
from helpers.checks.report import rich


@dataclass(frozen=True)
class Files:
    """Where a report lies."""

    marks: Path
    picture: Path
    page: Path


def as_text(result: ClassResult) -> str:
    """The table of marks, then each exercise with its mistakes, the most common first."""
    lines = [table_of_marks(result.marks, result.sections)]
    for exercise in result.exercises:
        lines += ["", *_lines_of(exercise)]
    return "\n".join(lines)


def text_of(result: ClassResult, name: str) -> str:
    """One exercise with its mistakes.

    Raises:
        UserError: if the lab has no exercise of that name.
    """
    names = [exercise.name for exercise in result.exercises]
    if name not in names:
        raise UserError(f"{result.lab} has no exercise called {name!r}; it has: {', '.join(names)}.")
    return "\n".join(_lines_of(result.exercises[names.index(name)]))


def _lines_of(exercise: ExerciseResult) -> list[str]:
    lines = [f"{exercise.name}: {summary_of(exercise)}"]
    for mistake in exercise.mistakes:
        explained = f". {mistake.explanation}" if mistake.explanation else ""
        lines.append(f"  {mistake.count:>3} × {mistake.title}{explained}")
        lines += [f"        ✗ {fails}" for fails in mistake.fails]
        if mistake.example:  # not on the page, for it may hold a name
            lines += ["        for example", *(f"        | {line}" for line in mistake.example.splitlines())]
    return lines


def summary_of(exercise: ExerciseResult) -> str:
    """An exercise's numbers as a phrase."""
    graded = len(exercise.points)
    parts = [f"{graded} marked" if exercise.by_hand else f"{graded} graded"]
    if exercise.mean is not None:
        share = f"full marks {exercise.full / graded:.0%}"
        parts += [f"mean {exercise.mean:.3g} of {exercise.out_of:g}", share]
    parts += [f"{exercise.blank} blank"] if exercise.blank else []
    parts += [f"{exercise.not_tested} could not be tested"] if exercise.not_tested else []
    parts += [f"{exercise.waiting} to mark"] if exercise.waiting else []
    return ", ".join(parts)


def write(course: Course, result: ClassResult) -> Files:
    """Write the marks (a CSV), the picture and a page with both in words, into classroom/reports/LAB/.

    Neither the picture nor the page names a student.

    Raises:
        UserError: if the folder can't be written to.
    """
    folder = course.classroom / "reports" / result.lab
    files = Files(folder / "marks.csv", folder / "report.png", folder / "report.html")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draw(result).savefig(files.picture, dpi=150)
        files.page.write_text(_page(result, files.picture.read_bytes()), encoding="utf-8")
        with course.gradebook() as gradebook:
            SpreadsheetExporter(to=str(files.marks), assignment=[result.lab]).export(gradebook)
    except OSError as error:
        raise UserError(f"The report can't be written to {course.shown(folder)}: {error.strerror}.") from error
    return files


def _page(result: ClassResult, picture: bytes) -> str:
    """A page that needs nothing else: the picture is in it, and everything that the picture shows is there in words."""
    image = base64.b64encode(picture).decode()
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in _row(exercise)) for exercise in result.exercises)
    return _PAGE.format(
        lab=escape(result.lab),
        students=len(result.marks),
        spread=escape(_spread(result)),
        points=_points(result),
        image=image,
        rows="".join(f"<tr>{row}</tr>" for row in rows),
        mistakes="".join(_mistakes(exercise) for exercise in result.exercises if not exercise.by_hand),
    )


def _row(exercise: ExerciseResult) -> list[str]:
    graded = len(exercise.points)
    mean = "–" if exercise.mean is None else f"{exercise.mean:.3g} of {exercise.out_of:g}"
    full = f"{exercise.full / graded:.0%}" if graded else "–"
    return [exercise.name, *map(str, (graded, mean, full, exercise.blank, exercise.not_tested, exercise.waiting))]


def _spread(result: ClassResult) -> str:
    totals = sorted(result.totals)
    middle = (totals[(len(totals) - 1) // 2] + totals[len(totals) // 2]) / 2
    waiting = f" Written answers still to mark: {result.waiting}." if result.waiting else ""
    return (
        f"Points so far, of {result.out_of:g}: from {totals[0]:g} to {totals[-1]:g}, "
        f"half of them have {middle:g} or more.{waiting}"
    )


def _points(result: ClassResult) -> str:
    """What the histogram shows: how many students have how many points."""
    counts = Counter(sorted(result.totals))
    return ", ".join(f"{count} × {points:g}" for points, count in counts.items())


def _mistakes(exercise: ExerciseResult) -> str:
    items = "".join(
        f"<li><strong>{mistake.count} × {_linked(mistake)}</strong>"
        f"{f'<br>{rich(mistake.explanation)}' if mistake.explanation else ''}"
        f"{''.join(f'<br>✗ {rich(fails)}' for fails in mistake.fails)}"
        "</li>"
        for mistake in exercise.mistakes
    )
    body = f"<ul>{items}</ul>" if items else "<p>Nothing.</p>"
    return f"<h3>{escape(exercise.name)}</h3>{body}"


def _linked(mistake: Mistake) -> str:
    title = rich(mistake.title)
    return f'<a href="{escape(mistake.page)}">{title}</a>' if mistake.page else title


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{lab}: the class</title>
<style>
body {{ max-width: 70rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif }}
body {{ color: #222; background: #fff }}
img {{ width: 100%; height: auto }}
table {{ border-collapse: collapse }}
th, td {{ padding: .3rem .8rem; border-bottom: 1px solid #ccc; text-align: right }}
th:first-child, td:first-child {{ text-align: left }}
li {{ margin-bottom: .5rem }}
</style>
</head>
<body>
<h1>{lab}</h1>
<p>Submissions: {students}. {spread}</p>
<img src="data:image/png;base64,{image}" alt="Left, a histogram of the points. {spread} Right, bars: how many students
made which mistake. The same numbers stand below in words.">
<p>How many have how many points: {points}.</p>
<h2>Exercise by exercise</h2>
<table>
<tr><th>exercise</th><th>graded</th><th>mean</th><th>full marks</th><th>blank</th><th>could not be tested</th>
<th>to mark</th></tr>
{rows}
</table>
<h2>What they got wrong</h2>
{mistakes}
</body>
</html>
"""
