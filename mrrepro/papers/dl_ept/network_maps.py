"""Electrical properties from somebody's own maps by trained networks, axial slice by axial slice. No medical device.

The maps are taken to the in-plane voxel size of the training and back; the slices stay where they are. A network's file
is described in `mrrepro.papers.dl_ept.network_inputs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage

from mrrepro.networks.scaled_generator import ScaledGenerator, build_pix2pix
from mrrepro.papers.dl_ept.apply import Reconstruction, doubts
from mrrepro.papers.dl_ept.measured_maps import Edges, MeasuredMaps
from mrrepro.papers.dl_ept.network_inputs import NetworkFileSettings, network_channels
from mrrepro.runs.files import sha256_of
from mrrepro.runs.machine import default_device, require_device
from mrrepro.training.reduced_precision import load_network_of_any_precision

VOXEL_TOLERANCE = 1e-3
"""Relative difference of voxel sizes below which nothing is resampled."""

FREQUENCY_WARNING, FREQUENCY_LIMIT = 0.01, 0.1
"""Relative difference of the training's frequency from the data's that is said, and that is refused."""

LEAST_WEIGHT = 0.05
"""Part of an interpolated voxel's weight that must come from the mask."""

SLICES_AT_ONCE = 8


class MapNetwork(Protocol):
    """What estimates one quantity from measured maps."""

    @property
    def trained(self) -> NetworkFileSettings:
        """Return what it was trained for."""
        ...

    def predict_maps(
        self,
        magnitude: Float[np.ndarray, "x y z"],
        phase: Float[np.ndarray, "x y z"],
        third: Float[np.ndarray, "x y z"] | Bool[np.ndarray, "x y z"],
        mask: Bool[np.ndarray, "x y z"],
        voxel_size: Edges,
    ) -> Float[np.ndarray, "x y z"]:
        """Return the map on the grid of the input, NaN where it is undefined."""
        ...


@dataclass(frozen=True)
class SliceNetwork:
    """A trained two-dimensional generator with what its file says.

    Attributes
    ----------
    network : ScaledGenerator
        Takes the three channels of `network_channels`, gives the quantity in its unit.
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
        third: Float[np.ndarray, "x y z"] | Bool[np.ndarray, "x y z"],
        mask: Bool[np.ndarray, "x y z"],
        voxel_size: Edges,
    ) -> Float[np.ndarray, "x y z"]:
        """Return the map [S/m or 1], NaN outside the mask and in voxels of its border that are lost in resampling."""
        channels = network_channels(magnitude, phase, third, mask)
        box = tuple(slice(int(index.min()), int(index.max()) + 1) for index in np.nonzero(mask))
        inside, channels = mask[box], channels[(slice(None), *box)]
        ratio = tuple(self.trained.voxel_size / edge for edge in voxel_size[:2])
        resampled = max(abs(each - 1.0) for each in ratio) > VOXEL_TOLERANCE
        found = np.full(mask.shape, np.nan, dtype=np.float32)
        if not resampled:
            found[box] = np.where(inside, self._slices(channels), np.nan)
            return found
        shape = tuple(max(1, round(length / each)) for length, each in zip(inside.shape[:2], ratio, strict=True))
        weight = _resampled(inside.astype(np.float64), ratio, shape)
        coarse = weight >= 0.5
        taken = np.stack([_resampled(channel * inside, ratio, shape) for channel in channels])
        taken = np.where(coarse, taken / np.maximum(weight, LEAST_WEIGHT), 0.0).astype(np.float32)
        if self.trained.inputs == "mask":
            taken[2] = coarse
        estimate = np.where(coarse, self._slices(taken), 0.0)
        back = tuple(1.0 / each for each in ratio)
        weight = _resampled(coarse.astype(np.float64), back, inside.shape[:2])
        values = _resampled(estimate.astype(np.float64), back, inside.shape[:2]) / np.maximum(weight, LEAST_WEIGHT)
        found[box] = np.where(inside & (weight >= LEAST_WEIGHT), values, np.nan)
        return found

    def _slices(self, channels: Float[np.ndarray, "3 x y z"]) -> Float[np.ndarray, "x y z"]:
        """Pad slices to sides that the network's depth divides, half on each end, and cut the maps back."""
        multiple = 2**self.network.generator.size.depth
        sides = channels.shape[1:3]
        padded = [multiple * -(-side // multiple) for side in sides]
        first = [(large - side) // 2 for large, side in zip(padded, sides, strict=True)]
        window = tuple(slice(start, start + side) for start, side in zip(first, sides, strict=True))
        device = next(self.network.parameters()).device
        images = torch.zeros((channels.shape[3], 3, *padded), device=device)
        images[:, :, window[0], window[1]] = torch.as_tensor(channels, device=device).permute(3, 0, 1, 2)
        with torch.inference_mode():
            maps = [self.network(part)[:, 0, window[0], window[1]].cpu() for part in images.split(SLICES_AT_ONCE)]
        return torch.cat(maps).permute(1, 2, 0).numpy()


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
    try:
        saved = load_network_of_any_precision(path, build_pix2pix)
    except FileNotFoundError:
        raise ValueError(f"There is no network file {path}.") from None
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no network of this chapter that can be read ({error}).") from None
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
    network = network.to(require_device(default_device()))
    return SliceNetwork(network, trained, saved.settings, saved.receipt, path)


def network_maps(paths: Sequence[Path], measured: MeasuredMaps) -> Reconstruction:
    """Estimate each quantity for which a file is given.

    Raises
    ------
    ValueError
        If a file cannot be used, two files give the same quantity, a network takes what was not measured, or its
        training's frequency is another one.
    """
    if measured.magnitude is None:
        raise ValueError("The networks take the magnitude too: give it, or take --method helmholtz.")
    networks = [read_slice_network(path) for path in paths]
    quantities = [each.trained.quantity for each in networks]
    if len(set(quantities)) < len(quantities):
        raise ValueError(f"Each network file must give another quantity, but they give {', '.join(quantities)}.")
    maps, warnings = {}, []
    for each in networks:
        trained = each.trained
        difference = abs(measured.frequency / trained.frequency - 1.0)
        if difference > FREQUENCY_LIMIT:
            raise ValueError(
                f"{each.path} was trained at {trained.frequency / 1e6:g} MHz, but frequency is "
                f"{measured.frequency / 1e6:g} MHz: take another network, or --method helmholtz."
            )
        if difference > FREQUENCY_WARNING:
            warnings.append(
                f"{each.path.name} was trained at {trained.frequency / 1e6:g} MHz: its map is of that frequency."
            )
        if trained.inputs == "tissue" and measured.tissue is None:
            raise ValueError(f"{each.path} takes an image with tissue contrast: give --tissue FILE.")
        third = measured.mask if trained.inputs == "mask" else measured.tissue
        assert third is not None
        maps[trained.quantity] = each.predict_maps(
            measured.magnitude, measured.phase, third, measured.mask, measured.voxel_size
        )
    valid = np.logical_and.reduce([np.isfinite(values) for values in maps.values()])
    if not valid.any():
        raise ValueError("No voxel of the mask is left at the networks' voxel size: the mask is too thin.")
    shown = {name: np.where(valid, values, np.nan) for name, values in maps.items()}
    return Reconstruction(
        shown, valid, (*warnings, *doubts(shown)), {"method": "network", "networks": _described(networks)}
    )


def _described(networks: Sequence[SliceNetwork]) -> list[dict[str, Any]]:
    return [
        {"file": each.path.name, "sha256": sha256_of(each.path), "settings": each.settings, "receipt": each.receipt}
        for each in networks
    ]
