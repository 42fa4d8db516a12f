"""How much memory attention in blocks needs beside the full matrix of scores, and how long both take.

Run it with `python -m benchmarks.attention_in_blocks`: one head, d = 64, up to 16,384 queries and as many keys. Each
measurement has a process of its own, whose largest memory before the attention is taken away from the largest after
it; on a GPU it is what PyTorch says that it had allocated. It ends with an error if blocks need more than a tenth of
what the full matrix does at the longest length, or if the two give different numbers.
"""

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from helpers.attention import scaled_dot_product_attention
from helpers.long_contexts import attend_in_blocks
from helpers.training import device

LENGTHS, D, BLOCK = (2048, 4096, 8192, 16384), 64, 128
LIMIT = 0.1  # of the full matrix's memory, at the longest length


def whole(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return scaled_dot_product_attention(queries, keys, values)[0]


def in_blocks(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return attend_in_blocks(queries, keys, values, BLOCK)


def peak_bytes() -> int:
    """The most memory that this process has had so far."""
    if device().type == "cuda":
        return torch.cuda.max_memory_allocated()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most  # macOS counts bytes, Linux kilobytes


@torch.no_grad()
def measure(attend: Callable, length: int, results: Any) -> None:
    """Send the bytes that a call adds to the process's peak, its seconds, and some of its result."""
    torch.set_num_threads(1)
    random = torch.Generator().manual_seed(length)
    inputs = [each.to(device()) for each in torch.randn(3, 1, length, D, generator=random)]
    attend(*(each[:, :BLOCK] for each in inputs))  # what PyTorch loads for its first product isn't the attention's
    before, start = peak_bytes(), time.perf_counter()
    some = attend(*inputs)[0, :: length // 16].tolist()  # this waits for a GPU as well
    results.send((peak_bytes() - before, time.perf_counter() - start, some))


def measured(attend: Callable, length: int) -> tuple[int, float, Tensor]:
    """Bytes, seconds and some of the numbers of a call in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=measure, args=(attend, length, there))
    process.start()
    there.close()
    added, seconds, some = here.recv()
    process.join()
    return added, seconds, torch.tensor(some)


def main() -> None:
    print(f"one head, d = {D}, blocks of {BLOCK} keys, on {device().type}: memory on top of queries, keys and values")
    print(f"{'length':>7}  {'whole, MB':>10}  {'blocks, MB':>10}  {'share':>6}  {'whole, s':>8}  {'blocks, s':>9}")
    share = 0.0
    for length in LENGTHS:
        (whole_bytes, whole_seconds, wanted), (block_bytes, block_seconds, got) = (
            measured(attend, length) for attend in (whole, in_blocks)
        )
        share = block_bytes / whole_bytes
        sizes = f"{whole_bytes / 1e6:10,.0f}  {block_bytes / 1e6:10,.1f}  {share:6.1%}"
        print(f"{length:7,}  {sizes}  {whole_seconds:8.2f}  {block_seconds:9.2f}")
        if not torch.allclose(got, wanted, atol=1e-5):
            sys.exit("blocks give other numbers than the full matrix")
    if share > LIMIT:
        sys.exit(f"at {LENGTHS[-1]:,} blocks need {share:.1%} of the full matrix's memory, and should need {LIMIT:.0%}")


if __name__ == "__main__":
    main()
