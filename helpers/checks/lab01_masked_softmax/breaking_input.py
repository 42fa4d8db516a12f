"""`breaking_input`: what a right answer does, and the mistakes that people make."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import module_from_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from helpers import widely_copied
from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property, close
from helpers.checks.judging import short
from helpers.widely_copied import fill_a_copy, fill_in_place, infinity_in_place


@dataclass(frozen=True)
class Hunt:
    """What came of an input on which a widely copied version was to go wrong. Hunts are alike if their verdicts are."""

    verdict: str
    details: str = field(default="", compare=False)


def _copy_of(module: ModuleType) -> ModuleType:
    """A module loaded once more: what is written into the first, or into a function of it, leaves this one alone."""
    assert module.__spec__ is not None and module.__spec__.loader is not None
    copy = module_from_spec(module.__spec__)
    module.__spec__.loader.exec_module(copy)
    return copy


_KEPT = _copy_of(widely_copied)  # an answer may overwrite the function that it is handed; nothing is gained by that


def _right_weights(scores: Tensor, valid_lens: Tensor) -> Tensor:
    """The weights that a right version would give, for scores of any size; the result has their type."""
    lengths = valid_lens.reshape(len(scores), -1, 1)
    valid = torch.arange(scores.shape[-1]) < lengths
    exact = scores.double().masked_fill(~valid, -torch.inf)
    exps = (exact - exact.amax(-1, keepdim=True).nan_to_num(neginf=0.0)).exp()
    return (exps / exps.sum(-1, keepdim=True).clamp(min=1e-300)).to(scores.dtype)


def _hunt(answer: Callable, args: tuple) -> Hunt:
    """Observe what the answer's input does to the version that it was given."""
    (handed,) = args
    version, code = getattr(_KEPT, handed.__name__), handed.__code__
    try:
        found = answer(handed)
    finally:
        handed.__code__ = code
    try:
        scores, valid_lens = found
    except (TypeError, ValueError):
        return Hunt("no pair", f"it gave {type(found).__name__}, not a pair (scores, valid_lens)")
    fault = _fault_of_input(scores, valid_lens)
    if fault:
        return Hunt(*fault)
    given = f"scores of shape {tuple(scores.shape)}, valid_lens = {valid_lens.tolist()}"
    scores = scores.detach()
    before, want = scores.clone(), _right_weights(scores, valid_lens)
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


EXERCISE = Exercise(
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
        mistakes.NOT_A_PAIR.explained(
            "Return `scores, valid_lens`: a float tensor of shape (batch, query, key), and an integer tensor of shape "
            "(batch,) or (batch, query).",
            _always(_PLAIN, None),
            lambda buggy: _PLAIN.clone(),
            lambda buggy: None,
            lambda buggy: (1, 2, 3),
        ),
        Misconception(
            "not-scores-and-lengths",
            "the tensors aren't scores and lengths",
            "Scores are floats of shape (batch, query, key); lengths are integers, one for each sequence or for each "
            "query.",
            (
                _always(_PLAIN[0], torch.tensor([1])),
                _always(_PLAIN, torch.tensor([1.0])),
                _always(_PLAIN, torch.tensor(1)),
            ),
        ),
        Misconception(
            "impossible-lengths",
            "a length is impossible",
            "A length counts keys: it lies between 0 and their number. On your input the *correct* version fails as "
            "well, so it proves nothing about this one.",
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
