"""What lab 1's exercises share: oracles, as loops in float64, and how a type is judged."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers.checks.judging import equals, short, weighted_sum


def mask_oracle(valid_lens: Tensor, max_len: int) -> Tensor:
    rows = [[step < length for step in range(max_len)] for length in valid_lens.reshape(-1).tolist()]
    return torch.tensor(rows, dtype=torch.bool).reshape(*valid_lens.shape, max_len)


def softmax_oracle(scores: Tensor, valid_lens: Tensor | None) -> Tensor:
    """Differentiable with respect to `scores`; the result has their type."""
    batch, num_queries, num_keys = scores.shape
    rows = []
    for b in range(batch):
        for q in range(num_queries):
            length = _length_of(valid_lens, b, q, num_keys)
            valid = scores[b, q, :length].double()
            exps = (valid - valid.detach().max()).exp() if length else valid
            padding = torch.zeros(num_keys - length, dtype=torch.float64)
            rows.append(torch.cat([exps / exps.sum() if length else exps, padding]))
    return torch.stack(rows).reshape(scores.shape).to(scores.dtype)


def _length_of(valid_lens: Tensor | None, b: int, q: int, num_keys: int) -> int:
    if valid_lens is None:
        return num_keys
    return int(valid_lens[b] if valid_lens.dim() == 1 else valid_lens[b, q])


def oracle_gradient(oracle: Callable, *args: Any) -> Tensor:
    first = args[0].clone().requires_grad_()
    return torch.autograd.grad(weighted_sum(oracle(first, *args[1:])), first)[0]


def keeps_type(got: Any, want: Tensor) -> str | None:
    problem = equals(got, want)
    return f"for {short(want.dtype)}, {problem}" if problem else None
