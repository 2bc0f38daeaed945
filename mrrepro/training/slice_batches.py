"""Batches of slices across one axis of several volumes, each a pure function of its number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mrrepro.networks.volume_padding import padding_to_multiple
from mrrepro.validation import require_range, require_shape


@dataclass(frozen=True)
class SlicePairs:
    """Slices of images and of what a network shall make of them.

    Parameters
    ----------
    images : Float[Tensor, "slices inputs height width"]
        Input slices.
    targets : Float[Tensor, "slices outputs height width"]
        Target slices.
    """

    images: Float[Tensor, "slices inputs height width"]
    targets: Float[Tensor, "slices outputs height width"]

    def __post_init__(self) -> None:
        require_shape("images", self.images, (None, None, None, None))
        require_shape("targets", self.targets, (self.images.shape[0], None, *self.images.shape[2:]))
        require_range("number of slices", len(self.images), low=1)

    def __len__(self) -> int:
        return len(self.images)

    def split(self, share: float, seed: int) -> tuple[SlicePairs, SlicePairs]:
        """Shuffle and divide; the second part is ``share`` of the slices, at least one, and so is the first.

        Raises
        ------
        ValueError
            If there are fewer than two slices.
        """
        require_range("number of slices", len(self), low=2, remedy="both parts need one")
        order = torch.from_numpy(np.random.default_rng(seed).permutation(len(self)))
        kept = min(len(self) - 1, max(1, round(share * len(self))))
        first, second = order[kept:], order[:kept]
        return SlicePairs(self.images[first], self.targets[first]), SlicePairs(
            self.images[second], self.targets[second]
        )

    def batch(self, number: int, size: int, seed: int) -> tuple[Tensor, Tensor]:
        """Batch ``number`` of an endless run: every slice once in each pass, in an order of that pass' own."""
        first = number * size
        passes: dict[int, np.ndarray] = {}
        chosen = []
        for place in range(first, first + size):
            epoch, rank = divmod(place, len(self))
            if epoch not in passes:
                passes[epoch] = np.random.default_rng([seed, epoch]).permutation(len(self))
            chosen.append(int(passes[epoch][rank]))
        index = torch.tensor(chosen)
        return self.images[index], self.targets[index]


def slices_across(
    axis: int,
    images: Sequence[Float[Tensor, "inputs n0 n1 n2"]],
    targets: Sequence[Float[Tensor, "outputs n0 n1 n2"]],
    multiple: int,
) -> SlicePairs:
    """All slices across an axis whose target is not zero throughout, padded with zeros to common sides.

    Parameters
    ----------
    axis : int
        0, 1 or 2.
    images, targets : sequence of Tensor
        Volumes of each head; heads may differ in size.
    multiple : int
        The slices' sides are made divisible by it.

    Raises
    ------
    ValueError
        If nothing is left, or a head's images and target differ in size.
    """
    require_range("axis", axis, low=0, high=2)
    others = [other for other in range(3) if other != axis]
    sides = [multiple * math.ceil(max(volume.shape[1 + other] for volume in images) / multiple) for other in others]
    inputs: list[Tensor] = []
    outputs: list[Tensor] = []
    for image, target in zip(images, targets, strict=True):
        require_shape("target", target, (None, *image.shape[1:]), "give it on the images' grid")
        filled = target.movedim(1 + axis, 0).flatten(1).any(dim=1)
        for volume, kept in ((image, inputs), (target, outputs)):
            stack = volume.movedim(1 + axis, 0)[filled]
            missing = [side - length for side, length in zip(sides, stack.shape[2:], strict=True)]
            before = [count // 2 for count in missing]
            widths = (before[1], missing[1] - before[1], before[0], missing[0] - before[0])
            kept.append(torch.nn.functional.pad(stack, widths))
    return SlicePairs(torch.cat(inputs), torch.cat(outputs))


def padded_to(volume: Float[Tensor, "channels n0 n1 n2"], multiple: int) -> tuple[Tensor, tuple[slice, slice, slice]]:
    """Pad a volume with zeros until its sides divide, and say where it lies in the result."""
    n0, n1, n2 = volume.shape[1:]
    padding = padding_to_multiple((n0, n1, n2), multiple)
    where = [slice(before, before + length) for before, length in zip(padding.before, (n0, n1, n2), strict=True)]
    return padding.apply(volume[None], 0.0)[0], (where[0], where[1], where[2])
