"""Electrical properties from somebody's own maps by trained networks. No medical device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mrrepro.papers.dl_ept.apply import Reconstruction, doubts
from mrrepro.papers.dl_ept.measured_maps import MeasuredMaps
from mrrepro.papers.dl_ept.network_files import SliceNetwork, read_slice_network
from mrrepro.papers.dl_ept.shipped import shipped_files
from mrrepro.runs.outputs import described_file

FREQUENCY_WARNING, FREQUENCY_LIMIT = 0.01, 0.1
"""Relative difference of the training's frequency from the data's that is said, and that is refused."""


def network_maps(paths: Sequence[Path], measured: MeasuredMaps) -> Reconstruction:
    """Estimate each quantity for which a file is given; without any, both by the networks of the chapter.

    Raises
    ------
    ValueError
        If a file cannot be used, two files give the same quantity, a network takes what was not measured, or its
        training's frequency is another one.
    """
    if measured.magnitude is None:
        raise ValueError("The networks take the magnitude too: give it, or take --method helmholtz.")
    chosen = paths or shipped_files("mask" if measured.tissue is None else "tissue")
    networks = [read_slice_network(path) for path in chosen]
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
        third = measured.tissue if trained.inputs == "tissue" else None
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
    return [described_file(each.path) | {"settings": each.settings, "receipt": each.receipt} for each in networks]
