"""Answers to `split_heads`, as students write them: right in many styles, wrong in many ways."""

import torch

from tests.checks.bank import Bank

BANK = Bank("split_heads")
right, wrong = BANK.right, BANK.wrong


def shared_evenly(x, num_heads):
    if x.shape[-1] % num_heads != 0:
        raise ValueError(f"num_heads={num_heads} does not divide {x.shape[-1]}")
    return x.shape[-1] // num_heads


# === Right ============================================================================================================


@right
def viewed_and_transposed(x, num_heads):
    width = shared_evenly(x, num_heads)
    return x.view(x.size(0), x.size(1), num_heads, width).transpose(1, 2)


@right
def chunks_stacked(x, num_heads):
    shared_evenly(x, num_heads)
    return torch.stack(x.chunk(num_heads, dim=-1), dim=1)


@right
def unflattened(x, num_heads):
    dim = x.shape[2]
    if dim // num_heads * num_heads != dim:
        raise ValueError("the width of x is not a multiple of num_heads")
    return x.unflatten(2, (num_heads, -1)).permute(0, 2, 1, 3).contiguous()


@right
def columns_copied(x, num_heads):
    width = shared_evenly(x, num_heads)
    heads = x.new_empty(x.shape[0], num_heads, x.shape[1], width)
    for h in range(num_heads):
        heads[:, h] = x[..., h * width : (h + 1) * width]
    return heads


@right
def transposed_first(x, num_heads):
    width = shared_evenly(x, num_heads)
    return x.mT.reshape(len(x), num_heads, width, x.shape[1]).mT


# === Wrong ============================================================================================================


@wrong(named="heads-mixed")
def viewed_only(x, num_heads):
    width = shared_evenly(x, num_heads)
    return x.contiguous().view(x.shape[0], num_heads, x.shape[1], width)


@wrong(named="heads-not-moved")
def axes_left_as_cut(x, num_heads):
    shared_evenly(x, num_heads)
    return x.unflatten(-1, (num_heads, -1))


@wrong(named="wrong-axes-swapped")
def one_axis_too_far(x, num_heads):
    shared_evenly(x, num_heads)
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 3)


@wrong(named="columns-dealt-out")
def every_second_column(x, num_heads):
    shared_evenly(x, num_heads)
    return torch.stack([x[..., h::num_heads] for h in range(num_heads)], dim=1)


@wrong(named="heads-taken-for-width")
def width_and_number_confused(x, num_heads):
    shared_evenly(x, num_heads)
    return torch.stack(x.split(num_heads, dim=-1), dim=1)


@wrong(named="heads-in-the-batch")
def folded_into_the_batch(x, num_heads):
    return viewed_and_transposed(x, num_heads).reshape(-1, x.shape[1], x.shape[2] // num_heads)


@wrong(named="not-a-tensor")
def in_a_tuple(x, num_heads):
    shared_evenly(x, num_heads)
    return x.chunk(num_heads, dim=2)


@wrong(named="uneven-heads")
def whatever_pytorch_says(x, num_heads):
    return x.view(*x.shape[:2], num_heads, x.shape[2] // num_heads).transpose(1, 2)


@wrong(named="uneven-heads")
def drops_the_last_columns(x, num_heads):
    width = x.shape[-1] // num_heads
    return x[..., : width * num_heads].reshape(*x.shape[:2], num_heads, width).transpose(1, 2)


@wrong(named="uneven-heads")
def asserts(x, num_heads):
    assert x.shape[-1] % num_heads == 0, "num_heads must divide d"
    return viewed_and_transposed(x, num_heads)


@wrong(named="uneven-heads")
def says_only_no(x, num_heads):
    if x.shape[-1] % num_heads:
        raise ValueError("this doesn't work")
    return viewed_and_transposed(x, num_heads)


@wrong(named="detached-gradient")
def through_a_list(x, num_heads):
    return torch.tensor(viewed_and_transposed(x, num_heads).tolist(), dtype=x.dtype)


@wrong(named="type-changed")
def into_an_empty_float32(x, num_heads):
    heads = torch.empty(x.shape[0], num_heads, x.shape[1], shared_evenly(x, num_heads))
    for h, columns in enumerate(x.chunk(num_heads, dim=-1)):
        heads[:, h] = columns
    return heads


@wrong(named="one-sequence-for-all")
def right_for_one_sequence(x, num_heads):
    return viewed_and_transposed(x, num_heads)[:1].repeat(len(x), 1, 1, 1)


@wrong(named="nothing-returned")
def keeps_the_heads(x, num_heads):
    viewed_and_transposed(x, num_heads)


@wrong(named=None)
def heads_turned_with_the_batch(x, num_heads):
    """Right where there is one sequence."""
    heads = chunks_stacked(x, num_heads)
    return heads.roll(1, dims=0)
