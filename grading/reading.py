"""A student's file read, in whatever state it arrives: its cells are all that counts, and outputs are dropped."""

import codecs
import json
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from grading.large_files import MOST_BYTES, without_outputs

_LARGE = 20 * 2**20  # bytes of a file whose outputs are cut out before it is read
_MOST_BYTES = 200 * 2**20  # without them
_CLEAR = "clear its outputs (*Clear Outputs of All Cells*), save it and hand it in again"
_CONFLICT = re.compile(r"^(<<<<<<< |>>>>>>> )", re.MULTILINE)
_KINDS = {b"PK\x03\x04": "a zip", b"%PDF": "a PDF", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture"}


class Unreadable(Exception):
    """What was handed in can't be read as a notebook. The message says why, and begins with the file's name."""


def read(path: Path) -> NotebookNode:
    """The notebook in a file, with its cells' texts, pictures and metadata, and nothing else.

    Raises:
        Unreadable: if it is none, or can't be read.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise Unreadable(f"{path.name} is larger than {MOST_BYTES // 2**30} GB: {_CLEAR}")
        data = without_outputs(path) if size > _LARGE and _begins_as_json(path) else b""
        if len(data) > _MOST_BYTES or (not data and size > _MOST_BYTES):
            raise Unreadable(f"{path.name} is larger than {_MOST_BYTES // 2**20} MB even without its outputs: {_CLEAR}")
        data = data or path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path.name} can't be read: {error.strerror}") from error
    return read_bytes(path.name, data)


def _begins_as_json(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(100).removeprefix(codecs.BOM_UTF8).lstrip()[:2].strip() in (b"{", b'{"')


def read_bytes(name: str, data: bytes) -> NotebookNode:
    """The same, of a file's bytes.

    Raises:
        Unreadable: if they are none.
    """
    for beginning, kind in _KINDS.items():
        if data.startswith(beginning):
            raise Unreadable(f"{name} is {kind} that was given a notebook's name")
    text = _decoded(data)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{name} {_what_is_wrong(text)}") from error
    try:
        return _notebook(found)
    except Exception as error:  # nbformat raises whatever the file provokes
        raise Unreadable(f"{name} isn't a notebook, though it is JSON") from error


def _decoded(data: bytes) -> str:
    """Text in one of the encodings that editors write, with or without a mark at the beginning."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if data[:4:2] == b"\0\0" or data[1:4:2] == b"\0\0":  # a notebook begins with characters that have a zero byte there
        return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _what_is_wrong(text: str) -> str:
    if not text.strip():
        return "is empty"
    if _CONFLICT.search(text):
        return "holds an unsettled merge conflict: the lines that begin with <<<<<<< and >>>>>>> say where"
    if text.lstrip().startswith("<"):
        return "is a web page, saved in place of the notebook"
    if text.lstrip().startswith("{") and not text.rstrip().endswith("}"):
        return "isn't JSON: it stops in the middle"
    return "isn't JSON: the file is damaged, or never was a notebook"


def _notebook(found: dict) -> NotebookNode:
    if "cells" not in found and found["nbformat"] < 4:
        found = nbformat.reads(json.dumps(found), as_version=4)
    cells = [_cell(cell) for cell in found["cells"] if isinstance(cell, dict)]
    return NotebookNode(new_notebook(), cells=cells)


def _cell(cell: dict) -> NotebookNode:
    """What is used of a cell. (A notebook's file holds its text as lines, or as one string.)"""
    source = cell.get("source")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    kept = {name: cell[name] for name in ("cell_type", "metadata", "attachments", "id") if name in cell}
    return nbformat.from_dict(kept | {"source": source if isinstance(source, str) else ""})
