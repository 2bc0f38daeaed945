"""A trained network as a file, and its use on maps of any in-plane voxel size, axial slice by axial slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage

from mrrepro.networks.scaled_generator import ScaledGenerator, build_pix2pix
from mrrepro.papers.dl_ept.measured_maps import Edges
from mrrepro.papers.dl_ept.network_inputs import QUANTITIES, THIRD_INPUTS, measure, off_square, on_square
from mrrepro.phantoms.yee_grid import require_isotropic_voxel
from mrrepro.runs.machine import default_device, require_device
from mrrepro.training.network_files import read_network_file
from mrrepro.validation import require_choice, require_range

VOXEL_TOLERANCE = 1e-3
"""Relative difference of voxel sizes below which nothing is resampled."""

LEAST_WEIGHT = 0.05
"""Part of an interpolated voxel's weight that must come from the mask."""

SLICES_AT_ONCE = 8


@dataclass(frozen=True)
class NetworkFileSettings:
    """What a network's file says about its training, beside `mrrepro.networks.scaled_generator.pix2pix_settings`.

    Parameters
    ----------
    inputs : str
        The third channel: ``mask``, or ``tissue`` for an image with tissue contrast.
    quantity : str
        ``conductivity`` [S/m] or ``relative_permittivity``.
    voxel_size : float
        Of the training [m].
    frequency : float
        [Hz].
    image_size : int
        Side of the training's square images [pixels].
    """

    inputs: str
    quantity: str
    voxel_size: float
    frequency: float
    image_size: int

    def __post_init__(self) -> None:
        require_choice("inputs", self.inputs, THIRD_INPUTS)
        require_choice("quantity", self.quantity, QUANTITIES)
        require_isotropic_voxel(self.voxel_size)
        require_range("frequency", self.frequency, 1e6, 1e9, unit="Hz", remedy="give hertz, 128 MHz being 128e6")
        require_range("image_size", self.image_size, 1)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> NetworkFileSettings:
        """Read the settings of a saved network; ``ValueError`` names what they lack."""
        names = tuple(cls.__dataclass_fields__)
        missing = [name for name in names if name not in settings]
        if missing:
            raise ValueError(f"The network's settings must hold {', '.join(names)}, but lack {', '.join(missing)}.")
        return cls(**{name: settings[name] for name in names})


@dataclass(frozen=True)
class SliceNetwork:
    """A trained two-dimensional generator with what its file says.

    Attributes
    ----------
    network : ScaledGenerator
        Takes the three channels of `mrrepro.papers.dl_ept.network_inputs`, gives the quantity in its unit.
    trained : NetworkFileSettings
    settings, receipt : dict
        As saved in the file.
    path : Path
    """

    network: ScaledGenerator
    trained: NetworkFileSettings
    settings: dict[str, Any]
    receipt: dict[str, Any]
    path: Path

    def predict_maps(
        self,
        magnitude: Float[np.ndarray, "x y z"],
        phase: Float[np.ndarray, "x y z"],
        third: Float[np.ndarray, "x y z"] | None,
        mask: Bool[np.ndarray, "x y z"],
        voxel_size: Edges,
    ) -> Float[np.ndarray, "x y z"]:
        """Return the map [S/m or 1], NaN outside the mask and in voxels of its border that are lost in resampling.

        The maps are normalised over the whole mask, cut to its bounding box and put into the middle of squares.
        ``third`` is the image with tissue contrast; None for the mask.
        """
        image = None if third is None else torch.as_tensor(third)
        seen = measure(torch.as_tensor(magnitude), torch.as_tensor(phase), torch.as_tensor(mask), image)
        x, y, z = (slice(int(index.min()), int(index.max()) + 1) for index in np.nonzero(mask))
        box, inside = (x, y, z), mask[x, y, z]
        channels = torch.stack([seen.magnitude, seen.phase, seen.third]).numpy()[:, x, y, z]
        ratio = tuple(self.trained.voxel_size / edge for edge in voxel_size[:2])
        found = np.full(mask.shape, np.nan, dtype=np.float32)
        if max(abs(each - 1.0) for each in ratio) <= VOXEL_TOLERANCE:
            found[box] = np.where(inside, self._slices(channels), np.nan)
            return found
        shape = tuple(max(1, round(length / each)) for length, each in zip(inside.shape[:2], ratio, strict=True))
        weight = _resampled(inside.astype(np.float64), ratio, shape)
        coarse = weight >= 0.5
        taken = np.stack([_resampled(channel.astype(np.float64), ratio, shape) for channel in channels])
        taken = np.where(coarse, taken / np.maximum(weight, LEAST_WEIGHT), 0.0).astype(np.float32)
        estimate = np.where(coarse, self._slices(taken), 0.0).astype(np.float64)
        back = tuple(1.0 / each for each in ratio)
        weight = _resampled(coarse.astype(np.float64), back, inside.shape[:2])
        values = _resampled(estimate, back, inside.shape[:2]) / np.maximum(weight, LEAST_WEIGHT)
        found[box] = np.where(inside & (weight >= LEAST_WEIGHT), values, np.nan)
        return found

    def _slices(self, channels: Float[np.ndarray, "3 x y z"]) -> Float[np.ndarray, "x y z"]:
        """Return the maps of slices, on squares as large as in the training or as the slices need."""
        sides, multiple = channels.shape[1:3], 2**self.network.generator.size.depth
        needed = multiple * -(-max(sides) // multiple)
        device = next(self.network.parameters()).device
        images = on_square(torch.as_tensor(channels).permute(3, 0, 1, 2), max(self.trained.image_size, needed))
        with torch.inference_mode():
            maps = [self.network(part.to(device))[:, 0].cpu() for part in images.split(SLICES_AT_ONCE)]
        return off_square(torch.cat(maps), sides).permute(1, 2, 0).numpy()


def _resampled(
    values: Float[np.ndarray, "a b z"], ratio: Sequence[float], shape: Sequence[int]
) -> Float[np.ndarray, "c d z"]:
    """Take slices to voxels ``ratio`` times as large, about the same centre; 0 beyond.

    Linear, after a Gaussian of standard deviation (ratio - 1) / 2 voxels where the new ones are larger.
    """
    sides = (*shape, values.shape[2])
    scale = np.array([*ratio, 1.0])
    offset = (np.array(values.shape) - 1) / 2 - scale * (np.array(sides) - 1) / 2
    smooth = ndimage.gaussian_filter(values, np.maximum(0.0, (scale - 1.0) / 2), mode="constant")
    return np.asarray(ndimage.affine_transform(smooth, scale, offset, sides, order=1, mode="grid-constant", cval=0.0))


def read_slice_network(path: Path) -> SliceNetwork:
    """Read a trained generator.

    Raises
    ------
    ValueError
        If the file is missing, truncated or damaged, or holds no network of this chapter.
    """
    saved = read_network_file(path, build_pix2pix)
    try:
        trained = NetworkFileSettings.from_settings(saved.settings)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} does not say what its network was trained for: {error}") from None
    network = saved.network
    assert isinstance(network, ScaledGenerator)
    size = network.generator.size
    if (size.dimensions, size.input_channels, size.output_channels) != (2, 3, 1):
        raise ValueError(
            f"{path} must hold a generator of slices with 3 channels in and 1 out, but it has {size.dimensions} "
            f"dimensions, {size.input_channels} in and {size.output_channels} out."
        )
    return SliceNetwork(network.to(require_device(default_device())), trained, saved.settings, saved.receipt, path)
