"""Small wrong copies of a lab's solutions: what the lab's tests, seen and hidden, must notice.

A mutant differs from a solution in one place: an operator, a comparison, a number, a truth value, an argument, or a
line that is left out. Only what stands between `### BEGIN SOLUTION` and `### END SOLUTION` is changed.
"""

import ast
import contextlib
import copy
import io
import math
import os
import signal
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import matplotlib
import nbformat
import torch

from tools.hidden_tests import SOLUTIONS

_SECONDS = 30  # a mutant that loops for ever is noticed by its not coming back

_OPERATORS = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}


@dataclass(frozen=True)
class Mutant:
    """A solution cell with one change; `change` tells it: the line, before and after."""

    lab: str
    cell: str
    change: str
    source: str


class Lab:
    """A lab's instructor's copy, ready to have a solution replaced and to be graded as nbgrader would."""

    def __init__(self, name: str):
        self.name = name
        notebook = nbformat.read(SOLUTIONS / name / f"{name}.ipynb", as_version=4)
        self._cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        self.solutions = {_id(cell): cell.source for cell in self._cells if "### BEGIN SOLUTION" in cell.source}
        self.given = [part for cell in self._cells if not _is_test(cell) for part in _definitions(cell.source)]

    def tests_of(self, cell: str) -> list[tuple[str, float]]:
        """The test cells, with their points, that stand between this solution cell and the next."""
        found, here = [], False
        for each in self._cells:
            if _id(each) in self.solutions:
                here = _id(each) == cell
            elif here and _is_test(each):
                found.append((each.source, each.metadata.nbgrader.points))
        return found

    def notices(self, mutant: Mutant) -> bool:
        """Whether some test of the cell gives the mutant less than all its points."""
        names = {"torch": torch, "math": math, "nn": torch.nn, "Tensor": torch.Tensor, "__name__": "__lab__"}
        try:
            with as_when_graded():
                for source in self.given:
                    if source != mutant.source:
                        exec(compile(source, f"<{self.name}>", "exec"), names)
                exec(compile(mutant.source, f"<{mutant.cell}>", "exec"), names)
                return any(_points(source, names, out_of) < out_of for source, out_of in self.tests_of(mutant.cell))
        except Exception:
            return True


def mutants_of(lab: Lab, cell: str) -> Iterator[Mutant]:
    """Every mutant of a solution cell that differs from it."""
    source = lab.solutions[cell]
    tree = ast.parse(source)
    lines = _solution_lines(source)
    seen = {ast.unparse(tree)}
    for index, node in enumerate(ast.walk(tree)):
        line = getattr(node, "lineno", None)
        if line not in lines:
            continue
        for change in _changes(node):
            mutated = copy.deepcopy(tree)
            target = next(each for position, each in enumerate(ast.walk(mutated)) if position == index)
            replaced = change(target)
            _Put(target, replaced).visit(mutated)
            ast.fix_missing_locations(mutated)
            text = ast.unparse(mutated)
            if text not in seen:
                seen.add(text)
                before, after = (" ".join(_told(each).split())[:90] for each in (node, replaced))
                yield Mutant(lab.name, cell, f"line {line}: {before}  →  {after}", text)


def _told(node: ast.AST) -> str:
    return "(nothing)" if isinstance(node, ast.Pass) else ast.unparse(node)


def _changes(node: ast.AST) -> Iterator:
    """Functions that make a changed copy of such a node."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        for operator in _OPERATORS.get(type(node.op), ()):
            yield lambda each, operator=operator: _with(each, op=operator())
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.Div | ast.MatMult):
            yield lambda each: _with(each, left=each.right, right=each.left)
    elif isinstance(node, ast.BoolOp):
        yield lambda each: _with(each, op=_OPERATORS[type(each.op)][0]())
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for operator in _OPERATORS.get(type(node.ops[0]), ()):
            yield lambda each, operator=operator: _with(each, ops=[operator()])
    elif isinstance(node, ast.UnaryOp):
        yield lambda each: each.operand
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield lambda each: _with(each, value=not each.value)
        elif isinstance(node.value, int):
            yield lambda each: _with(each, value=each.value + 1)
            yield lambda each: _with(each, value=each.value - 1)
        elif isinstance(node.value, float):
            yield lambda each: _with(each, value=each.value * 2 + 1)
    elif isinstance(node, ast.Call):
        for position in range(len(node.keywords)):
            yield lambda each, at=position: _with(each, keywords=each.keywords[:at] + each.keywords[at + 1 :])
        for position in range(len(node.args) - 1):
            yield lambda each, at=position: _with(each, args=_swapped(each.args, at))
        if isinstance(node.func, ast.Attribute) and not (
            isinstance(node.func.value, ast.Name) and node.func.value.id in ("torch", "nn", "math", "self", "F", "ax")
        ):
            yield lambda each: each.func.value  # a method that isn't called
    elif isinstance(node, ast.IfExp):
        yield lambda each: each.body
        yield lambda each: each.orelse
    elif isinstance(node, ast.List | ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) == 2:
        yield lambda each: _with(each, elts=each.elts[::-1])
    if isinstance(node, ast.Expr | ast.Assign | ast.AugAssign | ast.If | ast.For | ast.Raise):
        yield lambda each: ast.Pass()
    if isinstance(node, ast.If):
        yield lambda each: _with(each, test=ast.Constant(True))


class _Put(ast.NodeTransformer):
    """Puts another node in a node's place."""

    def __init__(self, old: ast.AST, new: ast.AST):
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self._new if node is self._old else self.generic_visit(node)


def _with(node: ast.AST, **fields) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _swapped(items: list, at: int) -> list:
    return [*items[:at], items[at + 1], items[at], *items[at + 2 :]]


def _solution_lines(source: str) -> set[int]:
    inside, lines = False, set()
    for number, line in enumerate(source.splitlines(), start=1):
        if "### BEGIN SOLUTION" in line:
            inside = True
        elif "### END SOLUTION" in line:
            inside = False
        elif inside:
            lines.add(number)
    return lines


def _definitions(source: str) -> list[str]:
    """A cell's imports, functions and classes; a solution cell is kept whole."""
    if "### BEGIN SOLUTION" in source:
        return [source]
    kinds = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
    return [ast.unparse(node) for node in ast.parse(source).body if isinstance(node, kinds)]


def _id(cell) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def _is_test(cell) -> bool:
    return cell.metadata.get("nbgrader", {}).get("grade", False)


def _points(source: str, names: dict, out_of: float) -> float:
    """What nbgrader gives for a test cell that has run: its points, or the number that its last line is."""
    tree = ast.parse(source)
    last = tree.body[-1] if tree.body else None
    value = None
    if isinstance(last, ast.Expr):
        exec(compile(ast.Module(tree.body[:-1], []), "<test>", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "<test>", "eval"), names)
    else:
        exec(compile(tree, "<test>", "exec"), names)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else out_of


class _TooLong(Exception):
    """A mutant has not come back."""


@contextlib.contextmanager
def as_when_graded() -> Iterator[None]:
    """Names, streams and warnings as when nbgrader runs a test; what takes far too long is stopped."""

    def stop(*_):
        raise _TooLong

    matplotlib.use("Agg")
    handler = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_SECONDS)
    before = os.environ.get("NBGRADER_EXECUTION")
    os.environ["NBGRADER_EXECUTION"] = "autograde"
    silence = io.StringIO()
    try:
        with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        if before is None:
            del os.environ["NBGRADER_EXECUTION"]
        else:
            os.environ["NBGRADER_EXECUTION"] = before
