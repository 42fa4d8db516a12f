"""The attention machine in a terminal, and the table that a reader without scripts gets; tests/browser has the rest."""

import math

import pytest
import torch

from helpers.attention import AdditiveScore, DotProductScore, scaled_dot_product_attention, split_heads
from helpers.attention_machine import PARTS, attention_machine
from helpers.attention_machine_tables import PANELS
from helpers.attention_machine_words import WORDS
from helpers.plotting import KEY, QUERY, VALUE
from helpers.running_example import KEYS, QUERIES, VALUES
from tests.helpers.test_attention_view import NASTY, Reader

EVERYTHING = (*PARTS, *PANELS)


def test_a_terminal_gets_the_computation_in_words():
    machine = attention_machine(caption="By hand.")
    assert repr(machine).splitlines() == [
        "[attention machine: By hand.]",
        "1. car asks, with its query q = (0, 2, 1, 0). Every word answers with its key.",
        "2. Multiply query and key pair by pair, and add up. For red: 0·0 + 2·2 + 1·0 + 0·0 = 4. "
        "All scores: the 0, red 4, car 2, stops 0.",
        "3. Divide by √d, the root of how many numbers a query has: √4 = 2. "
        "Now the scores are the 0, red 2, car 1, stops 0.",
        "4. Mask: no word is hidden, so the scores stay as they are.",
        "5. Divide by the temperature: T = 1 changes nothing.",
        "6. Softmax: e to the power of each score gives the 1.00, red 7.39, car 2.72, stops 1.00; together 12.11. "
        "For red: 7.39 / 12.11 = 0.61. The weights: the 0.08, red 0.61, car 0.22, stops 0.08.",
        "7. Each value times its weight, added up: 0.08·(0, 0) + 0.61·(10, 0) + 0.22·(0, 10) + 0.08·(0, 0) = "
        "(6.1, 2.25). That is the output.",
    ]
    assert machine._repr_html_() == machine.html


@pytest.mark.parametrize("hidden", [(), (1,), (0, 1, 2, 3, 4)])
@pytest.mark.parametrize("size", [1.0, 40.0])
def test_the_numbers_are_pytorchs(hidden, size):
    generator = torch.Generator().manual_seed(7)
    queries, keys, values = (size * torch.randn(5, width, generator=generator) for width in (6, 6, 3))
    order = [i for i in range(5) if i not in hidden]
    if order:
        seen = keys[None, order].double(), values[None, order].double()
        output, weights = scaled_dot_product_attention(queries[None, 2:3].double(), *seen)
    else:
        output, weights = torch.zeros(1, 1, 3), torch.zeros(1, 1, 0)
    machine = attention_machine(list("abcde"), queries, keys, values, query=2, hidden=hidden)
    (head, *rows) = Reader(machine.html).tables[0]
    column = [float(row[head.index("softmax α")]) for row in rows]
    assert [column[i] for i in order] == pytest.approx(weights.flatten().tolist(), abs=0.0051)
    assert all(column[i] == 0 for i in hidden)
    written = machine.text.rpartition("= (")[2].partition(")")[0].replace("−", "-")
    assert [float(number) for number in written.split(", ")] == pytest.approx(output.flatten().tolist(), abs=0.0051)


@pytest.mark.parametrize(("scale", "shifted"), [(-4.0, True), (-1.0, False), (5.0, False), (13.0, True)])
def test_powers_that_cannot_be_read_are_brought_near_to_one(scale, shifted):
    ones = torch.ones(2, 1)
    text = repr(attention_machine(["a", "b"], ones, scale * ones, ones, show=()))
    assert ("take the largest score" in text) == shifted
    power = 1.0 if shifted else math.exp(scale)
    assert f"For a: {power:.2f} / {2 * power:.2f} = 0.50" in text


def test_steps_that_are_not_shown_are_not_computed():
    machine = attention_machine(show=["mask"], hidden=[1])
    assert WORDS["scale_root"] not in machine.html.partition("<script>")[0]
    assert len(repr(machine).splitlines()) == 6
    # Without the scale the score of "car" is 2, not 1.
    assert f"For car: {math.exp(2):.2f} / {math.exp(2) + 2:.2f} = 0.79" in repr(machine)


def rows_of(name, **given):
    _, table = Reader(attention_machine(show=["scale", name], **given).html).tables
    return {row[0]: row[1:] for row in table[1:]}


def test_the_kinds_of_mask_are_those_of_notebook_01():
    padding = [torch.tensor([0.0, 0, 0, 0]), torch.tensor([0.0, 2, 2, 0]), torch.tensor([5.0, 5])]
    queries, keys, values = (
        torch.cat([real[1:3], pad.expand(2, -1)]) for real, pad in zip((QUERIES, KEYS, VALUES), padding, strict=True)
    )
    rows = rows_of(
        "strategies",
        tokens=["red", "car", "pad", "pad"],
        queries=queries,
        keys=keys,
        values=values,
        query=1,
        hidden=[2, 3],
    )
    assert {name: (row[-2], row[-1]) for name, row in rows.items()} == {
        "no mask": ("1.00", "(5.46, 4.54)"),
        "zero fill": ("1.00", "(6.93, 3.07)"),
        "mask after": ("0.20", "(1.47, 0.54)"),
        "mask before": ("1.00", "(7.31, 2.69)"),
    }


def test_two_heads_are_pytorchs():
    rows = rows_of("heads")
    for head in (0, 1):
        q, k, v = (split_heads(x[None], 2)[:, head] for x in (QUERIES, KEYS, VALUES))
        output, weights = scaled_dot_product_attention(q, k, v)
        assert rows[f"head {head + 1}"] == [
            *(f"{weight:.2f}" for weight in weights[0, 2]),
            f"{output[0, 2].item():.2f}",
        ]


def test_the_gradient_is_pytorchs():
    matrix = torch.autograd.functional.jacobian(lambda scores: scores.softmax(0), KEYS @ QUERIES[2] / 2)
    found = [[float(cell.replace("−", "-")) for cell in row] for row in rows_of("gradient").values()]
    torch.testing.assert_close(torch.tensor(found), matrix, atol=0.0051, rtol=0)
    assert f"Norm of the whole: {matrix.norm():.3f}" in repr(attention_machine(show=["scale", "gradient"]))


def test_the_kinds_of_score_are_the_courses():
    additive = AdditiveScore(4, 4, 4)
    with torch.no_grad():
        for layer in (additive.W_q, additive.W_k):
            layer.weight.copy_(torch.eye(4))
        additive.w_v.weight.fill_(1)
        scores = [
            score(QUERIES[None], KEYS[None])[0, 2] for score in (DotProductScore(False), DotProductScore(), additive)
        ]
    cosines = torch.cosine_similarity(QUERIES[2], KEYS, dim=1)
    expected = torch.stack([*scores, cosines.acos().rad2deg()], dim=1)
    found = [[float(cell.removesuffix("°")) for cell in row] for row in rows_of("kinds").values()]
    torch.testing.assert_close(torch.tensor(found), expected, atol=0.51, rtol=0)
    torch.testing.assert_close(torch.tensor(found)[:, :3], expected[:, :3], atol=0.0051, rtol=0)
    nothing = rows_of("kinds", queries=torch.zeros(4, 4))
    assert {row[-1] for row in nothing.values()} == {"none"}  # a zero query has no direction


def test_in_theory_the_scale_keeps_the_spread_at_one():
    assert rows_of("width")["1024"] == ["32", "1", "0.03"]


def test_which_of_two_equal_tokens_is_meant_is_said():
    vectors = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    machine = attention_machine(["the", "car", "the", " "], vectors, vectors, query=2)
    assert "the (place 3) asks" in repr(machine)
    assert "the (place 1) 2, car 0, the (place 3) 1, ␣ 0" in repr(machine)


def test_a_token_is_a_token_whatever_is_in_it():
    square = torch.eye(7)
    harmless = attention_machine(list("abcdefg"), square, square, square, caption="caption")
    machine = attention_machine(NASTY, square, square, square, caption=NASTY[1])
    assert Reader(machine.html).tags == Reader(harmless.html).tags
    assert [row[0] for row in Reader(machine.html).tables[0][1:]] == NASTY


def test_other_numbers_do_not_have_the_names_of_the_running_examples():
    assert "redness" in attention_machine().html and "article" in attention_machine().html
    other = attention_machine(["a"], torch.ones(1, 3), torch.ones(1, 3), torch.ones(1, 1))
    assert "redness" not in other.html and "article" not in other.html


def test_it_loads_nothing_is_small_and_has_the_colours_of_the_course():
    machine = attention_machine(show=EVERYTHING).html
    assert "http" not in machine.replace("http://www.w3.org/2000/svg", "") and "import" not in machine
    assert len(machine.encode()) < 61_000
    assert machine.count("</script>") == 1 and machine.endswith("</script>") and "<!--" not in machine
    assert "//" not in machine.partition("<script>")[2].replace("http://", "")  # comments stay at home
    assert f"--query: {QUERY}; --key: {KEY}; --value: {VALUE}" in machine


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tokens": "CAR"}, r"tokens must be a sequence of tokens, not one string: list\('CAR'\)\?"),
        ({"tokens": []}, "tokens must be strings, at least one"),
        ({"tokens": [1, 2, 3, 4]}, "tokens must be strings"),
        ({"tokens": ["a"]}, r"queries must have a row for each of the 1 tokens, not shape \(4, 4\)"),
        ({"queries": torch.ones(4, 3)}, "queries and keys must have the same width, not 3 and 4"),
        ({"keys": torch.ones(4)}, r"keys must have a row for each of the 4 tokens, not shape \(4,\)"),
        ({"values": torch.ones(4, 0)}, r"not shape \(4, 0\)"),
        ({"values": [[1.0]]}, "values must be a tensor, not list"),
        ({"keys": torch.full((4, 4), -torch.inf)}, "keys must be finite numbers; to hide a token, name its place"),
        ({"show": ["scales"]}, "show must be of 'scale', 'mask', 'temperature', .*, not 'scales'"),
        ({"show": ["kinds"]}, '"kinds" is about the scale: show "scale" as well'),
        ({"show": ["scale", "kinds"], "scale": "width"}, 'not "width"'),
        ({"show": ["heads"], "values": torch.ones(4, 3)}, "they need an even width, not 4 and 3"),
        ({"show": "mask"}, "show must be of .*, not 'mask'"),
        ({"scale": "d"}, "scale must be of 'none', 'root', 'width', not 'd'"),
        ({"axes": ["a", "b"]}, "axes must name each of the 4 numbers, not 2"),
        ({"query": 4}, "query must be the place of a token, 0 to 3, not 4"),
        ({"hidden": [0, -1]}, "hidden must be the place of a token, 0 to 3, not -1"),
    ],
)
def test_bad_input_is_refused_in_the_users_words(given, message, as_a_user):
    with pytest.raises(ValueError, match=message):
        attention_machine(**given)
