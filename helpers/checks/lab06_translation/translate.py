"""`translate`: what a right answer does."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from helpers.checks.engine import CannotObserve, Case, Draw, Exercise, Property
from helpers.checks.judging import at_any_size, equals
from helpers.checks.lab06_translation.shared import SENTENCES, Words, said
from helpers.checks.lab06_translation.translate_mistakes import MISTAKES
from helpers.checks.translators import LONGEST_SOURCE, ScriptedTranslator

_ENGLISH = Words(SENTENCES)
_FRENCH = Words(("le chat noir voit un chien", "elle dort", "la maison rouge ."))
_FRENCH_REORDERED = Words(_FRENCH.sentences, ("<unk>", "<pad>", "chat", "dort", "<eos>", "noir", "<bos>"))


@dataclass(frozen=True, eq=False)
class Script:
    """What the translator of a case writes, `<eos>` included if it writes one, and the numbers that make it do so."""

    written: tuple[str, ...]
    target: Words
    weights: Mapping[str, Tensor]
    training: bool

    def build(self) -> ScriptedTranslator:
        steps = len(self.weights["logits"])
        model = ScriptedTranslator(_ENGLISH.tokenizer(), self.target.tokenizer(), steps)
        model.load_state_dict(self.weights)
        return model.train(self.training)

    def __str__(self) -> str:
        mode = "training" if self.training else "evaluation"
        return f"a model in {mode} mode that, decoded greedily, writes: {' '.join(self.written)}"


def _translate_case(
    draw: Draw,
    source: int | str,
    written: str,
    max_len: int,
    target: Words = _FRENCH,
    training: bool = False,
    unseen: int | None = None,
) -> Case:
    """A case with a source, or one of so many tokens, for which the model writes these.

    The source token at the place `unseen` is one that the model never looks at: its weights are exactly 0.
    """
    tokenizer = target.tokenizer()
    path = [tokenizer.token_to_id(token) for token in written.split()]
    vocab_size, steps = tokenizer.get_vocab_size(), len(path) + 2
    vocab = _ENGLISH.tokenizer().get_vocab_size()
    logits = draw.integers(0, 20, steps, vocab_size, vocab_size) / 10
    logits += torch.arange(vocab_size) / 1000  # no two alike
    logits[:, :, tokenizer.token_to_id("<eos>")] -= 3  # only where the path says so
    last = tokenizer.token_to_id("<bos>")
    for step, token in enumerate(path):
        logits[step, last, token] = 2.5
        last = token
    weights = {
        "keys.weight": draw.normal(vocab, 2, scale=1.0),
        "logits": logits,
        "scores": draw.normal(steps, vocab_size, LONGEST_SOURCE, scale=1.5),
    }
    if unseen is not None:
        weights["scores"][:, :, unseen] = -300
    script = Script(tuple(written.split()), target, weights, training)
    sentence = source if isinstance(source, str) else said(draw, source)[0]
    return Case((script, sentence, max_len), _translated(script, sentence, max_len))


def _translated(script: Script, sentence: str, max_len: int) -> tuple[list[str], Tensor]:
    """What a right answer gives: the script, with where it looks."""
    source, target = _ENGLISH.tokenizer(), script.target.tokenizer()
    ids = [*source.encode(sentence).ids, source.token_to_id("<eos>")]
    keys = script.weights["keys.weight"].double()[ids].sum(-1)
    tokens = [token for token in script.written if token != "<eos>"][:max_len]
    rows, last = [torch.zeros(0, len(ids), dtype=torch.float64)], target.token_to_id("<bos>")
    for step, token in enumerate(tokens):
        scores = keys + script.weights["scores"][step, last, : len(ids)].double()
        rows.append((scores.exp() / scores.exp().sum()).unsqueeze(0))
        last = target.token_to_id(token)
    return tokens, torch.cat(rows).float()


def _stops_by_itself(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 3, "le chat <eos>", 10)  # 3 tokens and <eos>: no padding
    yield _translate_case(draw, 3, "chat le chat noir <eos>", 9)
    yield _translate_case(draw, 7, "elle dort <eos>", 7)
    yield _translate_case(draw, 4, "elle dort dort <eos>", 8)  # the same word twice in a row


def _tokens_alone(draw: Draw) -> Iterator[Case]:
    return (Case(case.args, case.want[0]) for case in _stops_by_itself(draw))


def _writes_special_tokens(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 3, "le <unk> dort . <eos>", 10)
    yield _translate_case(draw, 3, "le <pad> chat <eos>", 10)
    yield _translate_case(draw, 4, "<bos> dort <unk> <pad> <eos>", 10)


def _of_any_kind(draw: Draw) -> Iterator[Case]:
    """Sources whose tokens aren't what stands between spaces, or aren't known."""
    for sentence in ("She sleeps.", "the dog's red-brick house, isn't it?", "Où est l'élève ?", "猫 看见 狗。", ""):
        yield _translate_case(draw, sentence, "elle dort <eos>", 8)


def _without_a_look(draw: Draw) -> Iterator[Case]:
    """The model never looks at some real token: its column is there all the same."""
    yield _translate_case(draw, 3, "le chat <eos>", 8, unseen=3)
    yield _translate_case(draw, 5, "elle dort la <eos>", 8, unseen=2)


def _long_texts(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 67, "le chat <eos>", 10)
    words = " ".join(("le chat noir voit un chien " * 12).split()[:67])
    yield _translate_case(draw, 2, f"{words} <eos>", 71)
    yield _translate_case(draw, 2, words, 66)


def _padded_by_the_model(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 1, "elle dort <eos>", 8)
    yield _translate_case(draw, 4, "le chat noir <eos>", 8)
    yield _translate_case(draw, 6, "dort chat <eos>", 8)


def _never_stops(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 3, "le chat le chat noir dort", 4)
    yield _translate_case(draw, 5, "chat noir le un chien", 1)
    yield _translate_case(draw, 2, "un chien voit un chien", 5)


def _just_in_time(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 3, "le chat dort <eos>", 3)
    yield _translate_case(draw, 3, "le chat dort <eos>", 4)


def _writes_nothing(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 3, "<eos>", 6)
    yield _translate_case(draw, 2, "<eos>", 6)


def _other_target_ids(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 3, "dort chat <unk> le <eos>", 8, _FRENCH_REORDERED)
    yield _translate_case(draw, 2, "chat dort chat dort", 3, _FRENCH_REORDERED)


def _given_in_training(draw: Draw) -> Iterator[Case]:
    yield _translate_case(draw, 3, "le chat noir dort <eos>", 8, training=True)
    yield _translate_case(draw, 4, "chat elle <eos>", 8, training=True)


def _either_mode(draw: Draw) -> Iterator[Case]:
    for training in (True, False):
        for written in ("le chat dort <eos>", "<eos>", "un chien voit un chien la maison", "le chat dort <eos> . . ."):
            yield Case(_translate_case(draw, 3, written, 6, training=training).args, training)


def _tables_after(draw: Draw) -> Iterator[Case]:
    for written in ("le chat dort <eos>", "<eos>", "un chien voit un chien la maison"):
        yield Case(_translate_case(draw, 3, written, 6, training=True).args, None)


_SEEDED = torch.Generator().manual_seed(0).get_state()


def _with_script(observe: Callable[[ScriptedTranslator, Callable, tuple], Any]) -> Callable[[Callable, tuple], Any]:
    """An observer that gets the case's model, the call of the answer with it, and the other arguments."""

    def observe_with_model(answer: Callable, args: tuple) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(_SEEDED)
            model = args[0].build()
            return observe(model, lambda *rest: answer(model, *rest), args[1:])

    return observe_with_model


def _translation(result: Any) -> tuple[list, Tensor]:
    """What an answer returned, if it is a list (or a tuple) and a tensor.

    Raises:
        CannotObserve: otherwise.
    """
    if result is None:
        raise CannotObserve("it gave None")
    if not isinstance(result, tuple | list) or len(result) != 2:
        of = f" of {len(result)}" if isinstance(result, tuple | list) else ""
        raise CannotObserve(f"it gave a {type(result).__name__}{of}, not a pair (tokens, weights)")
    tokens, weights = result
    problems = []
    if not isinstance(tokens, tuple | list):
        problems.append(f"its tokens are a {type(tokens).__name__}, not a list of strings")
    if not isinstance(weights, Tensor):
        problems.append(f"its weights are a {type(weights).__name__}, not a tensor")
    if problems:
        raise CannotObserve(", and ".join(problems))
    return list(tokens), weights.detach()


@_with_script
def _tokens(model: nn.Module, call: Callable, args: tuple) -> list:
    return _translation(call(*args))[0]


@_with_script
def _tokens_and_weights(model: nn.Module, call: Callable, args: tuple) -> tuple[list, Tensor]:
    return _translation(call(*args))


@_with_script
def _after_another_translation(model: nn.Module, call: Callable, args: tuple) -> tuple[list, Tensor]:
    """Observe a translation after one with other tables, and one of another sentence of the same length."""
    sentence, max_len = args
    tables = {name: table.clone() for name, table in model.state_dict().items()}
    model.load_state_dict({name: -table for name, table in tables.items()})
    call(sentence, max_len)
    model.load_state_dict(tables)
    call(" ".join(sentence.split()[::-1]), max_len)
    return _translation(call(*args))


def _same_tokens(got: list, want: list[str]) -> str | None:
    return None if got == want else f"the tokens are {got}, and should be {want}"


@_with_script
def _script_modes(model: nn.Module, call: Callable, args: tuple) -> tuple[bool, ...]:
    call(*args)
    return tuple(part.training for part in model.modules())


def _mode_kept(got: tuple[bool, ...], want: bool) -> str | None:
    if all(part == want for part in got):
        return None
    return f"a model in {'training' if want else 'evaluation'} mode is in another one afterwards"


@_with_script
def _script_changes(model: nn.Module, call: Callable, args: tuple) -> tuple[str, ...]:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    learning = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    call(*args)
    if not torch.is_grad_enabled():
        return ("whether gradients are on, for everyone",)
    return tuple(
        f"the model's {name}"
        for name, parameter in model.named_parameters()
        if not torch.equal(parameter.detach(), before[name]) or parameter.requires_grad != learning[name]
    )


def _unchanged(got: tuple[str, ...], want: Any) -> str | None:
    return f"it changed {got[0]}" if got else None


def _both(got: tuple, want: tuple) -> str | None:
    problem = _same_tokens(got[0], want[0])
    if problem:
        return problem
    problem = equals(got[1], want[1])
    return f"the tokens are right; of the weights: {problem}" if problem else None


EXERCISE = Exercise(
    name="translate",
    arguments=("model", "sentence", "max_len"),
    properties=(
        Property("writes the likeliest token at each step, until `<eos>`", _tokens_alone, _tokens, _same_tokens),
        Property("the weights have a row for each token written", _stops_by_itself, _tokens_and_weights, _both),
        Property(
            "the weights have a column for each real source token, `<eos>` included, and none for padding",
            _padded_by_the_model,
            _tokens_and_weights,
            _both,
        ),
        Property(
            "a model that doesn't stop is stopped after `max_len` tokens", _never_stops, _tokens_and_weights, _both
        ),
        Property("a translation of just `max_len` tokens comes whole", _just_in_time, _tokens_and_weights, _both),
        Property(
            "`<unk>`, `<pad>` and `<bos>` are tokens like any other",
            _writes_special_tokens,
            _tokens_and_weights,
            _both,
        ),
        Property(
            "the source may be any sentence: how many tokens it has, `valid_lens` says",
            _of_any_kind,
            _tokens_and_weights,
            _both,
            suggests="columns-counted-otherwise",
        ),
        Property(
            "a real source token has its column, even if nothing looks at it",
            _without_a_look,
            _tokens_and_weights,
            _both,
            suggests="columns-counted-otherwise",
        ),
        Property(
            "`<bos>` and `<eos>` have the ids that the target's tokenizer gives them",
            _other_target_ids,
            _tokens_and_weights,
            _both,
            suggests="ids-by-heart",
        ),
        Property(
            "an `<eos>` at once: no tokens, and weights of shape (0, S)",
            _writes_nothing,
            _tokens_and_weights,
            _both,
            suggests="fails-on-an-empty-translation",
        ),
        Property(
            "decodes in evaluation mode, whatever mode the model was in",
            _given_in_training,
            _tokens_and_weights,
            _both,
            suggests="decodes-in-training-mode",
        ),
        Property(
            "leaves the model in the mode that it found it in",
            _either_mode,
            _script_modes,
            _mode_kept,
            suggests="mode-changed",
        ),
        Property(
            "leaves the model's parameters, and whether gradients are on, as they were",
            _tables_after,
            _script_changes,
            _unchanged,
            suggests="changes-the-model",
        ),
        Property(
            "each call is answered for itself",
            _stops_by_itself,
            _after_another_translation,
            _both,
            suggests="answers-from-memory",
        ),
        at_any_size(_long_texts, _tokens_and_weights, _both),
    ),
    misconceptions=MISTAKES,
)
