"""What a new user meets first: the dependencies, the Makefile, the installer, JupyterLab's settings."""

import ast
import contextlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}  # where conda-forge's name isn't PyPI's


def conda_requirements() -> dict[str, str]:
    """The conda packages by name, e.g. {"python": "=3.11", "pip": ""}."""
    lines = [line for line in CONDA["dependencies"] if isinstance(line, str)]
    return dict(re.fullmatch(r"([\w.-]+)(.*)", line).groups() for line in lines)


def test_conda_and_pip_install_the_same_versions():
    conda = {CONDA_NAMES.get(name, name): version for name, version in conda_requirements().items()}
    pip = {requirement.name: str(requirement.specifier) for requirement in map(Requirement, PROJECT["dependencies"])}
    assert {name: version for name, version in conda.items() if name not in ("python", "pip", "make")} == pip


def test_conda_installs_the_course_itself_from_this_folder_and_nothing_else_with_pip():
    assert [line for line in CONDA["dependencies"] if isinstance(line, dict)] == [{"pip": ["--editable ."]}]


def test_conda_brings_a_python_that_the_course_accepts():
    python = conda_requirements()["python"].lstrip("=")
    assert Version(python) in SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize("package", ["helpers", "grading"])
def test_every_package_that_is_imported_is_a_declared_dependency(package):
    imported = set()
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.add(node.module.split(".")[0])
    imported -= sys.stdlib_module_names | {"helpers", "grading"}
    distributions = importlib.metadata.packages_distributions()
    lines = PROJECT["dependencies"] + (PROJECT["optional-dependencies"]["grading"] if package == "grading" else [])
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    undeclared = {
        name for name in imported if declared.isdisjoint(map(canonicalize_name, distributions.get(name, [name])))
    }
    assert undeclared == set()


def make(*arguments: str, **environment: str) -> str:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("CONDA", "MAKE"))}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=variables | environment, capture_output=True, text=True, check=True
    ).stdout


def test_make_alone_lists_every_target_that_is_meant_for_people():
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1].split()
    for_people = {target for target in phony if target != "help" and not target.endswith("environment")}
    assert set(re.findall(r"^make (\w+) +\S", make(), re.MULTILINE)) == for_people
    assert {"lab", "test"} <= for_people


def test_make_uses_the_courses_own_conda_environment_and_no_other():
    in_the_courses = make("--dry-run", "lab", CONDA_DEFAULT_ENV=CONDA["name"], CONDA_PREFIX="/conda/envs/course")
    assert 'PATH="/conda/envs/course/bin:' in in_the_courses and ".venv" not in in_the_courses
    in_another = make("--dry-run", "lab", CONDA_DEFAULT_ENV="base", CONDA_PREFIX="/conda")
    assert f'PATH="{ROOT}/.venv/bin:' in in_another and "/conda" not in in_another


# The installer, with a shell script in the place of the environment's Python: what `pip install` prints is the test's.


@pytest.fixture
def environment(tmp_path):
    (tmp_path / "bin").mkdir()
    return tmp_path


def install(environment: Path, *arguments: str, pip: str, index: str = "exit 1") -> subprocess.CompletedProcess:
    script = f'#!/bin/sh\ncase "$*" in *--version) exit 0 ;; *index*) {index} ;; *) {pip} ;; esac\n'
    (environment / "bin" / "python").write_text(script)
    (environment / "bin" / "python").chmod(0o755)
    command = [sys.executable, ROOT / "tools" / "install.py", environment, *arguments]
    # Nothing else on the PATH: no nvidia-smi, whatever this machine has.
    return subprocess.run(
        command, env={"PATH": str(environment / "bin")}, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_installer_says_how_far_it_is_and_started_again_does_nothing(environment):
    first = install(environment, pip="exit 0")
    assert first.returncode == 0
    assert "[2/3] PyTorch 2.13.0: done" in first.stdout and "[3/3] JupyterLab" in first.stdout
    again = install(environment, pip="exit 1")
    assert (again.returncode, again.stdout + again.stderr) == (0, "")


def test_what_the_tests_need_is_added_to_an_environment_without_it(environment):
    install(environment, pip="exit 0")
    install(environment, "--dev", pip='echo "pip was given: $*"')
    assert "--editable .[dev]" in (environment / "install.log").read_text()


def test_going_from_one_target_to_another_and_back_needs_no_installation(environment):
    install(environment, "--dev", pip="exit 0")
    install(environment, "--book", pip="exit 0")
    assert install(environment, "--dev", pip="exit 1").returncode == 0


def test_a_failed_installation_shows_pips_words_and_what_to_do_and_is_tried_again(environment):
    failed = install(environment, pip='echo "ERROR: no such wheel"; exit 1')
    assert failed.returncode == 1
    assert "ERROR: no such wheel" in failed.stderr and "install.log" in failed.stderr
    assert "run the same command again" in failed.stderr and "Traceback" not in failed.stderr
    assert install(environment, pip="exit 0").returncode == 0


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="pip's default has a GPU only here"
)
@pytest.mark.parametrize(("versions", "warned"), [("2.14.0, 2.13.0", True), ("2.13.0+cpu, 2.13.0", False)])
def test_gigabytes_for_a_gpu_that_isnt_there_are_announced(environment, versions, warned):
    result = install(environment, pip="exit 0", index=f'echo "Available versions: {versions}"')
    assert ("conda env create -f environment.yml" in result.stdout) == warned
    assert result.returncode == 0


def test_an_older_python_is_refused_in_a_sentence(tmp_path):
    pretend = "import runpy, sys; sys.version_info = (3, 9, 2); runpy.run_path(sys.argv[1])"
    command = [sys.executable, "-c", pretend, ROOT / "tools" / "install.py"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("This course needs Python 3.11 or newer;") and "is 3.9." in result.stderr


@pytest.mark.slow
def test_jupyterlab_opens_on_the_first_notebook_without_news_and_with_nbgraders_buttons(tmp_path):
    command = [sys.executable, "-m", "jupyterlab", "--config=jupyter_lab_config.py", "--no-browser", "--port=0"]
    # The folders that Jupyter keeps for each person: whoever runs this test may have settings of their own.
    folders = {f"JUPYTER_{kind}_DIR": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | folders, stderr=subprocess.PIPE, text=True) as server:
        try:
            printed = []
            while not (address := re.search(r"http://127\.0\.0\.1:\S+", "".join(printed))):
                printed.append(line := server.stderr.readline())
                assert line, f"JupyterLab stopped:\n{''.join(printed)}"
            url = urlsplit(address[0])
            browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
            page, deadline = None, time.monotonic() + 30
            while page is None and time.monotonic() < deadline:
                time.sleep(0.1)  # the address is printed a moment before the server listens
                with contextlib.suppress(urllib.error.URLError):
                    page = browser.open(address[0], timeout=30).read().decode()
            formgrader = browser.open(f"http://{url.netloc}/formgrader", timeout=30)
        finally:
            server.terminate()
    assert len(printed) < 10  # a short log, in which the address is easy to find
    assert url.path == "/lab/tree/notebooks/00_start_here.ipynb"
    assert (ROOT / "notebooks" / "00_start_here.ipynb").is_file()
    settings = json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    assert "@jupyterlab/apputils-extension:announcements" in settings["disabledExtensions"]
    kept = {"@jupyter/nbgrader:formgrader", "@jupyter/nbgrader:validate-assignment", "@jupyter/nbgrader:menu"}
    assert kept.isdisjoint(settings["disabledExtensions"])
    assert "@jupyter/nbgrader" in [extension["name"] for extension in settings["federated_extensions"]]
    assert formgrader.status == 200
