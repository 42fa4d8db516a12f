"""A student's file read, in whatever state it arrives; and what can't be read has a reason."""

import json
import os
import tracemalloc

import nbformat
import pytest

from grading.large_files import without_outputs
from grading.reading import Unreadable, read
from grading.rebuilding import rebuilt
from tests.grading.attacks.attack import RIGHT, named, source


def handed_in():
    """The text of a right submission, with letters that not every encoding has alike."""
    notebook = source()
    named(notebook, "double").source = RIGHT["double"] + "  # für Ōe"
    return nbformat.writes(notebook)


def answer_in(path):
    """What the answer is when the file has been read and put back into shape."""
    return named(rebuilt(read(path), source()), "double").source


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_notebook_is_read_in_any_encoding_that_editors_write(tmp_path, encoding):
    path = tmp_path / "doubling.ipynb"
    path.write_bytes(json.dumps(json.loads(handed_in()), ensure_ascii=False).encode(encoding))
    assert answer_in(path) == RIGHT["double"] + "  # für Ōe"


def test_a_notebook_in_the_encoding_of_old_windows_is_read(tmp_path):
    path = tmp_path / "doubling.ipynb"
    path.write_bytes(json.dumps(json.loads(handed_in().replace("Ōe", "Öe")), ensure_ascii=False).encode("cp1252"))
    assert answer_in(path) == RIGHT["double"] + "  # für Öe"


@pytest.mark.parametrize("outputs", [5, ["garbage"], [{"output_type": "stream", "text": 10 * 2**20 * "a"}], {}])
def test_outputs_are_dropped_whatever_they_are(tmp_path, outputs):
    notebook = json.loads(handed_in())
    for cell in notebook["cells"]:
        cell["outputs"] = outputs if cell["cell_type"] == "code" else []
    path = tmp_path / "doubling.ipynb"
    path.write_text(json.dumps(notebook))
    assert answer_in(path) == RIGHT["double"] + "  # für Ōe"
    assert all("outputs" not in cell for cell in read(path).cells)


def test_a_notebook_that_lost_what_nbgrader_notes_is_known_by_its_cells(tmp_path):
    for lose in (("metadata",), ("metadata", "id")):
        notebook = json.loads(handed_in())
        for cell in notebook["cells"]:
            for key in lose:
                del cell[key]
        path = tmp_path / "doubling.ipynb"
        path.write_text(json.dumps(notebook))
        whole = rebuilt(read(path), source())
        assert named(whole, "double").source == RIGHT["double"] + "  # für Ōe"
        assert len(whole.cells) == len(source().cells)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        (handed_in()[:300], "isn't JSON: it stops in the middle"),
        (handed_in() + "}", "isn't JSON: the file is damaged, or never was a notebook"),
        (f"<<<<<<< HEAD\n{handed_in()}\n=======\n{handed_in()}\n>>>>>>> theirs\n", "holds an unsettled merge conflict"),
        ("<!DOCTYPE html><p>Sign in", "is a web page, saved in place of the notebook"),
        ("PK\x03\x04", "is a zip that was given a notebook's name"),
        ("[1, 2]", "isn't a notebook, though it is JSON"),
        ('{"cells": 5}', "isn't a notebook, though it is JSON"),
        (50_000 * "[" + 50_000 * "]", "isn't JSON"),
        ('{"cells": [' + 50_000 * '{"a":', "isn't JSON"),
    ],
)
def test_what_cannot_be_read_has_a_reason(tmp_path, text, reason):
    path = tmp_path / "doubling.ipynb"
    path.write_text(text)
    with pytest.raises(Unreadable) as unreadable:
        read(path)
    assert str(unreadable.value).startswith(f"doubling.ipynb {reason}")


def test_a_file_too_large_is_not_read(tmp_path):
    path = tmp_path / "doubling.ipynb"
    path.touch()
    os.truncate(path, 2**30)
    with pytest.raises(Unreadable, match="larger than 200 MB even without its outputs: clear its outputs"):
        read(path)
    os.truncate(path, 2**40)
    with pytest.raises(Unreadable, match="larger than 2 GB: clear its outputs"):
        read(path)


@pytest.fixture
def large(tmp_path):
    """Writes a submission whose outputs take more than 200 MB: where it is."""

    def write(end="", **metadata):
        notebook = json.loads(handed_in())
        notebook["metadata"] |= metadata
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["HERE", '"]}[{\\']}]
        path = tmp_path / "doubling.ipynb"
        before, here, after = json.dumps(notebook).partition("HERE")
        with path.open("w") as file:
            file.write(before + here)
            for _ in range(210):
                file.write(2**15 * 'a picture\\"\\n,, []\\\\   {}      ')
            file.write(end or after)
        return path

    return write


@pytest.mark.slow
def test_saved_outputs_of_over_200_MB_are_cut_out_and_cost_no_memory(large):
    path = large(widgets={"outputs": [{"a": "]"}]})
    assert path.stat().st_size > 200 * 2**20
    tracemalloc.start()
    assert answer_in(path) == RIGHT["double"] + "  # für Ōe"
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**20


@pytest.mark.slow
def test_a_large_file_that_stops_within_its_outputs_says_so(large):
    with pytest.raises(Unreadable, match="stops in the middle"):
        read(large(end="x"))


def test_what_is_cut_out_of_a_large_file_is_what_nobody_needs(tmp_path):
    path = tmp_path / "doubling.ipynb"
    notebook = json.loads(handed_in())
    before = len(notebook["cells"])
    text = 'x = {"outputs": [1, 2], "metadata": {}}'
    notebook["cells"].append({"cell_type": "code", "metadata": {"outputs": [3]}, "source": [text], "outputs": [[[]]]})
    notebook["cells"].append({"cell_type": "code", "metadata": {}, "outputs": {"a": 1}, "source": ["outputs"]})
    path.write_text(json.dumps(notebook))
    found = json.loads(without_outputs(path))
    assert found["metadata"] == {} and len(found["cells"]) == before + 2
    for cell, whole in zip(found["cells"], notebook["cells"], strict=True):
        assert cell | {"outputs": 0} == whole | {"outputs": 0}
        assert not cell.get("outputs")


@pytest.mark.parametrize("cells", [[5], ["cell"], [{"cell_type": ["code"], "metadata": 5}], [{}], [None]])
def test_cells_that_are_none_leave_the_notebook_blank(tmp_path, cells):
    path = tmp_path / "doubling.ipynb"
    path.write_text(json.dumps(nbformat.v4.new_notebook() | {"cells": cells}))
    assert answer_in(path) == ""
