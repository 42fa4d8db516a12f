"""Answers to `get_next_token`, as students write them: right in many styles, wrong in many ways."""

import torch
import torch.nn.functional as F

from tests.checks.answers.lab05_seq2seq_attention.decoding import joined
from tests.checks.answers.lab05_seq2seq_attention.get_context_vector import PlainDotProduct
from tests.checks.answers.lab05_seq2seq_attention.shared import RIGHT_EVERYWHERE, StepByStep
from tests.checks.bank import Bank

BANK = Bank("get_next_token")
right, wrong = BANK.right, BANK.wrong

for answer in RIGHT_EVERYWHERE:
    right(answer)


# === Wrong ============================================================================================================


def stepping(named):
    """A wrong answer that has its own `get_next_token(model, encoder_out, token, hidden_state)`."""

    def add(step):
        class Stepping(StepByStep):
            get_next_token = step

        Stepping.__name__ = step.__name__
        return wrong(named)(Stepping)

    return add


def next_output(model, encoder_out, token, hidden_state):
    return model.decoder(joined(model, encoder_out, token, hidden_state), hidden_state)


@stepping("old-state-returned")
def old_state_back(model, encoder_out, token, hidden_state):
    output, _ = next_output(model, encoder_out, token, hidden_state)
    return model.linear(output)[:, 0].argmax(1), hidden_state


@stepping("axis-left-over")
def tokens_as_a_column(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return model.linear(output).argmax(-1), state


@stepping("axis-lost")
def everything_squeezed(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return model.linear(output).squeeze().argmax(-1), state


@stepping("context-left-out")
def zeros_for_the_context(model, encoder_out, token, hidden_state):
    embedded = model.embedding(token)
    output, state = model.decoder(F.pad(embedded, (0, hidden_state.shape[-1])), hidden_state)
    return model.linear(output).squeeze(1).argmax(1), state


@stepping("context-left-out")
def as_in_lab_4(model, encoder_out, token, hidden_state):
    output, state = model.decoder(model.embedding(token), hidden_state)
    return model.linear(output).squeeze(1).argmax(1), state


@stepping("argmax-over-wrong-axis")
def best_string_for_each_letter(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return model.linear(output).squeeze(1).argmax(0), state


@stepping("argmax-over-wrong-axis")
def argmax_over_the_step(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return model.linear(output).argmax(dim=1), state


@stepping("sampling")
def drawn_at_random(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return torch.distributions.Categorical(logits=model.linear(output[:, 0])).sample(), state


@stepping("no-linear-layer")
def largest_unit(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return output.squeeze(1).argmax(-1), state


@stepping("logits-for-tokens")
def logits_back(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return model.linear(output).squeeze(1), state


@stepping("concatenated-in-the-other-order")
def the_other_order(model, encoder_out, token, hidden_state):
    context, _ = model.get_context_vector(encoder_out, hidden_state)
    output, state = model.decoder(torch.cat([context, model.embedding(token)], -1), hidden_state)
    return model.linear(output[:, -1]).argmax(-1), state


@stepping("state-left-out")
def from_zeros(model, encoder_out, token, hidden_state):
    output, state = model.decoder(joined(model, encoder_out, token, hidden_state))
    return model.linear(output[:, -1]).argmax(-1), state


@stepping("attends-with-the-new-state")
def looks_once_more(model, encoder_out, token, hidden_state):
    _, new = next_output(model, encoder_out, token, hidden_state)
    output, state = model.decoder(joined(model, encoder_out, token, new), hidden_state)
    return model.linear(output[:, -1]).argmax(-1), state


@stepping("token-ignored")
def start_token_each_time(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, torch.zeros_like(token), hidden_state)
    return model.linear(output[:, -1]).argmax(-1), state


@stepping("detached-gradient")
@torch.no_grad()
def without_gradients(model, encoder_out, token, hidden_state):
    return StepByStep.get_next_token(model, encoder_out, token, hidden_state)


@stepping("mode-changed")
def switched_to_evaluation(model, encoder_out, token, hidden_state):
    model.eval()
    return StepByStep.get_next_token(model, encoder_out, token, hidden_state)


@stepping("order-of-the-pair")
def state_in_front(model, encoder_out, token, hidden_state):
    return StepByStep.get_next_token(model, encoder_out, token, hidden_state)[::-1]


@stepping("not-a-pair")
def token_only(model, encoder_out, token, hidden_state):
    return StepByStep.get_next_token(model, encoder_out, token, hidden_state)[0]


@stepping("one-sequence-for-all")
def one_token_for_all(model, encoder_out, token, hidden_state):
    """Right for one string."""
    tokens, state = StepByStep.get_next_token(model, encoder_out, token, hidden_state)
    return tokens[:1].expand(len(tokens)), state


@stepping("one-sequence-for-all")
def first_string_decides(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    best = model.linear(output[0, -1]).argmax().item()
    return torch.full((len(token),), best), state


@stepping("never-ends")
def never_the_end(model, encoder_out, token, hidden_state):
    """Right unless `<eos>` is likeliest: the first token of the vocabulary is never chosen."""
    output, state = next_output(model, encoder_out, token, hidden_state)
    return model.linear(output[:, -1])[:, 1:].argmax(-1) + 1, state


@stepping("bias-left-out")
def without_the_bias(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return (output[:, -1] @ model.linear.weight.T).argmax(-1), state


@stepping("bias-left-out")
def by_the_functional_form(model, encoder_out, token, hidden_state):
    output, state = next_output(model, encoder_out, token, hidden_state)
    return F.linear(output, model.linear.weight).squeeze(1).argmax(dim=-1), state


@stepping("one-step-too-many")
def two_steps_at_once(model, encoder_out, token, hidden_state):
    tokens, state = StepByStep.get_next_token(model, encoder_out, token, hidden_state)
    return tokens, next_output(model, encoder_out, tokens.unsqueeze(1), state)[1]


@stepping("one-step-too-many")
def runs_the_decoder_twice(model, encoder_out, token, hidden_state):
    """Once for the output, and once more for the state."""
    output, hidden_state = next_output(model, encoder_out, token, hidden_state)
    _, hidden_state = next_output(model, encoder_out, token, hidden_state)
    return model.linear(output[:, 0]).argmax(1), hidden_state


@stepping("not-whole-numbers")
def tokens_as_floats(model, encoder_out, token, hidden_state):
    tokens, state = StepByStep.get_next_token(model, encoder_out, token, hidden_state)
    return tokens.float(), state


@stepping("not-whole-numbers")
def collected_in_zeros(model, encoder_out, token, hidden_state):
    tokens, state = StepByStep.get_next_token(model, encoder_out, token, hidden_state)
    best = torch.zeros(len(tokens))
    for i in range(len(tokens)):
        best[i] = tokens[i]
    return best, state


@wrong(named="wrong-context")
class NextOnAWrongContext(PlainDotProduct):
    pass
