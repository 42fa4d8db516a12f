"""Build the course as a site of static pages: python -m book.build [FOLDER] (`make book`).

The pages come from `pages/`, the notebooks with what they printed and drew (they are not run), the labs' blank copies,
the checks' tables and the docstrings of `helpers`. All of it is laid out in `_build/source`, from which Sphinx makes
`_build/html`, or FOLDER's. Neither is kept in git.
"""

import pkgutil
import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import build_main

import helpers
from book.stored import NotebookUnfit, read, require_blank, require_run

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent


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
    """Put everything that Sphinx reads into one folder. Files keep their times, so that only what changed is built anew.

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
    for path in labs:
        title = read(path, path.name).cells[0].source.splitlines()[0]  # "# Lab 1 · Masked softmax"
        _write(source / "mistakes" / f"{path.stem}.md", f"{title}\n\n```{{mistakes}} {path.stem}\n```\n")
    for module in sorted(_modules()):
        _write(
            source / "helpers" / f"{module}.rst",
            f"{module}\n{'=' * len(module)}\n\n.. automodule:: {module}\n   :members:\n",
        )


def _modules() -> list[str]:
    modules = [f"helpers.{module.name}" for module in pkgutil.iter_modules(helpers.__path__)]
    return [module for module in modules if not module.endswith("_words")]


def _write(page: Path, text: str) -> None:
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
