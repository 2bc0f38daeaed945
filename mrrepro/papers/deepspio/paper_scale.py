"""What the chapter trains and simulates, as work that is measured, rehearsed and planned."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch

from mrrepro.networks.variants import build_network
from mrrepro.papers.deepspio.settings import DeepSpioSettings
from mrrepro.papers.deepspio.stages import TRAINING, TrainingSelection, batches_of, sample_stream
from mrrepro.phantoms.brain_images import breast_image
from mrrepro.runs.throughput import ItemWork, PlannedItems, seconds_on
from mrrepro.simulators.bloch import SelectivePulse, slice_profile
from mrrepro.simulators.spio_samples import BodyDistribution, IronOxide, SampleStream, SpioSimulator
from mrrepro.simulators.view_line import ViewLineSequence
from mrrepro.training.losses import SquareThenAbsolute
from mrrepro.training.tasks import SupervisedTask
from mrrepro.training.training_work import TrainingWork


def new_task(settings: DeepSpioSettings) -> SupervisedTask:
    """The stage's task: network, the loss that changes during the run."""
    training = settings.training
    network = build_network(settings.network.network())
    return SupervisedTask(
        network,
        SquareThenAbsolute(training.steps, training.square_fraction),
        training.plan(),
        target=network.target,  # type: ignore[arg-type]
        settings={"settings": asdict(_selection(settings))},
    )


def _selection(settings: DeepSpioSettings) -> TrainingSelection:
    return TrainingSelection(settings.sequence, settings.iron, settings.bodies, settings.network, settings.training)


def simulated_batches(settings: DeepSpioSettings, device: str) -> Callable[[int], Any]:
    """The stage's batches, simulated on the fly, on drawn breasts in the place of the template's slices."""
    generator = np.random.default_rng(0)
    images = torch.tensor(np.stack([breast_image(settings.sequence.size, generator) for _ in range(4)]))
    return batches_of(sample_stream(_selection(settings), images, 0, device), settings.training)


def samples_a_second(device: str, size: int, count: int) -> float:
    """Samples a second of the stream with one to five bodies, as many at once as the device likes."""
    bodies = BodyDistribution()
    simulator = SpioSimulator(ViewLineSequence(size=size), IronOxide(), bodies.reach, device)
    stream = SampleStream(simulator, bodies, torch.ones(1, size, size, device=device), seed=0)
    at_once = simulator.samples_per_pass
    stream.batch(0, at_once)
    seconds = seconds_on(device, lambda: [stream.batch(first, at_once) for first in range(0, count, at_once)])
    return at_once * len(range(0, count, at_once)) / seconds


def spins_a_second(device: str, count: int) -> float:
    """Spins a second through a selective pulse of 200 pieces by the Bloch equations, in NumPy whatever the device."""
    pulse, position = SelectivePulse(np.pi / 2, 1e-3, 0.1), np.linspace(-2e-3, 2e-3, count)
    start = time.perf_counter()
    slice_profile(pulse, position)
    return count / (time.perf_counter() - start)


WORK = (
    TrainingWork(
        "deepspio.multi_decoder",
        "the full multi-decoder network at 256 x 256, samples made on the fly",
        (TRAINING.name,),
        new_task,
        simulated_batches,
        lambda settings: settings.training.steps,
        goal=0.4,
    ),
)

ITEMS = (
    ItemWork(
        "deepspio.view_line",
        "samples of 256 x 256 made a second: bodies, field and View Line images",
        "samples/s",
        full=partial(samples_a_second, size=256, count=1024),
        small=partial(samples_a_second, size=64, count=8),
        small_words="the same at 64 x 64",
        goal=2000.0,
        planned=PlannedItems(
            ("deepspio/training",),
            "samples, made before each step",
            lambda settings: settings.training.samples,
            lambda settings, seconds: seconds * (settings.sequence.size / 256) ** 2,
        ),
    ),
    ItemWork(
        "deepspio.bloch",
        "spins a second through a selective pulse of 200 pieces (the processor, whatever the device)",
        "spins/s",
        full=partial(spins_a_second, count=100_000),
        small=partial(spins_a_second, count=2_000),
        small_words="the same for fewer spins",
        on_processor=True,
    ),
)
