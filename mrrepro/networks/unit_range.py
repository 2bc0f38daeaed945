"""Normalisation of MR images to [0, 1], saved with the network that was trained on it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrrepro.validation import require_finite, require_range, require_shape


class UnitRangeNormalization(nn.Module):
    """Each volume to [0, 1] between two of its own quantiles, values beyond them cut.

    The source first takes each image to zero mean and unit variance and then scales it to [0, 1]. The second step
    undoes the first: only the two values that become 0 and 1 matter, and the source does not say which they are.
    The maximum would let one bright voxel decide; by default it is a quantile. The minimum is kept, which is the
    background's zero in a magnitude image; for images with negative values, such as interpolation leaves, give ``low``.

    Parameters
    ----------
    low, high : float
        Quantiles that become 0 and 1, ``0 <= low < high <= 1``.

    Notes
    -----
    Source: Rashed, Gomez-Tames and Hirata, IEEE Trans. Med. Imaging 39, 2351-2362, 2020, Section III-A.
    """

    quantiles: Float[Tensor, 2]

    def __init__(self, low: float = 0.0, high: float = 0.999) -> None:
        super().__init__()
        require_range("high", high, 0.0, 1.0, low_open=True)
        require_range("low", low, 0.0, high)
        if low == high:
            raise ValueError(f"low must be below high, but both are {low}.")
        self.register_buffer("quantiles", torch.tensor([low, high], dtype=torch.float64))

    def forward(self, volumes: Float[Tensor, "images n0 n1 n2"]) -> Float[Tensor, "images n0 n1 n2"]:
        """Return the volumes in [0, 1].

        Raises
        ------
        ValueError
            If a value is not finite, or a volume is constant between its quantiles.
        """
        require_shape("volumes", volumes, (None, None, None, None), "stack the images of one head")
        require_finite("volumes", volumes)
        scaled = []
        for number, volume in enumerate(volumes):
            ordered = volume.flatten().sort().values
            low, high = (ordered[round(float(q) * (ordered.numel() - 1))] for q in self.quantiles)
            if not bool(high > low):
                raise ValueError(f"volumes must have contrast, but image {number} is {low.item():g} nearly throughout.")
            scaled.append(((volume - low) / (high - low)).clamp(0.0, 1.0))
        return torch.stack(scaled)
