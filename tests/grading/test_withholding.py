"""While a lab is graded, its answers aren't to be had from the course's own code; at home an imported one is named."""

import ast
import contextlib
import io
import json
import shutil
from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.utils import is_grade, is_locked, is_solution

from grading.border.handed_over import HANDED_OVER
from grading.executing import ExecuteApart
from grading.pruning import Pruned
from grading.withholding import answers_in_helpers, copy_for, shown
from helpers.checks import check
from helpers.checks.catalogue import exercise_names, find_exercise, lab_of
from helpers.checks.engine import examine
from helpers.checks.models import WatchedSeq2Seq
from tests.grading.attacks.by_import import thief

ROOT = Path(__file__).parents[2]
LABS = sorted({lab_of(name) for name in exercise_names()})


@cache
def locked_cells(lab):
    cells = nbformat.read(ROOT / "solutions" / lab / f"{lab}.ipynb", as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code" and is_locked(cell)]


def given(lab):
    return [cell for cell in locked_cells(lab) if not is_grade(cell)]


def cells_of_tests(lab):
    return [cell for cell in locked_cells(lab) if is_grade(cell) and not is_solution(cell)]


@cache
def seen(lab):
    """What a submission sees while the lab is graded."""
    return shown(lab, [cell.source for cell in given(lab)], [cell.source for cell in cells_of_tests(lab)])


def defined_in_helpers():
    """The names of functions and classes, each with the modules outside of the checks that define it."""
    found = {}
    for path in (ROOT / "helpers").glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.setdefault(node.name, set()).add(f"helpers.{path.stem}.{node.name}")
    return found


DEFINED = defined_in_helpers()


@pytest.mark.parametrize("lab", LABS)
def test_each_lab_says_of_each_exercise_what_in_helpers_answers_it(lab):
    listed = answers_in_helpers(lab)
    assert set(listed) == {name for name in exercise_names() if lab_of(name) == lab}
    for exercise, names in listed.items():
        assert set(names) <= set().union(*DEFINED.values()), f"{exercise}: there is none of that name"
        assert DEFINED.get(exercise, set()) <= set(names), f"{exercise}: one of its own name isn't listed"


@pytest.mark.parametrize("lab", LABS)
def test_no_answer_and_nothing_of_the_checks_is_among_what_a_submission_sees(lab):
    answers = [name for names in answers_in_helpers(lab).values() for name in names]
    assert [name for name in answers if seen(lab).has(*name.rsplit(".", 1))] == []
    checks = {path.removeprefix("helpers/checks/") for path in seen(lab).files() if "/checks/" in path}
    handed_over = {name.removeprefix("helpers.checks.") for name in HANDED_OVER}
    assert checks <= {f"{name}.py" for name in {"__init__", "figures", "forbidden", "report", "runner"} | handed_over}


@pytest.mark.parametrize("lab", LABS)
def test_all_that_the_labs_own_cells_import_is_among_what_a_submission_sees(lab):
    for cell in given(lab):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("helpers."):
                for alias in node.names:  # a module may have it from another one
                    places = DEFINED.get(alias.name, {f"{node.module}.{alias.name}"})
                    assert any(seen(lab).has(*name.rsplit(".", 1)) for name in places) or alias.name == "check"


def test_what_the_labs_before_ask_for_is_there():
    assert seen("lab06_translation").has("helpers.attention", "masked_softmax")
    assert not seen("lab01_masked_softmax").has("helpers.attention", "scaled_dot_product_attention")


def wanted(lab):
    return {
        exercise: [exercise, *(name.rsplit(".", 1)[1] for name in names)]
        for exercise, names in answers_in_helpers(lab).items()
    }


def test_outside_of_the_sandbox_the_thief_finds_each_answer_in_every_way():
    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        exec(thief(LABS[0], {"length_mask": ["length_mask"], "breaking_input": []}, []), {"__name__": "thief"})
    found = json.loads(written.getvalue())
    assert {"imported", "read", "found in memory", "an oracle", "a table"} <= set(found["length_mask"])
    assert found["breaking_input"] == ["an oracle", "a table"]


def test_a_copy_that_somebody_tidied_away_is_made_again():
    notebook = new_notebook(cells=given(LABS[0]))
    shutil.rmtree(copy_for(notebook))
    assert (copy_for(notebook) / "helpers" / "__init__.py").exists()
    assert copy_for(notebook) == copy_for(notebook)


@pytest.mark.slow
@pytest.mark.needs("bubblewrap")
@pytest.mark.parametrize("lab", LABS)
def test_a_thief_of_all_of_a_labs_answers_finds_nothing_and_earns_nothing(lab):
    imports = next(cell for cell in given(lab) if cell.metadata.nbgrader.grade_id == "imports")
    cell = new_code_cell(thief(lab, wanted(lab), [str(ROOT), "/tmp"]))
    executed, _ = ExecuteApart().preprocess(new_notebook(cells=[imports, cell, *cells_of_tests(lab)]), {})
    assert executed.cells[0].get("outputs") == []
    assert json.loads(executed.cells[1].outputs[0].text) == {}
    verdicts = [[output.output_type for output in cell.outputs] for cell in executed.cells[2:]]
    assert all("error" in verdict and "execute_result" not in verdict for verdict in verdicts)


def test_a_model_that_is_handed_over_is_no_answer_itself():
    findings, _ = examine(WatchedSeq2Seq, find_exercise("Seq2SeqModel"), seed=0)
    assert sum(finding.problem is not None for finding in findings) > len(findings) / 2


SOURCE = '''"""A module."""
from helpers.other import first, second

LIMIT = 3


def _secret(x):
    """How it is done."""
    return first(x)


def answer(x):
    return _secret(x)


def needed(x):
    return second(x) + LIMIT
'''


def test_a_copy_has_what_is_needed_where_it_was_and_says_what_is_not_there(tmp_path):
    (tmp_path / "helpers").mkdir()
    for name, text in {"__init__": "", "one": SOURCE, "other": "def first(x): ...\n\ndef second(x): ...\n"}.items():
        (tmp_path / "helpers" / f"{name}.py").write_text(text)
    pruned = Pruned(tmp_path)
    pruned.keep([("helpers.one", "needed")])
    files = {path: content.decode() for path, content in pruned.files().items()}
    lines = files["helpers/one.py"].splitlines()
    assert "first" not in files["helpers/one.py"] and "done" not in files["helpers/one.py"]
    assert lines[SOURCE.splitlines().index("def needed(x):")] == "def needed(x):"
    assert "LIMIT = 3" in lines and "from helpers.other import second" in lines
    names = {"__name__": "helpers.one"}
    exec("\n".join(lines).replace("from helpers.other import second", ""), names)
    with pytest.raises(ImportError, match=r"helpers\.one\.answer` isn't there"):
        names["__getattr__"]("answer")
    with pytest.raises(AttributeError):
        names["__getattr__"]("__path__")


def written_in_a_notebook(source, tmp_path, name):
    """What a cell defines, with its source where Python finds it."""
    path = tmp_path / "cell.py"
    path.write_text(source)
    names = {"__name__": "__main__"}
    exec(compile(source, str(path), "exec"), names)
    return names[name]


@pytest.mark.parametrize(
    "source",
    [
        "from helpers.attention import length_mask",
        "from helpers import attention\nlength_mask = lambda lens, n: attention.length_mask(lens, n)",
        "def length_mask(lens, n):\n    from helpers.attention import length_mask as m\n    return m(lens, n)",
    ],
)
def test_at_home_the_check_says_that_an_answer_was_imported(source, tmp_path, capsys):
    check(written_in_a_notebook(source, tmp_path, "length_mask"), "length_mask")
    assert "uses the course's own `helpers.attention.length_mask`" in " ".join(capsys.readouterr().out.split())


def test_of_an_answer_of_ones_own_the_check_says_nothing_like_that(tmp_path, capsys):
    source = "import torch\ndef length_mask(lens, n):\n    return torch.arange(n) < lens.unsqueeze(-1)"
    check(written_in_a_notebook(source, tmp_path, "length_mask"))
    assert "course's own" not in capsys.readouterr().out
