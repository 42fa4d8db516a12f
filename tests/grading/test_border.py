"""The border: a check says the same, word for word, of a student's function here and of its stand-in."""

import contextlib
import io
import os
import re
import socket
import threading

import pytest
import torch

from grading.border.candidate import Service
from grading.border.errors import CandidateGone
from grading.border.examiner import Examiner
from grading.border.testing import TestCells
from grading.border.wire import BadMessage, Channel, Reader, Writer, unknown
from helpers.checks.catalogue import find_exercise
from helpers.checks.engine import examine
from helpers.checks.report import Report
from tests.checks.bank import all_banks


@contextlib.contextmanager
def examining(names, deadline=float("inf")):
    """An examiner whose candidate is a process of its own that has these names."""
    torch.set_num_threads(1)  # a child would wait for the others' threads, which it doesn't have
    here, there = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            here.close()
            Service(names).serve(Channel(there))
        finally:
            os._exit(0)
    there.close()
    try:
        yield Examiner(Channel(here), deadline)
    finally:
        here.close()
        os.waitpid(child, 0)


def report(answer, exercise: str) -> Report:
    torch.manual_seed(0)
    known, written = find_exercise(exercise), io.StringIO()
    with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
        findings, misconception = examine(answer, known, seed=0)
    return Report(known, 0, findings, misconception, written.getvalue())


def without_places(text: str) -> str:
    """Without the lines of a file that a warning names, told once a process, and how often a tensor was written to."""
    return re.sub(r"version \d+", "version", re.sub(r"\S+\.py:\d+: \w*Warning: .*\n.*\n?", "", text))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # an answer may warn: raised as an error, that would be another behaviour
@pytest.mark.parametrize("exercise", all_banks())
def test_every_answer_of_the_bank_gets_the_same_report_on_both_sides_and_the_right_one(exercise):
    differing, misjudged = [], []
    for answer in all_banks()[exercise]:
        with examining({answer.id: answer.function}) as examiner:  # first: an answer may remember its calls
            there = report(examiner.find(answer.id), exercise)
        here = report(answer.function, exercise)
        if without_places(here.text) != without_places(there.text):
            differing.append(answer.id)
        named = here.record["misconception"]
        if answer.is_right == bool(here.failures) or answer.named not in (None, named):
            misjudged.append((answer.id, named))  # with this seed, the first; tests/checks/test_banks.py has another
    assert (differing, misjudged) == ([], [])


def double(x):
    return 2 * x


def fill(x, box):
    x.zero_()
    box.append(1)


def lengthen(x):
    x.data = torch.cat([x, x])
    return x.sum()


def draw(generator):
    return torch.rand(2, generator=generator), torch.rand(2)


def fail(x):
    raise KeyError("no such key")


def quit_it():
    os._exit(3)


def hang():
    threading.Event().wait()


class Layer(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = torch.nn.Linear(width, 1)

    def forward(self, x):
        return self.linear(x).squeeze(-1), self.linear


def test_tensors_gradients_and_second_gradients_of_a_sum_cross():
    with examining({"double": double}) as examiner:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = examiner.find("double")(x)
        assert torch.equal(y, torch.tensor([2.0, 4.0])) and y.requires_grad
        assert torch.equal(torch.autograd.grad(y.sum(), x)[0], torch.tensor([2.0, 2.0]))
        assert not examiner.find("double")(x.detach()).requires_grad


def test_what_is_written_into_arguments_is_written_here():
    with examining({"fill": fill}) as examiner:
        x, box = torch.ones(3), []
        examiner.find("fill")(x, box)
        assert torch.equal(x, torch.zeros(3)) and box == [1]


def test_a_result_that_a_later_call_makes_longer_is_longer_on_both_sides():
    with examining({"double": double, "lengthen": lengthen}) as examiner:
        result, longer = examiner.find("double")(torch.ones(2)), examiner.find("lengthen")
        assert longer(result).item() == 8 and longer(result).item() == 16
        assert torch.equal(result, torch.full((8,), 2.0))


def test_tensors_of_all_types_and_shapes_cross_with_their_place_in_memory():
    here, there = socket.socketpair()
    sent = [
        *(torch.arange(6.0).view(2, 3).t(), torch.tensor(3, dtype=torch.int64), torch.zeros(0, 4)),
        *(torch.ones(2, dtype=torch.bfloat16), torch.tensor([True]), torch.arange(24.0).view(2, 3, 4).permute(2, 0, 1)),
    ]
    with here, there:
        Channel(here).send({"n": 1}, sent)
        message, got = Channel(there).receive()
    assert message["n"] == 1
    for ours, theirs in zip(sent, got, strict=True):
        assert (theirs.dtype, theirs.stride()) == (ours.dtype, ours.stride()) and torch.equal(theirs, ours)
        assert theirs.untyped_storage().nbytes() == theirs.nbytes  # nothing of another tensor is in reach


def test_random_numbers_go_on_from_call_to_call_as_if_it_had_been_here():
    def draws(answer):
        torch.manual_seed(1)
        generator = torch.Generator().manual_seed(2)
        before, of_generator = torch.get_rng_state(), generator.get_state()
        drawn = [*answer(generator), *answer(generator)]
        moved = not (torch.equal(before, torch.get_rng_state()) or torch.equal(of_generator, generator.get_state()))
        torch.set_rng_state(before)
        return torch.stack([*drawn, *answer(generator)]), moved

    with examining({"draw": draw}) as examiner:
        got, moved = draws(examiner.find("draw"))
    assert torch.equal(got, draws(draw)[0]) and moved


def test_an_error_over_there_is_one_here_with_its_type_message_and_line():
    with examining({"fail": fail}) as examiner, pytest.raises(KeyError, match="no such key") as raised:
        examiner.find("fail")(1)
    assert str(raised.traceback[-1].statement) == 'raise KeyError("no such key")'


def test_a_modules_weights_are_set_and_its_parameters_get_gradients():
    with examining({"Layer": Layer}) as examiner:
        layer = examiner.find("Layer")(2)
        layer.load_state_dict({"linear.weight": torch.tensor([[1.0, 2.0]]), "linear.bias": torch.zeros(1)})
        learned = dict(layer.named_parameters())
        with torch.no_grad():
            learned["linear.bias"] += 1
        # A module among what comes back stays over there, and has no value here.
        output, _ = layer(torch.tensor([[3.0, 4.0]]))
        assert output.item() == 12
        gradient = torch.autograd.grad(output.sum(), learned["linear.weight"])[0]
        assert torch.equal(gradient, torch.tensor([[3.0, 4.0]]))


def test_parameters_that_a_test_holds_have_the_weights_that_are_loaded_afterwards():
    with examining({"Layer": Layer}) as examiner:
        layer = examiner.find("Layer")(2)
        held = dict(layer.named_parameters())
        weights = {"linear.weight": torch.tensor([[1.0, 2.0]]), "linear.bias": torch.ones(1)}
        layer.load_state_dict(weights)
        assert all(torch.equal(held[name], weights[name]) for name in weights)
        with torch.no_grad():
            held["linear.weight"][0, 0] = 3.0
        assert layer(torch.tensor([[1.0, 1.0]]))[0].item() == 6
        assert torch.equal(dict(layer.named_parameters())["linear.weight"], torch.tensor([[3.0, 2.0]]))


def test_a_candidate_that_is_gone_or_hangs_is_an_error_in_words():
    with examining({"quit_it": quit_it}) as examiner:
        quitting = examiner.find("quit_it")
        for _ in range(2):
            with pytest.raises(CandidateGone, match="has ended"):
                quitting()
    here, there = socket.socketpair()
    with here, there, pytest.raises(CandidateGone, match="took too long"):
        Examiner(Channel(here), deadline=0.0).find("anything")


@pytest.mark.parametrize(
    "value",
    [
        ["tensor", 7],
        ["tensor", -1],
        ["object", 1],
        ["reference", "os", "system"],
        ["dict", [["list"], 1]],
        ["float", "one", "float"],
        [["tuple"]],
        {"a": 1},
    ],
)
def test_what_is_no_value_is_refused(value):
    with pytest.raises(BadMessage):
        Reader([]).read(value)


def test_a_value_nested_too_deeply_is_refused():
    value: list = ["list"]
    for _ in range(100):
        value = ["list", value]
    with pytest.raises(BadMessage, match="nested"):
        Reader([]).read(value)


def test_values_come_out_as_they_went_in():
    value = (1, 2**60, -0.5, float("inf"), "text", None, True, [1, (2,)], {"a": {1, 2}, (1, 2): frozenset([3])})
    writer = Writer()
    assert Reader(writer.tensors).read(writer.write(value)) == value
    assert type(Reader([]).read(Writer().write(object()))).__name__ == type(unknown("object")).__name__


def test_a_test_cell_runs_with_the_students_things_and_tells_only_its_verdict():
    cells = TestCells(["import math\ndef given(x):\n    return math.floor(x)"])
    with examining({"double": double}) as examiner:
        assert cells.run("assert double(given(2.5)) == 4", examiner) == []
        (failed,) = cells.run("secret = 5\nassert double(2) == secret, 'twice 2 is not that'", examiner)
        assert failed.traceback == ["AssertionError: twice 2 is not that"]
        (missing,) = cells.run("triple(2)", examiner)
        assert missing.ename == "NameError"
        (partial,) = cells.run("double(1.5) - 1", examiner)
        assert partial.data == {"text/plain": "2.0"}
