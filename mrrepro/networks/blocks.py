"""Convolutional blocks of encoder-decoder networks in two dimensions, after He's initialisation."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

LEAKY_SLOPE = 0.01
"""Slope of the leaky ReLU for negative arguments (della Maggiora et al. 2020, section 4.3)."""


class ConvolutionNormReLU(nn.Sequential):
    """3x3 convolution, batch normalisation, ReLU; the size is kept."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),  # the normalisation removes any bias
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )


class EncoderLevel(nn.Module):
    """Two convolutions at one resolution and a linear one with stride 2 that halves it.

    ``forward`` returns the features at the full resolution (for skips) and the halved ones.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(ConvolutionNormReLU(inputs, width), ConvolutionNormReLU(width, width))
        self.downsampling = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(
        self, images: Float[Tensor, "batch inputs height width"]
    ) -> tuple[Float[Tensor, "batch features height width"], Float[Tensor, "batch features height/2 width/2"]]:
        """Return (features, downsampled features)."""
        features = self.features(images)
        return features, self.downsampling(features)


class ResidualBlock(nn.Module):
    """Sum of (3x3 convolution, batch normalisation, ReLU) and a linear 1x1 projection, with no activation after."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.residual = ConvolutionNormReLU(inputs, outputs)
        self.projection = nn.Conv2d(inputs, outputs, 1)

    def forward(
        self, features: Float[Tensor, "batch inputs height width"]
    ) -> Float[Tensor, "batch outputs height width"]:
        """Return F(x) + W x."""
        return self.residual(features) + self.projection(features)


class UpsamplingNorm(nn.Sequential):
    """2x2 transposed convolution with stride 2, leaky ReLU, batch normalisation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.ConvTranspose2d(inputs, outputs, 2, stride=2),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.BatchNorm2d(outputs),
        )


class ConvolutionLeakyNorm(nn.Sequential):
    """3x3 convolution, leaky ReLU, batch normalisation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.LeakyReLU(LEAKY_SLOPE),
            nn.BatchNorm2d(outputs),
        )


class DecoderStage(nn.Module):
    """Upsampling by 2 to ``outputs`` channels, then a 3x3 convolution; ``skips`` channels are joined in between."""

    def __init__(self, inputs: int, outputs: int, skips: int = 0) -> None:
        super().__init__()
        self.upsampling = UpsamplingNorm(inputs, outputs)
        self.refinement = ConvolutionLeakyNorm(outputs + skips, outputs)

    def forward(
        self,
        features: Float[Tensor, "batch inputs height width"],
        skip: Float[Tensor, "batch skips 2*height 2*width"] | None = None,
    ) -> Float[Tensor, "batch outputs 2*height 2*width"]:
        """Return the refined features at twice the resolution."""
        upsampled = self.upsampling(features)
        return self.refinement(upsampled if skip is None else torch.cat((upsampled, skip), dim=1))


@torch.no_grad()
def initialise_he(network: nn.Module) -> None:
    """Draw every convolution's weights from a normal distribution of variance 2 / fan-in and zero its bias.

    The fan-in is the number of products that make up one output value: inputs times kernel area for a convolution,
    and inputs times kernel area over stride area for a transposed one. The global generator of torch is used.

    References
    ----------
    K. He et al., Delving deep into rectifiers, ICCV 2015, equation 10.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            fan_in = module.in_channels // module.groups * math.prod(module.kernel_size)
            if isinstance(module, nn.ConvTranspose2d):
                fan_in //= math.prod(module.stride)
            module.weight.normal_(0.0, math.sqrt(2.0 / fan_in))
            if module.bias is not None:
                module.bias.zero_()
