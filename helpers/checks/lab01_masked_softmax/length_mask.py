"""`length_mask`: what a right answer does, and the mistakes that people make."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import (
    at_any_size,
    changed_arguments,
    each_for_itself,
    equals,
    has_dtype,
    has_shape,
    leaves_arguments_alone,
    output,
)
from helpers.checks.lab01_masked_softmax.shared import mask_oracle
from helpers.checks.spoiling import remembering, stopping_at_64


def _mask_case(valid_lens: Tensor, max_len: int) -> Case:
    return Case((valid_lens, max_len), mask_oracle(valid_lens, max_len))


def _one_length_a_sequence(draw: Draw) -> Iterator[Case]:
    yield _mask_case(torch.tensor([2]), 3)
    yield _mask_case(torch.tensor([1, 3]), 4)
    yield _mask_case(draw.integers(1, 6, 5), 7)
    yield _mask_case(draw.integers(1, 4, 5), 5)  # as many sequences as steps
    yield _mask_case(draw.integers(1, 6, 4), 8)


def _one_length_a_query(draw: Draw) -> Iterator[Case]:
    yield _mask_case(torch.tensor([[1, 2]]), 3)
    yield _mask_case(torch.tensor([[2, 1], [3, 2]]), 4)
    yield _mask_case(draw.integers(1, 3, 3, 3), 3)  # every axis of the same size
    yield _mask_case(draw.integers(0, 5, 4, 1), 5)
    yield _mask_case(torch.tensor([[0, 6, 3], [2, 5, 6]]), 6)


def _shortest_and_longest(draw: Draw) -> Iterator[Case]:
    yield _mask_case(torch.tensor([0]), 1)
    yield _mask_case(torch.tensor([0, 3]), 3)


def _long_masks(draw: Draw) -> Iterator[Case]:
    yield _mask_case(draw.integers(0, 67, 3), 67)
    yield _mask_case(torch.tensor([1031, 13, 517]), 1031)
    yield _mask_case(draw.integers(60, 131, 71, 5), 131)


def _masks_in_turn(draw: Draw) -> Iterator[Case]:
    yield _mask_case(torch.tensor([1, 3, 2]), 4)
    yield _mask_case(torch.tensor([[0, 2], [1, 3]]), 3)


def _right_mask(valid_lens: Tensor, max_len: int) -> Tensor:
    return torch.arange(max_len) < valid_lens.unsqueeze(-1)


def _mask_arguments(draw: Draw) -> Iterator[Case]:
    for valid_lens in (torch.tensor([0, 2, 4]), torch.tensor([[0, 1, 2], [4, 3, 0]])):
        yield Case((valid_lens, 4), ("valid_lens", "max_len"))


def _same_numbers(got: Any, want: Tensor) -> str | None:
    """Judge a mask by what it says, whatever its type: the type has a property of its own."""
    problem = has_shape(got, want)
    return problem or equals(got.to(want.dtype) if isinstance(got, Tensor) else got, want)


EXERCISE = Exercise(
    name="length_mask",
    arguments=("valid_lens", "max_len"),
    properties=(
        Property(
            "is True for the first `valid_lens` steps of each sequence, and False after them",
            _one_length_a_sequence,
            output,
            _same_numbers,
        ),
        Property("holds booleans", _one_length_a_sequence, output, has_dtype, suggests="not-boolean"),
        Property("a sequence may be empty, or fill all of `max_len`", _shortest_and_longest, output, _same_numbers),
        Property(
            "takes a length for each query: (batch, query) gives (batch, query, max_len)",
            _one_length_a_query,
            output,
            equals,
            suggests="one-dimensional-lengths-only",
        ),
        Property("leaves its arguments as they were", _mask_arguments, changed_arguments, leaves_arguments_alone),
        each_for_itself(_masks_in_turn),
        at_any_size(_long_masks),
    ),
    misconceptions=(
        mistakes.INVERTED_MASK.explained(
            "Your mask is True on the padding. In this course True means *keep*: this key may be attended to. "
            "(Some libraries do use the opposite: notebook 01 has a table.)",
            lambda valid_lens, max_len: torch.arange(max_len) >= valid_lens.unsqueeze(-1),
            lambda valid_lens, max_len: torch.arange(max_len) > valid_lens.unsqueeze(-1),
        ),
        mistakes.OFF_BY_ONE.explained(
            "Steps are counted from 0. If a sequence has 2 real steps, which numbers do they have? "
            "Does your comparison keep exactly those?",
            lambda valid_lens, max_len: torch.arange(max_len) <= valid_lens.unsqueeze(-1),
            lambda valid_lens, max_len: torch.arange(1, max_len + 1) < valid_lens.unsqueeze(-1),
        ),
        Misconception(
            "one-dimensional-lengths-only",
            "it works for one length a sequence only",
            "With lengths of shape (batch, query) every query has a length of its own, and the mask gets one axis "
            "more than the lengths have. Which axis of the lengths must stay free for the steps, however many come "
            "before it?",
            (
                lambda valid_lens, max_len: torch.arange(max_len) < valid_lens[:, None],
                lambda valid_lens, max_len: torch.arange(max_len) < valid_lens.reshape(-1, 1),
                lambda valid_lens, max_len: (
                    torch.arange(max_len) < valid_lens[..., 0].reshape(-1, 1)
                    if valid_lens.dim() == 2
                    else torch.arange(max_len) < valid_lens[:, None]
                ),
            ),
        ),
        mistakes.NOT_BOOLEAN.explained(
            "A mask answers yes or no. As ones and zeros it works in a product, but `~mask`, `masked_fill` and `where` "
            "want booleans, and a float mask is *added* to the scores by some of PyTorch's own functions. "
            "A comparison such as `<` gives booleans by itself.",
            lambda valid_lens, max_len: (torch.arange(max_len) < valid_lens.unsqueeze(-1)).float(),
            lambda valid_lens, max_len: (torch.arange(max_len) < valid_lens.unsqueeze(-1)).long(),
            lambda valid_lens, max_len: (torch.arange(max_len) < valid_lens.unsqueeze(-1)).int(),
        ),
        mistakes.ONE_LENGTH_FOR_ALL.explained(
            "Each sequence has its own length, so the rows of the mask differ. Yours are all alike: "
            "does every length meet every step?",
            lambda valid_lens, max_len: (
                (torch.arange(max_len) < valid_lens.max()).expand(*valid_lens.shape, max_len).clone()
            ),
            lambda valid_lens, max_len: (
                (torch.arange(max_len) < valid_lens.reshape(-1)[0]).expand(*valid_lens.shape, max_len).clone()
            ),
            lambda valid_lens, max_len: (
                (torch.arange(max_len) < valid_lens.min()).expand(*valid_lens.shape, max_len).clone()
            ),
        ),
        mistakes.PADDING_IN_FRONT.explained(
            "The course pads at the end: the first `valid_lens` steps are real, the rest is padding. "
            "Your mask keeps the last ones.",
            lambda valid_lens, max_len: torch.arange(max_len) >= max_len - valid_lens.unsqueeze(-1),
        ),
        Misconception(
            "lengths-along-the-steps",
            "the lengths are laid along the steps",
            "You compare step 0 with the first length, step 1 with the second, and so on (or PyTorch refuses, because "
            "there are not as many lengths as steps). *Every* step has to meet every length: the lengths need an axis "
            "more.",
            (lambda valid_lens, max_len: torch.arange(max_len) < valid_lens,),
        ),
        Misconception(
            "forgets-max-len",
            "the mask is as long as the longest sequence",
            "A batch may be padded further than its longest sequence needs: the mask has `max_len` steps, "
            "whatever the lengths are.",
            (lambda valid_lens, max_len: torch.arange(int(valid_lens.max())) < valid_lens.unsqueeze(-1),),
        ),
        mistakes.NOT_A_TENSOR.explained(
            "The booleans are right, but they come in a list. `masked_fill` and `~` want a tensor: `torch.tensor(...)` "
            "makes one of it.",
            lambda valid_lens, max_len: _right_mask(valid_lens, max_len).tolist(),
        ),
        mistakes.WRITES_INTO_ARGUMENTS.explained(
            "The mask is right, but `valid_lens` is no longer what it was, and the next to use it gets wrong "
            "lengths. Which of your operations ends in an underscore, or assigns in place (`+=`)?",
            lambda valid_lens, max_len: (torch.arange(max_len) < valid_lens.unsqueeze(-1), valid_lens.add_(1))[0],
        ),
        mistakes.AXIS_LEFT_OVER.explained(
            "(batch,) lengths give a mask (batch, max_len). The axis of size 1 that lets it meet the scores is for the "
            "softmax to add.",
            lambda valid_lens, max_len: (
                (torch.arange(max_len) < valid_lens.unsqueeze(-1)).unsqueeze(1)
                if valid_lens.dim() == 1
                else torch.arange(max_len) < valid_lens.unsqueeze(-1)
            ),
            lambda valid_lens, max_len: (torch.arange(max_len) < valid_lens.unsqueeze(-1)).unsqueeze(1),
        ),
        mistakes.EMPTY_ROW_KEEPS_ONE.explained(
            "A length of 0 means that nothing is real, and a row without any True is a fine answer: the softmax "
            "decides what to do about such a row.",
            lambda valid_lens, max_len: torch.arange(max_len) < valid_lens.clamp(min=1).unsqueeze(-1),
        ),
        mistakes.ANSWERS_FROM_MEMORY.row(remembering(_right_mask)),
        mistakes.SMALL_SIZES_ONLY.row(stopping_at_64(_right_mask)),
        mistakes.nothing_returned(),
    ),
)
