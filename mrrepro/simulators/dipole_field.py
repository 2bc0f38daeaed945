"""Field of a magnetised distribution in one slice, from the exact Green's function of a cuboid.

A medium that is uniformly magnetised along z in every voxel produces, at the nuclei,

    B_z(r) = mu_0 sum_r' (delta_rr' / 3 - N_zz(r - r')) M_z(r'),

where N_zz is the demagnetising factor of a voxel, known in closed form, and delta/3 is what
remains of the magnetisation after the correction for the Lorentz sphere. The kernel vanishes at
the voxel's own centre, so a uniform magnetisation changes nothing there.

Only the slice y = 0 is needed by a sequence that images this slice. The sum over the slabs
y' is compressed: in the Fourier domain over (x, z) the kernel decays like exp(-|k| |y'|), so a
few functions of y' (the leading singular vectors of the kernel) carry all slabs. A volume is
thus reduced to ``rank`` weighted projections along y, each convolved by a zero-padded 2D FFT.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from mrrepro.validation import require_finite, require_range

KERNEL_TOLERANCE = 1e-4
"""Default bound on the neglected part of the kernel, relative to its largest singular value."""


def cuboid_demagnetising_factor(
    x: Float[np.ndarray, x],  # noqa: F821
    y: Float[np.ndarray, y],  # noqa: F821
    z: Float[np.ndarray, z],  # noqa: F821
    voxel: float,
) -> Float[np.ndarray, "x y z"]:
    """Demagnetising factor N_zz of a cube at evenly spaced points around it.

    N_zz = 1/(4 pi) sum over the eight corners of (+-1) arctan(X Y / (Z R)), with (X, Y, Z) the
    vector from a corner to the point and R its length (Newell, Williams and Dunlop, J Geophys
    Res 98, 1993, in the form for a point of observation).

    Parameters
    ----------
    x, y, z : array
        Coordinates relative to the cube's centre [m], each evenly spaced by ``voxel``.
    voxel : float
        Edge of the cube [m].

    Returns
    -------
    array
        N_zz, 1/3 at the centre; its trace with the two other axes is 1 inside and 0 outside.
    """

    def edges(values: Float[np.ndarray, n]) -> Float[np.ndarray, m]:  # noqa: F821
        return np.append(values - voxel / 2, values[-1] + voxel / 2)

    corner_x, corner_y, corner_z = np.meshgrid(edges(x), edges(y), edges(z), indexing="ij", sparse=True)
    distance = np.sqrt(corner_x**2 + corner_y**2 + corner_z**2)
    angle = np.arctan(corner_x * corner_y / (corner_z * distance))
    return np.diff(np.diff(np.diff(angle, axis=0), axis=1), axis=2) / (4 * np.pi)


@dataclass(frozen=True)
class SliceKernel:
    """The compressed kernel of one grid.

    Attributes
    ----------
    size : int
        Pixels along x and z.
    half_depth : int
        Slabs on either side of the slice: y' = -half_depth ... half_depth voxels.
    voxel : float
        Edge of a voxel [m].
    slab_weights : tensor, (2 half_depth + 1, rank)
        Functions of y' onto which a volume is projected.
    spectrum : tensor, (rank, size + 1, 2 size)
        Real spectrum of each function's kernel over (k_z, k_x), in the order in which it is used.
    """

    size: int
    half_depth: int
    voxel: float
    slab_weights: Float[Tensor, "slabs rank"]
    spectrum: Float[Tensor, "rank kz kx"]

    @property
    def rank(self) -> int:
        """Number of projections that are kept."""
        return self.slab_weights.shape[1]

    def project(
        self, magnetisation: Float[Tensor, "... x slabs z"], first_slab: int = 0
    ) -> Float[Tensor, "... rank x z"]:
        """Weighted sums along y of a volume, or of the part of it that starts at ``first_slab``."""
        weights = self.slab_weights[first_slab : first_slab + magnetisation.shape[-2]]
        return torch.einsum("...xyz,yr->...rxz", magnetisation, weights)

    def field(self, projections: Float[Tensor, "... rank x z"]) -> Float[Tensor, "... x z"]:
        """Field in the slice from the projections, in the unit of mu_0 times the magnetisation.

        The rows of padding are never transformed, and one projection after the other is, so that the work
        stays in the processor's cache.
        """
        size = self.size
        summed: Tensor | float = 0.0
        for index in range(self.rank):
            along_z = torch.fft.rfft(projections[..., index, :, :], n=2 * size, dim=-1)
            spectrum = torch.fft.fft(along_z.transpose(-1, -2).contiguous(), n=2 * size, dim=-1)
            summed = spectrum.mul_(self.spectrum[index]) + summed
        rows = torch.fft.ifft(summed, dim=-1)[..., :size].transpose(-1, -2).contiguous()
        return torch.fft.irfft(rows, n=2 * size, dim=-1)[..., :size]

    def to(self, device: torch.device | str) -> SliceKernel:
        """The same kernel with its tensors on ``device``."""
        return SliceKernel(
            self.size, self.half_depth, self.voxel, self.slab_weights.to(device), self.spectrum.to(device)
        )


@functools.lru_cache(maxsize=8)
def slice_kernel(
    size: int, voxel: float, half_depth: int, tolerance: float = KERNEL_TOLERANCE, dtype: torch.dtype = torch.float32
) -> SliceKernel:
    """Build the compressed kernel of a grid of ``size`` x (2 ``half_depth`` + 1) x ``size`` voxels.

    Parameters
    ----------
    size : int
        Pixels along x and z, even.
    voxel : float
        Edge of a voxel [m].
    half_depth : int
        Slabs on either side of the slice, at least 1.
    tolerance : float
        Singular values of the kernel (slabs against spatial frequencies) below this fraction of
        the largest one are dropped.
    dtype : torch.dtype
        Precision of the kernel; it is always computed in float64.

    Raises
    ------
    ValueError
        If the size is odd or below 8, the voxel is not positive or ``half_depth`` is below 1.
    """
    if size % 2 or size < 8:
        raise ValueError(f"size must be an even number of at least 8 pixels, but is {size}: resample the map.")
    require_range("voxel", voxel, 0.0, 0.1, unit="m", low_open=True, remedy="give the edge of a voxel in metres")
    require_range("half_depth", half_depth, 1, remedy="give the number of slabs on either side of the slice")
    ramp = np.arange(size + 1) * voxel
    depth = np.arange(half_depth + 1) * voxel
    quadrant = -cuboid_demagnetising_factor(ramp, depth, ramp, voxel).transpose(1, 0, 2)
    quadrant[0, 0, 0] += 1.0 / 3.0
    full = np.concatenate([quadrant, quadrant[:, -2:0:-1]], axis=1)
    full = np.concatenate([full, full[:, :, -2:0:-1]], axis=2)
    spectra = np.stack([np.fft.rfft2(slab).real for slab in full]).reshape(half_depth + 1, -1)
    doubled = np.full(half_depth + 1, 2.0)
    doubled[0] = 1.0  # every slab but the central one stands on both sides
    scaled = spectra * np.sqrt(doubled)[:, None]
    values, vectors = np.linalg.eigh(scaled @ scaled.T)
    keep = np.sqrt(np.maximum(values, 0.0)) > tolerance * math.sqrt(values[-1])
    half = vectors[:, keep] / np.sqrt(doubled)[:, None]
    weights = np.concatenate([half[:0:-1], half])
    spectrum = (vectors[:, keep].T @ scaled).reshape(-1, 2 * size, size + 1).transpose(0, 2, 1)
    return SliceKernel(
        size, half_depth, voxel, torch.tensor(weights, dtype=dtype), torch.tensor(spectrum.copy(), dtype=dtype)
    )


def field_in_slice(magnetisation: Float[Tensor, "*batch x y z"], voxel: float) -> Float[Tensor, "*batch x z"]:
    """Field at the nuclei in the central slice of a magnetised volume.

    Parameters
    ----------
    magnetisation : tensor
        mu_0 M_z [T] (or chi B_0), with an odd number of slabs along y; the slice is the middle one. Nothing
        may touch the edge: what lies outside of the volume is not in the field.
    voxel : float
        Edge of a voxel [m].

    Returns
    -------
    tensor
        B_z [T] at the voxels' centres.

    Raises
    ------
    ValueError
        If the volume is not of the form (..., n, odd, n), holds NaN, or cuts a source.
    """
    size, slabs, other = magnetisation.shape[-3:]
    if size != other or size % 2:
        raise ValueError(
            f"magnetisation must be square and even along x and z, but has shape {tuple(magnetisation.shape)}: "
            "pad it with zeros or resample it."
        )
    if slabs % 2 == 0:
        raise ValueError(
            f"magnetisation must have an odd number of slabs along y (the middle one is imaged), but has {slabs}."
        )
    require_finite("magnetisation", magnetisation)
    require_uncut("magnetisation", magnetisation)
    kernel = slice_kernel(size, voxel, max(slabs // 2, 1), dtype=magnetisation.dtype).to(magnetisation.device)
    return kernel.field(kernel.project(magnetisation, kernel.half_depth - slabs // 2))


def require_uncut(name: str, volume: Shaped[Tensor, "*batch x y z"]) -> None:
    """Raise ``ValueError`` when a source reaches a face of the grid, where the grid would cut it."""
    faces = {
        "x": (volume[..., 0, :, :], volume[..., -1, :, :]),
        "y": (volume[..., 0, :], volume[..., -1, :]),
        "z": (volume[..., 0], volume[..., -1]),
    }
    for axis, pair in faces.items():
        if any(bool((face != 0).any()) for face in pair):
            raise ValueError(
                f"{name} must vanish on the faces of the grid, but a source reaches a face along {axis}: "
                "enlarge the grid, or move the source inside; a cut source has another field."
            )
