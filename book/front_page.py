"""What the front page takes from the course itself: the directives `machine`, `failing-report`, `cards` and `facts`.

The minutes, the pictures and the report are those of the notebooks, the labs and the checks as they are.
"""

import base64
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from docutils import nodes
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from helpers.attention_machine import attention_machine
from helpers.checks import CheckFailed, check
from helpers.checks.catalogue import find_exercise
from helpers.checks.report import publish

# A mistake that many make, found by its name: the report that the front page shows is what its check says of it.
EXAMPLE = ("masked_softmax", "softmax-over-queries")


@dataclass(frozen=True)
class Chapter:
    """A notebook as its card shows it, with the lab that belongs to it if there is one."""

    page: str
    title: str  # "01 · Masked softmax"
    question: str
    minutes: int
    picture: bytes  # PNG
    alternative: str
    lab: str | None = None
    lab_title: str = ""  # "Lab 1 · Masked softmax"
    lab_minutes: int = 0


def chapters(root: Path) -> list[Chapter]:
    """The course in its order, from the notebooks and labs below `root`.

    Raises:
        ValueError: if a notebook doesn't say its question or its minutes, has no picture, or a lab no minutes.
    """
    return [_chapter(path, root) for path in sorted((root / "notebooks").glob("[0-9]*.ipynb"))]


def _chapter(path: Path, root: Path) -> Chapter:
    notebook = nbformat.read(path, as_version=4)
    first = notebook.cells[0].source
    picture, alternative = _picture(notebook, path.name)
    chapter = Chapter(
        f"notebooks/{path.stem}",
        first.splitlines()[0].removeprefix("# "),
        _plain(_said(r"\*\*The question: (.+?)\*\*", first, path.name)),
        int(_said(r"\*\*Time:\*\* (?:about )?(\d+)", first, path.name)),
        picture,
        alternative,
    )
    labs = sorted((root / "labs").glob(f"lab{path.stem[:2]}_*/lab*.ipynb"))
    if not labs:
        return chapter
    about = nbformat.read(labs[0], as_version=4).cells[0].source
    minutes = int(_said(r"\| together \|[^|]*\| *(\d+) *\|", about, labs[0].name))
    lab = f"labs/{labs[0].stem}/{labs[0].stem}"
    return Chapter(**vars(chapter) | {"lab": lab, "lab_title": about.splitlines()[0][2:], "lab_minutes": minutes})


def _said(pattern: str, text: str, name: str) -> str:
    found = re.search(pattern, text, re.DOTALL)
    if found is None:
        raise ValueError(f"{name}: its first cell says nothing like {pattern}, which its card shows.")
    return found[1]


def _plain(text: str) -> str:
    """A question as a title: with a capital, without the marks of formulas and emphasis."""
    plain = re.sub(r"[$*`]", "", text.replace(r"\sqrt d", "√d")).replace("\n", " ")
    return plain[0].upper() + plain[1:]


def _picture(notebook: NotebookNode, name: str) -> tuple[bytes, str]:
    """The picture of the cell that is tagged `thumbnail`, with its text alternative."""
    for cell in notebook.cells:
        if "thumbnail" not in cell.metadata.get("tags", ()):
            continue
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                alternative = output.get("metadata", {}).get("image/png", {}).get("alt", "")
                return base64.b64decode(output.data["image/png"]), alternative
    raise ValueError(f"{name} has no picture in a cell tagged `thumbnail`, which its card shows.")


class Cards(SphinxDirective):
    """A card for each notebook, with its picture, its question, its minutes, and its lab."""

    def run(self) -> list[nodes.Node]:
        return [nodes.container("", *map(self._card, chapters(Path(self.env.srcdir))), classes=["course-cards"])]

    def _card(self, chapter: Chapter) -> nodes.container:
        card = nodes.container(classes=["course-card"])
        file = Path(self.env.srcdir) / "thumbnails" / f"{Path(chapter.page).name}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(chapter.picture)
        self.env.note_dependency(f"{chapter.page}.ipynb")
        card += nodes.image(uri=f"thumbnails/{file.name}", alt=chapter.alternative or f"A picture from {chapter.title}")
        card += nodes.paragraph("", chapter.title, classes=["number"])
        link = nodes.reference("", chapter.question, internal=True, refuri=f"{chapter.page}.html")
        card += nodes.paragraph("", "", link, classes=["question"])
        about = nodes.paragraph("", f"{chapter.minutes} minutes", classes=["minutes"])
        if chapter.lab:
            about += nodes.Text(" · ")
            about += nodes.reference("", chapter.lab_title, internal=True, refuri=f"{chapter.lab}.html")
            about += nodes.Text(f", {chapter.lab_minutes} minutes")
        card += about
        return card


class Facts(SphinxDirective):
    """How much there is, and how long it takes."""

    def run(self) -> list[nodes.Node]:
        course = chapters(Path(self.env.srcdir))
        labs = [chapter for chapter in course if chapter.lab]
        reading, doing = sum(chapter.minutes for chapter in course), sum(chapter.lab_minutes for chapter in labs)
        facts = [
            f"{len(course)} notebooks, {_hours(reading)} of reading",
            f"{len(labs)} labs, {_hours(doing)} of writing",
            "For people who know some Python and a little PyTorch",
            "A laptop is enough: no GPU, no account, and once installed no internet",
        ]
        return [
            nodes.bullet_list(
                "", *(nodes.list_item("", nodes.paragraph("", fact)) for fact in facts), classes=["facts"]
            )
        ]


def _hours(minutes: int) -> str:
    return f"{round(minutes / 60)} hours"


class Machine(SphinxDirective):
    """The attention machine on the running example."""

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", attention_machine().html, format="html")]


class FailingReport(SphinxDirective):
    """What a check says of one wrong answer, as JupyterLab shows it."""

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", f'<div class="failing-report">{failing_report()}</div>', format="html")]


def failing_report() -> str:
    """The report on the example's wrong answer, as HTML."""
    exercise, mistake = EXAMPLE
    known = find_exercise(exercise)
    wrong = next(each for each in known.misconceptions if each.id == mistake).wrong[0]
    shown: list[str] = []
    token = publish.set(lambda bundle: shown.append(bundle["text/html"]))
    try:
        check(wrong, exercise, seed=0)
    except CheckFailed:
        pass
    finally:
        publish.reset(token)
    return shown[0]


def setup(app: Sphinx) -> dict:
    for name, directive in (
        ("cards", Cards),
        ("facts", Facts),
        ("machine", Machine),
        ("failing-report", FailingReport),
    ):
        app.add_directive(name, directive)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
