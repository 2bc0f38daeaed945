"""The U-Net with padded convolutions, estimating a map from images."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrrepro.networks.blocks import ConvolutionNormReLU, initialise_he
from mrrepro.networks.multi_decoder import LEVELS, channels_at, require_image_batch
from mrrepro.networks.scaling import FixedScaling


class DoubleConvolution(nn.Sequential):
    """Two 3x3 convolutions, each with batch normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(ConvolutionNormReLU(inputs, outputs), ConvolutionNormReLU(outputs, outputs))


class UNet(nn.Module):
    """U-Net of four levels: max pooling down, 2x2 transposed convolutions up, skips by concatenation, linear 1x1 head.

    Parameters
    ----------
    width : float
        Base width b (the paper: 64); b, 2b, 4b, 8b and 16b feature maps from the first level to the bottom.
    scaling : FixedScaling, optional
        Scales images and estimates; default: none.
    zero_initialised_head : bool
        Start from an estimate of zero.

    Notes
    -----
    Departures from the source, both usual today: convolutions are padded, so that output and input have the same
    size, and batch-normalised, as those of the networks that it is compared with. Input (batch, 2, height, width),
    sizes being multiples of 16; output (batch, 1, height, width): the map.

    References
    ----------
    O. Ronneberger, P. Fischer, T. Brox, U-Net, MICCAI 2015, Fig. 1.
    """

    def __init__(
        self, width: float, *, scaling: FixedScaling | None = None, zero_initialised_head: bool = False
    ) -> None:
        super().__init__()
        self.scaling = FixedScaling() if scaling is None else scaling
        widths = [channels_at(width, level) for level in range(LEVELS + 1)]
        pairs = list(pairwise(widths))
        self.first = DoubleConvolution(2, widths[0])
        self.down = nn.ModuleList(DoubleConvolution(fine, coarse) for fine, coarse in pairs)
        self.upsampling = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in pairs)
        self.up = nn.ModuleList(DoubleConvolution(2 * fine, fine) for fine, _ in pairs)
        self.head = nn.Conv2d(widths[0], 1, 1)
        initialise_he(self)
        if zero_initialised_head:
            nn.init.zeros_(self.head.weight)

    def forward(self, images: Float[Tensor, "batch 2 height width"]) -> Float[Tensor, "batch 1 height width"]:
        """Return the estimated map as one channel."""
        require_image_batch(images)
        features = self.first(self.scaling.scale_input(images))
        skips = []
        for level in self.down:
            skips.append(features)
            features = level(nn.functional.max_pool2d(features, 2))
        for upsampling, level, skip in zip(reversed(self.upsampling), reversed(self.up), reversed(skips), strict=True):
            features = level(torch.cat((skip, upsampling(features)), dim=1))
        return self.scaling.scale_output(self.head(features))

    def target(self, maps: Float[Tensor, "batch height width"]) -> Float[Tensor, "batch 1 height width"]:
        """Return the maps as one channel."""
        return maps[:, None]

    def predict_map(self, images: Float[Tensor, "batch 2 height width"]) -> Float[Tensor, "batch height width"]:
        """Return the only channel."""
        return self(images)[:, 0]
