"""From a user's T1- and T2-weighted images to a conductivity map: files in, files out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy import ndimage

from mrrepro.networks.head_outline import head_outline
from mrrepro.papers.condnet.maps import conductivity_maps
from mrrepro.papers.condnet.settings import StimulationSettings
from mrrepro.papers.condnet.shipped import read_three, shipped_file
from mrrepro.runs.nifti import Placement, Volume, encode_nifti, read_volume, require_nifti_name, same_place
from mrrepro.runs.outputs import applied_report, described_file, report_path, require_free, write_together
from mrrepro.solvers.induced_fields import one_conductor
from mrrepro.validation import require_range

OUTPUT_VOXEL = 1e-3
"""Edge of the map's voxels [m], as in the paper."""

LARGEST_EXTENT = 0.5
"""Largest field of view [m] along an axis: more is taken for a wrong unit."""

MAP_DESCRIPTION = "conductivity [S/m], estimated; mrrepro, no medical device"

CONTRAST_NOTE = (
    "Sequences, field strength and health cannot be seen by the networks: they were trained on simulated images of "
    "one scanner and 13 healthy tissues, and what they were not trained on has an arbitrary value."
)


@dataclass(frozen=True)
class Request:
    """What `apply_to_files` is asked.

    Parameters
    ----------
    t1_weighted, t2_weighted : Path
        NIfTI, 3D, of one head; orientations and grids may differ, world coordinates must not.
    output : Path
        The map, ``.nii`` or ``.nii.gz``; a ``.json`` goes beside it.
    network : Path, optional
        Another file of three networks than the chapter's.
    force : bool
        Replace existing outputs.
    """

    t1_weighted: Path
    t2_weighted: Path
    output: Path
    network: Path | None = None
    force: bool = False


def apply_to_files(request: Request) -> dict[str, Any]:
    """Estimate a conductivity map [S/m] from files and write it with a JSON that says how it was made.

    The images are resampled to cubic voxels of the size that the networks were trained with, and the map to 1 mm,
    axes right, anterior, superior. It is 0 outside of the head's outline in the images, and where the estimate is below
    `StimulationSettings.air_below` or not joined to the head.

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
    beside = report_path(request.output)
    inputs = [path for path in (request.t1_weighted, request.t2_weighted, request.network) if path is not None]
    require_free([request.output, beside], inputs, request.force)
    networks, settings, receipt = read_three(request.network)
    images = [_read(path) for path in (request.t1_weighted, request.t2_weighted)]
    voxel = float(settings["voxel_size"])
    grid = WorldGrid.around(images[0], voxel)
    stack = np.stack([grid.sample(image) for image in images])
    outline = outline_of(stack)
    estimated = np.where(outline, conductivity_maps(networks, stack)[0], 0.0)
    coarse, head = one_conductor(estimated, StimulationSettings().air_below)
    fine = WorldGrid.around(images[0], OUTPUT_VOXEL)
    estimate = fine.refined(coarse, head, grid)
    report = _report(request, images, receipt, voxel, estimate)
    content = encode_nifti(request.output, estimate, Placement(fine.affine_mm()), MAP_DESCRIPTION)
    write_together({beside: report, request.output: content})
    return report


@dataclass(frozen=True)
class WorldGrid:
    """Cubic voxels along the world's axes.

    Parameters
    ----------
    first : Float[ndarray, "3"]
        Centre of voxel (0, 0, 0) [m].
    voxel_size : float
        [m].
    shape : tuple of 3 int
        Voxels along x, y, z.
    """

    first: Float[np.ndarray, 3]
    voxel_size: float
    shape: tuple[int, int, int]

    @classmethod
    def around(cls, volume: Volume, voxel_size: float) -> WorldGrid:
        """The grid that holds a volume's box."""
        ends = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in volume.data.shape])).reshape(3, -1)
        corners = (volume.affine[:3, :3] @ ends + volume.affine[:3, 3:]) * 1e-3
        low, high = corners.min(axis=1), corners.max(axis=1)
        counts = np.ceil((high - low) / voxel_size - 1e-3).astype(int)
        first = 0.5 * (low + high) - 0.5 * (counts - 1) * voxel_size
        return cls(first, voxel_size, (int(counts[0]), int(counts[1]), int(counts[2])))

    def affine_mm(self) -> Float[np.ndarray, "4 4"]:
        """From voxel index to world [mm]."""
        affine = np.diag([*[self.voxel_size * 1e3] * 3, 1.0])
        affine[:3, 3] = self.first * 1e3
        return affine

    def sample(self, volume: Volume) -> Float32[np.ndarray, "x y z"]:
        """A volume on this grid: linear, after a Gaussian as wide as the voxels are coarser; 0 beyond the volume."""
        ratio = self.voxel_size / np.array(volume.voxel)
        data = ndimage.gaussian_filter(volume.data, 0.5 * np.sqrt(np.maximum(ratio**2 - 1.0, 0.0)))
        to_index = np.linalg.inv(volume.affine) @ self.affine_mm()
        within = _moved(np.ones_like(data), to_index, self.shape, "grid-constant") >= 0.5
        return np.where(within, _moved(data, to_index, self.shape, "nearest"), 0.0).astype(np.float32)

    def refined(
        self, values: Float32[np.ndarray, "a b c"], inside: Bool[np.ndarray, "a b c"], grid: WorldGrid
    ) -> Float32[np.ndarray, "x y z"]:
        """Another grid's values on this one: linear over the inside, 0 where half of the weight is outside."""
        to_index = np.linalg.inv(grid.affine_mm()) @ self.affine_mm()
        parts = [
            _moved(part, to_index, self.shape, "grid-constant")
            for part in (np.where(inside, values, 0.0), inside.astype(np.float32))
        ]
        mean = parts[0] / np.maximum(parts[1], 1e-6)
        return np.where(parts[1] >= 0.5, mean, 0.0).astype(np.float32)


def _moved(
    values: Float[np.ndarray, "a b c"], to_index: Float[np.ndarray, "4 4"], shape: tuple[int, int, int], mode: str
) -> Float[np.ndarray, "x y z"]:
    """Interpolate linearly; ``mode`` says what lies beyond the outermost voxels' centres."""
    return np.asarray(
        ndimage.affine_transform(values, to_index[:3, :3], to_index[:3, 3], output_shape=shape, order=1, mode=mode)
    )


def outline_of(images: Float32[np.ndarray, "2 x y z"]) -> Bool[np.ndarray, "x y z"]:
    """The head's outline in the images.

    Raises
    ------
    ValueError
        If no head, or no air, can be seen.
    """
    outline = head_outline(images)
    if outline.mean() > 0.97:
        raise ValueError(
            "the images must show air round the head, but nearly every voxel is bright: give images that are neither "
            "cropped to the head nor scaled by a constant offset."
        )
    return outline


def _read(path: Path) -> Volume:
    volume = read_volume(path)
    if min(volume.data.shape) < 8:
        raise ValueError(f"{path} must hold a 3D volume of at least 8 slices, but has shape {volume.file_shape}.")
    for axis, (count, edge) in enumerate(zip(volume.data.shape, volume.voxel, strict=True)):
        require_range(
            f"extent of {path} along {'xyz'[axis]}", count * edge, 0.05, LARGEST_EXTENT, unit="m",
            remedy="check the unit of its affine",
        )  # fmt: skip
    if float(volume.data.max()) <= float(volume.data.min()):
        raise ValueError(f"{path} has the same value everywhere: it shows no head.")
    return volume


def _report(
    request: Request,
    images: list[Volume],
    receipt: dict[str, Any],
    voxel: float,
    estimate: Float32[np.ndarray, "x y z"],
) -> dict[str, Any]:
    first, second = images
    same = first.data.shape == second.data.shape and same_place(first.affine, second.affine)
    warnings = [CONTRAST_NOTE]
    if not same:
        warnings.insert(0, "The two images lie on different grids; both were resampled by their affines.")
    inputs = {"t1_weighted": request.t1_weighted, "t2_weighted": request.t2_weighted}
    outputs = {"conductivity": request.output}
    return applied_report("estimated conductivity of the head", inputs, outputs, warnings) | {
        "unit": "S/m",
        "grid": {
            "shape": list(estimate.shape),
            "voxel_mm": OUTPUT_VOXEL * 1e3,
            "axes": "right, anterior, superior",
            "network_voxel_mm": voxel * 1e3,
            "input_voxel_mm": [[edge * 1e3 for edge in image.voxel] for image in images],
            "images_on_one_grid": same,
        },
        "head_volume_l": float(f"{(estimate > 0).sum() * OUTPUT_VOXEL**3 * 1e3:.4g}"),
        "percentiles": {
            str(q): float(f"{np.percentile(estimate[estimate > 0], q):.4g}") for q in (5, 25, 50, 75, 95, 99)
        },
        "network": described_file(request.network or shipped_file()) | {"receipt": receipt},
    }
