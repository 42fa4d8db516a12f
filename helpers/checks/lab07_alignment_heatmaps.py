"""Lab 7's exercises: what a right answer does, and the mistakes that people make."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache, partial
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from helpers.checks import figures
from helpers.checks.engine import CannotObserve, Case, Draw, Exercise, Misconception, Property
from helpers.checks.figures import Drawing, Heatmap, Picture, Side
from helpers.checks.judging import (
    NOTHING_RETURNED,
    changed_arguments,
    equals,
    has_shape,
    leaves_arguments_alone,
    number,
    output,
)

# --- 1. plot_attention ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Place:
    """Where an answer draws in a case: on an Axes that it is given, or where it likes.

    An answer draws once in each place. All the properties look at that one drawing: figures take time.
    """

    on_axes: bool
    _drawings: dict[Callable, Drawing] = field(default_factory=dict)

    def __str__(self) -> str:
        return "an Axes (not the current one)" if self.on_axes else "left out"

    def drawing(self, answer: Callable, *args: Any) -> Drawing:
        if answer not in self._drawings:
            draw = answer.drawing if isinstance(answer, Sketch) else partial(figures.draw, answer)
            self._drawings[answer] = draw(*args, on_axes=self.on_axes)
        return self._drawings[answer]


@lru_cache(maxsize=1)
def _sentences(draw: Draw) -> list[tuple]:
    """The arguments of each case, the same for every property of one check."""

    def weights(targets: int, sources: int) -> Tensor:
        return draw.normal(targets, sources, scale=1.0).softmax(-1)

    long = ["they", "did", "not", "see", "the", "big", "red", "bus", "that", "stopped", "at", "the", "old", "bridge"]
    return [
        (weights(2, 3), ["a", "red", "car"], ["une", "voiture"], Place(True)),
        (weights(3, 3).double(), ["the", "more", "the"], ["plus", "on", "plus"], Place(True)),  # tokens come back
        (weights(1, 4), ["it", "is", "raining", "."], ["pleut"], Place(True)),
        (weights(4, len(long)), long, ["ils", "n'", "ont", "pas"], Place(True)),  # more tokens than default ticks
        (weights(2, 3), ["two", "blue", "keys"], ["deux", "clés"], Place(False)),
    ]


def _drawn_cases(want: Callable[[Tensor, list[str], list[str]], Any], first: int = 4) -> Callable:
    """The first sentences, each on an Axes that is given, and what is wanted of the drawing."""

    def cases(draw: Draw) -> Iterator[Case]:
        for args in _sentences(draw)[:first]:
            yield Case(args, want(*args[:3]))

    return cases


def _drawn_without_axes(draw: Draw) -> Iterator[Case]:
    args = _sentences(draw)[4]
    yield Case(args, args[0].double())


def _of_drawing(aspect: Callable[[Drawing], Any]) -> Callable[[Callable, tuple], Any]:
    """Observe one thing about what the answer draws."""

    def observe(answer: Callable, args: tuple) -> Any:
        *rest, place = args
        return aspect(place.drawing(answer, *rest))

    return observe


def _heatmap(drawing: Drawing) -> Heatmap:
    if drawing.picture is None:
        raise CannotObserve(f"it gave {drawing.gave}, not the Axes with the picture")
    heatmaps = drawing.picture.heatmaps
    if not heatmaps:
        raise CannotObserve("there is no heatmap on the Axes (no matrix of numbers shown as colours)")
    if len(heatmaps) > 1:
        raise CannotObserve(f"there are {len(heatmaps)} heatmaps on the Axes, one over the other")
    return heatmaps[0]


def _as_seen(drawing: Drawing) -> Tensor:
    """The heatmap's numbers from the top left on, as they lie on the screen."""
    heatmap = _heatmap(drawing)
    rows, columns = _from_the_top(heatmap.y, drawing.picture.y), _from_the_left(heatmap.x, drawing.picture.x)
    return heatmap.values[rows][:, columns]


def _from_the_left(middles: Tensor, side: Side) -> Tensor:
    left, right = side.limits
    return middles.argsort(descending=left > right)


def _from_the_top(middles: Tensor, side: Side) -> Tensor:
    bottom, top = side.limits
    return middles.argsort(descending=top > bottom)


def _column_labels(drawing: Drawing) -> tuple[str, ...]:
    middles, side = _heatmap(drawing).x, drawing.picture.x
    return _labels(middles[_from_the_left(middles, side)], side)


def _row_labels(drawing: Drawing) -> tuple[str, ...]:
    middles, side = _heatmap(drawing).y, drawing.picture.y
    return _labels(middles[_from_the_top(middles, side)], side)


def _labels(middles: Tensor, side: Side) -> tuple[str, ...]:
    """The text at the middle of each cell, in order; then the texts that stand at no cell's middle.

    Numbers are what matplotlib writes by itself, and no labels here.
    """
    width = abs(side.limits[1] - side.limits[0]) / len(middles)
    texts = [(place, text.strip()) for place, text in side.labels if not _is_number(text)]
    at_cells = [[text for place, text in texts if abs(place - middle) < 0.2 * width] for middle in middles.tolist()]
    strays = [text for place, text in texts if (middles - place).abs().min() >= 0.2 * width]
    return (*(" + ".join(each) for each in at_cells), *strays)


def _is_number(text: str) -> bool:
    return text.replace("−", "-").lstrip("-").replace(".", "", 1).isdigit()


def _are_tokens(kind: str) -> Callable[[tuple[str, ...], list[str]], str | None]:
    """Judge that each column, or row, carries its token."""

    def judge(got: tuple[str, ...], want: list[str]) -> str | None:
        if not any(got):
            return f"no {kind} carries a token"
        for index, (label, token) in enumerate(zip(got, want, strict=False), start=1):
            if label != token:
                return f"{kind} {index} carries {_quoted(label)}, and should carry {_quoted(token)}"
        return None if len(got) == len(want) else f"{_quoted(got[-1])} stands between two {kind}s"

    return judge


def _quoted(label: str) -> str:
    return f"“{label}”" if label else "no label"


def _runs_from_0_to_1(got: tuple[float, float], want: tuple[float, float]) -> str | None:
    if max(abs(got[0] - want[0]), abs(got[1] - want[1])) < 1e-6:
        return None
    return f"it runs from {number(got[0])} to {number(got[1])}"


def _titles_fit(got: tuple[str, str], want: Any) -> str | None:
    for side, title in zip(("x", "y"), got, strict=True):
        if not title.strip():
            return f"the {side} axis has no title"
    x, y = (title.casefold() for title in got)
    for source, target in (("source", "target"), ("key", "quer")):
        if (target in x and source not in x) or (source in y and target not in y):
            return f"the x axis is called “{got[0]}” and the y axis “{got[1]}”"
    return None


def _is(what: str) -> Callable[[Any, Any], str | None]:
    """Judge that something observed is what is wanted."""
    return lambda got, want: None if got == want else what.format(got)


def _draws_nowhere_else(got: tuple[str, ...], want: Any) -> str | None:
    return f"there is something new on {' and '.join(got)}" if got else None


def _titles(drawing: Drawing) -> tuple[str, str]:
    _heatmap(drawing)  # an empty Axes has no titles to judge
    return drawing.picture.x.title, drawing.picture.y.title


@dataclass(frozen=True, eq=False)
class Sketch:
    """What a mistaken function draws, said without drawing it: right but for what is said here.

    To try every mistake with matplotlib itself would take many seconds.
    """

    shown: Callable[[Tensor], Tensor] = lambda weights: weights  # the matrix that is shown, from the top left
    columns: Callable[[list[str]], dict[float, str]] = lambda tokens: dict(enumerate(tokens))  # the labels, by place
    rows: Callable[[list[str]], dict[float, str]] = lambda tokens: dict(enumerate(tokens))
    scale: Callable[[Tensor], tuple[float, float]] = lambda weights: (0.0, 1.0)
    titles: tuple[str, str] = ("source", "target")
    is_transposed: bool = False
    is_upside_down: bool = False
    is_elsewhere: bool = False  # the Axes that was given stays empty
    gave: str = figures.GIVEN
    elsewhere: tuple[str, ...] = ()
    changed: tuple[int, ...] = ()
    error: type[Exception] | None = None  # what is raised if no Axes is given

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("a sketch says what is drawn; it draws nothing")

    def drawing(self, weights: Tensor, source_tokens: list[str], target_tokens: list[str], on_axes: bool) -> Drawing:
        if self.error is not None and not on_axes:
            raise self.error
        shown = self.shown(weights.double())
        columns, rows = self.columns(source_tokens), self.rows(target_tokens)
        if self.is_transposed:
            shown, columns, rows = shown.mT, rows, columns
        middles = [torch.arange(size, dtype=torch.float64) for size in shown.shape]
        heatmap = Heatmap(shown, x=middles[1], y=middles[0], scale=self.scale(weights.double()))
        height, width = (size - 0.5 for size in shown.shape)
        picture = Picture(
            heatmaps=() if self.is_elsewhere and on_axes else (heatmap,),
            x=Side((-0.5, width), tuple(columns.items()), self.titles[0]),
            y=Side((-0.5, height) if self.is_upside_down else (height, -0.5), tuple(rows.items()), self.titles[1]),
        )
        if on_axes:
            return Drawing(self.gave, picture, self.elsewhere, self.changed)
        if self.gave in (figures.GIVEN, figures.ANOTHER):
            return Drawing("an Axes", picture, (), self.changed)
        return Drawing(self.gave, None, (), self.changed)


def _unlabelled(tokens: list[str]) -> dict[float, str]:
    return {}


def _one_too_far(tokens: list[str]) -> dict[float, str]:
    return dict(enumerate(tokens[:-1], start=1))


def _one_too_near(tokens: list[str]) -> dict[float, str]:
    return dict(enumerate(tokens[1:]))


def _at_the_edges(tokens: list[str]) -> dict[float, str]:
    return {place - 0.5: token for place, token in enumerate(tokens)}


def _every(step: int) -> Callable[[list[str]], dict[float, str]]:
    """Labels at some tokens only, where there are many."""
    return lambda tokens: {place: tokens[place] for place in range(0, len(tokens), step if len(tokens) > 9 else 1)}


def _no_more_than_ten(tokens: list[str]) -> dict[float, str]:
    return dict(enumerate(tokens[:10]))


def _once_each(tokens: list[str]) -> dict[float, str]:
    return {tokens.index(token): token for token in tokens}


def _closed_up(tokens: list[str]) -> dict[float, str]:
    """Each token once, as matplotlib does where the tokens are the coordinates."""
    return dict(enumerate(dict.fromkeys(tokens)))


def _backwards(tokens: list[str]) -> dict[float, str]:
    return dict(enumerate(tokens[::-1]))


PLOT_ATTENTION = Exercise(
    name="plot_attention",
    arguments=("weights", "source_tokens", "target_tokens", "ax"),
    properties=(
        Property(
            "gives back the Axes that it was given",
            _drawn_cases(lambda *_: figures.GIVEN, first=1),
            _of_drawing(lambda drawing: drawing.gave),
            _is("it gave {}"),
            suggests="axes-not-returned",
        ),
        Property(
            "draws a heatmap there, with a row for each target token and a column for each source token",
            _drawn_cases(lambda weights, *_: weights.double(), first=3),
            _of_drawing(_as_seen),
            has_shape,
            shows="the heatmap, as it is seen from the top left",
        ),
        Property(
            "each cell shows its own weight: the first target token on top, the first source token on the left",
            _drawn_cases(lambda weights, *_: weights.double(), first=3),
            _of_drawing(_as_seen),
            equals,
            suggests="other-numbers",
            shows="the heatmap, as it is seen from the top left",
        ),
        Property(
            "each column carries its source token",
            _drawn_cases(lambda weights, source, target: source),
            _of_drawing(_column_labels),
            _are_tokens("column"),
            suggests="labels-misplaced",
        ),
        Property(
            "each row carries its target token",
            _drawn_cases(lambda weights, source, target: target),
            _of_drawing(_row_labels),
            _are_tokens("row"),
            suggests="labels-misplaced",
        ),
        Property(
            "the colour scale runs from 0 to 1, whatever the weights",
            _drawn_cases(lambda *_: (0.0, 1.0), first=2),
            _of_drawing(lambda drawing: _heatmap(drawing).scale),
            _runs_from_0_to_1,
            suggests="scale-per-picture",
        ),
        Property(
            "both axes have a title",
            _drawn_cases(lambda *_: None, first=1),
            _of_drawing(_titles),
            _titles_fit,
            suggests="titles-missing",
        ),
        Property(
            "draws nowhere else, and opens no other figure",
            _drawn_cases(lambda *_: (), first=1),
            _of_drawing(lambda drawing: drawing.elsewhere),
            _draws_nowhere_else,
            suggests="global-figure",
        ),
        Property(
            "without `ax` it finds an Axes of its own, and gives that back",
            _drawn_without_axes,
            _of_drawing(_as_seen),
            equals,
            suggests="ax-required",
            shows="the heatmap, as it is seen from the top left",
        ),
        Property(
            "leaves its arguments as they were",
            _drawn_cases(lambda *_: ("weights", "source_tokens", "target_tokens"), first=1),
            _of_drawing(lambda drawing: drawing.changed),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
    ),
    misconceptions=(
        Misconception(
            "transposed",
            "rows and columns are exchanged",
            "Weights are `(target, source)`, and so is the picture: a row says where one *target* token looks. Yours has a row "
            "for each source token. matplotlib shows a matrix as it is printed: its first axis runs down.",
            (
                Sketch(is_transposed=True),
                Sketch(is_transposed=True, titles=("target", "source")),
                Sketch(shown=lambda w: w.mT),
            ),
        ),
        Misconception(
            "origin-at-the-bottom",
            "the first target token is at the bottom",
            "A translation is read from the top down, and so is its heatmap: the first target token's row is the top one. "
            "`origin`, or the direction of the y axis, decides where the first row goes (`pcolormesh` begins below).",
            (Sketch(is_upside_down=True), Sketch(shown=lambda w: w.flip(0))),
        ),
        Misconception(
            "labels-misplaced",
            "tick labels don't stand at their cells",
            "Your labels go to ticks that aren't at the middle of the cells, so a reader takes one token's weight for another's. "
            "`set_xticklabels` alone only writes on the ticks that happen to be there. "
            "Say *where* the ticks are, too: at the middle of each column and of each row.",
            (
                Sketch(columns=_one_too_far, rows=_one_too_far),
                Sketch(columns=_one_too_far),
                Sketch(rows=_one_too_far),
                Sketch(columns=_one_too_near, rows=_one_too_near),
                Sketch(columns=_one_too_near),
                Sketch(rows=_one_too_near),
                Sketch(columns=_at_the_edges, rows=_at_the_edges),
                Sketch(columns=_at_the_edges),
                Sketch(rows=_at_the_edges),
            ),
        ),
        Misconception(
            "labels-skipped",
            "some tokens of a long sentence have no label",
            "Where ticks are left to matplotlib, it puts as many as look well: with many tokens, only every second or third gets "
            "one. *Every* token needs a tick of its own.",
            (*(Sketch(columns=_every(step)) for step in (2, 3, 5)), Sketch(columns=_no_more_than_ten)),
        ),
        Misconception(
            "labels-missing",
            "rows or columns don't carry their tokens",
            "A heatmap says which *token* looks at which. Yours shows numbers at its ticks, or nothing. "
            "Source tokens belong to the columns, target tokens to the rows.",
            (
                Sketch(columns=_unlabelled, rows=_unlabelled),
                Sketch(columns=_unlabelled),
                Sketch(rows=_unlabelled),
                Sketch(columns=_unlabelled, rows=_unlabelled, titles=("", "")),
            ),
        ),
        Misconception(
            "labels-in-reverse",
            "the tokens run the wrong way",
            "The weights stand where they should, and the labels run the other way round, so every token gets another's weights.",
            (
                Sketch(columns=_backwards),
                Sketch(rows=_backwards),
            ),
        ),
        Misconception(
            "repeated-tokens-merged",
            "a token that occurs twice has one place for both",
            "Sentences repeat words. Where a *token* says where a row or a column goes, all its occurrences go to the same "
            "place. Positions are numbers; tokens are only written on them.",
            (
                *(Sketch(columns=each, rows=each) for each in (_once_each, _closed_up)),
                *(Sketch(columns=each) for each in (_once_each, _closed_up)),
                *(Sketch(rows=each) for each in (_once_each, _closed_up)),
            ),
        ),
        Misconception(
            "scale-per-picture",
            "the colour scale doesn't run from 0 to 1",
            "Left to itself, matplotlib stretches the colours from a picture's smallest number to its largest. Then the same blue "
            "means 0.2 here and 0.9 there, and weights that are all alike look as decided as any others. A weight lies "
            "between 0 and 1: fix *both* ends of the scale.",
            (
                Sketch(scale=lambda w: (w.min().item(), w.max().item())),
                Sketch(scale=lambda w: (0.0, w.max().item())),
                Sketch(scale=lambda w: (w.min().item(), 1.0)),
            ),
        ),
        Misconception(
            "other-numbers",
            "the cells don't show the weights",
            "What is drawn are other numbers than the weights that came in. A heatmap shows them as they are: don't "
            "stretch, round, sort or normalise them. Only the *colours* are matplotlib's to choose.",
            (
                Sketch(shown=lambda w: w / w.max()),
                Sketch(shown=lambda w: w / w.max(-1, keepdim=True).values),
                Sketch(shown=lambda w: (w - w.min()) / (w.max() - w.min())),
                Sketch(shown=lambda w: w.softmax(-1)),
                Sketch(shown=lambda w: w.flip(1)),
                Sketch(shown=lambda w: 100 * w, scale=lambda w: (0.0, 100.0)),
            ),
        ),
        Misconception(
            "titles-missing",
            "an axis has no title",
            "Whoever sees the picture alone can't know which side was read and which was written. "
            "Both axes need a title that says so.",
            (Sketch(titles=("", "")), Sketch(titles=("source", "")), Sketch(titles=("", "target"))),
        ),
        Misconception(
            "titles-exchanged",
            "the axes' titles are exchanged",
            "The columns, along the x axis, are the *source* (the keys); the rows, down the y axis, are the *target* (the queries).",
            (Sketch(titles=("target", "source")),),
        ),
        Misconception(
            "global-figure",
            "it draws elsewhere although it was given an Axes",
            "Functions of `plt` draw on whatever Axes was used last, anywhere in the notebook, or open a new figure. Whoever passes `ax` "
            "wants the picture *there*, perhaps as one of several. Which methods does the Axes itself have for all that you call `plt` for?",
            (
                Sketch(is_elsewhere=True, gave=figures.ANOTHER, elsewhere=(figures.CURRENT,)),
                Sketch(is_elsewhere=True, elsewhere=(figures.CURRENT,)),
                Sketch(columns=_unlabelled, rows=_unlabelled, titles=("", ""), elsewhere=(figures.CURRENT,)),
                Sketch(columns=_unlabelled, rows=_unlabelled, elsewhere=(figures.CURRENT,)),
                Sketch(titles=("", ""), elsewhere=(figures.CURRENT,)),
                Sketch(elsewhere=(figures.CURRENT,)),
                Sketch(is_elsewhere=True, gave=figures.ANOTHER, elsewhere=("a new figure",)),
                Sketch(is_elsewhere=True, elsewhere=("a new figure",)),
                Sketch(elsewhere=("a new figure",)),
            ),
        ),
        Misconception(
            "axes-not-returned",
            "what comes back isn't the Axes",
            "Whoever calls the function wants to go on with the picture: add a title, save its figure. "
            "For that the Axes has to be returned, not the figure, the image or nothing.",
            tuple(Sketch(gave=gave) for gave in ("None", "a Figure", "an AxesImage", "a QuadMesh", "a tuple")),
        ),
        Misconception(
            "ax-required",
            "it doesn't work without `ax`",
            "`ax` may be left out, and is `None` then. The function has to find itself an Axes: the current one, or a new figure's.",
            (Sketch(error=AttributeError), Sketch(error=TypeError)),
        ),
        Misconception(
            "writes-into-arguments",
            "the caller's weights or tokens are overwritten",
            "The picture is right, but the caller's weights or lists of tokens are no longer what they were. "
            "`insert`, `append` and operators such as `/=` write in place.",
            (Sketch(changed=(0,)), Sketch(changed=(1,)), Sketch(changed=(2,)), Sketch(changed=(1, 2))),
        ),
    ),
)


# --- What 2 and 3 share: sets of links -----------------------------------------------------------------------------

Link = tuple[int, int]


def _are_links(got: set[Link], want: set[Link]) -> str | None:
    """Judge that a set of links (target, source) is the wanted one."""
    if got == want:
        return None
    missing, extra = sorted(want - got), sorted(got - want)
    parts = [f"{missing[0]} is missing"] if missing else []
    parts += [f"{extra[0]} should not be there"] if extra else []
    return f"it gave {sorted(got) or 'no link'}: {', and '.join(parts)}"


# --- 2. hard_alignment ---------------------------------------------------------------------------------------------


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


def _rows(*rows: list[int]) -> Tensor:
    """Weights in eighths, which floating point holds exactly."""
    return torch.tensor(rows) / 8


def _largest(draw: Draw) -> Iterator[Case]:
    yield _links_case(_rows([1, 7]))
    yield _links_case(_rows([1, 4, 3], [5, 1, 2]))
    yield _links_case(_rows([1, 5, 2], [1, 6, 1], [0, 7, 1]))  # one source token for all
    for targets, sources in ((4, 2), (2, 5), (4, 4), (1, 3)):
        yield _links_case(draw.normal(targets, sources).softmax(-1))
    yield _links_case(draw.normal(3, 4).softmax(-1).double())


def _ties(draw: Draw) -> Iterator[Case]:
    yield _links_case(_rows([4, 4]))
    yield _links_case(_rows([2, 3, 3], [4, 0, 4]))
    yield _links_case(torch.full((2, 4), 0.25))


def _thresholds(draw: Draw) -> Iterator[Case]:
    yield _links_case(_rows([5, 3]), 0.25)
    yield _links_case(_rows([1, 4, 3], [6, 1, 1]), 0.3)
    yield _links_case(_rows([1, 2, 3, 2], [0, 0, 7, 1]), 0.2)
    for targets, sources in ((4, 2), (2, 5), (3, 3)):
        yield _links_case(draw.normal(targets, sources, scale=1.0).softmax(-1), 0.3)


def _at_the_threshold(draw: Draw) -> Iterator[Case]:
    yield _links_case(_rows([4, 4]), 0.5)
    yield _links_case(_rows([2, 5, 1], [6, 0, 2]), 0.25)


def _nothing_reaches_it(draw: Draw) -> Iterator[Case]:
    yield _links_case(_rows([4, 4]), 0.75)
    yield _links_case(_rows([3, 3, 2], [1, 7, 0]), 0.5)


def _threshold_of_0(draw: Draw) -> Iterator[Case]:
    yield _links_case(_rows([1, 7]), 0.0)
    yield _links_case(_rows([3, 5, 0], [0, 2, 6]), 0.0)


def _links_arguments(draw: Draw) -> Iterator[Case]:
    for threshold in (None, 0.25):
        yield Case((draw.normal(3, 4, scale=1.0).softmax(-1), threshold), ("weights", "threshold"))


def _links(answer: Callable, args: tuple) -> set[Link]:
    """Observe the set of pairs that the answer gives; left out where it is None, the threshold isn't mentioned."""
    weights, threshold = args
    result = answer(weights) if threshold is None else answer(weights, threshold)
    if not isinstance(result, set | frozenset):
        raise CannotObserve(f"it gave {_kind(result)}, not a set")
    for pair in result:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise CannotObserve(f"the set holds {_kind(pair)}, not pairs (target, source)")
        if not all(isinstance(position, Integral) for position in pair):
            raise CannotObserve("a pair holds something else than two whole numbers, such as tensors")
    return {(int(target), int(source)) for target, source in result}


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    size = f" of {len(value)}" if isinstance(value, tuple) else ""
    return f"a {'tensor' if isinstance(value, Tensor) else type(value).__name__}{size}"


def _linker(
    largest: Callable[[Tensor], set] = lambda w: {(t, int(s)) for t, s in enumerate(w.argmax(-1))},
    above: Callable[[Tensor, float], set] = lambda w, threshold: {
        tuple(p) for p in (w >= threshold).nonzero().tolist()
    },
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


HARD_ALIGNMENT = Exercise(
    name="hard_alignment",
    arguments=("weights", "threshold"),
    properties=(
        Property(
            "without a threshold: a pair (target, source) for each target token, to the source token of its largest weight",
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
            suggests="writes-into-weights",
        ),
    ),
    misconceptions=(
        Misconception(
            "argmax-over-targets",
            "the largest weight is sought among the target tokens",
            "Each *target* token looks for its source token: the largest weight of each row. You take the largest of each column, "
            "which asks of each source token who looks at it most.",
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
            "With a threshold a target token is linked to *every* source token whose weight reaches it, be it two, three or none. "
            "“not” is “ne … pas”: both links are real.",
            (
                _linker(above=lambda w, threshold: {(t, s) for t, s in _right_links(w) if w[t, s] >= threshold}),
                _linker(above=lambda w, threshold: {(t, s) for t, s in _right_links(w) if w[t, s] > threshold}),
            ),
        ),
        Misconception(
            "largest-always-linked",
            "the largest weight is linked although it doesn't reach the threshold",
            "The threshold takes the place of the largest weight: a target token that looks nowhere in particular has no link.",
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
            "0 is a number like any other, but `if threshold` is false for it, and `threshold or …` as well. What is left out is "
            "`None`: ask for that.",
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
            "Without a threshold each target token has exactly *one* link. Of several largest weights the first counts.",
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
        Misconception(
            "counts-from-1",
            "positions are counted from 1",
            "The first token has position 0, as everywhere in Python.",
            (lambda weights, threshold=None: {(t + 1, s + 1) for t, s in _right_links(weights, threshold)},),
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
            "Two tensors are the same member of a set only if they are the same *object*: a set of them never contains what you "
            "look for. `.item()`, `int(…)` and `.tolist()` make Python's numbers of them.",
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
        Misconception(
            "writes-into-weights",
            "the caller's weights are overwritten",
            "The links are right, but the caller's weights are no longer what they were. Which of your operations writes in place?",
            (_overwrite_weights,),
        ),
        NOTHING_RETURNED,
    ),
)


# --- 3. alignment_error_rate ---------------------------------------------------------------------------------------


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


def _aer_arguments(draw: Draw) -> Iterator[Case]:
    sure = _draw_links(draw, 3, _GRID)
    possible = sure | _draw_links(draw, 3, _GRID)
    yield Case((_draw_links(draw, 5, _GRID), sure, possible), ("predicted", "sure", "possible"))


def _rate(answer: Callable, args: tuple) -> float:
    """Observe the error rate."""
    result = answer(*map(set, args))
    if not isinstance(result, Real) or isinstance(result, bool):
        raise CannotObserve(f"it gave {_kind(result)}, not a float")
    return float(result)


def _refusal(answer: Callable, args: tuple) -> str:
    """Observe whether the answer refuses its arguments, and whether it says which."""
    try:
        result = answer(*map(set, args))
    except ValueError as error:
        words = str(error).casefold()
        return "a ValueError that names an argument" if "sure" in words or "possible" in words else "a ValueError"
    raise CannotObserve(
        f"no ValueError was raised: it gave {number(result) if isinstance(result, Real) else _kind(result)}"
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


def _refuses_without_words(predicted: set, sure: set, possible: set) -> None:
    if not sure <= possible:
        raise ValueError("wrong input")


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


ALIGNMENT_ERROR_RATE = Exercise(
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
            suggests="writes-into-sets",
        ),
    ),
    misconceptions=(
        Misconception(
            "one-minus-f1",
            "it is 1 − F1, with one kind of gold link only",
            "F1 knows one set of right links. Here there are two: a predicted link is fine if it is *possible*, and only *sure* "
            "links have to be found. Which of the two does each intersection ask about?",
            (
                _rater(lambda a, s, p: _f1_error(a, s)),
                _rater(lambda a, s, p: _f1_error(a, s), is_empty=lambda a, s, p: not a or not s, empty=1.0),
            ),
        ),
        Misconception(
            "possible-counted-as-sure",
            "possible links are counted as if they were sure",
            "A link that is only possible *may* be predicted; nobody has to. You count it among those that have to be found, in "
            "the numerator or in the denominator.",
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
            "The formula isn't symmetric in its three sets: the predicted links A stand in both intersections, the sure links S "
            "and the possible links P in one each, and the denominator has |A| and |S|. Hold yours against it letter by letter.",
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
            "AER adds up the numerators and the denominators and divides *once*. A mean of two ratios is something else, be it plain "
            "or harmonic.",
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
            "A sentence may have no sure link, or an aligner may predict none. With neither there is nothing to be wrong about, and "
            "the rate is 0; with one of the two, the formula itself says what it is.",
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
            "Every sure link has to be possible, too. Where that isn't so, the gold alignment is broken (or the arguments are in "
            "the wrong order), and any number would mislead: raise a ValueError that says so. An `assert` raises another error.",
            (
                _rater(refuse=lambda a, s, p: None),
                _rater(lambda a, s, p: _right_rate(a, s, s | p), refuse=lambda a, s, p: None),
            ),
        ),
        Misconception(
            "wordless-refusal",
            "the ValueError doesn't say what is wrong",
            "Whoever meets the error has three arguments to look at. A good message names the argument, says what was expected "
            "of it, and perhaps what was found.",
            (_rater(refuse=_refuses_without_words),),
        ),
        Misconception(
            "not-a-float",
            "what comes back isn't a float",
            "A rate is a plain Python number: nothing is to be differentiated here.",
            (lambda predicted, sure, possible: torch.tensor(_right_rate(predicted, sure, possible)),),
        ),
        Misconception(
            "wrong-sets-refused",
            "it refuses what is perfectly in order",
            "Only *sure* links have to be possible. A predicted link may be neither (then it is wrong), and a possible link need "
            "not be sure.",
            (
                _rater(refuse=lambda a, s, p: _refuses(s, p, s)),
                _rater(refuse=lambda a, s, p: (_refuses(a, s, p), _refuses(s, a, p))),
                _rater(refuse=lambda a, s, p: (_refuses(a, s, p), _refuses(s, a, s))),
            ),
        ),
        Misconception(
            "writes-into-sets",
            "the caller's sets are changed",
            "`|=`, `-=`, `add`, `update` and `discard` change the set itself, and it is the caller's.",
            (_swallow(0), _swallow(1), _swallow(2)),
        ),
        NOTHING_RETURNED,
    ),
)


# --- 4. ablate_source ----------------------------------------------------------------------------------------------


def _ablation_oracle(weights: Tensor, position: int) -> Tensor:
    rows = []
    for row in weights.double().tolist():
        rest = sum(weight for source, weight in enumerate(row) if source != position)
        others = len(row) - 1
        rows.append(
            [0.0 if source == position else weight / rest if rest else 1 / others for source, weight in enumerate(row)]
        )
    return torch.tensor(rows).to(weights.dtype)


def _ablation_case(weights: Tensor, position: int) -> Case:
    return Case((weights, position), _ablation_oracle(weights, position))


def _spread(draw: Draw) -> Iterator[Case]:
    yield _ablation_case(_rows([2, 6]), 1)
    yield _ablation_case(_rows([2, 2, 4]), 2)
    yield _ablation_case(_rows([4, 1, 3], [1, 5, 2], [2, 2, 4]), 0)
    yield _ablation_case(_rows([4, 1, 3], [0, 5, 3]), 0)  # a row with nothing there stays as it is
    for targets, sources, position in ((4, 2, 0), (2, 5, 3), (3, 4, 1), (1, 3, 2)):
        yield _ablation_case(draw.normal(targets, sources, scale=1.0).softmax(-1), position)


def _removed(draw: Draw) -> Iterator[Case]:
    for case in _spread(draw):
        weights, _ = case.args
        yield Case(case.args, torch.zeros(len(weights)))


def _all_its_weight(draw: Draw) -> Iterator[Case]:
    yield _ablation_case(_rows([8, 0]), 0)
    yield _ablation_case(_rows([0, 8, 0, 0]), 1)
    yield _ablation_case(_rows([0, 0, 8], [4, 1, 3], [0, 8, 0]), 2)
    yield _ablation_case(_rows([8, 0, 0, 0], [5, 1, 2, 0]), 0)


def _nearly_all_its_weight(draw: Draw) -> Iterator[Case]:
    yield _ablation_case(torch.tensor([[0.9, 0.075, 0.025]], dtype=torch.float64), 0)
    yield _ablation_case(torch.tensor([[0.00075, 0.999, 0.00025, 0.0], [0.3, 0.1, 0.2, 0.4]], dtype=torch.float64), 1)


def _ablation_arguments(draw: Draw) -> Iterator[Case]:
    yield Case((_rows([2, 2, 4], [8, 0, 0]), 2), ("weights", "position"))
    yield Case((_rows([0, 8, 0]), 1), ("weights", "position"))


def _ablation_types(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        yield _ablation_case(_rows([2, 2, 4], [0, 0, 8], [3, 4, 1]).to(dtype), 2)


def _removed_column(answer: Callable, args: tuple) -> Any:
    """Observe the column of the position that was to be removed."""
    result = output(answer, args)
    return result[:, args[1]] if isinstance(result, Tensor) and result.shape == args[0].shape else result


def _ablater(
    remove: Callable[[Tensor, int], Tensor] = lambda w, position: w.index_fill(1, torch.tensor(position), 0.0),
    renormalise: Callable[[Tensor], Tensor] = lambda rest: rest / rest.sum(-1, keepdim=True),
    is_bare: Callable[[Tensor], Tensor] = lambda rest: rest.sum(-1, keepdim=True) == 0,
    uniform: Callable[[Tensor, int], Tensor] = lambda w, position: _uniform(w, position),
) -> Callable:
    """An ablation, right but for what is said here."""

    def ablate(weights, position):
        rest = remove(weights.detach().clone(), position)
        return torch.where(is_bare(rest), uniform(weights, position), renormalise(rest))

    return ablate


def _uniform(weights: Tensor, position: int) -> Tensor:
    others = torch.ones_like(weights).index_fill(1, torch.tensor(position), 0.0)
    return others / (weights.shape[1] - 1)


def _never(rest: Tensor) -> Tensor:
    return torch.zeros(len(rest), 1, dtype=torch.bool)


_right_ablation = _ablater()


def _ablate_in_place(weights, position):
    ablated = _right_ablation(weights, position)
    weights[:, position] = 0
    return ablated


def _shared_equally(weights, position):
    removed = weights[:, position].unsqueeze(-1)
    return (weights + removed / (weights.shape[1] - 1)).index_fill(1, torch.tensor(position), 0.0)


def _to_the_largest(weights, position):
    rest = weights.index_fill(1, torch.tensor(position), 0.0)
    return rest.scatter_add(1, rest.argmax(-1, keepdim=True), weights[:, position].unsqueeze(-1))


def _row_removed(weights, position):
    rest = weights.clone()
    rest[min(position, len(weights) - 1)] = 0
    return rest / rest.sum(-1, keepdim=True).clamp_min(1e-9)


ABLATE_SOURCE = Exercise(
    name="ablate_source",
    arguments=("weights", "position"),
    properties=(
        Property("gives weights of the same shape", _spread, output, has_shape),
        Property("no row has any weight left at the position", _removed, _removed_column, equals),
        Property("the other weights keep their proportions, and each row sums to 1", _spread, output, equals),
        Property(
            "a row that had all its weight there becomes uniform over the others",
            _all_its_weight,
            output,
            equals,
            suggests="bare-row",
        ),
        Property(
            "a row that had nearly all its weight there keeps its proportions", _nearly_all_its_weight, output, equals
        ),
        Property(
            "leaves the weights that came in as they were",
            _ablation_arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="input-changed",
        ),
        Property("keeps the type: float64, float16 and bfloat16 work", _ablation_types, output, equals),
    ),
    misconceptions=(
        Misconception(
            "not-renormalised",
            "the rows no longer sum to 1",
            "Without its column a row sums to less than 1, and the context vector comes out too short. Then a change of the output "
            "may be due to that, not to the missing token. What is left has to share the whole weight of 1.",
            (
                _ablater(renormalise=lambda rest: rest),
                _ablater(renormalise=lambda rest: rest, is_bare=_never),
            ),
        ),
        Misconception(
            "nan-row",
            "a row that had all its weight there is NaN",
            "Nothing is left of that row, and 0 / 0 is NaN. From there it spreads to everything that the model computes.",
            (_ablater(is_bare=_never),),
        ),
        Misconception(
            "bare-row",
            "a row that had all its weight there isn't uniform over the others",
            "Such a row says nothing about the other tokens, so each of them gets the same weight, and the removed one none. "
            "Yours is left empty, or the removed token gets its share.",
            (
                _ablater(renormalise=lambda rest: rest / (rest.sum(-1, keepdim=True) + 1e-12), is_bare=_never),
                _ablater(uniform=lambda w, position: torch.full_like(w, 1 / w.shape[1])),
                _ablater(uniform=lambda w, position: torch.full_like(w, 1 / (w.shape[1] - 1))),
                _ablater(uniform=lambda w, position: _uniform(w, position) * (w.shape[1] - 1) / w.shape[1]),
                _ablater(uniform=lambda w, position: w),
                _ablater(uniform=lambda w, position: _uniform(w, position).cumsum(-1).eq(0).float().flip(-1)),
            ),
        ),
        Misconception(
            "all-rows-uniform",
            "one row without any weight left makes every row uniform",
            "Each row is a target token's own: only the rows that have lost everything become uniform.",
            (_ablater(is_bare=lambda rest: (rest.sum(-1, keepdim=True) == 0).any().expand(len(rest), 1)),),
        ),
        Misconception(
            "nearly-all-taken-for-all",
            "a row that had nearly all its weight there becomes uniform, too",
            "However little is left, it says how the others compare. Only a row with *nothing* left becomes uniform.",
            (
                _ablater(is_bare=lambda rest: rest.sum(-1, keepdim=True) < 0.05),
                _ablater(is_bare=lambda rest: rest.sum(-1, keepdim=True) < 0.15),
                _ablater(renormalise=lambda rest: rest / (rest.sum(-1, keepdim=True) + 1e-3)),
                _ablater(renormalise=lambda rest: rest / rest.sum(-1, keepdim=True).clamp_min(0.05)),
            ),
        ),
        Misconception(
            "shared-equally",
            "the removed weight is handed out in equal parts, or to one token",
            "To renormalise is to *divide* each row by its sum: what was twice as large stays twice as large. "
            "Adding something to the others changes their proportions.",
            (_shared_equally, _to_the_largest),
        ),
        Misconception(
            "softmax-again",
            "the rest goes through a softmax a second time",
            "A softmax turns *scores* into weights. These are weights already, and a second softmax makes them more alike: "
            "dividing by the sum is all that is needed.",
            (
                lambda weights, position: weights.index_fill(1, torch.tensor(position), -torch.inf).softmax(-1),
                lambda weights, position: weights.index_fill(1, torch.tensor(position), 0.0).softmax(-1),
                _ablater(renormalise=lambda rest: rest.masked_fill(rest == 0, -torch.inf).softmax(-1)),
            ),
        ),
        Misconception(
            "wrong-axis",
            "the wrong axis is set to 0, or summed over",
            "Weights are `(target, source)`. The source token is a *column*, and what has to sum to 1 again is each row.",
            (
                _row_removed,
                _ablater(remove=lambda w, position: w.index_fill(0, torch.tensor(position), 0.0)),
                _ablater(renormalise=lambda rest: rest / rest.sum(0, keepdim=True).clamp_min(1e-9)),
                _ablater(renormalise=lambda rest: rest / rest.sum()),
                _ablater(renormalise=lambda rest: rest / rest.sum() * len(rest)),
                _ablater(renormalise=lambda rest: rest / rest[0].sum()),
            ),
        ),
        Misconception(
            "column-cut-out",
            "the column is gone",
            "The shape stays `(target, source)`: the model still has that source token, and meets it with weight 0.",
            (
                lambda weights, position: (
                    torch.cat([weights[:, :position], weights[:, position + 1 :]], 1)
                    / (1 - weights[:, position : position + 1])
                ),
            ),
        ),
        Misconception(
            "another-column",
            "another column is removed",
            "Positions are counted from 0, and `position` is the one that has to go.",
            (
                lambda weights, position: _right_ablation(weights, (position - 1) % weights.shape[1]),
                lambda weights, position: _right_ablation(weights, (position + 1) % weights.shape[1]),
                lambda weights, position: _right_ablation(weights, int(weights.sum(0).argmax())),
            ),
        ),
        Misconception(
            "input-changed",
            "the caller's weights are overwritten",
            "The result is right, but the caller's weights have lost their column, too, so there is nothing left to compare "
            "with. `weights[:, position] = 0` writes into the tensor that came in: work on a copy.",
            (_ablate_in_place,),
        ),
        Misconception(
            "type-changed",
            "the weights have another type than those that came in",
            "What comes back has the type of what went in: float16 in, float16 out.",
            (
                lambda weights, position: _right_ablation(weights.float(), position),
                lambda weights, position: _right_ablation(weights.double(), position),
                _ablater(uniform=lambda w, position: _uniform(w.float(), position)),
            ),
        ),
        NOTHING_RETURNED,
    ),
)

EXERCISES = (PLOT_ATTENTION, HARD_ALIGNMENT, ALIGNMENT_ERROR_RATE, ABLATE_SOURCE)
