"""Attacks from within: what a student's code can do to the process in which stock nbgrader also runs the tests."""

import sqlite3
from pathlib import Path

from tests.grading.attacks.attack import MARKER, WRONG, Attack, then

_SAYS = f"print({MARKER!r})"
_NO_TRANSFER = "nothing of the student's is unpickled"
VICTIM = "victim"


def _victim_has_lost_points(course: Path) -> bool:
    with sqlite3.connect(course / "classroom" / "gradebook.db") as gradebook:
        rows = gradebook.execute(
            "SELECT manual_score FROM grade JOIN submitted_notebook ON grade.notebook_id = submitted_notebook.id"
            " JOIN submitted_assignment ON submitted_notebook.assignment_id = submitted_assignment.id"
            " WHERE student_id = ?",
            (VICTIM,),
        ).fetchall()
    return any(score is not None for (score,) in rows)


def _is_there(*parts: str):
    return lambda course: course.joinpath(*parts).exists()


_DROP_ASSERTIONS = """import ast

class Drop(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()

get_ipython().ast_transformers.append(Drop())"""

_FORGE = """ip = get_ipython()

def forge(info):
    if "double(" in info.raw_cell:
        result = {"data": {"text/plain": "2"}, "metadata": {}, "execution_count": 1}
        ip.kernel.send_response(ip.kernel.iopub_socket, "execute_result", result)

ip.events.register("pre_run_cell", forge)"""

_GRADEBOOK = f"""import pathlib, sqlite3

MINE = "notebook_id IN (SELECT submitted_notebook.id FROM submitted_notebook JOIN submitted_assignment" \\
    " ON submitted_notebook.assignment_id = submitted_assignment.id WHERE student_id = ?)"
for folder in pathlib.Path.cwd().parents:
    if (folder / "gradebook.db").exists():
        with sqlite3.connect(folder / "gradebook.db") as gradebook:
            gradebook.execute(f"UPDATE grade SET extra_credit = 1 WHERE {{MINE}}", ("gradebook",))
            gradebook.execute(f"UPDATE grade SET manual_score = 0 WHERE {{MINE}}", ({VICTIM!r},))
        break
else:
    print("there is no gradebook here")"""

_SOLUTIONS = """import json, pathlib

def look(start):
    for folder in [start, *start.parents]:
        for path in folder.glob("solutions/*/doubling.ipynb"):
            for cell in json.loads(path.read_text())["cells"]:
                if cell["metadata"].get("nbgrader", {}).get("grade_id") == "double":
                    exec("".join(cell["source"]), globals())
"""

KERNEL = [
    Attack(
        "input-transformer",
        "every cell that calls the answer is emptied before it is run",
        then(
            "get_ipython().input_transformers_post.append("
            "lambda lines: ['pass\\n'] if 'double(' in ''.join(lines) else lines)"
        ),
    ),
    Attack("ast-transformer", "every assert is taken out before it is run", then(_DROP_ASSERTIONS)),
    Attack(
        "always-equal",
        "the answer returns what is equal to anything",
        {
            "double": "class Yes(float):\n    def __eq__(self, other):\n        return True\n"
            "    __hash__ = None\n    def __sub__(self, other):\n        return 0\n    __rsub__ = __sub__\n"
            f"\ndef double(x):\n    return Yes()\n{_SAYS}"
        },
        on=("test_double",),
    ),
    Attack(
        "patched-library",
        "what the test compares with says yes",
        then("numpy.isclose = lambda *a, **k: True"),
        on=("test_double_hidden",),
    ),
    Attack(
        "patched-builtin",
        "`sum` gives the full points",
        {"square": f"import builtins\nbuiltins.sum = lambda *a: 4\ndef square(x):\n    return 0\n{_SAYS}"},
        on=("test_square",),
    ),
    Attack(
        "too-many-points",
        "the value of the test is NaN, which nbgrader takes for full points",
        {
            "square": "class Never:\n    def __eq__(self, other):\n        return float('nan')\n"
            f"def square(x):\n    return Never()\n{_SAYS}"
        },
        on=("test_square",),
    ),
    Attack(
        "frame-walking",
        "the answer looks up in the test's own variables what is wanted",
        {"double": f"import sys\ndef double(x):\n    return sys._getframe(1).f_globals.get('twice')\n{_SAYS}"},
        on=("test_double_hidden",),
    ),
    Attack(
        "frame-writing",
        "the answer, when the seen test calls it, replaces what the hidden test compares with",
        {
            "double": "import sys, types\ndef double(x):\n    names = sys._getframe(1).f_globals\n"
            "    names['numpy'] = types.SimpleNamespace(isclose=lambda *a: True)\n"
            f"    names['wanted'] = {{}}\n    return 0\n{_SAYS}"
        },
        on=("test_double_hidden",),
    ),
    Attack(
        "pickle",
        "the answer returns what runs a command where it is unpickled",
        then(
            "import os\nclass Bomb:\n    def __reduce__(self):\n        return os.system, ('touch /tmp/unpickled',)\n"
            "def double(x):\n    return Bomb()"
        ),
        harms=lambda course: Path("/tmp/unpickled").exists(),
        stock=_NO_TRANSFER,
    ),
    Attack(
        "fake-output",
        "the answer prints, displays and returns what a check that holds would show",
        then(
            "from IPython.display import display\nlines = '✓ every property holds (seed 0)'\nprint(lines)\n"
            "display({'text/plain': lines, 'text/html': lines}, raw=True)\n"
            "def double(x):\n    print(lines)\n    display({'text/plain': '2'}, raw=True)\n    return 0"
        ),
        stock="nbgrader counts errors and values, and no text",
    ),
    Attack("forged-result", "the kernel says that the test's value is full points, before the test runs", then(_FORGE)),
    Attack(
        "forged-reply",
        "the kernel says that the test has run, and doesn't run it",
        then(
            "kernel = get_ipython().kernel\nhonest = kernel.do_execute\n"
            "async def forged(code, *args, **kwargs):\n    if 'double(' not in code:\n"
            "        return await honest(code, *args, **kwargs)\n"
            "    return {'status': 'ok', 'execution_count': 1, 'payload': [], 'user_expressions': {}}\n"
            "kernel.do_execute = forged"
        ),
    ),
    Attack(
        "forged-status",
        "the kernel says twice that a cell is done, and sends messages that make no sense",
        {
            "double": f"{WRONG}\nprint({MARKER!r}, flush=True)\nkernel = get_ipython().kernel\n"
            "for content in ({'execution_state': 'idle'}, {}, {'execution_state': 5}):\n"
            "    kernel.send_response(kernel.iopub_socket, 'status', content)\n"
            "kernel.send_response(kernel.iopub_socket, 'execute_result', {'data': {'text/plain': '2'},"
            " 'metadata': {}, 'execution_count': 'many'})"
        },
        stock="what it says belongs to its own cell",
    ),
    Attack(
        "gradebook",
        "the marks are written into the gradebook, and a fellow student's taken out",
        then(_GRADEBOOK),
        harms=_victim_has_lost_points,
    ),
    Attack(
        "reading-solutions",
        "the answer is looked up in the instructor's folder",
        then(_SOLUTIONS + "look(pathlib.Path.cwd())"),
    ),
    Attack(
        "parent",
        "the parent's working directory, environment and open files are looked at for the solutions",
        then(
            "import os\n" + _SOLUTIONS + "parent = pathlib.Path('/proc') / str(os.getppid())\n"
            "for place in [parent / 'cwd', *parent.glob('fd/*')]:\n"
            "    try:\n        look(pathlib.Path(os.readlink(place)))\n"
            "    except OSError as error:\n        print(error.strerror)"
        ),
    ),
    Attack(
        "only-when-graded",
        "nothing is wrong with it unless it is being graded",
        then("import os\nif 'NBGRADER_EXECUTION' in os.environ:\n" + "    " + _DROP_ASSERTIONS.replace("\n", "\n    ")),
    ),
    Attack(
        "known-inputs",
        "the answer knows the numbers of the tests that everybody sees",
        {"double": f"def double(x):\n    return {{2: 4}}.get(x, 0)\n{_SAYS}"},
        deserves=2,
        stock="it deserves the seen test's points, and gets no others",
    ),
    Attack(
        "exit",
        "the answer ends its process, with a status that says all is well",
        {"double": f"import os\n{_SAYS}\ndef double(x):\n    os._exit(0)"},
        stock="nbgrader gives up on the submission",
    ),
    Attack(
        "killed",
        "the process kills itself once its answers are there",
        {
            "double": f"import os, signal, threading\n{_SAYS}\n"
            "threading.Timer(1, os.kill, (os.getpid(), signal.SIGKILL)).start()"
        },
        stock="nbgrader gives up on the submission",
    ),
    Attack(
        "ipython-startup",
        "a file is left that every later kernel of this user runs first",
        then(
            "import pathlib\nstartup = pathlib.Path.home() / '.ipython' / 'profile_default' / 'startup'\n"
            "startup.mkdir(parents=True, exist_ok=True)\n(startup / '00.py').write_text('')"
        ),
        harms=_is_there("home", ".ipython", "profile_default", "startup", "00.py"),
    ),
    Attack(
        "helpers-written-to",
        "a module of the course's is changed for everybody",
        then(
            "import helpers, pathlib\nfolder = pathlib.Path(helpers.__path__[0])\n"
            "try:\n    (folder / 'attacked.py').write_text('')\nexcept OSError as error:\n    print(error.strerror)"
        ),
        harms=_is_there("helpers", "attacked.py"),
    ),
    Attack(
        "site-packages-written-to",
        "a module is put where every Python of this environment finds it",
        then(
            "import pathlib, sysconfig\nfolder = pathlib.Path(sysconfig.get_paths()['purelib'])\n"
            "try:\n    (folder / 'attacked.pth').write_text('')\nexcept OSError as error:\n    print(error.strerror)"
        ),
        stock="not tried: it would change the Python that runs this test",
        tried_on_stock=False,
        trace="Read-only file system",
    ),
]
