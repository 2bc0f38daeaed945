"""Closed forms of low-frequency fields in spheres, against which the finite-difference solver is held.

All lengths in metres; fields in V/m; points relative to the sphere's centre, shape (points, 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float64
from numba import njit, prange
from scipy.special import gammaln

from mrrepro.constants import VACUUM_PERMEABILITY
from mrrepro.validation import require_range, require_shape

Points = Float64[np.ndarray, "points 3"]


def magnetic_dipole_field(points: Points, position: Float[np.ndarray, 3], moment_rate: Float[np.ndarray, 3]) -> Points:
    """Electric field that one changing magnetic dipole induces; see `magnetic_dipoles_field`."""
    return magnetic_dipoles_field(points, np.asarray(position)[None], np.asarray(moment_rate)[None])


def magnetic_dipoles_field(
    points: Points, positions: Float[np.ndarray, "dipoles 3"], moment_rates: Float[np.ndarray, "dipoles 3"]
) -> Points:
    """Electric field that changing magnetic dipoles induce in a spherically symmetric conductor.

    With a = r0 - r and F = a (r0 a + r0 . a), each contributes

        E = -(mu0 / 4 pi F^2) [F r x m' - (m' . grad F) r x r0].

    The conductivity may be any function of the radius and does not appear; E . r = 0 everywhere.

    Parameters
    ----------
    points : Float64[ndarray, "points 3"]
        Points r in the conductor [m].
    positions : Float[ndarray, "dipoles 3"]
        Dipoles r0 [m], farther from the centre than any point.
    moment_rates : Float[ndarray, "dipoles 3"]
        Time derivatives m' of the moments [A m^2 / s].

    Returns
    -------
    Float64[ndarray, "points 3"]
        Electric field [V/m].

    Raises
    ------
    ValueError
        If a dipole does not lie outside of all points.

    Notes
    -----
    Source: Heller and van Hulsteyn, Biophys. J. 63, 129-138, 1992; Sarvas, Phys. Med. Biol. 32, 11-22, 1987, eq. 25,
    whose lead field it is by reciprocity.
    """
    points = np.ascontiguousarray(points, dtype=np.float64)
    require_shape("points", points, (None, 3))
    dipoles = np.ascontiguousarray(positions, dtype=np.float64)
    require_shape("positions", dipoles, (None, 3))
    rates = np.ascontiguousarray(moment_rates, dtype=np.float64)
    require_shape("moment_rates", rates, (len(dipoles), 3))
    nearest = float(np.linalg.norm(dipoles, axis=1).min(initial=np.inf))
    farthest = float(np.linalg.norm(points, axis=1).max(initial=0.0))
    if nearest <= farthest:
        raise ValueError(f"positions must lie outside of the sphere that holds all points ({farthest:g} m), but one is "
                         f"{nearest:g} m from the centre: move the coil away from the head.")  # fmt: skip
    return -VACUUM_PERMEABILITY / (4 * math.pi) * _dipole_sum(points, dipoles, rates)


@njit(cache=True, parallel=True, error_model="numpy")
def _dipole_sum(points, dipoles, rates):  # type: ignore[no-untyped-def]
    """Sum over dipoles of [F r x m' - (m' . grad F) r x r0] / F^2."""
    out = np.zeros(points.shape)
    for p in prange(points.shape[0]):
        x, y, z = points[p]
        for d in range(dipoles.shape[0]):
            px, py, pz = dipoles[d]
            mx, my, mz = rates[d]
            ax, ay, az = px - x, py - y, pz - z
            a = math.sqrt(ax * ax + ay * ay + az * az)
            r0 = math.sqrt(px * px + py * py + pz * pz)
            along = px * ax + py * ay + pz * az
            f = a * (r0 * a + along)
            by_dipole = a * a / r0 + 2.0 * a + 2.0 * r0 + along / a
            by_point = a + 2.0 * r0 + along / a
            slope = by_dipole * (mx * px + my * py + mz * pz) - by_point * (mx * x + my * y + mz * z)
            first, second = 1.0 / f, slope / (f * f)
            out[p, 0] += first * (y * mz - z * my) - second * (y * pz - z * py)
            out[p, 1] += first * (z * mx - x * mz) - second * (z * px - x * pz)
            out[p, 2] += first * (x * my - y * mx) - second * (x * py - y * px)
    return out


@dataclass(frozen=True)
class SurfaceElectrode:
    """A round electrode on a sphere.

    Parameters
    ----------
    direction : tuple of float
        From the sphere's centre to the electrode's centre; any length.
    current : float
        Current fed in [A].
    half_angle : float
        Half opening angle of the cap through which it enters evenly [rad]; 0 for a point.
    """

    direction: tuple[float, float, float]
    current: float
    half_angle: float = 0.0

    def unit(self) -> Float64[np.ndarray, 3]:
        """Unit vector to the electrode."""
        vector = np.asarray(self.direction, dtype=np.float64)
        return vector / np.linalg.norm(vector)

    def current_density_series(self, radius: float, degrees: int) -> Float64[np.ndarray, degrees]:  # noqa: F821
        """Legendre coefficients j_l, l = 0 .. degrees - 1, of the current density that enters a sphere [A/m^2]."""
        l = np.arange(degrees)  # noqa: E741
        if self.half_angle == 0.0:
            return self.current * (2 * l + 1) / (4 * math.pi * radius**2)
        x = math.cos(self.half_angle)
        legendre = _legendre(np.array([x]), degrees + 1)[0][:, 0]
        below = np.concatenate([[1.0], legendre[: degrees - 1]])
        density = self.current / (2 * math.pi * radius**2 * (1.0 - x))
        return 0.5 * density * (below - legendre[1 : degrees + 1])


def layered_sphere_field(
    points: Points,
    radii: Sequence[float],
    conductivities: Sequence[float],
    electrodes: Sequence[SurfaceElectrode],
    degrees: int = 200,
) -> Points:
    """Electric field of electrodes on a sphere of concentric layers, from its Legendre series.

    In each layer V = sum_l [A_l (r/R)^l + B_l (R'/r)^(l+1)] P_l with its outer radius R and its inner R', with V and
    sigma dV/dr continuous and the electrodes' current density entering the outermost radius.

    Parameters
    ----------
    points : Float64[ndarray, "points 3"]
        Inside the sphere, at least a few per cent of its radius below the electrodes [m].
    radii : sequence of float
        Outer radii of the layers [m], from the innermost out.
    conductivities : sequence of float
        Their conductivities [S/m], positive.
    electrodes : sequence of SurfaceElectrode
        Their currents sum to zero.
    degrees : int
        Terms of the series; (r / R)^degrees is its truncation error.

    Returns
    -------
    Float64[ndarray, "points 3"]
        Electric field [V/m].
    """
    _check_layers(radii, conductivities, electrodes)
    a, b = _layer_coefficients(radii, conductivities, degrees)
    field = np.zeros_like(points, dtype=np.float64)
    for number, chosen in _points_by_layer(points, radii):
        for electrode in electrodes:
            series = electrode.current_density_series(radii[-1], degrees)
            series[0] = 0.0
            where = points[chosen]
            field[chosen] -= zonal_gradient(where, electrode.unit(), radii[number], series * a[number], outward=False)
            if number:
                inner = radii[number - 1]
                field[chosen] -= zonal_gradient(where, electrode.unit(), inner, series * b[number], outward=True)
    return field


def layered_sphere_potential(
    points: Points,
    radii: Sequence[float],
    conductivities: Sequence[float],
    electrodes: Sequence[SurfaceElectrode],
    degrees: int = 200,
) -> Float64[np.ndarray, points]:  # noqa: F821
    """Potential [V] of `layered_sphere_field`, zero at the centre; same parameters."""
    _check_layers(radii, conductivities, electrodes)
    a, b = _layer_coefficients(radii, conductivities, degrees)
    l = np.arange(degrees)[:, None]  # noqa: E741
    potential = np.zeros(len(points))
    for number, chosen in _points_by_layer(points, radii):
        distance = np.maximum(np.linalg.norm(points[chosen], axis=1), 1e-12 * radii[0])
        ratio = distance / radii[number]
        radial = a[number][:, None] * ratio**l
        if number:
            radial = radial + b[number][:, None] * (radii[number - 1] / distance) ** (l + 1)
        for electrode in electrodes:
            series = electrode.current_density_series(radii[-1], degrees)
            series[0] = 0.0
            legendre = _legendre(points[chosen] @ electrode.unit() / distance, degrees)[0]
            potential[chosen] += (series[:, None] * radial * legendre).sum(axis=0)
    return potential


@dataclass(frozen=True)
class EccentricSphere:
    """A sphere that holds another one off its centre, on the z axis.

    Parameters
    ----------
    radius : float
        Outer radius [m].
    inner_radius : float
        Inner radius [m].
    offset : float
        Height of the inner centre on the z axis [m]; offset + inner_radius < radius.
    conductivity : float
        Outside of the inner sphere [S/m].
    inner_conductivity : float
        In the inner sphere [S/m].
    """

    radius: float
    inner_radius: float
    offset: float
    conductivity: float
    inner_conductivity: float

    def __post_init__(self) -> None:
        for name in ("radius", "inner_radius", "conductivity", "inner_conductivity"):
            require_range(name, getattr(self, name), low=0.0, low_open=True)
        require_range("offset", self.offset, low=0.0, unit="m")
        if self.offset + self.inner_radius >= self.radius:
            raise ValueError(f"offset + inner_radius must be below radius ({self.radius:g} m), but is "
                             f"{self.offset + self.inner_radius:g} m: the spheres would cut.")  # fmt: skip


def eccentric_sphere_field(
    points: Points, sphere: EccentricSphere, electrodes: Sequence[SurfaceElectrode], degrees: int = 160
) -> Points:
    """Electric field of electrodes on the z axis of a sphere with an eccentric inner sphere.

    The potential outside of the inner sphere is a regular zonal series about the outer centre and a decaying one about
    the inner centre. The translation theorems of solid harmonics,

        r^l P_l = sum_k C(l, k) c^(l-k) s^k P_k',      s^-(l+1) P_l' = sum_(k>=l) C(k, l) c^(k-l) r^-(k+1) P_k,

    bring each to the other centre, where its boundary condition is diagonal; a linear system couples them.

    Parameters
    ----------
    points : Float64[ndarray, "points 3"]
        Points relative to the outer centre [m].
    sphere : EccentricSphere
        The geometry.
    electrodes : sequence of SurfaceElectrode
        With directions along +z or -z; their currents sum to zero.
    degrees : int
        Terms of both series; ((offset + inner_radius) / radius)^degrees bounds the truncation.

    Returns
    -------
    Float64[ndarray, "points 3"]
        Electric field [V/m].
    """
    _check_layers([sphere.radius], [sphere.conductivity], electrodes)
    axis = np.array([0.0, 0.0, 1.0])
    l = np.arange(degrees)  # noqa: E741
    injected = np.zeros(degrees)
    for electrode in electrodes:
        cosine = float(electrode.unit()[2])
        if abs(abs(cosine) - 1.0) > 1e-12:
            raise ValueError(f"electrodes must stand on the z axis, but one points to {electrode.direction}.")
        injected += electrode.current_density_series(sphere.radius, degrees) * np.sign(cosine) ** l
    c, b, radius = sphere.offset, sphere.inner_radius, sphere.radius
    # moved[l, k] = C(l, k) c^(l-k) b^k / R^l: weight of the inner degree k in the outer degree l.
    with np.errstate(divide="ignore"):
        log_c, up = np.log(c / radius), l[:, None] - l[None, :]
    power = np.where(up == 0, 0.0, np.where(up > 0, up, 1) * log_c)
    binomial = gammaln(l[:, None] + 1) - gammaln(l[None, :] + 1) - gammaln(np.maximum(up, 0) + 1)
    moved = np.where(up >= 0, np.exp(binomial + power + l[None, :] * math.log(b / radius)), 0.0)
    sigma, inner = sphere.conductivity, sphere.inner_conductivity
    response = l * (sigma - inner) / ((l + 1) * sigma + l * inner)
    # sigma / R [l a_l - (l + 1) (b / R) sum_k moved[l, k] d_k] = j_l, with d_k = response_k sum_l moved[l, k] a_l.
    matrix = np.diag(l.astype(np.float64)) - (l + 1)[:, None] * (b / radius) * (moved * response) @ moved.T
    a = np.zeros(degrees)
    a[1:] = np.linalg.solve(matrix[1:, 1:], injected[1:] * radius / sigma)
    arriving = moved.T @ a
    about_inner = points - c * axis
    within = np.linalg.norm(about_inner, axis=1) <= b
    field = np.empty_like(points, dtype=np.float64)
    field[within] = -zonal_gradient(about_inner[within], axis, b, arriving * (1 + response), outward=False)
    field[~within] = -zonal_gradient(points[~within], axis, radius, a, outward=False)
    field[~within] -= zonal_gradient(about_inner[~within], axis, b, arriving * response, outward=True)
    return field


def zonal_gradient(
    points: Points, axis: Float64[np.ndarray, 3], radius: float, coefficients: Float64[np.ndarray, degrees],  # noqa: F821
    *, outward: bool,
) -> Points:  # fmt: skip
    """Gradient of sum_l c_l (r/R)^l P_l(axis . r^), or with ``outward`` of sum_l c_l (R/r)^(l+1) P_l."""
    distance = np.maximum(np.linalg.norm(points, axis=1), 1e-12 * radius)
    direction = points / distance[:, None]
    cosine = np.clip(direction @ axis, -1.0, 1.0)
    value, slope = _legendre(cosine, len(coefficients))
    l = np.arange(len(coefficients))[:, None]  # noqa: E741
    ratio = distance / radius
    power = ratio ** (-(l + 2.0)) if outward else ratio ** np.maximum(l - 1.0, 0.0)
    weighted = coefficients[:, None] * power / radius
    radial = ((-(l + 1.0) if outward else l) * weighted * value).sum(axis=0)
    if not outward:
        weighted[0] = 0.0
    tangential = (weighted * slope).sum(axis=0)
    return radial[:, None] * direction + tangential[:, None] * (axis - cosine[:, None] * direction)


def _legendre(
    x: Float64[np.ndarray, points],  # noqa: F821
    degrees: int,
) -> tuple[Float64[np.ndarray, "degrees points"], Float64[np.ndarray, "degrees points"]]:
    """P_l(x) and P_l'(x) for l = 0 .. degrees - 1, by recurrences without division by 1 - x^2."""
    value, slope = np.zeros((degrees, len(x))), np.zeros((degrees, len(x)))
    value[0] = 1.0
    if degrees > 1:
        value[1], slope[1] = x, 1.0
    for l in range(2, degrees):  # noqa: E741
        value[l] = ((2 * l - 1) * x * value[l - 1] - (l - 1) * value[l - 2]) / l
        slope[l] = slope[l - 2] + (2 * l - 1) * value[l - 1]
    return value, slope


def _points_by_layer(points: Points, radii: Sequence[float]) -> list[tuple[int, np.ndarray[Any, np.dtype[np.bool_]]]]:
    """Number of each layer that has points, with their mask."""
    layer = np.minimum(np.searchsorted(np.asarray(radii), np.linalg.norm(points, axis=1)), len(radii) - 1)
    return [(number, layer == number) for number in range(len(radii)) if (layer == number).any()]


def _layer_coefficients(
    radii: Sequence[float], conductivities: Sequence[float], degrees: int
) -> tuple[Float64[np.ndarray, "layers degrees"], Float64[np.ndarray, "layers degrees"]]:
    """A and B of each layer for a unit coefficient of the entering current density.

    V_l = A (r / outer radius)^l + B (inner radius / r)^(l + 1), so that neither power exceeds one in its layer.
    """
    count = len(radii)
    l = np.arange(degrees)  # noqa: E741
    a, b = np.zeros((count, degrees)), np.zeros((count, degrees))
    a[0] = 1.0
    inner = [0.0, *radii[:-1]]
    for j in range(count - 1):
        decayed = b[j] * (inner[j] / radii[j]) ** (l + 1)
        potential = a[j] + decayed
        flux = conductivities[j] / conductivities[j + 1] * (l * a[j] - (l + 1) * decayed)
        ratio = (radii[j] / radii[j + 1]) ** l
        a[j + 1] = ((l + 1) * potential + flux) / (2 * l + 1)
        b[j + 1] = (l * potential - flux) / (2 * l + 1) * ratio
        # The new layer's coefficients belong to an inner solution scaled by ratio.
        a[: j + 1] *= ratio
        b[: j + 1] *= ratio
    decayed = b[-1] * (inner[-1] / radii[-1]) ** (l + 1)
    entering = conductivities[-1] / radii[-1] * (l * a[-1] - (l + 1) * decayed)
    entering[0] = 1.0
    return a / entering, b / entering


def _check_layers(
    radii: Sequence[float], conductivities: Sequence[float], electrodes: Sequence[SurfaceElectrode]
) -> None:
    """Layers grow, conduct, and the currents balance."""
    if len(radii) != len(conductivities) or list(radii) != sorted(set(radii)) or not radii or radii[0] <= 0.0:
        raise ValueError(f"radii must increase and be as many as conductivities, but are {list(radii)} for "
                         f"{len(conductivities)} conductivities.")  # fmt: skip
    for sigma in conductivities:
        require_range("conductivities", sigma, low=0.0, low_open=True, unit="S/m")
    total = sum(electrode.current for electrode in electrodes)
    largest = max((abs(electrode.current) for electrode in electrodes), default=0.0)
    if abs(total) > 1e-9 * largest:
        raise ValueError(f"electrodes' currents must sum to zero, but sum to {total:g} A.")
