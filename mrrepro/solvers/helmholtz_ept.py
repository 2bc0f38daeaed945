"""Electrical properties from B1+ by the homogeneous Helmholtz equation (H-EPT).

``laplace(B) / B = -omega^2 mu_0 eps_0 eps_r + j omega mu_0 sigma`` in the time dependence ``exp(+j omega t)``: exact
where the properties are constant, wrong where they change (within a kernel's reach of a boundary), and a second
derivative of measured data: noise grows as h^-2. The kernel is therefore an explicit argument: four constructors, any
odd size, anisotropic voxels.

References
----------
A. L. H. M. W. van Lier et al., Magn. Reson. Med. 67, 552 (2012), for the equation and the 7 x 7 x 5 kernel;
A. Savitzky, M. J. E. Golay, Anal. Chem. 36, 1627 (1964); A. Arduino, EPTlib, Appl. Sci. 11, 3237 (2021), for the
quadratic fit on an ellipsoid or a cuboid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from mrrepro.constants import VACUUM_PERMEABILITY, VACUUM_PERMITTIVITY
from mrrepro.solvers.laplacian_kernels import (
    DEFAULT_SIZE,
    MONOMIALS,
    LaplacianKernel,
    kernel_offsets,
    laplacians_of_monomials,
    require_kernel_size,
)
from mrrepro.solvers.phase import require_unwrapped
from mrrepro.validation import require_finite, require_range, require_shape


def _correlate(images: Float[Tensor, "n x y z"], kernels: Float[Tensor, "m kx ky kz"]) -> Float[Tensor, "n m x y z"]:
    """Return the correlation of each image with each kernel, zero beyond the borders."""
    half = tuple(length // 2 for length in kernels.shape[1:])
    return torch.nn.functional.conv3d(images[:, None], kernels[:, None], padding=half)


def laplacian(
    field: Complex[Tensor, "x y z"] | Float[Tensor, "x y z"], kernel: LaplacianKernel
) -> Complex[Tensor, "x y z"] | Float[Tensor, "x y z"]:
    """Return the Laplacian of a field [field's unit / m^2]; right where the kernel lies inside the array."""
    parts = torch.stack([field.real, field.imag]) if field.is_complex() else field[None]
    weights = torch.as_tensor(kernel.weights, dtype=parts.dtype, device=parts.device)[None]
    found = _correlate(parts, weights)[:, 0]
    return torch.complex(found[0], found[1]) if field.is_complex() else found[0]


def valid_voxels(mask: Bool[Tensor, "x y z"], kernel: LaplacianKernel) -> Bool[Tensor, "x y z"]:
    """Return the voxels of a mask whose whole kernel lies inside it (and inside the array)."""
    support = torch.as_tensor(kernel.support, dtype=torch.float32, device=mask.device)
    return _correlate(mask.float()[None], support[None])[0, 0].round() == float(support.sum())


@dataclass(frozen=True)
class EptMaps:
    """Reconstructed maps, NaN where ``valid`` is False.

    Parameters
    ----------
    conductivity : Tensor, shape (x, y, z)
        [S/m].
    relative_permittivity : Tensor, shape (x, y, z), or None
        None for phase-only reconstruction.
    valid : Tensor of bool, shape (x, y, z)
        Where the kernel read nothing but the mask.
    """

    conductivity: Float[Tensor, "x y z"]
    relative_permittivity: Float[Tensor, "x y z"] | None
    valid: Bool[Tensor, "x y z"]


def _require_inputs(mask: Tensor, frequency: float, **fields: Tensor) -> None:
    require_range("frequency", frequency, 1e6, 1e9, unit="Hz", remedy="give hertz, 128 MHz being 128e6")
    for name, field in fields.items():
        require_shape(name, field, (None, None, None), "give one volume")
        require_shape(name, field, mask.shape, "give the shape of the mask")
    if mask.dtype != torch.bool:
        raise ValueError(f"mask must be boolean, but is {mask.dtype}: give mask > 0.")
    if not bool(mask.any()):
        raise ValueError("mask must hold at least one voxel, but is empty.")


def _maps(ratio: Complex[Tensor, "x y z"], frequency: float, valid: Tensor) -> EptMaps:
    omega = 2.0 * math.pi * frequency
    nothing = torch.full_like(ratio.real, math.nan)
    return EptMaps(
        torch.where(valid, ratio.imag / (omega * VACUUM_PERMEABILITY), nothing),
        torch.where(valid, -ratio.real / (omega**2 * VACUUM_PERMEABILITY * VACUUM_PERMITTIVITY), nothing),
        valid,
    )


def helmholtz_ept(
    transmit: Complex[Tensor, "x y z"], frequency: float, kernel: LaplacianKernel, mask: Bool[Tensor, "x y z"]
) -> EptMaps:
    """Return conductivity and permittivity from a complex B1+ (any unit), wherever the kernel fits into the mask.

    Where B1+ vanishes the ratio is undefined, and such voxels are not valid.
    """
    _require_inputs(mask, frequency, transmit=transmit)
    require_finite("transmit in the mask", transmit[mask])
    inside = torch.where(mask, transmit, torch.zeros_like(transmit))
    valid = valid_voxels(mask, kernel) & (inside != 0)
    return _maps(laplacian(inside, kernel) / torch.where(valid, inside, torch.ones_like(inside)), frequency, valid)


def transmit_from_measurement(
    magnitude: Float[Tensor, "x y z"], phase: Float[Tensor, "x y z"], mask: Bool[Tensor, "x y z"]
) -> Complex[Tensor, "x y z"]:
    """Return B1+ with half the transceive phase for its phase, zero outside the mask.

    Raises
    ------
    ValueError
        When the phase is in degrees or still wrapped: half of a wrapped phase jumps by pi.
    """
    require_finite("magnitude in the mask", magnitude[mask])
    require_unwrapped(phase, mask)
    return torch.where(mask, torch.polar(magnitude, 0.5 * phase), torch.zeros((), dtype=torch.complex64))


def phase_only_ept(
    phase: Float[Tensor, "x y z"], frequency: float, kernel: LaplacianKernel, mask: Bool[Tensor, "x y z"]
) -> EptMaps:
    """Return the conductivity from the transceive phase [rad] alone: ``laplace(phase / 2) / (omega mu_0)``.

    Assumes a magnitude whose gradient is negligible. With B1+ = |B1+| exp(j phi) the whole Laplacian adds
    ``2 grad(ln |B1+|) . grad(phi) / (omega mu_0)``: the conductivity comes out too low where magnitude and phase rise
    together, and too high where one falls as the other rises.
    """
    _require_inputs(mask, frequency, phase=phase)
    require_unwrapped(phase, mask)
    valid = valid_voxels(mask, kernel)
    second = laplacian(torch.where(mask, 0.5 * phase, torch.zeros_like(phase)), kernel)
    conductivity = second / (2.0 * math.pi * frequency * VACUUM_PERMEABILITY)
    return EptMaps(torch.where(valid, conductivity, torch.full_like(conductivity, math.nan)), None, valid)


_LEAST_EIGENVALUE = 1e-9
"""Of a fit's moments, relative to the largest: in half of a 7 x 7 x 5 cuboid it is 8e-4, on two planes 1e-16."""


def helmholtz_ept_at_boundaries(
    transmit: Complex[Tensor, "x y z"],
    frequency: float,
    voxel_size: Sequence[float],
    mask: Bool[Tensor, "x y z"],
    size: Sequence[int] = DEFAULT_SIZE,
) -> EptMaps:
    """Return the maps up to the mask's border: the quadratic is fitted to those voxels of the cuboid that lie inside.

    A fit needs at least half of the cuboid's voxels, and enough of them off any one plane to fix its ten coefficients;
    elsewhere voxels are not valid. Inside, it equals `savitzky_golay_cuboid`. Where B1+ vanishes the maps are not
    finite.
    """
    edges = require_kernel_size(size, voxel_size)
    _require_inputs(mask, frequency, transmit=transmit)
    require_finite("transmit in the mask", transmit[mask])
    dtype = transmit.real.dtype
    offsets = [torch.as_tensor(axis, dtype=dtype, device=mask.device) for axis in kernel_offsets(size)]

    def monomial(powers: Sequence[int]) -> Tensor:
        return reduce(torch.mul, (axis**power for axis, power in zip(offsets, powers, strict=True)))

    products = sorted({tuple(map(sum, zip(a, b, strict=True))) for a in MONOMIALS for b in MONOMIALS})
    place = [[products.index(tuple(map(sum, zip(a, b, strict=True)))) for b in MONOMIALS] for a in MONOMIALS]
    moments = _correlate(mask.to(dtype)[None], torch.stack([monomial(powers) for powers in products]))[0]
    enough = mask & (moments[products.index((0, 0, 0))] >= 0.5 * math.prod(size))
    inside = torch.where(mask, transmit, torch.zeros_like(transmit))
    right = _correlate(torch.stack([inside.real, inside.imag]), torch.stack([monomial(p) for p in MONOMIALS]))
    matrix = moments[:, enough][torch.as_tensor(place, device=mask.device)].permute(2, 0, 1).double()
    sizes = torch.linalg.eigvalsh(matrix)
    fixed = sizes[:, 0] > _LEAST_EIGENVALUE * sizes[:, -1]
    matrix, enough = matrix[fixed], enough.masked_scatter(enough, fixed)
    coefficients = torch.linalg.solve(matrix, right[:, :, enough].permute(2, 1, 0).double())
    second = torch.as_tensor(laplacians_of_monomials(edges), device=mask.device)
    found = torch.einsum("m,vmp->pv", second, coefficients).to(dtype)
    ratio = torch.zeros_like(transmit)
    ratio[enough] = torch.complex(found[0], found[1]) / transmit[enough]
    return _maps(ratio, frequency, enough)
