"""Files as a user would make them: a sphere of iron in a slice of a brain, with nibabel alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np

from mrrepro.phantoms.brain_images import fit_slice, load_volume, mni152_path

CENTRE = (4e-3, -5e-3)


@dataclass(frozen=True)
class OwnFiles:
    concentration: Path
    image: Path
    truth: np.ndarray  # middle slab, (x, z)


def brain_slice(size: int) -> np.ndarray:
    """A coronal slice, which the shipped network was not trained on."""
    return fit_slice(load_volume(mni152_path())[:, 100, :], size)


def write_own_files(folder: Path, size: int = 128, radius: float = 4e-3, concentration: float = 10.0) -> OwnFiles:
    """Sphere with hard edges at `CENTRE`; RAS, isocentre at the voxel of index n // 2."""
    voxel = 50e-3 / size
    half = int(np.ceil(radius / voxel)) + 1
    plane, depth = (np.arange(size) - size // 2) * voxel, np.arange(-half, half + 1) * voxel
    x, y, z = np.meshgrid(plane, depth, plane, indexing="ij")
    inside = (x - CENTRE[0]) ** 2 + y**2 + (z - CENTRE[1]) ** 2 < radius**2
    affine = np.diag([voxel * 1e3, voxel * 1e3, voxel * 1e3, 1.0])
    affine[:3, 3] = np.array([-(size // 2), -half, -(size // 2)]) * voxel * 1e3
    slab = affine.copy()
    slab[1, 3] = 0.0
    files = OwnFiles(folder / "map.nii.gz", folder / "image.nii.gz", np.where(inside[:, half], concentration, 0.0))
    nibabel.save(nibabel.Nifti1Image(np.where(inside, np.float32(concentration), 0), affine), files.concentration)
    nibabel.save(nibabel.Nifti1Image(brain_slice(size)[:, None, :], slab), files.image)
    return files
