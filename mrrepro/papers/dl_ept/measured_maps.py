"""Somebody's own |B1+| and transceive phase as the reconstructions take them: checked, signed, without wraps.

Arrays are in the order x, y, z of the scanner (right, anterior, superior), lengths in metres, phases in radians and of
the time dependence ``exp(+j omega t)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float

from mrrepro.solvers.laplacian_kernels import require_kernel_size
from mrrepro.solvers.phase import require_phase_in_radians, require_unwrapped
from mrrepro.validation import require_finite, require_range, require_shape

Edges: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True)
class MeasuredMaps:
    """What was measured, checked.

    Parameters
    ----------
    magnitude : array, (x, y, z), or None
        |B1+| in any unit, above 0 in the mask; None for reconstruction from the phase alone.
    phase : array, (x, y, z)
        Transceive phase, unwrapped [rad].
    mask : array of bool, (x, y, z)
        Only what lies in it is read.
    voxel_size : (float, float, float)
        Edges of a voxel along x, y, z [m].
    frequency : float
        [Hz].
    tissue : array, (x, y, z), or None
        An image with tissue contrast, for networks that take one.

    Raises
    ------
    ValueError
        If the mask is empty, shapes differ, values in the mask are not finite, the magnitude is not above 0 there, or
        the phase is in degrees or wrapped.
    """

    magnitude: Float[np.ndarray, "x y z"] | None
    phase: Float[np.ndarray, "x y z"]
    mask: Bool[np.ndarray, "x y z"]
    voxel_size: Edges
    frequency: float
    tissue: Float[np.ndarray, "x y z"] | None = None

    def __post_init__(self) -> None:
        require_range("frequency", self.frequency, 1e6, 1e9, unit="Hz", remedy="give hertz, 128 MHz being 128e6")
        require_kernel_size((3, 3, 3), self.voxel_size)
        require_mask(self.mask)
        for name in ("magnitude", "phase", "tissue"):
            values = getattr(self, name)
            if values is not None:
                require_shape(name, values, self.mask.shape, "give the shape of the mask")
                require_finite(f"{name} in the mask", values[self.mask], "take such voxels out of the mask")
        if self.magnitude is not None:
            _require_magnitude(self.magnitude[self.mask])
        require_unwrapped(torch.as_tensor(self.phase), torch.as_tensor(self.mask))


def require_mask(mask: Bool[np.ndarray, "x y z"]) -> None:
    """Raise ``ValueError`` unless a mask is a boolean volume that holds a voxel."""
    require_shape("mask", mask, (None, None, None), "give one volume")
    if mask.dtype != np.bool_:
        raise ValueError(f"mask must be boolean, but is {mask.dtype}: give mask > 0.")
    if not mask.any():
        raise ValueError("mask must hold at least one voxel, but is empty.")


def _require_magnitude(inside: Float[np.ndarray, " voxels"]) -> None:
    if inside.min() < 0:
        raise ValueError(f"magnitude must be |B1+|, but its lowest value in the mask is {inside.min():g}.")
    zero = int((inside == 0).sum())
    if zero:
        raise ValueError(
            f"magnitude must be above 0 in the mask, but is 0 in {zero} of {inside.size} voxels, where B1+ says "
            "nothing: take them out of the mask."
        )


def unwrapped(phase: Float[np.ndarray, "x y z"], mask: Bool[np.ndarray, "x y z"]) -> Float[np.ndarray, "x y z"]:
    """Return a phase [rad] without wraps in the mask, by sorting voxels by reliability; 0 outside of it.

    Parts of the mask that do not touch may be whole turns apart.

    Raises
    ------
    ValueError
        If the phase is in degrees, or jumps even then: around a point where B1+ vanishes no phase is without wraps.

    References
    ----------
    M. A. Herraez et al., Appl. Opt. 41, 7437 (2002); H. Abdul-Rahman et al., Appl. Opt. 46, 6623 (2007), in 3D.
    """
    try:
        from skimage.restoration import unwrap_phase
    except ImportError:
        raise ValueError(
            "Phases are unwrapped with scikit-image, which is not installed: pip install scikit-image."
        ) from None
    require_mask(mask)
    require_shape("phase", phase, mask.shape, "give the shape of the mask")
    require_phase_in_radians("phase in the mask", torch.as_tensor(phase[mask]))
    wrapped = np.ma.MaskedArray(np.where(mask, phase, 0.0).astype(np.float64), ~mask)
    found = np.ma.filled(unwrap_phase(wrapped, rng=0), 0.0)
    try:
        require_unwrapped(torch.as_tensor(found), torch.as_tensor(mask))
    except ValueError as error:
        raise ValueError(
            f"phase cannot be unwrapped in the mask ({error}) Take voxels of low signal out of it."
        ) from None
    return np.asarray(found)
