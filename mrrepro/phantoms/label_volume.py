"""A map of tissue labels, and what part of each voxel of another grid every tissue fills.

A target voxel is divided into ``oversampling``^3 points; each is carried into the source (through a deformation, if
there is one) and takes the label of the source voxel that holds it. The shares of the points are the tissue fractions,
the most frequent label is the majority; a tie goes to the lower label.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8, UInt16
from numba import njit

from mrrepro.phantoms.head_deformation import CONTROL_REACH, CONTROL_STEP, HeadDeformation
from mrrepro.phantoms.head_tissues import HEAD_TISSUES
from mrrepro.phantoms.yee_grid import YeeGrid
from mrrepro.validation import require_range

SOURCE_DETAIL = 0.001
"""Edge of the source's voxels [m] that the default oversampling resolves."""


@dataclass(frozen=True)
class LabelVolume:
    """Labels (indices into ``HEAD_TISSUES``) and where they lie.

    Parameters
    ----------
    labels : ndarray of uint8, (x, y, z)
    affine : ndarray, (4, 4)
        From a voxel's index to its centre [m].
    """

    labels: UInt8[np.ndarray, "x y z"]
    affine: Float[np.ndarray, "4 4"]

    def corners(self) -> Float[np.ndarray, "8 3"]:
        """Return the corners of the box that holds all tissue [m]."""
        found = [np.flatnonzero(self.labels.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
        low, high = ([index[end] for index in found] for end in (0, -1))
        ends = np.array([np.array(low) - 0.5, np.array(high) + 0.5])
        index = np.stack(np.meshgrid(*ends.T, indexing="ij"), axis=-1).reshape(8, 3)
        return index @ self.affine[:3, :3].T + self.affine[:3, 3]

    def slabs(
        self, grid: YeeGrid, oversampling: int, deformation: HeadDeformation | None = None
    ) -> Iterator[UInt16[np.ndarray, "y z tissue"]]:
        """Yield, for each x of ``grid``, how many of the ``oversampling``^3 points of each voxel lie in each tissue."""
        to_index = np.linalg.inv(self.affine)
        matrix, offset = to_index[:3, :3], to_index[:3, 3]
        displacement = np.zeros((3, 1, 1, 1), dtype=np.float32)
        if deformation is not None:
            matrix = matrix @ deformation.matrix
            displacement = deformation.displacement
        lattice = (np.array(grid.origin), grid.voxel_size, grid.shape[1], grid.shape[2], oversampling)
        control = (displacement, CONTROL_REACH, CONTROL_STEP)
        matrix, offset = np.ascontiguousarray(matrix), np.ascontiguousarray(offset + 0.5)
        for i in range(grid.shape[0]):
            yield _count(self.labels, matrix, offset, lattice, control, i, len(HEAD_TISSUES))


def default_oversampling(voxel_size: float) -> int:
    """Return the least odd number of points along a voxel's edge [m] that resolves voxels of ``SOURCE_DETAIL``.

    Odd, so that points fall inside the voxels of a source whose grid is aligned with the target and not onto the faces
    between them.

    Examples
    --------
    >>> default_oversampling(0.001), default_oversampling(0.004)
    (3, 5)
    """
    return max(3, 2 * (math.ceil(voxel_size / SOURCE_DETAIL - 1e-9) // 2) + 1)


def require_oversampling(oversampling: int) -> int:
    """Return the number of points along a voxel's edge: 1 to 32."""
    require_range("oversampling", oversampling, 1, 32, remedy="it counts points along a voxel's edge")
    return int(oversampling)


@njit(cache=True, error_model="numpy")
def _count(labels, matrix, offset, lattice, control, i, tissues):  # type: ignore[no-untyped-def]
    """Count the labels of the points of one slab of voxels; ``offset`` counts from the corner of source voxel 0."""
    origin, step, ny, nz, parts = lattice
    displacement, reach, spacing = control
    nx_source, ny_source, nz_source = labels.shape
    last = displacement.shape[1] - 1
    counts = np.zeros((ny, nz, tissues), np.uint16)
    for a in range(parts):
        x = origin[0] + (i + (a + 0.5) / parts) * step
        for j in range(ny):
            for b in range(parts):
                y = origin[1] + (j + (b + 0.5) / parts) * step
                for k in range(nz):
                    for c in range(parts):
                        z = origin[2] + (k + (c + 0.5) / parts) * step
                        px, py, pz = x, y, z
                        if last > 0:
                            fx = min(max((x + reach) / spacing, 0.0), last - 1e-6)
                            fy = min(max((y + reach) / spacing, 0.0), last - 1e-6)
                            fz = min(max((z + reach) / spacing, 0.0), last - 1e-6)
                            u, v, w = int(fx), int(fy), int(fz)
                            fx, fy, fz = fx - u, fy - v, fz - w
                            for p in range(2):
                                gx = fx if p else 1.0 - fx
                                for q in range(2):
                                    gxy = gx * (fy if q else 1.0 - fy)
                                    for r in range(2):
                                        weight = gxy * (fz if r else 1.0 - fz)
                                        px += weight * displacement[0, u + p, v + q, w + r]
                                        py += weight * displacement[1, u + p, v + q, w + r]
                                        pz += weight * displacement[2, u + p, v + q, w + r]
                        ix = math.floor(matrix[0, 0] * px + matrix[0, 1] * py + matrix[0, 2] * pz + offset[0])
                        iy = math.floor(matrix[1, 0] * px + matrix[1, 1] * py + matrix[1, 2] * pz + offset[1])
                        iz = math.floor(matrix[2, 0] * px + matrix[2, 1] * py + matrix[2, 2] * pz + offset[2])
                        label = 0
                        if 0 <= ix < nx_source and 0 <= iy < ny_source and 0 <= iz < nz_source:
                            label = labels[ix, iy, iz]
                        counts[j, k, label] += 1
    return counts
