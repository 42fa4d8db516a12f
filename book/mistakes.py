"""The catalogue of mistakes, from the checks' own tables: `mistakes`, `mistakes-by-lab` and `gallery`."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from book import pictures
from book.pairs import Pair, of_report
from book.wrong_lines import WRONG_LINES
from helpers.checks.catalogue import exercises_of, find_exercise
from helpers.checks.engine import Exercise, Misconception


class Mistakes(SphinxDirective):
    """The mistakes that a lab's checks know, exercise by exercise."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        return [self._exercise(exercise) for exercise in exercises_of(self.arguments[0])]

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
        seen = _seen(exercise.name, misconception.id)
        if seen is not None:
            section += _shown(self.env, exercise, misconception, seen)
            section += _caption(seen)
            if isinstance(seen, Pair) and seen.given:
                section += nodes.paragraph("", "", *_rich(seen.given), classes=["caption"])
        section += _wrong_line(exercise, misconception)
        return section


class Gallery(SphinxDirective):
    """The mistakes of all labs that come down to a line, each with what it makes of an input; a lab can be picked."""

    def run(self) -> list[nodes.Node]:
        labs = [path.stem for path in sorted((Path(self.env.srcdir) / "labs").glob("lab*/lab*.ipynb"))]
        cards = {lab: list(self._cards(lab)) for lab in labs}
        shown = [lab for lab in labs if cards[lab]]
        grid = nodes.container("", *(card for lab in shown for card in cards[lab]), classes=["gallery"])
        return [nodes.raw("", _filter(shown), format="html"), grid]

    def _cards(self, lab: str) -> Iterator[nodes.container]:
        for exercise in exercises_of(lab):
            for misconception in exercise.misconceptions:
                seen = _seen(exercise.name, misconception.id)
                if seen is None or misconception.id not in WRONG_LINES.get(exercise.name, {}):
                    continue
                if isinstance(seen, pictures.Picture) or seen.tables:
                    yield self._card(lab, exercise, misconception, seen)

    def _card(
        self, lab: str, exercise: Exercise, misconception: Misconception, seen: pictures.Picture | Pair
    ) -> nodes.container:
        card = nodes.container(classes=["mistake", _class(lab)])
        card += _shown(self.env, exercise, misconception, seen)
        if isinstance(seen, Pair):
            card += _caption(seen)
        anchor = nodes.make_id(f"{exercise.name}-{misconception.id}")
        link = nodes.reference("", "", internal=True, refuri=f"{lab}.html#{anchor}")
        link += list(_rich(_capitalised(misconception.title)))
        card += nodes.paragraph("", "", link, classes=["symptom"])
        card += _wrong_line(exercise, misconception)
        where = nodes.paragraph("", f"{_name(lab)}, ", classes=["where"])
        where += nodes.literal("", exercise.name)
        card += where
        return card


@cache
def _seen(exercise: str, misconception: str) -> pictures.Picture | Pair | None:
    """On an input that shows it well, or else as a report shows it; found once for the gallery and the lab's page."""
    known = find_exercise(exercise)
    row = next(each for each in known.misconceptions if each.id == misconception)
    return pictures.draw(known, row) or of_report(known, row)


def _shown(
    env: BuildEnvironment, exercise: Exercise, misconception: Misconception, seen: pictures.Picture | Pair
) -> nodes.Node:
    """A picture in a file beside the pages of mistakes, read when the reader comes near it; or tables, or words."""
    if isinstance(seen, Pair):
        return nodes.raw("", seen.html, format="html")
    file = Path(env.srcdir) / "mistakes" / "pictures" / f"{exercise.name}-{misconception.id}.png"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(seen.png)
    return nodes.image(uri=f"pictures/{file.name}", alt=seen.alternative, width=f"{seen.width}px", loading="lazy")


def _caption(seen: pictures.Picture | Pair) -> nodes.paragraph:
    return nodes.paragraph("", "", *_rich(seen.caption), classes=["caption"])


def _wrong_line(exercise: Exercise, misconception: Misconception) -> list[nodes.Node]:
    line = WRONG_LINES.get(exercise.name, {}).get(misconception.id)
    return [] if line is None else [nodes.paragraph("", "", nodes.literal("", line), classes=["wrong-line"])]


def _filter(labs: list[str]) -> str:
    """Radio buttons with which the style shows one lab's cards, the first's unless asked, or all."""
    choices = [*((_class(lab), _name(lab)) for lab in labs), ("all", "All labs")]
    buttons = "".join(
        f'<label><input type="radio" name="lab" value="{value}"{"" if place else " checked"}> {name}</label>'
        for place, (value, name) in enumerate(choices)
    )
    hide = "".join(
        f'article:has(input[name="lab"][value="{value}"]:checked) .gallery > :not(.{value}) {{ display: none; }}'
        for value, _ in choices[:-1]
    )
    return f'<style>{hide}</style><fieldset class="by-lab"><legend>Show the mistakes of</legend>{buttons}</fieldset>'


def _class(lab: str) -> str:
    return lab[:5]


def _name(lab: str) -> str:
    """ "Lab 1" for lab01_masked_softmax."""
    return f"Lab {int(lab[3:5])}"


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
        for exercise in exercises_of(path.stem):
            link = nodes.reference("", "", internal=True, refuri=f"{page}#{nodes.make_id(exercise.name)}")
            link += nodes.literal("", exercise.name)
            count = nodes.Text(f": {len(exercise.misconceptions)} mistakes")
            exercises += nodes.list_item("", nodes.paragraph("", "", link, count))
        return nodes.list_item("", lab, exercises)


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
    app.add_directive("gallery", Gallery)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
