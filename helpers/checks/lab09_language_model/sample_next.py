"""`sample_next`: what a right answer does."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from helpers.checks.chance import DRAWS_FROM_GENERATOR, Estimates, Seeded, call, judge_repeatable, repeatable
from helpers.checks.engine import CannotObserve, Case, Draw, Exercise, Property
from helpers.checks.judging import (
    at_any_size,
    changed_arguments,
    each_for_itself,
    has_shape,
    leaves_arguments_alone,
    number,
    short,
)
from helpers.checks.lab09_language_model.sample_next_mistakes import MISTAKES

_ROWS = 1200  # that are drawn for, to see how often each token comes
_FEWER = 300  # where a mistake shows sooner
_SIGMAS = 6


def _seeded(draw: Draw) -> Seeded:
    return Seeded(int(draw.integers(0, 9999, 1)))


def _shares(row: list[float], temperature: float, top_k: int | None) -> list[float]:
    """How often tokens are drawn by right, the least likely first; tokens of one logit are told together."""
    kept = sorted(row, reverse=True)[:top_k]
    exps = [math.exp((logit - max(row)) / temperature) for logit in kept]
    return [
        sum(e for logit, e in zip(kept, exps, strict=True) if logit == value) / sum(exps) for value in sorted(set(row))
    ]


def _drawn(draw: Draw, rows: list[list[float]], *others: Any, count: int = _ROWS) -> Case:
    """A case with each of these rows many times, in turns: `count` rows in all.

    Wanted are how many there are of each, and the shares of the tokens, row after row in sorted order.
    """
    each = count // len(rows)
    temperature, top_k = others or (1.0, None)
    args = (torch.tensor(rows).repeat(each, 1), *others, *([_seeded(draw)] if others else []))
    return Case(args, (each, [share for row in sorted(rows) for share in _shares(row, temperature, top_k)]))


_ROW = [1.0, -1.0, 2.0, 0.0]
_LOW = [-2.0, -2.8, -1.0, -2.6, -2.4]  # where a 0 would be the largest


def _plainly(draw: Draw) -> Iterator[Case]:
    yield _drawn(draw, [_ROW], 1.0, None)


def _of_two_kinds(draw: Draw) -> Iterator[Case]:
    yield _drawn(draw, [_ROW, [0.5, 3.0, -2.0, 1.5]], 1.0, None)


def _warmer_and_colder(draw: Draw) -> Iterator[Case]:
    yield _drawn(draw, [_ROW], 0.5, None)
    yield _drawn(draw, [_ROW], 3.0, None, count=_FEWER)


def _of_the_likeliest(draw: Draw) -> Iterator[Case]:
    for row, top_k in ((_LOW, 2), (_LOW, 1), (_ROW, 4)):
        yield _drawn(draw, [row], 1.0, top_k, count=_FEWER)
    yield _drawn(draw, [_LOW, [-0.5, -1.2, -2.6, -2.0, -2.2]], 1.0, 2)


def _tied(draw: Draw) -> Iterator[Case]:
    yield _drawn(draw, [[1.0, 2.0, 1.0, 1.0]], 1.0, 2)


def _both(draw: Draw) -> Iterator[Case]:
    yield _drawn(draw, [_ROW], 3.0, 3, count=_FEWER)


def _by_default(draw: Draw) -> Iterator[Case]:
    yield _drawn(draw, [_ROW])


def _huge(draw: Draw) -> Iterator[Case]:
    yield _drawn(draw, [[1000.0, 0.0, 999.0]], 1.0, None, count=_FEWER)
    yield _drawn(draw, [[-999.0, -1000.0, -2000.0]], 1.0, 2, count=_FEWER)
    yield _drawn(draw, [[3.0, 1.0, 2.0]], 0.001, None, count=_FEWER)


def _likeliest(logits: Tensor) -> Tensor:
    return torch.tensor([max(range(len(row)), key=row.__getitem__) for row in logits.tolist()])


def _sure(draw: Draw) -> Iterator[Case]:
    for batch, vocab_size in ((1, 3), (3, 5), (5, 8)):
        for temperature, top_k in ((0.0, None), (0.0, 2), (0, None)):
            logits = draw.normal(batch, vocab_size) + torch.arange(vocab_size) / 1000  # no two alike
            yield Case((logits, temperature, top_k, _seeded(draw)), _likeliest(logits))


def _certain(draw: Draw) -> Iterator[Case]:
    """One logit of each row is far above the others, so that every draw gives its token."""
    for batch, vocab_size in ((1, 4), (4, 3), (3, 3)):
        logits = draw.normal(batch, vocab_size)
        want = draw.integers(0, vocab_size - 1, batch)
        yield Case((logits.scatter(1, want.unsqueeze(1), 100.0), 1.0, None, _seeded(draw)), want)


def _shape_cases(draw: Draw) -> Iterator[Case]:
    for batch, top_k in ((1, None), (3, 2), (4, None)):
        logits = draw.normal(batch, 4)
        yield Case((logits, 1.0, top_k, _seeded(draw)), torch.zeros(batch, dtype=torch.int64))


def _large(draw: Draw) -> Iterator[Case]:
    for batch, vocab_size, top_k in ((131, 5, None), (2, 1031, 67), (67, 71, None)):
        logits = draw.normal(batch, vocab_size)
        want = draw.integers(0, vocab_size - 1, batch)
        logits = logits.scatter(1, want.unsqueeze(1), 100.0)
        yield Case((logits, 0.0, top_k, _seeded(draw)), want)
        yield Case((logits, 1.0, top_k, _seeded(draw)), want)
    for top_k in (70, None):  # 70 of 80 tokens can come, all alike: those with the numbers 10 to 79
        yield _drawn(draw, [[-9.0] * 10 + [0.0] * 70], 1.0, top_k, count=_FEWER)


def _repeated(draw: Draw) -> Iterator[Case]:
    yield Case((draw.normal(64, 50, scale=0.5), 1.0, None, _seeded(draw)), None)
    yield Case((draw.normal(64, 50, scale=0.5), 2.0, 20, _seeded(draw)), None)


def _rows_alike(draw: Draw) -> Iterator[Case]:
    yield Case((draw.normal(1, 50, scale=0.3).repeat(64, 1), 1.0, None, _seeded(draw)), True)


def _without_generator(draw: Draw) -> Iterator[Case]:
    yield Case((draw.normal(64, 50, scale=0.5), 1.0, None), None)


def _negative(draw: Draw) -> Iterator[Case]:
    for temperature, top_k in ((-1.0, None), (-0.25, 2), (-1, None)):
        yield Case((draw.normal(2, 4), temperature, top_k, _seeded(draw)), None)


def _arguments(draw: Draw) -> Iterator[Case]:
    for temperature, top_k in ((0.5, None), (1.0, 2), (0.0, None), (0.0, 2)):
        yield Case((draw.normal(2, 4), temperature, top_k, _seeded(draw)), ("logits",))


def _ids(answer: Callable, args: tuple) -> Any:
    return call(answer, args)


def _are_ids(got: Any, want: Tensor) -> str | None:
    """Judge that there is a whole number for each row."""
    problem = has_shape(got, want)
    if problem is None and (got.dtype.is_floating_point or got.dtype == torch.bool):
        problem = f"its type is {short(got.dtype)}, and ids are whole numbers"
    return problem


def _same_ids(got: Any, want: Tensor) -> str | None:
    problem = _are_ids(got, want)
    return problem or (None if torch.equal(got.long(), want) else f"it gave {got.tolist()}, not {want.tolist()}")


def _how_often(answer: Callable, args: tuple) -> Estimates:
    """Observe how often each token comes, row after row in sorted order, the least likely token of a row first."""
    logits = args[0].clone()
    got = call(answer, args)
    problem = _are_ids(got, logits[:, 0])
    if problem is None and not 0 <= int(got.min()) <= int(got.max()) < logits.shape[1]:
        problem = "it gave an id that no token has"
    if problem:
        raise CannotObserve(problem)
    chosen, shares = logits.gather(1, got.long().unsqueeze(1)).squeeze(1), []
    for row in logits.unique(dim=0):
        of_row = chosen[(logits == row).all(1)]
        shares += [float((of_row == value).double().mean()) for value in row.unique()]
    return Estimates(
        tuple(shares), tuple(4 * math.sqrt(2 * share * (1 - share) / len(logits)) + 0.002 for share in shares), 0.0
    )


def _as_often(got: Estimates, want: tuple[int, list[float]]) -> str | None:
    rows, shares = want
    for share, wanted in zip(got.numbers, shares, strict=True):
        # What is rare comes and goes more wildly than its standard deviation tells: hence ten rows more.
        tolerance = _SIGMAS * math.sqrt(wanted * (1 - wanted) / rows) + 10 / rows if wanted else 0.0
        if abs(share - wanted) > tolerance:
            return (
                f"tokens come with the shares {_percent(got.numbers)} (the least likely first), "
                f"and should come with {_percent(shares)}, but for chance"
            )
    return None


def _one_for_all(got: Any, case: Case) -> str | None:
    """Whether every row got the same: chance decides which, so that no wrong implementation does just as the answer."""
    same = isinstance(got, Tensor) and got.numel() > 1 and bool((got == got.flatten()[0]).all())
    return "one-draw-for-the-batch" if same else None


def _whether_they_differ(answer: Callable, args: tuple) -> bool:
    """Observe whether the rows got more than one token."""
    got = call(answer, args)
    problem = _are_ids(got, args[0][:, 0])
    if problem:
        raise CannotObserve(problem)
    return bool((got != got[0]).any())


def _percent(shares: Any) -> str:
    return ", ".join(f"{number(100 * share, 3)} %" for share in shares)


def _ids_or_shares(answer: Callable, args: tuple) -> Any:
    return _how_often(answer, args) if len(args[0]) == _FEWER else _ids(answer, args)


def _at_size(got: Any, want: Any) -> str | None:
    return _as_often(got, want) if isinstance(want, tuple) else _same_ids(got, want)


def _seeding_pytorch(answer: Callable, args: tuple) -> str | None:
    """Observe whether the draws are those of PyTorch's own generator."""
    drawn = []
    with torch.random.fork_rng(devices=[]):
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            drawn.append(torch.as_tensor(answer(*args)).clone())
    if not torch.equal(drawn[0], drawn[1]):
        return "without a generator, seeding PyTorch doesn't make the draw repeatable"
    return "without a generator, another seed of PyTorch's gives the same" if torch.equal(drawn[0], drawn[2]) else None


def _refusal(answer: Callable, args: tuple) -> str:
    """Observe how a negative temperature is refused."""
    try:
        call(answer, args)
    except ValueError as error:
        return "" if "temperature" in str(error) else "the message of its ValueError doesn't name `temperature`"
    except NotImplementedError:
        raise
    except Exception as error:
        return f"it raised {type(error).__name__}, and should raise ValueError"
    return "it accepted a negative temperature"


def _turned(args: tuple) -> tuple:
    """Other logits of the same shape, for a call before the one that is looked at."""
    return tuple(fresh.generator() if isinstance(fresh, Seeded) else fresh for fresh in (-args[0], *args[1:]))


EXERCISE = Exercise(
    name="sample_next",
    arguments=("logits", "temperature", "top_k", "generator"),
    properties=(
        Property("gives one id for each row: (batch,)", _shape_cases, _ids, _are_ids),
        Property("at temperature 0 it is the likeliest token", _sure, _ids, _same_ids, suggests=_one_for_all),
        Property(DRAWS_FROM_GENERATOR, _repeated, repeatable, judge_repeatable, suggests="ignores-generator"),
        Property(
            "each row of a batch gets a draw of its own",
            _rows_alike,
            _whether_they_differ,
            lambda got, want: (
                None if got else "64 rows with the same logits, and fifty likely tokens, all got the same"
            ),
            suggests="one-draw-for-the-batch",
        ),
        Property(
            "at temperature 1 tokens come as often as softmax(logits) says",
            _plainly,
            _how_often,
            _as_often,
        ),
        Property("each row of a batch is drawn from its own logits", _of_two_kinds, _how_often, _as_often),
        Property("which leave no choice where one is far above the others", _certain, _ids, _same_ids),
        Property(
            "at another temperature: as often as softmax(logits / temperature) says",
            _warmer_and_colder,
            _how_often,
            _as_often,
        ),
        Property(
            "with `top_k`: only the k likeliest, as often as a softmax of these says",
            _of_the_likeliest,
            _how_often,
            _as_often,
        ),
        Property(
            "among equals at the border, exactly `top_k` remain",
            _tied,
            _how_often,
            _as_often,
            suggests="ties-all-kept",
        ),
        Property("`top_k` and temperature work together", _both, _how_often, _as_often),
        Property(
            "without the other arguments: temperature 1, and all tokens",
            _by_default,
            _how_often,
            _as_often,
            suggests="default-temperature",
        ),
        Property(
            "without a generator it draws from PyTorch's own",
            _without_generator,
            _seeding_pytorch,
            lambda got, want: got,
            suggests="none-is-no-generator",
        ),
        Property(
            "a negative temperature raises a ValueError that names `temperature`",
            _negative,
            _refusal,
            lambda got, want: got or None,
            suggests="negative-temperature",
        ),
        Property("large logits don't overflow", _huge, _how_often, _as_often, suggests="overflow"),
        Property(
            "leaves the logits as they were",
            _arguments,
            lambda answer, args: changed_arguments(lambda logits, *others: call(answer, (logits, *others)), args),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        each_for_itself(_sure, _ids, _turned, _same_ids),
        at_any_size(_large, _ids_or_shares, _at_size),
    ),
    misconceptions=MISTAKES,
)
