"""`cache_bytes`: what a right answer does, and the mistakes that people make."""

import math
from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import at_any_size, each_for_itself, output
from helpers.checks.spoiling import remembering


def _oracle(layers: int, groups: int, head_dim: int, length: int, bytes_per_number: int = 2) -> int:
    """One number after the other would take long for a real model: so the sizes are multiplied after all."""
    return math.prod((2, layers, groups, head_dim, length, bytes_per_number))


def _caches_of(*sizes: tuple[int, ...]) -> Callable[[Draw], Iterator[Case]]:
    return lambda draw: (Case(size, _oracle(*size)) for size in sizes)


def _is_the_number(got: Any, want: int) -> str | None:
    if got is None:
        return "it gave None"
    if not isinstance(got, Integral) or isinstance(got, bool):
        return f"it gave a {type(got).__name__}, not a whole number of bytes (an int)"
    return None if got == want else f"it gave {got:,}, and should have given {want:,}"


def _product(*powers: int, factor: float = 2, kind: Callable = int) -> Callable:
    """The sizes to these powers, multiplied."""

    def bytes_of(*sizes: int) -> Any:
        return kind(factor * math.prod(size**power for size, power in zip((*sizes, 2)[:5], powers, strict=True)))

    return bytes_of


def _sum(*sizes: int) -> int:
    layers, groups, head_dim, length, bytes_per_number = (*sizes, 2)[:5]
    return 2 * layers * groups * (head_dim + length) * bytes_per_number


EXERCISE = Exercise(
    name="cache_bytes",
    arguments=("layers", "groups", "head_dim", "length", "bytes_per_number"),
    properties=(
        Property(
            "one layer, one group, one column, one token: a key and a value of two bytes each",
            _caches_of((1, 1, 1, 1)),
            output,
            _is_the_number,
        ),
        Property(
            "counts every layer, group, column and position",
            _caches_of((3, 1, 1, 1), (1, 3, 1, 1), (1, 1, 3, 1), (1, 1, 1, 3), (2, 3, 5, 7)),
            output,
            _is_the_number,
        ),
        Property(
            "a number may take other than two bytes",
            _caches_of((1, 1, 1, 1, 4), (2, 3, 5, 7, 1), (3, 2, 4, 5, 4)),
            output,
            _is_the_number,
        ),
        each_for_itself(
            _caches_of((2, 3, 4, 5, 2), (4, 2, 3, 7, 1)),
            another=lambda args: tuple(size + 1 for size in args),
            judge=_is_the_number,
        ),
        at_any_size(_caches_of((32, 8, 128, 131_071, 2), (127, 97, 257, 10_000_019, 4)), judge=_is_the_number),
    ),
    misconceptions=(
        Misconception(
            "keys-or-values-alone",
            "only half of the cache is counted",
            "A token leaves a key *and* a value behind, in every layer. Yours counts one of the two.",
            (_product(1, 1, 1, 1, 1, factor=1),),
        ),
        Misconception(
            "half-too-many",
            "there are more than keys and values in yours",
            "Queries aren't kept: a query is used once, when its token comes. What is kept are keys and values.",
            (_product(1, 1, 1, 1, 1, factor=3), _product(1, 1, 1, 1, 1, factor=4)),
        ),
        Misconception(
            "groups-left-out",
            "the groups aren't counted",
            "Every group has keys and values of its own. With 8 groups there are 8 times as many numbers as with one.",
            (_product(1, 0, 1, 1, 1), _product(1, 0, 1, 1, 1, factor=1)),
        ),
        Misconception(
            "layers-left-out",
            "the layers aren't counted",
            "Every layer attends for itself, with its own keys and values: each has a cache.",
            (_product(0, 1, 1, 1, 1), _product(0, 1, 1, 1, 1, factor=1)),
        ),
        Misconception(
            "width-left-out",
            "a key is counted as one number",
            "A key is a vector of `head_dim` numbers, and so is a value.",
            (_product(1, 1, 0, 1, 1), _product(1, 1, 0, 1, 1, factor=1)),
        ),
        Misconception(
            "length-left-out",
            "it doesn't grow with the length",
            "Each token of the text leaves its keys and values behind: that is why long texts cost so much.",
            (_product(1, 1, 1, 0, 1),),
        ),
        Misconception(
            "length-squared",
            "it grows with the square of the length",
            "The *scores* are a square, one for each pair of tokens, and they aren't kept. A cache has one key and one "
            "value for each token.",
            (_product(1, 1, 1, 2, 1), _product(1, 1, 1, 2, 1, factor=1)),
        ),
        Misconception(
            "bits-for-bytes",
            "it counts bits",
            "A byte has eight bits. A number of 16 bits takes 2 bytes, and `bytes_per_number` is that 2 already.",
            (_product(1, 1, 1, 1, 1, factor=16), _product(1, 1, 1, 1, 1, factor=8)),
        ),
        Misconception(
            "bytes-divided",
            "it divides by the bytes of a number",
            "The larger a number is, the more bytes they take together.",
            (
                _product(1, 1, 1, 1, -1),
                lambda *sizes: 2 * math.prod(sizes[:4]) // (*sizes, 2)[4],
                _product(1, 1, 1, 1, -1, factor=1),
            ),
        ),
        Misconception(
            "numbers-for-bytes",
            "it counts numbers, not bytes",
            "So many *numbers* are kept. Each takes `bytes_per_number` bytes, which are two where nothing is said.",
            (_product(1, 1, 1, 1, 0),),
        ),
        Misconception(
            "two-bytes-always",
            "every number takes two bytes, whatever `bytes_per_number` says",
            "Two is where the argument starts out: float32 has four bytes, and some caches are kept in one.",
            (lambda *sizes: _oracle(*sizes[:4]),),
        ),
        Misconception(
            "sizes-added",
            "sizes are added where they should be multiplied",
            "Every layer has every group, every group has a vector for every token: the numbers multiply.",
            (_sum, lambda *sizes: 2 * sum(sizes), lambda *sizes: sum(sizes)),
        ),
        mistakes.NOT_WHOLE_NUMBERS.explained(
            "Bytes are whole: what is asked for is an `int`, and in bytes, not in megabytes or as text. (`/` gives a "
            "float even where nothing is left over; `//` doesn't.)",
            _product(1, 1, 1, 1, 1, kind=float),
            _product(1, 1, 1, 1, 1, kind=lambda count: count / 2**20),
            _product(1, 1, 1, 1, 1, kind=lambda count: count / 2**30),
            _product(1, 1, 1, 1, 1, kind=lambda count: count / 1e9),
            _product(1, 1, 1, 1, 1, kind=lambda count: count / 1e6),
            _product(1, 1, 1, 1, 1, kind=str),
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(_oracle)),
        mistakes.SMALL_SIZES_ONLY.row(lambda *sizes: _oracle(*sizes) % 2**31),
        mistakes.nothing_returned(),
    ),
)
