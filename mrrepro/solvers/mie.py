"""Mie's series: a plane wave on a homogeneous sphere, the closed form that the field solvers are held against."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float
from scipy.special import spherical_jn, spherical_yn

from mrrepro.constants import SPEED_OF_LIGHT, VACUUM_PERMITTIVITY
from mrrepro.validation import require_range


@dataclass(frozen=True)
class PlaneWaveOnSphere:
    """A plane wave along +z, polarised along x, of 1 V/m at the centre of a sphere at the origin.

    Parameters
    ----------
    radius : float
        [m].
    relative_permittivity : float
        eps_r of the sphere.
    conductivity : float
        sigma of the sphere [S/m].
    frequency : float
        [Hz].
    """

    radius: float
    relative_permittivity: float
    conductivity: float
    frequency: float

    def __post_init__(self) -> None:
        require_range("radius", self.radius, 0.0, 10.0, unit="m", low_open=True)
        require_range("relative_permittivity", self.relative_permittivity, 1.0)
        require_range("conductivity", self.conductivity, 0.0, unit="S/m")
        require_range("frequency", self.frequency, 0.0, unit="Hz", low_open=True)

    @property
    def wavenumber(self) -> float:
        """Return the wavenumber of free space [rad/m]."""
        return 2.0 * math.pi * self.frequency / SPEED_OF_LIGHT

    @property
    def refractive_index(self) -> complex:
        """Return m, with Im m >= 0 for the time dependence ``exp(-i omega t)`` in which the series is written."""
        loss = self.conductivity / (2.0 * math.pi * self.frequency * VACUUM_PERMITTIVITY)
        return complex(np.sqrt(self.relative_permittivity + 1j * loss))

    def incident(
        self, points: Float[np.ndarray, "*xyz_points"]
    ) -> tuple[Complex[np.ndarray, "*xyz_points"], Complex[np.ndarray, "*xyz_points"]]:
        """Return E [V/m] and B [T] of the plane wave, ``exp(+j omega t)``, at points [m]."""
        wave = np.exp(-1j * self.wavenumber * points[2])
        nothing = np.zeros_like(wave)
        return np.stack([wave, nothing, nothing]), np.stack([nothing, wave / SPEED_OF_LIGHT, nothing])

    def _orders(self) -> int:
        size = abs(self.refractive_index) * self.wavenumber * self.radius
        return math.ceil(size + 4.0 * size ** (1.0 / 3.0) + 12.0)

    def internal(
        self, points: Float[np.ndarray, "*xyz_points"]
    ) -> tuple[Complex[np.ndarray, "*xyz_points"], Complex[np.ndarray, "*xyz_points"]]:
        """Return E [V/m] and B [T] inside the sphere, ``exp(+j omega t)``, at points [m] within the radius.

        References
        ----------
        C. F. Bohren, D. R. Huffman, Absorption and Scattering of Light by Small Particles (1983), equations 4.40, 4.45,
        4.50 and 4.52; conjugated, for they write ``exp(-i omega t)``.
        """
        index, size = self.refractive_index, self.wavenumber * self.radius
        x, y, z = (np.asarray(axis, dtype=float) for axis in points)
        distance = np.maximum(np.sqrt(x**2 + y**2 + z**2), 1e-9 * self.radius)
        cosine = z / distance
        sine = np.sqrt(np.maximum(1.0 - cosine**2, 0.0))
        azimuth = np.arctan2(y, x)
        rho = index * self.wavenumber * distance
        electric = np.zeros((3, *x.shape), dtype=complex)
        magnetic = np.zeros((3, *x.shape), dtype=complex)
        pi_before, pi_now = np.zeros_like(cosine), np.ones_like(cosine)
        for n in range(1, self._orders() + 1):
            tau = n * cosine * pi_now - (n + 1) * pi_before
            radial = spherical_jn(n, rho)
            slope = radial / rho + spherical_jn(n, rho, derivative=True)  # (rho j)' / rho
            c, d = internal_coefficients(n, index, size)
            factor = 1j**n * (2 * n + 1) / (n * (n + 1))
            along = n * (n + 1) * sine * pi_now * radial / rho
            # components (r, theta, phi): M_o1n, N_e1n drive E; M_e1n, N_o1n drive H
            cos, sin = np.cos(azimuth), np.sin(azimuth)
            m_odd = np.stack([np.zeros_like(radial), cos * pi_now * radial, -sin * tau * radial])
            n_even = np.stack([cos * along, cos * tau * slope, -sin * pi_now * slope])
            m_even = np.stack([np.zeros_like(radial), -sin * pi_now * radial, -cos * tau * radial])
            n_odd = np.stack([sin * along, sin * tau * slope, cos * pi_now * slope])
            electric += factor * (c * m_odd - 1j * d * n_even)
            magnetic -= factor * (d * m_even + 1j * c * n_odd)
            pi_before, pi_now = pi_now, ((2 * n + 1) * cosine * pi_now - (n + 1) * pi_before) / n
        radial_unit = np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine])
        polar_unit = np.stack([cosine * np.cos(azimuth), cosine * np.sin(azimuth), -sine])
        azimuth_unit = np.stack([-np.sin(azimuth), np.cos(azimuth), np.zeros_like(azimuth)])
        units = np.stack([radial_unit, polar_unit, azimuth_unit])
        cartesian_electric = np.einsum("s...,sc...->c...", electric, units)
        cartesian_magnetic = np.einsum("s...,sc...->c...", magnetic, units) * index / SPEED_OF_LIGHT
        return cartesian_electric.conj(), cartesian_magnetic.conj()


def internal_coefficients(n: int, index: complex, size: float) -> tuple[complex, complex]:
    """Return c_n and d_n of the field inside a sphere of refractive index m and size parameter x (mu = mu_0)."""

    def riccati(order: int, argument: complex) -> tuple[complex, complex]:
        value = spherical_jn(order, argument)
        return argument * value, value + argument * spherical_jn(order, argument, derivative=True)

    psi_inside, slope_inside = riccati(n, index * size)
    psi, slope = riccati(n, size)
    chi = size * spherical_yn(n, size)
    chi_slope = spherical_yn(n, size) + size * spherical_yn(n, size, derivative=True)
    xi, xi_slope = psi + 1j * chi, slope + 1j * chi_slope
    wronskian = index * (psi * xi_slope - xi * slope)
    c = wronskian / (psi_inside * xi_slope - index * xi * slope_inside)
    d = wronskian / (index * psi_inside * xi_slope - xi * slope_inside)
    return complex(c), complex(d)
