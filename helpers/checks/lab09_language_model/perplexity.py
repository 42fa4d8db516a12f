"""`perplexity`: what a right answer does, and the mistakes that people make."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import at_any_size, changed_arguments, each_for_itself, leaves_arguments_alone, number
from helpers.checks.spoiling import overwriting, remembering

_CLOSE = 2e-3  # relative: the exponential turns the rounding of a mean of 60 nats into a share of that size


def _oracle(logits: Tensor, targets: Tensor, valid: Tensor) -> float:
    """Token by token, in float64."""
    losses = [
        row[step].logsumexp(0) - row[step, target]
        for row, ids, real in zip(logits.double(), targets.tolist(), valid.tolist(), strict=True)
        for step, target in enumerate(ids)
        if real[step]
    ]
    return math.exp(float(sum(losses)) / len(losses))


def _case(logits: Tensor, targets: Tensor, valid: Tensor) -> Case:
    return Case((logits, targets, valid), _oracle(logits, targets, valid))


def _drawn(draw: Draw, sizes: tuple[int, int, int], lengths: list[int] | None = None) -> Case:
    """A case with `sizes` (batch, length, vocabulary), whose rows have so many tokens that count."""
    batch, length, vocab_size = sizes
    valid = torch.arange(length) < torch.tensor(lengths or [length] * batch).unsqueeze(1)
    return _case(draw.normal(*sizes), draw.integers(0, vocab_size - 1, batch, length), valid)


def _one_token(draw: Draw) -> Iterator[Case]:
    yield _case(torch.zeros(1, 1, 4), torch.tensor([[2]]), torch.tensor([[True]]))  # one of four, all alike: 4
    yield _drawn(draw, (1, 1, 5))


def _whole_rows(draw: Draw) -> Iterator[Case]:
    yield _drawn(draw, (1, 3, 4))
    yield _drawn(draw, (2, 3, 3))
    yield _drawn(draw, (3, 2, 5))


def _padded(draw: Draw) -> Iterator[Case]:
    yield _drawn(draw, (1, 4, 3), [2])
    yield _drawn(draw, (3, 5, 4), [2, 2, 2])


def _unequal(draw: Draw) -> Iterator[Case]:
    yield _drawn(draw, (2, 3, 3), [1, 3])
    yield _drawn(draw, (2, 9, 4), [8, 1])
    yield _drawn(draw, (4, 6, 5), [2, 5, 1, 3])


def _anywhere(draw: Draw) -> Iterator[Case]:
    """What counts may lie anywhere, and a row may have nothing that does."""
    for sizes in ((2, 4, 3), (3, 5, 4)):
        logits, targets, _ = _drawn(draw, sizes).args
        valid = draw.integers(0, 1, *sizes[:2]).bool()
        valid[0], valid[1, 0], valid[1, -1] = False, False, True
        yield _case(logits, targets, valid)


def _zero_is_a_token(draw: Draw) -> Iterator[Case]:
    yield _case(draw.normal(2, 3, 4), torch.tensor([[1, 0, 2], [0, 0, 3]]), torch.ones(2, 3, dtype=torch.bool))


def _loud_padding(draw: Draw) -> Iterator[Case]:
    for loudness in (1e4, -1e4):
        logits, targets, valid = _drawn(draw, (2, 4, 3), [1, 3]).args
        logits[..., 0] = logits[..., 0].masked_fill(~valid, loudness)
        yield _case(logits, targets.masked_fill(~valid, 2), valid)


def _sure_models(draw: Draw) -> Iterator[Case]:
    """Sure mistakes: a mean of 60 nats, of which one token may have 120."""
    logits = torch.tensor([[[60.0, -60.0, 0.0], [60.0, 0.0, -60.0]]])
    yield _case(logits, torch.tensor([[1, 0]]), torch.ones(1, 2, dtype=torch.bool))
    yield _case(torch.tensor([[[300.0, 240.0, 0.0]]]), torch.tensor([[1]]), torch.tensor([[True]]))


def _large(draw: Draw) -> Iterator[Case]:
    yield _drawn(draw, (2, 67, 3), [13, 67])
    yield _drawn(draw, (67, 5, 4), draw.integers(1, 5, 67).tolist())
    yield _drawn(draw, (2, 3, 131), [3, 2])


def _arguments(draw: Draw) -> Iterator[Case]:
    yield Case(_drawn(draw, (2, 3, 4), [2, 1]).args, ("logits", "targets", "valid"))


def _result(answer: Callable, args: tuple) -> Any:
    """Observe a number, or what it is if it is none."""
    result = answer(*args)
    if not isinstance(result, int | float) and not (isinstance(result, Tensor) and result.numel() == 1):
        return _kind(result)
    return "NaN" if math.isnan(float(result)) else float(result)


def _kind(result: Any) -> str:
    if result is None:
        return "None"
    return f"a tensor of shape {tuple(result.shape)}" if isinstance(result, Tensor) else f"a {type(result).__name__}"


def _near(got: Any, want: float) -> str | None:
    if isinstance(got, str):
        return f"it gave {got}, not a number"
    if math.isclose(got, want, rel_tol=_CLOSE):
        return None
    return f"it gave {number(float(got))}, and should have given {number(want)}"


def _type(answer: Callable, args: tuple) -> str:
    result = answer(*args)
    return "float" if isinstance(result, float) else _kind(result)


def _is_float(got: str, want: Any) -> str | None:
    return None if got == "float" else f"it gave {got}, and should give a plain Python float"


def _losses(logits: Tensor, targets: Tensor) -> Tensor:
    return -logits.log_softmax(-1).gather(2, targets.unsqueeze(2)).squeeze(2)


def _of(reduce: Callable[[Tensor, Tensor], Tensor], losses: Callable = _losses) -> Callable:
    """A number made of the tokens' losses (batch, length), and of where they count."""
    return lambda logits, targets, valid: float(reduce(losses(logits, targets), valid))


def _mean(losses: Tensor, valid: Tensor) -> Tensor:
    return losses[valid].mean()


def _right(logits: Tensor, targets: Tensor, valid: Tensor) -> float:
    return float(_losses(logits, targets)[valid].mean().exp())


def _stopping(logits: Tensor, targets: Tensor, valid: Tensor) -> float:
    return _right(logits[:64, :64, :64], targets[:64, :64].clamp(max=63), valid[:64, :64])


def _shifted_again(logits: Tensor, targets: Tensor, valid: Tensor) -> float:
    return _right(logits[:, :-1], targets[:, 1:], valid[:, 1:])


def _rows_mean(losses: Tensor, valid: Tensor) -> Tensor:
    return (losses * valid).sum(1) / valid.sum(1)


EXERCISE = Exercise(
    name="perplexity",
    arguments=("logits", "targets", "valid"),
    properties=(
        Property("gives a plain float", _whole_rows, _type, _is_float),
        Property("of one token: 1 / the probability that it was given", _one_token, _result, _near),
        Property("of several tokens: exp of the mean of −log p", _whole_rows, _result, _near),
        Property("tokens that aren't valid don't count", _padded, _result, _near),
        Property("rows of unequal length: every valid token of the batch counts the same", _unequal, _result, _near),
        Property("what counts may lie anywhere, and a row may have nothing that does", _anywhere, _result, _near),
        Property("token 0 is a token like any other", _zero_is_a_token, _result, _near, suggests="ids-by-heart"),
        Property("whatever lies in the padding makes no difference", _loud_padding, _result, _near),
        Property(
            "a sure mistake costs much, but not infinitely much", _sure_models, _result, _near, suggests="log-of-zero"
        ),
        Property(
            "leaves its arguments as they were",
            _arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        each_for_itself(_whole_rows, _result, judge=_near),
        at_any_size(_large, _result, _near),
    ),
    misconceptions=(
        mistakes.PADDING_COUNTED.explained(
            "`valid` has no effect. Padding is easy to predict, or never was: either way the number is about "
            "something else than the text.",
            _of(lambda losses, valid: losses.mean().exp()),
        ),
        mistakes.DIVIDES_BY_PADDED_LENGTH.explained(
            "The padding is left out of the sum, and still counted in the division: the more padding, the better the "
            "model looks. How many losses did you add up?",
            _of(lambda losses, valid: (losses * valid).mean().exp()),
        ),
        Misconception(
            "mean-of-perplexities",
            "each row's perplexity is taken first, then the mean of these",
            "One row that the model finds hard would then outweigh all the others, as the exponential blows it up. "
            "The mean is taken of the −log p, of all tokens together, and the exponential of that one mean.",
            (
                _of(lambda losses, valid: _rows_mean(losses, valid).exp().mean()),
                _of(lambda losses, valid: _rows_mean(losses, valid)[valid.any(1)].exp().mean()),
            ),
        ),
        Misconception(
            "mean-of-the-tokens-perplexities",
            "the mean is taken of 1/p, not of −log p",
            "exp(−log p) is 1/p, and the mean of these is another number: a single token of probability 0.001 would "
            "count for a thousand. First the mean of the logarithms, then the exponential.",
            (_of(lambda losses, valid: losses[valid].exp().mean()),),
        ),
        mistakes.MEAN_OF_MEANS.explained(
            "A token of a short row would weigh more than one of a long row. Every valid token of the batch counts "
            "the same: one sum, one division.",
            *(
                _of(lambda losses, valid: _rows_mean(losses, valid).mean().exp()),
                _of(lambda losses, valid: _rows_mean(losses, valid)[valid.any(1)].mean().exp()),
            ),
        ),
        Misconception(
            "two-to-the-power",
            "2 is raised to a number of nats, or e to one of bits",
            "2 goes with logarithms to base 2, e with natural ones, which is what PyTorch's losses are made of. Mixed, "
            "the number means nothing.",
            (
                _of(lambda losses, valid: 2 ** _mean(losses, valid)),
                _of(lambda losses, valid: (_mean(losses, valid) / math.log(2)).exp()),
            ),
        ),
        mistakes.SOFTMAX_FIRST.row(
            *(
                lambda logits, targets, valid: _right(logits.softmax(-1), targets, valid),
                lambda logits, targets, valid: _right(logits.sigmoid(), targets, valid),
            ),
        ),
        Misconception(
            "log-of-zero",
            "the probability is rounded to 0 before its logarithm is taken",
            "Where the model is sure and wrong, the probability of the right token is too small for a float, and its "
            "logarithm is −∞ (or whatever a small number added to it makes of it). `log_softmax` and `cross_entropy` "
            "never form that probability.",
            (
                _of(
                    lambda losses, valid: _mean(losses, valid).exp(),
                    lambda logits, targets: -(logits.softmax(-1).gather(2, targets.unsqueeze(2)).squeeze(2).log()),
                ),
                _of(
                    lambda losses, valid: _mean(losses, valid).exp(),
                    lambda logits, targets: (
                        -((logits.softmax(-1).gather(2, targets.unsqueeze(2)).squeeze(2) + 1e-9).log())
                    ),
                ),
                _of(
                    lambda losses, valid: _mean(losses, valid).exp(),
                    lambda logits, targets: (
                        logits.exp().sum(-1).log() - logits.gather(2, targets.unsqueeze(2)).squeeze(2)
                    ),
                ),
            ),
        ),
        Misconception(
            "loss-for-perplexity",
            "it is the loss, not the perplexity",
            "The mean of −log p is the loss, in nats. The perplexity is its exponential: between how many equally "
            "likely tokens the model seems to choose.",
            (_of(_mean),),
        ),
        mistakes.SUM_FOR_MEAN.explained(
            "The exponential is taken of the *sum* of the −log p, so that a longer text always looks worse. It is "
            "their mean.",
            _of(lambda losses, valid: losses[valid].sum().exp()),
            _of(lambda losses, valid: (losses[valid].sum() / len(losses)).exp()),
            _of(lambda losses, valid: (losses[valid].sum() / losses.shape[1]).exp()),
        ),
        mistakes.MINUS_MISSING.explained(
            "A perplexity below 1 would mean choosing among less than one token. The logarithm of a probability is "
            "negative: which sign goes into the exponential?",
            _of(lambda losses, valid: (-_mean(losses, valid)).exp()),
        ),
        Misconception(
            "likeliest-for-target",
            "it looks at the likeliest token, not at the target",
            "How sure a model is says nothing of whether it is right: the perplexity asks how likely the model found "
            "the token that *did* come. Yours never looks at `targets`, or only at what was predicted.",
            (
                _of(
                    lambda losses, valid: _mean(losses, valid).exp(),
                    lambda logits, targets: -logits.log_softmax(-1).amax(-1),
                ),
            ),
        ),
        mistakes.INVERTED_MASK.explained(
            "`valid` is True where a token counts. Yours keeps the others.",
            _of(lambda losses, valid: losses[~valid].mean().exp()),
            _of(lambda losses, valid: losses.masked_fill(valid, 0).sum().div((~valid).sum()).exp()),
        ),
        Misconception(
            "shifted-once-more",
            "the targets are shifted once more",
            "The targets that come in are shifted already: the logits at a position and the target at the same "
            "position belong together.",
            (_shifted_again,),
        ),
        Misconception(
            "lengths-from-valid",
            "`valid` is taken for a number of tokens at the start of a row",
            "`valid` says of each token by itself whether it counts; those that do needn't come first.",
            (
                lambda logits, targets, valid: _right(
                    logits, targets, torch.arange(valid.shape[1]) < valid.sum(1, keepdim=True)
                ),
            ),
        ),
        mistakes.IDS_BY_HEART.explained(
            "Token 0 may be a word. What is padding, `valid` tells you.",
            lambda logits, targets, valid: _right(logits, targets, valid & (targets != 0)),
            lambda logits, targets, valid: _right(logits, targets, targets != 0),
        ),
        mistakes.NOT_A_FLOAT.row(
            lambda logits, targets, valid: _losses(logits, targets)[valid].mean().exp(),
        ),
        Misconception(
            "one-number-a-row",
            "there is more than one number",
            "All valid tokens of the batch together have one perplexity.",
            (
                lambda logits, targets, valid: _rows_mean(_losses(logits, targets), valid).exp(),
                lambda logits, targets, valid: _losses(logits, targets).exp(),
                lambda logits, targets, valid: _losses(logits, targets)[valid].exp(),
            ),
        ),
        mistakes.WRITES_INTO_ARGUMENTS.row(*(overwriting(i)(_right) for i in range(3)), arguments="tensors"),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(_right)),
        mistakes.SMALL_SIZES_ONLY.row(_stopping),
        mistakes.nothing_returned(),
    ),
)
