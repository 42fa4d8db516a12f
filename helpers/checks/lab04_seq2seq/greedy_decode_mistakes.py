"""The mistakes that people make in `greedy_decode`, each with the wrong implementations that show it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.lab04_seq2seq.shared import right_shift
from helpers.checks.spoiling import remembering, stopping_at_64


def _likeliest(logits: Tensor) -> Tensor:
    return logits.argmax(-1)


def _drawn(logits: Tensor) -> Tensor:
    return torch.multinomial(logits.softmax(-1).flatten(0, 1), 1)


def _decode(
    model: nn.Module,
    encoder_x: Tensor,
    length: int,
    start: int,
    choose: Callable = _likeliest,
    token: Callable = lambda chosen, first: chosen,
    state: Callable = lambda new, first: new,
    stop: Callable = lambda chosen: False,
    result: Callable = lambda tokens, first: torch.cat(tokens, dim=1),
    evaluate: Callable = nn.Module.eval,
    restore: Callable = nn.Module.train,
) -> Any:
    """Greedy decoding, right but for what is changed: `first` is the start tokens, or the encoder's state."""
    was_training = model.training
    evaluate(model)
    _, first_state = model.encoder(model.embedding(encoder_x))
    first_token = torch.full_like(encoder_x[:, :1], start)
    read, carried, tokens = first_token, first_state, []
    for _ in range(length):
        outputs, new_state = model.decoder(model.embedding(read), carried)
        chosen = choose(model.linear(outputs))
        tokens.append(chosen)
        if stop(chosen):
            break
        read, carried = token(chosen, first_token), state(new_state, first_state)
    restore(model, was_training)
    return result(tokens, first_token)


def _greedy(context: Callable = torch.no_grad, **changes: Callable) -> Callable:
    def greedy(model, encoder_x, length, start=0):
        with context():
            return _decode(model, encoder_x, length, start, **changes)

    return greedy


def _from_forward(tokens: Callable) -> Callable:
    """An answer by a single call of `forward`, its decoder reading tokens that were there beforehand."""

    def teacher_forcing(model, encoder_x, length, start=0):
        was_training = model.training
        model.eval()
        with torch.no_grad():
            result = _likeliest(model(encoder_x, tokens(encoder_x, length, start)))
        model.train(was_training)
        return result

    return teacher_forcing


def _fed_the_target(target: Callable) -> Callable:
    """An answer by a loop whose decoder reads, after the start token, the tokens of a target that it works out."""

    def fed(model, encoder_x, length, start=0):
        given = target(encoder_x)
        steps = iter(range(length))

        def next_token(chosen: Tensor, first: Tensor) -> Tensor:
            step = min(next(steps), given.shape[1] - 1)
            return given[:, step : step + 1]

        return _greedy(token=next_token)(model, encoder_x, length, start)

    return fed


def _fitted(tokens: Tensor, length: int) -> Tensor:
    """Cut off, or filled up with zeros, to the length."""
    return nn.functional.pad(tokens, (0, max(0, length - tokens.shape[1])))[:, :length]


def _prefixes(choose: Callable = lambda logits: logits[:, -1:].argmax(-1), keep: Callable = lambda prefix: prefix):
    """An answer by calls of `forward` with ever more tokens."""

    def prefixes(model, encoder_x, length, start=0):
        was_training = model.training
        model.eval()
        prefix = torch.full_like(encoder_x[:, :1], start)
        with torch.no_grad():
            for _ in range(length):
                prefix = torch.cat([prefix, choose(model(encoder_x, keep(prefix)))], dim=1)
        model.train(was_training)
        return prefix[:, 1:]

    return prefixes


def _never_twice_in_a_row(model, encoder_x, length, start=0):
    """A token that was just written is out of the question."""
    written: list[Tensor] = []

    def choose(logits: Tensor) -> Tensor:
        allowed = logits.scatter(2, written[-1].unsqueeze(2), -torch.inf) if written else logits
        written.append(allowed.argmax(-1))
        return written[-1]

    return _greedy(choose=choose)(model, encoder_x, length, start)


def _never_again(model, encoder_x, length, start=0):
    """A token that was written at any time is out of the question."""
    written: list[Tensor] = []

    def choose(logits: Tensor) -> Tensor:
        allowed = logits.scatter(2, torch.stack(written, 2), -torch.inf) if written else logits
        written.append(allowed.argmax(-1))
        return written[-1]

    return _greedy(choose=choose)(model, encoder_x, length, start)


def _read_late(model, encoder_x, length, start=0):
    """The decoder reads each token one step late."""
    written: list[Tensor] = []

    def token(chosen: Tensor, first: Tensor) -> Tensor:
        written.append(chosen)
        return written[-2] if len(written) > 1 else first

    return _greedy(token=token)(model, encoder_x, length, start)


def _zeros_after_eos(tokens: list[Tensor], first: Tensor) -> Tensor:
    ids = torch.cat(tokens, dim=1)
    return ids * (ids.eq(0).cumsum(1) == 0)


def _without_gradients_for_all(model, encoder_x, length, start=0):
    torch.set_grad_enabled(False)
    return _decode(model, encoder_x, length, start)


def _encoding_with_gradients(model, encoder_x, length, start=0):
    model.embedding(encoder_x)
    return _greedy()(model, encoder_x, length, start)


def _freezing(model, encoder_x, length, start=0):
    return _greedy()(model.requires_grad_(False), encoder_x, length, start)


def _writing_into_the_source(model, encoder_x, length, start=0):
    tokens = _greedy()(model, encoder_x, length, start)
    encoder_x[:, 0] = start
    return tokens


def _ignoring_length(model, encoder_x, length, start=0):
    return _greedy()(model, encoder_x, encoder_x.shape[1], start)


def _from_nothing(model, encoder_x, length, start=0):
    """The decoder starts from zeros."""
    return _greedy()(model, encoder_x[:, :0], length, start)


def _logits_returned(model, encoder_x, length, start=0):
    tokens = _greedy()(model, encoder_x, length, start)
    with torch.no_grad():
        return model(encoder_x, right_shift(tokens, start))


def _largest_logits(model, encoder_x, length, start=0):
    return _logits_returned(model, encoder_x, length, start).amax(-1)


def _turned_round(model, encoder_x, length, start=0):
    return _greedy()(model, encoder_x.flip(1), length, start)


MISTAKES = (
    mistakes.STATE_NOT_CARRIED.explained(
        "Each step goes on from the state that the step before has left. Yours start from the encoder's state each "
        "time, so the model knows the last token that it wrote, but not how far it is.",
        _greedy(state=lambda new, first: first),
        _prefixes(keep=lambda prefix: prefix[:, -1:]),
        _greedy(state=lambda new, first: torch.zeros_like(first)),
        _greedy(state=lambda new, first: None),
    ),
    mistakes.FEEDS_THE_START_TOKEN.explained(
        "What the decoder has written must be read at the next step. Yours never learns which token was chosen.",
        _greedy(token=lambda chosen, first: first),
        _from_forward(lambda encoder_x, length, start: torch.full_like(encoder_x[:, :1], start).expand(-1, length)),
    ),
    Misconception(
        "teacher-forcing",
        "the decoder reads tokens that are given, not its own",
        "When a model decodes, there is no target: the decoder must read what it has written itself. (For random "
        "strings one could work the target out. For a sentence nobody can.)",
        (
            _from_forward(lambda encoder_x, length, start: _fitted(right_shift(encoder_x.flip(1), start), length)),
            _from_forward(lambda encoder_x, length, start: right_shift(encoder_x.flip(1), start)),
            _from_forward(lambda encoder_x, length, start: _fitted(right_shift(encoder_x, start), length)),
            _from_forward(lambda encoder_x, length, start: right_shift(encoder_x, start)),
            _from_forward(lambda encoder_x, length, start: _fitted(encoder_x, length)),
            _from_forward(lambda encoder_x, length, start: encoder_x),
            _from_forward(lambda encoder_x, length, start: _fitted(encoder_x.flip(1), length)),
            _from_forward(lambda encoder_x, length, start: encoder_x.flip(1)),
            _fed_the_target(lambda encoder_x: encoder_x.flip(1)),
            _fed_the_target(lambda encoder_x: encoder_x),
        ),
    ),
    mistakes.SAMPLING.explained(
        "Greedy decoding takes the *likeliest* token at every step. Drawn by their probabilities, tokens differ from "
        "call to call.",
        _greedy(choose=_drawn),
    ),
    mistakes.MODE_CHANGED.explained(
        "The caller may be in the middle of training: a model left in evaluation mode trains without its dropout from "
        "then on, and one left in training mode is evaluated with it. Note the mode (`model.training`) first, and set "
        "it back.",
        _greedy(restore=lambda model, was_training: None),
        _greedy(restore=lambda model, was_training: model.train()),
    ),
    mistakes.DECODES_IN_TRAINING_MODE.explained(
        "The model may have dropout, which is for training: with it the model isn't as good as it can be. "
        "`model.eval()` turns it off.",
        _greedy(evaluate=lambda model: None),
        _greedy(evaluate=nn.Module.train),
    ),
    mistakes.KEEPS_A_GRAPH.explained(
        "The tokens are right, but PyTorch notes every operation, to differentiate what can't be differentiated: an "
        "argmax has no gradient. That costs memory and time.",
        *(_greedy(context=torch.enable_grad), _encoding_with_gradients),
    ),
    mistakes.GRADIENTS_OFF_FOR_ALL.explained(
        "`torch.set_grad_enabled(False)` turns them off for everything that follows: the next training step would "
        "fail. `with torch.no_grad():` ends by itself, also where an error is raised.",
        _without_gradients_for_all,
    ),
    Misconception(
        "stops-at-eos",
        "decoding stops at `<eos>`",
        "Here all strings get `length` tokens, whatever they are; what follows an `<eos>` is for the caller to cut "
        "off. In a batch one string may be at its end, and another not.",
        (
            _greedy(stop=lambda chosen: bool((chosen == 0).all())),
            _greedy(stop=lambda chosen: bool((chosen == 0).any())),
            _greedy(result=_zeros_after_eos),
        ),
    ),
    mistakes.IGNORES_START.explained(
        "The decoder reads the same first token whatever `start` says. In this lab that token happens to be 0.",
        lambda model, encoder_x, length, start=0: _greedy()(model, encoder_x, length, 0),
        lambda model, encoder_x, length, start=0: _greedy()(model, encoder_x, length, 1),
    ),
    Misconception(
        "ignores-length",
        "`length` has no effect",
        "You write as many tokens as the source has. A target may be longer or shorter than its source.",
        (_ignoring_length,),
    ),
    mistakes.START_IN_THE_RESULT.explained(
        "Nobody wrote the start token: the result begins with the first token that the model chose.",
        _greedy(result=lambda tokens, first: torch.cat([first, *tokens], dim=1)),
        _greedy(result=lambda tokens, first: torch.cat([first, *tokens[:-1]], dim=1)),
    ),
    Misconception(
        "first-step-again",
        "the first step's prediction is taken each time",
        "`forward` gives logits for every step of what the decoder has read. The next token is what the *last* of "
        "them says.",
        (
            _prefixes(choose=lambda logits: logits[:, :1].argmax(-1)),
            _greedy(result=lambda tokens, first: tokens[0].expand(-1, len(tokens))),
        ),
    ),
    mistakes.ARGMAX_OVER_WRONG_AXIS.explained(
        "The likeliest token is the place of the largest logit along the *vocabulary*, the last axis: one for each "
        "string.",
        _greedy(choose=lambda logits: logits.argmax(0)[:, :1].expand(len(logits), 1)),
        _greedy(choose=lambda logits: logits[:, 0].argmax(0)[: len(logits)].unsqueeze(1)),
        _greedy(choose=lambda logits: logits.argmax(1)),
        _greedy(choose=lambda logits: logits.argmax().reshape(1, 1).expand(len(logits), 1)),
    ),
    mistakes.LEAST_LIKELY.explained(
        "A larger logit means a likelier token.", _greedy(choose=lambda logits: logits.argmin(-1))
    ),
    mistakes.ONE_SEQUENCE_FOR_ALL.explained(
        "A batch of one works, but in a larger one each string has tokens of its own. (`.item()` takes one number "
        "and forgets the others.)",
        _greedy(choose=lambda logits: logits[:1].argmax(-1).expand(len(logits), 1)),
        _greedy(result=lambda tokens, first: torch.cat(tokens, dim=1)[:1].expand(len(first), -1)),
        _greedy(result=lambda tokens, first: torch.cat(tokens, dim=1)[:1]),
        _greedy(token=lambda chosen, first: chosen[:1].expand(len(chosen), 1)),
    ),
    mistakes.NO_REPETITIONS.row(_never_twice_in_a_row, _never_again),
    Misconception(
        "token-read-late",
        "the decoder reads each token one step late",
        "Having written a token, the decoder reads that very token next. Yours reads the one before it: the new token "
        "is kept, and handed on a step too late.",
        (_read_late,),
    ),
    mistakes.NEVER_ENDS.explained(
        "Token 0 is `<eos>`, a token like all others: here it may be written, and then the string goes on.",
        _greedy(choose=lambda logits: logits[..., 1:].argmax(-1) + 1),
        _greedy(choose=lambda logits: logits[..., 1:].argmax(-1)),
    ),
    Misconception(
        "source-not-read",
        "the source isn't read as it stands",
        "The model reads `encoder_x` as it is given, and the decoder starts from the state after its last token.",
        (_turned_round, _from_nothing),
    ),
    Misconception(
        "in-another-order",
        "the tokens come back in another order",
        "They come back as they were written, the first one first. What they mean is the caller's affair.",
        (_greedy(result=lambda tokens, first: torch.cat(tokens[::-1], dim=1)),),
    ),
    Misconception(
        "in-another-shape",
        "the tokens come in another shape",
        "The result is one tensor of token ids, (batch, length).",
        (
            _greedy(result=lambda tokens, first: torch.stack(tokens, dim=1)),
            _greedy(result=lambda tokens, first: torch.cat(tokens)),
            _greedy(result=lambda tokens, first: torch.cat(tokens, dim=1).T),
            _greedy(result=lambda tokens, first: torch.stack(tokens)),
            _greedy(result=lambda tokens, first: torch.stack(tokens).squeeze()),
            _greedy(result=lambda tokens, first: torch.cat(tokens, dim=1).squeeze(0)),
            _greedy(result=lambda tokens, first: torch.cat(tokens, dim=1).squeeze()),
            _greedy(result=lambda tokens, first: tokens),
            _greedy(result=lambda tokens, first: tuple(tokens)),
            _greedy(result=lambda tokens, first: torch.cat(tokens, dim=1).tolist()),
        ),
    ),
    mistakes.LOGITS_FOR_TOKENS.explained(
        "A token id is a whole number: the *place* of the largest logit, not the logit, nor its probability.",
        _logits_returned,
        _largest_logits,
    ),
    mistakes.NOT_WHOLE_NUMBERS.explained(
        "A token id is a whole number. Somewhere yours have become floating-point numbers.",
        _greedy(result=lambda tokens, first: torch.cat(tokens, dim=1).float()),
    ),
    mistakes.CHANGES_THE_MODEL.explained(
        "Decoding only reads: the weights stay, and go on learning afterwards. `torch.no_grad()` needs no frozen "
        "weights.",
        _freezing,
    ),
    mistakes.WRITES_INTO_ARGUMENTS.explained(
        "The tokens are right, but `encoder_x` isn't what it was. An assignment to a slice writes in place.",
        _writing_into_the_source,
    ),
    mistakes.ANSWERS_FROM_MEMORY.row(remembering(_greedy())),
    mistakes.SMALL_SIZES_ONLY.row(
        stopping_at_64(_greedy()),
        lambda model, encoder_x, length, start=0: _greedy()(model, encoder_x[:, :64], length, start),
    ),
    mistakes.nothing_returned(),
)
