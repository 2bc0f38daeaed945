"""Predict a volume that is larger than a network's input, cube by cube, and blend the overlaps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from mrrepro.networks.volume_patches import Patch, window_starts


def predict_by_windows(
    network: Callable[[Tensor], Tensor],
    inputs: Float[Tensor, "1 channel x y z"],
    side: int,
    step: int,
    background: float,
) -> Float[Tensor, "1 1 x y z"]:
    """Blend a network's predictions on overlapping cubes.

    Parameters
    ----------
    network : callable
        From cubes (1, channel, side, side, side) to (1, 1, side, side, side).
    inputs : Tensor
        A whole volume; where it is smaller than a cube it is padded with ``background`` and cut again.
    side, step : int
        Edge of a cube, and how far one is from the next [voxel]; ``1 <= step <= side``.
    background : float
        Value outside the volume.

    Returns
    -------
    Tensor
        The mean of the predictions of each voxel, weighted by a triangle along each axis, so that a cube's rim counts
        little.
    """
    if not 1 <= step <= side:
        raise ValueError(f"step must lie in [1, {side}], the cube's side, but is {step!r}.")
    shape = inputs.shape[2:]
    missing = [max(0, side - length) for length in shape]
    widths = [width for extra in reversed(missing) for width in (extra // 2, extra - extra // 2)]
    padded = torch.nn.functional.pad(inputs, widths, value=background)
    total = torch.zeros_like(padded[:, :1])
    weights = torch.zeros_like(total)
    ramp = 1.0 - (torch.arange(side, device=inputs.device) - (side - 1) / 2).abs() / (side / 2 + 0.5)
    weight = ramp[:, None, None] * ramp[:, None] * ramp
    starts = [window_starts(length, side, step) for length in padded.shape[2:]]
    for start in torch.cartesian_prod(*(torch.tensor(each) for each in starts)).tolist():
        patch = Patch((start[0], start[1], start[2]), side)
        patch.cut(total).add_(weight * network(patch.cut(padded)))
        patch.cut(weights).add_(weight)
    blended = total / weights
    for axis, (extra, length) in enumerate(zip(missing, shape, strict=True), start=2):
        blended = blended.narrow(axis, extra // 2, length)
    return blended
