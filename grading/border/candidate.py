"""The candidate's side of the border: it does with the student's objects what the examiner asks for.

This runs beside the student's code, so nothing that it says is trusted: see examiner.py. It answers one request at a
time; what these are is in messages.py.
"""

import contextlib
import dataclasses
import io
import socket
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from grading.border import messages
from grading.border.handed_over import HandedOver
from grading.border.messages import Answer, Effects, Failure, Kept, Missing, Outcome, Shared, StateThere, Value
from grading.border.wire import BadMessage, Channel, Closed, Writer, state_of, tensors_in
from helpers.checks.report import NOT_THE_ANSWERS

_MOST_CALLS = 200  # whose results and graphs are kept, for what a test writes and for gradients
_OURS = (str(Path(__file__).parent), *NOT_THE_ANSWERS)  # whose lines say nothing to a student
_MOST_TEXT = 20_000  # characters of what a call printed
_MOST_FRAMES = 10  # of an error


class Service:
    """Answers the examiner. `names` is where the student's functions and classes are looked up."""

    def __init__(self, names: Mapping[str, Any]):
        self._names = names
        self._kept: dict[int, Any] = {}  # what the examiner has stand-ins for
        # By call: the tensors in its result; those of them that have a gradient, and what they depend on.
        self._results: OrderedDict[int, list[Tensor]] = OrderedDict()
        self._graphs: OrderedDict[int, tuple[list[Tensor], list[Tensor]]] = OrderedDict()
        self._weights: dict[str, nn.Parameter] = {}  # those that the examiner has seen, by their marks
        self._operations: dict[type, Callable[[Any, HandedOver, Writer], Answer]] = {
            messages.Resolve: self._resolve,
            messages.Call: self._call,
            messages.Get: self._get,
            messages.Parameters: self._parameters,
            messages.Weights: self._numbers,
            messages.Backward: self._backward,
            messages.Forbidden: self._forbidden,
            messages.Draw: self._draw,
        }

    def serve(self, channel: Channel) -> None:
        """Answer until the examiner says that it is done, or is gone; then the next cell finds PyTorch as it was."""
        dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
        try:
            while self._serve_one(channel):
                pass
        except Closed:
            pass
        finally:
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(grad)

    def _serve_one(self, channel: Channel) -> bool:
        """Answer one request: whether there may be more."""
        message, tensors = channel.receive()
        request = messages.request_from_json(message)
        if isinstance(request, messages.Done):
            channel.send({}, [])
            return False
        answer, of_answer = self._answer(request, Shared.from_json(message), tensors)
        try:
            channel.send(answer.to_json(), of_answer)
        except BadMessage as error:
            channel.send(Answer(_failure(RuntimeError(str(error)))).to_json(), [])
        return True

    def _answer(self, request: messages.Request, shared: Shared, tensors: list[Tensor]) -> tuple[Answer, list[Tensor]]:
        written = io.StringIO()
        before = torch.get_rng_state()
        reader, writer = HandedOver(tensors, self._names, self._kept), Writer()
        try:
            with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
                self._take(shared, reader)
                before = torch.get_rng_state()
                answer = self._operations[type(request)](request, reader, writer)
                answer.state = _state(before, writer)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            writer = Writer()
            answer = Answer(_failure(error), state=_state(before, writer))
        answer.written = written.getvalue()[:_MOST_TEXT]
        return answer, writer.tensors

    def _take(self, shared: Shared, reader: HandedOver) -> None:
        """Let PyTorch here, and what the test has written to, be as they are on the examiner's side."""
        if shared.state.rng is not None:
            torch.set_rng_state(reader.read(shared.state.rng))
        torch.set_default_dtype(reader.read(shared.state.dtype))
        torch.set_grad_enabled(shared.state.grad)
        for mark, numbers in shared.weights:
            self._weights[mark].data.copy_(reader.read(numbers))
        for call, place, numbers in shared.results:
            if call in self._results:
                kept, told = self._results[call][place], reader.read(numbers)
                if kept.shape == told.shape:
                    kept.data.copy_(told)
                else:  # the student's code has made it longer, say
                    kept.data = told

    # What it can be asked for: a method for each kind of request, by `_operations`

    def _resolve(self, request: messages.Resolve, reader: HandedOver, writer: Writer) -> Answer:
        if request.name not in self._names:
            return Answer(Missing())
        return Answer(self._outcome(self._names[request.name], writer))

    def _call(self, request: messages.Call, reader: HandedOver, writer: Writer) -> Answer:
        kept = self._kept[request.target]
        function = kept if request.method is None else getattr(kept, request.method)
        args, kwargs = reader.read(request.args), reader.read(request.kwargs)
        inputs = [reader.tensors[place] for place in request.inputs]
        wanted = [inputs[place] for place in request.differentiable]
        for tensor in wanted:
            tensor.requires_grad_()
        before = [_Before(tensor) for tensor in inputs]
        result = function(*args, **kwargs)
        outcome = self._outcome(result, writer)
        effects = self._gradients_to_come(request, result, wanted) if isinstance(outcome, Value) else Effects()
        effects.changed = [
            (place, writer.tensor(tensor)) for place, tensor in enumerate(inputs) if before[place].differs(tensor)
        ]
        effects.arguments = writer.write([value for value in args if isinstance(value, list | dict | set)])
        effects.modules = [_state_of_module(module, writer) for module in reader.modules]
        effects.tokenizers = [(writer.write(made.padding), writer.write(made.truncation)) for made in reader.tokenizers]
        effects.generators = [writer.tensor(generator.get_state()) for generator in _generators_in((args, kwargs))]
        return Answer(outcome, effects)

    def _get(self, request: messages.Get, reader: HandedOver, writer: Writer) -> Answer:
        return Answer(self._outcome(getattr(self._kept[request.target], request.name), writer))

    def _parameters(self, request: messages.Parameters, reader: HandedOver, writer: Writer) -> Answer:
        named = self._kept[request.target].named_parameters()
        return _value(
            [(name, self._mark(weight), None if is_lazy(weight) else weight) for name, weight in named], writer
        )

    def _numbers(self, request: messages.Weights, reader: HandedOver, writer: Writer) -> Answer:
        return _value([self._weights[mark] for mark in request.marks], writer)

    def _backward(self, request: messages.Backward, reader: HandedOver, writer: Writer) -> Answer:
        outputs, inputs = self._graphs[request.id]
        gradients = reader.read(request.gradients)
        # The gradient of a sum of products is the other factor. PyTorch could be given it as such, and would then load
        # SymPy, which takes as long as a lab's tests.
        products = zip(outputs, gradients, strict=True)
        with torch.enable_grad():
            sums = [(output * gradient).sum() for output, gradient in products if gradient is not None]
        return _value(list(torch.autograd.grad(sums, inputs, allow_unused=True, retain_graph=True)), writer)

    def _forbidden(self, request: messages.Forbidden, reader: HandedOver, writer: Writer) -> Answer:
        from helpers.checks.forbidden import uses

        return _value(list(uses(self._kept[request.target])), writer)

    def _draw(self, request: messages.Draw, reader: HandedOver, writer: Writer) -> Answer:
        from helpers.checks.figures import draw

        drawing = draw(self._kept[request.target], *reader.read(request.args))
        return _value(dataclasses.asdict(drawing), writer)

    # What is kept here for later requests

    def _outcome(self, value: Any, writer: Writer) -> Outcome:
        """The value itself; for a function, a class or a module the number by which it is asked for from now on."""
        if not isinstance(value, nn.Module) and (not callable(value) or isinstance(value, Tensor)):
            return Value(writer.write(value))
        number = len(self._kept)
        self._kept[number] = value
        kind = "class" if isinstance(value, type) else "module" if isinstance(value, nn.Module) else "function"
        return Kept(kind, number, str(getattr(value, "__name__", type(value).__name__)))

    def _gradients_to_come(self, request: messages.Call, result: Any, wanted: list[Tensor]) -> Effects:
        """Keep a call's tensors and their graphs: which tensors have a gradient, and for which weights."""
        outputs = list(tensors_in(result))
        _keep(self._results, request.id, outputs)
        grown = [place for place, tensor in enumerate(outputs) if tensor.requires_grad]
        if not grown:
            return Effects()
        learned = [weight for weight in self._weights_of(request.target) if weight.requires_grad]
        _keep(self._graphs, request.id, ([outputs[place] for place in grown], wanted + learned))
        return Effects(differentiable=grown, learned=[self._mark(weight) for weight in learned])

    def _weights_of(self, target: int) -> list[nn.Parameter]:
        kept = self._kept[target]
        module = getattr(kept, "__self__", kept)  # a method's module
        return [weight for _, weight in module.named_parameters()] if isinstance(module, nn.Module) else []

    def _mark(self, parameter: nn.Parameter) -> str:
        self._weights[str(id(parameter))] = parameter
        return str(id(parameter))


class _Before:
    """What a tensor was like before a call."""

    def __init__(self, tensor: Tensor):
        self._numbers = tensor.detach().clone()
        self._version = tensor._version

    def differs(self, tensor: Tensor) -> bool:
        """Whether it is another one now, or was written to."""
        now, then = tensor.detach(), self._numbers
        same = (tensor._version, now.shape, now.dtype) == (self._version, then.shape, then.dtype)
        return not same or not torch.equal(now, then)


def _value(value: Any, writer: Writer) -> Answer:
    return Answer(Value(writer.write(value)))


def _keep(of_calls: OrderedDict[int, Any], call: int, kept: Any) -> None:
    of_calls[call] = kept
    while len(of_calls) > _MOST_CALLS:
        of_calls.popitem(last=False)


def _state(before: Tensor, writer: Writer) -> StateThere:
    """PyTorch's state, and that of its random numbers if it isn't what it was before."""
    now = torch.get_rng_state()
    return StateThere(torch.is_grad_enabled(), None if torch.equal(now, before) else writer.tensor(now))


def _state_of_module(module: nn.Module, writer: Writer) -> tuple[list, list[bool], list[bool]]:
    """What a call may have changed in a module that was handed to it: numbers, modes, and what learns."""
    numbers = [writer.tensor(tensor) for tensor in state_of(module)]
    modes = [bool(part.training) for part in module.modules()]
    return numbers, modes, [weight.requires_grad for weight in module.parameters()]


def _generators_in(value: Any) -> Iterator[torch.Generator]:
    if isinstance(value, torch.Generator):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _generators_in(part)
    elif isinstance(value, dict):
        yield from _generators_in(list(value.values()))


def _failure(error: BaseException) -> Failure:
    frames = [
        (frame.name, frame.filename, frame.lineno, frame.line or "")
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_OURS)
    ]
    try:
        message = str(error)
    except Exception:
        message = ""
    bases = [base.__name__ for base in type(error).__mro__]
    return Failure(bases, message[:_MOST_TEXT], not error.args, frames[-_MOST_FRAMES:])


def connect(path: str, names: Mapping[str, Any]) -> None:
    """Answer an examiner that listens at a socket of the file system."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        Service(names).serve(Channel(connection))
