"""Normalisation of MR images, whose units are arbitrary, before a network sees them; saved with its weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mrrepro.metrics.regions import BACKGROUND
from mrrepro.validation import require_finite, require_range

Images = Float[Tensor, "batch channel depth height width"]


@dataclass(frozen=True)
class IntensityScale:
    """Mean and standard deviation of each image over the brain, shape (batch, channel, 1, 1, 1)."""

    mean: Float[Tensor, "batch channel 1 1 1"]
    standard_deviation: Float[Tensor, "batch channel 1 1 1"]


class StandardScoreNormalization(nn.Module):
    """Standard score of each image over the brain, cut at a number of standard deviations, scaled to [-1, 1].

    ``clip((x - mean) / sd, -cut, cut) / cut`` in the brain, -1 outside. The thesis (section 2.2) states the standard
    score, the cut at 4 standard deviations and the range. It leaves open over which voxels mean and deviation are
    taken (here the brain, so that the size of the field of view does not matter), each image's or the cohort's
    (here each image's, since the scanners differ), and the background's value (here the lowest).

    Parameters
    ----------
    cut : float
        Largest standard score kept, positive.
    """

    cut: Float[Tensor, ""]

    def __init__(self, cut: float = 4.0) -> None:
        super().__init__()
        require_range("cut", cut, 0.0, low_open=True)
        self.register_buffer("cut", torch.tensor(cut))

    def scale(self, images: Images, brain: Bool[Tensor, "batch 1 depth height width"]) -> IntensityScale:
        """Measure the intensities of each image over its brain.

        Raises
        ------
        ValueError
            For images that are not finite, a brain of fewer than two voxels, an image that is constant there.
        """
        require_finite("images", images)
        if brain.dtype != torch.bool or brain.shape != (images.shape[0], 1, *images.shape[2:]):
            raise ValueError(
                f"brain must be a boolean mask of shape {(images.shape[0], 1, *images.shape[2:])}, "
                f"but is {brain.dtype} of {tuple(brain.shape)}."
            )
        dims = (2, 3, 4)
        counts = brain.sum(dims, keepdim=True)
        if bool((counts < 2).any()):
            raise ValueError(f"brain must hold at least two voxels, but holds {int(counts.min())}.")
        mean = torch.where(brain, images, 0.0).sum(dims, keepdim=True) / counts
        variance = torch.where(brain, (images - mean).square(), 0.0).sum(dims, keepdim=True) / counts
        if bool((variance == 0).any()):
            constant = torch.nonzero(variance.flatten(1) == 0).tolist()
            raise ValueError(f"images must vary over the brain, but (batch, channel) {constant} are constant there.")
        return IntensityScale(mean, variance.sqrt())

    def forward(self, images: Images, brain: Bool[Tensor, "batch 1 depth height width"]) -> Images:
        """Normalise each image by its own scale."""
        scale = self.scale(images, brain)
        scores = (images - scale.mean) / (scale.standard_deviation * self.cut)
        return torch.where(brain, scores.clamp(-1.0, 1.0), BACKGROUND)

    def undo(self, normalized: Images, scale: IntensityScale) -> Images:
        """Return to the intensities that ``scale`` was measured on; what was cut stays cut."""
        return normalized * (scale.standard_deviation * self.cut) + scale.mean
