"""A translator of real sentences that trains in two minutes: the shortest of a Tatoeba file."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from helpers.corpora import Example, Language, split, to_text, token_id
from helpers.metrics import bleu
from helpers.seq2seq import Encoder, LuongDecoder, Seq2Seq
from helpers.training import History
from helpers.translation import Translation, Translator, train_translator

PAIRS = 25_000  # of which 8 in 10 are for training
STEPS, BATCH_SIZE, MAX_LR, MIN_FREQUENCY = 1300, 128, 1e-2, 2
EMBED_DIM, HIDDEN_DIM, DROPOUT = 128, 160, 0.3

MEASURED = Path(__file__).with_name("real_pairs_measured.txt")


def short_sentences(examples: Sequence[Example], seed: int = 0) -> tuple[list[Example], list[Example]]:
    """About 20,000 pairs to train on and sentences held out, of the shortest English sentences.

    Sizes and steps were chosen with another part, which neither of the two has.
    """
    shortest: list[Example] = []
    pairs = 0
    for example in sorted(examples, key=lambda each: len(each.source)):
        if pairs >= PAIRS:
            break
        shortest.append(example)
        pairs += len(example.references)
    train, _, test = split(shortest, seed=seed)
    return list(train), list(test)  # type: ignore[arg-type]  # examples in, examples out


def train_on_real_pairs(
    train: Sequence[Example], language: Language, seed: int = 0, watch: Callable[[History], None] | None = None
) -> Translator:
    """A translator with attention, trained on real sentences; for `seed` and `watch` see `train_translator`."""

    def make_model(source_vocab: int, target_vocab: int) -> Seq2Seq:
        encoder = Encoder(source_vocab, EMBED_DIM, HIDDEN_DIM, bidirectional=True, dropout=DROPOUT)
        decoder: nn.Module = LuongDecoder(target_vocab, EMBED_DIM, HIDDEN_DIM, dropout=DROPOUT)
        return Seq2Seq(encoder, decoder, target_vocab, HIDDEN_DIM)

    translator, _ = train_translator(
        train,
        make_model,
        STEPS,
        seed,
        BATCH_SIZE,
        MAX_LR,
        unit="character" if language == "cmn" else "word",
        min_frequency=MIN_FREQUENCY,
        watch=watch,
    )
    return translator


@torch.no_grad()
def forbid_unknown(translator: Translator) -> None:
    """Let the translator never again write `<unk>`: where it would, it writes the next likeliest token."""
    unknown = token_id(translator.target_tokenizer, "<unk>")
    translator.model.linear.bias[unknown] = -torch.inf


def bleu_of(written: Sequence[Translation], examples: Sequence[Example], language: Language) -> float:
    """Corpus BLEU, 0 to 100, with all the references of each sentence; capitals don't count."""
    hypotheses = [to_text(one.tokens, language) for one in written]
    references = [each.references for each in examples]
    return bleu(hypotheses, references, tokenize="zh" if language == "cmn" else "13a", lowercase=True)


def measured() -> str:
    """How well `train_on_real_pairs` did: the stored table that `benchmarks.real_translation` printed."""
    return MEASURED.read_text(encoding="utf-8").rstrip()
