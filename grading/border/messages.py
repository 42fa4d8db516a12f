"""Every message that crosses the border, and every part of one: who sends it, when, and what comes back.

The *examiner* asks for one thing at a time, the *candidate* answers, and then the examiner may ask again. On the wire
(wire.py) a message is one JSON object. A request's has its name as `op`, its own fields and those of `Shared`; an
answer's has a `kind`, the fields of what came of the request, those of `Effects`, and `state` and `written`.

The examiner is trusted and the candidate isn't. Whatever arrives is held against the types of the fields here before
anything is done with it: what doesn't fit is a `BadMessage`. Keys that no field has are passed over.
"""

from dataclasses import dataclass, field, fields
from functools import cache
from types import UnionType
from typing import Any, ClassVar, Self, get_args, get_origin, get_type_hints

from grading.border.wire import BadMessage

# A value as `wire.Writer` writes it, for a `wire.Reader` to look at. Requests may hold these kinds as well, which
# handed_over.py writes and reads; in an answer they are no values:
#   ["object", number]            something that the candidate keeps, by its `Kept.number`
#   ["generator", tensor]         a `torch.Generator` in this state
#   ["reference", module, name]   a function or a class of PyTorch's, of `helpers` or of the lab's own
#   ["module", structure]         an `nn.Module` of the test's, as a `Structure`
#   ["tokenizer", text]           a tokenizer, as its own JSON
Written = Any


@dataclass
class Message:
    """A part of a message: a dataclass that goes over as a JSON object."""

    def to_json(self) -> dict[str, Any]:
        """The object, with the messages in it as objects, too."""
        return {name: value.to_json() if isinstance(value, Message) else value for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """The part that an object stands for.

        Raises:
            BadMessage: if a field is missing or is of another type, or if it is no object at all.
        """
        if not isinstance(data, dict):
            raise BadMessage(f"{cls.__name__} is no object")
        hints = _hints(cls)  # type: ignore[arg-type]  # mypy takes it for a message, which has no hash
        given = {name: _fitting(data[name], hint) for name, hint in hints.items() if name in data}
        try:
            return cls(**given)
        except TypeError as error:
            raise BadMessage(f"{cls.__name__} lacks a field") from error


# What goes with every request and every answer.


@dataclass
class StateHere(Message):
    """With every request: PyTorch's state while the test runs, in which the student's code is to run as well."""

    grad: bool  # whether gradients are recorded
    dtype: Written  # the default type
    rng: Written = None  # the state of the random numbers; None where the candidate has it already


@dataclass
class StateThere(Message):
    """With every answer: PyTorch's state after the student's code ran, in which the test is to go on."""

    grad: bool | None = None  # as above; None where nothing ran
    rng: Written = None  # as above; None where no random number was drawn


@dataclass
class Shared(Message):
    """With every request but `Done`: what has to be the same on both sides before the student's code runs."""

    state: StateHere
    # Parameters that the test has written to: the mark of each (see `Parameters`), and its new numbers.
    weights: list[tuple[str, Written]] = field(default_factory=list)
    # Tensors that the test got from a call and has written to: `Call.id`, the place in the result, the new numbers.
    results: list[tuple[int, int, Written]] = field(default_factory=list)


# Requests: the examiner sends them, and each says which answer comes back. That may be a `Failure` in each case.


@dataclass
class Request(Message):
    """What the examiner asks for."""

    op: ClassVar[str]


@dataclass
class Resolve(Request):
    """Before a test cell runs, for each name in it that is the student's. Back comes `Missing`, `Value` or `Kept`."""

    op = "resolve"
    name: str


@dataclass
class Call(Request):
    """When the test calls a stand-in, or one of its methods. Back comes `Value` or `Kept`, with `Effects`."""

    op = "call"
    target: int  # what is called, by its `Kept.number`
    method: str | None  # which method of it, if it isn't called itself
    id: int  # counts the calls: `Backward.id` and `Shared.results` name this one by it
    args: Written  # the arguments by position, as a list
    kwargs: Written  # the arguments by name, as a dictionary
    inputs: list[int]  # the places, among the message's tensors, of those that are arguments or in one
    differentiable: list[int]  # which of `inputs` want a gradient: places in that list


@dataclass
class Get(Request):
    """When the test looks at an attribute of a module of the student's. Back comes `Value` or `Kept`."""

    op = "get"
    target: int
    name: str


@dataclass
class Parameters(Request):
    """When the test asks for a module's parameters. Back comes a `Value`: a list of (name, mark, numbers or None).

    A mark is a text that stands for one parameter as long as the candidate lives, by whatever way it is reached.
    """

    op = "parameters"
    target: int


@dataclass
class Weights(Request):
    """After a call that used parameters new to the test. Back comes a `Value`: a list of their numbers."""

    op = "weights"
    marks: list[str]


@dataclass
class Backward(Request):
    """When gradients flow back into what a call gave. Back comes a `Value`: a list of gradients.

    First come those of the call's inputs that want one, then those of its `Effects.learned`. None is no gradient.
    """

    op = "backward"
    id: int  # of the call
    gradients: Written  # a list: for each of its outputs in `Effects.differentiable` the gradient, or None


@dataclass
class Forbidden(Request):
    """When a check looks for PyTorch's own attention in an answer. Back comes a `Value`: a list of what was found."""

    op = "forbidden"
    target: int


@dataclass
class Draw(Request):
    """When a check has an answer draw. Back comes a `Value`: a `helpers.checks.figures.Drawing` as a dictionary."""

    op = "draw"
    target: int
    args: Written  # a list of the weights, the tokens of both axes, and whether it draws on axes that it is given


@dataclass
class Done(Request):
    """After a test cell: the next cell is the student's own. Back comes an empty object, and both hang up."""

    op = "done"


# Answers: the candidate sends one to each request. What came of it is one of these four.


@dataclass
class Missing(Message):
    """The student has nothing of that name."""


@dataclass
class Value(Message):
    """A value that crossed."""

    value: Written = None


@dataclass
class Kept(Message):
    """A function, a class or a module, which stays where it is; the test gets a stand-in for it."""

    kind: str  # "function", "class" or "module"
    number: int  # by which requests name it from now on
    name: str = ""  # its own, for reports


@dataclass
class Failure(Message):
    """The student's code raised an exception, or what it gave is too large to cross."""

    type: list[str] = field(default_factory=list)  # the names of its class and of the classes that this inherits from
    message: str = ""
    bare: bool = False  # whether it was raised without a message
    # Where the student's code was, outermost first: function, file, number of the line, the line itself.
    frames: list[tuple[str, str, int | None, str]] = field(default_factory=list)


Outcome = Missing | Value | Kept | Failure


@dataclass
class Effects(Message):
    """What a call did besides giving a result. All of it is empty in the answer to another request."""

    differentiable: list[int] = field(default_factory=list)  # the places of the result's tensors that have a gradient
    learned: list[str] = field(default_factory=list)  # the marks of the parameters that were in reach of the call
    # Tensors that were written to: the place of each in `Call.inputs`, and its new numbers.
    changed: list[tuple[int, Written]] = field(default_factory=list)
    arguments: Written = field(default_factory=lambda: ["list"])  # the lists, dictionaries and sets among the arguments
    # Of each module of the test's that was handed over: the numbers of its parameters and buffers, which of its parts
    # are in training mode, which of its parameters learn.
    modules: list[tuple[list[Written], list[bool], list[bool]]] = field(default_factory=list)
    tokenizers: list[tuple[Written, Written]] = field(default_factory=list)  # the padding and the truncation of each
    generators: list[Written] = field(default_factory=list)  # the state of each `torch.Generator`


@dataclass
class Answer:
    """What the candidate sends back."""

    outcome: Outcome
    effects: Effects = field(default_factory=Effects)
    state: StateThere = field(default_factory=StateThere)
    written: str = ""  # what the student's code printed meanwhile

    def to_json(self) -> dict[str, Any]:
        """The whole answer as one object."""
        kind = _KINDS.get(type(self.outcome), {})
        rest = {"state": self.state.to_json(), "written": self.written}
        return kind | self.outcome.to_json() | self.effects.to_json() | rest

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The answer that an object stands for.

        Raises:
            BadMessage: if it stands for none.
        """
        written = data.get("written", "")
        if not isinstance(written, str):
            raise BadMessage("what was printed is no text")
        state = StateThere.from_json(data.get("state", {}))
        return cls(_outcome(data), Effects.from_json(data), state, written)


_KINDS: dict[type, dict[str, str]] = {
    Missing: {"kind": "missing"},
    Value: {"kind": "value"},
    Failure: {"kind": "error"},
}
_REQUESTS: dict[Any, type[Request]] = {request.op: request for request in Request.__subclasses__()}


def request_from_json(data: dict[str, Any]) -> Request:
    """The request that an object stands for.

    Raises:
        BadMessage: if it stands for none.
    """
    kind = _REQUESTS.get(data.get("op"))
    if kind is None:
        raise BadMessage("a request of no known kind")
    return kind.from_json(data)


def request_to_json(request: Request, shared: Shared | None = None) -> dict[str, Any]:
    """A request and what goes with it, as one object."""
    return {"op": request.op} | request.to_json() | (shared.to_json() if shared is not None else {})


@dataclass
class Structure(Message):
    """What a module of the test's is made of: in a request, as `["module", structure]`."""

    reference: tuple[str, str]  # its class: the name of the Python module, and its own name in there
    training: bool
    attributes: list[tuple[str, Written]]  # what else was set on it, as far as it crosses
    parameters: list[tuple[str, Written]]
    missing: list[str]  # parameters that are None
    buffers: list[tuple[str, Written]]
    modules: list[tuple[str, "Structure"]]  # its parts

    def to_json(self) -> dict[str, Any]:
        """As of any message; this one has others in a list."""
        return super().to_json() | {"modules": [[name, part.to_json()] for name, part in self.modules]}


def _outcome(data: dict[str, Any]) -> Outcome:
    kind = data.get("kind")
    if kind in ("function", "class", "module"):
        return Kept.from_json(data)
    for outcome in (Missing, Value, Failure):
        if kind == _KINDS[outcome]["kind"]:
            return outcome.from_json(data)
    raise BadMessage("an answer of no known kind")


@cache  # a check asks a few hundred times, and each time it would be a tenth of what that costs
def _hints(kind: type[Message]) -> dict[str, Any]:
    """The types of a message's fields, by name."""
    hints = get_type_hints(kind)
    return {part.name: hints[part.name] for part in fields(kind)}


def _fitting(value: Any, hint: Any) -> Any:
    """The value as a field of that type holds it: JSON's arrays as lists or tuples, its objects as messages."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin is UnionType:  # of a type and None
        return None if value is None else _fitting(value, parts[0])
    if origin is list and isinstance(value, list):
        return [_fitting(part, parts[0]) for part in value]
    if origin is tuple and isinstance(value, list) and len(value) == len(parts):
        return tuple(_fitting(part, hint_of_part) for part, hint_of_part in zip(value, parts, strict=True))
    if origin is None and issubclass(hint, Message):
        return hint.from_json(value)
    if type(value) is hint:
        return value
    raise BadMessage("a part of a message that is of another type")
