"""The catalogue of mistakes, from the checks' own tables: the directives `mistakes` and `mistakes-by-lab`."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book import pictures
from helpers.checks.engine import Exercise, Misconception


class Mistakes(SphinxDirective):
    """The mistakes that a lab's checks know, exercise by exercise."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        return [self._exercise(exercise) for exercise in _exercises(self.arguments[0])]

    def _exercise(self, exercise: Exercise) -> nodes.section:
        owner = f"{exercise.owner}." if exercise.owner else ""
        section = nodes.section(ids=[nodes.make_id(exercise.name)])
        section += nodes.title("", "", nodes.literal("", owner + exercise.name))
        for misconception in exercise.misconceptions:
            section += self._mistake(exercise, misconception)
        return section

    def _mistake(self, exercise: Exercise, misconception: Misconception) -> nodes.section:
        section = nodes.section(ids=[nodes.make_id(f"{exercise.name}-{misconception.id}")], classes=["mistake"])
        section += nodes.title("", "", *_rich(_capitalised(misconception.title)))
        section += nodes.paragraph("", "", *_rich(misconception.explanation))
        picture = pictures.draw(exercise, misconception)
        if picture is not None:
            page = Path(self.env.doc2path(self.env.docname))
            file = page.parent / "pictures" / f"{exercise.name}-{misconception.id}.png"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(picture.png)
            section += nodes.image(uri=f"pictures/{file.name}", alt=picture.alternative, width=f"{picture.width}px")
            section += nodes.paragraph("", "", nodes.emphasis("", picture.caption), classes=["caption"])
        return section


class MistakesByLab(SphinxDirective):
    """A list of the labs, and of the mistakes that are known in each exercise."""

    def run(self) -> list[nodes.Node]:
        labs = sorted((Path(self.env.srcdir) / "labs").glob("lab*/lab*.ipynb"))
        return [nodes.bullet_list("", *(self._lab(path) for path in labs))]

    def _lab(self, path: Path) -> nodes.list_item:
        page = f"{path.stem}.html"
        title = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0].removeprefix("# ")
        lab = nodes.paragraph("", "", nodes.reference("", title, internal=True, refuri=page))
        exercises = nodes.bullet_list()
        for exercise in _exercises(path.stem):
            link = nodes.reference("", "", internal=True, refuri=f"{page}#{nodes.make_id(exercise.name)}")
            link += nodes.literal("", exercise.name)
            count = nodes.Text(f": {len(exercise.misconceptions)} mistakes")
            exercises += nodes.list_item("", nodes.paragraph("", "", link, count))
        return nodes.list_item("", lab, exercises)


def _exercises(lab: str) -> tuple[Exercise, ...]:
    return importlib.import_module(f"helpers.checks.{lab}").EXERCISES


def _capitalised(title: str) -> str:
    """With a capital, unless it begins with a name from the code."""
    word = title.split()[0]
    return title if "_" in word or "`" in word else title[0].upper() + title[1:]


def _rich(text: str) -> Iterator[nodes.Node]:
    """A table's text, with `code` and *emphasis* set as such: as the checks' reports set it."""
    for part in re.split(r"(`[^`]+`|\*[^*\s][^*]*\*)", text):
        if part.startswith("`"):
            yield nodes.literal("", part.strip("`"))
        elif part.startswith("*") and len(part) > 2:
            yield nodes.emphasis("", part.strip("*"))
        elif part:
            yield nodes.Text(part)


def setup(app: Sphinx) -> dict:
    app.add_directive("mistakes", Mistakes)
    app.add_directive("mistakes-by-lab", MistakesByLab)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
