"""What the chapter trains and simulates, as work that is measured, rehearsed and planned."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import torch

from mrrepro.networks.pix2pix import DiscriminatorSize, PatchDiscriminator
from mrrepro.papers.dl_ept.benchmarks import layered_ellipsoid
from mrrepro.papers.dl_ept.cases import cases_of_tests, database_cases
from mrrepro.papers.dl_ept.network_inputs import TYPICAL, SliceSet
from mrrepro.papers.dl_ept.networks import TRAININGS as STAGES
from mrrepro.papers.dl_ept.networks import TrainingSelection, batches_of, new_network
from mrrepro.papers.dl_ept.settings import DlEptSettings
from mrrepro.runs.throughput import ItemWork, PlannedItems
from mrrepro.simulators.birdcage import Birdcage, incident_field, simulate_b1
from mrrepro.solvers.krylov import GmresSettings
from mrrepro.training.adversarial import AdversarialObjective, AdversarialTask
from mrrepro.training.training_work import TrainingWork

_SLICES = 64
_QUANTITY = "conductivity"


def new_task(settings: DlEptSettings) -> AdversarialTask:
    """The stage's task: generator, discriminator, the weights of equation 1."""
    size, training = settings.network, settings.training
    return AdversarialTask(
        new_network(_QUANTITY, size),
        lambda: PatchDiscriminator(
            DiscriminatorSize(base_filters=size.base_filters, strided_layers=size.discriminator_layers)
        ),
        AdversarialObjective(training.gan_weight, training.l1_weight, training.l2_weight),
        training.plan(),
        settings={"settings": asdict(_selection(settings))},
    )


def _selection(settings: DlEptSettings) -> TrainingSelection:
    return TrainingSelection(
        _QUANTITY,
        "mask",
        settings.bodies,
        settings.simulation,
        settings.measurement,
        settings.network,
        settings.training,
    )


def drawn_batches(settings: DlEptSettings, device: str) -> Callable[[int], Any]:
    """The stage's batches with its noise, from discs of random values in the place of the database's slices."""
    size = settings.measurement.image_size
    generator = torch.Generator().manual_seed(0)
    inside = torch.hypot(*torch.meshgrid(*(torch.linspace(-1, 1, size),) * 2, indexing="ij")) < 0.8
    inputs = torch.rand(_SLICES, 3, size, size, generator=generator).add_(0.5) * inside
    truth = torch.rand(_SLICES, 1, size, size, generator=generator) * TYPICAL[_QUANTITY] * inside
    return batches_of(SliceSet(inputs, truth), _selection(settings), 0, device)


def seconds_of_head(device: str, voxel_size: float) -> float:
    """Seconds for both polarisations of a layered ellipsoid of a head's size to 1e-3, the coil's field being there."""
    body, coil = layered_ellipsoid(voxel_size), Birdcage()
    incident_field(coil, body.grid, body.frequency)
    simulate_b1(layered_ellipsoid(4 * voxel_size), coil, GmresSettings(tolerance=1e-2), device=device)  # libraries load
    start = time.perf_counter()
    found = simulate_b1(body, coil, GmresSettings(tolerance=1e-3), device=device)
    if not found.scattering.converged:
        raise RuntimeError(f"the solver did not converge on the layered ellipsoid: {found.scattering.status}")
    found.transmit.cpu()
    return time.perf_counter() - start


WORK = (
    TrainingWork(
        "dl_ept.pix2pix",
        "pix2pix, generator and discriminator, at 256 x 256",
        tuple(stage.name for stage in STAGES.values()),
        new_task,
        drawn_batches,
        lambda settings: settings.training.steps,
        goal=0.4,
        compiled=lambda task: [task.network.generator],
        captured=True,
    ),
)

ITEMS = (
    ItemWork(
        "dl_ept.volume_integral",
        "a head of 3 mm voxels in the birdcage, both polarisations, to a residual of 1e-3",
        "s",
        full=partial(seconds_of_head, voxel_size=0.003),
        small=partial(seconds_of_head, voxel_size=0.010),
        small_words="the same with voxels of 10 mm",
        goal=0.5,
        planned=PlannedItems(
            ("dl_ept/database", "dl_ept/tests"),
            "bodies, the time scaled with the number of voxels",
            lambda settings: (
                len(database_cases(settings.bodies)) + len(cases_of_tests(settings.evaluation.unseen_sets))
            ),
            lambda settings, seconds: seconds * (3.0 / settings.simulation.voxel_size_mm) ** 3,
        ),
    ),
)
