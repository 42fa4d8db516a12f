"""How long the attention layers take, forward and backward, next to PyTorch's own attention.

Run it with `python benchmarks/attention_layers.py`. The yardstick is the math path of
`torch.nn.functional.scaled_dot_product_attention`, with the same lengths as a mask, at B = 64, Q = K = 64, d = 64; for
multi-head attention it is `torch.nn.MultiheadAttention`, whose weights are asked for as well. Seconds depend on the
machine; the ratios, measured turn by turn in one run, do so far less. It ends with an error if a dot-product layer or
multi-head attention takes more than 1.5 times as long as its yardstick.
"""

import itertools
import random
import sys
import time
from statistics import median

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from helpers.attention import (
    AdditiveScore,
    AttentionPooling,
    BilinearScore,
    DotProductScore,
    MultiHeadAttention,
    length_mask,
    scaled_dot_product_attention,
)

BATCH, LENGTH, D, HEADS = 64, 64, 64, 4
REPEATS, WARM_UP = 41, 4
LIMIT = 1.5
YARDSTICK = "PyTorch's math path"
MULTI_HEAD_YARDSTICK = f"nn.MultiheadAttention, {HEADS} heads"
LIMITED = ("scaled_dot_product_attention", "AttentionPooling(DotProductScore)", "MultiHeadAttention")


def pytorchs_math_path(queries, keys, values, valid_lens):
    mask = None if valid_lens is None else length_mask(valid_lens, keys.shape[1])[:, None, :]
    with sdpa_kernel(SDPBackend.MATH):
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)


def layers() -> dict:
    """The yardstick and the course's layers: each takes (queries, keys, values, valid_lens) and gives the output."""
    return {
        YARDSTICK: pytorchs_math_path,
        LIMITED[0]: lambda *inputs: scaled_dot_product_attention(*inputs)[0],
        LIMITED[1]: AttentionPooling(DotProductScore()),
        "AttentionPooling(BilinearScore)": AttentionPooling(BilinearScore(D, D)),
        "AttentionPooling(AdditiveScore)": AttentionPooling(AdditiveScore(D, D, D)),
    }


def multi_head_layers() -> dict:
    """PyTorch's multi-head attention and the course's, called in the same way."""
    theirs, ours = nn.MultiheadAttention(D, HEADS, batch_first=True), MultiHeadAttention(D, HEADS)

    def pytorchs(queries, keys, values, valid_lens):
        padding = None if valid_lens is None else ~length_mask(valid_lens, keys.shape[1])  # True = may not attend
        return theirs(queries, keys, values, key_padding_mask=padding, average_attn_weights=False)[0]

    def the_courses(queries, keys, values, valid_lens):
        mask = None if valid_lens is None else length_mask(valid_lens, keys.shape[1])[:, None, None, :]
        return ours(queries, keys, values, mask)[0]

    return {MULTI_HEAD_YARDSTICK: pytorchs, LIMITED[2]: the_courses}


def seconds(layer, inputs, valid_lens, gradient) -> float:
    """The time of one forward and backward pass."""
    for tensor in inputs:
        tensor.grad = None
    start = time.perf_counter()
    layer(*inputs, valid_lens).backward(gradient)
    return time.perf_counter() - start


def measure(measured, inputs, valid_lens, gradient) -> dict[str, list[float]]:
    """Seconds of each layer, turn by turn. The order is drawn anew each turn, as what ran before leaves its mark."""
    times = {name: [] for name in measured}
    order = random.Random(0)
    for _ in range(WARM_UP + REPEATS):
        for name in order.sample(list(measured), len(measured)):
            times[name].append(seconds(measured[name], inputs, valid_lens, gradient))
    return {name: each[WARM_UP:] for name, each in times.items()}


def main() -> None:
    torch.set_num_threads(1)  # two threads on a busy machine wait for each other, and measure that
    torch.manual_seed(0)
    inputs = [torch.randn(BATCH, LENGTH, D, requires_grad=True) for _ in range(3)]
    gradient = torch.randn(BATCH, LENGTH, D)
    lengths = torch.randint(1, LENGTH + 1, (BATCH,))
    print(f"Forward and backward, B = {BATCH}, Q = K = {LENGTH}, d = {D}, one thread, medians of {REPEATS} turns")
    too_slow = []
    for (title, valid_lens), measured in itertools.product(
        (("without lengths", None), ("with lengths", lengths)), (layers(), multi_head_layers())
    ):
        times = measure(measured, inputs, valid_lens, gradient)
        first = next(iter(times))
        yardstick = median(times[first])
        print(f"\n{title:<34}      time  ratio")
        for name, each in times.items():
            ratio = median(each) / yardstick
            print(f"{name:<34} {1e3 * median(each):6.1f} ms {ratio:6.2f}")
            if name in LIMITED and ratio > LIMIT:
                too_slow.append(f"{name}, {title}: {ratio:.2f} times as long as {first}; {LIMIT} is allowed")
    if too_slow:
        sys.exit("\n" + "\n".join(too_slow))


if __name__ == "__main__":
    main()
