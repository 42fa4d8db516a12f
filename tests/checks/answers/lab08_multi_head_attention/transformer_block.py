"""Answers to `TransformerBlock`, as students write them: right in many styles, wrong in many ways."""

import torch
import torch.nn.functional as F
from torch import nn

from helpers.attention import MultiHeadAttention
from tests.checks.bank import Bank

BANK = Bank("TransformerBlock")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


class Parts(nn.Module):
    def __init__(self, embed_dim, num_heads, hidden_dim, dropout=0.0):
        super().__init__()
        self.attention = MultiHeadAttention(embed_dim, num_heads, dropout)
        self.norm1, self.norm2 = nn.LayerNorm(embed_dim), nn.LayerNorm(embed_dim)
        self.linear1, self.linear2 = nn.Linear(embed_dim, hidden_dim), nn.Linear(hidden_dim, embed_dim)

    def attend(self, x, mask):
        return self.attention(x, x, x, mask)[0]

    def feed(self, x):
        return self.linear2(torch.relu(self.linear1(x)))

    def forward(self, x, mask=None):
        x = self.norm1(x + self.attend(x, mask))
        return self.norm2(x + self.feed(x))


@right
class AsInThePaper(Parts):
    """nn.TransformerEncoderLayer isn't used."""


@right
class DropoutOnEverything(Parts):
    def __init__(self, embed_dim, num_heads, hidden_dim, dropout=0.0):
        super().__init__(embed_dim, num_heads, hidden_dim, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        x = self.norm1(x + self.dropout(self.attend(x, mask)))
        return self.norm2(x + self.dropout(self.linear2(self.dropout(F.relu(self.linear1(x))))))


@right
class OwnAttentionByHand(Parts):
    class Attention(nn.Module):
        def __init__(self, d, heads, p):
            super().__init__()
            self.heads, self.p = heads, p
            self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(d, d) for _ in range(4))

        def forward(self, x, mask):
            q, k, v = (
                layer(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in (self.W_q, self.W_k, self.W_v)
            )
            scores = q @ k.mT / q.shape[-1] ** 0.5
            if mask is not None:
                scores = scores.masked_fill(~(mask[:, None] if mask.dim() == 3 else mask), -torch.inf)
            return self.W_o((F.dropout(scores.softmax(-1), self.p, self.training) @ v).transpose(1, 2).flatten(2))

    def __init__(self, embed_dim, num_heads, hidden_dim, dropout=0.0):
        super().__init__(embed_dim, num_heads, hidden_dim)
        self.attention = self.Attention(embed_dim, num_heads, dropout)

    def attend(self, x, mask):
        return self.attention(x, mask)


@right
class NormsByHand(Parts):
    def norm(self, layer, x):
        mean = x.mean(-1, keepdim=True)
        spread = ((x - mean) ** 2).mean(-1, keepdim=True)
        return (x - mean) * torch.rsqrt(spread + layer.eps) * layer.weight + layer.bias

    def forward(self, x, mask=None):
        x = self.norm(self.norm1, x + self.attend(x, mask))
        return self.norm(self.norm2, x + self.feed(x))


@right
class WithFunctions(Parts):
    def forward(self, x, mask=None):
        attended, _ = self.attention(query=x, key=x, value=x, mask=mask)
        y = F.layer_norm(attended.add(x), x.shape[-1:], self.norm1.weight, self.norm1.bias)
        hidden = F.linear(y, self.linear1.weight, self.linear1.bias).clamp(min=0.0)
        z = y + hidden @ self.linear2.weight.mT + self.linear2.bias
        return F.layer_norm(z, x.shape[-1:], self.norm2.weight, self.norm2.bias)


# === Wrong ============================================================================================================


@wrong(named="no-residual")
class NothingAdded(Parts):
    def forward(self, x, mask=None):
        return self.norm2(self.feed(self.norm1(self.attend(x, mask))))


@wrong(named="no-residual")
class NothingAddedToTheNetwork(Parts):
    def forward(self, x, mask=None):
        return self.norm2(self.feed(self.norm1(x + self.attend(x, mask))))


@wrong(named="residual-around-the-norm")
class NormBeforeTheSum(Parts):
    def forward(self, x, mask=None):
        x = x + self.norm1(self.attend(x, mask))
        return x + self.norm2(self.feed(x))


@wrong(named="norm-first")
class AsInGpt2(Parts):
    def forward(self, x, mask=None):
        x = x + self.attend(self.norm1(x), mask)
        return x + self.feed(self.norm2(x))


@wrong(named="relu-after-the-second-layer")
class ReluLast(Parts):
    def feed(self, x):
        return torch.relu(self.linear2(self.linear1(x)))


@wrong(named="no-relu")
class LinearTwice(Parts):
    def feed(self, x):
        return self.linear2(self.linear1(x))


@wrong(named="other-activation")
class Gelu(Parts):
    def feed(self, x):
        return self.linear2(F.gelu(self.linear1(x)))


@wrong(named="norms-swapped")
class OneNormTwice(Parts):
    def forward(self, x, mask=None):
        x = self.norm1(x + self.attend(x, mask))
        return self.norm1(x + self.feed(x))


@wrong(named="no-norm")
class SecondNormForgotten(Parts):
    def forward(self, x, mask=None):
        x = self.norm1(x + self.attend(x, mask))
        return x + self.feed(x)


@wrong(named="second-residual-from-x")
class TheInputAddedTwice(Parts):
    def forward(self, x, mask=None):
        return self.norm2(x + self.feed(self.norm1(x + self.attend(x, mask))))


@wrong(named="mask-ignored")
class MaskForgotten(Parts):
    def attend(self, x, mask):
        return self.attention(x, x, x)[0]


@wrong(named="inverted-mask")
class MaskTurned(Parts):
    def attend(self, x, mask):
        return self.attention(x, x, x, None if mask is None else mask.logical_not())[0]


@wrong(named="weights-for-output")
class PairNotTakenApart(Parts):
    def attend(self, x, mask):
        return self.attention(x, x, x, mask)


@wrong(named="returns-a-pair")
class WeightsAsWell(Parts):
    def forward(self, x, mask=None):
        return super().forward(x, mask), self.attention(x, x, x, mask)[1]


@wrong(named="dropout-never")
class DropoutNotHandedOn(Parts):
    def __init__(self, embed_dim, num_heads, hidden_dim, dropout=0.0):
        super().__init__(embed_dim, num_heads, hidden_dim)


@wrong(named="dropout-in-evaluation")
class DropoutAlways(Parts):
    def __init__(self, embed_dim, num_heads, hidden_dim, dropout=0.0):
        super().__init__(embed_dim, num_heads, hidden_dim, dropout)
        self.p = dropout

    def feed(self, x):
        return F.dropout(super().feed(x), self.p)


@wrong(named="other-parameters")
class PartsInASequential(Parts):
    def __init__(self, embed_dim, num_heads, hidden_dim, dropout=0.0):
        super().__init__(embed_dim, num_heads, hidden_dim, dropout)
        self.ffn = nn.Sequential(self.linear1, nn.ReLU(), self.linear2)
        del self.linear1, self.linear2

    def feed(self, x):
        return self.ffn(x)


@wrong(named="forbidden-call")
class APyTorchLayerInside(Parts):
    def forward(self, x, mask=None):
        nn.TransformerEncoderLayer(2, 1)
        return super().forward(x, mask)


@wrong(named="writes-into-arguments")
class AddsInPlace(Parts):
    def forward(self, x, mask=None):
        result = super().forward(x, mask)
        x.data += self.attend(x, mask)
        return result


@wrong(named="detached-gradient")
class StopsTheGradient(Parts):
    def forward(self, x, mask=None):
        return super().forward(x.detach(), mask)


@wrong(named=None)
class ReluOnTheSum(Parts):
    def forward(self, x, mask=None):
        x = torch.relu(self.norm1(x + self.attend(x, mask)))
        return self.norm2(x + self.feed(x))


@wrong(named=None)
class AnotherEpsilon(Parts):
    """Without what keeps the division from failing, and with a spread that has n − 1 for n."""

    def norm(self, layer, x):
        return (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True) * layer.weight + layer.bias

    def forward(self, x, mask=None):
        x = self.norm(self.norm1, x + self.attend(x, mask))
        return self.norm(self.norm2, x + self.feed(x))
