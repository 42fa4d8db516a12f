"""The template: kernels are forked from it, each into a sandbox of its own, and nothing else comes along."""

import dataclasses
import json
import os
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from grading import provisioning
from grading.executing import ExecuteApart
from grading.sandbox import ROOT, WORK, Limits, a_user, command, environment, family, limits_of_a_process
from grading.template import Request, Template

pytestmark = [pytest.mark.slow, pytest.mark.needs("bubblewrap")]


def shown_by(*cells):
    """What a submission prints, as JSON, in its last cell."""
    executed, _ = ExecuteApart().preprocess(new_notebook(cells=[new_code_cell(cell) for cell in cells]), {})
    (output,) = executed.cells[-1].outputs
    assert output.get("name") == "stdout", output
    return json.loads(output.text)


def templates():
    return [each for each in psutil.Process().children() if "grading.template" in each.cmdline()]


def sandboxes():
    return [each for each in psutil.Process().children() if each.name() == "bwrap"]


WHO = "import json, os; print(json.dumps([open('/proc/self/cmdline').read(), os.getuid(), os.getcwd()]))"


def test_submissions_share_a_template_and_no_user():
    users = [shown_by(WHO) for _ in range(2)]
    assert all("grading.template" in line and folder == WORK for line, _, folder in users)
    if provisioning.require_bubblewrap().own_user:
        assert users[0][1] != users[1][1]
    assert len(templates()) == 1
    assert sandboxes() == []


def test_a_template_that_has_ended_is_started_anew():
    shown_by(WHO)
    (template,) = templates()
    template.kill()
    template.wait()
    assert "grading.template" in shown_by(WHO)[0]
    assert len(templates()) == 1


SEARCH = """
import json, re
found = 0
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps:
        begin, end, rights = re.match("([0-9a-f]+)-([0-9a-f]+) (....)", line).groups()
        if rights.startswith("rw"):
            memory.seek(int(begin, 16))
            found += len(re.findall(b"attention-[0-9]+-by-hand", memory.read(int(end, 16) - int(begin, 16))))
print(json.dumps(found))
"""


def test_no_word_of_one_submission_is_in_the_memory_of_the_next():
    assert shown_by("mine = 'attention-271828-by-hand'", SEARCH) > 0
    assert shown_by(SEARCH) == 0


def test_submissions_draw_random_numbers_of_their_own():
    draw = "import json, random, numpy; print(json.dumps([random.random(), numpy.random.rand()]))"
    first, second = shown_by(draw), shown_by(draw)
    assert first[0] != second[0] and first[1] != second[1]


def test_where_a_sandbox_cannot_be_entered_the_kernel_is_started_in_it(monkeypatch):
    monkeypatch.setattr("grading.provisioning._Forking.failed", False)

    def refuse(*args):
        raise OSError("setns: Operation not permitted")

    monkeypatch.setattr(Template, "fork", refuse)
    assert "grading.border.kernel" in shown_by(WHO)[0]
    assert provisioning._Forking.failed
    assert sandboxes() == []


def test_an_ordinary_user_whose_own_file_python_is_forks_nothing(monkeypatch):
    bubblewrap = provisioning.require_bubblewrap()
    monkeypatch.setattr("grading.provisioning._Forking.failed", False)
    monkeypatch.setattr("grading.provisioning.require_bubblewrap", lambda: replace(bubblewrap, own_user=False))
    owner = os.stat("/proc/self/exe").st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner)
    assert not provisioning._Forking.is_possible()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert provisioning._Forking.is_possible()


def test_the_template_imports_nothing_from_the_home_that_students_code_has(tmp_path, monkeypatch):
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    planted = tmp_path / ".local" / "lib" / version / "site-packages" / "usercustomize.py"
    planted.parent.mkdir(parents=True)
    planted.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    settings = tmp_path / ".config" / "matplotlib" / "matplotlibrc"
    settings.parent.mkdir(parents=True)
    settings.write_text("lines.linewidth: 271\n")
    home = environment() | {"HOME": str(tmp_path)}
    monkeypatch.setattr("grading.provisioning.environment", lambda *helpers: home)
    monkeypatch.setattr("grading.provisioning._Forking._template", None)
    width = "import json, matplotlib; print(json.dumps(matplotlib.rcParams['lines.linewidth']))"
    assert shown_by(width) == 1.5
    assert not (tmp_path / "ran").exists()
    provisioning._Forking._template.close()


@pytest.fixture
def waiting():
    """A sandbox that waits, and a request for a kernel in it."""
    bubblewrap, user = provisioning.require_bubblewrap(), a_user()
    line = command(bubblewrap, ["cat"], Limits(), user)
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.read(1)
        number = user if bubblewrap.own_user else None
        inside = family(psutil.Process(process.pid))[-1].pid
        limits = limits_of_a_process(Limits())
        yield process, Request(inside, number, None, environment(), [str(ROOT)], limits, WORK, [], [])
        process.kill()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"sandbox": 2**22 + 1}, "No such file or directory"),
        ({"sandbox": os.getpid()}, "it is no sandbox"),
        ({"system_calls": "0000"}, "it couldn't give up its rights"),
        ({"limits": {"RLIMIT_NO_SUCH": 1}}, "it couldn't give up its rights"),
    ],
)
def test_a_kernel_that_cannot_be_shut_in_never_runs(waiting, fault, reason):
    process, request = waiting
    template = Template(environment())
    try:
        with pytest.raises(OSError, match=reason):
            template.fork(dataclasses.replace(request, **fault), [], process.stdin.fileno())
        assert [each for each in family(psutil.Process(process.pid)) if "python" in each.name()] == []
        assert template.is_alive()
    finally:
        template.close()
    assert not template.is_alive()
