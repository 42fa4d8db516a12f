"""Translating the phrasebook, with attention and without, and, where there is a file of them, Tatoeba's real pairs.

Held-out sentences are new sentences; new combinations are sentences in which an adjective meets its noun, or a verb its
object, for the first time. Neither set shares a sentence with training. Sizes, steps and learning rates were chosen on
another draw of the phrasebook. Every model is trained once, with one thread: on a quiet machine the processor time is
the time that one waits.

Run it with `python benchmarks/translation.py`: it takes about five minutes. Seconds depend on the machine. With
`--steps-divided-by 50` it only shows that everything runs. `--tatoeba fra=fra.txt` (or `cmn=cmn.txt`) trains on real
pairs instead (see `helpers.corpora.tatoeba` for how to get them).
"""

import argparse
import time
from collections.abc import Sequence

import torch
from torch import nn

from helpers.corpora import Pair, phrasebook, split, split_new_combinations, tatoeba, to_text
from helpers.metrics import bleu
from helpers.seq2seq import BahdanauDecoder, Encoder, LuongDecoder, PlainDecoder, Seq2Seq
from helpers.translation import MakeModel, Translation, Translator, train_translator

NAMES = {"fra": "French", "cmn": "Chinese"}
STEPS, MAX_LR = 1200, 1e-2
MIN_HELD_OUT, MIN_NEW, MAX_SECONDS = 0.98, 0.90, 90
LONG = 11  # English tokens, with the full stop


def model_of(decoder: type[nn.Module], embed_dim: int, hidden_dim: int, **options) -> MakeModel:
    def make_model(source_vocab: int, target_vocab: int) -> Seq2Seq:
        encoder = Encoder(source_vocab, embed_dim, hidden_dim, bidirectional=True, **options)
        return Seq2Seq(encoder, decoder(target_vocab, embed_dim, hidden_dim, **options), target_vocab, hidden_dim)

    return make_model


def exact_match(written: Sequence[Translation], pairs: Sequence[Pair]) -> float:
    return sum(one.tokens == pair.target for one, pair in zip(written, pairs, strict=True)) / len(pairs)


def bleu_of(written: Sequence[Translation], references: Sequence[Sequence[str]], language: str) -> float:
    hypotheses = [to_text(one.tokens, language) for one in written]
    return bleu(hypotheses, references, tokenize="zh" if language == "cmn" else "13a", lowercase=True)


def report(translator: Translator, pairs: Sequence[Pair], what: str) -> float:
    """Print how well the pairs are translated; return the exact match."""
    written = translator.translate([pair.source_text for pair in pairs])
    exact, score = exact_match(written, pairs), bleu_of(written, [[p.target_text] for p in pairs], pairs[0].language)
    long = [index for index, pair in enumerate(pairs) if len(pair.source) >= LONG]
    long_exact = exact_match([written[i] for i in long], [pairs[i] for i in long])
    print(
        f"    {what:16} ({len(pairs):,}): exact match {exact:6.1%}, BLEU {score:5.1f}; "
        f"exact match from {LONG} tokens on {long_exact:6.1%}",
        flush=True,
    )
    return exact


def measure(language: str, name: str, make_model: MakeModel, steps: int, aim: bool = False) -> None:
    """Train on the phrasebook and report; with `aim`, say whether the course's aims are reached."""
    train, held_out, new = split_new_combinations(phrasebook(language, seed=1))
    start, start_of_work = time.perf_counter(), time.process_time()
    translator, _ = train_translator(train, make_model, steps, max_lr=MAX_LR)
    seconds = time.process_time() - start_of_work
    waited = time.perf_counter() - start
    print(f"English → {NAMES[language]}, {name}: {steps} steps, {seconds:.0f} s of processor time in {waited:.0f} s")
    right = report(translator, held_out, "held-out")
    right_new = report(translator, new, "new combinations")
    if aim:
        reached = right >= MIN_HELD_OUT and right_new >= MIN_NEW and seconds <= MAX_SECONDS
        print(
            f"    aim: at least {MIN_HELD_OUT:.0%} and {MIN_NEW:.0%} in at most {MAX_SECONDS} s of processor time: "
            f"{'reached' if reached else 'NOT REACHED'}"
        )


def measure_phrasebook(divisor: int) -> None:
    steps = STEPS // divisor
    for language in NAMES:
        measure(language, "LSTM, Luong", model_of(LuongDecoder, 96, 128, rnn=nn.LSTM), steps, aim=True)
        measure(language, "LSTM, no attention", model_of(PlainDecoder, 96, 128, rnn=nn.LSTM), steps)
    two_layers = model_of(BahdanauDecoder, 48, 64, num_layers=2, dropout=0.1)
    measure("cmn", "two GRU layers with dropout, Bahdanau", two_layers, steps)


def measure_tatoeba(language: str, path: str, divisor: int) -> None:
    examples = tatoeba(language, path)
    train, _, test = split(examples, seed=1)
    unit = "character" if language == "cmn" else "word"
    print(f"English → {NAMES[language]}: {len(examples):,} sentences of Tatoeba, {len(train):,} to train on")
    for name, decoder in (("LSTM, Luong", LuongDecoder), ("LSTM, no attention", PlainDecoder)):
        start = time.perf_counter()
        make_model = model_of(decoder, 96, 128, rnn=nn.LSTM, dropout=0.1)
        options = {"unit": unit, "min_frequency": 2, "max_lr": MAX_LR}
        translator, _ = train_translator(train, make_model, STEPS // divisor, **options)
        print(f"    {name}: {STEPS // divisor} steps in {time.perf_counter() - start:.0f} s")
        for what, part in (("training", train[: len(test)]), ("held-out", test)):
            written = translator.translate([each.source for each in part])
            score = bleu_of(written, [each.references for each in part], language)
            print(f"        BLEU {score:5.1f} on {len(part):,} {what} sentences", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--steps-divided-by", type=int, default=1, metavar="N", help="train only 1/N as long, to try it"
    )
    parser.add_argument(
        "--tatoeba", action="append", metavar="LANGUAGE=PATH", help="real pairs instead: fra=fra.txt or cmn=cmn.txt"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for each in arguments.tatoeba or []:
        language, _, path = each.partition("=")
        measure_tatoeba(language, path, arguments.steps_divided_by)
    if not arguments.tatoeba:
        measure_phrasebook(arguments.steps_divided_by)


if __name__ == "__main__":
    main()
