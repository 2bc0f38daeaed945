"""The body coil: a 16-rung birdcage in a cylindrical shield, its incident field and the B1 maps of a body in it.

Line currents are forced: rungs carry ``exp(+-j (phi - pi / 2))``, end rings what Kirchhoff's law leaves, so that the
circuit is closed, no charge gathers and ``E = -j omega A``. The shield acts through images at ``R_s^2 / R`` of
opposite current, exact for infinitely long rungs in an infinite cylinder and long wavelengths: with rungs of 0.44 m
the field through the shield is about 2 % of the field there at mid-plane, 9 % beyond the end rings. Limits: no
capacitors, no tuning, no reaction of the body on the currents, no far ends of the shield. Circular polarisation
``exp(+j phi)`` drives B1+ (`mrrepro.simulators.rf_fields`), the reversed one receives. Phases count from the azimuth of
+y: then B1+ and B1- of the empty coil are real and positive at the centre, but for retardation, and the transceive
phase of a small object is near zero.

Inside the coil the field is smooth, so it is summed at Chebyshev nodes only and interpolated to the grid, to a relative
error of about 1e-8; the result is kept for the grids used last.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from mrrepro.constants import SPEED_OF_LIGHT, VACUUM_PERMEABILITY
from mrrepro.phantoms.dielectric_body import DielectricBody
from mrrepro.phantoms.yee_grid import YeeGrid
from mrrepro.simulators.rf_fields import receive_field, transceive_phase, transmit_field
from mrrepro.solvers.krylov import GmresSettings
from mrrepro.solvers.volume_integral import FieldOnGrid, Scattering, solve_scattering
from mrrepro.validation import require_range

_INTERPOLATION_ERROR = 1e-8

_QUADRATURE_ERROR = 1e-7

_CLEARANCE = 0.2
"""Least distance of a grid from the rungs, in parts of the coil's radius; the quadratures are accurate up to there."""


@dataclass(frozen=True)
class Birdcage:
    """A shielded high-pass birdcage around the z axis, centred at the origin.

    Parameters
    ----------
    radius : float
        Of the rungs [m].
    length : float
        Between the end rings [m].
    shield_radius : float
        [m], above ``radius``; infinite for no shield.
    rungs : int
        Even, at least 4.
    current : float
        Amplitude in a rung [A].
    """

    radius: float = 0.352
    length: float = 0.44
    shield_radius: float = 0.372
    rungs: int = 16
    current: float = 1.0

    def __post_init__(self) -> None:
        require_range("radius", self.radius, 0.01, 1.0, unit="m", remedy="give metres")
        require_range("length", self.length, 0.01, 3.0, unit="m", remedy="give metres")
        if not self.shield_radius > self.radius:
            raise ValueError(
                f"shield_radius must exceed the coil's radius of {self.radius} m, but is {self.shield_radius!r} m: "
                "give infinity for no shield."
            )
        if self.rungs < 4 or self.rungs % 2:
            raise ValueError(f"rungs must be an even number of at least 4, but is {self.rungs}.")

    def current_elements(self, sense: int) -> tuple[Float[np.ndarray, "s 3"], Complex[np.ndarray, "s 3"]]:
        """Return positions [m] and elements ``I dl`` [A m] of a polarisation ``exp(sense j phi)``, images included."""
        coil = _conductor(self, self.radius, sense)
        if math.isinf(self.shield_radius):
            return coil
        image = _conductor(self, self.shield_radius**2 / self.radius, sense)
        return np.concatenate([coil[0], image[0]]), np.concatenate([coil[1], -image[1]])


def _quadrature(coil: Birdcage, half_length: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a Gauss rule for a conductor that is seen from the least clearance; its error falls as rho^(-2 n)."""
    growth = math.asinh(_CLEARANCE * coil.radius / half_length)
    return np.polynomial.legendre.leggauss(math.ceil(-0.5 * math.log(_QUADRATURE_ERROR) / growth) + 2)


def _conductor(
    coil: Birdcage, radius: float, sense: int
) -> tuple[Float[np.ndarray, "s 3"], Complex[np.ndarray, "s 3"]]:
    """Return the current elements of rungs and end rings at a radius."""
    step = 2.0 * math.pi / coil.rungs
    angles = step * np.arange(coil.rungs)
    phasors = coil.current * np.exp(1j * sense * (angles - 0.5 * math.pi))
    nodes, weights = _quadrature(coil, 0.5 * coil.length)
    height = 0.5 * coil.length * nodes
    rung_positions = np.stack(
        np.broadcast_arrays(radius * np.cos(angles)[:, None], radius * np.sin(angles)[:, None], height), axis=-1
    ).reshape(-1, 3)
    rung_elements = np.zeros((coil.rungs, len(nodes), 3), dtype=complex)
    rung_elements[..., 2] = phasors[:, None] * 0.5 * coil.length * weights
    # Kirchhoff at the upper ring: K_n - K_(n-1) = I_n, K_n flowing from rung n to rung n + 1
    ring = phasors / (1.0 - np.exp(-1j * sense * step))
    nodes, weights = _quadrature(coil, 0.5 * step * radius)
    along = (angles[:, None] + 0.5 * step * (nodes + 1.0)).ravel()
    strength = (ring[:, None] * 0.5 * step * radius * weights).ravel()
    tangent = np.stack([-np.sin(along), np.cos(along), np.zeros_like(along)], axis=1)
    positions, elements = [rung_positions], [rung_elements.reshape(-1, 3)]
    for end in (1.0, -1.0):
        level = np.full_like(along, end * 0.5 * coil.length)
        positions.append(np.stack([radius * np.cos(along), radius * np.sin(along), level], axis=1))
        elements.append(end * strength[:, None] * tangent)
    return np.concatenate(positions), np.concatenate(elements)


def field_of_current_elements(
    points: Float[np.ndarray, "p 3"],
    positions: Float[np.ndarray, "s 3"],
    elements: Complex[np.ndarray, "modes s 3"],
    frequency: float,
) -> tuple[Complex[np.ndarray, "modes p 3"], Complex[np.ndarray, "modes p 3"]]:
    """Return E [V/m] and B [T] of closed circuits of current elements [A m] at points [m], with retardation."""
    omega = 2.0 * math.pi * frequency
    wavenumber = omega / SPEED_OF_LIGHT
    electric = np.empty((len(elements), *points.shape), dtype=complex)
    magnetic = np.empty((len(elements), *points.shape), dtype=complex)
    moments = np.cross(elements, positions)
    scale = VACUUM_PERMEABILITY / (4.0 * math.pi)
    for first in range(0, len(points), 256):
        part = slice(first, first + 256)
        arm = points[part, None, :] - positions
        distance = np.sqrt(np.sum(arm**2, axis=-1))
        wave = np.exp(-1j * wavenumber * distance) / distance
        electric[:, part] = -1j * omega * scale * (wave @ elements)
        gradient = wave * (1.0 + 1j * wavenumber * distance) / distance**2
        # sum of g dl x (r - r') = (sum of g dl) x r - sum of g dl x r'
        magnetic[:, part] = scale * (np.cross(gradient @ elements, points[part]) - gradient @ moments)
    return electric, magnetic


def _chebyshev_rule(axis: np.ndarray, low: float, high: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Chebyshev nodes on [low, high] and the matrix that interpolates from them to the points of an axis."""
    angle = (np.arange(count) + 0.5) * math.pi / count
    nodes = np.cos(angle)
    orders = np.arange(count)
    analysis = 2.0 / count * np.cos(orders[:, None] * angle)
    analysis[0] *= 0.5
    scaled = np.clip((2.0 * axis - low - high) / (high - low), -1.0, 1.0)
    return 0.5 * (low + high) + 0.5 * (high - low) * nodes, np.cos(np.arccos(scaled)[:, None] * orders) @ analysis


@functools.lru_cache(maxsize=4)
def _sampled_field(
    coil: Birdcage, grid: YeeGrid, frequency: float
) -> tuple[Complex[np.ndarray, "2 3 x y z"], Complex[np.ndarray, "2 3 x y z"]]:
    """Return E on the edges and B at the centres of the voxels for both polarisations."""
    limits = [
        (corner, corner + length * grid.voxel_size) for corner, length in zip(grid.origin, grid.shape, strict=True)
    ]
    reach = math.hypot(*(max(abs(low), abs(high)) for low, high in limits[:2]))
    clearance = coil.radius - reach
    if clearance < _CLEARANCE * coil.radius:
        raise ValueError(
            f"the grid reaches {reach:.3g} m from the coil's axis, but must stay within "
            f"{(1 - _CLEARANCE) * coil.radius:.3g} m for rungs at {coil.radius} m: crop the grid to the body, "
            "or take a larger coil."
        )
    ratio = clearance / max(0.5 * (high - low) for low, high in limits)
    count = math.ceil(-math.log(_INTERPOLATION_ERROR) / math.log(ratio + math.hypot(ratio, 1.0)))
    positions, transmitting = coil.current_elements(1)
    elements = np.stack([transmitting, coil.current_elements(-1)[1]])
    axes = [grid.edge_axes(component) for component in range(3)] + [grid.voxel_axes()]
    rules = [[_chebyshev_rule(points[a], *limits[a], count) for a in range(3)] for points in axes]
    nodes = np.stack(np.meshgrid(*(rules[0][a][0] for a in range(3)), indexing="ij"), axis=-1)
    fields = field_of_current_elements(nodes.reshape(-1, 3), positions, elements, frequency)
    electric, magnetic = (field.reshape(2, count, count, count, 3) for field in fields)

    def interpolate(values: np.ndarray, rule: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        return np.einsum("mabc,xa,yb,zc->mxyz", values, rule[0][1], rule[1][1], rule[2][1], optimize=True)

    return (
        np.stack([interpolate(electric[..., component], rules[component]) for component in range(3)], axis=1),
        np.stack([interpolate(magnetic[..., component], rules[3]) for component in range(3)], axis=1),
    )


def incident_field(
    coil: Birdcage,
    grid: YeeGrid,
    frequency: float,
    *,
    dtype: torch.dtype = torch.complex64,
    device: torch.device | str = "cpu",
) -> FieldOnGrid:
    """Return the field of the empty coil, a batch of two: ``exp(+j phi)``, which transmits, and ``exp(-j phi)``.

    Parameters
    ----------
    coil : Birdcage
    grid : YeeGrid
        In the coil's coordinates [m]; must stay 20 % of the radius away from the rungs.
    frequency : float
        [Hz].
    """
    require_range("frequency", frequency, 1e6, 1e9, unit="Hz", remedy="give hertz, 128 MHz being 128e6")
    electric, magnetic = (
        torch.as_tensor(field, device=device).to(dtype, copy=True) for field in _sampled_field(coil, grid, frequency)
    )
    return FieldOnGrid(electric, magnetic)


@dataclass(frozen=True)
class B1Maps:
    """What an ideal measurement of a body in the coil would give.

    Parameters
    ----------
    transmit, receive : Tensor, shape (x, y, z)
        B1+ of ``exp(+j phi)`` and B1- of ``exp(-j phi)`` [T], at the voxels' centres.
    scattering : Scattering
        The solution, with its convergence.
    """

    transmit: Complex[Tensor, "x y z"]
    receive: Complex[Tensor, "x y z"]
    scattering: Scattering

    @property
    def transceive_phase(self) -> Float[Tensor, "x y z"]:
        """Return ``arg(B1+ B1-)`` in (-pi, pi] [rad]."""
        return transceive_phase(self.transmit, self.receive)


def simulate_b1(
    body: DielectricBody,
    coil: Birdcage,
    settings: GmresSettings | None = None,
    *,
    start: Complex[Tensor, "2 3 x y z"] | None = None,
    dtype: torch.dtype = torch.complex64,
    device: torch.device | str = "cpu",
) -> B1Maps:
    """Return B1+ and B1- of a body in the coil; both polarisations are solved together.

    ``start`` may be ``scattering.polarisation`` of the same anatomy with other electrical properties.
    """
    incident = incident_field(coil, body.grid, body.frequency, dtype=dtype, device=device)
    scattering = solve_scattering(body, incident, settings, start)
    flux = scattering.field.magnetic_flux
    return B1Maps(transmit_field(flux[0]), receive_field(flux[1]), scattering)
