"""Start again: a lab, or one exercise of it, is blank once more, and what you wrote is kept under a number.

python -m helpers.fresh LAB [EXERCISE]    for example: python -m helpers.fresh 1 masked_softmax
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from helpers.carrying_over import carried_over, stamped
from helpers.lab_files import (
    Notebook,
    answer_cell,
    exercises_in,
    find_exercise,
    find_lab,
    is_answer,
    keep_copy,
    name_of,
    own_path,
    read,
    run_command,
    shown,
    write,
)
from helpers.own_copies import blank_lab
from helpers.progress import forget_checks


def start_again(course: Path, lab: str, exercise: str | None = None) -> str:
    """Put a lab, or one exercise of it, back to blank. Returns what was done, in a sentence.

    Raises:
        UserError: if there is no such exercise, a file is damaged, or one can't be written.
    """
    blank, path = blank_lab(course, lab), own_path(course, lab)
    known = exercises_in(blank) if exercise is None else [find_exercise(blank, exercise)]
    if not path.exists():
        write(path, stamped(blank))
        return f"{shown(path)} is a new copy of the lab; there was none before."
    if exercise is None:
        notebook, what = stamped(blank), "the lab"
    else:
        cell = answer_cell(blank, known[0])
        name = str(name_of(cell)) if cell is not None else known[0]
        known = [other for other in exercises_in(blank) if answer_cell(blank, other) is cell]
        notebook = _without_outputs(carried_over(blank, read(path), {name}), name)
        what = name if len(known) == 1 else f"{name}, the cell of {', '.join(known[1:])},"
    kept = keep_copy(path)
    write(path, notebook)
    forget_checks(course, lab, known)
    return (
        f"{what} is blank again in {shown(path)}, and the file as it was is {shown(kept)}. "
        "(If it is open in JupyterLab: File, Reload Notebook from Disk.)"
    )


def _without_outputs(notebook: Notebook, name: str | None) -> Notebook:
    """The notebook in which the cells from an answer to the next one show nothing."""
    inside = False
    for cell in notebook["cells"]:
        if is_answer(cell):
            inside = name_of(cell) == name
        if inside and cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return notebook


def main(words: Sequence[str], course: Path) -> None:
    """What the command line asks."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.fresh", description="Put a lab or an exercise back to blank."
    )
    parser.add_argument("lab", help="for example lab01_masked_softmax, lab01 or 1")
    parser.add_argument("exercise", nargs="?", help="for example masked_softmax; without it the whole lab")
    arguments = parser.parse_args(words)
    print(start_again(course, find_lab(course, arguments.lab), arguments.exercise))


if __name__ == "__main__":
    run_command(main)
