"""Reversing 10-letter strings: a common setup against the course's, with attention and without.

The common setup is that of a university lab: embedding 64, hidden size 100, batches of 64, Adam at a constant 1e-3,
5,000 steps. The course's takes other sizes, a learning rate that rises and falls once, and clipped gradients. Every
step trains on a fresh random batch; all models are measured on the same 2,000 held-out strings, with one thread.

Run it with `python benchmarks/reversing.py`: it takes about five minutes. Seconds depend on the machine; the ratios
hardly do. With `--steps-divided-by 50` it only shows that everything runs.
"""

import argparse
import time

import torch
from torch import Tensor, nn

from helpers.attention import masked_softmax
from helpers.metrics import exact_match
from helpers.seq2seq import (
    Encoder,
    LuongDecoder,
    PlainDecoder,
    Seq2Seq,
    greedy_decode,
    sequence_cross_entropy,
    shift_right,
)
from helpers.tasks import VOCAB_SIZE, reverse_batch
from helpers.training import fit, seed_everything

LENGTH = 10
MIN_ATTENTION, MAX_ATTENTION_TIME = 0.99, 1 / 8
MIN_PLAIN, MAX_PLAIN_TIME = 0.95, 1.0


class StepwiseDecoder(nn.Module):
    """The lab's decoder with attention: a context from the state before, by a bilinear score, next to the embedding."""

    def __init__(self, vocab_size: int, embed_dim: int, hidden_dim: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.attention_W = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.rnn = nn.GRU(embed_dim + hidden_dim, hidden_dim, batch_first=True)

    def forward(self, encoder_out: Tensor, decoder_x: Tensor, hidden_state: Tensor, valid_lens: Tensor | None = None):
        outputs, rows = [], []
        for step in self.embedding(decoder_x).split(1, dim=1):  # (batch, 1, embed)
            # The lab computes the keys' side anew at every step, and so do we.
            scores = torch.bmm(hidden_state.transpose(0, 1), self.attention_W(encoder_out).transpose(1, 2))
            weights = masked_softmax(scores, valid_lens)  # (batch, 1, source)
            context = torch.bmm(weights, encoder_out)  # (batch, 1, hidden)
            output, hidden_state = self.rnn(torch.cat([step, context], dim=-1), hidden_state)
            outputs.append(output)
            rows.append(weights)
        return torch.cat(outputs, dim=1), hidden_state, torch.cat(rows, dim=1)


def model_of(decoder: type[nn.Module], embed_dim: int, hidden_dim: int, **encoder_options) -> Seq2Seq:
    encoder = Encoder(VOCAB_SIZE, embed_dim, hidden_dim, **encoder_options)
    return Seq2Seq(encoder, decoder(VOCAB_SIZE, embed_dim, hidden_dim), VOCAB_SIZE, hidden_dim)


def loss(model: Seq2Seq, strings: Tensor, targets: Tensor) -> Tensor:
    return sequence_cross_entropy(model(strings, shift_right(targets)), targets)


def train_as_common(decoder: type[nn.Module], divisor: int) -> Seq2Seq:
    model = model_of(decoder, embed_dim=64, hidden_dim=100)
    model.decoder.embedding = model.encoder.embedding  # the lab's model has one embedding for both
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(5000 // divisor):
        value = loss(model, *reverse_batch(64, LENGTH))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return model


def train_as_course_plain(divisor: int) -> Seq2Seq:
    model = model_of(PlainDecoder, embed_dim=32, hidden_dim=96)
    fit(model, lambda: reverse_batch(64, LENGTH), loss, 2500 // divisor, max_lr=8e-3)
    return model


def train_as_course_with_attention(divisor: int) -> Seq2Seq:
    model = model_of(LuongDecoder, embed_dim=32, hidden_dim=64, bidirectional=True)
    fit(model, lambda: reverse_batch(128, LENGTH), loss, 600 // divisor, max_lr=1e-2)
    return model


def measure(name: str, train) -> tuple[float, float]:
    """Train from a fixed seed; print and return the exact match and the seconds that training took."""
    seed_everything(0)
    start = time.perf_counter()
    model = train()
    seconds = time.perf_counter() - start
    strings, targets = reverse_batch(2000, LENGTH, torch.Generator().manual_seed(1))
    right = exact_match(greedy_decode(model, strings, LENGTH)[0], targets)
    print(f"{name:28} {right:6.1%} of 2,000 strings right, trained in {seconds:5.1f} s", flush=True)
    return right, seconds


def compare(what: str, right: float, ratio: float, min_right: float, max_ratio: float) -> None:
    verdict = "reached" if right >= min_right and ratio <= max_ratio else "NOT REACHED"
    print(
        f"{what}: the course's model gets {right:.1%} right (aim: at least {min_right:.0%}) in {ratio:.3f} of the "
        f"common setup's time (aim: at most {max_ratio:.3f}): {verdict}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--steps-divided-by", type=int, default=1, metavar="N", help="train only 1/N as long, to try it"
    )
    divisor = parser.parse_args().steps_divided_by
    torch.set_num_threads(1)  # the fastest for models as small as these
    attention, attention_seconds = measure("course, with attention", lambda: train_as_course_with_attention(divisor))
    plain, plain_seconds = measure("course, without attention", lambda: train_as_course_plain(divisor))
    _, common_plain_seconds = measure("common, without attention", lambda: train_as_common(PlainDecoder, divisor))
    _, common_seconds = measure("common, with attention", lambda: train_as_common(StepwiseDecoder, divisor))
    compare("With attention", attention, attention_seconds / common_seconds, MIN_ATTENTION, MAX_ATTENTION_TIME)
    compare("Without attention", plain, plain_seconds / common_plain_seconds, MIN_PLAIN, MAX_PLAIN_TIME)


if __name__ == "__main__":
    main()
