"""Cubes cut out of volumes around a point, and mirror images: how the thesis multiplies and focuses its data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

LEFT_RIGHT_AXIS = -3
"""Axis of volumes (..., x, y, z) that runs from left to right."""


@dataclass(frozen=True)
class Patch:
    """A cube of ``side`` voxels that starts at ``start``."""

    start: tuple[int, int, int]
    side: int

    def cut(self, volume: Tensor) -> Tensor:
        """Return the cube of volumes (..., x, y, z), as a view."""
        x, y, z = (slice(first, first + self.side) for first in self.start)
        return volume[..., x, y, z]


def centre_of_mass(mask: Bool[Tensor, "x y z"]) -> tuple[float, float, float]:
    """Return the mean index of a mask's voxels along each axis.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    positions = torch.nonzero(mask)
    if not len(positions):
        raise ValueError("mask must hold a voxel, but is empty, so it has no centre: leave this patient out.")
    x, y, z = positions.double().mean(0).tolist()
    return x, y, z


def patch_around(centre: tuple[float, float, float], shape: tuple[int, int, int], side: int) -> Patch:
    """Place a cube around a point, moved as little as needed to lie inside the volume.

    Parameters
    ----------
    centre : tuple of float
        Index of the point along each axis, for instance `centre_of_mass` of the tumor (thesis, section 2.2).
    shape : tuple of int
        The volume's.
    side : int
        Of the cube [voxel].

    Raises
    ------
    ValueError
        If the volume is smaller than the cube along an axis.

    Examples
    --------
    >>> patch_around((10.0, 90.0, 50.0), (160, 192, 160), 64).start
    (0, 58, 18)
    """
    if side < 1 or min(shape) < side:
        raise ValueError(f"side must lie in [1, {min(shape)}], the volume being {tuple(shape)}, but is {side!r}.")
    first = [
        min(max(round(point - (side - 1) / 2), 0), length - side) for point, length in zip(centre, shape, strict=True)
    ]
    return Patch((first[0], first[1], first[2]), side)


def mirrored(volume: Tensor) -> Tensor:
    """Exchange left and right (thesis, section 2.3), as a copy."""
    return volume.flip(LEFT_RIGHT_AXIS)


def window_starts(length: int, side: int, step: int) -> list[int]:
    """Return where windows of ``side`` voxels start so that, ``step`` apart at most, they cover ``length`` voxels.

    >>> window_starts(100, 64, 32)
    [0, 32, 36]
    """
    if side < 1 or step < 1 or length < side:
        raise ValueError(f"side and step must be at least 1 and side at most {length}, but are {side!r} and {step!r}.")
    starts = list(range(0, length - side, step))
    return [*starts, length - side]
