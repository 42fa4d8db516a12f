"""Lab 1's exercises: what a right answer does, and the mistakes that people make."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property, close
from helpers.checks.judging import (
    GRADIENT,
    NOTHING_RETURNED,
    changed_arguments,
    equals,
    gradient,
    has_dtype,
    has_shape,
    leaves_arguments_alone,
    output,
    right_gradient,
    short,
    weighted_sum,
)
from helpers.widely_copied import fill_a_copy, fill_in_place, infinity_in_place

# --- The oracles: loops in float64, slow and plain -----------------------------------------------------------------


def _mask_oracle(valid_lens: Tensor, max_len: int) -> Tensor:
    rows = [[step < length for step in range(max_len)] for length in valid_lens.reshape(-1).tolist()]
    return torch.tensor(rows, dtype=torch.bool).reshape(*valid_lens.shape, max_len)


def _softmax_oracle(scores: Tensor, valid_lens: Tensor | None) -> Tensor:
    """Differentiable with respect to `scores`; the result has their type."""
    batch, num_queries, num_keys = scores.shape
    rows = []
    for b in range(batch):
        for q in range(num_queries):
            length = _length_of(valid_lens, b, q, num_keys)
            valid = scores[b, q, :length].double()
            exps = (valid - valid.detach().max()).exp() if length else valid
            padding = torch.zeros(num_keys - length, dtype=torch.float64)
            rows.append(torch.cat([exps / exps.sum() if length else exps, padding]))
    return torch.stack(rows).reshape(scores.shape).to(scores.dtype)


def _length_of(valid_lens: Tensor | None, b: int, q: int, num_keys: int) -> int:
    if valid_lens is None:
        return num_keys
    return int(valid_lens[b] if valid_lens.dim() == 1 else valid_lens[b, q])


def _mean_oracle(values: Tensor, valid_lens: Tensor) -> Tensor:
    rows = []
    for sequence, length in zip(values, valid_lens.tolist(), strict=True):
        total = torch.zeros(values.shape[2], dtype=torch.float64)
        for step in range(length):
            total = total + sequence[step].double()
        rows.append(total / length if length else total)
    return torch.stack(rows).to(values.dtype)


def _oracle_gradient(oracle: Callable, *args: Any) -> Tensor:
    first = args[0].clone().requires_grad_()
    return torch.autograd.grad(weighted_sum(oracle(first, *args[1:])), first)[0]


# --- 1. length_mask ------------------------------------------------------------------------------------------------


def _mask_case(valid_lens: Tensor, max_len: int) -> Case:
    return Case((valid_lens, max_len), _mask_oracle(valid_lens, max_len))


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


def _mask_arguments(draw: Draw) -> Iterator[Case]:
    for valid_lens in (torch.tensor([0, 2, 4]), torch.tensor([[0, 1, 2], [4, 3, 0]])):
        yield Case((valid_lens, 4), ("valid_lens", "max_len"))


def _same_numbers(got: Any, want: Tensor) -> str | None:
    """Judge a mask by what it says, whatever its type: the type has a property of its own."""
    problem = has_shape(got, want)
    return problem or equals(got.to(want.dtype) if isinstance(got, Tensor) else got, want)


LENGTH_MASK = Exercise(
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
    ),
    misconceptions=(
        Misconception(
            "inverted-mask",
            "the mask is the wrong way round",
            "Your mask is True on the padding. In this course True means *keep*: this key may be attended to. "
            "(Some libraries do use the opposite: notebook 01 has a table.)",
            (
                lambda valid_lens, max_len: torch.arange(max_len) >= valid_lens.unsqueeze(-1),
                lambda valid_lens, max_len: torch.arange(max_len) > valid_lens.unsqueeze(-1),
            ),
        ),
        Misconception(
            "off-by-one",
            "each length is off by one",
            "Steps are counted from 0. If a sequence has 2 real steps, which numbers do they have? "
            "Does your comparison keep exactly those?",
            (
                lambda valid_lens, max_len: torch.arange(max_len) <= valid_lens.unsqueeze(-1),
                lambda valid_lens, max_len: torch.arange(1, max_len + 1) < valid_lens.unsqueeze(-1),
            ),
        ),
        Misconception(
            "one-dimensional-lengths-only",
            "it works for one length a sequence only",
            "With lengths of shape (batch, query) every query has a length of its own, and the mask gets one axis more "
            "than the lengths have. Which axis of the lengths must stay free for the steps, however many come before it?",
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
        Misconception(
            "not-boolean",
            "the mask holds numbers instead of booleans",
            "A mask answers yes or no. As ones and zeros it works in a product, but `~mask`, `masked_fill` and `where` "
            "want booleans, and a float mask is *added* to the scores by some of PyTorch's own functions. "
            "A comparison such as `<` gives booleans by itself.",
            (
                lambda valid_lens, max_len: (torch.arange(max_len) < valid_lens.unsqueeze(-1)).float(),
                lambda valid_lens, max_len: (torch.arange(max_len) < valid_lens.unsqueeze(-1)).long(),
                lambda valid_lens, max_len: (torch.arange(max_len) < valid_lens.unsqueeze(-1)).int(),
            ),
        ),
        Misconception(
            "one-length-for-all",
            "every sequence is given the same length",
            "Each sequence has its own length, so the rows of the mask differ. Yours are all alike: "
            "does every length meet every step?",
            (
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
        ),
        Misconception(
            "padding-in-front",
            "the real steps are put at the end",
            "The course pads at the end: the first `valid_lens` steps are real, the rest is padding. "
            "Your mask keeps the last ones.",
            (lambda valid_lens, max_len: torch.arange(max_len) >= max_len - valid_lens.unsqueeze(-1),),
        ),
        Misconception(
            "lengths-along-the-steps",
            "the lengths are laid along the steps",
            "You compare step 0 with the first length, step 1 with the second, and so on (or PyTorch refuses, because there "
            "are not as many lengths as steps). *Every* step has to meet every length: the lengths need an axis more.",
            (lambda valid_lens, max_len: torch.arange(max_len) < valid_lens,),
        ),
        Misconception(
            "forgets-max-len",
            "the mask is as long as the longest sequence",
            "A batch may be padded further than its longest sequence needs: the mask has `max_len` steps, "
            "whatever the lengths are.",
            (lambda valid_lens, max_len: torch.arange(int(valid_lens.max())) < valid_lens.unsqueeze(-1),),
        ),
        Misconception(
            "writes-into-lengths",
            "the caller's lengths are overwritten",
            "The mask is right, but `valid_lens` is no longer what it was, and whoever uses it next gets wrong lengths. "
            "Which of your operations ends in an underscore, or assigns in place (`+=`)?",
            (lambda valid_lens, max_len: (torch.arange(max_len) < valid_lens.unsqueeze(-1), valid_lens.add_(1))[0],),
        ),
        Misconception(
            "extra-axis",
            "the mask has an axis too many",
            "(batch,) lengths give a mask (batch, max_len). The axis of size 1 that lets it meet the scores is for the "
            "softmax to add.",
            (
                lambda valid_lens, max_len: (
                    (torch.arange(max_len) < valid_lens.unsqueeze(-1)).unsqueeze(1)
                    if valid_lens.dim() == 1
                    else torch.arange(max_len) < valid_lens.unsqueeze(-1)
                ),
                lambda valid_lens, max_len: (torch.arange(max_len) < valid_lens.unsqueeze(-1)).unsqueeze(1),
            ),
        ),
        Misconception(
            "empty-keeps-one",
            "an empty sequence keeps a step",
            "A length of 0 means that nothing is real, and a row without any True is a fine answer: what to do about "
            "such a row is for the softmax to decide.",
            (lambda valid_lens, max_len: torch.arange(max_len) < valid_lens.clamp(min=1).unsqueeze(-1),),
        ),
        NOTHING_RETURNED,
    ),
)


# --- 2. masked_softmax ---------------------------------------------------------------------------------------------


def _softmax_case(scores: Tensor, valid_lens: Tensor | None) -> Case:
    return Case((scores, valid_lens), _softmax_oracle(scores, valid_lens))


def _without_lengths(draw: Draw) -> Iterator[Case]:
    yield _softmax_case(draw.normal(1, 2, 3), None)
    yield _softmax_case(draw.normal(2, 2, 2), None)
    yield _softmax_case(draw.normal(3, 4, 5), None)
    yield _softmax_case(draw.normal(2, 3, 1), None)  # a single key
    scores = draw.normal(2, 2, 3)
    yield Case((scores,), _softmax_oracle(scores, None))  # None is the default


def _a_length_a_sequence(draw: Draw) -> Iterator[Case]:
    yield _softmax_case(draw.normal(1, 1, 3), torch.tensor([2]))
    yield _softmax_case(draw.normal(2, 1, 3), torch.tensor([1, 3]))
    yield _softmax_case(draw.normal(2, 2, 3), torch.tensor([1, 2]))
    yield _softmax_case(draw.normal(2, 2, 2), torch.tensor([2, 1]))  # every axis of the same size
    yield _softmax_case(draw.normal(4, 3, 5), draw.integers(1, 5, 4))
    yield _softmax_case(draw.normal(3, 3, 3), torch.tensor([3, 1, 2]))


def _a_length_a_query(draw: Draw) -> Iterator[Case]:
    yield _softmax_case(draw.normal(1, 2, 3), torch.tensor([[1, 2]]))
    yield _softmax_case(draw.normal(2, 2, 2), torch.tensor([[2, 1], [1, 2]]))
    yield _softmax_case(draw.normal(3, 3, 3), torch.tensor([[1, 2, 3], [3, 2, 1], [2, 2, 1]]))
    yield _softmax_case(draw.normal(3, 1, 4), torch.tensor([[1], [3], [2]]))
    yield _softmax_case(draw.normal(4, 3, 5), draw.integers(1, 5, 4, 3))


def _loud_padding(draw: Draw) -> Iterator[Case]:
    for loudness in (1e4, -1e4):
        for scores, valid_lens in (
            (draw.normal(1, 1, 3), torch.tensor([2])),
            (draw.normal(2, 2, 3), torch.tensor([[1, 2], [2, 3]])),
        ):
            padding = ~_mask_oracle(valid_lens, 3).reshape(len(scores), -1, 3)
            yield _softmax_case(scores.masked_fill(padding, loudness), valid_lens)


def _an_empty_row(draw: Draw) -> Iterator[Case]:
    yield _softmax_case(draw.normal(1, 1, 2), torch.tensor([0]))
    yield _softmax_case(draw.normal(2, 2, 3), torch.tensor([0, 2]))
    yield _softmax_case(draw.normal(2, 3, 4), torch.tensor([[3, 0, 4], [0, 1, 2]]))
    yield _softmax_case(draw.normal(2, 2, 1), torch.tensor([[0, 1], [1, 0]]))  # a single key


def _softmax_arguments(draw: Draw) -> Iterator[Case]:
    for lengths in (torch.tensor([1, 2]), torch.tensor([[1, 2], [3, 1]]), torch.tensor([0, 2]), None):
        yield Case((draw.normal(2, 2, 3), lengths), ("scores", "valid_lens"))


def _gradient_cases(lengths: list[Tensor | None], draw: Draw) -> Iterator[Case]:
    for valid_lens in lengths:
        scores = draw.normal(2, 2, 3)
        yield Case((scores, valid_lens), _oracle_gradient(_softmax_oracle, scores, valid_lens))


def _gradient_of_full_rows(draw: Draw) -> Iterator[Case]:
    return _gradient_cases([None, torch.tensor([2, 3]), torch.tensor([[1, 2], [3, 2]])], draw)


def _gradient_of_an_empty_row(draw: Draw) -> Iterator[Case]:
    return _gradient_cases([torch.tensor([0, 2]), torch.tensor([[0, 3], [2, 0]])], draw)


def _other_types(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        yield _softmax_case(draw.normal(1, 2, 3, scale=1.0).to(dtype), torch.tensor([2]))
        yield _softmax_case(draw.normal(2, 2, 3, scale=1.0).to(dtype), torch.tensor([[1, 2], [3, 1]]))
        yield _softmax_case(draw.normal(2, 2, 3, scale=1.0).to(dtype), None)


def _empty_rows_of_other_types(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        yield _softmax_case(draw.normal(1, 2, 3, scale=1.0).to(dtype), torch.tensor([[0, 2]]))


def _large_scores(draw: Draw) -> Iterator[Case]:
    # 800 is beyond what exp can do in float32 and float64. −2e5 is below a fill that still fits into float16; one that
    # lies further below any score that a model meets is as good as −∞, and passes.
    for offset in (800.0, -800.0):
        yield _softmax_case(draw.normal(1, 2, 3) + offset, None)
        yield _softmax_case(draw.normal(2, 2, 3) + offset, torch.tensor([1, 2]))
    yield _softmax_case(torch.tensor([[[-2e5, 0.0]]]), torch.tensor([1]))
    # Rows far from one another, and scores far apart in one row: each row needs its own maximum, and the maximum.
    yield _softmax_case(draw.normal(1, 2, 3) + torch.tensor([[[800.0], [-800.0]]]), None)
    yield _softmax_case(draw.normal(2, 1, 3) + torch.tensor([[[-800.0]], [[800.0]]]), torch.tensor([2, 3]))
    yield _softmax_case(torch.tensor([[[-800.0, 0.0, 800.0]]]), None)


def _beyond_the_length(got: Any, want: Tensor) -> str | None:
    """Judge that the weights are zero exactly where they should be (the wanted ones are zero nowhere else)."""
    problem = has_shape(got, want)
    if problem:
        return problem
    leaked = (got != 0) & (want == 0)
    if not leaked.any():
        return None
    index = tuple(leaked.nonzero()[0].tolist())
    return f"the weight at {list(index)} is {got[index].item():.4g}, on a key that is padding"


def _nothing_beyond_and_equal(got: Any, want: Tensor) -> str | None:
    return _beyond_the_length(got, want) or equals(got, want)


def _empty_rows_are_zero(got: Any, want: Tensor) -> str | None:
    """Judge the empty rows before the others, which have properties of their own."""
    problem = has_shape(got, want)
    if problem:
        return problem
    wrong = (want == 0).all(-1) & (got != 0).any(-1)
    if not wrong.any():
        return equals(got, want)
    b, q = wrong.nonzero()[0].tolist()
    return f"the row at [{b}, {q}] has no valid key, and should be all 0; it gave {got[b, q].tolist()}"


def _keeps_type(got: Any, want: Tensor) -> str | None:
    problem = equals(got, want)
    return f"for {short(want.dtype)}, {problem}" if problem else None


def _keep(scores: Tensor, valid_lens: Tensor | None) -> Tensor:
    """The mask that the wrong implementations below share: right, so that each has only its own mistake."""
    lengths = torch.tensor(scores.shape[-1]) if valid_lens is None else valid_lens
    lengths = lengths.reshape(lengths.shape + (1,) * (3 - lengths.dim()))
    return torch.arange(scores.shape[-1]) < lengths


def _right(scores: Tensor, keep: Tensor, dim: int = -1) -> Tensor:
    """A right masked softmax, along whatever axis, for the mistakes that lie elsewhere."""
    filled = scores.masked_fill(~keep, -torch.inf)
    filled = filled.masked_fill((~keep).expand_as(scores).all(dim, keepdim=True), 0.0)
    return filled.softmax(dim).masked_fill(~keep, 0.0)


def _fill_with(value: float | None) -> Callable:
    def finite_fill(scores, valid_lens=None):
        fill = torch.finfo(scores.dtype).min if value is None else value
        return scores.masked_fill(~_keep(scores, valid_lens), fill).softmax(-1)

    return finite_fill


def _overwrite_with(value: float) -> Callable:
    def overwrite(scores, valid_lens=None):
        keep = _keep(scores, valid_lens).expand_as(scores)
        weights = _right(scores, keep)
        scores[~keep] = value
        return weights

    return overwrite


def _overwrite_lengths(scores, valid_lens=None):
    weights = _right(scores, _keep(scores, valid_lens))
    if valid_lens is not None:
        valid_lens += 1
    return weights


def _naive_infinity(scores, valid_lens=None):
    return scores.masked_fill(~_keep(scores, valid_lens), -torch.inf).softmax(-1)


def _add_infinity(scores, valid_lens=None):
    keep = _keep(scores, valid_lens)
    return (scores + torch.zeros(keep.shape, dtype=scores.dtype).masked_fill(~keep, -torch.inf)).softmax(-1)


def _divide_by_nothing(scores, valid_lens=None):
    keep = _keep(scores, valid_lens).expand_as(scores)
    largest = scores.masked_fill(~keep, torch.finfo(scores.dtype).min).amax(-1, keepdim=True)
    exps = torch.where(keep, scores - largest, 0.0).exp() * keep
    return exps / exps.sum(-1, keepdim=True)


def _renormalise(repair: Callable) -> Callable:
    def renormalise(scores, valid_lens=None):
        weights = scores.softmax(-1) * _keep(scores, valid_lens)
        return weights / repair(weights.sum(-1, keepdim=True))

    return renormalise


def _exps_over_all_keys(scores, valid_lens=None):
    exps = (scores - scores.amax(-1, keepdim=True)).exp() * _keep(scores, valid_lens)
    total = exps.sum(-1, keepdim=True)
    return exps / total.masked_fill(total == 0, 1.0)


def _low_fill_then_zero(value: float) -> Callable:
    def low_fill(scores, valid_lens=None):
        keep = _keep(scores, valid_lens)
        return scores.masked_fill(~keep, value).softmax(-1) * keep

    return low_fill


def _spoil_softmax_output(scores, valid_lens=None):
    keep = _keep(scores, valid_lens)
    empty = ~keep.any(-1, keepdim=True)
    weights = scores.masked_fill(~keep, -torch.inf).masked_fill(empty, 0.0).softmax(-1)
    return weights.masked_fill_(~keep.expand_as(weights), 0.0)


def _raw_scores_in_empty_rows(scores, valid_lens=None):
    keep = _keep(scores, valid_lens)
    empty = ~keep.any(-1, keepdim=True)
    return scores.masked_fill(~(keep | empty), -torch.inf).softmax(-1)


def _zeros_if_any_row_is_empty(scores, valid_lens=None):
    weights = _right(scores, _keep(scores, valid_lens))
    return weights * 0 if valid_lens is not None and (valid_lens == 0).any() else weights


def _repaired(answer: Callable) -> Callable:
    return lambda scores, valid_lens=None: answer(scores, valid_lens).nan_to_num(0.0)


def _mask_broadcast_as(*axis: int, strict: bool = False) -> Callable:
    """The mask of one length a sequence, (batch, key), put against the scores as it is, or with an axis in the wrong place."""

    def broadcast(scores, valid_lens=None):
        if valid_lens is None or valid_lens.dim() == 2:
            return _right(scores, _keep(scores, valid_lens))
        keep = torch.arange(scores.shape[-1]) < valid_lens.unsqueeze(1)
        for each in axis:
            keep = keep.unsqueeze(each)
        if strict:
            keep = keep.expand_as(scores)
        return scores.masked_fill(~keep, -torch.inf).softmax(-1)

    return broadcast


def _cannot_do_without_lengths(error: type[Exception]) -> Callable:
    def demanding(scores, valid_lens=None):
        if valid_lens is None:
            raise error("NoneType")
        return _right(scores, _keep(scores, valid_lens))

    return demanding


def _repeat_on_the_wrong_axis(scores, valid_lens=None):
    if valid_lens is not None and valid_lens.dim() == 1:
        valid_lens = valid_lens.repeat(scores.shape[1]).reshape(scores.shape[:2])
    return _right(scores, _keep(scores, valid_lens))


def _ignore_lengths_of(*dims: int) -> Callable:
    def ignore(scores, valid_lens=None):
        ignored = valid_lens is not None and valid_lens.dim() in dims
        return _right(scores, _keep(scores, None if ignored else valid_lens))

    return ignore


def _crash_on_one_axis(scores, valid_lens=None):
    if valid_lens is not None and valid_lens.dim() == 1:
        raise IndexError("too many indices")
    return _right(scores, _keep(scores, valid_lens))


def _crash_on_two_axes(scores, valid_lens=None):
    if valid_lens is not None and valid_lens.dim() == 2:
        raise RuntimeError("shapes do not fit")
    return _right(scores, _keep(scores, valid_lens))


def _mask_queries(scores, valid_lens=None):
    if valid_lens is None or valid_lens.dim() == 2:
        return _right(scores, _keep(scores, valid_lens))
    keep = (torch.arange(scores.shape[1]) < valid_lens.unsqueeze(1)).unsqueeze(2)
    return _right(scores, keep.expand_as(scores))


def _divide_valid_exps(fill: float, repair: Callable) -> Callable:
    def divide_exps(scores, valid_lens=None):
        keep = _keep(scores, valid_lens)
        exps = scores.masked_fill(~keep, fill).exp() * keep
        return exps / repair(exps.sum(-1, keepdim=True))

    return divide_exps


def _subtract_one_maximum(*dims: int, repair: Callable) -> Callable:
    def divide_exps(scores, valid_lens=None):
        keep = _keep(scores, valid_lens).expand_as(scores)
        low = scores.masked_fill(~keep, torch.finfo(scores.dtype).min)
        exps = (scores.masked_fill(~keep, -torch.inf) - low.amax(dims, keepdim=True)).exp()
        weights = exps / repair(exps.sum(-1, keepdim=True))
        return torch.where(keep.any(-1, keepdim=True), weights, 0.0)

    return divide_exps


def _divide_exps_in(dtype: torch.dtype | None, repair: Callable) -> Callable:
    def divide_exps(scores, valid_lens=None):
        exps = scores.to(dtype or scores.dtype).exp() * _keep(scores, valid_lens)
        return (exps / repair(exps.sum(-1, keepdim=True))).to(scores.dtype)

    return divide_exps


def _shift_lengths(by: int) -> Callable:
    def shifted(scores, valid_lens=None):
        lengths = None if valid_lens is None else valid_lens + by
        return _right(scores, _keep(scores, lengths))

    return shifted


MASKED_SOFTMAX = Exercise(
    name="masked_softmax",
    arguments=("scores", "valid_lens"),
    properties=(
        Property("gives one weight for each score", _without_lengths, output, has_shape),
        Property(
            "without lengths it is the softmax over the keys: each query's weights sum to 1",
            _without_lengths,
            output,
            equals,
        ),
        Property(
            "keys beyond a sequence's length weigh exactly 0",
            _a_length_a_sequence,
            output,
            _beyond_the_length,
        ),
        Property(
            "the keys within the length share all the weight, as the softmax of their scores",
            _a_length_a_sequence,
            output,
            equals,
        ),
        Property(
            "takes lengths of shape (batch, query) too: each query has its own",
            _a_length_a_query,
            output,
            _nothing_beyond_and_equal,
            suggests="ignores-2d-lengths",
        ),
        Property("whatever lies in the padding makes no difference", _loud_padding, output, equals),
        Property("a row of length 0 is all zeros", _an_empty_row, output, _empty_rows_are_zero),
        Property(
            "leaves its arguments as they were",
            _softmax_arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-scores",
        ),
        Property(
            "its gradient with respect to the scores is right",
            _gradient_of_full_rows,
            gradient,
            right_gradient,
            shows=GRADIENT,
        ),
        Property(
            "the gradient is finite, and 0, for a row of length 0",
            _gradient_of_an_empty_row,
            gradient,
            right_gradient,
            suggests="nan-gradient",
            shows=GRADIENT,
        ),
        Property("keeps the type: float16, bfloat16 and float64 work", _other_types, output, _keeps_type),
        Property(
            "an empty row is all zeros in the other types too", _empty_rows_of_other_types, output, _empty_rows_are_zero
        ),
        Property("scores far from 0 work too", _large_scores, output, equals),
    ),
    misconceptions=(
        Misconception(
            "softmax-over-queries",
            "the softmax runs over the queries",
            "Your weights sum to 1 over the queries. Each *query* spreads its attention over the keys: which axis is that?",
            (
                lambda scores, valid_lens=None: _right(scores, _keep(scores, valid_lens).expand_as(scores), 1),
                lambda scores, valid_lens=None: scores.masked_fill(~_keep(scores, valid_lens), -torch.inf).softmax(1),
                lambda scores, valid_lens=None: scores.masked_fill(~_keep(scores, valid_lens), -1e9).softmax(1),
            ),
        ),
        Misconception(
            "softmax-over-batch",
            "the softmax runs over the batch",
            "Your weights sum to 1 over the sequences of the batch, so one sentence's attention depends on which other "
            "sentences happen to lie beside it. The softmax belongs within a row of scores.",
            (
                lambda scores, valid_lens=None: _right(scores, _keep(scores, valid_lens).expand_as(scores), 0),
                lambda scores, valid_lens=None: scores.masked_fill(~_keep(scores, valid_lens), -torch.inf).softmax(0),
                lambda scores, valid_lens=None: scores.masked_fill(~_keep(scores, valid_lens), -1e9).softmax(0),
            ),
        ),
        Misconception(
            "softmax-over-everything",
            "one softmax runs over queries and keys together",
            "All the weights of a sentence together sum to 1, so the queries compete with one another. "
            "Each query has a whole 1 of its own to give away.",
            (
                lambda scores, valid_lens=None: _right(
                    scores.flatten(1), _keep(scores, valid_lens).expand_as(scores).flatten(1)
                ).reshape(scores.shape),
                lambda scores, valid_lens=None: _right(
                    scores.flatten(), _keep(scores, valid_lens).expand_as(scores).flatten()
                ).reshape(scores.shape),
            ),
        ),
        Misconception(
            "no-softmax",
            "the scores are not turned into weights",
            "What comes back does not sum to 1, with or without lengths: the softmax itself is missing.",
            (
                lambda scores, valid_lens=None: scores.masked_fill(~_keep(scores, valid_lens), 0.0),
                lambda scores, valid_lens=None: scores.masked_fill(~_keep(scores, valid_lens), -torch.inf),
                lambda scores, valid_lens=None: scores.exp() * _keep(scores, valid_lens),
                lambda scores, valid_lens=None: scores.log_softmax(-1),
            ),
        ),
        Misconception(
            "needs-lengths",
            "it can't do without lengths",
            "`valid_lens` may be None, and is unless the caller says otherwise: then every key counts. "
            "What does your first line do with None?",
            (
                _cannot_do_without_lengths(AttributeError),
                _cannot_do_without_lengths(TypeError),
                _cannot_do_without_lengths(RuntimeError),
                _cannot_do_without_lengths(UnboundLocalError),
                lambda scores, valid_lens: _right(scores, _keep(scores, valid_lens)),
            ),
        ),
        Misconception(
            "ignores-lengths",
            "the lengths are ignored",
            "Your weights are the same with lengths and without: padding gets its share. "
            "Where does `valid_lens` enter your computation?",
            (_ignore_lengths_of(1, 2),),
        ),
        Misconception(
            "inverted-mask",
            "the mask is the wrong way round",
            "Your weights lie on the padding, and the real keys get none. True means *keep*: which side do you fill?",
            (
                lambda scores, valid_lens=None: (
                    _right(scores, _keep(scores, valid_lens))
                    if valid_lens is None
                    else _right(scores, ~_keep(scores, valid_lens))
                ),
                lambda scores, valid_lens=None: (
                    scores.softmax(-1)
                    if valid_lens is None
                    else scores.masked_fill(_keep(scores, valid_lens), -torch.inf).softmax(-1)
                ),
                lambda scores, valid_lens=None: (
                    scores.softmax(-1)
                    if valid_lens is None
                    else scores.masked_fill(_keep(scores, valid_lens), -1e9).softmax(-1)
                ),
                lambda scores, valid_lens=None: _right(scores, ~_keep(scores, valid_lens)),
            ),
        ),
        Misconception(
            "mask-after-softmax",
            "the mask comes after the softmax",
            "The padding has weight 0, but it had its share of the softmax before you took it away, "
            "so what is left sums to less than 1. The padding must be out *before* the softmax divides.",
            (
                lambda scores, valid_lens=None: scores.softmax(-1) * _keep(scores, valid_lens),
                lambda scores, valid_lens=None: scores.softmax(-1).masked_fill(~_keep(scores, valid_lens), 0.0),
            ),
        ),
        Misconception(
            "masked-and-renormalised",
            "padding can crowd out the real keys before it is masked",
            "Taking the padding out of a finished softmax and dividing by what is left is right on paper. But the softmax has "
            "rounded the real weights already: beside loud padding they are 0, and can't be brought back. "
            "The padding must be out before any exponential is compared with another.",
            (
                _renormalise(lambda total: total),
                _renormalise(lambda total: total.clamp(min=1e-6)),
                _renormalise(lambda total: total + 1e-9),
                _renormalise(lambda total: total.masked_fill(total == 0, 1.0)),
                lambda scores, valid_lens=None: _renormalise(lambda total: total)(scores, valid_lens).nan_to_num(0.0),
                _exps_over_all_keys,
            ),
        ),
        Misconception(
            "mask-lacks-an-axis",
            "the mask's axes don't meet those of the scores",
            "A mask (batch, key) put against scores (batch, query, key) is lined up from the right: its batch axis meets the "
            "*queries* (or PyTorch refuses). And an axis added at the end makes the keys meet the queries. "
            "Write the two shapes one above the other: where does the 1 belong?",
            (
                *(_mask_broadcast_as(*axis) for axis in ((), (2,), (0,))),
                *(_repaired(_mask_broadcast_as(*axis)) for axis in ((), (2,), (0,))),
                _repaired(_mask_broadcast_as(strict=True)),
            ),
        ),
        Misconception(
            "zero-fill",
            "the padding's scores are set to 0",
            'A score of 0 is not "no attention": exp(0) is 1, more than any negative score gets. '
            "Which score has an exponential of exactly 0?",
            (
                lambda scores, valid_lens=None: scores.masked_fill(~_keep(scores, valid_lens), 0.0).softmax(-1),
                lambda scores, valid_lens=None: (scores * _keep(scores, valid_lens)).softmax(-1),
                lambda scores, valid_lens=None: (
                    scores.masked_fill(~_keep(scores, valid_lens), 0.0)
                    .softmax(-1)
                    .masked_fill(~_keep(scores, valid_lens), 0.0)
                ),
            ),
        ),
        Misconception(
            "off-by-one",
            "each length is off by one",
            "A length of 2 keeps the keys 0 and 1. Count the keys that you keep.",
            (_shift_lengths(1), _shift_lengths(-1)),
        ),
        Misconception(
            "lengths-repeated-wrong-axis",
            "one sequence's length is given to another's queries",
            "With one length a sequence, all queries of sequence 0 share the first length, all of sequence 1 the second. "
            "Yours alternate between the sequences: `repeat` lays whole copies end to end, which suits only a batch of "
            "one. Compare what `repeat` and `repeat_interleave` do to [1, 2].",
            (_repeat_on_the_wrong_axis,),
        ),
        Misconception(
            "masks-queries",
            "the length cuts off queries instead of keys",
            "You blank out the *rows* beyond the length. The length says how many keys there are to attend to: "
            "that is the last axis, in every row.",
            (_mask_queries,),
        ),
        Misconception(
            "ignores-1d-lengths",
            "lengths of shape (batch,) are ignored",
            "Lengths of shape (batch, query) work, but with one length a sequence nothing is masked. "
            "Every query of that sequence has this one length.",
            (_ignore_lengths_of(1), _crash_on_one_axis),
        ),
        Misconception(
            "ignores-2d-lengths",
            "lengths of shape (batch, query) are ignored, or not understood",
            "With one length a sequence you are right. But each query may have a length of its own "
            "(a decoder that must not look ahead needs that): then `valid_lens` has shape (batch, query).",
            (_ignore_lengths_of(2), _crash_on_two_axes),
        ),
        Misconception(
            "finite-fill",
            "a row of length 0 gets weights, as after a large finite fill",
            "exp(−1e9) is 0 *next to a larger score*. In a row with no valid key all scores are equally low, and the softmax "
            "makes them uniform: the query attends to padding. (And float16 ends at −65504: −1e6 does not fit.) "
            "If you gave such a row equal scores on purpose, its weights have still to be taken away.",
            (_fill_with(-1e6), _fill_with(-1e9), _fill_with(-1e4), _fill_with(None), _fill_with(-1e20)),
        ),
        Misconception(
            "empty-row-attends",
            "a row of length 0 attends to its padding",
            "The row no longer divides by 0, but it still gives away a whole weight of 1, to padding. What should it give?",
            (_raw_scores_in_empty_rows,),
        ),
        Misconception(
            "empty-row-keeps-one",
            "a row of length 0 is treated as one of length 1",
            "Clamping the lengths avoids 0/0, but the query now gives its whole weight to the first key, which is padding. "
            "A row without a valid key gives nothing.",
            (
                lambda scores, valid_lens=None: _right(
                    scores, _keep(scores, None if valid_lens is None else valid_lens.clamp(min=1))
                ),
            ),
        ),
        Misconception(
            "scaled-again",
            "the scores are divided by a root",
            "The division by √d belongs to the scores (lab 2), and is done before they get here: a softmax takes them as they "
            "are. Your weights are too even.",
            (
                lambda scores, valid_lens=None: _right(scores / math.sqrt(scores.shape[-1]), _keep(scores, valid_lens)),
                lambda scores, valid_lens=None: _right(scores / math.sqrt(scores.shape[-2]), _keep(scores, valid_lens)),
            ),
        ),
        Misconception(
            "no-exponential",
            "the scores are divided by their sum, without an exponential",
            "A softmax takes the exponential first: then every weight is positive, and only differences of scores count.",
            (
                lambda scores, valid_lens=None: (
                    (scores * _keep(scores, valid_lens)) / (scores * _keep(scores, valid_lens)).sum(-1, keepdim=True)
                ),
            ),
        ),
        Misconception(
            "one-empty-row-empties-all",
            "one empty row makes every row empty",
            "A batch may hold empty rows beside full ones. Look at each row by itself.",
            (
                _zeros_if_any_row_is_empty,
                lambda scores, valid_lens=None: _zeros_if_any_row_is_empty(scores, valid_lens).detach(),
            ),
        ),
        Misconception(
            "fill-not-low-enough",
            "the fill is not far enough below the real scores",
            "A finite fill keeps the padding out only while every real score lies far above it. "
            "Which number is below all of them, however low they are?",
            (
                _low_fill_then_zero(-30.0),
                _low_fill_then_zero(-100.0),
                _low_fill_then_zero(-1000.0),
                _low_fill_then_zero(-1e4),
            ),
        ),
        Misconception(
            "nan-empty-row",
            "a row of length 0 becomes NaN",
            "In a row of length 0 no exponential is left, and the softmax divides 0 by 0. "
            "A query with nothing to attend to should get all zeros, not NaN.",
            (_naive_infinity, _add_infinity, _divide_by_nothing),
        ),
        Misconception(
            "one-length-for-all",
            "every sequence is given the same length",
            "A batch of one sequence works, but in a larger batch each sequence has a length of its own. "
            "Yours treats them all alike.",
            (
                lambda scores, valid_lens=None: _right(
                    scores, _keep(scores, None if valid_lens is None else valid_lens[:1].expand_as(valid_lens))
                ),
                lambda scores, valid_lens=None: _right(
                    scores, _keep(scores, None if valid_lens is None else valid_lens.max().expand_as(valid_lens))
                ),
            ),
        ),
        Misconception(
            "writes-into-lengths",
            "the caller's lengths are overwritten",
            "The weights are right, but `valid_lens` is no longer what it was, and the next layer gets wrong lengths. "
            "Which of your operations writes in place?",
            (_overwrite_lengths,),
        ),
        Misconception(
            "writes-into-scores",
            "the caller's scores are overwritten",
            "The weights are right, but the caller's scores are no longer what they were: whoever uses them again "
            "gets masked scores. Which of your operations writes in place (a trailing underscore, or `x[...] = `)?",
            (_overwrite_with(-torch.inf), _overwrite_with(-1e9)),
        ),
        Misconception(
            "writes-into-softmax-output",
            "a tensor that the backward pass needs is overwritten",
            "The weights are right, but you change the softmax's result in place, and autograd needs that result for the "
            "gradient. Which operation ends in an underscore, or assigns into a tensor? Make a new tensor instead.",
            (_spoil_softmax_output,),
        ),
        Misconception(
            "detached-gradient",
            "no gradient gets through",
            "The numbers are right, but nothing upstream could learn from them: the result isn't connected to the scores. "
            "`.detach()`, `.data`, `.item()`, `torch.tensor(...)` and `torch.no_grad()` all cut the connection.",
            (lambda scores, valid_lens=None: _right(scores.detach(), _keep(scores, valid_lens)),),
        ),
        Misconception(
            "nan-gradient",
            "NaN is hidden in the output, and comes back in the gradient",
            "You replace the NaN of an empty row after it has arisen. The backward pass still goes through 0/0, "
            "and NaN times 0 is NaN: the row must never get that far, or its scores must be cut off before it.",
            (lambda scores, valid_lens=None: _add_infinity(scores, valid_lens).nan_to_num(0.0),),
        ),
        Misconception(
            "type-changed",
            "the result has another type than the scores",
            "Weights have the scores' own type: float16 in, float16 out. Somewhere a conversion, or a constant of "
            "another type, changed it.",
            (
                lambda scores, valid_lens=None: _right(scores.float(), _keep(scores, valid_lens)),
                lambda scores, valid_lens=None: _right(scores.double(), _keep(scores, valid_lens)),
            ),
        ),
        Misconception(
            "one-maximum-for-all",
            "one number is subtracted from all the rows",
            "Subtracting the maximum of the whole tensor keeps the exponential from overflowing. But a row that lies far "
            "below that maximum underflows to 0 everywhere, and 0/0 is left. Each row needs the maximum of its own scores.",
            tuple(
                _subtract_one_maximum(*dims, repair=repair)
                for dims in ((0, 1, 2), (1, 2))
                for repair in (
                    lambda total: total,
                    lambda total: total.masked_fill(total == 0, 1.0),
                    lambda total: total.clamp(min=1e-6),
                )
            ),
        ),
        Misconception(
            "overflow",
            "the exponential overflows",
            "exp(200) is more than float32 can hold. A softmax stays the same if one number is subtracted from all the "
            "scores of a row: which number makes the largest exponential 1?",
            (
                _divide_exps_in(None, lambda total: total.masked_fill(total == 0, 1.0)),
                _divide_exps_in(torch.float64, lambda total: total.masked_fill(total == 0, 1.0)),
                _divide_exps_in(None, lambda total: total),
                *(
                    _divide_valid_exps(fill, repair)
                    for fill in (0.0, -torch.inf)
                    for repair in (
                        lambda total: total.masked_fill(total == 0, 1.0),
                        lambda total: total.clamp(min=1e-6),
                    )
                ),
                lambda scores, valid_lens=None: _divide_valid_exps(-torch.inf, lambda total: total)(
                    scores, valid_lens
                ).nan_to_num(0.0),
                lambda scores, valid_lens=None: _divide_exps_in(None, lambda total: total)(
                    scores, valid_lens
                ).nan_to_num(0.0),
            ),
        ),
        NOTHING_RETURNED,
    ),
)


# --- 3. breaking_input ---------------------------------------------------------------------------------------------


_MOST_SCORES = 10_000  # the oracle goes through them one by one


@dataclass(frozen=True)
class Hunt:
    """What came of an input on which a widely copied version was to go wrong. Hunts are alike if their verdicts are."""

    verdict: str
    details: str = field(default="", compare=False)


def _hunt(answer: Callable, args: tuple) -> Hunt:
    """Observe what the answer's input does to the version that it was given."""
    (version,) = args
    found = answer(version)
    try:
        scores, valid_lens = found
    except (TypeError, ValueError):
        return Hunt("no pair", f"it gave {type(found).__name__}, not a pair (scores, valid_lens)")
    fault = _fault_of_input(scores, valid_lens)
    if fault:
        return Hunt(*fault)
    given = f"scores of shape {tuple(scores.shape)}, valid_lens = {valid_lens.tolist()}"
    scores = scores.detach()
    before, want = scores.clone(), _softmax_oracle(scores, valid_lens)
    if not want.isfinite().all():
        return Hunt("unfair", f"{given}: on this input no implementation can be right")
    try:
        got = version(scores, valid_lens.clone())
    except Exception as error:  # a version that fails on a fair input is caught
        return Hunt("caught", f"it raised {type(error).__name__}")
    if not close(got, want) or ((got != 0) & (want == 0)).any():
        return Hunt("caught", "its weights are wrong")
    if not torch.equal(scores, before):
        return Hunt("caught", "its weights are right, but it changed your scores")
    num_keys = scores.shape[-1]
    if (valid_lens == num_keys).all():
        return Hunt("no padding", f"{given}: every length is {num_keys}, so there is nothing to mask")
    return Hunt("survived", f"{given}: this version's weights are right, and it left the scores alone")


def _fault_of_input(scores: Any, valid_lens: Any) -> tuple[str, str] | None:
    if not isinstance(scores, Tensor) or not isinstance(valid_lens, Tensor):
        kinds = f"{type(scores).__name__} and {type(valid_lens).__name__}"
        return "no tensors", f"scores and valid_lens must both be tensors, but are {kinds}"
    if scores.dim() != 3 or not scores.dtype.is_floating_point or not scores.numel():
        return (
            "bad scores",
            f"scores must be floats of shape (batch, query, key), no axis empty, but are {_kind(scores)}",
        )
    if scores.numel() > _MOST_SCORES:
        return "bad scores", f"a few scores do, and these are {_kind(scores)}"
    if valid_lens.dtype.is_floating_point or valid_lens.dtype in (torch.bool, torch.complex64):
        return "bad lengths", f"valid_lens must hold integers, but has type {short(valid_lens.dtype)}"
    if valid_lens.shape not in (scores.shape[:1], scores.shape[:2]):
        return (
            "bad lengths",
            f"valid_lens of shape {tuple(valid_lens.shape)} doesn't fit scores that are {_kind(scores)}",
        )
    if (valid_lens < 0).any() or (valid_lens > scores.shape[-1]).any():
        return "impossible lengths", f"valid_lens = {valid_lens.tolist()}, but there are {scores.shape[-1]} keys"
    if not scores.detach().isfinite().all():
        return "not finite", "the scores hold an infinity or a NaN, so there is no right answer to compare with"
    return None


def _kind(tensor: Tensor) -> str:
    return f"{short(tensor.dtype)} of shape {tuple(tensor.shape)}"


def _is_caught(got: Hunt, want: None) -> str | None:
    return None if got.verdict == "caught" else got.details


def _how_it_was_caught(got: Hunt) -> str:
    return got.details


def _hunted(version: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield Case((version,), None)

    return cases


def _always(scores: Tensor, valid_lens: Any) -> Callable:
    return lambda buggy_masked_softmax: (scores.clone(), valid_lens)


_PLAIN = torch.tensor([[[0.5, -1.0, 2.0]]])

BREAKING_INPUT = Exercise(
    name="breaking_input",
    arguments=("buggy_masked_softmax",),
    properties=(
        Property(
            "version 1 (fill in place) goes wrong on your input",
            _hunted(fill_in_place),
            _hunt,
            _is_caught,
            remark=_how_it_was_caught,
        ),
        Property(
            "version 2 (fill a copy) goes wrong on your input",
            _hunted(fill_a_copy),
            _hunt,
            _is_caught,
            remark=_how_it_was_caught,
        ),
        Property(
            "version 3 (infinity in place) goes wrong on your input",
            _hunted(infinity_in_place),
            _hunt,
            _is_caught,
            remark=_how_it_was_caught,
        ),
    ),
    misconceptions=(
        Misconception(
            "not-a-pair",
            "what comes back isn't a pair of tensors",
            "Return `scores, valid_lens`: a float tensor of shape (batch, query, key), and an integer tensor of shape "
            "(batch,) or (batch, query).",
            (_always(_PLAIN, None), lambda buggy: _PLAIN.clone(), lambda buggy: None, lambda buggy: (1, 2, 3)),
        ),
        Misconception(
            "not-scores-and-lengths",
            "the tensors aren't scores and lengths",
            "Scores are floats of shape (batch, query, key); lengths are integers, one for each sequence or for each query.",
            (
                _always(_PLAIN[0], torch.tensor([1])),
                _always(_PLAIN, torch.tensor([1.0])),
                _always(_PLAIN, torch.tensor(1)),
            ),
        ),
        Misconception(
            "impossible-lengths",
            "a length is impossible",
            "A length counts keys: it lies between 0 and their number. On your input the *correct* version fails as well, "
            "so it proves nothing about this one.",
            (_always(_PLAIN, torch.tensor([4])), _always(_PLAIN, torch.tensor([-1]))),
        ),
        Misconception(
            "not-finite",
            "the scores aren't finite",
            "With NaN or ∞ among the scores every softmax goes wrong, the correct one too. Find *fair* input: "
            "ordinary, finite scores on which only this version is wrong.",
            (
                _always(torch.full((1, 1, 3), torch.nan), torch.tensor([1])),
                _always(torch.full((1, 1, 3), math.inf), torch.tensor([1])),
            ),
        ),
        Misconception(
            "no-padding",
            "there is nothing to mask",
            "Every key counts in your input, so the mask has nothing to do, and a mistake in the masking can't show.",
            (_always(_PLAIN, torch.tensor([3])),),
        ),
        Misconception(
            "ordinary-padding",
            "the input is one on which this version happens to be right",
            "Next to an ordinary score, exp(−1e9) is 0, and a finite fill does as well as −∞. "
            "What if there is *no* ordinary score in the row to stand next to?",
            (_always(_PLAIN, torch.tensor([2])),),
        ),
    ),
)


# --- 4. masked_mean ------------------------------------------------------------------------------------------------


def _mean_case(values: Tensor, *lengths: int) -> Case:
    valid_lens = torch.tensor(lengths)
    return Case((values, valid_lens), _mean_oracle(values, valid_lens))


def _full_sequences(draw: Draw) -> Iterator[Case]:
    yield _mean_case(draw.normal(1, 2, 3), 2)
    yield _mean_case(draw.normal(3, 4, 2), 4, 4, 4)


def _padded_sequences(draw: Draw) -> Iterator[Case]:
    yield _mean_case(draw.normal(1, 3, 2), 2)
    yield _mean_case(draw.normal(2, 2, 2), 1, 2)  # every axis of the same size
    yield _mean_case(draw.normal(3, 3, 3), 2, 1, 3)
    yield _mean_case(draw.normal(4, 5, 3, scale=5.0), 1, 4, 5, 2)
    yield _mean_case(torch.tensor([[[3.0, 1.0], [0.0, 0.0], [1e4, -1e4]]]), 2)  # a real step may be zeros


def _empty_sequence(draw: Draw) -> Iterator[Case]:
    yield _mean_case(draw.normal(1, 2, 2), 0)
    yield _mean_case(draw.normal(3, 3, 2), 0, 2, 0)


def _mean_arguments(draw: Draw) -> Iterator[Case]:
    yield Case((draw.normal(2, 3, 2), torch.tensor([1, 2])), ("values", "valid_lens"))
    yield Case((draw.normal(2, 3, 2), torch.tensor([0, 3])), ("values", "valid_lens"))


def _mean_gradients(draw: Draw) -> Iterator[Case]:
    for lengths in ([3, 2], [0, 2]):
        values, valid_lens = draw.normal(2, 3, 2), torch.tensor(lengths)
        yield Case((values, valid_lens), _oracle_gradient(_mean_oracle, values, valid_lens))


def _mean_types(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        yield _mean_case(draw.normal(2, 3, 2, scale=1.0).to(dtype), 2, 0)


def _steps(values: Tensor, valid_lens: Tensor) -> Tensor:
    return (torch.arange(values.shape[1]) < valid_lens.unsqueeze(1)).unsqueeze(2)


def _mean_with(mask: Callable = _steps, divisor: Callable = lambda values, lengths: lengths.clamp(min=1)) -> Callable:
    """A masked mean out of a mask and a divisor, of which one has a mistake."""

    def mean(values, valid_lens):
        total = (values * mask(values, valid_lens)).sum(1)
        return total / divisor(values, valid_lens).unsqueeze(1).to(values.dtype)

    return mean


def _lengths_like(number: Callable) -> Callable:
    return lambda values, lengths: torch.full_like(lengths, number(values, lengths)).clamp(min=1)


MASKED_MEAN = Exercise(
    name="masked_mean",
    arguments=("values", "valid_lens"),
    properties=(
        Property("gives one vector for each sequence: (batch, v)", _full_sequences, output, has_shape),
        Property("without padding it is the mean over the steps", _full_sequences, output, equals),
        Property("padding doesn't count", _padded_sequences, output, equals),
        Property("an empty sequence gives zeros", _empty_sequence, output, equals),
        Property(
            "leaves its arguments as they were",
            _mean_arguments,
            changed_arguments,
            leaves_arguments_alone,
            suggests="writes-into-values",
        ),
        Property("its gradient is right and finite", _mean_gradients, gradient, right_gradient, shows=GRADIENT),
        Property("keeps the type: float16, bfloat16 and float64 work", _mean_types, output, _keeps_type),
    ),
    misconceptions=(
        Misconception(
            "divides-by-padded-length",
            "the sum is divided by the padded length",
            "You sum the right steps and divide by all of them, padding included: the shorter the sequence, "
            "the closer to zero its mean. (A well-known loss function has this mistake; lab 4 meets it again.)",
            (_mean_with(divisor=_lengths_like(lambda values, lengths: values.shape[1])),),
        ),
        Misconception(
            "divides-by-longest",
            "every sum is divided by the same number",
            "Each sequence is divided by its own length, not by one number for the whole batch.",
            (
                _mean_with(divisor=_lengths_like(lambda values, lengths: int(lengths.max()))),
                _mean_with(divisor=lambda values, lengths: lengths.sum().clamp(min=1).expand_as(lengths)),
            ),
        ),
        Misconception(
            "nan-empty-sequence",
            "an empty sequence becomes NaN",
            "A sequence of length 0 has sum 0, and 0/0 is NaN. It should give zeros.",
            (
                _mean_with(divisor=lambda values, lengths: lengths),
                lambda values, valid_lens: torch.stack(
                    [steps[:length].mean(0) for steps, length in zip(values, valid_lens.tolist(), strict=True)]
                ),
            ),
        ),
        Misconception(
            "nan-gradient",
            "NaN is hidden in the output, and comes back in the gradient",
            "You replaced the NaN after dividing by 0. The backward pass still divides by 0. "
            "Divide by something that is never 0.",
            (
                lambda values, valid_lens: _mean_with(divisor=lambda v, lengths: lengths)(
                    values, valid_lens
                ).nan_to_num(0.0),
                lambda values, valid_lens: torch.where(
                    (valid_lens > 0).unsqueeze(1),
                    _mean_with(divisor=lambda v, lengths: lengths)(values, valid_lens),
                    0.0,
                ),
            ),
        ),
        Misconception(
            "padding-counted",
            "the padding is counted",
            "The steps beyond the length are padding: whatever lies there is no part of the sequence. "
            "Yours enter the mean.",
            (
                lambda values, valid_lens: values.mean(1),
                _mean_with(mask=lambda values, lengths: torch.ones(1, 1, 1, dtype=torch.bool)),
            ),
        ),
        Misconception(
            "mean-over-wrong-axis",
            "the mean runs over the wrong axis",
            "A mean over the *steps* leaves one vector of width v for each sequence. Which of the axes "
            "(batch, step, v) must disappear?",
            (
                lambda values, valid_lens: values.mean(2),
                lambda values, valid_lens: values.mean(0),
                lambda values, valid_lens: values.mean((1, 2)),
                lambda values, valid_lens: (
                    (values * _steps(values, valid_lens)).sum(2) / valid_lens.clamp(min=1).unsqueeze(1).to(values.dtype)
                ),
            ),
        ),
        Misconception(
            "sum-instead-of-mean",
            "the sum isn't divided at all",
            "A mean is a sum divided by the number of steps that went into it.",
            (_mean_with(divisor=lambda values, lengths: torch.ones_like(lengths)),),
        ),
        Misconception(
            "off-by-one",
            "one step too many, or one too few",
            "A length of 2 means the steps 0 and 1. Count the steps that enter your sum.",
            (
                _mean_with(mask=lambda values, lengths: _steps(values, lengths + 1)),
                _mean_with(mask=lambda values, lengths: _steps(values, lengths - 1)),
            ),
        ),
        Misconception(
            "inverted-mask",
            "the mask is the wrong way round",
            "You average the padding and leave the sequence out. True means *keep*.",
            (
                _mean_with(mask=lambda values, lengths: ~_steps(values, lengths)),
                _mean_with(
                    mask=lambda values, lengths: ~_steps(values, lengths),
                    divisor=lambda values, lengths: (values.shape[1] - lengths).clamp(min=1),
                ),
            ),
        ),
        Misconception(
            "writes-into-lengths",
            "the caller's lengths are overwritten",
            "The mean is right, but `valid_lens` is no longer what it was, and whoever uses it next gets wrong lengths. "
            "Which of your operations ends in an underscore, or assigns in place (`+=`)?",
            (lambda values, valid_lens: (_mean_with()(values, valid_lens), valid_lens.add_(1))[0],),
        ),
        Misconception(
            "writes-into-values",
            "the caller's values are overwritten",
            "The mean is right, but the caller's values are no longer what they were. "
            "Which of your operations writes in place?",
            (
                lambda values, valid_lens: (
                    _mean_with()(values, valid_lens),
                    values.masked_fill_(~_steps(values, valid_lens), 0.0),
                )[0],
            ),
        ),
        Misconception(
            "detached-gradient",
            "no gradient gets through",
            "The numbers are right, but the result isn't connected to the values, so nothing upstream could learn: "
            "`.detach()`, `.item()`, `torch.tensor(...)` and `torch.no_grad()` all cut the connection.",
            (lambda values, valid_lens: _mean_with()(values.detach(), valid_lens),),
        ),
        Misconception(
            "type-changed",
            "the result has another type than the values",
            "The mean has the values' own type: float16 in, float16 out.",
            (
                lambda values, valid_lens: _mean_with()(values.float(), valid_lens),
                lambda values, valid_lens: _mean_with()(values.double(), valid_lens),
            ),
        ),
        Misconception(
            "one-length-for-all",
            "every sequence is given the same length",
            "A batch of one sequence works, but in a larger batch each sequence has a length of its own.",
            (
                lambda values, valid_lens: _mean_with()(values, valid_lens[:1].expand_as(valid_lens)),
                lambda values, valid_lens: _mean_with()(values, valid_lens.max().expand_as(valid_lens)),
            ),
        ),
        Misconception(
            "counts-nonzero-steps",
            "a step of zeros isn't counted",
            "A real step may hold zeros, and padding may hold anything: which steps are real, only `valid_lens` says.",
            (
                lambda values, valid_lens: (
                    (values * _steps(values, valid_lens)).sum(1)
                    / (values * _steps(values, valid_lens) != 0)
                    .any(-1, keepdim=True)
                    .sum(1)
                    .clamp(min=1)
                    .to(values.dtype)
                ),
            ),
        ),
        Misconception(
            "axis-missing",
            "an axis is missing in a product or in a division",
            "`values` has three axes, a mask (batch, step) two and the lengths one. PyTorch lines axes up from the right, "
            "so they meet the wrong ones, or don't fit. Write the shapes one above the other: where is a 1 missing?",
            (
                lambda values, valid_lens: (
                    (values * _steps(values, valid_lens).squeeze(2)).sum(1)
                    / valid_lens.clamp(min=1).unsqueeze(1).to(values.dtype)
                ),
                lambda values, valid_lens: (
                    (values * _steps(values, valid_lens)).sum(1) / valid_lens.clamp(min=1).to(values.dtype)
                ),
            ),
        ),
        Misconception(
            "axis-kept",
            "the step axis is still there, with size 1",
            "The mean is right, but its shape is (batch, 1, v): the axis that you averaged over should be gone.",
            (lambda values, valid_lens: _mean_with()(values, valid_lens).unsqueeze(1),),
        ),
        NOTHING_RETURNED,
    ),
)

EXERCISES = (LENGTH_MASK, MASKED_SOFTMAX, BREAKING_INPUT, MASKED_MEAN)
