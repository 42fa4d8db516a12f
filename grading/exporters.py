"""The gradebook as a spreadsheet, and as the files that Canvas and Moodle import: plugins for `nbgrader export`.

    nbgrader export --to classroom/grades.csv
    nbgrader export --exporter=grading.exporters.CanvasExporter --to classroom/canvas.csv
    nbgrader export --exporter=grading.exporters.MoodleExporter --to classroom/moodle.csv

A student goes by the LMS's id if nbgrader's gradebook has one (`lms_user_id`, which `nbgrader db student import` takes
from a file), and otherwise by the name of the folder under `submitted/`. A mark is the points less the penalty for
being late. What hasn't been graded has no mark: it is left blank, and never 0.

Sources: Canvas's and Moodle's own importers, which are public: `lib/gradebook_importer.rb` of canvas-lms, and
`grade/import/csv/classes/load_data.php` of Moodle.
"""

import csv
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import Gradebook, Student, SubmittedAssignment
from nbgrader.plugins import ExportPlugin
from traitlets import Unicode

from grading.course import Course
from grading.roster import sections
from grading.standing import outdated
from grading.table import marks_in, not_run_in_words

_NUMBER = re.compile(r"[-+]?[\d.,]+%?")


@dataclass(frozen=True)
class _Graded:
    """A lab, and what is known of each student who has a mark in it."""

    name: str
    out_of: float
    marks: dict[str, float]
    comments: dict[str, str]
    waiting: dict[str, list[str]]  # by written answer, the students whose answer isn't marked yet
    not_run: dict[str, str]  # by student, what couldn't be run


class _LMSExporter(ExportPlugin):
    """What both exporters do: choose, complain in a sentence, and write safely."""

    default_file = ""

    def export(self, gradebook: Gradebook) -> None:
        """Called by `nbgrader export`: write the file.

        Raises:
            SystemExit: with a sentence, if there is nothing to export or the file can't be written.
        """
        students, self._sections = self._students(gradebook), sections(gradebook)
        labs = [self._graded(gradebook, name, students.keys()) for name in self._labs(gradebook)]
        labs = [lab for lab in labs if lab.marks]
        if not labs:
            raise SystemExit("Nothing that was asked for has been graded, so far: there is nothing to export.")
        path = Path(self.to or self.default_file)
        graded = {name: student for name, student in students.items() if any(name in lab.marks for lab in labs)}
        text = self.text(labs, graded)
        try:
            path.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise SystemExit(f"{path} can't be written: {error.strerror}.") from error
        self._warn_of_waiting(labs)
        self.log.info("Wrote %s: %s", path, ", ".join(lab.name for lab in labs))

    def text(self, labs: list[_Graded], students: dict[str, Student]) -> str:
        """Called by `export`: the file's text, for these labs and the students who have a mark in one of them."""
        raise NotImplementedError

    def _graded(self, gradebook: Gradebook, lab: str, students: Collection[str]) -> _Graded:
        """What is known of a lab's marks; those that aren't of what lies in submitted/ now are named, and left out."""
        old = outdated(Course.here(), gradebook, lab)
        for student in old.keys() & set(students):
            self.log.warning("In %s %s is left out: %s.", lab, student, old[student])
        return _graded(gradebook, lab, set(students) - old.keys())

    def _labs(self, gradebook: Gradebook) -> list[str]:
        known = sorted(assignment.name for assignment in gradebook.assignments)
        return _chosen(list(self.assignment), known, "lab")

    def _students(self, gradebook: Gradebook) -> dict[str, Student]:
        known = {student.id: student for student in gradebook.students}
        return {name: known[name] for name in _chosen(list(self.student), sorted(known), "student")}

    def _warn_of_waiting(self, labs: list[_Graded]) -> None:
        for lab in labs:
            for student, what in lab.not_run.items():
                self.log.warning("In %s some of what %s handed in was %s.", lab.name, student, what)
            for answer, students in lab.waiting.items():
                self.log.warning(
                    "In %s the written answer %s waits for a person, so that these marks aren't final: %s.",
                    lab.name,
                    answer,
                    ", ".join(students),
                )


class CanvasExporter(_LMSExporter):
    """Canvas's gradebook file, for its *Import*.

    With `--CanvasExporter.roster=FILE`, a file that Canvas's *Export* wrote, that file's cells are filled in: students
    and assignments that aren't graded here stay as they are there. The assignments in Canvas carry the labs' names.
    """

    default_file = "canvas.csv"

    roster = Unicode("", help="A gradebook file exported from Canvas, whose cells are to be filled in.").tag(
        config=True
    )

    def text(self, labs: list[_Graded], students: dict[str, Student]) -> str:
        """Called by `export`: Canvas's own file filled in, or a new one."""
        return self._filled_in(labs, students) if self.roster else self._new(labs, students)

    def _new(self, labs: list[_Graded], students: dict[str, Student]) -> str:
        rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *(lab.name for lab in labs)]]
        rows.append(["    Points Possible", "", "", "", "", *(_number(lab.out_of) for lab in labs)])
        for name, student in students.items():
            known = student.lms_user_id or ""
            canvas_id, sis_id = (known, "") if known.isdecimal() else ("", known)
            marks = (_number(lab.marks.get(name)) for lab in labs)
            rows.append([_full_name(student), canvas_id, sis_id, name, self._sections.get(name, ""), *marks])
        return _csv(rows)

    def _filled_in(self, labs: list[_Graded], students: dict[str, Student]) -> str:
        rows, delimiter, mark = self._read_roster()
        header = rows[0]
        columns = {re.sub(r" \(\d+\)$", "", title): place for place, title in enumerate(header)}
        found = [lab for lab in labs if lab.name in columns]
        if missing := [lab.name for lab in labs if lab.name not in columns]:
            sentence = f"{self.roster} has no assignment called {', '.join(missing)}"
            if not found:
                raise SystemExit(f"{sentence}: in Canvas, give it the lab's name, and export the file again.")
            self.log.warning("%s: those marks are left out.", sentence)
        places = self._rows_of(students, header, rows[1:])
        for lab in found:
            self._require_points(lab, rows, columns[lab.name])
            for name in lab.marks.keys() & places.keys():
                places[name][columns[lab.name]] = _number(lab.marks[name])
        if strangers := [name for name in students if name not in places]:
            self.log.warning(
                "%s doesn't know, so that their marks are left out: %s.", self.roster, ", ".join(strangers)
            )
        return mark + _csv(rows, delimiter)

    def _read_roster(self) -> tuple[list[list[str]], str, str]:
        """The rows, all of one length, what separates their cells, and the mark at the beginning, if there is one."""
        try:
            text = Path(self.roster).read_bytes().decode("utf-8")
        except OSError as error:
            raise SystemExit(f"{self.roster} can't be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise SystemExit(f"{self.roster} isn't UTF-8, as Canvas writes it.") from error
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        first = text.removeprefix(mark).partition("\n")[0]
        delimiter = ";" if first.count(";") > first.count(",") else ","
        rows = list(csv.reader(io.StringIO(text.removeprefix(mark), newline=""), delimiter=delimiter))
        if not rows or not {"ID", "Section"} <= set(rows[0]):
            raise SystemExit(f"{self.roster} isn't a gradebook file of Canvas: it has no columns ID and Section.")
        return [row + [""] * (len(rows[0]) - len(row)) for row in rows if row], delimiter, mark

    def _rows_of(self, students: dict[str, Student], header: list[str], rows: list[list[str]]) -> dict[str, list[str]]:
        """Each student's row in Canvas's file: the one in which some id of Canvas's is the student's."""
        columns = [header.index(title) for title in ("ID", "SIS User ID", "SIS Login ID") if title in header]
        known: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            for identifier in {row[column].strip().casefold() for column in columns}:
                known.setdefault(identifier, []).append(place)
        found: dict[str, int] = {}
        for name, student in students.items():
            places = known.get((student.lms_user_id or name).casefold(), [])
            if len(places) > 1:
                raise SystemExit(f"In {self.roster} more than one student has the id {student.lms_user_id or name!r}.")
            if places and places[0] in found.values():
                raise SystemExit(f"{name!r} and another student are the same person in {self.roster}.")
            if places:
                found[name] = places[0]
        return {name: rows[place] for name, place in found.items()}

    def _require_points(self, lab: _Graded, rows: list[list[str]], place: int) -> None:
        """Marks of 20 points mustn't end up in an assignment of 100."""
        for row in rows[1:]:
            if "Points Possible" in row[0] and row[place].strip():
                there = row[place].strip().replace(",", ".")
                if not re.fullmatch(r"\d+\.?\d*", there) or float(there) != lab.out_of:
                    raise SystemExit(
                        f"{lab.name} is worth {lab.out_of:g} points, and {row[place].strip()} in {self.roster}: "
                        "change it in Canvas, and export the file again."
                    )


class MoodleExporter(_LMSExporter):
    """A file for Moodle's *Import > CSV file*: for each lab a column with the marks and one with the comments.

    A student is found by `Username` (the folder's name), or by `ID number` or `Email address` where nbgrader's
    gradebook knows that of everyone: to a row without it Moodle gives the student of the row before.
    """

    default_file = "moodle.csv"

    def text(self, labs: list[_Graded], students: dict[str, Student]) -> str:
        """Called by `export`: a row a student, two columns a lab."""
        known = {
            "Username": list(students),
            "ID number": [student.lms_user_id for student in students.values()],
            "Email address": [student.email for student in students.values()],
        }
        known = {title: values for title, values in known.items() if all(values)}
        rows = [["First name", "Last name", *known]]
        for lab in labs:
            rows[0] += [lab.name, f"{lab.name} (Feedback)"]
        for place, (name, student) in enumerate(students.items()):
            row = [student.first_name or "", student.last_name or "", *(values[place] for values in known.values())]
            for lab in labs:
                # A dash is what Moodle itself writes for "no grade". Nothing at all would make a new item's grade 0.
                row += [_number(lab.marks[name]) if name in lab.marks else "-", lab.comments.get(name, "")]
            rows.append(row)
        return _csv(rows)


class SpreadsheetExporter(ExportPlugin):
    """A row for each lab and student whom the gradebook knows; what `nbgrader export` writes if nothing else is said.

    The columns are those of nbgrader's own, and four more. Without a mark there is no score, and never 0.
    """

    def export(self, gradebook: Gradebook) -> None:
        """Called by `nbgrader export`, and by the report.

        Raises:
            SystemExit: with a sentence, if the file can't be written.
        """
        path = Path(self.to or "grades.csv")
        labs = _chosen(list(self.assignment), [assignment.name for assignment in gradebook.assignments], "lab")
        names = _chosen(list(self.student), [student.id for student in gradebook.students], "student")
        rows, of_section = [_COLUMNS.split()], sections(gradebook)
        for lab in labs:
            old = outdated(Course.here(), gradebook, lab)
            found = {each.student_id: each for each in gradebook.assignment_submissions(lab)}
            rows += [
                [*_row(gradebook, lab, name, found.get(name), old.get(name)), of_section.get(name, "")]
                for name in names
            ]
        try:
            path.write_text(_csv(rows), encoding="utf-8", newline="")
        except OSError as error:
            raise SystemExit(f"{path} can't be written: {error.strerror}.") from error
        self.log.info("Wrote %s: %s", path, ", ".join(labs))


_COLUMNS = (
    "assignment duedate timestamp student_id last_name first_name email "
    "raw_score late_submission_penalty score max_score hours_late to_mark remark section"
)


def _row(gradebook: Gradebook, lab: str, name: str, found: SubmittedAssignment | None, old: str | None) -> list[str]:
    student, assignment = gradebook.find_student(name), gradebook.find_assignment(lab)
    known = [name, student.last_name or "", student.first_name or "", student.email or ""]
    due = str((found.duedate if found is not None else assignment.duedate) or "")
    out_of = _number(assignment.max_score)
    if found is None or not _is_graded(found):
        return [lab, due, "", *known, "", "", "", out_of, "", "", "nothing was graded"]
    time = str(found.timestamp or "")
    if old is not None:
        return [lab, due, time, *known, "", "", "", out_of, "", "", old]
    penalty = found.late_submission_penalty or 0
    score = _number(max(0.0, found.score - penalty))
    late = _number(found.total_seconds_late / 3600) if found.timestamp and assignment.duedate else ""
    waiting = sum(grade.needs_manual_grade for notebook in found.notebooks for grade in notebook.grades)
    numbers = [_number(found.score), _number(penalty), score, out_of, late, str(waiting)]
    return [lab, due, time, *known, *numbers, not_run_in_words(marks_in(found))]


def _chosen(asked: list[str], known: list[str], kind: str) -> list[str]:
    """Those that were asked for, or all."""
    if unknown := [str(name) for name in asked if str(name) not in known]:
        raise SystemExit(f"The gradebook knows no {kind} called {unknown[0]!r}.")
    return [name for name in known if not asked or name in map(str, asked)]


def _graded(gradebook: Gradebook, lab: str, students: Collection[str]) -> _Graded:
    marks: dict[str, float] = {}
    comments: dict[str, str] = {}
    waiting: dict[str, list[str]] = {}
    not_run: dict[str, str] = {}
    for submission in sorted(gradebook.assignment_submissions(lab), key=lambda submission: submission.student_id):
        name = submission.student_id
        if name not in students or not _is_graded(submission):
            continue
        penalty = submission.late_submission_penalty or 0
        marks[name] = max(0.0, submission.score - penalty)
        comments[name] = "; ".join(_comments(submission, penalty))
        if what := not_run_in_words(marks_in(submission)):
            not_run[name] = what
        for notebook in submission.notebooks:
            for grade in notebook.grades:
                if grade.needs_manual_grade:
                    waiting.setdefault(grade.name, []).append(name)
    return _Graded(lab, gradebook.find_assignment(lab).max_score, marks, comments, waiting, not_run)


def _is_graded(submission: SubmittedAssignment) -> bool:
    """Whether every grade has points, or waits for a person: nbgrader's grading was not broken off."""
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    written = {cell.name for notebook in submission.assignment.notebooks for cell in notebook.solution_cells}
    return bool(grades) and all(
        grade.name in written or grade.auto_score is not None or grade.manual_score is not None for grade in grades
    )


def _comments(submission: SubmittedAssignment, penalty: float) -> Iterator[str]:
    for notebook in submission.notebooks:
        for comment in notebook.comments:
            if comment.comment:
                yield f"{comment.name}: {' '.join(comment.comment.split())}"
    if penalty:
        yield f"late: {penalty:g} points less"


def _full_name(student: Student) -> str:
    """As Canvas writes it; the folder's name where the gradebook has no other."""
    return ", ".join(filter(None, [student.last_name, student.first_name])) or student.id


def _number(points: float | None) -> str:
    return "" if points is None else f"{round(points, 2):.10g}"


def _csv(rows: list[list[str]], delimiter: str = ",") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(
        [_inert(cell) for cell in row] for row in rows
    )
    return text.getvalue()


def _inert(cell: str) -> str:
    """Text that a spreadsheet would take for a formula, made plain text by an apostrophe."""
    formula = cell.lstrip().startswith(("=", "+", "-", "@")) or cell.startswith(("\t", "\r"))
    return f"'{cell}" if formula and cell != "-" and not _NUMBER.fullmatch(cell) else cell
