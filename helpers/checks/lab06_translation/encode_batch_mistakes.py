"""The mistakes that people make in `encode_batch`, each with the wrong implementations that show it."""

from collections.abc import Callable

import torch
from tokenizers import Tokenizer

from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.spoiling import remembering


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
        ids = torch.tensor([fill(row, longest - len(row), padding, end) for row in rows])
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


def _id(name: str) -> Callable[[Tokenizer], int | None]:
    return lambda tokenizer: tokenizer.token_to_id(name)


def _fixed(number: int) -> Callable[[Tokenizer], int]:
    return lambda tokenizer: number


MISTAKES = (
    mistakes.PADDING_COUNTED.explained(
        "`valid_lens` says how much of each row is *real*. If every length is the padded one, nothing will ever be "
        "masked: attention looks at padding, and the loss learns to write it.",
        _encoding(lens=_all_of_it),
        _encoding(fill=lambda row, missing, pad, eos: row + (missing + 1) * [pad], lens=_one_more),
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
        "The longest sentence sets the length of the batch, whatever it is. Yours lose their ends, and nobody is "
        "told: the model would be trained to leave out what somebody said.",
        (
            *(
                _cut(most, keep_eos)
                for most in (4, 10, 20, 32, 50, 64, 100, 128, 256, 512)
                for keep_eos in (True, False)
            ),
            _encoding(order=_cut_to_the_shortest),
            _encoding(order=lambda rows: [row[: len(rows[0])] for row in rows]),
        ),
    ),
    Misconception(
        "padded-too-far",
        "the rows are longer than the longest sentence",
        "The longest sentence, with its `<eos>`, sets the length of the batch. More padding does no harm, if it is "
        "masked, but it costs time at every step.",
        (
            _encoding(fill=lambda row, missing, pad, eos: row + (missing + 1) * [pad]),
            *(
                _encoding(fill=lambda row, missing, pad, eos, most=most: row + (most - len(row)) * [pad])
                for most in (10, 20, 50, 100, 128)
            ),
        ),
    ),
    mistakes.PADDING_IN_FRONT.explained(
        "In this lab padding stands at the end: a mask made of lengths keeps the *first* positions of each row.",
        _encoding(fill=lambda row, missing, pad, eos: missing * [pad] + row),
    ),
    mistakes.IDS_BY_HEART.explained(
        "In this tokenizer `<eos>` and `<pad>` have other ids. `tokenizer.token_to_id` tells an id by the token's "
        "name.",
        _encoding(pad=_fixed(0), eos=_fixed(2)),
        _encoding(pad=_fixed(0)),
        _encoding(eos=_fixed(2)),
        _encoding(pad=_fixed(0), lens=lambda rows, longest: [len([i for i in row if i != 0]) for row in rows]),
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
            _encoding(
                ids_of=lambda tokenizer, sentence: [tokenizer.token_to_id("<bos>"), *tokenizer.encode(sentence).ids]
            ),
            _encoding(
                ids_of=lambda tokenizer, sentence: [tokenizer.token_to_id("<bos>"), *tokenizer.encode(sentence).ids],
                lens=lambda rows, longest: [len(row) - 1 for row in rows],
            ),
        ),
    ),
    Misconception(
        "counts-words",
        "the lengths count words, not tokens",
        "The tokenizer decides what a token is: here a full stop is one, though no space stands before it. Count the "
        "ids.",
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
        "`tokenizer.encode` knows how its tokens were made: small letters, and punctuation by itself. Looked up word "
        "by word, `sleeps.` is unknown.",
        (
            _encoding(
                ids_of=lambda tokenizer, sentence: [
                    tokenizer.get_vocab().get(word, tokenizer.token_to_id("<unk>")) for word in sentence.split()
                ]
            ),
            _encoding(
                ids_of=lambda tokenizer, sentence: [
                    tokenizer.get_vocab().get(word, tokenizer.token_to_id("<unk>")) for word in sentence.lower().split()
                ]
            ),
            _encoding(ids_of=lambda tokenizer, sentence: [tokenizer.token_to_id(word) for word in sentence.split()]),
        ),
    ),
    mistakes.UNK_DROPPED.explained(
        "A word that the tokenizer doesn't know is `<unk>`, a token like any other: something stood there.",
        _encoding(
            ids_of=lambda tokenizer, sentence: [
                token_id for token_id in tokenizer.encode(sentence).ids if token_id != tokenizer.token_to_id("<unk>")
            ]
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
            _encoding(order=lambda rows: [[token_id for row in rows for token_id in row]]),
        ),
    ),
    Misconception(
        "fails-on-an-empty-sentence",
        "an empty sentence is too much for it",
        "A sentence without a token is short, but it is one: its row is an `<eos>` and padding. (A tensor of an empty "
        "list holds floating-point numbers; that is often where it goes wrong.)",
        (
            lambda tokenizer, sentences: _encoding()(tokenizer, [sentence for sentence in sentences if sentence]),
            _encoding(row=lambda ids, eos: [*ids, eos] if ids else ids),
        ),
    ),
    mistakes.NOT_WHOLE_NUMBERS.explained(
        "An embedding looks up integers, and a length counts. Somewhere they have become floating-point or boolean.",
        _encoding(result=lambda ids, lens: (ids.float(), lens)),
        _encoding(result=lambda ids, lens: (ids, lens.float())),
        _encoding(result=lambda ids, lens: (ids.float(), lens.float())),
    ),
    Misconception(
        "mask-for-lengths",
        "a mask comes back in place of the lengths",
        "`valid_lens` has one whole number for each sentence. Where a mask is needed, it can be made of them.",
        (
            _encoding(result=lambda ids, lens: (ids, torch.arange(ids.shape[1]) < lens.unsqueeze(1))),
            _encoding(result=lambda ids, lens: (ids, (torch.arange(ids.shape[1]) < lens.unsqueeze(1)).long())),
        ),
    ),
    mistakes.ORDER_OF_THE_PAIR.row(_encoding(result=lambda ids, lens: (lens, ids)), pair="ids, valid_lens"),
    mistakes.NOT_A_PAIR.explained(
        "`(ids, valid_lens)`, both tensors: lists can't be fed to an embedding.",
        _encoding(result=lambda ids, lens: (ids.tolist(), lens.tolist())),
        _encoding(result=lambda ids, lens: (ids, lens.tolist())),
        _encoding(result=lambda ids, lens: ids),
        _encoding(result=lambda ids, lens: ids.tolist()),
    ),
    mistakes.WRITES_INTO_ARGUMENTS.explained(
        "Padding, truncation or a post-processor that you switch on stays on, for everyone who has this tokenizer, "
        "and a list is the caller's own. Encode first, then pad the ids yourself.",
        _using_the_tokenizers_padding,
        _appending_to_sentences,
    ),
    mistakes.ANSWERS_FROM_MEMORY.row(remembering(_encoding())),
    mistakes.SMALL_SIZES_ONLY.row(lambda tokenizer, sentences: _encoding()(tokenizer, sentences[:64])),
    mistakes.nothing_returned(),
)
