"""Errors of a synthetic post-contrast image: the nine scores of the thesis, and scores that see enhancement.

The nine (mean absolute error, mean squared error and structural similarity, over image, brain and tumor) hardly move
when enhancement appears or vanishes, since few voxels enhance. `EnhancementErrors` looks at those voxels alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mrrepro.metrics.receiver_operating import area_under_curve
from mrrepro.metrics.regions import (
    ENHANCEMENT_THRESHOLD,
    Region,
    RegionMasks,
    brain_composite,
    enhancement_mask,
    mean_over_mask,
)
from mrrepro.metrics.structural_similarity import SsimConvention, structural_similarity
from mrrepro.validation import require_finite


@dataclass(frozen=True)
class RegionErrors:
    """Scores of each volume over one region: mean absolute error, mean squared error, structural similarity."""

    mae: Float[Tensor, " batch"]
    mse: Float[Tensor, " batch"]
    ssim: Float[Tensor, " batch"]


def image_errors(
    prediction: Float[Tensor, "batch 1 depth height width"],
    target: Float[Tensor, "batch 1 depth height width"],
    masks: RegionMasks,
    convention: SsimConvention,
    regions: Sequence[Region] = (Region.IMAGE, Region.BRAIN, Region.TUMOR),
) -> dict[Region, RegionErrors]:
    """Score each volume over each region (Tables 1 to 8).

    The prediction is masked by the brain first and both images get the background there, as every score of the
    thesis implies: its MAE and MAE_B have the same ratio, the brain's share of the volume, for every loss.
    The structural similarity of a region is the map averaged over it; voxels whose window leaves the volume have no
    value and do not count.

    Parameters
    ----------
    prediction, target : Tensor
        Synthetic and true image, normalised to [-1, 1].
    masks : RegionMasks
        Regions of each volume; none that is asked for may be empty.
    convention : SsimConvention
        Intensities of the structural similarity; to be reported with every value.
    regions : sequence of Region
        Where to score.

    Raises
    ------
    ValueError
        For unequal shapes, values that are not finite, an empty region.
    """
    _require_images(masks, prediction=prediction, target=target)
    prediction, target = brain_composite(prediction, masks.brain), brain_composite(target, masks.brain)
    difference = prediction - target
    errors = {}
    for region in regions:
        mask, name = masks.of(region), region.name.lower()
        errors[region] = RegionErrors(
            mae=mean_over_mask(difference.abs(), mask, name),
            mse=mean_over_mask(difference.square(), mask, name),
            ssim=structural_similarity(prediction, target, convention, mask),
        )
    return errors


@dataclass(frozen=True)
class EnhancementErrors:
    """How well enhancement is predicted, for each volume.

    Parameters
    ----------
    dice : Tensor
        Overlap of predicted and true enhancement in the tumor, ``2 |P & E| / (|P| + |E|)``; 1 where both are empty,
        0 where one is.
    auc : Tensor
        Area under the curve of the predicted rise over T1 as a score for each tumor voxel's true enhancement; NaN
        where all tumor voxels enhance or none, for then it is undefined.
    mae : Tensor
        Mean absolute error over the tumor's truly enhancing voxels; NaN where there are none.
    amplitude_kept : Tensor
        Mean predicted rise over mean true rise in the same voxels: 1 is right, 0 is no enhancement; NaN where there
        are none.
    false_in_tumor, false_in_healthy_brain : Tensor
        Number of voxels predicted to enhance that do not, in the tumor and in the brain outside it.
    false_fraction_of_healthy_brain : Tensor
        The latter as a fraction of the brain outside the tumor that truly does not enhance; NaN without such voxels.
    predicted_fraction, true_fraction : Tensor
        Share of the tumor that enhances in the prediction and in truth; NaN without a tumor. Over a cohort, the first
        is the score and whether the second exceeds zero the label of a patient's area under the curve.
    """

    dice: Float[Tensor, " batch"]
    auc: Float[Tensor, " batch"]
    mae: Float[Tensor, " batch"]
    amplitude_kept: Float[Tensor, " batch"]
    false_in_tumor: Int[Tensor, " batch"]
    false_in_healthy_brain: Int[Tensor, " batch"]
    false_fraction_of_healthy_brain: Float[Tensor, " batch"]
    predicted_fraction: Float[Tensor, " batch"]
    true_fraction: Float[Tensor, " batch"]


def enhancement_errors(
    prediction: Float[Tensor, "batch 1 depth height width"],
    target: Float[Tensor, "batch 1 depth height width"],
    pre_contrast: Float[Tensor, "batch 1 depth height width"],
    masks: RegionMasks,
    threshold: float = ENHANCEMENT_THRESHOLD,
) -> EnhancementErrors:
    """Score the enhancement that a synthetic post-contrast image shows against the true one.

    Parameters
    ----------
    prediction, target, pre_contrast : Tensor
        Synthetic and true post-contrast T1 and the T1 without contrast, normalised to [-1, 1].
    masks : RegionMasks
        Brain and tumor; ``masks.enhancement`` is not used, but made here from ``target`` by the same threshold as the
        prediction's.
    threshold : float
        Smallest rise over ``pre_contrast`` that counts as enhancement.
    """
    _require_images(masks, prediction=prediction, target=target, pre_contrast=pre_contrast)
    truth = enhancement_mask(target, pre_contrast, threshold)
    found = enhancement_mask(prediction, pre_contrast, threshold)
    healthy = masks.brain & ~masks.tumor
    in_tumor = truth & masks.tumor
    both = _count(found & in_tumor)
    nan = torch.full((len(both),), math.nan, dtype=target.dtype, device=target.device)
    enhancing = _count(in_tumor)
    rise = _sum(prediction - pre_contrast, in_tumor)
    false_healthy = _count(found & ~truth & healthy)
    quiet, tumor = _count(healthy & ~truth), _count(masks.tumor)
    predicted = _count(found & masks.tumor)
    either = predicted + enhancing
    return EnhancementErrors(
        dice=torch.where(either == 0, 1.0, 2 * both.to(target.dtype) / either.clamp(min=1)),
        auc=_voxel_auc(prediction - pre_contrast, truth, masks.tumor),
        mae=torch.where(enhancing == 0, nan, _sum((prediction - target).abs(), in_tumor) / enhancing.clamp(min=1)),
        amplitude_kept=torch.where(enhancing == 0, nan, rise / _sum(target - pre_contrast, in_tumor)),
        false_in_tumor=_count(found & ~truth & masks.tumor),
        false_in_healthy_brain=false_healthy,
        false_fraction_of_healthy_brain=_fraction(false_healthy, quiet, nan),
        predicted_fraction=_fraction(predicted, tumor, nan),
        true_fraction=_fraction(enhancing, tumor, nan),
    )


def _voxel_auc(
    score: Tensor, truth: Bool[Tensor, "batch 1 depth height width"], within: Bool[Tensor, "batch 1 depth height width"]
) -> Float[Tensor, " batch"]:
    values = []
    for k in range(len(score)):
        labels = truth[k][within[k]].cpu().numpy()
        undefined = labels.size == 0 or labels.all() or not labels.any()
        values.append(math.nan if undefined else area_under_curve(labels, score[k][within[k]].detach().cpu().numpy()))
    return torch.tensor(values, dtype=score.dtype, device=score.device)


def _fraction(part: Tensor, whole: Tensor, nan: Tensor) -> Float[Tensor, " batch"]:
    return torch.where(whole == 0, nan, part.to(nan.dtype) / whole.clamp(min=1))


def _count(mask: Tensor) -> Int[Tensor, " batch"]:
    return mask.flatten(1).sum(1)


def _sum(values: Tensor, mask: Tensor) -> Float[Tensor, " batch"]:
    return torch.where(mask, values, 0.0).flatten(1).sum(1)


def _require_images(masks: RegionMasks, **images: Tensor) -> None:
    for name, image in images.items():
        if image.shape != masks.brain.shape:
            raise ValueError(
                f"{name} must have the masks' shape {tuple(masks.brain.shape)}, but has {tuple(image.shape)}."
            )
        require_finite(name, image)
