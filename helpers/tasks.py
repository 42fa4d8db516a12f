"""The string tasks: random strings of capital letters, and what a model should make of them.

Token 0 is `<eos>`, which ends a string, and is also what starts the decoder and what fills a shorter string up to the
length of its batch; 1 to 26 are A to Z.
"""

import string

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from helpers.attention import length_mask

TOKENS = ("<eos>", *string.ascii_uppercase)
EOS = 0
VOCAB_SIZE = len(TOKENS)


def encode(text: str) -> Int[Tensor, "length"]:
    """The token ids of a string of capital letters: `encode("CAB")` is `[3, 1, 2]`.

    Raises:
        ValueError: if `text` is empty or has a character other than A to Z.
    """
    wrong = [character for character in text if character not in string.ascii_uppercase]
    if wrong or not text:
        found = f"it has {wrong[0]!r}" if wrong else "it is empty"
        raise ValueError(f"text must be made of the capital letters A to Z, but {found}")
    return torch.tensor([TOKENS.index(character) for character in text])


def decode(ids: Int[Tensor, "length"]) -> str:
    """The string that token ids stand for, with `<eos>` spelt out: `decode(torch.tensor([3, 1, 2]))` is "CAB".

    Raises:
        ValueError: if `ids` is not one row of integers in 0..26.
    """
    if ids.dim() != 1 or ids.dtype.is_floating_point:
        raise ValueError(f"ids must be one row of integers, (length,), not {ids.dtype} of shape {tuple(ids.shape)}")
    if ids.numel() and not 0 <= ids.min() <= ids.max() < VOCAB_SIZE:
        raise ValueError(
            f"ids must lie in 0..{VOCAB_SIZE - 1}, but its entries go from {int(ids.min())} to {int(ids.max())}"
        )
    return "".join(TOKENS[token] for token in ids.tolist())


def reverse_batch(
    batch_size: int, length: int, generator: torch.Generator | None = None
) -> tuple[Int[Tensor, "batch length"], Int[Tensor, "batch length"]]:
    """Random strings, each letter drawn independently of the others, and the same strings reversed.

    `generator` makes the draw repeatable; without one, PyTorch's global generator is used.

    Raises:
        ValueError: if `batch_size` or `length` is less than 1.
    """
    if batch_size < 1 or length < 1:
        raise ValueError(f"batch_size and length must be at least 1, not {batch_size} and {length}")
    strings = torch.randint(1, VOCAB_SIZE, (batch_size, length), generator=generator)
    return strings, strings.flip(1)


def reverse_batch_of_lengths(
    valid_lens: Int[Tensor, "batch"], max_len: int, generator: torch.Generator | None = None
) -> tuple[Int[Tensor, "batch {max_len}"], Int[Tensor, "batch {max_len}+1"]]:
    """Random strings, one of each length in `valid_lens`, and the same strings reversed and ended by an `<eos>`.

    Both are padded with `<eos>`: the strings to `max_len`, the targets, which are one token longer, to `max_len` + 1.
    Otherwise as `reverse_batch`.

    Raises:
        ValueError: if `valid_lens` is empty, isn't one row of integers, or has an entry outside 1..`max_len`.
    """
    if valid_lens.dim() != 1 or valid_lens.dtype.is_floating_point or len(valid_lens) == 0:
        raise ValueError(
            "valid_lens must be one row of integers, (batch,), at least one, not "
            f"{valid_lens.dtype} of shape {tuple(valid_lens.shape)}"
        )
    if not 1 <= valid_lens.min() <= valid_lens.max() <= max_len:
        raise ValueError(
            f"valid_lens must lie in 1..{max_len}, but its entries go from {int(valid_lens.min())} to "
            f"{int(valid_lens.max())}"
        )
    real = length_mask(valid_lens, max_len)  # (batch, max_len)
    strings, _ = reverse_batch(len(valid_lens), max_len, generator)
    strings = strings.masked_fill(~real, EOS)
    # Turned round, the padding is in front; rolling each row by its amount of padding brings the letters back there.
    steps = (torch.arange(max_len) + (max_len - valid_lens)[:, None]) % max_len  # (batch, max_len)
    targets = strings.flip(1).gather(1, steps)
    return strings, F.pad(targets, (0, 1), value=EOS)
