"""The border's messages: they come out as they went in, and what doesn't fit a field's type is none."""

import json

import pytest

from grading.border import messages
from grading.border.messages import (
    Answer,
    Effects,
    Failure,
    Kept,
    Missing,
    Shared,
    StateHere,
    StateThere,
    Structure,
    Value,
)
from grading.border.wire import BadMessage

REQUESTS = [
    messages.Resolve("softmax"),
    messages.Call(3, "forward", 7, ["list", ["tensor", 0]], ["dict"], [0], []),
    messages.Get(3, "weights"),
    messages.Parameters(3),
    messages.Weights(["140", "141"]),
    messages.Backward(7, ["list", ["tensor", 0], None]),
    messages.Forbidden(3),
    messages.Draw(3, ["list", ["tensor", 0]]),
    messages.Done(),
]
EFFECTS = Effects(
    [0], ["140"], [(0, ["tensor", 1])], ["list"], [([["tensor", 2]], [True], [False])], [], [["tensor", 3]]
)
ANSWERS = [
    Answer(Missing()),
    Answer(Value(["tensor", 0]), EFFECTS, StateThere(True, ["tensor", 4]), "printed"),
    Answer(Kept("module", 3, "Attention")),
    Answer(
        Failure(["KeyError", "LookupError"], "a", False, [("softmax", "cell", 2, "return 1"), ("f", "cell", None, "")])
    ),
]


def sent(data):
    return json.loads(json.dumps(data))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.op)
def test_a_request_comes_out_as_it_went_in_with_what_is_shared(request_):
    shared = Shared(StateHere(True, ["dtype", "float32"]), [("140", ["tensor", 0])], [(7, 0, ["tensor", 1])])
    data = sent(messages.request_to_json(request_, shared))
    assert messages.request_from_json(data) == request_
    assert Shared.from_json(data) == shared


def test_there_is_an_example_of_each_request():
    assert {type(request) for request in REQUESTS} == set(messages.Request.__subclasses__())


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer.outcome).__name__)
def test_an_answer_comes_out_as_it_went_in(answer):
    assert Answer.from_json(sent(answer.to_json())) == answer


def test_a_module_in_a_module_comes_out_as_it_went_in():
    inner = Structure(("torch.nn.modules.linear", "Linear"), True, [], [("weight", ["tensor", 0])], ["bias"], [], [])
    outer = Structure(
        ("helpers.x", "Outer"), False, [("size", 3)], [], [], [("mask", ["tensor", 1])], [("inner", inner)]
    )
    assert Structure.from_json(sent(outer.to_json())) == outer


WRONG = {
    "a number that is a truth value": {"kind": "function", "number": True},
    "a number that is missing": {"kind": "class"},
    "a name that is a number": {"kind": "module", "number": 0, "name": 5},
    "a place that is a text": {"kind": "value", "differentiable": ["0"]},
    "a pair of three": {"kind": "value", "changed": [[0, 1, 2]]},
    "a mode that is a number": {"kind": "value", "modules": [[[], [1], []]]},
    "a state that is a list": {"kind": "value", "state": [1]},
    "a text that is an object": {"kind": "value", "written": {}},
    "a list that is an object": {"kind": "error", "frames": {}},
    "a kind that is a list": {"kind": ["value"]},
    "no kind": {},
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_no_answer(data):
    with pytest.raises(BadMessage):
        Answer.from_json(data)


def test_keys_that_no_field_has_are_passed_over():
    assert Answer.from_json({"kind": "value", "value": 2, "__class__": "Failure", "to_json": 1}) == Answer(Value(2))
