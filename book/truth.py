"""Store how often the checks are right, for the site: python -m benchmarks.truth --mutants | python -m book.truth

The page says when this was done. The site only shows it: to count takes minutes.
"""

import datetime
import re
import sys
from pathlib import Path

PAGE = Path(__file__).with_name("pages") / "truth.md"

ABOUT = """# How often the checks are right

A check can be wrong in three ways: it rejects a right answer, it accepts a wrong one, or it gives a wrong answer the
name of another mistake. For each exercise there is a bank of answers in different styles, right ones and wrong ones,
and each of them is judged with two seeds. *Named* are the rejected answers whose mistake the check called by its name;
for the others it shows the smallest example on which they fail.
"""
MUTANTS = """
*Mutants* are small changes of our own solution, such as a `<` for a `<=`, and *killed* are those that some test
notices. A dash stands where several exercises share a cell: there they weren't counted.
"""


def page(printed: str, day: datetime.date) -> str:
    """The page that shows what the command printed on a day.

    Raises:
        ValueError: if this isn't what the command prints.
    """
    rows = [re.split(r" {2,}", line.strip()) for line in printed.splitlines() if line.strip()]
    if not rows or rows[0][0] != "exercise" or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("this is not the table of `python -m benchmarks.truth`")
    cells = [[row[0] if row in (rows[0], rows[-1]) else f"`{row[0]}`", *row[1:]] for row in rows]
    mutants = any(row[-1] != "–" for row in cells[1:])
    if not mutants:  # they were not counted
        cells = [row[:-1] for row in cells]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    rule = "|---|" + "---:|" * (len(cells[0]) - 1)
    about = ABOUT + MUTANTS if mutants else ABOUT
    return "\n".join([about, f"Counted on {day:%-d %B %Y}:", "", lines[0], rule, *lines[1:], ""])


if __name__ == "__main__":
    PAGE.write_text(page(sys.stdin.read(), datetime.date.today()), encoding="utf-8")
    print(f"The table is in {PAGE}.")
