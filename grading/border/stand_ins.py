"""What a test holds in place of what the student wrote: calling it, or looking at it, asks the candidate."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Protocol

from torch import Tensor, nn


class Asks(Protocol):
    """What a stand-in needs of the examiner; `target` is the number of the student's thing."""

    def call(self, target: int, method: str | None, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Call it, or a method of it, as if it were here."""

    def attribute(self, target: int, name: str) -> Any:
        """An attribute of a module."""

    def parameters(self, target: int) -> dict[str, nn.Parameter]:
        """Shadows of a module's parameters, by name."""

    def weights_were_loaded(self, target: int, weights: dict[str, Tensor]) -> None:
        """Let the shadows of a module, as far as the test has any, have the weights that it was just given."""

    def forbidden_uses(self, target: int, name: str) -> list[str]:
        """What `helpers.checks.forbidden` finds in its source."""

    def drawing(self, target: int, args: list) -> dict[str, Any]:
        """What `helpers.checks.figures` sees when it is called to draw."""


class StandIn:
    """Something of the student's that stays over there."""

    def __init__(self, examiner: Asks, number: int, name: str):
        self._examiner, self._number, self.__name__ = examiner, number, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return self._examiner.call(self._number, None, args, kwargs)

    def __forbidden_uses__(self) -> list[str]:
        """Called by `helpers.checks.forbidden.uses`, in place of looking at the source, which isn't here."""
        return self._examiner.forbidden_uses(self._number, self.__name__)

    def __drawing__(self, weights: Tensor, source_tokens: list[str], target_tokens: list[str], on_axes: bool) -> dict:
        """Called by `helpers.checks.figures.draw`, in place of drawing here."""
        __tracebackhide__ = True
        return self._examiner.drawing(self._number, [weights, source_tokens, target_tokens, on_axes])


class Function(StandIn):
    """A function of the student's."""


Function.__name__ = "function"  # what a report calls it


class Class(StandIn):
    """A class of the student's: calling it builds an object, which stays over there, too."""


class Module(StandIn):
    """An `nn.Module` of the student's."""

    def __getattr__(self, name: str) -> Any:
        """Called by Python for what isn't defined here: a part of the module, or one of its settings."""
        __tracebackhide__ = True
        if name.startswith("__"):
            raise AttributeError(name)
        return self._examiner.attribute(self._number, name)

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and shadows of the parameters."""
        yield from self._examiner.parameters(self._number).items()

    def parameters(self) -> Iterator[nn.Parameter]:
        """Shadows of the parameters."""
        yield from self._examiner.parameters(self._number).values()

    def load_state_dict(self, state: dict[str, Tensor], strict: bool = True) -> None:
        """Give it these weights."""
        __tracebackhide__ = True
        copies = {name: weight.detach().clone() for name, weight in state.items()}
        self._examiner.call(self._number, "load_state_dict", (copies,), {"strict": strict})
        self._examiner.weights_were_loaded(self._number, copies)

    def state_dict(self) -> OrderedDict[str, Tensor]:
        """A copy of its weights."""
        __tracebackhide__ = True
        return OrderedDict(self._examiner.call(self._number, "state_dict", (), {}))

    def train(self, mode: bool = True) -> "Module":
        """Put it in training mode, or take it out."""
        __tracebackhide__ = True
        self._examiner.call(self._number, "train", (mode,), {})
        return self

    def eval(self) -> "Module":
        """Put it in evaluation mode."""
        return self.train(False)
