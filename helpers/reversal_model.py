"""Notebook 00's reversal model in the page: type a word, and watch it written backwards, without a kernel.

The model was trained by the notebook's own cells (`python -m tools.export_reversal_model`), and its weights, in half
precision, are put into the page together with `reversal_network.js`, which is the model once more, and
`reversal_model.js`, what one sees of it. Where scripts don't run, a table of one word is left.
"""

import base64
import html
from pathlib import Path

from safetensors.torch import load_file

from helpers.attention_view import table_of
from helpers.component import Component, script
from helpers.plotting import KEY, QUERY, VALUE
from helpers.reversal_model_words import WORDS
from helpers.seq2seq import Encoder, LuongDecoder, Seq2Seq, greedy_decode
from helpers.tasks import VOCAB_SIZE, decode, encode

WEIGHTS = Path(__file__).with_name("reversal_model.safetensors")
MOST = 26  # letters that the page has room for


def load_reversal_model() -> Seq2Seq:
    """The model that runs in the page, in evaluation mode."""
    encoder = Encoder(VOCAB_SIZE, embed_dim=32, hidden_dim=64, bidirectional=True)
    model = Seq2Seq(encoder, LuongDecoder(VOCAB_SIZE, embed_dim=32, hidden_dim=64), VOCAB_SIZE, hidden_dim=64)
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()


def reversal_model(word: str = "BACKGROUND") -> Component:
    """The trained reversal model, to type words into. It begins with `word`.

    Raises:
        ValueError: if `word` isn't 1 to 26 capital letters from A to Z.
    """
    if len(word) > MOST:
        raise ValueError(f"word must have at most {MOST} letters, not {len(word)}")
    ids, weights = greedy_decode(load_reversal_model(), encode(word)[None], len(word))
    assert weights is not None  # the decoder attends
    written = WORDS["wrote"].format(word=word, written=decode(ids[0]))
    rows = [[f"{weight:.2f}" for weight in row] for row in weights[0].tolist()]
    tokens = base64.b64encode(WEIGHTS.read_bytes()).decode()
    return Component(
        "\n".join(
            [
                f'<div class="reversal-model tex2jax_ignore mathjax_ignore" data-word="{html.escape(word)}" '
                f'style="--query: {QUERY}; --key: {KEY}; --value: {VALUE}">',
                table_of(rows, list(word), [decode(each[None]) for each in ids[0]], WORDS["table"]),
                f"<p>{written}</p>",
                f"<p><em>{WORDS['caption']}</em></p>",
                f"<p><small>{WORDS['run']}</small></p>",
                "</div>",
                script("reversal_model", WORDS, before="reversal_network", WEIGHTS=tokens, MOST=MOST),
            ]
        ),
        f"[reversal model: {written}]",
    )
