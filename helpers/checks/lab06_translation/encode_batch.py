"""`encode_batch`: what a right answer does."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from helpers.checks.engine import Case, Draw, Exercise, Property
from helpers.checks.judging import at_any_size, equals, has_shape, leaves_arguments_alone, part
from helpers.checks.lab06_translation.encode_batch_mistakes import MISTAKES
from helpers.checks.lab06_translation.shared import SENTENCES, Words, said

_OTHER_ORDER = ("<unk>", "<bos>", "<pad>", "the", "<eos>")  # special tokens with ids that nobody expects


def _encode_case(sentences: Sequence[str], words: Words) -> Case:
    tokenizer = words.tokenizer()
    eos, pad = tokenizer.token_to_id("<eos>"), tokenizer.token_to_id("<pad>")
    rows = [[*tokenizer.encode(sentence).ids, eos] for sentence in sentences]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
    return Case((words, list(sentences)), (ids, torch.tensor([len(row) for row in rows])))


_KNOWN, _REORDERED = Words(SENTENCES), Words(SENTENCES, _OTHER_ORDER)


def _only_part(cases: Callable[[Draw], Iterator[Case]], index: int) -> Callable[[Draw], Iterator[Case]]:
    """The same cases, of whose wanted results one is looked at."""
    return lambda draw: (Case(case.args, case.want[index]) for case in cases(draw))


def _one_sentence(draw: Draw) -> Iterator[Case]:
    yield _encode_case(["she sleeps"], _KNOWN)
    yield _encode_case(said(draw, 4), _KNOWN)


def _unequal_sentences(draw: Draw) -> Iterator[Case]:
    yield _encode_case(said(draw, 1, 3), _KNOWN)
    yield _encode_case(said(draw, 2, 5, 3), _KNOWN)
    yield _encode_case(said(draw, 6, 1, 4, 2), _KNOWN)


def _punctuated(draw: Draw) -> Iterator[Case]:
    """Tokens aren't what is between spaces; nor is every word known."""
    yield _encode_case(["She sleeps.", "The cat sees a dog."], _KNOWN)
    yield _encode_case(["the zebra sleeps", "Quickly, she runs."], _KNOWN)
    yield _encode_case(["isn't the dog's red-brick house old?", "Où est l'élève ?"], _KNOWN)
    yield _encode_case(["猫 看见 狗。", "  she   sleeps "], _KNOWN)


def _other_ids(draw: Draw) -> Iterator[Case]:
    yield _encode_case(said(draw, 2, 4), _REORDERED)
    yield _encode_case(said(draw, 3, 1, 2), _REORDERED)


def _long_sentences(draw: Draw) -> Iterator[Case]:
    yield _encode_case(said(draw, 2, 40), _KNOWN)
    yield _encode_case(said(draw, 5, 1103), _KNOWN)


def _many_sentences(draw: Draw) -> Iterator[Case]:
    yield _encode_case(said(draw, *draw.integers(1, 9, 67).tolist()), _KNOWN)


@torch.random.fork_rng(devices=())
def _after_another_batch(answer: Callable, args: tuple) -> Tensor:
    """Observe the ids after the same batch with another tokenizer, and another batch of the same lengths."""
    words, sentences = args
    other, tokenizer = Words(words.sentences[::-1], _OTHER_ORDER).tokenizer(), words.tokenizer()
    answer(other, list(sentences))
    answer(tokenizer, [" ".join(sentence.split()[::-1]) for sentence in sentences])
    return part(0)(answer, (tokenizer, list(sentences)))


def _with_an_empty_one(draw: Draw) -> Iterator[Case]:
    yield _encode_case(["", *said(draw, 2)], _KNOWN)
    yield _encode_case([""], _KNOWN)


def _with_tokenizer(observe: Callable[[Callable, tuple], Any]) -> Callable[[Callable, tuple], Any]:
    """An observer of functions, made to look at an answer that is handed the case's tokenizer and sentences."""
    return lambda answer, args: observe(answer, (args[0].tokenizer(), list(args[1])))


def _changed_by_encoding(answer: Callable, args: tuple) -> tuple[int, ...]:
    tokenizer, sentences = args
    before = tokenizer.to_str(), list(sentences)
    answer(tokenizer, sentences)
    return tuple(i for i, same in enumerate((tokenizer.to_str() == before[0], sentences == before[1])) if not same)


def _whole_numbers(got: Any, want: Tensor) -> str | None:
    """Judge integers, of whatever integer type."""
    if isinstance(got, Tensor) and (got.dtype.is_floating_point or got.dtype == torch.bool):
        return f"its type is {str(got.dtype).removeprefix('torch.')}, and should be an integer type"
    return has_shape(got, want) or equals(got.to(want.dtype), want)


_ENCODE_PROPERTIES = (
    Property(
        "one sentence: its token ids, and the id of `<eos>` after them",
        _only_part(_one_sentence, 0),
        _with_tokenizer(part(0)),
        _whole_numbers,
    ),
    Property(
        "one sentence: the length counts its tokens and the `<eos>`",
        _only_part(_one_sentence, 1),
        _with_tokenizer(part(1)),
        _whole_numbers,
    ),
    Property(
        "sentences of unequal length: each row ends with `<eos>`, and then comes `<pad>`",
        _only_part(_unequal_sentences, 0),
        _with_tokenizer(part(0)),
        _whole_numbers,
    ),
    Property(
        "sentences of unequal length: no length counts padding",
        _only_part(_unequal_sentences, 1),
        _with_tokenizer(part(1)),
        _whole_numbers,
    ),
    Property(
        "a token is what the tokenizer says, punctuation and unknown words too",
        _only_part(_punctuated, 0),
        _with_tokenizer(part(0)),
        _whole_numbers,
    ),
    Property(
        "the lengths count tokens, not words",
        _only_part(_punctuated, 1),
        _with_tokenizer(part(1)),
        _whole_numbers,
        suggests="counts-words",
    ),
    Property(
        "`<eos>` and `<pad>` have the ids that the tokenizer gives them",
        _only_part(_other_ids, 0),
        _with_tokenizer(part(0)),
        _whole_numbers,
        suggests="ids-by-heart",
    ),
    Property(
        "with such ids the lengths are right as well",
        _only_part(_other_ids, 1),
        _with_tokenizer(part(1)),
        _whole_numbers,
        suggests="ids-by-heart",
    ),
    Property(
        "a long sentence is kept whole",
        _only_part(_long_sentences, 0),
        _with_tokenizer(part(0)),
        _whole_numbers,
        suggests="truncates",
    ),
    Property(
        "a sentence without a token is an `<eos>` alone",
        _only_part(_with_an_empty_one, 0),
        _with_tokenizer(part(0)),
        _whole_numbers,
        suggests="fails-on-an-empty-sentence",
    ),
    Property(
        "leaves the tokenizer and the sentences as they were",
        lambda draw: iter([Case(_encode_case(said(draw, 2, 4), _KNOWN).args, ("tokenizer", "sentences"))]),
        _with_tokenizer(_changed_by_encoding),
        lambda got, want: leaves_arguments_alone(got, want),
    ),
    Property(
        "each call is answered for itself",
        _only_part(_unequal_sentences, 0),
        _after_another_batch,
        _whole_numbers,
        suggests="answers-from-memory",
    ),
    at_any_size(_only_part(_many_sentences, 0), _with_tokenizer(part(0)), _whole_numbers),
)


EXERCISE = Exercise(
    name="encode_batch",
    arguments=("tokenizer", "sentences"),
    properties=_ENCODE_PROPERTIES,
    misconceptions=MISTAKES,
)
