"""The mistakes that people make in `plot_attention`, each with the wrong implementations that show it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from helpers.checks import figures, mistakes
from helpers.checks.engine import Misconception
from helpers.checks.figures import Drawing, Heatmap, Picture, Side


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
    are_labels_exchanged: bool = False
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
        if self.are_labels_exchanged:
            source_tokens, target_tokens = target_tokens[: shown.shape[1]], source_tokens[: shown.shape[0]]
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


MISTAKES = (
    Misconception(
        "transposed",
        "rows and columns are exchanged",
        "Weights are `(target, source)`, and so is the picture: a row says where one *target* token looks. Yours has "
        "a row for each source token. matplotlib shows a matrix as it is printed: its first axis runs down.",
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
        "Your labels go to ticks that aren't at the middle of the cells, so a reader takes one token's weight for "
        "another's. `set_xticklabels` alone only writes on the ticks that happen to be there. Say *where* the ticks "
        "are, too: at the middle of each column and of each row.",
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
        "labels-exchanged",
        "rows carry source tokens, columns target tokens",
        "The weights stand where they should, and the tokens are on each other's side. A row belongs to a *target* "
        "token, which looks; a column to a *source* token, which is looked at.",
        (Sketch(are_labels_exchanged=True),),
    ),
    Misconception(
        "labels-skipped",
        "some tokens of a long sentence have no label",
        "Where ticks are left to matplotlib, it puts as many as look well: with many tokens, only every second or "
        "third gets one. *Every* token needs a tick of its own.",
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
        "The weights stand where they should, and the labels run the other way round, so every token gets another's "
        "weights.",
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
            *(Sketch(columns=placed, rows=placed) for placed in (_once_each, _closed_up)),
            *(Sketch(columns=placed) for placed in (_once_each, _closed_up)),
            *(Sketch(rows=placed) for placed in (_once_each, _closed_up)),
        ),
    ),
    Misconception(
        "scale-per-picture",
        "the colour scale doesn't run from 0 to 1",
        "Left to itself, matplotlib stretches the colours from a picture's smallest number to its largest. Then the "
        "same blue means 0.2 here and 0.9 there, and weights that are all alike look as decided as any others. A "
        "weight lies between 0 and 1: fix *both* ends of the scale.",
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
        "From the picture alone nobody can tell which side was read and which was written. Both axes need a title "
        "that says so.",
        (Sketch(titles=("", "")), Sketch(titles=("source", "")), Sketch(titles=("", "target"))),
    ),
    Misconception(
        "titles-exchanged",
        "the axes' titles are exchanged",
        "The columns, along the x axis, are the *source* (the keys); the rows, down the y axis, are the *target* (the "
        "queries).",
        (Sketch(titles=("target", "source")),),
    ),
    Misconception(
        "global-figure",
        "it draws elsewhere although it was given an Axes",
        "Functions of `plt` draw on whatever Axes was used last, anywhere in the notebook, or open a new figure. A "
        "caller who passes `ax` wants the picture *there*, perhaps as one of several. Which methods does the Axes "
        "itself have for all that you call `plt` for?",
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
        "The caller may want to go on with the picture: add a title, save its figure. For that the Axes has to be "
        "returned, not the figure, the image or nothing.",
        tuple(Sketch(gave=gave) for gave in ("None", "a Figure", "an AxesImage", "a QuadMesh", "a tuple")),
    ),
    Misconception(
        "ax-required",
        "it doesn't work without `ax`",
        "`ax` may be left out, and is `None` then. The function has to find itself an Axes: the current one, or a new "
        "figure's.",
        (Sketch(error=AttributeError), Sketch(error=TypeError)),
    ),
    mistakes.WRITES_INTO_ARGUMENTS.explained(
        "The picture is right, but the caller's weights or lists of tokens are no longer what they were. "
        "`insert`, `append` and operators such as `/=` write in place.",
        Sketch(changed=(0,)),
        Sketch(changed=(1,)),
        Sketch(changed=(2,)),
        Sketch(changed=(1, 2)),
    ),
)
