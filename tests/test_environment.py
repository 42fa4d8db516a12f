"""What a new user meets first: the dependencies, the Makefile, the installer, JupyterLab's settings."""

import ast
import asyncio
import importlib.metadata
import os
import platform
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from ipykernel.ipkernel import IPythonKernel
from nbformat.v4 import new_notebook
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from traitlets.config.loader import PyFileConfigLoader

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}  # where conda-forge's name isn't PyPI's


def conda_requirements() -> dict[str, str]:
    """The conda packages by name, e.g. {"python": "=3.11", "pip": ""}."""
    lines = [line for line in CONDA["dependencies"] if isinstance(line, str)]
    return dict(re.fullmatch(r"([\w.-]+)(.*)", line).groups() for line in lines)


def pinned() -> dict[str, str]:
    """The tested versions by name, those for this Python where there are several."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if not line.startswith("#")]
    here = [each for each in requirements if each.marker is None or each.marker.evaluate()]
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in here}


def test_every_dependency_is_pinned_to_a_version_that_its_range_has():
    extras = PROJECT["optional-dependencies"]
    for requirement in map(
        Requirement, [*PROJECT["dependencies"], *(line for lines in extras.values() for line in lines)]
    ):
        assert requirement.specifier.contains(pinned()[canonicalize_name(requirement.name)]), requirement


def test_the_tests_run_with_the_pinned_pytorch():
    assert importlib.metadata.version("torch").partition("+")[0] == pinned()["torch"]


def test_conda_installs_what_make_lab_does_in_the_tested_versions():
    conda = {CONDA_NAMES.get(name, name): version for name, version in conda_requirements().items()}
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *extras["notebooks"], *extras["jupyterlab"]]
    tested = {name: pinned()[canonicalize_name(name)] for name in (Requirement(line).name for line in lines)}
    wanted = {name: "=" + ".".join(version.split(".")[:2]) for name, version in tested.items()}
    wanted["torch"] = "==" + tested["torch"]
    assert {name: version for name, version in conda.items() if name not in ("python", "pip", "make")} == wanted


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
    extras = ["notebooks", "jupyterlab", *(["grading"] if package == "grading" else [])]
    lines = PROJECT["dependencies"] + [line for each in extras for line in PROJECT["optional-dependencies"][each]]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    undeclared = {
        name for name in imported if declared.isdisjoint(map(canonicalize_name, distributions.get(name, [name])))
    }
    assert undeclared == set()


def test_grading_imports_nbformat_without_building_a_parser_that_nobody_asks():
    script = "import sys, grading.jobs; print('jsonschema' in sys.modules, 'lark' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


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


def test_notebook_00_names_the_pytorch_that_is_pinned_and_the_oldest_that_is_accepted():
    start = nbformat.read(ROOT / "notebooks" / "00_start_here.ipynb", as_version=4)
    (source,) = [cell.source for cell in start.cells if cell.id == "check-environment"]
    (torch,) = [line for line in PROJECT["dependencies"] if line.startswith("torch")]
    assert f'!= "{pinned()["torch"]}"' in source and f"come from PyTorch {pinned()['torch']}:" in source
    oldest = re.search(r">=(\d+)\.(\d+)", torch)
    assert f"< ({oldest[1]}, {oldest[2]})" in source and f"needs PyTorch {oldest[1]}.{oldest[2]} or newer" in source


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
    assert f"[2/3] PyTorch {pinned()['torch']}: done" in first.stdout and "[3/3] JupyterLab" in first.stdout
    again = install(environment, pip="exit 1")
    assert (again.returncode, again.stdout + again.stderr) == (0, "")


def test_pip_is_given_the_pinned_pytorch_and_the_constraints(environment):
    install(environment, pip='echo "pip was given: $*" >>"$0.given"')
    given = (environment / "bin" / "python.given").read_text().splitlines()
    assert given[0].endswith(f"install torch=={pinned()['torch']}")
    assert f"--constraint {ROOT / 'constraints.txt'} --editable .[notebooks,jupyterlab]" in given[1]


def test_what_the_tests_need_is_added_to_an_environment_without_it(environment):
    install(environment, pip="exit 0")
    install(environment, "--dev", pip='echo "pip was given: $*"')
    assert "--editable .[notebooks,jupyterlab,dev]" in (environment / "install.log").read_text()


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


# Windows and macOS, as far as Linux can tell: nothing here was ever run on them.


def test_on_windows_the_installer_looks_where_a_virtual_environment_has_its_python_there(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    on_windows = runpy.run_path(str(ROOT / "tools" / "install.py"))
    assert on_windows["program"](Path(".venv")) == Path(".venv/Scripts/python.exe")


def test_what_students_get_imports_no_module_that_only_unix_has():
    only_unix = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty", "multiprocessing"}
    for file in [*(ROOT / "helpers").rglob("*.py"), ROOT / "tools" / "install.py", ROOT / "tools" / "lab.py"]:
        text = file.read_text(encoding="utf-8")
        assert only_unix.isdisjoint(re.findall(r"^\s*(?:import|from) (\w+)", text, re.MULTILINE)), file
        assert not re.search(r"os\.fork|SIGALRM|SIGKILL|os\.getuid", text), file


def test_text_is_read_and_written_in_utf_8_whatever_the_systems_encoding_is():
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--preview", "--select=PLW1514"]
    done = subprocess.run([*command, "helpers", "tools"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_files_name_is_one_on_windows_and_where_case_makes_no_difference():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert not [
        name for name in listed if re.search(r'[<>:"|?*\\]|[. ](/|$)|(^|/)(con|prn|aux|nul)(\.|/|$)', name, re.I)
    ]
    assert len({name.lower() for name in listed}) == len(listed) and max(map(len, listed)) < 120


# JupyterLab's settings; tests/browser looks at them in a browser.


@pytest.fixture
def documents(tmp_path):
    """The files of a folder, as JupyterLab reads and saves them in this course."""
    config = PyFileConfigLoader("jupyter_lab_config.py", path=str(ROOT)).load_config()
    manager = config.ServerApp.contents_manager_class(root_dir=str(tmp_path))
    yield manager
    manager.notary.store.close()  # Python 3.13 warns of a database that is left open


@pytest.mark.parametrize("stored", [{"name": "python"}, {"name": "python", "version": "3.9.1"}])
def test_a_notebook_is_read_as_its_kernel_would_have_it_and_saved_without_a_version(documents, stored, tmp_path):
    kernelspec = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = new_notebook(metadata={"kernelspec": kernelspec, "language_info": stored})
    nbformat.write(notebook, tmp_path / "notebook.ipynb")
    model = asyncio.run(documents.get("notebook.ipynb"))
    assert model["content"].metadata.language_info == IPythonKernel.language_info
    asyncio.run(documents.save(model, "notebook.ipynb"))
    notebook.metadata.language_info = {"name": "python"}
    assert nbformat.read(tmp_path / "notebook.ipynb", as_version=4) == notebook


def test_a_notebook_in_another_language_is_left_alone(documents, tmp_path):
    metadata = {"kernelspec": {"display_name": "R", "language": "R", "name": "ir"}, "language_info": {"name": "R"}}
    nbformat.write(new_notebook(metadata=metadata), tmp_path / "notebook.ipynb")
    model = asyncio.run(documents.get("notebook.ipynb"))
    asyncio.run(documents.save(model, "notebook.ipynb"))
    assert model["content"].metadata == metadata == nbformat.read(tmp_path / "notebook.ipynb", as_version=4).metadata
