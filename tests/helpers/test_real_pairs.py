"""What notebook 06 needs besides: short real sentences, and nouns put into other sentences."""

from pathlib import Path

import nbformat
import pytest
import torch
from torch import nn

from benchmarks.real_translation import AIM, HEADER
from helpers.corpora import Example, phrasebook
from helpers.patching import with_nouns_swapped_in
from helpers.real_pairs import STEPS, bleu_of, forbid_unknown, measured, short_sentences
from helpers.seq2seq import Encoder, LuongDecoder, Seq2Seq
from helpers.translation import train_translator


def small(source_vocab, target_vocab):
    return Seq2Seq(Encoder(source_vocab, 8, 8), LuongDecoder(target_vocab, 8, 8), target_vocab, 8)


def test_the_shortest_sentences_are_split_with_their_references_together(monkeypatch):
    monkeypatch.setattr("helpers.real_pairs.PAIRS", 40)
    examples = [Example(f"{'x' * n} {n}", ("a", "b")) for n in range(100, 0, -1)]
    train, test = short_sentences(examples)
    chosen = {each.source for each in train + test}
    assert len(train) == 16 and len(test) == 2  # 2 more are kept for choices
    assert chosen <= {f"{'x' * n} {n}" for n in range(1, 21)}


def test_a_noun_is_put_into_another_sentence_and_looked_for_in_what_is_written():
    pairs = phrasebook("fra", size=100)
    translator, _ = train_translator(pairs, small, steps=1, batch_size=10)
    nn.init.zeros_(translator.model.linear.weight)
    nn.init.zeros_(translator.model.linear.bias)
    always = translator.target_tokenizer.token_to_id("chat")
    translator.model.linear.bias.data[always] = 1.0  # it writes the same noun at every step
    cases = with_nouns_swapped_in(translator, pairs, cases=60)
    assert len(cases) == 60 and {word for case in cases for word in case.tokens} == {"chat"}
    assert all(case.came == (case.noun == "cat") and case.stayed == (case.replaced == "cat") for case in cases)
    with pytest.raises(ValueError, match="two sentences with different nouns"):
        with_nouns_swapped_in(translator, [])


def test_a_translator_that_must_not_write_unk_writes_the_next_likeliest_token():
    examples = [Example("One two.", ("un deux .", "un , deux .")), Example("Two.", ("deux .",))]

    translator, _ = train_translator(examples, small, steps=1, batch_size=2, unit="word")
    nn.init.zeros_(translator.model.linear.weight)
    ids = [translator.target_tokenizer.token_to_id(token) for token in ("<unk>", "deux")]
    translator.model.linear.bias.data[ids] = torch.tensor([9.0, 8.0])
    assert set(translator.translate(["Two."])[0].tokens) == {"<unk>"}
    forbid_unknown(translator)
    written = translator.translate(["Two.", "One two."], max_len=2)
    assert {token for one in written for token in one.tokens} == {"deux"}
    assert bleu_of(written, examples, "fra") == 0.0  # no run of three


def test_the_stored_scores_are_those_of_todays_recipe_and_the_notebook_shows_them():
    header, *rows = measured().splitlines()
    assert header == HEADER
    assert [row.split()[0] for row in rows] == ["fra", "cmn"]
    assert {row.split()[3] for row in rows} == {f"{STEPS:,}"}, "benchmarks/real_translation.py says how to store anew"
    assert float(rows[0].split()[-1]) > AIM
    path = Path(__file__).parents[2] / "notebooks" / "06_translation.ipynb"
    shown = next(cell for cell in nbformat.read(path, as_version=4).cells if cell.id == "real-measured")
    assert measured() in shown.outputs[0].text
