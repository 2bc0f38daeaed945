"""A training step captured once as a CUDA graph and replayed: for steps whose kernels end sooner than they are started.

A pix2pix step of eight slices starts 600 kernels, which takes a processor longer than a large GPU needs to run them.
A graph starts them all at once. What is computed stays the same; only a GPU is used so, by one process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mrrepro.training.distributed import process_count
from mrrepro.training.tasks import Task

WARM_UP_STEPS = 3
"""Ordinary steps before the capture, in which libraries load and choose their algorithms."""


def captured(task: Task, device: torch.device | str) -> Task:
    """Return the task with a step that is captured and replayed on CUDA; the task itself anywhere else.

    Parameters
    ----------
    task : Task
        Trained with Adam. Its step starts the same kernels whatever the step's number, asks the device for no value,
        and takes batches that are tuples of tensors of the same shapes each time; a batch of other shapes is trained on
        without the graph.
    device : torch.device or str
        Where it is trained.
    """
    if torch.device(device).type != "cuda" or process_count() > 1:
        return task
    return _CapturedTask(task)


class _CapturedTask:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._steps_here = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: tuple[Tensor, ...] = ()
        self._names: list[str] = []
        self._values = torch.empty(0)
        self._rates: dict[str, list[Tensor]] = {}
        self._known_rates: dict[str, list[float]] = {}

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        return self._task.modules

    @property
    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return self._task.optimisers

    @property
    def settings(self) -> Mapping[str, Any]:
        return self._task.settings

    def validate(self, step: int) -> Mapping[str, float]:
        return self._task.validate(step)

    def training_step(self, batch: Sequence[Tensor], step: int) -> Mapping[str, Tensor]:
        self._steps_here += 1
        if self._steps_here <= WARM_UP_STEPS:
            return self._beside(batch, step)
        if self._graph is None:
            self._capture(batch, step)
        if [each.shape for each in batch] != [each.shape for each in self._batch]:
            return self._beside(batch, step)
        for held, new in zip(self._batch, batch, strict=True):
            held.copy_(new)
        self._set_rates()
        assert self._graph is not None
        self._graph.replay()
        return dict(zip(self._names, self._values.clone().unbind(), strict=True))

    def _beside(self, batch: Sequence[Tensor], step: int) -> Mapping[str, Tensor]:
        """An ordinary step, on a stream of its own as what precedes a capture must be."""
        stream = torch.cuda.Stream(batch[0].device)
        stream.wait_stream(torch.cuda.current_stream(batch[0].device))
        with torch.cuda.stream(stream), self._rates_on_device():
            values = self._task.training_step(tuple(batch), step)
        torch.cuda.current_stream(batch[0].device).wait_stream(stream)
        return values

    def _capture(self, batch: Sequence[Tensor], step: int) -> None:
        """Record a step on copies of the batch; nothing is computed yet."""
        self._batch = tuple(each.clone() for each in batch)
        graph = torch.cuda.CUDAGraph()
        with self._rates_on_device(), torch.cuda.graph(graph):
            values = self._task.training_step(self._batch, step)
            self._values = torch.stack([value.float() for value in values.values()])
        self._names, self._graph = list(values), graph

    @contextmanager
    def _rates_on_device(self) -> Iterator[None]:
        """Let Adam read its rate and count its steps on the device; outside, groups hold numbers, as others expect."""
        self._set_rates()
        for name, optimiser in self._task.optimisers.items():
            for group, rate in zip(optimiser.param_groups, self._rates[name], strict=True):
                group["lr"], group["capturable"] = rate, True
                for parameter in group["params"]:
                    state = optimiser.state.get(parameter, {})
                    if "step" in state:
                        state["step"] = state["step"].to(parameter.device)
        try:
            yield
        finally:
            for name, optimiser in self._task.optimisers.items():
                for group, number in zip(optimiser.param_groups, self._known_rates[name], strict=True):
                    group["lr"], group["capturable"] = number, False

    def _set_rates(self) -> None:
        """Bring the rates that the training loop set to the device."""
        for name, optimiser in self._task.optimisers.items():
            numbers = [float(group["lr"]) for group in optimiser.param_groups]
            if name not in self._rates:
                devices = [group["params"][0].device for group in optimiser.param_groups]
                self._rates[name] = [torch.zeros((), device=device) for device in devices]
            if numbers != self._known_rates.get(name):
                for rate, number in zip(self._rates[name], numbers, strict=True):
                    rate.fill_(number)
                self._known_rates[name] = numbers
