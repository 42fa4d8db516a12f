"""Ways to spoil a right answer, so that it makes one mistake.

An answer here is a function. To spoil a module's forward pass, wrap one of these in `changed`.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


def changed(layer: Callable[..., nn.Module], change: Callable[[Callable], Callable]) -> Callable:
    """A module like another one, except that its forward pass is changed."""

    def build(*arguments):
        module = layer(*arguments)
        module.forward = change(module.forward)
        return module

    return build


def frozen(layer: Callable[..., nn.Module]) -> Callable:
    """A module like another one, except that its parameters can't learn."""
    return lambda *arguments: layer(*arguments).requires_grad_(False)


def remembering(right: Callable) -> Callable:
    """A function like another one, except that it answers every call with its first result."""
    answered: list[Any] = []

    def remembering(*args):
        if not answered:
            answered.append(right(*args))
        return answered[0]

    return remembering


def stopping_at_64(right: Callable) -> Callable:
    """A function like another one, except that along each axis of its result all is 0 from the entry 64 on."""

    def cut(result: Any) -> Any:
        if isinstance(result, tuple):
            return tuple(map(cut, result))
        for axis, size in enumerate(result.shape):
            inside = (torch.arange(size) < 64).reshape(-1, *[1] * (result.dim() - axis - 1))
            result = result & inside if result.dtype == torch.bool else result * inside
        return result

    return lambda *args: cut(right(*args))


def returning_nothing(right: Callable) -> Callable:
    """A function that does what another one does, and keeps the result to itself."""
    return lambda *args: (right(*args), None)[1]


def overwriting(position: int) -> Callable[[Callable], Callable]:
    """Make a function write into one of its arguments once it has its result."""

    def change(right: Callable) -> Callable:
        def overwriting(*args):
            result = right(*args)
            if len(args) > position and args[position] is not None:
                with torch.no_grad():
                    argument = args[position]
                    argument.logical_not_() if argument.dtype == torch.bool else argument.add_(1)
            return result

        return overwriting

    return change


def cutting(*positions: int) -> Callable[[Callable], Callable]:
    """Make a function detach some of its arguments."""

    def change(right: Callable) -> Callable:
        return lambda *args: right(*(arg.detach() if i in positions else arg for i, arg in enumerate(args)))

    return change
