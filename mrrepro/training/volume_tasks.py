"""Training of a network that maps volumes to a volume, under a loss that looks at regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mrrepro.metrics.regions import RegionMasks
from mrrepro.training.image_losses import ImageLoss
from mrrepro.training.plan import TrainingPlan
from mrrepro.training.tasks import descend


class VolumeBatch(NamedTuple):
    """What a step sees of some patients.

    Attributes
    ----------
    inputs, target : Tensor, (batch, channel, x, y, z) and (batch, 1, x, y, z)
        The images that the network sees and the one that it shall give.
    brain, tumor, enhancement : Tensor, (batch, 1, x, y, z)
        Masks, True inside.
    """

    inputs: Tensor
    target: Tensor
    brain: Tensor
    tumor: Tensor
    enhancement: Tensor

    def to(self, device: torch.device | str) -> VolumeBatch:
        """The same on a device."""
        return VolumeBatch(*(volume.to(device) for volume in self))

    @property
    def masks(self) -> RegionMasks:
        """The masks as losses and scores take them."""
        return RegionMasks(self.brain, self.tumor, self.enhancement)


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

    Notes
    -----
    A batch is a tuple of what `VolumeBatch` holds, in its order.
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

    def training_step(self, batch: tuple[Tensor, ...], step: int) -> dict[str, Tensor]:
        """Descend once; the value is the loss before the step."""
        seen = VolumeBatch(*batch)
        with self.plan.autocast(seen.inputs.device):
            estimate = self.network(seen.inputs.contiguous(memory_format=torch.channels_last_3d))
        loss = loss_of_batch(self.loss, estimate, seen)
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
    return loss(estimate.float(), batch.target, batch.masks)
