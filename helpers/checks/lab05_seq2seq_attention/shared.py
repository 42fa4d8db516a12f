"""What lab 5's exercises share: an oracle, cases, and `Seq2SeqAttention` in parts, so that each mistake changes one."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from helpers.checks import mistakes
from helpers.checks.engine import Case, Draw, Misconception
from helpers.checks.judging import clones, tensors
from helpers.checks.masking import softmax
from helpers.checks.modules import Built, parameters

SIZES = {"vocab_size": 7, "embed_dim": 3, "hidden_dim": 4}
SQUARE = {"vocab_size": 7, "embed_dim": 4, "hidden_dim": 4}  # what takes embeddings for states is seen in the other


def attend(matrix: Tensor, query: Tensor, sources: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """One query's context and weights, with the bilinear score query · (matrix source)."""
    scores = torch.stack([query @ (matrix.double() @ source) for source in sources[:length].double()])
    exps = (scores - scores.detach().max()).exp()
    weights = exps / exps.sum()
    context = sum(weight * source.double() for weight, source in zip(weights, sources[:length], strict=True))
    return context, torch.cat([weights, torch.zeros(len(sources) - length, dtype=torch.float64)])


def _gru_step(layer: nn.GRU, x: Tensor, state: Tensor) -> Tensor:
    """One step of one sequence, by the equations in PyTorch's documentation of nn.GRU."""
    of_x = layer.weight_ih_l0.double() @ x + layer.bias_ih_l0.double()
    of_state = layer.weight_hh_l0.double() @ state + layer.bias_hh_l0.double()
    (x_reset, x_update, x_new), (h_reset, h_update, h_new) = of_x.chunk(3), of_state.chunk(3)
    reset, update = (x_reset + h_reset).sigmoid(), (x_update + h_update).sigmoid()
    return (1 - update) * (x_new + reset * h_new).tanh() + update * state


def run_gru(layer: nn.GRU, inputs: list[Tensor], state: Tensor) -> Tensor:
    states = []
    for x in inputs:
        state = _gru_step(layer, x, state)
        states.append(state)
    return torch.stack(states)  # (length, H)


def lengths_of(valid_lens: Tensor | None, encoder_out: Tensor) -> list[int]:
    batch, source, _ = encoder_out.shape
    return [source] * batch if valid_lens is None else valid_lens.tolist()


class Layers(nn.Module):
    """The layers of `Seq2SeqAttention`."""

    def __init__(self, vocab_size: int, embed_dim: int, hidden_dim: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.encoder = nn.GRU(embed_dim, hidden_dim, batch_first=True)
        self.attention_W = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.decoder = nn.GRU(embed_dim + hidden_dim, hidden_dim, batch_first=True)
        self.linear = nn.Linear(hidden_dim, vocab_size)


class Slow(Layers):
    """The oracle of `Seq2SeqAttention`."""

    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        rows = [
            attend(self.attention_W.weight, hidden_state[0, b].double(), encoder_out[b], length)
            for b, length in enumerate(lengths_of(valid_lens, encoder_out))
        ]
        contexts, weights = zip(*rows, strict=True)
        return torch.stack(contexts).unsqueeze(1).float(), torch.stack(weights).unsqueeze(2).float()

    def decoding(self, encoder_out, decoder_x, hidden_state):
        rows = []
        for b, tokens in enumerate(decoder_x.tolist()):
            state, states = hidden_state[0, b].double(), []
            for token in tokens:
                context, _ = attend(self.attention_W.weight, state, encoder_out[b], encoder_out.shape[1])
                state = _gru_step(self.decoder, torch.cat([self.embedding.weight[token].double(), context]), state)
                states.append(state)
            rows.append(torch.stack(states))
        outputs = torch.stack(rows).float()
        return outputs, outputs[:, -1].unsqueeze(0)

    def logits(self, outputs):
        return (outputs.double() @ self.linear.weight.double().T + self.linear.bias.double()).float()

    def get_next_token(self, encoder_out, token, hidden_state):
        outputs, state = self.decoding(encoder_out, token, hidden_state)
        return self.logits(outputs[:, -1]).argmax(-1), state

    def forward(self, encoder_x, decoder_x):
        start = torch.zeros(self.encoder.hidden_size, dtype=torch.float64)
        rows = [run_gru(self.encoder, list(self.embedding.weight[tokens].double()), start) for tokens in encoder_x]
        encoder_out = torch.stack(rows)
        return self.logits(self.decoding(encoder_out, decoder_x, encoder_out[:, -1].unsqueeze(0))[0])


class LuongLayers(nn.Module):
    """The layers of `LuongDecoder`."""

    def __init__(self, vocab_size: int, embed_dim: int, hidden_dim: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.rnn = nn.GRU(embed_dim, hidden_dim, batch_first=True)
        self.W_a = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.W_c = nn.Linear(2 * hidden_dim, hidden_dim, bias=False)


def built_with_weights(
    draw: Draw, layers: type[nn.Module], sizes: dict[str, int], *only: str, training: bool = False
) -> Built:
    """A module with weights of the check's own: all of them, or those of some layers only."""
    shapes_of = {name: parameter.shape for name, parameter in layers(*sizes.values()).named_parameters()}
    given = {name: shape for name, shape in shapes_of.items() if not only or name.split(".")[0] in only}
    return Built(sizes, {name: draw.normal(*shape, scale=0.7) for name, shape in given.items()}, training)


def sources(draw: Draw, batch: int, source: int, hidden: int = 4) -> tuple[Tensor, Tensor]:
    """Encoder outputs, and a state of the decoder."""
    return draw.normal(batch, source, hidden, scale=1.0), draw.normal(1, batch, hidden, scale=1.0)


def wanted(observe: Callable, args: Callable[[Draw], Iterator[tuple]], oracle: Callable[..., nn.Module]) -> Callable:
    """The cases of a property: the arguments, and what is observed of the oracle when it is called with them."""
    return lambda draw: [Case(drawn, observe(reused(oracle), clones(drawn))) for drawn in args(draw)]


# For so many sources of so many steps. The first is never the longest, and some have no padding.
LENGTHS = {(1, 3): [2], (2, 3): [2, 3], (4, 4): [3, 4, 1, 2], (3, 5): [3, 4, 2], (2, 67): [13, 66]}


# Sizes that no code would have been written for.
LARGE = {"vocab_size": 71, "embed_dim": 5, "hidden_dim": 67}


def layers_named(*layers: str) -> Callable[[Callable, tuple], dict]:
    """Observe the parameters of some of a module's layers; of all of them if one of these isn't there."""

    def observe(answer: Callable, args: tuple) -> dict:
        every = parameters(answer, args)
        named = {name: shape for name, shape in every.items() if name.split(".")[0] in layers}
        return named if {name.split(".")[0] for name in named} == set(layers) else every

    return observe


def on_second_call(observe: Callable, method: str = "forward") -> Callable[[Callable, tuple], Any]:
    """Observe the second of two calls of a module's method; the first is with other numbers."""

    def observe_second(answer: Callable, args: tuple) -> Any:
        module = args[0].build(answer)
        call = module if method == "forward" else getattr(module, method)
        call(*(arg.flip(0) - 0.5 if arg.is_floating_point() else arg.flip(0) for arg in args[1:]))
        return observe(call, args[1:])

    return observe_second


@functools.cache
def reused(layers: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """A class that builds a module once for each size: that takes longer than to call it, and it gets new weights."""
    return functools.cache(layers)


def picked(index: int) -> Callable[[Any], Tensor]:
    return lambda result: tensors(result)[index]


class Written(Layers):
    """A right `Seq2SeqAttention`, in parts that a mistake can replace."""

    def score(self, encoder_out, hidden_state):
        return torch.bmm(self.attention_W(encoder_out), hidden_state.permute(1, 2, 0))  # (B, L, 1)

    def weigh(self, scores, valid_lens):
        return softmax(scores, valid_lens, axis=1)

    def pool(self, weights, encoder_out):
        return (weights * encoder_out).sum(1, keepdim=True)  # (B, 1, H)

    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        weights = self.weigh(self.score(encoder_out, hidden_state), valid_lens)
        return self.pool(weights, encoder_out), weights

    def join(self, embedded, context):
        return torch.cat([embedded, context], dim=-1)  # (B, 1, E + H)

    def step(self, encoder_out, token, hidden_state):
        context = self.get_context_vector(encoder_out, hidden_state)[0]
        return self.decoder(self.join(self.embedding(token), context), hidden_state)

    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs = []
        for token in decoder_x.split(1, dim=1):
            output, hidden_state = self.step(encoder_out, token, hidden_state)
            outputs.append(output)
        return torch.cat(outputs, dim=1), hidden_state

    def choose(self, outputs):
        return self.linear(outputs[:, -1]).argmax(-1)

    def get_next_token(self, encoder_out, token, hidden_state):
        outputs, hidden_state = self.step(encoder_out, token, hidden_state)
        return self.choose(outputs), hidden_state

    def forward(self, encoder_x, decoder_x):
        encoder_out, hidden_state = self.encoder(self.embedding(encoder_x))
        outputs, _ = self.decoding(encoder_out, decoder_x, hidden_state)  # as in the lab: it fails where the lab's does
        return self.linear(outputs)


def model_with(**parts: Callable) -> Callable[..., nn.Module]:
    """`Seq2SeqAttention` with some of its parts replaced."""
    return reused(type("Seq2SeqAttention", (Written,), parts))


def model_with_result(method: str, change: Callable) -> Callable[..., nn.Module]:
    """`Seq2SeqAttention` with one method's result changed."""
    return model_with(**{method: lambda self, *args: change(*getattr(Written, method)(self, *args))})


def model_with_arguments(method: str, change: Callable) -> Callable[..., nn.Module]:
    """`Seq2SeqAttention` with one method's arguments changed."""
    return model_with(**{method: lambda self, *args: getattr(Written, method)(self, *change(*args))})


def model_overwriting(method: str, position: int) -> Callable[..., nn.Module]:
    """Right, but that it writes into one of the arguments."""

    def overwrite(self, *args):
        result = getattr(Written, method)(self, *args)
        if len(args) > position and args[position] is not None:
            with torch.no_grad():
                args[position].mul_(0)
        return result

    return model_with(**{method: overwrite})


def model_with_layer(**layers: Callable[[int, int, int], nn.Module]) -> Callable[..., Callable[..., nn.Module]]:
    """`Seq2SeqAttention` with some layers built otherwise, and with parts that use them."""

    def init(self, *sizes):
        Written.__init__(self, *sizes)
        for name, make in layers.items():
            setattr(self, name, make(*sizes))

    return lambda **parts: model_with(__init__=init, **parts)


WRONG_CONTEXT = mistakes.WRONG_CONTEXT.row(
    model_with(weigh=lambda self, scores, lens: scores.softmax(0)),
    model_with(weigh=lambda self, scores, lens: scores.softmax(2)),
    model_with(weigh=lambda self, scores, lens: scores),
    model_with(score=lambda self, encoder_out, state: encoder_out @ self.attention_W(state).permute(1, 2, 0)),
    model_with(score=lambda self, encoder_out, state: encoder_out @ state.permute(1, 2, 0)),
    model_with(pool=lambda self, weights, encoder_out: (weights * encoder_out).mean(1, keepdim=True)),
    model_with(pool=lambda self, weights, encoder_out: weights.mT @ self.attention_W(encoder_out)),
    model_with(pool=lambda self, weights, encoder_out: encoder_out.mean(1, keepdim=True)),
)


def answers_from_memory(wrong: Callable[..., nn.Module]) -> Misconception:
    """The row for a model that keeps something from one call to the next."""
    return mistakes.ANSWERS_FROM_MEMORY.explained(
        "The first call is right; the second is answered with what the first one left behind in the model. Each call "
        "comes with a source of its own: what is computed from it belongs in ordinary variables, not in `self`.",
        wrong,
    )


def model_remembering(layers: type[nn.Module], method: str) -> Callable[..., nn.Module]:
    """Right, but that the first source of its size is kept for all that follow."""

    def remember(self, encoder_out, *others):
        kept = self.__dict__.setdefault("kept", encoder_out)
        source = kept if kept.shape == encoder_out.shape else encoder_out
        return getattr(layers, method)(self, source, *others)

    return type(layers.__name__, (layers,), {method: remember})


def loud_padding(of_plain: Callable[[Draw], Iterator[tuple]]) -> Callable[[Draw], Iterator[tuple]]:
    """The same, with huge numbers of both signs in the padding: some padding then scores far higher than the rest."""

    def args(draw: Draw) -> Iterator[tuple]:
        for built, encoder_out, *others, lens in of_plain(draw):
            for loudness in (300.0, -300.0):
                padding = (torch.arange(encoder_out.shape[1]) >= lens.unsqueeze(1)).unsqueeze(2)
                yield (built, encoder_out.masked_fill(padding, loudness), *others, lens)

    return args


def joined_input(self, encoder_out, token, query):
    return self.join(self.embedding(token), self.get_context_vector(encoder_out, query)[0])
