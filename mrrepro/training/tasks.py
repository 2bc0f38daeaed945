"""What is trained: networks, their optimisers, one training step and a validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mrrepro.training.distributed import average_gradients
from mrrepro.training.plan import TrainingPlan

Loss = Callable[[Tensor, Tensor, int], Tensor]
"""Takes estimate, truth and step, and returns a scalar."""


class Task(Protocol):
    """What `mrrepro.training.trainer.fit` asks of a task; one with a generator and a critic has two of each.

    Attributes
    ----------
    modules : Mapping of str to nn.Module
        The networks, by name.
    optimisers : Mapping of str to torch.optim.Optimizer
        Their optimisers, by name.
    settings : Mapping
        What distinguishes this task from another on the same networks (loss, data, seed), as JSON can hold it; a
        checkpoint of other settings is refused.
    """

    @property
    def modules(self) -> Mapping[str, nn.Module]: ...  # noqa: D102

    @property
    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]: ...  # noqa: D102

    @property
    def settings(self) -> Mapping[str, Any]: ...  # noqa: D102

    def training_step(self, batch: Any, step: int) -> Mapping[str, Tensor]:
        """Descend once and return detached scalars on the device, for instance ``{"loss": ...}``."""
        ...

    def validate(self, step: int) -> Mapping[str, float]:
        """Return numbers, among them ``"score"``, which is better when lower."""
        ...


def descend(loss: Tensor, optimiser: torch.optim.Optimizer, gradient_norm_limit: float | None = None) -> None:
    """One step of an optimiser down the gradient of ``loss``, averaged over processes, limited in norm if asked for."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    average_gradients(parameters)
    if gradient_norm_limit is not None:
        torch.nn.utils.clip_grad_norm_(parameters, gradient_norm_limit)
    optimiser.step()


def channels_last(images: Tensor) -> Tensor:
    """Return a batch of images with channels innermost in memory, which convolutions prefer; others unchanged."""
    return images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images


class SupervisedTask:
    """One network, one loss between its output and the target of a true map, Adam.

    Parameters
    ----------
    network : nn.Module
        Is trained in place; its convolutions' weights get channels innermost in memory.
    loss : callable
        (estimate, target, step) -> scalar.
    plan : TrainingPlan
        Gives Adam's settings, the precision and the limit of the gradient's norm.
    target : callable, optional
        From the second half of a batch to what the output is compared with, for instance ``network.target``;
        default: unchanged.
    validation : callable, optional
        From the network, in evaluation mode and without gradients, to numbers, among them ``"score"``.
    settings : Mapping
        See `Task`.

    Notes
    -----
    A batch is a pair (input, truth), both with samples along the first axis.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        plan: TrainingPlan,
        *,
        target: Callable[[Tensor], Tensor] | None = None,
        validation: Callable[[nn.Module], Mapping[str, float]] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = loss
        self.plan = plan
        self.target = target
        self.validation = validation
        self.settings = dict(settings or {})
        self.modules = {"network": network}
        self.optimisers = {"adam": plan.adam(network.parameters())}

    def training_step(self, batch: tuple[Tensor, Tensor], step: int) -> dict[str, Tensor]:
        """Descend once; the value is the loss before the step."""
        inputs, truth = batch
        with self.plan.autocast(inputs.device):
            estimate = self.network(channels_last(inputs))
        loss = self.loss(estimate, truth if self.target is None else self.target(truth), step)
        descend(loss, self.optimisers["adam"], self.plan.gradient_norm_limit)
        return {"loss": loss.detach()}

    def validate(self, step: int) -> Mapping[str, float]:
        """Return the validation's numbers.

        Raises
        ------
        ValueError
            If the plan asks for validations and none was given.
        """
        if self.validation is None:
            raise ValueError("The plan asks for validations, but the task has no validation: pass one.")
        self.network.eval()
        try:
            with torch.no_grad():
                return self.validation(self.network)
        finally:
            self.network.train()
