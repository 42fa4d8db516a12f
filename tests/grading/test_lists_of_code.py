"""The lists of the course's code: those for the fingerprint and the sandbox lack nothing that is imported."""

import ast

import pytest

from grading.pruning import imports
from grading.results import CODE
from grading.sandbox import COURSE, ROOT

RUNS_SUBMISSIONS = ("grading/executing.py", "grading/border/kernel.py", "grading/border/candidate.py")


def imported(start):
    """The course's files that these import, and those that they import in turn, wherever the import stands."""
    found, waiting = set(), [ROOT / path for path in start]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path} has a relative import, which this test doesn't follow"
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            waiting += [file for name in names for file in files_of(name)]
    return {path.relative_to(ROOT).as_posix() for path in found}


def files_of(module):
    """The file of a module and those of the packages that it is in, as far as they are the course's."""
    parts = module.split(".")
    packages = [ROOT.joinpath(*parts[:end], "__init__.py") for end in range(1, len(parts) + 1)]
    return [path for path in (*packages, ROOT.joinpath(*parts).with_suffix(".py")) if path.is_file()]


def missing(files, listed):
    return sorted(path for path in files if not any(path == each or path.startswith(f"{each}/") for each in listed))


def test_all_that_runs_where_a_submission_is_run_is_in_the_fingerprint():
    files = imported(RUNS_SUBMISSIONS)
    assert {
        "grading/sandbox.py",
        "grading/system_calls.py",
        "grading/border/wire.py",
        "helpers/checks/report.py",
    } <= files
    assert missing(files, CODE) == []


def test_all_that_the_candidates_side_imports_can_be_seen_in_the_sandbox():
    files = imported(["grading/border/kernel.py", "grading/border/candidate.py"])
    assert {"grading/border/messages.py", "helpers/checks/figures.py", "helpers/checks/forbidden.py"} <= files
    # Of `helpers` there is a copy, in which stands what candidate.py imports: no other module there may import any.
    assert missing([file for file in files if not file.startswith("helpers/")], COURSE) == []
    others = [file for file in files if file.startswith("grading/") and file != "grading/border/candidate.py"]
    assert [file for file in others if imports((ROOT / file).read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("listed", [CODE, COURSE])
def test_each_path_of_the_lists_is_there(listed):
    assert [path for path in listed if not (ROOT / path).exists()] == []


def test_a_module_that_is_not_listed_is_found():
    assert missing(imported(RUNS_SUBMISSIONS), ("helpers", "grading/border", "grading/executing.py")) == [
        "grading/__init__.py",
        "grading/harmless.py",
        "grading/joining.py",
        "grading/provisioning.py",
        "grading/pruning.py",
        "grading/results.py",
        "grading/sandbox.py",
        "grading/system_calls.py",
        "grading/template.py",
        "grading/withholding.py",
    ]
