"""`sliding_window_mask`: what a right answer does, and the mistakes that people make."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import at_any_size, each_for_itself, equals, has_shape, output
from helpers.checks.spoiling import remembering, stopping_at_64


def _oracle(length: int, window: int) -> Tensor:
    """Place by place."""
    rows = [[0 <= query - key < window for key in range(length)] for query in range(length)]
    return torch.tensor(rows)


def _masks_of(*sizes: tuple[int, int]) -> Callable[[Draw], Iterator[Case]]:
    return lambda draw: (Case(size, _oracle(*size)) for size in sizes)


def _mask(keep: Callable) -> Callable:
    """A mask by a rule for the distance, query − key, and the window."""

    def mask(length: int, window: int) -> Tensor:
        at = torch.arange(length)
        return keep(at.unsqueeze(1) - at, window)

    return mask


_right = _mask(lambda distance, window: (distance >= 0) & (distance < window))


EXERCISE = Exercise(
    name="sliding_window_mask",
    arguments=("length", "window"),
    properties=(
        Property(
            "has a row for each query and a column for each key: (length, length)",
            _masks_of((2, 1), (1, 1), (4, 2)),
            output,
            has_shape,
        ),
        Property("with a window of 1 a query sees itself alone", _masks_of((1, 1), (2, 1), (4, 1)), output, equals),
        Property(
            "a query sees the last `window` positions, its own included (True), and no others (False)",
            _masks_of((3, 2), (4, 2), (5, 3), (7, 4), (6, 2)),
            output,
            equals,
        ),
        Property(
            "a window may be as long as the sequence, or longer",
            _masks_of((2, 2), (3, 3), (3, 5), (1, 4), (4, 100)),
            output,
            equals,
        ),
        each_for_itself(_masks_of((4, 2), (3, 1), (5, 3)), another=lambda args: (args[0] + 1, args[1] + 1)),
        at_any_size(_masks_of((67, 5), (131, 71), (101, 97))),
    ),
    misconceptions=(
        Misconception(
            "window-too-long",
            "the window has a key too many",
            "A window of 2 is two keys: the query's own position and the one before it. Count the True in a row of "
            "yours.",
            (
                _mask(lambda distance, window: (distance >= 0) & (distance <= window)),
                lambda length, window: torch.ones(length, length, dtype=torch.bool).tril().triu(-window),
            ),
        ),
        Misconception(
            "window-too-short",
            "the window has a key too few",
            "A window of 2 is two keys: the query's own position counts as one of them. With a window of 1 yours has "
            "nothing left.",
            (
                _mask(lambda distance, window: (distance >= 0) & (distance < window - 1)),
                _mask(lambda distance, window: (distance > 0) & (distance < window)),
            ),
        ),
        Misconception(
            "own-position-missing",
            "a query doesn't see its own position",
            "The distance from a query to itself is 0, and that lies in the window: 0 ≤ query − key.",
            (_mask(lambda distance, window: (distance > 0) & (distance <= window)),),
        ),
        Misconception(
            "looks-ahead",
            "the window reaches to the right as well",
            "A query sees what came *before* it, and itself. Yours also sees keys that come after it, which a model "
            "that writes doesn't have yet.",
            (
                _mask(lambda distance, window: distance.abs() < window),
                _mask(lambda distance, window: distance.abs() <= window),
                _mask(lambda distance, window: distance < window),
                _mask(lambda distance, window: distance.abs() <= window // 2),
            ),
        ),
        Misconception(
            "window-ahead",
            "the window lies on the wrong side",
            "Rows are queries and columns are keys. In yours the window begins at the query and goes on into the "
            "future.",
            (
                _mask(lambda distance, window: (distance <= 0) & (distance > -window)),
                _mask(lambda distance, window: (distance <= 0) & (distance >= -window)),
            ),
        ),
        Misconception(
            "no-window",
            "the window has no effect",
            "That is the causal mask: every query sees everything before it, however far back. Where does `window` "
            "come in?",
            (_mask(lambda distance, window: distance >= 0),),
        ),
        Misconception(
            "only-the-far-end",
            "only the key at the window's far end is left",
            "All keys of the window may be attended to, not just the one that lies furthest back.",
            (
                _mask(lambda distance, window: distance == window - 1),
                _mask(lambda distance, window: distance == window),
            ),
        ),
        Misconception(
            "in-chunks",
            "the sequence is cut into pieces",
            "The window slides: it belongs to a *query*, and ends there. In yours a query at the start of a piece sees "
            "nothing of the piece before.",
            (
                lambda length, window: (
                    torch.arange(length).unsqueeze(1) // window == torch.arange(length) // window
                ).tril(),
                lambda length, window: torch.arange(length).unsqueeze(1) // window == torch.arange(length) // window,
            ),
        ),
        mistakes.INVERTED_MASK.explained(
            "True means *may attend*. Yours is True outside of the window, and False in it.",
            lambda length, window: ~_right(length, window),
            _mask(lambda distance, window: (distance >= 0) & (distance >= window)),
        ),
        mistakes.NOT_BOOLEAN.explained(
            "A mask says True or False. Ones and zeros, or 0 and −∞ to be added to scores, are other kinds of mask.",
            lambda length, window: _right(length, window).float(),
            lambda length, window: _right(length, window).long(),
            lambda length, window: _right(length, window).int(),
            lambda length, window: torch.zeros(length, length).masked_fill(~_right(length, window), -torch.inf),
        ),
        mistakes.AXIS_LEFT_OVER.explained(
            "What is asked for is (length, length): batch and heads can be broadcast over it.",
            lambda length, window: _right(length, window)[None],
            lambda length, window: _right(length, window)[None, None],
        ),
        Misconception(
            "as-wide-as-the-window",
            "there is a column for each place in the window, not for each key",
            "A mask is laid over the scores, so it has as many columns as there are keys.",
            (
                lambda length, window: torch.ones(length, window, dtype=torch.bool),
                lambda length, window: torch.ones(length, window, dtype=torch.bool).tril(),
            ),
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(_right)),
        mistakes.SMALL_SIZES_ONLY.row(stopping_at_64(_right)),
        mistakes.nothing_returned(),
    ),
)
