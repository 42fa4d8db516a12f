"""All that the five texts teach from which the course grew is in it: `seeds.csv` says in which cell or test."""

import csv
import re
from functools import cache
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
with (ROOT / "tests" / "seeds.csv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))


@cache
def cells_in(path: Path) -> set[str]:
    return {cell.id for cell in nbformat.read(path, as_version=4).cells}


@cache
def functions_in(path: Path) -> set[str]:
    return set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("seed", ["000", "001", "002", "003", "004"])
def test_each_thing_that_a_seed_teaches_is_shown_in_a_place_that_exists(seed):
    rows = [row for row in ROWS if row["seed"] == seed]
    assert rows and all(row["what"] for row in rows)
    missing = []
    for row in rows:
        path, kind, name = re.fullmatch(r"([\w/.]+)(#|::|)(.*)", row["where"]).groups()
        names = {"#": cells_in, "::": functions_in}.get(kind, lambda _: {""})
        if not (ROOT / path).is_file() or name not in names(ROOT / path):
            missing.append(row["where"])
    assert not missing


def test_every_row_is_about_one_of_the_five_and_stands_once():
    assert {row["seed"] for row in ROWS} == {"000", "001", "002", "003", "004"}
    assert len({(row["seed"], row["what"]) for row in ROWS}) == len(ROWS)
