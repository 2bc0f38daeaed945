"""Whole-head label maps in the numbering of SynthSeg's training set, as heads of 13 tissues.

The brain is numbered as FreeSurfer's table has it, the head as the atlas of SimNIBS charm has it. What the maps leave
open is our choice and stands here: the choroid plexus counts as cerebrospinal fluid, ventral diencephalon, brain stem,
optic nerve and spinal cord as white matter. 'Other soft tissue' (507) is fat down to ``FAT_DEPTH`` below the skin and
within ``ORBIT_DEPTH`` of the eyes, and muscle elsewhere. The maps have no dura: it is the fluid that touches bone (one
voxel). Label 0 inside the head is air. What is not connected to the head is dropped as a fault of the segmentation.
"""

from __future__ import annotations

import functools
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Int, UInt8
from scipy import ndimage

from mrrepro.phantoms.brain_images import load_volume
from mrrepro.phantoms.head_tissues import BRAIN_TISSUES, TISSUE_LABELS, labels_of
from mrrepro.phantoms.label_volume import LabelVolume

FAT_DEPTH = 0.004
"""Of subcutaneous fat below the skin [m]; our choice."""

ORBIT_DEPTH = 0.012
"""Of the fat around the eyes [m]; our choice."""

SOFT_TISSUE = 507

SYNTHSEG_TISSUES = MappingProxyType(
    {
        "air": (0,),
        "white_matter": (2, 41, 16, 28, 60, 25, 57, 85, 512, 530),
        "grey_matter": (3, 42, 10, 11, 12, 13, 17, 18, 26, 49, 50, 51, 52, 53, 54, 58),
        "cerebellum": (7, 8, 46, 47),
        "csf": (4, 5, 14, 15, 24, 43, 44, 72, 136, 137, 163, 164),
        "blood": (30, 62, 502, 514),
        "vitreous_humour": (506,),
        "muscle": (SOFT_TISSUE, 508),
        "mucous_tissue": (509,),
        "skin": (511,),
        "bone_cortical": (515,),
        "bone_cancellous": (516,),
    }
)
"""Which labels make each tissue. 507 is divided afterwards between muscle and fat."""


def label_map_files(folder: Path) -> tuple[Path, ...]:
    """Return the NIfTI files of a folder in the order of their names, or the one file given.

    Raises
    ------
    ValueError
        If there is no such folder or file, or it holds no NIfTI.
    """
    path = Path(folder)
    if path.is_file():
        return (path,)
    files = tuple(sorted(file for file in path.glob("*.nii*") if file.is_file())) if path.is_dir() else ()
    if not files:
        raise ValueError(
            f"source must be 'mni152', 'folded', or a folder (or file) of whole-head label maps (*.nii, *.nii.gz), but "
            f"{str(folder)!r} {'holds none' if path.is_dir() else 'does not exist'}: give the folder that holds them."
        )
    return files


@functools.lru_cache(maxsize=2)
def read_label_map(path: Path) -> LabelVolume:
    """Read one map as a head of 13 tissues, the middle of its brain at zero.

    Depths of the fat are counted in voxels of the mean edge, so that voxels should be about as long along all axes.

    Raises
    ------
    ValueError
        If the file is no label map, has labels outside ``SYNTHSEG_TISSUES``, or has no brain.
    """
    import nibabel

    values = load_volume(path)
    codes = values.astype(np.int32)
    affine = np.array(nibabel.as_closest_canonical(nibabel.load(path)).affine, dtype=float)
    affine[:3] *= 1e-3
    box = tuple(slice(max(0, s.start - 2), s.stop + 2) for s in ndimage.find_objects((codes != 0).astype(np.uint8))[0])
    affine[:3, 3] += affine[:3, :3] @ np.array([part.start for part in box])
    labels = _tissues(path, values, codes)[box]
    labels *= _largest_part(labels != 0)
    _divide_soft_tissue(labels, codes[box], float(np.abs(np.linalg.det(affine[:3, :3])) ** (1 / 3)))
    _add_dura(labels)
    brain = np.isin(labels, labels_of(BRAIN_TISSUES))
    if not brain.any():
        raise ValueError(f"{path} has no label of the brain: give whole-head maps such as SynthSeg's.")
    middle = np.array(ndimage.center_of_mass(brain))
    affine[:3, 3] = -affine[:3, :3] @ middle
    return LabelVolume(labels, affine)


def _tissues(path: Path, values: np.ndarray, codes: Int[np.ndarray, "x y z"]) -> UInt8[np.ndarray, "x y z"]:
    largest = max(max(numbers) for numbers in SYNTHSEG_TISSUES.values())
    known = np.full(largest + 1, 255, dtype=np.uint8)
    for tissue, numbers in SYNTHSEG_TISSUES.items():
        known[list(numbers)] = TISSUE_LABELS[tissue]
    found = np.unique(codes)
    unknown = [int(code) for code in found if not 0 <= code <= largest or known[code] == 255]
    if unknown or not np.array_equal(values, codes):
        fault = f"labels {unknown}" if unknown else "values that are no whole numbers"
        raise ValueError(
            f"{path} holds {fault}, which SynthSeg's whole-head numbering does not have: give maps in that numbering "
            "(SYNTHSEG_TISSUES lists it), or translate the labels first."
        )
    return known[codes]


def _largest_part(head: Bool[np.ndarray, "x y z"]) -> Bool[np.ndarray, "x y z"]:
    parts, count = ndimage.label(head)
    if count < 2:
        return head
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    largest: Bool[np.ndarray, "x y z"] = parts == sizes.argmax()
    return largest


def _divide_soft_tissue(labels: UInt8[np.ndarray, "x y z"], codes: Int[np.ndarray, "x y z"], step: float) -> None:
    soft = codes == SOFT_TISSUE
    near_skin = _grown(labels == TISSUE_LABELS["skin"], round(FAT_DEPTH / step))
    near_eyes = _grown(labels == TISSUE_LABELS["vitreous_humour"], round(ORBIT_DEPTH / step))
    labels[soft & (labels != 0) & (near_skin | near_eyes)] = TISSUE_LABELS["fat"]


def _grown(mask: Bool[np.ndarray, "x y z"], voxels: int) -> Bool[np.ndarray, "x y z"]:
    """Dilate by turns with the six neighbours and the full cube: an octahedral ball, within 10 % of a round one."""
    for turn in range(voxels):
        mask = ndimage.binary_dilation(mask, ndimage.generate_binary_structure(3, 1 if turn % 2 == 0 else 2))
    return mask


def _add_dura(labels: UInt8[np.ndarray, "x y z"]) -> None:
    bone = np.isin(labels, labels_of(("bone_cortical", "bone_cancellous")))
    labels[ndimage.binary_dilation(bone) & (labels == TISSUE_LABELS["csf"])] = TISSUE_LABELS["dura"]
