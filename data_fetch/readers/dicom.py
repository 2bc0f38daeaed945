"""A volume from the files of one DICOM series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_fetch.content import refuse_disguised
from data_fetch.errors import MissingPackage, UnreadableFile
from data_fetch.images import Geometry, Volume
from data_fetch.readers.damage import parsing

if TYPE_CHECKING:
    from pydicom import Dataset

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
_NEEDED = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "SeriesInstanceUID")


def read_series(files: Sequence[Path], modality: str) -> Volume:
    """Read a series of parallel, equally spaced slices, one to a file.

    Slices are ordered by their position along the normal of the image plane, never by file name or instance number.
    Rescale slope and intercept are applied. Array axes are (column, row, slice), so that the geometry's first axis
    runs along a row of the image.

    Parameters
    ----------
    files
        The files of one series, in any order.
    modality
        Name for the result.

    Raises
    ------
    UnreadableFile
        Several series, a slice missing or twice, oblique to one another, of different size, or damaged.
    MissingPackage
        pydicom is not installed.
    """
    if not files:
        raise ValueError("files must name at least one DICOM file, but is empty.")
    with parsing(str(files[0].parent), "DICOM"):
        return _assemble(files[0].parent, [_open(path) for path in files], modality)


def _assemble(folder: Path, slices: list[Dataset], modality: str) -> Volume:
    series = {str(part.SeriesInstanceUID) for part in slices}
    if len(series) > 1:
        raise UnreadableFile(f"{folder}: {len(series)} series lie together: give the files of one.")
    for key in ("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient"):
        if len({str(part[key].value) for part in slices}) > 1:
            raise UnreadableFile(f"{folder}: the slices differ in {key}.")
    along_row, along_column = np.reshape(np.asarray(slices[0].ImageOrientationPatient, dtype=np.float64), (2, 3))
    normal = np.cross(along_row, along_column)
    if not abs(np.linalg.norm(normal) - 1.0) < 1e-3:
        raise UnreadableFile(f"{folder}: the directions of row and column are no orthogonal unit vectors.")
    slices.sort(key=lambda part: float(np.dot(normal, np.asarray(part.ImagePositionPatient, dtype=np.float64))))
    positions = np.array([part.ImagePositionPatient for part in slices], dtype=np.float64)
    step = _slice_step(folder, positions, normal, slices[0])
    row_spacing, column_spacing = (float(value) for value in slices[0].PixelSpacing)
    if not min(row_spacing, column_spacing) > 0.0:
        raise UnreadableFile(f"{folder}: the pixel spacing must be positive, but is {slices[0].PixelSpacing} mm.")
    affine = np.eye(4)
    affine[:3, 0] = _LPS_TO_RAS @ along_row * column_spacing
    affine[:3, 1] = _LPS_TO_RAS @ along_column * row_spacing
    affine[:3, 2] = _LPS_TO_RAS @ step
    affine[:3, 3] = _LPS_TO_RAS @ positions[0]
    affine[:3] *= 1e-3
    values = np.stack([_pixels(part).T for part in slices], axis=-1)
    return Volume(np.ascontiguousarray(values), _geometry(affine), modality)


def _open(path: Path) -> Dataset:
    try:
        import pydicom
    except ImportError:
        raise MissingPackage("DICOM files are read with pydicom: pip install pydicom.") from None
    refuse_disguised(path)
    with parsing(path.name, "DICOM"):
        part = pydicom.dcmread(path)
    missing = [key for key in _NEEDED if key not in part]
    if missing or "PixelData" not in part:
        raise UnreadableFile(f"{path.name}: no image slice: {', '.join(missing) or 'PixelData'} missing.")
    return part


def _pixels(part: Dataset) -> np.ndarray:
    with parsing(str(part.filename), "DICOM"):
        stored = np.asarray(part.pixel_array, dtype=np.float32)
    if stored.ndim != 2:
        raise UnreadableFile(f"{part.filename}: one grey slice to a file is read, but the pixels are {stored.shape}.")
    return stored * np.float32(part.get("RescaleSlope", 1.0)) + np.float32(part.get("RescaleIntercept", 0.0))


def _slice_step(folder: Path, positions: np.ndarray, normal: np.ndarray, first: Dataset) -> np.ndarray:
    if len(positions) == 1:
        thickness = float(first.get("SpacingBetweenSlices") or first.get("SliceThickness") or 0.0)
        if thickness <= 0.0:
            raise UnreadableFile(f"{folder}: a single slice that states no thickness.")
        return normal * thickness
    steps = np.diff(positions, axis=0)
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    spread = float(np.abs(steps - step).max())
    even = spread <= max(0.02 * float(np.linalg.norm(step)), 1e-3)
    if not (even and float(np.dot(step, normal)) > 1e-3):
        gaps = np.round(steps @ normal, 3)
        raise UnreadableFile(f"{folder}: slices are missing, double or unequally spaced: steps {gaps.tolist()} mm.")
    return step


def _geometry(affine: np.ndarray) -> Geometry:
    size = np.linalg.norm(affine[:3, :3], axis=0)
    codes = ""
    left = [0, 1, 2]
    for column in range(3):
        direction = affine[:3, column] / size[column]
        axis = max(left, key=lambda candidate: abs(direction[candidate]))
        left.remove(axis)
        codes += ("RL", "AP", "SI")[axis][int(direction[axis] < 0)]
    return Geometry(affine, (float(size[0]), float(size[1]), float(size[2])), codes)
