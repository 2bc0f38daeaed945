"""Electrical properties from somebody's own |B1+| and transceive phase by the Helmholtz equation. No medical device.

Half of the transceive phase is taken for the phase of B1+.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float

from mrrepro.papers.dl_ept.measured_maps import MeasuredMaps
from mrrepro.papers.dl_ept.reconstruction import KERNELS
from mrrepro.solvers.helmholtz_ept import (
    EptMaps,
    helmholtz_ept,
    helmholtz_ept_at_boundaries,
    phase_only_ept,
    transmit_from_measurement,
)
from mrrepro.solvers.laplacian_kernels import DEFAULT_SIZE, require_kernel_size
from mrrepro.validation import require_choice

BOUNDARIES = ("leave", "fit")
"""Where the kernel does not fit into the mask: left undefined, or the quadratic fitted to what lies inside."""

SLAB_VOXELS = 300_000
"""Voxels of the bounding box in one slab; a correlation holds the kernel's 245 numbers for each of them at once."""

LARGEST_PLAUSIBLE = 5.0
"""[S/m], above twice that of cerebrospinal fluid: a median beyond it comes from a wrong unit."""


@dataclass(frozen=True)
class HelmholtzChoice:
    """How the Laplacian is taken.

    Parameters
    ----------
    kernel : str
        One of `mrrepro.papers.dl_ept.reconstruction.KERNELS`.
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
    if measured.magnitude is None and choice.boundaries == "fit":
        raise ValueError("boundaries 'fit' needs the magnitude too: give it, or take boundaries 'leave'.")
    found = _in_slabs(measured, choice)
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


def _in_slabs(measured: MeasuredMaps, choice: HelmholtzChoice) -> EptMaps:
    """Reconstruct the mask's bounding box, some axial slices at a time: memory hardly grows with the volume."""
    x, y, z = (slice(int(index.min()), int(index.max()) + 1) for index in np.nonzero(measured.mask))
    reach = choice.size[2] // 2
    thick = max(1, SLAB_VOXELS // ((x.stop - x.start) * (y.stop - y.start)))
    shape = measured.mask.shape
    conductivity = torch.full(shape, torch.nan, dtype=torch.float64)
    permittivity = None if measured.magnitude is None else conductivity.clone()
    valid = torch.zeros(shape, dtype=torch.bool)
    for first in range(z.start, z.stop, thick):
        last, low = min(first + thick, z.stop), max(z.start, first - reach)
        if not measured.mask[:, :, first:last].any():
            continue
        part = _reconstruct(measured, choice, (x, y, slice(low, min(last + reach, z.stop))))
        inner, target = (..., slice(first - low, last - low)), (x, y, slice(first, last))
        conductivity[target] = part.conductivity[inner]
        valid[target] = part.valid[inner]
        if permittivity is not None and part.relative_permittivity is not None:
            permittivity[target] = part.relative_permittivity[inner]
    return EptMaps(conductivity, permittivity, valid)


def _reconstruct(measured: MeasuredMaps, choice: HelmholtzChoice, box: tuple[slice, slice, slice]) -> EptMaps:
    """Reconstruct a box alone; near its faces the kernel is taken to leave the mask."""

    def cropped(values: Float[np.ndarray, "x y z"]) -> torch.Tensor:
        return torch.as_tensor(np.where(measured.mask[box], values[box], 0.0)).double()

    mask, frequency, edges = torch.as_tensor(measured.mask[box].copy()), measured.frequency, measured.voxel_size
    phase = cropped(measured.phase)
    if measured.magnitude is None:
        return phase_only_ept(phase, frequency, KERNELS[choice.kernel](edges, choice.size), mask)
    transmit = transmit_from_measurement(cropped(measured.magnitude), phase, mask)
    if choice.boundaries == "fit":
        return helmholtz_ept_at_boundaries(transmit, frequency, edges, mask, choice.size)
    return helmholtz_ept(transmit, frequency, KERNELS[choice.kernel](edges, choice.size), mask)


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
