"""NIfTI volumes as a user gives them: read with their place in space, written back on the same grid.

Inside, the axes are those of NIfTI's world: x towards right (R), y towards anterior (A), z towards superior (S), which
is along the main field where the file's affine gives scanner coordinates. A file may hold its axes in any order and
direction; its affine says which.
"""

from __future__ import annotations

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from mrrepro.validation import require_finite

_MILLIMETRES = {"unknown": 1.0, "mm": 1.0, "micron": 1e-3, "meter": 1e3}
_RAS = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
SUFFIXES = (".nii", ".nii.gz")


@dataclass(frozen=True)
class Placement:
    """Where a file says that its voxels lie.

    Attributes
    ----------
    affine : array, (4, 4)
        From indices to ``unit``.
    codes : (int, int)
        Of qform and sform: 1 for scanner coordinates.
    unit : str
        A spatial unit of NIfTI.
    """

    affine: Float[np.ndarray, "4 4"]
    codes: tuple[int, int] = (1, 1)
    unit: str = "mm"


@dataclass(frozen=True)
class Volume:
    """A volume in the order R, A, S, and how its file held it.

    Attributes
    ----------
    path : Path
    data : array, (x, y, z)
        float32; a file of one 2D slice has an axis of length 1.
    affine : array, (4, 4)
        From the indices of ``data`` to the scanner's millimetres.
    file_placement : Placement
        The same for the indices of the file, as it stands there.
    file_shape : tuple of int
    orientation : array, (3, 2)
        Axis and direction in ``data`` of each axis of the file, as nibabel writes it.
    """

    path: Path
    data: Float[np.ndarray, "x y z"]
    affine: Float[np.ndarray, "4 4"]
    file_placement: Placement
    file_shape: tuple[int, ...]
    orientation: Float[np.ndarray, "3 2"]

    @property
    def voxel(self) -> tuple[float, float, float]:
        """Edges of a voxel along x, y, z [m]."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0) * 1e-3
        return float(x), float(y), float(z)

    @property
    def tilt(self) -> float:
        """Angle between the axis z of ``data`` and the scanner's [rad]."""
        column = self.affine[:3, 2]
        return math.acos(min(1.0, abs(float(column[2])) / float(np.linalg.norm(column))))

    def in_file_order(self, data: Float[np.ndarray, "x y z"]) -> Shaped[np.ndarray, ...]:
        """Bring an array of the shape of ``data`` into the order and shape of the file."""
        from nibabel.orientations import apply_orientation, ornt_transform

        return np.asarray(apply_orientation(data, ornt_transform(_RAS, self.orientation))).reshape(self.file_shape)


def read_volume(path: Path, finite: bool = True) -> Volume:
    """Read a NIfTI file of a 2D slice or a 3D volume.

    Parameters
    ----------
    path : Path
        Ends in ``.nii`` or ``.nii.gz``; real numbers.
    finite : bool
        Refuse NaN and infinity. False where a mask says later which voxels count.

    Raises
    ------
    ValueError
        If the file is missing or no readable NIfTI, has not two or three axes, says nowhere where it lies (neither
        qform nor sform) or nonsense, or holds complex numbers, or NaN or infinity where ``finite`` refuses them.
    """
    nibabel = _nibabel()
    if not path.is_file():
        raise ValueError(f"There is no file {path}.")
    try:
        image = nibabel.load(path)
        if not isinstance(image, nibabel.Nifti1Image):
            raise ValueError("another format")
        data = np.asarray(image.dataobj)
    except (nibabel.filebasedimages.ImageFileError, OSError, EOFError, ValueError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read as NIfTI ({error}): check or replace the file.") from None
    if data.dtype.kind not in "fiub":
        raise ValueError(f"{path} must hold real numbers, but holds {data.dtype}: write the magnitude.")
    if data.ndim not in (2, 3) or 0 in data.shape:
        raise ValueError(
            f"{path} must hold a 2D slice or a 3D volume, but has shape {data.shape}: split it into such files first."
        )
    codes = (int(image.header["qform_code"]), int(image.header["sform_code"]))
    if codes == (0, 0):
        raise ValueError(
            f"{path} has no affine (qform and sform codes are 0), so its orientation is unknown: write one with the "
            "tool that made the file."
        )
    if finite:
        require_finite(str(path), data)
    return _oriented(path, data, Placement(image.affine, codes, image.header.get_xyzt_units()[0]))


def _oriented(path: Path, data: Shaped[np.ndarray, ...], placement: Placement) -> Volume:
    from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

    file_affine = np.asarray(placement.affine, dtype=np.float64)
    matrix = file_affine[:3, :3]
    lengths = np.linalg.norm(matrix, axis=0)
    if not np.isfinite(file_affine).all() or (lengths == 0).any():
        raise ValueError(f"{path} has an affine with an axis of length 0 or NaN: write a valid one.")
    cosines = (matrix / lengths).T @ (matrix / lengths) - np.eye(3)
    if np.abs(cosines).max() > 1e-2:
        raise ValueError(f"{path} has an affine with axes that are not at right angles: resample it to such axes.")
    spatial = data.reshape(*data.shape, 1) if data.ndim == 2 else data
    orientation = io_orientation(file_affine)
    affine = file_affine @ inv_ornt_aff(orientation, spatial.shape)
    affine[:3] *= _MILLIMETRES[placement.unit]
    ordered = np.ascontiguousarray(apply_orientation(spatial, orientation), dtype=np.float32)
    return Volume(path, ordered, affine, placement, data.shape, orientation)


def same_place(one: Shaped[np.ndarray, ...], other: Shaped[np.ndarray, ...], across_slice: bool = True) -> bool:
    """Tell whether two affines in mm put a voxel at the same place, within a tenth of its edge a hundred voxels off.

    Without ``across_slice`` the axis y may differ: the slices are then as thick as they like.
    """
    columns = [0, 1, 2, 3] if across_slice else [0, 2, 3]
    edge = float(np.linalg.norm(one[:3, :3], axis=0).min())
    allowed = np.array([1e-3 * edge if column < 3 else 0.1 * edge for column in columns])
    return bool((np.abs(one[:3, columns] - other[:3, columns]) <= allowed).all())


def require_nifti_name(name: str, path: Path) -> None:
    """Raise ``ValueError`` unless a path ends as NIfTI files do."""
    if not path.name.endswith(SUFFIXES):
        raise ValueError(f"{name} must end in {' or '.join(SUFFIXES)}, but is {path}.")


def stem_of(path: Path) -> Path:
    """The path without ``.nii`` or ``.nii.gz``."""
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".nii"))


def encode_nifti(path: Path, data: Shaped[np.ndarray, ...], placement: Placement, description: str) -> bytes:
    """Return the bytes of a NIfTI file of float32 numbers; the same input gives the same bytes.

    Parameters
    ----------
    path : Path
        Its name says whether the bytes are compressed.
    data : array
    placement : Placement
    description : str
        For the header's ``descrip``, at most 79 characters.

    Raises
    ------
    ValueError
        If the description is too long.
    """
    nibabel = _nibabel()
    if len(description.encode()) > 79:
        raise ValueError(f"description must have at most 79 bytes, but is {description!r}.")
    image = nibabel.Nifti1Image(np.asarray(data, dtype=np.float32), placement.affine)
    image.set_qform(placement.affine, placement.codes[0])
    image.set_sform(placement.affine, placement.codes[1])
    image.header.set_xyzt_units(placement.unit)
    image.header["descrip"] = description.encode()
    content: bytes = image.to_bytes()
    return gzip.compress(content, mtime=0) if path.name.endswith(".gz") else content


def _nibabel() -> Any:
    try:
        import nibabel
    except ImportError:
        raise ValueError("NIfTI files are read with nibabel, which is not installed: pip install nibabel.") from None
    return nibabel
