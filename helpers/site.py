"""The course's site, if somebody publishes it: its address is `[project.urls] Documentation` in pyproject.toml."""

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def address_of_mistake(lab: str, exercise: str, mistake: str) -> str | None:
    """Where the site shows a mistake, with its picture and the line that went wrong; None if there is no site.

    `mistake` is the id of one of the exercise's own misconceptions.
    """
    try:
        project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
        site = project["urls"]["Documentation"].rstrip("/")
    except (OSError, ValueError, KeyError):  # a course that is not published, or helpers without it
        return None
    anchor = re.sub("[^a-z0-9]+", "-", f"{exercise}-{mistake}".lower()).strip("-")
    return f"{site}/mistakes/{lab}.html#{anchor}"
