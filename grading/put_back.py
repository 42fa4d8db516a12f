"""What a student wrote where the lab's own text is put back: it isn't lost.

Imports are run, as the student's code. A function that an exercise asks for counts if its own cell is blank. What else
was written there is shown to the person who marks, and on the page that the student gets.
"""

import ast
import re
from dataclasses import dataclass, field

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.utils import compute_checksum

from grading.recognising import statements, text_of


@dataclass
class Written:
    """What a student wrote into a cell of the lab's: `code` are statements that aren't imports, `text` is the rest."""

    imports: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    text: str = ""


def is_as_handed_out(cell: dict) -> bool | None:
    """Whether a cell is as it was in the student's copy, of whatever version: nbgrader noted its checksum there.

    None where that note is lost.
    """
    try:
        return compute_checksum(NotebookNode(cell)) == cell["metadata"]["nbgrader"]["checksum"]
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def written_into(cell: dict, original: NotebookNode) -> Written:
    """What a student added to a cell of the lab's that isn't the student's to change.

    Where nbgrader's note is lost, by which a copy of an earlier version is known, all that this had besides counts.
    """
    text = cell.get("source")
    if not isinstance(text, str) or is_as_handed_out(cell):
        return Written()
    known = {line.strip() for line in original.source.split("\n")}
    added_lines = [line for line in text.split("\n") if line.strip() not in known]
    if original.cell_type != "code" or not (found := statements(text)):
        return Written(text="\n".join(added_lines).strip())
    there = {ast.dump(node) for node in statements(original.source)}
    added = [node for node in found if ast.dump(node) not in there]
    imports = [text_of(node, text) for node in added if isinstance(node, ast.Import | ast.ImportFrom)]
    code = [text_of(node, text) for node in added if not isinstance(node, ast.Import | ast.ImportFrom)]
    comments = [
        line for line in added_lines if line.lstrip().startswith("#") and not any(line in each for each in code)
    ]
    return Written(imports, code, "\n".join(comments))


def cells_for(name: str, written: Written) -> list[NotebookNode]:
    """The cells that follow the lab's own one, in which what was written there lives on."""
    cells = [new_code_cell("\n".join(written.imports))] if written.imports else []
    shown = "\n\n".join([*written.code, *([written.text] if written.text else [])])
    if shown:
        fence = max([3, *(len(run) + 1 for run in re.findall("`+", shown))]) * "`"
        cells.append(
            new_markdown_cell(
                f"*This was written into the cell `{name}`, which is the course's own and was put back:*\n\n"
                f"{fence}\n{shown}\n{fence}"
            )
        )
    return cells
