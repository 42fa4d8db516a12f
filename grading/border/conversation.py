"""The examiner's end of the conversation: a request, its answer, and what to do about a candidate that gives none."""

import contextlib
import sys
import time

import torch
from torch import Tensor

from grading.border.errors import CandidateGone, clean, exception_of, proper_answer
from grading.border.messages import Answer, Done, Failure, Request, Shared, StateHere, StateThere, request_to_json
from grading.border.mirrors import RandomStates, Results, Shadows
from grading.border.wire import BadMessage, Channel, Closed, Reader, Writer

_SECONDS_TO_LEAVE = 5
_MOST_SECONDS = 3600.0


class Conversation:
    """Asks a candidate over a channel, until `deadline` (of `time.monotonic`).

    With every request goes what the test has changed meanwhile (`messages.Shared`), and after every answer PyTorch here
    is as the student's code has left it over there. Once the candidate is gone, each further request says so at once.
    """

    def __init__(self, channel: Channel, deadline: float):
        self._channel = channel
        self._deadline = deadline
        self._fault: str | None = None
        self.random = RandomStates()
        self.shadows = Shadows()
        self.results = Results()

    def ask(self, request: Request, writer: Writer) -> tuple[Answer, list[Tensor]]:
        """The answer to a request that `writer` has written the values of, and the answer's tensors.

        What the student's code printed meanwhile is printed here.

        Raises:
            CandidateGone: if no proper answer comes.
            Exception: what the student's code raised.
        """
        __tracebackhide__ = True
        if self._fault:
            raise CandidateGone(self._fault)
        message = request_to_json(request, self._shared(writer))
        try:
            self._channel.send(message, writer.tensors, self._seconds_left())
            reply, tensors = self._channel.receive(self._seconds_left())
        except Closed:
            self._fault = "the process that runs the student's code has ended"
        except TimeoutError:
            self._fault = "the student's code took too long"
        except BadMessage as error:
            self._fault = f"the process that runs the student's code gave no proper answer: {error}"
        if self._fault:
            raise CandidateGone(self._fault)
        with proper_answer():
            answer = Answer.from_json(reply)
            sys.stdout.write(clean(answer.written))
            self._follow(answer.state, Reader(tensors))
            raised = exception_of(answer.outcome) if isinstance(answer.outcome, Failure) else None
        if raised is not None:
            raise raised
        return answer, tensors

    def done(self) -> None:
        """Let the candidate go on with the next cell."""
        with contextlib.suppress(Closed, BadMessage, TimeoutError, OSError):
            self._channel.send(request_to_json(Done()), [])
            self._channel.receive(_SECONDS_TO_LEAVE)

    def _shared(self, writer: Writer) -> Shared:
        state = StateHere(torch.is_grad_enabled(), writer.write(torch.get_default_dtype()), self.random.news(writer))
        return Shared(state, self.shadows.news(writer), self.results.news(writer))

    def _follow(self, state: StateThere, reader: Reader) -> None:
        if state.rng is not None:
            self.random.follow(reader.read(state.rng))
        if state.grad is not None:
            torch.set_grad_enabled(state.grad)

    def _seconds_left(self) -> float:
        return max(0.01, min(_MOST_SECONDS, self._deadline - time.monotonic()))
