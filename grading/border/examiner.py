"""The examiner's side of the border: it answers a test that calls a stand-in with what the student's code makes of it.

A test reads as plain PyTorch, and doesn't know that the function it calls is elsewhere: tensors go over and come back,
what the function wrote into its arguments is written here as well, and gradients go back the way they came. The other
side isn't trusted. It can give wrong answers, as a wrong function can; it can't make one look right, because what
right is was worked out here.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from grading.border import messages
from grading.border.conversation import Conversation
from grading.border.errors import CandidateGone, clean, proper_answer
from grading.border.handed_over import HandingOver
from grading.border.messages import Effects, Kept, Missing, Outcome, Value
from grading.border.mirrors import changes_of_arguments
from grading.border.stand_ins import Class, Function, Module
from grading.border.wire import Channel, Reader, Writer, short_text, tensors_in
from helpers.checks.forbidden import uses_in_source

_STAND_INS = {"function": Function, "class": Class, "module": Module}
_LONGEST_NAME = 100  # of a stand-in
_LONGEST_USE = 200  # of what an answer may be said to use


class Examiner:
    """Asks a candidate over a channel, until `deadline` (of `time.monotonic`).

    `cells` are what the student wrote, for `helpers.checks.forbidden`. Where `arguments_stay`, a call that changes what
    it is given is an AssertionError: for tests that work out what they want from what they have handed over.
    """

    def __init__(self, channel: Channel, deadline: float = float("inf"), cells: Sequence[str] = ()):
        self._conversation = Conversation(channel, deadline)
        self._cells = cells
        self._calls = 0
        self._marks: dict[int, dict[str, str]] = {}  # by module and name: its parameters, once seen
        self.arguments_stay = False

    def find(self, name: str) -> Any:
        """The student's thing of that name: a stand-in, or a value.

        Raises:
            NameError: if the student has none.
        """
        answer, tensors = self._conversation.ask(messages.Resolve(name), Writer())
        outcome = answer.outcome
        if isinstance(outcome, Missing):
            raise NameError(f"name '{name}' is not defined", name=name)
        if isinstance(outcome, Kept):
            # It goes by the name that the test knows it by: an answer to another exercise can't pass for this one.
            outcome.name = name
        return self._thing(outcome, tensors)

    def done(self) -> None:
        """Let the candidate go on with the next cell."""
        self._conversation.done()

    def call(self, target: int, method: str | None, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Call something over there as if it were here."""
        __tracebackhide__ = True
        number, grad = self._calls, torch.is_grad_enabled()
        self._calls += 1
        writer = HandingOver(self._conversation.random)
        written_args, written_kwargs = writer.write(list(args)), writer.write(kwargs)
        inputs = list(tensors_in([*args, *kwargs.values()]))
        differentiable = [place for place, tensor in enumerate(inputs) if tensor.requires_grad]
        request = messages.Call(
            target, method, number, written_args, written_kwargs, list(writer.plain), differentiable
        )
        answer, tensors = self._conversation.ask(request, writer)
        with proper_answer():
            changes = list(changes_of_arguments(inputs, args, kwargs, answer.effects, Reader(tensors)))
            if changes and self.arguments_stay:
                raise AssertionError("an argument was written to")
            for change in changes:
                change()
            arguments = [*args, *kwargs.values()]
            self._conversation.random.follow_generators(arguments, answer.effects, Reader(tensors))
            if grad and isinstance(answer.outcome, Value):
                self._attach(number, [inputs[place] for place in differentiable], answer.effects, tensors)
        result = self._thing(answer.outcome, tensors)
        self._conversation.results.watch(number, result)
        return result

    def attribute(self, target: int, name: str) -> Any:
        """An attribute of a module over there."""
        __tracebackhide__ = True
        answer, tensors = self._conversation.ask(messages.Get(target, name), Writer())
        return self._thing(answer.outcome, tensors)

    def parameters(self, target: int) -> dict[str, nn.Parameter]:
        """Shadows of a module's parameters: what is done to them here is done over there before the next call."""
        __tracebackhide__ = True
        found = self._value(messages.Parameters(target), Writer())
        with proper_answer():
            self._marks[target] = {name: mark for name, mark, numbers in found if numbers is not None}
            return {
                str(name): self._conversation.shadows.cast(mark, numbers)
                if numbers is not None
                else nn.parameter.UninitializedParameter()  # a lazy layer's, before its first input
                for name, mark, numbers in found
            }

    def weights_were_loaded(self, target: int, weights: dict[str, Tensor]) -> None:
        """Let the shadows of a module, as far as the test has any, have the weights that it was just given."""
        for name, mark in self._marks.get(target, {}).items():
            if name in weights:
                self._conversation.shadows.follow(mark, weights[name])

    def backward(self, call: int, sources: int, gradients: tuple) -> list[Tensor | None]:
        """The gradients of the inputs and parameters that a call's outputs depend on, from those of the outputs.

        There are `sources` inputs and parameters; where one has no gradient it is None.
        """
        __tracebackhide__ = True
        writer = Writer()
        found = self._value(messages.Backward(call, writer.write(list(gradients))), writer)
        with proper_answer():
            if len(found) < sources:
                raise CandidateGone("the process that runs the student's code gave too few gradients")
            return [gradient if isinstance(gradient, Tensor) else None for gradient in found[:sources]]

    def forbidden_uses(self, target: int, name: str) -> list[str]:
        """What `helpers.checks.forbidden` finds in the source of a function or a class of that name."""
        __tracebackhide__ = True
        found = self._value(messages.Forbidden(target), Writer())
        with proper_answer():
            admitted = [clean(use)[:_LONGEST_USE] for use in found]
        # The other side could keep it quiet; what stands in the submission is known here as well.
        return list(dict.fromkeys([*admitted, *uses_in_source(self._cells, name)]))

    def drawing(self, target: int, args: list) -> dict[str, Any]:
        """What `helpers.checks.figures` sees when the student's function is called to draw."""
        __tracebackhide__ = True
        writer = Writer()
        return self._value(messages.Draw(target, writer.write(args)), writer)

    def _value(self, request: messages.Request, writer: Writer) -> Any:
        """Ask for what can only be a value."""
        __tracebackhide__ = True
        answer, tensors = self._conversation.ask(request, writer)
        with proper_answer():
            if not isinstance(answer.outcome, Value):
                raise TypeError("no value")
            return Reader(tensors).read(answer.outcome.value)

    def _thing(self, outcome: Outcome, tensors: list[Tensor]) -> Any:
        """What came of a request: a value, or a stand-in for what stays over there."""
        with proper_answer():
            match outcome:
                case Value(value):
                    return Reader(tensors).read(value)
                case Kept(kind, number, name):
                    return _STAND_INS[kind](self, number, short_text(name, _LONGEST_NAME))
            raise TypeError("nothing that there is a stand-in for")

    def _attach(self, call: int, inputs: list[Tensor], effects: Effects, tensors: list[Tensor]) -> None:
        """Make the outputs that have a gradient over there have one here, with respect to inputs and parameters."""
        grown = [place for place in effects.differentiable if 0 <= place < len(tensors)]
        grown = [place for place in grown if tensors[place].dtype.is_floating_point]
        if not grown:
            return
        shadows = self._conversation.shadows
        self._meet([mark for mark in effects.learned if mark not in shadows])
        sources = [*inputs, *(shadows[mark] for mark in effects.learned)]
        if not sources:
            for place in grown:
                tensors[place].requires_grad_()
            return
        outputs = _Attached.apply(self, call, [tensors[place] for place in grown], *sources)
        for place, output in zip(grown, outputs, strict=True):
            tensors[place] = output

    def _meet(self, marks: list[str]) -> None:
        """Get shadows of parameters that a call used before anyone asked for them: a test may ask afterwards."""
        if marks:
            found = self._value(messages.Weights(marks), Writer())
            for mark, numbers in zip(marks, found, strict=True):
                self._conversation.shadows.cast(mark, numbers)


class _Attached(torch.autograd.Function):
    """Puts outputs that came over into the graph: their gradients are asked for over there."""

    @staticmethod
    def forward(ctx: Any, examiner: Examiner, call: int, outputs: list[Tensor], *sources: Tensor) -> Any:
        """Called by PyTorch in `apply`. The outputs depend on `sources`, whose gradients come from `backward`."""
        ctx.examiner, ctx.call, ctx.sources = examiner, call, len(sources)
        ctx.set_materialize_grads(False)  # what isn't asked for has no gradient, rather than zeros
        return tuple(output.clone() for output in outputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Called by autograd with the outputs' gradients: a gradient, or None, for each argument of `forward`."""
        __tracebackhide__ = True
        return None, None, None, *ctx.examiner.backward(ctx.call, ctx.sources, gradients)
