"""Answers to `BahdanauDecoder`, as students write them: right in many styles, wrong in many ways."""

import torch
import torch.nn.functional as F
from torch import nn

from helpers.attention import AdditiveScore, AttentionPooling, masked_softmax
from tests.checks.bank import Bank

BANK = Bank("BahdanauDecoder")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
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


@right
class WithEinsum(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        weights = self.attend(state[-1].unsqueeze(1), encoder_out, valid_lens)
        context = torch.einsum("bs,bsd->bd", weights, encoder_out)
        output, state = self.rnn(torch.cat([context.unsqueeze(1), token_embedding], -1), state)
        return output, state, weights


@right
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


@right
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


@right
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


@right
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


# === Wrong ============================================================================================================


@wrong(named="concatenated-in-the-other-order")
class TokenFirst(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        weights = self.attend(state.transpose(0, 1), encoder_out, valid_lens)
        x = torch.cat([token_embedding, weights.unsqueeze(1) @ encoder_out], dim=-1)
        return *self.rnn(x, state), weights


@wrong(named="attends-to-padding")
class LengthsForgotten(Plain):
    def attend(self, query, encoder_out, valid_lens):
        return self.score(query, encoder_out).softmax(-1).squeeze(1)


@wrong(named="attends-to-padding")
class PaddingZeroed(Plain):
    def attend(self, query, encoder_out, valid_lens):
        keep = torch.arange(encoder_out.shape[1]) < valid_lens[:, None]
        return (self.score(query, encoder_out).squeeze(1) * keep).softmax(-1)


@wrong(named="mask-after-softmax")
class MaskedLate(Plain):
    def attend(self, query, encoder_out, valid_lens):
        weights = self.score(query, encoder_out).squeeze(1).softmax(-1)
        return weights * (torch.arange(encoder_out.shape[1]) < valid_lens[:, None])


@wrong(named="attends-with-the-new-state")
class AsLuong(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        context = self.attend(state.transpose(0, 1), encoder_out, valid_lens).unsqueeze(1) @ encoder_out
        output, state = self.rnn(torch.cat([context, token_embedding], dim=-1), state)
        return output, state, self.attend(state.transpose(0, 1), encoder_out, valid_lens)


@wrong(named="softmax-over-wrong-axis")
class OverOne(Plain):
    def attend(self, query, encoder_out, valid_lens):
        return self.score(query, encoder_out).softmax(dim=1).squeeze(1)


@wrong(named="softmax-over-wrong-axis")
class OverTheBatch(Plain):
    def attend(self, query, encoder_out, valid_lens):
        scores = self.score(query, encoder_out).squeeze(1)
        return scores.softmax(dim=0)


@wrong(named="no-softmax")
class ScoresAsWeights(Plain):
    def attend(self, query, encoder_out, valid_lens):
        scores = self.score(query, encoder_out).squeeze(1)
        return scores * (torch.arange(scores.shape[1]) < valid_lens.unsqueeze(1))


@wrong(named="old-state-returned")
class OldState(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        output, _, weights = super().step(token_embedding, state, encoder_out, valid_lens)
        return output, state, weights


@wrong(named="state-left-out")
class FromZeros(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        weights = self.attend(state.transpose(0, 1), encoder_out, valid_lens)
        output, state = self.rnn(torch.cat([weights.unsqueeze(1) @ encoder_out, token_embedding], dim=-1))
        return output, state, weights


@wrong(named="other-layers")
class QueryAsWideAsAKey(Plain):
    def __init__(self, embed_dim, hidden_dim, encoder_dim):
        super().__init__(embed_dim, hidden_dim, encoder_dim)
        self.score = AdditiveScore(hidden_dim, hidden_dim, hidden_dim)


@wrong(named="reads-something-else")
class OnlyTheToken(Plain):
    def __init__(self, embed_dim, hidden_dim, encoder_dim):
        super().__init__(embed_dim, hidden_dim, encoder_dim)
        self.rnn = nn.GRU(embed_dim, hidden_dim, batch_first=True)

    def step(self, token_embedding, state, encoder_out, valid_lens):
        weights = self.attend(state.transpose(0, 1), encoder_out, valid_lens)
        return *self.rnn(token_embedding, state), weights


@wrong(named="one-sequence-for-all")
class FirstQueryForAll(Plain):
    """Right for one sentence."""

    def step(self, token_embedding, state, encoder_out, valid_lens):
        query = state[:, 0].unsqueeze(0).repeat(len(encoder_out), 1, 1)
        weights = self.attend(query, encoder_out, valid_lens)
        return *self.rnn(torch.cat([weights.unsqueeze(1) @ encoder_out, token_embedding], dim=-1), state), weights


@wrong(named="detached-gradient")
class DetachedWeights(Plain):
    def attend(self, query, encoder_out, valid_lens):
        return super().attend(query, encoder_out, valid_lens).detach()


@wrong(named="detached-gradient")
class DetachedState(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        output, state, weights = super().step(token_embedding, state, encoder_out, valid_lens)
        return output, state.detach(), weights


@wrong(named="answers-from-memory")
class KeysCached(Plain):
    """The keys are the same at every step of a sentence, and so projected once; but the next sentence has others."""

    def attend(self, query, encoder_out, valid_lens):
        if getattr(self, "keys", None) is None or self.keys.shape != encoder_out.shape:
            self.keys = encoder_out
        return super().attend(query, self.keys, valid_lens)


@wrong(named="writes-into-arguments")
class PaddingErased(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        encoder_out[torch.arange(encoder_out.shape[1]) >= valid_lens[:, None]] = 0.0
        return super().step(token_embedding, state, encoder_out, valid_lens)


@wrong(named="other-shapes")
class WeightsWithAnAxisMore(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        output, state, weights = super().step(token_embedding, state, encoder_out, valid_lens)
        return output, state, weights.unsqueeze(1)


@wrong(named="other-shapes")
class Squeezed(Plain):
    """The right shape for several sentences, but a single one loses its axis."""

    def step(self, token_embedding, state, encoder_out, valid_lens):
        output, state, weights = super().step(token_embedding, state, encoder_out, valid_lens)
        return output, state, weights.squeeze()


@wrong(named="off-by-one")
class OneTooFew(Plain):
    def attend(self, query, encoder_out, valid_lens):
        return super().attend(query, encoder_out, (valid_lens - 1).clamp_min(1))


@wrong(named="dropout")
class WithDropout(Plain):
    def step(self, token_embedding, state, encoder_out, valid_lens):
        return super().step(F.dropout(token_embedding, 0.5, self.training), state, encoder_out, valid_lens)


@wrong(named=None)
class SquaredWeights(Plain):
    def attend(self, query, encoder_out, valid_lens):
        return super().attend(query, encoder_out, valid_lens) ** 2
