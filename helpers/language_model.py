"""A language model: the Transformer's decoder alone, which says what comes next, and the cache that it writes with.

Shapes are batch first: token ids `(B, L)`, vectors `(B, L, d)`, queries, keys and values of the heads `(B, heads, L,
d/heads)`. A cache is the pair (keys, values) of the tokens before, `(B, heads, P, d/heads)` each; that of a model is a
tuple with a cache for every layer.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from helpers.attention import merge_heads, split_heads
from helpers.transformer import sinusoidal_positions

Cache = tuple[Tensor, Tensor]


def next_token_targets(
    ids: Int[Tensor, "batch length"], pad: int
) -> tuple[Int[Tensor, "batch shorter"], Int[Tensor, "batch shorter"], Bool[Tensor, "batch shorter"]]:
    """What a language model reads and what it should answer, for rows `<bos> … <eos> <pad> …`.

    The inputs are all tokens but the last column, the targets all but the first, and `valid` is True where the target
    isn't `pad`.

    Raises:
        ValueError: if `ids` isn't `(batch, length)` whole numbers, of length 2 or more.
    """
    if ids.dim() != 2 or ids.shape[1] < 2 or ids.dtype.is_floating_point:
        raise ValueError(
            f"ids must be (batch, length) token ids, of length 2 or more, not {ids.dtype} {tuple(ids.shape)}"
        )
    targets = ids[:, 1:]
    return ids[:, :-1], targets, targets != pad


def cached_attention(
    queries: Float[Tensor, "batch heads new d"],
    keys: Float[Tensor, "batch heads new d"],
    values: Float[Tensor, "batch heads new d"],
    cache: Cache | None = None,
) -> tuple[Float[Tensor, "batch heads new d"], Cache]:
    """Causal scaled dot-product attention of the new tokens to those in the cache and to themselves.

    New token t sees all that is cached, and the new ones up to itself. Returns the outputs, and a cache that holds the
    new keys and values as well, after the old ones; the cache that came in stays as it was.

    Source: Shazeer (2019), where decoding with a cache is "incremental".
    Raises:
        ValueError: if keys or values haven't the queries' shape.
    """
    if not queries.shape == keys.shape == values.shape:
        raise ValueError(
            f"queries, keys and values must have one shape, (batch, heads, new, d), not {tuple(queries.shape)}, "
            f"{tuple(keys.shape)} and {tuple(values.shape)}"
        )
    if cache is not None:
        keys, values = torch.cat([cache[0], keys], dim=2), torch.cat([cache[1], values], dim=2)
    new, total = queries.shape[2], keys.shape[2]
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])  # (batch, heads, new, total)
    if new > 1:  # one token alone has no future to mask
        allowed = torch.ones(new, total, dtype=torch.bool, device=queries.device).tril(total - new)
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.softmax(dim=-1) @ values, (keys, values)


class DecoderBlock(nn.Module):
    """The decoder's block of 2017 without its look at a source: causal self-attention, then the feed-forward network.

    `attend` is called as `cached_attention` is. Around each half a residual, and layer norm after it.

    Source: Vaswani et al. (2017), section 3.1; without the encoder: Radford et al. (2018).
    Raises:
        ValueError: if `embed_dim` can't be shared out evenly among the heads.
    """

    def __init__(self, embed_dim: int, num_heads: int, hidden_dim: int, attend: Callable):
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError(f"num_heads must divide embed_dim, but {num_heads} doesn't divide {embed_dim}")
        self.num_heads, self.attend = num_heads, attend
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(embed_dim, embed_dim) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(embed_dim), nn.LayerNorm(embed_dim)
        self.linear1, self.linear2 = nn.Linear(embed_dim, hidden_dim), nn.Linear(hidden_dim, embed_dim)

    def forward(
        self, x: Float[Tensor, "batch new embed"], cache: Cache | None = None
    ) -> tuple[Float[Tensor, "batch new embed"], Cache]:
        """The block's output for the new tokens, and the longer cache."""
        heads = (split_heads(project(x), self.num_heads) for project in (self.W_q, self.W_k, self.W_v))
        attended, cache = self.attend(*heads, cache)
        x = self.norm1(x + self.W_o(merge_heads(attended)))
        return self.norm2(x + self.linear2(self.linear1(x).relu())), cache


class LanguageModel(nn.Module):
    """A decoder-only Transformer: what comes after each token, said by logits over the vocabulary.

    Called with a cache, it reads the new tokens as those that come after what is cached. `attend` is the attention of
    its blocks: `cached_attention`, or another that is called alike.

    Source: Radford et al. (2018); the positions are those of Vaswani et al. (2017), section 3.5.
    Raises:
        ValueError: if `embed_dim` can't be shared out evenly among the heads, or `num_layers` is less than 1.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_dim: int,
        num_heads: int,
        hidden_dim: int,
        num_layers: int = 2,
        *,
        attend: Callable,
    ):
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, not {num_layers}")
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.blocks = nn.ModuleList(DecoderBlock(embed_dim, num_heads, hidden_dim, attend) for _ in range(num_layers))
        self.linear = nn.Linear(embed_dim, vocab_size)

    def forward(
        self, ids: Int[Tensor, "batch new"], cache: tuple[Cache, ...] | None = None
    ) -> tuple[Float[Tensor, "batch new vocab"], tuple[Cache, ...]]:
        """The logits of the token after each of `ids`, and the cache with these tokens in it."""
        past = 0 if cache is None else cache[0][0].shape[2]
        x = self.embedding(ids)  # (batch, new, embed)
        x = x + sinusoidal_positions(past + x.shape[1], x.shape[2])[past:].to(x)
        longer = []
        for number, block in enumerate(self.blocks):
            x, of_block = block(x, None if cache is None else cache[number])
            longer.append(of_block)
        return self.linear(x), tuple(longer)


def sample_next(
    logits: Float[Tensor, "batch vocab"],
    temperature: float | int = 1.0,
    top_k: int | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "batch"]:
    """A token for each row, drawn from softmax(logits / temperature); at temperature 0 the likeliest.

    With `top_k` only that many tokens can come, the likeliest ones. Random numbers come from `generator`, which is on
    the logits' device; without one, from PyTorch's own.

    Source: Fan et al. (2018), for `top_k`.
    Raises:
        ValueError: if `temperature` is negative, or `top_k` isn't in 1..vocab.
    """
    if temperature < 0:
        raise ValueError(f"temperature must be 0 or more, not {temperature}")
    if top_k is not None and not 1 <= top_k <= logits.shape[-1]:
        raise ValueError(f"top_k must lie in 1..{logits.shape[-1]}, the size of the vocabulary, not {top_k}")
    if temperature == 0:
        return logits.argmax(dim=-1)
    kept, ids = logits.topk(logits.shape[-1] if top_k is None else top_k)  # (batch, k), the likeliest first
    place = torch.multinomial((kept / temperature).softmax(dim=-1), 1, generator=generator)  # (batch, 1)
    return ids.gather(1, place).squeeze(1)


@torch.no_grad()
def generate(
    model: Callable[..., tuple[Tensor, object]],
    prompt: list[int],
    max_new_tokens: int,
    eos: int,
    choose: Callable[[Tensor], Tensor] = sample_next,
) -> list[int]:
    """Write up to `max_new_tokens` tokens after a prompt, with a cache; `eos` ends the text and isn't part of it.

    `model(ids, cache)` gives logits and a longer cache, as a `LanguageModel` does; its ids are on the CPU, and it is
    left in whichever mode it is. `choose` makes a token of the logits `(1, vocab)` after the last one: by default it
    draws.

    Raises:
        ValueError: if `prompt` is empty.
    """
    if not prompt:
        raise ValueError("prompt must hold at least one token, such as <bos>")
    written: list[int] = []
    ids, cache = torch.tensor([prompt]), None
    while len(written) < max_new_tokens:
        logits, cache = model(ids, cache)
        token = int(choose(logits[:, -1]))
        if token == eos:
            break
        written.append(token)
        ids = torch.tensor([[token]])
    return written


def perplexity(
    logits: Float[Tensor, "batch length vocab"],
    targets: Int[Tensor, "batch length"],
    valid: Bool[Tensor, "batch length"],
) -> float:
    """exp of the mean of −log p (in nats) over the targets that are valid: between how many tokens a model wavers.

    Raises:
        ValueError: if no target is valid.
    Source: Jelinek et al. (1977).
    """
    if not valid.any():
        raise ValueError("valid must be True for at least one target")
    return math.exp(nn.functional.cross_entropy(logits[valid], targets[valid]).item())
