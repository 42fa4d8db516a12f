"""What lab 10's exercises share: how a refusal is observed, how numbers are judged that rounding may change, and what
goes wrong where scores are divided by √d."""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Misconception
from helpers.checks.judging import equals, has_dtype, has_shape


def refusal(*names: str) -> Callable[[Callable, tuple], str]:
    """Observe in words how an answer refuses its arguments; its message should name one of `names`."""

    def observe(answer: Callable, args: tuple) -> str:
        try:
            result = answer(*args)
        except ValueError as error:
            named = re.search(rf"\b({'|'.join(names)})\b", str(error))
            return refused(*names) if named else "it raised a ValueError whose message doesn't name the argument"
        except NotImplementedError:
            raise  # the answer is blank
        except Exception as error:
            return f"it raised {type(error).__name__}, not ValueError"
        return "it gave None" if result is None else "no error was raised"

    return observe


def refused(*names: str) -> str:
    """What `refusal` observes of an answer that refuses as it should."""
    return f"a ValueError that names {' or '.join(f'`{name}`' for name in names)}"


def is_as_wanted(got: str, want: str) -> str | None:
    return None if got == want else got


def within(tolerance: float) -> Callable[[Any, Tensor], str | None]:
    """Judge shape, type and numbers, where right answers differ by their roundings: more than `equals` allows."""

    def judge(got: Any, want: Tensor) -> str | None:
        problem = has_shape(got, want) or has_dtype(got, want)
        if problem or torch.allclose(got.double(), want.double(), rtol=tolerance, atol=tolerance):
            return problem
        return equals(got, want)

    return judge


def in_half_precision(got: Any, want: Tensor) -> str | None:
    """Judge numbers in float16 or bfloat16, each of which went through a handful of roundings."""
    return within({torch.float16: 0.02, torch.bfloat16: 0.15}[want.dtype])(got, want)


def only_arguments(cases: Callable[[Draw], Iterator[Case]], *names: str) -> Callable[[Draw], Iterator[Case]]:
    """The arguments of some of the cases, for `changed_arguments`."""
    return lambda draw: (Case(case.args, names) for case in list(cases(draw))[2:5])


def scaled(queries: Tensor, keys: Tensor) -> Tensor:
    """(…, query, d) and (…, key, d) to the scaled scores (…, query, key)."""
    return queries @ keys.mT / math.sqrt(queries.shape[-1])


def wrong_scales(attention: Callable[..., Callable]) -> tuple[Misconception, ...]:
    """The rows about √d. `attention(score=…)` makes an answer whose scores are `score(queries, keys)`."""
    return (
        mistakes.NEVER_SCALES.explained(
            "Scores are divided by √d, as ever: neither groups nor blocks change anything about that.",
            attention(score=lambda queries, keys: queries @ keys.mT),
        ),
        mistakes.DIVIDES_BY_D.explained(
            "It is the *root* of d by which scores are divided.",
            attention(score=lambda queries, keys: queries @ keys.mT / queries.shape[-1]),
        ),
        mistakes.ROOT_OF_ANOTHER_SIZE.explained(
            "√d is the root of the number of *columns* that a query has. How many heads, queries or keys there are has "
            "nothing to do with it.",
            attention(score=lambda queries, keys: queries @ keys.mT / math.sqrt(keys.shape[-2])),
            attention(score=lambda queries, keys: queries @ keys.mT / math.sqrt(queries.shape[1])),
            attention(score=lambda queries, keys: queries @ keys.mT / math.sqrt(queries.shape[1] * queries.shape[-1])),
        ),
    )
