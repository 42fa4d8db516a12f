"""Answers to `generate`, as students write them: right in many styles, wrong in many ways."""

import torch

from tests.checks.bank import Bank

BANK = Bank("generate")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
@torch.no_grad()
def feeds_what_is_new(model, prompt, max_new_tokens, eos):
    written, cache, ids = [], None, torch.tensor([prompt])
    for _ in range(max_new_tokens):
        logits, cache = model(ids, cache)
        token = logits[0, -1].argmax().item()
        if token == eos:
            break
        written.append(token)
        ids = torch.tensor([[token]])
    return written


@right
def the_last_one_is_fed_as_well(model, prompt, max_new_tokens, eos):
    if max_new_tokens == 0:
        return []
    result = []
    with torch.inference_mode():
        logits, cache = model(torch.tensor(prompt).unsqueeze(0), None)
        while len(result) < max_new_tokens:
            following = logits[:, -1].argmax(dim=-1, keepdim=True)
            if following.item() == eos:
                return result
            result.append(int(following))
            logits, cache = model(following, cache=cache)
    return result


@right
def with_gradients_put_back(model, prompt, max_new_tokens, eos):
    before = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    try:
        ids = list(prompt)
        step, cache = torch.LongTensor([ids]), None
        while len(ids) - len(prompt) < max_new_tokens:
            logits, cache = model(step, cache)
            best = max(range(logits.shape[-1]), key=lambda token: float(logits[0, -1, token]))
            if best == eos:
                break
            ids.append(best)
            step = torch.LongTensor([[best]])
        return ids[len(prompt) :]
    finally:
        torch.set_grad_enabled(before)


@right
def by_recursion(model, prompt, max_new_tokens, eos):
    def more(ids, cache, left):
        if left == 0:
            return []
        with torch.no_grad():
            logits, cache = model(torch.tensor([ids], dtype=torch.int64), cache)
        token = int(logits.squeeze(0)[-1].topk(1).indices)
        return [] if token == eos else [token, *more([token], cache, left - 1)]

    return more(prompt, None, max_new_tokens)


@right
def with_a_generator(model, prompt, max_new_tokens, eos):
    def tokens():
        cache, ids = None, torch.tensor([prompt])
        while True:
            with torch.no_grad():
                logits, cache = model(ids, cache)
            ids = logits[:, -1:].softmax(-1).argmax(-1)
            yield int(ids)

    written = []
    if max_new_tokens:
        for token in tokens():
            if token == eos:
                break
            written.append(token)
            if len(written) == max_new_tokens:
                break
    return written


@right
def appended_then_cut(model, prompt, max_new_tokens, eos):
    written = []
    with torch.no_grad():
        while len(written) < max_new_tokens and eos not in written:
            if not written:
                logits, cache = model(torch.tensor([prompt]), None)
            else:
                logits, cache = model(torch.tensor([written[-1:]]), cache)
            written.append(logits[0, -1].argmax().item())
    return written[:-1] if written and written[-1] == eos else written


# === Wrong ============================================================================================================


@wrong(named="whole-sequence-again")
@torch.no_grad()
def all_with_the_cache(model, prompt, max_new_tokens, eos):
    ids, cache = list(prompt), None
    for _ in range(max_new_tokens):
        logits, cache = model(torch.tensor([ids]), cache)
        token = int(logits[0, -1].argmax())
        if token == eos:
            break
        ids.append(token)
    return ids[len(prompt) :]


@wrong(named="cache-unused")
@torch.no_grad()
def everything_each_time(model, prompt, max_new_tokens, eos):
    ids = list(prompt)
    for _ in range(max_new_tokens):
        logits, _ = model(torch.tensor([ids]), None)
        token = int(logits[0, -1].argmax())
        if token == eos:
            break
        ids.append(token)
    return ids[len(prompt) :]


@wrong(named="cache-not-handed-on")
@torch.no_grad()
def one_token_without_a_past(model, prompt, max_new_tokens, eos):
    written, ids = [], torch.tensor([prompt])
    for _ in range(max_new_tokens):
        logits, _ = model(ids, None)
        token = int(logits[0, -1].argmax())
        if token == eos:
            break
        written.append(token)
        ids = torch.tensor([[token]])
    return written


@wrong(named="first-cache-for-ever")
@torch.no_grad()
def cache_of_the_prompt(model, prompt, max_new_tokens, eos):
    written = []
    logits, cache = model(torch.tensor([prompt]), None)
    for _ in range(max_new_tokens):
        token = int(logits[0, -1].argmax())
        if token == eos:
            break
        written.append(token)
        logits, _ = model(torch.tensor([[token]]), cache)
    return written


@wrong(named="logits-of-another-position")
@torch.no_grad()
def logits_at_the_start(model, prompt, max_new_tokens, eos):
    written, cache, ids = [], None, torch.tensor([prompt])
    for _ in range(max_new_tokens):
        logits, cache = model(ids, cache)
        token = logits[0, 0].argmax().item()
        if token == eos:
            break
        written.append(token)
        ids = torch.tensor([[token]])
    return written


@wrong(named="eos-in-the-result")
@torch.no_grad()
def appends_before_it_looks(model, prompt, max_new_tokens, eos):
    written, cache, ids = [], None, torch.tensor([prompt])
    for _ in range(max_new_tokens):
        logits, cache = model(ids, cache)
        token = logits[0, -1].argmax().item()
        written.append(token)
        if token == eos:
            break
        ids = torch.tensor([[token]])
    return written


@wrong(named="one-token-too-many")
@torch.no_grad()
def one_before_the_loop(model, prompt, max_new_tokens, eos):
    logits, cache = model(torch.tensor([prompt]), None)
    token, written = logits[0, -1].argmax().item(), []
    if token == eos:
        return written
    written.append(token)
    for _ in range(max_new_tokens):
        logits, cache = model(torch.tensor([[token]]), cache)
        token = logits[0, -1].argmax().item()
        if token == eos:
            break
        written.append(token)
    return written


@wrong(named="one-token-too-few")
def stops_early(model, prompt, max_new_tokens, eos):
    return feeds_what_is_new(model, prompt, max(0, max_new_tokens - 1), eos)


@wrong(named="prompt-counted")
def length_of_everything(model, prompt, max_new_tokens, eos):
    return feeds_what_is_new(model, prompt, max(0, max_new_tokens - len(prompt)), eos)


@wrong(named="prompt-in-the-result")
def prompt_and_all(model, prompt, max_new_tokens, eos):
    return prompt + feeds_what_is_new(model, prompt, max_new_tokens, eos)


@wrong(named="eos-does-not-stop-it")
def no_end(model, prompt, max_new_tokens, eos):
    return feeds_what_is_new(model, prompt, max_new_tokens, -1)


@wrong(named="ids-by-heart")
def the_usual_eos(model, prompt, max_new_tokens, eos=2):
    return feeds_what_is_new(model, prompt, max_new_tokens, 2)


@wrong(named="keeps-a-graph")
def with_gradients(model, prompt, max_new_tokens, eos):
    written, cache, ids = [], None, torch.tensor([prompt])
    for _ in range(max_new_tokens):
        logits, cache = model(ids, cache)
        token = logits[0, -1].argmax().item()
        if token == eos:
            break
        written.append(token)
        ids = torch.tensor([[token]])
    return written


@wrong(named="gradients-off-for-all")
def off_for_good(model, prompt, max_new_tokens, eos):
    torch.set_grad_enabled(False)
    return with_gradients(model, prompt, max_new_tokens, eos)


@wrong(named="gradients-off-for-all")
def on_for_everyone(model, prompt, max_new_tokens, eos):
    torch.set_grad_enabled(False)
    written = with_gradients(model, prompt, max_new_tokens, eos)
    torch.set_grad_enabled(True)
    return written


@wrong(named="a-module-is-needed")
def puts_it_into_evaluation(model, prompt, max_new_tokens, eos):
    was_training = model.training
    model.eval()
    written = feeds_what_is_new(model, prompt, max_new_tokens, eos)
    model.train(was_training)
    return written


@wrong(named="mode-changed")
def evaluation_if_it_can(model, prompt, max_new_tokens, eos):
    if hasattr(model, "eval"):
        model.eval()
    return feeds_what_is_new(model, prompt, max_new_tokens, eos)


@wrong(named="writes-into-arguments")
def appends_to_the_prompt(model, prompt, max_new_tokens, eos):
    start = len(prompt)
    for token in feeds_what_is_new(model, list(prompt), max_new_tokens, eos):
        prompt.append(token)
    return prompt[start:]


@wrong(named="not-a-list-of-numbers")
def a_tensor(model, prompt, max_new_tokens, eos):
    return torch.tensor(feeds_what_is_new(model, prompt, max_new_tokens, eos))


@wrong(named="prompt-fed-one-by-one")
@torch.no_grad()
def letter_by_letter(model, prompt, max_new_tokens, eos):
    cache, written = None, []
    for token in prompt:
        logits, cache = model(torch.tensor([[token]]), cache)
    while len(written) < max_new_tokens:
        token = int(logits[0, -1].argmax())
        if token == eos:
            break
        written.append(token)
        logits, cache = model(torch.tensor([[token]]), cache)
    return written


@wrong(named="sampling")
@torch.no_grad()
def by_chance(model, prompt, max_new_tokens, eos):
    written, cache, ids = [], None, torch.tensor([prompt])
    for _ in range(max_new_tokens):
        logits, cache = model(ids, cache)
        token = torch.multinomial(logits[0, -1].softmax(-1), 1).item()
        if token == eos:
            break
        written.append(token)
        ids = torch.tensor([[token]])
    return written


@wrong(named="ended-by-the-prompt")
def an_end_in_the_prompt(model, prompt, max_new_tokens, eos):
    return [] if prompt.count(eos) else feeds_what_is_new(model, prompt, max_new_tokens, eos)


@wrong(named="no-repetitions")
def repeats_itself_never(model, prompt, max_new_tokens, eos):
    return list(dict.fromkeys(feeds_what_is_new(model, prompt, max_new_tokens, eos)))


@wrong(named="no-repetitions")
def no_token_twice_in_a_row(model, prompt, max_new_tokens, eos):
    kept = []
    for token in feeds_what_is_new(model, prompt, max_new_tokens, eos):
        if kept[-1:] != [token]:
            kept.append(token)
    return kept
