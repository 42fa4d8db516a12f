"""Answers to `LuongDecoder`, as students write them: right in many styles, wrong in many ways."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from tests.checks.answers.lab05_seq2seq_attention.get_context_vector import hide
from tests.checks.answers.lab05_seq2seq_attention.shared import HandMadeGRU, Matrix
from tests.checks.bank import Bank

BANK = Bank("LuongDecoder")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
class Luong(nn.Module):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.rnn = nn.GRU(embed_dim, hidden_dim, batch_first=True)
        self.W_a = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.W_c = nn.Linear(2 * hidden_dim, hidden_dim, bias=False)

    def queries(self, decoder_x, hidden_state):
        return self.rnn(self.embedding(decoder_x), hidden_state)[0]

    def scores(self, queries, encoder_out):
        return torch.bmm(queries, self.W_a(encoder_out).transpose(1, 2))

    def weigh(self, scores, padding):
        return hide(scores, padding).softmax(-1)

    def padding(self, encoder_out, valid_lens):
        return torch.arange(encoder_out.shape[1]).view(1, 1, -1) >= valid_lens.view(-1, 1, 1)

    def combine(self, context, queries):
        return torch.tanh(self.W_c(torch.cat([context, queries], dim=2)))

    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        queries = self.queries(decoder_x, hidden_state)
        padding = None if valid_lens is None else self.padding(encoder_out, valid_lens)
        weights = self.weigh(self.scores(queries, encoder_out), padding)
        return self.combine(torch.bmm(weights, encoder_out), queries), weights


@right
class LuongWithEinsum(Luong):
    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        queries, _ = self.rnn(self.embedding(decoder_x), hidden_state)
        scores = torch.einsum("blh,hg,bsg->bls", queries, self.W_a.weight, encoder_out)
        if valid_lens is not None:
            keep = torch.arange(encoder_out.shape[1]) < valid_lens[:, None, None]
            scores = torch.where(keep, scores, torch.finfo(scores.dtype).min)
        weights = F.softmax(scores, -1)
        context = torch.einsum("bls,bsh->blh", weights, encoder_out)
        of_context, of_state = self.W_c.weight.chunk(2, dim=1)
        return [(context @ of_context.T + queries @ of_state.T).tanh(), weights]


@right
class LuongQueryByQuery(Luong):
    """A loop over the steps that feeds nothing back."""

    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        attentional, all_weights = [], []
        for token in decoder_x.split(1, dim=1):
            query, hidden_state = self.rnn(self.embedding(token), hidden_state)
            scores = (self.W_a(encoder_out) * query).sum(-1)  # (B, S)
            if valid_lens is not None:
                scores = scores.masked_fill(torch.arange(scores.shape[1]) >= valid_lens.unsqueeze(1), -1e30)
            weights = scores.softmax(1).unsqueeze(1)
            attentional.append(self.W_c(torch.cat([weights @ encoder_out, query], -1)).tanh())
            all_weights.append(weights)
        return torch.cat(attentional, 1), torch.cat(all_weights, 1)


@right
class LuongWithoutLayers(nn.Module):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__()
        self.W_c = nn.Linear(hidden_dim + hidden_dim, hidden_dim, False)
        self.W_a = Matrix(hidden_dim)
        self.rnn = HandMadeGRU(embed_dim, hidden_dim)
        self.embedding = nn.Embedding(vocab_size, embed_dim)

    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        rows = []
        for b in range(len(decoder_x)):
            h = hidden_state[0, b]
            source = encoder_out[b] if valid_lens is None else encoder_out[b, : valid_lens[b]]
            for token in decoder_x[b]:
                h = self.rnn.step(self.embedding.weight[token], h)
                p = torch.softmax(source @ (self.W_a.weight.T @ h), 0)
                pad = encoder_out.new_zeros(encoder_out.shape[1] - len(source))
                rows.append((self.W_c(torch.cat([p @ source, h])).tanh(), torch.cat([p, pad])))
        attentional, weights = (torch.stack(each).unflatten(0, decoder_x.shape) for each in zip(*rows, strict=True))
        return attentional, weights


@right
class LuongWithMaskAdded(Luong):
    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        lens = torch.tensor([encoder_out.shape[1]] * len(encoder_out)) if valid_lens is None else valid_lens
        queries = self.queries(decoder_x, hidden_state)
        bias = torch.zeros(encoder_out.shape[:2]).masked_fill(self.padding(encoder_out, lens)[:, 0], -torch.inf)
        weights = torch.softmax(self.scores(queries, encoder_out) + bias[:, None], dim=2)
        return self.combine(weights @ encoder_out, queries), weights


# === Wrong ============================================================================================================


@wrong(named="attention-before-the-rnn")
class QueriesFromBefore(Luong):
    def queries(self, decoder_x, hidden_state):
        states = super().queries(decoder_x, hidden_state)
        return torch.cat([hidden_state.transpose(0, 1), states[:, :-1]], dim=1)


@wrong(named="attention-before-the-rnn")
class ContextIntoTheGru(Luong):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.rnn = nn.GRU(embed_dim + hidden_dim, hidden_dim, batch_first=True)


@wrong(named="concatenated-in-the-other-order")
class StateBeforeContext(Luong):
    def combine(self, context, queries):
        return torch.tanh(self.W_c(torch.cat([queries, context], dim=2)))


@wrong(named="no-tanh")
class WithoutTanh(Luong):
    def combine(self, context, queries):
        return self.W_c(torch.cat([context, queries], dim=2))


@wrong(named="no-tanh")
class ReluForTanh(Luong):
    def combine(self, context, queries):
        return F.relu(self.W_c(torch.cat([context, queries], dim=2)))


@wrong(named="feeds-h̃-back")
class InputFeeding(Luong):
    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        outputs, rows = [], []
        for token in decoder_x.split(1, 1):
            output, weights = super().forward(encoder_out, token, hidden_state, valid_lens)
            hidden_state = output.permute(1, 0, 2).contiguous()
            outputs.append(output)
            rows.append(weights)
        return torch.cat(outputs, 1), torch.cat(rows, 1)


@wrong(named="softmax-over-wrong-axis")
class OverTheQueries(Luong):
    """Right for as many steps as queries only in its shape."""

    def weigh(self, scores, padding):
        return hide(scores, padding, -1e9).softmax(1)


@wrong(named="W-on-the-query")
class MatrixOnTheQueries(Luong):
    def scores(self, queries, encoder_out):
        return self.W_a(queries) @ encoder_out.mT


@wrong(named="W-unused")
class DotScore(Luong):
    def scores(self, queries, encoder_out):
        return queries @ encoder_out.mT


@wrong(named="bias")
class WithBiases(Luong):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.W_a = nn.Linear(hidden_dim, hidden_dim)
        self.W_c = nn.Linear(2 * hidden_dim, hidden_dim)


@wrong(named="scores-scaled")
class ScaledScores(Luong):
    def scores(self, queries, encoder_out):
        return super().scores(queries, encoder_out) / math.sqrt(queries.shape[-1])


@wrong(named="state-left-out")
class FromZeros(Luong):
    def queries(self, decoder_x, hidden_state):
        return self.rnn(self.embedding(decoder_x))[0]


@wrong(named="attends-to-padding")
class LengthsIgnored(Luong):
    def weigh(self, scores, padding):
        return scores.softmax(-1)


@wrong(named="mask-after-softmax")
class MaskAfterSoftmax(Luong):
    def weigh(self, scores, padding):
        return hide(scores.softmax(-1), padding, 0.0)


@wrong(named="inverted-mask")
class OnlyThePadding(Luong):
    def padding(self, encoder_out, valid_lens):
        return ~super().padding(encoder_out, valid_lens)

    def weigh(self, scores, padding):
        return hide(scores, padding, -1e9).softmax(-1)


@wrong(named="one-length-for-all")
class FirstLengthForAll(Luong):
    def padding(self, encoder_out, valid_lens):
        return super().padding(encoder_out, valid_lens[:1].expand_as(valid_lens))


@wrong(named="not-a-pair")
class StateBesides(Luong):
    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        attentional, weights = super().forward(encoder_out, decoder_x, hidden_state, valid_lens)
        return attentional, self.rnn(self.embedding(decoder_x), hidden_state)[1], weights


@wrong(named="order-of-the-pair")
class WeightsInFront(Luong):
    def forward(self, *args):
        return super().forward(*args)[::-1]


@wrong(named="detached-gradient")
class DetachedWeights(Luong):
    def forward(self, *args):
        attentional, weights = super().forward(*args)
        return attentional, weights.detach()


@wrong(named="queries-and-keys-swapped")
class SourceByTarget(Luong):
    """Right for as many target steps as source steps only in its shape."""

    def forward(self, *args):
        attentional, weights = super().forward(*args)
        return attentional, weights.transpose(1, 2)


@wrong(named="causal-as-well")
class CausalOverTheSource(Luong):
    """A query sees only as many source steps as it has written."""

    def weigh(self, scores, padding):
        return super().weigh(hide(scores, torch.ones(scores.shape[1:]).triu(1).bool()), padding)


@wrong(named="causal-as-well")
class AsInSelfAttention(Luong):
    def weigh(self, scores, padding):
        triangle = torch.tril(torch.ones_like(scores))
        return F.softmax(hide(scores, padding).masked_fill(triangle == 0, -1e9), dim=2)


@wrong(named="lengths-for-the-target")
class LengthsForTheTarget(Luong):
    """Takes the lengths for those of the target as well."""

    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        attentional, weights = super().forward(encoder_out, decoder_x, hidden_state, valid_lens)
        if valid_lens is None:
            return attentional, weights
        return attentional * (torch.arange(decoder_x.shape[1]) < valid_lens[:, None])[..., None], weights


@wrong(named="lengths-for-the-target")
class PaddedStepsEmptied(Luong):
    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        attentional, weights = super().forward(encoder_out, decoder_x, hidden_state, valid_lens)
        for b, length in enumerate([] if valid_lens is None else valid_lens.tolist()):
            attentional[b, length:] = 0
        return attentional, weights


@wrong(named="answers-from-memory")
class KeysRemembered(Luong):
    """Right for the first source of its size."""

    def scores(self, queries, encoder_out):
        if getattr(self, "keys", encoder_out[:0]).shape != encoder_out.shape:
            self.keys = self.W_a(encoder_out)
        return queries @ self.keys.mT


@wrong(named="one-sequence-for-all")
class FirstSourceForAll(Luong):
    """Right for one string."""

    def scores(self, queries, encoder_out):
        return queries @ self.W_a(encoder_out[:1]).mT.expand(len(queries), -1, -1)


@wrong(named="one-sequence-for-all")
class KeysOfTheFirst(Luong):
    def scores(self, queries, encoder_out):
        return torch.einsum("blh,sh->bls", queries, self.W_a(encoder_out)[0])


@wrong(named="writes-into-arguments")
class StateAdvanced(Luong):
    def queries(self, decoder_x, hidden_state):
        states, last = self.rnn(self.embedding(decoder_x), hidden_state)
        hidden_state.data.copy_(last.data)
        return states


@wrong(named="detached-gradient")
class TableWithoutAGradient(Luong):
    def queries(self, decoder_x, hidden_state):
        return self.rnn(self.embedding.weight.data[decoder_x], hidden_state)[0]
