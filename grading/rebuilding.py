"""A submission put back into the lab's shape: the instructor's cells as they were, the student's answers in them."""

import copy
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_solution

from grading.pictures_beside import take_in_pictures
from grading.put_back import cells_for, is_as_handed_out, written_into
from grading.recognising import definitions, main_definition, name_of, named_cells, recognised
from grading.submissions import fault_of_files

_MAKE = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}
_PICTURES = ("image/png", "image/jpeg", "image/gif")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
# What a written answer and another one end in before the student writes: nbgrader puts it there.
_BLANK = ("YOUR ANSWER HERE", "# YOUR CODE HERE\n    raise NotImplementedError()")


class NotTheStudents(Exception):
    """Some of what was handed in isn't the student's own. The message says what."""


class Rebuild(NbGraderPreprocessor):
    """Before anything runs: lost cells come back, moved ones go home, and no cell is a test because it says so."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Called by nbgrader's autograde for each notebook, before its other steps.

        Raises:
            NotTheStudents: if the submission holds a link or another thing that is no file.
        """
        course, names = self.parent.parent.coursedir, resources["nbgrader"]
        handed_in = Path(course.format_path(course.submitted_directory, names["student"], names["assignment"]))
        fault = fault_of_files(handed_in)
        if fault is not None:
            raise NotTheStudents(fault)
        folder = course.format_path(course.source_directory, ".", names["assignment"])
        source = nbformat.read(Path(folder) / f"{names['notebook']}.ipynb", as_version=4)
        return take_in_pictures(rebuilt(nb, source), handed_in), resources


def rebuilt(submission: NotebookNode, source: NotebookNode) -> NotebookNode:
    """The instructor's `source` with the submission's answers, and the student's other cells where they stood.

    An answer is the first cell that has the answer's name. A cell that was added follows the cell of the lab that it
    followed in the submission. An answer that was deleted is empty. Of the submission's file only texts, and the
    pictures of written answers, get in: this is a notebook in good order whatever the file was like.

    What was written in the wrong place is kept: see `put_back` for the lab's own cells. A function that an exercise
    asks for takes the place of a blank answer, and so does the text beside a written answer that was left blank.
    """
    named, found = named_cells(source), _sorted(submission, source)
    cells = list(found.others[None])
    answered = {name: _answer(name, named, found) for name, cell in named.items() if is_solution(cell)}
    for name, original in named.items():
        cell = copy.deepcopy(original)
        if name in answered:
            _filled(cell, answered[name])
        cells += [cell, *found.others[name]]
    whole = NotebookNode(source)
    whole.cells = _with_distinct_ids(cells, {each["id"] for each in source.cells if "id" in each})
    return whole


@dataclass
class _Sorted:
    """A submission's cells: those of the lab by name, and by the name of the lab's cell before them those that aren't.

    `prose` are those of the `others` that are the student's own texts. `defined` has, by name, the functions and
    classes that stand outside of the answers' cells.
    """

    own: dict[str, dict] = field(default_factory=dict)
    others: defaultdict[str | None, list[NotebookNode]] = field(default_factory=lambda: defaultdict(list))
    prose: defaultdict[str | None, list[NotebookNode]] = field(default_factory=lambda: defaultdict(list))
    defined: dict[str, str] = field(default_factory=dict)


def _sorted(submission: NotebookNode, source: NotebookNode) -> _Sorted:
    named, found = named_cells(source), _Sorted()
    before: str | None = None
    for name, cell in recognised(submission, source):
        if name is not None and name not in found.own:
            found.own[name] = cell
            before = name
            if not is_solution(named[name]):
                written = written_into(cell, named[name])
                kept = cells_for(name, written)
                found.others[name] += kept
                found.prose[name] += [each for each in kept if named[name].cell_type == "markdown"]
                found.defined |= definitions("\n".join(written.code))
        elif isinstance(cell.get("cell_type"), str) and cell["cell_type"] in _MAKE:
            added = _filled(_MAKE[cell["cell_type"]](), cell)
            found.others[before].append(added)
            if cell["cell_type"] == "code":
                found.defined |= dict.fromkeys(definitions(added.source), added.source)
            elif (place := _place_in_the_lab(cell, source)) is not None:
                added["id"] = place  # by which it is known if the notebook is put back once more
            elif added.source.strip():
                found.prose[before].append(added)
    return found


def _answer(name: str, named: dict[str, NotebookNode], found: _Sorted) -> dict:
    """The cell that answers: the one that is there for it or, where that is blank, what stands elsewhere."""
    own = found.own.get(name, {})
    if not _is_blank(own):
        return own
    if named[name].cell_type == "code":
        main = main_definition(named[name].source, name)
        return {"source": found.defined[main]} if main in found.defined else own
    beside = _taken_from_beside(name, list(named), found)
    return beside if beside["source"] else own


def cells_written_into(submission: NotebookNode, source: NotebookNode) -> list[str]:
    """The lab's own cells into which the student wrote something that nobody but a person can judge."""
    named = named_cells(source)
    found = {name: written_into(cell, named[name]) for name, cell in recognised(submission, source) if name}
    return [name for name, each in found.items() if not is_solution(named[name]) and (each.code or each.text)]


def _is_blank(answer: dict) -> bool:
    """Whether an answer's cell is as it was handed out, empty or lost."""
    text = answer.get("source")
    if not isinstance(text, str) or not text.strip():
        return True
    as_it_was = is_as_handed_out(answer)
    return as_it_was if as_it_was is not None else text.strip().endswith(_BLANK)


def _place_in_the_lab(cell: dict, source: NotebookNode) -> str | None:
    """The id of the lab's explanation that a text is, perhaps changed; None where the student added it."""
    for each in source.cells:
        if name_of(each) is None and (cell.get("source") == each.source or cell.get("id", "") == each.get("id")):
            return each.get("id", "")
    return None


def _taken_from_beside(name: str, names: list[str], found: _Sorted) -> dict:
    """The student's prose after a written answer's cell, and between it and the lab's cell before: the question's."""
    number = names.index(name)
    places = names[max(number - 1, 0) : number + 1]
    texts = [cell for place in places for cell in found.prose[place]]
    for place in places:
        found.others[place] = [cell for cell in found.others[place] if all(cell is not text for text in texts)]
        found.prose[place] = []
    pictures = {picture: forms for text in texts for picture, forms in text.get("attachments", {}).items()}
    return {"source": "\n\n".join(text.source for text in texts), "attachments": pictures}


def _filled(cell: NotebookNode, written: dict) -> NotebookNode:
    """The cell with the text of one that the student wrote and, if it is prose, with its pictures."""
    text = written.get("source")
    cell.source = text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""
    pictures = _pictures(written.get("attachments"))
    if pictures and cell.cell_type == "markdown":
        cell.attachments = pictures
    return cell


def _pictures(attachments: Any) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, forms in attachments.items() if isinstance(attachments, dict) else ():
        for kind, data in forms.items() if isinstance(forms, dict) else ():
            if kind in _PICTURES and isinstance(data, str) and _BASE64.fullmatch(data):
                found[name] = {kind: data}
    return found


def _with_distinct_ids(cells: list[NotebookNode], known: set[str]) -> list[NotebookNode]:
    """The cells; of those that aren't the lab's own, only the `known` ids stay."""
    seen = {cell.get("id") for cell in cells if name_of(cell) is not None}
    for number, cell in enumerate(cells):
        if name_of(cell) is None:
            if cell["id"] in seen or cell["id"] not in known:
                cell["id"] = f"added-{number}"
            seen.add(cell["id"])
    return cells
