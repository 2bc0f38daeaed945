"""B1+ of two coaxial infinite cylinders in closed form: what Helmholtz EPT meets at a boundary between tissues.

Of the fields that do not change along z, ``E_z = f(rho) exp(j phi)`` is the one whose ``B1+ = (B_x - j B_y) / 2`` is
axially symmetric. In each layer f is a Bessel function of order 1 of ``k rho``, with
``k^2 = omega^2 mu_0 eps_0 eps_r - j omega mu_0 sigma``, and B1+ that of order 0 times k; E_z and B, so f and df/d rho,
go on across the boundary, while the Laplacian of B1+ jumps with k^2.

References
----------
Derived here from Maxwell's equations; Bessel functions by SciPy. In one layer it is the field of the check by
``mrrepro verify``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float
from scipy.special import jv, jvp, yv, yvp

from mrrepro.constants import VACUUM_PERMEABILITY, VACUUM_PERMITTIVITY
from mrrepro.tissues import DielectricProperties
from mrrepro.validation import require_range


@dataclass(frozen=True)
class LayeredCylinder:
    """An infinite cylinder of one tissue within another.

    Parameters
    ----------
    boundary : float
        Radius of the boundary [m].
    inner, outer : DielectricProperties
    frequency : float
        [Hz], 1 MHz to 1 GHz.
    """

    boundary: float
    inner: DielectricProperties
    outer: DielectricProperties
    frequency: float

    def __post_init__(self) -> None:
        require_range("boundary", self.boundary, 0.0, 1.0, unit="m", low_open=True, remedy="give metres")
        require_range("frequency", self.frequency, 1e6, 1e9, unit="Hz", remedy="give hertz, 128 MHz being 128e6")
        for name, tissue in (("inner", self.inner), ("outer", self.outer)):
            require_range(f"relative_permittivity of {name}", tissue.relative_permittivity, 1.0)
            require_range(f"conductivity of {name}", tissue.conductivity, 0.0, unit="S/m")

    def wavenumber(self, tissue: DielectricProperties) -> complex:
        """Return k in a tissue [rad/m], with Im k <= 0."""
        omega = 2.0 * math.pi * self.frequency
        square = omega**2 * VACUUM_PERMEABILITY * VACUUM_PERMITTIVITY * tissue.relative_permittivity
        return complex(np.sqrt(square - 1j * omega * VACUUM_PERMEABILITY * tissue.conductivity))

    def _outer_amplitudes(self) -> tuple[complex, complex]:
        """Return what multiplies J and Y outside, so that f and df/d rho of J_1 inside go on."""
        k, q = self.wavenumber(self.inner), self.wavenumber(self.outer)
        a = self.boundary
        matrix = np.array([[jv(1, q * a), yv(1, q * a)], [q * jvp(1, q * a), q * yvp(1, q * a)]])
        first, second = np.linalg.solve(matrix, np.array([jv(1, k * a), k * jvp(1, k * a)]))
        return complex(first), complex(second)

    def transmit(self, radius: Float[np.ndarray, ...]) -> Complex[np.ndarray, ...]:
        """Return B1+ at distances from the axis [m], relative to its value on the axis."""
        rho = np.asarray(radius, dtype=float)
        if not np.isfinite(rho).all() or (rho < 0.0).any():
            raise ValueError("radius must be finite and at least 0 [m], but is not: give distances from the axis.")
        k, q = self.wavenumber(self.inner), self.wavenumber(self.outer)
        first, second = self._outer_amplitudes()
        outside = np.maximum(rho, self.boundary)
        field: Complex[np.ndarray, ...] = np.where(
            rho <= self.boundary,
            jv(0, k * rho),
            q / k * (first * jv(0, q * outside) + second * yv(0, q * outside)),
        )
        return field

    def conductivity(self, radius: Float[np.ndarray, ...]) -> Float[np.ndarray, ...]:
        """Return the conductivity at distances from the axis [S/m]."""
        found: Float[np.ndarray, ...] = np.where(
            radius <= self.boundary, self.inner.conductivity, self.outer.conductivity
        )
        return found
