"""Scores of synthetic images over patients: the thesis' nine, what sees enhancement, what the cohort's law knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mrrepro.metrics.image_errors import enhancement_errors
from mrrepro.metrics.regions import BACKGROUND, Region, RegionMasks
from mrrepro.metrics.structural_similarity import SHIFTED_TO_UNIT, WINDOW_11, structural_similarity_map
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

KNOWN = ("solid", "leaky", "blood", "sinus")
"""Masks that only simulated patients have."""

THRESHOLDS = (0.2, 0.3, 0.4)
"""Rise that counts as enhancement: the thesis', and one on either side."""

NEAR_TUMOR_MM = 10.0
"""Within which of the tumor dark voxels are looked at [mm]; the ledger's choice."""

AT_ONCE = 8


@dataclass(frozen=True)
class Case:
    """Some patients' images, masks and synthetic images on one region of the grid.

    ``known`` holds the masks that only simulated patients have: ``solid``, ``leaky``, ``blood``, ``sinus``.
    """

    numbers: tuple[int, ...]
    images: Tensor
    masks: RegionMasks
    synthetic: Tensor
    known: dict[str, Tensor]

    @property
    def true(self) -> Tensor:
        """The post-contrast image."""
        return self.images[:, CONTRAST : CONTRAST + 1]

    def within(self, patch: Patch) -> Case:
        """The same inside a cube."""
        masks = RegionMasks(*(patch.cut(mask) for mask in (self.masks.brain, self.masks.tumor, self.masks.enhancement)))
        known = {name: patch.cut(mask) for name, mask in self.known.items()}
        return Case(self.numbers, patch.cut(self.images), masks, patch.cut(self.synthetic), known)

    def one(self, k: int) -> Case:
        """Patient ``k`` of these alone."""
        only = slice(k, k + 1)
        masks = RegionMasks(self.masks.brain[only], self.masks.tumor[only], self.masks.enhancement[only])
        known = {name: mask[only] for name, mask in self.known.items()}
        return Case(self.numbers[only], self.images[only], masks, self.synthetic[only], known)


def cases(
    cohort: Cohort, numbers: Sequence[int], predictor: Predictor, side: int, device: torch.device | str = "cpu"
) -> Iterator[Case]:
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
    device : torch.device or str
        Where the patients' images and masks are put, and so the scores are computed.
    """
    step = 1 if side else AT_ONCE
    for first in range(0, len(numbers), step):
        some = tuple(numbers[first : first + step])
        images = cohort.images(some).to(device)
        masks = cohort.region_masks(some, images)
        known = {name: cohort.mask(name, some).to(device) for name in KNOWN}
        patch = patch_of(masks.tumor[0, 0], side)
        whole = Case(some, images, masks, torch.zeros_like(images[:, :1]), known)
        case = whole.within(patch) if patch else whole
        yield replace(case, synthetic=predictor(some, case.images))


def image_scores(case: Case) -> dict[str, list[float]]:
    """The nine scores of each patient of a case, by the names ``mae``, ``mae_b``, ``mae_t``, ...; SSIM on [0, 1].

    Both images get the background outside the brain first. The map of structural similarity is made once and averaged
    over each region; it is NaN for a region that no window inside the volume is centred in.
    """
    brain = case.masks.brain
    synthetic, true = (torch.where(brain, volume, BACKGROUND) for volume in (case.synthetic, case.true))
    difference = synthetic - true
    similarity = structural_similarity_map(synthetic, true, SHIFTED_TO_UNIT)
    rim = WINDOW_11.size // 2
    found: dict[str, list[float]] = {}
    for suffix, region in REGIONS.items():
        mask = case.masks.of(region)
        x, y, z = (slice(rim, side - rim) for side in mask.shape[2:])
        found[f"mae{suffix}"] = _means(difference.abs(), mask)
        found[f"mse{suffix}"] = _means(difference.square(), mask)
        found[f"ssim{suffix}"] = _means(similarity, mask[:, :, x, y, z])
    return found


def enhancement_scores(case: Case) -> dict[str, list[float]]:
    """What sees enhancement, of each patient: see `ENHANCEMENT`, and what only simulated patients allow.

    ``rise_leaky`` and ``true_rise_leaky`` are the mean rise over T1 of the synthetic and of the true image where the
    core truly leaks, ``true_rise_tight`` the true one in the rest of the solid core; ``score`` is the mean synthetic
    rise over the solid core, by which enhancing patients are told from others; those of ``blood`` are
    of all blood, those of ``sinus`` of that at the midline. ``found_<threshold>`` is the share of the truly enhancing
    tumor voxels in which the synthetic image rises by more than the threshold, ``false_share_<threshold>`` that of the
    other tumor voxels, ``found_sinus`` the first within the sinus at 0.3.
    """
    errors = enhancement_errors(case.synthetic, case.true, case.images[:, :1], case.masks)
    found = {f"e_{name}": getattr(errors, name).double().tolist() for name in ENHANCEMENT}
    synthetic_rise, true_rise = case.synthetic - case.images[:, :1], case.true - case.images[:, :1]
    solid, leaky, brain = case.known["solid"], case.known["leaky"], case.masks.brain
    inside = {"leaky": leaky, "tight": solid & ~leaky, "blood": case.known["blood"] & brain}
    inside["sinus"] = case.known["sinus"] & brain
    found["score"] = _means(synthetic_rise, solid)
    found["tumor_score"] = _means(synthetic_rise, case.masks.tumor)
    for name, mask in inside.items():
        found[f"rise_{name}"] = _means(synthetic_rise, mask)
        found[f"true_rise_{name}"] = _means(true_rise, mask)
    for threshold in THRESHOLDS:
        risen, truly = synthetic_rise > threshold, true_rise > threshold
        found[f"found_{threshold:g}"] = _means(risen.float(), truly & case.masks.tumor)
        found[f"false_share_{threshold:g}"] = _means(risen.float(), case.masks.tumor & ~truly)
    found["found_sinus"] = _means((synthetic_rise > 0.3).float(), (true_rise > 0.3) & inside["sinus"])
    found["predicted_voxels"] = ((synthetic_rise > 0.3) & case.masks.tumor).flatten(1).sum(1).double().tolist()
    return found


def appearance_scores(case: Case, voxel_mm: int) -> dict[str, list[float]]:
    """How the synthetic image looks: ``gradient``, ``checkerboard`` and ``dark_error`` of each patient.

    The mean gradient inside the brain, over that of the true image; the power of the composite at the highest frequency
    of the grid along any axis, over the true image's; the mean error of the darkest quarter of the true image's voxels
    within `NEAR_TUMOR_MM` of the tumor.
    """
    brain = case.masks.brain
    synthetic, true = (torch.where(brain, volume, BACKGROUND) for volume in (case.synthetic, case.true))
    inner = ~_dilated(~brain, 1)
    slopes, powers = ([measure(volume) for volume in (synthetic, true)] for measure in (_gradient, _highest_frequency))
    sharp = [_means(slope, inner) for slope in slopes]
    found = {"gradient": [a / b for a, b in zip(*sharp, strict=True)]}
    found["checkerboard"] = [float(a / b) for a, b in zip(*powers, strict=True)]
    near = _dilated(case.masks.tumor, max(1, round(NEAR_TUMOR_MM / voxel_mm))) & ~case.masks.tumor & brain
    found["dark_error"] = []
    for k in range(len(case.numbers)):
        values, errors = true[k][near[k]], (synthetic - true)[k][near[k]]
        dark = errors[values <= values.quantile(0.25)] if len(values) else errors
        found["dark_error"].append(float(dark.mean()))
    return found


def gathered(parts: Sequence[dict[str, list[float]]]) -> dict[str, np.ndarray]:
    """Join the scores of several cases."""
    return {name: np.array([value for part in parts for value in part[name]]) for name in parts[0]}


def _means(values: Tensor, mask: Tensor) -> list[float]:
    counts = mask.flatten(1).sum(1)
    sums = torch.where(mask, values, 0.0).flatten(1).sum(1)
    return torch.where(counts > 0, sums / counts.clamp(min=1), torch.nan).tolist()


def _dilated(mask: Tensor, voxels: int) -> Tensor:
    """By a cube, along one axis after the other."""
    grown = mask.float()
    for axis in range(3):
        width, padding = [1, 1, 1], [0, 0, 0]
        width[axis], padding[axis] = 2 * voxels + 1, voxels
        grown = torch.nn.functional.max_pool3d(grown, width, stride=1, padding=padding)
    return grown > 0


def _gradient(volume: Tensor) -> Tensor:
    parts = torch.gradient(volume, dim=(2, 3, 4))
    return torch.stack([part.square() for part in parts]).sum(0).sqrt()


def _highest_frequency(volume: Tensor) -> Tensor:
    """Power at the highest frequency of the grid along at least one axis, of each volume."""
    power = torch.fft.fftn(volume[:, 0].double(), dim=(1, 2, 3)).abs().square()
    highest = torch.zeros_like(power, dtype=torch.bool)
    for axis in (1, 2, 3):
        highest.select(axis, volume.shape[axis + 1] // 2).fill_(True)
    return torch.where(highest, power, 0.0).sum((1, 2, 3))
