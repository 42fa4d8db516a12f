"""What a submission sees and can touch: its own folder, and of the rest nothing but what it needs to run."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from grading import provisioning
from grading.executing import ExecuteApart
from grading.sandbox import ROOT, Limits, a_user, command, family, require_bubblewrap
from grading.system_calls import filter_program

pytestmark = [pytest.mark.slow, pytest.mark.needs("bubblewrap")]

# Tells as JSON what it is asked for; each entry is Python, evaluated in the sandbox.
SPY = """
import ctypes, errno, glob, json, os, socket
from pathlib import Path
def attempt(do):
    try:
        return str(do())
    except Exception as error:
        return type(error).__name__ + (" " + errno.errorcode[error.errno] if getattr(error, "errno", None) else "")
def connect(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as s:
        s.settimeout(5)
        s.connect(address)
        return "connected"
def call(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")
    return "done"
def write(path):
    with open(path, "w") as file:
        file.write("x")
    return "written"
"""


@pytest.fixture(
    autouse=True, params=["forked", "forked, with the rights of an ordinary user", "started in the sandbox"]
)
def way(request, monkeypatch):
    """How the sandbox is made, and the kernel in it."""
    monkeypatch.setattr("grading.provisioning._Forking.is_possible", lambda: request.param.startswith("forked"))
    bubblewrap = require_bubblewrap()
    if "ordinary" in request.param:
        monkeypatch.setattr("grading.provisioning.require_bubblewrap", lambda: replace(bubblewrap, own_user=False))


def spy(*questions):
    """What these expressions give in the sandbox."""
    cell = new_code_cell(f"{SPY}\nprint(json.dumps([{', '.join(questions)}]))")
    executed, _ = ExecuteApart().preprocess(new_notebook(cells=[cell]), {})
    (output,) = executed.cells[0].outputs
    assert output.get("name") == "stdout", output
    return json.loads(output.text)


def listing(path):
    return f"sorted(os.listdir({str(path)!r})) if os.path.isdir({str(path)!r}) else None"


def test_there_is_no_network_not_even_to_this_machine():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0attention-by-hand-{os.getpid()}")
        abstract.listen()
        answers = spy(
            f"attempt(lambda: connect(socket.AF_INET, {server.getsockname()!r}))",
            f"attempt(lambda: connect(socket.AF_UNIX, {abstract.getsockname()!r}))",
            "attempt(lambda: connect(socket.AF_INET, ('192.0.2.1', 80)))",
            "attempt(lambda: connect(socket.AF_INET6, ('2001:db8::1', 80)))",
            "[name for _, name in socket.if_nameindex()]",
        )
    assert answers[:2] == ["ConnectionRefusedError ECONNREFUSED"] * 2
    assert answers[2] == "OSError ENETUNREACH"
    assert answers[3].startswith("OSError")
    assert answers[4] == ["lo"]


# Where a clone may lie: below a folder of the system's, in a home, and in a path with a space and an umlaut.
PLACES = ["/var/lib/course", "/srv/course", "/home/ada/course", "für alle/course"]
READABLE = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc/ld.so.cache", "/etc/fonts", "/etc/alternatives")
BESIDE = """
import json, sys
from pathlib import Path
readable = list(map(Path, sys.argv[1:]))
def beside(folder):
    for path in set(folder.iterdir()) - set(readable):
        if any(place.is_relative_to(path) for place in readable):
            yield from beside(path)
        else:
            yield str(path)
print(json.dumps(list(beside(Path("/")))))
"""


@pytest.mark.parametrize("place", PLACES)
def test_there_is_nothing_but_what_may_be_read_and_the_folders_on_the_way_to_it(place, tmp_path, monkeypatch):
    bubblewrap = require_bubblewrap()  # which is tried out with the course where it is
    course, job = tmp_path / place, tmp_path / "job"
    job.mkdir()
    if course.is_relative_to(tmp_path):  # there bubblewrap finds something to show and to hide
        for room in ("helpers", "grading/border", "grading/templates", "solutions", "../another course"):
            (course / room).mkdir(parents=True)
    monkeypatch.setattr("grading.sandbox.ROOT", course)
    parts = [course / part for part in ("grading/__init__.py", "grading/border")]
    python = [Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)]
    readable = map(str, (*READABLE, "/proc", "/dev", "/tmp/work", job, *parts, *python))
    words = [sys.executable, "-c", BESIDE, *readable]
    line = command(bubblewrap, words, Limits(), a_user(), job)
    assert json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout) == []


def test_of_the_course_only_what_students_have_is_there():
    course, grading, helpers, home = spy(
        listing(ROOT), listing(ROOT / "grading"), "list(__import__('helpers').__path__)", listing(Path.home())
    )
    assert set(course) - {".venv"} == {"grading"}  # the environment may lie beside it
    assert not Path(helpers[0]).is_relative_to(ROOT)  # but a copy, see test_withholding.py
    assert grading == ["__init__.py", "border"]
    assert home in (None, []) or not set(home) & {".ssh", ".config", ".bash_history", ".gitconfig", ".netrc"}
    (found,) = spy(f"[str(path) for path in Path({str(ROOT.parent)!r}).rglob('*.ipynb')]")
    assert [each for each in found if not each.startswith(sys.prefix)] == []  # packages may bring some of their own


def test_what_lies_beside_the_system_is_hidden(tmp_path):
    (tmp_path / "secret").write_text("another submission")
    answers = spy(
        f"os.path.exists({str(tmp_path)!r})",
        listing("/etc"),
        "attempt(lambda: open('/etc/passwd').read())",
        f"len(glob.glob({tempfile.gettempdir() + '/abh-*'!r}))",
    )
    assert answers[0] is False
    assert set(answers[1]) <= {"ld.so.cache", "fonts", "alternatives"}
    assert answers[2] == "FileNotFoundError ENOENT"
    assert answers[3] == 1


def test_no_environment_variable_of_the_graders_is_there(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "of the instructor")
    names, everything = spy("sorted(os.environ)", "open('/proc/self/environ').read() + repr(dict(os.environ))")
    assert "of the instructor" not in everything and "SECRET_TOKEN" not in names
    assert {"HOME", "PATH", "NBGRADER_EXECUTION"} <= set(names)
    assert not {"USERNAME", "LOGNAME", "HOSTNAME", "DISPLAY", "SSH_AUTH_SOCK"} & set(names)


def test_no_other_process_is_there_and_nobody_has_any_rights():
    answers = spy(
        "[Path(path, 'cmdline').read_bytes().decode() for path in glob.glob('/proc/[0-9]*')]",
        "dict(line.split(':\\t') for line in open('/proc/self/status').read().splitlines() if ':\\t' in line)",
        "os.getuid()",
        "attempt(lambda: os.setuid(0))",
    )
    own = ("bwrap", "cat", "grading.template", "grading.border.kernel")
    assert [line for line in answers[0] if not any(word in line for word in own)] == [] and len(answers[0]) <= 3
    status = answers[1]
    assert {status[name] for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    if provisioning.require_bubblewrap().own_user:
        assert answers[2] != 0 and answers[3] == "PermissionError EPERM"


def test_only_its_own_places_can_be_written_to():
    prefix, folders = Path(sys.prefix), f"{tempfile.gettempdir()}/abh-*"
    targets = [
        *("/x", "/usr/x", "/etc/x", "/dev/x", "/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern"),
        *(str(path) for path in (prefix / "x", prefix / "lib" / "x", prefix / "bin" / "python", ROOT / "x")),
        *(str(ROOT / path) for path in ("helpers/x.py", "grading/border/wire.py")),
    ]
    mounts, folder, *written = spy(
        "[line.split() for line in open('/proc/self/mountinfo')]",
        f"[attempt(lambda: write(path)) for path in glob.glob({folders + '/*'!r})]"
        f" + [attempt(lambda: write(glob.glob({folders!r})[0] + '/x'))]",
        *(f"attempt(lambda: write({target!r}))" for target in targets),
    )
    writable = {fields[4] for fields in mounts if "rw" in fields[5].split(",")}
    assert {"/tmp", "/dev/shm"} <= writable
    assert all(place in ("/tmp", "/dev/shm") or place.startswith("/dev/") for place in writable)
    errors = (
        "PermissionError",
        "OSError EROFS",
        "OSError ENXIO",
        "FileNotFoundError",
        "IsADirectoryError",
        "OSError ETXTBSY",
    )
    assert [each for each in written + folder if not each.startswith(errors)] == []
    places = ("/tmp/x", "/tmp/work/x", "/dev/shm/x", "x")
    assert spy(*(f"attempt(lambda: write({place!r}))" for place in places)) == ["written"] * len(places)


@pytest.mark.skipif(filter_program() is None, reason="system calls are filtered on x86_64 and aarch64 alone")
def test_system_calls_that_go_round_the_limits_are_refused():
    x86 = os.uname().machine == "x86_64"
    memfd, shmget, uring, keyctl, unshare = (319, 29, 425, 250, 272) if x86 else (279, 194, 425, 219, 97)
    answers = spy(
        f"attempt(lambda: call({memfd}, b'x', 0))",
        f"attempt(lambda: call({shmget}, 0, 4096, 0o1600))",
        f"attempt(lambda: call({uring}, 8, 0))",
        f"attempt(lambda: call({keyctl}, 0, -3, 1))",
        *(f"attempt(lambda: call({unshare}, {flag}))" for flag in (0x10000000, 0x20000)),
    )
    assert answers == ["PermissionError EPERM"] * len(answers)


OTHER = """
from nbformat.v4 import new_code_cell, new_notebook
from grading import provisioning
from grading.executing import ExecuteApart
source = "import sys, time; open('/tmp/mine', 'w').write('private'); print('here', flush=True); time.sleep(40)"
class Told(ExecuteApart):
    def process_message(self, message, cell, index):
        if message["msg_type"] == "stream":
            print(self._folder, flush=True)
        return super().process_message(message, cell, index)
Told().preprocess(new_notebook(cells=[new_code_cell(source)]), dict())
"""


def test_a_job_that_runs_at_the_same_time_is_hidden_and_ends_with_its_grader():
    other = subprocess.Popen([sys.executable, "-c", OTHER], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        folder = other.stdout.readline().strip()
        assert folder
        answers = spy(
            f"os.path.exists({folder!r})",
            f"attempt(lambda: connect(socket.AF_UNIX, {folder + '/k-1'!r}))",
            "os.path.exists('/tmp/mine')",
            "len(glob.glob('/proc/[0-9]*'))",
        )
        assert answers[:3] == [False, "FileNotFoundError ENOENT", False]
        assert answers[3] <= 3
        sandboxed = [each for each in family(psutil.Process(other.pid))[1:] if folder in " ".join(each.cmdline())]
        assert sandboxed
    finally:
        other.kill()  # as a crash or an impatient person would
        other.wait()
    _, alive = psutil.wait_procs(sandboxed, timeout=10)
    assert alive == []
