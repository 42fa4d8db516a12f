"""`sequence_cross_entropy`: what a right answer does, and the mistakes that people make."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import (
    GRADIENT,
    at_any_size,
    changed_arguments,
    clones,
    each_for_itself,
    equals,
    gradient,
    leaves_arguments_alone,
    output,
    right_gradient,
)
from helpers.checks.spoiling import remembering


def _loss_oracle(logits: Tensor, targets: Tensor, valid_lens: Tensor) -> Tensor:
    """Differentiable; the result has the logits' type."""
    losses = []
    for row, ids, length in zip(logits.double(), targets.tolist(), valid_lens.tolist(), strict=True):
        for step in range(length):
            losses.append(row[step].exp().sum().log() - row[step, ids[step]])
    return (sum(losses) / len(losses)).to(logits.dtype)


def _loss_case(logits: Tensor, targets: Tensor, valid_lens: Tensor) -> Case:
    return Case((logits, targets, valid_lens), _loss_oracle(logits, targets, valid_lens))


def _drawn_loss(draw: Draw, sizes: tuple[int, int, int], lengths: list[int] | None = None, scale: float = 2.0) -> Case:
    """A case with `sizes` (batch, length, vocabulary)."""
    batch, length, vocab_size = sizes
    valid_lens = torch.tensor(lengths or [length] * batch)
    return _loss_case(draw.normal(*sizes, scale=scale), draw.integers(0, vocab_size - 1, batch, length), valid_lens)


def _one_token(draw: Draw) -> Iterator[Case]:
    yield _loss_case(torch.tensor([[[2.0, 0.0, 1.0]]]), torch.tensor([[1]]), torch.tensor([1]))
    yield _drawn_loss(draw, (1, 1, 4))


def _whole_strings(draw: Draw) -> Iterator[Case]:
    yield _drawn_loss(draw, (1, 3, 4))
    yield _drawn_loss(draw, (2, 3, 3))
    yield _drawn_loss(draw, (3, 3, 3))
    yield _drawn_loss(draw, (3, 2, 5))
    # `<eos>` is a token to be written, like any other.
    yield _loss_case(draw.normal(2, 3, 4), torch.tensor([[1, 0, 2], [0, 0, 3]]), torch.tensor([3, 3]))


def _padded_strings(draw: Draw) -> Iterator[Case]:
    yield _drawn_loss(draw, (1, 3, 3), [2])
    yield _drawn_loss(draw, (3, 4, 3), [2, 2, 2])
    yield _drawn_loss(draw, (4, 5, 6), [3, 3, 3, 3])


def _unequal_strings(draw: Draw) -> Iterator[Case]:
    yield _drawn_loss(draw, (2, 3, 3), [1, 3])
    yield _drawn_loss(draw, (3, 3, 3), [2, 1, 3])
    yield _drawn_loss(draw, (2, 9, 4), [8, 1])
    yield _drawn_loss(draw, (4, 6, 5), [2, 5, 1, 3])


def _loud_strings(draw: Draw) -> Iterator[Case]:
    for lengths in ([1, 3], [2, 4]):
        for loudness in (1e4, -1e4):
            case = _drawn_loss(draw, (2, 4, 3), lengths)
            logits, targets, _ = case.args
            for row, length in enumerate(lengths):
                logits[row, length:, 0] = loudness
                targets[row, length:] = 2 - row
            yield Case(case.args, case.want)


def _sure_models(draw: Draw) -> Iterator[Case]:
    for size in (150.0, 60.0):
        logits = torch.tensor([[[size, -size, 0.0], [-size, size, 0.0]]])
        want = torch.tensor(size + size / 2)  # 2 · size for one token, size for the other
        yield Case((logits, torch.tensor([[1, 2]]), torch.tensor([2])), want)


def _large_batches(draw: Draw) -> Iterator[Case]:
    yield _drawn_loss(draw, (2, 67, 3), [13, 67])
    yield _drawn_loss(draw, (67, 5, 4), draw.integers(1, 5, 67).tolist())
    yield _drawn_loss(draw, (2, 3, 131), [3, 2])


def _losses_in_turn(draw: Draw) -> Iterator[Case]:
    yield _drawn_loss(draw, (2, 3, 3), [1, 3])
    yield _drawn_loss(draw, (3, 4, 5), [2, 4, 1])


def _loss_arguments(draw: Draw) -> Iterator[Case]:
    yield Case(_drawn_loss(draw, (2, 3, 4), [2, 1]).args, ("logits", "targets", "valid_lens"))


def _loss_gradients(draw: Draw) -> Iterator[Case]:
    for sizes, lengths in (((2, 2, 3), [2, 1]), ((3, 4, 5), [1, 4, 2])):
        args = _drawn_loss(draw, sizes, lengths).args
        yield Case(args, gradient(_loss_oracle, clones(args)))


def _loss_types(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        logits, targets, valid_lens = _drawn_loss(draw, (2, 3, 4), [3, 1], scale=1.0).args
        yield _loss_case(logits.to(dtype), targets, valid_lens)


def _shape(answer: Callable, args: tuple) -> tuple[int, ...] | str:
    """Observe the shape of what the answer returns, or what it is if it is no tensor."""
    result = answer(*args)
    return tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__


def _is_single(got: tuple[int, ...] | str, want: Any) -> str | None:
    if isinstance(got, tuple):
        return f"its shape is {got}, and should be (), that of a single number" if got else None
    return "it gave None" if got == "NoneType" else f"it gave a {got}, not a tensor"


def _keep(targets: Tensor, valid_lens: Tensor) -> Tensor:
    return torch.arange(targets.shape[1]) < valid_lens.unsqueeze(1)


def _token_losses(logits: Tensor, targets: Tensor) -> Tensor:
    return -logits.log_softmax(-1).gather(2, targets.unsqueeze(2)).squeeze(2)


def _right_loss(logits, targets, valid_lens):
    return _token_losses(logits, targets)[_keep(targets, valid_lens)].mean()


def _loss_by(losses: Callable) -> Callable:
    """The right mean of other losses of the tokens."""
    return lambda logits, targets, valid_lens: losses(logits, targets)[_keep(targets, valid_lens)].mean()


def _reduced(reduce: Callable) -> Callable:
    """The right losses of the tokens, another result made of them; `keep` is True at real tokens."""
    return lambda logits, targets, valid_lens: reduce(_token_losses(logits, targets), _keep(targets, valid_lens))


def _with_lengths(lengths: Callable) -> Callable:
    """The right loss of other lengths."""
    return lambda logits, targets, valid_lens: _right_loss(logits, targets, lengths(valid_lens, targets.shape[1]))


def _probability(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.softmax(-1).gather(2, targets.unsqueeze(2)).squeeze(2)


def _zeroed_logits(logits, targets, valid_lens):
    return _token_losses(logits * _keep(targets, valid_lens).unsqueeze(2), targets).mean()


def _mean_without(ignored: int) -> Callable:
    """PyTorch's mean with an index that isn't counted, whatever the lengths are."""
    return lambda logits, targets, valid_lens: nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=ignored
    )


def _padding_as_eos(logits, targets, valid_lens):
    marked = targets.masked_fill(~_keep(targets, valid_lens), 0)
    return nn.functional.cross_entropy(logits.flatten(0, 1), marked.flatten(), ignore_index=0)


def _overwriting(position: int) -> Callable:
    def overwrite(logits, targets, valid_lens):
        loss, padding = _right_loss(logits, targets, valid_lens), ~_keep(targets, valid_lens)
        with torch.no_grad():
            if position < 2:
                (logits, targets)[position][padding] = -100
            else:
                valid_lens -= 1
        return loss

    return overwrite


EXERCISE = Exercise(
    name="sequence_cross_entropy",
    arguments=("logits", "targets", "valid_lens"),
    properties=(
        Property("gives a single number, as a tensor", _unequal_strings, _shape, _is_single),
        Property("one token costs −log of the probability that it was given", _one_token, output, equals),
        Property("several tokens, all real: their mean", _whole_strings, output, equals),
        Property("tokens beyond a string's length don't count", _padded_strings, output, equals),
        Property(
            "strings of unequal length: every real token of the batch counts the same",
            _unequal_strings,
            output,
            equals,
            suggests="mean-of-means",
        ),
        Property("whatever lies in the padding makes no difference", _loud_strings, output, equals),
        Property(
            "a sure mistake costs much, but not infinitely much",
            _sure_models,
            output,
            equals,
            suggests="log-of-softmax",
        ),
        Property(
            "leaves its arguments as they were",
            _loss_arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "its gradient is right, and zero in the padding",
            _loss_gradients,
            gradient,
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "keeps the type: float16, bfloat16 and float64 work", _loss_types, output, equals, suggests="type-changed"
        ),
        each_for_itself(_losses_in_turn),
        at_any_size(_large_batches),
    ),
    misconceptions=(
        mistakes.DIVIDES_BY_PADDED_LENGTH.explained(
            "The padding is left out of the sum, but it is still counted: the more padding a batch has, the smaller "
            "its loss, and the shorter its step. How many tokens did you add up?",
            _reduced(lambda losses, keep: (losses * keep).mean()),
            _reduced(lambda losses, keep: (losses * keep).mean(1).mean()),
        ),
        mistakes.MEAN_OF_MEANS.explained(
            "Then a token of a short string weighs more than one of a long string. Every real token of the batch "
            "should count the same: one sum, one division.",
            *(_reduced(lambda losses, keep: ((losses * keep).sum(1) / keep.sum(1)).mean()),),
        ),
        mistakes.PADDING_COUNTED.explained(
            "`valid_lens` has no effect. The model would be trained to write the padding, which is easy, "
            "and its loss would look better than it is.",
            _reduced(lambda losses, keep: losses.mean()),
        ),
        mistakes.SOFTMAX_FIRST.row(
            *(
                lambda logits, targets, valid_lens: _right_loss(logits.softmax(-1), targets, valid_lens),
                lambda logits, targets, valid_lens: _right_loss(logits.sigmoid(), targets, valid_lens),
            ),
        ),
        Misconception(
            "zeroes-the-logits",
            "the padding's logits are set to 0",
            "Logits of 0 are no absence of a loss: they give every token the same probability, and cost "
            "log(vocabulary). Leave out the padding's *losses*.",
            (
                _zeroed_logits,
                lambda logits, targets, valid_lens: (
                    _token_losses(logits * _keep(targets, valid_lens).unsqueeze(2), targets).sum() / valid_lens.sum()
                ),
            ),
        ),
        mistakes.SUM_FOR_MEAN.explained(
            "A mean is the sum divided by how many were added: here the real *tokens*, not the strings. Otherwise "
            "a longer string, or a larger batch, would mean a larger step.",
            _reduced(lambda losses, keep: losses[keep].sum()),
            _reduced(lambda losses, keep: losses[keep].sum() / losses.shape[1]),
            _reduced(lambda losses, keep: losses[keep].sum() / len(losses)),
            _reduced(lambda losses, keep: (losses * keep).sum(1).max()),
        ),
        Misconception(
            "not-a-single-number",
            "what comes back isn't a single number",
            "Training goes down *one* number: the mean over the whole batch, a tensor without axes.",
            (
                _reduced(lambda losses, keep: losses),
                _reduced(lambda losses, keep: losses * keep),
                _reduced(lambda losses, keep: losses[keep]),
                _reduced(lambda losses, keep: (losses * keep).sum(1) / keep.sum(1)),
                _reduced(lambda losses, keep: losses[keep].mean().reshape(1)),
                _reduced(lambda losses, keep: (losses * keep).mean(1)),
                _reduced(lambda losses, keep: (losses * keep).sum(1)),
            ),
        ),
        Misconception(
            "python-number",
            "a Python number comes back",
            "`.item()` makes a number of a tensor, and a number has no gradient: nothing could be trained with it.",
            (_reduced(lambda losses, keep: losses[keep].mean().item()),),
        ),
        Misconception(
            "eos-ignored",
            "`<eos>` is left out wherever it stands",
            "Token 0 ends a string, and the model has to learn when to write it. What is padding is said by "
            "`valid_lens` alone: there may be other tokens in it.",
            (
                _mean_without(0),
                _padding_as_eos,
                lambda logits, targets, valid_lens: _token_losses(logits, targets)[
                    _keep(targets, valid_lens) & (targets != 0)
                ].mean(),
                lambda logits, targets, valid_lens: (
                    (_token_losses(logits, targets) * (_keep(targets, valid_lens) & (targets != 0))).sum()
                    / valid_lens.sum()
                ),
            ),
        ),
        mistakes.INVERTED_MASK.explained(
            "The mask is the wrong way round: True means *keep*.",
            _reduced(lambda losses, keep: losses[~keep].mean()),
            _reduced(lambda losses, keep: (losses * ~keep).sum() / (~keep).sum()),
            _reduced(lambda losses, keep: (losses * ~keep).sum() / keep.sum()),
        ),
        mistakes.OFF_BY_ONE.row(
            _with_lengths(lambda lens, length: lens + 1), _with_lengths(lambda lens, length: lens - 1), what="tokens"
        ),
        mistakes.ONE_LENGTH_FOR_ALL.row(
            _with_lengths(lambda lens, length: lens[:1].expand_as(lens)),
            _with_lengths(lambda lens, length: lens.max().expand_as(lens)),
            _with_lengths(lambda lens, length: lens.min().expand_as(lens)),
            sequence="string",
        ),
        mistakes.MINUS_MISSING.explained(
            "The log of a probability is negative, and the loss is its *negative*: it gets smaller as the model gets "
            "better.",
            _reduced(lambda losses, keep: -losses[keep].mean()),
        ),
        Misconception(
            "no-logarithm",
            "the logarithm is missing",
            "The loss of a token is −log of its probability. A probability alone, or 1 minus it, hardly tells a bad "
            "prediction from a very bad one. And a logit alone isn't a probability.",
            (
                _loss_by(_probability),
                _loss_by(lambda logits, targets: -_probability(logits, targets)),
                _loss_by(lambda logits, targets: 1 - _probability(logits, targets)),
                _loss_by(lambda logits, targets: -logits.gather(2, targets.unsqueeze(2)).squeeze(2)),
            ),
        ),
        Misconception(
            "another-unit",
            "the loss is in another unit",
            "The logarithm is the natural one, so the loss is in nats: not the base-2 logarithm (bits), and not the "
            "exponential of the loss (the perplexity).",
            (
                _loss_by(lambda logits, targets: _token_losses(logits, targets) / math.log(2)),
                lambda logits, targets, valid_lens: _right_loss(logits, targets, valid_lens).exp(),
            ),
        ),
        mistakes.SOFTMAX_OVER_WRONG_AXIS.explained(
            "The vocabulary is the last axis of (batch, length, vocabulary): the probabilities of *its* entries sum "
            "to 1. `cross_entropy` expects it as axis 1, and a reshape doesn't bring it there.",
            _loss_by(lambda logits, targets: -logits.log_softmax(1).gather(2, targets.unsqueeze(2)).squeeze(2)),
            _loss_by(lambda logits, targets: -logits.log_softmax(0).gather(2, targets.unsqueeze(2)).squeeze(2)),
            _loss_by(
                lambda logits, targets: nn.functional.cross_entropy(
                    logits.reshape(logits.shape[0], logits.shape[2], logits.shape[1]), targets, reduction="none"
                )
            ),
            _loss_by(lambda logits, targets: nn.functional.cross_entropy(logits, targets, reduction="none")),
            lambda logits, targets, valid_lens: nn.functional.cross_entropy(logits, targets),
        ),
        Misconception(
            "log-of-softmax",
            "a small probability becomes 0 before the logarithm",
            "In floating point a softmax gives exactly 0 to what is far behind, and the log of 0 is −∞ (or whatever a "
            "small number added to it makes of it); the exponential of a large logit overflows. `log_softmax`, "
            "`logsumexp` and `cross_entropy` take both steps in one, and keep the number.",
            (
                _loss_by(lambda logits, targets: -_probability(logits, targets).log()),
                _loss_by(lambda logits, targets: -(_probability(logits, targets) + 1e-9).log()),
                _loss_by(lambda logits, targets: -(_probability(logits, targets) + 1e-8).log()),
                _loss_by(lambda logits, targets: -(_probability(logits, targets) + 1e-12).log()),
                _loss_by(
                    lambda logits, targets: (
                        logits.exp().sum(-1).log() - logits.gather(2, targets.unsqueeze(2)).squeeze(2)
                    )
                ),
                _loss_by(
                    lambda logits, targets: (
                        -(logits.exp() / logits.exp().sum(-1, keepdim=True))
                        .gather(2, targets.unsqueeze(2))
                        .squeeze(2)
                        .log()
                    )
                ),
            ),
        ),
        mistakes.WRITES_INTO_ARGUMENTS.explained(
            "The loss is right, but the caller's tensors are no longer what they were. Marking the padding by an "
            "assignment writes in place: `masked_fill` and `where` make a new tensor.",
            _overwriting(0),
            _overwriting(1),
            _overwriting(2),
        ),
        mistakes.DETACHED_GRADIENT.explained(
            "The number is right, but it isn't connected to the logits, so nothing can be learned from it: "
            "`.detach()`, `.data`, `torch.tensor(...)` and `torch.no_grad()` all cut the connection.",
            lambda logits, targets, valid_lens: _right_loss(logits.detach(), targets, valid_lens),
            lambda logits, targets, valid_lens: _right_loss(logits.detach(), targets, valid_lens).requires_grad_(),
        ),
        mistakes.TYPE_CHANGED.explained(
            "The loss has the logits' type: float16 in, float16 out. A float32 mask times float16 losses gives "
            "float32.",
            lambda logits, targets, valid_lens: _right_loss(logits.float(), targets, valid_lens),
            lambda logits, targets, valid_lens: _right_loss(logits.double(), targets, valid_lens),
            _reduced(lambda losses, keep: (losses * keep.float()).sum() / keep.float().sum()),
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(_right_loss)),
        mistakes.SMALL_SIZES_ONLY.row(
            lambda logits, targets, valid_lens: _right_loss(logits, targets, valid_lens.clamp(max=64)),
            lambda logits, targets, valid_lens: _right_loss(logits[:64], targets[:64], valid_lens[:64]),
        ),
        mistakes.nothing_returned(),
    ),
)
