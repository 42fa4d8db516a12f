"""Answers to `sinusoidal_positions`, as students write them: right in many styles, wrong in many ways."""

import math

import torch

from tests.checks.bank import Bank

BANK = Bank("sinusoidal_positions")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def assigned_in_turns(length, dim):
    table = torch.zeros(length, dim)
    angles = torch.arange(length).unsqueeze(1) / 10000 ** (torch.arange(0, dim, 2) / dim)
    table[:, 0::2], table[:, 1::2] = torch.sin(angles), torch.cos(angles)
    return table


@right
def as_in_the_annotated_transformer(length, dim):
    rates = torch.exp(torch.arange(0, dim, 2) * -(math.log(10000.0) / dim))
    angles = torch.arange(length).float()[:, None] * rates
    return torch.stack((angles.sin(), angles.cos()), dim=2).view(length, dim)


@right
def number_by_number(length, dim):
    def wave(p, c):
        angle = p / 10000 ** (c // 2 * 2 / dim)
        return math.cos(angle) if c % 2 else math.sin(angle)

    return torch.tensor([[wave(p, c) for c in range(dim)] for p in range(length)])


@right
def cosines_as_shifted_sines(length, dim):
    columns = torch.arange(dim, dtype=torch.float64)
    angles = torch.outer(torch.arange(length).double(), 10000 ** -(2 * (columns // 2) / dim))
    return torch.sin(angles + (columns % 2) * math.pi / 2).float()


@right
def by_complex_numbers(length, dim):
    angles = torch.arange(length)[:, None] / torch.pow(10000, torch.arange(dim // 2) / (dim / 2))
    turned = torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned).flip(-1).reshape(length, dim)


# === Wrong ============================================================================================================


def angles_of(length, dim):
    return torch.arange(length).unsqueeze(1) / 10000 ** (torch.arange(0, dim, 2) / dim)


@wrong(named="in-halves")
def sines_then_cosines(length, dim):
    return torch.cat([angles_of(length, dim).sin(), angles_of(length, dim).cos()], dim=1)


@wrong(named="exponent-halved")
def pair_over_dim(length, dim):
    angles = torch.arange(length).unsqueeze(1) / 10000 ** (torch.arange(dim // 2) / dim)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


@wrong(named="exponent-doubled")
def doubled_once_more(length, dim):
    angles = torch.arange(length).unsqueeze(1) / 10000 ** (2 * torch.arange(0, dim, 2) / dim)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


@wrong(named="own-exponents")
def each_column_its_own(length, dim):
    angles = torch.arange(length).unsqueeze(1) / 10000 ** (torch.arange(dim) / dim)
    return torch.where(torch.arange(dim) % 2 == 1, angles.cos(), angles.sin())


@wrong(named="positions-from-1")
def counted_from_one(length, dim):
    return assigned_in_turns(length + 1, dim)[1:]


@wrong(named="sine-and-cosine-swapped")
def cosines_first(length, dim):
    return torch.stack([angles_of(length, dim).cos(), angles_of(length, dim).sin()], -1).flatten(1)


@wrong(named="multiplied")
def faster_and_faster(length, dim):
    angles = torch.arange(length).unsqueeze(1) * 10000 ** (torch.arange(0, dim, 2).double() / dim)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1).float()


@wrong(named="axes-swapped")
def positions_in_columns(length, dim):
    return assigned_in_turns(length, dim).T


@wrong(named="axis-left-over")
def with_a_batch_axis(length, dim):
    return assigned_in_turns(length, dim)[None]


@wrong(named="not-float32")
def in_double_precision(length, dim):
    return torch.tensor(number_by_number(length, dim).tolist(), dtype=torch.float64)


@wrong(named="another-base")
def a_thousand(length, dim):
    angles = torch.arange(length).unsqueeze(1) / 1000 ** (torch.arange(0, dim, 2) / dim)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


@wrong(named="sines-only")
def no_cosine(length, dim):
    return angles_of(length, dim).sin().repeat_interleave(2, dim=1)


@wrong(named=None)
def right_for_dim_four(length, dim):
    angles = torch.arange(length).unsqueeze(1) / 100 ** torch.arange(dim // 2)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


@wrong(named="positions-start-anew")
def positions_that_start_anew(length, dim):
    """Right for the first fifty positions."""
    return assigned_in_turns(50, dim).repeat(length // 50 + 1, 1)[:length]


@wrong(named="positions-start-anew")
def taken_from_a_table_of_sixty_four(length, dim):
    table = number_by_number(64, dim)
    return torch.stack([torch.as_tensor(table[position % 64]) for position in range(length)])


@wrong(named="power-the-other-way-round")
def the_power_the_other_way_round(length, dim):
    """x ** 10000 for 10000 ** x: coincides with other mistakes where there are two columns only."""
    positions = torch.arange(length).unsqueeze(1)
    exponents = torch.arange(0, dim, 2) / dim
    angles = positions * exponents ** (1 / 10000)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).reshape(length, dim)


@wrong(named="power-the-other-way-round")
def pow_with_its_arguments_swapped(length, dim):
    rates = torch.pow(torch.arange(0, dim, 2) / dim, 10000.0)
    angles = torch.outer(torch.arange(length).float(), rates)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


@wrong(named="small-sizes-only")
def a_table_of_five_hundred_positions(length, dim):
    positions = torch.arange(length).remainder(500).unsqueeze(1)
    angles = positions / 10000 ** (torch.arange(0, dim, 2) / dim)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).reshape(length, dim)
