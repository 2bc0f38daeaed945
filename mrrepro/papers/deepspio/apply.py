"""Applying a trained network to somebody's own View Line images. No medical device.

Images are taken onto the grid that the network was trained on, the estimate back onto the grid of the images. The
pixel of index n // 2 along each axis is taken to lie at the isocentre, where the middle line is excited.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy import ndimage
from torch import nn

from mrrepro.papers.deepspio.settings import SequenceSettings
from mrrepro.papers.deepspio.shipped import build_from_mapping, shipped_file
from mrrepro.papers.deepspio.stages import predict
from mrrepro.runs.machine import default_device, require_device
from mrrepro.runs.settings import from_plain
from mrrepro.simulators.view_line import ViewLineSequence
from mrrepro.simulators.view_line_stripes import find_stripes
from mrrepro.training.network_files import read_network_file
from mrrepro.validation import require_finite, require_range, require_shape

PIXEL_TOLERANCE = 1e-3
"""Relative difference of pixel sizes below which nothing is resampled: a sixteenth of a pixel at the border of 128."""

LOWEST_MODULATION = 0.15
"""Half of the lowest that held-out samples have; below it there are no stripes whose place could be told."""

OFFSET_SHARE = 0.25
"""Of the line spacing: 0.5 mm by default, where held-out samples reach 0.3 mm."""

FEWEST_PIXELS = 16

Pixel = tuple[float, float]


@dataclass(frozen=True)
class Estimator:
    """A trained network with the acquisition that it was trained on.

    Attributes
    ----------
    network : nn.Module
    sequence : ViewLineSequence
    settings, receipt : dict
        As saved in the file.
    path : Path
    """

    network: nn.Module
    sequence: ViewLineSequence
    settings: dict[str, Any]
    receipt: dict[str, Any]
    path: Path


@dataclass(frozen=True)
class Estimate:
    """What the network says about a stack of slices.

    Attributes
    ----------
    concentration : array, (slices, x, z)
        On the grid of the images [kg/m^3 = ug/mm^3]. 0 beyond the network's field of view; small negative values
        are left as they are estimated.
    resampled : bool
        Whether the images had to be taken onto another grid.
    warnings : tuple of str
        What the images leave in doubt.
    """

    concentration: Float[np.ndarray, "slices x z"]
    resampled: bool
    warnings: tuple[str, ...]


def read_estimator(path: Path | None = None) -> Estimator:
    """Read a network of this chapter; without a path, the one that comes with it.

    Parameters
    ----------
    path : Path, optional
        The ``network.safetensors`` of a training, or a file of `mrrepro.papers.deepspio.shipped.ship`.

    Raises
    ------
    ValueError
        If the file is missing, truncated or damaged, or holds another network.
    """
    chosen = path or shipped_file()
    saved = read_network_file(chosen, build_from_mapping)
    plain = saved.receipt.get("settings", {}).get("sequence") or saved.receipt.get("scale_of_sequence")
    if not plain:
        raise ValueError(f"{chosen} does not say for which acquisition its network was trained: its receipt lacks it.")
    sequence = from_plain(SequenceSettings, plain).sequence()
    network = saved.network.to(require_device(default_device()))
    return Estimator(network, sequence, saved.settings, saved.receipt, chosen)


def estimate_concentration(estimator: Estimator, images: Float[np.ndarray, "slices 2 x z"], pixel: Pixel) -> Estimate:
    """Estimate the concentration of iron in one or several slices.

    Parameters
    ----------
    estimator : Estimator
    images : array, (slices, 2, x, z)
        Magnitude of even and odd lines in any unit, the same for both; z is read and runs along the main field.
    pixel : (float, float)
        Edges of a pixel along x and z [m].

    Raises
    ------
    ValueError
        If the images are not such a stack, hold NaN or a negative value, or a slice of them is 0 everywhere; if
        they have fewer than 16 pixels along an axis, or pixels too large to tell the lines apart.
    """
    _require_images(images)
    sequence = estimator.sequence
    for axis, edge in zip("xz", pixel, strict=True):
        require_range(
            f"the pixel along {axis}",
            edge,
            0.0,
            sequence.line_spacing / 2,
            unit="m",
            low_open=True,
            remedy=f"lines {sequence.line_spacing * 1e3:g} mm apart need smaller pixels; check the affine's unit",
        )
    own, size = (sequence.voxel, sequence.voxel), (sequence.size, sequence.size)
    shape = (images.shape[2], images.shape[3])
    ratios = [abs(a / b - 1.0) for a, b in zip(pixel, own, strict=True)]
    resampled = shape != size or max(ratios) > PIXEL_TOLERANCE
    gridded = resample(images, pixel, own, size, order=3).clip(min=0.0) if resampled else images
    for index, each in enumerate(gridded):
        if not each.any():
            raise ValueError(
                f"slice {index} has no signal within the {sequence.field_of_view * 1e3:g} mm around its centre that "
                "the network was trained on: shift or crop it."
            )
    device = next(estimator.network.parameters()).device
    maps = predict(estimator.network, torch.tensor(gridded, dtype=torch.float32, device=device)).cpu().numpy()
    found = resample(maps, own, pixel, shape, order=1) if resampled else maps
    return Estimate(found, resampled, (*_cut(images, pixel, sequence), *_line_warnings(images, pixel[1], sequence)))


def resample(
    images: Float[np.ndarray, "*batch a b"], pixel: Pixel, to_pixel: Pixel, to_shape: tuple[int, int], order: int
) -> Float[np.ndarray, "*batch c d"]:
    """Take images onto another grid with the same centre, the pixel n // 2; what lies beyond is 0.

    Splines of this order after a Gaussian of standard deviation (r - 1) / 2 pixels, r being the ratio of the pixels
    where the new ones are larger.
    """
    ratio = np.array(to_pixel) / np.array(pixel)
    old, new = np.array(images.shape[-2:]), np.array(to_shape)
    offset = old // 2 - (new // 2) * ratio
    stack = images.reshape(-1, *images.shape[-2:])
    done = np.empty((len(stack), *to_shape), dtype=np.float32)
    for target, image in zip(done, stack, strict=True):
        smooth = ndimage.gaussian_filter(image.astype(np.float64), np.maximum(0.0, (ratio - 1.0) / 2))
        target[...] = ndimage.affine_transform(
            smooth, ratio, offset, tuple(to_shape), order=order, mode="grid-constant", cval=0.0
        )
    return done.reshape(*images.shape[:-2], *to_shape)


def _require_images(images: Float[np.ndarray, "slices 2 x z"]) -> None:
    require_shape("images", images, (None, 2, None, None), "slices, even and odd lines, x, z")
    if not len(images) or min(images.shape[2:]) < FEWEST_PIXELS:
        raise ValueError(
            f"images must be slices of at least {FEWEST_PIXELS} pixels along x and z, but have shape {images.shape}."
        )
    require_finite("images", images)
    lowest = float(images.min())
    if lowest < 0:
        raise ValueError(f"images must be magnitudes, but their lowest value is {lowest:g}: take the absolute value.")
    for index, pair in enumerate(images):
        for name, channel in zip(("even", "odd"), pair, strict=True):
            if not channel.any():
                raise ValueError(f"the image of {name} lines of slice {index} is 0 everywhere: leave it out.")


def _cut(images: Float[np.ndarray, "slices 2 x z"], pixel: Pixel, sequence: ViewLineSequence) -> tuple[str, ...]:
    """A sentence where signal lies beyond the network's field of view."""
    shape = images.shape[2:]
    near = [
        np.abs(np.arange(count) - count // 2) * edge <= sequence.field_of_view / 2
        for count, edge in zip(shape, pixel, strict=True)
    ]
    lost = 1.0 - float(images[..., near[0], :][..., near[1]].sum(dtype=np.float64) / images.sum(dtype=np.float64))
    if lost < 0.01:
        return ()
    edge = sequence.field_of_view * 1e3
    return (f"{lost:.0%} of the signal lies beyond the central {edge:g} mm and was not looked at.",)


def _line_warnings(images: Float[np.ndarray, "slices 2 x z"], pixel: float, sequence: ViewLineSequence) -> list[str]:
    """Sentences about slices whose stripes are not where the network expects them, or cannot be found."""
    spacing, found = sequence.line_spacing, []
    for index, pair in enumerate(images):
        stripes = find_stripes(pair, pixel, sequence)
        if min(each.modulation for each in stripes) < LOWEST_MODULATION:
            found.append(
                f"slice {index}: the line geometry cannot be checked, for stripes {2 * spacing * 1e3:g} mm apart "
                "are not seen in both images."
            )
        elif min(abs(each.offset) for each in stripes) > spacing * (1 - OFFSET_SHARE):
            found.append(f"slice {index}: the images of even and odd lines seem to be exchanged.")
        elif max(abs(each.offset) for each in stripes) > spacing * OFFSET_SHARE:
            offsets = " and ".join(f"{each.offset * 1e3:+.2f}" for each in stripes)
            found.append(
                f"slice {index}: the lines lie {offsets} mm (even and odd) from where the network expects them."
            )
    return found
