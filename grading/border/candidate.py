"""The candidate's side of the border: it does with the student's objects what the examiner asks for.

This runs beside the student's code, so nothing that it says is trusted: see examiner.py. It answers one request at a
time; each is a JSON object with an "op", and so is each answer.
"""

import contextlib
import dataclasses
import importlib
import io
import socket
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from grading.border.wire import BadMessage, Channel, Closed, Reader, Writer, state_of, tensors_in
from helpers.checks.report import NOT_THE_ANSWERS

_MOST_GRAPHS = 200  # calls whose graphs are kept for a gradient
_OURS = (str(Path(__file__).parent), *NOT_THE_ANSWERS)  # whose lines say nothing to a student
_MOST_TEXT = 20_000  # characters of what a call printed


class Service:
    """Answers the examiner. `names` is where the student's functions and classes are looked up."""

    def __init__(self, names: Mapping[str, Any]):
        self._names = names
        self._objects: dict[int, Any] = {}
        self._graphs: OrderedDict[int, tuple[list[Tensor], list[Tensor]]] = OrderedDict()
        self._results: OrderedDict[int, list[Tensor]] = OrderedDict()
        self._weights: dict[str, nn.Parameter] = {}  # those that the examiner has seen, by a mark
        self._rng: Tensor | None = None

    def serve(self, channel: Channel) -> None:
        """Answer until the examiner says that it is done, or is gone; then the next cell finds PyTorch as it was."""
        dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
        try:
            self._serve(channel)
        finally:
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(grad)

    def _serve(self, channel: Channel) -> None:
        while True:
            try:
                request, tensors = channel.receive()
                if request["op"] == "done":
                    channel.send({}, [])
                    return
                reply, of_reply = self._answer(request, tensors)
                try:
                    channel.send(reply, of_reply)
                except BadMessage as error:
                    channel.send(self._failure(RuntimeError(str(error)), ""), [])
            except Closed:
                return

    def _answer(self, request: dict, tensors: list[Tensor]) -> tuple[dict, list[Tensor]]:
        written = io.StringIO()
        writer = Writer(self._write_special)
        reader = Reader(tensors, self._read_special)
        operation: Callable = getattr(self, f"_op_{request['op']}")
        try:
            with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
                self._take_state(request, reader)
                reply = operation(request, reader, writer)
                reply["state"] = self._state(writer)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            writer = Writer(self._write_special)
            reply = self._failure(error, "")
            reply["state"] = self._state(writer)
        reply["written"] = written.getvalue()[:_MOST_TEXT]
        return reply, writer.tensors

    # What both sides share besides the arguments: PyTorch's random numbers, its default type, and its gradient mode.

    def _take_state(self, request: dict, reader: Reader) -> None:
        state = request.get("state", {})
        if "rng" in state:
            torch.set_rng_state(reader.read(state["rng"]))
        self._rng = torch.get_rng_state()
        torch.set_default_dtype(reader.read(state["dtype"]))
        torch.set_grad_enabled(state["grad"])
        for mark, weight in request.get("weights", []):
            self._weights[mark].data.copy_(reader.read(weight))
        for call, place, value in request.get("results", []):
            if call in self._results:
                self._results[call][place].data.copy_(reader.read(value))

    def _state(self, writer: Writer) -> dict:
        now, grad = torch.get_rng_state(), torch.is_grad_enabled()
        moved = self._rng is None or not torch.equal(now, self._rng)
        return {"grad": grad} | ({"rng": writer.tensor(now)} if moved else {})

    # The operations

    def _op_resolve(self, request: dict, reader: Reader, writer: Writer) -> dict:
        name = request["name"]
        if name not in self._names:
            return {"kind": "missing"}
        return self._told(self._names[name], writer)

    def _op_call(self, request: dict, reader: Reader, writer: Writer) -> dict:
        function = self._target(request)
        self._handed: list[nn.Module] = []
        self._tokenizers: list = []
        args, kwargs = reader.read(request["args"]), reader.read(request["kwargs"])
        inputs = [reader.tensors[i] for i in request["inputs"]]
        wanted = [inputs[i] for i in request["differentiable"]]
        for tensor in wanted:
            tensor.requires_grad_()
        before = [tensor.detach().clone() for tensor in inputs]
        versions = [(tensor._version, tensor.shape, tensor.dtype) for tensor in inputs]
        result = function(*args, **kwargs)
        reply = self._told(result, writer)
        if reply["kind"] == "value":
            outputs = list(tensors_in(result))
            grown = [i for i, tensor in enumerate(outputs) if tensor.requires_grad]
            reply["differentiable"] = grown
            self._results[request["id"]] = outputs
            while len(self._results) > _MOST_GRAPHS:
                self._results.popitem(last=False)
            if grown:
                learned = [each for each in self._parameters(request) if each.requires_grad]
                reply["learned"] = [self._mark(each) for each in learned]
                self._graphs[request["id"]] = ([outputs[i] for i in grown], wanted + learned)
                while len(self._graphs) > _MOST_GRAPHS:
                    self._graphs.popitem(last=False)
        changed = [
            [i, writer.tensor(tensor)]
            for i, tensor in enumerate(inputs)
            if (tensor._version, tensor.shape, tensor.dtype) != versions[i] or not _identical(tensor, before[i])
        ]
        reply["changed"] = changed
        reply["arguments"] = writer.write([each for each in args if isinstance(each, list | dict | set)])
        reply["modules"] = [self._state_of(module, writer) for module in self._handed]
        reply["tokenizers"] = [[writer.write(each.padding), writer.write(each.truncation)] for each in self._tokenizers]
        reply["generators"] = [writer.tensor(each.get_state()) for each in _generators_in((args, kwargs))]
        return reply

    def _state_of(self, module: nn.Module, writer: Writer) -> list:
        """What a call may have changed in a module that was handed to it: numbers, modes, and what learns."""
        numbers = [writer.tensor(each) for each in state_of(module)]
        modes = [bool(part.training) for part in module.modules()]
        return [numbers, modes, [each.requires_grad for each in module.parameters()]]

    def _op_get(self, request: dict, reader: Reader, writer: Writer) -> dict:
        return self._told(getattr(self._objects[request["target"]], request["name"]), writer)

    def _op_parameters(self, request: dict, reader: Reader, writer: Writer) -> dict:
        module = self._objects[request["target"]]
        found = [(name, self._mark(each), each) for name, each in module.named_parameters()]
        return {"kind": "value", "value": writer.write(found)}

    def _op_weights(self, request: dict, reader: Reader, writer: Writer) -> dict:
        return {"kind": "value", "value": writer.write([self._weights[mark] for mark in request["marks"]])}

    def _op_backward(self, request: dict, reader: Reader, writer: Writer) -> dict:
        outputs, inputs = self._graphs[request["id"]]
        gradients = reader.read(request["gradients"])
        # The gradient of a sum of products is the other factor. PyTorch could be given it as such, and would then load
        # SymPy, which takes as long as a lab's tests.
        products = zip(outputs, gradients, strict=True)
        with torch.enable_grad():
            sums = [(output * gradient).sum() for output, gradient in products if gradient is not None]
        found = torch.autograd.grad(sums, inputs, allow_unused=True, retain_graph=True)
        return {"kind": "value", "value": writer.write(list(found))}

    def _op_forbidden(self, request: dict, reader: Reader, writer: Writer) -> dict:
        from helpers.checks.forbidden import uses

        return {"kind": "value", "value": writer.write(list(uses(self._target(request))))}

    def _op_draw(self, request: dict, reader: Reader, writer: Writer) -> dict:
        from helpers.checks.figures import draw

        drawing = draw(self._target(request), *reader.read(request["args"]))
        return {"kind": "value", "value": writer.write(dataclasses.asdict(drawing))}

    # Objects

    def _mark(self, parameter: nn.Parameter) -> str:
        self._weights[str(id(parameter))] = parameter
        return str(id(parameter))

    def _target(self, request: dict) -> Any:
        target = request["target"]
        thing = self._names[target] if isinstance(target, str) else self._objects[target]
        return getattr(thing, request["method"]) if request.get("method") else thing

    def _parameters(self, request: dict) -> list[nn.Parameter]:
        target = request["target"]
        thing = self._objects.get(target) if isinstance(target, int) else None
        thing = getattr(thing, "__self__", thing)  # a method's module
        return [each for _, each in thing.named_parameters()] if isinstance(thing, nn.Module) else []

    def _told(self, value: Any, writer: Writer) -> dict:
        """A value as such, or an object of which the examiner gets a number to call it by."""
        if isinstance(value, nn.Module) or (callable(value) and not isinstance(value, Tensor)):
            number = len(self._objects)
            self._objects[number] = value
            kind = "class" if isinstance(value, type) else "module" if isinstance(value, nn.Module) else "function"
            name = getattr(value, "__name__", type(value).__name__)
            return {"kind": kind, "number": number, "name": str(name), "training": getattr(value, "training", None)}
        return {"kind": "value", "value": writer.write(value)}

    def _write_special(self, value: Any, writer: Writer) -> Any:
        return None

    def _read_special(self, value: list, reader: Reader) -> Any:
        kind, *parts = value
        if kind == "object":
            return self._objects[parts[0]]
        if kind == "generator":
            generator = torch.Generator()
            generator.set_state(reader.read(parts[0]))
            return generator
        if kind == "reference":
            return self._referred(*parts)
        if kind == "module":
            module = self._module(parts[0], reader)
            self._handed.append(module)
            return module
        if kind == "tokenizer":
            from tokenizers import Tokenizer

            tokenizer = Tokenizer.from_str(parts[0])
            self._tokenizers.append(tokenizer)
            return tokenizer
        raise ValueError(kind)

    def _module(self, structure: dict, reader: Reader) -> nn.Module:
        """A module like the examiner's, put together without its constructor."""
        kind = self._referred(*structure["class"])
        module = kind.__new__(kind)
        nn.Module.__init__(module)
        for name, value in structure["attributes"]:
            setattr(module, name, reader.read(value))
        for name, weight in structure["parameters"]:
            module.register_parameter(name, nn.Parameter(reader.read(weight)))
        for name in structure["missing"]:
            module.register_parameter(name, None)
        for name, buffer in structure["buffers"]:
            module.register_buffer(name, reader.read(buffer))
        for name, part in structure["modules"]:
            module.add_module(name, self._module(part, reader))
        if isinstance(module, nn.RNNBase):
            module._init_flat_weights()
        module.training = structure["training"]
        return module

    def _referred(self, module: str, name: str) -> Any:
        found = self._names if module == "__main__" else vars(importlib.import_module(module))
        first, *others = name.split(".")
        thing = found[first]
        for each in others:
            thing = getattr(thing, each)
        return thing

    def _failure(self, error: BaseException, _: str) -> dict:
        frames = [
            [frame.name, frame.filename, frame.lineno, frame.line or ""]
            for frame in traceback.extract_tb(error.__traceback__)
            if not frame.filename.startswith(_OURS)
        ]
        try:
            message = str(error)
        except Exception:
            message = ""
        bases = [each.__name__ for each in type(error).__mro__]
        return {
            "kind": "error",
            "type": bases,
            "message": message[:_MOST_TEXT],
            "bare": not error.args,
            "frames": frames[-10:],
        }


def _generators_in(value: Any):
    if isinstance(value, torch.Generator):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _generators_in(each)
    elif isinstance(value, dict):
        yield from _generators_in(list(value.values()))


def _identical(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a.detach(), b)


def connect(path: str, names: Mapping[str, Any]) -> None:
    """Answer an examiner that listens at a socket of the file system."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        Service(names).serve(Channel(connection))
