"""Which mistakes are drawn, and how: from the checks' own tables."""

import pytest

from book import pairs, pictures
from helpers.checks.catalogue import find_exercise
from helpers.checks.heatmaps import told


def draw(exercise, misconception, show=pictures.draw):
    exercise = find_exercise(exercise)
    return show(exercise, next(each for each in exercise.misconceptions if each.id == misconception))


def of_report(exercise, misconception):
    return draw(exercise, misconception, pairs.of_report)


@pytest.mark.parametrize(
    ("exercise", "misconception", "row", "mistake", "right"),
    [
        ("masked_softmax", "finite-fill", "red", "0.25 0.25 0.25 0.25", "0 0 0 0"),
        ("causal_mask", "diagonal-masked", "the", "0 0 0 0", "1 0 0 0"),
        ("ablate_source", "not-renormalised", "la", "0.7 0.1 0 0.05", "0.82 0.12 0 0.06"),
        ("AttentionPooling", "attends-to-padding", "red", "0.04 0.32 0.32 0.32", "0.12 0.88 0 0"),
        ("kernel_regression", "two-missing", "x = 0.75", "0.33 0.54 0.12 0.0037", "0.33 0.43 0.2 0.04"),
        ("shift_right", "shifted-left", "CAR", "A R <eos> start", "start C A R"),
    ],
)
def test_a_mistake_of_numbers_stands_in_tables_with_what_is_right(exercise, misconception, row, mistake, right):
    table = draw(exercise, misconception).tables[0]
    place = table.rows.index(row)
    assert [" ".join(told(cell, 2) for cell in side[place]) for side in (table.mistake, table.right)] == [
        mistake,
        right,
    ]


def test_what_has_no_input_here_is_seen_as_its_report_shows_it():
    pair = of_report("bleu", "one-reference-of-several")
    assert pair.tables[0].mistake != pair.tables[0].right and "several references a sentence" in pair.caption
    assert 'class="differs"' in pair.html


@pytest.mark.parametrize(
    ("exercise", "misconception", "said"),
    [("BilinearScore", "bias", "<code>W.bias</code>"), ("get_next_token", "axis-left-over", "shapes are (1, 1)")],
)
def test_what_cannot_be_laid_out_is_told_in_the_checks_words(exercise, misconception, said):
    pair = of_report(exercise, misconception)
    assert not pair.tables and said in pair.html


@pytest.mark.parametrize(
    ("exercise", "misconception", "said"),
    [
        ("hard_alignment", "pairs-reversed", "right is ne – not, s'arrête – stop, pas – not."),
        ("plot_attention", "transposed", "Right: as it should be."),
    ],
)
def test_a_drawing_that_shows_a_mistake_is_drawn_and_told_in_numbers(exercise, misconception, said):
    picture = draw(exercise, misconception)
    assert picture.alternative.endswith(said)
    assert picture.caption in picture.alternative and picture.png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("exercise", "misconception"),
    [("masked_softmax", "nan-gradient"), ("causal_mask", "nothing-returned"), ("split_heads", "heads-reversed")],
)
def test_a_mistake_that_cannot_be_seen_or_has_no_input_here_is_not_drawn(exercise, misconception):
    assert draw(exercise, misconception) is None


def test_a_mistake_about_the_batch_is_drawn_on_a_batch():
    assert "A batch of two sentences" in draw("masked_softmax", "softmax-over-batch").caption
