"""What a submission sees of `helpers` while a lab is graded: no answer to the lab, and none of the checks.

`helpers` has right implementations of much that the labs ask for, and the checks have oracles and examples. So the
student's code gets a copy, in which something stands only if one of these needs it:

- what the lab's own cells import,
- what the labs before it ask for, on which a student may build, unless that needs an answer to this lab,
- the models that the lab's tests hand over (`HANDED_OVER` says where they live),
- the candidate's side of the border.

Answers are listed by lab and exercise in the checks' packages, as `IN_HELPERS`. (How the copy is cut: pruning.py.)
"""

import compileall
import importlib
import py_compile
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_locked

from grading.border.handed_over import HANDED_OVER
from grading.pruning import Need, Pruned, imports
from helpers.checks.catalogue import exercise_names, lab_of

_ROOT = Path(__file__).parents[1]
_CANDIDATE = _ROOT / "grading" / "border" / "candidate.py"
# In place of what a student calls to check an answer, which has nothing to check it with.
_CHECK, _NO_CHECK = "helpers.checks.runner", _ROOT / "grading" / "border" / "no_check.py"


def copy_for(notebook: NotebookNode) -> Path:
    """A folder that holds the `helpers` which a submission may see. It lasts as long as this process.

    The notebook has been put into the lab's shape: its locked cells are the instructor's.
    """
    locked = [cell for cell in notebook.cells if cell.cell_type == "code" and is_locked(cell)]
    given = tuple(cell.source for cell in locked if not is_grade(cell))
    tests = tuple(cell.source for cell in locked if is_grade(cell))
    names = {cell.metadata.nbgrader.grade_id.removeprefix("test_") for cell in locked if is_grade(cell)}
    labs = {lab_of(name) for name in exercise_names() if name in names}
    wanted = (min(labs, default=None), given, tests)
    if not _copy(*wanted).exists():  # a worker may live for days, and somebody may tidy up temporary files
        _temporary().cleanup()
        _temporary.cache_clear()
        _copy.cache_clear()
    return _copy(*wanted)


def answers_in_helpers(lab: str) -> dict[str, tuple[str, ...]]:
    """By exercise of a lab, the names in `helpers` that answer it, such as `helpers.attention.length_mask`."""
    listed = importlib.import_module(f"helpers.checks.{lab}").IN_HELPERS
    return {exercise: tuple(f"helpers.{name}" for name in names) for exercise, names in listed.items()}


def shown(lab: str | None, given: Iterable[str], tests: Iterable[str] = ()) -> Pruned:
    """What may be seen while a lab is graded. `given` and `tests` are the sources of the lab's own cells."""
    pruned = Pruned(_ROOT, {_CHECK: _NO_CHECK.read_text(encoding="utf-8")})
    pruned.keep(imports(_CANDIDATE.read_text(encoding="utf-8")))
    for source in given:
        pruned.keep(imports(source))
    for source in (*tests, *_checks_of(lab)):
        pruned.keep(need for need in imports(source) if need[0] in HANDED_OVER)
    for need in _answers_before(lab) if lab is not None else ():
        pruned.keep([need])
    return pruned


def _checks_of(lab: str | None) -> list[str]:
    files = (_ROOT / "helpers" / "checks" / lab).glob("*.py") if lab is not None else ()
    return [file.read_text(encoding="utf-8") for file in files]


def _answers_before(lab: str) -> list[Need]:
    """What the labs before this one ask for, as far as that needs none of this one's answers."""
    own = [_need(name) for names in answers_in_helpers(lab).values() for name in names]
    found = []
    for earlier in sorted({lab_of(name) for name in exercise_names()}):
        if earlier < lab:
            found += [_need(name) for names in answers_in_helpers(earlier).values() for name in names]
    return [need for need in found if not _needs_any(need, own)]


def _needs_any(need: Need, others: list[Need]) -> bool:
    alone = Pruned(_ROOT)
    alone.keep([need])
    return any(alone.has(*other) for other in others)


def _need(name: str) -> Need:
    module, _, attribute = name.rpartition(".")
    return module, attribute


@cache
def _copy(lab: str | None, given: tuple[str, ...], tests: tuple[str, ...]) -> Path:
    folder = Path(tempfile.mkdtemp(dir=_temporary().name))
    for name, content in shown(lab, given, tests).files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    compileall.compile_dir(folder, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    for path in (folder, *folder.rglob("*")):  # the sandbox may be another user's
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


@cache
def _temporary() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="helpers-while-graded-")
