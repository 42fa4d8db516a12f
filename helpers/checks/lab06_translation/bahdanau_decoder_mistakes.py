"""The mistakes that people make in `BahdanauDecoder`, each with the wrong implementations that show it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from helpers.attention import AdditiveScore, masked_softmax
from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.spoiling import stopping_at_64


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


MISTAKES = (
    mistakes.OTHER_LAYERS.explained(
        "`score` is `AdditiveScore(hidden_dim, encoder_dim, hidden_dim)`: the query is as wide as the state, a key as "
        "wide as the encoder's outputs. `rnn` is one GRU of one layer, batch first, that reads a context *and* an "
        "embedding. There is nothing else to learn. (If the first line above has a ✓, and an error was raised, look "
        "for shapes that don't fit: the GRU without `batch_first`, or a mask that lacks an axis.)",
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
    Misconception(
        "reads-something-else",
        "the network doesn't read a context beside the embedding",
        "The network's input is *[context, embedding]*, of width encoder_dim + embed_dim. Added up, or with one of "
        "the two missing, its weights have another shape.",
        (
            _decoder(rnn=_gru(lambda embed, encoder: embed), joined=lambda context, token: token),
            _decoder(rnn=_gru(lambda embed, encoder: encoder), joined=lambda context, token: context),
            _decoder(rnn=_gru(lambda embed, encoder: embed + embed)),
            _decoder(rnn=_gru(lambda embed, encoder: encoder + encoder)),
        ),
    ),
    mistakes.CONCATENATED_IN_THE_OTHER_ORDER.explained(
        "The lab asks for [context, embedding]. A decoder trained from scratch wouldn't mind, but weights belong to an "
        "order: with those that are given here, yours takes words for contexts.",
        _decoder(joined=lambda context, token: torch.cat([token, context], dim=-1)),
    ),
    mistakes.ATTENDS_TO_PADDING.explained(
        "`valid_lens` isn't used as it should be: source tokens that aren't there get weight. Mask the scores with it "
        "*before* the softmax, each sentence with its own length.",
        _decoder(weigh=lambda scores, valid_lens: scores.softmax(-1)),
        _decoder(weigh=lambda scores, valid_lens: _masked(scores, valid_lens.max().expand(len(scores)))),
        _decoder(weigh=lambda scores, valid_lens: _masked(scores, (valid_lens + 1).clamp(max=scores.shape[-1]))),
        _decoder(weigh=lambda scores, valid_lens: scores.masked_fill(~_kept(scores, valid_lens), 0.0).softmax(-1)),
        _decoder(
            weigh=lambda scores, valid_lens: scores.softmax(-1),
            values=lambda encoder_out, valid_lens: (
                encoder_out * _kept(encoder_out[..., 0].unsqueeze(1), valid_lens).transpose(1, 2)
            ),
        ),
    ),
    mistakes.MASK_AFTER_SOFTMAX.explained(
        "The weights of the padding are 0, but the softmax has shared with it: what is left no longer sums to 1. "
        "Mask the scores first.",
        _decoder(weigh=lambda scores, valid_lens: scores.softmax(-1) * _kept(scores, valid_lens)),
    ),
    mistakes.INVERTED_MASK.explained(
        "What is real is masked, and the padding is looked at.",
        _decoder(weigh=lambda scores, valid_lens: scores.masked_fill(_kept(scores, valid_lens), -1e9).softmax(-1)),
        _decoder(
            weigh=lambda scores, valid_lens: scores.masked_fill(_kept(scores, valid_lens), -torch.inf).softmax(-1)
        ),
    ),
    mistakes.OFF_BY_ONE.explained(
        "A length of 3 means that positions 0, 1 *and 2* are real. The last of them is `<eos>`, which is real too.",
        _decoder(weigh=lambda scores, valid_lens: _masked(scores, (valid_lens - 1).clamp(min=1))),
    ),
    mistakes.ATTENDS_WITH_THE_NEW_STATE.explained(
        "In Bahdanau's decoder attention comes *before* the network: the previous state is the query, and the network "
        "reads the context. Attention after it is Luong's.",
        _decoder(step=_network_first),
        _decoder(step=_network_first_and_again),
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
    mistakes.ARGUMENTS_OF_SCORE_SWAPPED.explained(
        "`score(queries, keys)`: the state asks, the encoder's outputs are asked. Swapped it runs only where both are "
        "of one width, and then `W_q` meets what `W_k` was meant for.",
        _decoder(scored=lambda score, queries, keys: score(keys, queries).transpose(1, 2)),
    ),
    mistakes.NO_SOFTMAX.explained(
        "Weights are positive and sum to 1; scores can be anything. The softmax makes the one of the other.",
        _decoder(weigh=lambda scores, valid_lens: scores * _kept(scores, valid_lens)),
        _decoder(weigh=lambda scores, valid_lens: scores),
        _decoder(weigh=lambda scores, valid_lens: scores.sigmoid() * _kept(scores, valid_lens)),
    ),
    mistakes.SOFTMAX_OVER_WRONG_AXIS.explained(
        "Of the scores (B, 1, S) the last axis has the source tokens, and they share the weight. Over the axis of "
        "size 1 every weight is 1; over the batch, sentences compete with one another.",
        _decoder(weigh=lambda scores, valid_lens: scores.softmax(1)),
        _decoder(weigh=lambda scores, valid_lens: scores.softmax(0)),
        _decoder(weigh=lambda scores, valid_lens: scores.softmax(1) * _kept(scores, valid_lens)),
        _decoder(weigh=lambda scores, valid_lens: scores.softmax(0) * _kept(scores, valid_lens)),
    ),
    mistakes.SCORES_SCALED.explained(
        "Dividing by √d belongs to the dot product, whose variance grows with d. An additive score is used as it is.",
        _decoder(weigh=lambda scores, valid_lens: _masked(scores / 2.0, valid_lens)),
        _decoder(
            scored=lambda score, queries, keys: score(queries, keys) / queries.shape[-1] ** 0.5,
        ),
        _decoder(scored=lambda score, queries, keys: score(queries, keys) / keys.shape[-1] ** 0.5),
    ),
    Misconception(
        "another-context",
        "the context isn't the weighted mean of the encoder's outputs",
        "Each output counts with its weight, and only with that: no plain mean, not just the token with the largest "
        "weight, nor the last one.",
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
    mistakes.ONE_SEQUENCE_FOR_ALL.explained(
        "Right for one sentence, but in a batch each attends to its *own* source, from its own state.",
        _decoder(query=lambda token, state, encoder_out: state[:, :1].transpose(0, 1).expand(len(token), -1, -1)),
        _decoder(context=lambda weights, values: weights @ values[:1]),
        _decoder(context=lambda weights, values: weights[:1] @ values),
        _decoder(context=lambda weights, values: (weights @ values).mean(0, keepdim=True).expand(len(values), -1, -1)),
        _decoder(weigh=lambda scores, valid_lens: _masked(scores, valid_lens)[:1].expand(len(scores), -1, -1)),
        _decoder(step=_batch_as_time),
    ),
    mistakes.OLD_STATE_RETURNED.explained(
        "The step after this one goes on from what comes back. With the old state the decoder never gets ahead.",
        _decoder(result=lambda output, state, weights, old: (output, old, weights[:, 0])),
        _decoder(result=lambda output, state, weights, old: (output, torch.zeros_like(state), weights[:, 0])),
    ),
    mistakes.STATE_LEFT_OUT.explained(
        "The state is the query *and* what the network goes on from. Left out, it starts from zeros, and has forgotten "
        "everything before the last word. What does your GRU start from?",
        _decoder(rnn_state=lambda state, encoder_out: None),
        _decoder(rnn_state=lambda state, encoder_out: torch.zeros_like(state)),
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
        "A step gives three things: the output, for the next token; the state, for the next step; the weights, for "
        "the picture.",
        (
            _decoder(result=lambda output, state, weights, old: (output, state)),
            _decoder(result=lambda output, state, weights, old: (output, weights[:, 0])),
            _decoder(result=lambda output, state, weights, old: output),
            _decoder(result=lambda output, state, weights, old: None),
            _decoder(result=lambda output, state, weights, old: (output, (state, weights[:, 0]))),
        ),
    ),
    mistakes.ANSWERS_FROM_MEMORY.explained(
        "The next call may be about another sentence, or another beam of the same. All that a step knows is what it "
        "is given.",
        _decoder(step=_context_kept),
        _decoder(step=_state_of_its_own),
        _decoder(step=_keys_kept),
    ),
    mistakes.SMALL_SIZES_ONLY.row(
        _decoder(
            result=lambda output, state, weights, old: stopping_at_64(lambda *three: three)(
                output, state, weights[:, 0]
            )
        )
    ),
    mistakes.DROPOUT.explained(
        "The exercise asks for none; in training, numbers are missing.",
        _decoder(step=_dropout_on),
        _decoder(step=_dropout_on_weights),
    ),
    mistakes.DETACHED_GRADIENT.explained(
        "The numbers are right, but something has left the graph (`detach`, `.data`, `no_grad`, a new tensor from old "
        "numbers): the loss can't teach what lies before it.",
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
    mistakes.WRITES_INTO_ARGUMENTS.explained(
        "The result is right, but the encoder's outputs or the state aren't what they were, and the next step needs "
        "the outputs. Make a new tensor (`masked_fill` without the underscore, `x * y` for `x *= y`).",
        _decoder(step=_zeroing_the_padding),
        _decoder(step=_writing_the_state),
    ),
)
