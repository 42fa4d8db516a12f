"""What a test hands to the student's code besides plain values: the examiner writes it, and the candidate reads it.

Functions and classes cross by name alone, and modules by what they are made of: no code crosses, in neither direction.
The kinds are listed in messages.py.
"""

import importlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from grading.border.messages import Structure
from grading.border.mirrors import RandomStates
from grading.border.stand_ins import StandIn
from grading.border.wire import Reader, Writer

_OF_EVERY_MODULE = {*vars(nn.Module()), "_flat_weights", "_flat_weight_refs"}  # which the other side makes itself
# Where a check's own models live. While a lab is graded, the other side sees those that its tests import, and so none
# may be an answer to it. (What else is handed over, the lab's own cells import.)
HANDED_OVER = tuple(
    f"helpers.checks.{name}" for name in ("language_models", "models", "noting", "scores", "translators")
)
_ADMITTED = ("helpers.", "torch.", "math", "__main__")  # where functions and classes that cross by name live


class HandingOver(Writer):
    """The examiner's writer."""

    def __init__(self, random: RandomStates):
        super().__init__()
        self._random = random

    def special(self, value: Any) -> list | None:
        """Called by `write` for each value, before it looks for a kind of its own."""
        if isinstance(value, StandIn):
            return ["object", value._number]
        if isinstance(value, torch.Generator):
            return ["generator", self.tensor(self._random.there(value.get_state()))]
        if isinstance(value, nn.Module):
            return ["module", self._structure(value).to_json()]
        if callable(value) and not isinstance(value, Tensor):
            return ["reference", *_reference(value)]
        if type(value).__module__ == "tokenizers" and hasattr(value, "to_str"):
            return ["tokenizer", value.to_str()]
        return None

    def _structure(self, module: nn.Module) -> Structure:
        attributes = [(name, value) for name, value in vars(module).items() if name not in _OF_EVERY_MODULE]
        written = [(name, self.write(value), type(value).__name__) for name, value in attributes]
        return Structure(
            reference=_reference(type(module)),
            training=module.training,
            attributes=[(name, value) for name, value, kind in written if value != ["unknown", kind]],
            parameters=_present(self, module._parameters),
            missing=[name for name, weight in module._parameters.items() if weight is None],
            buffers=_present(self, module._buffers),
            modules=[(name, self._structure(part)) for name, part in module._modules.items() if part is not None],
        )


def _present(writer: Writer, tensors: Mapping[str, Tensor | None]) -> list[tuple[str, list]]:
    return [(name, writer.tensor(tensor)) for name, tensor in tensors.items() if tensor is not None]


def _reference(thing: Any) -> tuple[str, str]:
    module, name = getattr(thing, "__module__", None) or "", getattr(thing, "__qualname__", "")
    if module.startswith(_ADMITTED) and "<" not in name:
        return module, name
    raise TypeError(f"{name or thing!r} can't be handed to a student's function: it has no name to be found by")


class HandedOver(Reader):
    """The candidate's reader. It keeps the modules and the tokenizers that it has made: a call may change them."""

    def __init__(self, tensors: list[Tensor], names: Mapping[str, Any], kept: Mapping[int, Any]):
        super().__init__(tensors)
        self._names, self._kept = names, kept
        self.modules: list[nn.Module] = []
        self.tokenizers: list[Any] = []

    def special(self, value: list) -> Any:
        """Called by `read` for a value whose kind it doesn't know."""
        match value:
            case ["object", number]:
                return self._kept[number]
            case ["generator", state]:
                generator = torch.Generator()
                generator.set_state(self.read(state))
                return generator
            case ["reference", module, name]:
                return self._referred(module, name)
            case ["module", structure]:
                self.modules.append(self._module(Structure.from_json(structure)))
                return self.modules[-1]
            case ["tokenizer", text]:
                from tokenizers import Tokenizer

                self.tokenizers.append(Tokenizer.from_str(text))
                return self.tokenizers[-1]
        return super().special(value)

    def _module(self, structure: Structure) -> nn.Module:
        """A module like the examiner's, put together without its constructor."""
        kind = self._referred(*structure.reference)
        module = kind.__new__(kind)
        nn.Module.__init__(module)
        for name, value in structure.attributes:
            setattr(module, name, self.read(value))
        for name, weight in structure.parameters:
            module.register_parameter(name, nn.Parameter(self.read(weight)))
        for name in structure.missing:
            module.register_parameter(name, None)
        for name, buffer in structure.buffers:
            module.register_buffer(name, self.read(buffer))
        for name, part in structure.modules:
            module.add_module(name, self._module(part))
        if isinstance(module, nn.RNNBase):
            module._init_flat_weights()
        module.training = structure.training
        return module

    def _referred(self, module: str, name: str) -> Any:
        """A function or a class by its name; one of the lab's own is the student's."""
        names = self._names if module == "__main__" else vars(importlib.import_module(module))
        first, *others = name.split(".")
        thing = names[first]
        for other in others:
            thing = getattr(thing, other)
        return thing
