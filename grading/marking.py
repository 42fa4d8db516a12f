"""Marks that a person gives: the written answers."""

from nbgrader.api import Gradebook, MissingEntry, SubmittedAssignment

from grading.course import Course, UserError


def mark(course: Course, lab: str, student: str, cell: str, points: float, comment: str | None) -> tuple[float, float]:
    """Record the points, and perhaps a comment, for a written answer: the student's new total, and out of how many.

    Raises:
        UserError: if there is no such submission or written answer, or it isn't worth that many points.
    """
    with course.gradebook() as gradebook:
        submission = _find_submission(gradebook, lab, student)
        for notebook in submission.notebooks:
            written = {answer.name for answer in notebook.notebook.solution_cells}
            grades = {grade.name: grade for grade in notebook.grades if grade.name in written}
            if cell not in grades:
                raise UserError(f"{lab} has no written answer called {cell!r}; it has: {', '.join(grades)}.")
            grade = grades[cell]
            if not 0 <= points <= grade.max_score:  # false for NaN, too
                raise UserError(f"{cell} is worth 0 to {grade.max_score:g} points, so {points:g} won't do.")
            grade.manual_score = points
            grade.needs_manual_grade = False
            if comment is not None:
                gradebook.find_comment(cell, notebook.name, lab, student).manual_comment = comment
        gradebook.db.commit()
        gradebook.db.refresh(submission)
        return submission.score, submission.max_score


def _find_submission(gradebook: Gradebook, lab: str, student: str) -> SubmittedAssignment:
    try:
        return gradebook.find_submission(lab, student)
    except MissingEntry:
        pass
    try:
        graded = sorted(submission.student_id for submission in gradebook.assignment_submissions(lab))
    except MissingEntry:
        graded = []
    who = f"the students who have are: {', '.join(graded)}" if graded else "nobody has, so far"
    raise UserError(f"{student!r} has no graded submission of {lab}; {who}.")
