"""Stages that estimate the maps of the test heads, and what these are to be compared with."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from scipy import ndimage

from mrrepro.metrics.conductivity_maps import best_blur, boundary_gradient_ratio, relative_map_error, summary_of
from mrrepro.papers.condnet.heads import HEADS, HeadWithImages, below, read_heads
from mrrepro.papers.condnet.maps import (
    COLUMNS,
    DIRECTIONS,
    ConductivityNetwork,
    conductivity_maps,
    normalised_maps,
    rescaled,
)
from mrrepro.papers.condnet.settings import CondNetSettings, ImageSettings, NetworkSettings
from mrrepro.papers.condnet.stages import TRAININGS, TRAININGS_OF_TWO, trained_networks
from mrrepro.papers.condnet.table1 import COLUMN_A
from mrrepro.phantoms.head_tissues import HEAD_TISSUES
from mrrepro.runs.artifacts import Artifact
from mrrepro.runs.files import write_arrays, write_json
from mrrepro.runs.stages import Stage, StageContext
from mrrepro.simulators.coil_on_head import BrainFrame


@dataclass(frozen=True)
class MapSelection:
    """What the maps of the test heads depend on beside heads and networks."""

    images: ImageSettings
    outputs: int


def estimate_maps(context: StageContext[MapSelection]) -> None:
    """Maps of the test heads, and how they differ from those of uniform tissues."""
    outputs = context.settings.outputs
    networks = trained_networks(context.inputs, TRAININGS if outputs == 1 else TRAININGS_OF_TWO, context.device)
    testing = read_heads(context.inputs[HEADS.name], "testing")
    training = read_heads(context.inputs[HEADS.name], "training") if outputs == 1 else []
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    entries = []
    for number, head in enumerate(context.progress(testing, description="maps")):
        normalised = normalised_maps(networks, head.images, context.device)
        estimate = rescaled(networks[0], normalised.mean(axis=0))
        arrays[f"testing_{number}_estimate"] = estimate.astype(np.float16)
        entry: dict[str, Any] = {
            "name": head.name,
            "another_anatomy": head.person.another_anatomy,
            "conductors": [conductor_scores(head, estimate[v], head.uniform(COLUMNS[v])) for v in range(outputs)],
        }
        if outputs == 1:
            alone = [rescaled(networks[0], part)[0] for part in normalised]
            entry |= _controls(context, networks, head, alone, testing[(number + 1) % len(testing)], training)
        entries.append(entry)
    write_arrays(context.workspace / "maps.npz", **arrays)
    write_json(context.workspace / "maps.json", {"heads": entries})


def conductor_scores(
    head: HeadWithImages, estimate: Float32[np.ndarray, "x y z"], uniform: Float32[np.ndarray, "x y z"]
) -> dict[str, Any]:
    """Errors and distributions of one map; tissues that fill no voxel alone are left out."""
    tissues = {}
    for tissue in HEAD_TISSUES[1:]:
        region = head.mask(tissue) & head.pure
        if region.any():
            tissues[tissue] = asdict(summary_of(estimate, region))
    width, explained = best_blur(estimate, uniform, head.head)
    return {
        "relative_error": relative_map_error(estimate, uniform, head.head),
        "largest_in_air": float(estimate[~head.head].max()),
        "gradient_ratio": boundary_gradient_ratio(estimate, uniform, head.labels),
        "blur_voxels": width,
        "blur_explains": explained,
        "tissues": tissues,
    }


def _controls(
    context: StageContext[MapSelection],
    networks: Sequence[ConductivityNetwork],
    head: HeadWithImages,
    alone: Sequence[Float32[np.ndarray, "x y z"]],
    other: HeadWithImages,
    training: Sequence[HeadWithImages],
) -> dict[str, Any]:
    """What the estimate is to be compared with: single directions, another head's images, the mean training map."""
    uniform, inside = head.uniform(COLUMN_A), head.head
    borrowed = np.stack([resampled(image, other, head) for image in other.images])
    strange = conductivity_maps(networks, borrowed, context.device)[0]
    mean_map = np.mean([resampled(one.uniform(COLUMN_A), one, head) for one in training], axis=0)
    missing = below(head.affine, head.labels.shape, context.settings.images.images_end_below_mm)
    neck = np.zeros_like(inside)
    neck[:, :, missing] = inside[:, :, missing]
    mean = np.mean(alone, axis=0)
    found = {
        "directions": [relative_map_error(each, uniform, inside) for each in alone],
        "other_images": relative_map_error(strange, uniform, inside),
        "mean_training_map": relative_map_error(mean_map, uniform, inside),
    }
    if neck.any():
        found["neck"] = relative_map_error(mean, uniform, neck)
        found["elsewhere"] = relative_map_error(mean, uniform, inside & ~neck)
    return found


def resampled(
    volume: Float32[np.ndarray, "a b c"], source: HeadWithImages, target: HeadWithImages
) -> Float32[np.ndarray, "x y z"]:
    """A volume of one head on another's grid, the boxes of their brains on each other; linear, 0 beyond."""
    here, there = BrainFrame.of(target.brain, target.affine), BrainFrame.of(source.brain, source.affine)
    stretch = (there.high - there.low) / (here.high - here.low)
    first = there.low + stretch * (target.affine[:3, 3] - here.low)
    offset = (first - source.affine[:3, 3]) / source.voxel_size
    scale = stretch * target.voxel_size / source.voxel_size
    moved = ndimage.affine_transform(
        np.asarray(volume, np.float32), scale, offset, output_shape=target.labels.shape, order=1
    )
    return np.asarray(moved, np.float32)


def time_map(context: StageContext[NetworkSettings]) -> None:
    """Seconds for the map of a volume of 256^3 voxels in three directions, network untrained."""
    torch.manual_seed(context.derived_seed("weights"))
    networks = [ConductivityNetwork(context.settings.design(1)).to(context.device).eval() for _ in DIRECTIONS]
    images = np.random.default_rng(context.derived_seed("images")).random((2, 256, 256, 256), dtype=np.float32)
    start = time.perf_counter()
    estimate = conductivity_maps(networks, images, context.device)
    seconds = time.perf_counter() - start
    if not math.isfinite(float(estimate.sum())):
        raise RuntimeError("the map of the timing is not finite")
    write_json(context.workspace / "timing.json", {"seconds": seconds, "voxels": 256**3})


def _maps(name: str, trainings: Sequence[Stage], outputs: int) -> Stage:
    return Stage(
        name,
        estimate_maps,
        select=lambda settings: MapSelection(settings.images, outputs),
        inputs=(HEADS, *trainings),
    )


def read_maps(artifact: Artifact) -> list[Float32[np.ndarray, "outputs x y z"]]:
    """Estimated conductivity [S/m] of each test head."""
    arrays = artifact.arrays("maps.npz")
    return [arrays[f"testing_{number}_estimate"].astype(np.float32) for number in range(len(arrays))]


def select_network(settings: CondNetSettings) -> NetworkSettings:
    """The network's settings."""
    return settings.network


MAPS = _maps("condnet/maps", TRAININGS, 1)
MAPS_OF_TWO = _maps("condnet/maps_of_two", TRAININGS_OF_TWO, 2)
TIMING = Stage("condnet/timing", time_map, select=select_network)
