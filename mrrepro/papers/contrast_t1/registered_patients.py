"""Real patients that a public database registered to the MNI152 space, on the grid of the simulated ones.

Each image is averaged over the larger voxel inside the brain alone and looked up on the grid, so that a network that
was trained on simulated patients can be tried on real ones, and both can be scored alike. The brain is where all four
images have signal above 0: interpolation leaves small negative values outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage

from mrrepro.metrics.regions import enhancement_mask
from mrrepro.networks.image_normalization import StandardScoreNormalization
from mrrepro.papers.contrast_t1.settings import ContrastT1Settings
from mrrepro.phantoms.glioma import CROP_ORIGIN_MM, CROP_SHAPE
from mrrepro.runs.nifti import Placement, Volume, encode_nifti, read_volume, same_place
from mrrepro.runs.real_data import SourceFile

NAMES = {"T1": "T1", "T2": "T2", "FLAIR": "FLAIR", "T1POST": "T1GD", "T1GD": "T1GD", "lesions": "MASK", "MASK": "MASK"}
"""From what a database calls an image to the naming of `mrrepro.papers.contrast_t1.own_cohort`."""

LESION_SHARE = 0.25
"""Part of a voxel that lesions must fill to count as one; our choice."""

ENHANCING = 3
"""Label of lesion voxels that rise by more than the thesis' threshold; 1 is the rest."""

DESCRIPTION = "patient of a public database, resampled; mrrepro"


def write_patients(files: Sequence[SourceFile], folder: Path, scale: str) -> None:
    """Write one folder a patient, its images and mask on the grid that the chapter has at a scale.

    Parameters
    ----------
    files : sequence of SourceFile
        T1, T2, FLAIR, post-contrast T1 and a mask of lesions, of each patient, on one grid in the MNI152 space.
    folder : Path
        To write to.
    scale : str
        Of the settings, which give the voxel.

    Raises
    ------
    ValueError
        If images of a patient do not share a grid, or nothing of them lies on that of the chapter.
    """
    voxel_mm = ContrastT1Settings.at_scale(scale).cohort.voxel_mm
    patients: dict[str, dict[str, Path]] = {}
    for file in files:
        if file.role in NAMES:
            patients.setdefault(file.subject, {})[NAMES[file.role]] = file.path
    for subject, paths in patients.items():
        place = folder / f"patient-{subject}"
        place.mkdir()
        volumes = on_grid(subject, {name: read_volume(path) for name, path in paths.items()}, voxel_mm)
        for name, data in volumes.items():
            path = place / f"{name}.nii.gz"
            path.write_bytes(encode_nifti(path, data, Placement(grid_affine_mm(voxel_mm)), DESCRIPTION))


def on_grid(patient: str, volumes: Mapping[str, Volume], voxel_mm: int) -> dict[str, Float[np.ndarray, "x y z"]]:
    """Bring a patient's images and mask to the chapter's grid; 0 outside the brain.

    The mask holds 1 where lesions fill at least ``LESION_SHARE`` of a voxel (at least one voxel does) and
    ``ENHANCING`` where the normalised T1 rises by more than the thesis' threshold there.
    """
    first = volumes["T1"]
    for name, volume in volumes.items():
        if volume.data.shape != first.data.shape or not same_place(first.affine, volume.affine):
            raise ValueError(f"patient {patient}: {name} must lie on the grid of T1: register and resample first.")
    images = {name: volume.data for name, volume in volumes.items() if name != "MASK"}
    brain = np.logical_and.reduce([data > 0 for data in images.values()])
    share = _resampled(brain.astype(np.float32), first, voxel_mm)
    inside = share > 0.5
    if not inside.any():
        raise ValueError(f"patient {patient}: no voxel lies on the chapter's grid: are the images in the MNI152 space?")
    found = {
        name: np.where(inside, _resampled(np.where(brain, data, 0.0), first, voxel_mm) / np.maximum(share, 0.5), 0.0)
        for name, data in images.items()
    }
    lesions = np.where(inside, _resampled((volumes["MASK"].data > 0).astype(np.float32), first, voxel_mm), 0.0)
    lesion = lesions >= min(LESION_SHARE, float(lesions.max()))
    risen = lesion & _rises(found, inside)
    found["MASK"] = np.where(risen, float(ENHANCING), lesion & (lesions > 0))
    return {name: data.astype(np.float32) for name, data in found.items()}


def grid_affine_mm(voxel_mm: int) -> Float[np.ndarray, "4 4"]:
    """From indices of the chapter's grid to the world of the MNI152 template [mm]; the origin is a voxel's middle."""
    affine = np.diag([float(voxel_mm)] * 3 + [1.0])
    affine[:3, 3] = np.array(CROP_ORIGIN_MM) + 0.5 * (voxel_mm - 1)
    return affine


def _resampled(data: Float[np.ndarray, "a b c"], volume: Volume, voxel_mm: int) -> Float[np.ndarray, "x y z"]:
    """Average over about a voxel of the grid, then interpolate linearly at the middles of its voxels."""
    edges = np.array(volume.voxel) * 1e3
    smooth = ndimage.gaussian_filter(data.astype(np.float32), np.maximum(0.0, (voxel_mm / edges - 1.0) / 2.5))
    to_source = np.linalg.inv(volume.affine) @ grid_affine_mm(voxel_mm)
    shape = tuple(side // voxel_mm for side in CROP_SHAPE)
    return np.asarray(
        ndimage.affine_transform(smooth, to_source[:3, :3], to_source[:3, 3], shape, order=1, mode="constant")
    )


def _rises(images: Mapping[str, Float[np.ndarray, "x y z"]], brain: Bool[np.ndarray, "x y z"]) -> np.ndarray:
    stack = torch.from_numpy(np.stack([images["T1"], images["T1GD"]]).astype(np.float32))[None]
    scaled = StandardScoreNormalization()(stack, torch.from_numpy(brain)[None, None])
    return enhancement_mask(scaled[:, 1:], scaled[:, :1])[0, 0].numpy()
