"""What the field solvers are given: a body of tissue in voxels, at one frequency."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from mrrepro.constants import SPEED_OF_LIGHT, VACUUM_PERMITTIVITY
from mrrepro.phantoms.yee_grid import YeeGrid
from mrrepro.validation import require_finite, require_range, require_shape

LOWEST_FREQUENCY = 1e6
"""Below 1 MHz [Hz] the contrast of tissue is beyond the solver, and the number is likely meant in MHz."""

HIGHEST_FREQUENCY = 1e9
"""Above 1 GHz [Hz] voxels of millimetres no longer resolve the wave in tissue."""


@dataclass(frozen=True)
class DielectricBody:
    """A body of linear, isotropic, non-magnetic material in free space.

    Parameters
    ----------
    grid : YeeGrid
    relative_permittivity : ndarray, shape ``grid.shape``
        eps_r, at least 1; 1 in air.
    conductivity : ndarray, shape ``grid.shape``
        sigma [S/m], at least 0; 0 in air.
    frequency : float
        [Hz], 1 MHz to 1 GHz.
    """

    grid: YeeGrid
    relative_permittivity: Float[np.ndarray, "x y z"]
    conductivity: Float[np.ndarray, "x y z"]
    frequency: float

    def __post_init__(self) -> None:
        require_range(
            "frequency",
            self.frequency,
            LOWEST_FREQUENCY,
            HIGHEST_FREQUENCY,
            unit="Hz",
            remedy="give hertz, 128 MHz being 128e6",
        )
        lowest = {"relative_permittivity": 1.0, "conductivity": 0.0}
        for name, bound in lowest.items():
            values = np.asarray(getattr(self, name))
            require_shape(name, values, self.grid.shape, "give one value for each voxel of the grid")
            require_finite(name, values)
            require_range(f"the smallest {name}", float(values.min()), bound, remedy="air is 1 and 0 S/m")
        contrast = self.contrast() != 0.0
        for axis in range(3):
            if bool(contrast.take([0, -1], axis=axis).any()):
                raise ValueError(
                    f"the body touches the grid's edge along axis {axis}: leave at least one voxel of air around it."
                )

    def contrast(self) -> Complex[np.ndarray, "x y z"]:
        """Return ``eps - 1`` of the voxels, eps being the complex relative permittivity."""
        loss = np.asarray(self.conductivity) / (2.0 * math.pi * self.frequency * VACUUM_PERMITTIVITY)
        return np.asarray(self.relative_permittivity) - 1.0 - 1j * loss

    def edge_contrast(self) -> Complex[np.ndarray, "3 x y z"]:
        """Return ``eps - 1`` on the edges: the mean of the four voxels that share one."""
        voxels = self.contrast()
        edges = np.empty((3, *voxels.shape), dtype=complex)
        for component in range(3):
            first, second = (axis for axis in range(3) if axis != component)
            pairs = 0.5 * (voxels + np.roll(voxels, 1, axis=first))
            edges[component] = 0.5 * (pairs + np.roll(pairs, 1, axis=second))
        return edges

    @property
    def wavenumber(self) -> float:
        """Return the wavenumber of free space [rad/m]."""
        return 2.0 * math.pi * self.frequency / SPEED_OF_LIGHT
