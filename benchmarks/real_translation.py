"""How well the translator of notebook 06 does on real sentences that it hasn't seen: BLEU, for three seeds.

    python -m benchmarks.real_translation fra=fra.txt

See `helpers.corpora.tatoeba` for how to get such a file; without one it says so. The file's shortest sentences are
split by English sentence, and all the translations that a sentence has are its references. A training takes one to two
minutes with one thread. `--seeds 0 1` trains with these seeds.
"""

import argparse
import time

import torch

from helpers.corpora import tatoeba
from helpers.real_pairs import bleu_of, forbid_unknown, short_sentences, train_on_real_pairs

AIM = 15.0  # BLEU


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", metavar="LANGUAGE=PATH", help="fra=fra.txt or cmn=cmn.txt")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not arguments.files:
        print("No file of real sentences: python -m benchmarks.real_translation fra=fra.txt")
    for each in arguments.files:
        language, _, path = each.partition("=")
        examples = tatoeba(language, path)
        for seed in arguments.seeds:
            train, test = short_sentences(examples, seed)
            pairs = sum(len(example.references) for example in train)
            start = time.process_time()
            translator = train_on_real_pairs(train, language, seed)
            seconds = time.process_time() - start
            sources = [example.source for example in test]
            words = sum(len(source.split()) for source in sources) / len(test)
            references = sum(len(example.references) for example in test) / len(test)
            with_unknown = bleu_of(translator.translate(sources), test, language)
            forbid_unknown(translator)
            score = bleu_of(translator.translate(sources), test, language)
            reached = "reached" if score >= AIM else "NOT REACHED"
            print(
                f"English → {language}, seed {seed}: {pairs:,} pairs, {seconds:.0f} s of processor time, "
                f"BLEU {with_unknown:.1f} on {len(test):,} held-out sentences ({words:.1f} words and {references:.1f} "
                f"references each), {score:.1f} if it mustn't write <unk>; "
                f"aim {AIM:.0f}: {reached}",
                flush=True,
            )


if __name__ == "__main__":
    main()
