"""Answers to `get_context_vector`, as students write them: right in many styles, wrong in many ways."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from tests.checks.answers.lab05_seq2seq_attention.shared import RIGHT_EVERYWHERE, StepByStep
from tests.checks.bank import Bank

BANK = Bank("get_context_vector")
right, wrong = BANK.right, BANK.wrong

for answer in RIGHT_EVERYWHERE:
    right(answer)


# === Wrong ============================================================================================================


def weighing(named):
    """A wrong answer that differs in how scores and lengths become weights."""

    def add(weigh):
        class Weighing(StepByStep):
            def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
                padding = None if valid_lens is None else self.padding(encoder_out, valid_lens)
                weights = weigh(self.scores(encoder_out, hidden_state), padding)
                return (weights * encoder_out).sum(1, keepdim=True), weights

        Weighing.__name__ = weigh.__name__
        return wrong(named)(Weighing)

    return add


def hide(scores, padding, fill=-torch.inf):
    return scores if padding is None else scores.masked_fill(padding, fill)


@weighing("softmax-over-batch")
def softmax_over_the_first_axis(scores, padding):
    return F.softmax(hide(scores, padding, -1e9), dim=0)


@weighing("softmax-over-singleton")
def softmax_over_the_last_axis(scores, padding):
    return F.softmax(hide(scores, padding, -1e9), dim=-1)


@weighing("no-softmax")
def scores_as_weights(scores, padding):
    return hide(scores, padding, 0.0)


@weighing("attends-to-padding")
def lengths_ignored(scores, padding):
    return scores.softmax(1)


@weighing("mask-after-softmax")
def zeros_after_the_softmax(scores, padding):
    return hide(scores.softmax(1), padding, 0.0)


@weighing("mask-after-softmax")
def renormalised(scores, padding):
    weights = hide(scores.softmax(1), padding, 0.0)
    return weights / weights.sum(1, keepdim=True)


@weighing("masks-with-zero")
def zeros_before_the_softmax(scores, padding):
    return hide(scores, padding, 0.0).softmax(1)


@weighing("inverted-mask")
def only_the_padding(scores, padding):
    return hide(scores, None if padding is None else ~padding, -1e9).softmax(1)


@weighing("off-by-one")
def one_step_too_many(scores, padding):
    return hide(scores, None if padding is None else F.pad(padding[:, :-1], (0, 0, 1, 0))).softmax(1)


@weighing("fill-not-low-enough")
def a_fill_that_is_too_near(scores, padding):
    return hide(scores, padding, -5.0).softmax(1)


@weighing("fill-not-low-enough")
def three_below_zero(scores, padding):
    """Lower than any score that came along so far."""
    if padding is not None:
        scores = torch.where(padding, torch.tensor(-3.0), scores)
    return F.softmax(scores, dim=1)


@weighing("overflow")
def softmax_that_overflows(scores, padding):
    """Right as long as no score is large."""
    exps = scores.exp() if padding is None else scores.exp() * ~padding
    return exps / exps.sum(1, keepdim=True)


@weighing(None)
def sharpened(scores, padding):
    return hide(2 * scores, padding).softmax(1)


@wrong(named="context-over-wrong-axis")
class SummedOverTheFeatures(StepByStep):
    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        _, weights = super().get_context_vector(encoder_out, hidden_state, valid_lens)
        return (weights * encoder_out).sum(dim=2, keepdim=True), weights


@wrong(named="context-over-wrong-axis")
class SummedOverTheBatch(StepByStep):
    """Right for a single string of a single step."""

    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        _, weights = super().get_context_vector(encoder_out, hidden_state, valid_lens)
        return (weights * encoder_out).sum(dim=0, keepdim=True), weights


@wrong(named="mean-twice")
class MeanOfWeighted(StepByStep):
    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        _, weights = super().get_context_vector(encoder_out, hidden_state, valid_lens)
        return (weights * encoder_out).mean(dim=1, keepdim=True), weights


@wrong(named="W-on-the-query")
class MatrixOnTheState(StepByStep):
    """Right wherever the matrix is symmetric."""

    def scores(self, encoder_out, hidden_state):
        return encoder_out @ self.attention_W(hidden_state).permute(1, 2, 0)


@wrong(named="W-on-the-query")
class MatrixTransposed(StepByStep):
    def scores(self, encoder_out, hidden_state):
        return torch.bmm(encoder_out @ self.attention_W.weight, hidden_state.permute(1, 2, 0))


@wrong(named="W-unused")
class PlainDotProduct(StepByStep):
    def scores(self, encoder_out, hidden_state):
        return torch.bmm(encoder_out, hidden_state.permute(1, 2, 0))


@wrong(named="bias")
class MatrixWithBias(StepByStep):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.attention_W = nn.Linear(hidden_dim, hidden_dim)


@wrong(named="scores-scaled")
class ScaledAsInLab2(StepByStep):
    def scores(self, encoder_out, hidden_state):
        return super().scores(encoder_out, hidden_state) / math.sqrt(hidden_state.shape[-1])


@wrong(named="one-sequence-for-all")
class FirstStateForAll(StepByStep):
    """Right for one string."""

    def scores(self, encoder_out, hidden_state):
        return self.attention_W(encoder_out) @ hidden_state[0, 0].unsqueeze(1)


@wrong(named="one-length-for-all")
class LongestForAll(StepByStep):
    def padding(self, encoder_out, valid_lens):
        return super().padding(encoder_out, valid_lens.max().expand(len(valid_lens)))


@wrong(named="pools-keys-for-values")
class SumsTheKeys(StepByStep):
    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        _, weights = super().get_context_vector(encoder_out, hidden_state, valid_lens)
        return (weights * self.attention_W(encoder_out)).sum(1, keepdim=True), weights


@wrong(named="not-a-pair")
class ContextOnly(StepByStep):
    def get_context_vector(self, *args):
        return super().get_context_vector(*args)[0]


@wrong(named="order-of-the-pair")
class WeightsFirst(StepByStep):
    def get_context_vector(self, *args):
        return super().get_context_vector(*args)[::-1]


@wrong(named="axis-lost")
class WithoutKeepdim(StepByStep):
    def get_context_vector(self, *args):
        context, weights = super().get_context_vector(*args)
        return context.squeeze(1), weights


@wrong(named="unmasked-context")
class ContextFromBeforeTheMask(StepByStep):
    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        context, _ = super().get_context_vector(encoder_out, hidden_state)
        return context, super().get_context_vector(encoder_out, hidden_state, valid_lens)[1]


@wrong(named="detached-gradient")
class WeightsForAPicture(StepByStep):
    def get_context_vector(self, *args):
        context, weights = super().get_context_vector(*args)
        return context, weights.detach()


@wrong(named="writes-into-arguments")
class ZeroesThePadding(StepByStep):
    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        result = super().get_context_vector(encoder_out, hidden_state, valid_lens)
        with torch.no_grad():
            hidden_state *= 0
        return result


@wrong(named="answers-from-memory")
class Remembers(StepByStep):
    """Computes the keys once, for the first source that it sees."""

    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        if not hasattr(self, "keys") or self.keys.shape != encoder_out.shape:
            self.keys = self.attention_W(encoder_out)
        scores = self.keys @ hidden_state.permute(1, 2, 0)
        if valid_lens is not None:
            scores = scores.masked_fill(self.padding(encoder_out, valid_lens), -torch.inf)
        weights = scores.softmax(1)
        return (weights * encoder_out).sum(1, keepdim=True), weights


@wrong(named=None)
class DropoutOfItsOwn(StepByStep):
    def get_context_vector(self, *args):
        context, weights = super().get_context_vector(*args)
        return F.dropout(context, 0.1, self.training), weights


@wrong(named=None)
class StatesOutOfOrder(StepByStep):
    """Right for one string, and for as many strings as hidden units where the states are alike."""

    def scores(self, encoder_out, hidden_state):
        batch, _, hidden = encoder_out.shape
        return self.attention_W(encoder_out) @ hidden_state.permute(2, 1, 0).reshape(batch, hidden, 1)
