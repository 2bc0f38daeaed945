"""Where an image is scored: the whole volume, the brain, the tumor, the enhancing part."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mrrepro.validation import require_finite, require_range

ENHANCEMENT_THRESHOLD = 0.3
"""Smallest rise of the normalised T1 image that counts as enhancement [range of intensities: -1 to 1]."""

BACKGROUND = -1.0
"""Intensity outside the brain, the lower end of the range [-1, 1]."""


class Region(Enum):
    """A region of scoring; its value is the subscript that the thesis gives to losses and metrics."""

    IMAGE = ""
    BRAIN = "B"
    TUMOR = "T"
    ENHANCEMENT = "E"


@dataclass(frozen=True)
class RegionMasks:
    """The masks of a batch of volumes, True inside.

    Parameters
    ----------
    brain, tumor, enhancement : Tensor
        Boolean masks of shape (batch, 1, depth, height, width). The enhancement mask may be empty: half of the
        patients do not enhance. An empty brain or tumor is an input error wherever its voxels are averaged over.
    """

    brain: Bool[Tensor, "batch 1 depth height width"]
    tumor: Bool[Tensor, "batch 1 depth height width"]
    enhancement: Bool[Tensor, "batch 1 depth height width"]

    def __post_init__(self) -> None:
        for name in ("brain", "tumor", "enhancement"):
            mask: Tensor = getattr(self, name)
            if mask.dtype != torch.bool or mask.ndim != 5 or mask.shape != self.brain.shape:
                raise ValueError(
                    f"{name} must be a boolean mask of the brain's shape (batch, 1, depth, height, width), "
                    f"{tuple(self.brain.shape)}, but is {mask.dtype} of {tuple(mask.shape)}: compare with > 0 first."
                )

    def of(self, region: Region) -> Bool[Tensor, "batch 1 depth height width"]:
        """Return the mask of a region; the image's is True everywhere."""
        if region is Region.IMAGE:
            return torch.ones_like(self.brain)
        mask: Tensor = getattr(self, region.name.lower())
        return mask


def enhancement_mask(
    post_contrast: Float[Tensor, "batch 1 depth height width"],
    pre_contrast: Float[Tensor, "batch 1 depth height width"],
    threshold: float = ENHANCEMENT_THRESHOLD,
) -> Bool[Tensor, "batch 1 depth height width"]:
    """Mark where the T1 image rises by more than a threshold after contrast.

    Parameters
    ----------
    post_contrast, pre_contrast : Tensor
        T1 images with and without contrast agent, both normalised to [-1, 1].
    threshold : float
        Smallest rise that counts, positive; 0.3 in the thesis (section 2.6), found by eye.
    """
    require_range("threshold", threshold, 0.0, low_open=True)
    if post_contrast.shape != pre_contrast.shape:
        raise ValueError(
            "post_contrast and pre_contrast must share one shape, but are "
            f"{tuple(post_contrast.shape)} and {tuple(pre_contrast.shape)}: resample both to one grid."
        )
    require_finite("post_contrast", post_contrast)
    require_finite("pre_contrast", pre_contrast)
    return post_contrast - pre_contrast > threshold


def brain_composite(
    image: Float[Tensor, "batch 1 depth height width"],
    brain: Bool[Tensor, "batch 1 depth height width"],
    background: float = BACKGROUND,
) -> Float[Tensor, "batch 1 depth height width"]:
    """Keep the image inside the brain and write the background elsewhere."""
    return torch.where(brain, image, torch.as_tensor(background, dtype=image.dtype, device=image.device))


def values_can_be_read(device: torch.device) -> bool:
    """Tell whether a check may look at values: not while a step is captured as a CUDA graph, which computes nothing.

    The steps before the capture are checked; after it, the training loop sees a loss that is not finite.
    """
    return not (device.type == "cuda" and torch.cuda.is_current_stream_capturing())


def mean_over_mask(
    values: Float[Tensor, "batch 1 depth height width"], mask: Bool[Tensor, "batch 1 depth height width"], name: str
) -> Float[Tensor, " batch"]:
    """Average each volume over its mask; an empty mask raises ``ValueError`` naming it and the volumes."""
    counts = mask.flatten(1).sum(1)
    if values_can_be_read(mask.device) and bool((counts == 0).any()):
        empty = torch.nonzero(counts == 0).flatten().tolist()
        raise ValueError(f"{name} must hold a voxel, but is empty in volumes {empty} of the batch: leave them out.")
    return torch.where(mask, values, 0.0).flatten(1).sum(1) / counts
