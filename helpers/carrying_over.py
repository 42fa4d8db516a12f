"""Answers carried over from one version of a lab into another, cell by cell, with nothing lost."""

import copy
import hashlib
import json
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from helpers.lab_files import Cell, Notebook, is_answer, is_blank, name_of, role, text_of

RECORD = "attention_by_hand"  # in a copy's metadata: which version of the lab it was made from
HEADING = "## Answers that have no place in this version of the lab"


def stamped(release: Notebook) -> Notebook:
    """A copy of a lab that says of itself which version it is, and which of its texts are the course's own."""
    notebook = copy.deepcopy(release)
    texts = [_hash(text_of(cell)) for cell in release["cells"] if name_of(cell) is None]
    notebook["metadata"][RECORD] = {"version": version_of(release), "texts": texts}
    return notebook


def without_outputs(notebook: Notebook) -> Notebook:
    """A copy of a notebook as it is before it is run."""
    blank = copy.deepcopy(notebook)
    for cell in blank["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return blank


def version_of(release: Notebook) -> str:
    """A hash of what a lab says and asks: it stays the same while a student writes answers into the lab."""
    return _hash(json.dumps([role(cell).get("checksum") or text_of(cell) for cell in release["cells"]]))


def is_of_version(own: Notebook, release: Notebook) -> bool:
    """Whether a student's copy was made from this version of the lab.

    One that doesn't say so itself is told by its questions and tests, of which nbgrader notes the checksums.
    """
    noted = _record(own).get("version")
    if noted is not None:
        return noted == version_of(release)
    asked = [{(name_of(cell), role(cell).get("checksum")) for cell in lab["cells"]} for lab in (own, release)]
    return asked[0] - {(None, None)} == asked[1] - {(None, None)}


def carried_over(release: Notebook, own: Notebook, leave_blank: Collection[str] = ()) -> Notebook:
    """The released lab with the answers of a student's copy of any version.

    A cell that the student added, or an explanation that was changed, follows the cell that it followed there. An
    answer whose cell is gone stands at the end, under a heading. Answers in `leave_blank` are left out. Outputs
    stay with the cells that are as they were.
    """
    release_cells = {_key(cell): cell for cell in release["cells"]}
    courses_texts = {_hash(text_of(cell)) for cell in release["cells"]} | _noted_texts(own)
    found: dict[str, Cell] = {}
    added: dict[str | None, list[Cell]] = defaultdict(list)
    lost: list[Cell] = []
    before: str | None = None
    for cell in own["cells"]:
        key = _key(cell)
        place = release_cells.get(key)
        if place is not None and place["cell_type"] == cell["cell_type"] and _is_better(cell, found.get(key)):
            found[key], before = cell, key
        elif is_answer(cell) and not is_blank(cell):
            lost.append(cell)
        if name_of(cell) is None and _hash(text_of(cell)) not in courses_texts:
            added[before].append(cell)

    taken = {cell.get("id") for cell in release["cells"]}
    cells = _with_other_ids(added.pop(None, []), taken)
    for key, blank in release_cells.items():
        cell, written = copy.deepcopy(blank), found.get(key)
        if written is not None:
            if is_answer(cell) and not is_blank(written) and key not in leave_blank:
                cell["source"] = written["source"]
                if "attachments" in written:
                    cell["attachments"] = written["attachments"]
            if cell["cell_type"] == "code" and text_of(cell) == text_of(written):
                cell |= {part: written[part] for part in ("outputs", "execution_count") if part in written}
        cells += [cell, *_with_other_ids(added[key], taken)]
    notebook = stamped(release)
    notebook["cells"] = cells
    return with_answers(notebook, [cell for cell in lost if name_of(cell) not in leave_blank])


def with_answers(notebook: Notebook, answers: Collection[Cell], heading: str = HEADING) -> Notebook:
    """The notebook with these answers at its end, under a heading, as text.

    As text they aren't run, and don't take the place of the answers of the same name.
    """
    if not answers:
        return notebook
    cells = [_markdown(heading)]
    for answer in answers:
        text = text_of(answer)
        quoted = f"~~~~python\n{text}\n~~~~" if answer["cell_type"] == "code" else text
        cells.append(_markdown(f"`{name_of(answer)}`:\n\n{quoted}", answer.get("attachments")))
    taken = {cell.get("id") for cell in notebook["cells"]}
    return notebook | {"cells": notebook["cells"] + _with_other_ids(cells, taken)}


def _is_better(cell: Cell, found: Cell | None) -> bool:
    """Whether a cell, rather than the one found before under the same key, is the one to carry over."""
    return found is None or (is_answer(cell) and is_blank(found) and not is_blank(cell))


def _key(cell: Cell) -> str:
    """What a cell is found by in another version: nbgrader's name for it, or else its id."""
    return name_of(cell) or f"id:{cell.get('id')}"


def _record(notebook: Notebook) -> dict[str, Any]:
    record = notebook["metadata"].get(RECORD)
    return record if isinstance(record, dict) else {}


def _noted_texts(notebook: Notebook) -> set[str]:
    texts = _record(notebook).get("texts")
    return {text for text in texts if isinstance(text, str)} if isinstance(texts, list) else set()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def _markdown(text: str, attachments: dict[str, Any] | None = None) -> Cell:
    cell = {"cell_type": "markdown", "id": "yours", "metadata": {}, "source": text.splitlines(keepends=True)}
    return cell | ({"attachments": attachments} if attachments else {})


def _with_other_ids(cells: list[Cell], taken: set[str | None]) -> list[Cell]:
    """The cells under ids that aren't taken yet; what they get is."""
    renamed = []
    for cell in cells:
        first, number = str(cell.get("id") or "yours")[:50], 1
        name = first
        while name in taken:
            name, number = f"{first}-{number}", number + 1
        taken.add(name)
        renamed.append(cell | {"id": name})
    return renamed
