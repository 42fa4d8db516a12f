"""What lab 4's exercises share: a GRU in float64, weights that a check draws, and a right `shift_right`."""

from collections.abc import Mapping

import torch
from torch import Tensor

from helpers.checks.engine import Draw


def _gru_step(weights: Mapping[str, Tensor], layer: str, x: Tensor, state: Tensor) -> Tensor:
    """One step of a GRU, as PyTorch's documentation of `nn.GRU` writes it: (batch, embed), (batch, hidden)."""
    of_x = x @ weights[f"{layer}.weight_ih_l0"].T + weights[f"{layer}.bias_ih_l0"]
    of_state = state @ weights[f"{layer}.weight_hh_l0"].T + weights[f"{layer}.bias_hh_l0"]
    (reset_x, update_x, new_x), (reset_h, update_h, new_h) = of_x.chunk(3, dim=1), of_state.chunk(3, dim=1)
    reset, update = (reset_x + reset_h).sigmoid(), (update_x + update_h).sigmoid()
    return (1 - update) * (new_x + reset * new_h).tanh() + update * state


def encoded(weights: Mapping[str, Tensor], encoder_x: Tensor) -> Tensor:
    """The encoder's last state: (batch, hidden)."""
    state = torch.zeros(len(encoder_x), weights["linear.weight"].shape[1], dtype=torch.float64)
    for step in range(encoder_x.shape[1]):
        state = _gru_step(weights, "encoder", weights["embedding.weight"][encoder_x[:, step]], state)
    return state


def decoded(weights: Mapping[str, Tensor], tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """The logits after one more token of each string, and the decoder's new state."""
    state = _gru_step(weights, "decoder", weights["embedding.weight"][tokens], state)
    return state @ weights["linear.weight"].T + weights["linear.bias"], state


def right_shift(targets, start):
    return torch.cat([torch.full_like(targets[:, :1], start), targets[:, :-1]], dim=1)


ARGUMENTS = ("vocab_size", "embed_dim", "hidden_dim")


def shapes(vocab_size: int, embed_dim: int, hidden_dim: int) -> dict[str, tuple[int, ...]]:
    """The model's parameters, by name."""
    of_gru = {
        "weight_ih_l0": (3 * hidden_dim, embed_dim),
        "weight_hh_l0": (3 * hidden_dim, hidden_dim),
        "bias_ih_l0": (3 * hidden_dim,),
        "bias_hh_l0": (3 * hidden_dim,),
    }
    return {
        "embedding.weight": (vocab_size, embed_dim),
        **{f"encoder.{name}": shape for name, shape in of_gru.items()},
        **{f"decoder.{name}": shape for name, shape in of_gru.items()},
        "linear.weight": (vocab_size, hidden_dim),
        "linear.bias": (vocab_size,),
    }


def drawn_weights(draw: Draw, *sizes: int, scale: float) -> dict[str, Tensor]:
    return {name: draw.normal(*shape, scale=scale) for name, shape in shapes(*sizes).items()}


def in_float64(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight.double() for name, weight in weights.items()}
