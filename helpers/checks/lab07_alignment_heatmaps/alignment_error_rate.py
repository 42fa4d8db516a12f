"""`alignment_error_rate`: what a right answer does, and the mistakes that people make."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from numbers import Real
from typing import Any

import torch

from helpers.checks import mistakes
from helpers.checks.engine import CannotObserve, Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import at_any_size, each_for_itself, leaves_arguments_alone, number
from helpers.checks.lab07_alignment_heatmaps.shared import Link, kind
from helpers.checks.spoiling import remembering


def _aer_oracle(predicted: set[Link], sure: set[Link], possible: set[Link]) -> float:
    hits = sum(link in sure for link in predicted) + sum(link in possible for link in predicted)
    links = len(predicted) + len(sure)
    return float(1 - Fraction(hits, links)) if links else 0.0


def _aer_case(predicted: set[Link], sure: set[Link], possible: set[Link]) -> Case:
    return Case((predicted, sure, possible), _aer_oracle(predicted, sure, possible))


def _draw_links(draw: Draw, size: int, among: set[Link]) -> set[Link]:
    order = sorted(among)
    chosen = draw.normal(len(order)).argsort()[:size].tolist()
    return {order[index] for index in chosen}


_GRID = {(target, source) for target in range(4) for source in range(5)}


def _only_sure(draw: Draw) -> Iterator[Case]:
    yield _aer_case({(0, 0)}, {(0, 0)}, {(0, 0)})
    yield _aer_case({(0, 1)}, {(0, 0)}, {(0, 0)})
    yield _aer_case({(0, 0), (1, 2)}, {(0, 0), (1, 1), (2, 2)}, {(0, 0), (1, 1), (2, 2)})
    for hits in (1, 3):
        sure = _draw_links(draw, 4, _GRID)
        predicted = _draw_links(draw, hits, sure) | _draw_links(draw, 3, _GRID - sure)
        yield _aer_case(predicted, sure, set(sure))


def _with_possible(draw: Draw) -> Iterator[Case]:
    yield _aer_case({(0, 0), (1, 1)}, {(0, 0)}, {(0, 0), (1, 1)})
    yield _aer_case({(0, 0), (1, 2), (2, 2)}, {(0, 0), (1, 1)}, {(0, 0), (1, 1), (1, 2)})
    # As many of each kind of link as tell the formulas apart that people write.
    for of_sure, of_possible, others, num_sure, num_possible in ((2, 1, 3, 5, 2), (1, 2, 1, 2, 5), (3, 3, 1, 4, 4)):
        sure = _draw_links(draw, num_sure, _GRID)
        more = _draw_links(draw, num_possible, _GRID - sure)
        predicted = _draw_links(draw, of_sure, sure) | _draw_links(draw, of_possible, more)
        yield _aer_case(predicted | _draw_links(draw, others, _GRID - sure - more), sure, sure | more)


def _one_is_empty(draw: Draw) -> Iterator[Case]:
    yield _aer_case(set(), {(0, 0)}, {(0, 0), (1, 1)})
    yield _aer_case({(0, 0), (1, 1)}, set(), {(0, 0)})
    yield _aer_case({(0, 0)}, set(), set())


def _both_are_empty(draw: Draw) -> Iterator[Case]:
    yield _aer_case(set(), set(), set())
    yield _aer_case(set(), set(), {(0, 0)})


def _sure_but_impossible(draw: Draw) -> Iterator[Case]:
    yield Case(({(0, 0)}, {(0, 0)}, set()), None)
    yield Case(({(0, 0)}, {(0, 0), (1, 1)}, {(0, 0), (1, 0)}), None)
    yield Case((set(), {(2, 1)}, {(1, 2)}), None)


def _many_links(draw: Draw) -> Iterator[Case]:
    grid = {(target, source) for target in range(67) for source in range(71)}
    sure = _draw_links(draw, 131, grid)
    more = _draw_links(draw, 97, grid - sure)
    found = _draw_links(draw, 61, sure) | _draw_links(draw, 43, more) | _draw_links(draw, 71, grid - sure - more)
    yield _aer_case(found, sure, sure | more)


def _with_other_links(args: tuple) -> tuple:
    """As many links of each kind, of which those predicted are all wrong."""
    predicted, sure, possible = args
    return {(target + 100, source + 100) for target, source in predicted}, set(sure), set(possible)


def _aer_arguments(draw: Draw) -> Iterator[Case]:
    sure = _draw_links(draw, 3, _GRID)
    possible = sure | _draw_links(draw, 3, _GRID)
    yield Case((_draw_links(draw, 5, _GRID), sure, possible), ("predicted", "sure", "possible"))


def _rate(answer: Callable, args: tuple) -> float:
    """Observe the error rate."""
    result = answer(*map(set, args))
    if not isinstance(result, Real) or isinstance(result, bool):
        raise CannotObserve(f"it gave {kind(result)}, not a float")
    return float(result)


def _refusal(answer: Callable, args: tuple) -> str:
    """Observe whether the answer refuses its arguments, and whether it says which."""
    try:
        result = answer(*map(set, args))
    except ValueError as error:
        words = str(error).casefold()
        return "a ValueError that names an argument" if "sure" in words or "possible" in words else "a ValueError"
    raise CannotObserve(
        f"no ValueError was raised: it gave {number(float(result)) if isinstance(result, Real) else kind(result)}"
    )


def _names_an_argument(got: str, want: Any) -> str | None:
    return "the ValueError's message names neither `sure` nor `possible`" if got == "a ValueError" else None


def _changed_sets(answer: Callable, args: tuple) -> tuple[int, ...]:
    given = tuple(map(set, args))
    answer(*given)
    return tuple(index for index, (was, now) in enumerate(zip(args, given, strict=True)) if was != now)


def _is_rate(got: float, want: float) -> str | None:
    return None if abs(got - want) < 1e-6 else f"it gave {number(got)}, and should have given {number(want)}"


def _refuses(predicted: set, sure: set, possible: set) -> None:
    if not sure <= possible:
        raise ValueError("sure must be a subset of possible")


def _refuses_what_is_not_sure(predicted: set, sure: set, possible: set) -> None:
    _refuses(predicted, sure, possible)
    _refuses(predicted, predicted, sure)


def _refuses_without_words(predicted: set, sure: set, possible: set) -> None:
    if not sure <= possible:
        raise ValueError("wrong input")


def _asserts(predicted: set, sure: set, possible: set) -> None:
    assert sure <= possible


def _rater(
    rate: Callable[[set, set, set], float] = lambda a, s, p: 1 - (len(a & s) + len(a & p)) / (len(a) + len(s)),
    refuse: Callable[[set, set, set], None] = _refuses,
    is_empty: Callable[[set, set, set], bool] = lambda a, s, p: not a and not s,
    empty: float = 0.0,
) -> Callable:
    """An error rate, right but for what is said here."""

    def error_rate(predicted, sure, possible):
        refuse(predicted, sure, possible)
        return empty if is_empty(predicted, sure, possible) else rate(predicted, sure, possible)

    return error_rate


_right_rate = _rater()


def _over(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _f1_error(predicted: set, gold: set) -> float:
    return 1 - _over(2 * len(predicted & gold), len(predicted) + len(gold))


def _harmonic(precision: float, recall: float) -> float:
    return 1 - _over(2 * precision * recall, precision + recall)


def _swallow(position: int) -> Callable:
    """The right rate, and one of the sets is changed."""

    def error_rate(predicted, sure, possible):
        rate = _right_rate(predicted, sure, possible)
        (predicted, sure, possible)[position].clear()
        return rate

    return error_rate


EXERCISE = Exercise(
    name="alignment_error_rate",
    arguments=("predicted", "sure", "possible"),
    properties=(
        Property("is right where all the possible links are sure", _only_sure, _rate, _is_rate),
        Property("is right where some links are possible, but not sure", _with_possible, _rate, _is_rate),
        Property("is right where nothing is predicted, or nothing is sure", _one_is_empty, _rate, _is_rate),
        Property("is 0 where nothing is predicted and nothing is sure", _both_are_empty, _rate, _is_rate),
        Property(
            "refuses a sure link that isn't possible: a ValueError that names the argument",
            _sure_but_impossible,
            _refusal,
            _names_an_argument,
            suggests="nothing-refused",
        ),
        Property(
            "leaves the three sets as they were",
            _aer_arguments,
            _changed_sets,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        each_for_itself(_with_possible, _rate, _with_other_links, _is_rate),
        at_any_size(_many_links, _rate, _is_rate),
    ),
    misconceptions=(
        Misconception(
            "one-minus-f1",
            "it is 1 − F1, with one kind of gold link only",
            "F1 knows one set of right links. Here there are two: a predicted link is fine if it is *possible*, and "
            "only *sure* links have to be found. Which of the two does each intersection ask about?",
            (
                _rater(lambda a, s, p: _f1_error(a, s)),
                _rater(lambda a, s, p: _f1_error(a, s), is_empty=lambda a, s, p: not a or not s, empty=1.0),
            ),
        ),
        Misconception(
            "possible-counted-as-sure",
            "possible links are counted as if they were sure",
            "A link that is only possible *may* be predicted; nobody has to. You count it among those that have to be "
            "found, in the numerator or in the denominator.",
            (
                _rater(lambda a, s, p: _f1_error(a, p)),
                _rater(lambda a, s, p: 1 - _over(2 * len(a & p), len(a) + len(s))),
                _rater(lambda a, s, p: 1 - _over(len(a & s) + len(a & p), len(a) + len(p))),
                _rater(lambda a, s, p: 1 - _over(len(a & s) + len(a & p), len(a) + len(s | p))),
            ),
        ),
        Misconception(
            "sets-exchanged",
            "predicted and gold links have changed places",
            "The formula isn't symmetric in its three sets. Which of them is held against both of the others? Of "
            "which two does the denominator count the links? Hold yours against the lab's, letter by letter.",
            (
                _rater(lambda a, s, p: 1 - _over(len(a & s) + len(s & p), len(a) + len(s))),
                _rater(lambda a, s, p: 1 - _over(len(a & p) + len(s & p), len(a) + len(s))),
                _rater(lambda a, s, p: 1 - _over(len(a & s) + len(a & p), len(s) + len(p))),
                _rater(lambda a, s, p: _harmonic(_over(len(a & s), len(a)), _over(len(a & p), len(p)))),
                _rater(lambda a, s, p: 1 - _over(len(a & s) + len(s & p), len(s) + len(p))),
                _rater(lambda a, s, p: 1 - _over(len(p & s) + len(p & a), len(p) + len(s))),
            ),
        ),
        Misconception(
            "possible-without-sure",
            "sure links aren't counted as possible ones",
            "P contains S: a sure link is possible as well, and counts in both intersections. You take it out of one.",
            (
                _rater(lambda a, s, p: 1 - _over(len(a & s) + len(a & (p - s)), len(a) + len(s))),
                _rater(lambda a, s, p: 1 - _over(len(a & (s | p)), len(a) + len(s))),
                _rater(lambda a, s, p: 1 - _over(len(a & s & p), len(a) + len(s))),
            ),
        ),
        Misconception(
            "precision-only",
            "only one side is counted: what was predicted rightly, or what was found",
            "An aligner that predicts a single safe link, or one that predicts them all, must not come out perfect. "
            "The rate counts both: predicted links that are wrong, and sure links that are missing.",
            (
                _rater(lambda a, s, p: 1 - _over(len(a & p), len(a))),
                _rater(lambda a, s, p: 1 - _over(len(a & s), len(s))),
                _rater(lambda a, s, p: 1 - _over(len(a & s), len(a))),
                _rater(lambda a, s, p: 1 - _over(len(a & p), len(p))),
            ),
        ),
        Misconception(
            "mean-of-precision-and-recall",
            "precision and recall are each divided by their own number, and then averaged",
            "AER adds up the numerators and the denominators and divides *once*. A mean of two ratios is something "
            "else, be it plain or harmonic.",
            (
                _rater(lambda a, s, p: _harmonic(_over(len(a & p), len(a)), _over(len(a & s), len(s)))),
                _rater(lambda a, s, p: 1 - (_over(len(a & p), len(a)) + _over(len(a & s), len(s))) / 2),
            ),
        ),
        Misconception(
            "rate-of-success",
            "it is the share that is right, not the error",
            "An error rate is 0 for a perfect alignment. Yours is 1 there.",
            (
                _rater(lambda a, s, p: 1 - _right_rate(a, s, p), empty=0.0),
                _rater(lambda a, s, p: 1 - _right_rate(a, s, p), empty=1.0),
            ),
        ),
        Misconception(
            "percent",
            "it is in percent",
            "The rate is a float between 0 and 1.",
            (_rater(lambda a, s, p: 100 * _right_rate(a, s, p)),),
        ),
        Misconception(
            "empty-sets-divide-by-zero",
            "empty sets end in a division by zero, or in the wrong number",
            "A sentence may have no sure link, or an aligner may predict none. With neither there is nothing to be "
            "wrong about, and the rate is 0; with one of the two, the formula itself says what it is.",
            (
                _rater(is_empty=lambda a, s, p: False),
                _rater(empty=1.0),
                _rater(is_empty=lambda a, s, p: not a or not s),
                _rater(is_empty=lambda a, s, p: not a or not s, empty=1.0),
                _rater(is_empty=lambda a, s, p: not a),
                _rater(is_empty=lambda a, s, p: not a, empty=1.0),
                _rater(is_empty=lambda a, s, p: not s),
                _rater(is_empty=lambda a, s, p: not p),
            ),
        ),
        Misconception(
            "nothing-refused",
            "a sure link that isn't possible goes unnoticed",
            "Every sure link has to be possible, too. Where that isn't so, the gold alignment is broken (or the "
            "arguments are in the wrong order), and any number would mislead: raise a ValueError that says so.",
            (
                _rater(refuse=lambda a, s, p: None),
                _rater(lambda a, s, p: _right_rate(a, s, s | p), refuse=lambda a, s, p: None),
            ),
        ),
        Misconception(
            "refused-by-another-error",
            "a sure link that isn't possible is refused, but not with a ValueError",
            "A caller who wants to catch the mistake has to know its name: the lab asks for a `ValueError`. An "
            "`assert` raises an AssertionError, and none at all where Python runs with `-O`.",
            (_rater(refuse=_asserts),),
        ),
        Misconception(
            "wordless-refusal",
            "the ValueError doesn't say what is wrong",
            "A reader of the error has three arguments to look at. A good message names the argument, says what was "
            "expected of it, and perhaps what was found.",
            (_rater(refuse=_refuses_without_words),),
        ),
        mistakes.NOT_A_FLOAT.explained(
            "A rate is a plain Python number: nothing is to be differentiated here.",
            lambda predicted, sure, possible: torch.tensor(_right_rate(predicted, sure, possible)),
        ),
        Misconception(
            "wrong-sets-refused",
            "it refuses what is perfectly in order",
            "Only *sure* links have to be possible. A predicted link may be neither (then it is wrong), and a "
            "possible link need not be sure.",
            (
                _rater(refuse=lambda a, s, p: _refuses(s, p, s)),
                _rater(refuse=lambda a, s, p: _refuses(a, a | s, p)),
                _rater(refuse=_refuses_what_is_not_sure),
            ),
        ),
        mistakes.WRITES_INTO_ARGUMENTS.explained(
            "`|=`, `-=`, `add`, `update` and `discard` change the set itself, and it is the caller's.",
            _swallow(0),
            _swallow(1),
            _swallow(2),
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(_right_rate)),
        mistakes.SMALL_SIZES_ONLY.row(
            lambda predicted, sure, possible: _right_rate(
                *(
                    {(target, source) for target, source in links if source < 64}
                    for links in (predicted, sure, possible)
                )
            )
        ),
        mistakes.nothing_returned(),
    ),
)
