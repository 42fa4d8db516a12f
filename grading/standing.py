"""Whether marks are of what lies in submitted/ now: every command that uses marks asks here first."""

from nbgrader.api import Gradebook

from grading.course import Course, command
from grading.recording import content, contents
from grading.submissions import submission_path


def outdated(course: Course, gradebook: Gradebook, lab: str) -> dict[str, str]:
    """The students whose marks in a lab aren't those of what they handed in, and for each, in words, what is wrong."""
    found = {}
    for student, graded in sorted(contents(gradebook, lab).items()):
        path = submission_path(course.submitted, student, lab)
        present = content(path.parent, lab)
        if not present:
            found[student] = (
                f"the marks are of a file that isn't there any more ({course.shown(path)}): put it back, or grade what "
                "there is now"
            )
        elif present != graded:
            again = command("grading", "autograde", lab, "--student", student)
            found[student] = f"the marks aren't those of {course.shown(path)} as it is now; grade it: {again}"
    return found
