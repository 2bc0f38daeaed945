"""The conditional adversarial pair 'pix2pix' in two and three dimensions: a U-Net generator and a patch discriminator.

Both consist of convolutions of 4 taps along every axis. The generator halves the images ``depth`` times and doubles
them again, with a skip at every resolution; the discriminator looks at images and map together and says for each
place whether the map around it is a true one. Neither scales its input or output: see
`mrrepro.networks.scaled_generator`. The objective is in `mrrepro.training.adversarial`.

References
----------
P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros, Image-to-image translation with conditional adversarial networks, CVPR 2017,
10.1109/CVPR.2017.632 (arXiv:1611.07004), sections 3.2 and 6.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrrepro.validation import require_choice, require_range

Normalization = Callable[[int], nn.Module]
"""Makes the normalisation of a number of channels."""

CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED_CONVOLUTIONS = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORMALIZATIONS = {
    ("batch", 2): nn.BatchNorm2d,
    ("batch", 3): nn.BatchNorm3d,
    ("instance", 2): nn.InstanceNorm2d,
    ("instance", 3): nn.InstanceNorm3d,
}
OUTPUT_ACTIVATIONS = {"none": nn.Identity, "tanh": nn.Tanh}
INITIAL_DEVIATION = 0.02
"""Standard deviation of the normal distribution from which all filters start (Isola et al., section 6.2)."""


@dataclass(frozen=True)
class GeneratorSize:
    """What fixes a generator. The defaults are those of Isola et al. but for channels and output activation.

    Parameters
    ----------
    input_channels, output_channels : int
        Channels of the images and of the map, at least 1.
    base_filters : int
        Filters of the first level; each further level doubles them up to eight times as many.
    depth : int
        Number of halvings, at least 2; each side of the images must divide by ``2**depth``.
    dropout_blocks : int
        How many of the innermost expanding blocks drop half of their features while training (all, where there are
        fewer).
    normalization : {"batch", "instance"}
        Of each level but the first, the innermost and the output.
    dimensions : {2, 3}
    output_activation : {"none", "tanh"}
        Isola et al. end in tanh, for images in [-1, 1]; a map of which values beyond those of the training set may be
        asked has no such bounds.
    leak : float
        Slope of the leaky ReLU on the way down, in [0, 1].
    skip_leak : float
        Slope below zero of what passes through a skip, in [0, 1]: 0 in Isola et al., where the skips are joined
        before a ReLU; equal to ``leak`` where they are joined after it.
    normalized_innermost : bool
        Normalise the innermost level too. Isola et al. do not: where it has a single pixel, a normalisation over the
        pixels of one image sets it to zero.
    """

    input_channels: int = 3
    output_channels: int = 1
    base_filters: int = 64
    depth: int = 8
    dropout_blocks: int = 3
    normalization: Literal["batch", "instance"] = "batch"
    dimensions: int = 2
    output_activation: Literal["none", "tanh"] = "none"
    leak: float = 0.2
    skip_leak: float = 0.0
    normalized_innermost: bool = False

    def __post_init__(self) -> None:
        least = {"input_channels": 1, "output_channels": 1, "base_filters": 1, "depth": 2, "dropout_blocks": 0}
        for name, bound in least.items():
            require_range(name, getattr(self, name), bound)
        for name in ("leak", "skip_leak"):
            require_range(name, getattr(self, name), 0.0, 1.0)
        require_choice("dimensions", self.dimensions, CONVOLUTIONS)
        require_choice("normalization", self.normalization, ("batch", "instance"))
        require_choice("output_activation", self.output_activation, OUTPUT_ACTIVATIONS)

    @property
    def filters(self) -> tuple[int, ...]:
        """Filters of the levels, from the finest."""
        return tuple(self.base_filters * min(2**level, 8) for level in range(self.depth))


class PixToPixGenerator(nn.Module):
    """Contract by strided convolutions, expand by transposed ones, join by skips.

    Level i of the way down is leaky ReLU (but for the first), convolution, normalisation; a block of the way up is
    transposed convolution, normalisation, dropout, ReLU. Only the last convolution has a bias.

    Dropout is active in training mode only. Isola et al. keep it, and the statistics of the batch at hand, when the
    network is used, which makes its output random; here a network in evaluation mode is a function of its input.

    Parameters
    ----------
    size : GeneratorSize
    normalization : callable, optional
        Makes the normalisation of a number of channels, instead of the one that ``size`` names.
    """

    def __init__(self, size: GeneratorSize = GeneratorSize(), normalization: Normalization | None = None) -> None:
        super().__init__()
        self.size = size
        normalize = normalization or _normalization(size.normalization, size.dimensions)
        convolution, transposed = CONVOLUTIONS[size.dimensions], TRANSPOSED_CONVOLUTIONS[size.dimensions]
        self.contracting = nn.ModuleList()
        channels = size.input_channels
        for level, filters in enumerate(size.filters):
            plain = level == 0 or (level == size.depth - 1 and not size.normalized_innermost)
            self.contracting.append(
                nn.Sequential(
                    nn.LeakyReLU(size.leak) if level else nn.Identity(),
                    convolution(channels, filters, 4, stride=2, padding=1, bias=False),
                    nn.Identity() if plain else normalize(filters),
                )
            )
            channels = filters
        self.skip_activation = nn.LeakyReLU(size.skip_leak) if size.skip_leak else nn.ReLU()
        self.expanding = nn.ModuleList()
        for block, filters in enumerate(reversed(size.filters[:-1])):
            self.expanding.append(
                nn.Sequential(
                    transposed(channels, filters, 4, stride=2, padding=1, bias=False),
                    normalize(filters),
                    nn.Dropout(0.5 if block < size.dropout_blocks else 0.0),
                    nn.ReLU(),
                )
            )
            channels = 2 * filters
        self.last = transposed(channels, size.output_channels, 4, stride=2, padding=1)
        self.output_activation = OUTPUT_ACTIVATIONS[size.output_activation]()
        _initialize(self)

    def forward(
        self, images: Float[Tensor, "batch input_channel *space"]
    ) -> Float[Tensor, "batch output_channel *space"]:
        """Map images to a map of the same sides.

        Raises
        ------
        ValueError
            If the images have other axes or channels, or sides that do not divide by ``2**depth``.
        """
        self._require_images(images)
        skips, features = [], images
        for block in self.contracting:
            features = block(features)
            skips.append(features)
        features = self.skip_activation(features)
        for block, skip in zip(self.expanding, reversed(skips[:-1]), strict=True):
            features = torch.cat([block(features), self.skip_activation(skip)], dim=1)
        return self.output_activation(self.last(features))

    def _require_images(self, images: Tensor) -> None:
        size, multiple = self.size, 2**self.size.depth
        _require_channels("images", images, size.input_channels, size.dimensions)
        sides = tuple(images.shape[2:])
        if any(side % multiple or side == 0 for side in sides):
            padded = tuple(multiple * max(1, -(-side // multiple)) for side in sides)
            raise ValueError(
                f"images must have sides that divide by {multiple}, that is 2**depth for depth {size.depth}, "
                f"but they are {sides}: pad them, for instance to {padded}, or build a network of fewer levels."
            )


@dataclass(frozen=True)
class DiscriminatorSize:
    """What fixes a discriminator; the defaults are those of Isola et al. but for the channels.

    Parameters
    ----------
    input_channels, output_channels : int
        Channels of the images and of the map, as in `GeneratorSize`.
    base_filters : int
        Filters of the first layer; each further one doubles them up to eight times as many.
    strided_layers : int
        Layers that halve the resolution, at least 1; each output sees 16, 34, 70, 142 pixels along every axis for 1, 2,
        3, 4 of them.
    normalization : {"batch", "instance"}
        Of all layers but the first and the last.
    dimensions : {2, 3}
    """

    input_channels: int = 3
    output_channels: int = 1
    base_filters: int = 64
    strided_layers: int = 3
    normalization: Literal["batch", "instance"] = "batch"
    dimensions: int = 2

    def __post_init__(self) -> None:
        for name in ("input_channels", "output_channels", "base_filters", "strided_layers"):
            require_range(name, getattr(self, name), 1)
        require_choice("dimensions", self.dimensions, CONVOLUTIONS)
        require_choice("normalization", self.normalization, ("batch", "instance"))

    @property
    def least_side(self) -> int:
        """Shortest side of images: the two layers of stride 1 take a pixel each off what the strided ones leave."""
        return 3 * 2**self.strided_layers


class PatchDiscriminator(nn.Module):
    """Say for each place whether the map around it belongs to the images ('PatchGAN').

    Strided convolutions, one of stride 1, and one of stride 1 to a single channel; leaky ReLU (0.2) between them.
    The output is the logarithm of the odds that the map is a true one: no sigmoid.

    Parameters
    ----------
    size : DiscriminatorSize
    """

    def __init__(self, size: DiscriminatorSize = DiscriminatorSize()) -> None:
        super().__init__()
        self.size = size
        normalize = _normalization(size.normalization, size.dimensions)
        convolution = CONVOLUTIONS[size.dimensions]
        self.layers = nn.ModuleList()
        channels = size.input_channels + size.output_channels
        for layer in range(size.strided_layers + 1):
            filters = size.base_filters * min(2**layer, 8)
            stride = 2 if layer < size.strided_layers else 1
            self.layers.append(
                nn.Sequential(
                    convolution(channels, filters, 4, stride=stride, padding=1, bias=layer == 0),
                    normalize(filters) if layer else nn.Identity(),
                    nn.LeakyReLU(0.2),
                )
            )
            channels = filters
        self.last = convolution(channels, 1, 4, padding=1)
        _initialize(self)

    def forward(
        self, images: Float[Tensor, "batch input_channel *space"], maps: Float[Tensor, "batch output_channel *space"]
    ) -> Float[Tensor, "batch 1 *patches"]:
        """Return the log-odds that ``maps`` are the true ones of ``images``, one for each overlapping patch.

        Raises
        ------
        ValueError
            If axes or channels differ from the discriminator's, images from maps, or a side is too short.
        """
        size = self.size
        _require_channels("images", images, size.input_channels, size.dimensions)
        _require_channels("maps", maps, size.output_channels, size.dimensions)
        if images.shape[2:] != maps.shape[2:] or min(images.shape[2:]) < size.least_side:
            raise ValueError(
                f"images and maps must have equal sides of at least {size.least_side} for {size.strided_layers} "
                f"strided layers, but they are {tuple(images.shape[2:])} and {tuple(maps.shape[2:])}: "
                "use larger images or fewer strided layers."
            )
        features = torch.cat([images, maps], dim=1)
        for layer in self.layers:
            features = layer(features)
        return self.last(features)


def _normalization(kind: str, dimensions: int) -> Normalization:
    layer = NORMALIZATIONS[kind, dimensions]
    return lambda channels: layer(channels, affine=True)


def _initialize(network: nn.Module) -> None:
    """Draw all filters from a normal distribution, set biases to zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
            nn.init.normal_(module.weight, std=INITIAL_DEVIATION)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _require_channels(name: str, images: Tensor, channels: int, dimensions: int) -> None:
    if images.ndim != dimensions + 2 or images.shape[1] != channels:
        axes = ", ".join(("depth", "height", "width")[-dimensions:])
        raise ValueError(
            f"{name} must have shape (batch, {channels}, {axes}), but has {tuple(images.shape)}: "
            "give one channel for each image or map, and one axis for each dimension of the network."
        )
