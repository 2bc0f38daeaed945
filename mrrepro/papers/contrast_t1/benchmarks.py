"""Benchmarks of the Contrast T1 chapter: structural similarity as a loss beside MONAI's, and a training step."""

from __future__ import annotations

import importlib.util
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from mrrepro.metrics.regions import RegionMasks
from mrrepro.metrics.structural_similarity import SIGNED_UNIT_RANGE, structural_similarity
from mrrepro.networks.network_size import network_cost
from mrrepro.networks.unet3d import PixToPixUnet3d, UnetSize
from mrrepro.runs import machine
from mrrepro.runs.checks import Benchmark, Measurement
from mrrepro.training.image_losses import mixed_loss

_THESIS_VOLUME = (1, 1, 160, 192, 160)
_MEBIBYTE = 2**20


@dataclass(frozen=True)
class _Cost:
    """Of one forward and backward pass: its loss, its seconds and the memory [MiB] by which the process grew at its peak."""

    loss: float
    seconds: float
    peak_mib: float


def _cost_of_ours(threads: int) -> _Cost:
    return _cost(lambda image, reference: 1.0 - structural_similarity(image, reference, SIGNED_UNIT_RANGE), 3, threads)


def _cost_of_monai(threads: int) -> _Cost:
    from monai.losses import SSIMLoss

    return _cost(SSIMLoss(spatial_dims=3), 1, threads)


def _cost(loss: Callable[[Tensor, Tensor], Tensor], repetitions: int, threads: int) -> _Cost:
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    image, reference = (2 * torch.rand(_THESIS_VOLUME, generator=generator) - 1 for _ in range(2))
    image.requires_grad_()
    small = image.detach()[..., :12, :12, :12].clone().requires_grad_()
    loss(small, reference[..., :12, :12, :12]).mean().backward()  # code is loaded before memory and time count
    machine.reset_peak_memory()
    before, seconds, value = machine.peak_memory_mib(), [], 0.0
    for _ in range(repetitions):
        image.grad = None
        start = time.perf_counter()
        result = loss(image, reference).mean()
        result.backward()
        seconds.append(time.perf_counter() - start)
        value = result.item()
        del result
    if not before:
        raise RuntimeError("this system tells no peak memory: install psutil, or measure on another system.")
    return _Cost(value, min(seconds), machine.peak_memory_mib() - before)


@cache
def _costs() -> tuple[_Cost, _Cost | None]:
    """Run ours and, where it is installed, MONAI's, each in a fresh process with the same number of threads."""
    measures = [_cost_of_ours]
    if importlib.util.find_spec("monai") is not None:
        measures.append(_cost_of_monai)
    costs = []
    for measure in measures:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            costs.append(process.submit(measure, torch.get_num_threads()).result())
    if len(costs) == 1:
        return costs[0], None
    if abs(costs[0].loss - costs[1].loss) > 1e-5:
        raise RuntimeError(f"both must compute the same loss, but ours is {costs[0].loss}, MONAI's {costs[1].loss}.")
    return costs[0], costs[1]


def ssim3d_speed() -> Measurement:
    """Seconds of SSIM forward and backward at 160 x 192 x 160."""
    ours, peer = _costs()
    return Measurement(ours.seconds, None if peer is None else peer.seconds)


def ssim3d_memory() -> Measurement:
    """Peak memory of the same beyond what the process held before, with both volumes; the floor is the gradient."""
    ours, peer = _costs()
    floor = 4 * torch.Size(_THESIS_VOLUME).numel() / _MEBIBYTE
    return Measurement(ours.peak_mib, None if peer is None else peer.peak_mib, floor)


def step_64() -> Measurement:
    """Seconds of a training step of model 0 (64 filters, depth 5) with the mixed loss on one patch of 64^3."""
    return training_step(UnetSize(), side=64)


def training_step(size: UnetSize, side: int) -> Measurement:
    """Seconds of a training step of model 0 with the mixed loss on one cube.

    The floor is its arithmetic, three times that of the forward pass, at the rate of a matrix product measured in the
    same run.

    Parameters
    ----------
    size : UnetSize
        Size of the network.
    side : int
        Side of the cube [voxel].
    """
    network = PixToPixUnet3d(size)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.99))
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(1, size.input_channels, side, side, side, generator=generator)
    target = torch.rand(1, 1, side, side, side, generator=generator)
    inside = torch.ones_like(target, dtype=torch.bool)
    masks, loss = RegionMasks(inside, inside, target > 0.9), mixed_loss()

    def step() -> None:
        optimiser.zero_grad()
        loss(network(images), target, masks).backward()
        optimiser.step()

    square = torch.rand(1024, 1024, generator=generator)
    rate = 2 * 1024**3 / _best_seconds(lambda: square @ square, 5)
    operations = 3 * network_cost(lambda: PixToPixUnet3d(size), tuple(images.shape)).forward_operations
    return Measurement(_best_seconds(step, 3), floor=operations / rate)


def _best_seconds(work: Callable[[], object], repetitions: int) -> float:
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


BENCHMARKS = (
    Benchmark(
        "contrast_t1.ssim3d_speed",
        "SSIM as a loss, forward and backward at 160 x 192 x 160 in float32",
        "s",
        ssim3d_speed,
        peer_name="monai",
        goal=20.0,
    ),
    Benchmark(
        "contrast_t1.ssim3d_memory",
        "peak memory of SSIM as a loss, forward and backward at 160 x 192 x 160, beyond its two volumes",
        "MiB",
        ssim3d_memory,
        peer_name="monai",
        goal=1.0,
    ),
    Benchmark("contrast_t1.step_64", "training step of model 0 with the mixed loss on a patch of 64^3", "s", step_64),
)
