"""What an answer would do on a GPU, told on a CPU: does a tensor that it makes lie where its input is?

A position or a mask that is made without a word about the device lies on the CPU, wherever the input is. No student's
machine need show that. So PyTorch's calls are watched while a right answer runs once more: its arguments, and a
module's parameters and buffers, count as moved to a GPU, and what is made counts as left behind, unless it is made for
a device or from something that was moved. What comes of it follows from PyTorch's own rules. Where these rules can't
be followed (inside `vmap`, with a table of the notebook's), nothing is said: a remark is no verdict, but it is true.
"""

import contextlib
import io
import linecache
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from helpers.checks import wording
from helpers.checks.engine import Exercise, observe_first_cases

# The exercises that make positions, masks or first states for a tensor that they are handed.
WATCHED = frozenset(
    {
        *("length_mask", "masked_softmax", "masked_mean", "softmax_jacobian", "scaled_dot_product_attention"),
        *("AttentionPooling", "shift_right", "Seq2SeqModel", "sequence_cross_entropy", "greedy_decode"),
        *("get_context_vector", "decoding", "get_next_token", "LuongDecoder", "BahdanauDecoder", "ablate_source"),
        *("merge_heads", "MultiHeadAttention", "next_token_targets", "cached_attention"),
        *("rotate", "online_step", "attend_in_blocks"),
    }
)
_OURS = str(Path(__file__).parents[1])
_PYTORCH = str(Path(torch.__file__).parent)

# They make a tensor on the default device, even where a number that they are given is a tensor's.
_MAKERS = frozenset(
    {
        *(torch.arange, torch.empty, torch.eye, torch.full, torch.linspace, torch.logspace, torch.ones, torch.rand),
        *(torch.randint, torch.randn, torch.randperm, torch.scalar_tensor, torch.tril_indices, torch.triu_indices),
        torch.zeros,
    }
)
_READERS = frozenset({torch.tensor, torch.as_tensor, torch.asarray})  # they follow a tensor, but not a list of such
_MOVERS = frozenset({Tensor.to, Tensor.cpu, Tensor.cuda, Tensor.type_as})
# They take tensors of two devices.
_MIXERS = frozenset({Tensor.__setitem__, Tensor.copy_, torch.tensor_split, Tensor.tensor_split})
_MIXERS_BY_NAME = frozenset({"_pack_padded_sequence"})


@dataclass(frozen=True)
class _LeftBehind:
    """A tensor that would lie on the CPU: the line of the answer that made it, or the attribute that holds it."""

    file: str = ""
    line: int = 0
    attribute: str | None = None

    @property
    def is_the_answers(self) -> bool:
        """Whether the answer left it behind, and not a function of the course's that it calls."""
        return self.line > 0 or self.attribute is not None

    def told(self, stops: bool) -> str:
        """What a report says of it: whether the answer would stop, or give what lies on the CPU."""
        if self.attribute is not None:
            return wording.stays_as_attribute(self.attribute, stops)
        return wording.stays_on_cpu(self.line, linecache.getline(self.file, self.line).strip(), stops)


class _Watch(TorchFunctionMode):
    """Follows tensors through PyTorch's calls. `found` tells of the first that is left behind where that goes wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.found: str | None = None
        self.is_on = False
        # By identity: a tensor, and None where it was moved. It is kept, so that no other gets its identity.
        self._known: dict[int, tuple[Tensor, _LeftBehind | None]] = {}

    def moves(self, value: Any) -> None:
        """Count tensors, and the parameters and buffers of modules, as moved to a GPU."""
        for tensor in _tensors_in(value):
            self._known.setdefault(id(tensor), (tensor, None))

    def keeps_attributes(self, module: nn.Module) -> None:
        """Count as left behind what a new module holds besides its parameters and buffers."""
        for part in module.modules():
            for name, value in vars(part).items():
                if isinstance(value, Tensor):
                    self._known[id(value)] = (value, _LeftBehind(attribute=name))

    def looks_at(self, result: Any) -> None:
        """Look for a tensor that was left behind in what an answer gave."""
        for tensor in _tensors_in(result):
            self._find(self._left_behind(tensor), stops=False)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if isinstance(result, Iterator):  # of `for row in tensor`
            result = list(result)
            self._follow(func, args, kwargs, result)
            return iter(result)
        if func in _MOVERS:
            return self._move(func, args, kwargs, result)
        self._follow(func, args, kwargs, result)
        return result

    def _follow(self, func: Callable, args: tuple, kwargs: dict[str, Any], result: Any) -> None:
        given, made = list(_tensors_in((args, list(kwargs.values())))), list(_tensors_in(result))
        if kwargs.get("device") is not None:
            self._put(made, given, None if kwargs["device"] != "cpu" else self._here())
        elif not given or func in _MAKERS or (func in _READERS and not isinstance(args[0], Tensor)):
            self._put(made, [], self._here())
        elif func is Tensor.__getitem__:
            self._index(args[0], given[1:], made)
        elif func not in _MIXERS and getattr(func, "__name__", "") not in _MIXERS_BY_NAME:
            self._combine(given, made)

    def _index(self, indexed: Tensor, indices: list[Tensor], made: list[Tensor]) -> None:
        """Indices on the CPU fit every tensor; others only one that lies where they do."""
        behind = self._left_behind(indexed)
        if behind and any(self._was_moved(index) and index.dim() for index in indices):
            self._find(behind, stops=True)
        elif id(indexed) in self._known:
            self._put(made, [], behind)

    def _combine(self, given: list[Tensor], made: list[Tensor]) -> None:
        """All operands must lie on one device, but for single numbers on the CPU."""
        moved = any(map(self._was_moved, given))
        behind = [place for tensor in given if tensor.dim() and (place := self._left_behind(tensor)) is not None]
        if moved:
            self._find(next(iter(behind), None), stops=True)
            self._put(made, given, None)
        elif all(id(tensor) in self._known for tensor in given):
            self._put(made, given, next(filter(None, map(self._left_behind, given)), None))

    def _move(self, func: Callable, args: tuple, kwargs: dict[str, Any], result: Tensor) -> Tensor:
        """Follow what goes to another device. There it is a copy, so it has to be one here."""
        own, others = args[0], [*args[1:], *kwargs.values()]
        model = next((other for other in others if isinstance(other, Tensor)), own)
        devices = [each for each in others if isinstance(each, str | int | torch.device) and not isinstance(each, bool)]
        if func is Tensor.cpu or devices[:1] == ["cpu"]:
            place: _LeftBehind | None = self._here()
        elif func is Tensor.cuda or devices:
            place = None
        elif id(model) in self._known:
            place = self._left_behind(model)
        else:
            return result
        if result is own and place is not self._left_behind(own):
            result = result.clone()
        self._put([result], [own], place)
        return result

    def _put(self, made: list[Tensor], given: list[Tensor], place: _LeftBehind | None) -> None:
        """Remember where new tensors lie. What is given back, as by `add_`, stays where it is."""
        for tensor in made:
            if not any(tensor is each for each in given) and (place is None or place.is_the_answers):
                self._known[id(tensor)] = (tensor, place)

    def _find(self, behind: _LeftBehind | None, stops: bool) -> None:
        if self.found is None and behind is not None:
            self.found = behind.told(stops)

    def _was_moved(self, tensor: Tensor) -> bool:
        return id(tensor) in self._known and self._known[id(tensor)][1] is None

    def _left_behind(self, tensor: Tensor) -> _LeftBehind | None:
        return self._known[id(tensor)][1] if id(tensor) in self._known else None

    @staticmethod
    def _here() -> _LeftBehind:
        """The line that is being run, without a number if it is one of the course's own."""
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename.startswith((__file__, _PYTORCH)):
            frame = frame.f_back
        file = frame.f_code.co_filename
        return _LeftBehind(file, 0 if file.startswith(_OURS) else frame.f_lineno)


def remark_on_devices(answer: Callable, exercise: Exercise, seed: int) -> str | None:
    """What there is to say of a right answer's devices: which line of it a GPU would stumble over, if one.

    It runs on the first case of each property. An answer that lives in another process can't be watched.
    """
    if exercise.name not in WATCHED or hasattr(answer, "__forbidden_uses__"):
        return None
    watch, sink = _Watch(), io.StringIO()
    watched = _building(answer, exercise, watch) if isinstance(answer, type) else _calling(answer, watch)
    with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        observe_first_cases(watched, exercise, seed)
    return watch.found


def _calling(function: Callable, watch: _Watch) -> Callable:
    """A function that is watched while it runs."""

    def watched(*args: Any, **kwargs: Any) -> Any:
        if watch.is_on:  # one method calls another
            return function(*args, **kwargs)
        watch.moves((args, list(kwargs.values()), getattr(function, "__self__", None)))
        watch.is_on = True
        try:
            with watch:
                result = function(*args, **kwargs)
        finally:
            watch.is_on = False
        watch.looks_at(result)
        return result

    return watched


def _building(layer: Callable, exercise: Exercise, watch: _Watch) -> Callable:
    """A class whose modules are watched while they run."""

    def build(*args: Any) -> Any:
        module = layer(*args)
        if isinstance(module, nn.Module):
            watch.keeps_attributes(module)
            for method in {"forward", exercise.name} if exercise.owner else {"forward"}:
                setattr(module, method, _calling(getattr(module, method), watch))
        return module

    return build


def _tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, nn.Module):
        yield from value.parameters()
        yield from value.buffers()
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors_in(part)
    elif isinstance(value, dict):
        yield from _tensors_in(list(value.values()))
