"""Answers to `Seq2SeqModel`, as students write them: right in many styles, wrong in many ways."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.checks.bank import Bank

BANK = Bank("Seq2SeqModel")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
class AsInTheBook(nn.Module):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.encoder = nn.GRU(embed_dim, hidden_dim, batch_first=True)
        self.decoder = nn.GRU(embed_dim, hidden_dim, batch_first=True)
        self.linear = nn.Linear(hidden_dim, vocab_size)

    def forward(self, encoder_x, decoder_x):
        _, state = self.encoder(self.embedding(encoder_x))
        output, _ = self.decoder(self.embedding(decoder_x), state)
        return self.linear(output)


@right
class TimeMajorInside(nn.Module):
    """Transposes into and out of time-major networks; keyword arguments and a first state of zeros."""

    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.linear = nn.Linear(hidden_dim, vocab_size)
        self.decoder = nn.GRU(input_size=embed_dim, hidden_size=hidden_dim)
        self.encoder = nn.GRU(input_size=embed_dim, hidden_size=hidden_dim)
        self.embedding = nn.Embedding(vocab_size, embed_dim)

    def forward(self, encoder_x, decoder_x):
        zeros = torch.zeros(1, encoder_x.size(0), self.hidden_dim)
        state = self.encoder(self.embedding(encoder_x.t()), zeros)[1]
        return self.linear(self.decoder(self.embedding(decoder_x.t()), state)[0]).permute(1, 0, 2)


@right
class StepByStep(AsInTheBook):
    """The decoder runs a token at a time; the state is the last output."""

    def forward(self, encoder_x, decoder_x):
        outputs, _ = self.encoder(self.embedding(encoder_x))
        state, logits = outputs[:, -1].unsqueeze(0).contiguous(), []
        for step in range(decoder_x.shape[1]):
            output, state = self.decoder(self.embedding(decoder_x[:, step : step + 1]), state)
            logits.append(self.linear(output[:, 0]))
        return torch.stack(logits, dim=1)


@right
class StringByString(AsInTheBook):
    """Each string by itself, and the linear layer on flattened outputs."""

    def forward(self, encoder_x, decoder_x):
        rows = []
        for source, target in zip(encoder_x, decoder_x, strict=True):
            _, state = self.encoder(self.embedding(source)[None])
            output, _ = self.decoder(self.embedding(target)[None], state)
            rows.append(output)
        output = torch.cat(rows)
        flat = self.linear(output.reshape(-1, output.shape[-1]))
        return flat.view(decoder_x.shape[0], decoder_x.shape[1], -1)


class HandmadeGRU(nn.Module):
    """A GRU out of matrices, with the names that PyTorch gives to its parameters."""

    def __init__(self, embed_dim, hidden_dim):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(3 * hidden_dim, embed_dim))
        self.weight_hh_l0 = nn.Parameter(torch.randn(3 * hidden_dim, hidden_dim))
        self.bias_ih_l0 = nn.Parameter(torch.zeros(3 * hidden_dim))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(3 * hidden_dim))

    def forward(self, x, state):
        states = []
        for step in range(x.shape[1]):
            i = F.linear(x[:, step], self.weight_ih_l0, self.bias_ih_l0).split(state.shape[-1], dim=-1)
            h = F.linear(state, self.weight_hh_l0, self.bias_hh_l0).split(state.shape[-1], dim=-1)
            r, z = torch.sigmoid(i[0] + h[0]), torch.sigmoid(i[1] + h[1])
            state = z * state + (1 - z) * torch.tanh(i[2] + r * h[2])
            states.append(state)
        return torch.stack(states, dim=1), state


@right
class ByHand(nn.Module):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.encoder, self.decoder = HandmadeGRU(embed_dim, hidden_dim), HandmadeGRU(embed_dim, hidden_dim)
        self.linear = nn.Linear(hidden_dim, vocab_size)

    def forward(self, encoder_x, decoder_x):
        start = torch.zeros(encoder_x.shape[0], self.linear.in_features)
        _, state = self.encoder(F.embedding(encoder_x, self.embedding.weight), start)
        outputs, _ = self.decoder(F.embedding(decoder_x, self.embedding.weight), state)
        return torch.einsum("bth,vh->btv", outputs, self.linear.weight) + self.linear.bias


# === Wrong ============================================================================================================


@wrong(named="decoder-not-started")
class NothingFromTheSource(AsInTheBook):
    def forward(self, encoder_x, decoder_x):
        self.encoder(self.embedding(encoder_x))
        return self.linear(self.decoder(self.embedding(decoder_x))[0])


@wrong(named="decoder-reads-the-source")
class SourceToTheDecoder(AsInTheBook):
    def forward(self, encoder_x, decoder_x):
        embedded = self.embedding(encoder_x)
        _, state = self.encoder(embedded)
        return self.linear(self.decoder(embedded, state)[0])


@wrong(named="outputs-for-the-state")
class OutputsForTheState(AsInTheBook):
    def forward(self, encoder_x, decoder_x):
        state, _ = self.encoder(self.embedding(encoder_x))
        return self.linear(self.decoder(self.embedding(decoder_x), state)[0])


@wrong(named="time-major")
class BatchFirstForgotten(AsInTheBook):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.encoder = nn.GRU(embed_dim, hidden_dim)
        self.decoder = nn.GRU(embed_dim, hidden_dim)


@wrong(named="time-major")
class BatchFirstInOneOnly(AsInTheBook):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.encoder = nn.GRU(embed_dim, hidden_dim)


@wrong(named="softmax-inside")
class Probabilities(AsInTheBook):
    def forward(self, encoder_x, decoder_x):
        return F.softmax(super().forward(encoder_x, decoder_x), dim=-1)


@wrong(named="softmax-inside")
class LogProbabilities(AsInTheBook):
    def forward(self, encoder_x, decoder_x):
        return F.log_softmax(super().forward(encoder_x, decoder_x), dim=2)


@wrong(named="peeks-at-the-future")
class StateAfterTheTarget(AsInTheBook):
    def forward(self, encoder_x, decoder_x):
        _, state = self.encoder(self.embedding(encoder_x))
        embedded = self.embedding(decoder_x)
        for _ in range(2):
            outputs, state = self.decoder(embedded, state)
        return self.linear(outputs)


@wrong(named="peeks-at-the-future")
class NextToken(AsInTheBook):
    def forward(self, encoder_x, decoder_x):
        return super().forward(encoder_x, torch.cat([decoder_x[:, 1:], decoder_x[:, :1]], dim=1))


@wrong(named=None)
class MeanOfTheTargetAdded(AsInTheBook):
    """A context of the whole target: right for targets of one token only, where it is taken off again."""

    def forward(self, encoder_x, decoder_x):
        embedded = self.embedding(decoder_x)
        embedded = embedded + embedded.mean(1, keepdim=True) - embedded[:, :1]
        _, state = self.encoder(self.embedding(encoder_x))
        return self.linear(self.decoder(embedded, state)[0])


@wrong(named="shifts-again")
class ShiftedTwice(AsInTheBook):
    def forward(self, encoder_x, decoder_x):
        return super().forward(encoder_x, F.pad(decoder_x[:, :-1], (1, 0)))


@wrong(named="batch-and-time-mixed")
class ViewForTranspose(AsInTheBook):
    """Right for one string."""

    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.encoder = nn.GRU(embed_dim, hidden_dim)
        self.decoder = nn.GRU(embed_dim, hidden_dim)

    def forward(self, encoder_x, decoder_x):
        source, target = self.embedding(encoder_x), self.embedding(decoder_x)
        _, state = self.encoder(source.view(source.shape[1], source.shape[0], -1))
        outputs, _ = self.decoder(target.view(target.shape[1], target.shape[0], -1), state)
        return self.linear(outputs.transpose(0, 1))


@wrong(named="axes-in-another-order")
class AllTokensInARow(AsInTheBook):
    def forward(self, encoder_x, decoder_x):
        return super().forward(encoder_x, decoder_x).reshape(-1, self.linear.out_features)


@wrong(named="last-step-only")
class FromTheLastState(AsInTheBook):
    def forward(self, encoder_x, decoder_x):
        _, state = self.encoder(self.embedding(encoder_x))
        _, state = self.decoder(self.embedding(decoder_x), state)
        return self.linear(state.squeeze(0))


@wrong(named="one-network-for-both")
class EncoderDecodes(AsInTheBook):
    def forward(self, encoder_x, decoder_x):
        _, state = self.encoder(self.embedding(encoder_x))
        return self.linear(self.encoder(self.embedding(decoder_x), state)[0])


@wrong(named="other-layers")
class TwoEmbeddings(AsInTheBook):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.target_embedding = nn.Embedding(vocab_size, embed_dim)

    def forward(self, encoder_x, decoder_x):
        _, state = self.encoder(self.embedding(encoder_x))
        return self.linear(self.decoder(self.target_embedding(decoder_x), state)[0])


@wrong(named="other-layers")
class BothWays(AsInTheBook):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.encoder = nn.GRU(embed_dim, hidden_dim, batch_first=True, bidirectional=True)

    def forward(self, encoder_x, decoder_x):
        _, state = self.encoder(self.embedding(encoder_x))
        return self.linear(self.decoder(self.embedding(decoder_x), state[:1] + state[1:])[0])


@wrong(named="other-layers")
class LongShortTermMemory(AsInTheBook):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.encoder = nn.LSTM(embed_dim, hidden_dim, batch_first=True)
        self.decoder = nn.LSTM(embed_dim, hidden_dim, batch_first=True)


@wrong(named="state-not-carried")
class AnewAtEachStep(AsInTheBook):
    def forward(self, encoder_x, decoder_x):
        _, state = self.encoder(self.embedding(encoder_x))
        steps = [self.decoder(self.embedding(token)[:, None], state)[0] for token in decoder_x.T]
        return self.linear(torch.cat(steps, dim=1))


@wrong(named="no-teacher-forcing")
class ReadsItself(AsInTheBook):
    def forward(self, encoder_x, decoder_x):
        _, state = self.encoder(self.embedding(encoder_x))
        token, logits = decoder_x[:, 0], []
        for _ in range(decoder_x.shape[1]):
            output, state = self.decoder(self.embedding(token)[:, None], state)
            logits.append(self.linear(output[:, 0]))
            token = logits[-1].argmax(dim=1)
        return torch.stack(logits, dim=1)


@wrong(named="one-sequence-for-all")
class FirstStateForAll(AsInTheBook):
    """Right for one string."""

    def forward(self, encoder_x, decoder_x):
        _, state = self.encoder(self.embedding(encoder_x))
        state = state[:, 0:1].repeat(1, decoder_x.shape[0], 1)
        return self.linear(self.decoder(self.embedding(decoder_x), state)[0])


@wrong(named="answers-from-memory")
class RemembersTheBatchBefore(AsInTheBook):
    """Right at the first call."""

    state = None

    def forward(self, encoder_x, decoder_x):
        before = self.state if self.state is not None and self.state.shape[1] == len(encoder_x) else None
        _, self.state = self.encoder(self.embedding(encoder_x), before)
        return self.linear(self.decoder(self.embedding(decoder_x), self.state)[0])


@wrong(named="answers-from-memory")
class CachesTheContext(AsInTheBook):
    """Right as long as the shape of the source is new."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.known = {}

    def forward(self, encoder_x, decoder_x):
        if encoder_x.shape not in self.known:
            self.known[encoder_x.shape] = self.encoder(self.embedding(encoder_x))[1]
        return self.linear(self.decoder(self.embedding(decoder_x), self.known[encoder_x.shape])[0])


@wrong(named="detached-gradient")
class DetachedContext(AsInTheBook):
    def forward(self, encoder_x, decoder_x):
        _, state = self.encoder(self.embedding(encoder_x))
        return self.linear(self.decoder(self.embedding(decoder_x), state.detach())[0])


@wrong(named="dropout")
class WithDropout(AsInTheBook):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.dropout = nn.Dropout(0.5)

    def forward(self, encoder_x, decoder_x):
        _, state = self.encoder(self.dropout(self.embedding(encoder_x)))
        return self.linear(self.decoder(self.dropout(self.embedding(decoder_x)), state)[0])


@wrong(named="eos-without-embedding")
class PaddingIndex(AsInTheBook):
    """padding_idx alone only stops the gradient of <eos>; zeroing its vector goes the whole way."""

    def forward(self, encoder_x, decoder_x):
        def embed(tokens):
            return self.embedding(tokens).masked_fill((tokens == 0).unsqueeze(-1), 0.0)

        _, state = self.encoder(embed(encoder_x))
        return self.linear(self.decoder(embed(decoder_x), state)[0])


@wrong(named="eos-without-embedding")
class PaddingIndexOfPyTorch(AsInTheBook):
    """Right numbers, but <eos> never learns an embedding."""

    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.embedding = nn.Embedding(vocab_size, embed_dim, padding_idx=0)


@wrong(named="activation-added")
class RectifiedLogits(AsInTheBook):
    def forward(self, encoder_x, decoder_x):
        return F.relu(super().forward(encoder_x, decoder_x))


@wrong(named="logits-viewed-wrong")
class StepsAndVocabularyReshaped(nn.Module):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.encoder = nn.GRU(embed_dim, hidden_dim, batch_first=True)
        self.decoder = nn.GRU(embed_dim, hidden_dim, batch_first=True)
        self.linear = nn.Linear(hidden_dim, vocab_size)

    def forward(self, encoder_x, decoder_x):
        hidden = self.encoder(self.embedding(encoder_x))[1]
        logits = self.linear(self.decoder(self.embedding(decoder_x), hidden)[0])
        batch, steps, vocabulary = logits.shape
        return logits.reshape(batch, vocabulary, steps).permute(0, 2, 1)
