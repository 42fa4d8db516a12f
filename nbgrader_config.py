"""nbgrader's own names mapped to this course's folders: source is solutions/, release is labs/, the rest classroom/."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent
(ROOT / "classroom").mkdir(exist_ok=True)  # SQLite makes the gradebook's file, but not its folder

c = get_config()

c.CourseDirectory.course_id = "attention-by-hand"
c.CourseDirectory.root = str(ROOT)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "labs"
c.CourseDirectory.submitted_directory = "classroom/submitted"
c.CourseDirectory.autograded_directory = "classroom/autograded"
c.CourseDirectory.feedback_directory = "classroom/feedback"
c.CourseDirectory.db_url = f"sqlite:///{ROOT / 'classroom' / 'gradebook.db'}"

# The rubric of a written answer stands in the read-only cell that asks the question: nbgrader puts that cell back when
# it grades, so the rubric is in view. (By default nbgrader expects mark schemes in "task" cells only.)
c.ClearMarkScheme.enforce_metadata = False
