"""The Yee grid: where voxels, edges and faces lie.

Voxel ``(i, j, k)`` is centred at ``origin + ((i, j, k) + 1/2) h``; nodes lie at ``origin + (i, j, k) h``. The electric
field lives on edges (component x half a cell along x from the node), the magnetic flux density on faces (component x
half a cell along y and z).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mrrepro.validation import require_range

LARGEST_VOXEL = 0.1
"""Voxels above 10 cm [m] are taken for a size given in millimetres."""

SMALLEST_VOXEL = 1e-5
"""Voxels below 10 um [m] are taken for a wrong unit."""


def require_isotropic_voxel(voxel_size: float | Sequence[float]) -> float:
    """Return the edge of a cubic voxel [m].

    Parameters
    ----------
    voxel_size : float or sequence of 3 floats
        Edge length, or one for each axis [m], from 10 um to 10 cm.

    Raises
    ------
    ValueError
        For anisotropic voxels, and for sizes that can only be in another unit.

    Examples
    --------
    >>> require_isotropic_voxel((0.003, 0.003, 0.003))
    0.003
    """
    sizes = [float(size) for size in np.atleast_1d(np.asarray(voxel_size, dtype=float))]
    for size in sizes:
        require_range(
            "voxel_size", size, SMALLEST_VOXEL, LARGEST_VOXEL, unit="m", remedy="give metres, 3 mm being 0.003"
        )
    if len(sizes) not in (1, 3) or not math.isclose(min(sizes), max(sizes), rel_tol=1e-6):
        raise ValueError(
            f"voxel_size must be one length, for the lattice Green's function needs cubic voxels, but is {sizes} m: "
            "resample the body to isotropic voxels."
        )
    return sizes[0]


@dataclass(frozen=True)
class YeeGrid:
    """A box of cubic voxels.

    Parameters
    ----------
    shape : tuple of 3 int
        Voxels along x, y, z.
    voxel_size : float
        Edge of a voxel [m].
    origin : tuple of 3 float
        Position of the corner of voxel (0, 0, 0) [m].
    """

    shape: tuple[int, int, int]
    voxel_size: float
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "voxel_size", require_isotropic_voxel(self.voxel_size))
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"shape must be three positive numbers of voxels, but is {self.shape}.")
        object.__setattr__(self, "shape", tuple(int(length) for length in self.shape))
        object.__setattr__(self, "origin", tuple(float(corner) for corner in self.origin))

    @classmethod
    def centred(cls, shape: tuple[int, int, int], voxel_size: float) -> YeeGrid:
        """Return the grid whose middle is at the origin of coordinates."""
        x, y, z = (-0.5 * length * float(np.max(voxel_size)) for length in shape)
        return cls(shape, voxel_size, (x, y, z))

    def axes(self, offset: Sequence[float]) -> tuple[Float[np.ndarray, " x"], ...]:
        """Return the coordinates along each axis [m] of the points ``offset`` cells from the nodes."""
        return tuple(
            corner + (np.arange(length) + shift) * self.voxel_size
            for corner, length, shift in zip(self.origin, self.shape, offset, strict=True)
        )

    def voxel_axes(self) -> tuple[Float[np.ndarray, " x"], ...]:
        """Return the coordinates of the voxels' centres along each axis [m]."""
        return self.axes((0.5, 0.5, 0.5))

    def edge_axes(self, component: int) -> tuple[Float[np.ndarray, " x"], ...]:
        """Return the coordinates of the edges along x, y or z (component 0, 1, 2) along each axis [m]."""
        return self.axes([0.5 if axis == component else 0.0 for axis in range(3)])

    def voxel_centres(self) -> Float[np.ndarray, "3 x y z"]:
        """Return the positions of the voxels' centres [m]."""
        return np.stack(np.meshgrid(*self.voxel_axes(), indexing="ij"))

    def edge_centres(self, component: int) -> Float[np.ndarray, "3 x y z"]:
        """Return the positions of the middles of the edges along one axis [m]."""
        return np.stack(np.meshgrid(*self.edge_axes(component), indexing="ij"))

    def cropped(self, start: Sequence[int], shape: tuple[int, int, int]) -> YeeGrid:
        """Return the part of the grid that starts at voxel ``start``."""
        x, y, z = (corner + first * self.voxel_size for corner, first in zip(self.origin, start, strict=True))
        return YeeGrid(shape, self.voxel_size, (x, y, z))
