"""How long a notebook takes a first reader, by a rule: python tools/reading_minutes.py [NOTEBOOK...]

170 words of text a minute; 60 names and numbers a minute of code that isn't folded; 30 seconds for a picture or a view
to point at; a minute for a **Predict first**, and one for a question with a folded answer, whose words don't count
besides. What comes from the heading *Further* on isn't counted, nor are the buttons that open it elsewhere. The sum is
rounded to 5 minutes.

With notebooks it prints what it counted; without, all of the course's.
"""

import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

WORDS, NAMES = 170, 60  # a minute
PICTURE, PREDICTION, QUESTION = 1 / 2, 1, 1  # minutes each
STATED = re.compile(r"\*\*Time:\*\* (\d+) minutes")

_ANSWER = re.compile(r"<details>.*?</details>", re.DOTALL)
_BUTTONS = re.compile(r"^\[Open in Colab\]\(.*$", re.MULTILINE)
_FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)
_FURTHER = re.compile(r"^## Further\b", re.MULTILINE)


def counts(notebook: NotebookNode) -> dict[str, int]:
    """How much there is to read, and to do, before the heading *Further*."""
    found = dict.fromkeys(("words", "names", "pictures", "predictions", "questions"), 0)
    for cell in main_line(notebook):
        if cell.cell_type == "markdown":
            found["questions"] += len(_ANSWER.findall(cell.source))
            found["predictions"] += cell.source.count("**Predict first.**")
            text = _FORMULA.sub(" formula ", _ANSWER.sub("", _BUTTONS.sub("", cell.source)))
            found["words"] += len(re.findall(r"\w[\w'’-]*", re.sub(r"\]\([^)]*\)", "]", text)))
            continue
        found["pictures"] += sum(
            any(kind in output.get("data", {}) for kind in ("image/png", "text/html")) for output in cell.outputs
        )
        if not cell.metadata.get("jupyter", {}).get("source_hidden"):
            found["names"] += len(re.findall(r"\w+", cell.source))
    return found


def main_line(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells before the one that has the heading *Further*."""
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown" and _FURTHER.search(cell.source):
            return notebook.cells[:number]
    return notebook.cells


def minutes(notebook: NotebookNode) -> int:
    """How long the notebook takes by the rule, rounded to 5 minutes."""
    found = counts(notebook)
    exact = (
        found["words"] / WORDS
        + found["names"] / NAMES
        + PICTURE * found["pictures"]
        + PREDICTION * found["predictions"]
        + QUESTION * found["questions"]
    )
    return 5 * max(round(exact / 5), 1)


def stated(notebook: NotebookNode) -> int | None:
    """The minutes that a notebook says it takes; None if it says nothing, or says it in other words."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    said = STATED.search(text)
    return int(said[1]) if said else None


if __name__ == "__main__":
    course = Path(__file__).parents[1] / "notebooks"
    for path in [Path(word) for word in sys.argv[1:]] or sorted(course.glob("*.ipynb")):
        read = nbformat.read(path, as_version=4)
        print(f"{path.stem:24} {minutes(read):3} minutes, stated {stated(read)}: {counts(read)}")
