"""From a user's T1, T2 and FLAIR to a synthetic post-contrast T1: files in, files out. No medical device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage

from mrrepro.metrics.regions import BACKGROUND
from mrrepro.networks.image_normalization import StandardScoreNormalization
from mrrepro.networks.sliding_window import predict_by_windows
from mrrepro.papers.contrast_t1.own_cohort import require_image, require_one_grid
from mrrepro.papers.contrast_t1.shipped import shipped_file
from mrrepro.papers.contrast_t1.stages import build_from_mapping
from mrrepro.runs.machine import default_device, require_device
from mrrepro.runs.nifti import Volume, encode_nifti, read_volume, require_nifti_name, stem_of
from mrrepro.runs.outputs import applied_report, described_file, report_path, require_free, write_together
from mrrepro.training.checkpoints import SavedNetwork
from mrrepro.training.network_files import read_network_file

DESCRIPTION = "SYNTHETIC post-contrast T1, no contrast agent; mrrepro, no medical device"

MARK = "synthetic"
"""Part of every output's name."""

WINDOW = 32
"""Edge of the cubes that the volume is predicted in [voxel of the network]; they overlap by half."""


@dataclass(frozen=True)
class Request:
    """What `apply_to_files` is asked.

    Parameters
    ----------
    t1, t2, flair : Path
        NIfTI files on one grid, skull stripped or with a mask.
    output : Path
        ``.nii`` or ``.nii.gz``; ``_synthetic`` is put into its name unless it is there. A ``.json`` goes beside it.
    mask : Path, optional
        Brain mask on the same grid; without it the brain is where all three images have signal.
    network : Path, optional
        Another network than the chapter's.
    force : bool
        Replace existing outputs.
    """

    t1: Path
    t2: Path
    flair: Path
    output: Path
    mask: Path | None = None
    network: Path | None = None
    force: bool = False


def marked_name(output: Path) -> Path:
    """The output's path with ``_synthetic`` in its name."""
    if MARK in output.name.lower():
        return output
    stem = stem_of(output).name
    return output.with_name(f"{stem}_{MARK}{output.name.removeprefix(stem)}")


def apply_to_files(request: Request) -> dict[str, Any]:
    """Write a synthetic post-contrast T1 on the grid of the inputs, in the unit of T1, and a JSON of how it was made.

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
    output = marked_name(request.output)
    beside, network = report_path(output), request.network or shipped_file()
    images = {"t1": request.t1, "t2": request.t2, "flair": request.flair}
    inputs = images | ({} if request.mask is None else {"mask": request.mask})
    require_free([output, beside], [*inputs.values(), network], request.force)
    saved, volumes = read_saved(network), [read_volume(path) for path in images.values()]
    mask = None if request.mask is None else read_volume(request.mask)
    patient = request.t1.parent.name or "given"
    require_one_grid(patient, [*volumes, *([] if mask is None else [mask])])
    for volume in volumes:
        require_image(patient, volume)
    brain = brain_of(volumes, mask)
    voxel_mm = float(saved.receipt["voxel_mm"])
    synthetic = synthesize(saved, volumes, brain, voxel_mm)
    placement = volumes[0].file_placement
    encoded = encode_nifti(output, volumes[0].in_file_order(synthetic), placement, DESCRIPTION)
    what = "synthetic post-contrast T1; no contrast agent was given and none of what it shows was measured"
    report = applied_report(what, inputs, {"image": output}) | {
        "brain": "mask" if mask is not None else "where all three images have signal",
        "brain_share": float(brain.mean()),
        "shape": list(volumes[0].file_shape),
        "voxel_mm": [1e3 * edge for edge in volumes[0].voxel],
        "network_voxel_mm": voxel_mm,
        "network": described_file(network) | {"receipt": saved.receipt},
    }
    write_together({beside: report, output: encoded})
    return report | {"path": str(output)}


def read_saved(path: Path) -> SavedNetwork:
    """Read a network of this chapter.

    Raises
    ------
    ValueError
        If the file is missing, truncated or damaged, or holds another network.
    """
    saved = read_network_file(path, build_from_mapping)
    if "voxel_mm" not in saved.receipt:
        raise ValueError(f"{path} does not say for which voxel its network was trained: write it with mrrepro ship.")
    return saved


def brain_of(volumes: list[Volume], mask: Volume | None) -> Bool[np.ndarray, "x y z"]:
    """The brain, from a mask or from where all images have signal.

    Raises
    ------
    ValueError
        If it is empty or, from a mask, fills the volume; if without a mask nothing lies outside, so that the skull
        cannot have been removed.
    """
    brain = mask.data > 0 if mask is not None else np.logical_and.reduce([volume.data != 0 for volume in volumes])
    name = mask.path.name if mask is not None else "the brain found where all images have signal"
    if not brain.any():
        raise ValueError(f"{name} must hold a voxel, but is empty: give a brain mask on the grid of T1.")
    if brain.all():
        raise ValueError(
            f"{name} must leave voxels outside, but fills the whole volume: give a brain mask (--mask), or images "
            "whose skull was removed."
        )
    return np.asarray(brain)


def synthesize(
    saved: SavedNetwork, volumes: list[Volume], brain: Bool[np.ndarray, "x y z"], voxel_mm: float
) -> Float[np.ndarray, "x y z"]:
    """Normalise, take to the network's voxel, predict by sliding windows, and go back to T1's grid and unit.

    Outside the brain T1 itself is kept.
    """
    images = torch.from_numpy(np.stack([volume.data for volume in volumes]))[None]
    inside = torch.from_numpy(brain)[None, None]
    normalize = StandardScoreNormalization()
    scaled, scale = normalize(images, inside)[0].numpy(), normalize.scale(images, inside)
    ratio = np.array([edge * 1e3 / voxel_mm for edge in volumes[0].voxel])
    coarse = np.stack([_resampled(image, ratio) for image in scaled])
    device = require_device(default_device())
    network = saved.network.to(device).eval()
    with torch.no_grad():
        found = predict_by_windows(network, torch.from_numpy(coarse)[None].to(device), WINDOW, WINDOW // 2, BACKGROUND)
    back = _onto(found[0, 0].cpu().numpy(), brain.shape)
    mean, deviation = float(scale.mean[0, 0]), float(scale.standard_deviation[0, 0])
    in_unit_of_t1 = back * (deviation * float(normalize.cut)) + mean
    return np.where(brain, in_unit_of_t1, volumes[0].data).astype(np.float32)


def _resampled(image: Float[np.ndarray, "x y z"], ratio: Float[np.ndarray, 3]) -> Float[np.ndarray, "a b c"]:
    """Average over the larger voxel, then interpolate linearly; at least one voxel is left along each axis."""
    shape = [max(1, round(side * each)) for side, each in zip(image.shape, ratio, strict=True)]
    smooth = ndimage.gaussian_filter(image - BACKGROUND, np.maximum(0.0, (1.0 / ratio - 1.0) / 2.5), mode="nearest")
    return _onto(smooth, tuple(shape)) + BACKGROUND


def _onto(image: Float[np.ndarray, "x y z"], shape: tuple[int, ...]) -> Float[np.ndarray, "a b c"]:
    factors = [new / old for new, old in zip(shape, image.shape, strict=True)]
    return np.asarray(ndimage.zoom(image, factors, order=1, mode="nearest", grid_mode=True), dtype=np.float32)
