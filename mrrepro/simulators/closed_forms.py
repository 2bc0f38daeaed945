"""Fields of magnetised bodies that are known without a grid: the references of the dipole model."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import integrate

from mrrepro.validation import require_choice, require_range


def sphere_field(
    x: Float[np.ndarray, "*shape"], y: Float[np.ndarray, "*shape"], z: Float[np.ndarray, "*shape"], radius: float
) -> Float[np.ndarray, "*shape"]:
    """Field at the nuclei of a sphere magnetised along z, in the unit of mu_0 M.

    Outside, that of a dipole, (a/r)^3 (3 cos^2 theta - 1) / 3; inside, zero (with the correction
    for the Lorentz sphere).

    Parameters
    ----------
    x, y, z : array
        Coordinates from the centre [m].
    radius : float
        Radius a [m].

    Returns
    -------
    array
        B_z / (mu_0 M) [1].

    Source: Jackson, Classical Electrodynamics, 3rd ed., section 5.10.

    >>> sphere_field(np.array([0.0]), np.array([0.0]), np.array([2.0]), 1.0)
    array([0.08333333])
    """
    require_range("radius", radius, 0.0, unit="m", low_open=True)
    distance = np.sqrt(x**2 + y**2 + z**2)
    outside = distance > radius
    safe = np.where(outside, distance, radius)
    return np.where(outside, (radius / safe) ** 3 * (3 * (z / safe) ** 2 - 1) / 3, 0.0)


def finite_cylinder_field(
    points: Float[np.ndarray, "points 3"], radius: float, length: float, axis: str
) -> Float[np.ndarray, " points"]:
    """Field of a finite cylinder magnetised along z, outside of it, by surface charges.

    B_z / (mu_0 M) = 1/(4 pi) integral of n_z (z - z') / |r - r'|^3 over the surface. With the axis along
    z the two discs carry charge and each ring is integrated; with the axis along x or y the mantle
    carries charge and the integral along the axis is done in closed form.

    Parameters
    ----------
    points : array, (points, 3)
        x, y, z of points outside the cylinder, from its centre [m].
    radius, length : float
        [m].
    axis : str
        "x", "y" or "z".

    Returns
    -------
    array, (points,)
        B_z / (mu_0 M) [1], to about 1e-8.
    """
    require_choice("axis", axis, ("x", "y", "z"))
    require_range("radius", radius, 0.0, unit="m", low_open=True)
    require_range("length", length, 0.0, unit="m", low_open=True)
    if axis == "z":
        return np.array([_axial(point, radius, length) for point in points])
    along = "xyz".index(axis)
    across = 1 - along
    return np.array([_transverse(p[across], p[along], p[2], radius, length) for p in points])


def _axial(point: Float[np.ndarray, 3], radius: float, length: float) -> float:
    """Two discs of charge +-1 at z = +-length/2."""
    lateral = float(np.hypot(point[0], point[1]))

    def disc(height: float) -> float:
        def ring(angle: float, rho: float) -> float:
            squared = lateral**2 + rho**2 - 2 * lateral * rho * np.cos(angle) + height**2
            return rho * height / squared**1.5

        value, _ = integrate.dblquad(ring, 0.0, radius, 0.0, np.pi, epsabs=1e-9, epsrel=1e-9)
        return 2 * value

    return (disc(point[2] - length / 2) - disc(point[2] + length / 2)) / (4 * np.pi)


def _transverse(across: float, along: float, z: float, radius: float, length: float) -> float:
    """Charge n_z = sin(phi) on the mantle; the integral along the axis is closed."""

    def line(angle: float) -> float:
        normal = np.sin(angle)
        delta_z = z - radius * normal
        squared = (across - radius * np.cos(angle)) ** 2 + delta_z**2
        ends = np.array([length / 2 - along, length / 2 + along])
        return normal * delta_z * radius / squared * float((ends / np.sqrt(ends**2 + squared)).sum())

    value, _ = integrate.quad(line, 0.0, 2 * np.pi, epsabs=1e-10, epsrel=1e-10, limit=400)
    return value / (4 * np.pi)
