"""The course as nbgrader_config.py lays it out: its labs, its folders, its gradebook."""

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import create_engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from traitlets.config import Config, PyFileConfigLoader

from helpers.lab_files import UserError


@dataclass(frozen=True)
class Course:
    """A folder with an nbgrader_config.py."""

    config: Config
    root: Path

    @classmethod
    def here(cls, gradebook: str | None = None) -> "Course":
        """The course in the working directory, where nbgrader's own commands look for it too.

        `gradebook` is the address of another gradebook than that of nbgrader_config.py.

        Raises:
            UserError: if there is no nbgrader_config.py, or nbgrader can't work there.
        """
        folder = Path.cwd()
        if not (folder / "nbgrader_config.py").is_file():
            raise UserError(f"There is no nbgrader_config.py in {folder}: run this in the course's folder.")
        if set(str(folder)) & set("*?[]"):
            raise UserError(f"nbgrader can't work in {folder}: rename the folder that has * ? [ or ] in its name.")
        config = PyFileConfigLoader("nbgrader_config.py", path=str(folder)).load_config()
        if gradebook is not None:
            config.CourseDirectory.db_url = gradebook
        return cls(config, Path(CourseDirectory(config=config).root))

    def directory(self, **settings: Any) -> CourseDirectory:
        """nbgrader's view of the course, for example of one lab and one student."""
        return CourseDirectory(config=self.config, **settings)

    def gradebook(self) -> Gradebook:
        """The gradebook, to be used in a `with`.

        Raises:
            UserError: if its address is none, or the driver isn't installed.
            sqlalchemy.exc.SQLAlchemyError: if it can't be read or written.
        """
        directory = self.directory()
        if shutil.which("alembic") is None:
            # nbgrader calls it to make a new gradebook; it lies beside this Python, which need not be on the path.
            os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
        try:
            create_engine(directory.db_url)  # which connects to nothing yet
        except (ArgumentError, NoSuchModuleError) as error:  # the address isn't repeated: it may have a password
            example = "postgresql+psycopg://USER@HOST/DATABASE"
            raise UserError(f"The gradebook's address is none that SQLAlchemy knows; one is {example}.") from error
        except ModuleNotFoundError as error:
            raise UserError(f"The gradebook's database needs a driver that isn't installed: {error.name}.") from error
        return Gradebook(directory.db_url, directory.course_id)

    @property
    def solutions(self) -> Path:
        return self.root / self.directory().source_directory

    @property
    def labs(self) -> Path:
        return self.root / self.directory().release_directory

    @property
    def submitted(self) -> Path:
        return self.root / self.directory().submitted_directory

    @property
    def autograded(self) -> Path:
        return self.root / self.directory().autograded_directory

    @property
    def classroom(self) -> Path:
        """The folder of all that belongs to a class and not to the course."""
        return self.submitted.parent

    @property
    def results(self) -> Path:
        """Where the results of submissions that have been run are kept."""
        return Path(self.config.ExecuteApart.results)

    @property
    def lab_names(self) -> list[str]:
        """The labs that there are."""
        return sorted(path.parent.name for path in self.solutions.glob("*/*.ipynb") if path.stem == path.parent.name)

    def find_lab(self, name: str | None) -> str:
        """The name itself, if there is a lab of that name.

        Raises:
            UserError: if there is none, or no name was given.
        """
        known = self.lab_names
        if not name:
            raise UserError(f"Which lab? Give its name, one of: {', '.join(known)} (make grade LAB=...).")
        if name not in known:
            raise UserError(f"There is no lab called {name!r}; the labs are: {', '.join(known)}.")
        return name

    def shown(self, path: Path) -> str:
        """A path as the user would type it."""
        return os.path.relpath(path, Path.cwd())


def command(*words: str) -> str:
    """A command line for this course's Python, to be copied from the screen: `make` doesn't leave .venv activated."""
    python, here = Path(sys.executable), Path.cwd()
    return shlex.join([str(python.relative_to(here)) if python.is_relative_to(here) else "python", "-m", *words])
