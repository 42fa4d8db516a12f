"""`plot_attention`: what a right answer does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor

from helpers.checks import figures
from helpers.checks.engine import CannotObserve, Case, Draw, Exercise, Property
from helpers.checks.figures import Drawing, Heatmap, Picture, Side
from helpers.checks.judging import equals, has_shape, leaves_arguments_alone, number
from helpers.checks.lab07_alignment_heatmaps.plot_attention_mistakes import MISTAKES, Sketch


@dataclass(frozen=True, eq=False)
class Place:
    """Where an answer draws in a case: on an Axes that it is given, or where it likes.

    An answer draws once in each place. All the properties look at that one drawing: figures take time.
    """

    on_axes: bool
    _drawings: dict[Callable, Drawing] = field(default_factory=dict)

    def __str__(self) -> str:
        return "an Axes (not the current one)" if self.on_axes else "left out"

    def drawing(self, answer: Callable, *arguments: Any) -> Drawing:
        if answer not in self._drawings:
            draw: Callable = answer.drawing if isinstance(answer, Sketch) else partial(figures.draw, answer)
            self._drawings[answer] = draw(*arguments, self.on_axes)
        return self._drawings[answer]


@lru_cache(maxsize=1)
def _sentences(draw: Draw) -> list[tuple]:
    """The arguments of each case, the same for every property of one check."""

    def weights(targets: int, sources: int) -> Tensor:
        return draw.normal(targets, sources, scale=1.0).softmax(-1)

    unseen = torch.tensor([0.0, 0.125, 0.875, 0.0])
    long = ["they", "did", "not", "see", "the", "big", "red", "bus", "that", "stopped", "at", "the", "old", "bridge"]
    return [
        (weights(2, 3), ["a", "red", "car"], ["une", "voiture"], Place(True)),
        (weights(3, 3).double(), ["the", "more", "the"], ["plus", "on", "plus"], Place(True)),  # tokens come back
        (unseen.expand(1, 4).clone(), ["it", "is", "raining", "."], ["pleut"], Place(True)),  # columns of nothing but 0
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


def _picture(drawing: Drawing) -> Picture:
    if drawing.picture is None:
        raise CannotObserve(f"it gave {drawing.gave}, not the Axes with the picture")
    return drawing.picture


def _heatmap(drawing: Drawing) -> Heatmap:
    heatmaps = _picture(drawing).heatmaps
    if not heatmaps:
        raise CannotObserve("there is no heatmap on the Axes (no matrix of numbers shown as colours)")
    if len(heatmaps) > 1:
        raise CannotObserve(f"there are {len(heatmaps)} heatmaps on the Axes, one over the other")
    return heatmaps[0]


def _as_seen(drawing: Drawing) -> Tensor:
    """The heatmap's numbers from the top left on, as they lie on the screen."""
    heatmap, picture = _heatmap(drawing), _picture(drawing)
    rows, columns = _from_the_top(heatmap.y, picture.y), _from_the_left(heatmap.x, picture.x)
    return heatmap.values[rows][:, columns]


def _from_the_left(middles: Tensor, side: Side) -> Tensor:
    left, right = side.limits
    return middles.argsort(descending=left > right)


def _from_the_top(middles: Tensor, side: Side) -> Tensor:
    bottom, top = side.limits
    return middles.argsort(descending=top > bottom)


def _column_labels(drawing: Drawing) -> tuple[str, ...]:
    middles, side = _heatmap(drawing).x, _picture(drawing).x
    return _labels(middles[_from_the_left(middles, side)], side)


def _row_labels(drawing: Drawing) -> tuple[str, ...]:
    middles, side = _heatmap(drawing).y, _picture(drawing).y
    return _labels(middles[_from_the_top(middles, side)], side)


def _labels(middles: Tensor, side: Side) -> tuple[str, ...]:
    """The text at the middle of each cell, in order; then the texts that stand at no cell's middle.

    Numbers are what matplotlib writes by itself, and no labels here.
    """
    width = abs(side.limits[1] - side.limits[0]) / len(middles)
    texts = [(place, text.strip()) for place, text in side.labels if not _is_number(text)]
    at_cells = [[text for place, text in texts if abs(place - middle) < 0.2 * width] for middle in middles.tolist()]
    strays = [text for place, text in texts if (middles - place).abs().min() >= 0.2 * width]
    return (*(" + ".join(labels) for labels in at_cells), *strays)


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


def _what_labels_show(got: tuple[str, ...], case: Case) -> str | None:
    """The misconception that labels give away: they are the other side's, or their own side's in the wrong places."""
    _, source, target, _ = case.args
    own, other = (source, target) if case.want == source else (target, source)
    shown = {token for label in got for token in label.split(" + ")}
    if shown & set(own):
        return "labels-misplaced"
    return "labels-exchanged" if shown & set(other) else None


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
    picture = _picture(drawing)
    return picture.x.title, picture.y.title


EXERCISE = Exercise(
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
            suggests=_what_labels_show,
        ),
        Property(
            "each row carries its target token",
            _drawn_cases(lambda weights, source, target: target),
            _of_drawing(_row_labels),
            _are_tokens("row"),
            suggests=_what_labels_show,
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
    misconceptions=MISTAKES,
)
