"""The mistakes that people make in `bleu`, each with the wrong implementations that show it."""

import re
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import torch
from sacrebleu.metrics import BLEU, CHRF

from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.spoiling import remembering


def _corpus_bleu(hypotheses: list[str], references: list[list[str]], **options: Any) -> float:
    """What sacreBLEU says. It wants a list of all first references, one of all second ones, and so on."""
    columns = [list(column) for column in zip_longest(*references)]
    return BLEU(force=True, **options).corpus_score(hypotheses, columns).score


def _scoring(**options: Any) -> Callable:
    """sacreBLEU with other settings."""
    return lambda hypotheses, references: _corpus_bleu(hypotheses, references, **options)


def _splitting(split: Callable[[str], str]) -> Callable:
    """sacreBLEU on texts that were split beforehand, its own tokenizer switched off."""
    return lambda hypotheses, references: _corpus_bleu(
        list(map(split, hypotheses)), [list(map(split, several)) for several in references], tokenize="none"
    )


def _without_the_empty(hypotheses: list[str], references: list[list[str]]) -> float:
    kept = [index for index, hypothesis in enumerate(hypotheses) if hypothesis]
    return _corpus_bleu([hypotheses[index] for index in kept], [references[index] for index in kept])


def _mean(score: Callable) -> Callable:
    """The mean of the sentences' scores."""
    return lambda hypotheses, references: (
        sum(score(hypothesis, several) for hypothesis, several in zip(hypotheses, references, strict=True))
        / len(hypotheses)
    )


def _sentence_bleu(hypothesis: str, several: list[str]) -> float:
    return BLEU(effective_order=True).sentence_score(hypothesis, several).score


def _corpus_of_one(hypothesis: str, several: list[str]) -> float:
    return _corpus_bleu([hypothesis], [several])


def _as_columns(hypotheses: list[str], references: list[list[str]]) -> float:
    """The references as they are, taken for what sacreBLEU wants."""
    return BLEU(force=True).corpus_score(hypotheses, references).score


def _choosing(choose: Callable) -> Callable:
    return lambda hypotheses, references: _corpus_bleu(hypotheses, [choose(several) for several in references])


def _swapped(hypotheses: list[str], references: list[list[str]]) -> float:
    return _corpus_bleu([each[0] for each in references], [[each] for each in hypotheses])


def _in_one(references: list[list[str]]) -> list[str]:
    return [reference for several in references for reference in several]


def _each_against_all(hypotheses: list[str], references: list[list[str]]) -> float:
    return _corpus_bleu(hypotheses, [_in_one(references)] * len(hypotheses))


def _letters(hypotheses: list[str], references: list[list[str]]) -> float:
    return _corpus_bleu(
        [" ".join(sentence) for sentence in hypotheses],
        [[" ".join(sentence) for sentence in several] for several in references],
    )


def _fewest_columns(hypotheses: list[str], references: list[list[str]]) -> float:
    fewest = min(map(len, references))
    return _corpus_bleu(hypotheses, [several[:fewest] for several in references])


def _filled_with_nothing(hypotheses: list[str], references: list[list[str]]) -> float:
    most = max(map(len, references))
    return _corpus_bleu(hypotheses, [several + [""] * (most - len(several)) for several in references])


def _of_each_column(pick: Callable) -> Callable:
    """A score for all first references, one for all second ones, and so on; then their mean, or the best."""

    def bleu(hypotheses, references):
        columns = range(max(map(len, references)))
        return pick(
            [_corpus_bleu(hypotheses, [[several[min(i, len(several) - 1)]] for several in references]) for i in columns]
        )

    return bleu


def _repeated(hypotheses: list[str], references: list[list[str]]) -> float:
    """Each reference with a copy of the hypothesis: a pair a line."""
    pairs = [
        (hypothesis, reference)
        for hypothesis, several in zip(hypotheses, references, strict=True)
        for reference in several
    ]
    return _corpus_bleu([pair[0] for pair in pairs], [[pair[1]] for pair in pairs])


def _converted(convert: Callable[[float], Any]) -> Callable:
    return lambda hypotheses, references: convert(_corpus_bleu(hypotheses, references))


def _popping(hypotheses: list[str], references: list[list[str]]) -> float:
    score = _corpus_bleu(hypotheses, references)
    most = max(map(len, references))
    for several in references:
        several += [""] * (most - len(several))
    return score


def _whole_object(hypotheses: list[str], references: list[list[str]]) -> Any:
    return BLEU(force=True).corpus_score(hypotheses, [list(column) for column in zip_longest(*references)])


def _without_brevity(hypotheses: list[str], references: list[list[str]]) -> float:
    found = _whole_object(hypotheses, references)
    return found.score / found.bp


def _one_precision(order: int) -> Callable:
    return lambda hypotheses, references: float(_whole_object(hypotheses, references).precisions[order])


def _mean_precision(hypotheses: list[str], references: list[list[str]]) -> float:
    return sum(_whole_object(hypotheses, references).precisions) / 4


def _joined(hypotheses: list[str], references: list[list[str]]) -> float:
    """All sentences as one."""
    return _corpus_bleu([" ".join(hypotheses)], [[" ".join(column) for column in zip(*references, strict=False)]])


def _chrf(hypotheses: list[str], references: list[list[str]]) -> float:
    most = max(map(len, references))
    filled = [several + several[:1] * (most - len(several)) for several in references]
    return CHRF().corpus_score(hypotheses, [list(column) for column in zip(*filled, strict=True)]).score


MISTAKES = (
    Misconception(
        "mean-of-sentence-scores",
        "it is the mean of the sentences' scores",
        "BLEU counts runs of words over the *whole* corpus, and then takes the shares. Most single sentences have no "
        "run of four in common with their reference, and a mean of their scores is another number, which nobody else "
        "reports.",
        (_mean(_sentence_bleu), _mean(_corpus_of_one)),
    ),
    Misconception(
        "swapped",
        "hypotheses and references are swapped",
        "Precision asks how much of what the *model* wrote is in a reference, and the penalty is for a model that "
        "writes too little. Swapped, a model that writes too much is punished for it, and one that writes too little "
        "isn't.",
        (_swapped,),
    ),
    Misconception(
        "characters",
        "characters are scored, not words",
        "A string is a sequence of characters, and most sentences share most of those: the score is far too high. "
        "sacreBLEU splits into words by itself if it is given whole sentences.",
        (
            _scoring(tokenize="char"),
            _letters,
            lambda hypotheses, references: _corpus_bleu(
                [" ".join(sentence.replace(" ", "")) for sentence in hypotheses],
                [[" ".join(sentence.replace(" ", "")) for sentence in several] for several in references],
            ),
        ),
    ),
    Misconception(
        "references-not-transposed",
        "the references go in as they come",
        "Here `references[i]` holds all references of sentence i. sacreBLEU wants it the other way round: a list of "
        "all *first* references, a list of all second ones. Given as they come, it fails, or (where the numbers "
        "happen to agree) compares sentences with others' references.",
        (
            _as_columns,
            lambda hypotheses, references: BLEU(force=True).corpus_score(hypotheses, [_in_one(references)]).score,
            lambda hypotheses, references: BLEU(force=True).corpus_score(hypotheses, _in_one(references)).score,
        ),
    ),
    Misconception(
        "one-reference-of-several",
        "only one of several references counts",
        "A sentence can be said in many ways. Where several are written down, each of them should count.",
        (
            _choosing(lambda several: several[:1]),
            _choosing(lambda several: several[-1:]),
            _choosing(lambda several: [max(several, key=len)]),
            _choosing(lambda several: [min(several, key=len)]),
            _choosing(lambda several: several[:2]),
        ),
    ),
    Misconception(
        "as-many-references-for-all",
        "it needs as many references for every sentence",
        "Some sentences have more references than others. Cut to the fewest, some aren't used; filled up with empty "
        "strings, an empty one may be the nearest in length, and then being short isn't punished. sacreBLEU takes "
        "None where there is none.",
        (
            _fewest_columns,
            _filled_with_nothing,
            lambda hypotheses, references: (
                BLEU(force=True)
                .corpus_score(hypotheses, [[several[i] for several in references] for i in range(len(references[0]))])
                .score
            ),
            lambda hypotheses, references: (
                BLEU(force=True)
                .corpus_score(
                    hypotheses, [[several[i] for several in references] for i in range(max(map(len, references)))]
                )
                .score
            ),
        ),
    ),
    Misconception(
        "each-reference-by-itself",
        "each reference is scored by itself",
        "With several references a run of words counts if it is in *any* of them. That is not the mean of the scores "
        "with each, nor the best of them, nor a corpus with the sentence once for each reference.",
        (
            _of_each_column(lambda scores: sum(scores) / len(scores)),
            _of_each_column(max),
            _of_each_column(min),
            _repeated,
        ),
    ),
    Misconception(
        "all-references-for-all",
        "a sentence is compared with other sentences' references",
        "`references[i]` is what `hypotheses[i]` is compared with, and nothing else.",
        (
            _each_against_all,
            lambda hypotheses, references: _corpus_bleu(hypotheses, references[::-1]),
            _joined,
        ),
    ),
    Misconception(
        "other-settings",
        "sacreBLEU has other settings",
        "The lab asks for sacreBLEU as it is without any settings: its own splitting into words (`13a`), capitals "
        "count, its own smoothing. Numbers with other settings can't be compared.",
        (
            _scoring(tokenize="none"),
            _scoring(lowercase=True),
            _scoring(smooth_method="none"),
            _scoring(smooth_method="add-k"),
            _scoring(smooth_method="floor"),
            _scoring(effective_order=True),
            _scoring(max_ngram_order=2),
            _scoring(tokenize="intl", lowercase=True),
            _scoring(tokenize="none", lowercase=True),
        ),
    ),
    Misconception(
        "no-brevity-penalty",
        "being too short costs nothing",
        "Without the brevity penalty it would pay to write only the words that one is sure of.",
        (_without_brevity,),
    ),
    Misconception(
        "another-measure",
        "it is another measure than BLEU",
        "BLEU is the geometric mean of the shares of runs of one, two, three *and* four words, with the brevity "
        "penalty. In what sacreBLEU returns it is called `score`.",
        (
            _one_precision(0),
            _one_precision(1),
            _one_precision(3),
            _mean_precision,
            _chrf,
            lambda hypotheses, references: (
                100
                * sum(hypothesis in several for hypothesis, several in zip(hypotheses, references, strict=True))
                / len(hypotheses)
            ),
        ),
    ),
    Misconception(
        "another-scale",
        "the score is on another scale, or rounded",
        "The score goes from 0 to 100, as sacreBLEU gives it, and isn't rounded here: rounding is for printing.",
        (
            _converted(lambda score: score / 100),
            _converted(lambda score: round(score, 1)),
            _converted(lambda score: float(round(score))),
            _converted(lambda score: round(score, 2)),
        ),
    ),
    Misconception(
        "another-tokenizer",
        "the texts are split in another way than sacreBLEU's",
        "sacreBLEU splits texts into tokens itself, so that scores can be compared: leave the sentences as they are. "
        "(Its default keeps `isn't` and `red-haired` whole; a pattern for words would cut them.)",
        (
            _splitting(lambda text: " ".join(re.findall(r"\w+|[^\w\s]", text))),
            _splitting(lambda text: re.sub(r"([.,!?])", r" \1", text)),
            _scoring(tokenize="intl"),
            _scoring(tokenize="zh"),
        ),
    ),
    Misconception(
        "fails-on-nothing",
        "an empty hypothesis isn't counted, or is too much",
        "A model may write nothing at all. Its reference counts all the same: the corpus has become too short.",
        (_without_the_empty,),
    ),
    mistakes.ANSWERS_FROM_MEMORY.row(remembering(_corpus_bleu)),
    mistakes.SMALL_SIZES_ONLY.row(
        lambda hypotheses, references: _corpus_bleu(hypotheses[:64], references[:64]),
        lambda hypotheses, references: _corpus_bleu(hypotheses, [several[:4] for several in references]),
    ),
    mistakes.NOT_A_FLOAT.explained(
        "sacreBLEU returns an object with the score, the four precisions and more; here only its `score` is asked for.",
        _whole_object,
        _converted(str),
        _converted(torch.tensor),
        _converted(lambda score: (score,)),
        _converted(lambda score: f"{score:.2f}"),
    ),
    mistakes.WRITES_INTO_ARGUMENTS.explained(
        "The score is right, but the references aren't what they were. Make lists of your own (`append`, `+=` and "
        "`pop` change the caller's).",
        _popping,
    ),
    mistakes.nothing_returned(),
)
