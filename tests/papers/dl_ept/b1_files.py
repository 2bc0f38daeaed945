"""Files as a user would make them: the axially symmetric mode of an infinite cylinder, in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from scipy.special import jv

CONDUCTIVITY, PERMITTIVITY, FREQUENCY = 0.6, 80.0, 128e6


@dataclass(frozen=True)
class B1Files:
    magnitude: Path
    phase: Path
    mask: Path

    def all(self) -> tuple[Path, Path, Path]:
        return self.magnitude, self.phase, self.mask


def wavenumber() -> complex:
    """k of B1+ = J_0(k rho) [1/m], by its textbook form in eps = eps_r - j sigma / (omega eps_0)."""
    omega, speed = 2 * math.pi * FREQUENCY, 299_792_458.0
    epsilon = PERMITTIVITY - 1j * CONDUCTIVITY / (omega * 8.8541878188e-12)
    return complex(omega / speed * np.sqrt(epsilon))


def cylinder_field(shape: tuple[int, int, int], edges: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """B1+ on a grid of voxels [m] with axes x, y, z, and the distance from the axis [m]."""
    x, y = ((np.arange(count) - (count - 1) / 2) * edge for count, edge in zip(shape[:2], edges[:2], strict=True))
    radius = np.repeat(np.hypot(x[:, None], y)[:, :, None], shape[2], axis=2)
    return jv(0, wavenumber() * radius), radius


def write_cylinder(
    folder: Path,
    shape: tuple[int, int, int] = (31, 31, 9),
    edges: tuple[float, float, float] = (2e-3, 2e-3, 2e-3),
    codes: str = "RAS",
    outside: float = 0.0,
) -> B1Files:
    """Write |B1+| of 1 at the axis, twice its phase and the mask of a cylinder, axes ordered and directed as ``codes``.

    ``outside`` stands in magnitude and phase beyond the mask.
    """
    field, radius = cylinder_field(shape, edges)
    mask = radius < 0.47 * shape[0] * edges[0]
    affine = np.diag([*(edge * 1e3 for edge in edges), 1.0])
    affine[:3, 3] = (5.0, -7.0, 11.0)
    files = B1Files(*(folder / f"{name}.nii.gz" for name in ("b1", "phase", "mask")))
    volumes = (np.where(mask, abs(field), outside), np.where(mask, 2 * np.angle(field), outside), mask)
    for path, values in zip(files.all(), volumes, strict=True):
        image = nibabel.Nifti1Image(values.astype(np.uint8 if values.dtype == bool else np.float64), affine)
        image.header.set_xyzt_units("mm")
        wanted = nibabel.orientations.axcodes2ornt(codes)
        image = image.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(affine), wanted))
        nibabel.save(image, path)
    return files


def rewrite(path: Path, target: Path, change=lambda values: values, affine: np.ndarray | None = None) -> Path:
    """Write a changed copy of a file."""
    image = nibabel.load(path)
    values = change(image.get_fdata())
    nibabel.save(nibabel.Nifti1Image(values, image.affine if affine is None else affine), target)
    return target
