"""Sources of the scalar-potential system, and the electric field of its solution.

An induced source comes from the line integrals of dA/dt along the grid's edges, never from nodal values: the
integrals of a gradient are then differences of nodal values, so a change of gauge changes the potential and not the
field, and the right-hand side sums to zero to rounding whatever the conductivity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int

from mrrepro.solvers import potential_kernels as kernels
from mrrepro.solvers.potential_system import PotentialSystem, conducting_components
from mrrepro.validation import require_finite, require_shape

VectorField = Callable[[Float64[np.ndarray, "points 3"]], Float64[np.ndarray, "points 3"]]
"""A vector field of world points: [m] in, components along the world's axes out."""

_GAUSS_NODES = (0.5 - 0.5 / np.sqrt(3.0), 0.5 + 0.5 / np.sqrt(3.0))


@dataclass(frozen=True)
class EdgeIntegrals:
    """Line integrals of dA/dt along the edges of a system's box [V].

    Parameters
    ----------
    x : Float64[ndarray, "m0 m1+1 m2+1"]
        Along the edges in +x.
    y : Float64[ndarray, "m0+1 m1 m2+1"]
        Along the edges in +y.
    z : Float64[ndarray, "m0+1 m1+1 m2"]
        Along the edges in +z.
    """

    x: Float64[np.ndarray, "m0 p1 p2"]
    y: Float64[np.ndarray, "p0 m1 p2"]
    z: Float64[np.ndarray, "p0 p1 m2"]

    def __add__(self, other: EdgeIntegrals) -> EdgeIntegrals:
        """Superpose two primary fields."""
        return EdgeIntegrals(self.x + other.x, self.y + other.y, self.z + other.z)

    def scaled(self, factor: float) -> EdgeIntegrals:
        """The primary field times a number."""
        return EdgeIntegrals(factor * self.x, factor * self.y, factor * self.z)


def grid_affine(shape: Sequence[int], voxel_size: float) -> Float64[np.ndarray, "4 4"]:
    """Affine from voxel index to metres that puts the middle of the grid at the origin."""
    affine = np.diag([voxel_size, voxel_size, voxel_size, 1.0])
    affine[:3, 3] = [-0.5 * (n - 1) * voxel_size for n in shape]
    return affine


def check_affine(affine: Float[np.ndarray, "4 4"], voxel_size: float) -> Float64[np.ndarray, "4 4"]:
    """Return the affine if it is a rotation or reflection times the voxel size; refuse shear and other scales."""
    affine = np.asarray(affine, dtype=np.float64)
    require_shape("affine", affine, (4, 4))
    require_finite("affine", affine)
    gram = affine[:3, :3].T @ affine[:3, :3] / voxel_size**2
    if not np.allclose(gram, np.eye(3), atol=1e-3):
        raise ValueError(
            f"affine must map voxels to metres with orthogonal axes of length voxel_size ({voxel_size:g} m), but its "
            f"axes have lengths {np.sqrt(np.diag(gram)) * voxel_size} m and largest cosine "
            f"{np.abs(gram - np.diag(np.diag(gram))).max():.3g}: resample the image to cubic voxels without shear."
        )
    return affine


def edge_line_integrals(
    system: PotentialSystem, rate_of_vector_potential: VectorField, affine: Float[np.ndarray, "4 4"] | None = None
) -> EdgeIntegrals:
    """Integrate dA/dt along every conducting edge of the box, by two-point Gauss quadrature; zero on the others.

    The error an edge is (h^5 / 4320) d4A/ds4: for a wire at 10 mm and h = 1 mm about 1e-8 of the value.

    Parameters
    ----------
    system : PotentialSystem
        The conductor.
    rate_of_vector_potential : callable
        dA/dt [V/m] at world points [m], shape (points, 3) in and out.
    affine : Float[ndarray, "4 4"], optional
        From voxel index (centre of voxel 0 at 0) to world [m]; by default the grid's middle is the origin.

    Returns
    -------
    EdgeIntegrals

    Raises
    ------
    ValueError
        If the affine has shear or another voxel size, or the field is not finite.
    """
    h = system.voxel_size
    affine = grid_affine(system.shape, h) if affine is None else check_affine(affine, h)
    level = system.levels[0]
    nodes = system.node_shape
    integrals = []
    for axis, conductance in enumerate((level.gx, level.gy, level.gz)):
        counts = tuple(n - (a == axis) for a, n in enumerate(nodes))
        conducting = conductance[tuple(slice(1, count + 1) for count in counts)] > 0.0
        out = np.zeros(counts)
        along = affine[:3, axis]
        for i in range(counts[0]):
            index = np.argwhere(conducting[i])
            if not len(index):
                continue
            # The lower end of each edge; node (0, 0, 0) is half a voxel below the centre of voxel (0, 0, 0).
            lower = np.column_stack([np.full(len(index), i), index]) + (np.asarray(system.start) - 0.5)
            ends = lower @ affine[:3, :3].T + affine[:3, 3]
            total = sum(rate_of_vector_potential(ends + node * along) @ along for node in _GAUSS_NODES)
            require_finite("rate_of_vector_potential", np.asarray(total), "keep the wires of the coil out of the head")
            out[i][conducting[i]] = 0.5 * total
        integrals.append(out)
    return EdgeIntegrals(*integrals)


def induced_source(system: PotentialSystem, integrals: EdgeIntegrals) -> Float64[np.ndarray, "p0 p1 p2"]:
    """Right-hand side -div(sigma dA/dt) as the current [A] that enters each node."""
    p0, p1, p2 = system.node_shape
    require_shape("integrals.x", integrals.x, (p0 - 1, p1, p2))
    require_shape("integrals.y", integrals.y, (p0, p1 - 1, p2))
    require_shape("integrals.z", integrals.z, (p0, p1, p2 - 1))
    level = system.levels[0]
    out = np.zeros(level.shape)
    kernels.divergence(integrals.x, integrals.y, integrals.z, level.gx, level.gy, level.gz, out)
    return np.ascontiguousarray(out[system.unpadded])


def electrode_source(
    system: PotentialSystem, nodes: Sequence[Int[np.ndarray, "count 3"]], currents: Sequence[float]
) -> Float64[np.ndarray, "p0 p1 p2"]:
    """Right-hand side of transcranial electric stimulation: each electrode feeds its nodes evenly.

    Parameters
    ----------
    system : PotentialSystem
        The conductor.
    nodes : sequence of Int[ndarray, "count 3"]
        For each electrode the node indices in the whole grid (node (i, j, k) is the lower corner of voxel (i, j, k)).
    currents : sequence of float
        Current [A] that each electrode feeds in; they sum to zero.

    Raises
    ------
    ValueError
        If an electrode lies in air, the currents do not balance, or the electrodes stand on separate conductors.
    """
    if len(nodes) != len(currents) or not nodes:
        raise ValueError(f"currents must name one current for each electrode, but there are {len(currents)} "
                         f"for {len(nodes)} electrodes.")  # fmt: skip
    require_finite("currents", np.asarray(currents, dtype=np.float64))
    total, largest = float(np.sum(currents)), float(np.max(np.abs(currents)))
    if abs(total) > 1e-9 * largest:
        raise ValueError(f"currents must sum to zero, but sum to {total:g} A: give the return electrode its current.")
    components, count = conducting_components(system)
    source = np.zeros(system.node_shape)
    balance = np.zeros(count + 1)
    for number, (where, current) in enumerate(zip(nodes, currents, strict=True)):
        local = np.asarray(where) - np.asarray(system.start)
        inside = len(local) > 0 and bool((local >= 0).all() and (local < np.asarray(system.node_shape)).all())
        index = tuple(local.T)
        if not inside or not bool((components[index] > 0).all()):
            raise ValueError(f"electrode {number} must touch the conductor with every node, but some of its "
                             f"{len(local)} nodes lie in air: choose nodes on the scalp.")  # fmt: skip
        np.add.at(source, index, current / len(local))
        np.add.at(balance, components[index], current / len(local))
    if np.abs(balance).max() > 1e-9 * largest:
        raise ValueError("electrodes must stand on one connected conductor, but current would have to cross air: "
                         "remove islands from the head or move an electrode.")  # fmt: skip
    return source


def electric_field(
    system: PotentialSystem,
    potential: Float64[np.ndarray, "p0 p1 p2"],
    integrals: EdgeIntegrals | None = None,
) -> Float32[np.ndarray, "n0 n1 n2 3"]:
    """Electric field E = -grad psi - dA/dt [V/m] in each voxel: the mean of its four edges an axis.

    Components run along the grid's axes (see `to_world`). Voxels of air get zero.
    """
    require_shape("potential", potential, system.node_shape)
    field = np.zeros((*system.shape, 3), np.float32)
    inside = field[system.box]
    h = system.voxel_size
    for axis in range(3):
        drop = np.diff(potential, axis=axis)
        if integrals is not None:
            drop += (integrals.x, integrals.y, integrals.z)[axis]
        for other in range(3):
            if other != axis:
                drop = 0.5 * (np.take(drop, range(drop.shape[other] - 1), axis=other) + _tail(drop, other))
        inside[..., axis] = -drop / h
    inside[system.conductivity == 0.0] = 0.0
    return field


def to_world(
    field: Float32[np.ndarray, "n0 n1 n2 3"], affine: Float[np.ndarray, "4 4"]
) -> Float32[np.ndarray, "n0 n1 n2 3"]:
    """Turn grid components into world components."""
    axes = np.asarray(affine, dtype=np.float64)[:3, :3]
    return field @ (axes / np.linalg.norm(axes, axis=0)).T.astype(np.float32)


def _tail(array: Float64[np.ndarray, "a b c"], axis: int) -> Float64[np.ndarray, "a b c"]:
    """All but the first entry along an axis."""
    return array[tuple(slice(1, None) if a == axis else slice(None) for a in range(3))]
