"""What a check can observe of an answer, and how it judges what it sees. Shared by all labs."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from helpers.checks.engine import CannotObserve, Case, Draw, Property, close, tolerance_of

GRADIENT = "the gradient through your answer (of a weighted sum of what it gave) was"


def output(answer: Callable, args: tuple) -> Any:
    """Observe what the answer returns, detached."""
    return detached(answer(*args))


def turned_round(args: tuple) -> tuple:
    """Arguments of the same shapes with other contents: every tensor's entries in reverse order.

    Weights still sum to 1, lengths still fit, and a mask that leaves each query a key still does.
    """
    return tuple(arg.detach().flip(tuple(range(arg.dim()))) if isinstance(arg, Tensor) else arg for arg in args)


def after_another_call(
    observe: Callable, another: Callable[[tuple], tuple] = turned_round
) -> Callable[[Callable, tuple], Any]:
    """Make an observer look at an answer that has been called before, with arguments of the same shapes."""

    def observe_the_second(answer: Callable, args: tuple) -> Any:
        answer(*another(args))
        return observe(answer, args)

    return observe_the_second


def each_for_itself(
    cases: Callable[[Draw], Iterable[Case]],
    observe: Callable = output,
    another: Callable[[tuple], tuple] = turned_round,
    judge: Callable | None = None,
) -> Property:
    """The property that nothing is kept from one call to the next; the table needs `mistakes.ANSWERS_FROM_MEMORY`."""
    return Property(
        "each call is answered for itself",
        cases,
        after_another_call(observe, another),
        judge or equals,
        suggests="answers-from-memory",
    )


def at_any_size(
    cases: Callable[[Draw], Iterable[Case]], observe: Callable = output, judge: Callable | None = None
) -> Property:
    """The property that larger inputs are answered as well; the table needs a row of `mistakes.SMALL_SIZES_ONLY`.

    The cases go well beyond the sizes that anybody would think of: odd, prime, and some over 64.
    """
    return Property("works at larger sizes too", cases, observe, judge or equals, suggests="small-sizes-only")


def detached(value: Any) -> Any:
    """The numbers as they are now, without their graph; tuples, lists and dictionaries of tensors are gone through."""
    if isinstance(value, Tensor):
        return value.detach().clone()  # what a later call of the answer does to them is another observation
    if type(value) in (tuple, list):
        return type(value)(detached(part) for part in value)
    if type(value) is dict:
        return {key: detached(part) for key, part in value.items()}
    return value


def part(index: int, size: int = 2) -> Callable[[Callable, tuple], Tensor]:
    """Observe one of the tensors that the answer returns as a tuple of `size`, detached."""

    def observe(answer: Callable, args: tuple) -> Tensor:
        return tensors(answer(*args), size)[index].detach()

    return observe


def tensors(result: Any, size: int = 2) -> tuple[Tensor, ...]:
    """What an answer returned, if it is a tuple (or a list) of so many tensors.

    Raises:
        CannotObserve: otherwise; the message says what came instead.
    """
    if (
        isinstance(result, tuple | list)
        and len(result) == size
        and all(isinstance(tensor, Tensor) for tensor in result)
    ):
        return tuple(result)
    if result is None:
        raise CannotObserve("it gave None")
    of = f" of {len(result)}" if isinstance(result, tuple | list) else ""
    raise CannotObserve(f"it gave a {type(result).__name__}{of}, not {_COUNTED[size]} of tensors")


_COUNTED = {2: "a pair", 3: "a triple"}


def shapes(size: int = 2) -> Callable[[Callable, tuple], tuple]:
    """Observe the shapes of the tensors that the answer returns as a tuple of `size`."""

    def observe(answer: Callable, args: tuple) -> tuple:
        return tuple(tuple(tensor.shape) for tensor in tensors(answer(*args), size))

    return observe


def have_shapes(got: tuple, want: tuple) -> str | None:
    """Judge the shapes of a tuple of tensors."""
    if got == want:
        return None
    return f"the shapes are {' and '.join(map(str, got))}, and should be {' and '.join(map(str, want))}"


def changed_arguments(answer: Callable, args: tuple) -> tuple[int, ...]:
    """Observe the positions of the arguments that are no longer what they were after the call."""
    before = [arg.clone() if isinstance(arg, Tensor) else None for arg in args]
    answer(*args)
    return tuple(i for i, was in enumerate(before) if was is not None and not _identical(was, args[i]))


def gradient(answer: Callable, args: tuple) -> Tensor | None:
    """Observe the gradient with respect to the first argument, of a sum that weighs each output differently."""
    return gradient_of(0)(answer, args)


def gradient_of(position: int, part: int | None = None, size: int = 2) -> Callable[[Callable, tuple], Tensor | None]:
    """Observe the gradient with respect to one of the arguments, of a sum that weighs each output differently.

    With `part` the answer returns a tuple of `size` tensors, and the sum is over one of them.
    """

    def observe(answer: Callable, args: tuple) -> Tensor | None:
        args[position].requires_grad_()
        result = answer(*args)
        if part is not None:
            result = tensors(result, size)[part]
        if not isinstance(result, Tensor) or not result.requires_grad:
            return None
        if result.numel() > 10**6:
            raise ValueError(f"the result's shape is {tuple(result.shape)}")
        with torch.enable_grad():  # the answer may have turned it off
            return torch.autograd.grad(weighted_sum(result), args[position], allow_unused=True)[0]

    return observe


def gradients(count: int, part: int | None = None) -> Callable[[Callable, tuple], Tensor | None]:
    """Observe the gradients with respect to the first `count` arguments, joined end to end; None if one is missing.

    With `part` the answer returns a pair of tensors, and what is differentiated is one of them.
    """

    def observe(answer: Callable, args: tuple) -> Tensor | None:
        inputs = [arg.requires_grad_() for arg in args[:count]]
        result = answer(*args)
        if part is not None:
            result = tensors(result)[part]
        if not isinstance(result, Tensor) or not result.requires_grad:
            return None
        with torch.enable_grad():  # the answer may have turned it off
            found = torch.autograd.grad(weighted_sum(result), inputs, allow_unused=True)
        return (
            None
            if any(gradient is None for gradient in found)
            else torch.cat([gradient.flatten() for gradient in found])
        )

    return observe


def clones(args: tuple) -> tuple:
    """The arguments of a case for a call that may write into them, such as an oracle's gradient."""
    return tuple(arg.clone() if isinstance(arg, Tensor) else arg for arg in args)


def weighted_sum(result: Tensor) -> Tensor:
    """A scalar to differentiate: a plain sum of softmax weights would be constant, and its gradient zero."""
    return (result * torch.arange(1, result.numel() + 1, dtype=result.dtype).sin().reshape(result.shape)).sum()


def equals(got: Any, want: Tensor) -> str | None:
    """Judge that a tensor has the wanted shape, type and numbers."""
    problem = has_shape(got, want) or has_dtype(got, want)
    if problem or close(got, want):
        return problem
    return _first_difference(got, want)


def has_shape(got: Any, want: Tensor) -> str | None:
    """Judge that a tensor has the wanted shape."""
    if got is None:
        return "it gave None"
    if not isinstance(got, Tensor):
        return f"it gave a {type(got).__name__}, not a tensor"
    if got.is_nested or got.layout is not torch.strided or got.is_quantized:
        return f"it gave a {'nested' if got.is_nested else short(got.layout)} tensor, not an ordinary one"
    if got.device != want.device:
        return f"it is on the device {got.device}, and should be on {want.device}, where the input is"
    if got.shape != want.shape:
        return f"its shape is {tuple(got.shape)}, and should be {tuple(want.shape)}"
    return None


def has_dtype(got: Any, want: Tensor) -> str | None:
    """Judge that a tensor has the wanted type."""
    if isinstance(got, Tensor) and got.dtype != want.dtype:
        return f"its type is {short(got.dtype)}, and should be {short(want.dtype)}"
    return has_shape(got, want) if not isinstance(got, Tensor) else None


def leaves_arguments_alone(got: tuple[int, ...], want: tuple[str, ...]) -> str | None:
    """Judge that no argument was written to; `want` holds the arguments' names."""
    return f"it wrote into {' and '.join(want[i] for i in got)}" if got else None


def right_gradient(got: Tensor | None, want: Tensor) -> str | None:
    """Judge that a gradient is there, finite and right."""
    if got is None:
        return "no gradient reaches the input: somewhere the answer leaves the graph"
    if not got.isfinite().all():
        return "the gradient is not finite" + (" (NaN)" if got.isnan().any() else "")
    return equals(got, want)


def short(kind: torch.dtype | torch.layout) -> str:
    """The name of a type, or of a layout in memory, without its `torch.`."""
    return str(kind).removeprefix("torch.")


def _identical(a: Tensor, b: Tensor) -> bool:
    return a.dtype == b.dtype and torch.equal(a.detach(), b.detach())


def _first_difference(got: Tensor, want: Tensor) -> str:
    tolerance = tolerance_of(got.dtype)
    far = ~torch.isclose(got.double(), want.double(), rtol=tolerance, atol=tolerance)
    index = tuple(far.nonzero()[0].tolist())
    place = f" at {list(index)}" if index else ""
    return f"it gave {number(got[index].item())}{place}, and should have given {number(want[index].item())}"


def number(value: float | bool | int, digits: int = 4) -> str:
    """A number as a person writes it: few digits, and no minus before a zero."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.{digits}g}" if value else "0"


def numbers(tensor: Tensor) -> str:
    """A small tensor's numbers as a report prints them, as nested lists."""
    if tensor.dim() == 0:
        return number(tensor.item())
    return "[" + ", ".join(map(numbers, tensor)) + "]"
