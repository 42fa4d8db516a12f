"""The mistakes that people make in `LuongDecoder`, each with the wrong implementations that show it."""

from collections.abc import Callable

import torch
from torch import nn

from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.lab05_seq2seq_attention.shared import (
    LuongLayers,
    answers_from_memory,
    model_remembering,
    reused,
)
from helpers.checks.masking import causal_as_well, mask_mistakes, padded, softmax
from helpers.checks.spoiling import stopping_at_64


class _WrittenLuong(LuongLayers):
    """A right `LuongDecoder`, in parts that a mistake can replace."""

    def queries(self, encoder_out, embedded, hidden_state):
        return self.rnn(embedded, hidden_state)[0]  # (B, L, H)

    def score(self, queries, encoder_out):
        return queries @ self.W_a(encoder_out).mT  # (B, L, S)

    def weigh(self, scores, valid_lens):
        return softmax(scores, valid_lens, axis=2)

    def pool(self, weights, encoder_out):
        return weights @ encoder_out  # (B, L, H)

    def combine(self, context, queries):
        return self.W_c(torch.cat([context, queries], dim=-1)).tanh()

    def result(self, attentional, weights):
        return attentional, weights

    def attend(self, queries, encoder_out, valid_lens):
        weights = self.weigh(self.score(queries, encoder_out), valid_lens)
        return self.pool(weights, encoder_out), weights

    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        queries = self.queries(encoder_out, self.embedding(decoder_x), hidden_state)
        context, weights = self.attend(queries, encoder_out, valid_lens)
        return self.result(self.combine(context, queries), weights)


def _luong_with(**parts: Callable) -> Callable[..., nn.Module]:
    """`LuongDecoder` with some of its parts replaced."""
    return reused(type("LuongDecoder", (_WrittenLuong,), parts))


def _luong_with_layers(**layers: Callable[[int, int, int], nn.Module]) -> Callable[..., nn.Module]:
    """`LuongDecoder` with some layers built otherwise."""

    def init(self, *sizes):
        _WrittenLuong.__init__(self, *sizes)
        for name, make in layers.items():
            setattr(self, name, make(*sizes))

    return _luong_with(__init__=init)


def _luong_with_result(change: Callable) -> Callable[..., nn.Module]:
    return _luong_with(result=lambda self, attentional, weights: change(attentional, weights))


def _luong_with_arguments(change: Callable) -> Callable[..., nn.Module]:
    return _luong_with(forward=lambda self, *args: _WrittenLuong.forward(self, *change(*args)))


def _luong_overwriting(position: int) -> Callable[..., nn.Module]:
    def forward(self, *args):
        result = _WrittenLuong.forward(self, *args)
        if len(args) > position:
            with torch.no_grad():
                args[position].mul_(0)
        return result

    return _luong_with(forward=forward)


def _states_before(self, encoder_out, embedded, hidden_state):
    states = _WrittenLuong.queries(self, encoder_out, embedded, hidden_state)
    return torch.cat([hidden_state.transpose(0, 1), states[:, :-1]], dim=1)


def _attends_first(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
    """The weights come from the states before, the combination from the new ones."""
    embedded = self.embedding(decoder_x)
    context, weights = self.attend(_states_before(self, encoder_out, embedded, hidden_state), encoder_out, valid_lens)
    return self.combine(context, self.queries(encoder_out, embedded, hidden_state)), weights


def _feeds_attentional_back(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
    attentional, weights = [], []
    for token in decoder_x.split(1, dim=1):
        of_token, of_step = _WrittenLuong.forward(self, encoder_out, token, hidden_state, valid_lens)
        hidden_state = of_token.transpose(0, 1).contiguous()
        attentional.append(of_token)
        weights.append(of_step)
    return torch.cat(attentional, dim=1), torch.cat(weights, dim=1)


def _adds_attentional(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
    """Input feeding where embeddings are as wide as states."""
    attentional, weights, fed = [], [], 0.0
    for embedded in self.embedding(decoder_x).split(1, dim=1):
        query, hidden_state = self.rnn(embedded + fed, hidden_state)
        context, of_step = self.attend(query, encoder_out, valid_lens)
        fed = self.combine(context, query)
        attentional.append(fed)
        weights.append(of_step)
    return torch.cat(attentional, dim=1), torch.cat(weights, dim=1)


def _cut_like_the_source(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
    attentional, weights = _WrittenLuong.forward(self, encoder_out, decoder_x, hidden_state, valid_lens)
    if valid_lens is not None:
        attentional = attentional * (torch.arange(decoder_x.shape[1]) < valid_lens.unsqueeze(1)).unsqueeze(2)
    return attentional, weights


MISTAKES = (
    Misconception(
        "attention-before-the-rnn",
        "the attention comes before the GRU's step",
        "With Luong the GRU runs first, over all of `decoder_x`, and its *new* states are the queries. Asking with "
        "the states before, or with the embeddings, or feeding a context into the GRU, is Bahdanau's way round "
        "(exercise 2).",
        (
            _luong_with(forward=_attends_first),
            _luong_with(queries=_states_before),
            _luong_with_layers(rnn=lambda vocab, embed, hidden: nn.GRU(embed + hidden, hidden, batch_first=True)),
            _luong_with(queries=lambda self, encoder_out, embedded, state: embedded),
        ),
    ),
    mistakes.CONCATENATED_IN_THE_OTHER_ORDER.explained(
        "W_c reads [c; h], the context first. Trained from scratch either order would do; with weights that belong "
        "to one order, yours takes the state for the context.",
        _luong_with(combine=lambda self, context, queries: self.W_c(torch.cat([queries, context], dim=-1)).tanh()),
    ),
    mistakes.NO_TANH.explained(
        "h̃ = tanh(W_c [c; h]): every number of it lies between −1 and 1. Yours can be of any size.",
        _luong_with(combine=lambda self, context, queries: self.W_c(torch.cat([context, queries], dim=-1))),
        _luong_with(combine=lambda self, context, queries: self.W_c(torch.cat([context, queries], dim=-1)).relu()),
        _luong_with(combine=lambda self, context, queries: self.W_c(torch.cat([context, queries], dim=-1)).sigmoid()),
        _luong_with(combine=lambda self, context, queries: self.W_c(torch.cat([context, queries], -1).tanh())),
    ),
    Misconception(
        "feeds-h̃-back",
        "h̃ is fed back into the GRU",
        "Luong's paper has that too, as *input feeding* (section 3.3), but it wasn't asked for here. In this decoder "
        "the GRU never hears of the attention: that is why it can run over all steps at once, without a loop.",
        (
            _luong_with(forward=_feeds_attentional_back),
            _luong_with(forward=_adds_attentional),
        ),
    ),
    mistakes.SOFTMAX_OVER_WRONG_AXIS.row(
        _luong_with(weigh=lambda self, scores, lens: scores.softmax(1)),
        _luong_with(weigh=lambda self, scores, lens: scores.softmax(0)),
        _luong_with(weigh=lambda self, s, lens: s.masked_fill(padded(s, lens, 2), -torch.inf).softmax(1)),
        _luong_with(weigh=lambda self, s, lens: s.masked_fill(padded(s, lens, 2), -1e9).softmax(1)),
        _luong_with(weigh=lambda self, s, lens: s.masked_fill(padded(s, lens, 2), -torch.inf).softmax(0)),
        _luong_with(weigh=lambda self, s, lens: s.masked_fill(padded(s, lens, 2), -1e9).softmax(0)),
        _luong_with(weigh=lambda self, s, lens: s.softmax(1).masked_fill(padded(s, lens, 2), 0.0)),
    ),
    mistakes.NO_SOFTMAX.row(
        _luong_with(weigh=lambda self, scores, lens: scores),
        _luong_with(weigh=lambda self, s, lens: s.masked_fill(padded(s, lens, 2), 0.0)),
        _luong_with(weigh=lambda self, s, lens: s.masked_fill(padded(s, lens, 2), -torch.inf)),
    ),
    mistakes.W_ON_THE_QUERY.explained(
        "The score is hᵀ (W_a s): the matrix multiplies the encoder's outputs. On the queries it acts as its "
        "transpose, which is the same only for a symmetric matrix.",
        _luong_with(score=lambda self, queries, encoder_out: self.W_a(queries) @ encoder_out.mT),
    ),
    mistakes.W_UNUSED.explained(
        "That is Luong's *dot* score. The one asked for here, *general*, has a learned matrix between query and key.",
        _luong_with(score=lambda self, queries, encoder_out: queries @ encoder_out.mT),
    ),
    mistakes.BIAS.explained(
        "Both are plain matrices in the paper's equations. In `nn.Linear` the bias has to be turned off.",
        _luong_with_layers(W_a=lambda vocab, embed, hidden: nn.Linear(hidden, hidden)),
        _luong_with_layers(W_c=lambda vocab, embed, hidden: nn.Linear(2 * hidden, hidden)),
        _luong_with_layers(
            W_a=lambda vocab, embed, hidden: nn.Linear(hidden, hidden),
            W_c=lambda vocab, embed, hidden: nn.Linear(2 * hidden, hidden),
        ),
    ),
    mistakes.SCORES_SCALED.explained(
        "The score is hᵀ (W_a s) as it is: the learned matrix can take the scale's part.",
        _luong_with(score=lambda self, *args: _WrittenLuong.score(self, *args) / args[0].shape[2] ** 0.5),
        _luong_with(score=lambda self, *args: _WrittenLuong.score(self, *args) / args[0].shape[2]),
    ),
    mistakes.POOLS_KEYS_FOR_VALUES.explained(
        "The matrix is there to *compare*. The context is made of the encoder's outputs themselves.",
        _luong_with(pool=lambda self, weights, encoder_out: weights @ self.W_a(encoder_out)),
    ),
    mistakes.CONTEXT_LEFT_OUT.explained(
        "h̃ puts two things together: what the decoder knows, h, and what it has found in the source, c.",
        _luong_with(combine=lambda self, context, queries: self.W_c(torch.cat([queries] * 2, dim=-1)).tanh()),
        _luong_with(combine=lambda self, context, queries: self.W_c(torch.cat([context] * 2, dim=-1)).tanh()),
        _luong_with_result(lambda attentional, weights: (attentional * 0, weights)),
    ),
    Misconception(
        "state-or-context-for-h̃",
        "the states or the contexts come back, not h̃",
        "What comes back first is h̃ = tanh(W_c [c; h]): states and contexts go into it.",
        (
            _luong_with(combine=lambda self, context, queries: queries),
            _luong_with(combine=lambda self, context, queries: context),
            _luong_with(combine=lambda self, context, queries: torch.cat([context, queries], dim=-1)),
            _luong_with(combine=lambda self, context, queries: context + queries),
        ),
    ),
    mistakes.STATE_LEFT_OUT.explained(
        "Without a state a GRU starts from zeros. `hidden_state` is the encoder's last state: what the decoder starts "
        "from.",
        _luong_with(queries=lambda self, encoder_out, embedded, state: self.rnn(embedded)[0]),
    ),
    Misconception(
        "last-state-only",
        "only the last state attends",
        "*Every* state of the GRU is a query, so there is a context, and an h̃, for each target step.",
        (
            _luong_with(queries=lambda self, *args: _WrittenLuong.queries(self, *args)[:, -1:]),
            _luong_with(
                queries=lambda self, *args: _WrittenLuong.queries(self, *args)[:, -1:].expand(-1, args[1].shape[1], -1)
            ),
        ),
    ),
    *mask_mistakes(
        lambda weigh: _luong_with(weigh=lambda self, scores, lens: weigh(scores, lens)), keys="steps", axis=2
    ),
    causal_as_well(lambda weigh: _luong_with(weigh=lambda self, scores, lens: weigh(scores, lens)), key="step"),
    mistakes.ONE_SEQUENCE_FOR_ALL.row(
        _luong_with(score=lambda self, queries, encoder_out: _WrittenLuong.score(self, queries, encoder_out[:1])),
        _luong_with(
            score=lambda self, queries, encoder_out: _WrittenLuong.score(self, queries[:1], encoder_out).expand(
                len(queries), -1, -1
            )
        ),
        sequence="string",
        what="a source",
    ),
    Misconception(
        "lengths-for-the-target",
        "`valid_lens` cuts off target steps as well",
        "The lengths count the *source's* steps: they say where the decoder may look. How many steps it takes itself "
        "has nothing to do with them, and every one has an h̃.",
        (_luong_with(forward=_cut_like_the_source),),
    ),
    mistakes.QUERIES_AND_KEYS_SWAPPED.explained(
        "A row of the weights belongs to a query, that is, to a target step; its columns are the source steps.",
        _luong_with_result(lambda attentional, weights: (attentional, weights.mT)),
    ),
    mistakes.SCORES_FOR_WEIGHTS.row(
        _luong_with(
            attend=lambda self, queries, encoder_out, lens: (
                _WrittenLuong.attend(self, queries, encoder_out, lens)[0],
                self.score(queries, encoder_out),
            )
        ),
        what="outputs",
    ),
    mistakes.ORDER_OF_THE_PAIR.row(
        _luong_with_result(lambda attentional, weights: (weights, attentional)), pair="attentional, weights"
    ),
    mistakes.NOT_A_PAIR.row(
        _luong_with_result(lambda attentional, weights: attentional),
        _luong_with_result(lambda attentional, weights: (attentional, attentional[:, -1:].transpose(0, 1), weights)),
        pair="attentional, weights",
    ),
    mistakes.WRITES_INTO_ARGUMENTS.row(*(_luong_overwriting(position) for position in range(4)), arguments="tensors"),
    answers_from_memory(model_remembering(_WrittenLuong, "forward")),
    mistakes.SMALL_SIZES_ONLY.row(_luong_with_result(stopping_at_64(lambda *pair: pair))),
    mistakes.DETACHED_GRADIENT.explained(
        "The numbers are right, but h̃ or the weights aren't connected to the encoder's outputs, to the state, or to "
        "a parameter: what isn't connected learns nothing. `.detach()`, `.data` and `torch.no_grad()` cut the "
        "connection.",
        _luong_with_result(lambda attentional, weights: (attentional.detach(), weights.detach())),
        _luong_with_result(lambda attentional, weights: (attentional, weights.detach())),
        _luong_with(weigh=lambda self, scores, lens: softmax(scores, lens, 2).detach()),
        _luong_with(pool=lambda self, weights, encoder_out: (weights @ encoder_out).detach()),
        _luong_with_arguments(lambda out, *others: (out.detach(), *others)),
        _luong_with_arguments(lambda out, tokens, state, *lens: (out, tokens, state.detach(), *lens)),
        _luong_with(queries=lambda self, *args: _WrittenLuong.queries(self, *args).detach()),
    ),
    mistakes.nothing_returned(_luong_with_result(lambda attentional, weights: None)),
)
