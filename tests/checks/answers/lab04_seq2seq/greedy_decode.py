"""Answers to `greedy_decode`, as students write them: right in many styles, wrong in many ways."""

import copy

import torch
import torch.nn.functional as F

from tests.checks.answers.lab04_seq2seq.shift_right import by_cat
from tests.checks.bank import Bank

BANK = Bank("greedy_decode")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def with_carried_state(model, encoder_x, length, start=0):
    mode = model.training
    model.eval()
    with torch.no_grad():
        _, state = model.encoder(model.embedding(encoder_x))
        token = torch.full((encoder_x.shape[0], 1), start)
        written = []
        for _ in range(length):
            output, state = model.decoder(model.embedding(token), state)
            token = torch.argmax(model.linear(output), dim=2)
            written.append(token)
    model.train(mode)
    return torch.cat(written, dim=1)


@right
@torch.no_grad()
def with_a_growing_prefix(model, encoder_x, length, start=0):
    was_training = model.training
    model.eval()
    try:
        tokens = encoder_x.new_full((len(encoder_x), 1), start)
        while tokens.shape[1] <= length:
            following = model(encoder_x, tokens)[:, -1].argmax(-1, keepdim=True)
            tokens = torch.cat([tokens, following], dim=1)
    finally:
        model.train(was_training)
    return tokens[:, 1:]


@right
def with_a_copy(model, encoder_x, length, start=0):
    ours = copy.deepcopy(model).eval()
    written = torch.zeros(len(encoder_x), length, dtype=torch.long)
    with torch.inference_mode():
        for row, source in enumerate(encoder_x):
            state = ours.encoder(ours.embedding(source[None]))[1]
            token = start
            for step in range(length):
                output, state = ours.decoder(ours.embedding(torch.tensor([[token]])), state)
                token = int(ours.linear(output[0, 0]).argmax())
                written[row, step] = token
    return written


@right
def into_a_prepared_tensor(model, encoder_x, length, start=0):
    """The decoder's input is filled from the left, and the whole model called on all of it each time."""
    modes = {part: part.training for part in model.modules()}
    model.train(False)
    decoder_x = torch.full((encoder_x.shape[0], length + 1), start)
    with torch.no_grad():
        for step in range(length):
            probabilities = model(encoder_x, decoder_x[:, :-1]).softmax(-1)
            decoder_x[:, step + 1] = probabilities[:, step].max(dim=-1).indices
    for part, mode in modes.items():
        part.training = mode
    return decoder_x[:, 1:]


@right
def by_topk_with_gradients_restored(model, encoder_x, length, start=0):
    enabled, was_training = torch.is_grad_enabled(), model.training
    torch.set_grad_enabled(False)
    model.eval()
    state = model.encoder(model.embedding(encoder_x))[1]
    token, rows = torch.full_like(encoder_x[:, 0], start), []
    for _ in range(length):
        outputs, state = model.decoder(model.embedding(token.unsqueeze(1)), state)
        token = model.linear(outputs.squeeze(1)).topk(1, dim=-1).indices[:, 0]
        rows.append(token)
    torch.set_grad_enabled(enabled)
    model.train(was_training)
    return torch.stack(rows).T.contiguous()


# === Wrong ============================================================================================================


def decoded(model, encoder_x, length, start=0, token_of=None, state_of=None, choose=None):
    """Right greedy decoding, but for what the arguments change."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        _, context = model.encoder(model.embedding(encoder_x))
        token, state, written = torch.full_like(encoder_x[:, :1], start), context, []
        for _ in range(length):
            output, state = model.decoder(model.embedding(token), state)
            token = (choose or (lambda logits: logits.argmax(-1)))(model.linear(output))
            written.append(token)
            token = token_of(token) if token_of else token
            state = state_of(state, context) if state_of else state
    model.train(was_training)
    return torch.cat(written, dim=1)


@wrong(named="state-not-carried")
def context_at_every_step(model, encoder_x, length, start=0):
    return decoded(model, encoder_x, length, start, state_of=lambda state, context: context)


@wrong(named="state-not-carried")
def the_model_on_one_token(model, encoder_x, length, start=0):
    mode, written = model.training, [torch.full_like(encoder_x[:, :1], start)]
    model.eval()
    with torch.no_grad():
        for _ in range(length):
            written.append(model(encoder_x, written[-1]).argmax(-1))
    model.train(mode)
    return torch.cat(written[1:], dim=1)


@wrong(named="feeds-the-start-token")
def start_at_every_step(model, encoder_x, length, start=0):
    return decoded(model, encoder_x, length, start, token_of=lambda token: torch.full_like(token, start))


@wrong(named="teacher-forcing")
def given_the_reversed_source(model, encoder_x, length, start=0):
    mode = model.training
    model.eval()
    with torch.no_grad():
        tokens = model(encoder_x, by_cat(encoder_x.flip(1), start)).argmax(-1)
    model.train(mode)
    return tokens


@wrong(named="teacher-forcing")
def given_the_source(model, encoder_x, length, start=0):
    mode = model.training
    model.eval()
    with torch.no_grad():
        tokens = model(encoder_x, encoder_x).argmax(-1)
    model.train(mode)
    return tokens


@wrong(named="sampling")
def drawn(model, encoder_x, length, start=0):
    def draw(logits):
        return torch.distributions.Categorical(logits=logits).sample()

    return decoded(model, encoder_x, length, start, choose=draw)


@wrong(named="mode-changed")
def left_in_evaluation_mode(model, encoder_x, length, start=0):
    model.eval()
    return decoded(model, encoder_x, length, start)


@wrong(named="mode-changed")
def left_in_training_mode(model, encoder_x, length, start=0):
    tokens = decoded(model, encoder_x, length, start)
    model.train()
    return tokens


@wrong(named="decodes-in-training-mode")
def mode_forgotten(model, encoder_x, length, start=0):
    with torch.no_grad():
        prefix = torch.full_like(encoder_x[:, :1], start)
        for _ in range(length):
            prefix = torch.cat([prefix, model(encoder_x, prefix)[:, -1:].argmax(-1)], dim=1)
    return prefix[:, 1:]


@wrong(named="keeps-a-graph")
def gradients_forgotten(model, encoder_x, length, start=0):
    mode = model.training
    model.eval()
    prefix = torch.full_like(encoder_x[:, :1], start)
    for _ in range(length):
        prefix = torch.cat([prefix, model(encoder_x, prefix)[:, -1:].argmax(-1)], dim=1)
    model.train(mode)
    return prefix[:, 1:].detach()


@wrong(named="keeps-a-graph")
def gradients_in_the_encoder(model, encoder_x, length, start=0):
    mode = model.training
    model.eval()
    _, state = model.encoder(model.embedding(encoder_x))
    token, written = torch.full_like(encoder_x[:, :1], start), []
    with torch.no_grad():
        for _ in range(length):
            output, state = model.decoder(model.embedding(token), state)
            token = model.linear(output).argmax(-1)
            written.append(token)
    model.train(mode)
    return torch.cat(written, dim=1)


@wrong(named="gradients-off-for-all")
def gradients_left_off(model, encoder_x, length, start=0):
    torch.set_grad_enabled(False)
    return decoded(model, encoder_x, length, start)


@wrong(named="stops-at-eos")
def done_when_all_are(model, encoder_x, length, start=0):
    tokens = decoded(model, encoder_x, length, start)
    ends = (tokens == 0).all(0).nonzero()
    return tokens[:, : int(ends[0]) + 1] if len(ends) else tokens


@wrong(named="stops-at-eos")
def eos_ever_after(model, encoder_x, length, start=0):
    tokens = decoded(model, encoder_x, length, start)
    return tokens.masked_fill((tokens == 0).cumsum(1) > 0, 0)


@wrong(named="ignores-start")
def always_from_eos(model, encoder_x, length, start=0):
    return decoded(model, encoder_x, length)


@wrong(named="ignores-length")
def as_long_as_the_source(model, encoder_x, length, start=0):
    return decoded(model, encoder_x, encoder_x.shape[1], start)


@wrong(named="start-in-the-result")
def start_included(model, encoder_x, length, start=0):
    return F.pad(decoded(model, encoder_x, length, start), (1, 0), value=start)


@wrong(named="one-sequence-for-all")
def by_item(model, encoder_x, length, start=0):
    """Right for one string."""
    return decoded(model, encoder_x, length, start, token_of=lambda token: torch.full_like(token, token[0].item()))


@wrong(named="first-step-again")
def first_logits(model, encoder_x, length, start=0):
    mode = model.training
    model.eval()
    prefix = torch.full_like(encoder_x[:, :1], start)
    with torch.no_grad():
        for _ in range(length):
            prefix = torch.cat([prefix, model(encoder_x, prefix)[:, 0].argmax(-1, keepdim=True)], dim=1)
    model.train(mode)
    return prefix[:, 1:]


@wrong(named="in-another-shape")
def a_list_of_columns(model, encoder_x, length, start=0):
    return list(decoded(model, encoder_x, length, start).split(1, dim=1))


@wrong(named="not-whole-numbers")
def as_floats(model, encoder_x, length, start=0):
    return decoded(model, encoder_x, length, start).to(torch.float32)


@wrong(named="changes-the-model")
def frozen_for_good(model, encoder_x, length, start=0):
    for parameter in model.parameters():
        parameter.requires_grad = False
    return decoded(model, encoder_x, length, start)


@wrong(named="token-read-late")
def the_token_before_last(model, encoder_x, length, start=0):
    """Reads what was written two steps ago: right for the first two tokens where they agree."""
    before = [torch.full_like(encoder_x[:, :1], start)]

    def delayed(token):
        before.append(token)
        return before[-2]

    return decoded(model, encoder_x, length, start, token_of=delayed)


@wrong(named="token-read-late")
def handed_on_before_it_is_chosen(model, encoder_x, length, start=0):
    was_training = model.training
    model.eval()
    new = token = torch.full((len(encoder_x), 1), start)
    result = torch.zeros(len(encoder_x), length, dtype=torch.long)
    with torch.no_grad():
        state = model.encoder(model.embedding(encoder_x))[1]
        for i in range(length):
            outputs, state = model.decoder(model.embedding(token), state)
            token = new
            new = model.linear(outputs).argmax(dim=2)
            result[:, i] = new[:, 0]
    model.train(was_training)
    return result


@wrong(named="never-ends")
def never_eos(model, encoder_x, length, start=0):
    def without_eos(logits):
        return logits[..., 1:].argmax(-1) + 1

    return decoded(model, encoder_x, length, start, choose=without_eos)


@wrong(named="never-ends")
def eos_put_out_of_reach(model, encoder_x, length, start=0):
    def others(logits):
        logits = logits.clone()
        logits[:, :, 0] = -1e9
        return torch.argmax(logits, dim=2)

    return decoded(model, encoder_x, length, start, choose=others)


@wrong(named="no-repetitions")
def never_the_same_twice(model, encoder_x, length, start=0):
    """Forbids a token to follow itself."""
    last = [torch.full_like(encoder_x[:, :1], -1)]

    def other(logits):
        same = torch.arange(logits.shape[-1]) == last[0].unsqueeze(-1)
        last[0] = logits.masked_fill(same, -torch.inf).argmax(-1)
        return last[0]

    return decoded(model, encoder_x, length, start, choose=other)


@wrong(named="no-repetitions")
def no_token_a_second_time(model, encoder_x, length, start=0):
    """What was written once is written no more."""
    used = [torch.zeros(len(encoder_x), 1, 0, dtype=torch.long)]

    def fresh(logits):
        for i, row in enumerate(torch.cat(used, 2)[:, 0].tolist()):
            logits[i, 0, row] = -1e9
        used.append(logits.argmax(2).unsqueeze(2))
        return logits.argmax(2)

    return decoded(model, encoder_x, length, start, choose=fresh)


def _remembering():
    known = {}

    def remembered_by_shape(model, encoder_x, length, start=0):
        key = (encoder_x.shape, length, start, model.training)
        if key not in known:
            known[key] = decoded(model, encoder_x, length, start)
        return known[key].clone()

    return remembered_by_shape


wrong(named=None)(_remembering())


@wrong(named="teacher-forcing")
def reads_the_reversed_source(model, encoder_x, length, start=0):
    """A loop as it should be, but for what the decoder reads."""
    mode = model.training
    model.eval()
    answer = torch.flip(encoder_x, [1])
    reads = torch.cat([torch.full_like(answer[:, :1], start), answer, answer[:, -1:].repeat(1, length)], dim=1)
    with torch.no_grad():
        state = model.encoder(model.embedding(encoder_x))[1]
        written = []
        for step in range(length):
            output, state = model.decoder(model.embedding(reads[:, step : step + 1]), state)
            written.append(model.linear(output).argmax(-1))
    model.train(mode)
    return torch.cat(written, dim=1)


@wrong(named="mode-changed")
def forgets_the_mode_where_eos_comes(model, encoder_x, length, start=0):
    mode = model.training
    tokens = with_carried_state(model, encoder_x, length, start)
    model.train(mode and not (tokens == 0).any())
    return tokens


@wrong(named="answers-from-memory")
def the_first_models_encoder(model, encoder_x, length, start=0):
    """Keeps what the encoder made of a source, whichever model asks again."""
    key = (tuple(encoder_x.flatten().tolist()), encoder_x.shape)
    mode = model.training
    model.eval()
    with torch.no_grad():
        if key not in _STATES:
            _STATES[key] = model.encoder(model.embedding(encoder_x))[1]
        state, token, written = _STATES[key], torch.full_like(encoder_x[:, :1], start), []
        for _ in range(length):
            output, state = model.decoder(model.embedding(token), state)
            token = model.linear(output).argmax(-1)
            written.append(token)
    model.train(mode)
    return torch.cat(written, dim=1)


_STATES: dict = {}
