"""Build the course as a site of static pages: python -m book.build [FOLDER] (`make book`).

The pages come from `pages/`, the notebooks with what they printed and drew (they are not run), the labs' blank copies,
the checks' tables and the docstrings of `helpers`. All of it is laid out in `_build/source`, from which Sphinx makes
`_build/html`, or FOLDER's. Neither is kept in git.
"""

import inspect
import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_output
from sphinx.cmd.build import build_main

from book.stored import NotebookUnfit, read, require_blank, require_run
from helpers.widely_copied import fill_a_copy, fill_in_place, infinity_in_place

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent
VERSIONS = (fill_in_place, fill_a_copy, infinity_in_place)


def main(built: Path = BOOK / "_build") -> None:
    """Build the site in the folder `built`, and say where it lies."""
    source, site = built / "source", built / "html"
    try:
        lay_out(ROOT, source)
    except NotebookUnfit as error:
        sys.exit(f"make book: {error}")
    # One process: PyTorch, which the pictures are computed with, hangs in the forks that Sphinx would make.
    options = ["-c", BOOK, "-d", built / "doctrees", "-b", "html", "-W", "--keep-going"]
    if build_main([str(each) for each in (*options, source, site)]):
        sys.exit("make book: the site wasn't built; the lines above with WARNING or ERROR say why.")
    print(f"\nThe site is {site / 'index.html'}. To look at it:")
    print(f"  python -m http.server --directory {site} 8000     and open http://localhost:8000")


def lay_out(root: Path, source: Path) -> None:
    """Put everything that Sphinx reads into one folder. Files keep their times: only what changed is built anew.

    Raises:
        NotebookUnfit: if a notebook was not run or is broken, or if a lab isn't blank.
    """
    notebooks = sorted((root / "notebooks").glob("*.ipynb"))
    labs = sorted((root / "labs").glob("lab*/lab*.ipynb"))
    for path in notebooks:
        require_run(path, str(path.relative_to(root)))
    for path in labs:
        require_blank(path, str(path.relative_to(root)))

    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(BOOK / "pages", source)
    shutil.copytree(root / "assets", source / "assets")
    for path in (*notebooks, *labs):
        copy = source / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    with (source / "course.md").open("a", encoding="utf-8") as page:
        page.write("\n".join(["```{toctree}", ":maxdepth: 1", "", *in_order(notebooks, labs), "```", ""]))
    _show_the_versions(source / "labs" / "lab01_masked_softmax" / "lab01_masked_softmax.ipynb")
    for path in labs:
        title = read(path, path.name).cells[0].source.splitlines()[0].removeprefix("# ")  # "Lab 1 · Masked softmax"
        wide = "---\nhtml_theme.sidebar_secondary.remove: true\n---\n\n"
        text = f"{wide}# Mistakes in {title[0].lower()}{title[1:]}\n\n```{{mistakes}} {path.stem}\n```\n"
        _write(source / "mistakes" / f"{path.stem}.md", text)
    for module in modules_used(notebooks + labs):
        _write(
            source / "helpers" / f"{module}.rst",
            f"{module}\n{'=' * len(module)}\n\n.. automodule:: {module}\n   :members:\n",
        )


def _show_the_versions(lab: Path) -> None:
    """Lab 1 asks to run a cell and read three functions. The site runs nothing, so they are shown here."""
    if not lab.exists():
        return
    notebook = read(lab, lab.name)
    text = "\n".join(f"```python\n{inspect.getsource(version)}```\n" for version in VERSIONS)
    cell = next(cell for cell in notebook.cells if cell.id == "versions")
    cell.outputs = [new_output("display_data", {"text/markdown": text})]
    times = lab.stat()
    nbformat.write(notebook, lab)
    os.utime(lab, ns=(times.st_atime_ns, times.st_mtime_ns))


def in_order(notebooks: list[Path], labs: list[Path]) -> list[str]:
    """The pages in the order in which the course is read: after a notebook comes the lab of its number."""
    pages = []
    for notebook in notebooks:
        pages.append(f"notebooks/{notebook.stem}")
        pages += [f"labs/{lab.stem}/{lab.stem}" for lab in labs if lab.stem.startswith(f"lab{notebook.stem[:2]}_")]
    return pages


def modules_used(notebooks: list[Path]) -> list[str]:
    """The modules of `helpers` that readers meet, because a notebook or a lab imports them."""
    text = "".join(path.read_text(encoding="utf-8") for path in notebooks)
    return sorted(set(re.findall(r"(?:from|import) (helpers\.\w+)", text)))


def _write(page: Path, text: str) -> None:
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
