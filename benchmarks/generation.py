"""How much sooner a language model writes 512 tokens with its cache than without.

Run it with `python -m benchmarks.generation`. Both ways write greedily after the same prompt, and must write the same
tokens. Seconds depend on the machine, the ratio far less. It ends with an error if the cache makes it less than 5 times
as fast.
"""

import sys
import time
from collections.abc import Callable

import torch

from helpers.language_model import LanguageModel, cached_attention, generate

TOKENS, VOCAB, PROMPT = 512, 1000, [1, 2, 3]
LIMIT = 5.0
NO_EOS = -1


@torch.no_grad()
def without_a_cache(model: LanguageModel) -> list[int]:
    """Write `TOKENS` tokens, reading all that stands there for each of them."""
    ids = torch.tensor([PROMPT])
    for _ in range(TOKENS):
        logits, _ = model(ids)
        ids = torch.cat([ids, logits[:, -1:].argmax(dim=-1)], dim=1)
    return ids[0, len(PROMPT) :].tolist()


def with_a_cache(model: LanguageModel) -> list[int]:
    """Write `TOKENS` tokens with the cache."""
    return generate(model, PROMPT, TOKENS, NO_EOS, lambda logits: logits.argmax(dim=-1))


def timed(write: Callable[[LanguageModel], list[int]], model: LanguageModel) -> tuple[list[int], float]:
    """What it writes, and how many seconds it takes."""
    begin = time.perf_counter()
    written = write(model)
    return written, time.perf_counter() - begin


def main() -> int:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = {"embed_dim": 256, "num_heads": 8, "hidden_dim": 1024, "num_layers": 4}
    model = LanguageModel(VOCAB, **sizes, attend=cached_attention).eval()
    timed(with_a_cache, model)  # warm-up
    (cached, seconds), (plain, seconds_without) = timed(with_a_cache, model), timed(without_a_cache, model)
    ratio = seconds_without / seconds
    print(f"{TOKENS} tokens, {sum(p.numel() for p in model.parameters()):,} parameters, one thread")
    print(f"with the cache {seconds:6.2f} s    without {seconds_without:6.2f} s    {ratio:.1f} times as fast")
    if cached != plain:
        print("the two ways wrote different tokens")
    return int(cached != plain or ratio < LIMIT)


if __name__ == "__main__":
    sys.exit(main())
