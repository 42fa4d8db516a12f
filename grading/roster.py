"""Who is in the class: a CSV with the columns id, name, email, section, extension, or a list of Canvas's or Moodle's.

nbgrader's gradebook has no place for sections and extensions, so that they stand in a table beside its own.
"""

import csv
import io
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy
from nbgrader.api import Gradebook

from grading.course import UserError
from grading.times import read_extension

# What the columns are called: here, in Canvas's gradebook file, and in Moodle's lists. The first that is there counts.
_COLUMNS = {
    "id": ("username", "sis login id", "id", "student id", "id number", "email address", "email"),
    "lms_user_id": ("lms_user_id", "id", "id number"),
    "name": ("name", "student", "full name"),
    "first_name": ("first_name", "first name"),
    "last_name": ("last_name", "last name", "surname"),
    "email": ("email", "e-mail", "email address", "sis login id"),
    "section": ("section", "group", "groups"),
    "extension": ("extension",),
}
_IF_THERE = ("section", "extension")  # columns that a roster may lack: then what is known stays

_TABLES = sqlalchemy.MetaData()
_PEOPLE = sqlalchemy.Table(
    "attention_by_hand_people",
    _TABLES,
    sqlalchemy.Column("student", sqlalchemy.String(128), primary_key=True),
    *(sqlalchemy.Column(name, sqlalchemy.String(128), nullable=False) for name in _IF_THERE),
)


@dataclass(frozen=True)
class Person:
    """A student of the class. `id` is the name of the folder under submitted/.

    `section` and `extension` (see `times.read_extension`) are None where a roster has no such column.
    """

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""
    section: str | None = ""
    extension: str | None = ""

    @property
    def names(self) -> set[str]:
        """All by which an LMS may call the student, each as `plain` writes it."""
        first, last = self.first_name, self.last_name
        known = {self.id, self.email, self.email.partition("@")[0], f"{first} {last}", f"{last} {first}"}
        return {name for name in map(plain, known) if name}


def plain(name: str) -> str:
    """A name's letters and digits alone, in small letters, without accents: each LMS leaves out others."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


def read_roster(path: Path) -> list[Person]:
    """The students in a CSV file.

    Raises:
        UserError: if it can't be read, has no column with ids, has one id twice, or an extension that is none.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} isn't UTF-8: save it as such.") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = [
        {(title or "").strip().casefold(): (cell or "").strip() for title, cell in row.items() if isinstance(cell, str)}
        for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    ]
    people = [person for row in rows if (person := _person(row)).id]
    if not people:
        raise UserError(f"{path} has no students: it must have a column id (or Canvas's or Moodle's own columns).")
    seen: set[str] = set()
    for person in people:
        if person.id in seen:
            raise UserError(f"{path} has the id {person.id!r} twice.")
        seen.add(person.id)
        try:
            read_extension(person.extension or "")
        except ValueError as error:
            raise UserError(
                f"The extension of {person.id} in {path} can't be read ({person.extension}): write a number of days, "
                "or a date like 2026-11-12."
            ) from error
    return people


def _person(row: dict[str, str]) -> Person:
    found = {field: next((row[name] for name in names if row.get(name)), "") for field, names in _COLUMNS.items()}
    values = {field: found.pop(field) for field in _IF_THERE}
    if_there = {field: value if row.keys() & set(_COLUMNS[field]) else None for field, value in values.items()}
    name = found.pop("name")
    if name and not (found["first_name"] or found["last_name"]):
        last, comma, first = name.partition(",")
        if not comma:
            first, _, last = name.rpartition(" ")
        found |= {"first_name": first.strip(), "last_name": last.strip()}
    if found["lms_user_id"] == found["id"]:
        found["lms_user_id"] = ""
    return Person(section=if_there["section"], extension=if_there["extension"], **found)


def known_people(gradebook: Gradebook) -> list[Person]:
    """The students whom the gradebook knows."""
    connection = gradebook.db.connection()
    _TABLES.create_all(connection)
    more = {row.student: (row.section, row.extension) for row in connection.execute(_PEOPLE.select())}
    return [
        Person(
            each.id,
            each.first_name or "",
            each.last_name or "",
            each.email or "",
            each.lms_user_id or "",
            *more.get(each.id, ("", "")),
        )
        for each in gradebook.students
    ]


def sections(gradebook: Gradebook) -> dict[str, str]:
    """The sections of the students who are in one."""
    return {person.id: person.section for person in known_people(gradebook) if person.section}


def extensions(gradebook: Gradebook) -> dict[str, timedelta | datetime]:
    """The extensions of the students who have one."""
    found = {person.id: read_extension(person.extension or "") for person in known_people(gradebook)}
    return {student: extension for student, extension in found.items() if extension is not None}


def enter(gradebook: Gradebook, people: list[Person]) -> None:
    """Tell the gradebook of students: Formgrader and the exports then have their names."""
    before = {person.id: person for person in known_people(gradebook)}
    for person in people:
        known = {
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": person.email,
            "lms_user_id": person.lms_user_id,
        }
        gradebook.update_or_create_student(person.id, **{name: value for name, value in known.items() if value})
        old = before.get(person.id, Person(person.id))
        section = old.section if person.section is None else person.section
        extension = old.extension if person.extension is None else person.extension
        gradebook.db.execute(_PEOPLE.delete().where(_PEOPLE.c.student == person.id))
        gradebook.db.execute(_PEOPLE.insert().values(student=person.id, section=section, extension=extension))
    gradebook.db.commit()
