"""Positions by rotation: queries and keys are turned, so that a score depends on how far apart two tokens stand."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def rotate(
    x: Float[Tensor, "batch heads length dim"], positions: Int[Tensor, "length"], base: float = 10000.0
) -> Float[Tensor, "batch heads length dim"]:
    """Turn each pair of neighbouring columns (2i, 2i + 1) by the angle positions · base^(−2i/dim), in radians.

    The pair (a, b) becomes (a cos − b sin, a sin + b cos). No length changes, and the product of a turned query and a
    turned key depends on the *difference* of their positions alone.

    Raises:
        ValueError: if `x` has an odd number of columns, or `positions` isn't one integer for each of its places.
    Source: Su et al. (2021), section 3.2.
    """
    length, dim = x.shape[-2:]
    if dim % 2:
        raise ValueError(f"x must have an even number of columns, to be turned in pairs, and not {dim}")
    if positions.shape != (length,) or positions.dtype.is_floating_point:
        raise ValueError(
            f"positions must be {length} integers, one for each place of x, "
            f"and not {positions.dtype} of shape {tuple(positions.shape)}"
        )
    # In float64: an angle in the thousands is off by more than a float32 sine should be, and in half precision by
    # whole turns. Not every accelerator has float64, so the angles are reckoned on the CPU.
    rates = base ** -(torch.arange(0, dim, 2, dtype=torch.float64) / dim)  # (dim/2,)
    angles = positions.cpu()[:, None] * rates  # (length, dim/2)
    cosines, sines = (wave.to(x.device, x.dtype) for wave in (angles.cos(), angles.sin()))
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * cosines - b * sines, a * sines + b * cosines], dim=-1).flatten(-2)
