"""A chapter's training as work: how long, how large a step, what a step costs, without running it.

The cost of a step is counted on tensors that have shapes but no values: the task's own step, forward and backward, so
that a discriminator or a loss in three dimensions is in it.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from mrrepro.networks.network_size import count_weights
from mrrepro.training.plan import TrainingPlan
from mrrepro.training.tasks import Task


class PlannedTask(Task, Protocol):
    """A task that carries the plan of its training."""

    @property
    def plan(self) -> TrainingPlan: ...  # noqa: D102


_CACHED = type(functools.lru_cache(lambda: None))

BYTES_A_WEIGHT = 4 * (2 + 2 + 6)
"""Read in the forward and the backward pass, a gradient written and read, and Adam's three reads and writes each."""


@dataclass(frozen=True)
class TrainingWork:
    """What is trained in a chapter.

    Parameters
    ----------
    id : str
        ``<chapter>.<network>``.
    quantity : str
        Network and size of its input, in words.
    stages : tuple of str
        Names of the stages that train so, each once with its own data.
    task : callable
        From the chapter's settings to a freshly made `PlannedTask`.
    batches : callable
        From settings and device to a function from a number to a batch on that device, with the values and the
        expense that the stage's own batches have, or made from random values where the stage reads them from a disk.
    steps : callable
        From settings to the optimiser's steps of one training.
    changes : mapping
        Settings of the chapter, by dotted name, in which this differs from the scale's own.
    small_changes : mapping
        The same at scale smoke, where a processor measures it.
    goal : float, optional
        Share of the device's matrix rate that a step should reach at its best batch size.
    compiled : callable
        From a task to the modules that `torch.compile` is tried on.
    captured : bool
        Whether the stages capture the step (`mrrepro.training.captured_step`).
    counted : callable
        From a task and a batch to the step whose operations are counted; the task's own, unless it looks at values.
    """

    id: str
    quantity: str
    stages: tuple[str, ...]
    task: Callable[[Any], PlannedTask]
    batches: Callable[[Any, str], Callable[[int], Any]]
    steps: Callable[[Any], int]
    changes: Mapping[str, Any] = field(default_factory=dict)
    small_changes: Mapping[str, Any] = field(default_factory=dict)
    goal: float | None = None
    compiled: Callable[[Any], list[torch.nn.Module]] = lambda task: [task.network]
    captured: bool = False
    counted: Callable[[Any, Any], object] = lambda task, batch: task.training_step(batch, 0)


@dataclass(frozen=True)
class StepCost:
    """Of one step of a training, with one sample unless said otherwise.

    Parameters
    ----------
    weights : int
        Of all networks.
    operations : int
        Floating-point operations of convolutions and matrix products, forward and backward, a product and a sum
        counting as two.
    saved_bytes : int
        What the forward passes keep for the backward pass, weights left out.
    """

    weights: int
    operations: int
    saved_bytes: int

    def of_batch(self, size: int) -> StepCost:
        """The cost of a step with ``size`` samples, where this is that of one."""
        return StepCost(self.weights, self.operations * size, self.saved_bytes * size)

    @property
    def moved_bytes(self) -> int:
        """Least traffic with the memory: what is kept is written and read once, weights as `BYTES_A_WEIGHT` says."""
        return 2 * self.saved_bytes + BYTES_A_WEIGHT * self.weights


def step_cost(work: TrainingWork, settings: Any) -> StepCost:
    """Count a step with one sample at the settings' precision; only the sample and the weights are really there."""
    from torch._subclasses.fake_tensor import FakeTensorMode  # takes seconds to import
    from torch.utils._pytree import tree_map
    from torch.utils.flop_counter import FlopCounterMode

    settings = replace(settings, training=replace(settings.training, batch_size=1))
    saved: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        saved[tensor.untyped_storage()._cdata] = tensor
        return tensor

    batch, task = work.batches(settings, "cpu")(0), work.task(settings)
    counter = FlopCounterMode(display=False)
    with _nothing_cached(), FakeTensorMode(allow_non_fake_inputs=True) as mode:
        imitation = tree_map(lambda part: mode.from_tensor(part) if isinstance(part, Tensor) else part, batch)
        for module in task.modules.values():
            _imitate(module, mode)
        own = {
            tensor.untyped_storage()._cdata
            for module in task.modules.values()
            for tensor in (*module.parameters(), *module.buffers())
        }
        with counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            work.counted(task, imitation)
    held = sum(tensor.untyped_storage().nbytes() for key, tensor in saved.items() if key not in own)
    weights = sum(count_weights(module) for module in task.modules.values())
    return StepCost(weights, int(counter.get_total_flops()), held)


@contextmanager
def _nothing_cached() -> Iterator[None]:
    """Forget at the end what functions of this package keep between calls: it may be tensors without values."""
    try:
        yield
    finally:
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] == "mrrepro":
                for held in list(vars(module).values()):
                    if isinstance(held, _CACHED):
                        held.cache_clear()


def _imitate(network: torch.nn.Module, mode: Any) -> None:
    """Put tensors without values in the place of a network's own; its optimiser keeps the old ones and does nothing."""
    for module in network.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = torch.nn.Parameter(mode.from_tensor(parameter.detach()))
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = mode.from_tensor(buffer)
