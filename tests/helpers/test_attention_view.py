"""The attention view's table, which is all that a reader without scripts gets; tests/browser has the rest."""

from html.parser import HTMLParser

import pytest
import torch

from helpers.attention_view import attention_view
from helpers.plotting import KEY, QUERY

SOURCE, TARGET = ("the", "red", "car"), ("voiture", "rouge")
WEIGHTS = torch.tensor([[0.1, 0.2, 0.7], [0.0, 0.9, 0.1]])  # (target, source)
HEADS = torch.stack([WEIGHTS, WEIGHTS.flip(1)])  # (head, target, source)


class Reader(HTMLParser):
    """What a browser that runs no scripts makes of it: the tables' rows, and every tag."""

    def __init__(self, html):
        super().__init__()
        self.tables, self.tags, self.open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, "every tag is closed in its place"

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data


def rows(view):
    (table,) = Reader(view.html).tables
    return table


def body(view):
    return [row[1:] for row in rows(view)[1:]]


def test_the_table_has_a_row_for_each_target_token_and_a_column_for_each_source_token():
    corner, *sources = rows(attention_view(WEIGHTS, SOURCE, TARGET, "Words cross."))[0]
    assert "target" in corner and sources == [*SOURCE]
    assert rows(attention_view(WEIGHTS, SOURCE, TARGET, "Words cross."))[1:] == [
        ["voiture", "0.10", "0.20", "0.70"],
        ["rouge", "0.00", "0.90", "0.10"],
    ]


def test_jupyter_gets_the_view_and_a_terminal_gets_its_caption_and_what_each_token_looks_at():
    view = attention_view(WEIGHTS, SOURCE, TARGET, "Words cross.")
    assert view._repr_html_() == view.html and "Words cross." in view.html
    assert repr(view).splitlines() == [
        "[attention view: Words cross.]",
        "voiture looks at car 0.70, red 0.20, the 0.10",
        "rouge looks at red 0.90, car 0.10",
    ]


def test_each_head_has_a_table_and_a_name():
    for names, expected in ((None, ["head 1", "head 2"]), (["Luong", "Bahdanau"], ["Luong", "Bahdanau"])):
        view = attention_view(HEADS, SOURCE, TARGET, "Two heads.", names)
        assert [table[1][1] for table in Reader(view.html).tables] == ["0.10", "0.70"]
        assert [name in view.html and name in view.text for name in expected] == [True, True]
    assert "head 1" not in attention_view(WEIGHTS, SOURCE, TARGET, "One.").html


NASTY = ["<eos ", "<script>alert(1)</script>", "</table>", '"><img src=x onerror=alert(1)>', "&amp;", "$x$", "{{ x }}"]


def test_a_token_is_a_token_whatever_is_in_it():
    harmless = attention_view(torch.eye(7), list("abcdefg"), list("abcdefg"), "caption")
    view = attention_view(torch.eye(7), NASTY, NASTY[::-1], NASTY[1])
    assert [row[0] for row in rows(view)[1:]] == NASTY[::-1] and rows(view)[0][1:] == NASTY
    assert Reader(view.html).tags == Reader(harmless.html).tags
    named = attention_view(torch.eye(7)[None], NASTY, NASTY, "caption", names=[NASTY[1]])
    assert Reader(named.html).tags == Reader(harmless.html).tags


def test_a_token_of_white_space_can_be_seen():
    assert rows(attention_view(torch.eye(2), [" ", "a"], ["\n", "b"], "caption"))[0][1:] == ["␣", "a"]


def test_what_follows_eos_and_padding_is_not_shown():
    source, target = ["a", "b", "<eos>", "<pad>", "<pad>"], ["b", "a", "<eos>", "b", "<eos>"]
    view = attention_view(torch.eye(5).flip(0), source, target, "caption")
    assert rows(view)[0][1:] == ["a", "b", "<eos>", "elsewhere"]
    assert [row[0] for row in rows(view)[1:]] == ["b", "a", "<eos>"]
    assert "<pad>" not in view.text and "b looks at nothing; elsewhere 1.00" in view.text
    assert rows(attention_view(torch.eye(2), ["a", "<pad>"], ["a", "<pad>"], "caption")) == [
        [rows(view)[0][0], "a"],
        ["a", "1.00"],
    ]


def test_weight_that_a_row_lacks_is_said_to_be_elsewhere_but_an_empty_row_has_none_to_give():
    weights = torch.tensor([[0.25, 0.25], [0.0, 0.0], [0.5, 0.5]])
    view = attention_view(weights, ["a", "b"], ["x", "y", "z"], "caption")
    assert body(view) == [["0.25", "0.25", "0.50"], ["0.00", "0.00", "0.00"], ["0.50", "0.50", "0.00"]]
    assert view.text.splitlines()[1:3] == ["x looks at a 0.25, b 0.25; elsewhere 0.50", "y looks at nothing"]


def test_rounding_alone_makes_nothing_elsewhere():
    assert all(
        row == ["0.03"] * 30 for row in body(attention_view(torch.full((2, 30), 1 / 30), ["s"] * 30, ["a", "b"], "c"))
    )


def test_the_same_weights_give_the_same_view_also_in_half_precision_and_with_gradients():
    view = attention_view(WEIGHTS, SOURCE, TARGET, "caption")
    assert attention_view(WEIGHTS.clone().requires_grad_(), SOURCE, TARGET, "caption") == view
    for precision in (torch.float16, torch.bfloat16):
        weights = torch.rand(40, 40).softmax(dim=1).to(precision)
        assert "elsewhere" not in attention_view(weights, ["s"] * 40, ["t"] * 40, "caption").text


def test_query_and_key_have_the_colours_of_the_course():
    assert f"--query: {QUERY}; --key: {KEY}" in attention_view(WEIGHTS, SOURCE, TARGET, "caption").html


@pytest.mark.parametrize("page", [(255, 255, 255), (17, 17, 17)], ids=["light", "dark"])
def test_numbers_stand_out_from_the_tint_of_their_cell_on_a_light_and_on_a_dark_page(page):
    ink = (0, 0, 0) if page[0] > 128 else (255, 255, 255)

    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (each / 255 for each in colour)]
        return sum(share * each for share, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    style = attention_view(torch.ones(1, 1), ["s"], ["t"], "caption").html.split("rgba(")[1].split(")")[0]
    *blue, tint = map(float, style.split(","))
    cell = [tint * b + (1 - tint) * p for b, p in zip(blue, page, strict=True)]
    lighter, darker = sorted((luminance(cell), luminance(ink)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5  # WCAG 2.1, success criterion 1.4.3; thinner tints have more


def test_a_view_loads_nothing_and_is_small():
    eight = torch.eye(10).flip(0).expand(8, -1, -1)
    view = attention_view(eight, list("BACKGROUND"), list("DNUORGKCAB"), "caption")
    assert "http" not in view.html.replace("http://www.w3.org/2000/svg", "") and "import" not in view.html
    table, _, script = view.html.partition("<script>")
    assert len(table) < 8 * 3_000 and len(script.encode()) < 30_000  # bytes
    assert "//" not in script.replace("http://", "")  # comments stay at home


def test_the_script_ends_where_its_element_ends():
    script = attention_view(WEIGHTS, SOURCE, TARGET, "caption").html.partition("<script>")[2]
    assert script.count("</") == 1 and script.endswith("</script>") and "<!--" not in script


HIDDEN = {2: (WEIGHTS[1:], ["rouge"]), 0: (WEIGHTS.flip(0), ["rouge", "voiture"])}


def test_what_the_model_wrote_without_a_source_token_has_a_table_of_its_own_and_is_said_in_words():
    view = attention_view(WEIGHTS, SOURCE, TARGET, "caption", without=HIDDEN)
    written, without_the, without_car = Reader(view.html).tables
    assert written == rows(attention_view(WEIGHTS, SOURCE, TARGET, "caption"))
    assert [row[0] for row in without_the[1:]] == ["rouge", "voiture"] and without_the[1] == written[2]
    assert without_car[1:] == [["rouge", "0.00", "0.90", "0.10"]]
    assert view.text.splitlines()[3:] == ["Without the: rouge voiture", "Without car: rouge"]
    assert '<details data-without="0"><summary>Without the: rouge voiture</summary>' in view.html


def test_which_of_several_equal_tokens_was_hidden_is_said_and_letters_are_written_as_one_word():
    view = attention_view(torch.eye(3), list("ABA"), list("ABA"), "caption", without={2: (torch.eye(3), list("BBA"))})
    assert view.text.splitlines()[-1] == "Without A (place 3): BBA"


def test_all_tables_have_the_column_elsewhere_if_one_of_them_needs_it():
    view = attention_view(WEIGHTS, SOURCE, TARGET, "caption", without={0: (WEIGHTS / 2, TARGET)})
    assert [table[1][-1] for table in Reader(view.html).tables] == ["0.00", "0.50"]


@pytest.mark.parametrize(
    ("without", "message"),
    [
        ({3: (WEIGHTS, TARGET)}, "without must name places of source tokens that are shown, 0 to 2, not 3"),
        ({-1: (WEIGHTS, TARGET)}, "not -1"),
        ({1: (WEIGHTS[:1], TARGET)}, r"without\[1\]: weights must have shape \(2, 3\)"),
        ({1: (HEADS, TARGET)}, r"without\[1\]: names must name each of the 2 heads, not 1"),
        ({1: (3 * WEIGHTS, TARGET)}, r"without\[1\]: .* target token 1 \(voiture\) sums to 3.00"),
    ],
)
def test_bad_input_of_what_was_written_without_a_token_is_refused(without, message, as_a_user):
    with pytest.raises(ValueError, match=message):
        attention_view(WEIGHTS, SOURCE, TARGET, "caption", without=without)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((WEIGHTS.T, SOURCE, TARGET), r"weights must have shape \(2, 3\) or \(heads, 2, 3\), .* not \(3, 2\)"),
        ((WEIGHTS[:, :2], SOURCE, TARGET), r"not \(2, 2\)"),
        ((WEIGHTS[0], SOURCE, TARGET), r"not \(3,\)"),
        ((HEADS[:0], SOURCE, TARGET), r"not \(0, 2, 3\)"),
        ((HEADS[None], SOURCE, TARGET), r"not \(1, 2, 2, 3\)"),
        ((WEIGHTS.tolist(), SOURCE, TARGET), "weights must be a tensor, not list"),
        ((WEIGHTS, "the", TARGET), r"source_tokens must be a sequence of tokens, not one string: list\('the'\)\?"),
        ((WEIGHTS, SOURCE, (4, 5)), "target_tokens must be strings, not ids"),
        ((WEIGHTS[:0], SOURCE, ()), "there is no target token to show"),
        ((WEIGHTS[:, :0], (), TARGET), "there is no source token to show"),
        ((torch.eye(1), ["<pad>"], ["a"]), "there is no source token to show"),
        ((3 * WEIGHTS, SOURCE, TARGET), r"target token 1 \(voiture\) sums to 3.00 .* are these scores\?"),
        ((WEIGHTS - 0.1, SOURCE, TARGET), r"target token 2 \(rouge\) sums to 0.70 and its smallest is -0.10"),
        ((WEIGHTS / 0, SOURCE, TARGET), r"target token 1 \(voiture\) sums to inf"),
        ((torch.stack([WEIGHTS, WEIGHTS.log()]), SOURCE, TARGET), r"head 2, target token 1 \(voiture\)"),
        ((HEADS, SOURCE, TARGET, "caption", ["one"]), "names must name each of the 2 heads, not 1"),
        ((WEIGHTS, SOURCE, TARGET, "caption", ["one", "two"]), "names must name each of the 1 heads, not 2"),
    ],
)
def test_bad_input_is_refused_in_the_users_words(arguments, message, as_a_user):
    if len(arguments) == 3:
        arguments = (*arguments, "caption")
    with pytest.raises(ValueError, match=message):
        attention_view(*arguments)


def test_one_model_can_have_a_name():
    assert "Luong" in attention_view(WEIGHTS, SOURCE, TARGET, "caption", ["Luong"]).html
