"""The training loop: it learns, stops, reports and complains as it says it does."""

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.optimizer import register_optimizer_step_pre_hook

from helpers.metrics import exact_match
from helpers.seq2seq import (
    Encoder,
    LuongDecoder,
    PlainDecoder,
    Seq2Seq,
    greedy_decode,
    sequence_cross_entropy,
    shift_right,
)
from helpers.tasks import VOCAB_SIZE, reverse_batch, reverse_batch_of_lengths
from helpers.training import device, fit, seed_everything

X = torch.linspace(-1, 1, 16).unsqueeze(1)  # (16, 1)


def batch():
    return X, 3 * X + 1


def squared_error(model, x, y):
    return F.mse_loss(model(x), y)


def line():
    torch.manual_seed(0)
    return nn.Linear(1, 1)


def test_one_seed_repeats_all_three_generators():
    seed_everything(7)
    first = random.random(), np.random.rand(), torch.rand(1).item()
    seed_everything(7)
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == first
    seed_everything(8)
    assert all(a != b for a, b in zip((random.random(), np.random.rand(), torch.rand(1).item()), first, strict=True))


def test_the_device_is_the_gpu_if_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device().type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device().type == "cuda"


def test_a_line_is_learned():
    model = line()
    history = fit(model, batch, squared_error, steps=400, max_lr=0.1)
    assert history.losses[-1] < 1e-3 < history.losses[0]
    assert model.weight.item() == pytest.approx(3, abs=0.05) and model.bias.item() == pytest.approx(1, abs=0.05)


def test_the_same_seed_trains_the_same_model():
    def trained():
        seed_everything(1)
        model = nn.Linear(3, 2)
        fit(model, lambda: (torch.randn(4, 3),), lambda model, x: model(x).square().mean(), steps=10)
        return model.weight

    assert torch.equal(trained(), trained())


def test_the_history_has_an_entry_every_so_many_steps_and_one_at_the_end():
    history = fit(line(), batch, squared_error, steps=25, every=10)
    assert history.steps == [10, 20, 25]
    assert len(history.losses) == len(history.seconds) == 3 and history.scores == []
    assert 0 < history.seconds[0] < history.seconds[1] < history.seconds[2]


def test_a_loss_in_the_history_is_the_mean_since_the_entry_before():
    losses = iter([1.0, 3.0, 5.0, 9.0])
    history = fit(line(), batch, lambda model, x, y: 0 * model(x).sum() + next(losses), steps=4, every=2)
    assert history.losses == [2.0, 7.0]


def test_training_stops_as_soon_as_the_score_is_reached():
    scores = iter([0.2, 0.9, 0.95, 1.0])
    history = fit(line(), batch, squared_error, steps=100, every=5, evaluate=lambda _: next(scores), stop_at=0.95)
    assert history.steps == [5, 10, 15] and history.scores == [0.2, 0.9, 0.95]


def test_watch_sees_the_history_after_each_look_also_the_last():
    seen = []

    def watch(history):
        seen.append((list(history.steps), list(history.scores)))

    fit(line(), batch, squared_error, 100, every=5, evaluate=lambda _: float(len(seen)), stop_at=2.0, watch=watch)
    assert seen == [([5], [0.0]), ([5, 10], [0.0, 1.0]), ([5, 10, 15], [0.0, 1.0, 2.0])]


def test_evaluation_is_in_evaluation_mode_without_gradients_and_training_goes_on_in_training_mode():
    model, modes = nn.Sequential(line(), nn.Dropout(0.5)), {"evaluate": [], "loss": []}

    def evaluate(model):
        modes["evaluate"].append((model.training, torch.is_grad_enabled()))
        return 0.0

    def loss(model, x, y):
        modes["loss"].append((model.training, torch.is_grad_enabled()))
        return squared_error(model, x, y)

    fit(model, batch, loss, steps=4, every=1, evaluate=evaluate)
    assert set(modes["evaluate"]) == {(False, False)} and set(modes["loss"]) == {(True, True)}


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_in_the_mode_it_was_in(training):
    model = line().train(training)
    fit(model, batch, squared_error, steps=2)
    assert model.training == training


@pytest.fixture
def before_each_step():
    """Register what is called with an optimizer before each of its steps."""
    handles = []
    yield lambda look: handles.append(register_optimizer_step_pre_hook(lambda optimizer, *_: look(optimizer)))
    for handle in handles:
        handle.remove()


def test_the_learning_rate_rises_to_its_top_and_falls_again(before_each_step):
    rates = []
    before_each_step(lambda optimizer: rates.append(optimizer.param_groups[0]["lr"]))
    fit(line(), batch, squared_error, steps=100, max_lr=0.5)
    top = rates.index(max(rates))
    assert len(rates) == 100 and max(rates) == pytest.approx(0.5) and 20 < top < 40
    assert rates[0] < 0.05 and rates[-1] < 0.001


def test_the_gradient_is_clipped_to_the_norm_that_is_given(before_each_step):
    norms = []

    def record(optimizer):
        gradients = [parameter.grad for group in optimizer.param_groups for parameter in group["params"]]
        norms.append(torch.cat([gradient.flatten() for gradient in gradients]).norm().item())

    before_each_step(record)
    fit(line(), batch, lambda *args: 1000 * squared_error(*args), steps=3, clip=0.25)
    assert norms == pytest.approx([0.25] * 3, rel=1e-3)


def test_it_trains_to_the_bit_as_with_pytorchs_own_adam(monkeypatch):
    ours, pytorchs = line(), line()
    fit(ours, batch, squared_error, steps=20)
    monkeypatch.setattr("helpers.training._Adam", torch.optim.Adam)
    fit(pytorchs, batch, squared_error, steps=20)
    assert torch.equal(ours.weight, pytorchs.weight) and torch.equal(ours.bias, pytorchs.bias)


def test_it_trains_without_importing_pytorchs_compiler():
    script = """
import sys, torch
from helpers.training import fit
fit(torch.nn.Linear(1, 1), lambda: (torch.ones(2, 1),), lambda model, x: model(x).square().mean(), steps=2)
print(sorted({"torch._dynamo", "sympy"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1:] == ["[]"]


def test_a_single_step_is_training_too():
    model, before = line(), line().weight.item()
    assert fit(model, batch, squared_error, steps=1).steps == [1]
    assert model.weight.item() != before


def test_a_loss_that_is_no_longer_a_number_ends_training_with_the_model_as_it_was():
    model, factors = line(), iter([1.0, float("nan")])
    history = {}

    def loss(model, x, y):
        history["weight"] = model.weight.item()
        return next(factors) * squared_error(model, x, y)

    with pytest.raises(FloatingPointError, match=r"the loss is nan at step 2: try a smaller max_lr than 0\.01"):
        fit(model, batch, loss, steps=5)
    assert model.weight.item() == history["weight"] and model.training


def test_a_gradient_that_is_no_longer_finite_is_reported_although_the_loss_is():
    model = line()
    before = model.weight.item()
    with pytest.raises(FloatingPointError, match=r"the gradient is (nan|inf) at step 1"):
        fit(model, batch, lambda model, x, y: (0 * model(x)).sum().sqrt(), steps=5)
    assert model.weight.item() == before


def test_the_progress_bar_is_on_stdout_and_nothing_is_on_stderr(capsys):
    fit(line(), batch, squared_error, steps=3)
    printed = capsys.readouterr()
    assert "training" in printed.out and printed.err == ""
    assert printed.out.split("\r")[-1].strip() == ""  # and it is wiped out at the end


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps and every must be at least 1, not 0 and 50"),
        ({"every": 0}, "steps and every must be at least 1, not 3 and 0"),
        ({"stop_at": 0.9}, "stop_at needs evaluate"),
        ({"loss": lambda model, x, y: model(x)}, r"loss must return a single number, not a tensor of shape \(16, 1\)"),
    ],
    ids=["steps", "every", "stop_at", "loss"],
)
def test_bad_arguments_are_named(wrong, message):
    arguments = {"loss": squared_error, "steps": 3} | wrong
    with pytest.raises(ValueError, match=message):
        fit(line(), batch, **arguments)


@pytest.fixture
def one_thread():
    """More would gain little on a model this small, and lose much where other processes want the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_a_small_model_learns_to_reverse_short_strings_that_it_has_not_seen(one_thread):
    seed_everything(0)
    encoder, decoder = Encoder(VOCAB_SIZE, 16, 32, bidirectional=True), LuongDecoder(VOCAB_SIZE, 16, 32)
    model = Seq2Seq(encoder, decoder, VOCAB_SIZE, 32).to(device())
    held_out_x, held_out_y = reverse_batch(300, 5, torch.Generator().manual_seed(1))

    def loss(model, strings, targets):
        return F.cross_entropy(model(strings, shift_right(targets)).flatten(0, 1), targets.flatten())

    def share_right(model):
        return exact_match(greedy_decode(model, held_out_x, 5)[0], held_out_y)

    before = share_right(model)
    history = fit(model, lambda: reverse_batch(128, 5), loss, 600, 1e-2, evaluate=share_right, stop_at=0.95)
    assert before < 0.05 and history.scores[-1] >= 0.95


@pytest.mark.slow
def test_a_small_model_without_attention_learns_strings_of_unequal_length_and_where_they_end(one_thread):
    seed_everything(0)
    model = Seq2Seq(Encoder(VOCAB_SIZE, 16, 48), PlainDecoder(VOCAB_SIZE, 16, 48), VOCAB_SIZE, 48).to(device())

    def next_batch():
        valid_lens = torch.randint(1, 5, (64,))
        return *reverse_batch_of_lengths(valid_lens, 4), valid_lens

    def loss(model, strings, targets, valid_lens):
        return sequence_cross_entropy(model(strings, shift_right(targets), valid_lens), targets, valid_lens + 1)

    valid_lens = torch.arange(300) % 2 + 3  # 3 and 4
    held_out_x, held_out_y = reverse_batch_of_lengths(valid_lens, 4, torch.Generator().manual_seed(1))

    def share_right(model):
        written, _ = greedy_decode(model, held_out_x, 5, valid_lens=valid_lens)
        return exact_match(written, held_out_y, valid_lens + 1)

    before = share_right(model)
    history = fit(model, next_batch, loss, 800, 1e-2, evaluate=share_right, stop_at=0.9)
    assert before < 0.05 and history.scores[-1] >= 0.9
