"""The language models that lab 9's checks hand to an answer: what they write stands in a table, and they keep watch.

Like the models in models.py they cross the border to another process: a function by its name, a module by its numbers.
"""

import torch
from torch import Tensor, nn

_MOST_CALLS = 300  # an answer that asks for ever more tokens is told so, rather than waited for


class WatchedLanguageModel(nn.Module):
    """A model whose logits for the token after position p, where the token t stands, are `logits[p, t]`.

    Its cache is a row of the ids that it has read, which no answer should rely on. So an answer that loses the cache,
    or feeds a token twice, is given other logits. What it was called with stands in buffers, which are part of its
    state and so can be read from outside: `fed`, how many tokens came with each call, `calls` and `with_gradients`.
    """

    def __init__(self, positions: int, vocab_size: int):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(positions, vocab_size, vocab_size))
        self.register_buffer("fed", torch.zeros(_MOST_CALLS, dtype=torch.int64))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("with_gradients", torch.zeros((), dtype=torch.int64))

    def forward(self, ids: Tensor, cache: Tensor | None) -> tuple[Tensor, Tensor]:
        """Logits `(1, T, V)` and the new cache, for ids `(1, T)` and the cache of what came before, or None.

        Raises:
            ValueError: if `ids` are not `(1, T)` whole numbers on the CPU.
            RuntimeError: if it has been called far more often than any case asks for.
        """
        ids = _checked(ids)
        if self.calls == _MOST_CALLS:
            raise RuntimeError(f"the model has been called {_MOST_CALLS} times, and there is no end to it")
        self.fed[self.calls] = ids.shape[1]
        self.calls += 1
        self.with_gradients += torch.is_grad_enabled()
        read = ids if cache is None else torch.cat([cache, ids], dim=1)
        places = torch.arange(read.shape[1] - ids.shape[1], read.shape[1]) % len(self.logits)
        return self.logits[places, ids[0]].unsqueeze(0), read


def counting_model(ids: Tensor, cache: int | None) -> tuple[Tensor, int]:
    """A model that is a plain function, and whose cache is a number: it counts on by threes, modulo 7.

    Raises:
        ValueError: if `ids` are not `(1, T)` whole numbers on the CPU.
    """
    ids = _checked(ids)
    places = torch.arange(ids.shape[1]) + (cache or 0)
    return nn.functional.one_hot((ids + 3 * places) % 7, 7).float(), (cache or 0) + ids.shape[1]


def _checked(ids: Tensor) -> Tensor:
    if not isinstance(ids, Tensor) or ids.dtype != torch.int64 or ids.dim() != 2 or len(ids) != 1 or not ids.shape[1]:
        shape = f"a tensor of {ids.dtype}, {tuple(ids.shape)}" if isinstance(ids, Tensor) else f"a {type(ids).__name__}"
        raise ValueError(f"the model takes ids as a tensor of int64, (1, T), and was given {shape}")
    return ids
