"""The command line: python -m grading COMMAND (collect, autograde, mark, feedback, report, similar …)."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sqlalchemy.exc import SQLAlchemyError

from grading.accounting import unnoticed
from grading.autograding import Ways, autograde
from grading.collecting import carry_out, plan
from grading.course import Course, UserError, command
from grading.feedback import graded_students, page_path, write_pages
from grading.handing_back import pack
from grading.harmless import plain_text
from grading.marking import mark
from grading.roster import enter, known_people, read_roster, sections
from grading.sample_class import hand_in, labs_with_a_sample
from grading.standing import outdated
from grading.submissions import find_submissions, shown, submission_path
from grading.table import Mark, late_in, marks_of, not_run_in_words, table_of_marks

NOT_ALL_GRADED, USER_ERROR, STOPPED = 1, 2, 130  # exit statuses; 130 is the shell's own for Ctrl-C


def main(words: Sequence[str] | None = None) -> int:
    """Run one command, by default that of the process: its exit status."""
    arguments = _parser().parse_args(words)
    try:
        return arguments.command(Course.here(getattr(arguments, "db", None)), arguments)
    except UserError as error:
        return _complain(str(error), USER_ERROR)
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", error)).split())
        return _complain(f"The gradebook can't be read or written: {reason.rstrip('.')}.", USER_ERROR)
    except OSError as error:
        return _complain(
            f"{error.filename or 'A file'} can't be read or written: {error.strerror or error}.", USER_ERROR
        )
    except KeyboardInterrupt:
        return _complain("\nStopped. The marks so far are in the gradebook.", STOPPED)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Called by argparse for a command line that it can't read."""
        self.exit(USER_ERROR, f"{self.prog}: {message} (--help says more).\n")  # without the usage: one sentence


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m grading", description="Grade a class with nbgrader.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    collecting = commands.add_parser("collect", help="put an LMS's download where submissions belong")
    collecting.add_argument("download", metavar="ZIP_OR_FOLDER", type=Path, help="as Canvas or Moodle has it")
    collecting.add_argument("--roster", metavar="CSV", type=Path, help="the class: id, name, email, section, extension")
    collecting.add_argument("--dry-run", action="store_true", help="show what would go where, and write nothing")
    _add_db(collecting)
    collecting.set_defaults(command=_collect)

    autograding = commands.add_parser("autograde", help="run the tests of a lab on what was handed in")
    autograding.add_argument("lab", metavar="LAB", nargs="?", help="for example lab01_masked_softmax")
    autograding.add_argument("--student", metavar="NAME", help="only this student's submission")
    autograding.add_argument("--workers", metavar="N", type=_number, help="how many run at once (default: one a core)")
    autograding.add_argument("--scheduler", metavar="ADDRESS", help="a Dask cluster, for example tcp://10.0.0.5:8786")
    autograding.add_argument(
        "--no-sandbox", dest="sandbox", action="store_false", help="run students' code unprotected, with your rights"
    )
    _add_db(autograding)
    autograding.set_defaults(command=_autograde)

    sample = commands.add_parser("sample-class", help="hand in for a few invented students, to try the grading")
    sample.add_argument("--lab", metavar="LAB", default="lab01_masked_softmax", help="default: %(default)s")
    sample.set_defaults(command=_sample_class)

    marking = commands.add_parser("mark", help="give points for a written answer")
    marking.add_argument("lab", metavar="LAB")
    marking.add_argument("student", metavar="STUDENT")
    marking.add_argument("cell", metavar="CELL", help="for example written_masking")
    marking.add_argument("points", metavar="POINTS", type=float)
    marking.add_argument("--comment", metavar="TEXT", help="a sentence to the student, shown in the feedback")
    _add_db(marking)
    marking.set_defaults(command=_mark)

    feedback = commands.add_parser("feedback", help="write a page for each student: marks, messages, comments")
    feedback.add_argument("lab", metavar="LAB", nargs="?")
    feedback.add_argument("--student", metavar="NAME", help="only this student's page")
    _add_db(feedback)
    feedback.set_defaults(command=_feedback)

    reporting = commands.add_parser("report", help="how the class did in a lab, and what it got wrong")
    reporting.add_argument("lab", metavar="LAB", nargs="?")
    reporting.add_argument("--exercise", metavar="NAME", help="only this one, on the screen alone")
    _add_db(reporting)
    reporting.set_defaults(command=_report)

    comparing = commands.add_parser("similar", help="answers that are alike, side by side, for a person to judge")
    comparing.add_argument("lab", metavar="LAB", nargs="?")
    comparing.set_defaults(command=_similar)
    return parser


def _add_db(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--db", metavar="URL", help="another gradebook than GRADEBOOK_URL's, or nbgrader_config.py's")


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of workers: 1 is the least")
    return int(text)


def _collect(course: Course, arguments: argparse.Namespace) -> int:
    listed = read_roster(arguments.roster) if arguments.roster is not None else []
    with course.gradebook() as gradebook:
        if listed and not arguments.dry_run:
            enter(gradebook, listed)
        people = {person.id: person for person in [*known_people(gradebook), *listed]}
    made = plan(course, arguments.download, list(people.values()), only_these=bool(listed))
    kept = {} if arguments.dry_run else carry_out(course, made.steps)
    for step in made.steps:
        place = submission_path(course.submitted, step.student, step.lab)
        late = ", late" if step.notebook.late else ""
        copy = kept.get((step.student, step.lab))
        before = f", which is {course.shown(copy)} now" if copy is not None else ""
        print(plain_text(f"{step.notebook.origin}{late} → {course.shown(place)}: {step.kind}{before}"))
        for file in step.beside:
            print(plain_text(f"  with {file.name}"))
    for file, reason in made.left:
        _complain(f"{file.origin} is left out: {reason}.", NOT_ALL_GRADED)
    kinds = Counter(step.kind for step in made.steps)
    counts = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    print(f"\nSubmissions: {len(made.steps)}{f' ({counts})' if counts else ''}. Files left out: {len(made.left)}.")
    if arguments.dry_run:
        print("Nothing was written: that was a dry run.")
    elif missing := sorted({person.id for person in listed} - {step.student for step in made.steps}):
        print(f"Of the roster, these aren't in it: {', '.join(missing)}.")
    return NOT_ALL_GRADED if made.left else 0


def _autograde(course: Course, arguments: argparse.Namespace) -> int:
    lab = course.find_lab(arguments.lab)
    if not (course.labs / lab / f"{lab}.ipynb").is_file():
        raise UserError(
            f"The students' copy of {lab} is missing in {course.shown(course.labs / lab)}: `make labs` writes it."
        )
    students = find_submissions(course.submitted, lab)
    place = course.shown(course.submitted / (arguments.student or "STUDENT") / lab / f"{lab}.ipynb")
    if not students:
        for sentence in unnoticed(course, lab, course.lab_names):
            _complain(f"{sentence}.", USER_ERROR)
        sample = command("grading", "sample-class", "--lab", lab)
        offer = f"; to try it with a few invented students: {sample}" if lab in labs_with_a_sample() else "."
        raise UserError(f"There is nothing to grade: a submission belongs to {place}{offer}")
    if arguments.student:
        if arguments.student not in students:
            raise UserError(f"{arguments.student!r} has handed in nothing: the submission belongs to {place}.")
        students = [arguments.student]

    outcomes = autograde(course, lab, students, Ways(arguments.sandbox, arguments.scheduler, arguments.workers))
    marks = marks_of(course, lab, [outcome.student for outcome in outcomes if outcome.recorded])
    if marks:
        _show(course, lab, {outcome.student: marks.get(outcome.student) for outcome in outcomes})
        if arguments.db is not None:
            print("For these, `export GRADEBOOK_URL=...` first: the address that you gave as --db.", flush=True)
    for outcome in outcomes:
        if outcome.remark is not None:
            _complain(f"{shown(outcome.student)} was graded, but {outcome.remark}.", NOT_ALL_GRADED)
    faults = [outcome for outcome in outcomes if outcome.fault is not None]
    for outcome in faults:
        points = " It has 0 points, and a page that says so." if outcome.recorded else ""
        _complain(f"{shown(outcome.student)} was not graded: {outcome.fault}.{points}", NOT_ALL_GRADED)
    with course.gradebook() as gradebook:
        old = outdated(course, gradebook, lab)
    if arguments.student:
        old = {student: reason for student, reason in old.items() if student == arguments.student}
    for student, reason in old.items():
        _complain(f"{shown(student)} keeps old marks: {reason}.", NOT_ALL_GRADED)
    strays = unnoticed(course, lab, course.lab_names) if not arguments.student else []
    for sentence in strays:
        _complain(f"{sentence}.", NOT_ALL_GRADED)
    with course.gradebook() as gradebook:
        absent = sorted({person.id for person in known_people(gradebook)} - {*students, *marks})
    if absent and not arguments.student:
        print(f"Handed in nothing: {', '.join(absent)}.")
    return NOT_ALL_GRADED if faults or old or strays else 0


def _show(course: Course, lab: str, marks: dict[str, dict[str, Mark] | None]) -> None:
    """Print the table, and what to do next."""
    with course.gradebook() as gradebook:
        print(f"\n{table_of_marks(marks, sections(gradebook))}\n")
    late = late_in(course, lab)
    for student in marks:
        if student in late:
            print(f"{shown(student)} was late: {late[student]}")
    known = [(student, of_student) for student, of_student in marks.items() if of_student is not None]
    for student, of_student in known:
        if not_run := not_run_in_words(of_student):
            _complain(f"{shown(student)} was graded, but some of it was {not_run}.", NOT_ALL_GRADED)
    waiting = [(student, name) for student, of_student in known for name, mark in of_student.items() if mark.waits]
    if waiting:
        print(f"Written answers to mark: {len(waiting)}, in the Formgrader of JupyterLab or one by one:")
        print(f"  {command('grading', 'mark', lab, *waiting[0], 'POINTS', '--comment', 'WHY')}")
    print("Feedback for the students, in HTML (again after marking):")
    print(f"  {command('grading', 'feedback', lab)}")
    print("What the class got wrong, for your next lecture:")
    print(f"  {command('grading', 'report', lab)}")
    print("All marks as a table for a spreadsheet:")
    print(f"  {command('nbgrader', 'export', '--to', course.shown(course.classroom / 'grades.csv'))}", flush=True)


def _sample_class(course: Course, arguments: argparse.Namespace) -> int:
    lab = course.find_lab(arguments.lab)
    for student, done in hand_in(course, lab):
        folder = course.shown(course.submitted / student / lab)
        print(f"{student} handed in {folder}" if done else f"{student} keeps what is in {folder}")
    print(f"Next, grade them: make grade LAB={lab}")
    return 0


def _mark(course: Course, arguments: argparse.Namespace) -> int:
    lab, student, cell, points = course.find_lab(arguments.lab), arguments.student, arguments.cell, arguments.points
    total, out_of = mark(course, lab, student, cell, points, arguments.comment)
    print(f"{student}: {points:g} for {cell}, {total:g} of {out_of:g} in all.")
    with course.gradebook() as gradebook:
        reason = outdated(course, gradebook, lab).get(student)
    return _complain(f"But {reason}.", NOT_ALL_GRADED) if reason is not None else 0


def _feedback(course: Course, arguments: argparse.Namespace) -> int:
    lab = course.find_lab(arguments.lab)
    waiting = graded_students(course, lab)
    left_out = {
        student: "the submission was not graded"
        for student in find_submissions(course.submitted, lab)
        if student not in waiting
    }
    if arguments.student:
        if arguments.student not in waiting:
            raise UserError(
                f"{arguments.student!r} has no graded submission of {lab}; "
                f"the students who have are: {', '.join(waiting)}."
            )
        waiting, left_out = {arguments.student: waiting[arguments.student]}, {}
    with course.gradebook() as gradebook:
        old = outdated(course, gradebook, lab)
    for student in old.keys() & waiting.keys():
        del waiting[student]
        left_out[student] = old[student]
        page_path(course, lab, student).unlink(missing_ok=True)  # or it would be given back
    faults = {student: fault for student, fault in write_pages(course, lab, list(waiting)) if fault is not None}
    written = [student for student in waiting if student not in faults]
    if written:
        place = course.shown(page_path(course, lab, written[0] if len(written) == 1 else "STUDENT"))
        print(f"Pages written: {len(written)}, {place}")
    if written and not arguments.student:
        packed = pack(course, lab, {student: page_path(course, lab, student) for student in written})
        print(f"All of them, for an upload to where they handed in: {course.shown(packed)}")
    if to_mark := sum(waiting[student] for student in written):
        print(f"Written answers still to mark: {to_mark}, and said to be. Run this again when you have marked them.")
    for student, fault in faults.items():
        _complain(f"{student} has no page: {fault}.", NOT_ALL_GRADED)
    for student, reason in sorted(left_out.items()):
        _complain(f"{shown(student)} has no page: {reason}.", NOT_ALL_GRADED)
    return NOT_ALL_GRADED if faults or left_out else 0


def _report(course: Course, arguments: argparse.Namespace) -> int:
    # Drawing needs matplotlib and the checks need PyTorch, and the other commands needn't wait for them.
    from grading import report
    from grading.mistakes import class_result

    result = class_result(course, course.find_lab(arguments.lab))
    for student, reason in result.left_out.items():
        _complain(f"{shown(student)} is left out: {reason}.", NOT_ALL_GRADED)
    if arguments.exercise is not None:
        print(plain_text(report.text_of(result, arguments.exercise)))
        return NOT_ALL_GRADED if result.left_out else 0
    files = report.write(course, result)
    print(f"{plain_text(report.as_text(result))}\n")
    for student, how_much in late_in(course, result.lab).items():
        print(f"{shown(student)} was late: {how_much}")
    print(f"The marks, for a spreadsheet:      {course.shown(files.marks)}")
    print(f"A picture for a slide, no names:   {course.shown(files.picture)}")
    print(f"The picture and the text, a page:  {course.shown(files.page)}")
    return NOT_ALL_GRADED if result.left_out else 0


def _similar(course: Course, arguments: argparse.Namespace) -> int:
    from grading import similar  # which needs PyTorch, for the checks say what in `helpers` is an answer

    lab = course.find_lab(arguments.lab)
    found, left_out = similar.similar(course, lab)
    for student, reason in left_out.items():
        _complain(f"{shown(student)} is left out: {reason}.", NOT_ALL_GRADED)
    print(plain_text(similar.as_text(found)))
    if any(each.pairs for each in found):
        print(f"\nSide by side, for you to judge: {course.shown(similar.write(course, lab, found))}")
    return NOT_ALL_GRADED if left_out else 0


def _complain(sentence: str, status: int) -> int:
    print(plain_text(sentence), file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
