"""The small trained network that comes with the chapter, and how it is made.

It is the chapter's headline training at scale `demo`, seed 0. To make it again:

    mrrepro ship contrast_t1

which trains first where no finished training lies among the artifacts.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from mrrepro.papers.contrast_t1.experiments import EVALUATION, trained_summary
from mrrepro.papers.contrast_t1.settings import ContrastT1Settings
from mrrepro.papers.contrast_t1.stages import NETWORK_FILE, TRAINING, read_network
from mrrepro.runs.artifacts import Artifact, ArtifactStore
from mrrepro.runs.stages import make
from mrrepro.training.checkpoints import save_network
from mrrepro.training.network_files import origin_of


def shipped_file() -> Path:
    """The file that comes with the package: ``trained/demo.safetensors``."""
    return Path(__file__).parent / "trained" / "demo.safetensors"


def ship(output: Path | None = None, artifacts: Path | None = None) -> Path:
    """Write the headline network with its receipt.

    Parameters
    ----------
    output : Path, optional
        The file; that of the package by default, which is replaced.
    artifacts : Path, optional
        Folder of the artifacts; else ``MRREPRO_ARTIFACTS``, else the cache.
    """
    scale, seed = "demo", 0
    settings, store = ContrastT1Settings.at_scale(scale), ArtifactStore(artifacts)
    trained = make(TRAINING, settings, seed, store)
    evaluated = make(EVALUATION, settings, seed, store)
    chosen = output or shipped_file()
    network = read_network(trained.file(NETWORK_FILE))
    save_network(chosen, network, asdict(settings.network), receipt_of(settings, trained, evaluated, scale))
    return chosen


def receipt_of(settings: ContrastT1Settings, trained: Artifact, evaluated: Artifact, scale: str) -> dict[str, Any]:
    """Where the weights come from, and how the network does on patients that it has not seen."""
    return origin_of(trained) | {
        "what": "synthetic post-contrast T1 from T1, T2 and FLAIR (Contrast T1 chapter of mrrepro)",
        "data": "simulated patients; no scan of a patient was used",
        "voxel_mm": settings.cohort.voxel_mm,
        "scale": scale,
        "training_key": trained.key,
        "held_out": trained_summary(evaluated),
    }
