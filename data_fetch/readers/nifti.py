"""Volumes and label maps from NIfTI files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_fetch.content import refuse_disguised
from data_fetch.errors import MissingPackage, UnreadableFile
from data_fetch.images import Geometry, LabelMap, Volume
from data_fetch.readers.damage import parsing

if TYPE_CHECKING:
    import nibabel

LARGEST_ARRAY = 4 << 30
_METRES = {"m": 1.0, "meter": 1.0, "mm": 1e-3, "micron": 1e-6, "unknown": 1e-3}


def read_volume(path: Path, modality: str) -> Volume:
    """Read a scalar image: values scaled as the header says, float32, axes as stored.

    Raises
    ------
    UnreadableFile
        The file is damaged, no NIfTI, not three-dimensional, complex, or larger than 4 GiB unpacked.
    WebPageInstead, PointerInstead
        The file is something else under this name.
    """
    image = _open(path)
    values = np.asarray(_array(path, image))
    if values.dtype.kind not in "iufb":
        raise UnreadableFile(f"{path.name}: a scalar image is needed, but the voxels are {values.dtype}.")
    with parsing(path.name, "NIfTI-1"):
        return Volume(np.ascontiguousarray(values, dtype=np.float32), geometry_of(image), modality)


def read_labels(path: Path, names: Mapping[int, str], convention: str) -> LabelMap:
    """Read a label map: int32, axes as stored, whatever number type the file uses.

    Raises
    ------
    UnreadableFile
        As `read_volume`; and where a voxel is no whole number, or a label that ``names`` does not know.
    """
    image = _open(path)
    stored = np.asarray(_array(path, image))
    if stored.dtype.kind not in "iufb":
        raise UnreadableFile(f"{path.name}: a label map is needed, but the voxels are {stored.dtype}.")
    with np.errstate(invalid="ignore"):  # NaN is found by the comparison below
        labels = stored.astype(np.int32)
    if stored.dtype.kind == "f" and not np.array_equal(labels, stored):
        raise UnreadableFile(f"{path.name}: a label map is needed, but some voxels are no whole numbers.")
    unknown = sorted(_present(labels) - set(names))
    if unknown:
        raise UnreadableFile(f"{path.name}: the labels {unknown} are not in the convention {convention}.")
    with parsing(path.name, "NIfTI-1"):
        return LabelMap(np.ascontiguousarray(labels), geometry_of(image), dict(names), convention)


def _present(labels: np.ndarray) -> set[int]:
    """Return the labels that occur; counting is ten times faster than sorting where labels are few and small."""
    if labels.min() >= 0 and labels.max() < 1 << 16:
        return set(np.flatnonzero(np.bincount(labels.ravel(order="K"))).tolist())
    return set(np.unique(labels).tolist())


def geometry_of(image: nibabel.Nifti1Image) -> Geometry:
    """Return affine [m], voxel size [m] and axis codes of an image; the unit is the header's (unknown: mm)."""
    from nibabel.orientations import aff2axcodes

    unit = image.header.get_xyzt_units()[0]
    affine = np.asarray(image.affine, dtype=np.float64).copy()
    affine[:3] *= _METRES[unit]
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-18:
        raise UnreadableFile("the affine of the image is singular or not finite: voxel size and orientation are lost.")
    size = np.linalg.norm(affine[:3, :3], axis=0)
    oriented = bool(image.header["qform_code"] > 0 or image.header["sform_code"] > 0)
    return Geometry(affine, (float(size[0]), float(size[1]), float(size[2])), "".join(aff2axcodes(affine)), oriented)


def _open(path: Path) -> nibabel.Nifti1Image:
    try:
        import nibabel
    except ImportError:
        raise MissingPackage("NIfTI files are read with nibabel: pip install nibabel.") from None
    refuse_disguised(path)
    with parsing(path.name, "NIfTI-1"):
        image = nibabel.Nifti1Image.from_filename(path)
        if image.header["magic"].item()[:2] == b"n+" and image.header["sizeof_hdr"] == 348:
            return image
    raise UnreadableFile(f"{path.name}: only NIfTI-1 in one file (.nii or .nii.gz) is read.")


def _array(path: Path, image: nibabel.Nifti1Image) -> np.ndarray:
    shape = image.shape
    claimed = int(np.prod(shape, dtype=np.float64) * image.get_data_dtype().itemsize)
    if claimed > LARGEST_ARRAY:
        raise UnreadableFile(f"{path.name}: the header claims {shape}, {claimed} bytes: too large to be a volume.")
    if len(shape) < 3 or any(extent != 1 for extent in shape[3:]) or 0 in shape:
        raise UnreadableFile(f"{path.name}: a volume of three dimensions is needed, but the shape is {shape}.")
    with parsing(path.name, "NIfTI-1"):
        array = np.asanyarray(image.dataobj)
    return array.reshape(shape[:3])
