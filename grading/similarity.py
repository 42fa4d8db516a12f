"""How alike answers to one exercise are, beyond what the exercise forces. A number for a person to look into.

An answer is taken as runs of four tokens, without layout, comments, docstrings and types, and with one word for all
names that it makes up itself: so renaming changes nothing, and moving lines changes little. What the students were
given doesn't count. A run that few answers have says more than one that many have, and how much two answers share is
told twice: as evidence, which grows with each run that they share, and as a share of all that they consist of. A
one-liner that half the class writes alike is no evidence.
"""

import ast
import io
import math
import tokenize
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from grading.recognising import statements

_RUN = 4  # tokens
_OWN = "own"  # in place of a name that the answer makes up
_CLASS = 10  # a smaller class tells too little of what is common, and is taken for one of this size
ENOUGH = 40.0  # evidence, in nats
ALIKE = 0.6  # of all that the two consist of
_LAYOUT = (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.COMMENT)

Runs = Counter[tuple[str, ...]]


@dataclass(frozen=True)
class Pair:
    """Two answers that are alike: whose they are, how much evidence there is, and what share of both is the same."""

    first: str
    second: str
    evidence: float
    share: float


def alike(answers: Mapping[str, str], given: str = "", ours: Mapping[str, str] | None = None) -> list[Pair]:
    """The pairs of answers that are alike, the most evidence first; and answers that are like one of `ours`.

    `answers` are the sources by student, `given` is what they found in the cell, and `ours` the course's own answers.
    """
    runs = {student: runs_of(source, given) for student, source in answers.items()}
    course = {name: runs_of(source, given) for name, source in (ours or {}).items()}
    had_by = Counter(run for of_student in runs.values() for run in of_student)
    weights = {run: math.log((max(len(runs), _CLASS) + 1) / number) for run, number in had_by.items()}
    pairs = [*combinations(sorted(runs), 2), *((student, name) for student in sorted(runs) for name in course)]
    found = [_pair(first, second, runs[first], (runs | course)[second], weights) for first, second in pairs]
    found = [pair for pair in found if pair.evidence >= ENOUGH and pair.share >= ALIKE]
    return sorted(found, key=lambda pair: (-pair.evidence, pair.first, pair.second))


def _pair(first: str, second: str, one: Runs, other: Runs, weights: Mapping[tuple[str, ...], float]) -> Pair:
    rare = max(weights.values(), default=0.0)
    shared = sum(number * weights.get(run, rare) for run, number in (one & other).items())
    whole = sum(number * weights.get(run, rare) for run, number in (one | other).items())
    return Pair(first, second, shared, shared / whole if whole else 0.0)


def runs_of(source: str, given: str = "") -> Runs:
    """The runs of tokens of an answer, without those of what was given; none where it isn't Python."""
    without = _runs(given)
    return Counter({run: number for run, number in _runs(source).items() if run not in without})


def _runs(source: str) -> Runs:
    tree = ast.Module(statements(source), [])
    own = _made_up(tree)
    text = ast.unparse(_Plain(own).visit(ast.parse(ast.unparse(tree))))
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    words = [token.string for token in tokens if token.type not in _LAYOUT]
    return Counter(zip(*(words[start:] for start in range(_RUN)), strict=False))


def _made_up(tree: ast.AST) -> set[str]:
    """The names that the code binds: arguments, variables, functions, classes, and what it calls an import."""
    nodes = list(ast.walk(tree))
    names = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    names |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return names | {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}


class _Plain(ast.NodeTransformer):
    """Takes away what says nothing: own names, types, docstrings and lone texts, and imports."""

    def __init__(self, own: Iterable[str]):
        self._own = set(own)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(_OWN, node.ctx) if node.id in self._own else node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(_OWN)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        return ast.FunctionDef(_OWN, node.args, node.body or [ast.Pass()], node.decorator_list, lineno=0)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        return ast.ClassDef(_OWN, node.bases, node.keywords, node.body or [ast.Pass()], node.decorator_list)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        self.generic_visit(node)
        return None if node.value is None else ast.Assign([node.target], node.value, lineno=0)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        return None
