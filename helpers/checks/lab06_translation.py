"""Lab 6's exercises: what a right answer does, and the mistakes that people make."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import Any

import torch
from sacrebleu.metrics import BLEU, CHRF
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor, nn

from helpers.attention import AdditiveScore, masked_softmax
from helpers.checks.engine import CannotObserve, Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import (
    GRADIENT,
    NOTHING_RETURNED,
    changed_arguments,
    clones,
    equals,
    gradient_of,
    has_shape,
    have_shapes,
    leaves_arguments_alone,
    part,
    right_gradient,
    shapes,
    tensors,
    weighted_sum,
)
from helpers.checks.modules import (
    Built,
    has_parameters,
    parameter_gradients,
    parameters,
    right_parameter_gradients,
    through,
)
from helpers.checks.translators import ScriptedTranslator
from helpers.corpora import SPECIAL_TOKENS, train_tokenizer

_SENTENCES = ("the cat sees a small red dog .", "a black bird eats .", "she sleeps .", "he runs to the old house .")
_OTHER_ORDER = ("<unk>", "<bos>", "<pad>", "the", "<eos>")  # special tokens with ids that nobody expects


@dataclass(frozen=True)
class Words:
    """A tokenizer as a case holds it: every look at an answer trains one anew, as an answer may change it."""

    sentences: tuple[str, ...]
    first: tuple[str, ...] = SPECIAL_TOKENS  # the tokens that come first, in the order of their ids

    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_str(_trained(self.sentences, self.first))

    def __str__(self) -> str:
        ids = sorted(self.tokenizer().get_vocab().items(), key=lambda each: each[1])
        return "a tokenizer with the ids " + ", ".join(f"{token} {number}" for token, number in ids)


@cache
def _trained(sentences: tuple[str, ...], first: tuple[str, ...]) -> str:
    tokenizer = train_tokenizer(sentences, "word")
    if first != SPECIAL_TOKENS:
        words = sorted(tokenizer.get_vocab(), key=tokenizer.token_to_id)
        ids = {word: number for number, word in enumerate(dict.fromkeys((*first, *words)))}
        other = Tokenizer(WordLevel(ids, unk_token="<unk>"))
        other.pre_tokenizer, other.normalizer = tokenizer.pre_tokenizer, tokenizer.normalizer
        other.add_special_tokens(list(SPECIAL_TOKENS))
        tokenizer = other
    return tokenizer.to_str()


# --- 1. encode_batch -----------------------------------------------------------------------------------------------


def _encode_case(sentences: Sequence[str], words: Words) -> Case:
    tokenizer = words.tokenizer()
    eos, pad = tokenizer.token_to_id("<eos>"), tokenizer.token_to_id("<pad>")
    rows = [[*tokenizer.encode(sentence).ids, eos] for sentence in sentences]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
    return Case((words, list(sentences)), (ids, torch.tensor([len(row) for row in rows])))


_KNOWN, _REORDERED = Words(_SENTENCES), Words(_SENTENCES, _OTHER_ORDER)


def _said(draw: Draw, *lengths: int) -> list[str]:
    """Sentences of so many tokens, of words that the tokenizers know."""
    known = " ".join(_SENTENCES).replace(" .", "").split()
    return [" ".join(known[index] for index in draw.integers(0, len(known) - 1, length).tolist()) for length in lengths]


def _only_part(cases: Callable[[Draw], Iterator[Case]], index: int) -> Callable[[Draw], Iterator[Case]]:
    """The same cases, of whose wanted results one is looked at."""
    return lambda draw: (Case(case.args, case.want[index]) for case in cases(draw))


def _one_sentence(draw: Draw) -> Iterator[Case]:
    yield _encode_case(["she sleeps"], _KNOWN)
    yield _encode_case(_said(draw, 4), _KNOWN)


def _unequal_sentences(draw: Draw) -> Iterator[Case]:
    yield _encode_case(_said(draw, 1, 3), _KNOWN)
    yield _encode_case(_said(draw, 2, 5, 3), _KNOWN)
    yield _encode_case(_said(draw, 6, 1, 4, 2), _KNOWN)


def _punctuated(draw: Draw) -> Iterator[Case]:
    """Tokens aren't what is between spaces; nor is every word known."""
    yield _encode_case(["She sleeps.", "The cat sees a dog."], _KNOWN)
    yield _encode_case(["the zebra sleeps", "Quickly, she runs."], _KNOWN)


def _other_ids(draw: Draw) -> Iterator[Case]:
    yield _encode_case(_said(draw, 2, 4), _REORDERED)
    yield _encode_case(_said(draw, 3, 1, 2), _REORDERED)


def _long_sentences(draw: Draw) -> Iterator[Case]:
    yield _encode_case(_said(draw, 2, 40), _KNOWN)
    yield _encode_case(_said(draw, 5, 600), _KNOWN)


def _with_an_empty_one(draw: Draw) -> Iterator[Case]:
    yield _encode_case(["", *_said(draw, 2)], _KNOWN)
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


def _encoding(
    row: Callable = lambda ids, eos: [*ids, eos],
    pad: Callable = lambda tokenizer: tokenizer.token_to_id("<pad>"),
    eos: Callable = lambda tokenizer: tokenizer.token_to_id("<eos>"),
    fill: Callable = lambda row, missing, pad, eos: row + missing * [pad],
    lens: Callable = lambda rows, longest: list(map(len, rows)),
    ids_of: Callable = lambda tokenizer, sentence: tokenizer.encode(sentence).ids,
    order: Callable = lambda rows: rows,
    result: Callable = lambda ids, lens: (ids, lens),
) -> Callable:
    """An answer that is right but for what is changed."""

    def encode_batch(tokenizer, sentences):
        end, padding = eos(tokenizer), pad(tokenizer)
        rows = order([row(ids_of(tokenizer, sentence), end) for sentence in sentences])
        longest = max(map(len, rows))
        ids = torch.tensor([fill(each, longest - len(each), padding, end) for each in rows])
        return result(ids, torch.tensor(lens(rows, longest)))

    return encode_batch


def _plain(tokens: list, _: int) -> list:
    return list(tokens)


def _one_more(rows: list, longest: int) -> list[int]:
    return [len(row) + 1 for row in rows]


def _all_of_it(rows: list, longest: int) -> list[int]:
    return [longest] * len(rows)


def _padded_then_ended(row: list, missing: int, pad: int, eos: int) -> list[int]:
    return row + missing * [pad] + [eos]


def _cut(most: int, keep_eos: bool = True) -> Callable:
    """At most so many tokens, with the `<eos>` or before it."""
    if keep_eos:
        return _encoding(row=lambda ids, eos: [*ids[: most - 1], eos])
    return _encoding(row=lambda ids, eos: [*ids, eos][:most])


def _cut_to_the_shortest(rows: list) -> list:
    return [row[: min(map(len, rows))] for row in rows]


def _using_the_tokenizers_padding(tokenizer, sentences):
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id("<pad>"), pad_token="<pad>")
    tokenizer.encode_batch(sentences)
    result = _encoding()(Tokenizer.from_str(_without_padding(tokenizer)), sentences)
    return result


def _without_padding(tokenizer: Tokenizer) -> str:
    other = Tokenizer.from_str(tokenizer.to_str())
    other.no_padding()
    return other.to_str()


def _appending_to_sentences(tokenizer, sentences):
    result = _encoding()(tokenizer, sentences)
    for index, sentence in enumerate(sentences):
        sentences[index] = sentence + " <eos>"
    return result


def _id(name: str) -> Callable[[Tokenizer], int]:
    return lambda tokenizer: tokenizer.token_to_id(name)


def _fixed(number: int) -> Callable[[Tokenizer], int]:
    return lambda tokenizer: number


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
        lambda draw: iter([Case(_encode_case(_said(draw, 2, 4), _KNOWN).args, ("tokenizer", "sentences"))]),
        _with_tokenizer(_changed_by_encoding),
        lambda got, want: leaves_arguments_alone(got, want),
    ),
)

ENCODE_BATCH = Exercise(
    name="encode_batch",
    arguments=("tokenizer", "sentences"),
    properties=_ENCODE_PROPERTIES,
    misconceptions=(
        Misconception(
            "padding-counted",
            "the lengths count the padding",
            "`valid_lens` says how much of each row is *real*. If every length is the padded one, nothing will ever be "
            "masked: attention looks at padding, and the loss learns to write it.",
            (
                _encoding(lens=_all_of_it),
                _encoding(fill=lambda row, missing, pad, eos: row + (missing + 1) * [pad], lens=_one_more),
            ),
        ),
        Misconception(
            "eos-missing",
            "there is no `<eos>`",
            "A model learns to stop because it has seen where sentences end. Without `<eos>` it goes on for ever.",
            (
                _encoding(row=_plain),
                _encoding(row=_plain, lens=_one_more),
                _encoding(row=_plain, lens=_all_of_it),
            ),
        ),
        Misconception(
            "eos-after-the-padding",
            "the `<eos>` comes after the padding",
            "`<eos>` ends the *sentence*, not the row: first it, then the padding. Where yours stands, it lies beyond the "
            "real length of every sentence but the longest, and is masked.",
            (
                _encoding(row=_plain, fill=_padded_then_ended, lens=_one_more),
                _encoding(row=_plain, fill=_padded_then_ended, lens=lambda rows, longest: [longest + 1] * len(rows)),
                _encoding(row=_plain, fill=_padded_then_ended),
            ),
        ),
        Misconception(
            "eos-not-counted",
            "the lengths leave the `<eos>` out",
            "The rows are right. But `<eos>` is a real token, which the model must read and learn to write: the mask "
            "mustn't hide it.",
            (_encoding(lens=lambda rows, longest: [len(row) - 1 for row in rows]),),
        ),
        Misconception(
            "truncates",
            "long sentences are cut off",
            "The longest sentence sets the length of the batch, whatever it is. Yours lose their ends, and nobody is told: the "
            "model would be trained to leave out what somebody said.",
            (
                *(_cut(most, keep_eos) for most in (4, 10, 20, 32, 50, 64, 100, 128, 256, 512) for keep_eos in (1, 0)),
                _encoding(order=_cut_to_the_shortest),
                _encoding(order=lambda rows: [row[: len(rows[0])] for row in rows]),
            ),
        ),
        Misconception(
            "padded-too-far",
            "the rows are longer than the longest sentence",
            "The longest sentence, with its `<eos>`, sets the length of the batch. More padding does no harm, if it is masked, but it "
            "costs time at every step.",
            (
                _encoding(fill=lambda row, missing, pad, eos: row + (missing + 1) * [pad]),
                *(
                    _encoding(fill=lambda row, missing, pad, eos, most=most: row + (most - len(row)) * [pad])
                    for most in (10, 20, 50, 100, 128)
                ),
            ),
        ),
        Misconception(
            "padded-in-front",
            "the padding comes first",
            "In this lab padding stands at the end: a mask made of lengths keeps the *first* positions of each row.",
            (_encoding(fill=lambda row, missing, pad, eos: missing * [pad] + row),),
        ),
        Misconception(
            "ids-by-heart",
            "an id is a number that you know by heart",
            "In this tokenizer `<eos>` and `<pad>` have other ids. `tokenizer.token_to_id` tells an id by the token's name.",
            (
                _encoding(pad=_fixed(0), eos=_fixed(2)),
                _encoding(pad=_fixed(0)),
                _encoding(eos=_fixed(2)),
                _encoding(pad=_fixed(0), lens=lambda rows, longest: [len([i for i in row if i != 0]) for row in rows]),
            ),
        ),
        Misconception(
            "another-special-token",
            "another special token stands for `<eos>` or `<pad>`",
            "Each special token has a job of its own: `<eos>` ends a sentence, `<pad>` fills a row, `<bos>` is what a "
            "decoder reads first, `<unk>` stands for a word that the tokenizer doesn't know.",
            (
                _encoding(pad=_id("<eos>")),
                _encoding(pad=_id("<unk>")),
                _encoding(pad=_id("<bos>")),
                _encoding(pad=_fixed(-1)),
                _encoding(pad=_fixed(-100)),
                _encoding(eos=_id("<pad>")),
                _encoding(eos=_id("<bos>")),
                _encoding(eos=_fixed(0), pad=_fixed(0)),
            ),
        ),
        Misconception(
            "starts-with-bos",
            "a `<bos>` stands in front",
            "The source needs none, and a target gets its start token when it is shifted to become the decoder's input.",
            (
                _encoding(ids_of=lambda tokenizer, each: [tokenizer.token_to_id("<bos>"), *tokenizer.encode(each).ids]),
                _encoding(
                    ids_of=lambda tokenizer, each: [tokenizer.token_to_id("<bos>"), *tokenizer.encode(each).ids],
                    lens=lambda rows, longest: [len(row) - 1 for row in rows],
                ),
            ),
        ),
        Misconception(
            "counts-words",
            "the lengths count words, not tokens",
            "The tokenizer decides what a token is: here a full stop is one, though no space stands before it. Count the ids.",
            (
                lambda tokenizer, sentences: (
                    _encoding()(tokenizer, sentences)[0],
                    torch.tensor([len(sentence.split()) + 1 for sentence in sentences]),
                ),
            ),
        ),
        Misconception(
            "splits-by-itself",
            "the sentences are split at spaces, not by the tokenizer",
            "`tokenizer.encode` knows how its tokens were made: small letters, and punctuation by itself. Looked up word by "
            "word, `sleeps.` is unknown.",
            (
                _encoding(
                    ids_of=lambda tokenizer, sentence: [
                        tokenizer.get_vocab().get(word, tokenizer.token_to_id("<unk>")) for word in sentence.split()
                    ]
                ),
                _encoding(
                    ids_of=lambda tokenizer, sentence: [
                        tokenizer.get_vocab().get(word, tokenizer.token_to_id("<unk>"))
                        for word in sentence.lower().split()
                    ]
                ),
                _encoding(
                    ids_of=lambda tokenizer, sentence: [tokenizer.token_to_id(word) for word in sentence.split()]
                ),
            ),
        ),
        Misconception(
            "unknown-words-dropped",
            "unknown words are left out",
            "A word that the tokenizer doesn't know is `<unk>`, a token like any other: something stood there.",
            (
                _encoding(
                    ids_of=lambda tokenizer, sentence: [
                        each for each in tokenizer.encode(sentence).ids if each != tokenizer.token_to_id("<unk>")
                    ]
                ),
            ),
        ),
        Misconception(
            "sorted-by-length",
            "the rows come in another order",
            "Row i belongs to sentence i. Somewhere your rows are sorted by their length; then translations meet the wrong "
            "sources.",
            (
                _encoding(order=lambda rows: sorted(rows, key=len, reverse=True)),
                _encoding(order=lambda rows: sorted(rows, key=len)),
            ),
        ),
        Misconception(
            "first-sentence-only",
            "only one sentence is encoded",
            "There is a row for each sentence of the list.",
            (
                _encoding(order=lambda rows: rows[:1]),
                _encoding(order=lambda rows: rows[-1:]),
                _encoding(order=lambda rows: [[each for row in rows for each in row]]),
            ),
        ),
        Misconception(
            "fails-on-an-empty-sentence",
            "an empty sentence is too much for it",
            "A sentence without a token is short, but it is one: its row is an `<eos>` and padding. (A tensor of an empty "
            "list holds floating-point numbers; that is often where it goes wrong.)",
            (
                lambda tokenizer, sentences: _encoding()(tokenizer, [each for each in sentences if each]),
                _encoding(row=lambda ids, eos: [*ids, eos] if ids else ids),
            ),
        ),
        Misconception(
            "not-whole-numbers",
            "ids or lengths are no whole numbers",
            "An embedding looks up integers, and a length counts. Somewhere they have become floating-point or boolean.",
            (
                _encoding(result=lambda ids, lens: (ids.float(), lens)),
                _encoding(result=lambda ids, lens: (ids, lens.float())),
                _encoding(result=lambda ids, lens: (ids.float(), lens.float())),
            ),
        ),
        Misconception(
            "mask-for-lengths",
            "a mask comes back in place of the lengths",
            "`valid_lens` has one whole number for each sentence. Who needs a mask can make it of them.",
            (
                _encoding(result=lambda ids, lens: (ids, torch.arange(ids.shape[1]) < lens.unsqueeze(1))),
                _encoding(result=lambda ids, lens: (ids, (torch.arange(ids.shape[1]) < lens.unsqueeze(1)).long())),
            ),
        ),
        Misconception(
            "order-of-the-pair",
            "the pair comes in the other order",
            "First the ids, then the lengths.",
            (_encoding(result=lambda ids, lens: (lens, ids)),),
        ),
        Misconception(
            "no-tensors",
            "what comes back is no pair of tensors",
            "`(ids, valid_lens)`, both tensors: lists can't be fed to an embedding.",
            (
                _encoding(result=lambda ids, lens: (ids.tolist(), lens.tolist())),
                _encoding(result=lambda ids, lens: (ids, lens.tolist())),
                _encoding(result=lambda ids, lens: ids),
                _encoding(result=lambda ids, lens: ids.tolist()),
            ),
        ),
        Misconception(
            "changes-the-arguments",
            "the tokenizer or the list isn't what it was",
            "Padding, truncation or a post-processor that you switch on stays on, for everyone who has this tokenizer, and a list is "
            "the caller's own. Encode first, then pad the ids yourself.",
            (_using_the_tokenizers_padding, _appending_to_sentences),
        ),
        NOTHING_RETURNED,
    ),
)


# --- 2. BahdanauDecoder --------------------------------------------------------------------------------------------

_NAMES = ("embed_dim", "hidden_dim", "encoder_dim")
_SIZES, _EQUAL = (2, 4, 3), (3, 3, 3)  # where all are equal, more mistakes run, and show in the numbers


def _decoder_shapes(embed_dim: int, hidden_dim: int, encoder_dim: int) -> dict[str, tuple[int, ...]]:
    return {
        "score.W_q.weight": (hidden_dim, hidden_dim),
        "score.W_k.weight": (hidden_dim, encoder_dim),
        "score.w_v.weight": (1, hidden_dim),
        "rnn.weight_ih_l0": (3 * hidden_dim, encoder_dim + embed_dim),
        "rnn.weight_hh_l0": (3 * hidden_dim, hidden_dim),
        "rnn.bias_ih_l0": (3 * hidden_dim,),
        "rnn.bias_hh_l0": (3 * hidden_dim,),
    }


def _step_oracle(p: Mapping[str, Tensor], token: Tensor, state: Tensor, encoder_out: Tensor, valid_lens: Tensor):
    """One step, one sentence and one source token after the other; in float64, and differentiable."""
    outputs, rows = [], []
    for b, length in enumerate(valid_lens.tolist()):
        x, h, sources = token[b, 0].double(), state[0, b].double(), encoder_out[b].double()
        scores = [
            p["score.w_v.weight"][0] @ (p["score.W_q.weight"] @ h + p["score.W_k.weight"] @ each).tanh()
            for each in sources[:length]
        ]
        exps = torch.stack(scores).exp()
        weights = exps / exps.sum()
        context = sum(weight * each for weight, each in zip(weights, sources[:length], strict=True))
        of_x = p["rnn.weight_ih_l0"] @ torch.cat([context, x]) + p["rnn.bias_ih_l0"]
        of_h = p["rnn.weight_hh_l0"] @ h + p["rnn.bias_hh_l0"]
        (reset_x, update_x, new_x), (reset_h, update_h, new_h) = of_x.chunk(3), of_h.chunk(3)
        reset, update = (reset_x + reset_h).sigmoid(), (update_x + update_h).sigmoid()
        outputs.append((1 - update) * (new_x + reset * new_h).tanh() + update * h)
        rows.append(torch.cat([weights, torch.zeros(len(sources) - length, dtype=torch.float64)]))
    output = torch.stack(outputs).unsqueeze(1)
    return output, output.transpose(0, 1), torch.stack(rows)


def _in_float64(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight.double() for name, weight in weights.items()}


def _step_case(draw: Draw, valid_lens: list[int], source: int, sizes=_SIZES, training: bool = False, part_of=None):
    """A case; `part_of` says which of output, state and weights is wanted: all if None."""
    weights = {name: draw.normal(*shape, scale=1.0) for name, shape in _decoder_shapes(*sizes).items()}
    built = Built(dict(zip(_NAMES, sizes, strict=True)), weights, training)
    embed_dim, hidden_dim, encoder_dim = sizes
    batch = len(valid_lens)
    inputs = (
        draw.normal(batch, 1, embed_dim, scale=1.0),
        draw.normal(1, batch, hidden_dim, scale=1.0),
        draw.normal(batch, source, encoder_dim),
        torch.tensor(valid_lens),
    )
    wanted = tuple(each.float() for each in _step_oracle(_in_float64(weights), *inputs))
    return Case((built, *inputs), wanted if part_of is None else wanted[part_of])


def _decoder_parameters(draw: Draw) -> Iterator[Case]:
    for sizes in (_SIZES, (5, 2, 4)):
        yield Case((Built(dict(zip(_NAMES, sizes, strict=True))),), _decoder_shapes(*sizes))


def _step_shapes(draw: Draw) -> Iterator[Case]:
    for valid_lens, source in (([4], 4), ([2, 5], 5)):
        case = _step_case(draw, valid_lens, source)
        yield Case(case.args, tuple(tuple(each.shape) for each in case.want))


def _one_source(index: int) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _step_case(draw, [2], 2, part_of=index)
        yield _step_case(draw, [5], 5, part_of=index)
        yield _step_case(draw, [3], 3, _EQUAL, part_of=index)

    return cases


def _several_sources(index: int) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _step_case(draw, [3, 3], 3, part_of=index)
        yield _step_case(draw, [4, 4, 4], 4, _EQUAL, part_of=index)
        yield _step_case(draw, [4, 4, 4], 4, (4, 4, 4), part_of=index)

    return cases


def _padded_sources(index: int) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _step_case(draw, [2], 4, part_of=index)
        yield _step_case(draw, [2, 5], 5, part_of=index)
        yield _step_case(draw, [3, 1, 2], 4, _EQUAL, part_of=index)
        case = _step_case(draw, [1, 3, 2], 3, part_of=index)
        case.args[3][0, 1:] += 1e4  # what lies in the padding may be anything
        yield case

    return cases


def _steps_in_training(draw: Draw) -> Iterator[Case]:
    yield _step_case(draw, [3, 2], 3, training=True, part_of=0)


def _another_step(draw: Draw) -> Iterator[Case]:
    yield _step_case(draw, [3, 2], 3, part_of=0)


def _step_arguments(draw: Draw) -> Iterator[Case]:
    yield Case(_step_case(draw, [3, 2], 4).args, ("token_embedding", "state", "encoder_out", "valid_lens"))


def _stepped_before(answer: Callable, args: tuple) -> Tensor:
    """Observe the output of a third call; those before it were steps over another source, of the same sizes."""
    token, state, encoder_out, valid_lens = args
    answer(token + 1, state - 1, 2 * encoder_out + 1, torch.ones_like(valid_lens))
    answer(token - 2, state.flip(-1), encoder_out - 1, torch.full_like(valid_lens, encoder_out.shape[1]))
    return part(0, 3)(answer, args)


def _output_and_state(result: Any) -> Tensor:
    """What is trained through, in one: a graph may be cut before either."""
    output, state, _ = tensors(result, 3)
    return output + state.transpose(0, 1)


def _step_parameter_gradients(draw: Draw) -> Iterator[Case]:
    built, *inputs = _step_case(draw, [3, 2], 4).args
    weights = {name: weight.double().requires_grad_() for name, weight in built.weights.items()}
    total = weighted_sum(_output_and_state(_step_oracle(weights, *inputs)))
    wanted = torch.autograd.grad(total, list(weights.values()))
    yield Case((built, *inputs), dict(zip(weights, wanted, strict=True)))


def _step_input_gradients(position: int) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        built, *inputs = _step_case(draw, [3, 2], 4).args

        def oracle(*args: Tensor) -> tuple[Tensor, ...]:
            return tuple(each.float() for each in _step_oracle(_in_float64(built.weights), *args))

        yield Case((built, *inputs), gradient_of(position, 0, 3)(oracle, clones(tuple(inputs))))

    return cases


def _masked(scores: Tensor, valid_lens: Tensor) -> Tensor:
    return masked_softmax(scores, valid_lens)


def _decoder(
    query: Callable = lambda token, state, encoder_out: state.transpose(0, 1),
    weigh: Callable = _masked,
    values: Callable = lambda encoder_out, valid_lens: encoder_out,
    context: Callable = lambda weights, values: weights @ values,
    joined: Callable = lambda context, token: torch.cat([context, token], dim=-1),
    rnn_state: Callable = lambda state, encoder_out: state,
    result: Callable = lambda output, state, weights, old: (output, state, weights[:, 0]),
    score: Callable = lambda embed_dim, hidden_dim, encoder_dim: AdditiveScore(hidden_dim, encoder_dim, hidden_dim),
    rnn: Callable = lambda embed_dim, hidden_dim, encoder_dim: nn.GRU(
        encoder_dim + embed_dim, hidden_dim, batch_first=True
    ),
    scored: Callable = lambda score, queries, keys: score(queries, keys),
    step: Callable | None = None,
) -> type[nn.Module]:
    """A class of decoders that is right but for what is changed."""

    class Decoder(nn.Module):
        def __init__(self, embed_dim, hidden_dim, encoder_dim):
            super().__init__()
            self.score = score(embed_dim, hidden_dim, encoder_dim)
            self.rnn = rnn(embed_dim, hidden_dim, encoder_dim)

        def step(self, token_embedding, state, encoder_out, valid_lens):
            if step is not None:
                return step(self, token_embedding, state, encoder_out, valid_lens)
            scores = scored(self.score, query(token_embedding, state, encoder_out), encoder_out)  # (B, 1, S)
            weights = weigh(scores, valid_lens)
            summary = context(weights, values(encoder_out, valid_lens))
            output, new_state = self.rnn(joined(summary, token_embedding), rnn_state(state, encoder_out))
            return result(output, new_state, weights, state)

    return Decoder


def _kept(scores: Tensor, valid_lens: Tensor) -> Tensor:
    """True where the mask keeps a score: (B, 1, S)."""
    return (torch.arange(scores.shape[-1]) < valid_lens.unsqueeze(1)).unsqueeze(1)


def _network_first(decoder, token, state, encoder_out, valid_lens):
    """As Luong does: first the network, then its new state attends; the context of the old one is left out."""
    context = masked_softmax(decoder.score(state.transpose(0, 1), encoder_out), valid_lens) @ encoder_out
    output, state = decoder.rnn(torch.cat([context, token], dim=-1), state)
    return output, state, masked_softmax(decoder.score(output, encoder_out), valid_lens)[:, 0]


def _network_first_and_again(decoder, token, state, encoder_out, valid_lens):
    _, new_state = decoder.rnn(torch.cat([torch.zeros_like(encoder_out[:, :1]), token], dim=-1), state)
    weights = masked_softmax(decoder.score(new_state.transpose(0, 1), encoder_out), valid_lens)
    output, new_state = decoder.rnn(torch.cat([weights @ encoder_out, token], dim=-1), state)
    return output, new_state, weights[:, 0]


def _context_kept(decoder, token, state, encoder_out, valid_lens):
    """The first context is used ever after."""
    if getattr(decoder, "kept", None) is None or decoder.kept[1].shape[-1] != encoder_out.shape[1]:
        weights = masked_softmax(decoder.score(state.transpose(0, 1), encoder_out), valid_lens)
        decoder.kept = weights @ encoder_out, weights
    context, weights = decoder.kept
    if len(context) != len(token):
        decoder.kept = None
        return _context_kept(decoder, token, state, encoder_out, valid_lens)
    output, new_state = decoder.rnn(torch.cat([context, token], dim=-1), state)
    return output, new_state, weights[:, 0]


def _state_of_its_own(decoder, token, state, encoder_out, valid_lens):
    """The state of the call before, and not the one that is given."""
    own = getattr(decoder, "kept", None)
    if own is None or own.shape != state.shape:
        own = state
    output, decoder.kept, weights = _right_step(decoder, token, own, encoder_out, valid_lens)
    return output, decoder.kept, weights


def _keys_kept(decoder, token, state, encoder_out, valid_lens):
    """The encoder's outputs are taken for the same as in the first call."""
    kept = getattr(decoder, "kept", None)
    decoder.kept = encoder_out if kept is None or kept.shape != encoder_out.shape else kept
    return _right_step(decoder, token, state, decoder.kept, valid_lens)


def _right_step(decoder, token, state, encoder_out, valid_lens):
    weights = masked_softmax(decoder.score(state.transpose(0, 1), encoder_out), valid_lens)
    output, new_state = decoder.rnn(torch.cat([weights @ encoder_out, token], dim=-1), state)
    return output, new_state, weights[:, 0]


def _without_gradients(decoder, token, state, encoder_out, valid_lens):
    with torch.no_grad():
        return _right_step(decoder, token, state, encoder_out, valid_lens)


def _zeroing_the_padding(decoder, token, state, encoder_out, valid_lens):
    encoder_out.mul_(_kept(encoder_out[..., 0].unsqueeze(1), valid_lens).transpose(1, 2))
    return _right_step(decoder, token, state, encoder_out, valid_lens)


def _writing_the_state(decoder, token, state, encoder_out, valid_lens):
    output, new_state, weights = _right_step(decoder, token, state, encoder_out, valid_lens)
    state.copy_(new_state.detach())
    return output, new_state, weights


def _dropout_on(decoder, token, state, encoder_out, valid_lens):
    if decoder.training:
        token = token * (2 * (torch.arange(token.shape[-1]) % 2))
    return _right_step(decoder, token, state, encoder_out, valid_lens)


def _dropout_on_weights(decoder, token, state, encoder_out, valid_lens):
    weights = masked_softmax(decoder.score(state.transpose(0, 1), encoder_out), valid_lens)
    dropped = weights * (2 * (torch.arange(weights.shape[-1]) % 2)) if decoder.training else weights
    output, new_state = decoder.rnn(torch.cat([dropped @ encoder_out, token], dim=-1), state)
    return output, new_state, weights[:, 0]


def _batch_as_time(decoder, token, state, encoder_out, valid_lens):
    """A time-major network: the sentences of the batch are taken for steps of one sentence."""
    weights = masked_softmax(decoder.score(state.transpose(0, 1), encoder_out), valid_lens)
    outputs, own = [], state[:, :1]
    for x in torch.cat([weights @ encoder_out, token], dim=-1).split(1):
        output, own = decoder.rnn(x, own)
        outputs.append(output)
    return torch.cat(outputs), torch.cat(outputs, dim=0).transpose(0, 1), weights[:, 0]


class _ScoreWithBiases(AdditiveScore):
    def __init__(self, query_dim, key_dim, hidden_dim):
        super().__init__(query_dim, key_dim, hidden_dim)
        self.W_q, self.W_k = nn.Linear(query_dim, hidden_dim), nn.Linear(key_dim, hidden_dim)


class _Bilinear(nn.Module):
    def __init__(self, query_dim, key_dim, hidden_dim):
        super().__init__()
        self.W = nn.Linear(key_dim, query_dim, bias=False)


def _gru(inputs: Callable) -> Callable:
    return lambda embed_dim, hidden_dim, encoder_dim: nn.GRU(
        inputs(embed_dim, encoder_dim), hidden_dim, batch_first=True
    )


BAHDANAU_DECODER = Exercise(
    name="BahdanauDecoder",
    arguments=("decoder", "token_embedding", "state", "encoder_out", "valid_lens"),
    properties=(
        Property(
            "has the parameters of `score` and `rnn`, and no others",
            _decoder_parameters,
            parameters,
            has_parameters,
            suggests="other-layers",
        ),
        Property(
            "`step` gives the output (B, 1, H), the state (1, B, H) and the weights (B, S)",
            _step_shapes,
            through(shapes(3), "step"),
            have_shapes,
        ),
        Property("one sentence: the weights", _one_source(2), through(part(2, 3), "step"), equals),
        Property("one sentence: the output", _one_source(0), through(part(0, 3), "step"), equals),
        Property("one sentence: the new state", _one_source(1), through(part(1, 3), "step"), equals),
        Property("several sentences: the weights", _several_sources(2), through(part(2, 3), "step"), equals),
        Property("several sentences: the output", _several_sources(0), through(part(0, 3), "step"), equals),
        Property("several sentences: the new state", _several_sources(1), through(part(1, 3), "step"), equals),
        Property("padding has the weight 0", _padded_sources(2), through(part(2, 3), "step"), equals),
        Property("padding has no part in the output", _padded_sources(0), through(part(0, 3), "step"), equals),
        Property(
            "knows nothing of the calls before but what the state says",
            _another_step,
            through(_stepped_before, "step"),
            equals,
            suggests="remembers-calls",
        ),
        Property(
            "is the same in training: there is no dropout",
            _steps_in_training,
            through(part(0, 3), "step"),
            equals,
            suggests="dropout",
        ),
        Property(
            "gradients reach every parameter",
            _step_parameter_gradients,
            parameter_gradients(_output_and_state, "step"),
            right_parameter_gradients,
            suggests="graph-cut",
        ),
        Property(
            "gradients reach the encoder's outputs",
            _step_input_gradients(2),
            through(gradient_of(2, 0, 3), "step"),
            right_gradient,
            suggests="graph-cut",
            shows=GRADIENT,
        ),
        Property(
            "gradients reach the state, and so the steps before",
            _step_input_gradients(1),
            through(gradient_of(1, 0, 3), "step"),
            right_gradient,
            suggests="graph-cut",
            shows=GRADIENT,
        ),
        Property(
            "leaves its arguments as they were",
            _step_arguments,
            through(changed_arguments, "step"),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
    ),
    misconceptions=(
        Misconception(
            "other-layers",
            "the layers aren't those asked for",
            "`score` is `AdditiveScore(hidden_dim, encoder_dim, hidden_dim)`: the query is as wide as the state, a key as wide "
            "as the encoder's outputs. `rnn` is one GRU of one layer, batch first, that reads a context *and* an "
            "embedding. There is nothing else to learn. (If the first line above has a ✓, and an error was raised, look for "
            "shapes that don't fit: the GRU without `batch_first`, or a mask that lacks an axis.)",
            (
                _decoder(score=lambda e, h, s: AdditiveScore(s, h, h)),
                _decoder(score=lambda e, h, s: AdditiveScore(e, s, h)),
                _decoder(score=lambda e, h, s: AdditiveScore(h, s, s)),
                _decoder(score=lambda e, h, s: AdditiveScore(h, s, e)),
                _decoder(score=lambda e, h, s: AdditiveScore(h, h, h)),
                _decoder(score=lambda e, h, s: _ScoreWithBiases(h, s, h)),
                _decoder(score=lambda e, h, s: _Bilinear(h, s, h)),
                _decoder(rnn=lambda e, h, s: nn.GRU(s + e, h, num_layers=2, batch_first=True)),
                _decoder(rnn=lambda e, h, s: nn.GRU(s + e, h, bidirectional=True, batch_first=True)),
                _decoder(rnn=lambda e, h, s: nn.LSTM(s + e, h, batch_first=True)),
                _decoder(rnn=lambda e, h, s: nn.RNN(s + e, h, batch_first=True)),
                _decoder(rnn=lambda e, h, s: nn.GRU(s + e, h, bias=False, batch_first=True)),
            ),
        ),
        Misconception(
            "context-left-out",
            "the network doesn't read a context beside the embedding",
            "The network's input is *[context, embedding]*, of width encoder_dim + embed_dim. Added up, or with one of the two "
            "missing, its weights have another shape.",
            (
                _decoder(rnn=_gru(lambda embed, encoder: embed), joined=lambda context, token: token),
                _decoder(rnn=_gru(lambda embed, encoder: encoder), joined=lambda context, token: context),
                _decoder(rnn=_gru(lambda embed, encoder: embed + embed)),
                _decoder(rnn=_gru(lambda embed, encoder: encoder + encoder)),
            ),
        ),
        Misconception(
            "concatenated-in-the-other-order",
            "context and embedding are the other way round",
            "The lab asks for [context, embedding]. A decoder trained from scratch wouldn't mind, but weights belong to an "
            "order: with those that are given here, yours takes words for contexts.",
            (_decoder(joined=lambda context, token: torch.cat([token, context], dim=-1)),),
        ),
        Misconception(
            "padding-attended",
            "the decoder looks at the padding",
            "`valid_lens` isn't used as it should be: source tokens that aren't there get weight. Mask the scores with it "
            "*before* the softmax, each sentence with its own length.",
            (
                _decoder(weigh=lambda scores, valid_lens: scores.softmax(-1)),
                _decoder(weigh=lambda scores, valid_lens: _masked(scores, valid_lens.max().expand(len(scores)))),
                _decoder(
                    weigh=lambda scores, valid_lens: _masked(scores, (valid_lens + 1).clamp(max=scores.shape[-1]))
                ),
                _decoder(
                    weigh=lambda scores, valid_lens: scores.masked_fill(~_kept(scores, valid_lens), 0.0).softmax(-1)
                ),
                _decoder(
                    weigh=lambda scores, valid_lens: scores.softmax(-1),
                    values=lambda encoder_out, valid_lens: (
                        encoder_out * _kept(encoder_out[..., 0].unsqueeze(1), valid_lens).transpose(1, 2)
                    ),
                ),
            ),
        ),
        Misconception(
            "masked-after-the-softmax",
            "padding is masked after the softmax",
            "The weights of the padding are 0, but the softmax has shared with it: what is left no longer sums to 1. "
            "Mask the scores first.",
            (_decoder(weigh=lambda scores, valid_lens: scores.softmax(-1) * _kept(scores, valid_lens)),),
        ),
        Misconception(
            "mask-inverted",
            "the mask is the wrong way round",
            "What is real is masked, and the padding is looked at.",
            (
                _decoder(
                    weigh=lambda scores, valid_lens: scores.masked_fill(_kept(scores, valid_lens), -1e9).softmax(-1)
                ),
                _decoder(
                    weigh=lambda scores, valid_lens: scores.masked_fill(_kept(scores, valid_lens), -torch.inf).softmax(
                        -1
                    )
                ),
            ),
        ),
        Misconception(
            "last-token-masked",
            "the last real token is masked as well",
            "A length of 3 means that positions 0, 1 *and 2* are real. The last of them is `<eos>`, which is real too.",
            (_decoder(weigh=lambda scores, valid_lens: _masked(scores, (valid_lens - 1).clamp(min=1))),),
        ),
        Misconception(
            "attends-with-the-new-state",
            "the new state attends, not the previous one",
            "In Bahdanau's decoder attention comes *before* the network: the previous state is the query, and the network "
            "reads the context. Attention after it is Luong's.",
            (_decoder(step=_network_first), _decoder(step=_network_first_and_again)),
        ),
        Misconception(
            "query-is-the-token",
            "the query isn't the previous state",
            "What is the decoder looking for? That depends on all that it has written so far, and the state knows that. "
            "The last token's embedding or the encoder's outputs don't.",
            (
                _decoder(query=lambda token, state, encoder_out: token),
                _decoder(query=lambda token, state, encoder_out: encoder_out[:, -1:]),
                _decoder(query=lambda token, state, encoder_out: encoder_out[:, :1]),
                _decoder(query=lambda token, state, encoder_out: torch.zeros_like(state.transpose(0, 1))),
            ),
        ),
        Misconception(
            "queries-and-keys-swapped",
            "the score gets the keys for queries",
            "`score(queries, keys)`: the state asks, the encoder's outputs are asked. Swapped it runs only where both are of "
            "one width, and then `W_q` meets what `W_k` was meant for.",
            (_decoder(scored=lambda score, queries, keys: score(keys, queries).transpose(1, 2)),),
        ),
        Misconception(
            "no-softmax",
            "scores stand in for weights",
            "Weights are positive and sum to 1; scores can be anything. The softmax makes the one of the other.",
            (
                _decoder(weigh=lambda scores, valid_lens: scores * _kept(scores, valid_lens)),
                _decoder(weigh=lambda scores, valid_lens: scores),
                _decoder(weigh=lambda scores, valid_lens: scores.sigmoid() * _kept(scores, valid_lens)),
            ),
        ),
        Misconception(
            "softmax-over-the-wrong-axis",
            "the softmax runs over the wrong axis",
            "Of the scores (B, 1, S) the last axis has the source tokens, and they share the weight. Over the axis of "
            "size 1 every weight is 1; over the batch, sentences compete with one another.",
            (
                _decoder(weigh=lambda scores, valid_lens: scores.softmax(1)),
                _decoder(weigh=lambda scores, valid_lens: scores.softmax(0)),
                _decoder(weigh=lambda scores, valid_lens: scores.softmax(1) * _kept(scores, valid_lens)),
                _decoder(weigh=lambda scores, valid_lens: scores.softmax(0) * _kept(scores, valid_lens)),
            ),
        ),
        Misconception(
            "scores-scaled",
            "the scores are scaled",
            "Dividing by √d belongs to the dot product, whose variance grows with d. An additive score is used as it is.",
            (
                _decoder(weigh=lambda scores, valid_lens: _masked(scores / 2.0, valid_lens)),
                _decoder(
                    scored=lambda score, queries, keys: score(queries, keys) / queries.shape[-1] ** 0.5,
                ),
                _decoder(scored=lambda score, queries, keys: score(queries, keys) / keys.shape[-1] ** 0.5),
            ),
        ),
        Misconception(
            "another-context",
            "the context isn't the weighted mean of the encoder's outputs",
            "Each output counts with its weight, and only with that: no plain mean, not just the token with the largest weight, "
            "nor the last one.",
            (
                _decoder(context=lambda weights, values: values.mean(1, keepdim=True)),
                _decoder(context=lambda weights, values: values.sum(1, keepdim=True)),
                _decoder(context=lambda weights, values: values[:, -1:]),
                _decoder(
                    context=lambda weights, values: torch.gather(
                        values, 1, weights.argmax(-1, keepdim=True).expand(-1, -1, values.shape[-1])
                    )
                ),
                _decoder(context=lambda weights, values: weights @ values / values.shape[1]),
                _decoder(context=lambda weights, values: torch.zeros_like(weights @ values)),
                _decoder(context=lambda weights, values: (weights @ values).tanh()),
            ),
        ),
        Misconception(
            "one-sentence-for-all",
            "sentences of the batch are mixed up",
            "Right for one sentence, but in a batch each attends to its *own* source, from its own state.",
            (
                _decoder(
                    query=lambda token, state, encoder_out: state[:, :1].transpose(0, 1).expand(len(token), -1, -1)
                ),
                _decoder(context=lambda weights, values: weights @ values[:1]),
                _decoder(context=lambda weights, values: weights[:1] @ values),
                _decoder(
                    context=lambda weights, values: (weights @ values).mean(0, keepdim=True).expand(len(values), -1, -1)
                ),
                _decoder(weigh=lambda scores, valid_lens: _masked(scores, valid_lens)[:1].expand(len(scores), -1, -1)),
                _decoder(step=_batch_as_time),
            ),
        ),
        Misconception(
            "previous-state-returned",
            "the state that comes back isn't the new one",
            "The step after this one goes on from what comes back. With the old state the decoder never gets ahead.",
            (
                _decoder(result=lambda output, state, weights, old: (output, old, weights[:, 0])),
                _decoder(result=lambda output, state, weights, old: (output, torch.zeros_like(state), weights[:, 0])),
            ),
        ),
        Misconception(
            "state-not-carried",
            "the network doesn't go on from the previous state",
            "The state is the query *and* what the network goes on from: `self.rnn(x, state)`. Left out, it starts from zeros, "
            "and has forgotten everything before the last word.",
            (
                _decoder(rnn_state=lambda state, encoder_out: None),
                _decoder(rnn_state=lambda state, encoder_out: torch.zeros_like(state)),
            ),
        ),
        Misconception(
            "state-for-output",
            "one of the three stands in another's place",
            "In this order: the output (B, 1, H), the new state (1, B, H), the weights (B, S).",
            (
                _decoder(result=lambda output, state, weights, old: (output, weights[:, 0], state)),
                _decoder(result=lambda output, state, weights, old: (state, output, weights[:, 0])),
                _decoder(result=lambda output, state, weights, old: (weights[:, 0], output, state)),
                _decoder(result=lambda output, state, weights, old: (output, output, weights[:, 0])),
                _decoder(result=lambda output, state, weights, old: (state, state, weights[:, 0])),
            ),
        ),
        Misconception(
            "other-shapes",
            "an axis too many, or one too few",
            "The output is (B, 1, H), as the GRU gives it; the state (1, B, H), as the GRU wants it back; the weights "
            "(B, S), without the axis of size 1.",
            (
                _decoder(result=lambda output, state, weights, old: (output, state, weights)),
                _decoder(result=lambda output, state, weights, old: (output, state, weights.transpose(1, 2))),
                _decoder(result=lambda output, state, weights, old: (output[:, 0], state, weights[:, 0])),
                _decoder(result=lambda output, state, weights, old: (output[:, 0], state, weights)),
                _decoder(result=lambda output, state, weights, old: (output, state[0], weights[:, 0])),
                _decoder(result=lambda output, state, weights, old: (output[:, 0], state[0], weights[:, 0])),
                _decoder(result=lambda output, state, weights, old: (output, state, weights.squeeze())),
            ),
        ),
        Misconception(
            "two-of-three",
            "not three tensors come back",
            "A step gives three things: the output, for the next token; the state, for the next step; the weights, for the picture.",
            (
                _decoder(result=lambda output, state, weights, old: (output, state)),
                _decoder(result=lambda output, state, weights, old: (output, weights[:, 0])),
                _decoder(result=lambda output, state, weights, old: output),
                _decoder(result=lambda output, state, weights, old: None),
                _decoder(result=lambda output, state, weights, old: (output, (state, weights[:, 0]))),
            ),
        ),
        Misconception(
            "remembers-calls",
            "something is kept from an earlier call",
            "The next call may be about another sentence, or another beam of the same. All that a step knows is what it is given.",
            (_decoder(step=_context_kept), _decoder(step=_state_of_its_own), _decoder(step=_keys_kept)),
        ),
        Misconception(
            "dropout",
            "there is dropout",
            "The exercise asks for none; in training, numbers are missing.",
            (_decoder(step=_dropout_on), _decoder(step=_dropout_on_weights)),
        ),
        Misconception(
            "graph-cut",
            "the graph is cut",
            "The numbers are right, but something has left the graph (`detach`, `.data`, `no_grad`, a new tensor from old "
            "numbers): the loss can't teach what lies before it.",
            (
                _decoder(step=_without_gradients),
                _decoder(weigh=lambda scores, valid_lens: _masked(scores, valid_lens).detach()),
                _decoder(values=lambda encoder_out, valid_lens: encoder_out.detach()),
                _decoder(context=lambda weights, values: (weights @ values).detach()),
                _decoder(query=lambda token, state, encoder_out: state.transpose(0, 1).detach()),
                _decoder(rnn_state=lambda state, encoder_out: state.detach()),
                _decoder(result=lambda output, state, weights, old: (output.detach(), state, weights[:, 0])),
                _decoder(result=lambda output, state, weights, old: (output, state.detach(), weights[:, 0])),
                _decoder(
                    query=lambda token, state, encoder_out: state.transpose(0, 1).detach(),
                    rnn_state=lambda state, encoder_out: state.detach(),
                ),
                _decoder(
                    scored=lambda score, queries, keys: score(queries, keys.detach()),
                ),
            ),
        ),
        Misconception(
            "writes-into-arguments",
            "an argument is overwritten",
            "The result is right, but the encoder's outputs or the state aren't what they were, and the next step needs the "
            "outputs. Make a new tensor (`masked_fill` without the underscore, `x * y` for `x *= y`).",
            (_decoder(step=_zeroing_the_padding), _decoder(step=_writing_the_state)),
        ),
    ),
)


# --- 3. translate --------------------------------------------------------------------------------------------------

_ENGLISH = Words(_SENTENCES)
_FRENCH = Words(("le chat noir voit un chien", "elle dort", "la maison rouge ."))
_FRENCH_REORDERED = Words(_FRENCH.sentences, ("<unk>", "<pad>", "chat", "dort", "<eos>", "noir", "<bos>"))


@dataclass(frozen=True, eq=False)
class Script:
    """What the translator of a case writes, `<eos>` included if it writes one, and the numbers that make it do so."""

    written: tuple[str, ...]
    target: Words
    weights: Mapping[str, Tensor]
    training: bool

    def build(self) -> ScriptedTranslator:
        steps = len(self.weights["logits"])
        model = ScriptedTranslator(_ENGLISH.tokenizer(), self.target.tokenizer(), steps)
        model.load_state_dict(self.weights)
        return model.train(self.training)

    def __str__(self) -> str:
        mode = "training" if self.training else "evaluation"
        return f"a model in {mode} mode that, decoded greedily, writes: {' '.join(self.written)}"


def _translate_case(
    draw: Draw,
    source: int,
    written: str,
    max_len: int,
    target: Words = _FRENCH,
    training: bool = False,
) -> Case:
    """A case with a source of so many tokens, for which the model writes these; if more than `max_len`, it goes on."""
    tokenizer = target.tokenizer()
    path = [tokenizer.token_to_id(token) for token in written.split()]
    vocab_size, steps = tokenizer.get_vocab_size(), len(path) + 2
    vocab = _ENGLISH.tokenizer().get_vocab_size()
    logits = draw.integers(0, 20, steps, vocab_size, vocab_size) / 10
    logits += torch.arange(vocab_size) / 1000  # no two alike
    logits[:, :, tokenizer.token_to_id("<eos>")] -= 3  # only where the path says so
    last = tokenizer.token_to_id("<bos>")
    for step, token in enumerate(path):
        logits[step, last, token] = 2.5
        last = token
    weights = {
        "keys.weight": draw.normal(vocab, 2, scale=1.0),
        "logits": logits,
        "scores": draw.normal(steps, vocab_size, 12, scale=1.5),
    }
    script = Script(tuple(written.split()), target, weights, training)
    (sentence,) = _said(draw, source)
    return Case((script, sentence, max_len), _translated(script, sentence, max_len))


def _translated(script: Script, sentence: str, max_len: int) -> tuple[list[str], Tensor]:
    """What a right answer gives: the script, with where it looks."""
    source, target = _ENGLISH.tokenizer(), script.target.tokenizer()
    ids = [*source.encode(sentence).ids, source.token_to_id("<eos>")]
    keys = script.weights["keys.weight"].double()[ids].sum(-1)
    tokens = [token for token in script.written if token != "<eos>"][:max_len]
    rows, last = [torch.zeros(0, len(ids), dtype=torch.float64)], target.token_to_id("<bos>")
    for step, token in enumerate(tokens):
        scores = keys + script.weights["scores"][step, last, : len(ids)].double()
        rows.append((scores.exp() / scores.exp().sum()).unsqueeze(0))
        last = target.token_to_id(token)
    return tokens, torch.cat(rows).float()


def _stops_by_itself(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 3, "le chat <eos>", 10)  # 3 tokens and <eos>: no padding
    yield _translate_case(draw, 3, "chat le chat noir <eos>", 9)
    yield _translate_case(draw, 7, "elle dort <eos>", 7)


def _tokens_alone(draw: Draw) -> Iterator[Case]:
    return (Case(case.args, case.want[0]) for case in _stops_by_itself(draw))


def _writes_unknown_words(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 3, "le <unk> dort . <eos>", 10)


def _padded_by_the_model(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 1, "elle dort <eos>", 8)
    yield _translate_case(draw, 4, "le chat noir <eos>", 8)
    yield _translate_case(draw, 6, "dort chat <eos>", 8)


def _never_stops(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 3, "le chat le chat noir dort", 4)
    yield _translate_case(draw, 5, "chat noir le un chien", 1)
    yield _translate_case(draw, 2, "un chien voit un chien", 5)


def _just_in_time(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 3, "le chat dort <eos>", 3)
    yield _translate_case(draw, 3, "le chat dort <eos>", 4)


def _writes_nothing(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 3, "<eos>", 6)
    yield _translate_case(draw, 2, "<eos>", 6)


def _other_target_ids(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 3, "dort chat <unk> le <eos>", 8, _FRENCH_REORDERED)
    yield _translate_case(draw, 2, "chat dort chat dort", 3, _FRENCH_REORDERED)


def _given_in_training(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 3, "le chat noir dort <eos>", 8, training=True)
    yield _translate_case(draw, 4, "chat elle <eos>", 8, training=True)


def _either_mode(draw: Draw) -> Iterator[Case]:
    for training in (True, False):
        yield Case(_translate_case(draw, 3, "le chat dort <eos>", 6, training=training).args, training)


def _tables_after(draw: Draw) -> Iterator[Case]:
    yield Case(_translate_case(draw, 3, "le chat dort <eos>", 6, training=True).args, None)


_SEEDED = torch.Generator().manual_seed(0).get_state()


def _with_script(observe: Callable[[ScriptedTranslator, Callable, tuple], Any]) -> Callable[[Callable, tuple], Any]:
    """An observer that gets the case's model, the call of the answer with it, and the other arguments."""

    def observe_with_model(answer: Callable, args: tuple) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(_SEEDED)
            model = args[0].build()
            return observe(model, lambda *rest: answer(model, *rest), args[1:])

    return observe_with_model


def _pair(result: Any) -> tuple[Any, Any]:
    if isinstance(result, tuple | list) and len(result) == 2:
        return result[0], result[1]
    if result is None:
        raise CannotObserve("it gave None")
    raise CannotObserve(f"it gave a {type(result).__name__}, not a pair (tokens, weights)")


def _translation(result: Any) -> tuple[list, Tensor]:
    """What an answer returned, if it is a list (or a tuple) and a tensor.

    Raises:
        CannotObserve: otherwise.
    """
    if result is None:
        raise CannotObserve("it gave None")
    if not isinstance(result, tuple | list) or len(result) != 2:
        of = f" of {len(result)}" if isinstance(result, tuple | list) else ""
        raise CannotObserve(f"it gave a {type(result).__name__}{of}, not a pair (tokens, weights)")
    tokens, weights = result
    problems = []
    if not isinstance(tokens, tuple | list):
        problems.append(f"its tokens are a {type(tokens).__name__}, not a list of strings")
    if not isinstance(weights, Tensor):
        problems.append(f"its weights are a {type(weights).__name__}, not a tensor")
    if problems:
        raise CannotObserve(", and ".join(problems))
    return list(tokens), weights.detach()


@_with_script
def _tokens(model: nn.Module, call: Callable, args: tuple) -> list:
    return _translation(call(*args))[0]


@_with_script
def _tokens_and_weights(model: nn.Module, call: Callable, args: tuple) -> tuple[list, Tensor]:
    return _translation(call(*args))


def _same_tokens(got: list, want: list[str]) -> str | None:
    return None if got == want else f"the tokens are {got}, and should be {want}"


@_with_script
def _script_modes(model: nn.Module, call: Callable, args: tuple) -> tuple[bool, ...]:
    call(*args)
    return tuple(part.training for part in model.modules())


def _mode_kept(got: tuple[bool, ...], want: bool) -> str | None:
    if all(part == want for part in got):
        return None
    return f"a model in {'training' if want else 'evaluation'} mode is in another one afterwards"


@_with_script
def _script_changes(model: nn.Module, call: Callable, args: tuple) -> tuple[str, ...]:
    before = {name: each.clone() for name, each in model.state_dict().items()}
    learning = {name: each.requires_grad for name, each in model.named_parameters()}
    call(*args)
    if not torch.is_grad_enabled():
        return ("whether gradients are on, for everyone",)
    return tuple(
        f"the model's {name}"
        for name, each in model.named_parameters()
        if not torch.equal(each.detach(), before[name]) or each.requires_grad != learning[name]
    )


def _unchanged(got: tuple[str, ...], want: Any) -> str | None:
    return f"it changed {got[0]}" if got else None


def _both(got: tuple, want: tuple) -> str | None:
    problem = _same_tokens(got[0], want[0])
    if problem:
        return problem
    problem = equals(got[1], want[1])
    return f"the tokens are right; of the weights: {problem}" if problem else None


def _token_id(name: str) -> Callable[[ScriptedTranslator], int]:
    return lambda model: model.target_tokenizer.token_to_id(name)


_BOS, _EOS = _token_id("<bos>"), _token_id("<eos>")


def _as_tokens(model: ScriptedTranslator, ids: list[int]) -> list[str]:
    return [model.target_tokenizer.id_to_token(each) for each in ids]


def _before_eos(model: ScriptedTranslator, ids: list[int]) -> list[str]:
    tokens = _as_tokens(model, ids)
    return tokens[: tokens.index("<eos>")] if "<eos>" in tokens else tokens


def _translating(
    evaluate: Callable = nn.Module.eval,
    restore: Callable = nn.Module.train,
    start: Callable = _BOS,
    end: Callable = _EOS,
    limit: Callable = lambda max_len: max_len,
    choose: Callable = lambda logits: int(logits[0, 0].argmax()),
    fed: Callable = lambda token, start: token,
    carried: Callable = lambda new, first: new,
    lens: Callable = lambda valid_lens, encoder_out: valid_lens,
    keep_end: bool = False,
    rows: Callable = lambda looked, count: looked[:count],
    columns: Callable = lambda weights, valid_lens: weights[:, : int(valid_lens)],
    empty: Callable = lambda encoder_out: torch.zeros(0, encoder_out.shape[1]),
    tokens: Callable = _as_tokens,
    result: Callable = lambda tokens, weights: (tokens, weights),
    stop: Callable = lambda token, end: token == end,
    first_state: Callable = lambda state: state,
    evaluate_late: bool = False,
) -> Callable:
    """An answer that is right but for what is changed."""

    def translate(model, sentence, max_len):
        was_training = model.training
        if not evaluate_late:
            evaluate(model)
        with torch.no_grad():
            encoder_out, state, valid_lens = model.encode(sentence)
            evaluate(model)
            first = state = first_state(state)
            last, ids, looked = start(model), [], []
            while len(looked) < limit(max_len):
                read = torch.tensor([[last]])
                logits, new_state, weights = model.step(read, state, encoder_out, lens(valid_lens, encoder_out))
                token = choose(logits)
                looked.append(weights)
                if stop(token, end(model)):
                    ids += [token] if keep_end else []
                    break
                ids.append(token)
                last, state = fed(token, start(model)), carried(new_state, first)
        restore(model, was_training)
        kept = rows(looked, len(ids))
        attended = torch.cat(kept) if kept else empty(encoder_out)
        return result(tokens(model, ids), columns(attended, valid_lens))

    return translate


def _going_on(**changes: Callable) -> Callable:
    """`max_len` tokens, whatever they are; what comes back is cut, or isn't."""
    return _translating(stop=lambda token, end: False, **changes)


def _cut_at(id_of: int) -> Callable:
    return lambda model, ids: _as_tokens(model, ids[: ids.index(id_of)] if id_of in ids else ids)


def _columns_if_any(weights: Tensor, valid_lens: Tensor) -> Tensor:
    return weights[:, : int(valid_lens)] if len(weights) else weights


def _none_if_empty(weights: Tensor, valid_lens: Tensor) -> Tensor | None:
    return weights[:, : int(valid_lens)] if len(weights) else None


def _freezing(model, sentence, max_len):
    return _translating()(model.requires_grad_(False), sentence, max_len)


def _gradients_off(model, sentence, max_len):
    result = _translating()(model, sentence, max_len)
    torch.set_grad_enabled(False)
    return result


TRANSLATE = Exercise(
    name="translate",
    arguments=("model", "sentence", "max_len"),
    properties=(
        Property("writes the likeliest token at each step, until `<eos>`", _tokens_alone, _tokens, _same_tokens),
        Property("the weights have a row for each token written", _stops_by_itself, _tokens_and_weights, _both),
        Property(
            "the weights have a column for each real source token, `<eos>` included, and none for padding",
            _padded_by_the_model,
            _tokens_and_weights,
            _both,
        ),
        Property(
            "a model that doesn't stop is stopped after `max_len` tokens", _never_stops, _tokens_and_weights, _both
        ),
        Property("a translation of just `max_len` tokens comes whole", _just_in_time, _tokens_and_weights, _both),
        Property(
            "`<unk>` is a token like any other",
            _writes_unknown_words,
            _tokens_and_weights,
            _both,
            suggests="unk-dropped",
        ),
        Property(
            "`<bos>` and `<eos>` have the ids that the target's tokenizer gives them",
            _other_target_ids,
            _tokens_and_weights,
            _both,
            suggests="ids-by-heart",
        ),
        Property(
            "an `<eos>` at once: no tokens, and weights of shape (0, S)",
            _writes_nothing,
            _tokens_and_weights,
            _both,
            suggests="fails-on-an-empty-translation",
        ),
        Property(
            "decodes in evaluation mode, whatever mode the model was in",
            _given_in_training,
            _tokens_and_weights,
            _both,
            suggests="dropout-left-on",
        ),
        Property(
            "leaves the model in the mode that it found it in",
            _either_mode,
            _script_modes,
            _mode_kept,
            suggests="mode-changed",
        ),
        Property(
            "leaves the model's parameters, and whether gradients are on, as they were",
            _tables_after,
            _script_changes,
            _unchanged,
            suggests="changes-the-model",
        ),
    ),
    misconceptions=(
        Misconception(
            "eos-in-the-result",
            "`<eos>` is among the tokens",
            "`<eos>` says that the translation is over. It is no word of it: it must neither be shown nor be scored.",
            (
                _translating(keep_end=True),
                _translating(keep_end=True, rows=lambda looked, count: looked[: count - 1] if count > 1 else looked),
                _translating(keep_end=True, empty=lambda encoder_out: torch.zeros(0)),
            ),
        ),
        Misconception(
            "rows-after-eos-kept",
            "the weights have more rows than there are tokens",
            "A row belongs to a token that is shown. The row of `<eos>`, and whatever the model looked at after it, belongs to none: "
            "a heatmap with it has a row without a label.",
            (
                _translating(rows=lambda looked, count: looked),
                _going_on(tokens=_before_eos, rows=lambda looked, count: looked),
            ),
        ),
        Misconception(
            "rows-shifted",
            "each token has another token's row",
            "The weights that a step returns are those with which *that* step's token was chosen. Yours are one off.",
            (
                _translating(rows=lambda looked, count: looked[-count:] if count else []),
                _translating(rows=lambda looked, count: looked[1 : count + 1] if count else []),
                _translating(rows=lambda looked, count: looked[:count][::-1]),
                _translating(rows=lambda looked, count: looked[-1:] * count),
                _translating(rows=lambda looked, count: looked[:1] * count),
            ),
        ),
        Misconception(
            "padding-columns-kept",
            "the weights have columns for the padding",
            "The model pads the source; `valid_lens` says how many of its tokens are real. The others' columns are always 0, and there "
            "is no word to write under them.",
            (
                _translating(columns=lambda weights, valid_lens: weights),
                _translating(columns=lambda weights, valid_lens: weights[:, : int(valid_lens) + 1]),
            ),
        ),
        Misconception(
            "eos-column-missing",
            "the column of the source's `<eos>` is missing",
            "The encoder reads `<eos>` as well, and the decoder may look at it (at the end it often does). Without its column the rows "
            "don't sum to 1.",
            (_translating(columns=lambda weights, valid_lens: weights[:, : int(valid_lens) - 1]),),
        ),
        Misconception(
            "padding-attended",
            "the decoder looks at the padding",
            "`step` needs the `valid_lens` that `encode` has given: without them part of the weight goes to padding, and what "
            "you keep doesn't sum to 1.",
            (
                _translating(lens=lambda valid_lens, encoder_out: torch.tensor([encoder_out.shape[1]])),
                _translating(lens=lambda valid_lens, encoder_out: None),
                _translating(lens=lambda valid_lens, encoder_out: None, columns=lambda weights, valid_lens: weights),
            ),
        ),
        Misconception(
            "goes-on-after-eos",
            "`<eos>` doesn't stop it",
            "The translation ends where the model says so. What it writes after that it was never trained to write.",
            (
                _going_on(),
                _translating(end=_token_id("<pad>")),
                _translating(end=_token_id("<bos>")),
                _going_on(tokens=lambda model, ids: [t for t in _as_tokens(model, ids) if t != "<eos>"]),
            ),
        ),
        Misconception(
            "never-stops",
            "`max_len` doesn't stop it",
            "A model may never write `<eos>`: one that has learned little often doesn't. Then `max_len` must end the loop.",
            (
                _translating(limit=lambda max_len: 10**6),
                _translating(limit=lambda max_len: 50),
                _translating(limit=lambda max_len: 100),
            ),
        ),
        Misconception(
            "one-more-or-less",
            "`max_len` is missed by one",
            "`max_len` counts the tokens that come back, without `<bos>` and `<eos>`: at most so many, and as many if the model doesn't stop.",
            (
                _translating(limit=lambda max_len: max_len - 1),
                _translating(limit=lambda max_len: max_len + 1),
            ),
        ),
        Misconception(
            "fails-on-an-empty-translation",
            "a translation of no tokens is too much for it",
            "If the first token is `<eos>`, there are no rows; the weights are `(0, S)` all the same. `torch.cat` and `torch.stack` want "
            "at least one tensor.",
            (
                _translating(empty=lambda encoder_out: torch.cat([])),
                _translating(empty=lambda encoder_out: torch.zeros(0), columns=_columns_if_any),
                _translating(empty=lambda encoder_out: torch.zeros(0, 0)),
                _translating(empty=lambda encoder_out: torch.zeros(1, encoder_out.shape[1])),
                _translating(empty=lambda encoder_out: torch.zeros(0, encoder_out.shape[1]), columns=_none_if_empty),
            ),
        ),
        Misconception(
            "dropout-left-on",
            "the model isn't in evaluation mode while it translates",
            "Dropout is for training. Left on, it drops what the model knows, and the same sentence gets another translation. "
            "`model.eval()` turns it off, for the encoder too.",
            (
                _translating(evaluate=lambda model: None),
                _translating(evaluate_late=True),
                _translating(evaluate=nn.Module.train),
            ),
        ),
        Misconception(
            "mode-changed",
            "the model is left in another mode",
            "The caller may be in the middle of training. Note `model.training` first, and set it back at the end.",
            (
                _translating(restore=lambda model, was_training: None),
                _translating(restore=lambda model, was_training: model.train()),
            ),
        ),
        Misconception(
            "restarts-the-state",
            "every step starts from the first state",
            "A step returns a new state, and the next one goes on from it. Otherwise the model doesn't know what it has written "
            "before the last token.",
            (
                _translating(carried=lambda new, first: first),
                _translating(carried=lambda new, first: torch.zeros_like(first)),
            ),
        ),
        Misconception(
            "starts-from-nothing",
            "the first state isn't the encoder's",
            "`encode` gives the state from which the decoder starts.",
            (_translating(first_state=torch.zeros_like),),
        ),
        Misconception(
            "feeds-the-start-token",
            "the model reads `<bos>` at every step",
            "`<bos>` is for the first step. At the others the model reads the token that it has just written.",
            (_translating(fed=lambda token, start: start),),
        ),
        Misconception(
            "another-start",
            "another token than `<bos>` is read first",
            "In training the decoder read `<bos>` before the first word. It must be the same here.",
            (
                _translating(start=_token_id("<eos>")),
                _translating(start=_token_id("<pad>")),
                _translating(start=_token_id("<unk>")),
                _translating(start=lambda model: 0),
            ),
        ),
        Misconception(
            "ids-by-heart",
            "an id is a number that you know by heart, or another tokenizer's",
            "Ask the *target's* tokenizer for the ids of `<bos>` and `<eos>`. Here they aren't what they are elsewhere.",
            (
                _translating(start=lambda model: 1, end=lambda model: 2),
                _translating(start=lambda model: 1),
                _translating(end=lambda model: 2),
                _going_on(tokens=_cut_at(2)),
                _translating(
                    start=lambda model: model.source_tokenizer.token_to_id("<bos>"),
                    end=lambda model: model.source_tokenizer.token_to_id("<eos>"),
                ),
            ),
        ),
        Misconception(
            "stops-at-another-token",
            "it stops at another token than `<eos>`",
            "Only `<eos>` ends a translation.",
            (
                _translating(end=_token_id("<unk>")),
                _translating(stop=lambda token, end: token in (end, 3)),
            ),
        ),
        Misconception(
            "unk-dropped",
            "`<unk>` is left out",
            "The model wrote something there, and has a row of weights for it. `tokenizer.decode` leaves special tokens out if it "
            "isn't told otherwise; `id_to_token` doesn't.",
            (
                _translating(tokens=lambda model, ids: model.target_tokenizer.decode(ids).split()),
                _translating(tokens=lambda model, ids: [t for t in _as_tokens(model, ids) if not t.startswith("<")]),
                _translating(stop=lambda token, end: token == end or token in (0, 1, 2, 3)),
            ),
        ),
        Misconception(
            "not-a-list-of-tokens",
            "the tokens aren't a list of strings",
            "One string for each token: a picture wants to write one at each row. No ids, and no whole sentence.",
            (
                _translating(tokens=lambda model, ids: ids),
                _translating(tokens=lambda model, ids: torch.tensor(ids)),
                _translating(tokens=lambda model, ids: " ".join(_as_tokens(model, ids))),
                _translating(tokens=lambda model, ids: model.target_tokenizer.decode(ids)),
                _translating(tokens=lambda model, ids: model.target_tokenizer.decode(ids, skip_special_tokens=False)),
            ),
        ),
        Misconception(
            "in-the-source-language",
            "the ids are read with the source's tokenizer",
            "An id means nothing by itself: 7 is one word in English and another in French.",
            (
                _translating(tokens=lambda model, ids: [str(model.source_tokenizer.id_to_token(each)) for each in ids]),
                _translating(tokens=lambda model, ids: [model.source_tokenizer.id_to_token(each) for each in ids]),
            ),
        ),
        Misconception(
            "start-in-the-result",
            "`<bos>` is among the tokens",
            "Nobody wrote the start token.",
            (
                _translating(tokens=lambda model, ids: ["<bos>", *_as_tokens(model, ids)]),
                _translating(tokens=lambda model, ids: ["<bos>", *_as_tokens(model, ids), "<eos>"]),
            ),
        ),
        Misconception(
            "not-the-likeliest",
            "it isn't the likeliest token that is written",
            "Greedy decoding takes the token with the largest logit, at every step.",
            (
                _translating(choose=lambda logits: int(logits[0, 0].argmin())),
                _translating(choose=lambda logits: int(logits[0, 0].topk(2).indices[1])),
                _translating(choose=lambda logits: int(torch.multinomial(logits[0, 0].softmax(-1), 1))),
                _translating(choose=lambda logits: int(logits.argmax(1)[0, 0])),
            ),
        ),
        Misconception(
            "weights-in-another-shape",
            "the weights have another shape",
            "(T, S): a row for each token written, a column for each one read, and no axis for the batch.",
            (
                _translating(result=lambda tokens, weights: (tokens, weights.T)),
                _translating(result=lambda tokens, weights: (tokens, weights.unsqueeze(0))),
                _translating(result=lambda tokens, weights: (tokens, weights.unsqueeze(1))),
                _translating(result=lambda tokens, weights: (tokens, weights.tolist())),
                _translating(result=lambda tokens, weights: (tokens, list(weights))),
                _translating(result=lambda tokens, weights: (tokens, list(weights.unsqueeze(1)))),
                _translating(result=lambda tokens, weights: (tokens, weights.numpy())),
                _translating(result=lambda tokens, weights: (tokens, weights.flatten())),
            ),
        ),
        Misconception(
            "order-of-the-pair",
            "no pair (tokens, weights) comes back",
            "First the tokens, then the weights.",
            (
                _translating(result=lambda tokens, weights: (weights, tokens)),
                _translating(result=lambda tokens, weights: tokens),
                _translating(result=lambda tokens, weights: weights),
                _translating(result=lambda tokens, weights: " ".join(tokens)),
            ),
        ),
        Misconception(
            "changes-the-model",
            "the model, or whether gradients are on, isn't what it was",
            "Translating only reads. `with torch.no_grad():` ends by itself; `requires_grad_(False)` and `set_grad_enabled(False)` "
            "don't, and the next training step would fail.",
            (_freezing, _gradients_off),
        ),
        NOTHING_RETURNED,
    ),
)


# --- 4. bleu -------------------------------------------------------------------------------------------------------

_WORDS = ("the", "small", "cat", "sees", "a", "dog", "near", "house", "and", "sleeps", "red", "bird")


def _corpus_bleu(hypotheses: list[str], references: list[list[str]], **options: Any) -> float:
    """What sacreBLEU says. It wants a list of all first references, one of all second ones, and so on."""
    columns = [list(column) for column in zip_longest(*references)]
    return BLEU(force=True, **options).corpus_score(hypotheses, columns).score


def _bleu_oracle(hypotheses: list[str], references: list[list[str]]) -> float:
    """Papineni et al. (2002) by the definition, with Post's smoothing, for words and full stops apart by spaces."""
    found, possible, length, closest = [0] * 4, [0] * 4, 0, 0
    for hypothesis, several in zip(hypotheses, references, strict=True):
        words, others = (hypothesis.replace(".", " .").split(), [each.replace(".", " .").split() for each in several])
        length += len(words)
        closest += min((abs(len(each) - len(words)), len(each)) for each in others)[1]
        for n in range(4):
            mine = _runs(words, n + 1)
            most = [_runs(each, n + 1) for each in others]
            found[n] += sum(min(count, max(each.get(run, 0) for each in most)) for run, count in mine.items())
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
    yield _bleu_case(same, [[each] for each in same])
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


def _scoring(**options: Any) -> Callable:
    """sacreBLEU with other settings."""
    return lambda hypotheses, references: _corpus_bleu(hypotheses, references, **options)


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
    return lambda hypotheses, references: _corpus_bleu(hypotheses, [choose(each) for each in references])


def _swapped(hypotheses: list[str], references: list[list[str]]) -> float:
    return _corpus_bleu([each[0] for each in references], [[each] for each in hypotheses])


def _in_one(references: list[list[str]]) -> list[str]:
    return [reference for each in references for reference in each]


def _each_against_all(hypotheses: list[str], references: list[list[str]]) -> float:
    return _corpus_bleu(hypotheses, [_in_one(references)] * len(hypotheses))


def _letters(hypotheses: list[str], references: list[list[str]]) -> float:
    return _corpus_bleu(
        [" ".join(each) for each in hypotheses], [[" ".join(each) for each in several] for several in references]
    )


def _fewest_columns(hypotheses: list[str], references: list[list[str]]) -> float:
    fewest = min(map(len, references))
    return _corpus_bleu(hypotheses, [each[:fewest] for each in references])


def _filled_with_nothing(hypotheses: list[str], references: list[list[str]]) -> float:
    most = max(map(len, references))
    return _corpus_bleu(hypotheses, [each + [""] * (most - len(each)) for each in references])


def _of_each_column(pick: Callable) -> Callable:
    """A score for all first references, one for all second ones, and so on; then their mean, or the best."""

    def bleu(hypotheses, references):
        columns = range(max(map(len, references)))
        return pick([_corpus_bleu(hypotheses, [[each[min(i, len(each) - 1)]] for each in references]) for i in columns])

    return bleu


def _repeated(hypotheses: list[str], references: list[list[str]]) -> float:
    """Each reference with a copy of the hypothesis: a pair a line."""
    pairs = [(hypothesis, each) for hypothesis, several in zip(hypotheses, references, strict=True) for each in several]
    return _corpus_bleu([pair[0] for pair in pairs], [[pair[1]] for pair in pairs])


def _converted(convert: Callable[[float], Any]) -> Callable:
    return lambda hypotheses, references: convert(_corpus_bleu(hypotheses, references))


def _popping(hypotheses: list[str], references: list[list[str]]) -> float:
    score = _corpus_bleu(hypotheses, references)
    most = max(map(len, references))
    for each in references:
        each += [""] * (most - len(each))
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
    filled = [each + each[:1] * (most - len(each)) for each in references]
    return CHRF().corpus_score(hypotheses, [list(column) for column in zip(*filled, strict=True)]).score


BLEU_SCORE = Exercise(
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
    ),
    misconceptions=(
        Misconception(
            "mean-of-sentence-scores",
            "it is the mean of the sentences' scores",
            "BLEU counts runs of words over the *whole* corpus, and then takes the shares. Most single sentences have no run "
            "of four in common with their reference, and a mean of their scores is another number, which nobody else reports.",
            (_mean(_sentence_bleu), _mean(_corpus_of_one)),
        ),
        Misconception(
            "swapped",
            "hypotheses and references are swapped",
            "Precision asks how much of what the *model* wrote is in a reference, and the penalty is for a model that writes too "
            "little. Swapped, a model that writes too much is punished for it, and one that writes too little isn't.",
            (_swapped,),
        ),
        Misconception(
            "characters",
            "characters are scored, not words",
            "A string is a sequence of characters, and most sentences share most of those: the score is far too high. sacreBLEU splits "
            "into words by itself if it is given whole sentences.",
            (
                _scoring(tokenize="char"),
                _letters,
                lambda hypotheses, references: _corpus_bleu(
                    [" ".join(each.replace(" ", "")) for each in hypotheses],
                    [[" ".join(each.replace(" ", "")) for each in several] for several in references],
                ),
            ),
        ),
        Misconception(
            "references-not-transposed",
            "the references go in as they come",
            "Here `references[i]` holds all references of sentence i. sacreBLEU wants it the other way round: a list of all *first* "
            "references, a list of all second ones. Given as they come, it fails, or (where the numbers happen to agree) compares "
            "sentences with others' references.",
            (
                _as_columns,
                lambda hypotheses, references: BLEU(force=True).corpus_score(hypotheses, [_in_one(references)]).score,
                lambda hypotheses, references: BLEU(force=True).corpus_score(hypotheses, _in_one(references)).score,
            ),
        ),
        Misconception(
            "one-reference-of-several",
            "only one of several references counts",
            "A sentence can be said in many ways. Whoever wrote down several wants each of them to count.",
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
            "Some sentences have more references than others. Cut to the fewest, some aren't used; filled up with empty strings, an "
            "empty one may be the nearest in length, and then being short isn't punished. sacreBLEU takes None where there is none.",
            (
                _fewest_columns,
                _filled_with_nothing,
                lambda hypotheses, references: (
                    BLEU(force=True)
                    .corpus_score(hypotheses, [[each[i] for each in references] for i in range(len(references[0]))])
                    .score
                ),
                lambda hypotheses, references: (
                    BLEU(force=True)
                    .corpus_score(
                        hypotheses, [[each[i] for each in references] for i in range(max(map(len, references)))]
                    )
                    .score
                ),
            ),
        ),
        Misconception(
            "each-reference-by-itself",
            "each reference is scored by itself",
            "With several references a run of words counts if it is in *any* of them. That is not the mean of the scores with each, nor "
            "the best of them, nor a corpus with the sentence once for each reference.",
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
            "The lab asks for sacreBLEU as it is without any settings: its own splitting into words (`13a`), capitals count, its own "
            "smoothing. Numbers with other settings can't be compared.",
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
            "BLEU is the geometric mean of the shares of runs of one, two, three *and* four words, with the brevity penalty. "
            "In what sacreBLEU returns it is called `score`.",
            (
                _one_precision(0),
                _one_precision(1),
                _one_precision(3),
                _mean_precision,
                _chrf,
                lambda hypotheses, references: (
                    100
                    * sum(each in several for each, several in zip(hypotheses, references, strict=True))
                    / len(hypotheses)
                ),
            ),
        ),
        Misconception(
            "another-scale",
            "the score is on another scale, or rounded",
            "The score goes from 0 to 100, as sacreBLEU gives it, and isn't rounded here: rounding is for the one who prints it.",
            (
                _converted(lambda score: score / 100),
                _converted(lambda score: round(score, 1)),
                _converted(lambda score: float(round(score))),
                _converted(lambda score: round(score, 2)),
            ),
        ),
        Misconception(
            "not-a-number",
            "what comes back isn't a float",
            "sacreBLEU returns an object with the score, the four precisions and more; here only its `score` is asked for.",
            (
                _whole_object,
                _converted(str),
                _converted(torch.tensor),
                _converted(lambda score: (score,)),
                _converted(lambda score: f"{score:.2f}"),
            ),
        ),
        Misconception(
            "changes-the-lists",
            "the caller's lists are changed",
            "The score is right, but the references aren't what they were. Make lists of your own (`append`, `+=` and `pop` change the caller's).",
            (_popping,),
        ),
        NOTHING_RETURNED,
    ),
)

EXERCISES = (ENCODE_BATCH, BAHDANAU_DECODER, TRANSLATE, BLEU_SCORE)
