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
from mrrepro.runs.settings import as_plain
from mrrepro.runs.stages import make
from mrrepro.training.reduced_precision import load_network_of_any_precision, save_reduced_network

NO_MEDICAL_DEVICE = "No medical device: for research and teaching, not for diagnosis or treatment."


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
        If the file is damaged or holds something else.
    FileNotFoundError
        If there is none.
    """
    saved = load_network_of_any_precision(path or shipped_file(), build_three)
    assert isinstance(saved.network, ThreeDirections)
    return saved.network.in_order(), saved.settings, saved.receipt


def ship(output: Path | None = None, training: Path | None = None, artifacts: Path | None = None) -> Path:
    """Round the headline networks, measure them on the test heads, and write them with their receipt.

    Parameters
    ----------
    output : Path, optional
        The file; that of the package by default, which is replaced.
    training : Path, optional
        Not used by this chapter, whose network is three trainings; they are found among the artifacts or made.
    artifacts : Path, optional
        Folder of the artifacts; else ``MRREPRO_ARTIFACTS``, else the cache.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ValueError
        If a single training is given.
    """
    if training is not None:
        raise ValueError("--training names one training, but this chapter ships three: leave it out.")
    scale, seed = "demo", 0
    settings, store = CondNetSettings.at_scale(scale), ArtifactStore(artifacts)
    trained = [make(stage, settings, seed, store) for stage in TRAININGS]
    networks = [read(artifact.file(NETWORK_FILE)) for artifact in trained]
    testing = read_heads(make(HEADS, settings, seed, store), "testing")
    chosen = output or shipped_file()
    saved = {"network": networks[0].settings, "voxel_size": settings.heads.voxel_size_mm * 1e-3}
    receipt = {
        "what": "conductivity of the head from T1- and T2-weighted images (CondNet chapter of mrrepro)",
        "no_medical_device": NO_MEDICAL_DEVICE,
        "data": "simulated: images of deformed persons of a brain template; no scan was used",
        "scale": scale,
        "seed": seed,
        "settings": as_plain(settings),
        "trainings": {artifact.stage: artifact.key for artifact in trained},
        "commit": trained[0].manifest["commit"],
        "code": dict(trained[0].manifest["code"]),
        "versions": dict(trained[0].manifest["versions"]),
        "device": trained[0].manifest["device"],
        "trained": trained[0].manifest["created"],
        "precision": "weights float16, biases and normalisation float32",
    }
    save_reduced_network(chosen, ThreeDirections(networks), saved, receipt)
    rounded, _, _ = read_three(chosen)
    receipt["held_out"] = [held_out_scores(head, networks, rounded) for head in testing]
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
            medians[tissue] = _rounded(summary_of(after, region).median)
    return {
        "head": head.name,
        "another_anatomy": head.person.another_anatomy,
        "relative_error": _rounded(relative_map_error(after, head.uniform(COLUMN_A), head.head)),
        "largest_change_by_rounding": _rounded(np.abs(after - before).max()),
        "medians": medians,
    }


def _rounded(value: Any) -> float:
    return float(f"{float(value):.4g}")
