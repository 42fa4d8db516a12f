"""Answers to lab 5, as students write them: right in many styles, wrong in many ways.

Three exercises are methods of one class, so an answer to them is a whole class.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from tests.checks.bank import Bank

BANK = Bank()
right, wrong = BANK.right, BANK.wrong


def right_everywhere(answer):
    """A class that is right in all three exercises."""
    for exercise in ("get_context_vector", "decoding", "get_next_token"):
        right(exercise)(answer)
    return answer


# === Seq2SeqAttention: right ==========================================================================================


@right_everywhere
class StepByStep(nn.Module):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.encoder = nn.GRU(embed_dim, hidden_dim, num_layers=1, batch_first=True)
        self.attention_W = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.decoder = nn.GRU(embed_dim + hidden_dim, hidden_dim, num_layers=1, batch_first=True)
        self.linear = nn.Linear(hidden_dim, vocab_size)

    def forward(self, encoder_x, decoder_x):
        encoder_out, hidden_state = self.encoder(self.embedding(encoder_x))
        outputs, _ = self.decoding(encoder_out, decoder_x, hidden_state)
        return self.linear(outputs)

    def scores(self, encoder_out, hidden_state):
        return torch.bmm(self.attention_W(encoder_out), hidden_state.permute(1, 2, 0))

    def padding(self, encoder_out, valid_lens):
        return torch.arange(encoder_out.size(1))[None, :, None] >= valid_lens[:, None, None]

    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        scores = self.scores(encoder_out, hidden_state)
        if valid_lens is not None:
            scores = scores.masked_fill(self.padding(encoder_out, valid_lens), float("-inf"))
        weights = torch.softmax(scores, dim=1)
        return torch.sum(weights * encoder_out, dim=1, keepdim=True), weights

    def decoding(self, encoder_out, decoder_x, hidden_state):
        all_outputs = []
        for i in range(decoder_x.size(1)):
            embedded = self.embedding(decoder_x[:, i].unsqueeze(1))
            context, _ = self.get_context_vector(encoder_out, hidden_state)
            output, hidden_state = self.decoder(torch.cat([embedded, context], dim=-1), hidden_state)
            all_outputs.append(output)
        return torch.cat(all_outputs, dim=1), hidden_state

    def get_next_token(self, encoder_out, token, hidden_state):
        context, _ = self.get_context_vector(encoder_out, hidden_state)
        output, new_hidden_state = self.decoder(torch.cat([self.embedding(token), context], -1), hidden_state)
        return self.linear(output).squeeze(1).argmax(dim=1), new_hidden_state


@right_everywhere
class WithEinsum(StepByStep):
    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        scores = torch.einsum("bsh,gh,bg->bs", encoder_out, self.attention_W.weight, hidden_state[0])
        if valid_lens is not None:
            keep = torch.arange(encoder_out.shape[1]).expand(scores.shape) < valid_lens.unsqueeze(1)
            scores = torch.where(keep, scores, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1)
        return torch.einsum("bs,bsh->bh", weights, encoder_out)[:, None], weights[..., None]

    def decoding(self, encoder_out, decoder_x, hidden_state):
        batch, length = decoder_x.shape
        embedded = self.embedding(decoder_x)
        outputs = encoder_out.new_zeros(batch, 0, encoder_out.shape[2])
        for i in range(length):
            joined = torch.cat((embedded[:, i], self.get_context_vector(encoder_out, hidden_state)[0][:, 0]), dim=1)
            hidden_state = self.decoder(joined.unsqueeze(1), hidden_state)[1]
            outputs = torch.cat((outputs, hidden_state.transpose(0, 1)), dim=1)
        return outputs, hidden_state

    def get_next_token(self, encoder_out, token, hidden_state):
        outputs, hidden_state = self.decoding(encoder_out, token, hidden_state)
        return F.log_softmax(self.linear(outputs[:, -1]), dim=-1).max(dim=-1).indices, hidden_state


@right_everywhere
class StringByString(StepByStep):
    """One string of the batch after the other."""

    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        contexts, all_weights = [], []
        for b, source in enumerate(encoder_out):
            length = len(source) if valid_lens is None else int(valid_lens[b])
            weights = F.softmax(torch.stack([self.attention_W(s).dot(hidden_state[0, b]) for s in source[:length]]), 0)
            contexts.append((weights @ source[:length]).unsqueeze(0))
            all_weights.append(F.pad(weights, (0, len(source) - length)).unsqueeze(1))
        return torch.stack(contexts), torch.stack(all_weights)

    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs, states = [], []
        for b in range(len(decoder_x)):
            state, of_string = hidden_state[:, b : b + 1].contiguous(), []
            for token in decoder_x[b]:
                context, _ = self.get_context_vector(encoder_out[b : b + 1], state)
                joined = torch.cat([self.embedding(token).view(1, 1, -1), context], dim=2)
                output, state = self.decoder(joined, state)
                of_string.append(output)
            outputs.append(torch.cat(of_string, 1))
            states.append(state)
        return torch.cat(outputs, 0), torch.cat(states, 1)

    def get_next_token(self, encoder_out, token, hidden_state):
        outputs, state = self.decoding(encoder_out, token, hidden_state)
        return torch.stack([self.linear(output[-1]).topk(1).indices[0] for output in outputs]), state


class Matrix(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(size, size) / math.sqrt(size))


class HandMadeGRU(nn.Module):
    """A GRU's equations written out, under PyTorch's parameter names."""

    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(3 * hidden_dim, input_dim) * 0.1)
        self.weight_hh_l0 = nn.Parameter(torch.randn(3 * hidden_dim, hidden_dim) * 0.1)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(3 * hidden_dim))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(3 * hidden_dim))

    def step(self, x, h):
        a, b, c = F.linear(x, self.weight_ih_l0, self.bias_ih_l0).chunk(3, dim=-1)
        d, e, f = F.linear(h, self.weight_hh_l0, self.bias_hh_l0).chunk(3, dim=-1)
        z = torch.sigmoid(b + e)
        return (1 - z) * torch.tanh(c + torch.sigmoid(a + d) * f) + z * h


@right_everywhere
class WithoutLayers(nn.Module):
    """The same parameters, in modules of one's own; `decoding` doesn't call `get_context_vector`."""

    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.linear = nn.Linear(hidden_dim, vocab_size)
        self.decoder = HandMadeGRU(embed_dim + hidden_dim, hidden_dim)
        self.attention_W = Matrix(hidden_dim)
        self.encoder = HandMadeGRU(embed_dim, hidden_dim)
        self.embedding = nn.Embedding(vocab_size, embed_dim)

    def forward(self, encoder_x, decoder_x):
        h = torch.zeros(len(encoder_x), self.hidden_dim)
        read = []
        for x in self.embedding(encoder_x).unbind(1):
            h = self.encoder.step(x, h)
            read.append(h)
        return self.linear(self.decoding(torch.stack(read, 1), decoder_x, h.unsqueeze(0))[0])

    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        query = hidden_state.transpose(0, 1) @ self.attention_W.weight  # hᵀW
        scores = (encoder_out * query).sum(2, keepdim=True)
        if valid_lens is not None:
            padding = torch.arange(encoder_out.shape[1]).view(1, -1, 1) >= valid_lens.view(-1, 1, 1)
            scores = scores + torch.zeros(scores.shape).masked_fill(padding, -torch.inf)
        exps = (scores - scores.amax(1, keepdim=True)).exp()
        weights = exps / exps.sum(1, keepdim=True)
        return weights.mT.bmm(encoder_out), weights

    def decoding(self, encoder_out, decoder_x, hidden_state):
        h, outputs = hidden_state[0], []
        for x in self.embedding(decoder_x).unbind(1):
            weights = (encoder_out @ (h @ self.attention_W.weight).unsqueeze(2)).softmax(1)
            h = self.decoder.step(torch.hstack([x, (weights * encoder_out).sum(1)]), h)
            outputs.append(h)
        return torch.stack(outputs, dim=1), h[None]

    def get_next_token(self, encoder_out, token, hidden_state):
        outputs, state = self.decoding(encoder_out, token, hidden_state)
        return self.linear(outputs).argmax(-1).flatten(), state


@right_everywhere
class AListForAPair(StepByStep):
    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        lens = torch.full((len(encoder_out),), encoder_out.shape[1]) if valid_lens is None else valid_lens
        scores = self.attention_W(encoder_out).matmul(hidden_state.squeeze(0).unsqueeze(-1))
        scores = scores - 1e30 * self.padding(encoder_out, lens).to(scores.dtype)
        weights = nn.Softmax(dim=-2)(scores)
        return [torch.bmm(weights.transpose(1, 2), encoder_out), weights]

    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs = torch.empty(*decoder_x.shape, hidden_state.shape[-1]).unbind(1)
        outputs = list(outputs)
        for i, x in enumerate(self.embedding(decoder_x).split(1, 1)):
            context = self.get_context_vector(encoder_out, hidden_state)[0]
            outputs[i], hidden_state = self.decoder(torch.cat([x, context], 2), hidden_state)
        return [torch.cat(outputs, 1), hidden_state]

    def get_next_token(self, encoder_out, token, hidden_state):
        outputs, state = self.decoding(encoder_out, token, hidden_state)
        return [self.linear(outputs)[:, 0].sort(dim=-1, descending=True).indices[:, 0], state]


# === get_context_vector: wrong ========================================================================================


def weighing(named):
    """A wrong answer that differs in how scores and lengths become weights."""

    def add(weigh):
        class Weighing(StepByStep):
            def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
                padding = None if valid_lens is None else self.padding(encoder_out, valid_lens)
                weights = weigh(self.scores(encoder_out, hidden_state), padding)
                return (weights * encoder_out).sum(1, keepdim=True), weights

        Weighing.__name__ = weigh.__name__
        return wrong("get_context_vector", named)(Weighing)

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


@weighing(None)
def a_fill_that_is_too_near(scores, padding):
    return hide(scores, padding, -5.0).softmax(1)


@weighing("overflow")
def softmax_that_overflows(scores, padding):
    """Right as long as no score is large."""
    exps = scores.exp() if padding is None else scores.exp() * ~padding
    return exps / exps.sum(1, keepdim=True)


@weighing(None)
def sharpened(scores, padding):
    return hide(2 * scores, padding).softmax(1)


@wrong("get_context_vector", named="context-over-wrong-axis")
class SummedOverTheFeatures(StepByStep):
    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        _, weights = super().get_context_vector(encoder_out, hidden_state, valid_lens)
        return (weights * encoder_out).sum(dim=2, keepdim=True), weights


@wrong("get_context_vector", named="context-over-wrong-axis")
class SummedOverTheBatch(StepByStep):
    """Right for a single string of a single step."""

    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        _, weights = super().get_context_vector(encoder_out, hidden_state, valid_lens)
        return (weights * encoder_out).sum(dim=0, keepdim=True), weights


@wrong("get_context_vector", named="mean-for-sum")
class MeanOfWeighted(StepByStep):
    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        _, weights = super().get_context_vector(encoder_out, hidden_state, valid_lens)
        return (weights * encoder_out).mean(dim=1, keepdim=True), weights


@wrong("get_context_vector", named="W-on-the-state")
class MatrixOnTheState(StepByStep):
    """Right wherever the matrix is symmetric."""

    def scores(self, encoder_out, hidden_state):
        return encoder_out @ self.attention_W(hidden_state).permute(1, 2, 0)


@wrong("get_context_vector", named="W-on-the-state")
class MatrixTransposed(StepByStep):
    def scores(self, encoder_out, hidden_state):
        return torch.bmm(encoder_out @ self.attention_W.weight, hidden_state.permute(1, 2, 0))


@wrong("get_context_vector", named="W-unused")
class PlainDotProduct(StepByStep):
    def scores(self, encoder_out, hidden_state):
        return torch.bmm(encoder_out, hidden_state.permute(1, 2, 0))


@wrong("get_context_vector", named="attention-bias")
class MatrixWithBias(StepByStep):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.attention_W = nn.Linear(hidden_dim, hidden_dim)


@wrong("get_context_vector", named="scaled")
class ScaledAsInLab2(StepByStep):
    def scores(self, encoder_out, hidden_state):
        return super().scores(encoder_out, hidden_state) / math.sqrt(hidden_state.shape[-1])


@wrong("get_context_vector", named="one-state-for-all")
class FirstStateForAll(StepByStep):
    """Right for one string."""

    def scores(self, encoder_out, hidden_state):
        return self.attention_W(encoder_out) @ hidden_state[0, 0].unsqueeze(1)


@wrong("get_context_vector", named="one-length-for-all")
class LongestForAll(StepByStep):
    def padding(self, encoder_out, valid_lens):
        return super().padding(encoder_out, valid_lens.max().expand(len(valid_lens)))


@wrong("get_context_vector", named="pools-keys-for-values")
class SumsTheKeys(StepByStep):
    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        _, weights = super().get_context_vector(encoder_out, hidden_state, valid_lens)
        return (weights * self.attention_W(encoder_out)).sum(1, keepdim=True), weights


@wrong("get_context_vector", named="not-a-pair")
class ContextOnly(StepByStep):
    def get_context_vector(self, *args):
        return super().get_context_vector(*args)[0]


@wrong("get_context_vector", named="order-of-the-pair")
class WeightsFirst(StepByStep):
    def get_context_vector(self, *args):
        return super().get_context_vector(*args)[::-1]


@wrong("get_context_vector", named="axis-lost")
class WithoutKeepdim(StepByStep):
    def get_context_vector(self, *args):
        context, weights = super().get_context_vector(*args)
        return context.squeeze(1), weights


@wrong("get_context_vector", named="unmasked-context")
class ContextFromBeforeTheMask(StepByStep):
    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        context, _ = super().get_context_vector(encoder_out, hidden_state)
        return context, super().get_context_vector(encoder_out, hidden_state, valid_lens)[1]


@wrong("get_context_vector", named="detached-gradient")
class WeightsForAPicture(StepByStep):
    def get_context_vector(self, *args):
        context, weights = super().get_context_vector(*args)
        return context, weights.detach()


@wrong("get_context_vector", named="writes-into-arguments")
class ZeroesThePadding(StepByStep):
    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        result = super().get_context_vector(encoder_out, hidden_state, valid_lens)
        with torch.no_grad():
            hidden_state *= 0
        return result


@wrong("get_context_vector", named="remembers")
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


@wrong("get_context_vector", named=None)
class DropoutOfItsOwn(StepByStep):
    def get_context_vector(self, *args):
        context, weights = super().get_context_vector(*args)
        return F.dropout(context, 0.1, self.training), weights


@wrong("get_context_vector", named=None)
class StatesOutOfOrder(StepByStep):
    """Right for one string, and for as many strings as hidden units where the states are alike."""

    def scores(self, encoder_out, hidden_state):
        batch, _, hidden = encoder_out.shape
        return self.attention_W(encoder_out) @ hidden_state.permute(2, 1, 0).reshape(batch, hidden, 1)


# === decoding: wrong ==================================================================================================


def looping(named):
    """A wrong answer that differs in its step: (model, encoder_out, token, state, first state) -> (output, state)."""

    def add(step):
        class Looping(StepByStep):
            def decoding(self, encoder_out, decoder_x, hidden_state):
                outputs, first = [], hidden_state
                for i in range(decoder_x.shape[1]):
                    output, hidden_state = step(self, encoder_out, decoder_x[:, i : i + 1], hidden_state, first)
                    outputs.append(output)
                return torch.cat(outputs, 1), hidden_state

        Looping.__name__ = step.__name__
        return wrong("decoding", named)(Looping)

    return add


def joined(model, encoder_out, token, query):
    return torch.cat([model.embedding(token), model.get_context_vector(encoder_out, query)[0]], dim=-1)


@looping("context-once")
def always_the_first_question(model, encoder_out, token, state, first):
    return model.decoder(joined(model, encoder_out, token, first), state)


@wrong("decoding", named="context-once")
class WholeGruAtOnce(StepByStep):
    def decoding(self, encoder_out, decoder_x, hidden_state):
        context, _ = self.get_context_vector(encoder_out, hidden_state)
        embedded = self.embedding(decoder_x)
        return self.decoder(torch.cat([embedded, context.expand(-1, decoder_x.shape[1], -1)], -1), hidden_state)


@looping("concatenated-in-the-other-order")
def context_in_front(model, encoder_out, token, state, first):
    context, _ = model.get_context_vector(encoder_out, state)
    return model.decoder(torch.cat([context, model.embedding(token)], dim=-1), state)


@looping("state-not-carried")
def always_from_the_first_state(model, encoder_out, token, state, first):
    return model.decoder(joined(model, encoder_out, token, first), first)


@looping("state-not-carried")
def always_from_zeros(model, encoder_out, token, state, first):
    return model.decoder(joined(model, encoder_out, token, state))


@looping("context-of-the-wrong-state")
def question_of_the_new_state(model, encoder_out, token, state, first):
    _, new = model.decoder(joined(model, encoder_out, token, state), state)
    return model.decoder(joined(model, encoder_out, token, new), state)


@looping("no-context")
def nothing_for_a_context(model, encoder_out, token, state, first):
    nothing = torch.zeros(len(token), 1, state.shape[-1])
    return model.decoder(torch.cat([model.embedding(token), nothing], -1), state)


@looping("detached-gradient")
def state_cut_off(model, encoder_out, token, state, first):
    return model.decoder(joined(model, encoder_out, token, state), state.detach())


@looping("wrong-context")
def softmax_over_the_batch(model, encoder_out, token, state, first):
    weights = model.scores(encoder_out, state).softmax(0)
    context = (weights * encoder_out).sum(1, keepdim=True)
    return model.decoder(torch.cat([model.embedding(token), context], -1), state)


@looping(None)
def mean_for_a_context(model, encoder_out, token, state, first):
    """The last encoder output is the context, whatever the question."""
    return model.decoder(torch.cat([model.embedding(token), encoder_out[:, -1:]], -1), state)


@looping(None)
def tanh_on_the_input(model, encoder_out, token, state, first):
    return model.decoder(joined(model, encoder_out, token, state).tanh(), state)


@looping(None)
def context_of_the_first_string(model, encoder_out, token, state, first):
    """Right for one string."""
    context = model.get_context_vector(encoder_out, state)[0][:1].expand(len(token), -1, -1)
    return model.decoder(torch.cat([model.embedding(token), context], -1), state)


@wrong("decoding", named="context-added")
class Adds(StepByStep):
    """Works wherever embeddings are as wide as states."""

    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.decoder = nn.GRU(embed_dim, hidden_dim, batch_first=True)

    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs = []
        for token in decoder_x.split(1, 1):
            context, _ = self.get_context_vector(encoder_out, hidden_state)
            output, hidden_state = self.decoder(self.embedding(token) + context, hidden_state)
            outputs.append(output)
        return torch.cat(outputs, 1), hidden_state


@wrong("decoding", named="context-of-the-wrong-state")
class LooksAfterEachStep(StepByStep):
    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs, context = [], torch.zeros_like(encoder_out[:, :1])
        for token in decoder_x.split(1, 1):
            output, hidden_state = self.decoder(torch.cat([self.embedding(token), context], -1), hidden_state)
            context, _ = self.get_context_vector(encoder_out, hidden_state)
            outputs.append(output)
        return torch.cat(outputs, 1), hidden_state


@wrong("decoding", named="steps-of-the-source")
class AsManyStepsAsTheSource(StepByStep):
    """Right wherever source and target are equally long."""

    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs = []
        for i in range(encoder_out.shape[1]):
            token = decoder_x[:, i].unsqueeze(1)
            output, hidden_state = self.decoder(joined(self, encoder_out, token, hidden_state), hidden_state)
            outputs.append(output)
        return torch.cat(outputs, 1), hidden_state


@wrong("decoding", named="feeds-its-own-predictions")
class WithoutATeacher(StepByStep):
    def decoding(self, encoder_out, decoder_x, hidden_state):
        token, outputs = decoder_x[:, :1], []
        for _ in range(decoder_x.shape[1]):
            output, hidden_state = self.decoder(joined(self, encoder_out, token, hidden_state), hidden_state)
            token = self.linear(output).argmax(-1)
            outputs.append(output)
        return torch.cat(outputs, 1), hidden_state


@wrong("decoding", named="old-state-returned")
class FirstStateReturned(StepByStep):
    def decoding(self, encoder_out, decoder_x, hidden_state):
        return super().decoding(encoder_out, decoder_x, hidden_state)[0], hidden_state


@wrong("decoding", named="old-state-returned")
class LastOutputForTheState(StepByStep):
    """The right numbers in the wrong shape; for a batch of one even the shape is right."""

    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs, _ = super().decoding(encoder_out, decoder_x, hidden_state)
        return outputs, outputs[:, -1:]


@wrong("decoding", named="steps-along-the-wrong-axis")
class StepsStackedInFront(StepByStep):
    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs, state = super().decoding(encoder_out, decoder_x, hidden_state)
        return outputs.transpose(0, 1), state


@wrong("decoding", named="steps-along-the-wrong-axis")
class StepsReshapedForTransposed(StepByStep):
    """Right for one string."""

    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs, state = super().decoding(encoder_out, decoder_x, hidden_state)
        return torch.stack(outputs.unbind(1)).reshape(outputs.shape), state


@wrong("decoding", named="logits-for-outputs")
class LogitsAlready(StepByStep):
    def forward(self, encoder_x, decoder_x):
        return self.decoding(*self.swap(decoder_x, *self.encoder(self.embedding(encoder_x))))[0]

    def swap(self, decoder_x, encoder_out, state):
        return encoder_out, decoder_x, state

    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs, state = super().decoding(encoder_out, decoder_x, hidden_state)
        return self.linear(outputs), state


@wrong("decoding", named="not-a-pair")
class OutputsOnly(StepByStep):
    def decoding(self, *args):
        return super().decoding(*args)[0]


@wrong("decoding", named="order-of-the-pair")
class StateFirst(StepByStep):
    def decoding(self, *args):
        return super().decoding(*args)[::-1]


@wrong("decoding", named="wrong-context")
class OnAWrongContext(MatrixOnTheState):
    pass


@wrong("decoding", named="forward-starts-elsewhere")
class DecoderStartsFromZeros(StepByStep):
    def forward(self, encoder_x, decoder_x):
        encoder_out, state = self.encoder(self.embedding(encoder_x))
        return self.linear(self.decoding(encoder_out, decoder_x, torch.zeros_like(state))[0])


@wrong("decoding", named="softmax-in-forward")
class ProbabilitiesForLogits(StepByStep):
    def forward(self, encoder_x, decoder_x):
        return super().forward(encoder_x, decoder_x).softmax(-1)


@wrong("decoding", named="writes-into-arguments")
class StateKeptInPlace(StepByStep):
    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs, state = super().decoding(encoder_out, decoder_x, hidden_state)
        hidden_state.data.copy_(state.data)
        return outputs, state


@wrong("decoding", named="remembers")
class GoesOnFromTheLastCall(StepByStep):
    """Right when it is called for the first time."""

    def decoding(self, encoder_out, decoder_x, hidden_state):
        hidden_state = getattr(self, "last", hidden_state)
        if hidden_state.shape[1] != len(decoder_x):
            hidden_state = torch.zeros(1, len(decoder_x), encoder_out.shape[2])
        outputs, state = super().decoding(encoder_out, decoder_x, hidden_state)
        self.last = state.detach()
        return outputs, state


# === get_next_token: wrong ============================================================================================


def stepping(named):
    """A wrong answer that has its own `get_next_token(model, encoder_out, token, hidden_state)`."""

    def add(step):
        class Stepping(StepByStep):
            get_next_token = step

        Stepping.__name__ = step.__name__
        return wrong("get_next_token", named)(Stepping)

    return add


def next_output(model, encoder_out, token, hidden_state):
    return model.decoder(joined(model, encoder_out, token, hidden_state), hidden_state)


@stepping("old-state-returned")
def old_state_back(model, encoder_out, token, hidden_state):
    output, _ = next_output(model, encoder_out, token, hidden_state)
    return model.linear(output)[:, 0].argmax(1), hidden_state


@stepping("batch-by-one")
def tokens_as_a_column(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return model.linear(output).argmax(-1), state


@stepping("batch-axis-lost")
def everything_squeezed(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return model.linear(output).squeeze().argmax(-1), state


@stepping("context-left-out")
def zeros_for_the_context(model, encoder_out, token, hidden_state):
    embedded = model.embedding(token)
    output, state = model.decoder(F.pad(embedded, (0, hidden_state.shape[-1])), hidden_state)
    return model.linear(output).squeeze(1).argmax(1), state


@stepping("context-left-out")
def as_in_lab_4(model, encoder_out, token, hidden_state):
    output, state = model.decoder(model.embedding(token), hidden_state)
    return model.linear(output).squeeze(1).argmax(1), state


@stepping("argmax-over-batch")
def best_string_for_each_letter(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return model.linear(output).squeeze(1).argmax(0), state


@stepping("argmax-over-batch")
def argmax_over_the_step(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return model.linear(output).argmax(dim=1), state


@stepping("samples")
def drawn_at_random(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return torch.distributions.Categorical(logits=model.linear(output[:, 0])).sample(), state


@stepping("argmax-of-the-state")
def largest_unit(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return output.squeeze(1).argmax(-1), state


@stepping("logits-for-tokens")
def logits_back(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return model.linear(output).squeeze(1), state


@stepping("concatenated-in-the-other-order")
def the_other_order(model, encoder_out, token, hidden_state):
    context, _ = model.get_context_vector(encoder_out, hidden_state)
    output, state = model.decoder(torch.cat([context, model.embedding(token)], -1), hidden_state)
    return model.linear(output[:, -1]).argmax(-1), state


@stepping("state-left-out")
def from_zeros(model, encoder_out, token, hidden_state):
    output, state = model.decoder(joined(model, encoder_out, token, hidden_state))
    return model.linear(output[:, -1]).argmax(-1), state


@stepping("context-of-the-new-state")
def looks_once_more(model, encoder_out, token, hidden_state):
    _, new = next_output(model, encoder_out, token, hidden_state)
    output, state = model.decoder(joined(model, encoder_out, token, new), hidden_state)
    return model.linear(output[:, -1]).argmax(-1), state


@stepping("token-ignored")
def start_token_each_time(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, torch.zeros_like(token), hidden_state)
    return model.linear(output[:, -1]).argmax(-1), state


@stepping("detached-gradient")
@torch.no_grad()
def without_gradients(model, encoder_out, token, hidden_state):
    return StepByStep.get_next_token(model, encoder_out, token, hidden_state)


@stepping("changes-the-model")
def switched_to_evaluation(model, encoder_out, token, hidden_state):
    model.eval()
    return StepByStep.get_next_token(model, encoder_out, token, hidden_state)


@stepping("order-of-the-pair")
def state_in_front(model, encoder_out, token, hidden_state):
    return StepByStep.get_next_token(model, encoder_out, token, hidden_state)[::-1]


@stepping("not-a-pair")
def token_only(model, encoder_out, token, hidden_state):
    return StepByStep.get_next_token(model, encoder_out, token, hidden_state)[0]


@stepping(None)
def one_token_for_all(model, encoder_out, token, hidden_state):
    """Right for one string."""
    tokens, state = StepByStep.get_next_token(model, encoder_out, token, hidden_state)
    return tokens[:1].expand(len(tokens)), state


@stepping("never-ends")
def never_the_end(model, encoder_out, token, hidden_state):
    """Right unless `<eos>` is likeliest: the first token of the vocabulary is never chosen."""
    output, state = next_output(model, encoder_out, token, hidden_state)
    return model.linear(output[:, -1])[:, 1:].argmax(-1) + 1, state


@stepping(None)
def without_the_bias(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return (output[:, -1] @ model.linear.weight.T).argmax(-1), state


@stepping(None)
def two_steps_at_once(model, encoder_out, token, hidden_state):
    tokens, state = StepByStep.get_next_token(model, encoder_out, token, hidden_state)
    return tokens, next_output(model, encoder_out, tokens.unsqueeze(1), state)[1]


@stepping(None)
def tokens_as_floats(model, encoder_out, token, hidden_state):
    tokens, state = StepByStep.get_next_token(model, encoder_out, token, hidden_state)
    return tokens.float(), state


@wrong("get_next_token", named="wrong-context")
class NextOnAWrongContext(PlainDotProduct):
    pass


# === LuongDecoder: right ==============================================================================================


@right("LuongDecoder")
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


@right("LuongDecoder")
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


@right("LuongDecoder")
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


@right("LuongDecoder")
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


@right("LuongDecoder")
class LuongWithMaskAdded(Luong):
    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        lens = torch.tensor([encoder_out.shape[1]] * len(encoder_out)) if valid_lens is None else valid_lens
        queries = self.queries(decoder_x, hidden_state)
        bias = torch.zeros(encoder_out.shape[:2]).masked_fill(self.padding(encoder_out, lens)[:, 0], -torch.inf)
        weights = torch.softmax(self.scores(queries, encoder_out) + bias[:, None], dim=2)
        return self.combine(weights @ encoder_out, queries), weights


# === LuongDecoder: wrong ==============================================================================================


@wrong("LuongDecoder", named="attention-before-the-rnn")
class QueriesFromBefore(Luong):
    def queries(self, decoder_x, hidden_state):
        states = super().queries(decoder_x, hidden_state)
        return torch.cat([hidden_state.transpose(0, 1), states[:, :-1]], dim=1)


@wrong("LuongDecoder", named="attention-before-the-rnn")
class ContextIntoTheGru(Luong):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.rnn = nn.GRU(embed_dim + hidden_dim, hidden_dim, batch_first=True)


@wrong("LuongDecoder", named="concatenated-in-the-other-order")
class StateBeforeContext(Luong):
    def combine(self, context, queries):
        return torch.tanh(self.W_c(torch.cat([queries, context], dim=2)))


@wrong("LuongDecoder", named="no-tanh")
class WithoutTanh(Luong):
    def combine(self, context, queries):
        return self.W_c(torch.cat([context, queries], dim=2))


@wrong("LuongDecoder", named="no-tanh")
class ReluForTanh(Luong):
    def combine(self, context, queries):
        return F.relu(self.W_c(torch.cat([context, queries], dim=2)))


@wrong("LuongDecoder", named="feeds-h̃-back")
class InputFeeding(Luong):
    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        outputs, rows = [], []
        for token in decoder_x.split(1, 1):
            output, weights = super().forward(encoder_out, token, hidden_state, valid_lens)
            hidden_state = output.permute(1, 0, 2).contiguous()
            outputs.append(output)
            rows.append(weights)
        return torch.cat(outputs, 1), torch.cat(rows, 1)


@wrong("LuongDecoder", named="softmax-over-wrong-axis")
class OverTheQueries(Luong):
    """Right for as many steps as queries only in its shape."""

    def weigh(self, scores, padding):
        return hide(scores, padding, -1e9).softmax(1)


@wrong("LuongDecoder", named="W_a-on-the-queries")
class MatrixOnTheQueries(Luong):
    def scores(self, queries, encoder_out):
        return self.W_a(queries) @ encoder_out.mT


@wrong("LuongDecoder", named="W_a-unused")
class DotScore(Luong):
    def scores(self, queries, encoder_out):
        return queries @ encoder_out.mT


@wrong("LuongDecoder", named="biases")
class WithBiases(Luong):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.W_a = nn.Linear(hidden_dim, hidden_dim)
        self.W_c = nn.Linear(2 * hidden_dim, hidden_dim)


@wrong("LuongDecoder", named="scaled")
class ScaledScores(Luong):
    def scores(self, queries, encoder_out):
        return super().scores(queries, encoder_out) / math.sqrt(queries.shape[-1])


@wrong("LuongDecoder", named="state-left-out")
class FromZeros(Luong):
    def queries(self, decoder_x, hidden_state):
        return self.rnn(self.embedding(decoder_x))[0]


@wrong("LuongDecoder", named="attends-to-padding")
class LengthsIgnored(Luong):
    def weigh(self, scores, padding):
        return scores.softmax(-1)


@wrong("LuongDecoder", named="mask-after-softmax")
class MaskAfterSoftmax(Luong):
    def weigh(self, scores, padding):
        return hide(scores.softmax(-1), padding, 0.0)


@wrong("LuongDecoder", named="inverted-mask")
class OnlyThePadding(Luong):
    def padding(self, encoder_out, valid_lens):
        return ~super().padding(encoder_out, valid_lens)

    def weigh(self, scores, padding):
        return hide(scores, padding, -1e9).softmax(-1)


@wrong("LuongDecoder", named="one-length-for-all")
class FirstLengthForAll(Luong):
    def padding(self, encoder_out, valid_lens):
        return super().padding(encoder_out, valid_lens[:1].expand_as(valid_lens))


@wrong("LuongDecoder", named="not-a-pair")
class StateBesides(Luong):
    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        attentional, weights = super().forward(encoder_out, decoder_x, hidden_state, valid_lens)
        return attentional, self.rnn(self.embedding(decoder_x), hidden_state)[1], weights


@wrong("LuongDecoder", named="order-of-the-pair")
class WeightsInFront(Luong):
    def forward(self, *args):
        return super().forward(*args)[::-1]


@wrong("LuongDecoder", named="detached-gradient")
class DetachedWeights(Luong):
    def forward(self, *args):
        attentional, weights = super().forward(*args)
        return attentional, weights.detach()


@wrong("LuongDecoder", named="weights-transposed")
class SourceByTarget(Luong):
    """Right for as many target steps as source steps only in its shape."""

    def forward(self, *args):
        attentional, weights = super().forward(*args)
        return attentional, weights.transpose(1, 2)


@wrong("LuongDecoder", named=None)
class CausalOverTheSource(Luong):
    """A query sees only as many source steps as it has written."""

    def weigh(self, scores, padding):
        return super().weigh(hide(scores, torch.ones(scores.shape[1:]).triu(1).bool()), padding)


@wrong("LuongDecoder", named=None)
class LengthsForTheTarget(Luong):
    """Takes the lengths for those of the target as well."""

    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        attentional, weights = super().forward(encoder_out, decoder_x, hidden_state, valid_lens)
        if valid_lens is None:
            return attentional, weights
        return attentional * (torch.arange(decoder_x.shape[1]) < valid_lens[:, None])[..., None], weights


@wrong("LuongDecoder", named="remembers")
class KeysRemembered(Luong):
    """Right for the first source of its size."""

    def scores(self, queries, encoder_out):
        if getattr(self, "keys", encoder_out[:0]).shape != encoder_out.shape:
            self.keys = self.W_a(encoder_out)
        return queries @ self.keys.mT


@wrong("LuongDecoder", named=None)
class FirstSourceForAll(Luong):
    """Right for one string."""

    def scores(self, queries, encoder_out):
        return queries @ self.W_a(encoder_out[:1]).mT.expand(len(queries), -1, -1)


@wrong("LuongDecoder", named="writes-into-arguments")
class StateAdvanced(Luong):
    def queries(self, decoder_x, hidden_state):
        states, last = self.rnn(self.embedding(decoder_x), hidden_state)
        hidden_state.data.copy_(last.data)
        return states


@wrong("LuongDecoder", named="detached-gradient")
class TableWithoutAGradient(Luong):
    def queries(self, decoder_x, hidden_state):
        return self.rnn(self.embedding.weight.data[decoder_x], hidden_state)[0]
