"""What crosses the border, and how: a message is a line of JSON and the bytes of its tensors (safetensors).

All tensors of one type go over as a single one, end to end: the library takes long for many small ones. Nothing is
unpickled or evaluated. A reader doesn't trust the writer: it looks at sizes and types before it uses a byte, and what
doesn't fit raises `BadMessage`. What the messages say is in messages.py.

A value is written as JSON where JSON has it (None, truth values, whole numbers, text); anything else as a list whose
first item names the kind: `["tensor", 3]` is the message's third tensor, `["tuple", …]` a tuple, and so on.
What has no kind of its own crosses as its type's name alone, and comes out as an `Unknown`.
"""

import json
import math
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

MOST_BYTES = 16 * 2**20  # of a message
_MOST_JSON = 4 * 2**20  # of its bytes: parsed, it takes many times the room
MOST_NODES = 100_000  # of a message's values
DEEPEST = 40
_LONGEST_TEXT = 100_000

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    )
}


class BadMessage(Exception):
    """A message that isn't one: too large, malformed, or of a kind that doesn't cross."""


class Closed(Exception):
    """The other side is gone."""


class Unknown:
    """A value that doesn't cross, known by its type's name."""


def unknown(type_name: str) -> Unknown:
    """Something whose type goes by that name, and that is nothing else."""
    return type(_type_name(type_name) or "object", (Unknown,), {"__module__": "builtins"})()


def _type_name(text: str) -> str | None:
    return text if text.isidentifier() and len(text) < 100 else None


class Writer:
    """Turns values into JSON, and collects their tensors."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.plain: list[int] = []  # places of the tensors that are values, not parts of something special

    def special(self, value: Any) -> list | None:
        """A value that a subclass writes in a way of its own; None for any other."""
        return None

    def write(self, value: Any) -> Any:
        special = self.special(value)
        if special is not None:
            return special
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if kind is int:
            return value if abs(value) < 2**53 else ["int", str(value)]
        if isinstance(value, float) and kind.__module__ in ("builtins", "numpy"):
            return ["float", value.hex() if kind is float else float(value).hex(), kind.__name__]
        if kind.__module__ == "numpy" and hasattr(value, "__index__"):
            return ["integer", str(int(value)), kind.__name__]
        if isinstance(value, torch.Size):
            return ["tuple", *map(self.write, value)]
        if kind in (tuple, list):
            return [kind.__name__, *map(self.write, value)]
        if kind in (set, frozenset):
            return [kind.__name__, *map(self.write, value)]
        if isinstance(value, dict):
            return ["dict", *([self.write(key), self.write(item)] for key, item in value.items())]
        if isinstance(value, torch.dtype) and str(value).removeprefix("torch.") in DTYPES:
            return ["dtype", str(value).removeprefix("torch.")]
        if isinstance(value, Tensor):
            written = self.tensor(value)
            if written[0] == "tensor":
                self.plain.append(written[1])
            return written
        return ["unknown", kind.__name__]

    def tensor(self, tensor: Tensor) -> list:
        """A tensor's place among the message's tensors; what safetensors can't hold crosses as its outside only."""
        plain = tensor.detach()
        if not _crosses(plain):
            return ["odd", "nested" if plain.is_nested else str(plain.layout), str(plain.dtype), plain.device.type]
        self.tensors.append(plain.clone())
        return ["tensor", len(self.tensors) - 1]


class Reader:
    """Turns JSON and tensors back into values."""

    def __init__(self, tensors: list[Tensor]):
        self.tensors = tensors
        self._nodes = 0

    def special(self, value: list) -> Any:
        """A value of a kind that a subclass reads.

        Raises:
            BadMessage: if it reads no such kind.
        """
        raise BadMessage("a value of no known kind")

    def read(self, value: Any, depth: int = 0) -> Any:
        self._nodes += 1
        if depth > DEEPEST or self._nodes > MOST_NODES:
            raise BadMessage("a value is nested too deeply or has too many parts")
        if value is None or isinstance(value, bool | int | str):
            return value
        if not isinstance(value, list) or not value or not isinstance(value[0], str):
            raise BadMessage("a value of no known kind")
        kind, *parts = value
        if kind in ("tuple", "list"):
            return (tuple if kind == "tuple" else list)(self.read(part, depth + 1) for part in parts)
        if kind in ("set", "frozenset", "dict"):
            return self._hashed(kind, parts, depth)
        if kind == "tensor" and len(parts) == 1 and type(parts[0]) is int and 0 <= parts[0] < len(self.tensors):
            return self.tensors[parts[0]]
        simple = _SIMPLE.get(kind)
        try:
            return simple(*parts) if simple is not None else self.special(value)
        except (ValueError, TypeError, KeyError, RuntimeError, OverflowError, AttributeError) as error:
            raise BadMessage(f"a value of kind {kind} that is none") from error

    def _hashed(self, kind: str, parts: list, depth: int) -> Any:
        try:
            if kind == "dict":
                return {self.read(key, depth + 1): self.read(item, depth + 1) for key, item in parts}
            return {"set": set, "frozenset": frozenset}[kind](self.read(part, depth + 1) for part in parts)
        except (TypeError, ValueError) as error:
            raise BadMessage(f"a {kind} of what can't be in one") from error


def _pack(tensors: list[Tensor]) -> tuple[list[list], bytes]:
    """Tensors as bytes, and of each its type, its shape as it lies in memory, and which of its axes come in that order.

    How the numbers lie in memory crosses because some right answers, and some wrong ones, depend on it.
    """
    layouts, of_type = [], dict[str, list[Tensor]]()
    for tensor in tensors:
        order = sorted(range(tensor.dim()), key=tensor.stride, reverse=True)
        lying, dtype = tensor.permute(order), str(tensor.dtype).removeprefix("torch.")
        layouts.append([dtype, list(lying.shape), order])
        of_type.setdefault(dtype, []).append(lying.reshape(-1))
    return layouts, save({dtype: torch.cat(parts) for dtype, parts in of_type.items()}) if of_type else b""


def _unpack(layouts: Any, body: bytes) -> list[Tensor]:
    """The tensors that were packed, each with a storage of its own.

    Raises:
        BadMessage: if the bytes aren't those of tensors like these.
    """
    try:
        joined, sizes = load(body) if body else {}, dict[str, list[int]]()
        for dtype, shape, order in layouts:
            if not all(type(size) is int and size >= 0 for size in shape) or sorted(order) != list(range(len(shape))):
                raise BadMessage("a tensor of no shape")
            sizes.setdefault(dtype, []).append(math.prod(shape))
        if joined.keys() != sizes.keys() or any(part.dtype != DTYPES.get(dtype) for dtype, part in joined.items()):
            raise BadMessage("tensors of other types than it says")
        parts = {dtype: iter(joined[dtype].split(of_type)) for dtype, of_type in sizes.items()}  # of a sum that fits
        return [_laid_out(next(parts[dtype]).view(shape), order) for dtype, shape, order in layouts]
    except BadMessage:
        raise
    except Exception as error:  # safetensors has errors of its own
        raise BadMessage("the message's tensors can't be read") from error


def _laid_out(lying: Tensor, order: list[int]) -> Tensor:
    """The tensor whose axes, in this order, are those of the one that came; it has a storage of its own."""
    view = lying.permute([order.index(axis) for axis in range(lying.dim())])
    return torch.empty_strided(view.shape, view.stride(), dtype=view.dtype).copy_(view)


def _float(text: str, type_name: str) -> Any:
    number = float.fromhex(text) if text not in ("inf", "-inf", "nan") else float(text)
    if type_name == "float" or _type_name(type_name) is None:
        return number
    return type(type_name, (float,), {})(number)  # NumPy's numbers are floats, too, but go by another name


def _integer(text: str, type_name: str) -> Any:
    return type(_type_name(type_name) or "int", (int,), {})(text[:100])


def _odd(layout: str, dtype: str, device: str) -> Any:
    if device == "meta":
        return torch.empty(0, device="meta")
    if layout == "nested":
        return torch.nested.nested_tensor([torch.zeros(1)])
    if layout == "torch.sparse_coo":
        return torch.zeros(1, 1).to_sparse()
    return unknown("Tensor")


_SIMPLE: dict[str, Callable] = {
    "int": lambda text: int(text[:1000]),
    "integer": _integer,  # one of NumPy's
    "float": _float,
    "dtype": lambda name: DTYPES[name],
    "odd": _odd,
    "unknown": unknown,
}


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors of a value that `Writer` writes as such, in its order."""
    if isinstance(value, Tensor):
        if _crosses(value):
            yield value
    elif type(value) in (tuple, list, set, frozenset):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from tensors_in(key)
            yield from tensors_in(item)


def state_of(module: nn.Module) -> list[Tensor]:
    """A module's parameters and buffers, in an order that is the same on both sides."""
    return [*module.parameters(), *module.buffers()]


def _crosses(tensor: Tensor) -> bool:
    ordinary = tensor.layout is torch.strided and not tensor.is_nested and not tensor.is_quantized
    return ordinary and tensor.device.type == "cpu" and str(tensor.dtype).removeprefix("torch.") in DTYPES


class Channel:
    """Messages over a connected socket, one at a time: a JSON object, and tensors."""

    def __init__(self, connection: socket.socket):
        self._socket = connection

    def send(self, message: dict, tensors: list[Tensor], seconds: float | None = None) -> None:
        """Send one message.

        Raises:
            Closed: if the other side is gone.
            BadMessage: if the message is too large.
            TimeoutError: if the other side doesn't take it.
        """
        layouts, body = _pack(tensors)
        head = json.dumps(message | {"tensors": layouts}).encode()
        _require_fit(len(head), len(body))
        self._socket.settimeout(seconds)
        try:
            self._socket.sendall(struct.pack("!II", len(head), len(body)) + head + body)
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed("the connection is closed") from error

    def receive(self, seconds: float | None = None) -> tuple[dict, list[Tensor]]:
        """Wait for one message.

        Raises:
            Closed: if the other side is gone.
            BadMessage: if what came is no message.
            TimeoutError: if the whole message isn't there in time.
        """
        end = None if seconds is None else time.monotonic() + seconds
        head_size, body_size = struct.unpack("!II", self._exactly(8, end))
        _require_fit(head_size, body_size)
        head, body = self._exactly(head_size, end), self._exactly(body_size, end)
        try:
            message = json.loads(head, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise BadMessage("the message is no JSON") from error
        if not isinstance(message, dict):
            raise BadMessage("the message has the wrong form")
        return message, _unpack(message.get("tensors"), body)

    def _exactly(self, size: int, end: float | None) -> bytes:
        parts, missing = [], size
        while missing:
            # What comes byte by byte has no more time than what comes at once.
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError("the message isn't there in time")
            self._socket.settimeout(left)
            try:
                part = self._socket.recv(min(missing, 2**20))
            except TimeoutError:
                raise
            except OSError as error:
                raise Closed("the connection is closed") from error
            if not part:
                raise Closed("the connection is closed")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)


def _require_fit(head: int, body: int) -> None:
    if head > _MOST_JSON or head + body > MOST_BYTES:
        raise BadMessage(f"the message has {(head + body) / 2**20:.0f} MB, which is too large")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def short_text(value: Any, longest: int = _LONGEST_TEXT) -> str:
    """A text of the other side's, or an empty one, no longer than that, that can be written to a file."""
    return value[:longest].encode("utf-8", "replace").decode() if isinstance(value, str) else ""
