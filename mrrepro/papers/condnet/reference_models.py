"""Objects on which the solver is checked and timed: spheres with closed forms, and a head-like conductor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int
from scipy import ndimage

from mrrepro.simulators.tms_coil import FigureEight, PlacedCoil, place_coil
from mrrepro.solvers.potential_system import PotentialSystem, conducting_components
from mrrepro.solvers.sphere_fields import SurfaceElectrode, magnetic_dipoles_field

Volume = Float32[np.ndarray, "n n n"]


@dataclass(frozen=True)
class LayeredSphere:
    """Concentric layers of a head-like sphere; every value is our choice, the conductivities follow Table I (A).

    Parameters
    ----------
    radii : tuple of float
        Outer radii [m], from the innermost out: brain, CSF, skull, scalp.
    conductivities : tuple of float
        Theirs [S/m].
    """

    radii: tuple[float, ...] = (78e-3, 80e-3, 86e-3, 92e-3)
    conductivities: tuple[float, ...] = (0.10, 2.0, 0.02, 0.10)

    def distances(self, voxel_size: float) -> Float64[np.ndarray, "n n n"]:
        """Distance of each voxel from the centre [m] on the smallest even grid that holds the sphere."""
        half = int(np.ceil(self.radii[-1] / voxel_size)) + 1
        axis = (np.arange(2 * half) - half + 0.5) * voxel_size
        return np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)

    def binary(self, voxel_size: float) -> Volume:
        """Each voxel takes the layer of its centre."""
        distance = self.distances(voxel_size)
        layer = np.searchsorted(self.radii, distance)
        return np.append(self.conductivities, 0.0)[layer].astype(np.float32)

    def partial_volume(self, voxel_size: float) -> Volume:
        """Arithmetic mean over each voxel; an interface cuts it as a plane at right angles to the radius would."""
        distance = self.distances(voxel_size)
        inside = [np.clip((radius - distance) / voxel_size + 0.5, 0.0, 1.0) for radius in self.radii]
        shares = np.diff(np.stack([np.zeros_like(distance), *inside]), axis=0)
        return np.tensordot(self.conductivities, shares, axes=1).astype(np.float32)

    def gaussian(self, voxel_size: float, width: float = 1e-3) -> Volume:
        """The binary map convolved with a Gaussian of this standard deviation [m], within the binary outline."""
        binary = self.binary(voxel_size)
        blurred = ndimage.gaussian_filter(binary, width / voxel_size)
        return np.where(binary > 0.0, blurred, 0.0).astype(np.float32)

    def homogeneous(self) -> LayeredSphere:
        """The same outline with the outermost conductivity throughout."""
        return LayeredSphere((self.radii[-1],), (self.conductivities[-1],))


def coil_above_sphere(sphere: LayeredSphere, distance: float = 10e-3) -> PlacedCoil:
    """The paper's figure of eight, tangential above the top of a sphere."""
    return place_coil(FigureEight(), np.array([0.0, 0.0, sphere.radii[-1]]), np.array([0.0, 0.0, 1.0]), distance)


def coil_field_in_sphere(
    points: Float64[np.ndarray, "points 3"], placed: PlacedCoil, rate_of_change: float = 1.0
) -> Float64[np.ndarray, "points 3"]:
    """Closed form of the coil's field [V/m] in a concentric sphere, as the sum over its sheet of dipoles."""
    positions, moments = placed.dipole_sheet()
    return magnetic_dipoles_field(points, positions, rate_of_change * moments)


def sample_voxels(
    distance: Float64[np.ndarray, "n n n"], radius: float, voxel_size: float, count: int, seed: int = 0
) -> tuple[tuple[np.ndarray[Any, np.dtype[np.int64]], ...], Float64[np.ndarray, "count 3"]]:
    """Random voxels within a radius: their indices and their centres [m]."""
    inside = np.flatnonzero(distance.ravel() < radius)
    chosen = np.random.default_rng(seed).choice(inside, min(count, inside.size), replace=False)
    index = np.unravel_index(np.sort(chosen), distance.shape)
    return index, (np.stack(index, axis=1) - 0.5 * (distance.shape[0] - 1)) * voxel_size


def electrode_nodes(
    system: PotentialSystem, electrode: SurfaceElectrode, radius: float, rays: int = 20_000
) -> Int[np.ndarray, "rays 3"]:
    """Outermost conducting node below each of many evenly spread rays through an electrode's cap.

    A node that lies below several rays is listed as often: each electrode then feeds its nodes in proportion to
    the area they stand for.
    """
    step = np.arange(rays) + 0.5
    cosine = 1.0 - (1.0 - np.cos(electrode.half_angle)) * step / rays
    sine, turn = np.sqrt(1.0 - cosine**2), np.pi * (1.0 + np.sqrt(5.0)) * step
    axis = electrode.unit()
    first = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    first /= np.linalg.norm(first)
    directions = (
        np.outer(sine * np.cos(turn), first)
        + np.outer(sine * np.sin(turn), np.cross(axis, first))
        + np.outer(cosine, axis)
    )
    components, _ = conducting_components(system)
    h = system.voxel_size
    found = np.zeros((rays, 3), np.int64)
    missing = np.ones(rays, bool)
    for height in np.arange(radius + h, radius - 4.0 * h, -0.25 * h):
        index = np.rint(directions * height / h + 0.5 * np.asarray(system.shape)).astype(np.int64) - system.start
        hit = ((index >= 0) & (index < components.shape)).all(axis=1) & missing
        hit[hit] = components[tuple(index[hit].T)] > 0
        found[hit] = index[hit] + system.start
        missing &= ~hit
    if missing.any():
        raise ValueError(
            f"electrode must lie on the sphere, but {int(missing.sum())} of {rays} rays meet no conductor."
        )
    return found


def head_like(voxels: int) -> tuple[Volume, float]:
    """A folded, layered, asymmetric conductor with air cavities in a cube of 256 mm, and its voxel size [m].

    Scalp, cortical bone, CSF, grey and white matter with sulci, ventricles, eyes and sinuses, with the conductivities
    of Table I (A). It is a stand-in of fixed shape for timing at any resolution, no anatomy.
    """
    size = 0.256 / voxels
    axis = (np.arange(voxels) - 0.5 * (voxels - 1)) * size * 1e3
    x, y, z = axis[:, None, None], axis[None, :, None], axis[None, None, :]
    radius = np.sqrt((x / 0.95) ** 2 + (y / 1.10) ** 2 + (z / 1.0) ** 2).astype(np.float32)
    radius *= 1.0 + 0.02 * np.sin(x / 25.0) * np.cos(y / 30.0) + 0.02 * np.cos(z / 28.0)
    folds = (np.sin(x / 3.2 + 0.4 * np.sin(z / 9.0)) + np.sin(y / 3.6) + np.sin(z / 3.4)).astype(np.float32)
    out = np.zeros((voxels,) * 3, np.float32)
    out[radius < 95.0] = 0.10
    out[radius < 90.0] = 0.34
    out[radius < 86.0] = 0.02
    out[(radius < 83.0) & (np.abs(folds) < 0.4)] = 0.08
    out[radius < 80.0] = 2.0
    out[radius < 77.0 + 1.5 * folds - 2.0 * (folds > 1.2)] = 0.10
    out[radius < 70.0 + 4.0 * folds] = 0.07
    ventricle = ((np.abs(x) - 9.0) / 5.0) ** 2 + (y / 26.0) ** 2 + ((z - 4.0) / 9.0) ** 2 < 1.0
    out[ventricle] = 2.0
    eyes = (np.abs(x) - 30.0) ** 2 + (y - 88.0) ** 2 + (z + 18.0) ** 2 < 12.0**2
    out[eyes & (out > 0.0)] = 1.5
    sinuses = (x / 14.0) ** 2 + ((y - 84.0) / 9.0) ** 2 + ((z + 34.0) / 18.0) ** 2 < 1.0
    out[sinuses] = 0.0
    return out, size


def relative_error(
    found: Float64[np.ndarray, "*shape"] | Sequence[float], reference: Float64[np.ndarray, "*shape"]
) -> float:
    """||found - reference||_2 / ||reference||_2."""
    return float(np.linalg.norm(np.asarray(found) - reference) / np.linalg.norm(reference))
