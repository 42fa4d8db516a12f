"""The stored reversal model, and what a reader without scripts sees of it; tests/browser has the rest."""

import pytest
import torch

from helpers.metrics import exact_match
from helpers.reversal_model import WEIGHTS, load_reversal_model, reversal_model
from helpers.seq2seq import greedy_decode
from helpers.tasks import reverse_batch


def share_right(length):
    strings, targets = reverse_batch(500, length, torch.Generator().manual_seed(5))
    return exact_match(greedy_decode(load_reversal_model(), strings, length)[0], targets)


def test_the_stored_model_writes_words_of_ten_letters_backwards_and_fails_at_twenty():
    assert share_right(10) > 0.98 and share_right(20) < 0.5


def test_the_stored_model_is_small_and_in_half_precision():
    assert WEIGHTS.stat().st_size < 150_000
    assert WEIGHTS.stat().st_size < 2.1 * sum(p.numel() for p in load_reversal_model().parameters())


def test_a_reader_without_scripts_gets_the_word_written_backwards_and_its_weights():
    component = reversal_model("BOOKKEEPER")
    assert repr(component) == "[reversal model: BOOKKEEPER → REPEEKKOOB]"
    static = component.html.partition("<script>")[0]
    assert "<p>BOOKKEEPER → REPEEKKOOB</p>" in static and static.count("<td") == 100
    assert component._repr_html_() == component.html


def test_the_component_loads_nothing_and_is_small_beside_its_weights():
    script = reversal_model().html.partition("<script>")[2]
    weights = script.partition("const WEIGHTS = ")[2].partition(";")[0]
    assert len(script.encode()) - len(weights) < 30_000 and len(weights) < 150_000
    assert "http" not in script.replace(weights, "").replace("http://www.w3.org/2000/svg", "")
    assert script.count("</") == 1 and script.endswith("</script>")


@pytest.mark.parametrize(
    ("word", "message"),
    [("", "it is empty"), ("Été", "it has 'É'"), ("A" * 27, "word must have at most 26 letters, not 27")],
)
def test_a_word_that_the_model_cannot_read_is_refused(word, message, as_a_user):
    with pytest.raises(ValueError, match=message):
        reversal_model(word)
