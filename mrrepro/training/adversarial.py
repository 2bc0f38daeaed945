"""Training of a generator against a discriminator that is shown its input too (conditional GAN), with L1 and L2 terms.

    G* = arg min_G max_D  lambda_gan L_cGAN(G, D) + lambda_l1 L_L1(G) + lambda_l2 L_L2(G)

With lambda_gan = 0 the generator is trained as any other network and no discriminator exists.

References
----------
S. Mandija, E. F. Meliado, N. R. F. Huttinga, P. R. Luijten, C. A. T. van den Berg, Opening a new window on MR-based
Electrical Properties Tomography with deep learning, Sci. Rep. 9 (2019) 8895, eq. 1, whose terms are not written out.
P. Isola et al., CVPR 2017, 10.1109/CVPR.2017.632, eqs. 1 to 4 and section 3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from mrrepro.networks.scaled_generator import ScaledGenerator
from mrrepro.training.plan import TrainingPlan
from mrrepro.training.tasks import channels_last, descend
from mrrepro.validation import require_range

Maps = Float[Tensor, "batch channel *space"]


@dataclass(frozen=True)
class AdversarialObjective:
    """Weights of the three terms; the defaults are those that DL-EPT chose on its validation set.

    Parameters
    ----------
    lambda_gan, lambda_l1, lambda_l2 : float
        Not negative, and not all zero.
    """

    lambda_gan: float = 2.0
    lambda_l1: float = 100.0
    lambda_l2: float = 200.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            require_range(name, value, 0.0)
        if not any(asdict(self).values()):
            raise ValueError(
                "lambda_gan, lambda_l1 and lambda_l2 are all 0: nothing would be trained, set one of them."
            )


def adversarial_plan(steps: int, batch_size: int, **fields: Any) -> TrainingPlan:
    """Return a plan with the learning rate 2e-4 and Adam's betas (0.5, 0.999) of Isola et al., section 3.3.

    Parameters
    ----------
    steps, batch_size : int
    **fields
        Further fields of `TrainingPlan`; rate and betas too, if they are to differ.
    """
    return TrainingPlan(steps, batch_size, **{"learning_rate": 2e-4, "betas": (0.5, 0.999), **fields})


def generator_loss(estimated: Float[Tensor, " *batch"]) -> Float[Tensor, ""]:
    """Mean of -log D(x, G(x)) over patches (the form that does not saturate), from the discriminator's log-odds."""
    return softplus(-estimated.float()).mean()


def discriminator_loss(true: Float[Tensor, " *batch"], estimated: Float[Tensor, " *batch"]) -> Float[Tensor, ""]:
    """Half of the mean of -log D(x, y) - log(1 - D(x, G(x))), from log-odds.

    The half slows the discriminator down relative to the generator (Isola et al., section 3.3).
    """
    return 0.5 * (softplus(-true.float()).mean() + softplus(estimated.float()).mean())


def deviations(
    estimate: Maps, truth: Maps, weight: Float[Tensor, "batch weight_channel *space"] | None = None
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Mean absolute and mean square deviation over all pixels, or weighted means of them.

    Parameters
    ----------
    estimate, truth : Float[Tensor, "batch channel *space"]
    weight : Float[Tensor, "batch weight_channel *space"], optional
        Not negative, with one channel or one for each of the map; sum w |e - a| / sum w. A mask gives the mean over
        its pixels in the whole batch; a batch without any weight has the deviations 0.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    if estimate.shape != truth.shape:
        raise ValueError(
            f"truth must have the estimate's shape {tuple(estimate.shape)}, but has {tuple(truth.shape)}: "
            "give a channel axis to maps of one channel."
        )
    difference = estimate.float() - truth.float()
    if weight is None:
        return difference.abs().mean(), difference.square().mean()
    if weight.shape not in (truth.shape, (truth.shape[0], 1, *truth.shape[2:])):
        raise ValueError(
            f"weight must have the truth's shape {tuple(truth.shape)}, or one channel, but has {tuple(weight.shape)}: "
            "give one number for each pixel."
        )
    share = weight.float().expand_as(truth)
    share = share / share.sum().clamp_min(torch.finfo(share.dtype).tiny)
    return (share * difference.abs()).sum(), (share * difference.square()).sum()


class AdversarialTask:
    """A generator and, unless lambda_gan is 0, a discriminator, each with an Adam of its own.

    A step first improves the discriminator on the true maps and on the generator's, then the generator against the
    improved discriminator. Both see scaled images and scaled maps.

    Parameters
    ----------
    network : ScaledGenerator
        Is trained in place.
    discriminator : callable
        Makes the discriminator, which takes images and maps and returns log-odds; not called if lambda_gan is 0.
    objective : AdversarialObjective
        Weights of the terms; part of the task's settings, so that a checkpoint of other weights is refused.
    plan : TrainingPlan
        Gives both Adams' settings (see `adversarial_plan`), the precision and the limit of the gradients' norms.
    validation : callable, optional
        From ``network``, in evaluation mode and without gradients, to numbers, among them ``"score"``.
    settings : Mapping
        See `mrrepro.training.tasks.Task`.

    Notes
    -----
    A batch is (images, truth) or (images, truth, weight), in physical units, samples along the first axis; ``weight``
    as in `deviations` applies to the L1 and L2 terms only.
    """

    def __init__(
        self,
        network: ScaledGenerator,
        discriminator: Callable[[], nn.Module],
        objective: AdversarialObjective,
        plan: TrainingPlan,
        *,
        validation: Callable[[nn.Module], Mapping[str, float]] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.network = network
        self.objective = objective
        self.plan = plan
        self.validation = validation
        self.settings = {**(settings or {}), "objective": asdict(objective)}
        self.modules: dict[str, nn.Module] = {"generator": network}
        self.discriminator = discriminator() if objective.lambda_gan else None
        if self.discriminator is not None:
            self.modules["discriminator"] = self.discriminator
        for module in self.modules.values():
            _weights_channels_last(module)
        self.optimisers = {name: plan.adam(module.parameters()) for name, module in self.modules.items()}

    def training_step(self, batch: tuple[Tensor, ...], step: int) -> dict[str, Tensor]:
        """Descend once with each network.

        Returns
        -------
        dict of str to Tensor
            ``"generator"``, the weighted sum; its terms before weighting ``"l1"``, ``"l2"`` and ``"gan"``;
            ``"discriminator"``. The last two are missing if lambda_gan is 0.
        """
        images = channels_last(self.network.scale_images(batch[0]))
        truth = channels_last(self.network.scale_maps(batch[1]))
        with self.plan.autocast(images.device):
            estimate = self.network.generator(images)
        values = {}
        if self.discriminator is not None:
            values["discriminator"] = self._improve_discriminator(images, truth, estimate.detach())
        values |= self._improve_generator(images, truth, estimate, batch[2] if len(batch) == 3 else None)
        return {name: value.detach() for name, value in values.items()}

    def _improve_discriminator(self, images: Tensor, truth: Tensor, estimate: Tensor) -> Tensor:
        assert self.discriminator is not None
        with self.plan.autocast(images.device):
            loss = discriminator_loss(self.discriminator(images, truth), self.discriminator(images, estimate))
        descend(loss, self.optimisers["discriminator"], self.plan.gradient_norm_limit)
        return loss

    def _improve_generator(
        self, images: Tensor, truth: Tensor, estimate: Tensor, weight: Tensor | None
    ) -> dict[str, Tensor]:
        values = dict(zip(("l1", "l2"), deviations(estimate, truth, weight), strict=True))
        total = self.objective.lambda_l1 * values["l1"] + self.objective.lambda_l2 * values["l2"]
        if self.discriminator is None:
            descend(total, self.optimisers["generator"], self.plan.gradient_norm_limit)
            return {"generator": total, **values}
        with _constant(self.discriminator):
            with self.plan.autocast(images.device):
                values["gan"] = generator_loss(self.discriminator(images, estimate))
            total = total + self.objective.lambda_gan * values["gan"]
            descend(total, self.optimisers["generator"], self.plan.gradient_norm_limit)
        return {"generator": total, **values}

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


@contextmanager
def _constant(module: nn.Module) -> Iterator[None]:
    """Let gradients pass through a module without collecting them for its own weights."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def _weights_channels_last(module: nn.Module) -> None:
    """Put the channels of two-dimensional filters innermost in memory, in place; others stay as they are."""
    for parameter in module.parameters():
        parameter.data = channels_last(parameter.data)
