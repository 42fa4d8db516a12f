"""`python -m grading similar`: planted copies are found, and answers written independently are not."""

import re

import pytest

from benchmarks.similarity import classes, rates
from grading.__main__ import main
from grading.similarity import alike, runs_of
from tests.grading.classroom import LAB, filled_in, hand_in

LONG = '''
def masked_softmax(scores, valid_lens=None):
    """Mine."""
    if valid_lens is None:
        return torch.softmax(scores, dim=-1)
    lengths = valid_lens if valid_lens.dim() == 2 else valid_lens[:, None].expand(-1, scores.shape[1])
    positions = torch.arange(scores.shape[-1], device=scores.device)
    keep = positions[None, None, :] < lengths[:, :, None]
    hidden = scores.clone()
    hidden[~keep] = float("-inf")
    empty = lengths.eq(0)[:, :, None]
    weights = torch.softmax(torch.where(empty, torch.zeros_like(hidden), hidden), dim=-1)
    return weights * keep
'''
RENAMED = re.sub(r"\bkeep\b", "k", re.sub(r"\blengths\b", "n_valid", LONG)).replace('"""Mine."""', "# my own work")
OTHER = """
def masked_softmax(scores, valid_lens=None):
    out = torch.zeros_like(scores)
    for b in range(len(scores)):
        for q in range(scores.shape[1]):
            n = scores.shape[2] if valid_lens is None else int(valid_lens.reshape(len(scores), -1)[b, q])
            if n:
                out[b, q, :n] = scores[b, q, :n].softmax(0)
    return out
"""


def test_a_copy_with_other_names_and_comments_is_found_and_an_answer_of_ones_own_is_not():
    (pair,) = alike({"ada": LONG, "bela": OTHER, "cleo": RENAMED})
    assert (pair.first, pair.second) == ("ada", "cleo") and pair.share > 0.95


def test_a_one_liner_that_everyone_writes_is_no_evidence():
    line = "def length_mask(valid_lens, max_len):\n    return torch.arange(max_len) < valid_lens.unsqueeze(-1)"
    assert alike({name: line for name in ("ada", "bela", "cleo")}) == []


def test_what_students_were_given_does_not_count():
    assert sum(runs_of(LONG, given=LONG).values()) == 0


def test_an_answer_that_is_a_copy_of_the_courses_own_is_found():
    (pair,) = alike({"ada": OTHER, "bela": RENAMED}, ours={"helpers.attention.masked_softmax": LONG})
    assert (pair.first, pair.second) == ("bela", "helpers.attention.masked_softmax")


def test_what_is_no_python_is_like_nothing():
    assert alike({"ada": "def (", "bela": "def ("}) == []


def test_copies_are_found_and_the_banks_independent_answers_are_not():
    found, of_copies, wrongly, of_pairs = rates(dict(list(classes().items())[::4]))  # all: benchmarks.similarity
    assert found / of_copies > 0.9
    assert wrongly / of_pairs < 0.01


def test_the_command_shows_a_pair_side_by_side_and_says_who_could_not_be_read(course, capsys):
    hand_in(course, "ada", filled_in({"masked_softmax": LONG}))
    hand_in(course, "bela", filled_in({"masked_softmax": OTHER}))
    hand_in(course, "cleo", filled_in({"masked_softmax": RENAMED}))
    place = hand_in(course, "dora", filled_in({}))
    place.write_text("no notebook")
    assert main(["similar", LAB]) == 1
    out, err = capsys.readouterr()
    assert re.search(r"masked_softmax: 1 pair\n  ada and cleo: (9\d|100)% the same", out)
    assert "dora is left out" in err and "bela" not in out
    page = (course / "classroom" / "reports" / LAB / "similar.html").read_text()
    assert "n_valid" in page and "&lt;" in page and "len(scores)" not in page


@pytest.mark.parametrize("students", [[], ["ada"]])
def test_a_class_in_which_nothing_can_be_compared_gets_one_sentence(students, course, capsys):
    for student in students:
        hand_in(course, student, filled_in({}))
    assert main(["similar", LAB]) == 2
    assert capsys.readouterr().err.startswith("There is nothing to compare: of lab01_masked_softmax")
