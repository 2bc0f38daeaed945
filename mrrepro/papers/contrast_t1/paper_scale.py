"""What the chapter trains and simulates, as work that is measured, rehearsed and planned."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from mrrepro.networks.unet3d import MODELS
from mrrepro.papers.contrast_t1.cohort import COHORT, patients_needed
from mrrepro.papers.contrast_t1.settings import CohortSettings, ContrastT1Settings
from mrrepro.papers.contrast_t1.stages import TRAINING
from mrrepro.phantoms.glioma import CROP_SHAPE, mni152_template
from mrrepro.runs.artifacts import ArtifactStore
from mrrepro.runs.stages import make
from mrrepro.runs.throughput import ItemWork, PlannedItems
from mrrepro.training.training_work import TrainingWork
from mrrepro.training.volume_tasks import VolumeBatch, VolumeTask

_CASES = 2


def volume_shape(settings: ContrastT1Settings) -> tuple[int, int, int]:
    """Voxels of what a step sees: the crop of the thesis, or a patch."""
    if settings.training.patch:
        return (settings.training.patch,) * 3
    x, y, z = (edge // settings.cohort.voxel_mm for edge in CROP_SHAPE)
    return x, y, z


def new_task(settings: ContrastT1Settings) -> VolumeTask:
    """The stage's task: the model, the loss of the settings."""
    network = MODELS[settings.network.model](settings.network.size())
    plan = settings.training.plan(settings.cohort.train)
    return VolumeTask(network, settings.loss.loss(), plan, settings={"model": settings.network.model})


def drawn_batches(settings: ContrastT1Settings, device: str) -> Callable[[int], Any]:
    """Batches of patients of random values with a ball for a brain and one for a tumor, stored as the stage does."""
    shape, size = volume_shape(settings), settings.training.batch_size
    generator = torch.Generator().manual_seed(0)
    radius = torch.stack(torch.meshgrid(*(torch.linspace(-1, 1, n) for n in shape), indexing="ij")).norm(dim=0)
    brain, tumor = (radius < 0.8)[None], (radius < 0.3)[None]
    cases = []
    for _ in range(_CASES):
        images = torch.rand(4, *shape, generator=generator).mul_(1.6).sub_(0.8)
        images[:, ~brain[0]] = -1.0
        case = VolumeBatch(images[:3], images[3:], brain, tumor, (images[3:] > 0.5) & tumor)
        cases.append(VolumeBatch(case.inputs.half(), case.target.half(), *case[2:]).to(device))

    def batch(number: int) -> tuple[torch.Tensor, ...]:
        chosen = [cases[(number * size + k) % _CASES] for k in range(size)]
        inputs, target, *masks = (torch.stack(volumes) for volumes in zip(*chosen, strict=True))
        return inputs.float(), target.float(), *masks

    return batch


def seconds_a_patient(device: str, voxel_mm: int) -> float:
    """Seconds a patient of the stage that makes the cohort, eight at once, on a processor whatever the device."""
    few = CohortSettings(voxel_mm=voxel_mm, train=2, validation=2, test=4, labelled=4)
    mni152_template(voxel_mm)  # is read once, however many patients there are
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        make(COHORT, ContrastT1Settings(cohort=few), 0, ArtifactStore(Path(folder)), progress=False, device="cpu")
        return (time.perf_counter() - start) / patients_needed(few)


def pass_of_network(task: VolumeTask, batch: tuple[torch.Tensor, ...]) -> None:
    """Forward and backward pass without the loss, which looks at its masks' values."""
    inputs = batch[0]
    with task.plan.autocast(inputs.device):
        estimate = task.network(inputs)
    estimate.float().square().mean().backward()


def _work(model: int, patch: int, quantity: str, stages: tuple[str, ...] = ()) -> TrainingWork:
    return TrainingWork(
        f"contrast_t1.model{model}" + (f"_patch{patch}" if patch else ""),
        quantity,
        stages,
        new_task,
        drawn_batches,
        lambda settings: settings.training.plan(settings.cohort.train).steps,
        {"network.model": model, "training.patch": patch},
        {"network.model": model},
        captured=True,
        counted=pass_of_network,
    )


WORK = (
    _work(0, 0, "model 0 of 64 filters on volumes of 160 x 192 x 160, the mix of losses", (TRAINING.name,)),
    _work(0, 96, "model 0 on patches of 96^3, the mix of losses"),
    _work(1, 0, "model 1 of 64 filters on volumes of 160 x 192 x 160, the mix of losses"),
    _work(4, 96, "model 4 on patches of 96^3, the mix of losses"),
)

ITEMS = (
    ItemWork(
        "contrast_t1.patient",
        "a simulated patient of 160 x 192 x 160 voxels, normalised and kept (the processor, whatever the device)",
        "s",
        full=partial(seconds_a_patient, voxel_mm=1),
        small=partial(seconds_a_patient, voxel_mm=4),
        small_words="the same with voxels of 4 mm",
        on_processor=True,
        planned=PlannedItems(
            ("contrast_t1/cohort",),
            "patients",
            lambda settings: patients_needed(settings.cohort),
            lambda settings, seconds: seconds / settings.cohort.voxel_mm**3,
            over_workers=True,
        ),
    ),
)
