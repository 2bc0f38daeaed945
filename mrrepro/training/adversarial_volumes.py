"""Training of a network of volumes under a loss of regions and against a discriminator of patches.

    G* = arg min_G max_D  L(G) + lambda_gan L_cGAN(G, D)

L is any loss of images and masks (`mrrepro.training.image_losses`), so that the adversarial term stands beside the
thesis' mix (its section 6, further work). Each step first improves the discriminator on the true volumes and on the
network's, then the network against the improved discriminator, as in `mrrepro.training.adversarial`, whose losses are
used here (Isola et al., CVPR 2017, section 3.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mrrepro.training.adversarial import discriminator_loss, generator_loss
from mrrepro.training.image_losses import ImageLoss
from mrrepro.training.plan import TrainingPlan
from mrrepro.training.tasks import descend
from mrrepro.training.volume_tasks import VolumeBatch, VolumeTask, loss_of_batch


class AdversarialVolumeTask(VolumeTask):
    """A network under a loss and, with a weight, against a discriminator; each has an Adam of the plan's.

    Parameters
    ----------
    network, loss, plan, validation, settings
        See `mrrepro.training.volume_tasks.VolumeTask`; the validation's score is of the loss alone, for that of a
        game between two networks does not fall.
    discriminator : nn.Module
        Takes input images and a synthetic or true image, gives log-odds for each patch; is trained in place.
    weight : float
        lambda_gan, above 0.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: ImageLoss,
        plan: TrainingPlan,
        *,
        discriminator: nn.Module,
        weight: float,
        validation: Callable[[nn.Module], Mapping[str, float]] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        if not weight > 0.0:
            raise ValueError(f"weight must be above 0, but is {weight!r}: use VolumeTask to train without an opponent.")
        super().__init__(network, loss, plan, validation=validation, settings=settings)
        self.discriminator, self.weight = discriminator, weight
        self.modules = {"network": self.network, "discriminator": discriminator}
        self.optimisers = {**self.optimisers, "discriminator": plan.adam(discriminator.parameters())}

    def training_step(self, batch: tuple[Tensor, ...], step: int) -> dict[str, Tensor]:
        """Descend once with each network.

        Returns
        -------
        dict of str to Tensor
            ``"loss"``, the network's loss without the adversarial term; ``"gan"``, that term before weighting;
            ``"discriminator"``.
        """
        seen = VolumeBatch(*batch)
        with self.plan.autocast(seen.inputs.device):
            estimate = self.network(seen.inputs.contiguous(memory_format=torch.channels_last_3d))
        opposed = discriminator_loss(self._log_odds(seen, seen.target), self._log_odds(seen, estimate.detach().float()))
        descend(opposed, self.optimisers["discriminator"], self.plan.gradient_norm_limit)
        loss = loss_of_batch(self.loss, estimate, seen)
        # its gradients in the discriminator are dropped before the discriminator's next descent
        gan = generator_loss(self._log_odds(seen, estimate.float()))
        descend(loss + self.weight * gan, self.optimisers["adam"], self.plan.gradient_norm_limit)
        return {"loss": loss.detach(), "gan": gan.detach(), "discriminator": opposed.detach()}

    def _log_odds(self, batch: VolumeBatch, image: Tensor) -> Tensor:
        """Of a volume inside the brain; outside both images are background, which tells them apart too easily."""
        inside = torch.where(batch.brain, image, -1.0)
        with self.plan.autocast(image.device):
            odds: Tensor = self.discriminator(batch.inputs, inside)
        return odds
