"""Losses between a synthetic and a true image: absolute, squared, structural, by region, and their weighted sum.

Every loss is a small frozen object with one call signature, ``loss(prediction, target, masks) -> scalar``, so that a
training loop takes any of them. A volume's loss is the mean over its region (eqs. 1 to 3 of the thesis); a batch's
loss is the mean over its volumes, whatever the sizes of their regions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from mrrepro.metrics.regions import Region, RegionMasks, mean_over_mask, values_can_be_read
from mrrepro.metrics.structural_similarity import (
    SHIFTED_TO_UNIT,
    WINDOW_11,
    GaussianWindow,
    SsimConvention,
    structural_similarity,
)
from mrrepro.validation import require_finite, require_range


@runtime_checkable
class ImageLoss(Protocol):
    """What a training loop asks of a loss."""

    def __call__(
        self,
        prediction: Float[Tensor, "batch 1 depth height width"],
        target: Float[Tensor, "batch 1 depth height width"],
        masks: RegionMasks,
    ) -> Float[Tensor, ""]:
        """Return the loss of a batch, differentiable in the prediction."""
        ...


@dataclass(frozen=True)
class AbsoluteError:
    """``L1_S = sum_{u in S} |G(X)_u - Y_u| / |S|`` (eq. 1), S being the region."""

    region: Region = Region.IMAGE

    def __call__(self, prediction: Tensor, target: Tensor, masks: RegionMasks) -> Tensor:
        """Return the mean absolute error over the region."""
        _require_target(prediction, target, masks)
        return _mean_over_region((prediction - target).abs(), masks, self.region)


@dataclass(frozen=True)
class SquaredError:
    """``L2_S = sum_{u in S} (G(X)_u - Y_u)^2 / |S|`` (eq. 2), S being the region."""

    region: Region = Region.IMAGE

    def __call__(self, prediction: Tensor, target: Tensor, masks: RegionMasks) -> Tensor:
        """Return the mean squared error over the region."""
        _require_target(prediction, target, masks)
        return _mean_over_region((prediction - target).square(), masks, self.region)


@dataclass(frozen=True)
class StructuralDissimilarity:
    """``L_SSIM = 1 - SSIM``, averaged over the region (eq. 3).

    The convention's default is the shift to [0, 1]: with signed intensities the score also rewards an inverted image,
    and a network trained on it alone can end there.
    """

    convention: SsimConvention = SHIFTED_TO_UNIT
    region: Region = Region.IMAGE
    window: GaussianWindow = WINDOW_11

    def __call__(self, prediction: Tensor, target: Tensor, masks: RegionMasks) -> Tensor:
        """Return one minus the structural similarity."""
        _require_target(prediction, target, masks)
        mask = None if self.region is Region.IMAGE else masks.of(self.region)
        return 1.0 - structural_similarity(prediction, target, self.convention, mask, self.window).mean()


@dataclass(frozen=True)
class OccurrenceEntropy:
    """Cross-entropy of a voxel's probability to enhance, averaged over a region: not of an image, but of where.

    The prediction, in [-1, 1] as a network with a last tanh gives it, is read as the probability ``(1 + G) / 2``. Its
    minimiser is the probability itself, so that nothing is gained by drawing enhancement where it is unlikely.
    """

    region: Region = Region.BRAIN

    def __call__(self, prediction: Tensor, target: Tensor, masks: RegionMasks) -> Tensor:
        """Return the mean cross-entropy [nat]; ``target`` is looked at for its shape alone."""
        _require_target(prediction, target, masks)
        probability = occurrence_probability(prediction).clamp(1e-6, 1.0 - 1e-6)
        entropy = -torch.where(masks.enhancement, probability.log(), torch.log1p(-probability))
        return _mean_over_region(entropy, masks, self.region)


def occurrence_probability(prediction: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Return the probability to enhance of the output of a network trained with `OccurrenceEntropy`."""
    return 0.5 * (1.0 + prediction)


@dataclass(frozen=True)
class WeightedSum:
    """``sum_k lambda_k L_k``: losses with free weights.

    Parameters
    ----------
    terms : tuple of (float, ImageLoss)
        Each loss with its weight, at least zero; a weight of zero leaves the loss uncomputed.
    """

    terms: tuple[tuple[float, ImageLoss], ...]

    def __post_init__(self) -> None:
        for k, (weight, _) in enumerate(self.terms):
            require_range(f"weight {k} of terms", weight, 0.0)
        if not any(weight > 0 for weight, _ in self.terms):
            raise ValueError("terms must hold a weight above zero, else there is nothing to minimise.")

    def __call__(self, prediction: Tensor, target: Tensor, masks: RegionMasks) -> Tensor:
        """Return the weighted sum."""
        return torch.stack(
            [weight * loss(prediction, target, masks) for weight, loss in self.terms if weight > 0]
        ).sum()


def mixed_loss(
    absolute: float = 1.0,
    structural: float = 1.0,
    enhancement: float = 1.0,
    convention: SsimConvention = SHIFTED_TO_UNIT,
) -> WeightedSum:
    """Build ``L_M = lambda_1 L1 + lambda_2 L_SSIM + lambda_3 L1_E`` (eq. 4).

    The third term is illegible in the source and is read as the absolute error over the enhancing voxels. Where
    nothing enhances it is zero: the error of such a volume is left to the first two terms.

    Parameters
    ----------
    absolute, structural, enhancement : float
        The weights lambda_1, lambda_2, lambda_3, at least zero; 1 each in the thesis.
    convention : SsimConvention
        Intensities of the structural term.
    """
    return WeightedSum(
        (
            (absolute, AbsoluteError()),
            (structural, StructuralDissimilarity(convention)),
            (enhancement, AbsoluteError(Region.ENHANCEMENT)),
        )
    )


LOSSES: Mapping[str, ImageLoss] = {
    "L1": AbsoluteError(),
    "L2": SquaredError(),
    "L1B": AbsoluteError(Region.BRAIN),
    "L2B": SquaredError(Region.BRAIN),
    "L1T": AbsoluteError(Region.TUMOR),
    "L2T": SquaredError(Region.TUMOR),
    "LSSIM": StructuralDissimilarity(),
    "LM": mixed_loss(),
}
"""The seven losses of Table 1 and the mix of Table 4, by the names that the tables use."""


def _mean_over_region(values: Tensor, masks: RegionMasks, region: Region) -> Tensor:
    if region is Region.IMAGE:
        return values.flatten(1).mean(1).mean()
    mask = masks.of(region)
    if region is not Region.ENHANCEMENT:
        return mean_over_mask(values, mask, region.name.lower()).mean()
    counts = mask.flatten(1).sum(1).clamp(min=1)
    return (torch.where(mask, values, 0.0).flatten(1).sum(1) / counts).mean()


def _require_target(prediction: Tensor, target: Tensor, masks: RegionMasks) -> None:
    if prediction.shape != target.shape or prediction.shape != masks.brain.shape:
        raise ValueError(
            "prediction, target and masks must share one shape (batch, 1, depth, height, width), but are "
            f"{tuple(prediction.shape)}, {tuple(target.shape)} and {tuple(masks.brain.shape)}."
        )
    if values_can_be_read(target.device):
        require_finite("target", target)
