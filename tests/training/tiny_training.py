"""A task that uses everything a checkpoint must hold, run by several tests, here and in other processes."""

import multiprocessing
import os
import signal
from pathlib import Path

import torch
from torch import nn

from mrrepro.training.plan import LearningRateSchedule, TrainingPlan
from mrrepro.training.tasks import SupervisedTask
from mrrepro.training.trainer import fit

STEPS = 40


def plan(**changes):
    fields = {
        "steps": STEPS,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "l2_coefficient": 1e-4,
        "schedule": LearningRateSchedule(warmup_steps=5, decay_from=0.5),
        "gradient_norm_limit": 1.0,
        "report_every": 3,
        "validate_every": 10,
        "checkpoint_seconds": 0.0,
    }
    return TrainingPlan(**{**fields, **changes})


def network(dropout=0.2, normalised=True, width=6):
    torch.manual_seed(3)
    layers = [nn.Conv2d(2, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(dropout)]
    layers += [nn.Conv2d(width, 1, 3, padding=1)]
    return nn.Sequential(*(layer for layer in layers if normalised or not isinstance(layer, nn.BatchNorm2d)))


def batches(number, size=4):
    generator = torch.Generator().manual_seed(1000 + number)
    images = torch.randn(size, 2, 8, 8, generator=generator)
    return images, images[:, :1] * images[:, 1:]


def square(estimate, truth, step):
    return (estimate - truth).square().mean()


def task(training_plan, net=None, loss=square, **settings):
    net = network() if net is None else net
    images, truth = batches(-1, 16)
    return SupervisedTask(
        net,
        loss,
        training_plan,
        validation=lambda trained: {"score": square(trained(images), truth, 0).item()},
        settings=settings,
    )


def main(workspace: str, deaths: str) -> None:
    """Train; die at the given batch number, or while writing the given checkpoint (``w3``)."""
    torch.set_num_threads(1)
    kill = getattr(signal, "SIGKILL", signal.SIGTERM)
    written = 0
    if deaths.startswith("w"):
        synchronise = os.fsync

        def fsync(descriptor):
            nonlocal written
            written += 1
            if written == int(deaths[1:]):
                os.kill(os.getpid(), kill)
            synchronise(descriptor)

        os.fsync = fsync

    def mortal(number):
        if deaths == str(number):
            os.kill(os.getpid(), kill)
        return batches(number)

    training_plan = plan()
    trained = task(training_plan)
    record = fit(trained, mortal, training_plan, Path(workspace), progress=False)
    torch.save({"weights": trained.network.state_dict(), "history": record.history}, Path(workspace) / "final.pt")


def other_processes():
    """Processes that start with the modules already there, where the system can do that; none is a fork of this one."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tiny_training", "torch._dynamo"])
    return context
