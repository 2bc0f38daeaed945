"""Networks in files that come with a chapter or that a user gives: reading them, and where their weights come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from mrrepro.runs.artifacts import Artifact
from mrrepro.runs.outputs import NO_MEDICAL_DEVICE
from mrrepro.training.checkpoints import SavedNetwork
from mrrepro.training.reduced_precision import load_network_of_any_precision


def read_network_file(path: Path, build: Callable[[Mapping[str, Any]], nn.Module]) -> SavedNetwork:
    """Read a network whose file may be anything.

    Parameters
    ----------
    path : Path
    build : callable
        Makes the chapter's network of given settings; its weights are then replaced.

    Raises
    ------
    ValueError
        If the file is missing, truncated or damaged, or holds another network than ``build`` makes.
    """
    try:
        return load_network_of_any_precision(path, build)
    except FileNotFoundError:
        raise ValueError(f"There is no network file {path}: give --network FILE, or make it anew.") from None
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no network of this chapter that can be read ({error}).") from None


def origin_of(trained: Artifact) -> dict[str, Any]:
    """Return what a shipped network's receipt says of its training."""
    manifest = trained.manifest
    return {
        "no_medical_device": NO_MEDICAL_DEVICE,
        "settings": dict(manifest["settings"]),
        "seed": manifest["seed"],
        "commit": manifest["commit"],
        "code": dict(manifest["code"]),
        "versions": dict(manifest["versions"]),
        "device": manifest["device"],
        "trained": manifest["created"],
    }
