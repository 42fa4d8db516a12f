"""How well the translator of notebook 06 does on real sentences that it hasn't seen: BLEU, for three seeds.

    python -m benchmarks.real_translation fra=fra.txt

See `helpers.corpora.tatoeba` for how to get such a file; without one it says so. The file's shortest sentences are
split by English sentence, and all the translations that a sentence has are its references. A training takes one to
three minutes with one thread. `--seeds 0 1` trains with these seeds.

In its table *seconds* are those of the processor in training, *words* and *references* are means over the held-out
sentences, and BLEU is theirs: as the translator writes, and without `<unk>`. Notebook 06 shows the one that is stored:

    python -m benchmarks.real_translation fra=fra.txt cmn=cmn.txt --seeds 0 > helpers/real_pairs_measured.txt
"""

import argparse
import contextlib
import sys
import time

import torch

from helpers.corpora import tatoeba
from helpers.real_pairs import STEPS, bleu_of, forbid_unknown, short_sentences, train_on_real_pairs

AIM = 15.0  # BLEU
HEADER = "language seed   pairs  steps  seconds  held out  words  references  BLEU  without <unk>"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", metavar="LANGUAGE=PATH", help="fra=fra.txt or cmn=cmn.txt")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not arguments.files:
        print("No file of real sentences: python -m benchmarks.real_translation fra=fra.txt")
        return
    print(HEADER)
    for each in arguments.files:
        language, _, path = each.partition("=")
        examples = tatoeba(language, path)
        for seed in arguments.seeds:
            train, test = short_sentences(examples, seed)
            pairs = sum(len(example.references) for example in train)
            start = time.process_time()
            with contextlib.redirect_stdout(sys.stderr):  # the bar that shows how far it is doesn't belong to the table
                translator = train_on_real_pairs(train, language, seed)
            seconds = time.process_time() - start
            sources = [example.source for example in test]
            words = sum(len(source.split()) for source in sources) / len(test)
            references = sum(len(example.references) for example in test) / len(test)
            with_unknown = bleu_of(translator.translate(sources), test, language)
            forbid_unknown(translator)
            score = bleu_of(translator.translate(sources), test, language)
            print(
                f"{language:8} {seed:4}  {pairs:6,}  {STEPS:5,}  {seconds:7.0f}  {len(test):8,}  {words:5.1f}  "
                f"{references:10.1f}  {with_unknown:4.1f}  {score:13.1f}",
                flush=True,
            )
            if score < AIM:
                print(f"{language}, seed {seed}: BLEU {score:.1f}, and the aim is {AIM:.0f}", file=sys.stderr)


if __name__ == "__main__":
    main()
