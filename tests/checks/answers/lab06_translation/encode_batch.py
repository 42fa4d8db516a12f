"""Answers to `encode_batch`, as students write them: right in many styles, wrong in many ways."""

import itertools

import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence

from tests.checks.bank import Bank

BANK = Bank("encode_batch")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def with_pad_sequence(tokenizer, sentences):
    end = tokenizer.token_to_id("<eos>")
    rows = [torch.tensor([*tokenizer.encode(sentence).ids, end]) for sentence in sentences]
    lens = torch.tensor([len(row) for row in rows])
    return pad_sequence(rows, batch_first=True, padding_value=tokenizer.token_to_id("<pad>")), lens


@right
def into_a_full_tensor(tokenizer, sentences):
    encodings = tokenizer.encode_batch(sentences)
    valid_lens = torch.tensor([len(each) + 1 for each in encodings])
    ids = torch.full((len(sentences), int(valid_lens.max())), tokenizer.token_to_id("<pad>"))
    for row, each in enumerate(encodings):
        ids[row, : len(each)] = torch.tensor(each.ids, dtype=torch.long)
        ids[row, len(each)] = tokenizer.token_to_id("<eos>")
    return ids, valid_lens


@right
def lists_all_the_way(tokenizer, sentences):
    rows = [tokenizer.encode(sentence).ids for sentence in sentences]
    for row in rows:
        row.append(tokenizer.token_to_id("<eos>"))
    lens = [len(row) for row in rows]
    for row in rows:
        while len(row) < max(lens):
            row.append(tokenizer.token_to_id("<pad>"))
    return torch.tensor(rows), torch.tensor(lens)


@right
def encoding_padded_by_itself(tokenizer, sentences):
    pad, eos = (tokenizer.get_vocab()[name] for name in ("<pad>", "<eos>"))
    encodings = [tokenizer.encode(sentence) for sentence in sentences]
    lens = torch.as_tensor([len(each.ids) for each in encodings])
    for each in encodings:
        each.pad(int(lens.max()) + 1, pad_id=pad, pad_token="<pad>")
    ids = torch.tensor([each.ids for each in encodings])
    ids.scatter_(1, lens.unsqueeze(1), eos)
    return ids, lens + 1


@right
def zipped(tokenizer, sentences):
    end, fill = tokenizer.token_to_id("<eos>"), tokenizer.token_to_id("<pad>")
    rows = [[*tokenizer.encode(each).ids, end] for each in sentences]
    columns = itertools.zip_longest(*rows, fillvalue=fill)
    return torch.tensor(list(columns)).T, torch.tensor(list(map(len, rows)), dtype=torch.int32)


@right
def padding_switched_on_and_off(tokenizer, sentences):
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id("<pad>"), pad_token="<pad>")
    encodings = tokenizer.encode_batch(sentences)
    tokenizer.no_padding()
    lens = torch.tensor([sum(each.attention_mask) for each in encodings])
    ids = torch.tensor([each.ids for each in encodings], dtype=torch.int64)
    ids = torch.cat([ids, torch.full((len(ids), 1), tokenizer.token_to_id("<pad>"))], dim=1)
    ids[torch.arange(len(ids)), lens] = tokenizer.token_to_id("<eos>")
    return ids, lens + 1


# === Wrong ============================================================================================================


def encoded(tokenizer, sentences, end="<eos>", fill="<pad>"):
    rows = [[*tokenizer.encode(each).ids, tokenizer.token_to_id(end)] for each in sentences]
    longest = max(map(len, rows))
    filled = [row + [tokenizer.token_to_id(fill)] * (longest - len(row)) for row in rows]
    return torch.tensor(filled), torch.tensor([len(row) for row in rows])


@wrong(named="padding-counted")
def lengths_of_the_rows(tokenizer, sentences):
    ids, _ = encoded(tokenizer, sentences)
    return ids, torch.tensor([len(row) for row in ids])


@wrong(named="eos-missing")
def without_an_end(tokenizer, sentences):
    rows = [torch.tensor(tokenizer.encode(each).ids) for each in sentences]
    return pad_sequence(rows, True, tokenizer.token_to_id("<pad>")), torch.tensor([len(row) for row in rows])


@wrong(named="eos-after-the-padding")
def end_in_a_last_column(tokenizer, sentences):
    encodings = tokenizer.encode_batch(sentences)
    longest = max(len(each) for each in encodings)
    for each in encodings:
        each.pad(longest, pad_id=tokenizer.token_to_id("<pad>"))
    ids = torch.tensor([[*each.ids, tokenizer.token_to_id("<eos>")] for each in encodings])
    return ids, torch.tensor([sum(each.attention_mask) + 1 for each in encodings])


@wrong(named="eos-not-counted")
def end_not_counted(tokenizer, sentences):
    ids, lens = encoded(tokenizer, sentences)
    return ids, lens - 1


@wrong(named="truncates")
def cut_at_thirty_two(tokenizer, sentences):
    ids, lens = encoded(tokenizer, sentences)
    return ids[:, :32], lens.clamp(max=32)


@wrong(named="truncates")
def cut_at_a_number_nobody_expects(tokenizer, sentences):
    ids, lens = encoded(tokenizer, sentences)
    return ids[:, :77], lens.clamp(max=77)


@wrong(named="padding-in-front")
def padding_on_the_left(tokenizer, sentences):
    rows = [torch.tensor([*tokenizer.encode(each).ids, tokenizer.token_to_id("<eos>")]) for each in sentences]
    ids = pad_sequence(rows, True, tokenizer.token_to_id("<pad>"), padding_side="left")
    return ids, torch.tensor(list(map(len, rows)))


@wrong(named="ids-by-heart")
def padded_with_zero(tokenizer, sentences):
    rows = [torch.tensor([*tokenizer.encode(each).ids, tokenizer.token_to_id("<eos>")]) for each in sentences]
    return pad_sequence(rows, batch_first=True), torch.tensor(list(map(len, rows)))


@wrong(named="another-special-token")
def padded_with_eos(tokenizer, sentences):
    return encoded(tokenizer, sentences, fill="<eos>")


@wrong(named="starts-with-bos")
def wrapped(tokenizer, sentences):
    return encoded(tokenizer, ["<bos> " + each for each in sentences])


@wrong(named="counts-words")
def words_counted(tokenizer, sentences):
    return encoded(tokenizer, sentences)[0], torch.tensor([len(each.split(" ")) + 1 for each in sentences])


@wrong(named="sorted-by-length")
def longest_first(tokenizer, sentences):
    return encoded(tokenizer, sorted(sentences, key=lambda each: -len(tokenizer.encode(each))))


@wrong(named="writes-into-arguments")
def padding_left_on(tokenizer, sentences):
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id("<pad>"), pad_token="<pad>")
    encodings = tokenizer.encode_batch(list(sentences))
    lens = torch.tensor([sum(each.attention_mask) for each in encodings])
    ids = F.pad(torch.tensor([each.ids for each in encodings]).long(), (0, 1), value=tokenizer.token_to_id("<pad>"))
    return ids.scatter(1, lens.unsqueeze(1), tokenizer.token_to_id("<eos>")), lens + 1


@wrong(named="not-whole-numbers")
def floats(tokenizer, sentences):
    ids, lens = encoded(tokenizer, sentences)
    return ids, lens / 1


@wrong(named="fails-on-an-empty-sentence")
def fails_without_a_token(tokenizer, sentences):
    pad, end = tokenizer.token_to_id("<pad>"), torch.tensor([tokenizer.token_to_id("<eos>")])
    rows = [torch.cat([torch.tensor(tokenizer.encode(each).ids).view(-1, 1)[0:], end.view(1, 1)]) for each in sentences]
    rows = [row.view(-1) if row.dtype == torch.int64 else row.view(-1)[1:] for row in rows]
    return pad_sequence(rows, True, pad), torch.tensor([len(row) for row in rows])


@wrong(named="order-of-the-pair")
def lengths_first(tokenizer, sentences):
    return encoded(tokenizer, sentences)[::-1]


@wrong(named="not-a-pair")
def lists(tokenizer, sentences):
    ids, lens = encoded(tokenizer, sentences)
    return ids.tolist(), lens.tolist()


@wrong(named="truncates")
def as_long_as_the_first(tokenizer, sentences):
    ids, lens = encoded(tokenizer, sentences)
    return ids[:, : lens[0]], lens.clamp(max=int(lens[0]))


@wrong(named="padded-too-far")
def one_column_of_padding_too_many(tokenizer, sentences):
    ids, lens = encoded(tokenizer, sentences)
    return F.pad(ids, (0, 1), value=tokenizer.token_to_id("<pad>")), lens


@wrong(named="small-sizes-only")
def a_table_of_sixty_four_rows(tokenizer, sentences):
    rows = [[*tokenizer.encode(text).ids, tokenizer.token_to_id("<eos>")] for text in sentences[:64]]
    ids = torch.full((len(rows), max(map(len, rows))), tokenizer.token_to_id("<pad>"))
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
    return ids, torch.tensor([len(row) for row in rows])
