"""Which slices of a head are shown: three planes through a voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped

BESIDE_MM = 14.0
"""From the midline to the sagittal slices shown [mm]."""


PLANES = ("axial", "sagittal", "coronal")


def three_slices(volume: Shaped[np.ndarray, "x y z"], at: tuple[int, int, int]) -> list[np.ndarray[Any, Any]]:
    """Axial, sagittal and coronal slice through a voxel, each to be drawn with its first axis to the right."""
    return [volume[:, :, at[2]], volume[at[0], :, :], volume[:, at[1], :]]


def middle_of(mask: Bool[np.ndarray, "x y z"]) -> tuple[int, int, int]:
    """Voxel at the centre of a mask."""
    x, y, z = (round(float(index.mean())) for index in np.nonzero(mask))
    return x, y, z


def beside_middle(mask: Bool[np.ndarray, "x y z"], voxel_mm: float) -> tuple[int, int, int]:
    """Voxel to the left of a brain's centre: a sagittal slice through the centre shows the fissure alone."""
    x, y, z = middle_of(mask)
    return max(0, x - round(BESIDE_MM / voxel_mm)), y, z
