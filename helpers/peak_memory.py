"""How much memory a computation needs at once, counted in the tensors that it makes: the same on every machine."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_bytes(computation: Callable[[], Any]) -> int:
    """The most bytes that tensors made by `computation` take at one time, its result included.

    What was there before doesn't count, nor does the room that PyTorch needs inside a single operation.
    """
    with _Counting() as counting:
        result = computation()
    del result
    return counting.most


class _Counting(TorchDispatchMode):
    """Adds up the bytes of every new tensor that an operation gives, until nobody has it any more."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Called by PyTorch in the place of each operation."""
        given = {_storage(tensor) for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and _storage(tensor) not in given | self._alive:
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        place, size = storage.data_ptr(), storage.nbytes()
        self._alive.add(place)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._forget, place, size)

    def _forget(self, place: int, size: int) -> None:
        self._alive.discard(place)
        self.now -= size


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
