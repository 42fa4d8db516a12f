"""Whether an answer leaves an exercise to the one PyTorch function or layer that is its solution.

This is the one look that the checks take at source text. What counts is what a name in the code stands for, whatever it
was imported as; a name in a comment or in a docstring is no use of it. Where there is no source, nothing is found.
"""

import ast
import contextlib
import functools
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FunctionType
from typing import Any

import torch
from torch import nn

from helpers.checks.engine import Case, Draw, Property

_FUNCTIONS = {
    nn.functional.scaled_dot_product_attention: "torch.nn.functional.scaled_dot_product_attention",
    nn.functional.multi_head_attention_forward: "torch.nn.functional.multi_head_attention_forward",
}
_LAYERS = (
    nn.MultiheadAttention,
    nn.Transformer,
    nn.TransformerEncoder,
    nn.TransformerEncoderLayer,
    nn.TransformerDecoder,
    nn.TransformerDecoderLayer,
)
_FOLLOWED = ("torch", "helpers")  # packages whose imports are followed


def forbidden_uses(answer: Callable, args: tuple) -> tuple[str, ...]:
    """Observe which of PyTorch's attention functions and layers the answer's code names, after calling it.

    The call is for an answer that is still blank: it has to show as such here, too.
    """
    answer(*args)
    return uses(answer)


def uses(answer: Callable) -> tuple[str, ...]:
    """The forbidden functions and layers that an answer's code names.

    An answer that is elsewhere, and has only a stand-in here, says so itself: its class has `__forbidden_uses__`.
    """
    told = getattr(type(answer), "__forbidden_uses__", None)
    if told is not None:
        return tuple(told(answer))
    return tuple(dict.fromkeys(_uses(answer, set())))


def uses_in_source(cells: Iterable[str], name: str) -> tuple[str, ...]:
    """The forbidden functions and layers that the definition of `name` names, as far as the text of the cells tells.

    For a caller that doesn't run the code, and doesn't trust what the code says of itself. This finds less than `uses`:
    it follows no names but those of PyTorch's modules and of what the cells define.
    """
    trees = [tree for cell in cells if (tree := _parsed(cell)) is not None]
    names = {"torch": torch, "nn": nn}
    definitions: dict[str, list[ast.stmt]] = {}
    for tree in trees:
        with contextlib.suppress(ImportError):
            names |= _imports(tree)
        for node in tree.body:
            for name in _defined_by(node):
                definitions.setdefault(name, []).append(node)
    found, waiting, seen = [], [name], {name}
    while waiting:
        for definition in definitions.get(waiting.pop(), ()):
            for part in ast.walk(definition):
                if isinstance(part, ast.Name) and part.id in definitions:
                    if part.id not in seen:
                        seen.add(part.id)
                        waiting.append(part.id)
                elif isinstance(part, ast.Name | ast.Attribute):
                    found.append(_forbidden_name(_value(part, names)))
    return tuple(dict.fromkeys(name for name in found if name is not None))


def _parsed(cell: str) -> ast.Module | None:
    try:
        return ast.parse("\n".join(line for line in cell.splitlines() if not line.lstrip().startswith(("%", "!"))))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # what is no Python doesn't run, either


def _defined_by(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]


def uses_nothing_forbidden(got: tuple[str, ...], want: Any) -> str | None:
    """Judge that the answer is the student's own work."""
    return f"it uses {' and '.join(got)}, which is what this lab asks you to write" if got else None


def own_work(cases: Callable[[Draw], Iterable[Case]], observe: Callable = forbidden_uses) -> Property:
    """The property that PyTorch's own attention isn't called, looked at with the first of the cases.

    The exercise's table needs a row of `mistakes.FORBIDDEN_CALL`.
    """
    return Property(
        "is your own work, without PyTorch's own attention functions and layers",
        lambda draw: [next(iter(cases(draw)))],
        observe,
        uses_nothing_forbidden,
        suggests="forbidden-call",
    )


def _uses(thing: Any, seen: set[int]) -> Iterator[str]:
    """The forbidden things that a function or a class uses, itself or through functions written beside it."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    name = _forbidden_name(thing)
    if name is not None:
        yield name
    elif isinstance(thing, functools.partial):
        yield from _uses(thing.func, seen)
    elif isinstance(thing, type):
        for base in thing.__mro__:
            for method in vars(base).values() if base.__module__ == thing.__module__ else ():
                if isinstance(method, FunctionType):
                    yield from _uses(method, seen)
    elif isinstance(thing, FunctionType):
        for used in named_in(thing):
            beside = getattr(used, "__module__", None) == thing.__module__ and isinstance(used, FunctionType | type)
            if beside or _forbidden_name(used) is not None:
                yield from _uses(used, seen)


def named_in(function: FunctionType) -> Iterator[Any]:
    """What the names in a function's code stand for, as far as that is known without running it."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return
    local = {*function.__code__.co_varnames, *function.__code__.co_cellvars}
    names = {name: value for name, value in function.__globals__.items() if name not in local}
    names |= _closure(function) | _imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield _value(node, names)


def _closure(function: FunctionType) -> dict[str, Any]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # a cell that is still empty
            found[name] = cell.cell_contents
    return found


def _imports(tree: ast.AST) -> dict[str, Any]:
    """What the imports from PyTorch and from the course inside a function bring in."""
    names: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                if top in _FOLLOWED:
                    module = importlib.import_module(alias.name)
                    names[alias.asname or top] = module if alias.asname else importlib.import_module(top)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in _FOLLOWED:
            with contextlib.suppress(ImportError):  # while a lab is graded, not all of the course is there
                module = importlib.import_module(node.module)
                names |= {alias.asname or alias.name: getattr(module, alias.name, None) for alias in node.names}
    return names


def _value(node: ast.AST, names: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        return inspect.getattr_static(_value(node.value, names), node.attr, None)
    return None


def _forbidden_name(thing: Any) -> str | None:
    for function, name in _FUNCTIONS.items():
        if thing is function:
            return name
    layer = thing if isinstance(thing, type) else type(thing)
    return f"torch.nn.{layer.__name__}" if layer in _LAYERS else None
