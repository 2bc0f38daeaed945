"""The conductor of a scalar-potential problem: grid, edge conductances and the coarser grids of its multigrid cycle.

Scalar-potential finite differences place the potential on voxel corners. An edge of the grid conducts with
g = h mean(conductivity of the four voxels round it), and Kirchhoff's law at each node gives

    sum over edges of g (psi_n - psi_m) = (current that enters from outside) [A].

The system is singular once for each connected conductor and compatible when the current that enters each is zero. Air
has conductivity zero and no unknown: it needs neither a floor nor a pinned node.

Coarser grids average the conductivity over 2 x 2 x 2 voxels (arithmetic mean) and use the same formula with twice the
voxel size. An air gap narrower than a coarse voxel therefore conducts there; many of them slow the cycle down, and the
result record then says so.

Source: Dawson and Stuchly, Appl. Comput. Electromagn. Soc. J. 11(3), 72-81, 1996 (the finite differences); Laakso and
Hirata, Phys. Med. Biol. 57, 7753-7765, 2012 (multigrid for them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int32
from scipy import ndimage

from mrrepro.solvers.potential_kernels import edge_conductances, row_ranges
from mrrepro.validation import require_finite, require_range, require_shape

COARSEST_VOXELS = 8
"""Coarsening stops when no axis has more voxels than this; the rest is solved with a dense pseudo-inverse."""

Volume = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Level:
    """One grid of the hierarchy; arrays have a ghost layer on each side (see ``potential_kernels``).

    Parameters
    ----------
    gx, gy, gz : Float32[ndarray, "n0+3 n1+3 n2+3"]
        Conductances of the edges that leave each node in +x, +y, +z [S].
    first, last : Int32[ndarray, "n0+3 n1+3"]
        Half-open range of conducting nodes in each row.
    active : int
        Number of conducting nodes.
    """

    gx: Float32[np.ndarray, "n0 n1 n2"]
    gy: Float32[np.ndarray, "n0 n1 n2"]
    gz: Float32[np.ndarray, "n0 n1 n2"]
    first: Int32[np.ndarray, "n0 n1"]
    last: Int32[np.ndarray, "n0 n1"]
    active: int

    @property
    def edges(self) -> tuple[Volume, Volume, Volume, Volume, Volume]:
        """The arguments that every kernel takes: three conductances and the row ranges."""
        return self.gx, self.gy, self.gz, self.first, self.last

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of this level's node arrays, ghosts included."""
        return self.gx.shape


@dataclass(frozen=True)
class PotentialSystem:
    """A conductor on a regular grid, ready for any number of sources.

    Parameters
    ----------
    shape : tuple of int
        Voxels of the whole grid.
    start, stop : tuple of int
        The box of voxels that holds every conducting one; the solver works inside it.
    voxel_size : float
        Edge length of a voxel [m].
    conductivity : Float32[ndarray, "m0 m1 m2"]
        Conductivity in the box [S/m].
    levels : tuple of Level
        From the finest to the coarsest grid.
    coarsest_nodes : Int64[ndarray, "active"]
        Flat indices of the conducting nodes of the coarsest grid.
    coarsest_inverse : Float32[ndarray, "active active"]
        Pseudo-inverse of the coarsest operator on these nodes [1/S].
    """

    shape: tuple[int, int, int]
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    voxel_size: float
    conductivity: Float32[np.ndarray, "m0 m1 m2"]
    levels: tuple[Level, ...]
    coarsest_nodes: np.ndarray[Any, np.dtype[np.int64]]
    coarsest_inverse: Float32[np.ndarray, "active active"]

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The box as slices into the whole grid."""
        first, second, third = (slice(low, high) for low, high in zip(self.start, self.stop, strict=True))
        return first, second, third

    @property
    def node_shape(self) -> tuple[int, int, int]:
        """Nodes of the box an axis."""
        m0, m1, m2 = self.conductivity.shape
        return m0 + 1, m1 + 1, m2 + 1

    @property
    def unpadded(self) -> tuple[slice, slice, slice]:
        """Slices that take the box's nodes out of a finest-level array with ghosts."""
        first, second, third = (slice(1, count + 1) for count in self.node_shape)
        return first, second, third


def build_system(conductivity: Float[np.ndarray, "n0 n1 n2"], voxel_size: float) -> PotentialSystem:
    """Assemble the conductor and its coarser grids.

    Parameters
    ----------
    conductivity : Float[ndarray, "n0 n1 n2"]
        Conductivity [S/m] of each voxel, zero in air; finite, not negative and not everywhere zero.
    voxel_size : float
        Edge length of the cubic voxels [m].

    Returns
    -------
    PotentialSystem

    Raises
    ------
    ValueError
        For a wrong number of axes, values that are negative or not finite, or a volume of air alone.
    """
    conductivity = np.asarray(conductivity)
    require_shape("conductivity", conductivity, (None, None, None), "give one three-dimensional volume")
    require_finite("conductivity", conductivity)
    require_range("voxel_size", voxel_size, low=0.0, low_open=True, unit="m", remedy="give the edge length in metres")
    if float(conductivity.min()) < 0.0:
        raise ValueError(
            f"conductivity must not be negative, but its smallest value is {float(conductivity.min()):g} S/m: "
            "set air to 0 and check the label table or the network's output."
        )
    start, stop = _conducting_box(conductivity)
    box = tuple(slice(low, high) for low, high in zip(start, stop, strict=True))
    kept = np.ascontiguousarray(conductivity[box], dtype=np.float32)
    levels = _hierarchy(kept, voxel_size)
    nodes, inverse = _coarsest_inverse(levels[-1])
    n0, n1, n2 = conductivity.shape
    return PotentialSystem((n0, n1, n2), start, stop, float(voxel_size), kept, levels, nodes, inverse)


def conducting_components(system: PotentialSystem) -> tuple[Int32[np.ndarray, "p0 p1 p2"], int]:
    """Label the connected conductors by node: 0 in air, 1 to the returned number in conductors.

    Voxels that share only a corner share a node, so the neighbourhood is the 26 surrounding voxels.
    """
    labels, count = ndimage.label(system.conductivity > 0.0, structure=np.ones((3, 3, 3), bool))
    nodes = np.zeros(system.node_shape, np.int32)
    for shift in np.ndindex(2, 2, 2):
        corner = nodes[tuple(slice(s, s + m) for s, m in zip(shift, labels.shape, strict=True))]
        np.maximum(corner, labels, out=corner)
    return nodes, int(count)


def _conducting_box(conductivity: Volume) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Smallest box of voxels that holds every conducting one."""
    conducting = conductivity > 0.0
    low, high = [], []
    for axis in range(3):
        along = np.flatnonzero(conducting.any(axis=tuple(other for other in range(3) if other != axis)))
        if along.size == 0:
            raise ValueError(
                "conductivity must be positive somewhere, but all of the volume is air (0 S/m): "
                "check units, labels and the mask."
            )
        low.append(int(along[0]))
        high.append(int(along[-1]) + 1)
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def _hierarchy(conductivity: Float32[np.ndarray, "m0 m1 m2"], voxel_size: float) -> tuple[Level, ...]:
    """All levels, from the given voxels to at most ``COARSEST_VOXELS`` an axis."""
    halvings = 0
    while max(-(-m // 2**halvings) for m in conductivity.shape) > COARSEST_VOXELS:
        halvings += 1
    block = 2**halvings
    padded = tuple(-(-m // block) * block for m in conductivity.shape)
    current = np.zeros(tuple(n + 2 for n in padded), np.float32)
    m0, m1, m2 = conductivity.shape
    current[1 : m0 + 1, 1 : m1 + 1, 1 : m2 + 1] = conductivity
    levels = [_level(current, voxel_size)]
    for step in range(1, halvings + 1):
        n0, n1, n2 = (n // 2**step for n in padded)
        blocks = current[1:-1, 1:-1, 1:-1].reshape(n0, 2, n1, 2, n2, 2)
        current = np.zeros((n0 + 2, n1 + 2, n2 + 2), np.float32)
        current[1:-1, 1:-1, 1:-1] = blocks.mean(axis=(1, 3, 5), dtype=np.float32)
        levels.append(_level(current, voxel_size * 2**step))
    return tuple(levels)


def _level(conductivity: Float32[np.ndarray, "n0 n1 n2"], voxel_size: float) -> Level:
    """Conductances and row ranges of one grid."""
    shape = tuple(n + 1 for n in conductivity.shape)
    gx, gy, gz = (np.zeros(shape, np.float32) for _ in range(3))
    edge_conductances(conductivity, voxel_size, gx, gy, gz)
    first, last = np.zeros(shape[:2], np.int32), np.zeros(shape[:2], np.int32)
    active = row_ranges(gx, gy, gz, first, last)
    return Level(gx, gy, gz, first, last, int(active))


def _coarsest_inverse(level: Level) -> tuple[np.ndarray[Any, np.dtype[np.int64]], Float32[np.ndarray, "active active"]]:
    """Pseudo-inverse of a small level's operator on its conducting nodes."""
    size = int(np.prod(level.shape))
    matrix = np.zeros((size, size))
    index = np.arange(size).reshape(level.shape)
    for axis, g in enumerate((level.gx, level.gy, level.gz)):
        edges = np.flatnonzero(g)
        here, there = index.ravel()[edges], index.ravel()[edges] + index.strides[axis] // index.itemsize
        weight = g.ravel()[edges].astype(np.float64)
        np.add.at(matrix, (here, here), weight)
        np.add.at(matrix, (there, there), weight)
        np.add.at(matrix, (here, there), -weight)
        np.add.at(matrix, (there, here), -weight)
    nodes = np.flatnonzero(np.diagonal(matrix))
    inverse = np.linalg.pinv(matrix[np.ix_(nodes, nodes)], rcond=1e-10, hermitian=True)
    return nodes, inverse.astype(np.float32)
