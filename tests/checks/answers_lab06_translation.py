"""Answers to lab 6, as students write them: right in many styles, wrong in many ways."""

import itertools
import statistics

import sacrebleu
import torch
import torch.nn.functional as F
from sacrebleu.metrics import BLEU
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from helpers.attention import AdditiveScore, AttentionPooling, masked_softmax
from tests.checks.bank import Bank

BANK = Bank()
right, wrong = BANK.right, BANK.wrong

# === encode_batch: right ==============================================================================================


@right("encode_batch")
def with_pad_sequence(tokenizer, sentences):
    end = tokenizer.token_to_id("<eos>")
    rows = [torch.tensor([*tokenizer.encode(sentence).ids, end]) for sentence in sentences]
    lens = torch.tensor([len(row) for row in rows])
    return pad_sequence(rows, batch_first=True, padding_value=tokenizer.token_to_id("<pad>")), lens


@right("encode_batch")
def into_a_full_tensor(tokenizer, sentences):
    encodings = tokenizer.encode_batch(sentences)
    valid_lens = torch.tensor([len(each) + 1 for each in encodings])
    ids = torch.full((len(sentences), int(valid_lens.max())), tokenizer.token_to_id("<pad>"))
    for row, each in enumerate(encodings):
        ids[row, : len(each)] = torch.tensor(each.ids, dtype=torch.long)
        ids[row, len(each)] = tokenizer.token_to_id("<eos>")
    return ids, valid_lens


@right("encode_batch")
def lists_all_the_way(tokenizer, sentences):
    rows = [tokenizer.encode(sentence).ids for sentence in sentences]
    for row in rows:
        row.append(tokenizer.token_to_id("<eos>"))
    lens = [len(row) for row in rows]
    for row in rows:
        while len(row) < max(lens):
            row.append(tokenizer.token_to_id("<pad>"))
    return torch.tensor(rows), torch.tensor(lens)


@right("encode_batch")
def encoding_padded_by_itself(tokenizer, sentences):
    pad, eos = (tokenizer.get_vocab()[name] for name in ("<pad>", "<eos>"))
    encodings = [tokenizer.encode(sentence) for sentence in sentences]
    lens = torch.as_tensor([len(each.ids) for each in encodings])
    for each in encodings:
        each.pad(int(lens.max()) + 1, pad_id=pad, pad_token="<pad>")
    ids = torch.tensor([each.ids for each in encodings])
    ids.scatter_(1, lens.unsqueeze(1), eos)
    return ids, lens + 1


@right("encode_batch")
def zipped(tokenizer, sentences):
    end, fill = tokenizer.token_to_id("<eos>"), tokenizer.token_to_id("<pad>")
    rows = [[*tokenizer.encode(each).ids, end] for each in sentences]
    columns = itertools.zip_longest(*rows, fillvalue=fill)
    return torch.tensor(list(columns)).T, torch.tensor(list(map(len, rows)), dtype=torch.int32)


@right("encode_batch")
def padding_switched_on_and_off(tokenizer, sentences):
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id("<pad>"), pad_token="<pad>")
    encodings = tokenizer.encode_batch(sentences)
    tokenizer.no_padding()
    lens = torch.tensor([sum(each.attention_mask) for each in encodings])
    ids = torch.tensor([each.ids for each in encodings], dtype=torch.int64)
    ids = torch.cat([ids, torch.full((len(ids), 1), tokenizer.token_to_id("<pad>"))], dim=1)
    ids[torch.arange(len(ids)), lens] = tokenizer.token_to_id("<eos>")
    return ids, lens + 1


# === encode_batch: wrong ==============================================================================================


def encoded(tokenizer, sentences, end="<eos>", fill="<pad>"):
    rows = [[*tokenizer.encode(each).ids, tokenizer.token_to_id(end)] for each in sentences]
    longest = max(map(len, rows))
    filled = [row + [tokenizer.token_to_id(fill)] * (longest - len(row)) for row in rows]
    return torch.tensor(filled), torch.tensor([len(row) for row in rows])


@wrong("encode_batch", named="padding-counted")
def lengths_of_the_rows(tokenizer, sentences):
    ids, _ = encoded(tokenizer, sentences)
    return ids, torch.tensor([len(row) for row in ids])


@wrong("encode_batch", named="eos-missing")
def without_an_end(tokenizer, sentences):
    rows = [torch.tensor(tokenizer.encode(each).ids) for each in sentences]
    return pad_sequence(rows, True, tokenizer.token_to_id("<pad>")), torch.tensor([len(row) for row in rows])


@wrong("encode_batch", named="eos-after-the-padding")
def end_in_a_last_column(tokenizer, sentences):
    encodings = tokenizer.encode_batch(sentences)
    longest = max(len(each) for each in encodings)
    for each in encodings:
        each.pad(longest, pad_id=tokenizer.token_to_id("<pad>"))
    ids = torch.tensor([[*each.ids, tokenizer.token_to_id("<eos>")] for each in encodings])
    return ids, torch.tensor([sum(each.attention_mask) + 1 for each in encodings])


@wrong("encode_batch", named="eos-not-counted")
def end_not_counted(tokenizer, sentences):
    ids, lens = encoded(tokenizer, sentences)
    return ids, lens - 1


@wrong("encode_batch", named="truncates")
def cut_at_thirty_two(tokenizer, sentences):
    ids, lens = encoded(tokenizer, sentences)
    return ids[:, :32], lens.clamp(max=32)


@wrong("encode_batch", named="truncates")
def cut_at_a_number_nobody_expects(tokenizer, sentences):
    ids, lens = encoded(tokenizer, sentences)
    return ids[:, :77], lens.clamp(max=77)


@wrong("encode_batch", named="padded-in-front")
def padding_on_the_left(tokenizer, sentences):
    rows = [torch.tensor([*tokenizer.encode(each).ids, tokenizer.token_to_id("<eos>")]) for each in sentences]
    ids = pad_sequence(rows, True, tokenizer.token_to_id("<pad>"), padding_side="left")
    return ids, torch.tensor(list(map(len, rows)))


@wrong("encode_batch", named="ids-by-heart")
def padded_with_zero(tokenizer, sentences):
    rows = [torch.tensor([*tokenizer.encode(each).ids, tokenizer.token_to_id("<eos>")]) for each in sentences]
    return pad_sequence(rows, batch_first=True), torch.tensor(list(map(len, rows)))


@wrong("encode_batch", named="another-special-token")
def padded_with_eos(tokenizer, sentences):
    return encoded(tokenizer, sentences, fill="<eos>")


@wrong("encode_batch", named="starts-with-bos")
def wrapped(tokenizer, sentences):
    return encoded(tokenizer, ["<bos> " + each for each in sentences])


@wrong("encode_batch", named="counts-words")
def words_counted(tokenizer, sentences):
    return encoded(tokenizer, sentences)[0], torch.tensor([len(each.split(" ")) + 1 for each in sentences])


@wrong("encode_batch", named="sorted-by-length")
def longest_first(tokenizer, sentences):
    return encoded(tokenizer, sorted(sentences, key=lambda each: -len(tokenizer.encode(each))))


@wrong("encode_batch", named="changes-the-arguments")
def padding_left_on(tokenizer, sentences):
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id("<pad>"), pad_token="<pad>")
    encodings = tokenizer.encode_batch(list(sentences))
    lens = torch.tensor([sum(each.attention_mask) for each in encodings])
    ids = F.pad(torch.tensor([each.ids for each in encodings]).long(), (0, 1), value=tokenizer.token_to_id("<pad>"))
    return ids.scatter(1, lens.unsqueeze(1), tokenizer.token_to_id("<eos>")), lens + 1


@wrong("encode_batch", named="not-whole-numbers")
def floats(tokenizer, sentences):
    ids, lens = encoded(tokenizer, sentences)
    return ids, lens / 1


@wrong("encode_batch", named="fails-on-an-empty-sentence")
def fails_without_a_token(tokenizer, sentences):
    pad, end = tokenizer.token_to_id("<pad>"), torch.tensor([tokenizer.token_to_id("<eos>")])
    rows = [torch.cat([torch.tensor(tokenizer.encode(each).ids).view(-1, 1)[0:], end.view(1, 1)]) for each in sentences]
    rows = [row.view(-1) if row.dtype == torch.int64 else row.view(-1)[1:] for row in rows]
    return pad_sequence(rows, True, pad), torch.tensor([len(row) for row in rows])


@wrong("encode_batch", named="order-of-the-pair")
def lengths_first(tokenizer, sentences):
    return encoded(tokenizer, sentences)[::-1]


@wrong("encode_batch", named="no-tensors")
def lists(tokenizer, sentences):
    ids, lens = encoded(tokenizer, sentences)
    return ids.tolist(), lens.tolist()


@wrong("encode_batch", named="truncates")
def as_long_as_the_first(tokenizer, sentences):
    ids, lens = encoded(tokenizer, sentences)
    return ids[:, : lens[0]], lens.clamp(max=int(lens[0]))


@wrong("encode_batch", named="padded-too-far")
def one_column_of_padding_too_many(tokenizer, sentences):
    ids, lens = encoded(tokenizer, sentences)
    return F.pad(ids, (0, 1), value=tokenizer.token_to_id("<pad>")), lens


# === BahdanauDecoder: right ===========================================================================================


@right("BahdanauDecoder")
class Plain(nn.Module):
    def __init__(self, embed_dim, hidden_dim, encoder_dim):
        super().__init__()
        self.score = AdditiveScore(hidden_dim, encoder_dim, hidden_dim)
        self.rnn = nn.GRU(encoder_dim + embed_dim, hidden_dim, batch_first=True)

    def attend(self, query, encoder_out, valid_lens):
        scores = self.score(query, encoder_out).squeeze(1)
        positions = torch.arange(encoder_out.size(1), device=scores.device)
        return scores.masked_fill(positions >= valid_lens[:, None], float("-inf")).softmax(1)

    def step(self, token_embedding, state, encoder_out, valid_lens):
        weights = self.attend(state.permute(1, 0, 2), encoder_out, valid_lens)
        context = torch.bmm(weights.unsqueeze(1), encoder_out)
        output, state = self.rnn(torch.cat((context, token_embedding), dim=2), state)
        return output, state, weights


@right("BahdanauDecoder")
class WithEinsum(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        weights = self.attend(state[-1].unsqueeze(1), encoder_out, valid_lens)
        context = torch.einsum("bs,bsd->bd", weights, encoder_out)
        output, state = self.rnn(torch.cat([context.unsqueeze(1), token_embedding], -1), state)
        return output, state, weights


@right("BahdanauDecoder")
class WithPooling(nn.Module):
    def __init__(self, embed_dim, hidden_dim, encoder_dim):
        super().__init__()
        self.score = AdditiveScore(query_dim=hidden_dim, key_dim=encoder_dim, hidden_dim=hidden_dim)
        self.rnn = nn.GRU(input_size=embed_dim + encoder_dim, hidden_size=hidden_dim, batch_first=True)

    def step(self, token_embedding, state, encoder_out, valid_lens):
        pooling = AttentionPooling(self.score)
        context = pooling(state.transpose(0, 1), encoder_out, encoder_out, valid_lens)
        output, state = self.rnn(torch.cat([context, token_embedding], dim=-1), state)
        return output, state, pooling.weights.squeeze(1)


@right("BahdanauDecoder")
class TimeMajor(nn.Module):
    """The network takes time first; the parameters are the same."""

    def __init__(self, embed_dim, hidden_dim, encoder_dim):
        super().__init__()
        self.rnn = nn.GRU(encoder_dim + embed_dim, hidden_dim)
        self.score = AdditiveScore(hidden_dim, encoder_dim, hidden_dim)

    def step(self, token_embedding, state, encoder_out, valid_lens):
        weights = masked_softmax(self.score(state.transpose(0, 1), encoder_out), valid_lens)
        context = (weights.transpose(1, 2) * encoder_out).sum(1)
        output, state = self.rnn(torch.cat([context, token_embedding[:, 0]], dim=1).unsqueeze(0), state)
        return output.transpose(0, 1), state, weights[:, 0]


@right("BahdanauDecoder")
class SentenceBySentence(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        contexts, rows = [], []
        for b, length in enumerate(valid_lens.tolist()):
            real = encoder_out[b : b + 1, :length]
            weights = self.score(state[:, b : b + 1], real).softmax(-1)
            contexts.append(weights @ real)
            rows.append(F.pad(weights[0, 0], (0, encoder_out.shape[1] - length)))
        output, state = self.rnn(torch.cat([torch.cat(contexts), token_embedding], dim=-1), state)
        return output, state, torch.stack(rows)


class ScoreByHand(nn.Module):
    def __init__(self, hidden_dim, encoder_dim):
        super().__init__()
        self.W_q = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.W_k = nn.Linear(encoder_dim, hidden_dim, bias=False)
        self.w_v = nn.Linear(hidden_dim, 1, bias=False)


@right("BahdanauDecoder")
class ByHand(nn.Module):
    """Nothing but torch and nn: the score and the masking too; the state comes out of the outputs."""

    def __init__(self, embed_dim, hidden_dim, encoder_dim):
        super().__init__()
        self.score = ScoreByHand(hidden_dim, encoder_dim)
        self.rnn = nn.GRU(encoder_dim + embed_dim, hidden_dim, batch_first=True)

    def step(self, token_embedding, state, encoder_out, valid_lens):
        query = self.score.W_q(state.squeeze(0)).unsqueeze(1)
        scores = self.score.w_v(torch.tanh(query + self.score.W_k(encoder_out)))[:, :, 0]
        keep = torch.arange(scores.shape[1])[None, :] < valid_lens[:, None]
        scores = torch.where(keep, scores, torch.full_like(scores, -1e30))
        weights = torch.exp(scores - torch.logsumexp(scores, dim=1, keepdim=True))
        context = (weights[:, :, None] * torch.where(keep[:, :, None], encoder_out, 0.0)).sum(dim=1, keepdim=True)
        output, _ = self.rnn(torch.cat([context, token_embedding], dim=2), state)
        return output, output.permute(1, 0, 2).contiguous(), weights


# === BahdanauDecoder: wrong ===========================================================================================


@wrong("BahdanauDecoder", named="concatenated-in-the-other-order")
class TokenFirst(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        weights = self.attend(state.transpose(0, 1), encoder_out, valid_lens)
        x = torch.cat([token_embedding, weights.unsqueeze(1) @ encoder_out], dim=-1)
        return *self.rnn(x, state), weights


@wrong("BahdanauDecoder", named="padding-attended")
class LengthsForgotten(Plain):
    def attend(self, query, encoder_out, valid_lens):
        return self.score(query, encoder_out).softmax(-1).squeeze(1)


@wrong("BahdanauDecoder", named="padding-attended")
class PaddingZeroed(Plain):
    def attend(self, query, encoder_out, valid_lens):
        keep = torch.arange(encoder_out.shape[1]) < valid_lens[:, None]
        return (self.score(query, encoder_out).squeeze(1) * keep).softmax(-1)


@wrong("BahdanauDecoder", named="masked-after-the-softmax")
class MaskedLate(Plain):
    def attend(self, query, encoder_out, valid_lens):
        weights = self.score(query, encoder_out).squeeze(1).softmax(-1)
        return weights * (torch.arange(encoder_out.shape[1]) < valid_lens[:, None])


@wrong("BahdanauDecoder", named="attends-with-the-new-state")
class AsLuong(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        context = self.attend(state.transpose(0, 1), encoder_out, valid_lens).unsqueeze(1) @ encoder_out
        output, state = self.rnn(torch.cat([context, token_embedding], dim=-1), state)
        return output, state, self.attend(state.transpose(0, 1), encoder_out, valid_lens)


@wrong("BahdanauDecoder", named="softmax-over-the-wrong-axis")
class OverOne(Plain):
    def attend(self, query, encoder_out, valid_lens):
        return self.score(query, encoder_out).softmax(dim=1).squeeze(1)


@wrong("BahdanauDecoder", named="softmax-over-the-wrong-axis")
class OverTheBatch(Plain):
    def attend(self, query, encoder_out, valid_lens):
        scores = self.score(query, encoder_out).squeeze(1)
        return scores.softmax(dim=0)


@wrong("BahdanauDecoder", named="no-softmax")
class ScoresAsWeights(Plain):
    def attend(self, query, encoder_out, valid_lens):
        scores = self.score(query, encoder_out).squeeze(1)
        return scores * (torch.arange(scores.shape[1]) < valid_lens.unsqueeze(1))


@wrong("BahdanauDecoder", named="previous-state-returned")
class OldState(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        output, _, weights = super().step(token_embedding, state, encoder_out, valid_lens)
        return output, state, weights


@wrong("BahdanauDecoder", named="state-not-carried")
class FromZeros(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        weights = self.attend(state.transpose(0, 1), encoder_out, valid_lens)
        output, state = self.rnn(torch.cat([weights.unsqueeze(1) @ encoder_out, token_embedding], dim=-1))
        return output, state, weights


@wrong("BahdanauDecoder", named="other-layers")
class QueryAsWideAsAKey(Plain):
    def __init__(self, embed_dim, hidden_dim, encoder_dim):
        super().__init__(embed_dim, hidden_dim, encoder_dim)
        self.score = AdditiveScore(hidden_dim, hidden_dim, hidden_dim)


@wrong("BahdanauDecoder", named="context-left-out")
class OnlyTheToken(Plain):
    def __init__(self, embed_dim, hidden_dim, encoder_dim):
        super().__init__(embed_dim, hidden_dim, encoder_dim)
        self.rnn = nn.GRU(embed_dim, hidden_dim, batch_first=True)

    def step(self, token_embedding, state, encoder_out, valid_lens):
        weights = self.attend(state.transpose(0, 1), encoder_out, valid_lens)
        return *self.rnn(token_embedding, state), weights


@wrong("BahdanauDecoder", named="one-sentence-for-all")
class FirstQueryForAll(Plain):
    """Right for one sentence."""

    def step(self, token_embedding, state, encoder_out, valid_lens):
        query = state[:, 0].unsqueeze(0).repeat(len(encoder_out), 1, 1)
        weights = self.attend(query, encoder_out, valid_lens)
        return *self.rnn(torch.cat([weights.unsqueeze(1) @ encoder_out, token_embedding], dim=-1), state), weights


@wrong("BahdanauDecoder", named="graph-cut")
class DetachedWeights(Plain):
    def attend(self, query, encoder_out, valid_lens):
        return super().attend(query, encoder_out, valid_lens).detach()


@wrong("BahdanauDecoder", named="graph-cut")
class DetachedState(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        output, state, weights = super().step(token_embedding, state, encoder_out, valid_lens)
        return output, state.detach(), weights


@wrong("BahdanauDecoder", named="remembers-calls")
class KeysCached(Plain):
    """The keys are the same at every step of a sentence, and so projected once; but the next sentence has others."""

    def attend(self, query, encoder_out, valid_lens):
        if getattr(self, "keys", None) is None or self.keys.shape != encoder_out.shape:
            self.keys = encoder_out
        return super().attend(query, self.keys, valid_lens)


@wrong("BahdanauDecoder", named="writes-into-arguments")
class PaddingErased(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        encoder_out[torch.arange(encoder_out.shape[1]) >= valid_lens[:, None]] = 0.0
        return super().step(token_embedding, state, encoder_out, valid_lens)


@wrong("BahdanauDecoder", named="other-shapes")
class WeightsWithAnAxisMore(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        output, state, weights = super().step(token_embedding, state, encoder_out, valid_lens)
        return output, state, weights.unsqueeze(1)


@wrong("BahdanauDecoder", named="other-shapes")
class Squeezed(Plain):
    """The right shape for several sentences, but a single one loses its axis."""

    def step(self, token_embedding, state, encoder_out, valid_lens):
        output, state, weights = super().step(token_embedding, state, encoder_out, valid_lens)
        return output, state, weights.squeeze()


@wrong("BahdanauDecoder", named="last-token-masked")
class OneTooFew(Plain):
    def attend(self, query, encoder_out, valid_lens):
        return super().attend(query, encoder_out, (valid_lens - 1).clamp_min(1))


@wrong("BahdanauDecoder", named="dropout")
class WithDropout(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        return super().step(F.dropout(token_embedding, 0.5, self.training), state, encoder_out, valid_lens)


@wrong("BahdanauDecoder", named=None)
class SquaredWeights(Plain):
    def attend(self, query, encoder_out, valid_lens):
        return super().attend(query, encoder_out, valid_lens) ** 2


# === translate: right =================================================================================================


@right("translate")
@torch.no_grad()
def with_a_for_loop(model, sentence, max_len):
    mode = model.training
    model.eval()
    encoder_out, state, valid_lens = model.encode(sentence)
    target = model.target_tokenizer
    token = torch.tensor([[target.token_to_id("<bos>")]])
    tokens, rows = [], []
    for _ in range(max_len):
        logits, state, weights = model.step(token, state, encoder_out, valid_lens)
        token = logits.argmax(-1)
        if token.item() == target.token_to_id("<eos>"):
            break
        tokens.append(target.id_to_token(token.item()))
        rows.append(weights[:, : int(valid_lens)])
    model.train(mode)
    return tokens, torch.cat(rows) if rows else torch.zeros(0, int(valid_lens))


@right("translate")
def with_a_while_loop(model, sentence, max_len):
    was_training = model.training
    try:
        model.eval()
        with torch.no_grad():
            encoder_out, state, valid_lens = model.encode(sentence)
            words, table = [], torch.empty(0, encoder_out.size(1))
            last = model.target_tokenizer.token_to_id("<bos>")
            while len(words) < max_len:
                logits, state, row = model.step(torch.tensor([[last]]), state, encoder_out, valid_lens)
                last = int(torch.argmax(logits))
                word = model.target_tokenizer.id_to_token(last)
                if word == "<eos>":
                    break
                words += [word]
                table = torch.vstack([table, row])
    finally:
        model.train(was_training)
    return words, table[:, : valid_lens.item()]


@right("translate")
def cut_afterwards(model, sentence, max_len):
    """`max_len` steps, come what may; then the end is looked for."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        encoder_out, state, valid_lens = model.encode(sentence)
        token = torch.full((1, 1), model.target_tokenizer.token_to_id("<bos>"))
        ids, rows = [], []
        for _ in range(max_len):
            logits, state, weights = model.step(token, state, encoder_out, valid_lens)
            token = logits[:, -1].topk(1).indices
            ids.append(token.item())
            rows.append(weights)
    model.train(was_training)
    end = model.target_tokenizer.token_to_id("<eos>")
    count = ids.index(end) if end in ids else len(ids)
    return [model.target_tokenizer.id_to_token(i) for i in ids[:count]], torch.cat(rows)[:count, : valid_lens[0]]


@right("translate")
def recursive(model, sentence, max_len):
    tokenizer = model.target_tokenizer

    def go_on(token, state, left):
        if left == 0:
            return [], []
        logits, state, weights = model.step(token, state, encoder_out, valid_lens)
        token = logits.softmax(-1).max(-1).indices
        if token == tokenizer.token_to_id("<eos>"):
            return [], []
        tokens, rows = go_on(token, state, left - 1)
        return [tokenizer.id_to_token(int(token)), *tokens], [weights, *rows]

    was_training = model.training
    model.train(False)
    with torch.inference_mode():
        encoder_out, state, valid_lens = model.encode(sentence)
        tokens, rows = go_on(torch.tensor([[tokenizer.token_to_id("<bos>")]]), state, max_len)
        weights = torch.cat([encoder_out.new_zeros(0, encoder_out.shape[1]), *rows])[:, : int(valid_lens)]
    model.train(was_training)
    return tuple(tokens), weights.clone()


@right("translate")
def into_a_table(model, sentence, max_len):
    """With gradients left on: nobody asked to turn them off."""
    was_training = model.training
    encoder_out, state, valid_lens = model.eval().encode(sentence)
    weights, ids = torch.zeros(max_len, int(valid_lens)), []
    vocab = model.target_tokenizer.get_vocab()
    words = {number: word for word, number in vocab.items()}
    ids.append(vocab["<bos>"])
    for step in range(max_len):
        logits, state, row = model.step(torch.tensor(ids[-1:]).view(1, 1), state, encoder_out, valid_lens)
        best = max(range(logits.numel()), key=lambda i: logits.view(-1)[i].item())
        if best == vocab["<eos>"]:
            break
        weights[step] = row[0, : int(valid_lens)]
        ids.append(best)
    model.train(was_training)
    return [words[number] for number in ids[1:]], weights[: len(ids) - 1]


# === translate: wrong =================================================================================================


def steps(model, sentence, max_len, stop=True, evaluate=True, lens=None, first=None):
    """The ids with the end, and a row for each."""
    was_training = model.training
    if evaluate:
        model.eval()
    with torch.no_grad():
        encoder_out, state, valid_lens = model.encode(sentence)
        token = torch.tensor([[model.target_tokenizer.token_to_id("<bos>") if first is None else first]])
        ids, rows = [], [torch.zeros(0, encoder_out.shape[1])]
        while len(ids) < max_len:
            logits, state, weights = model.step(token, state, encoder_out, valid_lens if lens is None else lens)
            token = logits.argmax(-1)
            ids.append(token.item())
            rows.append(weights)
            if stop and ids[-1] == model.target_tokenizer.token_to_id("<eos>"):
                break
    model.train(was_training)
    return ids, torch.cat(rows), int(valid_lens)


def words_of(model, ids):
    words = [model.target_tokenizer.id_to_token(each) for each in ids]
    return words[: words.index("<eos>")] if "<eos>" in words else words


@wrong("translate", named="eos-in-the-result")
def end_shown(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len)
    return [model.target_tokenizer.id_to_token(each) for each in ids], rows[:, :length]


@wrong("translate", named="rows-after-eos-kept")
def a_row_for_the_end(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len)
    return words_of(model, ids), rows[:, :length]


@wrong("translate", named="rows-after-eos-kept")
def rows_to_the_last_step(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len, stop=False)
    return words_of(model, ids), rows[:, :length]


@wrong("translate", named="padding-columns-kept")
def all_columns(model, sentence, max_len):
    ids, rows, _ = steps(model, sentence, max_len)
    words = words_of(model, ids)
    return words, rows[: len(words)]


@wrong("translate", named="eos-column-missing")
def columns_for_words_only(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len)
    words = words_of(model, ids)
    return words, rows[: len(words), : length - 1]


@wrong("translate", named="padding-attended")
def padding_looked_at(model, sentence, max_len):
    whole = torch.tensor([model.encode(sentence)[0].shape[1]])
    ids, rows, length = steps(model, sentence, max_len, lens=whole)
    words = words_of(model, ids)
    return words, rows[: len(words), :length]


@wrong("translate", named="never-stops")
def until_the_end_of_time(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, 10**9)
    words = words_of(model, ids)
    return words, rows[: len(words), :length]


@wrong("translate", named="goes-on-after-eos")
def end_not_looked_for(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len, stop=False)
    return [model.target_tokenizer.id_to_token(each) for each in ids], rows[:, :length]


@wrong("translate", named="dropout-left-on")
def in_whatever_mode(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len, evaluate=False)
    words = words_of(model, ids)
    return words, rows[: len(words), :length]


@wrong("translate", named="mode-changed")
def left_in_evaluation(model, sentence, max_len):
    model.eval()
    return with_a_for_loop(model, sentence, max_len)


@wrong("translate", named="ids-by-heart")
def ends_at_two(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len, stop=False)
    count = ids.index(2) if 2 in ids else len(ids)
    return [model.target_tokenizer.id_to_token(each) for each in ids[:count]], rows[:count, :length]


@wrong("translate", named="another-start")
def starts_with_the_end(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len, first=model.target_tokenizer.token_to_id("<eos>"))
    words = words_of(model, ids)
    return words, rows[: len(words), :length]


@wrong("translate", named="unk-dropped")
def decoded(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len)
    return model.target_tokenizer.decode(ids).split(" "), rows[: len(words_of(model, ids)), :length]


@wrong("translate", named="not-a-list-of-tokens")
def a_sentence(model, sentence, max_len):
    words, weights = with_a_for_loop(model, sentence, max_len)
    return " ".join(words), weights


@wrong("translate", named="weights-in-another-shape")
def sources_first(model, sentence, max_len):
    words, weights = with_a_for_loop(model, sentence, max_len)
    return words, weights.T


@wrong("translate", named="fails-on-an-empty-translation")
def stacked(model, sentence, max_len):
    words, weights = with_a_for_loop(model, sentence, max_len)
    return words, torch.stack(list(weights))


@wrong("translate", named="one-more-or-less")
def one_short(model, sentence, max_len):
    words, weights = with_a_for_loop(model, sentence, max_len - 1)
    return words, weights


@wrong("translate", named="rows-shifted")
def rows_from_the_second_on(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len)
    words = words_of(model, ids)
    return words, rows[1 : len(words) + 1, :length]


@wrong("translate", named="changes-the-model")
def gradients_off_for_good(model, sentence, max_len):
    torch.set_grad_enabled(False)
    return with_a_while_loop(model, sentence, max_len)


@wrong("translate", named=None)
def without_repetitions(model, sentence, max_len):
    """A word that was just written is not written again, though it is the likeliest."""
    words, weights = with_a_for_loop(model, sentence, max_len)
    keep = [i for i, word in enumerate(words) if word not in words[:i]]
    return [words[i] for i in keep], weights[keep]


# === bleu: right ======================================================================================================


@right("bleu")
def with_zip_longest(hypotheses, references):
    return BLEU().corpus_score(hypotheses, list(map(list, itertools.zip_longest(*references)))).score


@right("bleu")
def by_the_function(hypotheses, references):
    most = max(len(each) for each in references)
    streams = []
    for i in range(most):
        streams.append([each[i] if len(each) > i else None for each in references])
    return sacrebleu.corpus_bleu(hypotheses, streams, force=True).score


@right("bleu")
def with_the_first_repeated(hypotheses, references):
    """A reference that is there twice changes nothing."""
    most = max(map(len, references))
    full = [each + [each[0]] * (most - len(each)) for each in references]
    return float(sacrebleu.corpus_bleu(hypotheses, list(zip(*full, strict=True))).score)


@right("bleu")
def from_counts(hypotheses, references):
    """The counts of each sentence, added up."""
    metric = BLEU(effective_order=True)  # makes no difference to the counts
    counts = [
        metric.sentence_score(hypothesis, several) for hypothesis, several in zip(hypotheses, references, strict=True)
    ]
    return BLEU.compute_bleu(
        correct=[sum(each.counts[n] for each in counts) for n in range(4)],
        total=[sum(each.totals[n] for each in counts) for n in range(4)],
        sys_len=sum(each.sys_len for each in counts),
        ref_len=sum(each.ref_len for each in counts),
        smooth_method="exp",
    ).score


# === bleu: wrong ======================================================================================================


def streams(references):
    return [list(each) for each in itertools.zip_longest(*references)]


@wrong("bleu", named="mean-of-sentence-scores")
def mean_of_sentences(hypotheses, references):
    pairs = zip(hypotheses, references, strict=True)
    return statistics.mean(sacrebleu.sentence_bleu(hypothesis, several).score for hypothesis, several in pairs)


@wrong("bleu", named="swapped")
def references_for_hypotheses(hypotheses, references):
    return sacrebleu.corpus_bleu([each[0] for each in references], [hypotheses]).score


@wrong("bleu", named="characters")
def by_characters(hypotheses, references):
    return sacrebleu.corpus_bleu(hypotheses, streams(references), tokenize="char").score


@wrong("bleu", named="one-reference-of-several")
def only_the_first(hypotheses, references):
    return sacrebleu.corpus_bleu(hypotheses, [[several[0] for several in references]]).score


@wrong("bleu", named="references-not-transposed")
def handed_on(hypotheses, references):
    return sacrebleu.corpus_bleu(hypotheses, references).score


@wrong("bleu", named="as-many-references-for-all")
def zipped_short(hypotheses, references):
    return sacrebleu.corpus_bleu(hypotheses, [list(each) for each in zip(*references, strict=False)]).score


@wrong("bleu", named="as-many-references-for-all")
def filled_with_empty_strings(hypotheses, references):
    """Right unless a hypothesis is so short that the empty string is nearest to it in length."""
    return BLEU().corpus_score(hypotheses, list(itertools.zip_longest(*references, fillvalue=""))).score


@wrong("bleu", named="each-reference-by-itself")
def best_of_the_references(hypotheses, references):
    most = max(map(len, references))
    full = [each + each[-1:] * (most - len(each)) for each in references]
    return max(sacrebleu.corpus_bleu(hypotheses, [[each[i] for each in full]]).score for i in range(most))


@wrong("bleu", named="other-settings")
def in_small_letters(hypotheses, references):
    return sacrebleu.corpus_bleu(hypotheses, streams(references), lowercase=True).score


@wrong("bleu", named="other-settings")
def split_at_spaces(hypotheses, references):
    return sacrebleu.corpus_bleu(hypotheses, streams(references), tokenize="none", force=True).score


@wrong("bleu", named="another-scale")
def from_zero_to_one(hypotheses, references):
    return with_zip_longest(hypotheses, references) / 100


@wrong("bleu", named="not-a-number")
def the_whole_result(hypotheses, references):
    return BLEU().corpus_score(hypotheses, streams(references))


@wrong("bleu", named="no-brevity-penalty")
def brevity_free(hypotheses, references):
    result = BLEU().corpus_score(hypotheses, streams(references))
    return result.score / result.bp


@wrong("bleu", named="another-measure")
def words_in_common(hypotheses, references):
    return BLEU().corpus_score(hypotheses, streams(references)).precisions[0]


@wrong("bleu", named="changes-the-lists")
def lists_filled_up(hypotheses, references):
    most = max(map(len, references))
    for each in references:
        each.extend(each[:1] * (most - len(each)))
    return BLEU().corpus_score(hypotheses, list(zip(*references, strict=True))).score


@wrong("bleu", named=None)
def a_little_too_much(hypotheses, references):
    return min(100.0, with_zip_longest(hypotheses, references) + 1)
