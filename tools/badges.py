"""Buttons that open the course elsewhere, if somebody has set its address: python -m tools.badges, or `make badges`.

The address is `[project.urls] Repository` in pyproject.toml, on GitHub. With one, README and the first cell of every
notebook and lab get links to Colab, Binder and Codespaces, and each notebook and lab a first code cell that fetches the
course in Colab, at the version of the notebook: the tag vVERSION. Without one all of these are taken out: nothing
points to an address that isn't there.
"""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import nbformat
from nbformat import NotebookNode

from helpers.lab_files import UserError, run_command

FIRST_CELL = "in-colab"  # its id
START = "notebooks/00_start_here.ipynb"

_BUTTONS = re.compile(r"\n\n\[Open in Colab\]\(https://colab\.research\.google\.com/github/[^\n]*")
_CODE = """\
# @title In Google Colab run this cell first. Anywhere else it does nothing.
import sys

if "google.colab" in sys.modules:
    from pathlib import Path
    from subprocess import run

    address, version = "{address}", "{version}"
    course = Path.home() / f"attention-by-hand-{{version}}"
    clone = ["git", "clone", "--quiet", "--depth=1", f"--branch={{version}}", address]
    if not course.exists() and run([*clone, course], capture_output=True).returncode:
        raise SystemExit(f"{{address}} was not reached: go online, and run this again.")
    sys.path.insert(0, str(course))
    from helpers.in_colab import prepare

    prepare()"""


def write_badges(course: Path) -> list[str]:
    """Write the buttons and the first code cells, or take them out; return the names of the files that changed.

    Raises:
        UserError: if the address is none of a repository on GitHub.
    """
    code = _CODE.format(address=repository(course), version=tag(course)) if repository(course) else ""
    texts = {course / "README.md": _readme((course / "README.md").read_text(encoding="utf-8"), launch_links(course))}
    for pattern in ("notebooks/*.ipynb", "labs/lab*/lab*.ipynb", "solutions/lab*/lab*.ipynb"):
        for path in course.glob(pattern):
            # What is opened is the lab as students have it.
            name = re.sub("^solutions/", "labs/", path.relative_to(course).as_posix())
            texts[path] = _notebook(nbformat.read(path, as_version=4), launch_links(course, name), code)
    changed = [path for path, text in texts.items() if path.read_text(encoding="utf-8") != text]
    for path in changed:
        path.write_text(texts[path], encoding="utf-8")
    return sorted(path.relative_to(course).as_posix() for path in changed)


def repository(course: Path) -> str:
    """The address that pyproject.toml has, without a slash at its end; an empty text if there is none.

    Raises:
        UserError: if it is none of a repository on GitHub, for only these are opened in Colab and Codespaces.
    """
    address = _project(course).get("urls", {}).get("Repository", "").rstrip("/").removesuffix(".git")
    if address and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", address):
        raise UserError(
            f"Repository in pyproject.toml is {address}, but must be https://github.com/OWNER/NAME, or empty: no "
            "button was written."
        )
    return address


def launch_links(course: Path, name: str = START) -> dict[str, str]:
    """The addresses that open a notebook of the course, by the service's name; none if the course has no address."""
    if not (address := repository(course)):
        return {}
    place, version = address.removeprefix("https://github.com/"), tag(course)
    return {
        "Colab": f"https://colab.research.google.com/github/{place}/blob/{version}/{name}",
        "Binder": f"https://mybinder.org/v2/gh/{place}/{version}?labpath={quote(name, safe='')}",
        "Codespaces": f"https://codespaces.new/{place}/tree/{version}",
    }


def tag(course: Path) -> str:
    """The name of this version of the course in its repository."""
    return f"v{_project(course)['version']}"


def _buttons(links: dict[str, str]) -> str:
    return " · ".join(f"[Open in {where}]({link})" for where, link in links.items())


def _readme(text: str, links: dict[str, str]) -> str:
    title, rest = _BUTTONS.sub("", text).split("\n", 1)
    return f"{title}\n\n{_buttons(links)}\n{rest}" if links else f"{title}\n{rest}"


def _notebook(notebook: NotebookNode, links: dict[str, str], code: str) -> str:
    cells = [cell for cell in notebook.cells if cell.id != FIRST_CELL]
    cells[0].source = _BUTTONS.sub("", cells[0].source)
    if links:
        cells[0].source += f"\n\n{_buttons(links)}"
        metadata = {
            "cellView": "form",  # Colab shows its title, and not the code
            "jupyter": {"source_hidden": True},
            "tags": ["hide-input", "remove-cell"],
        }
        cells.insert(1, nbformat.v4.new_code_cell(code, id=FIRST_CELL, metadata=metadata))
    notebook.cells = cells
    _number(notebook)
    return nbformat.writes(notebook) + "\n"


def _number(notebook: NotebookNode) -> None:
    """Number the code cells as if they had been run from top to bottom, if they had been: this one has no output."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if any(cell.execution_count for cell in code):
        for number, cell in enumerate(code, start=1):
            cell.execution_count = number
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = number


def _project(course: Path) -> dict:
    return tomllib.loads((course / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def main(words: Sequence[str], course: Path) -> None:
    """What the command line asks."""
    changed = write_badges(course)
    print(f"{len(changed)} files changed." if changed else "Nothing had to change.")
    if changed and (address := repository(course)):
        name = tag(course)
        print(f"The buttons work once {address} has all this under the tag {name}: git tag {name}, git push --tags.")


if __name__ == "__main__":
    run_command(main)
