"""A lab or an exercise is put back to blank, and what was there is kept under a number."""

import pytest

from helpers.fresh import main
from helpers.lab_files import UserError, read, released_path, text_of, write
from helpers.own_copies import prepare
from helpers.progress import note, record
from tests.own_copies.course import BLANK, CELLS, LAB, answer, answer_it, named, own, release, source_in, text

FIRST, SECOND = "def first():\n    return 1", "def second():\n    return 2"


@pytest.fixture
def answered(course):
    prepare(course)
    answer_it(own(course), first=FIRST, second=SECOND)
    return course


def kept(course, number=1):
    return own(course).with_name(f"{LAB}.{number}.ipynb")


@pytest.mark.parametrize("word", ["lab01_small", "lab01", "1", "01"])
def test_a_whole_lab_is_blank_again_and_the_old_file_kept(answered, word, capsys):
    before = own(answered).read_bytes()
    main([word], answered)
    assert source_in(own(answered), "first") == BLANK.format("first")
    assert kept(answered).read_bytes() == before
    assert f"{LAB}.1.ipynb" in capsys.readouterr().out
    main([word], answered)
    assert kept(answered).read_bytes() == before and kept(answered, 2).exists()


def test_one_exercise_is_blank_again_and_the_others_stay(answered):
    notebook = read(own(answered))
    notebook["cells"].append(text("mine", "A note"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["seen"]}]
    write(own(answered), notebook)
    main(["1", "First"], answered)
    assert (source_in(own(answered), "first"), source_in(own(answered), "second")) == (BLANK.format("first"), SECOND)
    assert source_in(kept(answered), "first") == FIRST
    cells = read(own(answered))["cells"]
    assert text_of(cells[-1]) == "A note"
    shown = {cell["id"]: bool(cell["outputs"]) for cell in cells if cell["cell_type"] == "code"}
    assert shown["test-first"] is False and shown["test-second"] is True


def test_a_method_takes_its_class_along(course, capsys):
    tests = [named(f"test_{name}", f"assert Model().{name}", points=2) for name in ("step", "decode")]
    release(course, [*CELLS, answer("Model"), *tests])
    prepare(course)
    answer_it(own(course), Model="class Model: ...", first=FIRST)
    main(["1", "decode"], course)
    assert source_in(own(course), "Model") == BLANK.format("Model") and source_in(own(course), "first") == FIRST
    assert "Model, the cell of step, decode, is blank again" in capsys.readouterr().out


def test_a_lost_cell_is_back(answered):
    notebook = read(own(answered))
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] != "first"]
    write(own(answered), notebook)
    main(["1", "first"], answered)
    assert source_in(own(answered), "first") == BLANK.format("first")
    assert [cell["id"] for cell in read(own(answered))["cells"]] == [cell["id"] for cell in CELLS]


def test_a_damaged_copy_is_kept_when_its_lab_is_started_again(answered):
    own(answered).write_text("{ half a fi")
    with pytest.raises(UserError, match="damaged"):
        main(["1", "first"], answered)
    assert not kept(answered).exists()
    main(["1"], answered)
    assert kept(answered).read_text() == "{ half a fi"
    assert source_in(own(answered), "first") == BLANK.format("first")


def test_without_a_copy_there_is_one_afterwards(course):
    main(["1"], course)
    assert source_in(own(course), "first") == BLANK.format("first") and not kept(course).exists()


def test_an_unknown_exercise_is_one_sentence_and_changes_nothing(answered):
    before = own(answered).read_bytes()
    with pytest.raises(UserError, match=r"no exercise called 'third' in this lab; .*: first, second, written_why\."):
        main(["1", "third"], answered)
    assert own(answered).read_bytes() == before and not kept(answered).exists()


def test_what_isnt_blank_in_labs_is_no_blank_to_start_from(answered):
    answer_it(released_path(answered, LAB), first=FIRST)
    with pytest.raises(UserError, match="isn't blank any more"):
        main(["1"], answered)
    assert source_in(own(answered), "first") == FIRST


def test_the_exercise_counts_as_open_again_but_as_looked_up_still(answered):
    note(answered, LAB, "first", share=1, tries=4, revealed="2026-11-30")
    note(answered, LAB, "second", share=1)
    main(["1", "first"], answered)
    assert record(answered, LAB, "first") == {"share": 0, "tries": 4, "failed_in_a_row": 0, "revealed": "2026-11-30"}
    assert record(answered, LAB, "second") == {"share": 1}
