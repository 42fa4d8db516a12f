"""How good an output is."""

from jaxtyping import Int
from torch import Tensor

from helpers.attention import length_mask


def exact_match(
    predicted: Int[Tensor, "batch length"],
    target: Int[Tensor, "batch length"],
    valid_lens: Int[Tensor, "batch"] | None = None,
) -> float:
    """The share of sequences, 0 to 1, that are right in every position.

    With `valid_lens` only the first positions of each sequence count, as many as its length says.

    Raises:
        ValueError: if the two differ in shape, are not `(batch, length)`, or hold no sequence; or if `valid_lens`
            isn't one length in 0..length for each sequence.
    """
    if predicted.shape != target.shape:
        raise ValueError(
            f"predicted and target must have the same shape, not {tuple(predicted.shape)} and {tuple(target.shape)}"
        )
    if predicted.dim() != 2 or predicted.numel() == 0:
        raise ValueError(
            f"predicted and target must have shape (batch, length), neither of them 0, not {tuple(predicted.shape)}"
        )
    right = predicted == target  # (batch, length)
    if valid_lens is not None:
        if valid_lens.shape != (len(target),):
            raise ValueError(
                f"valid_lens must have shape ({len(target)},), one length a sequence, not {tuple(valid_lens.shape)}"
            )
        right = right | ~length_mask(valid_lens, target.shape[1])
    return right.all(dim=1).sum().item() / len(target)
