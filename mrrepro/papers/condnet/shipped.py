"""The small trained networks that come with the chapter, three in one file, and how they are made.

They are the chapter's headline trainings at scale `demo`, seed 0, their weights rounded to float16. To make them again:

    mrrepro ship condnet

which trains first where no finished trainings lie among the artifacts (minutes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from mrrepro.metrics.conductivity_maps import relative_map_error, summary_of
from mrrepro.papers.condnet.heads import HEADS, HeadWithImages, read_heads
from mrrepro.papers.condnet.maps import DIRECTIONS, ConductivityNetwork, conductivity_maps, network_from_settings, read
from mrrepro.papers.condnet.settings import CondNetSettings
from mrrepro.papers.condnet.stages import NETWORK_FILE, TRAININGS
from mrrepro.papers.condnet.table1 import COLUMN_A
from mrrepro.phantoms.head_tissues import HEAD_TISSUES
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.recorded import four_digits
from mrrepro.runs.settings import as_plain
from mrrepro.runs.stages import make
from mrrepro.training.network_files import origin_of, read_network_file
from mrrepro.training.reduced_precision import rounded_copy, save_reduced_network


class ThreeDirections(nn.Module):
    """The networks for sagittal, coronal and axial slices."""

    def __init__(self, networks: Sequence[ConductivityNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def in_order(self) -> list[ConductivityNetwork]:
        """The three, in the order of `DIRECTIONS`."""
        return [network for network in self.networks if isinstance(network, ConductivityNetwork)]


def build_three(settings: Mapping[str, Any]) -> ThreeDirections:
    """Three networks of saved settings; their weights are still random."""
    return ThreeDirections([network_from_settings(settings["network"]) for _ in DIRECTIONS])


def shipped_file() -> Path:
    """The file that comes with the package: ``trained/demo.safetensors``."""
    return Path(__file__).parent / "trained" / "demo.safetensors"


def read_three(path: Path | None = None) -> tuple[list[ConductivityNetwork], dict[str, Any], dict[str, Any]]:
    """Read three networks in evaluation mode, their settings and their receipt; those of the package by default.

    Raises
    ------
    ValueError
        If the file is missing, truncated or damaged, or holds something else.
    """
    saved = read_network_file(path or shipped_file(), build_three)
    assert isinstance(saved.network, ThreeDirections)
    return saved.network.in_order(), saved.settings, saved.receipt


def ship(output: Path | None = None, artifacts: Path | None = None) -> Path:
    """Round the headline networks, measure them on the test heads, and write them with their receipt.

    Parameters
    ----------
    output : Path, optional
        The file; that of the package by default, which is replaced.
    artifacts : Path, optional
        Folder of the artifacts; else ``MRREPRO_ARTIFACTS``, else the cache.

    Returns
    -------
    Path
        The file that was written.
    """
    scale, seed = "demo", 0
    settings, store = CondNetSettings.at_scale(scale), ArtifactStore(artifacts)
    trained = [make(stage, settings, seed, store) for stage in TRAININGS]
    networks = [read(artifact.file(NETWORK_FILE)) for artifact in trained]
    testing = read_heads(make(HEADS, settings, seed, store), "testing")
    chosen = output or shipped_file()
    saved = {"network": networks[0].settings, "voxel_size": settings.heads.voxel_size_mm * 1e-3}
    rounded = [rounded_copy(network) for network in networks]
    receipt = origin_of(trained[0]) | {
        "what": "conductivity of the head from T1- and T2-weighted images (CondNet chapter of mrrepro)",
        "data": "simulated: images of deformed persons of a brain template; no scan was used",
        "scale": scale,
        "settings": as_plain(settings),
        "trainings": {artifact.stage: artifact.key for artifact in trained},
        "precision": "weights float16, biases and normalisation float32",
        "held_out": [held_out_scores(head, networks, rounded) for head in testing],
    }
    save_reduced_network(chosen, ThreeDirections(networks), saved, receipt)
    return chosen


def held_out_scores(
    head: HeadWithImages, exact: Sequence[ConductivityNetwork], rounded: Sequence[ConductivityNetwork]
) -> dict[str, Any]:
    """Errors of the rounded networks on one test head, and what the rounding changed."""
    before, after = (conductivity_maps(networks, head.images)[0] for networks in (exact, rounded))
    medians = {}
    for tissue in HEAD_TISSUES[1:]:
        region = head.mask(tissue) & head.pure
        if region.any():
            medians[tissue] = four_digits(summary_of(after, region).median)
    return {
        "head": head.name,
        "another_anatomy": head.person.another_anatomy,
        "relative_error": four_digits(relative_map_error(after, head.uniform(COLUMN_A), head.head)),
        "largest_change_by_rounding": four_digits(np.abs(after - before).max()),
        "medians": medians,
    }
