"""The 42 homogeneous cylinders, 12 cm in diameter and 12 cm long, along B0.

The article gives the size, that every cylinder has properties of its own, and those of one: the agar phantom of 0.88
S/m and 80, which number 42 has too. The table of the others is in its supplement; here they are our choice, spread
evenly (a two-dimensional low-discrepancy sequence, so without a seed) over the range of brain tissue, CSF and saline
gels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from mrrepro.phantoms.dielectric_body import DielectricBody
from mrrepro.phantoms.yee_grid import YeeGrid, require_isotropic_voxel
from mrrepro.validation import require_range

COUNT = 42

CONDUCTIVITY_RANGE = (0.2, 2.4)
"""[S/m]: below white matter to above cerebrospinal fluid at 128 MHz; our choice."""

PERMITTIVITY_RANGE = (45.0, 90.0)
"""Below white matter to above cerebrospinal fluid at 128 MHz; our choice."""

_PLASTIC = 1.3247179572447460
"""Real root of x^3 = x + 1: its powers give the two-dimensional sequence of least known discrepancy of this kind."""


@dataclass(frozen=True)
class Cylinder:
    """A homogeneous cylinder along z, centred at the origin.

    Parameters
    ----------
    number : int
        1 to 42.
    conductivity : float
        [S/m].
    relative_permittivity : float
    diameter, length : float
        [m].
    """

    number: int
    conductivity: float
    relative_permittivity: float
    diameter: float = 0.12
    length: float = 0.12

    def __post_init__(self) -> None:
        require_range("diameter", self.diameter, 0.0, 1.0, unit="m", low_open=True, remedy="give metres")
        require_range("length", self.length, 0.0, 1.0, unit="m", low_open=True, remedy="give metres")

    def inside(self, grid: YeeGrid) -> Bool[np.ndarray, "x y z"]:
        """Return the voxels whose centre lies in the cylinder."""
        x, y, z = grid.voxel_centres()
        found: NDArray[np.bool_] = (np.hypot(x, y) < 0.5 * self.diameter) & (np.abs(z) < 0.5 * self.length)
        return found

    def body(self, voxel_size: float, frequency: float) -> DielectricBody:
        """Return the cylinder in cubic voxels [m], with two voxels of air around it, at a frequency [Hz]."""
        step = require_isotropic_voxel(voxel_size)
        across, along = (2 * math.ceil(0.5 * extent / step) + 4 for extent in (self.diameter, self.length))
        grid = YeeGrid.centred((across, across, along), step)
        inside = self.inside(grid)
        return DielectricBody(
            grid,
            np.where(inside, self.relative_permittivity, 1.0),
            np.where(inside, self.conductivity, 0.0),
            frequency,
        )


def cylinder_phantoms() -> tuple[Cylinder, ...]:
    """Return the 42 phantoms, number 42 last.

    Examples
    --------
    >>> phantoms = cylinder_phantoms()
    >>> len(phantoms), phantoms[41].conductivity, phantoms[41].relative_permittivity
    (42, 0.88, 80.0)
    """
    phantoms = []
    for number in range(1, COUNT):
        first, second = (number / _PLASTIC) % 1.0, (number / _PLASTIC**2) % 1.0
        conductivity = CONDUCTIVITY_RANGE[0] + first * (CONDUCTIVITY_RANGE[1] - CONDUCTIVITY_RANGE[0])
        permittivity = PERMITTIVITY_RANGE[0] + second * (PERMITTIVITY_RANGE[1] - PERMITTIVITY_RANGE[0])
        phantoms.append(Cylinder(number, round(conductivity, 3), round(permittivity, 1)))
    return (*phantoms, Cylinder(COUNT, 0.88, 80.0))
