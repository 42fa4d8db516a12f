"""A thief: a cell that looks everywhere in a running kernel for answers that somebody else wrote.

It is a program's text, as it stands in a submission. It tries each way by itself, binds what it finds to the exercise's
name, and prints as JSON what it found where.
"""

import json

_THIEF = """
import ast, contextlib, gc, importlib, inspect, json, marshal, os, pkgutil, sys
from pathlib import Path
from types import CodeType, FunctionType

FOUND = {}

import helpers
MODULES = []
for info in pkgutil.walk_packages(helpers.__path__, "helpers."):
    if not info.name.startswith("helpers.checks.lab"):
        with contextlib.suppress(BaseException):
            MODULES.append(importlib.import_module(info.name))
FOLDERS = {Path(place) / "helpers" for place in sys.path} | {
    folder for place in PLACES for folder in Path(place).glob("**/helpers")
}

def files(ending):
    found = []
    for folder in FOLDERS:
        for path in folder.glob(f"**/*{ending}"):
            with contextlib.suppress(OSError):
                found.append(path.read_bytes())
    return found

TREES = [ast.parse(content) for content in files(".py")]
CODE = [marshal.loads(content[16:]) for content in files(".pyc")]

def imported(names):
    for module in MODULES:
        for name in names:
            if callable(vars(module).get(name)):
                return vars(module)[name]

def written(names):
    for tree in TREES:
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in names:
                return ast.unparse(node)

def compiled(names):
    waiting = list(CODE)
    while waiting:
        code = waiting.pop()
        if code.co_name in names:
            return code
        waiting += [const for const in code.co_consts if isinstance(const, CodeType)]

def in_memory(names):
    for thing in gc.get_objects():
        if type(thing) in (FunctionType, type) and thing.__name__ in names:
            if str(thing.__module__).startswith("helpers"):
                return thing

def oracle(exercise):
    from helpers.checks import catalogue
    return catalogue.find_exercise(exercise)

def table(exercise):
    return importlib.import_module(f"helpers.checks.{LAB}").EXERCISES

for exercise, names in WANTED.items():
    ways = {
        "imported": lambda: imported(names),
        "read": lambda: written(names),
        "read from bytecode": lambda: compiled(names),
        "found in memory": lambda: in_memory(names),
        "an oracle": lambda: oracle(exercise),
        "a table": lambda: table(exercise),
    }
    for way, go in ways.items():
        with contextlib.suppress(BaseException):
            loot = go()
            if loot is not None:
                FOUND.setdefault(exercise, []).append(way)
                globals()[exercise] = loot
print(json.dumps(FOUND))
"""


def thief(lab: str, wanted: dict[str, list[str]], places: list[str]) -> str:
    """The cell. `wanted` has the names to look for by exercise, `places` folders in which to look besides."""
    return f"LAB, WANTED, PLACES = {lab!r}, {json.dumps(wanted)}, {json.dumps(places)}\n{_THIEF}"
