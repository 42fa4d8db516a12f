"""The gradebook in another place: PostgreSQL, started here for the tests, and what can't be opened."""

import contextlib
import csv
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from grading.__main__ import main
from grading.sample_answers.lab01_masked_softmax import STUDENTS
from tests.grading.classroom import LAB, filled_in, hand_in, make_course, run, scores
from tests.programs import PROGRAMS

PASSWORD = "s3cret/&word"
QUOTED = "s3cret%2F%26word"
CLASS = {"ada": STUDENTS["sample-ada"], "emil": {"length_mask": STUDENTS["sample-ada"]["length_mask"]}}


@pytest.fixture(scope="module")
def postgresql():
    """The folder of the socket of a PostgreSQL server; its user is called grader."""
    programs = PROGRAMS["postgresql"].find()
    pytest.importorskip("psycopg", reason="PostgreSQL's driver isn't installed: pip install -e .[grading]")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # a socket's path must be short
    password = folder / "password"
    password.write_text(PASSWORD)
    someone = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to be root
        nobody = pwd.getpwnam("nobody")
        someone = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        for each in (folder, password):
            os.chown(each, nobody.pw_uid, nobody.pw_gid)
    words = [programs / "initdb", "-D", folder / "data", "-U", "grader", "-A", "scram-sha-256", "--pwfile", password]
    subprocess.run([*words, "--no-sync"], check=True, capture_output=True, cwd=folder, **someone)
    words = [programs / "postgres", "-D", folder / "data", "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log, **someone)
    try:
        yield folder
    finally:
        process.terminate()
        process.wait(timeout=60)
        shutil.rmtree(folder)


@pytest.fixture
def address(postgresql, request):
    """The address of a new database."""
    import psycopg

    name = f"db{abs(hash(request.node.name))}"
    for _ in range(600):  # until the server is up
        with contextlib.suppress(psycopg.OperationalError):
            login = psycopg.connect(host=str(postgresql), user="grader", password=PASSWORD, dbname="postgres")
            break
    with contextlib.closing(login):
        login.autocommit = True
        login.execute(f"CREATE DATABASE {name}")
    return f"postgresql+psycopg://grader:{QUOTED}@/{name}?host={postgresql}"


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A class graded into the gradebook that the course has by itself."""
    course = make_course(tmp_path_factory.mktemp("graded"))
    for student, cells in CLASS.items():
        hand_in(course, student, filled_in(cells))
    done = run(course, "grading", "autograde", LAB, "--no-sandbox")
    assert done.returncode == 0, done.stderr
    return course


@pytest.fixture
def course(graded, tmp_path, monkeypatch):
    shutil.copytree(graded, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_a_class_is_graded_marked_and_exported_in_postgresql(course, address, monkeypatch, capfd):
    expected = {student: scores(course, student) for student in CLASS}
    (course / "classroom" / "gradebook.db").unlink()
    assert main(["autograde", LAB, "--no-sandbox", "--db", address]) == 0
    assert main(["mark", LAB, "ada", "written_masking", "3", "--db", address]) == 0
    assert not (course / "classroom" / "gradebook.db").exists()
    with Gradebook(address, "attention-by-hand") as gradebook:
        for student, marks in expected.items():
            (notebook,) = gradebook.find_submission(LAB, student).notebooks
            assert {each.name: each.auto_score or 0 for each in notebook.grades} == marks

    monkeypatch.setenv("GRADEBOOK_URL", address)  # how nbgrader's own commands find it
    done = run(course, "nbgrader", "export")
    assert done.returncode == 0, done.stderr
    with (course / "grades.csv").open() as file:
        assert {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)} == {"ada": 19, "emil": 3}
    monkeypatch.setattr("grading.autograding.Autograde", lambda **_: pytest.fail("a submission is recorded again"))
    assert main(["autograde", LAB, "--no-sandbox"]) == 0

    printed = capfd.readouterr()
    log = (course / "classroom" / "autograde.log").read_text()
    for text in (printed.out, printed.err, log, done.stdout, done.stderr):
        assert PASSWORD not in text and QUOTED not in text


KILLED = """
import os, sys
from unittest.mock import patch
from nbgrader.preprocessors import AssignLatePenalties
from grading.__main__ import main
with patch.object(AssignLatePenalties, "preprocess", lambda *_: os.kill(os.getpid(), 9)):
    main(sys.argv[1:])
"""


@pytest.mark.slow
def test_a_grading_killed_while_it_records_leaves_no_half_of_a_submission_in_postgresql(course, address):
    words = ["autograde", LAB, "--no-sandbox", "--db", address]
    assert subprocess.run([sys.executable, "-c", KILLED, *words], capture_output=True).returncode == -9
    with Gradebook(address, "attention-by-hand") as gradebook:
        assert gradebook.assignment_submissions(LAB) == []
    assert main(words) == 0
    with Gradebook(address, "attention-by-hand") as gradebook:
        assert len(gradebook.assignment_submissions(LAB)) == len(CLASS)


def says(capsys, *words):
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.err.endswith("\n") and "\n" not in printed.err[:-1]
    assert PASSWORD not in printed.out + printed.err and QUOTED not in printed.out + printed.err
    return printed.err


@pytest.fixture
def ungraded(tmp_path, monkeypatch):
    monkeypatch.chdir(make_course(tmp_path))
    hand_in(tmp_path, "ada", filled_in({}))
    return tmp_path


@pytest.mark.slow
def test_a_wrong_password_is_called_that_and_not_printed(ungraded, address, capsys):
    wrong = address.replace(QUOTED, QUOTED + "2")
    said = says(capsys, "autograde", LAB, "--no-sandbox", "--db", wrong)
    assert said.startswith("The gradebook can't be read or written: ") and "password authentication failed" in said


def test_a_server_that_is_not_there_is_called_that(ungraded, capsys):
    pytest.importorskip("psycopg", reason="PostgreSQL's driver isn't installed: pip install -e .[grading]")
    address = f"postgresql+psycopg://grader:{QUOTED}@/grades?host=/nowhere"
    assert "The gradebook can't be read or written: " in says(capsys, "mark", LAB, "ada", "x", "1", "--db", address)


@pytest.mark.parametrize("address", [f"nonsense {QUOTED}", f"oracel://grader:{QUOTED}@host/grades"])
def test_an_address_that_is_none_is_refused_without_repeating_it(ungraded, capsys, address):
    assert "address" in says(capsys, "autograde", LAB, "--no-sandbox", "--db", address)
