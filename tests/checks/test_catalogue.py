"""The catalogue of exercises: by name, without importing more than is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.checks.catalogue import all_exercises, exercise_names, exercises_of, find_exercise, lab_of

CODE = """
import sys
{}
print(*(name for name in sys.modules if name.startswith("helpers.checks.lab") and name.count(".") > 2))
"""


def imported_by(code: str) -> set[str]:
    """Which modules of exercises a new interpreter has imported after this code."""
    run = subprocess.run(
        [sys.executable, "-c", CODE.format(code)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.removeprefix("helpers.checks.") for name in run.stdout.splitlines()[-1].split()}


def test_finding_an_exercise_imports_no_other():
    code = "from helpers.checks.catalogue import find_exercise; find_exercise('length_mask')"
    assert imported_by(code) == {"lab01_masked_softmax.length_mask", "lab01_masked_softmax.shared"}


def test_a_check_of_a_function_by_its_name_imports_no_other_exercise():
    code = "from helpers.attention import causal_mask; from helpers.checks import check; check(causal_mask)"
    assert imported_by(code) == {"lab08_multi_head_attention.causal_mask"}


def test_exercises_come_in_the_courses_order():
    names = exercise_names()
    assert names[:2] == ("length_mask", "masked_softmax")
    assert list(all_exercises()) == list(names)
    assert [lab_of(name) for name in names] == sorted(lab_of(name) for name in names)
    assert [each.name for each in exercises_of("lab04_seq2seq")] == [
        "shift_right",
        "Seq2SeqModel",
        "sequence_cross_entropy",
        "greedy_decode",
    ]


@pytest.mark.parametrize("name", exercise_names())
def test_an_exercise_is_found_under_its_name(name):
    assert find_exercise(name).name == name
