"""Kernels of the Laplacian for noisy images: four constructors, any odd size, anisotropic voxels.

All are exact for quadratics and of second order in the voxel size; they differ in how much noise they average and how
far they reach. `axis_noise_robust` averages along lines alone, `smoothed_noise_robust` across as well,
`savitzky_golay_ellipsoid` and `savitzky_golay_cuboid` fit a quadratic by least squares.

References
----------
A. L. H. M. W. van Lier et al., Magn. Reson. Med. 67, 552 (2012), for the 7 x 7 x 5 kernel; P. Holoborodko, Noise robust
second derivative (2009); A. Savitzky, M. J. E. Golay, Anal. Chem. 36, 1627 (1964).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mrrepro.validation import require_range

DEFAULT_SIZE = (7, 7, 5)
"""Voxels along x, y, z: the paper's kernel."""


@dataclass(frozen=True)
class LaplacianKernel:
    """Weights of a Laplacian as a correlation.

    Parameters
    ----------
    name : str
    weights : ndarray, shape of the kernel
        [1/m^2]; zero outside the support.
    voxel_size : tuple of 3 float
        [m].
    """

    name: str
    weights: Float[np.ndarray, "kx ky kz"]
    voxel_size: tuple[float, float, float]

    @property
    def support(self) -> Bool[np.ndarray, "kx ky kz"]:
        """Return the voxels that the kernel reads."""
        return self.weights != 0.0


def require_kernel_size(size: Sequence[int], voxel_size: Sequence[float]) -> tuple[float, float, float]:
    """Return the voxel's edges [m]; raise ``ValueError`` for an even size or a wrong unit."""
    if len(size) != 3 or any(length % 2 == 0 or length < 3 for length in size):
        raise ValueError(f"size must be three odd numbers of voxels of at least 3, but is {tuple(size)}.")
    if len(voxel_size) != 3:
        raise ValueError(f"voxel_size must be three lengths along x, y and z, but is {voxel_size}: give metres.")
    for edge in voxel_size:
        require_range("voxel_size", edge, 1e-5, 0.1, unit="m", remedy="give metres, 2 mm being 0.002")
    x, y, z = (float(edge) for edge in voxel_size)
    return x, y, z


def _outer(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return x[:, None, None] * y[None, :, None] * z[None, None, :]


def _binomial(length: int) -> np.ndarray:
    return np.array([math.comb(length - 1, i) for i in range(length)]) / 2.0 ** (length - 1)


def _noise_robust_second(length: int) -> np.ndarray:
    """Return Holoborodko's noise-robust second difference: [1, -2, 1] smoothed with a binomial."""
    return np.convolve([1.0, -2.0, 1.0], _binomial(length - 2))


def axis_noise_robust(voxel_size: Sequence[float], size: Sequence[int] = DEFAULT_SIZE) -> LaplacianKernel:
    """Return the sum of noise-robust second differences along the three axes alone (a cross).

    The least smoothing of the four: the noise along one line only is averaged.
    """
    edges = require_kernel_size(size, voxel_size)
    weights = np.zeros(tuple(size))
    for axis, (length, edge) in enumerate(zip(size, edges, strict=True)):
        line = [np.eye(1, other, other // 2)[0] for other in size]
        line[axis] = _noise_robust_second(length) / edge**2
        weights += _outer(*line)
    return LaplacianKernel("axis_noise_robust", weights, edges)


def smoothed_noise_robust(voxel_size: Sequence[float], size: Sequence[int] = DEFAULT_SIZE) -> LaplacianKernel:
    """Return the noise-robust second differences, each smoothed across with binomials of the kernel's size."""
    edges = require_kernel_size(size, voxel_size)
    weights = np.zeros(tuple(size))
    for axis, (length, edge) in enumerate(zip(size, edges, strict=True)):
        lines = [_binomial(other) for other in size]
        lines[axis] = _noise_robust_second(length) / edge**2
        weights += _outer(*lines)
    return LaplacianKernel("smoothed_noise_robust", weights, edges)


def kernel_offsets(size: Sequence[int]) -> list[np.ndarray]:
    """Return the index offsets from the middle of a kernel along x, y and z."""
    return list(np.meshgrid(*(np.arange(length) - length // 2 for length in size), indexing="ij"))


def _cuboid(size: Sequence[int]) -> Bool[np.ndarray, "kx ky kz"]:
    return np.ones(tuple(size), dtype=bool)


def _ellipsoid(size: Sequence[int]) -> Bool[np.ndarray, "kx ky kz"]:
    radii = [length // 2 for length in size]
    level = np.sum([(axis / radius) ** 2 for axis, radius in zip(kernel_offsets(size), radii, strict=True)], axis=0)
    return np.asarray(level <= 1.0 + 1e-12)


MONOMIALS = tuple(
    powers for powers in sorted(itertools.product(range(3), repeat=3), key=lambda p: (sum(p), p)) if sum(powers) <= 2
)
"""Exponents of the ten monomials of a quadratic in x, y, z."""


def laplacians_of_monomials(edges: Sequence[float]) -> Float[np.ndarray, " monomials"]:
    """Return the Laplacian of each monomial at the origin, in index coordinates."""
    return np.array(
        [sum(2.0 / edge**2 for p, edge in zip(powers, edges, strict=True) if p == 2) for powers in MONOMIALS]
    )


def _savitzky_golay(name: str, support: np.ndarray, edges: tuple[float, float, float]) -> LaplacianKernel:
    offsets = [axis[support].astype(float) for axis in kernel_offsets(support.shape)]
    columns = [math.prod(axis**p for axis, p in zip(offsets, powers, strict=True)) for powers in MONOMIALS]
    design = np.stack([np.broadcast_to(column, offsets[0].shape) for column in columns], axis=1)
    weights = np.zeros(support.shape)
    weights[support] = laplacians_of_monomials(edges) @ np.linalg.pinv(design)
    return LaplacianKernel(name, weights, edges)


def savitzky_golay_ellipsoid(voxel_size: Sequence[float], size: Sequence[int] = DEFAULT_SIZE) -> LaplacianKernel:
    """Return the Laplacian of the quadratic fitted to the voxels of an ellipsoid by least squares."""
    return _savitzky_golay("savitzky_golay_ellipsoid", _ellipsoid(size), require_kernel_size(size, voxel_size))


def savitzky_golay_cuboid(voxel_size: Sequence[float], size: Sequence[int] = DEFAULT_SIZE) -> LaplacianKernel:
    """Return the Laplacian of the quadratic fitted to the voxels of a cuboid by least squares."""
    return _savitzky_golay("savitzky_golay_cuboid", _cuboid(size), require_kernel_size(size, voxel_size))
