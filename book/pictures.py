"""The mistakes that can be seen: what a wrong implementation makes of one small input, beside what is right.

An exercise whose result is a matrix, a mask, links or tokens, or that draws one, has small inputs here. A mistake is
shown on the first of them on which it can be seen. The others (a gradient, a type, an error) are seen as their report
shows them: see `pairs`.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from book.drawings import (
    CROSSING,
    DRAWING_INPUTS,
    ENGLISH,
    FRENCH,
    LINK_INPUTS,
    Input,
    Picture,
    draw_drawings,
    draw_links,
    drawn,
    drawn_otherwise,
    find_links,
)
from book.pairs import Pair, Table
from helpers.attention import (
    AdditiveScore,
    AttentionPooling,
    BilinearScore,
    causal_mask,
    kernel_regression,
    length_mask,
    masked_softmax,
    scaled_dot_product_attention,
)
from helpers.checks.engine import Exercise, Misconception
from helpers.checks.lab05_seq2seq_attention.shared import Slow
from helpers.checks.lab07_alignment_heatmaps.plot_attention_mistakes import Sketch
from helpers.checks.modules import Built
from helpers.language_model import cached_attention, next_token_targets
from helpers.long_contexts import attend_in_blocks, grouped_query_attention, online_step, sliding_window_mask
from helpers.metrics import hard_alignment
from helpers.positions import rotate
from helpers.running_example import KEYS, QUERIES, TOKENS, VALUES
from helpers.seq2seq import shift_right
from helpers.transformer import sinusoidal_positions


def draw(exercise: Exercise, misconception: Misconception) -> Picture | Pair | None:
    """Show a mistake beside what is right, if it can be seen on one of the exercise's inputs."""
    kind = _KINDS.get(exercise.name)
    if kind is None:
        return None
    for given in sorted(kind.inputs, key=lambda given: misconception.id not in given.best_for):
        right = kind.look(kind.right, given)
        for wrong in misconception.wrong:
            try:
                seen = kind.look(wrong, given)
            except Exception:  # a mistake that ends in an error, or gives another thing, can't be seen
                continue
            if kind.differ(seen, right):
                return kind.draw(seen, right, given)
    return None


@dataclass(frozen=True)
class _Kind:
    """How an exercise's results are looked at, compared and drawn."""

    inputs: Sequence[Input]
    right: Any
    look: Callable[[Any, Input], Any]
    differ: Callable[[Any, Any], bool]
    draw: Callable[[Any, Any, Input], Picture | Pair]


# --- Matrices: weights and masks -----------------------------------------------------------------------------------


def _matrices(part: Callable, build: Callable) -> Callable[[Callable, Input], Tensor]:
    """Look at what comes back as a stack of matrices, one for each sentence.

    `part` says which part of the result, and `build` what to call where the answer is a class.
    """

    def look(answer: Callable, given: Input) -> Tensor:
        matrices = part(build(answer)(*copy.deepcopy(given.args))).detach().float()  # which it may write into
        return matrices.reshape(len(given.rows), len(given.rows[0]), len(given.columns[0]))

    return look


def _far_apart(seen: Tensor, right: Tensor) -> bool:
    """Whether two stacks differ by what can be seen in numbers with two decimals."""
    return not torch.allclose(seen, right, atol=0.005, rtol=0.0)


def _lay_matrices_out(seen: Tensor, right: Tensor, given: Input) -> Pair:
    sides = zip(seen.tolist(), right.tolist(), given.rows, given.columns, strict=True)
    return Pair([Table(*each) for each in sides], given.words)


_PAIR, _PADDED = ("red", "car"), ("red", "car", "<pad>", "<pad>")
# As in notebook 01: the padding is not silent, and "car" likes what it finds there.
_PAD_QUERY, _PAD_KEY, _PAD_VALUE = torch.zeros(4), torch.tensor([0.0, 2.0, 2.0, 0.0]), torch.tensor([5.0, 5.0])


def _pad(vectors: Tensor, padding: Tensor) -> Tensor:
    return torch.cat([vectors[1:3], padding.expand(2, -1)])


_QUERIES = torch.stack([QUERIES, _pad(QUERIES, _PAD_QUERY)])
_KEYS = torch.stack([KEYS, _pad(KEYS, _PAD_KEY)])
_VALUES = torch.stack([VALUES, _pad(VALUES, _PAD_VALUE)])


def _score_inputs(make: Callable[[Tensor, Tensor, Tensor], tuple]) -> list[Input]:
    """The running example in five forms; `make` has queries, keys and values, and gives the first arguments."""
    sentence, both = make(_QUERIES[:1], _KEYS[:1], _VALUES[:1]), make(_QUERIES, _KEYS, _VALUES)
    pair = make(_QUERIES[1:, :2], _KEYS[1:], _VALUES[1:])
    two, each, none = torch.tensor([2]), torch.tensor([[1, 2, 3, 4]]), torch.tensor([0])
    return [
        Input("Two words and two steps of padding.", (*pair, two), [_PAIR], [_PADDED]),
        Input("Four words, without lengths.", (*sentence, None), [TOKENS], [TOKENS]),
        Input(
            "A batch of two sentences, of four words and of two.",
            (*both, torch.tensor([4, 2])),
            [TOKENS, _PADDED],
            [TOKENS, _PADDED],
            best_for=("softmax-over-batch",),
        ),
        Input(
            "Four words; the first may see one of them, the second two, and so on.",
            (*sentence, each),
            [TOKENS],
            [TOKENS],
        ),
        Input("Two queries and nothing but padding: no valid key.", (*pair, none), [_PAIR], [("<pad>",) * 4]),
    ]


def _with_scores(words: str, scores: list[list[float]], length: int) -> Input:
    columns = ("red", "car", "stops")[:length] + ("<pad>",) * (3 - length)
    return Input(words, (torch.tensor([scores]), torch.tensor([length])), [_PAIR[: len(scores)]], [columns])


_SOFTMAX_INPUTS = [
    *_score_inputs(lambda queries, keys, values: (queries @ keys.mT / 2,)),
    _with_scores("Scores of 800 and of −800.", [[801.0, 800.0, 0.0], [-801.0, -800.0, 0.0]], 2),
    _with_scores("Padding that scores 200.", [[2.0, 1.0, 200.0], [1.0, 2.0, 200.0]], 2),
    _with_scores("Scores far below 0.", [[-2e5, -2e5, 0.0]], 2),
]


# --- Letters: what a decoder reads ----------------------------------------------------------------------------------

_TARGETS = torch.tensor([[19, 20, 15, 16], [3, 1, 18, 0]])


def _letters(answer: Callable, given: Input) -> list[list[str]]:
    tokens = answer(*copy.deepcopy(given.args)).tolist()
    return [["<eos>" if token == 0 else "start" if token == 27 else chr(64 + token) for token in row] for row in tokens]


# --- The exercises -------------------------------------------------------------------------------------------------


def _ablated(weights: Tensor, position: int) -> Tensor:
    rest = weights.index_fill(1, torch.tensor(position), 0.0)
    others = torch.full_like(weights, 1 / (weights.shape[1] - 1)).index_fill(1, torch.tensor(position), 0.0)
    return torch.where(rest.sum(1, keepdim=True) > 0, rest / rest.sum(1, keepdim=True), others)


def _all(result: Tensor) -> Tensor:
    return result


def _of_matrices(
    inputs: Sequence[Input], right: Callable, part: Callable = _all, build: Callable = lambda answer: answer
) -> _Kind:
    return _Kind(inputs, right, _matrices(part, build), _far_apart, _lay_matrices_out)


def _second(pair: tuple) -> Tensor:
    _, weights = pair
    return weights


def _first(pair: tuple) -> Tensor:
    output, _ = pair
    return output


# With these values, what comes out is what they were weighed with.
_HEADS = tuple(vectors[None, None] for vectors in (QUERIES, KEYS, torch.eye(4)))  # each (1, 1, 4, 4)


def _from(place: int) -> tuple[Tensor, ...]:
    """Queries, keys and values of the words from that place on."""
    return tuple(vectors[:, :, place:] for vectors in _HEADS)


def _up_to(place: int) -> tuple[Tensor, ...]:
    """A cache of the words before that place."""
    return tuple(vectors[:, :, :place] for vectors in _HEADS[1:])


def _third(triple: tuple) -> Tensor:
    return triple[2]


# Lab 10's: values that are columns of their own, so that an output shows the weights.
_FOUR_HEADS = torch.tensor([[2.0, 0, 1, 0], [0, 2, 0, 1], [2, 0, 0, 2], [0, 1, 2, 0]]).reshape(1, 4, 1, 4)
_TWO_GROUPS = torch.tensor([[2.0, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 2]]).reshape(1, 2, 2, 4)
_WORD_SCORES = QUERIES[None] @ KEYS.T / 2
_FIRST_BLOCK = online_step(None, _WORD_SCORES[:, :, :2], torch.eye(4)[None, :2])
_EARLY = torch.tensor([True, True, False, False]).reshape(1, 4, 1)

# Classes, and weights with which they are built: small ones, of which none can stand for another.
_BILINEAR = Built({"query_dim": 4, "key_dim": 4}, {"W.weight": (torch.eye(4) + torch.eye(4).roll(1, 0) / 2) / 2})
_ADDITIVE = Built(
    {"query_dim": 4, "key_dim": 4, "hidden_dim": 2},
    {
        "W_q.weight": torch.tensor([[0.0, 0.5, 0, 0], [0, 0, 0.5, -0.5]]),
        "W_k.weight": torch.tensor([[0.0, 0.5, 0, 0.5], [-0.5, 0, 0.5, 0]]),
        "w_v.weight": torch.tensor([[1.0, 0.5]]),
    },
)
_POOLING = Built({"score": lambda queries, keys: queries @ keys.mT / 2, "dropout": 0.0})
_LOOKING_BACK = Built(
    {"vocab_size": 7, "embed_dim": 3, "hidden_dim": 4}, {"attention_W.weight": torch.eye(4)[[0, 2, 1, 3]]}
)
_WORDS_TO_SCORE = [Input("The scores of the four words.", (QUERIES[None], KEYS[None]), [TOKENS], [TOKENS])]
_PLACES = torch.arange(4.0)


def _weighing(answer: Callable) -> Callable:
    """What a kernel regression weighs: each training point in turn has the value 1, and all others 0."""
    return lambda x_query, x_train, bandwidth: torch.stack(
        [answer(x_query, x_train, y_train, bandwidth) for y_train in torch.eye(len(x_train))], dim=1
    )


_STEPS = [f"step {number}" for number in range(4)]
_KINDS = {
    "length_mask": _of_matrices(
        [
            Input("The lengths 1 and 3; 1 is True.", (torch.tensor([1, 3]), 4), [("length 1", "length 3")], [_STEPS]),
            Input("The lengths 0 and 4; 1 is True.", (torch.tensor([0, 4]), 4), [("length 0", "length 4")], [_STEPS]),
            Input(
                "A length for each of two queries, 2 and 3; 1 is True.",
                (torch.tensor([[2, 3]]), 4),
                [("length 2", "length 3")],
                [_STEPS],
            ),
        ],
        length_mask,
    ),
    "masked_softmax": _of_matrices(_SOFTMAX_INPUTS, masked_softmax),
    "scaled_dot_product_attention": _of_matrices(
        _score_inputs(lambda *vectors: vectors), scaled_dot_product_attention, _second
    ),
    "BilinearScore": _of_matrices(_WORDS_TO_SCORE, BilinearScore, build=_BILINEAR.build),
    "AdditiveScore": _of_matrices(_WORDS_TO_SCORE, AdditiveScore, build=_ADDITIVE.build),
    "AttentionPooling": _of_matrices(
        _score_inputs(lambda queries, keys, values: (queries, keys, torch.eye(4).expand(len(keys), -1, -1))),
        AttentionPooling,
        build=_POOLING.build,
    ),
    "kernel_regression": _of_matrices(
        [
            Input(
                f"What each training point weighs, with a bandwidth of {bandwidth:g}.",
                (_PLACES[1:3] - 0.25, _PLACES, bandwidth),
                [("x = 0.75", "x = 1.75")],
                [[f"x = {place:g}" for place in _PLACES.tolist()]],
            )
            for bandwidth in (1.0, 0.5)
        ],
        kernel_regression,
        build=_weighing,
    ),
    "shift_right": _Kind(
        [
            Input("What the decoder reads, for the targets STOP and CAR.", (_TARGETS, 27), [("STOP", "CAR")], [_STEPS]),
        ],
        shift_right,
        _letters,
        lambda seen, right: seen != right,
        lambda seen, right, given: Pair([Table(seen, right, given.rows[0], given.columns[0])], given.words),
    ),
    "get_context_vector": _of_matrices(
        [
            Input(
                "“red” looks at a sentence of four words, and “car” at one of two words and two steps of padding.",
                (_KEYS, QUERIES[None, 1:3], torch.tensor([4, 2])),
                [("red", "car")],
                [[f"step {place}" for place in range(4)]],
            ),
            Input(
                "“red” and “car” look at a sentence of four words and at another of four.",
                (_KEYS, QUERIES[None, 1:3]),
                [("red", "car")],
                [[f"step {place}" for place in range(4)]],
            ),
        ],
        Slow,
        _second,
        lambda answer: _LOOKING_BACK.build(answer).get_context_vector,
    ),
    "plot_attention": _Kind(DRAWING_INPUTS, Sketch(), drawn, drawn_otherwise, draw_drawings),
    "hard_alignment": _Kind(LINK_INPUTS, hard_alignment, find_links, lambda seen, right: seen != right, draw_links),
    "ablate_source": _of_matrices(
        [
            Input("The column of “car” is taken away.", (CROSSING, 2), [FRENCH], [ENGLISH]),
            Input(
                "The column of “car” is taken away; “voiture” had all its weight there.",
                (torch.cat([CROSSING[:1], torch.eye(4)[2:3], CROSSING[2:]]), 2),
                [FRENCH],
                [ENGLISH],
            ),
        ],
        _ablated,
    ),
    "causal_mask": _of_matrices([Input("A length of 4; 1 is True.", (4,), [TOKENS], [TOKENS])], causal_mask),
    "next_token_targets": _of_matrices(
        [
            Input(
                "Which targets count, of “red car” and of “stops”; 1 is True.",
                (torch.tensor([[1, 4, 5, 2], [1, 6, 2, 0]]), 0),
                [("red car", "stops")],
                [("place 0", "place 1", "place 2")],
            )
        ],
        next_token_targets,
        lambda result: result[2],
    ),
    "cached_attention": _of_matrices(
        [
            Input("Two words are cached, two are new: their weights.", (*_from(2), _up_to(2)), [TOKENS[2:]], [TOKENS]),
            Input("Three words are cached, one is new: its weights.", (*_from(3), _up_to(3)), [TOKENS[3:]], [TOKENS]),
            Input("Four new words, and no cache: their weights.", _from(0), [TOKENS], [TOKENS]),
        ],
        cached_attention,
        _first,
    ),
    "rotate": _of_matrices(
        [
            Input(
                "The same four numbers at three places.",
                (torch.tensor([1.0, 0, 1, 0]).expand(1, 1, 3, -1), torch.arange(3), 100.0),
                [[f"position {place}" for place in range(3)]],
                [[f"column {column}" for column in range(4)]],
            )
        ],
        rotate,
    ),
    "sinusoidal_positions": _of_matrices(
        [
            Input(
                "Three positions and four columns.",
                (3, 4),
                [[f"position {place}" for place in range(3)]],
                [[f"column {column}" for column in range(4)]],
            )
        ],
        sinusoidal_positions,
    ),
    "grouped_query_attention": _of_matrices(
        [
            Input(
                "Four heads, two groups with two keys each; a row is a head, and says what it weighs.",
                (_FOUR_HEADS, _TWO_GROUPS, torch.eye(4).reshape(1, 2, 2, 4)),
                [[f"head {head}" for head in range(4)]],
                [[f"group {group}, key {key}" for group in range(2) for key in range(2)]],
            )
        ],
        grouped_query_attention,
    ),
    "online_step": _of_matrices(
        [
            Input(
                "Four words, the last two as a second block; a row says what a query weighs.",
                (_FIRST_BLOCK, _WORD_SCORES[:, :, 2:], torch.eye(4)[None, 2:]),
                [TOKENS],
                [TOKENS],
            ),
            Input(
                "Four words, the last two as a second block, in which the first two queries may see nothing.",
                (_FIRST_BLOCK, _WORD_SCORES[:, :, 2:].masked_fill(_EARLY, -torch.inf), torch.eye(4)[None, 2:]),
                [TOKENS],
                [TOKENS],
            ),
        ],
        online_step,
        _third,
    ),
    "attend_in_blocks": _of_matrices(
        [
            Input(
                f"Four words in blocks of {size}; a row says what a query weighs.",
                (QUERIES[None], KEYS[None], torch.eye(4)[None], size, online_step),
                [TOKENS],
                [TOKENS],
            )
            for size in (3, 2)
        ],
        attend_in_blocks,
    ),
    "sliding_window_mask": _of_matrices(
        [Input("A length of 4 and a window of 2; 1 is True.", (4, 2), [TOKENS], [TOKENS])], sliding_window_mask
    ),
}
