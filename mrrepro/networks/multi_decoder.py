"""An encoder with a residual bottleneck and parallel decoders, one a wavelet channel, and its variants.

The network of della Maggiora et al. (IEEE TPAMI, 2020), DeepSPIO, section 4 and Fig. 3. Where the paper is silent: both
convolutions of an encoder level have the level's width, the strided one keeps it, the bottleneck is twice as wide as
the last level, a decoder's widths are 8, 4 and 2 times the base width, and batch normalisation comes before the
encoder's ReLU and after the decoders' leaky ReLU.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrrepro.networks.blocks import DecoderStage, EncoderLevel, ResidualBlock, initialise_he
from mrrepro.networks.scaling import FixedScaling
from mrrepro.networks.wavelet import CHANNELS, DB4, OrthogonalWavelet, analyse, synthesise
from mrrepro.validation import require_shape

LEVELS = 4
"""Number of times that the encoder halves the resolution."""

RESIDUAL_BLOCKS = 4
"""Number of residual blocks in the bottleneck."""

SIZE_MULTIPLE = 2**LEVELS
"""Height and width of an image are multiples of this."""


def channels_at(width: float, level: int) -> int:
    """Return round(width 2^level), at least 1: the number of feature maps ``level`` levels below the first.

    Raises
    ------
    ValueError
        If ``width`` is below 1.
    """
    if not width >= 1:
        raise ValueError(f"width must be at least 1 feature map at the first level, but is {width!r}.")
    return round(width * 2**level)


def require_image_batch(images: Tensor, channels: int = 2) -> None:
    """Raise ``ValueError`` unless ``images`` is (batch, channels, height, width) with sizes that halve four times."""
    require_shape("images", images, (None, channels, None, None), "stack even and odd lines along the second axis")
    height, width = images.shape[2:]
    if height % SIZE_MULTIPLE or width % SIZE_MULTIPLE or not height or not width:
        raise ValueError(
            f"Height and width of images must be multiples of {SIZE_MULTIPLE}, but are {height} and {width}: "
            "pad or crop the images."
        )


class Encoder(nn.Module):
    """Four levels of (two 3x3 convolutions, strided 3x3 convolution), of width b, 2b, 4b and 8b."""

    def __init__(self, inputs: int, width: float) -> None:
        super().__init__()
        widths = [inputs, *(channels_at(width, level) for level in range(LEVELS))]
        self.levels = nn.ModuleList(EncoderLevel(*pair) for pair in pairwise(widths))

    def forward(
        self, images: Float[Tensor, "batch inputs height width"]
    ) -> tuple[Float[Tensor, "batch 8b height/16 width/16"], list[Tensor]]:
        """Return the downsampled features and, from fine to coarse, each level's features before downsampling."""
        features, skips = images, []
        for level in self.levels:
            skip, features = level(features)
            skips.append(skip)
        return features, skips


class Bottleneck(nn.Sequential):
    """Four residual blocks, 16b wide."""

    def __init__(self, width: float) -> None:
        widths = [channels_at(width, LEVELS - 1)] + [channels_at(width, LEVELS)] * RESIDUAL_BLOCKS
        super().__init__(*(ResidualBlock(*pair) for pair in pairwise(widths)))


class Decoder(nn.Module):
    """Stages that double the resolution, each half as wide as the one before, and a linear 3x3 convolution.

    Parameters
    ----------
    width : float
        Base width b; the input has 16b channels.
    outputs : int
        Number of channels of the output.
    stages : int
        Number of doublings; 3 leads to half the image's resolution, 4 to the image's.
    with_skips : bool
        Join, at each stage, the features of the encoder's level of that resolution.
    """

    def __init__(self, width: float, outputs: int, stages: int = 3, with_skips: bool = False) -> None:
        super().__init__()
        widths = [channels_at(width, LEVELS - stage) for stage in range(stages + 1)]
        self.stages = nn.ModuleList(
            DecoderStage(coarse, fine, skips=fine if with_skips else 0) for coarse, fine in pairwise(widths)
        )
        self.head = nn.Conv2d(widths[-1], outputs, 3, padding=1)
        self.with_skips = with_skips

    def forward(
        self, features: Float[Tensor, "batch 16b height width"], skips: list[Tensor]
    ) -> Float[Tensor, "batch outputs fine_height fine_width"]:
        """Return the head's output; ``skips`` from fine to coarse, as `Encoder` gives them."""
        for number, stage in enumerate(self.stages, start=1):
            features = stage(features, skips[-number] if self.with_skips else None)
        return self.head(features)


class _EncoderDecoder(nn.Module):
    """Encoder, bottleneck and the decoders that a subclass passes on; their outputs are joined as channels."""

    def __init__(
        self,
        width: float,
        decoders: list[Decoder],
        scaling: FixedScaling | None,
        zero_initialised_head: bool,
    ) -> None:
        super().__init__()
        self.scaling = FixedScaling() if scaling is None else scaling
        self.encoder = Encoder(2, width)
        self.bottleneck = Bottleneck(width)
        self.decoders = nn.ModuleList(decoders)
        initialise_he(self)
        if zero_initialised_head:
            for decoder in decoders:
                nn.init.zeros_(decoder.head.weight)

    def forward(
        self, images: Float[Tensor, "batch 2 height width"]
    ) -> Float[Tensor, "batch channels channel_height channel_width"]:
        """Return the estimated channels in the map's unit."""
        require_image_batch(images)
        features, skips = self.encoder(self.scaling.scale_input(images))
        features = self.bottleneck(features)
        channels = torch.cat([decoder(features, skips) for decoder in self.decoders], dim=1)
        return self.scaling.scale_output(channels)


class _WaveletPredictor(_EncoderDecoder):
    """An encoder-decoder whose four channels are wavelet coefficients."""

    def __init__(
        self,
        width: float,
        decoders: list[Decoder],
        scaling: FixedScaling | None,
        zero_initialised_head: bool,
        wavelet: OrthogonalWavelet,
    ) -> None:
        super().__init__(width, decoders, scaling, zero_initialised_head)
        self.wavelet = wavelet

    def target(self, maps: Float[Tensor, "batch height width"]) -> Float[Tensor, "batch 4 height/2 width/2"]:
        """Return the wavelet coefficients of true maps."""
        return analyse(maps, self.wavelet)

    def predict_map(self, images: Float[Tensor, "batch 2 height width"]) -> Float[Tensor, "batch height width"]:
        """Return the inverse transform of the estimated coefficients."""
        return synthesise(self(images), self.wavelet)


class MultiDecoder(_WaveletPredictor):
    """DeepSPIO: four decoders on one encoder, each for one channel of the map's wavelet transform.

    Parameters
    ----------
    width : float
        Base width b: feature maps at the first level, doubled at each level (the paper: 64; 68 million weights). A
        fraction is possible, and each level then has the nearest whole number.
    wavelet : OrthogonalWavelet
        Default: Daubechies with 4 vanishing moments.
    scaling : FixedScaling, optional
        Scales images and estimates; default: none.
    zero_initialised_head : bool
        Start from an estimate of zero: the last convolution's weights are zero instead of drawn.

    Notes
    -----
    Input: (batch, 2, height, width), the even and the odd lines, sizes being multiples of 16. Output: (batch, 4,
    height/2, width/2), in the order of `mrrepro.networks.wavelet.CHANNELS`.
    """

    def __init__(
        self,
        width: float,
        *,
        wavelet: OrthogonalWavelet = DB4,
        scaling: FixedScaling | None = None,
        zero_initialised_head: bool = False,
    ) -> None:
        decoders = [Decoder(width, 1) for _ in CHANNELS]
        super().__init__(width, decoders, scaling, zero_initialised_head, wavelet)


class SingleDecoder(_WaveletPredictor):
    """As `MultiDecoder`, with one decoder whose head gives all four wavelet channels."""

    def __init__(
        self,
        width: float,
        *,
        wavelet: OrthogonalWavelet = DB4,
        scaling: FixedScaling | None = None,
        zero_initialised_head: bool = False,
    ) -> None:
        super().__init__(width, [Decoder(width, len(CHANNELS))], scaling, zero_initialised_head, wavelet)


class MultiDecoderWithSkips(_WaveletPredictor):
    """As `MultiDecoder`, with the encoder's features joined to every decoder at each resolution, as in a U-Net."""

    def __init__(
        self,
        width: float,
        *,
        wavelet: OrthogonalWavelet = DB4,
        scaling: FixedScaling | None = None,
        zero_initialised_head: bool = False,
    ) -> None:
        decoders = [Decoder(width, 1, with_skips=True) for _ in CHANNELS]
        super().__init__(width, decoders, scaling, zero_initialised_head, wavelet)


class NoWavelet(_EncoderDecoder):
    """As `SingleDecoder`, with one stage more that leads to the map itself at the image's resolution.

    One decoder, since without a transform there is one output channel; the comparison with `SingleDecoder` is that of
    the wavelet alone, as the one of `SingleDecoder` with `MultiDecoder` is that of the decoders alone.
    """

    def __init__(
        self, width: float, *, scaling: FixedScaling | None = None, zero_initialised_head: bool = False
    ) -> None:
        super().__init__(width, [Decoder(width, 1, stages=LEVELS)], scaling, zero_initialised_head)

    def target(self, maps: Float[Tensor, "batch height width"]) -> Float[Tensor, "batch 1 height width"]:
        """Return the maps as one channel."""
        return maps[:, None]

    def predict_map(self, images: Float[Tensor, "batch 2 height width"]) -> Float[Tensor, "batch height width"]:
        """Return the only channel."""
        return self(images)[:, 0]
