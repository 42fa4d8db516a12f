"""Lab 5's exercises: what a right answer does, and the mistakes that people make.

Three exercises are methods of one class. What each check looks at is one method's doing, with the weights that the
check gives; but a method that calls another is only as right as that one, and the tables have a row that says so.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property
from helpers.checks.judging import (
    GRADIENT,
    NOTHING_RETURNED,
    changed_arguments,
    clones,
    equals,
    gradient_of,
    have_shapes,
    leaves_arguments_alone,
    output,
    part,
    right_gradient,
    shapes,
    tensors,
)
from helpers.checks.modules import (
    Built,
    has_parameters,
    parameter_gradients,
    parameters,
    right_parameter_gradients,
    through,
)

_SIZES = {"vocab_size": 7, "embed_dim": 3, "hidden_dim": 4}
_SQUARE = {"vocab_size": 7, "embed_dim": 4, "hidden_dim": 4}  # what takes embeddings for states is seen in the other

# --- The oracle: loops over the definitions, in float64 --------------------------------------------------------------


def _attend(matrix: Tensor, query: Tensor, sources: Tensor, length: int) -> tuple[Tensor, Tensor]:
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


def _run(layer: nn.GRU, inputs: list[Tensor], state: Tensor) -> Tensor:
    states = []
    for x in inputs:
        state = _gru_step(layer, x, state)
        states.append(state)
    return torch.stack(states)  # (length, H)


def _lengths(valid_lens: Tensor | None, encoder_out: Tensor) -> list[int]:
    batch, source, _ = encoder_out.shape
    return [source] * batch if valid_lens is None else valid_lens.tolist()


class _Layers(nn.Module):
    """The layers of `Seq2SeqAttention`."""

    def __init__(self, vocab_size: int, embed_dim: int, hidden_dim: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.encoder = nn.GRU(embed_dim, hidden_dim, batch_first=True)
        self.attention_W = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.decoder = nn.GRU(embed_dim + hidden_dim, hidden_dim, batch_first=True)
        self.linear = nn.Linear(hidden_dim, vocab_size)


class _Slow(_Layers):
    """The oracle of `Seq2SeqAttention`."""

    def get_context_vector(self, encoder_out, hidden_state, valid_lens=None):
        rows = [
            _attend(self.attention_W.weight, hidden_state[0, b].double(), encoder_out[b], length)
            for b, length in enumerate(_lengths(valid_lens, encoder_out))
        ]
        contexts, weights = zip(*rows, strict=True)
        return torch.stack(contexts).unsqueeze(1).float(), torch.stack(weights).unsqueeze(2).float()

    def decoding(self, encoder_out, decoder_x, hidden_state):
        rows = []
        for b, tokens in enumerate(decoder_x.tolist()):
            state, states = hidden_state[0, b].double(), []
            for token in tokens:
                context, _ = _attend(self.attention_W.weight, state, encoder_out[b], encoder_out.shape[1])
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
        rows = [_run(self.encoder, list(self.embedding.weight[tokens].double()), start) for tokens in encoder_x]
        encoder_out = torch.stack(rows)
        return self.logits(self.decoding(encoder_out, decoder_x, encoder_out[:, -1].unsqueeze(0))[0])


class _LuongLayers(nn.Module):
    """The layers of `LuongDecoder`."""

    def __init__(self, vocab_size: int, embed_dim: int, hidden_dim: int):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.rnn = nn.GRU(embed_dim, hidden_dim, batch_first=True)
        self.W_a = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.W_c = nn.Linear(2 * hidden_dim, hidden_dim, bias=False)


class _SlowLuong(_LuongLayers):
    """The oracle of `LuongDecoder`."""

    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        attentional, all_weights = [], []
        for b, length in enumerate(_lengths(valid_lens, encoder_out)):
            embedded = list(self.embedding.weight[decoder_x[b]].double())
            for query in _run(self.rnn, embedded, hidden_state[0, b].double()):
                context, weights = _attend(self.W_a.weight, query, encoder_out[b], length)
                attentional.append((self.W_c.weight.double() @ torch.cat([context, query])).tanh())
                all_weights.append(weights)
        shape = (*decoder_x.shape, -1)
        return torch.stack(attentional).reshape(shape).float(), torch.stack(all_weights).reshape(shape).float()


# --- Cases and observers that the exercises share --------------------------------------------------------------------


def _built(draw: Draw, layers: type[nn.Module], sizes: dict[str, int], *only: str, training: bool = False) -> Built:
    """A module with weights of the check's own: all of them, or those of some layers only."""
    shapes_of = {name: each.shape for name, each in layers(*sizes.values()).named_parameters()}
    given = {name: shape for name, shape in shapes_of.items() if not only or name.split(".")[0] in only}
    return Built(sizes, {name: draw.normal(*shape, scale=0.7) for name, shape in given.items()}, training)


def _sources(draw: Draw, batch: int, source: int, hidden: int = 4) -> tuple[Tensor, Tensor]:
    """Encoder outputs, and a state of the decoder."""
    return draw.normal(batch, source, hidden, scale=1.0), draw.normal(1, batch, hidden, scale=1.0)


def _wanted(observe: Callable, args: Callable[[Draw], Iterator[tuple]], oracle: type[nn.Module]) -> Callable:
    """The cases of a property: the arguments, and what is observed of the oracle when it is called with them."""
    return lambda draw: [Case(each, observe(_reused(oracle), clones(each))) for each in args(draw)]


# For so many sources of so many steps. The first is never the longest, and some have no padding.
_LENGTHS = {(1, 3): [2], (2, 3): [2, 3], (4, 4): [3, 4, 1, 2], (3, 5): [3, 4, 2]}


def _layers_named(*layers: str) -> Callable[[Callable, tuple], dict]:
    """Observe the parameters of some of a module's layers; of all of them if one of these isn't there."""

    def observe(answer: Callable, args: tuple) -> dict:
        every = parameters(answer, args)
        named = {name: shape for name, shape in every.items() if name.split(".")[0] in layers}
        return named if {name.split(".")[0] for name in named} == set(layers) else every

    return observe


def _again(observe: Callable, method: str = "forward") -> Callable[[Callable, tuple], Any]:
    """Observe the second of two calls of a module's method; the first is with other numbers."""

    def observe_second(answer: Callable, args: tuple) -> Any:
        module = args[0].build(answer)
        call = module if method == "forward" else getattr(module, method)
        call(*(each.flip(0) - 0.5 if each.is_floating_point() else each.flip(0) for each in args[1:]))
        return observe(call, args[1:])

    return observe_second


# Building a module takes longer than calling it. The check's own are built once for each size, and given new weights.
_reused = functools.cache(functools.cache)


def _picked(index: int) -> Callable[[Any], Tensor]:
    return lambda result: tensors(result)[index]


def _padded(scores: Tensor, valid_lens: Tensor | None, axis: int) -> Tensor:
    """True where a key is padding; the keys lie along `axis` of the scores (batch, …)."""
    keys = torch.arange(scores.shape[axis]).reshape(1, -1, 1) if axis == 1 else torch.arange(scores.shape[axis])
    return keys >= (torch.tensor(scores.shape[axis]) if valid_lens is None else valid_lens.reshape(-1, 1, 1))


def _softmax(scores: Tensor, valid_lens: Tensor | None, axis: int) -> Tensor:
    return scores.masked_fill(_padded(scores, valid_lens, axis), -torch.inf).softmax(axis)


def _mask_mistakes(weighing: Callable[[Callable], type[nn.Module]], axis: int) -> tuple[Misconception, ...]:
    """What goes wrong with `valid_lens`; `weighing` makes a module of a function of scores and lengths."""

    def lengths(change: Callable[[Tensor], Tensor]) -> type[nn.Module]:
        return weighing(lambda scores, lens: _softmax(scores, None if lens is None else change(lens), axis))

    def inverted(fill: float) -> type[nn.Module]:
        def weigh(scores, lens):
            return (
                scores.masked_fill(~_padded(scores, lens, axis), fill).softmax(axis)
                if lens is not None
                else (scores.softmax(axis))
            )

        return weighing(weigh)

    def zeroed(scores: Tensor, lens: Tensor | None) -> Tensor:
        return scores.softmax(axis).masked_fill(_padded(scores, lens, axis), 0.0)

    return (
        Misconception(
            "attends-to-padding",
            "the padding is attended to",
            "Your weights are the same with `valid_lens` and without. The steps beyond a source's length are padding, and "
            "whatever stands there leaks into the context.",
            (weighing(lambda scores, lens: scores.softmax(axis)),),
        ),
        Misconception(
            "mask-after-softmax",
            "the padding is masked after the softmax",
            "By then the padding has taken its share, and the real steps share what is left: less than 1. (Dividing by the sum "
            "afterwards fails where the padding's scores are so high that nothing is left.) Lab 1 has the way round.",
            (weighing(zeroed), weighing(lambda s, lens: zeroed(s, lens) / zeroed(s, lens).sum(axis, keepdim=True))),
        ),
        Misconception(
            "masks-with-zero",
            "the padding's scores are set to 0",
            "exp(0) is 1: a score of 0 is an ordinary score. Which score has the exponential 0?",
            (weighing(lambda scores, lens: scores.masked_fill(_padded(scores, lens, axis), 0.0).softmax(axis)),),
        ),
        Misconception(
            "inverted-mask",
            "the mask is the wrong way round",
            "With `valid_lens` you attend to the padding, and leave the real steps out.",
            (inverted(-torch.inf), inverted(-1e9)),
        ),
        Misconception(
            "off-by-one",
            "each length is off by one",
            "A length of 2 means the steps 0 and 1. Count the steps that your mask keeps.",
            (lengths(lambda lens: lens + 1), lengths(lambda lens: lens - 1)),
        ),
        Misconception(
            "one-length-for-all",
            "every source is given the same length",
            "A batch of one works, but in a larger one each source has a length of its own.",
            (lengths(lambda lens: lens[:1].expand_as(lens)), lengths(lambda lens: lens.max().expand_as(lens))),
        ),
    )


def _not_a_pair(what: str, *wrong: Callable) -> Misconception:
    return Misconception("not-a-pair", "what comes back isn't a pair", f"Return two tensors: `{what}`.", wrong)


# --- `Seq2SeqAttention` in small parts, so that each mistake is a change of one ----------------------------------------


class _Written(_Layers):
    """A right `Seq2SeqAttention`, in parts that a mistake can replace."""

    def score(self, encoder_out, hidden_state):
        return torch.bmm(self.attention_W(encoder_out), hidden_state.permute(1, 2, 0))  # (B, L, 1)

    def weigh(self, scores, valid_lens):
        return _softmax(scores, valid_lens, axis=1)

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
            each, hidden_state = self.step(encoder_out, token, hidden_state)
            outputs.append(each)
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


def _but(**parts: Callable) -> type[nn.Module]:
    """`Seq2SeqAttention` with some of its parts replaced."""
    return _reused(type("Seq2SeqAttention", (_Written,), parts))


def _after(method: str, change: Callable) -> type[nn.Module]:
    """`Seq2SeqAttention` with one method's result changed."""
    return _but(**{method: lambda self, *args: change(*getattr(_Written, method)(self, *args))})


def _before(method: str, change: Callable) -> type[nn.Module]:
    """`Seq2SeqAttention` with one method's arguments changed."""
    return _but(**{method: lambda self, *args: getattr(_Written, method)(self, *change(*args))})


def _overwriting(method: str, position: int) -> type[nn.Module]:
    """Right, but that it writes into one of the arguments."""

    def overwrite(self, *args):
        result = getattr(_Written, method)(self, *args)
        if len(args) > position and args[position] is not None:
            with torch.no_grad():
                args[position].mul_(0)
        return result

    return _but(**{method: overwrite})


def _other_layer(**layers: Callable[[int, int, int], nn.Module]) -> Callable[..., type[nn.Module]]:
    """`Seq2SeqAttention` with some layers built otherwise, and with parts that use them."""

    def init(self, *sizes):
        _Written.__init__(self, *sizes)
        for name, make in layers.items():
            setattr(self, name, make(*sizes))

    return lambda **parts: _but(__init__=init, **parts)


_WRITES = Misconception(
    "writes-into-arguments",
    "one of the caller's tensors is overwritten",
    "The result is right, but a tensor that was passed in is no longer what it was. Operators such as `+=` write in place.",
    (),
)
_WRONG_CONTEXT = Misconception(
    "wrong-context",
    "`get_context_vector` is wrong, and this method uses it",
    "This method may well be right: what it gives is what comes of a wrong context. Mend exercise 1 first, and then run this "
    "cell again.",
    (
        _but(weigh=lambda self, scores, lens: scores.softmax(0)),
        _but(weigh=lambda self, scores, lens: scores.softmax(2)),
        _but(weigh=lambda self, scores, lens: scores),
        _but(score=lambda self, encoder_out, state: encoder_out @ self.attention_W(state).permute(1, 2, 0)),
        _but(score=lambda self, encoder_out, state: encoder_out @ state.permute(1, 2, 0)),
        _but(pool=lambda self, weights, encoder_out: (weights * encoder_out).mean(1, keepdim=True)),
        _but(pool=lambda self, weights, encoder_out: weights.mT @ self.attention_W(encoder_out)),
        _but(pool=lambda self, weights, encoder_out: encoder_out.mean(1, keepdim=True)),
    ),
)


_REMEMBERS = Misconception(
    "remembers",
    "something is kept from one call to the next",
    "The first call is right; the second is answered with what the first one left behind in the model. Each call comes with a "
    "source of its own: what is computed from it belongs in ordinary variables, not in `self`.",
    (),
)


def _remembering(layers: type[nn.Module], method: str) -> type[nn.Module]:
    """Right, but that the first source of its size is kept for all that follow."""

    def remember(self, encoder_out, *others):
        kept = self.__dict__.setdefault("kept", encoder_out)
        source = kept if kept.shape == encoder_out.shape else encoder_out
        return getattr(layers, method)(self, source, *others)

    return type(layers.__name__, (layers,), {method: remember})


def _row(like: Misconception, *wrong: Callable) -> Misconception:
    return Misconception(like.id, like.title, like.explanation, wrong)


# --- 1. get_context_vector -------------------------------------------------------------------------------------------


def _context_args(*batch_and_source: tuple[int, int], padded: bool = False) -> Callable[[Draw], Iterator[tuple]]:
    def args(draw: Draw) -> Iterator[tuple]:
        for batch, source in batch_and_source:
            built = _built(draw, _Layers, _SIZES, "attention_W", training=source > 4)
            lens = (torch.tensor(_LENGTHS[batch, source]),) if padded else ()
            yield (built, *_sources(draw, batch, source), *lens)

    return args


_PLAIN = _context_args((1, 2), (2, 3), (4, 4), (3, 5))  # (4, 4): as many sources as steps as hidden units
_PADDED = _context_args((1, 3), (2, 3), (4, 4), (3, 5), padded=True)


def _large_scores(draw: Draw) -> Iterator[tuple]:
    for built, encoder_out, *others in _context_args((1, 3), (2, 3))(draw):
        yield built, 100 * encoder_out, *others


def _loud_padding(of_plain: Callable[[Draw], Iterator[tuple]]) -> Callable[[Draw], Iterator[tuple]]:
    """The same, with huge numbers of both signs in the padding: some padding then has a far higher score than the rest."""

    def args(draw: Draw) -> Iterator[tuple]:
        for built, encoder_out, *others, lens in of_plain(draw):
            for loudness in (300.0, -300.0):
                padding = (torch.arange(encoder_out.shape[1]) >= lens.unsqueeze(1)).unsqueeze(2)
                yield (built, encoder_out.masked_fill(padding, loudness), *others, lens)

    return args


def _by_hand(exps: Tensor) -> Tensor:
    return exps / exps.sum(1, keepdim=True)


def _at(index: int) -> Callable[[Callable, tuple], Tensor]:
    return through(part(index), "get_context_vector")


def _context_gradient(position: int, index: int) -> Callable[[Callable, tuple], Tensor | None]:
    return through(gradient_of(position, index), "get_context_vector")


_CONTEXT_NAMES = ("encoder_out", "hidden_state", "valid_lens")


def _context_arguments(draw: Draw) -> Iterator[Case]:
    for args in (*_context_args((2, 3))(draw), *_context_args((3, 5), padded=True)(draw)):
        yield Case(args, _CONTEXT_NAMES)


def _context(observe: Callable, args: Callable = _PLAIN) -> Callable[[Draw], list[Case]]:
    return _wanted(observe, args, _Slow)


GET_CONTEXT_VECTOR = Exercise(
    name="get_context_vector",
    owner="Seq2SeqAttention",
    arguments=("model", *_CONTEXT_NAMES),
    properties=(
        Property(
            "the score's one parameter is `attention_W.weight`, (hidden, hidden)",
            lambda draw: [Case((Built(_SIZES),), {"attention_W.weight": (4, 4)})],
            _layers_named("attention_W"),
            has_parameters,
        ),
        Property(
            "gives a pair: the context (batch, 1, hidden), then the weights (batch, source, 1)",
            _context(through(shapes(), "get_context_vector")),
            through(shapes(), "get_context_vector"),
            have_shapes,
        ),
        Property("the weights are the softmax of the scores over the source steps", _context(_at(1)), _at(1), equals),
        Property("the context is the sum of the encoder's outputs, weighted", _context(_at(0)), _at(0), equals),
        Property("large scores don't overflow", _context(_at(1), _large_scores), _at(1), equals, suggests="overflow"),
        Property(
            "padding has no weight, and the real steps share all of it", _context(_at(1), _PADDED), _at(1), equals
        ),
        Property("the context is made with the masked weights", _context(_at(0), _PADDED), _at(0), equals),
        Property(
            "whatever lies in the padding makes no difference",
            _context(_at(0), _loud_padding(_context_args((1, 3), (3, 5), padded=True))),
            _at(0),
            equals,
        ),
        Property(
            "leaves its arguments as they were",
            _context_arguments,
            through(changed_arguments, "get_context_vector"),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "the context's gradient with respect to the encoder's outputs is right",
            _context(_context_gradient(0, 0), _context_args((1, 3), (3, 5), padded=True)),
            _context_gradient(0, 0),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "the context's gradient with respect to the state is right",
            _context(_context_gradient(1, 0), _context_args((1, 2), (3, 5))),
            _context_gradient(1, 0),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "the weights can be differentiated too",
            _context(_context_gradient(0, 1), _context_args((1, 2), (3, 5))),
            _context_gradient(0, 1),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "the context's gradient reaches `attention_W`",
            _context(parameter_gradients(_picked(0), "get_context_vector"), _context_args((1, 2), (3, 5))),
            parameter_gradients(_picked(0), "get_context_vector"),
            right_parameter_gradients,
            suggests="detached-gradient",
        ),
        Property(
            "a second call knows nothing of the first",
            _context(_again(part(0), "get_context_vector"), _context_args((2, 3))),
            _again(part(0), "get_context_vector"),
            equals,
            suggests="remembers",
        ),
    ),
    misconceptions=(
        Misconception(
            "softmax-over-batch",
            "the softmax runs over the batch",
            "With a batch of one all your weights are 1; in a larger one the strings share the weight among them, though they "
            "have nothing to do with one another. Each string spreads a weight of 1 over its *source steps*: which axis of "
            "(batch, source, 1) is that?",
            (
                _but(weigh=lambda self, scores, lens: scores.softmax(0)),
                _but(weigh=lambda self, scores, lens: _softmax(scores, lens, 1) * 0 + _softmax(scores, None, 0)),
                _but(weigh=lambda self, s, lens: s.masked_fill(_padded(s, lens, 1), -torch.inf).softmax(0)),
                _but(weigh=lambda self, s, lens: s.masked_fill(_padded(s, lens, 1), -1e9).softmax(0)),
            ),
        ),
        Misconception(
            "softmax-over-singleton",
            "the softmax runs over the axis of size 1, so every weight is 1",
            "The scores are (batch, source, 1). Along the last axis there is one number only, and the softmax of one number is "
            "1, whatever it is. Over which axis do the weights have to sum to 1?",
            (
                _but(weigh=lambda self, scores, lens: scores.softmax(2)),
                _but(weigh=lambda self, s, lens: s.masked_fill(_padded(s, lens, 1), -torch.inf).softmax(2)),
                _but(weigh=lambda self, s, lens: s.masked_fill(_padded(s, lens, 1), -1e9).softmax(2)),
                _but(weigh=lambda self, s, lens: s.softmax(2).masked_fill(_padded(s, lens, 1), 0.0)),
            ),
        ),
        Misconception(
            "no-softmax",
            "there is no softmax",
            "Scores may be negative and sum to anything. The softmax turns them into weights.",
            (
                _but(weigh=lambda self, scores, lens: scores),
                _but(weigh=lambda self, s, lens: s.masked_fill(_padded(s, lens, 1), 0.0)),
                _but(weigh=lambda self, s, lens: s.masked_fill(_padded(s, lens, 1), -torch.inf)),
            ),
        ),
        Misconception(
            "overflow",
            "the softmax overflows where scores are large",
            "In float32 exp(89) is infinite, and infinity divided by infinity isn't a number. PyTorch's softmax takes care of "
            "that: it subtracts the largest score first, which changes nothing else.",
            (
                _but(weigh=lambda self, s, lens: _by_hand(s.exp() * ~_padded(s, lens, 1))),
                _but(weigh=lambda self, s, lens: _by_hand(s.masked_fill(_padded(s, lens, 1), -torch.inf).exp())),
            ),
        ),
        Misconception(
            "context-over-wrong-axis",
            "the context is summed over the wrong axis",
            "The context is one vector for each string: the encoder's outputs, weighted, summed over the *source steps*. "
            "Which axis of (batch, source, hidden) disappears in that sum, and becomes 1?",
            (
                _but(pool=lambda self, weights, encoder_out: (weights * encoder_out).sum(2, keepdim=True)),
                _but(pool=lambda self, weights, encoder_out: (weights * encoder_out).sum(2).unsqueeze(1)),
                _but(pool=lambda self, weights, encoder_out: (weights * encoder_out).sum(0, keepdim=True)),
                _but(pool=lambda self, weights, encoder_out: (weights * encoder_out).sum(0).unsqueeze(1)),
                _but(pool=lambda self, weights, encoder_out: weights * encoder_out),
            ),
        ),
        Misconception(
            "mean-for-sum",
            "the weighted outputs are averaged, not summed",
            "The weights sum to 1 already: a weighted *sum* is the average. A mean divides by the number of steps once more.",
            (_but(pool=lambda self, weights, encoder_out: (weights * encoder_out).mean(1, keepdim=True)),),
        ),
        Misconception(
            "W-on-the-state",
            "`attention_W` is applied to the state, or transposed",
            "The score is `attention_W(encoder_out)` times the state. Applying the matrix to the state instead uses its "
            "transpose, which is the same only for a symmetric matrix.",
            (_but(score=lambda self, encoder_out, state: encoder_out @ self.attention_W(state).permute(1, 2, 0)),),
        ),
        Misconception(
            "W-unused",
            "`attention_W` has no part in the score",
            "That is the plain dot product of outputs and state. The bilinear score has a learned matrix between them.",
            (_but(score=lambda self, encoder_out, state: encoder_out @ state.permute(1, 2, 0)),),
        ),
        Misconception(
            "attention-bias",
            "`attention_W` has a bias",
            "The bilinear score is a product of three, and nothing is added. In `nn.Linear` the bias has to be turned off.",
            (_other_layer(attention_W=lambda vocab, embed, hidden: nn.Linear(hidden, hidden))(),),
        ),
        Misconception(
            "scaled",
            "the scores are divided",
            "This model's score is the bilinear one as it is. (The scale is for plain dot products of independent vectors; here "
            "the learned matrix can take its part.)",
            (
                _but(score=lambda self, *args: _Written.score(self, *args) / args[0].shape[2] ** 0.5),
                _but(score=lambda self, *args: _Written.score(self, *args) / args[0].shape[2]),
            ),
        ),
        Misconception(
            "pools-keys-for-values",
            "`attention_W(encoder_out)` is summed, not `encoder_out`",
            "The matrix is there to *compare*. What the decoder gets is made of the encoder's outputs themselves.",
            (_but(pool=lambda self, weights, encoder_out: weights.mT @ self.attention_W(encoder_out)),),
        ),
        Misconception(
            "one-state-for-all",
            "all strings are asked for by the first one's state",
            "A batch of one works, but in a larger one each string has a state of its own.",
            (
                _but(
                    score=lambda self, encoder_out, state: _Written.score(
                        self, encoder_out, state[:, :1].expand_as(state)
                    )
                ),
            ),
        ),
        *_mask_mistakes(lambda weigh: _but(weigh=lambda self, scores, lens: weigh(scores, lens)), axis=1),
        Misconception(
            "unmasked-context",
            "the context isn't made with the weights that come back",
            "One of the two knows of the padding, the other doesn't: a heatmap of these weights would show something else than "
            "what the decoder got.",
            (
                _but(
                    get_context_vector=lambda self, encoder_out, state, lens=None: (
                        _Written.get_context_vector(self, encoder_out, state)[0],
                        _Written.get_context_vector(self, encoder_out, state, lens)[1],
                    )
                ),
                _but(
                    get_context_vector=lambda self, encoder_out, state, lens=None: (
                        _Written.get_context_vector(self, encoder_out, state, lens)[0],
                        _Written.get_context_vector(self, encoder_out, state)[1],
                    )
                ),
            ),
        ),
        Misconception(
            "order-of-the-pair",
            "the weights come first",
            "Both are there, in the other order: `context, weights`.",
            (_after("get_context_vector", lambda context, weights: (weights, context)),),
        ),
        _not_a_pair(
            "context, weights",
            _after("get_context_vector", lambda context, weights: context),
            _after("get_context_vector", lambda context, weights: weights),
        ),
        Misconception(
            "axis-lost",
            "an axis of size 1 is missing, or at another place",
            "The context is (batch, 1, hidden): one step, as the GRU will read it. The weights are (batch, source, 1): a "
            "number for each step. `squeeze` and a sum without `keepdim` drop the 1.",
            (
                _after("get_context_vector", lambda context, weights: (context.squeeze(1), weights)),
                _after("get_context_vector", lambda context, weights: (context, weights.squeeze(2))),
                _after("get_context_vector", lambda context, weights: (context.squeeze(1), weights.squeeze(2))),
                _after("get_context_vector", lambda context, weights: (context, weights.mT)),
                _after("get_context_vector", lambda context, weights: (context.mT, weights)),
                _after("get_context_vector", lambda context, weights: (context.transpose(0, 1), weights)),
            ),
        ),
        Misconception(
            "scores-for-weights",
            "scores come back in the place of the weights",
            "The second of the pair is what the outputs were weighed with: the scores *after* the softmax.",
            (
                _but(
                    get_context_vector=lambda self, encoder_out, state, lens=None: (
                        _Written.get_context_vector(self, encoder_out, state, lens)[0],
                        self.score(encoder_out, state),
                    )
                ),
            ),
        ),
        _row(_WRITES, *(_overwriting("get_context_vector", position) for position in range(3))),
        _row(_REMEMBERS, _remembering(_Written, "get_context_vector")),
        Misconception(
            "detached-gradient",
            "no gradient gets through",
            "The numbers are right, but context or weights aren't connected to the encoder's outputs, to the state, or to "
            "`attention_W`: what isn't connected learns nothing. `.detach()`, `.data` and `torch.no_grad()` cut the connection.",
            (
                _after("get_context_vector", lambda context, weights: (context.detach(), weights.detach())),
                _after("get_context_vector", lambda context, weights: (context, weights.detach())),
                _but(weigh=lambda self, scores, lens: _softmax(scores, lens, 1).detach()),
                _before("get_context_vector", lambda out, state, *lens: (out.detach(), state, *lens)),
                _before("get_context_vector", lambda out, state, *lens: (out, state.detach(), *lens)),
            ),
        ),
        _row(NOTHING_RETURNED, _after("get_context_vector", lambda context, weights: None)),
    ),
)


# --- 2. decoding -----------------------------------------------------------------------------------------------------


def _decoding_args(*all_sizes: tuple[int, int, int], square: bool = False) -> Callable[[Draw], Iterator[tuple]]:
    """Sizes are (batch, source, target)."""

    def args(draw: Draw) -> Iterator[tuple]:
        for batch, source, target in all_sizes:
            sizes = _SQUARE if square else _SIZES
            built = _built(draw, _Layers, sizes, "embedding", "attention_W", "decoder", training=target > 3)
            encoder_out, hidden_state = _sources(draw, batch, source)
            yield built, encoder_out, draw.integers(0, 6, batch, target), hidden_state

    return args


def _forward_args(draw: Draw) -> Iterator[tuple]:
    for batch, source, target in ((1, 2, 2), (3, 4, 2)):
        tokens = draw.integers(0, 6, batch, source), draw.integers(0, 6, batch, target)
        yield _built(draw, _Layers, _SIZES), *tokens


_ONE_STEP = _decoding_args((1, 2, 1), (3, 2, 1))
_STEPS = _decoding_args((1, 2, 2), (2, 3, 3), (4, 4, 4))
_UNEQUAL = _decoding_args((2, 4, 3), (2, 2, 5), (3, 1, 2))
_DECODING_NAMES = ("encoder_out", "decoder_x", "hidden_state")


def _decoding(observe: Callable, args: Callable = _STEPS) -> Callable[[Draw], list[Case]]:
    return _wanted(observe, args, _Slow)


def _of_decoding(index: int) -> Callable[[Callable, tuple], Tensor]:
    return through(part(index), "decoding")


def _decoding_gradient(position: int, index: int) -> Callable[[Callable, tuple], Tensor | None]:
    return through(gradient_of(position, index), "decoding")


def _loop(step: Callable) -> type[nn.Module]:
    """`decoding` with a loop of its own.

    `step(model, encoder_out, token, embedded, state, first)` gives the decoder's input, and the state that it starts
    from; `first` is the state before the first step.
    """

    def decoding(self, encoder_out, decoder_x, hidden_state):
        first, outputs = hidden_state, []
        for token in decoder_x.split(1, dim=1):
            joined, start = step(self, encoder_out, token, hidden_state, first)
            each, hidden_state = self.decoder(joined, start)
            outputs.append(each)
        return torch.cat(outputs, dim=1), hidden_state

    return _but(decoding=decoding)


def _joined(self, encoder_out, token, query):
    return self.join(self.embedding(token), self.get_context_vector(encoder_out, query)[0])


def _context_of_new_state(self, encoder_out, token, state, first):
    new = self.decoder(_joined(self, encoder_out, token, state), state)[1]
    return _joined(self, encoder_out, token, new), state


def _late_context(self, encoder_out, decoder_x, hidden_state):
    """The context is made after a step, for the next; before the first there is none."""
    context, outputs = torch.zeros_like(encoder_out[:, :1]), []
    for token in decoder_x.split(1, dim=1):
        each, hidden_state = self.decoder(self.join(self.embedding(token), context), hidden_state)
        context = self.get_context_vector(encoder_out, hidden_state)[0]
        outputs.append(each)
    return torch.cat(outputs, dim=1), hidden_state


def _lagging_context(self, encoder_out, decoder_x, hidden_state):
    """The context is that of the state before the previous one."""
    query, outputs = hidden_state, []
    for token in decoder_x.split(1, dim=1):
        joined = _joined(self, encoder_out, token, query)
        query = hidden_state
        each, hidden_state = self.decoder(joined, hidden_state)
        outputs.append(each)
    return torch.cat(outputs, dim=1), hidden_state


def _own_predictions(self, encoder_out, decoder_x, hidden_state):
    token, outputs = decoder_x[:, :1], []
    for _ in range(decoder_x.shape[1]):
        each, hidden_state = self.step(encoder_out, token, hidden_state)
        token = self.linear(each).argmax(-1)
        outputs.append(each)
    return torch.cat(outputs, dim=1), hidden_state


def _steps_of_the_source(encoder_out, decoder_x, hidden_state):
    return encoder_out, decoder_x[:, : encoder_out.shape[1]], hidden_state


def _indexed_by_the_source(self, encoder_out, decoder_x, hidden_state):
    outputs = []
    for i in range(encoder_out.shape[1]):
        each, hidden_state = self.step(encoder_out, decoder_x[:, i].unsqueeze(1), hidden_state)
        outputs.append(each)
    return torch.cat(outputs, dim=1), hidden_state


def _added(width: Callable[[int, int], int]) -> type[nn.Module]:
    other = _other_layer(decoder=lambda vocab, embed, hidden: nn.GRU(width(embed, hidden), hidden, batch_first=True))
    return other(join=lambda self, embedded, context: embedded + context)


def _forward(change: Callable) -> type[nn.Module]:
    """`forward` with `change(model, encoder_x, decoder_x, encoder_out, state)` in the place of what follows the encoder."""

    def forward(self, encoder_x, decoder_x):
        return change(self, encoder_x, decoder_x, *self.encoder(self.embedding(encoder_x)))

    return _but(forward=forward)


DECODING = Exercise(
    name="decoding",
    owner="Seq2SeqAttention",
    arguments=("model", *_DECODING_NAMES),
    properties=(
        Property(
            "`embedding` and `decoder` have the right sizes: the decoder reads embed_dim + hidden_dim numbers",
            lambda draw: [
                Case((Built(_SIZES),), _layers_named("embedding", "decoder")(_Layers, (Built(_SIZES),))),
            ],
            _layers_named("embedding", "decoder"),
            has_parameters,
        ),
        Property(
            "gives a pair: the outputs (batch, target, hidden), then the state (1, batch, hidden)",
            _decoding(through(shapes(), "decoding")),
            through(shapes(), "decoding"),
            have_shapes,
        ),
        Property(
            "the decoder reads [embedding, context], the context being that of the state before",
            _decoding(_of_decoding(0), _ONE_STEP),
            _of_decoding(0),
            equals,
        ),
        Property(
            "each step has a context of its own, and goes on from the state before",
            _decoding(_of_decoding(0)),
            _of_decoding(0),
            equals,
        ),
        Property(
            "so it does where embeddings are as wide as states",
            _decoding(_of_decoding(0), _decoding_args((2, 3, 3), square=True)),
            _of_decoding(0),
            equals,
        ),
        Property("the state that comes back is the last one", _decoding(_of_decoding(1)), _of_decoding(1), equals),
        Property(
            "takes as many steps as `decoder_x` has tokens, however long the source is",
            _decoding(_of_decoding(0), _UNEQUAL),
            _of_decoding(0),
            equals,
            suggests="steps-of-the-source",
        ),
        Property(
            "leaves its arguments as they were",
            lambda draw: [Case(args, _DECODING_NAMES) for args in _decoding_args((2, 3, 3))(draw)],
            through(changed_arguments, "decoding"),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "the outputs' gradient with respect to the encoder's outputs is right",
            _decoding(_decoding_gradient(0, 0), _decoding_args((1, 2, 2), (2, 3, 3))),
            _decoding_gradient(0, 0),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "the last state's gradient with respect to the first state is right",
            _decoding(_decoding_gradient(2, 1), _decoding_args((1, 2, 2), (2, 3, 3))),
            _decoding_gradient(2, 1),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "a second call knows nothing of the first",
            _decoding(_again(part(0), "decoding"), _decoding_args((2, 3, 3))),
            _again(part(0), "decoding"),
            equals,
            suggests="remembers",
        ),
        Property(
            "`forward` starts the decoder from the encoder's last state, and gives logits (batch, target, vocabulary)",
            _decoding(through(output), _forward_args),
            through(output),
            equals,
        ),
        Property(
            "its gradient reaches every parameter",
            _decoding(parameter_gradients(), _forward_args),
            parameter_gradients(),
            right_parameter_gradients,
            suggests="detached-gradient",
        ),
    ),
    misconceptions=(
        Misconception(
            "context-once",
            "the context is computed once, for all steps",
            "Then the decoder looks at the source before its first letter and never again: a fixed context, as without "
            "attention. Every step has a new question, so every step needs its own context, from the state as it is *then*.",
            (_loop(lambda self, out, token, state, first: (_joined(self, out, token, first), state)),),
        ),
        Misconception(
            "concatenated-in-the-other-order",
            "the context comes first, then the embedding",
            "The lab asks for [embedding, context]. A model trained from scratch wouldn't mind, but weights belong to an order: "
            "with those of the test, your decoder takes parts of the one for parts of the other.",
            (_but(join=lambda self, embedded, context: torch.cat([context, embedded], dim=-1)),),
        ),
        Misconception(
            "state-not-carried",
            "the state isn't carried from step to step",
            "Each step has to start from the state that the step before ended in. Yours starts over, so the decoder doesn't know "
            "what it has written so far.",
            (
                _loop(lambda self, out, token, state, first: (_joined(self, out, token, first), first)),
                _loop(lambda self, out, token, state, first: (_joined(self, out, token, state), first)),
                _loop(
                    lambda self, out, token, state, first: (_joined(self, out, token, state), torch.zeros_like(state))
                ),
                _loop(
                    lambda self, out, token, state, first: (_joined(self, out, token, first), torch.zeros_like(first))
                ),
                _but(
                    decoding=lambda self, out, decoder_x, state: (
                        torch.cat([self.step(out, token, state)[0] for token in decoder_x.split(1, dim=1)], dim=1),
                        state,
                    )
                ),
            ),
        ),
        Misconception(
            "context-added",
            "the context is added to the embedding, not put beside it",
            "A sum needs both to be equally wide, and mixes them beyond telling apart. The decoder reads embed_dim + hidden_dim "
            "numbers: first the embedding's, then the context's.",
            (_added(lambda embed, hidden: embed), _added(lambda embed, hidden: hidden)),
        ),
        Misconception(
            "context-of-the-wrong-state",
            "the context doesn't come from the previous state",
            "The query of a step is the state *before* it, also at the first step, where that is the state that was passed in. "
            "(Attending with the new state is exercise 4's model, Luong's.)",
            (
                _loop(_context_of_new_state),
                _but(decoding=_late_context),
                _but(decoding=_lagging_context),
            ),
        ),
        Misconception(
            "no-context",
            "no context gets into the decoder",
            "Where the context should be there are zeros, or nothing: the decoder doesn't look at the source.",
            (_but(join=lambda self, embedded, context: torch.cat([embedded, torch.zeros_like(context)], dim=-1)),),
        ),
        _WRONG_CONTEXT,
        Misconception(
            "feeds-its-own-predictions",
            "the decoder reads its own predictions",
            "`decoder_x` holds what the decoder reads at every step (teacher forcing). Reading its own predictions is for "
            "afterwards, when nobody knows the target.",
            (_but(decoding=_own_predictions),),
        ),
        Misconception(
            "same-token-every-step",
            "every step reads the same token",
            "Step i reads token i of `decoder_x`. Yours reads the first one, or the last one, each time.",
            (
                _before("decoding", lambda out, tokens, state: (out, tokens[:, :1].expand_as(tokens), state)),
                _before("decoding", lambda out, tokens, state: (out, tokens[:, -1:].expand_as(tokens), state)),
            ),
        ),
        Misconception(
            "steps-of-the-source",
            "the number of steps is taken from the source",
            "The decoder takes one step for each token of `decoder_x`. In this lab source and target happen to be equally "
            "long; a sentence and its translation aren't.",
            (_before("decoding", _steps_of_the_source), _but(decoding=_indexed_by_the_source)),
        ),
        Misconception(
            "old-state-returned",
            "the state that comes back isn't the last one",
            "Whoever calls `decoding` goes on from the state that it returns: the one after the last step, (1, batch, hidden).",
            (
                _but(
                    decoding=lambda self, out, tokens, state: (_Written.decoding(self, out, tokens, state)[0], state),
                ),
                _but(
                    decoding=lambda self, out, tokens, state: (
                        _Written.decoding(self, out, tokens, state)[0],
                        _Written.decoding(self, out, tokens[:, :1], state)[1],
                    )
                ),
                _after("decoding", lambda outputs, state: (outputs, outputs[:, -1:])),
                _after("decoding", lambda outputs, state: (outputs, outputs[:, -1])),
            ),
        ),
        Misconception(
            "steps-along-the-wrong-axis",
            "the steps are put together along the wrong axis",
            "Each step's output is (batch, 1, hidden). Side by side along the axis of size 1, the *steps*, they become (batch, "
            "target, hidden). A `stack` makes an axis more.",
            (
                _after("decoding", lambda outputs, state: (torch.cat(outputs.split(1, dim=1), dim=0), state)),
                _after("decoding", lambda outputs, state: (torch.cat(outputs.split(1, dim=1), dim=2), state)),
                _after("decoding", lambda outputs, state: (outputs.unsqueeze(2), state)),
                _after("decoding", lambda outputs, state: (outputs.transpose(0, 1), state)),
                _after("decoding", lambda outputs, state: (outputs.transpose(0, 1).unsqueeze(2), state)),
                _after("decoding", lambda outputs, state: (outputs.transpose(0, 1).reshape(outputs.shape), state)),
                _after("decoding", lambda outputs, state: (outputs[:, -1:], state)),
            ),
        ),
        Misconception(
            "logits-for-outputs",
            "logits come back, not the decoder's outputs",
            "`decoding` returns what the GRU gave, `hidden_dim` numbers a step. The linear layer comes afterwards, in `forward`.",
            (
                _but(
                    decoding=lambda self, *args: (
                        self.linear(_Written.decoding(self, *args)[0]),
                        _Written.decoding(self, *args)[1],
                    )
                ),
            ),
        ),
        Misconception(
            "order-of-the-pair",
            "the state comes first",
            "Both are there, in the other order: `outputs, hidden_state`.",
            (_after("decoding", lambda outputs, state: (state, outputs)),),
        ),
        _not_a_pair("outputs, hidden_state", _after("decoding", lambda outputs, state: outputs)),
        _row(_WRITES, *(_overwriting("decoding", position) for position in range(3))),
        _row(_REMEMBERS, _remembering(_Written, "decoding")),
        Misconception(
            "detached-gradient",
            "no gradient gets through",
            "The numbers are right, but somewhere the connection to earlier steps, to the state, or to the encoder's outputs is "
            "cut (`.detach()`, `.data`, `torch.no_grad()`): what lies before the cut learns nothing.",
            (
                _after("decoding", lambda outputs, state: (outputs.detach(), state.detach())),
                _after("decoding", lambda outputs, state: (outputs, state.detach())),
                _loop(lambda self, out, token, state, first: (_joined(self, out, token, state), state.detach())),
                _but(
                    step=lambda self, out, token, state: _Written.step(self, out, token, state.detach()),
                ),
                _but(
                    join=lambda self, embedded, context: torch.cat([embedded, context.detach()], dim=-1),
                ),
                _before("decoding", lambda out, tokens, state: (out.detach(), tokens, state)),
                _before("decoding", lambda out, tokens, state: (out, tokens, state.detach())),
            ),
        ),
        Misconception(
            "forward-starts-elsewhere",
            "`forward` doesn't start the decoder from the encoder's last state",
            "`decoding` is right. In `forward` the state that it starts from has to be the encoder's last one, (1, batch, "
            "hidden): it is also the first query.",
            (
                _forward(lambda m, x, y, out, state: m.linear(m.decoding(out, y, torch.zeros_like(state))[0])),
                _forward(lambda m, x, y, out, state: m.linear(m.decoding(out, y, out[:, :1].transpose(0, 1))[0])),
            ),
        ),
        Misconception(
            "softmax-in-forward",
            "`forward` gives probabilities, not logits",
            "`forward` returns the logits as the linear layer gives them. The loss has the softmax inside: a second one "
            "flattens the gradient.",
            (
                _but(forward=lambda self, *args: _Written.forward(self, *args).softmax(-1)),
                _but(forward=lambda self, *args: _Written.forward(self, *args).log_softmax(-1)),
            ),
        ),
        _row(NOTHING_RETURNED, _after("decoding", lambda outputs, state: None)),
    ),
)


# --- 3. get_next_token -----------------------------------------------------------------------------------------------


def _next_args(
    *batch_and_source: tuple[int, int], steps: int = 1, gap: float = 0.05, square: bool = False
) -> Callable[[Draw], Iterator[tuple]]:
    """Arguments on which the likeliest token is clearly so, at each of so many steps: rounding doesn't turn it over."""

    def is_clear(built: Built, encoder_out: Tensor, token: Tensor, hidden_state: Tensor) -> bool:
        model = built.build(_Slow)
        for _ in range(steps):
            outputs, hidden_state = model.decoding(encoder_out, token, hidden_state)
            best = model.logits(outputs[:, -1]).topk(2).values  # (batch, 2)
            if (best[:, 0] - best[:, 1]).min() < gap:
                return False
            token = model.logits(outputs).argmax(-1)
        return True

    def args(draw: Draw) -> Iterator[tuple]:
        for batch, source in batch_and_source:
            while True:
                built = _built(
                    draw, _Layers, _SQUARE if square else _SIZES, "embedding", "attention_W", "decoder", "linear"
                )
                encoder_out, hidden_state = _sources(draw, batch, source)
                found = built, encoder_out, draw.integers(0, 6, batch, 1), hidden_state
                if is_clear(*found):
                    yield found
                    break

    return args


def _at_the_end(draw: Draw) -> Iterator[tuple]:
    for built, *others in _next_args((2, 3))(draw):
        built.weights["linear.bias"][0] += 30
        yield built, *others


_NEXT = _next_args((1, 2), (2, 3), (4, 4), (3, 5))
_NEXT_NAMES = ("encoder_out", "token", "hidden_state")


def _next(observe: Callable, args: Callable = _NEXT) -> Callable[[Draw], list[Case]]:
    return _wanted(observe, args, _Slow)


def _of_next(index: int) -> Callable[[Callable, tuple], Tensor]:
    return through(part(index), "get_next_token")


def _next_gradient(position: int) -> Callable[[Callable, tuple], Tensor | None]:
    return through(gradient_of(position, 1), "get_next_token")


def _is_repeatable(answer: Callable, args: tuple) -> bool:
    """Observe whether ten calls give the same tokens."""
    model = args[0].build(answer)
    tokens = [tensors(model.get_next_token(*args[1:]))[0] for _ in range(10)]
    return all(torch.equal(tokens[0], each) for each in tokens)


def _written(answer: Callable, args: tuple) -> Tensor:
    """Observe three tokens, each fed back together with the state that came with it."""
    built, encoder_out, token, hidden_state = args
    model, written = built.build(answer), []
    for _ in range(3):
        token, hidden_state = tensors(model.get_next_token(encoder_out, token, hidden_state))
        token = token.unsqueeze(1)  # (batch, 1)
        written.append(token)
    return torch.cat(written, dim=1)


def _leaves_the_model(answer: Callable, args: tuple) -> str | None:
    """Observe what of the model is no longer as it was after the call: its mode, or a parameter."""
    model = Built(args[0].arguments, args[0].weights, training=True).build(answer)
    before = {name: each.detach().clone() for name, each in model.named_parameters()}
    model.get_next_token(*args[1:])
    if not model.training:
        return "its mode: it was in training mode"
    changed = [name for name, each in model.named_parameters() if not torch.equal(each.detach(), before[name])]
    return f"its parameter {changed[0]}" if changed else None


def _samples(self, outputs):
    return torch.multinomial(self.linear(outputs[:, -1]).softmax(-1), 1).squeeze(1)


def _changes_mode(self, *args):
    self.eval()
    return _Written.get_next_token(self, *args)


def _new_state_next(self, encoder_out, token, state):
    new = self.decoder(_joined(self, encoder_out, token, state), state)[1]
    outputs, state = self.decoder(_joined(self, encoder_out, token, new), state)
    return self.choose(outputs), state


def _attends_after(self, encoder_out, token, state):
    """The decoder reads no context; the new state then fetches one, and the token is made of it."""
    nothing = torch.zeros_like(encoder_out[:, :1])
    _, new = self.decoder(self.join(self.embedding(token), nothing), state)
    return self.choose(self.get_context_vector(encoder_out, new)[0]), new


def _restarts_next(self, encoder_out, token, state):
    outputs, new = self.decoder(_joined(self, encoder_out, token, state))
    return self.choose(outputs), new


GET_NEXT_TOKEN = Exercise(
    name="get_next_token",
    owner="Seq2SeqAttention",
    arguments=("model", *_NEXT_NAMES),
    properties=(
        Property(
            "gives a pair: the next tokens (batch,), then the new state (1, batch, hidden)",
            _next(through(shapes(), "get_next_token")),
            through(shapes(), "get_next_token"),
            have_shapes,
        ),
        Property(
            "gives the same tokens every time",
            # an untrained model is unsure, so that chance would show
            lambda draw: [
                Case((Built(_SIZES), encoder_out, torch.zeros(12, 1, dtype=torch.long), state), True)
                for encoder_out, state in [_sources(draw, 12, 3)]
            ],
            _is_repeatable,
            lambda got, want: None if got == want else "ten calls with the same arguments gave different tokens",
            suggests="samples",
        ),
        Property("each string gets the likeliest token of its vocabulary", _next(_of_next(0)), _of_next(0), equals),
        Property("`<eos>` is chosen where it is likeliest", _next(_of_next(0), _at_the_end), _of_next(0), equals),
        Property("the state is that after the step, with the context at hand", _next(_of_next(1)), _of_next(1), equals),
        Property(
            "so it is where embeddings are as wide as states",
            _next(_of_next(1), _next_args((2, 3), square=True)),
            _of_next(1),
            equals,
        ),
        Property(
            "writes the right string when tokens and states are fed back",
            _next(_written, _next_args((1, 3), (3, 4), steps=3)),
            _written,
            equals,
        ),
        Property(
            "leaves its arguments as they were",
            lambda draw: [Case(args, _NEXT_NAMES) for args in _next_args((2, 3))(draw)],
            through(changed_arguments, "get_next_token"),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "leaves the model as it was: its mode and its parameters",
            _next(_leaves_the_model, _next_args((2, 3))),
            _leaves_the_model,
            lambda got, want: f"it changed the model: {got}" if got else None,
            suggests="changes-the-model",
        ),
        Property(
            "the new state's gradient with respect to the encoder's outputs is right",
            _next(_next_gradient(0), _next_args((1, 2), (2, 3))),
            _next_gradient(0),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "its gradient with respect to the state before is right",
            _next(_next_gradient(2), _next_args((1, 2), (2, 3))),
            _next_gradient(2),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "a second call knows nothing of the first",
            _next(_again(part(1), "get_next_token"), _next_args((2, 3))),
            _again(part(1), "get_next_token"),
            equals,
            suggests="remembers",
        ),
    ),
    misconceptions=(
        Misconception(
            "old-state-returned",
            "the state that comes back is the one that went in",
            "The next call goes on from the state that you return. With the old one the decoder never gets beyond its first step: "
            "it asks the same question again and again.",
            (_but(get_next_token=lambda self, *args: (_Written.get_next_token(self, *args)[0], args[2])),),
        ),
        Misconception(
            "batch-by-one",
            "the tokens have an axis too many",
            "`token` goes in as (batch, 1), one step of a sequence. What comes out is one number for each string, (batch,).",
            (
                _after("get_next_token", lambda token, state: (token.unsqueeze(1), state)),
                _after("get_next_token", lambda token, state: (token.unsqueeze(0), state)),
            ),
        ),
        Misconception(
            "batch-axis-lost",
            "in a batch of one, an axis gets lost",
            "`squeeze()` without an argument removes *every* axis of size 1, also that of a batch of one.",
            (
                _after("get_next_token", lambda token, state: (token.squeeze(), state)),
                _but(choose=lambda self, outputs: self.linear(outputs).squeeze().argmax(-1)),
            ),
        ),
        Misconception(
            "context-left-out",
            "the context is left out at prediction",
            "In training the decoder read [embedding, context] at every step. At prediction it has to read the same, or it "
            "gets an input that it was never trained on.",
            (
                _but(join=lambda self, embedded, context: torch.cat([embedded, torch.zeros_like(context)], dim=-1)),
                _but(
                    join=lambda self, embedded, context: torch.cat(
                        [embedded, torch.zeros_like(context[..., : self.decoder.input_size - embedded.shape[-1]])],
                        dim=-1,
                    )
                ),
                _but(join=lambda self, embedded, context: embedded),
                _but(get_next_token=_attends_after),
            ),
        ),
        Misconception(
            "argmax-over-batch",
            "the argmax runs over the wrong axis",
            "The logits are (batch, vocabulary), and each string wants the best of *its* vocabulary. Yours looks, for each token of "
            "the vocabulary, for the best string, or along the axis of size 1.",
            (
                _but(choose=lambda self, outputs: self.linear(outputs[:, -1]).argmax(0)),
                _but(choose=lambda self, outputs: self.linear(outputs).argmax(1)),
                _but(choose=lambda self, outputs: self.linear(outputs).argmax(0)),
                _but(choose=lambda self, outputs: self.linear(outputs[:, -1]).argmax()),
            ),
        ),
        Misconception(
            "samples",
            "the token is drawn at random",
            "The exercise asks for the likeliest token (greedy decoding). Drawing by the probabilities gives another "
            "string each time.",
            (_but(choose=_samples),),
        ),
        Misconception(
            "argmax-of-the-state",
            "the linear layer is left out",
            "The decoder's output has `hidden_dim` numbers, and none of them belongs to a letter. The linear layer makes a "
            "logit for every token of the vocabulary out of them.",
            (_but(choose=lambda self, outputs: outputs[:, -1].argmax(-1)),),
        ),
        Misconception(
            "logits-for-tokens",
            "logits come back, not tokens",
            "Return the *number* of the likeliest token, not how likely each one is.",
            (
                _but(choose=lambda self, outputs: self.linear(outputs[:, -1])),
                _but(choose=lambda self, outputs: self.linear(outputs)),
                _but(choose=lambda self, outputs: self.linear(outputs[:, -1]).softmax(-1)),
                _but(choose=lambda self, outputs: self.linear(outputs[:, -1]).amax(-1)),
            ),
        ),
        Misconception(
            "never-ends",
            "the first token of the vocabulary is never chosen",
            "Token 0 is `<eos>`, a token like all others: a model that writes ends of strings has to be able to choose it. (And "
            "without it the numbers of all the others are one too small.)",
            (
                _but(choose=lambda self, outputs: self.linear(outputs[:, -1])[:, 1:].argmax(-1) + 1),
                _but(choose=lambda self, outputs: self.linear(outputs[:, -1])[:, 1:].argmax(-1)),
            ),
        ),
        Misconception(
            "least-likely",
            "the least likely token is taken",
            "A large logit means likely. Yours takes the smallest.",
            (_but(choose=lambda self, outputs: self.linear(outputs[:, -1]).argmin(-1)),),
        ),
        Misconception(
            "concatenated-in-the-other-order",
            "the context comes first, then the embedding",
            "The decoder reads [embedding, context], here as in `decoding`: its weights belong to this order.",
            (_but(join=lambda self, embedded, context: torch.cat([context, embedded], dim=-1)),),
        ),
        Misconception(
            "state-left-out",
            "the decoder doesn't start from the state that was passed in",
            "Without a state a GRU starts from zeros. What the decoder has written so far is in `hidden_state`.",
            (_but(get_next_token=_restarts_next),),
        ),
        Misconception(
            "context-of-the-new-state",
            "the context comes from the new state",
            "The query is the state that was passed in, as in `decoding`. The new state comes out of the step that reads the "
            "context.",
            (_but(get_next_token=_new_state_next),),
        ),
        _WRONG_CONTEXT,
        Misconception(
            "token-ignored",
            "the token that was passed in has no effect",
            "The decoder reads the letter that it wrote last: that is `token`. Yours reads the start token, or the first "
            "string's token, each time.",
            (
                _before("get_next_token", lambda out, token, state: (out, torch.zeros_like(token), state)),
                _before("get_next_token", lambda out, token, state: (out, token[:1].expand_as(token), state)),
            ),
        ),
        Misconception(
            "order-of-the-pair",
            "the state comes first",
            "Both are there, in the other order: the token, then the new state.",
            (_after("get_next_token", lambda token, state: (state, token)),),
        ),
        _not_a_pair("next_token, new_hidden_state", _after("get_next_token", lambda token, state: token)),
        Misconception(
            "changes-the-model",
            "the model isn't left as it was",
            "A call of `eval()` or `train()` inside stays in force for whoever calls you. Choosing the mode isn't this method's "
            "job.",
            (_but(get_next_token=_changes_mode),),
        ),
        _row(_WRITES, *(_overwriting("get_next_token", position) for position in range(3))),
        _row(_REMEMBERS, _remembering(_Written, "get_next_token")),
        Misconception(
            "detached-gradient",
            "the new state has lost its gradient",
            "The numbers are right, but the new state isn't connected to what it came from. Turning gradients off is the "
            "caller's decision: whoever wants to train through this step couldn't.",
            (
                _after("get_next_token", lambda token, state: (token, state.detach())),
                _before("get_next_token", lambda out, token, state: (out.detach(), token, state)),
                _before("get_next_token", lambda out, token, state: (out, token, state.detach())),
            ),
        ),
        _row(NOTHING_RETURNED, _after("get_next_token", lambda token, state: None)),
    ),
)


# --- 4. LuongDecoder -------------------------------------------------------------------------------------------------


class _WrittenLuong(_LuongLayers):
    """A right `LuongDecoder`, in parts that a mistake can replace."""

    def queries(self, encoder_out, embedded, hidden_state):
        return self.rnn(embedded, hidden_state)[0]  # (B, L, H)

    def score(self, queries, encoder_out):
        return queries @ self.W_a(encoder_out).mT  # (B, L, S)

    def weigh(self, scores, valid_lens):
        return _softmax(scores, valid_lens, axis=2)

    def pool(self, weights, encoder_out):
        return weights @ encoder_out  # (B, L, H)

    def combine(self, context, queries):
        return self.W_c(torch.cat([context, queries], dim=-1)).tanh()

    def result(self, attentional, weights):
        return attentional, weights

    def attend(self, queries, encoder_out, valid_lens):
        weights = self.weigh(self.score(queries, encoder_out), valid_lens)
        return self.pool(weights, encoder_out), weights

    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        queries = self.queries(encoder_out, self.embedding(decoder_x), hidden_state)
        context, weights = self.attend(queries, encoder_out, valid_lens)
        return self.result(self.combine(context, queries), weights)


def _luong_but(**parts: Callable) -> type[nn.Module]:
    """`LuongDecoder` with some of its parts replaced."""
    return _reused(type("LuongDecoder", (_WrittenLuong,), parts))


def _luong_layer(**layers: Callable[[int, int, int], nn.Module]) -> type[nn.Module]:
    """`LuongDecoder` with some layers built otherwise."""

    def init(self, *sizes):
        _WrittenLuong.__init__(self, *sizes)
        for name, make in layers.items():
            setattr(self, name, make(*sizes))

    return _luong_but(__init__=init)


def _luong_result(change: Callable) -> type[nn.Module]:
    return _luong_but(result=lambda self, attentional, weights: change(attentional, weights))


def _luong_before(change: Callable) -> type[nn.Module]:
    return _luong_but(forward=lambda self, *args: _WrittenLuong.forward(self, *change(*args)))


def _luong_overwriting(position: int) -> type[nn.Module]:
    def forward(self, *args):
        result = _WrittenLuong.forward(self, *args)
        if len(args) > position:
            with torch.no_grad():
                args[position].mul_(0)
        return result

    return _luong_but(forward=forward)


def _states_before(self, encoder_out, embedded, hidden_state):
    states = _WrittenLuong.queries(self, encoder_out, embedded, hidden_state)
    return torch.cat([hidden_state.transpose(0, 1), states[:, :-1]], dim=1)


def _attends_first(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
    """The weights come from the states before, the combination from the new ones."""
    embedded = self.embedding(decoder_x)
    context, weights = self.attend(_states_before(self, encoder_out, embedded, hidden_state), encoder_out, valid_lens)
    return self.combine(context, self.queries(encoder_out, embedded, hidden_state)), weights


def _feeds_attentional_back(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
    attentional, weights = [], []
    for token in decoder_x.split(1, dim=1):
        each, of_step = _WrittenLuong.forward(self, encoder_out, token, hidden_state, valid_lens)
        hidden_state = each.transpose(0, 1).contiguous()
        attentional.append(each)
        weights.append(of_step)
    return torch.cat(attentional, dim=1), torch.cat(weights, dim=1)


def _adds_attentional(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
    """Input feeding where embeddings are as wide as states."""
    attentional, weights, fed = [], [], 0.0
    for embedded in self.embedding(decoder_x).split(1, dim=1):
        query, hidden_state = self.rnn(embedded + fed, hidden_state)
        context, of_step = self.attend(query, encoder_out, valid_lens)
        fed = self.combine(context, query)
        attentional.append(fed)
        weights.append(of_step)
    return torch.cat(attentional, dim=1), torch.cat(weights, dim=1)


def _luong_args(
    *all_sizes: tuple[int, int, int], padded: bool = False, square: bool = False
) -> Callable[[Draw], Iterator[tuple]]:
    """Sizes are (batch, source, target)."""

    def args(draw: Draw) -> Iterator[tuple]:
        for batch, source, target in all_sizes:
            built = _built(draw, _LuongLayers, _SQUARE if square else _SIZES, training=target > 3)
            encoder_out, hidden_state = _sources(draw, batch, source)
            lens = (torch.tensor(_LENGTHS[batch, source]),) if padded else ()
            yield built, encoder_out, draw.integers(0, 6, batch, target), hidden_state, *lens

    return args


_LUONG = _luong_args((1, 2, 2), (2, 3, 3), (3, 2, 5), (4, 4, 4))
_LUONG_PADDED = _luong_args((1, 3, 2), (2, 3, 3), (3, 5, 2), (4, 4, 4), padded=True)
_LUONG_NAMES = ("encoder_out", "decoder_x", "hidden_state", "valid_lens")


def _luong(observe: Callable, args: Callable = _LUONG) -> Callable[[Draw], list[Case]]:
    return _wanted(observe, args, _SlowLuong)


def _of_luong(index: int) -> Callable[[Callable, tuple], Tensor]:
    return through(part(index))


def _luong_gradient(position: int, index: int) -> Callable[[Callable, tuple], Tensor | None]:
    return through(gradient_of(position, index))


LUONG_DECODER = Exercise(
    name="LuongDecoder",
    arguments=("model", *_LUONG_NAMES),
    properties=(
        Property(
            "has the layers `embedding`, `rnn`, `W_a` and `W_c`, the last two without bias",
            lambda draw: [Case((Built(_SIZES),), parameters(_LuongLayers, (Built(_SIZES),)))],
            _layers_named("embedding", "rnn", "W_a", "W_c"),
            has_parameters,
        ),
        Property(
            "gives a pair: h̃ (batch, target, hidden), then the weights (batch, target, source)",
            _luong(through(shapes())),
            through(shapes()),
            have_shapes,
        ),
        Property(
            "each state of the GRU is a query: its weights are the softmax over the source of hᵀ (W_a s)",
            _luong(_of_luong(1)),
            _of_luong(1),
            equals,
        ),
        Property("h̃ = tanh(W_c [c; h]), h being the GRU's own state", _luong(_of_luong(0)), _of_luong(0), equals),
        Property(
            "so it is where embeddings are as wide as states",
            _luong(_of_luong(0), _luong_args((2, 3, 3), square=True)),
            _of_luong(0),
            equals,
        ),
        Property(
            "padding has no weight, and the real steps share all of it",
            _luong(_of_luong(1), _LUONG_PADDED),
            _of_luong(1),
            equals,
        ),
        Property("h̃ is made with the masked weights", _luong(_of_luong(0), _LUONG_PADDED), _of_luong(0), equals),
        Property(
            "whatever lies in the padding makes no difference",
            _luong(_of_luong(0), _loud_padding(_luong_args((1, 3, 2), (3, 5, 2), padded=True))),
            _of_luong(0),
            equals,
        ),
        Property(
            "leaves its arguments as they were",
            lambda draw: [Case(args, _LUONG_NAMES) for args in _luong_args((2, 3, 3), padded=True)(draw)],
            through(changed_arguments),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "the gradient of h̃ with respect to the encoder's outputs is right",
            _luong(_luong_gradient(0, 0), _luong_args((1, 2, 2), (2, 3, 2))),
            _luong_gradient(0, 0),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "the gradient of the weights with respect to the first state is right",
            _luong(_luong_gradient(2, 1), _luong_args((1, 2, 2), (2, 3, 2))),
            _luong_gradient(2, 1),
            right_gradient,
            suggests="detached-gradient",
            shows=GRADIENT,
        ),
        Property(
            "the gradient of h̃ reaches every parameter",
            _luong(parameter_gradients(_picked(0)), _luong_args((2, 3, 2))),
            parameter_gradients(_picked(0)),
            right_parameter_gradients,
            suggests="detached-gradient",
        ),
        Property(
            "a second call knows nothing of the first",
            _luong(_again(part(0)), _luong_args((2, 3, 3))),
            _again(part(0)),
            equals,
            suggests="remembers",
        ),
    ),
    misconceptions=(
        Misconception(
            "attention-before-the-rnn",
            "the attention comes before the GRU's step",
            "With Luong the GRU runs first, over all of `decoder_x`, and its *new* states are the queries. Asking with the "
            "states before, or with the embeddings, or feeding a context into the GRU, is Bahdanau's way round (exercise 2).",
            (
                _luong_but(forward=_attends_first),
                _luong_but(queries=_states_before),
                _luong_layer(rnn=lambda vocab, embed, hidden: nn.GRU(embed + hidden, hidden, batch_first=True)),
                _luong_but(queries=lambda self, encoder_out, embedded, state: embedded),
            ),
        ),
        Misconception(
            "concatenated-in-the-other-order",
            "h comes first, then the context",
            "W_c reads [c; h], the context first. Trained from scratch either order would do; with weights that belong "
            "to one order, yours takes the state for the context.",
            (
                _luong_but(
                    combine=lambda self, context, queries: self.W_c(torch.cat([queries, context], dim=-1)).tanh()
                ),
            ),
        ),
        Misconception(
            "no-tanh",
            "there is no tanh around W_c [c; h]",
            "h̃ = tanh(W_c [c; h]): every number of it lies between −1 and 1. Yours can be of any size.",
            (
                _luong_but(combine=lambda self, context, queries: self.W_c(torch.cat([context, queries], dim=-1))),
                _luong_but(
                    combine=lambda self, context, queries: self.W_c(torch.cat([context, queries], dim=-1)).relu()
                ),
                _luong_but(
                    combine=lambda self, context, queries: self.W_c(torch.cat([context, queries], dim=-1)).sigmoid()
                ),
                _luong_but(combine=lambda self, context, queries: self.W_c(torch.cat([context, queries], -1).tanh())),
            ),
        ),
        Misconception(
            "feeds-h̃-back",
            "h̃ is fed back into the GRU",
            "Luong's paper has that too, as *input feeding* (section 3.3), but it wasn't asked for here. In this decoder the GRU "
            "never hears of the attention: that is why it can run over all steps at once, without a loop.",
            (
                _luong_but(forward=_feeds_attentional_back),
                _luong_but(forward=_adds_attentional),
            ),
        ),
        Misconception(
            "softmax-over-wrong-axis",
            "the softmax runs over the wrong axis",
            "Each *query* spreads a weight of 1 over the source steps, so each row (…, target, :) sums to 1. Which axis is that?",
            (
                _luong_but(weigh=lambda self, scores, lens: scores.softmax(1)),
                _luong_but(weigh=lambda self, scores, lens: scores.softmax(0)),
                _luong_but(weigh=lambda self, s, lens: s.masked_fill(_padded(s, lens, 2), -torch.inf).softmax(1)),
                _luong_but(weigh=lambda self, s, lens: s.masked_fill(_padded(s, lens, 2), -1e9).softmax(1)),
                _luong_but(weigh=lambda self, s, lens: s.masked_fill(_padded(s, lens, 2), -torch.inf).softmax(0)),
                _luong_but(weigh=lambda self, s, lens: s.masked_fill(_padded(s, lens, 2), -1e9).softmax(0)),
                _luong_but(weigh=lambda self, s, lens: s.softmax(1).masked_fill(_padded(s, lens, 2), 0.0)),
            ),
        ),
        Misconception(
            "no-softmax",
            "there is no softmax",
            "Scores may be negative and sum to anything. The softmax turns them into weights.",
            (
                _luong_but(weigh=lambda self, scores, lens: scores),
                _luong_but(weigh=lambda self, s, lens: s.masked_fill(_padded(s, lens, 2), 0.0)),
                _luong_but(weigh=lambda self, s, lens: s.masked_fill(_padded(s, lens, 2), -torch.inf)),
            ),
        ),
        Misconception(
            "W_a-on-the-queries",
            "`W_a` is applied to the queries",
            "The score is hᵀ (W_a s): the matrix multiplies the encoder's outputs. On the queries it acts as its transpose, "
            "which is the same only for a symmetric matrix.",
            (_luong_but(score=lambda self, queries, encoder_out: self.W_a(queries) @ encoder_out.mT),),
        ),
        Misconception(
            "W_a-unused",
            "`W_a` has no part in the score",
            "That is Luong's *dot* score. The one asked for here, *general*, has a learned matrix between query and key.",
            (_luong_but(score=lambda self, queries, encoder_out: queries @ encoder_out.mT),),
        ),
        Misconception(
            "biases",
            "`W_a` or `W_c` has a bias",
            "Both are plain matrices in the paper's equations. In `nn.Linear` the bias has to be turned off.",
            (
                _luong_layer(W_a=lambda vocab, embed, hidden: nn.Linear(hidden, hidden)),
                _luong_layer(W_c=lambda vocab, embed, hidden: nn.Linear(2 * hidden, hidden)),
                _luong_layer(
                    W_a=lambda vocab, embed, hidden: nn.Linear(hidden, hidden),
                    W_c=lambda vocab, embed, hidden: nn.Linear(2 * hidden, hidden),
                ),
            ),
        ),
        Misconception(
            "scaled",
            "the scores are divided",
            "The score is hᵀ (W_a s) as it is: the learned matrix can take the scale's part.",
            (
                _luong_but(score=lambda self, *args: _WrittenLuong.score(self, *args) / args[0].shape[2] ** 0.5),
                _luong_but(score=lambda self, *args: _WrittenLuong.score(self, *args) / args[0].shape[2]),
            ),
        ),
        Misconception(
            "pools-keys-for-values",
            "`W_a(encoder_out)` is averaged, not `encoder_out`",
            "The matrix is there to *compare*. The context is made of the encoder's outputs themselves.",
            (_luong_but(pool=lambda self, weights, encoder_out: weights @ self.W_a(encoder_out)),),
        ),
        Misconception(
            "context-left-out",
            "h̃ has no context in it",
            "h̃ puts two things together: what the decoder knows, h, and what it has found in the source, c.",
            (
                _luong_but(combine=lambda self, context, queries: self.W_c(torch.cat([queries] * 2, dim=-1)).tanh()),
                _luong_but(combine=lambda self, context, queries: self.W_c(torch.cat([context] * 2, dim=-1)).tanh()),
                _luong_result(lambda attentional, weights: (attentional * 0, weights)),
            ),
        ),
        Misconception(
            "state-or-context-for-h̃",
            "the states or the contexts come back, not h̃",
            "What comes back first is h̃ = tanh(W_c [c; h]): states and contexts go into it.",
            (
                _luong_but(combine=lambda self, context, queries: queries),
                _luong_but(combine=lambda self, context, queries: context),
                _luong_but(combine=lambda self, context, queries: torch.cat([context, queries], dim=-1)),
                _luong_but(combine=lambda self, context, queries: context + queries),
            ),
        ),
        Misconception(
            "state-left-out",
            "the GRU doesn't start from `hidden_state`",
            "Without a state a GRU starts from zeros. `hidden_state` is the encoder's last state: what the decoder starts from.",
            (_luong_but(queries=lambda self, encoder_out, embedded, state: self.rnn(embedded)[0]),),
        ),
        Misconception(
            "last-state-only",
            "only the last state attends",
            "*Every* state of the GRU is a query, so there is a context, and an h̃, for each target step.",
            (
                _luong_but(queries=lambda self, *args: _WrittenLuong.queries(self, *args)[:, -1:]),
                _luong_but(
                    queries=lambda self, *args: _WrittenLuong.queries(self, *args)[:, -1:].expand(
                        -1, args[1].shape[1], -1
                    )
                ),
            ),
        ),
        *_mask_mistakes(lambda weigh: _luong_but(weigh=lambda self, scores, lens: weigh(scores, lens)), axis=2),
        Misconception(
            "weights-transposed",
            "the weights are (batch, source, target)",
            "A row of the weights belongs to a query, that is, to a target step; its columns are the source steps.",
            (_luong_result(lambda attentional, weights: (attentional, weights.mT)),),
        ),
        Misconception(
            "scores-for-weights",
            "scores come back in the place of the weights",
            "The second of the pair is what the outputs were weighed with: the scores *after* the softmax.",
            (
                _luong_but(
                    attend=lambda self, queries, encoder_out, lens: (
                        _WrittenLuong.attend(self, queries, encoder_out, lens)[0],
                        self.score(queries, encoder_out),
                    )
                ),
            ),
        ),
        Misconception(
            "order-of-the-pair",
            "the weights come first",
            "Both are there, in the other order: `attentional, weights`.",
            (_luong_result(lambda attentional, weights: (weights, attentional)),),
        ),
        _not_a_pair(
            "attentional, weights",
            _luong_result(lambda attentional, weights: attentional),
            _luong_result(lambda attentional, weights: (attentional, attentional[:, -1:].transpose(0, 1), weights)),
        ),
        _row(_WRITES, *(_luong_overwriting(position) for position in range(4))),
        _row(_REMEMBERS, _remembering(_WrittenLuong, "forward")),
        Misconception(
            "detached-gradient",
            "no gradient gets through",
            "The numbers are right, but h̃ or the weights aren't connected to the encoder's outputs, to the state, or to a "
            "parameter: what isn't connected learns nothing. `.detach()`, `.data` and `torch.no_grad()` cut the connection.",
            (
                _luong_result(lambda attentional, weights: (attentional.detach(), weights.detach())),
                _luong_result(lambda attentional, weights: (attentional, weights.detach())),
                _luong_but(weigh=lambda self, scores, lens: _softmax(scores, lens, 2).detach()),
                _luong_but(pool=lambda self, weights, encoder_out: (weights @ encoder_out).detach()),
                _luong_before(lambda out, *others: (out.detach(), *others)),
                _luong_before(lambda out, tokens, state, *lens: (out, tokens, state.detach(), *lens)),
                _luong_but(queries=lambda self, *args: _WrittenLuong.queries(self, *args).detach()),
            ),
        ),
        _row(NOTHING_RETURNED, _luong_result(lambda attentional, weights: None)),
    ),
)

EXERCISES = (GET_CONTEXT_VECTOR, DECODING, GET_NEXT_TOKEN, LUONG_DECODER)
