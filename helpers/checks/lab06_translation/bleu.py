"""`bleu`: what a right answer does."""

import copy
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from helpers.checks.engine import CannotObserve, Case, Draw, Exercise, Property
from helpers.checks.judging import at_any_size, each_for_itself, leaves_arguments_alone
from helpers.checks.lab06_translation.bleu_mistakes import MISTAKES

_WORDS = ("the", "small", "cat", "sees", "a", "dog", "near", "house", "and", "sleeps", "red", "bird")


def _bleu_oracle(hypotheses: list[str], references: list[list[str]]) -> float:
    """Papineni et al. (2002) by the definition, with Post's smoothing, for texts without XML's escapes."""
    found, possible, length, closest = [0] * 4, [0] * 4, 0, 0
    for hypothesis, several in zip(hypotheses, references, strict=True):
        words, others = (
            _split(hypothesis),
            [_split(reference) for reference in several],
        )
        length += len(words)
        closest += min((abs(len(reference) - len(words)), len(reference)) for reference in others)[1]
        for n in range(4):
            mine = _runs(words, n + 1)
            most = [_runs(reference, n + 1) for reference in others]
            found[n] += sum(min(count, max(reference.get(run, 0) for reference in most)) for run, count in mine.items())
            possible[n] += sum(mine.values())
    if not found[0]:
        return 0.0
    logs, halved = 0.0, 1.0
    for right, of in zip(found, possible, strict=True):
        if of == 0:
            return 0.0
        halved *= 2 if right == 0 else 1
        logs += math.log((right or 1 / halved) / of) / 4
    return 100 * math.exp(logs) * (1.0 if length >= closest else math.exp(1 - closest / length))


def _split(text: str) -> list[str]:
    """The tokens of the tokenizer "13a" (mteval-v13a): apostrophes stay, and so do hyphens but after a digit."""
    text = re.sub(r"([{-~\[-` -&(-+:-@/])", r" \1 ", f" {text} ")
    text = re.sub(r"([^0-9])([.,])", r"\1 \2 ", text)
    text = re.sub(r"([.,])([^0-9])", r" \1 \2", text)
    return re.sub(r"([0-9])(-)", r"\1 \2 ", text).split()


def _runs(words: list[str], n: int) -> dict[tuple[str, ...], int]:
    runs: dict[tuple[str, ...], int] = {}
    for start in range(len(words) - n + 1):
        run = tuple(words[start : start + n])
        runs[run] = runs.get(run, 0) + 1
    return runs


def _written(draw: Draw, length: int) -> str:
    words = [_WORDS[index] for index in draw.integers(0, len(_WORDS) - 1, length).tolist()]
    return " ".join(words).capitalize() + "."


def _varied(draw: Draw, sentence: str, changes: int, more: int = 0) -> str:
    """The sentence with some words in the place of others, and some more (or fewer) words."""
    words = sentence[:-1].lower().split()
    for place in draw.integers(0, len(words) - 1, changes).tolist():
        words[place] = _WORDS[int(draw.integers(0, len(_WORDS) - 1, 1))]
    words += [_WORDS[index] for index in draw.integers(0, len(_WORDS) - 1, max(more, 0)).tolist()]
    return " ".join(words[: len(words) + min(more, 0)]).capitalize() + "."


def _bleu_case(hypotheses: list[str], references: list[list[str]]) -> Case:
    return Case((hypotheses, references), _bleu_oracle(hypotheses, references))


def _corpus(draw: Draw, counts: Sequence[int], best: int = 0, more: Sequence[int] = (0, 1, -1)) -> Case:
    """A corpus with so many references for each sentence; the one numbered `best` is nearest to the hypothesis."""
    while True:
        hypotheses = [_written(draw, 7 + index % 4) for index in range(len(counts))]
        references = [
            [
                _varied(draw, hypothesis, 1 + 2 * ((which - best) % count), more[(which + row) % len(more)])
                for which in range(count)
            ]
            for row, (hypothesis, count) in enumerate(zip(hypotheses, counts, strict=True))
        ]
        case = _bleu_case(hypotheses, references)
        if 15 < case.want < 90:
            return case


def _one_reference(draw: Draw) -> Iterator[Case]:
    yield _bleu_case(["The cat sees a small dog."], [["The cat sees a red dog."]])
    yield _corpus(draw, (1, 1))
    yield _corpus(draw, (1, 1, 1, 1))


def _right_and_wrong(draw: Draw) -> Iterator[Case]:
    same = [_written(draw, 6), _written(draw, 8)]
    yield _bleu_case(same, [[sentence] for sentence in same])
    yield _bleu_case(["Ten blue fish"], [["The cat sees a red dog."]])


def _several_references(draw: Draw) -> Iterator[Case]:
    yield _corpus(draw, (2, 2), best=1)
    yield _corpus(draw, (2, 2, 2))
    yield _corpus(draw, (3, 3, 3), best=1)
    yield _corpus(draw, (3, 3), best=2)


def _ragged_references(draw: Draw) -> Iterator[Case]:
    yield _corpus(draw, (1, 3))
    yield _corpus(draw, (3, 1, 2))
    # Where a hypothesis is far too short, an empty string would be the reference nearest to it in length.
    case = _corpus(draw, (1, 2, 2))
    hypotheses, references = case.args
    yield _bleu_case(["The cat.", *hypotheses], [["The cat sees a small red dog near the house."], *references])


def _too_short(draw: Draw) -> Iterator[Case]:
    sentence = _written(draw, 12)
    short = " ".join(sentence[:-1].split()[:7]) + "."
    yield _bleu_case([short], [[sentence]])
    yield _corpus(draw, (1, 1, 1), more=(3, 4))


def _usual_settings(draw: Draw) -> Iterator[Case]:
    yield _bleu_case(["the cat sees a small dog near Paris."], [["The cat sees a small Dog near Paris."]])
    yield _bleu_case(["A dog."], [["A dog."]])  # no run of four at all
    yield _bleu_case(["The cat sees a small dog."], [["The bird sees a red dog."]])  # none in common: smoothing


def _any_text(draw: Draw) -> Iterator[Case]:
    """What stands between spaces isn't what sacreBLEU counts, nor is what a regular expression for words finds."""
    yield _bleu_case(["isn't the red-haired dog's bowl full?"], [["isn't the red-haired cat's bowl quite full?"]])
    yield _bleu_case(["L'été n'est pas là, dit-elle."], [["L'été n'est-il pas là, dit-elle ?"]])
    yield _bleu_case(["In 1999-2000 it cost $3,500.50 (or 12%)."], [["In 1999-2000 it cost $3,500.50, or 12%!"]])
    yield _bleu_case(["他 喜欢 猫 ，但是 不 喜欢 狗 。"], [["他 喜欢 猫 ， 但是 不 喜欢 狗 。"]])


def _nothing_written(draw: Draw) -> Iterator[Case]:
    case = _corpus(draw, (1, 1, 1))
    hypotheses, references = case.args
    yield _bleu_case([*hypotheses, ""], [*references, ["The cat sleeps."]])
    yield _bleu_case([""], [["The cat sleeps."]])


def _large_corpora(draw: Draw) -> Iterator[Case]:
    yield _corpus(draw, (1,) * 71)
    yield _corpus(draw, (7, 7, 5))
    long = _written(draw, 131)
    yield _bleu_case([long], [[_varied(draw, long, 30)]])


def _another_corpus(args: tuple) -> tuple:
    """As many sentences, with as many references."""
    hypotheses, references = args
    return ["The bird sees a small house."] * len(hypotheses), [
        ["The bird sees the house."] * len(r) for r in references
    ]


def _unequal_in_length(draw: Draw) -> Iterator[Case]:
    """Sentences of very unequal length and quality, of which a mean of scores makes something else than the corpus."""
    long, short = _written(draw, 12), _written(draw, 5)
    yield _bleu_case([long, short], [[long], [_varied(draw, short, 3)]])
    yield _bleu_case([long, short, "A dog."], [[_varied(draw, long, 3)], [short], ["The bird."]])


def _bleu_arguments(draw: Draw) -> Iterator[Case]:
    yield Case(_corpus(draw, (2, 1, 3)).args, ("hypotheses", "references"))


def _of_copies(observe: Callable[[Callable, tuple], Any]) -> Callable[[Callable, tuple], Any]:
    """An observer that hands over lists of its own: an answer may change them."""
    return lambda answer, args: observe(answer, copy.deepcopy(args))


def _score(answer: Callable, args: tuple) -> float:
    score = answer(*args)
    if isinstance(score, bool) or not isinstance(score, float | int):
        raise CannotObserve("it gave None" if score is None else f"it gave a {type(score).__name__}, not a float")
    return round(float(score), 8)  # the last digits differ with the order of a sum


def _changed_lists(answer: Callable, args: tuple) -> tuple[int, ...]:
    before = copy.deepcopy(args)
    answer(*args)
    return tuple(i for i, was in enumerate(before) if was != args[i])


def _is_bleu(got: float, want: float) -> str | None:
    return (
        None
        if math.isclose(got, want, rel_tol=1e-6, abs_tol=1e-6)
        else f"it gave {got:.4f}, and should have given {want:.4f}"
    )


EXERCISE = Exercise(
    name="bleu",
    arguments=("hypotheses", "references"),
    properties=(
        Property("one reference a sentence: sacreBLEU's corpus score", _one_reference, _of_copies(_score), _is_bleu),
        Property(
            "100 where hypotheses and references are the same, 0 where no word is",
            _right_and_wrong,
            _of_copies(_score),
            _is_bleu,
        ),
        Property(
            "counts over the whole corpus, so that a long sentence weighs more than a short one",
            _unequal_in_length,
            _of_copies(_score),
            _is_bleu,
            suggests="mean-of-sentence-scores",
        ),
        Property("hypotheses that are too short lose by it", _too_short, _of_copies(_score), _is_bleu),
        Property(
            "has sacreBLEU's own settings: capitals count, and runs of four words even where there are none",
            _usual_settings,
            _of_copies(_score),
            _is_bleu,
            suggests="other-settings",
        ),
        Property(
            "splits any text as sacreBLEU does: apostrophes, hyphens, numbers, accents, Chinese",
            _any_text,
            _of_copies(_score),
            _is_bleu,
            suggests="another-tokenizer",
        ),
        Property(
            "a hypothesis may be empty", _nothing_written, _of_copies(_score), _is_bleu, suggests="fails-on-nothing"
        ),
        Property("several references a sentence: all of them count", _several_references, _of_copies(_score), _is_bleu),
        Property(
            "some sentences may have more references than others",
            _ragged_references,
            _of_copies(_score),
            _is_bleu,
            suggests="as-many-references-for-all",
        ),
        Property(
            "leaves its arguments as they were", _bleu_arguments, _of_copies(_changed_lists), leaves_arguments_alone
        ),
        each_for_itself(_one_reference, _of_copies(_score), _another_corpus, _is_bleu),
        at_any_size(_large_corpora, _of_copies(_score), _is_bleu),
    ),
    misconceptions=MISTAKES,
)
