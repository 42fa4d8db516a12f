"""What is handed in is whole and was run; what is wrong with it is said in a sentence, and nothing is lost."""

import copy

import pytest

import helpers.hand_in
from helpers.hand_in import file_to_hand_in, main
from helpers.lab_files import UserError, name_of, read, released_path, write
from helpers.own_copies import prepare
from tests.own_copies.course import CELLS, LAB, answer_it, own, release, text

FIRST, SECOND = "def first():\n    return 1", "def second():\n    return 2"


@pytest.fixture
def answered(course):
    prepare(course)
    answer_it(own(course), first=FIRST)
    return course


@pytest.fixture
def not_run(monkeypatch):
    """Where it doesn't matter what comes of it, the lab isn't run."""
    monkeypatch.setattr(helpers.hand_in, "run", lambda path: (read(path), ""))


def test_the_file_to_hand_in_is_the_students_and_the_points_are_those_of_the_seen_tests(answered, capsys):
    notebook = read(own(answered))
    notebook["cells"].append(text("odd", "x") | {"cell_type": "code", "outputs": [], "execution_count": None})
    write(own(answered), notebook)
    before = own(answered).read_bytes()
    main(["1"], answered)
    said = capsys.readouterr().out
    assert "  first     3 of 3\n  second    0 of 2\n  together  3 of 5\n" in said
    assert "Hidden tests and written answers are worth 6 more." in said
    assert "Still blank: second, written_why." in said
    assert "(odd) fails: NameError: name 'x' is not defined" in said
    assert f"under the name that it has: my_labs/hand_in/{LAB}.ipynb" in said
    assert file_to_hand_in(answered, LAB).read_bytes() == before == own(answered).read_bytes()


def test_a_second_preparation_keeps_the_first_under_a_number(answered, not_run, capsys):
    main(["1"], answered)
    first = file_to_hand_in(answered, LAB).read_bytes()
    main(["1"], answered)  # nothing has changed
    assert "is kept" not in capsys.readouterr().out
    answer_it(own(answered), second=SECOND)
    main(["1"], answered)
    assert "is kept" in capsys.readouterr().out
    assert file_to_hand_in(answered, LAB).with_name(f"{LAB}.1.ipynb").read_bytes() == first
    assert file_to_hand_in(answered, LAB).read_bytes() == own(answered).read_bytes()


def lose(cells):
    return [cell for cell in cells if name_of(cell) != "second"]


def double(cells):
    return [*cells, next(copy.deepcopy(cell) for cell in cells if name_of(cell) == "first")]


def turn(cells):
    return [cell | {"cell_type": "markdown"} if name_of(cell) == "first" else cell for cell in cells]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lose, "the cell second is gone"),
        (double, "the cell first is there 2 times"),
        (turn, "the cell first has become markdown: make it code again"),
    ],
)
def test_what_isnt_whole_is_not_written(answered, not_run, change, said):
    notebook = read(own(answered))
    write(own(answered), notebook | {"cells": change(notebook["cells"])})
    with pytest.raises(UserError, match=f"isn't whole, and no file to hand in was written: {said}"):
        main(["1"], answered)
    assert not file_to_hand_in(answered, LAB).exists()


def test_half_of_a_class_counts_as_blank(answered, not_run, capsys):
    answer_it(own(answered), second="def second():\n    x = 1\n    raise NotImplementedError()")
    main(["1"], answered)
    assert "Still blank: second, written_why." in capsys.readouterr().out


def test_of_two_versions_with_different_answers_the_student_chooses(answered, not_run):
    release(answered, [text("title", "# Newer"), *CELLS[1:]])
    prepare(answered)
    main(["1"], answered)  # the newer one has the same answers
    newer = own(answered).with_name(f"{LAB}.new.ipynb")
    answer_it(newer, second=SECOND)
    with pytest.raises(UserError, match=f"helpers.own_copies take {LAB}"):
        main(["1"], answered)
    newer.unlink()
    main(["1"], answered)


def test_answers_that_were_left_in_labs_are_not_forgotten(answered, not_run, capsys):
    answer_it(released_path(answered, LAB), second=SECOND)
    main(["1"], answered)
    assert "has answers in it that your own copy lacks" in capsys.readouterr().out


def test_without_a_copy_or_with_a_damaged_one_one_sentence_says_so(course):
    with pytest.raises(UserError, match=r"no my_labs/.* to hand in: `make lab` makes it"):
        main(["1"], course)
    own(course).parent.mkdir(parents=True)
    own(course).write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        main(["1"], course)


def test_where_the_file_cannot_be_written_one_sentence_says_so(answered, not_run):
    (answered / "my_labs" / "hand_in").write_text("a file in the folder's place")
    with pytest.raises(UserError, match="can't be written"):
        main(["1"], answered)
