"""The sample class: its right answers are right, its misconceptions are those that its comments name."""

import nbformat
import pytest

from grading.__main__ import main
from grading.sample_answers import lab01_masked_softmax as answers
from helpers import widely_copied
from helpers.checks import CheckFailed, check
from tests.grading.classroom import LAB, hand_in, make_course
from tools.hidden_tests import run_hidden_tests

MISCONCEPTIONS = {
    answers.LENGTH_MASK_FOR_ONE_LENGTH_A_SEQUENCE: "one-dimensional-lengths-only",
    answers.MASKED_SOFTMAX_OVER_QUERIES: "softmax-over-queries",
    answers.MASKED_SOFTMAX_MASKED_AFTERWARDS: "mask-after-softmax",
    answers.MASKED_SOFTMAX_WITH_A_FINITE_FILL: "finite-fill",
    answers.MASKED_SOFTMAX_WITHOUT_THE_EMPTY_ROW: "nan-empty-row",
    answers.BREAKING_INPUT_WITH_ORDINARY_PADDING: "ordinary-padding",
    answers.MASKED_MEAN_OVER_THE_PADDED_LENGTH: "divides-by-padded-length",
    answers.MASKED_MEAN_WITHOUT_THE_EMPTY_SEQUENCE: "nan-empty-sequence",
}
CELLS = {
    (exercise, source)
    for cells in answers.STUDENTS.values()
    for exercise, source in cells.items()
    if exercise != "written_masking" and source != answers.MASKED_SOFTMAX_THAT_IS_NO_PYTHON
}


def answer_in(source, exercise):
    names = {"fill_a_copy": widely_copied.fill_a_copy}
    exec("import math\nimport torch\nfrom torch import Tensor, nn\n" + source, names)
    return names[exercise]


@pytest.mark.parametrize(("exercise", "source"), sorted(cell for cell in CELLS if cell[1] not in MISCONCEPTIONS))
def test_the_right_answers_are_right(exercise, source):
    answer = answer_in(source, exercise)
    check(answer, exercise)
    if exercise == "masked_softmax":
        run_hidden_tests(LAB, "test_masked_softmax_hidden", masked_softmax=answer)


@pytest.mark.parametrize(("exercise", "source"), sorted(cell for cell in CELLS if cell[1] in MISCONCEPTIONS))
def test_the_wrong_answers_are_rejected_by_name(exercise, source):
    with pytest.raises(CheckFailed) as failed:
        check(answer_in(source, exercise), exercise)
    assert failed.value.misconception == MISCONCEPTIONS[source]


def test_one_answer_is_no_python():
    with pytest.raises(SyntaxError):
        answer_in(answers.MASKED_SOFTMAX_THAT_IS_NO_PYTHON, "masked_softmax")


def test_every_misconception_has_a_student():
    assert set(MISCONCEPTIONS) <= {source for _, source in CELLS}


def test_each_student_hands_in_the_student_copy_with_the_own_answers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(make_course(tmp_path))
    assert main(["sample-class"]) == 0
    for student, cells in answers.STUDENTS.items():
        path = tmp_path / "classroom" / "submitted" / student / LAB / f"{LAB}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        sources = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell.source for cell in notebook.cells}
        assert {name: sources[name] for name in cells} == {name: source.strip() for name, source in cells.items()}
    assert capsys.readouterr().out.endswith(f"Next, grade them: make grade LAB={LAB}\n")


def test_a_submission_that_is_there_is_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(make_course(tmp_path))
    path = hand_in(tmp_path, "sample-ada", "a file of the same name")
    assert main(["sample-class"]) == 0
    assert path.read_text() == "a file of the same name"
    assert "sample-ada keeps what is in" in capsys.readouterr().out


def test_without_a_student_copy_the_user_is_told_how_to_write_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(make_course(tmp_path))
    (tmp_path / "labs" / LAB / f"{LAB}.ipynb").unlink()
    assert main(["sample-class"]) == 2
    sentence = f"There is no student's copy of {LAB} at labs/{LAB}/{LAB}.ipynb: `make labs` writes it.\n"
    assert capsys.readouterr().err == sentence
