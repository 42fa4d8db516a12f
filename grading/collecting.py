"""An LMS's download put where submissions belong: `python -m grading collect ZIP_OR_FOLDER`.

First a plan is made, which can be looked at; then it is carried out. Every file of the download is in it: collected,
there already, or named with the reason why not. What is replaced is kept under classroom/earlier/.
"""

import re
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from grading.course import Course
from grading.downloads import Sent, files_in
from grading.handing_back import note
from grading.reading import Unreadable, read_bytes
from grading.recognising import name_of, named_cells, recognised
from grading.roster import Person, plain
from grading.submissions import fault_of_name, submission_path

NEW, SAME, REPLACES = "new", "there already", "replaces another"


@dataclass(frozen=True)
class Step:
    """A student's submission of a lab: the notebook, what comes with it, and what its coming means."""

    student: str
    lab: str
    notebook: Sent
    beside: list[Sent]
    kind: str


@dataclass
class Plan:
    """What is to be done with a download. `left` are its other files, each with the reason."""

    steps: list[Step] = field(default_factory=list)
    left: list[tuple[Sent, str]] = field(default_factory=list)


def plan(course: Course, download: Path, people: list[Person], only_these: bool) -> Plan:
    """What to do with each file of a download; nothing is written.

    `people` are the students who are known; a stranger is collected under the name that the LMS has, unless
    `only_these` are expected.

    Raises:
        UserError: if the download can't be read.
    """
    made, of_student = Plan(), defaultdict(list)
    for file in files_in(download):
        if file.content is None or file.name == "timestamp.txt":
            made.left.append((file, file.fault or "a student's word is no proof of the time"))
            continue
        student, fault = _student(file, people, only_these)
        if fault:
            made.left.append((file, fault))
        else:
            of_student[student].append(file)
    _tell_namesakes_apart(of_student)
    labs = {
        lab: named_cells(nbformat.read(course.solutions / lab / f"{lab}.ipynb", as_version=4))
        for lab in course.lab_names
    }
    meant = {id(file): _lab_in(file, labs) for files in of_student.values() for file in files if _is_notebook(file)}
    alike = {lab for lab in meant.values() if lab}
    for student, files in sorted(of_student.items()):
        notebooks = defaultdict(list)
        for file in filter(_is_notebook, files):
            lab = meant[id(file)] or _lab_named(file.name, labs) or (next(iter(alike)) if len(alike) == 1 else None)
            if lab is None:
                made.left.append((file, "no lab can be recognised in it, nor in its name"))
            else:
                notebooks[lab].append(file)
        others = [file for file in files if not _is_notebook(file)]
        if len(notebooks) != 1:  # with two labs nobody knows to which they belong
            made.left += [(file, "it is no notebook, and which lab it belongs to isn't known") for file in others]
            others = []
        for lab, attempts in sorted(notebooks.items()):
            *earlier, last = sorted(attempts, key=_order)
            made.left += [(file, f"{last.origin} is a later attempt") for file in earlier]
            latest = [file for file in others if file.attempt >= last.attempt or not last.attempt]
            made.left += [(file, "it came with an earlier attempt") for file in others if file not in latest]
            made.steps.append(Step(student, lab, last, latest, _kind(course, student, lab, last)))
    return made


def carry_out(course: Course, steps: Iterable[Step]) -> dict[tuple[str, str], Path]:
    """Write the submissions: by student and lab, where what they replaced is kept now."""
    kept = {}
    for step in steps:
        note(course, step.lab, step.student, step.notebook)
        if step.kind == SAME:
            continue
        path = submission_path(course.submitted, step.student, step.lab)
        if step.kind == REPLACES:
            place = course.classroom / "earlier" / step.student / step.lab
            number = 1
            while (copy := place.with_name(f"{step.lab}-{number}")).exists():
                number += 1
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path.parent, copy)
            kept[step.student, step.lab] = copy
        path.parent.mkdir(parents=True, exist_ok=True)
        for file in step.beside:
            (path.parent / file.name).write_bytes(file.content or b"")
        path.write_bytes(step.notebook.content or b"")  # the last, so that it is there only if all is
    return kept


def _is_notebook(file: Sent) -> bool:
    return file.name.lower().endswith((".ipynb", ".ipynb.json", ".ipynb.txt"))  # what browsers make of it


def _lab_in(file: Sent, labs: dict[str, dict]) -> str | None:
    """The lab of which most cells are in a notebook, whatever its name; None if it can't be read, or has none."""
    try:
        cells = read_bytes(file.name, file.content or b"")
    except Unreadable:
        return None
    names = {name_of(cell) for cell in cells.cells}
    found = {lab: len(names & named.keys()) for lab, named in labs.items()}
    if not any(found.values()):  # the names are lost
        found = {lab: _cells_recognised(cells, named) for lab, named in labs.items()}
    best = max(found, key=lambda lab: found[lab], default=None)
    return best if best and found[best] and list(found.values()).count(found[best]) == 1 else None


def _cells_recognised(notebook: nbformat.NotebookNode, named: dict) -> int:
    source = nbformat.v4.new_notebook(cells=list(named.values()))
    return sum(name is not None for name, _ in recognised(notebook, source))


def _lab_named(name: str, labs: Iterable[str]) -> str | None:
    """The lab that a file's name says: the lab's own name, or its number after "lab"."""
    for lab in labs:
        if lab in name:
            return lab
    found = re.search(r"lab[ _-]*0*(\d+)", name, re.IGNORECASE)
    numbers = {int(number[1]): lab for lab in labs if (number := re.match(r"lab0*(\d+)", lab))}
    return numbers.get(int(found[1])) if found else None


def _student(file: Sent, people: list[Person], only_these: bool) -> tuple[str, str]:
    """The folder's name for a file, and else why there is none."""
    for person in people:
        if file.user and file.user in (person.lms_user_id, person.id):
            return person.id, ""
    candidates = [plain(file.who)]
    if file.number and "-" in file.who:  # Moodle puts a group in front of a name, and names have hyphens too
        parts = file.who.split("-")
        candidates += [plain("-".join(parts[place:])) for place in range(1, len(parts))]
    for wanted in candidates:
        found = {person.id for person in people if wanted and wanted in person.names}
        if len(found) == 1:
            return found.pop(), ""
        if found:
            return "", f"several students are called {file.who}: {', '.join(sorted(found))}"
    if not file.user and not file.number:
        words = {plain(word) for word in re.split(r"[\W_]+", f"{file.who} {file.name}")}
        inside = {person.id for person in people if _is_named(person, words)}
        if len(inside) == 1:
            return inside.pop(), ""
    if only_these or not file.who:
        return "", f"nobody in the class is called {file.who or file.name}"
    name = file.user or re.sub(r'[\\/*?\[\]<>"&]', "-", file.who).strip()
    return ("", fault) if (fault := fault_of_name(name)) else (name, "")


def _is_named(person: Person, words: set[str]) -> bool:
    """Whether the words of a file's name have a student's id, or both names, among them."""
    names = {plain(person.first_name), plain(person.last_name)}
    return plain(person.id) in words or ("" not in names and names <= words)


def _tell_namesakes_apart(of_student: dict[str, list[Sent]]) -> None:
    """Moodle's number, behind their name, for two students of one name whom nothing else tells apart."""
    for student, files in list(of_student.items()):
        numbers = {file.number for file in files if file.number}
        if len(numbers) > 1:
            del of_student[student]
            for file in files:
                of_student[f"{student} {file.number}"].append(file)


def _order(file: Sent) -> tuple:
    """Later attempts sort behind earlier ones: by Canvas's number, or the one that a browser puts into brackets."""
    number = re.search(r"[ (-](\d+)\)?\.ipynb", file.name)
    return file.attempt, int(number[1]) if number else 0, file.origin


def _kind(course: Course, student: str, lab: str, notebook: Sent) -> str:
    path = submission_path(course.submitted, student, lab)
    if not path.parent.exists():
        return NEW
    return SAME if path.is_file() and path.read_bytes() == notebook.content else REPLACES
