"""What lab 7's exercises share: links between words, and how an argument or a result is named."""

from typing import Any

import torch
from torch import Tensor

Link = tuple[int, int]


def in_eighths(*rows: list[int]) -> Tensor:
    """Weights in eighths, which floating point holds exactly."""
    return torch.tensor(rows) / 8


def kind(value: Any) -> str:
    if value is None:
        return "None"
    size = f" of {len(value)}" if isinstance(value, tuple) else ""
    return f"a {'tensor' if isinstance(value, Tensor) else type(value).__name__}{size}"
