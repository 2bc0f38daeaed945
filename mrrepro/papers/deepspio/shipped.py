"""The small trained network that comes with the chapter, and how it is made.

It is the chapter's headline training at scale `demo`, seed 0, its weights rounded to float16. To make it again:

    mrrepro ship deepspio

which trains first where no finished training lies among the artifacts (about ten minutes on one core).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mrrepro.metrics.errors import nmae, region_mean, region_of_interest
from mrrepro.networks.variants import NetworkSettings, build_network
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.papers.deepspio.stages import (
    IMAGES,
    NETWORK_FILE,
    TRAINING,
    TrainingSelection,
    predict,
    read_network,
    sample_stream,
)
from mrrepro.runs.artifacts import Artifact, ArtifactStore
from mrrepro.runs.files import digest_of
from mrrepro.runs.recorded import four_digits
from mrrepro.runs.settings import from_plain
from mrrepro.runs.stages import make
from mrrepro.training.network_files import origin_of
from mrrepro.training.reduced_precision import rounded_copy, save_reduced_network

HELD_OUT_SAMPLES = 200
COMPARED_SAMPLES = 100
FACTOR_SHARE = 90.0
"""Part of the held-out samples whose mean concentration lies within the stated factor [%]."""


@dataclass(frozen=True)
class Shipping:
    """What is shipped.

    Parameters
    ----------
    training : Artifact
        A finished `deepspio/training`.
    images : Artifact
        The `deepspio/images` to test on.
    scale : str
        The scale whose settings the training has.
    """

    training: Artifact
    images: Artifact
    scale: str


def shipped_file() -> Path:
    """The file that comes with the package: ``trained/demo.safetensors``."""
    return Path(__file__).parent / "trained" / "demo.safetensors"


def ship(output: Path | None = None, artifacts: Path | None = None) -> Path:
    """Round the headline network, measure what that costs, and write it with its receipt.

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

    Raises
    ------
    ArtifactError
        If an artifact was altered.
    """
    scale, seed = "demo", 0
    settings, store = DeepSpioSettings.at_scale(scale), ArtifactStore(artifacts)
    trained = make(TRAINING, settings, seed, store)
    shipping = Shipping(trained, make(IMAGES, settings, seed, store), scale)
    chosen = output or shipped_file()
    network = read_network(trained.file(NETWORK_FILE))
    choice = from_plain(TrainingSelection, trained.manifest["settings"]).network.network().as_mapping()
    save_reduced_network(chosen, network, choice, receipt_of(shipping, network, rounded_copy(network)))
    return chosen


def build_from_mapping(settings: Any) -> torch.nn.Module:
    """The network of saved settings."""
    return build_network(NetworkSettings.from_mapping(settings))


def receipt_of(shipping: Shipping, network: torch.nn.Module, rounded: torch.nn.Module) -> dict[str, Any]:
    """Where the weights come from, and how well the network does on samples that it has not seen."""
    source = shipping.images.json("source.json")
    return origin_of(shipping.training) | {
        "what": "concentration of iron from View Line images (DeepSPIO chapter of mrrepro)",
        "data": "simulated: random bodies of iron in images of a brain template; no scan of iron was used",
        "images": {"source": source["source"], "checksums": source["checksums"]},
        "scale": shipping.scale,
        "training_key": shipping.training.key,
        "samples": shipping.training.manifest["settings"]["training"]["samples"],
        "precision": "weights float16, biases and normalisation float32",
        "held_out": held_out_scores(shipping, network, rounded),
    }


def held_out_scores(
    shipping: Shipping, network: torch.nn.Module, rounded: torch.nn.Module, count: int = HELD_OUT_SAMPLES
) -> dict[str, Any]:
    """NMAE and error of the mean concentration on new bodies in the images that were kept for testing.

    ``nmae`` is of the images as the simulator gives and the training sees them; ``nmae_magnitude`` of their
    magnitude, which is what a scanner gives. ``mean_factor`` is the factor within which the mean concentration over
    the body lies, for `FACTOR_SHARE` per cent of the samples, from magnitude images.
    """
    settings = from_plain(TrainingSelection, shipping.training.manifest["settings"])
    images = torch.tensor(shipping.images.arrays("images.npz")["test"])
    stream_seed = int(digest_of(["deepspio/shipped", "held-out", shipping.training.manifest["seed"]])[:15], 16)
    batch = sample_stream(settings, images, stream_seed, "cpu").batch(0, count)
    truth, compared = batch.concentration, min(count, COMPARED_SAMPLES)
    exact = nmae(predict(network, batch.images[:compared]), truth[:compared])
    signed = nmae(predict(rounded, batch.images), truth)
    estimate = predict(rounded, batch.images.abs())
    region = region_of_interest(truth)
    ratio = region_mean(estimate, region) / region_mean(truth, region)
    factor = np.exp(np.abs(np.log(np.maximum(ratio, 1e-6))))
    magnitude = nmae(estimate, truth)
    return {
        "n": count,
        "nmae": four_digits(signed.mean()),
        "nmae_sd": four_digits(signed.std(ddof=1)),
        "nmae_magnitude": four_digits(magnitude.mean()),
        "nmae_magnitude_sd": four_digits(magnitude.std(ddof=1)),
        "rounding_n": compared,
        "rounding_mean_change_of_nmae": four_digits((signed[:compared] - exact).mean()),
        "rounding_largest_change_of_nmae": four_digits(np.abs(signed[:compared] - exact).max()),
        "mean_ratio_median": four_digits(np.median(ratio)),
        "mean_factor": four_digits(np.percentile(factor, FACTOR_SHARE)),
        "mean_factor_share_percent": FACTOR_SHARE,
    }
