"""A sphere with an inner sphere off its centre between two electrodes: the case with a closed form in which both the
conductivity and the way in which voxels represent a curved boundary matter.

A sphere under a coil tests neither: its field does not depend on a concentric conductivity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy import ndimage

from mrrepro.papers.condnet.reference_models import LayeredSphere, electrode_nodes, relative_error, sample_voxels
from mrrepro.solvers import sphere_fields
from mrrepro.solvers.potential_multigrid import Tolerances, solve_potential
from mrrepro.solvers.potential_sources import electric_field, electrode_source
from mrrepro.solvers.potential_system import build_system
from mrrepro.solvers.sphere_fields import EccentricSphere, SurfaceElectrode

MODEL = EccentricSphere(92e-3, 40e-3, 30e-3, 0.1, 2.0)
"""A ball of CSF in a ball of grey matter, 20 to 1 in conductivity."""

POLAR = (SurfaceElectrode((0.0, 0.0, 1.0), 1e-3, 0.15), SurfaceElectrode((0.0, 0.0, -1.0), -1e-3, 0.15))
_SUBDIVISION = 4

Array = np.ndarray[Any, Any]
Boundary = Callable[[Array, float], Array]
"""From the depth of each voxel's centre inside the inner sphere and the voxel size [m] to the conductivity [S/m]."""


def binary(depth: Array, voxel_size: float) -> Array:
    """Each voxel takes the conductivity at its centre."""
    return np.where(depth > 0.0, MODEL.inner_conductivity, MODEL.conductivity)


def arithmetic(depth: Array, voxel_size: float) -> Array:
    """Mean over the voxel: right for a current along the boundary."""
    share = _share(depth, voxel_size)
    return share * MODEL.inner_conductivity + (1.0 - share) * MODEL.conductivity


def harmonic(depth: Array, voxel_size: float) -> Array:
    """Inverse of the mean resistivity over the voxel: right for a current across the boundary."""
    share = _share(depth, voxel_size)
    return 1.0 / (share / MODEL.inner_conductivity + (1.0 - share) / MODEL.conductivity)


def blurred(depth: Array, voxel_size: float) -> Array:
    """The binary map convolved with a Gaussian whose standard deviation is one voxel."""
    return ndimage.gaussian_filter(binary(depth, voxel_size), 1.0)


BOUNDARIES: dict[str, Boundary] = {
    "binary": binary,
    "arithmetic mean": arithmetic,
    "harmonic mean": harmonic,
    "Gaussian, one voxel": blurred,
}
"""Ways to represent the boundary."""


@dataclass(frozen=True)
class EccentricErrors:
    """Relative errors of the field.

    Parameters
    ----------
    uncut : float
        Over voxels that the inner surface cannot cut (centre further from it than half a voxel's diagonal).
    all_at_centres : float
        Over all voxels, against the exact field at their centres, which has two values in a voxel that is cut.
    all_means : float
        Over all voxels, against the exact field's mean over each voxel that may be cut: what a voxel can hold.
    """

    uncut: float
    all_at_centres: float
    all_means: float


def eccentric_errors(boundary: Boundary = binary, voxel_size: float = 1e-3, samples: int = 2000) -> EccentricErrors:
    """Field at random voxels (radius below 78 mm) against the translated series.

    Parameters
    ----------
    boundary : Boundary
        How the voxels at the inner surface are given a conductivity.
    voxel_size : float
        [m].
    samples : int
        Voxels that are compared.
    """
    outer = LayeredSphere((MODEL.radius,), (MODEL.conductivity,))
    distance = outer.distances(voxel_size)
    axis = (np.arange(len(distance)) - 0.5 * (len(distance) - 1)) * voxel_size
    depth = MODEL.inner_radius - np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + (axis - MODEL.offset) ** 2)
    conductivity = np.where(distance < MODEL.radius, boundary(depth, voxel_size), 0.0).astype(np.float32)
    system = build_system(conductivity, voxel_size)
    nodes = [electrode_nodes(system, electrode, MODEL.radius) for electrode in POLAR]
    source = electrode_source(system, nodes, [electrode.current for electrode in POLAR])
    result = solve_potential(system, [source], Tolerances(1e-8))[0]
    index, points = sample_voxels(distance, 78e-3, voxel_size, samples)
    found = electric_field(system, result.potential)[index].astype(np.float64)
    exact = sphere_fields.eccentric_sphere_field(points, MODEL, POLAR)
    cut = np.abs(depth[index]) <= 0.5 * np.sqrt(3.0) * voxel_size
    means = exact.copy()
    if cut.any():
        means[cut] = _voxel_means(points[cut], voxel_size)
    return EccentricErrors(
        relative_error(found[~cut], exact[~cut]), relative_error(found, exact), relative_error(found, means)
    )


def _share(depth: Array, voxel_size: float) -> Array:
    """Part of each voxel inside, the surface taken as a plane at right angles to the radius."""
    return np.clip(depth / voxel_size + 0.5, 0.0, 1.0)


def _voxel_means(points: Float64[np.ndarray, "points 3"], voxel_size: float) -> Float64[np.ndarray, "points 3"]:
    """Mean of the exact field over a regular 4 x 4 x 4 subdivision of each voxel."""
    steps = (np.arange(_SUBDIVISION) - 0.5 * (_SUBDIVISION - 1)) / _SUBDIVISION * voxel_size
    shifts = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    total = sum(sphere_fields.eccentric_sphere_field(points + shift, MODEL, POLAR) for shift in shifts)
    return np.asarray(total) / len(shifts)
