"""From images to a conductivity map: three networks, their mean (eq. 2), rescaled (eq. 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from mrrepro.networks.condnet import CondNet, CondNetDesign, rescale
from mrrepro.networks.unit_range import UnitRangeNormalization
from mrrepro.papers.condnet.table1 import COLUMN_A, COLUMN_B
from mrrepro.training.checkpoints import load_network, save_network
from mrrepro.training.slice_batches import padded_to

DIRECTIONS = ("sagittal", "coronal", "axial")
"""Slices at fixed x, y and z."""

COLUMNS: tuple[Mapping[str, float], ...] = (COLUMN_A, COLUMN_B)
"""Of Table I: the first V of them are the conductors of a network with V outputs."""


class ConductivityNetwork(nn.Module):
    """A CondNet for slices across one axis, with the normalisation of its images and the scale of its outputs.

    Parameters
    ----------
    design : CondNetDesign
        U, V, I and kernels.
    margin : float
        tau of eq. 3.
    """

    largest: Float[Tensor, " outputs"]

    def __init__(self, design: CondNetDesign, margin: float = 0.1) -> None:
        super().__init__()
        self.normalization = UnitRangeNormalization()
        self.network = CondNet(design)
        self.margin = margin
        self.register_buffer("largest", torch.tensor([max(column.values()) for column in COLUMNS[: design.outputs]]))

    def forward(self, images: Float[Tensor, "batch inputs height width"]) -> Tensor:
        """Normalised conductivity of normalised slices."""
        return self.network(images)

    @property
    def settings(self) -> dict[str, Any]:
        """What `network_from_settings` needs, as JSON can hold it."""
        return {"design": asdict(self.network.design), "margin": self.margin}


def network_from_settings(settings: Mapping[str, Any]) -> ConductivityNetwork:
    """The network of saved settings; its weights are still random."""
    fields = dict(settings["design"])
    for name in ("encoder_kernel", "convolution_kernel", "map_kernel"):
        if not isinstance(fields[name], int):
            fields[name] = tuple(tuple(row) for row in fields[name])
    return ConductivityNetwork(CondNetDesign(**fields), float(settings["margin"]))


def save(path: Path, network: ConductivityNetwork, receipt: Mapping[str, Any]) -> None:
    """Write one network as safetensors."""
    save_network(path, network, network.settings, receipt)


def read(path: Path) -> ConductivityNetwork:
    """Read one network, in evaluation mode."""
    network = load_network(path, network_from_settings).network
    assert isinstance(network, ConductivityNetwork)
    return network


def normalised_maps(
    networks: Sequence[ConductivityNetwork], images: Float[np.ndarray, "2 x y z"], device: str = "cpu"
) -> Float32[np.ndarray, "direction output x y z"]:
    """Normalised maps of each direction's network alone, in the order of `DIRECTIONS`.

    Parameters
    ----------
    networks : sequence of 3 ConductivityNetwork
        For `DIRECTIONS`, in evaluation mode.
    images : ndarray, (2, x, y, z)
        T1- and T2-weighted image in any unit, axes RAS, with air round the head.
    device : str
        Where to compute.
    """
    first = networks[0]
    scaled = first.normalization(torch.from_numpy(np.asarray(images, np.float32)))
    padded, where = padded_to(scaled, 2**first.network.design.depth)
    padded = padded.to(device)
    maps = []
    for axis, network in enumerate(networks):
        stack = padded.movedim(1 + axis, 0)
        with torch.no_grad():
            parts = [network.network(part) for part in stack.split(8)]
        maps.append(torch.cat(parts).movedim(0, 1 + axis)[(slice(None), *where)])
    return torch.stack(maps).cpu().numpy()


def conductivity_maps(
    networks: Sequence[ConductivityNetwork], images: Float[np.ndarray, "2 x y z"], device: str = "cpu"
) -> Float32[np.ndarray, "output x y z"]:
    """Conductivity [S/m] of the mean of three directions, one map a conductor."""
    return rescaled(networks[0], normalised_maps(networks, images, device).mean(axis=0))


def rescaled(
    network: ConductivityNetwork, normalised: Float[np.ndarray, "output x y z"]
) -> Float32[np.ndarray, "output x y z"]:
    """Eq. 3 for each conductor."""
    maps = [
        rescale(torch.from_numpy(np.ascontiguousarray(part)), float(largest), network.margin).numpy()
        for part, largest in zip(normalised, network.largest, strict=True)
    ]
    return np.stack(maps).astype(np.float32)
