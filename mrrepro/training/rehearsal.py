"""A training at full size for a few steps: how long a step takes, what memory it needs, and that it resumes."""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mrrepro.runs import machine
from mrrepro.runs.throughput import seconds_on
from mrrepro.training.captured_step import WARM_UP_STEPS, captured
from mrrepro.training.plan import TrainingPlan
from mrrepro.training.tasks import Task
from mrrepro.training.trainer import fit
from mrrepro.training.training_work import TrainingWork
from mrrepro.validation import require_range

OPTIONS = ("compiled", "graphs")
"""What can be tried on a step beside running it as the stages do."""


@dataclass(frozen=True)
class Rehearsal:
    """What a few steps showed.

    Parameters
    ----------
    steps, batch_size : int
        Steps made, and samples in each.
    step_seconds : tuple of float
        Of each step; the first one also loads what is needed.
    batch_seconds : float
        Of making a batch, mean.
    peak_memory_mib, peak_device_memory_mib : float
        Of the process, and of the GPU; the latter None on a processor.
    interrupted_after : int
        Step after which the second run was stopped.
    resumed_equal : bool
        Whether the run that was stopped and resumed ended with the same bits as the one that was not.
    """

    steps: int
    batch_size: int
    step_seconds: tuple[float, ...]
    batch_seconds: float
    peak_memory_mib: float
    peak_device_memory_mib: float | None
    interrupted_after: int
    resumed_equal: bool

    @property
    def seconds(self) -> float:
        """Of a step once everything is loaded: the least."""
        return min(self.step_seconds)


class _Stopped(Exception):
    """The batch at which a rehearsal is interrupted."""


class _Timed:
    """A task that notes how long its steps take."""

    def __init__(self, task: Task, device: str) -> None:
        self._task, self._device = task, device
        self.seconds: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def training_step(self, batch: Any, step: int) -> Mapping[str, Tensor]:
        values: Mapping[str, Tensor] = {}

        def work() -> None:
            nonlocal values
            values = self._task.training_step(batch, step)

        self.seconds.append(seconds_on(self._device, work))
        return values


def rehearse(work: TrainingWork, settings: Any, steps: int, device: str, workspace: Path) -> Rehearsal:
    """Train for a few steps, then again with a stop in the middle and from its checkpoint, and compare the weights.

    Parameters
    ----------
    work : TrainingWork
    settings : object
        The chapter's settings; network, batch, loss and optimiser are theirs.
    steps : int
        At least 2.
    device : str
    workspace : Path
        An empty folder for checkpoints.

    Raises
    ------
    ValueError
        If ``steps`` is below 2.
    """
    require_range("steps", steps, 2, remedy="one is needed on either side of the interruption")
    batches, stop = work.batches(settings, device), (steps + 1) // 2
    made: list[float] = []

    def timed(number: int) -> Any:
        batch: list[Any] = []
        made.append(seconds_on(device, lambda: batch.append(batches(number))))
        return batch[0]

    def stopped(number: int) -> Any:
        if number == stop:
            raise _Stopped
        return batches(number)

    with _deterministic(device):
        machine.reset_peak_memory()
        whole, seconds = _train(work, settings, steps, device, workspace / "whole", timed)
        peak, on_device = machine.peak_memory_mib(), machine.peak_device_memory_mib()
        try:
            _train(work, settings, steps, device, workspace / "parts", stopped)
        except _Stopped:
            parts, _ = _train(work, settings, steps, device, workspace / "parts", batches)
    return Rehearsal(
        steps,
        settings.training.batch_size,
        tuple(round(value, 4) for value in seconds),
        round(sum(made) / len(made), 4),
        round(peak, 1),
        None if on_device is None else round(on_device, 1),
        stop,
        whole == parts,
    )


@contextmanager
def _deterministic(device: str) -> Iterator[None]:
    """On a GPU, ask for algorithms that give the same bits each time; a processor has no others."""
    if torch.device(device).type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _train(
    work: TrainingWork, settings: Any, steps: int, device: str, workspace: Path, batches: Callable[[int], Any]
) -> tuple[str, list[float]]:
    """Make the task, train it, and return a digest of its weights and the seconds of its steps."""
    gc.collect()
    with _seeded():
        task = work.task(settings)
        plan: TrainingPlan = replace(
            task.plan,
            steps=steps,
            report_every=1,
            validate_every=None,
            patience=None,
            checkpoint_seconds=0.0,
        )
        timed = _Timed(captured(task, device) if work.captured else task, device)
        fit(timed, batches, plan, workspace, device=device, progress=False)
    return _digest(task), timed.seconds


@contextmanager
def _seeded() -> Iterator[None]:
    """Seed torch's generators, whose states are as before afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def _digest(task: Task) -> str:
    digest = hashlib.sha256()
    for name, module in sorted(task.modules.items()):
        for key, tensor in module.state_dict().items():
            digest.update(f"{name}.{key}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def step_seconds(
    work: TrainingWork, settings: Any, device: str, *, option: str | None = None, most_seconds: float = 2.0
) -> float:
    """Seconds of a step with one batch that is there already: the median of up to 20 after four that do not count.

    Parameters
    ----------
    option : str, optional
        One of `OPTIONS`: ``"compiled"`` by torch.compile, or ``"graphs"``, captured also where stages do not; None runs
        as the stages do.
    most_seconds : float
        No further step is begun after so many.
    """
    with _seeded():
        task = work.task(settings)
        for module in task.modules.values():
            module.to(device).train()
        if option == "compiled":
            for module in work.compiled(task):
                module.compile()
        stepped = captured(task, device) if work.captured or option == "graphs" else task
        batch = work.batches(settings, device)(0)
        for step in range(WARM_UP_STEPS + 1):
            stepped.training_step(batch, step)
        seconds: list[float] = []
        while len(seconds) < 20 and sum(seconds) < most_seconds:
            seconds.append(seconds_on(device, lambda: stepped.training_step(batch, len(seconds))))
        return sorted(seconds)[len(seconds) // 2]
