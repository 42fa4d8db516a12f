"""A class as real ones are, in a download of Canvas's: submissions in many styles, and broken ones."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from grading.sample_answers.lab01_masked_softmax import STUDENTS
from tests.grading.classroom import LAB, filled_in

ANSWERS = list(STUDENTS.values())[:3]
HONEST, BROKEN = 50, 12  # with 170 and 30 the test takes four minutes, and passed as well


def _notebook(number: int) -> dict:
    return json.loads(filled_in(ANSWERS[number % len(ANSWERS)]))


def _without(*keys: str) -> Callable[[dict], None]:
    def change(notebook: dict) -> None:
        for cell in notebook["cells"]:
            for key in keys:
                cell.pop(key, None)

    return change


def _with_outputs(notebook: dict) -> None:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [{"output_type": "stream", "text": "as Colab left it"}], 7


# What editors make of a right file: the bytes, and the name that it was uploaded under. All of them have their marks.
def _as_it_was(notebook: dict) -> bytes:
    return json.dumps(notebook).encode()


STYLES: list[tuple[Callable[[dict], None], Callable[[dict], bytes], str]] = [
    (lambda notebook: None, _as_it_was, f"{LAB}.ipynb"),
    (_with_outputs, _as_it_was, "Copy of Untitled3.ipynb"),
    (_without("metadata"), _as_it_was, f"{LAB} (1).ipynb"),
    (lambda notebook: None, lambda notebook: json.dumps(notebook, ensure_ascii=False).encode("utf-16"), "lab1.ipynb"),
    (lambda notebook: None, lambda notebook: json.dumps(notebook).encode("utf-8-sig"), f"{LAB}-final_v2.ipynb"),
]
# What can't be graded, as it is uploaded, and what is said of it.
FAULTS: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("cut.ipynb", lambda text: text[: len(text) // 2], "it stops in the middle"),
    ("empty.ipynb", lambda text: b"", "is empty"),
    ("merge.ipynb", lambda text: b"<<<<<<< HEAD\n" + text + b"\n=======\n>>>>>>> b\n", "an unsettled merge conflict"),
    ("page.ipynb", lambda text: b"<!DOCTYPE html>", "is a web page"),
    ("essay.pdf", lambda text: b"%PDF", "it is no notebook"),
    ("other.ipynb", lambda text: b"[]", "isn't a notebook, though it is JSON"),
]


def student(number: int) -> str:
    return f"s{number:03}"


def is_late(number: int) -> bool:
    return number % 20 == 7


def write(download: Path, roster: Path) -> None:
    """Write the download, and the roster, of whom three more have handed in nothing."""
    lines = [f"{student(number)},Given{number} Family{number},{5000 + number}" for number in range(HONEST + BROKEN + 3)]
    roster.write_text("\n".join(["id,name,lms_user_id", *lines]), encoding="utf-8")
    with zipfile.ZipFile(download, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(HONEST + BROKEN):
            who = f"family{number}given{number}_{'LATE_' if is_late(number) else ''}{5000 + number}_{9000 + number}"
            if number < HONEST:
                change, encode, name = STYLES[number % len(STYLES)]
                notebook = _notebook(number)
                change(notebook)
                archive.writestr(f"{who}_{name}", encode(notebook))
            else:
                name, spoil, _ = FAULTS[number % len(FAULTS)]
                archive.writestr(f"{who}_{name}", spoil(_as_it_was(_notebook(number))))
