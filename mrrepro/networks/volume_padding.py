"""Pad a volume until its sides divide, and undo it exactly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class VolumePadding:
    """Voxels added before and after each of the three spatial axes."""

    before: tuple[int, int, int]
    after: tuple[int, int, int]

    def apply(
        self, volume: Float[Tensor, "batch channel depth height width"], value: float
    ) -> Float[Tensor, "batch channel padded_depth padded_height padded_width"]:
        """Surround the volume with ``value``."""
        widths = [w for pair in zip(reversed(self.before), reversed(self.after), strict=True) for w in pair]
        return nn.functional.pad(volume, widths, value=value)

    def undo(
        self, volume: Float[Tensor, "batch channel padded_depth padded_height padded_width"]
    ) -> Float[Tensor, "batch channel depth height width"]:
        """Cut the added voxels off again, also from a volume with another number of channels."""
        for axis, (before, after) in enumerate(zip(self.before, self.after, strict=True), start=2):
            volume = torch.narrow(volume, axis, before, volume.shape[axis] - before - after)
        return volume


def padding_to_multiple(sides: tuple[int, int, int], multiple: int) -> VolumePadding:
    """Find the smallest padding, even on both ends of each axis, after which every side divides by ``multiple``.

    Raises
    ------
    ValueError
        For a multiple below one or a side below one.

    Examples
    --------
    >>> padding_to_multiple((150, 192, 161), 32)
    VolumePadding(before=(5, 0, 15), after=(5, 0, 16))
    """
    if multiple < 1 or min(sides) < 1:
        raise ValueError(f"multiple and sides must be at least 1, but are {multiple!r} and {sides!r}.")
    missing = [-side % multiple for side in sides]
    before = (missing[0] // 2, missing[1] // 2, missing[2] // 2)
    return VolumePadding(before, (missing[0] - before[0], missing[1] - before[1], missing[2] - before[2]))
