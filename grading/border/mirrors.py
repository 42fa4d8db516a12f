"""What is kept the same on both sides of the border, as the examiner does it: a test can't tell that they are two.

The other side isn't trusted. What it says can change the arguments that a test handed over, as a wrong function could;
it can't choose what a test draws, nor write to anything else.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from grading.border.errors import CandidateGone
from grading.border.messages import Effects, Written
from grading.border.wire import Reader, Writer, state_of, tensors_in

_LARGEST_SETTING = 10_000  # of a tokenizer: a number, or characters
_MOST_RESULTS = 8  # tensors that are watched


class RandomStates:
    """The states of the student's random numbers, and what stands for each of them here.

    None of theirs is ever PyTorch's here: what a test draws is the test's, whatever the other side says.
    """

    def __init__(self) -> None:
        self._theirs: dict[bytes, Tensor] = {}
        self._known: Tensor | None = None  # the state here at which both sides are the same

    def here(self, theirs: Tensor) -> Tensor:
        """A state that stands for theirs, and is like no other."""
        mine = torch.Generator().manual_seed(2**40 + len(self._theirs)).get_state()
        self._theirs[mine.numpy().tobytes()] = theirs
        return mine

    def there(self, mine: Tensor) -> Tensor:
        """The state of theirs that this one stands for; the same state if it is one of the test's."""
        return self._theirs.get(mine.numpy().tobytes(), mine)

    def news(self, writer: Writer) -> Written:
        """PyTorch's state here, written for a request; None if the candidate has it already."""
        mine = torch.get_rng_state()
        if self._known is not None and torch.equal(mine, self._known):
            return None
        self._known = mine
        return writer.tensor(self.there(mine))

    def follow(self, theirs: Tensor) -> None:
        """Let PyTorch's state here stand for the one that the candidate is in now."""
        torch.set_rng_state(self.here(theirs))
        self._known = torch.get_rng_state()

    def follow_generators(self, arguments: Iterable[Any], effects: Effects, reader: Reader) -> None:
        """Move the generators among a call's arguments on as far as it did."""
        generators = [value for value in arguments if isinstance(value, torch.Generator)]
        for generator, state in zip(generators, effects.generators, strict=False):
            theirs = reader.read(state)
            if not torch.equal(theirs, self.there(generator.get_state())):
                generator.set_state(self.here(theirs))


class Shadows:
    """A parameter here for each of the student's that a test has met, by its mark (see `messages.Parameters`)."""

    def __init__(self) -> None:
        self._shadows: dict[str, tuple[nn.Parameter, int]] = {}  # with the version that the candidate knows

    def __contains__(self, mark: str) -> bool:
        return mark in self._shadows

    def __getitem__(self, mark: str) -> nn.Parameter:
        return self._shadows[mark][0]

    def cast(self, mark: str, numbers: Tensor) -> nn.Parameter:
        """The shadow of that mark, with the numbers that the parameter has over there."""
        if mark not in self or self[mark].shape != numbers.shape:
            shadow = nn.Parameter(numbers.clone(), requires_grad=numbers.dtype.is_floating_point)
        else:
            shadow = self[mark]
            with torch.no_grad():
                shadow.copy_(numbers)
        self._shadows[mark] = (shadow, shadow._version)
        return shadow

    def follow(self, mark: str, numbers: Tensor) -> None:
        """Let the shadow of that mark have the numbers that the parameter was given over there."""
        if mark in self and self[mark].shape == numbers.shape:
            self.cast(mark, numbers)

    def news(self, writer: Writer) -> list[tuple[str, Written]]:
        """The shadows that the test has written to since the last time, written for a request."""
        changed = [mark for mark, (shadow, version) in self._shadows.items() if shadow._version != version]
        for mark in changed:
            self._shadows[mark] = (self[mark], self[mark]._version)
        return [(mark, writer.tensor(self[mark])) for mark in changed]


class Results:
    """The last tensors that calls gave: what a test writes into one that the student's code has kept changes there."""

    def __init__(self) -> None:
        # Each with a copy of what it was, the call's number, and its place in the call's result.
        self._results: deque[tuple[Tensor, Tensor, int, int]] = deque(maxlen=_MOST_RESULTS)

    def watch(self, call: int, result: Any) -> None:
        """Watch the tensors in what a call gave."""
        found = enumerate(tensors_in(result))
        self._results += [(tensor, tensor.detach().clone(), call, place) for place, tensor in found]

    def news(self, writer: Writer) -> list[tuple[int, int, Written]]:
        """The tensors that the test has written to since the last time, written for a request."""
        changed = []
        for at, (tensor, before, call, place) in enumerate(self._results):
            if not _identical(tensor, before):  # in its shape, too: the student's code may have made it longer
                self._results[at] = (tensor, tensor.detach().clone(), call, place)
                changed.append((call, place, writer.tensor(tensor)))
        return changed


def changes_of_arguments(
    inputs: list[Tensor], args: tuple, kwargs: dict[str, Any], effects: Effects, reader: Reader
) -> Iterator[Callable[[], Any]]:
    """What is to be done here to a call's arguments, since the call did it to their copies.

    `inputs` are the tensors among them, in the order of `messages.Call.inputs`.
    """
    arguments = [*args, *kwargs.values()]
    yield from _changes_of_tensors(inputs, effects, reader)
    yield from _changes_of_boxes(args, effects, reader)
    yield from _changes_of_modules([value for value in arguments if isinstance(value, nn.Module)], effects, reader)
    tokenizers = [value for value in arguments if type(value).__module__ == "tokenizers"]
    yield from _changes_of_tokenizers(tokenizers, effects, reader)


def _changes_of_tensors(inputs: list[Tensor], effects: Effects, reader: Reader) -> Iterator[Callable[[], Any]]:
    for place, written in effects.changed:
        theirs = reader.read(written)
        if not _identical(inputs[place], theirs):
            yield partial(_overwrite, inputs[place], theirs)


def _changes_of_boxes(args: tuple, effects: Effects, reader: Reader) -> Iterator[Callable[[], Any]]:
    """Of lists, dictionaries and sets without a tensor in them."""
    boxes = [value for value in args if isinstance(value, list | dict | set)]
    for mine, theirs in zip(boxes, reader.read(effects.arguments), strict=False):
        if type(mine) is type(theirs) and next(tensors_in(mine), None) is None and mine != theirs:
            yield partial(_refill, mine, theirs)


def _changes_of_modules(modules: list[nn.Module], effects: Effects, reader: Reader) -> Iterator[Callable[[], Any]]:
    for module, (numbers, modes, learning) in zip(modules, effects.modules, strict=False):
        for mine, written in zip(state_of(module), numbers, strict=True):
            theirs = reader.read(written)
            if not _identical(mine, theirs):
                yield partial(_overwrite, mine, theirs)
        for part, mode in zip(module.modules(), modes, strict=True):
            if part.training != mode:
                yield partial(setattr, part, "training", mode)
        for weight, learns in zip(module.parameters(), learning, strict=True):
            if weight.requires_grad != learns:
                yield partial(weight.requires_grad_, learns)


def _changes_of_tokenizers(tokenizers: list[Any], effects: Effects, reader: Reader) -> Iterator[Callable[[], Any]]:
    for tokenizer, settings in zip(tokenizers, effects.tokenizers, strict=False):
        padding, truncation = (_small(reader.read(written)) for written in settings)
        if padding != tokenizer.padding:
            yield partial(tokenizer.enable_padding, **padding) if padding else tokenizer.no_padding
        if truncation != tokenizer.truncation:
            yield partial(tokenizer.enable_truncation, **truncation) if truncation else tokenizer.no_truncation


def _identical(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return torch.equal(a, b) or bool(((a == b) | (a.isnan() & b.isnan())).all())  # the first is quick, and mostly true


def _overwrite(mine: Tensor, theirs: Tensor) -> None:
    with torch.no_grad():
        if mine.shape == theirs.shape and mine.dtype == theirs.dtype:
            mine.copy_(theirs)
        else:
            mine.data = theirs.clone()


def _refill(mine: Any, theirs: Any) -> None:
    mine.clear()
    mine.extend(theirs) if isinstance(mine, list) else mine.update(theirs)


def _small(settings: dict[str, Any] | None) -> dict[str, Any] | None:
    """A tokenizer's settings, unless it would need more memory than there is to tokenize with them."""
    for setting in (settings or {}).values():
        size = setting if isinstance(setting, int) else len(setting) if isinstance(setting, str) else 0
        if size > _LARGEST_SETTING:
            raise CandidateGone("the process that runs the student's code gave a tokenizer settings that are too large")
    return settings
