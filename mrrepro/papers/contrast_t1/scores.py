"""Scores of synthetic images over patients: the thesis' nine, what sees enhancement, what the cohort's law knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mrrepro.metrics.image_errors import enhancement_errors, image_errors
from mrrepro.metrics.regions import Region, RegionMasks, enhancement_mask
from mrrepro.metrics.structural_similarity import CONVENTIONS, SHIFTED_TO_UNIT, structural_similarity
from mrrepro.networks.volume_patches import Patch
from mrrepro.papers.contrast_t1.cohort import CONTRAST, Cohort
from mrrepro.papers.contrast_t1.stages import Predictor, patch_of

REGIONS = {"": Region.IMAGE, "_b": Region.BRAIN, "_t": Region.TUMOR}
"""Suffix of a score, as the thesis' subscripts."""

ENHANCEMENT = (
    "dice",
    "auc",
    "mae",
    "amplitude_kept",
    "false_in_tumor",
    "false_in_healthy_brain",
    "predicted_fraction",
    "true_fraction",
)
"""Fields of `mrrepro.metrics.image_errors.EnhancementErrors` that are kept, as ``e_<name>``."""

AT_ONCE = 8


@dataclass(frozen=True)
class Case:
    """Some patients' images, masks and synthetic images on one region of the grid."""

    numbers: tuple[int, ...]
    images: Tensor
    masks: RegionMasks
    synthetic: Tensor
    solid: Tensor
    leaky: Tensor
    blood: Tensor

    @property
    def true(self) -> Tensor:
        """The post-contrast image."""
        return self.images[:, CONTRAST : CONTRAST + 1]

    def within(self, patch: Patch) -> Case:
        """The same inside a cube."""
        masks = RegionMasks(*(patch.cut(mask) for mask in (self.masks.brain, self.masks.tumor, self.masks.enhancement)))
        volumes = (self.images, self.synthetic, self.solid, self.leaky, self.blood)
        images, synthetic, solid, leaky, blood = (patch.cut(volume) for volume in volumes)
        return Case(self.numbers, images, masks, synthetic, solid, leaky, blood)


def cases(cohort: Cohort, numbers: Sequence[int], predictor: Predictor, side: int) -> Iterator[Case]:
    """Predict patient by patient, a few at once where whole volumes are predicted, each in its cube otherwise.

    Parameters
    ----------
    cohort : Cohort
        The patients.
    numbers : sequence of int
        Which of them.
    predictor : callable
        Makes synthetic images from numbers and images.
    side : int
        Of the cube around the tumor; 0 for whole volumes.
    """
    step = 1 if side else AT_ONCE
    for first in range(0, len(numbers), step):
        some = tuple(numbers[first : first + step])
        images = cohort.images(some)
        masks = cohort.region_masks(some, images)
        known = [cohort.mask(name, some) for name in ("solid", "leaky", "blood")]
        patch = patch_of(masks.tumor[0, 0], side)
        whole = Case(some, images, masks, torch.zeros_like(images[:, :1]), *known)
        case = whole.within(patch) if patch else whole
        synthetic = predictor(some, case.images)
        yield Case(some, case.images, case.masks, synthetic, case.solid, case.leaky, case.blood)


def image_scores(case: Case) -> dict[str, list[float]]:
    """The nine scores of each patient of a case, by the names ``mae``, ``mae_b``, ``mae_t``, ...; SSIM on [0, 1].

    The structural similarity of a tumor that reaches no window inside the volume is NaN.
    """
    found: dict[str, list[float]] = {}
    whole = image_errors(case.synthetic, case.true, case.masks, SHIFTED_TO_UNIT, (Region.IMAGE, Region.BRAIN))
    for suffix, region in list(REGIONS.items())[:2]:
        for score in ("mae", "mse", "ssim"):
            found[f"{score}{suffix}"] = getattr(whole[region], score).tolist()
    difference = case.synthetic - case.true
    counts = case.masks.tumor.flatten(1).sum(1)
    for score, values in (("mae", difference.abs()), ("mse", difference.square())):
        found[f"{score}_t"] = (torch.where(case.masks.tumor, values, 0.0).flatten(1).sum(1) / counts).tolist()
    found["ssim_t"] = [_tumor_similarity(case, k) for k in range(len(case.numbers))]
    return found


def convention_scores(case: Case) -> dict[str, list[float]]:
    """SSIM of the composite under each convention, ``ssim_<convention>``."""
    brain = case.masks.brain
    synthetic, true = (torch.where(brain, volume, -1.0) for volume in (case.synthetic, case.true))
    return {
        f"ssim_{name}": structural_similarity(synthetic, true, convention).tolist()
        for name, convention in CONVENTIONS.items()
    }


def enhancement_scores(case: Case) -> dict[str, list[float]]:
    """What sees enhancement, of each patient: see `ENHANCEMENT`, and what only simulated patients allow.

    ``rise_leaky`` and ``true_rise_leaky`` are the mean rise over T1 of the synthetic and of the true image where the
    core truly leaks, ``true_rise_tight`` the true one in the rest of the solid core; ``score`` is the mean synthetic
    rise over the solid core, by which enhancing patients are told from others; ``rise_blood`` and ``true_rise_blood``
    are those of vessels and sinus.
    """
    errors = enhancement_errors(case.synthetic, case.true, case.images[:, :1], case.masks)
    found = {f"e_{name}": getattr(errors, name).double().tolist() for name in ENHANCEMENT}
    synthetic_rise, true_rise = case.synthetic - case.images[:, :1], case.true - case.images[:, :1]
    inside = {"leaky": case.leaky, "tight": case.solid & ~case.leaky, "blood": case.blood & case.masks.brain}
    found["score"] = _means(synthetic_rise, case.solid)
    found["tumor_score"] = _means(synthetic_rise, case.masks.tumor)
    for name, mask in inside.items():
        found[f"rise_{name}"] = _means(synthetic_rise, mask)
        found[f"true_rise_{name}"] = _means(true_rise, mask)
    risen = enhancement_mask(case.synthetic, case.images[:, :1])
    found["predicted_voxels"] = (risen & case.masks.tumor).flatten(1).sum(1).double().tolist()
    return found


def gathered(parts: Sequence[dict[str, list[float]]]) -> dict[str, np.ndarray]:
    """Join the scores of several cases."""
    return {name: np.array([value for part in parts for value in part[name]]) for name in parts[0]}


def _tumor_similarity(case: Case, k: int) -> float:
    one = slice(k, k + 1)
    try:
        value = image_errors(
            case.synthetic[one],
            case.true[one],
            RegionMasks(case.masks.brain[one], case.masks.tumor[one], case.masks.enhancement[one]),
            SHIFTED_TO_UNIT,
            (Region.TUMOR,),
        )[Region.TUMOR].ssim
    except ValueError:  # no voxel of the tumor lies a window's half inside the volume
        return float("nan")
    return float(value)


def _means(values: Tensor, mask: Tensor) -> list[float]:
    counts = mask.flatten(1).sum(1)
    sums = torch.where(mask, values, 0.0).flatten(1).sum(1)
    return torch.where(counts > 0, sums / counts.clamp(min=1), torch.nan).tolist()
