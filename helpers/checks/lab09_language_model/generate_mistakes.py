"""The mistakes that people make in `generate`, each with the wrong implementations that show it."""

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from helpers.checks import mistakes
from helpers.checks.engine import Misconception


def _likeliest(logits: Tensor) -> int:
    return int(logits[0, -1].argmax())


def _write(
    model: Callable,
    prompt: list[int],
    max_new_tokens: int,
    eos: int,
    choose: Callable = _likeliest,
    feed: Callable = lambda ids, token: [token],
    hand_on: Callable = lambda cache: cache,
    most: Callable = lambda max_new_tokens, prompt: max_new_tokens,
    ends: Callable = lambda token, eos, ids: token == eos,
    keeps_eos: bool = False,
    result: Callable = lambda written, prompt: written,
) -> Any:
    """Greedy generation with a cache, right but for what is changed."""
    ids, written, most_tokens = list(prompt), list[int](), most(max_new_tokens, prompt)
    if most_tokens <= 0:
        return result(written, prompt)
    logits, cache = model(torch.tensor([prompt]), None)
    while True:
        token = choose(logits)
        if ends(token, eos, ids):
            return result([*written, token] if keeps_eos else written, prompt)
        written.append(token)
        ids.append(token)
        if len(written) >= most_tokens:
            return result(written, prompt)
        logits, cache = model(torch.tensor([feed(ids, token)]), hand_on(cache))


def _greedy(context: Callable = torch.no_grad, **changes: Any) -> Callable:
    def generate(model, prompt, max_new_tokens, eos):
        with context():
            return _write(model, prompt, max_new_tokens, eos, **changes)

    return generate


_right = _greedy()


def _twice_fed(model, prompt, max_new_tokens, eos):
    """The prompt is fed for the cache, and then its last token once more for the logits."""
    if not max_new_tokens:
        return []
    with torch.no_grad():
        _, cache = model(torch.tensor([prompt]), None)
        written, token = [], prompt[-1]
        while len(written) < max_new_tokens:
            logits, cache = model(torch.tensor([[token]]), cache)
            token = _likeliest(logits)
            if token == eos:
                break
            written.append(token)
    return written


def _first_cache_for_ever(model, prompt, max_new_tokens, eos):
    written: list[int] = []
    with torch.no_grad():
        logits, cache = model(torch.tensor([prompt]), None)
        while len(written) < max_new_tokens:
            token = _likeliest(logits)
            if token == eos:
                break
            written.append(token)
            logits, _ = model(torch.tensor([[token]]), cache)
    return written


def _one_by_one(model, prompt, max_new_tokens, eos):
    """The prompt is fed token by token."""
    if not max_new_tokens:
        return []
    with torch.no_grad():
        cache, logits = None, None
        for token in prompt:
            logits, cache = model(torch.tensor([[token]]), cache)
        written: list[int] = []
        while (token := _likeliest(logits)) != eos and len(written) < max_new_tokens:
            written.append(token)
            logits, cache = model(torch.tensor([[token]]), cache)
    return written


def _last_of_the_prompt_only(model, prompt, max_new_tokens, eos):
    return _right(model, prompt[-1:], max_new_tokens, eos)


def _goes_on_after_eos(model, prompt, max_new_tokens, eos):
    with torch.no_grad():
        written = _write(model, prompt, max_new_tokens, eos, ends=lambda token, eos, ids: False)
    return [token for token in written if token != eos]


def _cut_afterwards(model, prompt, max_new_tokens, eos):
    with torch.no_grad():
        written = _write(model, prompt, max_new_tokens, eos, ends=lambda token, eos, ids: False)
    return written[: written.index(eos)] if eos in written else written


def _extends_the_prompt(model, prompt, max_new_tokens, eos):
    written = _right(model, prompt, max_new_tokens, eos)
    prompt += written
    return written


def _switches_off(model, prompt, max_new_tokens, eos):
    torch.set_grad_enabled(False)
    return _write(model, prompt, max_new_tokens, eos)


def _switches_on(model, prompt, max_new_tokens, eos):
    written = _switches_off(model, prompt, max_new_tokens, eos)
    torch.set_grad_enabled(True)
    return written


def _evaluates(model, prompt, max_new_tokens, eos):
    if isinstance(model, nn.Module):
        model.eval()
    return _right(model, prompt, max_new_tokens, eos)


def _needs_a_module(model, prompt, max_new_tokens, eos):
    mode = model.training
    model.eval()
    try:
        return _right(model, prompt, max_new_tokens, eos)
    finally:
        model.train(mode)


def _of_the_model(model, prompt, max_new_tokens, eos):
    return _right(model.forward, prompt, max_new_tokens, eos)


def _at_least_one(model, prompt, max_new_tokens, eos):
    return _right(model, prompt, max(1, max_new_tokens), eos)


def _within_the_prompt(model, prompt, max_new_tokens, eos):
    return [] if eos in prompt else _right(model, prompt, max_new_tokens, eos)


def _in_memory() -> Callable:
    answered: list[list[int]] = []

    def generate(model, prompt, max_new_tokens, eos):
        if not answered:
            answered.append(_right(model, prompt, max_new_tokens, eos))
        return list(answered[0])

    return generate


def _up_to_64(model, prompt, max_new_tokens, eos):
    return _right(model, prompt, min(max_new_tokens, 64), eos)


def _prompt_up_to_64(model, prompt, max_new_tokens, eos):
    return _right(model, prompt[-64:], max_new_tokens, eos)


MISTAKES = (
    Misconception(
        "whole-sequence-again",
        "the whole sequence is fed again, along with the cache",
        "What is in the cache has been read. Fed once more, it stands there twice, and every position after it is "
        "wrong. With the cache in hand only the new token is left to read.",
        (
            _greedy(feed=lambda ids, token: list(ids)),
            _greedy(feed=lambda ids, token: ids[-2:]),
        ),
    ),
    Misconception(
        "cache-unused",
        "the cache isn't used: every step reads everything again",
        "The tokens are right, and dearly paid for: each new token costs as much as all before it together. That is "
        "what the cache is there to save.",
        (_greedy(feed=lambda ids, token: list(ids), hand_on=lambda cache: None),),
    ),
    Misconception(
        "cache-not-handed-on",
        "the cache isn't handed on",
        "Without it the model sees one token, at position 0, and knows of nothing before. Each call gives a new cache "
        "for the next one.",
        (_greedy(hand_on=lambda cache: None),),
    ),
    Misconception(
        "first-cache-for-ever",
        "the cache of the prompt is used for every token",
        "The cache that comes back is the longer one. If it isn't kept, the model forgets each token that it has just "
        "written.",
        (_first_cache_for_ever,),
    ),
    Misconception(
        "logits-of-another-position",
        "the token is chosen by the logits of the wrong position",
        "The model gives logits for every position that it is fed. What comes after the prompt is said at its last "
        "one.",
        (
            _greedy(choose=lambda logits: int(logits[0, 0].argmax())),
            _greedy(choose=lambda logits: int(logits[0].mean(0).argmax())),
            _greedy(choose=lambda logits: int(logits[0, max(-2, -logits.shape[1])].argmax())),
        ),
    ),
    mistakes.ARGMAX_OVER_WRONG_AXIS.explained(
        "The likeliest token is looked for along the vocabulary, the last axis of the logits.",
        _greedy(choose=lambda logits: int(logits[0].argmax(0)[-1])),
        _greedy(choose=lambda logits: int(logits.argmax())),
    ),
    Misconception(
        "last-token-fed-twice",
        "the prompt's last token is fed a second time",
        "The call that reads the prompt gives the logits for the first new token, too. They are there already.",
        (_twice_fed,),
    ),
    Misconception(
        "prompt-fed-one-by-one",
        "the prompt is fed token by token",
        "The numbers are the same, and it takes a call for each token. The whole prompt is known: it can be read in "
        "one call, and only what the model writes has to come one by one.",
        (_one_by_one,),
    ),
    Misconception(
        "rest-of-the-prompt-unread",
        "only the prompt's last token is read",
        "What to write next depends on all of the prompt.",
        (_last_of_the_prompt_only,),
    ),
    mistakes.EOS_IN_THE_RESULT.explained(
        "`eos` says that the text is over. It is no part of the text.",
        *(_greedy(keeps_eos=True),),
    ),
    Misconception(
        "eos-does-not-stop-it",
        "it goes on after `eos`",
        "After `eos` there is nothing more to say, whatever the model would write: stop asking it.",
        (_greedy(ends=lambda token, eos, ids: False), _goes_on_after_eos, _cut_afterwards),
    ),
    Misconception(
        "one-token-too-many",
        "it writes more tokens than `max_new_tokens`",
        "Count: how many tokens are in the list when your loop ends?",
        (_greedy(most=lambda most, prompt: most + 1), _at_least_one),
    ),
    Misconception(
        "one-token-too-few",
        "it writes fewer tokens than it may",
        "The call that reads the prompt gives a token as well. How many tokens are in the list when your loop ends?",
        (_greedy(most=lambda most, prompt: most - 1),),
    ),
    Misconception(
        "prompt-counted",
        "the prompt counts towards `max_new_tokens`",
        "It is the number of *new* tokens, however long the prompt is.",
        (
            _greedy(most=lambda most, prompt: most - len(prompt)),
            _greedy(most=lambda most, prompt: most - len(prompt) + 1),
        ),
    ),
    Misconception(
        "prompt-in-the-result",
        "the prompt is part of the result",
        "The caller has the prompt already. What comes back is the new tokens.",
        (_greedy(result=lambda written, prompt: [*prompt, *written]),),
    ),
    Misconception(
        "ended-by-the-prompt",
        "an `eos` in the prompt ends the text",
        "Only an `eos` that the model *writes* ends anything. A prompt may well hold one, between two sentences.",
        (_within_the_prompt, _greedy(ends=lambda token, eos, ids: token == eos or eos in ids)),
    ),
    mistakes.IDS_BY_HEART.explained(
        "Which id ends a text is said by `eos`; it differs from vocabulary to vocabulary.",
        _greedy(ends=lambda token, eos, ids: token == 2),
        _greedy(ends=lambda token, eos, ids: token == 0),
    ),
    mistakes.SAMPLING.explained(
        "Greedy means the likeliest token, every time.",
        _greedy(choose=lambda logits: int(torch.multinomial(logits[0, -1].softmax(-1), 1))),
    ),
    mistakes.LEAST_LIKELY.explained(
        "The likeliest token has the *largest* logit.", _greedy(choose=lambda logits: int(logits[0, -1].argmin()))
    ),
    Misconception(
        "not-a-list-of-numbers",
        "what comes back isn't a list of whole numbers",
        "A list of ids is asked for, as the prompt is one: `.item()` or `int(...)` makes a number of a tensor.",
        (
            _greedy(result=lambda written, prompt: torch.tensor(written)),
            _greedy(result=lambda written, prompt: [torch.tensor(token) for token in written]),
            _greedy(result=lambda written, prompt: [[token] for token in written]),
            _greedy(result=lambda written, prompt: tuple(written)),
            _greedy(result=lambda written, prompt: torch.tensor([written])),
        ),
    ),
    mistakes.NO_REPETITIONS.row(
        lambda *args: list(dict.fromkeys(_right(*args))),
        lambda *args: [token for token, _ in itertools.groupby(_right(*args))],
    ),
    mistakes.KEEPS_A_GRAPH.explained(
        "Nothing is trained here. With gradients on, PyTorch keeps what it needs for all the steps, and the memory "
        "grows with every token.",
        *(_write,),
    ),
    mistakes.GRADIENTS_OFF_FOR_ALL.explained(
        "Gradients are switched for everyone, and aren't switched back to what they were: a training that comes "
        "afterwards is in for a surprise. Turn them off for a block, or for the function.",
        _switches_off,
        _switches_on,
    ),
    Misconception(
        "a-module-is-needed",
        "it works only if the model is a module",
        "`model` is anything that can be called: a module, a function, a method. In which mode it is, is its owner's "
        "business.",
        (_needs_a_module, _of_the_model),
    ),
    mistakes.MODE_CHANGED.explained(
        "In which mode the model is, is its owner's business: leave it alone.",
        _evaluates,
    ),
    mistakes.WRITES_INTO_ARGUMENTS.explained(
        "The result is right, but the caller's prompt has grown. `append` and `+=` change the list that was handed "
        "over: make one of your own first.",
        _extends_the_prompt,
    ),
    mistakes.ANSWERS_FROM_MEMORY.row(_in_memory()),
    mistakes.SMALL_SIZES_ONLY.row(_up_to_64, _prompt_up_to_64),
    mistakes.nothing_returned(),
)
