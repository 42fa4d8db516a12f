"""Runs test cells in the examiner, and writes what came of them as a notebook's outputs."""

import ast
import builtins
import contextlib
import io
import math
from collections.abc import Iterator
from typing import Any

import torch
from nbformat import NotebookNode
from nbformat.v4 import new_output
from torch import Tensor, nn

from grading.border.errors import CandidateGone, clean
from grading.border.examiner import Examiner
from helpers.checks import report

_HIDDEN = "### BEGIN HIDDEN TESTS"


class TestCells:
    """The test cells of one lab, and what they need of the instructor's copy: its imports and its own definitions."""

    __test__ = False  # no tests of pytest's

    def __init__(self, trusted: list[str]):
        """`trusted` are the sources of the instructor's cells that no student answers."""
        self._given = [definition for source in trusted for definition in _definitions(source)]

    def run(self, source: str, examiner: Examiner) -> list[NotebookNode]:
        """Run one cell with the student's things where it names them: its outputs.

        What goes to stderr is left out: the tests themselves write nothing there, and a warning costs no points.
        """
        names: dict[str, Any] = {"torch": torch, "math": math, "nn": nn, "Tensor": Tensor, "__name__": "__main__"}
        for definition in self._given:
            exec(compile(definition, "<given>", "exec"), names)
        published: list[dict] = []
        written = io.StringIO()
        value = error = None
        token = report.publish.set(published.append)
        examiner.arguments_stay = _HIDDEN in source
        try:
            with _as_it_was(), contextlib.redirect_stdout(written), contextlib.redirect_stderr(io.StringIO()):
                for name in sorted(_unbound(source, names)):
                    with contextlib.suppress(NameError):
                        names[name] = examiner.find(name)
                value = _value_of_cell(source, names)
                if isinstance(value, int | float) and not value >= 0:  # NaN isn't, either; nbgrader gives full marks
                    raise ValueError(f"the test's value, {value}, is no number of points")
        except (Exception, SystemExit) as raised:
            error = raised
        finally:
            report.publish.reset(token)
        outputs = []
        if written.getvalue():
            outputs.append(new_output("stream", name="stdout", text=clean(written.getvalue())))
        outputs += [new_output("display_data", data=_clean_all(shown)) for shown in published]
        if error is not None:
            outputs.append(_verdict(error))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            outputs.append(new_output("execute_result", data={"text/plain": repr(value)}))
        return outputs

    def not_run(self, reason: str) -> list[NotebookNode]:
        """The outputs of a test cell that could not be run."""
        return [_verdict(CandidateGone(reason))]


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Run a test with random numbers of its own, and leave PyTorch as it was for the next submission."""
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    try:
        with torch.random.fork_rng(devices=()), torch.enable_grad():
            torch.manual_seed(0)
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)


def _clean_all(shown: dict[str, Any]) -> dict[str, Any]:
    return {kind: clean(data) if isinstance(data, str) else data for kind, data in shown.items()}


def _verdict(error: BaseException) -> NotebookNode:
    """An error as an output: the verdict and its message, and no line of the test's code."""
    name, message = type(error).__name__, clean(str(error))
    line = f"{name}: {message}" if message else name
    return new_output("error", ename=name, evalue=message, traceback=[line])


def _value_of_cell(source: str, names: dict[str, Any]) -> Any:
    """Run a cell: the value of its last line, if that is an expression."""
    tree = ast.parse(source)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        exec(compile(tree, "<test>", "exec"), names)
        return None
    exec(compile(ast.Module(tree.body[:-1], []), "<test>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<test>", "eval"), names)


def _unbound(source: str, names: dict[str, Any]) -> set[str]:
    """The names that a cell reads and neither it, nor the instructor's copy, nor Python defines."""
    nodes = list(ast.walk(ast.parse(source)))
    read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    bound |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    bound |= {arg.arg for node in nodes if isinstance(node, ast.arguments) for arg in [*node.args, *node.kwonlyargs]}
    bound |= {a.asname or a.name for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for a in node.names}
    return read - bound - names.keys() - vars(builtins).keys()


def _definitions(source: str) -> list[str]:
    kinds = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
    return [ast.unparse(node) for node in ast.parse(source).body if isinstance(node, kinds)]
