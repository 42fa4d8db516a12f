"""A student's copies are made once, never touched, brought up to date beside, and nothing that was written is lost."""

import json
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbgrader.utils import compute_checksum, is_solution

from helpers.carrying_over import HEADING, version_of
from helpers.lab_files import (
    UserError,
    is_blank,
    labs_of,
    name_of,
    own_path,
    read,
    released_path,
    text_of,
    was_run,
    write,
)
from helpers.own_copies import blank_lab, main, make_copy, prepare
from tests.own_copies.course import BLANK, CELLS, LAB, answer, answer_it, lab_of, own, release, source_in, text, written

ROOT = Path(__file__).parents[2]
FIRST, SECOND = "def first():\n    return 1", "def second():\n    return 2"
NEWER = [text("title", "# A small lab, with fewer mistakes"), *CELLS[1:]]


def newer(course: Path, number: str = "") -> Path:
    return own(course).with_name(f"{LAB}.new{number}.ipynb")


def commit(course: Path) -> None:
    who = ("-c", "user.name=teacher", "-c", "user.email=teacher@example.org")
    for words in (("init", "--quiet"), ("add", "labs"), (*who, "commit", "--quiet", "-m", "lab")):
        subprocess.run(["git", *words], cwd=course, check=True)


def test_make_lab_makes_a_copy_once_and_never_touches_it_again(course, capsys):
    prepare(course)
    answer_it(own(course), first=FIRST)
    before = own(course).read_bytes(), own(course).stat().st_mtime_ns
    prepare(course)
    assert (own(course).read_bytes(), own(course).stat().st_mtime_ns) == before
    assert capsys.readouterr().out.count("\n") == 2  # twice where the copies are, and nothing else
    assert [path.name for path in own(course).parent.iterdir()] == [f"{LAB}.ipynb"]


def test_every_lab_of_the_course_is_blank_by_nbgraders_checksum_and_gets_a_copy_that_nbformat_takes(tmp_path):
    for lab in labs_of(ROOT):
        write(released_path(tmp_path, lab), blank_lab(ROOT, lab))
    prepare(tmp_path)
    for lab in labs_of(ROOT):
        copy = nbformat.read(own_path(tmp_path, lab), as_version=4)
        nbformat.validate(copy)
        assert nbformat.writes(copy) + "\n" == own_path(tmp_path, lab).read_text(encoding="utf-8")
        answers = [cell for cell in copy.cells if is_solution(cell)]
        assert answers
        for cell in answers:
            assert is_blank(cell) == (compute_checksum(cell) == cell.metadata.nbgrader.checksum)
            cell.source += "\nreturn 1"
            assert not is_blank(cell)


def test_a_newer_version_is_written_beside_with_the_answers_in_it(course, capsys):
    prepare(course)
    answer_it(own(course), first=FIRST, written_why="Because.")
    before = own(course).read_bytes()
    release(course, NEWER)
    prepare(course)
    assert own(course).read_bytes() == before
    assert source_in(newer(course), "first") == FIRST
    assert source_in(newer(course), "second") == BLANK.format("second")
    assert source_in(newer(course), "written_why") == "Because."
    assert text_of(read(newer(course))["cells"][0]) == "# A small lab, with fewer mistakes"
    assert f"helpers.own_copies take {LAB}" in capsys.readouterr().out
    prepare(course)  # it was offered
    assert "take" not in capsys.readouterr().out


def test_a_third_version_starts_from_the_file_that_was_worked_in_last(course):
    prepare(course)
    answer_it(own(course), first=FIRST)
    release(course, NEWER)
    prepare(course)
    time.sleep(0.01)
    answer_it(newer(course), second=SECOND)
    release(course, [text("title", "# The third"), *CELLS[1:]])
    prepare(course)
    assert (source_in(newer(course, "2"), "first"), source_in(newer(course, "2"), "second")) == (FIRST, SECOND)
    assert source_in(newer(course), "second") == SECOND
    main(["take", "1"], course)
    assert source_in(own(course), "second") == SECOND
    assert source_in(own(course).with_name(f"{LAB}.1.ipynb"), "first") == FIRST
    assert source_in(own(course).with_name(f"{LAB}.2.ipynb"), "second") == SECOND
    prepare(course)
    assert len(list(own(course).parent.iterdir())) == 3  # nothing more is offered


def test_a_newer_version_overwrites_no_other_one(course):
    prepare(course)
    for number, title in (("", "# Second"), ("2", "# Third"), ("3", "# Fourth")):
        release(course, [text("title", title), *CELLS[1:]])
        prepare(course)
        assert newer(course, number).exists()
    newer(course).unlink()
    before = newer(course, "3").read_bytes()
    release(course, [text("title", "# Fifth"), *CELLS[1:]])
    prepare(course)
    assert newer(course, "3").read_bytes() == before and newer(course, "4").exists()


def test_what_a_student_added_or_changed_follows_the_cell_that_it_followed(course):
    prepare(course)
    copy = read(own(course))
    copy["cells"].insert(4, text("mine", "Why does this work?"))  # after test_first
    copy["cells"][1]["source"] = ["Write the first function. (I have to ask about this.)"]
    copy["cells"].insert(0, text("top", "My name"))
    write(own(course), copy)
    release(course, [CELLS[0], text("news", "New."), *CELLS[1:]])
    make_copy(course, LAB)
    cells = [text_of(cell).partition("\n")[0] for cell in read(newer(course))["cells"]]
    assert cells[:5] == [
        "My name",
        "# A small lab",
        "New.",
        "Write the first function.",
        "Write the first function. (I have to ask about this.)",
    ]
    assert cells[cells.index("Why does this work?") - 1] == "assert first() == 1"
    identities = [cell["id"] for cell in read(newer(course))["cells"]]
    assert len(set(identities)) == len(identities)


def test_an_explanation_that_the_newer_version_lacks_is_not_taken_for_the_students(course):
    prepare(course)
    release(course, [cell for cell in CELLS if cell["id"] != "about-second"])
    make_copy(course, LAB)
    assert "Now the second." not in map(text_of, read(newer(course))["cells"])


def test_an_answer_without_a_place_is_put_at_the_end_as_text(course):
    prepare(course)
    answer_it(own(course), first=FIRST, second=SECOND)
    release(course, [cell for cell in CELLS if name_of(cell) not in ("second", "test_second", "test_second_hidden")])
    make_copy(course, LAB)
    *_, heading, last = read(newer(course))["cells"]
    assert text_of(heading) == HEADING
    assert SECOND in text_of(last) and last["cell_type"] == "markdown"
    assert source_in(newer(course), "first") == FIRST


def test_of_two_cells_of_a_name_neither_answer_is_lost(course):
    prepare(course)
    copy = read(own(course))
    twice = [answer("first") | {"id": "a", "source": [source]} for source in (FIRST, "def first(): return 7")]
    copy["cells"] += twice
    write(own(course), copy)
    release(course, NEWER)
    make_copy(course, LAB)
    texts = "\n".join(map(text_of, read(newer(course))["cells"]))
    assert source_in(newer(course), "first") == FIRST  # rather than the blank that is there, too
    assert "def first(): return 7" in texts


def test_outputs_stay_with_what_is_as_it_was(course):
    prepare(course)
    copy = read(own(course))
    output = {"output_type": "stream", "name": "stdout", "text": ["seen"]}
    for cell in copy["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [output]
    write(own(course), copy)
    changed = answer("second", "def second(letters):\n    # YOUR CODE HERE\n    raise NotImplementedError()")
    release(course, [changed if name_of(cell) == "second" else cell for cell in CELLS])
    make_copy(course, LAB)
    outputs = {name_of(cell): cell.get("outputs") for cell in read(newer(course))["cells"]}
    assert (outputs["test_first"], outputs["second"]) == ([output], [])


def test_a_file_without_a_note_of_its_version_is_told_by_its_questions(course):
    write(own(course), lab_of(CELLS))
    make_copy(course, LAB)
    assert not newer(course).exists()
    release(course, [*CELLS, written("written_more")])
    make_copy(course, LAB)
    assert source_in(newer(course), "written_more") == "YOUR ANSWER HERE"


def test_the_version_of_a_lab_is_the_same_whatever_a_student_writes_into_it(course):
    before = version_of(read(released_path(course, LAB)))
    answer_it(released_path(course, LAB), first=FIRST)
    assert version_of(read(released_path(course, LAB))) == before


def test_answers_in_labs_are_copied_over_and_the_student_is_told(course, capsys):
    commit(course)
    answer_it(released_path(course, LAB), first=FIRST)
    prepare(course)
    assert source_in(own(course), "first") == source_in(released_path(course, LAB), "first") == FIRST
    said = capsys.readouterr().out
    assert "labs/lab01_small/lab01_small.ipynb has answers in it" in said and "git checkout" in said
    subprocess.run(["git", "checkout", "--quiet", "labs"], cwd=course, check=True)
    prepare(course)
    assert not newer(course).exists()
    assert "has answers in it" not in capsys.readouterr().out


def test_a_lab_that_was_run_in_labs_is_mentioned_and_its_copy_is_blank(course, capsys):
    lab = read(released_path(course, LAB))
    ran = {"execution_count": 3, "outputs": [{"output_type": "stream", "name": "stdout", "text": ["1"]}]}
    cells = [cell | ran if cell["cell_type"] == "code" else cell for cell in lab["cells"]]
    write(released_path(course, LAB), lab | {"cells": cells})
    prepare(course)
    said = capsys.readouterr().out
    assert "was run and saved there" in said and "git checkout labs/lab01_small/lab01_small.ipynb" in said
    assert not was_run(read(own(course)))
    write(released_path(course, LAB), lab)
    prepare(course)
    assert "was run" not in capsys.readouterr().out and not newer(course).exists()


def test_answers_in_labs_are_moved_into_the_blanks_of_a_copy_that_is_there(course, capsys):
    prepare(course)
    answer_it(own(course), second=SECOND)
    answer_it(released_path(course, LAB), first=FIRST, second="def second(): return 22")
    given = released_path(course, LAB).read_bytes()
    prepare(course)
    assert f"helpers.own_copies move {LAB}" in capsys.readouterr().out
    assert source_in(own(course), "first") == BLANK.format("first")  # nothing is moved unasked
    main(["move", "lab01"], course)
    assert (source_in(own(course), "first"), source_in(own(course), "second")) == (FIRST, SECOND)
    assert "def second(): return 22" in text_of(read(own(course))["cells"][-1])
    assert source_in(own(course).with_name(f"{LAB}.1.ipynb"), "first") == BLANK.format("first")
    assert released_path(course, LAB).read_bytes() == given
    before = own(course).read_bytes()
    main(["move", "lab01"], course)
    assert own(course).read_bytes() == before


def test_make_labs_is_stopped_by_answers_in_labs(course):
    main(["unanswered"], course)
    answer_it(released_path(course, LAB), first=FIRST)
    with pytest.raises(UserError, match=r"answers in labs/ \(lab01_small\).*helpers.own_copies move"):
        main(["unanswered"], course)
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlabs:")[2].partition("\n\n")[0]
    assert recipe.index("helpers.own_copies unanswered") < recipe.index("generate_assignment --force")


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"cells": 1}', '{"cells": [1], "metadata": {}}', "\udcff"])
def test_a_damaged_copy_stays_as_it_is_and_stops_neither_the_others_nor_make_lab(course, capsys, damage):
    own(course).parent.mkdir(parents=True)
    own(course).write_bytes(damage.encode("utf-8", "surrogateescape"))
    write(course / "labs" / "lab02_other" / "lab02_other.ipynb", lab_of(CELLS))
    prepare(course)
    assert own_path(course, "lab02_other").exists()
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and f"my_labs/{LAB}/{LAB}.ipynb is damaged" in shown
    assert own(course).read_bytes() == damage.encode("utf-8", "surrogateescape")


def test_where_nothing_can_be_written_one_sentence_says_so(course, capsys):
    (course / "my_labs").write_text("a file in the folder's place")
    prepare(course)
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and "can't be written" in shown
    assert (course / "my_labs").read_text() == "a file in the folder's place"


def test_a_file_that_cannot_be_replaced_leaves_nothing_half_written(course, monkeypatch):
    prepare(course)
    before = own(course).read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(UserError, match="No space left on device; nothing was changed"):
        write(own(course), lab_of([]))
    assert own(course).read_bytes() == before
    assert [path.name for path in own(course).parent.iterdir()] == [f"{LAB}.ipynb"]


def test_half_of_a_surrogate_pair_survives(course):
    write(own(course), lab_of([text("a", "\ud83d")]))
    assert text_of(json.loads(own(course).read_text(encoding="utf-8"))["cells"][0]) == "\ud83d"


@pytest.mark.parametrize("word", ["lab02", "2", "lab01_smal", "..", ""])
def test_an_unknown_lab_is_one_sentence(course, word):
    with pytest.raises(UserError, match=r"There is no lab called .*; the labs are: lab01_small\."):
        main(["take", word], course)


def test_there_is_nothing_to_take_before_there_is_a_newer_version(course):
    prepare(course)
    with pytest.raises(UserError, match="no newer version"):
        main(["take", "lab01_small"], course)


def test_make_clean_leaves_the_students_copies():
    # Under `make test`, an inner make would say which folder it enters.
    command = ["make", "--no-print-directory", "--dry-run", "clean"]
    recipe = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = recipe.replace("*.egg-info", "").replace(".coverage*", "")
    assert recipe.startswith("rm -rf .venv ") and "labs" not in named and "*" not in named


def test_make_lab_waits_for_no_package_while_it_looks_at_the_copies():
    script = (
        "import sys; import helpers.own_copies; print(sorted({'nbformat', 'torch', 'jsonschema'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
