"""Associative recall, for notebook 02: one attention learns which question goes with which word, under several scales.

Of 64 words 16 appear in an example, each with one of 8 labels drawn afresh; a question asks for the label of one of
them. Each word and each question is a fixed random vector of 32 numbers. What must be learned is which question goes
with which word; the labels can't be known by heart.

All models of a run are trained at once, and the first axis of every tensor is the model: 4 variants times 7 seeds.
They share nothing, so the gradient of the sum of their losses trains each as if it were alone.
"""

import math
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

SCALES: dict[str, Callable[[int], float]] = {
    "none": lambda d: 1.0,
    "1/√d": lambda d: 1 / math.sqrt(d),
    "1/d": lambda d: 1 / d,
}
SMALL_START = "none, small start"
VARIANTS = {**SCALES, SMALL_START: SCALES["none"]}  # what multiplies q·k, for each variant

WORDS, WIDTH, SHOWN, LABELS, RUNS, BATCH, STEPS = 64, 32, 16, 8, 7, 32, 300

Vectors = tuple[Float[Tensor, "model word d"], Float[Tensor, "model word d"]]  # the queries, the keys


def train_recall(
    d: int,
    learning_rate: float,
    optimiser: type[torch.optim.Optimizer] = torch.optim.Adam,
    share_of_rate: float = 1.0,
) -> tuple[Float[Tensor, "step variant run"], Vectors, Vectors]:
    """Train all variants, with queries and keys of `d` numbers; the losses, and queries and keys before and after.

    Data and start are the same for every variant of a run. Examples are fresh at each step, so every loss is one on
    examples not seen before. The small start multiplies the first W_q and W_k by d^(−1/4). W_q and W_k learn at
    `share_of_rate` times the learning rate, everything else at the whole of it.
    """
    generator = torch.Generator().manual_seed(1)
    (questions, words), weights = _start(d, generator)
    w_q, w_k, w_v, readout = weights
    scale = _per_variant({name: scale(d) for name, scale in VARIANTS.items()})
    # Any: PyTorch's optimisers take different arguments, and the base class none but the weights.
    make: Callable[..., torch.optim.Optimizer] = optimiser
    groups = [{"params": [w_q, w_k], "lr": share_of_rate * learning_rate}, {"params": [w_v, readout]}]
    optimizer, losses = make(groups, lr=learning_rate), torch.zeros(STEPS, len(scale))
    before = (questions @ w_q).detach(), (words @ w_k).detach()
    for step in range(STEPS):
        loss = _loss(questions @ w_q, words @ w_k, w_v, readout, scale, *_examples(generator))
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        losses[step] = loss.detach()
    after = (questions @ w_q).detach(), (words @ w_k).detach()
    return losses.view(STEPS, len(VARIANTS), RUNS), before, after


def of_variant(name: str, vectors: Vectors) -> tuple[Float[Tensor, "run word d"], Float[Tensor, "run word d"]]:
    """The queries and keys of one variant's models, of those of all."""
    first = list(VARIANTS).index(name) * RUNS
    queries, keys = vectors
    return queries[first : first + RUNS], keys[first : first + RUNS]


def _start(d: int, generator: torch.Generator) -> tuple[tuple[Tensor, Tensor], list[Tensor]]:
    """The vectors of questions and words, and the weights at the start: queries' and keys' numbers have variance 1."""

    def normal(*shape: int) -> Tensor:
        return _for_each_variant(torch.randn(RUNS, *shape, generator=generator))

    vectors = normal(WORDS, WIDTH), normal(WORDS, WIDTH)
    shrink = _per_variant({name: d**-0.25 if name == SMALL_START else 1.0 for name in VARIANTS})
    w_q, w_k = (normal(WIDTH, d) * shrink / math.sqrt(WIDTH) for _ in range(2))
    w_v, readout = normal(LABELS, 16), normal(16, LABELS) / math.sqrt(16)
    return vectors, [weight.requires_grad_() for weight in (w_q, w_k, w_v, readout)]


def _examples(
    generator: torch.Generator,
) -> tuple[Int[Tensor, "model example shown"], Int[Tensor, "model example shown"]]:
    """The words of fresh examples, of which the first is asked for, and their labels."""
    words = torch.rand(RUNS, BATCH, WORDS, generator=generator).argsort(dim=-1)[..., :SHOWN]
    labels = torch.randint(LABELS, (RUNS, BATCH, SHOWN), generator=generator)
    return _for_each_variant(words), _for_each_variant(labels)


def _loss(
    queries: Float[Tensor, "model word d"],
    keys: Float[Tensor, "model word d"],
    w_v: Float[Tensor, "model label v"],
    readout: Float[Tensor, "model v label"],
    scale: Float[Tensor, "model 1 1"],
    words: Int[Tensor, "model example shown"],
    labels: Int[Tensor, "model example shown"],
) -> Float[Tensor, "model"]:
    products = queries @ keys.mT  # (model, question, word): an example picks its own
    asked = products.gather(1, words[..., :1].expand(-1, -1, WORDS))  # (model, example, word)
    weights = (asked.gather(2, words) * scale).softmax(dim=-1)  # (model, example, shown)
    values = F.one_hot(labels, LABELS).float() @ w_v[:, None]  # (model, example, shown, v)
    logits = (weights[..., None, :] @ values)[..., 0, :] @ readout  # (model, example, label)
    each = F.cross_entropy(logits.flatten(0, 1), labels[..., 0].flatten(), reduction="none")
    return each.view(-1, BATCH).mean(dim=1)


def _for_each_variant(tensor: Tensor) -> Tensor:
    """(run, …) to (model, …): the same for every variant."""
    return tensor.repeat(len(VARIANTS), *[1] * (tensor.dim() - 1))


def _per_variant(numbers: Mapping[str, float]) -> Float[Tensor, "model 1 1"]:
    """One number for each variant, repeated for its runs."""
    return torch.tensor([numbers[name] for name in VARIANTS]).repeat_interleave(RUNS)[:, None, None]
