"""Answers to `rotate`, as students write them: right in many styles, wrong in many ways."""

import math

import torch

from tests.checks.bank import Bank

BANK = Bank("rotate")
right, wrong = BANK.right, BANK.wrong


def even(x):
    if x.shape[-1] % 2 != 0:
        raise ValueError(f"the last axis of x must be even, not {x.shape[-1]}")


def waves(x, positions, base):
    rates = base ** -(torch.arange(0, x.shape[-1], 2).float() / x.shape[-1])
    angles = positions[:, None] * rates
    return torch.cos(angles).to(x.dtype), torch.sin(angles).to(x.dtype)


# === Right ============================================================================================================


@right
def stacked_and_flattened(x, positions, base=10000.0):
    even(x)
    cos, sin = waves(x, positions, base)
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@right
def assigned_in_turns(x, positions, base=10000.0):
    even(x)
    cos, sin = waves(x, positions, base)
    turned = torch.empty_like(x)
    turned[..., 0::2] = x[..., 0::2] * cos - x[..., 1::2] * sin
    turned[..., 1::2] = x[..., 0::2] * sin + x[..., 1::2] * cos
    return turned


@right
def by_complex_numbers(x, positions, base=10000.0):
    """As Llama's first code did it."""
    even(x)
    d = x.size(-1)
    frequencies = 1.0 / (base ** (torch.arange(0, d, 2).float() / d))
    angles = torch.outer(positions.float(), frequencies)
    turn = torch.polar(torch.ones_like(angles), angles)
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], d // 2, 2))
    return torch.view_as_real(pairs * turn).flatten(3).type_as(x)


@right
def with_rotate_every_two(x, positions, base=10000.0):
    """As GPT-J's code does it: repeated cosines and sines, and a partner for every column."""
    even(x)
    cos, sin = (wave.repeat_interleave(2, dim=-1) for wave in waves(x, positions, base))
    partner = torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).reshape(x.shape)
    return x * cos + partner * sin


@right
def by_matrices(x, positions, base=10000.0):
    """A 2 × 2 matrix for each pair and each place."""
    even(x)
    d = x.shape[-1]
    matrices = torch.zeros(len(positions), d, d, dtype=torch.float64)
    for place, position in enumerate(positions.tolist()):
        for i in range(d // 2):
            t = position * base ** (-2 * i / d)
            block = torch.tensor([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]], dtype=torch.float64)
            matrices[place, 2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = block
    return torch.einsum("lij,bhlj->bhli", matrices.to(x.dtype), x)


@right
def place_by_place(x, positions, base=10000.0):
    even(x)
    d, out = x.shape[-1], []
    for place in range(x.shape[2]):
        columns = []
        for i in range(d // 2):
            t = int(positions[place]) / base ** (2 * i / d)
            a, b = x[:, :, place, 2 * i], x[:, :, place, 2 * i + 1]
            columns += [a * math.cos(t) - b * math.sin(t), a * math.sin(t) + b * math.cos(t)]
        out.append(torch.stack(columns, dim=-1))
    return torch.stack(out, dim=2)


@right
def by_logarithms(x, positions, base=10000.0):
    even(x)
    d = x.shape[-1]
    rates = torch.exp(-math.log(base) * torch.arange(0, d, 2) / d)
    angles = torch.einsum("l,i->li", positions.to(rates.dtype), rates)
    a, b = x.unflatten(-1, (d // 2, 2)).unbind(-1)
    cos, sin = angles.cos().to(x), angles.sin().to(x)
    return torch.stack([a * cos - b * sin, b * cos + a * sin], -1).view_as(x)


# === Wrong ============================================================================================================


@wrong(named="halves-for-neighbours")
def rotate_half(x, positions, base=10000.0):
    """As most libraries have it."""
    even(x)
    cos, sin = (torch.cat([wave, wave], dim=-1) for wave in waves(x, positions, base))
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


@wrong(named="pairs-taken-apart")
def neighbours_put_into_halves(x, positions, base=10000.0):
    even(x)
    cos, sin = waves(x, positions, base)
    a, b = x[..., ::2], x[..., 1::2]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


@wrong(named="turned-the-other-way")
def clockwise(x, positions, base=10000.0):
    even(x)
    cos, sin = waves(x, positions, base)
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack([a * cos + b * sin, -a * sin + b * cos], dim=-1).flatten(-2)


@wrong(named="another-rate")
def exponent_without_the_two(x, positions, base=10000.0):
    even(x)
    d = x.shape[-1]
    angles = positions[:, None] / base ** (torch.arange(d // 2) / d)
    a, b = x[..., ::2], x[..., 1::2]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)


@wrong(named="another-rate")
def exponent_doubled(x, positions, base=10000.0):
    even(x)
    d = x.shape[-1]
    angles = positions[:, None] / base ** (2 * torch.arange(0, d, 2) / d)
    a, b = x[..., ::2], x[..., 1::2]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)


@wrong(named="faster-and-faster")
def minus_forgotten(x, positions, base=10000.0):
    even(x)
    d = x.shape[-1]
    angles = positions[:, None] * base ** (torch.arange(0, d, 2).double() / d)
    a, b = x[..., ::2], x[..., 1::2]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)


@wrong(named="positions-ignored")
def counts_for_itself(x, positions, base=10000.0):
    return stacked_and_flattened(x, torch.arange(x.shape[-2]), base)


@wrong(named="positions-from-1")
def counted_from_one(x, positions, base=10000.0):
    return stacked_and_flattened(x, positions + 1, base)


@wrong(named="one-sine-missing")
def half_a_turn_matrix(x, positions, base=10000.0):
    even(x)
    cos, sin = waves(x, positions, base)
    turned = torch.empty_like(x)
    turned[..., 0::2] = x[..., 0::2] * cos - x[..., 1::2] * sin
    turned[..., 1::2] = x[..., 1::2] * cos
    return turned


@wrong(named="turned-in-place")
def overwritten_on_the_way(x, positions, base=10000.0):
    even(x)
    cos, sin = waves(x, positions, base)
    x = x.clone()
    x[..., 0::2] = x[..., 0::2] * cos - x[..., 1::2] * sin
    x[..., 1::2] = x[..., 0::2].clone() * sin + x[..., 1::2] * cos
    return x


@wrong(named="turned-along-the-heads")
def axes_taken_for_batch_length_heads(x, positions, base=10000.0):
    even(x)
    cos, sin = (wave[:, None, :] for wave in waves(x, positions, base))
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)


@wrong(named="base-ignored")
def ten_thousand_always(x, positions, base=10000.0):
    return stacked_and_flattened(x, positions)


@wrong(named="angles-in-half-precision")
def everything_in_the_type_of_x(x, positions, base=10000.0):
    even(x)
    d = x.shape[-1]
    rates = (base ** (-torch.arange(0, d, 2) / d)).to(x.dtype)
    angles = positions.to(x.dtype)[:, None] * rates
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], dim=-1).flatten(-2)


@wrong(named="odd-width-accepted")
def asserted(x, positions, base=10000.0):
    assert x.shape[-1] % 2 == 0, "x must have an even width"
    return stacked_and_flattened(x, positions, base)


@wrong(named="odd-width-accepted")
def refused_without_a_name(x, positions, base=10000.0):
    if x.shape[-1] % 2:
        raise ValueError("odd width")
    return stacked_and_flattened(x, positions, base)


@wrong(named="positions-added")
def sinusoids_on_top(x, positions, base=10000.0):
    even(x)
    cos, sin = waves(x, positions, base)
    return x + torch.stack([sin, cos], dim=-1).flatten(-2)


@wrong(named="type-changed")
def left_in_float32(x, positions, base=10000.0):
    even(x)
    angles = positions[:, None] * base ** -(torch.arange(0, x.shape[-1], 2).float() / x.shape[-1])
    a, b = x.float()[..., ::2], x.float()[..., 1::2]
    return torch.stack([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], dim=-1).flatten(-2)


@wrong(named="detached-gradient")
def through_numpy(x, positions, base=10000.0):
    return stacked_and_flattened(torch.tensor(x.tolist(), dtype=x.dtype), positions, base)


@wrong(named="writes-into-arguments")
def turned_where_it_lies(x, positions, base=10000.0):
    turned = stacked_and_flattened(x, positions, base)
    with torch.no_grad():
        x.copy_(turned)
    return turned


@wrong(named="small-sizes-only")
def a_table_of_fifty(x, positions, base=10000.0):
    even(x)
    cos, sin = (wave[positions.clamp(max=49)] for wave in waves(x, torch.arange(50), base))
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@wrong(named="nothing-returned")
def kept_to_itself(x, positions, base=10000.0):
    stacked_and_flattened(x, positions, base)


@wrong(named=None)
def the_later_pairs_not_at_all(x, positions, base=10000.0):
    """Only the first half of the columns is turned, as some models do on purpose."""
    even(x)
    half = max(x.shape[-1] // 4 * 2, 2)
    return torch.cat([stacked_and_flattened(x[..., :half], positions, base), x[..., half:]], dim=-1)
