"""View Line images of a user's own concentration map: files in, files out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.runs.nifti import Placement, Volume, encode_nifti, read_volume, same_place
from mrrepro.runs.outputs import beside_prefix, require_free, write_together
from mrrepro.simulators.spio_samples import SpioSimulator

IMAGE_DESCRIPTION = "View Line magnitude, {} lines, simulated; mrrepro"


def simulate_to_files(concentration: Path, image: Path, prefix: Path, force: bool = False) -> tuple[Path, Path]:
    """Make View Line images of a user's concentration map and image, with the chapter's sequence and iron.

    Parameters
    ----------
    concentration : Path
        NIfTI, 3D, [ug/mm^3]: cubic voxels, as many along x as along z, an odd number of coronal slabs along y, 0 on
        all faces. The middle slab is imaged.
    image : Path
        NIfTI of the undistorted image, at least 0: one slice where the middle slab is, or a volume on the map's grid.
    prefix : Path
        ``PREFIX_even.nii.gz`` and ``PREFIX_odd.nii.gz`` are written: magnitudes with the middle slab's affine.
    force : bool
        Replace them where they exist.

    Returns
    -------
    (Path, Path)
        The files.

    Raises
    ------
    ValueError
        If a file cannot be used, the grids differ, or `SpioSimulator.simulate_volume` refuses the map.
    """
    outputs = tuple(beside_prefix(prefix, ("even", "odd")).values())
    require_free(outputs, [concentration, image], force)
    source = read_volume(concentration)
    x, y, z = source.voxel
    if max(x, y, z) / min(x, y, z) > 1.01:
        raise ValueError(
            f"{concentration} must have cubic voxels, but has {x * 1e3:.4g} x {y * 1e3:.4g} x {z * 1e3:.4g} mm: "
            "resample it."
        )
    density, slab_affine = _middle_image(source, read_volume(image))
    settings = DeepSpioSettings.at_scale("demo")
    sequence = settings.sequence.sequence()
    size = source.data.shape[0]
    needed = (sequence.line_count - 1) * sequence.line_spacing
    if size * x < needed:
        raise ValueError(
            f"{concentration} must cover the {sequence.line_count} lines, {needed * 1e3:g} mm, but covers "
            f"{size * x * 1e3:.4g} mm along x: pad it with zeros, or check its affine's unit."
        )
    sequence = replace(sequence, size=size, field_of_view=size * x)
    simulator = SpioSimulator(sequence, settings.iron.iron(), reach=x)
    batch = simulator.simulate_volume(torch.tensor(source.data), torch.tensor(density))
    placement = Placement(slab_affine, source.file_placement.codes)
    magnitudes = batch.images[0].abs().numpy()
    write_together(
        {
            path: encode_nifti(path, channel[:, None, :], placement, IMAGE_DESCRIPTION.format(lines))
            for path, channel, lines in zip(outputs, magnitudes, ("even", "odd"), strict=True)
        }
    )
    return outputs[0], outputs[1]


def _middle_image(source: Volume, picture: Volume) -> tuple[Float[np.ndarray, "x z"], Float[np.ndarray, "4 4"]]:
    """The undistorted image in the map's middle slab, and that slab's affine."""
    middle = source.data.shape[1] // 2
    slab = source.affine.copy()
    slab[:3, 3] += middle * slab[:3, 1]
    if picture.data.shape == source.data.shape and same_place(picture.affine, source.affine):
        density = picture.data[:, middle]
    elif picture.data.shape == (source.data.shape[0], 1, source.data.shape[2]) and same_place(
        picture.affine, slab, across_slice=False
    ):
        density = picture.data[:, 0]
    else:
        raise ValueError(
            f"{picture.path} must lie on the grid of {source.path} or on its middle slab, but has shape "
            f"{picture.file_shape} beside {source.file_shape}, or another affine: resample it."
        )
    if not density.any():
        raise ValueError(f"{picture.path} is 0 everywhere in the slice: there is nothing to image.")
    if density.min() < 0:
        raise ValueError(f"{picture.path} must not be negative, but its lowest value is {density.min():g}.")
    return density, slab
