"""A candidate that speaks the border's protocol itself, and says what it likes: whatever it is, no test holds by it."""

import contextlib
import json
import socket
import struct
import threading
import time

import pytest
import torch
from safetensors.torch import save
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import nn

from grading.border.candidate import Service
from grading.border.errors import CandidateGone
from grading.border.examiner import Examiner
from grading.border.testing import TestCells
from grading.border.wire import BadMessage, Channel, Reader

FUNCTION = {"kind": "function", "number": 0, "name": "answer"}
# The answer is to double its argument: what is wanted is worked out after the call, from what was handed over.
HIDDEN = """### BEGIN HIDDEN TESTS
numbers = torch.tensor([1.0, 2.0])
got = answer(numbers)
assert got.shape == numbers.shape and torch.allclose(got, 2 * numbers), "not doubled"
### END HIDDEN TESTS"""


@contextlib.contextmanager
def forging(reply, deadline=30.0):
    """An examiner whose candidate answers a call with `reply(request, tensors)`: a message with tensors, or bytes."""
    here, there = socket.socketpair()
    channel = Channel(there)

    def serve():
        with contextlib.suppress(Exception):
            while True:
                request, tensors = channel.receive()
                forged = (FUNCTION, []) if request["op"] == "resolve" else reply(request, tensors)
                if isinstance(forged, bytes):
                    there.sendall(forged)
                else:
                    channel.send(*forged)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Examiner(Channel(here), time.monotonic() + deadline)
    finally:
        here.close()
        there.close()
        thread.join(5)


def value(tensor, **more):
    """The answer is this tensor; others can be referred to as `["tensor", 1]` and so on."""
    return {"kind": "value", "value": ["tensor", 0], "differentiable": [0]} | more, [tensor]


def raw(head: bytes, body: bytes = b"") -> bytes:
    return struct.pack("!II", len(head), len(body)) + head + body


def laid_out(*layout):
    """The right numbers, with a false account of how they lie in the message."""
    head = {"kind": "value", "value": ["tensor", 0], "tensors": [list(layout)]}
    return lambda *_: raw(json.dumps(head).encode(), save({"float32": torch.tensor([2.0, 4.0])}))


def written(numbers):
    return lambda request, tensors: (value(torch.zeros(2), changed=[[0, ["tensor", 1]]])[0], [torch.zeros(2), numbers])


FORGED = {
    "no kind": lambda *_: ({}, []),
    "a kind that there isn't": lambda *_: ({"kind": "points", "value": 4}, []),
    "a stand-in for the answer": lambda *_: (FUNCTION, []),
    "a number that is none": lambda *_: ({"kind": "function", "number": "none"}, []),
    "another shape": lambda *_: value(torch.zeros(2, 1, 1)),
    "a tensor that isn't there": lambda *_: ({"kind": "value", "value": ["tensor", 5]}, []),
    "a type whose name is a dunder": lambda *_: ({"kind": "value", "value": ["unknown", "__class__"]}, []),
    "a number of a type that there isn't": lambda *_: ({"kind": "value", "value": ["float", "0x1p0", 3]}, []),
    "an argument emptied": written(torch.zeros(2)),
    "an argument full of NaN": written(torch.full((2,), torch.nan)),
    "an argument of another shape": written(torch.zeros(0)),
    "an argument of another type": written(torch.zeros(2, dtype=torch.bool)),
    "an argument that there isn't": lambda *_: value(torch.zeros(2), changed=[[7, ["tensor", 0]]]),
    "an argument changed to a text": lambda *_: value(torch.zeros(2), changed=[[0, "text"]]),
    "gradients for what isn't there": lambda *_: value(torch.zeros(2), differentiable=[9, "x", -1]),
    "gradients off": lambda *_: value(torch.zeros(2), state={"grad": False}),
    "a random state that is none": lambda *_: value(torch.zeros(2), state={"rng": "seven"}),
    "a state that is none": lambda *_: value(torch.zeros(2), state=[1]),
    "an error": lambda *_: ({"kind": "error", "type": ["CheckFailed", "AssertionError"], "message": "fine"}, []),
    "an error that ends loops": lambda *_: ({"kind": "error", "type": ["StopIteration"], "message": ""}, []),
    "an error that ends programs": lambda *_: ({"kind": "error", "type": ["SystemExit"], "message": "0"}, []),
    "an error of a person's": lambda *_: ({"kind": "error", "type": ["KeyboardInterrupt"], "message": ""}, []),
    "an error that skips tests": lambda *_: ({"kind": "error", "type": ["SkipTest", "Exception"], "message": ""}, []),
    "an error of errors": lambda *_: ({"kind": "error", "type": ["ExceptionGroup"], "message": ""}, []),
    "an error that is none": lambda *_: ({"kind": "error", "type": 5, "message": {}, "frames": 7}, []),
    "an error with a thousand frames": lambda *_: (
        {"kind": "error", "type": ["ValueError"], "message": "", "frames": 1000 * [["f", "x", 99_999, "line"]]},
        [],
    ),
    "no JSON": lambda *_: raw(b"points = 4"),
    "JSON that is no object": lambda *_: raw(b"[]"),
    "JSON nested too deeply": lambda *_: raw(50_000 * b"[" + 50_000 * b"]"),
    "JSON that is too large": lambda *_: struct.pack("!II", 5 * 2**20, 0),
    "tensors that are none": lambda *_: raw(b'{"tensors": []}', b"tensors"),
    "a tensor with more numbers than there are": laid_out("float32", [3], [0]),
    "a tensor with fewer numbers than there are": laid_out("float32", [1], [0]),
    "a tensor with fewer numbers than none": laid_out("float32", [-2], [0]),
    "a tensor with numbers beyond counting": laid_out("float32", [2**40, 2**40], [0, 1]),
    "a tensor whose size is a text": laid_out("float32", ["2"], [0]),
    "a tensor of another type than its numbers": laid_out("int64", [2], [0]),
    "a tensor of a type that there isn't": laid_out("float", [2], [0]),
    "a tensor with axes in no order": laid_out("float32", [2], [1]),
    "a tensor with no account of it": laid_out(),
    "a message that is too large": lambda *_: struct.pack("!II", 2**31, 2**31),
}


@pytest.mark.parametrize("reply", FORGED.values(), ids=FORGED)
def test_no_forged_reply_makes_a_test_hold(reply):
    with forging(reply) as examiner:
        outputs = TestCells([]).run(HIDDEN, examiner)
    assert outputs[-1].output_type == "error"
    assert torch.is_grad_enabled()


def test_the_right_numbers_do():
    with forging(lambda request, tensors: value(2 * tensors[request["inputs"][0]])) as examiner:
        assert TestCells([]).run(HIDDEN, examiner) == []


def test_so_do_they_when_they_are_laid_out_as_the_message_says():
    with forging(laid_out("float32", [2], [0])) as examiner:
        assert TestCells([]).run(HIDDEN, examiner) == []


def test_a_reply_that_comes_byte_by_byte_has_no_more_time_than_one_that_comes_at_once():
    text = raw(json.dumps({"kind": "value", "value": 2, "tensors": []}).encode())

    here, there = socket.socketpair()

    def drip():
        with contextlib.suppress(OSError):
            for i in range(len(text)):
                there.sendall(text[i : i + 1])
                time.sleep(0.05)

    threading.Thread(target=drip, daemon=True).start()
    with pytest.raises(CandidateGone, match="took too long"):
        Examiner(Channel(here), time.monotonic() + 0.5).find("answer")
    here.close()


def test_who_does_not_take_what_is_sent_is_not_waited_for():
    here, there = socket.socketpair()
    with here, there, pytest.raises(CandidateGone, match="took too long"):
        Examiner(Channel(here), time.monotonic() + 0.5).call(0, None, (torch.zeros(2**20),), {})


def test_an_error_in_a_loop_of_the_tests_is_not_mistaken_for_its_end():
    with forging(FORGED["an error that ends loops"]) as examiner:
        (output,) = TestCells([]).run("assert all(map(answer, [1, 2]))", examiner)
    assert output.ename == "StopIteration"


def test_what_a_test_draws_is_not_the_candidates_to_choose():
    zeros = torch.get_rng_state().clone()
    zeros[24:] = 0

    def reply(request, tensors):
        return {"kind": "value", "value": 1, "state": {"rng": ["tensor", 0]}, "generators": [["tensor", 0]]}, [zeros]

    drawn = []
    for forged in (reply, lambda *_: ({"kind": "value", "value": 1}, [])):
        with forging(forged) as examiner:
            generator = torch.Generator().manual_seed(2)
            torch.manual_seed(1)
            examiner.call(0, None, (generator,), {})
            drawn.append(torch.cat([torch.rand(100), torch.rand(100, generator=generator)]))
    assert all(len(each.unique()) > 100 for each in drawn)


def test_a_module_that_a_hidden_test_hands_over_stays_as_it_is():
    layer = nn.Linear(2, 2)

    def reply(request, tensors):
        state = [["tensor", 0], ["tensor", 1]]
        message = {"kind": "value", "value": 1, "modules": [[state, [True], [True, True]]]}
        return message, [torch.zeros(2, 2), torch.zeros(2)]

    before = [each.clone() for each in layer.parameters()]
    with forging(reply) as examiner:
        examiner.arguments_stay = True
        with pytest.raises(AssertionError, match="an argument was written to"):
            examiner.call(0, None, (layer,), {})
    assert all(map(torch.equal, before, layer.parameters()))


@pytest.mark.parametrize("setting", [{"length": 10**12}, {"length": 5, "pad_token": 10**6 * "a"}])
def test_a_tokenizer_is_not_set_to_what_takes_all_memory(setting):
    tokenizer = Tokenizer(WordLevel({"a": 0}, unk_token="a"))
    written = [
        "dict",
        *([name, each if isinstance(each, str) else ["int", str(each)]] for name, each in setting.items()),
    ]
    with (
        forging(lambda *_: ({"kind": "value", "value": 1, "tokenizers": [[written, None]]}, [])) as examiner,
        pytest.raises(CandidateGone),
    ):
        examiner.call(0, None, (tokenizer,), {})
    assert tokenizer.padding is None


def test_weights_that_a_module_is_given_are_copies():
    weights = {"weight": torch.ones(2)}

    def reply(request, tensors):
        return value(torch.zeros(2), changed=[[0, ["tensor", 0]]])

    with forging(lambda request, tensors: ({"kind": "module", "number": 0}, [])) as examiner:
        module = examiner.call(0, None, (), {})
    with forging(reply) as examiner:
        module._examiner = examiner
        module.load_state_dict(weights)
    assert torch.equal(weights["weight"], torch.ones(2))


def test_an_answer_goes_by_the_name_that_the_test_knows_it_by():
    def mask(x):
        return x

    mask.__name__ = "length_mask"
    here, there = socket.socketpair()
    threading.Thread(target=Service({"masked_mean": mask}).serve, args=(Channel(there),), daemon=True).start()
    examiner = Examiner(Channel(here))
    assert examiner.find("masked_mean").__name__ == "masked_mean"
    examiner.done()


def test_values_too_many_are_refused():
    with pytest.raises(BadMessage, match="too many parts"):
        Reader([]).read(["list", *(100_001 * [1])])
