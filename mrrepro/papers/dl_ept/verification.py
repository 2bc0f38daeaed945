"""The experiments behind the chapter's checks: each returns a deviation from a closed form, an invariant or a peer."""

from __future__ import annotations

import functools
import itertools
import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Complex, Float
from scipy.integrate import quad
from scipy.special import ive

from mrrepro.constants import SPEED_OF_LIGHT, VACUUM_PERMITTIVITY
from mrrepro.papers.dl_ept.piecewise_constant import solve_piecewise_constant
from mrrepro.phantoms.dielectric_body import DielectricBody
from mrrepro.phantoms.yee_grid import YeeGrid
from mrrepro.simulators.rf_fields import transmit_field
from mrrepro.solvers.krylov import GmresSettings
from mrrepro.solvers.lattice_operator import LatticeOperator
from mrrepro.solvers.mie import PlaneWaveOnSphere
from mrrepro.solvers.volume_integral import FieldOnGrid, Scattering, solve_scattering

SPHERE = PlaneWaveOnSphere(radius=0.08, relative_permittivity=78.0, conductivity=0.6, frequency=128e6)
"""Contrast and size of a head."""

ORDER_STEPS = (0.010, 0.008, 0.00625, 0.005, 0.004)
"""Voxel sizes [m] of the order's fit."""

ORDER_OFFSETS = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.2, 0.37, 0.61), (0.71, 0.13, 0.45))
"""Positions of the sphere's centre in a voxel: a staircase's error depends on it, and its mean square is fitted."""

EXACT = GmresSettings(tolerance=1e-9, restart=200)


@dataclass(frozen=True)
class SphereError:
    """Deviation of B1+ from Mie's series over the voxels deeper than two voxel sizes, and seconds spent."""

    relative: float
    phase_rms: float
    seconds: float


def sphere_body(
    step: float, offset: tuple[float, float, float] = (0.0, 0.0, 0.0), sphere: PlaneWaveOnSphere = SPHERE
) -> DielectricBody:
    """Return the sphere in voxels, its centre ``offset`` voxels from a node."""
    half = math.ceil(sphere.radius / step) + 2
    x, y, z = ((shift - half) * step for shift in offset)
    grid = YeeGrid((2 * half, 2 * half, 2 * half), step, (x, y, z))
    inside = np.sum(grid.voxel_centres() ** 2, axis=0) < sphere.radius**2
    permittivity = np.where(inside, sphere.relative_permittivity, 1.0)
    return DielectricBody(grid, permittivity, np.where(inside, sphere.conductivity, 0.0), sphere.frequency)


def plane_wave(grid: YeeGrid, sphere: PlaneWaveOnSphere, dtype: torch.dtype) -> FieldOnGrid:
    """Return the incident plane wave on the grid, a batch of one."""
    electric = np.stack([sphere.incident(grid.edge_centres(component))[0][component] for component in range(3)])
    magnetic = sphere.incident(grid.voxel_centres())[1]
    return FieldOnGrid(torch.as_tensor(electric)[None].to(dtype), torch.as_tensor(magnetic)[None].to(dtype))


def series_transmit(grid: YeeGrid) -> Complex[np.ndarray, "x y z"]:
    """Return B1+ of Mie's series at the centres of the voxels [T], NaN outside the sphere."""
    centres = grid.voxel_centres()
    inside = np.sum(centres**2, axis=0) < SPHERE.radius**2
    found = np.full(grid.shape, complex(np.nan, np.nan))
    flux = SPHERE.internal(centres[:, inside])[1]
    found[inside] = 0.5 * (flux[0] - 1j * flux[1])
    return found


def _against_series(grid: YeeGrid, magnetic_flux: torch.Tensor, seconds: float) -> SphereError:
    deep = np.sqrt(np.sum(grid.voxel_centres() ** 2, axis=0)) < SPHERE.radius - 2.0 * grid.voxel_size
    expected = series_transmit(grid)[deep]
    found = transmit_field(magnetic_flux)[0].numpy()[deep]
    phase = np.angle(found / expected)
    relative = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    return SphereError(relative, float(np.sqrt(np.mean(phase**2))), seconds)


@functools.cache
def sphere_error(step: float, offset: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> SphereError:
    """Return the deviation of the solver on the Yee grid at a voxel size [m]."""
    body = sphere_body(step, offset)
    start = time.perf_counter()
    found = solve_scattering(body, plane_wave(body.grid, SPHERE, torch.complex64))
    return _against_series(body.grid, found.field.magnetic_flux, time.perf_counter() - start)


def piecewise_constant_error(step: float) -> SphereError:
    """Return the deviation of the textbook equation on the same voxels, with the same GMRES."""
    body = sphere_body(step)
    electric, magnetic = (
        torch.as_tensor(values)[None].to(torch.complex64) for values in SPHERE.incident(body.grid.voxel_centres())
    )
    found = solve_piecewise_constant(body, electric, magnetic, GmresSettings())
    return _against_series(body.grid, found.magnetic_flux, found.seconds)


def mie_order_deviation() -> float:
    """Return |observed - declared order|; declared is 1, that of the staircase surface."""
    squares = [np.mean([sphere_error(step, offset).relative ** 2 for offset in ORDER_OFFSETS]) for step in ORDER_STEPS]
    slope = np.polyfit(np.log(ORDER_STEPS), 0.5 * np.log(squares), 1)[0]
    return abs(float(slope) - 1.0)


def irregular_body(step: float = 0.01, length: int = 8) -> DielectricBody:
    """Return a small body without any symmetry: an ellipsoid off the centre, with an inclusion."""
    grid = YeeGrid.centred((length + 4, length + 3, length + 2), step)
    x, y, z = grid.voxel_centres() / (0.5 * length * step)
    outer = ((x - 0.05) / 0.9) ** 2 + ((y + 0.1) / 0.8) ** 2 + (z / 0.95) ** 2 < 1.0
    inner = (x - 0.2) ** 2 + (y - 0.1) ** 2 + (z + 0.3) ** 2 < 0.2
    permittivity = np.where(inner, 84.0, np.where(outer, 50.0, 1.0))
    return DielectricBody(grid, permittivity, np.where(inner, 2.1, np.where(outer, 0.4, 0.0)), 128e6)


def dipole_electric_field(
    points: Float[np.ndarray, "*xyz_points"], position: np.ndarray, moment: np.ndarray, wavenumber: float
) -> Complex[np.ndarray, "*xyz_points"]:
    """Return ``(k^2 + grad div)(p exp(-j k R) / (4 pi R))`` in closed form: the field of a dipole, times eps_0."""
    arm = points - position.reshape(3, *[1] * (points.ndim - 1))
    distance = np.sqrt(np.sum(arm**2, axis=0))
    unit = arm / distance
    phase = 1j * wavenumber * distance
    along = np.einsum("c...,c->...", unit, moment)
    direction = moment.reshape(3, *[1] * (points.ndim - 1))
    near = (3.0 * unit * along - direction) * (1.0 + phase) / distance**2
    return (near + wavenumber**2 * (direction - unit * along)) * np.exp(-phase) / (4.0 * math.pi * distance)


def _solve_exactly(body: DielectricBody, electric: Complex[np.ndarray, "batch 3 x y z"]) -> Scattering:
    incident = torch.as_tensor(electric)
    return solve_scattering(body, FieldOnGrid(incident, torch.zeros_like(incident)), EXACT)


def reciprocity_deviation() -> float:
    """Return the relative difference of the reactions of two dipoles on the polarisations that they cause.

    The incident fields are closed forms; the reaction of a on b goes through the body, in the other order for b on a.
    """
    body = irregular_body()
    sources = (
        (np.array([0.11, 0.02, -0.03]), np.array([0.3, -1.0, 0.5])),
        (np.array([-0.04, -0.09, 0.10]), np.array([1.0, 0.4, -0.7])),
    )
    incident = np.stack(
        [
            np.stack(
                [
                    dipole_electric_field(body.grid.edge_centres(c), position, moment, body.wavenumber)[c]
                    for c in range(3)
                ]
            )
            for position, moment in sources
        ]
    )
    polarisation = _solve_exactly(body, incident).polarisation.numpy()
    there, back = np.sum(polarisation[0] * incident[1]), np.sum(polarisation[1] * incident[0])
    return float(abs(there - back) / abs(there))


def far_field_power(body: DielectricBody, polarisation: Complex[np.ndarray, "3 x y z"], orders: int = 12) -> float:
    """Return the radiated power [W] by integrating the far field's Poynting vector over all directions."""
    cosines, weights = np.polynomial.legendre.leggauss(orders)
    azimuths = np.arange(2 * orders) * math.pi / orders
    k, power = body.wavenumber, 0.0
    for (cosine, weight), azimuth in itertools.product(zip(cosines, weights, strict=True), azimuths):
        sine = math.sqrt(1.0 - cosine**2)
        unit = np.array([sine * math.cos(azimuth), sine * math.sin(azimuth), cosine])
        amplitude = np.empty(3, dtype=complex)
        for component in range(3):
            x, y, z = (np.exp(1j * k * u * axis) for u, axis in zip(unit, body.grid.edge_axes(component), strict=True))
            amplitude[component] = np.einsum("xyz,x,y,z->", polarisation[component], x, y, z, optimize=True)
        across = amplitude - unit * (unit @ amplitude)
        power += weight * math.pi / orders * float(np.sum(np.abs(across) ** 2))
    field = k**2 / (4.0 * math.pi) * body.grid.voxel_size**3
    return 0.5 * SPEED_OF_LIGHT * VACUUM_PERMITTIVITY * field**2 * power


def power_balance_deviation() -> float:
    """Return |extinguished - absorbed - scattered| / extinguished power of a plane wave on an irregular body."""
    body = irregular_body(step=0.008, length=12)
    wave = plane_wave(body.grid, SPHERE, torch.complex128)
    found = solve_scattering(body, wave, EXACT)
    polarisation, electric = found.polarisation[0].numpy(), found.field.electric[0].numpy()
    cell = body.grid.voxel_size**3
    rate = math.pi * body.frequency * VACUUM_PERMITTIVITY
    extinguished = -rate * cell * float(np.sum(wave.electric[0].numpy().conj() * polarisation).imag)
    absorbed = -rate * cell * float(np.sum(body.edge_contrast().imag * np.abs(electric) ** 2))
    return abs(extinguished - absorbed - far_field_power(body, polarisation)) / extinguished


def _dense_difference(length: int, step: float) -> np.ndarray:
    return (np.eye(length, k=1) - np.eye(length)) / step


def dense_operator_deviation() -> float:
    """Return the relative difference between the FFT operator and matrices, on a box of 3 x 4 x 2 edges.

    The kernel of the matrices is integrated by adaptive quadrature and the differences are matrices on a larger box.
    """
    shape, step, k = (3, 4, 2), 0.006, 2.7
    lags = tuple(length + 1 for length in shape)
    table = np.empty(lags, dtype=complex)
    for index in np.ndindex(*lags):

        def integrand(root: float, index: tuple[int, ...] = index) -> float:
            return 4.0 * root * math.prod(float(ive(order, 4.0 * root**2)) for order in index)

        # t = 2 s^2, and beyond s = S the Bessel functions' expansion, of which two terms are kept
        last = 400.0
        static = (
            quad(integrand, 0.0, 4.0, epsabs=1e-14, limit=400)[0]
            + quad(integrand, 4.0, last, epsabs=1e-15, limit=400)[0]
        )
        total, end = sum(order**2 for order in index), 2.0 * last**2
        static += (2.0 / math.sqrt(end) - (4.0 * total - 3.0) / (24.0 * end**1.5)) / (4.0 * math.pi) ** 1.5
        distance = step * math.sqrt(total)
        wave = (np.exp(-1j * k * distance) - 1.0) / (4.0 * math.pi * distance) if total else -1j * k / (4.0 * math.pi)
        table[index] = (static / step + wave) * step**3
    big = tuple(length + 2 for length in shape)
    lag = [np.abs(np.arange(-1, length + 1)[:, None] - np.arange(length)) for length in shape]
    green = table[
        lag[0][:, None, None, :, None, None], lag[1][None, :, None, None, :, None], lag[2][None, None, :, None, None, :]
    ].reshape(math.prod(big), math.prod(shape))
    eye = [np.eye(length) for length in big]
    forward = []
    for axis in range(3):
        factors = [_dense_difference(big[a], step) if a == axis else eye[a] for a in range(3)]
        forward.append(np.kron(np.kron(factors[0], factors[1]), factors[2]))
    rng = np.random.default_rng(7)
    source = rng.normal(size=(3, *shape)) + 1j * rng.normal(size=(3, *shape))
    potential = [green @ source[component].ravel() for component in range(3)]
    divergence = -sum(forward[axis].T @ potential[axis] for axis in range(3))
    inner = (slice(1, -1),) * 3
    dense = np.stack([(k**2 * potential[a] + forward[a] @ divergence).reshape(big)[inner] for a in range(3)])
    lattice = LatticeOperator(shape, step, k, dtype=torch.complex128, device="cpu")
    fast = lattice.scattered_electric(torch.as_tensor(source)[None])[0].numpy()
    curl = [
        (forward[(a + 1) % 3] @ potential[(a + 2) % 3] - forward[(a + 2) % 3] @ potential[(a + 1) % 3]).reshape(big)
        for a in range(3)
    ]
    dense_flux = np.stack(curl)[(slice(None), *inner)] * (1j * k / SPEED_OF_LIGHT)
    flux = lattice.scattered_magnetic(torch.as_tensor(source)[None])[0].numpy()
    electric_error = np.linalg.norm(fast - dense) / np.linalg.norm(dense)
    return float(max(electric_error, np.linalg.norm(flux - dense_flux) / np.linalg.norm(dense_flux)))
