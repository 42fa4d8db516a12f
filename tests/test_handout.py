"""What a class is given: nothing of what only the instructor may see, and all that a student needs."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.request import urlopen

import nbformat
import pytest
from nbformat import NotebookNode

from grading.sample_answers import lab01_masked_softmax as answers
from grading.sample_class import fill_in
from helpers.lab_files import UserError, labs_of, own_path, released_path, write
from helpers.own_copies import blank_lab
from tests.browser.jupyterlab import running
from tests.grading.classroom import LAB, make_course, run, scores
from tests.own_copies.course import answer_it
from tools.handout import FILES, FOLDER, FOR_STUDENTS, ONLY_FOR_INSTRUCTORS, ROOMS, write_handout

ROOT = Path(__file__).resolve().parents[1]
WITH_SECRETS = ("solutions", "grading", "tests", "benchmarks", "book", "docs", "classroom", ".git", "my_labs")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course, without git, and with what may lie about in an instructor's."""
    folder = tmp_path_factory.mktemp("course")
    for room in (*ROOMS, FOR_STUDENTS, "solutions"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    for lab in labs_of(ROOT):
        write(released_path(folder, lab), blank_lab(ROOT, lab))  # a student may have written into labs/
    for name in (*FILES, "Makefile"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("classroom/submitted/ada/secret", "my_labs/secret", "labs/lab01_masked_softmax/__pycache__/secret"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("secret")
    return folder


@pytest.fixture(scope="module")
def contents(course):
    """The names in the zip of all labs, below its folder, with what is in them."""
    with zipfile.ZipFile(write_handout(course)) as handout:
        return {name.removeprefix(f"{FOLDER}/"): handout.read(name) for name in handout.namelist()}


def test_no_solution_hidden_test_rubric_or_instructors_room_is_in_it(contents):
    assert not [name for name in contents if name.split("/")[0] in WITH_SECRETS or "secret" in name]
    for name, content in contents.items():
        assert not [mark for mark in (*ONLY_FOR_INSTRUCTORS, "END SOLUTION") if mark.encode() in content], name


def test_everything_that_a_students_text_links_to_is_in_it(contents):
    for name, content in contents.items():
        if name.endswith(".ipynb"):
            cells = nbformat.reads(content.decode(), as_version=4).cells
            text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        elif name == "README.md":
            text = content.decode()
        else:
            continue
        links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("http", "#"))]
        places = {((ROOT / name).parent / link.partition("#")[0]).resolve() for link in links}
        assert {place.relative_to(ROOT).as_posix() for place in places} <= set(contents), name


def test_every_module_that_it_imports_of_the_course_is_in_it(contents):
    modules = (content.decode() for name, content in contents.items() if name.endswith(".py"))
    imported = {name for text in modules for name in re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE)}
    assert imported.isdisjoint({"grading", "book", "benchmarks", "tests", "tools"}) and "helpers" in imported


def test_its_makefile_has_the_targets_that_work_there_and_no_other(contents, tmp_path):
    (tmp_path / "Makefile").write_bytes(contents["Makefile"])
    offered = subprocess.run(["make", "help"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^make (\w+)", offered, re.MULTILINE) == ["lab", "clean"]
    planned = subprocess.run(["make", "--dry-run", "lab"], cwd=tmp_path, capture_output=True, text=True, check=True)
    needed = re.findall(r"tools[./](\w+)", planned.stdout)
    assert {f"tools/{name}.py" for name in needed} <= set(contents) and "install" in needed


def test_one_lab_alone_comes_with_all_but_the_other_labs(course, contents):
    with zipfile.ZipFile(write_handout(course, LAB)) as handout:
        names = {name.removeprefix(f"{FOLDER}/") for name in handout.namelist()}
    others = {f"labs/{lab}/{lab}.ipynb" for lab in labs_of(ROOT) if lab != LAB}
    assert set(contents) - names == others and f"labs/{LAB}/{LAB}.ipynb" in names


def test_the_same_course_gives_the_same_zip(course):
    path = write_handout(course, LAB)
    before = path.read_bytes()
    released_path(course, LAB).touch()
    assert write_handout(course, LAB).read_bytes() == before


@pytest.mark.parametrize("slip", ["answer", "solution"])
def test_a_lab_with_answers_is_not_handed_out(course, slip):
    path = released_path(course, LAB)
    before = path.read_bytes()
    try:
        if slip == "answer":
            answer_it(path, length_mask="def length_mask(): ...")
        else:
            shutil.copy(course / "solutions" / LAB / f"{LAB}.ipynb", path)
        with pytest.raises(UserError, match=r"answers in labs|what only instructors may see"):
            write_handout(course)
    finally:
        path.write_bytes(before)


@pytest.mark.slow
def test_a_student_works_in_it_and_is_graded_by_the_instructors_course(course, tmp_path):
    with zipfile.ZipFile(write_handout(course)) as handout:
        handout.extractall(tmp_path)
    student = tmp_path / FOLDER
    environment = {"PYTHONPATH": str(student)}

    with running(student, tmp_path / "settings") as server, urlopen(server.address) as page:
        assert page.status == 200 and "JupyterLab" in page.read().decode()
    copy = own_path(student, LAB)
    notebook: NotebookNode = nbformat.read(copy, as_version=4)
    nbformat.write(fill_in(notebook, answers.STUDENTS["sample-ada"]), copy)
    done = run(student, "helpers.hand_in", "1", **environment)
    assert "together        12 of 12" in done.stdout, done.stdout + done.stderr
    progress = run(student, "helpers.progress", **environment)
    assert progress.returncode == 0 and LAB in progress.stdout
    revealed = [run(student, "helpers.reveal", "1", "length_mask", **environment) for _ in range(2)]
    assert "Hint 1" in revealed[0].stdout and "your instructor has them" in revealed[1].stdout

    (tmp_path / "instructor").mkdir()
    checkout = make_course(tmp_path / "instructor")
    submitted = checkout / "classroom" / "submitted" / "ada" / LAB / f"{LAB}.ipynb"
    submitted.parent.mkdir(parents=True)
    shutil.copy(student / "my_labs" / "hand_in" / f"{LAB}.ipynb", submitted)
    graded = run(checkout, "grading", "autograde", LAB, "--no-sandbox")
    assert graded.returncode == 0, graded.stderr
    points = scores(checkout, "ada")
    assert points["test_masked_softmax_hidden"] == 4 and points["test_length_mask"] == 3


@pytest.mark.slow
def test_it_can_be_installed(course, tmp_path):
    with zipfile.ZipFile(write_handout(course, LAB)) as handout:
        handout.extractall(tmp_path)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, "."]
    done = subprocess.run(command, cwd=tmp_path / FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
