"""Exercises that ask for a class: a case builds the student's module, gives it the check's own weights, and calls it.

Such a case's first argument is a `Built`; the others are what the module, or one of its methods, is called with.
`through(observe)` makes an observer of functions look at that call. A module is only ever built, called, given weights
and asked for its parameters, so that it may live in another process. PyTorch's random numbers, from which a layer draws
its first weights and its dropout, go on after each observation as if it hadn't been.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from helpers.checks.engine import CannotObserve
from helpers.checks.forbidden import forbidden_uses
from helpers.checks.judging import numbers, weighted_sum

_MOST_NUMBERS = 16  # larger weights are told by their shape alone


@dataclass(frozen=True, eq=False)
class Built:
    """How a module is built: by which arguments of its class, by name and in their order, and with which weights.

    Without `weights` it keeps those that it starts with. It is in evaluation mode unless `training`.
    """

    arguments: Mapping[str, Any]
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    training: bool = False

    def __str__(self) -> str:
        named = ", ".join(f"{name}={_told(value)}" for name, value in self.arguments.items())
        mode = " in training mode" if self.training else ""
        weights = "".join(f"\n  {name} = {_numbers(weight)}" for name, weight in self.weights.items())
        return f"built with ({named}){mode}" + (f", with these weights:{weights}" if weights else "")

    def __deepcopy__(self, copies: dict) -> "Built":
        # `build` hands out copies of the weights alone, so these can stay: most of a case's tensors are weights.
        return Built(copy.deepcopy(self.arguments, copies), self.weights, self.training)

    def build(self, answer: Callable[..., nn.Module]) -> nn.Module:
        """The student's module, ready to be called.

        Raises:
            CannotObserve: if it is no module, or lacks a parameter that it should have, or has it in another shape.
        """
        # An answer may change a module that the check hands over: the next one gets a fresh copy.
        module = answer(
            *(copy.deepcopy(argument) if isinstance(argument, nn.Module) else argument for argument in self.values())
        )
        own = named_parameters(module)
        for name, weight in self.weights.items():
            if name not in own:
                raise CannotObserve(f"it has no parameter `{name}`; its parameters are {_listed(own)}")
            if not is_lazy(own[name]) and own[name].shape != weight.shape:
                raise CannotObserve(
                    f"its parameter `{name}` has shape {tuple(own[name].shape)}, and should have {tuple(weight.shape)}"
                )
        if self.weights:
            # A parameter that shouldn't be there gets numbers as well, so that what it does shows, and shows alike.
            others = {name: parameter for name, parameter in own.items() if name not in self.weights}
            extra = {name: _ramp(parameter) for name, parameter in others.items() if not is_lazy(parameter)}
            given = {name: weight.clone() for name, weight in self.weights.items()}
            module.load_state_dict(given | extra, strict=False)
        module.train(self.training)
        return module

    def values(self) -> tuple:
        """The arguments without their names, as a class is called with them."""
        return tuple(self.arguments.values())


def named_parameters(module: Any) -> dict[str, Tensor]:
    """A module's parameters by name.

    Raises:
        CannotObserve: if it is no module.
    """
    if not hasattr(module, "named_parameters"):
        raise CannotObserve(f"building it gives a {type(module).__name__}, and not an `nn.Module`")
    return dict(module.named_parameters())


def through(observe: Callable[[Callable, tuple], Any], method: str | None = None) -> Callable[[Callable, tuple], Any]:
    """An observer of functions, made to look at the module that a case builds, or at one of its methods."""

    @torch.random.fork_rng(devices=())
    def observe_module(answer: Callable, args: tuple) -> Any:
        module = args[0].build(answer)
        return observe(module if method is None else getattr(module, method), args[1:])

    return observe_module


@torch.random.fork_rng(devices=())
def parameters(answer: Callable, args: tuple) -> dict[str, tuple[int, ...] | None]:
    """Observe the names of a module's parameters, with their shapes: None for one that waits for the first input."""
    found = named_parameters(answer(*args[0].values()))
    return {name: None if is_lazy(parameter) else tuple(parameter.shape) for name, parameter in found.items()}


def has_parameters(got: dict[str, tuple[int, ...] | None], want: Mapping[str, tuple[int, ...]]) -> str | None:
    """Judge that a module has these parameters, in these shapes, and no others.

    A lazy layer's get their shapes from the weights that the other properties give it.
    """
    for name in want:
        if name not in got:
            return f"it has no parameter `{name}`; its parameters are {_listed(got)}"
        if got[name] not in (None, want[name]):
            return f"its parameter `{name}` has shape {got[name]}, and should have {want[name]}"
    extra = [name for name in got if name not in want]
    return f"it has parameters that it shouldn't have: {_listed(extra)}" if extra else None


def parameter_gradients(
    pick: Callable[[Any], Tensor] = lambda result: result, method: str | None = None
) -> Callable[[Callable, tuple], dict[str, Tensor | None]]:
    """Observe the gradients with respect to the parameters that the case gives weights, by name.

    They are those of a sum that weighs each output differently; `pick` says which tensor of the result to sum.
    """

    @torch.random.fork_rng(devices=())
    def observe(answer: Callable, args: tuple) -> dict[str, Tensor | None]:
        module = args[0].build(answer)
        result = pick((module if method is None else getattr(module, method))(*args[1:]))
        own = named_parameters(module)
        found: dict[str, Tensor | None] = dict.fromkeys(args[0].weights)
        learned = [name for name in found if own[name].requires_grad]  # one that is frozen has no gradient
        if isinstance(result, Tensor) and result.requires_grad and learned:
            with torch.enable_grad():
                gradients = torch.autograd.grad(
                    weighted_sum(result), [own[name] for name in learned], allow_unused=True
                )
            found |= zip(learned, gradients, strict=True)
        return found

    return observe


def right_parameter_gradients(got: dict[str, Tensor | None], want: dict[str, Tensor]) -> str | None:
    """Judge that the gradients of all parameters are there, finite and right."""
    for name, wanted in want.items():
        gradient = got[name]
        if gradient is None:
            return f"no gradient reaches `{name}`"
        if not gradient.isfinite().all():
            return f"the gradient of `{name}` is not finite"
        if not torch.allclose(gradient.double(), wanted.double(), rtol=1e-3, atol=1e-4):
            return f"the gradient of `{name}` is wrong"
    return None


@torch.random.fork_rng(devices=())
def forbidden_in_class(answer: Callable, args: tuple) -> tuple[str, ...]:
    """Observe which of PyTorch's attention functions and layers the code of a class names: for `own_work`."""
    return forbidden_uses(answer, args[0].values())


def _ramp(parameter: Tensor) -> Tensor:
    return torch.linspace(0.3, 1.1, parameter.numel(), dtype=parameter.dtype).reshape(parameter.shape)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none at all"


def _told(value: Any) -> str:
    return getattr(value, "__name__", type(value).__name__) if callable(value) else str(value)


def _numbers(weight: Tensor) -> str:
    """A weight's numbers as nested lists, or its shape if there are many."""
    return numbers(weight) if weight.numel() <= _MOST_NUMBERS else f"a tensor of shape {tuple(weight.shape)}"
