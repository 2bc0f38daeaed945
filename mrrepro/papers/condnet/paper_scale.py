"""What the chapter trains and solves, as work that is measured, rehearsed and planned."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch

from mrrepro.papers.condnet.benchmarks import uniform_field_source
from mrrepro.papers.condnet.heads import HeadSelection, Person, image_person
from mrrepro.papers.condnet.maps import ConductivityNetwork
from mrrepro.papers.condnet.reference_models import head_like
from mrrepro.papers.condnet.scanners import TRAINED
from mrrepro.papers.condnet.settings import CondNetSettings, HeadSettings, ImageSettings
from mrrepro.papers.condnet.stages import TRAININGS, TRAININGS_OF_TWO
from mrrepro.runs.throughput import ItemWork, PlannedItems, seconds_on
from mrrepro.solvers.potential_multigrid import Tolerances, solve_potential
from mrrepro.solvers.potential_multigrid_torch import solve_potential_batch
from mrrepro.solvers.potential_sources import edge_line_integrals, induced_source
from mrrepro.solvers.potential_system import PotentialSystem, build_system
from mrrepro.training.cross_entropy import SoftTargetCrossEntropy
from mrrepro.training.slice_batches import SlicePairs
from mrrepro.training.tasks import SupervisedTask
from mrrepro.training.training_work import TrainingWork

HEAD_MM = (196, 254, 200)
"""Edges of the template's head [mm]; a head is cut to itself and padded."""

FILLED = 0.95
"""Part of the slices across an axis that hold a part of the head, about."""


def slice_side(settings: CondNetSettings) -> int:
    """Side of a square that holds every slice of a head, divisible by 2^I [pixel]."""
    multiple = 2**settings.network.depth
    return multiple * math.ceil(max(HEAD_MM) / settings.heads.voxel_size_mm / multiple)


def slices_of(settings: CondNetSettings) -> int:
    """Training slices of one direction, about: those of all heads, less the part kept for validation."""
    across = sum(HEAD_MM) / 3 / settings.heads.voxel_size_mm
    kept = 1.0 - settings.training.validation_share
    return round(settings.heads.training * across * FILLED * kept)


def new_task(settings: CondNetSettings, outputs: int = 1) -> SupervisedTask:
    """The stage's task for one slice direction."""
    network = ConductivityNetwork(settings.network.design(outputs), settings.network.margin)
    plan = settings.training.plan(slices_of(settings), settings.training.epochs)
    return SupervisedTask(network, SoftTargetCrossEntropy(), plan, settings={"outputs": outputs})


def drawn_batches(settings: CondNetSettings, device: str, outputs: int = 1) -> Callable[[int], Any]:
    """The stage's batches from slices of random values, as large as the largest direction's."""
    side, generator = slice_side(settings), torch.Generator().manual_seed(0)
    count = 4 * settings.training.batch_size
    images = torch.randn(count, 2, side, side, generator=generator)
    targets = torch.rand(count, outputs, side, side, generator=generator) * 0.9
    pairs = SlicePairs(images.to(device), targets.to(device))
    return lambda number: pairs.batch(number, settings.training.batch_size, 0)


def steps_of(settings: CondNetSettings, epochs: float) -> int:
    """Steps of one training."""
    return settings.training.plan(slices_of(settings), epochs).steps


@lru_cache(maxsize=1)
def head_in_uniform_fields(voxels: int) -> tuple[PotentialSystem, np.ndarray[Any, Any]]:
    """The system of a head-like conductor, and its sources in uniform fields that change along x, y and z."""
    system, sources = build_system(*head_like(voxels)), []
    for axis in np.eye(3):
        integrals = edge_line_integrals(system, partial(np.cross, 0.5 * axis))
        sources.append(induced_source(system, integrals))
    return system, np.stack(sources)


def seconds_a_coil(device: str, voxels: int, coils: int) -> float:
    """Seconds a source of a batch, to 1e-6; the system is there already."""
    system, uniform = head_in_uniform_fields(voxels)
    sources = np.tensordot(np.random.default_rng(0).standard_normal((coils, 3)), uniform, axes=1)
    solve_potential_batch(system, sources[:1], torch.device(device), Tolerances(1e-2))  # libraries are loaded
    results: list[Any] = []
    seconds = seconds_on(device, lambda: results.extend(solve_potential_batch(system, sources, torch.device(device))))
    if not all(result.converged for result in results):
        raise RuntimeError(f"the solver did not converge: {[result.reason for result in results]}")
    return seconds / coils


def seconds_on_processor(device: str, voxels: int) -> float:
    """Seconds of the chapter's own solver, on the processor whatever the device, set-up and one source to 1e-6."""
    small = build_system(*head_like(16))
    solve_potential(small, [uniform_field_source(small)])  # is compiled
    conductivity, size = head_like(voxels)
    start = time.perf_counter()
    system = build_system(conductivity, size)
    solve_potential(system, [uniform_field_source(system)])
    return time.perf_counter() - start


def seconds_a_head(device: str, voxel_size_mm: float, source: str) -> float:
    """Seconds to build a head and image it, on the processor whatever the device."""
    settings = HeadSelection(HeadSettings(source, voxel_size_mm=voxel_size_mm), ImageSettings())
    start = time.perf_counter()
    image_person(Person(source, 1, False), settings, TRAINED, np.random.default_rng(0))
    return time.perf_counter() - start


WORK = (
    TrainingWork(
        "condnet.one",
        "CondNet of depth 6 on slices of 256 x 256, one conductor",
        tuple(stage.name for stage in TRAININGS),
        new_task,
        drawn_batches,
        lambda settings: steps_of(settings, settings.training.epochs),
        captured=True,
    ),
    TrainingWork(
        "condnet.two",
        "the same with two conductors",
        tuple(stage.name for stage in TRAININGS_OF_TWO),
        partial(new_task, outputs=2),
        partial(drawn_batches, outputs=2),
        lambda settings: steps_of(settings, settings.training.epochs_of_two),
        captured=True,
    ),
)

ITEMS = (
    ItemWork(
        "condnet.tms_batch",
        "a coil at 256^3 in a batch of 16, to 1e-6",
        "s",
        full=partial(seconds_a_coil, voxels=256, coils=16),
        small=partial(seconds_a_coil, voxels=32, coils=4),
        small_words="a coil at 32^3 in a batch of 4, to 1e-6",
        goal=0.2,
    ),
    ItemWork(
        "condnet.tms_alone",
        "a coil at 256^3 alone, to 1e-6",
        "s",
        full=partial(seconds_a_coil, voxels=256, coils=1),
        small=partial(seconds_a_coil, voxels=32, coils=1),
        small_words="a coil at 32^3 alone, to 1e-6",
        goal=0.5,
    ),
    ItemWork(
        "condnet.tms_processor",
        "a coil at 256^3 by the chapter's own solver, set-up included (the processor, whatever the device)",
        "s",
        full=partial(seconds_on_processor, voxels=256),
        small=partial(seconds_on_processor, voxels=32),
        small_words="the same at 32^3",
        on_processor=True,
        planned=PlannedItems(
            ("condnet/fields", "condnet/coil_sweep"),
            "solutions, about",
            lambda settings: 4 * settings.heads.testing + settings.evaluation.angles * len(settings.evaluation.gaps_mm),
            lambda settings, seconds: seconds / settings.heads.voxel_size_mm**3,
        ),
    ),
    ItemWork(
        "condnet.head",
        "a head of 1 mm voxels with its images (the processor, whatever the device)",
        "s",
        full=partial(seconds_a_head, voxel_size_mm=1.0, source="mni152"),
        small=partial(seconds_a_head, voxel_size_mm=8.0, source="folded"),
        small_words="the same with voxels of 8 mm, drawn",
        on_processor=True,
        planned=PlannedItems(
            ("condnet/heads",),
            "heads",
            lambda settings: settings.heads.training + settings.heads.testing,
            lambda settings, seconds: seconds / settings.heads.voxel_size_mm**3,
            over_workers=True,
        ),
    ),
)
