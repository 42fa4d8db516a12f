"""The table that an instructor reads."""

import re

from grading.table import Mark, table_of_marks


def test_the_table_has_a_row_a_student_and_a_column_an_exercise():
    marks = {
        "ada": {"length_mask": Mark(3, 3, False, False), "essay": Mark(0, 4, True, True)},
        "bela": None,
        "chen": {"length_mask": Mark(1.5, 3, False, False), "essay": Mark(2, 4, False, True)},
        "dana": {"length_mask": Mark(0, 3, False, False), "essay": Mark(2, 4, True, True)},
    }
    assert table_of_marks(marks, {}).splitlines() == [
        "         length  automatic",
        "student    mask      total    essay  total",
        "           of 3       of 3     of 4   of 7",
        "──────────────────────────────────────────",
        "ada           3          3  to mark  3 + ?",
        "bela          –          –        –      –",
        "chen        1.5        1.5        2    3.5",
        "dana          0          0      2 ?  2 + ?",
    ]


def test_a_given_0_that_is_in_question_is_no_answer_that_was_never_marked():
    marks = {"ada": {"essay": Mark(0, 4, True, True, given=True)}, "bela": {"essay": Mark(0, 4, True, True)}}
    assert [line.split()[1:] for line in table_of_marks(marks, {}).splitlines()[4:]] == [
        ["0", "0", "?", "0", "?"],
        ["0", "to", "mark", "to", "mark"],
    ]


def test_the_columns_stand_in_line_below_names_of_wide_characters():
    marks = {"名前": {"essay": Mark(1, 4, False, True)}, "ada lovelace": {"essay": Mark(2, 4, False, True)}}
    *_, first, second = table_of_marks(marks, {}).splitlines()
    assert len(first) + len("名前") == len(second)


def test_sections_have_a_column_if_somebody_is_in_one():
    marks = {"ada": {"essay": Mark(1, 4, False, True)}, "bela": {"essay": Mark(2, 4, False, True)}}
    lines = table_of_marks(marks, {"ada": "Monday", "zoe": "Friday"}).splitlines()
    assert lines[1].split()[:2] == ["student", "section"]
    assert [line.split() for line in lines[-2:]] == [["ada", "Monday", "0", "1", "1"], ["bela", "0", "2", "2"]]
    assert "section" not in table_of_marks(marks, {"zoe": "Friday"})


def test_what_was_not_run_is_no_0():
    reason = "it has ended"
    marks = {
        "ada": {"mask": Mark(0, 4, False, False, not_run=reason), "mean": Mark(0, 2, False, False)},
        "bela": {"mask": Mark(2, 4, False, False, not_run=reason), "mean": Mark(1, 2, False, False)},
    }
    *_, ada, bela = table_of_marks(marks, {}).splitlines()
    assert re.split(" {2,}", ada) == ["ada", "not run", "0", "0", "0"]
    assert re.split(" {2,}", bela) == ["bela", "2 + not run", "1", "3", "3"]
