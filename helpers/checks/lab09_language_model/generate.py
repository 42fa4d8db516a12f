"""`generate`: what a right answer does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from helpers.checks.engine import CannotObserve, Case, Draw, Exercise, Property
from helpers.checks.judging import at_any_size
from helpers.checks.lab09_language_model.generate_mistakes import MISTAKES
from helpers.checks.language_models import WatchedLanguageModel, counting_model

_VOCAB = 7
_EOS = 2


@dataclass(frozen=True, eq=False)
class Script:
    """What the model of a case writes after which prompt, and the numbers that make it do so."""

    prompt: tuple[int, ...]
    written: tuple[int, ...]
    logits: Tensor
    training: bool = False

    def build(self) -> WatchedLanguageModel:
        model = WatchedLanguageModel(*self.logits.shape[:2])
        model.load_state_dict({"logits": self.logits}, strict=False)
        return model.train(self.training)

    def __str__(self) -> str:
        return f"a model that, after {list(self.prompt)}, writes {list(self.written)}"


def _case(
    draw: Draw,
    prompt: list[int],
    written: list[int],
    max_new_tokens: int,
    eos: int = _EOS,
    vocab_size: int = _VOCAB,
    training: bool = False,
) -> Case:
    """A case in which the model goes on with these tokens; the wanted result is what is before `eos`, and not more."""
    positions = len(prompt) + len(written) + 2
    logits = draw.integers(0, 20, positions, vocab_size, vocab_size) / 10 + torch.arange(vocab_size) / 1000
    logits[:, :, eos] -= 3  # only where the script says so
    ids = [*prompt, *written]
    for place in range(len(prompt) - 1, len(ids) - 1):
        logits[place, ids[place], ids[place + 1]] = 3.0
    want = written[: written.index(eos)] if eos in written else written
    return Case(
        (Script(tuple(prompt), tuple(written), logits, training), prompt, max_new_tokens, eos), want[:max_new_tokens]
    )


def _first_tokens(draw: Draw) -> Iterator[Case]:
    yield _case(draw, [1], [4, 3], 1)
    yield _case(draw, [1, 5, 3], [6, 0], 1)
    yield _case(draw, [3, 3, 4, 1], [5, 1], 1)


def _several(draw: Draw) -> Iterator[Case]:
    yield _case(draw, [1], [4, 3, 5], 3)
    yield _case(draw, [1, 5, 3], [6, 0, 6, 4, 1], 5)
    yield _case(draw, [4, 4], [4, 4, 4, 1], 4)


def _ending(draw: Draw) -> Iterator[Case]:
    yield _case(draw, [1, 3], [4, 6, _EOS, 5, 5], 5)
    yield _case(draw, [5], [0, _EOS, 3, 1], 4)
    yield _case(draw, [1, 3, 3], [4, 6, 5, _EOS, 5, 5], 9)


def _at_once(draw: Draw) -> Iterator[Case]:
    yield _case(draw, [1, 3], [_EOS, 4, 4], 3)
    yield _case(draw, [6], [_EOS, 5], 1)


def _just_in_time(draw: Draw) -> Iterator[Case]:
    yield _case(draw, [1, 3], [4, 6, _EOS, 5], 2)
    yield _case(draw, [1, 3], [4, 6, _EOS, 5], 3)
    yield _case(draw, [5, 1, 4, 3, 6], [0, 4, 5], 2)


def _none_asked_for(draw: Draw) -> Iterator[Case]:
    yield _case(draw, [1], [4, 3], 0)
    yield _case(draw, [1, 5, 3], [6], 0)


def _other_eos(draw: Draw) -> Iterator[Case]:
    for eos in (0, 6):
        yield _case(draw, [1, 4], [2, 5, 2, eos, 3], 5, eos)


def _eos_in_the_prompt(draw: Draw) -> Iterator[Case]:
    yield _case(draw, [_EOS, 3, 4], [5, 1, _EOS, 3], 4)
    yield _case(draw, [3, _EOS], [5, 4, 3], 3)


def _all_kinds(draw: Draw) -> Iterator[Case]:
    yield _case(draw, [1, 5, 3], [6, 0, 6, 4], 3)
    yield _case(draw, [1, 3], [4, 6, _EOS, 5], 5)
    yield _case(draw, [1, 3, 4], [_EOS, 5], 5, training=True)


def _of_all_kinds(want: Any) -> Callable[[Draw], Iterator[Case]]:
    return lambda draw: (Case(case.args, want) for case in _all_kinds(draw))


def _calls(draw: Draw) -> Iterator[Case]:
    """The wanted sizes of the calls, without the last token's, which may be fed or not."""
    for case in (*_several(draw), *_ending(draw)):
        tokens = len(case.want) + (len(case.want) < case.args[2])  # an `eos` is chosen, too
        yield Case(case.args, [len(case.args[1]), *[1] * (tokens - 1)])


def _plain_functions(draw: Draw) -> Iterator[Case]:
    for prompt, count, eos in (([1], 4, 6), ([2, 5, 3], 6, 4), ([0, 1], 5, 1)):
        ids = list(prompt)
        while len(ids) < len(prompt) + count:
            following = (ids[-1] + 3 * (len(ids) - 1)) % 7
            if following == eos:
                break
            ids.append(following)
        yield Case((counting_model, prompt, count, eos), ids[len(prompt) :])


def _large(draw: Draw) -> Iterator[Case]:
    yield _case(draw, draw.integers(3, 6, 67).tolist(), [4, 3, _EOS, 1], 5)
    yield _case(draw, [1, 3], draw.integers(3, 6, 131).tolist(), 131)
    yield _case(draw, [1, 80], [77, 90, 70, 96], 4, vocab_size=101)


def _watching(observe: Callable[[nn.Module, Callable, tuple], Any]) -> Callable[[Callable, tuple], Any]:
    """An observer that gets the case's model, the call of the answer with it, and the other arguments."""

    @torch.random.fork_rng(devices=())
    def observe_with_model(answer: Callable, args: tuple) -> Any:
        torch.manual_seed(0)
        model = args[0].build()
        return observe(model, lambda *others: answer(model, *others), args[1:])

    return observe_with_model


def _copied(args: tuple) -> tuple:
    prompt, *others = args
    return (list(prompt), *others)


def _tokens(result: Any) -> list[int]:
    """What an answer gave, if it is a list of whole numbers.

    Raises:
        CannotObserve: otherwise; the message says what came instead.
    """
    if result is None:
        raise CannotObserve("it gave None")
    if not isinstance(result, list):
        raise CannotObserve(f"it gave a {type(result).__name__}, not a list of ids")
    others = [token for token in result if type(token) is not int]
    if others:
        raise CannotObserve(f"its list holds a {type(others[0]).__name__}, not whole numbers alone")
    return list(result)


@_watching
def _written(model: nn.Module, call: Callable, args: tuple) -> list[int]:
    return _tokens(call(*_copied(args)))


@torch.random.fork_rng(devices=())
def _by_a_function(answer: Callable, args: tuple) -> list[int]:
    torch.manual_seed(0)
    return _tokens(answer(args[0], *_copied(args[1:])))


def _same_tokens(got: list, want: list[int]) -> str | None:
    return None if got == want else f"it wrote {got}, and should have written {want}"


@_watching
def _sizes_of_calls(model: nn.Module, call: Callable, args: tuple) -> list[int]:
    call(*_copied(args))
    state = model.state_dict()
    return state["fed"][: int(state["calls"])].tolist()


def _fed_once(got: list[int], want: list[int]) -> str | None:
    if got in (want, [*want, 1]):
        return None
    return f"the model was fed {_listed(got)} tokens, call after call, and should have been fed {_listed(want)}"


def _listed(sizes: list[int]) -> str:
    return ", ".join(map(str, sizes)) or "no"


@_watching
def _calls_with_gradients(model: nn.Module, call: Callable, args: tuple) -> int:
    call(*_copied(args))
    return int(model.state_dict()["with_gradients"])


def _none_with_gradients(got: int, want: Any) -> str | None:
    return "the model was called with gradients turned on" if got else None


@_watching
def _gradients_afterwards(model: nn.Module, call: Callable, args: tuple) -> tuple[bool, bool]:
    """Observe whether gradients are on after a call, first where they were on before, then where they were off."""
    call(*_copied(args))
    on = torch.is_grad_enabled()
    with torch.no_grad():
        call(*_copied(args))
        return on, torch.is_grad_enabled()


def _as_before(got: tuple[bool, bool], want: Any) -> str | None:
    if not got[0]:
        return "after the call gradients are turned off for everyone"
    return "after the call gradients are on, which were off before" if got[1] else None


@_watching
def _changed(model: nn.Module, call: Callable, args: tuple) -> tuple[str, ...]:
    """Observe what isn't as it was before the call: the prompt, or the model's mode and numbers."""
    prompt, *others = _copied(args)
    before, mode = model.state_dict()["logits"].clone(), model.training
    call(prompt, *others)
    changed = [] if prompt == list(args[0]) else ["the prompt"]
    changed += [] if model.training == mode else ["the model's mode"]
    same = torch.equal(model.state_dict()["logits"], before) and model.get_parameter("logits").requires_grad
    return (*changed, *(() if same else ("the model's numbers, or whether they learn",)))


def _nothing_changed(got: tuple[str, ...], want: Any) -> str | None:
    return f"it changed {' and '.join(got)}" if got else None


def _what_changed(got: tuple[str, ...], case: Case) -> str:
    return "mode-changed" if got == ("the model's mode",) else "writes-into-arguments"


def _after_another(answer: Callable, args: tuple) -> list[int]:
    """Observe what is written after a call with another model, and one with another prompt."""
    script, prompt, *others = args
    other, model = Script(script.prompt, script.written, -script.logits).build(), script.build()
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        answer(other, list(prompt), *others)
        answer(model, [3] * len(prompt), *others)
        return _tokens(answer(model, list(prompt), *others))


EXERCISE = Exercise(
    name="generate",
    arguments=("model", "prompt", "max_new_tokens", "eos"),
    properties=(
        Property("the first token is the likeliest one after the whole prompt", _first_tokens, _written, _same_tokens),
        Property("each further token is the likeliest one after those before", _several, _written, _same_tokens),
        Property("stops after `eos`, which isn't part of the result", _ending, _written, _same_tokens),
        Property("an `eos` at once gives an empty list", _at_once, _written, _same_tokens),
        Property("writes `max_new_tokens` tokens at most", _just_in_time, _written, _same_tokens),
        Property("with `max_new_tokens` 0 the list is empty", _none_asked_for, _written, _same_tokens),
        Property("which id ends a text, `eos` says", _other_eos, _written, _same_tokens, suggests="ids-by-heart"),
        Property(
            "an `eos` in the prompt ends nothing",
            _eos_in_the_prompt,
            _written,
            _same_tokens,
            suggests="ended-by-the-prompt",
        ),
        Property("feeds the prompt in one call, and then each new token alone", _calls, _sizes_of_calls, _fed_once),
        Property(
            "works with a model that is a plain function",
            _plain_functions,
            _by_a_function,
            _same_tokens,
            suggests="a-module-is-needed",
        ),
        Property(
            "calls the model without gradients",
            _of_all_kinds(None),
            _calls_with_gradients,
            _none_with_gradients,
            suggests="keeps-a-graph",
        ),
        Property(
            "leaves it as it was whether gradients are on",
            _of_all_kinds(None),
            _gradients_afterwards,
            _as_before,
            suggests="gradients-off-for-all",
        ),
        Property(
            "leaves the prompt and the model as they were",
            _of_all_kinds(None),
            _changed,
            _nothing_changed,
            suggests=_what_changed,
        ),
        Property(
            "each call is answered for itself", _several, _after_another, _same_tokens, suggests="answers-from-memory"
        ),
        at_any_size(_large, _written, _same_tokens),
    ),
    misconceptions=MISTAKES,
)
