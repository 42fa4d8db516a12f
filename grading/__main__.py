"""The command line: python -m grading autograde LAB, mark LAB STUDENT CELL POINTS, feedback LAB, report LAB, sample-class."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from sqlalchemy.exc import SQLAlchemyError

from grading.autograding import Ways, autograde
from grading.course import Course, UserError, command
from grading.feedback import graded_students, page_path, write_pages
from grading.harmless import plain_text
from grading.marking import mark
from grading.sample_class import hand_in, labs_with_a_sample
from grading.submissions import find_submissions, shown
from grading.table import Mark, marks_of, table_of_marks

NOT_ALL_GRADED, USER_ERROR, STOPPED = 1, 2, 130  # exit statuses; 130 is the shell's own for Ctrl-C


def main(words: Sequence[str] | None = None) -> int:
    """Run one command, by default that of the process: its exit status."""
    arguments = _parser().parse_args(words)
    try:
        return arguments.run(Course.here(getattr(arguments, "db", None)), arguments)
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
        self.exit(USER_ERROR, f"{self.prog}: {message} (--help says more).\n")  # without the usage: one sentence


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m grading", description="Grade a class with nbgrader.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    autograding = commands.add_parser("autograde", help="run the tests of a lab on what was handed in")
    autograding.add_argument("lab", metavar="LAB", nargs="?", help="for example lab01_masked_softmax")
    autograding.add_argument("--student", metavar="NAME", help="only this student's submission")
    autograding.add_argument("--workers", metavar="N", type=_number, help="how many run at once (default: one a core)")
    autograding.add_argument("--scheduler", metavar="ADDRESS", help="a Dask cluster, for example tcp://10.0.0.5:8786")
    autograding.add_argument(
        "--no-sandbox", dest="sandbox", action="store_false", help="run students' code unprotected, with your rights"
    )
    _add_db(autograding)
    autograding.set_defaults(run=_autograde)

    sample = commands.add_parser("sample-class", help="hand in for a few invented students, to try the grading")
    sample.add_argument("--lab", metavar="LAB", default="lab01_masked_softmax", help="default: %(default)s")
    sample.set_defaults(run=_sample_class)

    marking = commands.add_parser("mark", help="give points for a written answer")
    marking.add_argument("lab", metavar="LAB")
    marking.add_argument("student", metavar="STUDENT")
    marking.add_argument("cell", metavar="CELL", help="for example written_masking")
    marking.add_argument("points", metavar="POINTS", type=float)
    marking.add_argument("--comment", metavar="TEXT", help="a sentence to the student, shown in the feedback")
    _add_db(marking)
    marking.set_defaults(run=_mark)

    feedback = commands.add_parser("feedback", help="write a page for each student: marks, messages, comments")
    feedback.add_argument("lab", metavar="LAB", nargs="?")
    feedback.add_argument("--student", metavar="NAME", help="only this student's page")
    _add_db(feedback)
    feedback.set_defaults(run=_feedback)

    reporting = commands.add_parser("report", help="how the class did in a lab, and what it got wrong")
    reporting.add_argument("lab", metavar="LAB", nargs="?")
    _add_db(reporting)
    reporting.set_defaults(run=_report)
    return parser


def _add_db(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--db", metavar="URL", help="another gradebook than GRADEBOOK_URL's, or nbgrader_config.py's")


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of workers: 1 is the least")
    return int(text)


def _autograde(course: Course, arguments: argparse.Namespace) -> int:
    lab = course.find_lab(arguments.lab)
    if not (course.labs / lab / f"{lab}.ipynb").is_file():
        raise UserError(
            f"The students' copy of {lab} is missing in {course.shown(course.labs / lab)}: `make labs` writes it."
        )
    students = find_submissions(course.submitted, lab)
    place = course.shown(course.submitted / (arguments.student or "STUDENT") / lab / f"{lab}.ipynb")
    if not students:
        sample = command("grading", "sample-class", "--lab", lab)
        offer = f"; to try it with a few invented students: {sample}" if lab in labs_with_a_sample() else "."
        raise UserError(f"There is nothing to grade: a submission belongs to {place}{offer}")
    if arguments.student:
        if arguments.student not in students:
            raise UserError(f"{arguments.student!r} has handed in nothing: the submission belongs to {place}.")
        students = [arguments.student]

    outcomes = autograde(course, lab, students, Ways(arguments.sandbox, arguments.scheduler, arguments.workers))
    marks = marks_of(course, lab, [each.student for each in outcomes if each.fault is None])
    if marks:
        _show(course, lab, {each.student: marks.get(each.student) for each in outcomes})
        if arguments.db is not None:
            print("For these, `export GRADEBOOK_URL=...` first: the address that you gave as --db.", flush=True)
    faults = [each for each in outcomes if each.fault is not None]
    for each in faults:
        _complain(f"{shown(each.student)} was not graded: {each.fault}.", NOT_ALL_GRADED)
    return NOT_ALL_GRADED if faults else 0


def _show(course: Course, lab: str, marks: dict[str, dict[str, Mark] | None]) -> None:
    """Print the table, and what to do next."""
    print(f"\n{table_of_marks(marks)}\n")
    waiting = [(student, name) for student, each in marks.items() for name, mark in (each or {}).items() if mark.waits]
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
    return 0


def _feedback(course: Course, arguments: argparse.Namespace) -> int:
    lab = course.find_lab(arguments.lab)
    waiting = graded_students(course, lab)
    left_out = [student for student in find_submissions(course.submitted, lab) if student not in waiting]
    if arguments.student:
        if arguments.student not in waiting:
            raise UserError(
                f"{arguments.student!r} has no graded submission of {lab}; the students who have are: {', '.join(waiting)}."
            )
        waiting, left_out = {arguments.student: waiting[arguments.student]}, []
    faults = {student: fault for student, fault in write_pages(course, lab, list(waiting)) if fault is not None}
    written = [student for student in waiting if student not in faults]
    if written:
        place = course.shown(page_path(course, lab, written[0] if len(written) == 1 else "STUDENT"))
        print(f"Pages written: {len(written)}, {place}")
    if to_mark := sum(waiting[student] for student in written):
        print(f"Written answers still to mark: {to_mark}, shown as 0 points. Run this again when you have marked them.")
    for student, fault in faults.items():
        _complain(f"{student} has no page: {fault}.", NOT_ALL_GRADED)
    for student in left_out:
        _complain(f"{student} has no page: the submission was not graded.", NOT_ALL_GRADED)
    return NOT_ALL_GRADED if faults or left_out else 0


def _report(course: Course, arguments: argparse.Namespace) -> int:
    # Drawing needs matplotlib and the checks need PyTorch, and the other commands needn't wait for them.
    from grading import report
    from grading.mistakes import class_result

    result = class_result(course, course.find_lab(arguments.lab))
    files = report.write(course, result)
    print(f"{report.as_text(result)}\n")
    print(f"The marks, for a spreadsheet:      {course.shown(files.marks)}")
    print(f"A picture for a slide, no names:   {course.shown(files.picture)}")
    print(f"The picture and the text, a page:  {course.shown(files.page)}")
    return 0


def _complain(sentence: str, status: int) -> int:
    print(plain_text(sentence), file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
