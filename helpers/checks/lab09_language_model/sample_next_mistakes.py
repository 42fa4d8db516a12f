"""The mistakes that people make in `sample_next`, each with the wrong implementations that show it."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.spoiling import overwriting, remembering


def _refuse_negative(temperature: float) -> None:
    if temperature < 0:
        raise ValueError(f"temperature must not be negative, and is {temperature}")


def _kept(logits: Tensor, top_k: int | None) -> Tensor:
    """The logits with −∞ for all but the `top_k` largest."""
    if top_k is None:
        return logits
    places = logits.topk(top_k).indices
    return torch.full_like(logits, -torch.inf).scatter(-1, places, logits.gather(-1, places))


def _softmax_of(logits: Tensor, temperature: float) -> Tensor:
    return (logits / temperature).softmax(-1)


def _one_draw(probabilities: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(1)


def _sampling(
    refuse: Callable = _refuse_negative,
    keep: Callable = _kept,
    weigh: Callable = _softmax_of,
    draw: Callable = _one_draw,
    greedy: Callable = lambda logits: logits.argmax(-1),
    is_greedy: Callable = lambda temperature: temperature == 0,
    result: Callable = lambda ids: ids,
    temperature: float = 1.0,
) -> Callable:
    """Sampling out of parts, of which one has a mistake."""
    default = temperature

    def sample(logits, temperature=default, top_k=None, generator=None):
        refuse(temperature)
        if is_greedy(temperature):
            return result(greedy(logits))
        return result(draw(weigh(keep(logits, top_k), temperature), generator))

    return sample


_right = _sampling()


def _changed(change: Callable) -> Callable:
    """The right answer, with one of its arguments changed before."""

    def sample(logits, temperature=1.0, top_k=None, generator=None):
        return _right(*change(logits, temperature, top_k, generator))

    return sample


def _with_k(change: Callable[[int, int], int]) -> Callable:
    """The right answer with another number of tokens kept: a function of `top_k` and the vocabulary's size."""
    return _changed(lambda logits, t, k, g: (logits, t, k if k is None else change(k, logits.shape[1]), g))


def _zeroed(logits: Tensor, top_k: int | None) -> Tensor:
    kept = _kept(logits, top_k)
    return kept.masked_fill(kept == -torch.inf, 0.0)


def _threshold(logits: Tensor, top_k: int | None) -> Tensor:
    if top_k is None:
        return logits
    return logits.masked_fill(logits < logits.topk(top_k).values[:, -1:], -torch.inf)


def _over_the_threshold(logits: Tensor, top_k: int | None) -> Tensor:
    if top_k in (None, logits.shape[-1]):
        return logits
    return logits.masked_fill(logits <= logits.topk(top_k).values[:, -1:], -torch.inf)


def _of_the_whole_batch(logits: Tensor, top_k: int | None) -> Tensor:
    if top_k is None:
        return logits
    smallest = logits.max(0).values.topk(top_k).indices
    return torch.full_like(logits, -torch.inf).index_copy(1, smallest, logits[:, smallest])


def _place_among_the_kept(logits, temperature=1.0, top_k=None, generator=None):
    _refuse_negative(temperature)
    if temperature == 0:
        return logits.argmax(-1)
    if top_k is not None:
        logits = logits.topk(top_k).values
    return _one_draw(_softmax_of(logits, temperature), generator)


def _masked_in_place(logits, temperature=1.0, top_k=None, generator=None):
    ids = _right(logits, temperature, top_k, generator)
    if top_k is not None:
        logits.copy_(_kept(logits, top_k))
    return ids


def _divided_in_place(logits, temperature=1.0, top_k=None, generator=None):
    ids = _right(logits, temperature, top_k, generator)
    if temperature:
        logits /= temperature
    return ids


def _by_plain_exponentials(logits: Tensor, temperature: float) -> Tensor:
    exps = (logits / temperature).exp()
    return exps / exps.sum(-1, keepdim=True)


def _normal(probabilities: Tensor, generator: torch.Generator | None) -> Tensor:
    return probabilities.argmax(-1)


def _one_for_all(probabilities: Tensor, generator: torch.Generator | None) -> Tensor:
    return _one_draw(probabilities[:1], generator).expand(len(probabilities)).clone()


def _one_number_for_all(probabilities: Tensor, generator: torch.Generator | None) -> Tensor:
    """Each row by its own probabilities, all with one random number."""
    at = torch.rand(1, generator=generator)
    return (probabilities.cumsum(-1) < at).sum(-1).clamp(max=probabilities.shape[1] - 1)


def _one_number_for_all_kept(probabilities: Tensor, generator: torch.Generator | None) -> Tensor:
    seed = int(torch.randint(2**31, (1,), generator=generator))
    return torch.cat(
        [torch.multinomial(row, 1, generator=torch.Generator().manual_seed(seed)) for row in probabilities]
    )


def _named_by_nothing(temperature: float) -> None:
    if temperature < 0:
        raise ValueError("this can't be")


def _asserted(temperature: float) -> None:
    assert temperature >= 0, "temperature must not be negative"


def _generator_made(way: Callable) -> Callable:
    """The right answer with another generator than the caller's, where there is one."""
    return _changed(lambda logits, t, k, g: (logits, t, k, g if g is None else way(g)))


def _seeding_globally(generator: torch.Generator) -> torch.Generator:
    return torch.default_generator.manual_seed(generator.initial_seed())


def _in_memory() -> Callable:
    answer = remembering(_right)
    return lambda logits, temperature=1.0, top_k=None, generator=None: answer(logits, temperature, top_k, generator)


def _small(logits, temperature=1.0, top_k=None, generator=None):
    top_k = None if top_k is None else min(top_k, 64, logits.shape[1])
    ids = _right(logits[:64, :64], temperature, top_k, generator)
    return torch.cat([ids, torch.zeros(max(0, len(logits) - 64), dtype=torch.int64)])


def _first_64_tokens(logits, temperature=1.0, top_k=None, generator=None):
    return _right(logits[:, :64], temperature, top_k and min(top_k, 64), generator)


def _without_names(spoiled: Callable) -> Callable:
    return lambda logits, temperature=1.0, top_k=None, generator=None: spoiled(logits, temperature, top_k, generator)


MISTAKES = (
    Misconception(
        "multiplies-by-the-temperature",
        "the logits are multiplied by the temperature",
        "A high temperature makes the choice *bolder*: all tokens come closer together. Multiplied, the large logits "
        "get ahead still further. Which way is it?",
        (
            _sampling(weigh=lambda logits, t: (logits * t).softmax(-1)),
            _changed(lambda logits, t, k, g: (logits, t and 1 / t, k, g)),
        ),
    ),
    Misconception(
        "temperature-after-the-softmax",
        "the temperature comes after the softmax, or has no effect at all",
        "At 0.5 the likely tokens should come more often than at 1, at 2 less often. Probabilities that are all "
        "divided by the same number are in the same proportion as before: the temperature acts on the logits, before "
        "the softmax.",
        (
            _sampling(weigh=lambda logits, t: logits.softmax(-1) / t),
            _sampling(weigh=lambda logits, t: logits.softmax(-1)),
            _sampling(weigh=lambda logits, t: (logits.softmax(-1) / t).softmax(-1)),
        ),
    ),
    Misconception(
        "fails-at-temperature-0",
        "at temperature 0 something goes wrong",
        "Nothing can be divided by 0. What softmax(logits / temperature) comes to as the temperature falls is all the "
        "weight on the likeliest token: that is what 0 stands for, and it takes a line of its own.",
        (
            _sampling(is_greedy=lambda t: False),
            _sampling(is_greedy=lambda t: False, weigh=lambda logits, t: (logits / t).softmax(-1).nan_to_num(0.0)),
            _sampling(is_greedy=lambda t: False, weigh=lambda logits, t: _softmax_of(logits, t or 1.0)),
            _sampling(
                is_greedy=lambda t: False,
                draw=lambda p, g: torch.where(p.isnan().any(-1), 0, _one_draw(p.nan_to_num(1.0), g)),
            ),
        ),
    ),
    Misconception(
        "others-set-to-zero",
        "the logits that don't remain are set to 0",
        "exp(0) is 1: a logit of 0 is an ordinary logit, and often a large one. Which logit has the probability 0?",
        (_sampling(keep=_zeroed),),
    ),
    Misconception(
        "one-kept-too-many",
        "one token more remains than `top_k` says",
        "With `top_k` = 2 two tokens can come. Count those that can in yours: is the k-th largest logit at place k?",
        (_with_k(lambda k, size: min(k + 1, size)),),
    ),
    Misconception(
        "one-kept-too-few",
        "one token less remains than `top_k` says",
        "With `top_k` = 2 two tokens can come. In yours the last of them never does. Is it > where it should be ≥?",
        (_with_k(lambda k, size: max(k - 1, 1)), _sampling(keep=_over_the_threshold)),
    ),
    Misconception(
        "ties-all-kept",
        "of equals at the border, all are kept",
        "A threshold at the k-th largest logit lets all pass that are as large. Exactly k remain, and among equals any "
        "choice will do.",
        (_sampling(keep=_threshold),),
    ),
    Misconception(
        "top-k-ignored",
        "`top_k` has no effect",
        "With `top_k` only the k likeliest tokens can come, and the others never do.",
        (_sampling(keep=lambda logits, k: logits),),
    ),
    Misconception(
        "top-k-of-the-batch",
        "which tokens remain isn't decided row by row",
        "Each row has k likeliest tokens of its own.",
        (
            _sampling(keep=_of_the_whole_batch),
            _sampling(
                keep=lambda logits, k: (
                    logits
                    if k is None
                    else torch.full_like(logits, -torch.inf).index_copy(
                        1, logits[0].topk(k).indices, logits[:, logits[0].topk(k).indices]
                    )
                )
            ),
        ),
    ),
    Misconception(
        "least-likely-kept",
        "the least likely tokens remain, not the likeliest",
        "`topk` and `sort` take an argument that says which end they begin at.",
        (
            _sampling(
                keep=lambda logits, k: (
                    logits
                    if k is None
                    else torch.full_like(logits, -torch.inf).scatter(
                        1, logits.argsort(-1)[:, :k], logits.gather(1, logits.argsort(-1)[:, :k])
                    )
                )
            ),
        ),
    ),
    Misconception(
        "place-among-the-kept",
        "what comes back is a place among the tokens that remain, not an id",
        "Once you have drawn from the k likeliest, you know that it is the first of them, or the third. Which token of "
        "the vocabulary is that?",
        (_place_among_the_kept,),
    ),
    Misconception(
        "one-draw-for-the-batch",
        "one draw serves the whole batch",
        "Each row is a text of its own, and goes on in its own way: two rows with the same logits get the same token "
        "only by chance.",
        (
            _sampling(draw=_one_for_all),
            _sampling(draw=_one_number_for_all),
            _sampling(draw=_one_number_for_all_kept),
            _sampling(draw=lambda p, g: _one_draw(p.mean(0, keepdim=True), g).expand(len(p)).clone()),
        ),
    ),
    Misconception(
        "always-the-likeliest",
        "nothing is drawn: it is always the likeliest token",
        "That is what temperature 0 asks for. At any other, tokens are drawn, and the less likely ones come too.",
        (_sampling(draw=_normal), _sampling(draw=lambda p, g: p.topk(1).indices[:, 0])),
    ),
    Misconception(
        "drawn-evenly",
        "all tokens that can come are drawn equally often",
        "Likely tokens come more often: as often as the softmax says.",
        (_sampling(weigh=lambda logits, t: (logits > -torch.inf).float()),),
    ),
    mistakes.NO_SOFTMAX.explained(
        "Logits aren't probabilities, and may be negative. The softmax makes them into something to draw from.",
        _sampling(weigh=lambda logits, t: logits / t),
        _sampling(weigh=lambda logits, t: (logits / t).clamp(min=0) + 1e-9),
    ),
    Misconception(
        "logarithms-for-probabilities",
        "logarithms are drawn from",
        "`multinomial` wants weights that are positive, not their logarithms.",
        (
            _sampling(weigh=lambda logits, t: -(logits / t).log_softmax(-1)),
            _sampling(weigh=lambda logits, t: (logits / t).log_softmax(-1).abs()),
        ),
    ),
    mistakes.SOFTMAX_OVER_BATCH.explained(
        "Each row is a distribution over the *vocabulary*. Yours runs down the batch.",
        _sampling(weigh=lambda logits, t: (logits / t).softmax(0).nan_to_num(0.0) + 1e-12),
    ),
    mistakes.ARGMAX_OVER_WRONG_AXIS.explained(
        "The likeliest token is looked for along the vocabulary, in each row.",
        _sampling(greedy=lambda logits: logits.argmax(0)),
        _sampling(greedy=lambda logits: logits.argmax()),
    ),
    mistakes.LEAST_LIKELY.explained(
        "At temperature 0 it is the token with the *largest* logit.", _sampling(greedy=lambda logits: logits.argmin(-1))
    ),
    Misconception(
        "negative-temperature",
        "a negative temperature isn't refused, or not by a ValueError that names it",
        "It would turn everything round: the least likely token would come most often. Somebody who passes it has "
        "made a mistake, and should be told which argument it was.",
        (
            _sampling(refuse=lambda temperature: None),
            _sampling(refuse=_named_by_nothing),
            _sampling(refuse=_asserted),
            _sampling(refuse=lambda temperature: None, is_greedy=lambda temperature: temperature <= 0),
        ),
    ),
    mistakes.IGNORES_GENERATOR.row(
        _generator_made(lambda generator: None),
        _generator_made(lambda generator: torch.Generator().manual_seed(0)),
        _generator_made(lambda generator: generator.manual_seed(0)),
        _generator_made(lambda generator: generator.manual_seed(generator.initial_seed())),
        _generator_made(_seeding_globally),
    ),
    Misconception(
        "none-is-no-generator",
        "without a generator the draws don't come from PyTorch's own",
        "`None` is what PyTorch's random functions take for their own generator, the one that `torch.manual_seed` "
        "seeds. Hand it on as it is.",
        (
            _changed(lambda logits, t, k, g: (logits, t, k, g or torch.Generator().manual_seed(0))),
            _changed(lambda logits, t, k, g: (logits, t, k, g or torch.default_generator.manual_seed(0))),
        ),
    ),
    Misconception(
        "default-temperature",
        "without a temperature it isn't 1",
        "The default of `temperature` is 1.0: the model's own distribution.",
        (_sampling(temperature=0.0), _sampling(temperature=0.5), _sampling(temperature=0.7)),
    ),
    mistakes.OVERFLOW.explained(
        "The exponential of a large logit is infinite, and infinity over infinity is NaN. `softmax` takes the row's "
        "maximum away first.",
        _sampling(weigh=_by_plain_exponentials),
        _sampling(weigh=lambda logits, t: _by_plain_exponentials(logits, t).nan_to_num(0.0) + 1e-30),
    ),
    mistakes.AXIS_LEFT_OVER.explained(
        "What is asked for is one id for each row, (batch,). Drawing functions give a column for each draw.",
        _sampling(result=lambda ids: ids.unsqueeze(1)),
        _sampling(result=lambda ids: ids.unsqueeze(0)),
    ),
    mistakes.AXIS_LOST.row(_sampling(result=lambda ids: ids.squeeze())),
    mistakes.NOT_A_TENSOR.explained(
        "What comes back is a tensor of ids, (batch,): `.tolist()` and `.item()` make Python numbers of it.",
        _sampling(result=lambda ids: ids.tolist()),
        _sampling(result=lambda ids: int(ids[0])),
    ),
    mistakes.LOGITS_FOR_TOKENS.explained(
        "Asked for are ids, one for each row, and not the numbers that they are drawn by.",
        _sampling(draw=lambda p, g: p, greedy=lambda logits: logits),
        _sampling(draw=lambda p, g: p.max(-1).values, greedy=lambda logits: logits.max(-1).values),
        _sampling(greedy=lambda logits: torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[1])),
    ),
    mistakes.WRITES_INTO_ARGUMENTS.row(
        _masked_in_place, _divided_in_place, _without_names(overwriting(0)(_right)), arguments="logits"
    ),
    mistakes.ANSWERS_FROM_MEMORY.row(_in_memory()),
    mistakes.SMALL_SIZES_ONLY.row(_small, _first_64_tokens),
    mistakes.nothing_returned(),
)
