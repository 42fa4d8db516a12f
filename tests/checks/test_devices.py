"""The remark on devices: said of answers that a GPU would stumble over, and of no others, whatever their style."""

import re

import pytest
import torch

from helpers.attention import AttentionPooling, masked_softmax
from helpers.checks import check
from helpers.checks.catalogue import exercise_names, find_exercise
from helpers.checks.devices import WATCHED, remark_on_devices

KEPT = torch.arange(50)


def attended(scores, keep):
    """The softmax over what is kept, by means that suit every device."""
    weights = scores.masked_fill(~keep, -torch.inf).softmax(-1)
    return weights.masked_fill(~keep, 0.0)


def lengths_of(scores, valid_lens):
    return valid_lens.reshape(len(scores), -1, 1)


def compared(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    return attended(scores, torch.arange(scores.shape[-1]) < lengths_of(scores, valid_lens))


def moved_in_vain(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    steps = torch.arange(scores.shape[-1])
    steps.to(scores.device)
    return attended(scores, steps < lengths_of(scores, valid_lens))


def moved_to_the_cpu(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    steps = torch.arange(scores.shape[-1], device="cpu")
    return attended(scores, steps < lengths_of(scores, valid_lens))


def compared_with_one_length(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    full = lengths_of(scores, valid_lens).expand(*scores.shape[:2], 1)
    keep = [[torch.arange(scores.shape[2]) < n for n in row] for row in full]
    return attended(scores, torch.stack([torch.stack(row) for row in keep]))


def filled_row_by_row(scores, valid_lens=None):
    weights = torch.zeros(scores.shape, dtype=scores.dtype)
    lengths = None if valid_lens is None else lengths_of(scores, valid_lens).expand(*scores.shape[:2], 1)
    for b, sequence in enumerate(scores):
        for q, row in enumerate(sequence):
            n = len(row) if lengths is None else int(lengths[b, q])
            weights[b, q, :n] = row[:n].softmax(0)
    return weights


def made_where_the_input_is(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    return attended(scores, torch.arange(scores.shape[-1], device=scores.device) < lengths_of(scores, valid_lens))


def moved_afterwards(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    steps = torch.arange(scores.shape[-1]).to(scores.device)
    return attended(scores, steps < lengths_of(scores, valid_lens))


def moved_to_anothers_place(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    steps = torch.arange(scores.shape[-1]).to(valid_lens)
    return attended(scores, steps < lengths_of(scores, valid_lens))


def counted_on_what_is_there(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    steps = torch.ones_like(scores, dtype=torch.long).cumsum(-1)
    return attended(scores, steps <= lengths_of(scores, valid_lens))


def from_a_new_tensor(scores, valid_lens=None):
    lengths = scores.new_full(scores.shape[:1], scores.shape[2]) if valid_lens is None else valid_lens
    steps = scores.new_tensor(range(scores.shape[-1]))
    return attended(scores, steps < lengths_of(scores, lengths))


def on_the_device_of_the_block(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    with torch.device(scores.device):
        steps = torch.arange(scores.shape[-1])
    return attended(scores, steps < lengths_of(scores, valid_lens))


def on_the_cpu_and_back(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    keep = torch.arange(scores.shape[-1]) < lengths_of(scores, valid_lens).cpu()
    return attended(scores, keep.to(scores.device))


def number_by_number(scores, valid_lens=None):
    weights = torch.zeros_like(scores)
    lengths = None if valid_lens is None else lengths_of(scores, valid_lens).expand(*scores.shape[:2], 1)
    for b, sequence in enumerate(scores):
        for q in range(len(sequence)):
            n = scores.shape[2] if lengths is None else int(lengths[b, q])
            weights[b, q, :n] = sequence[q][:n].softmax(0) * torch.tensor(1.0)  # a single number suits every device
    return weights


def by_the_course(scores, valid_lens=None):
    return masked_softmax(scores, valid_lens)


def with_a_table_of_the_notebook(scores, valid_lens=None):
    if valid_lens is None or scores.shape[-1] > len(KEPT):
        return made_where_the_input_is(scores, valid_lens)
    return attended(scores, KEPT.to(scores.device)[: scores.shape[-1]] < lengths_of(scores, valid_lens))


def remark(answer, exercise="masked_softmax"):
    check(answer, exercise, seed=0)  # nothing is said of a wrong answer
    return remark_on_devices(answer, find_exercise(exercise), seed=0)


@pytest.mark.parametrize("answer", [compared, moved_in_vain, moved_to_the_cpu, compared_with_one_length])
def test_an_answer_that_a_gpu_would_stop_is_told_the_line(answer):
    assert re.search(r"on a GPU this answer would stop\. Line \d+ of your code, `.*torch\.arange", remark(answer))


def test_a_result_that_is_always_on_the_cpu_is_told():
    assert "still lie on the CPU. Line" in remark(filled_row_by_row)


@pytest.mark.parametrize(
    "answer",
    [
        *(made_where_the_input_is, moved_afterwards, moved_to_anothers_place, counted_on_what_is_there),
        *(from_a_new_tensor, on_the_device_of_the_block, on_the_cpu_and_back, number_by_number),
        *(by_the_course, with_a_table_of_the_notebook),
    ],
)
def test_an_answer_that_suits_every_device_gets_no_remark(answer):
    assert remark(answer) is None


class KeepsSteps(AttentionPooling):
    """It makes its positions when it is built."""

    def __init__(self, score, dropout=0.0):
        super().__init__(score, dropout)
        self.steps = torch.arange(200)

    def forward(self, queries, keys, values, valid_lens=None):
        if valid_lens is not None:
            torch.lt(self.steps[: keys.shape[1]], valid_lens.unsqueeze(-1))
        return super().forward(queries, keys, values, valid_lens)


class RegistersSteps(KeepsSteps):
    def __init__(self, score, dropout=0.0):
        super().__init__(score, dropout)
        steps = self.__dict__.pop("steps")
        self.register_buffer("steps", steps)


def test_an_attribute_stays_behind_when_a_module_moves_and_a_buffer_does_not():
    assert "The tensor `self.steps` is neither" in remark(KeepsSteps, "AttentionPooling")
    assert remark(RegistersSteps, "AttentionPooling") is None


def test_a_remark_is_part_of_a_pass_and_costs_nothing(capsys):
    assert check(compared, "masked_softmax", seed=0, points=4) == 4
    shown = capsys.readouterr()
    assert "every property holds" in shown.out and "A remark that costs no points" in shown.out
    assert shown.err == ""


def test_no_remark_is_made_on_a_wrong_answer(capsys):
    check(lambda scores, valid_lens=None: compared(scores, valid_lens) + 1e-3, "masked_softmax", seed=0, points=4)
    assert "remark" not in capsys.readouterr().out


def test_what_an_answer_prints_while_it_is_watched_is_not_shown(capfd):
    def chatty(scores, valid_lens=None):
        print("here I am")
        return compared(scores, valid_lens)

    remark_on_devices(chatty, find_exercise("masked_softmax"), seed=0)
    assert capfd.readouterr() == ("", "")


def test_an_answer_in_another_process_is_left_alone():
    class StandIn:
        def __forbidden_uses__(self):
            return []

        def __call__(self, scores, valid_lens=None):
            raise AssertionError("it was called")

    assert remark_on_devices(StandIn(), find_exercise("masked_softmax"), seed=0) is None


def test_the_exercises_that_are_watched_exist():
    assert set(exercise_names()) >= WATCHED
