"""Training: one seed for everything, one device, one plain loop."""

import inspect
import math
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and PyTorch's global generators, on every device.

    The same seed then gives the same numbers on the same machine. Another machine, another number of threads or
    a GPU may round differently, and training carries small differences a long way.
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def device() -> torch.device:
    """The GPU if PyTorch can use one, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass
class History:
    """What `fit` saw: in each list, one entry for each time that it looked."""

    steps: list[int] = field(default_factory=list)  # training steps done
    losses: list[float] = field(default_factory=list)  # mean training loss since the entry before
    scores: list[float] = field(default_factory=list)  # what `evaluate` returned; empty without it
    seconds: list[float] = field(default_factory=list)  # since the start


def fit(
    model: nn.Module,
    next_batch: Callable[[], tuple[Tensor, ...]],
    loss: Callable[..., Tensor],
    steps: int,
    max_lr: float = 1e-2,
    clip: float = 1.0,
    evaluate: Callable[[nn.Module], float] | None = None,
    stop_at: float | None = None,
    every: int = 50,
    watch: Callable[[History], None] | None = None,
) -> History:
    """Train with Adam, a one-cycle learning rate and clipped gradients; a progress bar tells how far it is.

    Args:
        model: trained in place, on the device it is on, and left in the mode (`train` or `eval`) it was in.
        next_batch: returns the tensors of a batch, which are moved to the model's device.
        loss: called as `loss(model, *batch)`; returns the scalar to make small.
        steps: how many batches to train on at most; the learning rate's cycle is spread over them.
        max_lr: the learning rate at the top of the cycle.
        clip: the largest norm that the gradient may have.
        evaluate: called as `evaluate(model)` every `every` steps and after the last, in evaluation mode and without
            gradients; returns a score on data that the model doesn't train on, larger for better.
        stop_at: training ends as soon as the score is at least this.
        every: how many steps lie between two looks at the model.
        watch: called with the history so far after each look, for example to draw it (`helpers.plotting.LiveCurve`).

    Raises:
        ValueError: if `steps` or `every` is less than 1, `stop_at` is given without `evaluate`, or `loss` doesn't
            return a single number.
        FloatingPointError: if the loss or the gradient is no longer finite. The model is as it was before that step.
    Source: Smith and Topin (2018) for the one-cycle learning rate; Pascanu et al. (2013) for clipping by norm.
    """
    if steps < 1 or every < 1:
        raise ValueError(f"steps and every must be at least 1, not {steps} and {every}")
    if evaluate is None and stop_at is not None:
        raise ValueError("stop_at needs evaluate, the score that is compared with it")
    optimizer = _Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=max_lr, total_steps=steps)
    where = next(model.parameters()).device
    history, recent = History(), []
    was_training = model.training
    start = time.perf_counter()
    # stdout, because nbgrader takes anything on stderr for a failure
    bar = tqdm(range(1, steps + 1), desc="training", unit=" steps", file=sys.stdout, leave=False)
    try:
        model.train()
        for step in bar:
            value = loss(model, *(tensor.to(where) for tensor in next_batch()))
            if value.dim():
                raise ValueError(f"loss must return a single number, not a tensor of shape {tuple(value.shape)}")
            optimizer.zero_grad()
            value.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
            _require_finite(value.item(), norm.item(), step, max_lr)
            optimizer.step()
            schedule.step()
            recent.append(value.item())
            if step % every == 0 or step == steps:
                history.steps.append(step)
                history.losses.append(sum(recent) / len(recent))
                recent.clear()
                if evaluate is not None:
                    history.scores.append(_score(model, evaluate))
                history.seconds.append(time.perf_counter() - start)
                bar.set_postfix(loss=history.losses[-1], **({"score": history.scores[-1]} if history.scores else {}))
                if watch is not None:
                    watch(history)
                if stop_at is not None and history.scores[-1] >= stop_at:
                    break
    finally:
        bar.close()
        model.train(was_training)
    return history


class _Adam(torch.optim.Adam):
    """Adam without the decorators that `torch.compile` needs: importing the compiler for them takes over a second."""

    add_param_group = inspect.unwrap(torch.optim.Adam.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Adam.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))


def _require_finite(loss: float, gradient_norm: float, step: int, max_lr: float) -> None:
    for name, number in (("loss", loss), ("gradient", gradient_norm)):
        if not math.isfinite(number):
            raise FloatingPointError(
                f"the {name} is {number} at step {step}: try a smaller max_lr than {max_lr}, and look for a division "
                "by zero, or a softmax over a row that has no key"
            )


def _score(model: nn.Module, evaluate: Callable[[nn.Module], float]) -> float:
    model.eval()
    with torch.no_grad():
        score = evaluate(model)
    model.train()
    return score
