"""nbgrader's own commands on a small class: the marks are those that a person would give, and students read why."""

import csv
import shutil

import pytest

from grading.sample_answers import lab01_masked_softmax as answers
from tests.grading.classroom import LAB, ROOT, filled_in, hand_in, make_course, open_gradebook, run, scores

pytestmark = pytest.mark.slow

WRITTEN = {"written_masking": answers.STUDENTS["sample-ada"]["written_masking"]}
CLASS = {
    # Right, though no answer but one is a plain function, and that one draws a warning from PyTorch at each call.
    "right": {
        "length_mask": answers.LENGTH_MASK_BY_CUMSUM,
        "masked_softmax": answers.MASKED_SOFTMAX_BY_WHERE.replace(
            "if valid_lens.dim() == 1:", "valid_lens = torch.tensor(valid_lens)\n    if valid_lens.dim() == 1:"
        ),
        "breaking_input": "from functools import partial\n"
        "def always(scores, valid_lens, version):\n    return scores, valid_lens\n"
        "breaking_input = partial(always, torch.zeros(1, 1, 2), torch.tensor([0]))",
        "masked_mean": "class MaskedMean(nn.Module):\n"
        "    def forward(self, values, valid_lens):\n"
        "        keep = torch.arange(values.shape[1]) < valid_lens[:, None]\n"
        "        return (values * keep[..., None]).sum(1) / valid_lens[:, None].clamp(min=1).to(values.dtype)\n"
        "masked_mean = MaskedMean()",
        **WRITTEN,
    },
    "half-right": {
        "length_mask": answers.LENGTH_MASK_BY_BROADCASTING,
        "breaking_input": answers.BREAKING_INPUT_WITH_ORDINARY_PADDING,
        "masked_mean": answers.MASKED_MEAN_BY_EINSUM,
    },
    "mistaken": {
        "length_mask": answers.LENGTH_MASK_BY_BROADCASTING,
        "masked_softmax": answers.MASKED_SOFTMAX_MASKED_AFTERWARDS,
        "breaking_input": answers.BREAKING_INPUT_WITH_AN_EMPTY_ROW,
        "masked_mean": answers.MASKED_MEAN_OVER_THE_PADDED_LENGTH,
        **WRITTEN,
    },
    "blank": {},
}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The class above, graded by stock nbgrader from the first command to the last."""
    course = make_course(tmp_path_factory.mktemp("course"))
    shutil.rmtree(course / "labs")
    for student, cells in CLASS.items():
        hand_in(course, student, filled_in(cells))
    for words in (
        ["generate_assignment", LAB],
        ["autograde", LAB, "--ExecuteApart.sandbox=False"],
        ["generate_feedback", LAB],
        ["export"],
    ):
        done = run(course, "nbgrader", *words)
        assert done.returncode == 0, done.stderr
    return course


def feedback(course, student):
    return (course / "classroom" / "feedback" / student / LAB / f"{LAB}.html").read_text(encoding="utf-8")


def waits_for_a_person(course, student):
    with open_gradebook(course) as gradebook:
        return gradebook.find_submission(LAB, student).needs_manual_grade


def test_generate_assignment_writes_the_student_copy_of_the_repo(course):
    written, kept = (root / "labs" / LAB / f"{LAB}.ipynb" for root in (course, ROOT))
    assert written.read_bytes() == kept.read_bytes()


def test_right_answers_earn_every_automatic_point_in_whatever_form(course):
    assert scores(course, "right") == {
        "test_length_mask": 3,  # a lambda
        "test_masked_softmax": 4,  # warns
        "test_masked_softmax_hidden": 4,
        "test_breaking_input": 3,  # a partial
        "test_masked_mean": 2,  # a module
        "written_masking": 0,  # until a person has read it
    }
    assert waits_for_a_person(course, "right")


def test_each_exercise_of_a_half_right_submission_counts_for_itself(course):
    assert scores(course, "half-right") == {
        "test_length_mask": 3,
        "test_masked_softmax": 0,  # blank
        "test_masked_softmax_hidden": 0,
        "test_breaking_input": 2,  # of the three versions, the two that write into their input are caught
        "test_masked_mean": 2,  # right, though the exercises before it aren't
        "written_masking": 0,  # blank
    }


def test_a_misconception_costs_its_exercise_and_no_other(course):
    assert scores(course, "mistaken") == {
        "test_length_mask": 3,
        "test_masked_softmax": 0,  # masks after the softmax: rows of padded sentences don't sum to 1
        "test_masked_softmax_hidden": 0,
        "test_breaking_input": 3,
        "test_masked_mean": 0,  # divides by the padded length
        "written_masking": 0,
    }


def test_a_blank_submission_gets_nothing_and_waits_for_nobody(course):
    assert set(scores(course, "blank").values()) == {0}
    assert not waits_for_a_person(course, "blank")


def test_the_feedback_names_the_misconceptions(course):
    html = feedback(course, "mistaken")
    assert "masked_softmax: the mask comes after the softmax" in html
    assert "the padding must be out <em>before</em> the softmax divides" in html.lower()
    assert "masked_mean: the sum is divided by the padded length" in html
    assert "the mask comes after" not in feedback(course, "right")


def test_export_writes_a_table_with_every_student(course):
    with (course / "grades.csv").open(encoding="utf-8") as file:
        rows = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert rows == {"right": 16, "half-right": 7, "mistaken": 6, "blank": 0}


def test_validate_fails_on_a_blank_copy_and_succeeds_with_the_solution(course):
    file = f"{LAB}/{LAB}.ipynb"
    blank, solved = run(course, "nbgrader", "validate", f"labs/{file}", f"solutions/{file}").stdout.split("Success!")
    assert "VALIDATION FAILED ON 5 CELL(S)!" in blank
    assert "masked_softmax is still blank" in blank
    assert solved.strip() == "Your notebook passes all the tests."
