"""What training and evaluation ask of a network that estimates a map from images."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class MapPredictor(Protocol):
    """A network whose output, in channels of its own, stands for a map.

    The channels are wavelet coefficients for some networks and the map itself for others; ``target`` turns a true
    map into the channels that the output is compared with, ``predict_map`` turns images into the estimated map.
    """

    def __call__(
        self, images: Float[Tensor, "batch 2 height width"]
    ) -> Float[Tensor, "batch channels channel_height channel_width"]:
        """Estimated channels."""
        ...

    def target(
        self, maps: Float[Tensor, "batch height width"]
    ) -> Float[Tensor, "batch channels channel_height channel_width"]:
        """The channels of true maps."""
        ...

    def predict_map(self, images: Float[Tensor, "batch 2 height width"]) -> Float[Tensor, "batch height width"]:
        """Estimated maps."""
        ...
