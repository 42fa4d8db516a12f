"""Hints first, and a right answer when it is asked for again; it is noted, and a hand-out has none."""

from pathlib import Path

import pytest

from helpers.lab_files import UserError, exercises_in, labs_of, read, released_path
from helpers.progress import record
from helpers.reveal import hints_to, main, right_answer
from tests.own_copies.course import CELLS, LAB, answer, answer_it, lab_of, named, release, text, write

ROOT = Path(__file__).parents[2]
HINT = "<details><summary>Hint</summary>\n\nCount the steps.\n\n</details>"
CLASS = '''class Model:
    """Blanks."""

    def step(self):
        """One."""
        ### BEGIN SOLUTION
        return 1
        ### END SOLUTION

    @staticmethod
    def decode():
        ### BEGIN SOLUTION
        return 2
        ### END SOLUTION
'''


@pytest.fixture
def solved(course):
    cells = [
        *CELLS,
        text("about-model", HINT.replace("Count", "Look at")),
        answer("Model"),
        named("test_step", 'check(Model, "step")', points=2),
        text("about-decode", HINT),
        named("test_decode", 'check(Model, "decode")', points=2),
    ]
    release(course, cells)
    solution = course / "solutions" / LAB / f"{LAB}.ipynb"
    write(solution, lab_of(cells))
    first = "def first():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION"
    answer_it(solution, first=first, Model=CLASS, written_why="Because.")
    return course


def test_hints_come_first_and_then_an_answer_which_is_noted(solved, capsys):
    main(["1", "first"], solved)
    hints = capsys.readouterr().out
    assert "Hint 1: where to look\n\n  At the first letter." in hints and "return 1" not in hints
    assert not record(solved, LAB, "first").get("revealed")
    main(["1", "first"], solved)
    assert "def first():\n    return 1\n" in capsys.readouterr().out
    assert record(solved, LAB, "first")["revealed"]


def test_a_method_has_its_own_hints_and_its_own_part_of_the_answer(solved):
    lab, solution = read(released_path(solved, LAB)), read(solved / "solutions" / LAB / f"{LAB}.ipynb")
    assert hints_to(lab, "step") == [("Hint", "Look at the steps.")]
    assert hints_to(lab, "decode") == [("Hint", "Count the steps.")]
    assert right_answer(solution, "step") == 'def step(self):\n    """One."""\n    return 1'
    assert right_answer(solution, "decode") == "def decode():\n    return 2"


def test_a_written_answer_without_hints_is_shown_at_once(solved, capsys):
    main(["1", "written_why"], solved)
    assert "Because." in capsys.readouterr().out


def test_where_there_are_no_solutions_the_instructor_has_them(course, capsys):
    for _ in range(2):
        main(["1", "first"], course)
    assert (
        capsys.readouterr()
        .out.rstrip()
        .endswith("No answers came with this copy of the course: your instructor has them.")
    )
    assert not record(course, LAB, "first").get("revealed")


@pytest.mark.parametrize(("lab", "exercise"), [("2", "first"), ("1", "third")])
def test_an_unknown_lab_or_exercise_is_one_sentence(solved, lab, exercise):
    with pytest.raises(UserError, match=r"There is no (lab|exercise) called"):
        main([lab, exercise], solved)


def test_every_exercise_of_the_course_has_an_answer_without_marks_and_all_that_are_no_essays_have_hints():
    for lab in labs_of(ROOT):
        released, solution = read(released_path(ROOT, lab)), read(ROOT / "solutions" / lab / f"{lab}.ipynb")
        for exercise in exercises_in(released):
            found = right_answer(solution, exercise)
            assert found and "###" not in found and "NotImplementedError" not in found, exercise
            assert exercise.startswith("written_") or hints_to(released, exercise), exercise
