"""Electrical properties from somebody's own |B1+| and transceive phase by the Helmholtz equation. No medical device.

Half of the transceive phase is taken for the phase of B1+.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float

from mrrepro.papers.dl_ept.measured_maps import MeasuredMaps
from mrrepro.solvers.helmholtz_ept import (
    EptMaps,
    helmholtz_ept,
    helmholtz_ept_at_boundaries,
    phase_only_ept,
    transmit_from_measurement,
)
from mrrepro.solvers.laplacian_kernels import (
    DEFAULT_SIZE,
    LaplacianKernel,
    axis_noise_robust,
    require_kernel_size,
    savitzky_golay_cuboid,
    savitzky_golay_ellipsoid,
    smoothed_noise_robust,
)
from mrrepro.validation import require_choice

KERNELS: dict[str, Callable[..., LaplacianKernel]] = {
    "axis_noise_robust": axis_noise_robust,
    "smoothed_noise_robust": smoothed_noise_robust,
    "savitzky_golay_ellipsoid": savitzky_golay_ellipsoid,
    "savitzky_golay_cuboid": savitzky_golay_cuboid,
}

BOUNDARIES = ("leave", "fit")
"""Where the kernel does not fit into the mask: left undefined, or the quadratic fitted to what lies inside."""

SLAB_VOXELS = 100_000
"""A fit at boundaries holds a matrix of 10 x 10 for each voxel of a slab: 80 MB at once."""

LARGEST_PLAUSIBLE = 5.0
"""[S/m], above twice that of cerebrospinal fluid: a median beyond it comes from a wrong unit."""


@dataclass(frozen=True)
class HelmholtzChoice:
    """How the Laplacian is taken.

    Parameters
    ----------
    kernel : str
        One of `KERNELS`.
    size : (int, int, int)
        Voxels of the kernel along x, y, z; odd, at least 3.
    boundaries : str
        One of `BOUNDARIES`; ``fit`` needs the kernel ``savitzky_golay_cuboid`` and a magnitude.
    """

    kernel: str = "savitzky_golay_cuboid"
    size: tuple[int, int, int] = DEFAULT_SIZE
    boundaries: str = "leave"

    def __post_init__(self) -> None:
        require_choice("kernel", self.kernel, tuple(KERNELS))
        require_choice("boundaries", self.boundaries, BOUNDARIES)
        require_kernel_size(self.size, (1e-3,) * 3)
        if self.boundaries == "fit" and self.kernel != "savitzky_golay_cuboid":
            raise ValueError(
                f"boundaries 'fit' fits a quadratic, which is the kernel savitzky_golay_cuboid, but kernel is "
                f"{self.kernel!r}: take that kernel, or boundaries 'leave'."
            )
        if self.boundaries == "fit" and min(self.size) < 5:
            raise ValueError(
                f"size must be at least 5 along every axis for boundaries 'fit', but is {tuple(self.size)}: at a "
                "face of the mask two layers of voxels would be left, which determine no second derivative."
            )


@dataclass(frozen=True)
class Reconstruction:
    """Maps by quantity, and what they leave in doubt.

    Attributes
    ----------
    maps : mapping of str to array, (x, y, z)
        ``conductivity`` [S/m], ``relative_permittivity``, or one of them; NaN outside ``valid``.
    valid : array of bool, (x, y, z)
    warnings : tuple of str
    details : mapping
        What the method says of itself; JSON can hold it.
    """

    maps: Mapping[str, Float[np.ndarray, "x y z"]]
    valid: Bool[np.ndarray, "x y z"]
    warnings: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)


def helmholtz_maps(measured: MeasuredMaps, choice: HelmholtzChoice) -> Reconstruction:
    """Reconstruct by the homogeneous Helmholtz equation (`mrrepro.solvers.helmholtz_ept`).

    With a magnitude both quantities; from the phase alone the conductivity, which assumes a magnitude without gradient.

    Raises
    ------
    ValueError
        If boundaries are to be fitted from the phase alone, or the kernel fits nowhere into the mask.
    """
    phase, mask = torch.as_tensor(measured.phase).double(), torch.as_tensor(measured.mask)
    kernel = KERNELS[choice.kernel](measured.voxel_size, choice.size)
    if measured.magnitude is None:
        if choice.boundaries == "fit":
            raise ValueError("boundaries 'fit' needs the magnitude too: give it, or take boundaries 'leave'.")
        found = phase_only_ept(torch.where(mask, phase, 0.0), measured.frequency, kernel, mask)
    else:
        magnitude = torch.as_tensor(measured.magnitude).double()
        transmit = transmit_from_measurement(torch.where(mask, magnitude, 0.0), torch.where(mask, phase, 0.0), mask)
        if choice.boundaries == "fit":
            found = _fitted_in_slabs(transmit, measured, choice.size)
        else:
            found = helmholtz_ept(transmit, measured.frequency, kernel, mask)
    if not bool(found.valid.any()):
        extent = " x ".join(str(int(np.ptp(index)) + 1) for index in np.nonzero(measured.mask))
        raise ValueError(
            f"the kernel of {' x '.join(map(str, choice.size))} voxels fits nowhere into the mask, whose extent is "
            f"{extent} voxels along x, y, z: take a smaller size, a larger mask, or boundaries 'fit'."
        )
    maps = {"conductivity": found.conductivity.numpy()}
    if found.relative_permittivity is not None:
        maps["relative_permittivity"] = found.relative_permittivity.numpy()
    details = {
        "method": "helmholtz",
        "from": "phase alone" if measured.magnitude is None else "magnitude and phase",
        "kernel": choice.kernel,
        "size": list(choice.size),
        "boundaries": choice.boundaries,
    }
    return Reconstruction(maps, found.valid.numpy(), tuple(doubts(maps)), details)


def _fitted_in_slabs(transmit: torch.Tensor, measured: MeasuredMaps, size: tuple[int, int, int]) -> EptMaps:
    """Return `helmholtz_ept_at_boundaries`, some axial slices at a time: memory does not grow with the volume."""
    mask = torch.as_tensor(measured.mask)
    count, reach = mask.shape[2], size[2] // 2
    thick = max(1, SLAB_VOXELS // max(1, int(mask.sum(dim=(0, 1)).max())))
    conductivity = torch.full_like(transmit.real, torch.nan)
    permittivity, valid = conductivity.clone(), torch.zeros_like(mask)
    for first in range(0, count, thick):
        last, low = min(first + thick, count), max(0, first - reach)
        around = slice(low, min(last + reach, count))
        if not bool(mask[:, :, first:last].any()):
            continue
        part = helmholtz_ept_at_boundaries(
            transmit[:, :, around], measured.frequency, measured.voxel_size, mask[:, :, around], size
        )
        assert part.relative_permittivity is not None
        inner = slice(first - low, last - low)
        conductivity[:, :, first:last] = part.conductivity[:, :, inner]
        permittivity[:, :, first:last] = part.relative_permittivity[:, :, inner]
        valid[:, :, first:last] = part.valid[:, :, inner]
    return EptMaps(conductivity, permittivity, valid)


def doubts(maps: Mapping[str, Float[np.ndarray, "x y z"]]) -> list[str]:
    """Sentences about maps that no tissue has."""
    if "conductivity" not in maps:
        return []
    median = float(np.nanmedian(maps["conductivity"]))
    if median < 0:
        return [
            f"The median conductivity is {median:.3g} S/m, below 0: the phase most likely belongs to the other time "
            "dependence. Run again with --time-dependence negative (or positive, where negative was given)."
        ]
    if median > LARGEST_PLAUSIBLE:
        return [
            f"The median conductivity is {median:.3g} S/m, beyond any tissue: check that the phase is in radians, the "
            "affine's unit and the frequency."
        ]
    return []
