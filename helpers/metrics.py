"""How good an output is."""

from jaxtyping import Int
from torch import Tensor


def exact_match(predicted: Int[Tensor, "batch length"], target: Int[Tensor, "batch length"]) -> float:
    """The share of sequences, 0 to 1, that are right in every position.

    Raises:
        ValueError: if the two differ in shape, are not `(batch, length)`, or hold no sequence.
    """
    if predicted.shape != target.shape:
        raise ValueError(
            f"predicted and target must have the same shape, not {tuple(predicted.shape)} and {tuple(target.shape)}"
        )
    if predicted.dim() != 2 or predicted.numel() == 0:
        raise ValueError(
            f"predicted and target must have shape (batch, length), neither of them 0, not {tuple(predicted.shape)}"
        )
    return (predicted == target).all(dim=1).sum().item() / len(target)
