"""Training of a network that maps volumes to a volume, under a loss that looks at regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mrrepro.metrics.regions import RegionMasks
from mrrepro.training.image_losses import ImageLoss
from mrrepro.training.plan import TrainingPlan
from mrrepro.training.tasks import descend

VolumeBatch = Mapping[str, Tensor]
"""``inputs`` (batch, channel, ...), ``target`` (batch, 1, ...) and boolean ``brain``, ``tumor``, ``enhancement``."""


class VolumeTask:
    """One network, one loss of images and masks, Adam; what `mrrepro.training.trainer.fit` asks of a task.

    Parameters
    ----------
    network : nn.Module
        Is trained in place; its weights get channels innermost in memory, which convolutions prefer.
    loss : ImageLoss
        Of synthetic and true image and the masks.
    plan : TrainingPlan
        Gives Adam's settings, the precision and the limit of the gradient's norm.
    validation : callable, optional
        From the network, in evaluation mode and without gradients, to numbers, among them ``"score"``.
    settings : Mapping
        What a checkpoint must agree in.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: ImageLoss,
        plan: TrainingPlan,
        *,
        validation: Callable[[nn.Module], Mapping[str, float]] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.loss, self.plan, self.validation = loss, plan, validation
        self.settings = dict(settings or {})
        self.modules = {"network": network}
        self.optimisers = {"adam": plan.adam(network.parameters())}

    def training_step(self, batch: VolumeBatch, step: int) -> dict[str, Tensor]:
        """Descend once; the value is the loss before the step."""
        with self.plan.autocast(batch["inputs"].device):
            estimate = self.network(batch["inputs"].contiguous(memory_format=torch.channels_last_3d))
        loss = loss_of_batch(self.loss, estimate, batch)
        descend(loss, self.optimisers["adam"], self.plan.gradient_norm_limit)
        return {"loss": loss.detach()}

    def validate(self, step: int) -> Mapping[str, float]:
        """Return the validation's numbers; ``ValueError`` where the plan asks for them and none was given."""
        if self.validation is None:
            raise ValueError("The plan asks for validations, but the task has no validation: pass one.")
        self.network.eval()
        try:
            with torch.no_grad():
                return self.validation(self.network)
        finally:
            self.network.train()


def loss_of_batch(loss: ImageLoss, estimate: Tensor, batch: VolumeBatch) -> Tensor:
    """Return a batch's loss, in float32."""
    masks = RegionMasks(batch["brain"], batch["tumor"], batch["enhancement"])
    return loss(estimate.float(), batch["target"], masks)
