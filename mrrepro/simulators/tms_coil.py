"""A thin-wire figure-of-eight coil for transcranial magnetic stimulation, and its vector potential.

The coil's frame: x joins the two wings' centres, y is the direction of the current under the middle, z points away from
the head; the wires lie in z = 0. Vector potentials are given per ampere, so that dA/dt is their product with dI/dt. A
rising current induces an electric field against y below the middle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Float64
from numba import njit, prange
from scipy.special import ellipe, ellipkm1

from mrrepro.constants import VACUUM_PERMEABILITY
from mrrepro.validation import require_finite, require_range, require_shape

TABLE_SPACING = 0.5e-3
TABLE_RADIUS = 0.36
TABLE_HEIGHT = 0.32


@dataclass(frozen=True)
class FigureEight:
    """Geometry of the two wings.

    Parameters
    ----------
    outer_diameter : float
        Diameter of the outermost turn [m]; the paper's 97 mm.
    inner_diameter : float
        Diameter of the innermost turn [m]; the paper's 47 mm.
    turns : int
        Turns of each wing, evenly spaced between the two. The paper does not state it: our choice.
    wing_distance : float
        Between the centres of the wings [m]; by default the outer turns touch. Our choice.
    """

    outer_diameter: float = 97e-3
    inner_diameter: float = 47e-3
    turns: int = 9
    wing_distance: float = 97e-3

    def __post_init__(self) -> None:
        require_range("inner_diameter", self.inner_diameter, low=0.0, low_open=True, unit="m")
        require_range("outer_diameter", self.outer_diameter, low=self.inner_diameter, unit="m")
        require_range("turns", self.turns, low=1, high=1000)
        require_range("wing_distance", self.wing_distance, low=self.outer_diameter, unit="m", remedy="wings overlap")

    @property
    def radii(self) -> tuple[float, ...]:
        """Radii of the turns of one wing [m]."""
        inner, outer = 0.5 * self.inner_diameter, 0.5 * self.outer_diameter
        return tuple(float(r) for r in np.linspace(outer, inner, self.turns))

    @property
    def wings(self) -> tuple[tuple[float, float], ...]:
        """Centre on the x axis [m] and sense of the current (+1: anticlockwise seen from +z) of each wing."""
        return (-0.5 * self.wing_distance, 1.0), (0.5 * self.wing_distance, -1.0)


@dataclass(frozen=True)
class SinusoidalCurrent:
    """One period of a biphasic pulse, I(t) = peak sin(2 pi frequency t).

    The paper gives neither peak nor rate of change ("the maximum stimulation output"); both defaults are our choice,
    the frequency is the one of its tissue table. Fields are proportional to dI/dt, and relative measures do not see it.

    Parameters
    ----------
    peak : float
        Peak current [A].
    frequency : float
        Frequency of the pulse [Hz].
    """

    peak: float = 5e3
    frequency: float = 10e3

    def __post_init__(self) -> None:
        require_range("peak", self.peak, low=0.0, low_open=True, unit="A")
        require_range("frequency", self.frequency, low=0.0, low_open=True, unit="Hz")

    def rate_of_change(self, time: float = 0.0) -> float:
        """dI/dt [A/s] at a time [s] within the pulse; largest at its onset."""
        angular = 2.0 * math.pi * self.frequency
        inside = 0.0 <= time <= 1.0 / self.frequency
        return self.peak * angular * math.cos(angular * time) if inside else 0.0


@dataclass(frozen=True)
class PlacedCoil:
    """A coil in the world.

    Parameters
    ----------
    coil : FigureEight
        The geometry.
    centre : Float64[ndarray, "3"]
        World position of the middle of the coil [m].
    axes : Float64[ndarray, "3 3"]
        Columns: the coil's x, y and z in the world, right-handed and orthonormal.
    """

    coil: FigureEight
    centre: Float64[np.ndarray, 3]
    axes: Float64[np.ndarray, "3 3"]

    def __post_init__(self) -> None:
        require_shape("centre", self.centre, (3,))
        require_shape("axes", self.axes, (3, 3))
        require_finite("centre", self.centre)
        if not np.allclose(self.axes.T @ self.axes, np.eye(3), atol=1e-9) or np.linalg.det(self.axes) < 0.0:
            raise ValueError("axes must be a right-handed orthonormal frame in its columns: use place_coil.")

    def vector_potential(self, points: Float64[np.ndarray, "points 3"]) -> Float64[np.ndarray, "points 3"]:
        """A / I [V s / (A m)] at world points [m], from a table over (rho, z); its error is below 1e-5 from 5 mm on.

        Points beyond the table are computed from the elliptic integrals themselves.
        """
        points = np.ascontiguousarray(points, dtype=np.float64)
        table = _wing_table(self.coil.radii)
        frame = np.ascontiguousarray(self.axes)
        centre = np.ascontiguousarray(self.centre, dtype=np.float64)
        positions = np.array([position for position, _ in self.coil.wings])
        senses = np.array([sense for _, sense in self.coil.wings])
        field, outside = _interpolate(points, centre, frame, positions, senses, table, 1.0 / TABLE_SPACING)
        if outside:
            far = ~np.isfinite(field).all(axis=1)
            field[far] = self.exact_vector_potential(points[far])
        return field

    def exact_vector_potential(self, points: Float64[np.ndarray, "points 3"]) -> Float64[np.ndarray, "points 3"]:
        """A / I from complete elliptic integrals, turn by turn."""
        local = (np.asarray(points, dtype=np.float64) - self.centre) @ self.axes
        field = np.zeros_like(local)
        for position, sense in self.coil.wings:
            x, y = local[:, 0] - position, local[:, 1]
            ratio = sense * loops_potential_over_radius(self.coil.radii, np.hypot(x, y), local[:, 2])
            field[:, 0] -= ratio * y
            field[:, 1] += ratio * x
        return field @ self.axes.T

    def wire_points(self, angles: int = 64) -> Float64[np.ndarray, "points 3"]:
        """World points on every turn [m]."""
        phi = 2.0 * np.pi * np.arange(angles) / angles
        rings = [
            np.stack([position + radius * np.cos(phi), radius * np.sin(phi), np.zeros(angles)], axis=1)
            for position, _ in self.coil.wings
            for radius in self.coil.radii
        ]
        return np.concatenate(rings) @ self.axes.T + self.centre

    def dipole_sheet(
        self, radial: int = 12, angles: int = 48
    ) -> tuple[Float64[np.ndarray, "dipoles 3"], Float64[np.ndarray, "dipoles 3"]]:
        """Positions [m] and moments per ampere [m^2] of dipoles that replace each turn's disc (Gauss by trapezoid)."""
        nodes, weights = np.polynomial.legendre.leggauss(radial)
        phi = 2.0 * np.pi * np.arange(angles) / angles
        positions, moments = [], []
        for centre, sense in self.coil.wings:
            for radius in self.coil.radii:
                rho = 0.5 * radius * (nodes + 1.0)
                area = 0.5 * radius * weights * rho * 2.0 * np.pi / angles
                x, y = centre + np.outer(rho, np.cos(phi)), np.outer(rho, np.sin(phi))
                positions.append(np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3))
                moments.append(np.repeat(sense * area, angles))
        return (
            np.concatenate(positions) @ self.axes.T + self.centre,
            np.concatenate(moments)[:, None] * self.axes[:, 2],
        )


def place_coil(
    coil: FigureEight,
    scalp_point: Float[np.ndarray, 3],
    outward_normal: Float[np.ndarray, 3],
    gap: float,
    angle: float = 0.0,
    reference: Float[np.ndarray, 3] | None = None,
) -> PlacedCoil:
    """Put the coil tangentially above a point of the scalp.

    Parameters
    ----------
    coil : FigureEight
        The geometry.
    scalp_point : Float[ndarray, "3"]
        World position [m], for instance C3 from `mrrepro.simulators.scalp_positions`.
    outward_normal : Float[ndarray, "3"]
        Of the scalp there; any length.
    gap : float
        From the scalp point to the wires' plane [m].
    angle : float
        Turn of the coil's y axis [rad], anticlockwise seen from outside, from the reference direction.
    reference : Float[ndarray, "3"], optional
        Direction of y at angle 0, projected on the tangent plane; by default anterior, world +y.

    Raises
    ------
    ValueError
        If the gap is not positive or the reference runs along the normal.
    """
    require_range("gap", gap, low=0.0, low_open=True, unit="m", remedy="the coil must lie outside of the head")
    require_finite("scalp_point", np.asarray(scalp_point, dtype=np.float64))
    normal = np.asarray(outward_normal, dtype=np.float64)
    length = float(np.linalg.norm(normal))
    require_range("outward_normal's length", length, low=0.0, low_open=True)
    z = normal / length
    forward = np.array([0.0, 1.0, 0.0]) if reference is None else np.asarray(reference, dtype=np.float64)
    forward = forward - (forward @ z) * z
    if np.linalg.norm(forward) < 1e-6:
        raise ValueError("reference must not run along the scalp's normal: give another reference direction.")
    forward /= np.linalg.norm(forward)
    y = math.cos(angle) * forward + math.sin(angle) * np.cross(z, forward)
    axes = np.stack([np.cross(y, z), y, z], axis=1)
    return PlacedCoil(coil, np.asarray(scalp_point, dtype=np.float64) + gap * z, axes)


def check_clearance(
    placed: PlacedCoil, conductivity: Float[np.ndarray, "n0 n1 n2"], affine: Float[np.ndarray, "4 4"]
) -> None:
    """Raise ``ValueError`` if a point of `PlacedCoil.wire_points`, 64 a turn, lies in a conducting voxel.

    At the outer turn these points are 5 mm apart: a conductor thinner than that can lie between two of them.
    """
    inverse = np.linalg.inv(np.asarray(affine, dtype=np.float64))
    index = np.rint(placed.wire_points() @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    inside = ((index >= 0) & (index < np.asarray(conductivity.shape))).all(axis=1)
    hit = int((conductivity[tuple(index[inside].T)] > 0.0).sum())
    if hit:
        raise ValueError(
            f"the coil must lie outside of the head, but {hit} of {len(index)} sampled wire points are in a conductor: "
            "increase gap, or check the scalp point, the normal and the affine."
        )


def loops_potential_over_radius(
    radii: Sequence[float], rho: Float64[np.ndarray, "*shape"], z: Float64[np.ndarray, "*shape"]
) -> Float64[np.ndarray, "*shape"]:
    """A_phi / (rho I) of coaxial loops in z = 0, a smooth and even function of rho and z.

    A_phi / rho = mu0 a^2 F(m) / (4 D^3) with D^2 = (a + rho)^2 + z^2, m = 4 a rho / D^2 and
    F(m) = 32 [(1 - m/2) K(m) - E(m)] / (pi m^2), which is 1 at m = 0; below m = 0.05 by its power series.
    """
    total = np.zeros(np.broadcast(rho, z).shape)
    for a in radii:
        squared = (a + rho) ** 2 + z**2
        rest = ((a - rho) ** 2 + z**2) / squared
        m = 4.0 * a * rho / squared
        large = np.maximum(m, 0.05)
        closed = 32.0 * ((1.0 - 0.5 * large) * ellipkm1(np.minimum(rest, 0.95)) - ellipe(large)) / (np.pi * large**2)
        series, term = np.ones_like(m), np.ones_like(m)
        for n in range(12):
            term = term * m * (n + 1.5) ** 2 / ((n + 3.0) * (n + 1.0))
            series = series + term
        total += 0.25 * VACUUM_PERMEABILITY * a**2 * np.where(m < 0.05, series, closed) / squared**1.5
    return total


def segments_vector_potential(
    points: Float64[np.ndarray, "points 3"], vertices: Float64[np.ndarray, "vertices 3"]
) -> Float64[np.ndarray, "points 3"]:
    """A / I of an open or closed polyline of straight thin wires [V s / (A m)].

    Each segment of length L contributes mu0 / (4 pi) ln[(r1 + r2 + L) / (r1 + r2 - L)] along its direction. This serves
    coils of any shape.
    """
    field = np.zeros_like(points)
    for start, end in pairwise(vertices):
        length = float(np.linalg.norm(end - start))
        both = np.linalg.norm(points - start, axis=1) + np.linalg.norm(points - end, axis=1)
        field += np.outer(np.log((both + length) / (both - length)), (end - start) / length)
    return VACUUM_PERMEABILITY / (4.0 * np.pi) * field


@lru_cache(maxsize=8)
def _wing_table(radii: tuple[float, ...]) -> Float64[np.ndarray, "rho z"]:
    """Table of A_phi / (rho I) over rho and |z|; one sample beyond zero on each axis, by symmetry."""
    rho = TABLE_SPACING * np.arange(-1, round(TABLE_RADIUS / TABLE_SPACING) + 2)
    z = TABLE_SPACING * np.arange(-1, round(TABLE_HEIGHT / TABLE_SPACING) + 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return loops_potential_over_radius(radii, np.abs(rho)[:, None], z[None, :])


@njit(parallel=True, cache=True, error_model="numpy")
def _interpolate(points, centre, axes, positions, senses, table, inverse_spacing):  # type: ignore[no-untyped-def]
    """Cubic Lagrange interpolation of the table, both wings, in world components; NaN beyond it."""
    count = points.shape[0]
    out = np.empty((count, 3))
    outside = 0
    limit_rho, limit_z = table.shape[0] - 3, table.shape[1] - 3
    for n in prange(count):
        dx = points[n, 0] - centre[0]
        dy = points[n, 1] - centre[1]
        dz = points[n, 2] - centre[2]
        x = dx * axes[0, 0] + dy * axes[1, 0] + dz * axes[2, 0]
        y = dx * axes[0, 1] + dy * axes[1, 1] + dz * axes[2, 1]
        v = abs(dx * axes[0, 2] + dy * axes[1, 2] + dz * axes[2, 2]) * inverse_spacing
        ax = 0.0
        ay = 0.0
        beyond = v >= limit_z
        for wing in range(positions.shape[0]):
            wx = x - positions[wing]
            u = math.sqrt(wx * wx + y * y) * inverse_spacing
            if beyond or u >= limit_rho:
                beyond = True
                break
            i, j = int(u), int(v)
            s, t = u - i, v - j
            s0, s1 = -s * (s - 1) * (s - 2) / 6, (s + 1) * (s - 1) * (s - 2) / 2
            s2, s3 = -(s + 1) * s * (s - 2) / 2, (s + 1) * s * (s - 1) / 6
            t0, t1 = -t * (t - 1) * (t - 2) / 6, (t + 1) * (t - 1) * (t - 2) / 2
            t2, t3 = -(t + 1) * t * (t - 2) / 2, (t + 1) * t * (t - 1) / 6
            r0, r1, r2, r3 = table[i], table[i + 1], table[i + 2], table[i + 3]
            value = s0 * (t0 * r0[j] + t1 * r0[j + 1] + t2 * r0[j + 2] + t3 * r0[j + 3])
            value += s1 * (t0 * r1[j] + t1 * r1[j + 1] + t2 * r1[j + 2] + t3 * r1[j + 3])
            value += s2 * (t0 * r2[j] + t1 * r2[j + 1] + t2 * r2[j + 2] + t3 * r2[j + 3])
            value += s3 * (t0 * r3[j] + t1 * r3[j + 1] + t2 * r3[j + 2] + t3 * r3[j + 3])
            value *= senses[wing]
            ax -= value * y
            ay += value * wx
        if beyond:
            outside += 1
            out[n] = np.nan
        else:
            for c in range(3):
                out[n, c] = ax * axes[c, 0] + ay * axes[c, 1]
    return out, outside
