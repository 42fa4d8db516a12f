"""`hard_alignment`: what a right answer does, and the mistakes that people make."""

from collections.abc import Callable, Iterator
from numbers import Integral

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import CannotObserve, Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import at_any_size, changed_arguments, each_for_itself, leaves_arguments_alone
from helpers.checks.lab07_alignment_heatmaps.shared import Link, in_eighths, kind
from helpers.checks.spoiling import remembering


def _are_links(got: set[Link], want: set[Link]) -> str | None:
    """Judge that a set of links (target, source) is the wanted one."""
    if got == want:
        return None
    missing, extra = sorted(want - got), sorted(got - want)
    parts = [f"{missing[0]} is missing"] if missing else []
    parts += [f"{extra[0]} should not be there"] if extra else []
    return f"it gave {sorted(got) or 'no link'}: {', and '.join(parts)}"


def _links_oracle(weights: Tensor, threshold: float | None) -> set[Link]:
    links = set()
    for target, row in enumerate(weights.tolist()):
        for source, weight in enumerate(row):
            is_first_largest = weight > max(row[:source], default=-1.0) and weight >= max(row[source:])
            if is_first_largest if threshold is None else weight >= threshold:
                links.add((target, source))
    return links


def _links_case(weights: Tensor, threshold: float | None = None) -> Case:
    return Case((weights, threshold), _links_oracle(weights, threshold))


def _largest(draw: Draw) -> Iterator[Case]:
    yield _links_case(in_eighths([1, 7]))
    yield _links_case(in_eighths([1, 4, 3], [5, 1, 2]))
    yield _links_case(in_eighths([1, 5, 2], [1, 6, 1], [0, 7, 1]))  # one source token for all
    for targets, sources in ((4, 2), (2, 5), (4, 4), (1, 3)):
        yield _links_case(draw.normal(targets, sources).softmax(-1))
    yield _links_case(draw.normal(3, 4).softmax(-1).double())


def _ties(draw: Draw) -> Iterator[Case]:
    yield _links_case(in_eighths([4, 4]))
    yield _links_case(in_eighths([2, 3, 3], [4, 0, 4]))
    yield _links_case(torch.full((2, 4), 0.25))


def _thresholds(draw: Draw) -> Iterator[Case]:
    yield _links_case(in_eighths([5, 3]), 0.25)
    yield _links_case(in_eighths([1, 4, 3], [6, 1, 1]), 0.3)
    yield _links_case(in_eighths([1, 2, 3, 2], [0, 0, 7, 1]), 0.2)
    for targets, sources in ((4, 2), (2, 5), (3, 3)):
        yield _links_case(draw.normal(targets, sources, scale=1.0).softmax(-1), 0.3)


def _at_the_threshold(draw: Draw) -> Iterator[Case]:
    yield _links_case(in_eighths([4, 4]), 0.5)
    yield _links_case(in_eighths([2, 5, 1], [6, 0, 2]), 0.25)


def _nothing_reaches_it(draw: Draw) -> Iterator[Case]:
    yield _links_case(in_eighths([4, 4]), 0.75)
    yield _links_case(in_eighths([3, 3, 2], [1, 7, 0]), 0.5)


def _threshold_of_0(draw: Draw) -> Iterator[Case]:
    yield _links_case(in_eighths([1, 7]), 0.0)
    yield _links_case(in_eighths([3, 5, 0], [0, 2, 6]), 0.0)


def _large_matrices(draw: Draw) -> Iterator[Case]:
    late = draw.normal(3, 67)
    late[0, 66] = late[1, 65] = 20.0  # nobody looks at the first tokens
    yield _links_case(late.softmax(-1))
    yield _links_case(draw.normal(71, 5).softmax(-1))
    yield _links_case(draw.normal(67, 71, scale=1.0).softmax(-1), 0.05)


def _links_arguments(draw: Draw) -> Iterator[Case]:
    for threshold in (None, 0.25):
        yield Case((draw.normal(3, 4, scale=1.0).softmax(-1), threshold), ("weights", "threshold"))


def _links(answer: Callable, args: tuple) -> set[Link]:
    """Observe the set of pairs that the answer gives; left out where it is None, the threshold isn't mentioned."""
    weights, threshold = args
    result = answer(weights) if threshold is None else answer(weights, threshold)
    if not isinstance(result, set | frozenset):
        raise CannotObserve(f"it gave {kind(result)}, not a set")
    for pair in result:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise CannotObserve(f"the set holds {kind(pair)}, not pairs (target, source)")
        if not all(isinstance(position, Integral) for position in pair):
            raise CannotObserve("a pair holds something else than two whole numbers, such as tensors")
    return {(int(target), int(source)) for target, source in result}


def _linker(
    largest: Callable[[Tensor], set] = lambda weights: set(enumerate(weights.argmax(-1).tolist())),
    above: Callable[[Tensor, float], set] = lambda weights, threshold: set(
        map(tuple, (weights >= threshold).nonzero().tolist())
    ),
    is_given: Callable[[float | None], bool] = lambda threshold: threshold is not None,
) -> Callable:
    """An alignment, right but for what is said here."""
    return lambda weights, threshold=None: above(weights, threshold) if is_given(threshold) else largest(weights)


_right_links = _linker()


def _reversed(links: set) -> set:
    return {(source, target) for target, source in links}


def _overwrite_weights(weights, threshold=None):
    links = _right_links(weights, threshold)
    weights.mul_(0.5)
    return links


EXERCISE = Exercise(
    name="hard_alignment",
    arguments=("weights", "threshold"),
    properties=(
        Property(
            "without a threshold: a pair (target, source) for each target token, to the source token of its largest "
            "weight",
            _largest,
            _links,
            _are_links,
        ),
        Property("where several weigh the same, the first is taken", _ties, _links, _are_links),
        Property(
            "with a threshold: every pair whose weight is above it, several for a target token or none",
            _thresholds,
            _links,
            _are_links,
        ),
        Property("a weight that is exactly the threshold is enough", _at_the_threshold, _links, _are_links),
        Property("a target token without such a weight has no pair", _nothing_reaches_it, _links, _are_links),
        Property("0 is a threshold, too: every pair reaches it", _threshold_of_0, _links, _are_links),
        Property(
            "leaves the weights as they were",
            _links_arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        each_for_itself(_thresholds, _links, judge=_are_links),
        at_any_size(_large_matrices, _links, _are_links),
    ),
    misconceptions=(
        Misconception(
            "argmax-over-targets",
            "the largest weight is sought among the target tokens",
            "Each *target* token looks for its source token: the largest weight of each row. You take the largest of "
            "each column, which asks of each source token who looks at it most.",
            (
                _linker(largest=lambda w: {(int(t), s) for s, t in enumerate(w.argmax(0))}),
                _linker(largest=lambda w: {(s, int(t)) for s, t in enumerate(w.argmax(0))}),
                _linker(largest=lambda w: {(t, int(s)) for t, s in zip(range(len(w)), w.argmax(0), strict=False)}),
            ),
        ),
        Misconception(
            "pairs-reversed",
            "the pairs are (source, target)",
            "A link is (target, source), in the order of the weights' axes. Yours come the other way round.",
            (
                lambda weights, threshold=None: _reversed(_right_links(weights, threshold)),
                _linker(largest=lambda w: _reversed(_right_links(w))),
                _linker(above=lambda w, threshold: _reversed(_right_links(w, threshold))),
            ),
        ),
        Misconception(
            "threshold-ignored",
            "the threshold makes no difference",
            "With a threshold it is no longer one link a target token: every weight that reaches it makes a link.",
            (lambda weights, threshold=None: _right_links(weights),),
        ),
        Misconception(
            "one-link-at-most",
            "with a threshold, still only the largest weight of a row counts",
            "With a threshold a target token is linked to *every* source token whose weight reaches it, be it two, "
            "three or none. “not” is “ne … pas”: both links are real.",
            (
                _linker(above=lambda w, threshold: {(t, s) for t, s in _right_links(w) if w[t, s] >= threshold}),
                _linker(above=lambda w, threshold: {(t, s) for t, s in _right_links(w) if w[t, s] > threshold}),
            ),
        ),
        Misconception(
            "largest-always-linked",
            "the largest weight is linked although it doesn't reach the threshold",
            "The threshold takes the place of the largest weight: a target token that looks nowhere in particular has "
            "no link.",
            (_linker(above=lambda w, threshold: _right_links(w, threshold) | _right_links(w)),),
        ),
        Misconception(
            "above-only",
            "a weight that equals the threshold isn't linked",
            "*At or above* the threshold: a weight of exactly the threshold is enough.",
            (_linker(above=lambda w, threshold: {tuple(p) for p in (w > threshold).nonzero().tolist()}),),
        ),
        Misconception(
            "threshold-reversed",
            "the small weights are linked",
            "A large weight makes a link. You keep those that stay below the threshold, or the smallest.",
            (
                _linker(above=lambda w, threshold: {tuple(p) for p in (w <= threshold).nonzero().tolist()}),
                _linker(above=lambda w, threshold: {tuple(p) for p in (w < threshold).nonzero().tolist()}),
                _linker(largest=lambda w: {(t, int(s)) for t, s in enumerate(w.argmin(-1))}),
            ),
        ),
        Misconception(
            "zero-is-no-threshold",
            "a threshold of 0 is taken for none",
            "0 is a number like any other, but `if threshold` is false for it, and `threshold or …` as well. What is "
            "left out is `None`: ask for that.",
            (_linker(is_given=bool),),
        ),
        Misconception(
            "ties-to-the-last",
            "where several weigh the same, the last is taken",
            "Of several largest weights the first counts, so that the result doesn't depend on how one searches.",
            (_linker(largest=lambda w: {(t, w.shape[1] - 1 - int(s)) for t, s in enumerate(w.flip(-1).argmax(-1))}),),
        ),
        Misconception(
            "ties-all-linked",
            "where several weigh the same, all of them are linked",
            "Without a threshold each target token has exactly *one* link. Of several largest weights the first "
            "counts.",
            (_linker(largest=lambda w: {tuple(p) for p in (w == w.max(-1, keepdim=True).values).nonzero().tolist()}),),
        ),
        Misconception(
            "one-link-in-all",
            "only the largest weight of the whole matrix is linked",
            "Each target token has a largest weight of its own: look for it row by row.",
            (_linker(largest=lambda w: {divmod(int(w.argmax()), w.shape[1])}),),
        ),
        Misconception(
            "threshold-relative",
            "the threshold is compared with something else than the weights",
            "The threshold is a weight. You scale the weights, or the threshold, by a row's largest before comparing.",
            (
                _linker(above=lambda w, threshold: _right_links(w / w.max(-1, keepdim=True).values, threshold)),
                _linker(above=lambda w, threshold: _right_links(w / w.max(), threshold)),
            ),
        ),
        mistakes.POSITIONS_FROM_1.explained(
            "The first token has position 0, as everywhere in Python.",
            lambda weights, threshold=None: {(t + 1, s + 1) for t, s in _right_links(weights, threshold)},
        ),
        Misconception(
            "not-a-set",
            "what comes back isn't a set of pairs",
            "An alignment is a Python `set` of pairs: which links there are, in no order.",
            (
                lambda weights, threshold=None: sorted(_right_links(weights, threshold)),
                lambda weights, threshold=None: dict(_right_links(weights, threshold)),
                lambda weights, threshold=None: weights >= (0.5 if threshold is None else threshold),
                lambda weights, threshold=None: tuple(_right_links(weights, threshold)),
                lambda weights, threshold=None: {int(s) for s in weights.argmax(-1)},
            ),
        ),
        Misconception(
            "tensors-in-pairs",
            "the pairs hold tensors instead of whole numbers",
            "Two tensors are the same member of a set only if they are the same *object*: a set of them never "
            "contains what you look for. `.item()`, `int(…)` and `.tolist()` make Python's numbers of them.",
            (
                _linker(largest=lambda w: set(enumerate(w.argmax(-1)))),
                _linker(
                    largest=lambda w: set(enumerate(w.argmax(-1))),
                    above=lambda w, threshold: {tuple(pair) for pair in (w >= threshold).nonzero()},
                ),
                lambda weights, threshold=None: {
                    (torch.tensor(t), torch.tensor(s)) for t, s in _right_links(weights, threshold)
                },
                lambda weights, threshold=None: {(torch.tensor(t), s) for t, s in _right_links(weights, threshold)},
                _linker(above=lambda w, threshold: set((w >= threshold).nonzero())),
            ),
        ),
        mistakes.WRITES_INTO_ARGUMENTS.explained(
            "The links are right, but the caller's weights are no longer what they were. Which of your operations "
            "writes in place?",
            _overwrite_weights,
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(_right_links)),
        mistakes.SMALL_SIZES_ONLY.row(
            lambda weights, threshold=None: _right_links(weights[:, :64], threshold),
            lambda weights, threshold=None: _right_links(weights[:64], threshold),
        ),
        mistakes.nothing_returned(),
    ),
)
