"""The course opened from a button: with an address set, in a copy; nothing here asks the services themselves.

Colab is emulated: a fresh environment that has PyTorch but not the course, another working directory, the repository
served from this disk, and a stand-in for `google.colab`. What Colab and VS Code make of a file that they save is
imitated from what is public about them: nbformat's description of notebooks, and issues on googlecolab/colabtools,
codepod/codepod (411: Colab keeps a cell's id in its metadata), NeuromatchAcademy/course-content (101: `outputId`) and
microsoft/vscode-jupyter (2919, 8412 and 16207: it rewrites the notebook's metadata). Neither of them was run.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import jsonschema
import nbformat
import pytest
from traitlets.config.loader import PyFileConfigLoader

from grading.reading import read
from grading.rebuilding import rebuilt
from grading.sample_answers.lab01_masked_softmax import STUDENTS
from grading.sample_class import fill_in
from helpers.in_colab import refuse_an_old_python, refuse_an_old_pytorch
from helpers.lab_files import UserError
from tests.grading.classroom import LAB, hand_in, make_course, run, scores
from tools.badges import FIRST_CELL, repository, write_badges
from tools.reading_minutes import minutes

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "https://github.com/someone/attention"
READ_BY_AN_OLD_PYTHON = [ROOT / each for each in ("helpers/__init__.py", "helpers/in_colab.py", "tools/install.py")]
ANSWERS = next(iter(STUDENTS.values()))


def copy_of_the_course(folder: Path, address: str | None) -> Path:
    """What buttons are written into, and what Colab needs of the course; with this address, or with none."""
    for room in ("helpers", "labs", "notebooks", "solutions"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    shutil.copy(ROOT / "README.md", folder)
    text = re.sub(r"^Repository = .*\n", "", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    line = "" if address is None else f'Repository = "{address}"\n'
    (folder / "pyproject.toml").write_text(
        text.replace("[project.urls]\n", f"[project.urls]\n{line}"), encoding="utf-8"
    )
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The course without an address, and without buttons."""
    course = copy_of_the_course(tmp_path_factory.mktemp("plain"), address=None)
    write_badges(course)
    return course


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The course with buttons, as a repository whose tag has them."""
    course = copy_of_the_course(tmp_path_factory.mktemp("published"), ADDRESS)
    write_badges(course)
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init"], ["add", "."], ["commit", "--message=course"], ["tag", "v0.1.0"]):
        subprocess.run(["git", *who, *words], cwd=course, check=True, capture_output=True)
    return course


def notebooks_of(course: Path) -> list[Path]:
    return sorted(
        [*course.glob("notebooks/*.ipynb"), *course.glob("labs/*/*.ipynb"), *course.glob("solutions/*/*.ipynb")]
    )


def test_without_an_address_nothing_points_anywhere(plain):
    for path in [plain / "README.md", *notebooks_of(plain)]:
        text = path.read_text(encoding="utf-8")
        assert "colab.research.google.com" not in text and FIRST_CELL not in text, path


def test_the_course_has_the_buttons_that_its_address_asks_for(tmp_path):
    address = repository(ROOT) or None
    assert write_badges(copy_of_the_course(tmp_path, address)) == [], "make badges"


def test_with_an_address_readme_and_every_notebook_and_lab_say_where_to_open_them(published):
    tag = "https://colab.research.google.com/github/someone/attention/blob/v0.1.0"
    readme = (published / "README.md").read_text(encoding="utf-8").splitlines()[2]
    assert readme.startswith(f"[Open in Colab]({tag}/notebooks/00_start_here.ipynb)")
    assert "https://mybinder.org/v2/gh/someone/attention/v0.1.0?labpath=notebooks%2F00_start_here.ipynb" in readme
    assert "https://codespaces.new/someone/attention/tree/v0.1.0" in readme
    for path in notebooks_of(published):
        cells = nbformat.read(path, as_version=4).cells
        opened = path.relative_to(published).as_posix().replace("solutions/", "labs/")
        assert f"[Open in Colab]({tag}/{opened})" in cells[0].source and (published / opened).exists()
        assert next(cell for cell in cells if cell.cell_type == "code").id == FIRST_CELL


def test_the_buttons_are_written_once_and_taken_out_without_a_trace(published, plain, tmp_path):
    course = shutil.copytree(published, tmp_path / "course", ignore=shutil.ignore_patterns(".git"))
    assert write_badges(course) == []
    shutil.copy(plain / "pyproject.toml", course)
    write_badges(course)
    for path in [plain / "README.md", *notebooks_of(plain)]:
        assert (course / path.relative_to(plain)).read_bytes() == path.read_bytes(), path


def test_a_notebook_with_buttons_still_passes_what_is_asked_of_notebooks(published, plain):
    for path in notebooks_of(published):
        notebook = nbformat.read(path, as_version=4)
        counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
        assert path.parent.name != "notebooks" or counts == list(range(1, len(counts) + 1))
        assert minutes(notebook) == minutes(nbformat.read(plain / path.relative_to(published), as_version=4))
        nbformat.validate(notebook)
    for words in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *words, "--no-cache", "solutions", "notebooks"]
        done = subprocess.run(command, cwd=published, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


ONE_PAGE = """
import sys
import tools.badges
from sphinx.application import Sphinx

tools.badges.repository = lambda course: sys.argv[1]  # what pyproject.toml would say
source, book = sys.argv[2:]
plain = {"extensions": [], "html_math_renderer": "mathjax"}
site = Sphinx(source, book, f"{source}/html", f"{source}/doctrees", "html", plain, status=None)
site.build()
"""


@pytest.mark.parametrize(("address", "services"), [(ADDRESS, ["Colab", "Binder", "Codespaces"]), ("", [])])
def test_the_sites_bar_leads_to_the_services_if_there_is_an_address(address, services, tmp_path):
    """With the site's own settings, and a page in the place of all the others."""
    (tmp_path / "index.rst").write_text("Page\n====\n")
    subprocess.run([sys.executable, "-c", ONE_PAGE, address, tmp_path, ROOT / "book"], cwd=ROOT, check=True)
    page = (tmp_path / "html" / "index.html").read_text(encoding="utf-8")
    found = dict(re.findall(r'<a href="(https://\S+)" title="Open the course in (\w+)"', page))
    assert list(found.values()) == services
    assert all("someone/attention" in link for link in found)


@pytest.mark.parametrize("address", ["http://example.org/course", "https://gitlab.com/a/b", "https://github.com/a"])
def test_an_address_that_the_services_cannot_open_is_refused_in_a_sentence(address, tmp_path):
    with pytest.raises(UserError, match=f"{address}, but must be https://github.com/OWNER/NAME"):
        write_badges(copy_of_the_course(tmp_path, address))


def first_cell(published: Path) -> str:
    return nbformat.read(published / "labs" / LAB / f"{LAB}.ipynb", as_version=4).cells[1].source


def test_anywhere_but_in_colab_the_first_cell_does_nothing(published, capsys):
    names: dict = {}
    exec(first_cell(published), names)
    assert set(names) - {"__builtins__"} == {"sys"} and capsys.readouterr() == ("", "")


def test_an_old_python_or_pytorch_is_refused_in_a_sentence_and_todays_is_not():
    refuse_an_old_python((3, 11))
    refuse_an_old_pytorch("2.13.0+cpu", "torch>=2.5,<3")
    refuse_an_old_pytorch("2.5.1", "torch>=2.5,<3")
    with pytest.raises(
        SystemExit, match=r"^This course needs Python 3\.11 or newer, and here is 3\.10: choose [^.]+\.$"
    ):
        refuse_an_old_python((3, 10))
    with pytest.raises(
        SystemExit, match=r"^This course needs PyTorch 2\.5 or newer, and here is 2\.4\.1\+cu121: [^.]+\.$"
    ):
        refuse_an_old_pytorch("2.4.1+cu121", "torch>=2.5,<3")


def test_a_python_that_is_too_old_can_read_what_tells_it_so(published):
    """Seen with 3.7, 3.8, 3.9 and 3.10 themselves; here their grammar, and without the modules that they lack."""
    for text in (first_cell(published), *(path.read_text(encoding="utf-8") for path in READ_BY_AN_OLD_PYTHON)):
        ast.parse(text, feature_version=(3, 7))
    assert all(isinstance(each, str) for each in refuse_an_old_python.__annotations__.values())  # not evaluated
    pretend = (
        "import sys; sys.version_info = (3, 7, 2); sys.modules |= {'importlib.metadata': None, 'tomllib': None}; "
        "from helpers.in_colab import prepare; prepare()"
    )
    done = subprocess.run([sys.executable, "-c", pretend], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "This course needs Python 3.11 or newer, and here is 3.7: choose a newer runtime in the Runtime menu.\n"
    )


@pytest.fixture(scope="module")
def colab(published, tmp_path_factory):
    """Run a program as Colab's Python would: PyTorch and Jupyter are there, the course isn't."""
    folder = tmp_path_factory.mktemp("colab")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "python"], check=True)
    (packages,) = (folder / "python").glob("lib/python*/site-packages")
    # A folder that another's .pth names brings its packages, but not what its own .pth files name: not the course.
    (packages / "packages.pth").write_text(sysconfig.get_path("purelib"))
    stand_in = "import sys, types; sys.modules['google.colab'] = types.ModuleType('google.colab')"
    (packages / "sitecustomize.py").write_text(stand_in)
    (folder / "content").mkdir()

    def program(*words: str | Path, served_from: Path = published) -> subprocess.CompletedProcess:
        variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        variables |= {
            "HOME": str(folder),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{served_from.as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": ADDRESS,
            "PIP_NO_INDEX": "1",  # what is missing would be fetched, but nothing is
        }
        command = [folder / "python" / "bin" / "python", *words]
        return subprocess.run(command, cwd=folder / "content", env=variables, capture_output=True, text=True)

    return program


def test_without_a_network_the_first_cell_says_so_in_a_sentence(published, colab, tmp_path):
    script = tmp_path / "first_cell.py"
    script.write_text(first_cell(published))
    done = colab(script, served_from=tmp_path / "nothing")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"{ADDRESS} was not reached: go online, and run this again."
    assert "Traceback" not in done.stderr


WANTING = """
import helpers.in_colab as here

here._requirements = lambda: ["torch>=2.5,<3", "no-such-package"]
here.prepare()
"""


def test_if_the_network_goes_before_all_is_installed_the_first_cell_says_so_in_a_sentence(published, colab, tmp_path):
    script = tmp_path / "first_cell.py"
    script.write_text(f"import sys\n\nsys.path.insert(0, {str(published)!r})\n{WANTING}")
    done = colab(script)
    assert done.returncode == 1
    begins = "What the course needs was not installed: go online, and run this again. pip says: "
    assert done.stderr.startswith(begins) and "no-such-package" in done.stderr
    assert "Traceback" not in done.stderr


def as_colab_saves(notebook: dict) -> dict:
    for number, cell in enumerate(notebook["cells"]):
        cell.pop("id", None)
        cell["metadata"] |= {"id": f"a{number}Bc", "colab": {"base_uri": "https://localhost:8080/"}}
        if cell["cell_type"] == "code":
            cell["metadata"] |= {"executionInfo": {"elapsed": 4, "status": "ok", "user": {}}, "outputId": "0a-1b"}
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["done\n"]}]
    kernel = {"name": "python3", "display_name": "Python 3"}
    metadata = {"colab": {"provenance": []}, "kernelspec": kernel, "language_info": {"name": "python"}}
    return notebook | {"metadata": metadata, "nbformat_minor": 0}


def as_vs_code_saves(notebook: dict) -> dict:
    for cell in notebook["cells"]:
        cell["metadata"] |= {"vscode": {"languageId": "python"}}
        cell["source"] = "".join(cell["source"]).splitlines(keepends=True)
    language = {"codemirror_mode": {"name": "ipython", "version": 3}, "name": "python", "version": "3.12.1"}
    kernel = {"display_name": ".venv (3.12.1)", "language": "python", "name": "python3"}
    return notebook | {"metadata": {"kernelspec": kernel, "language_info": language, "orig_nbformat": 4}}


def without_nbgraders_notes(save: Callable[[dict], dict]) -> Callable[[dict], dict]:
    def saved(notebook: dict) -> dict:
        for cell in notebook["cells"]:
            cell["metadata"].pop("nbgrader", None)
        return save(notebook)

    return saved


@pytest.mark.parametrize("save", [as_colab_saves, as_vs_code_saves, without_nbgraders_notes(as_colab_saves)])
def test_a_lab_that_another_editor_saved_has_its_answers_in_their_places(published, save, tmp_path):
    blank = nbformat.read(published / "labs" / LAB / f"{LAB}.ipynb", as_version=4)
    path = tmp_path / f"{LAB}.ipynb"
    path.write_text(json.dumps(save(json.loads(nbformat.writes(fill_in(blank, ANSWERS))))))
    source = nbformat.read(ROOT / "solutions" / LAB / f"{LAB}.ipynb", as_version=4)
    found = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in rebuilt(read(path), source).cells
        if "nbgrader" in cell.metadata
    }
    assert {name: found[name] for name in ANSWERS} == {name: text.strip() for name, text in ANSWERS.items()}


@pytest.mark.slow
def test_in_colab_notebook_00_and_labs_1_and_3_run_and_lab_1_is_graded(published, colab, tmp_path):
    """Each of the three to its end: 00 trains its two models, and asserts what its text says of them."""
    start = nbformat.read(published / "notebooks" / "00_start_here.ipynb", as_version=4)
    labs = {
        name: nbformat.read(published / "labs" / name / f"{name}.ipynb", as_version=4)
        for name in (LAB, "lab03_attention_scores")
    }
    labs[LAB] = fill_in(labs[LAB], ANSWERS)
    for name, notebook in {"start": start, **labs}.items():
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    done = colab("-m", "nbconvert", "--to=notebook", "--execute", "--inplace", *sorted(tmp_path.glob("*.ipynb")))
    assert done.returncode == 0, done.stderr

    finished = nbformat.read(tmp_path / "start.ipynb", as_version=4)
    assert "The course is here." in finished.cells[1].outputs[0].text
    assert "Everything is in place." in finished.cells[-1].outputs[-1].text

    (tmp_path / "instructor").mkdir()
    course = make_course(tmp_path / "instructor")
    for student, save in {"ada": as_colab_saves, "bob": as_vs_code_saves}.items():
        saved = save(json.loads((tmp_path / f"{LAB}.ipynb").read_text(encoding="utf-8")))
        hand_in(course, student, json.dumps(saved))
    graded = run(course, "grading", "autograde", LAB, "--no-sandbox")
    assert graded.returncode == 0, graded.stderr
    for student in ("ada", "bob"):
        assert scores(course, student)["test_masked_softmax_hidden"] == 4


# What the published schema (devContainer.base.schema.json of devcontainers/spec) says of the keys that are used here.
# `customizations` it leaves to the editors: of those the documentation of VS Code and Codespaces tells.
CONTAINER = {
    "name": {"type": "string"},
    "image": {"type": "string"},
    "hostRequirements": {
        "properties": {
            "cpus": {"type": "integer", "minimum": 1},
            "memory": {"type": "string", "pattern": "^[0-9]+([tgmk]b)?$"},
        },
        "additionalProperties": False,
    },
    "containerEnv": {"type": "object", "additionalProperties": {"type": "string"}},
    "postCreateCommand": {"type": "string"},
    "forwardPorts": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 65535}},
    "portsAttributes": {
        "additionalProperties": {
            "properties": {
                "label": {"type": "string"},
                "onAutoForward": {
                    "enum": ["notify", "openBrowser", "openBrowserOnce", "openPreview", "silent", "ignore"]
                },
            },
            "additionalProperties": False,
        },
    },
    "customizations": {
        "properties": {
            "codespaces": {
                "properties": {"openFiles": {"type": "array", "items": {"type": "string"}}},
                "additionalProperties": False,
            },
            "vscode": {
                "properties": {
                    "extensions": {"type": "array", "items": {"pattern": "^[A-Za-z0-9-]+[.][A-Za-z0-9-]+$"}},
                    "settings": {"type": "object"},
                },
                "additionalProperties": False,
            },
        },
        "additionalProperties": False,
    },
}


@pytest.fixture
def container():
    return json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))


def test_the_development_container_is_described_as_its_schema_asks(container):
    jsonschema.validate(container, {"properties": CONTAINER, "required": ["image"], "additionalProperties": False})


def test_the_development_container_installs_with_make_and_opens_the_first_notebook(container):
    make, target = container["postCreateCommand"].split()
    assert make == "make" and f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
    (opened,) = container["customizations"]["codespaces"]["openFiles"]
    assert (ROOT / opened).is_file()
    assert list(container["portsAttributes"]) == [str(port) for port in container["forwardPorts"]] == ["8888"]


def test_in_codespaces_jupyterlab_answers_the_page_of_this_codespace_and_no_other(monkeypatch):
    """The variables' names are from GitHub's documentation; microsoft/vscode-dev-containers 1439 has the fault."""

    def settings():
        return PyFileConfigLoader("jupyter_lab_config.py", path=str(ROOT)).load_config().ServerApp

    monkeypatch.delenv("CODESPACE_NAME", raising=False)
    assert "allow_origin_pat" not in settings()
    monkeypatch.setenv("CODESPACE_NAME", "someone-fluffy-rotary-phone-9xq4")
    monkeypatch.setenv("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN", "app.github.dev")
    allowed = settings().allow_origin_pat
    assert re.match(allowed, "https://someone-fluffy-rotary-phone-9xq4-8888.app.github.dev")
    for other in (
        "https://another-8888.app.github.dev",
        "https://someone-fluffy-rotary-phone-9xq4-8888.app.github.dev.eu",
    ):
        assert not re.match(allowed, other)
    assert settings().ip == "0.0.0.0"
