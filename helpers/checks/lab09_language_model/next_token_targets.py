"""`next_token_targets`: what a right answer does, and the mistakes that people make."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import (
    at_any_size,
    changed_arguments,
    detached,
    each_for_itself,
    equals,
    have_shapes,
    leaves_arguments_alone,
    shapes,
    tensors,
)
from helpers.checks.spoiling import overwriting, remembering, stopping_at_64

_BOS, _EOS = 1, 2
_NAMES = ("inputs", "targets", "valid")


def _oracle(ids: Tensor, pad: int) -> tuple[Tensor, Tensor, Tensor]:
    """Token by token."""
    rows = ids.tolist()
    inputs = [[row[place] for place in range(len(row) - 1)] for row in rows]
    targets = [[row[place + 1] for place in range(len(row) - 1)] for row in rows]
    valid = [[token != pad for token in row] for row in targets]
    return torch.tensor(inputs), torch.tensor(targets), torch.tensor(valid)


def _rows(draw: Draw, lengths: list[int], width: int, pad: int, vocab_size: int = 9) -> Tensor:
    """Rows `<bos> … <eos> <pad> …`, with so many tokens before the padding. No word is the padding."""
    words = draw.integers(4, vocab_size + 3, len(lengths), width)
    words[words == pad] = 3
    for row, length in zip(words, lengths, strict=True):
        row[0], row[length - 1], row[length:] = _BOS, _EOS, pad
    return words


def _case(ids: Tensor, pad: int, part: int | None = None) -> Case:
    want = _oracle(ids, pad)
    return Case((ids, pad), want if part is None else want[part])


_SHAPES = (([2], 2), ([4], 4), ([3, 4], 4), ([5, 2, 3], 5), ([4, 4], 4), ([3, 5, 4, 2], 7))


def _cases(pad: int = 0) -> Callable[[Draw], Iterator[Case]]:
    return lambda draw: (_case(_rows(draw, lengths, width, pad), pad) for lengths, width in _SHAPES)


def _shape_cases(draw: Draw) -> Iterator[Case]:
    return (Case(case.args, tuple(tuple(tensor.shape) for tensor in case.want)) for case in _cases()(draw))


def _padded(draw: Draw) -> Iterator[Case]:
    for lengths, width in _SHAPES[2:4] + _SHAPES[5:]:
        yield _case(_rows(draw, lengths, width, 0), 0)


def _other_pads(draw: Draw) -> Iterator[Case]:
    for pad, (lengths, width) in ((3, _SHAPES[2]), (11, _SHAPES[3]), (5, _SHAPES[5])):
        yield _case(_rows(draw, lengths, width, pad), pad)


def _large(draw: Draw) -> Iterator[Case]:
    yield _case(_rows(draw, [3, 131, 67], 131, 0), 0)
    yield _case(_rows(draw, draw.integers(2, 5, 67).tolist(), 5, 0), 0)
    yield _case(_rows(draw, [67, 5], 70, 1031, vocab_size=1000), 1031)


def _arguments(draw: Draw) -> Iterator[Case]:
    yield Case((_rows(draw, [3, 5], 5, 0), 0), ("ids",))


def _triple(answer: Callable, args: tuple) -> tuple[Tensor, ...]:
    return detached(tuple(tensors(answer(*args), 3)))


def _equal(*parts: int) -> Callable[[tuple, tuple], str | None]:
    """Judge some of the three tensors."""

    def judge(got: tuple, want: tuple) -> str | None:
        for part in parts:
            problem = equals(got[part], want[part])
            if problem:
                return f"of `{_NAMES[part]}`: {problem}"
        return None

    return judge


def _right(ids: Tensor, pad: int) -> tuple[Tensor, Tensor, Tensor]:
    return ids[:, :-1], ids[:, 1:], ids[:, 1:] != pad


def _right_copies(ids: Tensor, pad: int) -> tuple[Tensor, ...]:
    return detached(_right(ids, pad))


def _with(valid: Callable[[Tensor, Tensor, int], Any]) -> Callable:
    """Right inputs and targets, with another `valid`."""
    return lambda ids, pad: (ids[:, :-1], ids[:, 1:], valid(ids[:, :-1], ids[:, 1:], pad))


def _until_eos(inputs: Tensor, targets: Tensor, pad: int) -> Tensor:
    """True where there is another real target after this one."""
    real = targets != pad
    return real & torch.cat([real[:, 1:], torch.zeros_like(real[:, :1])], dim=1)


def _as_long_as_ids(ids: Tensor, pad: int) -> tuple[Tensor, Tensor, Tensor]:
    targets = torch.cat([ids[:, 1:], torch.full_like(ids[:, :1], pad)], dim=1)
    return ids, targets, targets != pad


EXERCISE = Exercise(
    name="next_token_targets",
    arguments=("ids", "pad"),
    properties=(
        Property(
            "gives three tensors, each one column shorter than `ids`: (batch, L − 1)",
            _shape_cases,
            shapes(3),
            have_shapes,
        ),
        Property("the inputs are all tokens but the last column", _cases(), _triple, _equal(0)),
        Property("the targets are all tokens but the first column", _cases(), _triple, _equal(1)),
        Property("`valid` is True where the target is a real token, `<eos>` included", _padded, _triple, _equal(2)),
        Property("what is padding, `pad` says", _other_pads, _triple, _equal(0, 1, 2), suggests="ids-by-heart"),
        Property(
            "leaves `ids` as they were",
            _arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        each_for_itself(_padded, _triple, lambda args: ((args[0] + 1), args[1]), _equal(0, 1, 2)),
        at_any_size(_large, _triple, _equal(0, 1, 2)),
    ),
    misconceptions=(
        Misconception(
            "targets-unshifted",
            "inputs and targets are the same",
            "A model that is asked for the very token that it has just read learns to copy. The target of a position "
            "is the token that comes *after* it.",
            (
                lambda ids, pad: (ids[:, :-1], ids[:, :-1], ids[:, :-1] != pad),
                lambda ids, pad: (ids[:, 1:], ids[:, 1:], ids[:, 1:] != pad),
                lambda ids, pad: (ids, ids, ids != pad),
                lambda ids, pad: (ids[:, :-1], ids[:, :-1], ids[:, 1:] != pad),
            ),
        ),
        Misconception(
            "shifted-the-other-way",
            "inputs and targets are shifted the other way",
            "Yours asks for the token *before* the one that the model reads. It has seen that already: what is to be "
            "learned is what comes next.",
            (
                lambda ids, pad: (ids[:, 1:], ids[:, :-1], ids[:, :-1] != pad),
                lambda ids, pad: (ids[:, 1:], ids[:, :-1], ids[:, 1:] != pad),
                lambda ids, pad: (ids, ids.roll(1, 1), ids != pad),
            ),
        ),
        Misconception(
            "valid-from-the-inputs",
            "`valid` looks at the inputs, not at the targets",
            "After `<eos>` comes padding. At that position the *input* is a real token, and the target isn't: nothing "
            "is to be learned there.",
            (_with(lambda inputs, targets, pad: inputs != pad), lambda ids, pad: (*_right(ids, pad)[:2], ids != pad)),
        ),
        Misconception(
            "eos-not-predicted",
            "the `<eos>` isn't counted as a target",
            "A model that never learns where a sentence ends will go on for ever. `<eos>` is a token to be predicted "
            "like any other; only padding is not.",
            (
                _with(_until_eos),
                _with(lambda inputs, targets, pad: (targets != pad) & (targets != _EOS)),
            ),
        ),
        mistakes.PADDING_COUNTED.explained(
            "`valid` is True everywhere. Most of what the model would then learn is to write padding after padding.",
            _with(lambda inputs, targets, pad: torch.ones_like(targets, dtype=torch.bool)),
        ),
        mistakes.INVERTED_MASK.explained(
            "In the course True means *keep*: a target that counts. Yours is True in the padding.",
            _with(lambda inputs, targets, pad: targets == pad),
        ),
        mistakes.NOT_BOOLEAN.explained(
            "`valid` says True or False. With ones and zeros `logits[valid]` picks rows 0 and 1 again and again.",
            _with(lambda inputs, targets, pad: (targets != pad).float()),
            _with(lambda inputs, targets, pad: (targets != pad).long()),
            _with(lambda inputs, targets, pad: (targets != pad).int()),
        ),
        Misconception(
            "lengths-for-valid",
            "lengths come back, not a mask",
            "`valid` has an entry for each target: (batch, L − 1).",
            (
                _with(lambda inputs, targets, pad: (targets != pad).sum(1)),
                _with(lambda inputs, targets, pad: (inputs != pad).sum(1)),
            ),
        ),
        Misconception(
            "as-long-as-ids",
            "no column is left out",
            "After the last column nothing comes, so there is nothing to predict from it: inputs, targets and `valid` "
            "have L − 1 columns.",
            (
                _as_long_as_ids,
                lambda ids, pad: (ids, ids[:, 1:], ids[:, 1:] != pad),
                lambda ids, pad: (ids, ids.roll(-1, 1), ids != pad),
            ),
        ),
        Misconception(
            "rows-cut-for-columns",
            "a sentence is left out, not a column",
            "The first axis counts the sentences, the second their tokens. Which one is it that is shifted?",
            (lambda ids, pad: (ids[:-1], ids[1:], ids[1:] != pad),),
        ),
        mistakes.ORDER_OF_THE_THREE.explained(
            "They are expected in the order inputs, targets, valid.",
            lambda ids, pad: (ids[:, 1:], ids[:, :-1], ids[:, 1:] != pad)[::-1],
            lambda ids, pad: (
                ids[:, :-1],
                ids[:, 1:] != pad,
                ids[:, 1:],
            ),
        ),
        Misconception(
            "valid-left-out",
            "`valid` is missing",
            "Three tensors are asked for: inputs, targets, and which of the targets count.",
            (lambda ids, pad: (ids[:, :-1], ids[:, 1:]),),
        ),
        Misconception(
            "padding-replaced",
            "tokens are replaced by others",
            "Inputs and targets are tokens of `ids` as they are. What doesn't count is said by `valid`, and needs no "
            "other number in its place.",
            (
                lambda ids, pad: (
                    ids[:, :-1],
                    ids[:, 1:].masked_fill(ids[:, 1:] == pad, -100),
                    ids[:, 1:] != pad,
                ),
                lambda ids, pad: (
                    ids[:, :-1].masked_fill(ids[:, 1:] == pad, pad),
                    ids[:, 1:],
                    ids[:, 1:] != pad,
                ),
            ),
        ),
        mistakes.IDS_BY_HEART.explained(
            "The padding isn't 0 in every vocabulary. Which number it has, `pad` tells you.",
            _with(lambda inputs, targets, pad: targets != 0),
            _with(lambda inputs, targets, pad: targets > 0),
        ),
        mistakes.NOT_A_TENSOR.explained(
            "Three tensors are asked for. Lists can't be handed to a model, nor can `valid` pick rows out of logits: "
            "`torch.tensor(...)` makes a tensor of a list.",
            lambda ids, pad: tuple(tensor.tolist() for tensor in _right(ids, pad)),
            lambda ids, pad: [tensor.tolist() for tensor in _right(ids, pad)],
        ),
        mistakes.WRITES_INTO_ARGUMENTS.row(overwriting(0)(_right_copies), arguments="ids"),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(_right)),
        mistakes.SMALL_SIZES_ONLY.row(stopping_at_64(_right)),
        mistakes.nothing_returned(),
    ),
)
