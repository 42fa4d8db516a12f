"""What the first cell of a notebook does in Google Colab, when the course is there: see tools/badges.py.

It runs on the Python and the PyTorch that Colab brings: what a Python from 3.7 on lacks is imported, or evaluated, only
when the version has been looked at.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

COURSE = Path(__file__).resolve().parents[1]
OLDEST_PYTHON = (3, 11)

NEXT = (
    "The course is here. To keep what you write, save a copy in your Drive (File menu). To hand in a lab, download it "
    "as a file (File, Download, Download .ipynb)."
)
ELSEWHERE = "choose a newer runtime in the Runtime menu."


def prepare() -> None:
    """Install what the course needs besides PyTorch, which stays as it is, and go to the notebooks' folder.

    Raises:
        SystemExit: with a sentence, if Python or PyTorch is too old, or there is no network to install from.
    """
    refuse_an_old_python(sys.version_info[:2])
    import importlib.metadata

    requirements = _requirements()
    refuse_an_old_pytorch(importlib.metadata.version("torch"), next(filter(_is_pytorch, requirements)))
    others = [requirement for requirement in requirements if not _is_pytorch(requirement)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", *others]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise SystemExit(f"What the course needs was not installed: go online, and run this again. pip says: {last}")
    os.chdir(COURSE / "notebooks")
    print(NEXT)


def refuse_an_old_python(version: tuple[int, ...]) -> None:
    """Raises:
    SystemExit: with a sentence, if this Python is older than the course can do with.
    """
    if version < OLDEST_PYTHON:
        raise SystemExit(
            "This course needs Python {}.{} or newer, and here is {}.{}: ".format(*OLDEST_PYTHON, *version) + ELSEWHERE
        )


def refuse_an_old_pytorch(version: str, requirement: str) -> None:
    """Raises:
    SystemExit: with a sentence, if this PyTorch is older than `requirement`, such as "torch>=2.5,<3", allows.
    """
    oldest = re.findall(r"\d+", requirement.partition(">=")[2])[:2]
    if list(map(int, re.findall(r"\d+", version)[:2])) < list(map(int, oldest)):
        raise SystemExit(f"This course needs PyTorch {'.'.join(oldest)} or newer, and here is {version}: {ELSEWHERE}")


def _is_pytorch(requirement: str) -> bool:
    return re.match(r"torch\b", requirement) is not None


def _requirements() -> list[str]:
    """What pyproject.toml says that the notebooks and the labs need."""
    import tomllib  # Python 3.11 has it, and an older one must be told so first

    project = tomllib.loads((COURSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["notebooks"]]
