"""The page that says how often the checks are right: what the command printed, with its day."""

import datetime

import pytest

from benchmarks.truth import Truth, line
from book.truth import PAGE, page
from helpers.checks.catalogue import exercise_names

PRINTED = """\
exercise                        right accepted  wrong rejected      named  mutants killed
length_mask                            9 of 9        30 of 30   29 (97%)        12 of 12
all                                    9 of 9        30 of 30   29 (97%)        12 of 12
"""


def test_the_page_has_the_table_and_the_day():
    text = page(PRINTED, datetime.date(2026, 3, 1))
    assert "Counted on 1 March 2026:" in text
    assert "| `length_mask` | 9 of 9 | 30 of 30 | 29 (97%) | 12 of 12 |" in text
    assert "| all | 9 of 9 |" in text


def test_a_column_that_was_not_counted_is_left_out():
    text = page(PRINTED.replace("12 of 12", "      –"), datetime.date(2026, 3, 1))
    assert "| all | 9 of 9 | 30 of 30 | 29 (97%) |\n" in text and "utants" not in text


def test_a_bank_of_thousands_is_read_as_it_is_printed():
    everything = Truth(right=1200, accepted=1200, wrong=4000, rejected=4000, named=3900)
    text = page(PRINTED.splitlines()[0] + "\n" + line("all", everything), datetime.date(2026, 3, 1))
    assert "| all | 1200 of 1200 | 4000 of 4000 | 3900 (98%) |\n" in text


def test_something_else_is_refused():
    with pytest.raises(ValueError, match="not the table"):
        page("Traceback\n", datetime.date(2026, 3, 1))


def test_the_stored_page_has_every_exercise():
    rows = [line.split("`")[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert set(rows) == set(exercise_names())
