"""Answers to `cache_bytes`, as students write them: right in many styles, wrong in many ways."""

import math

import torch

from tests.checks.bank import Bank

BANK = Bank("cache_bytes")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def product(layers, groups, head_dim, length, bytes_per_number=2):
    return 2 * layers * groups * head_dim * length * bytes_per_number


@right
def keys_then_values(layers, groups, head_dim, length, bytes_per_number=2):
    keys = layers * groups * head_dim * length
    values = keys
    return (keys + values) * bytes_per_number


@right
def by_prod(layers, groups, head_dim, length, bytes_per_number=2):
    return math.prod([2, layers, groups, head_dim, length, bytes_per_number])


@right
def layer_by_layer(layers, groups, head_dim, length, bytes_per_number=2):
    total = 0
    for _ in range(layers):
        for _ in range(groups):
            total += 2 * length * head_dim * bytes_per_number
    return total


@right
def by_a_shape(layers, groups, head_dim, length, bytes_per_number=2):
    shape = torch.Size([2, layers, groups, length, head_dim])
    return shape.numel() * bytes_per_number


@right
def by_a_tensor_that_takes_no_room(layers, groups, head_dim, length, bytes_per_number=2):
    cache = torch.empty(2, layers, groups, length, head_dim, device="meta")
    return cache.numel() * bytes_per_number


# === Wrong ============================================================================================================


@wrong(named="keys-or-values-alone")
def keys_alone(layers, groups, head_dim, length, bytes_per_number=2):
    return layers * groups * head_dim * length * bytes_per_number


@wrong(named="half-too-many")
def queries_as_well(layers, groups, head_dim, length, bytes_per_number=2):
    return 3 * layers * groups * head_dim * length * bytes_per_number


@wrong(named="groups-left-out")
def one_group(layers, groups, head_dim, length, bytes_per_number=2):
    return 2 * layers * head_dim * length * bytes_per_number


@wrong(named="layers-left-out")
def one_layer(layers, groups, head_dim, length, bytes_per_number=2):
    return 2 * groups * head_dim * length * bytes_per_number


@wrong(named="width-left-out")
def a_number_a_key(layers, groups, head_dim, length, bytes_per_number=2):
    return 2 * layers * groups * length * bytes_per_number


@wrong(named="length-left-out")
def one_token(layers, groups, head_dim, length, bytes_per_number=2):
    return 2 * layers * groups * head_dim * bytes_per_number


@wrong(named="length-squared")
def as_the_scores(layers, groups, head_dim, length, bytes_per_number=2):
    return 2 * layers * groups * head_dim * length**2 * bytes_per_number


@wrong(named="bits-for-bytes")
def in_bits(layers, groups, head_dim, length, bytes_per_number=2):
    return 2 * layers * groups * head_dim * length * bytes_per_number * 8


@wrong(named="numbers-for-bytes")
def how_many_numbers(layers, groups, head_dim, length, bytes_per_number=2):
    return 2 * layers * groups * head_dim * length


@wrong(named="two-bytes-always")
def half_precision_always(layers, groups, head_dim, length, bytes_per_number=2):
    return 4 * layers * groups * head_dim * length


@wrong(named="bytes-divided")
def divided(layers, groups, head_dim, length, bytes_per_number=2):
    return 2 * layers * groups * head_dim * length // bytes_per_number


@wrong(named="not-whole-numbers")
def in_gigabytes(layers, groups, head_dim, length, bytes_per_number=2):
    return 2 * layers * groups * head_dim * length * bytes_per_number / 2**30


@wrong(named="not-whole-numbers")
def a_float(layers, groups, head_dim, length, bytes_per_number=2):
    return 2.0 * layers * groups * head_dim * length * bytes_per_number


@wrong(named="not-whole-numbers")
def in_megabytes(layers, groups, head_dim, length, bytes_per_number=2):
    return 2 * layers * groups * head_dim * length * bytes_per_number / 1_000_000


@wrong(named="sizes-added")
def keys_plus_length(layers, groups, head_dim, length, bytes_per_number=2):
    return 2 * layers * groups * (head_dim + length) * bytes_per_number


@wrong(named="nothing-returned")
def printed(layers, groups, head_dim, length, bytes_per_number=2):
    print(product(layers, groups, head_dim, length, bytes_per_number))


@wrong(named=None)
def the_square_of_the_width(layers, groups, head_dim, length, bytes_per_number=2):
    return 2 * layers * groups * head_dim**2 * length * bytes_per_number
