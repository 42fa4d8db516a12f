"""What the state view puts into a page; tests/browser steps through it."""

import pytest
import torch

from helpers.state_view import state_view

STATES = torch.tensor([[0.5, -0.25], [1.0, 0.0]])


def test_a_reader_without_scripts_gets_every_state_and_what_was_written_back_from_it():
    static = state_view(STATES, "GO", ["G", "OX"], ["G", "OG"], "Two <b>letters").html.partition("<script>")[0]
    assert static.count("<svg") == 2 and static.count("<rect") == 4
    assert 'aria-label="2 numbers, from -0.25 to 0.50"' in static
    assert "<td>G</td>" in static and "<td>O<u>X</u></td>" in static and "Two &lt;b&gt;letters" in static


def test_a_terminal_gets_a_sentence_for_each_step():
    *_, first, second = repr(state_view(STATES, "GO", ["G", "OX"], ["G", "OG"], "Two letters.")).splitlines()
    assert first == "It has read G. From this state alone, G is written: right in every letter."
    assert "OX is written: 1 of 2 letters wrong. Right would be OG." in second


def test_a_number_is_as_strong_as_it_is_far_from_zero_and_grey_if_it_is_negative():
    html = state_view(torch.tensor([[0.5, -2.0]]), "G", ["G"], ["G"], "One letter.").html
    assert 'fill="#CC79A7" fill-opacity="0.50"' in html and 'fill="#777777" fill-opacity="1.00"' in html


def test_it_loads_nothing_from_anywhere():
    script = state_view(STATES, "GO", ["G", "OG"], ["G", "OG"], "").html.partition("<script>")[2]
    assert "http" not in script.replace("http://www.w3.org/2000/svg", "")
    assert script.count("</") == 1 and script.endswith("</script>")


@pytest.mark.parametrize(
    ("read", "written", "message"),
    [("G", ["G", "OG"], "2 states need as many letters read"), ("GO", ["G", "O"], "'O' isn't as 'OG'")],
)
def test_what_does_not_fit_is_refused(read, written, message, as_a_user):
    with pytest.raises(ValueError, match=message):
        state_view(STATES, read, written, ["G", "OG"], "")
