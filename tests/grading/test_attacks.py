"""The corpus of attacks, graded by stock nbgrader and by this course: what they gain there, and nothing here."""

import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from grading.sample_class import fill_in
from tests.grading.attacks import on_lab01
from tests.grading.attacks.attack import DOUBLING, RIGHT, Attack, source
from tests.grading.attacks.on_lab01 import LAB01
from tests.grading.attacks.on_the_border import BORDER
from tests.grading.attacks.on_the_files import FILES, ODD_NAMES
from tests.grading.attacks.on_the_kernel import KERNEL, VICTIM
from tests.grading.attacks.on_the_notebook import LAST, NOTEBOOK
from tests.grading.classroom import LAB, ROOT

pytestmark = [pytest.mark.slow, pytest.mark.needs("bubblewrap")]

SMALL = [*KERNEL, *NOTEBOOK, *FILES, *BORDER]
CORPUS = [*((DOUBLING, attack) for attack in SMALL), *((LAB, attack) for attack in LAB01)]
HONEST = {
    DOUBLING: {
        "honest": RIGHT,
        "half": {"double": RIGHT["double"], "square": "def square(x):\n    return 4"},
        "blank": {},
        VICTIM: RIGHT,
        LAST: RIGHT,
    },
    LAB: {"honest": {"length_mask": on_lab01.RIGHT}},
}
STOCK = """
from pathlib import Path
c = get_config()
root = Path(__file__).resolve().parent
c.CourseDirectory.root = str(root)
c.CourseDirectory.source_directory, c.CourseDirectory.release_directory = "solutions", "labs"
for step in ("submitted", "autograded", "feedback"):
    setattr(c.CourseDirectory, f"{step}_directory", f"classroom/{step}")
c.CourseDirectory.db_url = f"sqlite:///{root / 'classroom' / 'gradebook.db'}"
c.ClearMarkScheme.enforce_metadata = False
"""


@dataclass(frozen=True)
class Class:
    """A class that was graded: its course, and what the commands printed."""

    course: Path
    printed: str

    @cached_property
    def points(self) -> dict[tuple[str, str], dict[str, float]]:
        """By lab and student, the points of each test."""
        with Gradebook(f"sqlite:///{self.course / 'classroom' / 'gradebook.db'}") as gradebook:
            return {
                (lab, submission.student_id): {grade.name: grade.score for grade in submission.notebooks[0].grades}
                for lab in HONEST
                for submission in gradebook.assignment_submissions(lab)
            }

    def earned(self, lab: str, attack: Attack) -> float:
        return sum(self.points.get((lab, attack.id), {}).get(test, 0) for test in attack.on)

    def rows(self) -> set[tuple]:
        """All that the gradebook has of the honest students, but for its own numbers."""
        with sqlite3.connect(self.course / "classroom" / "gradebook.db") as gradebook:
            return set(gradebook.execute(_ROWS).fetchall())

    def outputs(self, lab: str, student: str) -> str:
        """What stands in the outputs of a student's executed notebook."""
        path = self.course / "classroom" / "autograded" / student / lab / f"{lab}.ipynb"
        cells = nbformat.read(path, as_version=4).cells if path.is_file() else []
        return "\n".join(str(cell.get("outputs", "")) for cell in cells)


_ROWS = """
SELECT submitted_assignment.student_id, assignment.name, base_cell.name, grade.auto_score, grade.manual_score,
    grade.extra_credit, grade.needs_manual_grade, comment.auto_comment, comment.manual_comment
FROM submitted_assignment
JOIN assignment ON assignment.id = submitted_assignment.assignment_id
JOIN submitted_notebook ON submitted_notebook.assignment_id = submitted_assignment.id
JOIN grade ON grade.notebook_id = submitted_notebook.id
JOIN base_cell ON base_cell.id = grade.cell_id
LEFT JOIN comment ON comment.notebook_id = submitted_notebook.id
WHERE submitted_assignment.student_id IN ('honest', 'half', 'blank', 'victim', 'zzz-last')
"""


def command(course: Path, module: str, *words: str) -> str:
    """Run a command in the course's folder, and at home there: what it prints."""
    environment = os.environ | {
        "HOME": str(course / "home"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(course if (course / "helpers").is_dir() else ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=course,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    return done.stdout + done.stderr


def make_course(folder: Path, config: str) -> Path:
    """A throw-away course of two labs, with a home of its own."""
    (folder / "nbgrader_config.py").write_text(config)
    shutil.copytree(ROOT / "solutions" / LAB, folder / "solutions" / LAB)
    (folder / "solutions" / DOUBLING).mkdir()
    nbformat.write(source(), folder / "solutions" / DOUBLING / f"{DOUBLING}.ipynb")
    for name in ("home", "classroom"):
        (folder / name).mkdir()
    (folder / "secret.txt").write_text("secret")
    return folder


def hand_in(course: Path, lab: str, attack: Attack) -> None:
    notebook = fill_in(nbformat.read(course / "labs" / lab / f"{lab}.ipynb", as_version=4), attack.cells)
    if attack.surgery is not None:
        attack.surgery(notebook)
    folder = course / "classroom" / "submitted" / attack.id / lab
    folder.mkdir(parents=True)
    if attack.place is None:
        (folder / f"{lab}.ipynb").write_text(nbformat.writes(notebook))
    else:
        attack.place(folder, nbformat.writes(notebook))


def hand_in_all(course: Path, attacks: list[tuple[str, Attack]]) -> None:
    for lab, students in HONEST.items():
        for student, cells in students.items():
            hand_in(course, lab, Attack(student, "", cells))
    for lab, attack in attacks:
        hand_in(course, lab, attack)


def graded(course: Path) -> Class:
    """The class, graded by this course."""
    printed = [command(course, "grading", "autograde", lab) for lab in HONEST]
    assert all("honest  " in each for each in printed), printed  # which is a row of the table
    return Class(course, "".join(printed))


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The students' copies of both labs."""
    course = make_course(tmp_path_factory.mktemp("release"), STOCK)
    for lab in HONEST:
        command(course, "nbgrader", "generate_assignment", lab)
    return course / "labs"


@pytest.fixture(scope="module")
def ours(release, tmp_path_factory):
    """The whole corpus among honest students, graded by this course."""
    course = make_course(tmp_path_factory.mktemp("ours"), (ROOT / "nbgrader_config.py").read_text())
    shutil.copytree(release, course / "labs")
    hand_in_all(course, CORPUS)
    for name in ODD_NAMES:
        hand_in(course, DOUBLING, Attack(name, "", RIGHT))
    return graded(course)


@pytest.fixture(scope="module")
def alone(release, tmp_path_factory):
    """The honest students by themselves, graded by this course."""
    course = make_course(tmp_path_factory.mktemp("alone"), (ROOT / "nbgrader_config.py").read_text())
    shutil.copytree(release, course / "labs")
    hand_in_all(course, [])
    return graded(course)


@pytest.fixture(scope="module")
def stock(release, tmp_path_factory):
    """The corpus among honest students, graded by stock nbgrader, with a copy of `helpers` that may be written to."""
    course = make_course(tmp_path_factory.mktemp("stock"), STOCK)
    shutil.copytree(ROOT / "helpers", course / "helpers", ignore=shutil.ignore_patterns("__pycache__"))
    for lab in HONEST:
        command(course, "nbgrader", "generate_assignment", lab)
    hand_in_all(course, [(lab, attack) for lab, attack in CORPUS if attack.tried_on_stock and attack not in BORDER])
    return Class(course, "".join(command(course, "nbgrader", "autograde", lab) for lab in HONEST))


def corpus(attacks):
    return pytest.mark.parametrize(("lab", "attack"), [pytest.param(*each, id=each[1].id) for each in attacks])


@corpus(CORPUS)
def test_it_runs_and_earns_nothing_here(lab, attack, ours):
    if attack.refused:
        (sentence,) = [line for line in ours.printed.splitlines() if line.startswith(f"{attack.id} was not graded: ")]
        assert attack.trace in sentence
        assert (lab, attack.id) not in ours.points or ours.earned(lab, attack) == 0
    else:
        assert attack.trace in ours.outputs(lab, attack.id)
        assert ours.earned(lab, attack) == attack.deserves
    assert attack.harms is None or not attack.harms(ours.course)


@corpus((lab, attack) for lab, attack in CORPUS if attack.stock is None)
def test_stock_nbgrader_gives_way(lab, attack, stock):
    harmed = attack.harms is not None and attack.harms(stock.course)
    assert stock.earned(lab, attack) > attack.deserves or harmed


@corpus((lab, attack) for lab, attack in CORPUS if attack.stock and attack.tried_on_stock and attack not in BORDER)
def test_stock_nbgrader_does_not_give_way_either(lab, attack, stock):
    assert stock.earned(lab, attack) == attack.deserves


def test_honest_students_have_the_marks_and_comments_that_they_have_without_the_attackers(ours, alone):
    assert ours.rows() == alone.rows()
    assert ours.points[DOUBLING, "honest"] == {"test_double": 2, "test_double_hidden": 2, "test_square": 4}
    assert ours.points[DOUBLING, "half"] == {"test_double": 2, "test_double_hidden": 2, "test_square": 1}
    assert set(ours.points[DOUBLING, "blank"].values()) == {0}
    assert ours.points[LAB, "honest"]["test_length_mask"] == 3


def test_the_gradebook_has_no_more_tables_students_or_cells_than_the_class(ours):
    with sqlite3.connect(ours.course / "classroom" / "gradebook.db") as gradebook:
        students = {name for (name,) in gradebook.execute("SELECT id FROM student")}
    known = (
        {attack.id for _, attack in CORPUS} | {student for each in HONEST.values() for student in each} | {*ODD_NAMES}
    )
    assert students <= known


@pytest.mark.parametrize(("name", "refusal"), ODD_NAMES.items(), ids=map(ascii, ODD_NAMES))
def test_an_odd_name_is_graded_or_answered_with_a_sentence(name, refusal, ours):
    if refusal is None:
        assert ours.points[DOUBLING, name] == {"test_double": 2, "test_double_hidden": 2, "test_square": 4}
    else:
        shown = name if name.isprintable() else ascii(name)
        assert f"{shown} was not graded: {refusal}.\n" in ours.printed
        assert "\x1b" not in ours.printed


def test_the_course_is_as_it_was(ours):
    assert nbformat.read(ours.course / "solutions" / DOUBLING / f"{DOUBLING}.ipynb", as_version=4) == source()
    assert "Traceback" not in ours.printed
