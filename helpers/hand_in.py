"""Before you hand in: is a lab whole, does it run, and which points are sure? Then the file to hand in.

python -m helpers.hand_in LAB    for example: python -m helpers.hand_in 1

It works without the internet and sends nothing: you upload my_labs/hand_in/LAB.ipynb yourself. It keeps the lab's
name, which is the one that nbgrader looks for; what an LMS puts in front of it does no harm.
"""

import argparse
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from helpers.carrying_over import is_of_version
from helpers.lab_files import (
    OWN,
    Notebook,
    UserError,
    answers_in,
    find_lab,
    is_answer,
    is_test,
    keep_copy,
    name_of,
    own_path,
    read,
    released_path,
    role,
    run_command,
    shown,
    text_of,
    write_text,
)
from helpers.own_copies import answers_in_labs, newer_copies

SECONDS_A_CELL = 600


def file_to_hand_in(course: Path, lab: str) -> Path:
    return course / OWN / "hand_in" / f"{lab}.ipynb"


def prepare(course: Path, lab: str) -> Path:
    """Look through a student's copy of a lab, run it, say what there is to say, and write the file to hand in.

    Raises:
        UserError: if there are two versions to choose from, the lab isn't whole, or a file can't be read or written.
    """
    path = own_path(course, lab)
    if not path.exists():
        raise UserError(f"There is no {shown(path)} to hand in: `make lab` makes it.")
    own, released = read(path), read(released_path(course, lab))
    _require_one_version(course, lab, own)
    if faults := faults_of(own, released):
        raise UserError(f"{shown(path)} isn't whole, and no file to hand in was written: {'; '.join(faults)}.")

    print(f"Running {lab} from top to bottom; it may take some minutes.", flush=True)
    started = time.monotonic()
    executed, ended = run(path)
    print(f"It took {time.monotonic() - started:.0f} s.\n")
    for line in [*_failures(executed), *([ended] if ended else [])]:
        print(line)
    print(_points(executed))
    if blank := blanks_in(own):
        print(f"Still blank: {', '.join(blank)}.")
    if answers_in(released):
        print(answers_in_labs(course, lab))
    if not is_of_version(own, released):
        print("The course has a newer version of this lab: `make lab` offers it. Yours can be handed in all the same.")

    target, text = file_to_hand_in(course, lab), path.read_text(encoding="utf-8")
    if target.exists() and target.read_text(encoding="utf-8", errors="replace") != text:
        print(f"What you had prepared before is kept: {shown(keep_copy(target))}")
    write_text(target, text)
    print(f"\nHand in this file, under the name that it has: {shown(target)}")
    return target


def _require_one_version(course: Path, lab: str, own: Notebook) -> None:
    """Raise a `UserError` if there are other answers in a newer version beside the student's copy."""
    newer = newer_copies(course, lab)
    if newer and _texts(read(newer[-1])) != _texts(own):
        raise UserError(
            f"There are answers in {shown(own_path(course, lab))} and others in {shown(newer[-1])}: "
            f"hand in the newer one after `python -m helpers.own_copies take {lab}`, or delete it."
        )


def _texts(notebook: Notebook) -> dict[str, str]:
    return {name: text_of(cell) for name, cell in answers_in(notebook).items()}


def faults_of(own: Notebook, released: Notebook) -> list[str]:
    """What keeps a copy from being whole: answers' cells that are lost, there twice, or of another kind."""
    number = Counter(name_of(cell) for cell in own["cells"])
    kinds = {name_of(cell): cell["cell_type"] for cell in own["cells"]}
    faults = []
    for cell in released["cells"]:
        name = name_of(cell)
        if name is None:
            continue
        if number[name] > 1:
            faults.append(f"the cell {name} is there {number[name]} times, so delete all but one")
        elif not number[name]:
            faults.append(f"the cell {name} is gone; `python -m helpers.fresh LAB EXERCISE` puts lost cells back")
        elif kinds[name] != cell["cell_type"]:
            faults.append(f"the cell {name} has become {kinds[name]}: make it {cell['cell_type']} again")
    return faults


def blanks_in(own: Notebook) -> list[str]:
    """The answers that are still blank, or have a blank left."""
    answered = answers_in(own)
    return [
        str(name_of(cell))
        for cell in own["cells"]
        if is_answer(cell) and (name_of(cell) not in answered or "raise NotImplementedError()" in text_of(cell))
    ]


def run(path: Path) -> tuple[Notebook, str]:
    """Run a notebook in a new kernel, past its errors: as executed, and why it ended early, if it did."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError
    from nbformat import NotebookNode

    notebook: NotebookNode = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    slow = f"it took more than {SECONDS_A_CELL} seconds, and was interrupted"
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        allow_errors=True,
        timeout=SECONDS_A_CELL,
        interrupt_on_timeout=True,
        error_on_timeout={"ename": "TimeoutError", "evalue": slow, "traceback": [slow]},
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute(env=os.environ | {"NBGRADER_EXECUTION": "validate"})  # as the button Validate runs it
    except DeadKernelError:
        return (
            notebook,
            "Python itself ended while the lab ran: what comes after has no points here. Is the memory full?",
        )
    return notebook, ""


def _failures(executed: Notebook) -> list[str]:
    """The cells, but for the tests, that end in an error."""
    failures = []
    for number, cell in enumerate(executed["cells"], start=1):
        errors = [output for output in cell.get("outputs", []) if output["output_type"] == "error"]
        if errors and not is_test(cell):
            failures.append(f"Cell {number} ({cell['id']}) fails: {errors[0]['ename']}: {errors[0]['evalue']}")
    return failures


def _points(executed: Notebook) -> str:
    """A line for each test that can be seen, and one for all."""
    from nbgrader.utils import determine_grade

    lines, total, out_of, unseen = [], 0.0, 0.0, 0.0
    for cell in executed["cells"]:
        points, name = role(cell).get("points") or 0, str(name_of(cell))
        if not is_test(cell) or name.endswith("_hidden"):
            unseen += points
            continue
        # A test that didn't come to run has no output, which nbgrader would take for a success.
        earned = determine_grade(cell)[0] or 0.0 if cell["execution_count"] is not None else 0.0
        lines.append((name.removeprefix("test_"), earned, points))
        total, out_of = total + earned, out_of + points
    lines.append(("together", total, out_of))
    width = max(len(name) for name, *_ in lines)
    table = "\n".join(f"  {name:{width}}  {earned:g} of {points:g}" for name, earned, points in lines)
    return f"Points by the tests that you see:\n{table}\nHidden tests and written answers are worth {unseen:g} more.\n"


def main(words: Sequence[str], course: Path) -> None:
    """What the command line asks."""
    description = "Check a lab, and write the file to hand in."
    parser = argparse.ArgumentParser(prog="python -m helpers.hand_in", description=description)
    parser.add_argument("lab", help="for example lab01_masked_softmax, lab01 or 1")
    prepare(course, find_lab(course, parser.parse_args(words).lab))


if __name__ == "__main__":
    run_command(main)
