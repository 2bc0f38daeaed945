"""From a user's files to a concentration map: files in, files out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mrrepro.papers.deepspio.apply import Estimate, Estimator, Pixel, estimate_concentration, read_estimator
from mrrepro.runs.files import read_arrays
from mrrepro.runs.nifti import Placement, Volume, encode_nifti, read_volume, require_nifti_name, same_place
from mrrepro.runs.outputs import applied_report, described_file, report_path, require_free, write_together
from mrrepro.validation import require_range

GEOMETRY_NOTE = (
    "Field strength, gradients, their signs, echo time and the substance cannot be seen in the images: they are taken "
    "to be those of 'sequence' and 'iron'."
)
TILT_LIMIT = np.deg2rad(5.0)
MAP_DESCRIPTION = "iron concentration [ug/mm^3], estimated; mrrepro, no medical device"


@dataclass(frozen=True)
class UserImages:
    """Even and odd lines as read from a user's files.

    Attributes
    ----------
    images : array, (slices, 2, x, z)
    pixel : (float, float)
        [m]
    volume : Volume or None
        The file of even lines, whose grid the estimate goes back to; None for an ``.npz``.
    slice_axis : int
        Of ``volume``, along which the slices are counted.
    """

    images: Float[np.ndarray, "slices 2 x z"]
    pixel: Pixel
    volume: Volume | None = None
    slice_axis: int = 1


def read_pair(even: Path, odd: Path) -> UserImages:
    """Read the magnitude images of even and odd lines.

    Parameters
    ----------
    even, odd : Path
        NIfTI files on one grid: a slice that holds the axis z, or a stack of coronal ones.

    Raises
    ------
    ValueError
        If a file cannot be used (see `mrrepro.runs.nifti.read_volume`), the slices do not hold the axis z, or the
        grids differ.
    """
    volumes = read_volume(even), read_volume(odd)
    if volumes[0].data.shape != volumes[1].data.shape or not same_place(volumes[0].affine, volumes[1].affine):
        raise ValueError(
            f"EVEN and ODD must lie on one grid, but {even} has shape {volumes[0].file_shape} and {odd} has "
            f"{volumes[1].file_shape}, or their affines differ: resample one to the other."
        )
    axis = slice_axis(volumes[0])
    pair = np.stack([np.moveaxis(volume.data, axis, 0) for volume in volumes], axis=1)
    x, y, z = volumes[0].voxel
    return UserImages(pair, (y if axis == 0 else x, z), volumes[0], axis)


def slice_axis(volume: Volume) -> int:
    """The axis along which slices are counted: one of length 1 across z, else y (coronal slices).

    Raises
    ------
    ValueError
        If the slices do not hold the axis z.
    """
    shape = volume.data.shape
    if shape[2] == 1 or (shape[0] == 1 and shape[1] == 1):
        raise ValueError(
            f"{volume.path} must hold slices with the axis z (superior, along the main field) in their plane, but by "
            f"its affine it has shape {shape} along right, anterior, superior: correct the affine or the slices."
        )
    return 0 if shape[0] == 1 else 1


def read_npz(path: Path, field_of_view_mm: float) -> UserImages:
    """Read an ``.npz`` with the array ``images``, (2, x, z) or (slices, 2, x, z), that fill a field of view along z.

    Raises
    ------
    ValueError
        If the file is missing or damaged or holds no such array.
    """
    require_range("field_of_view_mm", field_of_view_mm, 0.0, 1000.0, unit="mm", low_open=True)
    if not path.is_file():
        raise ValueError(f"There is no file {path}.")
    arrays = read_arrays(path)
    if "images" not in arrays:
        raise ValueError(f"{path} must hold an array 'images', but holds {', '.join(arrays) or 'nothing'}.")
    images = arrays["images"]
    if images.dtype.kind not in "fiub":
        raise ValueError(f"images of {path} must be real numbers, but are {images.dtype}: take the magnitude.")
    if images.ndim not in (3, 4) or images.shape[-3] != 2 or 0 in images.shape:
        raise ValueError(f"images of {path} must have shape (2, x, z) or (n, 2, x, z), but have {images.shape}.")
    stack = images.reshape(-1, *images.shape[-3:]).astype(np.float32)
    edge = field_of_view_mm * 1e-3 / stack.shape[-1]
    return UserImages(stack, (edge, edge))


@dataclass(frozen=True)
class Request:
    """What `apply_to_files` is asked.

    Parameters
    ----------
    even : Path
        NIfTI of even lines, or an ``.npz`` with both.
    odd : Path, optional
        NIfTI of odd lines; None with an ``.npz``.
    output : Path
        The map, ``.nii`` or ``.nii.gz``; a ``.json`` goes beside it.
    network : Path, optional
        Another network than the chapter's.
    field_of_view_mm : float, optional
        Of an ``.npz`` along z; that of the network by default. With NIfTI it must agree with the affine.
    force : bool
        Replace existing outputs.
    """

    even: Path
    odd: Path | None
    output: Path
    network: Path | None = None
    field_of_view_mm: float | None = None
    force: bool = False


def apply_to_files(request: Request) -> dict[str, Any]:
    """Estimate a concentration map from files and write it with a JSON that says how it was made.

    Returns
    -------
    dict
        What the JSON holds.

    Raises
    ------
    ValueError
        If an input cannot be used or an output would be replaced; nothing is written then.
    """
    require_nifti_name("output", request.output)
    inputs = [path for path in (request.even, request.odd, request.network) if path is not None]
    beside = report_path(request.output)
    require_free([request.output, beside], inputs, request.force)
    estimator = read_estimator(request.network)
    given = _read(request, estimator)
    estimate = estimate_concentration(estimator, given.images, given.pixel)
    report = _report(request, estimator, given, estimate)
    write_together({beside: report, request.output: _encoded_map(request.output, given, estimate)})
    return report


def _read(request: Request, estimator: Estimator) -> UserImages:
    if request.even.suffix == ".npz":
        if request.odd is not None:
            raise ValueError("An .npz holds even and odd lines: give it alone, or give two NIfTI files.")
        default = estimator.sequence.field_of_view * 1e3
        return read_npz(request.even, default if request.field_of_view_mm is None else request.field_of_view_mm)
    if request.odd is None:
        raise ValueError("Give two NIfTI files, EVEN and ODD, or one .npz with both.")
    given = read_pair(request.even, request.odd)
    covered = given.pixel[1] * given.images.shape[-1] * 1e3
    if request.field_of_view_mm is not None and abs(covered / request.field_of_view_mm - 1.0) > 0.01:
        raise ValueError(
            f"field_of_view_mm is {request.field_of_view_mm:g}, but by its affine {request.even} covers {covered:.4g} "
            "mm along z: leave the option out, or correct the affine."
        )
    return given


def _report(request: Request, estimator: Estimator, given: UserImages, estimate: Estimate) -> dict[str, Any]:
    tilted = given.volume is not None and given.volume.tilt > TILT_LIMIT
    warnings = list(estimate.warnings)
    if tilted and given.volume is not None:
        degrees = np.rad2deg(given.volume.tilt)
        warnings.append(f"The images' axis z is tilted by {degrees:.0f} degrees against the main field.")
    if given.volume is None:
        warnings.append("An .npz has no affine: axes (x, z), square pixels and the centre are taken as said.")
    inputs = {"both": request.even} if request.odd is None else {"even": request.even, "odd": request.odd}
    outputs, maps = {"concentration": request.output}, estimate.concentration
    return applied_report("estimated concentration of iron", inputs, outputs, [*warnings, GEOMETRY_NOTE]) | {
        "unit": "ug/mm^3 (the same number in kg/m^3)",
        "grid": {
            "shape": list(given.images.shape),
            "axes": "slices, even and odd, x, z",
            "pixel_mm": [edge * 1e3 for edge in given.pixel],
            "resampled_to_network": estimate.resampled,
            "network_size": estimator.sequence.size,
            "network_pixel_mm": estimator.sequence.voxel * 1e3,
        },
        "largest_by_slice": [float(f"{each.max():.5g}") for each in maps],
        "sequence": asdict(estimator.sequence),
        "iron": estimator.receipt.get("settings", {}).get("iron"),
        "network": described_file(estimator.path) | {"settings": estimator.settings, "receipt": estimator.receipt},
    }


def _encoded_map(path: Path, given: UserImages, estimate: Estimate) -> bytes:
    if given.volume is not None:
        data = given.volume.in_file_order(np.moveaxis(estimate.concentration, 0, given.slice_axis))
        return encode_nifti(path, data, given.volume.file_placement, MAP_DESCRIPTION)
    x, z = (edge * 1e3 for edge in given.pixel)
    affine = np.diag([x, 1.0, z, 1.0])
    affine[0, 3] = -(given.images.shape[2] // 2) * x
    affine[2, 3] = -(given.images.shape[3] // 2) * z
    return encode_nifti(path, np.moveaxis(estimate.concentration, 0, 1), Placement(affine), MAP_DESCRIPTION)
