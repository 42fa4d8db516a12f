"""Scores that checks hand to an answer that pools with a score: (batch, query, key) from queries and keys.

A student's code sees them while it is graded, so none of them is an answer itself.
"""

import torch
from torch import Tensor, nn


def product_of_sums(queries: Tensor, keys: Tensor) -> Tensor:
    """A score for queries and keys of any widths: the product of the sums of their entries, halved."""
    return queries.sum(-1).unsqueeze(2) * keys.sum(-1).unsqueeze(1) / 2


def minus_squared_distance(queries: Tensor, keys: Tensor) -> Tensor:
    """A score for queries and keys of any widths: the nearer the sums of their entries, the higher."""
    return -((queries.sum(-1).unsqueeze(2) - 2 * keys.sum(-1).unsqueeze(1)) ** 2) / 8


def bounded(queries: Tensor, keys: Tensor) -> Tensor:
    """A score whose gradient is made from its own result: who writes into that breaks it."""
    return torch.tanh(product_of_sums(queries, keys))


class LearnedScore(nn.Module):
    """A score with a parameter, given: minus the product of query and key with a matrix between them.

    Without the minus it would be an answer to another of lab 3's exercises.
    """

    def __init__(self, matrix: Tensor):
        super().__init__()
        self.matrix = nn.Parameter(matrix.clone())

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        return -(queries @ self.matrix.to(queries.dtype) @ keys.mT)
