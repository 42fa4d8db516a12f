"""`AttentionPooling`: what a right answer does."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from helpers.checks.dropout import DROPPED, NOTHING_DROPPED, what_is_dropped
from helpers.checks.engine import CannotObserve, Case, Draw, Exercise, Property, close
from helpers.checks.forbidden import own_work
from helpers.checks.judging import (
    GRADIENT,
    after_another_call,
    at_any_size,
    changed_arguments,
    clones,
    equals,
    gradients,
    has_shape,
    leaves_arguments_alone,
    output,
    right_gradient,
    weighted_sum,
)
from helpers.checks.lab03_attention_scores.attention_pooling_mistakes import MISTAKES
from helpers.checks.modules import Built, forbidden_in_class, named_parameters, through
from helpers.checks.scores import LearnedScore, bounded, minus_squared_distance, product_of_sums


def _pooling_weights(score: Callable, queries: Tensor, keys: Tensor, valid_lens: Tensor | None) -> Tensor:
    """Differentiable; query by query, in float64; the result has the queries' type."""
    scores = score(queries, keys).double()
    batch, num_queries, num_keys = scores.shape
    rows = []
    for b in range(batch):
        for q in range(num_queries):
            length = (
                num_keys if valid_lens is None else int(valid_lens.reshape(batch, -1).expand(-1, num_queries)[b, q])
            )
            exps = (scores[b, q, :length] - scores[b, q, :length].max().detach()).exp()
            rows.append(torch.cat([exps / exps.sum(), exps.new_zeros(num_keys - length)]))
    return torch.stack(rows).reshape(scores.shape).to(queries.dtype)


def _pooled(score: Callable, queries: Tensor, keys: Tensor, values: Tensor, valid_lens: Tensor | None) -> Tensor:
    weights = _pooling_weights(score, queries, keys, valid_lens).double()
    pooled = [
        sum(weights[b, q, k] * values[b, k].double() for k in range(values.shape[1]))
        for b in range(weights.shape[0])
        for q in range(weights.shape[1])
    ]
    return torch.stack(pooled).reshape(*weights.shape[:2], values.shape[2]).to(values.dtype)


def _kept_weights(score: Callable, queries: Tensor, keys: Tensor, values: Tensor, valid_lens: Tensor | None) -> Tensor:
    return _pooling_weights(score, queries, keys, valid_lens)


def _pooling_case(
    draw: Draw, sizes: tuple[int, ...], valid_lens: Tensor | None, want: Callable, score: Callable = product_of_sums
) -> Case:
    """Sizes are (batch, query, key, query_dim, key_dim, v)."""
    batch, num_queries, num_keys, query_dim, key_dim, v = sizes
    args = (
        draw.normal(batch, num_queries, query_dim, scale=1.0),
        draw.normal(batch, num_keys, key_dim, scale=1.0),
        draw.normal(batch, num_keys, v),
        valid_lens,
    )
    return Case((Built({"score": score}), *args), want(score, *args))


def _every_key(want: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for score in (product_of_sums, minus_squared_distance):
            yield _pooling_case(draw, (1, 1, 2, 3, 3, 1), None, want, score)
            yield _pooling_case(draw, (1, 2, 3, 3, 3, 3), None, want, score)
            yield _pooling_case(draw, (2, 2, 2, 2, 2, 2), None, want, score)  # every axis of the same size
            yield _pooling_case(draw, (2, 3, 4, 5, 5, 2), None, want, score)

    return cases


def _any_score(draw: Draw) -> Iterator[Case]:
    """Scores that are modules, queries and keys of different widths, values wider or narrower than keys."""
    for sizes in ((1, 1, 2, 2, 3, 1), (2, 3, 2, 4, 2, 5), (2, 2, 3, 1, 3, 2)):
        for score in (product_of_sums, LearnedScore(draw.normal(*sizes[3:5], scale=1.0))):
            case = _pooling_case(draw, sizes, None, _pooled, score)
            yield Case(case.args, case.want.detach())


def _length_a_sequence(want: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _pooling_case(draw, (1, 1, 3, 2, 2, 1), torch.tensor([2]), want)
        yield _pooling_case(draw, (2, 1, 3, 2, 3, 2), torch.tensor([1, 3]), want)
        yield _pooling_case(draw, (2, 2, 2, 2, 2, 2), torch.tensor([2, 1]), want)
        yield _pooling_case(draw, (4, 3, 5, 2, 3, 2), draw.integers(1, 5, 4), want)
        yield _pooling_case(draw, (3, 3, 3, 2, 1, 4), torch.tensor([2, 1, 3]).int(), want)

    return cases


def _length_a_query(want: Callable) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        yield _pooling_case(draw, (1, 2, 3, 2, 2, 1), torch.tensor([[1, 2]]), want)
        yield _pooling_case(draw, (2, 2, 2, 2, 2, 2), torch.tensor([[2, 1], [1, 2]]), want)
        yield _pooling_case(draw, (3, 2, 4, 2, 3, 2), draw.integers(1, 4, 3, 2), want)

    return cases


def _large_sizes(draw: Draw) -> Iterator[Case]:
    yield _pooling_case(draw, (1, 2, 67, 2, 3, 2), torch.tensor([66]), _pooled)
    yield _pooling_case(draw, (1, 71, 3, 2, 2, 3), None, _pooled)
    yield _pooling_case(draw, (1, 2, 3, 2, 2, 67), None, _pooled)


def _loud_padding(draw: Draw) -> Iterator[Case]:
    for loudness in (1e3, -1e3):
        for lengths in (torch.tensor([2, 1]), torch.tensor([[2, 1], [1, 1]])):
            queries, keys, values = (draw.normal(2, size, 4) for size in (2, 3, 3))
            keys[:, 2:], values[:, 2:] = loudness, loudness
            args = (queries, keys, values, lengths)
            yield Case((Built({"score": product_of_sums}), *args), _pooled(product_of_sums, *args))
    # Scores of the valid keys near −20,000: what stands for −∞ has to be lower still.
    queries, keys, values = draw.integers(100, 102, 1, 2, 4).float(), draw.normal(1, 3, 4), draw.normal(1, 3, 4)
    args = (queries, keys, values, torch.tensor([2]))
    yield Case((Built({"score": minus_squared_distance}), *args), _pooled(minus_squared_distance, *args))


def _pooling_arguments(draw: Draw) -> Iterator[Case]:
    for lengths in (None, torch.tensor([1, 3]), torch.tensor([[1, 2], [3, 1]])):
        case = _pooling_case(
            draw, (2, 2, 3, 3, 3, 2), lengths, lambda *args: ("queries", "keys", "values", "valid_lens")
        )
        yield case
        yield Case((Built({"score": product_of_sums, "dropout": 0.5}, training=True), *case.args[1:]), case.want)


def _pooling_gradients(draw: Draw) -> Iterator[Case]:
    def want(score, *args):
        return gradients(3)(lambda *inputs: _pooled(score, *inputs), clones(args))

    for lengths in (None, torch.tensor([2, 3]), torch.tensor([[1, 2], [3, 2]])):
        for score in (product_of_sums, bounded):
            yield _pooling_case(draw, (2, 2, 3, 3, 2, 2), lengths, want, score)


def _pooling_types(draw: Draw) -> Iterator[Case]:
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        args = (*(draw.normal(2, size, 3, scale=0.4).to(dtype) for size in (2, 3, 3)), None)
        yield Case((Built({"score": product_of_sums}), *args), _pooled(product_of_sums, *args))


def _scores_that_learn(draw: Draw) -> Iterator[Case]:
    """What is wanted is the gradient that reaches the score's one parameter."""
    for widths in ((2, 2), (2, 3)):
        score = LearnedScore(draw.normal(*widths, scale=1.0))
        case = _pooling_case(draw, (2, 2, 3, *widths, 2), None, _pooled, score)
        yield Case(case.args, torch.autograd.grad(weighted_sum(case.want), score.matrix)[0].flatten())


@torch.random.fork_rng(devices=())
def _gradient_of_all_that_is_learned(answer: Callable, args: tuple) -> Tensor | None:
    """Observe the gradients of all parameters of the pooling, one behind the other."""
    module = args[0].build(answer)
    own = list(named_parameters(module).values())
    if not own:
        raise CannotObserve("the score has a parameter, and the pooling's `parameters()` has none")
    result = module(*args[1:])
    if not isinstance(result, Tensor) or not result.requires_grad:
        return None
    found = torch.autograd.grad(weighted_sum(result), own, allow_unused=True)
    return torch.cat(
        [
            torch.zeros(own_.numel()) if gradient is None else gradient.flatten()
            for own_, gradient in zip(own, found, strict=True)
        ]
    )


def _is_the_scores_alone(got: Tensor | None, want: Tensor) -> str | None:
    if got is not None and got.shape != want.shape:
        return f"the score has {want.numel()} numbers to learn, and the pooling {got.numel()}"
    return right_gradient(got, want)


@torch.random.fork_rng(devices=())
def _kept(answer: Callable, args: tuple) -> Tensor:
    """Observe `.weights` after a call."""
    module = args[0].build(answer)
    module(*args[1:])
    return _weights_of(module)


@torch.random.fork_rng(devices=())
def _kept_after_two_calls(answer: Callable, args: tuple) -> Tensor:
    """Observe `.weights` after another call, and then the one of the case."""
    module = args[0].build(answer)
    module(-args[1], *args[2:])
    module(*args[1:])
    return _weights_of(module)


def _weights_of(module: nn.Module) -> Tensor:
    weights = getattr(module, "weights", None)
    if not isinstance(weights, Tensor):
        what = "nothing" if weights is None else f"a {type(weights).__name__}"
        raise CannotObserve(f"after a call it keeps {what} in `.weights`")
    return weights.detach()


_DROPOUTS = (0.5, 0.2)
_KEPT_BEFORE = "`.weights` holds the weights before dropout"


def _dropout_cases(want: str, training: bool, dropouts: tuple = _DROPOUTS) -> Callable[[Draw], Iterator[Case]]:
    def cases(draw: Draw) -> Iterator[Case]:
        for dropout in dropouts:
            batch, num_queries, num_keys = 4, 8, 16
            arguments = {"score": product_of_sums} | ({} if dropout is None else {"dropout": dropout})
            queries, keys = (draw.normal(batch, n, 2, scale=0.5) for n in (num_queries, num_keys))
            values = torch.eye(num_keys).repeat(1, 2).expand(batch, -1, -1).clone()
            yield Case((Built(arguments, training=training), queries, keys, values, None), want)

    return cases


@torch.random.fork_rng(devices=())
def _what_is_dropped(answer: Callable, args: tuple) -> str:
    """Observe in words what happens between the weights and the output; random numbers have no part in them."""
    module = args[0].build(answer)
    weights = product_of_sums(*args[1:3]).softmax(-1)
    outputs = []
    for _ in range(2):
        result = module(*args[1:])
        problem = has_shape(result, weights.repeat(1, 1, 2))
        if problem:
            raise CannotObserve(problem)
        outputs.append(result.detach())
    return what_is_dropped(weights, torch.stack(outputs), args[0].arguments.get("dropout", 0.0))


@torch.random.fork_rng(devices=())
def _what_is_kept(answer: Callable, args: tuple) -> str:
    """Observe in words which weights `.weights` holds after a call with dropout."""
    module = args[0].build(answer)
    weights = product_of_sums(*args[1:3]).softmax(-1)  # before the call, which may change what it is given
    module(*args[1:])
    kept = _weights_of(module)
    problem = has_shape(kept, weights)
    if problem:
        raise CannotObserve(f"of `.weights`: {problem}")
    if close(kept, weights):
        return _KEPT_BEFORE
    some = kept != 0
    after = not some.all() and any(
        close(kept[some], weights[some] / by) for by in (1, 1 - args[0].arguments["dropout"])
    )
    return f"`.weights` holds {'what dropout left of the weights' if after else 'something else than the weights'}"


def _is_as_wanted(got: str, want: str) -> str | None:
    return None if got == want else got


EXERCISE = Exercise(
    name="AttentionPooling",
    arguments=("AttentionPooling", "queries", "keys", "values", "valid_lens"),
    properties=(
        Property(
            "gives one pooled value for each query: (batch, query, v)",
            _every_key(_pooled),
            through(output),
            has_shape,
        ),
        Property(
            "it is the mean of the values, weighted by the softmax of the scores over the keys",
            _every_key(_pooled),
            through(output),
            equals,
        ),
        Property(
            "takes any score: a function or a module, of queries and keys of any width",
            _any_score,
            through(output),
            equals,
        ),
        Property("`.weights` keeps the weights", _every_key(_kept_weights), _kept, equals, suggests="no-weights-kept"),
        Property(
            "keys beyond a sequence's length have no weight, and the others share all of it",
            _length_a_sequence(_pooled),
            through(output),
            equals,
        ),
        Property(
            "takes lengths of shape (batch, query) too",
            _length_a_query(_pooled),
            through(output),
            equals,
            suggests="ignores-2d-lengths",
        ),
        Property("whatever lies in the padding makes no difference", _loud_padding, through(output), equals),
        Property("`.weights` keeps the masked weights", _length_a_sequence(_kept_weights), _kept, equals),
        Property(
            "each call is answered for itself",
            _length_a_sequence(_pooled),
            through(after_another_call(output)),
            equals,
            suggests="answers-from-memory",
        ),
        Property(
            "`.weights` are those of the last call",
            _length_a_sequence(_kept_weights),
            _kept_after_two_calls,
            equals,
            suggests="first-weights-kept",
        ),
        Property(
            "in training, `dropout` drops single weights and divides the others by 1 − dropout",
            _dropout_cases(DROPPED, training=True),
            _what_is_dropped,
            _is_as_wanted,
        ),
        Property(
            "in evaluation mode nothing is dropped",
            _dropout_cases(NOTHING_DROPPED, training=False),
            _what_is_dropped,
            _is_as_wanted,
            suggests="dropout-in-evaluation",
        ),
        Property(
            "with `dropout=0.0`, and if nothing is said, nothing is dropped in training either",
            _dropout_cases(NOTHING_DROPPED, training=True, dropouts=(0.0, None)),
            _what_is_dropped,
            _is_as_wanted,
            suggests="dropout-fixed",
        ),
        Property(
            "`.weights` keeps the weights as they are before dropout",
            _dropout_cases(_KEPT_BEFORE, training=True),
            _what_is_kept,
            _is_as_wanted,
            suggests="weights-after-dropout",
        ),
        Property(
            "leaves its arguments as they were",
            _pooling_arguments,
            through(changed_arguments),
            leaves_arguments_alone,
            suggests="writes-into-arguments",
        ),
        Property(
            "its gradient reaches queries, keys and values, and is right",
            _pooling_gradients,
            through(gradients(3)),
            right_gradient,
            shows=GRADIENT,
        ),
        Property(
            "what the score learns is learned along: its parameters are the pooling's, which has no others",
            _scores_that_learn,
            _gradient_of_all_that_is_learned,
            _is_the_scores_alone,
            suggests="score-not-learned",
            shows="the gradient of all that the pooling learns was",
        ),
        Property("keeps the type: float16, bfloat16 and float64 work", _pooling_types, through(output), equals),
        at_any_size(_large_sizes, through(output)),
        own_work(_every_key(_pooled), forbidden_in_class),
    ),
    misconceptions=MISTAKES,
)
