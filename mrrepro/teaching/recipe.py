"""Sizes of the measurements of the chapter 'Break it'; each is a matter of seconds, so all scales are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from mrrepro.runs.fields import setting
from mrrepro.runs.settings import SCALES, require_known


@dataclass(frozen=True)
class TeachingSettings:
    """How much is measured before and after a fault is put in."""

    samples: int = setting(48, "simulated images that the shipped concentration network reads", low=8, high=2000)
    patients: int = setting(200, "patients of noise features, half of them labelled", low=40, high=2000)
    permutations: int = setting(12, "permutations of their labels", low=3, high=200)
    heads: int = setting(3, "drawn heads under the coil", low=2, high=20)
    head_voxel_mm: float = setting(8.0, "edge of their voxels", unit="mm", low=2, high=10)

    @classmethod
    def at_scale(cls, scale: str) -> Self:
        """The settings of a scale, the same at each."""
        require_known("scale", scale, SCALES)
        return cls()


SETTINGS = TeachingSettings
STAGES = ()
