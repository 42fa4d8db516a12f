"""A package cut down to what is needed of it: of each module, the definitions that others in the copy use.

This looks at names alone, and keeps too much rather than too little. Lines stay where they are, so that an error in the
copy tells the same line as one in the original.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

Need = tuple[str, str]  # a module's name, and that of something in it or `ALL`
ALL = "*"
_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_GONE = """

def __getattr__(name):
    if name in {names}:
        raise ImportError(f"`{{__name__}}.{{name}}` isn't there while this lab is graded")
    raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
"""
_NO_MODULE = 'raise ImportError(f"`{__name__}` isn\'t there while this lab is graded")\n'


def imports(source: str) -> list[Need]:
    """What the source imports of the course's `helpers`, wherever the import stands."""
    return _imports(ast.parse(source))


def _imports(tree: ast.AST) -> list[Need]:
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return [need for node in nodes for alias in node.names if (need := _imported(node, alias)) is not None]


def _imported(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> Need | None:
    module = node.module or "" if isinstance(node, ast.ImportFrom) else alias.name
    if module.split(".")[0] != "helpers":
        return None
    return module, alias.name if isinstance(node, ast.ImportFrom) else ALL


@dataclass(eq=False)
class _Part:
    """A piece of a module that is kept or isn't: a statement, or one name of an import."""

    node: ast.stmt
    defines: set[str]
    alias: ast.alias | None = None

    @property
    def is_always_needed(self) -> bool:
        """Whether it does something to the module's other parts, and defines nothing itself."""
        run_as_command = isinstance(self.node, ast.If) and "__name__" in ast.unparse(self.node.test)
        docstring = isinstance(self.node, ast.Expr) and isinstance(self.node.value, ast.Constant)
        return not self.defines and not run_as_command and not docstring

    @cached_property
    def uses(self) -> set[str]:
        return {node.id for node in ast.walk(self.node) if isinstance(node, ast.Name)}

    @cached_property
    def imports(self) -> list[Need]:
        if self.alias is not None and isinstance(self.node, ast.Import | ast.ImportFrom):
            need = _imported(self.node, self.alias)
            return [] if need is None else [need]
        return _imports(self.node)

    @property
    def first_line(self) -> int:
        decorators = self.node.decorator_list if isinstance(self.node, _DEFINITIONS) else []
        return min([self.node.lineno, *(decorator.lineno for decorator in decorators)])


class _Module:
    """A module's text, and which parts of it are kept."""

    def __init__(self, path: Path, text: str):
        self.path, self._lines = path, text.splitlines()
        self.parts = _parts(text)
        self.kept: set[_Part] = set()

    def named(self, name: str) -> list[_Part]:
        """The parts that define the name: all there are for `ALL`."""
        return [part for part in self.parts if name == ALL or name in part.defines]

    def text(self) -> str:
        """What is kept, each line where it was, and a word on what isn't."""
        if len(self.kept) == len(self.parts):
            return "\n".join(self._lines) + "\n"
        lines = [""] * len(self._lines)
        for part in self.parts:
            if part in self.kept and part.alias is None:
                end = part.node.end_lineno or part.node.lineno
                lines[part.first_line - 1 : end] = self._lines[part.first_line - 1 : end]
        for node in {part.node for part in self.parts if part.alias is not None}:
            aliases = [part.alias for part in self.parts if part.node is node and part in self.kept and part.alias]
            if isinstance(node, ast.Import | ast.ImportFrom) and aliases:
                module = f"from {node.module} " if isinstance(node, ast.ImportFrom) else ""
                lines[node.lineno - 1] = f"{module}import {', '.join(map(ast.unparse, aliases))}"
        names = {name for part in self.parts if part not in self.kept and part.alias is None for name in part.defines}
        return "\n".join(lines) + "\n" + (_GONE.format(names=sorted(names)) if names else "")


@cache
def _parts(text: str) -> tuple[_Part, ...]:
    return tuple(_split(ast.parse(text)))


def _split(tree: ast.Module) -> Iterator[_Part]:
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield _Part(node, {alias.asname or alias.name.split(".")[0]}, alias)
        elif isinstance(node, _DEFINITIONS):
            yield _Part(node, {node.name})
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            stored = [each for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
            yield _Part(node, {each.id for each in stored if isinstance(each.ctx, ast.Store)})
        else:
            yield _Part(node, set())


class Pruned:
    """The package `helpers` below `root`, cut down to what was asked to be kept and all that this needs.

    `instead` has the text of modules that others take the place of, by name.
    """

    def __init__(self, root: Path, instead: dict[str, str] | None = None):
        self._root, self._instead = root, instead or {}
        self._modules: dict[str, _Module] = {}

    def keep(self, needs: Iterable[Need]) -> None:
        """Keep these, and what they need in turn."""
        waiting = list(needs)
        while waiting:
            module_name, name = waiting.pop()
            if self._find(f"{module_name}.{name}") is not None:
                module_name, name = f"{module_name}.{name}", ALL
            path = self._find(module_name)
            if path is None:
                continue  # of a name that there isn't the import tells by itself
            for end in range(1, len(module_name.split("."))):
                self._module(".".join(module_name.split(".")[:end]))  # the packages that it is in
            module = self._module(module_name)
            for part in module.named(name) + [part for part in module.parts if part.is_always_needed]:
                if part not in module.kept:
                    module.kept.add(part)
                    waiting += [(module_name, used) for used in part.uses]
                    waiting += part.imports

    def has(self, module_name: str, name: str) -> bool:
        """Whether something of that name is defined in the copy of the module."""
        module = self._modules.get(module_name)
        return module is not None and any(part in module.kept for part in module.named(name) if part.alias is None)

    def files(self) -> dict[str, bytes]:
        """The copy's files, by their paths from `root`; in place of a module that isn't kept, one that says so."""
        kept = {module.path: module.text() for module in self._modules.values()}
        found = {path: _NO_MODULE for path in (self._root / "helpers").glob("*.py")} | kept
        files = {path: text.encode() for path, text in found.items()}
        for path in (self._root / "helpers").iterdir():  # pictures, fonts, numbers: where a module names them
            if path.suffix != ".py" and any(f'"{path.name}"' in text for text in kept.values()):
                inside = path.rglob("*") if path.is_dir() else [path]
                files |= {each: each.read_bytes() for each in inside if each.is_file() and each.suffix != ".py"}
        return {path.relative_to(self._root).as_posix(): content for path, content in files.items()}

    def _module(self, name: str) -> _Module:
        if name not in self._modules:
            path = self._find(name)
            assert path is not None
            text = self._instead.get(name)
            module = self._modules[name] = _Module(path, path.read_text(encoding="utf-8") if text is None else text)
            if text is not None:
                module.kept.update(module.parts)
        return self._modules[name]

    def _find(self, name: str) -> Path | None:
        place = self._root.joinpath(*name.split("."))
        paths = (place / "__init__.py", place.with_suffix(".py"))
        return next((path for path in paths if path.is_file()), None)
