"""Putting an encoder's output into another sentence: does the decoder take each word from its place?"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from helpers.corpora import Pair, encode_batch, token_id
from helpers.phrasebook_words import NOUNS
from helpers.translation import Translator


@dataclass(frozen=True)
class Swapped:
    """A sentence that was translated with another one's noun in the place of its own."""

    tokens: tuple[str, ...]  # what the model wrote
    noun: str  # the English noun whose encoder output was put in
    replaced: str  # the English noun in whose place it was put
    came: bool  # whether the translation has the first
    stayed: bool  # whether it has the second


def with_nouns_swapped_in(
    translator: Translator, pairs: Sequence[Pair], seed: int = 0, cases: int = 200
) -> list[Swapped]:
    """Translate sentences in which the encoder's output for a noun is that for another noun in another sentence.

    Everything else is the first sentence's: the other outputs, and the state that the decoder starts from. The
    sentences are drawn from `pairs`.

    Raises:
        ValueError: if `pairs` has no two sentences with different nouns.
    """
    draw = random.Random(seed)
    nouns = [(pair, place) for pair in pairs for place in _nouns(pair)]
    if len({pair.source[place] for pair, place in nouns}) < 2:
        raise ValueError("pairs must have two sentences with different nouns")
    chosen: list[tuple[tuple[Pair, int], tuple[Pair, int]]] = []
    while len(chosen) < cases:
        into, out_of = draw.sample(nouns, 2)
        if _rendering(*out_of) not in into[0].target:
            chosen.append((into, out_of))
    written = _translate(translator, chosen)
    return [
        Swapped(
            tokens,
            out_of[0].source[out_of[1]],
            into[0].source[into[1]],
            _rendering(*out_of) in tokens,
            _rendering(*into) in tokens,
        )
        for tokens, (into, out_of) in zip(written, chosen, strict=True)
    ]


def _nouns(pair: Pair) -> list[int]:
    """The places of nouns that the translation renders by one word."""
    return [
        place
        for place, word in enumerate(pair.source)
        if word in NOUNS and sum(source == place for _, source in pair.alignment) == 1
    ]


def _rendering(pair: Pair, place: int) -> str:
    return next(pair.target[target] for target, source in pair.alignment if source == place)


@torch.no_grad()
def _translate(
    translator: Translator, chosen: Sequence[tuple[tuple[Pair, int], tuple[Pair, int]]], max_len: int = 30
) -> list[tuple[str, ...]]:
    model, vocabulary = translator.model.eval(), translator.target_tokenizer
    device = next(model.parameters()).device

    def encode(sentences: list[str]) -> tuple[Tensor, Tensor]:
        ids, valid_lens = encode_batch(translator.source_tokenizer, sentences)
        return ids.to(device), valid_lens.to(device)

    ids, valid_lens = encode([into[0].source_text for into, _ in chosen])
    encoder_out, state = model.encoder(ids, valid_lens)  # (case, source, hidden)
    others, _ = model.encoder(*encode([out_of[0].source_text for _, out_of in chosen]))
    rows = torch.arange(len(chosen), device=device)
    places, their_places = ([each[part][1] for each in chosen] for part in (0, 1))
    encoder_out[rows, places] = others[rows, their_places]

    token = torch.full((len(chosen), 1), token_id(vocabulary, "<bos>"), device=device)
    steps = []
    for _ in range(max_len):
        output, state, _ = model.decoder(encoder_out, token, state, valid_lens)
        token = model.linear(output).argmax(dim=-1)  # (case, 1)
        steps.append(token)
    end = token_id(vocabulary, "<eos>")
    written = []
    for row in torch.cat(steps, dim=1).tolist():
        row = row[: row.index(end)] if end in row else row
        written.append(tuple(vocabulary.id_to_token(each) or "" for each in row))
    return written
