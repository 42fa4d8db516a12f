"""A submission put back into the lab's shape, whatever it was like; and what isn't the student's own is refused."""

import os

import nbformat
import pytest

from grading.reading import read
from grading.rebuilding import rebuilt
from grading.submissions import fault_of_files, time_of
from tests.grading.attacks.attack import DOUBLING, RIGHT, named, source
from tests.grading.attacks.on_the_notebook import NOTEBOOK


def cells_of(notebook):
    return [(cell.cell_type, cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source) for cell in notebook.cells]


@pytest.mark.parametrize("attack", [each for each in NOTEBOOK if not each.refused], ids=lambda attack: attack.id)
def test_of_a_tampered_notebook_only_the_answers_and_further_texts_are_left(attack, tmp_path):
    path = tmp_path / f"{DOUBLING}.ipynb"
    notebook = source()
    if attack.surgery is not None:
        attack.surgery(notebook)
    nbformat.write(notebook, path)
    if attack.place is not None:
        attack.place(tmp_path, path.read_text())
    whole = rebuilt(read(path), source())
    nbformat.validate(whole)
    nbformat.writes(whole).encode()
    tests = {name: text for _, name, text in cells_of(whole) if name is not None and name.startswith("test")}
    assert tests == {name: named(source(), name).source for name in tests} and len(tests) == 3
    assert whole.metadata == source().metadata


def test_pictures_of_written_text_stay_and_anything_else_that_is_attached_goes():
    submission = source()
    picture = {"image/png": "iVBORw0KGgo="}
    submission.cells[0].attachments = {
        "mine.png": picture,
        "script.svg": {"image/svg+xml": "<svg/>"},
        "odd.png": {'image/png"><script>': "AAAA"},
        "tag.png": {"image/png": '"><script>'},
        "none": 5,
    }
    assert rebuilt(submission, source()).cells[0].attachments == {"mine.png": picture}


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "submitted" / "ada" / DOUBLING
    place.mkdir(parents=True)
    nbformat.write(source(), place / f"{DOUBLING}.ipynb")
    return place


def test_a_submission_of_files_and_folders_has_no_fault(folder):
    (folder / "data").mkdir()
    (folder / "data" / "numbers.csv").write_text("1,2")
    assert fault_of_files(folder) is None


def test_the_folder_of_all_submissions_may_be_a_link(folder, tmp_path):
    (tmp_path / "elsewhere").symlink_to(tmp_path / "submitted")
    assert fault_of_files(tmp_path / "elsewhere" / "ada" / DOUBLING) is None


@pytest.mark.parametrize("at", ["notes.txt", "data/notes.txt", "data"])
def test_a_link_anywhere_is_refused(folder, at):
    (folder / at).parent.mkdir(exist_ok=True)
    (folder / at).symlink_to("/etc")
    assert fault_of_files(folder).endswith(
        "is a link, and what it points to isn't the student's: ask for the file itself"
    )


def test_a_student_or_a_lab_that_is_a_link_to_another_is_refused(folder):
    (folder.parents[1] / "bela").symlink_to("ada")
    assert fault_of_files(folder.parents[1] / "bela" / DOUBLING).startswith("bela is a link")
    (folder.parents[1] / "cora").mkdir()
    (folder.parents[1] / "cora" / DOUBLING).symlink_to(folder)
    assert fault_of_files(folder.parents[1] / "cora" / DOUBLING).startswith(f"{DOUBLING} is a link")


def test_a_pipe_is_refused_and_not_waited_for(folder):
    os.mkfifo(folder / "timestamp.txt")
    assert fault_of_files(folder) == "timestamp.txt is neither a file nor a folder"
    assert time_of(folder) is None


@pytest.mark.parametrize("text", ["yesterday", 60 * "9", "2026-09-31", "\0", 10**7 * "1"])
def test_a_time_that_is_none_is_called_that(folder, text):
    (folder / "timestamp.txt").write_text(text)
    with pytest.raises(ValueError, match="says no time that can be read"):
        time_of(folder)


@pytest.mark.parametrize(
    "text", ["", "2026-09-30 23:59:59 UTC", "2026-09-30 23:59:59.123456 CEST", "2026-09-30T23:59:59+02:00\n"]
)
def test_the_times_that_nbgrader_writes_are_read(folder, text):
    (folder / "timestamp.txt").write_text(text)
    assert time_of(folder) is None if not text else time_of(folder).month == 9


def test_an_answer_is_the_first_cell_of_its_name_and_others_stay_as_texts():
    submission = source()
    named(submission, "double").source = RIGHT["double"]
    submission.cells.append(named(source(), "double"))
    whole = rebuilt(submission, source())
    assert named(whole, "double").source == RIGHT["double"]
    assert cells_of(whole)[-1] == ("code", None, named(source(), "double").source)
