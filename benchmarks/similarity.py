"""How often planted copies are found, and how often answers that nobody copied are taken for copies.

The banks' right answers stand for a class each. `python -m benchmarks.similarity` prints the rates.
"""

import ast
import random
from pathlib import Path

from grading.similarity import ENOUGH, alike, runs_of

_BANKS = Path(__file__).parents[1] / "tests" / "checks" / "answers"


def classes() -> dict[str, dict[str, str]]:
    """By exercise, the sources of the bank's right answers by their names."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(_BANKS.glob("lab*/*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        right = [node for node in nodes if "right" in map(ast.unparse, node.decorator_list)]
        for node in right:
            node.decorator_list = []
        if len(right) > 1:
            found[f"{path.parent.name}/{path.stem}"] = {node.name: ast.unparse(node) for node in right}
    return found


def copies_of(source: str, seed: int) -> dict[str, str]:
    """An answer as somebody hands it in who doesn't want to be seen: with other names, and with lines moved as well."""
    renamed = _Renamed().visit(ast.parse(source))
    moved = _Moved(random.Random(seed)).visit(ast.parse(ast.unparse(renamed)))
    return {"renamed": ast.unparse(renamed), "reordered": ast.unparse(moved)}


class _Renamed(ast.NodeTransformer):
    """Gives arguments and variables other names."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        bound = [each.arg for each in ast.walk(node) if isinstance(each, ast.arg)]
        bound += [each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)]
        self._names |= {name: f"x{len(self._names) + place}" for place, name in enumerate(dict.fromkeys(bound))}
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(self._names.get(node.arg, node.arg))

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self._names.get(node.id, node.id), node.ctx)


class _Moved(ast.NodeTransformer):
    """Swaps two neighbouring statements of each body, whether the code still runs or not, and splits a return."""

    def __init__(self, chance: random.Random):
        self._chance = chance

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        last = node.body[-1]
        if isinstance(last, ast.Return) and last.value is not None:
            kept = ast.Assign([ast.Name("result", ast.Store())], last.value, lineno=0)
            node.body[-1:] = [kept, ast.Return(ast.Name("result", ast.Load()))]
        if len(node.body) > 2:
            place = self._chance.randrange(len(node.body) - 2)
            node.body[place : place + 2] = reversed(node.body[place : place + 2])
        return node


def rates(banks: dict[str, dict[str, str]]) -> tuple[int, int, int, int]:
    """Copies found and planted, pairs of independent answers taken for copies and all such pairs.

    A copy is planted of each answer that is long enough for evidence at all.
    """
    found = planted = wrongly = pairs = 0
    for bank in banks.values():
        wrongly += len(alike(bank))
        pairs += len(bank) * (len(bank) - 1) // 2
        for seed, (name, source) in enumerate(bank.items()):
            if sum(runs_of(source).values()) < ENOUGH:
                continue
            for kind, copy in copies_of(source, seed).items():
                planted += 1
                found += any({name, kind} == {pair.first, pair.second} for pair in alike(bank | {kind: copy}))
    return found, planted, wrongly, pairs


if __name__ == "__main__":
    found, planted, wrongly, pairs = rates(classes())
    print(f"planted copies (renamed; renamed and reordered): {found} of {planted} found, {found / planted:.0%}")
    print(f"pairs of independent right answers: {wrongly} of {pairs} shown, {wrongly / pairs:.1%}")
