"""Answers to `decoding`, as students write them: right in many styles, wrong in many ways."""

import torch
from torch import nn

from tests.checks.answers.lab05_seq2seq_attention.get_context_vector import MatrixOnTheState
from tests.checks.answers.lab05_seq2seq_attention.shared import RIGHT_EVERYWHERE, StepByStep
from tests.checks.bank import Bank

BANK = Bank("decoding")
right, wrong = BANK.right, BANK.wrong

for answer in RIGHT_EVERYWHERE:
    right(answer)


# === Wrong ============================================================================================================


def looping(named):
    """A wrong answer that differs in its step: (model, encoder_out, token, state, first state) -> (output, state)."""

    def add(step):
        class Looping(StepByStep):
            def decoding(self, encoder_out, decoder_x, hidden_state):
                outputs, first = [], hidden_state
                for i in range(decoder_x.shape[1]):
                    output, hidden_state = step(self, encoder_out, decoder_x[:, i : i + 1], hidden_state, first)
                    outputs.append(output)
                return torch.cat(outputs, 1), hidden_state

        Looping.__name__ = step.__name__
        return wrong(named)(Looping)

    return add


def joined(model, encoder_out, token, query):
    return torch.cat([model.embedding(token), model.get_context_vector(encoder_out, query)[0]], dim=-1)


@looping("context-once")
def always_the_first_question(model, encoder_out, token, state, first):
    return model.decoder(joined(model, encoder_out, token, first), state)


@wrong(named="context-once")
class WholeGruAtOnce(StepByStep):
    def decoding(self, encoder_out, decoder_x, hidden_state):
        context, _ = self.get_context_vector(encoder_out, hidden_state)
        embedded = self.embedding(decoder_x)
        return self.decoder(torch.cat([embedded, context.expand(-1, decoder_x.shape[1], -1)], -1), hidden_state)


@looping("concatenated-in-the-other-order")
def context_in_front(model, encoder_out, token, state, first):
    context, _ = model.get_context_vector(encoder_out, state)
    return model.decoder(torch.cat([context, model.embedding(token)], dim=-1), state)


@looping("state-not-carried")
def always_from_the_first_state(model, encoder_out, token, state, first):
    return model.decoder(joined(model, encoder_out, token, first), first)


@looping("state-not-carried")
def always_from_zeros(model, encoder_out, token, state, first):
    return model.decoder(joined(model, encoder_out, token, state))


@looping("context-of-the-wrong-state")
def question_of_the_new_state(model, encoder_out, token, state, first):
    _, new = model.decoder(joined(model, encoder_out, token, state), state)
    return model.decoder(joined(model, encoder_out, token, new), state)


@looping("context-left-out")
def nothing_for_a_context(model, encoder_out, token, state, first):
    nothing = torch.zeros(len(token), 1, state.shape[-1])
    return model.decoder(torch.cat([model.embedding(token), nothing], -1), state)


@looping("detached-gradient")
def state_cut_off(model, encoder_out, token, state, first):
    return model.decoder(joined(model, encoder_out, token, state), state.detach())


@looping("wrong-context")
def softmax_over_the_batch(model, encoder_out, token, state, first):
    weights = model.scores(encoder_out, state).softmax(0)
    context = (weights * encoder_out).sum(1, keepdim=True)
    return model.decoder(torch.cat([model.embedding(token), context], -1), state)


@looping("fixed-context")
def last_output_for_a_context(model, encoder_out, token, state, first):
    """The last encoder output is the context, whatever the question."""
    return model.decoder(torch.cat([model.embedding(token), encoder_out[:, -1:]], -1), state)


@wrong(named="fixed-context")
class LastOutputAtEveryStep(StepByStep):
    def decoding(self, encoder_out, decoder_x, hidden_state):
        context = encoder_out[:, -1].unsqueeze(1).repeat(1, decoder_x.shape[1], 1)
        return self.decoder(torch.cat((self.embedding(decoder_x), context), dim=2), hidden_state)


@looping(None)
def tanh_on_the_input(model, encoder_out, token, state, first):
    return model.decoder(joined(model, encoder_out, token, state).tanh(), state)


@looping("one-sequence-for-all")
def context_of_the_first_string(model, encoder_out, token, state, first):
    """Right for one string."""
    context = model.get_context_vector(encoder_out, state)[0][:1].expand(len(token), -1, -1)
    return model.decoder(torch.cat([model.embedding(token), context], -1), state)


@wrong(named="context-added")
class Adds(StepByStep):
    """Works wherever embeddings are as wide as states."""

    def __init__(self, vocab_size, embed_dim, hidden_dim):
        super().__init__(vocab_size, embed_dim, hidden_dim)
        self.decoder = nn.GRU(embed_dim, hidden_dim, batch_first=True)

    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs = []
        for token in decoder_x.split(1, 1):
            context, _ = self.get_context_vector(encoder_out, hidden_state)
            output, hidden_state = self.decoder(self.embedding(token) + context, hidden_state)
            outputs.append(output)
        return torch.cat(outputs, 1), hidden_state


@wrong(named="context-of-the-wrong-state")
class LooksAfterEachStep(StepByStep):
    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs, context = [], torch.zeros_like(encoder_out[:, :1])
        for token in decoder_x.split(1, 1):
            output, hidden_state = self.decoder(torch.cat([self.embedding(token), context], -1), hidden_state)
            context, _ = self.get_context_vector(encoder_out, hidden_state)
            outputs.append(output)
        return torch.cat(outputs, 1), hidden_state


@wrong(named="steps-of-the-source")
class AsManyStepsAsTheSource(StepByStep):
    """Right wherever source and target are equally long."""

    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs = []
        for i in range(encoder_out.shape[1]):
            token = decoder_x[:, i].unsqueeze(1)
            output, hidden_state = self.decoder(joined(self, encoder_out, token, hidden_state), hidden_state)
            outputs.append(output)
        return torch.cat(outputs, 1), hidden_state


@wrong(named="no-teacher-forcing")
class WithoutATeacher(StepByStep):
    def decoding(self, encoder_out, decoder_x, hidden_state):
        token, outputs = decoder_x[:, :1], []
        for _ in range(decoder_x.shape[1]):
            output, hidden_state = self.decoder(joined(self, encoder_out, token, hidden_state), hidden_state)
            token = self.linear(output).argmax(-1)
            outputs.append(output)
        return torch.cat(outputs, 1), hidden_state


@wrong(named="old-state-returned")
class FirstStateReturned(StepByStep):
    def decoding(self, encoder_out, decoder_x, hidden_state):
        return super().decoding(encoder_out, decoder_x, hidden_state)[0], hidden_state


@wrong(named="old-state-returned")
class LastOutputForTheState(StepByStep):
    """The right numbers in the wrong shape; for a batch of one even the shape is right."""

    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs, _ = super().decoding(encoder_out, decoder_x, hidden_state)
        return outputs, outputs[:, -1:]


@wrong(named="steps-along-the-wrong-axis")
class StepsStackedInFront(StepByStep):
    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs, state = super().decoding(encoder_out, decoder_x, hidden_state)
        return outputs.transpose(0, 1), state


@wrong(named="steps-along-the-wrong-axis")
class StepsReshapedForTransposed(StepByStep):
    """Right for one string."""

    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs, state = super().decoding(encoder_out, decoder_x, hidden_state)
        return torch.stack(outputs.unbind(1)).reshape(outputs.shape), state


@wrong(named="logits-for-outputs")
class LogitsAlready(StepByStep):
    def forward(self, encoder_x, decoder_x):
        return self.decoding(*self.swap(decoder_x, *self.encoder(self.embedding(encoder_x))))[0]

    def swap(self, decoder_x, encoder_out, state):
        return encoder_out, decoder_x, state

    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs, state = super().decoding(encoder_out, decoder_x, hidden_state)
        return self.linear(outputs), state


@wrong(named="not-a-pair")
class OutputsOnly(StepByStep):
    def decoding(self, *args):
        return super().decoding(*args)[0]


@wrong(named="order-of-the-pair")
class StateFirst(StepByStep):
    def decoding(self, *args):
        return super().decoding(*args)[::-1]


@wrong(named="wrong-context")
class OnAWrongContext(MatrixOnTheState):
    pass


@wrong(named="forward-starts-elsewhere")
class DecoderStartsFromZeros(StepByStep):
    def forward(self, encoder_x, decoder_x):
        encoder_out, state = self.encoder(self.embedding(encoder_x))
        return self.linear(self.decoding(encoder_out, decoder_x, torch.zeros_like(state))[0])


@wrong(named="softmax-inside")
class ProbabilitiesForLogits(StepByStep):
    def forward(self, encoder_x, decoder_x):
        return super().forward(encoder_x, decoder_x).softmax(-1)


@wrong(named="writes-into-arguments")
class StateKeptInPlace(StepByStep):
    def decoding(self, encoder_out, decoder_x, hidden_state):
        outputs, state = super().decoding(encoder_out, decoder_x, hidden_state)
        hidden_state.data.copy_(state.data)
        return outputs, state


@wrong(named="answers-from-memory")
class GoesOnFromTheLastCall(StepByStep):
    """Right when it is called for the first time."""

    def decoding(self, encoder_out, decoder_x, hidden_state):
        hidden_state = getattr(self, "last", hidden_state)
        if hidden_state.shape[1] != len(decoder_x):
            hidden_state = torch.zeros(1, len(decoder_x), encoder_out.shape[2])
        outputs, state = super().decoding(encoder_out, decoder_x, hidden_state)
        self.last = state.detach()
        return outputs, state
