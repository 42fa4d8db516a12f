"""The mistakes that people make in `TransformerBlock`, each with the wrong implementations that show it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.lab08_multi_head_attention.shared import drop_weights, mha
from helpers.checks.spoiling import (
    changed,
    cutting,
    frozen,
    overwriting,
    remembering,
    returning_nothing,
    stopping_at_64,
)


def _attended(block: nn.Module, x: Tensor, mask: Tensor | None) -> Tensor:
    return block.attention(x, x, x, mask)[0]


def _block(
    attend: Callable = _attended,
    first: Callable = lambda block, x, attended: block.norm1(x + attended),
    feed: Callable = lambda block, x: block.linear2(block.linear1(x).relu()),
    second: Callable = lambda block, x, fed: block.norm2(x + fed),
    result: Callable = lambda output: output,
    attention: Callable = lambda dim, heads, dropout: mha()(dim, heads, dropout),
    norm: Callable = nn.LayerNorm,
    drop: Callable = drop_weights,
) -> Callable:
    """A block out of parts, of which one has a mistake."""

    class Block(nn.Module):
        def __init__(self, embed_dim, num_heads, hidden_dim, dropout=0.0):
            super().__init__()
            self.attention, self.p = attention(embed_dim, num_heads, dropout), dropout
            self.norm1, self.norm2 = norm(embed_dim), norm(embed_dim)
            self.linear1, self.linear2 = nn.Linear(embed_dim, hidden_dim), nn.Linear(hidden_dim, embed_dim)

        def forward(self, x, mask=None):
            y = first(self, x, drop(attend(self, x, mask), self.p, self.training))
            return result(second(self, y, drop(feed(self, y), self.p, self.training)))

    return Block


class _PreNorm(_block()):
    """The norm before attention and before the feed-forward network, as in later models."""

    def forward(self, x, mask=None):
        x = x + _attended(self, self.norm1(x), mask)
        return x + self.linear2(self.linear1(self.norm2(x)).relu())


class _SecondResidualOfTheInput(_block()):
    def forward(self, x, mask=None):
        y = self.norm1(x + _attended(self, x, mask))
        return self.norm2(x + self.linear2(self.linear1(y).relu()))


class _FeedsTheInput(_block()):
    def forward(self, x, mask=None):
        y = self.norm1(x + _attended(self, x, mask))
        return self.norm2(y + self.linear2(self.linear1(x).relu()))


class _FeedForwardFirst(_block()):
    def forward(self, x, mask=None):
        y = self.norm2(x + self.linear2(self.linear1(x).relu()))
        return self.norm1(y + _attended(self, y, mask))


class _FeedForwardFirstInOrder(_block()):
    def forward(self, x, mask=None):
        y = self.norm1(x + self.linear2(self.linear1(x).relu()))
        return self.norm2(y + _attended(self, y, mask))


def _inverted(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else ~mask


def _norm_over(axes: int | tuple[int, ...], norm: nn.LayerNorm, x: Tensor) -> Tensor:
    centred = x - x.mean(axes, keepdim=True)
    return centred / (centred.square().mean(axes, keepdim=True) + norm.eps).sqrt() * norm.weight + norm.bias


MISTAKES = (
    Misconception(
        "no-residual",
        "what went in isn't added to what came out",
        "Attention, and the feed-forward network after it, each *add* to what is there: x + attention(x). Without the "
        "sum a deep stack loses what distinguishes the words.",
        (
            _block(first=lambda block, x, attended: block.norm1(attended)),
            _block(second=lambda block, x, fed: block.norm2(fed)),
            _block(
                first=lambda block, x, attended: block.norm1(attended),
                second=lambda block, x, fed: block.norm2(fed),
            ),
        ),
    ),
    Misconception(
        "residual-around-the-norm",
        "the norm comes before the sum",
        "In the paper's block the norm is taken of the *sum*: norm(x + attention(x)). Yours adds x to something "
        "normed, so x itself never is.",
        (
            _block(
                first=lambda block, x, attended: x + block.norm1(attended),
                second=lambda block, x, fed: x + block.norm2(fed),
            ),
            _block(first=lambda block, x, attended: x + block.norm1(attended)),
            _block(second=lambda block, x, fed: x + block.norm2(fed)),
        ),
    ),
    Misconception(
        "norm-first",
        "the norms come first (pre-norm)",
        "Many later models take the norm of what goes *into* attention and feed-forward network, and it works well. "
        "What is asked for is the paper's form, with the norm after each sum.",
        (_PreNorm,),
    ),
    Misconception(
        "relu-after-the-second-layer",
        "the ReLU comes after the second layer",
        "It stands *between* the two linear layers. After the second one, the network could only ever add, never take "
        "away; and without one in between, two linear layers are no more than one.",
        (
            _block(feed=lambda block, x: block.linear2(block.linear1(x)).relu()),
            _block(feed=lambda block, x: block.linear2(block.linear1(x).relu()).relu()),
            _block(feed=lambda block, x: block.linear2(block.linear1(x.relu()))),
        ),
    ),
    Misconception(
        "no-relu",
        "there is no ReLU",
        "Two linear layers in a row are no more than one. The ReLU between them lets the network bend.",
        (_block(feed=lambda block, x: block.linear2(block.linear1(x))),),
    ),
    mistakes.OTHER_ACTIVATION.explained(
        "Later models have others, and do well. This block has the paper's.",
        *tuple(
            _block(feed=lambda block, x, bend=bend: block.linear2(bend(block.linear1(x))))
            for bend in (
                nn.functional.gelu,
                torch.tanh,
                torch.sigmoid,
                nn.functional.silu,
                nn.functional.leaky_relu,
            )
        ),
    ),
    Misconception(
        "no-norm",
        "a norm is left out",
        "There are two norms: `norm1` after the first sum, and `norm2` after the second.",
        (
            _block(first=lambda block, x, attended: x + attended),
            _block(second=lambda block, x, fed: x + fed),
            _block(first=lambda block, x, attended: x + attended, second=lambda block, x, fed: x + fed),
        ),
    ),
    Misconception(
        "norms-swapped",
        "the norms are swapped, or one serves twice",
        "`norm1` comes after the first sum and `norm2` after the second. Each learns a scale of its own.",
        (
            _block(
                first=lambda block, x, attended: block.norm2(x + attended),
                second=lambda block, x, fed: block.norm1(x + fed),
            ),
            _block(second=lambda block, x, fed: block.norm1(x + fed)),
            _block(first=lambda block, x, attended: block.norm2(x + attended)),
        ),
    ),
    Misconception(
        "second-residual-from-x",
        "the block's input is used again after the first sum",
        "The second half works with what the first half has made: that goes into the feed-forward network, and that "
        "is what its output is added to.",
        (_SecondResidualOfTheInput, _FeedsTheInput),
    ),
    Misconception(
        "feed-forward-first",
        "the feed-forward network comes before the attention",
        "First the words look at one another, then each is worked on by itself.",
        (_FeedForwardFirst, _FeedForwardFirstInOrder),
    ),
    Misconception(
        "no-feed-forward",
        "the feed-forward network has no part in it",
        "After the attention each vector goes through `linear1`, a ReLU and `linear2`.",
        (
            _block(feed=lambda block, x: torch.zeros_like(x)),
            _block(feed=lambda block, x: torch.zeros_like(x), second=lambda block, x, fed: x),
        ),
    ),
    Misconception(
        "no-attention",
        "the attention has no part in it",
        "`attention` is built, and what it gives isn't added to x.",
        (_block(attend=lambda block, x, mask: torch.zeros_like(x)), _block(attend=lambda block, x, mask: x)),
    ),
    Misconception(
        "weights-for-output",
        "the attention's two results aren't taken apart",
        "`attention` returns a pair: the output, which goes on, and the weights, which only a picture needs.",
        (
            _block(attend=lambda block, x, mask: block.attention(x, x, x, mask), drop=lambda x, p, training: x),
            _block(
                attend=lambda block, x, mask: block.attention(x, x, x, mask)[1].mean(1),
                drop=lambda x, p, training: x,
            ),
        ),
    ),
    mistakes.RETURNS_A_PAIR.explained(
        "`forward` returns one tensor, (batch, length, embed_dim): what the next block takes as its x.",
        _block(result=lambda output: (output, None)),
        _block(result=lambda output: (output, output)),
    ),
    mistakes.MASK_IGNORED.explained(
        "The signature takes `mask`, and the attention never gets it.",
        _block(attend=lambda block, x, mask: _attended(block, x, None)),
    ),
    mistakes.INVERTED_MASK.explained(
        "True means *may attend*, for the block as for its attention: hand it on as it is.",
        _block(attend=lambda block, x, mask: _attended(block, x, _inverted(mask))),
    ),
    Misconception(
        "norm-over-the-wrong-axis",
        "the norm runs over other numbers than one vector's",
        "Layer norm takes the mean and the spread of *each vector* by itself: over embed_dim, not over positions or "
        "the batch.",
        (
            _block(first=lambda block, x, attended: _norm_over(1, block.norm1, x + attended)),
            _block(
                first=lambda block, x, attended: _norm_over(1, block.norm1, x + attended),
                second=lambda block, x, fed: _norm_over(1, block.norm2, x + fed),
            ),
            _block(
                first=lambda block, x, attended: _norm_over((1, 2), block.norm1, x + attended),
                second=lambda block, x, fed: _norm_over((1, 2), block.norm2, x + fed),
            ),
        ),
    ),
    mistakes.DROPOUT_IN_EVALUATION.explained(
        "`.eval()` is there to switch it off. A `nn.Dropout` knows by itself, if it is made in `__init__` and kept as "
        "an attribute.",
        _block(drop=lambda x, p, training: drop_weights(x, p, True)),
    ),
    mistakes.DROPOUT_NEVER.explained(
        "In training mode two calls should differ. Does `attention` get `dropout`, at least?",
        _block(attention=lambda dim, heads, dropout: mha()(dim, heads), drop=lambda x, p, training: x),
    ),
    mistakes.DROPOUT_FIXED.row(_block(drop=lambda x, p, training: drop_weights(x, p or 0.1, training))),
    mistakes.OTHER_PARAMETERS.row(
        _block(norm=lambda dim: nn.LayerNorm(dim, elementwise_affine=False)),
        _block(norm=lambda dim: nn.LayerNorm(dim, bias=False)),
    ),
    mistakes.NOTHING_LEARNED.row(frozen(_block()), _block(attend=lambda *args: _attended(*args).detach())),
    mistakes.WRITES_INTO_ARGUMENTS.row(*(changed(_block(), overwriting(i)) for i in (0, 1)), arguments="tensors"),
    mistakes.DETACHED_GRADIENT.row(changed(_block(), cutting(0)), inputs="x"),
    mistakes.ANSWERS_FROM_MEMORY.row(changed(_block(), remembering)),
    mistakes.SMALL_SIZES_ONLY.row(changed(_block(), stopping_at_64)),
    mistakes.no_module(),
    mistakes.FORBIDDEN_CALL.row(),
    mistakes.nothing_returned(changed(_block(), returning_nothing)),
)
