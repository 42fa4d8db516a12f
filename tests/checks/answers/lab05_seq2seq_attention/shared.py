"""Classes that are right in all of lab 5's exercises that are methods of one."""

import math

import torch
import torch.nn.functional as F
from torch import nn

RIGHT_EVERYWHERE = []


def right_everywhere(answer):
    RIGHT_EVERYWHERE.append(answer)
    return answer


@right_everywhere
class StepByStep(nn.Module):
    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.encoder = nn.GRU(embed_dim, hidden_dim, num_layers=1, batch_first=True)
        self.attention_W = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.decoder = nn.GRU(embed_dim + hidden_dim, hidden_dim, num_layers=1, batch_first=True)
        self.linear = nn.Linear(hidden_dim, vocab_size)

    def forward(self, encoder_x, decoder_x):
        encoder_out, hidden_state = self.encoder(self.embedding(encoder_x))
        outputs, _ = self.decoding(encoder_out, decoder_x, hidden_state)
        return self.linear(outputs)

    def scores(self, encoder_out, hidden_state):
        return torch.bmm(self.attention_W(encoder_out), hidden_state.permute(1, 2, 0))

    def padding(self, encoder_out, valid_lens):
        return torch.arange(encoder_out.size(1))[None, :, None] >= valid_lens[:, None, None]

    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        scores = self.scores(encoder_out, hidden_state)
        if valid_lens is not None:
            scores = scores.masked_fill(self.padding(encoder_out, valid_lens), float("-inf"))
        weights = torch.softmax(scores, dim=1)
        return torch.sum(weights * encoder_out, dim=1, keepdim=True), weights

    def decoding(self, encoder_out, decoder_x, hidden_state):
        all_outputs = []
        for i in range(decoder_x.size(1)):
            embedded = self.embedding(decoder_x[:, i].unsqueeze(1))
            context, _ = self.get_context_vector(encoder_out, hidden_state)
            output, hidden_state = self.decoder(torch.cat([embedded, context], dim=-1), hidden_state)
            all_outputs.append(output)
        return torch.cat(all_outputs, dim=1), hidden_state

    def get_next_token(self, encoder_out, token, hidden_state):
        context, _ = self.get_context_vector(encoder_out, hidden_state)
        output, new_hidden_state = self.decoder(torch.cat([self.embedding(token), context], -1), hidden_state)
        return self.linear(output).squeeze(1).argmax(dim=1), new_hidden_state


@right_everywhere
class WithEinsum(StepByStep):
    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        scores = torch.einsum("bsh,gh,bg->bs", encoder_out, self.attention_W.weight, hidden_state[0])
        if valid_lens is not None:
            keep = torch.arange(encoder_out.shape[1]).expand(scores.shape) < valid_lens.unsqueeze(1)
            scores = torch.where(keep, scores, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1)
        return torch.einsum("bs,bsh->bh", weights, encoder_out)[:, None], weights[..., None]

    def decoding(self, encoder_out, decoder_x, hidden_state):
        batch, length = decoder_x.shape
        embedded = self.embedding(decoder_x)
        outputs = encoder_out.new_zeros(batch, 0, encoder_out.shape[2])
        for i in range(length):
            joined = torch.cat((embedded[:, i], self.get_context_vector(encoder_out, hidden_state)[0][:, 0]), dim=1)
            hidden_state = self.decoder(joined.unsqueeze(1), hidden_state)[1]
            outputs = torch.cat((outputs, hidden_state.transpose(0, 1)), dim=1)
        return outputs, hidden_state

    def get_next_token(self, encoder_out, token, hidden_state):
        outputs, hidden_state = self.decoding(encoder_out, token, hidden_state)
        return F.log_softmax(self.linear(outputs[:, -1]), dim=-1).max(dim=-1).indices, hidden_state


@right_everywhere
class StringByString(StepByStep):
    """One string of the batch after the other."""

    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        contexts, all_weights = [], []
        for b, source in enumerate(encoder_out):
            length = len(source) if valid_lens is None else int(valid_lens[b])
            weights = F.softmax(torch.stack([self.attention_W(s).dot(hidden_state[0, b]) for s in source[:length]]), 0)
            contexts.append((weights @ source[:length]).unsqueeze(0))
            all_weights.append(F.pad(weights, (0, len(source) - length)).unsqueeze(1))
        return torch.stack(contexts), torch.stack(all_weights)

    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs, states = [], []
        for b in range(len(decoder_x)):
            state, of_string = hidden_state[:, b : b + 1].contiguous(), []
            for token in decoder_x[b]:
                context, _ = self.get_context_vector(encoder_out[b : b + 1], state)
                joined = torch.cat([self.embedding(token).view(1, 1, -1), context], dim=2)
                output, state = self.decoder(joined, state)
                of_string.append(output)
            outputs.append(torch.cat(of_string, 1))
            states.append(state)
        return torch.cat(outputs, 0), torch.cat(states, 1)

    def get_next_token(self, encoder_out, token, hidden_state):
        outputs, state = self.decoding(encoder_out, token, hidden_state)
        return torch.stack([self.linear(output[-1]).topk(1).indices[0] for output in outputs]), state


class Matrix(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(size, size) / math.sqrt(size))


class HandMadeGRU(nn.Module):
    """A GRU's equations written out, under PyTorch's parameter names."""

    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(3 * hidden_dim, input_dim) * 0.1)
        self.weight_hh_l0 = nn.Parameter(torch.randn(3 * hidden_dim, hidden_dim) * 0.1)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(3 * hidden_dim))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(3 * hidden_dim))

    def step(self, x, h):
        a, b, c = F.linear(x, self.weight_ih_l0, self.bias_ih_l0).chunk(3, dim=-1)
        d, e, f = F.linear(h, self.weight_hh_l0, self.bias_hh_l0).chunk(3, dim=-1)
        z = torch.sigmoid(b + e)
        return (1 - z) * torch.tanh(c + torch.sigmoid(a + d) * f) + z * h


@right_everywhere
class WithoutLayers(nn.Module):
    """The same parameters, in modules of one's own; `decoding` doesn't call `get_context_vector`."""

    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.linear = nn.Linear(hidden_dim, vocab_size)
        self.decoder = HandMadeGRU(embed_dim + hidden_dim, hidden_dim)
        self.attention_W = Matrix(hidden_dim)
        self.encoder = HandMadeGRU(embed_dim, hidden_dim)
        self.embedding = nn.Embedding(vocab_size, embed_dim)

    def forward(self, encoder_x, decoder_x):
        h = torch.zeros(len(encoder_x), self.hidden_dim)
        read = []
        for x in self.embedding(encoder_x).unbind(1):
            h = self.encoder.step(x, h)
            read.append(h)
        return self.linear(self.decoding(torch.stack(read, 1), decoder_x, h.unsqueeze(0))[0])

    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        query = hidden_state.transpose(0, 1) @ self.attention_W.weight  # hᵀW
        scores = (encoder_out * query).sum(2, keepdim=True)
        if valid_lens is not None:
            padding = torch.arange(encoder_out.shape[1]).view(1, -1, 1) >= valid_lens.view(-1, 1, 1)
            scores = scores + torch.zeros(scores.shape).masked_fill(padding, -torch.inf)
        exps = (scores - scores.amax(1, keepdim=True)).exp()
        weights = exps / exps.sum(1, keepdim=True)
        return weights.mT.bmm(encoder_out), weights

    def decoding(self, encoder_out, decoder_x, hidden_state):
        h, outputs = hidden_state[0], []
        for x in self.embedding(decoder_x).unbind(1):
            weights = (encoder_out @ (h @ self.attention_W.weight).unsqueeze(2)).softmax(1)
            h = self.decoder.step(torch.hstack([x, (weights * encoder_out).sum(1)]), h)
            outputs.append(h)
        return torch.stack(outputs, dim=1), h[None]

    def get_next_token(self, encoder_out, token, hidden_state):
        outputs, state = self.decoding(encoder_out, token, hidden_state)
        return self.linear(outputs).argmax(-1).flatten(), state


@right_everywhere
class AListForAPair(StepByStep):
    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        lens = torch.full((len(encoder_out),), encoder_out.shape[1]) if valid_lens is None else valid_lens
        scores = self.attention_W(encoder_out).matmul(hidden_state.squeeze(0).unsqueeze(-1))
        scores = scores - 1e30 * self.padding(encoder_out, lens).to(scores.dtype)
        weights = nn.Softmax(dim=-2)(scores)
        return [torch.bmm(weights.transpose(1, 2), encoder_out), weights]

    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs = torch.empty(*decoder_x.shape, hidden_state.shape[-1]).unbind(1)
        outputs = list(outputs)
        for i, x in enumerate(self.embedding(decoder_x).split(1, 1)):
            context = self.get_context_vector(encoder_out, hidden_state)[0]
            outputs[i], hidden_state = self.decoder(torch.cat([x, context], 2), hidden_state)
        return [torch.cat(outputs, 1), hidden_state]

    def get_next_token(self, encoder_out, token, hidden_state):
        outputs, state = self.decoding(encoder_out, token, hidden_state)
        return [self.linear(outputs)[:, 0].sort(dim=-1, descending=True).indices[:, 0], state]
